/**
 * Scaled dot-product attention: a device's fused kernels where it has some for the operands, products and a softmax
 * (`attention_core.ts`, which says what it means) elsewhere.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { composedAttention, shareHeads } from "./attention_core.ts";
import { fusedAttention } from "./attention_fused.ts";

/** The parameters of {@linkcode scaledDotProductAttention}. */
export class AttentionArgs {
  /** Factor of the scores; `null`: 1/√E. */
  scale: number | null = null;
  /** Whether several heads of the query share one of key and value. */
  enableGqa = false;
  constructor(
    /** What is looked up, `(N, …, S, E)`. */
    public key: Tensor,
    /** What is found, `(N, …, S, Ev)`. */
    public value: Tensor,
    /** `true` where attention is allowed, or numbers that are added to the scores; broadcasts to `(N, …, L, S)`. */
    public attnMask: Tensor | null = null,
    /** The probability that a weight is dropped. */
    public dropoutP = 0,
    /** Whether position i sees positions up to i only. */
    public isCausal = false,
  ) {}
}

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
 * import * as torch from "../../../mod.ts";
 *
 * const [q, k, v] = [1, 2, 3].map(() => torch.randn(2, 8, 5, 16));
 * assertEquals(scaledDotProductAttention(q, k, v, { isCausal: true }).shape, [2, 8, 5, 16]);
 * ```
 *
 * @see https://arxiv.org/abs/1706.03762
 */
export const scaledDotProductAttention: Fn<typeof AttentionArgs> = fn(
  { name: "scaledDotProductAttention", autocast: "lower" },
  AttentionArgs,
  (query, o) => {
    const { dropoutP, isCausal, attnMask: mask } = o;
    const op = "scaledDotProductAttention";
    checkTensor(op, "key", o.key);
    checkTensor(op, "value", o.value);
    if (mask !== null) checkTensor(op, "attnMask", mask);
    if (mask !== null && isCausal) throw new ArgumentError(`${op}(): give either attnMask or isCausal`);
    for (const x of [query, o.key, o.value]) {
      if (x.ndim < 2) throw new ShapeError(`${op}(): expected at least 2 dimensions: ${show(x.shape)}`);
    }
    const width = query.shape[query.ndim - 1];
    if (o.key.shape[o.key.ndim - 1] !== width) {
      throw new ShapeError(
        `${op}(): query and key must be equally wide: ${show(query.shape)} and ${show(o.key.shape)}`,
      );
    }
    if (o.value.shape[o.value.ndim - 2] !== o.key.shape[o.key.ndim - 2]) {
      throw new ShapeError(
        `${op}(): key and value must be equally long: ${show(o.key.shape)} and ${show(o.value.shape)}`,
      );
    }
    const scale = o.scale ?? 1 / Math.sqrt(width);
    return scope(() => {
      const call = { scale, causal: isCausal, dropoutP, grouped: o.enableGqa };
      const fused = fusedAttention(query, o.key, o.value, mask, call);
      if (fused !== null) return fused;
      // Half precision is too coarse for scores and sums: compute in float32, as PyTorch does.
      const { dtype } = query;
      if (dtype.itemsize < 4) {
        const wide = { ...o, scale, key: o.key.float(), value: o.value.float(), attnMask: mask && widened(mask) };
        return scaledDotProductAttention(query.float(), wide).to(dtype);
      }
      const [key, value] = o.enableGqa ? shareHeads(query, o.key, o.value) : [o.key, o.value];
      return composedAttention(query, key, value, mask, scale, isCausal, dropoutP);
    });
  },
);

function widened(mask: Tensor): Tensor {
  return mask.dtype.kind === "bool" ? mask : mask.float();
}
