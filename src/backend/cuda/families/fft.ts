/**
 * Fourier transforms on CUDA, by cuFFT. It does not scale, so that is a map behind it.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { numelOf } from "../../../base/shape.ts";
import { input, kindOf, scalar } from "../../../expr/expr.ts";
import { Program } from "../../../expr/program.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { pointwise } from "./pointwise.ts";
import { addressOf, type CudaStream, Library } from "../device/stream.ts";

/** The status of a transform that is too large for the library. */
const UNSUPPORTED = -7;

const scalings = new Map<DType, Program>();

/** Multiplies all elements. */
function multiply(stream: CudaStream, x: Strided, by: number): void {
  let program = scalings.get(x.dtype);
  if (program === undefined) scalings.set(x.dtype, program = scaling(x.dtype));
  pointwise(stream, program, x.shape, [x], [by], [x]);
}

function scaling(dtype: DType): Program {
  const kind = kindOf(dtype);
  return new Program([dtype], [kind], [{ expr: input(0, dtype).mul(scalar(0, kind)), dtype }]);
}

/** Transforms along dimension 1 of dense `[outer, n, inner, 2]`; `false` without cuFFT. See `Backend.fft`. */
export const fft: KernelOf<CudaStream, "fft"> = (stream, x, out, inverse, scale) => {
  if (!stream.has(Library.Cufft)) return false;
  const [outer, n, inner] = x.shape;
  stream.args.set([addressOf(x), addressOf(out), outer, n, inner]);
  const status = stream.shim.c.cresset_cuda_fft(stream.ordinal, x.dtype.code, inverse ? 1 : 0);
  if (status === UNSUPPORTED) return false;
  stream.check("fft", status);
  const count = numelOf(out.shape);
  if (scale !== 1) multiply(stream, { ...viewOf(out), shape: [count], strides: [1] }, scale);
  return true;
};

/** The fields of a view, which a tensor has as members. */
function viewOf({ storage, offset, dtype, dense }: Strided): Pick<Strided, "storage" | "offset" | "dtype" | "dense"> {
  return { storage, offset, dtype, dense };
}
