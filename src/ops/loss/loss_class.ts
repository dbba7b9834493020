/**
 * Losses that pick classes: negative log-likelihood, cross entropy, and margins between classes.
 *
 * Classes lie in dimension 1 of the input, or 0 where the input is one example. Targets are int64 class numbers;
 * `crossEntropy` also takes probabilities of the input's shape.
 *
 * @module
 */

import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import {
  checkSameShape,
  LossArgs,
  type LossFn,
  lossFn,
  reduceLoss,
  type Reduction,
  type ReductionList,
  WeightedLossArgs,
} from "./loss_core.ts";
import { constant } from "../../expr/expr.ts";
import { logsigmoid } from "../pointwise/activation.ts";
import { expression } from "../core/expression.ts";
import { gatherFor } from "../index/indexing.ts";
import { arange } from "../create/ranges.ts";
import { checkOperands } from "../core/kernel.ts";

/** The parameters of {@linkcode nllLoss} behind the target, and of its layer. */
export class NLLLossArgs extends WeightedLossArgs {
  constructor(
    weight?: Tensor | null,
    sizeAverage?: boolean | null,
    /** Targets of this number do not count. */
    public ignoreIndex: number = -100,
    reduce?: boolean | null,
    reduction?: Reduction,
  ) {
    super(weight, sizeAverage, reduce, reduction);
  }
}

/** The parameters of {@linkcode crossEntropy} behind the target, and of its layer. */
export class CrossEntropyLossArgs extends NLLLossArgs {
  constructor(
    weight?: Tensor | null,
    sizeAverage?: boolean | null,
    ignoreIndex?: number,
    reduce?: boolean | null,
    reduction?: Reduction,
    /** Share of the target that is spread over all classes. */
    public labelSmoothing = 0,
  ) {
    super(weight, sizeAverage, ignoreIndex, reduce, reduction);
  }
}

function classDim(input: Tensor): 0 | 1 {
  return input.ndim === 1 ? 0 : 1;
}

function checkTarget(op: string, input: Tensor, target: Tensor, weight: Tensor | null): void {
  if (input.ndim === 0) {
    throw new ShapeError(`${op}(): the input must have a dimension of classes: ${show(input.shape)}`);
  }
  checkOperands(op, [input, target]);
  checkOrder(op, input, target);
  const dim = classDim(input);
  const expected = input.shape.toSpliced(dim, 1);
  if (!sameShape(target.shape, expected)) {
    throw new ShapeError(
      `${op}(): the target's shape must be the input's without its classes: expected ${show(expected)}, got ${
        show(target.shape)
      }${
        sameShape(target.shape.filter((n) => n !== 1), expected.filter((n) => n !== 1))
          ? "; remove the dimension of 1 with squeeze()"
          : ""
      }`,
    );
  }
  if (!target.dtype.isInteger) {
    throw new DTypeError(`${op}(): targets must be class numbers of an integer dtype: ${target.dtype}; use .long()`);
  }
  if (weight !== null && (weight.ndim !== 1 || weight.shape[0] !== input.shape[dim])) {
    throw new ShapeError(
      `${op}(): weight must have one value per class: expected ${show([input.shape[dim]])}, got ${show(weight.shape)}`,
    );
  }
}

/** Throws where class numbers stand first and numbers per class second. */
function checkOrder(op: string, input: Tensor, target: Tensor): void {
  if (!input.dtype.isInteger || !target.dtype.isFloatingPoint) return;
  throw new DTypeError(
    `${op}(): input and target are swapped: the input is ${input.dtype} ${show(input.shape)}, the target ` +
      `${target.dtype} ${show(target.shape)}; give the numbers per class first, then the class numbers`,
  );
}

/** Targets, class numbers that are safe to gather with, and the number that does not count. */
interface Targets {
  readonly target: Tensor;
  readonly index: Tensor;
  readonly ignoreIndex: number;
}

function targetsOf(target: Tensor, ignoreIndex: number): Targets {
  return { target, index: target.long().maskedFill(target.eq(ignoreIndex), 0), ignoreIndex };
}

/** Minus the value times the weight, 0 where the target is ignored: there the value may be infinite. */
const picked = expression("nllLoss", ([x, target, weight], [ignore]) => {
  const loss = weight ? x!.mul(weight).neg() : x!.neg();
  return target!.eq(ignore).where(0, loss);
});

/** The weight, 0 where the target is ignored. */
const counted = expression(
  "nllLoss",
  ([target, weight], [ignore]) => target!.eq(ignore).where(0, weight ?? constant(1, ignore.kind)),
);

/** The weight of each target's class. */
function weightsOf({ index }: Targets, weight: Tensor | null): Tensor | null {
  return weight && weight.indexSelect(0, index.reshape(-1)).reshape(index.shape);
}

/** Divides a sum of losses by the sum of the weights that went into it. */
function mean(total: Tensor, { target, ignoreIndex }: Targets, weights: Tensor | null): Tensor {
  return total.div(counted([target, weights], [ignoreIndex], { sumTo: [], dtype: total.dtype }));
}

/** The value of each target's class. */
function gathered(op: string, input: Tensor, { index }: Targets): Tensor {
  const dim = classDim(input);
  return gatherFor(op, input, dim, index.unsqueeze(dim)).squeeze(dim);
}

function nll(op: string, logits: Tensor, targets: Targets, weights: Tensor | null, reduction: Reduction): Tensor {
  const { target, ignoreIndex } = targets;
  const chosen = gathered(op, logits, targets);
  const sumTo = reduction === "none" ? undefined : [];
  const losses = picked([chosen, target, weights], [ignoreIndex], { sumTo, dtype: logits.dtype });
  return reduction === "mean" ? mean(losses, targets, weights) : losses;
}

/**
 * The negative log-likelihood of target classes.
 *
 * Shape: input `(C)`, `(N, C)` or `(N, C, d1, …)`; target without the dimension of classes.
 *
 * @param input logarithms of probabilities; the target has class numbers
 * @throws {ShapeError} if the shapes do not fit
 * @throws {IndexError} if a class number is out of range
 */
export const nllLoss: LossFn<typeof NLLLossArgs> = lossFn(
  { name: "nllLoss", autocast: "float32" },
  NLLLossArgs,
  (input, target, { weight, ignoreIndex }, reduction) => {
    checkTarget("nllLoss", input, target, weight);
    return scope(() => {
      const targets = targetsOf(target, ignoreIndex);
      return nll("nllLoss", input, targets, weightsOf(targets, weight), reduction);
    });
  },
);

/**
 * The cross entropy of logits and targets: `nllLoss` of `logSoftmax`.
 *
 * Shape: input `(C)`, `(N, C)` or `(N, C, d1, …)`; target class numbers without the dimension of classes, or
 * probabilities of the input's shape.
 *
 * @param input logits; the target has class numbers or probabilities
 * @throws {ShapeError} if the shapes do not fit
 * @throws {ArgumentError} if `labelSmoothing` is not between 0 and 1
 * @throws {IndexError} if a class number is out of range
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const logits = torch.tensor([[2, 0, 0], [0, 0, 0]]);
 * const loss = crossEntropy(logits, torch.tensor([0n, 2n]), { reduction: "sum" });
 * assertAlmostEquals(await loss.item(), Math.log(1 + 2 * Math.exp(-2)) + Math.log(3), 1e-6);
 * ```
 */
export const crossEntropy: LossFn<typeof CrossEntropyLossArgs> = lossFn(
  { name: "crossEntropy", autocast: "float32" },
  CrossEntropyLossArgs,
  (input, target, { weight, ignoreIndex, labelSmoothing }, reduction) => {
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
      throw new ArgumentError(`crossEntropy(): labelSmoothing must be between 0 and 1: ${describe(labelSmoothing)}`);
    }
    if (sameShape(input.shape, target.shape) && target.dtype.isFloatingPoint && !input.dtype.isInteger) {
      return scope(() => probabilityEntropy(input, target, weight, reduction, labelSmoothing));
    }
    checkTarget("crossEntropy", input, target, weight);
    return scope(() => {
      const logits = input.logSoftmax(classDim(input));
      const targets = targetsOf(target, ignoreIndex);
      const loss = nll("crossEntropy", logits, targets, weightsOf(targets, weight), reduction);
      return labelSmoothing === 0 ? loss : smoothed(loss, logits, targets, weight, reduction, labelSmoothing);
    });
  },
);

/** A factor per class, shaped to broadcast with the input. */
function perClass(weight: Tensor, input: Tensor): Tensor {
  const shape = input.shape.map((size, d) => d === classDim(input) ? size : 1);
  return weight.to(input.dtype).reshape(shape);
}

function smoothed(
  loss: Tensor,
  logits: Tensor,
  targets: Targets,
  weight: Tensor | null,
  reduction: Reduction,
  smoothing: number,
): Tensor {
  const dim = classDim(logits);
  const all = (weight ? logits.mul(perClass(weight, logits)) : logits).sum(dim).neg();
  let spread = all.maskedFill(targets.target.eq(targets.ignoreIndex), 0);
  if (reduction !== "none") spread = spread.sum();
  if (reduction === "mean") spread = mean(spread, targets, weightsOf(targets, weight));
  return loss.mul(1 - smoothing).add(spread.mul(smoothing / logits.shape[dim]));
}

function probabilityEntropy(
  input: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: Reduction,
  smoothing: number,
): Tensor {
  const dim = classDim(input);
  const classes = input.shape[dim];
  const wanted = smoothing > 0 ? target.mul(1 - smoothing).add(smoothing / classes) : target;
  const product = input.logSoftmax(dim).mul(wanted);
  const weighted = weight ? product.mul(perClass(weight, input)) : product;
  if (reduction === "none") return weighted.sum(dim).neg();
  const total = weighted.sum().neg();
  return reduction === "sum" ? total : total.div(input.numel() / classes);
}

/** The parameters of {@linkcode multiMarginLoss} behind the target, and of its layer. */
export class MultiMarginLossArgs extends WeightedLossArgs {
  constructor(
    /** The exponent, 1 or 2. */
    public p = 1,
    /** The margin. */
    public margin = 1,
    weight?: Tensor | null,
    ...reduction: ReductionList
  ) {
    super(weight, ...reduction);
  }
}

/**
 * The mean over classes of `max(0, margin - input[target] + input[i])^p`, `i` not being the target.
 *
 * @param input `(N, C)` or `(C)`; the target has class numbers, `(N)` or a 0-d tensor
 * @throws {ArgumentError} if `p` is neither 1 nor 2
 */
export const multiMarginLoss: LossFn<typeof MultiMarginLossArgs> = lossFn(
  { name: "multiMarginLoss", autocast: "float32" },
  MultiMarginLossArgs,
  (input, target, { p, margin, weight }, reduction) => {
    if (p !== 1 && p !== 2) throw new ArgumentError(`multiMarginLoss(): only p == 1 and p == 2 supported: ${p}`);
    if (input.ndim > 2 || input.numel() === 0 && input.shape.at(-1) === 0) {
      throw new ShapeError(`multiMarginLoss(): expected a non-empty vector or matrix: ${show(input.shape)}`);
    }
    const single = input.ndim < 2;
    const rows = single ? 1 : input.shape[0];
    if (target.ndim > 1 || target.numel() !== rows) {
      throw new ShapeError(
        `multiMarginLoss(): inconsistent target size: ${show(target.shape)} for ${show(input.shape)}`,
      );
    }
    const classes = input.shape.at(-1) ?? 1;
    if (weight !== null && (weight.ndim > 1 || weight.numel() !== classes)) {
      throw new ShapeError(`multiMarginLoss(): inconsistent weight size: ${show(weight.shape)} for ${classes} classes`);
    }
    return scope(() => {
      const x = input.reshape(rows, classes); // (N, C)
      const index = target.long().reshape(rows, 1); // (N, 1)
      const excess = x.sub(x.gather(1, index)).add(margin);
      const positive = excess.clampMin(0);
      const powered = p === 1 ? positive : positive.mul(positive);
      const factor = weight ? weight.to(x.dtype).indexSelect(0, index.reshape(-1)).unsqueeze(1) : null;
      const weighted = factor ? powered.mul(factor) : powered;
      const others = arange(classes, { device: input.device }).ne(index);
      const losses = weighted.mul(others).sum(1).div(classes);
      return reduceLoss(single && target.ndim === 0 ? losses.reshape([]) : losses, reduction);
    });
  },
);

/**
 * The sum over target classes and other classes of `max(0, 1 - (input[target] - input[other])) / C`.
 *
 * @param input `(N, C)` or `(C)`; the target has class numbers and the same shape, those from the first -1 on do not count
 * @throws {ShapeError} if the shapes differ
 */
export const multilabelMarginLoss: LossFn<typeof LossArgs> = lossFn(
  { name: "multilabelMarginLoss", autocast: "float32" },
  LossArgs,
  (input, target, _, reduction) => {
    if (input.ndim > 2) {
      throw new ShapeError(`multilabelMarginLoss(): expected a vector or a matrix: ${show(input.shape)}`);
    }
    checkSameShape("multilabelMarginLoss", target, input);
    return scope(() => {
      const classes = input.shape.at(-1) ?? 1;
      const x = input.reshape(-1, classes); // (N, C)
      const raw = target.long().reshape(-1, classes);
      const listed = raw.ge(0).to(x.dtype).cumprod(1); // (N, C): 1 before the first -1
      const index = raw.clampMin(0);
      const isTarget = x.detach().zerosLike().scatterAdd(1, index, listed).gt(0);
      const gaps = x.unsqueeze(1).sub(x.gather(1, index).unsqueeze(2)).add(1); // (N, target, other)
      const counted = gaps.clampMin(0).mul(listed.unsqueeze(2)).mul(isTarget.logicalNot().unsqueeze(1));
      const losses = counted.sum([1, 2]).div(classes);
      return reduceLoss(input.ndim < 2 ? losses.reshape([]) : losses, reduction);
    });
  },
);

/**
 * The mean over classes of the binary cross entropy of logits.
 *
 * @param input `(*, C)`; the target has 0 or 1 per class and the same shape
 */
export const multilabelSoftMarginLoss: LossFn<typeof WeightedLossArgs> = lossFn(
  { name: "multilabelSoftMarginLoss", autocast: { gpu: "float32" }, roundsOnce: true },
  WeightedLossArgs,
  (input, target, { weight }, reduction) =>
    scope(() => {
      const hit = target.mul(logsigmoid(input));
      const miss = target.neg().add(1).mul(logsigmoid(input.neg()));
      const losses = hit.add(miss).neg();
      return reduceLoss((weight ? losses.mul(weight) : losses).mean(-1), reduction);
    }),
);
