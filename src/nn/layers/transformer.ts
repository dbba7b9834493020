/**
 * The Transformer: encoder and decoder layers, their stacks, and both together.
 *
 * @see https://arxiv.org/abs/1706.03762
 * @module
 */

import { checkTensor } from "../../tensor/tensor.ts";
import { type Args, call } from "../../base/call.ts";
import { checkCount, checkInstance, MOST_LAYERS } from "../../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { full } from "../../ops/create/creation.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { MultiheadAttention } from "./attention.ts";
import { ModuleList } from "./container.ts";
import { Dropout } from "./dropout.ts";
import { FactoryArgs } from "../module/factory.ts";
import { xavierUniform_ } from "../init.ts";
import { Linear } from "./linear.ts";
import { feedForward, NAMED_ACTIVATIONS } from "./linear_chain.ts";
import { Module } from "../module/module.ts";
import { LayerNorm } from "./normalization.ts";

/** The activation of the feed-forward network: a name or a function. */
export type TransformerActivation = "relu" | "gelu" | ((x: Tensor) => Tensor);

/** The parameters of encoder and decoder layers. */
export class TransformerLayerArgs extends FactoryArgs {
  constructor(
    /** The model size E: that of inputs and outputs. */
    public dModel: number,
    /** The number of attention heads. */
    public nhead: number,
    /** The size of the feed-forward network's hidden layer. */
    public dimFeedforward = 2048,
    /** The dropout probability. */
    public dropout = 0.1,
    /** The activation of the feed-forward network. */
    public activation: TransformerActivation = "relu",
    /** The number ε that layer normalisation adds to the variance. */
    public layerNormEps = 1e-5,
    /** Whether the batch is the first dimension: inputs are `(N, L, E)`, not `(L, N, E)`. */
    public batchFirst = false,
    /** Whether normalisation comes before attention and feed-forward network (pre-norm), not after. */
    public normFirst = false,
    /** Whether linear layers and normalisations have biases. */
    public bias = true,
  ) {
    super();
  }
}

const encoderLayerArgs = call("TransformerEncoderLayer", TransformerLayerArgs);
const decoderLayerArgs = call("TransformerDecoderLayer", TransformerLayerArgs);

function activationOf(activation: TransformerActivation): (x: Tensor) => Tensor {
  if (typeof activation === "function") return activation;
  if (activation === "relu" || activation === "gelu") return NAMED_ACTIVATIONS[activation];
  throw new ArgumentError(
    `TransformerLayer(): activation must be "relu", "gelu" or a function: ${describe(activation)}`,
  );
}

/** The parameters of a call of an encoder layer after the sequence. */
export class EncoderLayerCallArgs {
  constructor(
    /**
     * The attention mask, `(L, L)` or `(N · heads, L, L)`: `true` forbids attention, numbers are added to the scores.
     */
    public srcMask: Tensor | null = null,
    /** The padding mask, `(N, L)`: `true` at positions that are ignored. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** Whether the mask is the causal one; kernels may then skip later positions. */
    public isCausal = false,
  ) {}
}
const encoderLayerCall = call("TransformerEncoderLayer", EncoderLayerCallArgs);

/** The options that the parts of a layer share. */
type PartOptions = { bias: boolean } & FactoryArgs;

/** Derives the options of a layer's parts from those of the layer. */
function parts(o: Readonly<Omit<TransformerLayerArgs, "dModel" | "nhead">>): {
  attention: PartOptions & { dropout: number; batchFirst: boolean };
  linear: PartOptions;
  norm: PartOptions & { eps: number };
} {
  const { bias, device, dtype, dropout, batchFirst } = o;
  const linear = { bias, device, dtype };
  return { attention: { dropout, batchFirst, ...linear }, linear, norm: { eps: o.layerNormEps, ...linear } };
}

/**
 * Encoder layer: self-attention and a feed-forward network, each with a residual connection and a layer normalisation.
 */
export class TransformerEncoderLayer extends Module {
  /** The self-attention. */
  self_attn: MultiheadAttention;
  /** The first linear layer of the feed-forward network, `E` to `dimFeedforward`. */
  linear1: Linear;
  /** The dropout within the feed-forward network. */
  dropout: Dropout;
  /** The second linear layer of the feed-forward network, `dimFeedforward` to `E`. */
  linear2: Linear;
  /** Whether normalisation comes before attention and feed-forward network (pre-norm), not after. */
  readonly normFirst: boolean;
  /** The layer normalisation of the attention. */
  norm1: LayerNorm;
  /** The layer normalisation of the feed-forward network. */
  norm2: LayerNorm;
  /** The dropout after the attention. */
  dropout1: Dropout;
  /** The dropout after the feed-forward network. */
  dropout2: Dropout;
  /** The activation of the feed-forward network. */
  readonly activation: (x: Tensor) => Tensor;

  constructor(...args: Args<typeof TransformerLayerArgs>) {
    super();
    const o = encoderLayerArgs(args);
    const { dModel, nhead, dimFeedforward, dropout } = o;
    const { attention, linear, norm } = parts(o);
    this.self_attn = new MultiheadAttention(dModel, nhead, attention);
    this.linear1 = new Linear(dModel, dimFeedforward, linear);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, linear);
    this.normFirst = o.normFirst;
    this.norm1 = new LayerNorm(dModel, norm);
    this.norm2 = new LayerNorm(dModel, norm);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.activation = activationOf(o.activation);
  }

  /**
   * The encoded sequence, shaped as `src`.
   *
   * @param src `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   */
  override forward(src: Tensor, ...args: Args<typeof EncoderLayerCallArgs>): Tensor {
    const { srcMask, srcKeyPaddingMask, isCausal } = encoderLayerCall(args);
    checkTensor("TransformerEncoderLayer", "src", src);
    const attend = (x: Tensor) => {
      const options = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, needWeights: false, isCausal };
      return this.dropout1.call(this.self_attn.call(x, x, x, options)[0]);
    };
    const feed = (x: Tensor) => {
      const { linear1, activation, dropout, linear2 } = this;
      return this.dropout2.call(feedForward(x, linear1, activation, dropout, linear2));
    };
    if (this.normFirst) {
      const x = src.add(attend(this.norm1.call(src)));
      return x.add(feed(this.norm2.call(x)));
    }
    const x = this.norm1.call(src.add(attend(src)));
    return this.norm2.call(x.add(feed(x)));
  }
}

/** The parameters of a call of a decoder, or one of its layers, after target and memory. */
export class DecoderCallArgs {
  constructor(
    /**
     * The attention mask within the target, `(T, T)` or `(N · heads, T, T)`: `true` forbids attention, numbers are
     * added to the scores.
     */
    public tgtMask: Tensor | null = null,
    /**
     * The attention mask from target to memory, `(T, S)` or `(N · heads, T, S)`: `true` forbids attention, numbers are
     * added to the scores.
     */
    public memoryMask: Tensor | null = null,
    /** The padding mask of the target, `(N, T)`: `true` at positions that are ignored. */
    public tgtKeyPaddingMask: Tensor | null = null,
    /** The padding mask of the memory, `(N, S)`: `true` at positions that are ignored. */
    public memoryKeyPaddingMask: Tensor | null = null,
    /** Whether `tgtMask` is the causal mask; the mask itself is not examined. */
    public tgtIsCausal: boolean | null = null,
    /** Whether `memoryMask` is the causal mask. */
    public memoryIsCausal = false,
  ) {}
}
const decoderLayerCall = call("TransformerDecoderLayer", DecoderCallArgs);
const decoderCall = call("TransformerDecoder", DecoderCallArgs);

/**
 * Decoder layer: self-attention, cross-attention to the encoder's output (the memory) and a feed-forward network, each
 * with a residual connection and a layer normalisation.
 */
export class TransformerDecoderLayer extends Module {
  /** The self-attention of the target. */
  self_attn: MultiheadAttention;
  /** The cross-attention: from the target to the memory. */
  multihead_attn: MultiheadAttention;
  /** The first linear layer of the feed-forward network, `E` to `dimFeedforward`. */
  linear1: Linear;
  /** The dropout within the feed-forward network. */
  dropout: Dropout;
  /** The second linear layer of the feed-forward network, `dimFeedforward` to `E`. */
  linear2: Linear;
  /** Whether normalisation comes before attention and feed-forward network (pre-norm), not after. */
  readonly normFirst: boolean;
  /** The layer normalisation of the self-attention. */
  norm1: LayerNorm;
  /** The layer normalisation of the cross-attention. */
  norm2: LayerNorm;
  /** The layer normalisation of the feed-forward network. */
  norm3: LayerNorm;
  /** The dropout after the self-attention. */
  dropout1: Dropout;
  /** The dropout after the cross-attention. */
  dropout2: Dropout;
  /** The dropout after the feed-forward network. */
  dropout3: Dropout;
  /** The activation of the feed-forward network. */
  readonly activation: (x: Tensor) => Tensor;

  constructor(...args: Args<typeof TransformerLayerArgs>) {
    super();
    const o = decoderLayerArgs(args);
    const { dModel, nhead, dimFeedforward, dropout } = o;
    const { attention, linear, norm } = parts(o);
    this.self_attn = new MultiheadAttention(dModel, nhead, attention);
    this.multihead_attn = new MultiheadAttention(dModel, nhead, attention);
    this.linear1 = new Linear(dModel, dimFeedforward, linear);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, linear);
    this.normFirst = o.normFirst;
    this.norm1 = new LayerNorm(dModel, norm);
    this.norm2 = new LayerNorm(dModel, norm);
    this.norm3 = new LayerNorm(dModel, norm);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.activation = activationOf(o.activation);
  }

  /**
   * The decoded sequence, shaped as `tgt`.
   *
   * @param tgt the target, shaped as the encoder's input
   * @param memory the encoder's output
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<typeof DecoderCallArgs>): Tensor {
    const o = decoderLayerCall(args);
    checkTensor("TransformerDecoderLayer", "tgt", tgt);
    checkTensor("TransformerDecoderLayer", "memory", memory);
    const own = {
      attnMask: o.tgtMask,
      keyPaddingMask: o.tgtKeyPaddingMask,
      isCausal: o.tgtIsCausal ?? false,
      needWeights: false,
    };
    const other = {
      attnMask: o.memoryMask,
      keyPaddingMask: o.memoryKeyPaddingMask,
      isCausal: o.memoryIsCausal,
      needWeights: false,
    };
    const attend = (x: Tensor) => this.dropout1.call(this.self_attn.call(x, x, x, own)[0]);
    const recall = (x: Tensor) => this.dropout2.call(this.multihead_attn.call(x, memory, memory, other)[0]);
    const feed = (x: Tensor) => {
      const { linear1, activation, dropout, linear2 } = this;
      return this.dropout3.call(feedForward(x, linear1, activation, dropout, linear2));
    };
    if (this.normFirst) {
      let x = tgt.add(attend(this.norm1.call(tgt)));
      x = x.add(recall(this.norm2.call(x)));
      return x.add(feed(this.norm3.call(x)));
    }
    let x = this.norm1.call(tgt.add(attend(tgt)));
    x = this.norm2.call(x.add(recall(x)));
    return this.norm3.call(x.add(feed(x)));
  }
}

/** The parameters of {@linkcode TransformerEncoder}. */
export class TransformerEncoderArgs {
  constructor(
    /** The layer that is copied. */
    public encoderLayer: TransformerEncoderLayer,
    /** The number of layers. */
    public numLayers: number,
    /** A normalisation of the last layer's output, or `null`. */
    public norm: LayerNorm | null = null,
    /** Accepted for compatibility; it has no effect. */
    public enableNestedTensor = true,
    /** Accepted for compatibility; it has no effect. */
    public maskCheck = true,
  ) {}
}
const encoderArgs = call("TransformerEncoder", TransformerEncoderArgs);

/** The parameters of a call of {@linkcode TransformerEncoder} after the sequence. */
export class EncoderCallArgs {
  constructor(
    /**
     * The attention mask, `(L, L)` or `(N · heads, L, L)`: `true` forbids attention, numbers are added to the scores.
     */
    public mask: Tensor | null = null,
    /** The padding mask, `(N, L)`: `true` at positions that are ignored. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** Whether the mask is the causal one; kernels may then skip later positions. */
    public isCausal: boolean | null = null,
  ) {}
}
const encoderCall = call("TransformerEncoder", EncoderCallArgs);

function copies<M extends Module>(op: string, layer: M, count: number): ModuleList<M> {
  checkCount(op, "numLayers", count, 0, MOST_LAYERS);
  checkInstance(op, "the layer", layer, Module);
  return new ModuleList(Array.from({ length: count }, () => layer.clone()));
}

/**
 * Encoder: a stack of copies of an encoder layer.
 *
 * Differs from PyTorch: a mask is not compared with the causal one, which would have to read it. The result is the
 * same; `isCausal: true` lets kernels skip what is not seen.
 */
export class TransformerEncoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerEncoderLayer>;
  /** The number of layers. */
  readonly numLayers: number;
  /** The last normalisation, or `null`. */
  norm: LayerNorm | null;

  constructor(...args: Args<typeof TransformerEncoderArgs>) {
    super();
    const o = encoderArgs(args);
    this.layers = copies("TransformerEncoder", o.encoderLayer, o.numLayers);
    this.numLayers = o.numLayers;
    this.norm = o.norm;
  }

  /**
   * The encoded sequence, shaped as `src`.
   *
   * @param src `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   */
  override forward(src: Tensor, ...args: Args<typeof EncoderCallArgs>): Tensor {
    const o = encoderCall(args);
    checkTensor("TransformerEncoder", "src", src);
    let x = src;
    for (const layer of this.layers) {
      x = layer.call(x, {
        srcMask: o.mask,
        srcKeyPaddingMask: o.srcKeyPaddingMask,
        isCausal: o.isCausal ?? false,
      });
    }
    return this.norm ? this.norm.call(x) : x;
  }
}

/** The parameters of {@linkcode TransformerDecoder}. */
export class TransformerDecoderArgs {
  constructor(
    /** The layer that is copied. */
    public decoderLayer: TransformerDecoderLayer,
    /** The number of layers. */
    public numLayers: number,
    /** A normalisation of the last layer's output, or `null`. */
    public norm: LayerNorm | null = null,
  ) {}
}
const decoderArgs = call("TransformerDecoder", TransformerDecoderArgs);

/** Decoder: a stack of copies of a decoder layer. */
export class TransformerDecoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerDecoderLayer>;
  /** The number of layers. */
  readonly numLayers: number;
  /** The last normalisation, or `null`. */
  norm: LayerNorm | null;

  constructor(...args: Args<typeof TransformerDecoderArgs>) {
    super();
    const o = decoderArgs(args);
    this.layers = copies("TransformerDecoder", o.decoderLayer, o.numLayers);
    this.numLayers = o.numLayers;
    this.norm = o.norm;
  }

  /**
   * The decoded sequence, shaped as `tgt`.
   *
   * @param tgt the target
   * @param memory the encoder's output
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<typeof DecoderCallArgs>): Tensor {
    const o = decoderCall(args);
    checkTensor("TransformerDecoder", "tgt", tgt);
    checkTensor("TransformerDecoder", "memory", memory);
    let x = tgt;
    for (const layer of this.layers) x = layer.call(x, memory, { ...o });
    return this.norm ? this.norm.call(x) : x;
  }
}

/** The parameters of {@linkcode Transformer}. */
export class TransformerArgs extends FactoryArgs {
  constructor(
    /** The model size E: that of inputs and outputs. */
    public dModel = 512,
    /** The number of attention heads. */
    public nhead = 8,
    /** The number of encoder layers. */
    public numEncoderLayers = 6,
    /** The number of decoder layers. */
    public numDecoderLayers = 6,
    /** The size of the feed-forward network's hidden layer. */
    public dimFeedforward = 2048,
    /** The dropout probability. */
    public dropout = 0.1,
    /** The activation of the feed-forward network. */
    public activation: TransformerActivation = "relu",
    /** An encoder to use in place of the usual one. */
    public customEncoder: TransformerEncoder | null = null,
    /** A decoder to use in place of the usual one. */
    public customDecoder: TransformerDecoder | null = null,
    /** The number ε that layer normalisation adds to the variance. */
    public layerNormEps = 1e-5,
    /** Whether the batch is the first dimension: inputs are `(N, L, E)`, not `(L, N, E)`. */
    public batchFirst = false,
    /** Whether normalisation comes before attention and feed-forward network (pre-norm), not after. */
    public normFirst = false,
    /** Whether linear layers and normalisations have biases. */
    public bias = true,
  ) {
    super();
  }
}

const transformerArgs = call("Transformer", TransformerArgs);

/** The parameters of a call of {@linkcode Transformer} after source and target. */
export class TransformerCallArgs {
  constructor(
    /**
     * The attention mask within the source, `(S, S)` or `(N · heads, S, S)`: `true` forbids attention, numbers are
     * added to the scores.
     */
    public srcMask: Tensor | null = null,
    /**
     * The attention mask within the target, `(T, T)` or `(N · heads, T, T)`: `true` forbids attention, numbers are
     * added to the scores.
     */
    public tgtMask: Tensor | null = null,
    /**
     * The attention mask from target to memory, `(T, S)` or `(N · heads, T, S)`: `true` forbids attention, numbers are
     * added to the scores.
     */
    public memoryMask: Tensor | null = null,
    /** The padding mask of the source, `(N, S)`: `true` at positions that are ignored. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** The padding mask of the target, `(N, T)`: `true` at positions that are ignored. */
    public tgtKeyPaddingMask: Tensor | null = null,
    /** The padding mask of the memory, `(N, S)`: `true` at positions that are ignored. */
    public memoryKeyPaddingMask: Tensor | null = null,
    /** Whether `srcMask` is the causal mask; the mask itself is not examined. */
    public srcIsCausal: boolean | null = null,
    /** Whether `tgtMask` is the causal mask; the mask itself is not examined. */
    public tgtIsCausal: boolean | null = null,
    /** Whether `memoryMask` is the causal mask. */
    public memoryIsCausal = false,
  ) {}
}
const transformerCall = call("Transformer", TransformerCallArgs);

/** The parameters of {@linkcode Transformer.generateSquareSubsequentMask}. */
export class CausalMaskArgs extends FactoryArgs {
  constructor(
    /** The length of the sequence: both sizes of the mask. */
    public sz: number,
  ) {
    super();
  }
}
const causalMaskArgs = call("generateSquareSubsequentMask", CausalMaskArgs);

/** The Transformer: an encoder and a decoder. */
export class Transformer extends Module {
  /** The encoder. */
  encoder: TransformerEncoder;
  /** The decoder. */
  decoder: TransformerDecoder;
  /** The model size E: that of inputs and outputs. */
  readonly dModel: number;
  /** The number of attention heads. */
  readonly nhead: number;
  /** Whether the batch is the first dimension: inputs are `(N, L, E)`. */
  readonly batchFirst: boolean;

  constructor(...args: Args<typeof TransformerArgs>) {
    super();
    const { numEncoderLayers, numDecoderLayers, customEncoder, customDecoder, ...layer } = transformerArgs(args);
    const { dModel, nhead, batchFirst } = layer;
    const { norm } = parts(layer);
    if (customEncoder !== null) checkInstance("Transformer", "customEncoder", customEncoder, Module);
    if (customDecoder !== null) checkInstance("Transformer", "customDecoder", customDecoder, Module);
    this.encoder = customEncoder ??
      new TransformerEncoder(new TransformerEncoderLayer(layer), numEncoderLayers, new LayerNorm(dModel, norm));
    this.decoder = customDecoder ??
      new TransformerDecoder(new TransformerDecoderLayer(layer), numDecoderLayers, new LayerNorm(dModel, norm));
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = batchFirst;
    this.resetParameters();
  }

  /** Draws new values of all matrices, Glorot-uniform. */
  resetParameters(): void {
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
  }

  /**
   * The decoded sequence, shaped as `tgt`.
   *
   * @param src the source, `(S, N, E)`, `(N, S, E)` with `batchFirst`, or `(S, E)`
   * @param tgt the target, shaped likewise
   */
  override forward(src: Tensor, tgt: Tensor, ...args: Args<typeof TransformerCallArgs>): Tensor {
    const { srcMask, srcKeyPaddingMask, srcIsCausal, ...decoding } = transformerCall(args);
    checkTensor("Transformer", "src", src);
    checkTensor("Transformer", "tgt", tgt);
    const batched = src.ndim === 3;
    const batchDim = this.batchFirst ? 0 : 1;
    if (batched && src.shape[batchDim] !== tgt.shape[batchDim]) {
      throw new ShapeError(
        `Transformer(): src and tgt must have the same batch size: ${show(src.shape)}, ${show(tgt.shape)}`,
      );
    }
    if (src.shape[src.ndim - 1] !== this.dModel || tgt.shape[tgt.ndim - 1] !== this.dModel) {
      throw new ShapeError(
        `Transformer(): the feature number of src and tgt must be equal to d_model: ${show(src.shape)}, ${
          show(tgt.shape)
        }, ${this.dModel}`,
      );
    }
    const memory = this.encoder.call(src, { mask: srcMask, srcKeyPaddingMask, isCausal: srcIsCausal });
    return this.decoder.call(tgt, memory, decoding);
  }

  /** The causal mask `(sz, sz)`, which forbids attention to later positions: -∞ above the diagonal, 0 elsewhere. */
  static generateSquareSubsequentMask(...args: Args<typeof CausalMaskArgs>): Tensor {
    const { sz, device, dtype } = causalMaskArgs(args);
    return scope(() => full([sz, sz], -Infinity, { device: device ?? undefined, dtype: dtype ?? undefined }).triu(1));
  }
}
