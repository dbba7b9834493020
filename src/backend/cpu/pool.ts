/**
 * Pooling on the CPU: the calls into `native/cpu/pool.c`.
 *
 * Evenly spaced windows travel as three numbers. Others (adaptive pooling) are a table, which lies behind the arguments
 * in the arena where it fits, else in a segment that grows with the longest one.
 *
 * @module
 */

import { int64 } from "../../base/dtype.ts";
import type { PoolWindows, Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { ofDtype, oneDtype } from "./operands.ts";
import { check, checkCount, fail, type KernelLibrary } from "./lib.ts";
import { addressOf } from "./pack.ts";

const MAX = 0;
const MEAN = 1;
const SPREAD = 2;

/** Where the arena's tables start: behind 4 + 3 · 7 argument slots. */
const TABLES = 32;

/** The segment for long tables, per library. */
const segments = new WeakMap<KernelLibrary, { address: number; bytes: number }>();

function tableSegment(lib: KernelLibrary, bytes: number): number {
  let segment = segments.get(lib);
  if (segment === undefined || segment.bytes < bytes) {
    if (segment !== undefined) lib.k.cresset_free_segment(segment.address, segment.bytes);
    const size = Math.max(2 * (segment?.bytes ?? 0), bytes, 64 * 1024);
    segment = { address: lib.k.cresset_alloc_segment(size), bytes: size };
    if (segment.address === 0) fail("pool", -4);
    segments.set(lib, segment);
  }
  return segment.address;
}

/** Largest values and their indices; see `Backend.maxPool`. */
export const maxPool: KernelOf<KernelLibrary, "maxPool"> = (lib, x, windows, out, indices) => {
  oneDtype("maxPool", x, out);
  ofDtype("maxPool", indices, int64);
  run(lib, MAX, x, out, indices, windows);
};

/** Scaled sums; see `Backend.avgPool`. */
export const avgPool: KernelOf<KernelLibrary, "avgPool"> = (lib, x, windows, scale, out) => {
  oneDtype("avgPool", x, out);
  run(lib, MEAN, x, out, scale, windows);
};

/** The gradient of `avgPool`; see `Backend.avgPoolGrad`. */
export const avgPoolGrad: KernelOf<KernelLibrary, "avgPoolGrad"> = (lib, grad, windows, scale, out) => {
  oneDtype("avgPoolGrad", grad, out);
  run(lib, SPREAD, out, grad, scale, windows);
};

/** Whether windows are evenly spaced and equally long (before clipping to the input). */
function isEven(starts: readonly number[], ends: readonly number[]): boolean {
  if (starts.length === 0) return true;
  const extent = ends[0] - starts[0];
  const step = starts.length > 1 ? starts[1] - starts[0] : 1;
  if (step < 1) return false;
  for (let i = 0; i < starts.length; i++) {
    if (starts[i] !== starts[0] + i * step || ends[i] - starts[i] !== extent) return false;
  }
  return true;
}

function run(
  lib: KernelLibrary,
  kind: number,
  x: Strided,
  y: Strided,
  third: Strided,
  windows: PoolWindows,
): void {
  const nspatial = windows.starts.length;
  const lead = x.shape.length - nspatial;
  const uneven: number[] = [];
  let slots = 0;
  for (let d = 0; d < nspatial; d++) {
    if (isEven(windows.starts[d], windows.ends[d])) continue;
    uneven.push(d);
    slots += 2 * windows.starts[d].length;
  }
  const inArena = slots <= lib.arena().length - TABLES;
  const first = inArena ? lib.k.cresset_arena() + TABLES * 8 : tableSegment(lib, slots * 8);
  const args = lib.arena();
  const tables = inArena ? args.subarray(TABLES) : new Float64Array(slots);
  args[0] = 1;
  for (let d = 0; d < lead; d++) args[0] *= x.shape[d];
  args[1] = addressOf(x);
  args[2] = addressOf(y);
  args[3] = addressOf(third);
  let slot = 0;
  for (let d = 0, at = 4; d < nspatial; d++, at += 7) {
    const starts = windows.starts[d], ends = windows.ends[d];
    checkCount("pool", lib, Math.max(ends[ends.length - 1] ?? 0, -(starts[0] ?? 0), windows.dilation[d]));
    args[at] = x.shape[lead + d];
    args[at + 1] = starts.length;
    args[at + 2] = windows.dilation[d];
    if (uneven.includes(d)) {
      args[at + 3] = first + slot * 8;
      tables.set(starts, slot);
      tables.set(ends, slot + starts.length);
      slot += 2 * starts.length;
    } else {
      args[at + 3] = 0;
      args[at + 4] = starts.length > 0 ? starts[0] : 0;
      args[at + 5] = starts.length > 1 ? starts[1] - starts[0] : 1;
      args[at + 6] = starts.length > 0 ? ends[0] - starts[0] : 1;
    }
  }
  if (!inArena) lib.write(first, new Uint8Array(tables.buffer, tables.byteOffset, tables.byteLength));
  check("pool", lib.k.cresset_pool(x.dtype.code, nspatial, kind));
}
