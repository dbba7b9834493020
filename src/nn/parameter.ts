/**
 * `Parameter` and `Buffer`: tensors that a module recognises as its own.
 *
 * They are tensors in every way; only the class tells a module's trained state from a tensor that merely lies in a
 * field.
 *
 * @module
 */

import { inspectKey } from "../base/platform.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import { describe } from "../base/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What {@linkcode Parameter} takes. */
export interface ParameterOptions {
  /** The values; memory is shared with this tensor. */
  data: Tensor;
  /** Whether gradients are recorded. @default {true} */
  requiresGrad?: boolean;
}

const parameterArgs = signature<ParameterOptions>("Parameter", ["data", "requiresGrad"], [], 1);

function checkTensor(op: string, data: unknown): Tensor {
  if (data instanceof Tensor) return data;
  throw new ArgumentError(`${op}(): expected a Tensor: ${describe(data)}`);
}

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
  /** Takes `data, requiresGrad`. */
  constructor(...args: Args<ParameterOptions, ["data", "requiresGrad"]>) {
    // A tensor is never a plain object, so the parser leaves it in its place.
    const { data, requiresGrad } = parameterArgs(args);
    const t = checkTensor("Parameter", data);
    super(t.storage, t.shape, t.strides, t.offset, t.dtype, t.dense);
    if (requiresGrad ?? true) this.requiresGrad_(true);
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

/** What {@linkcode Buffer} takes. */
export interface BufferOptions {
  /** The values; memory is shared with this tensor. */
  data: Tensor;
  /** Whether it is part of the state dict. @default {true} */
  persistent?: boolean;
}

const bufferArgs = signature<BufferOptions>("Buffer", ["data"], ["persistent"], 1);

/** A tensor that is state but not trained: in a field of a module it appears in `buffers()`. */
export class Buffer extends Tensor {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;

  /** Takes `data` and, by name, `persistent`. */
  constructor(...args: Args<BufferOptions, ["data"]>) {
    const { data, persistent } = bufferArgs(args);
    const t = checkTensor("Buffer", data);
    super(t.storage, t.shape, t.strides, t.offset, t.dtype, t.dense);
    this.persistent = persistent ?? true;
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
