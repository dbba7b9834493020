/**
 * Padding layers: `F.pad` with a mode and sizes that are given once.
 *
 * @module
 */

import { ArgumentError, show } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Size } from "../module/factory.ts";
import * as F from "../functional.ts";
import { type Layer, layer, shown, type Writable } from "../module/layer.ts";
import { python } from "../module/repr.ts";

/** The parameters of padding layers. */
export class PaddingArgs {
  constructor(
    /**
     * The padding: one size for all sides, or two per dimension, last dimension first (`[left, right, top, bottom]`).
     */
    public padding: Size,
  ) {}
}

/** The parameters of layers that pad with a value. */
export class ConstantPaddingArgs {
  constructor(
    /** The padding: one size for all sides, or two per dimension, last dimension first. */
    public padding: Size,
    /** The value of the padding. */
    public value: number,
  ) {}
}

/** Expands the padding to a list of two sizes per dimension. */
function borders(name: string, dims: number): (o: Writable<PaddingArgs>) => void {
  return (o) => {
    const { padding } = o;
    const list = Array.isArray(padding) ? Array.from(padding) : new Array(2 * dims).fill(padding);
    if (list.length !== 2 * dims || !list.every((p) => Number.isInteger(p))) {
      throw new ArgumentError(
        `${name}(): padding must be an integer or a list of ${2 * dims}: ${show(padding)}`,
      );
    }
    o.padding = list;
  };
}

/** Defines a layer that pads the last `dims` dimensions with a mode of `F.pad`. */
function padding(name: string, dims: number, mode: "constant" | "reflect" | "replicate" | "circular"): Layer<
  typeof PaddingArgs
> {
  return layer({
    name,
    params: PaddingArgs,
    init: borders(name, dims),
    call: (o, input: Tensor) => F.pad(input, o.padding as readonly number[], mode),
    repr: (o) => python(o.padding),
  });
}

/** Defines a layer that pads the last `dims` dimensions with a value. */
function constant(name: string, dims: number): Layer<typeof ConstantPaddingArgs> {
  return layer({
    name,
    params: ConstantPaddingArgs,
    init: borders(name, dims),
    call: (o, input: Tensor) => F.pad(input, o.padding as readonly number[], "constant", o.value),
    repr: (o) => shown(o, "padding", "value"),
  });
}

/** Pads the last dimension with a value. */
export const ConstantPad1d: Layer<typeof ConstantPaddingArgs> = constant("ConstantPad1d", 1);
export type ConstantPad1d = InstanceType<typeof ConstantPad1d>;

/** Pads the last 2 dimensions with a value. */
export const ConstantPad2d: Layer<typeof ConstantPaddingArgs> = constant("ConstantPad2d", 2);
export type ConstantPad2d = InstanceType<typeof ConstantPad2d>;

/** Pads the last 3 dimensions with a value. */
export const ConstantPad3d: Layer<typeof ConstantPaddingArgs> = constant("ConstantPad3d", 3);
export type ConstantPad3d = InstanceType<typeof ConstantPad3d>;

/** Pads the last dimension with zeros. */
export const ZeroPad1d: Layer<typeof PaddingArgs> = padding("ZeroPad1d", 1, "constant");
export type ZeroPad1d = InstanceType<typeof ZeroPad1d>;

/** Pads the last 2 dimensions with zeros. */
export const ZeroPad2d: Layer<typeof PaddingArgs> = padding("ZeroPad2d", 2, "constant");
export type ZeroPad2d = InstanceType<typeof ZeroPad2d>;

/** Pads the last 3 dimensions with zeros. */
export const ZeroPad3d: Layer<typeof PaddingArgs> = padding("ZeroPad3d", 3, "constant");
export type ZeroPad3d = InstanceType<typeof ZeroPad3d>;

/** Reflection padding of the last dimension: the interior is mirrored at the edge, which is not repeated. */
export const ReflectionPad1d: Layer<typeof PaddingArgs> = padding("ReflectionPad1d", 1, "reflect");
export type ReflectionPad1d = InstanceType<typeof ReflectionPad1d>;

/** Reflection padding of the last 2 dimensions: the interior is mirrored at the edge, which is not repeated. */
export const ReflectionPad2d: Layer<typeof PaddingArgs> = padding("ReflectionPad2d", 2, "reflect");
export type ReflectionPad2d = InstanceType<typeof ReflectionPad2d>;

/** Reflection padding of the last 3 dimensions: the interior is mirrored at the edge, which is not repeated. */
export const ReflectionPad3d: Layer<typeof PaddingArgs> = padding("ReflectionPad3d", 3, "reflect");
export type ReflectionPad3d = InstanceType<typeof ReflectionPad3d>;

/** Replication padding of the last dimension: the edge values are repeated. */
export const ReplicationPad1d: Layer<typeof PaddingArgs> = padding("ReplicationPad1d", 1, "replicate");
export type ReplicationPad1d = InstanceType<typeof ReplicationPad1d>;

/** Replication padding of the last 2 dimensions: the edge values are repeated. */
export const ReplicationPad2d: Layer<typeof PaddingArgs> = padding("ReplicationPad2d", 2, "replicate");
export type ReplicationPad2d = InstanceType<typeof ReplicationPad2d>;

/** Replication padding of the last 3 dimensions: the edge values are repeated. */
export const ReplicationPad3d: Layer<typeof PaddingArgs> = padding("ReplicationPad3d", 3, "replicate");
export type ReplicationPad3d = InstanceType<typeof ReplicationPad3d>;

/** Circular padding of the last dimension: with the values from the opposite side. */
export const CircularPad1d: Layer<typeof PaddingArgs> = padding("CircularPad1d", 1, "circular");
export type CircularPad1d = InstanceType<typeof CircularPad1d>;

/** Circular padding of the last 2 dimensions: with the values from the opposite side. */
export const CircularPad2d: Layer<typeof PaddingArgs> = padding("CircularPad2d", 2, "circular");
export type CircularPad2d = InstanceType<typeof CircularPad2d>;

/** Circular padding of the last 3 dimensions: with the values from the opposite side. */
export const CircularPad3d: Layer<typeof PaddingArgs> = padding("CircularPad3d", 3, "circular");
export type CircularPad3d = InstanceType<typeof CircularPad3d>;
