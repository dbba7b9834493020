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
import { rowOf } from "../../base/dtype_table.ts";
import { DeviceError, NativeError } from "../../base/errors.ts";
import { numelOf } from "../../base/shape.ts";
import type { Backend, BackendInfo, Block, MemoryStats, Strided } from "../backend.ts";
import { bind, type Bound } from "../bind.ts";
import { type AdapterChoice, listAdapters, requestGpu } from "./device/adapters.ts";
import type { Gpu, GpuBlock } from "./device/gpu.ts";
import { readHalves, writeHalves } from "./device/halves.ts";
import { checkDtype } from "./text/operands.ts";
import { fromWords, toWords } from "./device/words.ts";
import * as table from "./table.ts";

/** The slot of compiled programs of the first device; the CPU's backends count up from 0. */
const WEBGPU_ID = 1000;

/** Tensors of up to this many bytes are remembered when they come from the host; see {@linkcode WebGpuBackend.known}. */
const KNOWN = 4096;

/** The methods that are kernels: those of `table.ts`. */
export interface WebGpuBackend extends Bound<typeof table> {}

/** The kernels of one GPU. */
export class WebGpuBackend implements Backend {
  readonly id: number;
  /** The device. */
  readonly gpu: Gpu;
  readonly #index: number;

  /** How many bytes an element takes here differs by dtype, so `alloc` holds the adapter's limit. */
  readonly maxBytes: number = Number.MAX_SAFE_INTEGER;

  /** A backend over `gpu`; {@linkcode openWebGpu} is the usual way to one. */
  constructor(gpu: Gpu, index = 0) {
    this.gpu = gpu;
    this.id = WEBGPU_ID + index;
    this.#index = index;
    bind(this, gpu, table);
  }

  info(): BackendInfo {
    return { device: this.#index === 0 ? "webgpu" : `webgpu:${this.#index}`, kernels: `wgsl (${this.gpu.name})` };
  }

  supports(dtype: DType): boolean {
    return rowOf(dtype).wgsl !== null;
  }
  aliases(from: DType, to: DType): boolean {
    // A view shares words, not bytes: only where an element's word is its bytes are the two the same.
    const bytes = (dtype: DType) => rowOf(dtype).array().BYTES_PER_ELEMENT === 4;
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
    const size = block.half ? 2 : x.dtype.isComplex ? 8 : 4;
    // What is known is known of the whole memory: a write of a part leaves nothing known.
    const whole = x.offset === 0 && numelOf(x.shape) * size === block.requested;
    if (whole) block.doubt = null;
    block.known = whole && bytes.length <= KNOWN ? bytes.slice() : null;
    if (block.half) writeHalves(this.gpu, block, x.offset, bytes);
    else this.gpu.write(block, x.offset * size, toWords(bytes, x.dtype));
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
  memoryStats(): MemoryStats {
    return this.gpu.memoryStats();
  }
  resetPeakMemoryStats(): void {
    this.gpu.resetPeak();
  }
  emptyCache(): void {
    this.gpu.emptyCache();
  }

  readonly halfRows = true;
}

/** The adapters there are, once asked for. */
let adapters: Promise<AdapterChoice[]> | null = null;
let names: readonly string[] | null = null;
const opened: (WebGpuBackend | undefined)[] = [];
const opening: (Promise<WebGpuBackend | null> | undefined)[] = [];

/** Opens a GPU, once, or again after it was lost; `null` where there is none of that number. */
export function openWebGpu(index = 0): Promise<WebGpuBackend | null> {
  if (opened[index]?.gpu.lost) opened[index] = opening[index] = undefined;
  return opening[index] ??= open(index).catch((cause) => {
    opening[index] = undefined;
    throw new NativeError(`webgpu: the adapter gave no device: ${(cause as Error).message}`, -1, { cause });
  });
}

async function choicesOf(): Promise<AdapterChoice[]> {
  const choices = await (adapters ??= listAdapters());
  names = choices.map((choice) => choice.name);
  return choices;
}

/** What the adapters call themselves, the device number of each being its place. */
export async function webGpuNames(): Promise<string[]> {
  return (await choicesOf()).map((choice) => choice.name);
}

async function open(index: number): Promise<WebGpuBackend | null> {
  const choices = await choicesOf();
  const gpu = index < choices.length ? await requestGpu(choices[index]) : null;
  if (gpu !== null) opened[index] = new WebGpuBackend(gpu, index);
  return opened[index] ?? null;
}

/** The numbers of the GPUs that are open. */
export function webGpuOpened(): readonly number[] {
  return [...opened.keys()].filter((index) => opened[index] !== undefined && !opened[index].gpu.lost);
}

/**
 * The backend of an opened GPU.
 *
 * @throws {DeviceError} if it was not opened, or there is none
 */
export function webGpuBackend(device: Device): WebGpuBackend {
  const index = device.index ?? 0;
  const backend = opened[index];
  if (backend !== undefined) return backend;
  if (names === null || index < names.length) {
    throw new DeviceError(
      `device("${device}"): the GPU is not open yet; call await openDevice("${device}") once before using it`,
    );
  }
  if (names.length === 0) {
    throw new DeviceError('device("webgpu"): no WebGPU adapter was found; install a Vulkan driver, or use "cpu"');
  }
  const there = names.map((name, i) => `"webgpu:${i}" (${name})`).join(", ");
  throw new DeviceError(`device("${device}"): there is no such WebGPU adapter; there is ${there}`);
}
