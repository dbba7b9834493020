/**
 * Sorting, selecting and searching on the CPU: the calls into `native/cpu/order.c`.
 *
 * One kernel serves sort and topk, since a sort is the top k of all.
 *
 * @module
 */

import { int64 } from "../../base/dtype.ts";
import type { Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { ofDtype, oneDtype } from "./operands.ts";
import type { KernelLibrary } from "./lib.ts";
import { check } from "./lib.ts";
import { addressOf, packOperand, packShape } from "./pack.ts";

/** Stable sort along `dim`; see `Backend.sort`. */
export const sort: KernelOf<KernelLibrary, "sort"> = (lib, x, dim, descending, values, indices) => {
  oneDtype("sort", x, values);
  ofDtype("sort", indices, int64);
  select(lib, "sort", x, dim, descending, values, indices);
};

/** The k extreme values along `dim`, in order; see `Backend.topk`. */
export const topk: KernelOf<KernelLibrary, "topk"> = (lib, x, dim, largest, values, indices) => {
  oneDtype("topk", x, values);
  ofDtype("topk", indices, int64);
  select(lib, "topk", x, dim, largest, values, indices);
};

function select(
  lib: KernelLibrary,
  op: string,
  x: Strided,
  dim: number,
  descending: boolean,
  values: Strided,
  indices: Strided,
): void {
  const args = lib.arena();
  let at = packShape(args, 0, x.shape);
  at = packOperand(args, at, x);
  at = packOperand(args, at, values);
  packOperand(args, at, indices);
  const k = values.shape.length === 0 ? 1 : values.shape[dim];
  check(op, lib.k.cresset_sort(x.dtype.code, Math.max(x.shape.length, 1), dim, k, descending ? 1 : 0));
}

/** Where `values` belong in the rows of `sorted`; see `Backend.searchsorted`. */
export const searchsorted: KernelOf<KernelLibrary, "searchsorted"> = (lib, sorted, values, right, out) => {
  oneDtype("searchsorted", sorted, values);
  ofDtype("searchsorted", out, int64);
  const args = lib.arena();
  const ndim = Math.max(values.shape.length, 1);
  let at = packShape(args, 0, values.shape);
  args[at++] = addressOf(sorted);
  // One row may serve all values: its leading strides are then 0.
  const lead = ndim - sorted.shape.length;
  for (let i = 0; i < ndim; i++) args[at++] = i < lead ? 0 : sorted.strides[i - lead];
  at = packOperand(args, at, values);
  packOperand(args, at, out);
  const n = sorted.shape[sorted.shape.length - 1];
  check("searchsorted", lib.k.cresset_searchsorted(sorted.dtype.code, ndim, n, right ? 1 : 0));
};
