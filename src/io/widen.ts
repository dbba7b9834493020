/**
 * Widening: unsigned integers, which few ops take, are read as wider signed ones that represent every value exactly.
 *
 * @module
 */

import { type DType, int32, int64 } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { FormatDtype } from "./safetensors_format.ts";

/** The dtype that each widened element type is read as. */
export const WIDENED: Readonly<Partial<Record<FormatDtype, DType>>> = {
  U16: int32,
  U32: int64,
  U64: int64,
};

/** Widened values and their dtype. */
export interface Widened {
  /** The wider dtype. */
  readonly dtype: DType;
  /** The values. */
  readonly values: Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

/**
 * Converts the bytes of a tensor.
 *
 * @param bytes a view of a whole buffer
 * @throws {DTypeError} if a U64 value exceeds int64
 */
export function widen(op: string, name: string, dtype: FormatDtype, bytes: Uint8Array<ArrayBuffer>): Widened {
  const { buffer } = bytes;
  switch (dtype) {
    case "U16":
      return { dtype: int32, values: Int32Array.from(new Uint16Array(buffer)) };
    case "U32":
      return { dtype: int64, values: BigInt64Array.from(new Uint32Array(buffer), BigInt) };
    case "U64": {
      const large = new BigInt64Array(buffer).find((v) => v < 0n);
      if (large !== undefined) {
        throw new DTypeError(`${op}(): tensor "${name}" has a U64 value above 2^63 - 1: ${BigInt.asUintN(64, large)}`);
      }
      return { dtype: int64, values: new BigInt64Array(buffer) };
    }
    default:
      throw new DTypeError(`${op}(): tensor "${name}" has a dtype that cannot be widened: ${dtype}`);
  }
}
