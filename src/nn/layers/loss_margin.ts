/**
 * Losses with a margin as modules: each stores the options of the function of the same name and calls it.
 *
 * @module
 */

import { ArgumentError, describe } from "../../base/errors.ts";
import { HingeLossArgs } from "../../ops/loss/loss.ts";
import { MultiMarginLossArgs } from "../../ops/loss/loss_class.ts";
import type { Reduction } from "../../ops/loss/loss_core.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import * as F from "../functional.ts";
import type { Layer } from "../module/layer.ts";
import { checkMargin, loss, type LossInputs } from "./loss_base.ts";

/** Hinge embedding loss of a distance: the input where the target is 1, `max(0, margin - input)` where it is -1. */
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
    /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
    public reduction: Reduction = "mean",
  ) {}
}

/** The arguments of a call of the losses that compare two inputs. */
export type PairInputs = [input1: Tensor, input2: Tensor, target: Tensor];

/** Ranking loss of two scores: `max(0, margin - target · (input1 - input2))`, with targets 1 and -1. */
export const MarginRankingLoss: Layer<typeof MarginLossArgs, PairInputs> = loss({
  name: "MarginRankingLoss",
  params: MarginLossArgs,
  call: ({ margin, reduction }, ...inputs: PairInputs) => F.marginRankingLoss(...inputs, { margin, reduction }),
});
export type MarginRankingLoss = InstanceType<typeof MarginRankingLoss>;

/**
 * Cosine embedding loss: `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1; `cos` is the cosine
 * similarity of the inputs.
 */
export const CosineEmbeddingLoss: Layer<typeof MarginLossArgs, PairInputs> = loss({
  name: "CosineEmbeddingLoss",
  params: MarginLossArgs,
  call: ({ margin, reduction }, ...inputs: PairInputs) => F.cosineEmbeddingLoss(...inputs, { margin, reduction }),
});
export type CosineEmbeddingLoss = InstanceType<typeof CosineEmbeddingLoss>;

/** Multi-class margin loss: hinge loss between the score of the target class and those of the others. */
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
    /** The exponent p of the distance, which is the p-norm of the difference. */
    public p = 2,
    /** The number ε that is added to differences, for numerical stability. */
    public eps = 1e-6,
    /**
     * Whether the distance swap is used: the negative is compared with the anchor or the positive, whichever is nearer.
     */
    public swap = false,
    /** Deprecated: `false` means `"sum"`. */
    public sizeAverage: boolean | null = null,
    /** Deprecated: `false` means `"none"`. */
    public reduce: boolean | null = null,
    /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
    public reduction: Reduction = "mean",
  ) {}
}

/** The arguments of a call of the triplet losses. */
export type TripletInputs = [anchor: Tensor, positive: Tensor, negative: Tensor];

/** Triplet loss: `max(0, d(anchor, positive) - d(anchor, negative) + margin)`, where d is the p-norm distance. */
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
  /** The distance function of two batches of vectors; `null`: the Euclidean distance. */
  distanceFunction: ((a: Tensor, b: Tensor) => Tensor) | null = null;
  /** The margin. */
  margin = 1;
  /**
   * Whether the distance swap is used: the negative is compared with the anchor or the positive, whichever is nearer.
   */
  swap = false;
  /** The reduction of the elements' losses: `"mean"`, `"sum"` or `"none"`. */
  reduction: Reduction = "mean";
}

/** {@linkcode TripletMarginLoss} with any distance function. */
export const TripletMarginWithDistanceLoss: Layer<typeof TripletDistanceLossArgs, TripletInputs> = loss({
  name: "TripletMarginWithDistanceLoss",
  params: TripletDistanceLossArgs,
  init: (o) => checkMargin("TripletMarginWithDistanceLoss", o),
  call: ({ distanceFunction, margin, swap, reduction }, ...inputs: TripletInputs) =>
    F.tripletMarginWithDistanceLoss(...inputs, { distanceFunction, margin, swap, reduction }),
});
export type TripletMarginWithDistanceLoss = InstanceType<typeof TripletMarginWithDistanceLoss>;
