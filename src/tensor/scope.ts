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
 */
export function visitTensors(value: unknown, visit: (storage: Storage) => void): void {
  // The usual result is one tensor, or nothing.
  if (value instanceof Tensor) return visit(value.storage);
  if (typeof value !== "object" || value === null) return;
  const seen = new Set<object>();
  // A list of what is left, because values may be nested deeper than calls.
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (next instanceof Tensor) {
      visit(next.storage);
      continue;
    }
    if (typeof next !== "object" || next === null || ArrayBuffer.isView(next) || seen.has(next)) continue;
    seen.add(next);
    if (Array.isArray(next) || next instanceof Set) { for (const v of next) left.push(v); }
    else if (next instanceof Map) { for (const [k, v] of next) left.push(k, v); }
    else for (const key of Object.keys(next)) left.push((next as Record<string, unknown>)[key]);
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
