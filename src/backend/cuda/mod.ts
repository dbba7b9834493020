/**
 * The CUDA backend: composes the kernel families over one device's stream.
 *
 * Maps and reductions are kernels printed from expressions, products and convolutions are cuBLASLt's and cuDNN's, the rest
 * is written by hand in `kernels/`. Work is asynchronous; reads wait.
 *
 * @module
 */

import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { numelOf } from "../../base/shape.ts";
import type { Allocator } from "../allocator.ts";
import type { Backend, BackendInfo, Block, MemoryStats, Strided } from "../backend.ts";
import { bind, type Bound } from "../bind.ts";
import { addressOf, CudaStream } from "./device/stream.ts";
import { CUDA_ID } from "./families/pointwise.ts";
import * as table from "./table.ts";

/** The methods that are kernels: those of `table.ts`. */
export interface CudaBackend extends Bound<typeof table> {}

/** The kernels of one CUDA device. */
export class CudaBackend implements Backend {
  readonly id: number;
  readonly channelsLast = true;
  /** The device. */
  readonly stream: CudaStream;

  /** A backend of device `ordinal`; {@linkcode cudaBackend} gives the one that exists. */
  constructor(ordinal: number) {
    this.id = CUDA_ID + ordinal;
    this.stream = new CudaStream(ordinal);
    bind(this, this.stream, table);
  }

  /** The allocator of the device's memory. */
  get allocator(): Allocator {
    return this.stream.allocator;
  }

  info(): BackendInfo {
    const { ordinal, name, capability } = this.stream;
    return { device: `cuda:${ordinal}`, kernels: `cuda (${name}, sm_${capability})` };
  }

  supports(_dtype: DType): boolean {
    return true;
  }
  get maxBytes(): number {
    return this.stream.totalBytes;
  }
  alloc(elements: number, dtype: DType): Block {
    return this.allocator.alloc(elements * dtype.itemsize);
  }
  free(block: Block): void {
    this.allocator.free(block);
  }
  write(x: Strided, bytes: Uint8Array): void {
    this.stream.write(addressOf(x), bytes);
  }
  read(x: Strided): Promise<Uint8Array<ArrayBuffer>> {
    return this.stream.readLater(addressOf(x), numelOf(x.shape) * x.dtype.itemsize);
  }
  readSync(x: Strided): Uint8Array<ArrayBuffer> {
    return this.stream.read(addressOf(x), numelOf(x.shape) * x.dtype.itemsize);
  }
  get recording(): boolean {
    return this.stream.recording !== null;
  }
  copiesFrom(source: Backend): boolean {
    return source instanceof CudaBackend;
  }
  copyFrom(source: Backend, from: Strided, to: Strided): void {
    const bytes = numelOf(from.shape) * from.dtype.itemsize;
    if (bytes > 0) this.stream.copyFrom((source as CudaBackend).stream, addressOf(from), addressOf(to), bytes);
  }
  memoryStats(): MemoryStats {
    return this.allocator.stats();
  }
  resetPeakMemoryStats(): void {
    this.allocator.resetPeak();
  }
  emptyCache(): void {
    this.allocator.emptyCache();
  }

  readonly halfRows = true;
}

const opened: CudaBackend[] = [];

/**
 * The backend of a CUDA device, opened on first use.
 *
 * @throws {DeviceError} if there is no driver, or no such device
 */
export function cudaBackend(device: Device): CudaBackend {
  const ordinal = device.index ?? 0;
  return opened[ordinal] ??= new CudaBackend(ordinal);
}

/** Whether a device was opened. */
export function cudaOpened(): boolean {
  return opened.length > 0;
}
