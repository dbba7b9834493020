/**
 * When a map takes the tiled kernel (`src/expr/cuda_tiled.ts`), and which.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { type CudaTiling, tileBytes } from "../../../expr/cuda_tiled.ts";
import { crossingOf, tileCount } from "../../tiles.ts";

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
  const crossing = crossingOf(shape, strides, dtypes.map((dtype) => dtype.itemsize), inputs);
  if (crossing === null || (crossing.reordered && !anyOrder)) return null;
  const [height, width] = crossing.shape.slice(-2);
  const tile = crossing.itemsize <= 2 && height > 32 && width > 32 ? 64 : 32;
  let room = SHARED;
  const staged = crossing.transposed.map((transposed, k) => {
    const bytes = tileBytes(tile, dtypes[k]);
    if (!transposed || bytes > room) return false;
    room -= bytes;
    return true;
  });
  const count = tileCount(crossing.shape, tile);
  return count < MOST ? { tile, staged, shape: crossing.shape, strides: crossing.strides, count } : null;
}
