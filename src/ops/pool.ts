/**
 * Pooling: the largest or the mean value of windows, of given or adaptive size; functions only, as in PyTorch.
 *
 * One function per kind and number of dimensions, each a line over the shared ones; windows and kernels are in
 * `pool_core.ts`.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import { widestFloat } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  adaptivePooling,
  checkPoolInput,
  evenPooling,
  gridOf,
  maxPooling,
  meanPooling,
  type Pooling,
  product,
  scaleTensor,
  type Size,
  type WindowOptions,
} from "./pool_core.ts";

/** The parameters of {@linkcode maxPool2d} and its relatives. */
export interface MaxPoolArgs extends WindowOptions {
  /** Whether to give `[output, indices]`. @default {false} */
  returnIndices?: boolean;
}

/** The positional parameters of max pooling. */
export type MaxPoolPositional = ["kernelSize", "stride", "padding", "dilation", "ceilMode", "returnIndices"];
const MAX_POOL = ["kernelSize", "stride", "padding", "dilation", "ceilMode", "returnIndices"] as const;
const maxPoolArgs = [1, 2, 3].map((n) => signature<MaxPoolArgs>(`maxPool${n}d`, MAX_POOL, [], 1));

/** Arguments that ask for values only. */
export type MaxPoolValues = Args<Omit<MaxPoolArgs, "returnIndices"> & { returnIndices?: false }, MaxPoolPositional>;
/** Arguments that ask for indices too. */
export type MaxPoolBoth = Args<Omit<MaxPoolArgs, "returnIndices"> & { returnIndices: true }, MaxPoolPositional>;
/** Arguments of the forms that always give indices. */
export type MaxPoolPlain = Args<WindowOptions, ["kernelSize", "stride", "padding", "dilation", "ceilMode"]>;

function maxPool(n: number, input: Tensor, args: readonly unknown[], both: boolean | null): Tensor | [Tensor, Tensor] {
  if (autocasting.active && n === 3) return autocasted({ cpu: "float32" }, maxPool, n, input, args, both);
  const op = `maxPool${n}d`;
  const o = maxPoolArgs[n - 1](args);
  const grid = gridOf(op, n, o);
  checkPoolInput(op, n, input);
  const pooling = evenPooling(op, input.shape.slice(input.ndim - n), grid, o.ceilMode ?? false);
  const result = maxPooling(op, input, pooling);
  if (both ?? o.returnIndices) return result;
  if (!result[0].requiresGrad) result[1].dispose();
  return result[0];
}

/**
 * The largest value of each window over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, C, L']`.
 *
 * @param input any real dtype but bool
 * @param args `kernelSize`, `stride`, `padding`, `dilation`, `ceilMode`, `returnIndices`
 */
export function maxPool1d(input: Tensor, ...args: MaxPoolValues): Tensor;
/** The values and their indices. */
export function maxPool1d(input: Tensor, ...args: MaxPoolBoth): [Tensor, Tensor];
export function maxPool1d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return maxPool(1, input, args, null);
}

/**
 * The largest value of each window over two dimensions.
 *
 * NaN wins; among equal values the first one gives the index, which counts in the input's plane.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, C, H', W']`.
 *
 * @param input any real dtype but bool
 * @param args `kernelSize`, `stride`, `padding`, `dilation`, `ceilMode`, `returnIndices`
 * @throws {ArgumentError} if the padding is more than half of the window
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.arange(16).reshape(1, 1, 4, 4).float();
 * assertEquals(await torch.nn.functional.maxPool2d(x, 2).tolist(), [[[[5, 7], [13, 15]]]]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
 */
export function maxPool2d(input: Tensor, ...args: MaxPoolValues): Tensor;
/** The values and their indices. */
export function maxPool2d(input: Tensor, ...args: MaxPoolBoth): [Tensor, Tensor];
export function maxPool2d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return maxPool(2, input, args, null);
}

/**
 * The largest value of each window over three dimensions.
 *
 * @param input any real dtype but bool
 * @param args `kernelSize`, `stride`, `padding`, `dilation`, `ceilMode`, `returnIndices`
 */
export function maxPool3d(input: Tensor, ...args: MaxPoolValues): Tensor;
/** The values and their indices. */
export function maxPool3d(input: Tensor, ...args: MaxPoolBoth): [Tensor, Tensor];
export function maxPool3d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return maxPool(3, input, args, null);
}

/** {@linkcode maxPool1d} with indices. */
export function maxPool1dWithIndices(input: Tensor, ...args: MaxPoolPlain): [Tensor, Tensor] {
  return maxPool(1, input, args, true) as [Tensor, Tensor];
}

/** {@linkcode maxPool2d} with indices. */
export function maxPool2dWithIndices(input: Tensor, ...args: MaxPoolPlain): [Tensor, Tensor] {
  return maxPool(2, input, args, true) as [Tensor, Tensor];
}

/** {@linkcode maxPool3d} with indices. */
export function maxPool3dWithIndices(input: Tensor, ...args: MaxPoolPlain): [Tensor, Tensor] {
  return maxPool(3, input, args, true) as [Tensor, Tensor];
}

// ---------------------------------------------------------------- adaptive maxima

/** Sizes of an adaptive pooling's output; `null` keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

/** The parameters of {@linkcode adaptiveAvgPool2d}, its relatives and their layers. */
export class AdaptivePoolArgs {
  constructor(
    /** Sizes of the output, for all dimensions or per dimension; `null` keeps the input's. */
    public outputSize: OutputSize,
  ) {}
}

/** The parameters of {@linkcode adaptiveMaxPool2d}, its relatives and their layers. */
export class AdaptiveMaxPoolArgs {
  constructor(
    /** Sizes of the output, for all dimensions or per dimension; `null` keeps the input's. */
    public outputSize: OutputSize,
    /** Whether to give `[output, indices]`. */
    public returnIndices = false,
  ) {}
}

/** The parameters of {@linkcode adaptiveMaxPool2d} and its relatives. */
export interface AdaptiveMaxPoolOptions {
  /** Spatial sizes of the output. */
  outputSize: OutputSize;
  /** Whether to give `[output, indices]`. @default {false} */
  returnIndices?: boolean;
}

/** The positional parameters of adaptive max pooling. */
export type AdaptivePositional = ["outputSize", "returnIndices"];
/** Arguments that ask for values only. */
export type AdaptiveValues = Args<{ outputSize: OutputSize; returnIndices?: false }, AdaptivePositional>;
/** Arguments that ask for indices too. */
export type AdaptiveBoth = Args<{ outputSize: OutputSize; returnIndices: true }, AdaptivePositional>;
/** Arguments of adaptive poolings with one result form. */
export type AdaptivePlain = Args<{ outputSize: OutputSize }, ["outputSize"]>;
const adaptiveMaxArgs = [1, 2, 3].map((n) =>
  signature<AdaptiveMaxPoolOptions>(`adaptiveMaxPool${n}d`, ["outputSize", "returnIndices"], [], 1)
);

function adaptiveMaxPool(
  n: number,
  input: Tensor,
  args: readonly unknown[],
  both: boolean | null,
): Tensor | [Tensor, Tensor] {
  if (autocasting.active && n === 3) return autocasted({ cpu: "float32" }, adaptiveMaxPool, n, input, args, both);
  const op = `adaptiveMaxPool${n}d`;
  const { outputSize, returnIndices } = adaptiveMaxArgs[n - 1](args);
  checkPoolInput(op, n, input);
  const pooling = adaptivePooling(op, n, input.shape.slice(input.ndim - n), outputSize);
  const result = maxPooling(op, input, pooling);
  if (both ?? returnIndices) return result;
  if (!result[0].requiresGrad) result[1].dispose();
  return result[0];
}

/** The largest value of each of `outputSize` windows over one dimension; see {@linkcode adaptiveMaxPool2d}. */
export function adaptiveMaxPool1d(input: Tensor, ...args: AdaptiveValues): Tensor;
/** The values and their indices. */
export function adaptiveMaxPool1d(input: Tensor, ...args: AdaptiveBoth): [Tensor, Tensor];
export function adaptiveMaxPool1d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return adaptiveMaxPool(1, input, args, null);
}

/**
 * The largest value of each window, the windows dividing the plane so that the output has a given size.
 *
 * @param input `[N, C, H, W]` or `[C, H, W]`
 * @param args `outputSize`, `returnIndices`
 */
export function adaptiveMaxPool2d(input: Tensor, ...args: AdaptiveValues): Tensor;
/** The values and their indices. */
export function adaptiveMaxPool2d(input: Tensor, ...args: AdaptiveBoth): [Tensor, Tensor];
export function adaptiveMaxPool2d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return adaptiveMaxPool(2, input, args, null);
}

/** The largest value of each of `outputSize` windows over three dimensions; see {@linkcode adaptiveMaxPool2d}. */
export function adaptiveMaxPool3d(input: Tensor, ...args: AdaptiveValues): Tensor;
/** The values and their indices. */
export function adaptiveMaxPool3d(input: Tensor, ...args: AdaptiveBoth): [Tensor, Tensor];
export function adaptiveMaxPool3d(input: Tensor, ...args: readonly unknown[]): Tensor | [Tensor, Tensor] {
  return adaptiveMaxPool(3, input, args, null);
}

/** {@linkcode adaptiveMaxPool1d} with indices. */
export function adaptiveMaxPool1dWithIndices(input: Tensor, ...args: AdaptivePlain): [Tensor, Tensor] {
  return adaptiveMaxPool(1, input, args, true) as [Tensor, Tensor];
}

/** {@linkcode adaptiveMaxPool2d} with indices. */
export function adaptiveMaxPool2dWithIndices(input: Tensor, ...args: AdaptivePlain): [Tensor, Tensor] {
  return adaptiveMaxPool(2, input, args, true) as [Tensor, Tensor];
}

/** {@linkcode adaptiveMaxPool3d} with indices. */
export function adaptiveMaxPool3dWithIndices(input: Tensor, ...args: AdaptivePlain): [Tensor, Tensor] {
  return adaptiveMaxPool(3, input, args, true) as [Tensor, Tensor];
}

// ---------------------------------------------------------------- means

/** The parameters of {@linkcode avgPool1d} and its layer. */
export class AvgPool1dArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Zeros on both sides. */
    public padding: Size = 0,
    /** Whether a window that starts inside but ends outside counts. */
    public ceilMode = false,
    /** Whether the zeros of the padding count in the mean's divisor. */
    public countIncludePad = true,
  ) {}
}

/** The parameters of {@linkcode avgPool2d}, {@linkcode avgPool3d} and their layers. */
export class AvgPoolArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Zeros on both sides. */
    public padding: Size = 0,
    /** Whether a window that starts inside but ends outside counts. */
    public ceilMode = false,
    /** Whether the zeros of the padding count in the mean's divisor. */
    public countIncludePad = true,
    /** What sums are divided by; `null`: the window's size. */
    public divisorOverride: number | null = null,
  ) {}
}

/** The parameters of {@linkcode avgPool1d}. */
export interface AvgPool1dOptions extends Omit<WindowOptions, "dilation"> {
  /** Whether padding counts in the mean's divisor. @default {true} */
  countIncludePad?: boolean;
}

/** The parameters of {@linkcode avgPool2d} and {@linkcode avgPool3d}. */
export interface AvgPoolOptions extends AvgPool1dOptions {
  /** The divisor, instead of the window's size. */
  divisorOverride?: number | null;
}

/** The positional parameters of {@linkcode avgPool1d}. */
export type AvgPool1dPositional = ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad"];
/** The positional parameters of {@linkcode avgPool2d} and {@linkcode avgPool3d}. */
export type AvgPoolPositional = [...AvgPool1dPositional, "divisorOverride"];
const AVG_POOL = ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad"] as const;
const avgPoolArgs = [
  signature<AvgPoolOptions>("avgPool1d", AVG_POOL, [], 1),
  signature<AvgPoolOptions>("avgPool2d", [...AVG_POOL, "divisorOverride"], [], 1),
  signature<AvgPoolOptions>("avgPool3d", [...AVG_POOL, "divisorOverride"], [], 1),
];

function avgPool(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  const op = `avgPool${n}d`;
  const o = avgPoolArgs[n - 1](args);
  const grid = gridOf(op, n, o);
  if (o.divisorOverride === 0) throw new ArgumentError(`${op}(): divisorOverride must not be zero: 0`);
  checkPoolInput(op, n, input);
  const sizes = input.shape.slice(input.ndim - n);
  const pooling = evenPooling(op, sizes, grid, o.ceilMode ?? false);
  const { starts, ends } = pooling.windows;
  const counts = starts.map((list, d) =>
    list.map((start, i) => {
      if (o.divisorOverride) return d === 0 ? o.divisorOverride : 1;
      const padding = grid.padding[d], whole = o.countIncludePad ?? true;
      return whole
        ? Math.min(ends[d][i], sizes[d] + padding) - start
        : Math.min(ends[d][i], sizes[d]) - Math.max(start, 0);
    })
  );
  return means(op, input, pooling, counts);
}

/** Means of any numeric dtype; integers are summed exactly and divided towards zero. */
function means(op: string, x: Tensor, pooling: Pooling, counts: readonly (readonly number[])[]): Tensor {
  return scope(() => {
    if (x.dtype.isFloatingPoint) {
      return meanPooling(op, x, pooling, scaleTensor(x, pooling.out, counts));
    }
    const wide = x.to(widestFloat(x));
    const ones = pooling.out.map((s) => new Array<number>(s).fill(1));
    const sums = meanPooling(op, wide, pooling, scaleTensor(wide, pooling.out, ones));
    return sums.div(scaleTensor(wide, pooling.out, counts).reciprocal().round()).trunc().to(x.dtype);
  });
}

/**
 * The mean of each window over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, C, L']`.
 *
 * @param input any numeric dtype
 * @param args `kernelSize`, `stride`, `padding`, `ceilMode`, `countIncludePad`
 */
export function avgPool1d(input: Tensor, ...args: Args<AvgPool1dOptions, AvgPool1dPositional>): Tensor {
  return avgPool(1, input, args);
}

/**
 * The mean of each window over two dimensions.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, C, H', W']`.
 *
 * @param input any numeric dtype
 * @param args `kernelSize`, `stride`, `padding`, `ceilMode`, `countIncludePad`, `divisorOverride`
 * @throws {ArgumentError} if the padding is more than half of the window
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
 */
export function avgPool2d(input: Tensor, ...args: Args<AvgPoolOptions, AvgPoolPositional>): Tensor {
  return avgPool(2, input, args);
}

/**
 * The mean of each window over three dimensions.
 *
 * @param input any numeric dtype
 * @param args `kernelSize`, `stride`, `padding`, `ceilMode`, `countIncludePad`, `divisorOverride`
 */
export function avgPool3d(input: Tensor, ...args: Args<AvgPoolOptions, AvgPoolPositional>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, avgPool3d, input, ...args);
  return avgPool(3, input, args);
}

const adaptiveAvgArgs = [1, 2, 3].map((n) =>
  signature<{ outputSize: OutputSize }>(`adaptiveAvgPool${n}d`, ["outputSize"], [], 1)
);

function adaptiveAvgPool(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  const op = `adaptiveAvgPool${n}d`;
  const { outputSize } = adaptiveAvgArgs[n - 1](args);
  checkPoolInput(op, n, input);
  const pooling = adaptivePooling(op, n, input.shape.slice(input.ndim - n), outputSize);
  const { starts, ends } = pooling.windows;
  return means(op, input, pooling, starts.map((list, d) => list.map((s, i) => ends[d][i] - s)));
}

/** The mean of each of `outputSize` windows over one dimension; see {@linkcode adaptiveAvgPool2d}. */
export function adaptiveAvgPool1d(input: Tensor, ...args: AdaptivePlain): Tensor {
  return adaptiveAvgPool(1, input, args);
}

/**
 * The mean of each window, the windows dividing the plane so that the output has a given size.
 *
 * @param input `[N, C, H, W]` or `[C, H, W]`
 * @param args `outputSize`: a size, or one per dimension; `null` keeps the input's
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
 */
export function adaptiveAvgPool2d(input: Tensor, ...args: AdaptivePlain): Tensor {
  return adaptiveAvgPool(2, input, args);
}

/** The mean of each of `outputSize` windows over three dimensions; see {@linkcode adaptiveAvgPool2d}. */
export function adaptiveAvgPool3d(input: Tensor, ...args: AdaptivePlain): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, adaptiveAvgPool3d, input, ...args);
  return adaptiveAvgPool(3, input, args);
}

// ---------------------------------------------------------------- p-norms

/** The parameters of {@linkcode lpPool2d}, its relatives and their layers. */
export class LpPoolArgs {
  constructor(
    /** The exponent p. */
    public normType: number,
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Whether a window that starts inside but ends outside counts. */
    public ceilMode = false,
  ) {}
}

/** The parameters of {@linkcode lpPool2d} and its relatives. */
export interface LpPoolOptions {
  /** The exponent. */
  normType: number;
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Whether a window that ends outside counts. @default {false} */
  ceilMode?: boolean;
}

/** The positional parameters of p-norm pooling. */
export type LpPositional = ["normType", "kernelSize", "stride", "ceilMode"];
const lpPoolArgs = [1, 2, 3].map((n) =>
  signature<LpPoolOptions>(`lpPool${n}d`, ["normType", "kernelSize", "stride", "ceilMode"], [], 2)
);

function lpPool(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  const { normType, ...window } = lpPoolArgs[n - 1](args);
  const count = product(gridOf(`lpPool${n}d`, n, window).kernel);
  return scope(() => {
    const mean = avgPool(n, input.pow(normType), [{ ...window }]);
    return mean.sign().mul(mean.abs().relu()).mul(count).pow(1 / normType);
  });
}

/** The p-norm of each window over one dimension: `(Σ x^p)^(1/p)`. */
export function lpPool1d(input: Tensor, ...args: Args<LpPoolOptions, LpPositional>): Tensor {
  return lpPool(1, input, args);
}

/** The p-norm of each window over two dimensions: `(Σ x^p)^(1/p)`. */
export function lpPool2d(input: Tensor, ...args: Args<LpPoolOptions, LpPositional>): Tensor {
  return lpPool(2, input, args);
}

/** The p-norm of each window over three dimensions: `(Σ x^p)^(1/p)`. */
export function lpPool3d(input: Tensor, ...args: Args<LpPoolOptions, LpPositional>): Tensor {
  return lpPool(3, input, args);
}
