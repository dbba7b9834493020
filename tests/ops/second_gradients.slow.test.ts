/** The gradients of every op's gradients, against central differences in float64. */

import * as torch from "../../mod.ts";
import { asFunction } from "./cases.ts";
import { asDouble, differentiable, forEachOp, onesLike, tooLarge } from "./every_op.ts";

forEachOp("gradients of gradients agree with central differences", differentiable, async (op, sample) => {
  const { fn, inputs } = asFunction(op, sample, asDouble);
  const first = torch.autograd.grad(fn(...inputs), inputs, {
    gradOutputs: onesLike(fn(...inputs)),
    createGraph: true,
    allowUnused: true,
  });
  if (await tooLarge(fn(...inputs)) || await tooLarge(first)) return;
  // A linear op's gradient does not depend on its inputs: there is no second gradient to check.
  if (!first.some((g) => g?.requiresGrad)) return;
  await torch.autograd.gradgradcheck(fn, inputs);
});
