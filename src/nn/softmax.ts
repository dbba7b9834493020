/**
 * Softmax as `nn.functional` spells it: the dimension may be missing, and is then chosen by PyTorch's old rule.
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
    /** The dimension that sums to 1; `null`: chosen by PyTorch's old rule. */
    public dim: number | null = null,
    /** Accepted for PyTorch's sake. */
    public _stacklevel = 3,
    /** What the input is converted to first. */
    public dtype: DType | null = null,
  ) {}
}

/** Dimension 0 of 0, 1 or 3 dimensions, else 1; PyTorch warns of it, too. */
function implicitDim(op: string, input: Tensor): number {
  const dim = input.ndim === 0 || input.ndim === 1 || input.ndim === 3 ? 0 : 1;
  warn(`${op}(): no dim is given, so dimension ${dim} of ${input.ndim} is taken, by an old rule; give dim, often -1`);
  return dim;
}

/** `e^x / Σ e^x` along a dimension. */
export const softmax: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "softmax",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => input.softmax(dim ?? implicitDim("softmax", input), { dtype }),
);

/** The logarithm of softmax. */
export const logSoftmax: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "logSoftmax",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => input.logSoftmax(dim ?? implicitDim("logSoftmax", input), { dtype }),
);

/** Softmax of `-x`. */
export const softmin: Fn<typeof FunctionalSoftmaxArgs> = fn(
  "softmin",
  FunctionalSoftmaxArgs,
  (input, { dim, dtype }) => scope(() => input.neg().softmax(dim ?? implicitDim("softmin", input), { dtype })),
);

/** The parameters of {@linkcode gumbelSoftmax}. */
export class GumbelSoftmaxArgs {
  constructor(
    /** Temperature. */
    public tau = 1,
    /** Whether the result is one-hot, with the gradient of the soft one. */
    public hard = false,
    /** Ignored, as in PyTorch. */
    public eps = 1e-10,
    /** The dimension that sums to 1. */
    public dim: number = -1,
  ) {}
}

/**
 * A differentiable draw from the categorical distribution of logits.
 *
 * @see https://arxiv.org/abs/1611.01144
 */
export const gumbelSoftmax: Fn<typeof GumbelSoftmaxArgs> = fn("gumbelSoftmax", GumbelSoftmaxArgs, (logits, o) => {
  const { tau, hard, dim } = o;
  if (!(tau > 0)) throw new ArgumentError(`gumbelSoftmax(): tau must be positive: ${describe(tau)}`);
  return scope(() => {
    // -log of an exponential draw; 1 - u keeps the logarithm finite.
    const gumbels = randLike(logits.detach()).neg().add(1).log().neg().log().neg();
    const soft = logits.add(gumbels).div(tau).softmax(dim);
    if (!hard) return soft;
    const index = soft.detach().argmax(dim, true);
    const oneHot = soft.detach().zerosLike().scatter(dim, index, 1);
    return oneHot.sub(soft.detach()).add(soft);
  });
});
