/**
 * Pointwise updates that exist in several variants: one kernel per combination of flags.
 *
 * A formula is the update of one optimizer. The parts that all optimizers share are added here: the direction, weight
 * decay, and the division by a `GradScaler`'s scale with its skipped steps.
 *
 * @module
 */

import { type Expr, where } from "../expr/expr.ts";
import { fused, type FusedUpdate } from "../ops/core/fused.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Stage } from "./scalars.ts";

/** Flags that choose a variant, such as whether there is momentum. */
export type Flags = Readonly<Record<string, boolean>>;

/**
 * The operands of a formula.
 *
 * @internal
 */
export interface UpdateOperands<F extends Flags> {
  /** The parameter, with decoupled decay applied. */
  readonly param: Expr;
  /** The gradient to descend along, with coupled decay applied. */
  readonly grad: Expr;
  /** The tensors of the state. */
  readonly state: readonly Expr[];
  /** The numbers of the update. */
  readonly scalars: readonly Expr[];
  /** The variant. */
  readonly flags: F;
}

/**
 * A formula: returns the expressions of the new parameter and of the new state's tensors.
 *
 * @internal
 */
export type UpdateFormula<F extends Flags> = (operands: UpdateOperands<F>) => readonly Expr[];

/**
 * The kind of weight decay: none, coupled (an L2 penalty, through the gradient), or decoupled (the weights are shrunk).
 */
export type Decay = "none" | "coupled" | "decoupled";

/**
 * What a `GradScaler` passes to updates: the scale to divide gradients by, and whether to change nothing, because one
 * of them was not finite.
 */
export interface Scaling {
  /** The scale that gradients are divided by. */
  readonly gradScale: Tensor | null;
  /** Not 0 where the step is skipped. */
  readonly foundInf: Tensor | null;
}

let scaling: Scaling | null = null;

/** Runs `fn`; the updates in it apply a scaling. */
export function withScaling<R>(next: Scaling | null, fn: () => R): R {
  const before = scaling;
  scaling = next;
  try {
    return fn();
  } finally {
    scaling = before;
  }
}

/** The scaling that updates apply now. */
export function currentScaling(): Scaling | null {
  return scaling;
}

/**
 * Compiles an update with and without scaling. Its second tensor is the gradient; its outputs replace the other tensors
 * in order.
 */
function scalable(op: string, build: (tensors: Expr[], scalars: Expr[]) => Expr[]): FusedUpdate {
  const plain = fused(op, build, Stage.Update);
  const scaled = [false, true].map((divides) =>
    [false, true].map((skips) =>
      fused(op, (tensors, scalars) => {
        const numbers = [...scalars], given = [...tensors];
        const found = skips ? numbers.pop()! : null;
        if (divides) given[1] = given[1].div(numbers.pop()!);
        const old = [tensors[0], ...tensors.slice(2)];
        const next = build(given, numbers);
        return found === null ? next : next.map((value, k) => where(found.ne(0), old[k], value));
      }, Stage.Update)
    )
  );
  return (tensors, scalars, outputs) => {
    if (scaling === null) return plain(tensors, scalars, outputs);
    const { gradScale, foundInf } = scaling;
    const extra = [gradScale, foundInf].filter((x) => x !== null);
    scaled[Number(gradScale !== null)][Number(foundInf !== null)](tensors, [...scalars, ...extra], outputs);
  };
}

/** The updates of one formula, one per variant, each compiled when first used. */
export class Variants<F extends Flags> {
  readonly #op: string;
  readonly #formula: UpdateFormula<F>;
  readonly #made = new Map<string, FusedUpdate>();
  /** The variant used last, which usually is the next one too. */
  #last: { decay: Decay; maximize: boolean; flags: F; update: FusedUpdate } | null = null;

  /** Takes the name of the op, for messages, and the formula. */
  constructor(op: string, formula: UpdateFormula<F>) {
    this.#op = op;
    this.#formula = formula;
  }

  /** The update of a variant, of parameter, gradient and state; with decoupled decay its last scalar is the factor. */
  get(decay: Decay, maximize: boolean, flags: F): FusedUpdate {
    const last = this.#last;
    if (last !== null && last.decay === decay && last.maximize === maximize && sameFlags(last.flags, flags)) {
      return last.update;
    }
    let key = `${decay} ${maximize}`;
    for (const name in flags) key += flags[name] ? "1" : "0";
    let update = this.#made.get(key);
    if (update === undefined) this.#made.set(key, update = this.#make(decay, maximize, { ...flags }));
    this.#last = { decay, maximize, flags: { ...flags }, update };
    return update;
  }

  #make(decay: Decay, maximize: boolean, flags: F): FusedUpdate {
    return scalable(this.#op, ([weight, rawGrad, ...state], numbers) => {
      const scalars = [...numbers], factor = decay === "none" ? null : scalars.pop()!;
      const signed = maximize ? rawGrad.neg() : rawGrad;
      const grad = decay === "coupled" ? signed.add(weight.mul(factor!)) : signed;
      // With decoupled decay the factor is 1 - lr · weightDecay.
      const param = decay === "decoupled" ? weight.mul(factor!) : weight;
      return [...this.#formula({ param, grad, state, scalars, flags })];
    });
  }
}

function sameFlags(a: Flags, b: Flags): boolean {
  for (const name in a) if (a[name] !== b[name]) return false;
  return true;
}

/** Linear interpolation from `a` to `b` by `weight`: `a + weight · (b - a)`. */
export function lerp(a: Expr, b: Expr, weight: Expr): Expr {
  return a.add(b.sub(a).mul(weight));
}
