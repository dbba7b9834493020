/** The same seed gives the same values on every device that this machine has. */

import { assertEquals, fail } from "@std/assert";
import * as torch from "../../mod.ts";
import { numbers } from "./support.ts";

const N = 2000;

/** What is drawn, and how far apart logarithms and cosines of two devices may be. */
const DRAWS: [string, (device: string) => torch.Tensor, number][] = [
  ["rand", (device) => torch.rand([N], { device }), 0],
  ["randint", (device) => torch.randint(-5, 1000, [N], { device }), 0],
  ["randperm", (device) => torch.randperm(N, { device }), 0],
  ["bernoulli", (device) => torch.bernoulli(torch.full([N], 0.3, { device })), 0],
  ["dropout", (device) => torch.dropout(torch.ones([N], { device }), 0.3), 1e-6],
  ["randn", (device) => torch.randn([N], { device }), 1e-5],
  ["exponential_", (device) => torch.zeros([N], { device }).exponential_(), 1e-5],
];

async function openWebgpu(): Promise<boolean> {
  try {
    await torch.openDevice("webgpu");
    return true;
  } catch (error) {
    if (!(error instanceof torch.DeviceError)) throw error;
    console.log(`webgpu is not tested here: ${error.message}`);
    return false;
  }
}

Deno.test("random values: the CPU and WebGPU draw the same", async (t) => {
  if (!await openWebgpu()) return;
  for (const [name, draw, tolerance] of DRAWS) {
    await t.step(name, async () => {
      torch.manualSeed(2n ** 40n + 17n);
      const here = await numbers(draw("cpu"));
      torch.manualSeed(2n ** 40n + 17n);
      const there = await numbers(draw("webgpu"));
      if (tolerance === 0) assertEquals(there, here);
      else {
        there.forEach((v, i) => {
          if (!(Math.abs(v - here[i]) <= tolerance * (1 + Math.abs(here[i])))) {
            fail(`[${i}]: ${v}, on the CPU ${here[i]}`);
          }
        });
      }
    });
  }
});
