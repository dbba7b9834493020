/**
 * How ops enter the graph: `record` for new tensors, `recordView` for views, `recordInPlace` for writes.
 *
 * Each takes the op's name, its tensor inputs, the tensors that its gradient reads and the formula, in the manner of PyTorch's
 * derivatives.yaml. Formulas are written in public ops, so gradients of gradients need nothing more. A formula reads tensors
 * only from `saved`, never from its closure: that is what frees memory early and notices in-place modification.
 *
 * @module
 */

import { AutogradError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { metaOf } from "./meta.ts";
import { mode } from "./mode.ts";
import { CopySlices, Node, NOTHING, replaceHistory, requiresGrad, setHistory, viewOfFunction } from "./node.ts";

/**
 * The gradients of an op's inputs.
 *
 * @param grad gradient of the output
 * @param saved the saved tensors, in order
 * @param needs whether the gradient of each input is wanted; others may be null
 */
export type Formula = (grad: Tensor, saved: Tensor[], needs: readonly boolean[]) => (Tensor | null)[];

/** The same for several outputs; a gradient is null where none arrived. */
export type FormulaMany = (grads: (Tensor | null)[], saved: Tensor[], needs: readonly boolean[]) => (Tensor | null)[];

class FormulaNode extends Node {
  private readonly formula: Formula;
  constructor(name: string, inputs: readonly (Tensor | null)[], formula: Formula) {
    super(name, inputs);
    this.formula = formula;
  }
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    return this.formula(grads[0]!, this.unpack(), this.next.map((n) => n !== null));
  }
}

class FormulaManyNode extends Node {
  private readonly formula: FormulaMany;
  private readonly outputs: number;
  constructor(name: string, inputs: readonly (Tensor | null)[], formula: FormulaMany, outputs: number) {
    super(name, inputs);
    this.formula = formula;
    this.outputs = outputs;
  }
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    // The engine's list ends at the last output that was used.
    while (grads.length < this.outputs) grads.push(null);
    return this.formula(grads, this.unpack(), this.next.map((n) => n !== null));
  }
}

/**
 * The gradient of a view: the opposite movement.
 *
 * @param grad gradient of the view
 * @param how what the movement needs to know, such as the shape before
 */
export type ViewFormula<H> = (grad: Tensor, how: H) => Tensor;

class ViewNode<H> extends Node {
  private readonly formula: ViewFormula<H>;
  private readonly how: H;
  constructor(name: string, inputs: readonly Tensor[], formula: ViewFormula<H>, how: H) {
    super(name, inputs);
    this.formula = formula;
    this.how = how;
    this.saved = NOTHING;
  }
  apply(grads: (Tensor | null)[]): Tensor[] {
    if (this.saved === null) this.unpack();
    return [this.formula(grads[0]!, this.how)];
  }
}

/** Whether an op on these inputs is to be recorded. */
export function recording(inputs: readonly (Tensor | null | undefined)[]): boolean {
  if (!mode.mayRecord) return false;
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i];
    if (x && x.meta !== null && requiresGrad(x)) return mode.certain || mode.gradEnabled;
  }
  return false;
}

function differentiable(x: Tensor): boolean {
  return x.dtype.kind === "floating" || x.dtype.kind === "complex";
}

/** Records a new tensor; returns it. */
export function record(
  name: string,
  out: Tensor,
  inputs: readonly (Tensor | null)[],
  saved: readonly Tensor[],
  formula: Formula,
): Tensor {
  if (!recording(inputs) || !differentiable(out)) return out;
  const node = new FormulaNode(name, inputs, formula);
  node.save(saved, [out]);
  setHistory(out, node);
  return out;
}

/** Records an op with several outputs; those of integer dtype carry no gradient. */
export function recordMany(
  name: string,
  outs: readonly Tensor[],
  inputs: readonly (Tensor | null)[],
  saved: readonly Tensor[],
  formula: FormulaMany,
): void {
  if (!recording(inputs)) return;
  const node = new FormulaManyNode(name, inputs, formula, outs.length);
  outs.forEach((out, i) => {
    if (differentiable(out)) setHistory(out, node, i);
  });
  node.save(saved, outs);
}

/**
 * Records `view`, made from `x` without copying; returns it.
 *
 * @param formula stands once for all calls; what differs between them is in `how`
 */
export function recordView<H>(name: string, x: Tensor, view: Tensor, formula: ViewFormula<H>, how: H): Tensor {
  const base = x.meta?.view?.base ?? x;
  metaOf(view).view = { base, version: view.storage.version, madeBy: null };
  const inputs = [x];
  if (recording(inputs) && differentiable(view)) setHistory(view, new ViewNode(name, inputs, formula, how));
  return view;
}

/** Checks that `x` may be written in place; call it before writing. */
export function checkInPlace(op: string, x: Tensor): void {
  if (!mode.mayRecord || x.meta === null || !requiresGrad(x) || !mode.gradEnabled) return;
  const { view } = x.meta;
  if (view !== null && view.madeBy !== null) throw viewOfFunction(op, view.madeBy);
  const base = view?.base ?? x;
  if (base.meta?.requiresGrad && base.meta.gradFn === null) {
    const what = base === x ? "a leaf" : "a view of a leaf";
    throw new AutogradError(
      `${op}(): ${what} that requires grad is written in place; do it inside noGrad(), or on a clone()`,
    );
  }
}

/** Records a write to `x` (input 0), after it happened and `x.storage.version` was raised; returns `x`. */
export function recordInPlace(
  name: string,
  x: Tensor,
  inputs: readonly (Tensor | null)[],
  saved: readonly Tensor[],
  formula: Formula,
): Tensor {
  if (!recording(inputs) || !differentiable(x)) return x;
  const node = new FormulaNode(name, inputs, formula);
  node.save(saved, [x]);
  return rebase(x, node);
}

/** Puts `node`, an in-place op on `x`, into the history of `x` and of the tensor it views. */
export function rebase(x: Tensor, node: Node): Tensor {
  const view = x.meta?.view;
  if (view) {
    const base = view.base;
    replaceHistory(base, new CopySlices(base, x, node));
    // The view's own history is rebuilt from the base when it is asked for.
    view.version = -1;
    metaOf(x).requiresGrad = true;
  } else replaceHistory(x, node);
  return x;
}
