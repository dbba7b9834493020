/**
 * Reading and writing at positions given by integer tensors: gather, scatter, indexSelect and their relatives.
 *
 * Each gradient is the opposite op: what was gathered is scatter-added, what was written is gathered. `at` and `setAt`
 * are in `at.ts`, masks in `masked.ts`.
 *
 * @module
 */

import { type Op, op, OutArgs } from "../core/op.ts";
import type { ScatterMode } from "../../backend/backend.ts";
import { checkInPlace, record, recordInPlace } from "../../autograd/record.ts";
import { bool as BOOL } from "../../base/dtype.ts";
import { ArgumentError, describe, IndexError, ShapeError, show } from "../../base/errors.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { broadcastShapes, wrapDim } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { where } from "../pointwise/compare.ts";
import { checkNoOverlap, overlaps, writeOut } from "../core/define.ts";
import {
  checkIndexDtype,
  checkIndexShape,
  checkSameDtype,
  checkSliceIndex,
  rawGather,
  rawIndexPut,
  rawScatter,
} from "./index_core.ts";
import { putSlices, selectSlices } from "./slices.ts";
import { expandTo, reshapeTo, sliceAt } from "../core/view_core.ts";

/** The parameters of {@linkcode gather}. */
export class GatherArgs extends OutArgs {
  /** Accepted for PyTorch's sake: the gradient is dense. */
  sparseGrad = false;
  constructor(
    /** The dimension. */
    public dim: number,
    /** Positions along `dim`, int64 or int32; no larger than the tensor in the other dimensions. */
    public index: Tensor,
  ) {
    super();
  }
}

/**
 * `out[i][j] = x[i][index[i][j]]` along `dim`.
 *
 * Shape: that of `index`.
 *
 * @param input any tensor
 * @throws {IndexError} if an index is out of range
 * @see https://docs.pytorch.org/docs/stable/generated/torch.gather.html
 */
export const gather: Op<typeof GatherArgs> = op("gather", GatherArgs, (input, { dim, index, out }) => {
  const d = wrapDim("gather", dim, input.ndim);
  checkIndexDtype("gather", index);
  checkIndexShape("gather", index, input, d, input.shape);
  const result = gatherFor("gather", input, d, index);
  return out ? writeInto("gather", out, result, [input, index]) : result;
});

/** {@linkcode gather} of checked operands for `op`, which an index out of range is an error of. */
export function gatherFor(op: string, input: Tensor, dim: number, index: Tensor): Tensor {
  const { shape } = input;
  return record("GatherBackward0", rawGather(op, input, dim, index), [input], [index], (grad, [at]) => [
    scatterAdd(grad.newZeros(shape), dim, at, grad),
  ]);
}

/** Writes a result into `out`, which must not share memory with what was read. */
function writeInto(op: string, out: Tensor, result: Tensor, inputs: readonly Tensor[]): Tensor {
  if (out.dtype !== result.dtype) {
    throw new ArgumentError(`${op}(): out must have the result's dtype: ${out.dtype} and ${result.dtype}`);
  }
  for (const x of inputs) {
    if (x.storage === out.storage) {
      throw new ArgumentError(`${op}(): out shares memory with an input; clone() one of them`);
    }
  }
  checkNoOverlap(op, out);
  return writeOut(op, out, result);
}

/** The parameters of {@linkcode takeAlongDim}. */
export class TakeAlongDimArgs {
  constructor(
    /** Positions along `dim`; broadcasts with the tensor in the other dimensions. */
    public indices: Tensor,
    /** The dimension; `null`: the flattened tensor. */
    public dim: number | null = null,
  ) {}
}

/** {@linkcode gather} with broadcasting; fits the indices of `argsort` and `argmax`. */
export const takeAlongDim: Op<typeof TakeAlongDimArgs> = op(
  "takeAlongDim",
  TakeAlongDimArgs,
  (input, { indices, dim }) => {
    checkIndexDtype("takeAlongDim", indices);
    if (dim === null) return gather(reshapeTo(input, [-1]), 0, reshapeTo(indices, [-1]));
    if (input.ndim !== indices.ndim) {
      throw new ShapeError(
        `takeAlongDim(): tensor and indices must have as many dimensions: ${show(input.shape)} and ${
          show(indices.shape)
        }`,
      );
    }
    const d = wrapDim("takeAlongDim", dim, input.ndim);
    const one = (shape: readonly number[]) => shape.map((s, i) => i === d ? 1 : s);
    const common = broadcastShapes("takeAlongDim", one(input.shape), one(indices.shape));
    const sized = (t: Tensor) => expandTo(t, common.map((s, i) => i === d ? t.shape[d] : s));
    const wrapped = where(indices.lt(0), indices.add(input.shape[d] ?? 1), indices);
    return gather(sized(input), d, sized(wrapped));
  },
);

/** The parameters of {@linkcode take}. */
export class TakeArgs extends OutArgs {
  constructor(
    /** Positions in the flattened tensor; negative ones count from the end. */
    public index: Tensor,
  ) {
    super();
  }
}

/** Elements at positions of the flattened tensor. Shape: that of `index`. */
export const take: Op<typeof TakeArgs> = op("take", TakeArgs, (input, { index, out }) => {
  checkIndexDtype("take", index);
  if (input.numel() === 0 && index.numel() > 0) throw new IndexError("take(): an empty tensor has no elements to take");
  const result = reshapeTo(selectSlices("take", reshapeTo(input, [-1]), 0, reshapeTo(index, [-1]), true), index.shape);
  return out ? writeInto("take", out, result, [input, index]) : result;
});

/** The parameters of {@linkcode indexSelect}. */
export class IndexSelectArgs extends OutArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** Which slices: a vector of int64 or int32. */
    public index: Tensor,
  ) {
    super();
  }
}

/**
 * The slices of a dimension chosen by a vector of positions.
 *
 * @param input any tensor
 * @throws {IndexError} if an index is negative or too large
 */
export const indexSelect: Op<typeof IndexSelectArgs> = op(
  "indexSelect",
  IndexSelectArgs,
  (input, { dim, index, out }) => {
    const d = wrapDim("indexSelect", dim, input.ndim);
    checkSliceIndex("indexSelect", index);
    if (input.ndim === 0 && index.numel() !== 1) {
      throw new ShapeError(`indexSelect(): a 0-d tensor takes one index: ${index.numel()} given`);
    }
    const result = selectSlices("indexSelect", input, d, index, false);
    return out ? writeInto("indexSelect", out, result, [input, index]) : result;
  },
);

/** Checks index and source of the slice-writing ops, and gives the source the shape that the kernel expects. */
function sliceSource(op: string, x: Tensor, d: number, index: Tensor, source: Tensor): Tensor {
  checkSliceIndex(op, index);
  checkSameDtype(op, x, source, "source");
  const expected = [...x.shape];
  if (x.ndim > 0) expected[d] = index.numel();
  if (x.ndim <= 1 && source.numel() === index.numel() && source.ndim <= 1) return reshapeTo(source, expected);
  if (show(source.shape) !== show(expected)) {
    throw new ShapeError(`${op}(): source must have shape ${show(expected)}: ${show(source.shape)}`);
  }
  return source;
}

/** The parameters of {@linkcode indexAdd} and {@linkcode indexCopy}. */
export class IndexAddArgs {
  /** A factor of `source`. */
  alpha: ScalarLike = 1;
  constructor(
    /** The dimension. */
    public dim: number,
    /** Where slices go: a vector. */
    public index: Tensor,
    /** What is added: as many slices as indices. */
    public source: Tensor,
  ) {}
}

/** Adds slices of `source` at positions along `dim`; a position may occur several times. */
export const indexAdd: Op<typeof IndexAddArgs> = op(
  "indexAdd",
  IndexAddArgs,
  (input, { dim, index, source, alpha }) => {
    const d = wrapDim("indexAdd", dim, input.ndim);
    const src = sliceSource("indexAdd", input, d, index, source);
    return scope(() =>
      putSlices("indexAdd", input, d, index, alpha === 1 ? src : src.mul(alpha).to(input.dtype), true, false)
    );
  },
);

/** {@linkcode indexAdd} in place. */
export const indexAdd_: Op<typeof IndexAddArgs> = op(
  "indexAdd_",
  IndexAddArgs,
  (self, { dim, index, source, alpha }) => {
    const d = wrapDim("indexAdd_", dim, self.ndim);
    const src = sliceSource("indexAdd_", self, d, index, source);
    return scope(() =>
      putInPlace("indexAdd_", self, d, index, alpha === 1 ? src : src.mul(alpha).to(self.dtype), true)
    );
  },
);

function putInPlace(op: string, self: Tensor, d: number, index: Tensor, src: Tensor, add: boolean): Tensor {
  checkInPlace(op, self);
  checkNoOverlap(op, self);
  rawIndexPut(op, self, d, index, overlaps(src, self) ? src.clone() : src, add ? "sum" : "set", false);
  return recordInPlace(
    `${op[0].toUpperCase()}${op.slice(1, -1)}Backward0`,
    self,
    [self, src],
    [index],
    (grad, [at], needs) => [
      !needs[0] ? null : add ? grad : indexFill(grad, d, at, 0),
      needs[1] ? selectSlices(op, grad, d, at, false) : null,
    ],
  );
}

/** Writes slices of `source` at positions along `dim`. */
export const indexCopy: Op<typeof IndexAddArgs> = op(
  { name: "indexCopy", autocast: { cpu: "promote" } },
  IndexAddArgs,
  (input, { dim, index, source }) => {
    const d = wrapDim("indexCopy", dim, input.ndim);
    return putSlices("indexCopy", input, d, index, sliceSource("indexCopy", input, d, index, source), false, false);
  },
);

/** {@linkcode indexCopy} in place. */
export const indexCopy_: Op<typeof IndexAddArgs> = op("indexCopy_", IndexAddArgs, (self, { dim, index, source }) => {
  const d = wrapDim("indexCopy_", dim, self.ndim);
  return putInPlace("indexCopy_", self, d, index, sliceSource("indexCopy_", self, d, index, source), false);
});

/** The parameters of {@linkcode indexFill}. */
export class IndexFillArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** Which slices: a vector. */
    public index: Tensor,
    /** A number, or a 0-d tensor. */
    public value: ScalarLike | Tensor,
  ) {}
}

/** Fills the slices at positions along `dim` with one value. */
export const indexFill: Op<typeof IndexFillArgs> = op("indexFill", IndexFillArgs, (input, { dim, index, value }) => {
  const d = wrapDim("indexFill", dim, input.ndim);
  checkSliceIndex("indexFill", index);
  if (value instanceof Tensor && value.ndim !== 0) {
    throw new ShapeError(`indexFill(): the value must be a number or a 0-d tensor: ${show(value.shape)}`);
  }
  const filled = value instanceof Tensor ? value.to(input.dtype) : input.newFull([], value);
  const shape = [...input.shape];
  if (input.ndim > 0) shape[d] = index.numel();
  const out = input.clone().detach();
  rawIndexPut("indexFill", out, d, index, expandTo(filled, shape), "set", false);
  return record("IndexFillBackward0", out, [input, filled], [index], (grad, [at], needs) => [
    needs[0] ? indexFill(grad, d, at, 0) : null,
    needs[1] ? filledPart(grad, d, at).sum() : null,
  ]);
});

/** `grad` where the index points, each position once however often it occurs, and zeros elsewhere. */
function filledPart(grad: Tensor, d: number, index: Tensor): Tensor {
  if (grad.ndim === 0) return grad;
  const hit = indexFill(grad.newZeros([grad.shape[d]], { dtype: BOOL }), 0, index, true);
  return where(reshapeTo(hit, grad.shape.map((s, k) => k === d ? s : 1)), grad, 0);
}

/** {@linkcode indexFill} in place. */
export const indexFill_: Op<typeof IndexFillArgs> = op(
  "indexFill_",
  IndexFillArgs,
  (self, { dim, index, value }) => self.copy_(indexFill(self, dim, index, value)),
);

/** The parameters of `put`. */
export class PutArgs {
  constructor(
    /** Positions in the flattened tensor; negative ones count from the end. */
    public index: Tensor,
    /** The values: as many as positions. */
    public source: Tensor,
    /** Whether values are added, not written. */
    public accumulate = false,
  ) {}
}

/** A copy of the tensor with values written (or added) at positions of the flattened tensor. */
export const put: Op<typeof PutArgs> = op("put", PutArgs, (x, { index, source, accumulate }) => {
  checkIndexDtype("put", index);
  checkSameDtype("put", x, source, "source");
  if (index.numel() !== source.numel()) {
    throw new ShapeError(`put(): index and source differ in size: ${show(index.shape)} and ${show(source.shape)}`);
  }
  const flat = (t: Tensor) => reshapeTo(t, [-1]);
  return reshapeTo(putSlices("put", flat(x), 0, flat(index), flat(source), accumulate, true), x.shape);
});

/** The parameters of {@linkcode scatter}. */
export class ScatterArgs {
  /** A number to write, by its PyTorch name. */
  value: ScalarLike | null = null;
  /** How values combine with what is there; `null`: they replace it. Without gradient for `"multiply"`. */
  reduce: "add" | "multiply" | null = null;
  constructor(
    /** The dimension. */
    public dim: number,
    /** Positions along `dim`. */
    public index: Tensor,
    /** What is written: at least as large as `index`; or a number. */
    public src: Tensor | ScalarLike | null = null,
  ) {}
}

/** Checks the arguments of the scatters; gives `src` cut to the size of `index`. */
function scatterSource(op: string, x: Tensor, d: number, index: Tensor, src: Tensor | ScalarLike): Tensor {
  checkIndexDtype(op, index);
  checkIndexShape(op, index, x, d, x.shape);
  if (!(src instanceof Tensor)) return expandTo(x.newFull([], src), index.shape);
  checkSameDtype(op, x, src, "src");
  if (index.numel() === 0) return src;
  if (Math.max(src.ndim, 1) !== Math.max(index.ndim, 1)) {
    throw new ShapeError(
      `${op}(): index and src must have as many dimensions: ${show(index.shape)} and ${show(src.shape)}`,
    );
  }
  let cut = src;
  for (let k = 0; k < index.ndim; k++) {
    if (index.shape[k] > (src.shape[k] ?? 1)) {
      throw new ShapeError(
        `${op}(): the index must not be larger than src: ${show(index.shape)} and ${show(src.shape)}`,
      );
    }
    if (index.shape[k] < (src.shape[k] ?? 1)) cut = sliceAt(cut, k, 0, index.shape[k]);
  }
  return cut;
}

function scattered(op: string, x: Tensor, d: number, index: Tensor, src: Tensor, mode: ScatterMode): Tensor {
  const out = x.clone().detach();
  rawScatter(op, out, d, index, src, mode);
  return out;
}

/**
 * `out[i][index[i][j]] = src[i][j]` along `dim`, in a copy of `input`.
 *
 * @param input any tensor
 * @throws {IndexError} if an index is out of range
 * @see https://docs.pytorch.org/docs/stable/generated/torch.scatter.html
 */
export const scatter: Op<typeof ScatterArgs> = op("scatter", ScatterArgs, (input, args) => {
  const { dim, index, reduce } = args;
  const d = wrapDim("scatter", dim, input.ndim);
  return scope(() => {
    const src = scatterSource("scatter", input, d, index, valueOf("scatter", args));
    if (reduce === "add") return scatterAdd(input, d, index, src);
    if (reduce === "multiply") return input.scatterReduce(d, index, src, "prod");
    const out = scattered("scatter", input, d, index, src, "set");
    return record("ScatterBackward0", out, [input, src], [index], (grad, [at], needs) => [
      needs[0] ? scatter(grad, d, at, 0) : null,
      needs[1] ? gather(grad, d, at) : null,
    ]);
  });
});

/** What a scatter writes, under either of its names. */
function valueOf(op: string, { src, value, reduce }: ScatterArgs): Tensor | ScalarLike {
  if (reduce !== null && reduce !== "add" && reduce !== "multiply") {
    throw new ArgumentError(`${op}(): reduce must be "add" or "multiply": ${describe(reduce)}`);
  }
  const given = src ?? value;
  if (given === null) throw new ArgumentError(`${op}(): missing argument: "src" or "value"`);
  return given;
}

/** {@linkcode scatter} in place. */
export const scatter_: Op<typeof ScatterArgs> = op("scatter_", ScatterArgs, (self, args) => {
  const { dim, index, reduce } = args;
  const src = valueOf("scatter_", args);
  if (reduce !== null) return scope(() => self.copy_(scatter(self, { dim, index, src, reduce })));
  const d = wrapDim("scatter_", dim, self.ndim);
  return scope(() => {
    const source = scatterSource("scatter_", self, d, index, src);
    checkInPlace("scatter_", self);
    checkNoOverlap("scatter_", self);
    rawScatter("scatter_", self, d, index, overlaps(source, self) ? source.clone() : source, "set");
    return recordInPlace("ScatterBackward0", self, [self, source], [index], (grad, [at], needs) => [
      needs[0] ? scatter(grad, d, at, 0) : null,
      needs[1] ? gather(grad, d, at) : null,
    ]);
  });
});

/** The parameters of {@linkcode scatterAdd}. */
export class ScatterAddArgs {
  constructor(
    /** The dimension. */
    public dim: number,
    /** Positions along `dim`. */
    public index: Tensor,
    /** What is added: at least as large as `index`. */
    public src: Tensor,
  ) {}
}

/** Adds `src[i][j]` at `[i][index[i][j]]` along `dim`; a position may occur several times. */
export const scatterAdd: Op<typeof ScatterAddArgs> = op(
  { name: "scatterAdd", autocast: { gpu: "promote" } },
  ScatterAddArgs,
  (input, { dim, index, src }) => {
    const d = wrapDim("scatterAdd", dim, input.ndim);
    const source = scatterSource("scatterAdd", input, d, index, src);
    const out = scattered("scatterAdd", input, d, index, source, "sum");
    return record("ScatterAddBackward0", out, [input, source], [index], (grad, [at], needs) => [
      needs[0] ? grad : null,
      needs[1] ? gather(grad, d, at) : null,
    ]);
  },
);

/** {@linkcode scatterAdd} in place. */
export const scatterAdd_: Op<typeof ScatterAddArgs> = op("scatterAdd_", ScatterAddArgs, (self, { dim, index, src }) => {
  const d = wrapDim("scatterAdd_", dim, self.ndim);
  const source = scatterSource("scatterAdd_", self, d, index, src);
  checkInPlace("scatterAdd_", self);
  checkNoOverlap("scatterAdd_", self);
  rawScatter("scatterAdd_", self, d, index, overlaps(source, self) ? source.clone() : source, "sum");
  return recordInPlace("ScatterAddBackward0", self, [self, source], [index], (grad, [at], needs) => [
    needs[0] ? grad : null,
    needs[1] ? gather(grad, d, at) : null,
  ]);
});
