/** Samplers and splits: coverage, lengths, distributions, and that a seed fixes the order. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Generator } from "../../src/base/generator.ts";
import { ArgumentError } from "../../src/base/errors.ts";
import { manualSeed } from "../../src/base/generator.ts";
import { ConcatDataset, randomSplit, Subset } from "../../src/data/dataset.ts";
import { HostRandom } from "../../src/data/random.ts";
import {
  BatchSampler,
  RandomSampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "../../src/data/sampler.ts";

const ten = { length: 10 };
const seeded = (seed: number) => new Generator().manualSeed(seed);
const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
const digits = Array.from({ length: 10 }, (_, i) => i);

Deno.test("HostRandom is uniform and repeats with its seed", () => {
  const random = new HostRandom(7n);
  const counts = new Array<number>(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 20_000; i++) {
    const u = random.uniform();
    assert(u >= 0 && u < 1);
    sum += u;
    counts[random.below(10)]++;
  }
  // Five standard deviations: of the mean 1/sqrt(12 n), of a count sqrt(n p (1 - p)).
  assert(Math.abs(sum / 20_000 - 0.5) < 5 / Math.sqrt(12 * 20_000));
  for (const count of counts) assert(Math.abs(count - 2000) < 5 * Math.sqrt(20_000 * 0.1 * 0.9));
  assertEquals(new HostRandom(7n).permutation(20), new HostRandom(7n).permutation(20));
  assertNotEquals(new HostRandom(7n).permutation(20), new HostRandom(8n).permutation(20));
});

Deno.test("HostRandom.permutation() makes every order equally often", () => {
  const random = new HostRandom(3n);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const key = random.permutation(3).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assertEquals(counts.size, 6);
  for (const count of counts.values()) assert(Math.abs(count - 1000) < 5 * Math.sqrt(6000 * (1 / 6) * (5 / 6)));
});

Deno.test("SequentialSampler goes in order", () => {
  const sampler = new SequentialSampler(ten);
  assertEquals([...sampler], digits);
  assertEquals(sampler.length, 10);
});

Deno.test("RandomSampler gives each sample once, in a new order each time", () => {
  const sampler = new RandomSampler(ten, { generator: seeded(1) });
  const first = [...sampler], second = [...sampler];
  assertEquals([sorted(first), sorted(second)], [digits, digits]);
  assertNotEquals(first, second);
  const again = new RandomSampler(ten, { generator: seeded(1) });
  assertEquals([[...again], [...again]], [first, second]);
});

Deno.test("RandomSampler follows manualSeed", () => {
  manualSeed(5);
  const first = [...new RandomSampler(ten)];
  manualSeed(5);
  assertEquals([...new RandomSampler(ten)], first);
});

Deno.test("RandomSampler draws more or fewer, with and without replacement", () => {
  const few = new RandomSampler(ten, false, 4);
  assertEquals([few.length, new Set(few).size], [4, 4]);
  const many = [...new RandomSampler(ten, { numSamples: 25 })];
  assertEquals(sorted(many.slice(0, 10)), digits);
  assertEquals(many.length, 25);
  const replaced = [...new RandomSampler(ten, { replacement: true, numSamples: 50 })];
  assertEquals(replaced.length, 50);
  assert(replaced.every((i) => i >= 0 && i < 10));
  assertEquals([...new RandomSampler({ length: 0 })], []);
  assertThrows(
    () => new RandomSampler(ten, { numSamples: 0 }),
    ArgumentError,
    "numSamples must be a positive integer: 0",
  );
});

Deno.test("SubsetRandomSampler permutes the given indices", () => {
  const sampler = new SubsetRandomSampler([3, 5, 7], seeded(1));
  assertEquals([sorted(sampler), sampler.length], [[3, 5, 7], 3]);
});

Deno.test("WeightedRandomSampler draws in proportion", () => {
  const n = 20_000;
  const counts = [0, 0, 0, 0];
  for (const i of new WeightedRandomSampler([1, 0, 3, 6], n, true, seeded(2))) counts[i]++;
  assertEquals(counts[1], 0);
  for (const [i, p] of [[0, 0.1], [2, 0.3], [3, 0.6]]) {
    assert(Math.abs(counts[i] - n * p) < 5 * Math.sqrt(n * p * (1 - p)), `${counts}`);
  }
});

Deno.test("WeightedRandomSampler without replacement draws each at most once, heavy ones first", () => {
  let heavyFirst = 0;
  const generator = seeded(4);
  for (let i = 0; i < 2000; i++) {
    const drawn = [...new WeightedRandomSampler([1, 3, 0], 2, false, generator)];
    assertEquals(sorted(drawn), [0, 1]);
    if (drawn[0] === 1) heavyFirst++;
  }
  assert(Math.abs(heavyFirst - 1500) < 5 * Math.sqrt(2000 * 0.75 * 0.25));
});

Deno.test("WeightedRandomSampler refuses bad weights", () => {
  const make = (weights: number[], n: number, replacement = true) => () =>
    new WeightedRandomSampler(weights, n, replacement);
  assertThrows(make([1, -1], 1), ArgumentError, "weights must be finite numbers and not negative: -1");
  assertThrows(make([1, NaN], 1), ArgumentError, "weights must be finite numbers and not negative: NaN");
  assertThrows(make([0, 0], 1), ArgumentError, "0 positive weights are too few for 1 samples");
  assertThrows(make([1, 0], 2, false), ArgumentError, "1 positive weights are too few for 2 samples");
  assertThrows(make([1], 0), ArgumentError, "numSamples must be a positive integer: 0");
  assertThrows(
    () => new WeightedRandomSampler(3 as unknown as number[], 1),
    ArgumentError,
    "must be a list of numbers",
  );
});

Deno.test("BatchSampler groups indices", () => {
  const sampler = new SequentialSampler(ten);
  assertEquals([...new BatchSampler(sampler, 4, false)], [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]);
  assertEquals([...new BatchSampler(sampler, 4, true)].length, 2);
  assertEquals([new BatchSampler(sampler, 4, false).length, new BatchSampler(sampler, 4, true).length], [3, 2]);
  assertThrows(() => new BatchSampler(sampler, 0, true), ArgumentError, "batchSize must be a positive integer: 0");
});

Deno.test("Subset and ConcatDataset map indices", async () => {
  const subset = new Subset(["a", "b", "c"], [2, 0]);
  assertEquals([subset.length, subset.getItem(0), subset.getItem(1)], [2, "c", "a"]);
  assertEquals(await subset.getItems([1, 0]), ["a", "c"]);
  const both = new ConcatDataset<string>([subset, ["x"]]);
  assertEquals([0, 1, 2, -1, -3].map((i) => both.getItem(i)), ["c", "a", "x", "x", "c"]);
  assertThrows(() => both.getItem(3), RangeError, "index out of range: 3; it has 3 samples");
  assertThrows(() => both.getItem(-4), RangeError, "index out of range: -4");
  assertEquals(subset.concat(["y"]).length, 3);
  assertThrows(() => new ConcatDataset([]), ArgumentError, "at least one dataset");
});

Deno.test("randomSplit() covers the dataset without overlap", () => {
  const [a, b, c] = randomSplit(digits, [5, 3, 2], seeded(1));
  assertEquals(sorted([...a.indices, ...b.indices, ...c.indices]), digits);
  assertEquals(randomSplit(digits, [5, 3, 2], seeded(1)).map((s) => s.indices), [a, b, c].map((s) => s.indices));
});

Deno.test("randomSplit() takes fractions and hands out the rest from the first", () => {
  const lengths = (fractions: number[], n: number) =>
    randomSplit(Array.from({ length: n }, () => 0), fractions).map((s) => s.length);
  assertEquals(lengths([0.5, 0.5], 11), [6, 5]);
  assertEquals(lengths([0.33, 0.33, 0.34], 10), [4, 3, 3]);
  assertThrows(() => randomSplit(digits, [5, 4]), ArgumentError, "5 + 4 = 9 != 10");
  assertThrows(() => randomSplit(digits, [0.5, 0.4]), ArgumentError, "sizes must be integers");
  assertThrows(() => randomSplit(digits, [12, -2]), ArgumentError, "sizes must be integers");
});
