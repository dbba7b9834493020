/**
 * `scope` and `keep`: releasing the tensors that a function made and did not return.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { visitTensors } from "./search.ts";
import { runOwned } from "./storage.ts";

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
