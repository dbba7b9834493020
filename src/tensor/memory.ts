/**
 * What the user can ask of memory: figures per device, and giving cached blocks back.
 *
 * @module
 */

import { type Device, device as parseDevice } from "../base/device.ts";
import type { BackendInfo, MemoryStats } from "../backend/backend.ts";
import { backendOf, getDefaultDevice } from "../backend/mod.ts";
import { yieldToFinalizers } from "./pressure.ts";

function backendFor(device: string | Device | undefined) {
  return backendOf(device === undefined ? getDefaultDevice() : parseDevice(device));
}

/** Figures of a device's allocator. */
export function memoryStats(device?: string | Device): MemoryStats {
  return backendFor(device).memoryStats();
}

/** Makes the peak figures start again from what is live. */
export function resetPeakMemoryStats(device?: string | Device): void {
  backendFor(device).resetPeakMemoryStats();
}

/** Returns cached blocks to the system where that is possible. */
export function emptyCache(device?: string | Device): void {
  backendFor(device).emptyCache();
}

/** Lets the garbage collector return the memory of unreachable tensors, collecting first where much was allocated. */
export function collectGarbage(device?: string | Device): Promise<void> {
  return yieldToFinalizers(backendFor(device));
}

/** Which device and which kernel library run. */
export function info(device?: string | Device): BackendInfo {
  return backendFor(device).info();
}
