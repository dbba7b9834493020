/**
 * Parameter groups: parameters with the options that they share.
 *
 * @module
 */

import { float32, float64 } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { hostValues, readsAtOnce } from "../ops/values.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Parameters and the options of their updates; schedules write `lr` here. */
export interface ParamGroup {
  /** The parameters. */
  params: Tensor[];
  /** The learning rate; a 0-d tensor is read at each step. */
  lr: number | Tensor;
  /** The rate when a schedule was made. */
  initialLr?: number;
  /** Any other option of the optimizer or of a schedule. */
  [option: string]: unknown;
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
  if (typeof item !== "number") throw new ArgumentError(`step(): expected a real number: ${String(item)}`);
  return item;
}

/** The learning rate of a group as a number. */
export function readLr(group: ParamGroup): number {
  return numberOf(group.lr);
}

/** Sets the learning rate of a group; a tensor rate is written in place, as in PyTorch. */
export function writeLr(group: ParamGroup, lr: number): void {
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
  groups: readonly ParamGroup[],
  value: number | readonly number[],
): number[] {
  if (typeof value === "number") return groups.map(() => value);
  if (value.length !== groups.length) {
    throw new ArgumentError(
      `${op}(): ${name} must have one value per parameter group: ${value.length} given, ${groups.length} groups`,
    );
  }
  return [...value];
}
