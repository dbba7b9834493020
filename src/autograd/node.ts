/**
 * Graph nodes: what an op leaves behind so that backward can run it in reverse.
 *
 * A node points at the nodes of its inputs (`next`), holds the tensors that its gradient formula reads (`saved`), and
 * turns gradients of its outputs into gradients of its inputs (`apply`).
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { AutogradError } from "../base/errors.ts";
import { graphGuard, noteWrite } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type GradHook, metaOf } from "./meta.ts";
import { mode, withGrad } from "./mode.ts";

/** The handle of something registered, such as a hook. */
export interface RemovableHandle extends Disposable {
  /** Removes what was registered. */
  remove(): void;
}

/** A handle that removes `item` from `set`. */
export function removable<T>(set: Set<T>, item: T): RemovableHandle {
  const remove = () => {
    set.delete(item);
  };
  set.add(item);
  return { remove, [Symbol.dispose]: remove };
}

let sequence = 0;

/** The parameters of the methods that register a hook `H`. */
export class HookArgs<H> {
  constructor(
    /** The function that is called. */
    public hook: H,
  ) {}
}

/** A hook called before a node runs, with the gradients of its outputs; a list it returns replaces them. */
export type NodePreHook = (gradOutputs: (Tensor | null)[]) => (Tensor | null)[] | void;

/** A hook called after a node ran, with the gradients of its inputs and outputs; a list it returns replaces the former. */
export type NodeHook = (
  gradInputs: (Tensor | null)[],
  gradOutputs: (Tensor | null)[],
) => (Tensor | null)[] | void;

const registerHookArgs = call("registerHook", HookArgs<NodeHook>);
const registerPrehookArgs = call("registerPrehook", HookArgs<NodePreHook>);

/** A recorded operation. */
export abstract class Node {
  /** PyTorch's name: `MulBackward0`. */
  readonly name: string;
  /** Order of creation; backward runs later nodes first. */
  readonly sequence: number = ++sequence;
  /** The nodes of the inputs; `null` where no gradient flows. */
  readonly next: (Node | null)[];
  /** Which output of the next node each input was. */
  readonly nextNr: number[];
  /** Tensors the formula reads; `null` once released. */
  saved: SavedTensor[] | null;
  /** Hooks on the gradient of each output, placed by `Tensor.registerHook`. */
  outputHooks: (Set<GradHook> | null)[] | null = null;
  /** Tensors among the outputs that keep their gradient. */
  retained: (Tensor | null)[] | null = null;
  /** Hooks before the node runs, on the gradients of its outputs. */
  preHooks: Set<NodePreHook> | null = null;
  /** Hooks after it ran, on the gradients of its inputs. */
  postHooks: Set<NodeHook> | null = null;
  /** Where the forward op was called, under `detectAnomaly`. */
  readonly trace: string | null;
  /** Ties the saved storages of a module call to the life of its graph; see `src/tensor/storage.ts`. */
  readonly guard: object | null = graphGuard();

  /** Links the node to the nodes of `inputs`. */
  constructor(name: string, inputs: readonly (Tensor | null)[]) {
    this.name = name;
    const n = inputs.length;
    this.next = new Array(n);
    this.nextNr = new Array(n);
    for (let i = 0; i < n; i++) {
      const x = inputs[i];
      this.next[i] = x === null || x.meta === null ? null : edgeOf(x);
      this.nextNr[i] = x === null || x.meta === null || this.next[i] === null ? 0 : x.meta.outputNr;
    }
    this.saved = null;
    this.trace = mode.mayTrace && mode.anomaly ? new Error().stack ?? null : null;
  }

  /** Gradients of the inputs, given those of the outputs (`null` where none arrived). */
  abstract apply(grads: (Tensor | null)[]): (Tensor | null)[];

  /** The nodes that its inputs came from, each with the number of the output it was. */
  get nextFunctions(): [Node | null, number][] {
    return this.next.map((node, i) => [node, this.nextNr[i]]);
  }

  /** Calls `hook` after the node ran. */
  registerHook(...args: Args<typeof HookArgs<NodeHook>>): RemovableHandle {
    const { hook } = registerHookArgs(args);
    checkFunction("registerHook", "hook", hook);
    return removable(this.postHooks ??= new Set(), hook);
  }

  /** Calls `hook` before the node runs. */
  registerPrehook(...args: Args<typeof HookArgs<NodePreHook>>): RemovableHandle {
    const { hook } = registerPrehookArgs(args);
    checkFunction("registerPrehook", "hook", hook);
    return removable(this.preHooks ??= new Set(), hook);
  }

  /** Whether the gradient of input `i` is wanted. */
  needs(i: number): boolean {
    return this.next[i] !== null;
  }

  /** Keeps tensors for `apply`; those that are the node's own `outputs` are tied to it without a cycle of owners. */
  save(tensors: readonly Tensor[], outputs: readonly Tensor[]): void {
    if (tensors.length === 0) {
      this.saved = NOTHING;
      return;
    }
    const saved = new Array<SavedTensor>(tensors.length);
    for (let i = 0; i < tensors.length; i++) {
      const nr = outputs.indexOf(tensors[i]);
      saved[i] = new SavedTensor(tensors[i], nr < 0 ? null : this, nr);
    }
    this.saved = saved;
  }

  /** The saved tensors, checked. */
  unpack(): Tensor[] {
    if (this.saved === null) throw freedError(this.name);
    return this.saved.map((s) => s.unpack(this.name));
  }

  /** Lets go of the saved tensors: a second backward through the node is an error. */
  release(): void {
    if (this.saved === null) return;
    for (const s of this.saved) s.release();
    this.saved = null;
  }
}

function freedError(name: string): AutogradError {
  return new AutogradError(
    `backward(): the graph was freed: ${name} was run before; use backward({ retainGraph: true }) the first time to run it twice`,
  );
}

/** What nodes keep that read no tensor in backward: one list for all, never written to. */
export const NOTHING: SavedTensor[] = [];

/** A tensor that a node reads in backward. */
export class SavedTensor {
  private readonly tensor: Tensor;
  private readonly version: number;
  private readonly owner: Node | null;
  private readonly outputNr: number;

  /** Claims the storage; `owner` is the saving node when the tensor is its own output number `outputNr`. */
  constructor(tensor: Tensor, owner: Node | null, outputNr: number) {
    // An output is saved without its history, to be tied to its node when it is read.
    this.tensor = owner ? alias(tensor) : tensor;
    this.version = tensor.storage.version;
    this.owner = owner;
    this.outputNr = outputNr;
    tensor.storage.claim();
  }

  /** The tensor, if nothing wrote to it since. */
  unpack(by: string): Tensor {
    const storage = this.tensor.storage;
    if (storage.version !== this.version) {
      throw new AutogradError(
        `backward(): a tensor needed by ${by} was modified in place: it was made by ${storage.madeBy}(), has version ` +
          `${storage.version}, expected ${this.version}; use the out-of-place op, or clone() before modifying`,
      );
    }
    if (this.owner === null || this.tensor.dtype.kind === "integer") return this.tensor;
    const out = alias(this.tensor);
    const meta = metaOf(out);
    meta.gradFn = this.owner;
    meta.outputNr = this.outputNr;
    meta.requiresGrad = true;
    return out;
  }

  /** Gives up the claim. */
  release(): void {
    this.tensor.storage.unclaim();
  }
}

/** Another tensor object over the same memory, without history. */
export function alias(x: Tensor): Tensor {
  return new Tensor(x.storage, x.shape, x.strides, x.offset, x.dtype, x.dense, null);
}

/** Whether gradients flow to `x`. */
export function requiresGrad(x: Tensor): boolean {
  const meta = x.meta;
  if (meta === null) return false;
  return meta.requiresGrad || (meta.view !== null && meta.view.base.meta !== null && meta.view.base.meta.requiresGrad);
}

/** Makes `out` the output number `nr` of `node`. */
export function setHistory(out: Tensor, node: Node, nr = 0): void {
  const meta = metaOf(out);
  meta.gradFn = node;
  meta.outputNr = nr;
  meta.requiresGrad = true;
}

/** Makes `node` what made `x` after a write in place; a gradient that is retained from then on is that of the new value. */
export function replaceHistory(x: Tensor, node: Node): void {
  const meta = metaOf(x);
  if (meta.retainsGrad) {
    const before = meta.gradFn?.retained;
    if (before?.[meta.outputNr] === x) before[meta.outputNr] = null;
    (node.retained ??= [])[0] = x;
  }
  setHistory(x, node);
  noteWrite(x.storage);
}

/** The error for a view that a custom function returned, and that was written in place, itself or through its base. */
export function viewOfFunction(op: string, madeBy: string): AutogradError {
  return new AutogradError(
    `${op}(): a view that ${madeBy}.forward() returned is written in place, so that its backward() would be lost; ` +
      "clone() it first, or in forward()",
  );
}

/** The node that made `x`; a view whose base was written in place gets a fresh one. */
export function gradFnOf(x: Tensor): Node | null {
  const meta = x.meta;
  if (meta === null) return null;
  const view = meta.view;
  if (view !== null && view.version !== x.storage.version) {
    view.version = x.storage.version;
    if (view.madeBy !== null && requiresGrad(x)) throw viewOfFunction("backward", view.madeBy);
    if (requiresGrad(view.base)) {
      replaceHistory(x, new AsStridedBackward(view.base, x));
    }
  }
  return meta.gradFn;
}

/** The node that receives the gradient of `x`: its maker, or a leaf's accumulator. */
export function edgeOf(x: Tensor): Node | null {
  const fn = gradFnOf(x);
  if (fn !== null) return fn;
  const meta = x.meta!;
  if (!meta.requiresGrad) return null;
  return meta.accumulator ??= new AccumulateGrad(x);
}

/** The end of the graph: adds a gradient to a leaf's `grad`. The engine does the adding. */
export class AccumulateGrad extends Node {
  /** The leaf. */
  readonly leaf: Tensor;
  /** Made once per leaf. */
  constructor(leaf: Tensor) {
    super("AccumulateGrad", []);
    this.leaf = leaf;
  }
  /** Nothing flows further. */
  apply(): (Tensor | null)[] {
    return [];
  }
}

/** Memory for a gradient of `base`: a vector in which every element lies as in the storage of `base`, from `start` on. */
interface Mirror {
  readonly memory: Tensor;
  /** The element of the storage that the vector begins with; even, so that complex values may begin where pairs do. */
  readonly start: number;
}

/** Zeros for {@linkcode Mirror}, of the dtype of `base`. */
function mirror(grad: Tensor, base: Tensor): Mirror {
  const start = base.offset - base.offset % 2;
  let length = base.offset - start;
  if (base.numel() > 0) length += 1 + base.shape.reduce((sum, size, d) => sum + (size - 1) * base.strides[d], 0);
  return { memory: grad.newZeros([length + length % 2], { dtype: base.dtype }), start };
}

/** The part of a mirrored `base` that `view` sees: a view of another dtype sees complex values as pairs, or the reverse. */
function mirrored({ memory, start }: Mirror, base: Tensor, view: Tensor): Tensor {
  const { shape, strides, offset } = view;
  if (view.dtype.isComplex === base.dtype.isComplex) return memory.asStrided(shape, strides, offset - start);
  if (view.dtype.isComplex) {
    return memory.reshape([-1, 2]).viewAsComplex().asStrided(shape, strides, offset - start / 2);
  }
  return memory.viewAsReal().reshape([-1]).asStrided(shape, strides, offset - 2 * start);
}

/** Whether several elements of a view may lie at one place of the storage although no stride is 0: windows of `unfold`. */
function hasWindows(view: Tensor): boolean {
  const steps = view.shape.map((size, d) => [view.strides[d], size]).filter(([stride, size]) => stride > 0 && size > 1);
  let reach = 0;
  for (const [stride, size] of steps.sort(([a], [b]) => a - b)) {
    if (stride <= reach) return true;
    reach += (size - 1) * stride;
  }
  return false;
}

/** Adds `grad` into zeros of the base's geometry at the view's place. */
function scatterView(grad: Tensor, base: Tensor, view: Tensor): Tensor {
  const zeros = mirror(grad, base);
  if (view.dtype.isComplex === base.dtype.isComplex && hasWindows(view)) {
    // What several windows see gets the sum: the gradient of the view, taken by itself.
    const memory = withGrad(true, () => zeros.memory.detach().requiresGrad_());
    const seen = withGrad(true, () => mirrored({ ...zeros, memory }, base, view));
    const [sum] = seen.gradFn!.apply([grad]);
    return mirrored({ ...zeros, memory: sum! }, base, base);
  }
  const repeated: number[] = [];
  view.strides.forEach((s, d) => {
    if (s === 0 && view.shape[d] > 1) repeated.push(d);
  });
  const summed = repeated.length > 0 ? grad.sum(repeated, true) : grad;
  const once = view.shape.map((size, d) => repeated.includes(d) ? 1 : size);
  mirrored(zeros, base, view).asStrided(once, view.strides).add_(summed);
  return mirrored(zeros, base, base);
}

/** The history of a view after an in-place write to its base. */
class AsStridedBackward extends Node {
  private readonly base: Tensor;
  private readonly view: Tensor;
  constructor(base: Tensor, view: Tensor) {
    super("AsStridedBackward0", [base]);
    this.base = alias(base);
    this.view = alias(view);
  }
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    return [grads[0] && scatterView(grads[0], this.base, this.view)];
  }
}

/** The history of a base after an in-place op on one of its views: the op's gradient, applied to that part only. */
export class CopySlices extends Node {
  private readonly base: Tensor;
  private readonly view: Tensor;
  private readonly fn: Node;

  /** Takes the place of `fn`, the node of the in-place op, whose first input is the view. */
  constructor(base: Tensor, view: Tensor, fn: Node) {
    super("CopySlices", [base]);
    this.base = alias(base);
    this.view = alias(view);
    this.fn = fn;
    for (let i = 1; i < fn.next.length; i++) {
      this.next.push(fn.next[i]);
      this.nextNr.push(fn.nextNr[i]);
    }
  }

  /** Runs the op's formula on the view's part of the gradient. */
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const grad = grads[0]!;
    const memory = mirror(grad, this.base);
    const result = mirrored(memory, this.base, this.base);
    result.copy_(grad);
    const part = mirrored(memory, this.base, this.view);
    const inner = this.fn.apply([part.clone()]);
    if (inner[0]) part.copy_(inner[0]);
    else part.zero_();
    return [result, ...inner.slice(1)];
  }

  /** Releases what the op saved. */
  override release(): void {
    this.fn.release();
  }
}
