/**
 * Softmax over contiguous rows on the CPU: the calls into `native/cpu/rows.c`.
 *
 * Arguments are dense float32 or float64 tensors of one shape; the last dimension is a row.
 *
 * @module
 */

import { numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { oneDtype } from "./operands.ts";
import type { KernelLibrary } from "./lib.ts";
import { check } from "./lib.ts";
import { addressOf } from "./pack.ts";

function rowLength(x: Strided): number {
  return x.shape.length === 0 ? 1 : x.shape[x.shape.length - 1];
}

/** Softmax of each row, or its logarithm; see `Backend.softmax`. */
export const softmax: KernelOf<KernelLibrary, "softmax"> = (lib, x, log, out) => {
  oneDtype("softmax", x, out);
  const n = rowLength(x);
  if (n === 0) return;
  const rows = numelOf(x.shape) / n;
  check("softmax", lib.k.cresset_softmax(x.dtype.code, log ? 1 : 0, rows, n, addressOf(x), addressOf(out)));
};

/** The gradient of softmax from its output; see `Backend.softmaxGrad`. */
export const softmaxGrad: KernelOf<KernelLibrary, "softmaxGrad"> = (lib, grad, output, log, out) => {
  oneDtype("softmaxGrad", out, grad);
  oneDtype("softmaxGrad", out, output);
  const n = rowLength(out);
  if (n === 0) return;
  const rows = numelOf(out.shape) / n;
  const status = lib.k.cresset_softmax_grad(
    out.dtype.code,
    log ? 1 : 0,
    rows,
    n,
    addressOf(grad),
    addressOf(output),
    addressOf(out),
  );
  check("softmaxGrad", status);
};
