/**
 * Giving the garbage collector its chance.
 *
 * Finalizers run only in a macrotask, never inside a synchronous loop, so everything that waits anyway (value reads, the
 * DataLoader) passes through here. The collector does not see native memory; when much of it was allocated since the last
 * collection, one is forced, so that plain code without annotations runs in bounded memory.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Backend } from "../backend/backend.ts";

/** Below this many live bytes no collection is forced. */
const FLOOR_BYTES = 256 * 2 ** 20;
/** A collection is forced when live bytes have grown by this factor since the last one. */
const GROWTH = 1.5;

const liveAfterLast = new Map<Backend, number>();
let collect: (() => void) | null = null;

function collector(): () => void {
  if (collect === null) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  return collect;
}

/** Lets finalizers run, after a forced collection where the device's memory has grown much. */
export async function yieldToFinalizers(backend: Backend): Promise<void> {
  const { allocatedBytes } = backend.memoryStats();
  const threshold = Math.max(FLOOR_BYTES, (liveAfterLast.get(backend) ?? 0) * GROWTH);
  const pressed = allocatedBytes > threshold;
  if (pressed) collector()();
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (pressed) liveAfterLast.set(backend, backend.memoryStats().allocatedBytes);
}
