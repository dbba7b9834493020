/** The recorded PyTorch runs of the reference models, replayed on the GPU, each in a process of its own. */

import { assert } from "@std/assert";
import { runScript } from "../support/kernels.ts";
import { gpuTest } from "./support.ts";

const RUN = new URL("../models/run.ts", import.meta.url);

for (const name of ["mlp_classifier", "lenet5", "resnet_small"]) {
  gpuTest(`${name} reproduces PyTorch's losses and gradients on webgpu`, async () => {
    const { code, stdout, stderr } = await runScript(RUN, [name, "webgpu"], "wasm");
    assert(code === 0 && stdout.trim() === "agrees", stderr);
  });
}
