/**
 * Pooling: the largest, mean or p-norm of windows, of given size or chosen for a given output size.
 *
 * @module
 */

import type { Args, Named } from "../base/call.ts";
import {
  AdaptiveMaxPoolArgs,
  AdaptivePoolArgs,
  AvgPool1dArgs,
  AvgPoolArgs,
  LpPoolArgs,
  type OutputSize,
} from "../ops/nn/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Size, sizes } from "./factory.ts";
import * as F from "./functional.ts";
import { type Layer, layer, type LayerOf, shown, type Writable } from "./layer.ts";
import { float } from "./repr.ts";

/** The parameters of max-pooling layers. */
export class MaxPoolLayerArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Elements of -∞ on both sides. */
    public padding: Size = 0,
    /** Step between the window's elements. */
    public dilation: Size = 1,
    /** Whether `forward` gives `[output, indices]`. */
    public returnIndices = false,
    /** Whether a window that starts inside but ends outside counts. */
    public ceilMode = false,
  ) {}
}

/** The largest values and where they were found. */
export type WithIndices = [output: Tensor, indices: Tensor];

/** The class of a max-pooling layer; `returnIndices: true`, by name, gives `[output, indices]`. */
export interface MaxPoolLayer {
  /** With indices. */
  new (
    kernelSize: Size,
    named: Named<MaxPoolLayerArgs> & { returnIndices: true },
  ): LayerOf<typeof MaxPoolLayerArgs, [input: Tensor], WithIndices>;
  /** With indices and a stride. */
  new (
    kernelSize: Size,
    stride: Size | null,
    named: Named<MaxPoolLayerArgs> & { returnIndices: true },
  ): LayerOf<typeof MaxPoolLayerArgs, [input: Tensor], WithIndices>;
  /** The largest values alone. */
  new (...args: Args<typeof MaxPoolLayerArgs>): LayerOf<typeof MaxPoolLayerArgs>;
}

/** The class of an adaptive max-pooling layer; `returnIndices: true`, by name, gives `[output, indices]`. */
export interface AdaptiveMaxPoolLayer {
  /** With indices. */
  new (
    outputSize: OutputSize,
    named: { returnIndices: true },
  ): LayerOf<typeof AdaptiveMaxPoolArgs, [input: Tensor], WithIndices>;
  /** The largest values alone. */
  new (...args: Args<typeof AdaptiveMaxPoolArgs>): LayerOf<typeof AdaptiveMaxPoolArgs>;
}

/** The step of a window is its size unless it is given. */
function steps(o: Writable<{ kernelSize: Size; stride: Size | null }>): void {
  o.stride ??= o.kernelSize;
}

/** A max-pooling layer: the function of its dimensions, which gives indices if it is asked to. */
function maxPooling(name: string, pool: typeof F.maxPool2d): MaxPoolLayer {
  return layer({
    name,
    params: MaxPoolLayerArgs,
    init: steps,
    call: ({ kernelSize, stride, padding, dilation, ceilMode, returnIndices }, input: Tensor) =>
      // The type of the layer says which form it gives.
      pool(input, { kernelSize, stride, padding, dilation, ceilMode, returnIndices } as { kernelSize: Size }),
    repr: (o) => shown(o, "kernelSize", "stride", "padding", "dilation", "ceilMode"),
  }) as MaxPoolLayer;
}

/** The largest value of each window of `(N, C, L)` or `(C, L)`; with `returnIndices` an array of it and its index. */
export const MaxPool1d: MaxPoolLayer = maxPooling("MaxPool1d", F.maxPool1d);
export type MaxPool1d = InstanceType<typeof MaxPool1d>;

/** The largest value of each window of `(N, C, H, W)` or `(C, H, W)`; with `returnIndices` an array of it and its index. */
export const MaxPool2d: MaxPoolLayer = maxPooling("MaxPool2d", F.maxPool2d);
export type MaxPool2d = InstanceType<typeof MaxPool2d>;

/** The largest value of each window of `(N, C, D, H, W)` or `(C, D, H, W)`; with `returnIndices` an array of it and its index. */
export const MaxPool3d: MaxPoolLayer = maxPooling("MaxPool3d", F.maxPool3d);
export type MaxPool3d = InstanceType<typeof MaxPool3d>;

/** The mean of each window of `(N, C, L)` or `(C, L)`. */
export const AvgPool1d: Layer<typeof AvgPool1dArgs> = layer({
  name: "AvgPool1d",
  params: AvgPool1dArgs,
  init: (o) => {
    steps(o);
    o.kernelSize = sizes("AvgPool1d", "kernelSize", 1, o.kernelSize);
    o.stride = sizes("AvgPool1d", "stride", 1, o.stride!);
    o.padding = sizes("AvgPool1d", "padding", 1, o.padding);
  },
  call: (o, input: Tensor) => F.avgPool1d(input, o.kernelSize, o.stride, o.padding, o.ceilMode, o.countIncludePad),
  repr: (o) => shown(o, "kernelSize", "stride", "padding"),
});
export type AvgPool1d = InstanceType<typeof AvgPool1d>;

/** An average-pooling layer of several dimensions. */
function avgPooling(name: string, pool: typeof F.avgPool2d): Layer<typeof AvgPoolArgs> {
  return layer({
    name,
    params: AvgPoolArgs,
    init: steps,
    call: (o, input: Tensor) =>
      pool(input, o.kernelSize, o.stride, o.padding, o.ceilMode, o.countIncludePad, o.divisorOverride),
    repr: (o) => shown(o, "kernelSize", "stride", "padding"),
  });
}

/** The mean of each window of `(N, C, H, W)` or `(C, H, W)`. */
export const AvgPool2d: Layer<typeof AvgPoolArgs> = avgPooling("AvgPool2d", F.avgPool2d);
export type AvgPool2d = InstanceType<typeof AvgPool2d>;

/** The mean of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export const AvgPool3d: Layer<typeof AvgPoolArgs> = avgPooling("AvgPool3d", F.avgPool3d);
export type AvgPool3d = InstanceType<typeof AvgPool3d>;

/** A layer whose windows follow from the size of its output. */
function adaptive(name: string, pool: typeof F.adaptiveAvgPool2d): Layer<typeof AdaptivePoolArgs> {
  return layer({
    name,
    params: AdaptivePoolArgs,
    call: (o, input: Tensor) => pool(input, o.outputSize),
    repr: (o) => shown(o, "outputSize"),
  });
}

/** {@linkcode adaptive} for the largest values, with indices if it is asked to. */
function adaptiveMax(name: string, pool: typeof F.adaptiveMaxPool2d): AdaptiveMaxPoolLayer {
  return layer({
    name,
    params: AdaptiveMaxPoolArgs,
    // The type of the layer says which form it gives.
    call: (o, input: Tensor) => pool(input, o.outputSize, o.returnIndices as false),
    repr: (o) => shown(o, "outputSize"),
  }) as AdaptiveMaxPoolLayer;
}

/** Means of as many windows of `(N, C, L)` or `(C, L)` as the output has elements. */
export const AdaptiveAvgPool1d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool1d", F.adaptiveAvgPool1d);
export type AdaptiveAvgPool1d = InstanceType<typeof AdaptiveAvgPool1d>;

/** Means of as many windows of `(N, C, H, W)` or `(C, H, W)` as the output has elements. */
export const AdaptiveAvgPool2d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool2d", F.adaptiveAvgPool2d);
export type AdaptiveAvgPool2d = InstanceType<typeof AdaptiveAvgPool2d>;

/** Means of as many windows of `(N, C, D, H, W)` or `(C, D, H, W)` as the output has elements. */
export const AdaptiveAvgPool3d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool3d", F.adaptiveAvgPool3d);
export type AdaptiveAvgPool3d = InstanceType<typeof AdaptiveAvgPool3d>;

/** Largest values of as many windows of `(N, C, L)` or `(C, L)` as the output has elements. */
export const AdaptiveMaxPool1d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool1d", F.adaptiveMaxPool1d);
export type AdaptiveMaxPool1d = InstanceType<typeof AdaptiveMaxPool1d>;

/** Largest values of as many windows of `(N, C, H, W)` or `(C, H, W)` as the output has elements. */
export const AdaptiveMaxPool2d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool2d", F.adaptiveMaxPool2d);
export type AdaptiveMaxPool2d = InstanceType<typeof AdaptiveMaxPool2d>;

/** Largest values of as many windows of `(N, C, D, H, W)` or `(C, D, H, W)` as the output has elements. */
export const AdaptiveMaxPool3d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool3d", F.adaptiveMaxPool3d);
export type AdaptiveMaxPool3d = InstanceType<typeof AdaptiveMaxPool3d>;

/** A layer of p-norms of windows. */
function normPooling(name: string, pool: typeof F.lpPool2d): Layer<typeof LpPoolArgs> {
  return layer({
    name,
    params: LpPoolArgs,
    call: (o, input: Tensor) => pool(input, o.normType, o.kernelSize, o.stride, o.ceilMode),
    repr: (o) => `norm_type=${float(o.normType)}, ${shown(o, "kernelSize", "stride", "ceilMode")}`,
  });
}

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, L)` or `(C, L)`. */
export const LPPool1d: Layer<typeof LpPoolArgs> = normPooling("LPPool1d", F.lpPool1d);
export type LPPool1d = InstanceType<typeof LPPool1d>;

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, H, W)` or `(C, H, W)`. */
export const LPPool2d: Layer<typeof LpPoolArgs> = normPooling("LPPool2d", F.lpPool2d);
export type LPPool2d = InstanceType<typeof LPPool2d>;

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export const LPPool3d: Layer<typeof LpPoolArgs> = normPooling("LPPool3d", F.lpPool3d);
export type LPPool3d = InstanceType<typeof LPPool3d>;

/** The parameters of unpooling layers. */
export class MaxUnpoolLayerArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Padding of the pooling that is undone. */
    public padding: Size = 0,
  ) {}
}

/** What unpooling is called with: `outputSize` picks one of the sizes that are possible. */
export type UnpoolInputs = [input: Tensor, indices: Tensor, outputSize?: readonly number[] | null];

/** An unpooling layer of `dims` dimensions. */
function unpooling(
  name: string,
  dims: number,
  unpool: typeof F.maxUnpool2d,
): Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> {
  return layer({
    name,
    params: MaxUnpoolLayerArgs,
    init: (o) => {
      steps(o);
      o.kernelSize = sizes(name, "kernelSize", dims, o.kernelSize);
      o.stride = sizes(name, "stride", dims, o.stride!);
      o.padding = sizes(name, "padding", dims, o.padding);
    },
    call: (o, ...[input, indices, outputSize = null]: UnpoolInputs) =>
      unpool(input, indices, o.kernelSize, o.stride, o.padding, outputSize),
    repr: (o) => shown(o, "kernelSize", "stride", "padding"),
  });
}

/** Puts the values of {@linkcode MaxPool1d} back where they came from in `(N, C, L)`, zeros elsewhere. */
export const MaxUnpool1d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool1d", 1, F.maxUnpool1d);
export type MaxUnpool1d = InstanceType<typeof MaxUnpool1d>;

/** Puts the values of {@linkcode MaxPool2d} back where they came from in `(N, C, H, W)`, zeros elsewhere. */
export const MaxUnpool2d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool2d", 2, F.maxUnpool2d);
export type MaxUnpool2d = InstanceType<typeof MaxUnpool2d>;

/** Puts the values of {@linkcode MaxPool3d} back where they came from in `(N, C, D, H, W)`, zeros elsewhere. */
export const MaxUnpool3d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool3d", 3, F.maxUnpool3d);
export type MaxUnpool3d = InstanceType<typeof MaxUnpool3d>;
