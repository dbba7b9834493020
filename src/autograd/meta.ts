/**
 * The autograd record of a tensor: `requiresGrad`, `grad`, its place in the graph. A tensor that never took part in a
 * graph has none.
 *
 * @module
 */

import type { Storage } from "../tensor/storage.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Node } from "./node.ts";

/** A function called with a gradient; a tensor it returns replaces the gradient. */
export type GradHook = (grad: Tensor) => Tensor | void;

/** The relation of a view to its base. */
export interface ViewInfo {
  /** The tensor that is not itself a view. */
  readonly base: Tensor;
  /** The storage's version when `gradFn` was computed; an in-place write since then makes it stale. */
  version: number;
  /** The custom function that returned the view, whose gradient cannot be made anew after a write; `null` for others. */
  readonly madeBy: string | null;
}

/** Autograd's record of one tensor. */
export class AutogradMeta {
  /** Whether gradients flow to the tensor. */
  requiresGrad = false;
  /** The node that made the tensor; `null` for a leaf. It may be stale for views: read it through `gradFnOf`. */
  gradFn: Node | null = null;
  /** Which output of the node the tensor is. */
  outputNr = 0;
  /** The node that accumulates the gradient of a leaf. */
  accumulator: Node | null = null;
  /** The accumulated gradient; read through the `grad` property. */
  grad: Tensor | null = null;
  /** The gradient's storage while only the leaf owns it: it is freed with the leaf. */
  gradBox: GradBox | null = null;
  /** Hooks called after a leaf's gradient was accumulated. */
  accumulateHooks: Set<(leaf: Tensor) => void> | null = null;
  /** Whether a non-leaf keeps its gradient. */
  retainsGrad = false;
  /** The base of a view; `null` for other tensors. */
  view: ViewInfo | null = null;
}

/** The storage of a gradient that only its leaf owns. */
export interface GradBox {
  /** The storage; `null` where there is no gradient, or the user has read it. */
  storage: Storage | null;
}

const leafRegistry = new FinalizationRegistry<GradBox>((box) => box.storage?.release());

/** The record of `x`, made if it has none. */
export function metaOf(x: Tensor): AutogradMeta {
  return x.meta ??= new AutogradMeta();
}

/**
 * Sets a leaf's gradient.
 *
 * @param owned whether the leaf owns the gradient's storage: the user has not seen it, so replacing it frees it at once
 */
export function setGrad(x: Tensor, grad: Tensor | null, owned: boolean): void {
  const meta = metaOf(x);
  if (meta.gradBox?.storage && meta.gradBox.storage !== grad?.storage) {
    meta.gradBox.storage.adopted = false;
    meta.gradBox.storage.unclaim();
  }
  meta.grad = grad;
  if (!owned || grad === null) {
    if (meta.gradBox) meta.gradBox.storage = null;
    return;
  }
  if (meta.gradBox === null) {
    meta.gradBox = { storage: null };
    leafRegistry.register(x, meta.gradBox);
  }
  meta.gradBox.storage = grad.storage;
  grad.storage.adopted = true;
}

/** Returns the gradient to the user, who owns it from now on: only the garbage collector frees it. */
export function exposeGrad(x: Tensor): Tensor | null {
  const meta = x.meta;
  if (meta === null || meta.grad === null) return null;
  if (meta.gradBox?.storage) {
    meta.gradBox.storage.keep();
    meta.gradBox.storage = null;
  }
  return meta.grad;
}
