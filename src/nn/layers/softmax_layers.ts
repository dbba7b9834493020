/**
 * Softmax layers: `Softmax`, `LogSoftmax`, `Softmin`, `Softmax2d`.
 *
 * @module
 */

import { NoArgs } from "../../base/call.ts";
import { ShapeError, show } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import * as F from "../functional.ts";
import { type Layer, layer, shown } from "../module/layer.ts";

/** The parameters of softmax layers. */
export class SoftmaxLayerArgs {
  constructor(
    /** The dimension along which the values sum to 1; `null`: dimension 0 of 0-, 1- or 3-dimensional input, else 1. */
    public dim: number | null = null,
  ) {}
}

/** Defines a layer that calls a softmax function. */
function along(name: string, apply: (input: Tensor, dim: number | null) => Tensor): Layer<typeof SoftmaxLayerArgs> {
  return layer({
    name,
    params: SoftmaxLayerArgs,
    call: (o, input: Tensor) => apply(input, o.dim),
    repr: (o) => shown(o, "dim"),
  });
}

/** Softmax: `e^x / Σ e^x` along a dimension. */
export const Softmax: Layer<typeof SoftmaxLayerArgs> = along("Softmax", F.softmax);
export type Softmax = InstanceType<typeof Softmax>;

/** Log-softmax: the logarithm of softmax along a dimension, computed without overflow. */
export const LogSoftmax: Layer<typeof SoftmaxLayerArgs> = along("LogSoftmax", F.logSoftmax);
export type LogSoftmax = InstanceType<typeof LogSoftmax>;

/** Softmin: softmax of `-x` along a dimension. */
export const Softmin: Layer<typeof SoftmaxLayerArgs> = along("Softmin", F.softmin);
export type Softmin = InstanceType<typeof Softmin>;

/** Softmax over the channels of `(N, C, H, W)` or `(C, H, W)`. */
export const Softmax2d: Layer<typeof NoArgs> = layer({
  name: "Softmax2d",
  params: NoArgs,
  call: (_, input: Tensor) => {
    if (input.ndim !== 3 && input.ndim !== 4) {
      throw new ShapeError(`Softmax2d(): expected 3 or 4 dimensions: ${show(input.shape)}`);
    }
    return F.softmax(input, -3);
  },
});
export type Softmax2d = InstanceType<typeof Softmax2d>;
