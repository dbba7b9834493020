/**
 * Matrix products on the CPU: the call into `native/cpu/matmul.c`.
 *
 * Everything travels as addresses and strides, so transposed, broadcast and complex parts are read where they lie.
 *
 * @module
 */

import type { Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { ofProduct } from "./operands.ts";
import { check, checkCount, type KernelLibrary } from "./lib.ts";

/** `out = alpha · a @ b + beta · out`; see `Backend.matmul`. */
export const matmul: KernelOf<KernelLibrary, "matmul"> = (lib, a, b, out, alpha, beta) => {
  ofProduct(a, b, out);
  const args = lib.arena();
  const nbatch = out.shape.length - 2;
  args[0] = out.shape[nbatch];
  args[1] = out.shape[nbatch + 1];
  args[2] = a.shape[nbatch + 1];
  // The result is in memory, so the rest fits.
  checkCount("matmul", lib, args[2]);
  putMatrix(args, 3, a, nbatch);
  putMatrix(args, 6, b, nbatch);
  putMatrix(args, 9, out, nbatch);
  for (let d = 0; d < nbatch; d++) {
    args[12 + d] = out.shape[d];
    args[12 + nbatch + d] = a.strides[d];
    args[12 + 2 * nbatch + d] = b.strides[d];
    args[12 + 3 * nbatch + d] = out.strides[d];
  }
  const status = lib.k.cresset_matmul(out.dtype.code, nbatch, alpha, beta);
  if (status !== 0) check("matmul", status);
};

function putMatrix(args: Float64Array, at: number, x: Strided, nbatch: number): void {
  args[at] = x.storage.block.address + x.offset * x.dtype.itemsize;
  args[at + 1] = x.strides[nbatch];
  args[at + 2] = x.strides[nbatch + 1];
}
