/**
 * A list where one number is expected is refused: on its way to a kernel it would become a text, and texts of tensors are
 * computed by kernels, in the middle of the call.
 */

import { assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const F = torch.nn.functional;
const list = [torch.ones([2, 2]), -1n] as unknown as number;
const x = torch.ones([2, 4, 3]);

const CALLS: Readonly<Record<string, () => unknown>> = {
  layerNorm: () => F.layerNorm(x, [3], null, null, list),
  rmsNorm: () => F.rmsNorm(x, [3], null, list),
  groupNorm: () => F.groupNorm(x, 2, null, null, list),
  batchNorm: () => F.batchNorm(x, null, null, null, null, true, 0.1, list),
  instanceNorm: () => F.instanceNorm(x, { eps: list }),
  localResponseNorm: () => F.localResponseNorm(x, list),
  elu: () => F.elu(x, list),
  leakyRelu: () => F.leakyRelu(x, list),
  add: () => x.add(list),
  addmm: () => torch.ones([2, 2]).addmm(torch.ones([2, 2]), torch.ones([2, 2]), { alpha: list }),
  clamp: () => x.clamp(list),
  full: () => torch.full([2], list),
  huberLoss: () => F.huberLoss(x, x, { delta: list }),
  smoothL1Loss: () => F.smoothL1Loss(x, x, { beta: list }),
  softplus: () => F.softplus(x, list),
  dropout: () => F.dropout(x, list),
  uniform_: () => torch.ones([2]).uniform_(list),
  normal_: () => torch.ones([2]).normal_(list),
  cosineSimilarity: () => F.cosineSimilarity(x, x, 1, list),
  normalize: () => F.normalize(x, 2, 1, list),
  logit: () => x.logit(list),
  nanToNum: () => x.nanToNum(list),
};

for (const [name, run] of Object.entries(CALLS)) {
  Deno.test(`${name}() refuses a list where a number is expected`, () => {
    const error = assertThrows(run, Error);
    const ours = error instanceof torch.ArgumentError || error instanceof torch.DTypeError;
    if (!ours || !error.message.startsWith(`${name}(`)) throw error;
  });
}

Deno.test("functions of several tensors refuse numbers one after another", () => {
  const calls = { atleast1d: torch.atleast1d, atleast2d: torch.atleast2d, atleast3d: torch.atleast3d };
  for (const [name, f] of Object.entries(calls)) {
    const error = assertThrows(
      () => f(...[1, 2] as unknown as torch.Tensor[]),
      torch.ArgumentError,
      "must be a Tensor",
    );
    if (!error.message.startsWith(`${name}(`)) throw error;
  }
});
