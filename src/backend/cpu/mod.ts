/**
 * The CPU backend: composes the kernel families over one kernel library, WebAssembly or native.
 *
 * Every kernel runs to its end before the call returns, so reads need no waiting.
 *
 * @module
 */

import { type DType, int64 } from "../../base/dtype.ts";
import { numelOf } from "../../base/shape.ts";
import type { Program } from "../../expr/program.ts";
import type { Allocator } from "../allocator.ts";
import type {
  Backend,
  BackendInfo,
  Block,
  Combine,
  ConvGeometry,
  FactorKind,
  MemoryStats,
  PoolWindows,
  ScanKind,
  ScatterMode,
  Strided,
} from "../backend.ts";
import * as conv from "./conv.ts";
import { factor, svd } from "./factor.ts";
import { fft } from "./fft.ts";
import * as indexing from "./indexing.ts";
import { type KernelLibrary, loadKernels } from "./lib.ts";
import { matmul } from "./matmul.ts";
import { cpuAllocator, cpuBytes } from "./memory.ts";
import { asIndex, ofDtype, ofProduct, ofProgram, oneDtype } from "./operands.ts";
import * as order from "./order.ts";
import { CompiledProgram, pointwise, ProgramStore } from "./pointwise.ts";
import * as pool from "./pool.ts";
import { argReduce, reduce, scan } from "./reduce.ts";
import * as rows from "./rows.ts";

let nextId = 0;

/** The kernels of the CPU. */
export class CpuBackend implements Backend {
  /** The slot of compiled programs. */
  readonly id: number = nextId++;
  /** The kernel library. */
  readonly lib: KernelLibrary;
  /** The allocator over the library's memory. */
  readonly allocator: Allocator;
  readonly maxBytes: number;
  readonly #programs = new ProgramStore();

  /** A backend over `lib`; {@linkcode cpuBackend} is the usual one. */
  constructor(lib: KernelLibrary) {
    this.lib = lib;
    this.allocator = cpuAllocator(lib);
    this.maxBytes = cpuBytes(lib);
  }

  /** Describes what runs. */
  info(): BackendInfo {
    return { device: "cpu", kernels: this.lib.describe() };
  }

  supports(_dtype: DType): boolean {
    return true;
  }
  alloc(elements: number, dtype: DType): Block {
    return this.allocator.alloc(elements * dtype.itemsize);
  }
  free(block: Block): void {
    this.allocator.free(block);
  }
  write(x: Strided, bytes: Uint8Array): void {
    this.lib.write(x.storage.block.address + x.offset * x.dtype.itemsize, bytes);
  }
  read(x: Strided): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.readSync(x));
  }
  readSync(x: Strided): Uint8Array<ArrayBuffer> {
    const { itemsize } = x.dtype;
    return this.lib.read(x.storage.block.address + x.offset * itemsize, numelOf(x.shape) * itemsize);
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

  #compile(program: Program): CompiledProgram {
    const compiled = new CompiledProgram(this.lib, program, this.#programs);
    program.compiled[this.id] = compiled;
    return compiled;
  }

  pointwise(
    program: Program,
    shape: readonly number[],
    inputs: readonly Strided[],
    scalars: readonly (number | bigint)[],
    outputs: readonly Strided[],
  ): void {
    ofProgram("pointwise", program, inputs, outputs);
    const compiled = (program.compiled[this.id] as CompiledProgram | undefined) ?? this.#compile(program);
    pointwise(this.lib, compiled, shape, inputs, scalars, outputs);
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
    ofProgram("reduce", program, inputs, outputs);
    const compiled = (program.compiled[this.id] as CompiledProgram | undefined) ?? this.#compile(program);
    reduce(this.lib, compiled, combine, shape, reduced, inputs, scalars, outputs);
  }
  argReduce(kind: "max" | "min", x: Strided, dim: number, indices: Strided, values: Strided | null): void {
    ofDtype("argReduce", indices, int64);
    oneDtype("argReduce", x, values);
    argReduce(this.lib, kind, x, dim, indices, values);
  }
  scan(kind: ScanKind, x: Strided, dim: number, out: Strided, indices: Strided | null): void {
    ofDtype("scan", indices, int64);
    scan(this.lib, kind, x, dim, out, indices);
  }

  sort(x: Strided, dim: number, descending: boolean, values: Strided, indices: Strided): void {
    oneDtype("sort", x, values);
    ofDtype("sort", indices, int64);
    order.sort(this.lib, x, dim, descending, values, indices);
  }
  topk(x: Strided, dim: number, largest: boolean, values: Strided, indices: Strided): void {
    oneDtype("topk", x, values);
    ofDtype("topk", indices, int64);
    order.topk(this.lib, x, dim, largest, values, indices);
  }
  searchsorted(sorted: Strided, values: Strided, right: boolean, out: Strided): void {
    oneDtype("searchsorted", sorted, values);
    ofDtype("searchsorted", out, int64);
    order.searchsorted(this.lib, sorted, values, right, out);
  }
  gather(op: string, x: Strided, dim: number, index: Strided, out: Strided): void {
    oneDtype(op, x, out);
    asIndex(op, index);
    indexing.gather(op, this.lib, x, dim, index, out);
  }
  scatter(op: string, out: Strided, dim: number, index: Strided, src: Strided, mode: ScatterMode): void {
    oneDtype(op, out, src);
    asIndex(op, index);
    indexing.scatter(op, this.lib, out, dim, index, src, mode);
  }
  indexSelect(op: string, x: Strided, dim: number, index: Strided, out: Strided, wrap: boolean): void {
    oneDtype(op, x, out);
    asIndex(op, index);
    indexing.indexSelect(op, this.lib, x, dim, index, out, wrap);
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
    oneDtype(op, out, src);
    asIndex(op, index);
    indexing.indexPut(op, this.lib, out, dim, index, src, mode, wrap);
  }
  countNonzero(x: Strided): Promise<number> {
    return Promise.resolve(indexing.countNonzero(this.lib, x));
  }
  nonzero(x: Strided, out: Strided): void {
    ofDtype("nonzero", out, int64);
    indexing.nonzero(this.lib, x, out);
  }

  matmul(a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void {
    ofProduct(a, b, out);
    matmul(this.lib, a, b, out, alpha, beta);
  }
  conv(x: Strided, weight: Strided, bias: Strided | null, out: Strided, geometry: ConvGeometry): void {
    oneDtype("conv", x, weight);
    oneDtype("conv", x, bias);
    oneDtype("conv", x, out);
    conv.conv(this.lib, x, weight, bias, out, geometry);
  }
  convGradInput(grad: Strided, weight: Strided, out: Strided, geometry: ConvGeometry): void {
    oneDtype("convGradInput", out, grad);
    oneDtype("convGradInput", out, weight);
    conv.convGradInput(this.lib, grad, weight, out, geometry);
  }
  convGradWeight(grad: Strided, x: Strided, out: Strided, geometry: ConvGeometry): void {
    oneDtype("convGradWeight", out, grad);
    oneDtype("convGradWeight", out, x);
    conv.convGradWeight(this.lib, grad, x, out, geometry);
  }
  maxPool(x: Strided, windows: PoolWindows, out: Strided, indices: Strided): void {
    oneDtype("maxPool", x, out);
    ofDtype("maxPool", indices, int64);
    pool.maxPool(this.lib, x, windows, out, indices);
  }
  avgPool(x: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    oneDtype("avgPool", x, out);
    pool.avgPool(this.lib, x, windows, scale, out);
  }
  avgPoolGrad(grad: Strided, windows: PoolWindows, scale: Strided, out: Strided): void {
    oneDtype("avgPoolGrad", grad, out);
    pool.avgPoolGrad(this.lib, grad, windows, scale, out);
  }
  svd(op: string, x: Strided, u: Strided, s: Strided, vh: Strided): boolean {
    oneDtype("svd", x, u);
    oneDtype("svd", x, vh);
    return svd(this.lib, op, x, u, s, vh);
  }
  factor(kind: FactorKind, a: Strided, b: Strided | null, info: Strided | null, flags: number): void {
    factor(this.lib, kind, a, b, info, flags);
  }
  fft(x: Strided, out: Strided, inverse: boolean, scale: number): boolean {
    oneDtype("fft", x, out);
    fft(this.lib, x, out, inverse, scale);
    return true;
  }
  softmax(x: Strided, log: boolean, out: Strided): void {
    oneDtype("softmax", x, out);
    rows.softmax(this.lib, x, log, out);
  }
  softmaxGrad(grad: Strided, output: Strided, log: boolean, out: Strided): void {
    oneDtype("softmaxGrad", out, grad);
    oneDtype("softmaxGrad", out, output);
    rows.softmaxGrad(this.lib, grad, output, log, out);
  }
}

let shared: CpuBackend | null = null;

/** The CPU backend: made on first use, with native kernels where they can be had (`CRESSET_KERNELS` overrides). */
export function cpuBackend(): CpuBackend {
  return shared ??= new CpuBackend(loadKernels());
}
