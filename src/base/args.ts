/**
 * PyTorch's calling convention: arguments by position in PyTorch's order, any of them by name in a final plain object.
 *
 * `Args<O, K>` types it once for every op and module: `O` names all parameters, `K` lists the positional ones in order.
 * `signature` does the same at run time. `x.sum(1, { keepdim: true })` and `x.sum({ dim: 1, keepdim: true })` are the same call.
 *
 * @module
 */

import { ArgumentError, show } from "./errors.ts";

/** The argument lists that `signature` accepts: every prefix of `K`, each followed by the rest by name. */
export type Args<
  O,
  K extends readonly (keyof O)[],
  Given extends readonly unknown[] = [],
  Done extends keyof O = never,
> =
  | (Record<never, never> extends Omit<O, Done> ? [...Given, options?: Omit<O, Done>]
    : [...Given, options: Omit<O, Done>])
  | (K extends readonly [infer Head extends keyof O, ...infer Rest extends readonly (keyof O)[]]
    ? Args<O, Rest, [...Given, O[Head]], Done | Head>
    : never);

/** Whether a value is an object literal: the only thing that is read as named arguments. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const proto = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** Refuses named arguments that a function does not have: a misspelt one would be ignored. */
export function checkNames(op: string, options: object, names: ReadonlySet<string>): void {
  for (const key of Object.keys(options)) {
    if (!names.has(key)) {
      throw new ArgumentError(`${op}(): unknown argument: "${key}"; expected one of ${[...names].join(", ")}`);
    }
  }
}

/**
 * Makes the parser of one function's arguments.
 *
 * @param op the function's name, for messages
 * @param positional parameters that may be given by position, in PyTorch's order
 * @param named parameters that may only be given by name
 * @param required how many of `positional` must be given
 */
export function signature<O extends object>(
  op: string,
  positional: readonly (keyof O & string)[],
  named: readonly (keyof O & string)[] = [],
  required = 0,
): (args: readonly unknown[]) => O {
  const all = new Set<string>([...positional, ...named]);
  return (args) => {
    let count = args.length;
    const last = args[count - 1];
    const options = isPlainObject(last) ? last : null;
    if (options) count--;
    if (count > positional.length) {
      throw new ArgumentError(
        `${op}(): too many arguments: ${count} given after the tensor, at most ${positional.length} expected (${
          positional.join(", ")
        })`,
      );
    }
    const out: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) if (args[i] !== undefined) out[positional[i]] = args[i];
    if (options) {
      checkNames(op, options, all);
      for (const key of Object.keys(options)) {
        if (key in out) throw new ArgumentError(`${op}(): argument given twice: "${key}"`);
        if (options[key] !== undefined) out[key] = options[key];
      }
    }
    for (let i = 0; i < required; i++) {
      if (!(positional[i] in out)) throw new ArgumentError(`${op}(): missing argument: "${positional[i]}"`);
    }
    return out as O;
  };
}

/** A list of integers given as an array or spread over the arguments: `permute(2, 0, 1)` and `permute([2, 0, 1])`. */
export function intList(op: string, args: readonly unknown[]): number[] {
  const list = args.length === 1 && Array.isArray(args[0]) ? args[0] as unknown[] : args;
  for (const v of list) {
    if (typeof v !== "number" || !Number.isInteger(v)) {
      throw new ArgumentError(`${op}(): expected integers: ${show(list)}`);
    }
  }
  return [...list] as number[];
}
