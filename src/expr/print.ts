/**
 * What the source printers share: a graph as a list of declarations, one per node.
 *
 * A target says how it writes each kind of node; the table of primitives has the text of the rest. Every value gets a
 * name, so the texts may use an operand twice.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import type { Expr } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { isFloat, type Kind } from "./kind.ts";
import { type PrimitiveName, PRIMITIVES, type Template } from "./primitives.ts";

/** How a target writes nodes. */
export interface Target {
  /** A declaration of `name` with the value `text`. */
  readonly declare: (kind: Kind, name: string, text: string) => string;
  /** The table's column for the target. */
  readonly column: (row: { readonly cuda: Template; readonly wgsl: Template }) => Template;
  /** A primitive's text with the target's own marks filled in; `kind` is that of the operands. */
  readonly fill: (text: string, kind: Kind, args: readonly Expr[]) => string;
  /** An element of an input. */
  readonly input: (e: Expr) => string;
  /** A run-time scalar. */
  readonly scalar: (e: Expr) => string;
  /** A constant. */
  readonly literal: (e: Expr) => string;
  /** The element's index. */
  readonly index: () => string;
  /** A conversion to `e.kind`. */
  readonly cast: (e: Expr, from: Kind, text: string) => string;
  /** An integer wrapped to a narrower dtype. */
  readonly wrap: (dtype: DType, text: string) => string;
  /** A selection. */
  readonly where: (condition: string, a: string, b: string) => string;
}

/** Prints the nodes below `outputs` as declarations; `names` are those of the outputs. */
export function printBody(outputs: readonly Expr[], target: Target): { statements: string[]; names: string[] } {
  const name = new Map<Expr, string>();
  const statements = nodesOf(outputs).map((e, i) => {
    name.set(e, `v${i}`);
    return target.declare(e.kind, `v${i}`, text(e, e.args.map((a) => name.get(a)!), target));
  });
  return { statements, names: outputs.map((e) => name.get(e)!) };
}

function text(e: Expr, args: readonly string[], target: Target): string {
  switch (e.op) {
    case "input":
      return target.input(e);
    case "scalar":
      return target.scalar(e);
    case "constant":
      return target.literal(e);
    case "index":
      return target.index();
    case "cast":
      return target.cast(e, e.args[0].kind, args[0]);
    case "wrap":
      return target.wrap(e.dtype!, args[0]);
    case "where":
      return target.where(args[0], args[1], args[2]);
    default: {
      const kind = e.args[0].kind;
      const filled = target.fill(template(e.op, kind, target), kind, e.args);
      return filled.replaceAll("$a", args[0]).replaceAll("$b", args[1]);
    }
  }
}

function template(name: PrimitiveName, kind: Kind, target: Target): string {
  const column = target.column(PRIMITIVES[name]);
  if (typeof column === "string") return column;
  const chosen = isFloat(kind)
    ? column.float
    : kind === "bool"
    ? column.bool
    : (kind === "u64" ? column.uint : null) ?? column.int;
  if (chosen === undefined) throw new Error(`print(): the table has no text for a primitive: ${name} of ${kind}`);
  return chosen;
}

/**
 * The helper functions that `source` names and those that they name, in an order in which each comes after what it
 * uses.
 */
export function helpersOf(source: string, helpers: Readonly<Record<string, string>>): string {
  const taken: string[] = [];
  const visiting = new Set<string>();
  const take = (text: string): void => {
    for (const [name] of text.matchAll(/\bcr[A-Z]\w*/g)) {
      if (visiting.has(name) || !(name in helpers)) continue;
      visiting.add(name);
      take(helpers[name]);
      taken.push(helpers[name]);
    }
  };
  take(source);
  return taken.map((text) => text + "\n").join("");
}
