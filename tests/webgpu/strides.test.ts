/** Memory layouts on the GPU: strides as PyTorch's, values as on the CPU. */

import { checkStrides, STRIDE_CASES } from "../ops/stride_cases.ts";
import { GPU, gpuTest } from "./support.ts";

gpuTest("strides and values agree in every layout", async (t) => {
  // The device has no float64.
  for (const name of STRIDE_CASES.filter((name) => name !== "double")) {
    await t.step(name, () => checkStrides(name, GPU, 1e-4));
  }
});
