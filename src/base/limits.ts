/**
 * Numerical limits of dtypes, and PyTorch's constants.
 *
 * Limits follow from the layout of each format: how many bits the significand and the exponent have.
 *
 * @module
 */

import { type Func, func } from "./call.ts";
import { checkDtype, type DType, toReal } from "./dtype.ts";
import { rowOf } from "./dtype_table.ts";
import { ArgumentError, DTypeError } from "./errors.ts";
import { Scalar, type ScalarLike, toScalar } from "./scalar.ts";

/** Positive infinity. */
export const inf: number = Infinity;
/** Not a number. */
export const nan: number = NaN;
/** The ratio of a circle's circumference to its diameter. */
export const pi: number = Math.PI;
/** The base of the natural logarithm. */
export const e: number = Math.E;
/** In an index, inserts a new dimension of size 1. */
export const newaxis: null = null;

/** The limits of a floating dtype; see {@linkcode finfo}. */
export interface FInfo {
  /** Size of a value in bits. */
  readonly bits: number;
  /** Machine epsilon: the distance from 1 to the next larger value. */
  readonly eps: number;
  /** The largest finite value. */
  readonly max: number;
  /** The lowest finite value: `-max`. */
  readonly min: number;
  /** The smallest positive normal value, below which precision is lost. */
  readonly smallestNormal: number;
  /** The same as `smallestNormal`. */
  readonly tiny: number;
  /**
   * The relative decimal resolution: a power of ten such that decimal values this far apart, relative to their size,
   * differ in the dtype, too.
   */
  readonly resolution: number;
  /** The dtype's name. */
  readonly dtype: string;
}

/** The limits of an integer dtype; see {@linkcode iinfo}. */
export interface IInfo {
  /** Size of a value in bits. */
  readonly bits: number;
  /** The largest value, as a bigint where a number would not be exact. */
  readonly max: number | bigint;
  /** The lowest value, as a bigint where a number would not be exact. */
  readonly min: number | bigint;
  /** The dtype's name. */
  readonly dtype: string;
}

/** The largest float32. */
const FLOAT32_MAX = 3.4028234663852886e38;

/** The parameters of {@linkcode finfo} and {@linkcode iinfo}. */
export class InfoArgs {
  constructor(
    /** The dtype whose limits are asked for. */
    public type: DType,
  ) {}
}

/**
 * The limits of a floating dtype, or of a complex dtype's parts.
 *
 * @throws {DTypeError} if the dtype is neither
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { float32 } from "./dtype.ts";
 *
 * assertEquals(finfo(float32).eps, 2 ** -23);
 * ```
 */
export const finfo: Func<typeof InfoArgs, FInfo> = func("finfo", InfoArgs, ({ type: dtype }) => {
  checkDtype("finfo", "type", dtype);
  const real = toReal(dtype);
  const { float } = rowOf(real);
  if (float === null) throw new DTypeError(`finfo(): the dtype must be floating: ${dtype}; use iinfo()`);
  const { fraction, exponent, max = (2 - 2 ** -fraction) * 2 ** exponent } = float;
  const smallest = 2 ** (1 - exponent);
  return {
    bits: real.itemsize * 8,
    eps: 2 ** -fraction,
    max,
    min: -max,
    smallestNormal: smallest,
    tiny: smallest,
    resolution: Number(`1e-${Math.floor(fraction * Math.log10(2))}`),
    dtype: real.name,
  };
});

/**
 * The limits of an integer dtype.
 *
 * @throws {DTypeError} if the dtype is not an integer one
 */
export const iinfo: Func<typeof InfoArgs, IInfo> = func("iinfo", InfoArgs, ({ type: dtype }) => {
  checkDtype("iinfo", "type", dtype);
  const { integer } = rowOf(dtype);
  if (integer === null) throw new DTypeError(`iinfo(): the dtype must be an integer one: ${dtype}; use finfo()`);
  const plain = (v: bigint) => (Number.isSafeInteger(Number(v)) ? Number(v) : v);
  return { bits: dtype.itemsize * 8, max: plain(integer.max), min: plain(integer.min), dtype: dtype.name };
});

const ranges = new Map<DType, IInfo>();

/** {@linkcode iinfo}, kept. */
function rangeOf(dtype: DType): IInfo {
  let range = ranges.get(dtype);
  if (range === undefined) ranges.set(dtype, range = iinfo(dtype));
  return range;
}

/**
 * Throws unless a real number can be written into a tensor of `dtype`: PyTorch's rule, by which a negative whole number
 * wraps around in an unsigned dtype, and fractions are cut off.
 */
export function checkFits(op: string, value: number | bigint, dtype: DType): void {
  if (dtype.isInteger) {
    const { min, max } = rangeOf(dtype);
    const least = min === 0 && (typeof value === "bigint" || Number.isInteger(value)) ? -max : min;
    // A comparison with NaN is false.
    if (value >= least && (value < max || value == max)) return;
    throw new ArgumentError(`${op}(): the value does not fit ${dtype}, which holds ${min} to ${max}: ${value}`);
  }
  if (dtype.name !== "float32" && dtype.name !== "complex64") return;
  const size = Math.abs(Number(value));
  if (size > FLOAT32_MAX && size !== Infinity) {
    throw new ArgumentError(`${op}(): the value does not fit ${dtype}, whose largest is ${FLOAT32_MAX}: ${value}`);
  }
}

/** A number of the kind that `dtype` holds, as it is written into a tensor; complex only where that is. */
export function fitted(op: string, value: ScalarLike, dtype: DType): Scalar {
  const s = toScalar(op, value);
  if (s.kind === "complex") {
    if (!dtype.isComplex) throw new DTypeError(`${op}(): a complex value cannot be written into ${dtype}`);
    return s;
  }
  if (dtype.kind === "bool") return new Scalar(Number(s.value) !== 0 ? 1 : 0, 0, "bool");
  checkFits(op, s.value, dtype);
  if (!dtype.isInteger) return s;
  return new Scalar(typeof s.value === "number" ? Math.trunc(s.value) : s.value, 0, "integer");
}
