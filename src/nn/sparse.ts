/**
 * Embeddings: tables whose rows are looked up by number.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { withGrad } from "../autograd/mode.ts";
import type { BagMode } from "../ops/index/embedding_bag.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { checkSizes, emptyParameter, FactoryArgs } from "./factory.ts";
import * as F from "./functional.ts";
import { normal_ } from "./init.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { float, python } from "./repr.ts";

/** The parameters of {@linkcode Embedding}. */
export class EmbeddingLayerArgs extends FactoryArgs {
  constructor(
    /** Rows of the table. */
    public numEmbeddings: number,
    /** Length of a row. */
    public embeddingDim: number,
    /** A row of zeros that gets no gradient; negative counts from the end. */
    public paddingIdx: number | null = null,
    /** Rows longer than this are scaled down when they are looked up. */
    public maxNorm: number | null = null,
    /** Which norm. */
    public normType = 2,
    /** Whether gradients are divided by how often a row was looked up. */
    public scaleGradByFreq = false,
    /** Accepted for compatibility: gradients are dense. */
    public sparse = false,
    /** The table, in place of a drawn one. */
    public _weight: Tensor | null = null,
    /** Whether the table is not trained. */
    public _freeze = false,
  ) {
    super();
  }
}

const embeddingArgs = call("Embedding", EmbeddingLayerArgs);

/** The parameters of {@linkcode Embedding.fromPretrained}. */
export class FromPretrainedArgs {
  constructor(
    /** The table, a matrix. */
    public embeddings: Tensor,
    /** Whether it is not trained. */
    public freeze = true,
    /** A row of zeros that gets no gradient; negative counts from the end. */
    public paddingIdx: number | null = null,
    /** Rows longer than this are scaled down when they are looked up. */
    public maxNorm: number | null = null,
    /** Which norm. */
    public normType = 2,
    /** Whether gradients are divided by how often a row was looked up. */
    public scaleGradByFreq = false,
    /** Accepted for compatibility: gradients are dense. */
    public sparse = false,
  ) {}
}

const pretrainedArgs = call("Embedding.fromPretrained", FromPretrainedArgs);

/**
 * A table of vectors, drawn from the normal distribution and trained.
 *
 * Shape: int64 `(*)` to `(*, embeddingDim)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const table = torch.nn.Embedding.fromPretrained(torch.tensor([[1, 2], [3, 4]]));
 * assertEquals(await table.call(torch.tensor([1n, 0n])).tolist(), [[3, 4], [1, 2]]);
 * ```
 */
export class Embedding extends Module {
  /** Rows of the table. */
  readonly numEmbeddings: number;
  /** Length of a row. */
  readonly embeddingDim: number;
  /** The row of zeros, or `null`. */
  readonly paddingIdx: number | null;
  /** The largest norm of a row, or `null`. */
  readonly maxNorm: number | null;
  /** Which norm. */
  readonly normType: number;
  /** Whether gradients are divided by how often a row was looked up. */
  readonly scaleGradByFreq: boolean;
  /** Accepted for compatibility. */
  readonly sparse: boolean;
  /** The table. */
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

  /** The rows of the numbers. */
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
    /** Rows of the table. */
    public numEmbeddings: number,
    /** Length of a row. */
    public embeddingDim: number,
    /** Rows longer than this are scaled down when they are looked up. */
    public maxNorm: number | null = null,
    /** Which norm. */
    public normType = 2,
    /** Whether gradients are divided by how often a row was looked up. */
    public scaleGradByFreq = false,
    /** How the rows of a bag become one. */
    public mode: BagMode = "mean",
    /** Accepted for compatibility: gradients are dense. */
    public sparse = false,
    /** The table, in place of a drawn one. */
    public _weight: Tensor | null = null,
    /** Whether the last offset is the end of the last bag. */
    public includeLastOffset = false,
    /** A row of zeros that gets no gradient; negative counts from the end. */
    public paddingIdx: number | null = null,
  ) {
    super();
  }
}

const bagArgs = call("EmbeddingBag", EmbeddingBagLayerArgs);

/** Sums, means or maxima of rows of a table, one per bag of numbers. */
export class EmbeddingBag extends Module {
  /** Rows of the table. */
  readonly numEmbeddings: number;
  /** Length of a row. */
  readonly embeddingDim: number;
  /** The largest norm of a row, or `null`. */
  readonly maxNorm: number | null;
  /** Which norm. */
  readonly normType: number;
  /** Whether gradients are divided by how often a row was looked up. */
  readonly scaleGradByFreq: boolean;
  /** How the rows of a bag become one. */
  readonly mode: BagMode;
  /** Accepted for compatibility. */
  readonly sparse: boolean;
  /** Whether the last offset is the end of the last bag. */
  readonly includeLastOffset: boolean;
  /** A number that does not count, or `null`. */
  readonly paddingIdx: number | null;
  /** The table. */
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

  /** The joined rows of each bag. */
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
    throw new ArgumentError(`${op}(): paddingIdx must be within numEmbeddings: ${index} for ${rows} rows`);
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
