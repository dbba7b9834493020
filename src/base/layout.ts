/**
 * Memory layouts: which order dimensions have in memory, and which one a result gets.
 *
 * Strides say everything; nothing else is stored. A *memory format* is one of two orders that have names: row-major, and
 * channels last, where dimension 1 is innermost. Results of elementwise ops are laid out as their operands are, by
 * PyTorch's rule (its `TensorIterator`): dimensions are sorted by the strides of the first operand that tells two apart.
 *
 * @module
 */

import { ArgumentError, describe, ShapeError, show } from "./errors.ts";
import { contiguousStrides, isContiguous } from "./shape.ts";

/** How elements are laid out: row-major, or channels innermost (`channels_last` for 4-d, `channels_last_3d` for 5-d). */
export type MemoryFormat = "contiguous_format" | "preserve_format" | "channels_last" | "channels_last_3d";

/** Row-major. */
export const contiguousFormat = "contiguous_format" as const;
/** As the input is laid out. */
export const preserveFormat = "preserve_format" as const;
/** Channels innermost, for images `[N, C, H, W]`: memory holds them as N, H, W, C. */
export const channelsLast = "channels_last" as const;
/** Channels innermost, for volumes `[N, C, D, H, W]`. */
export const channelsLast3d = "channels_last_3d" as const;

const FORMATS: ReadonlySet<unknown> = new Set([contiguousFormat, preserveFormat, channelsLast, channelsLast3d]);

/** What has a geometry. */
interface Geometry {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Strides of a dense tensor of 4 or 5 dimensions whose dimension 1 is innermost. */
export function channelsLastStrides(shape: readonly number[]): number[] {
  const [n, c, ...space] = shape;
  const [sn, ...rest] = contiguousStrides([n, ...space, c]);
  return [sn, rest[rest.length - 1], ...rest.slice(0, -1)];
}

/** Throws unless `format` is one, and `shape` has as many dimensions as it is for. */
export function checkFormat(op: string, shape: readonly number[], format: MemoryFormat): void {
  if (!FORMATS.has(format)) {
    throw new ArgumentError(`${op}(): unknown memoryFormat: ${describe(format)}; use channelsLast or contiguousFormat`);
  }
  const ndim = format === "channels_last" ? 4 : format === "channels_last_3d" ? 5 : shape.length;
  if (shape.length !== ndim) throw new ShapeError(`${op}(): ${format} needs ${ndim} dimensions: ${show(shape)}`);
}

/** Whether elements lie channels last without gaps; what the steps of sizes of 1 are does not matter. */
export function isChannelsLast({ shape, strides }: Geometry): boolean {
  const ndim = shape.length;
  if (ndim !== 4 && ndim !== 5) return false;
  const order = (x: readonly number[]) => [x[0], ...x.slice(2), x[1]];
  return isContiguous(order(shape), order(strides));
}

/**
 * Whether a tensor asks for channels last: by the order of its strides, gaps allowed. Where sizes of 1 leave both orders
 * open, the steps that they have decide, so that a 1x1 filter can be in either format.
 */
export function prefersChannelsLast({ shape, strides }: Geometry): boolean {
  const ndim = shape.length;
  if ((ndim !== 4 && ndim !== 5) || strides[1] === 0) return false;
  let least = 0;
  for (let i = 0; i < ndim; i++) {
    // From the innermost: the channels, the spatial dimensions backwards, the batch.
    const d = i === 0 ? 1 : i === ndim - 1 ? 0 : ndim - i;
    if (shape[d] === 0 || strides[d] < least || (d === 0 && least === strides[1])) return false;
    least = strides[d] * Math.max(shape[d], 1);
  }
  return true;
}

/** The step of an operand along dimension `d` of the iteration: 0 where it is broadcast. */
function stepAlong(x: Geometry, d: number, shape: readonly number[]): number {
  const own = d - (shape.length - x.shape.length);
  return own < 0 || (x.shape[own] === 1 && shape[d] !== 1) ? 0 : x.strides[own];
}

/** Which of two dimensions is outer in memory: positive if `a`, negative if `b`, 0 where operands do not say. */
function compareSteps(a: number, b: number, shape: readonly number[], operands: readonly Geometry[]): number {
  for (const x of operands) {
    const stepA = stepAlong(x, a, shape), stepB = stepAlong(x, b, shape);
    if (stepA === 0 || stepB === 0) continue;
    if (stepA !== stepB) return stepA - stepB;
    if (shape[a] > shape[b]) return 1;
  }
  return 0;
}

/** The dimensions of an iteration over `operands`, innermost first: an insertion sort, because not all pairs compare. */
function innermostFirst(shape: readonly number[], operands: readonly Geometry[]): number[] {
  const order = shape.map((_, d) => shape.length - 1 - d);
  for (let i = 1; i < order.length; i++) {
    let at = i;
    for (let j = i - 1; j >= 0; j--) {
      const comparison = compareSteps(order[j], order[at], shape, operands);
      if (comparison < 0) break;
      if (comparison === 0) continue;
      [order[j], order[at]] = [order[at], order[j]];
      at = j;
    }
  }
  return order;
}

/** Strides without gaps for the result of an elementwise op: the order of its operands' dimensions is kept. */
export function elementwiseStrides(shape: readonly number[], operands: readonly Geometry[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (const d of innermostFirst(shape, operands)) {
    strides[d] = step;
    step *= Math.max(shape[d], 1);
  }
  return strides;
}

/** Dimensions from outermost to innermost in memory; `null` where that is the order they have. */
export function memoryOrder(strides: readonly number[]): number[] | null {
  let sorted = true;
  for (let d = 1; d < strides.length && sorted; d++) sorted = strides[d] <= strides[d - 1];
  if (sorted) return null;
  return strides.map((_, d) => d).sort((a, b) => strides[b] - strides[a] || a - b);
}
