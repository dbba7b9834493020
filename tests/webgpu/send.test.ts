/** State dicts between devices: at once where the values can be read, in one call where that is a promise. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertSame, GPU, gpuTest } from "./support.ts";

/** A model after two steps. */
function trained(device: string) {
  torch.manualSeed(3);
  const model = new torch.nn.Linear(3, 2, { device });
  const optimizer = new torch.optim.Adam([{ params: [model.weight] }, { params: [model.bias!], lr: 0.1 }]);
  for (let i = 0; i < 2; i++) {
    optimizer.zeroGrad();
    model.call(torch.ones([4, 3], { device })).square().sum().backward();
    optimizer.step();
  }
  return { model, optimizer };
}

gpuTest("a state dict goes to the GPU at once, and from it with one await", async () => {
  const here = trained("cpu"), there = trained(GPU);
  for (const part of ["model", "optimizer"] as const) {
    assertThrows(
      () => here[part].loadStateDict(there[part].stateDict() as never),
      Error,
      'await torch.utils.sendToDevice(state, "cpu")',
    );
  }
  // What was refused changed nothing, and what is sent continues as the original does.
  const saved = await torch.utils.sendToDevice(
    { model: there.model.stateDict(), optimizer: there.optimizer.stateDict() },
    "cpu",
  );
  here.model.loadStateDict(saved.model);
  here.optimizer.loadStateDict(saved.optimizer);
  const again = trained(GPU);
  again.model.loadStateDict(here.model.stateDict());
  again.optimizer.loadStateDict(here.optimizer.stateDict());
  for (const { model, optimizer } of [here, there, again]) {
    optimizer.zeroGrad();
    model.call(torch.ones([4, 3], { device: model.weight.device })).square().sum().backward();
    optimizer.step();
  }
  for (const other of [there, again]) {
    await assertSame(other.model.weight.detach(), here.model.weight.detach(), "weight", 1e-5);
  }
});

gpuTest("sendToDevice() keeps what is there, what is shared, and what is no tensor", async () => {
  const x = torch.ones([2], { device: GPU }), y = torch.zeros([2]), when = new Date();
  const batch = { both: [x, x], map: new Map<string, unknown>([["y", y], ["name", "a"]]), when, none: null, n: 3 };
  const sent = await torch.utils.sendToDevice(batch, { device: "cpu" });
  assertEquals(sent.both[0] === sent.both[1], true);
  assertEquals(sent.both[0].device.type, "cpu");
  assertEquals([sent.map.get("y"), sent.map.get("name"), sent.when, sent.none, sent.n], [y, "a", when, null, 3]);
  assertEquals((await torch.utils.sendToDevice(y, GPU)).device.type, GPU);
});
