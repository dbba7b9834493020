/**
 * Memory of the CPU backend: the caching allocator over a kernel library's segments.
 *
 * @module
 */

import { Allocator } from "../allocator.ts";
import type { KernelLibrary } from "./lib.ts";

/** The bytes that WebAssembly addresses. */
const WASM_BYTES = 2 ** 32;
/** More than a machine has: what 48 bits of an address leave for one process. */
const NATIVE_BYTES = 2 ** 46;

/** The most bytes that a tensor can have. */
export function cpuBytes(lib: KernelLibrary): number {
  return lib.native ? NATIVE_BYTES : WASM_BYTES;
}

/** An allocator over the library's memory. */
export function cpuAllocator(lib: KernelLibrary): Allocator {
  const source = {
    allocate: (bytes: number) => lib.k.cresset_alloc_segment(bytes),
    free: (address: number, bytes: number) => lib.k.cresset_free_segment(address, bytes) === 1,
  };
  if (lib.native) return new Allocator({ device: "cpu", ...source });
  return new Allocator({
    device: "cpu (WebAssembly, 4 GiB at most)",
    divisible: true,
    largest: () => lib.k.cresset_largest_segment(),
    ...source,
  });
}
