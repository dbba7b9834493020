/**
 * Questions about and rewrites of whole expression graphs.
 *
 * All of them walk iteratively in the order of ids (operands have lower ids than their users), so graphs of any depth
 * are fine.
 *
 * @module
 */

import { type Expr, input, make, type PartialDerivative, scalar, withDerivative } from "./expr.ts";

/** Every node below `roots`, each once, operands before their users. */
export function nodesOf(roots: readonly Expr[]): Expr[] {
  const seen = new Set<Expr>();
  const stack = [...roots];
  for (let e = stack.pop(); e !== undefined; e = stack.pop()) {
    if (seen.has(e)) continue;
    seen.add(e);
    stack.push(...e.args);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The operands that expressions read. */
export interface Operands {
  /** The input nodes, in the order of their indices. */
  readonly inputs: readonly Expr[];
  /** The scalar nodes, in the order of their indices. */
  readonly scalars: readonly Expr[];
  /** Whether the element's index is read. */
  readonly index: boolean;
}

/** Which inputs and scalars expressions read. */
export function operandsOf(exprs: readonly Expr[]): Operands {
  const nodes = nodesOf(exprs);
  const pick = (op: string): Expr[] => nodes.filter((e) => e.op === op).sort((a, b) => a.index - b.index);
  return { inputs: pick("input"), scalars: pick("scalar"), index: nodes.some((e) => e.op === "index") };
}

/**
 * The expressions with nodes replaced: whole subexpressions, not only inputs, so that an output which was saved can
 * stand for its formula.
 */
export function substitute(exprs: readonly Expr[], replacements: ReadonlyMap<Expr, Expr>): Expr[] {
  const made = new Map<Expr, Expr>(replacements);
  // Nodes below a replaced one are visited only where something else needs them.
  const seen = new Set<Expr>();
  const stack = [...exprs];
  for (let e = stack.pop(); e !== undefined; e = stack.pop()) {
    if (seen.has(e) || replacements.has(e)) continue;
    seen.add(e);
    stack.push(...e.args, ...statedNodes(e.derivative ?? []));
  }
  const order = [...seen].sort((a, b) => a.id - b.id);
  for (const e of order) {
    const args = e.args.map((a) => made.get(a)!);
    made.set(e, args.every((a, i) => a === e.args[i]) ? e : rebuild(e, args));
  }
  for (const e of order) {
    const rewritten = made.get(e)!;
    if (e.derivative === null || rewritten === e) continue;
    const partials = e.derivative.map(({ by, is }) => ({
      by: made.get(by)!,
      is: typeof is === "function" ? () => substitute([is()], replacements)[0] : made.get(is)!,
    }));
    // A derivative that came to read more than its value does could not be renumbered with it.
    const read = new Set(operandsOf([rewritten]).inputs);
    const all = operandsOf(statedNodes(partials)).inputs;
    if (all.every((input) => read.has(input))) withDerivative(rewritten, partials);
  }
  return exprs.map((e) => made.get(e)!);
}

/** The nodes of a stated derivative, which is rewritten with its value; what is made later is rewritten then. */
function statedNodes(partials: readonly PartialDerivative[]): Expr[] {
  return partials.flatMap(({ by, is }) => typeof is === "function" ? [by] : [by, is]);
}

/** The node over other operands, simplified as if built by hand. */
export function rebuild(e: Expr, args: readonly Expr[]): Expr {
  if (e.op === "cast") return args[0].to(e.kind);
  return make(e.op, e.kind, args, e.index, e.dtype, e.value);
}

/** The expressions with inputs and scalars numbered anew; a function that gives `undefined` leaves the number. */
export function renumber(
  exprs: readonly Expr[],
  inputs: (index: number) => number | undefined,
  scalars: (index: number) => number | undefined = () => undefined,
): Expr[] {
  const used = operandsOf(exprs);
  const map = new Map<Expr, Expr>();
  for (const e of used.inputs) map.set(e, input(inputs(e.index) ?? e.index, e.dtype!));
  for (const e of used.scalars) map.set(e, scalar(scalars(e.index) ?? e.index, e.kind));
  return substitute(exprs, map);
}
