/**
 * Scaled dot-product attention, composed of products and a softmax.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ones } from "./creation.ts";
import { dropout } from "./dropout.ts";

/** The parameters of {@linkcode scaledDotProductAttention}. */
export interface AttentionArgs {
  /** What is looked up, `(N, …, S, E)`. */
  key: Tensor;
  /** What is found, `(N, …, S, Ev)`. */
  value: Tensor;
  /** `true` where attention is allowed, or numbers that are added to the scores; broadcasts to `(N, …, L, S)`. */
  attnMask?: Tensor | null;
  /** The probability that a weight is dropped. @default {0} */
  dropoutP?: number;
  /** Whether position i sees positions up to i only. @default {false} */
  isCausal?: boolean;
  /** Factor of the scores; 1/√E if missing. */
  scale?: number | null;
  /** Whether several heads of the query share one of key and value. @default {false} */
  enableGqa?: boolean;
}
const attentionArgs = signature<AttentionArgs>(
  "scaledDotProductAttention",
  ["key", "value", "attnMask", "dropoutP", "isCausal"],
  ["scale", "enableGqa"],
  2,
);

/**
 * `softmax(query · keyᵀ · scale + mask) · value`.
 *
 * Shape: query `(N, …, L, E)`, key `(N, …, S, E)`, value `(N, …, S, Ev)` to `(N, …, L, Ev)`. A row that may attend to
 * nothing gives zeros.
 *
 * @throws {ArgumentError} if a mask is given together with `isCausal`
 * @throws {ShapeError} if the sizes do not fit
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const [q, k, v] = [1, 2, 3].map(() => torch.randn(2, 8, 5, 16));
 * assertEquals(scaledDotProductAttention(q, k, v, { isCausal: true }).shape, [2, 8, 5, 16]);
 * ```
 *
 * @see https://arxiv.org/abs/1706.03762
 */
export function scaledDotProductAttention(
  query: Tensor,
  ...args: Args<AttentionArgs, ["key", "value", "attnMask", "dropoutP", "isCausal"]>
): Tensor {
  if (autocasting.active) return autocasted("lower", scaledDotProductAttention, query, ...args);
  const o = attentionArgs(args);
  const { dropoutP = 0, isCausal = false } = o;
  const mask = o.attnMask ?? null;
  const op = "scaledDotProductAttention";
  if (mask !== null && isCausal) throw new ArgumentError(`${op}(): give either attnMask or isCausal`);
  for (const x of [query, o.key, o.value]) {
    if (x.ndim < 2) throw new ShapeError(`${op}(): expected at least 2 dimensions: ${show(x.shape)}`);
  }
  const width = query.shape[query.ndim - 1];
  const scale = o.scale ?? 1 / Math.sqrt(width);
  return scope(() => {
    // Half precision is too coarse for scores and sums: compute in float32, as PyTorch does.
    const { dtype } = query;
    if (dtype.itemsize < 4) {
      const wide = { ...o, key: o.key.float(), value: o.value.float(), attnMask: mask && widened(mask) };
      return scaledDotProductAttention(query.float(), wide).to(dtype);
    }
    const [key, value] = o.enableGqa ? shareHeads(query, o.key, o.value) : [o.key, o.value];
    const scores = query.mul(scale).matmul(key.transpose(-2, -1)); // (N, …, L, S)
    const weights = attentionWeights(scores, isCausal ? causalMask(scores) : mask, mask !== null);
    return dropout(weights, dropoutP, dropoutP > 0).matmul(value);
  });
}

function widened(mask: Tensor): Tensor {
  return mask.dtype.kind === "bool" ? mask : mask.float();
}

/** Repeats the heads of key and value so that each group of the query's heads has its own. */
function shareHeads(query: Tensor, key: Tensor, value: Tensor): [key: Tensor, value: Tensor] {
  const heads = query.shape[query.ndim - 3];
  const repeat = (x: Tensor) => {
    const own = x.shape[x.ndim - 3];
    if (heads % own !== 0) {
      throw new ShapeError(`scaledDotProductAttention(): query heads must be a multiple of others: ${heads} % ${own}`);
    }
    return own === heads ? x : x.repeatInterleave(heads / own, -3);
  };
  return [repeat(key), repeat(value)];
}

function causalMask(scores: Tensor): Tensor {
  const shape = scores.shape.slice(-2);
  return ones(shape, { device: scores.device }).tril().ne(0);
}

/**
 * Softmax of masked scores.
 *
 * @param mask allowed positions, or numbers to add; `null` for none
 * @param mayBeEmpty whether a row of the mask may allow nothing
 */
function attentionWeights(scores: Tensor, mask: Tensor | null, mayBeEmpty: boolean): Tensor {
  if (mask === null) return scores.softmax(-1);
  const masked = mask.dtype.kind === "bool" ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask);
  if (!mayBeEmpty) return masked.softmax(-1);
  // A row of -∞ only has no softmax, neither in value nor in gradient.
  const empty = masked.detach().eq(-Infinity).all(-1, true);
  return masked.maskedFill(empty, 0).softmax(-1).maskedFill(empty, 0);
}
