/**
 * The autograd members of `Tensor`: `requiresGrad`, `grad`, `backward`, `detach`, hooks.
 *
 * They are installed on the class from here, so that the tensor layer knows nothing of graphs.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { AutogradError, DTypeError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { runBackward } from "./engine.ts";
import { exposeGrad, type GradHook, metaOf, setGrad } from "./meta.ts";
import { alias, edgeOf, gradFnOf, type Node, removable, type RemovableHandle, requiresGrad } from "./node.ts";

/** The parameters of `Tensor.backward`. */
export interface BackwardArgs {
  /** Gradient of the tensor; may be left out for a single element. */
  gradient?: Tensor | null;
  /** Keep the graph for another pass; default: `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward pass, for gradients of gradients. */
  createGraph?: boolean;
  /** Accumulate only into these. */
  inputs?: readonly Tensor[];
}

/** Members of `Tensor` that autograd provides. */
export interface TensorAutograd {
  /** Whether operations on the tensor are recorded. Setting it is allowed on leaves only. */
  requiresGrad: boolean;
  /** The accumulated gradient of a leaf, or `null`. */
  grad: Tensor | null;
  /** The node that made the tensor; `null` for leaves. */
  readonly gradFn: Node | null;
  /** Whether the user made it, or no gradient flows to it. */
  readonly isLeaf: boolean;
  /** Whether a non-leaf keeps its gradient. */
  readonly retainsGrad: boolean;
  /** Computes gradients of the leaves that led to this tensor. */
  backward(...args: Args<BackwardArgs, ["gradient", "retainGraph", "createGraph", "inputs"]>): void;
  /** The same values without history, sharing memory. */
  detach(): Tensor;
  /** Drops the history of this very tensor. */
  detach_(): Tensor;
  /** Sets `requiresGrad`; returns the tensor. */
  requiresGrad_(requiresGrad?: boolean): Tensor;
  /** Keeps the gradient of a non-leaf. */
  retainGrad(): void;
  /** Calls `hook` with the gradient; a tensor it returns replaces the gradient. */
  registerHook(hook: GradHook): RemovableHandle;
  /** Calls `hook` with the leaf after its gradient was accumulated. */
  registerPostAccumulateGradHook(hook: (leaf: Tensor) => void): RemovableHandle;
}

const parseBackward = signature<BackwardArgs>("backward", ["gradient", "retainGraph", "createGraph", "inputs"]);

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
    if (!sameShape(grad.shape, x.shape)) {
      throw new AutogradError(
        `grad: the gradient's shape differs from the tensor's: ${show(grad.shape)} != ${show(x.shape)}`,
      );
    }
    if (grad.dtype !== x.dtype) {
      throw new AutogradError(`grad: the gradient's dtype differs from the tensor's: ${grad.dtype} != ${x.dtype}`);
    }
    grad.storage.keep();
  }
  setGrad(x, grad, false);
}

const members: Omit<TensorAutograd, "requiresGrad" | "grad" | "gradFn" | "isLeaf" | "retainsGrad"> & ThisType<Tensor> =
  {
    backward(...args) {
      const { gradient = null, createGraph = false, retainGraph = createGraph, inputs } = parseBackward(args);
      if (inputs === undefined) {
        runBackward("backward", [this], [gradient], { retainGraph, createGraph, inputs: null });
        return;
      }
      const grads = runBackward("backward", [this], [gradient], { retainGraph, createGraph, inputs });
      inputs.forEach((x, i) => {
        const grad = grads[i];
        if (grad) assignGrad(x, x.grad ? x.grad.add(grad) : grad);
      });
    },
    detach() {
      checkAlive("detach", this);
      return alias(this);
    },
    detach_() {
      if (this.meta?.view) {
        throw new AutogradError("detach_(): a view cannot be detached in place; use detach()");
      }
      if (this.meta) {
        this.meta.gradFn = null;
        this.meta.requiresGrad = false;
      }
      return this;
    },
    requiresGrad_(value = true) {
      setRequiresGrad(this, value);
      return this;
    },
    retainGrad() {
      if (!requiresGrad(this)) {
        throw new AutogradError("retainGrad(): the tensor does not require grad; there is no gradient to keep");
      }
      const node = gradFnOf(this);
      if (node === null) return;
      const meta = metaOf(this);
      meta.retainsGrad = true;
      (node.retained ??= [])[meta.outputNr] = this;
    },
    registerHook(hook) {
      if (!requiresGrad(this)) {
        throw new AutogradError("registerHook(): the tensor does not require grad; no gradient will reach it");
      }
      const node = edgeOf(this)!;
      const nr = gradFnOf(this) === null ? 0 : this.meta!.outputNr;
      return removable((node.outputHooks ??= [])[nr] ??= new Set(), hook);
    },
    registerPostAccumulateGradHook(hook) {
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
export interface GradArgs {
  /** Gradients of the outputs. */
  gradOutputs?: Tensor | readonly (Tensor | null)[] | null;
  /** Keep the graph for another pass; default: `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward pass. */
  createGraph?: boolean;
  /** Allow inputs that the outputs do not depend on; their gradient is `null`. Default: `materializeGrads`. */
  allowUnused?: boolean;
  /** Give zeros instead of `null`. */
  materializeGrads?: boolean;
}

const parseGrad = signature<GradArgs>(
  "grad",
  ["gradOutputs", "retainGraph", "createGraph", "allowUnused", "materializeGrads"],
);

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

/** The gradients of `outputs` by `inputs`, without touching any `grad` field. */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  ...args: Args<GradArgs, ["gradOutputs", "retainGraph", "createGraph", "allowUnused", "materializeGrads"]>
): (Tensor | null)[] {
  const options = parseGrad(args);
  const { createGraph = false, retainGraph = createGraph, materializeGrads = false } = options;
  const { allowUnused = materializeGrads } = options;
  const outs = listOf(outputs), ins = listOf(inputs);
  const gradOutputs = options.gradOutputs ? listOf<Tensor | null>(options.gradOutputs) : outs.map(() => null);
  const grads = runBackward("grad", outs, gradOutputs, { retainGraph, createGraph, inputs: ins });
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

/** Backward from several outputs at once. */
export function backward(
  tensors: Tensor | readonly Tensor[],
  gradTensors: Tensor | readonly (Tensor | null)[] | null = null,
  options: { retainGraph?: boolean; createGraph?: boolean } = {},
): void {
  const outs = listOf(tensors);
  const grads = gradTensors === null ? outs.map(() => null) : listOf<Tensor | null>(gradTensors);
  const { createGraph = false, retainGraph = createGraph } = options;
  runBackward("backward", outs, grads, { retainGraph, createGraph, inputs: null });
}
