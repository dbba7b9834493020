/**
 * torch.load and torch.save: files that PyTorch wrote, a training that goes on from one, what is written, and files that are
 * damaged or hostile.
 */

import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import * as torch from "../../mod.ts";
import { pickle } from "../../src/io/pickle.ts";
import { unpickle } from "../../src/io/unpickle.ts";
import { inMemory } from "../../src/io/files.ts";
import { ZipArchive, zipParts } from "../../src/io/zip.ts";
import { stream } from "../cpu/arrays.ts";

const { nn, optim } = torch;
type Tensor = torch.Tensor;
const FOLDER = new URL("../golden/checkpoints/", import.meta.url).pathname;
const MARKER = "/tmp/CRESSET_MALICIOUS_PICKLE_WAS_EXECUTED";

/** A value as `expected.json` describes it. */
type Node =
  | {
    type: "tensor" | "parameter";
    dtype: string;
    shape: number[];
    stride: number[];
    requires_grad: boolean;
    values: unknown[];
  }
  | { type: "dict" | "OrderedDict"; items: [Node, Node][] }
  | { type: "list" | "tuple" | "Size"; items: Node[] }
  | { type: "none" }
  | { type: "bool" | "int" | "float" | "str" | "dtype" | "device"; value: unknown };

const gunzip = (bytes: Uint8Array<ArrayBuffer>) =>
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
const expected = await gunzip(await Deno.readFile(`${FOLDER}expected.json.gz`)) as Record<
  string,
  { tree: Node; shared_storage?: string[][] }
>;

function numberOf(value: unknown): unknown {
  if (typeof value === "string" && /^-?(NaN|Infinity)$/.test(value)) return Number(value);
  return typeof value === "string" && /^-?\d+$/.test(value) ? BigInt(value) : value;
}

async function compareTensor(value: unknown, node: Node & { shape: number[] }, place: string): Promise<void> {
  const { type, dtype, shape, stride, requires_grad: grad, values } = node as Node & { type: "tensor" };
  const x = value as Tensor;
  assert(x instanceof torch.Tensor, place);
  assertEquals(x instanceof nn.Parameter, (type as string) === "parameter", place);
  assertEquals([x.dtype.name, x.shape, x.requiresGrad], [dtype, shape, grad], place);
  if (shape.every((n) => n > 0)) assertEquals(x.stride(), stride, place);
  const flat = x.detach().reshape(-1), wide = x.dtype.isFloatingPoint ? flat.to(torch.float64) : flat;
  const ours = x.dtype.isComplex ? await torch.viewAsReal(flat).tolist() : await wide.tolist();
  assertEquals(JSON.stringify(ours, plain), JSON.stringify(values.map(numberOf), plain), place);
}

/** JSON of numbers that it lacks; whole numbers of both kinds alike. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "number") return value;
  return Object.is(value, -0) || !Number.isFinite(value) ? `${Object.is(value, -0) ? "-0" : value}` : String(value);
}

async function compare(value: unknown, node: Node, place: string): Promise<void> {
  switch (node.type) {
    case "tensor":
    case "parameter":
      return await compareTensor(value, node, place);
    case "dict":
    case "OrderedDict": {
      const entries = value instanceof Map ? [...value] : Object.entries(value as object);
      assertEquals(entries.length, node.items.length, place);
      for (const [key, item] of node.items) {
        const name = key.type === "tuple" ? null : (key as { value: unknown }).value;
        const found = entries.find(([k]) => name === null ? Array.isArray(k) : k === name || k === String(name));
        assert(found, `${place}: ${String(name)}`);
        await compare(found![1], item, `${place}.${String(name)}`);
      }
      return;
    }
    case "list":
    case "tuple":
    case "Size":
      assert(Array.isArray(value) && value.length === node.items.length, place);
      for (const [i, item] of node.items.entries()) await compare((value as unknown[])[i], item, `${place}[${i}]`);
      return;
    case "none":
      return assertEquals(value, null, place);
    case "dtype":
    case "device":
      return assertEquals(String(value), node.value, place);
    default:
      assertEquals(plain("", value), plain("", numberOf(node.value)), place);
  }
}

for (const [name, { tree, shared_storage: shared = [] }] of Object.entries(expected)) {
  if (!name.endsWith(".pt")) continue;
  Deno.test(`load(): ${name}, written by PyTorch`, async () => {
    const value = await torch.load(`${FOLDER}${name}`);
    await compare(value, tree, name);
    for (const keys of shared) {
      const tensors = keys.map((key) => (value as Record<string, Tensor>)[key]);
      torch.noGrad(() => tensors[0].fill_(7));
      for (const x of tensors) assertEquals(await x.max().item(), 7);
    }
  });
}

const REFUSED: Record<string, string> = {
  "full_module.pt": "save model.state_dict() instead of the model",
  "malicious.pt": "posix.system, which is refused",
  "malicious_legacy.pt": "posix.system, which is refused",
  "malicious_raw.pkl": "posix.system, which is refused",
  "truncated.pt": "its end was cut off",
  "truncated_legacy.pt": "is cut off",
  "corrupt.pt": "its checksum is wrong",
  "corrupt_pickle.pt": "its pickle ends early",
  "short_storage.pt": "storage 0 has 8 bytes for 24",
  "empty.pt": "it is empty",
  "not_a_checkpoint.pt": 'it begins with "hello, this is t"',
  "model.safetensors": "read it by io.safetensors.loadFile()",
};

Deno.test("load() refuses what is damaged or no data, by name, and executes nothing", async () => {
  for (const [name, why] of Object.entries(REFUSED)) {
    const error = await assertRejects(() => torch.load(`${FOLDER}${name}`), torch.FormatError, why);
    assertStringIncludes(error.message, `load(): "${FOLDER}${name}"`);
  }
  await assertRejects(() => Deno.stat(MARKER), Deno.errors.NotFound);
  await assertRejects(() => torch.load(`${FOLDER}nothing.pt`), Deno.errors.NotFound, "load(): cannot read");
  await assertRejects(
    () => torch.load("x.pt", { weightsOnly: false }),
    torch.ArgumentError,
    "weightsOnly must be true",
  );
});

interface Training {
  checkpoint: {
    model: Record<string, Tensor>;
    optimizers: { adam: Record<string, unknown>; sgd: Record<string, unknown> };
    schedules: { step: Record<string, unknown>; cosine: Record<string, unknown> };
    scaler: Record<string, unknown>;
    generator: Tensor;
    x: Tensor;
    y: Tensor;
  };
  losses: number[];
  after: Record<string, Tensor>;
}

/** The training of `tests/golden/make_checkpoints.py`. */
function training() {
  const first = new nn.Linear(4, 8), norm = new nn.BatchNorm1d(8), last = new nn.Linear(8, 1);
  const model = new nn.Sequential(first, new nn.Tanh(), norm, last);
  const adam = new optim.AdamW(first.parameters(), { lr: 0.05, amsgrad: true });
  const sgd = new optim.SGD([...norm.parameters(), ...last.parameters()], { lr: 0.1, momentum: 0.9, nesterov: true });
  const step = new optim.lrScheduler.StepLR(adam, { stepSize: 2, gamma: 0.5 });
  const cosine = new optim.lrScheduler.CosineAnnealingLR(sgd, { T_max: 10 });
  const parts = { model, adam, sgd, step, cosine };
  return {
    ...parts,
    load({ model: state, optimizers, schedules }: Training["checkpoint"]) {
      model.loadStateDict(state);
      adam.loadStateDict(optimizers.adam as never);
      sgd.loadStateDict(optimizers.sgd as never);
      step.loadStateDict(schedules.step);
      cosine.loadStateDict(schedules.cosine);
    },
    async run(x: Tensor, y: Tensor): Promise<number> {
      const loss = model.call(x).sub(y).square().mean();
      for (const o of [adam, sgd]) o.zeroGrad();
      loss.backward();
      for (const part of [adam, sgd, step, cosine]) part.step();
      return await loss.item();
    },
  };
}

Deno.test("a training goes on from a checkpoint of PyTorch, and from what is saved of it, as PyTorch's does", async () => {
  const { checkpoint, losses, after } = await torch.load<Training>(`${FOLDER}training.pt`);
  const path = await Deno.makeTempFile({ suffix: ".pt" });
  let from = checkpoint;
  for (const [i, loss] of losses.entries()) {
    const run = training();
    run.load(from);
    assertAlmostEquals(await run.run(checkpoint.x, checkpoint.y), loss, 2e-6);
    const { model, adam, sgd, step, cosine } = run;
    await torch.save({
      ...{ model: model.stateDict(), optimizers: { adam: adam.stateDict(), sgd: sgd.stateDict() } },
      ...{ schedules: { step: step.stateDict(), cosine: cosine.stateDict() }, scaler: checkpoint.scaler },
    }, path);
    from = await torch.load<Training["checkpoint"]>(path);
    if (i < losses.length - 1) continue;
    for (const [name, x] of Object.entries(after)) {
      {
        assert(await torch.allclose(x.float(), from.model[name].float(), { rtol: 1e-4, atol: 1e-6 }), name);
      }
    }
  }
  assertEquals(checkpoint.scaler.scale, 1024);
  assertEquals(checkpoint.generator.dtype, torch.uint8);
  await Deno.remove(path);
});

/** What `torch.save` writes, as bytes. */
async function saved(value: unknown): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const bytes = new Response(readable).bytes();
  await torch.save(value, writable);
  return await bytes;
}

Deno.test("what save() writes load() reads: values, dtypes, layouts, shared memory, cycles", async () => {
  const base = torch.arange(12, { dtype: torch.float32 }),
    list: unknown[] = [1, -1, 256, -(2 ** 31), 2 ** 40, 2n ** 70n];
  const value = {
    ...{ yes: true, no: false, nothing: null, float: 0.5, minus: -0, nan: NaN, infinite: -Infinity, text: "Grüße 🐍" },
    ...{
      list,
      nested: [[], {}, new Map([[["a", 1], 2]]), new Set(["x"])],
      __proto: 1,
      bytes: new Uint8Array([0, 255]),
    },
    ...{ dtype: torch.bfloat16, device: torch.device("cpu"), again: list },
    ...{ base, row: base.view(3, 4).at(1), turned: base.view(3, 4).t(), parameter: new nn.Parameter(torch.ones(2)) },
    ...{ frozen: new nn.Parameter(torch.ones(2), false), empty: torch.zeros(0, 3), scalar: torch.tensor(5) },
    ...{ half: torch.ones(3).half(), brain: torch.ones(3).bfloat16(), flags: torch.tensor([true, false]) },
    ...{ complex: torch.complex(torch.ones(2), torch.zeros(2)), tiny: torch.ones(2).to(torch.float8E4m3fn) },
  } as Record<string, unknown>;
  value.self = value;
  const back = await torch.load<Record<string, unknown>>(await saved(value));
  assert(back.self === back && back.again === back.list);
  for (const key of ["yes", "no", "nothing", "float", "minus", "nan", "infinite", "text", "list", "nested", "bytes"]) {
    assertEquals(back[key], value[key], key);
  }
  assert(back.dtype === torch.bfloat16 && back.device === torch.device("cpu"));
  for (const [key, x] of Object.entries(value)) {
    if (!(x instanceof torch.Tensor)) continue;
    const y = back[key] as Tensor;
    assertEquals([y.dtype, y.shape, y.stride(), y.requiresGrad], [x.dtype, x.shape, x.stride(), x.requiresGrad], key);
    assertEquals(y instanceof nn.Parameter, x instanceof nn.Parameter, key);
    assertEquals(await y.detach().bytes(), await x.detach().bytes(), key);
  }
  torch.noGrad(() => (back.base as Tensor).fill_(3));
  assertEquals(await (back.row as Tensor).tolist(), [3, 3, 3, 3]);
});

Deno.test("save() refuses what PyTorch could not read, with its place, and keeps the previous file", async () => {
  const path = await Deno.makeTempFile({ suffix: ".pt" });
  await torch.save([1], path);
  const model = new nn.Linear(1, 1);
  for (
    const [value, where] of [
      [{ a: { b: [1, () => 1] } }, "at a.b[1]: "],
      [{ model }, "at model: "],
      [new Float32Array(2), ": "],
      [Symbol("x"), ": "],
    ] as const
  ) {
    await assertRejects(() => torch.save(value, path), torch.ArgumentError, where);
  }
  let deep: unknown = 1;
  for (let i = 0; i < 1e5; i++) deep = [deep];
  await assertRejects(() => torch.save(deep, path), torch.ArgumentError, "nested too deep");
  assertEquals(await torch.load(path), [1]);
  await Deno.remove(path);
});

Deno.test("load() takes bytes, places tensors by mapLocation, and reads those alone that are asked for", async () => {
  const bytes = await saved({ a: torch.ones(2), b: [torch.zeros(2), torch.ones(1)], n: 1 });
  const some = await torch.load<Record<string, unknown>>(bytes, { only: (place) => place !== "a" && place !== "b.0" });
  assertEquals([Object.keys(some), (some.b as unknown[])[0]], [["b", "n"], null]);
  assertEquals(Object.keys(await torch.load<object>(bytes, { only: "a" })), ["a", "b", "n"]);
  const asked: string[] = [];
  await torch.load(bytes, { mapLocation: (location: string) => (asked.push(location), null) });
  assertEquals(new Set(asked), new Set(["cpu"]));
  for (const mapLocation of ["cpu", torch.device("cpu"), { cpu: "cpu" }]) await torch.load(bytes, { mapLocation });
  const elsewhere = bytes.slice();
  // A tensor of a GPU that is not here: the location is a text in the pickle, whose checksum PyTorch does not look at.
  const archive = await rebuilt(elsewhere, (text) => text.replace("\x03\0\0\0cpu", "\x06\0\0\0cuda:7"));
  await assertRejects(() => torch.load(archive), torch.DeviceError, 'give mapLocation: "cpu"');
  assertEquals((await torch.load<{ a: Tensor }>(archive, "cpu")).a.device.type, "cpu");
});

/** An archive with another pickle. */
async function rebuilt(
  bytes: Uint8Array<ArrayBuffer>,
  change: (text: string) => string,
): Promise<Uint8Array<ArrayBuffer>> {
  const archive = await ZipArchive.open(inMemory(bytes), { op: "test", file: "the data" });
  const files = await Promise.all([...archive.entries.values()].map(async (entry) => {
    const own = await archive.read(entry);
    if (!entry.name.endsWith("data.pkl")) return { name: entry.name, bytes: own };
    const text = change(Array.from(own, (b) => String.fromCharCode(b)).join(""));
    return { name: entry.name, bytes: Uint8Array.from(text, (c) => c.charCodeAt(0)) };
  }));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of zipParts(files, 64)) parts.push(part as Uint8Array<ArrayBuffer>);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

Deno.test("load() reads numbers whose greatest byte comes first", async () => {
  const file = await Deno.readFile(`${FOLDER}tensor_only.pt`);
  const archive = await ZipArchive.open(inMemory(file), { op: "test", file: "the data" });
  const files = [];
  for (const entry of archive.entries.values()) {
    let bytes: Uint8Array = await archive.read(entry);
    if (entry.name.endsWith("byteorder")) bytes = new TextEncoder().encode("big");
    if (entry.name.endsWith("data/0")) { for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse(); }
    files.push({ name: entry.name, bytes });
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of zipParts(files, 64)) parts.push(part as Uint8Array<ArrayBuffer>);
  const x = await torch.load<Tensor>(new Uint8Array(await new Blob(parts).arrayBuffer()));
  assertEquals(await x.tolist(), [[0, 1, 2], [3, 4, 5]]);
});

const NOTHING = {
  find: () => undefined,
  load: () => null,
  refuse: (name: string) => new torch.FormatError(`refused(): ${name}`),
  broken: (why: string) => new torch.FormatError(`broken(): ${why}`),
};

Deno.test("pickles of every version are read, nested as deep as they like", async () => {
  for (const [version, hex] of PICKLES) {
    const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
    const { value } = unpickle(bytes, {
      ...NOTHING,
      find: (_, name) => name === "set" ? (x: unknown) => new Set(x as []) : undefined,
    });
    assertEquals(value, { a: [1, -5, 300, 70000, 2n ** 65n, 1.5, true, null], b: ["é", 2, [3]] }, `version ${version}`);
  }
  const deep = new Uint8Array([...Array(1e5).fill(0x5d), ...Array(1e5 - 1).fill(0x61), 0x2e]);
  let depth = 0;
  for (let at = unpickle(deep, NOTHING).value; Array.isArray(at); at = at[0]) depth++;
  assertEquals(depth, 1e5);
  await Promise.resolve();
});

/** Python's pickles of one value by version: `pickle.dumps(value, version).hex()`. */
const PICKLES: readonly (readonly [version: number, hex: string])[] = [
  [
    0,
    "286470300a56610a70310a286c70320a49310a61492d350a61493330300a614937303030300a614c33363839333438383134373431393130333233324c0a6146312e350a614930310a614e617356620a70330a2856e90a70340a49320a286c70350a49330a617470360a732e",
  ],
  [
    1,
    "7d71002858010000006171015d7102284b014afbffffff4d2c014a701101004c33363839333438383134373431393130333233324c0a473ff80000000000004930310a4e655801000000627103285802000000c3a971044b025d71054b0361747106752e",
  ],
  [
    2,
    "80027d71002858010000006171015d7102284b014afbffffff4d2c014a701101008a09000000000000000002473ff8000000000000884e6558010000006271035802000000c3a971044b025d71054b0361877106752e",
  ],
  [
    3,
    "80037d71002858010000006171015d7102284b014afbffffff4d2c014a701101008a09000000000000000002473ff8000000000000884e6558010000006271035802000000c3a971044b025d71054b0361877106752e",
  ],
  [
    4,
    "80049544000000000000007d94288c0161945d94284b014afbffffff4d2c014a701101008a09000000000000000002473ff8000000000000884e658c0162948c02c3a9944b025d944b03618794752e",
  ],
  [
    5,
    "80059544000000000000007d94288c0161945d94284b014afbffffff4d2c014a701101008a09000000000000000002473ff8000000000000884e658c0162948c02c3a9944b025d944b03618794752e",
  ],
];

/** Bytes with a few of them changed, cut off or repeated. */
function damaged(bytes: Uint8Array<ArrayBuffer>, seed: number): Uint8Array<ArrayBuffer> {
  const random = stream(seed), below = (n: number) => Math.floor(random() * n);
  let out = bytes.slice();
  for (let i = below(4); i >= 0; i--) out[below(out.length)] = random() < 0.5 ? below(256) : out[below(out.length)];
  if (random() < 0.2) out = out.slice(0, below(out.length));
  return out;
}

const count = Deno.args.includes("--seeds") ? Number(Deno.args[Deno.args.indexOf("--seeds") + 1]) : 250;

Deno.test("damaged files are read, or refused with an error of the library", async () => {
  const files = ["tensor_only.pt", "training_checkpoint.pt", "legacy.pt", "malicious.pt", "protocol4.pt"];
  const sound = await Promise.all(files.map((name) => Deno.readFile(`${FOLDER}${name}`)));
  const pickled = pickle("test", { a: [1, 2, "x"], b: new Map([[1, [2n ** 80n]]]) }, {
    reduce: () => undefined,
    whole: () => false,
  });
  const permitted = [torch.FormatError, torch.DTypeError, torch.DeviceError];
  for (let seed = 0; seed < count; seed++) {
    const bytes = damaged(sound[seed % sound.length], seed);
    try {
      // Checksums would find nearly all: the pickle is damaged behind them, too.
      await torch.load(
        seed % 2 === 0 ? bytes : await rebuilt(sound[seed % 2], (text) => {
          const own = damaged(Uint8Array.from(text, (c) => c.charCodeAt(0)), seed);
          return Array.from(own, (b) => String.fromCharCode(b)).join("");
        }),
      );
    } catch (error) {
      assert(permitted.some((type) => error instanceof type), `seed ${seed}: ${error}`);
    }
    try {
      unpickle(damaged(pickled as Uint8Array<ArrayBuffer>, seed), NOTHING);
    } catch (error) {
      assert(error instanceof torch.FormatError, `pickle, seed ${seed}: ${error}`);
    }
  }
  await assertRejects(() => Deno.stat(MARKER), Deno.errors.NotFound);
});
