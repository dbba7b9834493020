/**
 * Rearranging one tensor: roll, flip, rot90, diagonals and triangles.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, intList, signature } from "../base/args.ts";
import { checkCount, checkInteger, checkListed } from "../base/checks.ts";
import type { Device } from "../base/device.ts";
import { type DType, int64 } from "../base/dtype.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { checkSizes, wrapDim, wrapDims } from "../base/shape.ts";
import { scope } from "../tensor/scope.ts";
import { checkAlive, type Tensor } from "../tensor/tensor.ts";
import { fromData } from "./creation.ts";
import { arange } from "./ranges.ts";
import { cat } from "./join.ts";
import {
  diagonalOf,
  placed,
  reshapeTo,
  selectInOrder,
  type Sizes,
  sizesOf,
  sliceAt,
  transposeTo,
} from "./view_core.ts";

/** The parameters of {@linkcode roll}. */
export interface RollArgs {
  /** How far, one per dimension of `dims`. */
  shifts: number | readonly number[];
  /** Which dimensions; default: the flattened tensor. */
  dims?: number | readonly number[] | null;
}
const rollArgs = signature<RollArgs>("roll", ["shifts", "dims"], [], 1);

/** Moves elements along dimensions; those that leave at the end come back at the start. */
export function roll(input: Tensor, ...args: Args<RollArgs, ["shifts", "dims"]>): Tensor {
  checkAlive("roll", input);
  const { shifts, dims = null } = rollArgs(args);
  const by = intList("roll", [shifts]);
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
}

function rollDim(x: Tensor, shift: number, d: number): Tensor {
  const size = x.shape[d];
  if (x.numel() === 0) return x.clone();
  const start = ((size - shift) % size + size) % size;
  if (start === 0) return x.clone();
  return cat([sliceAt(x, d, start, size), sliceAt(x, d, 0, start)], d);
}

/**
 * Reverses dimensions; the result is a copy.
 *
 * @param input any tensor
 * @param dims which, spread or as an array
 */
export function flip(input: Tensor, ...dims: Sizes | readonly [{ dims: readonly number[] }]): Tensor {
  return flipDims("flip", input, sizesOf("flip", dims, "dims"));
}

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
export function fliplr(input: Tensor): Tensor {
  if (input.ndim < 2) throw new ShapeError(`fliplr(): at least 2 dimensions are needed: ${show(input.shape)}`);
  return flipDims("fliplr", input, [1]);
}

/** Reverses dimension 0. */
export function flipud(input: Tensor): Tensor {
  if (input.ndim < 1) throw new ShapeError(`flipud(): at least 1 dimension is needed: ${show(input.shape)}`);
  return flipDims("flipud", input, [0]);
}

/** The parameters of {@linkcode rot90}. */
export interface Rot90Args {
  /** How many quarter turns, from the first of `dims` to the second; default 1. */
  k?: number;
  /** The plane; default `[0, 1]`. */
  dims?: readonly number[];
}
const rot90Args = signature<Rot90Args>("rot90", ["k", "dims"]);

/** Turns a plane by multiples of 90 degrees. */
export function rot90(input: Tensor, ...args: Args<Rot90Args, ["k", "dims"]>): Tensor {
  const { k = 1, dims = [0, 1] } = rot90Args(args);
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
}

/** The parameters of {@linkcode diag}, {@linkcode tril} and {@linkcode triu}. */
export interface DiagonalNumber {
  /** Which diagonal: 0 the main one, positive above it; default 0. */
  diagonal?: number;
}
const diagArgs = signature<DiagonalNumber>("diag", ["diagonal"]);

/** A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector (a copy). */
export function diag(input: Tensor, ...args: Args<DiagonalNumber, ["diagonal"]>): Tensor {
  const { diagonal = 0 } = diagArgs(args);
  if (input.ndim === 1) return embedDiagonal("diag", input, diagonal, -2, -1);
  if (input.ndim !== 2) throw new ShapeError(`diag(): a vector or a matrix is needed: ${show(input.shape)}`);
  return diagonalOf(input, diagonal, 0, 1, "diag").clone();
}

const diagflatArgs = signature<{ offset?: number }>("diagflat", ["offset"]);

/** The elements, in row-major order, as the diagonal of a matrix. */
export function diagflat(input: Tensor, ...args: Args<{ offset?: number }, ["offset"]>): Tensor {
  const { offset = 0 } = diagflatArgs(args);
  return embedDiagonal("diagflat", reshapeTo(input, [-1]), offset, -2, -1);
}

/** The parameters of {@linkcode diagEmbed}. */
export interface DiagEmbedArgs {
  /** Which diagonal: 0 the main one, positive above it; default 0. */
  offset?: number;
  /** First dimension of the matrices in the result; default -2. */
  dim1?: number;
  /** Second dimension of the matrices; default -1. */
  dim2?: number;
}
const diagEmbedArgs = signature<DiagEmbedArgs>("diagEmbed", ["offset", "dim1", "dim2"]);

/** The last dimension as diagonals of matrices that are zero elsewhere. */
export function diagEmbed(input: Tensor, ...args: Args<DiagEmbedArgs, ["offset", "dim1", "dim2"]>): Tensor {
  const { offset = 0, dim1 = -2, dim2 = -1 } = diagEmbedArgs(args);
  return embedDiagonal("diagEmbed", input, offset, dim1, dim2);
}

function embedDiagonal(op: string, x: Tensor, offset: number, dim1: number, dim2: number): Tensor {
  checkAlive(op, x);
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
export function trace(input: Tensor): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, trace, input);
  if (input.ndim !== 2) throw new ShapeError(`trace(): a matrix is needed: ${show(input.shape)}`);
  return diagonalOf(input, 0, 0, 1, "trace").sum();
}

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

const trilArgs = signature<DiagonalNumber>("tril", ["diagonal"]);

/** The lower triangle of matrices, zeros above `diagonal`. */
export function tril(input: Tensor, ...args: Args<DiagonalNumber, ["diagonal"]>): Tensor {
  return triangle("tril", input, trilArgs(args).diagonal ?? 0, true);
}

const triuArgs = signature<DiagonalNumber>("triu", ["diagonal"]);

/** The upper triangle of matrices, zeros below `diagonal`. */
export function triu(input: Tensor, ...args: Args<DiagonalNumber, ["diagonal"]>): Tensor {
  return triangle("triu", input, triuArgs(args).diagonal ?? 0, false);
}

/** {@linkcode tril} in place. */
export function tril_(self: Tensor, ...args: Args<DiagonalNumber, ["diagonal"]>): Tensor {
  return scope(() => self.copy_(tril(self, ...args)));
}

/** {@linkcode triu} in place. */
export function triu_(self: Tensor, ...args: Args<DiagonalNumber, ["diagonal"]>): Tensor {
  return scope(() => self.copy_(triu(self, ...args)));
}

/** The parameters of {@linkcode trilIndices} and {@linkcode triuIndices}. */
export interface TriangleIndicesArgs {
  /** Which diagonal bounds the triangle; default 0. */
  offset?: number;
  /** Integer dtype; default int64. */
  dtype?: DType;
  /** Where; default: the default device. */
  device?: string | Device;
}
const trilIndicesArgs = signature<TriangleIndicesArgs>("trilIndices", ["offset"], ["dtype", "device"]);
const triuIndicesArgs = signature<TriangleIndicesArgs>("triuIndices", ["offset"], ["dtype", "device"]);

function triangleIndices(
  op: string,
  row: number,
  col: number,
  options: TriangleIndicesArgs,
  lower: boolean,
): Tensor {
  checkSizes(op, [row, col]);
  const { offset = 0, dtype = int64, device } = options;
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
export function trilIndices(row: number, col: number, ...args: Args<TriangleIndicesArgs, ["offset"]>): Tensor {
  return triangleIndices("trilIndices", row, col, trilIndicesArgs(args), true);
}

/** Row and column numbers of the upper triangle of a `row` × `col` matrix, as `[2, count]`. */
export function triuIndices(row: number, col: number, ...args: Args<TriangleIndicesArgs, ["offset"]>): Tensor {
  return triangleIndices("triuIndices", row, col, triuIndicesArgs(args), false);
}

/** The parameters of {@linkcode combinations}. */
export interface CombinationsArgs {
  /** Elements per combination; default 2. */
  r?: number;
  /** Whether an element may repeat; default false. */
  withReplacement?: boolean;
}
const combinationsArgs = signature<CombinationsArgs>("combinations", ["r", "withReplacement"]);

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
export function combinations(input: Tensor, ...args: Args<CombinationsArgs, ["r", "withReplacement"]>): Tensor {
  const { r = 2, withReplacement = false } = combinationsArgs(args);
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
}
