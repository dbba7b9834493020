/**
 * Shapes: reshape, view, permute, expand, squeeze, flatten, diagonal, unfold, and complex tensors seen as real.
 *
 * Everything here is a view where the layout allows it and shares memory with its input, as in PyTorch. The geometry is in
 * `view_core.ts`; splitting is in `split.ts`.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { record, recordView } from "../autograd/record.ts";
import { type Args, signature } from "../base/args.ts";
import { type DType, DType as DTypeClass, toComplex, toReal } from "../base/dtype.ts";
import { checkCount, checkInteger, checkIntegers } from "../base/checks.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError, show } from "../base/errors.ts";
import { inferShape, wrapDim, wrapDims } from "../base/shape.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { neededValues } from "./values.ts";
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
 * @param input any tensor
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
export function reshape(input: Tensor, ...shape: Sizes): Tensor {
  return reshapeTo(input, sizesOf("reshape", shape, "shape"));
}

/** The elements of `input` with the shape of `other`; see {@linkcode reshape}. */
export function reshapeAs(input: Tensor, other: Tensor): Tensor {
  return reshapeTo(input, other.shape, "reshapeAs");
}

/**
 * A view with another shape, or the same bytes read as another dtype.
 *
 * On WebGPU: only float32, int32 and complex64 are held as bytes that another dtype can read.
 *
 * @param input any tensor
 * @param shape new sizes (one may be -1), or a dtype
 * @throws {ShapeError} if the layout has no such view; `reshape` copies then
 */
export function view(input: Tensor, ...shape: Sizes | readonly [DType]): Tensor {
  const first = shape[0];
  if (shape.length === 1 && first instanceof DTypeClass) return viewDtype(input, first);
  return viewTo(input, sizesOf("view", shape, "shape"));
}

/**
 * The bytes of `x` read as another dtype; the last dimension grows or shrinks with the size of elements. Such a view is
 * no part of the graph, as in PyTorch: writes to it show in the storage's version only.
 */
function viewDtype(x: Tensor, dtype: DType): Tensor {
  checkAlive("view", x);
  const from = x.dtype, last = x.ndim - 1;
  if (x.storage.backend.aliases?.(from, dtype) === false) {
    throw new DTypeError(
      `view(): ${x.device} does not hold ${from} as bytes that ${dtype} could read; use await x.cpu()`,
    );
  }
  if (dtype.itemsize === from.itemsize) return makeView(x, x.shape, x.strides, x.offset, dtype);
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
  return makeView(x, shape, strides, scale(x.offset), dtype);
}

/** A view of `input` with the shape of `other`; see {@linkcode view}. */
export function viewAs(input: Tensor, other: Tensor): Tensor {
  return viewTo(input, other.shape, "viewAs");
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
 * @param input any tensor
 */
export function flatten(input: Tensor, ...args: Args<FlattenArgs, ["startDim", "endDim"]>): Tensor {
  const { startDim = 0, endDim = -1 } = flattenArgs(args);
  const start = wrapDim("flatten", startDim, input.ndim), end = wrapDim("flatten", endDim, input.ndim);
  if (start > end) throw new ShapeError(`flatten(): startDim comes after endDim: ${startDim} and ${endDim}`);
  if (input.ndim === 0) return reshapeTo(input, [1], "flatten");
  if (start === end) return input;
  const merged = input.shape.slice(start, end + 1).reduce((a, b) => a * b, 1);
  return reshapeTo(input, [...input.shape.slice(0, start), merged, ...input.shape.slice(end + 1)], "flatten");
}

/** The elements in row-major order as one dimension. */
export function ravel(input: Tensor): Tensor {
  return viewTo(input.contiguous(), [input.numel()], "ravel");
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
 * @param input any tensor
 * @throws {ShapeError} if the sizes' product is not the dimension's size
 */
export function unflatten(input: Tensor, ...args: Args<UnflattenArgs, ["dim", "sizes"]>): Tensor {
  const { dim, sizes } = unflattenArgs(args);
  checkIntegers("unflatten", "sizes", sizes);
  const d = wrapDim("unflatten", dim, input.ndim);
  if (sizes.length === 0) throw new ShapeError("unflatten(): sizes must not be empty: []");
  const inner = inferShape("unflatten", sizes, input.shape[d]);
  return viewTo(input, [...input.shape.slice(0, d), ...inner, ...input.shape.slice(d + 1)], "unflatten");
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
 * @param input any tensor
 */
export function squeeze(input: Tensor, ...args: Args<SqueezeArgs, ["dim"]>): Tensor {
  checkAlive("squeeze", input);
  const { dim } = squeezeArgs(args);
  // wrapDims reads an empty list as "all", which is what PyTorch does for None only.
  const dims = Array.isArray(dim) && dim.length === 0 ? [] : wrapDims("squeeze", dim as number, input.ndim);
  const keep = (d: number) => input.shape[d] !== 1 || !dims.includes(d);
  const from = input.shape;
  const out = makeView(input, input.shape.filter((_, d) => keep(d)), input.strides.filter((_, d) => keep(d)));
  return recordView("SqueezeBackward0", input, out, (g) => reshapeTo(g, from));
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
 * @param input any tensor
 * @param args `dim`: where, from `-ndim - 1` to `ndim`
 */
export function unsqueeze(input: Tensor, ...args: Args<DimArgs, ["dim"]>): Tensor {
  checkAlive("unsqueeze", input);
  const d = wrapDim("unsqueeze", unsqueezeArgs(args).dim, input.ndim + 1);
  const step = d < input.ndim ? input.shape[d] * input.strides[d] : 1;
  const shape = [...input.shape.slice(0, d), 1, ...input.shape.slice(d)];
  const strides = [...input.strides.slice(0, d), step, ...input.strides.slice(d)];
  return recordView("UnsqueezeBackward0", input, makeView(input, shape, strides), (g) => squeeze(g, d));
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
export function transpose(input: Tensor, ...args: Args<TransposeArgs, ["dim0", "dim1"]>): Tensor {
  const { dim0, dim1 } = transposeArgs(args);
  return transposeTo(input, dim0, dim1);
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
export function swapaxes(input: Tensor, ...args: Args<SwapaxesArgs, ["axis0", "axis1"]>): Tensor {
  const { axis0, axis1 } = swapaxesArgs(args);
  return transposeTo(input, axis0, axis1, "swapaxes");
}

/** Swaps two dimensions; another name of {@linkcode transpose}. */
export function swapdims(input: Tensor, ...args: Args<TransposeArgs, ["dim0", "dim1"]>): Tensor {
  return transpose(input, ...args);
}

/** The transpose of a matrix; vectors and 0-d tensors are returned as they are. */
export function t(input: Tensor): Tensor {
  if (input.ndim > 2) {
    throw new ShapeError(`t(): at most 2 dimensions are allowed: ${show(input.shape)}; use mT or permute()`);
  }
  return input.ndim < 2 ? permuteTo(input, input.ndim === 1 ? [0] : [], "t") : transposeTo(input, 0, 1, "t");
}

/** The conjugate transpose of the last two dimensions; the property `mH` as a method. */
export function adjoint(input: Tensor): Tensor {
  return input.mH;
}

/**
 * Dimensions in another order.
 *
 * @param input any tensor
 * @param dims every dimension once, spread or as an array
 */
export function permute(
  input: Tensor,
  ...dims: readonly number[] | readonly [readonly number[]] | readonly [{ dims: readonly number[] }]
): Tensor {
  const list = sizesOf("permute", dims, "dims");
  if (list.length !== input.ndim) {
    throw new ShapeError(`permute(): every dimension is needed once: ${show(list)} for shape ${show(input.shape)}`);
  }
  return permuteTo(input, list.length === 0 ? [] : wrapDims("permute", list, input.ndim));
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
export function movedim(input: Tensor, ...args: Args<MovedimArgs, ["source", "destination"]>): Tensor {
  const { source, destination } = movedimArgs(args);
  const list = (v: number | readonly number[]) => typeof v === "number" ? [v] : v;
  checkIntegers("movedim", "source", list(source));
  checkIntegers("movedim", "destination", list(destination));
  if (list(source).length !== list(destination).length) {
    throw new ArgumentError(
      `movedim(): source and destination differ in length: ${show(list(source))} and ${show(list(destination))}`,
    );
  }
  if (list(source).length === 0) return permuteTo(input, input.shape.map((_, i) => i), "movedim");
  const from = wrapDims("movedim", source, input.ndim), to = wrapDims("movedim", destination, input.ndim);
  const order = new Array<number>(input.ndim).fill(-1);
  to.forEach((d, i) => order[d] = from[i]);
  const rest = input.shape.map((_, i) => i).filter((i) => !from.includes(i));
  for (let d = 0, next = 0; d < input.ndim; d++) if (order[d] < 0) order[d] = rest[next++];
  return permuteTo(input, order, "movedim");
}

/** Moves dimensions; NumPy's name of {@linkcode movedim}. */
export function moveaxis(input: Tensor, ...args: Args<MovedimArgs, ["source", "destination"]>): Tensor {
  return movedim(input, ...args);
}

/**
 * Repeats dimensions of size 1 without copying.
 *
 * @param input any tensor
 * @param sizes new sizes, spread or as an array; -1 keeps a size
 */
export function expand(input: Tensor, ...sizes: Sizes): Tensor {
  return expandTo(input, sizesOf("expand", sizes, "size"));
}

/** {@linkcode expand} to the shape of `other`. */
export function expandAs(input: Tensor, other: Tensor): Tensor {
  return expandTo(input, other.shape, "expandAs");
}

/** {@linkcode expand} to `size`, as broadcasting does. */
export function broadcastTo(input: Tensor, ...size: Sizes): Tensor {
  return expandTo(input, sizesOf("broadcastTo", size, "size"), "broadcastTo");
}

/** The parameters of {@linkcode narrow}. */
export interface NarrowArgs {
  /** The dimension. */
  dim: number;
  /** The first element; negative counts from the end; a 0-d tensor is read at once. */
  start: number | Tensor;
  /** How many elements. */
  length: number;
}
const narrowArgs = signature<NarrowArgs>("narrow", ["dim", "start", "length"], [], 3);

/**
 * The elements `start` to `start + length` of a dimension.
 *
 * On WebGPU: a `start` that is a tensor must have come from the host as it is; one that was computed must be read first.
 */
export function narrow(input: Tensor, ...args: Args<NarrowArgs, ["dim", "start", "length"]>): Tensor {
  const { dim, start, length } = narrowArgs(args);
  if (input.ndim === 0) throw new ShapeError("narrow(): a 0-d tensor cannot be narrowed: []");
  const d = wrapDim("narrow", dim, input.ndim), size = input.shape[d];
  if (start instanceof Tensor && (start.ndim !== 0 || start.dtype.kind !== "integer")) {
    throw new ArgumentError(`narrow(): start must be a 0-d integer tensor: ${start.dtype} ${show(start.shape)}`);
  }
  const first = start instanceof Tensor ? neededValues("narrow", "start", start)[0] : start;
  checkInteger("narrow", "start", first);
  if (first < -size || first > size) {
    throw new IndexError(`narrow(): start out of range: ${first} along dimension ${d} of size ${size}`);
  }
  const from = first < 0 ? first + size : first;
  checkCount("narrow", "length", length, 0);
  if (from + length > size) {
    throw new ShapeError(
      `narrow(): start + length exceeds the size: ${from} + ${length} along dimension ${d} of size ${size}`,
    );
  }
  return sliceAt(input, d, from, from + length, 1, "narrow");
}

/** {@linkcode narrow} as a copy. */
export function narrowCopy(input: Tensor, ...args: Args<NarrowArgs, ["dim", "start", "length"]>): Tensor {
  return narrow(input, ...args).clone();
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
export function select(input: Tensor, ...args: Args<SelectArgs, ["dim", "index"]>): Tensor {
  const { dim, index } = selectArgs(args);
  return selectAt(input, dim, index);
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
 * @param input at least 2 dimensions
 */
export function diagonal(input: Tensor, ...args: Args<DiagonalArgs, ["offset", "dim1", "dim2"]>): Tensor {
  const { offset = 0, dim1 = 0, dim2 = 1 } = diagonalArgs(args);
  return diagonalOf(input, offset, dim1, dim2);
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

/** A copy of `input` with one slice replaced. */
export function selectScatter(input: Tensor, ...args: Args<SelectScatterArgs, ["src", "dim", "index"]>): Tensor {
  const { src, dim, index } = selectScatterArgs(args);
  return scatterView("selectScatter", input, src, (part) => selectAt(part, dim, index));
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

/** A copy of `input` with a range of slices replaced. */
export function sliceScatter(
  input: Tensor,
  ...args: Args<SliceScatterArgs, ["src", "dim", "start", "end", "step"]>
): Tensor {
  const { src, dim = 0, start = null, end = null, step = 1 } = sliceScatterArgs(args);
  return scatterView("sliceScatter", input, src, (part) => sliceAt(part, dim, start, end, step));
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

/** A copy of `input` with a diagonal replaced. */
export function diagonalScatter(
  input: Tensor,
  ...args: Args<DiagonalScatterArgs, ["src", "offset", "dim1", "dim2"]>
): Tensor {
  const { src, offset = 0, dim1 = 0, dim2 = 1 } = diagonalScatterArgs(args);
  return scatterView("diagonalScatter", input, src, (part) => diagonalOf(part, offset, dim1, dim2));
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
 * @param input any tensor
 */
export function unfold(input: Tensor, ...args: Args<UnfoldArgs, ["dimension", "size", "step"]>): Tensor {
  checkAlive("unfold", input);
  const { dimension, size, step } = unfoldArgs(args);
  const d = wrapDim("unfold", dimension, input.ndim);
  const n = input.ndim === 0 ? 1 : input.shape[d];
  checkCount("unfold", "size", size, 0);
  checkCount("unfold", "step", step, 1);
  if (size > n) {
    throw new ShapeError(`unfold(): the window must fit the dimension: size ${size} along dimension ${d} of size ${n}`);
  }
  const shape = [...input.shape, size], strides = [...input.strides, input.ndim === 0 ? 1 : input.strides[d]];
  if (input.ndim > 0) {
    shape[d] = Math.floor((n - size) / step) + 1;
    strides[d] = input.strides[d] * step;
  }
  const from = input.shape;
  return recordView(
    "UnfoldBackward0",
    input,
    makeView(input, shape, strides, input.offset, input.dtype, "unfold"),
    (g) => unfoldGradient(g, from, d, size, step),
  );
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
export function asStrided(input: Tensor, ...args: Args<AsStridedArgs, ["size", "stride", "storageOffset"]>): Tensor {
  const { size, stride, storageOffset } = asStridedArgs(args);
  return asStridedTo(input, size, stride, storageOffset ?? undefined);
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

/** A copy of `input` with the elements of a strided view replaced. */
export function asStridedScatter(
  input: Tensor,
  ...args: Args<AsStridedScatterArgs, ["src", "size", "stride", "storageOffset"]>
): Tensor {
  const { src, size, stride, storageOffset } = asStridedScatterArgs(args);
  return scatterView(
    "asStridedScatter",
    input,
    src,
    (part) => asStridedTo(part, size, stride, storageOffset ?? part.offset),
  );
}

/** A complex tensor as real pairs: a view of shape `[…, 2]`. */
export function viewAsReal(input: Tensor): Tensor {
  checkAlive("viewAsReal", input);
  if (!input.dtype.isComplex) throw new DTypeError(`viewAsReal(): a complex tensor is needed: ${input.dtype}`);
  const out = makeView(
    input,
    [...input.shape, 2],
    [...input.strides.map((s) => 2 * s), 1],
    2 * input.offset,
    toReal(input.dtype),
  );
  return recordView("ViewAsRealBackward0", input, out, (g) => viewAsComplex(g.contiguous()));
}

/** Real pairs in the last dimension as a complex tensor: a view without that dimension. */
export function viewAsComplex(input: Tensor): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, viewAsComplex, input);
  checkAlive("viewAsComplex", input);
  const last = input.ndim - 1;
  if (input.dtype.name !== "float32" && input.dtype.name !== "float64") {
    throw new DTypeError(`viewAsComplex(): a float32 or float64 tensor is needed: ${input.dtype}`);
  }
  const strides = input.strides.slice(0, -1);
  if (
    input.shape[last] !== 2 || input.strides[last] !== 1 || input.offset % 2 !== 0 || strides.some((s) => s % 2 !== 0)
  ) {
    throw new ShapeError(
      `viewAsComplex(): the last dimension must hold contiguous pairs: shape ${show(input.shape)}, strides ${
        show(input.strides)
      }`,
    );
  }
  const out = makeView(
    input,
    input.shape.slice(0, -1),
    strides.map((s) => s / 2),
    input.offset / 2,
    toComplex(input.dtype),
  );
  return recordView("ViewAsComplexBackward0", input, out, (g) => viewAsReal(g));
}

/** The tensor itself: conjugation is never deferred here, so there is nothing to resolve. */
export function resolveConj(input: Tensor): Tensor {
  checkAlive("resolveConj", input);
  return input;
}

/** The tensor itself: negation is never deferred here, so there is nothing to resolve. */
export function resolveNeg(input: Tensor): Tensor {
  checkAlive("resolveNeg", input);
  return input;
}
