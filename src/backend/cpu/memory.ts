/**
 * Memory of the CPU backend: the caching allocator over a kernel library's segments.
 *
 * @module
 */

import { Allocator } from "../allocator.ts";
import type { KernelLibrary } from "./lib.ts";

/** An allocator over the library's memory. */
export function cpuAllocator(lib: KernelLibrary): Allocator {
  return new Allocator({
    device: lib.native ? "cpu" : "cpu (WebAssembly, 4 GiB at most)",
    allocate: (bytes) => lib.k.cresset_alloc_segment(bytes),
    free: (address, bytes) => lib.k.cresset_free_segment(address, bytes) === 1,
  });
}
