/**
 * Fused linear layers over the test double: cuBLASLt's epilogues, and our own kernel's where the library is missing.
 */

import { cudaTest } from "../support/cuda_double/build.ts";
import { agreesOverDouble } from "../support/cuda_double/run.ts";

const CASES = new URL("./linear.ts", import.meta.url);

cudaTest("cuda: linear layers by cuBLASLt's epilogues", () => agreesOverDouble(CASES, ["library"]));

cudaTest(
  "cuda: linear layers with algorithms that were measured",
  () => agreesOverDouble(CASES, ["library"], {}, { CRESSET_CUDA_BENCHMARK: "1" }),
);

cudaTest(
  "cuda: linear layers without cuBLASLt, by our own kernel",
  () => agreesOverDouble(CASES, ["kernels"], { without: ["libcublasLt.so.13"] }),
);
