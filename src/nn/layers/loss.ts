/**
 * Losses as modules: each stores the options of the function of the same name and calls it.
 *
 * @module
 */

import type { Lengths } from "../../ops/loss/ctc.ts";
import { BCEWithLogitsLossArgs, PoissonNLLLossArgs, SmoothL1LossArgs } from "../../ops/loss/loss.ts";
import { CrossEntropyLossArgs, NLLLossArgs } from "../../ops/loss/loss_class.ts";
import { LossArgs, type Reduction, WeightedLossArgs } from "../../ops/loss/loss_core.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import * as F from "../functional.ts";
import type { Layer } from "../module/layer.ts";
import { loss, type LossInputs } from "./loss_base.ts";

/** Mean absolute error: the mean of `|input - target|`. */
export const L1Loss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "L1Loss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.l1Loss(...inputs, { reduction }),
});
export type L1Loss = InstanceType<typeof L1Loss>;

/** Mean squared error: the mean of `(input - target)²`. */
export const MSELoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "MSELoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.mseLoss(...inputs, { reduction }),
});
export type MSELoss = InstanceType<typeof MSELoss>;

/** Logistic loss of two classes: the mean of `log(1 + e^(-target · input))`, with targets 1 and -1. */
export const SoftMarginLoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "SoftMarginLoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.softMarginLoss(...inputs, { reduction }),
});
export type SoftMarginLoss = InstanceType<typeof SoftMarginLoss>;

/** Multi-label margin loss: hinge loss between the scores of the target classes and those of the others. */
export const MultiLabelMarginLoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "MultiLabelMarginLoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.multilabelMarginLoss(...inputs, { reduction }),
});
export type MultiLabelMarginLoss = InstanceType<typeof MultiLabelMarginLoss>;

/** Binary cross entropy of probabilities and targets in [0, 1]. */
export const BCELoss: Layer<typeof WeightedLossArgs, LossInputs> = loss({
  name: "BCELoss",
  params: WeightedLossArgs,
  buffers: ["weight"],
  call: ({ weight, reduction }, ...inputs: LossInputs) => F.binaryCrossEntropy(...inputs, { weight, reduction }),
});
export type BCELoss = InstanceType<typeof BCELoss>;

/** Multi-label soft-margin loss: the mean over classes of the binary cross entropy of logits. */
export const MultiLabelSoftMarginLoss: Layer<typeof WeightedLossArgs, LossInputs> = loss({
  name: "MultiLabelSoftMarginLoss",
  params: WeightedLossArgs,
  buffers: ["weight"],
  call: ({ weight, reduction }, ...inputs: LossInputs) => F.multilabelSoftMarginLoss(...inputs, { weight, reduction }),
});
export type MultiLabelSoftMarginLoss = InstanceType<typeof MultiLabelSoftMarginLoss>;

/** Binary cross entropy of logits and targets in [0, 1]; the sigmoid is part of the loss. */
export const BCEWithLogitsLoss: Layer<typeof BCEWithLogitsLossArgs, LossInputs> = loss({
  name: "BCEWithLogitsLoss",
  params: BCEWithLogitsLossArgs,
  buffers: ["weight", "posWeight"],
  call: ({ weight, reduction, posWeight }, ...inputs: LossInputs) =>
    F.binaryCrossEntropyWithLogits(...inputs, { weight, reduction, posWeight }),
});
export type BCEWithLogitsLoss = InstanceType<typeof BCEWithLogitsLoss>;

/** Negative log-likelihood of target classes, given log-probabilities. */
export const NLLLoss: Layer<typeof NLLLossArgs, LossInputs> = loss({
  name: "NLLLoss",
  params: NLLLossArgs,
  buffers: ["weight"],
  call: ({ weight, ignoreIndex, reduction }, ...inputs: LossInputs) =>
    F.nllLoss(...inputs, { weight, ignoreIndex, reduction }),
});
export type NLLLoss = InstanceType<typeof NLLLoss>;

/**
 * Cross entropy of logits and target classes or probabilities.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export const CrossEntropyLoss: Layer<typeof CrossEntropyLossArgs, LossInputs> = loss({
  name: "CrossEntropyLoss",
  params: CrossEntropyLossArgs,
  buffers: ["weight"],
  call: ({ weight, ignoreIndex, reduction, labelSmoothing }, ...inputs: LossInputs) =>
    F.crossEntropy(...inputs, { weight, ignoreIndex, reduction, labelSmoothing }),
});
export type CrossEntropyLoss = InstanceType<typeof CrossEntropyLoss>;

/** The parameters of {@linkcode KLDivLoss}. */
export class KLDivLossArgs {
  /** Whether targets are log-probabilities. */
  logTarget = false;
  constructor(
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /**
     * The reduction; `"batchmean"` divides the sum by the size of dimension 0, which is the divergence by its
     * definition.
     */
    public reduction: Reduction | "batchmean" = "mean",
  ) {}
}

/** Kullback–Leibler divergence of the target distribution from the input, which holds log-probabilities. */
export const KLDivLoss: Layer<typeof KLDivLossArgs, LossInputs> = loss({
  name: "KLDivLoss",
  params: KLDivLossArgs,
  call: ({ reduction, logTarget }, ...inputs: LossInputs) => F.klDiv(...inputs, { reduction, logTarget }),
});
export type KLDivLoss = InstanceType<typeof KLDivLoss>;

/** Smooth L1 loss: quadratic in differences below `beta`, linear above. */
export const SmoothL1Loss: Layer<typeof SmoothL1LossArgs, LossInputs> = loss({
  name: "SmoothL1Loss",
  params: SmoothL1LossArgs,
  call: ({ reduction, beta }, ...inputs: LossInputs) => F.smoothL1Loss(...inputs, { reduction, beta }),
});
export type SmoothL1Loss = InstanceType<typeof SmoothL1Loss>;

/** The parameters of {@linkcode HuberLoss}. */
export class HuberLossLayerArgs {
  constructor(
    /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
    public reduction: Reduction = "mean",
    /** The threshold δ: quadratic in differences below it, linear above. */
    public delta = 1,
  ) {}
}

/** Huber loss: {@linkcode SmoothL1Loss} times `delta`. */
export const HuberLoss: Layer<typeof HuberLossLayerArgs, LossInputs> = loss({
  name: "HuberLoss",
  params: HuberLossLayerArgs,
  call: ({ reduction, delta }, ...inputs: LossInputs) => F.huberLoss(...inputs, { reduction, delta }),
});
export type HuberLoss = InstanceType<typeof HuberLoss>;

/** Negative log-likelihood of counts under Poisson distributions. */
export const PoissonNLLLoss: Layer<typeof PoissonNLLLossArgs, LossInputs> = loss({
  name: "PoissonNLLLoss",
  params: PoissonNLLLossArgs,
  call: ({ logInput, full, eps, reduction }, ...inputs: LossInputs) =>
    F.poissonNllLoss(...inputs, { logInput, full, eps, reduction }),
});
export type PoissonNLLLoss = InstanceType<typeof PoissonNLLLoss>;

/** The parameters of {@linkcode GaussianNLLLoss}. */
export class GaussianNLLLossArgs {
  /** Whether the constant term `log(2π) / 2` is added. */
  full = false;
  /** The lower bound of the variance. */
  eps = 1e-6;
  /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
  reduction: Reduction = "mean";
}

/** The arguments of a call of {@linkcode GaussianNLLLoss}. */
export type GaussianInputs = [input: Tensor, target: Tensor, variance: Tensor | number];

/** Negative log-likelihood of values under normal distributions with the mean `input` and the given variance. */
export const GaussianNLLLoss: Layer<typeof GaussianNLLLossArgs, GaussianInputs> = loss({
  name: "GaussianNLLLoss",
  params: GaussianNLLLossArgs,
  call: ({ full, eps, reduction }, ...inputs: GaussianInputs) => F.gaussianNllLoss(...inputs, { full, eps, reduction }),
});
export type GaussianNLLLoss = InstanceType<typeof GaussianNLLLoss>;

/** The parameters of {@linkcode CTCLoss}. */
export class CTCLossArgs {
  constructor(
    /** The index of the blank label. */
    public blank = 0,
    /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
    public reduction: Reduction = "mean",
    /** Whether infinite losses (targets that do not fit into the input) count as 0. */
    public zeroInfinity = false,
  ) {}
}

/** The arguments of a call of {@linkcode CTCLoss}. */
export type CTCInputs = [logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths];

/** Connectionist temporal classification: the negative log-likelihood of label sequences without known alignment. */
export const CTCLoss: Layer<typeof CTCLossArgs, CTCInputs> = loss({
  name: "CTCLoss",
  params: CTCLossArgs,
  call: ({ blank, reduction, zeroInfinity }, ...inputs: CTCInputs) =>
    F.ctcLoss(...inputs, { blank, reduction, zeroInfinity }),
});
export type CTCLoss = InstanceType<typeof CTCLoss>;
