/**
 * Fourier transforms on the CPU.
 *
 * @module
 */

import type { Strided } from "../backend.ts";
import { check, type KernelLibrary } from "./lib.ts";

function addressOf(x: Strided): number {
  return x.storage.block.address + x.offset * x.dtype.itemsize;
}

/** Transforms along dimension 1 of dense `[outer, n, inner, 2]`; see `Backend.fft`. */
export function fft(lib: KernelLibrary, x: Strided, out: Strided, inverse: boolean, scale: number): void {
  const [outer, n, inner] = x.shape;
  const status = lib.k.cresset_fft(
    x.dtype.code,
    outer,
    n,
    inner,
    addressOf(x),
    addressOf(out),
    inverse ? 1 : 0,
    scale,
  );
  check("fft", status);
}
