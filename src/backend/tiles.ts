/**
 * Operands of a map that are transposed against its output: whether any is, and over which two dimensions tiles of them
 * are exchanged in a processor's shared memory instead of being read an element per access.
 *
 * @module
 */

import { collapse } from "./layout.ts";

/** Sizes and elements from which tiles are worth their barriers and unused edges. */
const LEAST = 16, LEAST_ELEMENTS = 1024;
/** What the memory moves at once, in bytes: operands whose neighbours share none are transposed. */
const SECTOR = 32;
/** More than 32-bit indices reach. */
const MOST = 2 ** 31;

/** An iteration whose last two dimensions are the tiles'. */
export interface Crossing {
  readonly shape: number[];
  readonly strides: number[][];
  /** Which inputs lie along the dimension before the last. */
  readonly transposed: readonly boolean[];
  /** Bytes of the widest of them. */
  readonly itemsize: number;
  /** Whether elements are counted in another order than the given dimensions'. */
  readonly reordered: boolean;
}

/** The dimension along which an input lies next to itself, where it does not along the last; -1: none. */
function alongOf(shape: readonly number[], strides: readonly number[], itemsize: number): number {
  const last = shape.length - 1;
  if (Math.abs(strides[last]) * itemsize < SECTOR) return -1;
  let along = -1;
  for (let d = 0; d < last; d++) {
    const step = Math.abs(strides[d]);
    if (step === 0 || step * itemsize >= SECTOR || shape[d] < LEAST) continue;
    if (along < 0 || step < Math.abs(strides[along])) along = d;
  }
  return along;
}

/**
 * The two dimensions for tiles, or `null` where they do not pay.
 *
 * @param shape merged dimensions; the first output steps by elements along the last
 * @param strides of the inputs, then of the outputs
 * @param itemsizes bytes of an element in memory, of each operand
 */
export function crossingOf(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  itemsizes: readonly number[],
  inputs: number,
): Crossing | null {
  const last = shape.length - 1;
  if (last < 1 || shape[last] < LEAST || strides[inputs][last] !== 1) return null;
  if (shape.reduce((a, b) => a * b, 1) < LEAST_ELEMENTS) return null;
  const along = strides.slice(0, inputs).map((list, k) => alongOf(shape, list, itemsizes[k]));
  // The widest transposed operand chooses the second dimension of the tiles.
  let widest = -1;
  along.forEach((d, k) => {
    if (d >= 0 && (widest < 0 || itemsizes[k] > itemsizes[widest])) widest = k;
  });
  if (widest < 0) return null;
  const second = along[widest];
  const order = [...shape.keys()].filter((d) => d !== second && d !== last).concat(second, last);
  const merged = collapse(order.map((d) => shape[d]), strides.map((list) => order.map((d) => list[d])));
  if (merged.shape.some((size) => size >= MOST)) return null;
  const transposed = along.map((d) => d === second);
  return { ...merged, transposed, itemsize: itemsizes[widest], reordered: second !== last - 1 };
}

/** How many square tiles an iteration has. */
export function tileCount(shape: readonly number[], tile: number): number {
  return shape.reduce((count, size, d) => count * (d < shape.length - 2 ? size : Math.ceil(size / tile)), 1);
}
