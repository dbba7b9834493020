/**
 * `Module`: what its fields mean, names and order, state dicts and their errors, modes, conversion, hooks, copies.
 *
 * @module
 */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;
const F = nn.functional;
type Tensor = torch.Tensor;

class Block extends nn.Module {
  conv = new nn.Conv2d(1, 2, 3, { bias: false });
  bn = new nn.BatchNorm2d(2);
  scale = new nn.Parameter(torch.ones(1));
  note = torch.zeros(3);
  forward(x: Tensor): Tensor {
    return this.bn.call(this.conv.call(x)).mul(this.scale);
  }
}

class Net extends nn.Module {
  blocks = new nn.ModuleList([new Block(), new Block()]);
  head = new nn.Linear(2, 3);
  constructor() {
    super();
    this.registerBuffer("steps", torch.zeros(1));
    this.registerBuffer("scratch", torch.zeros(2), { persistent: false });
  }
  forward(x: Tensor): Tensor {
    for (const block of this.blocks) x = block.call(F.pad(x.mean(1, { keepdim: true }), [1, 1, 1, 1]));
    return this.head.call(x.mean([2, 3]));
  }
}

Deno.test("Module: names and order are PyTorch's, plain tensors are not state", () => {
  const names = [...new Block().namedParameters()].map(([name]) => name);
  assertEquals(names, ["scale", "conv.weight", "bn.weight", "bn.bias"]);
  assertEquals([...new Block().namedBuffers()].map(([name]) => name), [
    "bn.running_mean",
    "bn.running_var",
    "bn.num_batches_tracked",
  ]);
  const keys = Object.keys(new Net().stateDict());
  assertEquals(keys.slice(0, 4), ["steps", "blocks.0.scale", "blocks.0.conv.weight", "blocks.0.bn.weight"]);
  assertEquals(keys.at(-1), "head.bias");
  assert(!keys.includes("scratch"));
  assertEquals([...new Net().namedModules()].map(([name]) => name).slice(0, 4), [
    "",
    "blocks",
    "blocks.0",
    "blocks.0.conv",
  ]);
});

Deno.test("Module: shared parameters and modules appear once, state dicts hold both names", () => {
  class Tied extends nn.Module {
    embed = new nn.Linear(2, 2, { bias: false });
    head = new nn.Linear(2, 2, { bias: false });
    again = this.embed;
    constructor() {
      super();
      this.head.weight = this.embed.weight;
    }
    forward(x: Tensor): Tensor {
      return this.head.call(this.embed.call(x));
    }
  }
  const tied = new Tied();
  assertEquals([...tied.namedParameters()].map(([name]) => name), ["embed.weight"]);
  assertEquals([...tied.children()].length, 2);
  assertEquals(Object.keys(tied.stateDict()), ["embed.weight", "head.weight", "again.weight"]);
});

Deno.test("Module.loadStateDict() copies and reports that all keys matched", async () => {
  const [a, b] = [new Net(), new Net()];
  const result = b.loadStateDict(a.stateDict());
  assertEquals(Deno.inspect(result), "<All keys matched successfully>");
  for (const [key, value] of Object.entries(a.stateDict())) {
    assertEquals(await b.stateDict()[key].tolist(), await value.tolist());
  }
  const x = torch.randn(2, 1, 6, 6);
  assertEquals(await a.eval().call(x).tolist(), await b.eval().call(x).tolist());
});

Deno.test("Module.loadStateDict() reports every mismatch in one error, in PyTorch's words", () => {
  const model = new nn.Sequential({ a: new nn.Linear(2, 3), b: new nn.Linear(3, 1) });
  const state = model.stateDict();
  delete state["a.bias"];
  state["b.weight"] = torch.zeros(2, 3);
  state["c.weight"] = torch.zeros(1);
  const expected = "loadStateDict(): Error(s) in loading state_dict for Sequential:\n" +
    '\tMissing key(s) in state_dict: "a.bias". \n' +
    '\tUnexpected key(s) in state_dict: "c.weight". \n' +
    "\tsize mismatch for b.weight: copying a param with shape torch.Size([2, 3]) from checkpoint, " +
    "the shape in current model is torch.Size([1, 3]).";
  const error = assertThrows(() => model.loadStateDict(state), torch.ArgumentError);
  assertEquals(error.message, expected);
  delete state["b.weight"];
  const keys = model.loadStateDict(state, { strict: false });
  assertEquals([...keys.missingKeys], ["a.bias", "b.weight"]);
  assertEquals([...keys.unexpectedKeys], ["c.weight"]);
  assertEquals([...model.loadStateDict(state, false).unexpectedKeys], ["c.weight"]);
});

Deno.test("Module.loadStateDict({ assign: true }) takes the tensors themselves", () => {
  const model = new nn.Linear(2, 2);
  const before = model.weight;
  const weight = torch.ones(2, 2);
  model.loadStateDict({ weight, bias: torch.zeros(2) }, { assign: true });
  assertNotStrictEquals(model.weight, before);
  assertStrictEquals(model.weight.storage, weight.storage);
  assert(model.weight.requiresGrad);
});

Deno.test("Module: train, eval, apply, requiresGrad_, zeroGrad reach the whole tree", () => {
  const net = new Net();
  net.eval();
  assert([...net.modules()].every((m) => !m.training));
  net.train();
  assert([...net.modules()].every((m) => m.training));
  const order: string[] = [];
  net.apply((m) => order.push(m.constructor.name));
  assertEquals(order.at(-1), "Net");
  assertEquals(order[0], "Conv2d");
  net.call(torch.randn(2, 1, 6, 6)).sum().backward();
  assert([...net.parameters()].every((p) => p.grad !== null));
  net.zeroGrad();
  assert([...net.parameters()].every((p) => p.grad === null));
  net.requiresGrad_(false);
  assert([...net.parameters()].every((p) => !p.requiresGrad));
});

Deno.test("Module.to() and double() convert in place and keep identity; integer buffers stay", () => {
  const block = new Block();
  const weight = block.conv.weight;
  block.double();
  assertStrictEquals(block.conv.weight, weight);
  assertEquals(weight.dtype, torch.float64);
  assertEquals(block.bn.running_mean!.dtype, torch.float64);
  assertEquals(block.bn.num_batches_tracked!.dtype, torch.int64);
  assertEquals(block.note.dtype, torch.float32);
  block.to(torch.float32);
  assertEquals(weight.dtype, torch.float32);
  assertThrows(() => block.to(torch.int64), torch.ArgumentError, "only floating and complex");
});

Deno.test("Module: getSubmodule, getParameter, getBuffer, setSubmodule", () => {
  const net = new Net();
  assertStrictEquals(net.getSubmodule("blocks.1.conv"), net.blocks[1].conv);
  assertStrictEquals(net.getSubmodule(""), net);
  assertStrictEquals(net.getParameter("head.weight"), net.head.weight);
  assertStrictEquals(net.getBuffer("blocks.0.bn.running_var"), net.blocks[0].bn.running_var);
  net.setSubmodule("blocks.0", new Block());
  assertThrows(() => net.getSubmodule("blocks.7"), torch.ArgumentError, 'no submodule "7"');
  assertThrows(() => net.getParameter("head.nothing"), torch.ArgumentError, 'no parameter "nothing"');
});

Deno.test("Module: registration checks names and values", () => {
  const net = new Net();
  assertThrows(() => net.registerBuffer("", torch.zeros(1)), torch.ArgumentError, "empty");
  assertThrows(() => net.registerBuffer("a.b", torch.zeros(1)), torch.ArgumentError, "can't contain");
  assertThrows(() => net.registerBuffer("head", torch.zeros(1)), torch.ArgumentError, "already exists");
  net.registerBuffer("steps", torch.ones(1));
  net.registerModule("extra", new nn.ReLU());
  assertEquals([...net.namedChildren()].map(([name]) => name), ["blocks", "head", "extra"]);
});

Deno.test("Module: forward hooks see and replace arguments and outputs, and can be removed", async () => {
  const layer = new nn.Linear(2, 2);
  const seen: Tensor[] = [];
  const pre = layer.registerForwardPreHook((_, [x]) => [(x as Tensor).mul(0)]);
  const post = layer.registerForwardHook((_module, _args, output) => {
    seen.push(output as Tensor);
  });
  const out = layer.call(torch.ones(1, 2));
  assertEquals(await out.tolist(), [await layer.bias!.tolist()]);
  assertEquals(await seen[0].tolist(), await out.tolist());
  pre.remove();
  post.remove();
  layer.call(torch.ones(1, 2));
  assertEquals(seen.length, 1);
  using _ = layer.registerForwardHook(() => torch.zeros(1));
  assertEquals(await layer.call(torch.ones(1, 2)).tolist(), [0]);
});

Deno.test("Module: tensors kept by a hook survive the outer call", async () => {
  const net = new nn.Sequential(new nn.Linear(4, 4), new nn.ReLU(), new nn.Linear(4, 2));
  const kept = new Map<string, Tensor>();
  for (const [name, module] of net.namedChildren()) {
    module.registerForwardHook((_m, _a, output) => void kept.set(name, (output as Tensor).detach()));
  }
  torch.noGrad(() => net.call(torch.randn(3, 4)));
  assertEquals(kept.get("0")!.shape, [3, 4]);
  assert((await kept.get("1")!.read()).length === 12);
});

Deno.test("Module: an always-called hook runs when forward throws, which is not hidden", () => {
  class Bad extends nn.Module {
    forward(_x: Tensor): Tensor {
      throw new RangeError("broken");
    }
  }
  const bad = new Bad();
  let calls = 0;
  bad.registerForwardHook(() => void calls++, { alwaysCall: true });
  bad.registerForwardHook(() => void calls++);
  assertThrows(() => bad.call(torch.ones(1)), RangeError, "broken");
  assertEquals(calls, 1);
});

Deno.test("Module: full backward hooks see the gradients of inputs and outputs and may replace them", async () => {
  const layer = new nn.Linear(2, 1, { bias: false });
  layer.loadStateDict({ weight: torch.tensor([[2, 3]]) });
  const seen: (number[] | null)[] = [];
  layer.registerFullBackwardPreHook((_, [g]) => [g!.mul(10)]);
  layer.registerFullBackwardHook((_, [gradInput], [gradOutput]) => {
    seen.push(gradInput!.tolistSync<number[]>(), gradOutput!.tolistSync<number[]>());
    return [gradInput!.mul(2)];
  });
  const x = torch.ones(1, 2, { requiresGrad: true });
  layer.call(x).sum().backward();
  assertEquals(seen as unknown, [[[20, 30]], [[10]]]);
  assertEquals(await x.grad!.tolist(), [[40, 60]]);
});

Deno.test("Module: backward hooks run when only the parameters need gradients", () => {
  const layer = new nn.Linear(2, 1);
  let input: unknown = "not called";
  layer.registerFullBackwardHook((_, gradInput) => {
    input = gradInput[0];
  });
  layer.call(torch.ones(1, 2)).sum().backward();
  assertEquals(input, null);
});

Deno.test("Module: state-dict hooks", () => {
  const layer = new nn.Linear(1, 1);
  layer.registerStateDictPostHook((_, state, prefix) => {
    state[`${prefix}extra`] = torch.ones(1);
  });
  layer.registerLoadStateDictPreHook((_, state, prefix) => {
    delete state[`${prefix}extra`];
  });
  const state = layer.stateDict({ prefix: "p." });
  assertEquals(Object.keys(state), ["p.weight", "p.bias", "p.extra"]);
  const plain = Object.fromEntries(Object.entries(state).map(([key, value]) => [key.slice(2), value]));
  assertEquals(layer.loadStateDict(plain).unexpectedKeys, []);
});

Deno.test("Module.clone() is deep and keeps what was shared", async () => {
  const net = new Net();
  const copy = net.clone();
  assertNotStrictEquals(copy.head.weight, net.head.weight);
  assert(copy.head.weight instanceof nn.Parameter && copy.head.weight.requiresGrad);
  assertEquals(Object.keys(copy.stateDict()), Object.keys(net.stateDict()));
  torch.noGrad(() => copy.head.weight.zero_());
  assert((await net.head.weight.abs().sum().item()) > 0);
  copy.eval();
  assert(net.training && net.blocks[0].training);
  const x = torch.randn(1, 1, 6, 6);
  assertEquals(copy.call(x).shape, [1, 3]);
});

Deno.test("Module: old checkpoints without the batch count load", () => {
  const bn = new nn.BatchNorm1d(2);
  const state = bn.stateDict();
  delete state.num_batches_tracked;
  assertEquals(bn.loadStateDict(state).missingKeys, []);
});

Deno.test("containers: indexing, insertion, removal, names", () => {
  const seq = new nn.Sequential(new nn.Linear(1, 2), new nn.ReLU());
  seq.append(new nn.Linear(2, 3)).insert(1, new nn.Tanh());
  assertEquals([...seq].map((m) => m.constructor.name), ["Linear", "Tanh", "ReLU", "Linear"]);
  assertStrictEquals(seq[0], seq.at(0));
  assertStrictEquals(seq.at(-1), seq[3]);
  assertEquals(seq.pop(1).constructor.name, "Tanh");
  assertEquals(seq.length, 3);
  assertEquals(Object.keys(seq.stateDict()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
  assertEquals(seq.slice(0, 2).length, 2);
  assertThrows(() => seq.at(9), torch.IndexError, "out of range");
  const named = new nn.Sequential({ conv: new nn.Linear(1, 1), act: new nn.ReLU() });
  assertEquals(Object.keys(named.stateDict()), ["conv.weight", "conv.bias"]);
  const list = new nn.ModuleList([new nn.ReLU()]);
  assertThrows(() => (list as unknown as { call(): void }).call(), torch.ArgumentError, "forward");
  const dict = new nn.ModuleDict({ a: new nn.Linear(1, 1) });
  dict.update({ type: new nn.ReLU() });
  assertEquals([...dict], ["a", "type"]);
  assert(dict.has("type") && dict.get("b") === undefined);
  assertEquals(dict.pop("type").constructor.name, "ReLU");
  const params = new nn.ParameterList([torch.ones(2), torch.zeros(1)]);
  assertEquals([...params.namedParameters()].map(([name]) => name), ["0", "1"]);
  const byName = new nn.ParameterDict({ w: torch.ones(2) });
  assertEquals(Object.keys(byName.stateDict()), ["w"]);
});

Deno.test("Parameter shares memory with its data and requires grad", () => {
  const data = torch.ones(2);
  const parameter = new nn.Parameter(data);
  assert(parameter.requiresGrad && parameter.isLeaf && parameter instanceof torch.Tensor);
  assertStrictEquals(parameter.storage, data.storage);
  assert(!new nn.Parameter(data, { requiresGrad: false }).requiresGrad);
  assertEquals(Deno.inspect(parameter), "Parameter containing:\ntensor([1., 1.], requires_grad=True)");
  assertThrows(
    () => new nn.Parameter(3 as unknown as Tensor),
    torch.ArgumentError,
    "Parameter(): data must be a Tensor: 3",
  );
});

Deno.test("BatchNorm: running statistics move in training only, and the simple average works", async () => {
  const bn = new nn.BatchNorm1d(1, { momentum: null });
  bn.call(torch.tensor([[1], [3]]));
  bn.call(torch.tensor([[5], [7]]));
  assertEquals(await bn.num_batches_tracked!.item(), 2);
  assertAlmostEquals(await bn.running_mean!.item(), 4, 1e-6);
  bn.eval();
  bn.call(torch.tensor([[100], [7]]));
  assertAlmostEquals(await bn.running_mean!.item(), 4, 1e-6);
  bn.train();
  assertThrows(() => bn.call(torch.ones(1, 1)), torch.ShapeError, "more than 1 value per channel");
});
