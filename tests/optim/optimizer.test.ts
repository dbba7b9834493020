/**
 * Optimizers: groups, state dicts in PyTorch's layout, hooks, closures, errors. Their arithmetic is held to PyTorch's
 * recorded trajectories by the conformance suite.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn, optim } = torch;

function quadratic(): { x: torch.Tensor; loss: () => torch.Tensor } {
  const x = new nn.Parameter(torch.tensor([1, -2, 3]));
  return { x, loss: () => x.mul(x).sum() };
}

const MAKERS: Record<string, (params: torch.Tensor[]) => torch.optim.Optimizer> = {
  SGD: (p) => new optim.SGD(p, 0.1, { momentum: 0.5, nesterov: true }),
  Adam: (p) => new optim.Adam(p, { lr: 0.1, amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.1 }),
  Adamax: (p) => new optim.Adamax(p, { lr: 0.1 }),
  NAdam: (p) => new optim.NAdam(p, { lr: 0.1 }),
  RAdam: (p) => new optim.RAdam(p, { lr: 0.1 }),
  RMSprop: (p) => new optim.RMSprop(p, { lr: 0.1, centered: true, momentum: 0.2 }),
  Adagrad: (p) => new optim.Adagrad(p, { lr: 0.5 }),
  Adadelta: (p) => new optim.Adadelta(p, { lr: 50 }),
  Rprop: (p) => new optim.Rprop(p),
  ASGD: (p) => new optim.ASGD(p, { lr: 0.1 }),
};

Deno.test("every optimizer lowers a loss, resumes from its state dict, and prints", async () => {
  for (const [name, make] of Object.entries(MAKERS)) {
    const { x, loss } = quadratic();
    const optimizer = make([x]);
    const before = await loss().item();
    const step = (o: torch.optim.Optimizer, l: () => torch.Tensor) => {
      o.zeroGrad();
      l().backward();
      o.step();
    };
    for (let i = 0; i < 5; i++) step(optimizer, loss);
    assert(await loss().item() < before, name);
    assert(optimizer.toString().startsWith(`${name} (\nParameter Group 0\n`), name);

    const other = quadratic();
    torch.noGrad(() => other.x.copy_(x));
    const resumed = make([other.x]);
    resumed.loadStateDict(optimizer.stateDict());
    step(optimizer, loss);
    step(resumed, other.loss);
    assertEquals(await other.x.tolist(), await x.tolist(), name);
  }
});

Deno.test("Optimizer.stateDict() has PyTorch's layout and keys", async () => {
  const { x, loss } = quadratic();
  const optimizer = new optim.Adam([x], { lr: 0.01, weightDecay: 0.1 });
  loss().backward();
  optimizer.step();
  const { state, param_groups } = optimizer.stateDict();
  assertEquals(Object.keys(state), ["0"]);
  assertEquals(Object.keys(state["0"]), ["step", "exp_avg", "exp_avg_sq"]);
  const step = state["0"].step as torch.Tensor;
  assertEquals([step.shape.length, step.dtype, await step.item()], [0, torch.float32, 1]);
  assertEquals(param_groups[0].params, [0]);
  assertEquals(param_groups[0].weight_decay, 0.1);
  assertEquals(param_groups[0].betas, [0.9, 0.999]);
});

Deno.test("Optimizer.loadStateDict() takes a dict with PyTorch's extra keys and leaves it alone", async () => {
  const { x } = quadratic();
  const optimizer = new optim.Adam([x]);
  const mean = torch.ones(3);
  optimizer.loadStateDict({
    state: { 0: { step: torch.tensor(7), exp_avg: mean, exp_avg_sq: torch.ones(3) } },
    param_groups: [{
      ...{ lr: 0.5, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, amsgrad: false, maximize: false },
      ...{ foreach: null, capturable: false, differentiable: false, fused: null, decoupled_weight_decay: false },
      params: [0],
    }],
  });
  assertEquals(optimizer.paramGroups[0].lr, 0.5);
  assertEquals(optimizer.state.get(x)!.step, 7);
  x.mul(x).sum().backward();
  optimizer.step();
  assertEquals(await mean.tolist(), [1, 1, 1]);
});

Deno.test("Optimizer: groups have their own options, and can be added", async () => {
  const [a, b, c] = [1, 2, 3].map((v) => new nn.Parameter(torch.tensor([v])));
  const optimizer = new optim.SGD([{ params: [a] }, { params: b, lr: 1 }], { lr: 0.1 });
  optimizer.addParamGroup({ params: [c], lr: 0, momentum: 0.9 });
  a.add(b).add(c).backward();
  optimizer.step();
  assertAlmostEquals(await a.item(), 0.9, 1e-6);
  assertEquals([await b.item(), await c.item()], [1, 3]);
  assertEquals(optimizer.paramGroups.map((g) => g.momentum), [0, 0, 0.9]);
  assertThrows(() => optimizer.addParamGroup({ params: [a] }), torch.ArgumentError, "more than one parameter group");
});

Deno.test("Optimizer: named parameters, hooks and closures", async () => {
  const model = new nn.Linear(2, 1);
  const optimizer = new optim.SGD(model.namedParameters(), { lr: 0.1 });
  assertEquals(optimizer.paramGroups[0].paramNames, ["weight", "bias"]);
  const calls: string[] = [];
  using _pre = optimizer.registerStepPreHook(() => void calls.push("pre"));
  optimizer.registerStepPostHook(() => void calls.push("post"));
  const loss = optimizer.step(() => {
    calls.push("closure");
    optimizer.zeroGrad();
    const l = model.call(torch.ones(1, 2)).pow(2).sum();
    l.backward();
    return l;
  });
  assertEquals(calls, ["pre", "closure", "post"]);
  assert(await loss.item() >= 0);
});

Deno.test("Optimizer.zeroGrad() clears or zeroes", async () => {
  const { x, loss } = quadratic();
  const optimizer = new optim.SGD([x]);
  loss().backward();
  optimizer.zeroGrad(false);
  assertEquals(await x.grad!.tolist(), [0, 0, 0]);
  optimizer.zeroGrad();
  assertStrictEquals(x.grad, null);
});

Deno.test("optimizers reject what cannot be trained and options out of range", () => {
  const { x } = quadratic();
  assertThrows(() => new optim.SGD([]), torch.ArgumentError, "empty parameter list");
  assertThrows(() => new optim.SGD(x as unknown as torch.Tensor[]), torch.ArgumentError, "iterable of tensors");
  assertThrows(() => new optim.SGD([3 as unknown as torch.Tensor]), torch.ArgumentError, "can only optimize Tensors");
  assertThrows(() => new optim.SGD([x.mul(2)]), torch.ArgumentError, "non-leaf");
  assertThrows(() => new optim.SGD([x], -1), torch.ArgumentError, "learning rate");
  assertThrows(() => new optim.SGD([x], { nesterov: true }), torch.ArgumentError, "Nesterov");
  assertThrows(() => new optim.Adam([x], { betas: [1, 0.9] }), torch.ArgumentError, "index 0");
  assertThrows(
    () => new optim.Adam([x], { learningRate: 1 } as unknown as { lr: number }),
    torch.ArgumentError,
    'unknown argument: "learningRate"',
  );
  const saved = new optim.SGD([x]).stateDict();
  const two = new optim.SGD([{ params: [x] }, { params: quadratic().x }]);
  assertThrows(() => two.loadStateDict(saved), torch.ArgumentError, "different number of parameter groups");
});

Deno.test("an optimizer's state outlives the call that first made it", async () => {
  class Trainer extends nn.Module {
    layer = new nn.Linear(2, 1);
    optimizer = new optim.Adam(this.layer.parameters());
    forward(x: torch.Tensor): torch.Tensor {
      this.optimizer.zeroGrad();
      const loss = this.layer.call(x).pow(2).mean();
      loss.backward();
      this.optimizer.step();
      return loss;
    }
  }
  const trainer = new Trainer();
  for (let i = 0; i < 3; i++) trainer.call(torch.ones(4, 2));
  assertEquals(await trainer.optimizer.stateDict().state["0"].step as unknown && 3, 3);
  assert(await trainer.call(torch.ones(4, 2)).item() >= 0);
});

Deno.test("LBFGS solves least squares and, with line search, Rosenbrock's valley", async () => {
  const a = torch.tensor([[2, 1], [1, 3], [0, 1]], { dtype: torch.float64 });
  const b = torch.tensor([1, 2, 3], { dtype: torch.float64 });
  const x = new nn.Parameter(torch.zeros(2, { dtype: torch.float64 }));
  const plain = new optim.LBFGS([x]);
  plain.step(() => {
    plain.zeroGrad();
    const loss = a.matmul(x).sub(b).pow(2).sum();
    loss.backward();
    return loss;
  });
  // The solution of the normal equations.
  const [x0, x1] = await x.tolist<number[]>();
  assertAlmostEquals(x0, -0.2, 1e-5);
  assertAlmostEquals(x1, 1, 1e-5);
  const y = new nn.Parameter(torch.tensor([-1.2, 1], { dtype: torch.float64 }));
  const searching = new optim.LBFGS([y], { lineSearchFn: "strong_wolfe", maxIter: 100, toleranceChange: 1e-14 });
  for (let i = 0; i < 3; i++) {
    searching.step(() => {
      searching.zeroGrad();
      const [u, v] = y.unbind();
      const loss = v.sub(u.mul(u)).pow(2).mul(100).add(u.sub(1).pow(2));
      loss.backward();
      return loss;
    });
  }
  for (const value of await y.tolist<number[]>()) assertAlmostEquals(value, 1, 1e-5);
});

Deno.test("LBFGS walks PyTorch's path: the same iterates and counts in float64", async () => {
  const y = new nn.Parameter(torch.tensor([-1.2, 1], { dtype: torch.float64 }));
  const optimizer = new optim.LBFGS([y], { lineSearchFn: "strong_wolfe", maxIter: 100 });
  for (let i = 0; i < 3; i++) {
    optimizer.step(() => {
      optimizer.zeroGrad();
      const [u, v] = y.unbind();
      const loss = v.sub(u.mul(u)).pow(2).mul(100).add(u.sub(1).pow(2));
      loss.backward();
      return loss;
    });
  }
  // PyTorch 2.13, the same program.
  const [u, v] = await y.tolist<number[]>();
  assertAlmostEquals(u, 0.9999814210791366, 1e-12);
  assertAlmostEquals(v, 0.9999619651810986, 1e-12);
  const state = optimizer.state.get(y)!;
  assertEquals([state.n_iter, state.func_evals], [37, 45]);
});

Deno.test("zeroGrad of optimizers and modules takes setToNone by position and by name", async () => {
  const layer = new nn.Linear(1, 1, { bias: false });
  const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
  for (const owner of [optimizer, layer]) {
    for (const keep of [false, { setToNone: false }]) {
      layer.call(torch.ones(1, 1)).backward();
      owner.zeroGrad(keep);
      assertEquals(await layer.weight.grad!.tolist(), [[0]]);
    }
    owner.zeroGrad({ setToNone: true });
    assertEquals(layer.weight.grad, null);
  }
});
