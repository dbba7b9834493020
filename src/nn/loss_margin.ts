/**
 * Losses with a margin as modules: each holds the options of the function of the same name.
 *
 * @module
 */

import { ArgumentError, describe } from "../base/errors.ts";
import { HingeLossArgs } from "../ops/loss/loss.ts";
import { MultiMarginLossArgs } from "../ops/loss/loss_class.ts";
import type { Reduction } from "../ops/loss/loss_core.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import type { Layer } from "./layer.ts";
import { checkMargin, loss, type LossInputs } from "./loss_base.ts";

/** The input where the target is 1, `max(0, margin - input)` where it is -1. */
export const HingeEmbeddingLoss: Layer<typeof HingeLossArgs, LossInputs> = loss({
  name: "HingeEmbeddingLoss",
  params: HingeLossArgs,
  call: ({ margin, reduction }, ...inputs: LossInputs) => F.hingeEmbeddingLoss(...inputs, { margin, reduction }),
});
export type HingeEmbeddingLoss = InstanceType<typeof HingeEmbeddingLoss>;

/** The parameters of {@linkcode MarginRankingLoss} and {@linkcode CosineEmbeddingLoss}. */
export class MarginLossArgs {
  constructor(
    /** The margin. */
    public margin = 0,
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
  ) {}
}

/** What losses that compare two inputs are called with. */
export type PairInputs = [input1: Tensor, input2: Tensor, target: Tensor];

/** `max(0, margin - target · (input1 - input2))`. */
export const MarginRankingLoss: Layer<typeof MarginLossArgs, PairInputs> = loss({
  name: "MarginRankingLoss",
  params: MarginLossArgs,
  call: ({ margin, reduction }, ...inputs: PairInputs) => F.marginRankingLoss(...inputs, { margin, reduction }),
});
export type MarginRankingLoss = InstanceType<typeof MarginRankingLoss>;

/** `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1. */
export const CosineEmbeddingLoss: Layer<typeof MarginLossArgs, PairInputs> = loss({
  name: "CosineEmbeddingLoss",
  params: MarginLossArgs,
  call: ({ margin, reduction }, ...inputs: PairInputs) => F.cosineEmbeddingLoss(...inputs, { margin, reduction }),
});
export type CosineEmbeddingLoss = InstanceType<typeof CosineEmbeddingLoss>;

/** Margins between the target class and the others. */
export const MultiMarginLoss: Layer<typeof MultiMarginLossArgs, LossInputs> = loss({
  name: "MultiMarginLoss",
  params: MultiMarginLossArgs,
  buffers: ["weight"],
  init: ({ p }) => {
    if (p !== 1 && p !== 2) throw new ArgumentError(`MultiMarginLoss(): p must be 1 or 2: ${describe(p)}`);
  },
  call: ({ p, margin, weight, reduction }, ...inputs: LossInputs) =>
    F.multiMarginLoss(...inputs, { p, margin, weight, reduction }),
});
export type MultiMarginLoss = InstanceType<typeof MultiMarginLoss>;

/** The parameters of {@linkcode TripletMarginLoss}. */
export class TripletMarginLossLayerArgs {
  constructor(
    /** The margin. */
    public margin = 1,
    /** The exponent of the distance. */
    public p = 2,
    /** Added to differences. */
    public eps = 1e-6,
    /** Whether the negative is compared with the nearer of anchor and positive. */
    public swap = false,
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** How the elements' losses become the result. */
    public reduction: Reduction = "mean",
  ) {}
}

/** What triplet losses are called with. */
export type TripletInputs = [anchor: Tensor, positive: Tensor, negative: Tensor];

/** `max(0, d(anchor, positive) - d(anchor, negative) + margin)`. */
export const TripletMarginLoss: Layer<typeof TripletMarginLossLayerArgs, TripletInputs> = loss({
  name: "TripletMarginLoss",
  params: TripletMarginLossLayerArgs,
  init: (o) => checkMargin("TripletMarginLoss", o),
  call: ({ margin, p, eps, swap, reduction }, ...inputs: TripletInputs) =>
    F.tripletMarginLoss(...inputs, { margin, p, eps, swap, reduction }),
});
export type TripletMarginLoss = InstanceType<typeof TripletMarginLoss>;

/** The parameters of {@linkcode TripletMarginWithDistanceLoss}. */
export class TripletDistanceLossArgs {
  /** The distance of two batches of vectors; `null`: the Euclidean one. */
  distanceFunction: ((a: Tensor, b: Tensor) => Tensor) | null = null;
  /** The margin. */
  margin = 1;
  /** Whether the negative is compared with the nearer of anchor and positive. */
  swap = false;
  /** How the elements' losses become the result. */
  reduction: Reduction = "mean";
}

/** {@linkcode TripletMarginLoss} with any distance. */
export const TripletMarginWithDistanceLoss: Layer<typeof TripletDistanceLossArgs, TripletInputs> = loss({
  name: "TripletMarginWithDistanceLoss",
  params: TripletDistanceLossArgs,
  init: (o) => checkMargin("TripletMarginWithDistanceLoss", o),
  call: ({ distanceFunction, margin, swap, reduction }, ...inputs: TripletInputs) =>
    F.tripletMarginWithDistanceLoss(...inputs, { distanceFunction, margin, swap, reduction }),
});
export type TripletMarginWithDistanceLoss = InstanceType<typeof TripletMarginWithDistanceLoss>;
