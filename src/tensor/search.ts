/**
 * The search for tensors in values: through arrays, maps, sets and the fields of objects.
 *
 * A call looks for its tensors in all that it may have stored them in, so a search must cost nothing for plain data,
 * such as a vocabulary in a field: a large container of numbers and texts is looked through once. What JavaScript
 * shows to nobody, `#private` fields above all, cannot be searched; the search says where that is so.
 *
 * @module
 */

import type { Search } from "./storage.ts";
import { Tensor } from "./tensor.ts";

/** Containers of more values than this are remembered where they hold plain data only. */
const LARGE = 64;

/** Large containers of plain data, with the number of values that they held. */
const plain = new WeakMap<object, number>();

/** Calls `visit` with the storage of every tensor that can be reached; returns whether some object hides its fields. */
export const visitTensors: Search = (values, visit) => {
  // The usual result is one tensor, or nothing.
  if (values instanceof Tensor) {
    visit(values.storage);
    return false;
  }
  if (typeof values !== "object" || values === null) return false;
  let hidden = false;
  const seen = new Set<object>();
  // A list of what is left, because values may be nested deeper than calls.
  const left: object[] = [values];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (next instanceof Tensor) {
      visit(next.storage);
      continue;
    }
    if (seen.has(next) || plain.get(next) === sizeOf(next)) continue;
    seen.add(next);
    hidden ||= hidesFields(next);
    const all = valuesIn(next);
    if (all.length > LARGE && all.every(isData)) plain.set(next, sizeOf(next));
    else {
      for (const value of all) {
        if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) left.push(value);
      }
    }
  }
  return hidden;
};

/** The values in an object that can be seen. */
function valuesIn(object: object): readonly unknown[] {
  if (Array.isArray(object)) return object;
  if (object instanceof Set) return [...object];
  if (object instanceof Map) return [...object.keys(), ...object.values()];
  return Object.values(object);
}

/** The number of values in a container, as far as it can be told without counting. */
function sizeOf(object: object): number {
  if (Array.isArray(object)) return object.length;
  return object instanceof Map || object instanceof Set ? object.size : 0;
}

/** Whether a value is a number, text or truth value, or a short list of such. */
function isData(value: unknown): boolean {
  return Array.isArray(value) ? value.length <= 8 && value.every(isPrimitive) : isPrimitive(value);
}

function isPrimitive(value: unknown): boolean {
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" || type === "bigint";
}

/** Whether the objects of each class hide what they hold. */
const hiding = new WeakMap<object, boolean>();

/** A private field in the text of a class: its declaration, which private methods have not. */
const PRIVATE_FIELD = /(?:^|[{};\s])#[\w$]+(?:[ \t]*\n|\s*[;}]|\s*=(?![=>]))|\baccessor\s+[\w#$[]/m;

/** Whether an object may hold tensors that no search can see. */
function hidesFields(object: object): boolean {
  const prototype = Object.getPrototypeOf(object);
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) return false;
  let known = hiding.get(prototype);
  if (known === undefined) hiding.set(prototype, known = classHides(prototype));
  return known;
}

function classHides(prototype: object): boolean {
  if (prototype === WeakMap.prototype || prototype === WeakRef.prototype) return true;
  for (let p = prototype; p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    if (typeof p.constructor === "function" && PRIVATE_FIELD.test(Function.prototype.toString.call(p.constructor))) {
      return true;
    }
  }
  return false;
}
