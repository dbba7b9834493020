/**
 * Softmax as `nn.functional` spells it: the dimension may be missing, and is then chosen by PyTorch's old rule.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { randLike } from "../ops/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The parameters of {@linkcode softmax}, {@linkcode logSoftmax} and {@linkcode softmin}. */
export interface FunctionalSoftmaxArgs {
  /** The dimension that sums to 1. */
  dim?: number | null;
  /** Converts the input first. */
  dtype?: DType | null;
  /** Accepted for compatibility. */
  _stacklevel?: number;
}
/** The options of softmax layers. */
export type Parameters = ["dim", "_stacklevel", "dtype"];
const softmaxArgs = signature<FunctionalSoftmaxArgs>("softmax", ["dim", "_stacklevel", "dtype"]);

/** Dimension 0 of 0, 1 or 3 dimensions, else 1. */
function implicitDim(input: Tensor): number {
  return input.ndim === 0 || input.ndim === 1 || input.ndim === 3 ? 0 : 1;
}

/** `e^x / Σ e^x` along a dimension. */
export function softmax(input: Tensor, ...args: Args<FunctionalSoftmaxArgs, Parameters>): Tensor {
  const { dim, dtype } = softmaxArgs(args);
  return input.softmax(dim ?? implicitDim(input), dtype);
}

/** The logarithm of softmax. */
export function logSoftmax(input: Tensor, ...args: Args<FunctionalSoftmaxArgs, Parameters>): Tensor {
  const { dim, dtype } = softmaxArgs(args);
  return input.logSoftmax(dim ?? implicitDim(input), dtype);
}

/** Softmax of `-x`. */
export function softmin(input: Tensor, ...args: Args<FunctionalSoftmaxArgs, Parameters>): Tensor {
  const { dim, dtype } = softmaxArgs(args);
  return scope(() => input.neg().softmax(dim ?? implicitDim(input), dtype));
}

/** The parameters of {@linkcode gumbelSoftmax}. */
export interface GumbelSoftmaxArgs {
  /** Temperature. @default {1} */
  tau?: number;
  /** Whether the result is one-hot, with the gradient of the soft one. @default {false} */
  hard?: boolean;
  /** Ignored, as in PyTorch. */
  eps?: number;
  /** The dimension that sums to 1. @default {-1} */
  dim?: number;
}
const gumbelArgs = signature<GumbelSoftmaxArgs>("gumbelSoftmax", ["tau", "hard", "eps", "dim"]);

/**
 * A differentiable draw from the categorical distribution of logits.
 *
 * @see https://arxiv.org/abs/1611.01144
 */
export function gumbelSoftmax(logits: Tensor, ...args: Args<GumbelSoftmaxArgs, ["tau", "hard", "eps", "dim"]>): Tensor {
  const { tau = 1, hard = false, dim = -1 } = gumbelArgs(args);
  if (!(tau > 0)) throw new ArgumentError(`gumbelSoftmax(): tau must be positive: ${tau}`);
  return scope(() => {
    // -log of an exponential draw; 1 - u keeps the logarithm finite.
    const gumbels = randLike(logits.detach()).neg().add(1).log().neg().log().neg();
    const soft = logits.add(gumbels).div(tau).softmax(dim);
    if (!hard) return soft;
    const index = soft.detach().argmax(dim, true);
    const oneHot = soft.detach().zerosLike().scatter(dim, index, 1);
    return oneHot.sub(soft.detach()).add(soft);
  });
}
