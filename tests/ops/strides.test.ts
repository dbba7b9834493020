/** Memory layouts: strides of results against PyTorch's, op by op, and values that do not depend on the layout. */

import { assert, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { checkStrides, last, STRIDE_CASES } from "./stride_cases.ts";

for (const name of STRIDE_CASES) Deno.test(`strides and values: ${name}`, () => checkStrides(name, "cpu"));

const { functional: F } = torch.nn;
const image = (seed: number, ...shape: number[]) => {
  torch.manualSeed(seed);
  return torch.randn(shape, { dtype: torch.float64 }).to(last).requiresGrad_();
};
const DIFFERENTIABLE: Readonly<Record<string, [(...xs: torch.Tensor[]) => torch.Tensor, torch.Tensor[]]>> = {
  "conv2d": [
    (x, w) => F.conv2d(x, w, null, { groups: 2, padding: 1 }),
    [image(1, 2, 4, 4, 3), image(2, 4, 2, 3, 3)],
  ],
  "convTranspose2d": [
    (x, w) => F.convTranspose2d(x, w, { stride: 2, groups: 2 }),
    [image(1, 1, 4, 3, 2), image(2, 4, 2, 2, 2)],
  ],
  "maxPool2d": [(x) => F.maxPool2d(x, 3, { stride: 2, padding: 1 }), [image(3, 2, 3, 5, 4)]],
  "avgPool2d": [(x) => F.avgPool2d(x, 3, { stride: 2, padding: 1 }), [image(3, 2, 3, 5, 4)]],
  "batchNorm": [(x) => F.batchNorm(x, null, null, { training: true }), [image(4, 2, 2, 3, 2)]],
  "interpolate": [(x) => F.interpolate(x, { scaleFactor: 2, mode: "bilinear" }), [image(5, 1, 2, 3, 2)]],
  "pad": [(x) => F.pad(x, [1, 2, 0, 1], "reflect"), [image(6, 1, 2, 3, 4)]],
  "transposed map": [(x) => F.gelu(x).transpose(1, 2).mul(x.sum()), [image(7, 1, 2, 3, 2)]],
};

for (const [name, [f, inputs]] of Object.entries(DIFFERENTIABLE)) {
  Deno.test(`channels last: gradients of both orders agree with differences: ${name}`, async () => {
    assert(await torch.autograd.gradcheck(f, inputs) && await torch.autograd.gradgradcheck(f, inputs));
  });
}

Deno.test("formats are known, and their dimensions checked", () => {
  const x = torch.randn(2, 3, 4);
  assertThrows(() => x.contiguous(last), torch.ShapeError, "channels_last needs 4 dimensions: [2, 3, 4]");
  assertThrows(() => x.clone({ memoryFormat: "nhwc" as never }), torch.ArgumentError, "unknown memoryFormat");
  assertThrows(
    () => torch.zerosLike(x, { memoryFormat: "nhwc" as never }),
    torch.ArgumentError,
    "unknown memoryFormat",
  );
  assertThrows(() => torch.empty(2, 3, { memoryFormat: torch.preserveFormat }), torch.ArgumentError, "emptyLike");
  assert(!x.isContiguous(last));
  const image = torch.randn(2, 3, 4, 5);
  assert(image.isContiguous() && !image.isContiguous(last));
  assert(image.to(last).isContiguous(last) && !image.to(last).isContiguous());
  assert(torch.randn(2, 1, 4, 5).isContiguous(last), "one channel is in both formats");
  const laid = image.to(last);
  assert(laid.to(last) === laid && laid.contiguous(last) === laid);
});
