/**
 * Pooling layers: the maximum, mean or p-norm of windows. The size of the windows is given, or follows from that of the
 * output (adaptive pooling).
 *
 * @module
 */

import type { Args, Named } from "../../base/call.ts";
import {
  AdaptiveMaxPoolArgs,
  AdaptivePoolArgs,
  AvgPool1dArgs,
  AvgPoolArgs,
  LpPoolArgs,
  type OutputSize,
} from "../../ops/nn/pool.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Size, sizes } from "../module/factory.ts";
import * as F from "../functional.ts";
import { type Layer, layer, type LayerOf, shown, type Writable } from "../module/layer.ts";
import { float } from "../module/repr.ts";

/** The parameters of max-pooling layers. */
export class MaxPoolLayerArgs {
  constructor(
    /** Kernel size: the size of the window. */
    public kernelSize: Size,
    /** Stride: the distance between neighbouring windows; `null`: the kernel size. */
    public stride: Size | null = null,
    /** Padding: elements of -∞ added on both sides. */
    public padding: Size = 0,
    /** Dilation: the distance between neighbouring elements of the window. */
    public dilation: Size = 1,
    /** Whether `forward` returns `[output, indices]`. */
    public returnIndices = false,
    /**
     * Whether the output size is rounded up: windows that start inside but end outside of the padded input count, too.
     */
    public ceilMode = false,
  ) {}
}

/** The maxima, and the flat index of each within its plane. */
export type WithIndices = [output: Tensor, indices: Tensor];

/** The class of a max-pooling layer; `returnIndices: true`, by name, gives `[output, indices]`. */
export interface MaxPoolLayer {
  /** A layer whose `forward` returns `[output, indices]`. */
  new (
    kernelSize: Size,
    named: Named<MaxPoolLayerArgs> & { returnIndices: true },
  ): LayerOf<typeof MaxPoolLayerArgs, [input: Tensor], WithIndices>;
  /** A layer with a stride by position, whose `forward` returns `[output, indices]`. */
  new (
    kernelSize: Size,
    stride: Size | null,
    named: Named<MaxPoolLayerArgs> & { returnIndices: true },
  ): LayerOf<typeof MaxPoolLayerArgs, [input: Tensor], WithIndices>;
  /** A layer whose `forward` returns the maxima alone. */
  new (...args: Args<typeof MaxPoolLayerArgs>): LayerOf<typeof MaxPoolLayerArgs>;
}

/** The class of an adaptive max-pooling layer; `returnIndices: true`, by name, gives `[output, indices]`. */
export interface AdaptiveMaxPoolLayer {
  /** A layer whose `forward` returns `[output, indices]`. */
  new (
    outputSize: OutputSize,
    named: { returnIndices: true },
  ): LayerOf<typeof AdaptiveMaxPoolArgs, [input: Tensor], WithIndices>;
  /** A layer whose `forward` returns the maxima alone. */
  new (...args: Args<typeof AdaptiveMaxPoolArgs>): LayerOf<typeof AdaptiveMaxPoolArgs>;
}

/** Sets a missing stride to the kernel size. */
function steps(o: Writable<{ kernelSize: Size; stride: Size | null }>): void {
  o.stride ??= o.kernelSize;
}

/** Defines a max-pooling layer that calls the function of its number of dimensions. */
function maxPooling(name: string, pool: typeof F.maxPool2d): MaxPoolLayer {
  return layer({
    name,
    params: MaxPoolLayerArgs,
    init: steps,
    call: ({ kernelSize, stride, padding, dilation, ceilMode, returnIndices }, input: Tensor) =>
      // The type of the layer says which form of result `forward` has.
      pool(input, { kernelSize, stride, padding, dilation, ceilMode, returnIndices } as { kernelSize: Size }),
    repr: (o) => shown(o, "kernelSize", "stride", "padding", "dilation", "ceilMode"),
  }) as MaxPoolLayer;
}

/**
 * Max pooling: the maximum of each window of `(N, C, L)` or `(C, L)`; with `returnIndices` an array of the maxima and
 * their indices.
 */
export const MaxPool1d: MaxPoolLayer = maxPooling("MaxPool1d", F.maxPool1d);
export type MaxPool1d = InstanceType<typeof MaxPool1d>;

/**
 * Max pooling: the maximum of each window of `(N, C, H, W)` or `(C, H, W)`; with `returnIndices` an array of the maxima
 * and their indices.
 */
export const MaxPool2d: MaxPoolLayer = maxPooling("MaxPool2d", F.maxPool2d);
export type MaxPool2d = InstanceType<typeof MaxPool2d>;

/**
 * Max pooling: the maximum of each window of `(N, C, D, H, W)` or `(C, D, H, W)`; with `returnIndices` an array of the
 * maxima and their indices.
 */
export const MaxPool3d: MaxPoolLayer = maxPooling("MaxPool3d", F.maxPool3d);
export type MaxPool3d = InstanceType<typeof MaxPool3d>;

/** Average pooling: the mean of each window of `(N, C, L)` or `(C, L)`. */
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

/** Defines an average-pooling layer of several dimensions. */
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

/** Average pooling: the mean of each window of `(N, C, H, W)` or `(C, H, W)`. */
export const AvgPool2d: Layer<typeof AvgPoolArgs> = avgPooling("AvgPool2d", F.avgPool2d);
export type AvgPool2d = InstanceType<typeof AvgPool2d>;

/** Average pooling: the mean of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export const AvgPool3d: Layer<typeof AvgPoolArgs> = avgPooling("AvgPool3d", F.avgPool3d);
export type AvgPool3d = InstanceType<typeof AvgPool3d>;

/** Defines an adaptive pooling layer, whose windows follow from the size of its output. */
function adaptive(name: string, pool: typeof F.adaptiveAvgPool2d): Layer<typeof AdaptivePoolArgs> {
  return layer({
    name,
    params: AdaptivePoolArgs,
    call: (o, input: Tensor) => pool(input, o.outputSize),
    repr: (o) => shown(o, "outputSize"),
  });
}

/** Defines an adaptive max-pooling layer. */
function adaptiveMax(name: string, pool: typeof F.adaptiveMaxPool2d): AdaptiveMaxPoolLayer {
  return layer({
    name,
    params: AdaptiveMaxPoolArgs,
    // The type of the layer says which form of result `forward` has.
    call: (o, input: Tensor) => pool(input, o.outputSize, o.returnIndices as false),
    repr: (o) => shown(o, "outputSize"),
  }) as AdaptiveMaxPoolLayer;
}

/**
 * Adaptive average pooling: splits the length of `(N, C, L)` or `(C, L)` into `outputSize` windows and returns their
 * means.
 */
export const AdaptiveAvgPool1d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool1d", F.adaptiveAvgPool1d);
export type AdaptiveAvgPool1d = InstanceType<typeof AdaptiveAvgPool1d>;

/**
 * Adaptive average pooling: splits each plane of `(N, C, H, W)` or `(C, H, W)` into `outputSize` windows and returns
 * their means.
 */
export const AdaptiveAvgPool2d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool2d", F.adaptiveAvgPool2d);
export type AdaptiveAvgPool2d = InstanceType<typeof AdaptiveAvgPool2d>;

/**
 * Adaptive average pooling: splits each volume of `(N, C, D, H, W)` or `(C, D, H, W)` into `outputSize` windows and
 * returns their means.
 */
export const AdaptiveAvgPool3d: Layer<typeof AdaptivePoolArgs> = adaptive("AdaptiveAvgPool3d", F.adaptiveAvgPool3d);
export type AdaptiveAvgPool3d = InstanceType<typeof AdaptiveAvgPool3d>;

/**
 * Adaptive max pooling: splits the length of `(N, C, L)` or `(C, L)` into `outputSize` windows and returns their
 * maxima.
 */
export const AdaptiveMaxPool1d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool1d", F.adaptiveMaxPool1d);
export type AdaptiveMaxPool1d = InstanceType<typeof AdaptiveMaxPool1d>;

/**
 * Adaptive max pooling: splits each plane of `(N, C, H, W)` or `(C, H, W)` into `outputSize` windows and returns their
 * maxima.
 */
export const AdaptiveMaxPool2d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool2d", F.adaptiveMaxPool2d);
export type AdaptiveMaxPool2d = InstanceType<typeof AdaptiveMaxPool2d>;

/**
 * Adaptive max pooling: splits each volume of `(N, C, D, H, W)` or `(C, D, H, W)` into `outputSize` windows and returns
 * their maxima.
 */
export const AdaptiveMaxPool3d: AdaptiveMaxPoolLayer = adaptiveMax("AdaptiveMaxPool3d", F.adaptiveMaxPool3d);
export type AdaptiveMaxPool3d = InstanceType<typeof AdaptiveMaxPool3d>;

/** Defines a power-average pooling layer: p-norms of windows. */
function normPooling(name: string, pool: typeof F.lpPool2d): Layer<typeof LpPoolArgs> {
  return layer({
    name,
    params: LpPoolArgs,
    call: (o, input: Tensor) => pool(input, o.normType, o.kernelSize, o.stride, o.ceilMode),
    repr: (o) => `norm_type=${float(o.normType)}, ${shown(o, "kernelSize", "stride", "ceilMode")}`,
  });
}

/** Power-average pooling: `(Σ xᵖ)^(1/p)` of each window of `(N, C, L)` or `(C, L)`. */
export const LPPool1d: Layer<typeof LpPoolArgs> = normPooling("LPPool1d", F.lpPool1d);
export type LPPool1d = InstanceType<typeof LPPool1d>;

/** Power-average pooling: `(Σ xᵖ)^(1/p)` of each window of `(N, C, H, W)` or `(C, H, W)`. */
export const LPPool2d: Layer<typeof LpPoolArgs> = normPooling("LPPool2d", F.lpPool2d);
export type LPPool2d = InstanceType<typeof LPPool2d>;

/** Power-average pooling: `(Σ xᵖ)^(1/p)` of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export const LPPool3d: Layer<typeof LpPoolArgs> = normPooling("LPPool3d", F.lpPool3d);
export type LPPool3d = InstanceType<typeof LPPool3d>;

/** The parameters of unpooling layers. */
export class MaxUnpoolLayerArgs {
  constructor(
    /** Kernel size: the size of the window. */
    public kernelSize: Size,
    /** Stride: the distance between neighbouring windows; `null`: the kernel size. */
    public stride: Size | null = null,
    /** Padding of the pooling that is reversed. */
    public padding: Size = 0,
  ) {}
}

/**
 * The arguments of a call of an unpooling layer; `outputSize` gives the spatial sizes of the output, where several are
 * possible.
 */
export type UnpoolInputs = [input: Tensor, indices: Tensor, outputSize?: readonly number[] | null];

/** Defines an unpooling layer of `dims` spatial dimensions. */
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

/** Max unpooling: writes the maxima of {@linkcode MaxPool1d} to their indices in `(N, C, L)`, zeros elsewhere. */
export const MaxUnpool1d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool1d", 1, F.maxUnpool1d);
export type MaxUnpool1d = InstanceType<typeof MaxUnpool1d>;

/** Max unpooling: writes the maxima of {@linkcode MaxPool2d} to their indices in `(N, C, H, W)`, zeros elsewhere. */
export const MaxUnpool2d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool2d", 2, F.maxUnpool2d);
export type MaxUnpool2d = InstanceType<typeof MaxUnpool2d>;

/** Max unpooling: writes the maxima of {@linkcode MaxPool3d} to their indices in `(N, C, D, H, W)`, zeros elsewhere. */
export const MaxUnpool3d: Layer<typeof MaxUnpoolLayerArgs, UnpoolInputs> = unpooling("MaxUnpool3d", 3, F.maxUnpool3d);
export type MaxUnpool3d = InstanceType<typeof MaxUnpool3d>;
