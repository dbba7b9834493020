/**
 * Samplers: the order in which a `DataLoader` asks for samples.
 *
 * A sampler is an iterable of indices; iterating again gives the next epoch's order. A random one draws a single seed
 * from its generator (or the default one) when an iteration starts, so `manualSeed` fixes all that follows.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { type Args, call, NoArgs } from "../base/call.ts";
import { checkArray, checkIterable } from "../base/checks.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { HostRandom } from "./random.ts";

/** A value with a length, such as a dataset. */
export interface Sized {
  /** The number of samples. */
  readonly length: number;
}

/**
 * The base of samplers: an order of indices.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
 */
export abstract class Sampler<T = number> implements Iterable<T> {
  /** The number of indices per epoch. */
  abstract readonly length: number;

  /** Iterates over the indices of one epoch. */
  abstract [Symbol.iterator](): Iterator<T>;
}

/** Throws unless a value has a `length` that is a non-negative integer. */
function checkSized(op: string, value: unknown): void {
  const has = typeof value === "object" && value !== null && typeof (value as Partial<Sized>).length === "number";
  if (!has) throw new ArgumentError(`${op}(): dataSource must have a length: ${describe(value)}`);
}

function checkCount(op: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new ArgumentError(`${op}(): ${name} must be a positive integer: ${describe(value)}`);
  }
}

/**
 * The samples in order: 0, 1, 2, …
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...new SequentialSampler(["a", "b"])], [0, 1]);
 * ```
 */
export class SequentialSampler extends Sampler {
  /** The dataset whose samples are ordered. */
  readonly dataSource: Sized;

  /**
   * Makes a sampler of a dataset.
   *
   * @param dataSource the dataset, or another value with a length
   */
  constructor(dataSource: Sized, ...args: Args<typeof NoArgs>) {
    super();
    sequentialArgs(args);
    checkSized("SequentialSampler", dataSource);
    this.dataSource = dataSource;
  }

  override get length(): number {
    return this.dataSource.length;
  }

  override *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.dataSource.length; i++) yield i;
  }
}

/** The parameters of {@linkcode RandomSampler} after the dataset. */
export class RandomSamplerArgs {
  constructor(
    /** Whether samples are drawn with replacement. */
    public replacement = false,
    /** The number of indices per epoch; `null`: the number of samples. */
    public numSamples: number | null = null,
    /** The generator that the seed is drawn from; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode SubsetRandomSampler}. */
export class SubsetRandomSamplerArgs {
  constructor(
    /** The indices to sample. */
    public indices: readonly number[],
    /** The generator that the seed is drawn from; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode WeightedRandomSampler}. */
export class WeightedRandomSamplerArgs {
  constructor(
    /** The weights: one non-negative number per index; they need not add up to 1. */
    public weights: ArrayLike<number>,
    /** The number of indices per epoch. */
    public numSamples: number,
    /** Whether indices are drawn with replacement. */
    public replacement = true,
    /** The generator that the seed is drawn from; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode BatchSampler}. */
export class BatchSamplerArgs {
  constructor(
    /** The sampler whose indices are grouped. */
    public sampler: Iterable<number> & Partial<Sized>,
    /** The number of indices per batch. */
    public batchSize: number,
    /** Whether an incomplete last batch is dropped. */
    public dropLast: boolean,
  ) {}
}

const sequentialArgs = call("SequentialSampler", NoArgs);
const randomArgs = call("RandomSampler", RandomSamplerArgs);
const subsetArgs = call("SubsetRandomSampler", SubsetRandomSamplerArgs);
const weightedArgs = call("WeightedRandomSampler", WeightedRandomSamplerArgs);
const batchArgs = call("BatchSampler", BatchSamplerArgs);

/**
 * The samples in random order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const order = [...new RandomSampler({ length: 5 })];
 * assertEquals(order.sort(), [0, 1, 2, 3, 4]);
 * ```
 */
export class RandomSampler extends Sampler {
  /** The dataset whose samples are ordered. */
  readonly dataSource: Sized;
  /** Whether samples are drawn with replacement. */
  readonly replacement: boolean;
  readonly #numSamples: number | null;
  readonly #generator: Generator | null;

  /**
   * Makes a sampler of a dataset.
   *
   * @param dataSource the dataset, or another value with a length
   */
  constructor(dataSource: Sized, ...args: Args<typeof RandomSamplerArgs>) {
    super();
    const { replacement, numSamples, generator } = randomArgs(args);
    checkSized("RandomSampler", dataSource);
    if (numSamples !== null) checkCount("RandomSampler", "numSamples", numSamples);
    this.dataSource = dataSource;
    this.replacement = replacement;
    this.#numSamples = numSamples;
    this.#generator = generator;
  }

  override get length(): number {
    return this.#numSamples ?? this.dataSource.length;
  }

  override *[Symbol.iterator](): Iterator<number> {
    const random = HostRandom.from("RandomSampler", this.#generator);
    const n = this.dataSource.length;
    let left = n === 0 ? 0 : this.length;
    if (this.replacement) {
      for (; left > 0; left--) yield random.below(n);
    }
    while (left > 0) {
      for (const index of random.permutation(n).slice(0, left)) yield index;
      left -= n;
    }
  }
}

/**
 * Given indices in random order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...new SubsetRandomSampler([7, 9])].sort(), [7, 9]);
 * ```
 */
export class SubsetRandomSampler extends Sampler {
  /** The indices to sample. */
  readonly indices: readonly number[];
  readonly #generator: Generator | null;

  /** Makes a sampler of the given indices. */
  constructor(...args: Args<typeof SubsetRandomSamplerArgs>) {
    super();
    const { indices, generator } = subsetArgs(args);
    checkArray("SubsetRandomSampler", "indices", indices);
    this.indices = indices;
    this.#generator = generator;
  }

  override get length(): number {
    return this.indices.length;
  }

  override *[Symbol.iterator](): Iterator<number> {
    const random = HostRandom.from("SubsetRandomSampler", this.#generator);
    for (const i of random.permutation(this.indices.length)) yield this.indices[i];
  }
}

/**
 * Indices drawn with given weights.
 *
 * Without replacement the draws are successive: each among the indices left, in proportion to their weights.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...new WeightedRandomSampler([0, 1, 0], 4)], [1, 1, 1, 1]);
 * ```
 *
 * @see Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006)
 */
export class WeightedRandomSampler extends Sampler {
  /** The weights: one per index; they need not add up to 1. */
  readonly weights: readonly number[];
  override readonly length: number;
  /** Whether indices are drawn with replacement. */
  readonly replacement: boolean;
  readonly #generator: Generator | null;

  /**
   * Makes a sampler of the weights' indices.
   *
   * @throws {ArgumentError} if the weights are not a list of such numbers, or too few for `numSamples`
   */
  constructor(...args: Args<typeof WeightedRandomSamplerArgs>) {
    super();
    const op = "WeightedRandomSampler";
    const { weights, numSamples, replacement, generator } = weightedArgs(args);
    if (typeof weights?.length !== "number") {
      throw new ArgumentError(`${op}(): weights must be a list of numbers; of a tensor, give await weights.tolist()`);
    }
    checkCount(op, "numSamples", numSamples);
    if (ArrayBuffer.isView(weights)) bytesOf(op, "weights", weights);
    this.weights = Array.from(weights);
    const wrong = this.weights.find((w) => typeof w !== "number" || !(w >= 0 && w < Infinity));
    if (wrong !== undefined) {
      throw new ArgumentError(`${op}(): weights must be finite numbers and not negative: ${describe(wrong)}`);
    }
    const possible = this.weights.filter((w) => w > 0).length;
    if (possible < (replacement ? 1 : numSamples)) {
      throw new ArgumentError(`${op}(): ${possible} positive weights are too few for ${numSamples} samples`);
    }
    this.length = numSamples;
    this.replacement = replacement;
    this.#generator = generator;
  }

  override *[Symbol.iterator](): Iterator<number> {
    const random = HostRandom.from("WeightedRandomSampler", this.#generator);
    yield* this.replacement ? this.#withReplacement(random) : this.#withoutReplacement(random);
  }

  *#withReplacement(random: HostRandom): Iterable<number> {
    let total = 0;
    const ends = this.weights.map((w) => total += w);
    for (let k = 0; k < this.length; k++) {
      const point = random.uniform() * total;
      let low = 0, high = ends.length - 1;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (point < ends[middle]) high = middle;
        else low = middle + 1;
      }
      yield low;
    }
  }

  #withoutReplacement(random: HostRandom): number[] {
    // Each index gets an exponentially distributed time whose rate is its weight; the order of these times has the
    // distribution of successive draws.
    const clocks = this.weights.map((w, i) => ({ i, time: -Math.log(1 - random.uniform()) / w, w }));
    return clocks.filter(({ w }) => w > 0).sort((a, b) => a.time - b.time).slice(0, this.length).map(({ i }) => i);
  }
}

/**
 * The indices of another sampler in lists of `batchSize`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const sampler = new SequentialSampler({ length: 5 });
 * assertEquals([...new BatchSampler(sampler, 2, false)], [[0, 1], [2, 3], [4]]);
 * assertEquals([...new BatchSampler(sampler, 2, true)], [[0, 1], [2, 3]]);
 * ```
 */
export class BatchSampler extends Sampler<number[]> {
  /** The sampler whose indices are grouped. */
  readonly sampler: Iterable<number> & Partial<Sized>;
  /** The number of indices per batch. */
  readonly batchSize: number;
  /** Whether an incomplete last batch is dropped. */
  readonly dropLast: boolean;

  /** Makes batches of a sampler's indices. */
  constructor(...args: Args<typeof BatchSamplerArgs>) {
    super();
    const { sampler, batchSize, dropLast } = batchArgs(args);
    checkIterable("BatchSampler", "sampler", sampler);
    checkCount("BatchSampler", "batchSize", batchSize);
    this.sampler = sampler;
    this.batchSize = batchSize;
    this.dropLast = dropLast;
  }

  override get length(): number {
    const n = this.sampler.length;
    if (n === undefined) throw new ArgumentError("BatchSampler.length: the sampler has no length");
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize);
  }

  override *[Symbol.iterator](): Iterator<number[]> {
    let batch: number[] = [];
    for (const index of this.sampler) {
      batch.push(index);
      if (batch.length < this.batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }
}
