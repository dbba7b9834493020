/**
 * What gradient scaling does on the device: finding what is not finite, adapting the scale. (`grads.ts` divides it out.)
 *
 * Nothing is read by the host. `foundInf` is a 0-d float32 tensor, 0 or 1, as in PyTorch.
 *
 * @module
 */

import { float32, float64, int32 } from "../../base/dtype.ts";
import { constant, input, type Kind, scalar, where } from "../../expr/expr.ts";
import { Program } from "../../expr/program.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { reduceEach } from "../core/each.ts";
import { fused } from "../core/fused.ts";
import { checkOperands } from "../core/kernel.ts";
import { narrow } from "../shape/shape.ts";

const counters = new Map<number, Program>();

/** Counts the elements that are infinite or NaN. */
function counter(grad: Tensor): Program {
  let program = counters.get(grad.dtype.code);
  if (program === undefined) {
    const expr = where(input(0, grad.dtype).isfinite(), constant(0, "f32"), 1);
    counters.set(grad.dtype.code, program = new Program([grad.dtype], [], [{ expr, dtype: float32 }]));
  }
  return program;
}

const sumOfCounts = new Program([float32], [], [{ expr: input(0, float32), dtype: float32 }]);
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
    reduceEach(counter(sorted[first]), "sum", groups, [], [narrow(counts, 0, first, end - first)]);
    first = end;
  }
  foundInf.storage.backend.reduce(sumOfCounts, "sum", counts.shape, [0], [counts], [], [total]);
  raise([foundInf, total], [], [foundInf]);
  counts.dispose();
  total.dispose();
}

const updates = new Map<Kind, Program>();

/** The program of {@linkcode updateScale}, after PyTorch's `_amp_update_scale_`; the product is rounded once. */
function updateProgram(kind: "f32" | "f64"): Program {
  let program = updates.get(kind);
  if (program === undefined) {
    const [scale, tracker, foundInf] = [input(0, float32), input(1, int32).to("f32"), input(2, float32)];
    const [growth, backoff] = [scalar(0, kind), scalar(1, kind)];
    const found = foundInf.gt(0);
    const successes = tracker.add(1);
    const due = successes.eq(scalar(2, "f32"));
    const grown = scale.to(kind).mul(growth).to("f32");
    const next = where(due.logicalAnd(grown.isfinite()), grown, scale);
    program = new Program([float32, int32, float32], [kind, kind, "f32"], [
      { expr: where(found, scale.to(kind).mul(backoff).to("f32"), next), dtype: float32 },
      { expr: where(found.logicalOr(due), 0, successes), dtype: int32 },
    ]);
    updates.set(kind, program);
  }
  return program;
}

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
  const program = updateProgram(backend.supports(float64) ? "f64" : "f32");
  backend.pointwise(program, [], [scale, tracker, foundInf], [growth, backoff, interval], [scale, tracker]);
  scale.storage.version++;
  tracker.storage.version++;
}
