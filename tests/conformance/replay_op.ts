/**
 * Replays the samples of one op: the call, its result (values, dtype, shape, aliasing, mutation), its gradients, and
 * the calls that must throw.
 *
 * @module
 */

import { bindCall, type BoundCall, type Sample, scalarOptions, type Step } from "./call.ts";
import { compare, type Comparison, comparison, isTensor, tensorsIn } from "./compare.ts";
import { Absent, DeviceLimit, type Entry, internalError, makeInputs, type ReplayOptions, Tally } from "./entry.ts";
import type { Golden, Json } from "./golden.ts";
import { postprocess } from "./process.ts";
import { indexCheck } from "./ties.ts";
import { type Api, count, Decoder, isTensorNode, type TensorLike, type TensorNode } from "./values.ts";

/** The gradient part of a sample. */
interface Gradient {
  wrt: number[];
  cotangents: Json[];
  outIndex: number[];
  grads: (Json | null)[];
  process?: string;
  processed?: Json;
}

/** One sample as recorded. */
interface OpSample extends Sample {
  i: number;
  out: Json;
  mutates?: number[];
  mutatedAfter?: Json[];
  viewOf?: (number | null)[];
  random?: boolean;
  nondeterministic?: boolean;
  uninitialised?: boolean;
  grad?: Gradient;
}

/** A call that must throw. */
interface ErrorCase {
  args: Json;
  kwargs: Json;
  message: string;
}

interface Manifest {
  name: string;
  variant: string;
  call: { kind: string; path: string | null };
  groups: { dtype: string; samples: OpSample[] }[];
  errors: ErrorCase[];
  flags: string[];
}

/** Everything that one sample's replay needs. */
interface Context {
  golden: Golden;
  api: Api;
  manifest: Manifest;
  options: ReplayOptions;
}

/** Files that no replay through PyTorch's public API can run either (listed in the conformance README). */
const NOT_COUNTED: Record<string, string> = {
  native_dropout_backward: "not public API",
  slice: "not public API",
  _softmax_backward_data: "not public API",
  _batch_norm_with_update: "not public API",
  _upsample_bilinear2d_aa: "not public API",
  max_pool2d_with_indices_backward: "not public API",
  "as_strided.partial_views": "its samples alias one storage, which the recording cannot express",
  "linalg.lstsq.grad_oriented": "a wrapper of PyTorch's own tests",
  "nn.functional.triplet_margin_with_distance_loss": "its distance argument is a Python function",
};

/** In-place random fills mutate their argument, so PyTorch's recording could not mark them as random. */
const RANDOM_FILL = /^torch\.Tensor\.(normal|uniform|cauchy|exponential|geometric|log_normal|random|bernoulli)_$/;

/** Replays the op recorded in `golden`. */
export async function replayOp(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry> {
  const manifest = golden.manifest as unknown as Manifest;
  const { name, variant } = manifest;
  const groups = manifest.groups.filter((g) => !options.dtype || g.dtype === options.dtype);
  const head = { kind: "op", name, variant, dtype: options.dtype ?? groups.map((g) => g.dtype).join(",") };
  const tally = new Tally(options);
  const reason = NOT_COUNTED[variant ? `${name}.${variant}` : name];
  if (reason) return { ...tally.entry(head), first: reason };
  const context: Context = { golden, api, manifest, options };
  for (const group of groups) {
    for (const sample of group.samples) {
      await tally.sample(`${group.dtype} #${sample.i}`, () => replaySample(sample, context));
    }
  }
  const withErrors = !options.dtype || options.dtype === manifest.groups[0]?.dtype;
  if (withErrors) await replayErrors(tally, context);
  return tally.entry(head);
}

/** The call of a sample, or {@linkcode Absent}. */
function bind(sample: Sample, { api, manifest }: Context): BoundCall {
  const bound = bindCall(api, manifest.name, manifest.call, sample);
  if (bound.absent) throw new Absent(bound.absent);
  return bound;
}

/** A decoder with the sample's tensors made. */
function decodeInputs(sample: Sample, { golden, api, manifest, options }: Context): Decoder {
  const decoder = new Decoder(golden, api, { device: options.device, ...scalarOptions(manifest.name) });
  makeInputs(options.device, () => {
    decoder.list(sample.args);
    decoder.options(sample.kwargs);
  });
  return decoder;
}

async function replaySample(sample: OpSample, context: Context): Promise<string | null> {
  const { golden, manifest } = context;
  const bound = bind(sample, context);
  const decoder = decodeInputs(sample, context);
  const inputs = new Map(decoder.tensors);
  const out = await bound.run(decoder, sample);
  const fills = (sample.program ?? []).some((step: Step) => RANDOM_FILL.test(step.fn));
  const values = !sample.random && !sample.nondeterministic && !sample.uninitialised && !fills &&
    !randomByChance(sample, manifest);
  const processed = sample.grad?.process !== undefined
    ? postprocess(sample.grad.process, out, manifest.name)
    : undefined;
  const expected = comparison(golden, manifest.name, {
    values: values && processed === undefined,
    requiresGrad: sample.grad !== undefined || !sample.mutates,
    indices: indexCheck(manifest.name, sample, golden),
  });
  return await compare(out, sample.out, expected) ??
    checkAliasing(out, sample, inputs) ??
    (sample.uninitialised ? checkStrides(out, sample.out) : null) ??
    await checkMutation(sample, inputs, comparison(golden, manifest.name, { values })) ??
    await checkGradients(processed ?? out, sample, inputs, values && !expected.tied, context);
}

/**
 * The recorder calls a sample random when another of five seeds changes it. Of an op with random samples, a result of a
 * few elements can be the same for all five by chance (`bernoulli` of one element).
 */
function randomByChance(sample: OpSample, manifest: Manifest): boolean {
  const few = isTensorNode(sample.out) && count(sample.out.shape) <= 4;
  return few && manifest.flags.includes("random");
}

/** Views share storage with the argument that PyTorch's result shares it with; copies share it with none. */
function checkAliasing(out: unknown, sample: OpSample, inputs: Map<number, TensorLike>): string | null {
  const outs = tensorsIn(out);
  for (const [k, tensor] of outs.entries()) {
    if (count(tensor.shape) === 0) continue;
    const base = sample.viewOf?.[k] ?? null;
    if (base !== null && tensor.storage !== inputs.get(base)?.storage) {
      return `result ${k} is a copy; PyTorch's is a view of argument tensor ${base}`;
    }
    const alias = base === null && [...inputs].find(([, input]) => input.storage === tensor.storage);
    if (alias) return `result ${k} shares storage with argument tensor ${alias[0]}; PyTorch's is a copy`;
  }
  return null;
}

/** What an uninitialised result promises is its layout. */
function checkStrides(out: unknown, node: Json): string | null {
  if (!isTensor(out) || !isTensorNode(node) || !node.stride) return null;
  const actual = out.strides.join(", ");
  return actual === node.stride.join(", ") ? null : `strides [${actual}], expected [${node.stride.join(", ")}]`;
}

/** Arguments that the call modifies hold what PyTorch's hold afterwards. */
async function checkMutation(
  sample: OpSample,
  inputs: Map<number, TensorLike>,
  context: Comparison,
): Promise<string | null> {
  for (const [k, id] of (sample.mutates ?? []).entries()) {
    const difference = await compare(inputs.get(id), sample.mutatedAfter![k], context, `argument tensor ${id}`);
    if (difference) return difference;
  }
  return null;
}

type Grad = (
  outputs: TensorLike[],
  inputs: TensorLike[],
  options: { gradOutputs: TensorLike[]; allowUnused: boolean },
) => (TensorLike | null | undefined)[];

/** Backpropagates the recorded cotangents and compares the gradients of the recorded inputs. */
async function checkGradients(
  out: unknown,
  sample: OpSample,
  inputs: Map<number, TensorLike>,
  values: boolean,
  { golden, api, manifest, options }: Context,
): Promise<string | null> {
  const gradient = sample.grad;
  if (!gradient) return null;
  const context = comparison(golden, manifest.name, { values });
  for (const node of gradient.cotangents) if (isTensorNode(node)) context.ids.set(node.id!, node);
  if (gradient.processed) {
    const processedContext = comparison(golden, manifest.name, { values, ids: idsOf(gradient) });
    const difference = await compare(out, gradient.processed, processedContext, "processed");
    if (difference) return difference;
  }
  const cotangents = new Decoder(golden, api, { device: options.device }).list(gradient.cotangents) as TensorLike[];
  const tensors = tensorsIn(out);
  const outs = gradient.outIndex.map((i) => tensors[i]);
  const wrt = gradient.wrt.map((id) => inputs.get(id)!);
  const grad = (api.autograd as { grad?: Grad } | undefined)?.grad;
  if (!grad) throw new Absent("torch.autograd.grad");
  const actual = [...grad(outs, wrt, { gradOutputs: cotangents, allowUnused: true })];
  const elements = outs.reduce((sum, tensor) => sum + count(tensor.shape), 0);
  for (const [k, node] of gradient.grads.entries()) {
    context.sum = count(wrt[k].shape) < elements;
    const at = `gradient of argument tensor ${gradient.wrt[k]}`;
    // PyTorch gives none for an unused tensor, where the library may give zeros, and its recorder lost some others.
    const difference = node === null ? null : await compare(actual[k], node, context, at);
    if (difference) return difference;
  }
  return null;
}

/** The tensors of a gradient record by id, for references in what was encoded last. */
function idsOf(gradient: Gradient): Map<number, TensorNode> {
  const ids = new Map<number, TensorNode>();
  for (const node of [...gradient.cotangents, ...gradient.grads]) {
    if (node !== null && isTensorNode(node)) ids.set(node.id!, node);
  }
  return ids;
}

/** The calls that must throw. */
async function replayErrors(tally: Tally, context: Context): Promise<void> {
  const { manifest } = context;
  const template = manifest.groups.flatMap((g) => g.samples).find((s) => s.program?.length === 1);
  for (const [k, record] of manifest.errors.entries()) {
    await tally.sample(`error #${k}`, () => replayError(errorSample(record, manifest, template), record, context));
  }
}

/** An error case as a sample; for an op recorded as a program, its one step with the same order of arguments. */
function errorSample(record: ErrorCase, manifest: Manifest, template?: OpSample): Sample {
  const plain: Sample = { args: record.args, kwargs: record.kwargs };
  if (manifest.call.kind !== "program" || !template) return plain;
  const [step] = template.program!;
  const args = template.args as Json[];
  const key = (node: Json) => JSON.stringify(isTensorNode(node) ? { ref: node.id } : node);
  const order = (step.args as Json[]).map((node) => args.findIndex((arg) => key(arg) === key(node)));
  const given = record.args as Json[];
  const permuted = order.length === given.length && new Set(order).size === given.length && !order.includes(-1);
  const inOrder = permuted ? order.map((i) => given[i]) : given;
  return { ...plain, program: [{ fn: step.fn, js: step.js, args: inOrder, kwargs: record.kwargs }] };
}

/** Devices that compute asynchronously report a bad index when the result is read. */
async function surfaceFaults(result: unknown): Promise<void> {
  for (const x of tensorsIn(result)) await x.read();
}

async function replayError(sample: Sample, record: ErrorCase, context: Context): Promise<string | null> {
  const bound = bind(sample, context);
  let decoder: Decoder;
  try {
    decoder = decodeInputs(sample, context);
  } catch (error) {
    if (error instanceof DeviceLimit) throw error;
    return internalError(error);
  }
  try {
    await surfaceFaults(await bound.run(decoder, sample));
  } catch (error) {
    return internalError(error);
  }
  return `did not throw; PyTorch: ${record.message.slice(0, 160)}`;
}
