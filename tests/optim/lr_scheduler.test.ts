/**
 * Schedules: state dicts, resuming, jumps and errors. Their values are held to PyTorch's by the conformance suite.
 *
 * @module
 */

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn, optim } = torch;
const { lrScheduler } = optim;

function sgd(): torch.optim.Optimizer {
  return new optim.SGD([new nn.Parameter(torch.ones(1))], 1, { momentum: 0.9 });
}

function rates(scheduler: { step(): void; optimizer: torch.optim.Optimizer }, steps: number): number[] {
  return Array.from({ length: steps }, () => {
    scheduler.optimizer.step();
    scheduler.step();
    return scheduler.optimizer.paramGroups[0].lr as number;
  });
}

Deno.test("a schedule resumes from its state dict and its optimizer's", () => {
  const makers: ((o: torch.optim.Optimizer) => torch.optim.lrScheduler.LRScheduler)[] = [
    (o) => new lrScheduler.StepLR(o, 2, 0.5),
    (o) => new lrScheduler.CosineAnnealingLR(o, 10),
    (o) => new lrScheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    (o) => new lrScheduler.OneCycleLR(o, { maxLr: 2, totalSteps: 12 }),
    (o) => new lrScheduler.CyclicLR(o, 0.1, 1, { stepSizeUp: 3 }),
    (o) => new lrScheduler.LambdaLR(o, (epoch) => 0.9 ** epoch),
    (o) =>
      new lrScheduler.SequentialLR(o, [
        new lrScheduler.LinearLR(o, 0.1, { totalIters: 3 }),
        new lrScheduler.ExponentialLR(o, 0.8),
      ], [3]),
    (o) =>
      new lrScheduler.ChainedScheduler([
        new lrScheduler.ConstantLR(o, 0.1, 2),
        new lrScheduler.ExponentialLR(o, 0.9),
      ]),
  ];
  for (const make of makers) {
    const first = sgd();
    const scheduler = make(first);
    rates(scheduler, 4);
    const second = sgd();
    const resumed = make(second);
    second.loadStateDict(first.stateDict());
    resumed.loadStateDict(structuredClone(scheduler.stateDict()));
    assertEquals(rates(resumed, 5), rates(scheduler, 5), scheduler.constructor.name);
    assertEquals(resumed.getLastLr(), scheduler.getLastLr());
  }
});

Deno.test("LRScheduler.stateDict() has PyTorch's keys", () => {
  const state = new lrScheduler.StepLR(sgd(), 2).stateDict();
  for (const key of ["step_size", "gamma", "base_lrs", "last_epoch", "_step_count", "_last_lr"]) {
    assertEquals(key in state, true, key);
  }
});

Deno.test("LRScheduler.step(epoch) jumps by the closed form", () => {
  const scheduler = new lrScheduler.ExponentialLR(sgd(), 0.5);
  scheduler.optimizer.step();
  scheduler.step(3);
  assertAlmostEquals(scheduler.getLastLr()[0], 0.125);
});

Deno.test("an own schedule is a subclass with getLr()", () => {
  class Halving extends lrScheduler.LRScheduler {
    constructor(optimizer: torch.optim.Optimizer) {
      super(optimizer);
      this._initialStep();
    }
    override getLr(): number[] {
      return this.baseLrs.map((lr) => lr / 2 ** this.lastEpoch);
    }
  }
  assertEquals(rates(new Halving(sgd()), 3), [0.5, 0.25, 0.125]);
});

Deno.test("ReduceLROnPlateau reduces after patience, and takes a tensor", () => {
  const optimizer = sgd();
  const scheduler = new lrScheduler.ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.1 });
  for (const loss of [1, 1, 1]) scheduler.step(torch.tensor(loss));
  assertAlmostEquals(optimizer.paramGroups[0].lr as number, 0.1);
  assertThrows(() => scheduler.step(), torch.ArgumentError, "missing argument");
});

Deno.test("schedules reject options out of range", () => {
  const o = sgd();
  assertThrows(() => new lrScheduler.StepLR({} as torch.optim.Optimizer, 2), torch.ArgumentError, "Optimizer");
  assertThrows(() => new lrScheduler.LinearLR(o, 0), torch.ArgumentError, "startFactor");
  assertThrows(() => new lrScheduler.OneCycleLR(o, 1), torch.ArgumentError, "totalSteps");
  assertThrows(() => new lrScheduler.LambdaLR(o, [() => 1, () => 1]), torch.ArgumentError, "one lrLambda per");
  assertThrows(() => new lrScheduler.SequentialLR(o, [], []), torch.ArgumentError, "at least one");
  assertThrows(() => new lrScheduler.StepLR(sgd(), 2, 0.1, 5), torch.ArgumentError, "initialLr");
});
