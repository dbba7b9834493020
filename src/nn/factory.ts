/**
 * What layers need to make their tensors: device and dtype options, and sizes given as a number or a list.
 *
 * @module
 */

import type { Device } from "../base/device.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { empty, full, ones, zeros } from "../ops/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Parameter } from "./parameter.ts";

/** Where and as what a layer makes its parameters: the parameters by name that layers with weights share. */
export class FactoryArgs {
  /** The device; `null`: the default one. */
  device: string | Device | null = null;
  /** The dtype; `null`: the default floating one. */
  dtype: DType | null = null;
}

/** {@linkcode FactoryArgs}, of which some may be missing. */
export interface FactoryOptions {
  /** The device; the default one if missing. */
  device?: string | Device | null;
  /** The dtype; the default floating one if missing. */
  dtype?: DType | null;
}

/** One size for all dimensions, or one per dimension. */
export type Size = number | readonly number[];

function factory(o: FactoryOptions): { device?: string | Device; dtype?: DType } {
  return { device: o.device ?? undefined, dtype: o.dtype ?? undefined };
}

/** A parameter whose values are about to be drawn. */
export function emptyParameter(shape: readonly number[], o: FactoryOptions): Parameter {
  return new Parameter(empty(shape, factory(o)));
}

/** A parameter of zeros. */
export function zerosParameter(shape: readonly number[], o: FactoryOptions): Parameter {
  return new Parameter(zeros(shape, factory(o)));
}

/** A parameter of ones. */
export function onesParameter(shape: readonly number[], o: FactoryOptions): Parameter {
  return new Parameter(ones(shape, factory(o)));
}

/** A tensor of zeros, for a buffer. */
export function zerosBuffer(shape: readonly number[], o: FactoryOptions): Tensor {
  return zeros(shape, factory(o));
}

/** A tensor of ones, for a buffer. */
export function onesBuffer(shape: readonly number[], o: FactoryOptions): Tensor {
  return ones(shape, factory(o));
}

/**
 * One number per dimension.
 *
 * @param op the layer, for messages
 * @param name the argument, for messages
 * @param dims how many are wanted
 * @throws {ArgumentError} if the list has another length, or a value is not an integer
 */
export function sizes(op: string, name: string, dims: number, value: Size): number[] {
  const list = typeof value === "number" ? Array.from({ length: dims }, () => value) : value;
  if (!Array.isArray(list) || list.length !== dims || !list.every((v) => Number.isInteger(v))) {
    throw new ArgumentError(`${op}(): ${name} must be an integer or a list of ${dims}: ${describe(value)}`);
  }
  return [...list];
}

/** A parameter filled with one value. */
export function constantParameter(shape: readonly number[], value: number, o: FactoryOptions): Parameter {
  return new Parameter(full(shape, value, factory(o)));
}
