/**
 * Embeddings: tables of vectors that are looked up by index.
 *
 * @module
 */

import { type Args, call } from "../../base/call.ts";
import { ArgumentError, describe, show } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import { withGrad } from "../../autograd/mode.ts";
import type { BagMode } from "../../ops/index/embedding_bag.ts";
import { refuseSparse } from "../../ops/index/embedding.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { checkSizes, emptyParameter, FactoryArgs } from "../module/factory.ts";
import * as F from "../functional.ts";
import { normal_ } from "../init.ts";
import { Module } from "../module/module.ts";
import { Parameter } from "../module/parameter.ts";
import { float, python } from "../module/repr.ts";

/** The parameters of {@linkcode Embedding}. */
export class EmbeddingLayerArgs extends FactoryArgs {
  constructor(
    /** The number of embeddings: rows of the table. */
    public numEmbeddings: number,
    /** The size of each embedding vector. */
    public embeddingDim: number,
    /** The padding index: its row is zero and gets no gradient; negative from the end. */
    public paddingIdx: number | null = null,
    /** The largest norm: rows with a larger one are scaled down, in place, when they are looked up. */
    public maxNorm: number | null = null,
    /** The exponent p of the norm. */
    public normType = 2,
    /** Whether a row's gradient is divided by the number of times that its index occurs in the input. */
    public scaleGradByFreq = false,
    /** Must be false: gradients are dense. */
    public sparse = false,
    /** The table to use instead of drawing one, `(numEmbeddings, embeddingDim)`. */
    public _weight: Tensor | null = null,
    /** Whether the table is frozen: not trained. */
    public _freeze = false,
  ) {
    super();
  }
}

const embeddingArgs = call("Embedding", EmbeddingLayerArgs);

/** The parameters of {@linkcode Embedding.fromPretrained}. */
export class FromPretrainedArgs {
  constructor(
    /** The table, `(rows, size of a vector)`. */
    public embeddings: Tensor,
    /** Whether the table is frozen: not trained. */
    public freeze = true,
    /** The padding index: its row is zero and gets no gradient; negative from the end. */
    public paddingIdx: number | null = null,
    /** The largest norm: rows with a larger one are scaled down, in place, when they are looked up. */
    public maxNorm: number | null = null,
    /** The exponent p of the norm. */
    public normType = 2,
    /** Whether a row's gradient is divided by the number of times that its index occurs in the input. */
    public scaleGradByFreq = false,
    /** Must be false: gradients are dense. */
    public sparse = false,
  ) {}
}

const pretrainedArgs = call("Embedding.fromPretrained", FromPretrainedArgs);

/**
 * Embedding: a table of vectors, drawn from the normal distribution and trained, that is looked up by index.
 *
 * Shape: int64 `(*)` to `(*, embeddingDim)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const table = torch.nn.Embedding.fromPretrained(torch.tensor([[1, 2], [3, 4]]));
 * assertEquals(await table.call(torch.tensor([1n, 0n])).tolist(), [[3, 4], [1, 2]]);
 * ```
 */
export class Embedding extends Module {
  /** The number of embeddings: rows of the table. */
  readonly numEmbeddings: number;
  /** The size of each embedding vector. */
  readonly embeddingDim: number;
  /** The padding index, or `null`. */
  readonly paddingIdx: number | null;
  /** The largest norm of a row that is looked up, or `null`. */
  readonly maxNorm: number | null;
  /** The exponent p of the norm. */
  readonly normType: number;
  /** Whether a row's gradient is divided by the number of times that its index occurs in the input. */
  readonly scaleGradByFreq: boolean;
  /** Always false: gradients are dense. */
  readonly sparse: boolean;
  /** The table, `(numEmbeddings, embeddingDim)`. */
  weight: Parameter;

  constructor(...args: Args<typeof EmbeddingLayerArgs>) {
    super();
    const o = embeddingArgs(args);
    const { numEmbeddings, embeddingDim } = o;
    checkSizes("Embedding", { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingRow("Embedding", o.paddingIdx, numEmbeddings);
    this.maxNorm = o.maxNorm;
    this.normType = o.normType;
    this.scaleGradByFreq = o.scaleGradByFreq;
    refuseSparse("Embedding", o.sparse);
    this.sparse = o.sparse;
    this.weight = table("Embedding", o);
    if (!o._weight) this.resetParameters();
    if (o._freeze) this.weight.requiresGrad_(false);
  }

  /** Draws a new table. */
  resetParameters(): void {
    normal_(this.weight);
    clearRow(this.weight, this.paddingIdx);
  }

  /** The rows at the indices: int64 `(*)` to `(*, embeddingDim)`. */
  override forward(input: Tensor): Tensor {
    const { weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse } = this;
    checkTensor("Embedding", "input", input);
    return F.embedding(input, weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse);
  }

  override extraRepr(): string {
    let text = `${this.numEmbeddings}, ${this.embeddingDim}`;
    if (this.paddingIdx !== null) text += `, padding_idx=${this.paddingIdx}`;
    if (this.maxNorm !== null) text += `, max_norm=${python(this.maxNorm)}`;
    if (this.normType !== 2) text += `, norm_type=${float(this.normType)}`;
    if (this.scaleGradByFreq) text += ", scale_grad_by_freq=True";
    if (this.sparse) text += ", sparse=True";
    return text;
  }

  /**
   * An embedding with given rows.
   *
   * @throws {ArgumentError} if the table is not a matrix
   */
  static fromPretrained(...args: Args<typeof FromPretrainedArgs>): Embedding {
    const { embeddings, freeze, ...options } = pretrainedArgs(args);
    if (embeddings.ndim !== 2) {
      throw new ArgumentError(`Embedding.fromPretrained(): expected a matrix: ${show(embeddings.shape)}`);
    }
    const [numEmbeddings, embeddingDim] = embeddings.shape;
    return new Embedding({ ...options, numEmbeddings, embeddingDim, _weight: embeddings, _freeze: freeze });
  }
}

/** The parameters of {@linkcode EmbeddingBag}. */
export class EmbeddingBagLayerArgs extends FactoryArgs {
  constructor(
    /** The number of embeddings: rows of the table. */
    public numEmbeddings: number,
    /** The size of each embedding vector. */
    public embeddingDim: number,
    /** The largest norm: rows with a larger one are scaled down, in place, when they are looked up. */
    public maxNorm: number | null = null,
    /** The exponent p of the norm. */
    public normType = 2,
    /** Whether a row's gradient is divided by the number of times that its index occurs in the input. */
    public scaleGradByFreq = false,
    /** The reduction of the rows of a bag: `"sum"`, `"mean"` or `"max"`. */
    public mode: BagMode = "mean",
    /** Must be false: gradients are dense. */
    public sparse = false,
    /** The table to use instead of drawing one, `(numEmbeddings, embeddingDim)`. */
    public _weight: Tensor | null = null,
    /** Whether `offsets` has one more entry, the end of the last bag. */
    public includeLastOffset = false,
    /** The padding index: its row is zero and gets no gradient; negative from the end. */
    public paddingIdx: number | null = null,
  ) {
    super();
  }
}

const bagArgs = call("EmbeddingBag", EmbeddingBagLayerArgs);

/** Embedding bag: the sum, mean or maximum of the table's rows at the indices of each bag. */
export class EmbeddingBag extends Module {
  /** The number of embeddings: rows of the table. */
  readonly numEmbeddings: number;
  /** The size of each embedding vector. */
  readonly embeddingDim: number;
  /** The largest norm of a row that is looked up, or `null`. */
  readonly maxNorm: number | null;
  /** The exponent p of the norm. */
  readonly normType: number;
  /** Whether a row's gradient is divided by the number of times that its index occurs in the input. */
  readonly scaleGradByFreq: boolean;
  /** The reduction of the rows of a bag: `"sum"`, `"mean"` or `"max"`. */
  readonly mode: BagMode;
  /** Always false: gradients are dense. */
  readonly sparse: boolean;
  /** Whether `offsets` has one more entry, the end of the last bag. */
  readonly includeLastOffset: boolean;
  /** The padding index, whose rows are left out of the reduction, or `null`. */
  readonly paddingIdx: number | null;
  /** The table, `(numEmbeddings, embeddingDim)`. */
  weight: Parameter;

  constructor(...args: Args<typeof EmbeddingBagLayerArgs>) {
    super();
    const o = bagArgs(args);
    const { numEmbeddings, embeddingDim } = o;
    checkSizes("EmbeddingBag", { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.maxNorm = o.maxNorm;
    this.normType = o.normType;
    this.scaleGradByFreq = o.scaleGradByFreq;
    this.mode = o.mode;
    refuseSparse("EmbeddingBag", o.sparse);
    this.sparse = o.sparse;
    this.includeLastOffset = o.includeLastOffset;
    this.paddingIdx = paddingRow("EmbeddingBag", o.paddingIdx, numEmbeddings);
    this.weight = table("EmbeddingBag", o);
    if (!o._weight) this.resetParameters();
  }

  /** Draws a new table. */
  resetParameters(): void {
    normal_(this.weight);
    clearRow(this.weight, this.paddingIdx);
  }

  /** The reduced rows of each bag, `(bags, embeddingDim)`. */
  override forward(input: Tensor, offsets: Tensor | null = null, perSampleWeights: Tensor | null = null): Tensor {
    const { weight, maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx } = this;
    const options = { maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx };
    checkTensor("EmbeddingBag", "input", input);
    return F.embeddingBag(input, { ...options, weight, offsets, perSampleWeights });
  }

  override extraRepr(): string {
    let text = `${this.numEmbeddings}, ${this.embeddingDim}`;
    if (this.maxNorm !== null) text += `, max_norm=${python(this.maxNorm)}`;
    if (this.normType !== 2) text += `, norm_type=${float(this.normType)}`;
    if (this.scaleGradByFreq) text += ", scale_grad_by_freq=True";
    text += `, mode=${python(this.mode)}`;
    if (this.paddingIdx !== null) text += `, padding_idx=${this.paddingIdx}`;
    return text;
  }
}

function paddingRow(op: string, index: number | null, rows: number): number | null {
  if (index === null) return null;
  if (!Number.isInteger(index) || index < -rows || index >= rows) {
    throw new ArgumentError(`${op}(): paddingIdx must be within numEmbeddings: ${describe(index)} for ${rows} rows`);
  }
  return index < 0 ? index + rows : index;
}

function table(op: string, o: Readonly<EmbeddingLayerArgs | EmbeddingBagLayerArgs>): Parameter {
  const shape = [o.numEmbeddings, o.embeddingDim];
  if (!o._weight) return emptyParameter(shape, o);
  checkTensor(op, "_weight", o._weight);
  if (!sameShape(o._weight.shape, shape)) {
    throw new ArgumentError(
      `${op}(): Shape of weight does not match num_embeddings and embedding_dim: ${show(o._weight.shape)} != ${
        show(shape)
      }`,
    );
  }
  return o._weight instanceof Parameter ? o._weight : new Parameter(o._weight);
}

function clearRow(weight: Tensor, row: number | null): void {
  if (row !== null) withGrad(false, () => weight.select(0, row).zero_());
}
