/**
 * Attention by a backend's fused kernels: one node that saves the operands, the result and a number per row, never the
 * matrix of weights.
 *
 * Operands go down as views of four dimensions with the strides that they have, so the transposed heads of a projection
 * need no copy, and results lie in memory as the query does, so that joining the heads needs none either.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { float32 } from "../../base/dtype.ts";
import { defaultGenerator } from "../../base/generator.ts";
import { numelOf, sameShape } from "../../base/shape.ts";
import { record, recording } from "../../autograd/record.ts";
import type { AttentionOperands, AttentionOptions, Backend } from "../../backend/backend.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { composedGradients } from "./attention_core.ts";
import { formula } from "../core/formula.ts";
import { checkOperands } from "../core/kernel.ts";
import { makeView } from "../core/view_core.ts";

const OP = "scaledDotProductAttention";

/** What a call asks for besides the operands. */
export interface FusedCall {
  /** The factor of the scores. */
  readonly scale: number;
  /** Whether position i sees positions up to i only. */
  readonly causal: boolean;
  /** The probability that a weight is dropped. */
  readonly dropoutP: number;
  /** Whether heads of the query may share one of key and value. */
  readonly grouped: boolean;
}

/** A backend with fused attention. */
type Fused = Backend & Required<Pick<Backend, "attention" | "attentionGrad" | "supportsAttention">>;

/** `x` with leading dimensions of 1, four in all, without history. */
function lifted(x: Tensor): Tensor {
  const lead = 4 - x.ndim;
  if (lead === 0) return x;
  const ones = new Array<number>(lead).fill(1), zeros = new Array<number>(lead).fill(0);
  return makeView(x, [...ones, ...x.shape], [...zeros, ...x.strides]);
}

/** The mask as a view of every score, or `null` where it does not broadcast to them. */
function maskView(mask: Tensor, shape: readonly number[]): Tensor | null {
  const lead = 4 - mask.ndim;
  if (lead < 0) return null;
  const strides = shape.map((size, d) => {
    if (d < lead || (mask.shape[d - lead] === 1 && size !== 1)) return 0;
    return mask.shape[d - lead] === size ? mask.strides[d - lead] : NaN;
  });
  return strides.some(Number.isNaN) ? null : makeView(mask, shape, strides);
}

/** `x` as kernels take it: unit steps in rows, rows at 16 bytes where they are made of such. */
function usable(x: Tensor): Tensor {
  const { itemsize } = x.dtype, width = x.shape[3];
  const whole = width * itemsize % 16 === 0;
  const aligned = (n: number) => !whole || n * itemsize % 16 === 0;
  const rows = x.strides[3] === 1 || width === 1;
  const lies = rows && aligned(x.offset) && [0, 1, 2].every((d) => x.shape[d] === 1 || aligned(x.strides[d]));
  return lies ? x : x.contiguous();
}

/** An uninitialised tensor whose first three dimensions lie in memory in the order of those of `like`. */
function laidOutLike(like: Tensor, width: number): Tensor {
  const shape = [...like.shape.slice(0, 3), width];
  const order = [0, 1, 2].sort((a, b) => like.strides[b] - like.strides[a] || a - b);
  const dense = emptyLikeDevice(OP, shape, like.dtype, like);
  const strides = [0, 0, 0, 1];
  let step = width;
  for (const d of order.reverse()) {
    strides[d] = step;
    step *= shape[d];
  }
  return makeView(dense, shape, strides);
}

const product = formula(([a, b]) => a.mul(b));

/** The dot product of each row of `a` with that of `b`. */
function rowDots(backend: Backend, a: Tensor, b: Tensor): Tensor {
  const out = emptyLikeDevice(OP, a.shape.slice(0, 3), float32, a);
  backend.reduce(product.program([a, b], 0, [out]), "sum", a.shape, [3], [a, b], [], [out]);
  return out;
}

/** Whether shapes and dtypes are those that kernels are written for: equal batches, heads that divide, a positive scale. */
function fits(q: Tensor, k: Tensor, v: Tensor, { grouped, dropoutP, scale }: FusedCall): boolean {
  // Kernels find the largest score before they scale it.
  if (!(scale > 0 && scale < Infinity)) return false;
  if (q.ndim > 4 || k.ndim !== q.ndim || v.ndim !== q.ndim || k.dtype !== q.dtype || v.dtype !== q.dtype) return false;
  if (!q.dtype.isFloatingPoint || !(dropoutP >= 0 && dropoutP < 1)) return false;
  const [q4, k4, v4] = [q, k, v].map((x) => lifted(x).shape);
  const heads = grouped && q.ndim > 2 ? q4[1] % k4[1] === 0 : q4[1] === k4[1];
  return q4[0] === k4[0] && heads && q4[3] === k4[3] && sameShape(k4.slice(0, 3), v4.slice(0, 3)) &&
    [q4, k4, v4].every((shape) => numelOf(shape) > 0);
}

/** Attention by fused kernels, or `null` where there are none for these operands. */
export function fusedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor | null,
  call: FusedCall,
): Tensor | null {
  const backend = query.storage.backend;
  if (!backend.supportsAttention || !backend.attention || !backend.attentionGrad) return null;
  if (!fits(query, key, value, call) || (mask !== null && recording([mask]))) return null;
  checkOperands(OP, mask === null ? [query, key, value] : [query, key, value, mask]);
  const [q, k, v] = [query, key, value].map(lifted);
  const scores = [...q.shape.slice(0, 3), k.shape[2]];
  const view = mask && maskView(mask, scores);
  if (mask !== null && (view === null || !(mask.dtype.kind === "bool" || mask.dtype.isFloatingPoint))) return null;
  if (!backend.supportsAttention({ query: q, key: k, value: v, mask: view })) return null;
  return run(backend as Fused, [query, key, value], [q, k, v], view, call, numelOf(scores));
}

function run(
  backend: Fused,
  inputs: readonly Tensor[],
  [q, k, v]: readonly Tensor[],
  mask: Tensor | null,
  { scale, causal, dropoutP }: FusedCall,
  scores: number,
): Tensor {
  const keep = 1 - dropoutP;
  const dropout = dropoutP === 0
    ? null
    : { keep, base: defaultGenerator.reserve(scores), key: BigInt.asIntN(64, defaultGenerator.key) };
  const options: AttentionOptions = { scale, causal, dropout };
  const out = laidOutLike(q, v.shape[3]);
  const logSum = emptyLikeDevice(OP, q.shape.slice(0, 3), float32, q);
  unrecorded(() => backend.attention(operandsOf([q, k, v], mask), options, out, logSum));
  const lead = 4 - inputs[0].ndim;
  const result = lead === 0 ? out : makeView(out, out.shape.slice(lead), out.strides.slice(lead));
  const saved = [...inputs, result, logSum, ...(mask ? [mask] : [])];
  return record("ScaledDotProductFlashAttentionBackward0", result, inputs, saved, (grad, kept, needs) => {
    const tensors = kept.slice(0, 3), weighed = kept.length > 5 ? kept[5] : null;
    // Fused gradients have none of their own: what may be differentiated again is computed by operations that have.
    if (recording([grad, ...tensors])) {
      const own = weighed && makeView(weighed, weighed.shape.slice(lead), weighed.strides.slice(lead));
      return scope(() => composedGradients(grad, tensors, own, options));
    }
    return scope(() => gradients(backend, grad, kept, weighed, options, needs, lead));
  });
}

function operandsOf(tensors: readonly Tensor[], mask: Tensor | null): AttentionOperands {
  const [query, key, value] = tensors.map(usable);
  return { query, key, value, mask };
}

function gradients(
  backend: Fused,
  grad: Tensor,
  kept: readonly Tensor[],
  mask: Tensor | null,
  options: AttentionOptions,
  needs: readonly boolean[],
  lead: number,
): (Tensor | null)[] {
  const [q, k, v, out] = kept.slice(0, 4).map(lifted), logSum = kept[4];
  const g = usable(lifted(grad));
  const dots = rowDots(backend, g, out);
  const byQuery = needs[0] ? laidOutLike(q, q.shape[3]) : null;
  const byKey = needs[1] || needs[2] ? laidOutLike(k, k.shape[3]) : null;
  const byValue = byKey && laidOutLike(v, v.shape[3]);
  const both = byKey && byValue ? [byKey, byValue] as const : null;
  backend.attentionGrad(operandsOf([q, k, v], mask), options, logSum, g, dots, byQuery, both);
  return [byQuery, byKey, byValue].map((x, i) => {
    if (x === null || !needs[i]) return null;
    return lead === 0 ? x : makeView(x, x.shape.slice(lead), x.strides.slice(lead));
  });
}
