/**
 * Singular value decomposition on the CPU.
 *
 * @module
 */

import { numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import { check, type KernelLibrary } from "./lib.ts";

/** The status of a matrix with an element that is not finite. */
const NOT_FINITE = -3;

function addressOf(x: Strided): number {
  return x.storage.block.address + x.offset * x.dtype.itemsize;
}

/** Thin decomposition of dense matrices; see `Backend.svd`. */
export function svd(lib: KernelLibrary, x: Strided, u: Strided, s: Strided, vh: Strided): boolean {
  const [m, n] = x.shape.slice(-2);
  const batches = numelOf(x.shape.slice(0, -2));
  if (m === 0 || n === 0 || batches === 0) return true;
  const status = lib.k.cresset_svd(
    x.dtype.code,
    batches,
    m,
    n,
    addressOf(x),
    addressOf(u),
    addressOf(s),
    addressOf(vh),
  );
  if (status === NOT_FINITE) return false;
  check("svd", status);
  return true;
}
