/**
 * Writes operands into the argument arena: shapes, then per operand its address and strides.
 *
 * Each function returns the next free slot. Slots are doubles: addresses and strides are exact below 2^53.
 *
 * @module
 */

import type { Strided } from "../backend.ts";

/** The byte address of a view's first element. */
export function addressOf(x: Strided): number {
  return x.storage.block.address + x.offset * x.dtype.itemsize;
}

/** Writes sizes; a 0-d shape takes one slot of size 1, so that kernels meet at least one dimension. */
export function packShape(args: Float64Array, at: number, shape: readonly number[]): number {
  if (shape.length === 0) args[at++] = 1;
  for (let i = 0; i < shape.length; i++) args[at++] = shape[i];
  return at;
}

/** Writes an operand's address and strides, for a shape of its own number of dimensions (0-d as one). */
export function packOperand(args: Float64Array, at: number, x: Strided): number {
  args[at++] = addressOf(x);
  const strides = x.strides;
  if (strides.length === 0) args[at++] = 0;
  for (let i = 0; i < strides.length; i++) args[at++] = strides[i];
  return at;
}
