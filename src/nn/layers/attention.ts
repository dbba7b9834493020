/**
 * Multi-head attention as a layer: `MultiheadAttention`.
 *
 * @module
 */

import { type Args, call } from "../../base/call.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { emptyParameter, FactoryArgs, zerosParameter } from "../module/factory.ts";
import * as F from "../functional.ts";
import { constant_, xavierNormal_, xavierUniform_ } from "../init.ts";
import { Linear } from "./linear.ts";
import { Module } from "../module/module.ts";
import type { Parameter } from "../module/parameter.ts";

/** The output projection; the name is what PyTorch prints. */
export class NonDynamicallyQuantizableLinear extends Linear {}

/** The parameters of {@linkcode MultiheadAttention}. */
export class MultiheadAttentionArgs extends FactoryArgs {
  constructor(
    /** The embedding size E: that of query and output. */
    public embedDim: number,
    /** The number of heads; each has size `embedDim / numHeads`. */
    public numHeads: number,
    /** The dropout probability of the attention weights. */
    public dropout = 0,
    /** Whether the projections have biases. */
    public bias = true,
    /** Whether a learned key and value are added to every sequence. */
    public addBiasKv = false,
    /** Whether a key and a value of zeros are added. */
    public addZeroAttn = false,
    /** The size of the keys; `null`: `embedDim`. */
    public kdim: number | null = null,
    /** The size of the values; `null`: `embedDim`. */
    public vdim: number | null = null,
    /** Whether the batch is the first dimension: inputs are `(N, L, E)`, not `(L, N, E)`. */
    public batchFirst = false,
  ) {
    super();
  }
}

const attentionArgs = call("MultiheadAttention", MultiheadAttentionArgs);

/** The parameters of a call of {@linkcode MultiheadAttention} after query, key and value. */
export class AttentionCallArgs {
  constructor(
    /** The key padding mask `(N, S)` or `(S)`: `true` (or -∞) at keys that are ignored. */
    public keyPaddingMask: Tensor | null = null,
    /** Whether the attention weights are returned. */
    public needWeights = true,
    /**
     * The attention mask `(L, S)` or `(N · heads, L, S)`: `true` where a query may not attend to a key, or numbers that
     * are added to the scores.
     */
    public attnMask: Tensor | null = null,
    /** Whether the returned attention weights are averaged over the heads. */
    public averageAttnWeights = true,
    /** Whether `attnMask` is the causal mask; kernels may then skip later positions. */
    public isCausal = false,
  ) {}
}

const callArgs = call("MultiheadAttention", AttentionCallArgs);

/**
 * Attention of several heads, with projections of query, key, value and output.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const attention = new torch.nn.MultiheadAttention(16, 4, { batchFirst: true });
 * const x = torch.randn(2, 7, 16);
 * const [output, weights] = attention.call(x, x, x);
 * assertEquals([output.shape, weights!.shape], [[2, 7, 16], [2, 7, 7]]);
 * ```
 *
 * @see https://arxiv.org/abs/1706.03762
 */
export class MultiheadAttention extends Module {
  /** The embedding size E: that of query and output. */
  readonly embedDim: number;
  /** The number of heads. */
  readonly numHeads: number;
  /** The dropout probability of the attention weights. */
  readonly dropout: number;
  /** The size of the keys. */
  readonly kdim: number;
  /** The size of the values. */
  readonly vdim: number;
  /** Whether the batch is the first dimension: inputs are `(N, L, E)`. */
  readonly batchFirst: boolean;
  /** Whether a key and a value of zeros are added. */
  readonly addZeroAttn: boolean;
  /** The projection weights of query, key and value together, `(3E, E)`; `null` if their sizes differ. */
  in_proj_weight: Parameter | null = null;
  /** The projection weight of the query, `(E, E)`; `null` if all sizes are the same. */
  q_proj_weight: Parameter | null = null;
  /** The projection weight of the key, `(E, kdim)`; `null` if all sizes are the same. */
  k_proj_weight: Parameter | null = null;
  /** The projection weight of the value, `(E, vdim)`; `null` if all sizes are the same. */
  v_proj_weight: Parameter | null = null;
  /** The projection biases of query, key and value together, `(3E)`, or `null`. */
  in_proj_bias: Parameter | null;
  /** The learned key that is added to every sequence, `(1, 1, E)`, or `null`. */
  bias_k: Parameter | null;
  /** The learned value that is added to every sequence, `(1, 1, E)`, or `null`. */
  bias_v: Parameter | null;
  /** The output projection. */
  out_proj: NonDynamicallyQuantizableLinear;

  constructor(...args: Args<typeof MultiheadAttentionArgs>) {
    super();
    const o = attentionArgs(args);
    const { embedDim, numHeads } = o;
    if (!(Number.isInteger(embedDim) && Number.isInteger(numHeads) && embedDim > 0 && numHeads > 0)) {
      throw new ArgumentError(
        `MultiheadAttention(): embedDim and numHeads must be greater than 0: ${describe(embedDim)} and ${
          describe(numHeads)
        }`,
      );
    }
    if (embedDim % numHeads !== 0) {
      throw new ArgumentError(
        `MultiheadAttention(): embedDim must be divisible by numHeads: ${describe(embedDim)} % ${describe(numHeads)}`,
      );
    }
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.dropout = o.dropout;
    this.kdim = o.kdim ?? embedDim;
    this.vdim = o.vdim ?? embedDim;
    this.batchFirst = o.batchFirst;
    this.addZeroAttn = o.addZeroAttn;
    if (this.kdim === embedDim && this.vdim === embedDim) {
      this.in_proj_weight = emptyParameter([3 * embedDim, embedDim], o);
    } else {
      this.q_proj_weight = emptyParameter([embedDim, embedDim], o);
      this.k_proj_weight = emptyParameter([embedDim, this.kdim], o);
      this.v_proj_weight = emptyParameter([embedDim, this.vdim], o);
    }
    const { bias } = o;
    this.in_proj_bias = bias ? zerosParameter([3 * embedDim], o) : null;
    this.bias_k = o.addBiasKv ? emptyParameter([1, 1, embedDim], o) : null;
    this.bias_v = o.addBiasKv ? emptyParameter([1, 1, embedDim], o) : null;
    const place = { device: o.device, dtype: o.dtype };
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { bias, ...place });
    this.resetParameters();
  }

  /** Draws new weights, Glorot-uniform, and sets the projections' biases to 0. */
  resetParameters(): void {
    const { in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight } = this;
    for (const weight of [in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight]) {
      if (weight) xavierUniform_(weight);
    }
    for (const bias of [this.in_proj_bias, this.out_proj.bias]) if (bias) constant_(bias, 0);
    for (const bias of [this.bias_k, this.bias_v]) if (bias) xavierNormal_(bias);
  }

  /**
   * Computes the attention of the queries to the keys and values.
   *
   * @param query `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   * @param key `(S, N, kdim)` likewise
   * @param value `(S, N, vdim)` likewise
   * @returns the output, shaped as the query, and the weights `(N, [heads,] L, S)` or `null`
   */
  override forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    ...args: Args<typeof AttentionCallArgs>
  ): [output: Tensor, weights: Tensor | null] {
    const options = callArgs(args);
    const swap = this.batchFirst && query.ndim === 3;
    if (swap) {
      const same = query === key && key === value;
      query = query.transpose(0, 1);
      [key, value] = same ? [query, query] : [key.transpose(0, 1), value.transpose(0, 1)];
    }
    const [output, weights] = F.multiHeadAttentionForward(query, {
      ...options,
      key,
      value,
      embedDimToCheck: this.embedDim,
      numHeads: this.numHeads,
      inProjWeight: this.in_proj_weight,
      inProjBias: this.in_proj_bias,
      biasK: this.bias_k,
      biasV: this.bias_v,
      addZeroAttn: this.addZeroAttn,
      dropoutP: this.dropout,
      outProjWeight: this.out_proj.weight,
      outProjBias: this.out_proj.bias,
      training: this.training,
      useSeparateProjWeight: this.in_proj_weight === null,
      qProjWeight: this.q_proj_weight,
      kProjWeight: this.k_proj_weight,
      vProjWeight: this.v_proj_weight,
    });
    return [swap ? output.transpose(0, 1) : output, weights];
  }
}
