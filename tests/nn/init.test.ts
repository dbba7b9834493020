/**
 * Initialisers: distributions, fans, gains and errors; and the default initialisation of layers, held to PyTorch's formulas.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";

const { nn } = torch;
const { init } = nn;

/** Mean, standard deviation, least and largest value. */
async function moments(t: torch.Tensor): Promise<{ mean: number; std: number; min: number; max: number }> {
  const x = t.detach().double();
  return {
    mean: await x.mean().item(),
    std: await x.std().item(),
    min: await x.min().item(),
    max: await x.max().item(),
  };
}

/** Holds a tensor to the uniform distribution in ±bound, within the spread of its own size. */
async function assertUniform(t: torch.Tensor, bound: number): Promise<void> {
  const { mean, std, min, max } = await moments(t);
  const n = t.numel();
  const sigma = bound / Math.sqrt(3);
  assert(min >= -bound && max <= bound && max - min > 1.8 * bound, `${min} to ${max}, bound ${bound}`);
  assertAlmostEquals(mean, 0, (6 * sigma) / Math.sqrt(n));
  assertAlmostEquals(std, sigma, (6 * sigma) / Math.sqrt(n));
}

async function assertNormal(t: torch.Tensor, sigma: number): Promise<void> {
  const { mean, std, max } = await moments(t);
  const n = t.numel();
  assertAlmostEquals(mean, 0, (6 * sigma) / Math.sqrt(n));
  assertAlmostEquals(std, sigma, (6 * sigma) / Math.sqrt(n));
  assert(max > 2 * sigma);
}

Deno.test("init: uniform and normal initialisers have PyTorch's bounds and deviations", async () => {
  torch.manualSeed(0);
  const w = torch.empty(64, 32, 3, 3);
  const fanIn = 32 * 9, fanOut = 64 * 9;
  await assertUniform(init.xavierUniform_(w, 2), 2 * Math.sqrt(6 / (fanIn + fanOut)));
  await assertNormal(init.xavierNormal_(w), Math.sqrt(2 / (fanIn + fanOut)));
  await assertUniform(init.kaimingUniform_(w, 0, "fan_out", "relu"), Math.sqrt(6 / fanOut));
  await assertNormal(init.kaimingNormal_(w, 0.2), Math.sqrt(2 / (1 + 0.04) / fanIn));
  await assertUniform(init.uniform_(w, -3, 3), 3);
  await assertNormal(init.normal_(w, 0, 0.5), 0.5);
});

Deno.test("init.truncNormal_() stays within its bounds and has the truncated mean", async () => {
  torch.manualSeed(0);
  const { mean, min, max } = await moments(init.truncNormal_(torch.empty(50000), 0, 1, -1, 2));
  assert(min >= -1 && max <= 2);
  // (φ(-1) - φ(2)) / (Φ(2) - Φ(-1))
  assertAlmostEquals(mean, (0.24197072 - 0.05399097) / (0.97724987 - 0.15865525), 0.02);
});

Deno.test("init: constants, identity, dirac, orthogonal and sparse", async () => {
  assertEquals(await init.constant_(torch.empty(2), 3).tolist(), [3, 3]);
  assertEquals(await init.ones_(torch.empty(1)).tolist(), [1]);
  assertEquals(await init.zeros_(torch.empty(1)).tolist(), [0]);
  assertEquals(await init.eye_(torch.empty(2, 3)).tolist(), [[1, 0, 0], [0, 1, 0]]);
  const x = torch.randn(1, 4, 5, 5);
  const dirac = init.dirac_(torch.empty(4, 4, 3, 3));
  assertEquals(await nn.functional.conv2d(x, dirac, null, 1, 1).sub(x).abs().max().item(), 0);
  for (const shape of [[5, 3], [3, 5], [8, 2, 3]]) {
    const q = init.orthogonal_(torch.empty(shape), 2).reshape(shape[0], -1);
    const gram = q.shape[0] <= q.shape[1] ? q.matmul(q.t()) : q.t().matmul(q);
    assertAlmostEquals(await gram.sub(torch.eye(gram.shape[0]).mul(4)).abs().max().item(), 0, 1e-5);
  }
  const sparse = await init.sparse_(torch.empty(10, 4), 0.3).eq(0).sum(0).tolist();
  assertEquals(sparse, [3, 3, 3, 3]);
});

Deno.test("init.calculateGain() and errors", () => {
  assertEquals(init.calculateGain("linear"), 1);
  assertEquals(init.calculateGain("tanh"), 5 / 3);
  assertEquals(init.calculateGain("leaky_relu", 1), 1);
  assertEquals(init.calculateGain("selu"), 0.75);
  assertThrows(() => init.calculateGain("unknown" as "tanh"), torch.ArgumentError, "unknown nonlinearity");
  assertThrows(() => init.xavierUniform_(torch.empty(3)), torch.ShapeError, "at least 2 dimensions are needed: [3]");
  assertThrows(() => init.eye_(torch.empty(3)), torch.ShapeError, "matrix");
  assertThrows(() => init.dirac_(torch.empty(3, 2)), torch.ShapeError, "3, 4 or 5");
  assertThrows(() => init.orthogonal_(torch.empty(3)), torch.ShapeError, "2 dimensions");
  assertThrows(() => init.kaimingUniform_(torch.empty(2, 2), 0, "fan" as "fan_in"), torch.ArgumentError, "fan_in");
});

Deno.test("layers start as PyTorch's do", async () => {
  torch.manualSeed(0);
  const linear = new nn.Linear(200, 300);
  await assertUniform(linear.weight, 1 / Math.sqrt(200));
  await assertUniform(linear.bias!, 1 / Math.sqrt(200));
  const conv = new nn.Conv2d(16, 32, 3, { groups: 2 });
  await assertUniform(conv.weight, 1 / Math.sqrt(8 * 9));
  const transposed = new nn.ConvTranspose2d(16, 32, 3);
  await assertUniform(transposed.weight, 1 / Math.sqrt(32 * 9));
  await assertNormal(new nn.Embedding(100, 50).weight, 1);
  await assertUniform(new nn.LSTM(10, 40).getParameter("weight_ih_l0"), 1 / Math.sqrt(40));
  const attention = new nn.MultiheadAttention(64, 4);
  await assertUniform(attention.in_proj_weight!, Math.sqrt(6 / (64 + 3 * 64)));
  assertEquals(await new nn.LayerNorm(2).weight!.tolist(), [1, 1]);
  assertEquals(await new nn.BatchNorm1d(2).running_var!.tolist(), [1, 1]);
  assertEquals(await new nn.Embedding(3, 2, 1).weight.at(1).tolist(), [0, 0]);
});

Deno.test("the same seed gives the same layer", async () => {
  torch.manualSeed(7);
  const a = await new nn.Linear(3, 3).weight.tolist();
  torch.manualSeed(7);
  assertEquals(await new nn.Linear(3, 3).weight.tolist(), a);
});

Deno.test("init: arguments by name, as in PyTorch; unknown names are errors", async () => {
  const w = torch.empty(200, 100);
  assertAlmostEquals(await init.normal_(w, { mean: 5, std: 0.5 }).mean().item(), 5, 0.05);
  assertAlmostEquals(await init.uniform_(w, { a: 2, b: 3 }).mean().item(), 2.5, 0.05);
  const std = await init.kaimingNormal_(w, { mode: "fan_out", nonlinearity: "relu" }).std().item();
  assertAlmostEquals(std, Math.sqrt(2 / 200), 0.005);
  await assertUserError(() => init.normal_(w, { sd: 1 } as never), torch.ArgumentError, "unknown argument");
});
