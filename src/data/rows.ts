/**
 * Gathering rows of tensors: a batch is made with one kernel per tensor.
 *
 * @module
 */

import { tensor } from "../ops/create/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The rows of every tensor at `indices`, as new tensors. */
export function selectRows(tensors: readonly Tensor[], indices: readonly number[]): Tensor[] {
  const rows = BigInt64Array.from(indices, BigInt);
  using index = tensor(rows);
  return tensors.map((t) => t.indexSelect(0, t.device === index.device ? index : index.to(t.device)));
}
