/**
 * Element types, their storage sizes, and PyTorch's promotion rules.
 *
 * A {@linkcode DType} is a constant object compared by identity. Promotion has three categories of operand, as in
 * PyTorch: tensors with dimensions, 0-d tensors, and plain numbers; a lower category changes the result only when
 * it is of a higher *kind* (bool < integer < floating < complex).
 *
 * @see https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "./call.ts";
import { DTYPE_CODES, DTYPE_TABLE, type DTypeKind, type DTypeName, rowOf } from "./dtype_table.ts";
import { ArgumentError, describe, DTypeError } from "./errors.ts";
import { inspectKey } from "./platform.ts";

export type { DataArray, DTypeKind, DTypeName } from "./dtype_table.ts";

/** An element type, one constant per type: `torch.float32`, `torch.int64`, … */
export class DType {
  /** PyTorch's name, without the `torch.` prefix. */
  readonly name: DTypeName;
  /** A small integer, stable across builds: the code used by the kernels (`native/cpu/dtype.h`). */
  readonly code: number;
  /** Bytes per element. */
  readonly itemsize: number;
  /** The kind of number, which decides promotion. */
  readonly kind: DTypeKind;

  /** Only this module makes dtypes. */
  constructor(name: DTypeName) {
    const { code, itemsize, kind } = DTYPE_TABLE[name];
    this.name = name;
    this.code = code;
    this.itemsize = itemsize;
    this.kind = kind;
    Object.freeze(this);
  }

  /** Whether the type is a real floating type. */
  get isFloatingPoint(): boolean {
    return this.kind === "floating";
  }

  /** Whether the type is a float8: a storage format, which promotes with no other dtype. */
  get isFloat8(): boolean {
    return this.kind === "floating" && this.itemsize === 1;
  }

  /** Whether the type is complex. */
  get isComplex(): boolean {
    return this.kind === "complex";
  }

  /** Whether the type is an integer (not bool). */
  get isInteger(): boolean {
    return this.kind === "integer";
  }

  /** `torch.float32`, as PyTorch prints it. */
  toString(): string {
    return `torch.${this.name}`;
  }

  /** The text that `console.log` shows. */
  [inspectKey](): string {
    return this.toString();
  }
}

/** Booleans, one byte each. */
export const bool: DType = new DType("bool");
/** Unsigned 8-bit integers. */
export const uint8: DType = new DType("uint8");
/** Signed 8-bit integers. */
export const int8: DType = new DType("int8");
/** Signed 16-bit integers. */
export const int16: DType = new DType("int16");
/** Signed 32-bit integers. */
export const int32: DType = new DType("int32");
/** Signed 64-bit integers. */
export const int64: DType = new DType("int64");
/** IEEE half precision: 5 bits of exponent, 10 of mantissa. */
export const float16: DType = new DType("float16");
/** Brain floating point: the upper half of a float32, with 8 bits of exponent and 7 of mantissa. */
export const bfloat16: DType = new DType("bfloat16");
/** IEEE single precision, the default. */
export const float32: DType = new DType("float32");
/** IEEE double precision. */
export const float64: DType = new DType("float64");
/** Complex numbers whose real and imaginary parts are float32. */
export const complex64: DType = new DType("complex64");
/** Complex numbers whose real and imaginary parts are float64. */
export const complex128: DType = new DType("complex128");
/** Float8 with 4 bits of exponent and 3 of mantissa: no infinities, one NaN. Larger magnitudes than 448 become ±448. */
export const float8E4m3fn: DType = new DType("float8_e4m3fn");
/** Float8 with 5 bits of exponent and 2 of mantissa: the upper half of a float16, with infinities. */
export const float8E5m2: DType = new DType("float8_e5m2");
/** Unsigned 16-bit integers; few ops take them, see {@linkcode uint64}. */
export const uint16: DType = new DType("uint16");
/** Unsigned 32-bit integers; few ops take them, see {@linkcode uint64}. */
export const uint32: DType = new DType("uint32");
/**
 * Unsigned 64-bit integers: values above 2^53 are read as bigints. As in PyTorch they are made, copied, converted, viewed,
 * joined, indexed, sorted, multiplied, compared for equality and combined bit by bit; other ops refuse them, and they
 * promote with floating dtypes alone. Negative values wrap around.
 *
 * On WebGPU: values are held in 32 bits, which is checked where they come from the host or from a signed dtype.
 */
export const uint64: DType = new DType("uint64");

/** Every dtype, by name. */
export const DTYPES: Readonly<Record<DTypeName, DType>> = {
  bool,
  uint8,
  int8,
  int16,
  int32,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
  float8_e4m3fn: float8E4m3fn,
  float8_e5m2: float8E5m2,
  uint16,
  uint32,
  uint64,
};

let defaultFloat: DType = float32;

/** The parameters of {@linkcode setDefaultDtype}. */
export class SetDefaultDtypeArgs {
  constructor(
    /** A floating dtype, but no float8. */
    public d: DType,
  ) {}
}

/** The parameters of {@linkcode promoteTypes}. */
export class PromoteTypesArgs {
  constructor(
    /** The dtype of one operand. */
    public type1: DType,
    /** The dtype of the other operand. */
    public type2: DType,
  ) {}
}

/** The parameters of {@linkcode canCast}. */
export class CanCastArgs {
  constructor(
    /** The dtype of the values. */
    public from: DType,
    /** The dtype of the tensor that is written. */
    public to: DType,
  ) {}
}

/** Throws unless a value is a dtype. */
export function checkDtype(op: string, name: string, value: unknown): asserts value is DType {
  if (value instanceof DType) return;
  const known = typeof value === "string" && Object.hasOwn(DTYPES, value) ? `; use torch.${value}` : "";
  throw new ArgumentError(`${op}(): ${name} must be a dtype, such as torch.float32: ${describe(value)}${known}`);
}

const defaultDtypeArgs = call("getDefaultDtype", NoArgs);

/** The default dtype: that of tensors made from fractions or without a dtype. At first float32. */
export function getDefaultDtype(...args: Args<typeof NoArgs>): DType {
  if (args.length > 0) defaultDtypeArgs(args);
  return defaultFloat;
}

/** Sets the default dtype: that of tensors made from fractions or without a dtype. */
export const setDefaultDtype: Func<typeof SetDefaultDtypeArgs, void> = func(
  "setDefaultDtype",
  SetDefaultDtypeArgs,
  ({ d: dtype }) => {
    checkDtype("setDefaultDtype", "d", dtype);
    if (!dtype.isFloatingPoint || dtype.isFloat8) {
      throw new DTypeError(`setDefaultDtype(): the default must be a floating dtype, not a float8: ${dtype}`);
    }
    defaultFloat = dtype;
  },
);

/** The complex dtype whose parts are `dtype`. */
export function toComplex(dtype: DType): DType {
  if (dtype.isComplex) return dtype;
  return dtype === float64 ? complex128 : complex64;
}

/** Whether an integer dtype holds no negative values. */
export function isUnsigned(dtype: DType): boolean {
  return rowOf(dtype).integer?.min === 0n;
}

/** The dtype of the parts of a complex dtype; a real dtype is returned as it is. */
export function toReal(dtype: DType): DType {
  return dtype === complex64 ? float32 : dtype === complex128 ? float64 : dtype;
}

/**
 * The dtype two operands of the same category promote to.
 *
 * @throws {DTypeError} if one is a float8 and the other is not the same, or one is uint16, uint32 or uint64 and the other
 *   is neither the same nor floating
 */
export const promoteTypes: Func<typeof PromoteTypesArgs, DType> = func("promoteTypes", PromoteTypesArgs, (o) => {
  const { type1: a, type2: b } = o;
  checkDtype("promoteTypes", "type1", a);
  checkDtype("promoteTypes", "type2", b);
  const promoted = PROMOTION[a.code * DTYPE_CODES + b.code];
  if (promoted === null) {
    const which = a.isFloat8 || b.isFloat8
      ? "float8 dtypes do not promote"
      : "uint16, uint32 and uint64 promote with floating dtypes alone";
    throw new DTypeError(`promoteTypes(): ${which}: ${a} and ${b}; convert with .to(dtype)`);
  }
  return promoted;
});

function computePromotion(a: DType, b: DType): DType | null {
  if (a === b) return a;
  if (a.isFloat8 || b.isFloat8) return null;
  if (rowOf(a).ops === "few" || rowOf(b).ops === "few") {
    return a.isFloatingPoint ? a : b.isFloatingPoint ? b : null;
  }
  const rank: Record<DTypeKind, number> = { bool: 0, integer: 1, floating: 2, complex: 3 };
  if (rank[a.kind] > rank[b.kind]) [a, b] = [b, a];
  if (b.isComplex) {
    const parts = promoteTypesOfParts(toReal(a), toReal(b), a.kind);
    return toComplex(parts);
  }
  if (a.kind !== b.kind) return b;
  if (b.isFloatingPoint) {
    // float16 and bfloat16 hold different values, so they meet in float32.
    if (a.itemsize === b.itemsize) return float32;
    return a.itemsize > b.itemsize ? a : b;
  }
  if (isUnsigned(a) !== isUnsigned(b) && a.itemsize === b.itemsize) return int16;
  return a.itemsize > b.itemsize ? a : b;
}

function promoteTypesOfParts(a: DType, b: DType, kind: DTypeKind): DType {
  if (kind === "bool" || kind === "integer") return b;
  return a === float64 || b === float64 ? float64 : float32;
}

const PROMOTION: (DType | null)[] = [];
for (const a of Object.values(DTYPES)) {
  for (const b of Object.values(DTYPES)) PROMOTION[a.code * DTYPE_CODES + b.code] = computePromotion(a, b);
}

/** The dtype that a plain number of a kind has in promotion; floating and complex ones follow the default dtype. */
export function scalarDtype(kind: DTypeKind): DType {
  switch (kind) {
    case "bool":
      return bool;
    case "integer":
      return int64;
    case "floating":
      return defaultFloat;
    case "complex":
      return toComplex(defaultFloat);
  }
}

const KIND_RANK: Readonly<Record<DTypeKind, number>> = { bool: 0, integer: 1, floating: 2, complex: 3 };

/**
 * The result dtype of operands in PyTorch's three categories.
 *
 * @param dims dtypes of tensors with at least one dimension
 * @param zeros dtypes of 0-d tensors
 * @param scalars kinds of plain numbers
 */
export function resultType(
  dims: readonly DType[],
  zeros: readonly DType[],
  scalars: readonly DTypeKind[],
): DType {
  let result: DType | null = null;
  for (const d of dims) result = result === null ? d : promoteTypes(result, d);
  let zero: DType | null = null;
  for (const d of zeros) zero = zero === null ? d : promoteTypes(zero, d);
  result = absorb(result, zero);
  let scalar: DType | null = null;
  for (const k of scalars) {
    const d = scalarDtype(k);
    scalar = scalar === null ? d : promoteTypes(scalar, d);
  }
  result = absorb(result, scalar);
  if (result === null) throw new DTypeError("resultType(): no operands were given");
  return result;
}

/** Combines the dtypes of two categories: the lower one can raise the kind of the result, but not its width. */
function absorb(high: DType | null, low: DType | null): DType | null {
  if (high === null || low === null) return high ?? low;
  if (KIND_RANK[low.kind] <= KIND_RANK[high.kind]) return high;
  // A real floating tensor that meets a complex number becomes complex of its own width.
  if (low.isComplex && high.isFloatingPoint) return toComplex(high);
  if (high.kind === "bool") return promoteTypes(high, low);
  return low;
}

/**
 * Whether PyTorch allows writing values of dtype `from` in place into a tensor of dtype `to`: the kind may not fall
 * (bool < integer < floating < complex), the width may.
 */
export const canCast: Func<typeof CanCastArgs, boolean> = func("canCast", CanCastArgs, ({ from, to }) => {
  checkDtype("canCast", "from", from);
  checkDtype("canCast", "to", to);
  return isCastable(from, to);
});

/** {@linkcode canCast} without the checks of its arguments. */
export function isCastable(from: DType, to: DType): boolean {
  if (KIND_RANK[from.kind] === 3 && KIND_RANK[to.kind] < 3) return false;
  if (KIND_RANK[from.kind] === 2 && KIND_RANK[to.kind] < 2) return false;
  return !(to === bool && from !== bool);
}
