/**
 * Splitting a tensor into views, and raising its number of dimensions.
 *
 * The parts of one split share one graph node, whose gradient joins theirs: a split of the projected queries, keys and
 * values costs one concatenation in backward, not three full-size additions.
 *
 * @module
 */

import { type Op, op } from "../core/op.ts";
import { type SpreadArgs, spreadCall } from "../../base/call.ts";
import { checkCount, checkIntegers, checkResults } from "../../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { checkAlive, checkTensors, Tensor } from "../../tensor/tensor.ts";
import { cat, stack } from "./join.ts";
import { neededValues } from "../core/values.ts";
import { makeView, recordViews, reshapeTo } from "../core/view_core.ts";

/** Consecutive parts of a dimension with the given sizes. */
function splitSizes(op: string, x: Tensor, sizes: readonly number[], dim: number): Tensor[] {
  checkAlive(op, x);
  if (x.ndim === 0) throw new ShapeError(`${op}(): a 0-d tensor cannot be split`);
  const d = wrapDim(op, dim, x.ndim);
  checkResults(op, sizes.length);
  let at = 0;
  const views = sizes.map((size) => {
    const shape = [...x.shape];
    shape[d] = size;
    const view = makeView(x, shape, x.strides, x.offset + at * x.strides[d]);
    at += size;
    return view;
  });
  const shapes = views.map((v) => v.shape);
  return recordViews("SplitWithSizesBackward0", x, views, (grads) => {
    const like = grads.find((g) => g !== null)!;
    return cat(grads.map((g, i) => g ?? like.newZeros(shapes[i])), d);
  });
}

/** The parameters of {@linkcode split}. */
export class SplitArgs {
  constructor(
    /** The size of each part (the last may be smaller), or all sizes. */
    public splitSizeOrSections: number | readonly number[],
    /** The dimension. */
    public dim = 0,
  ) {}
}

/**
 * Views of consecutive parts of a dimension.
 *
 * @param input at least 1 dimension
 * @throws {ShapeError} if sizes do not add up to the dimension's size
 */
export const split: Op<typeof SplitArgs, Tensor[]> = op(
  "split",
  SplitArgs,
  (input, { splitSizeOrSections: by, dim }) => {
    if (typeof by !== "number") return splitWithSizes(input, by, dim);
    if (input.ndim === 0) throw new ShapeError("split(): a 0-d tensor cannot be split: []");
    const size = input.shape[wrapDim("split", dim, input.ndim)];
    if (!Number.isInteger(by) || by < 0 || (by === 0 && size !== 0)) {
      throw new ShapeError(`split(): the size of a part must be positive: ${describe(by)}`);
    }
    checkResults("split", by === 0 ? 1 : Math.ceil(size / by));
    return splitSizes("split", input, evenSizes(size, by), dim);
  },
);

/** As many parts of size `by` as fit, and the rest; an empty dimension is one empty part. */
function evenSizes(size: number, by: number): number[] {
  const sizes: number[] = [];
  for (let at = 0; at < size; at += by) sizes.push(Math.min(by, size - at));
  return sizes.length === 0 ? [0] : sizes;
}

/** The parameters of {@linkcode splitWithSizes}. */
export class SplitWithSizesArgs {
  constructor(
    /** All sizes. */
    public splitSizes: readonly number[],
    /** The dimension. */
    public dim = 0,
  ) {}
}

/** {@linkcode split} by a list of sizes. */
export const splitWithSizes: Op<typeof SplitWithSizesArgs, Tensor[]> = op(
  "splitWithSizes",
  SplitWithSizesArgs,
  (input, { splitSizes: sizes, dim }) => {
    if (input.ndim === 0) throw new ShapeError("split(): a 0-d tensor cannot be split: []");
    const size = input.shape[wrapDim("split", dim, input.ndim)];
    checkIntegers("split", "sizes", sizes);
    if (sizes.some((s) => s < 0) || sizes.reduce((a, b) => a + b, 0) !== size) {
      throw new ShapeError(`split(): sizes must add up to the dimension's: ${show(sizes)} for ${size}`);
    }
    return splitSizes("split", input, sizes, dim);
  },
);

/** The parameters of {@linkcode chunk}. */
export class ChunkArgs {
  constructor(
    /** How many parts at most. */
    public chunks: number,
    /** The dimension. */
    public dim = 0,
  ) {}
}

/** At most `chunks` parts of equal size, the last perhaps smaller. */
export const chunk: Op<typeof ChunkArgs, Tensor[]> = op("chunk", ChunkArgs, (input, { chunks, dim }) => {
  if (input.ndim === 0) throw new ShapeError("chunk(): a 0-d tensor cannot be split: []");
  checkCount("chunk", "the number of chunks", chunks, 1);
  const size = input.shape[wrapDim("chunk", dim, input.ndim)];
  checkResults("chunk", size === 0 ? chunks : Math.min(chunks, size));
  if (size === 0) return splitSizes("chunk", input, new Array<number>(chunks).fill(0), dim);
  return splitSizes("chunk", input, evenSizes(size, Math.ceil(size / chunks)), dim);
});

/** Where a dimension is cut: the number of parts, or the positions. */
export class CutsArgs {
  /** The number of parts. */
  sections: number | null = null;
  /** Where to cut. */
  indices: readonly number[] | null = null;
  constructor(
    /** The number of parts, or where to cut. */
    public indicesOrSections: number | readonly number[] | null = null,
  ) {}
}

/** The parameters of {@linkcode tensorSplit}. */
export class TensorSplitArgs {
  /** The number of parts. */
  sections: number | null = null;
  /** Where to cut. */
  indices: readonly number[] | null = null;
  constructor(
    /** The number of parts, or where to cut; a tensor of either is read at once. */
    public indicesOrSections: number | readonly number[] | Tensor | null = null,
    /** The dimension. */
    public dim = 0,
  ) {}
}

/**
 * Parts of nearly equal size (`sections`), or cut at positions (`indices`).
 *
 * On WebGPU: a tensor of either must have come from the host as it is; one that was computed must be read first.
 *
 * @param input at least 1 dimension
 */
export const tensorSplit: Op<typeof TensorSplitArgs, Tensor[]> = op("tensorSplit", TensorSplitArgs, (input, given) => {
  const { dim } = given;
  let by = given.indicesOrSections ?? given.sections ?? given.indices;
  if (by instanceof Tensor) {
    if (by.ndim > 1 || by.dtype.name !== "int64") {
      throw new ArgumentError(
        `tensorSplit(): an int64 tensor with at most 1 dimension is needed: ${by.dtype} ${show(by.shape)}`,
      );
    }
    const values = neededValues("tensorSplit", "the tensor of sections or indices", by);
    by = by.ndim === 0 ? values[0] : values;
  }
  if (typeof by !== "number" && !Array.isArray(by)) {
    throw new ArgumentError(`tensorSplit(): expected a number of sections or a list of indices: ${describe(by)}`);
  }
  if (input.ndim === 0) throw new ShapeError("tensorSplit(): a 0-d tensor cannot be split: []");
  return splitAt("tensorSplit", input, by, wrapDim("tensorSplit", dim, input.ndim));
});

function splitAt(op: string, x: Tensor, by: number | readonly number[], d: number): Tensor[] {
  const size = x.shape[d];
  if (typeof by === "number") {
    if (!Number.isInteger(by) || by < 1) {
      throw new ShapeError(`${op}(): the number of sections must be positive: ${describe(by)}`);
    }
    checkResults(op, by);
    const small = Math.floor(size / by), larger = size % by;
    return splitSizes(op, x, Array.from({ length: by }, (_, i) => small + (i < larger ? 1 : 0)), d);
  }
  // Cuts follow Python's slicing: clamped, negative from the end, and a cut before the last one gives an empty part.
  checkIntegers(op, "indices", by);
  checkResults(op, by.length + 1);
  const clamp = (v: number) => Math.min(Math.max(v < 0 ? v + size : v, 0), size);
  const starts = [0, ...by.map(clamp)], ends = [...by.map(clamp), size];
  return recordViews(
    "TensorSplitBackward0",
    x,
    starts.map((start, i) => {
      const shape = [...x.shape];
      shape[d] = Math.max(ends[i] - start, 0);
      return makeView(x, shape, x.strides, x.offset + (shape[d] === 0 ? 0 : start * x.strides[d]));
    }),
    (grads) => {
      const like = grads.find((g) => g !== null)!;
      const out = like.newZeros(x.shape);
      return starts.reduce((sum, start, i) => {
        const g = grads[i];
        if (g === null || ends[i] <= start) return sum;
        const before = [...x.shape], after = [...x.shape];
        before[d] = start;
        after[d] = size - ends[i];
        return sum.add(cat([like.newZeros(before), g, like.newZeros(after)], d));
      }, out);
    },
  );
}

/** {@linkcode tensorSplit} along a dimension of its own, into equal sections. */
function axisSplit(op: string, x: Tensor, cuts: CutsArgs, least: number, dim: number): Tensor[] {
  if (x.ndim < least) {
    throw new ShapeError(`${op}(): at least ${least} dimension${least > 1 ? "s are" : " is"} needed: ${show(x.shape)}`);
  }
  const by = cuts.sections ?? cuts.indices ?? cuts.indicesOrSections;
  if (Array.isArray(by)) return splitAt(op, x, by, dim);
  if (typeof by !== "number") {
    throw new ArgumentError(`${op}(): expected a number of sections or a list of indices: ${describe(by)}`);
  }
  if (by < 1 || x.shape[dim] % by !== 0) {
    throw new ShapeError(
      `${op}(): the size must be divisible by the sections: ${x.shape[dim]} along dimension ${describe(dim)} by ${
        describe(by)
      }`,
    );
  }
  return splitAt(op, x, by, dim);
}

/** {@linkcode tensorSplit} along dimension 1 (0 for vectors) into equal sections, or at indices. */
export const hsplit: Op<typeof CutsArgs, Tensor[]> = op(
  "hsplit",
  CutsArgs,
  (input, cuts) => axisSplit("hsplit", input, cuts, 1, input.ndim === 1 ? 0 : 1),
);

/** {@linkcode tensorSplit} along dimension 0 into equal sections, or at indices. */
export const vsplit: Op<typeof CutsArgs, Tensor[]> = op(
  "vsplit",
  CutsArgs,
  (input, cuts) => axisSplit("vsplit", input, cuts, 2, 0),
);

/** {@linkcode tensorSplit} along dimension 2 into equal sections, or at indices. */
export const dsplit: Op<typeof CutsArgs, Tensor[]> = op(
  "dsplit",
  CutsArgs,
  (input, cuts) => axisSplit("dsplit", input, cuts, 3, 2),
);

/** The parameters of {@linkcode unbind}. */
export class UnbindArgs {
  constructor(
    /** The dimension. */
    public dim = 0,
  ) {}
}

/** Every slice of a dimension, which disappears. */
export const unbind: Op<typeof UnbindArgs, Tensor[]> = op("unbind", UnbindArgs, (input, { dim }) => {
  checkAlive("unbind", input);
  if (input.ndim === 0) throw new ShapeError("unbind(): a 0-d tensor has no slices: []");
  const d = wrapDim("unbind", dim, input.ndim);
  checkResults("unbind", input.shape[d]);
  const shape = input.shape.filter((_, i) => i !== d), strides = input.strides.filter((_, i) => i !== d);
  const views = Array.from(
    { length: input.shape[d] },
    (_, i) => makeView(input, shape, strides, input.offset + i * input.strides[d]),
  );
  return recordViews("UnbindBackward0", input, views, (grads) => {
    const like = grads.find((g) => g !== null)!;
    return stack(grads.map((g) => g ?? like.newZeros(shape)), d);
  });
});

/** The parameters of {@linkcode atleast1d} and its kin. */
export class AtleastArgs {
  constructor(
    /** One tensor, or several, as an array or spread. */
    public tensors: readonly Tensor[],
  ) {}
}

/** How {@linkcode atleast1d} and its kin are called. */
export interface AtleastCalls {
  /** One tensor. */
  (input: Tensor): Tensor;
  /** Several tensors. */
  (...args: SpreadArgs<typeof AtleastArgs, Tensor>): Tensor[];
}

function atleast(name: string, raise: (x: Tensor) => Tensor): AtleastCalls {
  const parse = spreadCall(name, AtleastArgs, checkTensors);
  const f = (...args: readonly unknown[]): Tensor | Tensor[] => {
    const { tensors } = parse(args);
    return args.length === 1 && args[0] instanceof Tensor ? raise(args[0]) : tensors.map(raise);
  };
  return f as AtleastCalls;
}

/** 0-d tensors as `[1]`; others as they are. Several tensors give an array. */
export const atleast1d: AtleastCalls = atleast("atleast1d", (x) => x.ndim < 1 ? reshapeTo(x, [1]) : x);

/** Tensors with fewer than 2 dimensions as `[1, n]`. Several tensors give an array. */
export const atleast2d: AtleastCalls = atleast("atleast2d", (x) => x.ndim < 2 ? reshapeTo(x, [1, x.numel()]) : x);

/** Tensors with fewer than 3 dimensions as `[1, n, 1]` or `[m, n, 1]`. Several tensors give an array. */
export const atleast3d: AtleastCalls = atleast("atleast3d", (x) => {
  if (x.ndim >= 3) return x;
  return x.ndim === 2 ? reshapeTo(x, [...x.shape, 1]) : reshapeTo(x, [1, x.numel(), 1]);
});
