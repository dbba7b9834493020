/**
 * Normalisations of each example on its own: layer, group, root-mean-square and local response normalisation.
 *
 * @module
 */

import { checkIntegers } from "../../base/checks.ts";
import { type Args, call } from "../../base/call.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { LocalResponseNormArgs } from "../../ops/nn/norm.ts";
import {
  type Both,
  checkSizes,
  FactoryArgs,
  type Given,
  onesParameter,
  type Where,
  zerosParameter,
} from "../module/factory.ts";
import * as F from "../functional.ts";
import { ones_, zeros_ } from "../init.ts";
import { type Layer, layer, shown } from "../module/layer.ts";
import { Module } from "../module/module.ts";
import { float, python } from "../module/repr.ts";

/** The parameters of {@linkcode LayerNorm}. */
export class LayerNormLayerArgs extends FactoryArgs {
  constructor(
    /** The shape of the last dimensions, over which the input is normalised. */
    public normalizedShape: number | readonly number[],
    /** The number ε that is added to the variance. */
    public eps = 1e-5,
    /** Whether a weight (factor) and a bias (shift) per element are learned. */
    public elementwiseAffine = true,
    /** Whether the bias is learned. */
    public bias = true,
  ) {
    super();
  }
}

const layerNormArgs = call("LayerNorm", LayerNormLayerArgs);

/** The sizes as a list, checked. */
function listed(op: string, normalizedShape: number | readonly number[]): number[] {
  const list = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  checkIntegers(op, "normalizedShape", list);
  for (const size of list) checkSizes(op, { normalizedShape: size });
  return [...list];
}

/** The option `elementwiseAffine` given by a layer's arguments. */
export type Elementwise<A extends readonly unknown[]> = Given<A, "elementwiseAffine", "2", true>;

/**
 * Layer normalisation: subtracts the mean and divides by the standard deviation of the last dimensions.
 *
 * @see https://arxiv.org/abs/1607.06450
 */
export class LayerNorm<A extends Args<typeof LayerNormLayerArgs> = Args<typeof LayerNormLayerArgs>> extends Module {
  /** The shape of the last dimensions, over which the input is normalised. */
  readonly normalizedShape: readonly number[];
  /** The number ε that is added to the variance. */
  readonly eps: number;
  /** Whether a weight per element or channel is learned. */
  readonly elementwiseAffine: boolean;
  /** The weight, of shape `normalizedShape`: a factor per element, or `null`. */
  weight: Where<Elementwise<A>>;
  /** The bias, of shape `normalizedShape`: a shift per element, or `null`. */
  bias: Where<Both<Elementwise<A>, Given<A, "bias", "3", true>>>;

  constructor(...args: A) {
    super();
    const o = layerNormArgs(args);
    const affine = o.elementwiseAffine;
    this.normalizedShape = listed("LayerNorm", o.normalizedShape);
    this.eps = o.eps;
    this.elementwiseAffine = affine;
    this.weight = (affine ? onesParameter(this.normalizedShape, o) : null) as typeof this.weight;
    this.bias = (affine && o.bias ? zerosParameter(this.normalizedShape, o) : null) as typeof this.bias;
  }

  /** Resets the weight to 1 and the bias to 0. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The normalised input, of the same shape. */
  override forward(input: Tensor): Tensor {
    checkTensor("LayerNorm", "input", input);
    return F.layerNorm(input, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `${python(this.normalizedShape)}, eps=${python(this.eps)}, ` +
      `elementwise_affine=${python(this.elementwiseAffine)}, bias=${python(this.bias !== null)}`;
  }
}

/** The parameters of {@linkcode RMSNorm}. */
export class RMSNormLayerArgs extends FactoryArgs {
  constructor(
    /** The shape of the last dimensions, over which the input is normalised. */
    public normalizedShape: number | readonly number[],
    /** The number ε that is added to the mean square; `null`: the dtype's machine epsilon. */
    public eps: number | null = null,
    /** Whether a weight (factor) per element is learned. */
    public elementwiseAffine = true,
  ) {
    super();
  }
}

const rmsNormArgs = call("RMSNorm", RMSNormLayerArgs);

/**
 * Root-mean-square normalisation: divides by the root mean square of the last dimensions.
 *
 * @see https://arxiv.org/abs/1910.07467
 */
export class RMSNorm<A extends Args<typeof RMSNormLayerArgs> = Args<typeof RMSNormLayerArgs>> extends Module {
  /** The shape of the last dimensions, over which the input is normalised. */
  readonly normalizedShape: readonly number[];
  /** The number ε that is added to the mean square; `null`: the dtype's machine epsilon. */
  readonly eps: number | null;
  /** Whether a weight per element or channel is learned. */
  readonly elementwiseAffine: boolean;
  /** The weight, of shape `normalizedShape`: a factor per element, or `null`. */
  weight: Where<Elementwise<A>>;

  constructor(...args: A) {
    super();
    const o = rmsNormArgs(args);
    this.normalizedShape = listed("RMSNorm", o.normalizedShape);
    this.eps = o.eps;
    this.elementwiseAffine = o.elementwiseAffine;
    this.weight = (o.elementwiseAffine ? onesParameter(this.normalizedShape, o) : null) as typeof this.weight;
  }

  /** Resets the weight to 1. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
  }

  /** The normalised input, of the same shape. */
  override forward(x: Tensor): Tensor {
    checkTensor("RMSNorm", "x", x);
    return F.rmsNorm(x, this.normalizedShape, this.weight, this.eps);
  }

  override extraRepr(): string {
    return `${python(this.normalizedShape)}, eps=${python(this.eps)}, ` +
      `elementwise_affine=${python(this.elementwiseAffine)}`;
  }
}

/** The parameters of {@linkcode GroupNorm}. */
export class GroupNormLayerArgs extends FactoryArgs {
  /** Whether the bias is learned. */
  bias = true;
  constructor(
    /** The number of groups that the channels are split into. */
    public numGroups: number,
    /** The number of channels C. */
    public numChannels: number,
    /** The number ε that is added to the variance. */
    public eps = 1e-5,
    /** Whether a weight (factor) and a bias (shift) per channel are learned. */
    public affine = true,
  ) {
    super();
  }
}

const groupNormArgs = call("GroupNorm", GroupNormLayerArgs);

/**
 * Group normalisation: subtracts the mean and divides by the standard deviation of each group of channels of each
 * example.
 *
 * @see https://arxiv.org/abs/1803.08494
 */
export class GroupNorm<A extends Args<typeof GroupNormLayerArgs> = Args<typeof GroupNormLayerArgs>> extends Module {
  /** The number of groups of channels. */
  readonly numGroups: number;
  /** The number of channels C. */
  readonly numChannels: number;
  /** The number ε that is added to the variance. */
  readonly eps: number;
  /** Whether a weight per element or channel is learned. */
  readonly affine: boolean;
  /** The weight `(C)`: a factor per channel, or `null`. */
  weight: Where<Given<A, "affine", "3", true>>;
  /** The bias `(C)`: a shift per channel, or `null`. */
  bias: Where<Both<Given<A, "affine", "3", true>, Given<A, "bias", "by name", true>>>;

  constructor(...args: A) {
    super();
    const o = groupNormArgs(args);
    const { numGroups, numChannels, affine } = o;
    checkSizes("GroupNorm", { numGroups, numChannels });
    if (numChannels % numGroups !== 0) {
      throw new ArgumentError(
        `GroupNorm(): numChannels must be divisible by numGroups: ${describe(numChannels)} % ${describe(numGroups)}`,
      );
    }
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = o.eps;
    this.affine = affine;
    this.weight = (affine ? onesParameter([numChannels], o) : null) as typeof this.weight;
    this.bias = (affine && o.bias ? zerosParameter([numChannels], o) : null) as typeof this.bias;
  }

  /** Resets the weight to 1 and the bias to 0. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The normalised input, of the same shape. */
  override forward(input: Tensor): Tensor {
    checkTensor("GroupNorm", "input", input);
    return F.groupNorm(input, this.numGroups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${python(this.eps)}, affine=${python(this.affine)}, ` +
      `bias=${python(this.bias !== null)}`;
  }
}

/** Local response normalisation: divides by a power of the mean square of neighbouring channels. */
export const LocalResponseNorm: Layer<typeof LocalResponseNormArgs> = layer({
  name: "LocalResponseNorm",
  params: LocalResponseNormArgs,
  call: (o, input: Tensor) => F.localResponseNorm(input, o.size, o.alpha, o.beta, o.k),
  repr: (o) => `${o.size}, ${shown(o, "alpha", "beta")}, k=${float(o.k)}`,
});
export type LocalResponseNorm = InstanceType<typeof LocalResponseNorm>;
