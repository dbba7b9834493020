/**
 * Slices of a dimension read and written at a vector of positions, with their gradients: what indexing is made of.
 *
 * @module
 */

import { record } from "../../autograd/record.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { rawIndexPut, rawIndexSelect } from "./index_core.ts";
import { expandTo } from "../core/view_core.ts";

/** Slices along `d` (checked), with their gradient. */
export function selectSlices(op: string, x: Tensor, d: number, index: Tensor, wrap: boolean): Tensor {
  const { shape } = x;
  return record("IndexSelectBackward0", rawIndexSelect(op, x, d, index, wrap), [x], [index], (grad, [at]) => [
    putSlices("indexAdd", grad.newZeros(shape), d, at, grad, true, wrap),
  ]);
}

/** A copy of `x` with slices written or added, and its gradient. */
export function putSlices(
  op: string,
  x: Tensor,
  d: number,
  index: Tensor,
  src: Tensor,
  add: boolean,
  wrap: boolean,
): Tensor {
  const out = x.clone().detach();
  rawIndexPut(op, out, d, index, src, add ? "sum" : "set", wrap);
  const { shape } = src;
  return record(`${op[0].toUpperCase()}${op.slice(1)}Backward0`, out, [x, src], [index], (grad, [at], needs) => [
    !needs[0] ? null : add ? grad : putSlices(op, grad, d, at, expandTo(grad.newZeros([]), shape), false, wrap),
    needs[1] ? selectSlices(op, grad, d, at, wrap) : null,
  ]);
}
