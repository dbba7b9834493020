/** Normalisations, reductions and scans on CUDA over the test double, each group of `norm_cases.ts` in a process of its own. */

import { assert } from "@std/assert";
import { buildCudaDouble, cudaTest } from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";

async function run(group: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cresset_norm_" });
  try {
    await buildCudaDouble(folder, {});
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("norm_cases.ts", import.meta.url).pathname, group],
      env: await doubleEnvironment(folder),
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(code === 0 && text.trim().endsWith("agrees"), text + new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

cudaTest("cuda: reductions along and across memory as on the CPU", () => run("reductions"));
cudaTest("cuda: softmax of rows of all lengths as on the CPU", () => run("softmaxes"));
cudaTest("cuda: scans of lines of all lengths as on the CPU", () => run("scans"));
cudaTest("cuda: norms of single and double precision as on the CPU, with gradients of both orders", () => run("norms"));
cudaTest("cuda: norms of half precision as on the CPU", () => run("halves"));
