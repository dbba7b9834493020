/**
 * The reference evaluator: what an expression means, in plain JavaScript.
 *
 * It folds constants and is what every target is tested against; nothing runs tensors through it.
 *
 * @module
 */

import { type DType, isUnsigned } from "../base/dtype.ts";
import type { Expr } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { convertScalar, isFloat, type Kind, type Scalar } from "./kind.ts";
import { type PrimitiveName, PRIMITIVES } from "./primitives.ts";

/** The value of a primitive over operands of one kind. */
export function applyPrimitive(name: PrimitiveName, operands: Kind, a: Scalar, b: Scalar = 0): Scalar {
  const { value, result } = PRIMITIVES[name];
  const out = isFloat(operands)
    ? value.float!(Number(a), Number(b), operands === "f32")
    : value.int!(BigInt(a), BigInt(b));
  // Booleans computed as integers keep their lowest bit: ~1 is false.
  const kind = result ?? operands;
  return kind === "bool" && typeof out === "bigint" ? (out & 1n) === 1n : convertScalar(out, kind);
}

/** What an expression reads while it is evaluated. */
export interface Environment {
  /** The element of each input, as its kind holds it. */
  readonly inputs?: readonly Scalar[];
  /** The run-time scalars. */
  readonly scalars?: readonly Scalar[];
  /** The element's index. */
  readonly index?: number;
}

/** The values of expressions for one element. */
export function evaluate(exprs: readonly Expr[], env: Environment): Scalar[] {
  const values = new Map<Expr, Scalar>();
  for (const e of nodesOf(exprs)) values.set(e, valueOf(e, e.args.map((a) => values.get(a)!), env));
  return exprs.map((e) => values.get(e)!);
}

function valueOf(e: Expr, args: readonly Scalar[], env: Environment): Scalar {
  switch (e.op) {
    case "input":
      return convertScalar(env.inputs![e.index], e.kind);
    case "scalar":
      return convertScalar(env.scalars![e.index], e.kind);
    case "constant":
      return e.value!;
    case "index":
      return BigInt(env.index ?? 0);
    case "cast":
      return convertScalar(args[0], e.kind);
    case "wrap":
      return wrapInteger(args[0] as bigint, e.dtype!);
    case "where":
      return args[0] ? args[1] : args[2];
    default:
      return applyPrimitive(e.op, e.args[0].kind, args[0], args[1]);
  }
}

/** An integer wrapped to an integer dtype. */
export function wrapInteger(value: bigint, dtype: DType): bigint {
  const bits = dtype.itemsize * 8;
  return isUnsigned(dtype) ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
}
