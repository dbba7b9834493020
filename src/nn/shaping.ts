/**
 * Layers that change shapes: flatten, unflatten, unfold, fold, pixel and channel shuffle.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Size } from "./factory.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { python } from "./repr.ts";

/** What {@linkcode Flatten} takes. */
export interface FlattenOptions {
  /** First dimension that is merged. @default {1} */
  startDim?: number;
  /** Last dimension that is merged. @default {-1} */
  endDim?: number;
}
const flattenArgs = signature<FlattenOptions>("Flatten", ["startDim", "endDim"]);

/** Merges dimensions into one. */
export class Flatten extends Module {
  /** First dimension that is merged. */
  readonly startDim: number;
  /** Last dimension that is merged. */
  readonly endDim: number;

  /** Takes `startDim, endDim`. */
  constructor(...args: Args<FlattenOptions, ["startDim", "endDim"]>) {
    super();
    const o = flattenArgs(args);
    this.startDim = o.startDim ?? 1;
    this.endDim = o.endDim ?? -1;
  }

  /** The flattened input. */
  override forward(input: Tensor): Tensor {
    return input.flatten(this.startDim, this.endDim);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/** What {@linkcode Unflatten} takes. */
export interface UnflattenOptions {
  /** The dimension that is split. */
  dim: number;
  /** The sizes that it is split into; one may be -1. */
  unflattenedSize: readonly number[];
}
const unflattenArgs = signature<UnflattenOptions>("Unflatten", ["dim", "unflattenedSize"], [], 2);

/** Splits a dimension into several. */
export class Unflatten extends Module {
  /** The dimension that is split. */
  readonly dim: number;
  /** The sizes that it is split into. */
  readonly unflattenedSize: readonly number[];

  /** Takes `dim, unflattenedSize`. */
  constructor(...args: Args<UnflattenOptions, ["dim", "unflattenedSize"]>) {
    super();
    const o = unflattenArgs(args);
    this.dim = o.dim;
    this.unflattenedSize = [...o.unflattenedSize];
  }

  /** The input with the dimension split. */
  override forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.unflattenedSize);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${python(this.unflattenedSize)}`;
  }
}

/** What {@linkcode Unfold} takes. */
export interface UnfoldOptions {
  /** Size of the window. */
  kernelSize: Size;
  /** Step between the window's elements. @default {1} */
  dilation?: Size;
  /** Zeros on both sides. @default {0} */
  padding?: Size;
  /** Step of the window. @default {1} */
  stride?: Size;
}
const unfoldArgs = signature<UnfoldOptions>("Unfold", ["kernelSize", "dilation", "padding", "stride"], [], 1);

/** The windows of `(N, C, H, W)` as columns `(N, C · window, windows)`. */
export class Unfold extends Module {
  /** Size of the window. */
  readonly kernelSize: Size;
  /** Step between the window's elements. */
  readonly dilation: Size;
  /** Zeros on both sides. */
  readonly padding: Size;
  /** Step of the window. */
  readonly stride: Size;

  /** Takes `kernelSize, dilation, padding, stride`. */
  constructor(...args: Args<UnfoldOptions, ["kernelSize", "dilation", "padding", "stride"]>) {
    super();
    const o = unfoldArgs(args);
    this.kernelSize = o.kernelSize;
    this.dilation = o.dilation ?? 1;
    this.padding = o.padding ?? 0;
    this.stride = o.stride ?? 1;
  }

  /** The windows. */
  override forward(input: Tensor): Tensor {
    return F.unfold(input, this.kernelSize, this.dilation, this.padding, this.stride);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `kernel_size=${python(this.kernelSize)}, dilation=${python(this.dilation)}, ` +
      `padding=${python(this.padding)}, stride=${python(this.stride)}`;
  }
}

/** What {@linkcode Fold} takes. */
export interface FoldOptions extends UnfoldOptions {
  /** Height and width of the output. */
  outputSize: Size;
}
const foldArgs = signature<FoldOptions>(
  "Fold",
  ["outputSize", "kernelSize", "dilation", "padding", "stride"],
  [],
  2,
);

/** The sum of windows put back in their places: the reverse of {@linkcode Unfold}. */
export class Fold extends Module {
  /** Height and width of the output. */
  readonly outputSize: Size;
  /** Size of the window. */
  readonly kernelSize: Size;
  /** Step between the window's elements. */
  readonly dilation: Size;
  /** Zeros on both sides. */
  readonly padding: Size;
  /** Step of the window. */
  readonly stride: Size;

  /** Takes `outputSize, kernelSize, dilation, padding, stride`. */
  constructor(...args: Args<FoldOptions, ["outputSize", "kernelSize", "dilation", "padding", "stride"]>) {
    super();
    const o = foldArgs(args);
    this.outputSize = o.outputSize;
    this.kernelSize = o.kernelSize;
    this.dilation = o.dilation ?? 1;
    this.padding = o.padding ?? 0;
    this.stride = o.stride ?? 1;
  }

  /** The image. */
  override forward(input: Tensor): Tensor {
    return F.fold(input, this.outputSize, this.kernelSize, this.dilation, this.padding, this.stride);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `output_size=${python(this.outputSize)}, kernel_size=${python(this.kernelSize)}, ` +
      `dilation=${python(this.dilation)}, padding=${python(this.padding)}, stride=${python(this.stride)}`;
  }
}

/** What {@linkcode PixelShuffle} takes. */
export interface PixelShuffleOptions {
  /** By how much height and width grow. */
  upscaleFactor: number;
}
const pixelShuffleArgs = signature<PixelShuffleOptions>("PixelShuffle", ["upscaleFactor"], [], 1);

/** `(*, C · r², H, W)` to `(*, C, H · r, W · r)`. */
export class PixelShuffle extends Module {
  /** By how much height and width grow. */
  readonly upscaleFactor: number;

  /** Takes `upscaleFactor`. */
  constructor(...args: Args<PixelShuffleOptions, ["upscaleFactor"]>) {
    super();
    this.upscaleFactor = pixelShuffleArgs(args).upscaleFactor;
  }

  /** The larger image. */
  override forward(input: Tensor): Tensor {
    return F.pixelShuffle(input, this.upscaleFactor);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/** What {@linkcode PixelUnshuffle} takes. */
export interface PixelUnshuffleOptions {
  /** By how much height and width shrink. */
  downscaleFactor: number;
}
const pixelUnshuffleArgs = signature<PixelUnshuffleOptions>("PixelUnshuffle", ["downscaleFactor"], [], 1);

/** `(*, C, H · r, W · r)` to `(*, C · r², H, W)`. */
export class PixelUnshuffle extends Module {
  /** By how much height and width shrink. */
  readonly downscaleFactor: number;

  /** Takes `downscaleFactor`. */
  constructor(...args: Args<PixelUnshuffleOptions, ["downscaleFactor"]>) {
    super();
    this.downscaleFactor = pixelUnshuffleArgs(args).downscaleFactor;
  }

  /** The smaller image. */
  override forward(input: Tensor): Tensor {
    return F.pixelUnshuffle(input, this.downscaleFactor);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}

/** What {@linkcode ChannelShuffle} takes. */
export interface ChannelShuffleOptions {
  /** Into how many groups channels are split. */
  groups: number;
}
const channelShuffleArgs = signature<ChannelShuffleOptions>("ChannelShuffle", ["groups"], [], 1);

/** Interleaves the channels of groups. */
export class ChannelShuffle extends Module {
  /** Groups of channels. */
  readonly groups: number;

  /** Takes `groups`. */
  constructor(...args: Args<ChannelShuffleOptions, ["groups"]>) {
    super();
    this.groups = channelShuffleArgs(args).groups;
  }

  /** The input with its channels interleaved. */
  override forward(input: Tensor): Tensor {
    return F.channelShuffle(input, this.groups);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}
