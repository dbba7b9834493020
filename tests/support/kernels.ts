/**
 * Runs a script once per kernel library of the CPU backend, each in its own process: the library is chosen when it is
 * loaded, and the process's memory is its own. Where the native library is not built, that run is left out and said so.
 *
 * @module
 */

/** The kernel libraries, as `CRESSET_KERNELS` names them. */
export type Kernels = "wasm" | "native";

/** What a script printed. */
export interface ScriptResult {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs `script` with the given kernels. */
export async function runScript(script: URL, args: string[], kernels: Kernels): Promise<ScriptResult> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script.pathname, ...args],
    env: { CRESSET_KERNELS: kernels },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const { code, signal } = output;
  return { code, signal, stdout: decode(output.stdout), stderr: decode(output.stderr) };
}

/** Whether the native library is built here. */
export async function nativeBuilt(): Promise<boolean> {
  const { code, stdout } = await runScript(new URL("./which_kernels.ts", import.meta.url), [], "native");
  return code === 0 && stdout.startsWith("native");
}

/** The kernel libraries that can run here; says which one cannot. */
export async function availableKernels(): Promise<Kernels[]> {
  if (await nativeBuilt()) return ["wasm", "native"];
  console.log("the native library is not built here (deno task native): only wasm runs");
  return ["wasm"];
}
