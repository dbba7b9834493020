/**
 * The Transformer: encoder and decoder layers, their stacks, and both together.
 *
 * @see https://arxiv.org/abs/1706.03762
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { full } from "../ops/creation.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { MultiheadAttention } from "./attention.ts";
import { ModuleList } from "./container.ts";
import { Dropout } from "./dropout.ts";
import type { FactoryOptions } from "./factory.ts";
import { xavierUniform_ } from "./init.ts";
import { Linear } from "./linear.ts";
import { feedForward, NAMED_ACTIVATIONS } from "./linear_chain.ts";
import { Module } from "./module.ts";
import { LayerNorm } from "./normalization.ts";

/** The activation of the feed-forward part. */
export type TransformerActivation = "relu" | "gelu" | ((x: Tensor) => Tensor);

/** What encoder and decoder layers take. */
export interface TransformerLayerOptions extends FactoryOptions {
  /** Size of inputs and outputs. */
  dModel: number;
  /** How many heads. */
  nhead: number;
  /** Size of the hidden layer. @default {2048} */
  dimFeedforward?: number;
  /** The probability that an element is dropped. @default {0.1} */
  dropout?: number;
  /** The activation. @default {"relu"} */
  activation?: TransformerActivation;
  /** Added to variances. @default {1e-5} */
  layerNormEps?: number;
  /** Whether inputs are `(N, L, E)`, not `(L, N, E)`. @default {false} */
  batchFirst?: boolean;
  /** Whether normalisation comes before attention and feed-forward. @default {false} */
  normFirst?: boolean;
  /** Whether there are biases. @default {true} */
  bias?: boolean;
}

/** The positional parameters of encoder and decoder layers. */
export type TransformerLayerParameters = [
  "dModel",
  "nhead",
  "dimFeedforward",
  "dropout",
  "activation",
  "layerNormEps",
  "batchFirst",
  "normFirst",
  "bias",
];

const LAYER = [
  "dModel",
  "nhead",
  "dimFeedforward",
  "dropout",
  "activation",
  "layerNormEps",
  "batchFirst",
  "normFirst",
  "bias",
] as const;
const FACTORY = ["device", "dtype"] as const;
const encoderLayerArgs = signature<TransformerLayerOptions>("TransformerEncoderLayer", LAYER, FACTORY, 2);
const decoderLayerArgs = signature<TransformerLayerOptions>("TransformerDecoderLayer", LAYER, FACTORY, 2);

function activationOf(activation: TransformerActivation = "relu"): (x: Tensor) => Tensor {
  if (typeof activation === "function") return activation;
  if (activation === "relu" || activation === "gelu") return NAMED_ACTIVATIONS[activation];
  throw new ArgumentError(`TransformerLayer(): activation must be "relu", "gelu" or a function: ${String(activation)}`);
}

/** Options of a call of an encoder layer. */
export interface EncoderLayerCall {
  /** Forbids attention, `(L, L)` or `(N · heads, L, L)`. */
  srcMask?: Tensor | null;
  /** `true` at positions that do not count, `(N, L)`. */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that the mask is causal. @default {false} */
  isCausal?: boolean;
}
const encoderLayerCall = signature<EncoderLayerCall>(
  "TransformerEncoderLayer",
  ["srcMask", "srcKeyPaddingMask", "isCausal"],
);

/** Options of the parts of a layer. */
function parts(o: TransformerLayerOptions): {
  attention: { dropout: number; bias: boolean; batchFirst: boolean } & FactoryOptions;
  linear: { bias: boolean } & FactoryOptions;
  norm: { eps: number; bias: boolean } & FactoryOptions;
} {
  const place = { device: o.device, dtype: o.dtype };
  const bias = o.bias ?? true;
  return {
    attention: { dropout: o.dropout ?? 0.1, bias, batchFirst: o.batchFirst ?? false, ...place },
    linear: { bias, ...place },
    norm: { eps: o.layerNormEps ?? 1e-5, bias, ...place },
  };
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

  /** Takes `dModel, nhead, dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias`. */
  constructor(...args: Args<TransformerLayerOptions, TransformerLayerParameters>) {
    super();
    const o = encoderLayerArgs(args);
    const { dModel, nhead, dimFeedforward = 2048, dropout = 0.1 } = o;
    const { attention, linear, norm } = parts(o);
    this.self_attn = new MultiheadAttention(dModel, nhead, attention);
    this.linear1 = new Linear(dModel, dimFeedforward, linear);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, linear);
    this.normFirst = o.normFirst ?? false;
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
   * @param args `srcMask, srcKeyPaddingMask, isCausal`
   */
  override forward(
    src: Tensor,
    ...args: Args<EncoderLayerCall, ["srcMask", "srcKeyPaddingMask", "isCausal"]>
  ): Tensor {
    const { srcMask = null, srcKeyPaddingMask = null, isCausal = false } = encoderLayerCall(args);
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

/** Options of a call of a decoder or one of its layers. */
export interface DecoderCall {
  /** Forbids attention within the target. */
  tgtMask?: Tensor | null;
  /** Forbids attention to the memory. */
  memoryMask?: Tensor | null;
  /** `true` at target positions that do not count. */
  tgtKeyPaddingMask?: Tensor | null;
  /** `true` at memory positions that do not count. */
  memoryKeyPaddingMask?: Tensor | null;
  /** Says that the target's mask is causal; not found out from the mask. @default {false} */
  tgtIsCausal?: boolean | null;
  /** Says that the memory's mask is causal. @default {false} */
  memoryIsCausal?: boolean;
}

/** The positional options of a call of a decoder. */
export type DecoderCallParameters = [
  "tgtMask",
  "memoryMask",
  "tgtKeyPaddingMask",
  "memoryKeyPaddingMask",
  "tgtIsCausal",
  "memoryIsCausal",
];
const decoderCall = signature<DecoderCall>("TransformerDecoder", [
  "tgtMask",
  "memoryMask",
  "tgtKeyPaddingMask",
  "memoryKeyPaddingMask",
  "tgtIsCausal",
  "memoryIsCausal",
]);

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

  /** Takes `dModel, nhead, dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias`. */
  constructor(...args: Args<TransformerLayerOptions, TransformerLayerParameters>) {
    super();
    const o = decoderLayerArgs(args);
    const { dModel, nhead, dimFeedforward = 2048, dropout = 0.1 } = o;
    const { attention, linear, norm } = parts(o);
    this.self_attn = new MultiheadAttention(dModel, nhead, attention);
    this.multihead_attn = new MultiheadAttention(dModel, nhead, attention);
    this.linear1 = new Linear(dModel, dimFeedforward, linear);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, linear);
    this.normFirst = o.normFirst ?? false;
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
   * @param args `tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, tgtIsCausal, memoryIsCausal`
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<DecoderCall, DecoderCallParameters>): Tensor {
    const o = decoderCall(args);
    const own = {
      attnMask: o.tgtMask ?? null,
      keyPaddingMask: o.tgtKeyPaddingMask ?? null,
      isCausal: o.tgtIsCausal ?? false,
      needWeights: false,
    };
    const other = {
      attnMask: o.memoryMask ?? null,
      keyPaddingMask: o.memoryKeyPaddingMask ?? null,
      isCausal: o.memoryIsCausal ?? false,
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

/** What {@linkcode TransformerEncoder} takes. */
export interface TransformerEncoderOptions {
  /** The layer that is copied. */
  encoderLayer: TransformerEncoderLayer;
  /** How many copies. */
  numLayers: number;
  /** A last normalisation. */
  norm?: LayerNorm | null;
  /** Accepted for compatibility. @default {true} */
  enableNestedTensor?: boolean;
  /** Accepted for compatibility. @default {true} */
  maskCheck?: boolean;
}
const encoderArgs = signature<TransformerEncoderOptions>(
  "TransformerEncoder",
  ["encoderLayer", "numLayers", "norm", "enableNestedTensor", "maskCheck"],
  [],
  2,
);

/** Options of a call of {@linkcode TransformerEncoder}. */
export interface EncoderCall {
  /** Forbids attention, `(L, L)` or `(N · heads, L, L)`. */
  mask?: Tensor | null;
  /** `true` at positions that do not count, `(N, L)`. */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that the mask is causal. @default {false} */
  isCausal?: boolean | null;
}
const encoderCall = signature<EncoderCall>("TransformerEncoder", ["mask", "srcKeyPaddingMask", "isCausal"]);

function copies<M extends Module>(layer: M, count: number): ModuleList<M> {
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

  /** Takes `encoderLayer, numLayers, norm`. */
  constructor(
    ...args: Args<
      TransformerEncoderOptions,
      ["encoderLayer", "numLayers", "norm", "enableNestedTensor", "maskCheck"]
    >
  ) {
    super();
    const o = encoderArgs(args);
    this.layers = copies(o.encoderLayer, o.numLayers);
    this.numLayers = o.numLayers;
    this.norm = o.norm ?? null;
  }

  /**
   * The encoded sequence.
   *
   * @param src `(L, N, E)`, `(N, L, E)` with `batchFirst`, or `(L, E)`
   * @param args `mask, srcKeyPaddingMask, isCausal`
   */
  override forward(src: Tensor, ...args: Args<EncoderCall, ["mask", "srcKeyPaddingMask", "isCausal"]>): Tensor {
    const o = encoderCall(args);
    let x = src;
    for (const layer of this.layers) {
      x = layer.call(x, {
        srcMask: o.mask ?? null,
        srcKeyPaddingMask: o.srcKeyPaddingMask ?? null,
        isCausal: o.isCausal ?? false,
      });
    }
    return this.norm ? this.norm.call(x) : x;
  }
}

/** What {@linkcode TransformerDecoder} takes. */
export interface TransformerDecoderOptions {
  /** The layer that is copied. */
  decoderLayer: TransformerDecoderLayer;
  /** How many copies. */
  numLayers: number;
  /** A last normalisation. */
  norm?: LayerNorm | null;
}
const decoderArgs = signature<TransformerDecoderOptions>(
  "TransformerDecoder",
  ["decoderLayer", "numLayers", "norm"],
  [],
  2,
);

/** A stack of copies of a decoder layer. */
export class TransformerDecoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerDecoderLayer>;
  /** How many. */
  readonly numLayers: number;
  /** The last normalisation, or `null`. */
  norm: LayerNorm | null;

  /** Takes `decoderLayer, numLayers, norm`. */
  constructor(...args: Args<TransformerDecoderOptions, ["decoderLayer", "numLayers", "norm"]>) {
    super();
    const o = decoderArgs(args);
    this.layers = copies(o.decoderLayer, o.numLayers);
    this.numLayers = o.numLayers;
    this.norm = o.norm ?? null;
  }

  /**
   * The decoded sequence.
   *
   * @param tgt the target
   * @param memory the encoder's output
   * @param args `tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, tgtIsCausal, memoryIsCausal`
   */
  override forward(tgt: Tensor, memory: Tensor, ...args: Args<DecoderCall, DecoderCallParameters>): Tensor {
    const o = decoderCall(args);
    let x = tgt;
    for (const layer of this.layers) x = layer.call(x, memory, o);
    return this.norm ? this.norm.call(x) : x;
  }
}

/** What {@linkcode Transformer} takes. */
export interface TransformerOptions extends Omit<TransformerLayerOptions, "dModel" | "nhead"> {
  /** Size of inputs and outputs. @default {512} */
  dModel?: number;
  /** How many heads. @default {8} */
  nhead?: number;
  /** Layers of the encoder. @default {6} */
  numEncoderLayers?: number;
  /** Layers of the decoder. @default {6} */
  numDecoderLayers?: number;
  /** An own encoder. */
  customEncoder?: TransformerEncoder | null;
  /** An own decoder. */
  customDecoder?: TransformerDecoder | null;
}

const transformerArgs = signature<TransformerOptions>("Transformer", [
  "dModel",
  "nhead",
  "numEncoderLayers",
  "numDecoderLayers",
  "dimFeedforward",
  "dropout",
  "activation",
  "customEncoder",
  "customDecoder",
  "layerNormEps",
  "batchFirst",
  "normFirst",
  "bias",
], FACTORY);

/** Options of a call of {@linkcode Transformer}. */
export interface TransformerCall extends DecoderCall {
  /** Forbids attention within the source. */
  srcMask?: Tensor | null;
  /** `true` at source positions that do not count. */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that the source's mask is causal; not found out from the mask. @default {false} */
  srcIsCausal?: boolean | null;
}
const transformerCall = signature<TransformerCall>("Transformer", [
  "srcMask",
  "tgtMask",
  "memoryMask",
  "srcKeyPaddingMask",
  "tgtKeyPaddingMask",
  "memoryKeyPaddingMask",
  "srcIsCausal",
  "tgtIsCausal",
  "memoryIsCausal",
]);

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

  /** Takes `dModel, nhead, numEncoderLayers, numDecoderLayers, dimFeedforward, dropout, activation, …`. */
  constructor(
    ...args: Args<
      TransformerOptions,
      ["dModel", "nhead", "numEncoderLayers", "numDecoderLayers", "dimFeedforward", "dropout", "activation"]
    >
  ) {
    super();
    const o = transformerArgs(args);
    const { dModel = 512, nhead = 8 } = o;
    const { norm } = parts({ ...o, dModel, nhead });
    const { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias, device, dtype } = o;
    const layer = { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias, device, dtype };
    this.encoder = o.customEncoder ?? new TransformerEncoder(
      new TransformerEncoderLayer(dModel, nhead, layer),
      o.numEncoderLayers ?? 6,
      new LayerNorm(dModel, norm),
    );
    this.decoder = o.customDecoder ?? new TransformerDecoder(
      new TransformerDecoderLayer(dModel, nhead, layer),
      o.numDecoderLayers ?? 6,
      new LayerNorm(dModel, norm),
    );
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = batchFirst ?? false;
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
   * @param args `srcMask, tgtMask, memoryMask, srcKeyPaddingMask, tgtKeyPaddingMask, memoryKeyPaddingMask, …`
   */
  override forward(
    src: Tensor,
    tgt: Tensor,
    ...args: Args<
      TransformerCall,
      ["srcMask", "tgtMask", "memoryMask", "srcKeyPaddingMask", "tgtKeyPaddingMask", "memoryKeyPaddingMask"]
    >
  ): Tensor {
    const { srcMask, srcKeyPaddingMask, srcIsCausal, ...decoding } = transformerCall(args);
    const batched = src.ndim === 3;
    const batchDim = this.batchFirst ? 0 : 1;
    if (batched && src.shape[batchDim] !== tgt.shape[batchDim]) {
      throw new ShapeError(
        `Transformer(): src and tgt must have the same batch size: ${show(src.shape)}, ${show(tgt.shape)}`,
      );
    }
    if (src.shape[src.ndim - 1] !== this.dModel || tgt.shape[tgt.ndim - 1] !== this.dModel) {
      throw new ShapeError(
        `the feature number of src and tgt must be equal to d_model: ${show(src.shape)}, ${
          show(tgt.shape)
        }, ${this.dModel}`,
      );
    }
    const memory = this.encoder.call(src, { mask: srcMask, srcKeyPaddingMask, isCausal: srcIsCausal });
    return this.decoder.call(tgt, memory, decoding);
  }

  /**
   * A mask that forbids attention to later positions: -∞ above the diagonal, 0 elsewhere.
   *
   * @param size the length of the sequence
   * @param options device and dtype
   */
  static generateSquareSubsequentMask(size: number, options: FactoryOptions = {}): Tensor {
    const { device, dtype } = options;
    return scope(() =>
      full([size, size], -Infinity, { device: device ?? undefined, dtype: dtype ?? undefined }).triu(1)
    );
  }
}
