/**
 * Shapes, strides, broadcasting and dimension arguments: pure functions over arrays of integers.
 *
 * Strides count elements, not bytes. A broadcast dimension has stride 0, so kernels never copy to broadcast.
 *
 * @module
 */

import { checkIntegers } from "./checks.ts";
import { ArgumentError, describe, IndexError, ShapeError, show } from "./errors.ts";

/** The number of elements of a shape. */
export function numelOf(shape: readonly number[]): number {
  let n = 1;
  for (let i = 0; i < shape.length; i++) n *= shape[i];
  return n;
}

/**
 * The number of elements of an unchecked shape. Throws unless every size is a non-negative integer and the product of
 * the sizes (zeros left out, for the strides' sake) is exact.
 *
 * @throws {ArgumentError} if a size is no integer
 * @throws {ShapeError} if one is negative, or there are too many elements to count
 */
export function countElements(op: string, shape: readonly number[]): number {
  let step = 1, empty = false, whole = true;
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i];
    whole &&= Number.isInteger(size) && size >= 0;
    if (!whole) break;
    if (size === 0) empty = true;
    else step *= size;
  }
  // A product that is not exact stays above the largest exact one: all factors are at least 1.
  if (!whole || step > Number.MAX_SAFE_INTEGER) throw badSizes(op, shape);
  return empty ? 0 : step;
}

function badSizes(op: string, shape: readonly number[]): Error {
  if (!shape.every(Number.isInteger)) return new ArgumentError(`${op}(): a size must be an integer: ${show(shape)}`);
  if (shape.some((size) => size < 0)) return new ShapeError(`${op}(): sizes must not be negative: ${show(shape)}`);
  return new ShapeError(
    `${op}(): the size is too large to address: ${show(shape)} has more than ${Number.MAX_SAFE_INTEGER} elements`,
  );
}

/** Row-major strides of a shape; a size of 0 counts as 1, as in PyTorch. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(shape[i], 1);
  }
  return strides;
}

/** Whether elements lie in row-major order without gaps. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    // A tensor without elements has no gaps, whatever its strides.
    if (shape[i] !== 1 && strides[i] !== step) return shape.includes(0);
    step *= shape[i];
  }
  return true;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The shape that all `shapes` broadcast to. */
export function broadcastShapes(op: string, ...shapes: readonly (readonly number[])[]): number[] {
  let ndim = 0;
  for (const s of shapes) ndim = Math.max(ndim, s.length);
  const out = new Array<number>(ndim).fill(1);
  for (const s of shapes) {
    for (let i = 0; i < s.length; i++) {
      const at = ndim - s.length + i;
      if (s[i] === 1) continue;
      if (out[at] !== 1 && out[at] !== s[i]) {
        throw new ShapeError(
          `${op}(): shapes do not broadcast: ${shapes.map(show).join(" and ")} (${out[at]} != ${
            s[i]
          } at dimension ${at})`,
        );
      }
      out[at] = s[i];
    }
  }
  countElements(op, out);
  return out;
}

/** The index of a dimension that may be counted from the end; 0-d tensors accept 0 and -1. */
export function wrapDim(op: string, dim: number, ndim: number): number {
  const n = Math.max(ndim, 1);
  if (!Number.isInteger(dim)) {
    throw new ArgumentError(`${op}(): a dimension must be an integer: ${describe(dim)}`);
  }
  if (dim < -n || dim >= n) {
    throw new IndexError(`${op}(): dimension out of range: ${dim}; expected ${-n} to ${n - 1}`);
  }
  // Adding 0 turns -0, which no kernel takes as an integer, into 0.
  return dim < 0 ? dim + n : dim + 0;
}

/** The indices of a list of dimensions, checked for repeats; `null` or an empty list means all dimensions. */
export function wrapDims(op: string, dims: number | readonly number[] | null | undefined, ndim: number): number[] {
  if (dims === null || dims === undefined || (typeof dims !== "number" && dims.length === 0)) {
    return Array.from({ length: ndim }, (_, i) => i);
  }
  const given: unknown = typeof dims === "number" ? [dims] : dims;
  checkIntegers(op, "dim", given);
  const list = given.map((d) => wrapDim(op, d, ndim));
  for (let i = 1; i < list.length; i++) {
    if (list.indexOf(list[i]) < i) throw new ArgumentError(`${op}(): a dimension appears twice: ${show(list)}`);
  }
  return ndim === 0 ? [] : list;
}

/** Throws unless a list of sizes is a shape; see {@linkcode countElements}. */
export function checkSizes(op: string, shape: readonly number[]): void {
  if (!Array.isArray(shape)) {
    throw new ArgumentError(
      `${op}(): the size must be an array: ${describe(shape)}${typeof shape === "number" ? `; write [${shape}]` : ""}`,
    );
  }
  countElements(op, shape);
}

/** The shape of a reduction over `dims`. */
export function reducedShape(shape: readonly number[], dims: readonly number[], keepdim: boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < shape.length; i++) {
    if (!dims.includes(i)) out.push(shape[i]);
    else if (keepdim) out.push(1);
  }
  return out;
}

/** A shape with one `-1` filled in so that it holds `numel` elements. */
export function inferShape(op: string, shape: readonly number[], numel: number): number[] {
  checkIntegers(op, "the shape", shape);
  const out = shape.slice();
  const unknown = out.indexOf(-1);
  if (unknown >= 0 && unknown !== out.lastIndexOf(-1)) {
    throw new ShapeError(`${op}(): only one size can be inferred: ${show(shape)}`);
  }
  for (let d = 0; d < out.length; d++) if (out[d] < -1) throw new ShapeError(`${op}(): invalid size: ${show(shape)}`);
  if (unknown >= 0) {
    out[unknown] = 1;
    const rest = numelOf(out);
    if (rest === 0 || numel % rest !== 0) {
      throw new ShapeError(`${op}(): shape ${show(shape)} is invalid for ${numel} elements`);
    }
    out[unknown] = numel / rest;
  }
  if (numelOf(out) !== numel) {
    throw new ShapeError(`${op}(): shape ${show(shape)} is invalid for ${numel} elements`);
  }
  return out;
}

/**
 * Strides of a view with another shape of the same elements, or `null` where only a copy has that shape.
 *
 * The rule is PyTorch's: old dimensions are merged into contiguous chunks, and each chunk must split evenly into new
 * dimensions.
 */
export function viewStrides(
  shape: readonly number[],
  strides: readonly number[],
  target: readonly number[],
): number[] | null {
  if (numelOf(shape) === 0) return sameShape(shape, target) ? [...strides] : contiguousStrides(target);
  const out = new Array<number>(target.length);
  let view = target.length - 1;
  let chunkStride = shape.length > 0 ? strides[shape.length - 1] : 1;
  let chunk = 1;
  let covered = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    chunk *= shape[i];
    const last = i === 0 || (shape[i - 1] !== 1 && strides[i - 1] !== chunk * chunkStride);
    if (!last) continue;
    while (view >= 0 && (covered < chunk || target[view] === 1)) {
      out[view] = covered * chunkStride;
      covered *= target[view];
      view--;
    }
    if (covered !== chunk) return null;
    if (i > 0) {
      chunkStride = strides[i - 1];
      chunk = 1;
      covered = 1;
    }
  }
  for (; view >= 0; view--) out[view] = chunkStride * covered;
  return out;
}
