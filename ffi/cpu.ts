/**
 * The native CPU kernel library: its symbols, its path, and the only `Deno.dlopen` for the CPU.
 *
 * The WebAssembly module exports the same symbols, so `Kernels` types both. Opening never prompts: the library is tried
 * only where the needed permissions are already granted. Every parameter is `f64` (addresses and counts, exact below
 * 2^53) or `i32`, which Deno calls in nanoseconds; `buffer` occurs only outside hot paths.
 *
 * @module
 */

import { NativeError } from "../src/base/errors.ts";
import { environment, granted, hasNative } from "../src/base/platform.ts";
import { oneDnnPaths, waitIsSet } from "./onednn.ts";
import { mayExist } from "./permissions.ts";

/** The ABI version, `CRESSET_ABI` in `native/cpu/cresset.h`. */
export const ABI = 3;

/** The number of slots of the argument arena (`CRESSET_ARENA`). */
export const ARENA_SLOTS = 4096;

/** The symbols, each with its C declaration (tests hold the table equal to `native/cpu/cresset.h`). */
export const SYMBOLS = {
  // memory.c
  /** `int32_t cresset_abi(void)` */
  cresset_abi: { parameters: [], result: "i32" },
  /** `int32_t cresset_set_arena(double *buffer)` */
  cresset_set_arena: { parameters: ["buffer"], result: "i32" },
  /** `double cresset_arena(void)` */
  cresset_arena: { parameters: [], result: "f64" },
  /** `double cresset_alloc_segment(double bytes)` */
  cresset_alloc_segment: { parameters: ["f64"], result: "f64" },
  /** `int32_t cresset_free_segment(double address, double bytes)` */
  cresset_free_segment: { parameters: ["f64", "f64"], result: "i32" },
  /** `double cresset_largest_segment(void)` */
  cresset_largest_segment: { parameters: [], result: "f64" },
  /** `int32_t cresset_write(double address, const uint8_t *source, double bytes)` */
  cresset_write: { parameters: ["f64", "buffer", "f64"], result: "i32" },
  /** `int32_t cresset_read(double address, uint8_t *target, double bytes)` */
  cresset_read: { parameters: ["f64", "buffer", "f64"], result: "i32" },
  // threads.c and the dispatcher
  /** `int32_t cresset_set_threads(int32_t count)` */
  cresset_set_threads: { parameters: ["i32"], result: "i32" },
  /** `int32_t cresset_get_threads(void)` */
  cresset_get_threads: { parameters: [], result: "i32" },
  /** `int32_t cresset_level(void)` */
  cresset_level: { parameters: [], result: "i32" },
  /** `int32_t cresset_set_level(int32_t level)` */
  cresset_set_level: { parameters: ["i32"], result: "i32" },
  // machine.c, reduce.c, argreduce.c, scan.c
  /** `int32_t cresset_pointwise(double program, int32_t ndim)` */
  cresset_pointwise: { parameters: ["f64", "i32"], result: "i32" },
  /** `int32_t cresset_reduce(double program, int32_t combine, int32_t ndim, int32_t nreduced)` */
  cresset_reduce: { parameters: ["f64", "i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_argreduce(int32_t kind, int32_t dtype, int32_t ndim)` */
  cresset_argreduce: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_scan(int32_t kind, int32_t dtype, int32_t ndim, int32_t outDtype)` */
  cresset_scan: { parameters: ["i32", "i32", "i32", "i32"], result: "i32" },
  // matmul.c, conv.c, pool.c
  /** `int32_t cresset_matmul(int32_t dtype, int32_t nbatch, double alpha, double beta)` */
  cresset_matmul: { parameters: ["i32", "i32", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_conv(int32_t dtype, int32_t nspatial, int32_t kind)` */
  cresset_conv: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_onednn_paths(const uint8_t *list, int32_t bytes, int32_t spin)` */
  cresset_onednn_paths: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_onednn_version(void)` */
  cresset_onednn_version: { parameters: [], result: "i32" },
  /** `int32_t cresset_set_onednn(int32_t on)` */
  cresset_set_onednn: { parameters: ["i32"], result: "i32" },
  /** `int32_t cresset_pool(int32_t dtype, int32_t nspatial, int32_t kind)` */
  cresset_pool: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // order.c, indexing.c, rows.c
  /** `int32_t cresset_sort(int32_t dtype, int32_t ndim, int32_t dim, double k, int32_t descending)` */
  cresset_sort: { parameters: ["i32", "i32", "i32", "f64", "i32"], result: "i32" },
  /** `int32_t cresset_searchsorted(int32_t dtype, int32_t ndim, double n, int32_t right)` */
  cresset_searchsorted: { parameters: ["i32", "i32", "f64", "i32"], result: "i32" },
  /** `int32_t cresset_gather(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent)` */
  cresset_gather: { parameters: ["i32", "i32", "i32", "i32", "f64"], result: "i32" },
  /** `int32_t cresset_scatter(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent)` */
  cresset_scatter: { parameters: ["i32", "i32", "i32", "i32", "i32", "f64"], result: "i32" },
  /** `int32_t cresset_index_select(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent, int32_t wrap)` */
  cresset_index_select: { parameters: ["i32", "i32", "i32", "i32", "f64", "i32"], result: "i32" },
  /** `int32_t cresset_index_put(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent, int32_t wrap)` */
  cresset_index_put: { parameters: ["i32", "i32", "i32", "i32", "i32", "f64", "i32"], result: "i32" },
  /** `int32_t cresset_count_nonzero(int32_t dtype, int32_t ndim)` */
  cresset_count_nonzero: { parameters: ["i32", "i32"], result: "i32" },
  /** `int32_t cresset_nonzero(int32_t dtype, int32_t ndim, double capacity)` */
  cresset_nonzero: { parameters: ["i32", "i32", "f64"], result: "i32" },
  /** `int32_t cresset_softmax(int32_t dtype, int32_t log, double rows, double n, double x, double out)` */
  cresset_softmax: { parameters: ["i32", "i32", "f64", "f64", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_softmax_grad(int32_t dtype, int32_t log, double rows, double n, double grad, double output, double out)` */
  cresset_softmax_grad: { parameters: ["i32", "i32", "f64", "f64", "f64", "f64", "f64"], result: "i32" },
  // factor.c
  /** `int32_t cresset_factor(int32_t kind, int32_t dtype, double batches, double rows, double columns, double a, double b, double info, int32_t flags)` */
  cresset_factor: { parameters: ["i32", "i32", "f64", "f64", "f64", "f64", "f64", "f64", "i32"], result: "i32" },
  /** `int32_t cresset_svd(int32_t dtype, double batches, double rows, double columns, double a, double u, double s, double vh)` */
  cresset_svd: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "f64", "f64"], result: "i32" },
  // fft.c
  /** `int32_t cresset_fft(int32_t dtype, double outer, double n, double inner, double x, double out, int32_t inverse, double scale)` */
  cresset_fft: { parameters: ["i32", "f64", "f64", "f64", "f64", "f64", "i32", "f64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * The TypeScript types of a list of native parameter types; `never` for buffers, which only the native library takes.
 */
type Parameters<T extends readonly unknown[]> = { -readonly [I in keyof T]: T[I] extends "buffer" ? never : number };

/** The kernels, as functions of numbers, with the same types for WebAssembly and native code. */
export type Kernels = {
  readonly [K in keyof typeof SYMBOLS]: (...parameters: Parameters<(typeof SYMBOLS)[K]["parameters"]>) => number;
};

/** The symbols that take JavaScript buffers (native only). */
export interface BufferKernels {
  /** Registers the argument arena. */
  cresset_set_arena(buffer: BufferSource): number;
  /** Copies from JavaScript. */
  cresset_write(address: number, source: BufferSource, bytes: number): number;
  /** Copies to JavaScript. */
  cresset_read(address: number, target: BufferSource, bytes: number): number;
  /** Sets the paths of files that may be opened as oneDNN. */
  cresset_onednn_paths(list: BufferSource, bytes: number, spin: number): number;
}

/** An opened native library. */
export interface NativeLibrary {
  /** The path that the library was opened from. */
  readonly path: string;
  /** The kernels. */
  readonly kernels: Kernels;
  /** The symbols that take buffers. */
  readonly buffers: BufferKernels;
}

/** The path beside this file where `deno task native` puts the library; `null` for code loaded from a URL. */
function builtPath(): string | null {
  if (!import.meta.url.startsWith("file:")) return null;
  const file = Deno.build.os === "darwin" ? "libcresset_cpu.dylib" : "libcresset_cpu.so";
  const path = decodeURIComponent(new URL(`../native/cpu/build/${file}`, import.meta.url).pathname);
  return Deno.build.os === "windows" ? path.slice(1) : path;
}

/**
 * Opens the native library: the one that the variable `CRESSET_CPU_LIBRARY` names, else the one that
 * `deno task native` built.
 *
 * @returns `null` where there is none or no permission to load it
 * @throws {NativeError} if `CRESSET_CPU_LIBRARY` names one that cannot be used
 */
export function openNative(): NativeLibrary | null {
  if (!hasNative()) return null;
  const named = environment("CRESSET_CPU_LIBRARY");
  const path = named ?? builtPath();
  if (path === null || !granted({ name: "ffi", path })) return null;
  if (named === undefined && !mayExist(path)) return null;
  const list = new TextEncoder().encode(oneDnnPaths().map((p) => `${p}\0`).join(""));
  try {
    const { symbols } = Deno.dlopen(path, SYMBOLS);
    const abi = symbols.cresset_abi();
    if (abi !== ABI) {
      throw new NativeError(`dlopen(): the library has another interface version: ${abi} != ${ABI}`, abi);
    }
    symbols.cresset_onednn_paths(list, list.length, waitIsSet() ? 1 : 0);
    // Both fields are the same functions with different types: kernels take numbers only, the others buffers.
    return { path, kernels: symbols as unknown as Kernels, buffers: symbols as unknown as BufferKernels };
  } catch (cause) {
    const problem = `cpu(): the kernel library cannot be used: ${path}; rebuild it with \`deno task native\``;
    if (named !== undefined) throw new NativeError(problem, -1, { cause });
    // Without read permission a missing library cannot be told from a broken one, so there is no warning.
    if (granted({ name: "read", path })) console.warn(`${problem} (${(cause as Error).message}); using WebAssembly`);
    return null;
  }
}
