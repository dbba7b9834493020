/**
 * `nn`: modules, layers and losses; `nn.functional` has the functions, `nn.init` the initialisers.
 *
 * @module
 */

import "../ops/attach.ts";
export * as functional from "./functional.ts";
export * as init from "./init.ts";
export * as utils from "./utils.ts";
export { Module } from "./module/module.ts";
export { Buffer, Parameter } from "./module/parameter.ts";
export { IncompatibleKeys, type StateDict } from "./module/state_dict.ts";

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
} from "./layers/activation.ts";
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
} from "./layers/batchnorm.ts";
export { MultiheadAttention } from "./layers/attention.ts";
export { ModuleList, ParameterList, Sequential } from "./layers/container.ts";
export { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from "./layers/conv.ts";
export { AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout } from "./layers/dropout.ts";
export { ModuleDict, ParameterDict } from "./layers/dictionary.ts";
export { Bilinear, Identity, Linear } from "./layers/linear.ts";
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
} from "./layers/loss.ts";
export { GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm } from "./layers/normalization.ts";
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
} from "./layers/padding.ts";
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
} from "./layers/pooling.ts";
export { GRU, GRUCell, LSTM, LSTMCell, RNN, RNNBase, RNNCell } from "./layers/rnn.ts";
export { ChannelShuffle, Flatten, Fold, PixelShuffle, PixelUnshuffle, Unflatten, Unfold } from "./layers/shaping.ts";
export { Embedding, EmbeddingBag } from "./layers/sparse.ts";
export {
  CosineSimilarity,
  PairwiseDistance,
  Upsample,
  UpsamplingBilinear2d,
  UpsamplingNearest2d,
} from "./layers/upsampling.ts";
export {
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "./layers/transformer.ts";
export { LogSoftmax, Softmax, Softmax2d, Softmin } from "./layers/softmax_layers.ts";
export {
  CosineEmbeddingLoss,
  HingeEmbeddingLoss,
  MarginRankingLoss,
  MultiMarginLoss,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
} from "./layers/loss_margin.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { RReLUArgs } from "./layers/activation.ts";
export type { AttentionCallArgs, NonDynamicallyQuantizableLinear } from "./layers/attention.ts";
export type {
  Affine,
  BatchNorm,
  BatchNormLayerArgs,
  InstanceNorm,
  InstanceNormLayerArgs,
  NormBase,
  NormTensors,
} from "./layers/batchnorm.ts";
export type { AppendArgs, IndexArgs, InsertArgs, ModuleSequence } from "./layers/container.ts";
export type {
  ConvBase,
  ConvLayerArgs,
  ConvNd,
  Convolve,
  ConvolveTranspose,
  ConvTransposeLayerArgs,
  ConvTransposeNd,
  PaddingMode,
} from "./layers/conv.ts";
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
} from "./layers/dictionary.ts";
export type { DropoutLayerArgs } from "./layers/dropout.ts";
export type { BiasOf, Both, FactoryArgs, Given, Placed, Size, Where } from "./module/factory.ts";
export type { HookList } from "./module/hooks.ts";
export type { InPlaceForm, RreluInPlaceArgs } from "./in_place.ts";
export type { FunctionModule, Layer, LayerOf } from "./module/layer.ts";
export type { BilinearLayerArgs, LinearLayerArgs } from "./layers/linear.ts";
export type {
  CTCInputs,
  CTCLossArgs,
  GaussianInputs,
  GaussianNLLLossArgs,
  HuberLossLayerArgs,
  KLDivLossArgs,
} from "./layers/loss.ts";
export type { LossInputs } from "./layers/loss_base.ts";
export type {
  MarginLossArgs,
  PairInputs,
  TripletDistanceLossArgs,
  TripletInputs,
  TripletMarginLossLayerArgs,
} from "./layers/loss_margin.ts";
export type { ModuleState } from "./module/module.ts";
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
} from "./module/module_args.ts";
export type { ModuleBase, WithoutForward, WritesForward } from "./module/module_base.ts";
export type { ForwardHook, Grads, ModuleHooks } from "./module/module_hooks.ts";
export type { Elementwise, GroupNormLayerArgs, LayerNormLayerArgs, RMSNormLayerArgs } from "./layers/normalization.ts";
export type { ConstantPaddingArgs, PaddingArgs } from "./layers/padding.ts";
export type {
  AdaptiveMaxPoolLayer,
  MaxPoolLayer,
  MaxPoolLayerArgs,
  MaxUnpoolLayerArgs,
  UnpoolInputs,
  WithIndices,
} from "./layers/pooling.ts";
export type { RecurrentCell, RecurrentKind, RecurrentStep, RecurrentWeights } from "./layers/rnn.ts";
export type { FlattenLayerArgs, UnflattenLayerArgs } from "./layers/shaping.ts";
export type { FunctionalSoftmaxArgs, GumbelSoftmaxArgs } from "./softmax.ts";
export type { SoftmaxLayerArgs } from "./layers/softmax_layers.ts";
export type {
  DecoderCallArgs,
  EncoderCallArgs,
  EncoderLayerCallArgs,
  TransformerCallArgs,
} from "./layers/transformer.ts";
export type {
  CosineSimilarityLayerArgs,
  FixedUpsampleArgs,
  PairwiseDistanceLayerArgs,
  UpsampleArgs,
} from "./layers/upsampling.ts";
