/**
 * `op` and `fn`: how functions of tensors are defined, when they are more than one scalar expression.
 *
 * A definition says the name, the parameters (a class, see `src/base/call.ts`), what autocast does, and what is computed.
 * `op` defines a function that is also a method of `Tensor`; `fn` defines one that is not. `pointwise` in `define.ts` does the same
 * for pointwise ops. An error of a call inside another names the outer one.
 *
 * @module
 */

import { autocasted, autocasting, type AutocastRule } from "../../autograd/autocast.ts";
import { type Args, call, type Func, type Params, type Parser, type SpreadArgs, spreadCall } from "../../base/call.ts";
import { ArgumentError, nameCall } from "../../base/errors.ts";
import { checkFewOps, hasFewOps } from "../../base/few_ops.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, checkTensors, type Tensor } from "../../tensor/tensor.ts";
import { callRoundedOnce } from "./wide.ts";

/** What a definition says besides its parameters. */
export interface OpSpec {
  /** The name that users write, PyTorch's in camelCase. */
  readonly name: string;
  /** How autocast treats it; default: it runs in the dtype of its operands. */
  readonly autocast?: AutocastRule;
  /** Whether it is composed of several kernels that would each round halves: it is computed in float32, its result rounded. */
  readonly roundsOnce?: boolean;
}

/** A function of a tensor and the parameters that `C` declares. */
export type Fn<C extends Params, R = Tensor> = (input: Tensor, ...args: Args<C>) => R;

/** Marks functions that are methods of `Tensor` too. */
export interface IsMethod {
  /** Whether `f(x, …)` can be written `x.f(…)`. */
  readonly isMethod: true;
}

/** A method whose type `M` is written out, because it has several signatures. */
export interface MethodForm<M> extends IsMethod {
  /** The type of the method; nothing at run time. */
  readonly methodForm?: M;
}

/** A {@linkcode Fn} that is a method of `Tensor` too. */
export type Op<C extends Params, R = Tensor> = Fn<C, R> & IsMethod;

/** Parameters of functions whose result may be written into a tensor. */
export class OutArgs {
  /** Where the result goes. */
  out: Tensor | null = null;
}

/** A function that is not yet typed: what `op` and `fn` make. */
type Untyped = (input: Tensor, ...args: readonly unknown[]) => unknown;

/** Says that a function is a method of `Tensor` too. */
export function asMethod<F extends object>(f: F): F & IsMethod {
  return Object.assign(f, { isMethod: true as const });
}

/**
 * A method of `Tensor` with several signatures, which {@linkcode op} cannot declare; its errors name the call.
 *
 * @param name its name
 * @param f the function, which parses its arguments itself
 */
export function overloaded<F extends (input: Tensor, ...args: never[]) => unknown>(name: string, f: F): F & IsMethod {
  const made = (input: Tensor, ...args: never[]) => {
    try {
      return f(input, ...args);
    } catch (error) {
      throw nameCall(name, error);
    }
  };
  Object.defineProperty(made, "name", { value: name });
  return asMethod(made as F);
}

/**
 * Defines a function whose first argument is a tensor.
 *
 * @param spec its name, or its name and more
 * @param params the class that declares the parameters after the tensor
 * @param compute the function, given all parameters
 */
export function fn<C extends Params, R = Tensor>(
  spec: OpSpec | string,
  params: C,
  compute: (input: Tensor, args: Readonly<InstanceType<C>>) => R,
): Fn<C, R> {
  const { name, autocast, roundsOnce } = typeof spec === "string" ? { name: spec } as OpSpec : spec;
  const body = roundsOnce
    ? (input: Tensor, args: Readonly<InstanceType<C>>) => callRoundedOnce(compute, input, args)
    : compute;
  return tensorFunction(name, autocast, call(name, params), body) as Fn<C, R>;
}

function tensorFunction<O>(
  name: string,
  autocast: AutocastRule | undefined,
  parse: Parser<O>,
  compute: (input: Tensor, args: O) => unknown,
): Untyped {
  const made: Untyped = (input, ...args) => {
    try {
      if (autocast !== undefined && autocasting.active) return autocasted(autocast, made, input, ...args);
      checkTensor(name, "input", input);
      if (hasFewOps(input.dtype)) checkFewOps(name, input.dtype);
      return compute(input, parse(args));
    } catch (error) {
      throw nameCall(name, error);
    }
  };
  Object.defineProperty(made, "name", { value: name });
  return made;
}

/** {@linkcode fn} that is composed of other ops, whose results are released when it returns. */
export function scopedFn<C extends Params, R = Tensor>(
  spec: OpSpec | string,
  params: C,
  compute: (input: Tensor, args: Readonly<InstanceType<C>>) => R,
): Fn<C, R> {
  return fn(spec, params, (input, args) => scope(() => compute(input, args)));
}

/** {@linkcode fn} that is also a method of `Tensor`. */
export function op<C extends Params, R = Tensor>(
  spec: OpSpec | string,
  params: C,
  compute: (input: Tensor, args: Readonly<InstanceType<C>>) => R,
): Op<C, R> {
  return asMethod(fn(spec, params, compute));
}

/** A method of `Tensor` whose first parameter is a list of integers that may be spread over the arguments. */
export type SpreadOp<C extends Params, R = Tensor> = ((input: Tensor, ...args: SpreadArgs<C>) => R) & IsMethod;

/** {@linkcode op} whose first parameter is a list of integers that may be spread: `x.permute(2, 0, 1)`. */
export function spreadOp<C extends Params, R = Tensor>(
  name: string,
  params: C,
  compute: (input: Tensor, args: Readonly<InstanceType<C>>) => R,
): SpreadOp<C, R> {
  return asMethod(tensorFunction(name, undefined, spreadCall(name, params), compute)) as unknown as SpreadOp<C, R>;
}

/** A class of parameters whose first is a list of tensors. */
// deno-lint-ignore no-explicit-any -- stands for every parameter list
export type ListParams = new (...args: any[]) => { tensors: readonly Tensor[] };

/**
 * Defines a function of a list of tensors, at least one; no method.
 *
 * @param spec its name, or its name and more
 * @param params the class that declares the parameters, `tensors` first
 * @param compute the function, given all parameters
 */
export function listFn<C extends ListParams, R = Tensor>(
  spec: OpSpec | string,
  params: C,
  compute: (args: Readonly<InstanceType<C>>) => R,
): Func<C, R> {
  const { name, autocast } = typeof spec === "string" ? { name: spec } as OpSpec : spec;
  const parse = call(name, params);
  return listFunction(name, autocast, parse, compute) as Func<C, R>;
}

/** {@linkcode listFn} whose tensors may be spread over the arguments. */
export function spreadFn<C extends ListParams, R = Tensor>(
  name: string,
  params: C,
  compute: (args: Readonly<InstanceType<C>>) => R,
): (...args: SpreadArgs<C, Tensor>) => R {
  return listFunction(name, undefined, spreadCall(name, params, checkTensors), compute);
}

function listFunction<O extends { tensors: readonly Tensor[] }, R>(
  name: string,
  autocast: AutocastRule | undefined,
  parse: Parser<O>,
  compute: (args: O) => R,
): (...args: readonly unknown[]) => R {
  const made = (...args: readonly unknown[]): R => {
    try {
      if (autocast !== undefined && autocasting.active) return autocasted(autocast, made, ...args);
      const given = parse(args);
      checkTensors(name, "tensors", given.tensors);
      for (const { dtype } of given.tensors) if (hasFewOps(dtype)) checkFewOps(name, dtype);
      if (given.tensors.length === 0) throw new ArgumentError(`${name}(): at least one tensor is needed: []`);
      return compute(given);
    } catch (error) {
      throw nameCall(name, error);
    }
  };
  Object.defineProperty(made, "name", { value: name });
  return made;
}
