/**
 * Fused linear layers over the test double: cuBLASLt's epilogues, and our own kernel's where the library is missing.
 */

import { assert } from "@std/assert";
import { buildCudaDouble, buildShim, type CudaDoubleOptions, cudaTest } from "../support/cuda_double/build.ts";

async function run(kind: string, options: CudaDoubleOptions, settings: Record<string, string> = {}): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cresset_cuda_" });
  try {
    await buildCudaDouble(folder, options);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("linear.ts", import.meta.url).pathname, kind],
      env: {
        ...{ CRESSET_CUDA_LIBRARY: await buildShim(), LD_LIBRARY_PATH: folder, CUDA_PATH: folder, CUDA_HOME: "" },
        // Of the kernel cache, and without Pythons, whose wheels would be found.
        ...{ XDG_CACHE_HOME: folder, PATH: "/usr/bin:/bin", ...settings },
      },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(code === 0 && text.trim().endsWith("agrees"), text + new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

cudaTest("cuda: linear layers by cuBLASLt's epilogues", () => run("library", {}));

cudaTest(
  "cuda: linear layers with algorithms that were measured",
  () => run("library", {}, { CRESSET_CUDA_BENCHMARK: "1" }),
);

cudaTest(
  "cuda: linear layers without cuBLASLt, by our own kernel",
  () => run("kernels", { without: ["libcublasLt.so.13"] }),
);
