/**
 * Copies with a part replaced: the part is what a view of the tensor shows. Tensor and source get their gradients.
 *
 * @module
 */

import { ShapeError, show } from "../../base/errors.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { type Op, op } from "../core/op.ts";
import { asStridedTo, diagonalOf, selectAt, sliceAt } from "../core/view_core.ts";

/** Writes `source` to the part of a copy of `x` that `take` views; both get their gradient. */
function scatterView(op: string, x: Tensor, source: Tensor, take: (t: Tensor) => Tensor): Tensor {
  checkTensor(op, "src", source);
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
export class SelectScatterArgs {
  constructor(
    /** What is written. */
    public src: Tensor,
    /** The dimension. */
    public dim: number,
    /** Which slice; negative counts from the end. */
    public index: number,
  ) {}
}

/** A copy of `input` with one slice replaced. */
export const selectScatter: Op<typeof SelectScatterArgs> = op(
  "selectScatter",
  SelectScatterArgs,
  (input, { src, dim, index }) => scatterView("selectScatter", input, src, (part) => selectAt(part, dim, index)),
);

/** The parameters of {@linkcode sliceScatter}. */
export class SliceScatterArgs {
  constructor(
    /** What is written. */
    public src: Tensor,
    /** The dimension. */
    public dim = 0,
    /** First position. */
    public start: number | null = null,
    /** One past the last position. */
    public end: number | null = null,
    /** Step. */
    public step = 1,
  ) {}
}

/** A copy of `input` with a range of slices replaced. */
export const sliceScatter: Op<typeof SliceScatterArgs> = op(
  "sliceScatter",
  SliceScatterArgs,
  (input, { src, dim, start, end, step }) =>
    scatterView("sliceScatter", input, src, (part) => sliceAt(part, dim, start, end, step)),
);

/** The parameters of {@linkcode diagonalScatter}. */
export class DiagonalScatterArgs {
  constructor(
    /** What is written. */
    public src: Tensor,
    /** Which diagonal: 0 the main one, positive above it. */
    public offset = 0,
    /** First dimension. */
    public dim1 = 0,
    /** Second dimension. */
    public dim2 = 1,
  ) {}
}

/** A copy of `input` with a diagonal replaced. */
export const diagonalScatter: Op<typeof DiagonalScatterArgs> = op(
  "diagonalScatter",
  DiagonalScatterArgs,
  (input, { src, offset, dim1, dim2 }) =>
    scatterView("diagonalScatter", input, src, (part) => diagonalOf(part, offset, dim1, dim2)),
);

/** The parameters of {@linkcode asStridedScatter}. */
export class AsStridedScatterArgs {
  constructor(
    /** What is written. */
    public src: Tensor,
    /** Sizes. */
    public size: readonly number[],
    /** Steps in elements, not negative. */
    public stride: readonly number[],
    /** First element in the storage; `null`: that of the tensor. */
    public storageOffset: number | null = null,
  ) {}
}

/** A copy of `input` with the elements of a strided view replaced. */
export const asStridedScatter: Op<typeof AsStridedScatterArgs> = op(
  "asStridedScatter",
  AsStridedScatterArgs,
  (input, { src, size, stride, storageOffset }) =>
    scatterView(
      "asStridedScatter",
      input,
      src,
      (part) => asStridedTo(part, size, stride, storageOffset ?? part.offset),
    ),
);
