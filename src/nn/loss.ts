/**
 * Losses as modules: each holds the options of the function of the same name.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import type { Lengths } from "../ops/ctc.ts";
import type { Reduction } from "../ops/loss_core.ts";
import {
  LossModule,
  type LossModuleOptions,
  reductionOf,
  type Standard,
  WeightedLossModule,
  type WeightedLossModuleOptions,
} from "./loss_base.ts";
import { Module } from "./module.ts";

const plainArgs = signature<LossModuleOptions>("Loss", ["sizeAverage", "reduce", "reduction"]);
const weightedArgs = signature<WeightedLossModuleOptions>("Loss", ["weight", "sizeAverage", "reduce", "reduction"]);

/** The mean of `|input - target|`. */
export class L1Loss extends LossModule {
  /** Takes `sizeAverage, reduce, reduction`. */
  constructor(...args: Args<LossModuleOptions, Standard>) {
    super(plainArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, { reduction: this.reduction });
  }
}

/** The mean of `(input - target)²`. */
export class MSELoss extends LossModule {
  /** Takes `sizeAverage, reduce, reduction`. */
  constructor(...args: Args<LossModuleOptions, Standard>) {
    super(plainArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, { reduction: this.reduction });
  }
}

/** The mean of `log(1 + e^(-target · input))`, targets being 1 and -1. */
export class SoftMarginLoss extends LossModule {
  /** Takes `sizeAverage, reduce, reduction`. */
  constructor(...args: Args<LossModuleOptions, Standard>) {
    super(plainArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.softMarginLoss(input, target, { reduction: this.reduction });
  }
}

/** Margins between the target classes and the others. */
export class MultiLabelMarginLoss extends LossModule {
  /** Takes `sizeAverage, reduce, reduction`. */
  constructor(...args: Args<LossModuleOptions, Standard>) {
    super(plainArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelMarginLoss(input, target, { reduction: this.reduction });
  }
}

/** Binary cross entropy of probabilities. */
export class BCELoss extends WeightedLossModule {
  /** Takes `weight, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<WeightedLossModuleOptions, ["weight", ...Standard]>) {
    super(weightedArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** The mean over classes of the binary cross entropy of logits. */
export class MultiLabelSoftMarginLoss extends WeightedLossModule {
  /** Takes `weight, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<WeightedLossModuleOptions, ["weight", ...Standard]>) {
    super(weightedArgs(args));
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelSoftMarginLoss(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** What {@linkcode BCEWithLogitsLoss} takes. */
export interface BCEWithLogitsLossOptions extends WeightedLossModuleOptions {
  /** Factor of the loss of positive examples; broadcasts. */
  posWeight?: Tensor | null;
}
const bceLogitsArgs = signature<BCEWithLogitsLossOptions>(
  "BCEWithLogitsLoss",
  ["weight", "sizeAverage", "reduce", "reduction", "posWeight"],
);

/** Binary cross entropy of logits. */
export class BCEWithLogitsLoss extends WeightedLossModule {
  /** Factor of the loss of positive examples, or `null`. */
  declare pos_weight: Tensor | null;

  /** Takes `weight, sizeAverage, reduce, reduction, posWeight`. */
  constructor(...args: Args<BCEWithLogitsLossOptions, ["weight", ...Standard, "posWeight"]>) {
    const o = bceLogitsArgs(args);
    super(o);
    this.registerBuffer("pos_weight", o.posWeight ?? null);
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, reduction, pos_weight } = this;
    return F.binaryCrossEntropyWithLogits(input, target, { weight, reduction, posWeight: pos_weight });
  }
}

/** What {@linkcode NLLLoss} takes. */
export interface NLLLossOptions extends WeightedLossModuleOptions {
  /** Targets of this number do not count. @default {-100} */
  ignoreIndex?: number;
}
const nllArgs = signature<NLLLossOptions>("NLLLoss", ["weight", "sizeAverage", "ignoreIndex", "reduce", "reduction"]);

/** The negative log-likelihood of target classes. */
export class NLLLoss extends WeightedLossModule {
  /** Targets of this number do not count. */
  readonly ignoreIndex: number;

  /** Takes `weight, sizeAverage, ignoreIndex, reduce, reduction`. */
  constructor(...args: Args<NLLLossOptions, ["weight", "sizeAverage", "ignoreIndex", "reduce", "reduction"]>) {
    const o = nllArgs(args);
    super(o);
    this.ignoreIndex = o.ignoreIndex ?? -100;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction } = this;
    return F.nllLoss(input, target, { weight, ignoreIndex, reduction });
  }
}

/** What {@linkcode CrossEntropyLoss} takes. */
export interface CrossEntropyLossOptions extends NLLLossOptions {
  /** Share of the target that is spread over all classes. @default {0} */
  labelSmoothing?: number;
}
const crossEntropyArgs = signature<CrossEntropyLossOptions>(
  "CrossEntropyLoss",
  ["weight", "sizeAverage", "ignoreIndex", "reduce", "reduction", "labelSmoothing"],
);

/**
 * The cross entropy of logits and target classes or probabilities.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export class CrossEntropyLoss extends WeightedLossModule {
  /** Targets of this number do not count. */
  readonly ignoreIndex: number;
  /** Share of the target that is spread over all classes. */
  readonly labelSmoothing: number;

  /** Takes `weight, sizeAverage, ignoreIndex, reduce, reduction, labelSmoothing`. */
  constructor(
    ...args: Args<
      CrossEntropyLossOptions,
      ["weight", "sizeAverage", "ignoreIndex", "reduce", "reduction", "labelSmoothing"]
    >
  ) {
    const o = crossEntropyArgs(args);
    super(o);
    this.ignoreIndex = o.ignoreIndex ?? -100;
    this.labelSmoothing = o.labelSmoothing ?? 0;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction, labelSmoothing } = this;
    return F.crossEntropy(input, target, { weight, ignoreIndex, reduction, labelSmoothing });
  }
}

/** What {@linkcode KLDivLoss} takes. */
export interface KLDivLossOptions extends Omit<LossModuleOptions, "reduction"> {
  /** `"batchmean"` divides the sum by the size of dimension 0, which is the divergence. @default {"mean"} */
  reduction?: Reduction | "batchmean";
  /** Whether targets are given as logarithms. @default {false} */
  logTarget?: boolean;
}
const klArgs = signature<KLDivLossOptions>("KLDivLoss", ["sizeAverage", "reduce", "reduction"], ["logTarget"]);

/** The divergence of two distributions. */
export class KLDivLoss extends Module {
  /** How the elements' losses become the result. */
  readonly reduction: Reduction | "batchmean";
  /** Whether targets are given as logarithms. */
  readonly logTarget: boolean;

  /** Takes `sizeAverage, reduce, reduction` and, by name, `logTarget`. */
  constructor(...args: Args<KLDivLossOptions, Standard>) {
    super();
    const o = klArgs(args);
    this.reduction = reductionOf(o);
    this.logTarget = o.logTarget ?? false;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, { reduction: this.reduction, logTarget: this.logTarget });
  }
}

/** What {@linkcode SmoothL1Loss} takes. */
export interface SmoothL1LossOptions extends LossModuleOptions {
  /** Where the square ends. @default {1} */
  beta?: number;
}
const smoothL1Args = signature<SmoothL1LossOptions>("SmoothL1Loss", ["sizeAverage", "reduce", "reduction", "beta"]);

/** Squares of small differences, absolute values of large ones. */
export class SmoothL1Loss extends LossModule {
  /** Where the square ends. */
  readonly beta: number;

  /** Takes `sizeAverage, reduce, reduction, beta`. */
  constructor(...args: Args<SmoothL1LossOptions, [...Standard, "beta"]>) {
    const o = smoothL1Args(args);
    super(o);
    this.beta = o.beta ?? 1;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, { reduction: this.reduction, beta: this.beta });
  }
}

/** What {@linkcode HuberLoss} takes. */
export interface HuberLossOptions {
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
  /** Where the square ends. @default {1} */
  delta?: number;
}
const huberArgs = signature<HuberLossOptions>("HuberLoss", ["reduction", "delta"]);

/** {@linkcode SmoothL1Loss} times `delta`. */
export class HuberLoss extends LossModule {
  /** Where the square ends. */
  readonly delta: number;

  /** Takes `reduction, delta`. */
  constructor(...args: Args<HuberLossOptions, ["reduction", "delta"]>) {
    const o = huberArgs(args);
    super(o);
    this.delta = o.delta ?? 1;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, { reduction: this.reduction, delta: this.delta });
  }
}

/** What {@linkcode PoissonNLLLoss} takes. */
export interface PoissonNLLLossOptions extends LossModuleOptions {
  /** Whether the input is the logarithm of the rate. @default {true} */
  logInput?: boolean;
  /** Whether Stirling's approximation of the constant term is added. @default {false} */
  full?: boolean;
  /** Added to the rate before its logarithm is taken. @default {1e-8} */
  eps?: number;
}
const poissonArgs = signature<PoissonNLLLossOptions>(
  "PoissonNLLLoss",
  ["logInput", "full", "sizeAverage", "eps", "reduce", "reduction"],
);

/** The negative log-likelihood of counts. */
export class PoissonNLLLoss extends LossModule {
  /** Whether the input is the logarithm of the rate. */
  readonly logInput: boolean;
  /** Whether the constant term is added. */
  readonly full: boolean;
  /** Added to the rate before its logarithm is taken. */
  readonly eps: number;

  /** Takes `logInput, full, sizeAverage, eps, reduce, reduction`. */
  constructor(
    ...args: Args<PoissonNLLLossOptions, ["logInput", "full", "sizeAverage", "eps", "reduce", "reduction"]>
  ) {
    const o = poissonArgs(args);
    super(o);
    this.logInput = o.logInput ?? true;
    this.full = o.full ?? false;
    this.eps = o.eps ?? 1e-8;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { logInput, full, eps, reduction } = this;
    return F.poissonNllLoss(input, target, { logInput, full, eps, reduction });
  }
}

/** What {@linkcode GaussianNLLLoss} takes. */
export interface GaussianNLLLossOptions {
  /** Whether the constant term is added. @default {false} */
  full?: boolean;
  /** The least variance. @default {1e-6} */
  eps?: number;
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}
const gaussianArgs = signature<GaussianNLLLossOptions>("GaussianNLLLoss", [], ["full", "eps", "reduction"]);

/** The negative log-likelihood of values under normal distributions. */
export class GaussianNLLLoss extends LossModule {
  /** Whether the constant term is added. */
  readonly full: boolean;
  /** The least variance. */
  readonly eps: number;

  /** Takes `full`, `eps` and `reduction` by name. */
  constructor(...args: Args<GaussianNLLLossOptions, []>) {
    const o = gaussianArgs(args);
    super(o);
    this.full = o.full ?? false;
    this.eps = o.eps ?? 1e-6;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor, variance: Tensor | number): Tensor {
    return F.gaussianNllLoss(input, target, variance, { full: this.full, eps: this.eps, reduction: this.reduction });
  }
}

/** What {@linkcode CTCLoss} takes. */
export interface CTCLossOptions {
  /** The class of the blank. @default {0} */
  blank?: number;
  /** How the examples' losses become the result. @default {"mean"} */
  reduction?: Reduction;
  /** Whether infinite losses count as 0. @default {false} */
  zeroInfinity?: boolean;
}
const ctcArgs = signature<CTCLossOptions>("CTCLoss", ["blank", "reduction", "zeroInfinity"]);

/** Connectionist temporal classification. */
export class CTCLoss extends LossModule {
  /** The class of the blank. */
  readonly blank: number;
  /** Whether infinite losses count as 0. */
  readonly zeroInfinity: boolean;

  /** Takes `blank, reduction, zeroInfinity`. */
  constructor(...args: Args<CTCLossOptions, ["blank", "reduction", "zeroInfinity"]>) {
    const o = ctcArgs(args);
    super(o);
    this.blank = o.blank ?? 0;
    this.zeroInfinity = o.zeroInfinity ?? false;
  }

  /** The loss. */
  override forward(logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths): Tensor {
    const { blank, reduction, zeroInfinity } = this;
    return F.ctcLoss(logProbs, targets, inputLengths, targetLengths, { blank, reduction, zeroInfinity });
  }
}
