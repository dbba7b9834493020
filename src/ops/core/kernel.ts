/**
 * Kernels: scalar expressions applied to whole tensors, with their gradients.
 *
 * A kernel knows its operands by *logical* dtype (complex included) and holds real expressions: one for a real result, two
 * for a complex one. Its gradient by an operand is another kernel, made by symbolic differentiation, so gradients of
 * gradients exist without further code. Operands broadcast; the gradient of a broadcast operand is one map-reduce.
 *
 * @module
 */

import { type DType, float32, toReal } from "../../base/dtype.ts";
import { DeviceError, DTypeError } from "../../base/errors.ts";
import { isContiguous, reducedShape, sameShape } from "../../base/shape.ts";
import { memoryOrder } from "../../base/layout.ts";
import type { Combine, Strided } from "../../backend/backend.ts";
import { vjp } from "../../expr/diff.ts";
import { constant, type Expr, input, type Kind, kindOf } from "../../expr/expr.ts";
import { isFloat } from "../../expr/kind.ts";
import { nodesOf, operandsOf, renumber, substitute } from "../../expr/graph.ts";
import { Program } from "../../expr/program.ts";
import { Node, NOTHING, setHistory } from "../../autograd/node.ts";
import { rebase, recording } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { emptyResult, iterationOrder, reordered } from "../../tensor/layout.ts";
import { throwReleased } from "../../tensor/storage.ts";
import { checkTensor, partView, Tensor } from "../../tensor/tensor.ts";

/** A run-time scalar's value. */
export type Number64 = number | bigint;

/** The derivative of a kernel by one operand. */
export interface Gradient {
  /** Computes the operand's gradient. */
  readonly kernel: Kernel;
  /** Which tensors it reads: an operand's number, the operand count for the output, one more for the output's gradient. */
  readonly reads: readonly number[];
  /** Which of the forward kernel's scalars it reads. */
  readonly scalars: readonly number[];
  /** Why there is none; thrown by backward, since the value itself may be all that is wanted. */
  readonly error?: DTypeError;
}

/** Real parts of a logical dtype. */
export function partsOf(dtype: DType): 1 | 2 {
  return dtype.isComplex ? 2 : 1;
}

/** Expressions over tensors of known logical dtypes. */
export class Kernel {
  /** Logical dtypes of the tensor operands. */
  readonly operands: readonly DType[];
  /** Kinds of the run-time scalars. */
  readonly scalars: readonly Kind[];
  /** One expression per part of the result, over real inputs numbered in operand order (complex ones count twice). */
  readonly exprs: readonly Expr[];
  /** Logical dtype of the result. */
  readonly dtype: DType;
  /** The first real input of each operand. */
  private readonly firsts: readonly number[];
  private readonly realInputs: readonly DType[];
  private readonly programs: (Program | undefined)[] = [];
  private readonly gradients: (Gradient | undefined)[] = [];
  private readonly summedGradients: (Gradient | undefined)[] = [];
  private readonly savedLists = new Map<number, readonly number[]>();

  /** Describes a kernel; see the fields. */
  constructor(
    operands: readonly DType[],
    scalars: readonly Kind[],
    exprs: readonly Expr[],
    dtype: DType,
  ) {
    this.operands = operands;
    this.scalars = scalars;
    this.exprs = exprs;
    this.dtype = dtype;
    const firsts: number[] = [], reals: DType[] = [];
    for (const d of operands) {
      firsts.push(reals.length);
      for (let p = partsOf(d); p > 0; p--) reals.push(toReal(d));
    }
    this.firsts = firsts;
    this.realInputs = reals;
  }

  /** The program that writes results of logical dtype `dtype` (the kernel's own, or a tensor's that is written in place). */
  program(dtype: DType): Program {
    return this.programs[dtype.code] ??= this.makeProgram(dtype);
  }

  private makeProgram(dtype: DType): Program {
    const real = toReal(dtype);
    const exprs = [...this.exprs];
    if (partsOf(dtype) > exprs.length) exprs.push(constant(0, exprs[0].kind));
    const outputs = exprs.slice(0, partsOf(dtype)).map((expr) => ({ expr, dtype: real }));
    return new Program(this.realInputs, this.scalars, outputs);
  }

  /**
   * The derivative by operand `o`.
   *
   * @param summed whether the kernel's result was summed: then the output is not at hand element by element
   */
  gradient(o: number, summed: boolean): Gradient {
    const known = summed ? this.summedGradients : this.gradients;
    return known[o] ??= this.gradientOrError(o, summed);
  }

  /**
   * Which tensors the derivatives by some operands read: an operand's number, or the operand count for the output. The list
   * is shared by all nodes that keep the same.
   *
   * @param wanted the operands, as bits
   */
  saves(wanted: number, summed: boolean): readonly number[] {
    const key = 2 * wanted + (summed ? 1 : 0);
    let list = this.savedLists.get(key);
    if (list !== undefined) return list;
    const n = this.operands.length, reads = new Set<number>();
    for (let i = 0; i < n; i++) {
      if ((wanted & (1 << i)) === 0) continue;
      for (const t of this.gradient(i, summed).reads) if (t <= n) reads.add(t);
    }
    this.savedLists.set(key, list = [...reads]);
    return list;
  }

  private gradientOrError(o: number, summed: boolean): Gradient {
    try {
      return this.makeGradient(o, summed);
    } catch (error) {
      if (!(error instanceof DTypeError)) throw error;
      return { kernel: this, reads: [], scalars: [], error };
    }
  }

  private makeGradient(o: number, summed: boolean): Gradient {
    const n = this.operands.length;
    // The extended operand list of the derivative: the operands, the output, the output's gradient.
    const extended = [...this.operands, this.dtype, this.dtype];
    const firsts = [...this.firsts, this.realInputs.length, this.realInputs.length + this.exprs.length];
    const real = toReal(this.dtype);
    const part = (tensor: number, k: number) => input(firsts[tensor] + k, toReal(extended[tensor]));
    const output = this.exprs.map((_, k) => part(n, k));
    const cotangents = this.exprs.map((e, k) => part(n + 1, k).to(!isFloat(e.kind) ? kindOf(real) : e.kind));
    const wrt = Array.from({ length: partsOf(this.operands[o]) }, (_, k) => part(o, k));
    const exprs = this.symbolicGradient(cotangents, wrt, summed ? [] : output);
    const used = usedTensors(exprs, firsts);
    const kernelOperands = used.map((t) => extended[t]);
    const scalars = [...new Set(operandsOf(exprs).scalars.map((e) => e.index))];
    const places = new Map<number, number>();
    let next = 0;
    for (const t of used) for (let k = 0; k < partsOf(extended[t]); k++) places.set(firsts[t] + k, next++);
    const renumbered = renumber(exprs, (i) => places.get(i), (i) => scalars.indexOf(i));
    return {
      kernel: new Kernel(kernelOperands, scalars.map((i) => this.scalars[i]), renumbered, this.operands[o]),
      reads: used,
      scalars,
    };
  }

  private symbolicGradient(cotangents: Expr[], wrt: Expr[], output: Expr[]): Expr[] {
    const plain = vjp(this.exprs, cotangents, wrt);
    const swaps = new Map<Expr, Expr>();
    output.forEach((_, k) => {
      const e = this.exprs[k];
      if (e.args.length > 0) swaps.set(e, output[k].to(e.kind));
    });
    if (swaps.size === 0) return plain;
    const viaOutput = substitute(plain, swaps);
    // Reading the saved output is never dearer than recomputing it, unless it is one more tensor to keep.
    const inputs = (exprs: Expr[]) => operandsOf(exprs).inputs.length;
    return inputs(viaOutput) <= inputs(plain) ? viaOutput : plain;
  }
}

/** Which tensors of the extended list own the real inputs that `exprs` read. */
function usedTensors(exprs: readonly Expr[], firsts: readonly number[]): number[] {
  const used = new Set<number>();
  for (const e of nodesOf(exprs)) {
    if (e.op !== "input") continue;
    let t = firsts.length - 1;
    while (firsts[t] > e.index) t--;
    used.add(t);
  }
  return [...used].sort((a, b) => a - b);
}

/** One application of a kernel: what is needed to run it and to record it. */
export interface Application {
  /** The op's name, for messages. */
  readonly op: string;
  /** The node's name, `AddBackward0`. */
  readonly node: string;
  /** What to compute. */
  readonly kernel: Kernel;
  /** Tensor operands, in the kernel's order. */
  readonly operands: readonly Tensor[];
  /** Scalars, in the kernel's order. */
  readonly scalars: readonly Number64[];
  /** The iteration shape, to which operands broadcast. */
  readonly shape: readonly number[];
}

function realViews(operands: readonly Tensor[]): readonly Strided[] {
  for (let i = 0; i < operands.length; i++) if (operands[i].dtype.isComplex) return splitComplex(operands);
  return operands;
}

function splitComplex(operands: readonly Tensor[]): Strided[] {
  const out: Strided[] = [];
  for (const x of operands) {
    if (!x.dtype.isComplex) out.push(x);
    else out.push(partView(x, 0, toReal(x.dtype)), partView(x, 1, toReal(x.dtype)));
  }
  return out;
}

/** `x` on the device of `like`, converted to `dtype` where the device lacks its own. */
export function movedTo(x: Tensor, like: Tensor, dtype: DType): Tensor {
  const { device, storage: { backend } } = like;
  return x.to({ device, dtype: backend.supports(x.dtype) ? x.dtype : dtype });
}

/** `x` on the device of `like`: PyTorch takes 0-d operands and indices of the CPU beside tensors of another device. */
export function beside(x: Tensor, like: Tensor): Tensor {
  if (x.storage.backend === like.storage.backend || x.device.type !== "cpu") return x;
  // Of what indices and operands may be, devices lack float64 alone.
  return movedTo(x, like, float32);
}

/** Checks that operands are alive and on one device. */
export function checkOperands(op: string, operands: readonly Tensor[]): void {
  const first = operands[0];
  for (let i = 0; i < operands.length; i++) {
    const x = operands[i];
    if (!(x instanceof Tensor)) checkTensor(op, i === 0 ? "input" : `operand ${i}`, x);
    if (x.storage.released) throwReleased(op, x.storage);
    if (x.storage.backend !== first.storage.backend) {
      const remedy = first.device === x.device
        ? "one was made before the device was lost and opened again"
        : "move one with .to(device)";
      throw new DeviceError(`${op}(): tensors are on different devices: ${first.device} and ${x.device}; ${remedy}`);
    }
  }
}

/** Applies a kernel, giving a new tensor on the device of `like`. */
export function applyKernel(a: Application, like: Tensor = a.operands[0]): Tensor {
  const { kernel, operands } = a;
  checkOperands(a.op, operands);
  const out = emptyResult(a.op, a.shape, kernel.dtype, operands, like);
  runInto(a, out);
  if (recording(operands)) recordKernel(a, out, false);
  return out;
}

/** Applies a kernel, summing the result to `target` (a shape that broadcasts to the iteration shape). */
export function applyKernelSummed(a: Application, target: readonly number[], like: Tensor = a.operands[0]): Tensor {
  if (sameShape(target, a.shape)) return applyKernel(a, like);
  const { kernel, operands, shape } = a;
  checkOperands(a.op, operands);
  const out = emptyLikeDevice(a.op, target, kernel.dtype, like);
  const lead = shape.length - target.length;
  const reduced: number[] = [], kept: number[] = [];
  for (let d = 0; d < shape.length; d++) {
    if (d < lead || target[d - lead] !== shape[d]) reduced.push(d);
    else kept.push(d - lead);
  }
  reduceInto(kernel.program(kernel.dtype), "sum", shape, reduced, operands, a.scalars, [
    makeKept(out, kept),
  ]);
  if (recording(operands)) recordKernel(a, out, true);
  return out;
}

/** Applies a kernel and sums the result over dimensions, which disappear, or stay with size 1 for `keepdim`. */
export function applyKernelReduced(a: Application, dims: readonly number[], keepdim: boolean): Tensor {
  const { kernel, operands, shape } = a;
  checkOperands(a.op, operands);
  const out = emptyLikeDevice(a.op, reducedShape(shape, dims, keepdim), kernel.dtype, operands[0]);
  let written = out;
  if (keepdim && dims.length > 0) {
    const kept: number[] = [];
    for (let d = 0; d < shape.length; d++) if (!dims.includes(d)) kept.push(d);
    written = makeKept(out, kept);
  }
  reduceInto(kernel.program(kernel.dtype), "sum", shape, dims, operands, a.scalars, [written]);
  if (recording(operands)) recordKernel(a, out, true, keepdim ? null : reducedShape(shape, dims, true));
  return out;
}

/** The view of a result by the dimensions `kept`, the others being of size 1. */
function makeKept(x: Tensor, kept: readonly number[]): Tensor {
  const shape = kept.map((d) => x.shape[d]), strides = kept.map((d) => x.strides[d]);
  return new Tensor(x.storage, shape, strides, x.offset, x.dtype, x.dense);
}

/** Runs a kernel into existing memory, with no record. */
export function runInto(a: Application, out: Tensor): void {
  mapInto(a.kernel.program(out.dtype), a.shape, a.operands, a.scalars, [out]);
}

/** Evaluates a program at every element of `shape`, in the order of the outputs' memory. */
export function mapInto(
  program: Program,
  shape: readonly number[],
  inputs: readonly Tensor[],
  scalars: readonly Number64[],
  outputs: readonly Tensor[],
): void {
  const { backend } = outputs[0].storage;
  const order = outputs[0].dense || program.positional ? null : memoryOrder(outputs[0].strides);
  if (order === null) return backend.pointwise(program, shape, realViews(inputs), scalars, realViews(outputs));
  const view = (x: Tensor) => reordered(x, order);
  const [from, to] = [inputs.map(view), outputs.map(view)];
  backend.pointwise(program, order.map((d) => shape[d]), realViews(from), scalars, realViews(to));
}

/**
 * Evaluates a program at every element of `shape` and combines the values over the dimensions `reduced` (ascending), in
 * the order of the inputs' memory.
 *
 * @param outputs of the shape of the dimensions that stay
 */
export function reduceInto(
  program: Program,
  combine: Combine,
  shape: readonly number[],
  reduced: readonly number[],
  inputs: readonly Tensor[],
  scalars: readonly Number64[],
  outputs: readonly Tensor[],
): void {
  const { backend } = outputs[0].storage;
  const order = program.positional ? null : iterationOrder(inputs, shape);
  if (order === null) {
    return backend.reduce(program, combine, shape, reduced, realViews(inputs), scalars, realViews(outputs));
  }
  const from = inputs.map((x) => reordered(x, order));
  const places: number[] = [], kept: number[] = [];
  order.forEach((d, at) => reduced.includes(d) ? places.push(at) : kept.push(d));
  // An output's dimensions are the kept ones in the order that they had.
  const rank = [...kept].sort((a, b) => a - b);
  const to = outputs.map((x) => reordered(x, kept.map((d) => rank.indexOf(d))));
  backend.reduce(program, combine, order.map((d) => shape[d]), places, realViews(from), scalars, realViews(to));
}

/** The graph node of a kernel. */
class KernelNode extends Node {
  private readonly kernel: Kernel;
  private readonly scalars: readonly Number64[];
  private readonly shape: readonly number[];
  /** The operands' shapes; `null` where all have the shape of the result. */
  private readonly shapes: readonly (readonly number[])[] | null;
  /** Which tensor each saved one is: an operand's number, or the operand count for the output. */
  private readonly savedAs: readonly number[];
  private readonly summed: boolean;
  /** The result's shape with the dimensions that disappeared; `null` where none did. */
  private readonly restored: readonly number[] | null;

  constructor(
    a: Application,
    out: Tensor,
    self: Tensor | null,
    summed: boolean,
    restored: readonly number[] | null,
  ) {
    super(a.node, a.operands);
    this.restored = restored;
    this.kernel = a.kernel;
    this.scalars = a.scalars;
    this.shape = a.shape;
    this.summed = summed;
    const { operands, shape } = a, n = operands.length;
    let wanted = 0, whole = true;
    for (let i = 0; i < n; i++) {
      if (this.next[i] !== null) wanted |= 1 << i;
      whole &&= sameShape(operands[i].shape, shape);
    }
    this.shapes = whole ? null : operands.map((x) => x.shape);
    this.savedAs = a.kernel.saves(wanted, summed);
    if (this.savedAs.length === 0) this.saved = NOTHING;
    // `self` stands for operand 0 as it was before an in-place write.
    else this.save(this.savedAs.map((t) => t === n ? out : t === 0 && self ? self : operands[t]), [out]);
  }

  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const given = grads[0]!, kept = this.restored ?? given.shape;
    const saved = this.unpack();
    const n = this.next.length;
    const out: (Tensor | null)[] = new Array(n).fill(null);
    for (let i = 0; i < n; i++) {
      if (this.next[i] === null) continue;
      const { kernel, reads, scalars, error } = this.kernel.gradient(i, this.summed);
      if (error) throw error;
      const target = this.shapes === null ? this.shape : this.shapes[i];
      // A sum whose gradient reads nothing else has one value for all that was added up: it is computed once.
      const once = this.summed && reads.length === 1 && reads[0] === n + 1 && sameShape(target, this.shape);
      const grad = once || this.restored === null ? given : given.reshape(kept);
      const operands = reads.map((t) => t === n + 1 ? grad : saved[this.savedAs.indexOf(t)]);
      const application: Application = {
        op: this.name,
        node: `${this.name}Backward0`,
        kernel,
        operands,
        scalars: scalars.map((s) => this.scalars[s]),
        shape: this.shape,
      };
      out[i] = once ? spreadGradient(application, grad, kept) : applyKernelSummed(application, target, grad);
    }
    return out;
  }
}

/**
 * The gradient of a sum, computed from the sum's and seen at every element.
 *
 * @param kept the sum's shape with summed dimensions of size 1, or without the leading ones
 */
function spreadGradient(a: Application, grad: Tensor, kept: readonly number[]): Tensor {
  const same = a.kernel.dtype === grad.dtype && a.kernel.exprs.every((e, k) => e.op === "input" && e.index === k);
  const computed = same ? grad : applyKernel({ ...a, shape: grad.shape });
  if (recording([computed])) return computed.reshape(kept).expand(a.shape);
  const { shape } = a, lead = shape.length - kept.length, strides = new Array<number>(shape.length).fill(0);
  let own = 0;
  for (let d = lead; d < shape.length; d++) {
    if (kept[d - lead] !== shape[d] || shape[d] === 1) continue;
    while (computed.shape[own] === 1) own++;
    strides[d] = computed.strides[own++];
  }
  const { storage, offset, dtype } = computed;
  return new Tensor(storage, shape, strides, offset, dtype, isContiguous(shape, strides), null);
}

function recordKernel(
  a: Application,
  out: Tensor,
  summed: boolean,
  restored: readonly number[] | null = null,
): void {
  const { kind } = a.kernel.dtype;
  if (kind === "floating" || kind === "complex") setHistory(out, new KernelNode(a, out, null, summed, restored));
}

/** Records a kernel that wrote `x`, its operand 0, in place; `before` is a copy of the old value where a gradient reads it. */
export function recordKernelInPlace(a: Application, x: Tensor, before: Tensor | null): Tensor {
  if (!recording(a.operands)) return x;
  return rebase(x, new KernelNode(a, x, before, false, null));
}

/** Whether the gradients that will be recorded read operand `o`. */
export function gradientReads(a: Application, o: number): boolean {
  return a.operands.some((x, i) => recording([x]) && a.kernel.gradient(i, false).reads.includes(o));
}
