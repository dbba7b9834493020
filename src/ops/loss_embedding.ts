/**
 * Distances between vectors and the losses made of them.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { wrapDim } from "../base/shape.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkTensors, LEGACY, type LegacyReduction, reduceLoss, type Reduction, reductionOf } from "./loss_core.ts";

/** The parameters of {@linkcode cosineSimilarity}. */
export interface CosineSimilarityArgs {
  /** The dimension of the vectors. @default {1} */
  dim?: number;
  /** The least length that counts. @default {1e-8} */
  eps?: number;
}
const cosineArgs = signature<CosineSimilarityArgs>("cosineSimilarity", ["dim", "eps"]);

/**
 * The cosine of the angle between vectors.
 *
 * @param x1 vectors
 * @param x2 vectors; the two broadcast
 */
export function cosineSimilarity(x1: Tensor, x2: Tensor, ...args: Args<CosineSimilarityArgs, ["dim", "eps"]>): Tensor {
  if (autocasting.active) return autocasted({ gpu: "float32" }, cosineSimilarity, x1, x2, ...args);
  const { dim = 1, eps = 1e-8 } = cosineArgs(args);
  checkTensors("cosineSimilarity", { x1, x2 });
  return scope(() => {
    const product = x1.mul(x2);
    const at = wrapDim("cosineSimilarity", dim, product.ndim);
    const [a, b] = [x1.expand(product.shape), x2.expand(product.shape)];
    const total = (t: Tensor) => t.ndim === 0 ? t : t.sum(at, true);
    // Each vector is divided by its own length, as in PyTorch: the product of two lengths could underflow.
    const unit = (t: Tensor) => t.div(lengthOf(total(t.mul(t)), eps));
    const cosine = unit(a).mul(unit(b));
    return cosine.ndim === 0 ? cosine : cosine.sum(at);
  });
}

/** The root of a sum of squares, at least `eps` where values are concerned; the gradient is that of the root. */
function lengthOf(squares: Tensor, eps: number): Tensor {
  const length = squares.sqrt();
  const raised = length.detach().clampMin(eps);
  // Where the length is below eps its gradient is that of a constant.
  return raised.where(length.detach().lt(eps), length);
}

/** The parameters of {@linkcode pairwiseDistance}. */
export interface PairwiseDistanceArgs {
  /** The exponent of the norm. @default {2} */
  p?: number;
  /** Added to the difference, so that the gradient exists at 0. @default {1e-6} */
  eps?: number;
  /** Whether the last dimension stays, with size 1. @default {false} */
  keepdim?: boolean;
}
const pairwiseArgs = signature<PairwiseDistanceArgs>("pairwiseDistance", ["p", "eps", "keepdim"]);

/**
 * The p-norm of the difference of vectors along the last dimension.
 *
 * @param x1 vectors
 * @param x2 vectors; the two broadcast
 */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  ...args: Args<PairwiseDistanceArgs, ["p", "eps", "keepdim"]>
): Tensor {
  const { p = 2, eps = 1e-6, keepdim = false } = pairwiseArgs(args);
  checkTensors("pairwiseDistance", { x1, x2 });
  return scope(() => x1.sub(x2).add(eps).norm(p, -1, keepdim));
}

/** The parameters of {@linkcode normalize}. */
export interface NormalizeArgs {
  /** The exponent of the norm. @default {2} */
  p?: number;
  /** The dimension or dimensions of the vectors. @default {1} */
  dim?: number | readonly number[];
  /** The least norm that is divided by. @default {1e-12} */
  eps?: number;
  /** Where the result is written. */
  out?: Tensor | null;
}
const normalizeArgs = signature<NormalizeArgs>("normalize", ["p", "dim", "eps", "out"]);

/** Vectors divided by their norm. */
export function normalize(input: Tensor, ...args: Args<NormalizeArgs, ["p", "dim", "eps", "out"]>): Tensor {
  const { p = 2, dim = 1, eps = 1e-12, out } = normalizeArgs(args);
  checkTensors("normalize", { input });
  const result = scope(() => {
    const length = input.norm(p, typeof dim === "number" ? dim : [...dim], true).clampMin(eps);
    return input.div(length.expand(input.shape));
  });
  return out ? out.copy_(result) : result;
}

/** Options of losses with a margin. */
export interface EmbeddingLossOptions extends LegacyReduction {
  /** The margin. */
  margin?: number;
  /** How the examples' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}
const cosineEmbeddingArgs = signature<EmbeddingLossOptions>("cosineEmbeddingLoss", ["margin", ...LEGACY, "reduction"]);

// Added to the squares, as in PyTorch.
const COSINE_EPSILON = 1e-12;

/**
 * `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1.
 *
 * @param input1 `(N, D)` or `(D)`
 * @param input2 of the same shape
 * @param target `(N)` or a 0-d tensor
 * @throws {ShapeError} if the shapes do not fit
 */
export function cosineEmbeddingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  ...args: Args<EmbeddingLossOptions, ["margin", "sizeAverage", "reduce", "reduction"]>
): Tensor {
  if (autocasting.active) return autocasted("float32", cosineEmbeddingLoss, input1, input2, target, ...args);
  const o = cosineEmbeddingArgs(args);
  checkTensors("cosineEmbeddingLoss", { input1, input2, target });
  const reduction = reductionOf("cosineEmbeddingLoss", o);
  if (target.ndim > 1 || input1.ndim !== target.ndim + 1 || input2.ndim !== target.ndim + 1) {
    throw new ShapeError(
      `cosineEmbeddingLoss(): expected inputs of one dimension more than the target's 0 or 1: ${show(input1.shape)}, ` +
        `${show(input2.shape)}, ${show(target.shape)}`,
    );
  }
  return scope(() => {
    const dot = input1.mul(input2).sum(-1);
    const squares1 = input1.mul(input1).sum(-1).add(COSINE_EPSILON);
    const squares2 = input2.mul(input2).sum(-1).add(COSINE_EPSILON);
    const cosine = dot.div(squares1.mul(squares2).sqrt());
    const near = cosine.neg().add(1).mul(target.eq(1));
    const far = cosine.sub(o.margin ?? 0).clampMin(0).mul(target.eq(-1));
    return reduceLoss(near.add(far), reduction);
  });
}

/** Options of {@linkcode tripletMarginLoss}. */
export interface TripletMarginOptions extends LegacyReduction {
  /** The margin. @default {1} */
  margin?: number;
  /** The exponent of the distance. @default {2} */
  p?: number;
  /** Added to differences. @default {1e-6} */
  eps?: number;
  /** Whether the negative is compared with the nearer of anchor and positive. @default {false} */
  swap?: boolean;
  /** How the examples' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}
const tripletArgs = signature<TripletMarginOptions>(
  "tripletMarginLoss",
  ["margin", "p", "eps", "swap", ...LEGACY, "reduction"],
);

function triplet(
  distance: (a: Tensor, b: Tensor) => Tensor,
  [anchor, positive, negative]: readonly Tensor[],
  margin: number,
  swap: boolean,
  reduction: Reduction,
): Tensor {
  const near = distance(anchor, positive);
  let far = distance(anchor, negative);
  if (swap) far = far.minimum(distance(positive, negative));
  return reduceLoss(near.sub(far).add(margin).clampMin(0), reduction);
}

/**
 * `max(0, d(anchor, positive) - d(anchor, negative) + margin)`.
 *
 * @throws {ShapeError} if the three differ in number of dimensions
 * @see http://www.bmva.org/bmvc/2016/papers/paper119/index.html
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  ...args: Args<TripletMarginOptions, ["margin", "p", "eps", "swap", "sizeAverage", "reduce", "reduction"]>
): Tensor {
  if (autocasting.active) return autocasted("float32", tripletMarginLoss, anchor, positive, negative, ...args);
  const o = tripletArgs(args);
  checkTensors("tripletMarginLoss", { anchor, positive, negative });
  const { margin = 1, p = 2, eps = 1e-6, swap = false } = o;
  if (!(margin > 0)) throw new ArgumentError(`tripletMarginLoss(): margin must be greater than 0: ${margin}`);
  const reduction = reductionOf("tripletMarginLoss", o);
  if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim) {
    throw new ShapeError(
      `tripletMarginLoss(): the three must have as many dimensions: ${show(anchor.shape)}, ${show(positive.shape)}, ` +
        show(negative.shape),
    );
  }
  return scope(() =>
    triplet((a, b) => pairwiseDistance(a, b, p, eps), [anchor, positive, negative], margin, swap, reduction)
  );
}

/** Options of {@linkcode tripletMarginWithDistanceLoss}. */
export interface TripletDistanceOptions {
  /** The distance of two batches of vectors; `pairwiseDistance` if missing. */
  distanceFunction?: ((a: Tensor, b: Tensor) => Tensor) | null;
  /** The margin. @default {1} */
  margin?: number;
  /** Whether the negative is compared with the nearer of anchor and positive. @default {false} */
  swap?: boolean;
  /** How the examples' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}
const tripletDistanceArgs = signature<TripletDistanceOptions>(
  "tripletMarginWithDistanceLoss",
  [],
  ["distanceFunction", "margin", "swap", "reduction"],
);

/** {@linkcode tripletMarginLoss} with any distance. */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  ...args: Args<TripletDistanceOptions, []>
): Tensor {
  const o = tripletDistanceArgs(args);
  const { margin = 1, swap = false } = o;
  const op = "tripletMarginWithDistanceLoss";
  checkTensors(op, { anchor, positive, negative });
  if (!(margin > 0)) throw new ArgumentError(`${op}(): margin must be greater than 0: ${margin}`);
  const reduction = reductionOf(op, o);
  const distance = o.distanceFunction ?? ((a: Tensor, b: Tensor) => pairwiseDistance(a, b));
  return scope(() => triplet(distance, [anchor, positive, negative], margin, swap, reduction));
}
