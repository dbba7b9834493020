/**
 * `multiHeadAttentionForward`: attention of several heads with its projections, the computation of
 * `nn.MultiheadAttention`.
 *
 * Sequences come first here, as in PyTorch: `(L, N, E)`. Heads are views of the projections, `(N, heads, L, headDim)`, in
 * whatever order these lie in memory, so that fused attention copies nothing on its way in or out.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { scaledDotProductAttention } from "./attention.ts";
import { dropout } from "../pointwise/dropout.ts";
import { cat } from "../shape/join.ts";
import { linear } from "../linalg/linear.ts";
import { pad } from "../shape/pad.ts";

/** The parameters of {@linkcode multiHeadAttentionForward}, in PyTorch's order. */
export class MultiHeadAttentionArgs {
  constructor(
    /** `(S, N, E)` or `(S, E)`. */
    public key: Tensor,
    /** `(S, N, E)` or `(S, E)`. */
    public value: Tensor,
    /** The size that the query must have. */
    public embedDimToCheck: number,
    /** How many heads. */
    public numHeads: number,
    /** `(3E, E)`: the weights of query, key and value; `null` with separate ones. */
    public inProjWeight: Tensor | null,
    /** `(3E)`. */
    public inProjBias: Tensor | null,
    /** A key that is added to every sequence, `(1, 1, E)`. */
    public biasK: Tensor | null,
    /** A value that is added to every sequence, `(1, 1, E)`. */
    public biasV: Tensor | null,
    /** Whether a key and a value of zeros are added. */
    public addZeroAttn: boolean,
    /** The probability that a weight is dropped. */
    public dropoutP: number,
    /** `(E, E)`. */
    public outProjWeight: Tensor,
    /** `(E)`. */
    public outProjBias: Tensor | null,
    /** Whether weights are dropped. */
    public training = true,
    /** `true` (or -∞) at keys that do not count, `(N, S)` or `(S)`. */
    public keyPaddingMask: Tensor | null = null,
    /** Whether the weights are returned. */
    public needWeights = true,
    /** `true` where attention is forbidden, or numbers that are added, `(L, S)` or `(N · heads, L, S)`. */
    public attnMask: Tensor | null = null,
    /** Whether separate projection weights are used. */
    public useSeparateProjWeight = false,
    /** The weight that projects queries, `(E, E)`. */
    public qProjWeight: Tensor | null = null,
    /** The weight that projects keys, `(E, kdim)`. */
    public kProjWeight: Tensor | null = null,
    /** The weight that projects values, `(E, vdim)`. */
    public vProjWeight: Tensor | null = null,
    /** Keys in place of the projected ones, `(N · heads, S, headDim)`. */
    public staticK: Tensor | null = null,
    /** Values in place of the projected ones, `(N · heads, S, headDim)`. */
    public staticV: Tensor | null = null,
    /** Whether returned weights are averaged over heads. */
    public averageAttnWeights = true,
    /** Says that the mask is causal; it must be given all the same. */
    public isCausal = false,
  ) {}
}

/**
 * Attention of several heads.
 *
 * @param query `(L, N, E)` or `(L, E)`
 * @returns the output, shaped as the query, and the weights `(N, L, S)` or `null`
 * @throws {ShapeError} if the sizes do not fit
 */
export const multiHeadAttentionForward: Fn<typeof MultiHeadAttentionArgs, [output: Tensor, weights: Tensor | null]> =
  fn(
    "multiHeadAttentionForward",
    MultiHeadAttentionArgs,
    (query, o) => {
      checkTensor(OP, "key", o.key);
      checkTensor(OP, "value", o.value);
      checkShapes(query, o);
      if (o.isCausal && !o.attnMask) {
        throw new ArgumentError(
          "multiHeadAttentionForward(): need attnMask if specifying the isCausal hint; " +
            "use nn.Transformer.generateSquareSubsequentMask",
        );
      }
      return scope(() => attend(query, o));
    },
  );

const OP = "multiHeadAttentionForward";

function checkShapes(query: Tensor, o: Readonly<MultiHeadAttentionArgs>): void {
  const { key, value, keyPaddingMask, embedDimToCheck, numHeads } = o;
  if (query.ndim !== 2 && query.ndim !== 3) {
    throw new ShapeError(
      `${OP}(): query should be unbatched 2D or batched 3D but received ${query.ndim}-D query tensor`,
    );
  }
  for (const x of [key, value]) {
    if (x.ndim !== query.ndim) {
      throw new ShapeError(
        `${OP}(): for ${query.ndim}-D query, expected key and value to be ${query.ndim}-D: ${show(x.shape)}`,
      );
    }
  }
  if (keyPaddingMask && keyPaddingMask.ndim !== query.ndim - 1) {
    throw new ShapeError(
      `${OP}(): for ${query.ndim}-D query, expected keyPaddingMask to be ${query.ndim - 1}-D: ${
        show(keyPaddingMask.shape)
      }`,
    );
  }
  const width = query.shape[query.ndim - 1];
  if (width !== embedDimToCheck) {
    throw new ShapeError(`${OP}(): was expecting embedding dimension of ${embedDimToCheck}, but got ${width}`);
  }
  if (width % numHeads !== 0) throw new ShapeError(`${OP}(): embedDim ${width} not divisible by numHeads ${numHeads}`);
  const lead = o.useSeparateProjWeight ? key.ndim - 1 : key.ndim;
  if (!sameShape(key.shape.slice(0, lead), value.shape.slice(0, lead))) {
    throw new ShapeError(`${OP}(): key shape ${show(key.shape)} does not match value shape ${show(value.shape)}`);
  }
}

/** A mask as numbers to add: -∞ where it forbids. */
function additive(name: string, mask: Tensor | null, like: Tensor): Tensor | null {
  if (mask === null) return null;
  checkTensor(OP, name, mask);
  if (mask.dtype.kind === "bool") return like.detach().newZeros(mask.shape).maskedFill(mask, -Infinity);
  if (!mask.dtype.isFloatingPoint) {
    throw new DTypeError(`${OP}(): only bool and floating types of ${name} are supported: ${mask.dtype}`);
  }
  return mask;
}

/** A linear layer over `(L, N, E)` that keeps the memory order of its input: batches that come first stay so, uncopied. */
function linearInOrder(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const batchFirst = x.ndim === 3 && !x.dense && x.strides[0] < x.strides[1];
  return batchFirst ? linear(x.transpose(0, 1), weight, bias).transpose(0, 1) : linear(x, weight, bias);
}

function project(query: Tensor, o: Readonly<MultiHeadAttentionArgs>): [Tensor, Tensor, Tensor] {
  const biases = o.inProjBias ? o.inProjBias.chunk(3) : [null, null, null];
  const weights = o.useSeparateProjWeight ? [o.qProjWeight!, o.kProjWeight!, o.vProjWeight!] : o.inProjWeight!.chunk(3);
  if (!o.useSeparateProjWeight && query === o.key && query === o.value) {
    // Self-attention: one product for all three.
    const [q, k, v] = linearInOrder(query, o.inProjWeight!, o.inProjBias).chunk(3, -1);
    return [q, k, v];
  }
  const [q, k, v] = [query, o.key, o.value].map((x, i) => linearInOrder(x, weights[i], biases[i]));
  return [q, k, v];
}

function attend(query: Tensor, o: Readonly<MultiHeadAttentionArgs>): [Tensor, Tensor | null] {
  const batched = query.ndim === 3;
  if (!batched) {
    const lift = (x: Tensor) => x.unsqueeze(1);
    const same = query === o.key && query === o.value;
    query = lift(query);
    const [key, value] = same ? [query, query] : [lift(o.key), lift(o.value)];
    o = { ...o, key, value, keyPaddingMask: o.keyPaddingMask && o.keyPaddingMask.unsqueeze(0) };
  }
  const [length, batch, width] = query.shape;
  const heads = o.numHeads;
  let [q, k, v] = project(query, o); // (L, N, E), (S, N, E)
  // The hint stands for the mask where nothing else forbids: then kernels skip what is not seen.
  const causal = o.isCausal && !o.keyPaddingMask && !o.needWeights;
  const given = squareMask(additive("attnMask", o.attnMask, query), [length, o.key.shape[0]], batch, heads);
  let mask = causal ? null : given;
  let padding = additive("keyPaddingMask", o.keyPaddingMask, query);
  const extend = () => {
    mask = mask && pad(mask, [0, 1]);
    padding = padding && pad(padding, [0, 1]);
  };
  if (o.biasK && o.biasV) {
    k = cat([k, o.biasK.expand(1, batch, width)]);
    v = cat([v, o.biasV.expand(1, batch, width)]);
    extend();
  }
  const size = width / heads;
  const byHead = (x: Tensor) => x.unflatten(-1, [heads, size]).permute(1, 2, 0, 3); // (N, heads, L, headDim)
  q = byHead(q);
  k = o.staticK ? o.staticK.unflatten(0, [batch, heads]) : byHead(k);
  v = o.staticV ? o.staticV.unflatten(0, [batch, heads]) : byHead(v);
  if (o.addZeroAttn) {
    const zeros = k.detach().newZeros([batch, heads, 1, size]);
    k = cat([k, zeros], 2);
    v = cat([v, zeros], 2);
    extend();
  }
  const [mixed, weights] = heed([q, k, v], mergeMasks(mask, padding, batch, k.shape[2]), causal, o);
  const joined = mixed.permute(2, 0, 1, 3).flatten(-2);
  const output = linearInOrder(joined, o.outProjWeight, o.outProjBias);
  if (batched) return [output, weights];
  return [output.squeeze(1), weights && weights.squeeze(0)];
}

/** The mask as `(L, S)`, or `(N, heads, L, S)`. */
function squareMask(
  mask: Tensor | null,
  [length, source]: readonly [number, number],
  batch: number,
  heads: number,
): Tensor | null {
  if (mask === null) return null;
  const expected = mask.ndim === 2 ? [length, source] : [batch * heads, length, source];
  if (!sameShape(mask.shape, expected)) {
    throw new ShapeError(`${OP}(): the shape of attnMask is ${show(mask.shape)}, but should be ${show(expected)}`);
  }
  return mask.ndim === 2 ? mask : mask.unflatten(0, [batch, heads]);
}

function mergeMasks(mask: Tensor | null, padding: Tensor | null, batch: number, source: number): Tensor | null {
  if (padding === null) return mask;
  if (!sameShape(padding.shape, [batch, source])) {
    throw new ShapeError(`${OP}(): keyPaddingMask must be ${show([batch, source])}: ${show(padding.shape)}`);
  }
  const wide = padding.reshape(batch, 1, 1, source);
  return mask === null ? wide : mask.add(wide);
}

/** The attention itself: `(N, heads, L, headDim)`, and the weights `(N, [heads,] L, S)` where asked for. */
function heed(
  [q, k, v]: readonly Tensor[],
  mask: Tensor | null,
  isCausal: boolean,
  o: Readonly<MultiHeadAttentionArgs>,
): [Tensor, Tensor | null] {
  const p = o.training ? o.dropoutP : 0;
  if (!o.needWeights) {
    return [scaledDotProductAttention(q, k, v, { attnMask: mask, dropoutP: p, isCausal }), null];
  }
  const scores = q.mul(Math.sqrt(1 / q.shape[3])).matmul(k.transpose(-2, -1));
  const weights = dropout((mask ? scores.add(mask) : scores).softmax(-1), p, p > 0);
  return [weights.matmul(v), o.averageAttnWeights ? weights.mean(1) : weights];
}
