/**
 * How optimizers and schedules are called: by position, by name, with misspelt names, in groups too; and that groups are typed.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { optim } = torch;
const { lrScheduler, swaUtils } = optim;

function weight(): torch.Tensor {
  return torch.ones(2).requiresGrad_();
}

/** Lets a test say what the compiler refuses. */
type Untyped = (...args: unknown[]) => unknown;
type UntypedClass = new (...args: unknown[]) => unknown;

function refused(call: () => unknown, ...parts: string[]): void {
  const error = assertThrows(call, torch.ArgumentError);
  for (const part of parts) assert(error.message.includes(part), `${error.message} lacks ${part}`);
}

const NAMES = [
  ...["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Rprop", "ASGD", "LBFGS"],
  "Adafactor",
] as const;

Deno.test("every optimizer takes its parameters by name, and refuses misspelt and surplus arguments, in groups too", () => {
  for (const name of NAMES) {
    const Optimizer = optim[name] as unknown as UntypedClass;
    const made = new Optimizer({ params: [weight()], lr: 0.25 }) as torch.optim.Optimizer;
    assertEquals(made.paramGroups[0].lr, 0.25);
    refused(() => new Optimizer({ lr: 1 }), `${name}(): missing argument: "params"`);
    refused(() => new Optimizer([weight()], { learningRate: 1 }), `${name}():`, 'did you mean "lr"?');
    refused(() => new Optimizer([weight()], ...Array(12).fill(1)), `${name}(): too many arguments`);
    refused(
      () => new Optimizer([{ params: [weight()], learningRate: 1 }]),
      `${name}(): unknown argument in a parameter group: "learningRate"; did you mean "lr"?`,
    );
    const given = new Optimizer([{ params: [weight()], lr: undefined, name: "head" }]) as typeof made;
    assertEquals([given.paramGroups[0].lr, given.paramGroups[0].name], [given.defaults.lr, "head"]);
  }
});

Deno.test("addParamGroup refuses names that the optimizer does not have, also in PyTorch's spelling", () => {
  const optimizer = new optim.AdamW([weight()]);
  const add = optimizer.addParamGroup.bind(optimizer) as Untyped;
  refused(() => add({ params: [weight()], weight_decay: 1 }), 'did you mean "weightDecay"?');
  refused(() => add({ params: [weight()], momentum: 1 }), "expected one of", "betas");
  refused(() => add({ params: [weight()] }, 1), "too many arguments");
  refused(() => new (optim.AdamW as UntypedClass)([weight()], { decoupledWeightDecay: false }), "unknown argument");
  add({ params: [weight()], weightDecay: 0.5, foreach: false, initialLr: 0.1 });
  const { params: _params, ...options } = optimizer.paramGroups[1];
  assertEquals(options, {
    ...{ lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.5, amsgrad: false, maximize: false },
    ...{ decoupledWeightDecay: true, initialLr: 0.1 },
  });
  refused(() => new optim.Adam([weight()], { differentiable: true }), "differentiable is not supported");
});

Deno.test("groups are typed by the optimizer", () => {
  const optimizer = new optim.Adam([{ params: weight(), betas: [0.5, 0.9], decoupledWeightDecay: true }]);
  const [group] = optimizer.paramGroups;
  const betas: readonly [number, number] = group.betas;
  group.eps = 1e-4;
  group.weightDecay += 0.25;
  assertEquals([betas[0], group.weightDecay], [0.5, 0.25]);
  // @ts-expect-error Adam has no momentum
  assertEquals(group.momentum, undefined);
  // @ts-expect-error the name is misspelt
  refused(() => optimizer.addParamGroup({ params: weight(), learningRate: 1 }), "lr");
  // @ts-expect-error betas are two numbers
  const wrong = new optim.Adam([{ params: weight(), betas: 0.5 }]);
  assertEquals(wrong.paramGroups.length, 1);
  const general: torch.optim.Optimizer = optimizer;
  assertEquals(general.paramGroups[0].eps, 1e-4);
});

Deno.test("an own optimizer names its options once, and its groups are typed and checked by them", async () => {
  type Options = { lr: number; power: number };
  class Powered extends optim.Optimizer<Options> {
    constructor(params: torch.optim.ParamsInput<Options>, { lr = 1, power = 1 } = {}) {
      super(params, { lr, power });
    }
    protected override update(
      param: torch.Tensor,
      grad: torch.Tensor,
      state: torch.optim.ParamState,
      group: torch.optim.ParamGroup<Options>,
    ): void {
      const sum = (state.sum ??= this.stateTensor(() => grad.zerosLike())) as torch.Tensor;
      sum.add_(grad.pow(group.power));
      param.sub_(sum, { alpha: group.lr });
    }
  }
  const [a, b] = [weight(), weight()];
  const optimizer = new Powered([{ params: a }, { params: b, power: 2 }], { lr: 0.5 });
  a.mul(3).sum().backward();
  b.mul(3).sum().backward();
  optimizer.step();
  assertEquals([await a.tolist(), await b.tolist()], [[-0.5, -0.5], [-3.5, -3.5]]);
  assertEquals(optimizer.stepSupportsAmpScaling, false);
  assertEquals(optimizer.stateDict().param_groups[1], { lr: 0.5, power: 2, params: [1] });
  refused(() => (optimizer.addParamGroup as Untyped).call(optimizer, { params: [weight()], pwer: 1 }), '"power"');
});

Deno.test("methods of optimizers take names and refuse others", async () => {
  const x = weight(), optimizer = new optim.SGD([x], { lr: 1 }), calls: string[] = [];
  optimizer.registerStepPreHook({ hook: () => void calls.push("pre") });
  const loss = optimizer.step({
    closure: () => {
      const sum = x.sum();
      sum.backward();
      return sum;
    },
  });
  assertEquals([await loss.item(), await x.tolist(), calls], [2, [0, 0], ["pre"]]);
  optimizer.zeroGrad({ setToNone: false });
  assertEquals(await x.grad!.tolist(), [0, 0]);
  const own = optimizer as unknown as Record<string, Untyped>;
  refused(() => own.zeroGrad({ set_to_none: true }), 'did you mean "setToNone"?');
  refused(() => own.zeroGrad(true, 1), "too many");
  refused(() => own.step(null, 1), "Optimizer.step(): too many");
  refused(() => own.stateDict(1), "too many");
  refused(() => own.registerStepPostHook({ hok: () => {} }), 'did you mean "hook"?');
});

Deno.test("schedules take names, refuse others, and step to an epoch by name", () => {
  const sgd = () => new optim.SGD([weight()], { lr: 1, momentum: 0.9 });
  const scheduler = new lrScheduler.StepLR({ optimizer: sgd(), stepSize: 2, gamma: 0.5 });
  scheduler.optimizer.step();
  scheduler.step({ epoch: 4 });
  assertEquals(scheduler.getLastLr(), [0.25]);
  const own = scheduler as unknown as Record<string, Untyped>;
  refused(() => own.step({ epochs: 3 }), 'did you mean "epoch"?');
  refused(() => own.getLastLr(1), "too many");
  refused(() => own.loadStateDict({}, 1), "too many");
  const plateau = new lrScheduler.ReduceLROnPlateau(sgd(), { patience: 0 });
  for (let i = 0; i < 2; i++) plateau.step({ metrics: 1 });
  assertEquals(plateau.getLastLr(), [0.1]);
  refused(() => plateau.step(), 'missing argument: "metrics"');
  for (const [name, Scheduler] of Object.entries({ ...lrScheduler, SWALR: swaUtils.SWALR })) {
    if (name === "LRScheduler") continue;
    const Untyped = Scheduler as unknown as UntypedClass;
    refused(() => new Untyped(sgd(), { lastEpok: 1 }), `${name}():`, "unknown argument");
    refused(() => new Untyped(sgd(), ...Array(15).fill(1)), `${name}(): too many arguments`);
    refused(() => new Untyped({ lastEpoch: 1 }), `${name}():`);
  }
  const one = new lrScheduler.OneCycleLR({ optimizer: sgd(), maxLr: 2, epochs: 2, stepsPerEpoch: 3, divFactor: 10 });
  assertAlmostEquals(one.getLastLr()[0], 0.2);
});

Deno.test("averages of weights take names and refuse others", () => {
  const model = new torch.nn.Linear(1, 1);
  const averaged = new swaUtils.AveragedModel({ model, avgFn: swaUtils.getEmaAvgFn({ decay: 0.5 }) });
  averaged.updateParameters({ model });
  assertEquals(averaged.module.weight.shape, [1, 1]);
  const untyped = swaUtils as unknown as Record<string, UntypedClass & Untyped>;
  refused(() => new untyped.AveragedModel(model, { useBufers: true }), 'did you mean "useBuffers"?');
  refused(() => untyped.getEmaMultiAvgFn({ dekay: 1 }), 'did you mean "decay"?');
  refused(() => untyped.getSwaAvgFn(1), "too many");
  refused(() => untyped.updateBn([], { modul: model }), 'did you mean "model"?');
});
