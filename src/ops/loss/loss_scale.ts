/**
 * What gradient scaling does on the device: finding what is not finite, adapting the scale. (`grads.ts` divides it out.)
 *
 * Nothing is read by the host. `foundInf` is a 0-d float32 tensor, 0 or 1, as in PyTorch.
 *
 * @module
 */

import { float32, float64 } from "../../base/dtype.ts";
import { constant, where } from "../../expr/expr.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { reduceEach } from "../core/each.ts";
import { formula } from "../core/formula.ts";
import { fused } from "../core/fused.ts";
import { checkOperands } from "../core/kernel.ts";
import { narrow } from "../shape/shape.ts";

/** 1 for an element that is infinite or NaN. */
const notFinite = formula(([x]) => where(x.isfinite(), constant(0, "f32"), 1));
const itself = formula(([x]) => x);
const raise = fused("unscale_", ([found, count]) => [where(count.gt(0), 1, found)]);

/**
 * Sets `foundInf` to 1 if an element of the gradients is infinite or NaN.
 *
 * @param grads real tensors on the device of `foundInf`
 */
export function findNonFinite(grads: readonly Tensor[], foundInf: Tensor): void {
  if (grads.length === 0) return;
  checkOperands("unscale_", [foundInf, ...grads]);
  const counts = emptyLikeDevice("unscale_", [grads.length], float32, foundInf);
  const total = emptyLikeDevice("unscale_", [], float32, foundInf);
  let first = 0;
  // A program per dtype, and the gradients of one in a row.
  const sorted = [...grads].sort((a, b) => a.dtype.code - b.dtype.code);
  for (let end = 1; end <= sorted.length; end++) {
    if (end < sorted.length && sorted[end].dtype === sorted[first].dtype) continue;
    const groups = sorted.slice(first, end).map((grad) => ({ inputs: [grad], outputs: [] }));
    reduceEach(notFinite.program([sorted[first]], 0, [counts]), "sum", groups, [], [
      narrow(counts, 0, first, end - first),
    ]);
    first = end;
  }
  foundInf.storage.backend.reduce(itself.program([counts], 0, [total]), "sum", counts.shape, [0], [counts], [], [
    total,
  ]);
  raise([foundInf, total], [], [foundInf]);
  counts.dispose();
  total.dispose();
}

/** The formula of {@linkcode updateScale}, after PyTorch's `_amp_update_scale_`; the product is rounded once. */
const updated = formula(([scale, tracker, foundInf], [growth, backoff, interval], _double: boolean) => {
  const { kind } = growth, found = foundInf.gt(0), successes = tracker.add(1);
  const due = successes.eq(interval);
  const grown = scale.to(kind).mul(growth).to("f32");
  const next = where(due.logicalAnd(grown.isfinite()), grown, scale);
  return [where(found, scale.to(kind).mul(backoff).to("f32"), next), where(found.logicalOr(due), 0, successes)];
});

/**
 * Adapts the scale: smaller after a step that was skipped, larger after `interval` steps in a row that were not.
 *
 * @param scale 0-d, float32
 * @param tracker 0-d, int32: steps since the last change
 * @param foundInf 0-d, float32: more than 0 if a step was skipped
 */
export function updateScale(
  scale: Tensor,
  tracker: Tensor,
  foundInf: Tensor,
  growth: number,
  backoff: number,
  interval: number,
): void {
  checkOperands("update", [scale, tracker, foundInf]);
  const { backend } = scale.storage;
  const kind = backend.supports(float64) ? "f64" : "f32";
  const program = updated.program([scale, tracker, foundInf], [kind, kind, "f32"], [scale, tracker], kind === "f64");
  backend.pointwise(program, [], [scale, tracker, foundInf], [growth, backoff, interval], [scale, tracker]);
  scale.storage.version++;
  tracker.storage.version++;
}
