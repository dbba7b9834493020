/**
 * Padding layers: `F.pad` with a mode and sizes that are given once.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError, show } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Size } from "./factory.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { python } from "./repr.ts";

/** What padding layers take. */
export interface PaddingOptions {
  /** One size for all borders, or two per dimension, last dimension first: `[left, right, top, bottom]`. */
  padding: Size;
}

/** What constant padding layers take. */
export interface ConstantPaddingOptions extends PaddingOptions {
  /** What the border is filled with. */
  value: number;
}

const paddingArgs = signature<PaddingOptions>("Pad", ["padding"], [], 1);
const constantArgs = signature<ConstantPaddingOptions>("ConstantPad", ["padding", "value"], [], 2);

/** What the padding layers share. */
export abstract class PadBase extends Module {
  /** Sizes before and after each dimension, last dimension first. */
  readonly padding: readonly number[];

  /** Takes the options of the layer. */
  constructor(dims: number, padding: Size) {
    super();
    const list = Array.isArray(padding) ? Array.from(padding) : new Array(2 * dims).fill(padding);
    if (list.length !== 2 * dims || !list.every((p) => Number.isInteger(p))) {
      throw new ArgumentError(
        `${new.target.name}(): padding must be an integer or a list of ${2 * dims}: ${show(padding)}`,
      );
    }
    this.padding = list;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return python(this.padding);
  }
}

/** What the layers that pad with a constant share. */
export abstract class ConstantPad extends PadBase {
  /** What the border is filled with. */
  readonly value: number;

  /** Takes the options of the layer. */
  constructor(dims: number, o: ConstantPaddingOptions) {
    super(dims, o.padding);
    this.value = o.value;
  }

  /** The padded input. */
  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, "constant", this.value);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `padding=${python(this.padding)}, value=${python(this.value)}`;
  }
}

/** What the layers that pad with zeros share. */
export abstract class ZeroPad extends PadBase {
  /** The padded input. */
  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, "constant", 0);
  }
}

/** What the layers that pad by reflection share. */
export abstract class ReflectionPad extends PadBase {
  /** The padded input. */
  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, "reflect");
  }
}

/** What the layers that repeat the edge share. */
export abstract class ReplicationPad extends PadBase {
  /** The padded input. */
  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, "replicate");
  }
}

/** What the layers that pad by wrapping around share. */
export abstract class CircularPad extends PadBase {
  /** The padded input. */
  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, "circular");
  }
}

/** Pads the last dimension with a value. */
export class ConstantPad1d extends ConstantPad {
  /** Takes `padding, value`. */
  constructor(...args: Args<ConstantPaddingOptions, ["padding", "value"]>) {
    super(1, constantArgs(args));
  }
}

/** Pads the last 2 dimensions with a value. */
export class ConstantPad2d extends ConstantPad {
  /** Takes `padding, value`. */
  constructor(...args: Args<ConstantPaddingOptions, ["padding", "value"]>) {
    super(2, constantArgs(args));
  }
}

/** Pads the last 3 dimensions with a value. */
export class ConstantPad3d extends ConstantPad {
  /** Takes `padding, value`. */
  constructor(...args: Args<ConstantPaddingOptions, ["padding", "value"]>) {
    super(3, constantArgs(args));
  }
}

/** Pads the last dimension with zeros. */
export class ZeroPad1d extends ZeroPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(1, paddingArgs(args).padding);
  }
}

/** Pads the last 2 dimensions with zeros. */
export class ZeroPad2d extends ZeroPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(2, paddingArgs(args).padding);
  }
}

/** Pads the last 3 dimensions with zeros. */
export class ZeroPad3d extends ZeroPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(3, paddingArgs(args).padding);
  }
}

/** Pads the last dimension with the mirrored interior. */
export class ReflectionPad1d extends ReflectionPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(1, paddingArgs(args).padding);
  }
}

/** Pads the last 2 dimensions with the mirrored interior. */
export class ReflectionPad2d extends ReflectionPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(2, paddingArgs(args).padding);
  }
}

/** Pads the last 3 dimensions with the mirrored interior. */
export class ReflectionPad3d extends ReflectionPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(3, paddingArgs(args).padding);
  }
}

/** Pads the last dimension with the edge values. */
export class ReplicationPad1d extends ReplicationPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(1, paddingArgs(args).padding);
  }
}

/** Pads the last 2 dimensions with the edge values. */
export class ReplicationPad2d extends ReplicationPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(2, paddingArgs(args).padding);
  }
}

/** Pads the last 3 dimensions with the edge values. */
export class ReplicationPad3d extends ReplicationPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(3, paddingArgs(args).padding);
  }
}

/** Pads the last dimension with the values of the other side. */
export class CircularPad1d extends CircularPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(1, paddingArgs(args).padding);
  }
}

/** Pads the last 2 dimensions with the values of the other side. */
export class CircularPad2d extends CircularPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(2, paddingArgs(args).padding);
  }
}

/** Pads the last 3 dimensions with the values of the other side. */
export class CircularPad3d extends CircularPad {
  /** Takes `padding`. */
  constructor(...args: Args<PaddingOptions, ["padding"]>) {
    super(3, paddingArgs(args).padding);
  }
}
