/**
 * What the normalisations of `norm.ts` share: statistics of groups of elements, the map that uses them, its gradient.
 *
 * Memory traffic decides the speed here. So the tensor is read once per pass: forward takes three passes (mean, variance,
 * result), backward two (both sums of a group in one reduction, then the gradient), and whatever is constant within a
 * group is computed per group, not per element. A backward pass that is recorded itself is composed of `expression`s.
 *
 * @module
 */

import { record, recording } from "../autograd/record.ts";
import { noGrad } from "../autograd/mode.ts";
import { type DType, float32 } from "../base/dtype.ts";
import { numelOf, sameShape } from "../base/shape.ts";
import { emptyLikeDevice } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { expression } from "./expression.ts";
import { fused } from "./fused.ts";
import { checkOperands } from "./kernel.ts";
import { mapReduceMany } from "./reduce_core.ts";

const scaledSum = expression("mean", ([x], [scale]) => x!.mul(scale));
const scaledSquares = expression("variance", ([x, mean], [scale]) => {
  const d = x!.sub(mean!);
  return d.mul(d).mul(scale);
});
const reciprocalRoot = expression("deviation", ([variance], [eps]) => variance!.add(eps).rsqrt());

/** A normalised tensor by given statistics, in one map. */
export const normalized = expression("normalize", ([x, mean, variance, weight, bias], [eps]) => {
  const unit = x!.sub(mean!).mul(variance!.add(eps).rsqrt());
  const scaled = weight ? unit.mul(weight) : unit;
  return bias ? scaled.add(bias) : scaled;
});
/** The same by 1 / √variance. */
const scaledUnit = expression("normalize", ([x, mean, deviation, weight, bias]) => {
  const unit = x!.sub(mean!).mul(deviation!);
  const scaled = weight ? unit.mul(weight) : unit;
  return bias ? scaled.add(bias) : scaled;
});
/** The same where the weight is constant within a group, so that the product of the factors is too. */
const scaledGroup = expression("normalize", ([x, mean, deviation, weight, bias]) => {
  const scaled = x!.sub(mean!).mul(deviation!.mul(weight!));
  return bias ? scaled.add(bias) : scaled;
});

/** Dtype of statistics: half precision is too coarse for sums. */
export function statDtype(dtype: DType): DType {
  return dtype.itemsize < 4 ? float32 : dtype;
}

/** A normalised tensor with the statistics that were used. */
export interface Normalized {
  /** The result. */
  readonly out: Tensor;
  /** The mean of each group. */
  readonly mean: Tensor;
  /** The variance of each group, not corrected. */
  readonly variance: Tensor;
}

/**
 * Normalises over the dimensions in which `statShape` has size 1 and `x` has not.
 *
 * @param statShape the shape of mean and variance, as many dimensions as `x`
 * @param weight a factor that broadcasts to `x`, as many dimensions as `x`
 * @param bias added at the end, likewise
 */
export function normalizeOver(
  node: string,
  x: Tensor,
  statShape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Normalized {
  checkOperands(node, [x, ...(weight ? [weight] : []), ...(bias ? [bias] : [])]);
  const scale = numelOf(statShape) / x.numel();
  const [out, mean, deviation, variance] = noGrad(() => {
    const [m, v] = statistics(x, statShape, scale);
    const d = reciprocalRoot([v], [eps], { dtype: v.dtype });
    const apply = weight && sameShape(weight.shape, statShape) ? scaledGroup : scaledUnit;
    return [apply([x, m, d, weight, bias], [], { dtype: x.dtype }), m, d, v];
  });
  const saved = weight === null ? [x, mean, deviation] : [x, mean, deviation, weight];
  const biasShape = bias?.shape ?? null;
  record(node, out, [x, weight, bias], saved, (grad, [x, mean, deviation, weight = null], needs) => {
    const b = { grad, x, mean, deviation, weight, eps, scale, biasShape, needs };
    // Saved statistics have no history, so a backward that is recorded itself goes another way.
    const [gradX, gradWeight, gradBias] = recording([grad, x, weight]) ? recordedGradients(b) : gradients(b);
    return [
      gradX && gradX.to(x.dtype),
      gradWeight && gradWeight.to(weight!.dtype),
      gradBias && gradBias.to(grad.dtype),
    ];
  });
  return { out, mean, variance };
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
  readonly deviation: Tensor;
  readonly weight: Tensor | null;
  readonly eps: number;
  /** 1 / size of a group. */
  readonly scale: number;
  readonly biasShape: readonly number[] | null;
  readonly needs: readonly boolean[];
}

/** Gradients by input, weight and bias. */
type Gradients = [gradX: Tensor | null, gradWeight: Tensor | null, gradBias: Tensor | null];

/** With a = deviation (times a group's weight): a, what multiplies `x - mean`, and what is subtracted. */
const coefficients = fused("normalizeBackward", ([deviation, total, product, weight], [scale]) => {
  const a = weight ? deviation.mul(weight) : deviation;
  return [a, a.mul(deviation).mul(deviation).mul(product).mul(scale), a.mul(total).mul(scale)];
});
const combined = expression("normalizeBackward", ([g, x, mean, weight, a, b, c]) => {
  const weighted = weight ? g!.mul(weight) : g!;
  return weighted.mul(a!).sub(x!.sub(mean!).mul(b!)).sub(c!);
});

function gradients(b: Backward): Gradients {
  const { grad, x, mean, deviation, weight, needs } = b;
  const { shape, dtype } = mean;
  const grouped = weight === null || sameShape(weight.shape, shape);
  const inner = reducedDims(x.shape, shape);
  let gradX: Tensor | null = null, gradWeight: Tensor | null = null, gradBias: Tensor | null = null;
  if (needs[0] || grouped) {
    // Where the weight is constant within a group it is applied to the sums, and they serve weight and bias as well.
    const [total, product] = mapReduceMany(
      "normalizeBackward",
      grouped ? "group sums" : "weighted group sums",
      "sum",
      grouped ? [grad, x, mean] : [grad, x, mean, weight],
      dtype,
      inner,
      (g, x, mean, ...weights) => {
        const weighted = weights.length > 0 ? g.mul(weights[0]) : g;
        return [weighted, weighted.mul(x.sub(mean))];
      },
    );
    if (grouped && needs[1]) gradWeight = product.mul(deviation);
    if (grouped && needs[2] && b.biasShape && sameShape(b.biasShape, shape)) gradBias = total;
    if (needs[0]) {
      const [f, p, c] = [0, 1, 2].map(() => emptyLikeDevice("normalizeBackward", shape, dtype, mean));
      const factors = grouped && weight ? [deviation, total, product, weight] : [deviation, total, product];
      coefficients(factors, [b.scale], [f, p, c]);
      gradX = combined([grad, x, mean, grouped ? null : weight, f, p, c], [], { dtype: x.dtype });
    }
  }
  if (!grouped && needs[1]) {
    const outer = reducedDims(x.shape, weight.shape);
    [gradBias, gradWeight] = mapReduceMany(
      "normalizeBackward",
      "unit sums",
      "sum",
      [grad, x, mean, deviation],
      dtype,
      outer,
      (g, x, mean, deviation) => [g, g.mul(x.sub(mean)).mul(deviation)],
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
  const deviation = variance!.add(eps).rsqrt();
  const unit = x!.sub(mean!).mul(deviation);
  const weighted = weight ? g!.mul(weight) : g!;
  return weighted.sub(total!.mul(scale)).sub(unit.mul(product!).mul(scale)).mul(deviation);
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
