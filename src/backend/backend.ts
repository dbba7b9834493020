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
}

/** What runs: shown by `info()` and stored in benchmark and conformance files. */
export interface BackendInfo {
  /** The device's name. */
  readonly device: string;
  /** The kernel library: `"wasm"`, `"native (avx512, oneDNN 3.4, 2 threads)"`, … */
  readonly kernels: string;
}

/** A device's kernels. */
export interface Backend {
  /** A small number, unique per backend: the slot of compiled programs. */
  readonly id: number;
  /** Describes what runs. */
  info(): BackendInfo;
  /** Whether the device holds and computes with a dtype. */
  supports(dtype: DType): boolean;

  // Memory
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
  /** Allocator figures. */
  memoryStats(): MemoryStats;
  /** Makes the peak start again from what is live. */
  resetPeakMemoryStats(): void;
  /** Returns cached blocks to the system where that is possible. */
  emptyCache(): void;

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
  /** `out = conv(x, weight) + bias`: x `[N, C, …]`, weight `[O, C/groups, …]`, bias `[O]` or `null`; floating, all dense. */
  conv(x: Strided, weight: Strided, bias: Strided | null, out: Strided, geometry: ConvGeometry): void;
  /** The gradient of `conv` by its input; all dense. */
  convGradInput(grad: Strided, weight: Strided, out: Strided, geometry: ConvGeometry): void;
  /** The gradient of `conv` by its weight; all dense. */
  convGradWeight(grad: Strided, x: Strided, out: Strided, geometry: ConvGeometry): void;
  /** Largest value of each window and its flat index in the input's spatial plane (int64); all dense, any real dtype but bool. */
  maxPool(x: Strided, windows: PoolWindows, out: Strided, indices: Strided): void;
  /** Sum of each window times `scale[output plane]` (float32, or float64 for float64); floating, all dense. */
  avgPool(x: Strided, windows: PoolWindows, scale: Strided, out: Strided): void;
  /** The gradient of `avgPool` by its input; all dense. */
  avgPoolGrad(grad: Strided, windows: PoolWindows, scale: Strided, out: Strided): void;

  // Decompositions (optional: `src/ops` says which device has them)
  /**
   * Thin singular value decomposition of dense matrices `x` `[…, m, n]` into dense `u` `[…, m, k]`, `s` `[…, k]` (largest
   * first) and `vh` `[…, k, n]`; `false` where an element is not finite.
   */
  svd?(x: Strided, u: Strided, s: Strided, vh: Strided): boolean;

  // Rows (optional: composed in src/ops where absent)
  /** Softmax (or its logarithm) over the last dimension of contiguous rows. */
  softmax?(x: Strided, log: boolean, out: Strided): void;
  /** Its gradient from the output. */
  softmaxGrad?(grad: Strided, output: Strided, log: boolean, out: Strided): void;
}
