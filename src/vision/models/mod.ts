/**
 * `vision.models`: networks with torchvision's names and state-dict keys.
 *
 * @see https://docs.pytorch.org/vision/stable/models.html
 * @module
 */

import "../../ops/attach.ts";
export {
  BasicBlock,
  type BlockOptions,
  type BlockType,
  Bottleneck,
  type Layer,
  type NormLayer,
  ResNet,
  resnet101,
  resnet152,
  resnet18,
  resnet34,
  resnet50,
  type ResNetOptions,
  resnext101_32x8d,
  resnext50_32x4d,
  wideResnet101_2,
  wideResnet50_2,
} from "./resnet.ts";
