/**
 * Convolution on the CPU: the calls into `native/cpu/conv.c`, which takes dense operands of floating types.
 *
 * @module
 */

import type { ConvGeometry, Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { oneDtype } from "./operands.ts";
import { check, checkCount, type KernelLibrary } from "./lib.ts";
import { addressOf } from "./pack.ts";

const FORWARD = 0;
const INPUT = 1;
const WEIGHT = 2;

/** `out = conv(x, weight) + bias`; see `Backend.conv`. */
export const conv: KernelOf<KernelLibrary, "conv"> = (lib, x, weight, bias, out, geometry) => {
  oneDtype("conv", x, weight);
  oneDtype("conv", x, bias);
  oneDtype("conv", x, out);
  run(lib, FORWARD, x, weight, bias, out, geometry);
};

/** The gradient by the input; see `Backend.convGradInput`. */
export const convGradInput: KernelOf<KernelLibrary, "convGradInput"> = (lib, grad, weight, out, geometry) => {
  oneDtype("convGradInput", out, grad);
  oneDtype("convGradInput", out, weight);
  run(lib, INPUT, out, weight, null, grad, geometry);
};

/** The gradient by the weight; see `Backend.convGradWeight`. */
export const convGradWeight: KernelOf<KernelLibrary, "convGradWeight"> = (lib, grad, x, out, geometry) => {
  oneDtype("convGradWeight", out, grad);
  oneDtype("convGradWeight", out, x);
  run(lib, WEIGHT, x, out, null, grad, geometry);
};

/** All three kernels name the same three tensors; which of them is written depends on `kind`. */
function run(
  lib: KernelLibrary,
  kind: number,
  x: Strided,
  weight: Strided,
  bias: Strided | null,
  y: Strided,
  geometry: ConvGeometry,
): void {
  const args = lib.arena();
  const nspatial = x.shape.length - 2;
  args[0] = x.shape[0];
  args[1] = x.shape[1];
  args[2] = weight.shape[0];
  args[3] = geometry.groups;
  args[4] = addressOf(x);
  args[5] = addressOf(weight);
  args[6] = bias === null ? 0 : addressOf(bias);
  args[7] = addressOf(y);
  for (let d = 0; d < nspatial; d++) {
    let at = 8 + d;
    checkCount("conv", lib, x.shape[d + 2] + 2 * geometry.padding[d]);
    checkCount("conv", lib, Math.max(geometry.stride[d], geometry.dilation[d]));
    args[at] = x.shape[d + 2];
    args[at += nspatial] = weight.shape[d + 2];
    args[at += nspatial] = y.shape[d + 2];
    args[at += nspatial] = geometry.stride[d];
    args[at += nspatial] = geometry.padding[d];
    args[at += nspatial] = geometry.dilation[d];
  }
  check("conv", lib.k.cresset_conv(x.dtype.code, nspatial, kind));
}
