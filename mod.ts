/**
 * Cresset: PyTorch's tensors, autograd, layers and optimizers for Deno.
 *
 * This file is the public API: everything a user can import stands here by name.
 *
 * @module
 */

import "./src/ops/attach.ts";

// Base
export {
  ArgumentError,
  AutogradError,
  DeviceError,
  DTypeError,
  FormatError,
  IndexError,
  NativeError,
  OutOfMemoryError,
  ReleasedError,
  ShapeError,
} from "./src/base/errors.ts";
export {
  bfloat16,
  bool,
  canCast,
  complex128,
  complex64,
  DType,
  float16,
  float32,
  float64,
  float8E4m3fn,
  float8E5m2,
  getDefaultDtype,
  int16,
  int32,
  int64,
  int8,
  promoteTypes,
  setDefaultDtype,
  uint8,
} from "./src/base/dtype.ts";
export {
  float16 as half,
  float32 as float,
  float64 as double,
  int16 as short,
  int32 as int,
  int64 as long,
} from "./src/base/dtype.ts";
export { complex128 as cdouble, complex64 as cfloat } from "./src/base/dtype.ts";
export { e, finfo, iinfo, inf, nan, newaxis, pi } from "./src/base/limits.ts";
export { Device, device } from "./src/base/device.ts";
export {
  channelsLast,
  channelsLast3d,
  contiguousFormat,
  type MemoryFormat,
  preserveFormat,
} from "./src/base/layout.ts";
export { Scalar, scalar } from "./src/base/scalar.ts";
export { getDefaultDevice, openDevice, setDefaultDevice } from "./src/backend/mod.ts";

export {
  type Float32MatmulPrecision,
  getFloat32MatmulPrecision,
  setFloat32MatmulPrecision,
} from "./src/backend/cublas.ts";
export * as backends from "./src/backend/backends_api.ts";
export * as cuda from "./src/utils/cuda.ts";
export * as webgpu from "./src/backend/webgpu_api.ts";

// Tensors
export { Tensor } from "./src/tensor/tensor.ts";
export { keep, scope } from "./src/tensor/scope.ts";
export { collectGarbage, emptyCache, info, memoryStats, resetPeakMemoryStats } from "./src/tensor/memory.ts";

export { isComplex, isFloatingPoint, isSameSize, isTensor, numel, resultType } from "./src/ops/queries.ts";

// Autograd
export * as amp from "./src/amp/mod.ts";
export * as autograd from "./src/autograd/mod.ts";
export {
  enableGrad,
  inferenceMode,
  isGradEnabled,
  isInferenceModeEnabled,
  noGrad,
  setGradEnabled,
} from "./src/autograd/mode.ts";
export {
  autocast,
  clearAutocastCache,
  getAutocastDtype,
  isAutocastCacheEnabled,
  isAutocastEnabled,
  setAutocastCacheEnabled,
  setAutocastDtype,
  setAutocastEnabled,
} from "./src/autograd/autocast.ts";

// Creation
export {
  asTensor,
  empty,
  emptyLike,
  emptyStrided,
  fromBytes,
  fromData,
  full,
  fullLike,
  ones,
  onesLike,
  scalarTensor,
  tensor,
  zeros,
  zerosLike,
} from "./src/ops/creation.ts";
export { arange, eye, linspace, logspace } from "./src/ops/ranges.ts";
export { clone, zero_ } from "./src/ops/convert.ts";

// Randomness
export { defaultGenerator, Generator, initialSeed, manualSeed, seed } from "./src/base/generator.ts";
export * as random from "./src/ops/random_state.ts";
export { forkRng, getRngState, setRngState } from "./src/ops/random_state.ts";
export { normal, rand, randint, randintLike, randLike, randn, randnLike, randperm } from "./src/ops/random.ts";
export { bernoulli, multinomial } from "./src/ops/sampling.ts";
export { alphaDropout, dropout, featureAlphaDropout } from "./src/ops/dropout.ts";
export { getPrintoptions, setPrintoptions } from "./src/tensor/print.ts";

// Pointwise
export {
  adjoint,
  asStrided,
  asStridedScatter,
  broadcastTo,
  diagonal,
  diagonalScatter,
  flatten,
  moveaxis,
  movedim,
  narrow,
  narrowCopy,
  permute,
  ravel,
  reshape,
  resolveConj,
  resolveNeg,
  select,
  selectScatter,
  sliceScatter,
  squeeze,
  swapaxes,
  swapdims,
  t,
  transpose,
  unflatten,
  unsqueeze,
  viewAsComplex,
  viewAsReal,
} from "./src/ops/shape.ts";
export {
  atleast1d,
  atleast2d,
  atleast3d,
  chunk,
  dsplit,
  hsplit,
  split,
  splitWithSizes,
  tensorSplit,
  unbind,
  vsplit,
} from "./src/ops/split.ts";
export {
  blockDiag,
  broadcastShapes,
  broadcastTensors,
  cartesianProd,
  cat,
  columnStack,
  concat,
  concatenate,
  dstack,
  hstack,
  kron,
  meshgrid,
  repeatInterleave,
  rowStack,
  stack,
  tile,
  vstack,
} from "./src/ops/join.ts";
export {
  combinations,
  diag,
  diagEmbed,
  diagflat,
  flip,
  fliplr,
  flipud,
  roll,
  rot90,
  trace,
  tril,
  trilIndices,
  triu,
  triuIndices,
} from "./src/ops/arrange.ts";
export {
  gather,
  indexAdd,
  indexCopy,
  indexFill,
  indexSelect,
  put,
  scatter,
  scatterAdd,
  take,
  takeAlongDim,
} from "./src/ops/indexing.ts";
export { indexReduce, scatterReduce } from "./src/ops/scatter_reduce.ts";
export {
  all,
  amax,
  amin,
  aminmax,
  any,
  argmax,
  argmin,
  countNonzero,
  logsumexp,
  max,
  mean,
  min,
  nanmean,
  nansum,
  norm,
  prod,
  std,
  stdMean,
  sum,
  var,
  varMean,
} from "./src/ops/reduce.ts";
export { cummax, cummin, cumprod, cumsum, logcumsumexp } from "./src/ops/scan.ts";
export {
  argwhere,
  maskedFill,
  maskedScatter,
  maskedSelect,
  nonzero,
  nonzeroStatic,
  unravelIndex,
} from "./src/ops/masked.ts";
export {
  argsort,
  bucketize,
  isin,
  kthvalue,
  median,
  mode,
  msort,
  nanmedian,
  searchsorted,
  sort,
  topk,
} from "./src/ops/sort.ts";
export { bincount, histc, unique, uniqueConsecutive } from "./src/ops/unique.ts";
export { indexPut } from "./src/ops/at.ts";
export { type Index, type IndexArray } from "./src/ops/at.ts";
export { Slice, slice } from "./src/ops/slice.ts";
export { imag, real } from "./src/ops/properties.ts";

export { celu, hardshrink, prelu, relu, rrelu, selu, threshold } from "./src/ops/activation.ts";
export {
  add,
  addcdiv,
  addcmul,
  arctan2,
  atan2,
  complex,
  copysign,
  div,
  divide,
  floatPower,
  floorDivide,
  fmax,
  fmin,
  fmod,
  gcd,
  heaviside,
  hypot,
  lcm,
  ldexp,
  lerp,
  logaddexp,
  logaddexp2,
  maximum,
  minimum,
  mul,
  multiply,
  nextafter,
  polar,
  pow,
  remainder,
  rsub,
  sub,
  subtract,
  trueDivide,
  xlog1py,
  xlogy,
} from "./src/ops/binary.ts";
export {
  allclose,
  bitwiseAnd,
  bitwiseLeftShift,
  bitwiseNot,
  bitwiseOr,
  bitwiseRightShift,
  bitwiseXor,
  clamp,
  clampMax,
  clampMin,
  clip,
  eq,
  equal,
  ge,
  greater,
  greaterEqual,
  gt,
  isclose,
  isfinite,
  isinf,
  isnan,
  isneginf,
  isposinf,
  isreal,
  le,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  ne,
  notEqual,
  signbit,
  where,
} from "./src/ops/compare.ts";
export {
  abs,
  absolute,
  acos,
  acosh,
  angle,
  arccos,
  arccosh,
  arcsin,
  arcsinh,
  arctan,
  arctanh,
  asin,
  asinh,
  atan,
  atanh,
  ceil,
  conj,
  conjPhysical,
  cos,
  cosh,
  deg2rad,
  digamma,
  erf,
  erfc,
  erfinv,
  exp,
  exp2,
  expm1,
  fix,
  floor,
  frac,
  lgamma,
  log,
  log10,
  log1p,
  log2,
  logit,
  mvlgamma,
  nanToNum,
  neg,
  negative,
  polygamma,
  positive,
  rad2deg,
  reciprocal,
  round,
  rsqrt,
  sgn,
  sigmoid,
  sign,
  sin,
  sinc,
  sinh,
  sqrt,
  square,
  tan,
  tanh,
  trunc,
} from "./src/ops/unary.ts";
export { i0 } from "./src/ops/special.ts";

// Data, files, pictures
export * as io from "./src/io/mod.ts";
export * as utils from "./src/utils/mod.ts";
export * as vision from "./src/vision/mod.ts";

// Products
export {
  addbmm,
  addmm,
  addmv,
  addr,
  baddbmm,
  bmm,
  dot,
  ger,
  inner,
  matmul,
  mm,
  mv,
  outer,
  vdot,
} from "./src/ops/matmul.ts";
export { chainMatmul, einsum, tensordot } from "./src/ops/einsum.ts";
export { bilinear } from "./src/ops/linear.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "./src/ops/conv.ts";

// Layers, losses, optimizers
export * as fft from "./src/ops/fft.ts";
export * as special from "./src/ops/special.ts";
export * as nn from "./src/nn/mod.ts";
export * as optim from "./src/utils/optim.ts";
export { logSoftmax, softmax } from "./src/ops/softmax.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm, rmsNorm } from "./src/ops/norm.ts";
export { cosineSimilarity, pairwiseDistance } from "./src/ops/loss_embedding.ts";
export type { LegacyReduction, Reduction } from "./src/ops/loss_core.ts";
export { channelShuffle, pixelShuffle, pixelUnshuffle } from "./src/ops/pixel.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { BackendInfo, Block, MemoryStats, Strided } from "./src/backend/backend.ts";
export type { Args } from "./src/base/args.ts";
export type { DeviceType } from "./src/base/device.ts";
export type { DataArray, DTypeKind, DTypeName } from "./src/base/dtype.ts";
export type { FInfo, IInfo } from "./src/base/limits.ts";
export type { ScalarLike } from "./src/base/scalar.ts";
export type {
  ActivationOp,
  AlphaOp,
  GeluOp,
  HardtanhOp,
  LeakyReluOp,
  ShrinkOp,
  SoftplusOp,
  ThresholdOp,
} from "./src/ops/activation.ts";
export type {
  CombinationsArgs,
  DiagEmbedArgs,
  DiagonalNumber,
  RollArgs,
  Rot90Args,
  TriangleIndicesArgs,
} from "./src/ops/arrange.ts";
export type { IndexPutArgs } from "./src/ops/at.ts";
export type { AttentionArgs } from "./src/ops/attention.ts";
export type {
  AddcOp,
  BinaryFunction,
  BinaryOp,
  ComplexOp,
  DivOp,
  HeavisideOp,
  LerpOp,
  PolarOp,
  PowOp,
  ScaledOp,
} from "./src/ops/binary.ts";
export type { ClampMaxOp, ClampMinOp, ClampOp, CloseOptions, IscloseOp, WhereOp } from "./src/ops/compare.ts";
export type { ConvArgs, ConvPositional, ConvTransposeArgs, ConvTransposePositional } from "./src/ops/conv.ts";
export type { FormatArgs } from "./src/ops/convert.ts";
export type { FromDataOptions, LikeOptions, SizeArgs, TensorData, TensorOptions } from "./src/ops/creation.ts";
export type { CTCLossArgs, Lengths } from "./src/ops/ctc.ts";
export type { PointwiseFunction, UnaryFunction, UnaryOp } from "./src/ops/define.ts";
export type { DropoutArgs, DropoutOptions } from "./src/ops/dropout.ts";
export type { TensordotArgs } from "./src/ops/einsum.ts";
export type { EmbeddingArgs, OneHotArgs } from "./src/ops/embedding.ts";
export type { BagMode, EmbeddingBagArgs } from "./src/ops/embedding_bag.ts";
export type { FoldArgs, UnfoldWindowArgs, WindowSize } from "./src/ops/fold.ts";
export type { AffineGridArgs, GridSampleArgs } from "./src/ops/grid_sample.ts";
export type {
  GatherArgs,
  IndexAddArgs,
  IndexFillArgs,
  IndexSelectArgs,
  PutArgs,
  ScatterAddArgs,
  ScatterArgs,
  TakeAlongDimArgs,
  TakeArgs,
} from "./src/ops/indexing.ts";
export type { InterpolateArgs, InterpolateMode } from "./src/ops/interpolate.ts";
export type { CatArgs, MeshgridOptions, RepeatInterleaveArgs, TensorList } from "./src/ops/join.ts";
export type { BilinearArgs, LinearArgs } from "./src/ops/linear.ts";
export type {
  BCEWithLogitsOptions,
  GaussianNllOptions,
  HuberOptions,
  KLDivOptions,
  LossOptions,
  MarginOptions,
  PoissonNllOptions,
  SmoothL1Options,
  StandardLoss,
  WeightedLossOptions,
} from "./src/ops/loss.ts";
export type {
  CrossEntropyOptions,
  MultiMarginOptions,
  NLLOptions,
  NLLParameters,
  PlainOptions,
  StandardClassLoss,
  WeightedPlainOptions,
} from "./src/ops/loss_class.ts";
export type {
  CosineSimilarityArgs,
  EmbeddingLossOptions,
  NormalizeArgs,
  PairwiseDistanceArgs,
  TripletDistanceOptions,
  TripletMarginOptions,
} from "./src/ops/loss_embedding.ts";
export type {
  MaskedFillArgs,
  MaskedScatterArgs,
  MaskedSelectArgs,
  NonzeroStaticArgs,
  UnravelIndexArgs,
} from "./src/ops/masked.ts";
export type { AddmmArgs, AddmvArgs, AddrArgs, BatchArgs, OutOption } from "./src/ops/matmul.ts";
export type { Scales } from "./src/ops/matmul_core.ts";
export type { MultiHeadArgs } from "./src/ops/multi_head.ts";
export type { Named, ValuesIndices } from "./src/ops/named.ts";
export type {
  BatchNormArgs,
  GroupNormArgs,
  InstanceNormArgs,
  LayerNormArgs,
  LocalResponseNormArgs,
  RMSNormArgs,
} from "./src/ops/norm.ts";
export type { PadArgs, PadMode } from "./src/ops/pad.ts";
export type { ChannelShuffleArgs, PixelShuffleArgs, PixelUnshuffleArgs } from "./src/ops/pixel.ts";
export type {
  AdaptiveBoth,
  AdaptivePlain,
  AdaptivePositional,
  AdaptiveValues,
  AvgPool1dArgs,
  AvgPool1dPositional,
  AvgPoolArgs,
  AvgPoolPositional,
  LpPoolArgs,
  LpPositional,
  MaxPoolArgs,
  MaxPoolBoth,
  MaxPoolPlain,
  MaxPoolPositional,
  MaxPoolValues,
  OutputSize,
} from "./src/ops/pool.ts";
export type { Size, WindowOptions } from "./src/ops/pool_core.ts";
export type { Bound, Moment, NormalOptions, RandintOptions, RandomTensorOptions } from "./src/ops/random.ts";
export type { RandomOptions } from "./src/ops/random_core.ts";
export type {
  AminmaxArgs,
  ArgExtremeArgs,
  ArgExtremeList,
  CountArgs,
  ExtremeArgs,
  ExtremeList,
  MaxArgs,
  MaxList,
  NormArgs,
  ProdArgs,
  SumArgs,
  SumList,
  VarArgs,
  VarList,
} from "./src/ops/reduce.ts";
export type { Dims } from "./src/ops/reduce_core.ts";
export type { BernoulliOptions, MultinomialOptions } from "./src/ops/sampling.ts";
export type { ScaledMmArgs, ScaledMmPositional, ScalingRecipe } from "./src/ops/scaled_mm.ts";
export type { ScanArgs, ScanOptions } from "./src/ops/scan.ts";
export type { IndexReduceArgs, ScatterReduceArgs, ScatterReduction } from "./src/ops/scatter_reduce.ts";
export type {
  AsStridedArgs,
  AsStridedScatterArgs,
  DiagonalArgs,
  DiagonalScatterArgs,
  DimArgs,
  FlattenArgs,
  MovedimArgs,
  NarrowArgs,
  SelectArgs,
  SelectScatterArgs,
  SliceScatterArgs,
  SqueezeArgs,
  SwapaxesArgs,
  TransposeArgs,
  UnflattenArgs,
} from "./src/ops/shape.ts";
export type { SoftmaxArgs } from "./src/ops/softmax.ts";
export type {
  BucketizeArgs,
  IsinArgs,
  KthvalueArgs,
  MedianArgs,
  SearchsortedArgs,
  SortArgs,
  TopkArgs,
} from "./src/ops/sort.ts";
export type {
  ChunkArgs,
  Cuts,
  OneOrMany,
  SplitArgs,
  SplitWithSizesArgs,
  TensorSplitArgs,
  UnbindArgs,
} from "./src/ops/split.ts";
export type { LogitOp, NanToNumOp, RoundOp } from "./src/ops/unary.ts";
export type { BincountArgs, HistcArgs, PlainUnique, UniqueArgs } from "./src/ops/unique.ts";
export type { MaxUnpoolArgs, MaxUnpoolPositional } from "./src/ops/unpool.ts";
export type { Sizes } from "./src/ops/view_core.ts";
export type { PrintOptions, PrintProfile } from "./src/tensor/print.ts";
