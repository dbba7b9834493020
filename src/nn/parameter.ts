/**
 * `Parameter` and `Buffer`: tensors that a module recognises as its own.
 *
 * They are tensors in every way; only the class tells a module's trained state from a tensor that merely lies in a
 * field.
 *
 * @module
 */

import { inspectKey } from "../base/platform.ts";
import { type Args, call } from "../base/call.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";

/** The parameters of {@linkcode Parameter}. */
export class ParameterArgs {
  constructor(
    /** The values; memory is shared with this tensor. */
    public data: Tensor,
    /** Whether gradients are recorded. */
    public requiresGrad = true,
  ) {}
}

const parameterArgs = call("Parameter", ParameterArgs);

/**
 * A tensor that is trained: in a field of a module it appears in `parameters()`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * class Scale extends torch.nn.Module {
 *   gain = new torch.nn.Parameter(torch.ones(3));
 *   forward(x: torch.Tensor): torch.Tensor {
 *     return x.mul(this.gain);
 *   }
 * }
 * assertEquals([...new Scale().parameters()].length, 1);
 * ```
 */
export class Parameter extends Tensor {
  constructor(...args: Args<typeof ParameterArgs>) {
    // A tensor is never a plain object, so the parser leaves it in its place.
    const { data, requiresGrad } = parameterArgs(args);
    checkTensor("Parameter", "data", data);
    const t: Tensor = data;
    super(t.storage, t.shape, t.strides, t.offset, t.dtype, t.dense);
    if (requiresGrad) this.requiresGrad_(true);
  }

  /** As PyTorch prints it: the tensor below a line that says what it is. */
  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }

  /** How `console.log` shows it. */
  [inspectKey](): string {
    return this.toString();
  }

  /** How Node's `console.log` shows it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** The parameters of {@linkcode Buffer}. */
export class BufferArgs {
  /** Whether it is part of the state dict. */
  persistent = true;
  constructor(
    /** The values; memory is shared with this tensor. */
    public data: Tensor,
  ) {}
}

const bufferArgs = call("Buffer", BufferArgs);

/** A tensor that is state but not trained: in a field of a module it appears in `buffers()`. */
export class Buffer extends Tensor {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;

  constructor(...args: Args<typeof BufferArgs>) {
    const { data, persistent } = bufferArgs(args);
    checkTensor("Buffer", "data", data);
    const t: Tensor = data;
    super(t.storage, t.shape, t.strides, t.offset, t.dtype, t.dense);
    this.persistent = persistent;
  }
}

/**
 * Makes `target` view the memory of `source`, keeping its identity: what `module.to()` does to parameters that an
 * optimizer already holds.
 */
export function setData(target: Tensor, source: Tensor): void {
  const own = target as { -readonly [K in keyof Tensor]: Tensor[K] };
  own.storage = source.storage;
  own.shape = source.shape;
  own.strides = source.strides;
  own.offset = source.offset;
  own.dtype = source.dtype;
  own.dense = source.dense;
}

/** The gradient without handing it to the user: reading `x.grad` makes the collector its owner. */
export function peekGrad(x: Tensor): Tensor | null {
  return x.meta === null ? null : x.meta.grad;
}
