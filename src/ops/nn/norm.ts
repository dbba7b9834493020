/**
 * Normalisations: batch, layer, group, instance, root mean square, local response.
 *
 * All but the last are one function: subtract the mean and multiply by the reciprocal standard deviation (rstd) over some dimensions, then scale
 * and shift. Its gradient is written by hand, two sums and one map, because the derivative through mean and variance
 * would pass over the data several times more.
 *
 * @module
 */

import { checkCount, checkIntegers } from "../../base/checks.ts";
import { type Fn, fn } from "../core/op.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { prefersChannelsLast } from "../../base/layout.ts";
import { finfo } from "../../base/limits.ts";
import { numelOf, sameShape } from "../../base/shape.ts";
import { withGrad } from "../../autograd/mode.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { fused } from "../core/fused.ts";
import { pad } from "../shape/pad.ts";
import { type Normalized, normalized, normalizeOver, rmsOver } from "./norm_core.ts";
import { rowGroups } from "./norm_fused.ts";

/** A vector of channels shaped to broadcast along dimension `dim` of `ndim`. */
function alongDim(v: Tensor | null, dim: number, ndim: number): Tensor | null {
  return v ? v.reshape(Array.from({ length: ndim }, (_, d) => d === dim ? v.numel() : 1)) : null;
}

function checkFloating(op: string, x: Tensor): void {
  if (!x.dtype.isFloatingPoint) throw new ArgumentError(`${op}(): expected a floating tensor: ${x.dtype}`);
}

// ---------------------------------------------------------------- layer and RMS norm

/** The parameters of {@linkcode layerNorm}. */
export class LayerNormArgs {
  constructor(
    /** The sizes of the last dimensions, over which is normalised. */
    public normalizedShape: number | readonly number[],
    /** A factor per element of those. */
    public weight: Tensor | null = null,
    /** Added per element of those. */
    public bias: Tensor | null = null,
    /** Added to the variance. */
    public eps = 1e-5,
  ) {}
}

function checkNormalizedShape(
  op: string,
  x: Tensor,
  normalizedShape: number | readonly number[],
  parameters: Readonly<Record<string, Tensor | null>>,
): number[] {
  const given: unknown = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  checkIntegers(op, "normalizedShape", given);
  const shape = [...given];
  if (shape.length === 0) throw new ShapeError(`${op}(): normalizedShape must have at least one dimension: []`);
  for (const [name, p] of Object.entries(parameters)) {
    if (p === null) continue;
    checkTensor(op, name, p);
    if (!sameShape(p.shape, shape)) {
      throw new ShapeError(
        `${op}(): weight and bias must be of the normalized shape: ${show(p.shape)} != ${show(shape)}`,
      );
    }
  }
  if (x.ndim < shape.length || !sameShape(x.shape.slice(x.ndim - shape.length), shape)) {
    throw new ShapeError(
      `${op}(): given normalizedShape=${show(shape)}, expected input with shape [*, ${shape.join(", ")}], ` +
        `but got input of size ${show(x.shape)}`,
    );
  }
  return shape;
}

function leadOnes(v: Tensor | null, ndim: number): Tensor | null {
  return v && v.ndim < ndim ? v.reshape([...Array.from({ length: ndim - v.ndim }, () => 1), ...v.shape]) : v;
}

/**
 * `(x - mean) / √(var + eps) · weight + bias` over the last dimensions.
 *
 * @throws {ShapeError} if the input does not end in `normalizedShape`
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const out = layerNorm(torch.tensor([[1, 2, 3]]), 3);
 * assertAlmostEquals((await out.tolist<number[][]>())[0][2], Math.sqrt(1.5), 1e-4);
 * ```
 *
 * @see https://arxiv.org/abs/1607.06450
 */
export const layerNorm: Fn<typeof LayerNormArgs> = fn(
  { name: "layerNorm", autocast: { gpu: "float32" } },
  LayerNormArgs,
  (input, { normalizedShape, weight, bias, eps }) => {
    checkFloating("layerNorm", input);
    const shape = checkNormalizedShape("layerNorm", input, normalizedShape, { weight, bias });
    const lead = input.ndim - shape.length;
    const statShape = input.shape.map((size, d) => d < lead ? size : 1);
    return scope(() => {
      return normalizeOver(input, {
        node: "NativeLayerNormBackward0",
        statShape,
        weight: leadOnes(weight, input.ndim),
        bias: leadOnes(bias, input.ndim),
        eps,
        groups: rowGroups(input, numelOf(shape)),
      }).out;
    });
  },
);

/** The parameters of {@linkcode rmsNorm}. */
export class RmsNormArgs {
  constructor(
    /** The sizes of the last dimensions, over which is normalised. */
    public normalizedShape: number | readonly number[],
    /** A factor per element of those. */
    public weight: Tensor | null = null,
    /** Added to the mean square; the dtype's epsilon if missing. */
    public eps: number | null = null,
  ) {}
}

/**
 * `x / √(mean(x²) + eps) · weight` over the last dimensions.
 *
 * @throws {ShapeError} if the input does not end in `normalizedShape`
 * @see https://arxiv.org/abs/1910.07467
 */
export const rmsNorm: Fn<typeof RmsNormArgs> = fn(
  { name: "rmsNorm", autocast: { gpu: "float32" } },
  RmsNormArgs,
  (input, o) => {
    const { weight } = o;
    const shape = checkNormalizedShape("rmsNorm", input, o.normalizedShape, { weight });
    if (input.dtype.isComplex) return complexRmsNorm(input, shape, weight, o.eps ?? 2 ** -23);
    checkFloating("rmsNorm", input);
    const eps = o.eps ?? finfo(input.dtype).eps;
    const lead = input.ndim - shape.length;
    const statShape = input.shape.map((size, d) => d < lead ? size : 1);
    return scope(() => rmsOver(input, statShape, leadOnes(weight, input.ndim), eps, rowGroups(input, numelOf(shape))));
  },
);

function complexRmsNorm(x: Tensor, shape: readonly number[], weight: Tensor | null, eps: number): Tensor {
  return scope(() => {
    const dims = shape.map((_, i) => x.ndim - shape.length + i);
    const unit = x.mul(x.mul(x).mean(dims, true).add(eps).rsqrt());
    return weight ? unit.mul(weight) : unit;
  });
}

// ---------------------------------------------------------------- group norm

/** The parameters of {@linkcode groupNorm}. */
export class GroupNormArgs {
  constructor(
    /** Into how many groups the channels are split. */
    public numGroups: number,
    /** A factor per channel. */
    public weight: Tensor | null = null,
    /** Added per channel. */
    public bias: Tensor | null = null,
    /** Added to the variance. */
    public eps = 1e-5,
  ) {}
}

/**
 * Normalises each example over groups of channels.
 *
 * Shape: `(N, C, *)`, C divisible by `numGroups`.
 *
 * @throws {ShapeError} if the channels cannot be split so, or the parameters do not fit
 * @see https://arxiv.org/abs/1803.08494
 */
export const groupNorm: Fn<typeof GroupNormArgs> = fn(
  { name: "groupNorm", autocast: { gpu: "float32" } },
  GroupNormArgs,
  (input, { numGroups, weight, bias, eps }) => {
    checkFloating("groupNorm", input);
    if (input.ndim < 2) throw new ShapeError(`groupNorm(): expected at least 2 dimensions: ${show(input.shape)}`);
    const [n, channels] = input.shape;
    if (!(Number.isInteger(numGroups) && numGroups > 0) || channels % numGroups !== 0) {
      throw new ShapeError(
        `groupNorm(): expected number of channels in input to be divisible by numGroups: ${
          show(input.shape)
        }, ${numGroups}`,
      );
    }
    for (const [name, p] of Object.entries({ weight, bias })) {
      if (p === null) continue;
      checkTensor("groupNorm", name, p);
      if (p.ndim !== 1 || p.numel() !== channels) {
        throw new ShapeError(
          `groupNorm(): weight and bias must be vectors of ${channels} channels: ${show(p.shape)}`,
        );
      }
    }
    const perGroup = channels / numGroups;
    return scope(() => {
      const x = input.reshape(n, numGroups, perGroup, input.numel() === 0 ? 0 : input.numel() / (n * channels));
      const vector = (v: Tensor | null) => v && v.reshape(1, numGroups, perGroup, 1);
      const out = normalizeOver(x, {
        node: "NativeGroupNormBackward0",
        statShape: [n, numGroups, 1, 1],
        weight: vector(weight),
        bias: vector(bias),
        eps,
        groups: { groups: n * numGroups, run: perGroup * x.shape[3], factors: channels, factorRun: x.shape[3] },
      }).out.reshape(input.shape);
      if (!prefersChannelsLast(input)) return out;
      return out.contiguous({ memoryFormat: input.ndim === 4 ? "channels_last" : "channels_last_3d" });
    });
  },
);

// ---------------------------------------------------------------- batch and instance norm

/** The parameters of {@linkcode batchNorm}. */
export class BatchNormArgs {
  constructor(
    /** The running means, updated in place in training. */
    public runningMean: Tensor | null,
    /** The running variances, updated in place in training. */
    public runningVar: Tensor | null,
    /** A factor per channel. */
    public weight: Tensor | null = null,
    /** Added per channel. */
    public bias: Tensor | null = null,
    /** Whether the batch's own statistics are used. */
    public training = false,
    /** Share of the batch in the running statistics. */
    public momentum = 0.1,
    /** Added to the variance. */
    public eps = 1e-5,
  ) {}
}

const runningUpdate = fused("batchNorm", ([running, batch], [keep, share]) => [
  running.mul(keep).add(batch.mul(share)),
]);

/** Moves running statistics towards those of a batch of `count` values per channel. */
function updateRunning(
  running: readonly [mean: Tensor | null, variance: Tensor | null],
  batch: Normalized,
  count: number,
  momentum: number,
): void {
  // A batch of nothing leaves the statistics as they are.
  if (count === 0) return;
  const [mean, variance] = running;
  const unbiased = count / (count - 1);
  withGrad(false, () => {
    if (mean) runningUpdate([mean, batch.mean.reshape(mean.shape)], [1 - momentum, momentum], [mean]);
    if (variance) {
      runningUpdate([variance, batch.variance!.reshape(variance.shape)], [1 - momentum, momentum * unbiased], [
        variance,
      ]);
    }
  });
}

function checkChannels(
  op: string,
  channels: number,
  vectors: Readonly<Record<string, Tensor | null>>,
): void {
  for (const [name, v] of Object.entries(vectors)) {
    if (v === null) continue;
    checkTensor(op, name, v);
    if (v.numel() !== channels) {
      throw new ShapeError(`${op}(): ${name} should contain ${channels} elements: ${show(v.shape)}`);
    }
  }
}

/**
 * Normalises each channel, over the batch in training and by the running statistics otherwise.
 *
 * Shape: `(N, C, *)`.
 *
 * @throws {ShapeError} if a vector does not have one value per channel, or a channel has a single value in training
 * @see https://arxiv.org/abs/1502.03167
 */
export const batchNorm: Fn<typeof BatchNormArgs> = fn("batchNorm", BatchNormArgs, (input, o) => {
  const { runningMean, runningVar, weight, bias, training, momentum, eps } = o;
  checkFloating("batchNorm", input);
  // PyTorch takes an empty vector for an empty batch.
  if (input.ndim === 1 && input.shape[0] === 0) return scope(() => input.clone());
  if (input.ndim < 2) throw new ShapeError(`batchNorm(): expected at least 2 dimensions: ${show(input.shape)}`);
  const channels = input.shape[1];
  checkChannels("batchNorm", channels, { runningMean, runningVar, weight, bias });
  const vector = (v: Tensor | null) => alongDim(v, 1, input.ndim);
  if (!training) {
    if (!runningMean || !runningVar) {
      throw new ArgumentError("batchNorm(): running statistics are needed when not training");
    }
    const [mean, variance] = [runningMean.detach(), runningVar.detach()];
    return scope(() =>
      normalized([input, vector(mean), vector(variance), vector(weight), vector(bias)], [eps], { dtype: input.dtype })
    );
  }
  const count = channels === 0 ? 0 : input.numel() / channels;
  if (count === 1) {
    throw new ShapeError(
      `batchNorm(): expected more than 1 value per channel when training, got input size ${show(input.shape)}`,
    );
  }
  const statShape = input.shape.map((size, d) => d === 1 ? size : 1);
  return scope(() => {
    const run = channels === 0 ? 0 : count / input.shape[0];
    const result = normalizeOver(input, {
      node: "NativeBatchNormBackward0",
      statShape,
      weight: vector(weight),
      bias: vector(bias),
      eps,
      groups: { groups: channels, run, factors: channels, factorRun: run },
      variance: runningVar !== null,
    });
    updateRunning([runningMean, runningVar], result, count, momentum);
    return result.out;
  });
});

/** The parameters of {@linkcode instanceNorm}. */
export class InstanceNormArgs {
  constructor(
    /** The running means, updated in place while the input's statistics are used. */
    public runningMean: Tensor | null = null,
    /** The running variances, likewise. */
    public runningVar: Tensor | null = null,
    /** A factor per channel. */
    public weight: Tensor | null = null,
    /** Added per channel. */
    public bias: Tensor | null = null,
    /** Whether the input's own statistics are used. */
    public useInputStats = true,
    /** Share of the batch in the running statistics. */
    public momentum = 0.1,
    /** Added to the variance. */
    public eps = 1e-5,
  ) {}
}

/**
 * Normalises each channel of each example.
 *
 * Shape: `(N, C, *)`.
 *
 * @throws {ShapeError} if a vector does not have one value per channel, or a channel has a single value
 * @see https://arxiv.org/abs/1607.08022
 */
export const instanceNorm: Fn<typeof InstanceNormArgs> = fn("instanceNorm", InstanceNormArgs, (input, o) => {
  const { runningMean, runningVar, weight, bias, useInputStats, momentum, eps } = o;
  if (!useInputStats) return batchNorm(input, runningMean, runningVar, weight, bias, false, momentum, eps);
  checkFloating("instanceNorm", input);
  if (input.ndim < 2) throw new ShapeError(`instanceNorm(): expected at least 2 dimensions: ${show(input.shape)}`);
  const [n, channels] = input.shape;
  checkChannels("instanceNorm", channels, { runningMean, runningVar, weight, bias });
  const count = input.numel() / Math.max(n * channels, 1);
  if (count === 1) {
    throw new ShapeError(
      `instanceNorm(): expected more than 1 spatial element when training, got input size ${show(input.shape)}`,
    );
  }
  const statShape = input.shape.map((size, d) => d < 2 ? size : 1);
  return scope(() => {
    const result = normalizeOver(input, {
      node: "NativeBatchNormBackward0",
      statShape,
      weight: alongDim(weight, 1, input.ndim),
      bias: alongDim(bias, 1, input.ndim),
      eps,
      groups: { groups: n * channels, run: count, factors: channels, factorRun: count },
      variance: runningVar !== null,
    });
    if (runningMean || runningVar) {
      const overBatch = (t: Tensor) => withGrad(false, () => t.reshape(n, channels).mean(0));
      const { out, mean, variance } = result;
      const batch = { out, mean: overBatch(mean), variance: variance && overBatch(variance) };
      updateRunning([runningMean, runningVar], batch, count, momentum);
    }
    return result.out;
  });
});

// ---------------------------------------------------------------- local response norm

/** The parameters of {@linkcode localResponseNorm} and its layer. */
export class LocalResponseNormArgs {
  constructor(
    /** How many neighbouring channels are looked at. */
    public size: number,
    /** Factor of their mean square. */
    public alpha = 1e-4,
    /** Exponent. */
    public beta = 0.75,
    /** Added before the exponent. */
    public k = 1,
  ) {}
}

/**
 * `x / (k + alpha · mean(x²))^beta`, the mean being over neighbouring channels.
 *
 * Shape: `(N, C, *)`.
 *
 * @throws {ShapeError} if the input has fewer than 3 dimensions
 */
export const localResponseNorm: Fn<typeof LocalResponseNormArgs> = fn(
  { name: "localResponseNorm", roundsOnce: true },
  LocalResponseNormArgs,
  (input, { size, alpha, beta, k }) => {
    if (input.ndim < 3) {
      throw new ShapeError(`localResponseNorm(): expected 3 or more dimensions: ${show(input.shape)}`);
    }
    checkCount("localResponseNorm", "size", size, 1);
    return scope(() => {
      if (input.numel() === 0) return input.clone();
      const flat = input.mul(input).flatten(2); // (N, C, rest)
      const padded = pad(flat, [0, 0, Math.floor(size / 2), Math.floor((size - 1) / 2)]);
      const total = padded.unfold(1, size, 1).sum(-1).reshape(input.shape);
      const mean = input.dtype.isFloatingPoint ? total.div(size) : total.div(size, { roundingMode: "trunc" });
      return input.div(mean.mul(alpha).add(k).pow(beta));
    });
  },
);
