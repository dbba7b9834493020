/**
 * Missing and old libraries, no device: what the shim reports, with the process alive.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import {
  buildCudaDouble,
  buildShim,
  cudaDoubleFolder,
  type CudaDoubleOptions,
  cudaTest,
} from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";
import { nvrtcLibrary } from "../support/nvrtc.ts";

/** What `missing.ts` prints. */
interface Report {
  readonly libraries: readonly { readonly found: boolean; readonly version: number; readonly where: string }[];
  readonly count: number;
  readonly counted: string | null;
  readonly opened: string | null;
  readonly compiled: string | null;
  /** Why the code could not be loaded, and what PTX was made for. */
  readonly loaded: string | null;
  readonly target: string | null;
  readonly matmul: string | null;
  readonly conv: string | null;
}

async function report(options: CudaDoubleOptions, settings: Readonly<Record<string, string>> = {}): Promise<Report> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./missing.ts", import.meta.url).pathname],
    // PATH without Pythons: their wheels would be found.
    env: {
      ...await doubleEnvironment(await cudaDoubleFolder(options)),
      PATH: "/usr/bin:/bin",
      ...settings,
    },
    stderr: "inherit",
  }).output();
  assert(success);
  return JSON.parse(new TextDecoder().decode(stdout)) as Report;
}

cudaTest("all libraries are found, with their versions", async () => {
  const { libraries, count, counted, opened, compiled } = await report({});
  assertEquals(libraries.slice(0, 4).map((l) => [l.found, l.version]), [
    [true, 13000],
    [true, 13000],
    [true, 130000],
    [true, 91500],
  ]);
  assertStringIncludes(libraries[1].where, "libnvrtc.so.13");
  assertEquals([count, counted, opened, compiled], [1, null, null, null]);
});

cudaTest("a library that may not be loaded stays closed, and the report says so", async () => {
  const folder = await Deno.makeTempDir({ prefix: "cuda_double_" });
  await buildCudaDouble(folder);
  const shim = await buildShim(), script = new URL("./missing.ts", import.meta.url).pathname;
  const run = async (permissions: readonly string[]): Promise<Report> => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--allow-read", ...permissions, script],
      env: { CRESSET_CUDA_LIBRARY: shim, LD_LIBRARY_PATH: folder, CUDA_PATH: "", CUDA_HOME: "", PATH: "/usr/bin:/bin" },
      stderr: "inherit",
    }).output();
    assert(success);
    return JSON.parse(new TextDecoder().decode(stdout)) as Report;
  };
  const some = await run(["--allow-env", `--allow-ffi=${shim},${folder}/libcuda.so.1`]);
  assertEquals(some.libraries.map((l) => l.found), [true, false, false, false, false, false, false]);
  assertStringIncludes(some.compiled!, `--allow-ffi leaves out ${folder}/libnvrtc.so.13`);
  // A folder that only a variable names which may not be read.
  const blind = await run(["--allow-env=CRESSET_CUDA_LIBRARY", "--allow-ffi"]);
  assert(blind.libraries.every((l) => !l.where.includes(folder)), JSON.stringify(blind.libraries));
  await Deno.remove(folder, { recursive: true });
});

cudaTest("without cuDNN only convolutions fail, and say what was looked for", async () => {
  const { libraries, opened, compiled, conv } = await report({ without: ["libcudnn.so.9"] });
  assertEquals(libraries.slice(0, 4).map((l) => l.found), [true, true, true, false]);
  assertStringIncludes(libraries[3].where, "libcudnn.so.9: not found; looked in ");
  assertEquals([opened, compiled], [null, null]);
  assertStringIncludes(conv!, "cuDNN (libcudnn.so.9) was not found, it is needed for convolutions");
});

cudaTest("without NVRTC and cuBLASLt kernels and products fail by name", async () => {
  const { compiled, matmul } = await report({ without: ["libnvrtc.so.13", "libcublasLt.so.13"] });
  assertStringIncludes(compiled!, "NVRTC (libnvrtc.so.13) was not found, it is needed for kernels");
  assertStringIncludes(matmul!, "cuBLASLt (libcublasLt.so.13) was not found, it is needed for matrix products");
});

cudaTest("without a driver nothing opens", async () => {
  const { counted, opened } = await report({ without: ["libcuda.so.1"] });
  for (const text of [counted, opened]) assertStringIncludes(text!, "the NVIDIA driver (libcuda.so.1) was not found");
});

cudaTest("an old library is not used, and the report says what it lacks", async () => {
  const { libraries, matmul } = await report({ missing: ["cublasLtMatmulAlgoGetHeuristic"] });
  assertEquals(libraries[2].found, false);
  assertStringIncludes(libraries[2].where, "lacks cublasLtMatmulAlgoGetHeuristic: too old");
  assert(matmul !== null);
  const old = await report({ missing: ["cuStreamBeginCapture_v2"] });
  assertStringIncludes(old.libraries[0].where, "lacks cuStreamBeginCapture_v2: too old");
});

cudaTest("no device, and a failing allocation, are errors of their own", async () => {
  const { counted } = await report({}, { CUDA_DOUBLE_DEVICES: "0" });
  assertStringIncludes(counted!, "no CUDA-capable device is detected");
  const { opened, matmul } = await report({}, { CUDA_DOUBLE_FAIL: "alloc:1" });
  assertEquals(opened, null);
  assert(matmul !== null);
});

/** Moves the double's libraries to where wheels put them, as `places` says, beside a Python of `bin`; gives what is found. */
async function wheels(
  places: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<Report & { readonly root: string }> {
  const root = await Deno.makeTempDir({ prefix: "cuda_double_" }), folder = `${root}/double`;
  await buildCudaDouble(folder);
  for (const [name, place] of Object.entries(places)) {
    const target = `${root}/lib/python3.12/site-packages/nvidia/${place}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(`${folder}/${name}`, target);
  }
  const driver = `${root}/driver`;
  await Deno.mkdir(driver);
  await Deno.copyFile(`${folder}/libcuda.so.1`, `${driver}/libcuda.so.1`);
  await Deno.remove(folder, { recursive: true });
  const found = await report({ without: ALL }, {
    PATH: `${root}/bin:/usr/bin:/bin`,
    LD_LIBRARY_PATH: driver,
    HOME: root,
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
    ...settings,
  });
  await Deno.remove(root, { recursive: true });
  return { ...found, root };
}

const ALL = [
  ...[
    "libcuda.so.1",
    "libnvrtc.so.13",
    "libnvrtc-builtins.so.13.0",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libnccl.so.2",
  ],
  "libcusolver.so.12",
  "libcufft.so.12",
];

/** Where the libraries of a report lie, below `site-packages/nvidia`. */
function placesOf({ libraries, root }: Report & { readonly root: string }): string[] {
  const start = `${root}/lib/python3.12/site-packages/nvidia/`;
  return libraries.slice(1).filter((l) => l.found && l.where.startsWith(start)).map((l) => l.where.slice(start.length));
}

cudaTest("the wheels of CUDA 13 are found beside Python, and NVRTC finds its builtins there", async () => {
  const found = await wheels({
    "libnvrtc.so.13": "cu13/lib/libnvrtc.so.13",
    "libnvrtc-builtins.so.13.0": "cu13/lib/libnvrtc-builtins.so.13.0",
    "libcublasLt.so.13": "cu13/lib/libcublasLt.so.13",
    "libcusolver.so.12": "cu13/lib/libcusolver.so.12",
    "libcudnn.so.9": "cudnn/lib/libcudnn.so.9",
    "libnccl.so.2": "nccl/lib/libnccl.so.2",
  });
  assertEquals(placesOf(found), [
    ...[
      "cu13/lib/libnvrtc.so.13",
      "cu13/lib/libcublasLt.so.13",
      "cudnn/lib/libcudnn.so.9",
      "cu13/lib/libcusolver.so.12",
    ],
    "nccl/lib/libnccl.so.2",
  ]);
  assertEquals(found.compiled, null);
});

cudaTest("the wheels of CUDA 12 are found, and preferred where the driver is for CUDA 12", async () => {
  const twelve = {
    "libnvrtc.so.13": "cuda_nvrtc/lib/libnvrtc.so.12",
    "libnvrtc-builtins.so.13.0": "cuda_nvrtc/lib/libnvrtc-builtins.so.12.9",
    "libcublasLt.so.13": "cublas/lib/libcublasLt.so.12",
    "libcusolver.so.12": "cusolver/lib/libcusolver.so.11",
  };
  const places = ["cuda_nvrtc/lib/libnvrtc.so.12", "cublas/lib/libcublasLt.so.12", "cusolver/lib/libcusolver.so.11"];
  const found = await wheels(twelve);
  assertEquals(placesOf(found), places);
  assertEquals(found.compiled, null);
  assertEquals(placesOf(await wheels(twelve, { CUDA_DOUBLE_VERSION: "12040" })), places);
});

cudaTest("with both versions there, the driver's decides", async () => {
  const root = await Deno.makeTempDir({ prefix: "cuda_double_" });
  await buildCudaDouble(root);
  await Deno.copyFile(`${root}/libcublasLt.so.13`, `${root}/libcublasLt.so.12`);
  for (const [version, name] of [["13000", "libcublasLt.so.13"], ["12080", "libcublasLt.so.12"]]) {
    const { libraries } = await report({ without: ALL }, { LD_LIBRARY_PATH: root, CUDA_DOUBLE_VERSION: version });
    assertEquals(libraries[2].where, `${root}/${name}`);
  }
  await Deno.remove(root, { recursive: true });
});

cudaTest(
  "the real NVRTC, where it is installed, compiles through the shim from outside the system's path",
  async () => {
    const library = await nvrtcLibrary();
    if (library === null) return;
    const root = await Deno.makeTempDir({ prefix: "cuda_double_" });
    await buildCudaDouble(root, { without: ALL.filter((name) => name !== "libcuda.so.1") });
    // A wheel's folder is found beside its Python; the system's loader knows nothing of it.
    const wheel = library.indexOf("/lib/python3");
    const settings: Record<string, string> = wheel < 0
      ? { LD_LIBRARY_PATH: `${root}:${dirname(library)}` }
      : { LD_LIBRARY_PATH: root, PATH: `${library.slice(0, wheel)}/bin:/usr/bin:/bin` };
    const { libraries, compiled, target } = await report({ without: ALL }, settings);
    assertEquals([libraries[1].where, compiled, target], [library, null, null]);
    // A device of a generation that it does not know.
    const newer = await report({ without: ALL }, { ...settings, CUDA_DOUBLE_CAPABILITY: "990" });
    await Deno.remove(root, { recursive: true });
    assertEquals(newer.compiled, null);
    assertStringIncludes(newer.target!, "sm_1");
  },
);

cudaTest(
  "devices that NVRTC does not know take what they can run: older code of their generation, or PTX",
  async () => {
    for (const capability of ["90", "109", "129", "131"]) {
      const { compiled, loaded } = await report({}, { CUDA_DOUBLE_CAPABILITY: capability });
      assertEquals([compiled, loaded], [null, null], capability);
    }
    const { compiled } = await report({}, { CUDA_DOUBLE_CAPABILITY: "70" });
    assertStringIncludes(compiled!, "compiles for sm_75 and later, the device is sm_70: an older NVRTC is needed");
  },
);

cudaTest("NVRTC without its builtins says so", async () => {
  const { libraries, compiled } = await report({ without: ["libnvrtc-builtins.so.13.0"] });
  assert(libraries[1].found);
  assertStringIncludes(compiled!, "failed to open libnvrtc-builtins.so.13.0");
});
