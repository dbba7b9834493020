/**
 * Losses that compare elements: squared and absolute error, cross entropies of probabilities, divergences, likelihoods.
 *
 * Each is one expression per element. Those that pick classes are in `loss_class.ts`, those that compare vectors in
 * `loss_embedding.ts`.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { constant, type Expr, withDerivative } from "../../expr/expr.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import {
  checkSameShape,
  checkTensors,
  elementLoss,
  LossArgs,
  type LossFn,
  lossFn,
  reduceLoss,
  type Reduction,
  type ReductionList,
  reductionOf,
  warnBroadcast,
  WeightedLossArgs,
} from "./loss_core.ts";
import { refuseWhere } from "../core/values.ts";

const mse = elementLoss("mseLoss", ([x, y, w]) => {
  const d = x!.sub(y!);
  return w ? d.mul(d).mul(w) : d.mul(d);
});

/** The parameters of {@linkcode mseLoss} and {@linkcode l1Loss} behind the target. */
export class MseLossArgs extends LossArgs {
  constructor(
    sizeAverage?: boolean | null,
    reduce?: boolean | null,
    reduction?: Reduction,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
  ) {
    super(sizeAverage, reduce, reduction);
  }
}

/** The mean of `(input - target)²`; the two broadcast, with a warning. */
export const mseLoss: LossFn<typeof MseLossArgs> = lossFn(
  { name: "mseLoss", autocast: "float32" },
  MseLossArgs,
  (input, target, { weight }, reduction) => {
    warnBroadcast("mseLoss", target, input);
    return mse([input, target, weight], [], reduction);
  },
);

const l1 = elementLoss("l1Loss", ([x, y, w]) => w ? x!.sub(y!).abs().mul(w) : x!.sub(y!).abs());

/** The mean of `|input - target|`; the two broadcast, with a warning. */
export const l1Loss: LossFn<typeof MseLossArgs> = lossFn(
  { name: "l1Loss", autocast: "float32" },
  MseLossArgs,
  (input, target, { weight }, reduction) => {
    warnBroadcast("l1Loss", target, input);
    const real = input.dtype.isFloatingPoint || target.dtype.isFloatingPoint;
    if (!real || input.dtype.isComplex || target.dtype.isComplex) {
      return scope(() => {
        const distance = input.sub(target).abs();
        return reduceLoss(weight ? distance.mul(weight) : distance, reduction);
      });
    }
    return l1([input, target, weight], [], reduction);
  },
);

const smoothL1 = elementLoss("smoothL1Loss", ([x, y], [beta]) => {
  const d = x!.sub(y!), a = d.abs();
  const loss = a.lt(beta).where(a.mul(a).mul(0.5).div(beta), a.sub(beta.mul(0.5)));
  // Stated, so that the derivative of NaN is NaN.
  return withDerivative(loss, [{ by: d, is: () => a.ge(beta).where(d.sign(), d.div(beta)) }]);
});

/** The parameters of {@linkcode smoothL1Loss} behind the target, and of its layer. */
export class SmoothL1LossArgs extends LossArgs {
  constructor(
    sizeAverage?: boolean | null,
    reduce?: boolean | null,
    reduction?: Reduction,
    /** Where the square ends. */
    public beta = 1,
  ) {
    super(sizeAverage, reduce, reduction);
  }
}

/**
 * Half the square of the difference divided by `beta` below `beta`, the absolute difference less `beta / 2` above.
 *
 * @throws {ArgumentError} if `beta` is negative
 */
export const smoothL1Loss: LossFn<typeof SmoothL1LossArgs> = lossFn(
  { name: "smoothL1Loss", autocast: "float32" },
  SmoothL1LossArgs,
  (input, target, { beta }, reduction) => {
    if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss(): beta must not be negative: ${describe(beta)}`);
    warnBroadcast("smoothL1Loss", target, input);
    return beta === 0 ? l1([input, target, null], [], reduction) : smoothL1([input, target], [beta], reduction);
  },
);

const huber = elementLoss("huberLoss", ([x, y, w], [delta]) => {
  const d = x!.sub(y!), a = d.abs();
  const loss = a.le(delta).where(a.mul(a).mul(0.5), delta.mul(a.sub(delta.mul(0.5))));
  const stated = withDerivative(loss, [{ by: d, is: () => a.ge(delta).where(delta.mul(d.sign()), d) }]);
  return w ? stated.mul(w) : stated;
});

/** The parameters of {@linkcode huberLoss} behind the target. */
export class HuberLossArgs {
  constructor(
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
    /** Where the square ends. */
    public delta = 1,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
  ) {}
}

/**
 * Half the square of the difference up to `delta`, `delta · (|difference| - delta / 2)` above.
 *
 * @throws {ArgumentError} if `delta` is not positive
 */
export const huberLoss: LossFn<typeof HuberLossArgs> = lossFn(
  { name: "huberLoss", autocast: "float32" },
  HuberLossArgs,
  (input, target, { delta, weight }, reduction) => {
    if (!(delta > 0)) throw new ArgumentError(`huberLoss(): delta must be positive: ${describe(delta)}`);
    warnBroadcast("huberLoss", target, input);
    return huber([input, target, weight], [delta], reduction);
  },
);

// The smallest logarithm that counts, and the smallest denominator of the gradient, as in PyTorch.
const LEAST_LOG = -100;
const LEAST_VARIANCE = 1e-12;

const bce = elementLoss("binaryCrossEntropy", ([x, y, w]) => {
  const p = x!, t = y!;
  const other = constant(1, p.kind).sub(p);
  const hit = p.log().max(LEAST_LOG), miss = p.neg().log1p().max(LEAST_LOG);
  const loss = t.sub(1).mul(miss).sub(t.mul(hit));
  // Stated, because the derivative of the bounded logarithms is 0 or infinite at the ends.
  const stated = withDerivative(loss, [
    { by: p, is: p.sub(t).div(other.mul(p).max(LEAST_VARIANCE)) },
    { by: t, is: miss.sub(hit) },
  ]);
  return w ? stated.mul(w) : stated;
});

/**
 * `-(target · log input + (1 - target) · log(1 - input))`, logarithms bounded below by -100.
 *
 * @param input probabilities; the target has probabilities too, and the same shape
 * @throws {ShapeError} if the shapes differ
 * @throws {ArgumentError} if an input is not between 0 and 1 (on the CPU)
 */
export const binaryCrossEntropy: LossFn<typeof WeightedLossArgs> = lossFn(
  { name: "binaryCrossEntropy", autocast: { cpu: "float32", gpu: "unsafe" } },
  WeightedLossArgs,
  (input, target, { weight }, reduction) => {
    checkSameShape("binaryCrossEntropy", target, input);
    // As PyTorch does; on a GPU, where that is a failed assertion, the result is NaN, since a check would wait.
    if (input.device.type === "cpu") {
      refuseWhere(
        input,
        (x) => x.ge(0).logicalAnd(x.le(1)).logicalNot(),
        () =>
          new ArgumentError(
            "binaryCrossEntropy(): inputs must be probabilities, between 0 and 1; apply sigmoid() first",
          ),
      );
    }
    return bce([input, target, weight], [], reduction);
  },
);

/** `log(1 + e^x)` without overflow, with its exact derivative. */
function softplus(x: Expr): Expr {
  const value = x.abs().neg().exp().log1p().add(x.max(0));
  return withDerivative(value, [{ by: x, is: x.sigmoid() }]);
}

const bceLogits = elementLoss("binaryCrossEntropyWithLogits", ([x, y, w, positive]) => {
  const t = y!;
  const opposite = softplus(x!.neg());
  const weight = positive ? positive.sub(1).mul(t).add(1) : constant(1, t.kind);
  const loss = constant(1, t.kind).sub(t).mul(x!).add(weight.mul(opposite));
  // Stated, because (1 - t) - weight · σ(-x) cancels where x is large.
  const partials = [{ by: x!, is: () => weight.mul(x!.sigmoid()).sub(positive ? positive.mul(t) : t) }];
  if (positive) partials.push({ by: positive, is: () => t.mul(opposite) });
  partials.push({ by: t, is: () => positive ? positive.sub(1).mul(opposite).sub(x!) : x!.neg() });
  const stated = withDerivative(loss, partials);
  return w ? stated.mul(w) : stated;
});

/** The parameters of {@linkcode binaryCrossEntropyWithLogits} behind the target, and of its layer. */
export class BCEWithLogitsLossArgs extends WeightedLossArgs {
  constructor(
    weight?: Tensor | null,
    sizeAverage?: boolean | null,
    reduce?: boolean | null,
    reduction?: Reduction,
    /** Factor of the loss of positive examples; broadcasts. */
    public posWeight: Tensor | null = null,
  ) {
    super(weight, sizeAverage, reduce, reduction);
  }
}

/**
 * Binary cross entropy of `sigmoid(input)`, computed without overflow.
 *
 * @param input logits; the target has probabilities and the same shape
 * @throws {ShapeError} if the shapes differ
 */
export const binaryCrossEntropyWithLogits: LossFn<typeof BCEWithLogitsLossArgs> = lossFn(
  { name: "binaryCrossEntropyWithLogits", autocast: "float32" },
  BCEWithLogitsLossArgs,
  (input, target, { weight, posWeight }, reduction) => {
    checkSameShape("binaryCrossEntropyWithLogits", target, input);
    return bceLogits([input, target, weight, posWeight], [], reduction);
  },
);

const kl = elementLoss("klDiv", ([x, t]) => {
  // x·log x is 0 at 0, where its derivative by the target does not exist.
  const entropy = t!.eq(0).where(0, t!.mul(t!.log()));
  return entropy.sub(t!.mul(x!));
});
const klLog = elementLoss("klDiv", ([x, t]) => t!.exp().mul(t!.sub(x!)));

/** The parameters of {@linkcode klDiv}. */
export class KlDivArgs {
  constructor(
    /** Probabilities, or their logarithms with `logTarget`. */
    public target: Tensor,
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** `"batchmean"` divides the sum by the size of dimension 0, which is the divergence. */
    public reduction: Reduction | "batchmean" = "mean",
    /** Whether the target is given as logarithms. */
    public logTarget = false,
  ) {}
}

/**
 * `target · (log target - input)`: the divergence of two distributions, the first given as logarithms.
 *
 * @param input logarithms of probabilities
 */
export const klDiv: Fn<typeof KlDivArgs> = fn({ name: "klDiv", autocast: "float32" }, KlDivArgs, (input, o) => {
  const { target } = o;
  checkTensors("klDiv", { target });
  const run = o.logTarget ? klLog : kl;
  if (o.reduction !== "batchmean") return run([input, target], [], reductionOf("klDiv", o));
  return scope(() => {
    const total = run([input, target], [], "sum");
    return input.ndim === 0 ? total : total.div(input.shape[0]);
  });
});

const softMargin = elementLoss("softMarginLoss", ([x, y]) => softplus(y!.mul(x!).neg()));

/**
 * `log(1 + e^(-target · input))`, targets being 1 and -1.
 *
 * @throws {ShapeError} if the shapes differ
 */
export const softMarginLoss: LossFn<typeof LossArgs> = lossFn(
  { name: "softMarginLoss", autocast: "float32" },
  LossArgs,
  (input, target, _, reduction) => {
    checkSameShape("softMarginLoss", target, input);
    return softMargin([input, target], [], reduction);
  },
);

/** `max(0, d)`, with the gradient of `d` at 0 as well. */
function hinge(d: Expr): Expr {
  return withDerivative(d.max(0), [{ by: d, is: () => d.lt(0).where(d.like(0), 1) }]);
}

const marginRanking = elementLoss("marginRankingLoss", ([x1, x2, y], [margin]) => {
  return hinge(margin.sub(y!.mul(x1!.sub(x2!))));
});

/** The parameters of {@linkcode marginRankingLoss} and {@linkcode cosineEmbeddingLoss} behind the first input. */
export class PairLossArgs extends LossArgs {
  constructor(
    /** The second input. */
    public input2: Tensor,
    /** 1 where the pair belongs together or the first is to be larger, -1 elsewhere. */
    public target: Tensor,
    /** The distance that is asked for. */
    public margin = 0,
    ...reduction: ReductionList
  ) {
    super(...reduction);
  }
}

/**
 * `max(0, margin - target · (input1 - input2))`: target 1 wants the first larger, -1 the second.
 *
 * @throws {ShapeError} if the inputs and the target differ in number of dimensions
 */
export const marginRankingLoss: Fn<typeof PairLossArgs> = fn(
  { name: "marginRankingLoss", autocast: "float32" },
  PairLossArgs,
  (input1, o) => {
    const { input2, target, margin } = o;
    checkTensors("marginRankingLoss", { input2, target });
    if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim) {
      const shapes = [input1, input2, target].map((x) => show(x.shape)).join(", ");
      throw new ShapeError(`marginRankingLoss(): all tensors must have as many dimensions: ${shapes}`);
    }
    return marginRanking([input1, input2, target], [margin], reductionOf("marginRankingLoss", o));
  },
);

const hingeEmbedding = elementLoss("hingeEmbeddingLoss", ([x, y], [margin]) => {
  const apart = hinge(margin.sub(x!));
  return y!.ne(1).where(apart, 0).add(y!.ne(-1).where(x!, 0));
});

/** The parameters of {@linkcode hingeEmbeddingLoss} behind the target, and of its layer. */
export class HingeLossArgs extends LossArgs {
  constructor(
    /** The distance that is asked for. */
    public margin = 1,
    ...reduction: ReductionList
  ) {
    super(...reduction);
  }
}

/** The input where the target is 1, `max(0, margin - input)` where it is -1. */
export const hingeEmbeddingLoss: LossFn<typeof HingeLossArgs> = lossFn(
  { name: "hingeEmbeddingLoss", autocast: "float32" },
  HingeLossArgs,
  (input, target, { margin }, reduction) => hingeEmbedding([input, target], [margin], reduction),
);

/** Stirling's approximation of `log t!`, 0 up to 1. */
function stirling(t: Expr): Expr {
  const value = t.mul(t.log()).sub(t).add(t.mul(2 * Math.PI).log().mul(0.5));
  return t.le(1).where(0, value);
}

const poissonLog = elementLoss("poissonNllLoss", ([x, t]) => x!.exp().sub(t!.mul(x!)));
const poissonLogFull = elementLoss("poissonNllLoss", ([x, t]) => x!.exp().sub(t!.mul(x!)).add(stirling(t!)));
const poisson = elementLoss("poissonNllLoss", ([x, t], [eps]) => x!.sub(t!.mul(x!.add(eps).log())));
const poissonFull = elementLoss(
  "poissonNllLoss",
  ([x, t], [eps]) => x!.sub(t!.mul(x!.add(eps).log())).add(stirling(t!)),
);

/** The parameters of {@linkcode poissonNllLoss} behind the target, and of its layer. */
export class PoissonNLLLossArgs extends LossArgs {
  constructor(
    /** Whether the input is the logarithm of the rate. */
    public logInput = true,
    /** Whether Stirling's approximation of the constant term is added. */
    public full = false,
    sizeAverage?: boolean | null,
    /** Added to the rate before its logarithm is taken. */
    public eps = 1e-8,
    reduce?: boolean | null,
    reduction?: Reduction,
  ) {
    super(sizeAverage, reduce, reduction);
  }
}

/**
 * The negative log-likelihood of counts, the target, under a Poisson distribution.
 *
 * @param input the rate or its logarithm
 */
export const poissonNllLoss: LossFn<typeof PoissonNLLLossArgs> = lossFn(
  { name: "poissonNllLoss", autocast: "float32" },
  PoissonNLLLossArgs,
  (input, target, { logInput, full, eps }, reduction) => {
    if (logInput) return (full ? poissonLogFull : poissonLog)([input, target], [], reduction);
    return (full ? poissonFull : poisson)([input, target], [eps], reduction);
  },
);

const gaussian = elementLoss("gaussianNllLoss", ([x, t, variance], [eps, constantTerm]) => {
  const d = x!.sub(t!);
  // Bounded below without stopping the gradient, as in PyTorch.
  const v = withDerivative(variance!.max(eps), [{ by: variance!, is: constant(1, variance!.kind) }]);
  return v.log().add(d.mul(d).div(v)).mul(0.5).add(constantTerm);
});

/** The parameters of {@linkcode gaussianNllLoss} behind the target. */
export class GaussianNllLossArgs {
  constructor(
    /** The variances: a number, of the input's shape, without its last dimension, or with size 1 in one dimension. */
    public variance: Tensor | number,
    /** Whether the constant term is added. */
    public full = false,
    /** The least variance. */
    public eps = 1e-6,
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
  ) {}
}

/**
 * The negative log-likelihood of values, the target, under normal distributions.
 *
 * @param input the means
 * @throws {ShapeError} if the variances do not fit
 */
export const gaussianNllLoss: LossFn<typeof GaussianNllLossArgs> = lossFn(
  { name: "gaussianNllLoss" },
  GaussianNllLossArgs,
  (input, target, { variance, full, eps }, reduction) =>
    scope(() => {
      let v = typeof variance === "number" ? input.newFull([], variance) : variance;
      checkTensors("gaussianNllLoss", { variance: v });
      const lead = input.shape.slice(0, -1);
      if (typeof variance !== "number" && !fits(v, input)) {
        if (v.shape.length !== lead.length || !v.shape.every((s, d) => s === lead[d])) {
          throw new ShapeError(
            `gaussianNllLoss(): var is of incorrect size: ${show(v.shape)} for input ${show(input.shape)}`,
          );
        }
        v = v.unsqueeze(-1);
      }
      const error = () => new ArgumentError("gaussianNllLoss(): var has negative entries");
      const checked = refuseWhere(v, (x) => x.lt(0), error);
      return checked(gaussian([input, target, v], [eps, full ? 0.5 * Math.log(2 * Math.PI) : 0], reduction));
    }),
);

/** Whether variances have the input's shape, up to one dimension of size 1. */
function fits(v: Tensor, input: Tensor): boolean {
  if (v.ndim !== input.ndim) return false;
  const other = v.shape.filter((size, d) => size !== input.shape[d]);
  return other.length === 0 || (other.length === 1 && other[0] === 1);
}
