/**
 * `cuda`: what NVIDIA devices there are and what their memory does, under PyTorch's names.
 *
 * @module
 */

import { Device, device as parseDevice } from "../base/device.ts";
import { DeviceError } from "../base/errors.ts";
import { type CudaBackend, cudaBackend } from "./cuda/mod.ts";
import { cudaShim } from "./cuda/stream.ts";

/** A CUDA device: its number, name (`"cuda:1"`) or {@linkcode Device}. */
export type CudaDevice = number | string | Device;

function backendAt(device: CudaDevice): CudaBackend {
  const chosen = typeof device === "number" ? new Device("cuda", device) : parseDevice(device);
  if (chosen.type !== "cuda") throw new DeviceError(`cuda(): expected a CUDA device: "${chosen}"`);
  return cudaBackend(chosen);
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
export function deviceCount(): number {
  try {
    return Math.max(0, cudaShim().c.cresset_cuda_device_count());
  } catch (error) {
    if (error instanceof DeviceError) return 0;
    throw error;
  }
}

/** Whether there is a CUDA device; `deno task doctor` says why not. */
export function isAvailable(): boolean {
  return deviceCount() > 0;
}

/**
 * A device's name, such as `"NVIDIA H100 80GB HBM3"`.
 *
 * @throws {DeviceError} if there is no such device
 */
export function getDeviceName(device: CudaDevice = 0): string {
  return backendAt(device).stream.name;
}

/** A device's compute capability, such as `[9, 0]`. */
export function getDeviceCapability(device: CudaDevice = 0): [major: number, minor: number] {
  const { capability } = backendAt(device).stream;
  return [Math.floor(capability / 10), capability % 10];
}

/**
 * Waits until everything issued to a device is done.
 *
 * @throws {NativeError} if a kernel ran into a fault since the last wait
 */
export function synchronize(device: CudaDevice = 0): void {
  backendAt(device).stream.synchronize();
}

/** Bytes in live tensors. */
export function memoryAllocated(device: CudaDevice = 0): number {
  return backendAt(device).memoryStats().allocatedBytes;
}

/** The most that {@linkcode memoryAllocated} has been since the start or the last {@linkcode resetPeakMemoryStats}. */
export function maxMemoryAllocated(device: CudaDevice = 0): number {
  return backendAt(device).memoryStats().peakAllocatedBytes;
}

/** Bytes obtained from the driver, in use and cached. */
export function memoryReserved(device: CudaDevice = 0): number {
  return backendAt(device).memoryStats().reservedBytes;
}

/** Makes the peak start again from what is live. */
export function resetPeakMemoryStats(device: CudaDevice = 0): void {
  backendAt(device).resetPeakMemoryStats();
}

/** Returns cached memory to the driver. */
export function emptyCache(device: CudaDevice = 0): void {
  backendAt(device).emptyCache();
}

/**
 * Limits the part of a device's memory that tensors may take; more throws `OutOfMemoryError`.
 *
 * @param fraction of the device's memory, up to 1
 */
export function setPerProcessMemoryFraction(fraction: number, device: CudaDevice = 0): void {
  const { stream } = backendAt(device);
  stream.allocator.setLimit(Math.floor(fraction * stream.totalBytes));
}

/**
 * Whether products and convolutions of float32 may round their operands to TensorFloat-32, which is several times faster
 * and keeps about three digits. Off at first.
 *
 * Differs from PyTorch: one switch for products and convolutions (there `torch.backends.cuda.matmul.allow_tf32` and
 * `torch.backends.cudnn.allow_tf32`).
 */
export function setAllowTf32(allow: boolean, device: CudaDevice = 0): void {
  backendAt(device).stream.allowTf32 = allow;
}

/**
 * Whether a float16 or bfloat16 product that is split along its depth may add the parts in 16 bits. On at first, as in
 * PyTorch.
 *
 * Differs from PyTorch: one switch for both dtypes (there `torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction`
 * and `allow_bf16_reduced_precision_reduction`).
 */
export function setAllowReducedPrecisionReduction(allow: boolean, device: CudaDevice = 0): void {
  backendAt(device).stream.allowReducedSums = allow;
}

/**
 * Whether a product of a shape not met before is measured with several of cuBLASLt's algorithms and the fastest kept,
 * instead of what its heuristics expect to be. Off at first; `CRESSET_CUDA_BENCHMARK=1` in the environment turns it on. A
 * shape's first product then takes some thirty times as long, and results may differ in the last digits between runs.
 *
 * Differs from PyTorch: there `torch.backends.cudnn.benchmark` is for convolutions, and products have TunableOp.
 */
export function setBenchmarkMatmul(benchmark: boolean, device: CudaDevice = 0): void {
  backendAt(device).stream.measureProducts = benchmark;
}
