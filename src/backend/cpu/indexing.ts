/**
 * Reading and writing at positions that are data, on the CPU: the calls into `native/cpu/indexing.c`.
 *
 * The kernels check every index; a bad one comes back with its value, and becomes an {@linkcode IndexError} here.
 *
 * @module
 */

import { int64 } from "../../base/dtype.ts";
import { IndexError } from "../../base/errors.ts";
import type { ScatterMode, Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { asIndex, ofDtype, oneDtype } from "./operands.ts";
import type { KernelLibrary } from "./lib.ts";
import { check } from "./lib.ts";
import { addressOf, packOperand, packShape } from "./pack.ts";

/** The status of an index out of range (`native/cpu/status.h`). */
const BAD_INDEX = -5;

const MODES: Readonly<Record<ScatterMode, number>> = { set: 0, sum: 1, prod: 2, max: 3, min: 4 };

/** The size of `x` along `dim`; 0-d tensors have one element there. */
function extentOf(x: Strided, dim: number): number {
  return x.shape.length === 0 ? 1 : x.shape[dim];
}

function finish(lib: KernelLibrary, op: string, status: number, dim: number): void {
  if (status === BAD_INDEX) {
    const args = lib.arena();
    throw new IndexError(`${op}(): index out of range: ${args[0]} along dimension ${dim} of size ${args[1]}`);
  }
  check(op, status);
}

/** `out[i][j] = x[i][index[i][j]]`; see `Backend.gather`. */
export const gather: KernelOf<KernelLibrary, "gather"> = (lib, op, x, dim, index, out) => {
  oneDtype(op, x, out);
  asIndex(op, index);
  const args = lib.arena();
  let at = packShape(args, 0, index.shape);
  at = packOperand(args, at, out);
  at = packOperand(args, at, x);
  packOperand(args, at, index);
  const ndim = Math.max(index.shape.length, 1);
  finish(lib, op, lib.k.cresset_gather(x.dtype.code, index.dtype.code, ndim, dim, extentOf(x, dim)), dim);
};

/** `out[i][index[i][j]] (mode)= src[i][j]`; see `Backend.scatter`. */
export const scatter: KernelOf<KernelLibrary, "scatter"> = (lib, op, out, dim, index, src, mode) => {
  oneDtype(op, out, src);
  asIndex(op, index);
  const args = lib.arena();
  let at = packShape(args, 0, index.shape);
  at = packOperand(args, at, out);
  at = packOperand(args, at, src);
  packOperand(args, at, index);
  const ndim = Math.max(index.shape.length, 1);
  const status = lib.k.cresset_scatter(
    out.dtype.code,
    index.dtype.code,
    MODES[mode],
    ndim,
    dim,
    extentOf(out, dim),
  );
  finish(lib, op, status, dim);
};

/** Writes the operands that both directions of slice indexing share. */
function packSlices(args: Float64Array, many: Strided, table: Strided, index: Strided): void {
  let at = packShape(args, 0, many.shape);
  at = packOperand(args, at, many);
  at = packOperand(args, at, table);
  args[at++] = addressOf(index);
  args[at] = index.strides.length === 0 ? 0 : index.strides[0];
}

/** Slices of `x` chosen by `index`; see `Backend.indexSelect`. */
export const indexSelect: KernelOf<KernelLibrary, "indexSelect"> = (lib, op, x, dim, index, out, wrap) => {
  oneDtype(op, x, out);
  asIndex(op, index);
  packSlices(lib.arena(), out, x, index);
  const ndim = Math.max(x.shape.length, 1);
  const status = lib.k.cresset_index_select(
    x.dtype.code,
    index.dtype.code,
    ndim,
    dim,
    extentOf(x, dim),
    wrap ? 1 : 0,
  );
  finish(lib, op, status, dim);
};

/** `out` at `index` (mode)= the slices of `src`; see `Backend.indexPut`. */
export const indexPut: KernelOf<KernelLibrary, "indexPut"> = (lib, op, out, dim, index, src, mode, wrap) => {
  oneDtype(op, out, src);
  asIndex(op, index);
  packSlices(lib.arena(), src, out, index);
  const ndim = Math.max(out.shape.length, 1);
  const status = lib.k.cresset_index_put(
    out.dtype.code,
    index.dtype.code,
    MODES[mode],
    ndim,
    dim,
    extentOf(out, dim),
    wrap ? 1 : 0,
  );
  finish(lib, op, status, dim);
};

/** How many elements are not zero; see `Backend.countNonzero`. */
export const countNonzero: KernelOf<KernelLibrary, "countNonzero"> = (lib, x) => {
  const args = lib.arena();
  packOperand(args, packShape(args, 0, x.shape), x);
  check("countNonzero", lib.k.cresset_count_nonzero(x.dtype.code, Math.max(x.shape.length, 1)));
  return Promise.resolve(lib.arena()[0]);
};

/** Coordinates of the elements that are not zero; see `Backend.nonzero`. */
export const nonzero: KernelOf<KernelLibrary, "nonzero"> = (lib, x, out) => {
  ofDtype("nonzero", out, int64);
  const args = lib.arena();
  const at = packShape(args, 0, x.shape);
  if (x.shape.length === 0) return; // the result has no coordinates to write
  packOperand(args, packOperand(args, at, x), out);
  check("nonzero", lib.k.cresset_nonzero(x.dtype.code, x.shape.length, out.shape[0]));
};
