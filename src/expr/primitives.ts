/**
 * The table of primitives.
 *
 * @module
 */

import type { Kind } from "./kind.ts";

/** Names of the primitives with one operand. */
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

/** Names of the primitives with two operands. */
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

/** One primitive. */
export interface Primitive {
  /** Operand kinds that targets implement; others are promoted to the first that holds them. */
  readonly accepts: readonly Kind[];
  /** The result's kind; `null` is that of the operands. */
  readonly result: Kind | null;
}

const FLOAT: readonly Kind[] = ["f32", "f64"];
const NUMERIC: readonly Kind[] = ["i64", "f32", "f64"];
const ANY: readonly Kind[] = ["bool", "i64", "f32", "f64"];
const INTEGER: readonly Kind[] = ["i64"];
const LOGIC: readonly Kind[] = ["bool"];
const BITS: readonly Kind[] = ["bool", "i64"];

const float: Primitive = { accepts: FLOAT, result: null };
const numeric: Primitive = { accepts: NUMERIC, result: null };
const compare: Primitive = { accepts: ANY, result: "bool" };
const predicate: Primitive = { accepts: FLOAT, result: "bool" };
const logic: Primitive = { accepts: LOGIC, result: null };
const bits: Primitive = { accepts: BITS, result: null };
const integer: Primitive = { accepts: INTEGER, result: null };

/** Every primitive, one row each. */
export const PRIMITIVES: Readonly<Record<PrimitiveName, Primitive>> = {
  neg: numeric,
  abs: numeric,
  sign: numeric,
  floor: float,
  ceil: float,
  round: float,
  trunc: float,
  exp: float,
  exp2: float,
  expm1: float,
  log: float,
  log2: float,
  log10: float,
  log1p: float,
  sqrt: float,
  rsqrt: float,
  reciprocal: float,
  sin: float,
  cos: float,
  tan: float,
  asin: float,
  acos: float,
  atan: float,
  sinh: float,
  cosh: float,
  tanh: float,
  asinh: float,
  acosh: float,
  atanh: float,
  sigmoid: float,
  erf: float,
  erfc: float,
  erfinv: float,
  lgamma: float,
  digamma: float,
  trigamma: float,
  logicalNot: logic,
  bitwiseNot: bits,
  isnan: predicate,
  isinf: predicate,
  isfinite: predicate,
  add: numeric,
  sub: numeric,
  mul: numeric,
  div: float,
  floorDivide: numeric,
  truncDivide: numeric,
  remainder: numeric,
  fmod: numeric,
  pow: numeric,
  min: numeric,
  max: numeric,
  fmin: numeric,
  fmax: numeric,
  atan2: float,
  hypot: float,
  copysign: float,
  nextafter: float,
  zeta: float,
  gcd: integer,
  eq: compare,
  ne: compare,
  lt: compare,
  le: compare,
  gt: compare,
  ge: compare,
  logicalAnd: logic,
  logicalOr: logic,
  logicalXor: logic,
  bitwiseAnd: bits,
  bitwiseOr: bits,
  bitwiseXor: bits,
  shiftLeft: integer,
  shiftRight: integer,
  philox: integer,
};
