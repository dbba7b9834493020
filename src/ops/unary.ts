/**
 * Pointwise functions of one tensor: each entry is its formula.
 *
 * @module
 */

import type { Value } from "../expr/expr.ts";
import { pointwise, type PointwiseFunction, type UnaryOp } from "./define.ts";

/** e^x. */
export const exp: UnaryOp & PointwiseFunction = pointwise<UnaryOp>({
  name: "exp",
  compute: "float",
  expr: (x: Value) => x.exp(),
});

/** Whether each element is NaN. */
export const isnan: UnaryOp & PointwiseFunction = pointwise<UnaryOp>({ name: "isnan", expr: (x: Value) => x.isnan() });
