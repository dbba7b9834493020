/**
 * CUDA's shim over the test double, in this process: what tests of the shim and of the backend start with.
 *
 * The double is found as the real libraries are, through the environment, which is put back when the test file ends.
 *
 * @module
 */

import { cudaError, type CudaShim, openCudaShim } from "../../../ffi/cuda.ts";
import { buildCudaDouble, buildShim, type CudaDoubleOptions } from "./build.ts";

/** Failures to come: the n-th call from now. */
export const FAILURES = {
  /** An allocation that finds no memory. */
  alloc: 0,
  /** A launch that is refused at once. */
  launch: 1,
  /** A launch whose kernel faults when it runs. */
  fault: 2,
  /** A copy that is refused at once. */
  copy: 3,
} as const;

/** What the double counts. */
export const COUNTERS = {
  launches: 0,
  allocations: 1,
  copies: 2,
  bytesInUse: 3,
  liveAllocations: 4,
  peakBytes: 5,
  pendingWork: 6,
  graphLaunches: 7,
  pinnedBytes: 8,
} as const;

/** The double's own functions. */
export interface CudaDouble {
  /** Lets the n-th call from now fail; 0: none. */
  fail(what: keyof typeof FAILURES, n: number): void;
  /** Forgets faults and pending work, as a new process would. */
  reset(): void;
  /** What was counted. */
  count(what: keyof typeof COUNTERS): number;
}

/** Sets variables until this test file ends: the process goes on with other files. */
function setEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = Deno.env.get(name);
    Deno.env.set(name, value);
    addEventListener("unload", () => before === undefined ? Deno.env.delete(name) : Deno.env.set(name, before));
  }
}

/**
 * Builds the double and the shim and points this process's environment at them.
 *
 * @param settings variables of the double, see `driver.cpp`
 * @returns the folder of the double's libraries
 */
export async function prepareCudaDouble(
  settings: Readonly<Record<string, string>> = {},
  options: CudaDoubleOptions = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "cuda_double_" });
  await buildCudaDouble(folder, options);
  // What is open stays open without its file.
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  // A shim of its own: it keeps what it has opened for as long as the process lives.
  const CRESSET_CUDA_LIBRARY = `${folder}/libcresset_cuda.so`;
  await Deno.copyFile(await buildShim(), CRESSET_CUDA_LIBRARY);
  // Before everything else that is looked through, so that a real installation is left alone.
  setEnvironment({ CRESSET_CUDA_LIBRARY, LD_LIBRARY_PATH: folder, CUDA_PATH: "", CUDA_HOME: "", ...settings });
  return folder;
}

/** The functions of the double in `folder`. */
export function cudaDouble(folder: string): CudaDouble {
  const { symbols } = Deno.dlopen(`${folder}/libcuda.so.1`, {
    cuda_double_inject: { parameters: ["i32", "i32"], result: "void" },
    cuda_double_reset: { parameters: [], result: "void" },
    cuda_double_counter: { parameters: ["i32"], result: "f64" },
  });
  return {
    fail: (what, n) => symbols.cuda_double_inject(FAILURES[what], n),
    reset: () => symbols.cuda_double_reset(),
    count: (what) => symbols.cuda_double_counter(COUNTERS[what]),
  };
}

/** A device of the double through the shim, with what tests need of it; every failure throws the shim's text. */
export class DoubleDevice {
  readonly #shim: CudaShim;
  readonly #ordinal: number;

  /** Opens device `ordinal`. */
  constructor(shim: CudaShim, ordinal = 0) {
    this.#shim = shim;
    this.#ordinal = ordinal;
    this.check(shim.c.cresset_cuda_device_open(ordinal));
  }

  /** The shim. */
  get shim(): CudaShim {
    return this.#shim;
  }

  /** Throws for a negative status. */
  check(status: number): number {
    if (status < 0) throw new Error(`${status}: ${cudaError(this.#shim.c)}`);
    return status;
  }

  /** Throws for a handle or address of 0. */
  made(handle: number): number {
    if (handle === 0) throw new Error(cudaError(this.#shim.c));
    return handle;
  }

  /** Memory of some bytes. */
  alloc(bytes: number): number {
    return this.made(this.#shim.c.cresset_cuda_alloc(this.#ordinal, bytes));
  }

  /** Returns it. */
  free(address: number): void {
    this.check(this.#shim.c.cresset_cuda_free(this.#ordinal, address));
  }

  /** Memory with an array's contents. */
  put(values: ArrayBufferView<ArrayBuffer>): number {
    const address = this.alloc(values.byteLength);
    this.write(address, values);
    return address;
  }

  /** Copies to the device. */
  write(address: number, values: ArrayBufferView<ArrayBuffer>): void {
    this.check(this.#shim.c.cresset_cuda_write(this.#ordinal, address, bytesOf(values), values.byteLength));
  }

  /** Copies from the device into `values`, which it returns. */
  read<T extends ArrayBufferView<ArrayBuffer>>(address: number, values: T): T {
    this.check(this.#shim.c.cresset_cuda_read(this.#ordinal, address, bytesOf(values), values.byteLength));
    return values;
  }

  /** Waits. */
  synchronize(): void {
    this.check(this.#shim.c.cresset_cuda_synchronize(this.#ordinal));
  }

  /** Compiles a source and loads it. */
  module(source: string): number {
    const { c } = this.#shim;
    const text = new TextEncoder().encode(source);
    const cubin = new Uint8Array(this.check(c.cresset_cuda_compile(this.#ordinal, text, text.length)));
    this.check(c.cresset_cuda_cubin(cubin, cubin.length));
    return this.made(c.cresset_cuda_module(this.#ordinal, cubin, cubin.length));
  }

  /** A kernel of a module. */
  kernel(module: number, name: string): number {
    return this.made(this.#shim.c.cresset_cuda_function(module, new TextEncoder().encode(name + "\0")));
  }

  /** Launches with integer slots. */
  launch(
    kernel: number,
    grid: number | readonly number[],
    threads: number,
    slots: readonly number[],
    shared = 0,
  ): void {
    const [x, y = 1, z = 1] = typeof grid === "number" ? [grid] : grid;
    slots.forEach((value, i) => this.#shim.words[i] = BigInt(value));
    this.check(
      this.#shim.c.cresset_cuda_launch(this.#ordinal, kernel, x, y, z, threads, shared, slots.length),
    );
  }
}

function bytesOf(values: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The double with some settings, the shim over it and its first device. */
export async function openCudaDouble(
  settings: Readonly<Record<string, string>> = {},
): Promise<{ double: CudaDouble; device: DoubleDevice; shim: CudaShim }> {
  const folder = await prepareCudaDouble(settings);
  const shim = openCudaShim();
  return { double: cudaDouble(folder), device: new DoubleDevice(shim), shim };
}
