/**
 * Small constant tables that kernels look things up in, uploaded once.
 *
 * @module
 */

import type { Gpu, GpuBlock } from "./gpu.ts";

const tables = new WeakMap<Gpu, Map<string, GpuBlock>>();
/** More tables than this are rebuilt rather than kept. */
const MOST = 256;

/** The table of a key, whose words `make` gives; it belongs to the cache. */
export function tableOf(gpu: Gpu, key: string, make: () => readonly number[]): GpuBlock {
  let known = tables.get(gpu);
  if (known === undefined) tables.set(gpu, known = new Map());
  let block = known.get(key);
  if (block === undefined) {
    if (known.size >= MOST) {
      for (const old of known.values()) gpu.free(old);
      known.clear();
    }
    const words = Int32Array.from(make());
    block = gpu.alloc(words.byteLength);
    gpu.write(block, 0, words);
    known.set(key, block);
  }
  return block;
}
