/** Random methods: in-place fills, Bernoulli and multinomial samples, dropout. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertDistribution, assertNear, moments, normalCdf, numbers } from "./support.ts";

const N = 20_000;

Deno.test("in-place fills follow their distributions", async (t) => {
  const fills: [string, (x: torch.Tensor) => torch.Tensor, (v: number) => number][] = [
    ["normal_", (x) => x.normal_(1, 3), (v) => normalCdf((v - 1) / 3)],
    ["uniform_", (x) => x.uniform_(-2, 6), (v) => (v + 2) / 8],
    ["exponential_", (x) => x.exponential_(2), (v) => 1 - Math.exp(-2 * v)],
    ["cauchy_", (x) => x.cauchy_(1, 2), (v) => 0.5 + Math.atan((v - 1) / 2) / Math.PI],
    ["logNormal_", (x) => x.logNormal_(0.5, 0.25), (v) => normalCdf((Math.log(v) - 0.5) / 0.25)],
  ];
  for (const [name, fill, cdf] of fills) {
    for (const dtype of [torch.float32, torch.float64]) {
      await t.step(`${name} of ${dtype.name}`, async () => {
        torch.manualSeed(21);
        const x = torch.zeros([N], { dtype });
        assertEquals(fill(x), x);
        assertDistribution(await numbers(x), cdf);
      });
    }
  }
});

Deno.test("exponential_() and logNormal_() are never 0 or infinite", async () => {
  torch.manualSeed(22);
  for (const x of [torch.zeros(2 ** 20).exponential_(), torch.zeros(2 ** 20).logNormal_()]) {
    const least = Number(await x.min().item()), most = Number(await x.max().item());
    assert(least > 0 && most < Infinity, `${least} to ${most}`);
  }
});

Deno.test("geometric_(): mean and least value, in integers too", async () => {
  torch.manualSeed(23);
  for (const dtype of [torch.float32, torch.int64]) {
    const sample = await numbers(torch.zeros([N], { dtype }).geometric_(0.25));
    assert(sample.every((v) => Number.isInteger(v) && v >= 1));
    assertNear("mean", moments(sample).mean, 4, Math.sqrt(12 / N));
  }
});

Deno.test("random_(): bounds and limits of dtypes", async () => {
  torch.manualSeed(24);
  const small = await numbers(torch.zeros(1000).random_(3, 6));
  assertEquals(new Set(small), new Set([3, 4, 5]));
  assertEquals(new Set(await numbers(torch.zeros(1000).random_(2))), new Set([0, 1]));
  const bytes = await numbers(torch.zeros([N], { dtype: torch.uint8 }).random_());
  assertEquals([Math.min(...bytes), Math.max(...bytes)], [0, 255]);
  const signed = await numbers(torch.zeros([N], { dtype: torch.int8 }).random_());
  assertEquals([Math.min(...signed), Math.max(...signed)], [0, 127]);
  const floats = await numbers(torch.zeros(N).random_());
  assert(floats.every((v) => Number.isInteger(v) && v >= 0 && v <= 2 ** 24));
});

Deno.test("bernoulli(): frequencies, certain events, dtype", async () => {
  torch.manualSeed(25);
  const sample = await numbers(torch.bernoulli(torch.full([N], 0.3)));
  assertEquals(new Set(sample), new Set([0, 1]));
  assertNear("frequency", moments(sample).mean, 0.3, Math.sqrt(0.21 / N));
  assertEquals(await numbers(torch.bernoulli(torch.zeros(1000))), new Array(1000).fill(0));
  assertEquals(await numbers(torch.bernoulli(torch.ones(1000))), new Array(1000).fill(1));
  assertEquals(torch.bernoulli(torch.zeros([2], { dtype: torch.float64 })).dtype, torch.float64);
  const mask = torch.zeros([N], { dtype: torch.bool }).bernoulli_(0.75);
  assertNear("frequency", moments(await numbers(mask)).mean, 0.75, Math.sqrt(0.1875 / N));
  const columns = await numbers(torch.zeros(2, 3).bernoulli_(torch.tensor([0, 1, 1])));
  assertEquals(columns, [0, 1, 1, 0, 1, 1]);
});

Deno.test("multinomial(): with replacement, frequencies are the weights", async () => {
  torch.manualSeed(26);
  const weights = torch.tensor([[1, 0, 3, 4], [0, 0, 5, 0]]);
  const drawn = torch.multinomial(weights, N, true);
  assertEquals([drawn.shape, drawn.dtype], [[2, N], torch.int64]);
  const sample = await numbers(drawn);
  const share = (row: number, category: number) =>
    sample.slice(row * N, (row + 1) * N).filter((v) => v === category).length / N;
  [1 / 8, 0, 3 / 8, 4 / 8].forEach((p, c) => assertNear(`share of ${c}`, share(0, c), p, Math.sqrt((p * (1 - p)) / N)));
  assertEquals(share(1, 2), 1);
});

Deno.test("multinomial(): without replacement, no category twice and the first by weight", async () => {
  torch.manualSeed(27);
  const rows = 5000;
  const weights = torch.tensor([1, 2, 3, 4]).expand(rows, 4);
  const sample = await numbers(torch.multinomial(weights, 4));
  let firsts = 0;
  for (let r = 0; r < rows; r++) {
    assertEquals([...sample.slice(4 * r, 4 * r + 4)].sort(), [0, 1, 2, 3]);
    if (sample[4 * r] === 3) firsts++;
  }
  assertNear("first is 3", firsts / rows, 0.4, Math.sqrt(0.24 / rows));
});

Deno.test("dropout(): drops, scales, and has the mask's gradient", async () => {
  torch.manualSeed(28);
  const x = torch.ones([N]).requiresGrad_(true);
  const y = torch.dropout(x, 0.2);
  const values = await numbers(y);
  assertNear("share dropped", values.filter((v) => v === 0).length / N, 0.2, Math.sqrt(0.16 / N));
  assert(values.every((v) => v === 0 || Math.abs(v - 1.25) < 1e-6));
  y.backward(torch.ones(N));
  assertEquals(await numbers(x.grad!), values);
});

Deno.test("dropout(): identity in evaluation and for p = 0, zeros for p = 1", async () => {
  const x = torch.tensor([1, -2]);
  assertEquals(torch.dropout(x, 0.5, false), x);
  assertEquals(torch.dropout(x, 0), x);
  assertEquals((await numbers(torch.dropout(x, 1))).map(Math.abs), [0, 0]);
});

Deno.test("dropout(): gradients of gradients", async () => {
  torch.manualSeed(29);
  const x = torch.tensor([1, 2, 3, 4], { dtype: torch.float64 }).requiresGrad_(true);
  const y = torch.dropout(x, 0.5);
  const kept = (await numbers(y)).map((v) => (v === 0 ? 0 : 2));
  const [g] = torch.autograd.grad([y.mul(y).sum()], [x], { createGraph: true });
  g!.sum().backward();
  // The second derivative of sum((m x)²) is 2 m².
  assertEquals(await numbers(x.grad!), kept.map((m) => 2 * m * m));
});

Deno.test("alphaDropout(): keeps mean and variance", async () => {
  torch.manualSeed(30);
  const x = torch.randn(N);
  const { mean, variance } = moments(await numbers(torch.alphaDropout(x, 0.3, true)));
  assertNear("mean", mean, 0, 1 / Math.sqrt(N));
  assertNear("variance", variance, 1, 2 / Math.sqrt(N));
  assertEquals(torch.alphaDropout(x, 0.3), x);
});

Deno.test("random methods: in place on views and leaves, and errors", async () => {
  torch.manualSeed(31);
  const x = torch.zeros(2, 3);
  x.at(1).normal_();
  const values = await numbers(x);
  assertEquals(values.slice(0, 3), [0, 0, 0]);
  assert(values.slice(3).every((v) => v !== 0));
  const leaf = torch.zeros(2).requiresGrad_(true);
  assertThrows(() => leaf.normal_(), torch.AutogradError, "normal_(): a leaf that requires grad");
  torch.noGrad(() => leaf.normal_());
  const f = torch.zeros(2), i = torch.zeros([2], { dtype: torch.int32 });
  assertThrows(() => i.normal_(), torch.DTypeError, "normal_(): the tensor must be of a floating dtype: torch.int32");
  assertThrows(() => f.normal_(0, -1), torch.ArgumentError, "std must be at least 0: -1");
  assertThrows(() => f.uniform_(3, -1), torch.ArgumentError, "from must not be above to: 3 > -1");
  assertThrows(() => f.exponential_(0), torch.ArgumentError, "lambd must be above 0");
  assertThrows(() => f.cauchy_(0, 0), torch.ArgumentError, "sigma must be above 0");
  assertThrows(() => f.logNormal_(0, 0), torch.ArgumentError, "std must be above 0");
  assertThrows(() => f.geometric_(-1), torch.ArgumentError, "p must be in (0, 1): -1");
  assertThrows(() => f.random_(5, 5), torch.ArgumentError, "the lower bound must be below");
  assertThrows(() => f.bernoulli_(1.5), torch.ArgumentError, "p must be in [0, 1]: 1.5");
  assertThrows(
    () => torch.bernoulli(torch.tensor([0.5, 2])),
    torch.ArgumentError,
    "probabilities must be in [0, 1]: 2",
  );
  assertThrows(() => torch.dropout(f, 1.5), torch.ArgumentError, "dropout(): p must be in [0, 1]: 1.5");
  assertThrows(() => torch.dropout(i), torch.DTypeError, "floating");
  const bad: [torch.Tensor, number, string][] = [
    [torch.tensor([1, -1]), 1, "finite and not negative: -1"],
    [torch.tensor([1, NaN]), 1, "finite and not negative: NaN"],
    [torch.tensor([0, 0]), 1, "sum to zero: row 0"],
    [torch.ones(2), 3, "more samples than categories: 3 of 2"],
    [torch.ones(2), 0, "numSamples must be a positive integer: 0"],
    [torch.ones(1, 2, 3), 1, "1 or 2 dimensions"],
  ];
  for (const [weights, n, message] of bad) assertThrows(() => torch.multinomial(weights, n), Error, message);
});
