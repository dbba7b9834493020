/**
 * Random values as scalar expressions over the Philox stream: what every random op is made of.
 *
 * A call reserves a range of the generator's stream, and element i of the result reads word `base + i` of it (a second
 * word per element comes from a second run of the range, `base + count + i`, which kernels compute as fast as the
 * first). So values depend on the seed and the position alone, never on the device, the strides or the threads. (WebGPU,
 * whose integers have 32 bits, counts words modulo 2^32.)
 *
 * @module
 */

import { type DType, float32, toReal } from "../../base/dtype.ts";
import { rowOf } from "../../base/dtype_table.ts";
import { ArgumentError, describe, DeviceError } from "../../base/errors.ts";
import { defaultGenerator, Generator } from "../../base/generator.ts";
import { numelOf } from "../../base/shape.ts";
import { Complex } from "../../expr/complex.ts";
import { type Expr, type Kind, kindOf, linearIndex } from "../../expr/expr.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Formula } from "../core/formula.ts";
import { generate } from "../core/fused.ts";
import type { Number64 } from "../core/kernel.ts";

/** The option of every random op. */
export interface RandomOptions {
  /** The stream to draw from; `null`: the default generator. */
  generator?: Generator | null;
}

/** The generator of an op's options, checked. */
export function generatorOf(op: string, generator: Generator | null | undefined): Generator {
  if (generator === null || generator === undefined) return defaultGenerator;
  if (generator instanceof Generator) return generator;
  throw new ArgumentError(`${op}(): generator must be a Generator: ${describe(generator)}`);
}

/** How many bits of a uniform value a dtype holds exactly below 1. */
function uniformBits(dtype: DType): number {
  return (rowOf(toReal(dtype)).float ?? rowOf(float32).float!).fraction + 1;
}

/** The largest value below 1. */
const BELOW_ONE: Readonly<Record<"f32" | "f64", number>> = { f32: 1 - 2 ** -24, f64: 1 - 2 ** -53 };

/** The random words of one element, as values of the distributions that everything else is made from. */
export class Draws {
  readonly #index: Expr;
  readonly #base: Expr;
  readonly #count: Expr;
  readonly #key: Expr;

  /**
   * Reads the words of one reserved range.
   *
   * @param index the element's row-major index (`i64`)
   * @param base the first word of the range
   * @param count how many elements there are: the distance of an element's words
   * @param key the seed
   */
  constructor(index: Expr, base: Expr, count: Expr, key: Expr) {
    this.#index = index;
    this.#base = base;
    this.#count = count;
    this.#key = key;
  }

  #word(nr: number): Expr {
    return this.#index.add(this.#base).add(this.#count.mul(nr)).philox(this.#key);
  }

  /** The upper `bits` (at most 31) bits of the element's word number `nr`, as a non-negative integer. */
  bits(bits: number, nr: number): Expr {
    // Where integers have 32 bits, the shifted word may be negative: hence the mask.
    return this.#word(nr).shiftRight(32 - bits).bitwiseAnd(2 ** bits - 1);
  }

  /** 53 bits from words `nr` and `nr + 1`, as a float64 below 2^53. */
  #wide(nr: number): Expr {
    return this.bits(27, nr).to("f64").mul(2 ** 26).add(this.bits(26, nr + 1).to("f64"));
  }

  /** Uniform in [0, 1), exact in `dtype`. */
  uniform(dtype: DType, nr = 0): Expr {
    const bits = uniformBits(dtype);
    if (bits > 31) return this.#wide(nr).mul(2 ** -53);
    return this.bits(bits, nr).to("f32").mul(2 ** -bits);
  }

  /** Uniform in (0, 1), never 0 or 1, for logarithms; computed in `kind`. */
  open(kind: Kind, nr = 0): Expr {
    if (kind === "f64") return this.#wide(nr).add(0.5).mul(2 ** -53).min(BELOW_ONE.f64);
    return this.bits(31, nr).to("f32").add(0.5).mul(2 ** -31).min(BELOW_ONE.f32);
  }

  /** Standard normal (Box and Muller's first value). Reads twice as many words as a uniform value. */
  normal(kind: Kind, nr = 0): Expr {
    const angle = this.open(kind, nr + wordsOf(kind)).mul(2 * Math.PI);
    return this.open(kind, nr).log().mul(-2).sqrt().mul(angle.cos());
  }

  /** Standard exponential. */
  exponential(kind: Kind): Expr {
    return this.open(kind).log().neg();
  }

  /** An integer from 0 to `range - 1`; `wide` takes 63 bits from two words, where 31 would not cover the range evenly. */
  below(range: Expr, wide: boolean): Expr {
    const value = wide ? this.bits(31, 0).mul(2 ** 32).add(this.#word(1)) : this.bits(31, 0);
    return value.remainder(range);
  }
}

/** Words of one uniform value. */
export function wordsOf(kind: Kind): 1 | 2 {
  return kind === "f64" ? 2 : 1;
}

/** The kind that random values of a dtype are computed in. */
export function drawKind(dtype: DType): "f32" | "f64" {
  return kindOf(toReal(dtype)) === "f64" ? "f64" : "f32";
}

/** How {@linkcode fillRandom} draws. */
export interface Filling {
  /** Words per element. */
  words: number;
  /** Whether the value is computed in integers of more than 32 bits, which not every device has. @default {false} */
  wideIntegers?: boolean;
  /** Run-time parameters of the distribution. */
  params?: readonly Number64[];
  /** Kind of the parameters; default: that of the dtype's random values. */
  paramKind?: Kind;
  /** Real tensors that broadcast to the result and are read as well. */
  inputs?: readonly Tensor[];
  /** The element's value, or one value per part of a complex element. */
  value: (draws: Draws, params: Expr[], inputs: Expr[]) => Expr | Expr[];
}

/** The formulas of distributions, by name and dtype: a call states its own, and the first one stands for all. */
const distributions = new Map<string, Formula<Expr>>();

/**
 * Writes random values into `out`, without autograd.
 *
 * @param name identifies the formula: there is one program per name, number of words and dtypes
 */
export function fillRandom(name: string, out: Tensor, generator: Generator, filling: Filling): Tensor {
  const count = numelOf(out.shape);
  if (generator.device.type !== "cpu" && generator.device !== out.device) {
    throw new DeviceError(`${name}(): the generator is for ${generator.device}, the tensor on ${out.device}`);
  }
  if (filling.wideIntegers && out.device.type === "webgpu") {
    throw new DeviceError(
      `${name}(): more than 2^24 different integers need 64-bit ones, which ${out.device} lacks; draw on "cpu" and move them`,
    );
  }
  const base = generator.reserve(count * filling.words);
  const { params = [], paramKind = drawKind(out.dtype), inputs = [], value } = filling;
  const kinds: Kind[] = ["i64", "i64", "i64", ...params.map(() => paramKind)];
  const key = `${name}/${filling.words} ${out.dtype.code}`;
  let of = distributions.get(key);
  if (of === undefined) {
    of = new Formula<Expr>("none", (tensors, [first, step, key, ...rest]) => {
      const made = value(new Draws(linearIndex(), first, step, key), rest, [...tensors]);
      return Array.isArray(made) ? new Complex(made[0], made[1]) : made;
    });
    distributions.set(key, of);
  }
  generate(of, out, [base, count, BigInt.asIntN(64, generator.key), ...params], kinds, inputs);
  return out;
}

/** A range of at most this many integers is covered evenly enough by 31 bits (PyTorch's own bound is 2^28 of 32 bits). */
const NARROW_RANGE = 2n ** 24n;

/** Integers from `low` to `high - 1`. */
export function integersBetween(op: string, low: number | bigint, high: number | bigint): Filling {
  for (const bound of [low, high]) {
    if (typeof bound !== "bigint" && !Number.isInteger(bound)) {
      throw new ArgumentError(`${op}(): bounds must be integers: ${describe(bound)}`);
    }
  }
  const range = BigInt(high) - BigInt(low);
  if (range <= 0n) {
    throw new ArgumentError(
      `${op}(): the lower bound must be below the upper one: ${describe(low)} >= ${describe(high)}`,
    );
  }
  if (range >= 2n ** 63n) {
    throw new ArgumentError(`${op}(): the bounds are too far apart: ${describe(low)} and ${describe(high)}`);
  }
  const wide = range > NARROW_RANGE;
  return {
    words: wide ? 2 : 1,
    wideIntegers: wide,
    params: [low, range],
    paramKind: "i64",
    value: (draws, [first, size]) => draws.below(size, wide).add(first),
  };
}

/** The value of an element of `dtype` from that of each of its parts. */
export function byParts(dtype: DType, value: (part: 0 | 1) => Expr): Expr | Expr[] {
  return dtype.isComplex ? [value(0), value(1)] : value(0);
}
