/**
 * The reverse of broadcasting: sums over what was repeated.
 *
 * A file of its own, because views (`view_core.ts`) and conversions (`convert.ts`), of which one needs the other, both
 * have gradients that are such sums.
 *
 * @module
 */

import { sameShape } from "../../base/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** `x` summed down to `shape`, which broadcasts to its shape: the gradient of an expansion. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const dims: number[] = [];
  for (let d = 0; d < x.shape.length; d++) {
    if (d < lead || (shape[d - lead] === 1 && x.shape[d] !== 1)) dims.push(d);
  }
  const summed = dims.length > 0 ? x.sum(dims, true) : x;
  return lead === 0 ? summed : summed.reshape(shape);
}
