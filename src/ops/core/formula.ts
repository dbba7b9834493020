/**
 * Formulas: scalar expressions from which programs and kernels are made, once per signature.
 *
 * This is the one builder and the one cache of programs that are written where they are used: map-reductions, fused updates,
 * generated values, epilogues, losses, dropout. (A public pointwise op, with promotion and numbers as operands, is a plan of
 * `define.ts`.) A caller states the expression; dtypes, complex pairs and the numbering of operands are done here.
 *
 * @module
 */

import { type DType, toReal } from "../../base/dtype.ts";
import { Complex } from "../../expr/complex.ts";
import { constant, type Expr, input, type Kind, kindOf, scalar, type Value } from "../../expr/expr.ts";
import { Program } from "../../expr/program.ts";
import { Kernel } from "./kernel.ts";

/** A tensor, or what has a dtype in its place; `null` where an operand is not given. */
export type Typed = { readonly dtype: DType } | null;

/** What makes another expression of the same formula: a mode, an order, whether there is a weight. */
export type FormulaOption = number | string | boolean;

/**
 * What is converted to the register kind of the first result: the elements, which then must be real, before the formula sees
 * them; its value; or nothing, where storing does what is needed.
 */
export type Conversion = "elements" | "value" | "none";

/** The expression of one element, given those of the operands, the numbers of the call, and options. */
export type FormulaBuild<E, O extends readonly FormulaOption[]> = (
  elements: readonly E[],
  numbers: readonly Expr[],
  ...options: O
) => Value | readonly Value[];

/** What was made for one signature. */
interface Made {
  readonly inputs: readonly (DType | null)[];
  readonly numbers: number;
  readonly results: readonly DType[];
  readonly options: readonly FormulaOption[];
  /** Differentiable; only where there is one result and it was asked for. */
  kernel: Kernel | null;
  program: Program | null;
}

function matches(
  made: Made,
  operands: readonly Typed[],
  numbers: number,
  results: readonly { readonly dtype: DType }[],
  options: readonly FormulaOption[],
): boolean {
  if (made.numbers !== numbers || made.inputs.length !== operands.length) return false;
  if (made.results.length !== results.length || made.options.length !== options.length) return false;
  for (let i = 0; i < operands.length; i++) {
    const x = operands[i];
    if (made.inputs[i] !== (x === null ? null : x.dtype)) return false;
  }
  for (let i = 0; i < results.length; i++) if (made.results[i] !== results[i].dtype) return false;
  for (let i = 0; i < options.length; i++) if (made.options[i] !== options[i]) return false;
  return true;
}

/**
 * An expression, and what was made of it: one program (and one kernel, which has gradients) per dtypes of operands and
 * results, count of numbers, and options.
 *
 * @typeParam E what the formula sees of an element: `Expr` where operands are real, `Value` where they may be complex,
 *   with `null` where they may be missing
 */
export class Formula<E extends Value | null = Value, O extends readonly FormulaOption[] = []> {
  readonly #build: FormulaBuild<E, O>;
  readonly #converts: Conversion;
  readonly #made = new Map<string, Made>();
  /** The signature of the last call, which is mostly that of the next: it is found without a key. */
  #last: Made | null = null;

  /** @param converts what is converted to the kind of the (first) result */
  constructor(converts: Conversion, build: FormulaBuild<E, O>) {
    this.#build = build;
    this.#converts = converts;
  }

  /**
   * The program for these operands. Where the value is real and the result complex, the other part is 0.
   *
   * @param operands tensors, or their dtypes
   * @param numbers how many numbers the call has, in the first result's kind, or a kind for each; kinds depend on nothing
   *   but dtypes and options
   * @param results tensors, or their dtypes: one per value of the formula
   */
  program(
    operands: readonly Typed[],
    numbers: number | readonly Kind[],
    results: readonly { readonly dtype: DType }[],
    ...options: O
  ): Program {
    const made = this.#find(operands, numbers, results, options);
    return made.program ??= made.kernel?.program(made.results[0]) ?? this.#makeProgram(made, numbers);
  }

  /** The kernel of the one result: like {@linkcode program}, and differentiable. */
  kernel(
    operands: readonly Typed[],
    numbers: number | readonly Kind[],
    result: { readonly dtype: DType },
    ...options: O
  ): Kernel {
    const made = this.#find(operands, numbers, [result], options);
    return made.kernel ??= this.#makeKernel(made, numbers);
  }

  #find(
    operands: readonly Typed[],
    numbers: number | readonly Kind[],
    results: readonly { readonly dtype: DType }[],
    options: O,
  ): Made {
    const count = typeof numbers === "number" ? numbers : numbers.length;
    const last = this.#last;
    if (last !== null && matches(last, operands, count, results, options)) return last;
    let key = `${count}`;
    for (const x of operands) key += x === null ? ",-" : `,${x.dtype.code}`;
    for (const x of results) key += `>${x.dtype.code}`;
    for (const option of options) key += ` ${option}`;
    let made = this.#made.get(key);
    if (made === undefined) {
      const inputs = operands.map((x) => x === null ? null : x.dtype);
      made = { inputs, numbers: count, results: results.map((x) => x.dtype), options, kernel: null, program: null };
      this.#made.set(key, made);
    }
    return this.#last = made;
  }

  /** The formula over real inputs, numbered in the order of the operands; a complex one counts twice. */
  #expressions({ inputs, results, options }: Made, kinds: readonly Kind[]): { reals: DType[]; parts: Expr[][] } {
    const isReal = this.#converts === "elements", reals: DType[] = [];
    const kind = kindOf(isReal ? results[0] : toReal(results[0]));
    const elements = inputs.map((dtype) => {
      if (dtype === null) return null;
      const real = toReal(dtype);
      const part = (): Expr => {
        const x = input(reals.push(real) - 1, real);
        return isReal ? x.to(kind) : x;
      };
      if (isReal && dtype.isComplex) kindOf(dtype); // throws
      const re = part();
      return dtype.isComplex ? new Complex(re, part()) : re;
    });
    const value = this.#build(elements as E[], kinds.map((k, i) => scalar(i, k)), ...options as O);
    const values = Array.isArray(value) ? value as readonly Value[] : [value as Value];
    const parts = values.map((v, i) => {
      const exprs: Expr[] = v instanceof Complex ? [v.re, v.im] : [v as Expr];
      if (!results[i].isComplex) exprs.length = 1;
      else if (exprs.length === 1) exprs.push(constant(0, kind));
      return this.#converts === "value" ? exprs.map((expr) => expr.to(kindOf(toReal(results[i])))) : exprs;
    });
    return { reals, parts };
  }

  #makeProgram(made: Made, numbers: number | readonly Kind[]): Program {
    const kinds = kindsOf(numbers, made.results[0]);
    const { reals, parts } = this.#expressions(made, kinds);
    const outputs = parts.flatMap((exprs, i) => exprs.map((expr) => ({ expr, dtype: toReal(made.results[i]) })));
    return new Program(reals, kinds, outputs);
  }

  #makeKernel(made: Made, numbers: number | readonly Kind[]): Kernel {
    const kinds = kindsOf(numbers, made.results[0]);
    const { parts } = this.#expressions(made, kinds);
    return new Kernel(made.inputs.filter((dtype) => dtype !== null), kinds, parts[0], made.results[0]);
  }
}

function kindsOf(numbers: number | readonly Kind[], result: DType): readonly Kind[] {
  return typeof numbers === "number" ? new Array<Kind>(numbers).fill(kindOf(toReal(result))) : numbers;
}

/** The formula of real operands, converted to the kind that the first result is computed in. */
export function formula<O extends readonly FormulaOption[] = []>(build: FormulaBuild<Expr, O>): Formula<Expr, O> {
  return new Formula("elements", build);
}
