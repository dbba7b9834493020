/**
 * Averages of weights, held to what PyTorch's formulas give.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;
const { AveragedModel, getEmaAvgFn, getEmaMultiAvgFn, updateBn } = torch.optim.swaUtils;

class Net extends nn.Module {
  fc = new nn.Linear(1, 1, { bias: false });
  bn = new nn.BatchNorm1d(1);

  forward(x: torch.Tensor): torch.Tensor {
    return this.bn.call(this.fc.call(x));
  }
}

function set(net: Net, value: number): void {
  nn.init.constant_(net.fc.weight, value);
  net.bn.running_mean!.fill_(value);
}

Deno.test("AveragedModel: the mean of all updates, or an exponential one; buffers are copied unless asked for", async () => {
  const net = new Net();
  const models = {
    mean: new AveragedModel(net),
    one: new AveragedModel(net, { avgFn: getEmaAvgFn(0.5) }),
    many: new AveragedModel(net, { multiAvgFn: getEmaMultiAvgFn(0.5), useBuffers: true }),
  };
  for (const value of [2, 4, 12]) {
    set(net, value);
    for (const model of Object.values(models)) model.updateParameters(net);
  }
  assertEquals(await models.mean.module.fc.weight.tolist(), [[6]]);
  assertEquals(await models.one.module.fc.weight.tolist(), [[7.5]]);
  assertEquals(await models.many.module.fc.weight.tolist(), [[7.5]]);
  assertEquals(await models.mean.module.bn.running_mean!.tolist(), [12]);
  assertEquals(await models.many.module.bn.running_mean!.tolist(), [7.5]);
  assertEquals(await models.mean.n_averaged.item(), 3);
  assertEquals(await net.fc.weight.tolist(), [[12]]);
  assertEquals(Object.keys(models.mean.stateDict()).filter((key) => !key.includes("bn")), [
    "n_averaged",
    "module.fc.weight",
  ]);
  assertEquals(models.mean.call(torch.ones(3, 1)).shape, [3, 1]);
});

Deno.test("AveragedModel goes on from a loaded state, whether that was updated or not", async () => {
  const net = new Net();
  const first = new AveragedModel(net);
  const fresh = new AveragedModel(new Net());
  fresh.loadStateDict(first.stateDict());
  set(net, 3);
  first.updateParameters(net);
  fresh.updateParameters(net);
  assertEquals(await fresh.module.fc.weight.tolist(), [[3]]);
  const later = new AveragedModel(new Net());
  later.loadStateDict(first.stateDict());
  set(net, 5);
  later.updateParameters(net);
  assertEquals(await later.module.fc.weight.tolist(), [[4]]);
  assertEquals(await later.n_averaged.item(), 2);
});

Deno.test("updateBn computes running statistics from all batches and restores momentum and mode", async () => {
  const net = new Net();
  set(net, 1);
  net.eval();
  const batches = [[torch.tensor([[1], [3]])], [torch.tensor([[5], [7]])]];
  await updateBn(batches, net);
  assertAlmostEquals((await net.bn.running_mean!.tolist() as number[])[0], 4, 1e-6);
  assert(!net.training && !net.bn.training);
  assertEquals(net.bn.momentum, 0.1);
});

Deno.test("AveragedModel refuses two averages, another model, and decays outside [0, 1]", () => {
  const net = new Net();
  assertThrows(
    () => new AveragedModel(net, { avgFn: getEmaAvgFn(), multiAvgFn: getEmaMultiAvgFn() }),
    torch.ArgumentError,
    "AveragedModel(): give only one of avgFn and multiAvgFn",
  );
  assertThrows(
    () => new AveragedModel(net).updateParameters(new nn.Linear(1, 1, { bias: false })),
    torch.ArgumentError,
    "updateParameters(): the model must be like the one averaged: 1 tensors for 3",
  );
  assertThrows(() => getEmaAvgFn(1.5), torch.ArgumentError, "getEmaAvgFn(): the decay must be in [0, 1]: 1.5");
});
