/**
 * Dropout in its forms: elements or whole channels set to zero (or to SELU's negative limit) at random.
 *
 * Elementwise dropout is one kernel whose mask is recomputed from the random stream in backward, so nothing is saved;
 * channelwise dropout multiplies by a small mask of one value per channel.
 *
 * @see Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014)
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { float32, float64, toReal } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { defaultGenerator } from "../../base/generator.ts";
import { numelOf } from "../../base/shape.ts";
import { Complex } from "../../expr/complex.ts";
import { type Expr, type Kind, linearIndex, type Value } from "../../expr/expr.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, type Tensor } from "../../tensor/tensor.ts";
import { Formula } from "../core/formula.ts";
import { applyKernel, type Kernel } from "../core/kernel.ts";
import { drawKind, Draws, fillRandom, wordsOf } from "../create/random_core.ts";

/** The parameters of the dropouts that drop unless told otherwise. */
export class DropoutArgs {
  constructor(
    /** The probability that an element (or channel) is dropped. */
    public p = 0.5,
    /** Whether to drop at all; else the input is returned. */
    public training = true,
    /** Whether to write the result into the input. */
    public inplace = false,
  ) {}
}

/** The parameters of the alpha dropouts, which drop only where told, as in PyTorch. */
export class AlphaDropoutArgs extends DropoutArgs {
  constructor(p?: number, training = false, inplace?: boolean) {
    super(p, training, inplace);
  }
}

/** A dropout. */
export type Dropout = Fn<typeof DropoutArgs>;

/** Defines a dropout by what it does where something is dropped: the definition checks, and handles the trivial cases. */
function dropoutOf(
  name: string,
  params: typeof DropoutArgs | typeof AlphaDropoutArgs,
  check: (input: Tensor) => void,
  drop: (input: Tensor, p: number) => Tensor,
): Dropout {
  return fn(name, params, (input, { p, training, inplace }) => {
    checkAlive(name, input);
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${name}(): p must be in [0, 1]: ${describe(p)}`);
    if (training && !input.dtype.isFloatingPoint && !input.dtype.isComplex) {
      throw new DTypeError(`${name}(): the tensor must be of a floating dtype: ${input.dtype}`);
    }
    check(input);
    if (!training || p === 0 || input.numel() === 0) return input;
    const result = p === 1 ? input.mul(0) : drop(input, p);
    return inplace ? input.copy_(result) : result;
  });
}

/** Takes tensors of any shape. */
function anyShape(): void {}

/** SELU's value at minus infinity, -λα: what alpha dropout puts in place of a dropped value. */
const DROPPED = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;

/**
 * `keep ? x·scale + shift : other`, where an element is kept with the run-time probability `keep`.
 *
 * Numbers: base, count and key of the random words, then keep, scale, and of an affine map shift and other.
 */
const dropFormula = new Formula<Value, [affine: boolean]>("none", ([x], numbers, affine) => {
  const [base, count, seed, keep, scale, shift, other] = numbers;
  const kept = new Draws(linearIndex(), base, count, seed).uniform(keep.kind === "f64" ? float64 : float32).lt(keep);
  const part = (v: Expr) => {
    const x = v.to(scale.kind).mul(scale);
    return affine ? kept.where(x.add(shift), other) : kept.where(x, 0);
  };
  return x instanceof Complex ? new Complex(part(x.re), part(x.im)) : part(x as Expr);
});

function dropKernel(x: Tensor, affine: boolean): Kernel {
  const kind = drawKind(x.dtype);
  const kinds: Kind[] = ["i64", "i64", "i64", kind, kind];
  if (affine) kinds.push(kind, kind);
  return dropFormula.kernel([x], kinds, x, affine);
}

function drop(op: string, x: Tensor, affine: boolean, scalars: readonly number[]): Tensor {
  const base = defaultGenerator.reserve(numelOf(x.shape) * wordsOf(drawKind(x.dtype)));
  return dropAt(op, x, affine, base, defaultGenerator.key, scalars);
}

function dropAt(op: string, x: Tensor, affine: boolean, base: number, key: bigint, scalars: readonly number[]): Tensor {
  return applyKernel({
    op,
    node: `${op[0].toUpperCase()}${op.slice(1)}Backward0`,
    kernel: dropKernel(x, affine),
    operands: [x],
    scalars: [base, numelOf(x.shape), BigInt.asIntN(64, key), ...scalars],
    shape: x.shape,
  });
}

/** Dropout that keeps with probability `keep`, by the words of the stream of `key` from `base` on: the same mask each time. */
export function dropoutAgain(x: Tensor, keep: number, base: number, key: bigint): Tensor {
  return dropAt("dropout", x, false, base, key, [keep, 1 / keep]);
}

/**
 * Sets each element to zero with probability `p` and divides the others by `1 - p`; the input itself when not training.
 *
 * @throws {ArgumentError} if `p` is outside [0, 1]
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const x = torch.ones(1000);
 * const y = dropout(x, 0.25);
 * assertEquals(new Set((await y.read()) as Float32Array).size, 2);
 * assertEquals(dropout(x, 0.25, false), x);
 * ```
 */
export const dropout: Dropout = dropoutOf(
  "dropout",
  DropoutArgs,
  anyShape,
  (x, p) => drop("dropout", x, false, [1 - p, 1 / (1 - p)]),
);

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
export const alphaDropout: Dropout = dropoutOf("alphaDropout", AlphaDropoutArgs, anyShape, (x, p) => {
  const { scale, shift, other } = alphaMap(p);
  return drop("alphaDropout", x, true, [1 - p, scale, shift, other]);
});

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

/** Whole channels set to zero and the others divided by `1 - p`; an input of `unbatched` dimensions has no batch. */
function channels(op: string, unbatched: number): (input: Tensor, p: number) => Tensor {
  const batched = (x: Tensor, p: number) => x.mul(channelMask(op, x, p).mul(1 / (1 - p)));
  return (x, p) => scope(() => x.ndim === unbatched ? batched(x.unsqueeze(0), p).squeeze(0) : batched(x, p));
}

/** Sets whole channels to zero with probability `p`; Shape: `[N, C, L]` or `[C, L]`. */
export const dropout1d: Dropout = dropoutOf("dropout1d", DropoutArgs, (input) => {
  if (input.ndim !== 2 && input.ndim !== 3) {
    throw new ShapeError(`dropout1d(): expected 2 or 3 dimensions: ${show(input.shape)}`);
  }
}, channels("dropout1d", 2));

/**
 * Sets whole channels to zero with probability `p`; Shape: `[N, C, H, W]`, or `[N, C, L]`, whose first dimension is the
 * batch, as in PyTorch.
 */
export const dropout2d: Dropout = dropoutOf("dropout2d", DropoutArgs, anyShape, channels("dropout2d", -1));

/** Sets whole channels to zero with probability `p`; Shape: `[N, C, D, H, W]` or `[C, D, H, W]`. */
export const dropout3d: Dropout = dropoutOf("dropout3d", DropoutArgs, anyShape, channels("dropout3d", 4));

/** {@linkcode alphaDropout} of whole channels. As in PyTorch, `training` is false unless given. */
export const featureAlphaDropout: Dropout = dropoutOf(
  "featureAlphaDropout",
  AlphaDropoutArgs,
  anyShape,
  (input, p) => {
    const { scale, shift, other } = alphaMap(p);
    return scope(() => {
      const kept = channelMask("featureAlphaDropout", input, p);
      // kept ? x·scale + shift : other, with kept 0 or 1
      return input.mul(kept.mul(scale)).add(kept.mul(shift - other).add(other));
    });
  },
);
