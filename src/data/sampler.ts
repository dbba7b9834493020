/**
 * Samplers: the order in which a `DataLoader` asks for samples.
 *
 * A sampler is an iterable of indices; iterating again gives the next epoch's order. A random one draws a single seed
 * from its generator (or the default one) when an iteration starts, so `manualSeed` fixes all that follows.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../base/call.ts";
import { checkArray, checkIterable } from "../base/checks.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { HostRandom } from "./random.ts";

/** Something with a number of samples. */
export interface Sized {
  /** How many samples there are. */
  readonly length: number;
}

/**
 * The base of samplers: an order of indices.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
 */
export abstract class Sampler<T = number> implements Iterable<T> {
  /** How many indices one iteration gives. */
  abstract readonly length: number;

  /** One epoch's order. */
  abstract [Symbol.iterator](): Iterator<T>;
}

/** Throws unless a value has a number of samples. */
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
  /** What is sampled. */
  readonly dataSource: Sized;

  /**
   * Samples what has a length.
   *
   * @param dataSource what is sampled
   */
  constructor(dataSource: Sized, ...args: Args<typeof NoArgs>) {
    super();
    sequentialArgs(args);
    checkSized("SequentialSampler", dataSource);
    this.dataSource = dataSource;
  }

  /** How many indices one iteration gives. */
  override get length(): number {
    return this.dataSource.length;
  }

  /** One epoch's order. */
  override *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.dataSource.length; i++) yield i;
  }
}

/** The parameters of {@linkcode RandomSampler} after what is sampled. */
export class RandomSamplerArgs {
  constructor(
    /** Whether a sample may come several times. */
    public replacement = false,
    /** How many to draw; `null`: the number of samples. */
    public numSamples: number | null = null,
    /** Where the seed comes from; `null`: the default generator. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode SubsetRandomSampler}. */
export class SubsetRandomSamplerArgs {
  constructor(
    /** The indices to sample. */
    public indices: readonly number[],
    /** Where the seed comes from; `null`: the default generator. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode WeightedRandomSampler}. */
export class WeightedRandomSamplerArgs {
  constructor(
    /** One weight per index, not negative; they need not add up to one. */
    public weights: ArrayLike<number>,
    /** How many indices to draw. */
    public numSamples: number,
    /** Whether an index may come several times. */
    public replacement = true,
    /** Where the seed comes from; `null`: the default generator. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode BatchSampler}. */
export class BatchSamplerArgs {
  constructor(
    /** Where the indices come from. */
    public sampler: Iterable<number> & Partial<Sized>,
    /** How many indices make a batch. */
    public batchSize: number,
    /** Whether a last, smaller batch is left out. */
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
  /** What is sampled. */
  readonly dataSource: Sized;
  /** Whether a sample may come several times. */
  readonly replacement: boolean;
  readonly #numSamples: number | null;
  readonly #generator: Generator | null;

  /**
   * Samples what has a length.
   *
   * @param dataSource what is sampled
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

  /** How many indices one iteration gives. */
  override get length(): number {
    return this.#numSamples ?? this.dataSource.length;
  }

  /** One epoch's order. */
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

  /** Samples given indices. */
  constructor(...args: Args<typeof SubsetRandomSamplerArgs>) {
    super();
    const { indices, generator } = subsetArgs(args);
    checkArray("SubsetRandomSampler", "indices", indices);
    this.indices = indices;
    this.#generator = generator;
  }

  /** How many indices one iteration gives. */
  override get length(): number {
    return this.indices.length;
  }

  /** One epoch's order. */
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
  /** One weight per index; they need not add up to one. */
  readonly weights: readonly number[];
  /** How many indices one iteration gives. */
  override readonly length: number;
  /** Whether an index may come several times. */
  readonly replacement: boolean;
  readonly #generator: Generator | null;

  /**
   * Samples the indices of the weights.
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
    this.weights = Array.from(weights);
    const wrong = this.weights.find((w) => !(w >= 0 && w < Infinity));
    if (wrong !== undefined) {
      throw new ArgumentError(`${op}(): weights must be finite and not negative: ${describe(wrong)}`);
    }
    const possible = this.weights.filter((w) => w > 0).length;
    if (possible < (replacement ? 1 : numSamples)) {
      throw new ArgumentError(`${op}(): ${possible} positive weights are too few for ${numSamples} samples`);
    }
    this.length = numSamples;
    this.replacement = replacement;
    this.#generator = generator;
  }

  /** One epoch's order. */
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
    // An exponential clock per index, running at its weight: the order of the first rings is that of successive draws.
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
  /** Where the indices come from. */
  readonly sampler: Iterable<number> & Partial<Sized>;
  /** How many indices make a batch. */
  readonly batchSize: number;
  /** Whether a last, smaller batch is left out. */
  readonly dropLast: boolean;

  /** Groups the indices of a sampler. */
  constructor(...args: Args<typeof BatchSamplerArgs>) {
    super();
    const { sampler, batchSize, dropLast } = batchArgs(args);
    checkIterable("BatchSampler", "sampler", sampler);
    checkCount("BatchSampler", "batchSize", batchSize);
    this.sampler = sampler;
    this.batchSize = batchSize;
    this.dropLast = dropLast;
  }

  /** How many indices one iteration gives. */
  override get length(): number {
    const n = this.sampler.length;
    if (n === undefined) throw new ArgumentError("BatchSampler.length: the sampler has no length");
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize);
  }

  /** One epoch's order. */
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
