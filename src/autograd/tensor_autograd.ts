/**
 * The autograd members of `Tensor`: `requiresGrad`, `grad`, `backward`, `detach`, hooks.
 *
 * This file adds them to the class, so that `src/tensor` does not depend on autograd.
 *
 * @module
 */

import { type Args, call, type Func, func, type Named, NoArgs } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { AutogradError, DTypeError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { checkAlive, checkTensor, checkTensors, Tensor } from "../tensor/tensor.ts";
import { runBackward } from "./engine.ts";
import { exposeGrad, type GradHook, metaOf, setGrad } from "./meta.ts";
import { alias, edgeOf, gradFnOf, HookArgs, type Node, removable, type RemovableHandle, requiresGrad } from "./node.ts";

/** The parameters of `Tensor.backward`. */
export class BackwardArgs {
  constructor(
    /** The gradient of the tensor, of the same shape; `null`: 1, for a tensor of one element. */
    public gradient: Tensor | null = null,
    /** Whether the graph and its saved tensors are kept for another backward pass; `null`: as `createGraph`. */
    public retainGraph: boolean | null = null,
    /** Whether the backward pass is recorded, for gradients of gradients. */
    public createGraph = false,
    /** The tensors into whose `grad` gradients are accumulated; `null`: all leaves. */
    public inputs: Tensor | readonly Tensor[] | null = null,
  ) {}
}

/** The parameters of `Tensor.requiresGrad_`. */
export class RequiresGradArgs {
  constructor(
    /** Whether gradients flow to the tensor, or to all parameters of the module; `false` freezes them. */
    public requiresGrad = true,
  ) {}
}

/** A hook that is called with a leaf once its gradient was accumulated. */
export type PostAccumulateGradHook = (leaf: Tensor) => void;

/** Members of `Tensor` that autograd provides. */
export interface TensorAutograd {
  /** Whether operations on the tensor are recorded. Setting it is allowed on leaves only. */
  requiresGrad: boolean;
  /** The accumulated gradient of a leaf, or `null`. */
  grad: Tensor | null;
  /** The node that made the tensor; `null` for leaves. */
  readonly gradFn: Node | null;
  /** Whether the tensor is a leaf: not the result of a recorded operation. */
  readonly isLeaf: boolean;
  /** Whether a non-leaf keeps its gradient. */
  readonly retainsGrad: boolean;
  /**
   * Computes the gradients of the leaves that this tensor was computed from, and accumulates them into their `grad`.
   */
  backward(...args: Args<typeof BackwardArgs>): void;
  /** A tensor with the same memory that is cut off from the graph. */
  detach(...args: Args<typeof NoArgs>): Tensor;
  /** Cuts this tensor off from the graph, in place. */
  detach_(...args: Args<typeof NoArgs>): Tensor;
  /** Sets `requiresGrad`; returns the tensor. */
  requiresGrad_(...args: Args<typeof RequiresGradArgs>): Tensor;
  /** Lets backward store the gradient of a non-leaf in its `grad`. */
  retainGrad(...args: Args<typeof NoArgs>): void;
  /** Calls `hook` with the gradient; a tensor it returns replaces the gradient. */
  registerHook(...args: Args<typeof HookArgs<GradHook>>): RemovableHandle;
  /** Calls `hook` with the leaf after its gradient was accumulated. */
  registerPostAccumulateGradHook(...args: Args<typeof HookArgs<PostAccumulateGradHook>>): RemovableHandle;
}

const backwardArgs = call("backward", BackwardArgs);
const detachArgs = call("detach", NoArgs);
const detachInPlaceArgs = call("detach_", NoArgs);
const requiresGradArgs = call("requiresGrad_", RequiresGradArgs);
const retainGradArgs = call("retainGrad", NoArgs);
const registerHookArgs = call("registerHook", HookArgs<GradHook>);
const postAccumulateArgs = call("registerPostAccumulateGradHook", HookArgs<PostAccumulateGradHook>);

function setRequiresGrad(x: Tensor, value: boolean): void {
  if (value && !x.dtype.isFloatingPoint && !x.dtype.isComplex) {
    throw new DTypeError(`requiresGrad_(): only floating and complex tensors can require grad: ${x.dtype}`);
  }
  if (gradFnOf(x) !== null) {
    if (value) return;
    throw new AutogradError("requiresGrad_(): only leaves can change requiresGrad; use detach() on a computed tensor");
  }
  if (!value && x.meta === null) return;
  metaOf(x).requiresGrad = value;
}

function assignGrad(x: Tensor, grad: Tensor | null): void {
  if (grad !== null) {
    checkTensor("grad", "the gradient", grad);
    if (!sameShape(grad.shape, x.shape)) {
      throw new AutogradError(
        `grad(): the gradient's shape differs from the tensor's: ${show(grad.shape)} != ${show(x.shape)}`,
      );
    }
    if (grad.dtype !== x.dtype) {
      throw new AutogradError(`grad(): the gradient's dtype differs from the tensor's: ${grad.dtype} != ${x.dtype}`);
    }
    grad.storage.keep();
  }
  setGrad(x, grad, false);
}

const members: Omit<TensorAutograd, "requiresGrad" | "grad" | "gradFn" | "isLeaf" | "retainsGrad"> & ThisType<Tensor> =
  {
    backward(...args) {
      const { gradient, createGraph, ...given } = backwardArgs(args);
      const retainGraph = given.retainGraph ?? createGraph;
      if (given.inputs === null) {
        runBackward("backward", [this], [gradient], { retainGraph, createGraph, inputs: null });
        return;
      }
      const inputs = tensorsOf("backward", "inputs", given.inputs);
      const grads = runBackward("backward", [this], [gradient], { retainGraph, createGraph, inputs });
      inputs.forEach((x, i) => {
        const grad = grads[i];
        if (grad) assignGrad(x, x.grad ? x.grad.add(grad) : grad);
      });
    },
    detach(...args) {
      if (args.length > 0) detachArgs(args);
      checkAlive("detach", this);
      return alias(this);
    },
    detach_(...args) {
      detachInPlaceArgs(args);
      if (this.meta?.view) {
        throw new AutogradError("detach_(): a view cannot be detached in place; use detach()");
      }
      if (this.meta) {
        this.meta.gradFn = null;
        this.meta.requiresGrad = false;
      }
      return this;
    },
    requiresGrad_(...args) {
      setRequiresGrad(this, requiresGradArgs(args).requiresGrad);
      return this;
    },
    retainGrad(...args) {
      retainGradArgs(args);
      if (!requiresGrad(this)) {
        throw new AutogradError("retainGrad(): the tensor does not require grad; there is no gradient to keep");
      }
      const node = gradFnOf(this);
      if (node === null) return;
      const meta = metaOf(this);
      meta.retainsGrad = true;
      (node.retained ??= [])[meta.outputNr] = this;
    },
    registerHook(...args) {
      const { hook } = registerHookArgs(args);
      checkFunction("registerHook", "hook", hook);
      if (!requiresGrad(this)) {
        throw new AutogradError("registerHook(): the tensor does not require grad; no gradient will reach it");
      }
      const node = edgeOf(this)!;
      const nr = gradFnOf(this) === null ? 0 : this.meta!.outputNr;
      return removable((node.outputHooks ??= [])[nr] ??= new Set(), hook);
    },
    registerPostAccumulateGradHook(...args) {
      const { hook } = postAccumulateArgs(args);
      checkFunction("registerPostAccumulateGradHook", "hook", hook);
      if (gradFnOf(this) !== null) {
        throw new AutogradError("registerPostAccumulateGradHook(): only leaves accumulate gradients");
      }
      return removable(metaOf(this).accumulateHooks ??= new Set(), hook);
    },
  };

for (const [name, value] of Object.entries(members)) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}

Object.defineProperties(Tensor.prototype, {
  requiresGrad: {
    get(this: Tensor): boolean {
      return requiresGrad(this);
    },
    set: function (this: Tensor, value: boolean) {
      setRequiresGrad(this, value);
    },
    configurable: true,
  },
  grad: {
    get(this: Tensor): Tensor | null {
      return exposeGrad(this);
    },
    set: function (this: Tensor, grad: Tensor | null) {
      assignGrad(this, grad);
    },
    configurable: true,
  },
  gradFn: {
    get(this: Tensor): Node | null {
      return gradFnOf(this);
    },
    configurable: true,
  },
  isLeaf: {
    get(this: Tensor): boolean {
      return !requiresGrad(this) || gradFnOf(this) === null;
    },
    configurable: true,
  },
  retainsGrad: {
    get(this: Tensor): boolean {
      return this.meta?.retainsGrad ?? false;
    },
    configurable: true,
  },
});

/** The parameters of {@linkcode grad}. */
export class GradArgs {
  constructor(
    /** The tensors that are differentiated. */
    public outputs: Tensor | readonly Tensor[],
    /** The tensors with respect to which the outputs are differentiated. */
    public inputs: Tensor | readonly Tensor[],
    /** The gradients of the outputs; `null`: 1, for outputs of one element. */
    public gradOutputs: Tensor | readonly (Tensor | null)[] | null = null,
    /** Whether the graph and its saved tensors are kept for another backward pass; `null`: as `createGraph`. */
    public retainGraph: boolean | null = null,
    /** Whether the backward pass is recorded, for gradients of gradients. */
    public createGraph = false,
    /**
     * Whether inputs that the outputs do not depend on are allowed; their gradient is `null`. `null`: as
     * `materializeGrads`.
     */
    public allowUnused: boolean | null = null,
    /** Whether zeros are returned in place of `null` gradients. */
    public materializeGrads = false,
  ) {}
}

/** The parameters of {@linkcode backward}. */
export class BackwardOfArgs {
  constructor(
    /** The tensors that are differentiated. */
    public tensors: Tensor | readonly Tensor[],
    /** The gradients of the tensors; `null`: 1, for tensors of one element. */
    public gradTensors: Tensor | readonly (Tensor | null)[] | null = null,
    /** Whether the graph and its saved tensors are kept for another backward pass; `null`: as `createGraph`. */
    public retainGraph: boolean | null = null,
    /** Whether the backward pass is recorded, for gradients of gradients. */
    public createGraph = false,
  ) {}
}

/** The parameters of {@linkcode grad} by name, with `allowUnused` given: gradients may be `null`. */
export type Unused = Named<GradArgs> & { readonly allowUnused: boolean; readonly materializeGrads?: false | undefined };

/** The first three arguments of {@linkcode grad}. */
export type GradList = [
  outputs: GradArgs["outputs"],
  inputs: GradArgs["inputs"],
  gradOutputs: GradArgs["gradOutputs"],
];

/** The argument lists of {@linkcode grad} whose result may hold `null`. */
export type UnusedLists =
  | [named: Unused]
  | [outputs: GradArgs["outputs"], named: Unused]
  | [outputs: GradArgs["outputs"], inputs: GradArgs["inputs"], named: Unused]
  | [...GradList, named: Unused]
  | [...GradList, retainGraph: boolean | null, named: Unused]
  | [...GradList, retainGraph: boolean | null, createGraph: boolean, named: Unused]
  | [...GradList, retainGraph: boolean | null, createGraph: boolean, allowUnused: boolean, materializeGrads?: false];

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

/** One tensor or several, as a list. */
function tensorsOf(op: string, name: string, value: Tensor | readonly Tensor[]): readonly Tensor[] {
  if (!Array.isArray(value)) {
    checkTensor(op, name, value);
    return [value];
  }
  checkTensors(op, name, value);
  return value;
}

const gradArgs = call("grad", GradArgs);

/**
 * The gradients of `outputs` with respect to `inputs`; `null` for inputs that the outputs do not depend on. No `grad`
 * field changes.
 *
 * @throws {AutogradError} if an input was not used, unless `allowUnused` or `materializeGrads` is given
 */
export function grad(...args: UnusedLists): (Tensor | null)[];
/** The gradients of `outputs` with respect to `inputs`, on all of which the outputs must depend. */
export function grad(...args: Args<typeof GradArgs>): Tensor[];
export function grad(...args: readonly unknown[]): (Tensor | null)[] {
  const { outputs, inputs, gradOutputs, createGraph, materializeGrads, ...given } = gradArgs(args);
  const retainGraph = given.retainGraph ?? createGraph, allowUnused = given.allowUnused ?? materializeGrads;
  const outs = tensorsOf("grad", "outputs", outputs), ins = tensorsOf("grad", "inputs", inputs);
  const cotangents = gradOutputs ? listOf<Tensor | null>(gradOutputs) : outs.map(() => null);
  const grads = runBackward("grad", outs, cotangents, { retainGraph, createGraph, inputs: ins });
  grads.forEach((g, i) => {
    if (g !== null) return;
    if (!allowUnused) {
      throw new AutogradError(
        `grad(): input ${i} was not used to compute the outputs; pass { allowUnused: true } if that is meant`,
      );
    }
    if (materializeGrads) grads[i] = ins[i].newZeros(ins[i].shape);
  });
  return grads;
}

/** Computes the gradients of the leaves that several tensors were computed from, in one pass; see `Tensor.backward`. */
export const backward: Func<typeof BackwardOfArgs, void> = func("backward", BackwardOfArgs, (o) => {
  const outs = tensorsOf("backward", "tensors", o.tensors);
  const grads = o.gradTensors === null ? outs.map(() => null) : listOf<Tensor | null>(o.gradTensors);
  const { createGraph, retainGraph } = o;
  runBackward("backward", outs, grads, { retainGraph: retainGraph ?? createGraph, createGraph, inputs: null });
});
