/**
 * The CUDA backend over the test double: every kernel family against the CPU, training, failures, missing libraries.
 *
 * Each group runs in a process of its own (`cases.ts`), since the driver's state belongs to the process.
 */

import { cudaTest } from "../support/cuda_double/build.ts";
import { agreesOverDouble } from "../support/cuda_double/run.ts";

const CASES = new URL("./cases.ts", import.meta.url), MODELS = new URL("../models/run.ts", import.meta.url);
const FLOAT8 = new URL("./float8.ts", import.meta.url),
  MIXED = new URL("./mixed.ts", import.meta.url),
  UNSIGNED = new URL("./unsigned.ts", import.meta.url);

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
  cudaTest(`cuda: ${group} as on the CPU`, () => agreesOverDouble(CASES, [group]));
}

for (const model of ["mlp_classifier", "lenet5", "resnet_small"]) {
  cudaTest(`cuda: ${model} reproduces PyTorch's losses`, () => agreesOverDouble(MODELS, [model, "cuda"]));
}

cudaTest("cuda: float8 is converted and multiplied as by PyTorch", () => agreesOverDouble(FLOAT8, []));
cudaTest("cuda: unsigned integers are as by PyTorch", () => agreesOverDouble(UNSIGNED, []));
cudaTest(
  "cuda: float8 products where there are no float8 tensor cores",
  () => agreesOverDouble(FLOAT8, [], {}, { CUDA_DOUBLE_CAPABILITY: "80" }),
);
cudaTest(
  "cuda: mixed precision trains as float32 does, and follows PyTorch's scaler",
  () => agreesOverDouble(MIXED, []),
);

cudaTest(
  "cuda: wrong ordinals, mixed devices, full memory and bad indices are told, and the device works on",
  () =>
    agreesOverDouble(CASES, ["failures"], {}, { CUDA_DOUBLE_MEMORY: String(64 * 2 ** 20), CUDA_DOUBLE_DEVICES: "2" }),
);

cudaTest(
  "cuda: a kernel's fault is told at the next read, and the CPU works on",
  () => agreesOverDouble(CASES, ["fault"], {}, { CUDA_DOUBLE_FAIL: "fault:2" }),
);

cudaTest(
  "cuda: without cuBLASLt and cuDNN our own kernels multiply and convolve",
  () =>
    agreesOverDouble(CASES, ["products", "convolutions", "training"], {
      without: ["libcublasLt.so.13", "libcudnn.so.9"],
    }),
);

cudaTest(
  "cuda: decompositions by cuSOLVER are the CPU's up to signs",
  () => agreesOverDouble(CASES, ["decompositions"]),
);

cudaTest(
  "cuda: without cuSOLVER a decomposition names the remedy",
  () => agreesOverDouble(CASES, ["unsolved"], { without: ["libcusolver.so.12"] }),
);

cudaTest("cuda: Fourier transforms by cuFFT are the CPU's, also in graphs", () => agreesOverDouble(CASES, ["planned"]));

cudaTest(
  "cuda: without cuFFT, Fourier transforms are composed of products",
  () => agreesOverDouble(CASES, ["fourier"], { without: ["libcufft.so.12"] }),
);

cudaTest(
  "cuda: without a driver there is no device, and an error says so",
  () => agreesOverDouble(CASES, ["absent"], { without: ["libcuda.so.1"] }),
);

cudaTest(
  "cuda: with launches that wait, everything is the same",
  () => agreesOverDouble(CASES, ["orders"], {}, { CRESSET_CUDA_LAUNCH_BLOCKING: "1" }),
);
