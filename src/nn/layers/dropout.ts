/**
 * Dropout layers: the functions of the same names, which change their input in training mode only.
 *
 * @module
 */

import { ArgumentError, describe } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import * as F from "../functional.ts";
import { type Layer, layer, shown } from "../module/layer.ts";

/** The parameters of dropout layers. */
export class DropoutLayerArgs {
  constructor(
    /** The dropout probability of an element (or channel). */
    public p = 0.5,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** Defines a layer that calls a dropout function. */
function dropping(name: string, drop: typeof F.dropout): Layer<typeof DropoutLayerArgs> {
  return layer({
    name,
    params: DropoutLayerArgs,
    init: ({ p }) => {
      if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${name}(): p must be between 0 and 1: ${describe(p)}`);
    },
    call: (o, input: Tensor) => drop(input, o.p, o.training, o.inplace),
    repr: (o) => shown(o, "p", "inplace"),
  });
}

/**
 * Dropout: zeroes elements with probability `p` and scales the others by `1 / (1 - p)`.
 *
 * @see https://arxiv.org/abs/1207.0580
 */
export const Dropout: Layer<typeof DropoutLayerArgs> = dropping("Dropout", F.dropout);
export type Dropout = InstanceType<typeof Dropout>;

/** Channel dropout: zeroes whole channels of `(N, C, L)` or `(C, L)` with probability `p`. */
export const Dropout1d: Layer<typeof DropoutLayerArgs> = dropping("Dropout1d", F.dropout1d);
export type Dropout1d = InstanceType<typeof Dropout1d>;

/** Channel dropout: zeroes whole channels of `(N, C, H, W)` or `(C, H, W)` with probability `p`. */
export const Dropout2d: Layer<typeof DropoutLayerArgs> = dropping("Dropout2d", F.dropout2d);
export type Dropout2d = InstanceType<typeof Dropout2d>;

/** Channel dropout: zeroes whole channels of `(N, C, D, H, W)` or `(C, D, H, W)` with probability `p`. */
export const Dropout3d: Layer<typeof DropoutLayerArgs> = dropping("Dropout3d", F.dropout3d);
export type Dropout3d = InstanceType<typeof Dropout3d>;

/**
 * Alpha dropout: keeps the mean and variance of its input, for self-normalising networks with {@linkcode SELU}.
 *
 * @see https://arxiv.org/abs/1706.02515
 */
export const AlphaDropout: Layer<typeof DropoutLayerArgs> = dropping("AlphaDropout", F.alphaDropout);
export type AlphaDropout = InstanceType<typeof AlphaDropout>;

/** {@linkcode AlphaDropout} of whole channels. */
export const FeatureAlphaDropout: Layer<typeof DropoutLayerArgs> = dropping(
  "FeatureAlphaDropout",
  F.featureAlphaDropout,
);
export type FeatureAlphaDropout = InstanceType<typeof FeatureAlphaDropout>;
