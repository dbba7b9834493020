/**
 * `cuda`: what NVIDIA devices there are and what their memory does, under PyTorch's names.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../base/call.ts";
import { DeviceError } from "../base/errors.ts";
import { cudaOpened } from "../backend/cuda/mod.ts";
import { cudaShim } from "../backend/cuda/stream.ts";
import { backendAt, type CudaDevice, CudaDeviceArgs } from "./streams.ts";

/** The parameters of {@linkcode canDeviceAccessPeer}. */
export class PeerArgs {
  constructor(
    /** The device that reads. */
    public device: CudaDevice,
    /** The device that is read. */
    public peerDevice: CudaDevice,
  ) {}
}

/** The parameters of {@linkcode setPerProcessMemoryFraction}. */
export class MemoryFractionArgs {
  constructor(
    /** The part of the device's memory, up to 1. */
    public fraction: number,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode setAllowTf32}. */
export class AllowTf32Args {
  constructor(
    /** Whether it is allowed. */
    public allow: boolean,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode setBenchmarkMatmul}. */
export class BenchmarkMatmulArgs {
  constructor(
    /** Whether products are measured. */
    public benchmark: boolean,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/**
 * How many CUDA devices can be used; 0 where the shim, the driver or a device is missing.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * const device = torch.cuda.isAvailable() ? "cuda" : "cpu";
 * torch.zeros(3, { device });
 * ```
 */
export const deviceCount: Func<typeof NoArgs, number> = func("deviceCount", NoArgs, () => {
  try {
    return Math.max(0, cudaShim().c.cresset_cuda_device_count());
  } catch (error) {
    if (error instanceof DeviceError) return 0;
    throw error;
  }
});

/** Whether there is a CUDA device; `deno task doctor` says why not. */
export const isAvailable: Func<typeof NoArgs, boolean> = func("isAvailable", NoArgs, () => deviceCount() > 0);

/**
 * A device's name, such as `"NVIDIA H100 80GB HBM3"`.
 *
 * @throws {DeviceError} if there is no such device
 */
export const getDeviceName: Func<typeof CudaDeviceArgs, string> = func(
  "getDeviceName",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).stream.name,
);

/** A device's compute capability, such as `[9, 0]`. */
export const getDeviceCapability: Func<typeof CudaDeviceArgs, [major: number, minor: number]> = func(
  "getDeviceCapability",
  CudaDeviceArgs,
  ({ device }) => {
    const { capability } = backendAt(device).stream;
    return [Math.floor(capability / 10), capability % 10];
  },
);

/**
 * Waits until everything issued to a device is done.
 *
 * @throws {NativeError} if a kernel ran into a fault since the last wait
 */
export const synchronize: Func<typeof CudaDeviceArgs, void> = func("synchronize", CudaDeviceArgs, ({ device }) => {
  backendAt(device).stream.synchronize();
});

/** Bytes in live tensors. */
export const memoryAllocated: Func<typeof CudaDeviceArgs, number> = func(
  "memoryAllocated",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().allocatedBytes,
);

/** The most that {@linkcode memoryAllocated} has been since the start or the last {@linkcode resetPeakMemoryStats}. */
export const maxMemoryAllocated: Func<typeof CudaDeviceArgs, number> = func(
  "maxMemoryAllocated",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().peakAllocatedBytes,
);

/** Bytes obtained from the driver, in use and cached. */
export const memoryReserved: Func<typeof CudaDeviceArgs, number> = func(
  "memoryReserved",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().reservedBytes,
);

/** Makes the peak start again from what is live. */
export const resetPeakMemoryStats: Func<typeof CudaDeviceArgs, void> = func(
  "resetPeakMemoryStats",
  CudaDeviceArgs,
  ({ device }) => {
    backendAt(device).resetPeakMemoryStats();
  },
);

/** Returns cached memory to the driver. */
export const emptyCache: Func<typeof CudaDeviceArgs, void> = func("emptyCache", CudaDeviceArgs, ({ device }) => {
  backendAt(device).emptyCache();
});

/** The most that {@linkcode memoryReserved} has been since the start or the last {@linkcode resetPeakMemoryStats}. */
export const maxMemoryReserved: Func<typeof CudaDeviceArgs, number> = func(
  "maxMemoryReserved",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).allocator.peakReservedBytes,
);

/** Free and all bytes of a device, as the driver sees them. */
export const memGetInfo: Func<typeof CudaDeviceArgs, [free: number, total: number]> = func(
  "memGetInfo",
  CudaDeviceArgs,
  ({ device }) => {
    const { stream } = backendAt(device);
    stream.check("memGetInfo", stream.shim.c.cresset_cuda_memory(stream.ordinal));
    return [stream.args[0], stream.args[1]];
  },
);

/** Figures of a device's allocator under the names of PyTorch's. */
export const memoryStats: Func<typeof CudaDeviceArgs, Record<string, number>> = func(
  "memoryStats",
  CudaDeviceArgs,
  ({ device }) => {
    const backend = backendAt(device), stats = backend.memoryStats();
    return {
      "active.all.current": stats.liveBlocks,
      "allocated_bytes.all.current": stats.allocatedBytes,
      "allocated_bytes.all.peak": stats.peakAllocatedBytes,
      "allocation.all.allocated": stats.allocations,
      "allocation.all.current": stats.liveBlocks,
      "reserved_bytes.all.current": stats.reservedBytes,
      "reserved_bytes.all.peak": backend.allocator.peakReservedBytes,
    };
  },
);

/** The same as lines of text. */
export const memorySummary: Func<typeof CudaDeviceArgs, string> = func(
  "memorySummary",
  CudaDeviceArgs,
  ({ device }) => {
    const lines = Object.entries(memoryStats(device)).map(([name, value]) => `${name.padEnd(28)} ${value}`);
    return [`memory of cuda:${backendAt(device).stream.ordinal}`, ...lines].join("\n");
  },
);

/** What is known of a device. */
export interface DeviceProperties {
  /** Its name. */
  readonly name: string;
  /** Compute capability: the part before the point. */
  readonly major: number;
  /** Compute capability: the part behind the point. */
  readonly minor: number;
  /** Its memory in bytes. */
  readonly totalMemory: number;
  /** How many multiprocessors it has. */
  readonly multiProcessorCount: number;
  /** Threads of a warp. */
  readonly warpSize: number;
}

/** What is known of a device. */
export const getDeviceProperties: Func<typeof CudaDeviceArgs, DeviceProperties> = func(
  "getDeviceProperties",
  CudaDeviceArgs,
  ({ device }) => {
    const { name, totalBytes, processors } = backendAt(device).stream;
    const [major, minor] = getDeviceCapability(device);
    return { name, major, minor, totalMemory: totalBytes, multiProcessorCount: processors, warpSize: 32 };
  },
);

/** Whether bfloat16 is computed at full speed, as from capability 8.0 on. */
export const isBf16Supported: Func<typeof NoArgs, boolean> = func(
  "isBf16Supported",
  NoArgs,
  () => backendAt(null).stream.capability >= 80,
);

/** Whether two devices can reach each other's memory directly. */
export const canDeviceAccessPeer: Func<typeof PeerArgs, boolean> = func(
  "canDeviceAccessPeer",
  PeerArgs,
  ({ device, peerDevice }) => {
    const { stream } = backendAt(device), { ordinal } = backendAt(peerDevice).stream;
    const status = stream.shim.c.cresset_cuda_peer(stream.ordinal, ordinal);
    stream.check("canDeviceAccessPeer", status);
    return status === 1;
  },
);

let initialized = false;

/**
 * Opens the current device, which otherwise happens on first use.
 *
 * @throws {DeviceError} if there is none
 */
export const init: Func<typeof NoArgs, void> = func("init", NoArgs, () => {
  backendAt(null);
  initialized = true;
});

/** Whether a CUDA device was used. */
export const isInitialized: Func<typeof NoArgs, boolean> = func(
  "isInitialized",
  NoArgs,
  () => initialized || cudaOpened(),
);

/** For PyTorch's sake: memory that was shared with other processes would be collected, but none is. */
export const ipcCollect: Func<typeof NoArgs, void> = func("ipcCollect", NoArgs, () => {});

/**
 * Limits the part of a device's memory that tensors may take; more throws `OutOfMemoryError`.
 */
export const setPerProcessMemoryFraction: Func<typeof MemoryFractionArgs, void> = func(
  "setPerProcessMemoryFraction",
  MemoryFractionArgs,
  ({ fraction, device }) => {
    const { stream } = backendAt(device);
    stream.allocator.setLimit(Math.floor(fraction * stream.totalBytes));
  },
);

/**
 * Whether products and convolutions of float32 on one device may round their operands to TensorFloat-32, which is several
 * times faster and keeps about three digits. Off at first. For all devices: `backends.cuda.matmul.allowTf32` and
 * `backends.cudnn.allowTf32`.
 *
 * Differs from PyTorch: this switch of one device is ours.
 */
export const setAllowTf32: Func<typeof AllowTf32Args, void> = func(
  "setAllowTf32",
  AllowTf32Args,
  ({ allow, device }) => {
    backendAt(device).stream.allowTf32 = allow;
  },
);

/**
 * Whether a product of a shape not met before is measured with several of cuBLASLt's algorithms and the fastest kept,
 * instead of what its heuristics expect to be. Off at first; `CRESSET_CUDA_BENCHMARK=1` in the environment turns it on. A
 * shape's first product then takes some thirty times as long, and results may differ in the last digits between runs.
 *
 * Differs from PyTorch: there `torch.backends.cudnn.benchmark` is for convolutions, and products have TunableOp.
 */
export const setBenchmarkMatmul: Func<typeof BenchmarkMatmulArgs, void> = func(
  "setBenchmarkMatmul",
  BenchmarkMatmulArgs,
  ({ benchmark, device }) => {
    backendAt(device).stream.measureProducts = benchmark;
  },
);
