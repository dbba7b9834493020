/**
 * Products whose operands are functions: convolutions as matrix products without unfolding anything.
 *
 * The tiled kernel of `tiles.ts`, in which WGSL functions say what an element of an operand is and where a result goes.
 *
 * @module
 */

import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, MAIN_1D, MAX_TRIPS, prelude } from "../text/kernel_text.ts";
import { type Plan, planOf } from "./plans.ts";
import { type Operands, ROUNDING } from "../text/operands.ts";
import { STEP, TileAt, tileCode, type TileOperand, TRIPS_AT_END, TRIPS_WITH_FUNCTIONS } from "./tiles.ts";

/** The deepest part that a loop can walk everywhere. */
const MOST_DEPTH = Math.floor((MAX_TRIPS - TRIPS_AT_END) / TRIPS_WITH_FUNCTIONS) * STEP;

/** What a product computes with. */
export interface ImplicitKernel {
  /** Identifies the code. */
  readonly key: string;
  /** Element type of the sums. */
  readonly type: "f32" | "i32";
  /**
   * WGSL: `fn left_at(m: u32, k: u32) -> T`, `fn right_at(k: u32, n: u32) -> T`, `fn put(m: u32, n: u32, v: T)`; `batch` is
   * the layer.
   */
  readonly functions: string;
  /** Whether neighbours along the depth are neighbours in memory, of the left and of the right operand. */
  readonly depthFirst: readonly [left: boolean, right: boolean];
}

/** How many parameters the kernel has of its own; see {@linkcode TileAt}. */
export const IMPLICIT_PARAMETERS: number = TileAt.Out;

/**
 * Runs the product.
 *
 * @param operands starts with {@linkcode IMPLICIT_PARAMETERS} words, which this function sets
 */
export function runImplicit(
  gpu: Gpu,
  kernel: ImplicitKernel,
  operands: Operands,
  rows: number,
  columns: number,
  depth: number,
  batches: number,
): void {
  // Few rows are no case of their own here.
  const plan: Plan = planOf(Math.max(rows, 8), Math.max(columns, 8), depth, batches, MOST_DEPTH);
  const size = plan.kernel === "vector" ? 32 : plan.kernel, { parts } = plan, { parameters } = operands;
  const slots = operands.blocks.length;
  let sums: GpuBlock | null = null;
  if (parts > 1) operands.blocks.push(sums = gpu.alloc(parts * batches * rows * columns * 4));
  const own = [rows, columns, depth, Math.ceil(depth / parts / STEP) * STEP, batches, parts];
  own.forEach((value, i) => parameters[i] = value);
  const bound = operands.blocks.map(() => false);
  const operand = (depthFirst: boolean): TileOperand => ({
    ...{ slot: 0, reads: "function", depthFirst, vector: false, ragged: false },
  });
  const twice = STEP * size * 2 * 4 * 2 <= gpu.device.limits.maxComputeWorkgroupStorageSize;
  const functions = ROUNDING + kernel.functions;
  gpu.dispatchGrid(
    `${kernel.key} tiles ${size} ${twice} ${parts > 1}`,
    () =>
      tileCode({
        ...{ type: kernel.type, size, twice, batchDims: 0, finish: functions, vectors: false, long: false, bound },
        ...{ left: operand(kernel.depthFirst[0]), right: operand(kernel.depthFirst[1]) },
        parts: sums === null ? null : slots,
      }),
    operands.blocks,
    parameters,
    TileAt.Group,
    [Math.ceil(columns / size), Math.ceil(rows / size), batches * parts],
  );
  if (sums === null) return;
  const count = `(p(${TileAt.Rows}u) * p(${TileAt.Columns}u) * p(${TileAt.Batches}u))`;
  gpu.dispatch(
    `${kernel.key} parts`,
    () =>
      `${prelude(bound.length)}var<private> batch: u32;
${functions}${MAIN_1D.replace("p(0u)", count)}  let n = i % p(${TileAt.Columns}u);
  let m = (i / p(${TileAt.Columns}u)) % p(${TileAt.Rows}u);
  batch = i / (p(${TileAt.Rows}u) * p(${TileAt.Columns}u));
  var sum = ${kernel.type}();
  for (var part = 0u; part < p(${TileAt.Left}u); part++) { sum += bitcast<${kernel.type}>(b${slots}[part * ${count} + i]); }
  put(m, n, sum);
}`,
    operands.blocks,
    parameters,
    groups1d(rows * columns * batches),
  );
  gpu.free(sums);
}
