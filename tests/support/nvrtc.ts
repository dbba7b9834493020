/**
 * NVRTC for the tests: CUDA C compiled to machine code for an architecture, where the library can be found.
 *
 * The library opens its own builtins by name, so their folder must be in `LD_LIBRARY_PATH` when the process starts: the
 * compiler runs in a child process of this very file (`deno run -A nvrtc.ts LIBRARY`), which reads sources as JSON lines.
 *
 * @module
 */

import { dirname } from "node:path";

/** Where NVIDIA's wheels and toolkits put the library. */
async function candidates(): Promise<string[]> {
  const found: string[] = [];
  const list = async (folder: string): Promise<void> => {
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (/^libnvrtc\.so\.\d+$/.test(entry.name)) found.push(`${folder}/${entry.name}`);
      }
    } catch { /* no such folder */ }
  };
  try {
    const script = "import site, sys; print('\\n'.join(site.getsitepackages() + [site.getusersitepackages()]))";
    const { stdout } = await new Deno.Command("python3", { args: ["-c", script], stderr: "null" }).output();
    for (const folder of new TextDecoder().decode(stdout).trim().split("\n")) {
      for (const wheel of ["cu13/lib", "cuda_nvrtc/lib"]) await list(`${folder}/nvidia/${wheel}`);
    }
  } catch { /* no Python */ }
  for (const folder of ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]) {
    await list(folder);
  }
  return found;
}

/** One source to compile. */
export interface CudaSource {
  /** What it is, for messages. */
  readonly name: string;
  /** The CUDA C. */
  readonly code: string;
}

/** Compiles sources for an architecture (`"sm_80"`); gives the log of each that failed, or `null` without the library. */
export async function compileCuda(sources: readonly CudaSource[], architecture: string): Promise<string[] | null> {
  const [library] = await candidates();
  if (library === undefined) {
    console.log("NVRTC: libnvrtc was not found (pip install nvidia-cuda-nvrtc); its tests are left out");
    return null;
  }
  console.log(`NVRTC: ${library}, ${architecture}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", import.meta.filename!, library, architecture],
    env: { LD_LIBRARY_PATH: dirname(library) },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(sources)));
  await writer.close();
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error(`nvrtc: the compiler process ended with status ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as string[];
}

/** The child: compiles each source and prints the failures. */
async function main(library: string, architecture: string): Promise<void> {
  const lib = Deno.dlopen(library, {
    nvrtcCreateProgram: { parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"], result: "i32" },
    nvrtcCompileProgram: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
    nvrtcGetProgramLogSize: { parameters: ["pointer", "buffer"], result: "i32" },
    nvrtcGetProgramLog: { parameters: ["pointer", "buffer"], result: "i32" },
    nvrtcDestroyProgram: { parameters: ["buffer"], result: "i32" },
  });
  const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s + "\0");
  const sources = JSON.parse(await new Response(Deno.stdin.readable).text()) as CudaSource[];
  const options = [`--gpu-architecture=${architecture}`, "--std=c++17", "--ptxas-options=-O0"].map(text);
  const pointers = new BigUint64Array(options.map((o) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(o))));
  const failures: string[] = [];
  for (const { name, code } of sources) {
    const handle = new BigUint64Array(1);
    lib.symbols.nvrtcCreateProgram(new Uint8Array(handle.buffer), text(code), text(`${name}.cu`), 0, null, null);
    const program = Deno.UnsafePointer.create(handle[0]);
    if (lib.symbols.nvrtcCompileProgram(program, options.length, new Uint8Array(pointers.buffer)) !== 0) {
      const size = new BigUint64Array(1);
      lib.symbols.nvrtcGetProgramLogSize(program, new Uint8Array(size.buffer));
      const log = new Uint8Array(Number(size[0]));
      lib.symbols.nvrtcGetProgramLog(program, log);
      failures.push(`${name}: ${new TextDecoder().decode(log).replace(/\0$/, "")}`);
    }
    lib.symbols.nvrtcDestroyProgram(new Uint8Array(handle.buffer));
  }
  console.log(JSON.stringify(failures));
}

if (import.meta.main) await main(Deno.args[0], Deno.args[1]);
