/**
 * A kernel library: the WebAssembly module, which is imported and needs no permission, or the native one.
 *
 * Both export the same symbols. What differs is here: where the argument arena lies, how bytes are copied, and that
 * WebAssembly's memory moves in JavaScript's eyes when it grows (views of it are made anew). Call sites name one symbol
 * each, so that the engine can call it directly.
 *
 * @module
 */

import * as wasm from "../../../native/cpu/cpu.wasm";
import { ABI, ARENA_SLOTS, type BufferKernels, type Kernels, openNative } from "../../../ffi/cpu.ts";
import { DeviceError, DTypeError, NativeError, OutOfMemoryError, ShapeError } from "../../base/errors.ts";
import { environment, processor } from "../../base/platform.ts";

/** Status codes of `native/cpu/status.h`. */
const STATUS: Readonly<Record<number, string>> = {
  [-1]: "the program is not valid",
  [-2]: "the kernel does not take this dtype",
  [-3]: "an argument is out of its domain",
  [-4]: "no scratch memory is left",
  [-5]: "an index is out of range",
  [-6]: "this build lacks the routine",
};

/** The status of a dtype that a kernel does not take: a float8, which has maps, reductions, copies and indexing. */
const BAD_DTYPE = -2;
/** The status of a kernel that found no memory for its intermediate results. */
const NO_MEMORY = -4;
/** The status of an index out of range: the arena then holds the value and the size. */
export const BAD_INDEX = -5;

let nextId = 0;

/** One loaded kernel library and its argument arena: the context of the CPU's kernels. */
export class KernelLibrary {
  /** The slot of compiled programs. */
  readonly id: number = nextId++;
  /** The kernels. */
  readonly k: Kernels;
  /** Whether it is native code. */
  readonly native: boolean;
  /** Where a native library was found. */
  readonly path: string | null;
  /** The argument arena; call {@linkcode KernelLibrary.arena} where memory may have grown. */
  args: Float64Array<ArrayBuffer>;
  /** The arena's bits, for 64-bit integer scalars: low and high words. */
  words: Int32Array<ArrayBuffer>;
  readonly #buffers: BufferKernels | null;
  readonly #memory: WebAssembly.Memory | null;
  #bytes: Uint8Array<ArrayBuffer>;

  /** Wraps an instance; `memory` for WebAssembly, `buffers` for native code. */
  constructor(k: Kernels, memory: WebAssembly.Memory | null, buffers: BufferKernels | null, path: string | null) {
    this.k = k;
    this.native = buffers !== null;
    this.path = path;
    this.#memory = memory;
    this.#buffers = buffers;
    this.args = new Float64Array(ARENA_SLOTS);
    this.#bytes = new Uint8Array(this.args.buffer);
    this.words = new Int32Array(this.args.buffer);
    if (buffers !== null) buffers.cresset_set_arena(this.args);
    else this.#refresh();
  }

  /** The argument arena, valid until the next allocation. */
  arena(): Float64Array<ArrayBuffer> {
    if (this.args.length === 0) this.#refresh();
    return this.args;
  }

  #refresh(): void {
    const buffer = this.#memory!.buffer as ArrayBuffer;
    this.args = new Float64Array(buffer, this.k.cresset_arena(), ARENA_SLOTS);
    this.words = new Int32Array(buffer, this.k.cresset_arena(), ARENA_SLOTS * 2);
    this.#bytes = new Uint8Array(buffer);
  }

  /** Copies bytes to kernel memory. */
  write(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#buffers !== null) {
      this.#buffers.cresset_write(address, bytes as Uint8Array<ArrayBuffer>, bytes.length);
    } else {
      this.arena();
      this.#bytes.set(bytes, address);
    }
  }

  /** Copies bytes from kernel memory. */
  read(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    const target = new Uint8Array(bytes);
    if (bytes === 0) return target;
    if (this.#buffers !== null) {
      this.#buffers.cresset_read(address, target, bytes);
    } else {
      this.arena();
      target.set(this.#bytes.subarray(address, address + bytes));
    }
    return target;
  }

  /** What runs, for `info()`. */
  describe(): string {
    if (!this.native) return "wasm";
    const levels = processor() === "x86_64" ? ["", "sse4.2", "avx2", "avx512"] : ["neon"];
    const threads = this.k.cresset_get_threads();
    const version = this.k.cresset_onednn_version();
    const onednn = version > 0 ? `, oneDNN ${Math.floor(version / 10000)}.${Math.floor(version / 100) % 100}` : "";
    return `native (${levels[this.k.cresset_level()]}${onednn}, ${threads} thread${threads === 1 ? "" : "s"})`;
  }
}

/** Turns a kernel's status into an error. */
export function fail(op: string, status: number): never {
  if (status === BAD_DTYPE) {
    throw new DTypeError(`${op}(): not defined for this dtype on the CPU; convert with .to(torch.float32) first`);
  }
  if (status === NO_MEMORY) throw new OutOfMemoryError(`${op}(): ${STATUS[status]} on cpu`);
  throw new NativeError(`${op}(): the kernel failed: ${STATUS[status] ?? `status ${status}`}`, status);
}

/** Throws if a kernel's status is not success. */
export function check(op: string, status: number): void {
  if (status !== 0) fail(op, status);
}

/** Writes a 64-bit integer scalar into slot `at` of the arena. */
export function writeInteger(lib: KernelLibrary, at: number, value: number | bigint): void {
  const words = lib.words;
  if (typeof value === "number" && (value | 0) === value) {
    words[2 * at] = value;
    words[2 * at + 1] = value < 0 ? -1 : 0;
    return;
  }
  const bits = typeof value === "bigint" ? value : BigInt(Math.trunc(value));
  words[2 * at] = Number(BigInt.asIntN(32, bits));
  words[2 * at + 1] = Number(BigInt.asIntN(32, bits >> 32n));
}

/** The largest count that WebAssembly's dense kernels (products, convolutions, poolings) hold. */
const WASM_COUNT = 2 ** 31 - 1;

/** Checks a count that dense kernels step with: WebAssembly's are of 32 bits, which only expanded operands exceed. */
export function checkCount(op: string, lib: KernelLibrary, count: number): void {
  if (count <= WASM_COUNT || lib.native) return;
  throw new ShapeError(
    `${op}(): a size is larger than WebAssembly's kernels count to: ${count} > ${WASM_COUNT}; use the native kernels, ` +
      "or split the operands",
  );
}

let wasmLibrary: KernelLibrary | null = null;
let nativeLibrary: KernelLibrary | null | undefined;

/** The WebAssembly library. */
export function loadWasm(): KernelLibrary {
  if (wasmLibrary === null) {
    const k = wasm as unknown as Kernels & { readonly memory: WebAssembly.Memory };
    if (k.cresset_abi() !== ABI) {
      throw new NativeError(`cpu(): cpu.wasm has another interface version: ${k.cresset_abi()} != ${ABI}`, -1);
    }
    wasmLibrary = new KernelLibrary(k, k.memory, null, null);
  }
  return wasmLibrary;
}

/** The native library, or `null` where there is none or no permission to load it. */
export function loadNative(): KernelLibrary | null {
  if (nativeLibrary === undefined) {
    const opened = openNative();
    nativeLibrary = opened && new KernelLibrary(opened.kernels, null, opened.buffers, opened.path);
    const threads = Number(environment("CRESSET_THREADS") ?? 0);
    if (nativeLibrary !== null && threads > 0) check("threads", nativeLibrary.k.cresset_set_threads(threads));
  }
  return nativeLibrary;
}

/**
 * The library to use: native where it can be had, else WebAssembly; the variable `CRESSET_KERNELS` (`wasm` or
 * `native`) overrides.
 *
 * @throws {DeviceError} if `CRESSET_KERNELS=native` and there is no native library
 */
export function loadKernels(): KernelLibrary {
  const wanted = environment("CRESSET_KERNELS");
  if (wanted === "wasm") return loadWasm();
  const native = loadNative();
  if (native !== null) return native;
  if (wanted === "native") {
    throw new DeviceError(
      "cpu(): CRESSET_KERNELS=native, but no native library was found; build it with `deno task native` and allow ffi",
    );
  }
  return loadWasm();
}
