/**
 * Rearrangements between channels and space: pixel shuffle, its reverse, and channel shuffle.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { prefersChannelsLast } from "../../base/layout.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Whatever the factor, the result is a copy, as in PyTorch: with a factor of 1 the rearrangement alone is a view. */
function copied(result: Tensor, input: Tensor): Tensor {
  if (prefersChannelsLast(input)) return result.contiguous({ memoryFormat: "channels_last" });
  return result.storage === input.storage ? result.clone() : result;
}

function checkFactor(op: string, name: string, factor: number): void {
  if (!(Number.isInteger(factor) && factor > 0)) {
    throw new ArgumentError(`${op}(): ${name} must be a positive integer: ${describe(factor)}`);
  }
}

function checkImage(op: string, x: Tensor): void {
  if (x.ndim < 3) throw new ShapeError(`${op}(): expected at least 3 dimensions: ${show(x.shape)}`);
}

/** The parameters of {@linkcode pixelShuffle} and its layer. */
export class PixelShuffleArgs {
  constructor(
    /** By how much height and width grow, r. */
    public upscaleFactor: number,
  ) {}
}

/**
 * `(*, C · r², H, W)` to `(*, C, H · r, W · r)`.
 *
 * @throws {ShapeError} if the channels are not divisible by r²
 * @see https://arxiv.org/abs/1609.05158
 */
export const pixelShuffle: Fn<typeof PixelShuffleArgs> = fn(
  "pixelShuffle",
  PixelShuffleArgs,
  (input, { upscaleFactor }) => {
    const r = upscaleFactor;
    checkFactor("pixelShuffle", "upscaleFactor", r);
    checkImage("pixelShuffle", input);
    const lead = input.shape.slice(0, -3);
    const [c, h, w] = input.shape.slice(-3);
    if (c % (r * r) !== 0) {
      throw new ShapeError(`pixelShuffle(): channels must be divisible by the square of the factor: ${c} % ${r * r}`);
    }
    const n = lead.length;
    const dims = [...lead.keys(), n, n + 3, n + 1, n + 4, n + 2]; // C, H, r, W, r
    return scope(() =>
      copied(
        input.reshape([...lead, c / (r * r), r, r, h, w]).permute(dims).reshape([...lead, c / (r * r), h * r, w * r]),
        input,
      )
    );
  },
);

/** The parameters of {@linkcode pixelUnshuffle} and its layer. */
export class PixelUnshuffleArgs {
  constructor(
    /** By how much height and width shrink, r. */
    public downscaleFactor: number,
  ) {}
}

/**
 * `(*, C, H · r, W · r)` to `(*, C · r², H, W)`: the reverse of {@linkcode pixelShuffle}.
 *
 * @throws {ShapeError} if height or width is not divisible by r
 */
export const pixelUnshuffle: Fn<typeof PixelUnshuffleArgs> = fn(
  "pixelUnshuffle",
  PixelUnshuffleArgs,
  (input, { downscaleFactor }) => {
    const r = downscaleFactor;
    checkFactor("pixelUnshuffle", "downscaleFactor", r);
    checkImage("pixelUnshuffle", input);
    const lead = input.shape.slice(0, -3);
    const [c, h, w] = input.shape.slice(-3);
    if (h % r !== 0 || w % r !== 0) {
      throw new ShapeError(`pixelUnshuffle(): height and width must be divisible by the factor: ${show([h, w])}, ${r}`);
    }
    const n = lead.length;
    const dims = [...lead.keys(), n, n + 2, n + 4, n + 1, n + 3]; // C, r, r, H, W
    return scope(() =>
      copied(
        input.reshape([...lead, c, h / r, r, w / r, r]).permute(dims).reshape([...lead, c * r * r, h / r, w / r]),
        input,
      )
    );
  },
);

/** The parameters of {@linkcode channelShuffle} and its layer. */
export class ChannelShuffleArgs {
  constructor(
    /** Into how many groups channels are split. */
    public groups: number,
  ) {}
}

/**
 * Interleaves the channels of groups: channel `g · n + i` goes to `i · groups + g`.
 *
 * Shape: `(N, C, *)`.
 *
 * @throws {ShapeError} if the channels are not divisible by the groups
 */
export const channelShuffle: Fn<typeof ChannelShuffleArgs> = fn(
  "channelShuffle",
  ChannelShuffleArgs,
  (input, { groups }) => {
    checkFactor("channelShuffle", "groups", groups);
    if (input.ndim < 3) throw new ShapeError(`channelShuffle(): expected at least 3 dimensions: ${show(input.shape)}`);
    const [n, c, ...rest] = input.shape;
    if (c % groups !== 0) {
      throw new ShapeError(`channelShuffle(): channels must be divisible by groups: ${c} % ${describe(groups)}`);
    }
    return scope(() =>
      copied(input.reshape([n, groups, c / groups, ...rest]).transpose(1, 2).reshape(input.shape), input)
    );
  },
);
