/**
 * Shapes: reshape, view, permute, expand, squeeze, flatten, diagonal, unfold, and complex tensors seen as real.
 *
 * Everything here is a view where the layout allows it and shares memory with its input, as in PyTorch. The geometry is in
 * `view_core.ts`; splitting is in `split.ts`.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Args, call, isPlainObject, NoArgs, type SpreadArgs, spreadCall } from "../../base/call.ts";
import { record, recordView } from "../../autograd/record.ts";
import { type DType, DType as DTypeClass, toComplex, toReal } from "../../base/dtype.ts";
import { checkCount, checkInteger, checkIntegers } from "../../base/checks.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError, show } from "../../base/errors.ts";
import { inferShape, wrapDim, wrapDims } from "../../base/shape.ts";
import { checkAlive, checkTensor, Tensor } from "../../tensor/tensor.ts";
import { asMethod, type MethodForm, type Op, op, type SpreadOp, spreadOp } from "../core/op.ts";
import { neededValues } from "../core/values.ts";
import {
  asStridedTo,
  diagonalOf,
  expandTo,
  makeView,
  permuteTo,
  reshapeTo,
  selectAt,
  sliceAt,
  transposeTo,
  viewTo,
} from "../core/view_core.ts";

/** The parameters of {@linkcode reshape}. */
export class ReshapeArgs {
  constructor(
    /** New sizes, spread or as an array; one may be -1 and is inferred. */
    public shape: readonly number[],
  ) {}
}

/**
 * The same elements with another shape: a view where the layout allows one, else a copy.
 *
 * @param input any tensor
 * @throws {ShapeError} if the number of elements differs
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(torch.arange(6).reshape(2, -1).shape, [2, 3]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
 */
export const reshape: SpreadOp<typeof ReshapeArgs> = spreadOp(
  "reshape",
  ReshapeArgs,
  (input, { shape }) => reshapeTo(input, shape),
);

/** The parameters of {@linkcode reshapeAs} and {@linkcode expandAs}. */
export class ReshapeAsArgs {
  constructor(
    /** The tensor whose shape is wanted. */
    public other: Tensor,
  ) {}
}

/** The elements of `input` with the shape of `other`; see {@linkcode reshape}. */
export const reshapeAs: Op<typeof ReshapeAsArgs> = op(
  "reshapeAs",
  ReshapeAsArgs,
  (input, { other }) => {
    checkTensor("reshapeAs", "other", other);
    return reshapeTo(input, other.shape, "reshapeAs");
  },
);

/** The parameters of {@linkcode view} with another shape. */
export class ViewSizeArgs {
  constructor(
    /** New sizes, spread or as an array; one may be -1 and is inferred. */
    public size: readonly number[],
  ) {}
}

/** The parameters of {@linkcode view} as another dtype. */
export class ViewDtypeArgs {
  constructor(
    /** How the bytes are read. */
    public dtype: DType,
  ) {}
}

const viewSizes = spreadCall("view", ViewSizeArgs), viewArgs = call("view", ViewDtypeArgs);

/** How {@linkcode view} is called, after the arguments `S`. */
export interface ViewCalls<S extends readonly unknown[]> {
  /** With another shape. */
  (...args: [...S, ...SpreadArgs<typeof ViewSizeArgs>]): Tensor;
  /** As another dtype. */
  (...args: [...S, ...Args<typeof ViewDtypeArgs>]): Tensor;
}

/**
 * A view with another shape, or the same bytes read as another dtype.
 *
 * On WebGPU: only float32, int32, uint32 and complex64 are held as bytes that another dtype can read.
 *
 * @param input any tensor
 * @throws {ShapeError} if the layout has no such view; `reshape` copies then
 */
export const view: ViewCalls<[input: Tensor]> & MethodForm<ViewCalls<[]>> = asMethod((
  input: Tensor,
  ...args: readonly unknown[]
): Tensor => {
  checkTensor("view", "input", input);
  const [first] = args;
  if (args.length === 1 && first instanceof DTypeClass) return viewDtype(input, first);
  if (args.length === 1 && isPlainObject(first) && "dtype" in first) return viewDtype(input, viewArgs(args).dtype);
  return viewTo(input, viewSizes(args).size);
});

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

/** The parameters of {@linkcode viewAs}. */
export class ViewAsArgs {
  constructor(
    /** The tensor whose shape is wanted. */
    public other: Tensor,
  ) {}
}

/** A view of `input` with the shape of `other`; see {@linkcode view}. */
export const viewAs: Op<typeof ViewAsArgs> = op(
  "viewAs",
  ViewAsArgs,
  (input, { other }) => {
    checkTensor("viewAs", "other", other);
    return viewTo(input, other.shape, "viewAs");
  },
);

/** The parameters of {@linkcode flatten}. */
export class FlattenArgs {
  constructor(
    /** First dimension to merge. */
    public startDim = 0,
    /** Last dimension to merge. */
    public endDim: number = -1,
  ) {}
}

/**
 * Merges the dimensions from `startDim` to `endDim` into one.
 *
 * Shape: `[…, a, b, …]` to `[…, a·b, …]`; a 0-d tensor becomes `[1]`.
 *
 * @param input any tensor
 */
export const flatten: Op<typeof FlattenArgs> = op("flatten", FlattenArgs, (input, { startDim, endDim }) => {
  const start = wrapDim("flatten", startDim, input.ndim), end = wrapDim("flatten", endDim, input.ndim);
  if (start > end) throw new ShapeError(`flatten(): startDim comes after endDim: ${startDim} and ${endDim}`);
  if (input.ndim === 0) return reshapeTo(input, [1], "flatten");
  if (start === end) return input;
  const merged = input.shape.slice(start, end + 1).reduce((a, b) => a * b, 1);
  return reshapeTo(input, [...input.shape.slice(0, start), merged, ...input.shape.slice(end + 1)], "flatten");
});

/** The elements in row-major order as one dimension. */
export const ravel: Op<typeof NoArgs> = op(
  "ravel",
  NoArgs,
  (input) => viewTo(input.contiguous(), [input.numel()], "ravel"),
);

/** The parameters of {@linkcode unflatten}. */
export class UnflattenArgs {
  constructor(
    /** The dimension to split. */
    public dim: number,
    /** Its new sizes; one may be -1. */
    public sizes: readonly number[],
  ) {}
}

/**
 * Splits one dimension into several.
 *
 * @param input any tensor
 * @throws {ShapeError} if the sizes' product is not the dimension's size
 */
export const unflatten: Op<typeof UnflattenArgs> = op("unflatten", UnflattenArgs, (input, { dim, sizes }) => {
  checkIntegers("unflatten", "sizes", sizes);
  const d = wrapDim("unflatten", dim, input.ndim);
  if (sizes.length === 0) throw new ShapeError("unflatten(): sizes must not be empty: []");
  const inner = inferShape("unflatten", sizes, input.shape[d]);
  return viewTo(input, [...input.shape.slice(0, d), ...inner, ...input.shape.slice(d + 1)], "unflatten");
});

/** The parameters of {@linkcode squeeze}. */
export class SqueezeArgs {
  constructor(
    /** Which dimensions to remove where their size is 1; `null`: all. */
    public dim: number | readonly number[] | null = null,
  ) {}
}

/**
 * Removes dimensions of size 1; others are left alone.
 *
 * @param input any tensor
 */
export const squeeze: Op<typeof SqueezeArgs> = op("squeeze", SqueezeArgs, (input, { dim }) => {
  checkAlive("squeeze", input);
  // wrapDims reads an empty list as "all", which is what PyTorch does for None only.
  const dims = Array.isArray(dim) && dim.length === 0 ? [] : wrapDims("squeeze", dim as number, input.ndim);
  const keep = (d: number) => input.shape[d] !== 1 || !dims.includes(d);
  const out = makeView(input, input.shape.filter((_, d) => keep(d)), input.strides.filter((_, d) => keep(d)));
  return recordView("SqueezeBackward0", input, out, reshapeTo, input.shape);
});

/** The parameters of {@linkcode unsqueeze}. */
export class UnsqueezeArgs {
  constructor(
    /** Where, from `-ndim - 1` to `ndim`. */
    public dim: number,
  ) {}
}

/**
 * Inserts a dimension of size 1.
 *
 * @param input any tensor
 */
export const unsqueeze: Op<typeof UnsqueezeArgs> = op("unsqueeze", UnsqueezeArgs, (input, { dim }) => {
  checkAlive("unsqueeze", input);
  const d = wrapDim("unsqueeze", dim, input.ndim + 1);
  const step = d < input.ndim ? input.shape[d] * input.strides[d] : 1;
  const shape = [...input.shape.slice(0, d), 1, ...input.shape.slice(d)];
  const strides = [...input.strides.slice(0, d), step, ...input.strides.slice(d)];
  return recordView("UnsqueezeBackward0", input, makeView(input, shape, strides), squeeze, d);
});

/** The parameters of {@linkcode transpose}. */
export class TransposeArgs {
  constructor(
    /** One dimension. */
    public dim0: number,
    /** The other one. */
    public dim1: number,
  ) {}
}

/** Swaps two dimensions. */
export const transpose: Op<typeof TransposeArgs> = op(
  "transpose",
  TransposeArgs,
  (input, { dim0, dim1 }) => transposeTo(input, dim0, dim1),
);

/** The parameters of {@linkcode swapaxes}. */
export class SwapaxesArgs {
  constructor(
    /** One dimension. */
    public axis0: number,
    /** The other one. */
    public axis1: number,
  ) {}
}

/** Swaps two dimensions; NumPy's name of {@linkcode transpose}. */
export const swapaxes: Op<typeof SwapaxesArgs> = op(
  "swapaxes",
  SwapaxesArgs,
  (input, { axis0, axis1 }) => transposeTo(input, axis0, axis1, "swapaxes"),
);

/** Swaps two dimensions; another name of {@linkcode transpose}. */
export const swapdims: Op<typeof TransposeArgs> = op(
  "swapdims",
  TransposeArgs,
  (input, { dim0, dim1 }) => transposeTo(input, dim0, dim1, "swapdims"),
);

/** The transpose of a matrix; vectors and 0-d tensors are returned as they are. */
export const t: Op<typeof NoArgs> = op("t", NoArgs, (input) => {
  if (input.ndim > 2) {
    throw new ShapeError(`t(): at most 2 dimensions are allowed: ${show(input.shape)}; use mT or permute()`);
  }
  return input.ndim < 2 ? permuteTo(input, input.ndim === 1 ? [0] : [], "t") : transposeTo(input, 0, 1, "t");
});

/** The conjugate transpose of the last two dimensions; the property `mH` as a method. */
export const adjoint: Op<typeof NoArgs> = op("adjoint", NoArgs, (input) => input.mH);

/** The parameters of {@linkcode permute}. */
export class PermuteArgs {
  constructor(
    /** Every dimension once, spread or as an array. */
    public dims: readonly number[],
  ) {}
}

/** Dimensions in another order. */
export const permute: SpreadOp<typeof PermuteArgs> = spreadOp("permute", PermuteArgs, (input, { dims: list }) => {
  if (list.length !== input.ndim) {
    throw new ShapeError(`permute(): every dimension is needed once: ${show(list)} for shape ${show(input.shape)}`);
  }
  return permuteTo(input, list.length === 0 ? [] : wrapDims("permute", list, input.ndim));
});

/** The parameters of {@linkcode movedim}. */
export class MovedimArgs {
  constructor(
    /** Which dimensions. */
    public source: number | readonly number[],
    /** Where they go. */
    public destination: number | readonly number[],
  ) {}
}

/** Moves dimensions to other places; the others keep their order. */
export const movedim: Op<typeof MovedimArgs> = op(
  "movedim",
  MovedimArgs,
  (input, args) => movedimTo("movedim", input, args),
);

function movedimTo(op: string, input: Tensor, { source, destination }: MovedimArgs): Tensor {
  const list = (v: number | readonly number[]) => typeof v === "number" ? [v] : v;
  checkIntegers(op, "source", list(source));
  checkIntegers(op, "destination", list(destination));
  if (list(source).length !== list(destination).length) {
    throw new ArgumentError(
      `${op}(): source and destination differ in length: ${show(list(source))} and ${show(list(destination))}`,
    );
  }
  if (list(source).length === 0) return permuteTo(input, input.shape.map((_, i) => i), op);
  const from = wrapDims(op, source, input.ndim), to = wrapDims(op, destination, input.ndim);
  const order = new Array<number>(input.ndim).fill(-1);
  to.forEach((d, i) => order[d] = from[i]);
  const rest = input.shape.map((_, i) => i).filter((i) => !from.includes(i));
  for (let d = 0, next = 0; d < input.ndim; d++) if (order[d] < 0) order[d] = rest[next++];
  return permuteTo(input, order, op);
}

/** Moves dimensions; NumPy's name of {@linkcode movedim}. */
export const moveaxis: Op<typeof MovedimArgs> = op(
  "moveaxis",
  MovedimArgs,
  (input, args) => movedimTo("moveaxis", input, args),
);

/** The parameters of {@linkcode expand} and {@linkcode broadcastTo}. */
export class ExpandArgs {
  constructor(
    /** New sizes, spread or as an array; -1 keeps a size. */
    public size: readonly number[],
  ) {}
}

/** Repeats dimensions of size 1 without copying. */
export const expand: SpreadOp<typeof ExpandArgs> = spreadOp(
  "expand",
  ExpandArgs,
  (input, { size }) => expandTo(input, size),
);

/** {@linkcode expand} to the shape of `other`. */
export const expandAs: Op<typeof ReshapeAsArgs> = op(
  "expandAs",
  ReshapeAsArgs,
  (input, { other }) => {
    checkTensor("expandAs", "other", other);
    return expandTo(input, other.shape, "expandAs");
  },
);

/** {@linkcode expand} to `size`, as broadcasting does. */
export const broadcastTo: SpreadOp<typeof ExpandArgs> = spreadOp(
  "broadcastTo",
  ExpandArgs,
  (input, { size }) => expandTo(input, size, "broadcastTo"),
);

/** The parameters of {@linkcode narrow} and {@linkcode narrowCopy}. */
export class NarrowArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** The first element; negative counts from the end; a 0-d tensor is read at once. */
    public start: number | Tensor,
    /** How many elements. */
    public length: number,
  ) {}
}

/**
 * The elements `start` to `start + length` of a dimension.
 *
 * On WebGPU: a `start` that is a tensor must have come from the host as it is; one that was computed must be read first.
 */
export const narrow: Op<typeof NarrowArgs> = op("narrow", NarrowArgs, (input, { dim, start, length }) => {
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
});

/** {@linkcode narrow} as a copy. */
export const narrowCopy: Op<typeof NarrowArgs> = op(
  "narrowCopy",
  NarrowArgs,
  (input, { dim, start, length }) => narrow(input, dim, start, length).clone(),
);

/** The parameters of {@linkcode select}. */
export class SelectArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** Which slice; negative counts from the end. */
    public index: number,
  ) {}
}

/** One slice of a dimension, which disappears. */
export const select: Op<typeof SelectArgs> = op(
  "select",
  SelectArgs,
  (input, { dim, index }) => selectAt(input, dim, index),
);

/** The parameters of {@linkcode diagonal}. */
export class DiagonalArgs {
  constructor(
    /** Which diagonal: 0 the main one, positive above it. */
    public offset = 0,
    /** First dimension. */
    public dim1 = 0,
    /** Second dimension. */
    public dim2 = 1,
  ) {}
}

/**
 * A diagonal of two dimensions, as the last dimension of a view.
 *
 * @param input at least 2 dimensions
 */
export const diagonal: Op<typeof DiagonalArgs> = op(
  "diagonal",
  DiagonalArgs,
  (input, { offset, dim1, dim2 }) => diagonalOf(input, offset, dim1, dim2),
);

/** The parameters of {@linkcode unfold}. */
export class UnfoldDimensionArgs {
  constructor(
    /** The dimension over which windows slide. */
    public dimension: number,
    /** Size of a window. */
    public size: number,
    /** Step between windows. */
    public step: number,
  ) {}
}

/**
 * Sliding windows of a dimension, as a view with the window as last dimension.
 *
 * Shape: `[…, n, …]` to `[…, (n - size) / step + 1, …, size]`.
 *
 * @param input any tensor
 */
export const unfold: Op<typeof UnfoldDimensionArgs> = op(
  "unfold",
  UnfoldDimensionArgs,
  (input, { dimension, size, step }) => {
    checkAlive("unfold", input);
    const d = wrapDim("unfold", dimension, input.ndim);
    const n = input.ndim === 0 ? 1 : input.shape[d];
    checkCount("unfold", "size", size, 0);
    checkCount("unfold", "step", step, 1);
    if (size > n) {
      throw new ShapeError(
        `unfold(): the window must fit the dimension: size ${size} along dimension ${d} of size ${n}`,
      );
    }
    const shape = [...input.shape, size], strides = [...input.strides, input.ndim === 0 ? 1 : input.strides[d]];
    if (input.ndim > 0) {
      shape[d] = Math.floor((n - size) / step) + 1;
      strides[d] = input.strides[d] * step;
    }
    const view = makeView(input, shape, strides, input.offset, input.dtype, "unfold");
    return recordView("UnfoldBackward0", input, view, unfoldGradient, { shape: input.shape, d, size, step });
  },
);

/** The windows of a dimension, and the shape that they are taken from. */
interface WindowsOf {
  readonly shape: readonly number[];
  readonly d: number;
  readonly size: number;
  readonly step: number;
}

/** Adds each tap of the windows at its place. */
function unfoldGradient(grad: Tensor, { shape, d, size, step }: WindowsOf): Tensor {
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
export class AsStridedArgs {
  constructor(
    /** Sizes. */
    public size: readonly number[],
    /** Steps in elements, not negative. */
    public stride: readonly number[],
    /** First element in the storage; `null`: that of the tensor. */
    public storageOffset: number | null = null,
  ) {}
}

/** A view of the tensor's storage with any sizes, strides and offset that stay inside it. */
export const asStrided: Op<typeof AsStridedArgs> = op(
  "asStrided",
  AsStridedArgs,
  (input, { size, stride, storageOffset }) => asStridedTo(input, size, stride, storageOffset ?? undefined),
);

/** A complex tensor as real pairs: a view of shape `[…, 2]`. */
export const viewAsReal: Op<typeof NoArgs> = op("viewAsReal", NoArgs, (input) => {
  checkAlive("viewAsReal", input);
  if (!input.dtype.isComplex) throw new DTypeError(`viewAsReal(): a complex tensor is needed: ${input.dtype}`);
  const out = makeView(
    input,
    [...input.shape, 2],
    [...input.strides.map((s) => 2 * s), 1],
    2 * input.offset,
    toReal(input.dtype),
  );
  return recordView("ViewAsRealBackward0", input, out, (g) => viewAsComplex(g.contiguous()), null);
});

/** Real pairs in the last dimension as a complex tensor: a view without that dimension. */
export const viewAsComplex: Op<typeof NoArgs> = op(
  { name: "viewAsComplex", autocast: { cpu: "float32" } },
  NoArgs,
  (input) => {
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
    return recordView("ViewAsComplexBackward0", input, out, (g) => viewAsReal(g), null);
  },
);

/** The tensor itself: conjugation is never deferred here, so there is nothing to resolve. */
export const resolveConj: Op<typeof NoArgs> = op("resolveConj", NoArgs, (input) => {
  checkAlive("resolveConj", input);
  return input;
});

/** The tensor itself: negation is never deferred here, so there is nothing to resolve. */
export const resolveNeg: Op<typeof NoArgs> = op("resolveNeg", NoArgs, (input) => {
  checkAlive("resolveNeg", input);
  return input;
});
