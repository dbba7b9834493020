/**
 * Scalars: plain numbers as operands of ops.
 *
 * JavaScript has one number type, so in promotion with integer tensors a number counts as an integer scalar when its
 * value is an integer; {@linkcode scalar} gives it another kind (`scalar(2, "floating")`), or makes a complex one.
 *
 * @module
 */

import { actsAsNumber, type Func, func } from "./call.ts";
import type { DTypeKind } from "./dtype.ts";
import { ArgumentError, describe } from "./errors.ts";

/** A scalar: a number with its kind stated. */
export class Scalar {
  /** The value; for a complex scalar its real part. */
  readonly value: number | bigint;
  /** The imaginary part, 0 unless complex. */
  readonly imag: number;
  /** The kind in promotion. */
  readonly kind: DTypeKind;

  /** Use {@linkcode scalar} instead. */
  constructor(value: number | bigint, imag: number, kind: DTypeKind) {
    this.value = value;
    this.imag = imag;
    this.kind = kind;
  }
}

actsAsNumber(Scalar);

/** A plain number in the sense of ops: where PyTorch takes a Python number. */
export type ScalarLike = number | bigint | boolean | Scalar;

/** The parameters of {@linkcode scalar}. */
export class ScalarArgs {
  constructor(
    /** The value; `[re, im]` for a complex one. */
    public value: number | bigint | boolean | readonly [number, number],
    /** `"bool"`, `"integer"`, `"floating"` or `"complex"`. */
    public kind: DTypeKind,
  ) {}
}

const KINDS: readonly DTypeKind[] = ["bool", "integer", "floating", "complex"];

/** A scalar: a number with its kind stated. */
export const scalar: Func<typeof ScalarArgs, Scalar> = func("scalar", ScalarArgs, ({ value, kind }) => {
  if (!KINDS.includes(kind)) {
    throw new ArgumentError(`scalar(): kind must be one of ${KINDS.join(", ")}: ${describe(kind)}`);
  }
  if (Array.isArray(value)) return new Scalar(value[0], value[1], "complex");
  return new Scalar(typeof value === "boolean" ? Number(value) : value as number | bigint, 0, kind);
});

/** Whether a value is a plain number of any kind. */
export function isScalar(value: unknown): value is ScalarLike {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ||
    value instanceof Scalar;
}

/** A plain number with its kind. */
export function toScalar(op: string, value: unknown): Scalar {
  if (typeof value === "number") return new Scalar(value, 0, Number.isInteger(value) ? "integer" : "floating");
  if (value instanceof Scalar) return value;
  if (typeof value === "boolean") return new Scalar(Number(value), 0, "bool");
  if (typeof value === "bigint") return new Scalar(value, 0, "integer");
  throw new ArgumentError(`${op}(): expected a Tensor or a number: ${describe(value)}`);
}
