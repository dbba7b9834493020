/**
 * Pooling: the largest or the mean value of windows, of given or adaptive size; functions only, as in PyTorch.
 *
 * One function per kind and number of dimensions, each a line over the shared ones; windows and kernels are in
 * `pool_core.ts`.
 *
 * @module
 */

import type { Args, Named, Params } from "../../base/call.ts";
import { ArgumentError } from "../../base/errors.ts";
import { widestFloat } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
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
import { type Fn, fn, type OpSpec } from "../core/op.ts";

/** The parameters of {@linkcode maxPool2d} and its relatives. */
export class MaxPoolArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Elements outside on both sides, which never win. */
    public padding: Size = 0,
    /** Step between the window's taps. */
    public dilation: Size = 1,
    /** Whether a window that starts inside but ends outside counts. */
    public ceilMode = false,
    /** Whether to give `[output, indices]`. */
    public returnIndices = false,
  ) {}
}

/** Names of arguments that ask for indices. */
export type Indexed<C extends Params> = Named<InstanceType<C>> & { readonly returnIndices: true };

/** `C` where no indices are asked for. */
export type Valued<C extends Params> = new (
  ...args: ConstructorParameters<C>
) => Omit<InstanceType<C>, "returnIndices"> & { readonly returnIndices: false };

/** Arguments of a max pooling that ask for indices. */
export type MaxPoolIndexed =
  | [named: Indexed<typeof MaxPoolArgs>]
  | [kernelSize: Size, named: Indexed<typeof MaxPoolArgs>]
  | [kernelSize: Size, stride: Size | null, named: Indexed<typeof MaxPoolArgs>]
  | [kernelSize: Size, stride: Size | null, padding: Size, named: Indexed<typeof MaxPoolArgs>]
  | [kernelSize: Size, stride: Size | null, padding: Size, dilation: Size, named: Indexed<typeof MaxPoolArgs>]
  | [kernelSize: Size, stride: Size | null, padding: Size, dilation: Size, ceilMode: boolean, returnIndices: true];

/** A max pooling. */
export interface MaxPoolFn {
  /** The values and their indices. */
  (input: Tensor, ...args: MaxPoolIndexed): [Tensor, Tensor];
  /** The values. */
  (input: Tensor, ...args: Args<Valued<typeof MaxPoolArgs>>): Tensor;
}

/** What autocast does to poolings that the CPU has for float32 only: those over three dimensions. */
function specOf(name: string, n: number): OpSpec {
  return n === 3 ? { name, autocast: { cpu: "float32" } } : { name };
}

function maxPool(op: string, n: number, input: Tensor, o: Readonly<MaxPoolArgs>): [Tensor, Tensor] {
  const grid = gridOf(op, n, o);
  checkPoolInput(op, n, input);
  return maxPooling(op, input, evenPooling(op, input.shape.slice(input.ndim - n), grid, o.ceilMode));
}

/** The values alone where indices are not asked for; then only backward needs those. */
function valuesOrBoth(result: [Tensor, Tensor], returnIndices: boolean): Tensor | [Tensor, Tensor] {
  if (returnIndices) return result;
  if (!result[0].requiresGrad) result[1].dispose();
  return result[0];
}

function maxPoolOf(n: number): MaxPoolFn {
  const op = `maxPool${n}d`;
  return fn<typeof MaxPoolArgs, Tensor | [Tensor, Tensor]>(
    specOf(op, n),
    MaxPoolArgs,
    (input, o) => valuesOrBoth(maxPool(op, n, input, o), o.returnIndices),
  ) as MaxPoolFn;
}

function maxPoolWithIndicesOf(n: number): Fn<typeof MaxPoolArgs, [Tensor, Tensor]> {
  const op = `maxPool${n}dWithIndices`;
  return fn(specOf(op, n), MaxPoolArgs, (input, o) => maxPool(op, n, input, o));
}

/**
 * The largest value of each window over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, C, L']`. DType: any real one but bool.
 */
export const maxPool1d: MaxPoolFn = maxPoolOf(1);

/**
 * The largest value of each window over two dimensions.
 *
 * NaN wins; among equal values the first one gives the index, which counts in the input's plane.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, C, H', W']`. DType: any real one but bool.
 *
 * @throws {ArgumentError} if the padding is more than half of the window
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.arange(16).reshape(1, 1, 4, 4).float();
 * assertEquals(await torch.nn.functional.maxPool2d(x, 2).tolist(), [[[[5, 7], [13, 15]]]]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
 */
export const maxPool2d: MaxPoolFn = maxPoolOf(2);

/** The largest value of each window over three dimensions. DType: any real one but bool. */
export const maxPool3d: MaxPoolFn = maxPoolOf(3);

/** {@linkcode maxPool1d} with indices. */
export const maxPool1dWithIndices: Fn<typeof MaxPoolArgs, [Tensor, Tensor]> = maxPoolWithIndicesOf(1);
/** {@linkcode maxPool2d} with indices. */
export const maxPool2dWithIndices: Fn<typeof MaxPoolArgs, [Tensor, Tensor]> = maxPoolWithIndicesOf(2);
/** {@linkcode maxPool3d} with indices. */
export const maxPool3dWithIndices: Fn<typeof MaxPoolArgs, [Tensor, Tensor]> = maxPoolWithIndicesOf(3);

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

/** An adaptive max pooling. */
export interface AdaptiveMaxPoolFn {
  /** The values and their indices. */
  (
    input: Tensor,
    ...args:
      | [outputSize: OutputSize, returnIndices: true]
      | [outputSize: OutputSize, named: Indexed<typeof AdaptiveMaxPoolArgs>]
      | [named: Indexed<typeof AdaptiveMaxPoolArgs>]
  ): [Tensor, Tensor];
  /** The values. */
  (input: Tensor, ...args: Args<Valued<typeof AdaptiveMaxPoolArgs>>): Tensor;
}

function adaptiveMaxPool(op: string, n: number, input: Tensor, outputSize: OutputSize): [Tensor, Tensor] {
  checkPoolInput(op, n, input);
  return maxPooling(op, input, adaptivePooling(op, n, input.shape.slice(input.ndim - n), outputSize));
}

function adaptiveMaxPoolOf(n: number): AdaptiveMaxPoolFn {
  const op = `adaptiveMaxPool${n}d`;
  return fn<typeof AdaptiveMaxPoolArgs, Tensor | [Tensor, Tensor]>(
    specOf(op, n),
    AdaptiveMaxPoolArgs,
    (input, o) => valuesOrBoth(adaptiveMaxPool(op, n, input, o.outputSize), o.returnIndices),
  ) as AdaptiveMaxPoolFn;
}

function adaptiveMaxPoolWithIndicesOf(n: number): Fn<typeof AdaptiveMaxPoolArgs, [Tensor, Tensor]> {
  const op = `adaptiveMaxPool${n}dWithIndices`;
  return fn(specOf(op, n), AdaptiveMaxPoolArgs, (input, o) => adaptiveMaxPool(op, n, input, o.outputSize));
}

/** The largest value of each of `outputSize` windows over one dimension; see {@linkcode adaptiveMaxPool2d}. */
export const adaptiveMaxPool1d: AdaptiveMaxPoolFn = adaptiveMaxPoolOf(1);

/**
 * The largest value of each window, the windows dividing the plane so that the output has a given size.
 *
 * @param input `[N, C, H, W]` or `[C, H, W]`
 */
export const adaptiveMaxPool2d: AdaptiveMaxPoolFn = adaptiveMaxPoolOf(2);

/** The largest value of each of `outputSize` windows over three dimensions; see {@linkcode adaptiveMaxPool2d}. */
export const adaptiveMaxPool3d: AdaptiveMaxPoolFn = adaptiveMaxPoolOf(3);

/** {@linkcode adaptiveMaxPool1d} with indices. */
export const adaptiveMaxPool1dWithIndices: Fn<typeof AdaptiveMaxPoolArgs, [Tensor, Tensor]> =
  adaptiveMaxPoolWithIndicesOf(1);
/** {@linkcode adaptiveMaxPool2d} with indices. */
export const adaptiveMaxPool2dWithIndices: Fn<typeof AdaptiveMaxPoolArgs, [Tensor, Tensor]> =
  adaptiveMaxPoolWithIndicesOf(2);
/** {@linkcode adaptiveMaxPool3d} with indices. */
export const adaptiveMaxPool3dWithIndices: Fn<typeof AdaptiveMaxPoolArgs, [Tensor, Tensor]> =
  adaptiveMaxPoolWithIndicesOf(3);

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
export class AvgPoolArgs extends AvgPool1dArgs {
  constructor(
    kernelSize: Size,
    stride?: Size | null,
    padding?: Size,
    ceilMode?: boolean,
    countIncludePad?: boolean,
    /** What sums are divided by; `null`: the window's size. */
    public divisorOverride: number | null = null,
  ) {
    super(kernelSize, stride, padding, ceilMode, countIncludePad);
  }
}

/** What {@linkcode avgPool} reads. */
interface MeanOptions extends WindowOptions {
  readonly countIncludePad?: boolean;
  readonly divisorOverride?: number | null;
}

function avgPool(op: string, n: number, input: Tensor, o: Readonly<MeanOptions>): Tensor {
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
      return meanPooling(op, x, pooling, scaleTensor(op, x, pooling.out, counts));
    }
    const wide = x.to(widestFloat(x));
    const ones = pooling.out.map((s) => new Array<number>(s).fill(1));
    const sums = meanPooling(op, wide, pooling, scaleTensor(op, wide, pooling.out, ones));
    return sums.div(scaleTensor(op, wide, pooling.out, counts).reciprocal().round()).trunc().to(x.dtype);
  });
}

/**
 * The mean of each window over one dimension.
 *
 * Shape: `[N, C, L]` or `[C, L]` to `[N, C, L']`. DType: any numeric one.
 */
export const avgPool1d: Fn<typeof AvgPool1dArgs> = fn(
  "avgPool1d",
  AvgPool1dArgs,
  (input, o) => avgPool("avgPool1d", 1, input, o),
);

/**
 * The mean of each window over two dimensions.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, C, H', W']`. DType: any numeric one.
 *
 * @throws {ArgumentError} if the padding is more than half of the window
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
 */
export const avgPool2d: Fn<typeof AvgPoolArgs> = fn(
  "avgPool2d",
  AvgPoolArgs,
  (input, o) => avgPool("avgPool2d", 2, input, o),
);

/** The mean of each window over three dimensions. DType: any numeric one. */
export const avgPool3d: Fn<typeof AvgPoolArgs> = fn(
  specOf("avgPool3d", 3),
  AvgPoolArgs,
  (input, o) => avgPool("avgPool3d", 3, input, o),
);

function adaptiveAvgPoolOf(n: number): Fn<typeof AdaptivePoolArgs> {
  const op = `adaptiveAvgPool${n}d`;
  return fn(specOf(op, n), AdaptivePoolArgs, (input, { outputSize }) => {
    checkPoolInput(op, n, input);
    const pooling = adaptivePooling(op, n, input.shape.slice(input.ndim - n), outputSize);
    const { starts, ends } = pooling.windows;
    return means(op, input, pooling, starts.map((list, d) => list.map((s, i) => ends[d][i] - s)));
  });
}

/** The mean of each of `outputSize` windows over one dimension; see {@linkcode adaptiveAvgPool2d}. */
export const adaptiveAvgPool1d: Fn<typeof AdaptivePoolArgs> = adaptiveAvgPoolOf(1);

/**
 * The mean of each window, the windows dividing the plane so that the output has a given size.
 *
 * @param input `[N, C, H, W]` or `[C, H, W]`
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html
 */
export const adaptiveAvgPool2d: Fn<typeof AdaptivePoolArgs> = adaptiveAvgPoolOf(2);

/** The mean of each of `outputSize` windows over three dimensions; see {@linkcode adaptiveAvgPool2d}. */
export const adaptiveAvgPool3d: Fn<typeof AdaptivePoolArgs> = adaptiveAvgPoolOf(3);

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

function lpPoolOf(n: number): Fn<typeof LpPoolArgs> {
  const op = `lpPool${n}d`;
  return fn(specOf(op, n), LpPoolArgs, (input, { normType, kernelSize, stride, ceilMode }) => {
    const window = { kernelSize, stride, ceilMode };
    const count = product(gridOf(op, n, window).kernel);
    return scope(() => {
      const mean = avgPool(op, n, input.pow(normType), window);
      return mean.sign().mul(mean.abs().relu()).mul(count).pow(1 / normType);
    });
  });
}

/** The p-norm of each window over one dimension: `(Σ x^p)^(1/p)`. */
export const lpPool1d: Fn<typeof LpPoolArgs> = lpPoolOf(1);
/** The p-norm of each window over two dimensions: `(Σ x^p)^(1/p)`. */
export const lpPool2d: Fn<typeof LpPoolArgs> = lpPoolOf(2);
/** The p-norm of each window over three dimensions: `(Σ x^p)^(1/p)`. */
export const lpPool3d: Fn<typeof LpPoolArgs> = lpPoolOf(3);
