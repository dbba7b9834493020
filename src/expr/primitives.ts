/**
 * The table of primitives: one row each, with a column for every target.
 *
 * A row says which kinds a primitive computes in, its reference value, its CUDA C, its WGSL and its derivative; the CPU
 * machine's opcode is its place in the lists of names. A missing column does not compile, so adding a primitive is a
 * name, a row, and the machine's loop. In the texts `$a` and `$b` are operands (names, so they may be repeated),
 * `$t` the C type, and `@` the suffix `f` of C's float32 functions; names that start with `cr` are helpers of
 * `cuda_prelude.ts` and `wgsl_prelude.ts`. In WGSL an `i64` is an `i32`, a `u64` a `u32`, and `f64` does not exist. A text for `u64` is needed only where that of
 * `i64` does not serve.
 *
 * Derivatives follow PyTorch's conventions where a limit would not decide: ties of min and max share the gradient, d|x|
 * at 0 is 0, the gradient of `pow` by its base is 0 for exponent 0.
 *
 * @module
 */

import { DTypeError } from "../base/errors.ts";
import { philoxWord } from "../base/philox.ts";
import { type Expr, withDerivative } from "./expr.ts";
import type { Kind } from "./kind.ts";
import * as ref from "./reference.ts";

/** Names of the primitives with one operand, in opcode order. */
export const UNARY = [
  "neg",
  "abs",
  "sign",
  "floor",
  "ceil",
  "round",
  "trunc",
  "exp",
  "exp2",
  "expm1",
  "log",
  "log2",
  "log10",
  "log1p",
  "sqrt",
  "rsqrt",
  "reciprocal",
  "sin",
  "cos",
  "tan",
  "asin",
  "acos",
  "atan",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
  "acosh",
  "atanh",
  "sigmoid",
  "erf",
  "erfc",
  "erfinv",
  "lgamma",
  "digamma",
  "trigamma",
  "logicalNot",
  "bitwiseNot",
  "isnan",
  "isinf",
  "isfinite",
] as const;

/** Names of the primitives with two operands, in opcode order. */
export const BINARY = [
  "add",
  "sub",
  "mul",
  "div",
  "floorDivide",
  "truncDivide",
  "remainder",
  "fmod",
  "pow",
  "min",
  "max",
  "fmin",
  "fmax",
  "atan2",
  "hypot",
  "copysign",
  "nextafter",
  "zeta",
  "gcd",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "logicalAnd",
  "logicalOr",
  "logicalXor",
  "bitwiseAnd",
  "bitwiseOr",
  "bitwiseXor",
  "shiftLeft",
  "shiftRight",
  "philox",
] as const;

/** A primitive with one operand. */
export type UnaryName = typeof UNARY[number];
/** A primitive with two operands. */
export type BinaryName = typeof BINARY[number];
/** A primitive. */
export type PrimitiveName = UnaryName | BinaryName;

/** Source text of a target: one for all kinds, or one per class of kinds. */
export type Template =
  | string
  | { readonly float?: string; readonly int?: string; readonly uint?: string; readonly bool?: string };

/** Reference values per class of kinds; booleans compute as 0n and 1n. */
export interface Reference {
  /** For `f32` (the result is then rounded) and `f64`. */
  readonly float?: (a: number, b: number, single: boolean) => number | boolean;
  /** For `i64` and `u64` (the result is then wrapped) and `bool`. */
  readonly int?: (a: bigint, b: bigint) => bigint | boolean;
}

/** What both arities have in common. */
interface Row {
  /** Operand kinds that targets implement; others are promoted to the first that holds them. */
  readonly accepts: readonly Kind[];
  /** The result's kind; `null` is that of the operands. */
  readonly result: Kind | null;
  /** The value, in JavaScript. */
  readonly value: Reference;
  /** CUDA C. */
  readonly cuda: Template;
  /** WGSL. */
  readonly wgsl: Template;
}

/** A primitive with one operand. */
export interface UnaryRow extends Row {
  /** The operand's gradient from that of the result, the result and the operand; `null` where it is zero. */
  readonly grad: ((g: Expr, y: Expr, x: Expr) => Expr) | null;
}

/** A primitive with two operands. */
export interface BinaryRow extends Row {
  /** The operands' gradients from that of the result, the result and the operands; `null` where they are zero. */
  readonly grad: ((g: Expr, y: Expr, a: Expr, b: Expr) => readonly [() => Expr | null, () => Expr | null]) | null;
}

const FLOAT: readonly Kind[] = ["f32", "f64"];
const SIGNED: readonly Kind[] = ["i64", "f32", "f64"];
const NUMERIC: readonly Kind[] = ["i64", "u64", "f32", "f64"];
const ANY: readonly Kind[] = ["bool", "i64", "u64", "f32", "f64"];

/** Kinds of primitives, spread into rows. */
const float = { accepts: FLOAT, result: null } as const;
const numeric = { accepts: NUMERIC, result: null } as const;
const signed = { accepts: SIGNED, result: null } as const;
const comparison = { accepts: ANY, result: "bool", grad: null } as const;
const predicate = { accepts: FLOAT, result: "bool", grad: null } as const;
const logic = { accepts: ["bool"], result: null, grad: null } as const;
const bits = { accepts: ["bool", "i64", "u64"], result: null, grad: null } as const;
const integer = { accepts: ["i64"], result: null, grad: null } as const;

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
const zero = (): null => null;

/** Primitives with one operand. */
export const UNARY_TABLE: Readonly<Record<UnaryName, UnaryRow>> = {
  neg: {
    ...numeric,
    value: { float: (a) => -a, int: (a) => -a },
    cuda: { float: "-$a", int: "(i64)(0ull - (u64)$a)" },
    wgsl: { float: "-$a", int: "-$a", uint: "0u - $a" },
    grad: (g) => g.neg(),
  },
  abs: {
    ...numeric,
    value: { float: Math.abs, int: (a) => a < 0n ? -a : a },
    cuda: { float: "fabs@($a)", int: "($a < 0 ? (i64)(0ull - (u64)$a) : $a)", uint: "$a" },
    wgsl: "abs($a)",
    grad: (g, _y, x) => g.mul(x.sign()),
  },
  sign: {
    ...numeric,
    // PyTorch's sign of NaN is 0.
    value: { float: (a) => a > 0 ? 1 : a < 0 ? -1 : 0, int: (a) => a > 0n ? 1n : a < 0n ? -1n : 0n },
    cuda: "($t)((0 < $a) - ($a < 0))",
    wgsl: { float: "(select(0.0, 1.0, $a > 0.0) - select(0.0, 1.0, $a < 0.0))", int: "sign($a)", uint: "min($a, 1u)" },
    grad: null,
  },
  floor: { ...float, value: { float: Math.floor }, cuda: "floor@($a)", wgsl: "floor($a)", grad: null },
  ceil: { ...float, value: { float: Math.ceil }, cuda: "ceil@($a)", wgsl: "ceil($a)", grad: null },
  round: { ...float, value: { float: ref.roundHalfEven }, cuda: "rint@($a)", wgsl: "round($a)", grad: null },
  trunc: { ...float, value: { float: Math.trunc }, cuda: "trunc@($a)", wgsl: "trunc($a)", grad: null },
  exp: { ...float, value: { float: Math.exp }, cuda: "exp@($a)", wgsl: "crExp($a)", grad: (g, y) => g.mul(y) },
  exp2: {
    ...float,
    value: { float: (a) => 2 ** a },
    cuda: "exp2@($a)",
    wgsl: "crExp2($a)",
    grad: (g, y) => g.mul(y).mul(Math.LN2),
  },
  expm1: {
    ...float,
    value: { float: Math.expm1 },
    cuda: "expm1@($a)",
    wgsl: "crExpm1($a)",
    grad: (g, y) => g.mul(y.add(1)),
  },
  log: { ...float, value: { float: Math.log }, cuda: "log@($a)", wgsl: "crLog($a)", grad: (g, _y, x) => g.div(x) },
  log2: {
    ...float,
    value: { float: Math.log2 },
    cuda: "log2@($a)",
    wgsl: "crLog2($a)",
    grad: (g, _y, x) => g.div(x.mul(Math.LN2)),
  },
  log10: {
    ...float,
    value: { float: Math.log10 },
    cuda: "log10@($a)",
    wgsl: "crLog10($a)",
    grad: (g, _y, x) => g.div(x.mul(Math.LN10)),
  },
  log1p: {
    ...float,
    value: { float: Math.log1p },
    cuda: "log1p@($a)",
    wgsl: "crLog1p($a)",
    grad: (g, _y, x) => g.div(x.add(1)),
  },
  sqrt: {
    ...float,
    value: { float: Math.sqrt },
    cuda: "sqrt@($a)",
    wgsl: "sqrt($a)",
    grad: (g, y) => g.div(y.mul(2)),
  },
  rsqrt: {
    ...float,
    value: { float: (a) => 1 / Math.sqrt(a) },
    cuda: "rsqrt@($a)",
    wgsl: "(1.0 / sqrt($a))",
    grad: (g, y) => g.mul(-0.5).mul(y.mul(y).mul(y)),
  },
  reciprocal: {
    ...float,
    value: { float: (a) => 1 / a },
    cuda: "(($t)1 / $a)",
    wgsl: "(1.0 / $a)",
    grad: (g, y) => g.neg().mul(y.mul(y)),
  },
  sin: {
    ...float,
    value: { float: Math.sin },
    cuda: "sin@($a)",
    wgsl: "crSin($a)",
    grad: (g, _y, x) => g.mul(x.cos()),
  },
  cos: {
    ...float,
    value: { float: Math.cos },
    cuda: "cos@($a)",
    wgsl: "crCos($a)",
    grad: (g, _y, x) => g.neg().mul(x.sin()),
  },
  tan: {
    ...float,
    value: { float: Math.tan },
    cuda: "tan@($a)",
    wgsl: "crTan($a)",
    grad: (g, y) => g.mul(y.mul(y).add(1)),
  },
  asin: {
    ...float,
    value: { float: Math.asin },
    cuda: "asin@($a)",
    wgsl: "crAsin($a)",
    grad: (g, _y, x) => g.mul(squareFromOne(x).rsqrt()),
  },
  acos: {
    ...float,
    value: { float: Math.acos },
    cuda: "acos@($a)",
    wgsl: "crAcos($a)",
    grad: (g, _y, x) => g.neg().mul(squareFromOne(x).rsqrt()),
  },
  atan: {
    ...float,
    value: { float: Math.atan },
    cuda: "atan@($a)",
    wgsl: "crAtan($a)",
    grad: (g, _y, x) => g.div(x.mul(x).add(1)),
  },
  sinh: {
    ...float,
    value: { float: Math.sinh },
    cuda: "sinh@($a)",
    wgsl: "crSinh($a)",
    grad: (g, _y, x) => g.mul(x.cosh()),
  },
  cosh: {
    ...float,
    value: { float: Math.cosh },
    cuda: "cosh@($a)",
    wgsl: "crCosh($a)",
    grad: (g, _y, x) => g.mul(x.sinh()),
  },
  tanh: {
    ...float,
    value: { float: Math.tanh },
    cuda: "tanh@($a)",
    wgsl: "crTanh($a)",
    grad: (g, y) => g.mul(oneMinusSquare(y)),
  },
  asinh: {
    ...float,
    value: { float: Math.asinh },
    cuda: "asinh@($a)",
    wgsl: "crAsinh($a)",
    grad: (g, _y, x) => g.mul(x.mul(x).add(1).rsqrt()),
  },
  acosh: {
    ...float,
    value: { float: Math.acosh },
    cuda: "acosh@($a)",
    wgsl: "crAcosh($a)",
    grad: (g, _y, x) => g.mul(squareLessOne(x).rsqrt()),
  },
  atanh: {
    ...float,
    value: { float: Math.atanh },
    cuda: "atanh@($a)",
    wgsl: "crAtanh($a)",
    grad: (g, _y, x) => g.div(squareFromOne(x)),
  },
  sigmoid: {
    ...float,
    value: { float: (a) => 1 / (1 + Math.exp(-a)) },
    cuda: "(($t)1 / (($t)1 + exp@(-$a)))",
    wgsl: "(1.0 / (1.0 + crExp(-$a)))",
    grad: (g, y) => g.mul(y).mul(y.neg().add(1)),
  },
  erf: {
    ...float,
    value: { float: ref.erf },
    cuda: "erf@($a)",
    wgsl: "crErf($a)",
    grad: (g, _y, x) => g.mul(x.mul(x).neg().exp()).mul(TWO_OVER_SQRT_PI),
  },
  erfc: {
    ...float,
    value: { float: ref.erfc },
    cuda: "erfc@($a)",
    wgsl: "crErfc($a)",
    grad: (g, _y, x) => g.mul(x.mul(x).neg().exp()).mul(-TWO_OVER_SQRT_PI),
  },
  erfinv: {
    ...float,
    value: { float: ref.erfinv },
    cuda: "erfinv@($a)",
    wgsl: "crErfinv($a)",
    grad: (g, y) => g.mul(y.mul(y).exp()).mul(1 / TWO_OVER_SQRT_PI),
  },
  lgamma: {
    ...float,
    value: { float: ref.lgamma },
    cuda: "lgamma@($a)",
    wgsl: "crLgamma($a)",
    grad: (g, _y, x) => g.mul(x.digamma()),
  },
  digamma: {
    ...float,
    value: { float: ref.digamma },
    cuda: "crDigamma($a)",
    wgsl: "crDigamma($a)",
    grad: (g, _y, x) => g.mul(x.trigamma()),
  },
  trigamma: {
    ...float,
    value: { float: ref.trigamma },
    cuda: "crTrigamma($a)",
    wgsl: "crTrigamma($a)",
    grad: (g, _y, x) => g.mul(x.like(3).zeta(x)).mul(-2),
  },
  logicalNot: { ...logic, value: { int: (a) => a === 0n }, cuda: "!$a", wgsl: "!$a" },
  bitwiseNot: {
    ...bits,
    value: { int: (a) => ~a },
    cuda: { int: "~$a", bool: "!$a" },
    wgsl: { int: "~$a", bool: "!$a" },
  },
  isnan: { ...predicate, value: { float: Number.isNaN }, cuda: "($a != $a)", wgsl: "crIsNan($a)" },
  isinf: {
    ...predicate,
    value: { float: (a) => Math.abs(a) === Infinity },
    cuda: "(fabs@($a) == crInf<$t>())",
    wgsl: "crIsInf($a)",
  },
  isfinite: {
    ...predicate,
    value: { float: Number.isFinite },
    cuda: "(fabs@($a) < crInf<$t>())",
    wgsl: "crIsFinite($a)",
  },
};

/** Primitives with two operands. */
export const BINARY_TABLE: Readonly<Record<BinaryName, BinaryRow>> = {
  add: {
    ...numeric,
    value: { float: (a, b) => a + b, int: (a, b) => a + b },
    cuda: { float: "$a + $b", int: "(i64)((u64)$a + (u64)$b)" },
    wgsl: "$a + $b",
    grad: (g) => [() => g, () => g],
  },
  sub: {
    ...numeric,
    value: { float: (a, b) => a - b, int: (a, b) => a - b },
    cuda: { float: "$a - $b", int: "(i64)((u64)$a - (u64)$b)" },
    wgsl: "$a - $b",
    grad: (g) => [() => g, () => g.neg()],
  },
  mul: {
    ...numeric,
    value: { float: (a, b) => a * b, int: (a, b) => a * b },
    cuda: { float: "$a * $b", int: "(i64)((u64)$a * (u64)$b)" },
    wgsl: "$a * $b",
    grad: (g, _y, a, b) => [() => g.mul(b), () => g.mul(a)],
  },
  div: {
    ...float,
    value: { float: (a, b) => a / b },
    cuda: "$a / $b",
    wgsl: "$a / $b",
    grad: (g, y, _a, b) => [() => g.div(b), () => g.neg().mul(y.div(b))],
  },
  floorDivide: {
    ...signed,
    value: { float: ref.floorDivide, int: ref.floorDivideInt },
    cuda: "crFloorDivide($a, $b)",
    wgsl: { float: "crFloorDivide($a, $b)", int: "crFloorDivideInt($a, $b)" },
    grad: null,
  },
  truncDivide: {
    ...signed,
    value: {
      float: (a, b, single) => Math.trunc(single ? Math.fround(a / b) : a / b),
      int: (a, b) => b === 0n ? 0n : a / b,
    },
    cuda: { float: "trunc@($a / $b)", int: "crTruncDivide($a, $b)" },
    wgsl: { float: "trunc($a / $b)", int: "crTruncDivideInt($a, $b)" },
    grad: null,
  },
  remainder: {
    ...signed,
    value: { float: ref.remainder, int: ref.remainderInt },
    cuda: "crRemainder($a, $b)",
    wgsl: { float: "crRemainder($a, $b)", int: "crRemainderInt($a, $b)" },
    grad: (g, _y, a, b) => [() => g, () => g.neg().mul(a.floorDivide(b))],
  },
  fmod: {
    ...signed,
    value: { float: (a, b) => a % b, int: (a, b) => b === 0n ? 0n : a % b },
    cuda: { float: "fmod@($a, $b)", int: "crFmod($a, $b)" },
    wgsl: { float: "crFmod($a, $b)", int: "crFmodInt($a, $b)" },
    grad: (g, _y, a, b) => [() => g, () => g.neg().mul(a.truncDivide(b))],
  },
  pow: {
    ...signed,
    // C's pow: 1 to any power is 1, and (-1)^(±inf) too, where JavaScript gives NaN.
    value: { float: (a, b) => a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b, int: ref.powInt },
    cuda: { float: "pow@($a, $b)", int: "crPowInt($a, $b)" },
    wgsl: { float: "crPow($a, $b)", int: "crPowInt($a, $b)" },
    grad: (g, y, a, b) => [
      () => b.eq(0).where(0, g.mul(b.mul(a.pow(b.sub(1))))),
      () => a.eq(0).logicalAnd(b.ge(0)).where(0, g.mul(y.mul(a.log()))),
    ],
  },
  min: {
    ...numeric,
    value: { float: (a, b) => Math.min(a, b), int: (a, b) => a < b ? a : b },
    cuda: { float: "($a < $b || $a != $a ? $a : $b)", int: "($a < $b ? $a : $b)" },
    wgsl: { float: "crMin($a, $b)", int: "min($a, $b)" },
    grad: (g, _y, a, b) => [() => share(g, a.gt(b), a.eq(b)), () => share(g, a.lt(b), a.eq(b))],
  },
  max: {
    ...numeric,
    value: { float: (a, b) => Math.max(a, b), int: (a, b) => a > b ? a : b },
    cuda: { float: "($a > $b || $a != $a ? $a : $b)", int: "($a > $b ? $a : $b)" },
    wgsl: { float: "crMax($a, $b)", int: "max($a, $b)" },
    grad: (g, _y, a, b) => [() => share(g, a.lt(b), a.eq(b)), () => share(g, a.gt(b), a.eq(b))],
  },
  fmin: {
    ...numeric,
    value: {
      float: (a, b) => Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b),
      int: (a, b) => a < b ? a : b,
    },
    cuda: { float: "fmin@($a, $b)", int: "($a < $b ? $a : $b)" },
    wgsl: { float: "crFmin($a, $b)", int: "min($a, $b)" },
    grad: (
      g,
      _y,
      a,
      b,
    ) => [() => a.le(b).logicalOr(b.isnan()).where(g, 0), () => a.le(b).logicalOr(b.isnan()).where(0, g)],
  },
  fmax: {
    ...numeric,
    value: {
      float: (a, b) => Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b),
      int: (a, b) => a > b ? a : b,
    },
    cuda: { float: "fmax@($a, $b)", int: "($a > $b ? $a : $b)" },
    wgsl: { float: "crFmax($a, $b)", int: "max($a, $b)" },
    grad: (
      g,
      _y,
      a,
      b,
    ) => [() => a.ge(b).logicalOr(b.isnan()).where(g, 0), () => a.ge(b).logicalOr(b.isnan()).where(0, g)],
  },
  atan2: {
    ...float,
    value: { float: Math.atan2 },
    cuda: "atan2@($a, $b)",
    wgsl: "crAtan2($a, $b)",
    grad: (g, _y, a, b) => {
      const square = a.mul(a).add(b.mul(b));
      const at0 = square.eq(0);
      return [() => at0.where(0, g.mul(b.div(square))), () => at0.where(0, g.neg().mul(a.div(square)))];
    },
  },
  hypot: {
    ...float,
    value: { float: (a, b) => Math.hypot(a, b) },
    cuda: "hypot@($a, $b)",
    wgsl: "crHypot($a, $b)",
    grad: (g, y, a, b) => [() => g.mul(a.div(y)), () => g.mul(b.div(y))],
  },
  copysign: {
    ...float,
    value: { float: ref.copysign },
    cuda: "copysign@($a, $b)",
    wgsl: "crCopysign($a, $b)",
    grad: (g, y, a) => [() => a.eq(0).where(0, g.mul(y.div(a))), zero],
  },
  nextafter: {
    ...float,
    value: { float: ref.nextafter },
    cuda: "nextafter@($a, $b)",
    wgsl: "crNextafter($a, $b)",
    grad: (g, _y, a, b) => [() => a.eq(b).where(0, g), zero],
  },
  zeta: {
    ...float,
    value: { float: ref.zeta },
    cuda: "crZeta($a, $b)",
    wgsl: "crZeta($a, $b)",
    grad: (g, _y, s, q) => [() => notDifferentiable("zeta"), () => g.mul(s.neg()).mul(s.add(1).zeta(q))],
  },
  gcd: { ...integer, value: { int: ref.gcd }, cuda: "crGcd($a, $b)", wgsl: "crGcd($a, $b)" },
  eq: {
    ...comparison,
    value: { float: (a, b) => a === b, int: (a, b) => a === b },
    cuda: "$a == $b",
    wgsl: "$a == $b",
  },
  ne: {
    ...comparison,
    value: { float: (a, b) => a !== b, int: (a, b) => a !== b },
    cuda: "$a != $b",
    // Not `!=`: it is compiled to an ordered comparison, false where one is NaN.
    wgsl: "!($a == $b)",
  },
  lt: {
    ...comparison,
    value: { float: (a, b) => a < b, int: (a, b) => a < b },
    cuda: "$a < $b",
    wgsl: { float: "$a < $b", int: "$a < $b", bool: "!$a && $b" },
  },
  le: {
    ...comparison,
    value: { float: (a, b) => a <= b, int: (a, b) => a <= b },
    cuda: "$a <= $b",
    wgsl: { float: "$a <= $b", int: "$a <= $b", bool: "!$a || $b" },
  },
  gt: {
    ...comparison,
    value: { float: (a, b) => a > b, int: (a, b) => a > b },
    cuda: "$a > $b",
    wgsl: { float: "$a > $b", int: "$a > $b", bool: "$a && !$b" },
  },
  ge: {
    ...comparison,
    value: { float: (a, b) => a >= b, int: (a, b) => a >= b },
    cuda: "$a >= $b",
    wgsl: { float: "$a >= $b", int: "$a >= $b", bool: "$a || !$b" },
  },
  logicalAnd: { ...logic, value: { int: (a, b) => a & b }, cuda: "$a && $b", wgsl: "$a && $b" },
  logicalOr: { ...logic, value: { int: (a, b) => a | b }, cuda: "$a || $b", wgsl: "$a || $b" },
  logicalXor: { ...logic, value: { int: (a, b) => a ^ b }, cuda: "$a != $b", wgsl: "$a != $b" },
  bitwiseAnd: { ...bits, value: { int: (a, b) => a & b }, cuda: "$a & $b", wgsl: "$a & $b" },
  bitwiseOr: { ...bits, value: { int: (a, b) => a | b }, cuda: "$a | $b", wgsl: "$a | $b" },
  bitwiseXor: {
    ...bits,
    value: { int: (a, b) => a ^ b },
    cuda: "$a ^ $b",
    wgsl: { int: "$a ^ $b", bool: "$a != $b" },
  },
  shiftLeft: {
    ...integer,
    // A shift by a negative or too large count gives 0 (left) or the sign (right).
    value: { int: (a, b) => b < 0n || b > 63n ? 0n : a << b },
    cuda: "($b < 0 || $b > 63 ? 0ll : (i64)((u64)$a << $b))",
    wgsl: "select($a << (u32($b) & 31u), 0, $b < 0 || $b > 31)",
  },
  shiftRight: {
    ...integer,
    value: { int: (a, b) => b < 0n || b > 63n ? (a < 0n ? -1n : 0n) : a >> b },
    cuda: "($a >> ($b < 0 || $b > 63 ? 63 : $b))",
    wgsl: "($a >> select(u32($b), 31u, $b < 0 || $b > 31))",
  },
  philox: {
    ...integer,
    // The word of `src/base/philox.ts`; where i64 is 32 bits its top half shows as negative, so mask after shifting.
    value: { int: (counter, key) => BigInt(philoxWord(Number(counter), BigInt.asUintN(64, key))) },
    cuda: "crPhilox($a, $b, random)",
    wgsl: "crPhilox($a, $b, $bHigh)",
  },
};

/** Every primitive. */
export const PRIMITIVES: Readonly<Record<PrimitiveName, Row>> = { ...UNARY_TABLE, ...BINARY_TABLE };

/** 1 - x² as PyTorch computes it, its rounding near ±1 included: float32 gradients agree to its tolerance. */
function squareFromOne(x: Expr): Expr {
  return x.mul(x).neg().add(1);
}

/** x² - 1, factored so that it does not cancel near ±1; its derivative is stated, because that of the factors may be ∞ - ∞. */
function squareLessOne(x: Expr): Expr {
  return withDerivative(x.sub(1).mul(x.add(1)), [{ by: x, is: () => x.mul(2) }]);
}

/** 1 - x², factored so that it does not cancel near ±1. */
function oneMinusSquare(x: Expr): Expr {
  return x.neg().add(1).mul(x.add(1));
}

/** The gradient, none of it where the other operand won and half of it on ties. */
function share(g: Expr, lost: Expr, tied: Expr): Expr {
  return lost.where(0, tied.where(g.mul(0.5), g));
}

function notDifferentiable(name: string): never {
  throw new DTypeError(`${name}(): has no derivative by this operand; detach it`);
}
