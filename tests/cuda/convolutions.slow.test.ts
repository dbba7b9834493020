/** Convolutions on CUDA over the test double, each group of `convolution_cases.ts` in a process of its own. */

import { cudaTest } from "../support/cuda_double/build.ts";
import { agreesOverDouble } from "../support/cuda_double/run.ts";

async function run(
  group: string,
  without: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<void> {
  const log = await Deno.makeTempFile({ prefix: "cresset_conv_" });
  try {
    const settings = { CUDA_DOUBLE_DNN_LOG: log, ...environment };
    await agreesOverDouble(new URL("./convolution_cases.ts", import.meta.url), [group], { without }, settings);
  } finally {
    await Deno.remove(log);
  }
}

cudaTest("cuda: convolutions in both memory formats as on the CPU", () => run("values"));
cudaTest("cuda: which of cuDNN's engines computes a convolution, and what stands in for them", () => run("ways"));
cudaTest("cuda: cudnn.benchmark measures plans once", () => run("benchmark"));
cudaTest("cuda: convolutions in graphs", () => run("graphs"));
cudaTest("cuda: channels-last training holds memory flat", () => run("memory"));
cudaTest("cuda: a residual network trains channels last in mixed precision", () => run("resnet"));
cudaTest(
  "cuda: a convolution whose plan does not fit into memory",
  () => run("full", [], { CUDA_DOUBLE_MEMORY: String(64 * 2 ** 20) }),
);
cudaTest("cuda: poolings in both memory formats as on the CPU", () => run("pools"));
cudaTest("cuda: results are laid out as PyTorch's", () => run("strides"));
cudaTest("cuda: our own kernel convolves in both memory formats", () => run("values", ["libcudnn.so.9"]));
