/**
 * What losses are made of: one expression per element, reduced in the same kernel.
 *
 * A loss with `"mean"` or `"sum"` is one map-reduce and its gradient one map; no tensor of the elements' losses exists.
 * The mean's factor is applied per element, so half precision does not overflow in the sum.
 *
 * @module
 */

import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { broadcastShapes, numelOf, sameShape } from "../base/shape.ts";
import type { Expr } from "../expr/expr.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { expression } from "./expression.ts";

/** How the losses of the elements become the result. */
export type Reduction = "none" | "mean" | "sum";

/** PyTorch's old spelling of a reduction. */
export interface LegacyReduction {
  /** Deprecated: `false` means `"sum"`. */
  sizeAverage?: boolean | null;
  /** Deprecated: `false` means `"none"`. */
  reduce?: boolean | null;
}

/** Names of {@linkcode LegacyReduction}, for signatures. */
export const LEGACY = ["sizeAverage", "reduce"] as const;

/**
 * The reduction that arguments ask for.
 *
 * @throws {ArgumentError} if it is none of the three
 */
export function reductionOf(op: string, o: LegacyReduction & { reduction?: string }): Reduction {
  if (typeof o.sizeAverage === "boolean" || typeof o.reduce === "boolean") {
    if (o.reduce === false) return "none";
    return o.sizeAverage === false ? "sum" : "mean";
  }
  const reduction = o.reduction ?? "mean";
  if (reduction !== "none" && reduction !== "mean" && reduction !== "sum") {
    throw new ArgumentError(
      `${op}(): ${describe(reduction)} is not a valid value for reduction; use none, mean or sum`,
    );
  }
  return reduction;
}

/** Reduces losses that were computed element by element. */
export function reduceLoss(loss: Tensor, reduction: Reduction): Tensor {
  return reduction === "none" ? loss : reduction === "mean" ? loss.mean() : loss.sum();
}

/** Throws unless two shapes are equal. */
export function checkSameShape(op: string, target: Tensor, input: Tensor): void {
  if (!sameShape(target.shape, input.shape)) {
    throw new ShapeError(
      `${op}(): target and input must have the same shape: ${show(target.shape)} != ${show(input.shape)}`,
    );
  }
}

/** Throws unless every value is a tensor. */
export function checkTensors(op: string, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    checkTensor(op, name, value);
  }
}

/** A loss from tensors (broadcast; `null` where not given), numbers and a reduction. */
export type LossFunction = (
  tensors: readonly (Tensor | null)[],
  numbers: readonly number[],
  reduction: Reduction,
) => Tensor;

/**
 * Defines a loss by the expression of one element.
 *
 * @param op its name in camelCase
 * @param build the expression, given the tensors' elements (`null` where not given) and the numbers
 */
export function elementLoss(
  op: string,
  build: (elements: (Expr | null)[], numbers: Expr[]) => Expr,
): LossFunction {
  const plain = expression(op, build);
  const scaled = expression(op, (elements, numbers) => {
    const factor = numbers[numbers.length - 1];
    return build(elements, numbers.slice(0, -1)).mul(factor);
  });
  return (tensors, numbers, reduction) => {
    if (reduction === "none") return plain(tensors, numbers);
    if (reduction === "sum") return plain(tensors, numbers, { sumTo: [] });
    const shapes = tensors.filter((t) => t !== null).map((t) => t.shape);
    const count = numelOf(broadcastShapes(op, ...shapes));
    const mean = scaled(tensors, [...numbers, 1 / count], { sumTo: [] });
    // The mean of nothing is not 0 but undefined.
    return count === 0 ? mean.mul(NaN) : mean;
  };
}
