/**
 * `Function`: custom operations, whose forward and backward the user writes.
 *
 * @see https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
 * @module
 */

import { type Args, call } from "../base/call.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError, AutogradError, describe } from "../base/errors.ts";
import { visitTensors } from "../tensor/search.ts";
import type { Storage } from "../tensor/storage.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";
import { metaOf } from "./meta.ts";
import { withGrad } from "./mode.ts";
import { alias, Node, setHistory } from "./node.ts";
import { rebase, recording } from "./record.ts";

/** The parameters of {@linkcode FunctionCtx.setMaterializeGrads}. */
export class SetMaterializeGradsArgs {
  constructor(
    /** Whether missing gradients arrive as zeros, or as `null`. */
    public value: boolean,
  ) {}
}

const materializeArgs = call("setMaterializeGrads", SetMaterializeGradsArgs);

/** The context of one call: what `forward` saves for `backward`. The user may add fields. */
export class FunctionCtx {
  /** For each argument of `forward`, whether its gradient is needed. */
  needsInputGrad: boolean[] = [];
  /** Whether `backward` gets zeros for outputs without a gradient; see {@linkcode FunctionCtx.setMaterializeGrads}. */
  materializeGrads = true;
  /** Tensors given to `saveForBackward`. @internal */
  toSave: (Tensor | null)[] = [];
  /** Outputs without gradient. @internal */
  readonly nonDifferentiable: Set<Tensor> = new Set();
  /** Inputs written in place. @internal */
  readonly dirty: Set<Tensor> = new Set();
  /** Reads the saved tensors. @internal */
  unpack: (() => (Tensor | null)[]) | null = null;
  /** Other values that the user stores. */
  [key: string]: unknown;

  /** Saves tensors for `backward`, which throws if one of them was modified in place meanwhile. */
  saveForBackward(...tensors: (Tensor | null)[]): void {
    for (const t of tensors) if (t !== null) checkTensor("saveForBackward", "each argument", t);
    this.toSave = tensors;
  }

  /** The tensors given to `saveForBackward`. */
  get savedTensors(): (Tensor | null)[] {
    return this.unpack ? this.unpack() : this.toSave;
  }

  /** Marks outputs through which no gradient flows. */
  markNonDifferentiable(...tensors: Tensor[]): void {
    for (const t of tensors) {
      checkTensor("markNonDifferentiable", "each argument", t);
      this.nonDifferentiable.add(t);
    }
  }

  /** Marks inputs that `forward` wrote in place and returns. */
  markDirty(...tensors: Tensor[]): void {
    for (const t of tensors) {
      checkTensor("markDirty", "each argument", t);
      this.dirty.add(t);
    }
  }

  /** Sets whether missing gradients arrive as zeros (the default) or as `null`. */
  setMaterializeGrads(...args: Args<typeof SetMaterializeGradsArgs>): void {
    this.materializeGrads = materializeArgs(args).value;
  }
}

/** A class with static `forward` and `backward`. */
export interface FunctionClass {
  /** The class's name. */
  readonly name: string;
  /** Computes the result; saves what `backward` needs in `ctx`, its first argument unless there is a `setupContext`. */
  // deno-lint-ignore no-explicit-any -- the user's own parameters
  forward(...args: any[]): Tensor | Tensor[];
  /** Saves what `backward` needs, after a `forward` that takes no `ctx`. */
  // deno-lint-ignore no-explicit-any -- what forward takes and returns
  setupContext?(ctx: FunctionCtx, inputs: any, output: any): void;
  /** Computes the gradient of each argument of `forward`; `null` for arguments without one. */
  // deno-lint-ignore no-explicit-any -- one gradient per output
  backward(ctx: FunctionCtx, ...grads: any[]): Tensor | null | (Tensor | null)[];
}

class FunctionNode extends Node {
  private readonly cls: FunctionClass;
  private readonly ctx: FunctionCtx;
  /** For each input of the node, the index of the argument that it was. */
  private readonly positions: readonly number[];
  private readonly outputs: readonly Tensor[];
  private readonly claimed: Storage[] = [];
  private readonly dtypes: readonly DType[];

  constructor(cls: FunctionClass, ctx: FunctionCtx, inputs: Tensor[], positions: number[], outputs: Tensor[]) {
    super(`${cls.name}Backward`, inputs);
    this.cls = cls;
    this.ctx = ctx;
    this.positions = positions;
    this.outputs = outputs.map(alias);
    this.dtypes = inputs.map((x) => x.dtype);
    const kept = ctx.toSave;
    this.save(kept.filter((t) => t !== null), outputs);
    ctx.toSave = [];
    ctx.unpack = () => {
      const tensors = this.unpack();
      let next = 0;
      return kept.map((t) => t === null ? null : tensors[next++]);
    };
    // Tensors stored as plain fields of `ctx` live as long as the node, as in PyTorch.
    const { unpack: _unpack, dirty: _dirty, nonDifferentiable: _nd, ...own } = ctx;
    visitTensors(own, (storage) => {
      storage.claim();
      this.claimed.push(storage);
    });
  }

  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const full = this.outputs.map((out, i) =>
      grads[i] ?? (this.ctx.materializeGrads ? (grads.find((g) => g) ?? out).newZeros(out.shape) : null)
    );
    const result = this.cls.backward(this.ctx, ...full);
    const list = Array.isArray(result) ? result : [result];
    const last = this.positions[this.positions.length - 1] ?? 0;
    if (list.length <= last) {
      throw new AutogradError(
        `${this.cls.name}.backward(): returned ${list.length} gradients, expected one per argument of forward (${
          last + 1
        })`,
      );
    }
    return this.positions.map((p, i) => this.gradientOf(list[p], p, i));
  }

  /** A gradient that backward returned, cast to the dtype of its input, for which the earlier nodes have kernels. */
  private gradientOf(grad: unknown, argument: number, input: number): Tensor | null {
    if (grad === null || grad === undefined || !this.needs(input)) return null;
    if (!(grad instanceof Tensor)) {
      throw new AutogradError(
        `${this.cls.name}.backward(): a gradient must be a Tensor or null: ${describe(grad)} for argument ${argument}`,
      );
    }
    return grad.dtype === this.dtypes[input] ? grad : grad.to(this.dtypes[input]);
  }

  override release(): void {
    super.release();
    for (const storage of this.claimed.splice(0)) storage.unclaim();
  }
}

/**
 * An operation with its own gradient: subclass it, write static `forward` and `backward`, call `apply`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * class Exp extends torch.autograd.Function {
 *   static forward(ctx: torch.autograd.FunctionCtx, x: torch.Tensor): torch.Tensor {
 *     const y = x.exp();
 *     ctx.saveForBackward(y);
 *     return y;
 *   }
 *   static backward(ctx: torch.autograd.FunctionCtx, grad: torch.Tensor): torch.Tensor {
 *     const [y] = ctx.savedTensors;
 *     return grad.mul(y!);
 *   }
 * }
 * const x = torch.zeros(2, { requiresGrad: true });
 * Exp.apply(x).sum().backward();
 * assertEquals(await x.grad!.tolist(), [1, 1]);
 * ```
 */
export abstract class Function {
  /** Runs `forward` and records the call, so that `backward` computes its gradients. */
  static apply<T extends Tensor | Tensor[] = Tensor>(this: FunctionClass, ...args: unknown[]): T {
    if (typeof this?.forward !== "function") {
      throw new ArgumentError("Function.apply(): the class has no static forward(); extend Function and define it");
    }
    const ctx = new FunctionCtx();
    const inputs: Tensor[] = [], positions: number[] = [];
    args.forEach((a, i) => {
      if (a instanceof Tensor) {
        inputs.push(a);
        positions.push(i);
      }
    });
    const record = recording(inputs);
    ctx.needsInputGrad = args.map((a) => record && a instanceof Tensor && a.requiresGrad);
    const result = withGrad(false, () => {
      if (!this.setupContext) return this.forward(ctx, ...args);
      const output = this.forward(...args);
      this.setupContext(ctx, args, output);
      return output;
    });
    if (!record) return result as T;
    const list = Array.isArray(result) ? result : [result];
    // An input that `forward` returns unchanged becomes a new object, or its history would be overwritten.
    const outputs = list.map((out) => args.includes(out) && !ctx.dirty.has(out) ? alias(out) : out);
    const node = new FunctionNode(this, ctx, inputs, positions, outputs);
    outputs.forEach((out, nr) => {
      if (ctx.nonDifferentiable.has(list[nr]) || !(out.dtype.isFloatingPoint || out.dtype.isComplex)) return;
      if (ctx.dirty.has(out)) {
        out.storage.version++;
        rebase(out, node);
      } else {
        setHistory(out, node, nr);
        const seen = inputs.find((x) => x.storage === out.storage);
        if (seen !== undefined) {
          const base = seen.meta?.view?.base ?? seen;
          metaOf(out).view = { base, version: out.storage.version, madeBy: this.name };
        }
      }
    });
    return (Array.isArray(result) ? outputs : outputs[0]) as T;
  }
}
