/**
 * The CUDA shim: its symbols, the search for it and for CUDA's libraries, and the only `Deno.dlopen` for CUDA.
 *
 * The shim (`native/cuda`, built by `deno task native`) opens the driver, NVRTC, cuBLASLt, cuDNN and the others from
 * the full paths that are found here under Deno's permissions: in `CUDA_PATH` and `LD_LIBRARY_PATH` where they may be
 * read, the pip wheels of the Pythons in `PATH`, and the system's folders. A library that `--allow-ffi` does not cover
 * is not opened. Libraries that NVIDIA's libraries open themselves are found by the system's loader.
 *
 * @module
 */

import { DeviceError, NativeError } from "../src/base/errors.ts";
import { environment, granted, hasNative } from "../src/base/platform.ts";
import { folderEntries, mayExist, systemFolders } from "./permissions.ts";

/** The ABI version, `CRESSET_CUDA_ABI` in `native/cuda/cresset_cuda.h`. */
export const CUDA_ABI = 5;

/** The number of slots of the argument arena: a kernel's parameter block is at most 4 KiB. */
export const CUDA_ARENA_SLOTS = 512;

/** The symbols, each with its C declaration (a test holds the table equal to `native/cuda/cresset_cuda.h`). */
export const CUDA_SYMBOLS = {
  /** `int32_t cresset_cuda_abi(void)` */
  cresset_cuda_abi: { parameters: [], result: "i32" },
  /** `int32_t cresset_cuda_set_arena(double *arena)` */
  cresset_cuda_set_arena: { parameters: ["buffer"], result: "i32" },
  /** `int32_t cresset_cuda_error(uint8_t *text, int32_t size)` */
  cresset_cuda_error: { parameters: ["buffer", "i32"], result: "i32" },
  /** `int32_t cresset_cuda_open(int32_t which, const uint8_t *path, const uint8_t *before)` */
  cresset_cuda_open: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  /** `int32_t cresset_cuda_searched(const uint8_t *text)` */
  cresset_cuda_searched: { parameters: ["buffer"], result: "i32" },
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

/** One of CUDA's libraries. */
interface CudaLibrary {
  /** The library's name. */
  readonly name: string;
  /**
   * The names of the library's file, newest first: where there are three, for CUDA 13, for CUDA 12, for any version.
   */
  readonly files: readonly string[];
  /** The prefix of the names of files that must be opened before the library. */
  readonly before?: string;
  /** What does not work without the library. */
  readonly without: string;
}

/** CUDA's libraries, in the order of the shim's `LIB_` codes. */
export const CUDA_LIBRARIES: readonly CudaLibrary[] = [
  { name: "driver", files: ["libcuda.so.1", "libcuda.so"], without: "nothing runs on CUDA" },
  {
    name: "NVRTC",
    files: ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
    // Outside of the system's folders NVRTC finds its builtins only if their library is open already.
    before: "libnvrtc-builtins.so",
    without: "no kernel can be compiled",
  },
  {
    name: "cuBLASLt",
    files: ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"],
    without: "matrix products run on our own kernels",
  },
  { name: "cuDNN", files: ["libcudnn.so.9", "libcudnn.so"], without: "convolutions run on our own kernels" },
  {
    name: "cuSOLVER",
    files: ["libcusolver.so.12", "libcusolver.so.11", "libcusolver.so"],
    without: 'decompositions are refused: move tensors by x.to("cpu")',
  },
  {
    name: "cuFFT",
    files: ["libcufft.so.12", "libcufft.so.11", "libcufft.so"],
    without: "Fourier transforms are composed of matrix products",
  },
  {
    name: "NCCL",
    files: ["libnccl.so.2", "libnccl.so"],
    without: "collectives over several devices are refused",
  },
];

/** The result of the search for one library. */
export interface CudaLibraryStatus {
  /** The library's name. */
  readonly name: string;
  /** Whether it is open. */
  readonly found: boolean;
  /** The library's version number; 0 if it was not found. */
  readonly version: number;
  /** The library's path, or the folders that were searched. */
  readonly where: string;
  /** What does not work without the library. */
  readonly without: string;
}

/** The opened shim and its argument arena. */
export interface CudaShim {
  /** The shim's functions. */
  readonly c: CudaSymbols;
  /** The argument arena. */
  readonly args: Float64Array<ArrayBuffer>;
  /** The argument arena as 64-bit integers. */
  readonly words: BigInt64Array<ArrayBuffer>;
  /** A bit set of CUDA's libraries that are open. */
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

/** The folders of Python interpreters: those in `PATH`, and the targets of symbolic links named `python3` there. */
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
 * The folders that are searched for CUDA's libraries, in order: `CUDA_PATH`, `LD_LIBRARY_PATH`, wheels, toolkits, and
 * the folders of the driver in containers, in WSL and in the system.
 */
export function cudaFolders(): string[] {
  const folders: string[] = [];
  const root = environment("CUDA_PATH") ?? environment("CUDA_HOME");
  if (root) folders.push(`${root}/lib64`, `${root}/lib`);
  folders.push(...(environment("LD_LIBRARY_PATH") ?? "").split(":").filter((p) => p !== ""));
  folders.push(...wheelFolders(), ...toolkitFolders());
  folders.push("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib");
  return [...new Set([...folders, ...systemFolders()])];
}

/** The shim's path: `CRESSET_CUDA_LIBRARY`, else where `deno task native` puts it. */
export function shimPath(): string | null {
  const named = environment("CRESSET_CUDA_LIBRARY");
  if (named !== undefined) return named;
  if (!import.meta.url.startsWith("file:")) return null;
  return decodeURIComponent(new URL("../native/cuda/build/libcresset_cuda.so", import.meta.url).pathname);
}

const encoder = new TextEncoder();

/**
 * Opens one library from the first folder that has it and that code may be loaded from; notes the folders where
 * permission is missing.
 */
function openLibrary(
  c: CudaSymbols,
  which: number,
  folders: readonly string[],
  files: readonly string[],
  refused: string[],
): boolean {
  const { before } = CUDA_LIBRARIES[which];
  for (const folder of folders) {
    if (!folder.startsWith("/")) continue;
    for (const path of files.map((file) => `${folder}/${file}`).filter(mayExist)) {
      if (!granted({ name: "ffi", path })) {
        if (granted({ name: "read", path })) refused.push(path);
        continue;
      }
      const first = before === undefined ? [] : folderEntries(folder).filter((name) => name.startsWith(before))
        .map((name) => `${folder}/${name}`).filter((full) => granted({ name: "ffi", path: full }));
      const list = first.map((full) => `${full}\0`).join("") + "\0";
      if (c.cresset_cuda_open(which, encoder.encode(`${path}\0`), encoder.encode(list)) === 1) return true;
    }
  }
  return false;
}

/** Opens CUDA's libraries; returns a bit set of those that are open. */
function openLibraries(c: CudaSymbols): number {
  const folders = cudaFolders(), refused: string[] = [];
  let found = 0, version = 0;
  CUDA_LIBRARIES.forEach(({ files }, which) => {
    // With an older driver, libraries that are too new for it are tried last.
    const older = files.length > 2 && version > 0 && version < 13000 ? [files[1]] : [];
    const open = openLibrary(c, which, folders, older, refused) || openLibrary(c, which, folders, files, refused);
    if (open) found |= 1 << which;
    if (open && which === 0) version = c.cresset_cuda_library(which, new Uint8Array(1), 1);
  });
  const closed = refused.length > 0 ? `; --allow-ffi leaves out ${[...new Set(refused)].join(", ")}` : "";
  c.cresset_cuda_searched(encoder.encode(`${folders.join(", ")}${closed}\0`));
  return found;
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
  return { c, args, words: new BigInt64Array(args.buffer), found: openLibraries(c) };
}

/** The result of the search for each of CUDA's libraries. */
export function cudaLibraries(shim: CudaShim): CudaLibraryStatus[] {
  return CUDA_LIBRARIES.map(({ name, without }, which) => {
    const bytes = new Uint8Array(4096);
    const version = shim.c.cresset_cuda_library(which, bytes, bytes.length);
    return { name, without, version, found: (shim.found >> which & 1) === 1, where: text(bytes) };
  });
}
