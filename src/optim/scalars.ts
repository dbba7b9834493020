/**
 * The derived numbers of an optimizer's update: those that depend on the step count or the learning rate, computed on
 * the host or on the device.
 *
 * A formula is written once. With plain numbers it is evaluated on the host. It is compiled to kernels where the
 * learning rate is a tensor on a device, the optimizer is `capturable`, or a `GradScaler` decides on the device whether
 * the step counts. Then the state's entries (`step`, …) are 0-d tensors and the derived numbers are operands of the
 * update, so that nothing is read and a recorded CUDA graph counts its replays.
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

/** An operand of a formula: a number on the host ({@linkcode Real}) or an expression of a kernel. */
export interface Num {
  /** The sum. */
  add(other: Num | number): Num;
  /** The difference. */
  sub(other: Num | number): Num;
  /** The product. */
  mul(other: Num | number): Num;
  /** The quotient. */
  div(other: Num | number): Num;
  /** The larger one of the two. */
  max(other: Num | number): Num;
  /** The reciprocal: 1 divided by the number. */
  reciprocal(): Num;
  /** The square root. */
  sqrt(): Num;
  /** The exponential function. */
  exp(): Num;
  /** The exponential function minus 1, exact near 0. */
  expm1(): Num;
  /** The natural logarithm. */
  log(): Num;
}

function valueOf(x: Num | number): number {
  return typeof x === "number" ? x : (x as Real).value;
}

/** A number on the host. */
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

/** 1 where `x` is greater than `limit`, else 0. */
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

/** The bias correction `1 - beta^step`, given `log(beta)`: exact also in float32, where the power would round to 1. */
export function correction(step: Num, logBeta: Num): Num {
  return step.mul(logBeta).expm1().mul(-1);
}

/** The formula of the derived numbers; see the module's description. */
export interface ScalarFormula {
  /** The entries of a parameter's state that are numbers, with their initial values. */
  readonly entries: Readonly<Record<string, number | "lr">>;
  /** The entries of this step, from those of the previous one. */
  readonly advance: (entries: Num[], lr: Num, constants: Num[]) => Num[];
  /** The derived numbers, from the entries of this step. */
  readonly derive?: (entries: Num[], lr: Num, constants: Num[]) => Num[];
  /** The entries after the update, if they change once more. */
  readonly afterUpdate?: (entries: Num[], lr: Num, constants: Num[]) => Num[];
}

/** The formula of optimizers that only count their steps. */
export const COUNT: ScalarFormula = { entries: { step: 0 }, advance: ([step]) => [step.add(1)] };

/** The order of the kernels of one optimizer step; see `batched`. */
export const enum Stage {
  Advance,
  Derive,
  Update,
  AfterUpdate,
}

/** The derived numbers of a parameter on its device: one vector, and each element as a view. */
interface Derived {
  readonly all: Tensor;
  readonly parts: readonly Tensor[];
}

function asTensors(make: () => Tensor): Tensor {
  return outsideScopes(() => withGrad(false, make));
}

/** A prepared formula, for the host and for devices. */
export class Scalars {
  readonly #formula: ScalarFormula;
  readonly #names: readonly string[];
  readonly #advance: FusedUpdate;
  readonly #derive: FusedUpdate;
  readonly #afterUpdate: FusedUpdate;
  readonly #derived = new WeakMap<ParamState, Derived>();
  /**
   * The inputs of the latest computation (entries, learning rate, constants); its results are in the next two fields.
   */
  readonly #given: number[] = [];
  #numbers: readonly number[] = [];
  #entriesAfter: readonly number[] = [];

  /** Prepares a formula. */
  constructor(op: string, formula: ScalarFormula) {
    this.#formula = formula;
    this.#names = Object.keys(formula.entries);
    const count = this.#names.length;
    const compute = (f: NonNullable<ScalarFormula["derive"]>, tensors: Expr[], [lr, ...constants]: Expr[]): Expr[] => {
      const [entries, rate, rest] = [tensors.slice(0, count), lr, constants] as unknown as [Num[], Num, Num[]];
      return f(entries, rate, rest) as unknown as Expr[];
    };
    // A skipped step leaves the entries unchanged.
    const stepping = (f: NonNullable<ScalarFormula["derive"]>) => (tensors: Expr[], scalars: Expr[]): Expr[] => {
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

  /** Whether the entries are tensors on the device already. */
  onDevice(state: ParamState): boolean {
    return state[this.#names[0]] instanceof Tensor;
  }

  /** Advances the entries of a state on the host and returns the derived numbers. */
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
    // Parameters at the same step have the same numbers, so these are computed once.
    if (!known) this.#compute();
    for (let i = 0; i < names.length; i++) state[names[i]] = this.#entriesAfter[i];
    return this.#numbers;
  }

  /** Computes the derived numbers and the new entries from the stored inputs. */
  #compute(): void {
    const { advance, derive, afterUpdate } = this.#formula, count = this.#names.length;
    const all = this.#given.map((value) => new Real(value));
    const rate = all[count], rest = all.slice(count + 1);
    const now = advance(all.slice(0, count), rate, rest);
    this.#numbers = derive === undefined ? [] : derive(now, rate, rest).map(valueOf);
    this.#entriesAfter = (afterUpdate === undefined ? now : afterUpdate(now, rate, rest)).map(valueOf);
  }

  /**
   * Advances the entries on the device of `param` and returns the derived numbers as 0-d tensors; nothing is read.
   *
   * @param foundInf where this is not 0, the entries do not change
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
