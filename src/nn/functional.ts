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
} from "../ops/activation.ts";
export { scaledDotProductAttention } from "../ops/attention.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "../ops/conv.ts";
export { alphaDropout, dropout, dropout1d, dropout2d, dropout3d, featureAlphaDropout } from "../ops/dropout.ts";
export { ctcLoss } from "../ops/ctc.ts";
export { embedding, oneHot } from "../ops/embedding.ts";
export { embeddingBag } from "../ops/embedding_bag.ts";
export { fold, unfold } from "../ops/fold.ts";
export { affineGrid, gridSample } from "../ops/grid_sample.ts";
export { interpolate } from "../ops/interpolate.ts";
export { bilinear, linear } from "../ops/linear.ts";
export { scaledMm, ScalingType } from "../ops/scaled_mm.ts";
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
} from "../ops/loss.ts";
export {
  crossEntropy,
  multilabelMarginLoss,
  multilabelSoftMarginLoss,
  multiMarginLoss,
  nllLoss,
} from "../ops/loss_class.ts";
export {
  cosineEmbeddingLoss,
  cosineSimilarity,
  normalize,
  pairwiseDistance,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from "../ops/loss_embedding.ts";
export { multiHeadAttentionForward } from "../ops/multi_head.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm, localResponseNorm, rmsNorm } from "../ops/norm.ts";
export { pad } from "../ops/pad.ts";
export { channelShuffle, pixelShuffle, pixelUnshuffle } from "../ops/pixel.ts";
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
} from "../ops/pool.ts";
export { celu_, elu_, hardtanh_, leakyRelu_, relu_, rrelu_, selu_, threshold_ } from "./in_place.ts";
export { gumbelSoftmax, logSoftmax, softmax, softmin } from "./softmax.ts";
export { sigmoid, tanh } from "../ops/unary.ts";
export { maxUnpool1d, maxUnpool2d, maxUnpool3d } from "../ops/unpool.ts";
