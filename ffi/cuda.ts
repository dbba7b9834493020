/**
 * The CUDA shim: its symbols, where it and CUDA's libraries are looked for, and the only `Deno.dlopen` for CUDA.
 *
 * The shim (`native/cuda`, built by `deno task native`) opens the driver, NVRTC, cuBLASLt and cuDNN itself, in the folders
 * given here: `CUDA_PATH`, `LD_LIBRARY_PATH`, the pip wheels of the Pythons in `PATH`, and the system's own.
 *
 * @module
 */

import { DeviceError, NativeError } from "../src/base/errors.ts";
import { environment, hasNative } from "../src/base/platform.ts";

/** The version of the interface in `native/cuda/cresset_cuda.h`. */
export const CUDA_ABI = 4;

/** Slots of the argument arena; a kernel's parameter block is at most 4 KiB. */
export const CUDA_ARENA_SLOTS = 512;

/** The symbols, each with its C declaration (a test holds the table equal to `native/cuda/cresset_cuda.h`). */
export const CUDA_SYMBOLS = {
  /** `int32_t cresset_cuda_abi(void)` */
  cresset_cuda_abi: { parameters: [], result: "i32" },
  /** `int32_t cresset_cuda_set_arena(double *arena)` */
  cresset_cuda_set_arena: { parameters: ["buffer"], result: "i32" },
  /** `int32_t cresset_cuda_error(uint8_t *text, int32_t size)` */
  cresset_cuda_error: { parameters: ["buffer", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_open(const uint8_t *folders, int32_t count)` */
  cresset_cuda_open: { parameters: ["buffer", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_library(int32_t which, uint8_t *text, int32_t size)` */
  cresset_cuda_library: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_device_count(void)` */
  cresset_cuda_device_count: { parameters: [], result: "i32" },
  /** `int32_t cresset_cuda_device_open(int32_t ordinal)` */
  cresset_cuda_device_open: { parameters: ["i32"], result: "i32" },
  /** `int32_t cresset_cuda_device_info(int32_t ordinal, uint8_t *name, int32_t size)` */
  cresset_cuda_device_info: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** `double cresset_cuda_alloc(int32_t device, double bytes)` */
  cresset_cuda_alloc: { parameters: ["i32", "f64"], result: "f64" },
  /** `int32_t cresset_cuda_free(int32_t device, double address)` */
  cresset_cuda_free: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_write(int32_t device, double address, const uint8_t *source, double bytes)` */
  cresset_cuda_write: { parameters: ["i32", "f64", "buffer", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_read(int32_t device, double address, uint8_t *target, double bytes)` */
  cresset_cuda_read: { parameters: ["i32", "f64", "buffer", "f64"], result: "i32" },
  /** `double cresset_cuda_read_begin(int32_t device, double address, double bytes, double fault)` */
  cresset_cuda_read_begin: { parameters: ["i32", "f64", "f64", "f64"], result: "f64" },
  /** `int32_t cresset_cuda_read_done(int32_t device, double handle)` */
  cresset_cuda_read_done: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_read_take(int32_t device, double handle, uint8_t *target, double bytes, uint8_t *fault)` */
  cresset_cuda_read_take: { parameters: ["i32", "f64", "buffer", "f64", "buffer"], result: "i32" },
  /** `int32_t cresset_cuda_copy(int32_t device, double to, double from, double bytes)` */
  cresset_cuda_copy: { parameters: ["i32", "f64", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_copy_peer(int32_t to_device, double to, int32_t from_device, double from, double bytes)` */
  cresset_cuda_copy_peer: { parameters: ["i32", "f64", "i32", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_peer(int32_t device, int32_t other)` */
  cresset_cuda_peer: { parameters: ["i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_fill(int32_t device, double address, int32_t value, double bytes)` */
  cresset_cuda_fill: { parameters: ["i32", "f64", "i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_synchronize(int32_t device)` */
  cresset_cuda_synchronize: { parameters: ["i32"], result: "i32" },
  /** `int32_t cresset_cuda_memory(int32_t device)` */
  cresset_cuda_memory: { parameters: ["i32"], result: "i32" },
  /** `double cresset_cuda_stream(int32_t device, int32_t priority)` */
  cresset_cuda_stream: { parameters: ["i32", "i32"], result: "f64" },
  /** `int32_t cresset_cuda_stream_use(int32_t device, double stream)` */
  cresset_cuda_stream_use: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_stream_wait(int32_t device, double stream, double event)` */
  cresset_cuda_stream_wait: { parameters: ["i32", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_stream_query(int32_t device, double stream)` */
  cresset_cuda_stream_query: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_stream_synchronize(int32_t device, double stream)` */
  cresset_cuda_stream_synchronize: { parameters: ["i32", "f64"], result: "i32" },
  /** `double cresset_cuda_event(int32_t device, int32_t timing)` */
  cresset_cuda_event: { parameters: ["i32", "i32"], result: "f64" },
  /** `int32_t cresset_cuda_event_record(int32_t device, double stream, double event)` */
  cresset_cuda_event_record: { parameters: ["i32", "f64", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_event_query(int32_t device, double event)` */
  cresset_cuda_event_query: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_event_synchronize(int32_t device, double event)` */
  cresset_cuda_event_synchronize: { parameters: ["i32", "f64"], result: "i32" },
  /** `double cresset_cuda_event_elapsed(double from, double to)` */
  cresset_cuda_event_elapsed: { parameters: ["f64", "f64"], result: "f64" },
  /** `int32_t cresset_cuda_event_destroy(double event)` */
  cresset_cuda_event_destroy: { parameters: ["f64"], result: "i32" },
  /** `double cresset_cuda_compile(int32_t device, const uint8_t *source, int32_t length)` */
  cresset_cuda_compile: { parameters: ["i32", "buffer", "i32"], result: "f64" },
  /** `int32_t cresset_cuda_cubin(uint8_t *target, double bytes)` */
  cresset_cuda_cubin: { parameters: ["buffer", "f64"], result: "i32" },
  /** `double cresset_cuda_module(int32_t device, const uint8_t *cubin, double bytes)` */
  cresset_cuda_module: { parameters: ["i32", "buffer", "f64"], result: "f64" },
  /** `double cresset_cuda_function(double module, const uint8_t *name)` */
  cresset_cuda_function: { parameters: ["f64", "buffer"], result: "f64" },
  /** `int32_t cresset_cuda_launch(int32_t device, double function, int32_t grid_x, int32_t grid_y, int32_t grid_z, int32_t threads, int32_t shared_bytes, int32_t slots)` */
  cresset_cuda_launch: { parameters: ["i32", "f64", "i32", "i32", "i32", "i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_capture_begin(int32_t device)` */
  cresset_cuda_capture_begin: { parameters: ["i32"], result: "i32" },
  /** `double cresset_cuda_capture_end(int32_t device)` */
  cresset_cuda_capture_end: { parameters: ["i32"], result: "f64" },
  /** `int32_t cresset_cuda_graph_launch(int32_t device, double graph)` */
  cresset_cuda_graph_launch: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_graph_destroy(int32_t device, double graph)` */
  cresset_cuda_graph_destroy: { parameters: ["i32", "f64"], result: "i32" },
  /** `int32_t cresset_cuda_matmul(int32_t device, int32_t dtype, int32_t modes)` */
  cresset_cuda_matmul: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_scaled_matmul(int32_t device, int32_t dtypeA, int32_t dtypeB, int32_t dtype, int32_t modes)` */
  cresset_cuda_scaled_matmul: { parameters: ["i32", "i32", "i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_conv(int32_t device, int32_t dtype, int32_t kind, int32_t tf32)` */
  cresset_cuda_conv: { parameters: ["i32", "i32", "i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_svd(int32_t device, int32_t dtype)` */
  cresset_cuda_svd: { parameters: ["i32", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_fft(int32_t device, int32_t dtype, int32_t inverse)` */
  cresset_cuda_fft: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** `double cresset_cuda_nccl_open(int32_t count)` */
  cresset_cuda_nccl_open: { parameters: ["i32"], result: "f64" },
  /** `int32_t cresset_cuda_nccl_collective(double communicator, int32_t dtype)` */
  cresset_cuda_nccl_collective: { parameters: ["f64", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_nccl_close(double communicator)` */
  cresset_cuda_nccl_close: { parameters: ["f64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The shim's functions. */
export type CudaSymbols = Deno.DynamicLibrary<typeof CUDA_SYMBOLS>["symbols"];

/** CUDA's libraries, in the order of the shim's numbers. */
export const CUDA_LIBRARIES = [
  { name: "driver", without: "nothing runs on CUDA" },
  { name: "NVRTC", without: "no kernel can be compiled" },
  { name: "cuBLASLt", without: "matrix products run on our own kernels" },
  { name: "cuDNN", without: "convolutions run on our own kernels" },
  { name: "cuSOLVER", without: 'decompositions are refused: move tensors by x.to("cpu")' },
  { name: "cuFFT", without: "Fourier transforms are composed of matrix products" },
  { name: "NCCL", without: "collectives over several devices are refused" },
] as const;

/** What was found of one library. */
export interface CudaLibraryStatus {
  /** Its name. */
  readonly name: string;
  /** Whether it is open. */
  readonly found: boolean;
  /** Its version number, 0 when not found. */
  readonly version: number;
  /** Its path, or where it was looked for. */
  readonly where: string;
  /** What does not work without it. */
  readonly without: string;
}

/** The opened shim and its argument arena. */
export interface CudaShim {
  /** The functions. */
  readonly c: CudaSymbols;
  /** The argument arena. */
  readonly args: Float64Array<ArrayBuffer>;
  /** The arena's bits, for 64-bit integers. */
  readonly words: BigInt64Array<ArrayBuffer>;
  /** Which of CUDA's libraries are open, a bit each. */
  readonly found: number;
}

const decoder = new TextDecoder();

/** The text that a C function wrote into `bytes`. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(bytes.subarray(0, end < 0 ? bytes.length : end));
}

/** The text of the shim's last failure. */
export function cudaError(c: CudaSymbols): string {
  const bytes = new Uint8Array(4096);
  c.cresset_cuda_error(bytes, bytes.length);
  return text(bytes);
}

function folderEntries(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** The folders of Pythons: those in `PATH`, and where a `python3` there really lies. */
function pythonFolders(): string[] {
  const found: string[] = [];
  for (const folder of [...(environment("PATH") ?? "").split(":"), `${environment("HOME")}/.local/bin`]) {
    if (folder.endsWith("/bin")) found.push(folder);
    try {
      const target = Deno.realPathSync(`${folder}/python3`);
      found.push(target.slice(0, target.lastIndexOf("/")));
    } catch { /* no Python there, or no permission to look */ }
  }
  return [...new Set(found)].filter((folder) => folder.endsWith("/bin"));
}

/** The `nvidia/…/lib` folders of the wheels installed beside Pythons. */
function wheelFolders(): string[] {
  const found: string[] = [];
  for (const bin of pythonFolders()) {
    const lib = `${bin.slice(0, -4)}/lib`;
    for (const python of folderEntries(lib).filter((name) => name.startsWith("python3"))) {
      for (const packages of ["site-packages", "dist-packages"]) {
        const nvidia = `${lib}/${python}/${packages}/nvidia`;
        for (const part of folderEntries(nvidia)) found.push(`${nvidia}/${part}/lib`);
      }
    }
  }
  return found;
}

/** The folders of toolkits under /usr/local, the newest first. */
function toolkitFolders(): string[] {
  const versions = folderEntries("/usr/local").filter((name) => /^cuda-\d+/.test(name));
  const number = (name: string): number => Number(name.slice(5));
  return ["cuda", ...versions.sort((a, b) => number(b) - number(a))].map((name) => `/usr/local/${name}/lib64`);
}

/**
 * The folders in which CUDA's libraries are looked for, in order: `CUDA_PATH`, `LD_LIBRARY_PATH`, wheels, toolkits, and
 * where containers and WSL put the driver.
 */
export function cudaFolders(): string[] {
  const folders: string[] = [];
  const root = environment("CUDA_PATH") ?? environment("CUDA_HOME");
  if (root) folders.push(`${root}/lib64`, `${root}/lib`);
  folders.push(...(environment("LD_LIBRARY_PATH") ?? "").split(":").filter((p) => p !== ""));
  folders.push(...wheelFolders(), ...toolkitFolders());
  return [...new Set([...folders, "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"])];
}

/** The shim's path: `CRESSET_CUDA_LIBRARY`, else where `deno task native` puts it. */
export function shimPath(): string | null {
  const named = environment("CRESSET_CUDA_LIBRARY");
  if (named !== undefined) return named;
  if (!import.meta.url.startsWith("file:")) return null;
  return decodeURIComponent(new URL("../native/cuda/build/libcresset_cuda.so", import.meta.url).pathname);
}

/**
 * Opens the shim and, through it, CUDA's libraries.
 *
 * @throws {DeviceError} if the shim is not built or may not be loaded
 */
export function openCudaShim(): CudaShim {
  if (!hasNative()) {
    throw new DeviceError(
      'device("cuda"): this platform opens no native libraries; run it in Deno, or use "cpu" or "webgpu"',
    );
  }
  const path = shimPath();
  if (path === null) {
    throw new DeviceError(
      'device("cuda"): code imported from a URL brings no native library; build one in a checkout with `deno task native` ' +
        "and name it in CRESSET_CUDA_LIBRARY",
    );
  }
  let c: CudaSymbols;
  try {
    c = Deno.dlopen(path, CUDA_SYMBOLS).symbols;
  } catch (cause) {
    throw new DeviceError(
      `device("cuda"): the CUDA shim cannot be loaded: ${path}; build it with \`deno task native\` and allow it with --allow-ffi`,
      { cause },
    );
  }
  if (c.cresset_cuda_abi() !== CUDA_ABI) {
    throw new NativeError(
      `device("cuda"): the shim has another interface version; rebuild it with \`deno task native\``,
      -1,
    );
  }
  const args = new Float64Array(CUDA_ARENA_SLOTS);
  c.cresset_cuda_set_arena(args);
  const folders = cudaFolders();
  const found = c.cresset_cuda_open(new TextEncoder().encode(folders.join("\0") + "\0"), folders.length);
  return { c, args, words: new BigInt64Array(args.buffer), found };
}

/** What was found of each of CUDA's libraries. */
export function cudaLibraries(shim: CudaShim): CudaLibraryStatus[] {
  return CUDA_LIBRARIES.map(({ name, without }, which) => {
    const bytes = new Uint8Array(4096);
    const version = shim.c.cresset_cuda_library(which, bytes, bytes.length);
    return { name, without, version, found: (shim.found >> which & 1) === 1, where: text(bytes) };
  });
}
