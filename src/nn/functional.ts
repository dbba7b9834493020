/**
 * `nn.functional`: the functions that layers are made of.
 *
 * @module
 */

import "../ops/attach.ts";
export {
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logsigmoid,
  mish,
  prelu,
  relu,
  relu6,
  rrelu,
  selu,
  silu,
  softplus,
  softshrink,
  softsign,
  tanhshrink,
  threshold,
} from "../ops/pointwise/activation.ts";
export { scaledDotProductAttention } from "../ops/nn/attention.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "../ops/nn/conv.ts";
export {
  alphaDropout,
  dropout,
  dropout1d,
  dropout2d,
  dropout3d,
  featureAlphaDropout,
} from "../ops/pointwise/dropout.ts";
export { ctcLoss } from "../ops/loss/ctc.ts";
export { embedding, oneHot } from "../ops/index/embedding.ts";
export { embeddingBag } from "../ops/index/embedding_bag.ts";
export { fold, unfold } from "../ops/nn/fold.ts";
export { affineGrid, gridSample } from "../ops/nn/grid_sample.ts";
export { interpolate } from "../ops/nn/interpolate.ts";
export { bilinear, linear } from "../ops/linalg/linear.ts";
export { scaledMm, ScalingType } from "../ops/linalg/scaled_mm.ts";
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  gaussianNllLoss,
  hingeEmbeddingLoss,
  huberLoss,
  klDiv,
  l1Loss,
  marginRankingLoss,
  mseLoss,
  poissonNllLoss,
  smoothL1Loss,
  softMarginLoss,
} from "../ops/loss/loss.ts";
export {
  crossEntropy,
  multilabelMarginLoss,
  multilabelSoftMarginLoss,
  multiMarginLoss,
  nllLoss,
} from "../ops/loss/loss_class.ts";
export {
  cosineEmbeddingLoss,
  cosineSimilarity,
  normalize,
  pairwiseDistance,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from "../ops/loss/loss_embedding.ts";
export { multiHeadAttentionForward } from "../ops/nn/multi_head.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm, localResponseNorm, rmsNorm } from "../ops/nn/norm.ts";
export { pad } from "../ops/shape/pad.ts";
export { channelShuffle, pixelShuffle, pixelUnshuffle } from "../ops/shape/pixel.ts";
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  lpPool1d,
  lpPool2d,
  lpPool3d,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
} from "../ops/nn/pool.ts";
export { celu_, elu_, hardtanh_, leakyRelu_, relu_, rrelu_, selu_, threshold_ } from "./in_place.ts";
export { gumbelSoftmax, logSoftmax, softmax, softmin } from "./softmax.ts";
export { sigmoid, tanh } from "../ops/pointwise/unary.ts";
export { maxUnpool1d, maxUnpool2d, maxUnpool3d } from "../ops/nn/unpool.ts";
