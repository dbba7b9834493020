/**
 * Settings that last for a while: what `noGrad(() => …)` and `using _ = noGrad()` have in common.
 *
 * @module
 */

import { checkFunction } from "./checks.ts";

/**
 * A change that lasts while `fn` runs (until its promise settles, if it gives one), or until the result is disposed.
 *
 * @param op the public function, for the error where `fn` is none
 * @param restore undoes the change, which the caller has made
 */
export function during<R>(op: string, restore: () => void, fn?: () => R): R | Disposable {
  if (fn === undefined) return { [Symbol.dispose]: restore };
  let pending = false;
  try {
    checkFunction(op, "fn", fn);
    const result = fn();
    if (result instanceof Promise) {
      pending = true;
      return result.finally(restore) as R;
    }
    return result;
  } finally {
    if (!pending) restore();
  }
}
