/** Normalisations, reductions and scans on CUDA over the test double, each group of `norm_cases.ts` in a process of its own. */

import { assert } from "@std/assert";
import { momentsSource } from "../../src/backend/cuda/kernels/moments.ts";
import { normBackwardSource, normForwardSource } from "../../src/backend/cuda/kernels/norm.ts";
import { softmaxSource } from "../../src/backend/cuda/kernels/rows.ts";
import { bfloat16, float32 } from "../../src/base/dtype.ts";
import { cudaReduceVector, printCudaReduce } from "../../src/expr/cuda_reduce.ts";
import { input } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { type CudaSource, inspectCuda } from "../support/nvrtc.ts";
import { cudaTest } from "../support/cuda_double/build.ts";
import { agreesOverDouble } from "../support/cuda_double/run.ts";

const run = (group: string, settings: Readonly<Record<string, string>> = {}) =>
  agreesOverDouble(new URL("./norm_cases.ts", import.meta.url), [group], {}, settings);

cudaTest("cuda: reductions along and across memory as on the CPU", () => run("reductions"));
cudaTest("cuda: softmax of rows of all lengths as on the CPU", () => run("softmaxes"));
cudaTest("cuda: scans of lines of all lengths as on the CPU", () => run("scans"));
cudaTest("cuda: norms of single and double precision as on the CPU, with gradients of both orders", () => run("norms"));
for (const capability of ["80", "86", "90"]) {
  cudaTest(`cuda: long rows with the shared memory of sm_${capability}`, () => {
    return run("wide", { CUDA_DOUBLE_CAPABILITY: capability });
  });
}
cudaTest("cuda: norms of half precision as on the CPU", () => run("halves"));

/** The kernels that aligned rows and columns get: of layer norm and softmax over 768 elements, and sums. */
function aligned(): CudaSource[] {
  return [float32, bfloat16].flatMap((dtype) => {
    const vector = 16 / dtype.itemsize;
    const row = {
      vector,
      items: 3,
      team: dtype === float32 ? 64 : 32,
      keep: "registers",
    } as const;
    const variant = { plan: { ...row, threads: 128 }, centred: true, byColumn: true };
    const backward = { ...variant, plan: { ...row, items: 2, team: 2 * row.team, threads: 256 } };
    const x = input(0, dtype).to("f32"), y = input(1, dtype).to("f32");
    const program = new Program([dtype, dtype], [], [x, x.mul(y)].map((expr) => ({ expr, dtype: float32 })));
    const readout = { vector: cudaReduceVector(program), index: "u32" } as const;
    return [
      { name: `norm ${dtype}`, code: normForwardSource(dtype, float32, variant) },
      { name: `norm backward ${dtype}`, code: normBackwardSource(dtype, float32, backward, true) },
      { name: `softmax ${dtype}`, code: softmaxSource(dtype, variant.plan) },
      { name: `moments ${dtype}`, code: momentsSource(dtype, vector) },
      { name: `sums ${dtype}`, code: printCudaReduce(program, "sum", "fold", readout, ["block", "warp", "columns"]) },
    ];
  });
}

for (const architecture of ["sm_80", "sm_90", "sm_100"]) {
  Deno.test(`cuda: aligned rows and columns are read 16 bytes at a time, without spills, on ${architecture}`, async () => {
    const kernels = await inspectCuda(aligned(), architecture);
    if (kernels === null) return;
    for (const { name, stack, spills, accesses } of kernels) {
      assert(stack + spills <= 16, `${name}: ${stack} bytes of stack, ${spills} spilled`);
      // What combines partial sums reads them one by one.
      if (/ finish$|^norm backward .* columns$/.test(name)) continue;
      const wide = accesses.filter((access) => /^ld.*\.v[24]\./.test(access));
      assert(wide.length > 0, `${name}: ${accesses.join(", ")}`);
    }
  });
}
