/**
 * Which values occur and how often: unique, uniqueConsecutive, bincount, histc.
 *
 * The number of distinct values is known only when it is read, so all but `histc` return promises.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import type { Args, Params } from "../../base/call.ts";
import { bool as BOOL, float64, int64 } from "../../base/dtype.ts";
import { checkCount } from "../../base/checks.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { checkSizes, wrapDim } from "../../base/shape.ts";
import { unread } from "../../base/unread.ts";
import { scope } from "../../tensor/scope.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { where } from "../pointwise/compare.ts";
import { arange } from "../create/ranges.ts";
import { checkOrdered, coordinates } from "../index/index_core.ts";
import { cat } from "../shape/join.ts";
import { type MethodForm, type Op, op } from "../core/op.ts";
import { permuteTo, reshapeTo, selectAt, sliceAt } from "../core/view_core.ts";

/** The parameters of {@linkcode unique}. */
export class UniqueArgs {
  constructor(
    /** In order; always the case here. */
    public sorted = true,
    /** Also give, per element, the position of its value in the result. */
    public returnInverse = false,
    /** Also give how often each value occurs. */
    public returnCounts = false,
    /** Compare whole slices of this dimension; `null`: elements. */
    public dim: number | null = null,
  ) {}
}

/** The parameters of {@linkcode uniqueConsecutive}. */
export class UniqueConsecutiveArgs {
  constructor(
    /** Also give, per element, the position of its value in the result. */
    public returnInverse = false,
    /** Also give how often each value occurs. */
    public returnCounts = false,
    /** Compare whole slices of this dimension; `null`: elements. */
    public dim: number | null = null,
  ) {}
}

/** Options that ask for nothing but the values. */
export type PlainUnique = { sorted?: boolean; returnInverse?: false; returnCounts?: false; dim?: number | null };

/** How {@linkcode unique} and {@linkcode uniqueConsecutive} are called, after the arguments `S`. */
export interface UniqueCalls<S extends readonly unknown[], C extends Params> {
  /** The values alone. */
  (...args: [...S, named?: PlainUnique]): Promise<Tensor>;
  /** An array of the values and what else is asked for: positions, then counts. */
  (...args: [...S, ...Args<C>]): Promise<Tensor | Tensor[]>;
}

/** The type of {@linkcode unique} and {@linkcode uniqueConsecutive}. */
export type UniqueOp<C extends Params> = UniqueCalls<[input: Tensor], C> & MethodForm<UniqueCalls<[], C>>;

/**
 * The distinct elements, sorted.
 *
 * Differs from PyTorch: it is a promise, because its size depends on values, which are read.
 *
 * @param input any real tensor
 * @returns the values; with `returnInverse` or `returnCounts`, an array of values, positions, counts
 */
export const unique: UniqueOp<typeof UniqueArgs> = op(
  "unique",
  UniqueArgs,
  (input, { dim, returnInverse, returnCounts }) =>
    unread("unique", runs("unique", input, dim, true, returnInverse, returnCounts)),
) as UniqueOp<typeof UniqueArgs>;

/** The elements with repetitions in a row removed; see {@linkcode unique}. */
export const uniqueConsecutive: UniqueOp<typeof UniqueConsecutiveArgs> = op(
  "uniqueConsecutive",
  UniqueConsecutiveArgs,
  (input, { dim, returnInverse, returnCounts }) =>
    unread("uniqueConsecutive", runs("uniqueConsecutive", input, dim, false, returnInverse, returnCounts)),
) as UniqueOp<typeof UniqueConsecutiveArgs>;

/** Rows in lexicographic order: a stable sort by each column, the last one first. */
function rowOrder(rows: Tensor): Tensor {
  let order = arange(rows.shape[0], { device: rows.device });
  for (let c = rows.shape[1] - 1; c >= 0; c--) {
    order = order.indexSelect(0, selectAt(rows, 1, c).indexSelect(0, order).argsort(0));
  }
  return order;
}

function runs(
  op: string,
  input: Tensor,
  dim: number | null,
  sorts: boolean,
  returnInverse: boolean,
  returnCounts: boolean,
): Promise<Tensor | Tensor[]> {
  checkOrdered(op, input);
  const x = input.detach();
  const d = dim === null ? 0 : wrapDim(op, dim, x.ndim);
  const items = dim === null ? reshapeTo(x, [-1]) : x;
  const n = items.ndim === 0 ? 1 : items.shape[d];
  const { order, starts } = scope(() => unrecorded(() => findRuns(items, d, n, sorts)));
  const counted = n === 0 ? Promise.resolve(0) : starts.storage.backend.countNonzero(starts);
  const made = (count: number) => {
    const firsts = reshapeTo(coordinates(starts, count), [-1]);
    const chosen = order === null ? firsts : order.indexSelect(0, firsts);
    const out = [items.ndim === 0 ? items.clone() : items.indexSelect(d, chosen)];
    if (returnInverse) {
      const ranks = starts.to(int64).cumsum(0).sub(1);
      const inverse = order === null ? ranks : ranks.newZeros([n]).scatter(0, order, ranks);
      out.push(dim === null ? reshapeTo(inverse, x.shape) : inverse);
    }
    if (returnCounts) {
      const ends = cat([sliceAt(firsts, 0, 1, null), firsts.newFull([count > 0 ? 1 : 0], n)]);
      out.push(ends.sub(firsts));
    }
    return out.length === 1 ? out[0] : out;
  };
  return counted.then((count) => {
    const result = unrecorded(() => scope(() => made(count)));
    for (const used of [order, starts]) used?.dispose();
    return result;
  });
}

/** The order that puts equal slices side by side (`null`: as they are), and where a new value starts in it. */
function findRuns(items: Tensor, d: number, n: number, sorts: boolean): { order: Tensor | null; starts: Tensor } {
  const width = n === 0 ? 0 : items.numel() / n;
  const dims = items.shape.map((_, i) => i).filter((i) => i !== d);
  const rows = reshapeTo(items.ndim < 2 ? items : permuteTo(items, [d, ...dims]), [n, width]);
  const order = sorts && width > 0 ? rowOrder(rows) : null;
  const lined = order === null ? rows : rows.indexSelect(0, order);
  const changes = sliceAt(lined, 0, 1, null).ne(sliceAt(lined, 0, 0, Math.max(n - 1, 0)));
  const first = items.newFull([Math.min(n, 1)], true, { dtype: BOOL });
  return { order, starts: cat([first, changes.to(int64).sum(1).gt(0)]) };
}

/** The parameters of {@linkcode bincount}. */
export class BincountArgs {
  constructor(
    /** What each element counts; `null`: 1. */
    public weights: Tensor | null = null,
    /** The least size of the result. */
    public minlength = 0,
  ) {}
}

/**
 * How often each number occurs in a vector of integers that are not negative.
 *
 * Differs from PyTorch: it is a promise, because its size depends on values, which are read.
 *
 * @param input 1-d, integer
 */
export const bincount: Op<typeof BincountArgs, Promise<Tensor>> = op("bincount", BincountArgs, async (
  input,
  { weights, minlength },
) => {
  if (input.ndim !== 1 || input.dtype.kind !== "integer") {
    throw new ArgumentError(`bincount(): a 1-d integer tensor is needed: ${input.dtype} ${show(input.shape)}`);
  }
  checkCount("bincount", "minlength", minlength, 0);
  if (weights !== null && show(weights.shape) !== show(input.shape)) {
    throw new ShapeError(
      `bincount(): weights must have the shape of the input: ${show(weights.shape)} and ${show(input.shape)}`,
    );
  }
  const index = input.to(int64);
  const least = input.numel() === 0 ? 0 : await index.min().item();
  if (least < 0) throw new ArgumentError(`bincount(): values must not be negative: ${least}`);
  const size = Math.max(input.numel() === 0 ? 0 : Number(await index.max().item()) + 1, minlength);
  checkSizes("bincount", [size]);
  const counted = weights === null
    ? index.newOnes(input.shape)
    : weights.dtype.isFloatingPoint
    ? weights
    : weights.to(float64);
  return unrecorded(() => counted.newZeros([size]).indexAdd(0, index, counted));
});

/** The parameters of {@linkcode histc}. */
export class HistcArgs {
  constructor(
    /** How many bins. */
    public bins = 100,
    /** Lower end. With equal ends, those of the values. */
    public min = 0,
    /** Upper end. */
    public max = 0,
  ) {}
}

/** How many elements are in each of `bins` intervals of equal width; elements outside are not counted. */
export const histc: Op<typeof HistcArgs> = op("histc", HistcArgs, (input, { bins, min, max }) => {
  if (!input.dtype.isFloatingPoint) throw new DTypeError(`histc(): a floating tensor is needed: ${input.dtype}`);
  checkCount("histc", "bins", bins, 1);
  checkSizes("histc", [bins]);
  if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) {
    throw new ArgumentError(`histc(): ends must be finite and in order: ${describe(min)} and ${describe(max)}`);
  }
  return scope(() => unrecorded(() => countBins(input, bins, min, max)));
});

function countBins(x: Tensor, bins: number, min: number, max: number): Tensor {
  const values = reshapeTo(x.detach(), [-1]);
  if (values.numel() === 0) return x.newZeros([bins]);
  const fromValues = min === max;
  let low = fromValues ? values.min() : x.newFull([], min), high = fromValues ? values.max() : x.newFull([], max);
  // All values equal: an interval of width 2 around them.
  const flat = low.eq(high);
  low = where(flat, low.sub(1), low);
  high = where(flat, high.add(1), high);
  const inside = values.ge(low).logicalAnd(values.le(high));
  const scaled = values.sub(low).mul(bins).div(high.sub(low));
  const bin = where(inside, scaled, 0).to(int64).clampMax(bins - 1);
  return emptyLikeDevice("histc", [bins], x.dtype, x).zero_().indexAdd(0, bin, inside.to(x.dtype));
}
