/**
 * `scatterReduce` and `indexReduce`: combining values that meet at one position, with PyTorch's gradients.
 *
 * @module
 */

import { type Op, op } from "../core/op.ts";
import { record } from "../../autograd/record.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkIndexDtype, checkIndexShape, checkOrdered, checkSameDtype, rawScatter } from "./index_core.ts";
import { expandTo, reshapeTo, sliceAt } from "../core/view_core.ts";
import { roundedOnce } from "../core/wide.ts";

/** How values at one position are combined. */
export type ScatterReduction = "sum" | "prod" | "mean" | "amax" | "amin";

/** The parameters of {@linkcode scatterReduce}. */
export class ScatterReduceArgs {
  /** Whether the tensor's own value takes part. */
  includeSelf = true;
  constructor(
    /** The dimension. */
    public dim: number,
    /** Positions along `dim`. */
    public index: Tensor,
    /** The values: at least as large as `index`. */
    public src: Tensor,
    /** How they are combined. */
    public reduce: ScatterReduction,
  ) {}
}

/**
 * Combines `src[i][j]` with what is at `[i][index[i][j]]` along `dim`.
 *
 * @param input any real tensor
 * @see https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_reduce_.html
 */
export const scatterReduce: Op<typeof ScatterReduceArgs> = op(
  "scatterReduce",
  ScatterReduceArgs,
  (input, { dim, index, src, reduce, includeSelf }) => {
    const d = wrapDim("scatterReduce", dim, input.ndim);
    checkIndexDtype("scatterReduce", index);
    checkSameDtype("scatterReduce", input, src, "src");
    checkIndexShape("scatterReduce", index, input, d, input.shape);
    checkIndexShape("scatterReduce", index, src, -1, src.shape);
    let cut = src;
    for (let k = 0; k < index.ndim; k++) if (index.shape[k] < cut.shape[k]) cut = sliceAt(cut, k, 0, index.shape[k]);
    return roundedOnce([input, cut], (x, src) => combined("scatterReduce", x, d, index, src, reduce, includeSelf));
  },
);

/** {@linkcode scatterReduce} in place. */
export const scatterReduce_: Op<typeof ScatterReduceArgs> = op("scatterReduce_", ScatterReduceArgs, (self, args) => {
  const { dim, index, src, reduce, includeSelf } = args;
  return scope(() => self.copy_(scatterReduce(self, dim, index, src, reduce, { includeSelf })));
});

/** The parameters of {@linkcode indexReduce}. */
export class IndexReduceArgs {
  /** Whether the tensor's own value takes part. */
  includeSelf = true;
  constructor(
    /** The dimension. */
    public dim: number,
    /** Where slices go: a vector. */
    public index: Tensor,
    /** As many slices as indices. */
    public source: Tensor,
    /** How they are combined. */
    public reduce: Exclude<ScatterReduction, "sum">,
  ) {}
}

/** Combines slices of `source` with those at positions along `dim`. */
export const indexReduce: Op<typeof IndexReduceArgs> = op(
  "indexReduce",
  IndexReduceArgs,
  (input, { dim, index, source, reduce, includeSelf }) => {
    const d = wrapDim("indexReduce", dim, input.ndim);
    checkIndexDtype("indexReduce", index);
    checkSameDtype("indexReduce", input, source, "source");
    if (index.ndim > 1 || (source.shape[d] ?? 1) !== index.numel()) {
      throw new ShapeError(
        `indexReduce(): one index per slice is needed: ${show(index.shape)} for ${show(source.shape)}`,
      );
    }
    const column = reshapeTo(index, source.shape.map((s, k) => k === d ? s : 1));
    const at = expandTo(column, source.shape);
    return roundedOnce([input, source], (x, src) => combined("indexReduce", x, d, at, src, reduce, includeSelf));
  },
);

function combined(
  op: string,
  x: Tensor,
  d: number,
  index: Tensor,
  src: Tensor,
  reduce: ScatterReduction,
  includeSelf: boolean,
): Tensor {
  if (!["sum", "prod", "mean", "amax", "amin"].includes(reduce)) {
    throw new ArgumentError(`${op}(): reduce must be sum, prod, mean, amax or amin: ${describe(reduce)}`);
  }
  if (reduce === "amax" || reduce === "amin") checkOrdered(op, x);
  let out = x.clone().detach();
  if (!includeSelf) {
    // What the first value is combined with: the neutral element, or for extremes any of the values themselves.
    const neutral = reduce === "prod" ? x.newOnes([]) : x.newZeros([]);
    const first = reduce === "amax" || reduce === "amin" ? src : expandTo(neutral, index.shape);
    rawScatter(op, out, d, index, first, "set");
  }
  const mode = reduce === "mean" ? "sum" : reduce === "amax" ? "max" : reduce === "amin" ? "min" : reduce;
  rawScatter(op, out, d, index, src, mode);
  if (reduce === "mean") {
    const n = counts(x, d, index, src, includeSelf);
    out = x.dtype.kind === "integer" ? out.floorDivide(n) : out.div(n);
  }
  return record("ScatterReduceBackward0", out, [x, src], [x, index, src, out], (grad, saved, needs) => {
    const [self, at, values, result] = saved;
    const [own, other] = gradients(grad, d, self, at, values, result, reduce, includeSelf);
    return [needs[0] ? (includeSelf ? own : own.scatter(d, at, 0)) : null, needs[1] ? other : null];
  });
}

/** How many values meet at each position, at least 1. */
function counts(x: Tensor, d: number, index: Tensor, src: Tensor, includeSelf: boolean): Tensor {
  const start = includeSelf ? x.newOnes(x.shape) : x.newZeros(x.shape);
  return start.scatterAdd(d, index, src.newOnes(src.shape)).clampMin(1);
}

/** PyTorch's formulas, by what they are called in derivatives.yaml: grad_self and grad_src. */
function gradients(
  grad: Tensor,
  d: number,
  x: Tensor,
  index: Tensor,
  src: Tensor,
  result: Tensor,
  reduce: ScatterReduction,
  includeSelf: boolean,
): [Tensor, Tensor] {
  switch (reduce) {
    case "sum":
      return [grad, grad.gather(d, index)];
    case "mean": {
      const each = grad.div(counts(x, d, index, src, includeSelf));
      return [each, each.gather(d, index)];
    }
    case "prod":
      return productGradients(grad, d, x, index, src, result, includeSelf);
    case "amax":
    case "amin": {
      // Ties share the gradient.
      const isSelf = x.eq(result), isSource = src.eq(result.gather(d, index));
      const ties = isSelf.to(grad.dtype).scatterAdd(d, index, isSource.to(grad.dtype));
      const share = grad.div(ties.clampMin(1));
      return [share.mul(isSelf), share.gather(d, index).mul(isSource)];
    }
  }
}

/** Zeros cannot be divided out, so the product without them is computed apart. */
function productGradients(
  grad: Tensor,
  d: number,
  x: Tensor,
  index: Tensor,
  src: Tensor,
  result: Tensor,
  includeSelf: boolean,
): [Tensor, Tensor] {
  const withoutOwn = x.maskedFill(x.eq(0), 1);
  const own = grad.mul(withoutOwn.scatterReduce(d, index, src, "prod", { includeSelf })).div(withoutOwn);
  const isZero = src.eq(0);
  const zeros = grad.newZeros(x.shape).scatterAdd(d, index, isZero.to(grad.dtype)).gather(d, index);
  const single = isZero.logicalAnd(zeros.eq(1));
  const others = x.scatterReduce(d, index, src.maskedFill(single, 1), "prod", { includeSelf });
  const atZero = grad.mul(others).gather(d, index);
  const elsewhere = grad.mul(result).gather(d, index).div(src.maskedFill(isZero, 1));
  return [own, elsewhere.maskedFill(single, 0).add(atZero.mul(single))];
}
