/**
 * The views that everything else is made of: reshape, permute, expand, select, slice, diagonal, asStrided.
 *
 * A view is arithmetic on shape, strides and offset; no kernel runs. Its gradient is the opposite movement: a permuted
 * gradient, a sum over what was expanded, or zeros with the gradient written at the view's place.
 *
 * @module
 */

import { metaOf } from "../../autograd/meta.ts";
import { unrecorded } from "../../autograd/mode.ts";
import { record, recordMany, recordView } from "../../autograd/record.ts";
import { checkInteger, checkIntegers } from "../../base/checks.ts";
import { describe, IndexError, ShapeError, show } from "../../base/errors.ts";
import type { DType } from "../../base/dtype.ts";
import { countElements, inferShape, isContiguous, numelOf, viewStrides, wrapDim } from "../../base/shape.ts";
import { denseOrder } from "../../tensor/layout.ts";
import { checkAlive, Tensor } from "../../tensor/tensor.ts";
import { arange } from "../create/ranges.ts";
import { sumTo } from "./sum_to.ts";

/** A tensor over the memory of `x` with other geometry, without history. */
export function makeView(
  x: Tensor,
  shape: readonly number[],
  strides: readonly number[],
  offset: number = x.offset,
  dtype: DType = x.dtype,
  op = "view",
): Tensor {
  return new Tensor(x.storage, shape, strides, offset, dtype, isContiguous(shape, strides), op);
}

/** Records several views of `x` as one node; `formula` gets a gradient per view, null where none arrived. */
export function recordViews(
  name: string,
  x: Tensor,
  views: Tensor[],
  formula: (grads: (Tensor | null)[]) => Tensor,
): Tensor[] {
  const base = x.meta?.view?.base ?? x;
  for (const view of views) metaOf(view).view = { base, version: view.storage.version, madeBy: null };
  recordMany(name, views, [x], [], (grads) => [formula(grads)]);
  return views;
}

/** Zeros of `shape` with `grad` copied to the part that `take` views: the gradient of a view without overlaps. */
export function placed(name: string, grad: Tensor, shape: readonly number[], take: (x: Tensor) => Tensor): Tensor {
  const out = unrecorded(() => {
    const zeros = grad.newZeros(shape);
    take(zeros).copy_(grad);
    return zeros;
  });
  return record(name, out, [grad], [], (g) => [take(g)]);
}

/** A view of `x` with the given shape (no -1), or `null` where only a copy has it. */
function tryView(x: Tensor, shape: readonly number[]): Tensor | null {
  const strides = viewStrides(x.shape, x.strides, shape);
  if (strides === null) return null;
  return recordView("ViewBackward0", x, makeView(x, shape, strides), reshapeTo, x.shape);
}

/** `x` with the given shape (one -1 is inferred): a view where possible, else a copy. */
export function reshapeTo(x: Tensor, sizes: readonly number[], op = "reshape"): Tensor {
  checkAlive(op, x);
  const shape = inferShape(op, sizes, numelOf(x.shape));
  return tryView(x, shape) ?? tryView(x.contiguous(), shape)!;
}

/** `x` with the given shape, as a view; an error where only a copy has it. */
export function viewTo(x: Tensor, sizes: readonly number[], op = "view"): Tensor {
  checkAlive(op, x);
  const shape = inferShape(op, sizes, numelOf(x.shape));
  const view = tryView(x, shape);
  if (view === null) {
    throw new ShapeError(
      `${op}(): the memory layout has no view of that shape: ${show(x.shape)} with strides ${show(x.strides)} as ${
        show(shape)
      }; use reshape()`,
    );
  }
  return view;
}

/** Dimensions in the order `dims` (checked, positive). */
export function permuteTo(x: Tensor, dims: readonly number[], op = "permute"): Tensor {
  checkAlive(op, x);
  const inverse = new Array<number>(dims.length);
  dims.forEach((d, i) => inverse[d] = i);
  const view = makeView(x, dims.map((d) => x.shape[d]), dims.map((d) => x.strides[d]));
  return recordView("PermuteBackward0", x, view, permuteTo, inverse);
}

/** Slices of `x` along `d` chosen by `index`, laid out as `x` is where that has no gaps. */
export function selectInOrder(x: Tensor, d: number, index: Tensor): Tensor {
  const order = denseOrder(x);
  if (order === null) return x.indexSelect(d, index);
  const back = order.map((_, at) => order.indexOf(at));
  return permuteTo(permuteTo(x, order).indexSelect(order.indexOf(d), index), back);
}

/** Two dimensions swapped. */
export function transposeTo(x: Tensor, dim0: number, dim1: number, op = "transpose"): Tensor {
  checkAlive(op, x);
  const a = wrapDim(op, dim0, x.ndim), b = wrapDim(op, dim1, x.ndim);
  const shape = [...x.shape], strides = [...x.strides];
  if (a !== b) {
    [shape[a], shape[b]] = [shape[b], shape[a]];
    [strides[a], strides[b]] = [strides[b], strides[a]];
  }
  return recordView("TransposeBackward0", x, makeView(x, shape, strides), (g, [a, b]) => transposeTo(g, a, b), [a, b]);
}

/** `x` repeated without copying to `sizes`; -1 keeps a size. */
export function expandTo(x: Tensor, sizes: readonly number[], op = "expand"): Tensor {
  checkAlive(op, x);
  checkIntegers(op, "sizes", sizes);
  const lead = sizes.length - x.ndim;
  if (lead < 0) {
    throw new ShapeError(`${op}(): fewer sizes than dimensions: ${show(x.shape)} to ${show(sizes)}`);
  }
  const shape = [...sizes], strides = new Array<number>(sizes.length).fill(0);
  for (let d = 0; d < sizes.length; d++) {
    const own = d < lead ? 1 : x.shape[d - lead];
    if (sizes[d] === -1 && d >= lead) shape[d] = own;
    if (shape[d] < 0 || (own !== 1 && own !== shape[d])) {
      throw new ShapeError(
        `${op}(): a size other than 1 cannot be expanded: ${show(x.shape)} to ${show(sizes)} (dimension ${d})`,
      );
    }
    if (d >= lead && own === shape[d]) strides[d] = x.strides[d - lead];
  }
  countElements(op, shape);
  return recordView("ExpandBackward0", x, makeView(x, shape, strides, x.offset, x.dtype, op), sumTo, x.shape);
}

/** One slice of a dimension, which disappears. */
export function selectAt(x: Tensor, dim: number, index: number, op = "select"): Tensor {
  checkAlive(op, x);
  if (x.ndim === 0) throw new IndexError(`${op}(): a 0-d tensor cannot be indexed`);
  const d = wrapDim(op, dim, x.ndim), size = x.shape[d];
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new IndexError(`${op}(): index out of range: ${describe(index)} along dimension ${d} of size ${size}`);
  }
  const at = index < 0 ? index + size : index;
  const shape = x.shape.filter((_, i) => i !== d), strides = x.strides.filter((_, i) => i !== d);
  const view = makeView(x, shape, strides, x.offset + at * x.strides[d]);
  return recordView("SelectBackward0", x, view, selected, { from: x.shape, d, at });
}

function selected(grad: Tensor, { from, d, at }: { from: readonly number[]; d: number; at: number }): Tensor {
  return placed("SelectBackwardBackward0", grad, from, (x) => selectAt(x, d, at));
}

/** Elements `start, start + step, …` before `end` of a dimension; bounds as in Python. */
export function sliceAt(
  x: Tensor,
  dim: number,
  start: number | null,
  end: number | null,
  step = 1,
  op = "slice",
): Tensor {
  checkAlive(op, x);
  if (x.ndim === 0) throw new IndexError(`${op}(): a 0-d tensor cannot be sliced`);
  const d = wrapDim(op, dim, x.ndim), size = x.shape[d];
  checkInteger(op, "the step", step);
  if (step < 1) throw new ShapeError(`${op}(): the step must be positive: ${describe(step)}`);
  if (start !== null) checkInteger(op, "the start", start);
  if (end !== null) checkInteger(op, "the end", end);
  const clamp = (v: number) => Math.min(Math.max(v < 0 ? v + size : v, 0), size);
  const from = clamp(start ?? 0), to = Math.max(clamp(end ?? size), from);
  const shape = [...x.shape], strides = [...x.strides];
  shape[d] = Math.ceil((to - from) / step);
  strides[d] = x.strides[d] * step;
  const view = makeView(x, shape, strides, x.offset + from * x.strides[d], x.dtype, op);
  return recordView("SliceBackward0", x, view, sliced, { shape: x.shape, d, from, to, step });
}

/** A slice of a dimension, and the shape that it is one of. */
interface SliceOf {
  readonly shape: readonly number[];
  readonly d: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

function sliced(grad: Tensor, { shape, d, from, to, step }: SliceOf): Tensor {
  return placed("SliceBackwardBackward0", grad, shape, (x) => sliceAt(x, d, from, to, step));
}

/** The diagonal of two dimensions, which it replaces as the last one. */
export function diagonalOf(x: Tensor, offset = 0, dim1 = 0, dim2 = 1, op = "diagonal"): Tensor {
  checkAlive(op, x);
  const a = wrapDim(op, dim1, x.ndim), b = wrapDim(op, dim2, x.ndim);
  if (x.ndim < 2 || a === b) {
    throw new ShapeError(`${op}(): two different dimensions are needed: ${dim1} and ${dim2} of ${show(x.shape)}`);
  }
  checkInteger(op, "the offset", offset);
  const rows = x.shape[a], columns = x.shape[b];
  const length = Math.max(offset >= 0 ? Math.min(rows, columns - offset) : Math.min(rows + offset, columns), 0);
  const first = length === 0 ? 0 : offset >= 0 ? offset * x.strides[b] : -offset * x.strides[a];
  const rest = x.shape.map((_, i) => i).filter((i) => i !== a && i !== b);
  const shape = [...rest.map((i) => x.shape[i]), length];
  const strides = [...rest.map((i) => x.strides[i]), x.strides[a] + x.strides[b]];
  const formula = (g: Tensor, from: readonly number[]) =>
    placed("DiagonalBackwardBackward0", g, from, (t) => diagonalOf(t, offset, a, b));
  return recordView("DiagonalBackward0", x, makeView(x, shape, strides, x.offset + first), formula, x.shape);
}

/** The last element that a geometry reaches, plus one; 0 when it is empty. */
function reach(shape: readonly number[], strides: readonly number[]): number {
  if (numelOf(shape) === 0) return 0;
  let last = 0;
  for (let d = 0; d < shape.length; d++) last += (shape[d] - 1) * strides[d];
  return last + 1;
}

/** Any geometry over the storage of `x`. */
export function asStridedTo(
  x: Tensor,
  size: readonly number[],
  stride: readonly number[],
  storageOffset: number = x.offset,
  op = "asStrided",
): Tensor {
  checkAlive(op, x);
  checkIntegers(op, "size", size);
  checkIntegers(op, "stride", stride);
  if (size.length !== stride.length) {
    throw new ShapeError(`${op}(): size and stride differ in length: ${show(size)} and ${show(stride)}`);
  }
  // The view and its gradient keep the lists: the caller may change its own.
  const view = makeView(x, [...size], [...stride], storageOffset, x.dtype, op);
  const { shape, strides, offset } = x;
  return recordView("AsStridedBackward0", x, view, asStridedGradient, {
    ...{ size: view.shape, stride: view.strides, at: storageOffset },
    ...{ shape, strides, offset },
  });
}

/** The geometry of a view, and that of the tensor that it views. */
interface TwoGeometries {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly at: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * The gradient of `asStrided`: both geometries address one piece of memory, so the gradient is added up there, and read
 * through the input's geometry. Where the input itself repeats an element, its copies share the gradient.
 */
function asStridedGradient(grad: Tensor, { size, stride, at, shape, strides, offset }: TwoGeometries): Tensor {
  const start = Math.min(at, offset);
  const length = Math.max(at + reach(size, stride), offset + reach(shape, strides)) - start;
  const positions = arange(length, { device: grad.device });
  const written = reshapeTo(makeView(positions, size, stride, at - start), [-1]);
  let memory = grad.newZeros([length]).indexAdd(0, written, reshapeTo(grad, [-1]));
  if (strides.some((s, d) => s === 0 && shape[d] > 1)) {
    const read = reshapeTo(makeView(positions, shape, strides, offset - start), [-1]);
    const counts = grad.newZeros([length]).indexAdd(0, read, grad.newOnes(read.shape));
    memory = memory.div(counts.clampMin(1));
  }
  return asStridedTo(memory, shape, strides, offset - start);
}
