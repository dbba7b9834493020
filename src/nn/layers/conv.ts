/**
 * Convolutions and transposed convolutions in one, two and three dimensions.
 *
 * @module
 */

import { checkIntegers } from "../../base/checks.ts";
import { type Args, call } from "../../base/call.ts";
import { ArgumentError, describe, show } from "../../base/errors.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { type BiasOf, checkSizes, emptyParameter, FactoryArgs, type Size, sizes } from "../module/factory.ts";
import * as F from "../functional.ts";
import { fanInAndFanOut, kaimingUniform_, uniform_ } from "../init.ts";
import { Module } from "../module/module.ts";
import type { Parameter } from "../module/parameter.ts";
import { python } from "../module/repr.ts";

/** The mode in which a convolution pads its input. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** The parameters of convolutions. */
export class ConvLayerArgs extends FactoryArgs {
  constructor(
    /** The number of input channels. */
    public inChannels: number,
    /** The number of output channels. */
    public outChannels: number,
    /** Kernel size: the size of the window. */
    public kernelSize: Size,
    /** Stride: the distance between neighbouring windows. */
    public stride: Size = 1,
    /** Padding: elements added on both sides of each dimension; `"same"` keeps the size, `"valid"` adds none. */
    public padding: Size | "same" | "valid" = 0,
    /** Dilation: the distance between neighbouring elements of the window. */
    public dilation: Size = 1,
    /** The number of groups: channels are split into groups that are convolved independently. */
    public groups = 1,
    /** Whether a learned bias per output channel is added. */
    public bias = true,
    /** The values that the padding has. */
    public paddingMode: PaddingMode = "zeros",
  ) {
    super();
  }
}

/** The parameters of transposed convolutions. */
export class ConvTransposeLayerArgs extends FactoryArgs {
  constructor(
    /** The number of input channels. */
    public inChannels: number,
    /** The number of output channels. */
    public outChannels: number,
    /** Kernel size: the size of the window. */
    public kernelSize: Size,
    /** Stride: the distance between neighbouring windows. */
    public stride: Size = 1,
    /**
     * Padding of the convolution that is reversed: `dilation · (kernelSize - 1) - padding` zeros are added on both
     * sides.
     */
    public padding: Size = 0,
    /**
     * Output padding: elements added on one side of the output, to choose among the sizes that the reversed convolution
     * may have had.
     */
    public outputPadding: Size = 0,
    /** The number of groups: channels are split into groups that are convolved independently. */
    public groups = 1,
    /** Whether a learned bias per output channel is added. */
    public bias = true,
    /** Dilation: the distance between neighbouring elements of the window. */
    public dilation: Size = 1,
    /** The values that the padding has. */
    public paddingMode: PaddingMode = "zeros",
  ) {
    super();
  }
}

const PADDING_MODES: readonly string[] = ["zeros", "reflect", "replicate", "circular"];

/** The base of all convolutions: checks, weights and printing. */
export abstract class ConvBase<Bias extends Parameter | null = Parameter | null> extends Module {
  /** The number of input channels. */
  readonly inChannels: number;
  /** The number of output channels. */
  readonly outChannels: number;
  /** Kernel size per dimension: the size of the window. */
  readonly kernelSize: readonly number[];
  /** Stride per dimension: the distance between neighbouring windows. */
  readonly stride: readonly number[];
  /** Padding per dimension, `"same"` or `"valid"`. */
  readonly padding: readonly number[] | "same" | "valid";
  /** Dilation per dimension: the distance between neighbouring elements of the window. */
  readonly dilation: readonly number[];
  /** The number of groups that channels are split into. */
  readonly groups: number;
  /** The values that the padding has. */
  readonly paddingMode: PaddingMode;
  /**
   * The filters: `(outChannels, inChannels / groups, ...kernelSize)`, transposed `(inChannels, outChannels / groups,
   * ...kernelSize)`.
   */
  weight: Parameter;
  /** The bias `(outChannels)`, or `null`. */
  bias: Bias;

  /** Makes the layer `name` with `dims` spatial dimensions of parsed options. */
  constructor(name: string, dims: number, o: Readonly<ConvLayerArgs | ConvTransposeLayerArgs>, transposed: boolean) {
    super();
    checkSizes(name, { inChannels: o.inChannels, outChannels: o.outChannels });
    this.inChannels = o.inChannels;
    this.outChannels = o.outChannels;
    this.kernelSize = sizes(name, "kernelSize", dims, o.kernelSize);
    this.stride = sizes(name, "stride", dims, o.stride);
    this.dilation = sizes(name, "dilation", dims, o.dilation);
    this.groups = o.groups;
    this.paddingMode = o.paddingMode;
    const { padding } = o;
    this.padding = padding === "same" || padding === "valid" ? padding : sizes(name, "padding", dims, padding);
    this.check(name);
    const perGroup = transposed
      ? [this.inChannels, this.outChannels / this.groups]
      : [this.outChannels, this.inChannels / this.groups];
    this.weight = emptyParameter([...perGroup, ...this.kernelSize], o);
    this.bias = (o.bias ? emptyParameter([this.outChannels], o) : null) as Bias;
    this.resetParameters();
  }

  /** Throws unless the options fit together. */
  private check(name: string): void {
    const { groups, inChannels, outChannels } = this;
    if (!(Number.isInteger(groups) && groups > 0)) {
      throw new ArgumentError(`${name}(): groups must be a positive integer: ${describe(groups)}`);
    }
    if (inChannels % groups !== 0) {
      throw new ArgumentError(
        `${name}(): inChannels must be divisible by groups: ${describe(inChannels)} % ${describe(groups)}`,
      );
    }
    if (outChannels % groups !== 0) {
      throw new ArgumentError(
        `${name}(): outChannels must be divisible by groups: ${describe(outChannels)} % ${describe(groups)}`,
      );
    }
    if (!PADDING_MODES.includes(this.paddingMode)) {
      throw new ArgumentError(
        `${name}(): paddingMode must be one of ${PADDING_MODES.join(", ")}: "${String(this.paddingMode)}"`,
      );
    }
    if (this.padding === "same" && this.stride.some((s) => s !== 1)) {
      throw new ArgumentError(`${name}(): padding "same" needs a stride of 1: ${show(this.stride)}`);
    }
  }

  /** Draws new weights and biases, uniform in ±1/√fanIn. */
  resetParameters(): void {
    // With a = √5 the bound is 1/√fanIn.
    kaimingUniform_(this.weight, Math.sqrt(5));
    if (this.bias === null) return;
    const [fanIn] = fanInAndFanOut(this.weight);
    if (fanIn > 0) uniform_(this.bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
  }

  /** The padding as `F.pad` takes it: before and after every dimension, last dimension first. */
  protected get borders(): number[] {
    const out: number[] = [];
    for (let d = this.kernelSize.length - 1; d >= 0; d--) {
      if (this.padding === "valid") out.push(0, 0);
      else if (this.padding === "same") {
        const total = this.dilation[d] * (this.kernelSize[d] - 1);
        out.push(Math.floor(total / 2), total - Math.floor(total / 2));
      } else out.push(this.padding[d], this.padding[d]);
    }
    return out;
  }

  /** The text that `extraRepr` puts between stride and dilation. */
  protected outputPaddingRepr(): string {
    return "";
  }

  override extraRepr(): string {
    const unlike = (list: readonly number[], value: number) => list.some((v) => v !== value);
    let text = `${this.inChannels}, ${this.outChannels}, kernel_size=${python(this.kernelSize)}, ` +
      `stride=${python(this.stride)}`;
    if (typeof this.padding === "string" || unlike(this.padding, 0)) {
      text += `, padding=${typeof this.padding === "string" ? this.padding : python(this.padding)}`;
    }
    if (unlike(this.dilation, 1)) text += `, dilation=${python(this.dilation)}`;
    text += this.outputPaddingRepr();
    if (this.groups !== 1) text += `, groups=${this.groups}`;
    if (this.bias === null) text += ", bias=False";
    if (this.paddingMode !== "zeros") text += `, padding_mode=${this.paddingMode}`;
    return text;
  }
}

/** The function of a convolution in one, two or three dimensions. */
export type Convolve = (
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[] | "same" | "valid",
  dilation: readonly number[],
  groups: number,
) => Tensor;

/** The base of the convolutions. */
export abstract class ConvNd<A extends Args<typeof ConvLayerArgs>> extends ConvBase<BiasOf<A, "7">> {
  /** Calls the convolution of the layer's dimensions with the layer's options. */
  protected convolve(convolution: Convolve, input: Tensor): Tensor {
    checkTensor(this._name(), "input", input);
    const { weight, bias, stride, dilation, groups } = this;
    if (this.paddingMode === "zeros") return convolution(input, weight, bias, stride, this.padding, dilation, groups);
    const padded = F.pad(input, this.borders, this.paddingMode);
    return convolution(padded, weight, bias, stride, this.kernelSize.map(() => 0), dilation, groups);
  }
}

const conv1dArgs = call("Conv1d", ConvLayerArgs);
const conv2dArgs = call("Conv2d", ConvLayerArgs);
const conv3dArgs = call("Conv3d", ConvLayerArgs);

/** Convolution over `(N, C, L)` or `(C, L)`. */
export class Conv1d<A extends Args<typeof ConvLayerArgs> = Args<typeof ConvLayerArgs>> extends ConvNd<A> {
  constructor(...args: A) {
    super("Conv1d", 1, conv1dArgs(args), false);
  }

  /** The convolved input. */
  override forward(input: Tensor): Tensor {
    return this.convolve(F.conv1d, input);
  }
}

/**
 * Convolution over `(N, C, H, W)` or `(C, H, W)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const conv = new torch.nn.Conv2d(16, 33, [3, 5], { stride: [2, 1], padding: [4, 2] });
 * assertEquals(conv.call(torch.randn(2, 16, 50, 100)).shape, [2, 33, 28, 100]);
 * ```
 */
export class Conv2d<A extends Args<typeof ConvLayerArgs> = Args<typeof ConvLayerArgs>> extends ConvNd<A> {
  constructor(...args: A) {
    super("Conv2d", 2, conv2dArgs(args), false);
  }

  /** The convolved input. */
  override forward(input: Tensor): Tensor {
    return this.convolve(F.conv2d, input);
  }
}

/** Convolution over `(N, C, D, H, W)` or `(C, D, H, W)`. */
export class Conv3d<A extends Args<typeof ConvLayerArgs> = Args<typeof ConvLayerArgs>> extends ConvNd<A> {
  constructor(...args: A) {
    super("Conv3d", 3, conv3dArgs(args), false);
  }

  /** The convolved input. */
  override forward(input: Tensor): Tensor {
    return this.convolve(F.conv3d, input);
  }
}

/** The function of a transposed convolution in one, two or three dimensions. */
export type ConvolveTranspose = (
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  outputPadding: readonly number[],
  groups: number,
  dilation: readonly number[],
) => Tensor;

/** The base of the transposed convolutions. */
export abstract class ConvTransposeNd<A extends Args<typeof ConvTransposeLayerArgs>> extends ConvBase<BiasOf<A, "7">> {
  /** Output padding per dimension: elements added on one side of the output. */
  readonly outputPadding: readonly number[];

  /** Makes the layer `name` with `dims` spatial dimensions of parsed options. */
  constructor(name: string, dims: number, o: Readonly<ConvTransposeLayerArgs>) {
    if (o.paddingMode !== "zeros") {
      throw new ArgumentError(`${name}(): only paddingMode "zeros" is possible: "${o.paddingMode}"`);
    }
    super(name, dims, o, true);
    this.outputPadding = sizes(name, "outputPadding", dims, o.outputPadding);
  }

  /** The output padding as it is printed. */
  protected override outputPaddingRepr(): string {
    return this.outputPadding.some((p) => p !== 0) ? `, output_padding=${python(this.outputPadding)}` : "";
  }

  /** Calls the convolution of the layer's dimensions with the layer's options. */
  protected convolve(convolution: ConvolveTranspose, input: Tensor, outputSize?: readonly number[] | null): Tensor {
    checkTensor(this._name(), "input", input);
    const { weight, bias, stride, groups, dilation } = this;
    const outputPadding = outputSize ? this.paddingFor(input, outputSize) : this.outputPadding;
    return convolution(input, weight, bias, stride, this.padding as readonly number[], outputPadding, groups, dilation);
  }

  /** The output padding that leads to `outputSize`, one of the sizes that the reversed convolution may have had. */
  private paddingFor(input: Tensor, outputSize: readonly number[]): number[] {
    checkIntegers(this._name(), "outputSize", outputSize);
    const dims = this.kernelSize.length;
    const wanted = outputSize.length > dims ? outputSize.slice(outputSize.length - dims) : outputSize;
    const spatial = input.shape.slice(input.ndim - dims);
    const smallest = spatial.map((size, d) =>
      (size - 1) * this.stride[d] - 2 * (this.padding as readonly number[])[d] +
      this.dilation[d] * (this.kernelSize[d] - 1) + 1
    );
    const largest = smallest.map((size, d) => size + this.stride[d] - 1);
    if (wanted.length !== dims || wanted.some((size, d) => size < smallest[d] || size > largest[d])) {
      throw new ArgumentError(
        `${this._name()}(): outputSize ${show(outputSize)} is not possible for an input of ${show(spatial)}: ` +
          `it must lie between ${show(smallest)} and ${show(largest)}`,
      );
    }
    return wanted.map((size, d) => size - smallest[d]);
  }
}

const transpose1dArgs = call("ConvTranspose1d", ConvTransposeLayerArgs);
const transpose2dArgs = call("ConvTranspose2d", ConvTransposeLayerArgs);
const transpose3dArgs = call("ConvTranspose3d", ConvTransposeLayerArgs);

/** Transposed convolution (the gradient of a convolution with respect to its input) over `(N, C, L)` or `(C, L)`. */
export class ConvTranspose1d<A extends Args<typeof ConvTransposeLayerArgs> = Args<typeof ConvTransposeLayerArgs>>
  extends ConvTransposeNd<A> {
  constructor(...args: A) {
    super("ConvTranspose1d", 1, transpose1dArgs(args));
  }

  /** The upsampled input; `outputSize` gives the spatial sizes of the output, where several are possible. */
  override forward(input: Tensor, outputSize?: readonly number[] | null): Tensor {
    return this.convolve(F.convTranspose1d, input, outputSize);
  }
}

/**
 * Transposed convolution (the gradient of a convolution with respect to its input) over `(N, C, H, W)` or `(C, H, W)`.
 */
export class ConvTranspose2d<A extends Args<typeof ConvTransposeLayerArgs> = Args<typeof ConvTransposeLayerArgs>>
  extends ConvTransposeNd<A> {
  constructor(...args: A) {
    super("ConvTranspose2d", 2, transpose2dArgs(args));
  }

  /** The upsampled input; `outputSize` gives the spatial sizes of the output, where several are possible. */
  override forward(input: Tensor, outputSize?: readonly number[] | null): Tensor {
    return this.convolve(F.convTranspose2d, input, outputSize);
  }
}

/**
 * Transposed convolution (the gradient of a convolution with respect to its input) over `(N, C, D, H, W)` or `(C, D, H,
 * W)`.
 */
export class ConvTranspose3d<A extends Args<typeof ConvTransposeLayerArgs> = Args<typeof ConvTransposeLayerArgs>>
  extends ConvTransposeNd<A> {
  constructor(...args: A) {
    super("ConvTranspose3d", 3, transpose3dArgs(args));
  }

  /** The upsampled input; `outputSize` gives the spatial sizes of the output, where several are possible. */
  override forward(input: Tensor, outputSize?: readonly number[] | null): Tensor {
    return this.convolve(F.convTranspose3d, input, outputSize);
  }
}
