/**
 * The recorded PyTorch runs of the reference models, replayed on each kernel library of the CPU.
 */

import { assert } from "@std/assert";
import { availableKernels, runScript } from "../support/kernels.ts";

const RUN = new URL("./run.ts", import.meta.url);

for (const kernels of await availableKernels()) {
  for (const name of ["mlp_classifier", "lenet5", "resnet_small"]) {
    Deno.test(`${name} reproduces PyTorch's losses and gradients (${kernels})`, async () => {
      const { code, stdout, stderr } = await runScript(RUN, [name], kernels);
      assert(code === 0 && stdout.trim() === "agrees", stderr);
    });
  }
}
