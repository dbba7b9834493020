/**
 * Types that the signatures of `mod.ts` name, exported for documentation.
 *
 * @module
 */

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { BackendInfo, Block, MemoryStats, Strided } from "./backend/backend.ts";
export type { MatmulPrecisionArgs } from "./backend/cuda/device/cublas.ts";
export type { CaptureBeginArgs } from "./cuda/graphs.ts";
export type {
  CudaDeviceArgs,
  ElapsedTimeArgs,
  EqualStreamArgs,
  EventStreamArgs,
  OfStreamArgs,
  RecordEventArgs,
  SetDeviceArgs,
  WaitEventArgs,
} from "./cuda/streams.ts";
export type { AdapterArgs, OpenDeviceArgs, SetDefaultDeviceArgs } from "./backend/mod.ts";
export type { Args, First, Func, Lists, Named, NoArgs, Params, SpreadArgs } from "./base/call.ts";
export type { DeviceArgs, DeviceType } from "./base/device.ts";
export type {
  CanCastArgs,
  DataArray,
  DTypeKind,
  DTypeName,
  PromoteTypesArgs,
  SetDefaultDtypeArgs,
} from "./base/dtype.ts";
export type { ReserveArgs, SeedArgs, SetStateArgs } from "./base/generator.ts";
export type { FInfo, IInfo, InfoArgs } from "./base/limits.ts";
export type { ScalarArgs, ScalarLike } from "./base/scalar.ts";
export type {
  AlphaArgs,
  GeluArgs,
  GluArgs,
  HardtanhArgs,
  InplaceArgs,
  LeakyReluArgs,
  PreluArgs,
  RreluArgs,
  ShrinkArgs,
  SoftplusArgs,
  ThresholdArgs,
} from "./ops/pointwise/activation.ts";
export type {
  CombinationsArgs,
  DiagEmbedArgs,
  DiagflatArgs,
  DiagonalNumberArgs,
  FlipArgs,
  RollArgs,
  Rot90Args,
  TriangleIndicesArgs,
} from "./ops/shape/arrange.ts";
export type { IndexPutArgs } from "./ops/index/at.ts";
export type { AttentionArgs } from "./ops/nn/attention.ts";
export type {
  AddArgs,
  AddcArgs,
  BinaryFunction,
  ComplexArgs,
  DivArgs,
  HeavisideArgs,
  LerpArgs,
  Operand,
  OtherArgs,
  PolarArgs,
  PowArgs,
  RsubArgs,
} from "./ops/pointwise/binary.ts";
export type {
  ClampArgs,
  ClampMaxArgs,
  ClampMinArgs,
  CloseArgs,
  EqualArgs,
  WhereArgs,
} from "./ops/pointwise/compare.ts";
export type { ConvArgs, ConvTransposeArgs, Sizes } from "./ops/nn/conv.ts";
export type { CloneArgs } from "./ops/create/convert.ts";
export type {
  DataArgs,
  EmptyArgs,
  EmptyStridedArgs,
  FromBytesArgs,
  FromDataArgs,
  FromNumpyArgs,
  FullArgs,
  FullLikeArgs,
  LikeArgs,
  ScalarTensorArgs,
  SizeArgs,
  SizedFunction,
  TensorArgs,
  TensorData,
} from "./ops/create/creation.ts";
export type { CtcLossArgs, Lengths } from "./ops/loss/ctc.ts";
export type { InPlace, Pointwise, PointwiseFn } from "./ops/core/define.ts";
export type { Dropout, DropoutArgs } from "./ops/pointwise/dropout.ts";
export type { ChainMatmulArgs, EinsumArgs, TensordotArgs } from "./ops/linalg/einsum.ts";
export type { EmbeddingArgs, OneHotArgs, OneHotFn } from "./ops/index/embedding.ts";
export type { BagMode, EmbeddingBagArgs } from "./ops/index/embedding_bag.ts";
export type { FoldArgs, UnfoldArgs, WindowSize } from "./ops/nn/fold.ts";
export type { FusedUpdate } from "./ops/core/fused.ts";
export type { AffineGridArgs, GridSampleArgs, Padding } from "./ops/nn/grid_sample.ts";
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
} from "./ops/index/indexing.ts";
export type { InterpolateArgs, InterpolateMode } from "./ops/nn/interpolate.ts";
export type {
  CatArgs,
  JoinFunction,
  KronArgs,
  MeshgridArgs,
  RepeatInterleaveArgs,
  StackArgs,
  TensorsArgs,
  TileArgs,
} from "./ops/shape/join.ts";
export type { BilinearArgs, LinearArgs } from "./ops/linalg/linear.ts";
export type {
  BCEWithLogitsLossArgs,
  GaussianNllLossArgs,
  HingeLossArgs,
  HuberLossArgs,
  KlDivArgs,
  MseLossArgs,
  PairLossArgs,
  PoissonNLLLossArgs,
  SmoothL1LossArgs,
} from "./ops/loss/loss.ts";
export type { CrossEntropyLossArgs, MultiMarginLossArgs, NLLLossArgs } from "./ops/loss/loss_class.ts";
export type { LossArgs, LossFn, Targeted, WeightedLossArgs } from "./ops/loss/loss_core.ts";
export type {
  CosineSimilarityArgs,
  NormalizeArgs,
  PairwiseDistanceArgs,
  TripletMarginLossArgs,
  TripletMarginWithDistanceLossArgs,
} from "./ops/loss/loss_embedding.ts";
export type {
  MaskedFillArgs,
  MaskedScatterArgs,
  MaskedSelectArgs,
  NonzeroCalls,
  NonzeroStaticArgs,
  UnravelIndexArgs,
} from "./ops/index/masked.ts";
export type {
  AddmmArgs,
  AddmvArgs,
  AddrArgs,
  BaddbmmArgs,
  DotArgs,
  MatmulArgs,
  MmArgs,
  MvArgs,
  OuterArgs,
  ScaledArgs,
} from "./ops/linalg/matmul.ts";
export type { MultiHeadAttentionArgs } from "./ops/nn/multi_head.ts";
export type { NamedTuple, ValuesIndices } from "./ops/core/named.ts";
export type {
  BatchNormArgs,
  GroupNormArgs,
  InstanceNormArgs,
  LayerNormArgs,
  LocalResponseNormArgs,
  RmsNormArgs,
} from "./ops/nn/norm.ts";
export type { Fn, IsMethod, ListParams, MethodForm, Op, OutArgs, SpreadOp } from "./ops/core/op.ts";
export type { PadArgs, PadMode } from "./ops/shape/pad.ts";
export type { ChannelShuffleArgs, PixelShuffleArgs, PixelUnshuffleArgs } from "./ops/shape/pixel.ts";
export type {
  AdaptiveMaxPoolArgs,
  AdaptiveMaxPoolFn,
  AdaptivePoolArgs,
  AvgPool1dArgs,
  AvgPoolArgs,
  Indexed,
  LpPoolArgs,
  MaxPoolArgs,
  MaxPoolFn,
  MaxPoolIndexed,
  OutputSize,
  Valued,
} from "./ops/nn/pool.ts";
export type { Size } from "./ops/nn/pool_core.ts";
export type { IsSameSizeArgs, ResultTypeArgs } from "./ops/queries.ts";
export type {
  Bound,
  Moment,
  NormalArgs,
  RandArgs,
  RandintArgs,
  RandintLikeArgs,
  RandintLikeLowArgs,
  RandintLowArgs,
  RandLikeArgs,
  RandomArgs,
  RandpermArgs,
} from "./ops/create/random.ts";
export type { ArangeArgs, EyeArgs, LinspaceArgs, LogspaceArgs } from "./ops/create/ranges.ts";
export type {
  AminmaxArgs,
  ArgmaxArgs,
  CountArgs,
  DimsArgs,
  LogsumexpArgs,
  MaxArgs,
  MaxCalls,
  MaxOp,
  MaxOtherArgs,
  ProdArgs,
  SumArgs,
  VarArgs,
  VarCalls,
  VarFn,
  VarOp,
} from "./ops/reduce/reduce.ts";
export type { NormArgs } from "./ops/reduce/norm.ts";
export type { Dims } from "./ops/core/reduce_core.ts";
export type { BernoulliArgs, MultinomialArgs } from "./ops/create/sampling.ts";
export type { ScaledMmArgs, ScalingRecipe } from "./ops/linalg/scaled_mm.ts";
export type { CummaxArgs, CumsumArgs, LogcumsumexpArgs } from "./ops/reduce/scan.ts";
export type { IndexReduceArgs, ScatterReduceArgs, ScatterReduction } from "./ops/index/scatter_reduce.ts";
export type {
  AsStridedArgs,
  DiagonalArgs,
  ExpandArgs,
  FlattenArgs,
  MovedimArgs,
  NarrowArgs,
  PermuteArgs,
  ReshapeArgs,
  SelectArgs,
  SqueezeArgs,
  SwapaxesArgs,
  TransposeArgs,
  UnflattenArgs,
  UnsqueezeArgs,
} from "./ops/shape/shape.ts";
export type { SliceArgs } from "./ops/index/slice.ts";
export type { SoftmaxArgs } from "./ops/nn/softmax.ts";
export type {
  BucketizeArgs,
  IsinArgs,
  KthvalueArgs,
  MedianArgs,
  MedianCalls,
  MedianOp,
  ModeArgs,
  SearchsortedArgs,
  SortArgs,
  TopkArgs,
} from "./ops/reduce/sort.ts";
export type {
  AtleastArgs,
  AtleastCalls,
  ChunkArgs,
  CutsArgs,
  SplitArgs,
  SplitWithSizesArgs,
  TensorSplitArgs,
  UnbindArgs,
} from "./ops/shape/split.ts";
export type { TypedDataArgs, TypedSizeArgs } from "./ops/tensor_types.ts";
export type { LogitArgs, MvlgammaArgs, NanToNumArgs, PolygammaArgs, RoundArgs } from "./ops/pointwise/unary.ts";
export type {
  BincountArgs,
  HistcArgs,
  PlainUnique,
  UniqueArgs,
  UniqueCalls,
  UniqueConsecutiveArgs,
  UniqueOp,
} from "./ops/reduce/unique.ts";
export type { MaxUnpoolArgs } from "./ops/nn/unpool.ts";
export type {
  AsStridedScatterArgs,
  DiagonalScatterArgs,
  SelectScatterArgs,
  SliceScatterArgs,
} from "./ops/shape/view_scatter.ts";
export type { OfDeviceArgs } from "./tensor/memory.ts";
export type { PrintOptions, PrintProfile, SetPrintoptionsArgs } from "./tensor/print.ts";
export type { IsContiguousArgs, SizeDimArgs } from "./tensor/tensor.ts";
