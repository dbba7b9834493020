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

import { checkNames } from "../../base/args.ts";
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

/** A layer from one tensor to one. */
export interface Layer extends Module {
  /** The computation. */
  forward(input: Tensor): Tensor;
}

/** Makes the normalisation of a number of channels. */
export type NormLayer = (numFeatures: number) => Layer;

/** What both kinds of block take. */
export interface BlockOptions {
  /** Step of the block's 3x3 convolution. @default {1} */
  stride?: number;
  /** The shortcut where the block changes the shape; `null` for the input itself. @default {null} */
  downsample?: Sequential | null;
  /** Groups of the 3x3 convolution. @default {1} */
  groups?: number;
  /** Channels per group of the 3x3 convolution where `planes` is 64. @default {64} */
  baseWidth?: number;
  /** Step between the taps of the 3x3 convolution. @default {1} */
  dilation?: number;
  /** The normalisations. @default {BatchNorm2d} */
  normLayer?: NormLayer | null;
}

function conv3x3(inPlanes: number, outPlanes: number, stride = 1, groups = 1, dilation = 1): Conv2d {
  return new Conv2d(inPlanes, outPlanes, 3, { stride, padding: dilation, groups, bias: false, dilation });
}

function conv1x1(inPlanes: number, outPlanes: number, stride = 1): Conv2d {
  return new Conv2d(inPlanes, outPlanes, 1, { stride, bias: false });
}

/** Two 3x3 convolutions and a shortcut: the block of ResNet-18 and ResNet-34. */
export class BasicBlock extends Module {
  /** How many times `planes` the output has channels. */
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
  /** Step of the block. */
  readonly stride: number;

  /**
   * Makes a block.
   *
   * @param inplanes channels of the input
   * @param planes channels of the convolutions
   * @throws {ArgumentError} if groups, width or dilation are not the usual ones
   */
  constructor(inplanes: number, planes: number, o: BlockOptions = {}) {
    super();
    const { stride = 1, downsample = null, groups = 1, baseWidth = 64, dilation = 1 } = o;
    if (groups !== 1 || baseWidth !== 64 || dilation > 1) {
      throw new ArgumentError(
        `BasicBlock(): only groups 1, baseWidth 64 and dilation 1: ${groups}, ${baseWidth}, ${dilation}; use Bottleneck`,
      );
    }
    const norm = o.normLayer ?? batchNorm;
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = norm(planes);
    this.relu = new ReLU({ inplace: true });
    this.conv2 = conv3x3(planes, planes);
    this.bn2 = norm(planes);
    this.downsample = downsample;
    this.stride = stride;
  }

  /** The block's function plus its shortcut. */
  override forward(x: Tensor): Tensor {
    let out = this.relu.call(this.bn1.call(this.conv1.call(x)));
    out = this.bn2.call(this.conv2.call(out));
    const identity = this.downsample === null ? x : this.downsample.call(x) as Tensor;
    return this.relu.call(out.add_(identity));
  }
}

/** A 3x3 convolution between two 1x1 ones, and a shortcut: the block of the deeper networks. */
export class Bottleneck extends Module {
  /** How many times `planes` the output has channels. */
  static readonly expansion: number = 4;
  /** The convolution that narrows. */
  conv1: Conv2d;
  /** Its normalisation. */
  bn1: Layer;
  /** The 3x3 convolution, which has the stride. */
  conv2: Conv2d;
  /** Its normalisation. */
  bn2: Layer;
  /** The convolution that widens. */
  conv3: Conv2d;
  /** Its normalisation. */
  bn3: Layer;
  /** The activation. */
  relu: ReLU;
  /** The shortcut, or `null` for the input itself. */
  downsample: Sequential | null;
  /** Step of the block. */
  readonly stride: number;

  /**
   * Makes a block.
   *
   * @param inplanes channels of the input
   * @param planes a quarter of the output's channels
   */
  constructor(inplanes: number, planes: number, o: BlockOptions = {}) {
    super();
    const { stride = 1, downsample = null, groups = 1, baseWidth = 64, dilation = 1 } = o;
    const norm = o.normLayer ?? batchNorm;
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

  /** The block's function plus its shortcut. */
  override forward(x: Tensor): Tensor {
    let out = this.relu.call(this.bn1.call(this.conv1.call(x)));
    out = this.relu.call(this.bn2.call(this.conv2.call(out)));
    out = this.bn3.call(this.conv3.call(out));
    const identity = this.downsample === null ? x : this.downsample.call(x) as Tensor;
    return this.relu.call(out.add_(identity));
  }
}

/** A kind of block. */
export interface BlockType {
  /** How many times `planes` the output has channels. */
  readonly expansion: number;
  /** Makes a block. */
  new (inplanes: number, planes: number, options?: BlockOptions): BasicBlock | Bottleneck;
}

function batchNorm(numFeatures: number): BatchNorm2d {
  return new BatchNorm2d(numFeatures);
}

/** What {@linkcode ResNet} and the functions that make one take. */
export interface ResNetOptions {
  /** Size of the output. @default {1000} */
  numClasses?: number;
  /** Whether every block starts as its shortcut: the last normalisation's factors are 0. @default {false} */
  zeroInitResidual?: boolean;
  /** Groups of the 3x3 convolutions. @default {1} */
  groups?: number;
  /** Channels per group in the first stage. @default {64} */
  widthPerGroup?: number;
  /** For each of the last three stages, whether taps move apart instead of the picture shrinking. @default {null} */
  replaceStrideWithDilation?: readonly boolean[] | null;
  /** The normalisations. @default {BatchNorm2d} */
  normLayer?: NormLayer | null;
  /** Accepted for PyTorch's sake: nothing is downloaded; load a checkpoint with `loadStateDict`. */
  weights?: null;
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
  "numClasses",
  "zeroInitResidual",
  "groups",
  "widthPerGroup",
  "replaceStrideWithDilation",
  "normLayer",
  "weights",
]);

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
  /** The mean of every channel. */
  avgpool: AdaptiveAvgPool2d;
  /** The classes' scores. */
  fc: Linear;
  /** Channels and dilation so far, while stages are made. */
  #inplanes = 64;
  #dilation = 1;

  /**
   * Makes a network with weights drawn as torchvision draws them.
   *
   * @param block the kind of block
   * @param layers how many blocks each of the four stages has
   * @throws {ArgumentError} if `layers` or `replaceStrideWithDilation` have another length
   */
  constructor(block: BlockType, layers: readonly number[], options: ResNetOptions = {}) {
    super();
    checkNames("ResNet", options, OPTION_NAMES);
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
    this.bn1 = (options.normLayer ?? batchNorm)(this.#inplanes);
    this.relu = new ReLU({ inplace: true });
    this.maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
    this.layer1 = this.#makeLayer(block, 64, layers[0], 1, false, options);
    this.layer2 = this.#makeLayer(block, 128, layers[1], 2, dilate[0], options);
    this.layer3 = this.#makeLayer(block, 256, layers[2], 2, dilate[1], options);
    this.layer4 = this.#makeLayer(block, 512, layers[3], 2, dilate[2], options);
    this.avgpool = new AdaptiveAvgPool2d([1, 1]);
    this.fc = new Linear(512 * block.expansion, options.numClasses ?? 1000);
    this.#initialise(options.zeroInitResidual ?? false);
  }

  #makeLayer(
    block: BlockType,
    planes: number,
    blocks: number,
    stride: number,
    dilate: boolean,
    options: ResNetOptions,
  ): Sequential {
    const norm = options.normLayer ?? batchNorm;
    const shared = { groups: options.groups ?? 1, baseWidth: options.widthPerGroup ?? 64, normLayer: norm };
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
   * The classes' scores.
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
export function resnet18(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [2, 2, 2, 2], options);
}

/** ResNet-34: 21.8 million parameters; see {@linkcode resnet18}. */
export function resnet34(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [3, 4, 6, 3], options);
}

/** ResNet-50: 25.6 million parameters; see {@linkcode resnet18}. */
export function resnet50(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], options);
}

/** ResNet-101: 44.5 million parameters; see {@linkcode resnet18}. */
export function resnet101(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 23, 3], options);
}

/** ResNet-152: 60.2 million parameters; see {@linkcode resnet18}. */
export function resnet152(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 8, 36, 3], options);
}

/** ResNeXt-50 with 32 groups of 4 channels: 25.0 million parameters; see {@linkcode resnet18}. */
export function resnext50_32x4d(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], { groups: 32, widthPerGroup: 4, ...options });
}

/** ResNeXt-101 with 32 groups of 8 channels: 88.8 million parameters; see {@linkcode resnet18}. */
export function resnext101_32x8d(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 23, 3], { groups: 32, widthPerGroup: 8, ...options });
}

/** ResNet-50 with 3x3 convolutions twice as wide: 68.9 million parameters; see {@linkcode resnet18}. */
export function wideResnet50_2(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], { widthPerGroup: 128, ...options });
}

/** ResNet-101 with 3x3 convolutions twice as wide: 126.9 million parameters; see {@linkcode resnet18}. */
export function wideResnet101_2(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 23, 3], { widthPerGroup: 128, ...options });
}
