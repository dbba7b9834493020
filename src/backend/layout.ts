/**
 * Strides of operands in an iteration, and dimensions merged where all operands allow it: what backends do before they
 * launch a kernel.
 *
 * @module
 */

import type { Strided } from "./backend.ts";

/** The strides of an operand in the iteration shape; 0 where it is broadcast or the size is 1. */
export function stridesIn(x: Strided, shape: readonly number[]): number[] {
  const lead = shape.length - x.shape.length;
  return shape.map((s, d) => d >= lead && x.shape[d - lead] === s && s !== 1 ? x.strides[d - lead] : 0);
}

/** Adjacent dimensions merged where every operand steps through them as one; sizes of 1 dropped. */
export function collapse(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const outShape: number[] = [];
  const out: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = outShape.length - 1;
    if (last >= 0 && strides.every((s, k) => out[k][last] === s[d] * shape[d])) {
      outShape[last] *= shape[d];
      for (let k = 0; k < out.length; k++) out[k][last] = strides[k][d];
    } else {
      outShape.push(shape[d]);
      for (let k = 0; k < out.length; k++) out[k].push(strides[k][d]);
    }
  }
  return { shape: outShape, strides: out };
}
