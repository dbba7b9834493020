/**
 * How products are cut up: which size of tile, and into how many parts of the depth.
 *
 * @module
 */

import { MAX_TRIPS } from "../text/kernel_text.ts";
import { STEP, type TileSize, TRIPS_AT_END, TRIPS_PER_STEP } from "./tiles.ts";
import { VECTOR_ROWS } from "./vectors.ts";

/** Workgroups that fill a GPU. */
const ENOUGH = 128;
/** The least depth of a part. */
const LEAST_PART = 256;
/** The deepest part that a loop can walk everywhere. */
const MOST_DEPTH = Math.floor((MAX_TRIPS - TRIPS_AT_END) / TRIPS_PER_STEP) * STEP;

/** How a product is computed: by tiles of a size, or (`"vector"`) by the kernel for few rows; and in how many parts. */
export interface Plan {
  readonly kernel: TileSize | "vector";
  readonly parts: number;
  /** Whether tiles are held twice; default: where workgroup memory has room. */
  readonly twice?: boolean;
}

/**
 * The plan for a product of these sizes.
 *
 * @param most the greatest depth of a part
 */
export function planOf(rows: number, columns: number, depth: number, batches: number, most: number = MOST_DEPTH): Plan {
  const split = (groups: number, least: number): number => {
    const wanted = groups >= ENOUGH ? 1 : Math.min(Math.ceil(2 * ENOUGH / groups), Math.floor(depth / least));
    return Math.max(1, wanted, Math.ceil(depth / most));
  };
  const few = Math.min(rows, columns), many = Math.max(rows, columns);
  if (few <= VECTOR_ROWS) return { kernel: "vector", parts: split(Math.ceil(many / 16) * batches, 8 * LEAST_PART) };
  const count = (size: number) => Math.ceil(rows / size) * Math.ceil(columns / size) * batches;
  const kernel = few > 64 && count(128) >= ENOUGH ? 128 : few > 32 || count(64) >= ENOUGH ? 64 : 32;
  return { kernel, parts: split(count(kernel), LEAST_PART) };
}
