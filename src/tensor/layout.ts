/**
 * Iteration in memory order: an elementwise op over tensors that are dense in another order than row-major (transposed,
 * channels last) is the same op over row-major ones with its dimensions renamed. So kernels need no notion of layouts:
 * they are handed views whose dimensions are sorted by stride, and find them dense.
 *
 * @module
 */

import type { Device } from "../base/device.ts";
import {
  channelsLastStrides,
  checkFormat,
  elementwiseStrides,
  type MemoryFormat,
  memoryOrder,
} from "../base/layout.ts";
import { isContiguous, sameShape } from "../base/shape.ts";
import type { DType } from "../base/dtype.ts";
import { emptyLikeDevice, emptyOn, emptyWithStrides } from "./create.ts";
import { Tensor } from "./tensor.ts";

/**
 * An uninitialised tensor for the result of an elementwise op, with its dimensions in the operands' memory order, as in
 * PyTorch.
 */
export function emptyResult(
  op: string,
  shape: readonly number[],
  dtype: DType,
  operands: readonly Tensor[],
  like: Tensor,
): Tensor {
  for (let i = 0; i < operands.length; i++) {
    if (operands[i].dense) continue;
    const strides = elementwiseStrides(shape, operands);
    if (!isContiguous(shape, strides)) return emptyWithStrides(op, shape, strides, dtype, like);
    break;
  }
  return emptyLikeDevice(op, shape, dtype, like);
}

/** An uninitialised tensor of the shape of `input`, in its memory order (without its gaps) or in that of `format`. */
export function emptyAs(
  op: string,
  input: Tensor,
  dtype: DType,
  device: Device,
  format: MemoryFormat = "preserve_format",
): Tensor {
  checkFormat(op, input.shape, format);
  const flat = emptyOn(op, input.shape, dtype, device);
  if (format === "contiguous_format" || (format === "preserve_format" && input.dense)) return flat;
  const preserve = format === "preserve_format";
  const strides = preserve ? elementwiseStrides(input.shape, [input]) : channelsLastStrides(input.shape);
  return new Tensor(flat.storage, input.shape, strides, 0, dtype, isContiguous(input.shape, strides));
}

/** A view of `x`, broadcast to as many dimensions as `order` has, with the dimensions permuted by `order`. */
export function reordered(x: Tensor, order: readonly number[]): Tensor {
  const lead = order.length - x.shape.length;
  const shape = order.map((d) => d < lead ? 1 : x.shape[d - lead]);
  const strides = order.map((d) => d < lead ? 0 : x.strides[d - lead]);
  return new Tensor(x.storage, shape, strides, x.offset, x.dtype, isContiguous(shape, strides));
}

/** The permutation of dimensions that makes `x` contiguous, where it is dense but not row-major; else `null`. */
export function denseOrder(x: Tensor): number[] | null {
  if (x.dense) return null;
  const order = memoryOrder(x.strides);
  return order !== null && reordered(x, order).dense ? order : null;
}

/** The order of dimensions in which an iteration that reads `inputs` runs through memory; `null` for the given one. */
export function iterationOrder(inputs: readonly Tensor[], shape: readonly number[]): number[] | null {
  for (const x of inputs) {
    if (x.dense || !sameShape(x.shape, shape)) continue;
    return memoryOrder(x.strides);
  }
  return null;
}
