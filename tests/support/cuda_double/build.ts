/**
 * Builds the test double of CUDA's libraries: `libcuda`, `libnvrtc`, `libcublasLt`, `libcudnn` and others that run on the CPU.
 *
 * Never shipped. The shim finds the double as it finds the real libraries, so a folder of them in `LD_LIBRARY_PATH` (or
 * `CUDA_PATH`, as `lib64`) is all that a test needs. Builds are cached by the sources' content in the temporary folder.
 *
 * `deno run -A tests/support/cuda_double/build.ts FOLDER` builds by hand.
 *
 * @module
 */

import { dirname } from "node:path";
import { buildCuda } from "../../../native/build_cuda.ts";

const here = decodeURIComponent(new URL("./", import.meta.url).pathname);
const api = decodeURIComponent(new URL("../../../native/cuda/", import.meta.url).pathname);

/** The libraries: how their functions' names begin, and their sources. */
const LIBRARIES: Readonly<Record<string, { readonly names: RegExp; readonly sources: readonly string[] }>> = {
  "libcuda.so.1": { names: /^cu[A-Z]/, sources: ["driver.cpp", "stream.cpp", "launch.cpp", "memory.cpp"] },
  "libnvrtc.so.13": { names: /^nvrtc/, sources: ["nvrtc.cpp"] },
  "libnvrtc-builtins.so.13.0": { names: /^builtins/, sources: ["builtins.cpp"] },
  "libcublasLt.so.13": { names: /^cublasLt/, sources: ["cublaslt.cpp"] },
  "libnccl.so.2": { names: /^nccl/, sources: ["nccl.cpp"] },
  "libcudnn.so.9": { names: /^cudnn/, sources: ["cudnn.cpp", "cudnn_graph.cpp"] },
  "libcusolver.so.12": { names: /^cusolver/, sources: ["cusolver.cpp"] },
  "libcufft.so.12": { names: /^cufft/, sources: ["cufft.cpp"] },
};

/** What a folder lacks. */
export interface CudaDoubleOptions {
  /** Libraries that are not there, by their file names. */
  readonly without?: readonly string[];
  /** Functions that are not there, as in an older version. */
  readonly missing?: readonly string[];
}

/** The folder of cached builds, the same that compiled kernels are kept in. */
export function cacheFolder(): string {
  const named = Deno.env.get("CUDA_DOUBLE_CACHE");
  return named ?? `${Deno.env.get("TMPDIR") || "/tmp"}/cresset_cuda_double_${Deno.uid()}`;
}

/** A key of what the files of folders say. */
async function keyOf(folders: readonly string[], extra: string): Promise<string> {
  const files = folders.flatMap((folder) => [...Deno.readDirSync(folder)].map((entry) => folder + entry.name));
  const sources = files.filter((path) => /\.(cpp|c|h)$|build\.ts$/.test(path)).sort();
  const bytes = new TextEncoder().encode(sources.map((path) => path + Deno.readTextFileSync(path)).join("\0") + extra);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest.subarray(0, 10)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

async function compile(name: string, target: string, missing: readonly string[]): Promise<void> {
  const compiler = Deno.env.get("CXX") ?? "c++";
  const args = [
    ...["-std=c++17", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", `-Wl,-soname,${name}`],
    // A fault leaves a kernel by longjmp, from one stack to another: the checked one refuses that.
    "-U_FORTIFY_SOURCE",
    ...[`-I${api}`, `-DEMULATION_FOLDER="${here.slice(0, -1)}"`],
    // A function under another name is one that is not there.
    ...missing.map((symbol) => `-D${symbol}=${symbol}_missing`),
    ...["-o", target, ...LIBRARIES[name].sources.map((file) => here + file), "-ldl"],
  ];
  const { success, stderr } = await new Deno.Command(compiler, { args, stderr: "piped" }).output();
  if (!success) throw new Error(`cuda_double: ${compiler} failed on ${name}:\n${new TextDecoder().decode(stderr)}`);
}

/**
 * Makes the file at `path` unless it is there. Test files run side by side: one process makes it, the others wait.
 *
 * @param make writes the file under the path that it is given
 */
async function once(path: string, make: (own: string) => Promise<void>): Promise<void> {
  const there = () => Deno.stat(path).then(() => true, () => false);
  if (await there()) return;
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  using lock = await Deno.open(`${path}.lock`, { write: true, create: true });
  await lock.lock(true);
  if (await there()) return;
  await make(`${path}.${Deno.pid}`);
  await Deno.rename(`${path}.${Deno.pid}`, path);
}

/** The library `name` of the double, built and in the cache. */
async function built(name: string, key: string, missing: readonly string[]): Promise<string> {
  const path = `${cacheFolder()}/${[key, ...missing].join("_")}/${name}`;
  await once(path, (own) => compile(name, own, missing));
  return path;
}

/** Puts the library at `path` where others expect it; they see all of it or nothing. */
async function place(path: string, target: string): Promise<void> {
  const own = `${target}.${Deno.pid}`;
  await Deno.copyFile(path, own);
  await Deno.rename(own, target);
}

/**
 * A folder of the double, named by its content, so that tests share it and what its NVRTC compiled may be cached under its
 * path.
 *
 * @param options what to leave out
 */
export async function cudaDoubleFolder(options: CudaDoubleOptions = {}): Promise<string> {
  const { without = [], missing = [] } = options;
  const key = await keyOf([here, api], "");
  if (without.length + missing.length === 0) {
    return dirname((await Promise.all(Object.keys(LIBRARIES).map((name) => built(name, key, []))))[0]);
  }
  const folder = `${cacheFolder()}/${[key, "without", ...without, ...missing].join("_")}`;
  await buildCudaDouble(folder, options, true);
  return folder;
}

/**
 * Puts the double's libraries into a folder.
 *
 * @param folder made if it is not there
 * @param options what to leave out
 * @param keep whether a library that is there already is the right one
 */
export async function buildCudaDouble(folder: string, options: CudaDoubleOptions = {}, keep = false): Promise<void> {
  const key = await keyOf([here, api], "");
  const present = Object.keys(LIBRARIES).filter((name) => !options.without?.includes(name));
  await Deno.mkdir(folder, { recursive: true });
  await Promise.all(present.map(async (name) => {
    const missing = (options.missing ?? []).filter((symbol) => LIBRARIES[name].names.test(symbol));
    const target = `${folder}/${name}`;
    if (keep && await Deno.stat(target).then(() => true, () => false)) return;
    // A process that has the old one open keeps it.
    await place(await built(name, key, missing), target);
  }));
}

async function runs(compiler: string): Promise<boolean> {
  try {
    return (await new Deno.Command(compiler, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether the double and the shim can be built here; says so where they cannot. */
async function haveCompilers(): Promise<boolean> {
  const compilers = [Deno.env.get("CC") ?? "cc", Deno.env.get("CXX") ?? "c++"];
  const missing: string[] = [];
  for (const compiler of compilers) if (!await runs(compiler)) missing.push(compiler);
  if (missing.length > 0) console.log(`CUDA's double is not tested here: no ${missing.join(" and no ")}`);
  return missing.length === 0;
}

/** Whether the tests that need the double run. */
export const buildable: boolean = await haveCompilers();

/** Registers a test that needs the double, where it can be built. */
export function cudaTest(name: string, fn: () => void | Promise<void>): void {
  if (buildable) Deno.test(name, fn);
}

/** Builds the shim where tests keep it, unless it is there; gives its path. */
export async function buildShim(): Promise<string> {
  const script = Deno.readTextFileSync(new URL("../../../native/build_cuda.ts", import.meta.url));
  const path = `${cacheFolder()}/${await keyOf([api], script)}/libcresset_cuda.so`;
  await once(path, async (own) => {
    await buildCuda(own);
  });
  return path;
}

if (import.meta.main) {
  const [folder] = Deno.args;
  if (folder === undefined) throw new Error("cuda_double: name the folder");
  await buildCudaDouble(folder);
  console.log(`cuda_double: built in ${folder}`);
}
