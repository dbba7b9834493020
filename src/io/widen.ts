/**
 * Element types that Cresset lacks, read as wider ones that hold every value exactly.
 *
 * @module
 */

import { type DType, float32, int32, int64 } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { FormatDtype } from "./safetensors_format.ts";

/** What each element type is read as. */
export const WIDENED: Readonly<Partial<Record<FormatDtype, DType>>> = {
  U16: int32,
  U32: int64,
  U64: int64,
  F8_E4M3: float32,
  F8_E5M2: float32,
};

/** Values with their new element type. */
export interface Widened {
  /** The new element type. */
  readonly dtype: DType;
  /** The values. */
  readonly values: Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

/** A float8 with 3 bits of mantissa, "fn": no infinities, and NaN where all bits are set. */
function fromE4M3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1, exponent = (byte >> 3) & 15, mantissa = byte & 7;
  if (exponent === 15 && mantissa === 7) return NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10));
}

/** A float8 with 2 bits of mantissa: the upper half of a float16. */
function fromE5M2(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1, exponent = (byte >> 2) & 31, mantissa = byte & 3;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -16 : (4 + mantissa) * 2 ** (exponent - 17));
}

/**
 * Converts the bytes of a tensor.
 *
 * @param bytes the whole of a buffer
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
    case "F8_E4M3":
      return { dtype: float32, values: Float32Array.from(bytes, fromE4M3) };
    case "F8_E5M2":
      return { dtype: float32, values: Float32Array.from(bytes, fromE5M2) };
    default:
      throw new DTypeError(`${op}(): tensor "${name}" has a dtype that cannot be widened: ${dtype}`);
  }
}
