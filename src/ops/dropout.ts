/**
 * Dropout in its forms: elements or whole channels set to zero (or to SELU's negative limit) at random.
 *
 * Elementwise dropout is one kernel whose mask is recomputed from the random stream in backward, so nothing is saved;
 * channelwise dropout multiplies by a small mask of one value per channel.
 *
 * @see Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014)
 * @module
 */

import { type Fn, fn } from "./op.ts";
import { type Args, signature } from "../base/args.ts";
import { type DType, float32, float64, toReal } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../base/errors.ts";
import { defaultGenerator } from "../base/generator.ts";
import { numelOf } from "../base/shape.ts";
import { type Expr, input as operand, type Kind, linearIndex, scalar } from "../expr/expr.ts";
import { emptyLikeDevice } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { checkAlive, type Tensor } from "../tensor/tensor.ts";
import { applyKernel, Kernel, partsOf } from "./kernel.ts";
import { drawKind, Draws, fillRandom, wordsOf } from "./random_core.ts";

/** The parameters of every dropout. */
export interface DropoutOptions {
  /** The probability that an element (or channel) is dropped. @default {0.5} */
  p?: number;
  /** Whether to drop at all; else the input is returned. @default {true} */
  training?: boolean;
  /** Whether to write the result into the input. @default {false} */
  inplace?: boolean;
}

/** The arguments of every dropout after the tensor. */
export type DropoutArgs = Args<DropoutOptions, ["p", "training", "inplace"]>;

const POSITIONAL = ["p", "training", "inplace"] as const;

/** SELU's value at minus infinity, -λα: what alpha dropout puts in place of a dropped value. */
const DROPPED = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;

function parse(op: string, x: Tensor, args: readonly unknown[], training = true): Required<DropoutOptions> {
  checkAlive(op, x);
  const options = { p: 0.5, training, inplace: false, ...signature<DropoutOptions>(op, POSITIONAL)(args) };
  if (!(options.p >= 0 && options.p <= 1)) throw new ArgumentError(`${op}(): p must be in [0, 1]: ${options.p}`);
  if (options.training && !x.dtype.isFloatingPoint && !x.dtype.isComplex) {
    throw new DTypeError(`${op}(): the tensor must be of a floating dtype: ${x.dtype}`);
  }
  return options;
}

function finish(x: Tensor, result: Tensor, inplace: boolean): Tensor {
  return inplace ? x.copy_(result) : result;
}

const kernels = new Map<string, Kernel>();

/**
 * The kernel `keep ? x·scale + shift : other`, where an element is kept with the run-time probability `keep`.
 *
 * Scalars: base, count and key of the random words, then keep, scale, shift, other.
 */
function dropKernel(dtype: DType, affine: boolean): Kernel {
  const key = `${dtype.name} ${affine}`;
  const known = kernels.get(key);
  if (known) return known;
  const kind = drawKind(dtype);
  const kinds: Kind[] = ["i64", "i64", "i64", kind, kind];
  if (affine) kinds.push(kind, kind);
  const [base, count, seed, keep, scale, shift, other] = kinds.map((k, i) => scalar(i, k));
  const kept = new Draws(linearIndex(), base, count, seed).uniform(kind === "f64" ? float64 : float32).lt(keep);
  const exprs: Expr[] = [];
  for (let part = 0; part < partsOf(dtype); part++) {
    const x = operand(part, toReal(dtype)).to(kind);
    exprs.push(affine ? kept.where(x.mul(scale).add(shift), other) : kept.where(x.mul(scale), 0));
  }
  const kernel = new Kernel([dtype], kinds, exprs, dtype);
  kernels.set(key, kernel);
  return kernel;
}

function drop(op: string, x: Tensor, affine: boolean, scalars: readonly number[]): Tensor {
  const base = defaultGenerator.reserve(numelOf(x.shape) * wordsOf(drawKind(x.dtype)));
  return dropAt(op, x, affine, base, defaultGenerator.key, scalars);
}

function dropAt(op: string, x: Tensor, affine: boolean, base: number, key: bigint, scalars: readonly number[]): Tensor {
  return applyKernel({
    op,
    node: `${op[0].toUpperCase()}${op.slice(1)}Backward0`,
    kernel: dropKernel(x.dtype, affine),
    operands: [x],
    scalars: [base, numelOf(x.shape), BigInt.asIntN(64, key), ...scalars],
    shape: x.shape,
  });
}

/** The parameters of {@linkcode dropoutAgain}. */
export class DropoutAgainArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC keep */
    public keep: number,
    /** DOC base */
    public base: number,
    /** DOC key */
    public key: bigint,
  ) {}
}

/** Dropout that keeps with probability `keep`, by the words of the stream of `key` from `base` on: the same mask each time. */
export const dropoutAgain: Fn<typeof DropoutAgainArgs> = fn(
  "dropoutAgain",
  DropoutAgainArgs,
  (x, { keep, base, key }) => dropAt("dropout", x, false, base, key, [keep, 1 / keep]),
);

/**
 * Sets each element to zero with probability `p` and divides the others by `1 - p`; the input itself when not training.
 *
 * @throws {ArgumentError} if `p` is outside [0, 1]
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const x = torch.ones(1000);
 * const y = dropout(x, 0.25);
 * assertEquals(new Set((await y.read()) as Float32Array).size, 2);
 * assertEquals(dropout(x, 0.25, false), x);
 * ```
 */
export function dropout(input: Tensor, ...args: DropoutArgs): Tensor {
  const { p, training, inplace } = parse("dropout", input, args);
  if (!training || p === 0 || input.numel() === 0) return input;
  return finish(input, p === 1 ? input.mul(0) : drop("dropout", input, false, [1 - p, 1 / (1 - p)]), inplace);
}

/** Where dropped elements go, and the affine map that keeps mean 0 and variance 1 (Klambauer et al., section 3). */
function alphaMap(p: number): { scale: number; shift: number; other: number } {
  const scale = 1 / Math.sqrt((1 - p) * (1 + p * DROPPED ** 2));
  const shift = -scale * DROPPED * p;
  return { scale, shift, other: DROPPED * scale + shift };
}

/**
 * Dropout for self-normalising networks: dropped elements take SELU's negative limit, and the result keeps mean and
 * variance. As in PyTorch, `training` is false unless given.
 *
 * @see Klambauer et al., "Self-normalizing neural networks" (2017)
 */
export function alphaDropout(input: Tensor, ...args: DropoutArgs): Tensor {
  const { p, training, inplace } = parse("alphaDropout", input, args, false);
  if (!training || p === 0 || input.numel() === 0) return input;
  if (p === 1) return finish(input, input.mul(0), inplace);
  const { scale, shift, other } = alphaMap(p);
  return finish(input, drop("alphaDropout", input, true, [1 - p, scale, shift, other]), inplace);
}

/** Which channels are kept, as ones and zeros that broadcast: the first two dimensions are batch and channel. */
function channelMask(op: string, x: Tensor, p: number): Tensor {
  if (x.ndim < 2) throw new ShapeError(`${op}(): at least 2 dimensions (batch, channel) are needed: ${show(x.shape)}`);
  const shape = x.shape.map((size, d) => (d < 2 ? size : 1));
  const mask = emptyLikeDevice(op, shape, toReal(x.dtype), x);
  const kind = drawKind(mask.dtype);
  return fillRandom(`${op} mask`, mask, defaultGenerator, {
    words: wordsOf(kind),
    params: [1 - p],
    value: (draws, [keep]) => draws.uniform(kind === "f64" ? float64 : float32).lt(keep),
  });
}

/** Sets whole channels to zero and divides the others by `1 - p`. */
function dropChannels(op: string, input: Tensor, options: Required<DropoutOptions>): Tensor {
  const { p, training, inplace } = options;
  if (!training || p === 0 || input.numel() === 0) return input;
  if (p === 1) return finish(input, input.mul(0), inplace);
  const result = scope(() => input.mul(channelMask(op, input, p).mul(1 / (1 - p))));
  return finish(input, result, inplace);
}

/** The same for inputs that may lack the batch dimension. */
function dropBatched(op: string, input: Tensor, args: readonly unknown[], batched: number, allowed: number[]): Tensor {
  const options = parse(op, input, args);
  if (!allowed.includes(input.ndim)) {
    throw new ShapeError(`${op}(): expected ${allowed.join(" or ")} dimensions: ${show(input.shape)}`);
  }
  if (input.ndim === batched) return dropChannels(op, input, options);
  const result = dropChannels(op, input.unsqueeze(0), { ...options, inplace: false }).squeeze(0);
  return finish(input, result, options.inplace && options.training);
}

/** Sets whole channels to zero with probability `p`; Shape: `[N, C, L]` or `[C, L]`. */
export function dropout1d(input: Tensor, ...args: DropoutArgs): Tensor {
  return dropBatched("dropout1d", input, args, 3, [2, 3]);
}

/**
 * Sets whole channels to zero with probability `p`; Shape: `[N, C, H, W]`, or `[N, C, L]`, whose first dimension is the
 * batch, as in PyTorch.
 */
export function dropout2d(input: Tensor, ...args: DropoutArgs): Tensor {
  return dropChannels("dropout2d", input, parse("dropout2d", input, args));
}

/** Sets whole channels to zero with probability `p`; Shape: `[N, C, D, H, W]` or `[C, D, H, W]`. */
export function dropout3d(input: Tensor, ...args: DropoutArgs): Tensor {
  return input.ndim === 4 || input.ndim === 5
    ? dropBatched("dropout3d", input, args, 5, [4, 5])
    : dropChannels("dropout3d", input, parse("dropout3d", input, args));
}

/** {@linkcode alphaDropout} of whole channels. As in PyTorch, `training` is false unless given. */
export function featureAlphaDropout(input: Tensor, ...args: DropoutArgs): Tensor {
  const { p, training, inplace } = parse("featureAlphaDropout", input, args, false);
  if (!training || p === 0 || input.numel() === 0) return input;
  if (p === 1) return finish(input, input.mul(0), inplace);
  const { scale, shift, other } = alphaMap(p);
  const result = scope(() => {
    const kept = channelMask("featureAlphaDropout", input, p);
    // kept ? x·scale + shift : other, with kept 0 or 1
    return input.mul(kept.mul(scale)).add(kept.mul(shift - other).add(other));
  });
  return finish(input, result, inplace);
}
