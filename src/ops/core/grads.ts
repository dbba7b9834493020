/**
 * What is done to all gradients at once: norms, scaling, limits, zeros, with few kernels where the device can.
 *
 * @module
 */

import { float32, float64 } from "../../base/dtype.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { reduceEach } from "./each.ts";
import { formula } from "./formula.ts";
import { batched, fused, type FusedUpdate } from "./fused.ts";
import { checkOperands } from "./kernel.ts";
import { viewAsReal } from "../shape/shape.ts";

/** A complex tensor as the real one over the same memory. */
function realOf(x: Tensor): Tensor {
  return x.dtype.isComplex ? viewAsReal(x) : x;
}

/** The power `p` of each absolute value; for the largest one, the value itself. */
const powers = formula(([x], _numbers, p: number) =>
  p === 2 ? x.mul(x) : p === 1 || p === Infinity ? x.abs() : x.abs().pow(p)
);

/** Whether {@linkcode norms} takes such tensors: real floating ones of one dtype and device, none of them empty. */
export function haveNorms(tensors: readonly Tensor[], p: number): boolean {
  const [{ dtype, device }] = tensors;
  if (!dtype.isFloatingPoint || !(p > 0)) return false;
  return tensors.every((x) => x.dtype === dtype && x.device === device && x.numel() > 0);
}

/** The norm of order `p` of each tensor, as one dense tensor of their dtype, without autograd. */
export function norms(op: string, tensors: readonly Tensor[], p: number): Tensor {
  checkOperands(op, tensors);
  const [{ dtype }] = tensors;
  const sums = emptyLikeDevice(op, [tensors.length], dtype === float64 ? float64 : float32, tensors[0]);
  const groups = tensors.map((x) => ({ inputs: [x], outputs: [] }));
  reduceEach(powers.program([tensors[0]], 0, [sums], p), p === Infinity ? "max" : "sum", groups, [], [sums]);
  const roots = p === 2 ? sums.sqrt_() : p === 1 || p === Infinity ? sums : sums.pow_(1 / p);
  return roots.to(dtype);
}

const multiply = fused("mul_", ([x, factor]) => [x.mul(factor)]);
const limit = fused("clamp_", ([x], [least, most]) => [x.max(least).min(most)]);
const fill = fused("fill_", (_none, [value]) => [value]);

function updateEach(update: FusedUpdate, tensors: readonly Tensor[], others: Tensor[], scalars: number[]): void {
  batched(() => {
    for (const x of tensors) {
      const real = realOf(x);
      update(update === fill ? [] : [real, ...others], scalars, [real]);
    }
  });
}

/** Multiplies tensors by a number that lies on their device, in place, without autograd. */
export function multiplyEach(tensors: readonly Tensor[], factor: Tensor): void {
  updateEach(multiply, tensors, [factor], []);
}

/** Limits the elements of real tensors, in place, without autograd. */
export function clampEach(tensors: readonly Tensor[], least: number, most: number): void {
  updateEach(limit, tensors, [], [least, most]);
}

/** Writes zeros into tensors, without autograd. */
export function zeroEach(tensors: readonly Tensor[]): void {
  updateEach(fill, tensors, [], [0]);
}
