/**
 * Memory from the user's side: statistics per device, and returning cached blocks to the system.
 *
 * @module
 */

import { type Func, func } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import type { BackendInfo, MemoryStats } from "../backend/backend.ts";
import { backendOf, getDefaultDevice } from "../backend/mod.ts";
import { yieldToFinalizers } from "./pressure.ts";

/** The parameters of the functions about the memory of one device. */
export class OfDeviceArgs {
  constructor(
    /** The device; `null`: the default one. */
    public device: string | Device | null = null,
  ) {}
}

function backendFor(device: string | Device | null) {
  return backendOf(device === null ? getDefaultDevice() : parseDevice(device));
}

/**
 * The statistics of a device's allocator: bytes in use, at the peak and obtained from the system, and counts of blocks.
 */
export const memoryStats: Func<typeof OfDeviceArgs, MemoryStats> = func(
  "memoryStats",
  OfDeviceArgs,
  ({ device }) => backendFor(device).memoryStats(),
);

/** Sets the peak statistics back to the present values. */
export const resetPeakMemoryStats: Func<typeof OfDeviceArgs, void> = func(
  "resetPeakMemoryStats",
  OfDeviceArgs,
  ({ device }) => backendFor(device).resetPeakMemoryStats(),
);

/** Returns cached, unused blocks to the system where the device allows that. */
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

/** The name of a device and of the kernel library that runs there. */
export const info: Func<typeof OfDeviceArgs, BackendInfo> = func(
  "info",
  OfDeviceArgs,
  ({ device }) => backendFor(device).info(),
);
