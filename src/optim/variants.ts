/**
 * Fused updates that exist in several variants: one kernel per combination of flags.
 *
 * @module
 */

import type { Expr } from "../expr/expr.ts";
import { fused, type FusedUpdate } from "../ops/fused.ts";

/** Flags that choose a variant, such as whether there is weight decay. */
export type Flags = Readonly<Record<string, boolean>>;

/** Makes the expressions of one variant; see `fused`. */
export type VariantBuilder<F extends Flags> = (flags: F, tensors: Expr[], scalars: Expr[]) => Expr[];

/**
 * A family of fused updates.
 *
 * @param op its name, for messages
 * @param build the expressions of the outputs for given flags
 * @returns gives the update of a combination of flags, compiled once
 */
export function variants<F extends Flags>(op: string, build: VariantBuilder<F>): (flags: F) => FusedUpdate {
  const made = new Map<string, FusedUpdate>();
  return (flags) => {
    let key = "";
    for (const name in flags) key += flags[name] ? "1" : "0";
    let update = made.get(key);
    if (update === undefined) {
      // A copy: the caller may reuse its object.
      const own = { ...flags };
      made.set(key, update = fused(op, (tensors, scalars) => build(own, tensors, scalars)));
    }
    return update;
  };
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
