/**
 * Register kinds: the four types that expressions compute in.
 *
 * Storage dtypes load into kinds and are converted back when stored: halves compute in `f32`, every integer in `i64`.
 * Complex numbers are pairs of expressions ({@linkcode ./complex.ts}) and never get here.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { DTypeError } from "../base/errors.ts";

/** The type of an expression's value. */
export type Kind = "f32" | "f64" | "i64" | "bool";

/** A constant of some kind: a number for floats, a bigint for `i64`, a boolean for `bool`. */
export type Scalar = number | bigint | boolean;

/** Promotion order of kinds, which is not the order of their codes. */
export const KIND_RANK: Readonly<Record<Kind, number>> = { bool: 0, i64: 1, f32: 2, f64: 3 };

/** Codes of kinds in CPU programs. */
export const KIND_CODE: Readonly<Record<Kind, number>> = { f32: 0, f64: 1, i64: 2, bool: 3 };

/** Whether values of a kind are floating. */
export function isFloat(kind: Kind): boolean {
  return kind === "f32" || kind === "f64";
}

/** The kind that holds both. */
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
  }
}
