/**
 * Singular value decomposition on CUDA, by cuSOLVER's Jacobi rotations.
 *
 * cuSOLVER is column-major: the dense rows of x, m×n, are the columns of xᵀ, n×m, whose decomposition has the sides of x
 * exchanged. Its left vectors come out as the rows of vh at once; the right ones are the columns of u and are copied. Many
 * small matrices are one call, which gives square factors, so both are copied then.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { DeviceError } from "../../../base/errors.ts";
import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { copy } from "./pack.ts";
import { addressOf, type CudaStream, Library } from "../device/stream.ts";

/** The most rows and columns that the call for many matrices takes. */
const SMALL = 32;

/** Scratch memory as `batches` matrices of these sizes and steps between elements. */
function view(
  address: number,
  dtype: DType,
  [batches, rows, columns]: readonly number[],
  strides: readonly number[],
): Strided {
  const dense = strides[2] === 1 && strides[1] === columns && strides[0] === rows * columns;
  const block = { address, bytes: 0 };
  return { storage: { block }, offset: 0, shape: [batches, rows, columns], strides, dtype, dense };
}

/** Whether everything converged to numbers. */
function converged(stream: CudaStream, info: number, s: Strided): boolean {
  const count = numelOf(s.shape);
  const statuses = new Int32Array(stream.read(info, s.shape.slice(0, -1).reduce((a, b) => a * b, 1) * 4).buffer);
  const bytes = stream.read(addressOf(s), count * s.dtype.itemsize).buffer;
  const values = s.dtype.itemsize === 8 ? new Float64Array(bytes) : new Float32Array(bytes);
  return statuses.every((status) => status === 0) && values.every((value) => Number.isFinite(value));
}

/**
 * Thin decomposition of dense matrices; waits for the device. See `Backend.svd`.
 *
 * @throws {DeviceError} if cuSOLVER was not found
 */
export const svd: KernelOf<CudaStream, "svd"> = (stream, op, x, u, s, vh) => {
  const { dtype } = x;
  const [m, n] = x.shape.slice(-2), k = Math.min(m, n), batches = numelOf(x.shape.slice(0, -2));
  if (k === 0 || batches === 0) return true;
  if (!stream.has(Library.Cusolver)) {
    throw new DeviceError(
      `${op}(): decompositions on cuda need cuSOLVER, which was not found (\`deno task doctor\` says where it was looked ` +
        `for); use x.to("cpu")`,
    );
  }
  const together = batches > 1 && Math.max(m, n) <= SMALL;
  const right = together ? m : k, left = together ? n : k;
  // All begin at multiples of 256 bytes: [a copy of x, columns of u, columns of v, statuses].
  const counts = [batches * m * n, batches * m * right, together ? batches * n * left : 0];
  const offsets = [0];
  for (const count of counts) offsets.push(offsets[offsets.length - 1] + Math.ceil(count * dtype.itemsize / 256) * 256);
  let whole = true;
  stream.withScratch(offsets[3] + batches * 4, (scratch) => {
    const [a, columns, rows, info] = offsets.map((offset) => scratch + offset);
    copy(
      stream,
      view(addressOf(x), dtype, [batches, m, n], [m * n, n, 1]),
      view(a, dtype, [batches, m, n], [m * n, n, 1]),
    );
    const vectors = together ? rows : addressOf(vh);
    stream.args.set([a, addressOf(s), vectors, columns, info, batches, n, m, together ? 0 : 1]);
    stream.check(op, stream.shim.c.cresset_cuda_svd(stream.ordinal, dtype.code));
    const dense = (t: Strided, r: number, c: number) => view(addressOf(t), dtype, [batches, r, c], [r * c, c, 1]);
    copy(stream, view(columns, dtype, [batches, m, k], [m * right, 1, m]), dense(u, m, k));
    if (together) copy(stream, view(rows, dtype, [batches, k, n], [n * left, n, 1]), dense(vh, k, n));
    whole = converged(stream, info, s);
  });
  return whole;
};
