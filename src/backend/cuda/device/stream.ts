/**
 * One CUDA device: its streams, memory and compiled kernels.
 *
 * Everything is issued in order on the current stream, so memory that is freed there may be reused by its next kernel at
 * once; each stream has a pool of its own. While a graph is recorded, memory comes from the graph's pool instead. A kernel
 * gets one block of 8-byte slots, which is written into the shim's argument arena just before the launch. Launches return
 * before the work is done: a fault shows at a later call, and names the kernels launched since the last wait.
 *
 * @module
 */

import { cudaError, type CudaShim, openCudaShim } from "../../../../ffi/cuda.ts";
import { ArgumentError, DeviceError, IndexError, NativeError, OutOfMemoryError } from "../../../base/errors.ts";
import { type Change, Setting } from "../../../base/during.ts";
import { environment, nextTurn } from "../../../base/platform.ts";
import { Allocator, type MemoryPool } from "../../allocator.ts";
import type { Block, Strided } from "../../backend.ts";
import { KernelCache } from "./cache.ts";
import type { Recording } from "./recording.ts";

/** Statuses of the shim (`native/cuda/cresset_cuda.h`). */
const enum Status {
  Ok = 0,
  NoLibrary = -1,
  NoDevice = -2,
  Memory = -3,
  Compile = -4,
  Fault = -5,
  Argument = -6,
}

/** Numbers of CUDA's libraries in the shim. */
export const enum Library {
  Driver,
  Nvrtc,
  CublasLt,
  Cudnn,
  Cusolver,
  Cufft,
  Nccl,
}

/** What the shim passes to NVRTC; part of the disk cache's key. Changes with `native/cuda/kernel.c`. */
const OPTIONS = "--std=c++17 --extra-device-vectorization -default-device";
/** Kernels that a fault's message names. */
const REMEMBERED = 4;
/** The most that a read takes which does not keep the thread. */
const READ_BYTES = 4 * 2 ** 20;
const FAULT_BYTES = 64;
/** How often a read asks at once whether it is done, before it lets other work go on. */
const EAGER_ASKS = 8;
/** The largest grid in x; in y and z. */
const MOST_BLOCKS = 2 ** 31 - 1, MOST_ACROSS = 65535;
/** Threads per block of elementwise kernels. */
export const THREADS = 256;

let shim: CudaShim | null = null;

/** The shim and CUDA's libraries, opened on first use. */
export function cudaShim(): CudaShim {
  return shim ??= openCudaShim();
}

/** A compiled kernel. */
export interface Kernel {
  /** What messages call it. */
  readonly name: string;
  /** The driver's handle. */
  readonly handle: number;
}

const encoder = new TextEncoder();

/** A device, its stream and everything cached for it. */
export class CudaStream {
  /** Which device. */
  readonly ordinal: number;
  /** The device's name. */
  readonly name: string;
  /** Compute capability times ten: 80, 90. */
  readonly capability: number;
  /** Its multiprocessors. */
  readonly processors: number;
  /** Its memory, in bytes. */
  readonly totalBytes: number;
  /** Shared memory that a block may have, static and dynamic, in bytes. */
  readonly sharedBytes: number;
  /** Whether float32 products may be rounded to TensorFloat-32. */
  allowTf32 = false;
  /** Whether a product of a new shape is measured with several algorithms. */
  measureProducts = environment("CRESSET_CUDA_BENCHMARK") === "1";
  /** The argument arena as doubles, for floating scalars. */
  readonly args: Float64Array;
  readonly #shim: CudaShim;
  readonly #allocator: Allocator;
  /** The stream that the running task chose. */
  readonly #chosen: Setting<number> = new Setting("stream", 0);
  /** The stream that the driver and the allocator were told of. */
  #told = 0;
  /** The graph that is being recorded. */
  recording: Recording | null = null;
  private readonly pools = new Map<number, MemoryPool>();
  private readonly words: Int32Array;
  private readonly kernels = new Map<string, Kernel>();
  private readonly modules = new Map<string, number>();
  private readonly cache: KernelCache;
  private readonly recent: string[] = [];
  /** Whether every launch waits, so that a fault is reported by the kernel that made it. */
  private readonly blocking = environment("CRESSET_CUDA_LAUNCH_BLOCKING") === "1";
  private readonly faultBlock: Block;
  private readonly faultOps: string[] = [];
  /** Streams on which kernels were issued that may write the fault word, and that nothing has waited for since. */
  private readonly faulting = new Set<number>();
  /** How many kernels were launched. */
  private launched = 0;

  /**
   * Opens device `ordinal`.
   *
   * @throws {DeviceError} if there is no driver or no such device
   */
  constructor(ordinal: number) {
    this.#shim = cudaShim();
    this.ordinal = ordinal;
    const { c, args } = this.shim;
    this.args = args;
    this.words = new Int32Array(args.buffer);
    this.check("device", c.cresset_cuda_device_open(ordinal));
    const text = new Uint8Array(256);
    this.check("device", c.cresset_cuda_device_info(ordinal, text, text.length));
    this.name = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    [this.capability, this.processors, this.totalBytes, , , this.sharedBytes] = args;
    const version = c.cresset_cuda_library(Library.Nvrtc, new Uint8Array(1), 1);
    this.cache = new KernelCache(`NVRTC ${version} sm_${this.capability} ${OPTIONS} ${this.compiler()}`);
    this.#allocator = new Allocator({
      device: `cuda:${ordinal}`,
      allocate: (bytes) => c.cresset_cuda_alloc(ordinal, bytes),
      describe: () => {
        const known = c.cresset_cuda_memory(ordinal) === Status.Ok;
        return known ? `, ${args[0]} of ${args[1]} bytes free on the device` : "";
      },
      // What is recorded must stay where it is until the recording ends.
      free: (address) => this.recording === null && c.cresset_cuda_free(ordinal, address) === Status.Ok,
    });
    this.pools.set(0, this.#allocator.pool);
    this.faultBlock = this.allocator.alloc(64);
    this.check("device", c.cresset_cuda_fill(ordinal, this.faultBlock.address, 0, 64));
  }

  /** The compiler's path: two builds of one version are told apart by it. */
  private compiler(): string {
    const text = new Uint8Array(2048);
    this.shim.c.cresset_cuda_library(Library.Nvrtc, text, text.length);
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }

  /** Whether one of CUDA's libraries is open. */
  has(library: Library): boolean {
    return (this.shim.found >> library & 1) === 1;
  }

  // ---------------------------------------------------------------- errors

  /** Throws what a status means; `op` is what was being done. */
  check(op: string, status: number): void {
    if (status < Status.Ok) this.fail(op, status);
  }

  /** The text of the shim's last failure. */
  lastError(): string {
    return cudaError(this.#shim.c);
  }

  /** Throws the shim's last failure as the error of `op`. */
  fail(op: string, status: number): never {
    const text = cudaError(this.#shim.c), where = `cuda:${this.ordinal}`;
    if (status === Status.NoLibrary || status === Status.NoDevice) {
      throw new DeviceError(`${op}("${where}"): ${text}; \`deno task doctor\` shows what was found, or use "cpu"`);
    }
    if (status === Status.Memory) throw new OutOfMemoryError(`${op}(): no memory left on ${where}: ${text}`);
    if (status === Status.Compile) {
      throw new NativeError(`${op}(): NVRTC refused a kernel for ${where}: ${text}`, status);
    }
    if (status === Status.Argument) throw new NativeError(`${op}(): refused on ${where}: ${text}`, status);
    const launched = this.recent.length > 0
      ? `; kernels since the last wait: ${this.recent.join(", ")} (CRESSET_CUDA_LAUNCH_BLOCKING=1 finds which)`
      : "";
    throw new NativeError(`${op}(): ${where} reported a fault: ${text}${launched}`, status);
  }

  // ---------------------------------------------------------------- streams

  /** Waits for one stream; throws what earlier kernels ran into. */
  synchronizeStream(stream: number): void {
    this.refuseRecording("synchronize", "nothing can be waited for");
    this.check("synchronize", this.shim.c.cresset_cuda_stream_synchronize(this.ordinal, stream));
    this.recent.length = 0;
    this.checkIndices(stream);
  }

  /** The shim; what is issued next goes to the running task's stream. */
  get shim(): CudaShim {
    if (this.#chosen.value !== this.#told) this.#tell();
    return this.#shim;
  }

  /** The allocator of its memory, which serves the running task's stream. */
  get allocator(): Allocator {
    if (this.#chosen.value !== this.#told) this.#tell();
    return this.#allocator;
  }

  /** The stream that work is issued to; 0 is the default one. */
  get current(): number {
    if (this.#chosen.value !== this.#told) this.#tell();
    return this.#told;
  }

  /** Lets work go to the stream of the task that runs now. */
  #tell(): void {
    const { value } = this.#chosen;
    this.check("stream", this.#shim.c.cresset_cuda_stream_use(this.ordinal, value));
    this.#told = value;
    this.usePool();
  }

  /** Makes a stream the current one. */
  useStream(stream: number): void {
    this.#chosen.assign(() => stream);
    if (stream !== this.#told) this.#tell();
  }

  /** A change that makes a stream the current one. */
  streamChange(stream: number): Change {
    return this.#chosen.to(() => stream);
  }

  /** Takes memory from the pool of the current stream, or of the graph that is recorded. */
  usePool(): void {
    const pools = this.recording?.memory.pools ?? this.pools;
    let pool = pools.get(this.#told);
    if (pool === undefined) {
      pools.set(this.#told, pool = this.#allocator.addPool());
      pool.kept = this.recording !== null;
    }
    this.#allocator.use(pool);
  }

  /** Where random kernels read what to add to their words; 0 where that is nothing. */
  get randomAddress(): number {
    return this.recording === null ? 0 : this.recording.randomAddress;
  }

  /** Throws if a graph is being recorded: `op` is what would wait for values that do not exist yet. */
  refuseRecording(op: string, what: string): void {
    if (this.recording !== null) {
      throw new DeviceError(
        `${op}(): ${what} while a CUDA graph is recorded on cuda:${this.ordinal}; do it before or after`,
      );
    }
  }

  /** Waits for everything; throws what earlier kernels ran into. */
  synchronize(op = "synchronize"): void {
    this.refuseRecording(op, "nothing can be waited for");
    this.check(op, this.shim.c.cresset_cuda_synchronize(this.ordinal));
    this.recent.length = 0;
    this.checkIndices(null);
  }

  /** Lets the next wait look at the fault word: kernels that may write it were issued. */
  expectFaults(): void {
    this.faulting.add(this.current);
  }

  /** Remembers what was launched, for the message of a fault. */
  remember(name: string): void {
    this.launched++;
    if (this.recent.length >= REMEMBERED) this.recent.shift();
    this.recent.push(name);
  }

  /** The address of the fault word and the number by which a kernel reports a bad index of `op`. */
  fault(op: string): readonly [number, number] {
    if (this.recording === null) this.expectFaults();
    else this.recording.mayFault = true;
    const at = this.faultOps.indexOf(op);
    return [this.faultBlock.address, (at >= 0 ? at : this.faultOps.push(op) - 1) + 1];
  }

  /** Throws what a kernel wrote into the fault word, and clears it; a stream was waited for, or (`null`) all of them. */
  private checkIndices(waited: number | null): void {
    if (this.faulting.size === 0) return;
    if (waited === null) this.faulting.clear();
    else this.faulting.delete(waited);
    const bytes = new Uint8Array(FAULT_BYTES);
    this.check("read", this.shim.c.cresset_cuda_read(this.ordinal, this.faultBlock.address, bytes, bytes.length));
    this.throwFault(bytes);
  }

  /** Throws what a fault word says, and clears it. */
  private throwFault(bytes: Uint8Array<ArrayBuffer>): void {
    const [id, value, size, dim] = new BigInt64Array(bytes.buffer);
    if (id === 0n) return;
    this.check("read", this.shim.c.cresset_cuda_fill(this.ordinal, this.faultBlock.address, 0, 64));
    const op = this.faultOps[Number(id) - 1];
    throw new IndexError(`${op}(): index out of range: ${value} along dimension ${dim} of size ${size}`);
  }

  // ---------------------------------------------------------------- memory

  /** Runs `use` with scratch memory that is free again for whatever is issued after it. */
  withScratch(bytes: number, use: (address: number) => void): void {
    const block = this.allocator.alloc(bytes);
    try {
      use(block.address);
    } finally {
      this.allocator.free(block);
    }
  }

  /** Copies bytes to the device; `bytes` may be reused at once. */
  write(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const own = bytes as Uint8Array<ArrayBuffer>;
    this.check("write", this.shim.c.cresset_cuda_write(this.ordinal, address, own, own.length));
  }

  private readonly peers = new Set<number>();

  /** Copies bytes from another device, in the order of both devices' current streams; the host does not wait. */
  copyFrom(source: CudaStream, from: number, to: number, bytes: number): void {
    for (const side of [this, source]) side.refuseRecording("to", "nothing can be copied between devices");
    const { c } = this.shim;
    if (!this.peers.has(source.ordinal)) {
      // Where devices cannot reach each other's memory, the driver takes another way.
      this.check("to", c.cresset_cuda_peer(this.ordinal, source.ordinal));
      this.peers.add(source.ordinal);
    }
    this.check("to", c.cresset_cuda_copy_peer(this.ordinal, to, source.ordinal, from, bytes));
  }

  /** Copies bytes from the device, once everything before is done. */
  read(address: number, count: number): Uint8Array<ArrayBuffer> {
    this.refuseRecording("read", "values cannot be read");
    const bytes = new Uint8Array(count);
    if (count > 0) this.check("read", this.shim.c.cresset_cuda_read(this.ordinal, address, bytes, count));
    this.recent.length = 0;
    this.checkIndices(this.current);
    return bytes;
  }

  /** The same without keeping the thread: what else it has to do goes on until the values are there. */
  async readLater(address: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (count === 0 || count > READ_BYTES || this.blocking) return this.read(address, count);
    this.refuseRecording("read", "values cannot be read");
    const { c } = this.shim, { launched } = this;
    const fault = this.faulting.size > 0 ? this.faultBlock.address : 0;
    this.faulting.delete(this.current);
    const handle = c.cresset_cuda_read_begin(this.ordinal, address, count, fault);
    if (handle === 0) this.fail("read", Status.Fault);
    let done = c.cresset_cuda_read_done(this.ordinal, handle);
    // Asking costs a microsecond; what is ready soon is worth some of them, before other work has its turn.
    for (let i = 0; done === 0 && i < EAGER_ASKS; i++) done = c.cresset_cuda_read_done(this.ordinal, handle);
    while (done === 0) {
      await nextTurn();
      done = c.cresset_cuda_read_done(this.ordinal, handle);
    }
    if (done < 0) this.fail("read", done);
    const bytes = new Uint8Array(count), word = new Uint8Array(FAULT_BYTES);
    this.check("read", c.cresset_cuda_read_take(this.ordinal, handle, bytes, count, word));
    // A later fault is of what was launched since.
    this.recent.splice(0, this.recent.length - Math.min(this.recent.length, this.launched - launched));
    if (fault !== 0) this.throwFault(word);
    return bytes;
  }

  // ---------------------------------------------------------------- kernels

  /** The entry point `name` of a source, compiled and loaded once per `key`. */
  kernel(key: string, name: string, source: () => string): Kernel {
    const full = `${key} ${name}`;
    let kernel = this.kernels.get(full);
    if (kernel === undefined) {
      const handle = this.shim.c.cresset_cuda_function(this.module(key, source), encoder.encode(name + "\0"));
      if (handle === 0) this.fail(key, Status.Fault);
      this.kernels.set(full, kernel = { name: key, handle });
    }
    return kernel;
  }

  private module(key: string, source: () => string): number {
    let module = this.modules.get(key);
    if (module === undefined) {
      const { c } = this.shim;
      const text = source();
      let code = this.cache.get(text);
      if (code === null) {
        const bytes = encoder.encode(text);
        const size = c.cresset_cuda_compile(this.ordinal, bytes, bytes.length);
        if (size < 0) this.fail(key, size);
        code = new Uint8Array(size);
        this.check(key, c.cresset_cuda_cubin(code, size));
        this.cache.set(text, code);
      }
      module = c.cresset_cuda_module(this.ordinal, code, code.length);
      if (module === 0) this.fail(key, Status.Fault);
      this.modules.set(key, module);
    }
    return module;
  }

  /** Writes an integer into a slot of the argument arena. */
  putInteger(slot: number, value: number): void {
    this.words[2 * slot] = value; // stored modulo 2^32
    this.words[2 * slot + 1] = Math.floor(value / 2 ** 32);
  }

  /** Writes the lower and the upper half of a slot. */
  putHalves(slot: number, low: number, high: number): void {
    this.words[2 * slot] = low; // both stored modulo 2^32
    this.words[2 * slot + 1] = Math.floor(high);
  }

  /** Writes a scalar argument: a double, or an integer for `i64`, `u64` and `bool`. */
  putScalar(slot: number, kind: string, value: number | bigint): void {
    if (kind === "i64" || kind === "u64") {
      if (typeof value === "number" && Number.isSafeInteger(value)) this.putInteger(slot, value);
      else this.shim.words[slot] = BigInt.asIntN(64, typeof value === "bigint" ? value : BigInt(Math.trunc(value)));
    } else if (kind === "bool") this.putInteger(slot, value ? 1 : 0);
    else this.args[slot] = Number(value);
  }

  /** Launches a kernel with the first `slots` slots of the arena and `shared` bytes of dynamic shared memory. */
  launch(kernel: Kernel, slots: number, threads: number, x: number, y = 1, z = 1, shared = 0): void {
    // A larger number would be cut to 32 bits on its way.
    if (x > MOST_BLOCKS || y > MOST_ACROSS || z > MOST_ACROSS) this.refuseGrid(kernel.name, x, y, z);
    const status = this.shim.c.cresset_cuda_launch(this.ordinal, kernel.handle, x, y, z, threads, shared, slots);
    if (status !== Status.Ok) this.fail(kernel.name, status);
    this.launched++;
    if (this.recent.length >= REMEMBERED) this.recent.shift();
    this.recent.push(kernel.name);
    if (this.blocking && this.recording === null) this.synchronize(kernel.name);
  }

  private refuseGrid(name: string, x: number, y: number, z: number): never {
    throw new ArgumentError(
      `${name}: a launch on cuda has at most ${MOST_BLOCKS}×${MOST_ACROSS}×${MOST_ACROSS} blocks: ${x}×${y}×${z}; ` +
        "do it in parts (chunk(), split())",
    );
  }

  /** Blocks for `count` independent threads, the rest being strides of the grid. */
  blocks(count: number, threads = THREADS): number {
    return Math.max(1, Math.min(Math.ceil(count / threads), this.processors * 32));
  }
}

/** Where the first element of a view is. */
export function addressOf(x: Strided): number {
  return x.storage.block.address + x.offset * x.dtype.itemsize;
}
