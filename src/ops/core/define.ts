/**
 * `pointwise`: defines an elementwise op from one scalar expression.
 *
 * An entry says its parameters (a class, see `src/base/call.ts`) and its formula. From these follow the function, its in-place
 * form, dtype promotion, broadcasting and, through {@linkcode Kernel}, the gradients of every order. Kernels are cached per
 * combination of operand dtypes.
 *
 * @module
 */

import { type Args, call, isPlainObject, type Params, type Parser } from "../../base/call.ts";
import {
  bool as BOOL,
  type DType,
  type DTypeKind,
  float32,
  getDefaultDtype,
  isCastable,
  resultType,
  scalarDtype,
  toComplex,
  toReal,
} from "../../base/dtype.ts";
import { DTYPE_CODES } from "../../base/dtype_table.ts";
import { ArgumentError, describe, DTypeError, nameCall, ShapeError, show } from "../../base/errors.ts";
import { checkFewOps, hasFewOps } from "../../base/few_ops.ts";
import { isScalar, Scalar, type ScalarLike, toScalar } from "../../base/scalar.ts";
import { checkFits } from "../../base/limits.ts";
import { broadcastShapes, sameShape } from "../../base/shape.ts";
import { Complex } from "../../expr/complex.ts";
import { constant, Expr, input, type Kind, kindOf, scalar, type Value } from "../../expr/expr.ts";
import { autocasting, type AutocastRule, computesWide } from "../../autograd/autocast.ts";
import { checkInPlace } from "../../autograd/record.ts";
import { checkTensor, Tensor, tensorRemedy } from "../../tensor/tensor.ts";
import { scalarTensor } from "../create/creation.ts";
import {
  type Application,
  applyKernel,
  beside,
  checkOperands,
  gradientReads,
  Kernel,
  type Number64,
  recordKernelInPlace,
  runInto,
} from "./kernel.ts";
import { asMethod, type IsMethod, type OutArgs } from "./op.ts";
import { isHalf } from "./wide.ts";

/** What an expression sees of one call: run-time numbers as values, static options as they are, and the compute dtype. */
export interface Context {
  /** Run-time numbers, by name. */
  readonly numbers: Readonly<Record<string, Value>>;
  /** Static options, by name: each combination makes its own kernel. */
  // deno-lint-ignore no-explicit-any -- an entry knows the types of its own options
  readonly options: Readonly<Record<string, any>>;
  /** The dtype that operands were promoted to. */
  readonly dtype: DType;
}

/** The entry of a pointwise op. Parameters that are neither operands nor options are numbers, which do not promote. */
export interface PointwiseSpec {
  /** PyTorch's name in camelCase. */
  readonly name: string;
  /** What the first operand is called. @default {"input"} */
  readonly input?: string;
  /** Parameters that promote together with the first operand: tensors or numbers; `null` where their default is. */
  readonly operands?: readonly string[];
  /** Operands that must be tensors, as PyTorch has it; the first is `"input"`. */
  readonly tensors?: readonly string[];
  /** Whether numbers alone are taken, and give a 0-d tensor. */
  readonly numbersAlone?: boolean;
  /** Static parameters: each combination of their values makes its own kernel. */
  readonly options?: readonly string[];
  /** The formula; operands arrive in the compute dtype's kind, `null` where not given. */
  // deno-lint-ignore no-explicit-any -- entries take as many operands as they declare, nulls only where they allow them
  readonly expr: (...args: any[]) => Value;
  /** Operands that keep their own dtype: they neither promote nor are converted (the condition of `where`). */
  readonly raw?: readonly string[];
  /** Values of number operands that get kernels of their own, so that formulas can be specialised for them. */
  readonly constants?: Readonly<Record<string, readonly number[]>>;
  /** `"float"`: integers and bools compute in the default floating dtype; or a function of the promoted dtype. */
  readonly compute?: "promote" | "float" | ((dtype: DType, options: Readonly<Record<string, unknown>>) => DType);
  /** How autocast treats it: `"float32"` or `"promote"`, by device; default: it runs in the dtype of its operands. */
  readonly autocast?: AutocastRule;
  /** Throws for values that the op does not take; called with every call. */
  readonly validate?: (call: PointwiseCall) => void;
  /** Throws for compute dtypes that the op does not take. */
  readonly check?: (dtype: DType, options: Readonly<Record<string, unknown>>) => void;
  /** The result's dtype, where it is neither the compute dtype nor, for a truth value, bool. */
  readonly result?: (dtype: DType, options: Readonly<Record<string, unknown>>) => DType;
}

/** What `pointwise` attaches to the function it makes. */
export interface InPlace {
  /** The in-place form; `in_place.ts` names those that become methods. */
  readonly inPlace: (self: Tensor, ...args: unknown[]) => Tensor;
}

/** A pointwise function that is no method: of a first operand `I` and the parameters that `C` declares. */
export type PointwiseFn<C extends Params = typeof OutArgs, I = Tensor> =
  & ((input: I, ...args: Args<C>) => Tensor)
  & InPlace;

/** A pointwise function that is a method of `Tensor` too. */
export type Pointwise<C extends Params = typeof OutArgs, I = Tensor> = PointwiseFn<C, I> & IsMethod;

type OperandValue = Tensor | Scalar | null;

/** The arguments of one call, read. */
export interface PointwiseCall {
  /** Tensors and numbers that promote together. */
  readonly operands: readonly OperandValue[];
  /** Run-time numbers. */
  readonly numbers: readonly Scalar[];
  /** Static options. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Where the result goes, if given. */
  readonly out: Tensor | null;
  /** Whether the result goes into the first operand. */
  readonly inplace: boolean;
}

interface Plan {
  readonly kernel: Kernel;
  readonly compute: DType;
  /** How many parts of each scalar operand and number are passed: 1, 2 when complex, 0 when it is a constant. */
  readonly parts: readonly number[];
}

const DIMS = 0, ZERO_DIM = DTYPE_CODES, SCALAR = 2 * DTYPE_CODES, ABSENT = SCALAR + 4, OPERAND_CODES = ABSENT + 1;
const SCALAR_KINDS: readonly DTypeKind[] = ["bool", "integer", "floating", "complex"];

function operandCode(x: OperandValue): number {
  if (x === null) return ABSENT;
  if (x instanceof Tensor) return x.shape.length === 0 ? ZERO_DIM + x.dtype.code : DIMS + x.dtype.code;
  return SCALAR + SCALAR_KINDS.indexOf(x.kind);
}

/** The numbers of calls that have none. */
const NO_NUMBERS: readonly Number64[] = [];

/** One defined op. */
class PointwiseOp {
  readonly spec: PointwiseSpec;
  readonly operandNames: readonly string[];
  private readonly numberNames: readonly string[];
  private readonly optionNames: readonly string[];
  private readonly defaults: Readonly<Record<string, unknown>>;
  private readonly defaultNumbers: readonly Scalar[];
  private readonly parse: Parser<object>;
  private readonly parseInPlace: Parser<object>;
  /** Whether a number has no default, so that operands alone are not enough. */
  private readonly numbersRequired: boolean;
  /** Per operand, whether it may be null. */
  private readonly optional: readonly boolean[];
  private readonly plans = new Map<number | string, Plan>();
  private readonly node: string;
  private lastKey = -1;
  private lastPlan: Plan | null = null;

  constructor(params: Params, spec: PointwiseSpec) {
    const { name, operands = [], options = [] } = spec;
    this.spec = spec;
    const defaults = new params() as Record<string, unknown>;
    this.operandNames = [spec.input ?? "input", ...operands];
    this.optional = this.operandNames.map((operand, i) => i > 0 && defaults[operand] === null);
    this.optionNames = options;
    this.numberNames = Object.keys(defaults).filter((key) =>
      !operands.includes(key) && !options.includes(key) && key !== "out" && key !== "inplace"
    );
    this.defaults = Object.fromEntries(options.map((option) => [option, defaults[option]]));
    this.numbersRequired = this.numberNames.some((key) => defaults[key] === undefined);
    this.defaultNumbers = this.numberNames.map((key) => toScalar(name, defaults[key] ?? 0));
    this.parse = call(name, params);
    this.parseInPlace = call(`${name}_`, params);
    this.node = name[0].toUpperCase() + name.slice(1) + "Backward0";
  }

  /** Reads the arguments of a call. */
  read(first: unknown, args: readonly unknown[], parse: Parser<object> = this.parse): PointwiseCall {
    const names = this.operandNames;
    // The usual case, every operand by position and nothing else, skips the parser.
    if (args.length === names.length - 1 && !isPlainObject(args[args.length - 1]) && !this.numbersRequired) {
      const operands = new Array<OperandValue>(names.length);
      operands[0] = this.operand(first, 0);
      for (let i = 1; i < names.length; i++) operands[i] = this.operand(args[i - 1], i);
      return { operands, numbers: this.defaultNumbers, options: this.defaults, out: null, inplace: false };
    }
    const given = parse(args) as Record<string, unknown>;
    const operands = names.map((name, i) => this.operand(i === 0 ? first : given[name], i));
    const numbers = this.numberNames.map((name, i) =>
      given[name] === this.defaultNumbers[i].value ? this.defaultNumbers[i] : toScalar(this.spec.name, given[name])
    );
    let options = this.defaults;
    for (const name of this.optionNames) {
      if (given[name] !== this.defaults[name]) options = { ...options, [name]: this.option(name, given[name]) };
    }
    return { operands, numbers, options, out: (given.out as Tensor | null) ?? null, inplace: given.inplace === true };
  }

  /** A static option: it becomes a part of the kernel, so it is a plain value, of the default's type if that is not `null`. */
  private option(name: string, value: unknown): unknown {
    const usual = this.defaults[name] ?? null;
    const fits = usual === null
      ? value === null || typeof value === "number" || typeof value === "string"
      : typeof value === typeof usual;
    if (fits) return value;
    const wanted = usual === null ? "number" : typeof usual;
    throw new ArgumentError(`${this.spec.name}(): ${name} must be a ${wanted}: ${describe(value)}`);
  }

  private operand(value: unknown, i: number): OperandValue {
    if (value instanceof Tensor) return value;
    if (value === null || value === undefined) {
      if (this.optional[i]) return null;
      throw new ArgumentError(`${this.spec.name}(): missing argument: "${this.operandNames[i]}"`);
    }
    if (!isScalar(value) || this.spec.tensors?.includes(this.operandNames[i])) {
      throw new ArgumentError(
        `${this.spec.name}(): ${this.operandNames[i]} must be a Tensor${isScalar(value) ? "" : " or a number"}: ${
          describe(value)
        }${tensorRemedy(value)}`,
      );
    }
    return toScalar(this.spec.name, value);
  }

  /** @param wide whether half-precision operands are computed in float32 */
  private plan(call: PointwiseCall, wide: boolean): Plan {
    let key = getDefaultDtype().code - (wide ? 2 : 6);
    for (let i = 0; i < call.operands.length; i++) key = key * OPERAND_CODES + operandCode(call.operands[i]);
    for (let i = 0; i < call.numbers.length; i++) {
      const n = call.numbers[i];
      key = key * 3 + (n === this.defaultNumbers[i] ? 0 : n.kind === "complex" ? 2 : 1);
    }
    if (this.spec.constants) {
      for (let i = 0; i < call.operands.length; i++) key = key * 16 + this.constantIndex(call.operands[i], i) + 1;
    }
    if (call.options === this.defaults) {
      if (key === this.lastKey) return this.lastPlan!;
      const plan = this.plans.get(key) ?? this.remember(key, call, wide);
      this.lastKey = key;
      this.lastPlan = plan;
      return plan;
    }
    const text = `${key} ${Object.values(call.options).map(String).join()}`;
    return this.plans.get(text) ?? this.remember(text, call, wide);
  }

  /** Which of the entry's constants a number operand is, or -1. */
  private constantIndex(x: OperandValue, i: number): number {
    const values = this.spec.constants?.[this.operandNames[i]];
    if (values === undefined || !(x instanceof Scalar) || x.kind === "complex") return -1;
    return values.indexOf(Number(x.value));
  }

  private remember(key: number | string, call: PointwiseCall, wide: boolean): Plan {
    const plan = this.makePlan(call, wide);
    this.plans.set(key, plan);
    return plan;
  }

  private computeDtype(call: PointwiseCall, wide: boolean): DType {
    const { spec } = this;
    const dims: DType[] = [], zeros: DType[] = [], scalars: DTypeKind[] = [];
    for (let i = 0; i < call.operands.length; i++) {
      const x = call.operands[i];
      if (x === null || spec.raw?.includes(this.operandNames[i])) continue;
      if (!(x instanceof Tensor)) scalars.push(x.kind);
      else {
        const dtype = wide && isHalf(x.dtype) ? float32 : x.dtype;
        (x.shape.length > 0 ? dims : zeros).push(dtype);
      }
    }
    let dtype = resultType(dims, zeros, scalars);
    if (typeof spec.compute === "function") dtype = spec.compute(dtype, call.options);
    else if (spec.compute === "float" && (dtype.kind === "bool" || dtype.kind === "integer")) dtype = getDefaultDtype();
    spec.check?.(dtype, call.options);
    return dtype;
  }

  private makePlan(call: PointwiseCall, wide: boolean): Plan {
    const { spec } = this;
    const compute = this.computeDtype(call, wide);
    if (hasFewOps(compute)) checkFewOps(spec.name, compute);
    const kind = kindOf(toReal(compute));
    const kinds: Kind[] = [];
    const parts: number[] = [];
    const logical: DType[] = [];
    let inputs = 0;
    const lift = (v: Value): Value => compute.isComplex && v instanceof Expr ? new Complex(v, constant(0, kind)) : v;
    const scalarValue = (s: Scalar): Value => {
      const complex = s.kind === "complex" && compute.isComplex;
      parts.push(complex ? 2 : 1);
      const re = scalar(kinds.push(kind) - 1, kind);
      return complex ? new Complex(re, scalar(kinds.push(kind) - 1, kind)) : re;
    };
    const constantValue = (s: Scalar): Value => {
      parts.push(0);
      return constant(s.value, kind);
    };
    const values = call.operands.map((x, i) => {
      if (x === null) return null;
      if (x instanceof Scalar) return lift(this.constantIndex(x, i) >= 0 ? constantValue(x) : scalarValue(x));
      logical.push(x.dtype);
      const real = toReal(x.dtype);
      const raw = spec.raw?.includes(this.operandNames[i]);
      const part = (): Expr => raw ? input(inputs++, real) : input(inputs++, real).to(kind);
      const re = part();
      return x.dtype.isComplex ? new Complex(re, part()) : raw ? re : lift(re);
    });
    const numbers: Record<string, Value> = {};
    this.numberNames.forEach((name, i) => {
      const n = call.numbers[i];
      numbers[name] = n === this.defaultNumbers[i] ? constantValue(n) : scalarValue(n);
    });
    const value = spec.expr(...values, { numbers, options: call.options, dtype: compute });
    const exprs = value instanceof Complex ? [value.re, value.im] : [value as Expr];
    const out = spec.result?.(compute, call.options) ?? inferDtype(value, compute);
    return { kernel: new Kernel(logical, kinds, exprs, out), compute, parts };
  }

  private application(call: PointwiseCall, plan: Plan): Application {
    const integer = plan.compute.kind === "integer" || plan.compute.kind === "bool";
    let shape: readonly number[] | null = null;
    // Numbers that have their defaults are constants of the kernel.
    let mixed = false, whole = call.numbers === this.defaultNumbers;
    for (let i = 0; i < call.operands.length; i++) {
      const x = call.operands[i];
      if (!(x instanceof Tensor)) whole = false;
      else if (shape === null) shape = x.shape;
      else if (!sameShape(shape, x.shape)) mixed = true;
    }
    // The usual call has tensors alone: its own list of operands is the kernel's.
    const operands = whole ? call.operands as readonly Tensor[] : call.operands.filter((x) => x instanceof Tensor);
    const scalars = whole ? NO_NUMBERS : this.numbersOf(call, plan, integer);
    this.spec.validate?.(call);
    if (mixed) shape = broadcastShapes(this.spec.name, ...operands.map((x) => x.shape));
    return { op: this.spec.name, node: this.node, kernel: plan.kernel, operands, scalars, shape: shape! };
  }

  /** The run-time numbers of a call, as the kernel takes them. */
  private numbersOf(call: PointwiseCall, plan: Plan, integer: boolean): Number64[] {
    const scalars: Number64[] = [];
    let s = 0;
    const push = (v: Scalar) => {
      const count = plan.parts[s++];
      if (count === 0) return;
      scalars.push(integer && typeof v.value === "number" ? Math.trunc(v.value) : v.value);
      if (count === 2) scalars.push(v.imag);
    };
    for (const x of call.operands) if (x instanceof Scalar) push(x);
    for (let i = 0; i < call.numbers.length; i++) {
      const n = call.numbers[i];
      if (integer && n !== this.defaultNumbers[i]) checkFits(this.spec.name, n.value, plan.compute);
      push(n);
    }
    return scalars;
  }

  /** Where numbers alone are taken, the first becomes a 0-d tensor of the dtype that a number has. */
  private withTensor(call: PointwiseCall): PointwiseCall {
    for (let i = 0; i < call.operands.length; i++) if (call.operands[i] instanceof Tensor) return call;
    if (!this.spec.numbersAlone) {
      const [first] = call.operands as readonly Scalar[];
      const rule = call.operands.length > 1 ? "at least one operand must be a Tensor" : "input must be a Tensor";
      throw new ArgumentError(`${this.spec.name}(): ${rule}: ${first.value}; make one of it: torch.tensor(…)`);
    }
    const [first, ...rest] = call.operands as readonly Scalar[];
    return { ...call, operands: [scalarTensor(first, { dtype: scalarDtype(first.kind) }), ...rest] };
  }

  /** Operands on one device: 0-d tensors of the CPU join those of another. What is written to, the first, stays. */
  private joined(call: PointwiseCall, writes: boolean): PointwiseCall {
    let like: Tensor | null = null, apart = false;
    for (let i = 0; i < call.operands.length; i++) {
      const x = call.operands[i];
      if (!(x instanceof Tensor)) continue;
      if (like === null) like = x;
      else if (x.storage.backend !== like.storage.backend) apart = true;
    }
    if (!apart) return call;
    const home = call.operands.find((x): x is Tensor => x instanceof Tensor && x.device.type !== "cpu") ?? like!;
    const operands = call.operands.map((x, i) =>
      x instanceof Tensor && x.ndim === 0 && !(writes && i === 0) ? beside(x, home) : x
    );
    return { ...call, operands };
  }

  call(first: unknown, args: readonly unknown[]): Tensor {
    const given = this.withTensor(this.read(first, args));
    const call = this.joined(given, given.inplace);
    if (call.inplace) return this.applyInPlace(this.spec.name, first as Tensor, call);
    const wide = autocasting.active && this.spec.autocast !== undefined && call.out === null &&
      computesWide(this.spec.autocast, call.operands);
    const a = this.application(call, this.plan(call, wide));
    if (call.out) return writeOut(this.spec.name, call.out, applyKernel(a));
    return applyKernel(a);
  }

  callInPlace(self: Tensor, args: readonly unknown[]): Tensor {
    checkTensor(`${this.spec.name}_`, "input", self);
    return this.applyInPlace(
      `${this.spec.name}_`,
      self,
      this.joined(this.read(self, args, this.parseInPlace), true),
    );
  }

  private applyInPlace(name: string, self: Tensor, call: PointwiseCall): Tensor {
    const a = this.application(call, this.plan(call, false));
    checkOperands(name, a.operands);
    checkInPlace(name, self);
    if (!sameShape(a.shape, self.shape)) {
      throw new ShapeError(
        `${name}(): the result's shape ${show(a.shape)} differs from the tensor's ${
          show(self.shape)
        }; use ${this.spec.name}()`,
      );
    }
    if (!isCastable(a.kernel.dtype, self.dtype)) {
      throw new DTypeError(
        `${name}(): a result of ${a.kernel.dtype} cannot be written into ${self.dtype}; use ${this.spec.name}()`,
      );
    }
    checkNoOverlap(name, self);
    const before = gradientReads(a, 0) ? self.clone() : null;
    const safe = { ...a, operands: a.operands.map((x) => overlaps(x, self) ? x.clone() : x) };
    runInto(safe, self);
    self.storage.version++;
    return recordKernelInPlace(a, self, before);
  }
}

function inferDtype(value: Value, compute: DType): DType {
  if (value instanceof Complex) return toComplex(compute);
  if (value.kind === "bool" && compute.kind !== "bool") return BOOL;
  return toReal(compute);
}

/** Whether `x` shares memory with `y` without being the same view, so that writing `y` could change unread values of `x`. */
export function overlaps(x: Tensor, y: Tensor): boolean {
  if (x === y || x.storage !== y.storage) return false;
  return x.offset !== y.offset || x.dtype !== y.dtype || !sameShape(x.strides, y.strides) ||
    !sameShape(x.shape, y.shape);
}

/** Throws when several elements of `x` are one memory location: an in-place write would be ambiguous. */
export function checkNoOverlap(op: string, x: Tensor): void {
  if (x.dense) return;
  for (let d = 0; d < x.shape.length; d++) {
    if (x.shape[d] > 1 && x.strides[d] === 0) {
      throw new ShapeError(
        `${op}(): the tensor is expanded, so several elements share memory: strides ${
          show(x.strides)
        }; use clone() first`,
      );
    }
  }
}

/** Copies a result into the tensor given as `out`. */
export function writeOut(op: string, out: Tensor | null, result: Tensor): Tensor {
  if (out === null) return result;
  checkTensor(op, "out", out);
  if (!sameShape(out.shape, result.shape)) {
    throw new ShapeError(`${op}(): out has shape ${show(out.shape)}, the result ${show(result.shape)}`);
  }
  if (!isCastable(result.dtype, out.dtype)) {
    throw new DTypeError(`${op}(): a result of ${result.dtype} cannot be written into out of ${out.dtype}`);
  }
  return out.copy_(result);
}

/**
 * Defines a pointwise op that is a function only.
 *
 * @param params the class that declares the parameters after the first operand
 * @param spec the name, the formula, and what the parameters are
 */
export function pointwiseFn<C extends Params, I = Tensor>(params: C, spec: PointwiseSpec): PointwiseFn<C, I> {
  const op = new PointwiseOp(params, spec);
  return callable(
    spec.name,
    (first, args) => op.call(first, args),
    (self, args) => op.callInPlace(self as Tensor, args),
  ) as unknown as PointwiseFn<C, I>;
}

type Operation = (first: unknown, ...args: unknown[]) => Tensor;
type Body = (first: unknown, args: unknown[]) => Tensor;

/** A function and its in-place form, whose errors name them. */
function callable(name: string, call: Body, callInPlace: Body): Operation & InPlace {
  const fn: Operation = (first, ...args) => {
    try {
      return call(first, args);
    } catch (error) {
      throw nameCall(name, error);
    }
  };
  const inPlace: Operation = (self, ...args) => {
    try {
      return callInPlace(self, args);
    } catch (error) {
      throw nameCall(`${name}_`, error);
    }
  };
  Object.defineProperty(fn, "name", { value: name });
  return Object.assign(fn, { inPlace });
}

/** A pointwise op under a second name, which its errors then say. */
export function alias<F extends InPlace & IsMethod>(name: string, of: F): F {
  const fn = of as unknown as Operation & InPlace;
  const made = callable(name, (first, args) => fn(first, ...args), (self, args) => fn.inPlace(self as Tensor, ...args));
  return asMethod(made) as unknown as F;
}

/** Defines a pointwise op that is a method of `Tensor` too: {@linkcode pointwiseFn}. */
export function pointwise<C extends Params, I = Tensor>(params: C, spec: PointwiseSpec): Pointwise<C, I> {
  return asMethod(pointwiseFn<C, I>(params, spec));
}

/** Number operands as the public signatures spell them. */
export type { ScalarLike };
