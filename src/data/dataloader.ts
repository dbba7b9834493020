/**
 * `DataLoader`: makes batches of a dataset, one epoch per loop.
 *
 * There are no worker threads: a batch is made when it is asked for, or ahead of time where its samples are
 * asynchronous (`numWorkers`, `prefetchFactor`). Batches come in the sampler's order whatever their samples wait for.
 * Before each batch the loop yields one macrotask, which is when JavaScript returns the memory of tensors that nobody
 * holds any more; so a training loop runs in bounded memory.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { type Args, call, type Named, NoArgs } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { nextTurn, systemError } from "../base/platform.ts";
import type { Backend } from "../backend/backend.ts";
import { yieldToFinalizers } from "../tensor/pressure.ts";
import { visitTensors } from "../tensor/search.ts";
import { type Collated, defaultCollate, defaultConvert } from "./collate.ts";
import { type Indexable, itemAt, itemsAt, type MapStyle } from "./dataset.ts";
import { BatchSampler, RandomSampler, SequentialSampler, type Sized } from "./sampler.ts";

/** Any dataset: map-style, an array, or something to iterate over. */
export type AnyDataset<T> = Indexable<T> | Iterable<T> | AsyncIterable<T>;

/** An order of samples or of batches. */
export type Order<T> = Iterable<T> & { readonly length?: number };

/** The parameters of {@linkcode DataLoader} after the dataset. */
export class DataLoaderArgs<T, B> {
  /** The generator that the seed of a random order is drawn from; `null`: the default one. */
  generator: Generator | null = null;
  /** The number of batches made ahead of the loop, per worker; `null`: 2 with workers, else none. */
  prefetchFactor: number | null = null;
  /** Accepted for PyTorch's sake; it has no effect. */
  persistentWorkers = false;

  constructor(
    /** The number of samples per batch; `null`: single samples without a batch dimension. */
    public batchSize: number | null = 1,
    /** Whether the samples come in a random order, a new one in each epoch. */
    public shuffle: boolean | null = false,
    /** The sampler: the indices of the samples in order, in place of `shuffle`. */
    public sampler: Order<number> | null = null,
    /** The batch sampler: the indices of every batch, in place of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
    public batchSampler: Order<readonly number[]> | null = null,
    /**
     * The number of workers: with `prefetchFactor`, how many batches are made concurrently ahead of the loop. They are
     * not threads.
     */
    public numWorkers = 0,
    /** The function that makes a batch of a list of samples; `null`: {@linkcode defaultCollate}. */
    public collateFn: ((samples: T[]) => B | Promise<B>) | null = null,
    /** Accepted for PyTorch's sake; it has no effect. */
    public pinMemory = false,
    /** Whether an incomplete last batch is dropped. */
    public dropLast = false,
    /** The time to wait for a batch, in seconds, before an error; 0: no limit. */
    public timeout = 0,
  ) {}
}

const loaderArgs = call("DataLoader", DataLoaderArgs);
const firstArgs = call("first", NoArgs);

/** The end of the stream of batches. */
const END = Symbol("end");

function fail(rule: string): never {
  throw new ArgumentError(`DataLoader(): ${rule}`);
}

function isMapStyle<T>(dataset: AnyDataset<T>): dataset is Indexable<T> {
  return Array.isArray(dataset) || typeof (dataset as Partial<MapStyle<T>>).getItem === "function";
}

/** Yields to finalizers, and to the garbage collector where the batch's device is under memory pressure. */
async function yieldFor(batch: unknown): Promise<void> {
  const backends = new Set<Backend>();
  visitTensors(batch, (storage) => backends.add(storage.backend));
  if (backends.size === 0) await nextTurn();
  for (const backend of backends) await yieldToFinalizers(backend);
}

/** Rejects where `promise` takes longer than `seconds`. */
async function within<T>(promise: Promise<T>, seconds: number): Promise<T> {
  if (seconds === 0) return await promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(systemError("TimedOut", `DataLoader: no batch came within ${seconds} seconds (timeout)`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Throws where options contradict each other, by PyTorch's rules. */
function checkOptions<T, B>(dataset: AnyDataset<T>, options: Readonly<DataLoaderArgs<T, B>>): void {
  const { batchSize, shuffle, sampler, batchSampler, numWorkers, timeout, prefetchFactor, dropLast } = options;
  const object = typeof dataset === "object" && dataset !== null;
  const iterable = object && !isMapStyle(dataset);
  if (ArrayBuffer.isView(dataset)) bytesOf("DataLoader", "dataset", dataset);
  if (!object || iterable && !(Symbol.iterator in dataset || Symbol.asyncIterator in dataset)) {
    fail("a dataset must have length and getItem(index), or be something to iterate over");
  }
  if (batchSize !== null && !(isCount(batchSize) && batchSize > 0)) {
    fail(`batchSize must be a positive integer or null: ${describe(batchSize)}`);
  }
  if (!isCount(numWorkers)) fail(`numWorkers must be a non-negative integer: ${describe(numWorkers)}`);
  if (!(timeout >= 0)) fail(`timeout must not be negative: ${describe(timeout)}`);
  if (prefetchFactor !== null && !isCount(prefetchFactor)) {
    fail(`prefetchFactor must be a non-negative integer: ${describe(prefetchFactor)}`);
  }
  if (iterable && (shuffle || sampler || batchSampler)) {
    fail("an iterable dataset decides its own order; shuffle, sampler and batchSampler do not apply");
  }
  if (sampler && shuffle) fail("sampler and shuffle exclude each other");
  if (batchSampler && ((batchSize ?? 1) !== 1 || shuffle || sampler || dropLast)) {
    fail("batchSampler excludes batchSize, shuffle, sampler and dropLast");
  }
  if (batchSize === null && dropLast) fail("batchSize null gives no batches, so dropLast does not apply");
}

/**
 * Batches of a dataset, one epoch per `for await` loop.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const data = new torch.utils.data.TensorDataset(torch.ones([5, 3]), torch.arange(5));
 * const loader = new DataLoader(data, { batchSize: 2, shuffle: true });
 * const sizes = [];
 * for await (const [x, y] of loader) sizes.push([x.size(0), y.size(0)]);
 * assertEquals(sizes, [[2, 2], [2, 2], [1, 1]]);
 * ```
 *
 * Differs from PyTorch: loops are `for await`; `numWorkers` overlaps the waiting of asynchronous datasets and starts no
 * thread, so `timeout` and `prefetchFactor` are allowed without workers too.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
 */
// deno-lint-ignore no-explicit-any -- the type without arguments takes every loader
export class DataLoader<T = any, B = Collated<T>> implements AsyncIterable<B> {
  /** The dataset. `length` is `undefined` where the dataset, such as a stream, has none. */
  readonly dataset: AnyDataset<T> & Sized;
  /** The number of samples per batch; `null` with a batch sampler, or without batches. */
  readonly batchSize: number | null;
  /** Whether an incomplete last batch is dropped. */
  readonly dropLast: boolean;
  /** The order of the samples; `null` for iterable datasets. */
  readonly sampler: Order<number> | null;
  /** The indices of every batch; `null` for iterable datasets and without batches. */
  readonly batchSampler: Order<readonly number[]> | null;
  /** The number of workers. */
  readonly numWorkers: number;
  /** The time to wait for a batch, in seconds; 0: no limit. */
  readonly timeout: number;
  /** The generator that the seed of a random order is drawn from; `null`: the default one. */
  readonly generator: Generator | null;
  readonly #collate: ((samples: T[]) => B | Promise<B>) | null;
  /** The number of batches made ahead of the one that the loop waits for. */
  readonly #ahead: number;

  /**
   * Makes a loader; nothing is read before a loop starts.
   *
   * @param dataset a map-style dataset, an array, or something to iterate over
   * @throws {ArgumentError} if options contradict each other
   */
  constructor(dataset: AnyDataset<T>, named?: Named<DataLoaderArgs<T, B>>);
  /** Makes a loader with the batch size by position. */
  constructor(dataset: AnyDataset<T>, batchSize: number | null, named?: Named<DataLoaderArgs<T, B>>);
  /** Makes a loader with arguments in PyTorch's order. */
  constructor(dataset: AnyDataset<T>, ...args: Args<typeof DataLoaderArgs<T, B>>);
  constructor(dataset: AnyDataset<T>, ...args: readonly unknown[]) {
    const options = loaderArgs(args) as Readonly<DataLoaderArgs<T, B>>;
    checkOptions(dataset, options);
    const { shuffle, sampler, batchSampler, generator, dropLast } = options;
    this.dataset = dataset as AnyDataset<T> & Sized;
    this.batchSize = batchSampler !== null ? null : options.batchSize;
    this.dropLast = dropLast;
    this.generator = generator;
    this.numWorkers = options.numWorkers;
    this.timeout = options.timeout;
    this.#collate = options.collateFn;
    const factor = options.prefetchFactor ?? (this.numWorkers > 0 ? 2 : 0);
    this.#ahead = factor * Math.max(this.numWorkers, 1);
    if (isMapStyle(dataset)) {
      this.sampler = sampler ?? (shuffle ? new RandomSampler(dataset, { generator }) : new SequentialSampler(dataset));
      this.batchSampler = batchSampler ??
        (this.batchSize === null ? null : new BatchSampler(this.sampler, this.batchSize, dropLast));
    } else {
      this.sampler = null;
      this.batchSampler = null;
    }
  }

  /**
   * The number of batches (without batches: samples) per epoch; Python's `len(loader)`.
   *
   * @throws {ArgumentError} if the dataset, or the sampler, has no length
   */
  get length(): number {
    const order = this.batchSampler ?? this.sampler;
    const n = order !== null ? order.length : (this.dataset as { length?: number }).length;
    if (typeof n !== "number") throw new ArgumentError("DataLoader.length: the dataset, or its sampler, has no length");
    if (order !== null || this.batchSize === null) return n;
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize);
  }

  /**
   * The first batch of a new epoch; Python's `next(iter(loader))`.
   *
   * @throws {ArgumentError} if an epoch has no batch
   */
  async first(...args: Args<typeof NoArgs>): Promise<B> {
    firstArgs(args);
    for await (const batch of this) return batch;
    throw new ArgumentError("first(): the DataLoader gives no batch: its dataset, or its sampler, is empty");
  }

  /** Iterates over one epoch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const source = isMapStyle(this.dataset) ? this.#fromIndices(this.dataset) : this.#fromStream(this.dataset);
    const pending: Promise<B | typeof END>[] = [];
    try {
      while (true) {
        while (pending.length <= this.#ahead) {
          const next = source.next();
          // A failure is reported when its turn comes, and not at all if the loop ends before.
          next.catch(() => {});
          pending.push(next);
        }
        const batch = await within(pending.shift()!, this.timeout);
        if (batch === END) return;
        await yieldFor(batch);
        yield batch;
      }
    } finally {
      await source.close();
    }
  }

  /** The batches of a map-style dataset: several may be made concurrently. */
  #fromIndices(dataset: Indexable<T>): Batches<B> {
    const order = (this.batchSampler ?? this.sampler!)[Symbol.iterator]() as Iterator<number | readonly number[]>;
    const make = async (): Promise<B | typeof END> => {
      const { value, done } = order.next();
      if (done) return END;
      if (typeof value === "number") return await this.#single(await itemAt(dataset, value));
      const batch = this.#collate === null && !Array.isArray(dataset)
        ? (dataset as MapStyle<T>).getBatch?.(value) ?? null
        : null;
      return batch !== null ? batch as B : await this.#batch(await itemsAt(dataset, value));
    };
    return { next: make, close: () => void order.return?.() };
  }

  /** The batches of an iterable dataset, made one after the other. */
  #fromStream(dataset: Iterable<T> | AsyncIterable<T>): Batches<B> {
    const stream = Symbol.asyncIterator in dataset ? dataset[Symbol.asyncIterator]() : dataset[Symbol.iterator]();
    const { batchSize } = this;
    const make = async (): Promise<B | typeof END> => {
      const samples: T[] = [];
      while (samples.length < (batchSize ?? 1)) {
        const { value, done } = await stream.next();
        if (done) break;
        if (batchSize === null) return await this.#single(value);
        samples.push(value);
      }
      if (samples.length === 0 || (this.dropLast && samples.length < batchSize!)) return END;
      return await this.#batch(samples);
    };
    let last: Promise<unknown> = Promise.resolve();
    let waiting = 0;
    return {
      next: () => {
        waiting++;
        const result = last.then(make).finally(() => waiting--);
        last = result;
        return result;
      },
      close: async () => {
        const closed = Promise.resolve(stream.return?.());
        closed.catch(() => {});
        // `return()` of a stream that waits for a sample settles only when the sample has come, perhaps never.
        if (waiting === 0) await closed;
      },
    };
  }

  #batch(samples: readonly T[]): B | Promise<B> {
    return this.#collate === null ? defaultCollate(samples) as B : this.#collate([...samples]);
  }

  /** A single sample, converted or collated without a batch dimension. */
  #single(sample: T): B | Promise<B> {
    const collate = this.#collate as ((sample: unknown) => B | Promise<B>) | null;
    return collate === null ? defaultConvert(sample) as B : collate(sample);
  }
}

// A loop without `await` gets an error that names the remedy. The method is not declared, so that such a loop does not
// compile.
Object.defineProperty(DataLoader.prototype, Symbol.iterator, {
  value: () => fail("batches come asynchronously; write for await (const batch of loader)"),
});

/** The source of an epoch's batches. */
interface Batches<B> {
  next(): Promise<B | typeof END>;
  close(): void | Promise<void>;
}
