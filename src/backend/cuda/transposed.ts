/**
 * When a map takes the tiled kernel (`src/expr/cuda_tiled.ts`), and over which dimensions.
 *
 * @module
 */

import type { DType } from "../../base/dtype.ts";
import { type CudaTiling, tileBytes } from "../../expr/cuda_tiled.ts";
import { collapse } from "../layout.ts";

/** Sizes and elements from which tiles are worth their barriers and unused edges. */
const LEAST = 16, LEAST_ELEMENTS = 1024;
/** What the memory moves at once, in bytes: operands whose neighbours share none are staged. */
const SECTOR = 32;
/** Shared memory of a block, in bytes: several fit a processor. */
const SHARED = 36 << 10;
/** More tiles than 32 bits count. */
const MOST = 2 ** 31;

/** Tiles over the last two of `shape`. */
export interface Tiles extends CudaTiling {
  readonly shape: number[];
  readonly strides: number[][];
  /** How many there are. */
  readonly count: number;
}

/** The dimension along which an input lies next to itself, where it does not along the last; -1: none. */
function alongOf(shape: readonly number[], strides: readonly number[], dtype: DType): number {
  const last = shape.length - 1;
  if (Math.abs(strides[last]) * dtype.itemsize < SECTOR) return -1;
  let along = -1;
  for (let d = 0; d < last; d++) {
    const step = Math.abs(strides[d]);
    if (step === 0 || step * dtype.itemsize >= SECTOR || shape[d] < LEAST) continue;
    if (along < 0 || step < Math.abs(strides[along])) along = d;
  }
  return along;
}

/**
 * The tiles of a map, or `null` where they do not pay.
 *
 * @param shape merged dimensions, in the first output's order in memory unless elements' indices are read
 * @param strides of the inputs, then of the outputs
 * @param anyOrder whether dimensions may change places: no element reads its index
 */
export function tilesOf(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  dtypes: readonly DType[],
  inputs: number,
  anyOrder: boolean,
): Tiles | null {
  const last = shape.length - 1;
  if (last < 1 || shape[last] < LEAST || strides[inputs][last] !== 1) return null;
  if (shape.reduce((a, b) => a * b, 1) < LEAST_ELEMENTS) return null;
  const along = strides.slice(0, inputs).map((list, k) => alongOf(shape, list, dtypes[k]));
  // The widest transposed operand chooses the second dimension of the tiles.
  let widest = -1;
  along.forEach((d, k) => {
    if (d >= 0 && (widest < 0 || dtypes[k].itemsize > dtypes[widest].itemsize)) widest = k;
  });
  if (widest < 0) return null;
  const second = along[widest];
  if (!anyOrder && second !== last - 1) return null;
  const order = [...shape.keys()].filter((d) => d !== second && d !== last).concat(second, last);
  const merged = collapse(order.map((d) => shape[d]), strides.map((list) => order.map((d) => list[d])));
  const [height, width] = merged.shape.slice(-2);
  const tile = dtypes[widest].itemsize <= 2 && height > 32 && width > 32 ? 64 : 32;
  let room = SHARED;
  const staged = along.map((d, k) => {
    const bytes = tileBytes(tile, dtypes[k]);
    if (d !== second || bytes > room) return false;
    room -= bytes;
    return true;
  });
  const batches = merged.shape.slice(0, -2).reduce((a, b) => a * b, 1);
  const count = batches * Math.ceil(height / tile) * Math.ceil(width / tile);
  return count < MOST && height < MOST && width < MOST ? { tile, staged, ...merged, count } : null;
}
