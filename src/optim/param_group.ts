/**
 * Parameter groups: parameters with the options that they share, typed by the class that declares an optimizer's options.
 *
 * @module
 */

import { checkArray } from "../base/checks.ts";
import { float32, float64 } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { hostValues, readsAtOnce } from "../ops/core/values.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What a call takes and groups do not hold: the parameters, and how an update is computed. */
export type Unstored = "params" | "foreach" | "fused" | "differentiable";

/** Names of {@linkcode Unstored}. */
const UNSTORED: readonly string[] = ["params", "foreach", "fused", "differentiable"] satisfies Unstored[];

/** The options that the class `O` of an optimizer declares, as they stand in each group. */
export type GroupOptions<O> = { [K in Exclude<keyof O, Unstored>]: O[K] };

/** What schedules note in a group, and its name. */
export type GroupNotes = {
  /** The user's name of the group. */
  name?: string;
  /** The rate when a schedule was made. */
  initialLr?: number;
  /** The highest rate of a cycle. */
  maxLr?: number;
  /** The rate at the end of a cycle. */
  minLr?: number;
  /** The rate that averaging ends with. */
  swaLr?: number;
  /** The highest momentum of a cycle. */
  maxMomentum?: number;
  /** The lowest momentum of a cycle. */
  baseMomentum?: number;
};

/** Names of {@linkcode GroupNotes}. */
export const GROUP_NOTES: readonly (keyof GroupNotes)[] = [
  ...["name", "initialLr", "maxLr", "minLr", "swaLr", "maxMomentum", "baseMomentum"] as const,
];

/** What every group holds. */
export type GroupFields = GroupNotes & {
  /** The parameters. */
  params: Tensor[];
  /** Their names, where they were given with names. */
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

/** A parameter group as it is given: the parameters and the options that differ from the defaults. */
export type ParamGroupInput<O = { lr: number | Tensor }> =
  & { readonly [K in Exclude<keyof O, "params">]?: O[K] }
  & Readonly<GroupNotes>
  & {
    /** The parameters, or pairs of name and parameter. */
    readonly params: Tensor | Iterable<Tensor | readonly [string, Tensor]>;
  };

/** What optimizers take first: parameters, named parameters, or groups with their own options. */
export type ParamsInput<O = { lr: number | Tensor }> = Iterable<
  Tensor | readonly [string, Tensor] | ParamGroupInput<O>
>;

/** How an update is computed, and its direction: what optimizers of one fused kernel take by name. */
export class OptimizerArgs {
  /** Whether the objective is maximised. */
  maximize = false;
  /** Ignored: an update is one fused kernel, for many parameters at once where the device can. */
  foreach: boolean | null = null;
  /** Ignored, for the same reason. */
  fused: boolean | null = null;
  /** Whether step counts lie on the parameters' device, so that a recorded CUDA graph counts its replays. */
  capturable = false;
  /** Not supported: an update leaves no graph. */
  differentiable = false;
}

/**
 * The options that groups hold, from what a call was given; lists are copied.
 *
 * @param op the caller, for messages
 * @throws {ArgumentError} if the update is to be differentiable
 */
export function storedOptions(op: string, given: object): Record<string, unknown> {
  const stored: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    // As everywhere, undefined is what was not given. Saved groups name `capturable` only where it is on.
    if (value === undefined || UNSTORED.includes(name) || (name === "capturable" && value === false)) continue;
    stored[name] = Array.isArray(value) ? [...value] : value;
  }
  if ((given as Partial<OptimizerArgs>).differentiable) {
    throw new ArgumentError(`${op}(): differentiable is not supported: an update leaves no graph`);
  }
  return stored;
}

/** Numbers that were written into tensors by the host, and the version of their memory then. */
const written = new WeakMap<Tensor, { readonly value: number; readonly version: number }>();

/**
 * The number that an option given as a number or a 0-d tensor holds. Where the device cannot wait (WebGPU), it must have
 * come from the host.
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
    // As the tensor holds it.
    const value = rate.dtype === float64 ? lr : Math.fround(lr);
    if (rate.dtype === float64 || rate.dtype === float32) written.set(rate, { value, version: rate.storage.version });
  }
}

/**
 * One value per parameter group, from one value for all or a list.
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
