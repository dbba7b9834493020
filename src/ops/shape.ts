/**
 * Shapes: reshape, view, permute, expand, squeeze, flatten, diagonal, unfold, and complex tensors seen as real.
 *
 * Everything here is a view where the layout allows it and shares memory with its input, as in PyTorch. The geometry is in
 * `view_core.ts`; splitting is in `split.ts`.
 *
 * @module
 */

import { record, recordView } from "../autograd/record.ts";
import { type Args, signature } from "../base/args.ts";
import { type DType, DType as DTypeClass, toComplex, toReal } from "../base/dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError, show } from "../base/errors.ts";
import { inferShape, wrapDim, wrapDims } from "../base/shape.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import {
  asStridedTo,
  diagonalOf,
  expandTo,
  makeView,
  permuteTo,
  reshapeTo,
  selectAt,
  type Sizes,
  sizesOf,
  sliceAt,
  transposeTo,
  unrecorded,
  viewTo,
} from "./view_core.ts";

/**
 * The same elements with another shape: a view where the layout allows one, else a copy.
 *
 * @param x any tensor
 * @param shape new sizes, spread or as an array; one may be -1 and is inferred
 * @throws {ShapeError} if the number of elements differs
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(torch.arange(6).reshape(2, -1).shape, [2, 3]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
 */
export function reshape(x: Tensor, ...shape: Sizes): Tensor {
  return reshapeTo(x, sizesOf("reshape", shape, "shape"));
}

/** The elements of `x` with the shape of `other`; see {@linkcode reshape}. */
export function reshapeAs(x: Tensor, other: Tensor): Tensor {
  return reshapeTo(x, other.shape, "reshapeAs");
}

/**
 * A view with another shape, or the same bytes read as another dtype.
 *
 * @param x any tensor
 * @param shape new sizes (one may be -1), or a dtype
 * @throws {ShapeError} if the layout has no such view; `reshape` copies then
 */
export function view(x: Tensor, ...shape: Sizes | readonly [DType]): Tensor {
  const first = shape[0];
  if (shape.length === 1 && first instanceof DTypeClass) return viewDtype(x, first);
  return viewTo(x, sizesOf("view", shape, "shape"));
}

/** The bytes of `x` read as another dtype; the last dimension grows or shrinks with the size of elements. */
function viewDtype(x: Tensor, dtype: DType): Tensor {
  checkAlive("view", x);
  const from = x.dtype, last = x.ndim - 1;
  if (dtype.itemsize === from.itemsize) return retyped(x, makeView(x, x.shape, x.strides, x.offset, dtype));
  if (x.ndim === 0 || (x.strides[last] !== 1 && x.shape[last] !== 1)) {
    throw new ShapeError(
      `view(): the last dimension must be contiguous to change the size of elements: ${from} to ${dtype}, shape ${
        show(x.shape)
      }, strides ${show(x.strides)}`,
    );
  }
  const scale = (v: number) => v * from.itemsize / dtype.itemsize;
  const shape = [...x.shape.slice(0, last), scale(x.shape[last])];
  const strides = [...x.strides.slice(0, last).map(scale), 1];
  if (![...shape, ...strides, scale(x.offset)].every(Number.isInteger)) {
    throw new ShapeError(
      `view(): sizes, strides and offset must be multiples of ${dtype}: shape ${show(x.shape)} of ${from}`,
    );
  }
  return retyped(x, makeView(x, shape, strides, scale(x.offset), dtype));
}

/** A view of another dtype carries no gradient, but its base must notice writes. */
function retyped(x: Tensor, out: Tensor): Tensor {
  return unrecorded(() => recordView("ViewBackward1", x, out, (g) => g));
}

/** A view of `x` with the shape of `other`; see {@linkcode view}. */
export function viewAs(x: Tensor, other: Tensor): Tensor {
  return viewTo(x, other.shape, "viewAs");
}

/** The parameters of {@linkcode flatten}. */
export interface FlattenArgs {
  /** First dimension to merge; default 0. */
  startDim?: number;
  /** Last dimension to merge; default -1. */
  endDim?: number;
}
const flattenArgs = signature<FlattenArgs>("flatten", ["startDim", "endDim"]);

/**
 * Merges the dimensions from `startDim` to `endDim` into one.
 *
 * Shape: `[…, a, b, …]` to `[…, a·b, …]`; a 0-d tensor becomes `[1]`.
 *
 * @param x any tensor
 */
export function flatten(x: Tensor, ...args: Args<FlattenArgs, ["startDim", "endDim"]>): Tensor {
  const { startDim = 0, endDim = -1 } = flattenArgs(args);
  const start = wrapDim("flatten", startDim, x.ndim), end = wrapDim("flatten", endDim, x.ndim);
  if (start > end) throw new ShapeError(`flatten(): startDim comes after endDim: ${startDim} and ${endDim}`);
  if (x.ndim === 0) return reshapeTo(x, [1], "flatten");
  if (start === end) return x;
  const merged = x.shape.slice(start, end + 1).reduce((a, b) => a * b, 1);
  return reshapeTo(x, [...x.shape.slice(0, start), merged, ...x.shape.slice(end + 1)], "flatten");
}

/** The elements in row-major order as one dimension. */
export function ravel(x: Tensor): Tensor {
  return viewTo(x.contiguous(), [x.numel()], "ravel");
}

/** The parameters of {@linkcode unflatten}. */
export interface UnflattenArgs {
  /** The dimension to split. */
  dim: number;
  /** Its new sizes; one may be -1. */
  sizes: readonly number[];
}
const unflattenArgs = signature<UnflattenArgs>("unflatten", ["dim", "sizes"], [], 2);

/**
 * Splits one dimension into several.
 *
 * @param x any tensor
 * @throws {ShapeError} if the sizes' product is not the dimension's size
 */
export function unflatten(x: Tensor, ...args: Args<UnflattenArgs, ["dim", "sizes"]>): Tensor {
  const { dim, sizes } = unflattenArgs(args);
  const d = wrapDim("unflatten", dim, x.ndim);
  if (sizes.length === 0) throw new ShapeError("unflatten(): sizes must not be empty: []");
  const inner = inferShape("unflatten", sizes, x.shape[d]);
  return viewTo(x, [...x.shape.slice(0, d), ...inner, ...x.shape.slice(d + 1)], "unflatten");
}

/** The parameters of {@linkcode squeeze}. */
export interface SqueezeArgs {
  /** Which dimensions to remove where their size is 1; default: all. */
  dim?: number | readonly number[];
}
const squeezeArgs = signature<SqueezeArgs>("squeeze", ["dim"]);

/**
 * Removes dimensions of size 1; others are left alone.
 *
 * @param x any tensor
 */
export function squeeze(x: Tensor, ...args: Args<SqueezeArgs, ["dim"]>): Tensor {
  checkAlive("squeeze", x);
  const { dim } = squeezeArgs(args);
  // wrapDims reads an empty list as "all", which is what PyTorch does for None only.
  const dims = Array.isArray(dim) && dim.length === 0 ? [] : wrapDims("squeeze", dim as number, x.ndim);
  const keep = (d: number) => x.shape[d] !== 1 || !dims.includes(d);
  const from = x.shape;
  const out = makeView(x, x.shape.filter((_, d) => keep(d)), x.strides.filter((_, d) => keep(d)));
  return recordView("SqueezeBackward0", x, out, (g) => reshapeTo(g, from));
}

/** The parameters of {@linkcode unsqueeze}. */
export interface DimArgs {
  /** The dimension. */
  dim: number;
}
const unsqueezeArgs = signature<DimArgs>("unsqueeze", ["dim"], [], 1);

/**
 * Inserts a dimension of size 1.
 *
 * @param x any tensor
 * @param args `dim`: where, from `-ndim - 1` to `ndim`
 */
export function unsqueeze(x: Tensor, ...args: Args<DimArgs, ["dim"]>): Tensor {
  checkAlive("unsqueeze", x);
  const d = wrapDim("unsqueeze", unsqueezeArgs(args).dim, x.ndim + 1);
  const step = d < x.ndim ? x.shape[d] * x.strides[d] : 1;
  const shape = [...x.shape.slice(0, d), 1, ...x.shape.slice(d)];
  const strides = [...x.strides.slice(0, d), step, ...x.strides.slice(d)];
  return recordView("UnsqueezeBackward0", x, makeView(x, shape, strides), (g) => squeeze(g, d));
}

/** The parameters of {@linkcode transpose}. */
export interface TransposeArgs {
  /** One dimension. */
  dim0: number;
  /** The other one. */
  dim1: number;
}
const transposeArgs = signature<TransposeArgs>("transpose", ["dim0", "dim1"], [], 2);

/** Swaps two dimensions. */
export function transpose(x: Tensor, ...args: Args<TransposeArgs, ["dim0", "dim1"]>): Tensor {
  const { dim0, dim1 } = transposeArgs(args);
  return transposeTo(x, dim0, dim1);
}

/** The parameters of {@linkcode swapaxes}. */
export interface SwapaxesArgs {
  /** One dimension. */
  axis0: number;
  /** The other one. */
  axis1: number;
}
const swapaxesArgs = signature<SwapaxesArgs>("swapaxes", ["axis0", "axis1"], [], 2);

/** Swaps two dimensions; NumPy's name of {@linkcode transpose}. */
export function swapaxes(x: Tensor, ...args: Args<SwapaxesArgs, ["axis0", "axis1"]>): Tensor {
  const { axis0, axis1 } = swapaxesArgs(args);
  return transposeTo(x, axis0, axis1, "swapaxes");
}

/** Swaps two dimensions; another name of {@linkcode transpose}. */
export function swapdims(x: Tensor, ...args: Args<TransposeArgs, ["dim0", "dim1"]>): Tensor {
  return transpose(x, ...args);
}

/** The transpose of a matrix; vectors and 0-d tensors are returned as they are. */
export function t(x: Tensor): Tensor {
  if (x.ndim > 2) throw new ShapeError(`t(): at most 2 dimensions are allowed: ${show(x.shape)}; use mT or permute()`);
  return x.ndim < 2 ? permuteTo(x, x.ndim === 1 ? [0] : [], "t") : transposeTo(x, 0, 1, "t");
}

/** The conjugate transpose of the last two dimensions; the property `mH` as a method. */
export function adjoint(x: Tensor): Tensor {
  return x.mH;
}

/**
 * Dimensions in another order.
 *
 * @param x any tensor
 * @param dims every dimension once, spread or as an array
 */
export function permute(
  x: Tensor,
  ...dims: readonly number[] | readonly [readonly number[]] | readonly [{ dims: readonly number[] }]
): Tensor {
  const list = sizesOf("permute", dims, "dims");
  if (list.length !== x.ndim) {
    throw new ShapeError(`permute(): every dimension is needed once: ${show(list)} for shape ${show(x.shape)}`);
  }
  return permuteTo(x, list.length === 0 ? [] : wrapDims("permute", list, x.ndim));
}

/** The parameters of {@linkcode movedim}. */
export interface MovedimArgs {
  /** Which dimensions. */
  source: number | readonly number[];
  /** Where they go. */
  destination: number | readonly number[];
}
const movedimArgs = signature<MovedimArgs>("movedim", ["source", "destination"], [], 2);

/** Moves dimensions to other places; the others keep their order. */
export function movedim(x: Tensor, ...args: Args<MovedimArgs, ["source", "destination"]>): Tensor {
  const { source, destination } = movedimArgs(args);
  const list = (v: number | readonly number[]) => typeof v === "number" ? [v] : v;
  if (list(source).length !== list(destination).length) {
    throw new ArgumentError(
      `movedim(): source and destination differ in length: ${show(list(source))} and ${show(list(destination))}`,
    );
  }
  if (list(source).length === 0) return permuteTo(x, x.shape.map((_, i) => i), "movedim");
  const from = wrapDims("movedim", source, x.ndim), to = wrapDims("movedim", destination, x.ndim);
  const order = new Array<number>(x.ndim).fill(-1);
  to.forEach((d, i) => order[d] = from[i]);
  const rest = x.shape.map((_, i) => i).filter((i) => !from.includes(i));
  for (let d = 0, next = 0; d < x.ndim; d++) if (order[d] < 0) order[d] = rest[next++];
  return permuteTo(x, order, "movedim");
}

/** Moves dimensions; NumPy's name of {@linkcode movedim}. */
export function moveaxis(x: Tensor, ...args: Args<MovedimArgs, ["source", "destination"]>): Tensor {
  return movedim(x, ...args);
}

/**
 * Repeats dimensions of size 1 without copying.
 *
 * @param x any tensor
 * @param sizes new sizes, spread or as an array; -1 keeps a size
 */
export function expand(x: Tensor, ...sizes: Sizes): Tensor {
  return expandTo(x, sizesOf("expand", sizes, "size"));
}

/** {@linkcode expand} to the shape of `other`. */
export function expandAs(x: Tensor, other: Tensor): Tensor {
  return expandTo(x, other.shape, "expandAs");
}

/** {@linkcode expand} to `size`, as broadcasting does. */
export function broadcastTo(x: Tensor, ...size: Sizes): Tensor {
  return expandTo(x, sizesOf("broadcastTo", size, "size"), "broadcastTo");
}

/** The parameters of {@linkcode narrow}. */
export interface NarrowArgs {
  /** The dimension. */
  dim: number;
  /** The first element; negative counts from the end; a 0-d tensor is read synchronously. */
  start: number | Tensor;
  /** How many elements. */
  length: number;
}
const narrowArgs = signature<NarrowArgs>("narrow", ["dim", "start", "length"], [], 3);

/** The elements `start` to `start + length` of a dimension. */
export function narrow(x: Tensor, ...args: Args<NarrowArgs, ["dim", "start", "length"]>): Tensor {
  const { dim, start, length } = narrowArgs(args);
  if (x.ndim === 0) throw new ShapeError("narrow(): a 0-d tensor cannot be narrowed: []");
  const d = wrapDim("narrow", dim, x.ndim), size = x.shape[d];
  if (start instanceof Tensor && (start.ndim !== 0 || start.dtype.kind !== "integer")) {
    throw new ArgumentError(`narrow(): start must be a 0-d integer tensor: ${start.dtype} ${show(start.shape)}`);
  }
  const first = start instanceof Tensor ? Number(start.itemSync()) : start;
  if (!Number.isInteger(first) || first < -size || first > size) {
    throw new IndexError(`narrow(): start out of range: ${first} along dimension ${d} of size ${size}`);
  }
  const from = first < 0 ? first + size : first;
  if (!Number.isInteger(length) || length < 0 || from + length > size) {
    throw new ShapeError(
      `narrow(): start + length exceeds the size: ${from} + ${length} along dimension ${d} of size ${size}`,
    );
  }
  return sliceAt(x, d, from, from + length, 1, "narrow");
}

/** {@linkcode narrow} as a copy. */
export function narrowCopy(x: Tensor, ...args: Args<NarrowArgs, ["dim", "start", "length"]>): Tensor {
  return narrow(x, ...args).clone();
}

/** The parameters of {@linkcode select}. */
export interface SelectArgs {
  /** The dimension. */
  dim: number;
  /** Which slice; negative counts from the end. */
  index: number;
}
const selectArgs = signature<SelectArgs>("select", ["dim", "index"], [], 2);

/** One slice of a dimension, which disappears. */
export function select(x: Tensor, ...args: Args<SelectArgs, ["dim", "index"]>): Tensor {
  const { dim, index } = selectArgs(args);
  return selectAt(x, dim, index);
}

/** The parameters of {@linkcode diagonal}. */
export interface DiagonalArgs {
  /** Which diagonal: 0 the main one, positive above it; default 0. */
  offset?: number;
  /** First dimension; default 0. */
  dim1?: number;
  /** Second dimension; default 1. */
  dim2?: number;
}
const diagonalArgs = signature<DiagonalArgs>("diagonal", ["offset", "dim1", "dim2"]);

/**
 * A diagonal of two dimensions, as the last dimension of a view.
 *
 * @param x at least 2 dimensions
 */
export function diagonal(x: Tensor, ...args: Args<DiagonalArgs, ["offset", "dim1", "dim2"]>): Tensor {
  const { offset = 0, dim1 = 0, dim2 = 1 } = diagonalArgs(args);
  return diagonalOf(x, offset, dim1, dim2);
}

/** Writes `source` to the part of a copy of `x` that `take` views; both get their gradient. */
function scatterView(op: string, x: Tensor, source: Tensor, take: (t: Tensor) => Tensor): Tensor {
  const out = x.clone();
  const part = take(out);
  if (show(part.shape) !== show(source.shape)) {
    throw new ShapeError(
      `${op}(): the source must have the shape of the part: ${show(source.shape)} and ${show(part.shape)}`,
    );
  }
  part.copy_(source);
  return out;
}

/** The parameters of {@linkcode selectScatter}. */
export interface SelectScatterArgs extends SelectArgs {
  /** What is written. */
  src: Tensor;
}
const selectScatterArgs = signature<SelectScatterArgs>("selectScatter", ["src", "dim", "index"], [], 3);

/** A copy of `x` with one slice replaced. */
export function selectScatter(x: Tensor, ...args: Args<SelectScatterArgs, ["src", "dim", "index"]>): Tensor {
  const { src, dim, index } = selectScatterArgs(args);
  return scatterView("selectScatter", x, src, (part) => selectAt(part, dim, index));
}

/** The parameters of {@linkcode sliceScatter}. */
export interface SliceScatterArgs {
  /** What is written. */
  src: Tensor;
  /** The dimension; default 0. */
  dim?: number;
  /** First position. */
  start?: number | null;
  /** One past the last position. */
  end?: number | null;
  /** Step; default 1. */
  step?: number;
}
const sliceScatterArgs = signature<SliceScatterArgs>("sliceScatter", ["src", "dim", "start", "end", "step"], [], 1);

/** A copy of `x` with a range of slices replaced. */
export function sliceScatter(
  x: Tensor,
  ...args: Args<SliceScatterArgs, ["src", "dim", "start", "end", "step"]>
): Tensor {
  const { src, dim = 0, start = null, end = null, step = 1 } = sliceScatterArgs(args);
  return scatterView("sliceScatter", x, src, (part) => sliceAt(part, dim, start, end, step));
}

/** The parameters of {@linkcode diagonalScatter}. */
export interface DiagonalScatterArgs extends DiagonalArgs {
  /** What is written. */
  src: Tensor;
}
const diagonalScatterArgs = signature<DiagonalScatterArgs>(
  "diagonalScatter",
  ["src", "offset", "dim1", "dim2"],
  [],
  1,
);

/** A copy of `x` with a diagonal replaced. */
export function diagonalScatter(
  x: Tensor,
  ...args: Args<DiagonalScatterArgs, ["src", "offset", "dim1", "dim2"]>
): Tensor {
  const { src, offset = 0, dim1 = 0, dim2 = 1 } = diagonalScatterArgs(args);
  return scatterView("diagonalScatter", x, src, (part) => diagonalOf(part, offset, dim1, dim2));
}

/** The parameters of {@linkcode unfold}. */
export interface UnfoldArgs {
  /** The dimension over which windows slide. */
  dimension: number;
  /** Size of a window. */
  size: number;
  /** Step between windows. */
  step: number;
}
const unfoldArgs = signature<UnfoldArgs>("unfold", ["dimension", "size", "step"], [], 3);

/**
 * Sliding windows of a dimension, as a view with the window as last dimension.
 *
 * Shape: `[…, n, …]` to `[…, (n - size) / step + 1, …, size]`.
 *
 * @param x any tensor
 */
export function unfold(x: Tensor, ...args: Args<UnfoldArgs, ["dimension", "size", "step"]>): Tensor {
  checkAlive("unfold", x);
  const { dimension, size, step } = unfoldArgs(args);
  const d = wrapDim("unfold", dimension, x.ndim);
  const n = x.ndim === 0 ? 1 : x.shape[d];
  if (!Number.isInteger(size) || size < 0 || size > n) {
    throw new ShapeError(`unfold(): the window must fit the dimension: size ${size} along dimension ${d} of size ${n}`);
  }
  if (!Number.isInteger(step) || step < 1) throw new ShapeError(`unfold(): the step must be positive: ${step}`);
  const shape = [...x.shape, size], strides = [...x.strides, x.ndim === 0 ? 1 : x.strides[d]];
  if (x.ndim > 0) {
    shape[d] = Math.floor((n - size) / step) + 1;
    strides[d] = x.strides[d] * step;
  }
  const from = x.shape;
  return recordView("UnfoldBackward0", x, makeView(x, shape, strides), (g) => unfoldGradient(g, from, d, size, step));
}

/** Adds each tap of the windows at its place. */
function unfoldGradient(grad: Tensor, shape: readonly number[], d: number, size: number, step: number): Tensor {
  if (shape.length === 0) return size === 0 ? grad.newZeros([]) : reshapeTo(grad, []);
  const count = grad.shape[d];
  const out = unrecorded(() => {
    const zeros = grad.newZeros(shape);
    for (let tap = 0; tap < size; tap++) {
      sliceAt(zeros, d, tap, tap + (count - 1) * step + 1, step).add_(selectAt(grad, -1, tap));
    }
    return zeros;
  });
  return record("UnfoldBackwardBackward0", out, [grad], [], (g) => [unfold(g, d, size, step)]);
}

/** The parameters of {@linkcode asStrided}. */
export interface AsStridedArgs {
  /** Sizes. */
  size: readonly number[];
  /** Steps in elements, not negative. */
  stride: readonly number[];
  /** First element in the storage; default: that of the tensor. */
  storageOffset?: number | null;
}
const asStridedArgs = signature<AsStridedArgs>("asStrided", ["size", "stride", "storageOffset"], [], 2);

/** A view of the tensor's storage with any sizes, strides and offset that stay inside it. */
export function asStrided(x: Tensor, ...args: Args<AsStridedArgs, ["size", "stride", "storageOffset"]>): Tensor {
  const { size, stride, storageOffset } = asStridedArgs(args);
  return asStridedTo(x, size, stride, storageOffset ?? undefined);
}

/** The parameters of {@linkcode asStridedScatter}. */
export interface AsStridedScatterArgs extends AsStridedArgs {
  /** What is written. */
  src: Tensor;
}
const asStridedScatterArgs = signature<AsStridedScatterArgs>(
  "asStridedScatter",
  ["src", "size", "stride", "storageOffset"],
  [],
  3,
);

/** A copy of `x` with the elements of a strided view replaced. */
export function asStridedScatter(
  x: Tensor,
  ...args: Args<AsStridedScatterArgs, ["src", "size", "stride", "storageOffset"]>
): Tensor {
  const { src, size, stride, storageOffset } = asStridedScatterArgs(args);
  return scatterView(
    "asStridedScatter",
    x,
    src,
    (part) => asStridedTo(part, size, stride, storageOffset ?? part.offset),
  );
}

/** A complex tensor as real pairs: a view of shape `[…, 2]`. */
export function viewAsReal(x: Tensor): Tensor {
  checkAlive("viewAsReal", x);
  if (!x.dtype.isComplex) throw new DTypeError(`viewAsReal(): a complex tensor is needed: ${x.dtype}`);
  const out = makeView(x, [...x.shape, 2], [...x.strides.map((s) => 2 * s), 1], 2 * x.offset, toReal(x.dtype));
  return recordView("ViewAsRealBackward0", x, out, (g) => viewAsComplex(g.contiguous()));
}

/** Real pairs in the last dimension as a complex tensor: a view without that dimension. */
export function viewAsComplex(x: Tensor): Tensor {
  checkAlive("viewAsComplex", x);
  const last = x.ndim - 1;
  if (x.dtype.name !== "float32" && x.dtype.name !== "float64") {
    throw new DTypeError(`viewAsComplex(): a float32 or float64 tensor is needed: ${x.dtype}`);
  }
  const strides = x.strides.slice(0, -1);
  if (x.shape[last] !== 2 || x.strides[last] !== 1 || x.offset % 2 !== 0 || strides.some((s) => s % 2 !== 0)) {
    throw new ShapeError(
      `viewAsComplex(): the last dimension must hold contiguous pairs: shape ${show(x.shape)}, strides ${
        show(x.strides)
      }`,
    );
  }
  const out = makeView(x, x.shape.slice(0, -1), strides.map((s) => s / 2), x.offset / 2, toComplex(x.dtype));
  return recordView("ViewAsComplexBackward0", x, out, (g) => viewAsReal(g));
}

/** The tensor itself: conjugation is never deferred here, so there is nothing to resolve. */
export function resolveConj(x: Tensor): Tensor {
  checkAlive("resolveConj", x);
  return x;
}

/** The tensor itself: negation is never deferred here, so there is nothing to resolve. */
export function resolveNeg(x: Tensor): Tensor {
  checkAlive("resolveNeg", x);
  return x;
}
