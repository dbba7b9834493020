/**
 * `embeddingBag`: sums, means or maxima of rows of a table, one per bag of row numbers.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { arange } from "../create/ranges.ts";
import { checkIndexDtype } from "./index_core.ts";
import { embedding, refuseSparse } from "./embedding.ts";
import { roundedOnce } from "../core/wide.ts";

/** How the rows of a bag become one. */
export type BagMode = "sum" | "mean" | "max";

/** The parameters of {@linkcode embeddingBag}. */
export class EmbeddingBagArgs {
  constructor(
    /** The table: one row per number. */
    public weight: Tensor,
    /** Where each bag starts, for an input of one dimension. */
    public offsets: Tensor | null = null,
    /** Rows that are longer than this are scaled down to it, in place. */
    public maxNorm: number | null = null,
    /** Which norm. */
    public normType = 2,
    /** Divide gradients by how often a row was looked up. */
    public scaleGradByFreq = false,
    /** How the rows of a bag become one. */
    public mode: BagMode = "mean",
    /** Must be false: gradients are dense. */
    public sparse = false,
    /** A factor per number, for sums. */
    public perSampleWeights: Tensor | null = null,
    /** Whether the last offset is the end of the last bag. */
    public includeLastOffset = false,
    /** A number that does not count; negative counts from the end. */
    public paddingIdx: number | null = null,
  ) {}
}

/**
 * Rows of a table, looked up by number and joined per bag.
 *
 * Shape: `(N, L)` bags of equal length, or `(M)` with `offsets` `(N)`, to `(N, width)`. An empty bag gives zeros.
 *
 * @param input row numbers
 * @throws {ShapeError} if input, offsets and weights do not fit
 * @throws {IndexError} if a number is not one of a row
 */
export const embeddingBag: Fn<typeof EmbeddingBagArgs> = fn("embeddingBag", EmbeddingBagArgs, (input, o) => {
  const { weight, offsets, mode, perSampleWeights: factors } = o;
  refuseSparse("embeddingBag", o.sparse);
  checkTensor("embeddingBag", "weight", weight);
  if (offsets !== null) {
    checkTensor("embeddingBag", "offsets", offsets);
    checkIndexDtype("embeddingBag", offsets);
  }
  if (factors !== null) checkTensor("embeddingBag", "perSampleWeights", factors);
  if (mode !== "sum" && mode !== "mean" && mode !== "max") {
    throw new ArgumentError(`embeddingBag(): mode has to be one of sum, mean or max: "${String(mode)}"`);
  }
  if (factors !== null && mode !== "sum") {
    throw new ArgumentError(`embeddingBag(): perSampleWeights are for mode "sum" only: "${mode}"`);
  }
  if (factors !== null && !sameShape(factors.shape, input.shape)) {
    throw new ShapeError(
      `embeddingBag(): perSampleWeights must have the input's shape: ${show(factors.shape)} != ${show(input.shape)}`,
    );
  }
  return scope(() => {
    const { index, bags, count } = bagsOf(input, o);
    const { maxNorm, normType, scaleGradByFreq, paddingIdx } = o;
    const rows = weight.shape[0];
    const padding = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
    const found = embedding(index, weight, { paddingIdx: padding, maxNorm, normType, scaleGradByFreq });
    const used = padding === null ? null : index.ne(padding);
    if (factors) {
      return roundedOnce([found, factors], (rows, own) => join(mode, rows.mul(own.reshape(-1, 1)), bags, count, used));
    }
    return roundedOnce([found], (rows) => join(mode, rows, bags, count, used));
  });
});

/** Which bag each number is in. */
function bagsOf(input: Tensor, o: Readonly<EmbeddingBagArgs>): { index: Tensor; bags: Tensor; count: number } {
  const index = input.reshape(-1);
  const { device } = input;
  if (input.ndim === 2) {
    if (o.offsets) throw new ArgumentError("embeddingBag(): offsets have to be null for an input of two dimensions");
    const [count, length] = input.shape;
    return { index, count, bags: arange(count, { device }).reshape(-1, 1).expand(count, length).reshape(-1) };
  }
  if (input.ndim !== 1) throw new ShapeError(`embeddingBag(): the input has to be 1D or 2D: ${show(input.shape)}`);
  if (!o.offsets || o.offsets.ndim !== 1) {
    throw new ShapeError("embeddingBag(): an input of one dimension needs offsets of one dimension");
  }
  const count = o.offsets.shape[0] - (o.includeLastOffset ? 1 : 0);
  const starts = o.offsets.long().narrow(0, 0, count);
  // The bag of a number is that of the last start at or before it.
  const at = arange(index.numel(), { device }).unsqueeze(1);
  return { index, count, bags: starts.unsqueeze(0).le(at).to(starts.dtype).sum(1).sub(1) };
}

function join(mode: BagMode, rows: Tensor, bags: Tensor, count: number, used: Tensor | null): Tensor {
  const width = rows.shape[1];
  const empty = rows.detach().newZeros([count, width]);
  const counted = used === null ? rows : rows.mul(used.unsqueeze(1));
  if (mode === "sum") return empty.indexAdd(0, bags, counted);
  if (mode === "max") {
    const lowest = used === null ? rows : rows.maskedFill(used.logicalNot().unsqueeze(1), -Infinity);
    const wide = bags.unsqueeze(1).expand(rows.shape);
    const best = empty.sub(Infinity).scatterReduce(0, wide, lowest, "amax");
    return best.maskedFill(best.detach().eq(-Infinity), 0);
  }
  const ones = used === null ? rows.detach().newOnes([rows.shape[0]]) : used.to(rows.dtype);
  const sizes = rows.detach().newZeros([count]).indexAdd(0, bags, ones).clampMin(1);
  return empty.indexAdd(0, bags, counted).div(sizes.unsqueeze(1));
}
