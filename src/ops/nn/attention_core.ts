/**
 * What attention means, in tensor operations: the scores, their softmax, and the gradient.
 *
 * A backend with fused kernels is held to this; where it has none, or refuses the operands, this runs. The gradient is
 * written out for second derivatives: a fused forward pass leaves no graph of its own.
 *
 * @module
 */

import { describe, ShapeError } from "../../base/errors.ts";
import type { AttentionOptions } from "../../backend/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ones } from "../create/creation.ts";
import { dropout, dropoutAgain } from "../pointwise/dropout.ts";

/** Repeats the heads of key and value so that each of the query's heads has its own. */
export function shareHeads(query: Tensor, key: Tensor, value: Tensor): [key: Tensor, value: Tensor] {
  const heads = query.shape[query.ndim - 3];
  const repeat = (x: Tensor) => {
    const own = x.shape[x.ndim - 3];
    if (heads % own !== 0) {
      throw new ShapeError(
        `scaledDotProductAttention(): query heads must be a multiple of others: ${describe(heads)} % ${describe(own)}`,
      );
    }
    return own === heads ? x : x.repeatInterleave(heads / own, -3);
  };
  return [repeat(key), repeat(value)];
}

function causalMask(scores: Tensor): Tensor {
  return ones(scores.shape.slice(-2), { device: scores.device }).tril().ne(0);
}

/** Softmax of the scores, masked. */
function weightsOf(query: Tensor, key: Tensor, mask: Tensor | null, scale: number, causal: boolean): Tensor {
  const scores = query.mul(scale).matmul(key.transpose(-2, -1)); // (N, …, L, S)
  const applied = causal ? causalMask(scores) : mask;
  if (applied === null) return scores.softmax(-1);
  const masked = applied.dtype.kind === "bool"
    ? scores.maskedFill(applied.logicalNot(), -Infinity)
    : scores.add(applied);
  if (mask === null) return masked.softmax(-1);
  // A row of -∞ only has no softmax, neither in value nor in gradient.
  const empty = masked.detach().eq(-Infinity).all(-1, true);
  return masked.maskedFill(empty, 0).softmax(-1).maskedFill(empty, 0);
}

/** Attention over equal heads, in float32 or wider. */
export function composedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor | null,
  scale: number,
  causal: boolean,
  dropoutP: number,
): Tensor {
  const weights = weightsOf(query, key, mask, scale, causal);
  return dropout(weights, dropoutP, dropoutP > 0).matmul(value);
}

/** The gradients of attention by query, key and value, of which groups of heads may share the last two. */
export function composedGradients(
  grad: Tensor,
  [query, key, value]: readonly Tensor[],
  mask: Tensor | null,
  options: AttentionOptions,
): [query: Tensor, key: Tensor, value: Tensor] {
  const { scale, causal, dropout: drop } = options;
  const half = query.dtype.itemsize < 4;
  const wide = (x: Tensor) => half ? x.float() : x;
  const [q, g] = [wide(query), wide(grad)];
  const [k, v] = query.ndim > 2 ? shareHeads(q, wide(key), wide(value)) : [wide(key), wide(value)];
  const weights = weightsOf(q, k, half && mask?.dtype.isFloatingPoint ? mask.float() : mask, scale, causal);
  const kept = (x: Tensor) => drop ? dropoutAgain(x.contiguous(), drop.keep, drop.base, drop.key) : x;
  const byWeights = kept(g.matmul(v.transpose(-2, -1)));
  const byScores = weights.mul(byWeights.sub(byWeights.mul(weights).sum(-1, true))).mul(scale);
  const gathered = (x: Tensor, like: Tensor) => {
    const own = like.ndim > 2 ? like.shape[like.ndim - 3] : 1;
    const shared = like.ndim > 2 && x.shape[x.ndim - 3] !== own;
    return (shared ? x.unflatten(-3, [own, -1]).sum(-3) : x).to(like.dtype);
  };
  return [
    byScores.matmul(k).to(query.dtype),
    gathered(byScores.transpose(-2, -1).matmul(q), key),
    gathered(kept(weights).transpose(-2, -1).matmul(g), value),
  ];
}
