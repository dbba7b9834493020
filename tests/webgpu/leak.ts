/**
 * The program whose memory `leak.test.ts` watches: a small network trained by AdamW on the GPU, without an annotation, in a
 * process of its own so that its memory is its own. Prints one JSON line: samples of host and GPU memory, and what is left
 * on the GPU when all was disposed of. It must end by itself.
 *
 * `deno run -A tests/webgpu/leak.ts STEPS` (the long run: 10000).
 *
 * @module
 */

import * as torch from "../../mod.ts";

const { nn, optim } = torch;

/** What one pause in the loop saw. */
export interface LeakSample {
  step: number;
  rss: number;
  heap: number;
  allocatedBytes: number;
  reservedBytes: number;
  liveBlocks: number;
}

/** What the program prints. */
export interface LeakReport {
  samples: LeakSample[];
  losses: number[];
  msPerStep: number;
  /** Live blocks before the first tensor and after the last. */
  before: number;
  after: number;
}

async function main(steps: number): Promise<void> {
  const device = await torch.openDevice("webgpu");
  const before = torch.memoryStats(device).liveBlocks;
  const report: LeakReport = { samples: [], losses: [], msPerStep: 0, before, after: 0 };
  torch.manualSeed(0);
  const model = new nn.Sequential(new nn.Linear(16, 32), new nn.ReLU(), new nn.Dropout(0.1), new nn.Linear(32, 4)).to(
    device,
  );
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
  const x = torch.randn(32, 16).to(device), y = torch.randint(0, 4, [32]).to(device);
  const mean = new torch.utils.metrics.Mean();
  const start = performance.now();
  for (let step = 1; step <= steps; step++) {
    optimizer.zeroGrad();
    const loss = nn.functional.crossEntropy(model.call(x), y);
    loss.backward();
    optimizer.step();
    mean.update(loss);
    if (step % (steps / 20) !== 0) continue;
    report.losses.push(await mean.compute());
    mean.reset();
    const { rss, heapUsed } = Deno.memoryUsage();
    const { allocatedBytes, reservedBytes, liveBlocks } = torch.memoryStats(device);
    report.samples.push({ step, rss, heap: heapUsed, allocatedBytes, reservedBytes, liveBlocks });
  }
  report.msPerStep = (performance.now() - start) / steps;
  for (const state of optimizer.state.values()) {
    for (const value of Object.values(state)) if (value instanceof torch.Tensor) value.dispose();
  }
  for (const p of model.parameters()) {
    p.grad?.dispose();
    p.dispose();
  }
  x.dispose();
  y.dispose();
  // Losses of the last steps go with the collector.
  const { gc } = globalThis as { gc?: () => void };
  for (let i = 0; i < 4 && gc; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  report.after = torch.memoryStats(device).liveBlocks;
  console.log(JSON.stringify(report));
}

await main(Number(Deno.args[0] ?? 10000));
