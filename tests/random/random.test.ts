/** Random tensors: the stream, the distributions, the generators. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { philoxWord } from "../../src/base/philox.ts";
import { assertDistribution, assertNear, moments, normalCdf, numbers } from "./support.ts";

const N = 20_000;

Deno.test("rand(): the same seed gives the same values, and the next draw others", async () => {
  torch.manualSeed(7);
  const a = await numbers(torch.rand(100)), b = await numbers(torch.rand(100));
  torch.manualSeed(7);
  assertEquals(await numbers(torch.rand([10, 10])), a);
  assertEquals(await numbers(torch.rand(100)), b);
  assertNotEquals(a, b);
  torch.manualSeed(8);
  assertNotEquals(await numbers(torch.rand(100)), a);
});

Deno.test("rand(): values are those of the Philox stream, whatever computes them", async () => {
  torch.manualSeed(123n);
  const expected = Array.from({ length: 10_000 }, (_, i) => (philoxWord(i, 123n) >>> 8) * 2 ** -24);
  assertEquals(await numbers(torch.rand(10_000)), expected);
  torch.manualSeed(2n ** 64n - 5n);
  const first = (philoxWord(0, 2n ** 64n - 5n) >>> 8) * 2 ** -24;
  assertEquals(await numbers(torch.rand(1)), [first]);
});

Deno.test("rand(): a strided tensor is filled in its own order", async () => {
  torch.manualSeed(1);
  const plain = await numbers(torch.rand(3, 4));
  torch.manualSeed(1);
  const strided = torch.zeros(4, 3).transpose(0, 1).uniform_();
  assertEquals(await numbers(strided.contiguous()), plain);
});

for (const dtype of [torch.float32, torch.float64, torch.float16, torch.bfloat16]) {
  Deno.test(`rand() of ${dtype.name}: uniform in [0, 1)`, async () => {
    torch.manualSeed(11);
    const sample = await numbers(torch.rand([N], { dtype }));
    assert(sample.every((x) => x >= 0 && x < 1));
    const { mean, variance } = moments(sample);
    // A coarse dtype rounds down to its grid.
    const step = dtype === torch.bfloat16 ? 2 ** -8 : dtype === torch.float16 ? 2 ** -11 : 0;
    assertNear("mean", mean, 0.5 - step / 2, Math.sqrt(1 / 12 / N));
    assertNear("variance", variance, 1 / 12, Math.sqrt(1 / 180 / N));
    if (step === 0) assertDistribution(sample, (x) => x);
  });

  Deno.test(`randn() of ${dtype.name}: standard normal`, async () => {
    torch.manualSeed(12);
    const sample = await numbers(torch.randn([N], { dtype }));
    const { mean, variance } = moments(sample);
    assertNear("mean", mean, 0, 1 / Math.sqrt(N));
    assertNear("variance", variance, 1, Math.sqrt(2 / N));
    if (dtype.itemsize >= 4) assertDistribution(sample, normalCdf);
  });
}

Deno.test("randn(): consecutive values are independent", async () => {
  torch.manualSeed(13);
  const x = await numbers(torch.randn(N));
  for (const lag of [1, 2, 3, 4, 16, 64, 256]) {
    let sum = 0;
    for (let i = lag; i < N; i++) sum += x[i] * x[i - lag];
    assertNear(`correlation at distance ${lag}`, sum / (N - lag), 0, 1 / Math.sqrt(N - lag));
  }
});

Deno.test("randn() of complex64: variance 1 in all, parts independent", async () => {
  torch.manualSeed(14);
  const parts = await numbers(torch.randn([N], { dtype: torch.complex64 }));
  const re = parts.filter((_, i) => i % 2 === 0), im = parts.filter((_, i) => i % 2 === 1);
  assertNear("variance", moments(re).variance + moments(im).variance, 1, Math.sqrt(1 / N));
  assertNear("covariance", re.reduce((s, x, i) => s + x * im[i], 0) / N, 0, 0.5 / Math.sqrt(N));
  assertDistribution(re.map((x) => x * Math.SQRT2), normalCdf);
});

Deno.test("randint(): every value of the range comes equally often", async () => {
  torch.manualSeed(15);
  const x = torch.randint(-3, 4, [N]);
  assertEquals(x.dtype, torch.int64);
  const counts = new Map<number, number>();
  for (const v of await numbers(x)) counts.set(v, (counts.get(v) ?? 0) + 1);
  assertEquals([...counts.keys()].sort((a, b) => a - b), [-3, -2, -1, 0, 1, 2, 3]);
  for (const c of counts.values()) assertNear("count", c, N / 7, Math.sqrt((N * 6) / 49));
});

Deno.test("randint(): wide ranges, other dtypes, named arguments", async () => {
  torch.manualSeed(16);
  const wide = await numbers(torch.randint(0, 2 ** 40, [N]));
  assert(wide.every((v) => Number.isInteger(v) && v >= 0 && v < 2 ** 40));
  assertDistribution(wide, (v) => v / 2 ** 40);
  const floats = torch.randint(5, [4], { dtype: torch.float32 });
  assertEquals(floats.dtype, torch.float32);
  assertEquals(torch.randint({ low: 1, high: 3, size: [2, 2] }).shape, [2, 2]);
  assertEquals(torch.randint(10, { size: [3] }).shape, [3]);
  assertEquals(torch.randintLike(torch.zeros(2, 3), 10).dtype, torch.float32);
});

Deno.test("randperm(): a permutation, and not the same each time", async () => {
  torch.manualSeed(17);
  const a = await numbers(torch.randperm(1000)), b = await numbers(torch.randperm(1000));
  assertEquals([...a].sort((x, y) => x - y), Array.from({ length: 1000 }, (_, i) => i));
  assertNotEquals(a, b);
  assertEquals(await numbers(torch.randperm(0)), []);
  assertEquals(torch.randperm(3, { dtype: torch.int32 }).dtype, torch.int32);
});

Deno.test("normal(): means and deviations from tensors and numbers", async () => {
  torch.manualSeed(18);
  const mean = torch.tensor([[-2], [5]]), std = torch.full([N], 0.5);
  const x = torch.normal(mean, std);
  assertEquals(x.shape, [2, N]);
  const sample = await numbers(x);
  assertDistribution(sample.slice(0, N).map((v) => (v + 2) / 0.5), normalCdf);
  assertDistribution(sample.slice(N).map((v) => (v - 5) / 0.5), normalCdf);
  const y = await numbers(torch.normal(3, 2, [N]));
  assertDistribution(y.map((v) => (v - 3) / 2), normalCdf);
  assertEquals(torch.normal(torch.zeros(3)).shape, [3]);
  assertEquals(torch.normal({ mean: 1, std: 2, size: [2] }).shape, [2]);
});

Deno.test("normal(): gradients of samples are zero", async () => {
  const mean = torch.tensor([1, 2]).requiresGrad_(true), std = torch.tensor([1, 1]).requiresGrad_(true);
  torch.normal(mean, std).backward(torch.ones(2));
  assertEquals(await numbers(mean.grad!), [0, 0]);
  assertEquals(await numbers(std.grad!), [0, 0]);
});

Deno.test("Generator: draws from its own stream, not the default one", async () => {
  torch.manualSeed(1);
  const expected = await numbers(torch.rand(5));
  torch.manualSeed(1);
  const generator = new torch.Generator().manualSeed(99);
  const own = await numbers(torch.rand([5], { generator }));
  assertEquals(await numbers(torch.rand(5)), expected);
  generator.manualSeed(99);
  assertEquals(await numbers(torch.zeros(5).uniform_({ generator })), own);
});

Deno.test("forkRng(): the default generator goes on as if nothing was drawn", async () => {
  torch.manualSeed(3);
  const expected = await numbers(torch.rand(4));
  torch.manualSeed(3);
  torch.forkRng(() => torch.rand(100));
  {
    using _ = torch.forkRng();
    torch.manualSeed(77);
  }
  await torch.forkRng(async () => {
    await Promise.resolve();
    torch.rand(3);
  });
  assertEquals(await numbers(torch.rand(4)), expected);
});

Deno.test("getRngState() and setRngState() go back to a position", async () => {
  torch.manualSeed(4);
  torch.rand(10);
  const state = torch.getRngState();
  const expected = await numbers(torch.rand(6));
  torch.setRngState(state);
  assertEquals(await numbers(torch.rand(6)), expected);
  assertThrows(() => torch.setRngState(torch.zeros(16)), torch.DTypeError, "uint8");
  assertThrows(() => torch.setRngState(torch.zeros([3], { dtype: torch.uint8 })), torch.FormatError, "16 bytes");
});

Deno.test("random creation: empty shapes and 0-d", async () => {
  assertEquals(torch.rand(0, 3).shape, [0, 3]);
  assertEquals(torch.randn([]).shape, []);
  assertEquals(torch.randint(5, [0]).shape, [0]);
  assertEquals(typeof (await torch.rand([]).item()), "number");
});

Deno.test("random creation: bad arguments throw", () => {
  assertThrows(() => torch.rand(-1), torch.ShapeError, "sizes must not be negative");
  assertThrows(() => torch.rand([2], { dtype: torch.int64 }), torch.DTypeError, "rand(): the dtype must be floating");
  assertThrows(() => torch.randint(3, 3, [2]), torch.ArgumentError, "the lower bound must be below");
  assertThrows(() => torch.randint(0.5, [2]), torch.ArgumentError, "bounds must be integers");
  assertThrows(() => torch.randint(5, {} as { size: number[] }), torch.ArgumentError, 'missing argument: "size"');
  assertThrows(() => torch.randperm(-1), torch.ArgumentError, "randperm(): n must be an integer of at least 0: -1");
  assertThrows(() => torch.normal(0, -1, [2]), torch.ArgumentError, "std must not be negative");
  assertThrows(() => torch.normal(0, 1), torch.ArgumentError, "missing argument: size");
  assertThrows(
    () => torch.normal(torch.zeros(2), torch.tensor([1, -1])),
    torch.ArgumentError,
    "std must not be negative",
  );
  const generator = {} as torch.Generator;
  assertThrows(() => torch.rand([2], { generator }), torch.ArgumentError, "generator must be a Generator");
});
