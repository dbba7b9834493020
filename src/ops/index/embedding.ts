/**
 * Class numbers as vectors: `oneHot` and `embedding`.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Fn, fn } from "../core/op.ts";
import { record } from "../../autograd/record.ts";
import type { Args } from "../../base/call.ts";
import { int64 } from "../../base/dtype.ts";
import { checkCount } from "../../base/checks.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError, show } from "../../base/errors.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { where } from "../pointwise/compare.ts";
import { checkIndexDtype, rawIndexSelect } from "./index_core.ts";
import { expandTo, reshapeTo } from "../core/view_core.ts";

/** The parameters of {@linkcode oneHot}. */
export class OneHotArgs {
  constructor(
    /** How many classes; -1: one more than the largest number, which must be read first. */
    public numClasses: number = -1,
  ) {}
}

/** The type of {@linkcode oneHot}: with the number of classes by position the result is there at once. */
export interface OneHotFn {
  /** With a number of classes. */
  (input: Tensor, numClasses: number): Tensor;
  /** With the number of classes by name, or none: then the largest class is read. */
  (input: Tensor, ...args: Args<typeof OneHotArgs>): Tensor | Promise<Tensor>;
}

/**
 * Zeros with a one at each class number, as a new last dimension.
 *
 * Shape: `[…]` to `[…, numClasses]`. DType: int64.
 *
 * @param input class numbers, int64
 * @returns a promise where `numClasses` is not given
 * @throws {IndexError} if a class number is out of range
 */
export const oneHot: OneHotFn = fn<typeof OneHotArgs, Tensor | Promise<Tensor>>(
  "oneHot",
  OneHotArgs,
  (input, { numClasses }) => {
    if (input.dtype !== int64) {
      throw new DTypeError(
        `oneHot(): class numbers must be int64: ${input.dtype}; use .long()`,
      );
    }
    if (numClasses !== -1) {
      checkCount("oneHot", "numClasses", numClasses, 1);
      return hot(input, numClasses);
    }
    if (input.numel() === 0) throw new ShapeError("oneHot(): numClasses is needed for an empty tensor: []");
    const last = input.max();
    return last.item().then((largest) => {
      last.dispose();
      if (largest < 0) throw new IndexError(`oneHot(): class numbers must not be negative: ${largest}`);
      return hot(input, Number(largest) + 1);
    });
  },
) as OneHotFn;

function hot(x: Tensor, classes: number): Tensor {
  const out = emptyLikeDevice("oneHot", [...x.shape, classes], int64, x);
  return scope(() => out.zero_().scatter_(-1, x.unsqueeze(-1), 1));
}

/** The parameters of {@linkcode embedding}. */
export class EmbeddingArgs {
  constructor(
    /** The table: one row per number. */
    public weight: Tensor,
    /** A row that gets no gradient; negative counts from the end. */
    public paddingIdx: number | null = null,
    /** Rows that are looked up and longer than this are scaled down to it, in place. */
    public maxNorm: number | null = null,
    /** Which norm. */
    public normType = 2,
    /** Divide gradients by how often a row was looked up. */
    public scaleGradByFreq = false,
    /** Must be false: gradients are dense. */
    public sparse = false,
  ) {}
}

/** Throws where PyTorch would give a sparse gradient, which would need other memory and other optimizers. */
export function refuseSparse(op: string, sparse: boolean): void {
  if (sparse) throw new ArgumentError(`${op}(): gradients are dense here: sparse: true; leave it out`);
}

/**
 * Rows of a table, looked up by number.
 *
 * Shape: `[…]` and `[count, width]` to `[…, width]`.
 *
 * @param input row numbers, int64 or int32
 * @throws {IndexError} if a number is not one of a row
 */
export const embedding: Fn<typeof EmbeddingArgs> = fn(
  "embedding",
  EmbeddingArgs,
  (input, { weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse }) => {
    refuseSparse("embedding", sparse);
    checkTensor("embedding", "weight", weight);
    if (weight.ndim !== 2) throw new ShapeError(`embedding(): the weight must be a matrix: ${show(weight.shape)}`);
    checkIndexDtype("embedding", input);
    const [count, width] = weight.shape;
    const padding = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + count : paddingIdx;
    if (padding !== null && (!Number.isInteger(padding) || padding < 0 || padding >= count)) {
      throw new IndexError(`embedding(): paddingIdx out of range: ${paddingIdx} for ${count} rows`);
    }
    const index = reshapeTo(input, [-1]);
    if (maxNorm !== null) unrecorded(() => renormalise(weight, index, maxNorm, normType));
    const rows = record(
      "EmbeddingBackward0",
      rawIndexSelect("embedding", weight, 0, index, false),
      [weight],
      [index],
      (grad, [at]) => [embeddingGradient(grad, at, count, padding, scaleGradByFreq)],
    );
    return reshapeTo(rows, [...input.shape, width]);
  },
);

function renormalise(weight: Tensor, index: Tensor, maxNorm: number, normType: number): void {
  const rows = weight.detach().indexSelect(0, index);
  const norms = rows.norm({ p: normType, dim: 1, keepdim: true });
  // The small number is PyTorch's guard against dividing by zero.
  const scale = where(norms.gt(maxNorm), norms.add(1e-7).reciprocal().mul(maxNorm), 1);
  weight.detach().indexCopy_(0, index, rows.mul(scale));
}

function embeddingGradient(
  grad: Tensor,
  index: Tensor,
  count: number,
  padding: number | null,
  scaleByFrequency: boolean,
): Tensor {
  let rows = grad;
  if (padding !== null) rows = rows.maskedFill(reshapeTo(index.eq(padding), [-1, 1]), 0);
  if (scaleByFrequency) {
    const ones = grad.newOnes([index.numel()]);
    const often = grad.newZeros([count]).indexAdd(0, index, ones).indexSelect(0, index);
    rows = rows.div(expandTo(reshapeTo(often, [-1, 1]), rows.shape));
  }
  return grad.newZeros([count, grad.shape[1]]).indexAdd(0, index, rows);
}
