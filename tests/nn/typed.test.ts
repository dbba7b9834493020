/**
 * What TypeScript knows of `nn`, and what a call by name or a mistake gets. The assignments are the test of the types: this
 * file is checked.
 *
 * @module
 */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;
type Tensor = torch.Tensor;
type Parameter = InstanceType<typeof nn.Parameter>;
type Module = InstanceType<typeof nn.Module>;

/** Fails to compile unless the value is of the type that is asked for. */
function typed<T>(value: T): T {
  return value;
}

Deno.test("nn: bias is typed by the option", () => {
  typed<readonly number[]>(new nn.Linear(2, 1).bias.shape);
  typed<Parameter>(new nn.Linear({ inFeatures: 2, outFeatures: 1, device: "cpu" }).bias);
  const options: { bias?: boolean } = { bias: false };
  typed<Parameter | null>(new nn.Linear(2, 1, options).bias);
  // @ts-expect-error: what the options say is not known here
  typed<Parameter>(new nn.Linear(2, 1, options).bias);
  assertStrictEquals(typed<null>(new nn.Linear(2, 1, { bias: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.Linear(2, 1, false).bias), null);
  assertStrictEquals(typed<null>(new nn.Bilinear(2, 2, 1, { bias: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.Conv2d(1, 2, 3, { bias: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.Conv2d(1, 2, 3, 1, 0, 1, 1, false).bias), null);
  assertStrictEquals(typed<null>(new nn.ConvTranspose1d(1, 2, 3, { bias: false }).bias), null);
  assertEquals(typed<Parameter>(new nn.Conv1d(1, 2, 3, { padding: "same" }).bias).shape, [2]);
});

Deno.test("nn: factors and running statistics are typed by the options", () => {
  const norm = new nn.BatchNorm2d(3);
  assertEquals(typed<Parameter>(norm.weight).shape, [3]);
  assertEquals(typed<Tensor>(norm.running_mean).shape, [3]);
  assertStrictEquals(typed<null>(new nn.BatchNorm2d(3, { affine: false }).weight), null);
  assertStrictEquals(typed<null>(new nn.BatchNorm2d(3, { bias: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.BatchNorm2d(3, { trackRunningStats: false }).running_var), null);
  assertStrictEquals(typed<null>(new nn.InstanceNorm1d(3).weight), null);
  assertEquals(typed<Parameter>(new nn.InstanceNorm1d(3, { affine: true }).bias).shape, [3]);
  assertEquals(typed<Parameter>(new nn.LayerNorm(4).bias).shape, [4]);
  assertStrictEquals(typed<null>(new nn.LayerNorm(4, { elementwiseAffine: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.LayerNorm(4, { bias: false }).bias), null);
  assertStrictEquals(typed<null>(new nn.GroupNorm(1, 4, { affine: false }).weight), null);
  assertEquals(typed<Parameter>(new nn.RMSNorm(4).weight).shape, [4]);
});

class Block extends nn.Module {
  first: Module = new nn.Linear(2, 2, { bias: false });
  norm: InstanceType<typeof nn.LayerNorm> = new nn.LayerNorm(2, { bias: false });
  rest = new nn.ModuleList([new nn.Linear(2, 2), new nn.ReLU()]);
  any: InstanceType<typeof nn.ModuleList> = this.rest;

  forward(x: Tensor): Tensor {
    x = this.norm.call(this.first.call(x));
    for (const layer of this.rest) x = layer.call(x);
    for (const layer of this.any) x = layer.call(x);
    return x;
  }

  twice(x: Tensor): Tensor {
    return this.call(this.call(x));
  }
}

class Stack extends nn.Sequential {
  constructor() {
    super(new nn.Linear(2, 2), new nn.Tanh());
  }
  twice(x: Tensor): Tensor {
    return this.call(this.call(x));
  }
}

class Adapter extends nn.Linear {
  scale = new nn.Parameter(torch.ones(1));
  constructor(size: number) {
    super(size, size, { bias: false });
  }
  override forward(x: Tensor): Tensor {
    return super.forward(x).mul(this.scale);
  }
}

Deno.test("nn: modules call themselves, and fields of general types", () => {
  const x = torch.ones(3, 2);
  assertEquals(new Block().twice(x).shape, [3, 2]);
  assertEquals(new Stack().twice(x).shape, [3, 2]);
  assertEquals(new Adapter(2).call(x).shape, [3, 2]);
  const rnns: InstanceType<typeof nn.RNNBase>[] = [new nn.RNN(2, 3), new nn.LSTM(2, 3), new nn.GRU(2, 3)];
  assertEquals(rnns.map((rnn) => rnn.call(x)[0].shape), [[3, 3], [3, 3], [3, 3]]);
});

Deno.test("nn.ModuleDict and nn.ParameterDict: names are typed attributes, in copies too", () => {
  const parts = new nn.ModuleDict({ wte: new nn.Embedding(5, 4), get: new nn.ReLU(), layers: new nn.ModuleList() });
  assertEquals(parts.wte.call(torch.tensor([1n])).shape, [1, 4]);
  assertEquals(parts.get("wte").embeddingDim, 4);
  assertEquals(String(parts.get("get")), "ReLU()"); // a method keeps its name
  const copy = parts.clone();
  assertEquals(copy.wte === parts.wte, false);
  assertStrictEquals(copy.wte, copy.get("wte"));
  const table = new nn.Embedding(7, 4);
  parts.wte = table;
  assertStrictEquals(parts.get("wte"), table);
  assertEquals(Object.keys(parts.stateDict()), ["wte.weight"]);
  assertEquals(String(copy).split("\n")[0], "ModuleDict(");

  const open = new nn.ModuleDict();
  open.set("a", new nn.ReLU());
  assertEquals(typed<Module | undefined>(open.get("b")), undefined);

  const weights = new nn.ParameterDict({ w: torch.ones(2) });
  assertEquals(typed<Parameter>(weights.w).requiresGrad, true);
  weights.w = new nn.Parameter(torch.zeros(3));
  assertEquals([...weights.parameters()].map((p) => p.shape), [[3]]);
});

Deno.test("nn: returnIndices gives two tensors, in the type as well", () => {
  const x = torch.randn(1, 1, 4, 4);
  const [values, indices] = new nn.MaxPool2d(2, { returnIndices: true }).call(x);
  assertEquals([values.shape, indices.dtype], [[1, 1, 2, 2], torch.int64]);
  assertEquals(new nn.MaxUnpool2d(2).call(values, indices).shape, [1, 1, 4, 4]);
  assertEquals(new nn.AdaptiveMaxPool2d(2, { returnIndices: true }).call(x)[1].shape, [1, 1, 2, 2]);
  assertEquals(typed<Tensor>(new nn.MaxPool2d(2).call(x)).shape, [1, 1, 2, 2]);
});

Deno.test("nn: arguments go by name", async () => {
  const net = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
  assertEquals([...net.parameters({ recurse: false })], []);
  assertEquals([...net.namedParameters({ prefix: "net" })][0][0], "net.0.weight");
  assertEquals([...net.namedModules({ prefix: "m" })].map(([name]) => name), ["m", "m.0", "m.1"]);
  assertEquals(net.train({ mode: false }).training, false);
  net.requiresGrad_({ requiresGrad: false });
  assertEquals([...net.parameters()].some((p) => p.requiresGrad), false);
  assertEquals(Object.keys(net.stateDict({ prefix: "x." }))[0], "x.0.weight");
  assertEquals(net.loadStateDict({}, { strict: false }).missingKeys.length, 6);
  net[0].registerBuffer("seen", torch.ones(1), { persistent: false });
  assertEquals(Object.keys(net[0].stateDict()), ["weight", "bias"]);
  assertEquals(net.getParameter({ target: "0.weight" }).shape, [2, 2]);
  assertEquals(new nn.Conv2d(3, 8, 3).to("cpu", { memoryFormat: torch.channelsLast }).weight.stride(), [27, 1, 9, 3]);
  assertEquals(net.to({ dtype: torch.float64 })[0].getParameter("weight").dtype, torch.float64);
  assertEquals(nn.init.calculateGain("leaky_relu", { param: 0.2 }), Math.sqrt(2 / 1.04));
  const p = new nn.Parameter({ data: torch.ones(2), requiresGrad: true });
  p.mul(5).sum().backward();
  nn.utils.clipGradValue_([p], { clipValue: 1 });
  assertEquals(await p.grad!.tolist(), [1, 1]);
  assertEquals(typed<Tensor | null>(new nn.BCEWithLogitsLoss({ posWeight: torch.ones(1) }).posWeight)!.shape, [1]);
});

Deno.test("nn.BCEWithLogitsLoss: the weights are buffers under PyTorch's names", () => {
  const loss = new nn.BCEWithLogitsLoss({ weight: torch.ones(2), posWeight: torch.ones(2) });
  assertEquals(Object.keys(loss.stateDict()), ["weight", "pos_weight"]);
  assertEquals(loss.to(torch.float64).posWeight!.dtype, torch.float64);
  assertEquals(loss.clone().posWeight!.shape, [2]);
  assertEquals(loss.call(torch.zeros(2), torch.ones(2)).shape, []);
});

/** Mistakes and the sentence that each gets. */
const MISTAKES: readonly [what: string, make: () => unknown, message: string][] = [
  [
    "a function in Sequential",
    () => new nn.Sequential(new nn.Linear(1, 1), nn.functional.relu as never),
    "Sequential(): expected a Module as item 1, got function relu; a function is no module",
  ],
  [
    "a class in Sequential",
    () => new nn.Sequential(nn.ReLU as never),
    "Sequential(): expected a Module as item 0, got class ReLU; make one: new ReLU(…)",
  ],
  [
    "a class by name",
    () => new nn.Sequential({ act: nn.Linear as never }),
    'Sequential(): expected a Module as "act", got class Linear; make one: new Linear(…)',
  ],
  [
    "a module for a list",
    () => new nn.ModuleList(new nn.ReLU() as never),
    "ModuleList(): modules must be an array or another iterable: ReLU",
  ],
  ["a size as text", () => new nn.Linear("3" as never, 1), 'Linear(): inFeatures must be an integer: "3"'],
  ["a fraction", () => new nn.Conv2d(1, 1.5, 3), "Conv2d(): outChannels must be an integer: 1.5"],
  ["a negative size", () => new nn.Embedding(-1, 2), "Embedding(): numEmbeddings must not be negative: -1"],
  ["no size", () => new nn.Linear(3 as never), 'Linear(): missing argument: "outFeatures"'],
  [
    "a misspelt option",
    () => new nn.ReLU({ inplac: true } as never),
    'ReLU(): unknown argument: "inplac"; did you mean "inplace"?',
  ],
  ["an argument too many", () => new nn.Dropout(0.5, false, 1 as never), "Dropout(): too many arguments: 3 given"],
  [
    "an unknown option of a method",
    () => new nn.Linear(1, 1).parameters({ recurs: false } as never),
    'parameters(): unknown argument: "recurs"; did you mean "recurse"?',
  ],
  [
    "no forward",
    () => new (class Net extends nn.Module {})().call(torch.ones(1)),
    "Net(): the module has no forward(); write one",
  ],
  [
    "an array for a tensor",
    () => new nn.Linear(2, 1).call([1, 2] as never),
    "Linear(): input must be a Tensor: Array; make one of it: torch.tensor(…)",
  ],
  [
    "an array for a tensor of a table's layer",
    () => new nn.Flatten().call([1] as never),
    "Flatten(): input must be a Tensor",
  ],
  [
    "an array for images",
    () => new nn.BatchNorm2d(3).call([1] as never),
    "BatchNorm2d(): input must be a Tensor: Array",
  ],
  ["an array for a sequence", () => new nn.LSTM(3, 2).call([1] as never), "LSTM(): input must be a Tensor: Array"],
  ["a mode that is none", () => new nn.ReLU().train("on" as never), 'train(): mode must be true or false: "on"'],
];

for (const [what, make, message] of MISTAKES) {
  Deno.test(`nn: ${what} is refused`, () => {
    assertThrows(make, torch.ArgumentError, message);
  });
}
