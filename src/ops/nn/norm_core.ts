/**
 * What the normalisations of `norm.ts` share: statistics of groups of elements, the map that uses them, its gradient.
 *
 * Memory traffic decides the speed here. So the tensor is read once per pass: forward takes three passes (mean, variance,
 * result), backward two (both sums of a group in one reduction, then the gradient), and whatever is constant within a
 * group is computed per group, not per element. A backward pass that is recorded itself is composed of `expression`s. A
 * backend may do with fewer passes, see `norm_fused.ts`.
 *
 * @module
 */

import { record, recording } from "../../autograd/record.ts";
import { withGrad } from "../../autograd/mode.ts";
import type { NormGroups } from "../../backend/backend.ts";
import { numelOf, sameShape } from "../../base/shape.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { expression } from "../core/expression.ts";
import { formula } from "../core/formula.ts";
import { fused } from "../core/fused.ts";
import { checkOperands } from "../core/kernel.ts";
import { fusedMoments, fusedNorm, fusedNormGrad, statDtype } from "./norm_fused.ts";
import { mapReduceMany } from "../core/reduce_core.ts";

const scaledSum = expression("mean", ([x], [scale]) => x!.mul(scale));
const scaledSquares = expression("variance", ([x, mean], [scale]) => {
  const d = x!.sub(mean!);
  return d.mul(d).mul(scale);
});
const reciprocalRoot = expression("rstd", ([variance], [eps]) => variance!.add(eps).rsqrt());

/** A normalised tensor by given statistics, in one map. */
export const normalized = expression("normalize", ([x, mean, variance, weight, bias], [eps]) => {
  const unit = x!.sub(mean!).mul(variance!.add(eps).rsqrt());
  const scaled = weight ? unit.mul(weight) : unit;
  return bias ? scaled.add(bias) : scaled;
});
/** A normalised tensor by its mean and its reciprocal standard deviation, 1 / √(variance + eps), in one map. */
const scaledUnit = expression("normalize", ([x, mean, rstd, weight, bias]) => {
  const unit = x!.sub(mean!).mul(rstd!);
  const scaled = weight ? unit.mul(weight) : unit;
  return bias ? scaled.add(bias) : scaled;
});
/** {@linkcode scaledUnit} where the weight is constant within a group, so that the product of the factors is too. */
const scaledGroup = expression("normalize", ([x, mean, rstd, weight, bias]) => {
  const scaled = x!.sub(mean!).mul(rstd!.mul(weight!));
  return bias ? scaled.add(bias) : scaled;
});

/** A normalised tensor with the statistics that were used. */
export interface Normalized {
  /** The result. */
  readonly out: Tensor;
  /** The mean of each group. */
  readonly mean: Tensor;
  /** The variance of each group, not corrected; `null` if it was not asked for. */
  readonly variance: Tensor | null;
}

/** What {@linkcode normalizeOver} takes besides the tensor. */
export interface Normalization {
  /** The name of the node in the graph. */
  readonly node: string;
  /** The shape of mean and variance, as many dimensions as the tensor: 1 in the dimensions that are normalised over. */
  readonly statShape: readonly number[];
  /** A factor that broadcasts to the tensor, as many dimensions. */
  readonly weight: Tensor | null;
  /** Added at the end, likewise. */
  readonly bias: Tensor | null;
  /** Added to the variance. */
  readonly eps: number;
  /** The same as `statShape` and the parameters' shapes, for kernels over dense memory. */
  readonly groups: NormGroups;
  /** Whether the variances are wanted. @default {false} */
  readonly variance?: boolean;
}

/** Subtracts the mean and multiplies by the reciprocal standard deviation (rstd), over the dimensions in which `statShape` has size 1 and `x` has not. */
export function normalizeOver(x: Tensor, o: Normalization): Normalized {
  const { node, statShape, weight, bias, eps, groups } = o;
  checkOperands(node, [x, ...(weight ? [weight] : []), ...(bias ? [bias] : [])]);
  const scale = numelOf(statShape) / x.numel();
  const fused = fusedNorm(node, x, { weight, bias, eps, statShape, centred: true, variance: !!o.variance, groups });
  const [out, mean, rstd, variance] = fused
    ? [fused.out, fused.mean!, fused.rstd, fused.variance] as const
    : withGrad(false, () => {
      const [m, d, v] = fusedMoments(node, x, statShape, eps, groups) ?? composedMoments(x, statShape, scale, eps);
      const apply = weight && sameShape(weight.shape, statShape) ? scaledGroup : scaledUnit;
      return [apply([x, m, d, weight, bias], [], { dtype: x.dtype }), m, d, v] as const;
    });
  const saved = weight === null ? [x, mean, rstd] : [x, mean, rstd, weight];
  const biasShape = bias?.shape ?? null, biasDtype = bias?.dtype;
  record(node, out, [x, weight, bias], saved, (grad, [x, mean, rstd, weight = null], needs) => {
    const b = { grad, x, mean, rstd, weight, eps, scale, biasShape, needs, groups };
    // Saved statistics have no history, so a backward that is recorded itself goes another way.
    const [gradX, gradWeight, gradBias] = recording([grad, x, weight]) ? recordedGradients(b) : gradients(node, b);
    return [
      gradX && gradX.to(x.dtype),
      gradWeight && gradWeight.to(weight!.dtype),
      gradBias && gradBias.to(biasDtype!),
    ];
  });
  return { out, mean, variance };
}

function composedMoments(
  x: Tensor,
  shape: readonly number[],
  scale: number,
  eps: number,
): [mean: Tensor, rstd: Tensor, variance: Tensor] {
  const [mean, variance] = statistics(x, shape, scale);
  return [mean, reciprocalRoot([variance], [eps], { dtype: variance.dtype }), variance];
}

function statistics(x: Tensor, shape: readonly number[], scale: number): [mean: Tensor, variance: Tensor] {
  const dtype = statDtype(x.dtype);
  const mean = scaledSum([x], [scale], { sumTo: shape, dtype });
  return [mean, scaledSquares([x, mean], [scale], { sumTo: shape, dtype })];
}

/** What the gradient of a normalisation is computed from. */
interface Backward {
  readonly grad: Tensor;
  readonly x: Tensor;
  readonly mean: Tensor;
  /** 1 / √(variance + eps). */
  readonly rstd: Tensor;
  readonly weight: Tensor | null;
  readonly eps: number;
  /** 1 / size of a group. */
  readonly scale: number;
  readonly biasShape: readonly number[] | null;
  readonly needs: readonly boolean[];
  readonly groups: NormGroups;
}

/** Gradients by input, weight and bias. */
type Gradients = [gradX: Tensor | null, gradWeight: Tensor | null, gradBias: Tensor | null];

/** With a = rstd (times a group's weight): a, what multiplies `x - mean`, and what is subtracted. */
const coefficients = fused("normalizeBackward", ([rstd, total, product, weight], [scale]) => {
  const a = weight ? rstd.mul(weight) : rstd;
  return [a, a.mul(rstd).mul(rstd).mul(product).mul(scale), a.mul(total).mul(scale)];
});
const combined = expression("normalizeBackward", ([g, x, mean, weight, a, b, c]) => {
  const weighted = weight ? g!.mul(weight) : g!;
  return weighted.mul(a!).sub(x!.sub(mean!).mul(b!)).sub(c!);
});

function gradients(node: string, b: Backward): Gradients {
  const all = fusedNormGrad(node, b);
  if (all !== null) return all;
  const { mean, weight, needs } = b;
  const grouped = weight === null || sameShape(weight.shape, mean.shape);
  if (grouped || !needs[0]) return composedGradients(b, grouped);
  // Perhaps the kernel takes the gradient by the input alone.
  const [gradX] = fusedNormGrad(node, { ...b, needs: [true, false, false] }) ?? [null];
  if (gradX === null) return composedGradients(b, grouped);
  const [, ...others] = composedGradients({ ...b, needs: [false, needs[1], needs[2]] }, grouped);
  return [gradX, ...others];
}

const groupSums = formula(([g, x, mean, ...weights]) => {
  const weighted = weights.length > 0 ? g.mul(weights[0]) : g;
  return [weighted, weighted.mul(x.sub(mean))];
});

const unitSums = formula(([g, x, mean, rstd]) => [g, g.mul(x.sub(mean)).mul(rstd)]);

function composedGradients(b: Backward, grouped: boolean): Gradients {
  const { grad, x, mean, rstd, weight, needs } = b;
  const { shape, dtype } = mean;
  const inner = reducedDims(x.shape, shape);
  let gradX: Tensor | null = null, gradWeight: Tensor | null = null, gradBias: Tensor | null = null;
  if (needs[0] || grouped) {
    // Where the weight is constant within a group it is applied to the sums, and they serve weight and bias as well.
    const [total, product] = mapReduceMany(
      "normalizeBackward",
      groupSums,
      2,
      "sum",
      grouped ? [grad, x, mean] : [grad, x, mean, weight!],
      dtype,
      inner,
    );
    if (grouped && needs[1]) gradWeight = product.mul(rstd);
    if (grouped && needs[2] && b.biasShape && sameShape(b.biasShape, shape)) gradBias = total;
    if (needs[0]) {
      const [f, p, c] = [0, 1, 2].map(() => emptyLikeDevice("normalizeBackward", shape, dtype, mean));
      const factors = grouped && weight ? [rstd, total, product, weight] : [rstd, total, product];
      coefficients(factors, [b.scale], [f, p, c]);
      gradX = combined([grad, x, mean, grouped ? null : weight, f, p, c], [], { dtype: x.dtype });
    }
  }
  if (!grouped && needs[1]) {
    const outer = reducedDims(x.shape, weight!.shape);
    [gradBias, gradWeight] = mapReduceMany(
      "normalizeBackward",
      unitSums,
      2,
      "sum",
      [grad, x, mean, rstd],
      dtype,
      outer,
    );
  }
  if (needs[2] && gradBias === null) gradBias = sumGrads([grad, null], [], { sumTo: b.biasShape!, dtype });
  return [gradX, gradWeight, needs[2] ? gradBias : null];
}

/** The dimensions in which `target` has size 1 and `shape` has not. */
function reducedDims(shape: readonly number[], target: readonly number[]): number[] {
  const dims: number[] = [];
  for (let d = 0; d < shape.length; d++) if (target[d] === 1 && shape[d] !== 1) dims.push(d);
  return dims;
}

// ---------------------------------------------------------------- a backward pass that is recorded

/** Σ of gradients (times the weight). */
const sumGrads = expression("sum", ([g, weight]) => weight ? g!.mul(weight) : g!);
/** Σ of gradients (times the weight) times normalised values. */
const sumGradsTimesUnit = expression("sum", ([g, x, mean, variance, weight], [eps]) => {
  const product = g!.mul(x!.sub(mean!)).mul(variance!.add(eps).rsqrt());
  return weight ? product.mul(weight) : product;
});
/** The gradient by the input, given both sums over a group (of the weighted gradients) and 1 / size. */
const gradInput = expression("normalizeBackward", ([g, x, mean, variance, weight, total, product], [eps, scale]) => {
  const rstd = variance!.add(eps).rsqrt();
  const unit = x!.sub(mean!).mul(rstd);
  const weighted = weight ? g!.mul(weight) : g!;
  return weighted.sub(total!.mul(scale)).sub(unit.mul(product!).mul(scale)).mul(rstd);
});

function recordedGradients({ grad, x, weight, eps, scale, biasShape, needs, ...b }: Backward): Gradients {
  const [mean, variance] = statistics(x, b.mean.shape, scale);
  const { shape, dtype } = mean;
  const unitSum = (factor: Tensor | null, sumTo: readonly number[]) =>
    sumGradsTimesUnit([grad, x, mean, variance, factor], [eps], { sumTo, dtype });
  const total = sumGrads([grad, weight], [], { sumTo: shape, dtype });
  return [
    needs[0]
      ? gradInput([grad, x, mean, variance, weight, total, unitSum(weight, shape)], [eps, scale], { dtype: x.dtype })
      : null,
    needs[1] ? unitSum(null, weight!.shape) : null,
    needs[2] ? sumGrads([grad, null], [], { sumTo: biasShape!, dtype }) : null,
  ];
}

// ---------------------------------------------------------------- root mean square

const meanSquares = expression("meanSquare", ([x], [scale]) => x!.mul(x!).mul(scale));
const rmsScaled = expression("rmsNorm", ([x, squares, weight], [eps]) => {
  const unit = x!.mul(squares!.add(eps).rsqrt());
  return weight ? unit.mul(weight) : unit;
});
/** Σ of gradients (times the weight) times the input. */
const sumGradsTimesInput = expression("sum", ([g, x, weight]) => {
  const product = g!.mul(x!);
  return weight ? product.mul(weight) : product;
});
const sumGradsTimesScaled = expression("sum", ([g, x, squares], [eps]) => g!.mul(x!).mul(squares!.add(eps).rsqrt()));
const rmsGradInput = expression("rmsNormBackward", ([g, x, squares, weight, product], [eps, scale]) => {
  const rstd = squares!.add(eps).rsqrt();
  const weighted = weight ? g!.mul(weight) : g!;
  return weighted.sub(x!.mul(product!).mul(scale).mul(rstd).mul(rstd)).mul(rstd);
});

/** Divides by the root of the mean square over the dimensions in which `statShape` has size 1: `x / √(mean(x²) + eps) · weight`. */
export function rmsOver(
  x: Tensor,
  statShape: readonly number[],
  weight: Tensor | null,
  eps: number,
  groups: NormGroups,
): Tensor {
  checkOperands("rmsNorm", weight ? [x, weight] : [x]);
  const scale = numelOf(statShape) / x.numel(), dtype = statDtype(x.dtype);
  const fused = fusedNorm("rmsNorm", x, {
    weight,
    bias: null,
    eps,
    statShape,
    centred: false,
    variance: false,
    groups,
  });
  if (fused === null) {
    const squares = meanSquares([x], [scale], { sumTo: statShape, dtype });
    return rmsScaled([x, squares, weight], [eps], { dtype: x.dtype });
  }
  const saved = weight === null ? [x, fused.rstd] : [x, fused.rstd, weight];
  const node = "FusedRmsNormBackward0";
  return record(node, fused.out, [x, weight], saved, (grad, [x, rstd, weight = null], needs) => {
    if (!recording([grad, x, weight])) {
      const o = { grad, x, weight, mean: null, rstd, groups, biasShape: null, needs: [needs[0], needs[1], false] };
      const done = fusedNormGrad("rmsNorm", o);
      if (done !== null) return [done[0], done[1]];
    }
    const squares = meanSquares([x], [scale], { sumTo: statShape, dtype });
    const product = needs[0] ? sumGradsTimesInput([grad, x, weight], [], { sumTo: statShape, dtype }) : null;
    return [
      product && rmsGradInput([grad, x, squares, weight, product], [eps, scale], { dtype: x.dtype }),
      needs[1] ? sumGradsTimesScaled([grad, x, squares], [eps], { sumTo: weight!.shape, dtype: weight!.dtype }) : null,
    ];
  });
}
