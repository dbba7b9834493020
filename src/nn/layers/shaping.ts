/**
 * Layers that change shapes: flatten, unflatten, unfold, fold, pixel and channel shuffle.
 *
 * @module
 */

import { FoldArgs, UnfoldArgs } from "../../ops/nn/fold.ts";
import { ChannelShuffleArgs, PixelShuffleArgs, PixelUnshuffleArgs } from "../../ops/shape/pixel.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import * as F from "../functional.ts";
import { type Layer, layer, shown } from "../module/layer.ts";

/** The parameters of {@linkcode Flatten}. */
export class FlattenLayerArgs {
  constructor(
    /** The first dimension that is merged. */
    public startDim = 1,
    /** The last dimension that is merged, negative from the end. */
    public endDim: number = -1,
  ) {}
}

/** The parameters of {@linkcode Unflatten}. */
export class UnflattenLayerArgs {
  constructor(
    /** The dimension that is split. */
    public dim: number,
    /** The sizes that the dimension is split into; one may be -1 and is inferred. */
    public unflattenedSize: readonly number[],
  ) {}
}

/** Merges dimensions into one. */
export const Flatten: Layer<typeof FlattenLayerArgs> = layer({
  name: "Flatten",
  params: FlattenLayerArgs,
  call: (o, input: Tensor) => input.flatten(o.startDim, o.endDim),
  repr: (o) => shown(o, "startDim", "endDim"),
});
export type Flatten = InstanceType<typeof Flatten>;

/** Splits a dimension into several. */
export const Unflatten: Layer<typeof UnflattenLayerArgs> = layer({
  name: "Unflatten",
  params: UnflattenLayerArgs,
  call: (o, input: Tensor) => input.unflatten(o.dim, o.unflattenedSize),
  repr: (o) => shown(o, "dim", "unflattenedSize"),
});
export type Unflatten = InstanceType<typeof Unflatten>;

/** Im2col: the windows of `(N, C, H, W)` as columns, `(N, C · elements of a window, number of windows)`. */
export const Unfold: Layer<typeof UnfoldArgs> = layer({
  name: "Unfold",
  params: UnfoldArgs,
  call: (o, input: Tensor) => F.unfold(input, o.kernelSize, o.dilation, o.padding, o.stride),
  repr: (o) => shown(o, "kernelSize", "dilation", "padding", "stride"),
});
export type Unfold = InstanceType<typeof Unfold>;

/** Col2im: adds columns of windows back to their places in `(N, C, H, W)`: the reverse of {@linkcode Unfold}. */
export const Fold: Layer<typeof FoldArgs> = layer({
  name: "Fold",
  params: FoldArgs,
  call: (o, input: Tensor) => F.fold(input, o.outputSize, o.kernelSize, o.dilation, o.padding, o.stride),
  repr: (o) => shown(o, "outputSize", "kernelSize", "dilation", "padding", "stride"),
});
export type Fold = InstanceType<typeof Fold>;

/** Pixel shuffle: moves channels into space, `(*, C · r², H, W)` to `(*, C, H · r, W · r)`. */
export const PixelShuffle: Layer<typeof PixelShuffleArgs> = layer({
  name: "PixelShuffle",
  params: PixelShuffleArgs,
  call: (o, input: Tensor) => F.pixelShuffle(input, o.upscaleFactor),
  repr: (o) => shown(o, "upscaleFactor"),
});
export type PixelShuffle = InstanceType<typeof PixelShuffle>;

/** Pixel unshuffle: moves space into channels, `(*, C, H · r, W · r)` to `(*, C · r², H, W)`. */
export const PixelUnshuffle: Layer<typeof PixelUnshuffleArgs> = layer({
  name: "PixelUnshuffle",
  params: PixelUnshuffleArgs,
  call: (o, input: Tensor) => F.pixelUnshuffle(input, o.downscaleFactor),
  repr: (o) => shown(o, "downscaleFactor"),
});
export type PixelUnshuffle = InstanceType<typeof PixelUnshuffle>;

/** Channel shuffle: splits the channels into groups and interleaves them. */
export const ChannelShuffle: Layer<typeof ChannelShuffleArgs> = layer({
  name: "ChannelShuffle",
  params: ChannelShuffleArgs,
  call: (o, input: Tensor) => F.channelShuffle(input, o.groups),
  repr: (o) => shown(o, "groups"),
});
export type ChannelShuffle = InstanceType<typeof ChannelShuffle>;
