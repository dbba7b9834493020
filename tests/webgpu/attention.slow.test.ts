/** Fused attention on the GPU, by the kernels for hardware whatever the adapter is, against its composed meaning. */

import * as torch from "../../mod.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import {
  ATTENTION_CASES,
  type AttentionCase,
  checkUncopied,
  compareAttention,
  compareSecondDerivatives,
  compareShapes,
  compareTraining,
} from "../support/attention.ts";
import { gpuTest } from "./support.ts";

gpuTest("attention and its gradients are the composed ones", async () => {
  for (const c of ATTENTION_CASES) await compareAttention("webgpu", c, torch.float32, 1e-5);
  await compareSecondDerivatives("webgpu");
  await compareShapes("webgpu");
});

gpuTest("attention of halves", async () => {
  for (const i of [1, 3, 6]) {
    await compareAttention("webgpu", ATTENTION_CASES[i], torch.float16, 3e-3);
    await compareAttention("webgpu", ATTENTION_CASES[i], torch.bfloat16, 2e-2);
  }
});

gpuTest("attention longer than the loops of one dispatch", async () => {
  const long: AttentionCase[] = [{ query: [1, 1, 1, 32], keys: 150_000 }, { query: [1, 1, 150_000, 32], keys: 2 }];
  for (const c of long) await compareAttention("webgpu", c, torch.float32, 1e-4);
});

gpuTest("transformers train as on the CPU, and attention copies nothing", async () => {
  checkUncopied("webgpu", webGpuBackend(torch.device("webgpu")));
  await compareTraining("webgpu");
});
