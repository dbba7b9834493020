/**
 * What the user can ask of memory: figures per device, and giving cached blocks back.
 *
 * @module
 */

import { type Func, func } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import type { BackendInfo, MemoryStats } from "../backend/backend.ts";
import { backendOf, getDefaultDevice } from "../backend/mod.ts";
import { yieldToFinalizers } from "./pressure.ts";

/** The parameters of what is asked of one device. */
export class OfDeviceArgs {
  constructor(
    /** The device; `null`: the default one. */
    public device: string | Device | null = null,
  ) {}
}

function backendFor(device: string | Device | null) {
  return backendOf(device === null ? getDefaultDevice() : parseDevice(device));
}

/** Figures of a device's allocator. */
export const memoryStats: Func<typeof OfDeviceArgs, MemoryStats> = func(
  "memoryStats",
  OfDeviceArgs,
  ({ device }) => backendFor(device).memoryStats(),
);

/** Makes the peak figures start again from what is live. */
export const resetPeakMemoryStats: Func<typeof OfDeviceArgs, void> = func(
  "resetPeakMemoryStats",
  OfDeviceArgs,
  ({ device }) => backendFor(device).resetPeakMemoryStats(),
);

/** Returns cached blocks to the system where that is possible. */
export const emptyCache: Func<typeof OfDeviceArgs, void> = func(
  "emptyCache",
  OfDeviceArgs,
  ({ device }) => backendFor(device).emptyCache(),
);

/** Lets the garbage collector return the memory of unreachable tensors, collecting first where much was allocated. */
export const collectGarbage: Func<typeof OfDeviceArgs, Promise<void>> = func(
  "collectGarbage",
  OfDeviceArgs,
  ({ device }) => yieldToFinalizers(backendFor(device)),
);

/** Which device and which kernel library run. */
export const info: Func<typeof OfDeviceArgs, BackendInfo> = func(
  "info",
  OfDeviceArgs,
  ({ device }) => backendFor(device).info(),
);
