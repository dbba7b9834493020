/**
 * The Transformer: encoder and decoder layers, their stacks, and both together.
 *
 * @see https://arxiv.org/abs/1706.03762
 * @module
 */

import { checkTensor } from "../tensor/tensor.ts";
import { type Args, call } from "../base/call.ts";
import { checkCount, checkInstance, MOST_LAYERS } from "../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { full } from "../ops/create/creation.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { MultiheadAttention } from "./attention.ts";
import { ModuleList } from "./container.ts";
import { Dropout } from "./dropout.ts";
import { FactoryArgs } from "./factory.ts";
import { xavierUniform_ } from "./init.ts";
import { Linear } from "./linear.ts";
import { feedForward, NAMED_ACTIVATIONS } from "./linear_chain.ts";
import { Module } from "./module.ts";
import { LayerNorm } from "./normalization.ts";

/** The activation of the feed-forward part. */
export type TransformerActivation = "relu" | "gelu" | ((x: Tensor) => Tensor);

/** The parameters of encoder and decoder layers. */
export class TransformerLayerArgs extends FactoryArgs {
  constructor(
    /** Size of inputs and outputs. */
    public dModel: number,
    /** How many heads. */
    public nhead: number,
    /** Size of the hidden layer. */
    public dimFeedforward = 2048,
    /** The probability that an element is dropped. */
    public dropout = 0.1,
    /** The activation. */
    public activation: TransformerActivation = "relu",
    /** Added to variances. */
    public layerNormEps = 1e-5,
    /** Whether inputs are `(N, L, E)`, not `(L, N, E)`. */
    public batchFirst = false,
    /** Whether normalisation comes before attention and feed-forward. */
    public normFirst = false,
    /** Whether there are biases. */
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
    /** Forbids attention, `(L, L)` or `(N · heads, L, L)`. */
    public srcMask: Tensor | null = null,
    /** `true` at positions that do not count, `(N, L)`. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** Says that the mask is causal. */
    public isCausal = false,
  ) {}
}
const encoderLayerCall = call("TransformerEncoderLayer", EncoderLayerCallArgs);

/** Options that the parts of a layer share. */
type PartOptions = { bias: boolean } & FactoryArgs;

/** Options of the parts of a layer. */
function parts(o: Readonly<Omit<TransformerLayerArgs, "dModel" | "nhead">>): {
  attention: PartOptions & { dropout: number; batchFirst: boolean };
  linear: PartOptions;
  norm: PartOptions & { eps: number };
} {
  const { bias, device, dtype, dropout, batchFirst } = o;
  const linear = { bias, device, dtype };
  return { attention: { dropout, batchFirst, ...linear }, linear, norm: { eps: o.layerNormEps, ...linear } };
}

/** Self-attention and a feed-forward network, each with a residual connection and a normalisation. */
export class TransformerEncoderLayer extends Module {
  /** The attention. */
  self_attn: MultiheadAttention;
  /** Into the hidden layer. */
  linear1: Linear;
  /** Within the feed-forward network. */
  dropout: Dropout;
  /** Out of the hidden layer. */
  linear2: Linear;
  /** Whether normalisation comes first. */
  readonly normFirst: boolean;
  /** Of the attention. */
  norm1: LayerNorm;
  /** Of the feed-forward network. */
  norm2: LayerNorm;
  /** After the attention. */
  dropout1: Dropout;
  /** After the feed-forward network. */
  dropout2: Dropout;
  /** The activation. */
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
   * The encoded sequence.
   *
   * @param src `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   */
  override forward(src: Tensor, ...args: Args<typeof EncoderLayerCallArgs>): Tensor {
    const { srcMask, srcKeyPaddingMask, isCausal } = encoderLayerCall(args);
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
    /** Forbids attention within the target. */
    public tgtMask: Tensor | null = null,
    /** Forbids attention to the memory. */
    public memoryMask: Tensor | null = null,
    /** `true` at target positions that do not count. */
    public tgtKeyPaddingMask: Tensor | null = null,
    /** `true` at memory positions that do not count. */
    public memoryKeyPaddingMask: Tensor | null = null,
    /** Says that the target's mask is causal; not found out from the mask. */
    public tgtIsCausal: boolean | null = null,
    /** Says that the memory's mask is causal. */
    public memoryIsCausal = false,
  ) {}
}
const decoderLayerCall = call("TransformerDecoderLayer", DecoderCallArgs);
const decoderCall = call("TransformerDecoder", DecoderCallArgs);

/** Self-attention, attention to the encoder's output, and a feed-forward network. */
export class TransformerDecoderLayer extends Module {
  /** The attention within the target. */
  self_attn: MultiheadAttention;
  /** The attention to the memory. */
  multihead_attn: MultiheadAttention;
  /** Into the hidden layer. */
  linear1: Linear;
  /** Within the feed-forward network. */
  dropout: Dropout;
  /** Out of the hidden layer. */
  linear2: Linear;
  /** Whether normalisation comes first. */
  readonly normFirst: boolean;
  /** Of the self-attention. */
  norm1: LayerNorm;
  /** Of the attention to the memory. */
  norm2: LayerNorm;
  /** Of the feed-forward network. */
  norm3: LayerNorm;
  /** After the self-attention. */
  dropout1: Dropout;
  /** After the attention to the memory. */
  dropout2: Dropout;
  /** After the feed-forward network. */
  dropout3: Dropout;
  /** The activation. */
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
   * The decoded sequence.
   *
   * @param tgt the target, shaped as the encoder's input
   * @param memory the encoder's output
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<typeof DecoderCallArgs>): Tensor {
    const o = decoderLayerCall(args);
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
    /** How many copies. */
    public numLayers: number,
    /** A last normalisation. */
    public norm: LayerNorm | null = null,
    /** Accepted for compatibility. */
    public enableNestedTensor = true,
    /** Accepted for compatibility. */
    public maskCheck = true,
  ) {}
}
const encoderArgs = call("TransformerEncoder", TransformerEncoderArgs);

/** The parameters of a call of {@linkcode TransformerEncoder} after the sequence. */
export class EncoderCallArgs {
  constructor(
    /** Forbids attention, `(L, L)` or `(N · heads, L, L)`. */
    public mask: Tensor | null = null,
    /** `true` at positions that do not count, `(N, L)`. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** Says that the mask is causal. */
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
 * A stack of copies of an encoder layer.
 *
 * Differs from PyTorch: a mask is not compared with the causal one, which would have to read it. The result is the same;
 * `isCausal: true` lets kernels skip what is not seen.
 */
export class TransformerEncoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerEncoderLayer>;
  /** How many. */
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
   * The encoded sequence.
   *
   * @param src `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   */
  override forward(src: Tensor, ...args: Args<typeof EncoderCallArgs>): Tensor {
    const o = encoderCall(args);
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
    /** How many copies. */
    public numLayers: number,
    /** A last normalisation. */
    public norm: LayerNorm | null = null,
  ) {}
}
const decoderArgs = call("TransformerDecoder", TransformerDecoderArgs);

/** A stack of copies of a decoder layer. */
export class TransformerDecoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerDecoderLayer>;
  /** How many. */
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
   * The decoded sequence.
   *
   * @param tgt the target
   * @param memory the encoder's output
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<typeof DecoderCallArgs>): Tensor {
    const o = decoderCall(args);
    let x = tgt;
    for (const layer of this.layers) x = layer.call(x, memory, { ...o });
    return this.norm ? this.norm.call(x) : x;
  }
}

/** The parameters of {@linkcode Transformer}. */
export class TransformerArgs extends FactoryArgs {
  constructor(
    /** Size of inputs and outputs. */
    public dModel = 512,
    /** How many heads. */
    public nhead = 8,
    /** Layers of the encoder. */
    public numEncoderLayers = 6,
    /** Layers of the decoder. */
    public numDecoderLayers = 6,
    /** Size of the hidden layer. */
    public dimFeedforward = 2048,
    /** The probability that an element is dropped. */
    public dropout = 0.1,
    /** The activation. */
    public activation: TransformerActivation = "relu",
    /** An own encoder. */
    public customEncoder: TransformerEncoder | null = null,
    /** An own decoder. */
    public customDecoder: TransformerDecoder | null = null,
    /** Added to variances. */
    public layerNormEps = 1e-5,
    /** Whether inputs are `(N, L, E)`, not `(L, N, E)`. */
    public batchFirst = false,
    /** Whether normalisation comes before attention and feed-forward. */
    public normFirst = false,
    /** Whether there are biases. */
    public bias = true,
  ) {
    super();
  }
}

const transformerArgs = call("Transformer", TransformerArgs);

/** The parameters of a call of {@linkcode Transformer} after source and target. */
export class TransformerCallArgs {
  constructor(
    /** Forbids attention within the source. */
    public srcMask: Tensor | null = null,
    /** Forbids attention within the target. */
    public tgtMask: Tensor | null = null,
    /** Forbids attention to the memory. */
    public memoryMask: Tensor | null = null,
    /** `true` at source positions that do not count. */
    public srcKeyPaddingMask: Tensor | null = null,
    /** `true` at target positions that do not count. */
    public tgtKeyPaddingMask: Tensor | null = null,
    /** `true` at memory positions that do not count. */
    public memoryKeyPaddingMask: Tensor | null = null,
    /** Says that the source's mask is causal; not found out from the mask. */
    public srcIsCausal: boolean | null = null,
    /** Says that the target's mask is causal; not found out from the mask. */
    public tgtIsCausal: boolean | null = null,
    /** Says that the memory's mask is causal. */
    public memoryIsCausal = false,
  ) {}
}
const transformerCall = call("Transformer", TransformerCallArgs);

/** The parameters of {@linkcode Transformer.generateSquareSubsequentMask}. */
export class CausalMaskArgs extends FactoryArgs {
  constructor(
    /** The length of the sequence. */
    public sz: number,
  ) {
    super();
  }
}
const causalMaskArgs = call("generateSquareSubsequentMask", CausalMaskArgs);

/** An encoder and a decoder. */
export class Transformer extends Module {
  /** The encoder. */
  encoder: TransformerEncoder;
  /** The decoder. */
  decoder: TransformerDecoder;
  /** Size of inputs and outputs. */
  readonly dModel: number;
  /** How many heads. */
  readonly nhead: number;
  /** Whether inputs are `(N, L, E)`. */
  readonly batchFirst: boolean;

  constructor(...args: Args<typeof TransformerArgs>) {
    super();
    const { numEncoderLayers, numDecoderLayers, customEncoder, customDecoder, ...layer } = transformerArgs(args);
    const { dModel, nhead, batchFirst } = layer;
    const { norm } = parts(layer);
    this.encoder = customEncoder ??
      new TransformerEncoder(new TransformerEncoderLayer(layer), numEncoderLayers, new LayerNorm(dModel, norm));
    this.decoder = customDecoder ??
      new TransformerDecoder(new TransformerDecoderLayer(layer), numDecoderLayers, new LayerNorm(dModel, norm));
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = batchFirst;
    this.resetParameters();
  }

  /** Draws new weights for all matrices. */
  resetParameters(): void {
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
  }

  /**
   * The decoded sequence.
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

  /** A mask that forbids attention to later positions: -∞ above the diagonal, 0 elsewhere. */
  static generateSquareSubsequentMask(...args: Args<typeof CausalMaskArgs>): Tensor {
    const { sz, device, dtype } = causalMaskArgs(args);
    return scope(() => full([sz, sz], -Infinity, { device: device ?? undefined, dtype: dtype ?? undefined }).triu(1));
  }
}
