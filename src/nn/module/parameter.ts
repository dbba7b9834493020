/**
 * `Parameter` and `Buffer`: tensors that a module recognises as its own.
 *
 * They behave like every tensor; by the class a module tells its trained parameters and its state from other tensors in its
 * fields.
 *
 * @module
 */

import { inspectKey } from "../../base/platform.ts";
import { type Args, call } from "../../base/call.ts";
import { checkTensor, Tensor } from "../../tensor/tensor.ts";

/** The parameters of {@linkcode Parameter}. */
export class ParameterArgs {
  constructor(
    /** The tensor with the values; its memory is shared. */
    public data: Tensor,
    /** Whether gradients flow to the parameter. */
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
 * import * as torch from "../../../mod.ts";
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

  /** The parameter as PyTorch prints it: the tensor below the line `Parameter containing:`. */
  override toString(): string {
    return `Parameter containing:\n${super.toString()}`;
  }

  /** The text that `console.log` shows. */
  [inspectKey](): string {
    return this.toString();
  }

  /** The text that Node's `console.log` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** The parameters of {@linkcode Buffer}. */
export class BufferArgs {
  /** Whether the buffer is part of the state dict. */
  persistent = true;
  constructor(
    /** The tensor with the values; its memory is shared. */
    public data: Tensor,
  ) {}
}

const bufferArgs = call("Buffer", BufferArgs);

/** A tensor that is state but not trained: in a field of a module it appears in `buffers()`. */
export class Buffer extends Tensor {
  /** Whether the buffer is part of the state dict. */
  readonly persistent: boolean;

  constructor(...args: Args<typeof BufferArgs>) {
    const { data, persistent } = bufferArgs(args);
    checkTensor("Buffer", "data", data);
    const t: Tensor = data;
    super(t.storage, t.shape, t.strides, t.offset, t.dtype, t.dense);
    this.persistent = persistent;
  }
}

/** The gradient, without making the user its owner, as reading `x.grad` would. */
export function peekGrad(x: Tensor): Tensor | null {
  return x.meta === null ? null : x.meta.grad;
}
