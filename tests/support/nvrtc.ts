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

/** The real library, or `null` where it is not installed. */
export async function nvrtcLibrary(): Promise<string | null> {
  return (await candidates())[0] ?? null;
}

/** One source to compile. */
export interface CudaSource {
  /** What it is, for messages. */
  readonly name: string;
  /** The CUDA C. */
  readonly code: string;
}

/** What the compiler says about one entry point. */
export interface CudaKernel {
  /** The source's name and the entry point's. */
  readonly name: string;
  /** Registers of a thread. */
  readonly registers: number;
  /** Bytes of stack: arrays that did not become registers. */
  readonly stack: number;
  /** Bytes that are stored to and loaded from memory because registers ran out. */
  readonly spills: number;
  /** Its accesses of global memory, in PTX: `"ld.global.v4.f32"`, in order. */
  readonly accesses: readonly string[];
}

interface Reply {
  readonly failures: string[];
  readonly kernels: CudaKernel[];
}

/** Compiles sources for an architecture (`"sm_80"`); gives the log of each that failed, or `null` without the library. */
export async function compileCuda(sources: readonly CudaSource[], architecture: string): Promise<string[] | null> {
  return (await ask(sources, architecture, "compile"))?.failures ?? null;
}

/** Compiles sources with all optimisations; gives what became of each entry point, or `null` without the library. */
export async function inspectCuda(
  sources: readonly CudaSource[],
  architecture: string,
): Promise<readonly CudaKernel[] | null> {
  const reply = await ask(sources, architecture, "inspect");
  if (reply === null) return null;
  if (reply.failures.length > 0) throw new Error(reply.failures.join("\n"));
  return reply.kernels;
}

/** Asks a process of its own. */
async function ask(sources: readonly CudaSource[], architecture: string, what: string): Promise<Reply | null> {
  const [library] = await candidates();
  if (library === undefined) {
    console.log("NVRTC: libnvrtc was not found (pip install nvidia-cuda-nvrtc); its tests are left out");
    return null;
  }
  console.log(`NVRTC: ${library}, ${architecture}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", import.meta.filename!, library, architecture, what],
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
  return JSON.parse(new TextDecoder().decode(stdout)) as Reply;
}

const SIZE_AND_TEXT = ["pointer", "buffer"] as const;

function openNvrtc(library: string) {
  return Deno.dlopen(library, {
    nvrtcCreateProgram: { parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"], result: "i32" },
    nvrtcCompileProgram: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
    nvrtcGetProgramLogSize: { parameters: SIZE_AND_TEXT, result: "i32" },
    nvrtcGetProgramLog: { parameters: SIZE_AND_TEXT, result: "i32" },
    nvrtcGetPTXSize: { parameters: SIZE_AND_TEXT, result: "i32" },
    nvrtcGetPTX: { parameters: SIZE_AND_TEXT, result: "i32" },
    nvrtcDestroyProgram: { parameters: ["buffer"], result: "i32" },
  }).symbols;
}

/** What ptxas's log and the PTX say about each entry point of a source. */
function kernelsOf(source: string, log: string, ptx: string): CudaKernel[] {
  return log.split("Compiling entry function '").slice(1).map((part) => {
    const name = part.slice(0, part.indexOf("'")),
      number = (pattern: RegExp) => Number(part.match(pattern)?.[1] ?? NaN);
    const start = ptx.indexOf(`.entry ${name}(`), end = ptx.indexOf(".entry ", start + 7);
    const body = ptx.slice(start, end < 0 ? undefined : end);
    return {
      name: `${source} ${name}`,
      registers: number(/Used (\d+) registers/),
      stack: number(/(\d+) bytes stack frame/),
      spills: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
      accesses: [...body.matchAll(/\b(?:ld|st)\.global[.\w]*/g)].map(([access]) => access),
    };
  });
}

/** The child: compiles each source and prints the failures and, asked to inspect, what became of the others. */
async function main(library: string, architecture: string, what: string): Promise<void> {
  const nvrtc = openNvrtc(library);
  const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s + "\0");
  const sources = JSON.parse(await new Response(Deno.stdin.readable).text()) as CudaSource[];
  // Those of native/cuda/kernel.c; without optimisation where only errors matter.
  const more = what === "inspect"
    ? ["--extra-device-vectorization", "-default-device", "--ptxas-options=-v"]
    : ["--ptxas-options=-O0"];
  const options = [`--gpu-architecture=${architecture}`, "--std=c++17", ...more].map(text);
  const pointers = new BigUint64Array(options.map((o) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(o))));
  const reply: Reply = { failures: [], kernels: [] };
  for (const { name, code } of sources) {
    const handle = new BigUint64Array(1);
    nvrtc.nvrtcCreateProgram(new Uint8Array(handle.buffer), text(code), text(`${name}.cu`), 0, null, null);
    const program = Deno.UnsafePointer.create(handle[0]);
    const get = (part: "ProgramLog" | "PTX"): string => {
      const size = new BigUint64Array(1);
      nvrtc[`nvrtcGet${part}Size`](program, new Uint8Array(size.buffer));
      const bytes = new Uint8Array(Number(size[0]));
      nvrtc[`nvrtcGet${part}`](program, bytes);
      return new TextDecoder().decode(bytes).replace(/\0+$/, "");
    };
    const status = nvrtc.nvrtcCompileProgram(program, options.length, new Uint8Array(pointers.buffer));
    if (status !== 0) reply.failures.push(`${name}: ${get("ProgramLog")}`);
    else if (what === "inspect") reply.kernels.push(...kernelsOf(name, get("ProgramLog"), get("PTX")));
    nvrtc.nvrtcDestroyProgram(new Uint8Array(handle.buffer));
  }
  console.log(JSON.stringify(reply));
}

if (import.meta.main) await main(Deno.args[0], Deno.args[1], Deno.args[2]);
