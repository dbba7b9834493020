/** Training on the GPU holds its memory flat. */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { gpuTest } from "./support.ts";

const { nn, optim } = torch;
const STEPS = 300;

gpuTest(`${STEPS} training steps hold GPU memory flat`, async () => {
  const device = torch.device("webgpu");
  torch.manualSeed(0);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 4, 3),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(36, 16),
    new nn.Dropout(0.2),
    new nn.Linear(16, 5),
  ).to(device);
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
  const x = torch.randn(8, 1, 8, 8).to(device), y = torch.randint(0, 5, [8]).to(device);
  const step = (): torch.Tensor => {
    optimizer.zeroGrad();
    using out = model.call(x);
    const loss = nn.functional.crossEntropy(out, y);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const losses: number[] = [];
  const figures: { allocatedBytes: number; reservedBytes: number; liveBlocks: number }[] = [];
  for (let i = 1; i <= STEPS; i++) {
    using loss = step();
    if (i % 100 !== 0) continue;
    losses.push(Number(await loss.item()));
    const { allocatedBytes, reservedBytes, liveBlocks } = torch.memoryStats(device);
    figures.push({ allocatedBytes, reservedBytes, liveBlocks });
  }
  assert(losses[2] < losses[0], `the loss does not fall: ${losses}`);
  assertEquals(figures[2], figures[1]);
});
