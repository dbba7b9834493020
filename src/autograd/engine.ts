/**
 * The backward engine: runs graph nodes in reverse order of creation, without recursion.
 *
 * First the dependencies of each node are counted; then a heap of ready nodes is processed. A gradient on its way to a
 * node is claimed by the task that waits for it and released when the node has run, so backward's memory peak is that
 * of PyTorch.
 *
 * @module
 */

import { AutogradError, show } from "../base/errors.ts";
import { showCallers } from "../base/stack.ts";
import { sameShape } from "../base/shape.ts";
import { emptyWithStrides } from "../tensor/create.ts";
import { denseOrder } from "../tensor/layout.ts";
import { outsideScopes, runOwned } from "../tensor/storage.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { withoutCasts } from "./autocast.ts";
import { metaOf, setGrad } from "./meta.ts";
import { mode, whyGradIsOff, withGrad } from "./mode.ts";
import { AccumulateGrad, edgeOf, gradFnOf, type Node, requiresGrad } from "./node.ts";

/** A node waiting for gradients. */
interface Task {
  readonly node: Node;
  /** The dependency count: how many nodes that send gradients to this one have not run. */
  pending: number;
  grads: (Tensor | null)[];
}

/** The state of one backward pass. */
interface Pass {
  readonly tasks: Map<Node, Task>;
  readonly ready: Heap;
  readonly createGraph: boolean;
  readonly retainGraph: boolean;
  /**
   * The gradients to return: for each node and output number, the places in `captured`; `null`: gradients are
   * accumulated into leaves.
   */
  readonly wanted: Map<Node, Map<number, number[]>> | null;
  readonly captured: (Tensor | null)[];
}

/** Options of {@linkcode runBackward}. */
export interface BackwardOptions {
  /** Keep saved tensors for another pass. */
  retainGraph: boolean;
  /** Record the backward pass itself. */
  createGraph: boolean;
  /** Return the gradients of these instead of accumulating into leaves. */
  inputs: readonly Tensor[] | null;
}

/** A max-heap of tasks by order of creation. */
class Heap {
  private readonly items: Task[] = [];
  get size(): number {
    return this.items.length;
  }
  push(task: Task): void {
    const a = this.items;
    let i = a.push(task) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (a[parent].node.sequence >= task.node.sequence) break;
      a[i] = a[parent];
      i = parent;
    }
    a[i] = task;
  }
  pop(): Task {
    const a = this.items;
    const top = a[0];
    const last = a.pop()!;
    const n = a.length;
    if (n === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && a[child + 1].node.sequence > a[child].node.sequence) child++;
      if (a[child].node.sequence <= last.node.sequence) break;
      a[i] = a[child];
      i = child;
    }
    a[i] = last;
    return top;
  }
}

/**
 * The tasks of a pass: every node reachable from the roots that leads to a wanted gradient, with its dependencies
 * counted.
 */
function collectTasks(roots: readonly Node[], wanted: Pass["wanted"]): Map<Node, Task> {
  const order: Node[] = [];
  const seen = new Set<Node>(roots);
  const stack: Node[] = [...roots];
  while (stack.length > 0) {
    const node = stack.pop()!;
    order.push(node);
    for (const next of node.next) {
      if (next !== null && !seen.has(next)) {
        seen.add(next);
        stack.push(next);
      }
    }
  }
  const needed = wanted === null ? seen : leadingTo(order, wanted);
  const tasks = new Map<Node, Task>();
  for (const node of order) if (needed.has(node)) tasks.set(node, { node, pending: 0, grads: [] });
  for (const node of order) {
    if (!needed.has(node)) continue;
    for (const next of node.next) {
      const task = next && tasks.get(next);
      if (task) task.pending++;
    }
  }
  return tasks;
}

/**
 * The nodes from which a wanted node can be reached. A node is mostly newer than the nodes of its inputs, so one sweep
 * in order of creation finds nearly all.
 */
function leadingTo(nodes: readonly Node[], wanted: NonNullable<Pass["wanted"]>): Set<Node> {
  const needed = new Set<Node>();
  const ascending = [...nodes].sort((a, b) => a.sequence - b.sequence);
  let changed = true;
  // Accumulators and rebased histories may be newer than the nodes that point to them, so sweep until nothing changes
  // (mostly twice).
  while (changed) {
    changed = false;
    for (const node of ascending) {
      if (needed.has(node)) continue;
      if (wanted.has(node) || node.next.some((n) => n !== null && needed.has(n))) {
        needed.add(node);
        changed = true;
      }
    }
  }
  return needed;
}

/** Adds a gradient to those that a task holds for output `nr` of its node; the task claims the sum. */
function deliver(task: Task, nr: number, grad: Tensor): void {
  const before = task.grads[nr];
  if (!before) {
    grad.storage.claim();
    task.grads[nr] = grad;
    return;
  }
  const sum = before.add(grad);
  sum.storage.claim();
  before.storage.unclaim();
  task.grads[nr] = sum;
}

function runHooks(task: Task): void {
  const { node, grads } = task;
  if (node.outputHooks) {
    node.outputHooks.forEach((hooks, nr) => {
      if (!hooks) return;
      for (const hook of hooks) {
        const grad = grads[nr];
        if (!grad) return;
        grad.storage.keep();
        const changed = outsideScopes(() => hook(grad));
        if (changed) replace(grads, nr, changed);
      }
    });
  }
  if (node.retained) {
    node.retained.forEach((x, nr) => {
      const grad = grads[nr];
      if (!x || !grad) return;
      grad.storage.keep();
      metaOf(x).grad = metaOf(x).grad ? metaOf(x).grad!.add(grad) : grad;
    });
  }
  if (node.preHooks) {
    for (const hook of node.preHooks) {
      for (const g of grads) g?.storage.keep();
      const changed = outsideScopes(() => hook(grads));
      if (changed) changed.forEach((g, i) => g && replace(grads, i, g));
    }
  }
}

function replace(grads: (Tensor | null)[], nr: number, grad: Tensor): void {
  checkTensor("registerHook", "what a hook returns", grad);
  const before = grads[nr];
  if (before && before.dtype !== grad.dtype) {
    throw new AutogradError(`registerHook(): a hook changed the gradient's dtype: ${before.dtype} to ${grad.dtype}`);
  }
  grad.storage.claim();
  grads[nr]?.storage.unclaim();
  grads[nr] = grad;
}

/**
 * Whether a gradient has the memory layout that its leaf asks for: the leaf's strides, or row-major order where the
 * leaf has gaps, as in PyTorch.
 */
function laidOutAs(grad: Tensor, leaf: Tensor): boolean {
  if (grad.dense) return leaf.dense || denseOrder(leaf) === null;
  return !leaf.dense && sameShape(grad.strides, leaf.strides) && denseOrder(grad) !== null;
}

/** A copy of a gradient in the memory layout that its leaf asks for. */
function cloneAs(grad: Tensor, leaf: Tensor): Tensor {
  if (denseOrder(leaf) === null) return grad.clone({ memoryFormat: "contiguous_format" });
  const out = emptyWithStrides("backward", leaf.shape, leaf.strides, grad.dtype, grad);
  return out.copy_(grad);
}

/**
 * Gradient accumulation: adds a gradient to its leaf's `grad`; a first one that nothing else holds becomes `grad`
 * itself, without a copy.
 */
function accumulate(leaf: Tensor, grad: Tensor, createGraph: boolean): void {
  const meta = metaOf(leaf);
  const old = meta.grad;
  if (createGraph) {
    const next = old ? old.add(grad) : grad.clone();
    next.storage.keep();
    setGrad(leaf, next, false);
  } else if (old !== null) {
    old.add_(grad);
  } else {
    const storage = grad.storage;
    const whole = grad.offset === 0 && sameShape(grad.shape, leaf.shape) && laidOutAs(grad, leaf);
    if (whole && storage.soleOwner && !storage.collected) {
      // The leaf's own claim; the task gives up its claim when the node has run.
      storage.claim();
      setGrad(leaf, grad.meta === null ? grad : grad.detach(), true);
    } else {
      // The claim of the copy's maker becomes the leaf's: `setGrad` marks the storage as adopted, and scopes do not
      // release adopted storages.
      setGrad(leaf, leaf.dense ? (grad.dense ? grad.clone() : grad.contiguous()) : cloneAs(grad, leaf), true);
    }
  }
  if (meta.accumulateHooks) { for (const hook of meta.accumulateHooks) outsideScopes(() => hook(leaf)); }
}

function checkAnomaly(node: Node, out: (Tensor | null)[]): void {
  for (const grad of out) {
    if (grad === null || !grad.dtype.isFloatingPoint) continue;
    const error = () =>
      new AutogradError(
        `detectAnomaly(): ${node.name} returned NaN in its backward; its forward was called at\n${
          node.trace ?? "(unknown)"
        }`,
      );
    const bad = grad.isnan().any(), { backend } = grad.storage;
    // Where reads are asynchronous (WebGPU), reads of the gradient throw.
    if (!backend.readSync) backend.failWhere?.(bad, error())(grad);
    else if (bad.itemSync()) throw error();
  }
}

function runTask(pass: Pass, task: Task): void {
  const { node, grads } = task;
  runHooks(task);
  const indices = pass.wanted?.get(node);
  if (indices) {
    for (const [nr, places] of indices) {
      const grad = grads[nr] ?? null;
      // A captured gradient must outlive the task's claim.
      grad?.storage.claim();
      for (const place of places) pass.captured[place] = grad;
    }
  }
  if (node instanceof AccumulateGrad) {
    if (pass.wanted === null && grads[0]) accumulate(node.leaf, grads[0], pass.createGraph);
  } else if (grads.some((g) => g)) {
    for (let i = 0; i < grads.length; i++) grads[i] ??= null;
    let out = node.apply(grads);
    if (node.postHooks) {
      for (const g of [...out, ...grads]) g?.storage.keep();
      for (const hook of node.postHooks) out = outsideScopes(() => hook(out, grads)) ?? out;
    }
    if (mode.anomaly) checkAnomaly(node, out);
    for (let i = 0; i < out.length; i++) {
      const grad = out[i], next = node.next[i];
      const target = next && pass.tasks.get(next);
      if (grad && target) deliver(target, node.nextNr[i], grad);
    }
  }
  if (!pass.retainGraph) node.release();
}

/** Releases the gradients of a task that has run, and makes the nodes ready that waited for it alone. */
function releaseTask(pass: Pass, task: Task): void {
  for (const grad of task.grads) grad?.storage.unclaim();
  // A new list: hooks may have stored the old one.
  task.grads = [];
  for (const next of task.node.next) {
    const target = next && pass.tasks.get(next);
    if (target && --target.pending === 0) pass.ready.push(target);
  }
}

const nothing = () => false;

/**
 * Runs the graph backward from `outputs`.
 *
 * @param grads the gradient of each output; `null` stands for 1 and needs an output of one element
 * @returns the gradients of `options.inputs`, `null` where none arrived; empty when accumulating
 */
export function runBackward(
  op: string,
  outputs: readonly Tensor[],
  grads: readonly (Tensor | null)[],
  options: BackwardOptions,
): (Tensor | null)[] {
  const captured: (Tensor | null)[] = [], off = whyGradIsOff();
  const runPass = () => {
    const roots = outputs.map((x, i) => root(op, x, grads[i]));
    const wanted = options.inputs === null ? null : wantedNodes(op, options.inputs, captured);
    const tasks = collectTasks([...new Set(roots.map((r) => r.node))], wanted);
    const pass: Pass = { tasks, ready: new Heap(), captured, wanted, ...options };
    for (const { node, nr, grad } of roots) {
      const task = tasks.get(node);
      if (task) deliver(task, nr, grad);
    }
    for (const task of tasks.values()) if (task.pending === 0) pass.ready.push(task);
    while (pass.ready.size > 0) {
      const task = pass.ready.pop();
      runOwned(() => runTask(pass, task), nothing);
      releaseTask(pass, task);
    }
    for (const grad of captured) if (grad && !grad.storage.collected) grad.storage.adopted = true;
  };
  try {
    outputs.forEach((x, i) => checkRoot(op, x, i, off));
    withGrad(options.createGraph, () => withoutCasts(() => runOwned(runPass, nothing)));
  } catch (error) {
    throw error instanceof AutogradError ? showCallers(error) : error;
  }
  for (const storage of new Set(captured.map((g) => g?.storage))) if (storage?.adopted) storage.disown();
  return captured;
}

function wantedNodes(op: string, inputs: readonly Tensor[], captured: (Tensor | null)[]): NonNullable<Pass["wanted"]> {
  const wanted = new Map<Node, Map<number, number[]>>();
  inputs.forEach((x, i) => {
    if (!requiresGrad(x)) {
      throw new AutogradError(`${op}(): input ${i} does not require grad; call requiresGrad_() on it before using it`);
    }
    const node = edgeOf(x)!;
    const nr = gradFnOf(x) === null ? 0 : x.meta!.outputNr;
    const places = wanted.get(node) ?? new Map<number, number[]>();
    places.set(nr, [...(places.get(nr) ?? []), i]);
    wanted.set(node, places);
    captured.push(null);
  });
  return wanted;
}

function checkRoot(op: string, x: Tensor, i: number, off: string): void {
  if (requiresGrad(x)) return;
  const why = off || "nothing to differentiate";
  throw new AutogradError(`${op}(): output ${i} does not require grad and has no gradFn; ${why}`);
}

function root(op: string, x: Tensor, grad: Tensor | null): { node: Node; nr: number; grad: Tensor } {
  if (grad === null) {
    if (x.numel() !== 1) {
      throw new AutogradError(
        `${op}(): a gradient can be implied only for single-element outputs: shape ${show(x.shape)}; pass one`,
      );
    }
    if (!x.dtype.isFloatingPoint) {
      throw new AutogradError(`${op}(): a gradient can be implied only for real outputs: ${x.dtype}; pass one`);
    }
  } else checkTensor(op, "the gradient", grad);
  if (grad !== null && !sameShape(grad.shape, x.shape)) {
    throw new AutogradError(
      `${op}(): the gradient's shape differs from its output's: ${show(grad.shape)} != ${show(x.shape)}`,
    );
  }
  const node = edgeOf(x)!;
  const nr = gradFnOf(x) === null ? 0 : x.meta!.outputNr;
  const seed = grad === null ? x.detach().newOnes(x.shape) : grad.dtype === x.dtype ? grad : grad.to(x.dtype);
  return { node, nr, grad: seed };
}
