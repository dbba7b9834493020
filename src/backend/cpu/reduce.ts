/**
 * Map-reductions, arg-reductions and scans on the CPU: the calls into `native/cpu/{reduce,argreduce,scan}.c`.
 *
 * @module
 */

import { int64 } from "../../base/dtype.ts";
import type { Combine, ScanKind, Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { ofDtype, ofProgram, oneDtype } from "./operands.ts";
import { fail, type KernelLibrary } from "./lib.ts";
import { compiledOf, putScalars } from "./pointwise.ts";
import { addressOf } from "./pack.ts";

const COMBINE: Readonly<Record<Combine, number>> = { sum: 0, prod: 1, max: 2, min: 3, any: 4, all: 5 };
const SCAN: Readonly<Record<ScanKind, number>> = { sum: 0, prod: 1, max: 2, min: 3, logsumexp: 4 };

/** Dimensions in the kernel's order: kept ones first, then the reduced ones. Reused between calls. */
const order: number[] = [];

/** Evaluates a program over `shape` and combines over the dimensions `reduced`; see `Backend.reduce`. */
export const reduce: KernelOf<KernelLibrary, "reduce"> = (
  lib,
  program,
  combine,
  shape,
  reduced,
  inputs,
  scalars,
  outputs,
) => {
  ofProgram("reduce", program, inputs, outputs);
  const compiled = compiledOf(lib, program);
  const ndim = shape.length;
  const kept = ndim - reduced.length;
  let k = 0;
  for (let d = 0, r = 0; d < ndim; d++) {
    if (r < reduced.length && reduced[r] === d) order[kept + r++] = d;
    else order[k++] = d;
  }
  const args = lib.arena();
  for (let d = 0; d < ndim; d++) args[d] = shape[order[d]];
  let at = ndim;
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i];
    const lead = ndim - x.shape.length;
    args[at++] = addressOf(x);
    for (let d = 0; d < ndim; d++) {
      const own = order[d] - lead;
      args[at++] = own >= 0 && x.shape[own] === shape[order[d]] ? x.strides[own] : 0;
    }
  }
  for (let i = 0; i < outputs.length; i++) {
    const out = outputs[i];
    args[at++] = addressOf(out);
    for (let d = 0; d < kept; d++) args[at++] = out.strides[d];
  }
  // Steps of the linear index, which counts in the order that `shape` has.
  for (let d = 0; d < ndim; d++) {
    let step = 1;
    for (let e = order[d] + 1; e < ndim; e++) step *= shape[e];
    args[at++] = step;
  }
  if (scalars.length > 0) putScalars(lib, at, compiled.scalarKinds, scalars);
  const status = lib.k.cresset_reduce(compiled.address, COMBINE[combine], ndim, reduced.length);
  if (status !== 0) fail("reduce", status);
};

/** Writes an operand with dimension `dim` moved to the end, or zeros for none; returns the next slot. */
function putMoved(args: Float64Array, at: number, x: Strided | null, dim: number, ndim: number): number {
  if (x === null || x.shape.length === 0) {
    args[at++] = x === null ? 0 : addressOf(x);
    for (let d = 0; d < ndim; d++) args[at++] = 0;
    return at;
  }
  args[at++] = addressOf(x);
  for (let d = 0; d < ndim; d++) if (d !== dim) args[at++] = x.strides[d];
  args[at++] = x.strides[dim];
  return at;
}

/** Writes the shape with dimension `dim` moved to the end; returns the next slot. */
function putMovedShape(args: Float64Array, shape: readonly number[], dim: number): number {
  let at = 0;
  for (let d = 0; d < shape.length; d++) if (d !== dim) args[at++] = shape[d];
  args[at++] = shape.length === 0 ? 1 : shape[dim];
  return at;
}

/**
 * Indices of the extreme value along `dim`; see `Backend.argReduce`. `indices` and `values` have the shape of `x`
 * without `dim`, or with size 1 there.
 */
export const argReduce: KernelOf<KernelLibrary, "argReduce"> = (lib, kind, x, dim, indices, values) => {
  ofDtype("argReduce", indices, int64);
  oneDtype("argReduce", x, values);
  const args = lib.arena();
  const ndim = Math.max(x.shape.length, 1);
  let at = putMovedShape(args, x.shape, dim);
  at = putMoved(args, at, x, dim, ndim);
  at = putReduced(args, at, indices, dim, ndim);
  putReduced(args, at, values, dim, ndim);
  const status = lib.k.cresset_argreduce(kind === "max" ? 0 : 1, x.dtype.code, ndim);
  if (status !== 0) fail("argReduce", status);
};

/** Writes a result that lacks `dim`, or has size 1 there; its step along the reduced dimension is 0. */
function putReduced(args: Float64Array, at: number, x: Strided | null, dim: number, ndim: number): number {
  args[at++] = x === null ? 0 : addressOf(x);
  const kept = x !== null && x.shape.length === ndim;
  for (let d = 0, own = 0; d < ndim; d++) {
    if (d !== dim) args[at++] = x === null ? 0 : x.strides[own++];
    else if (kept) own++;
  }
  args[at++] = 0;
  return at;
}

/** Running combination along `dim`; see `Backend.scan`. */
export const scan: KernelOf<KernelLibrary, "scan"> = (lib, kind, x, dim, out, indices) => {
  ofDtype("scan", indices, int64);
  const args = lib.arena();
  const ndim = Math.max(x.shape.length, 1);
  let at = putMovedShape(args, x.shape, dim);
  at = putMoved(args, at, x, dim, ndim);
  at = putMoved(args, at, out, dim, ndim);
  putMoved(args, at, indices, dim, ndim);
  const status = lib.k.cresset_scan(SCAN[kind], x.dtype.code, ndim, out.dtype.code);
  if (status !== 0) fail("scan", status);
};
