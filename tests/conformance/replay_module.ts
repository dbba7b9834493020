/**
 * Replays the samples of one `nn` module: construct, load the recorded state, call in train or eval mode, compare the
 * output, the buffers afterwards, and the gradients of inputs and parameters.
 *
 * @module
 */

import { compare, comparison, tensorsIn } from "./compare.ts";
import { Absent, type Entry, makeInputs, type ReplayOptions, Tally } from "./entry.ts";
import type { Golden, Json } from "./golden.ts";
import { type Api, count, Decoder, isTensorNode, type TensorLike } from "./values.ts";

interface ModuleSample {
  i: number;
  training: boolean;
  desc: string;
  ctor: { args: Json; kwargs: Json };
  stateBefore: Record<string, Json>;
  stateDictKeys: string[];
  forward?: { args: Json; kwargs: Json };
  out: Json;
  buffersAfter: Record<string, Json>;
  random?: boolean;
  nondeterministic?: boolean;
  grad?: {
    cotangents: Json[];
    outIndex: number[];
    inputs: [number, Json | null][];
    params: Record<string, Json | null>;
  };
}

interface Manifest {
  name: string;
  cls: string;
  lazy: boolean;
  samples: ModuleSample[];
}

/** The members of a module that the replay uses. */
interface ModuleLike {
  train(mode: boolean): unknown;
  to(device: string): unknown;
  call(...args: unknown[]): unknown;
  loadStateDict(state: Record<string, TensorLike>): unknown;
  stateDict(): Record<string, TensorLike> | Map<string, TensorLike>;
  namedParameters(): Iterable<[string, TensorLike]>;
  namedBuffers(): Iterable<[string, TensorLike]>;
}

type ModuleClass = new (...args: unknown[]) => ModuleLike;

interface Context {
  golden: Golden;
  api: Api;
  manifest: Manifest;
  options: ReplayOptions;
}

/** Replays the module recorded in `golden`. */
export async function replayModule(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry> {
  const manifest = golden.manifest as unknown as Manifest;
  const head = { kind: "module", name: manifest.name, variant: "", dtype: "float32" };
  const tally = new Tally(options);
  for (const sample of manifest.samples) {
    const label = `${sample.training ? "train" : "eval"} #${sample.i}`;
    await tally.sample(label, () => replaySample(sample, { golden, api, manifest, options }));
  }
  return tally.entry(head);
}

/** Positional arguments, then an options object where there are keyword arguments. */
function argumentsOf(decoder: Decoder, { args, kwargs }: { args: Json; kwargs: Json }): unknown[] {
  const options = decoder.options(kwargs);
  const names = Object.keys(options);
  // `linear(input=x)` is `linear.call(x)`: only options stand in an object.
  if (names.length === 1 && names[0] === "input") return [...decoder.list(args), options.input];
  return names.length > 0 ? [...decoder.list(args), options] : decoder.list(args);
}

async function replaySample(sample: ModuleSample, context: Context): Promise<string | null> {
  const { golden, api, manifest, options } = context;
  const decoder = new Decoder(golden, api, { device: options.device });
  const Module = decoder.path(manifest.name) as ModuleClass | undefined;
  if (typeof Module !== "function") throw new Absent(`torch.${manifest.name}`);
  const constructorArguments = makeInputs(options.device, () => argumentsOf(decoder, sample.ctor));
  const module = new Module(...constructorArguments);
  if (options.device !== "cpu") module.to(options.device);
  module.train(sample.training);
  // The recorded state's tensors are leaves of their own: load copies, so that ids of inputs stay those of inputs.
  const state = Object.fromEntries(
    Object.entries(sample.stateBefore).map(([key, node]) => [key, decoder.value(node) as TensorLike]),
  );
  const call = sample.forward && makeInputs(options.device, () => argumentsOf(decoder, sample.forward!));
  if (manifest.lazy && call) (api.noGrad as (body: () => unknown) => unknown)(() => module.call(...call));
  module.loadStateDict(persistent(state, sample.stateDictKeys));
  const keys = keyDifference(module, sample.stateDictKeys);
  if (keys || !sample.forward || !call) return keys;
  const out = await module.call(...call);
  const values = !sample.random && !sample.nondeterministic;
  const expected = comparison(golden, manifest.name, { values, requiresGrad: sample.grad !== undefined });
  return await compare(out, sample.out, expected) ??
    await checkBuffers(module, sample, comparison(golden, manifest.name, { ids: expected.ids })) ??
    await checkGradients(module, out, sample, decoder, values, context);
}

/** The entries of `state` that belong to the state dict. */
function persistent(state: Record<string, TensorLike>, keys: string[]): Record<string, TensorLike> {
  return Object.fromEntries(Object.entries(state).filter(([key]) => keys.includes(key)));
}

/** State-dict keys are PyTorch's exactly, in its order. */
function keyDifference(module: ModuleLike, expected: string[]): string | null {
  const state = module.stateDict();
  const actual = state instanceof Map ? [...state.keys()] : Object.keys(state);
  if (actual.join(" ") === expected.join(" ")) return null;
  return `state dict keys [${actual.join(", ")}], expected [${expected.join(", ")}]`;
}

async function checkBuffers(
  module: ModuleLike,
  sample: ModuleSample,
  context: ReturnType<typeof comparison>,
): Promise<string | null> {
  const buffers = new Map(module.namedBuffers());
  for (const [name, node] of Object.entries(sample.buffersAfter)) {
    const difference = await compare(buffers.get(name), node, context, `buffer ${name}`);
    if (difference) return difference;
  }
  return null;
}

type Grad = (
  outputs: TensorLike[],
  inputs: TensorLike[],
  options: { gradOutputs: TensorLike[]; allowUnused: boolean },
) => (TensorLike | null | undefined)[];

async function checkGradients(
  module: ModuleLike,
  out: unknown,
  sample: ModuleSample,
  decoder: Decoder,
  values: boolean,
  { golden, api, manifest, options }: Context,
): Promise<string | null> {
  const gradient = sample.grad;
  if (!gradient) return null;
  const cotangents = new Decoder(golden, api, { device: options.device }).list(gradient.cotangents) as TensorLike[];
  const tensors = tensorsIn(out);
  const outs = gradient.outIndex.map((i) => tensors[i]);
  const parameters = new Map(module.namedParameters());
  const wanted: [string, TensorLike | undefined, Json | null][] = [
    ...gradient.inputs.map(([id, node]): [string, TensorLike | undefined, Json | null] => [
      `gradient of input ${id}`,
      decoder.tensors.get(id),
      node,
    ]),
    ...Object.entries(gradient.params).map(([name, node]): [string, TensorLike | undefined, Json | null] => [
      `gradient of parameter ${name}`,
      parameters.get(name),
      node,
    ]),
  ];
  const lost = wanted.find(([, tensor]) => !tensor);
  if (lost) return `${lost[0]}: the module has no such tensor`;
  const grad = (api.autograd as { grad: Grad }).grad;
  const actual = [...grad(outs, wanted.map(([, tensor]) => tensor!), { gradOutputs: cotangents, allowUnused: true })];
  const context = comparison(golden, manifest.name, { values });
  for (const node of gradient.cotangents) if (isTensorNode(node)) context.ids.set(node.id!, node);
  const elements = outs.reduce((sum, tensor) => sum + count(tensor.shape), 0);
  for (const [k, [at, tensor, node]] of wanted.entries()) {
    context.sum = count(tensor!.shape) < elements;
    if (node === null && !actual[k]) continue;
    const difference = node === null ? `${at}: expected none` : await compare(actual[k], node, context, at);
    if (difference) return difference;
  }
  return null;
}
