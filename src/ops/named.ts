/**
 * Several results under PyTorch's field names, which can also be destructured as an array.
 *
 * @module
 */

import type { Tensor } from "../tensor/tensor.ts";

/** Own fields, iterated in order. */
class NamedResult implements Iterable<Tensor> {
  *[Symbol.iterator](): Iterator<Tensor> {
    for (const value of Object.values(this)) yield value as Tensor;
  }
}

/** A result with the fields of `T`, iterable in their order. */
export type Named<T> = T & Iterable<Tensor>;

/** Values and where they were, as sort, topk, median, max and others return them. */
export type ValuesIndices = Named<{
  /** The values. */
  values: Tensor;
  /** Their positions (int64). */
  indices: Tensor;
}>;

/** Makes a result: `const { values } = x.sort()` and `const [values] = x.sort()` both work. */
export function named<T extends Record<string, Tensor>>(fields: T): Named<T> {
  return Object.assign(new NamedResult(), fields);
}
