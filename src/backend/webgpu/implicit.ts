/**
 * Products whose operands are functions: convolutions as matrix products without unfolding anything.
 *
 * One tiled kernel: a workgroup of 16×16 threads computes a 64×64 tile of the output, each thread 4×4 of it, from tiles of
 * both operands in workgroup memory. What an element of an operand *is* comes from two WGSL functions (`conv.ts`).
 *
 * @module
 */

import { type Gpu, gridGroup, MAX_TRIPS, prelude } from "./gpu.ts";
import { BF16, type Operands } from "./operands.ts";

/** Output rows and columns per workgroup. */
const TILE = 64;
/** Depth of a tile. */
const DEPTH = 16;
/** The deepest product of one dispatch; deeper ones accumulate over several. */
const MAX_DEPTH = Math.floor(MAX_TRIPS / (1 + TILE * DEPTH / 256 + DEPTH)) * DEPTH;

/** What a product computes with. */
export interface TileKernel {
  /** Identifies the code. */
  readonly key: string;
  /** Element type of the sums. */
  readonly type: "f32" | "i32";
  /** WGSL: `fn a_at(m: u32, k: u32) -> T`, `fn b_at(k: u32, n: u32) -> T`, `fn put(m: u32, n: u32, v: T)`; `batch` is the layer. */
  readonly functions: string;
}

/** The first parameters of every tile kernel. */
export const enum Tile {
  Rows,
  Columns,
  DepthStart,
  DepthEnd,
  /** 1 to add to what is there. */
  Accumulate,
  Batches,
  /** The number of the first workgroup in three dimensions. */
  Group,
}

/** How many parameters a tile kernel has of its own: {@linkcode Tile}'s, the last being three. */
export const TILE_PARAMETERS = 9;

/** The kernel's text. */
function tileCode(kernel: TileKernel, buffers: number): string {
  const { type, functions } = kernel;
  const zero = type === "f32" ? "0.0" : "0";
  const range4 = [0, 1, 2, 3];
  return `${prelude(buffers)}${BF16}
var<private> batch: u32;
${functions}
var<workgroup> ta: array<array<${type}, ${TILE}>, ${DEPTH}>;
var<workgroup> tb: array<array<${type}, ${TILE}>, ${DEPTH}>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
${gridGroup(Tile.Group)}  batch = group.z;
  let m0 = group.y * ${TILE}u;
  let n0 = group.x * ${TILE}u;
  var acc: array<vec4<${type}>, 4>;
  for (var k0 = p(${Tile.DepthStart}u); k0 < p(${Tile.DepthEnd}u); k0 += ${DEPTH}u) {
    for (var r = 0u; r < ${TILE * DEPTH / 256}u; r++) {
      let e = r * 256u + local;
      let ka = e % ${DEPTH}u;
      let ma = e / ${DEPTH}u;
      var va = ${type}(${zero});
      if (m0 + ma < p(${Tile.Rows}u) && k0 + ka < p(${Tile.DepthEnd}u)) { va = a_at(m0 + ma, k0 + ka); }
      ta[ka][ma] = va;
      let nb = e % ${TILE}u;
      let kb = e / ${TILE}u;
      var vb = ${type}(${zero});
      if (n0 + nb < p(${Tile.Columns}u) && k0 + kb < p(${Tile.DepthEnd}u)) { vb = b_at(k0 + kb, n0 + nb); }
      tb[kb][nb] = vb;
    }
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let n = lid.x * 4u;
      let m = lid.y * 4u;
      let b = vec4<${type}>(tb[k][n], tb[k][n + 1u], tb[k][n + 2u], tb[k][n + 3u]);
${range4.map((r) => `      acc[${r}] += ta[k][m + ${r}u] * b;`).join("\n")}
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < 4u; r++) {
    for (var c = 0u; c < 4u; c++) {
      let m = m0 + lid.y * 4u + r;
      let n = n0 + lid.x * 4u + c;
      if (m < p(${Tile.Rows}u) && n < p(${Tile.Columns}u)) { put(m, n, acc[r][c]); }
    }
  }
}`;
}

/**
 * Runs a tile kernel.
 *
 * @param operands starts with {@linkcode TILE_PARAMETERS} words, which this function sets
 */
export function runTiles(
  gpu: Gpu,
  kernel: TileKernel,
  operands: Operands,
  rows: number,
  columns: number,
  depth: number,
  batches: number,
): void {
  const { parameters } = operands;
  parameters[Tile.Rows] = rows;
  parameters[Tile.Columns] = columns;
  parameters[Tile.Batches] = batches;
  const slots = operands.blocks.length;
  for (let start = 0; start === 0 || start < depth; start += MAX_DEPTH) {
    parameters[Tile.DepthStart] = start;
    parameters[Tile.DepthEnd] = Math.min(depth, start + MAX_DEPTH);
    parameters[Tile.Accumulate] = start > 0 ? 1 : 0;
    gpu.dispatchGrid(kernel.key, () => tileCode(kernel, slots), operands.blocks, parameters, Tile.Group, [
      Math.ceil(columns / TILE),
      Math.ceil(rows / TILE),
      batches,
    ]);
  }
}
