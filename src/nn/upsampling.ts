/**
 * Layers that resize images, and those that measure distances of vectors.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import type { InterpolateMode } from "../ops/interpolate.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Size } from "./factory.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { float, python } from "./repr.ts";

/** What {@linkcode Upsample} takes. */
export interface UpsampleOptions {
  /** Sizes of the output. */
  size?: Size | null;
  /** Or factors of the input's sizes. */
  scaleFactor?: Size | null;
  /** How values are found. @default {"nearest"} */
  mode?: InterpolateMode;
  /** Whether corner pixels keep their values. */
  alignCorners?: boolean | null;
  /** Whether the factor is computed again from the sizes. */
  recomputeScaleFactor?: boolean | null;
}
const upsampleArgs = signature<UpsampleOptions>(
  "Upsample",
  ["size", "scaleFactor", "mode", "alignCorners", "recomputeScaleFactor"],
);

/** Resizes `(N, C, *)`. */
export class Upsample extends Module {
  /** Sizes of the output, or `null`. */
  readonly size: Size | null;
  /** Factors of the input's sizes, or `null`. */
  readonly scaleFactor: Size | null;
  /** How values are found. */
  readonly mode: InterpolateMode;
  /** Whether corner pixels keep their values. */
  readonly alignCorners: boolean | null;
  /** Whether the factor is computed again from the sizes. */
  readonly recomputeScaleFactor: boolean | null;

  /** Takes `size, scaleFactor, mode, alignCorners, recomputeScaleFactor`. */
  constructor(
    ...args: Args<UpsampleOptions, ["size", "scaleFactor", "mode", "alignCorners", "recomputeScaleFactor"]>
  ) {
    super();
    const o = upsampleArgs(args);
    this.size = o.size ?? null;
    this.scaleFactor = o.scaleFactor ?? null;
    this.mode = o.mode ?? "nearest";
    this.alignCorners = o.alignCorners ?? null;
    this.recomputeScaleFactor = o.recomputeScaleFactor ?? null;
  }

  /** The resized input. */
  override forward(input: Tensor): Tensor {
    const { size, scaleFactor, mode, alignCorners, recomputeScaleFactor } = this;
    return F.interpolate(input, { size, scaleFactor, mode, alignCorners, recomputeScaleFactor });
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    const { scaleFactor } = this;
    if (scaleFactor === null) return `size=${python(this.size)}, mode=${python(this.mode)}`;
    const factor = typeof scaleFactor === "number" ? float(scaleFactor) : `(${scaleFactor.map(float).join(", ")})`;
    return `scale_factor=${factor}, mode=${python(this.mode)}`;
  }
}

/** What the upsampling layers with a fixed mode take. */
export interface FixedUpsampleOptions {
  /** Sizes of the output. */
  size?: Size | null;
  /** Or factors of the input's sizes. */
  scaleFactor?: Size | null;
}
const fixedArgs = signature<FixedUpsampleOptions>("Upsampling", ["size", "scaleFactor"]);

/** Resizes `(N, C, H, W)` by repeating values. */
export class UpsamplingNearest2d extends Upsample {
  /** Takes `size, scaleFactor`. */
  constructor(...args: Args<FixedUpsampleOptions, ["size", "scaleFactor"]>) {
    super({ ...fixedArgs(args), mode: "nearest" });
  }
}

/** Resizes `(N, C, H, W)` linearly, corners kept. */
export class UpsamplingBilinear2d extends Upsample {
  /** Takes `size, scaleFactor`. */
  constructor(...args: Args<FixedUpsampleOptions, ["size", "scaleFactor"]>) {
    super({ ...fixedArgs(args), mode: "bilinear", alignCorners: true });
  }
}

/** What {@linkcode CosineSimilarity} takes. */
export interface CosineSimilarityOptions {
  /** The dimension of the vectors. @default {1} */
  dim?: number;
  /** The least length that counts. @default {1e-8} */
  eps?: number;
}
const cosineArgs = signature<CosineSimilarityOptions>("CosineSimilarity", ["dim", "eps"]);

/** The cosine of the angle between vectors. */
export class CosineSimilarity extends Module {
  /** The dimension of the vectors. */
  readonly dim: number;
  /** The least length that counts. */
  readonly eps: number;

  /** Takes `dim, eps`. */
  constructor(...args: Args<CosineSimilarityOptions, ["dim", "eps"]>) {
    super();
    const o = cosineArgs(args);
    this.dim = o.dim ?? 1;
    this.eps = o.eps ?? 1e-8;
  }

  /** The cosines. */
  override forward(x1: Tensor, x2: Tensor): Tensor {
    return F.cosineSimilarity(x1, x2, this.dim, this.eps);
  }
}

/** What {@linkcode PairwiseDistance} takes. */
export interface PairwiseDistanceOptions {
  /** The exponent of the norm. @default {2} */
  p?: number;
  /** Added to the difference. @default {1e-6} */
  eps?: number;
  /** Whether the last dimension stays, with size 1. @default {false} */
  keepdim?: boolean;
}
const pairwiseArgs = signature<PairwiseDistanceOptions>("PairwiseDistance", ["p", "eps", "keepdim"]);

/** The p-norm of the difference of vectors. */
export class PairwiseDistance extends Module {
  /** The exponent of the norm. */
  readonly norm: number;
  /** Added to the difference. */
  readonly eps: number;
  /** Whether the last dimension stays. */
  readonly keepdim: boolean;

  /** Takes `p, eps, keepdim`. */
  constructor(...args: Args<PairwiseDistanceOptions, ["p", "eps", "keepdim"]>) {
    super();
    const o = pairwiseArgs(args);
    this.norm = o.p ?? 2;
    this.eps = o.eps ?? 1e-6;
    this.keepdim = o.keepdim ?? false;
  }

  /** The distances. */
  override forward(x1: Tensor, x2: Tensor): Tensor {
    return F.pairwiseDistance(x1, x2, this.norm, this.eps, this.keepdim);
  }
}
