/**
 * Normalisations by a backend's own kernels, where it has some: one call per direction instead of several passes.
 *
 * What they compute is what `norm_core.ts` composes of expressions, which runs wherever these functions give `null`: on a
 * backend without such kernels, for dtypes or layouts that they do not take, and in a backward pass that is recorded itself.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import type { NormGroups } from "../../backend/backend.ts";
import { type DType, float32 } from "../../base/dtype.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Dtype of statistics: half precision is too coarse for sums. */
export function statDtype(dtype: DType): DType {
  return dtype.itemsize < 4 ? float32 : dtype;
}

/** Groups that are the rows of a tensor, each `length` elements, with a factor per column. */
export function rowGroups(x: Tensor, length: number): NormGroups {
  return { groups: x.numel() / length, run: length, factors: length, factorRun: 1 };
}

/** Whether groups are rows, and there are any. Planes that are not row-major keep their layout: they are composed. */
function areRows(x: Tensor, { groups, run, factorRun }: NormGroups): boolean {
  return x.numel() > 0 && groups * run === x.numel() && (x.dense || factorRun === 1);
}

/** A tensor normalised by a backend's kernel. */
export interface FusedNorm {
  /** The result. */
  readonly out: Tensor;
  /** The mean of each group, `null` if none was subtracted. */
  readonly mean: Tensor | null;
  /** 1 / √(variance + eps) of each group. */
  readonly rstd: Tensor;
  /** The variances, where they were asked for. */
  readonly variance: Tensor | null;
}

/** What {@linkcode fusedNorm} takes. */
export interface FusedNormOptions {
  /** Factors, in any shape of as many elements as `groups.factors`. */
  readonly weight: Tensor | null;
  /** Added at the end, likewise. */
  readonly bias: Tensor | null;
  /** Added to the variance. */
  readonly eps: number;
  /** The shape of the statistics. */
  readonly statShape: readonly number[];
  /** Whether the mean is subtracted. */
  readonly centred: boolean;
  /** Whether the variances are wanted. */
  readonly variance: boolean;
  /** How the groups lie in the tensor. */
  readonly groups: NormGroups;
}

/** Normalises by the backend's kernel; nothing is recorded. `null` where there is none. */
export function fusedNorm(op: string, x: Tensor, o: FusedNormOptions): FusedNorm | null {
  const { backend } = x.storage;
  if (!backend.norm || !areRows(x, o.groups)) return null;
  const { weight, bias } = o;
  if (weight && bias && weight.dtype !== bias.dtype) return null;
  for (const t of [weight, bias]) if (t && !t.dtype.isFloatingPoint) return null;
  return unrecorded(() => {
    const dtype = statDtype(x.dtype);
    const stat = () => emptyLikeDevice(op, o.statShape, dtype, x);
    const out = emptyLikeDevice(op, x.shape, x.dtype, x);
    const mean = o.centred ? stat() : null, rstd = stat(), variance = o.variance ? stat() : null;
    const [dense, w, b] = [x.contiguous(), weight && weight.contiguous(), bias && bias.contiguous()];
    if (backend.norm!(dense, w, b, out, { mean, rstd }, variance, o.eps, o.groups)) {
      return { out, mean, rstd, variance };
    }
    for (const t of [out, mean, rstd, variance]) t?.dispose();
    return null;
  });
}

/** Means, reciprocal standard deviations and variances of groups by the backend's kernel; nothing is recorded. `null` where there is none. */
export function fusedMoments(
  op: string,
  x: Tensor,
  statShape: readonly number[],
  eps: number,
  groups: NormGroups,
): [mean: Tensor, rstd: Tensor, variance: Tensor] | null {
  const { backend } = x.storage;
  // Channels last is row-major memory of which the channels are columns, where these are the groups.
  const perChannel = statShape.every((size, d) => size === (d === 1 ? x.shape[1] : 1));
  const last = !x.dense && x.ndim > 2 && perChannel
    ? x.permute(0, ...Array.from({ length: x.ndim - 2 }, (_, d) => d + 2), 1)
    : x;
  if (!backend.moments || x.numel() === 0 || !last.dense) return null;
  return unrecorded(() => {
    const [mean, rstd, variance] = [0, 1, 2].map(() => emptyLikeDevice(op, statShape, statDtype(x.dtype), x));
    const lie = last === x ? groups : { ...groups, run: 1, factorRun: 1 };
    if (backend.moments!(last, mean, rstd, variance, eps, lie)) return [mean, rstd, variance];
    for (const t of [mean, rstd, variance]) t.dispose();
    return null;
  });
}

/** What {@linkcode fusedNormGrad} takes. */
export interface FusedNormGradOptions {
  /** The gradient of the result. */
  readonly grad: Tensor;
  /** What was normalised. */
  readonly x: Tensor;
  /** The factors, if any. */
  readonly weight: Tensor | null;
  /** The statistics used. */
  readonly mean: Tensor | null;
  /** The statistics used. */
  readonly rstd: Tensor;
  /** How the groups lie in the tensor. */
  readonly groups: NormGroups;
  /** The shape of the bias, if any. */
  readonly biasShape: readonly number[] | null;
  /** Which of the gradients by input, weight and bias are wanted. */
  readonly needs: readonly boolean[];
}

/**
 * The gradients by input, weight and bias by the backend's kernel, `null` where one is not wanted; nothing is recorded.
 * `null` where there is no kernel.
 */
export function fusedNormGrad(
  op: string,
  o: FusedNormGradOptions,
): [Tensor | null, Tensor | null, Tensor | null] | null {
  const { grad, x, weight, biasShape, needs } = o;
  const { backend } = x.storage;
  const { groups, run, factors, factorRun } = o.groups;
  if (!backend.normGrad || !areRows(x, o.groups) || grad.dtype !== x.dtype) return null;
  // Other factors' gradients are sums over parts of groups, which the kernels do not form.
  const byColumn = factorRun === 1 && factors === run, byGroup = factors === groups && factorRun === run;
  if ((needs[1] || needs[2]) && !byColumn && !byGroup) return null;
  return unrecorded(() => {
    const gradX = needs[0] ? emptyLikeDevice(op, x.shape, x.dtype, x) : null;
    const dtype = weight?.dtype ?? x.dtype;
    const gradWeight = needs[1] ? emptyLikeDevice(op, weight!.shape, dtype, x) : null;
    const gradBias = needs[2] ? emptyLikeDevice(op, biasShape!, dtype, x) : null;
    const [g, dense, w] = [grad.contiguous(), x.contiguous(), weight && weight.contiguous()];
    if (
      backend.normGrad!(g, dense, w, { mean: o.mean, rstd: o.rstd }, gradX, gradWeight, gradBias, o.groups)
    ) {
      return [gradX, gradWeight, gradBias];
    }
    for (const t of [gradX, gradWeight, gradBias]) t?.dispose();
    return null;
  });
}
