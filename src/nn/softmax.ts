/**
 * Softmax functions of `nn.functional`, whose dimension may be left out and is then chosen by PyTorch's deprecated
 * rule.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { warn } from "../base/warnings.ts";
import { type Fn, fn } from "../ops/core/op.ts";
import { randLike } from "../ops/create/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The parameters of {@linkcode softmax}, {@linkcode logSoftmax} and {@linkcode softmin}. */
export class FunctionalSoftmaxArgs {
  constructor(
    /** The dimension along which the values sum to 1; `null`: dimension 0 of 0-, 1- or 3-dimensional input, else 1. */
    public dim: number | null = null,
    /** Accepted for PyTorch's sake. */
    public _stacklevel = 3,
    /** The dtype that the input is converted to first; `null`: its own. */
    public dtype: DType | null = null,
  ) {}
}

/** PyTorch's deprecated default of `dim`: 0 for input of 0, 1 or 3 dimensions, else 1. Warns. */
function implicitDim(op: string, input: Tensor): number {
  const dim = input.ndim === 0 || input.ndim === 1 || input.ndim === 3 ? 0 : 1;
  warn(`${op}(): no dim is given, so dimension ${dim} of ${input.ndim} is taken, by an old rule; give dim, often -1`);
  return dim;
}

/** Softmax: `e^x / Σ e^x` along a dimension. */
export const softmax: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "softmax",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => input.softmax(dim ?? implicitDim("softmax", input), { dtype }),
);

/** Log-softmax: the logarithm of softmax, computed without overflow. */
export const logSoftmax: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "logSoftmax",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => input.logSoftmax(dim ?? implicitDim("logSoftmax", input), { dtype }),
);

/** Softmin: softmax of `-x`. */
export const softmin: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "softmin",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => scope(() => input.neg().softmax(dim ?? implicitDim("softmin", input), { dtype })),
);

/** The parameters of {@linkcode gumbelSoftmax}. */
export class GumbelSoftmaxArgs {
  constructor(
    /** The temperature; small values make draws nearly one-hot. */
    public tau = 1,
    /** Whether the result is one-hot, with the gradient of the soft sample (straight-through). */
    public hard = false,
    /** Ignored, as in PyTorch. */
    public eps = 1e-10,
    /** The dimension along which the values sum to 1. */
    public dim: number = -1,
  ) {}
}

/**
 * Gumbel-softmax: a differentiable sample from the categorical distribution of logits.
 *
 * @see https://arxiv.org/abs/1611.01144
 */
export const gumbelSoftmax: Fn<typeof GumbelSoftmaxArgs> = fn("gumbelSoftmax", GumbelSoftmaxArgs, (logits, o) => {
  const { tau, hard, dim } = o;
  if (!(tau > 0)) throw new ArgumentError(`gumbelSoftmax(): tau must be positive: ${describe(tau)}`);
  return scope(() => {
    // Gumbel noise is -log of an exponential variate; `1 - u` keeps the logarithm finite.
    const gumbels = randLike(logits.detach()).neg().add(1).log().neg().log().neg();
    const soft = logits.add(gumbels).div(tau).softmax(dim);
    if (!hard) return soft;
    const index = soft.detach().argmax(dim, true);
    const oneHot = soft.detach().zerosLike().scatter(dim, index, 1);
    return oneHot.sub(soft.detach()).add(soft);
  });
});
