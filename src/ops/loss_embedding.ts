/**
 * Distances between vectors and the losses made of them.
 *
 * @module
 */

import { type Fn, fn } from "./op.ts";
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

/** The parameters of {@linkcode cosineSimilarity}. */
export class CosineSimilarityArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC x2 */
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
 * @param x2 vectors; the two broadcast
 */
export const cosineSimilarity: Fn<typeof CosineSimilarityArgs> = fn(
  { name: "cosineSimilarity", autocast: { gpu: "float32" } },
  CosineSimilarityArgs,
  (x1, { x2, dim, eps }) => {
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
  },
);

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

/** The parameters of {@linkcode pairwiseDistance}. */
export class PairwiseDistanceArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC x2 */
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
 * @param x2 vectors; the two broadcast
 */
export const pairwiseDistance: Fn<typeof PairwiseDistanceArgs> = fn(
  "pairwiseDistance",
  PairwiseDistanceArgs,
  (x1, { x2, p, eps, keepdim }) => {
    checkTensors("pairwiseDistance", { x1, x2 });
    return scope(() => x1.sub(x2).add(eps).norm(p, -1, keepdim));
  },
);

/** The parameters of {@linkcode normalize}. */
export class NormalizeArgs {
  /** Parameters that may go by position. */
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
export const normalize: Fn<typeof NormalizeArgs> = fn("normalize", NormalizeArgs, (input, { p, dim, eps, out }) => {
  checkTensors("normalize", { input });
  const result = scope(() => {
    const length = input.norm(p, typeof dim === "number" ? dim : [...dim], true).clampMin(eps);
    return input.div(length.expand(input.shape));
  });
  return out ? out.copy_(result) : result;
});

/** Options of losses with a margin. */
export interface EmbeddingLossOptions extends LegacyReduction {
  /** The margin. */
  margin?: number;
  /** How the examples' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}

// Added to the squares, as in PyTorch.
const COSINE_EPSILON = 1e-12;

/** The parameters of {@linkcode cosineEmbeddingLoss}. */
export class CosineEmbeddingLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC input2 */
    public input2: Tensor,
    /** DOC target */
    public target: Tensor,
    /** The margin. */
    public margin: number | null = null,
    /** How the examples' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1.
 *
 * @param input1 `(N, D)` or `(D)`
 * @param input2 of the same shape
 * @param target `(N)` or a 0-d tensor
 * @throws {ShapeError} if the shapes do not fit
 */
export const cosineEmbeddingLoss: Fn<typeof CosineEmbeddingLossArgs> = fn(
  { name: "cosineEmbeddingLoss", autocast: "float32" },
  CosineEmbeddingLossArgs,
  (input1, o) => {
    const { input2, target } = o;
    checkTensors("cosineEmbeddingLoss", { input1, input2, target });
    const reduction = reductionOf("cosineEmbeddingLoss", o);
    if (target.ndim > 1 || input1.ndim !== target.ndim + 1 || input2.ndim !== target.ndim + 1) {
      throw new ShapeError(
        `cosineEmbeddingLoss(): expected inputs of one dimension more than the target's 0 or 1: ${
          show(input1.shape)
        }, ` +
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
  },
);

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

/** The parameters of {@linkcode tripletMarginLoss}. */
export class TripletMarginLossArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC positive */
    public positive: Tensor,
    /** DOC negative */
    public negative: Tensor,
    /** The margin. */
    public margin: number | null = null,
    /** The exponent of the distance. */
    public p: number | null = null,
    /** Added to differences. */
    public eps: number | null = null,
    /** Whether the negative is compared with the nearer of anchor and positive. */
    public swap: boolean | null = null,
    /** How the examples' losses become the result. */
    public reduction: Reduction | null = null,
  ) {}
}

/**
 * `max(0, d(anchor, positive) - d(anchor, negative) + margin)`.
 *
 * @throws {ShapeError} if the three differ in number of dimensions
 * @see http://www.bmva.org/bmvc/2016/papers/paper119/index.html
 */
export const tripletMarginLoss: Fn<typeof TripletMarginLossArgs> = fn(
  { name: "tripletMarginLoss", autocast: "float32" },
  TripletMarginLossArgs,
  (anchor, o) => {
    const { positive, negative } = o;
    checkTensors("tripletMarginLoss", { anchor, positive, negative });
    const { margin = 1, p = 2, eps = 1e-6, swap = false } = o;
    if (!(margin > 0)) throw new ArgumentError(`tripletMarginLoss(): margin must be greater than 0: ${margin}`);
    const reduction = reductionOf("tripletMarginLoss", o);
    if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim) {
      throw new ShapeError(
        `tripletMarginLoss(): the three must have as many dimensions: ${show(anchor.shape)}, ${
          show(positive.shape)
        }, ` +
          show(negative.shape),
      );
    }
    return scope(() =>
      triplet((a, b) => pairwiseDistance(a, b, p, eps), [anchor, positive, negative], margin, swap, reduction)
    );
  },
);

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

/** The parameters of {@linkcode tripletMarginWithDistanceLoss}. */
export class TripletMarginWithDistanceLossArgs {
  /** The distance of two batches of vectors; `pairwiseDistance` if missing. */
  distanceFunction: ((a: Tensor, b: Tensor) => Tensor) | null = null;
  /** The margin. */
  margin: number | null = null;
  /** Whether the negative is compared with the nearer of anchor and positive. */
  swap: boolean | null = null;
  /** How the examples' losses become the result. */
  reduction: Reduction | null = null;
  /** Parameters that may go by position. */
  constructor(
    /** DOC positive */
    public positive: Tensor,
    /** DOC negative */
    public negative: Tensor,
  ) {}
}

/** {@linkcode tripletMarginLoss} with any distance. */
export const tripletMarginWithDistanceLoss: Fn<typeof TripletMarginWithDistanceLossArgs> = fn(
  "tripletMarginWithDistanceLoss",
  TripletMarginWithDistanceLossArgs,
  (anchor, o) => {
    const { positive, negative } = o;
    const { margin = 1, swap = false } = o;
    const op = "tripletMarginWithDistanceLoss";
    checkTensors(op, { anchor, positive, negative });
    if (!(margin > 0)) throw new ArgumentError(`${op}(): margin must be greater than 0: ${margin}`);
    const reduction = reductionOf(op, o);
    const distance = o.distanceFunction ?? ((a: Tensor, b: Tensor) => pairwiseDistance(a, b));
    return scope(() => triplet(distance, [anchor, positive, negative], margin, swap, reduction));
  },
);
