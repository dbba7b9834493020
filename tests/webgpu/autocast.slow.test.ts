/** Mixed precision on the GPU: dtypes by PyTorch's CUDA lists, training in both half dtypes, and steps that the GPU skips. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertMixedFlat, assertMixedFollows } from "../support/mixed.ts";
import { assertScalerTraces } from "../support/scaler_traces.ts";
import { GPU, gpuTest } from "./support.ts";

gpuTest("webgpu: autocast follows the CUDA lists, with float16 by default", () => {
  const x = torch.rand(4, 4, { device: GPU });
  torch.autocast(GPU, () => {
    const y = x.matmul(x);
    const results = [
      y,
      y.relu(),
      y.exp(),
      y.softmax(-1),
      y.sum(),
      y.mean(),
      y.add(x),
      torch.nn.functional.mseLoss(y, y),
    ];
    const [low, wide] = [torch.float16, torch.float32];
    assertEquals(results.map((r) => r.dtype), [low, low, wide, wide, wide, low, wide, wide]);
  });
  assertEquals(torch.getAutocastDtype(GPU), torch.float16);
});

gpuTest("webgpu: mixed precision leaves no memory behind", () => assertMixedFlat(GPU));

gpuTest("webgpu: mixed precision learns as float32 does", () => assertMixedFollows(GPU, 6));

gpuTest("webgpu: steps that the GPU skips leave parameters and states as PyTorch does", async () => {
  await assertScalerTraces(GPU, false);
  await assertScalerTraces(GPU, true, ["AdamW", "SGD momentum"]);
});

gpuTest("webgpu: a GradScaler does not trust an optimizer of the user's own, which may not look at foundInf", () => {
  class Plain extends torch.optim.Optimizer {
    constructor(params: Iterable<torch.Tensor>) {
      super(params, { lr: 1 });
    }
    protected override update(param: torch.Tensor, grad: torch.Tensor): void {
      param.sub_(grad);
    }
  }
  const p = torch.ones(2, { device: GPU }).requiresGrad_();
  const optimizer = new Plain([p]), scaler = new torch.amp.GradScaler(GPU);
  scaler.scale(p.sum()).backward();
  assertThrows(() => scaler.step(optimizer), torch.DeviceError, "Plain decides on the host");
});
