/**
 * Missing and old libraries, no device: what the shim reports, with the process alive.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildCudaDouble, buildShim, type CudaDoubleOptions, cudaTest } from "../support/cuda_double/build.ts";

/** What `missing.ts` prints. */
interface Report {
  readonly libraries: readonly { readonly found: boolean; readonly version: number; readonly where: string }[];
  readonly count: number;
  readonly counted: string | null;
  readonly opened: string | null;
  readonly compiled: string | null;
  readonly matmul: string | null;
  readonly conv: string | null;
}

async function report(options: CudaDoubleOptions, settings: Readonly<Record<string, string>> = {}): Promise<Report> {
  const folder = await Deno.makeTempDir({ prefix: "cuda_double_" });
  await buildCudaDouble(folder, options);
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./missing.ts", import.meta.url).pathname],
    // PATH without Pythons: their wheels would be found.
    env: {
      CRESSET_CUDA_LIBRARY: await buildShim(),
      LD_LIBRARY_PATH: folder,
      CUDA_PATH: "",
      CUDA_HOME: "",
      PATH: "/usr/bin:/bin",
      ...settings,
    },
    stderr: "inherit",
  }).output();
  await Deno.remove(folder, { recursive: true });
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
