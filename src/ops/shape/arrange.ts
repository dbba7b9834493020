/**
 * Rearranging one tensor: roll, flip, rot90, diagonals and triangles.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../../base/call.ts";
import { checkCount, checkInteger, checkIntegers, checkListed } from "../../base/checks.ts";
import type { Device } from "../../base/device.ts";
import { type DType, int64 } from "../../base/dtype.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { checkSizes, wrapDim, wrapDims } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, type Tensor } from "../../tensor/tensor.ts";
import { fromData } from "../create/creation.ts";
import { arange } from "../create/ranges.ts";
import { cat } from "./join.ts";
import { type Fn, fn, type Op, op, type SpreadOp, spreadOp } from "../core/op.ts";
import { diagonalOf, placed, reshapeTo, selectInOrder, sliceAt, transposeTo } from "../core/view_core.ts";

/** The parameters of {@linkcode roll}. */
export class RollArgs {
  constructor(
    /** How far, one per dimension of `dims`. */
    public shifts: number | readonly number[],
    /** Which dimensions; `null`: the flattened tensor is rolled. */
    public dims: number | readonly number[] | null = null,
  ) {}
}

/** Moves elements along dimensions; those that leave at the end come back at the start. */
export const roll: Op<typeof RollArgs> = op("roll", RollArgs, (input, { shifts, dims }) => {
  checkAlive("roll", input);
  const by = typeof shifts === "number" ? [shifts] : shifts;
  checkIntegers("roll", "shifts", by);
  if (by.length === 0) throw new ArgumentError("roll(): shifts must not be empty: []");
  const over = dims === null ? [] : typeof dims === "number" ? [dims] : dims;
  if (over.length === 0) {
    if (by.length !== 1) throw new ArgumentError(`roll(): one shift is needed without dims: ${show(by)}`);
    return reshapeTo(rollDim(reshapeTo(input, [-1]), by[0], 0), input.shape);
  }
  if (by.length !== over.length) {
    throw new ArgumentError(`roll(): shifts and dims differ in length: ${show(by)} and ${show(over)}`);
  }
  if (input.ndim === 0) throw new ShapeError("roll(): a 0-d tensor has no dimensions to roll");
  return scope(() => {
    let out = input;
    over.forEach((d, i) => out = rollDim(out, by[i], wrapDim("roll", d, input.ndim)));
    return out;
  });
});

function rollDim(x: Tensor, shift: number, d: number): Tensor {
  const size = x.shape[d];
  if (x.numel() === 0) return x.clone();
  const start = ((size - shift) % size + size) % size;
  if (start === 0) return x.clone();
  return cat([sliceAt(x, d, start, size), sliceAt(x, d, 0, start)], d);
}

/** The parameters of {@linkcode flip}. */
export class FlipArgs {
  constructor(
    /** Which dimensions, spread or as an array. */
    public dims: readonly number[],
  ) {}
}

/** Reverses dimensions; the result is a copy. */
export const flip: SpreadOp<typeof FlipArgs> = spreadOp(
  "flip",
  FlipArgs,
  (input, { dims }) => flipDims("flip", input, dims),
);

function flipDims(op: string, x: Tensor, dims: readonly number[]): Tensor {
  checkAlive(op, x);
  return scope(() => {
    let out = x;
    for (const d of dims.length === 0 ? [] : wrapDims(op, dims, x.ndim)) {
      const size = x.shape[d];
      if (size < 2) continue;
      out = selectInOrder(out, d, arange(size - 1, -1, -1, { dtype: int64, device: x.device }));
    }
    return out === x ? x.clone() : out;
  });
}

/** Reverses dimension 1. */
export const fliplr: Op<typeof NoArgs> = op("fliplr", NoArgs, (input) => {
  if (input.ndim < 2) throw new ShapeError(`fliplr(): at least 2 dimensions are needed: ${show(input.shape)}`);
  return flipDims("fliplr", input, [1]);
});

/** Reverses dimension 0. */
export const flipud: Op<typeof NoArgs> = op("flipud", NoArgs, (input) => {
  if (input.ndim < 1) throw new ShapeError(`flipud(): at least 1 dimension is needed: ${show(input.shape)}`);
  return flipDims("flipud", input, [0]);
});

/** The parameters of {@linkcode rot90}. */
export class Rot90Args {
  constructor(
    /** How many quarter turns, from the first of `dims` to the second. */
    public k = 1,
    /** The plane. */
    public dims: readonly number[] = [0, 1],
  ) {}
}

/** Turns a plane by multiples of 90 degrees. */
export const rot90: Op<typeof Rot90Args> = op("rot90", Rot90Args, (input, { k, dims }) => {
  checkIntegers("rot90", "dims", dims);
  if (dims.length !== 2) throw new ArgumentError(`rot90(): two dimensions are needed: ${show(dims)}`);
  if (input.ndim < 2) throw new ShapeError(`rot90(): at least 2 dimensions are needed: ${show(input.shape)}`);
  const [a, b] = dims.map((d) => wrapDim("rot90", d, input.ndim));
  if (a === b) throw new ArgumentError(`rot90(): the dimensions must differ: ${show(dims)}`);
  switch (((k % 4) + 4) % 4) {
    case 1:
      return transposeTo(flipDims("rot90", input, [b]), a, b);
    case 2:
      return flipDims("rot90", input, [a, b]);
    case 3:
      return flipDims("rot90", transposeTo(input, a, b), [b]);
    default:
      return input.clone();
  }
});

/** The parameters of {@linkcode diag}, {@linkcode tril} and {@linkcode triu}. */
export class DiagonalNumberArgs {
  constructor(
    /** Which diagonal: 0 the main one, positive above it. */
    public diagonal = 0,
  ) {}
}

/** A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector (a copy). */
export const diag: Op<typeof DiagonalNumberArgs> = op("diag", DiagonalNumberArgs, (input, { diagonal }) => {
  if (input.ndim === 1) return embedDiagonal("diag", input, diagonal, -2, -1);
  if (input.ndim !== 2) throw new ShapeError(`diag(): a vector or a matrix is needed: ${show(input.shape)}`);
  return diagonalOf(input, diagonal, 0, 1, "diag").clone();
});

/** The parameters of {@linkcode diagflat}. */
export class DiagflatArgs {
  constructor(
    /** Which diagonal: 0 the main one, positive above it. */
    public offset = 0,
  ) {}
}

/** The elements, in row-major order, as the diagonal of a matrix. */
export const diagflat: Op<typeof DiagflatArgs> = op(
  "diagflat",
  DiagflatArgs,
  (input, { offset }) => embedDiagonal("diagflat", reshapeTo(input, [-1]), offset, -2, -1),
);

/** The parameters of {@linkcode diagEmbed}. */
export class DiagEmbedArgs {
  constructor(
    /** Which diagonal: 0 the main one, positive above it. */
    public offset = 0,
    /** First dimension of the matrices in the result. */
    public dim1: number = -2,
    /** Second dimension of the matrices. */
    public dim2: number = -1,
  ) {}
}

/** The last dimension as diagonals of matrices that are zero elsewhere. */
export const diagEmbed: Op<typeof DiagEmbedArgs> = op(
  "diagEmbed",
  DiagEmbedArgs,
  (input, { offset, dim1, dim2 }) => embedDiagonal("diagEmbed", input, offset, dim1, dim2),
);

function embedDiagonal(op: string, x: Tensor, offset: number, dim1: number, dim2: number): Tensor {
  checkAlive(op, x);
  checkInteger(op, "offset", offset);
  if (x.ndim === 0) throw new ShapeError(`${op}(): at least 1 dimension is needed: []`);
  const a = wrapDim(op, dim1, x.ndim + 1), b = wrapDim(op, dim2, x.ndim + 1);
  if (a === b) throw new ArgumentError(`${op}(): the dimensions must differ: ${dim1} and ${dim2}`);
  const size = x.shape[x.ndim - 1] + Math.abs(offset);
  const rest = x.shape.slice(0, -1);
  const shape: number[] = [];
  for (let d = 0, next = 0; d <= x.ndim; d++) shape.push(d === a || d === b ? size : rest[next++]);
  return placed("DiagonalBackward0", x, shape, (t) => diagonalOf(t, offset, a, b));
}

/** The sum of a matrix's diagonal. */
export const trace: Op<typeof NoArgs> = op({ name: "trace", autocast: { cpu: "float32" } }, NoArgs, (input) => {
  if (input.ndim !== 2) throw new ShapeError(`trace(): a matrix is needed: ${show(input.shape)}`);
  return diagonalOf(input, 0, 0, 1, "trace").sum();
});

/** Zeros where the column minus the row is beyond `diagonal`, above or below. */
function triangle(op: string, x: Tensor, diagonal: number, lower: boolean): Tensor {
  checkAlive(op, x);
  if (x.ndim < 2) throw new ShapeError(`${op}(): at least 2 dimensions are needed: ${show(x.shape)}`);
  const [rows, columns] = x.shape.slice(-2);
  const { device } = x;
  return scope(() => {
    const distance = arange(columns, { device }).sub(reshapeTo(arange(rows, { device }), [-1, 1]));
    return x.maskedFill(lower ? distance.gt(diagonal) : distance.lt(diagonal), 0);
  });
}

/** The lower triangle of matrices, zeros above `diagonal`. */
export const tril: Op<typeof DiagonalNumberArgs> = op(
  "tril",
  DiagonalNumberArgs,
  (input, { diagonal }) => triangle("tril", input, diagonal, true),
);

/** The upper triangle of matrices, zeros below `diagonal`. */
export const triu: Op<typeof DiagonalNumberArgs> = op(
  "triu",
  DiagonalNumberArgs,
  (input, { diagonal }) => triangle("triu", input, diagonal, false),
);

/** {@linkcode tril} in place. */
export const tril_: Op<typeof DiagonalNumberArgs> = op(
  "tril_",
  DiagonalNumberArgs,
  (self, { diagonal }) => scope(() => self.copy_(triangle("tril_", self, diagonal, true))),
);

/** {@linkcode triu} in place. */
export const triu_: Op<typeof DiagonalNumberArgs> = op(
  "triu_",
  DiagonalNumberArgs,
  (self, { diagonal }) => scope(() => self.copy_(triangle("triu_", self, diagonal, false))),
);

/** The parameters of {@linkcode trilIndices} and {@linkcode triuIndices}. */
export class TriangleIndicesArgs {
  /** Integer dtype. */
  dtype: DType | null = int64;
  /** Where; `null`: the default device. */
  device: string | Device | null = null;
  constructor(
    /** Rows of the matrix. */
    public row: number,
    /** Columns of the matrix. */
    public col: number,
    /** Which diagonal bounds the triangle. */
    public offset = 0,
  ) {}
}

function triangleIndices(op: string, options: TriangleIndicesArgs, lower: boolean): Tensor {
  const { row, col, offset, dtype, device } = options;
  checkSizes(op, [row, col]);
  checkInteger(op, "the offset", offset);
  // The rows that have elements, and which columns of a row are in the triangle.
  const first = lower ? Math.max(-offset, 0) : 0, last = col === 0 ? 0 : lower ? row : Math.min(row, col - offset);
  checkListed(op, Math.max(last - first, 0));
  const from = (i: number) => lower ? 0 : Math.max(i + offset, 0);
  const to = (i: number) => lower ? Math.min(i + offset + 1, col) : col;
  let count = 0;
  for (let i = first; i < last; i++) count += to(i) - from(i);
  checkListed(op, count);
  const rows: number[] = [], columns: number[] = [];
  for (let i = first; i < last; i++) {
    for (let j = from(i), end = to(i); j < end; j++) {
      rows.push(i);
      columns.push(j);
    }
  }
  return fromData(rows.concat(columns), [2, count], { dtype, device });
}

/** Row and column numbers of the lower triangle of a `row` × `col` matrix, as `[2, count]`. */
export const trilIndices: Func<typeof TriangleIndicesArgs, Tensor> = func(
  "trilIndices",
  TriangleIndicesArgs,
  (o) => triangleIndices("trilIndices", o, true),
);

/** Row and column numbers of the upper triangle of a `row` × `col` matrix, as `[2, count]`. */
export const triuIndices: Func<typeof TriangleIndicesArgs, Tensor> = func(
  "triuIndices",
  TriangleIndicesArgs,
  (o) => triangleIndices("triuIndices", o, false),
);

/** The parameters of {@linkcode combinations}. */
export class CombinationsArgs {
  constructor(
    /** Elements per combination. */
    public r = 2,
    /** Whether an element may repeat. */
    public withReplacement = false,
  ) {}
}

/** How many ways there are to choose `r` of `n`; an inexact large number where they are many. */
function ways(n: number, r: number): number {
  if (r > n) return 0;
  let count = 1;
  for (let k = 1, most = Math.min(r, n - r); k <= most && count < Number.MAX_SAFE_INTEGER; k++) {
    count = count * (n - most + k) / k;
  }
  return Math.round(count);
}

/**
 * Every combination of `r` elements of a vector, in order, as rows.
 *
 * @throws {ShapeError} if there are more than can be listed
 */
export const combinations: Fn<typeof CombinationsArgs> = fn(
  "combinations",
  CombinationsArgs,
  (input, { r, withReplacement }) => {
    checkAlive("combinations", input);
    if (input.ndim !== 1) throw new ShapeError(`combinations(): a vector is needed: ${show(input.shape)}`);
    checkCount("combinations", "r", r, 0);
    if (r === 0) return input.newZeros([0]);
    const n = input.shape[0];
    const count = withReplacement ? (n === 0 ? 0 : ways(n + r - 1, r)) : ways(n, r);
    checkListed("combinations", count * r);
    const picked: number[] = [];
    const current = Array.from({ length: count === 0 ? 0 : r }, (_, i) => withReplacement ? 0 : i);
    for (let row = 0; row < count; row++) {
      for (const i of current) picked.push(i);
      // The next one: the last place that can move does, and those after it follow as closely as they may.
      let at = r - 1;
      while (at >= 0 && current[at] === (withReplacement ? n - 1 : n - r + at)) at--;
      if (at < 0) break;
      current[at]++;
      for (let k = at + 1; k < r; k++) current[k] = withReplacement ? current[at] : current[k - 1] + 1;
    }
    const index = fromData(picked, [picked.length], { dtype: int64, device: input.device });
    return reshapeTo(input.indexSelect(0, index), [count, r]);
  },
);
