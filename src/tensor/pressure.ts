/**
 * Memory pressure: when the garbage collector is made to run.
 *
 * Finalizers run only in a macrotask, never inside a synchronous loop, so everything that waits anyway (value reads,
 * the DataLoader) passes through here. The collector does not see native memory; when much of it was allocated since
 * the last collection, one is forced, so that plain code without annotations runs in bounded memory.
 *
 * @module
 */

import { collectNow, nextTurn } from "../base/platform.ts";
import type { Backend } from "../backend/backend.ts";

/** A collection is forced when this many bytes, or this part of what was live, were allocated and not freed since the last one. */
const GROWTH_BYTES = 64 * 2 ** 20;
const GROWTH_PART = 0.25;
/** The same limit for the number of blocks: small tensors cost memory of the JavaScript heap, too. */
const GROWTH_BLOCKS = 1 << 14;

/** The same limit for the device's objects that only a collection frees (WebGPU's bind groups): some 1.5 KB each. */
const GROWTH_OBJECTS = 1 << 14;

/**
 * What was live after the last forced collection, and the factor of the limits: it grows while collections free little.
 */
interface Watch {
  bytes: number;
  blocks: number;
  patience: number;
  objects: number;
}

const watches = new Map<Backend, Watch>();
/**
 * Yields one macrotask, in which finalizers run; forces a collection before it where much was allocated on the device.
 */
export async function yieldToFinalizers(backend: Backend): Promise<void> {
  let watch = watches.get(backend);
  if (watch === undefined) watches.set(backend, watch = { bytes: 0, blocks: 0, patience: 1, objects: 0 });
  const before = backend.memoryStats();
  const bytes = before.allocatedBytes - watch.bytes, blocks = before.liveBlocks - watch.blocks;
  const pressed = bytes > watch.patience * Math.max(GROWTH_BYTES, watch.bytes * GROWTH_PART) ||
    blocks > watch.patience * GROWTH_BLOCKS;
  const { collectable = 0 } = before;
  const littered = collectable - watch.objects > GROWTH_OBJECTS;
  if (pressed || littered) {
    collectNow();
    watch.objects = collectable;
  }
  await nextTurn();
  if (!pressed) return;
  const after = backend.memoryStats();
  const freed = (before.allocatedBytes - after.allocatedBytes) / Math.max(bytes, 1);
  const freedBlocks = (before.liveBlocks - after.liveBlocks) / Math.max(blocks, 1);
  watch.patience = Math.max(freed, freedBlocks) > 0.25 ? 1 : Math.min(watch.patience * 2, 64);
  watch.bytes = after.allocatedBytes;
  watch.blocks = after.liveBlocks;
}
