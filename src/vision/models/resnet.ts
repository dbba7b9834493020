/**
 * Residual networks with torchvision's names: classes, options, and the keys of their state dicts, so that torchvision's
 * checkpoints load.
 *
 * A network is a stem, four stages of blocks and a linear layer; the variants differ in the kind of block, their number
 * and the width of the 3x3 convolutions. The first block of a stage halves the picture (its 3x3 convolution does, "ResNet
 * V1.5") and its shortcut is a 1x1 convolution.
 *
 * @see https://docs.pytorch.org/vision/stable/models/resnet.html
 * @module
 */

import { type Args, call } from "../../base/call.ts";
import { checkArray, checkFunction, checkInteger } from "../../base/checks.ts";
import { ArgumentError, show } from "../../base/errors.ts";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  GroupNorm,
  init,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../../nn/mod.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** A layer with one input and one output. */
export interface Layer extends Module {
  /** The computation. */
  forward(input: Tensor): Tensor;
}

/** A function that makes a normalisation layer for a number of channels. */
export type NormLayer = (numFeatures: number) => Layer;

/** The parameters of both kinds of block. */
export class BlockArgs {
  constructor(
    /** The number of input channels. */
    public inplanes: number,
    /** The number of channels of the convolutions; in a {@linkcode Bottleneck} the output has four times as many. */
    public planes: number,
    /** The stride of the block's 3x3 convolution. */
    public stride = 1,
    /** The shortcut where the block changes the shape; `null` for the input itself. */
    public downsample: Sequential | null = null,
    /** The number of groups of the 3x3 convolution. */
    public groups = 1,
    /** The number of channels per group of the 3x3 convolution where `planes` is 64. */
    public baseWidth = 64,
    /** The dilation of the 3x3 convolution. */
    public dilation = 1,
    /** The function that makes normalisation layers; `null`: `BatchNorm2d`. */
    public normLayer: NormLayer | null = null,
  ) {}
}

const basicBlockArgs = call("BasicBlock", BlockArgs);
const bottleneckArgs = call("Bottleneck", BlockArgs);

function conv3x3(inPlanes: number, outPlanes: number, stride = 1, groups = 1, dilation = 1): Conv2d {
  return new Conv2d(inPlanes, outPlanes, 3, { stride, padding: dilation, groups, bias: false, dilation });
}

function conv1x1(inPlanes: number, outPlanes: number, stride = 1): Conv2d {
  return new Conv2d(inPlanes, outPlanes, 1, { stride, bias: false });
}

/** Two 3x3 convolutions and a shortcut: the block of ResNet-18 and ResNet-34. */
export class BasicBlock extends Module {
  /** The ratio of the number of output channels to `planes`. */
  static readonly expansion: number = 1;
  /** The first convolution, which has the stride. */
  conv1: Conv2d;
  /** The first normalisation. */
  bn1: Layer;
  /** The activation. */
  relu: ReLU;
  /** The second convolution. */
  conv2: Conv2d;
  /** The second normalisation. */
  bn2: Layer;
  /** The shortcut, or `null` for the input itself. */
  downsample: Sequential | null;
  /** The stride of the block. */
  readonly stride: number;

  /**
   * Makes a block.
   *
   * @throws {ArgumentError} if groups, width or dilation are not the usual ones
   */
  constructor(...args: Args<typeof BlockArgs>) {
    super();
    const { inplanes, planes, stride, downsample, groups, baseWidth, dilation, normLayer } = basicBlockArgs(args);
    if (groups !== 1 || baseWidth !== 64 || dilation > 1) {
      throw new ArgumentError(
        `BasicBlock(): only groups 1, baseWidth 64 and dilation 1: ${groups}, ${baseWidth}, ${dilation}; use Bottleneck`,
      );
    }
    const norm = normOf("BasicBlock", normLayer);
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = norm(planes);
    this.relu = new ReLU({ inplace: true });
    this.conv2 = conv3x3(planes, planes);
    this.bn2 = norm(planes);
    this.downsample = downsample;
    this.stride = stride;
  }

  /**
   * The output of the block: its convolutions plus its shortcut, `(N, C, H, W)` to `(N, expansion · planes, H / stride,
   * W / stride)`.
   */
  override forward(x: Tensor): Tensor {
    let out = this.relu.call(this.bn1.call(this.conv1.call(x)));
    out = this.bn2.call(this.conv2.call(out));
    const identity = this.downsample === null ? x : this.downsample.call(x) as Tensor;
    return this.relu.call(out.add_(identity));
  }
}

/** A 3x3 convolution between two 1x1 ones, and a shortcut: the block of the deeper networks. */
export class Bottleneck extends Module {
  /** The ratio of the number of output channels to `planes`. */
  static readonly expansion: number = 4;
  /** The 1x1 convolution that reduces the number of channels. */
  conv1: Conv2d;
  /** The normalisation after `conv1`. */
  bn1: Layer;
  /** The 3x3 convolution, which has the stride. */
  conv2: Conv2d;
  /** The normalisation after `conv2`. */
  bn2: Layer;
  /** The 1x1 convolution that expands the number of channels. */
  conv3: Conv2d;
  /** The normalisation after `conv3`. */
  bn3: Layer;
  /** The activation. */
  relu: ReLU;
  /** The shortcut, or `null` for the input itself. */
  downsample: Sequential | null;
  /** The stride of the block. */
  readonly stride: number;

  /** Makes a block. */
  constructor(...args: Args<typeof BlockArgs>) {
    super();
    const { inplanes, planes, stride, downsample, groups, baseWidth, dilation, normLayer } = bottleneckArgs(args);
    checkInteger("Bottleneck", "planes", planes);
    checkInteger("Bottleneck", "groups", groups);
    checkInteger("Bottleneck", "baseWidth", baseWidth);
    const norm = normOf("Bottleneck", normLayer);
    const width = Math.trunc(planes * (baseWidth / 64)) * groups;
    const outplanes = planes * Bottleneck.expansion;
    this.conv1 = conv1x1(inplanes, width);
    this.bn1 = norm(width);
    this.conv2 = conv3x3(width, width, stride, groups, dilation);
    this.bn2 = norm(width);
    this.conv3 = conv1x1(width, outplanes);
    this.bn3 = norm(outplanes);
    this.relu = new ReLU({ inplace: true });
    this.downsample = downsample;
    this.stride = stride;
  }

  /**
   * The output of the block: its convolutions plus its shortcut, `(N, C, H, W)` to `(N, expansion · planes, H / stride,
   * W / stride)`.
   */
  override forward(x: Tensor): Tensor {
    let out = this.relu.call(this.bn1.call(this.conv1.call(x)));
    out = this.relu.call(this.bn2.call(this.conv2.call(out)));
    out = this.bn3.call(this.conv3.call(out));
    const identity = this.downsample === null ? x : this.downsample.call(x) as Tensor;
    return this.relu.call(out.add_(identity));
  }
}

/** The class of a block: {@linkcode BasicBlock} or {@linkcode Bottleneck}. */
export interface BlockType {
  /** The ratio of the number of output channels to `planes`. */
  readonly expansion: number;
  /** Makes a block. */
  new (...args: Args<typeof BlockArgs>): BasicBlock | Bottleneck;
}

/** The maker of normalisations that was asked for. */
function normOf(op: string, given: NormLayer | null): NormLayer {
  if (given !== null) checkFunction(op, "normLayer", given);
  return given ?? batchNorm;
}

function batchNorm(numFeatures: number): BatchNorm2d {
  return new BatchNorm2d(numFeatures);
}

/** The parameters of {@linkcode ResNet}. */
export class ResNetArgs {
  /** Accepted for PyTorch's sake: nothing is downloaded; load a checkpoint with `loadStateDict`. */
  weights: null = null;

  constructor(
    /** The class of the blocks. */
    public block: BlockType,
    /** The number of blocks of each of the four stages. */
    public layers: readonly number[],
    /** The number of classes: the size of the output. */
    public numClasses = 1000,
    /** Whether every block is initially the same as its shortcut: the weight of its last normalisation is 0. */
    public zeroInitResidual = false,
    /** The number of groups of the 3x3 convolutions. */
    public groups = 1,
    /** The number of channels per group in the first stage. */
    public widthPerGroup = 64,
    /**
     * For each of the last three stages, whether dilation replaces the stride, so that the picture does not shrink;
     * `null`: in none.
     */
    public replaceStrideWithDilation: readonly boolean[] | null = null,
    /** The function that makes normalisation layers; `null`: `BatchNorm2d`. */
    public normLayer: NormLayer | null = null,
  ) {}
}

const resNetArgs = call("ResNet", ResNetArgs);

/**
 * A residual network for pictures `[N, 3, H, W]`.
 *
 * @see https://arxiv.org/abs/1512.03385
 */
export class ResNet extends Module {
  /** The stem's convolution. */
  conv1: Conv2d;
  /** The stem's normalisation. */
  bn1: Layer;
  /** The stem's activation. */
  relu: ReLU;
  /** The stem's pooling. */
  maxpool: MaxPool2d;
  /** The first stage, at a quarter of the size. */
  layer1: Sequential;
  /** The second stage, at an eighth. */
  layer2: Sequential;
  /** The third stage, at a sixteenth. */
  layer3: Sequential;
  /** The fourth stage, at a thirty-second. */
  layer4: Sequential;
  /** Global average pooling. */
  avgpool: AdaptiveAvgPool2d;
  /** The output layer: scores of the classes. */
  fc: Linear;
  /** The number of channels and the dilation reached so far, while stages are made. */
  #inplanes = 64;
  #dilation = 1;

  /**
   * Makes a network with weights drawn as torchvision draws them.
   *
   * @throws {ArgumentError} if `layers` or `replaceStrideWithDilation` have another length
   */
  constructor(...args: Args<typeof ResNetArgs>) {
    super();
    const options = resNetArgs(args), { block, layers } = options;
    checkFunction("ResNet", "block", block);
    checkArray("ResNet", "layers", layers);
    const dilate = options.replaceStrideWithDilation ?? [false, false, false];
    if (dilate.length !== 3) {
      throw new ArgumentError(`ResNet(): replaceStrideWithDilation must have 3 elements: ${dilate.length}`);
    }
    if (layers.length !== 4 || layers.some((n) => !Number.isInteger(n) || n < 1)) {
      throw new ArgumentError(`ResNet(): layers must be 4 positive integers: ${show(layers)}`);
    }
    if (options.weights) {
      throw new ArgumentError(
        `ResNet(): nothing is downloaded: weights ${String(options.weights)}; load a checkpoint with loadStateDict()`,
      );
    }
    this.conv1 = new Conv2d(3, this.#inplanes, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = normOf("ResNet", options.normLayer)(this.#inplanes);
    this.relu = new ReLU({ inplace: true });
    this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
    this.layer1 = this.#makeLayer(block, 64, layers[0], 1, false, options);
    this.layer2 = this.#makeLayer(block, 128, layers[1], 2, dilate[0], options);
    this.layer3 = this.#makeLayer(block, 256, layers[2], 2, dilate[1], options);
    this.layer4 = this.#makeLayer(block, 512, layers[3], 2, dilate[2], options);
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.fc = new Linear(512 * block.expansion, options.numClasses);
    this.#initialise(options.zeroInitResidual);
  }

  #makeLayer(
    block: BlockType,
    planes: number,
    blocks: number,
    stride: number,
    dilate: boolean,
    options: Readonly<ResNetArgs>,
  ): Sequential {
    const norm = normOf("ResNet", options.normLayer);
    const shared = { groups: options.groups, baseWidth: options.widthPerGroup, normLayer: norm };
    const outplanes = planes * block.expansion;
    const dilation = this.#dilation;
    if (dilate) {
      this.#dilation *= stride;
      stride = 1;
    }
    const downsample = stride !== 1 || this.#inplanes !== outplanes
      ? new Sequential(conv1x1(this.#inplanes, outplanes, stride), norm(outplanes))
      : null;
    const made = [new block(this.#inplanes, planes, { ...shared, stride, downsample, dilation })];
    this.#inplanes = outplanes;
    while (made.length < blocks) made.push(new block(outplanes, planes, { ...shared, dilation: this.#dilation }));
    return new Sequential(...made);
  }

  #initialise(zeroInitResidual: boolean): void {
    for (const m of this.modules()) {
      if (m instanceof Conv2d) init.kaimingNormal_(m.weight, { mode: "fan_out", nonlinearity: "relu" });
      else if (m instanceof BatchNorm2d || m instanceof GroupNorm) {
        if (m.weight) init.constant_(m.weight, 1);
        if (m.bias) init.constant_(m.bias, 0);
      }
    }
    if (!zeroInitResidual) return;
    for (const m of this.modules()) {
      const last = m instanceof Bottleneck ? m.bn3 : m instanceof BasicBlock ? m.bn2 : null;
      if ((last instanceof BatchNorm2d || last instanceof GroupNorm) && last.weight) init.constant_(last.weight, 0);
    }
  }

  /**
   * The scores of the classes (logits).
   *
   * Shape: `[N, 3, H, W]` to `[N, numClasses]`.
   */
  override forward(x: Tensor): Tensor {
    x = this.maxpool.call(this.relu.call(this.bn1.call(this.conv1.call(x))));
    x = this.layer1.call(x) as Tensor;
    x = this.layer2.call(x) as Tensor;
    x = this.layer3.call(x) as Tensor;
    x = this.layer4.call(x) as Tensor;
    return this.fc.call(this.avgpool.call(x).flatten(1));
  }
}

/** The parameters of the functions that make a ResNet of a known kind. */
export class ResNetModelArgs {
  /** The number of classes: the size of the output. */
  numClasses = 1000;
  /** Whether every block is initially the same as its shortcut: the weight of its last normalisation is 0. */
  zeroInitResidual = false;
  /** The number of groups of the 3x3 convolutions. */
  groups = 1;
  /** The number of channels per group in the first stage. */
  widthPerGroup = 64;
  /**
   * For each of the last three stages, whether dilation replaces the stride, so that the picture does not shrink;
   * `null`: in none.
   */
  replaceStrideWithDilation: readonly boolean[] | null = null;
  /** The function that makes normalisation layers; `null`: `BatchNorm2d`. */
  normLayer: NormLayer | null = null;
  /** Accepted for PyTorch's sake: nothing is downloaded; load a checkpoint with `loadStateDict`. */
  weights: null = null;
}

/** {@linkcode ResNetModelArgs} of {@linkcode resnext50_32x4d}. */
export class ResNeXt32x4dArgs extends ResNetModelArgs {
  /** The number of groups of the 3x3 convolutions. */
  override groups = 32;
  /** The number of channels per group in the first stage. */
  override widthPerGroup = 4;
}

/** {@linkcode ResNetModelArgs} of {@linkcode resnext101_32x8d}. */
export class ResNeXt32x8dArgs extends ResNetModelArgs {
  /** The number of groups of the 3x3 convolutions. */
  override groups = 32;
  /** The number of channels per group in the first stage. */
  override widthPerGroup = 8;
}

/** {@linkcode ResNetModelArgs} of the networks whose 3x3 convolutions are twice as wide. */
export class WideResNetArgs extends ResNetModelArgs {
  /** The number of channels per group in the first stage. */
  override widthPerGroup = 128;
}

/** Defines the function that makes a variant of ResNet. */
function model<C extends typeof ResNetModelArgs>(
  name: string,
  params: C,
  block: BlockType,
  layers: readonly number[],
): (...args: Args<C>) => ResNet {
  const parse = call(name, params);
  const made = (...args: Args<C>): ResNet => new ResNet(block, layers, { ...parse(args) });
  Object.defineProperty(made, "name", { value: name });
  return made;
}

/**
 * ResNet-18: 11.7 million parameters.
 *
 * Differs from PyTorch: nothing is downloaded; load a checkpoint with `loadStateDict`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const model = resnet18({ numClasses: 10 }).eval();
 * assertEquals(model.call(torch.randn(1, 3, 32, 32)).shape, [1, 10]);
 * ```
 */
export const resnet18: (...args: Args<typeof ResNetModelArgs>) => ResNet = model(
  "resnet18",
  ResNetModelArgs,
  BasicBlock,
  [2, 2, 2, 2],
);

/** ResNet-34: 21.8 million parameters; see {@linkcode resnet18}. */
export const resnet34: (...args: Args<typeof ResNetModelArgs>) => ResNet = model(
  "resnet34",
  ResNetModelArgs,
  BasicBlock,
  [3, 4, 6, 3],
);

/** ResNet-50: 25.6 million parameters; see {@linkcode resnet18}. */
export const resnet50: (...args: Args<typeof ResNetModelArgs>) => ResNet = model(
  "resnet50",
  ResNetModelArgs,
  Bottleneck,
  [3, 4, 6, 3],
);

/** ResNet-101: 44.5 million parameters; see {@linkcode resnet18}. */
export const resnet101: (...args: Args<typeof ResNetModelArgs>) => ResNet = model(
  "resnet101",
  ResNetModelArgs,
  Bottleneck,
  [3, 4, 23, 3],
);

/** ResNet-152: 60.2 million parameters; see {@linkcode resnet18}. */
export const resnet152: (...args: Args<typeof ResNetModelArgs>) => ResNet = model(
  "resnet152",
  ResNetModelArgs,
  Bottleneck,
  [3, 8, 36, 3],
);

/** ResNeXt-50 with 32 groups of 4 channels: 25.0 million parameters; see {@linkcode resnet18}. */
export const resnext50_32x4d: (...args: Args<typeof ResNeXt32x4dArgs>) => ResNet = model(
  "resnext50_32x4d",
  ResNeXt32x4dArgs,
  Bottleneck,
  [3, 4, 6, 3],
);

/** ResNeXt-101 with 32 groups of 8 channels: 88.8 million parameters; see {@linkcode resnet18}. */
export const resnext101_32x8d: (...args: Args<typeof ResNeXt32x8dArgs>) => ResNet = model(
  "resnext101_32x8d",
  ResNeXt32x8dArgs,
  Bottleneck,
  [3, 4, 23, 3],
);

/** ResNet-50 with 3x3 convolutions twice as wide: 68.9 million parameters; see {@linkcode resnet18}. */
export const wideResnet50_2: (...args: Args<typeof WideResNetArgs>) => ResNet = model(
  "wideResnet50_2",
  WideResNetArgs,
  Bottleneck,
  [3, 4, 6, 3],
);

/** ResNet-101 with 3x3 convolutions twice as wide: 126.9 million parameters; see {@linkcode resnet18}. */
export const wideResnet101_2: (...args: Args<typeof WideResNetArgs>) => ResNet = model(
  "wideResnet101_2",
  WideResNetArgs,
  Bottleneck,
  [3, 4, 23, 3],
);
