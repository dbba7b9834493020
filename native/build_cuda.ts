/**
 * Builds the CUDA shim: `native/cuda/*.c` with a bare C compiler, since it opens CUDA's libraries at run time.
 *
 * @module
 */

const here = new URL("./cuda/", import.meta.url);

/**
 * Compiles the shim.
 *
 * @param target where the library goes; default `native/cuda/build/libcresset_cuda.so`
 * @returns its path
 */
export async function buildCuda(target?: string): Promise<string> {
  const folder = decodeURIComponent(here.pathname);
  const library = target ?? `${folder}build/libcresset_cuda.so`;
  await Deno.mkdir(library.slice(0, library.lastIndexOf("/")), { recursive: true });
  const sources = [...Deno.readDirSync(here)].map((e) => e.name).filter((name) => name.endsWith(".c")).sort();
  const compiler = Deno.env.get("CC") ?? "cc";
  const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-shared"];
  // Deno closes libraries when a worker ends, but contexts, streams and modules belong to the process, so the library
  // must stay loaded.
  flags.push("-Wl,-z,nodelete");
  // A library that a running process has mapped must be replaced, not overwritten.
  const args = [...flags, "-o", `${library}.new`, ...sources, "-ldl"];
  const { success, stderr } = await new Deno.Command(compiler, { args, cwd: folder, stderr: "piped" }).output();
  if (!success) throw new Error(`native: ${compiler} failed on the CUDA shim:\n${new TextDecoder().decode(stderr)}`);
  await Deno.rename(`${library}.new`, library);
  return library;
}

if (import.meta.main) console.log(`native: built ${await buildCuda()}`);
