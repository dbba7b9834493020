/**
 * The in-place forms of activations in `nn.functional`.
 *
 * @module
 */

import * as activation from "../ops/pointwise/activation.ts";
import { type Fn, fn } from "../ops/core/op.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The type of an activation's in-place form: the same parameters; it writes into the input and returns it. */
export type InPlaceForm<F> = F extends (input: Tensor, ...args: infer A) => unknown
  ? (input: Tensor, ...args: A) => Tensor
  : never;

function inPlace<F extends { inPlace: (self: Tensor, ...args: unknown[]) => Tensor }>(fn: F): InPlaceForm<F> {
  return fn.inPlace as unknown as InPlaceForm<F>;
}

/** `celu`, written into the input. */
export const celu_: InPlaceForm<typeof activation.celu> = inPlace(activation.celu);
/** `elu`, written into the input. */
export const elu_: InPlaceForm<typeof activation.elu> = inPlace(activation.elu);
/** `hardtanh`, written into the input. */
export const hardtanh_: InPlaceForm<typeof activation.hardtanh> = inPlace(activation.hardtanh);
/** `leakyRelu`, written into the input. */
export const leakyRelu_: InPlaceForm<typeof activation.leakyRelu> = inPlace(activation.leakyRelu);
/** `relu`, written into the input. */
export const relu_: InPlaceForm<typeof activation.relu> = inPlace(activation.relu);
/** `selu`, written into the input. */
export const selu_: InPlaceForm<typeof activation.selu> = inPlace(activation.selu);
/** `threshold`, written into the input. */
export const threshold_: InPlaceForm<typeof activation.threshold> = inPlace(activation.threshold);

/** The parameters of {@linkcode rrelu_}. */
export class RreluInPlaceArgs {
  constructor(
    /** The lower bound of the slopes. */
    public lower: number = 1 / 8,
    /** The upper bound of the slopes. */
    public upper: number = 1 / 3,
    /** Whether slopes are drawn at random; otherwise all are the mean of the two bounds. */
    public training = false,
  ) {}
}

/** `rrelu`, written into the input. */
export const rrelu_: Fn<typeof RreluInPlaceArgs> = fn(
  "rrelu_",
  RreluInPlaceArgs,
  (input, { lower, upper, training }) => activation.rrelu(input, lower, upper, training, true),
);
