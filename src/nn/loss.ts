/**
 * Losses as modules: each holds the options of the function of the same name.
 *
 * @module
 */

import type { Lengths } from "../ops/loss/ctc.ts";
import { BCEWithLogitsLossArgs, PoissonNLLLossArgs, SmoothL1LossArgs } from "../ops/loss/loss.ts";
import { CrossEntropyLossArgs, NLLLossArgs } from "../ops/loss/loss_class.ts";
import { LossArgs, type Reduction, WeightedLossArgs } from "../ops/loss/loss_core.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import type { Layer } from "./layer.ts";
import { loss, type LossInputs } from "./loss_base.ts";

/** The mean of `|input - target|`. */
export const L1Loss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "L1Loss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.l1Loss(...inputs, { reduction }),
});
export type L1Loss = InstanceType<typeof L1Loss>;

/** The mean of `(input - target)²`. */
export const MSELoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "MSELoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.mseLoss(...inputs, { reduction }),
});
export type MSELoss = InstanceType<typeof MSELoss>;

/** The mean of `log(1 + e^(-target · input))`, targets being 1 and -1. */
export const SoftMarginLoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "SoftMarginLoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.softMarginLoss(...inputs, { reduction }),
});
export type SoftMarginLoss = InstanceType<typeof SoftMarginLoss>;

/** Margins between the target classes and the others. */
export const MultiLabelMarginLoss: Layer<typeof LossArgs, LossInputs> = loss({
  name: "MultiLabelMarginLoss",
  params: LossArgs,
  call: ({ reduction }, ...inputs: LossInputs) => F.multilabelMarginLoss(...inputs, { reduction }),
});
export type MultiLabelMarginLoss = InstanceType<typeof MultiLabelMarginLoss>;

/** Binary cross entropy of probabilities. */
export const BCELoss: Layer<typeof WeightedLossArgs, LossInputs> = loss({
  name: "BCELoss",
  params: WeightedLossArgs,
  buffers: ["weight"],
  call: ({ weight, reduction }, ...inputs: LossInputs) => F.binaryCrossEntropy(...inputs, { weight, reduction }),
});
export type BCELoss = InstanceType<typeof BCELoss>;

/** The mean over classes of the binary cross entropy of logits. */
export const MultiLabelSoftMarginLoss: Layer<typeof WeightedLossArgs, LossInputs> = loss({
  name: "MultiLabelSoftMarginLoss",
  params: WeightedLossArgs,
  buffers: ["weight"],
  call: ({ weight, reduction }, ...inputs: LossInputs) => F.multilabelSoftMarginLoss(...inputs, { weight, reduction }),
});
export type MultiLabelSoftMarginLoss = InstanceType<typeof MultiLabelSoftMarginLoss>;

/** Binary cross entropy of logits. */
export const BCEWithLogitsLoss: Layer<typeof BCEWithLogitsLossArgs, LossInputs> = loss({
  name: "BCEWithLogitsLoss",
  params: BCEWithLogitsLossArgs,
  buffers: ["weight", "posWeight"],
  call: ({ weight, reduction, posWeight }, ...inputs: LossInputs) =>
    F.binaryCrossEntropyWithLogits(...inputs, { weight, reduction, posWeight }),
});
export type BCEWithLogitsLoss = InstanceType<typeof BCEWithLogitsLoss>;

/** The negative log-likelihood of target classes. */
export const NLLLoss: Layer<typeof NLLLossArgs, LossInputs> = loss({
  name: "NLLLoss",
  params: NLLLossArgs,
  buffers: ["weight"],
  call: ({ weight, ignoreIndex, reduction }, ...inputs: LossInputs) =>
    F.nllLoss(...inputs, { weight, ignoreIndex, reduction }),
});
export type NLLLoss = InstanceType<typeof NLLLoss>;

/**
 * The cross entropy of logits and target classes or probabilities.
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
  /** Whether targets are given as logarithms. */
  logTarget = false;
  constructor(
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** `"batchmean"` divides the sum by the size of dimension 0, which is the divergence. */
    public reduction: Reduction | "batchmean" = "mean",
  ) {}
}

/** The divergence of two distributions. */
export const KLDivLoss: Layer<typeof KLDivLossArgs, LossInputs> = loss({
  name: "KLDivLoss",
  params: KLDivLossArgs,
  call: ({ reduction, logTarget }, ...inputs: LossInputs) => F.klDiv(...inputs, { reduction, logTarget }),
});
export type KLDivLoss = InstanceType<typeof KLDivLoss>;

/** Squares of small differences, absolute values of large ones. */
export const SmoothL1Loss: Layer<typeof SmoothL1LossArgs, LossInputs> = loss({
  name: "SmoothL1Loss",
  params: SmoothL1LossArgs,
  call: ({ reduction, beta }, ...inputs: LossInputs) => F.smoothL1Loss(...inputs, { reduction, beta }),
});
export type SmoothL1Loss = InstanceType<typeof SmoothL1Loss>;

/** The parameters of {@linkcode HuberLoss}. */
export class HuberLossLayerArgs {
  constructor(
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
    /** Where the square ends. */
    public delta = 1,
  ) {}
}

/** {@linkcode SmoothL1Loss} times `delta`. */
export const HuberLoss: Layer<typeof HuberLossLayerArgs, LossInputs> = loss({
  name: "HuberLoss",
  params: HuberLossLayerArgs,
  call: ({ reduction, delta }, ...inputs: LossInputs) => F.huberLoss(...inputs, { reduction, delta }),
});
export type HuberLoss = InstanceType<typeof HuberLoss>;

/** The negative log-likelihood of counts. */
export const PoissonNLLLoss: Layer<typeof PoissonNLLLossArgs, LossInputs> = loss({
  name: "PoissonNLLLoss",
  params: PoissonNLLLossArgs,
  call: ({ logInput, full, eps, reduction }, ...inputs: LossInputs) =>
    F.poissonNllLoss(...inputs, { logInput, full, eps, reduction }),
});
export type PoissonNLLLoss = InstanceType<typeof PoissonNLLLoss>;

/** The parameters of {@linkcode GaussianNLLLoss}. */
export class GaussianNLLLossArgs {
  /** Whether the constant term is added. */
  full = false;
  /** The least variance. */
  eps = 1e-6;
  /** How the elements' losses become the result. */
  reduction: Reduction = "mean";
}

/** What {@linkcode GaussianNLLLoss} is called with. */
export type GaussianInputs = [input: Tensor, target: Tensor, variance: Tensor | number];

/** The negative log-likelihood of values under normal distributions. */
export const GaussianNLLLoss: Layer<typeof GaussianNLLLossArgs, GaussianInputs> = loss({
  name: "GaussianNLLLoss",
  params: GaussianNLLLossArgs,
  call: ({ full, eps, reduction }, ...inputs: GaussianInputs) => F.gaussianNllLoss(...inputs, { full, eps, reduction }),
});
export type GaussianNLLLoss = InstanceType<typeof GaussianNLLLoss>;

/** The parameters of {@linkcode CTCLoss}. */
export class CTCLossArgs {
  constructor(
    /** The class of the blank. */
    public blank = 0,
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
    /** Whether infinite losses count as 0. */
    public zeroInfinity = false,
  ) {}
}

/** What {@linkcode CTCLoss} is called with. */
export type CTCInputs = [logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths];

/** Connectionist temporal classification. */
export const CTCLoss: Layer<typeof CTCLossArgs, CTCInputs> = loss({
  name: "CTCLoss",
  params: CTCLossArgs,
  call: ({ blank, reduction, zeroInfinity }, ...inputs: CTCInputs) =>
    F.ctcLoss(...inputs, { blank, reduction, zeroInfinity }),
});
export type CTCLoss = InstanceType<typeof CTCLoss>;
