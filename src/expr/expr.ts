/**
 * Scalar expressions: what a pointwise op computes for one element.
 *
 * An {@linkcode Expr} is immutable and hash-consed: building the same expression twice gives the same object, so common
 * subexpressions are shared and equality is identity. Constructors simplify. The fluent methods (`x.mul(y).exp()`) come
 * from the table of primitives, one per row; {@linkcode Value} is what real expressions and complex pairs have in
 * common, so that one definition of an op serves both.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { convertScalar, isFloat, isWhole, type Kind, KIND_RANK, kindOf, promoteKinds, type Scalar } from "./kind.ts";
import { BINARY, type BinaryName, type PrimitiveName, PRIMITIVES, UNARY, type UnaryName } from "./primitives.ts";
import { simplify } from "./simplify.ts";

export { type Kind, kindOf, type Scalar } from "./kind.ts";
export type { BinaryName, PrimitiveName, UnaryName } from "./primitives.ts";

/** What may stand where an operand is wanted; plain values become constants of the other operand's kind. */
export type Operand = Value | Scalar;
/** What may stand where a real operand is wanted. */
export type RealOperand = Expr | Scalar;

/** The operation of a node: a primitive or one of the structural operations. */
export type Op = PrimitiveName | "input" | "scalar" | "constant" | "index" | "cast" | "wrap" | "where";

/** One method per primitive, on real or complex values. */
export type ValueMethods =
  & { readonly [K in UnaryName]: () => Value }
  & { readonly [K in BinaryName]: (other: Operand) => Value };

/** One method per primitive, on real values. */
export type ExprMethods =
  & { readonly [K in UnaryName]: () => Expr }
  & { readonly [K in BinaryName]: { (other: RealOperand): Expr; (other: Operand): Value } };

/** A real expression or a complex pair of them: one definition of an op serves both. */
export interface Value extends ValueMethods {
  /** The kind of the value, or of a complex value's parts. */
  readonly kind: Kind;
  /** The value converted to another kind; a complex value's parts are. */
  to(kind: Kind): Value;
  /** A real value in the same form (real or complex) as this one. */
  lift(value: Expr): Value;
}

/** The fluent methods: one per row of the table of primitives. */
export interface Expr extends ExprMethods {}

/** A node of the expression graph; made by the functions of this module, never by `new`. */
export class Expr implements Value {
  /** Unique, in order of creation: operands have lower ids. */
  readonly id: number;
  /** What the node computes. */
  readonly op: Op;
  /** The kind of the result. */
  readonly kind: Kind;
  /** Operands. */
  readonly args: readonly Expr[];
  /** Which input or scalar; -1 for other nodes. */
  readonly index: number;
  /** An input's storage dtype, or the integer dtype that `wrap` wraps to. */
  readonly dtype: DType | null;
  /** A constant's value. */
  readonly value: Scalar | null;
  /** A stated derivative, see {@linkcode withDerivative}; it is no part of the node's identity. */
  derivative: readonly PartialDerivative[] | null = null;

  /** Used by this module alone. */
  constructor(
    id: number,
    op: Op,
    kind: Kind,
    args: readonly Expr[],
    index: number,
    dtype: DType | null,
    value: Scalar | null,
  ) {
    this.id = id;
    this.op = op;
    this.kind = kind;
    this.args = args;
    this.index = index;
    this.dtype = dtype;
    this.value = value;
  }

  /** Whether this is the constant `value` (0 also means -0). */
  is(value: number): boolean {
    return this.op === "constant" && Number(this.value) === value;
  }

  /** The value converted to `kind`: floats truncate to integers, anything to bool is `x != 0`. */
  to(kind: Kind): Expr {
    return cast(this, kind);
  }

  /** An integer wrapped modulo 2^bits to a narrower storage dtype. */
  wrap(dtype: DType): Expr {
    if (this.kind === "bool") return this;
    if (!isWhole(this.kind) || !dtype.isInteger) {
      throw new DTypeError(`wrap(): integers wrap to integer dtypes: ${this.kind} to ${dtype}`);
    }
    return dtype.itemsize === 8 ? this : make("wrap", this.kind, [this], -1, dtype);
  }

  /** `a` where this condition holds, else `b`. */
  where(a: RealOperand, b: RealOperand): Expr {
    return where(this, a, b) as Expr;
  }

  /** A constant of this value's kind. */
  like(value: Scalar): Expr {
    return constant(value, this.kind);
  }

  /** A real value as it is. */
  lift(value: Expr): Expr {
    return value;
  }

  /** The expression as text, for debugging and for cache keys. */
  toString(): string {
    switch (this.op) {
      case "input":
        return `in${this.index}:${this.dtype!.name}`;
      case "scalar":
        return `s${this.index}:${this.kind}`;
      case "constant":
        return `${Object.is(this.value, -0) ? "-0" : this.value}:${this.kind}`;
      case "cast":
        return `${this.kind}(${this.args[0]})`;
      case "wrap":
        return `${this.dtype!.name}(${this.args[0]})`;
      default:
        return `${this.op}(${this.args.join(", ")})`;
    }
  }
}

/** One term of a stated derivative. */
export interface PartialDerivative {
  /** A subexpression of the value. */
  readonly by: Expr;
  /**
   * The value's derivative by it, or what makes it when it is asked for: functions may be each other's derivatives. What
   * is made reads no more inputs than the value.
   */
  readonly is: Expr | (() => Expr);
}

/**
 * States the derivative of an expression, for where the symbolic one of its formula cancels, branches or is long.
 *
 * @param value the expression
 * @param partials its derivatives by subexpressions through which it depends on everything
 */
export function withDerivative(value: Expr, partials: readonly PartialDerivative[]): Expr {
  if (value.args.length > 0) value.derivative ??= partials;
  return value;
}

const nodes = new Map<string, Expr>();

/** The node of this description, made if there is none yet. For `src/expr` only: everything else uses the builders. */
export function make(
  op: Op,
  kind: Kind,
  args: readonly Expr[] = [],
  index = -1,
  dtype: DType | null = null,
  value: Scalar | null = null,
): Expr {
  let key = `${op},${kind}`;
  for (const a of args) key += `,${a.id}`;
  if (index >= 0) key += `#${index}`;
  if (dtype !== null) key += `:${dtype.code}`;
  if (value !== null) key += Object.is(value, -0) ? "=-0" : `=${value}`;
  const known = nodes.get(key);
  if (known !== undefined) return known;
  const made = simplify(op, kind, args, dtype) ?? new Expr(nodes.size, op, kind, args, index, dtype, value);
  nodes.set(key, made);
  return made;
}

/** Element of tensor operand number `index`, whose storage dtype is `dtype` (real). */
export function input(index: number, dtype: DType): Expr {
  return make("input", kindOf(dtype), [], index, dtype);
}

/** Run-time scalar number `index`: the same for every element, given per call. */
export function scalar(index: number, kind: Kind): Expr {
  return make("scalar", kind, [], index);
}

/** A constant, converted to `kind`. */
export function constant(value: Scalar, kind: Kind): Expr {
  return make("constant", kind, [], -1, null, convertScalar(value, kind));
}

/** The row-major index of the element in the iteration shape, an `i64`. */
export function linearIndex(): Expr {
  return make("index", "i64");
}

/** `a` where `condition` holds, else `b`. */
export function where(condition: Expr, a: RealOperand, b: RealOperand): Expr;
/** The same for complex values. */
export function where(condition: Expr, a: Operand, b: Operand): Value;
export function where(condition: Expr, a: Operand, b: Operand): Value {
  if (!isReal(a)) return (a as ComplexValue).select(condition, b, false);
  if (!isReal(b)) return (b as ComplexValue).select(condition, a, true);
  const [x, y] = unify(a, b);
  return make("where", x.kind, [condition.to("bool"), x, y]);
}

/** What `where` asks of a complex value; see `complex.ts`, which this module cannot import. */
interface ComplexValue extends Value {
  select(condition: Expr, other: Operand, swapped: boolean): Value;
}

function isReal(x: Operand): x is RealOperand {
  return typeof x !== "object" || x instanceof Expr;
}

/** The kind that a plain value takes beside an operand of kind `beside`. */
function kindBeside(value: Scalar, beside: Kind): Kind {
  const own: Kind = typeof value === "boolean"
    ? "bool"
    : typeof value === "bigint" || Number.isSafeInteger(value)
    ? "i64"
    : "f32";
  return promoteKinds(own, beside);
}

/** Two operands of one kind. */
function unify(a: RealOperand, b: RealOperand): [Expr, Expr] {
  const left = a instanceof Expr ? a : constant(a, kindBeside(a, b instanceof Expr ? b.kind : "bool"));
  const right = b instanceof Expr ? b : constant(b, kindBeside(b, left.kind));
  const kind = promoteKinds(left.kind, right.kind);
  return [left.to(kind), right.to(kind)];
}

function cast(x: Expr, kind: Kind): Expr {
  if (x.kind === kind) return x;
  if (x.op === "constant") return constant(x.value!, kind);
  // A conversion that lost nothing is undone or joined with the next one.
  if (x.op === "cast") {
    const from = x.args[0];
    const exact = from.kind === "bool" || (from.kind === "f32" && x.kind === "f64");
    if (exact) return cast(from, kind);
  }
  return make("cast", kind, [x]);
}

/** The kind that a primitive computes in, given its operands' kind. */
function operandKind(name: PrimitiveName, kind: Kind): Kind {
  const { accepts } = PRIMITIVES[name];
  if (accepts.length === 1 && accepts[0] === "bool") return "bool";
  // A primitive of signed integers alone does not take unsigned ones as floats: it would round them.
  const signed = kind === "u64" && accepts.includes("i64") && !accepts.includes("u64");
  for (const k of accepts) if (KIND_RANK[k] >= KIND_RANK[kind] && !signed) return k;
  throw new DTypeError(`${name}(): not defined for ${isFloat(kind) ? "floating" : "integer"} values: ${kind}`);
}

/** Applies a primitive to one operand. */
export function unary(name: UnaryName, x: Expr): Expr {
  const kind = operandKind(name, x.kind);
  return make(name, PRIMITIVES[name].result ?? kind, [x.to(kind)]);
}

/** Applies a primitive to two operands. */
export function binary(name: BinaryName, a: Expr, b: RealOperand): Expr {
  const [x, y] = unify(a, b);
  const kind = operandKind(name, x.kind);
  return make(name, PRIMITIVES[name].result ?? kind, [x.to(kind), y.to(kind)]);
}

for (const name of UNARY) {
  Object.defineProperty(Expr.prototype, name, {
    value: function (this: Expr): Expr {
      return unary(name, this);
    },
  });
}
for (const name of BINARY) {
  Object.defineProperty(Expr.prototype, name, {
    value: function (this: Expr, other: Operand): Value {
      return isReal(other) ? binary(name, this, other) : other.lift(this)[name](other);
    },
  });
}
