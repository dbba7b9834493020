/**
 * Register kinds: the five types that expressions compute in.
 *
 * Storage dtypes load into kinds and are converted back when stored: halves compute in `f32`, integers in `i64`, or in `u64`
 * where their row in the table of dtypes says so. On WebGPU both have 32 bits.
 * Complex numbers are pairs of expressions ({@linkcode ./complex.ts}) and never get here.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { DTypeError } from "../base/errors.ts";

/** The type of an expression's value. */
export type Kind = "f32" | "f64" | "i64" | "u64" | "bool";

/** A constant of some kind: a number for floats, a bigint for `i64` and `u64`, a boolean for `bool`. */
export type Scalar = number | bigint | boolean;

/** Promotion order of kinds, which is not the order of their codes. */
export const KIND_RANK: Readonly<Record<Kind, number>> = { bool: 0, i64: 1, u64: 2, f32: 3, f64: 4 };

/** Codes of kinds in CPU programs. */
export const KIND_CODE: Readonly<Record<Kind, number>> = { f32: 0, f64: 1, i64: 2, bool: 3, u64: 4 };

/** Whether values of a kind are floating. */
export function isFloat(kind: Kind): boolean {
  return kind === "f32" || kind === "f64";
}

/** Whether values of a kind are integers; truth values are not. */
export function isWhole(kind: Kind): boolean {
  return kind === "i64" || kind === "u64";
}

/** The kind that two operands are computed in. */
export function promoteKinds(a: Kind, b: Kind): Kind {
  return KIND_RANK[a] >= KIND_RANK[b] ? a : b;
}

/**
 * The kind that values of a storage dtype are computed in.
 *
 * @throws {DTypeError} for complex dtypes, which are pairs of real ones
 */
export function kindOf(dtype: DType): Kind {
  const { register } = rowOf(dtype);
  if (register === null) throw new DTypeError(`kindOf(): complex values are pairs of real ones: ${dtype}`);
  return register;
}

/** A constant converted to a kind as C converts it: floats truncate to integers, anything to bool is `x != 0`. */
export function convertScalar(value: Scalar, kind: Kind): Scalar {
  switch (kind) {
    case "f32":
      return Math.fround(Number(value));
    case "f64":
      return Number(value);
    case "bool":
      // NaN is not zero, so it is true.
      return typeof value === "number" ? value !== 0 : Boolean(value);
    case "i64": {
      if (typeof value !== "number") return BigInt.asIntN(64, BigInt(value));
      if (Number.isNaN(value)) return 0n;
      if (value >= 2 ** 63) return 2n ** 63n - 1n;
      if (value <= -(2 ** 63)) return -(2n ** 63n);
      return BigInt(Math.trunc(value));
    }
    case "u64": {
      if (typeof value !== "number") return BigInt.asUintN(64, BigInt(value));
      // What no int64 holds becomes 2^63, and what is 2^64 or more becomes 0, as in PyTorch on x86.
      if (value >= 2 ** 64) return 0n;
      if (Number.isNaN(value) || value < -(2 ** 63)) return 2n ** 63n;
      return BigInt.asUintN(64, BigInt(Math.trunc(value)));
    }
  }
}
