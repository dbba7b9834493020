/**
 * `nn`: modules, layers and losses; `nn.functional` has the functions, `nn.init` the initialisers.
 *
 * @module
 */

import "../ops/attach.ts";
export * as functional from "./functional.ts";
export * as init from "./init.ts";
export * as utils from "./utils.ts";
export { Module } from "./module.ts";
export { Buffer, Parameter } from "./parameter.ts";
export { IncompatibleKeys, type StateDict } from "./state_dict.ts";

export {
  CELU,
  ELU,
  GELU,
  GLU,
  Hardshrink,
  Hardsigmoid,
  Hardswish,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  RReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softplus,
  Softshrink,
  Softsign,
  Tanh,
  Tanhshrink,
  Threshold,
} from "./activation.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./batchnorm.ts";
export { MultiheadAttention } from "./attention.ts";
export { ModuleList, ParameterList, Sequential } from "./container.ts";
export { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from "./conv.ts";
export { AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout } from "./dropout.ts";
export { ModuleDict, ParameterDict } from "./dictionary.ts";
export { Bilinear, Identity, Linear } from "./linear.ts";
export {
  BCELoss,
  BCEWithLogitsLoss,
  CrossEntropyLoss,
  CTCLoss,
  GaussianNLLLoss,
  HuberLoss,
  KLDivLoss,
  L1Loss,
  MSELoss,
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  NLLLoss,
  PoissonNLLLoss,
  SmoothL1Loss,
  SoftMarginLoss,
} from "./loss.ts";
export { GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm } from "./normalization.ts";
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from "./padding.ts";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  LPPool1d,
  LPPool2d,
  LPPool3d,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  MaxUnpool1d,
  MaxUnpool2d,
  MaxUnpool3d,
} from "./pooling.ts";
export { GRU, GRUCell, LSTM, LSTMCell, RNN, RNNBase, RNNCell } from "./rnn.ts";
export { ChannelShuffle, Flatten, Fold, PixelShuffle, PixelUnshuffle, Unflatten, Unfold } from "./shaping.ts";
export { Embedding, EmbeddingBag } from "./sparse.ts";
export {
  CosineSimilarity,
  PairwiseDistance,
  Upsample,
  UpsamplingBilinear2d,
  UpsamplingNearest2d,
} from "./upsampling.ts";
export {
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "./transformer.ts";
export { LogSoftmax, Softmax, Softmax2d, Softmin } from "./softmax_layers.ts";
export {
  CosineEmbeddingLoss,
  HingeEmbeddingLoss,
  MarginRankingLoss,
  MultiMarginLoss,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
} from "./loss_margin.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { RReLUArgs } from "./activation.ts";
export type { AttentionCallArgs, NonDynamicallyQuantizableLinear } from "./attention.ts";
export type {
  Affine,
  BatchNorm,
  BatchNormLayerArgs,
  InstanceNorm,
  InstanceNormLayerArgs,
  NormBase,
  NormTensors,
} from "./batchnorm.ts";
export type { AppendArgs, IndexArgs, InsertArgs, ModuleSequence } from "./container.ts";
export type {
  ConvBase,
  ConvLayerArgs,
  ConvNd,
  Convolve,
  ConvolveTranspose,
  ConvTransposeLayerArgs,
  ConvTransposeNd,
  PaddingMode,
} from "./conv.ts";
export type {
  AsParameters,
  Attributes,
  Dictionary,
  Entries,
  Item,
  ModuleDictClass,
  ModuleTable,
  ParameterDictClass,
  ParameterTable,
} from "./dictionary.ts";
export type { DropoutLayerArgs } from "./dropout.ts";
export type { BiasOf, Both, FactoryArgs, Given, Placed, Size, Where } from "./factory.ts";
export type { HookList } from "./hooks.ts";
export type { InPlaceForm, RreluInPlaceArgs } from "./in_place.ts";
export type { FunctionModule, Layer, LayerOf } from "./layer.ts";
export type { BilinearLayerArgs, LinearLayerArgs } from "./linear.ts";
export type {
  CTCInputs,
  CTCLossArgs,
  GaussianInputs,
  GaussianNLLLossArgs,
  HuberLossLayerArgs,
  KLDivLossArgs,
} from "./loss.ts";
export type { LossInputs } from "./loss_base.ts";
export type {
  MarginLossArgs,
  PairInputs,
  TripletDistanceLossArgs,
  TripletInputs,
  TripletMarginLossLayerArgs,
} from "./loss_margin.ts";
export type { ModuleState } from "./module.ts";
export type {
  ApplyArgs,
  ForwardHookArgs,
  LoadStateDictArgs,
  ModuleCudaArgs,
  ModuleHookArgs,
  ModuleToArgs,
  ModuleTypeArgs,
  NamedModulesArgs,
  NamedTensorsArgs,
  RecurseArgs,
  RegisterBufferArgs,
  RegisterModuleArgs,
  RegisterParameterArgs,
  SetSubmoduleArgs,
  StateDictArgs,
  TargetArgs,
  ToEmptyArgs,
  TrainArgs,
  ZeroGradArgs,
} from "./module_args.ts";
export type { ModuleBase, WithoutForward, WritesForward } from "./module_base.ts";
export type { ForwardHook, Grads, ModuleHooks } from "./module_hooks.ts";
export type { Elementwise, GroupNormLayerArgs, LayerNormLayerArgs, RMSNormLayerArgs } from "./normalization.ts";
export type { ConstantPaddingArgs, PaddingArgs } from "./padding.ts";
export type {
  AdaptiveMaxPoolLayer,
  MaxPoolLayer,
  MaxPoolLayerArgs,
  MaxUnpoolLayerArgs,
  UnpoolInputs,
  WithIndices,
} from "./pooling.ts";
export type { RecurrentCell, RecurrentKind, RecurrentStep, RecurrentWeights } from "./rnn.ts";
export type { FlattenLayerArgs, UnflattenLayerArgs } from "./shaping.ts";
export type { FunctionalSoftmaxArgs, GumbelSoftmaxArgs } from "./softmax.ts";
export type { SoftmaxLayerArgs } from "./softmax_layers.ts";
export type { DecoderCallArgs, EncoderCallArgs, EncoderLayerCallArgs, TransformerCallArgs } from "./transformer.ts";
export type {
  CosineSimilarityLayerArgs,
  FixedUpsampleArgs,
  PairwiseDistanceLayerArgs,
  UpsampleArgs,
} from "./upsampling.ts";
