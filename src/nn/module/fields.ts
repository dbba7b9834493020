/**
 * Deep copies of modules, as Python's `copy.deepcopy` makes them.
 *
 * Modules, tensors, arrays, maps, sets and plain objects are copied; everything else (functions, dtypes, an optimizer)
 * is shared. An object that occurs twice in the original occurs twice in the copy, too.
 *
 * @module
 */

import { isPlainObject } from "../../base/call.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Buffer, Parameter } from "./parameter.ts";

/** Returns a new, empty object for one that is to be copied field by field; `null` for one that is shared. */
export type Blank = (original: object) => object | null;

/**
 * A deep copy.
 *
 * @param value what to copy
 * @param blank makes the empty copy of a module
 * @param memo copies made so far
 */
export function deepCopy<T>(value: T, blank: Blank, memo: Map<object, unknown> = new Map()): T {
  if (typeof value !== "object" || value === null) return value;
  const known = memo.get(value);
  if (known !== undefined) return known as T;
  const remember = <C>(copy: C): C => {
    memo.set(value, copy);
    return copy;
  };
  if (value instanceof Tensor) return remember(copyTensor(value)) as T;
  if (Array.isArray(value)) {
    const copy = remember([] as unknown[]);
    for (const item of value) copy.push(deepCopy(item, blank, memo));
    return copy as T;
  }
  if (value instanceof Map) {
    const copy = remember(new Map());
    for (const [key, item] of value) copy.set(deepCopy(key, blank, memo), deepCopy(item, blank, memo));
    return copy as T;
  }
  if (value instanceof Set) {
    const copy = remember(new Set());
    for (const item of value) copy.add(deepCopy(item, blank, memo));
    return copy as T;
  }
  const empty = isPlainObject(value) ? {} : blank(value);
  if (empty === null) return value;
  const copy = remember(empty) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) copy[key] = deepCopy(item, blank, memo);
  return copy as T;
}

function copyTensor(x: Tensor): Tensor {
  const data = x.detach().clone();
  if (x instanceof Parameter) return new Parameter(data, x.requiresGrad);
  if (x instanceof Buffer) return new Buffer(data, { persistent: x.persistent });
  return x.requiresGrad && x.isLeaf ? data.requiresGrad_(true) : data;
}
