/**
 * The CUDA printer of the tiled map: operands that are transposed against the output are read through shared memory.
 *
 * Threads of a warp that are neighbours along the output's last dimension would read such an operand a sector per element.
 * So a block takes a square tile of the last two dimensions: *staged* operands are read with the lanes along the dimension
 * before the last, in which they lie next to each other, and exchanged in shared memory; every other operand is read and
 * written with the lanes along the last. The parameter block is that of the other maps (`cuda.ts`), but slot 0 counts tiles.
 *
 * Banks: lanes write a row of the tile, element by element, and read a column of it, whose elements are a pitch of
 * `tile + max(1, 4 / bytes)` elements apart. In words that is 32 or 64 plus one (4 bytes), half or a quarter of the tile plus
 * one (2 bytes and 1), always odd, so that 32 lanes meet 32 banks; elements of 8 bytes go by half warps, and 16 lanes meet
 * 16 pairs of banks, since the pitch is odd in pairs.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { isLong, operandSlot, printElement, sizeSlot, storageType } from "./cuda.ts";
import type { Program } from "./program.ts";

/** Threads of a block of a tiled kernel. */
export const TILE_THREADS = 256;

/** What a tiled kernel is printed for. */
export interface CudaTiling {
  /** Rows and columns of a tile. */
  readonly tile: 32 | 64;
  /** Which inputs go through shared memory. */
  readonly staged: readonly boolean[];
}

/** Elements from a row of a tile to the next: see the banks above. */
export function tilePitch(tile: number, dtype: DType): number {
  return tile + Math.max(1, 4 / dtype.itemsize);
}

/** Shared memory of an operand's tile, in bytes. */
export function tileBytes(tile: number, dtype: DType): number {
  return tile * tilePitch(tile, dtype) * dtype.itemsize;
}

/** Prints the kernel `name`. */
export function printCudaTiled(program: Program, name: string, { tile, staged }: CudaTiling): string {
  const inputs = program.inputs.length;
  const dtypes = [...program.inputs, ...program.outputs.map((o) => o.dtype)], types = dtypes.map(storageType);
  const all = dtypes.map((_, k) => k), through = all.filter((k) => staged[k]), direct = all.filter((k) => !staged[k]);
  // Rows of a warp, and how many of its elements are loaded before any is used.
  const rows = TILE_THREADS / 32, each = tile * tile / TILE_THREADS;
  const ahead = Math.min(8, each), step = isLong(program) ? 1 : 4;
  const lines = (list: readonly number[], line: (k: number) => string): string => list.map(line).join("");
  // Element n of a thread: `slow` by warp, `fast` by lane.
  const at = (n: string): string =>
    tile === 32
      ? `const u32 slow = warp + ${n} * ${rows}, fast = lane;`
      : `const u32 slow = warp + ${n} / 2 * ${rows}, fast = lane + ${n} % 2 * 32;`;
  const load = (k: number): string =>
    `#pragma unroll
    for (u32 first = 0; first < ${each}; first += ${ahead}) {
      ${types[k]} held[${ahead}];
#pragma unroll
      for (u32 n = 0; n < ${ahead}; n++) {
        ${at("(first + n)")}
        held[n] = x0 + slow < width && y0 + fast < height ? a${k}[o${k} + slow * across${k} + fast * down${k}] : (${
      types[k]
    })0;
      }
#pragma unroll
      for (u32 n = 0; n < ${ahead}; n++) {
        ${at("(first + n)")}
        t${k}[slow * ${tilePitch(tile, dtypes[k])} + fast] = held[n];
      }
    }
`;
  const operands = all.map((k) => staged[k] ? `t${k}[fast * ${tilePitch(tile, dtypes[k])} + slow]` : `v${k}[n]`);
  return `${
    printElement(program, true)
  }extern "C" __global__ void __launch_bounds__(${TILE_THREADS}) ${name}(const __grid_constant__ Params p) {
${lines(through, (k) => `  __shared__ ${types[k]} t${k}[${tile * tilePitch(tile, dtypes[k])}];\n`)}${
    lines(all, (k) => {
      const mark = k < inputs ? "const " : "";
      return `  ${mark}${types[k]} *const a${k} = (${mark}${types[k]} *)p.slots[${operandSlot(k)}];
  const i64 down${k} = p.slots[${operandSlot(k)} + (int)p.slots[1] - 1], across${k} = p.slots[${
        operandSlot(k)
      } + (int)p.slots[1]];\n`;
    })
  }  const int ndim = (int)p.slots[1];
  const u32 tiles = (u32)p.slots[0], lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const u32 height = (u32)${sizeSlot("ndim - 2")}, width = (u32)${sizeSlot("ndim - 1")};
  const u32 wide = (width - 1) / ${tile} + 1, high = (height - 1) / ${tile} + 1;
  for (u32 number = blockIdx.x; number < tiles; number += gridDim.x) {
    u32 rest = number / wide;
    const u32 x0 = (number - rest * wide) * ${tile}, batch = rest / high, y0 = (rest - batch * high) * ${tile};
    const i64 origin = ((i64)batch * height + y0) * width + x0;
    rest = batch;
${lines(all, (k) => `    i64 o${k} = y0 * down${k} + x0 * across${k};\n`)}#pragma unroll 1
    for (int d = ndim - 3; d >= 0; d--) {
      const u32 size = (u32)${sizeSlot("d")}, next = rest / size;
      const i64 at = rest - next * size;
      rest = next;
${lines(all, (k) => `      o${k} += at * p.slots[${operandSlot(k) + 1} + d];\n`)}    }
${lines(through, load)}    __syncthreads();
#pragma unroll 1
    for (u32 first = 0; first < ${each}; first += ${step}) {
${lines(direct, (k) => `      ${types[k]} v${k}[${step}];\n`)}${
    direct.some((k) => k < inputs)
      ? `#pragma unroll
      for (u32 n = 0; n < ${step}; n++) {
        ${at("(first + n)")}
        const bool inside = x0 + fast < width && y0 + slow < height;
${
        lines(direct.filter((k) => k < inputs), (k) =>
          `        v${k}[n] = inside ? a${k}[o${k} + slow * down${k} + fast * across${k}] : (${types[k]})0;\n`)
      }      }\n`
      : ""
  }#pragma unroll
      for (u32 n = 0; n < ${step}; n++) {
        ${at("(first + n)")}
        const i64 index = origin + (i64)slow * width + fast;
        element(${["p, index", ...operands].join(", ")});
      }
#pragma unroll
      for (u32 n = 0; n < ${step}; n++) {
        ${at("(first + n)")}
        if (x0 + fast < width && y0 + slow < height) {
${
    lines(direct.filter((k) => k >= inputs), (k) =>
      `          a${k}[o${k} + slow * down${k} + fast * across${k}] = v${k}[n];\n`)
  }        }
      }
    }
    __syncthreads();
  }
}
`;
}
