/**
 * Checks of arguments and of geometry that all ops share: integers, counts, lists, and the bounds of views.
 *
 * JavaScript has one number type and does not check arguments, so a fraction, NaN or a string reaches the code that
 * uses it. A kernel that is given such a size, stride or offset would access memory outside of the tensor. So every
 * number that becomes part of an address is checked here first.
 *
 * @module
 */

import { ArgumentError, describe, ShapeError, show } from "./errors.ts";

/** The largest number of results of one call: more is a mistake, and making them would take minutes and all memory. */
export const MOST_RESULTS = 2 ** 20;

/**
 * The largest number of values that one call may list on the host, such as the rows of `combinations`: more take
 * minutes and gigabytes.
 */
const MOST_LISTED = 2 ** 26;

/** Throws if a call would list more than {@linkcode MOST_LISTED} values on the host. */
export function checkListed(op: string, count: number): void {
  if (!(count <= MOST_LISTED)) {
    throw new ShapeError(`${op}(): the result would have ${count} elements; at most ${MOST_LISTED} are listed`);
  }
}

/** The largest number of layers that a module may stack. */
export const MOST_LAYERS = 2 ** 14;

/** How deep arrays of values may be nested, as in PyTorch. */
export const MOST_DIMS = 128;

/** Throws unless a value is a whole number. */
export function checkInteger(op: string, name: string, value: unknown): asserts value is number {
  if (!Number.isInteger(value)) throw new ArgumentError(`${op}(): ${name} must be an integer: ${describe(value)}`);
}

/** Throws unless a value is a whole number from `least` to `most`. */
export function checkCount(
  op: string,
  name: string,
  value: unknown,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (!Number.isInteger(value) || (value as number) < least) {
    throw new ArgumentError(`${op}(): ${name} must be an integer of at least ${least}: ${describe(value)}`);
  }
  if ((value as number) > most) {
    throw new ArgumentError(`${op}(): ${name} must be at most ${most}: ${describe(value)}`);
  }
}

/** Throws if a call would make more than {@linkcode MOST_RESULTS} results. */
export function checkResults(op: string, count: number): void {
  if (!(count <= MOST_RESULTS)) {
    throw new ShapeError(`${op}(): too many results: ${count}; at most ${MOST_RESULTS} are made by one call`);
  }
}

/** Throws unless a value is an array of whole numbers. */
export function checkIntegers(op: string, name: string, values: unknown): asserts values is readonly number[] {
  if (!areIntegers(values)) {
    throw new ArgumentError(`${op}(): ${name} must be an array of integers: ${show(values)}`);
  }
}

/** Whether a value is an array of whole numbers. A loop, because `every` passes over the holes of sparse arrays. */
export function areIntegers(values: unknown): values is readonly number[] {
  if (!Array.isArray(values)) return false;
  for (let i = 0; i < values.length; i++) if (!Number.isInteger(values[i])) return false;
  return true;
}

/**
 * Throws unless a geometry stays inside a storage: sizes, strides and offset are whole, none is negative, and the last
 * element is one of the `available` ones.
 *
 * @param available how many elements of the view's dtype the storage holds
 */
export function checkGeometry(
  op: string,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
  available: number,
): void {
  let empty = false, last = offset, whole = Number.isSafeInteger(offset) && offset >= 0;
  whole &&= strides.length === shape.length;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d], stride = strides[d];
    if (!Number.isSafeInteger(size) || size < 0 || !Number.isSafeInteger(stride) || stride < 0) whole = false;
    if (size === 0) empty = true;
    last += (size - 1) * stride;
  }
  if (!whole) {
    throw new ShapeError(
      `${op}(): sizes, strides and offset of a view must be integers and not negative, a stride per size: size ${
        show(shape)
      }, stride ${show(strides)}, offset ${describe(offset)}`,
    );
  }
  if (!empty && last >= available) {
    throw new ShapeError(
      `${op}(): the view reaches beyond the storage: size ${show(shape)}, stride ${
        show(strides)
      }, offset ${offset}, of ${Math.floor(available)} elements`,
    );
  }
}

/** Throws unless a value is text. */
export function checkText(op: string, name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new ArgumentError(`${op}(): ${name} must be a string: ${describe(value)}`);
}

/** Throws unless a value is a function. */
export function checkFunction(op: string, name: string, value: unknown): void {
  if (typeof value !== "function") throw new ArgumentError(`${op}(): ${name} must be a function: ${describe(value)}`);
}

/** Throws unless a value is an array. */
export function checkArray(op: string, name: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new ArgumentError(`${op}(): ${name} must be an array: ${describe(value)}`);
}

/**
 * Throws unless a value is iterable, synchronously or not: an array, a generator, a loader. Text and typed arrays are
 * refused.
 */
export function checkIterable(op: string, name: string, value: unknown): void {
  const gives = typeof value === "object" && value !== null && !ArrayBuffer.isView(value) &&
    (Symbol.iterator in value || Symbol.asyncIterator in value);
  if (!gives) throw new ArgumentError(`${op}(): ${name} must be an array or another iterable: ${describe(value)}`);
}

/** Throws unless a value is an instance of the class. */
export function checkInstance(
  op: string,
  name: string,
  value: unknown,
  // deno-lint-ignore no-explicit-any -- any class, abstract ones too
  type: abstract new (...args: any[]) => unknown,
): void {
  if (!(value instanceof type)) {
    throw new ArgumentError(`${op}(): ${name} must be of the class ${type.name}: ${describe(value)}`);
  }
}
