/**
 * Runs a command over the test double of CUDA, as if this machine had a card:
 * `deno run -A tests/support/cuda_double/run.ts deno run -A tests/conformance/run.ts DIR --device cuda`.
 *
 * `--without LIBRARY` (before the command) leaves a library out. The exit status is the command's.
 *
 * @module
 */

import { buildShim, cacheFolder, cudaDoubleFolder, type CudaDoubleOptions } from "./build.ts";

/** The environment in which a process finds the double in `folder`, and nothing of a real installation before it. */
export async function doubleEnvironment(folder: string): Promise<Record<string, string>> {
  return {
    CRESSET_CUDA_LIBRARY: await buildShim(),
    LD_LIBRARY_PATH: folder,
    CUDA_PATH: "",
    CUDA_HOME: "",
    // Kernels of the double never mix with a card's, and stay where the double's compiled ones are.
    XDG_CACHE_HOME: `${cacheFolder()}/kernels`,
    // Deno's own cache stays where it is.
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`,
  };
}

/**
 * Runs a script of cases over the double, in a process of its own, since the driver's state belongs to the process. What
 * Deno and the double have compiled is found again.
 *
 * @param script ends its output with "agrees", or throws
 * @param options what of the double is not there
 * @param env settings of the double and of the library
 * @throws with all that the script printed, where it does not agree
 */
export async function agreesOverDouble(
  script: URL,
  args: readonly string[],
  options: CudaDoubleOptions = {},
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script.pathname, ...args],
    env: {
      ...await doubleEnvironment(await cudaDoubleFolder(options)),
      // Wheels beside a Python in PATH would be found in the place of what is left out.
      ...(options.without ?? []).length === 0 ? {} : { PATH: "/usr/bin:/bin" },
      ...env,
    },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0 || !text.trim().endsWith("agrees")) throw new Error(text + new TextDecoder().decode(stderr));
}

async function run([program, ...args]: readonly string[], folder: string): Promise<number> {
  const command = new Deno.Command(program === "deno" ? Deno.execPath() : program, {
    args,
    env: await doubleEnvironment(folder),
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await command.spawn().status).code;
}

if (import.meta.main) {
  const command = [...Deno.args], without: string[] = [];
  while (command[0] === "--without") without.push(...command.splice(0, 2).slice(1));
  if (command.length === 0) throw new Error("cuda_double: name a command");
  Deno.exitCode = await run(command, await cudaDoubleFolder({ without }));
}
