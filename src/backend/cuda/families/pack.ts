/**
 * Copies on the device, between views of any strides and of operands that libraries do not take as they lie.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { contiguousStrides, numelOf } from "../../../base/shape.ts";
import { input } from "../../../expr/expr.ts";
import { Program } from "../../../expr/program.ts";
import type { Strided } from "../../backend.ts";
import { pointwise } from "./pointwise.ts";
import type { CudaStream } from "../device/stream.ts";

const programs = new Map<DType, Program>();

/** Copies between views of one shape, of any strides. */
export function copy(stream: CudaStream, from: Strided, to: Strided): void {
  const { dtype } = from;
  let program = programs.get(dtype);
  if (program === undefined) {
    programs.set(dtype, program = new Program([dtype], [], [{ expr: input(0, dtype), dtype }]));
  }
  pointwise(stream, program, to.shape, [from], [], [to]);
}

/** Runs `use` with a row-major copy of a matrix in scratch memory; batches that repeat one are copied once. */
export function withDense<R>(stream: CudaStream, x: Strided, use: (dense: Strided) => R): R {
  // A tensor's members are accessors, which `{ ...x }` would lose.
  const last = x.shape.length - 2, { dtype, storage, offset, strides: from, dense } = x;
  const once = x.shape.map((size, d) => d < last && x.strides[d] === 0 ? 1 : size);
  const steps = contiguousStrides(once);
  const block = stream.allocator.alloc(numelOf(once) * dtype.itemsize);
  try {
    const place = { storage: { block }, offset: 0, dtype };
    const repeated = { storage, offset, dtype, dense, strides: from, shape: once };
    copy(stream, repeated, { ...place, shape: once, strides: steps, dense: true });
    const strides = steps.map((step, d) => once[d] === 1 && d < last ? 0 : step);
    return use({ ...place, shape: x.shape, strides, dense: numelOf(once) === numelOf(x.shape) });
  } finally {
    // What is issued next on the stream may have it: the product comes before.
    stream.allocator.free(block);
  }
}
