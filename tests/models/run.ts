/**
 * Replays one recorded PyTorch run: `deno run -A run.ts NAME [DEVICE]` trains the model for the recorded ten steps and
 * compares the losses, the first output and gradients, the final state and an output in eval mode; prints "agrees" or
 * throws.
 *
 * @module
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { assertAllclose } from "../support/assert.ts";
import { Fixture } from "./fixture.ts";
import { LeNet5, MLP, ResNetSmall } from "./models.ts";

const F = torch.nn.functional;

/** How one model is trained. */
interface Training {
  net: torch.nn.Module;
  loss: (out: Tensor, y: Tensor) => Tensor;
  optimizer: (parameters: Iterable<Tensor>) => torch.optim.Optimizer;
  scheduler?: (optimizer: torch.optim.Optimizer) => { step(): void };
}

/** Asserts that every tensor of `actual` equals the recorded group. */
async function assertGroup(
  actual: Map<string, Tensor>,
  fixture: Fixture,
  group: string,
): Promise<void> {
  for (const [key, expected] of Object.entries(fixture.group(group))) {
    const tensor = actual.get(key);
    if (!tensor) throw new Error(`${group}.${key} is missing`);
    await assertAllclose(tensor, expected, { ...fixture.tolerance(group), what: `${group}.${key}` });
  }
}

/** Trains for the recorded ten steps and compares all that was recorded. */
async function replay(name: string, training: Training): Promise<void> {
  const fixture = await Fixture.open(name);
  const { net, loss: criterion } = training;
  const run = net as unknown as { call(x: Tensor): Tensor };
  net.loadStateDict(fixture.group("state"));
  const optimizer = training.optimizer(net.parameters());
  const scheduler = training.scheduler?.(optimizer);
  for (const [k, expected] of fixture.entry.losses.entries()) {
    const { x, y } = fixture.batch(k);
    optimizer.zeroGrad();
    const out = run.call(x);
    const loss = criterion(out, y);
    loss.backward();
    if (k === 0) {
      await assertAllclose(out, fixture.tensor("out"), { ...fixture.tolerance("out"), what: "out" });
      await assertGroup(new Map([...net.namedParameters()].map(([key, p]) => [key, p.grad!])), fixture, "grad");
    }
    optimizer.step();
    scheduler?.step();
    const value = Number(await loss.item());
    const limit = 1e-4 * Math.max(1, Math.abs(expected));
    assert(Math.abs(value - expected) <= limit, `loss ${k}: ${value}, expected ${expected}`);
  }
  await assertGroup(new Map(Object.entries(net.stateDict())), fixture, "final");
  net.eval();
  const evaluated = torch.noGrad(() => run.call(fixture.batch(0).x));
  await assertAllclose(evaluated, fixture.tensor("eval_out"), { ...fixture.tolerance("eval_out"), what: "eval_out" });
}

/** The models, as PyTorch's own definitions train them. */
const TRAININGS: Record<string, () => Training> = {
  mlp_classifier: () => ({
    net: new MLP(),
    loss: (out, y) => F.crossEntropy(out, y),
    optimizer: (p) => new torch.optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true }),
  }),
  lenet5: () => ({
    net: new LeNet5(),
    loss: (out, y) => F.nllLoss(out, y),
    optimizer: (p) => new torch.optim.Adam(p, { lr: 1e-3 }),
  }),
  resnet_small: () => ({
    net: new ResNetSmall(),
    loss: (out, y) => F.crossEntropy(out, y),
    optimizer: (p) => new torch.optim.SGD(p, { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 }),
    scheduler: (optimizer) => new torch.optim.lrScheduler.CosineAnnealingLR(optimizer, { T_max: 10 }),
  }),
};

const [name, device] = Deno.args;
if (device !== undefined) torch.setDefaultDevice(await torch.openDevice(device));
await replay(name, TRAININGS[name]());
console.log("agrees");
