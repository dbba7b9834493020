/**
 * What every kernel of the CPU checks of its operands before their addresses go to C.
 *
 * A kernel is chosen by one operand's dtype and reads all of them so: another dtype there is memory that is not the
 * tensor's. Ops promote or refuse, so these errors are our bugs; a comparison per operand makes them errors at all.
 *
 * @module
 */

import { type DType, int32, int64 } from "../../base/dtype.ts";
import { DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { Program } from "../../expr/program.ts";
import type { Strided } from "../backend.ts";

const OURS = "this is a fault of the library, please report it";

function differs(kernel: string, found: DType, expected: DType): DTypeError {
  return new DTypeError(
    `${kernel}(): an operand has another dtype than its kernel: ${found}, not ${expected}; ${OURS}`,
  );
}

/** Throws unless two operands have one dtype. */
export function oneDtype(kernel: string, x: Strided, other: Strided | null): void {
  if (other !== null && other.dtype !== x.dtype) throw differs(kernel, other.dtype, x.dtype);
}

/** Throws unless an operand has the dtype. */
export function ofDtype(kernel: string, x: Strided | null, dtype: DType): void {
  if (x !== null && x.dtype !== dtype) throw differs(kernel, x.dtype, dtype);
}

/** Throws unless positions are int64 or int32. */
export function asIndex(kernel: string, index: Strided): void {
  if (index.dtype !== int64 && index.dtype !== int32) throw differs(kernel, index.dtype, int64);
}

/** Throws unless the operands are those that a program was printed for. */
export function ofProgram(
  kernel: string,
  program: Program,
  inputs: readonly Strided[],
  outputs: readonly Strided[],
): void {
  const { inputs: reads, outputs: writes } = program;
  if (inputs.length !== reads.length || outputs.length !== writes.length) {
    throw new ShapeError(`${kernel}(): ${inputs.length} operands for a program of ${reads.length}; ${OURS}`);
  }
  for (let i = 0; i < reads.length; i++) ofDtype(kernel, inputs[i], reads[i]);
  for (let i = 0; i < writes.length; i++) ofDtype(kernel, outputs[i], writes[i].dtype);
}

/** Throws unless matrices fit and batches are equal. */
export function ofProduct(a: Strided, b: Strided, out: Strided): void {
  oneDtype("matmul", out, a);
  oneDtype("matmul", out, b);
  const n = out.shape.length, rows = n - 2, columns = n - 1;
  let fits = a.shape.length === n && b.shape.length === n && a.shape[columns] === b.shape[rows] &&
    a.shape[rows] === out.shape[rows] && b.shape[columns] === out.shape[columns];
  for (let d = 0; d < rows; d++) {
    if (a.shape[d] !== out.shape[d] || b.shape[d] !== out.shape[d]) fits = false;
  }
  if (!fits) {
    throw new ShapeError(
      `matmul(): shapes do not fit: ${show(a.shape)} @ ${show(b.shape)} into ${show(out.shape)}; ${OURS}`,
    );
  }
}
