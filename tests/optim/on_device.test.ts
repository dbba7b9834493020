/** Rates and step counts on the device, on the CPU and on WebGPU: the same path as with numbers of the host. */

import * as torch from "../../mod.ts";
import { gpuTest } from "../webgpu/support.ts";
import { assertNear, OPTIMIZERS, pathOf } from "./on_device.ts";

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
