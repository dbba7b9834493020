/**
 * Losses with a margin as modules: each holds the options of the function of the same name.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Reduction } from "../ops/loss_core.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import {
  LossModule,
  type LossModuleOptions,
  type Standard,
  WeightedLossModule,
  type WeightedLossModuleOptions,
} from "./loss_base.ts";

/** What losses with a margin take. */
export interface MarginLossOptions extends LossModuleOptions {
  /** The margin. */
  margin?: number;
}
const marginArgs = signature<MarginLossOptions>("MarginLoss", ["margin", "sizeAverage", "reduce", "reduction"]);

/** The input where the target is 1, `max(0, margin - input)` where it is -1. */
export class HingeEmbeddingLoss extends LossModule {
  /** The margin; default 1. */
  readonly margin: number;

  /** Takes `margin, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<MarginLossOptions, ["margin", ...Standard]>) {
    const o = marginArgs(args);
    super(o);
    this.margin = o.margin ?? 1;
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** `max(0, margin - target · (input1 - input2))`. */
export class MarginRankingLoss extends LossModule {
  /** The margin; default 0. */
  readonly margin: number;

  /** Takes `margin, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<MarginLossOptions, ["margin", ...Standard]>) {
    const o = marginArgs(args);
    super(o);
    this.margin = o.margin ?? 0;
  }

  /** The loss. */
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.marginRankingLoss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1. */
export class CosineEmbeddingLoss extends LossModule {
  /** The margin; default 0. */
  readonly margin: number;

  /** Takes `margin, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<MarginLossOptions, ["margin", ...Standard]>) {
    const o = marginArgs(args);
    super(o);
    this.margin = o.margin ?? 0;
  }

  /** The loss. */
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** What {@linkcode MultiMarginLoss} takes. */
export interface MultiMarginLossOptions extends WeightedLossModuleOptions {
  /** The exponent, 1 or 2. @default {1} */
  p?: number;
  /** The margin. @default {1} */
  margin?: number;
}
const multiMarginArgs = signature<MultiMarginLossOptions>(
  "MultiMarginLoss",
  ["p", "margin", "weight", "sizeAverage", "reduce", "reduction"],
);

/** Margins between the target class and the others. */
export class MultiMarginLoss extends WeightedLossModule {
  /** The exponent. */
  readonly p: number;
  /** The margin. */
  readonly margin: number;

  /** Takes `p, margin, weight, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<MultiMarginLossOptions, ["p", "margin", "weight", ...Standard]>) {
    const o = multiMarginArgs(args);
    super(o);
    this.p = o.p ?? 1;
    this.margin = o.margin ?? 1;
    if (this.p !== 1 && this.p !== 2) throw new ArgumentError(`MultiMarginLoss(): p must be 1 or 2: ${this.p}`);
  }

  /** The loss. */
  override forward(input: Tensor, target: Tensor): Tensor {
    const { p, margin, weight, reduction } = this;
    return F.multiMarginLoss(input, target, { p, margin, weight, reduction });
  }
}

/** What {@linkcode TripletMarginLoss} takes. */
export interface TripletMarginLossOptions extends LossModuleOptions {
  /** The margin. @default {1} */
  margin?: number;
  /** The exponent of the distance. @default {2} */
  p?: number;
  /** Added to differences. @default {1e-6} */
  eps?: number;
  /** Whether the negative is compared with the nearer of anchor and positive. @default {false} */
  swap?: boolean;
}
const tripletArgs = signature<TripletMarginLossOptions>(
  "TripletMarginLoss",
  ["margin", "p", "eps", "swap", "sizeAverage", "reduce", "reduction"],
);

/** `max(0, d(anchor, positive) - d(anchor, negative) + margin)`. */
export class TripletMarginLoss extends LossModule {
  /** The margin. */
  readonly margin: number;
  /** The exponent of the distance. */
  readonly p: number;
  /** Added to differences. */
  readonly eps: number;
  /** Whether the negative is compared with the nearer of anchor and positive. */
  readonly swap: boolean;

  /** Takes `margin, p, eps, swap, sizeAverage, reduce, reduction`. */
  constructor(...args: Args<TripletMarginLossOptions, ["margin", "p", "eps", "swap", ...Standard]>) {
    const o = tripletArgs(args);
    super(o);
    this.margin = o.margin ?? 1;
    this.p = o.p ?? 2;
    this.eps = o.eps ?? 1e-6;
    this.swap = o.swap ?? false;
    if (!(this.margin > 0)) {
      throw new ArgumentError(`TripletMarginLoss(): expected margin to be greater than 0, got ${this.margin}`);
    }
  }

  /** The loss. */
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { margin, p, eps, swap, reduction } = this;
    return F.tripletMarginLoss(anchor, positive, negative, { margin, p, eps, swap, reduction });
  }
}

/** What {@linkcode TripletMarginWithDistanceLoss} takes. */
export interface TripletMarginWithDistanceLossOptions {
  /** The distance of two batches of vectors; the Euclidean one if missing. */
  distanceFunction?: ((a: Tensor, b: Tensor) => Tensor) | null;
  /** The margin. @default {1} */
  margin?: number;
  /** Whether the negative is compared with the nearer of anchor and positive. @default {false} */
  swap?: boolean;
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}
const tripletDistanceArgs = signature<TripletMarginWithDistanceLossOptions>(
  "TripletMarginWithDistanceLoss",
  [],
  ["distanceFunction", "margin", "swap", "reduction"],
);

/** {@linkcode TripletMarginLoss} with any distance. */
export class TripletMarginWithDistanceLoss extends LossModule {
  /** The distance, or `null` for the Euclidean one. */
  readonly distanceFunction: ((a: Tensor, b: Tensor) => Tensor) | null;
  /** The margin. */
  readonly margin: number;
  /** Whether the negative is compared with the nearer of anchor and positive. */
  readonly swap: boolean;

  /** Takes `distanceFunction`, `margin`, `swap` and `reduction` by name. */
  constructor(...args: Args<TripletMarginWithDistanceLossOptions, []>) {
    const o = tripletDistanceArgs(args);
    super(o);
    this.distanceFunction = o.distanceFunction ?? null;
    this.margin = o.margin ?? 1;
    this.swap = o.swap ?? false;
    if (!(this.margin > 0)) {
      throw new ArgumentError(
        `TripletMarginWithDistanceLoss(): expected margin to be greater than 0, got ${this.margin}`,
      );
    }
  }

  /** The loss. */
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { distanceFunction, margin, swap, reduction } = this;
    return F.tripletMarginWithDistanceLoss(anchor, positive, negative, { distanceFunction, margin, swap, reduction });
  }
}
