/**
 * Factories of layers' parameters and buffers: the options `device` and `dtype`, and sizes given as a number or a list.
 *
 * @module
 */

import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import { empty, full, ones, zeros } from "../../ops/create/creation.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Parameter } from "./parameter.ts";

/** The options, by name only, of layers with weights: where their parameters are made, and with which dtype. */
export class FactoryArgs {
  /** The device; `null`: the default one. */
  device: string | Device | null = null;
  /** The dtype; `null`: the default floating one. */
  dtype: DType | null = null;
}

/** The type of the option `K` in an argument list `A`: its place by position is `At`, its default `D`. */
export type Given<A extends readonly unknown[], K extends string, At extends string, D> = A extends
  readonly [...unknown[], infer N] ? N extends { readonly [key in K]: infer V } ? V
  : N extends { readonly [key in K]?: infer V } ? K extends keyof N ? Exclude<V, undefined> | D : Placed<A, At, D>
  : Placed<A, At, D>
  : Placed<A, At, D>;

/** The type of an argument list's element at the place `At`. */
export type Placed<A extends readonly unknown[], At extends string, D> = A extends
  { readonly [key in At]: infer V extends boolean } ? V
  : D;

/** `T` where an option is true, `null` where it is false. */
export type Where<B, T = Parameter> = B extends true ? T : null;

/** Whether both options are true. */
export type Both<B, C> = B extends true ? C : false;

/**
 * The `bias` of a layer that was made with the arguments `A`: a parameter, or `null` for `bias: false`.
 *
 * @typeParam At the place of `bias` among the arguments by position
 */
export type BiasOf<A extends readonly unknown[], At extends string> = Where<Given<A, "bias", At, true>>;

/** A size: one number for all dimensions, or a list with one per dimension. */
export type Size = number | readonly number[];

function factory(o: Readonly<FactoryArgs>): { device?: string | Device; dtype?: DType } {
  return { device: o.device ?? undefined, dtype: o.dtype ?? undefined };
}

/** An uninitialised parameter, whose values are drawn next. */
export function emptyParameter(shape: readonly number[], o: Readonly<FactoryArgs>): Parameter {
  return new Parameter(empty(shape, factory(o)));
}

/** A parameter of zeros. */
export function zerosParameter(shape: readonly number[], o: Readonly<FactoryArgs>): Parameter {
  return new Parameter(zeros(shape, factory(o)));
}

/** A parameter of ones. */
export function onesParameter(shape: readonly number[], o: Readonly<FactoryArgs>): Parameter {
  return new Parameter(ones(shape, factory(o)));
}

/** A tensor of zeros, for a buffer. */
export function zerosBuffer(shape: readonly number[], o: Readonly<FactoryArgs>): Tensor {
  return zeros(shape, factory(o));
}

/** A tensor of ones, for a buffer. */
export function onesBuffer(shape: readonly number[], o: Readonly<FactoryArgs>): Tensor {
  return ones(shape, factory(o));
}

/**
 * Expands a size to a list with one number per dimension.
 *
 * @param op the layer, for messages
 * @param name the argument, for messages
 * @param dims the number of dimensions
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
export function constantParameter(shape: readonly number[], value: number, o: Readonly<FactoryArgs>): Parameter {
  return new Parameter(full(shape, value, factory(o)));
}

/**
 * Throws unless options are sizes: integers of at least 0.
 *
 * @param op the layer, for messages
 * @param sizes the options by name
 */
export function checkSizes(op: string, sizes: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value)) throw new ArgumentError(`${op}(): ${name} must be an integer: ${describe(value)}`);
    if ((value as number) < 0) throw new ArgumentError(`${op}(): ${name} must not be negative: ${describe(value)}`);
  }
}
