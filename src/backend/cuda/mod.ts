/**
 * The CUDA backend: composes the kernel families over one device's stream.
 *
 * Maps and reductions are kernels printed from expressions, products and convolutions are cuBLASLt's and cuDNN's, the rest
 * is written by hand in `kernels/`. Work is asynchronous; reads wait.
 *
 * @module
 */

import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { numelOf } from "../../base/shape.ts";
import type { Program } from "../../expr/program.ts";
import type { Allocator } from "../allocator.ts";
import type {
  AttentionOperands,
  AttentionOptions,
  Backend,
  BackendInfo,
  Block,
  Combine,
  ConvGeometry,
  Epilogue,
  MemoryStats,
  NormGroups,
  NormStatistics,
  OperandGroup,
  PoolWindows,
  ProductScaling,
  ScanKind,
  ScatterMode,
  Strided,
} from "../backend.ts";
import * as attention from "./families/attention.ts";
import * as conv from "./families/conv.ts";
import { fft } from "./families/fft.ts";
import * as indexing from "./families/indexing.ts";
import * as each from "./families/each.ts";
import { matmul, matmulEpilogue, matmulRowSums, reluMaskBytes, scaledMatmul } from "./families/matmul.ts";
import { moments } from "./families/moments.ts";
import { countNonzero, nonzero } from "./families/nonzero.ts";
import { norm, normGrad } from "./families/norm.ts";
import * as order from "./families/order.ts";
import { compiledOf, CUDA_ID, pointwise } from "./families/pointwise.ts";
import * as pool from "./families/pool.ts";
import { reduce } from "./families/reduce.ts";
import * as rows from "./families/rows.ts";
import { argReduce, scan } from "./families/scan.ts";
import { addressOf, CudaStream } from "./device/stream.ts";
import { recordStream } from "./device/streams_guard.ts";
import { svd } from "./families/svd.ts";

/** The kernels of one CUDA device. */
export class CudaBackend implements Backend {
  readonly id: number;
  readonly channelsLast = true;
  /** The device. */
  readonly stream: CudaStream;

  /** A backend of device `ordinal`; {@linkcode cudaBackend} gives the one that exists. */
  constructor(ordinal: number) {
    this.id = CUDA_ID + ordinal;
    this.stream = new CudaStream(ordinal);
  }

  /** The allocator of the device's memory. */
  get allocator(): Allocator {
    return this.stream.allocator;
  }

  info(): BackendInfo {
    const { ordinal, name, capability } = this.stream;
    return { device: `cuda:${ordinal}`, kernels: `cuda (${name}, sm_${capability})` };
  }

  supports(_dtype: DType): boolean {
    return true;
  }
  get maxBytes(): number {
    return this.stream.totalBytes;
  }
  alloc(elements: number, dtype: DType): Block {
    return this.allocator.alloc(elements * dtype.itemsize);
  }
  free(block: Block): void {
    this.allocator.free(block);
  }
  write(x: Strided, bytes: Uint8Array): void {
    this.stream.write(addressOf(x), bytes);
  }
  read(x: Strided): Promise<Uint8Array<ArrayBuffer>> {
    return this.stream.readLater(addressOf(x), numelOf(x.shape) * x.dtype.itemsize);
  }
  readSync(x: Strided): Uint8Array<ArrayBuffer> {
    return this.stream.read(addressOf(x), numelOf(x.shape) * x.dtype.itemsize);
  }
  recordStream(own: Device, block: Block, stream: { device: Device; streamId: number }): void {
    recordStream(this.stream, own, block, stream);
  }
  get recording(): boolean {
    return this.stream.recording !== null;
  }
  copiesFrom(source: Backend): boolean {
    return source instanceof CudaBackend;
  }
  copyFrom(source: Backend, from: Strided, to: Strided): void {
    const bytes = numelOf(from.shape) * from.dtype.itemsize;
    if (bytes > 0) this.stream.copyFrom((source as CudaBackend).stream, addressOf(from), addressOf(to), bytes);
  }
  memoryStats(): MemoryStats {
    return this.allocator.stats();
  }
  resetPeakMemoryStats(): void {
    this.allocator.resetPeak();
  }
  emptyCache(): void {
    this.allocator.emptyCache();
  }

  pointwise(
    program: Program,
    shape: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void {
    pointwise(this.stream, compiledOf(this.stream, program), program, shape, inputs, scalars, outputs);
  }
  reduce(
    program: Program,
    combine: Combine,
    shape: readonly number[],
    reduced: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void {
    reduce(this.stream, program, combine, shape, reduced, inputs, scalars, outputs);
  }
  pointwiseEach(
    program: Program,
    groups: readonly OperandGroup[],
    scalars: readonly (number | bigint)[],
  ): readonly OperandGroup[] {
    return each.pointwiseEach(this.stream, program, groups, scalars);
  }
  reduceEach(
    program: Program,
    combine: Combine,
    groups: readonly OperandGroup[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): boolean {
    return each.reduceEach(this.stream, program, combine, groups, scalars, outputs);
  }
  argReduce(kind: "max" | "min", x: Strided, dim: number, indices: Strided, values: Strided | null): void {
    argReduce(this.stream, kind, x, dim, indices, values);
  }
  scan(kind: ScanKind, x: Strided, dim: number, out: Strided, indices: Strided | null): void {
    scan(this.stream, kind, x, dim, out, indices);
  }

  sort(x: Strided, dim: number, descending: boolean, values: Strided, indices: Strided): void {
    order.sort(this.stream, x, dim, descending, values, indices);
  }
  topk(x: Strided, dim: number, largest: boolean, values: Strided, indices: Strided): void {
    order.topk(this.stream, x, dim, largest, values, indices);
  }
  searchsorted(sorted: Strided, values: Strided, right: boolean, out: Strided): void {
    order.searchsorted(this.stream, sorted, values, right, out);
  }
  gather(op: string, x: Strided, dim: number, index: Strided, out: Strided): void {
    indexing.gather(this.stream, op, x, dim, index, out);
  }
  scatter(op: string, out: Strided, dim: number, index: Strided, src: Strided, mode: ScatterMode): void {
    indexing.scatter(this.stream, op, out, dim, index, src, mode);
  }
  indexSelect(op: string, x: Strided, dim: number, index: Strided, out: Strided, wrap: boolean): void {
    indexing.indexSelect(this.stream, op, x, dim, index, out, wrap);
  }
  indexPut(
    op: string,
    out: Strided,
    dim: number,
    index: Strided,
    src: Strided,
    mode: ScatterMode,
    wrap: boolean,
  ): void {
    indexing.indexPut(this.stream, op, out, dim, index, src, mode, wrap);
  }
  countNonzero(x: Strided): Promise<number> {
    try {
      return Promise.resolve(countNonzero(this.stream, x));
    } catch (error) {
      return Promise.reject(error);
    }
  }
  nonzero(x: Strided, out: Strided): void {
    nonzero(this.stream, x, out);
  }

  matmul(a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void {
    matmul(this.stream, a, b, out, alpha, beta);
  }
  matmulEpilogue(a: Strided, b: Strided, out: Strided, epilogue: Epilogue): boolean {
    return matmulEpilogue(this.stream, a, b, out, epilogue);
  }
  matmulRowSums(a: Strided, b: Strided, out: Strided, sums: Strided): boolean {
    return matmulRowSums(this.stream, a, b, out, sums);
  }
  scaledMatmul(a: Strided, b: Strided, out: Strided, scaling: ProductScaling): boolean {
    return scaledMatmul(this.stream, a, b, out, scaling);
  }
  reluMaskBytes(columns: number): number {
    return reluMaskBytes(columns);
  }
  conv(x: Strided, weight: Strided, bias: Strided | null, out: Strided, geometry: ConvGeometry): void {
    conv.conv(this.stream, x, weight, bias, out, geometry);
  }
  convGradInput(grad: Strided, weight: Strided, out: Strided, geometry: ConvGeometry): void {
    conv.convGradInput(this.stream, grad, weight, out, geometry);
  }
  convGradWeight(grad: Strided, x: Strided, out: Strided, geometry: ConvGeometry): void {
    conv.convGradWeight(this.stream, grad, x, out, geometry);
  }
  maxPool(x: Strided, windows: PoolWindows, out: Strided, indices: Strided): void {
    pool.maxPool(this.stream, x, windows, out, indices);
  }
  maxPoolGrad(grad: Strided, indices: Strided, windows: PoolWindows, out: Strided): void {
    pool.maxPoolGrad(this.stream, grad, indices, windows, out);
  }
  avgPool(x: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    pool.avgPool(this.stream, x, windows, scale, out);
  }
  avgPoolGrad(grad: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    pool.avgPoolGrad(this.stream, grad, windows, scale, out);
  }
  svd(op: string, x: Strided, u: Strided, s: Strided, vh: Strided): boolean {
    return svd(this.stream, op, x, u, s, vh);
  }
  fft(x: Strided, out: Strided, inverse: boolean, scale: number): boolean {
    return fft(this.stream, x, out, inverse, scale);
  }
  readonly halfRows = true;
  softmax(x: Strided, log: boolean, out: Strided): void {
    rows.softmax(this.stream, x, log, out);
  }
  softmaxGrad(grad: Strided, output: Strided, log: boolean, out: Strided): void {
    rows.softmaxGrad(this.stream, grad, output, log, out);
  }

  supportsAttention(operands: AttentionOperands): boolean {
    return attention.supportsAttention(this.stream, operands);
  }
  attention(operands: AttentionOperands, options: AttentionOptions, out: Strided, logSum: Strided): void {
    attention.attention(this.stream, operands, options, out, logSum);
  }
  attentionGrad(
    operands: AttentionOperands,
    options: AttentionOptions,
    logSum: Strided,
    grad: Strided,
    dots: Strided,
    byQuery: Strided | null,
    byKeyValue: readonly [byKey: Strided, byValue: Strided] | null,
  ): void {
    attention.attentionGrad(this.stream, operands, options, logSum, grad, dots, byQuery, byKeyValue);
  }
  norm(
    x: Strided,
    weight: Strided | null,
    bias: Strided | null,
    out: Strided,
    statistics: NormStatistics,
    variance: Strided | null,
    eps: number,
    groups: NormGroups,
  ): boolean {
    return norm(this.stream, x, weight, bias, out, statistics, variance, eps, groups);
  }
  normGrad(
    grad: Strided,
    x: Strided,
    weight: Strided | null,
    statistics: NormStatistics,
    gradX: Strided | null,
    gradWeight: Strided | null,
    gradBias: Strided | null,
    groups: NormGroups,
  ): boolean {
    return normGrad(this.stream, grad, x, weight, statistics, gradX, gradWeight, gradBias, groups);
  }
  moments(
    x: Strided,
    mean: Strided,
    rstd: Strided,
    variance: Strided | null,
    eps: number,
    groups: NormGroups,
  ): boolean {
    return moments(this.stream, x, mean, rstd, variance, eps, groups);
  }
}

const opened: CudaBackend[] = [];

/**
 * The backend of a CUDA device, opened on first use.
 *
 * @throws {DeviceError} if there is no driver, or no such device
 */
export function cudaBackend(device: Device): CudaBackend {
  const ordinal = device.index ?? 0;
  return opened[ordinal] ??= new CudaBackend(ordinal);
}

/** Whether a device was opened. */
export function cudaOpened(): boolean {
  return opened.length > 0;
}
