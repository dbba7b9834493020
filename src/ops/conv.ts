/**
 * Convolutions: `conv1d` to `conv3d` and their transposed forms; functions only, as in PyTorch.
 *
 * Arguments are checked and brought to one geometry here; the kernels and their derivatives are in `conv_core.ts`.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { scope } from "../tensor/scope.ts";
import { checkAtLeast, checkConvOperands, convolveAny, convOutput, perDimension } from "./conv_core.ts";
import { pad } from "./pad.ts";
import { reshapeTo } from "./view_core.ts";

/** The parameters of {@linkcode conv1d}, {@linkcode conv2d} and {@linkcode conv3d}. */
export interface ConvArgs {
  /** `[out, in / groups, kernel…]`. */
  weight: Tensor;
  /** `[out]`. */
  bias?: Tensor | null;
  /** Step of the window. @default {1} */
  stride?: number | readonly number[];
  /** Zeros on both sides; `"same"` keeps the size (stride 1 only), `"valid"` is 0. @default {0} */
  padding?: number | readonly number[] | "same" | "valid";
  /** Step between the window's taps. @default {1} */
  dilation?: number | readonly number[];
  /** Independent groups of channels. @default {1} */
  groups?: number;
}

/** The positional parameters of convolutions. */
export type ConvPositional = ["weight", "bias", "stride", "padding", "dilation", "groups"];
const CONV = ["weight", "bias", "stride", "padding", "dilation", "groups"] as const;

const convArgs = [1, 2, 3].map((n) => signature<ConvArgs>(`conv${n}d`, CONV, [], 1));

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

function conv(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  if (autocasting.active) return autocasted("lower", conv, n, input, args);
  const op = `conv${n}d`;
  const { weight, bias = null, stride = 1, padding = 0, dilation = 1, groups = 1 } = convArgs[n - 1](args);
  checkTensor(op, "input", input);
  checkTensor(op, "weight", weight);
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
      }, ${groups} groups): ${show(input.shape)}`,
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

/**
 * Convolution (cross-correlation) over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, O, L']`.
 *
 * @param input the signal
 * @param args `weight`, `bias`, `stride`, `padding`, `dilation`, `groups`
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html
 */
export function conv1d(input: Tensor, ...args: Args<ConvArgs, ConvPositional>): Tensor {
  return conv(1, input, args);
}

/**
 * Convolution (cross-correlation) over two dimensions.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, O, H', W']`, `H' = ⌊(H + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1`.
 *
 * @param input the images
 * @param args `weight`, `bias`, `stride`, `padding`, `dilation`, `groups`
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2));
 * assertEquals(await y.tolist(), [[[[4, 4], [4, 4]]]]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
 */
export function conv2d(input: Tensor, ...args: Args<ConvArgs, ConvPositional>): Tensor {
  return conv(2, input, args);
}

/**
 * Convolution (cross-correlation) over three dimensions.
 *
 * Shape: `[N, C, D, H, W]` or `[C, D, H, W]` to `[N, O, D', H', W']`.
 *
 * @param input the volumes
 * @param args `weight`, `bias`, `stride`, `padding`, `dilation`, `groups`
 * @throws {ShapeError} if channels do not fit or the kernel is larger than the padded input
 */
export function conv3d(input: Tensor, ...args: Args<ConvArgs, ConvPositional>): Tensor {
  return conv(3, input, args);
}

/** The parameters of {@linkcode convTranspose2d} and its relatives. */
export interface ConvTransposeArgs {
  /** `[in, out / groups, kernel…]`. */
  weight: Tensor;
  /** `[out]`. */
  bias?: Tensor | null;
  /** Step of the window in the output. @default {1} */
  stride?: number | readonly number[];
  /** Elements cut from both sides of the output. @default {0} */
  padding?: number | readonly number[];
  /** Elements added to the end of the output. @default {0} */
  outputPadding?: number | readonly number[];
  /** Independent groups of channels. @default {1} */
  groups?: number;
  /** Step between the window's taps. @default {1} */
  dilation?: number | readonly number[];
}

/** The positional parameters of transposed convolutions. */
export type ConvTransposePositional = [
  "weight",
  "bias",
  "stride",
  "padding",
  "outputPadding",
  "groups",
  "dilation",
];
const TRANSPOSE = ["weight", "bias", "stride", "padding", "outputPadding", "groups", "dilation"] as const;

const transposeArgs = [1, 2, 3].map((n) => signature<ConvTransposeArgs>(`convTranspose${n}d`, TRANSPOSE, [], 1));

function convTranspose(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  if (autocasting.active) return autocasted("lower", convTranspose, n, input, args);
  const op = `convTranspose${n}d`;
  const { weight, bias = null, groups = 1, ...sizes } = transposeArgs[n - 1](args);
  checkTensor(op, "input", input);
  checkTensor(op, "weight", weight);
  checkConvOperands(op, n, input, weight, bias, groups);
  const stride = perDimension(op, "stride", sizes.stride ?? 1, n);
  const padding = perDimension(op, "padding", sizes.padding ?? 0, n);
  const dilation = perDimension(op, "dilation", sizes.dilation ?? 1, n);
  const extra = perDimension(op, "outputPadding", sizes.outputPadding ?? 0, n);
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

/**
 * Transposed convolution over one dimension: the gradient of {@linkcode conv1d} by its input, as an op.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, O, L']`.
 *
 * @param input the signal
 * @param args `weight`, `bias`, `stride`, `padding`, `outputPadding`, `groups`, `dilation`
 * @throws {ShapeError} if channels do not fit
 */
export function convTranspose1d(input: Tensor, ...args: Args<ConvTransposeArgs, ConvTransposePositional>): Tensor {
  return convTranspose(1, input, args);
}

/**
 * Transposed convolution over two dimensions: the gradient of {@linkcode conv2d} by its input, as an op.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, O, H', W']`,
 * `H' = (H - 1)·stride - 2·padding + dilation·(kernel - 1) + outputPadding + 1`.
 *
 * @param input the images
 * @param args `weight`, `bias`, `stride`, `padding`, `outputPadding`, `groups`, `dilation`
 * @throws {ShapeError} if channels do not fit
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
 */
export function convTranspose2d(input: Tensor, ...args: Args<ConvTransposeArgs, ConvTransposePositional>): Tensor {
  return convTranspose(2, input, args);
}

/**
 * Transposed convolution over three dimensions: the gradient of {@linkcode conv3d} by its input, as an op.
 *
 * Shape: `[N, C, D, H, W]` or `[C, D, H, W]` to `[N, O, D', H', W']`.
 *
 * @param input the volumes
 * @param args `weight`, `bias`, `stride`, `padding`, `outputPadding`, `groups`, `dilation`
 * @throws {ShapeError} if channels do not fit
 */
export function convTranspose3d(input: Tensor, ...args: Args<ConvTransposeArgs, ConvTransposePositional>): Tensor {
  return convTranspose(3, input, args);
}
