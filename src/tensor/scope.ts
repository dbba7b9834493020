/**
 * `scope` and `keep`: releasing the tensors that a function made and did not return. Also the search for tensors in
 * values.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { runOwned, type Storage } from "./storage.ts";
import { Tensor } from "./tensor.ts";

/**
 * Calls `visit` with the storage of every tensor reachable from `value` through arrays, maps, sets and objects.
 *
 * @param seen objects already visited; shared between calls to visit each once
 */
export function visitTensors(value: unknown, visit: (storage: Storage) => void, seen: Set<object> = new Set()): void {
  if (value instanceof Tensor) {
    visit(value.storage);
    return;
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value) || value instanceof Set) {
    for (const v of value) visitTensors(v, visit, seen);
  } else if (value instanceof Map) {
    for (const [k, v] of value) {
      visitTensors(k, visit, seen);
      visitTensors(v, visit, seen);
    }
  } else {
    for (const key of Object.keys(value)) visitTensors((value as Record<string, unknown>)[key], visit, seen);
  }
}

const scopeArgs = call("scope", NoArgs);
const keepArgs = call("keep", NoArgs);

/**
 * Runs `fn` and releases every tensor made inside that is neither in its result nor saved for backward.
 *
 * @param fn the body; its result may hold tensors in arrays, maps and objects
 */
export function scope<R>(fn: () => R, ...args: Args<typeof NoArgs>): R {
  if (args.length > 0) scopeArgs(args);
  checkFunction("scope", "fn", fn);
  return runOwned(fn, visitTensors);
}

/** Exempts tensors from the scopes they were made in; the garbage collector frees them. Returns its argument. */
export function keep<T>(value: T, ...args: Args<typeof NoArgs>): T {
  if (args.length > 0) keepArgs(args);
  visitTensors(value, (storage) => storage.keep());
  return value;
}
