/** Rates and step counts on the device, on the CPU and on WebGPU: the same path as with numbers of the host. */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { gpuTest } from "../webgpu/support.ts";
import { assertNear, OPTIMIZERS, pathOf, valuesOf } from "./on_device.ts";

for (const name of Object.keys(OPTIMIZERS)) {
  Deno.test(`${name}: a rate that is a tensor, and capturable, change nothing on the CPU`, async () => {
    const expected = await pathOf(name, "cpu");
    for (const variant of [{ capturable: true }, { lr: torch.tensor(0.1) }]) {
      (await pathOf(name, "cpu", variant)).forEach((values, step) =>
        assertNear(values, expected[step], 1e-6, `${Object.keys(variant)}, step ${step}`)
      );
    }
  });
  gpuTest(`webgpu: ${name} with rate and step count on the device`, async () => {
    const expected = await pathOf(name, "cpu");
    for (const variant of [{}, { capturable: true }, { lr: torch.tensor(0.1, { device: "webgpu" }) }]) {
      (await pathOf(name, "webgpu", variant)).forEach((values, step) =>
        assertNear(values, expected[step], 2e-5, `${Object.keys(variant)}, step ${step}`)
      );
    }
  });
}

gpuTest("webgpu: a schedule writes a rate that is a tensor, and state dicts go both ways", async () => {
  const paths: number[][] = [];
  for (const device of ["cpu", "webgpu"]) {
    const p = torch.ones(3, { device }).requiresGrad_();
    const make = () => new torch.optim.AdamW([p], { lr: torch.tensor(0.1, { device }), capturable: true });
    let optimizer = make();
    const schedule = new torch.optim.lrScheduler.StepLR(optimizer, 1, 0.5);
    const step = () => {
      optimizer.zeroGrad();
      p.mul(p).sum().backward();
      optimizer.step();
    };
    for (let i = 0; i < 3; i++) {
      step();
      schedule.step();
    }
    assertNear(schedule.getLastLr(), [0.0125], 1e-6, "the rate");
    const saved = optimizer.stateDict();
    optimizer = make();
    optimizer.loadStateDict(saved);
    step();
    const { step: count } = optimizer.stateDict().state[0] as { step: torch.Tensor };
    assertEquals(await count.item(), 4);
    paths.push(await valuesOf([p]));
  }
  assertNear(paths[1], paths[0], 1e-5, "parameters");
});
