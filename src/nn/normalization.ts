/**
 * Normalisations of each example by itself: layer, group, root mean square, local response.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type FactoryOptions, onesParameter, zerosParameter } from "./factory.ts";
import * as F from "./functional.ts";
import { ones_, zeros_ } from "./init.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import { float, python } from "./repr.ts";

/** What {@linkcode LayerNorm} takes. */
export interface LayerNormOptions extends FactoryOptions {
  /** The sizes of the last dimensions, over which is normalised. */
  normalizedShape: number | readonly number[];
  /** Added to the variance. @default {1e-5} */
  eps?: number;
  /** Whether a factor and a shift per element are learned. @default {true} */
  elementwiseAffine?: boolean;
  /** Whether the shift is. @default {true} */
  bias?: boolean;
}
const layerNormArgs = signature<LayerNormOptions>(
  "LayerNorm",
  ["normalizedShape", "eps", "elementwiseAffine", "bias"],
  ["device", "dtype"],
  1,
);

/**
 * Normalises over the last dimensions.
 *
 * @see https://arxiv.org/abs/1607.06450
 */
export class LayerNorm extends Module {
  /** The sizes of the last dimensions. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance. */
  readonly eps: number;
  /** Whether factors are learned. */
  readonly elementwiseAffine: boolean;
  /** A factor per element, or `null`. */
  weight: Parameter | null;
  /** A shift per element, or `null`. */
  bias: Parameter | null;

  /** Takes `normalizedShape, eps, elementwiseAffine, bias`. */
  constructor(...args: Args<LayerNormOptions, ["normalizedShape", "eps", "elementwiseAffine", "bias"]>) {
    super();
    const o = layerNormArgs(args);
    this.normalizedShape = typeof o.normalizedShape === "number" ? [o.normalizedShape] : [...o.normalizedShape];
    this.eps = o.eps ?? 1e-5;
    this.elementwiseAffine = o.elementwiseAffine ?? true;
    this.weight = this.elementwiseAffine ? onesParameter(this.normalizedShape, o) : null;
    this.bias = this.elementwiseAffine && (o.bias ?? true) ? zerosParameter(this.normalizedShape, o) : null;
  }

  /** Sets factors to 1 and shifts to 0. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The normalised input. */
  override forward(input: Tensor): Tensor {
    return F.layerNorm(input, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `${python(this.normalizedShape)}, eps=${python(this.eps)}, ` +
      `elementwise_affine=${python(this.elementwiseAffine)}, bias=${python(this.bias !== null)}`;
  }
}

/** What {@linkcode RMSNorm} takes. */
export interface RMSNormOptions extends FactoryOptions {
  /** The sizes of the last dimensions, over which is normalised. */
  normalizedShape: number | readonly number[];
  /** Added to the mean square; the dtype's epsilon if missing. */
  eps?: number | null;
  /** Whether a factor per element is learned. @default {true} */
  elementwiseAffine?: boolean;
}
const rmsNormArgs = signature<RMSNormOptions>(
  "RMSNorm",
  ["normalizedShape", "eps", "elementwiseAffine"],
  ["device", "dtype"],
  1,
);

/**
 * Divides by the root mean square of the last dimensions.
 *
 * @see https://arxiv.org/abs/1910.07467
 */
export class RMSNorm extends Module {
  /** The sizes of the last dimensions. */
  readonly normalizedShape: readonly number[];
  /** Added to the mean square, or `null` for the dtype's epsilon. */
  readonly eps: number | null;
  /** Whether factors are learned. */
  readonly elementwiseAffine: boolean;
  /** A factor per element, or `null`. */
  weight: Parameter | null;

  /** Takes `normalizedShape, eps, elementwiseAffine`. */
  constructor(...args: Args<RMSNormOptions, ["normalizedShape", "eps", "elementwiseAffine"]>) {
    super();
    const o = rmsNormArgs(args);
    this.normalizedShape = typeof o.normalizedShape === "number" ? [o.normalizedShape] : [...o.normalizedShape];
    this.eps = o.eps ?? null;
    this.elementwiseAffine = o.elementwiseAffine ?? true;
    this.weight = this.elementwiseAffine ? onesParameter(this.normalizedShape, o) : null;
  }

  /** Sets factors to 1. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
  }

  /** The normalised input. */
  override forward(x: Tensor): Tensor {
    return F.rmsNorm(x, this.normalizedShape, this.weight, this.eps);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `${python(this.normalizedShape)}, eps=${python(this.eps)}, ` +
      `elementwise_affine=${python(this.elementwiseAffine)}`;
  }
}

/** What {@linkcode GroupNorm} takes. */
export interface GroupNormOptions extends FactoryOptions {
  /** Into how many groups the channels are split. */
  numGroups: number;
  /** Channels of the input. */
  numChannels: number;
  /** Added to the variance. @default {1e-5} */
  eps?: number;
  /** Whether a factor and a shift per channel are learned. @default {true} */
  affine?: boolean;
  /** Whether the shift is. @default {true} */
  bias?: boolean;
}
const groupNormArgs = signature<GroupNormOptions>(
  "GroupNorm",
  ["numGroups", "numChannels", "eps", "affine"],
  ["bias", "device", "dtype"],
  2,
);

/**
 * Normalises each example over groups of channels.
 *
 * @see https://arxiv.org/abs/1803.08494
 */
export class GroupNorm extends Module {
  /** Groups of channels. */
  readonly numGroups: number;
  /** Channels of the input. */
  readonly numChannels: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Whether factors are learned. */
  readonly affine: boolean;
  /** A factor per channel, or `null`. */
  weight: Parameter | null;
  /** A shift per channel, or `null`. */
  bias: Parameter | null;

  /** Takes `numGroups, numChannels, eps, affine`. */
  constructor(...args: Args<GroupNormOptions, ["numGroups", "numChannels", "eps", "affine"]>) {
    super();
    const o = groupNormArgs(args);
    if (o.numChannels % o.numGroups !== 0) {
      throw new ArgumentError(
        `GroupNorm(): num_channels must be divisible by num_groups: ${o.numChannels} % ${o.numGroups}`,
      );
    }
    this.numGroups = o.numGroups;
    this.numChannels = o.numChannels;
    this.eps = o.eps ?? 1e-5;
    this.affine = o.affine ?? true;
    this.weight = this.affine ? onesParameter([o.numChannels], o) : null;
    this.bias = this.affine && (o.bias ?? true) ? zerosParameter([o.numChannels], o) : null;
  }

  /** Sets factors to 1 and shifts to 0. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The normalised input. */
  override forward(input: Tensor): Tensor {
    return F.groupNorm(input, this.numGroups, this.weight, this.bias, this.eps);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${python(this.eps)}, affine=${python(this.affine)}, ` +
      `bias=${python(this.bias !== null)}`;
  }
}

/** What {@linkcode LocalResponseNorm} takes. */
export interface LocalResponseNormOptions {
  /** How many neighbouring channels are looked at. */
  size: number;
  /** Factor of their mean square. @default {1e-4} */
  alpha?: number;
  /** Exponent. @default {0.75} */
  beta?: number;
  /** Added before the exponent. @default {1} */
  k?: number;
}
const localResponseArgs = signature<LocalResponseNormOptions>(
  "LocalResponseNorm",
  ["size", "alpha", "beta", "k"],
  [],
  1,
);

/** Divides by a power of the mean square of neighbouring channels. */
export class LocalResponseNorm extends Module {
  /** How many neighbouring channels are looked at. */
  readonly size: number;
  /** Factor of their mean square. */
  readonly alpha: number;
  /** Exponent. */
  readonly beta: number;
  /** Added before the exponent. */
  readonly k: number;

  /** Takes `size, alpha, beta, k`. */
  constructor(...args: Args<LocalResponseNormOptions, ["size", "alpha", "beta", "k"]>) {
    super();
    const o = localResponseArgs(args);
    this.size = o.size;
    this.alpha = o.alpha ?? 1e-4;
    this.beta = o.beta ?? 0.75;
    this.k = o.k ?? 1;
  }

  /** The normalised input. */
  override forward(input: Tensor): Tensor {
    return F.localResponseNorm(input, this.size, this.alpha, this.beta, this.k);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `${this.size}, alpha=${python(this.alpha)}, beta=${python(this.beta)}, k=${float(this.k)}`;
  }
}
