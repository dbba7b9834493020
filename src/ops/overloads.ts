/**
 * The methods whose result's type depends on their arguments, written out, since a derived type keeps one overload only.
 *
 * @module
 */

import type { Args } from "../base/args.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { RepeatInterleaveArgs } from "./join.ts";
import type { PlainUnique, UniqueArgs } from "./unique.ts";

/** The parameters of uniqueConsecutive. */
export type ConsecutiveArgs = Omit<UniqueArgs, "sorted">;

/** Methods with several signatures; see the functions of the same names. */
export interface OverloadedMethods {
  /** Where elements are not zero, one vector per dimension. */
  nonzero(options: { asTuple: true }): Promise<Tensor[]>;
  /** Where elements are not zero, as rows of coordinates. */
  nonzero(options?: { asTuple?: false }): Promise<Tensor>;
  /** Each element repeated in place. */
  repeatInterleave(repeats: number, options?: { dim?: number | null; outputSize?: number }): Tensor;
  /** Each element repeated in place. */
  repeatInterleave(repeats: number, dim?: number | null): Tensor;
  /** Each element repeated in place; a promise where the counts must be read. */
  repeatInterleave(...args: Args<RepeatInterleaveArgs, ["repeats", "dim"]>): Tensor | Promise<Tensor>;
  /** The distinct elements, sorted. */
  unique(options?: UniqueArgs & PlainUnique): Promise<Tensor>;
  /** The distinct elements, and what else is asked for. */
  unique(...args: Args<UniqueArgs, ["sorted", "returnInverse", "returnCounts", "dim"]>): Promise<Tensor | Tensor[]>;
  /** The elements with repetitions in a row removed. */
  uniqueConsecutive(options?: ConsecutiveArgs & PlainUnique): Promise<Tensor>;
  /** The elements with repetitions in a row removed, and what else is asked for. */
  uniqueConsecutive(
    ...args: Args<ConsecutiveArgs, ["returnInverse", "returnCounts", "dim"]>
  ): Promise<Tensor | Tensor[]>;
}
