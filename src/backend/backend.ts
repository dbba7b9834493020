/**
 * The interface between tensors and devices: about thirty kernels, grouped by family.
 *
 * A backend knows shapes, strides, dtypes and expressions, and nothing of autograd. Arguments arrive checked: shapes
 * agree, dtypes are real (a complex tensor is two strided real ones up here) and blocks are alive. Kernels write into
 * outputs that the caller allocated; they never allocate results. An optional kernel has a composed meaning in
 * `src/ops`, which runs where a backend leaves it out.
 *
 * @module
 */

import type { Device } from "../base/device.ts";
import type { DType } from "../base/dtype.ts";
import type { Program } from "../expr/program.ts";

/** A piece of device memory, made by {@linkcode Backend.alloc}. */
export interface Block {
  /** Where it is: an address (CPU, CUDA) or an id (WebGPU). */
  readonly address: number;
  /** Its usable size in bytes, at least what was asked for. */
  readonly bytes: number;
}

/** A strided view of device memory; a `Tensor` is one. */
export interface Strided {
  /** The memory. */
  readonly storage: { readonly block: Block };
  /** First element, counted in elements of `dtype`. */
  readonly offset: number;
  /** Sizes. */
  readonly shape: readonly number[];
  /** Steps in elements; 0 repeats a value. */
  readonly strides: readonly number[];
  /** Element type; never complex here. */
  readonly dtype: DType;
  /** Whether elements lie in row-major order without gaps. */
  readonly dense: boolean;
}

/** How a reduction combines values. NaN wins in `max` and `min`, as in PyTorch. */
export type Combine = "sum" | "prod" | "max" | "min" | "any" | "all";

/** Which running operation a scan applies. */
export type ScanKind = "sum" | "prod" | "max" | "min" | "logsumexp";

/** What a scatter does where it writes. */
export type ScatterMode = "set" | "sum" | "prod" | "max" | "min";

/** Geometry of an N-dimensional convolution (N = 1, 2 or 3), one entry per spatial dimension. */
export interface ConvGeometry {
  /** Step of the window. */
  readonly stride: readonly number[];
  /** Zeros added on both sides. */
  readonly padding: readonly number[];
  /** Step between the window's taps. */
  readonly dilation: readonly number[];
  /** Independent groups of channels. */
  readonly groups: number;
}

/** Windows of a pooling, given per spatial dimension and output position, so that adaptive pooling is the same kernel. */
export interface PoolWindows {
  /** First input index of each window, `starts[dim][output]`; may be negative (padding). */
  readonly starts: readonly (readonly number[])[];
  /** One past the last input index of each window; may exceed the input (padding). */
  readonly ends: readonly (readonly number[])[];
  /** Step between taps, per dimension. */
  readonly dilation: readonly number[];
}

/**
 * How the groups of a normalisation lie in a dense tensor: element i belongs to group `floor(i / run) mod groups` and takes
 * weight and bias number `floor(i / factorRun) mod factors`. Groups are *rows* where `groups · run` is all there is.
 *
 * Layer norm: rows, a factor per column (`factors = run`, `factorRun = 1`). Group norm: rows, `factorRun` a channel's plane.
 * Batch norm: `groups = factors = C`, both runs a channel's plane (1 in a tensor that is channels last).
 */
export interface NormGroups {
  /** Groups, each with a mean and a variance. */
  readonly groups: number;
  /** Neighbours that belong to the same group. */
  readonly run: number;
  /** Elements of weight and bias. */
  readonly factors: number;
  /** Neighbours that take the same one. */
  readonly factorRun: number;
}

/** The statistics of a normalisation's groups: vectors of float32, of float64 for float64. */
export interface NormStatistics {
  /** Means; `null` if nothing is subtracted (root mean square). */
  readonly mean: Strided | null;
  /** `1 / √(variance + eps)`. */
  readonly rstd: Strided;
}

/** What attention reads, as views of four dimensions: the batch, heads, positions, and the width of a head. */
export interface AttentionOperands {
  /** What is looked up with, `[B, H, L, E]`. */
  readonly query: Strided;
  /** What is looked up, `[B, G, S, E]`; G divides H, and consecutive heads of the query share one. */
  readonly key: Strided;
  /** What is found, `[B, G, S, V]`. */
  readonly value: Strided;
  /** `[B, H, L, S]`, usually with strides of 0: true where attention is allowed, or numbers added to the scores. */
  readonly mask: Strided | null;
}

/** How attention weighs. */
export interface AttentionOptions {
  /** The factor of the scores. */
  readonly scale: number;
  /** Whether position i sees positions up to i only. */
  readonly causal: boolean;
  /**
   * Which weights are dropped: number i, row-major in `[B, H, L, S]`, is kept (and divided by `keep`) where the uniform
   * value of word `base + i` of the stream of `key` is below `keep`.
   */
  readonly dropout: { readonly keep: number; readonly base: number; readonly key: bigint } | null;
}

/** What {@linkcode Epilogue} computes, for libraries that have it built in; `gelu` is the exact one, `geluTanh` the approximation. */
export type EpilogueName = "bias" | "relu" | "gelu" | "geluTanh" | "reluGrad" | "geluGrad" | "geluTanhGrad";

/** What a product of two matrices does with each sum before it is stored. */
export interface Epilogue {
  /** What `program` is. */
  readonly name: EpilogueName;
  /** One element: input 0 is the sum (float32, or float64), input 1 `operand`; output 0 the result, output 1 `kept`. */
  readonly program: Program;
  /** Of the result's shape: the bias, with stride 0 along the rows, or what a derivative is taken at; `null` for no bias. */
  readonly operand: Strided | null;
  /** Of the result's shape: receives the sums with the bias added, which backward will read; `null` where not wanted. */
  readonly kept: Strided | null;
  /** `[columns]`: receives the sums of the result's columns; `null` where not wanted. */
  readonly columnSums: Strided | null;
  /**
   * uint8 `[rows, reluMaskBytes(columns)]`, for backends with {@linkcode Backend.reluMaskBytes}: written by `relu`, read
   * by `reluGrad`; `null` where not wanted.
   */
  readonly mask: Strided | null;
}

/** What a product of float8 matrices is multiplied by, and what is added. */
export interface ProductScaling {
  /** One float32, or `null` for 1. */
  readonly a: Strided | null;
  /** One float32, or `null` for 1. */
  readonly b: Strided | null;
  /** A row of the result's dtype, added last; `null` for none. */
  readonly bias: Strided | null;
  /** Whether sums may be kept in the tensor cores' own, lower precision. */
  readonly fastSums: boolean;
}

/** Figures of one device's allocator, in bytes and counts. */
export interface MemoryStats {
  /** Bytes in live blocks, as asked for. */
  allocatedBytes: number;
  /** The most that `allocatedBytes` has been since the last reset. */
  peakAllocatedBytes: number;
  /** Bytes obtained from the system, live and cached. */
  reservedBytes: number;
  /** Live blocks. */
  liveBlocks: number;
  /** Allocations since the start. */
  allocations: number;
  /** Objects made since the start that hold native memory until they are collected, where the device has such (WebGPU). */
  collectable?: number;
}

/** The factorizations of {@linkcode Backend.factor}. */
export type FactorKind = "lu" | "cholesky" | "qr" | "formQ" | "triangular" | "eigh" | "eig";

/** What runs: shown by `info()` and stored in benchmark and conformance files. */
export interface BackendInfo {
  /** The device's name. */
  readonly device: string;
  /** The kernel library: `"wasm"`, `"native (avx512, oneDNN 3.4, 2 threads)"`, … */
  readonly kernels: string;
}

/** The operands of one of several evaluations of a program. */
export interface OperandGroup {
  /** The iteration shape. */
  readonly shape: readonly number[];
  /** Tensor operands, which broadcast to it. */
  readonly inputs: readonly Strided[];
  /** Results, of that shape; none where values are combined. */
  readonly outputs: readonly Strided[];
}

/** A device's kernels. */
export interface Backend {
  /** A small number, unique per backend: the slot of compiled programs. */
  readonly id: number;
  /** Describes what runs. */
  info(): BackendInfo;
  /** Whether the device holds and computes with a dtype. */
  supports(dtype: DType): boolean;

  /** Whether elements of `from` may be viewed as `to`; where absent, all may: memory holds what PyTorch's would. */
  aliases?(from: DType, to: DType): boolean;

  // Memory
  /** The most bytes, as PyTorch counts them, that a tensor can have on the device. */
  readonly maxBytes: number;
  /** Allocates room for `elements` elements of `dtype` as the device stores them, uninitialised. Throws `OutOfMemoryError`. */
  alloc(elements: number, dtype: DType): Block;
  /** Returns a block to the pool. */
  free(block: Block): void;
  /** Fills a dense view from little-endian bytes of its dtype. */
  write(x: Strided, bytes: Uint8Array): void;
  /** The little-endian bytes of a dense view, once the device has computed them. */
  read(x: Strided): Promise<Uint8Array<ArrayBuffer>>;
  /** The same at once, where the device can wait (CPU, CUDA). */
  readSync?(x: Strided): Uint8Array<ArrayBuffer>;
  /**
   * Where the device cannot wait: the bytes of a view, row-major, if they came from the host as they are. Valid as long as
   * the storage was not written by a kernel (its version is 0).
   */
  known?(x: Strided): Uint8Array<ArrayBuffer> | null;
  /**
   * Where the device cannot wait: checks there whether an element of the dense bool `bad` is true. Reads of what is given to
   * the function that is returned, and of what is computed from it, throw `error` then.
   */
  failWhere?(bad: Strided, error: Error): (spoilt: Strided) => void;
  /** Allocator figures. */
  memoryStats(): MemoryStats;
  /** Makes the peak start again from what is live. */
  resetPeakMemoryStats(): void;
  /** Returns cached blocks to the system where that is possible. */
  emptyCache(): void;

  /** Where the device has streams: memory of a tensor on `own` waits, once freed, for what was issued to `stream` until then. */
  recordStream?(own: Device, block: Block, stream: { device: Device; streamId: number }): void;
  /** Whether work is being recorded for replays instead of done: values cannot be read, and numbers stay as they are now. */
  readonly recording?: boolean;
  /** Whether memory of `source`'s device can be copied by {@linkcode Backend.copyFrom}, without passing the host. */
  copiesFrom?(source: Backend): boolean;
  /** Copies the elements of a dense view of `source`'s device to one of this device. */
  copyFrom?(source: Backend, from: Strided, to: Strided): void;

  // Maps and reductions of scalar expressions
  /**
   * Evaluates a program at every element of `shape`.
   *
   * @param shape the iteration shape; every operand is viewed in it with strides 0 where it is broadcast
   * @param inputs tensor operands, in the order of `program.inputs`
   * @param scalars run-time scalars, in the order of `program.scalars` (number, or bigint for 64-bit integers)
   * @param outputs results, all of `shape`; an output may be the same view as an input
   */
  pointwise(
    program: Program,
    shape: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void;
  /**
   * Evaluates a program at every element and combines the values over some dimensions.
   *
   * @param shape the iteration shape
   * @param reduced which dimensions of `shape` are combined, ascending
   * @param outputs one per program output, with the shape of the dimensions that stay (no kept ones)
   */
  reduce(
    program: Program,
    combine: Combine,
    shape: readonly number[],
    reduced: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void;
  /**
   * {@linkcode Backend.pointwise} for several groups of operands that share the scalars: many small tensors in few
   * launches. Gives back the groups that it did not take.
   */
  pointwiseEach?(
    program: Program,
    groups: readonly OperandGroup[],
    scalars: readonly (number | bigint)[],
  ): readonly OperandGroup[];
  /**
   * Evaluates a program at every element of each group and combines its values: those of group i to element i of the
   * dense one-dimensional `outputs`, one per program output. `false` where it takes none of them.
   */
  reduceEach?(
    program: Program,
    combine: Combine,
    groups: readonly OperandGroup[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): boolean;
  /** Indices (int64) of the extreme value along `dim`, first one on ties, NaN first; `values` too where given. */
  argReduce(kind: "max" | "min", x: Strided, dim: number, indices: Strided, values: Strided | null): void;
  /** Running combination along `dim`; `indices` (int64) for max and min. */
  scan(kind: ScanKind, x: Strided, dim: number, out: Strided, indices: Strided | null): void;

  // Order and indexing
  /** Stable sort along `dim` into `values` and `indices` (int64); NaN sorts last ascending, first descending. */
  sort(x: Strided, dim: number, descending: boolean, values: Strided, indices: Strided): void;
  /** The `k` extreme values along `dim`, sorted, `k` being the outputs' size there. */
  topk(x: Strided, dim: number, largest: boolean, values: Strided, indices: Strided): void;
  /** `out[i][j] = x[i][index[i][j]]` along `dim`; an index out of range throws `IndexError` naming `op`. */
  gather(op: string, x: Strided, dim: number, index: Strided, out: Strided): void;
  /** `out[i][index[i][j]] (mode)= src[i][j]` along `dim`. */
  scatter(op: string, out: Strided, dim: number, index: Strided, src: Strided, mode: ScatterMode): void;
  /** Slices of `x` along `dim` chosen by the 1-d `index`; if `wrap`, a negative one counts from the end. */
  indexSelect(op: string, x: Strided, dim: number, index: Strided, out: Strided, wrap: boolean): void;
  /** `out` along `dim` at `index[j]` (mode)= slice j of `src`; the reverse of {@linkcode Backend.indexSelect}. */
  indexPut(
    op: string,
    out: Strided,
    dim: number,
    index: Strided,
    src: Strided,
    mode: ScatterMode,
    wrap: boolean,
  ): void;
  /** How many elements are not zero. */
  countNonzero(x: Strided): Promise<number>;
  /** Multi-dimensional indices (int64, `[count, ndim]`, row-major order) of the elements that are not zero. */
  nonzero(x: Strided, out: Strided): void;
  /** Positions (int64) in the last dimension of `sorted` where `values` belong. */
  searchsorted(sorted: Strided, values: Strided, right: boolean, out: Strided): void;

  // Dense
  /** `out = alpha · a @ b + beta · out` over the last two dimensions; leading ones are equal batches (stride 0 repeats). */
  matmul(a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void;
  /** `out = epilogue(a @ b)` for matrices of one floating dtype; `false`, with nothing written, where the device has no kernel for it. */
  matmulEpilogue?(a: Strided, b: Strided, out: Strided, epilogue: Epilogue): boolean;
  /** `out = a @ b` and `sums = a` summed over its columns, in one pass; `false`, with nothing written, where it cannot. */
  matmulRowSums?(a: Strided, b: Strided, out: Strided, sums: Strided): boolean;
  /** `out = (a · scales) @ b + bias` of float8 matrices; `false`, with nothing written, where the device has no kernel for it. */
  scaledMatmul?(a: Strided, b: Strided, out: Strided, scaling: ProductScaling): boolean;
  /** The bytes of a row of {@linkcode Epilogue.mask}, where the device's `reluGrad` reads one. */
  reluMaskBytes?(columns: number): number;
  /**
   * Whether convolutions and poolings take operands and results that are all channels last (dense in the order N,
   * spatial…, C; for a weight O, spatial…, I), besides row-major ones.
   */
  readonly channelsLast?: boolean;
  /** `out = conv(x, weight) + bias`: x `[N, C, …]`, weight `[O, C/groups, …]`, bias `[O]` or `null`; floating, all dense. */
  conv(x: Strided, weight: Strided, bias: Strided | null, out: Strided, geometry: ConvGeometry): void;
  /** The gradient of `conv` by its input; all dense. */
  convGradInput(grad: Strided, weight: Strided, out: Strided, geometry: ConvGeometry): void;
  /** The gradient of `conv` by its weight; all dense. */
  convGradWeight(grad: Strided, x: Strided, out: Strided, geometry: ConvGeometry): void;
  /** Largest value of each window and its flat index in the input's spatial plane (int64); all dense, any real dtype but bool. */
  maxPool(x: Strided, windows: PoolWindows, out: Strided, indices: Strided): void;
  /** The gradient of `maxPool` by its input, from the indices; all dense. Composed of a scatter where absent. */
  maxPoolGrad?(grad: Strided, indices: Strided, windows: PoolWindows, out: Strided): void;
  /** Sum of each window times `scale[output plane]` (float32, or float64 for float64); floating, all dense. */
  avgPool(x: Strided, windows: PoolWindows, scale: Strided, out: Strided): void;
  /** The gradient of `avgPool` by its input; all dense. */
  avgPoolGrad(grad: Strided, windows: PoolWindows, scale: Strided, out: Strided): void;

  // Decompositions (optional: `src/ops` says which device has them)
  /**
   * Thin singular value decomposition of dense matrices `x` `[…, m, n]` into dense `u` `[…, m, k]`, `s` `[…, k]` (largest
   * first) and `vh` `[…, k, n]`; `false` where an element is not finite. `op` is what messages name. Complex matrices, whose
   * `s` is real, on the CPU alone.
   */
  svd?(op: string, x: Strided, u: Strided, s: Strided, vh: Strided): boolean;

  /**
   * A factorization of dense matrices `a`, in place. `a` is `[…, m, n]` and holds, of k the smaller of m and n:
   *
   * - `"lu"`: L below and U above the diagonal; `b` int32 `[…, k]` gets the pivots, counted from 1.
   * - `"cholesky"`: L, from the lower triangle.
   * - `"qr"`: R above and the reflectors below the diagonal; `b` `[…, k]` gets the reflectors' factors.
   * - `"formQ"`: the first n columns of the product of `flags` reflectors, whose factors are `b`.
   * - `"triangular"`: `a` `[…, m, m]` stays, `b` `[…, m, n]` becomes the solution; `flags`: 1 upper, 2 with ones on the diagonal.
   * - `"eigh"`: the vectors of a Hermitian matrix, read from the lower triangle; real `b` `[…, n]` gets the values; `flags`: 1
   *   without vectors.
   * - `"eig"`: the same of any complex matrix.
   *
   * `info`, int32 by matrix, gets 0, or where it failed: the first zero pivot (from 1), the first leading minor that is not
   * positive, how many eigenvalues did not converge, or -1 for an element that is not finite.
   */
  factor?(kind: FactorKind, a: Strided, b: Strided | null, info: Strided | null, flags: number): void;

  // Fourier transforms (optional: composed of products in src/ops/linalg/fft_core.ts where absent or refused)
  /**
   * `out = scale · Σ x[j] e^(∓2πi jk/n)` along dimension 1 of `[outer, n, inner, 2]`, the parts of complex numbers (`+` if
   * `inverse`); both dense and of different memory, not empty. `false`, with nothing written, where the device cannot.
   */
  fft?(x: Strided, out: Strided, inverse: boolean, scale: number): boolean;

  // Rows (optional: composed in src/ops where absent)
  /** Whether the row kernels take float16 and bfloat16; where not, rows are converted to float32 for them. */
  readonly halfRows?: boolean;
  /** Softmax (or its logarithm) over the last dimension of contiguous rows. */
  softmax?(x: Strided, log: boolean, out: Strided): void;
  /** Its gradient from the output. */
  softmaxGrad?(grad: Strided, output: Strided, log: boolean, out: Strided): void;

  // Normalisations (optional: composed in src/ops where absent, and where they give `false` without having done anything)
  /**
   * `out = (x - mean) · rstd · weight + bias` by the mean and variance of each group, which are written, too. Groups are
   * rows; all dense and floating, weight and bias of one dtype, at least one element.
   *
   * @param variance receives the variances (not corrected), where given
   */
  norm?(
    x: Strided,
    weight: Strided | null,
    bias: Strided | null,
    out: Strided,
    statistics: NormStatistics,
    variance: Strided | null,
    eps: number,
    groups: NormGroups,
  ): boolean;
  /**
   * Its gradients, each where given; those of weight and bias are only asked for where factors are columns, or the rows
   * themselves.
   */
  normGrad?(
    grad: Strided,
    x: Strided,
    weight: Strided | null,
    statistics: NormStatistics,
    gradX: Strided | null,
    gradWeight: Strided | null,
    gradBias: Strided | null,
    groups: NormGroups,
  ): boolean;
  /** Mean, `1 / √(variance + eps)` and variance (where given) of any groups of a dense floating tensor, in one reading. */
  moments?(
    x: Strided,
    mean: Strided,
    rstd: Strided,
    variance: Strided | null,
    eps: number,
    groups: NormGroups,
  ): boolean;

  // Attention (optional: composed in src/ops/nn/attention_core.ts where absent or refused)
  /** Whether {@linkcode Backend.attention} takes operands of these dtypes and sizes. */
  supportsAttention?(operands: AttentionOperands): boolean;
  /**
   * `out = softmax(query · keyᵀ · scale, masked) · value`, and the logarithm of each row's sum (float32 `[B, H, L]`, +∞ where
   * a row sees nothing, whose result is 0). Query, key, value, `out` and their gradients have unit steps in their last
   * dimension; where its size is a whole number of 16 bytes, so are all their other steps and offsets.
   */
  attention?(operands: AttentionOperands, options: AttentionOptions, out: Strided, logSum: Strided): void;
  /**
   * The gradients of {@linkcode Backend.attention} by query, or by key and value, or all.
   *
   * @param grad of `out`
   * @param dots the dot product of each row of `grad` with that of `out`, float32 `[B, H, L]`
   */
  attentionGrad?(
    operands: AttentionOperands,
    options: AttentionOptions,
    logSum: Strided,
    grad: Strided,
    dots: Strided,
    byQuery: Strided | null,
    byKeyValue: readonly [byKey: Strided, byValue: Strided] | null,
  ): void;
}
