/**
 * Datasets: collections of samples that a `DataLoader` makes batches of.
 *
 * A map-style dataset has `length` and `getItem(index)`; any object with these two is one, and so is a plain array. An
 * iterable-style one is any object to iterate over, asynchronously too. `getItem` may return a promise, so samples can
 * come from files or from the network. Batches are made by `DataLoader`.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../base/call.ts";
import { checkArray, checkInteger, checkIntegers, checkIterable } from "../base/checks.ts";
import { ArgumentError, describe, IndexError, ShapeError, show } from "../base/errors.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { HostRandom } from "./random.ts";
import type { Generator } from "../base/generator.ts";
import { selectRows } from "./rows.ts";

/** The parameters of {@linkcode Subset} after the dataset. */
export class SubsetArgs {
  constructor(
    /** The indices of the samples, in order. */
    public indices: readonly number[],
  ) {}
}

/** The parameters of {@linkcode randomSplit} after the dataset. */
export class RandomSplitArgs {
  constructor(
    /** The sizes of the parts, or fractions that add up to 1. */
    public lengths: readonly number[],
    /** The generator that the seed is drawn from; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

const concatArgs = call("concat", NoArgs);
const subsetArgs = call("Subset", SubsetArgs);
const concatDatasetArgs = call("ConcatDataset", NoArgs);
const chainDatasetArgs = call("ChainDataset", NoArgs);
const splitArgs = call("randomSplit", RandomSplitArgs);

/** The interface of map-style datasets. */
export interface MapStyle<T> {
  /** The number of samples; Python's `len(dataset)`. */
  readonly length: number;
  /** The sample at `index`; Python's `dataset[index]`. */
  getItem(index: number): T | Promise<T>;
  /** Several samples at once, where that is cheaper; Python's `__getitems__`. */
  getItems?(indices: readonly number[]): readonly T[] | Promise<readonly T[]>;
  /**
   * A whole batch, already collated as `defaultCollate` would: the fast path of `DataLoader`. `null` where this dataset
   * has none.
   */
  getBatch?(indices: readonly number[]): unknown;
}

/** A dataset with samples at indices: map-style, or an array. */
export type Indexable<T> = MapStyle<T> | readonly T[];

/** The sample at `index` of a dataset or an array. */
export function itemAt<T>(dataset: Indexable<T>, index: number): T | Promise<T> {
  return Array.isArray(dataset) ? dataset[index] as T : (dataset as MapStyle<T>).getItem(index);
}

/** Several samples of a dataset or an array, fetched at the same time where they are asynchronous. */
export function itemsAt<T>(dataset: Indexable<T>, indices: readonly number[]): readonly T[] | Promise<readonly T[]> {
  if (!Array.isArray(dataset)) {
    const { getItems } = dataset as MapStyle<T>;
    if (getItems !== undefined) return getItems.call(dataset, indices);
  }
  const items = indices.map((index) => itemAt(dataset, index));
  return items.some((item) => item instanceof Promise) ? Promise.all(items) : items as T[];
}

/**
 * The base of map-style datasets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * class Squares extends Dataset<number> {
 *   readonly length = 10;
 *   getItem(index: number): number {
 *     return index * index;
 *   }
 * }
 * assertEquals(new Squares().getItem(3), 9);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
 */
export abstract class Dataset<T> implements MapStyle<T> {
  /** The number of samples; Python's `len(dataset)`. */
  abstract readonly length: number;

  /** The sample at `index`; Python's `dataset[index]`. */
  abstract getItem(index: number): T | Promise<T>;

  /** This dataset followed by `other`; Python's `dataset + other`. */
  concat(other: Indexable<T>, ...args: Args<typeof NoArgs>): ConcatDataset<T> {
    concatArgs(args);
    return new ConcatDataset<T>([this, other]);
  }
}

/**
 * The base of datasets that are read in order, such as a stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * class Countdown extends IterableDataset<number> {
 *   override *[Symbol.iterator](): Iterator<number> {
 *     for (let i = 3; i > 0; i--) yield i;
 *   }
 * }
 * assertEquals([...new Countdown()], [3, 2, 1]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset
 */
export abstract class IterableDataset<T> {
  /** Iterates over the samples. A class whose samples are asynchronous defines `[Symbol.asyncIterator]` instead. */
  [Symbol.iterator](): Iterator<T> {
    throw new ArgumentError(
      `${this.constructor.name}: an IterableDataset must define [Symbol.iterator]() or [Symbol.asyncIterator]()`,
    );
  }
}

/**
 * Samples that are the rows of tensors: sample `i` is `[tensors[0].at(i), tensors[1].at(i), …]`.
 *
 * `DataLoader` gathers a batch from it with one `indexSelect` per tensor.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const data = new TensorDataset(torch.ones([3, 2]), torch.arange(3));
 * assertEquals(data.length, 3);
 * const [x, y] = data.getItem(1);
 * assertEquals([...x.shape, ...y.shape], [2]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
 */
export class TensorDataset<T extends readonly Tensor[] = [Tensor, Tensor]> extends Dataset<T> {
  /** The tensors, all of the same size in dimension 0. */
  readonly tensors: T;

  /**
   * Makes a dataset of tensors, which are not copied.
   *
   * @param tensors at least one, all of the same size in dimension 0
   * @throws {ShapeError} if their sizes differ
   */
  constructor(...tensors: T) {
    super();
    if (tensors.length === 0) throw new ArgumentError("TensorDataset(): expected at least one tensor");
    for (const x of tensors) checkTensor("TensorDataset", "each argument", x);
    const sizes = tensors.map((t) => t.shape[0]);
    if (sizes.some((size) => size === undefined || size !== sizes[0])) {
      const shapes = tensors.map((t) => `[${t.shape.join(", ")}]`).join(", ");
      throw new ShapeError(`TensorDataset(): the sizes of dimension 0 differ: ${shapes}`);
    }
    this.tensors = tensors;
  }

  override get length(): number {
    return this.tensors[0].shape[0];
  }

  override getItem(index: number): T {
    checkInteger("TensorDataset.getItem", "index", index);
    return this.tensors.map((t) => t.select(0, index)) as unknown as T;
  }

  /** A batch of samples, gathered with one `indexSelect` per tensor. */
  getBatch(indices: readonly number[]): T {
    checkIntegers("TensorDataset.getBatch", "indices", indices);
    return selectRows(this.tensors, indices) as unknown as T;
  }
}

/**
 * The samples of a dataset at given indices.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
 */
export class Subset<T> extends Dataset<T> {
  /** The whole dataset. */
  readonly dataset: Indexable<T>;
  /** The indices of the samples, in order. */
  readonly indices: readonly number[];

  /**
   * Makes a subset of a dataset.
   *
   * @param dataset the whole dataset
   */
  constructor(dataset: Indexable<T>, ...args: Args<typeof SubsetArgs>) {
    super();
    const { indices } = subsetArgs(args);
    checkArray("Subset", "indices", indices);
    this.dataset = dataset;
    this.indices = indices;
  }

  override get length(): number {
    return this.indices.length;
  }

  override getItem(index: number): T | Promise<T> {
    return itemAt(this.dataset, this.indices[index]);
  }

  /** Translates indices of the subset into indices of the whole dataset. */
  #own(method: string, indices: readonly number[]): number[] {
    checkIntegers(`Subset.${method}`, "indices", indices);
    return indices.map((i) => {
      if (i in this.indices) return this.indices[i];
      throw new IndexError(`Subset.${method}(): index out of range: ${i}; it has ${this.length} samples`);
    });
  }

  /** Several samples, by the whole dataset's `getItems` where it has one. */
  getItems(indices: readonly number[]): readonly T[] | Promise<readonly T[]> {
    return itemsAt(this.dataset, this.#own("getItems", indices));
  }

  /** A collated batch, by the whole dataset's `getBatch`; `null` where it has none. */
  getBatch(indices: readonly number[]): unknown {
    if (Array.isArray(this.dataset)) return null;
    return (this.dataset as MapStyle<T>).getBatch?.(this.#own("getBatch", indices)) ?? null;
  }
}

/**
 * The concatenation of several map-style datasets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const both = new ConcatDataset([["a", "b"], ["c"]]);
 * assertEquals([both.length, both.getItem(2), both.getItem(-1)], [3, "c", "c"]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.ConcatDataset
 */
export class ConcatDataset<T> extends Dataset<T> {
  /** The concatenated datasets. */
  readonly datasets: readonly Indexable<T>[];
  /** The cumulative sizes: for each part, the number of samples up to its end. */
  readonly cumulativeSizes: readonly number[];

  /**
   * Concatenates datasets; nothing is copied.
   *
   * @param datasets at least one
   * @throws {ArgumentError} if there is none, or if one has no length
   */
  constructor(datasets: Iterable<Indexable<T>>, ...args: Args<typeof NoArgs>) {
    super();
    concatDatasetArgs(args);
    checkIterable("ConcatDataset", "datasets", datasets);
    this.datasets = [...datasets];
    if (this.datasets.length === 0) throw new ArgumentError("ConcatDataset(): expected at least one dataset");
    if (this.datasets.some((d) => typeof d?.length !== "number")) {
      throw new ArgumentError("ConcatDataset(): a dataset has no length; chain iterable ones with ChainDataset");
    }
    let total = 0;
    this.cumulativeSizes = this.datasets.map((d) => total += d.length);
  }

  override get length(): number {
    return this.cumulativeSizes[this.cumulativeSizes.length - 1];
  }

  override getItem(index: number): T | Promise<T> {
    checkInteger("ConcatDataset.getItem", "index", index);
    const at = index < 0 ? index + this.length : index;
    const part = this.cumulativeSizes.findIndex((end) => at < end);
    if (part < 0 || at < 0) {
      throw new IndexError(`ConcatDataset.getItem(): index out of range: ${index}; it has ${this.length} samples`);
    }
    return itemAt(this.datasets[part], at - (part === 0 ? 0 : this.cumulativeSizes[part - 1]));
  }
}

/**
 * The chain of several iterable datasets: all samples of the first, then of the second, and so on.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.ChainDataset
 */
export class ChainDataset<T> {
  /** The concatenated datasets. */
  readonly datasets: readonly (Iterable<T> | AsyncIterable<T>)[];

  /**
   * Chains iterable datasets.
   *
   * @param datasets the parts, in order
   */
  constructor(datasets: Iterable<Iterable<T> | AsyncIterable<T>>, ...args: Args<typeof NoArgs>) {
    chainDatasetArgs(args);
    checkIterable("ChainDataset", "datasets", datasets);
    this.datasets = [...datasets];
    for (const part of this.datasets) checkIterable("ChainDataset", "each dataset", part);
  }

  /** Iterates over the samples of all parts in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (const dataset of this.datasets) yield* dataset;
  }
}

/**
 * Turns fractions into numbers of samples: rounded down, with the remaining samples handed out one by one from the
 * first part on.
 */
function countsOf(n: number, lengths: readonly number[]): number[] {
  const sum = lengths.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > 1e-9 || lengths.some((f) => f < 0)) return [...lengths];
  const counts = lengths.map((f) => Math.floor(n * f));
  const rest = n - counts.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) counts[i % counts.length]++;
  return counts;
}

/**
 * Splits a dataset at random into parts that do not overlap.
 *
 * @param dataset the dataset that is split
 * @throws {ArgumentError} if the sizes do not add up to the dataset's length
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [train, test] = randomSplit(["a", "b", "c", "d", "e"], [0.6, 0.4]);
 * assertEquals([train.length, test.length], [3, 2]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
 */
export function randomSplit<T>(dataset: Indexable<T>, ...args: Args<typeof RandomSplitArgs>): Subset<T>[] {
  const { lengths, generator } = splitArgs(args);
  checkArray("randomSplit", "lengths", lengths);
  if (!lengths.every((n) => typeof n === "number")) {
    throw new ArgumentError(`randomSplit(): lengths must be numbers: ${show(lengths)}`);
  }
  if (typeof dataset?.length !== "number") {
    throw new ArgumentError(`randomSplit(): the dataset has no length: ${describe(dataset)}`);
  }
  const counts = countsOf(dataset.length, lengths);
  if (counts.some((c) => !Number.isSafeInteger(c) || c < 0)) {
    throw new ArgumentError(
      `randomSplit(): sizes must be integers, or fractions that add up to 1: ${show(lengths)}`,
    );
  }
  const total = counts.reduce((a, b) => a + b, 0);
  if (total !== dataset.length) {
    throw new ArgumentError(
      `randomSplit(): the sizes must add up to the dataset's length: ${
        counts.join(" + ")
      } = ${total} != ${dataset.length}`,
    );
  }
  const order = HostRandom.from("randomSplit", generator).permutation(dataset.length);
  let at = 0;
  return counts.map((count) => new Subset(dataset, order.slice(at, at += count)));
}
