/**
 * Convolutions: `conv1d` to `conv3d` and their transposed forms; functions only, as in PyTorch.
 *
 * Arguments are checked and brought to one geometry here; the kernels and their derivatives are in `conv_core.ts`.
 *
 * @module
 */

import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAtLeast, checkConvOperands, convolveAny, convOutput, perDimension } from "./conv_core.ts";
import { type Fn, fn } from "../core/op.ts";
import { pad } from "../shape/pad.ts";
import { reshapeTo } from "../core/view_core.ts";

/** Sizes of all dimensions, or one per dimension. */
export type Sizes = number | readonly number[];

/** The parameters of {@linkcode conv1d}, {@linkcode conv2d} and {@linkcode conv3d}. */
export class ConvArgs {
  constructor(
    /** `[out, in / groups, kernel…]`. */
    public weight: Tensor,
    /** `[out]`. */
    public bias: Tensor | null = null,
    /** Step of the window. */
    public stride: Sizes = 1,
    /** Zeros on both sides; `"same"` keeps the size (stride 1 only), `"valid"` is 0. */
    public padding: Sizes | "same" | "valid" = 0,
    /** Step between the window's taps. */
    public dilation: Sizes = 1,
    /** Independent groups of channels. */
    public groups = 1,
  ) {}
}

function checkBias(op: string, bias: Tensor | null, channels: number): void {
  if (bias !== null && (bias.ndim !== 1 || bias.shape[0] !== channels)) {
    throw new ShapeError(`${op}(): the bias must have shape [${channels}]: ${show(bias.shape)}`);
  }
}

/** An unbatched input gets a batch of one. */
function batched(x: Tensor, n: number): Tensor {
  return x.ndim === n + 2 ? x : reshapeTo(x, [1, ...x.shape]);
}

/** `"same"` padding: as many zeros as the window loses; an odd one goes to the end, where the kernel takes none. */
function samePadding(x: Tensor, kernel: readonly number[], dilation: readonly number[]): [Tensor, number[]] {
  const total = kernel.map((k, d) => dilation[d] * (k - 1));
  const padding = total.map((t) => Math.floor(t / 2));
  if (total.every((t) => t % 2 === 0)) return [x, padding];
  const extra = total.flatMap((t) => [t % 2, 0]).reverse();
  return [pad(x, extra), padding];
}

function conv(op: string, n: number, input: Tensor, o: Readonly<ConvArgs>): Tensor {
  const { weight, bias, stride, padding, dilation, groups } = o;
  checkTensor(op, "weight", weight);
  if (bias !== null) checkTensor(op, "bias", bias);
  checkConvOperands(op, n, input, weight, bias, groups);
  const kernel = weight.shape.slice(2);
  const geometry = {
    stride: perDimension(op, "stride", stride, n),
    padding: typeof padding === "string" ? [] as number[] : perDimension(op, "padding", padding, n),
    dilation: perDimension(op, "dilation", dilation, n),
    groups,
  };
  checkAtLeast(op, "stride", geometry.stride, 1);
  checkAtLeast(op, "padding", geometry.padding, 0);
  checkAtLeast(op, "dilation", geometry.dilation, 1);
  checkBias(op, bias, weight.shape[0]);
  const channels = input.shape[input.ndim - n - 1];
  if (channels !== weight.shape[1] * groups) {
    throw new ShapeError(
      `${op}(): the input must have ${weight.shape[1] * groups} channels (weight ${
        show(weight.shape)
      }, ${groups} groups): ${show(input.shape)}${
        input.shape.at(-1) === weight.shape[1] * groups ? `; channels come before sizes, so use permute() first` : ""
      }`,
    );
  }
  return scope(() => {
    let x = batched(input, n);
    if (padding === "valid") geometry.padding = kernel.map(() => 0);
    else if (padding === "same") {
      if (geometry.stride.some((s) => s !== 1)) {
        throw new ArgumentError(`${op}(): padding "same" needs a stride of 1: ${show(geometry.stride)}`);
      }
      [x, geometry.padding] = samePadding(x, kernel, geometry.dilation);
    } else if (typeof padding === "string") {
      throw new ArgumentError(`${op}(): padding must be a size, "same" or "valid": "${String(padding)}"`);
    }
    if (convOutput(x.shape.slice(2), kernel, geometry).some((s) => s < 1)) {
      throw new ShapeError(
        `${op}(): the kernel is larger than the padded input: kernel ${show(kernel)}, dilation ${
          show(geometry.dilation)
        }, padding ${show(geometry.padding)}, input ${show(input.shape)}`,
      );
    }
    const out = convolveAny(op, x, weight, bias, null, geometry);
    return input.ndim === n + 2 ? out : reshapeTo(out, out.shape.slice(1));
  });
}

function convOf(n: number): Fn<typeof ConvArgs> {
  const name = `conv${n}d`;
  return fn({ name, autocast: "lower" }, ConvArgs, (input, o) => conv(name, n, input, o));
}

/**
 * Convolution (cross-correlation) over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, O, L']`.
 *
 * @param input the signal
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html
 */
export const conv1d: Fn<typeof ConvArgs> = convOf(1);

/**
 * Convolution (cross-correlation) over two dimensions.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, O, H', W']`, `H' = ⌊(H + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1`.
 *
 * @param input the images
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2));
 * assertEquals(await y.tolist(), [[[[4, 4], [4, 4]]]]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
 */
export const conv2d: Fn<typeof ConvArgs> = convOf(2);

/**
 * Convolution (cross-correlation) over three dimensions.
 *
 * Shape: `[N, C, D, H, W]` or `[C, D, H, W]` to `[N, O, D', H', W']`.
 *
 * @param input the volumes
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 */
export const conv3d: Fn<typeof ConvArgs> = convOf(3);

/** The parameters of {@linkcode convTranspose2d} and its relatives. */
export class ConvTransposeArgs {
  constructor(
    /** `[in, out / groups, kernel…]`. */
    public weight: Tensor,
    /** `[out]`. */
    public bias: Tensor | null = null,
    /** Step of the window in the output. */
    public stride: Sizes = 1,
    /** Elements cut from both sides of the output. */
    public padding: Sizes = 0,
    /** Elements added to the end of the output. */
    public outputPadding: Sizes = 0,
    /** Independent groups of channels. */
    public groups = 1,
    /** Step between the window's taps. */
    public dilation: Sizes = 1,
  ) {}
}

function convTranspose(op: string, n: number, input: Tensor, o: Readonly<ConvTransposeArgs>): Tensor {
  const { weight, bias, groups } = o;
  checkTensor(op, "weight", weight);
  if (bias !== null) checkTensor(op, "bias", bias);
  checkConvOperands(op, n, input, weight, bias, groups);
  const stride = perDimension(op, "stride", o.stride, n);
  const padding = perDimension(op, "padding", o.padding, n);
  const dilation = perDimension(op, "dilation", o.dilation, n);
  const extra = perDimension(op, "outputPadding", o.outputPadding, n);
  checkAtLeast(op, "stride", stride, 1);
  checkAtLeast(op, "padding", padding, 0);
  checkAtLeast(op, "dilation", dilation, 1);
  checkAtLeast(op, "outputPadding", extra, 0);
  if (extra.some((e, d) => e >= stride[d] && e >= dilation[d])) {
    throw new ArgumentError(
      `${op}(): outputPadding must be smaller than the stride or the dilation: ${show(extra)} with stride ${
        show(stride)
      }, dilation ${show(dilation)}`,
    );
  }
  const channels = weight.shape[1] * groups;
  checkBias(op, bias, channels);
  if (input.shape[input.ndim - n - 1] !== weight.shape[0]) {
    throw new ShapeError(
      `${op}(): the input must have ${weight.shape[0]} channels (weight ${show(weight.shape)}): ${show(input.shape)}`,
    );
  }
  return scope(() => {
    const x = batched(input, n);
    const out = x.shape.slice(2).map((s, d) =>
      (s - 1) * stride[d] - 2 * padding[d] + dilation[d] * (weight.shape[d + 2] - 1) + extra[d] + 1
    );
    if (out.some((s) => s < 1)) {
      throw new ShapeError(
        `${op}(): the output would be empty: ${show(out)} for input ${show(input.shape)}, padding ${show(padding)}`,
      );
    }
    const shape = [x.shape[0], channels, ...out];
    const y = convolveAny(op, x, weight, bias, shape, { stride, padding, dilation, groups });
    return input.ndim === n + 2 ? y : reshapeTo(y, shape.slice(1));
  });
}

function convTransposeOf(n: number): Fn<typeof ConvTransposeArgs> {
  const name = `convTranspose${n}d`;
  return fn({ name, autocast: "lower" }, ConvTransposeArgs, (input, o) => convTranspose(name, n, input, o));
}

/**
 * Transposed convolution over one dimension: the gradient of {@linkcode conv1d} by its input, as an op.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, O, L']`.
 *
 * @param input the signal
 * @throws {ShapeError} if channels do not fit
 */
export const convTranspose1d: Fn<typeof ConvTransposeArgs> = convTransposeOf(1);

/**
 * Transposed convolution over two dimensions: the gradient of {@linkcode conv2d} by its input, as an op.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, O, H', W']`,
 * `H' = (H - 1)·stride - 2·padding + dilation·(kernel - 1) + outputPadding + 1`.
 *
 * @param input the images
 * @throws {ShapeError} if channels do not fit
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
 */
export const convTranspose2d: Fn<typeof ConvTransposeArgs> = convTransposeOf(2);

/**
 * Transposed convolution over three dimensions: the gradient of {@linkcode conv3d} by its input, as an op.
 *
 * Shape: `[N, C, D, H, W]` or `[C, D, H, W]` to `[N, O, D', H', W']`.
 *
 * @param input the volumes
 * @throws {ShapeError} if channels do not fit
 */
export const convTranspose3d: Fn<typeof ConvTransposeArgs> = convTransposeOf(3);
