/**
 * Replays optimizers (five recorded steps: given gradients, or a least-squares closure) and learning-rate schedulers
 * (the learning rate and momentum of every parameter group over 20 steps).
 *
 * @module
 */

import { firstDifference } from "../support/close.ts";
import { compare, comparison, isTensor } from "./compare.ts";
import { Absent, type Entry, makeInputs, type ReplayOptions, Tally } from "./entry.ts";
import type { Golden, Json } from "./golden.ts";
import { camel } from "./names.ts";
import { type Api, Decoder, readFloat, type TensorLike, Unsupported } from "./values.ts";

interface OptimSample {
  desc: string;
  kwargs: Json;
  groups: { params: number[]; lr?: Json }[] | null;
  params: Json[];
  steps: { grads?: Json[]; sparseGrads?: Json[]; loss?: Json; params: Json[] }[];
  closure?: { A: Json[]; b: Json[] };
  finalState: Record<string, Record<string, Json>>;
}

/** The members of a tensor that a closure uses. */
interface Parameter extends TensorLike {
  grad: TensorLike | null;
  reshape(shape: number[]): Parameter;
  mul(other: unknown): Parameter;
  sub(other: unknown): Parameter;
  add(other: unknown): Parameter;
  div(other: unknown): Parameter;
  sum(): Parameter;
  matmul(other: unknown): Parameter;
  backward(): void;
  item(): Promise<number>;
}

interface OptimizerLike {
  paramGroups: Record<string, unknown>[];
  zeroGrad(): void;
  step(closure?: () => unknown): unknown;
  stateDict(): { state: Record<string, Record<string, unknown>> };
}

type OptimizerClass = new (params: unknown, options: Record<string, unknown>) => OptimizerLike;

/** Replays the optimizer recorded in `golden`. */
export async function replayOptim(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry> {
  const { name, samples } = golden.manifest as unknown as { name: string; samples: OptimSample[] };
  const tally = new Tally(options);
  for (const [k, sample] of samples.entries()) {
    const label = `#${k} ${sample.desc}${sample.groups ? " with groups" : ""}`;
    await tally.sample(label, () => replayTrajectory(sample, name, golden, api, options));
  }
  return tally.entry({ kind: "optim", name, variant: "", dtype: "float32" });
}

async function replayTrajectory(
  sample: OptimSample,
  name: string,
  golden: Golden,
  api: Api,
  options: ReplayOptions,
): Promise<string | null> {
  const decoder = new Decoder(golden, api, { device: options.device });
  const Optimizer = decoder.path(`optim.${name}`) as OptimizerClass | undefined;
  if (typeof Optimizer !== "function") throw new Absent(`torch.optim.${name}`);
  const kwargs = makeInputs(options.device, () => decoder.options(sample.kwargs));
  // Ids start anew after the options: parameters and gradients are separate tensors even where their values agree.
  const make = new Decoder(golden, api, { device: options.device });
  const Parameter = decoder.path("nn.Parameter") as new (data: TensorLike) => Parameter;
  const params = sample.params.map((node) => new Parameter(make.value(node) as TensorLike));
  const groups = sample.groups?.map(({ params: members, lr }) => ({
    params: members.map((i) => params[i]),
    ...(lr ? { lr: readFloat(lr) } : {}),
  }));
  const optimizer = new Optimizer(groups ?? params, kwargs);
  const context = comparison(golden, `optim.${name}`);
  for (const [k, step] of sample.steps.entries()) {
    const lossDifference = sample.closure
      ? await closureStep(optimizer, params, sample.closure, step.loss!, make)
      : await gradientStep(optimizer, params, step, make);
    if (lossDifference) return `step ${k}: ${lossDifference}`;
    for (const [i, node] of step.params.entries()) {
      const difference = await compare(params[i], node, context, `step ${k}, parameter ${i}`);
      if (difference) return difference;
    }
  }
  return await stateDifference(optimizer, sample, context);
}

/** Sets the recorded gradients and steps. */
async function gradientStep(
  optimizer: OptimizerLike,
  params: Parameter[],
  step: OptimSample["steps"][number],
  make: Decoder,
): Promise<null> {
  if (step.sparseGrads) throw new Unsupported("sparse gradients");
  for (const [i, node] of step.grads!.entries()) params[i].grad = make.value(node) as TensorLike;
  await optimizer.step();
  return null;
}

/** Steps with the recorded least-squares closure: `sum(0.5 * |A p - b|^2 / n)`. */
async function closureStep(
  optimizer: OptimizerLike,
  params: Parameter[],
  system: { A: Json[]; b: Json[] },
  expected: Json,
  make: Decoder,
): Promise<string | null> {
  const matrices = system.A.map((node) => make.value(node) as Parameter);
  const rights = system.b.map((node) => make.value(node) as Parameter);
  const closure = () => {
    optimizer.zeroGrad();
    const losses = params.map((p, i) => {
      const residual = matrices[i].matmul(p.reshape([-1])).sub(rights[i]);
      return residual.mul(residual).mul(0.5).sum().div(rights[i].shape[0]);
    });
    const loss = losses.reduce((sum, term) => sum.add(term));
    loss.backward();
    return loss;
  };
  const loss = await optimizer.step(closure);
  const value = isTensor(loss) ? await (loss as Parameter).item() : loss as number;
  const limit = { rtol: 1e-5, atol: 1e-5 };
  return firstDifference([value], [readFloat(expected)], [1], limit) &&
    `loss ${value}, expected ${readFloat(expected)}`;
}

/** The optimizer's state carries PyTorch's keys and values, so that its checkpoints load. */
async function stateDifference(
  optimizer: OptimizerLike,
  sample: OptimSample,
  context: ReturnType<typeof comparison>,
): Promise<string | null> {
  const { state } = optimizer.stateDict();
  for (const [index, fields] of Object.entries(sample.finalState)) {
    for (const [key, node] of Object.entries(fields)) {
      const value = state[index]?.[key];
      const at = `state[${index}].${key}`;
      if (value === undefined) return `${at} is missing`;
      const number = typeof value === "number" && node !== null && typeof node === "object" && "$t" in node;
      const actual = number
        ? await scalarDifference(value, node, context, at)
        : await compare(value, node, context, at);
      if (actual) return actual;
    }
  }
  return null;
}

/** A step count may be a plain number where PyTorch keeps a 0-d tensor. */
function scalarDifference(
  value: number,
  node: Json,
  context: ReturnType<typeof comparison>,
  at: string,
): string | null {
  const expected = Number(context.golden.raw((node as { $t: string }).$t)[0]);
  return value === expected ? null : `${at}: ${value}, expected ${expected}`;
}

interface SchedulerSample {
  name: string;
  kwargs: Json;
  optimizer: { lr: number[]; momentum: number };
  metrics: number[] | null;
  lr: Json[][];
  momentum: Json[][];
  lastLr: Json[];
  ended?: [number, string];
}

interface SchedulerLike {
  step(metric?: number): unknown;
  getLastLr(): number[];
}

type SchedulerClass = new (...args: unknown[]) => SchedulerLike;

/** Replays all schedulers recorded in `golden`: one row per scheduler class. */
export async function replaySchedulers(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry[]> {
  const { samples } = golden.manifest as unknown as { samples: SchedulerSample[] };
  const entries: Entry[] = [];
  for (const name of new Set(samples.map((s) => s.name))) {
    const tally = new Tally(options);
    for (const [k, sample] of samples.filter((s) => s.name === name).entries()) {
      await tally.sample(`#${k}`, () => replaySchedule(sample, golden, api, options));
    }
    entries.push(tally.entry({ kind: "scheduler", name, variant: "", dtype: "float64" }));
  }
  return entries;
}

/** Where a scheduler class lives. */
function schedulerClass(decoder: Decoder, name: string): SchedulerClass {
  const found = decoder.path(`optim.lrScheduler.${name}`) ?? decoder.path(`optim.swaUtils.${name}`);
  if (typeof found !== "function") throw new Absent(`torch.optim.lrScheduler.${name}`);
  return found as SchedulerClass;
}

/** Constructor options: a lambda is recorded as its JavaScript source, inner schedulers as name and options. */
function schedulerOptions(decoder: Decoder, optimizer: OptimizerLike, kwargs: Json): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [key, node] of (kwargs as { $dict: [string, Json][] }).$dict) {
    if (key === "lr_lambda") {
      options[camel(key)] = lambda(node as string);
    } else if (key === "schedulers") {
      options[key] = (node as [string, Json][]).map(([name, inner]) =>
        new (schedulerClass(decoder, name))(optimizer, schedulerOptions(decoder, optimizer, inner))
      );
    } else {
      options[camel(key)] = decoder.value(node);
    }
  }
  return options;
}

/** The recorded lambdas are `(e) => base ** e` and `(e) => constant`. */
function lambda(source: string): (epoch: number) => number {
  const match = /^\(e\) => ([\d.]+)( \*\* e)?$/.exec(source);
  if (!match) throw new Unsupported(`the lambda ${source}`);
  const base = Number(match[1]);
  return match[2] ? (epoch) => base ** epoch : () => base;
}

async function replaySchedule(
  sample: SchedulerSample,
  golden: Golden,
  api: Api,
  options: ReplayOptions,
): Promise<string | null> {
  const decoder = new Decoder(golden, api, { device: options.device });
  const Scheduler = schedulerClass(decoder, sample.name);
  const SGD = decoder.path("optim.SGD") as OptimizerClass;
  const Parameter = decoder.path("nn.Parameter") as new (data: unknown) => Parameter;
  const zeros = decoder.path("zeros") as (shape: number[]) => TensorLike;
  const params = [new Parameter(zeros([2])), new Parameter(zeros([2]))];
  const [lr, lr2] = sample.optimizer.lr;
  const groups = lr2 === undefined ? params : [{ params: params.slice(0, 1) }, { params: params.slice(1), lr: lr2 }];
  const optimizer = new SGD(groups, { lr, momentum: sample.optimizer.momentum });
  const scheduler = construct(Scheduler, decoder, optimizer, sample);
  const steps = sample.metrics?.length ?? sample.lr.length - 1;
  for (let k = 0; k <= steps; k++) {
    if (k >= sample.lr.length) break;
    const difference = groupDifference(optimizer, sample, k);
    if (difference) return difference;
    if (k === steps) break;
    await optimizer.step();
    if (sample.ended && sample.ended[0] === k) return mustEnd(scheduler, sample.ended[1]);
    await (sample.metrics ? scheduler.step(sample.metrics[k]) : scheduler.step());
  }
  return listDifference([...scheduler.getLastLr()], sample.lastLr, "getLastLr()");
}

/** ChainedScheduler takes its list alone; every other class takes the optimizer first. */
function construct(
  Scheduler: SchedulerClass,
  decoder: Decoder,
  optimizer: OptimizerLike,
  sample: SchedulerSample,
): SchedulerLike {
  const options = schedulerOptions(decoder, optimizer, sample.kwargs);
  if (sample.name === "ChainedScheduler") return new Scheduler(options.schedulers);
  return new Scheduler(optimizer, options);
}

/** Stepping past the recorded end must throw. */
function mustEnd(scheduler: SchedulerLike, message: string): string | null {
  try {
    scheduler.step();
  } catch {
    return null;
  }
  return `did not throw past its end; PyTorch: ${message}`;
}

function groupDifference(optimizer: OptimizerLike, sample: SchedulerSample, k: number): string | null {
  const lr = optimizer.paramGroups.map((group) => group.lr as number);
  const momentum = optimizer.paramGroups.map((group) => group.momentum as number);
  return listDifference(lr, sample.lr[k], `learning rate at step ${k}`) ??
    listDifference(momentum, sample.momentum[k], `momentum at step ${k}`);
}

/** Schedules are float64 arithmetic on both sides: only the order of operations may differ. */
function listDifference(actual: number[], expected: Json[], at: string): string | null {
  const limit = { rtol: 1e-9, atol: 1e-12 };
  const difference = firstDifference(actual, expected.map(readFloat), [expected.length], limit);
  return difference && `${at} ${difference}`;
}
