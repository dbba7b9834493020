/**
 * Pointwise functions of two or three operands, tensors or numbers.
 *
 * @module
 */

import type { Args } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { ScalarLike } from "../base/scalar.ts";
import type { Value } from "../expr/expr.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Context, pointwise, type PointwiseFunction } from "./define.ts";

/** A function of two operands, at least one of them a tensor. */
export type BinaryOp<O = Record<never, never>> = (
  input: Tensor | ScalarLike,
  ...args: Args<{ other: Tensor | ScalarLike; out?: Tensor } & O, ["other"]>
) => Tensor;

/** `input + alpha * other`. */
export const add: BinaryOp<{ alpha?: ScalarLike }> & PointwiseFunction = pointwise<BinaryOp<{ alpha?: ScalarLike }>>({
  name: "add",
  operands: ["input", "other"],
  positional: ["other"],
  numbers: { alpha: 1 },
  expr: (x: Value, y: Value, { numbers }: Context) => x.add(y.mul(numbers.alpha)),
});

/** `input * other`. */
export const mul: BinaryOp & PointwiseFunction = pointwise<BinaryOp>({
  name: "mul",
  operands: ["input", "other"],
  expr: (x: Value, y: Value) => x.mul(y),
});
