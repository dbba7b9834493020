/**
 * Index results that ties leave open: an unstable sort may order equal elements as it likes, so `sort`, `topk` and their kin
 * agree with PyTorch when their indices select equal values (and, where they order a whole dimension, select each
 * element once).
 *
 * @module
 */

import { widen } from "../support/close.ts";
import type { Comparison } from "./compare.ts";
import type { Golden, Json } from "./golden.ts";
import { count, isTensorNode, type TensorLike, type TensorNode } from "./values.ts";

/** Ops with that freedom: the position of `dim` among the arguments, and whether indices must be distinct. */
const TIED: Record<string, { dim: number; distinct: boolean }> = {
  sort: { dim: 1, distinct: true },
  argsort: { dim: 1, distinct: true },
  topk: { dim: 2, distinct: true },
  kthvalue: { dim: 2, distinct: false },
  median: { dim: 1, distinct: false },
  nanmedian: { dim: 1, distinct: false },
  mode: { dim: 1, distinct: false },
  msort: { dim: 1, distinct: true },
};

/** The parts of a sample that matter here. */
interface TiedSample {
  args: Json;
  kwargs: Json;
}

/** Whether ties leave the indices of this call open. */
export function tiesAllowed(name: string, sample: TiedSample): boolean {
  const stable = (sample.kwargs as { stable?: boolean }).stable === true;
  return name in TIED && !stable;
}

/** A tensor seen along one dimension. */
interface Along {
  /** Elements along the dimension. */
  size: number;
  /** Distance of neighbours along it, in a row-major array. */
  step: number;
}

function along(shape: readonly number[], dim: number): Along {
  return { size: shape[dim] ?? 1, step: count(shape.slice(dim + 1)) };
}

/** The flat position of the first element of the line number `line` along a dimension. */
function lineStart(line: number, { size, step }: Along): number {
  return Math.floor(line / step) * size * step + line % step;
}

/**
 * Compares indices by what they select; `null` where they agree.
 *
 * @param actual the library's index tensor
 * @param expected PyTorch's
 */
export async function tiedDifference(
  name: string,
  sample: TiedSample,
  actual: TensorLike,
  expected: TensorNode,
  golden: Golden,
): Promise<string | null> {
  const { dim: position, distinct } = TIED[name];
  const args = sample.args as Json[];
  const input = args[0];
  if (input === null || !isTensorNode(input)) return "the input is not a tensor";
  const given = (sample.kwargs as { dim?: number }).dim ?? args[position] ?? -1;
  const dim = typeof given === "number" ? (given + input.shape.length) % Math.max(1, input.shape.length) : 0;
  const values = widen(golden.raw(input.$t), input.dtype);
  const [ours, theirs] = [await actual.read(), golden.raw(expected.$t)];
  const source = along(input.shape, dim);
  // A reduced dimension counts as one element, whether it was kept or not.
  const reduced = expected.shape.length < input.shape.length;
  const target = reduced ? { size: 1, step: source.step } : along(expected.shape, dim);
  const lines = ours.length / Math.max(1, target.size);
  for (let line = 0; line < lines; line++) {
    const [from, to] = [lineStart(line, source), lineStart(line, target)];
    const seen = new Set<number>();
    for (let k = 0; k < target.size; k++) {
      const [a, b] = [Number(ours[to + k * target.step]), Number(theirs[to + k * target.step])];
      if (!(a >= 0 && a < source.size)) return `index ${a} is outside the dimension of size ${source.size}`;
      if (distinct && seen.has(a)) return `index ${a} comes twice in one line`;
      seen.add(a);
      const [x, y] = [values[from + a * source.step], values[from + b * source.step]];
      if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) {
        return `index ${a} selects ${x}, PyTorch's ${b} selects ${y}`;
      }
    }
  }
  return null;
}

/** How index results are compared where ties leave them open; `sort` of integers has its values as int64, too. */
export function indexCheck(
  name: string,
  sample: TiedSample & { out: Json },
  golden: Golden,
): Comparison["indices"] {
  if (!tiesAllowed(name, sample)) return undefined;
  const indices = sample.out !== null && typeof sample.out === "object" && "$named" in sample.out
    ? (sample.out.v as Json[])[1]
    : sample.out;
  return (actual, node, difference) =>
    (node as unknown) === indices ? tiedDifference(name, sample, actual, node, golden) : Promise.resolve(difference);
}
