/**
 * A long training loop without annotations: memory in use and RSS stay flat with an `await` now and then; without any, only
 * what the loop itself makes at top level is waiting for the collector.
 */

import { assert } from "@std/assert";
import { availableKernels, type Kernels, runScript } from "../support/kernels.ts";

interface Sample {
  step: number;
  allocatedBytes: number;
  liveBlocks: number;
  rss: number;
}

const LOOP = new URL("./loop.ts", import.meta.url);
const MIB = 2 ** 20;

/** Runs the loop and parses its samples. */
async function loop(steps: number, awaitEvery: number, kernels: Kernels): Promise<Sample[]> {
  const { code, stdout, stderr } = await runScript(LOOP, [String(steps), String(awaitEvery)], kernels);
  assert(code === 0, `${kernels}: ${stderr}`);
  const { loss, samples } = JSON.parse(stdout);
  assert(Number.isFinite(loss), `${kernels}: the loss is ${loss}`);
  return samples;
}

const peak = (samples: Sample[], key: keyof Sample) => Math.max(...samples.map((s) => s[key]));

for (const kernels of await availableKernels()) {
  Deno.test(`20,000 steps with one await every 100 hold memory flat (${kernels})`, async () => {
    const samples = (await loop(20_000, 100, kernels)).slice(1);
    // Between collections the results of some steps wait: the sawtooth's peak is what must not grow.
    const [early, late] = [samples.slice(0, 100), samples.slice(-100)];
    const bytes = [peak(early, "allocatedBytes"), peak(late, "allocatedBytes")];
    assert(bytes[1] <= bytes[0] * 1.1 + MIB, `${kernels}: bytes in use grew from ${bytes[0]} to ${bytes[1]}`);
    const rss = [peak(early, "rss"), peak(late, "rss")];
    assert(rss[1] <= rss[0] + 24 * MIB, `${kernels}: RSS grew from ${rss[0]} to ${rss[1]}`);
  });

  Deno.test(`a loop that never yields keeps only what it makes at top level (${kernels})`, async () => {
    const steps = 2000;
    const samples = await loop(steps, 0, kernels);
    const [start, end] = [samples[0], samples.at(-1)!];
    // At top level each step makes the network's output and the loss.
    const blocks = (end.liveBlocks - start.liveBlocks) / steps;
    assert(blocks <= 2, `${kernels}: ${blocks} blocks a step stay`);
    const outputBytes = 4 * 10 * 4 + 4;
    const perStep = (end.allocatedBytes - start.allocatedBytes) / steps;
    const rounding = 2 * 512; // An allocator may round each block up.
    assert(perStep <= outputBytes + rounding, `${kernels}: ${perStep} bytes a step stay`);
  });
}
