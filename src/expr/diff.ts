/**
 * Reverse-mode differentiation of expressions.
 *
 * `vjp` walks the graph once from the outputs down and builds the gradients as expressions, so gradients of gradients
 * are more of the same. A gradient that is masked (`where(c, g, 0)`) stays masked through every rule, instead of
 * multiplying: the branch that was not taken cannot turn the zero into NaN.
 *
 * @module
 */

import { constant, type Expr, where } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { isFloat } from "./kind.ts";
import { BINARY_TABLE, type BinaryName, UNARY_TABLE, type UnaryName } from "./primitives.ts";

/**
 * The gradients of `Σ outputs · cotangents` by the expressions in `wrt`.
 *
 * @param outputs floating expressions
 * @param cotangents the gradient of each output, of its kind; `null` where it is zero
 * @param wrt what to differentiate by: inputs, scalars, or any subexpression of the outputs
 * @returns one expression per entry of `wrt`, of its kind; the constant 0 where nothing depends on it
 * @throws {DTypeError} if the way leads through a primitive without a derivative
 */
export function vjp(
  outputs: readonly Expr[],
  cotangents: readonly (Expr | null)[],
  wrt: readonly Expr[],
): Expr[] {
  const nodes = reachable(outputs);
  const active = new Set<Expr>(wrt);
  for (const e of nodes) if (isFloat(e.kind) && e.args.some((a) => active.has(a))) active.add(e);

  const gradients = new Map<Expr, Expr>();
  const accumulate = (e: Expr, g: Expr | null): void => {
    if (g === null || g.is(0)) return;
    const sum = gradients.get(e);
    gradients.set(e, sum === undefined ? g : sum.add(g));
  };
  outputs.forEach((e, i) => accumulate(e, cotangents[i]));
  // Users have higher ids than their operands, so a node's gradient is complete when its turn comes.
  for (let i = nodes.length - 1; i >= 0; i--) {
    const e = nodes[i];
    const g = gradients.get(e);
    if (g === undefined || !active.has(e)) continue;
    const operands = operandsWithGradient(e);
    pull(e, g, (arg) => active.has(arg)).forEach((part, k) => accumulate(operands[k], part));
  }
  return wrt.map((e) => gradients.get(e) ?? constant(0, isFloat(e.kind) ? e.kind : "f32"));
}

/** What a node's gradient flows to: its operands, or what its stated derivative is by. */
function operandsWithGradient(e: Expr): readonly Expr[] {
  return e.derivative === null ? e.args : e.derivative.map((partial) => partial.by);
}

/** The nodes below `roots`, operands first, with what stated derivatives are by. */
function reachable(roots: readonly Expr[]): Expr[] {
  const nodes = nodesOf(roots);
  const stated = nodes.flatMap((e) => e.derivative?.map((partial) => partial.by) ?? []);
  return stated.length === 0 ? nodes : nodesOf([...roots, ...stated]);
}

/** The gradients of {@linkcode operandsWithGradient}, `null` where they are zero or not wanted. */
function pull(e: Expr, g: Expr, wanted: (arg: Expr) => boolean): (Expr | null)[] {
  if (g.op === "where" && (g.args[1].is(0) || g.args[2].is(0))) {
    const [condition, a, b] = g.args;
    const inner = pull(e, b.is(0) ? a : b, wanted);
    return inner.map((part) => part && (b.is(0) ? where(condition, part, 0) : where(condition, 0, part)));
  }
  if (e.derivative !== null) {
    return e.derivative.map(({ by, is }) => wanted(by) ? chain(g, typeof is === "function" ? is() : is) : null);
  }
  switch (e.op) {
    case "input":
    case "scalar":
    case "constant":
    case "index":
    case "wrap":
      return [];
    case "cast":
      return [isFloat(e.args[0].kind) ? g.to(e.args[0].kind) : null];
    case "where":
      return [null, where(e.args[0], g, 0), where(e.args[0], 0, g)];
  }
  const [a, b] = e.args;
  if (b === undefined) {
    const { grad } = UNARY_TABLE[e.op as UnaryName];
    return [grad === null || !wanted(a) ? null : grad(g, e, a)];
  }
  const parts = BINARY_TABLE[e.op as BinaryName].grad?.(g, e, a, b);
  return parts === undefined ? [null, null] : [wanted(a) ? parts[0]() : null, wanted(b) ? parts[1]() : null];
}

/** `g · partial`, a masked partial masking `g` instead of multiplying it by 0 and 1. */
function chain(g: Expr, partial: Expr): Expr {
  if (partial.is(0) || partial.is(1)) return partial.is(1) ? g : partial;
  if (partial.op !== "where") return g.mul(partial);
  const [condition, a, b] = partial.args;
  return where(condition, chain(g, a), chain(g, b));
}
