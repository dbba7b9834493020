/**
 * PyTorch's calling convention: arguments by position in PyTorch's order, any of them by name in a final plain object.
 *
 * A call is declared once, as a class. The parameters of its constructor may be given by position or by name, its
 * fields by name only; a default makes a parameter optional:
 *
 * ```ts
 * import { type Args, call } from "./call.ts";
 *
 * class RoundArgs {
 *   unit: string | null = null; // by name only
 *   constructor(public value: number, public decimals = 0) {} // by position or by name
 * }
 * const roundArgs = call("round", RoundArgs);
 * function round(...args: Args<typeof RoundArgs>): string {
 *   const { value, decimals, unit } = roundArgs(args);
 *   return value.toFixed(decimals) + (unit ?? "");
 * }
 * round(2.345, 2, { unit: " m" }); // "2.35 m"
 * round({ value: 2.345 }); // "2"
 * ```
 *
 * The type {@linkcode Args}, the parser, the order, the defaults and the names in the editor all come from the class. A
 * default is never `undefined`, since `undefined` means "not given", as for JavaScript's own parameters.
 *
 * @module
 */

import { areIntegers, checkIntegers } from "./checks.ts";
import { ArgumentError, describe, nameCall } from "./errors.ts";
import { nearestName } from "./spelling.ts";

/** A class that declares the parameters of a call. */
// deno-lint-ignore no-explicit-any -- stands for every parameter list
export type Params = new (...args: any[]) => object;

/** Parameters by name: every one of `O`, all optional because they may have been given by position. */
export type Named<O> = { readonly [K in keyof O]?: O[K] | undefined };

/** The first element of a tuple, as a tuple that keeps its label. */
export type First<P extends readonly unknown[]> = P extends readonly [unknown?, ...infer R]
  ? P extends readonly [...infer F, ...R] ? F : never
  : never;

/** Every prefix of `P` followed by the rest by name; the list by name comes last, because errors quote the last. */
export type Lists<P extends readonly unknown[], N, Given extends readonly unknown[] = []> = number extends P["length"]
  ? readonly unknown[]
  :
    | (P extends readonly [] ? never
      : P extends readonly [unknown?, ...infer R] ? Lists<R, N, [...Given, ...First<P>]>
      : never)
    | (P extends readonly [unknown, ...unknown[]] ? [...Given, named: N] : [...Given, named?: N]);

/** The argument lists of a call declared by `C`: any number of them by position, the others by name in a final object. */
export type Args<C extends Params> = Lists<ConstructorParameters<C>, Named<InstanceType<C>>>;

/** {@linkcode Args} of a call whose first parameter is a list that may also be spread over the arguments. */
export type SpreadArgs<C extends Params, T = number> =
  | readonly T[]
  | readonly [...list: T[], named: Named<InstanceType<C>>]
  | Args<C>;

/** Reads the arguments of a call: gives every parameter its value. */
export type Parser<O> = (args: readonly unknown[]) => O;

/** The parameter list of a call, as its class declares it. */
export interface Declaration {
  /** The call's name, as users write it. */
  readonly op: string;
  /** Names that may go by position, in order. */
  readonly positional: readonly string[];
  /** How many of these must be given, by position or by name. */
  readonly required: number;
  /** The names of all parameters, those by position first. */
  readonly names: readonly string[];
  /** For each name, whether its default is a number. */
  readonly numbers: readonly boolean[];
}

/** The parameters of calls that take none. */
export class NoArgs {}

/** Whether a value is an object literal: the only thing that is read as named arguments. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const proto = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** An upper bound of the parameters by position that any call has. */
const MANY = 32;

/**
 * Reads the declaration off a class: its constructor is given marked arguments, and the field that a mark arrives in
 * names the parameter.
 */
function inspect(op: string, params: Params): Declaration {
  const marks = Array.from({ length: MANY }, (_, i) => ({ i }));
  const marked = Object.entries(new params(...marks));
  const positional: string[] = [];
  for (const [name, value] of marked) {
    const place = marks.indexOf(value as { i: number });
    if (place >= 0) positional[place] = name;
  }
  const defaults = new params() as Record<string, unknown>;
  const required = positional.findLastIndex((name) => defaults[name] === undefined) + 1;
  const named = marked.map(([name]) => name).filter((name) => !positional.includes(name));
  const names = [...positional, ...named];
  return { op, positional, required, names, numbers: names.map((name) => typeof defaults[name] === "number") };
}

/** Classes whose objects stand for numbers: `Scalar`, `Tensor`. */
// deno-lint-ignore no-explicit-any -- any class, abstract ones too
const numeric: (abstract new (...args: any[]) => unknown)[] = [];

/** Lets the objects of a class be given where a number is the default. */
export function actsAsNumber(type: typeof numeric[number]): void {
  numeric.push(type);
}

/** How deep lists of numbers may be nested. */
const DEEPEST = 3;

/**
 * Whether a value may be given where the default is a number: a primitive, an object of a numeric class, or a list of
 * these.
 */
function isNumeric(value: unknown, depth = 0): boolean {
  if (typeof value === "symbol" || typeof value === "function") return false;
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return depth < DEEPEST && value.every((v) => isNumeric(v, depth + 1));
  return numeric.some((type) => value instanceof type);
}

/** The parser of one call. */
class Call {
  readonly op: string;
  readonly params: Params;
  #declaration: Declaration | null = null;
  #defaults: object | null = null;
  /** What every call asks of the declaration; -1 until it is read off. */
  #most = -1;
  #required = 0;
  #anyNumbers = false;

  constructor(op: string, params: Params) {
    this.op = op;
    this.params = params;
  }

  /** The declaration, read off the class when first needed, so that loading the library constructs nothing. */
  get declaration(): Declaration {
    return this.#declaration ??= inspect(this.op, this.params);
  }

  parse(args: readonly unknown[]): object {
    const { length } = args;
    if (this.#most < 0) this.#prepare();
    if (length === 0 && this.#required === 0) return this.#defaults ??= Object.freeze(new this.params());
    const last = args[length - 1];
    if (typeof last === "object" && last !== null) {
      const proto = Object.getPrototypeOf(last);
      // The parsed arguments of another call with the same class count as named arguments, too. (`instanceof` would be
      // slower.)
      if (proto === Object.prototype || proto === null || proto === this.params.prototype) {
        return this.#withNames(args, last as Record<string, unknown>);
      }
    }
    if (length > this.#most) throw this.#tooMany(length);
    if (this.#anyNumbers || length !== this.#required) this.#checkPositional(args);
    else for (let i = 0; i < length; i++) if (args[i] === undefined) this.#checkPositional(args);
    // The usual lengths are spelt out: spreading costs more than the rest of the parser.
    if (length === 1) return new this.params(args[0]);
    if (length === 2) return new this.params(args[0], args[1]);
    return new this.params(...args);
  }

  /** Whether the first parameter alone may be given: it is a list, and the others have defaults. */
  get onlyList(): boolean {
    if (this.#most < 0) this.#prepare();
    return this.#required <= 1;
  }

  #prepare(): void {
    const { positional, required, numbers } = this.declaration;
    this.#most = positional.length;
    this.#required = required;
    this.#anyNumbers = numbers.includes(true);
  }

  #withNames(args: readonly unknown[], given: Record<string, unknown>): object {
    const { positional, names } = this.declaration;
    const count = args.length - 1;
    if (count > positional.length) throw this.#tooMany(count);
    const values = args.slice(0, count);
    for (const name of Object.keys(given)) {
      const value = given[name];
      const place = positional.indexOf(name);
      if (place < 0) {
        if (!names.includes(name)) throw this.#unknown(name);
        continue;
      }
      if (place < count && args[place] !== undefined) {
        throw new ArgumentError(
          `${this.op}(): argument given twice: ${name} is ${describe(args[place])} by position and ` +
            `${describe(value)} by name`,
        );
      }
      values[place] = value;
    }
    this.#checkPositional(values);
    const out = new this.params(...values) as Record<string, unknown>;
    for (let i = positional.length; i < names.length; i++) {
      const value = given[names[i]];
      if (value === undefined) continue;
      this.#checkNumber(i, value);
      out[names[i]] = value;
    }
    return out;
  }

  #checkPositional(values: readonly unknown[]): void {
    const { positional, required } = this.declaration;
    for (let i = 0; i < required; i++) if (values[i] === undefined) throw this.#missing(positional[i]);
    for (let i = 0; i < values.length; i++) this.#checkNumber(i, values[i]);
  }

  #checkNumber(i: number, value: unknown): void {
    const { numbers, names } = this.declaration;
    if (!numbers[i] || isNumeric(value)) return;
    throw new ArgumentError(`${this.op}(): ${names[i]} must be a number: ${describe(value)}`);
  }

  #tooMany(count: number): ArgumentError {
    const { positional, names } = this.declaration;
    const named = names.slice(positional.length);
    return new ArgumentError(
      `${this.op}(): too many arguments: ${count} given, at most ${positional.length} by position` +
        (positional.length > 0 ? ` (${positional.join(", ")})` : "") +
        (named.length > 0 ? `; by name in a final object: ${named.join(", ")}` : ""),
    );
  }

  #missing(name: string): ArgumentError {
    return new ArgumentError(`${this.op}(): missing argument: "${name}"`);
  }

  #unknown(name: string): ArgumentError {
    const { names } = this.declaration;
    const near = nearestName(name, names);
    const known = names.length > 0 ? `expected one of ${names.join(", ")}` : "it takes no named arguments";
    return new ArgumentError(
      `${this.op}(): unknown argument: "${name}"; ${near === null ? "" : `did you mean "${near}"? `}${known}`,
    );
  }
}

const calls: Call[] = [];

/** The declarations of all calls. Tests use them to call every function of the library. */
export function declarations(): Declaration[] {
  return calls.map((c) => c.declaration);
}

/**
 * Makes the parser of a call.
 *
 * The result is not to be written to: calls without arguments share one.
 *
 * @param op the name that users write, for messages
 * @param params the class that declares the parameters
 */
export function call<C extends Params>(op: string, params: C): Parser<Readonly<InstanceType<C>>> {
  const made = new Call(op, params);
  calls.push(made);
  return (args) => made.parse(args) as InstanceType<C>;
}

/**
 * {@linkcode call} whose first parameter is a list that may be spread over the arguments: `permute(2, 0, 1)` is
 * `permute([2, 0, 1])`. Without arguments the list is empty.
 *
 * @param check refuses lists of other things; given the call's name, the parameter's, and the list
 */
export function spreadCall<C extends Params>(
  op: string,
  params: C,
  check: (op: string, name: string, list: unknown) => void = checkIntegers,
): Parser<Readonly<InstanceType<C>>> {
  const made = new Call(op, params), ofIntegers = check === checkIntegers;
  calls.push(made);
  return (args) => {
    // Integers one after another, which is what most calls are: the list is there, and nothing else was given.
    if (ofIntegers && made.onlyList && args.length > 0 && areIntegers(args)) return new params(args) as InstanceType<C>;
    let count = 0;
    while (count < args.length && !Array.isArray(args[count]) && !isPlainObject(args[count])) count++;
    const spread = count > 0 || args.length === 0;
    const given = made.parse(spread ? [args.slice(0, count), ...args.slice(count)] : args);
    const [name] = made.declaration.positional;
    check(op, name, (given as Record<string, unknown>)[name]);
    return given as InstanceType<C>;
  };
}

/** A function of the parameters that `C` declares. */
export type Func<C extends Params, R> = (...args: Args<C>) => R;

/**
 * Whether the arguments hold a function or a module of the user: an error thrown in it already names the call that
 * failed.
 */
function callsBack(args: readonly unknown[]): boolean {
  const runs = (value: unknown): boolean =>
    typeof value === "function" || (isPlainObject(value) && Object.values(value).some(runs)) ||
    (typeof value === "object" && value !== null && "forward" in value);
  return args.some(runs);
}

/**
 * Defines a function all of whose parameters `params` declares.
 *
 * @param op its name
 * @param params the class that declares the parameters
 * @param compute the function, given all parameters
 */
export function func<C extends Params, R>(
  op: string,
  params: C,
  compute: (args: Readonly<InstanceType<C>>) => R,
): Func<C, R> {
  const parse = call(op, params);
  const made = (...args: readonly unknown[]) => {
    try {
      return compute(parse(args));
    } catch (error) {
      throw callsBack(args) ? error : nameCall(op, error);
    }
  };
  Object.defineProperty(made, "name", { value: op });
  return made as unknown as Func<C, R>;
}

/** {@linkcode func} whose first parameter is a list that may be spread over the arguments: `ones(2, 3)`. */
export function spreadFunc<C extends Params, R>(
  op: string,
  params: C,
  compute: (args: Readonly<InstanceType<C>>) => R,
  check?: (op: string, name: string, list: unknown) => void,
): (...args: SpreadArgs<C>) => R {
  const parse = spreadCall(op, params, check);
  const made = (...args: readonly unknown[]) => {
    try {
      return compute(parse(args));
    } catch (error) {
      throw nameCall(op, error);
    }
  };
  Object.defineProperty(made, "name", { value: op });
  return made;
}
