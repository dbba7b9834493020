/**
 * Fourier transforms on the CPU.
 *
 * @module
 */

import type { Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { oneDtype } from "./operands.ts";
import { check, type KernelLibrary } from "./lib.ts";

function addressOf(x: Strided): number {
  return x.storage.block.address + x.offset * x.dtype.itemsize;
}

/** Transforms along dimension 1 of dense `[outer, n, inner, 2]`; see `Backend.fft`. */
export const fft: KernelOf<KernelLibrary, "fft"> = (lib, x, out, inverse, scale) => {
  oneDtype("fft", x, out);
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
  return true;
};
