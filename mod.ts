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
  LinAlgError,
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
  uint16,
  uint32,
  uint64,
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
} from "./src/backend/cuda/device/cublas.ts";
export * as accelerator from "./src/utils/accelerator.ts";
export * as backends from "./src/backend/backends_api.ts";
export * as cuda from "./src/cuda/mod.ts";
export * as warnings from "./src/base/warnings.ts";
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
  fromNumpy,
  full,
  fullLike,
  ones,
  onesLike,
  scalarTensor,
  tensor,
  zeros,
  zerosLike,
} from "./src/ops/create/creation.ts";
export {
  BFloat16Tensor,
  BoolTensor,
  ByteTensor,
  CharTensor,
  DoubleTensor,
  FloatTensor,
  HalfTensor,
  IntTensor,
  LongTensor,
  ShortTensor,
  type TensorType,
} from "./src/ops/tensor_types.ts";
export { arange, eye, linspace, logspace } from "./src/ops/create/ranges.ts";
export { clone, zero_ } from "./src/ops/create/convert.ts";

// Randomness
export { defaultGenerator, Generator, initialSeed, manualSeed, seed } from "./src/base/generator.ts";
export * as random from "./src/ops/create/random_state.ts";
export { forkRng, getRngState, setRngState } from "./src/ops/create/random_state.ts";
export { normal, rand, randint, randintLike, randLike, randn, randnLike, randperm } from "./src/ops/create/random.ts";
export { bernoulli, multinomial } from "./src/ops/create/sampling.ts";
export { alphaDropout, dropout, featureAlphaDropout } from "./src/ops/pointwise/dropout.ts";
export { getPrintoptions, setPrintoptions } from "./src/tensor/print.ts";

// Pointwise
export {
  adjoint,
  asStrided,
  broadcastTo,
  diagonal,
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
  squeeze,
  swapaxes,
  swapdims,
  t,
  transpose,
  unflatten,
  unsqueeze,
  viewAsComplex,
  viewAsReal,
} from "./src/ops/shape/shape.ts";
export { asStridedScatter, diagonalScatter, selectScatter, sliceScatter } from "./src/ops/shape/view_scatter.ts";
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
} from "./src/ops/shape/split.ts";
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
} from "./src/ops/shape/join.ts";
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
} from "./src/ops/shape/arrange.ts";
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
} from "./src/ops/index/indexing.ts";
export { indexReduce, scatterReduce } from "./src/ops/index/scatter_reduce.ts";
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
  prod,
  std,
  stdMean,
  sum,
  var,
  varMean,
} from "./src/ops/reduce/reduce.ts";
export { norm } from "./src/ops/reduce/norm.ts";
export { cummax, cummin, cumprod, cumsum, logcumsumexp } from "./src/ops/reduce/scan.ts";
export {
  argwhere,
  maskedFill,
  maskedScatter,
  maskedSelect,
  nonzero,
  nonzeroStatic,
  unravelIndex,
} from "./src/ops/index/masked.ts";
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
} from "./src/ops/reduce/sort.ts";
export { bincount, histc, unique, uniqueConsecutive } from "./src/ops/reduce/unique.ts";
export { indexPut } from "./src/ops/index/at.ts";
export { type Index, type IndexArray } from "./src/ops/index/at.ts";
export { Slice, slice } from "./src/ops/index/slice.ts";
export { imag, real } from "./src/ops/properties.ts";

export { celu, hardshrink, prelu, relu, rrelu, selu, threshold } from "./src/ops/pointwise/activation.ts";
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
} from "./src/ops/pointwise/binary.ts";
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
} from "./src/ops/pointwise/compare.ts";
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
} from "./src/ops/pointwise/unary.ts";
export { i0 } from "./src/ops/pointwise/special.ts";

// Data, files
export * as io from "./src/io/mod.ts";
export { load, type MapLocation, save } from "./src/io/checkpoint.ts";
export type { LoadCheckpointArgs, SaveCheckpointArgs } from "./src/io/checkpoint.ts";
export * as utils from "./src/utils/mod.ts";

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
} from "./src/ops/linalg/matmul.ts";
export { chainMatmul, einsum, tensordot } from "./src/ops/linalg/einsum.ts";
export { bilinear } from "./src/ops/linalg/linear.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "./src/ops/nn/conv.ts";

// Layers, losses, optimizers
export * as fft from "./src/ops/linalg/fft.ts";
export * as linalg from "./src/ops/linalg/linalg.ts";
export * as special from "./src/ops/pointwise/special.ts";
export * as nn from "./src/nn/mod.ts";
export * as optim from "./src/optim/mod.ts";
export { logSoftmax, softmax } from "./src/ops/nn/softmax.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm, rmsNorm } from "./src/ops/nn/norm.ts";
export { cosineSimilarity, pairwiseDistance } from "./src/ops/loss/loss_embedding.ts";
export type { Reduction } from "./src/ops/loss/loss_core.ts";
export { channelShuffle, pixelShuffle, pixelUnshuffle } from "./src/ops/shape/pixel.ts";

export type * from "./src/types.ts";
