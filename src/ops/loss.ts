/**
 * Losses that compare elements: squared and absolute error, cross entropies of probabilities, divergences, likelihoods.
 *
 * Each is one expression per element. Those that pick classes are in `loss_class.ts`, those that compare vectors in
 * `loss_embedding.ts`.
 *
 * @module
 */

import { type Fn, fn } from "./op.ts";
import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { constant, type Expr, withDerivative } from "../expr/expr.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  checkSameShape,
  checkTensors,
  elementLoss,
  LEGACY,
  type LegacyReduction,
  reduceLoss,
  type Reduction,
  reductionOf,
} from "./loss_core.ts";
import { refuseWhere } from "./values.ts";

/** Options of most losses. */
export interface LossOptions extends LegacyReduction {
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}

/** Options of losses with a weight per element or class. */
export interface WeightedLossOptions extends LossOptions {
  /** Factor of each element's loss. */
  weight?: Tensor | null;
}

/** Positional parameters that losses share, in their order. */
export type StandardLoss = ["sizeAverage", "reduce", "reduction"];

const mse = elementLoss("mseLoss", ([x, y, w]) => {
  const d = x!.sub(y!);
  return w ? d.mul(d).mul(w) : d.mul(d);
});

/** The parameters of {@linkcode mseLoss}. */
export class MseLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
  ) {}
}

/**
 * The mean of `(input - target)²`.
 *
 * @param target the values to meet; broadcasts
 */
export const mseLoss: Fn<typeof MseLossArgs> = fn({ name: "mseLoss", autocast: "float32" }, MseLossArgs, (input, o) => {
  const { target } = o;
  checkTensors("mseLoss", { input, target });
  return mse([input, target, o.weight ?? null], [], reductionOf("mseLoss", o));
});

const l1 = elementLoss("l1Loss", ([x, y, w]) => w ? x!.sub(y!).abs().mul(w) : x!.sub(y!).abs());

/** The parameters of {@linkcode l1Loss}. */
export class L1LossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
  ) {}
}

/**
 * The mean of `|input - target|`.
 *
 * @param target the values to meet; broadcasts
 */
export const l1Loss: Fn<typeof L1LossArgs> = fn({ name: "l1Loss", autocast: "float32" }, L1LossArgs, (input, o) => {
  const { target } = o;
  checkTensors("l1Loss", { input, target });
  const reduction = reductionOf("l1Loss", o);
  if (input.dtype.isComplex || target.dtype.isComplex) {
    return scope(() => {
      const distance = input.sub(target).abs();
      return reduceLoss(o.weight ? distance.mul(o.weight) : distance, reduction);
    });
  }
  return l1([input, target, o.weight ?? null], [], reduction);
});

const smoothL1 = elementLoss("smoothL1Loss", ([x, y], [beta]) => {
  const d = x!.sub(y!).abs();
  return d.lt(beta).where(d.mul(d).mul(0.5).div(beta), d.sub(beta.mul(0.5)));
});

/** Options of {@linkcode smoothL1Loss}. */
export interface SmoothL1Options extends LossOptions {
  /** Where the square ends. @default {1} */
  beta?: number;
}

/** The parameters of {@linkcode smoothL1Loss}. */
export class SmoothL1LossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
    /** Where the square ends. */
    public beta: number | null = null,
  ) {}
}

/**
 * Half the square of the difference divided by `beta` below `beta`, the absolute difference less `beta / 2` above.
 *
 * @param target the values to meet; broadcasts
 * @throws {ArgumentError} if `beta` is negative
 */
export const smoothL1Loss: Fn<typeof SmoothL1LossArgs> = fn(
  { name: "smoothL1Loss", autocast: "float32" },
  SmoothL1LossArgs,
  (input, o) => {
    const { target } = o;
    checkTensors("smoothL1Loss", { input, target });
    const beta = o.beta ?? 1;
    if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss(): beta must not be negative: ${beta}`);
    const reduction = reductionOf("smoothL1Loss", o);
    return beta === 0 ? l1([input, target, null], [], reduction) : smoothL1([input, target], [beta], reduction);
  },
);

const huber = elementLoss("huberLoss", ([x, y, w], [delta]) => {
  const d = x!.sub(y!).abs();
  const loss = d.le(delta).where(d.mul(d).mul(0.5), delta.mul(d.sub(delta.mul(0.5))));
  return w ? loss.mul(w) : loss;
});

/** Options of {@linkcode huberLoss}. */
export interface HuberOptions {
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
  /** Where the square ends. @default {1} */
  delta?: number;
  /** Factor of each element's loss. */
  weight?: Tensor | null;
}

/** The parameters of {@linkcode huberLoss}. */
export class HuberLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
    /** Where the square ends. */
    public delta: number | null = null,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
  ) {}
}

/**
 * Half the square of the difference up to `delta`, `delta · (|difference| - delta / 2)` above.
 *
 * @param target the values to meet; broadcasts
 * @throws {ArgumentError} if `delta` is not positive
 */
export const huberLoss: Fn<typeof HuberLossArgs> = fn(
  { name: "huberLoss", autocast: "float32" },
  HuberLossArgs,
  (input, o) => {
    const { target } = o;
    checkTensors("huberLoss", { input, target });
    const delta = o.delta ?? 1;
    if (!(delta > 0)) throw new ArgumentError(`huberLoss(): delta must be positive: ${delta}`);
    return huber([input, target, o.weight ?? null], [delta], reductionOf("huberLoss", o));
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

/** The parameters of {@linkcode binaryCrossEntropy}. */
export class BinaryCrossEntropyArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * `-(target · log input + (1 - target) · log(1 - input))`, logarithms bounded below by -100.
 *
 * @param input probabilities
 * @param target probabilities, of the same shape
 * @throws {ShapeError} if the shapes differ
 * @throws {ArgumentError} if an input is not between 0 and 1 (on the CPU)
 */
export const binaryCrossEntropy: Fn<typeof BinaryCrossEntropyArgs> = fn(
  "binaryCrossEntropy",
  BinaryCrossEntropyArgs,
  (input, o) => {
    if (autocasting.active) {
      return autocasted({ cpu: "float32", gpu: "unsafe" }, binaryCrossEntropy, input, target, ...args);
    }
    const { target } = o;
    checkTensors("binaryCrossEntropy", { input, target });
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
    return bce([input, target, o.weight ?? null], [], reductionOf("binaryCrossEntropy", o));
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
  const weighted = positive ? positive.sub(1).mul(t).add(1).mul(opposite) : opposite;
  const loss = constant(1, t.kind).sub(t).mul(x!).add(weighted);
  return w ? loss.mul(w) : loss;
});

/** Options of {@linkcode binaryCrossEntropyWithLogits}. */
export interface BCEWithLogitsOptions extends WeightedLossOptions {
  /** Factor of the loss of positive examples; broadcasts. */
  posWeight?: Tensor | null;
}

/** The parameters of {@linkcode binaryCrossEntropyWithLogits}. */
export class BinaryCrossEntropyWithLogitsArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** Factor of each element's loss. */
    public weight: Tensor | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
    /** Factor of the loss of positive examples; broadcasts. */
    public posWeight: Tensor | null = null,
  ) {}
}

/**
 * Binary cross entropy of `sigmoid(input)`, computed without overflow.
 *
 * @param input logits
 * @param target probabilities, of the same shape
 * @throws {ShapeError} if the shapes differ
 */
export const binaryCrossEntropyWithLogits: Fn<typeof BinaryCrossEntropyWithLogitsArgs> = fn(
  { name: "binaryCrossEntropyWithLogits", autocast: "float32" },
  BinaryCrossEntropyWithLogitsArgs,
  (input, o) => {
    const { target } = o;
    checkTensors("binaryCrossEntropyWithLogits", { input, target });
    checkSameShape("binaryCrossEntropyWithLogits", target, input);
    const tensors = [input, target, o.weight ?? null, o.posWeight ?? null];
    return bceLogits(tensors, [], reductionOf("binaryCrossEntropyWithLogits", o));
  },
);

const kl = elementLoss("klDiv", ([x, t]) => {
  // x·log x is 0 at 0, where its derivative by the target does not exist.
  const entropy = t!.eq(0).where(0, t!.mul(t!.log()));
  return entropy.sub(t!.mul(x!));
});
const klLog = elementLoss("klDiv", ([x, t]) => t!.exp().mul(t!.sub(x!)));

/** Options of {@linkcode klDiv}. */
export interface KLDivOptions extends LegacyReduction {
  /** `"batchmean"` divides the sum by the size of dimension 0, which is the divergence. @default {"mean"} */
  reduction?: Reduction | "batchmean";
  /** Whether the target is given as logarithms. @default {false} */
  logTarget?: boolean;
}

/** The parameters of {@linkcode klDiv}. */
export class KlDivArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** `"batchmean"` divides the sum by the size of dimension 0, which is the divergence. */
    public reduction: Reduction | "batchmean" | null = null,
    /** Whether the target is given as logarithms. */
    public logTarget: boolean | null = null,
  ) {}
}

/**
 * `target · (log target - input)`: the divergence of two distributions, the first given as logarithms.
 *
 * @param input logarithms of probabilities
 * @param target probabilities, or logarithms with `logTarget`
 */
export const klDiv: Fn<typeof KlDivArgs> = fn({ name: "klDiv", autocast: "float32" }, KlDivArgs, (input, o) => {
  const { target } = o;
  checkTensors("klDiv", { input, target });
  const run = o.logTarget ? klLog : kl;
  if (o.reduction !== "batchmean") {
    return run([input, target], [], reductionOf("klDiv", o as LossOptions));
  }
  const total = run([input, target], [], "sum");
  return input.ndim === 0 ? total : scope(() => total.div(input.shape[0]));
});

const softMargin = elementLoss("softMarginLoss", ([x, y]) => softplus(y!.mul(x!).neg()));
const standardArgs = (op: string) => signature<LossOptions>(op, [...LEGACY, "reduction"]);
const softMarginArgs = standardArgs("softMarginLoss");

/**
 * `log(1 + e^(-target · input))`, targets being 1 and -1.
 *
 * @throws {ShapeError} if the shapes differ
 */
export function softMarginLoss(input: Tensor, target: Tensor, ...args: Args<LossOptions, StandardLoss>): Tensor {
  if (autocasting.active) return autocasted("float32", softMarginLoss, input, target, ...args);
  const o = softMarginArgs(args);
  checkTensors("softMarginLoss", { input, target });
  checkSameShape("softMarginLoss", target, input);
  return softMargin([input, target], [], reductionOf("softMarginLoss", o));
}

const marginRanking = elementLoss("marginRankingLoss", ([x1, x2, y], [margin]) => {
  const d = margin.sub(y!.mul(x1!.sub(x2!)));
  return d.ge(0).where(d, 0);
});

/** Options of losses with a margin. */
export interface MarginOptions extends LossOptions {
  /** The distance that is asked for. */
  margin?: number;
}

/** The parameters of {@linkcode marginRankingLoss}. */
export class MarginRankingLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC input2 */
    public input2: Tensor,
    /** DOC target */
    public target: Tensor,
    /** The distance that is asked for. */
    public margin: number | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * `max(0, margin - target · (input1 - input2))`: target 1 wants the first larger, -1 the second.
 *
 * @throws {ShapeError} if the inputs and the target differ in number of dimensions
 */
export const marginRankingLoss: Fn<typeof MarginRankingLossArgs> = fn(
  { name: "marginRankingLoss", autocast: "float32" },
  MarginRankingLossArgs,
  (input1, o) => {
    const { input2, target } = o;
    checkTensors("marginRankingLoss", { input1, input2, target });
    if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim) {
      throw new ShapeError(
        `marginRankingLoss(): all tensors must have as many dimensions: ${show(input1.shape)}, ${
          show(input2.shape)
        }, ` +
          show(target.shape),
      );
    }
    return marginRanking([input1, input2, target], [o.margin ?? 0], reductionOf("marginRankingLoss", o));
  },
);

const hinge = elementLoss("hingeEmbeddingLoss", ([x, y], [margin]) => {
  const distance = margin.sub(x!);
  const apart = distance.ge(0).where(distance, 0);
  return y!.ne(1).where(apart, 0).add(y!.ne(-1).where(x!, 0));
});

/** The parameters of {@linkcode hingeEmbeddingLoss}. */
export class HingeEmbeddingLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** The distance that is asked for. */
    public margin: number | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/** The input where the target is 1, `max(0, margin - input)` where it is -1. */
export const hingeEmbeddingLoss: Fn<typeof HingeEmbeddingLossArgs> = fn(
  { name: "hingeEmbeddingLoss", autocast: "float32" },
  HingeEmbeddingLossArgs,
  (input, o) => {
    const { target } = o;
    checkTensors("hingeEmbeddingLoss", { input, target });
    return hinge([input, target], [o.margin ?? 1], reductionOf("hingeEmbeddingLoss", o));
  },
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

/** Options of {@linkcode poissonNllLoss}. */
export interface PoissonNllOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate. @default {true} */
  logInput?: boolean;
  /** Whether Stirling's approximation of the constant term is added. @default {false} */
  full?: boolean;
  /** Added to the rate before its logarithm is taken. @default {1e-8} */
  eps?: number;
}

/** The parameters of {@linkcode poissonNllLoss}. */
export class PoissonNllLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** Whether the input is the logarithm of the rate. */
    public logInput: boolean | null = null,
    /** Whether Stirling's approximation of the constant term is added. */
    public full: boolean | null = null,
    /** TODOFIELD */
    public sizeAverage: unknown = null,
    /** Added to the rate before its logarithm is taken. */
    public eps: number | null = null,
    /** TODOFIELD */
    public reduce: unknown = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * The negative log-likelihood of counts under a Poisson distribution.
 *
 * @param input the rate or its logarithm
 * @param target the counts
 */
export const poissonNllLoss: Fn<typeof PoissonNllLossArgs> = fn(
  { name: "poissonNllLoss", autocast: "float32" },
  PoissonNllLossArgs,
  (input, o) => {
    const { target } = o;
    checkTensors("poissonNllLoss", { input, target });
    const reduction = reductionOf("poissonNllLoss", o);
    if (o.logInput ?? true) return (o.full ? poissonLogFull : poissonLog)([input, target], [], reduction);
    return (o.full ? poissonFull : poisson)([input, target], [o.eps ?? 1e-8], reduction);
  },
);

const gaussian = elementLoss("gaussianNllLoss", ([x, t, variance], [eps, constantTerm]) => {
  const d = x!.sub(t!);
  // Bounded below without stopping the gradient, as in PyTorch.
  const v = withDerivative(variance!.max(eps), [{ by: variance!, is: constant(1, variance!.kind) }]);
  return v.log().add(d.mul(d).div(v)).mul(0.5).add(constantTerm);
});

/** Options of {@linkcode gaussianNllLoss}. */
export interface GaussianNllOptions {
  /** Whether the constant term is added. @default {false} */
  full?: boolean;
  /** The least variance. @default {1e-6} */
  eps?: number;
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}

/** The parameters of {@linkcode gaussianNllLoss}. */
export class GaussianNllLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC target */
    public target: Tensor,
    /** DOC variance */
    public variance: Tensor | number,
    /** Whether the constant term is added. */
    public full: boolean | null = null,
    /** The least variance. */
    public eps: number | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * The negative log-likelihood of values under normal distributions.
 *
 * @param input the means
 * @param target the values
 * @param variance the variances: a number, of the input's shape, without its last dimension, or with size 1 in one dimension
 * @throws {ShapeError} if the variances do not fit
 */
export const gaussianNllLoss: Fn<typeof GaussianNllLossArgs> = fn(
  "gaussianNllLoss",
  GaussianNllLossArgs,
  (input, o) => {
    const { target, variance } = o;
    checkTensors("gaussianNllLoss", { input, target });
    const reduction = reductionOf("gaussianNllLoss", o);
    return scope(() => {
      let v = typeof variance === "number" ? input.newFull([], variance) : variance;
      const lead = input.shape.slice(0, -1);
      if (typeof variance !== "number" && !fits(v, input)) {
        if (v.shape.length !== lead.length || !v.shape.every((s, d) => s === lead[d])) {
          throw new ShapeError(
            `gaussianNllLoss(): var is of incorrect size: ${show(v.shape)} for input ${show(input.shape)}`,
          );
        }
        v = v.unsqueeze(-1);
      }
      refuseWhere(v, (x) => x.lt(0), () => new ArgumentError("gaussianNllLoss(): var has negative entries"));
      const term = o.full ? 0.5 * Math.log(2 * Math.PI) : 0;
      return gaussian([input, target, v], [o.eps ?? 1e-6, term], reduction);
    });
  },
);

/** Whether variances have the input's shape, up to one dimension of size 1. */
function fits(v: Tensor, input: Tensor): boolean {
  if (v.ndim !== input.ndim) return false;
  const other = v.shape.filter((size, d) => size !== input.shape[d]);
  return other.length === 0 || (other.length === 1 && other[0] === 1);
}
