/**
 * Pooling: the largest, mean or p-norm of windows, of given size or chosen for a given output size.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Size, sizes } from "./factory.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { float, python } from "./repr.ts";

/** What max pooling takes. */
export interface MaxPoolOptions {
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Elements of -∞ on both sides. @default {0} */
  padding?: Size;
  /** Step between the window's elements. @default {1} */
  dilation?: Size;
  /** Whether `forward` gives `[output, indices]`. @default {false} */
  returnIndices?: boolean;
  /** Whether a window that starts inside but ends outside counts. @default {false} */
  ceilMode?: boolean;
}

const MAX_POOL = ["kernelSize", "stride", "padding", "dilation", "returnIndices", "ceilMode"] as const;

/** The positional parameters of max pooling. */
export type MaxPoolParameters = ["kernelSize", "stride", "padding", "dilation", "returnIndices", "ceilMode"];

/** What the max-pooling layers share. */
export abstract class MaxPoolBase extends Module {
  /** Size of the window. */
  readonly kernelSize: Size;
  /** Step of the window. */
  readonly stride: Size;
  /** Elements of -∞ on both sides. */
  readonly padding: Size;
  /** Step between the window's elements. */
  readonly dilation: Size;
  /** Whether `forward` gives `[output, indices]`. */
  readonly returnIndices: boolean;
  /** Whether a window that ends outside counts. */
  readonly ceilMode: boolean;

  /** Takes the options of the layer. */
  constructor(o: MaxPoolOptions) {
    super();
    this.kernelSize = o.kernelSize;
    this.stride = o.stride ?? o.kernelSize;
    this.padding = o.padding ?? 0;
    this.dilation = o.dilation ?? 1;
    this.returnIndices = o.returnIndices ?? false;
    this.ceilMode = o.ceilMode ?? false;
  }

  /** Runs the function of this dimension with the layer's options. */
  protected run(pool: PoolFunction, withIndices: IndexedPoolFunction, input: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    if (!this.returnIndices) return pool(input, kernelSize, stride, padding, dilation, ceilMode);
    // The type says what nearly every caller has; with returnIndices the caller knows better.
    return withIndices(input, kernelSize, stride, padding, dilation, ceilMode) as unknown as Tensor;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `kernel_size=${python(this.kernelSize)}, stride=${python(this.stride)}, padding=${python(this.padding)}, ` +
      `dilation=${python(this.dilation)}, ceil_mode=${python(this.ceilMode)}`;
  }
}

/** A pooling of some number of dimensions. */
export type PoolFunction = (
  input: Tensor,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
  dilation: Size,
  ceilMode: boolean,
) => Tensor;

/** A max pooling that gives indices too. */
export type IndexedPoolFunction = (
  input: Tensor,
  kernelSize: Size,
  stride: Size | null,
  padding: Size,
  dilation: Size,
  ceilMode: boolean,
) => unknown;

const maxPool1dArgs = signature<MaxPoolOptions>("MaxPool1d", MAX_POOL, [], 1);
const maxPool2dArgs = signature<MaxPoolOptions>("MaxPool2d", MAX_POOL, [], 1);
const maxPool3dArgs = signature<MaxPoolOptions>("MaxPool3d", MAX_POOL, [], 1);

/** The largest value of each window of `(N, C, L)` or `(C, L)`. */
export class MaxPool1d extends MaxPoolBase {
  /** Takes `kernelSize, stride, padding, dilation, returnIndices, ceilMode`. */
  constructor(...args: Args<MaxPoolOptions, MaxPoolParameters>) {
    super(maxPool1dArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    return this.run(F.maxPool1d, F.maxPool1dWithIndices, input);
  }
}

/** The largest value of each window of `(N, C, H, W)` or `(C, H, W)`. */
export class MaxPool2d extends MaxPoolBase {
  /** Takes `kernelSize, stride, padding, dilation, returnIndices, ceilMode`. */
  constructor(...args: Args<MaxPoolOptions, MaxPoolParameters>) {
    super(maxPool2dArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    return this.run(F.maxPool2d, F.maxPool2dWithIndices, input);
  }
}

/** The largest value of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export class MaxPool3d extends MaxPoolBase {
  /** Takes `kernelSize, stride, padding, dilation, returnIndices, ceilMode`. */
  constructor(...args: Args<MaxPoolOptions, MaxPoolParameters>) {
    super(maxPool3dArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    return this.run(F.maxPool3d, F.maxPool3dWithIndices, input);
  }
}

/** What average pooling takes. */
export interface AvgPoolOptions {
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Zeros on both sides. @default {0} */
  padding?: Size;
  /** Whether a window that starts inside but ends outside counts. @default {false} */
  ceilMode?: boolean;
  /** Whether the zeros of the padding count as elements. @default {true} */
  countIncludePad?: boolean;
  /** What sums are divided by, in place of the window's size (2d and 3d). */
  divisorOverride?: number | null;
}

/** What the average-pooling layers share. */
export abstract class AvgPoolBase extends Module {
  /** Size of the window. */
  readonly kernelSize: Size;
  /** Step of the window. */
  readonly stride: Size;
  /** Zeros on both sides. */
  readonly padding: Size;
  /** Whether a window that ends outside counts. */
  readonly ceilMode: boolean;
  /** Whether the zeros of the padding count as elements. */
  readonly countIncludePad: boolean;
  /** What sums are divided by, or `null`. */
  readonly divisorOverride: number | null;

  /** Takes the options of the layer. */
  constructor(o: AvgPoolOptions) {
    super();
    this.kernelSize = o.kernelSize;
    this.stride = o.stride ?? o.kernelSize;
    this.padding = o.padding ?? 0;
    this.ceilMode = o.ceilMode ?? false;
    this.countIncludePad = o.countIncludePad ?? true;
    this.divisorOverride = o.divisorOverride ?? null;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `kernel_size=${python(this.kernelSize)}, stride=${python(this.stride)}, padding=${python(this.padding)}`;
  }
}

const avgPool1dArgs = signature<AvgPoolOptions>(
  "AvgPool1d",
  ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad"],
  [],
  1,
);
const AVG_POOL = ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad", "divisorOverride"] as const;
const avgPool2dArgs = signature<AvgPoolOptions>("AvgPool2d", AVG_POOL, [], 1);
const avgPool3dArgs = signature<AvgPoolOptions>("AvgPool3d", AVG_POOL, [], 1);

/** The mean of each window of `(N, C, L)` or `(C, L)`. */
export class AvgPool1d extends AvgPoolBase {
  /** Takes `kernelSize, stride, padding, ceilMode, countIncludePad`. */
  constructor(
    ...args: Args<
      Omit<AvgPoolOptions, "divisorOverride">,
      ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad"]
    >
  ) {
    const o = avgPool1dArgs(args);
    const one = (value: Size) => typeof value === "number" ? [value] : value;
    super({ ...o, kernelSize: one(o.kernelSize), stride: o.stride && one(o.stride), padding: one(o.padding ?? 0) });
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    return F.avgPool1d(input, this.kernelSize, this.stride, this.padding, this.ceilMode, this.countIncludePad);
  }
}

/** The mean of each window of `(N, C, H, W)` or `(C, H, W)`. */
export class AvgPool2d extends AvgPoolBase {
  /** Takes `kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride`. */
  constructor(
    ...args: Args<
      AvgPoolOptions,
      ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad", "divisorOverride"]
    >
  ) {
    super(avgPool2dArgs(args));
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return F.avgPool2d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride);
  }
}

/** The mean of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export class AvgPool3d extends AvgPoolBase {
  /** Takes `kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride`. */
  constructor(
    ...args: Args<
      AvgPoolOptions,
      ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad", "divisorOverride"]
    >
  ) {
    super(avgPool3dArgs(args));
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return F.avgPool3d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride);
  }
}

/** Sizes of the output of adaptive pooling; `null` keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

/** What adaptive average pooling takes. */
export interface AdaptiveAvgPoolOptions {
  /** Size of the output, for all dimensions or per dimension. */
  outputSize: OutputSize;
}

/** What adaptive max pooling takes. */
export interface AdaptiveMaxPoolOptions extends AdaptiveAvgPoolOptions {
  /** Whether `forward` gives `[output, indices]`. @default {false} */
  returnIndices?: boolean;
}

/** What the adaptive pooling layers share. */
export abstract class AdaptivePoolBase extends Module {
  /** Size of the output. */
  readonly outputSize: OutputSize;
  /** Whether `forward` gives `[output, indices]`. */
  readonly returnIndices: boolean;

  /** Takes the options of the layer. */
  constructor(o: AdaptiveMaxPoolOptions) {
    super();
    this.outputSize = o.outputSize;
    this.returnIndices = o.returnIndices ?? false;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `output_size=${python(this.outputSize)}`;
  }
}

const adaptiveAvgArgs = signature<AdaptiveAvgPoolOptions>("AdaptiveAvgPool", ["outputSize"], [], 1);
const adaptiveMaxArgs = signature<AdaptiveMaxPoolOptions>("AdaptiveMaxPool", ["outputSize", "returnIndices"], [], 1);

/** Means of as many windows of `(N, C, L)` or `(C, L)` as the output has elements. */
export class AdaptiveAvgPool1d extends AdaptivePoolBase {
  /** Takes `outputSize`. */
  constructor(...args: Args<AdaptiveAvgPoolOptions, ["outputSize"]>) {
    super(adaptiveAvgArgs(args));
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool1d(input, this.outputSize);
  }
}

/** Means of as many windows of `(N, C, H, W)` or `(C, H, W)` as the output has elements. */
export class AdaptiveAvgPool2d extends AdaptivePoolBase {
  /** Takes `outputSize`. */
  constructor(...args: Args<AdaptiveAvgPoolOptions, ["outputSize"]>) {
    super(adaptiveAvgArgs(args));
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool2d(input, this.outputSize);
  }
}

/** Means of as many windows of `(N, C, D, H, W)` or `(C, D, H, W)` as the output has elements. */
export class AdaptiveAvgPool3d extends AdaptivePoolBase {
  /** Takes `outputSize`. */
  constructor(...args: Args<AdaptiveAvgPoolOptions, ["outputSize"]>) {
    super(adaptiveAvgArgs(args));
  }

  /** The means. */
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool3d(input, this.outputSize);
  }
}

/** Largest values of as many windows of `(N, C, L)` or `(C, L)` as the output has elements. */
export class AdaptiveMaxPool1d extends AdaptivePoolBase {
  /** Takes `outputSize, returnIndices`. */
  constructor(...args: Args<AdaptiveMaxPoolOptions, ["outputSize", "returnIndices"]>) {
    super(adaptiveMaxArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    const run = this.returnIndices ? F.adaptiveMaxPool1dWithIndices : F.adaptiveMaxPool1d;
    return run(input, this.outputSize) as Tensor;
  }
}

/** Largest values of as many windows of `(N, C, H, W)` or `(C, H, W)` as the output has elements. */
export class AdaptiveMaxPool2d extends AdaptivePoolBase {
  /** Takes `outputSize, returnIndices`. */
  constructor(...args: Args<AdaptiveMaxPoolOptions, ["outputSize", "returnIndices"]>) {
    super(adaptiveMaxArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    const run = this.returnIndices ? F.adaptiveMaxPool2dWithIndices : F.adaptiveMaxPool2d;
    return run(input, this.outputSize) as Tensor;
  }
}

/** Largest values of as many windows of `(N, C, D, H, W)` or `(C, D, H, W)` as the output has elements. */
export class AdaptiveMaxPool3d extends AdaptivePoolBase {
  /** Takes `outputSize, returnIndices`. */
  constructor(...args: Args<AdaptiveMaxPoolOptions, ["outputSize", "returnIndices"]>) {
    super(adaptiveMaxArgs(args));
  }

  /** The largest values; with `returnIndices` an array of them and their indices. */
  override forward(input: Tensor): Tensor {
    const run = this.returnIndices ? F.adaptiveMaxPool3dWithIndices : F.adaptiveMaxPool3d;
    return run(input, this.outputSize) as Tensor;
  }
}

/** What p-norm pooling takes. */
export interface LPPoolOptions {
  /** The exponent p. */
  normType: number;
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Whether a window that starts inside but ends outside counts. @default {false} */
  ceilMode?: boolean;
}

const LP_POOL = ["normType", "kernelSize", "stride", "ceilMode"] as const;

/** The positional parameters of p-norm pooling. */
export type LPPoolParameters = ["normType", "kernelSize", "stride", "ceilMode"];

/** What the power-average pooling layers share. */
export abstract class LPPoolBase extends Module {
  /** The exponent p. */
  readonly normType: number;
  /** Size of the window. */
  readonly kernelSize: Size;
  /** Step of the window, or `null` for its size. */
  readonly stride: Size | null;
  /** Whether a window that ends outside counts. */
  readonly ceilMode: boolean;

  /** Takes the options of the layer. */
  constructor(o: LPPoolOptions) {
    super();
    this.normType = o.normType;
    this.kernelSize = o.kernelSize;
    this.stride = o.stride ?? null;
    this.ceilMode = o.ceilMode ?? false;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `norm_type=${float(this.normType)}, kernel_size=${python(this.kernelSize)}, ` +
      `stride=${python(this.stride)}, ceil_mode=${python(this.ceilMode)}`;
  }
}

const lpPool1dArgs = signature<LPPoolOptions>("LPPool1d", LP_POOL, [], 2);
const lpPool2dArgs = signature<LPPoolOptions>("LPPool2d", LP_POOL, [], 2);
const lpPool3dArgs = signature<LPPoolOptions>("LPPool3d", LP_POOL, [], 2);

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, L)` or `(C, L)`. */
export class LPPool1d extends LPPoolBase {
  /** Takes `normType, kernelSize, stride, ceilMode`. */
  constructor(...args: Args<LPPoolOptions, LPPoolParameters>) {
    super(lpPool1dArgs(args));
  }

  /** The norms. */
  override forward(input: Tensor): Tensor {
    return F.lpPool1d(input, this.normType, this.kernelSize, this.stride, this.ceilMode);
  }
}

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, H, W)` or `(C, H, W)`. */
export class LPPool2d extends LPPoolBase {
  /** Takes `normType, kernelSize, stride, ceilMode`. */
  constructor(...args: Args<LPPoolOptions, LPPoolParameters>) {
    super(lpPool2dArgs(args));
  }

  /** The norms. */
  override forward(input: Tensor): Tensor {
    return F.lpPool2d(input, this.normType, this.kernelSize, this.stride, this.ceilMode);
  }
}

/** `(Σ xᵖ)^(1/p)` of each window of `(N, C, D, H, W)` or `(C, D, H, W)`. */
export class LPPool3d extends LPPoolBase {
  /** Takes `normType, kernelSize, stride, ceilMode`. */
  constructor(...args: Args<LPPoolOptions, LPPoolParameters>) {
    super(lpPool3dArgs(args));
  }

  /** The norms. */
  override forward(input: Tensor): Tensor {
    return F.lpPool3d(input, this.normType, this.kernelSize, this.stride, this.ceilMode);
  }
}

/** What unpooling takes. */
export interface MaxUnpoolOptions {
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Padding of the pooling that is undone. @default {0} */
  padding?: Size;
}
const unpoolArgs = signature<MaxUnpoolOptions>("MaxUnpool", ["kernelSize", "stride", "padding"], [], 1);

/** What the unpooling layers share. */
export abstract class MaxUnpoolBase extends Module {
  /** Size of the window. */
  readonly kernelSize: readonly number[];
  /** Step of the window. */
  readonly stride: readonly number[];
  /** Padding of the pooling that is undone. */
  readonly padding: readonly number[];

  /** Takes the options of the layer. */
  constructor(name: string, dims: number, o: MaxUnpoolOptions) {
    super();
    this.kernelSize = sizes(name, "kernelSize", dims, o.kernelSize);
    this.stride = sizes(name, "stride", dims, o.stride ?? o.kernelSize);
    this.padding = sizes(name, "padding", dims, o.padding ?? 0);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `kernel_size=${python(this.kernelSize)}, stride=${python(this.stride)}, padding=${python(this.padding)}`;
  }
}

/** Puts the values of {@linkcode MaxPool1d} back where they came from in `(N, C, L)`, zeros elsewhere. */
export class MaxUnpool1d extends MaxUnpoolBase {
  /** Takes `kernelSize, stride, padding`. */
  constructor(...args: Args<MaxUnpoolOptions, ["kernelSize", "stride", "padding"]>) {
    super("MaxUnpool1d", 1, unpoolArgs(args));
  }

  /** The larger tensor; `outputSize` picks one of the sizes that are possible. */
  override forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.maxUnpool1d(input, indices, this.kernelSize, this.stride, this.padding, outputSize);
  }
}

/** Puts the values of {@linkcode MaxPool2d} back where they came from in `(N, C, H, W)`, zeros elsewhere. */
export class MaxUnpool2d extends MaxUnpoolBase {
  /** Takes `kernelSize, stride, padding`. */
  constructor(...args: Args<MaxUnpoolOptions, ["kernelSize", "stride", "padding"]>) {
    super("MaxUnpool2d", 2, unpoolArgs(args));
  }

  /** The larger tensor; `outputSize` picks one of the sizes that are possible. */
  override forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.maxUnpool2d(input, indices, this.kernelSize, this.stride, this.padding, outputSize);
  }
}

/** Puts the values of {@linkcode MaxPool3d} back where they came from in `(N, C, D, H, W)`, zeros elsewhere. */
export class MaxUnpool3d extends MaxUnpoolBase {
  /** Takes `kernelSize, stride, padding`. */
  constructor(...args: Args<MaxUnpoolOptions, ["kernelSize", "stride", "padding"]>) {
    super("MaxUnpool3d", 3, unpoolArgs(args));
  }

  /** The larger tensor; `outputSize` picks one of the sizes that are possible. */
  override forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.maxUnpool3d(input, indices, this.kernelSize, this.stride, this.padding, outputSize);
  }
}
