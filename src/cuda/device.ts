/**
 * `cuda`: NVIDIA devices, their properties and the statistics of their memory, under PyTorch's names.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../base/call.ts";
import { DeviceError } from "../base/errors.ts";
import { cudaOpened } from "../backend/cuda/mod.ts";
import { cudaShim } from "../backend/cuda/device/stream.ts";
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
    /** The fraction of the device's memory, from 0 to 1. */
    public fraction: number,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode setAllowTf32}. */
export class AllowTf32Args {
  constructor(
    /** Whether TensorFloat-32 is allowed. */
    public allow: boolean,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode setBenchmarkMatmul}. */
export class BenchmarkMatmulArgs {
  constructor(
    /** Whether algorithms of matrix products are measured. */
    public benchmark: boolean,
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/**
 * The number of usable CUDA devices; 0 where the shim, the driver or a device is missing.
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
 * Waits until all work issued to a device is done.
 *
 * @throws {NativeError} if a kernel ran into a fault since the last wait
 */
export const synchronize: Func<typeof CudaDeviceArgs, void> = func("synchronize", CudaDeviceArgs, ({ device }) => {
  backendAt(device).stream.synchronize();
});

/** The memory of live tensors, in bytes. */
export const memoryAllocated: Func<typeof CudaDeviceArgs, number> = func(
  "memoryAllocated",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().allocatedBytes,
);

/** The peak of {@linkcode memoryAllocated} since the start or the last {@linkcode resetPeakMemoryStats}, in bytes. */
export const maxMemoryAllocated: Func<typeof CudaDeviceArgs, number> = func(
  "maxMemoryAllocated",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().peakAllocatedBytes,
);

/** The memory obtained from the driver, used and cached, in bytes. */
export const memoryReserved: Func<typeof CudaDeviceArgs, number> = func(
  "memoryReserved",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).memoryStats().reservedBytes,
);

/** Sets the peak statistics back to the present values. */
export const resetPeakMemoryStats: Func<typeof CudaDeviceArgs, void> = func(
  "resetPeakMemoryStats",
  CudaDeviceArgs,
  ({ device }) => {
    backendAt(device).resetPeakMemoryStats();
  },
);

/** Returns cached, unused memory to the driver. */
export const emptyCache: Func<typeof CudaDeviceArgs, void> = func("emptyCache", CudaDeviceArgs, ({ device }) => {
  backendAt(device).emptyCache();
});

/** The peak of {@linkcode memoryReserved} since the start or the last {@linkcode resetPeakMemoryStats}, in bytes. */
export const maxMemoryReserved: Func<typeof CudaDeviceArgs, number> = func(
  "maxMemoryReserved",
  CudaDeviceArgs,
  ({ device }) => backendAt(device).allocator.peakReservedBytes,
);

/** The free and the total memory of a device in bytes, as the driver sees them. */
export const memGetInfo: Func<typeof CudaDeviceArgs, [free: number, total: number]> = func(
  "memGetInfo",
  CudaDeviceArgs,
  ({ device }) => {
    const { stream } = backendAt(device);
    stream.check("memGetInfo", stream.shim.c.cresset_cuda_memory(stream.ordinal));
    return [stream.args[0], stream.args[1]];
  },
);

/** The statistics of a device's allocator, under PyTorch's names. */
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

/** The statistics of a device's allocator as lines of text. */
export const memorySummary: Func<typeof CudaDeviceArgs, string> = func(
  "memorySummary",
  CudaDeviceArgs,
  ({ device }) => {
    const lines = Object.entries(memoryStats(device)).map(([name, value]) => `${name.padEnd(28)} ${value}`);
    return [`memory of cuda:${backendAt(device).stream.ordinal}`, ...lines].join("\n");
  },
);

/** The properties of a device. */
export interface DeviceProperties {
  /** The device's name. */
  readonly name: string;
  /** The major number of the compute capability. */
  readonly major: number;
  /** The minor number of the compute capability. */
  readonly minor: number;
  /** The device's memory in bytes. */
  readonly totalMemory: number;
  /** The number of streaming multiprocessors. */
  readonly multiProcessorCount: number;
  /** The number of threads of a warp. */
  readonly warpSize: number;
}

/** The properties of a device. */
export const getDeviceProperties: Func<typeof CudaDeviceArgs, DeviceProperties> = func(
  "getDeviceProperties",
  CudaDeviceArgs,
  ({ device }) => {
    const { name, totalBytes, processors } = backendAt(device).stream;
    const [major, minor] = getDeviceCapability(device);
    return { name, major, minor, totalMemory: totalBytes, multiProcessorCount: processors, warpSize: 32 };
  },
);

/** Whether the current device computes bfloat16 at full speed, as from compute capability 8.0 on. */
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
 * Opens the current device now instead of on first use.
 *
 * @throws {DeviceError} if there is no device
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

/** Accepted for PyTorch's sake; it does nothing, because no memory is shared with other processes. */
export const ipcCollect: Func<typeof NoArgs, void> = func("ipcCollect", NoArgs, () => {});

/**
 * Limits the fraction of a device's memory that tensors may take; an allocation beyond it throws `OutOfMemoryError`.
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
 * Sets whether float32 matrix products and convolutions on one device may round their operands to TensorFloat-32, which
 * is several times faster and keeps about three decimal digits. Off at first. For all devices:
 * `backends.cuda.matmul.allowTf32` and `backends.cudnn.allowTf32`.
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
 * Sets whether, for each new shape of a matrix product, several of cuBLASLt's algorithms are timed and the fastest is
 * kept, instead of the one that its heuristics choose. Off at first; `CRESSET_CUDA_BENCHMARK=1` in the environment
 * turns it on. A shape's first product then takes some thirty times as long, and results may differ in the last digits
 * between runs.
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
