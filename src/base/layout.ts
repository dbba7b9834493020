/**
 * Memory layouts: the order of dimensions in memory, and the rule by which a result gets one.
 *
 * The layout of a tensor is given by its strides alone. A *memory format* is one of two orders with names: row-major,
 * and channels last, where dimension 1 is innermost. Results of elementwise ops are laid out as their operands are, by
 * PyTorch's rule (its `TensorIterator`): dimensions are sorted by the strides of the first operand that tells two
 * apart.
 *
 * @module
 */

import { ArgumentError, describe, ShapeError, show } from "./errors.ts";
import { contiguousStrides, isContiguous } from "./shape.ts";

/**
 * A memory format: row-major, as the input, or channels innermost (`channels_last` for 4-d, `channels_last_3d` for
 * 5-d).
 */
export type MemoryFormat = "contiguous_format" | "preserve_format" | "channels_last" | "channels_last_3d";

/** Row-major order: the last dimension is innermost. */
export const contiguousFormat = "contiguous_format" as const;
/** The memory order of the input. */
export const preserveFormat = "preserve_format" as const;
/** Channels innermost, for images `[N, C, H, W]`: memory holds them as N, H, W, C. */
export const channelsLast = "channels_last" as const;
/** Channels innermost, for volumes `[N, C, D, H, W]`. */
export const channelsLast3d = "channels_last_3d" as const;

const FORMATS: ReadonlySet<unknown> = new Set([contiguousFormat, preserveFormat, channelsLast, channelsLast3d]);

/** Shape and strides of a tensor. */
interface Geometry {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The strides of a tensor of 4 or 5 dimensions in channels-last order without gaps. */
export function channelsLastStrides(shape: readonly number[]): number[] {
  const [n, c, ...space] = shape;
  const [sn, ...rest] = contiguousStrides([n, ...space, c]);
  return [sn, rest[rest.length - 1], ...rest.slice(0, -1)];
}

/** Throws unless `format` is a memory format and `shape` has the number of dimensions that it needs. */
export function checkFormat(op: string, shape: readonly number[], format: MemoryFormat): void {
  if (!FORMATS.has(format)) {
    throw new ArgumentError(`${op}(): unknown memoryFormat: ${describe(format)}; use channelsLast or contiguousFormat`);
  }
  const ndim = format === "channels_last" ? 4 : format === "channels_last_3d" ? 5 : shape.length;
  if (shape.length !== ndim) throw new ShapeError(`${op}(): ${format} needs ${ndim} dimensions: ${show(shape)}`);
}

/** Whether elements lie in channels-last order without gaps; the strides of dimensions of size 1 do not matter. */
export function isChannelsLast({ shape, strides }: Geometry): boolean {
  const ndim = shape.length;
  if (ndim !== 4 && ndim !== 5) return false;
  const order = (x: readonly number[]) => [x[0], ...x.slice(2), x[1]];
  return isContiguous(order(shape), order(strides));
}

/**
 * Whether results computed from a tensor should be channels last: whether its strides have that order, gaps allowed.
 * Where sizes of 1 allow both orders, the strides of these dimensions decide, so that a 1x1 filter can be in either
 * format.
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

/** The stride of an operand along dimension `d` of the iteration: 0 where the operand is broadcast. */
function stepAlong(x: Geometry, d: number, shape: readonly number[]): number {
  const own = d - (shape.length - x.shape.length);
  return own < 0 || (x.shape[own] === 1 && shape[d] !== 1) ? 0 : x.strides[own];
}

/**
 * Compares two dimensions: positive if `a` is the outer one in memory, negative if `b` is, 0 where no operand tells.
 */
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

/** The strides of an elementwise op's result: without gaps, with the dimensions in the operands' memory order. */
export function elementwiseStrides(shape: readonly number[], operands: readonly Geometry[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (const d of innermostFirst(shape, operands)) {
    strides[d] = step;
    step *= Math.max(shape[d], 1);
  }
  return strides;
}

/** The dimensions from outermost to innermost in memory; `null` where that is their order already. */
export function memoryOrder(strides: readonly number[]): number[] | null {
  let sorted = true;
  for (let d = 1; d < strides.length && sorted; d++) sorted = strides[d] <= strides[d - 1];
  if (sorted) return null;
  return strides.map((_, d) => d).sort((a, b) => strides[b] - strides[a] || a - b);
}
