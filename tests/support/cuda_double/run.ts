/**
 * Runs a command over the test double of CUDA, as if this machine had a card:
 * `deno run -A tests/support/cuda_double/run.ts deno run -A tests/conformance/run.ts DIR --device cuda`.
 *
 * `--without LIBRARY` (before the command) leaves a library out. The exit status is the command's.
 *
 * @module
 */

import { buildCudaDouble, buildShim, cacheFolder } from "./build.ts";

/** The environment in which a process finds the double in `folder`, and nothing of a real installation before it. */
export async function doubleEnvironment(folder: string): Promise<Record<string, string>> {
  return {
    CRESSET_CUDA_LIBRARY: await buildShim(),
    LD_LIBRARY_PATH: folder,
    CUDA_PATH: "",
    CUDA_HOME: "",
    // Kernels of the double never mix with a card's, and stay where the double's compiled ones are.
    XDG_CACHE_HOME: `${cacheFolder()}/kernels`,
  };
}

if (import.meta.main) {
  const queue = [...Deno.args], without: string[] = [];
  while (queue[0] === "--without") without.push(...queue.splice(0, 2).slice(1));
  const [program, ...args] = queue;
  if (program === undefined) throw new Error("cuda_double: name a command");
  const folder = await Deno.makeTempDir({ prefix: "cuda_double_" });
  try {
    await buildCudaDouble(folder, { without });
    const env = await doubleEnvironment(folder);
    const { code } = await new Deno.Command(program === "deno" ? Deno.execPath() : program, {
      args,
      env,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    Deno.exitCode = code;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
