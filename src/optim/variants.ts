/**
 * Fused updates that exist in several variants: one kernel per combination of flags.
 *
 * @module
 */

import { type Expr, where } from "../expr/expr.ts";
import { fused, type FusedUpdate } from "../ops/fused.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Stage } from "./scalars.ts";

/** Flags that choose a variant, such as whether there is weight decay. */
export type Flags = Readonly<Record<string, boolean>>;

/** Makes the expressions of one variant; see `fused`. */
export type VariantBuilder<F extends Flags> = (flags: F, tensors: Expr[], scalars: Expr[]) => Expr[];

/** What a `GradScaler` lets updates do: divide the gradients, and change nothing where one of them was not finite. */
export interface Scaling {
  /** The divisor. */
  readonly gradScale: Tensor | null;
  /** Not 0 where the step does not count. */
  readonly foundInf: Tensor | null;
}

let scaling: Scaling | null = null;

/** Runs `fn` with updates that heed a scaling. */
export function withScaling<R>(next: Scaling | null, fn: () => R): R {
  const before = scaling;
  scaling = next;
  try {
    return fn();
  } finally {
    scaling = before;
  }
}

/** The scaling that updates heed now. */
export function currentScaling(): Scaling | null {
  return scaling;
}

/** An update that heeds the scaling; its second tensor is the gradient, its outputs replace the others in order. */
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

/**
 * A family of fused updates.
 *
 * @param op its name, for messages
 * @param build the expressions of the outputs for given flags
 * @returns gives the update of a combination of flags, compiled once
 */
export function variants<F extends Flags>(op: string, build: VariantBuilder<F>): (flags: F) => FusedUpdate {
  const made = new Map<string, FusedUpdate>();
  let last: F | null = null, lastUpdate: FusedUpdate | null = null;
  return (flags) => {
    if (last !== null && sameFlags(last, flags)) return lastUpdate!;
    let key = "";
    for (const name in flags) key += flags[name] ? "1" : "0";
    let update = made.get(key);
    if (update === undefined) {
      // A copy: the caller may reuse its object.
      const own = { ...flags };
      made.set(key, update = scalable(op, (tensors, scalars) => build(own, tensors, scalars)));
    }
    last = { ...flags };
    return lastUpdate = update;
  };
}

function sameFlags(a: Flags, b: Flags): boolean {
  for (const name in a) if (a[name] !== b[name]) return false;
  return true;
}

/** The gradient that an update starts from: negated for ascent, with the decay of the weights added. */
export function effectiveGrad(grad: Expr, param: Expr, decay: Expr | null, maximize: boolean): Expr {
  const signed = maximize ? grad.neg() : grad;
  return decay === null ? signed : signed.add(param.mul(decay));
}

/** `a` moved towards `b` by a share of `weight`. */
export function lerp(a: Expr, b: Expr, weight: Expr): Expr {
  return a.add(b.sub(a).mul(weight));
}
