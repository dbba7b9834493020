/**
 * Every public function, constructor and method of a tensor goes through a declared call (`src/base/call.ts`): it takes its
 * parameters by name, and refuses names that it does not have.
 *
 * The test needs no list of functions: it walks what `mod.ts` exports and calls each with a name that nothing has, after
 * arguments of many kinds, until the call says which names it knows.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { declarations } from "../../src/base/call.ts";
import * as vision from "../../src/vision/mod.ts";

/** What is no declared call, with the reason. */
const EXCEPT: Readonly<Record<string, string>> = {
  "autograd.Function": "a base class of users",
  "autograd.FunctionCtx": "made by autograd",
  "autograd.Node": "made by autograd",
  "vision.datasets.MNIST": "made by MNIST.load(), which reads files",
  "vision.transforms.TransformBase": "a base class of users",
  broadcastShapes: "a list of shapes, spread",
  DType: "the type of the dtypes that exist",
  "nn.Identity": "takes anything, so that it can stand in for any layer",
  "nn.IncompatibleKeys": "a result",
  "nn.Module": "a base class of users, without parameters",
  "nn.ModuleDict": "a record of modules, which is a plain object",
  "nn.ModuleList": "an array of modules",
  "nn.ParameterDict": "a record of parameters, which is a plain object",
  "nn.ParameterList": "an array of parameters",
  "nn.RNNBase": "its modes are chosen by name first",
  "nn.Sequential": "modules, spread, or a record of them",
  "optim.Optimizer": "a base class of users",
  Scalar: "the type of marked numbers; scalar() makes them",
  Slice: "the type of ranges; slice() makes them",
  "utils.data.Dataset": "a base class of users",
  "utils.data.IterableDataset": "a base class of users",
  "utils.data.Sampler": "a base class of users",
  "utils.data.TensorDataset": "tensors, spread",
  "Tensor.at": "the parts of an index, spread",
  "Tensor.atMask": "the parts of an index, spread",
  "Tensor.setAt": "the parts of an index, spread, and a value",
  "Tensor.toJSON": "JSON.stringify passes it a key",
  "Tensor.toString": "JavaScript calls it",
  "Tensor.repr": "no parameters; a property of printing",
};

/** Named by a device that is not there, or by the file system. */
const ELSEWHERE = /^(openDevice|cuda|webgpu|io\.idx|io\.safetensors)\b/;

const NAME = "noParameterIsCalledThis";

/** Arguments of many kinds, each list followed by a name that nothing has. */
function attempts(): unknown[][] {
  const x = () => torch.ones([2, 2]);
  const model = () => new torch.nn.Linear(2, 2);
  const data = () => new torch.utils.data.TensorDataset(x());
  const optimizer = () => new torch.optim.SGD(model().parameters(), { lr: 1 });
  const firsts = [
    ...[[], [x()], [x(), x()], [x(), x(), x()], [x(), 2], [[x()]], [2], [1, 2], ["cpu"], ["a", "b"], [() => 0], [{}]],
    ...[[model()], [optimizer()], [torch.float32], [data()], [new Uint8Array(4)], [true], [[1, 2]]],
  ];
  return firsts.map((list) => [...list, { [NAME]: 1 }]);
}

async function refusesName(call: (...args: unknown[]) => unknown): Promise<boolean> {
  for (const args of attempts()) {
    try {
      await call(...args);
    } catch (error) {
      if ((error as Error).message.includes(`unknown argument: "${NAME}"`)) return true;
    }
  }
  return false;
}

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Every callable of a namespace by its name; classes of parameters and of errors are none. */
function* callables(
  space: object,
  path: string,
  seen: Set<unknown>,
): Generator<[string, (...args: unknown[]) => unknown]> {
  for (const [key, value] of Object.entries(space)) {
    const name = path === "" ? key : `${path}.${key}`;
    if (seen.has(value) || value === torch.Tensor || /(Args|Error)$/.test(key) || ELSEWHERE.test(name)) continue;
    seen.add(value);
    if (isClass(value)) yield [name, (...args) => new (value as new (...args: unknown[]) => unknown)(...args)];
    else if (typeof value === "function") yield [name, value as (...args: unknown[]) => unknown];
    else if (Object.prototype.toString.call(value) === "[object Module]") yield* callables(value, name, seen);
  }
}

function* methods(): Generator<[string, (...args: unknown[]) => unknown]> {
  const { prototype } = torch.Tensor;
  for (const key of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, key)!;
    if (typeof value !== "function" || key === "constructor") continue;
    yield [`Tensor.${key}`, (...args) => value.apply(torch.ones([2, 2]), args)];
  }
}

Deno.test("calls: every public callable refuses a name that it does not have", async () => {
  const open: string[] = [];
  let tried = 0;
  for (const [name, call] of [...callables({ ...torch, vision }, "", new Set()), ...methods()]) {
    tried++;
    if (!await refusesName(call)) open.push(name);
  }
  assertEquals(open.filter((name) => !(name in EXCEPT)).sort(), []);
  assertEquals(Object.keys(EXCEPT).filter((name) => !open.includes(name)), []);
  assert(tried > 1000, `only ${tried} callables were found`);
});

Deno.test("calls: every declaration gives its parameters once, the required ones first", () => {
  const found = declarations();
  assert(found.length > 900, `only ${found.length} declarations were found`);
  for (const { op, positional, required, names } of found) {
    assertEquals(new Set(names).size, names.length, `${op}: ${names}`);
    assertEquals(names.slice(0, positional.length), positional, op);
    assert(required <= positional.length && [...positional].every((name) => name !== undefined), op);
  }
});
