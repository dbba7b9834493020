/**
 * Random ops: the conformance replay can compare only dtype and shape, so their distributions are held here, with a fixed
 * seed and bounds of five standard errors; and the same seed gives the same values.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

const N = 100_000;

/** Sample mean and standard deviation. */
async function moments(x: Tensor): Promise<[mean: number, std: number]> {
  const values = Array.from(await x.double().read() as Float64Array);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  return [mean, Math.sqrt(variance)];
}

/** Asserts mean and deviation of N independent draws, within five standard errors. */
async function assertMoments(x: Tensor, mean: number, std: number, kurtosis = 3): Promise<void> {
  const n = x.numel();
  const [m, s] = await moments(x);
  assert(Math.abs(m - mean) <= 5 * std / Math.sqrt(n), `mean ${m}, expected ${mean}`);
  // The standard error of a sample deviation is std * sqrt((kurtosis - 1) / 4n).
  assert(Math.abs(s - std) <= 5 * std * Math.sqrt((kurtosis - 1) / (4 * n)) + 1e-12, `deviation ${s}, expected ${std}`);
}

/** Smallest and largest value. */
async function range(x: Tensor): Promise<[number, number]> {
  const values = Array.from(await x.double().read() as Float64Array);
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

Deno.test("rand() is uniform on [0, 1)", async () => {
  torch.manualSeed(1);
  for (const dtype of [torch.float32, torch.float64]) {
    const x = torch.rand([N], { dtype });
    await assertMoments(x, 0.5, Math.sqrt(1 / 12), 1.8);
    const [low, high] = await range(x);
    assert(low >= 0 && low < 1e-3 && high < 1 && high > 1 - 1e-3, `${low} to ${high}`);
  }
});

Deno.test("randn() is standard normal, tails included", async () => {
  torch.manualSeed(2);
  for (const dtype of [torch.float32, torch.float64]) {
    const x = torch.randn([N], { dtype });
    await assertMoments(x, 0, 1);
    const values = Array.from(await x.double().read() as Float64Array);
    for (const [limit, probability] of [[1, 0.317311], [2, 0.0455], [3, 0.0027]]) {
      const outside = values.filter((v) => Math.abs(v) > limit).length / N;
      const error = 5 * Math.sqrt(probability * (1 - probability) / N);
      assert(Math.abs(outside - probability) <= error, `beyond ${limit}: ${outside}, expected ${probability}`);
    }
  }
});

Deno.test("randint() covers its range evenly and gives int64", async () => {
  torch.manualSeed(3);
  const x = torch.randint(-2, 3, [N]);
  assertEquals(x.dtype, torch.int64);
  const counts = new Map<number, number>();
  for (const v of await x.read() as BigInt64Array) counts.set(Number(v), (counts.get(Number(v)) ?? 0) + 1);
  assertEquals([...counts.keys()].sort((a, b) => a - b), [-2, -1, 0, 1, 2]);
  for (const [value, count] of counts) {
    assert(Math.abs(count / N - 0.2) <= 5 * Math.sqrt(0.16 / N), `${value} came ${count} times`);
  }
});

Deno.test("randperm() is a permutation", async () => {
  torch.manualSeed(4);
  const x = await torch.randperm(1000).read() as BigInt64Array;
  const values = Array.from(x, Number);
  assertEquals([...values].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
  assertNotEquals(values.slice(0, 10), Array.from({ length: 10 }, (_, i) => i));
});

Deno.test("bernoulli() draws ones with the given probabilities", async () => {
  torch.manualSeed(5);
  const p = torch.tensor([0, 0.25, 1]).reshape([3, 1]).expand([3, N]);
  const [zero, quarter, one] = await torch.bernoulli(p).mean(1).tolist() as number[];
  assertEquals([zero, one], [0, 1]);
  assert(Math.abs(quarter - 0.25) <= 5 * Math.sqrt(0.1875 / N), `${quarter}`);
});

Deno.test("multinomial() draws by weight, and without replacement never twice", async () => {
  torch.manualSeed(6);
  const weights = torch.tensor([1, 0, 3, 6]);
  const draws = await torch.multinomial(weights, N, { replacement: true }).read() as BigInt64Array;
  const counts = [0, 0, 0, 0];
  for (const v of draws) counts[Number(v)]++;
  for (const [i, p] of [0.1, 0, 0.3, 0.6].entries()) {
    assert(Math.abs(counts[i] / N - p) <= 5 * Math.sqrt(p * (1 - p) / N), `index ${i} came ${counts[i]} times`);
  }
  for (let k = 0; k < 20; k++) {
    const three = Array.from(await torch.multinomial(weights, 3).read() as BigInt64Array, Number);
    assertEquals([...three].sort(), [0, 2, 3]);
  }
});

Deno.test("normal() and uniform_() take their parameters", async () => {
  torch.manualSeed(7);
  await assertMoments(torch.normal(torch.full([N], 3), 2), 3, 2);
  await assertMoments(torch.empty([N]).normal_(-1, 0.5), -1, 0.5);
  const x = torch.empty([N]).uniform_(2, 5);
  await assertMoments(x, 3.5, 3 / Math.sqrt(12), 1.8);
  const [low, high] = await range(x);
  assert(low >= 2 && high < 5);
});

Deno.test("dropout() keeps the expectation, and its gradient uses the same mask", async () => {
  torch.manualSeed(8);
  const x = torch.ones([N], { requiresGrad: true });
  const y = torch.nn.functional.dropout(x, 0.25);
  const values = Array.from(await y.read() as Float32Array);
  const kept = values.filter((v) => v !== 0);
  assert(kept.every((v) => Math.abs(v - 1 / 0.75) < 1e-6), "kept values are scaled by 1 / (1 - p)");
  assert(Math.abs(kept.length / N - 0.75) <= 5 * Math.sqrt(0.1875 / N), `${kept.length} of ${N} kept`);
  y.sum().backward();
  assertEquals(Array.from(await x.grad!.read() as Float32Array), values);
  assertEquals(torch.nn.functional.dropout(x, 0.25, false), x, "nothing happens in eval mode");
});

Deno.test("manualSeed() repeats everything; another seed and the next call differ", async () => {
  const draw = async () => [
    await torch.randn([4]).tolist(),
    await torch.randint(0, 1000, [4]).tolist(),
    await torch.nn.functional.dropout(torch.ones([64]), 0.5).tolist(),
    await torch.randperm(50).tolist(),
  ];
  torch.manualSeed(9);
  const first = await draw();
  const second = await draw();
  torch.manualSeed(9);
  assertEquals(await draw(), first);
  for (const [i, values] of second.entries()) assertNotEquals(values, first[i]);
  torch.manualSeed(10);
  assertNotEquals((await draw())[0], first[0]);
});

Deno.test("a Generator has a stream of its own", async () => {
  const make = () => new torch.Generator().manualSeed(11);
  const [a, b] = [make(), make()];
  torch.manualSeed(0);
  const x = await torch.randn([5], { generator: a }).tolist();
  await torch.randn([3]).tolist();
  assertEquals(await torch.randn([5], { generator: b }).tolist(), x);
});
