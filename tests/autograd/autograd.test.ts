// The engine and its rules, on small graphs whose gradients are known by hand.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

const list = async (x: Tensor | null) => x === null ? null : Array.from(await x.read() as ArrayLike<number>);
const leaf = (...values: number[]) => torch.tensor(values, { requiresGrad: true });

Deno.test("backward() accumulates into leaves", async () => {
  const x = leaf(1, 2, 3);
  x.mul(x).sum().backward();
  assertEquals(await list(x.grad), [2, 4, 6]);
  x.mul(x).sum().backward();
  assertEquals(await list(x.grad), [4, 8, 12]);
});

Deno.test("backward() sums the gradient of a broadcast operand", async () => {
  const x = torch.ones([2, 3]), b = leaf(1, 2, 3);
  x.mul(b).sum().backward();
  assertEquals(await list(b.grad), [2, 2, 2]);
});

Deno.test("backward() runs through a chain of 100,000 ops", async () => {
  const x = leaf(1);
  let y: Tensor = x;
  for (let i = 0; i < 100_000; i++) y = y.add(1);
  y.backward();
  assertEquals(await list(x.grad), [1]);
});

Deno.test("backward() visits a shared node once", async () => {
  const x = leaf(2);
  let y: Tensor = x;
  for (let i = 0; i < 40; i++) y = y.add(y).mul(0.5);
  y.backward();
  assertEquals(await list(x.grad), [1]);
});

Deno.test("backward() twice throws unless the graph is retained", () => {
  const x = leaf(1, 2);
  const y = x.mul(x).sum();
  y.backward({ retainGraph: true });
  y.backward();
  assertThrows(() => y.backward(), torch.AutogradError, "the graph was freed");
});

Deno.test("backward() of a vector needs a gradient", async () => {
  const x = leaf(1, 2);
  assertThrows(() => x.mul(2).backward(), torch.AutogradError, "single-element outputs");
  x.mul(2).backward(torch.tensor([1, 10]));
  assertEquals(await list(x.grad), [2, 20]);
});

Deno.test("createGraph gives gradients of gradients", async () => {
  const x = leaf(3);
  const y = x.mul(x).mul(x);
  const [dx] = torch.autograd.grad(y, x, { createGraph: true });
  const [ddx] = torch.autograd.grad(dx!, x);
  assertEquals(await list(dx), [27]);
  assertEquals(await list(ddx), [18]);
});

Deno.test("grad() leaves .grad alone and reports unused inputs", async () => {
  const x = leaf(1), unused = leaf(1);
  const [g] = torch.autograd.grad(x.mul(3), [x]);
  assertEquals(await list(g), [3]);
  assertEquals(x.grad, null);
  assertThrows(() => torch.autograd.grad(x.mul(3), [x, unused]), torch.AutogradError, "allowUnused");
  const [, none] = torch.autograd.grad(x.mul(3), [x, unused], { allowUnused: true });
  assertEquals(none, null);
});

Deno.test("grad() of an intermediate", async () => {
  const x = leaf(2);
  const y = x.mul(3), z = y.mul(y);
  const [gy] = torch.autograd.grad(z.sum(), [y]);
  assertEquals(await list(gy), [12]);
});

Deno.test("noGrad() and its disposable form record nothing", () => {
  const x = leaf(1);
  assertEquals(torch.noGrad(() => x.mul(2)).requiresGrad, false);
  {
    using _ = torch.noGrad();
    assertEquals(x.mul(2).requiresGrad, false);
    torch.enableGrad(() => assertEquals(x.mul(2).requiresGrad, true));
  }
  assertEquals(x.mul(2).requiresGrad, true);
});

Deno.test("modifying a saved tensor in place is an error that names the op", () => {
  const x = leaf(1, 2);
  const y = x.exp();
  y.add_(1);
  assertThrows(() => y.sum().backward(), torch.AutogradError, "ExpBackward0 was modified in place");
});

Deno.test("in-place ops on a leaf that requires grad throw", () => {
  const x = leaf(1, 2);
  assertThrows(() => x.add_(1), torch.AutogradError, "a leaf that requires grad");
  torch.noGrad(() => x.add_(1));
});

Deno.test("in-place ops on a view reach the base's history", async () => {
  const x = leaf(1, 2, 3);
  const y = x.mul(2);
  y.at(0).mul_(10);
  assertEquals(await list(y), [20, 4, 6]);
  y.sum().backward();
  assertEquals(await list(x.grad), [20, 2, 2]);
});

Deno.test("a view sees the history of an in-place op on its base", async () => {
  const x = leaf(1, 2, 3);
  const y = x.mul(2);
  const view = y.at(torch.slice(1, 3));
  y.mul_(5);
  view.sum().backward();
  assertEquals(await list(x.grad), [0, 10, 10]);
});

Deno.test("hooks see and replace gradients", async () => {
  const x = leaf(1, 2);
  const seen: (number[] | null)[] = [];
  const y = x.mul(2);
  const captured: Tensor[] = [];
  y.registerHook((g) => {
    captured.push(g);
    return g.mul(10);
  });
  const handle = x.registerHook((g) => {
    captured.push(g);
  });
  y.sum().backward();
  for (const g of captured) seen.push(await list(g));
  assertEquals(seen, [[1, 1], [20, 20]]);
  assertEquals(await list(x.grad), [20, 20]);
  handle.remove();
});

Deno.test("retainGrad() keeps the gradient of an intermediate", async () => {
  const x = leaf(1, 2);
  const y = x.mul(2);
  y.retainGrad();
  y.mul(y).sum().backward();
  assertEquals(await list(y.grad), [4, 8]);
});

Deno.test("detach() cuts the graph and shares memory", async () => {
  const x = leaf(1, 2);
  const y = x.mul(2);
  const d = y.detach();
  assertEquals(d.requiresGrad, false);
  d.add_(1);
  assertEquals(await list(y), [3, 5]);
});

Deno.test("Function gives its own gradient", async () => {
  class Cube extends torch.autograd.Function {
    static forward(ctx: torch.autograd.FunctionCtx, x: Tensor): Tensor {
      ctx.saveForBackward(x);
      return x.mul(x).mul(x);
    }
    static backward(ctx: torch.autograd.FunctionCtx, grad: Tensor): Tensor {
      const [x] = ctx.savedTensors;
      return grad.mul(x!.mul(x!)).mul(3);
    }
  }
  const x = leaf(2);
  const y = Cube.apply(x);
  assertEquals(y.gradFn?.name, "CubeBackward");
  const [g] = torch.autograd.grad(y, x, { createGraph: true });
  assertEquals(await list(g), [12]);
  const [gg] = torch.autograd.grad(g!, x);
  assertEquals(await list(gg), [12]);
});

Deno.test("gradcheck() accepts right gradients and names wrong ones", async () => {
  class Wrong extends torch.autograd.Function {
    static forward(_ctx: torch.autograd.FunctionCtx, x: Tensor): Tensor {
      return x.mul(2);
    }
    static backward(_ctx: torch.autograd.FunctionCtx, grad: Tensor): Tensor {
      return grad.mul(3);
    }
  }
  const x = torch.tensor(new Float64Array([0.5, -1.5]), { requiresGrad: true });
  assertEquals(await torch.autograd.gradcheck((a) => a.exp().mul(a), x), true);
  assertEquals(await torch.autograd.gradgradcheck((a) => a.exp().mul(a), x), true);
  await assertRejects(() => torch.autograd.gradcheck((a) => Wrong.apply(a), x), torch.AutogradError, "numeric");
});

Deno.test("detectAnomaly() names the op that made a NaN", () => {
  const x = leaf(-1);
  torch.autograd.detectAnomaly(() => {
    const y = x.mul(0).sqrt().mul(0);
    assertThrows(() => y.sum().backward(), torch.AutogradError, "SqrtBackward0 returned NaN");
  });
});

Deno.test("a complex gradient follows PyTorch's convention", async () => {
  const z = torch.complex(torch.tensor([1]), torch.tensor([2])).requiresGrad_();
  // |z|^2 has the gradient 2z.
  torch.real(z.mul(z.conj())).sum().backward();
  assertEquals(await list(z.grad), [2, 4]);
});

Deno.test("hooks on nodes see gradients of outputs and inputs", async () => {
  const x = leaf(1, 2);
  const y = x.mul(3);
  const seen: string[] = [];
  y.gradFn!.registerPrehook((gradOutputs) => {
    seen.push(`before ${gradOutputs.length}`);
    return [gradOutputs[0]!.mul(2)];
  });
  const handle = y.gradFn!.registerHook((gradInputs, gradOutputs) => {
    seen.push(`after ${gradInputs.length} ${gradOutputs.length}`);
    return [gradInputs[0]!.add(1)];
  });
  y.sum().backward();
  assertEquals(seen, ["before 1", "after 1 1"]);
  assertEquals(await list(x.grad), [7, 7]);
  handle.remove();
  assertEquals(y.gradFn!.nextFunctions.map(([node]) => node?.name), ["AccumulateGrad"]);
});

Deno.test("inferenceMode(): nothing is recorded, inside enableGrad neither; its results are ordinary tensors", async () => {
  const w = torch.ones(2, { requiresGrad: true });
  const x = torch.inferenceMode(() => {
    assert(torch.isInferenceModeEnabled());
    assert(!torch.enableGrad(() => w.mul(2)).requiresGrad);
    assert(!torch.setGradEnabled(true, () => w.mul(2)).requiresGrad);
    return w.mul(3);
  });
  assert(torch.isGradEnabled() && !torch.isInferenceModeEnabled());
  w.mul(x).sum().backward();
  assertEquals(await list(w.grad), [3, 3]);
});

Deno.test("a grad mode restores what it changed and nothing else", () => {
  torch.noGrad(() => torch.autograd.setDetectAnomaly(true));
  try {
    const y = torch.tensor([-1], { requiresGrad: true }).sqrt();
    assertThrows(() => y.backward(), torch.AutogradError, "SqrtBackward0");
  } finally {
    torch.autograd.setDetectAnomaly(false);
  }
});

Deno.test("Function: setupContext saves for backward where forward takes no ctx", async () => {
  class Scale extends torch.autograd.Function {
    static forward(x: Tensor, factor: number): Tensor {
      return x.mul(factor);
    }
    static setupContext(ctx: torch.autograd.FunctionCtx, [, factor]: [Tensor, number], output: Tensor): void {
      assertEquals(output.shape, [2]);
      ctx.factor = factor;
    }
    static backward(ctx: torch.autograd.FunctionCtx, grad: Tensor): (Tensor | null)[] {
      return [grad.mul(ctx.factor as number), null];
    }
  }
  const x = leaf(1, 2);
  const y = Scale.apply(x, 3);
  assertEquals(await list(y.detach()), [3, 6]);
  y.sum().backward();
  assertEquals(await list(x.grad), [3, 3]);
});
