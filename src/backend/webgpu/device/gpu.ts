/**
 * One GPU: its device, buffers, pipelines and the open command stream.
 *
 * Kernels are appended to one compute pass that stays open; it is submitted when a value is read, when memory is written
 * from JavaScript under commands that still use it, or after a number of dispatches. Parameters of all dispatches of a
 * batch lie in one uniform buffer, written once per batch and addressed by dynamic offsets, so a dispatch makes no object:
 * pipelines and bind groups come from caches, buffers from a pool.
 *
 * @module
 */

import { DeviceError, NativeError, OutOfMemoryError } from "../../../base/errors.ts";
import type { Block, MemoryStats } from "../../backend.ts";
import { Checks, type Doubt, spreadDoubt } from "./checks.ts";
import { halfMask, withHalves, writtenMask } from "./halves.ts";
import { expandParameters, MAX_GROUPS, WINDOW } from "../text/kernel_text.ts";

/** Bytes of parameters per batch. */
const PARAMETERS = 512 * 1024;
/** Dispatches per submission. */
const BATCH = 256;
/** Reads of up to this many bytes share a pool of staging buffers. */
const SMALL_READ = 4096;
/** Bind groups in a generation of their cache. */
const GROUPS = 2048;
/** Idle bytes that are kept whatever is in use. */
const IDLE = 2 ** 28;

/** The number of the next buffer, unique over all devices: what is cached for one must not be found for another. */
let nextAddress = 1;

/** A GPU buffer as a {@linkcode Block}. */
export interface GpuBlock extends Block {
  /** Its device. */
  readonly owner: Gpu;
  /** The buffer. */
  readonly buffer: GPUBuffer;
  /** Whether its elements are `f16` instead of 32-bit words. */
  readonly half: boolean;
  /** Bytes asked for. */
  requested: number;
  /** The batch whose commands last used it. */
  batch: number;
  /** Whether it is in use. */
  live: boolean;
  /** What the host wrote into it, where that is little. */
  known: Uint8Array<ArrayBuffer> | null;
  /** The late checks that its contents depend on; see `checks.ts`. */
  doubt: Doubt | null;
}

/** A compiled kernel. */
export interface Kernel {
  /** Identifies the code. */
  readonly key: string;
  /** The compiled code. */
  readonly pipeline: GPUComputePipeline;
  /** How many buffers it has. */
  readonly buffers: number;
  /** Which of them it writes, a bit each. */
  readonly written: number;
}

/** The op that a kernel's key begins with. */
function opOf(key: string): string {
  return key.split(" ", 1)[0];
}

/** Size classes: eight to a doubling, from 256 bytes. */
function roundSize(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = 2 ** Math.max(8, Math.floor(Math.log2(bytes - 1)) - 3);
  return Math.ceil(bytes / step) * step;
}

/** A device and everything that is cached for it. */
export class Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** What the adapter calls itself. */
  readonly name: string;
  /** Whether the adapter runs on the CPU, where loops end after a number of turns. */
  readonly software: boolean;
  /** Whether kernels may use subgroup operations. Tests clear it to try the other kernels. */
  subgroups: boolean;
  /** Whether new float16 tensors are stored in two bytes an element. Tests clear it to try words. */
  halves: boolean;
  private encoder: GPUCommandEncoder | null = null;
  private pass: GPUComputePassEncoder | null = null;
  private dispatches = 0;
  /** The kernels of the batch, for messages. */
  private readonly ran: Kernel[] = [];
  private batch = 1;
  private readonly parameters: GPUBuffer;
  private readonly staging = new Uint32Array(PARAMETERS / 4);
  private used = 0;
  private readonly alignment: number;
  private readonly kernels = new Map<string, Kernel>();
  /** Per program, kernels by a number that tells the operands' slots and layouts; see `pointwise.ts`. */
  readonly programs: (Map<number, Kernel> | undefined)[] = [];
  private readonly dynamicOffset = new Uint32Array(1);
  private readonly layouts: (readonly [GPUBindGroupLayout, GPUPipelineLayout] | undefined)[] = [];
  /** Bind groups by their buffers: those in use, and those that were before the last change of generation. */
  private groups = new Map<number | string, GPUBindGroup>();
  private olderGroups = new Map<number | string, GPUBindGroup>();
  private readonly pool = new Map<number, GpuBlock[]>();
  private idleBytes = 0;
  private limit = Infinity;
  private failure: Error | null = null;
  /** Error scopes that have not answered yet. */
  private readonly scopes = new Set<Promise<void>>();
  private readonly stagings: GPUBuffer[] = [];
  private flushing: Promise<void> | null = null;
  private boundPipeline: GPUComputePipeline | null = null;
  /** What kernels find out about values, such as indices out of range. */
  readonly checks: Checks = new Checks(this, (bytes) => this.create(bytes));
  private readonly stats: MemoryStats = {
    allocatedBytes: 0,
    peakAllocatedBytes: 0,
    reservedBytes: 0,
    liveBlocks: 0,
    allocations: 0,
    collectable: 0,
  };

  /** Wraps a device of the adapter `name`; `adapters.ts` opens one. */
  constructor(device: GPUDevice, name: string, fallback: boolean) {
    this.device = device;
    this.name = name;
    this.subgroups = device.features.has("subgroups");
    this.halves = device.features.has("shader-f16");
    this.software = fallback || /llvmpipe|lavapipe|swiftshader|software/i.test(this.name);
    this.alignment = Math.max(device.limits.minUniformBufferOffsetAlignment, 32);
    this.parameters = device.createBuffer({
      size: PARAMETERS + WINDOW,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      label: "parameters",
    });
    device.addEventListener("uncapturederror", (event) => {
      const { message } = (event as GPUUncapturedErrorEvent).error;
      event.preventDefault();
      this.failure ??= new NativeError(`webgpu: ${message.trim()}`, -1);
    });
    device.lost.then(({ reason, message }) => {
      this.failure ??= new DeviceError(`webgpu: the device was lost (${reason}): ${message}; the CPU remains usable`);
    });
  }

  /** Whether the device is lost: it will not come back. */
  get lost(): boolean {
    return this.failure instanceof DeviceError;
  }

  /** Throws what an earlier command ran into. */
  check(): void {
    if (this.failure !== null) this.fail(this.failure);
  }

  private fail(failure: Error): never {
    // A lost device stays lost; of anything else, later commands know nothing.
    if (!(failure instanceof DeviceError)) this.failure = null;
    throw failure;
  }

  /** Runs `make`; what WebGPU reports about it later becomes the error that `describe` gives. */
  private guarded<T>(filter: GPUErrorFilter, make: () => T, describe: (message: string) => Error): T {
    this.device.pushErrorScope(filter);
    const made = make();
    const answer = this.device.popErrorScope().then((error) => {
      if (error) this.failure ??= describe(error.message.trim());
    }, () => {/* the device is lost, which `lost` reports */}).finally(() => this.scopes.delete(answer));
    this.scopes.add(answer);
    return made;
  }

  // ---------------------------------------------------------------- memory

  /** A buffer of at least `bytes` bytes, of 32-bit words or of halves. */
  alloc(bytes: number, half = false): GpuBlock {
    if (this.failure instanceof DeviceError) throw this.failure;
    const size = roundSize(bytes);
    const { maxStorageBufferBindingSize: binding, maxBufferSize } = this.device.limits;
    if (size > Math.min(binding, maxBufferSize)) {
      throw new OutOfMemoryError(
        `alloc(): a tensor of ${bytes} bytes is larger than the adapter's largest binding (${binding} bytes) or buffer ` +
          `(${maxBufferSize} bytes); split it, or use "cpu"`,
      );
    }
    const list = this.pool.get(size);
    let block: GpuBlock;
    if (list !== undefined && list.length > 0) {
      block = list.pop()!;
      this.idleBytes -= size;
    } else {
      if (this.idleBytes > Math.max(IDLE, this.stats.allocatedBytes)) this.emptyCache();
      if (this.stats.reservedBytes + size > this.limit) this.makeRoom(bytes, size);
      block = this.create(size);
    }
    // A new object for each life, so that a stale reference cannot free its successor.
    const { address, buffer, batch } = block;
    const fresh: GpuBlock = {
      owner: this,
      address,
      bytes: size,
      buffer,
      half,
      requested: bytes,
      batch,
      live: true,
      known: null,
      doubt: null,
    };
    const { stats } = this;
    stats.allocatedBytes += bytes;
    if (stats.allocatedBytes > stats.peakAllocatedBytes) stats.peakAllocatedBytes = stats.allocatedBytes;
    stats.liveBlocks++;
    stats.allocations++;
    return fresh;
  }

  /** Bytes that buffers may take; more throws `OutOfMemoryError`. */
  setLimit(bytes: number): void {
    this.limit = bytes;
  }

  private makeRoom(bytes: number, size: number): void {
    this.emptyCache();
    if (this.stats.reservedBytes + size > this.limit) throw this.outOfMemory(bytes);
  }

  private outOfMemory(bytes: number): OutOfMemoryError {
    const { allocatedBytes, liveBlocks, reservedBytes } = this.stats;
    return new OutOfMemoryError(
      `alloc(): no memory left on webgpu: ${bytes} bytes asked for, ${allocatedBytes} in use in ${liveBlocks} blocks, ` +
        `${reservedBytes} reserved; dispose tensors (\`using\`, dispose(), scope()), or await now and then so that the ` +
        `collector can free those that are unreachable`,
    );
  }

  private create(size: number): GpuBlock {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.guarded(
      "out-of-memory",
      () => this.device.createBuffer({ size, usage }),
      () => this.outOfMemory(size),
    );
    this.stats.reservedBytes += size;
    return {
      owner: this,
      address: nextAddress++,
      bytes: size,
      buffer,
      half: false,
      requested: 0,
      batch: 0,
      live: false,
      known: null,
      doubt: null,
    };
  }

  /** Returns a buffer to the pool; commands already recorded still see its old contents, being earlier in the queue. */
  free(block: Block): void {
    const gpu = block as GpuBlock;
    if (!gpu.live) return;
    gpu.live = false;
    this.stats.allocatedBytes -= gpu.requested;
    this.stats.liveBlocks--;
    this.idleBytes += gpu.bytes;
    const list = this.pool.get(gpu.bytes);
    if (list) list.push(gpu);
    else this.pool.set(gpu.bytes, [gpu]);
  }

  /** Destroys pooled buffers. */
  emptyCache(): void {
    this.flush();
    for (const list of this.pool.values()) {
      for (const block of list) {
        block.buffer.destroy();
        this.stats.reservedBytes -= block.bytes;
      }
    }
    this.pool.clear();
    this.groups.clear();
    this.olderGroups.clear();
    this.idleBytes = 0;
    for (const staging of this.stagings.splice(0)) staging.destroy();
  }

  /** Allocator figures. */
  memoryStats(): MemoryStats {
    return { ...this.stats };
  }

  /** Makes the peak start again from what is live. */
  resetPeak(): void {
    this.stats.peakAllocatedBytes = this.stats.allocatedBytes;
  }

  /** Copies words to a buffer, after the commands recorded so far. */
  write(
    block: GpuBlock,
    byteOffset: number,
    words: Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
  ): void {
    if (words.length === 0) return;
    if (block.batch === this.batch) this.flush();
    this.device.queue.writeBuffer(block.buffer, byteOffset, words);
  }

  /**
   * Copies words from a buffer, once all commands recorded so far have run.
   *
   * Deno takes at least 10 ms to map a buffer, however many are mapped at once: reads that start in the same turn share one
   * submission and one wait.
   *
   * @throws what a check of values found that the contents depend on
   */
  async read(block: GpuBlock, byteOffset: number, bytes: number): Promise<ArrayBuffer> {
    this.check();
    if (bytes === 0) return new ArrayBuffer(0);
    const small = bytes <= SMALL_READ;
    const staging = small && this.stagings.pop() || this.device.createBuffer({
      size: small ? SMALL_READ : bytes,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      label: "read",
    });
    const encoder = this.open();
    this.endPass();
    encoder.copyBufferToBuffer(block.buffer, byteOffset, staging, 0, bytes);
    block.batch = this.batch;
    const doubt = this.checks.ask(block);
    await (this.flushing ??= Promise.resolve().then(() => {
      this.flushing = null;
      this.flush();
    }));
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (cause) {
      await Promise.all(this.scopes);
      // A loss is reported a turn after the commands that it stopped.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw new NativeError("read(): the buffer could not be mapped", -1, { cause });
    }
    const out = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    if (small) this.stagings.push(staging);
    else staging.destroy();
    if (this.scopes.size > 0) await Promise.all(this.scopes);
    this.check();
    await this.checks.outcome(doubt);
    return out;
  }

  // ---------------------------------------------------------------- commands

  private open(): GPUCommandEncoder {
    return this.encoder ??= this.device.createCommandEncoder();
  }

  private endPass(): void {
    this.pass?.end();
    this.pass = null;
    this.boundPipeline = null;
  }

  /** Submits what was recorded. */
  flush(): void {
    if (this.encoder === null) return;
    this.endPass();
    if (this.used > 0) this.device.queue.writeBuffer(this.parameters, 0, this.staging, 0, this.used / 4);
    const { encoder } = this, submitted = this.checks.copy(encoder), ran = this.ran.slice(0, this.dispatches);
    this.guarded("validation", () => this.device.queue.submit([encoder.finish()]), (message) => {
      const ops = [...new Set(ran.map((kernel) => `${opOf(kernel.key)}()`))].join(", ");
      return new NativeError(`${ops}: webgpu refused commands: ${message}`, -1);
    });
    submitted();
    this.stats.collectable! += 3; // an encoder, a pass and what they recorded
    this.encoder = null;
    this.used = 0;
    this.dispatches = 0;
    this.batch++;
  }

  /** Waits until everything that was recorded has run. */
  async finished(): Promise<void> {
    this.flush();
    await this.device.queue.onSubmittedWorkDone();
  }

  private layout(buffers: number): readonly [GPUBindGroupLayout, GPUPipelineLayout] {
    const known = this.layouts[buffers];
    if (known) return known;
    const limit = this.device.limits.maxStorageBuffersPerShaderStage;
    if (buffers > limit) {
      throw new DeviceError(`webgpu: a kernel needs ${buffers} buffers, the adapter allows ${limit}`);
    }
    const entries: GPUBindGroupLayoutEntry[] = [{
      binding: 0,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: WINDOW },
    }];
    for (let i = 0; i < buffers; i++) {
      entries.push({ binding: i + 1, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } });
    }
    const group = this.device.createBindGroupLayout({ entries });
    return this.layouts[buffers] = [group, this.device.createPipelineLayout({ bindGroupLayouts: [group] })];
  }

  /**
   * A kernel, compiled when first asked for.
   *
   * @param name identifies the code; its first word is the op, for messages
   * @param blocks buffers like those that it will run on
   * @param code makes the WGSL: buffers `b0`, `b1`, … (bindings 1, 2, …), parameters `p(0u)`, `p(1u)`, …
   */
  kernel(name: string, blocks: readonly GpuBlock[], code: () => string): Kernel {
    const mask = halfMask(blocks), buffers = blocks.length;
    const key = mask === 0 ? name : `${name} halves ${mask}`;
    const known = this.kernels.get(key);
    if (known !== undefined) return known;
    const whole = expandParameters(code()), text = withHalves(whole, mask);
    const layout = this.layout(buffers)[1];
    const pipeline = this.guarded("validation", () => {
      const module = this.device.createShaderModule({ code: text, label: key });
      return this.device.createComputePipeline({ label: key, layout, compute: { module, entryPoint: "main" } });
    }, (message) => new NativeError(`${opOf(key)}(): webgpu refused its kernel "${key}": ${message}`, -1));
    const kernel = { key, pipeline, buffers, written: writtenMask(whole) };
    this.kernels.set(key, kernel);
    return kernel;
  }

  private group(blocks: readonly GpuBlock[]): GPUBindGroup {
    let key: number | string;
    if (blocks.length <= 3) {
      // Up to three buffers of below 2¹⁷ each make an exact number, which is quicker to find than a text.
      key = 0;
      for (const b of blocks) key = key * 131072 + b.address;
      if (nextAddress >= 131072) key = blocks.map((b) => b.address).join();
    } else {
      key = "";
      for (const b of blocks) key += b.address + ",";
    }
    let group = this.groups.get(key);
    if (group !== undefined) return group;
    // Bind groups of buffers that no longer meet would pile up.
    if (this.groups.size >= GROUPS) [this.groups, this.olderGroups] = [new Map(), this.groups];
    group = this.olderGroups.get(key);
    if (group === undefined) {
      for (const b of blocks) {
        if (b.owner !== this) throw b.owner.failure ?? new DeviceError("webgpu: tensors of two devices in one call");
      }
      group = this.device.createBindGroup({
        layout: this.layout(blocks.length)[0],
        entries: [
          { binding: 0, resource: { buffer: this.parameters, size: WINDOW } },
          ...blocks.map((b, i) => ({ binding: i + 1, resource: { buffer: b.buffer } })),
        ],
      });
      this.stats.collectable!++;
    }
    this.groups.set(key, group);
    return group;
  }

  /** {@linkcode Gpu.kernel} and {@linkcode Gpu.run} in one. */
  dispatch(
    key: string,
    code: () => string,
    blocks: readonly GpuBlock[],
    parameters: readonly number[],
    groups: readonly [number, number, number],
  ): void {
    const kernel = this.kernel(key, blocks, code);
    this.run(kernel, blocks, parameters, parameters.length, groups[0], groups[1], groups[2]);
  }

  /**
   * {@linkcode Gpu.dispatch} of a grid of any size, in parts that a dispatch may have: the kernel adds the parameters
   * `first`, `first + 1` and `first + 2` to its workgroup's number.
   */
  dispatchGrid(
    key: string,
    code: () => string,
    blocks: readonly GpuBlock[],
    parameters: number[],
    first: number,
    [columns, rows, layers]: readonly [number, number, number],
  ): void {
    for (let z = 0; z < layers; z += MAX_GROUPS) {
      for (let y = 0; y < rows; y += MAX_GROUPS) {
        for (let x = 0; x < columns; x += MAX_GROUPS) {
          parameters[first] = x;
          parameters[first + 1] = y;
          parameters[first + 2] = z;
          this.dispatch(key, code, blocks, parameters, [
            Math.min(columns - x, MAX_GROUPS),
            Math.min(rows - y, MAX_GROUPS),
            Math.min(layers - z, MAX_GROUPS),
          ]);
        }
      }
    }
  }

  /**
   * Appends a kernel to the stream.
   *
   * @param blocks the buffers, each once
   * @param parameters holds `words` 32-bit words
   * @param x workgroups in each dimension: `x`, `y`, `z`
   */
  run(
    kernel: Kernel,
    blocks: readonly GpuBlock[],
    parameters: ArrayLike<number>,
    words: number,
    x: number,
    y: number,
    z: number,
  ): void {
    if (this.failure !== null) this.check();
    const bytes = Math.ceil(words * 4 / this.alignment) * this.alignment;
    if (words * 4 > WINDOW) {
      throw new NativeError(`${kernel.key}: internal: ${words} parameters do not fit the window`, -1);
    }
    if (this.used + bytes > PARAMETERS || this.dispatches >= BATCH) this.flush();
    const { staging } = this;
    const at = this.used;
    for (let i = 0, to = at / 4; i < words; i++) staging[to++] = parameters[i];
    this.used = at + bytes;
    const pass = this.pass ??= this.open().beginComputePass();
    if (this.boundPipeline !== kernel.pipeline) {
      pass.setPipeline(kernel.pipeline);
      this.boundPipeline = kernel.pipeline;
    }
    this.dynamicOffset[0] = at;
    pass.setBindGroup(0, this.group(blocks), this.dynamicOffset, 0, 1);
    pass.dispatchWorkgroups(x, y, z);
    for (let i = 0; i < blocks.length; i++) blocks[i].batch = this.batch;
    if (this.checks.any) spreadDoubt(blocks, kernel.written);
    this.ran[this.dispatches++] = kernel;
  }

  /** Releases the device. */
  destroy(): void {
    this.flush();
    this.device.destroy();
  }
}
