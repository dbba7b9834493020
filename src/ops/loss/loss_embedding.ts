/**
 * Distances between vectors and the losses made of them.
 *
 * @module
 */

import { checkFunction, checkIntegers } from "../../base/checks.ts";
import { writeOut } from "../core/define.ts";
import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkTensors, LossArgs, reduceLoss, type Reduction, type ReductionList, reductionOf } from "./loss_core.ts";
import { PairLossArgs } from "./loss.ts";
import { roundedOnce } from "../core/wide.ts";

/** The parameters of {@linkcode cosineSimilarity}. */
export class CosineSimilarityArgs {
  constructor(
    /** The other vectors; the two broadcast. */
    public x2: Tensor,
    /** The dimension of the vectors. */
    public dim = 1,
    /** The least length that counts. */
    public eps = 1e-8,
  ) {}
}

/**
 * The cosine of the angle between vectors.
 *
 * @param x1 vectors
 */
export const cosineSimilarity: Fn<typeof CosineSimilarityArgs> = fn(
  { name: "cosineSimilarity", autocast: { gpu: "float32" }, roundsOnce: true },
  CosineSimilarityArgs,
  (x1, { x2, dim, eps }) => {
    checkTensors("cosineSimilarity", { x2 });
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
  },
);

/** The root of a sum of squares, at least `eps`, which is a constant. */
function lengthOf(squares: Tensor, eps: number): Tensor {
  const given = squares.detach();
  // The root of 0 has an infinite gradient, and 0 · ∞ would be NaN although that root is not used.
  return squares.maskedFill(given.eq(0), 1).sqrt().maskedFill(given.sqrt().lt(eps), eps);
}

/** The parameters of {@linkcode pairwiseDistance}. */
export class PairwiseDistanceArgs {
  constructor(
    /** The other vectors; the two broadcast. */
    public x2: Tensor,
    /** The exponent of the norm. */
    public p = 2,
    /** Added to the difference, so that the gradient exists at 0. */
    public eps = 1e-6,
    /** Whether the last dimension stays, with size 1. */
    public keepdim = false,
  ) {}
}

/**
 * The p-norm of the difference of vectors along the last dimension.
 *
 * @param x1 vectors
 */
export const pairwiseDistance: Fn<typeof PairwiseDistanceArgs> = fn(
  { name: "pairwiseDistance", roundsOnce: true },
  PairwiseDistanceArgs,
  (x1, { x2, p, eps, keepdim }) => {
    checkTensors("pairwiseDistance", { x2 });
    return scope(() => x1.sub(x2).add(eps).norm(p, -1, keepdim));
  },
);

/** The parameters of {@linkcode normalize}. */
export class NormalizeArgs {
  constructor(
    /** The exponent of the norm. */
    public p = 2,
    /** The dimension or dimensions of the vectors. */
    public dim: number | readonly number[] = 1,
    /** The least norm that is divided by. */
    public eps = 1e-12,
    /** Where the result is written. */
    public out: Tensor | null = null,
  ) {}
}

/** Vectors divided by their norm. */
export const normalize: Fn<typeof NormalizeArgs> = fn(
  "normalize",
  NormalizeArgs,
  (input, { p, dim, eps, out }) => {
    if (typeof dim !== "number") checkIntegers("normalize", "dim", dim);
    const result = roundedOnce([input], (x) => {
      const length = x.norm(p, typeof dim === "number" ? dim : [...dim], true).clampMin(eps);
      return x.div(length.expand(x.shape));
    });
    return writeOut("normalize", out, result);
  },
);

// Added to the squares, as in PyTorch.
const COSINE_EPSILON = 1e-12;

/**
 * `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1.
 *
 * @param input1 `(N, D)` or `(D)`; the second input has the same shape, the target `(N)` or none
 * @throws {ShapeError} if the shapes do not fit
 */
export const cosineEmbeddingLoss: Fn<typeof PairLossArgs> = fn(
  { name: "cosineEmbeddingLoss", autocast: "float32", roundsOnce: true },
  PairLossArgs,
  (input1, o) => {
    const { input2, target, margin } = o;
    checkTensors("cosineEmbeddingLoss", { input2, target });
    const reduction = reductionOf("cosineEmbeddingLoss", o);
    if (target.ndim > 1 || input1.ndim !== target.ndim + 1 || input2.ndim !== target.ndim + 1) {
      throw new ShapeError(
        `cosineEmbeddingLoss(): expected inputs of one dimension more than the target's 0 or 1: ` +
          [input1, input2, target].map((x) => show(x.shape)).join(", "),
      );
    }
    return scope(() => {
      const dot = input1.mul(input2).sum(-1);
      const squares1 = input1.mul(input1).sum(-1).add(COSINE_EPSILON);
      const squares2 = input2.mul(input2).sum(-1).add(COSINE_EPSILON);
      const cosine = dot.div(squares1.mul(squares2).sqrt());
      const near = cosine.neg().add(1).mul(target.eq(1));
      const far = cosine.sub(margin).clampMin(0).mul(target.eq(-1));
      return reduceLoss(near.add(far), reduction);
    });
  },
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

/** The parameters of {@linkcode tripletMarginLoss} behind the anchor. */
export class TripletMarginLossArgs extends LossArgs {
  constructor(
    /** What is to be near the anchor. */
    public positive: Tensor,
    /** What is to be farther from it, by the margin. */
    public negative: Tensor,
    /** The margin. */
    public margin = 1,
    /** The exponent of the distance. */
    public p = 2,
    /** Added to differences. */
    public eps = 1e-6,
    /** Whether the negative is compared with the nearer of anchor and positive. */
    public swap = false,
    ...reduction: ReductionList
  ) {
    super(...reduction);
  }
}

/**
 * `max(0, d(anchor, positive) - d(anchor, negative) + margin)`.
 *
 * @throws {ShapeError} if the three differ in number of dimensions
 * @see http://www.bmva.org/bmvc/2016/papers/paper119/index.html
 */
export const tripletMarginLoss: Fn<typeof TripletMarginLossArgs> = fn(
  { name: "tripletMarginLoss", autocast: "float32", roundsOnce: true },
  TripletMarginLossArgs,
  (anchor, o) => {
    const { positive, negative, margin, p, eps, swap } = o;
    checkTensors("tripletMarginLoss", { positive, negative });
    if (!(margin > 0)) {
      throw new ArgumentError(`tripletMarginLoss(): margin must be greater than 0: ${describe(margin)}`);
    }
    const reduction = reductionOf("tripletMarginLoss", o);
    if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim) {
      throw new ShapeError(
        "tripletMarginLoss(): the three must have as many dimensions: " +
          [anchor, positive, negative].map((x) => show(x.shape)).join(", "),
      );
    }
    return scope(() =>
      triplet((a, b) => pairwiseDistance(a, b, p, eps), [anchor, positive, negative], margin, swap, reduction)
    );
  },
);

/** The parameters of {@linkcode tripletMarginWithDistanceLoss} behind the anchor. */
export class TripletMarginWithDistanceLossArgs {
  /** The distance of two batches of vectors; `null`: {@linkcode pairwiseDistance}. */
  distanceFunction: ((a: Tensor, b: Tensor) => Tensor) | null = null;
  /** The margin. */
  margin = 1;
  /** Whether the negative is compared with the nearer of anchor and positive. */
  swap = false;
  /** How the examples' losses become the result. */
  reduction: Reduction = "mean";
  constructor(
    /** What is to be near the anchor. */
    public positive: Tensor,
    /** What is to be farther from it, by the margin. */
    public negative: Tensor,
  ) {}
}

/** {@linkcode tripletMarginLoss} with any distance. */
export const tripletMarginWithDistanceLoss: Fn<typeof TripletMarginWithDistanceLossArgs> = fn(
  "tripletMarginWithDistanceLoss",
  TripletMarginWithDistanceLossArgs,
  (anchor, o) => {
    const { positive, negative, margin, swap, distanceFunction } = o;
    const op = "tripletMarginWithDistanceLoss";
    checkTensors(op, { positive, negative });
    if (!(margin > 0)) throw new ArgumentError(`${op}(): margin must be greater than 0: ${describe(margin)}`);
    const reduction = reductionOf(op, o);
    if (distanceFunction !== null) checkFunction(op, "distanceFunction", distanceFunction);
    const distance = distanceFunction ?? ((a: Tensor, b: Tensor) => pairwiseDistance(a, b));
    return scope(() => triplet(distance, [anchor, positive, negative], margin, swap, reduction));
  },
);
