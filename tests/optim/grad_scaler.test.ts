/** `GradScaler`: PyTorch's traces through gradients that are not finite, its stages and its errors. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertScalerTraces } from "../support/scaler_traces.ts";

const { GradScaler } = torch.amp;

/** A parameter with an optimizer and the scaled gradient `grad`. */
function setup(grad: number, dtype: torch.DType = torch.float32) {
  const p = torch.ones(2, { dtype, requiresGrad: true });
  const optimizer = new torch.optim.SGD([p], { lr: 1 });
  const scaler = new GradScaler("cpu", { initScale: 4 });
  scaler.scale(p.mul(grad).sum()).backward();
  return { p, optimizer, scaler };
}

Deno.test("GradScaler: every optimizer goes PyTorch's way through infinite gradients", async () => {
  await assertScalerTraces("cpu", false);
  await assertScalerTraces("cpu", true);
});

Deno.test("GradScaler: unscale_ divides once, step skips, stages are kept", async () => {
  const { p, optimizer, scaler } = setup(3);
  assertEquals(await p.grad!.tolist(), [12, 12]);
  scaler.unscale_(optimizer);
  assertEquals(await p.grad!.tolist(), [3, 3]);
  assertThrows(() => scaler.unscale_(optimizer), torch.AutogradError, "was called on this optimizer already");
  scaler.step(optimizer);
  assertEquals(await p.tolist(), [-2, -2]);
  assertThrows(() => scaler.step(optimizer), torch.AutogradError, "already");
  assertThrows(() => scaler.unscale_(optimizer), torch.AutogradError, "after step()");
  scaler.update();
  assertThrows(() => scaler.update(), torch.AutogradError, "call step() before it");
  optimizer.zeroGrad();
  assertThrows(() => scaler.step(optimizer), torch.AutogradError, "no gradients were found");
  assertEquals(await scaler.getScale(), 4);
});

Deno.test("GradScaler: the step of an optimizer is not called where a gradient is not finite", async () => {
  const { p, optimizer, scaler } = setup(Infinity);
  let calls = 0;
  optimizer.registerStepPreHook(() => {
    calls++;
  });
  scaler.step(optimizer);
  assertEquals([calls, await p.tolist()], [0, [1, 1]]);
  scaler.update();
  assertEquals(await scaler.getScale(), 2);
});

Deno.test("GradScaler: one bad optimizer shrinks the scale, the good one steps; clipping sees real gradients", async () => {
  const a = torch.ones(1, { requiresGrad: true }), b = torch.ones(1, { requiresGrad: true });
  const [first, second] = [a, b].map((p) => new torch.optim.SGD([p], { lr: 1 }));
  const scaler = new GradScaler({ initScale: 8 });
  const [l1, l2] = scaler.scale([a.mul(10).sum(), [b.mul(NaN).sum()]] as const) as [torch.Tensor, [torch.Tensor]];
  l1.backward();
  l2[0].backward();
  scaler.unscale_(first);
  torch.nn.utils.clipGradNorm_([a], 0.5);
  scaler.step(first);
  scaler.step(second);
  scaler.update();
  assert(Math.abs(Number(await a.item()) - 0.5) < 1e-5);
  assertEquals([await b.item(), await scaler.getScale()], [1, 4]);
});

Deno.test("GradScaler: state goes both ways, setters and new scales count, disabled it only steps", async () => {
  const { optimizer, scaler } = setup(1);
  scaler.step(optimizer);
  scaler.update();
  const state = await scaler.stateDict();
  assertEquals(state, { scale: 4, growth_factor: 2, backoff_factor: 0.5, growth_interval: 2000, _growth_tracker: 1 });
  const other = new GradScaler();
  assertEquals(await other.getScale(), 65536);
  other.loadStateDict({ ...state, growth_interval: 2 });
  assertEquals([await other.getScale(), other.getGrowthInterval()], [4, 2]);
  const p = torch.ones(1, { requiresGrad: true });
  const sgd = new torch.optim.SGD([p], { lr: 0 });
  other.scale(p.sum()).backward();
  other.step(sgd);
  other.update();
  assertEquals((await other.stateDict()).scale, 8, "the loaded tracker counts");
  other.update(3);
  assertEquals(await other.getScale(), 3);
  other.update(torch.tensor([5]));
  assertEquals(await other.getScale(), 5);
  scaler.loadStateDict(state);
  other.setGrowthFactor(3);
  other.setBackoffFactor(0.1);
  other.setGrowthInterval(7);
  assertEquals([other.getGrowthFactor(), other.getBackoffFactor(), other.getGrowthInterval()], [3, 0.1, 7]);
  const off = new GradScaler({ enabled: false });
  const loss = p.sum();
  assert(off.scale(loss) === loss && !off.isEnabled());
  off.unscale_(sgd);
  off.update();
  off.step(sgd);
  assertEquals([await off.stateDict(), await off.getScale()], [{}, 1]);
  assertThrows(() => other.loadStateDict({}), torch.ArgumentError, "not enabled");
});

Deno.test("GradScaler: half gradients, closures, bad factors and missing scales are refused", () => {
  const { optimizer, scaler } = setup(1, torch.float16);
  assertThrows(() => scaler.unscale_(optimizer), torch.DTypeError, "float16");
  assertThrows(() => scaler.step(optimizer, () => 0), torch.ArgumentError, "closures");
  assertThrows(() => new GradScaler({ growthFactor: 1 }), torch.ArgumentError, "more than 1");
  assertThrows(() => new GradScaler({ backoffFactor: 1 }), torch.ArgumentError, "less than 1");
  assertThrows(() => new GradScaler().step(optimizer), torch.AutogradError, "scale(loss).backward()");
  assertThrows(() => scaler.scale([3] as never), torch.ArgumentError, "Tensor");
  assertThrows(() => scaler.update(torch.ones(2)), torch.ArgumentError, "one element");
});

Deno.test("GradScaler: gradients in bfloat16, float64 and complex are divided too", async () => {
  for (const dtype of [torch.bfloat16, torch.float64, torch.complex64]) {
    const p = torch.ones(2, { dtype, requiresGrad: true });
    const optimizer = new torch.optim.SGD([p], { lr: 1 });
    const scaler = new GradScaler({ initScale: 8 });
    const loss = dtype.isComplex ? p.real.sum() : p.sum();
    scaler.scale(loss).backward();
    scaler.step(optimizer);
    scaler.update();
    assertEquals(await (dtype.isComplex ? p.real : p).tolist(), [0, 0]);
  }
});

Deno.test("GradScaler: memory is flat", () => {
  const p = torch.ones(8, { requiresGrad: true });
  const optimizer = new torch.optim.AdamW([p]);
  const scaler = new GradScaler({ growthInterval: 3 });
  const step = () =>
    torch.scope(() => {
      optimizer.zeroGrad();
      scaler.scale(p.mul(2).sum()).backward();
      scaler.unscale_(optimizer);
      scaler.step(optimizer);
      scaler.update();
    });
  step();
  const before = torch.memoryStats("cpu").liveBlocks;
  for (let i = 0; i < 30; i++) step();
  assertEquals(torch.memoryStats("cpu").liveBlocks, before);
});
