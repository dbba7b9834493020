/**
 * Several results at once, as PyTorch's named tuples: an array whose elements also have names.
 *
 * @module
 */

import type { Tensor } from "../../tensor/tensor.ts";

/** Tensors in order and by name: `const [values, indices] = x.sort()`, `x.sort()[0]` and `x.sort().values` all work. */
export type NamedTuple<K extends readonly string[]> =
  & { readonly [I in keyof K]: Tensor }
  & { readonly [P in K[number]]: Tensor };

/** Values and where they were (int64), as sort, topk, median, max and others return them. */
export type ValuesIndices = NamedTuple<["values", "indices"]>;

/** Makes a result; the order of the fields is that of the tuple. */
export function named<K extends readonly string[]>(fields: { readonly [P in K[number]]: Tensor }): NamedTuple<K> {
  const tuple = Object.values(fields);
  // The names are not listed, so that who walks the result meets each tensor once.
  for (const [name, value] of Object.entries(fields)) Object.defineProperty(tuple, name, { value });
  return tuple as unknown as NamedTuple<K>;
}

/** Values and indices as a result. */
export function valuesIndices(values: Tensor, indices: Tensor): ValuesIndices {
  return named<["values", "indices"]>({ values, indices });
}
