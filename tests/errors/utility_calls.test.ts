/**
 * Calls of what is not an op: data, autograd, files, scalers, metrics, devices, pictures. A misspelt, unknown or surplus
 * argument is refused, naming the one that was meant, and every argument goes by name.
 */

import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import * as vision from "../../src/vision/mod.ts";

const { utils: { data, metrics }, amp, autograd, cuda, io } = torch;

/** Calls anything with anything: what these tests give is wrong for the types, too. */
function wrong(f: unknown, ...args: readonly unknown[]): unknown {
  return Reflect.apply(f as (...args: readonly unknown[]) => unknown, undefined, args);
}

/** The same of a class. */
function build(c: unknown, ...args: readonly unknown[]): unknown {
  return Reflect.construct(c as new (...args: readonly unknown[]) => unknown, args);
}

const x = torch.ones(2, 2, { requiresGrad: true });
const set = new data.TensorDataset(torch.ones(4, 2), torch.arange(4));
const scaler = new amp.GradScaler("cpu", { enabled: false });
const mean = new metrics.Mean();

/** A call with a misspelt name, and the name that was meant. */
const MISSPELT: readonly [what: string, call: () => unknown, meant: string][] = [
  ["DataLoader", () => build(data.DataLoader, set, { batchsize: 2 }), "batchSize"],
  ["DataLoader, collate", () => build(data.DataLoader, set, 2, { collate_fn: () => 1 }), "collateFn"],
  ["RandomSampler", () => build(data.RandomSampler, set, { num_samples: 2 }), "numSamples"],
  ["WeightedRandomSampler", () => build(data.WeightedRandomSampler, [1], 1, { replacment: true }), "replacement"],
  ["BatchSampler", () => build(data.BatchSampler, [1], { batchSize: 1, drop_last: true }), "dropLast"],
  ["randomSplit", () => wrong(data.randomSplit, set, [2, 2], { generatr: null }), "generator"],
  ["backward", () => wrong(x.backward.bind(x), { retain_graph: true }), "retainGraph"],
  ["requiresGrad_", () => wrong(x.requiresGrad_.bind(x), { requires_grad: true }), "requiresGrad"],
  ["autograd.grad", () => wrong(autograd.grad, x.sum(), x, { allow_unused: true }), "allowUnused"],
  ["autograd.backward", () => wrong(autograd.backward, x.sum(), { retain_graph: true }), "retainGraph"],
  ["GradScaler", () => build(amp.GradScaler, { init_scale: 2 }), "initScale"],
  ["scaler.update", () => wrong(scaler.update.bind(scaler), { newScal: 2 }), "newScale"],
  ["customFwd", () => wrong(amp.customFwd, () => x, { devicetype: "cpu" }), "deviceType"],
  ["mean.update", () => wrong(mean.update.bind(mean), 1, { wieght: 2 }), "weight"],
  ["safetensors.load", () => wrong(io.safetensors.load, new Uint8Array(8), { wide: true }), "widen"],
  ["Generator", () => build(torch.Generator, { devise: "cpu" }), "device"],
  ["manualSeed", () => wrong(torch.manualSeed, { sed: 1 }), "seed"],
  ["setPrintoptions", () => wrong(torch.setPrintoptions, { sci_mode: true }), "sciMode"],
  ["memoryStats", () => wrong(torch.memoryStats, { devic: "cpu" }), "device"],
  ["cuda.memoryAllocated", () => wrong(cuda.memoryAllocated, { devic: 0 }), "device"],
  ["cuda.Stream", () => build(cuda.Stream, { priorty: -1 }), "priority"],
  ["cuda.Event", () => build(cuda.Event, { enable_timing: true }), "enableTiming"],
  ["cuda.nccl.allReduce", () => wrong(cuda.nccl.allReduce, [x], { output: [x] }), "outputs"],
  ["RandomAffine", () => build(vision.transforms.RandomAffine, 1, { translat: [0, 0] }), "translate"],
  ["resnet18", () => wrong(vision.models.resnet18, { num_classes: 2 }), "numClasses"],
];

for (const [what, call, meant] of MISSPELT) {
  Deno.test(`${what}: a misspelt name is refused with the one that was meant`, () => {
    const error = assertThrows(call, torch.ArgumentError);
    assertStringIncludes(error.message, `did you mean "${meant}"?`);
  });
}

/** A call with one argument too many. */
const SURPLUS: readonly [what: string, call: () => unknown][] = [
  ["SequentialSampler", () => build(data.SequentialSampler, set, 1)],
  ["SubsetRandomSampler", () => build(data.SubsetRandomSampler, [1], null, 1)],
  ["Subset", () => build(data.Subset, set, [1], 1)],
  ["ConcatDataset", () => build(data.ConcatDataset, [set], set)],
  ["defaultCollate", () => wrong(data.defaultCollate, [1], [2])],
  ["detach", () => wrong(x.detach.bind(x), 1)],
  ["retainGrad", () => wrong(x.retainGrad.bind(x), true)],
  ["registerHook", () => wrong(x.registerHook.bind(x), () => null, 1)],
  ["autograd.backward", () => wrong(autograd.backward, x, null, false, false, 1)],
  ["isEnabled", () => wrong(scaler.isEnabled.bind(scaler), 1)],
  ["loadStateDict", () => wrong(scaler.loadStateDict.bind(scaler), {}, true)],
  ["device", () => wrong(torch.device, "cuda", 0, 1)],
  ["finfo", () => wrong(torch.finfo, torch.float32, 1)],
  ["canCast", () => wrong(torch.canCast, torch.float32, torch.int32, 1)],
  ["promoteTypes", () => wrong(torch.promoteTypes, torch.int32, torch.int64, torch.int8)],
  ["getDefaultDtype", () => wrong(torch.getDefaultDtype, 1)],
  ["setDefaultDtype", () => wrong(torch.setDefaultDtype, torch.float32, 1)],
  ["initialSeed", () => wrong(torch.initialSeed, 1)],
  ["isTensor", () => wrong(torch.isTensor, x, 1)],
  ["keep", () => wrong(torch.keep, x, 1)],
  ["scope", () => wrong(torch.scope, () => x, 1)],
  ["emptyCache", () => wrong(torch.emptyCache, "cpu", 1)],
  ["cuda.isAvailable", () => wrong(cuda.isAvailable, 0)],
  ["cuda.setAllowTf32", () => wrong(cuda.setAllowTf32, true, 0, 1)],
  ["Normalize", () => build(vision.transforms.Normalize, [0], [1], true)],
  ["resnet18", () => wrong(vision.models.resnet18, 10)],
];

for (const [what, call] of SURPLUS) {
  Deno.test(`${what}: a surplus argument is refused`, () => {
    assertThrows(call, torch.ArgumentError, "too many arguments");
  });
}

Deno.test("safetensors: metadata goes by position or by name, and must be an object of texts", async () => {
  const { load, loadFile, safeOpen, save, saveFile } = io.safetensors;
  const state = { weight: torch.ones(2) };
  assertEquals(Object.keys(load({ data: await save(state, { metadata: { format: "pt" } }) })), ["weight"]);
  const path = await Deno.makeTempFile();
  try {
    for (const args of [[path, { metadata: "text" }], [path, { metadata: { metadata: "text" } }]] as const) {
      await wrong(saveFile, state, ...args);
      using file = await safeOpen({ filename: path });
      assertEquals(file.metadata(), { metadata: "text" });
    }
    await saveFile(state, { filename: path });
    assertEquals(await (await loadFile({ filename: path, device: "cpu" })).weight.tolist(), [1, 1]);
    await assertRejects(
      () => wrong(saveFile, state, path, "abc") as Promise<void>,
      torch.ArgumentError,
      "metadata must",
    );
    const misspelt = () => wrong(saveFile, state, path, { metadat: { a: "b" } }) as Promise<void>;
    await assertRejects(misspelt, torch.ArgumentError, 'did you mean "metadata"?');
    await assertRejects(() => wrong(saveFile, state, path, null, 1) as Promise<void>, torch.ArgumentError, "too many");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("arguments go by name", async () => {
  assertEquals([...new data.BatchSampler({ sampler: [1, 2, 3], batchSize: 2, dropLast: true })], [[1, 2]]);
  assertEquals(new data.WeightedRandomSampler({ weights: [0, 1], numSamples: 3 }).length, 3);
  assertEquals(data.randomSplit(set, { lengths: [1, 3] }).map((part) => part.length), [1, 3]);
  assertEquals(new data.Subset(set, { indices: [1] }).length, 1);
  const leaf = torch.ones(2).requiresGrad_({ requiresGrad: true });
  assertEquals(leaf.requiresGrad_({ requiresGrad: false }).requiresGrad, false);
  leaf.requiresGrad_();
  const [g] = autograd.grad({ outputs: leaf.mul(3).sum(), inputs: leaf });
  assertEquals(await g.tolist(), [3, 3]);
  leaf.sum().backward({ inputs: leaf });
  assertEquals(await leaf.grad!.tolist(), [1, 1]);
  assertEquals(torch.device("cpu"), torch.device({ type: "cpu" }));
  assertEquals(torch.device("cuda", 1), torch.device("cuda:1"));
  assertThrows(() => torch.device("cuda:1", 1), torch.ArgumentError, "given twice");
  assertEquals(torch.canCast({ from: torch.float32, to: torch.int32 }), false);
  assertEquals(torch.finfo({ type: torch.float16 }).bits, 16);
  assertThrows(() => wrong(torch.finfo, "float32"), torch.ArgumentError, "use torch.float32");
  assertEquals(new torch.Generator({ device: "cpu" }).manualSeed({ seed: 3 }).initialSeed(), 3);
});

Deno.test("grad: a missing gradient is in the type where it is allowed", () => {
  const unused = torch.ones(1, { requiresGrad: true });
  const all: torch.Tensor[] = autograd.grad(x.sum(), x);
  const some: (torch.Tensor | null)[] = autograd.grad(x.sum(), [x, unused], { allowUnused: true });
  const zeros: torch.Tensor[] = autograd.grad(x.sum(), [unused], { materializeGrads: true });
  assertInstanceOf(all[0], torch.Tensor);
  assertEquals([some[1], zeros[0].shape], [null, [1]]);
  // @ts-expect-error -- the gradient may be null
  const _: torch.Tensor = some[1];
});

/** A loader of any dataset is of the type without arguments. */
async function countOf(loader: torch.utils.data.DataLoader): Promise<number> {
  let samples = 0;
  for await (const [input] of loader) samples += input.size(0);
  assertEquals(loader.dataset.length, samples);
  return samples;
}

Deno.test("DataLoader: a type without arguments, the dataset's length, the first batch", async () => {
  const loader = new data.DataLoader(set, { batchSize: 3 });
  assertEquals(await countOf(loader), 4);
  const [input, target] = await loader.first();
  assertEquals([input.shape, target.shape], [[3, 2], [3]]);
  await assertRejects(() => new data.DataLoader([] as number[]).first(), torch.ArgumentError, "gives no batch");
});
