/**
 * The CUDA backend over the test double: every kernel family against the CPU, training, failures, missing libraries.
 *
 * Each group runs in a process of its own (`cases.ts`), since the driver's state belongs to the process.
 */

import { assert } from "@std/assert";
import { buildCudaDouble, buildShim, type CudaDoubleOptions, cudaTest } from "../support/cuda_double/build.ts";

/** Runs a script against the double. */
async function run(
  script: string,
  args: string[],
  options: CudaDoubleOptions = {},
  env: Record<string, string> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cresset_cuda_" });
  try {
    await buildCudaDouble(folder, options);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL(script, import.meta.url).pathname, ...args],
      env: {
        ...{ CRESSET_CUDA_LIBRARY: await buildShim(), LD_LIBRARY_PATH: folder, CUDA_PATH: folder, CUDA_HOME: "" },
        // Of the kernel cache, too: what an older double compiled must not be found.
        XDG_CACHE_HOME: folder,
        ...env,
      },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(code === 0 && text.trim().endsWith("agrees"), text + new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (
  const group of [
    "maps",
    "vectors",
    "transposes",
    "reductions",
    "scans",
    "orders",
    "indexing",
    "products",
    "convolutions",
    "rows",
    "attention",
    "training",
  ]
) {
  cudaTest(`cuda: ${group} as on the CPU`, () => run("cases.ts", [group]));
}

for (const model of ["mlp_classifier", "lenet5", "resnet_small"]) {
  cudaTest(`cuda: ${model} reproduces PyTorch's losses`, () => run("../models/run.ts", [model, "cuda"]));
}

cudaTest("cuda: float8 is converted and multiplied as by PyTorch", () => run("float8.ts", []));
cudaTest(
  "cuda: float8 products where there are no float8 tensor cores",
  () => run("float8.ts", [], {}, { CUDA_DOUBLE_CAPABILITY: "80" }),
);
cudaTest("cuda: mixed precision trains as float32 does, and follows PyTorch's scaler", () => run("mixed.ts", []));

cudaTest(
  "cuda: wrong ordinals, mixed devices, full memory and bad indices are told, and the device works on",
  () => run("cases.ts", ["failures"], {}, { CUDA_DOUBLE_MEMORY: String(64 * 2 ** 20), CUDA_DOUBLE_DEVICES: "2" }),
);

cudaTest(
  "cuda: a kernel's fault is told at the next read, and the CPU works on",
  () => run("cases.ts", ["fault"], {}, { CUDA_DOUBLE_FAIL: "fault:2" }),
);

cudaTest(
  "cuda: without cuBLASLt and cuDNN our own kernels multiply and convolve",
  () => run("cases.ts", ["products", "convolutions", "training"], { without: ["libcublasLt.so.13", "libcudnn.so.9"] }),
);

cudaTest("cuda: decompositions by cuSOLVER are the CPU's up to signs", () => run("cases.ts", ["decompositions"]));

cudaTest(
  "cuda: without cuSOLVER a decomposition names the remedy",
  // Wheels beside a Python in PATH would be found.
  () => run("cases.ts", ["unsolved"], { without: ["libcusolver.so.12"] }, { PATH: "/usr/bin:/bin" }),
);

cudaTest("cuda: Fourier transforms by cuFFT are the CPU's, also in graphs", () => run("cases.ts", ["planned"]));

cudaTest(
  "cuda: without cuFFT, Fourier transforms are composed of products",
  () => run("cases.ts", ["fourier"], { without: ["libcufft.so.12"] }, { PATH: "/usr/bin:/bin" }),
);

cudaTest(
  "cuda: without a driver there is no device, and an error says so",
  () => run("cases.ts", ["absent"], { without: ["libcuda.so.1"] }),
);

cudaTest(
  "cuda: with launches that wait, everything is the same",
  () => run("cases.ts", ["orders"], {}, { CRESSET_CUDA_LAUNCH_BLOCKING: "1" }),
);
