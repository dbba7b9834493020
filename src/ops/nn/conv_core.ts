/**
 * The three kernels of convolution as recorded ops, each other's derivatives.
 *
 * A convolution is linear in its input and in its weight; so are its two gradients. Differentiating any of the three gives
 * the other two, which is all that gradients of every order need. Kernels take dense operands of floating dtypes, or
 * channels-last ones where the device has kernels for these; integers pass through float64, complex values through four
 * real convolutions.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record, recording } from "../../autograd/record.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { ConvGeometry } from "../../backend/backend.ts";
import { channelsLastStrides, type MemoryFormat, prefersChannelsLast } from "../../base/layout.ts";
import { emptyLikeDevice, emptyWithStrides, widestFloat } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { complex } from "../pointwise/binary.ts";
import { checkOperands } from "../core/kernel.ts";
import { makeView, reshapeTo } from "../core/view_core.ts";
import { roundedOnce } from "../core/wide.ts";

/** Runs `kernel` on dense forms of `operands`; copies made for it are released. */
function withDense(operands: readonly Tensor[], kernel: (dense: Tensor[]) => void): void {
  withCopies(operands, (x) => x.contiguous(), kernel);
}

function withCopies(
  operands: readonly Tensor[],
  form: (x: Tensor) => Tensor,
  kernel: (forms: Tensor[]) => void,
): void {
  unrecorded(() => {
    const forms = operands.map(form);
    kernel(forms);
    forms.forEach((x, i) => {
      if (x !== operands[i]) x.dispose();
    });
  });
}

/** The channels-last format of as many dimensions. */
export function lastFormat(ndim: number): MemoryFormat {
  return ndim === 4 ? "channels_last" : "channels_last_3d";
}

/** A fresh row-major tensor brought to channels last, without history; the original is released. */
export function toChannelsLast(dense: Tensor): Tensor {
  const out = unrecorded(() => dense.contiguous({ memoryFormat: lastFormat(dense.ndim) }));
  // With a single channel or place both are the same memory; the strides say which one is meant.
  if (out === dense) return makeView(dense, dense.shape, channelsLastStrides(dense.shape));
  dense.dispose();
  return out;
}

/**
 * Uninitialised memory of `shape` filled by `kernel`, which is given forms of `operands` and the memory: all channels
 * last where `last` says so and the device can, else all row-major. The result is channels last if `last`.
 */
export function inFormat(
  op: string,
  last: boolean,
  operands: readonly Tensor[],
  shape: readonly number[],
  kernel: (forms: Tensor[], out: Tensor) => void,
): Tensor {
  const [like] = operands;
  if (!last || !like.storage.backend.channelsLast) {
    const dense = emptyLikeDevice(op, shape, like.dtype, like);
    withDense(operands, (forms) => kernel(forms, dense));
    return last ? toChannelsLast(dense) : dense;
  }
  const memoryFormat = lastFormat(shape.length);
  const out = emptyWithStrides(op, shape, channelsLastStrides(shape), like.dtype, like);
  const form = (x: Tensor) => x.ndim < 4 ? x.contiguous() : x.contiguous({ memoryFormat });
  withCopies(operands, form, (forms) => kernel(forms, out));
  return out;
}

/** The sum over everything but the channels: the gradient of a bias. */
function biasGradient(grad: Tensor): Tensor {
  return grad.sum(grad.shape.flatMap((_, d) => d === 1 ? [] : [d]));
}

function spatial(shape: readonly number[]): number[] {
  return shape.slice(2);
}

/** The spatial sizes of a convolution's output. */
export function convOutput(input: readonly number[], kernel: readonly number[], g: ConvGeometry): number[] {
  return input.map((n, d) =>
    Math.floor((n + 2 * g.padding[d] - g.dilation[d] * (kernel[d] - 1) - 1) / g.stride[d]) + 1
  );
}

/**
 * `conv(x, weight) + bias` for checked operands of a floating dtype.
 *
 * @param sizes spatial sizes of the output; less than all that fit, where the output padding of a transposed
 *   convolution added to its result
 */
export function convolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  g: ConvGeometry,
  sizes: readonly number[] = convOutput(spatial(x.shape), spatial(weight.shape), g),
): Tensor {
  const shape = [x.shape[0], weight.shape[0], ...sizes];
  const operands = bias === null ? [x, weight] : [x, weight, bias];
  const last = prefersChannelsLast(x) || prefersChannelsLast(weight);
  const out = inFormat("conv", last, operands, shape, ([dx, dw, db = null], y) => {
    y.storage.backend.conv(dx, dw, db, y, g);
  });
  if (!recording(operands)) return out;
  const saved = savedPair(x, weight);
  const [xShape, wShape] = [x.shape, weight.shape];
  return record("ConvolutionBackward0", out, [x, weight, bias], saved, (grad, kept, needs) => [
    needs[0] ? convolveInput(grad, kept[kept.length - 1], xShape, g, last) : null,
    needs[1] ? convolveWeight(grad, kept[0], wShape, g, last) : null,
    needs[2] ? biasGradient(grad) : null,
  ]);
}

/** Operands of a bilinear op, each kept only if the other's gradient is wanted. */
function savedPair(a: Tensor, b: Tensor): Tensor[] {
  const saved: Tensor[] = [];
  if (recording([b])) saved.push(a);
  if (recording([a])) saved.push(b);
  return saved;
}

/** The gradient of a convolution by its input of shape `shape`, which is the transposed convolution of `grad`. */
function convolveInput(
  grad: Tensor,
  weight: Tensor,
  shape: readonly number[],
  g: ConvGeometry,
  last: boolean = prefersChannelsLast(grad) || prefersChannelsLast(weight),
): Tensor {
  const out = inFormat("convGradInput", last, [grad, weight], shape, ([dg, dw], dx) => {
    dx.storage.backend.convGradInput(dg, dw, dx, g);
  });
  if (!recording([grad, weight])) return out;
  const wShape = weight.shape, sizes = spatial(grad.shape);
  return record("ConvolutionBackwardBackward0", out, [grad, weight], savedPair(grad, weight), (gg, kept, needs) => [
    needs[0] ? convolve(gg, kept[kept.length - 1], null, g, sizes) : null,
    needs[1] ? convolveWeight(kept[0], gg, wShape, g, last) : null,
  ]);
}

/** The gradient of a convolution by its weight of shape `shape`. */
function convolveWeight(
  grad: Tensor,
  x: Tensor,
  shape: readonly number[],
  g: ConvGeometry,
  last: boolean,
): Tensor {
  const out = inFormat("convGradWeight", last, [grad, x], shape, ([dg, dx], dw) => {
    dw.storage.backend.convGradWeight(dg, dx, dw, g);
  });
  if (!recording([grad, x])) return out;
  const xShape = x.shape, sizes = spatial(grad.shape);
  return record("ConvolutionBackwardBackward0", out, [grad, x], savedPair(grad, x), (gg, kept, needs) => [
    needs[0] ? convolve(kept[kept.length - 1], gg, null, g, sizes) : null,
    needs[1] ? convolveInput(kept[0], gg, xShape, g, last) : null,
  ]);
}

/** `convolveInput` plus a bias: what a transposed convolution is. */
function convolveTransposed(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  shape: readonly number[],
  g: ConvGeometry,
): Tensor {
  if (bias === null) return convolveInput(x, weight, shape, g);
  const row = [-1, ...spatial(shape).map(() => 1)];
  return roundedOnce(
    [x, weight, bias],
    (x, weight, bias) => convolveInput(x, weight, shape, g).add(reshapeTo(bias, row)),
  );
}

/**
 * A convolution (`outShape` null) or a transposed one of any numeric dtype, for operands of checked shapes.
 *
 * @param outShape the shape of a transposed convolution's result
 */
export function convolveAny(
  op: string,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  outShape: readonly number[] | null,
  g: ConvGeometry,
): Tensor {
  const run = (a: Tensor, w: Tensor, b: Tensor | null) =>
    outShape === null ? convolve(a, w, b, g) : convolveTransposed(a, w, b, outShape, g);
  const { dtype } = x;
  if (dtype.isFloatingPoint) return run(x, weight, bias);
  if (dtype.isComplex) {
    return scope(() => {
      const [xr, xi, wr, wi] = [x.real, x.imag, weight.real, weight.imag];
      const re = run(xr, wr, bias === null ? null : bias.real).sub(run(xi, wi, null));
      const im = run(xr, wi, bias === null ? null : bias.imag).add(run(xi, wr, null));
      return complex(re, im);
    });
  }
  if (dtype.kind === "bool") throw new DTypeError(`${op}(): not defined for ${dtype}; convert with .to(dtype)`);
  // Exact as long as sums stay below 2^53.
  const wide = widestFloat(x);
  return scope(() => run(x.to(wide), weight.to(wide), bias === null ? null : bias.to(wide)).to(dtype));
}

/** A size per spatial dimension from a number, a list of one, or a full list. */
export function perDimension(op: string, name: string, value: number | readonly number[], n: number): number[] {
  const list = typeof value === "number" ? [value] : value;
  const ok = Array.isArray(list) && (list.length === 1 || list.length === n) && list.every(Number.isInteger);
  if (!ok) throw new ArgumentError(`${op}(): ${name} must be an integer or ${describe(n)} of them: ${show(value)}`);
  return list.length === n ? [...list] : new Array<number>(n).fill(list[0]);
}

/** Throws unless every entry is at least `least`. */
export function checkAtLeast(op: string, name: string, values: readonly number[], least: number): void {
  if (values.some((v) => v < least)) {
    throw new ArgumentError(`${op}(): ${name} must be ${least === 0 ? "non-negative" : "positive"}: ${show(values)}`);
  }
}

/** What every convolution checks of its operands: dimensions, dtypes, devices, groups. */
export function checkConvOperands(
  op: string,
  n: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  groups: number,
): void {
  if (weight.ndim !== n + 2) {
    throw new ShapeError(`${op}(): the weight must have ${n + 2} dimensions: ${show(weight.shape)}`);
  }
  if (x.ndim !== n + 2 && x.ndim !== n + 1) {
    throw new ShapeError(`${op}(): the input must have ${n + 2} dimensions, or ${n + 1} unbatched: ${show(x.shape)}`);
  }
  for (const [name, t] of [["weight", weight], ["bias", bias]] as const) {
    if (t !== null && t.dtype !== x.dtype) {
      throw new DTypeError(`${op}(): the ${name}'s dtype must be the input's: ${t.dtype} and ${x.dtype}`);
    }
  }
  checkOperands(op, bias === null ? [x, weight] : [x, weight, bias]);
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ArgumentError(`${op}(): groups must be positive: ${describe(groups)}`);
  }
  if (weight.shape[0] < groups || weight.shape[0] % groups !== 0) {
    throw new ShapeError(
      `${op}(): the weight's first size must be a multiple of groups: ${show(weight.shape)} with ${
        describe(groups)
      } groups`,
    );
  }
  if (weight.shape.slice(2).some((k) => k === 0)) {
    throw new ShapeError(`${op}(): kernel sizes must be positive: weight ${show(weight.shape)}`);
  }
}
