/**
 * Simplification: rules applied to every node as it is built.
 *
 * A rule gives an equal, simpler expression. Floating rules keep every value, NaN and infinity included, except for the
 * sign of a zero (`x + 0` is `x`); that is why `x · 0` stays for floats. Operands of commutative operations are
 * ordered, constants last, so that `a·b` and `b·a` are one node. Derivatives are built through the same constructors,
 * which is what makes them as short as hand-written ones.
 *
 * @module
 */

import { applyPrimitive, wrapInteger } from "./evaluate.ts";
import { constant, type Expr, make, type Op } from "./expr.ts";
import { nodesOf, substitute } from "./graph.ts";
import { isFloat, type Kind } from "./kind.ts";
import type { DType } from "../base/dtype.ts";

type Rule = (a: Expr, b: Expr, c: Expr) => Expr | null;

const COMMUTATIVE: ReadonlySet<Op> = new Set<Op>([
  "add",
  "mul",
  "eq",
  "ne",
  "hypot",
  "gcd",
  "logicalAnd",
  "logicalOr",
  "logicalXor",
  "bitwiseAnd",
  "bitwiseOr",
  "bitwiseXor",
]);

/** An equal, simpler expression for a node about to be made, or `null`. */
export function simplify(op: Op, kind: Kind, args: readonly Expr[], dtype: DType | null): Expr | null {
  if (args.length === 0 || op === "cast") return null;
  if (op === "wrap") {
    if (args[0].op !== "constant") return null;
    return constant(wrapInteger(args[0].value as bigint, dtype!), kind);
  }
  if (op !== "where" && args.every((a) => a.op === "constant")) {
    return constant(applyPrimitive(op as never, args[0].kind, args[0].value!, args[1]?.value ?? 0), kind);
  }
  if (COMMUTATIVE.has(op) && misplaced(args[0], args[1])) return make(op, kind, [args[1], args[0]]);
  return RULES[op]?.(args[0], args[1], args[2]) ?? null;
}

/** Whether two operands of a commutative operation are to be swapped. */
function misplaced(a: Expr, b: Expr): boolean {
  const constants = Number(a.op === "constant") - Number(b.op === "constant");
  return constants !== 0 ? constants > 0 : a.id > b.id;
}

/** Whether multiplying by a constant only changes the exponent. */
function isPowerOfTwo(e: Expr): boolean {
  if (e.op !== "constant" || typeof e.value !== "number") return false;
  return Math.abs(e.value) > 2 ** -64 && Math.abs(e.value) < 2 ** 64 && Number.isInteger(Math.log2(Math.abs(e.value)));
}

/** A value that was converted from an integer: finite, and of integral value. */
function isIntegral(e: Expr): boolean {
  return e.op === "cast" && !isFloat(e.args[0].kind);
}

const integral: Rule = (a) => isIntegral(a) ? a : null;

const RULES: { readonly [K in Op]?: Rule } = {
  neg: (a) => a.op === "neg" ? a.args[0] : null,
  abs: (a) => a.op === "abs" ? a : a.op === "neg" ? a.args[0].abs() : null,
  floor: integral,
  ceil: integral,
  round: integral,
  trunc: integral,
  isnan: (a) => isIntegral(a) ? constant(false, "bool") : null,
  isinf: (a) => isIntegral(a) ? constant(false, "bool") : null,
  isfinite: (a) => isIntegral(a) ? constant(true, "bool") : null,
  logicalNot: (a) => a.op === "logicalNot" ? a.args[0] : null,
  bitwiseNot: (a) => a.op === "bitwiseNot" ? a.args[0] : null,
  add: (a, b) => {
    if (b.is(0)) return a;
    if (a === b) return a.mul(2);
    if (b.op === "neg") return a.sub(b.args[0]);
    if (a.op === "neg") return b.sub(a.args[0]);
    return joinBranches(a, b);
  },
  sub: (a, b) => {
    if (b.is(0)) return a;
    if (b.op === "neg") return a.add(b.args[0]);
    if (isFloat(a.kind)) return null;
    return a === b ? constant(0, a.kind) : a.is(0) ? b.neg() : null;
  },
  mul: (a, b) => {
    if (b.is(1)) return a;
    if (b.is(-1)) return a.neg();
    if (b.is(0) && !isFloat(a.kind)) return b;
    if (a.op === "neg") return b.op === "constant" ? a.args[0].mul(b.neg()) : negated(a.args[0], b);
    if (b.op === "neg") return negated(b.args[0], a);
    if (a.op === "mul" && b.op === "constant" && a.args[1].op === "constant") {
      return isPowerOfTwo(b) || isPowerOfTwo(a.args[1]) ? a.args[0].mul(a.args[1].mul(b)) : null;
    }
    return null;
  },
  div: (a, b) => {
    if (b.is(1)) return a;
    if (isPowerOfTwo(b)) return a.mul(1 / (b.value as number));
    return a.op === "neg" && b.op === "neg" ? a.args[0].div(b.args[0]) : null;
  },
  pow: (a, b) => b.op === "constant" ? constantPower(a, Number(b.value)) : null,
  min: (a, b) => a === b ? a : null,
  max: (a, b) => a === b ? a : null,
  logicalAnd: (a, b) => b.is(1) || a === b ? a : b.is(0) ? b : null,
  logicalOr: (a, b) => b.is(0) || a === b ? a : b.is(1) ? b : null,
  logicalXor: (a, b) => b.is(0) ? a : b.is(1) ? a.logicalNot() : null,
  where: (condition, a, b) => {
    if (condition.op === "constant") return condition.value ? a : b;
    if (a === b) return a;
    if (condition.op === "logicalNot") return condition.args[0].where(b, a);
    if (a.op === "where" && a.args[0] === condition) return condition.where(a.args[1], b);
    if (b.op === "where" && b.args[0] === condition) return condition.where(a, b.args[2]);
    if (a.kind === "bool" && a.op === "constant" && b.op === "constant") {
      return a.value ? condition : condition.logicalNot();
    }
    return null;
  },
};

/** `-(a·b)` for `(-a)·b`, unless both are negated. */
function negated(a: Expr, b: Expr): Expr {
  return b.op === "neg" ? a.mul(b.args[0]) : a.mul(b).neg();
}

/** `where(c, a, 0) + where(c, 0, b)` is `where(c, a, b)`: how the branches of a `where` meet again in a gradient. */
function joinBranches(a: Expr, b: Expr): Expr | null {
  if (a.op !== "where" || b.op !== "where" || a.args[0] !== b.args[0]) return null;
  const zeros = (i: number): boolean => a.args[i].is(0) || b.args[i].is(0);
  return zeros(1) && zeros(2) ? a.args[0].where(a.args[1].add(b.args[1]), a.args[2].add(b.args[2])) : null;
}

/** Powers that are something else; the square root is PyTorch's own choice for 0.5. */
function constantPower(x: Expr, exponent: number): Expr | null {
  if (exponent === 0) return constant(1, x.kind);
  if (exponent === 1) return x;
  if (exponent === 2) return x.mul(x);
  if (!isFloat(x.kind)) return null;
  if (exponent === 0.5) return x.sqrt();
  if (exponent === -0.5) return x.rsqrt();
  return exponent === -1 ? x.reciprocal() : null;
}

/**
 * Replaces powers with small constant exponents by products.
 *
 * Printers do this last: differentiating `x³` as a power gives `3x²`, as a product three terms.
 */
export function expandPowers(exprs: readonly Expr[]): Expr[] {
  const products = new Map<Expr, Expr>();
  for (const e of nodesOf(exprs)) {
    if (e.op !== "pow" || e.args[1].op !== "constant") continue;
    const [x] = substitute([e.args[0]], products);
    const square = x.mul(x);
    const exponent = Number(e.args[1].value);
    if (exponent === 3) products.set(e, square.mul(x));
    if (exponent === 4) products.set(e, square.mul(square));
    if (exponent === -2) products.set(e, square.reciprocal());
  }
  return products.size === 0 ? [...exprs] : substitute(exprs, products);
}
