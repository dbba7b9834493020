/**
 * What losses are made of: one expression per element, reduced in the same kernel.
 *
 * A loss with `"mean"` or `"sum"` is one map-reduce and its gradient one map; no tensor of the elements' losses exists.
 * The mean's factor is applied per element, so half precision does not overflow in the sum.
 *
 * @module
 */

import type { Params } from "../../base/call.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { broadcastShapes, numelOf, sameShape } from "../../base/shape.ts";
import { warn } from "../../base/warnings.ts";
import type { Expr } from "../../expr/expr.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { expression } from "../core/expression.ts";
import { type Fn, fn, type OpSpec } from "../core/op.ts";

/** How the losses of the elements become the result. */
export type Reduction = "none" | "mean" | "sum";

/** The parameters of losses with nothing but a reduction, and of their layers. */
export class LossArgs {
  constructor(
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
  ) {}
}

/** The three parameters of {@linkcode LossArgs}, which most losses have last. */
export type ReductionList = ConstructorParameters<typeof LossArgs>;

/** The parameters of losses with a factor per element or class, and of their layers. */
export class WeightedLossArgs extends LossArgs {
  constructor(
    /** Factor of each element's or class's loss. */
    public weight: Tensor | null = null,
    ...reduction: ReductionList
  ) {
    super(...reduction);
  }
}

/** A parameter list with a target in front. */
export type Targeted<C extends Params> = new (
  target: Tensor,
  ...options: ConstructorParameters<C>
) => InstanceType<C> & { readonly target: Tensor };

/** A loss of an input, a target and the options that `C` declares. */
export type LossFn<C extends Params> = Fn<Targeted<C>>;

/** What a reduction is read from. */
interface Reducible {
  readonly sizeAverage?: boolean | null;
  readonly reduce?: boolean | null;
  readonly reduction: string;
}

/**
 * Defines a loss of an input and a target.
 *
 * @param spec its name and what autocast does
 * @param options the class that declares what stands behind the target; the loss's layer may use it too
 * @param compute the loss, given tensors that were checked and the reduction that the options ask for
 */
export function lossFn<C extends Params>(
  spec: OpSpec,
  options: C,
  compute: (input: Tensor, target: Tensor, options: Readonly<InstanceType<C>>, reduction: Reduction) => Tensor,
): LossFn<C> {
  const params = class extends (options as Params) {
    target: Tensor;
    constructor(target: Tensor, ...rest: unknown[]) {
      super(...rest);
      this.target = target;
    }
  };
  const { name } = spec;
  return fn(spec, params as unknown as Targeted<C>, (input, o) => {
    checkTensor(name, "target", o.target);
    checkOptional(name, o as object);
    return compute(input, o.target, o, reductionOf(name, o as unknown as Reducible));
  });
}

/** Throws unless the factors among the options are tensors or null. */
function checkOptional(op: string, o: { readonly weight?: unknown; readonly posWeight?: unknown }): void {
  if (o.weight !== undefined && o.weight !== null) checkTensor(op, "weight", o.weight);
  if (o.posWeight !== undefined && o.posWeight !== null) checkTensor(op, "posWeight", o.posWeight);
}

/**
 * The reduction that arguments ask for.
 *
 * @throws {ArgumentError} if it is none of the three
 */
export function reductionOf(op: string, o: Reducible): Reduction {
  const { sizeAverage, reduce, reduction } = o;
  if (typeof sizeAverage === "boolean" || typeof reduce === "boolean") {
    if (reduce === false) return "none";
    return sizeAverage === false ? "sum" : "mean";
  }
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
      `${op}(): target and input must have the same shape: ${show(target.shape)} != ${
        show(input.shape)
      }; use reshape() or unsqueeze()`,
    );
  }
}

/** Warns, as PyTorch does, where a loss of elements would broadcast: `[N, 1]` and `[N]` make `[N, N]`. */
export function warnBroadcast(op: string, target: Tensor, input: Tensor): void {
  if (sameShape(target.shape, input.shape)) return;
  warn(
    `${op}(): the target's shape is not the input's, and broadcasting probably gives a wrong loss: ` +
      `${show(target.shape)} and ${show(input.shape)}; make them the same, as with target.reshape(…) or unsqueeze()`,
  );
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
  build: (elements: readonly (Expr | null)[], numbers: readonly Expr[]) => Expr,
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
