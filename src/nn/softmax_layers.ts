/**
 * Softmax and its relatives as layers.
 *
 * @module
 */

import { NoArgs } from "../base/call.ts";
import { ShapeError, show } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import { type Layer, layer, shown } from "./layer.ts";

/** The parameters of softmax layers. */
export class SoftmaxLayerArgs {
  constructor(
    /** The dimension that sums to 1; `null`: chosen by PyTorch's old rule. */
    public dim: number | null = null,
  ) {}
}

/** A layer of one of the softmax functions. */
function along(name: string, apply: (input: Tensor, dim: number | null) => Tensor): Layer<typeof SoftmaxLayerArgs> {
  return layer({
    name,
    params: SoftmaxLayerArgs,
    call: (o, input: Tensor) => apply(input, o.dim),
    repr: (o) => shown(o, "dim"),
  });
}

/** `e^x / Σ e^x` along a dimension. */
export const Softmax: Layer<typeof SoftmaxLayerArgs> = along("Softmax", F.softmax);
export type Softmax = InstanceType<typeof Softmax>;

/** The logarithm of softmax along a dimension. */
export const LogSoftmax: Layer<typeof SoftmaxLayerArgs> = along("LogSoftmax", F.logSoftmax);
export type LogSoftmax = InstanceType<typeof LogSoftmax>;

/** Softmax of `-x` along a dimension. */
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
