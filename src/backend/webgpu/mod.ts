/**
 * The WebGPU backend: composes the kernel families over one GPU.
 *
 * Getting a device is asynchronous, so it is asked for once, by `await openDevice("webgpu")`; from then on tensors can be made
 * on it like on any other device. Every element takes one 32-bit word there (see `operands.ts`), float16 ones two bytes (see `halves.ts`).
 *
 * Values are read asynchronously, and a read costs Deno at least 10 ms, since it polls and then sleeps. Reads that start in
 * the same turn share one submission and one wait: `await Promise.all([loss.item(), accuracy.item()])`. So a training loop
 * reads its losses every few steps, together, and nothing in the library reads on its own account.
 *
 * @module
 */

import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { DeviceError, NativeError } from "../../base/errors.ts";
import { numelOf } from "../../base/shape.ts";
import type { Program } from "../../expr/program.ts";
import type {
  Backend,
  BackendInfo,
  Block,
  Combine,
  ConvGeometry,
  MemoryStats,
  PoolWindows,
  ScanKind,
  ScatterMode,
  Strided,
} from "../backend.ts";
import * as conv from "./conv.ts";
import { type Gpu, type GpuBlock, requestGpu } from "./gpu.ts";
import { readHalves, writeHalves } from "./halves.ts";
import * as indexing from "./indexing.ts";
import { matmul } from "./matmul.ts";
import * as nonzero from "./nonzero.ts";
import { checkDtype } from "./operands.ts";
import * as order from "./order.ts";
import { pointwise } from "./pointwise.ts";
import * as pool from "./pool.ts";
import { reduce } from "./reduce.ts";
import * as rows from "./rows.ts";
import { argReduce, scan } from "./scan.ts";
import { fromWords, toWords } from "./words.ts";

/** The slot of compiled programs; the CPU's backends count up from 0. */
const WEBGPU_ID = 1000;

/** Tensors of up to this many bytes are remembered when they come from the host; see {@linkcode WebGpuBackend.known}. */
const KNOWN = 4096;

/** The kernels of one GPU. */
export class WebGpuBackend implements Backend {
  readonly id: number = WEBGPU_ID;
  /** The device. */
  readonly gpu: Gpu;

  /** A backend over `gpu`; {@linkcode openWebGpu} is the usual way to one. */
  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  info(): BackendInfo {
    return { device: "webgpu", kernels: `wgsl (${this.gpu.name})` };
  }

  supports(dtype: DType): boolean {
    return dtype.name !== "float64" && dtype.name !== "complex128";
  }
  aliases(from: DType, to: DType): boolean {
    // A view shares words, not bytes: only where an element's word is its bytes are the two the same.
    const bytes = (dtype: DType) => dtype.name === "float32" || dtype.name === "int32" || dtype.name === "complex64";
    return from === to || bytes(from) && bytes(to);
  }
  alloc(elements: number, dtype: DType): Block {
    checkDtype("alloc", dtype);
    const half = dtype.name === "float16" && this.gpu.halves;
    return this.gpu.alloc(elements * (half ? 2 : dtype.isComplex ? 8 : 4), half);
  }
  free(block: Block): void {
    this.gpu.free(block);
  }
  write(x: Strided, bytes: Uint8Array): void {
    const block = x.storage.block as GpuBlock;
    if (bytes.length <= KNOWN && x.offset === 0) block.known = bytes.slice();
    if (block.half) writeHalves(this.gpu, block, x.offset, bytes);
    else this.gpu.write(block, x.offset * (x.dtype.isComplex ? 8 : 4), toWords(bytes, x.dtype));
  }
  async read(x: Strided): Promise<Uint8Array<ArrayBuffer>> {
    const block = x.storage.block as GpuBlock, count = numelOf(x.shape);
    if (block.half) return await readHalves(this.gpu, block, x.offset, count);
    const scale = x.dtype.isComplex ? 8 : 4;
    return fromWords(await this.gpu.read(block, x.offset * scale, count * scale), x.dtype);
  }
  known(x: Strided): Uint8Array<ArrayBuffer> | null {
    const { known } = x.storage.block as GpuBlock;
    if (known === null) return null;
    const { shape, strides, dtype: { itemsize } } = x;
    const out = new Uint8Array(numelOf(shape) * itemsize);
    for (let i = 0; i < out.length / itemsize; i++) {
      let at = x.offset;
      for (let d = shape.length - 1, rest = i; d >= 0; rest = Math.floor(rest / shape[d--])) {
        at += rest % shape[d] * strides[d];
      }
      out.set(known.subarray(at * itemsize, (at + 1) * itemsize), i * itemsize);
    }
    return out;
  }
  failWhere(bad: Strided, error: Error): void {
    indexing.failWhere(this.gpu, bad, error);
  }
  memoryStats(): MemoryStats {
    return this.gpu.memoryStats();
  }
  resetPeakMemoryStats(): void {
    this.gpu.resetPeak();
  }
  emptyCache(): void {
    this.gpu.emptyCache();
  }

  pointwise(
    program: Program,
    shape: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void {
    pointwise(this.gpu, program, shape, inputs, scalars, outputs);
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
    reduce(this.gpu, program, combine, shape, reduced, inputs, scalars, outputs);
  }
  argReduce(kind: "max" | "min", x: Strided, dim: number, indices: Strided, values: Strided | null): void {
    argReduce(this.gpu, kind, x, dim, indices, values);
  }
  scan(kind: ScanKind, x: Strided, dim: number, out: Strided, indices: Strided | null): void {
    scan(this.gpu, kind, x, dim, out, indices);
  }

  sort(x: Strided, dim: number, descending: boolean, values: Strided, indices: Strided): void {
    order.sort(this.gpu, x, dim, descending, values, indices);
  }
  topk(x: Strided, dim: number, largest: boolean, values: Strided, indices: Strided): void {
    order.topk(this.gpu, x, dim, largest, values, indices);
  }
  searchsorted(sorted: Strided, values: Strided, right: boolean, out: Strided): void {
    order.searchsorted(this.gpu, sorted, values, right, out);
  }
  gather(op: string, x: Strided, dim: number, index: Strided, out: Strided): void {
    indexing.gather(this.gpu, op, x, dim, index, out);
  }
  scatter(op: string, out: Strided, dim: number, index: Strided, src: Strided, mode: ScatterMode): void {
    indexing.scatter(this.gpu, op, out, dim, index, src, mode);
  }
  indexSelect(op: string, x: Strided, dim: number, index: Strided, out: Strided, wrap: boolean): void {
    indexing.indexSelect(this.gpu, op, x, dim, index, out, wrap);
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
    indexing.indexPut(this.gpu, op, out, dim, index, src, mode, wrap);
  }
  countNonzero(x: Strided): Promise<number> {
    return nonzero.countNonzero(this.gpu, x);
  }
  nonzero(x: Strided, out: Strided): void {
    nonzero.nonzero(this.gpu, x, out);
  }

  matmul(a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void {
    matmul(this.gpu, a, b, out, alpha, beta);
  }
  conv(x: Strided, weight: Strided, bias: Strided | null, out: Strided, geometry: ConvGeometry): void {
    conv.conv(this.gpu, x, weight, bias, out, geometry);
  }
  convGradInput(grad: Strided, weight: Strided, out: Strided, geometry: ConvGeometry): void {
    conv.convGradInput(this.gpu, grad, weight, out, geometry);
  }
  convGradWeight(grad: Strided, x: Strided, out: Strided, geometry: ConvGeometry): void {
    conv.convGradWeight(this.gpu, grad, x, out, geometry);
  }
  maxPool(x: Strided, windows: PoolWindows, out: Strided, indices: Strided): void {
    pool.maxPool(this.gpu, x, windows, out, indices);
  }
  avgPool(x: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    pool.avgPool(this.gpu, x, windows, scale, out);
  }
  avgPoolGrad(grad: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    pool.avgPoolGrad(this.gpu, grad, windows, scale, out);
  }
  softmax(x: Strided, log: boolean, out: Strided): void {
    rows.softmax(this.gpu, x, log, out);
  }
  softmaxGrad(grad: Strided, output: Strided, log: boolean, out: Strided): void {
    rows.softmaxGrad(this.gpu, grad, output, log, out);
  }
}

let opened: WebGpuBackend | null = null;
let opening: Promise<WebGpuBackend | null> | null = null;

/** Opens the GPU, once; `null` where there is none. */
export function openWebGpu(): Promise<WebGpuBackend | null> {
  return opening ??= requestGpu().then(
    (gpu) => opened = gpu && new WebGpuBackend(gpu),
    (cause) => {
      throw new NativeError("webgpu: the adapter gave no device", -1, { cause });
    },
  );
}

/**
 * The backend of the opened GPU.
 *
 * @throws {DeviceError} if it was not opened, or there is none, or `device` is another
 */
export function webGpuBackend(device: Device): WebGpuBackend {
  if (opened === null) {
    throw new DeviceError(
      opening === null
        ? 'device("webgpu"): the GPU is not open yet; call await openDevice("webgpu") once before using it'
        : 'device("webgpu"): no WebGPU adapter was found; install a Vulkan driver, or use "cpu"',
    );
  }
  if ((device.index ?? 0) > 0) {
    throw new DeviceError(`device("${device}"): Deno offers one WebGPU adapter (${opened.gpu.name}); use "webgpu"`);
  }
  return opened;
}
