/**
 * Simplification: rules applied as expressions are built.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import type { Expr, Op } from "./expr.ts";
import type { Kind } from "./kind.ts";

/** An equal, simpler expression, or `null`. */
export function simplify(op: Op, _kind: Kind, args: readonly Expr[], _dtype: DType | null): Expr | null {
  switch (op) {
    case "mul":
      if (args[1].is(1)) return args[0];
      if (args[0].is(1)) return args[1];
      return null;
    case "where":
      return args[1] === args[2] ? args[1] : null;
    default:
      return null;
  }
}
