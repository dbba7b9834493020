/**
 * Order: sort, topk, kthvalue, median, mode, and binary search.
 *
 * Values carry the gradient to the places they came from; positions are int64. NaN counts as the largest value, as in
 * PyTorch. Sorting is always stable.
 *
 * @module
 */

import { record, recordMany } from "../../autograd/record.ts";
import { type Args, call, type Func, func } from "../../base/call.ts";
import { int32, int64 } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { checkFewOps, hasFewOps } from "../../base/few_ops.ts";
import { isScalar, type ScalarLike } from "../../base/scalar.ts";
import { contiguousStrides, wrapDim } from "../../base/shape.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, checkTensor, checkTensors, Tensor } from "../../tensor/tensor.ts";
import { where } from "../pointwise/compare.ts";
import { checkOrdered, rawGather } from "../index/index_core.ts";
import { cat } from "../shape/join.ts";
import { checkOperands } from "../core/kernel.ts";
import { writeOut } from "../core/define.ts";
import { OutArgs } from "../core/op.ts";
import { type ValuesIndices, valuesIndices } from "../core/named.ts";
import { type Fn, fn, type MethodForm, type Op, op, overloaded } from "../core/op.ts";
import { makeView, reshapeTo, selectAt, sliceAt } from "../core/view_core.ts";

/** Makes values found at `indices` along `d` carry the gradient there. */
function recordSelection(name: string, x: Tensor, d: number, values: Tensor, indices: Tensor): ValuesIndices {
  const { shape } = x;
  recordMany(name, [values, indices], [x], [indices], (grads, [at]) => [
    grads[0] === null ? null : grads[0].newZeros(shape).scatter(d, at, grads[0]),
  ]);
  return valuesIndices(values, indices);
}

/** The parameters of {@linkcode sort} and {@linkcode argsort}. */
export class SortArgs {
  /** Whether equal elements keep their order; they always do. */
  stable = false;
  constructor(
    /** The dimension. */
    public dim: number = -1,
    /** Whether the largest comes first. */
    public descending = false,
  ) {}
}

/**
 * Sorted values along a dimension, and their positions.
 *
 * @param input any real tensor
 * @returns `[values, indices]`, also by these names
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const [values, indices] = torch.tensor([3, 1, 2]).sort();
 * assertEquals(await values.tolist(), [1, 2, 3]);
 * assertEquals(await indices.tolist(), [1, 2, 0]);
 * ```
 */
export const sort: Op<typeof SortArgs, ValuesIndices> = op(
  "sort",
  SortArgs,
  (input, { dim, descending }) => sorted("sort", input, dim, descending),
);

function sorted(op: string, x: Tensor, dim: number, descending: boolean): ValuesIndices {
  checkAlive(op, x);
  checkOrdered(op, x);
  const d = wrapDim(op, dim, x.ndim);
  const values = emptyLikeDevice(op, x.shape, x.dtype, x), indices = emptyLikeDevice(op, x.shape, int64, x);
  if (x.numel() > 0) x.storage.backend.sort(x, d, descending, values, indices);
  return recordSelection("SortBackward0", x, d, values, indices);
}

/** The positions that {@linkcode sort} gives. */
export const argsort: Op<typeof SortArgs> = op(
  "argsort",
  SortArgs,
  (input, { dim, descending }) => scope(() => sorted("argsort", input, dim, descending).indices),
);

/** The values sorted along the first dimension. */
export const msort: Op<typeof OutArgs> = op("msort", OutArgs, (input, { out }) => {
  const values = input.ndim === 0 ? input.clone() : scope(() => sorted("msort", input, 0, false).values);
  return writeOut("msort", out, values);
});

/** The parameters of {@linkcode topk}. */
export class TopkArgs {
  constructor(
    /** How many. */
    public k: number,
    /** The dimension. */
    public dim: number = -1,
    /** Whether the largest are wanted, not the smallest. */
    public largest = true,
    /** Whether they come in order; they always do. */
    public sorted = true,
  ) {}
}

/** The `k` largest (or smallest) values along a dimension, in order, and their positions. */
export const topk: Op<typeof TopkArgs, ValuesIndices> = op("topk", TopkArgs, (input, { k, dim, largest }) => {
  const d = wrapDim("topk", dim, input.ndim);
  const size = input.ndim === 0 ? 1 : input.shape[d];
  if (!Number.isInteger(k) || k < 0 || k > size) {
    throw new ShapeError(`topk(): k out of range: ${k} along dimension ${d} of size ${size}`);
  }
  return extremes("topk", input, d, k, largest);
});

function extremes(op: string, x: Tensor, d: number, k: number, largest: boolean): ValuesIndices {
  checkAlive(op, x);
  checkOrdered(op, x);
  const shape = x.shape.map((s, i) => i === d ? k : s);
  const values = emptyLikeDevice(op, shape, x.dtype, x), indices = emptyLikeDevice(op, shape, int64, x);
  if (values.numel() > 0) x.storage.backend.topk(x, d, largest, values, indices);
  return recordSelection("TopkBackward0", x, d, values, indices);
}

/** Drops the dimension `d` of size 1 unless it is to be kept. */
function finish(found: ValuesIndices, d: number, keepdim: boolean): ValuesIndices {
  const drop = (t: Tensor) => keepdim || t.ndim === 0 ? t : selectAt(t, d, 0);
  return valuesIndices(drop(found.values), drop(found.indices));
}

/** The parameters of {@linkcode kthvalue}. */
export class KthvalueArgs {
  /** Where values and indices go. */
  out: readonly [Tensor, Tensor] | null = null;
  constructor(
    /** Which, from 1. */
    public k: number,
    /** The dimension. */
    public dim: number = -1,
    /** Whether the dimension stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** The `k`-th smallest value along a dimension, and its position. */
export const kthvalue: Op<typeof KthvalueArgs, ValuesIndices> = op("kthvalue", KthvalueArgs, (input, args) => {
  const { k, dim, keepdim, out } = args;
  const d = wrapDim("kthvalue", dim, input.ndim);
  const size = input.ndim === 0 ? 1 : input.shape[d];
  if (!Number.isInteger(k) || k < 1 || k > size) {
    throw new ShapeError(`kthvalue(): k out of range: ${k} along dimension ${d} of size ${size}`);
  }
  const result = finish(kth("kthvalue", input, d, k), d, keepdim);
  if (!out) return result;
  checkTensors("kthvalue", "out", out);
  for (const t of out) {
    if (t.storage === input.storage) {
      throw new ArgumentError("kthvalue(): out shares memory with the input; clone() one of them");
    }
  }
  return valuesIndices(out[0].copy_(result.values), out[1].copy_(result.indices));
});

/** The k-th smallest, the dimension kept with size 1. */
function kth(op: string, x: Tensor, d: number, k: number): ValuesIndices {
  const { values, indices } = extremes(op, x, d, k, false);
  if (x.ndim === 0) return valuesIndices(values, indices);
  return valuesIndices(sliceAt(values, d, k - 1, k), sliceAt(indices, d, k - 1, k));
}

/** The parameters of {@linkcode median} and {@linkcode nanmedian} along a dimension. */
export class MedianArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** Whether the dimension stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** How {@linkcode median} and {@linkcode nanmedian} are called, after the arguments `S`. */
export interface MedianCalls<S extends readonly unknown[]> {
  /** Of all elements. */
  (...args: S): Tensor;
  /** Along a dimension, with the position. */
  (...args: [...S, ...Args<typeof MedianArgs>]): ValuesIndices;
}

/** The type of {@linkcode median} and {@linkcode nanmedian}. */
export type MedianOp = MedianCalls<[input: Tensor]> & MethodForm<MedianCalls<[]>>;

/** Defines a median by the one along a dimension. */
function medianOp(name: string, along: (x: Tensor, d: number) => ValuesIndices): MedianOp {
  const parse = call(name, MedianArgs);
  const f = (input: Tensor, ...args: readonly unknown[]): Tensor | ValuesIndices => {
    checkTensor(name, "input", input);
    if (args.length === 0) return scope(() => wholeMedian(name, input, (flat) => along(flat, 0)));
    const { dim, keepdim } = parse(args);
    const d = wrapDim(name, dim, input.ndim);
    return scope(() => finish(along(input, d), d, keepdim));
  };
  return overloaded(name, f) as unknown as MedianOp;
}

/**
 * The lower median: of all elements, or along a dimension with its position. NaN if any element is.
 *
 * @param input any real tensor
 * @returns a 0-d tensor without `dim`, else `[values, indices]`
 */
export const median: MedianOp = medianOp("median", (x, d) => medianAlong("median", x, d));

/** The median of all elements; equal elements share its gradient. */
function wholeMedian(op: string, x: Tensor, along: (flat: Tensor) => ValuesIndices): Tensor {
  checkOrdered(op, x);
  if (x.numel() === 0) {
    if (x.dtype.isFloatingPoint) return x.newFull([], NaN);
    throw new ShapeError(`${op}(): there is no median of no elements, and ${x.dtype} has no NaN: ${show(x.shape)}`);
  }
  const flat = reshapeTo(makeView(x, x.shape, x.strides), [-1]);
  const out = reshapeTo(along(flat).values, []).clone();
  return record(`${op[0].toUpperCase()}${op.slice(1)}Backward0`, out, [x], [x, out], (grad, [self, result]) => {
    const equal = where(result.isnan(), self.isnan(), self.eq(result)).to(grad.dtype);
    return [equal.mul(grad.div(equal.sum()))];
  });
}

/** Throws if a dimension has no elements. */
function checkSize(op: string, x: Tensor, d: number): void {
  if (x.ndim > 0 && x.shape[d] === 0) throw new ShapeError(`${op}(): dimension ${d} is empty: ${show(x.shape)}`);
}

function medianAlong(op: string, x: Tensor, d: number): ValuesIndices {
  checkSize(op, x, d);
  const size = x.ndim === 0 ? 1 : x.shape[d];
  const middle = kth(op, x, d, Math.floor((size + 1) / 2));
  if (!x.dtype.isFloatingPoint) return middle;
  // NaN is the largest value: if there is one, it is the top 1.
  const last = extremes(op, x, d, 1, true);
  const spoilt = last.values.isnan();
  const indices = where(spoilt, last.indices, middle.indices);
  return valuesIndices(x.gather(d, indices), indices);
}

/** {@linkcode median} of the elements that are not NaN. */
export const nanmedian: MedianOp = medianOp("nanmedian", nanmedianAlong);

function nanmedianAlong(x: Tensor, d: number): ValuesIndices {
  if (!x.dtype.isFloatingPoint || x.ndim === 0) return medianAlong("nanmedian", x, d);
  checkSize("nanmedian", x, d);
  const count = x.isnan().logicalNot().to(int64).sum(d, true);
  const at = count.sub(1).clampMin(0).floorDivide(2);
  const indices = sorted("nanmedian", x.detach(), d, false).indices.gather(d, at);
  return valuesIndices(x.gather(d, indices), indices);
}

/** The parameters of {@linkcode mode}. */
export class ModeArgs {
  constructor(
    /** The dimension. */
    public dim: number = -1,
    /** Whether the dimension stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** The most frequent value along a dimension (the smallest of several), and its last position. */
export const mode: Op<typeof ModeArgs, ValuesIndices> = op("mode", ModeArgs, (input, { dim, keepdim }) => {
  const d = wrapDim("mode", dim, input.ndim);
  if (input.ndim === 0) return extremes("mode", input, d, 1, true);
  checkSize("mode", input, d);
  return scope(() => mostFrequent(input, d, keepdim));
});

function mostFrequent(x: Tensor, d: number, keepdim: boolean): ValuesIndices {
  const size = x.shape[d];
  const { values, indices } = sorted("mode", x.detach(), d, false);
  // A run of equal values is as long as the distance from where it started.
  const steps = x.shape.map((_, i) => i === d ? size : 1);
  const here = reshapeTo(indices.newOnes([size]).cumsum(0).sub(1), steps);
  const isStart = sliceAt(values, d, 1, size).ne(sliceAt(values, d, 0, size - 1));
  const starts = sliceAt(here, d, 1, size).mul(isStart.to(int64));
  const zero = indices.newZeros(x.shape.map((s, i) => i === d ? 1 : s));
  const from = cat([zero, starts], d).cummax(d).values;
  const best = here.sub(from).argmax(d, true);
  const at = indices.gather(d, best);
  return finish(valuesIndices(x.gather(d, at), at), d, keepdim);
}

/** The parameters of {@linkcode searchsorted}. */
export class SearchsortedArgs {
  /** Whether positions are int32. */
  outInt32 = false;
  /** Whether positions are after equal elements. */
  right: boolean | null = null;
  /** The same as a word. */
  side: "left" | "right" | null = null;
  /** Positions that sort the sequence. */
  sorter: Tensor | null = null;
  constructor(
    /** What to look for: a tensor with the same leading dimensions (any, for a 1-d sequence), or a number. */
    public input: Tensor | ScalarLike,
  ) {}
}

/**
 * Where values belong in a sorted sequence: along the last dimension, so that the order is kept.
 *
 * @param sortedSequence sorted along its last dimension (or by `sorter`)
 * @throws {ShapeError} if leading dimensions differ
 */
export const searchsorted: Fn<typeof SearchsortedArgs> = fn(
  "searchsorted",
  SearchsortedArgs,
  (sortedSequence, args) => {
    const { input, outInt32, right, side, sorter } = args;
    if (side !== null && side !== "left" && side !== "right") {
      throw new ArgumentError(`searchsorted(): side must be "left" or "right": ${describe(side)}`);
    }
    if (side === "left" && right === true) {
      throw new ArgumentError('searchsorted(): side and right contradict each other: "left" and true');
    }
    let sequence = sortedSequence;
    if (sorter !== null) {
      if (sorter.dtype !== int64 || show(sorter.shape) !== show(sequence.shape)) {
        throw new ShapeError(
          `searchsorted(): sorter must be int64 of the sequence's shape: ${sorter.dtype} ${show(sorter.shape)}`,
        );
      }
      sequence = rawGather("searchsorted", sequence, sequence.ndim - 1, sorter);
    }
    return search("searchsorted", sequence, input, right ?? side === "right", outInt32);
  },
);

/** The parameters of {@linkcode bucketize}. */
export class BucketizeArgs {
  /** Whether positions are int32. */
  outInt32 = false;
  /** Whether a value equal to a boundary goes after it. */
  right = false;
  constructor(
    /** What to place: a tensor or a number. */
    public input: Tensor | ScalarLike,
    /** Sorted, 1-d. */
    public boundaries: Tensor,
  ) {}
}

/** Which interval between boundaries each value is in. */
export const bucketize: Func<typeof BucketizeArgs, Tensor> = func("bucketize", BucketizeArgs, (args) => {
  const { input, boundaries, outInt32, right } = args;
  checkTensor("bucketize", "boundaries", boundaries);
  if (boundaries.ndim !== 1) throw new ShapeError(`bucketize(): boundaries must be 1-d: ${show(boundaries.shape)}`);
  return search("bucketize", boundaries, input, right, outInt32);
});

function search(op: string, sequence: Tensor, input: Tensor | ScalarLike, right: boolean, narrow: boolean): Tensor {
  if (!(input instanceof Tensor) && !isScalar(input)) {
    throw new ArgumentError(`${op}(): expected a Tensor or a number: ${describe(input)}`);
  }
  const values = input instanceof Tensor ? input : sequence.newFull([], input);
  checkOperands(op, [sequence, values]);
  checkOrdered(op, sequence);
  if (hasFewOps(sequence.dtype)) checkFewOps(op, sequence.dtype);
  if (values.dtype !== sequence.dtype) {
    throw new DTypeError(`${op}(): values and sequence must have one dtype: ${values.dtype} and ${sequence.dtype}`);
  }
  if (sequence.ndim === 0) throw new ShapeError(`${op}(): the sequence must have at least 1 dimension: []`);
  if (sequence.ndim > 1 && show(sequence.shape.slice(0, -1)) !== show(values.shape.slice(0, -1))) {
    throw new ShapeError(
      `${op}(): leading dimensions must agree: ${show(sequence.shape)} and ${show(values.shape)}`,
    );
  }
  const out = emptyLikeDevice(op, values.shape, int64, values);
  if (out.numel() > 0) {
    const asVector = (t: Tensor) => t.ndim > 0 ? t : makeView(t, [1], contiguousStrides([1]));
    out.storage.backend.searchsorted(sequence, asVector(values), right, asVector(out));
  }
  return narrow ? out.to(int32) : out;
}

/** The parameters of {@linkcode isin}. */
export class IsinArgs {
  /** Accepted for PyTorch's sake. */
  assumeUnique = false;
  /** Which elements are *not* among them. */
  invert = false;
  constructor(
    /** What is looked for: a tensor or a number. */
    public elements: Tensor | ScalarLike,
    /** What to look in: a tensor or a number. */
    public testElements: Tensor | ScalarLike,
  ) {}
}

/** Which elements are among `testElements`. */
export const isin: Func<typeof IsinArgs, Tensor> = func(
  "isin",
  IsinArgs,
  ({ elements, testElements: test, invert }) => {
    const like = elements instanceof Tensor ? elements : test as Tensor;
    if (!(like instanceof Tensor)) {
      throw new ArgumentError(`isin(): at least one argument must be a Tensor: ${describe(test)}`);
    }
    const x = elements instanceof Tensor ? elements : like.newFull([], elements);
    const wanted = test instanceof Tensor ? test : like.newFull([], test);
    const count = wanted.numel();
    if (count === 0) return x.newFull(x.shape, invert, { dtype: x.eq(x).dtype });
    return scope(() => among(x, wanted, invert));
  },
);

function among(x: Tensor, wanted: Tensor, invert: boolean): Tensor {
  const ordered = sorted("isin", reshapeTo(wanted.detach(), [-1]), 0, false).values.to(x.dtype);
  const at = search("isin", ordered, x.detach(), false, false).clampMax(wanted.numel() - 1);
  const found = reshapeTo(rawGather("isin", ordered, 0, reshapeTo(at, [-1])), x.shape).eq(x);
  return invert ? found.logicalNot() : found;
}
