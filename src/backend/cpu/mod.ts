/**
 * The CPU backend: composes the kernel families over one kernel library, WebAssembly or native.
 *
 * Every kernel runs to its end before the call returns, so reads need no waiting.
 *
 * @module
 */

import type { DType } from "../../base/dtype.ts";
import { numelOf } from "../../base/shape.ts";
import type { Allocator } from "../allocator.ts";
import type { Backend, BackendInfo, Block, MemoryStats, Strided } from "../backend.ts";
import { bind, type Bound } from "../bind.ts";
import { type KernelLibrary, loadKernels } from "./lib.ts";
import { cpuAllocator, cpuBytes } from "./memory.ts";
import * as table from "./table.ts";

/** The methods that are kernels: those of `table.ts`. */
export interface CpuBackend extends Bound<typeof table> {}

/** The kernels of the CPU. */
export class CpuBackend implements Backend {
  /** The slot of compiled programs. */
  readonly id: number;
  /** The kernel library. */
  readonly lib: KernelLibrary;
  /** The allocator over the library's memory. */
  readonly allocator: Allocator;
  readonly maxBytes: number;

  /** A backend over `lib`; {@linkcode cpuBackend} is the usual one. */
  constructor(lib: KernelLibrary) {
    this.id = lib.id;
    this.lib = lib;
    this.allocator = cpuAllocator(lib);
    this.maxBytes = cpuBytes(lib);
    bind(this, lib, table);
  }

  /** Describes what runs. */
  info(): BackendInfo {
    return { device: "cpu", kernels: this.lib.describe() };
  }

  supports(_dtype: DType): boolean {
    return true;
  }
  alloc(elements: number, dtype: DType): Block {
    return this.allocator.alloc(elements * dtype.itemsize);
  }
  free(block: Block): void {
    this.allocator.free(block);
  }
  write(x: Strided, bytes: Uint8Array): void {
    this.lib.write(x.storage.block.address + x.offset * x.dtype.itemsize, bytes);
  }
  read(x: Strided): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.readSync(x));
  }
  readSync(x: Strided): Uint8Array<ArrayBuffer> {
    const { itemsize } = x.dtype;
    return this.lib.read(x.storage.block.address + x.offset * itemsize, numelOf(x.shape) * itemsize);
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
}

let shared: CpuBackend | null = null;

/** The CPU backend: made on first use, with native kernels where they can be had (`CRESSET_KERNELS` overrides). */
export function cpuBackend(): CpuBackend {
  return shared ??= new CpuBackend(loadKernels());
}
