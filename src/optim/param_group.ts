/**
 * Parameter groups: parameters with the options that they share. The class that declares an optimizer's options gives a
 * group its type.
 *
 * @module
 */

import { checkArray } from "../base/checks.ts";
import { float32, float64 } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { hostValues, readsAtOnce } from "../ops/core/values.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * The parameters of an optimizer's constructor that are not stored in its groups: the tensors, and how an update is
 * computed.
 */
export type Unstored = "params" | "foreach" | "fused" | "differentiable";

/** The names of {@linkcode Unstored}. */
const UNSTORED: readonly string[] = ["params", "foreach", "fused", "differentiable"] satisfies Unstored[];

/** The options that the class `O` of an optimizer declares, as each group stores them. */
export type GroupOptions<O> = { [K in Exclude<keyof O, Unstored>]: O[K] };

/** The fields of a group that are not options: its name, and numbers that learning-rate schedules store. */
export type GroupNotes = {
  /** The name that the user gave the group. */
  name?: string;
  /** The initial learning rate: that at the time when a schedule was made. */
  initialLr?: number;
  /** The highest learning rate of a cycle. */
  maxLr?: number;
  /** The learning rate at the end of a cycle. */
  minLr?: number;
  /** The learning rate that stochastic weight averaging anneals to. */
  swaLr?: number;
  /** The highest momentum of a cycle. */
  maxMomentum?: number;
  /** The lowest momentum of a cycle. */
  baseMomentum?: number;
};

/** The names of {@linkcode GroupNotes}. */
export const GROUP_NOTES: readonly (keyof GroupNotes)[] = [
  ...["name", "initialLr", "maxLr", "minLr", "swaLr", "maxMomentum", "baseMomentum"] as const,
];

/** The fields that every group has. */
export type GroupFields = GroupNotes & {
  /** The parameters. */
  params: Tensor[];
  /** The names of the parameters, where they were given. */
  paramNames?: string[];
  /** The learning rate; a 0-d tensor is read at each step. Schedules write it. */
  lr: number | Tensor;
};

/**
 * A parameter group: parameters and the options of their updates.
 *
 * `O` is the class that declares an optimizer's options, as in `ParamGroup<AdamArgs>`; without it every option is `unknown`.
 */
export type ParamGroup<O = Record<string, unknown>> = GroupOptions<O> & GroupFields;

/** A parameter group as the user gives it: the parameters, and the options that differ from the defaults. */
export type ParamGroupInput<O = { lr: number | Tensor }> =
  & { readonly [K in Exclude<keyof O, "params">]?: O[K] }
  & Readonly<GroupNotes>
  & {
    /** The parameters, or pairs of name and parameter. */
    readonly params: Tensor | Iterable<Tensor | readonly [string, Tensor]>;
  };

/** The first argument of optimizers: parameters, pairs of name and parameter, or parameter groups. */
export type ParamsInput<O = { lr: number | Tensor }> = Iterable<
  Tensor | readonly [string, Tensor] | ParamGroupInput<O>
>;

/**
 * The options, by name only, of optimizers whose update is one fused kernel: the direction, and how the update is
 * computed.
 */
export class OptimizerArgs {
  /** Whether the objective is maximised instead of minimised. */
  maximize = false;
  /** Ignored: an update is one fused kernel, for many parameters at once where the device can. */
  foreach: boolean | null = null;
  /** Ignored, for the same reason. */
  fused: boolean | null = null;
  /** Whether step counts are tensors on the parameters' device, so that a recorded CUDA graph counts its replays. */
  capturable = false;
  /** Whether updates are recorded by autograd: not supported. */
  differentiable = false;
}

/**
 * Selects from the arguments of a call the options that groups store; lists are copied.
 *
 * @param op the caller, for messages
 * @throws {ArgumentError} if the update is to be differentiable
 */
export function storedOptions(op: string, given: object): Record<string, unknown> {
  const stored: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    // As everywhere, undefined means not given. Groups store `capturable` only where it is on.
    if (value === undefined || UNSTORED.includes(name) || (name === "capturable" && value === false)) continue;
    stored[name] = Array.isArray(value) ? [...value] : value;
  }
  if ((given as Partial<OptimizerArgs>).differentiable) {
    throw new ArgumentError(`${op}(): differentiable is not supported: an update leaves no graph`);
  }
  return stored;
}

/** The numbers that the host wrote into 0-d tensors, with the version of their memory at that time. */
const written = new WeakMap<Tensor, { readonly value: number; readonly version: number }>();

/**
 * The value of an option given as a number or a 0-d tensor. On a device that is read asynchronously (WebGPU), the host
 * must have written the tensor.
 */
export function numberOf(value: number | Tensor): number {
  if (typeof value === "number") return value;
  const known = written.get(value);
  if (known !== undefined && known.version === value.storage.version) return known.value;
  const item = (readsAtOnce(value) ? null : hostValues(value)?.[0]) ?? value.itemSync();
  if (typeof item !== "number") throw new ArgumentError(`step(): expected a real number: ${describe(item)}`);
  return item;
}

/** The learning rate of a group as a number. */
export function readLr(group: GroupFields): number {
  return numberOf(group.lr);
}

/** Sets the learning rate of a group; a tensor rate is written in place, as in PyTorch. */
export function writeLr(group: GroupFields, lr: number): void {
  const rate = group.lr;
  if (typeof rate === "number") group.lr = lr;
  else {
    rate.fill_(lr);
    // The value as rounded to the tensor's dtype.
    const value = rate.dtype === float64 ? lr : Math.fround(lr);
    if (rate.dtype === float64 || rate.dtype === float32) written.set(rate, { value, version: rate.storage.version });
  }
}

/**
 * Expands one value for all parameter groups, or a list of values, to one value per group.
 *
 * @param op the caller, for messages
 * @param name the argument's name
 */
export function perGroup(
  op: string,
  name: string,
  groups: readonly GroupFields[],
  value: number | readonly number[],
): number[] {
  if (!Array.isArray(groups)) throw new ArgumentError(`${op}(): optimizer must be an Optimizer, with paramGroups`);
  if (typeof value === "number") return groups.map(() => value);
  checkArray(op, name, value);
  if (value.length !== groups.length) {
    throw new ArgumentError(
      `${op}(): ${name} must have one value per parameter group: ${value.length} given, ${groups.length} groups`,
    );
  }
  return value.map((one, i) => {
    if (typeof one === "number") return one;
    throw new ArgumentError(`${op}(): ${name}[${i}] must be a number: ${describe(one)}`);
  });
}
