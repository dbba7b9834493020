/** DataLoader: batches, order, prefetch, errors, early ends; collation. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { setImmediate } from "node:timers";
import * as torch from "../../mod.ts";

const { DataLoader, TensorDataset, Dataset, IterableDataset, ChainDataset, Subset, ConcatDataset } = torch.utils.data;
const { BatchSampler, SequentialSampler, SubsetRandomSampler, defaultCollate, defaultConvert, randomSplit } =
  torch.utils.data;

async function collect<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const batches: B[] = [];
  for await (const batch of loader) batches.push(batch);
  return batches;
}

async function lists(loader: AsyncIterable<torch.Tensor>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const batch of loader) batches.push(await batch.tolist<number[]>());
  return batches;
}

const seven = [0, 1, 2, 3, 4, 5, 6];

/** Samples that take longer the smaller their index; keeps track of how many wait at once. */
class Slow extends Dataset<number> {
  readonly length: number = 8;
  waiting = 0;
  most = 0;
  readonly started: number[] = [];

  override async getItem(index: number): Promise<number> {
    this.started.push(index);
    this.most = Math.max(this.most, ++this.waiting);
    await new Promise((resolve) => setTimeout(resolve, 2 * (8 - index)));
    this.waiting--;
    return index;
  }
}

Deno.test("DataLoader batches in order, the last one smaller or dropped", async () => {
  assertEquals(await lists(new DataLoader(seven, 3)), [[0, 1, 2], [3, 4, 5], [6]]);
  assertEquals(await lists(new DataLoader(seven, { batchSize: 3, dropLast: true })), [[0, 1, 2], [3, 4, 5]]);
  assertEquals(await lists(new DataLoader(seven)), seven.map((i) => [i]));
  assertEquals(new DataLoader(seven, 3).length, 3);
  assertEquals(new DataLoader(seven, { batchSize: 3, dropLast: true }).length, 2);
  assertEquals(await lists(new DataLoader<number>([])), []);
});

Deno.test("DataLoader shuffles anew each epoch, the same for the same seed", async () => {
  const epochs = async (seed: number) => {
    const generator = new torch.Generator().manualSeed(seed);
    const loader = new DataLoader(seven, { batchSize: 7, shuffle: true, generator });
    return [(await lists(loader))[0], (await lists(loader))[0]];
  };
  const [first, second] = await epochs(1);
  assertEquals(first.toSorted(), seven);
  assertNotEquals(first, second);
  assertEquals(await epochs(1), [first, second]);
  assertNotEquals(await epochs(2), [first, second]);
});

Deno.test("DataLoader follows manualSeed", async () => {
  const loader = new DataLoader(seven, { batchSize: 7, shuffle: true });
  torch.manualSeed(3);
  const first = await lists(loader);
  torch.manualSeed(3);
  assertEquals(await lists(loader), first);
});

Deno.test("DataLoader gathers a TensorDataset, and subsets of it, in one step", async () => {
  const data = new TensorDataset(torch.arange(10).reshape(5, 2), torch.arange(5));
  data.getItem = () => {
    throw new Error("the fast path asks for no single sample");
  };
  const [[x, y], [last]] = await collect(new DataLoader(data, { batchSize: 3 }));
  assertEquals(await x.tolist(), [[0, 1], [2, 3], [4, 5]]);
  assertEquals(await y.tolist(), [0, 1, 2]);
  assertEquals(last.shape, [2, 2]);
  const subset = new Subset(data, [4, 1]);
  const [[sx]] = await collect(new DataLoader(subset, { batchSize: 2 }));
  assertEquals(await sx.tolist(), [[8, 9], [2, 3]]);
  const [part] = randomSplit(data, [3, 2], new torch.Generator().manualSeed(1));
  const [[px]] = await collect(new DataLoader(part, { batchSize: 3 }));
  assertEquals(px.shape, [3, 2]);
});

Deno.test("DataLoader gives copies of a TensorDataset's rows", async () => {
  const x = torch.zeros([2, 2]);
  for await (const [batch] of new DataLoader(new TensorDataset(x), { batchSize: 2 })) batch.fill_(1);
  assertEquals(await x.tolist(), [[0, 0], [0, 0]]);
});

Deno.test("DataLoader's collateFn gets single samples even of a TensorDataset", async () => {
  const data = new TensorDataset(torch.arange(4), torch.arange(4));
  const loader = new DataLoader(data, { batchSize: 2, collateFn: (samples) => samples.length });
  assertEquals(await collect(loader), [2, 2]);
  const asynchronous = new DataLoader(seven, { batchSize: 4, collateFn: (s) => Promise.resolve(s.join("")) });
  assertEquals(await collect(asynchronous), ["0123", "456"]);
});

Deno.test("DataLoader takes a sampler or a batch sampler", async () => {
  assertEquals(await lists(new DataLoader(seven, { batchSize: 2, sampler: [6, 0, 3] })), [[6, 0], [3]]);
  const sampler = new SubsetRandomSampler([1, 2], new torch.Generator().manualSeed(1));
  assertEquals((await lists(new DataLoader(seven, { batchSize: 2, sampler })))[0].toSorted(), [1, 2]);
  const batches = new BatchSampler(new SequentialSampler(seven), 4, true);
  const loader = new DataLoader(seven, { batchSampler: batches });
  assertEquals(await lists(loader), [[0, 1, 2, 3]]);
  assertEquals([loader.length, loader.batchSize], [1, null]);
});

Deno.test("DataLoader without batches gives the samples", async () => {
  const loader = new DataLoader([[1, new Float32Array([2])] as const], { batchSize: null });
  const [[number, tensor]] = await collect(loader);
  assertEquals([number, await (tensor as torch.Tensor).tolist()], [1, [2]]);
  assertEquals(loader.length, 1);
});

Deno.test("DataLoader fetches a batch's asynchronous samples together, and batches in order", async () => {
  const data = new Slow();
  assertEquals(await lists(new DataLoader(data, { batchSize: 4 })), [[0, 1, 2, 3], [4, 5, 6, 7]]);
  assertEquals(data.most, 4);
});

Deno.test("DataLoader makes batches ahead with workers or a prefetch factor", async () => {
  const none = new Slow(), two = new Slow(), factor = new Slow();
  await lists(new DataLoader(none, { batchSize: 1 }));
  assertEquals(
    await lists(new DataLoader(two, { batchSize: 1, numWorkers: 1 })),
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i]),
  );
  await lists(new DataLoader(factor, { batchSize: 1, prefetchFactor: 5 }));
  assertEquals([none.most, two.most, factor.most], [1, 3, 6]);
  assertEquals(two.started, [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("DataLoader reports an error at its batch, after those before", async () => {
  class Broken extends Dataset<number> {
    readonly length = 6;
    override getItem(index: number): number {
      if (index === 4) throw new RangeError("sample 4 is broken");
      return index;
    }
  }
  for (const prefetchFactor of [0, 8]) {
    const seen: number[][] = [];
    const loop = async () => {
      for await (const batch of new DataLoader(new Broken(), { batchSize: 2, prefetchFactor })) {
        seen.push(await batch.tolist<number[]>());
      }
    };
    await assertRejects(loop, RangeError, "sample 4 is broken");
    assertEquals(seen, [[0, 1], [2, 3]]);
  }
});

Deno.test("DataLoader can be left early; failures of batches ahead are not reported", async () => {
  class Failing extends Dataset<number> {
    readonly length = 10;
    override getItem(index: number): Promise<number> {
      return index === 0 ? Promise.resolve(0) : Promise.reject(new Error("never asked for"));
    }
  }
  for await (const batch of new DataLoader(new Failing(), { prefetchFactor: 4 })) {
    assertEquals(await batch.tolist(), [0]);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("DataLoader streams an iterable dataset and closes it when left early", async () => {
  let closed = 0;
  class Stream extends IterableDataset<number> {
    override *[Symbol.iterator](): Generator<number> {
      try {
        yield* seven;
      } finally {
        closed++;
      }
    }
  }
  assertEquals(await lists(new DataLoader(new Stream(), { batchSize: 3 })), [[0, 1, 2], [3, 4, 5], [6]]);
  const dropping = new DataLoader(new Stream(), { batchSize: 3, dropLast: true, prefetchFactor: 2 });
  assertEquals(await lists(dropping), [[0, 1, 2], [3, 4, 5]]);
  assertEquals(closed, 2);
  for await (const _ of new DataLoader(new Stream(), { batchSize: 2 })) break;
  assertEquals(closed, 3);
  assertThrows(() => new DataLoader(new Stream()).length, torch.ArgumentError, "has no length");
});

Deno.test("DataLoader streams asynchronous and chained datasets", async () => {
  async function* letters() {
    yield "a";
    await Promise.resolve();
    yield "b";
  }
  assertEquals(await collect(new DataLoader(letters(), { batchSize: 2 })), [["a", "b"]]);
  const chained = new ChainDataset<number>([[1, 2], [3]]);
  assertEquals(await lists(new DataLoader(chained, { batchSize: 2 })), [[1, 2], [3]]);
  const mixed = new ConcatDataset<number>([new Slow(), [100]]);
  assertEquals((await lists(new DataLoader(mixed, { batchSize: 9 })))[0].at(-1), 100);
});

Deno.test("DataLoader gives up after its timeout", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* stuck(): AsyncGenerator<number> {
    await promise;
    yield 1;
  }
  await assertRejects(
    () => lists(new DataLoader(stuck(), { timeout: 0.02 })),
    Deno.errors.TimedOut,
    "no batch came within 0.02 seconds",
  );
  resolve();
});

Deno.test("DataLoader yields a macrotask per batch", async () => {
  let turns = 0, running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  for await (const _ of new DataLoader(Array.from({ length: 50 }, (_, i) => i))) continue;
  running = false;
  await new Promise((resolve) => setImmediate(resolve));
  assert(turns >= 50, `${turns}`);
});

const WRONG: [string, Partial<torch.utils.data.DataLoaderArgs<number, unknown>>, string][] = [
  ["a batch size of 0", { batchSize: 0 }, "batchSize must be a positive integer or null: 0"],
  ["a broken batch size", { batchSize: 1.5 }, "batchSize must be a positive integer or null: 1.5"],
  ["sampler and shuffle", { sampler: [0], shuffle: true }, "sampler and shuffle exclude each other"],
  ["batchSampler and batchSize", { batchSampler: [[0]], batchSize: 2 }, "batchSampler excludes batchSize"],
  ["dropLast without batches", { batchSize: null, dropLast: true }, "batchSize null gives no batches"],
  ["negative workers", { numWorkers: -1 }, "numWorkers must be a non-negative integer: -1"],
  ["a negative timeout", { timeout: -1 }, "timeout must not be negative: -1"],
  ["a negative prefetch factor", { prefetchFactor: -1 }, "prefetchFactor must be a non-negative integer: -1"],
];

for (const [title, options, message] of WRONG) {
  Deno.test(`DataLoader refuses ${title}`, () => {
    assertThrows(() => new DataLoader(seven, options), torch.ArgumentError, `DataLoader(): ${message}`);
  });
}

Deno.test("DataLoader refuses an order for a stream, unknown options, and what is no dataset", () => {
  const stream = new Set([1]);
  assertThrows(() => new DataLoader(stream, { shuffle: true }), torch.ArgumentError, "decides its own order");
  const misspelt = { batchsize: 2 } as unknown as { batchSize: number };
  assertThrows(() => new DataLoader(seven, misspelt), torch.ArgumentError, 'unknown argument: "batchsize"');
  assertThrows(() => new DataLoader(5 as unknown as number[]), torch.ArgumentError, "a dataset must have");
});

Deno.test("TensorDataset refuses tensors of different lengths", () => {
  assertThrows(() => new TensorDataset(torch.ones([2, 3]), torch.ones([3])), torch.ShapeError, "[2, 3], [3]");
  assertThrows(() => new TensorDataset(torch.tensor(1)), torch.ShapeError, "sizes of dimension 0 differ: []");
});

Deno.test("defaultCollate() keeps the structure of samples", async () => {
  const samples = [
    { image: torch.ones([2]), label: 1, name: "a", parts: [1.5, true] as const, ids: 1n },
    { image: torch.zeros([2]), label: 2, name: "b", parts: [2, false] as const, ids: 2n },
  ];
  const batch = defaultCollate(samples);
  assertEquals([batch.image.shape, batch.label.dtype, batch.ids.dtype], [[2, 2], torch.int64, torch.int64]);
  assertEquals(batch.name, ["a", "b"]);
  const [numbers, truths] = batch.parts;
  assertEquals([numbers.dtype, truths.dtype], [torch.float32, torch.bool]);
  assertEquals(await truths.tolist(), [true, false]);
  const arrays = defaultCollate([new Float64Array([1]), new Float64Array([2])]);
  assertEquals([arrays.dtype, arrays.shape], [torch.float64, [2, 1]]);
});

Deno.test("defaultCollate() names where samples differ", () => {
  const shapes = [{ x: [torch.ones([2])] }, { x: [torch.ones([3])] }];
  assertThrows(() => defaultCollate(shapes), torch.ShapeError, "sample.x[0]: tensors differ in shape: [2] and [3]");
  assertThrows(() => defaultCollate([[1], [1, 2]]), torch.ArgumentError, "sample: lists differ in length: 1 and 2");
  assertThrows(() => defaultCollate([1, "a"]), torch.ArgumentError, 'samples differ in kind: 1 and "a"');
  assertThrows(() => defaultCollate([1, undefined]), torch.ArgumentError, "samples differ in kind: 1 and undefined");
  assertThrows(() => defaultCollate([new Date()]), torch.ArgumentError, "give DataLoader a collateFn of your own");
  assertThrows(() => defaultCollate([]), torch.ArgumentError, "the batch has no samples");
});

Deno.test("defaultConvert() turns typed arrays into tensors and leaves the rest", () => {
  const { a, b } = defaultConvert({ a: [new Int32Array([1])], b: "text" });
  assertEquals([a[0].dtype, b], [torch.int32, "text"]);
});

Deno.test("samples that contain themselves are refused", () => {
  const list: unknown[] = [];
  list.push(list);
  const { defaultCollate, defaultConvert } = torch.utils.data;
  assertThrows(() => defaultConvert(list), torch.ArgumentError, "defaultConvert(): the sample is nested too deep");
  assertThrows(() => defaultCollate([list]), torch.ArgumentError, "defaultCollate(): samples are nested too deep");
});
