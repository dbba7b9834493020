/** Maps of transposed operands through tiles in workgroup memory, as hardware adapters run them, against the CPU. */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { float32 } from "../../src/base/dtype.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { tiledPointwise } from "../../src/backend/webgpu/kernels/transposed.ts";
import { type Expr, input, linearIndex, scalar } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { assertSame, GPU, gpuTest } from "./support.ts";

function numbers(shape: number[], dtype: torch.DType, seed = 1): Tensor {
  torch.manualSeed(seed);
  return torch.randn(shape).mul(3).to(dtype);
}

const CASES: readonly [string, number[][], (...xs: Tensor[]) => Tensor][] = [
  ["a matrix", [[45, 70]], (a) => a.t().contiguous()],
  ["an offset", [[50, 61]], (a) => a.narrow(0, 3, 41).narrow(1, 1, 53).t().contiguous()],
  ["NHWC", [[2, 17, 7, 5]], (a) => a.permute(0, 2, 3, 1).contiguous()],
  ["NCHW", [[2, 7, 5, 17]], (a) => a.permute(0, 3, 1, 2).contiguous()],
  ["batches inside", [[20, 3, 2, 18]], (a) => a.permute(3, 1, 2, 0).contiguous()],
  ["beside others", [[37, 52], [52, 37], [52]], (a, b, row) => torch.where(b.t().gt(a), row, b.t().add(a))],
  ["a batch", [[3, 37, 52], [52, 37]], (a, b) => a.add(b.t())],
  [
    "two orders",
    [[17, 18, 19], [18, 19, 17], [19, 18, 17]],
    (a, b, c) => torch.addcmul(a, b.permute(2, 0, 1), c.permute(2, 1, 0)),
  ],
];

gpuTest("transposed operands agree in every dtype", async () => {
  for (const dtype of [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8]) {
    for (const [what, shapes, f] of CASES) {
      const xs = shapes.map((shape, i) => numbers(shape, dtype, i + 1));
      await assertSame(f(...xs.map((x) => x.to(GPU))), f(...xs), `${what} of ${dtype}`, 1e-2);
    }
  }
  const mask = numbers([52, 37], torch.float32).gt(0);
  await assertSame(mask.to(GPU).t().contiguous(), mask.t().contiguous(), "bool");
});

gpuTest(
  "tiles are taken where they pay, count elements, and take as many operands as fit",
  async () => {
    const { gpu } = webGpuBackend(torch.device(GPU));
    const run = (program: Program, xs: Tensor[], scalars: number[]): Tensor | null => {
      const out = torch.zeros(xs[0].shape, { device: GPU }), all = [...xs, out];
      return tiledPointwise(gpu, program, out.shape, all.map((x) => x.strides), all, scalars) ? out : null;
    };
    const made = (inputs: number, expr: Expr) =>
      new Program(Array(inputs).fill(float32), ["f32"], [{ expr, dtype: float32 }]);
    const x = numbers([3, 45, 38], torch.float32), turned = x.to(GPU).transpose(1, 2);
    const counted = made(1, linearIndex().to("f32").mul(scalar(0, "f32")).add(input(0, float32)));
    const wanted = torch.arange(x.numel()).view(3, 38, 45).mul(0.5).add(x.transpose(1, 2));
    await assertSame(run(counted, [turned], [0.5])!, wanted, "indices", 1e-5);
    assertEquals(run(counted, [x.to(GPU)], [0.5]), null);
    assertEquals(
      run(counted, [x.to(GPU).permute(2, 0, 1).contiguous().permute(1, 2, 0).transpose(0, 1)], [0.5]),
      null,
    );
    const five = [0, 1, 2, 3, 4].map((i) => numbers([40, 35], torch.float32, i));
    const sum = five.map((_, i) => input(i, float32)).reduce((a, b) => a.add(b)).mul(scalar(0, "f32"));
    const out = run(made(5, sum), five.map((y) => y.to(GPU).t()), [2]);
    assert(out !== null);
    await assertSame(out!, five.reduce((a, b) => a.add(b)).mul(2).t(), "five", 1e-4);
  },
);
