/**
 * The numbers of an update that depend on the step count or the learning rate, on the host or on the device.
 *
 * A formula is written once. With plain numbers it runs on the host. Where the learning rate is a tensor of a device, or
 * the optimizer is `capturable`, or a `GradScaler` decides on the device whether the step counts, the same formula becomes
 * kernels: the state's entries (`step`, …) are 0-d tensors then, and the derived numbers operands of the update, so that
 * nothing is read and a recorded graph counts its own replays.
 *
 * @module
 */

import { float32 } from "../base/dtype.ts";
import { type Expr, linearIndex, where } from "../expr/expr.ts";
import { withGrad } from "../autograd/mode.ts";
import { empty, full } from "../ops/create/creation.ts";
import { fused, type FusedUpdate } from "../ops/core/fused.ts";
import { selectAt } from "../ops/core/view_core.ts";
import { widestFloat } from "../tensor/create.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ParamState } from "./optimizer.ts";

/** A number of the host ({@linkcode Real}) or an expression of a kernel. */
export interface Num {
  /** The sum. */
  add(other: Num | number): Num;
  /** The difference. */
  sub(other: Num | number): Num;
  /** The product. */
  mul(other: Num | number): Num;
  /** The quotient. */
  div(other: Num | number): Num;
  /** The larger one. */
  max(other: Num | number): Num;
  /** 1 divided by it. */
  reciprocal(): Num;
  /** The root. */
  sqrt(): Num;
  /** The exponential function. */
  exp(): Num;
  /** The exponential function less 1. */
  expm1(): Num;
  /** The natural logarithm. */
  log(): Num;
}

function valueOf(x: Num | number): number {
  return typeof x === "number" ? x : (x as Real).value;
}

/** A number of the host. */
export class Real implements Num {
  /** The number. */
  readonly value: number;

  /** Wraps a number. */
  constructor(value: number) {
    this.value = value;
  }

  add(other: Num | number): Real {
    return new Real(this.value + valueOf(other));
  }
  sub(other: Num | number): Real {
    return new Real(this.value - valueOf(other));
  }
  mul(other: Num | number): Real {
    return new Real(this.value * valueOf(other));
  }
  div(other: Num | number): Real {
    return new Real(this.value / valueOf(other));
  }
  max(other: Num | number): Real {
    return new Real(Math.max(this.value, valueOf(other)));
  }
  reciprocal(): Real {
    return new Real(1 / this.value);
  }
  sqrt(): Real {
    return new Real(Math.sqrt(this.value));
  }
  exp(): Real {
    return new Real(Math.exp(this.value));
  }
  expm1(): Real {
    return new Real(Math.expm1(this.value));
  }
  log(): Real {
    return new Real(Math.log(this.value));
  }
}

/** 1 where `x` is more than `limit`, else 0. */
export function exceeds(x: Num, limit: number): Num {
  if (x instanceof Real) return new Real(x.value > limit ? 1 : 0);
  const expr = x as unknown as Expr;
  return expr.gt(limit).to(expr.kind) as unknown as Num;
}

/** `a` where `condition` is not 0, else `b`. */
export function choose(condition: Num, a: Num, b: Num): Num {
  if (condition instanceof Real) return condition.value === 0 ? b : a;
  const [test, yes, no] = [condition, a, b] as unknown as Expr[];
  return where(test.ne(0), yes, no) as unknown as Num;
}

/** `1 - beta^step`, given `log(beta)`: exact also in float32, where the power would round to 1. */
export function correction(step: Num, logBeta: Num): Num {
  return step.mul(logBeta).expm1().mul(-1);
}

/** Numbers that updates need; see the module's text. */
export interface Formula {
  /** Entries of a parameter's state and what they begin with. */
  readonly entries: Readonly<Record<string, number | "lr">>;
  /** The entries for this step, from those of the last one. */
  readonly advance: (entries: Num[], lr: Num, constants: Num[]) => Num[];
  /** The numbers, from the entries of this step. */
  readonly derive?: (entries: Num[], lr: Num, constants: Num[]) => Num[];
  /** The entries after the update, if they change once more. */
  readonly afterUpdate?: (entries: Num[], lr: Num, constants: Num[]) => Num[];
}

/** The formula of optimizers that only count their steps. */
export const COUNT: Formula = { entries: { step: 0 }, advance: ([step]) => [step.add(1)] };

/** In which order the kernels of one optimizer step run, see `batched`. */
export const enum Stage {
  Advance,
  Derive,
  Update,
  AfterUpdate,
}

/** The derived numbers of a parameter on its device, each a view. */
interface Derived {
  readonly all: Tensor;
  readonly parts: readonly Tensor[];
}

function asTensors(make: () => Tensor): Tensor {
  return outsideScopes(() => withGrad(false, make));
}

/** A formula, ready for the host and for devices. */
export class Scalars {
  readonly #formula: Formula;
  readonly #names: readonly string[];
  readonly #advance: FusedUpdate;
  readonly #derive: FusedUpdate;
  readonly #afterUpdate: FusedUpdate;
  readonly #derived = new WeakMap<ParamState, Derived>();
  /** What the numbers were computed from last (entries, rate, constants), and what came of it. */
  readonly #given: number[] = [];
  #numbers: readonly number[] = [];
  #entriesAfter: readonly number[] = [];

  /** Prepares a formula. */
  constructor(op: string, formula: Formula) {
    this.#formula = formula;
    this.#names = Object.keys(formula.entries);
    const count = this.#names.length;
    const compute = (f: NonNullable<Formula["derive"]>, tensors: Expr[], [lr, ...constants]: Expr[]): Expr[] => {
      const [entries, rate, rest] = [tensors.slice(0, count), lr, constants] as unknown as [Num[], Num, Num[]];
      return f(entries, rate, rest) as unknown as Expr[];
    };
    // A step that does not count leaves the entries as they are.
    const stepping = (f: NonNullable<Formula["derive"]>) => (tensors: Expr[], scalars: Expr[]): Expr[] => {
      const found = tensors.length > count ? tensors[count].ne(0) : null;
      return compute(f, tensors, scalars).map((next, i) => found === null ? next : where(found, tensors[i], next));
    };
    const { advance, derive = () => [], afterUpdate = (entries) => entries } = formula;
    this.#advance = fused(op, stepping(advance), Stage.Advance);
    this.#afterUpdate = fused(op, stepping(afterUpdate), Stage.AfterUpdate);
    this.#derive = fused(op, (tensors, scalars) => {
      const values = compute(derive, tensors, scalars);
      return [values.reduceRight((rest, value, i) => where(linearIndex().eq(i), value, rest))];
    }, Stage.Derive);
  }

  /** Whether an entry lies on the device already. */
  onDevice(state: ParamState): boolean {
    return state[this.#names[0]] instanceof Tensor;
  }

  /** Advances entries of the host and gives the derived numbers. */
  host(state: ParamState, lr: number, constants: readonly number[]): readonly number[] {
    const { entries } = this.#formula, names = this.#names;
    const given = this.#given, count = names.length + 1 + constants.length;
    let known = given.length === count;
    const put = (at: number, value: number): void => {
      known &&= given[at] === value;
      given[at] = value;
    };
    for (let i = 0; i < names.length; i++) {
      const start = entries[names[i]];
      put(i, (state[names[i]] as number | undefined) ?? (start === "lr" ? lr : start));
    }
    put(names.length, lr);
    for (let i = 0; i < constants.length; i++) put(names.length + 1 + i, constants[i]);
    given.length = count;
    // Parameters that take their steps together have the same numbers.
    if (!known) this.#compute();
    for (let i = 0; i < names.length; i++) state[names[i]] = this.#entriesAfter[i];
    return this.#numbers;
  }

  /** The numbers and entries for what {@linkcode Scalars.host} was given. */
  #compute(): void {
    const { advance, derive, afterUpdate } = this.#formula, count = this.#names.length;
    const all = this.#given.map((value) => new Real(value));
    const rate = all[count], rest = all.slice(count + 1);
    const now = advance(all.slice(0, count), rate, rest);
    this.#numbers = derive === undefined ? [] : derive(now, rate, rest).map(valueOf);
    this.#entriesAfter = (afterUpdate === undefined ? now : afterUpdate(now, rate, rest)).map(valueOf);
  }

  /**
   * The same on the device of `param`, with nothing read.
   *
   * @param foundInf where this is not 0, the entries stay
   */
  device(
    param: Tensor,
    state: ParamState,
    lr: number | Tensor,
    constants: readonly number[],
    foundInf: Tensor | null,
  ): readonly Tensor[] {
    const { device } = param, names = this.#names;
    for (const name of names) {
      if (state[name] instanceof Tensor) continue;
      const start = this.#formula.entries[name];
      const value = (state[name] as number | undefined) ?? (start === "lr" ? lr : start);
      state[name] = asTensors(() => {
        return value instanceof Tensor
          ? value.detach().to(device, float32).clone()
          : full([], value, { dtype: float32, device });
      });
    }
    const entries = names.map((name) => state[name] as Tensor);
    const read = foundInf === null ? entries : [...entries, foundInf], numbers = [lr, ...constants];
    this.#advance(read, numbers, entries);
    const { parts, all } = this.#made(param, state, constants);
    if (all !== null) this.#derive(entries, numbers, [all]);
    if (this.#formula.afterUpdate !== undefined) this.#afterUpdate(read, numbers, entries);
    return parts;
  }

  #made(
    param: Tensor,
    state: ParamState,
    constants: readonly number[],
  ): { readonly all: Tensor | null; readonly parts: readonly Tensor[] } {
    const { derive } = this.#formula;
    if (derive === undefined) return { all: null, parts: [] };
    let made = this.#derived.get(state);
    if (made === undefined) {
      const one = new Real(1);
      const count = derive(this.#names.map(() => one), one, constants.map(() => one)).length;
      made = outsideScopes(() =>
        withGrad(false, () => {
          const all = empty([count], { dtype: widestFloat(param), device: param.device });
          return { all, parts: Array.from({ length: count }, (_, i) => selectAt(all, 0, i, "select")) };
        })
      );
      this.#derived.set(state, made);
    }
    return made;
  }
}
