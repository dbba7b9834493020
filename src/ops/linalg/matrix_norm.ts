/**
 * Norms of `torch.linalg`, the condition number, and products of vectors.
 *
 * @module
 */

import { checkIntegers } from "../../base/checks.ts";
import type { DType } from "../../base/dtype.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { wrapDim } from "../../base/shape.ts";
import { type Fn, fn, OutArgs, scopedFn } from "../core/op.ts";
import { writeOut } from "../core/define.ts";
import { roundedOnce } from "../core/wide.ts";
import { checkMatrix, inverseOf } from "./factor_core.ts";
import { svdOf } from "./svd.ts";

/** A norm of a matrix: 2 is the largest singular value, -2 the smallest; 1 and Infinity are the largest sums of columns and rows. */
export type MatrixOrder = "fro" | "nuc" | number;

/** The parameters of {@linkcode vectorNorm}. */
export class VectorNormArgs extends OutArgs {
  /** What the input is converted to first. */
  dtype: DType | null = null;
  constructor(
    /** The exponent, any number or infinity. */
    public ord: number = 2,
    /** Dimensions to reduce; `null`: all. */
    public dim: number | readonly number[] | null = null,
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {
    super();
  }
}

/** The norm of the elements along dimensions: `(Σ |x|^ord)^(1/ord)`; 0 counts what is not zero. */
export const vectorNorm: Fn<typeof VectorNormArgs> = scopedFn("linalg.vectorNorm", VectorNormArgs, (input, o) => {
  return writeOut("linalg.vectorNorm", o.out, input.norm(o.ord, o.dim, o.keepdim, { dtype: o.dtype }));
});

/** The parameters of {@linkcode matrixNorm}. */
export class MatrixNormArgs extends OutArgs {
  /** What the input is converted to first. */
  dtype: DType | null = null;
  constructor(
    /** Which norm. */
    public ord: MatrixOrder = "fro",
    /** The two dimensions of the matrices. */
    public dim: readonly number[] = [-2, -1],
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {
    super();
  }
}

function matrixNormOf(op: string, x: Tensor, ord: MatrixOrder, dims: readonly number[], keepdim: boolean): Tensor {
  checkIntegers(op, "dim", dims);
  if (dims.length !== 2) throw new ShapeError(`${op}(): a matrix has two dimensions: ${show([...dims])}`);
  const [r, c] = dims.map((d) => wrapDim(op, d, x.ndim));
  if (r === c) throw new ShapeError(`${op}(): the dimensions must differ: ${show([...dims])}`);
  if (ord === "fro") return x.norm(2, [r, c], keepdim);
  let out: Tensor;
  if (ord === "nuc" || ord === 2 || ord === -2) {
    const s = svdOf(op, x.movedim([r, c], [-2, -1])).s;
    out = ord === "nuc" ? s.sum(-1) : ord === 2 ? s.amax(-1) : s.amin(-1);
  } else if (ord === 1 || ord === -1 || ord === Infinity || ord === -Infinity) {
    const sums = x.movedim([r, c], [-2, -1]).abs().sum(Math.abs(ord) === 1 ? -2 : -1);
    out = ord > 0 ? sums.amax(-1) : sums.amin(-1);
  } else {
    throw new ArgumentError(`${op}(): unknown norm of a matrix: ${show([ord])}`);
  }
  return keepdim ? out.unsqueeze(Math.min(r, c)).unsqueeze(Math.max(r, c)) : out;
}

/** A norm of matrices: `"fro"`, `"nuc"`, 1, -1, 2, -2, Infinity or -Infinity. */
export const matrixNorm: Fn<typeof MatrixNormArgs> = scopedFn("linalg.matrixNorm", MatrixNormArgs, (input, o) => {
  const op = "linalg.matrixNorm";
  if (input.ndim < 2) {
    throw new ShapeError(`${op}(): the input must have at least 2 dimensions: ${show([...input.shape])}`);
  }
  return writeOut(op, o.out, matrixNormOf(op, o.dtype ? input.to(o.dtype) : input, o.ord, o.dim, o.keepdim));
});

/** The parameters of {@linkcode norm}. */
export class LinalgNormArgs extends OutArgs {
  /** What the input is converted to first. */
  dtype: DType | null = null;
  constructor(
    /** Which norm, of vectors or matrices; `null`: the 2-norm of the elements. */
    public ord: MatrixOrder | null = null,
    /** One dimension, or two; `null`: all. */
    public dim: number | readonly number[] | null = null,
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {
    super();
  }
}

/** {@linkcode vectorNorm} along one dimension, {@linkcode matrixNorm} along two; without `ord` the 2-norm of all elements. */
export const norm: Fn<typeof LinalgNormArgs> = scopedFn("linalg.norm", LinalgNormArgs, (input, o) => {
  const op = "linalg.norm", x = o.dtype ? input.to(o.dtype) : input;
  const dims = o.dim === null ? null : typeof o.dim === "number" ? [o.dim] : o.dim;
  if (dims !== null) checkIntegers(op, "dim", dims);
  if (o.ord !== null && (dims ? dims.length === 2 : x.ndim === 2)) {
    return writeOut(op, o.out, matrixNormOf(op, x, o.ord, dims ?? [0, 1], o.keepdim));
  }
  if (o.ord !== null && (dims ? dims.length : x.ndim) !== 1) {
    throw new ShapeError(`${op}(): ord needs one dimension or two: ${show([...(dims ?? x.shape)])}`);
  }
  if (typeof o.ord === "string") {
    throw new ArgumentError(`${op}(): "${o.ord}" is a norm of matrices, of two dimensions`);
  }
  return writeOut(op, o.out, x.norm(o.ord ?? 2, dims, o.keepdim));
});

/** The parameters of {@linkcode cond}. */
export class CondArgs extends OutArgs {
  constructor(
    /** Which norm; `null`: 2. */
    public p: MatrixOrder | null = null,
  ) {
    super();
  }
}

/** The condition number, `‖A‖ ‖A⁻¹‖`: for 2 (any shape) the ratio of the extreme singular values; infinite where singular. */
export const cond: Fn<typeof CondArgs> = scopedFn("linalg.cond", CondArgs, (input, { p, out }) => {
  const op = "linalg.cond", order = p ?? 2;
  checkMatrix(op, input, order !== 2 && order !== -2);
  if (order === 2 || order === -2) {
    const { s } = svdOf(op, input), largest = s.amax(-1), smallest = s.amin(-1);
    return writeOut(op, out, order === 2 ? largest.div(smallest) : smallest.div(largest));
  }
  const { inverse, info } = inverseOf(op, input);
  const size = matrixNormOf(op, input, order, [-2, -1], false);
  const other = matrixNormOf(op, inverse.nanToNum(), order, [-2, -1], false);
  return writeOut(op, out, size.mul(other).maskedFill(info.ne(0), Infinity));
});

/** The parameters of {@linkcode vecdot}. */
export class VecdotArgs extends OutArgs {
  /** The dimension of the vectors. */
  dim: number = -1;
  constructor(
    /** The other vectors; broadcasts. */
    public y: Tensor,
  ) {
    super();
  }
}

/** Σ conj(x) y along a dimension. */
export const vecdot: Fn<typeof VecdotArgs> = scopedFn("linalg.vecdot", VecdotArgs, (input, { y, dim, out }) => {
  const dot = roundedOnce([input, y], (a, b) => (a.dtype.isComplex ? a.conj() : a).mul(b).sum(dim));
  return writeOut("linalg.vecdot", out, dot);
});

/** The parameters of {@linkcode diagonal}. */
export class LinalgDiagonalArgs {
  /** Which diagonal: positive above the main one. */
  offset = 0;
  /** The dimension of rows. */
  dim1: number = -2;
  /** The dimension of columns. */
  dim2: number = -1;
}

/** The diagonals of matrices: a view, as `diagonal` with dimensions -2 and -1. */
export const diagonal: Fn<typeof LinalgDiagonalArgs> = fn("linalg.diagonal", LinalgDiagonalArgs, (input, o) => {
  return input.diagonal(o.offset, o.dim1, o.dim2);
});
