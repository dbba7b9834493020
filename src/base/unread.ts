/**
 * Promises of values, which `item()`, `tolist()` and `equal()` return because some devices are read asynchronously.
 *
 * JavaScript does not object where a promise is used in place of its value: `total += x.item()` makes a string, and
 * `x.item() < 0.1` is false. So these promises throw where they are converted to a number or a string. A condition, `if
 * (x.equal(y))`, cannot be refused.
 *
 * @module
 */

import { ArgumentError } from "./errors.ts";

/**
 * Makes a promise throw where JavaScript converts it to a number or a text; returns the promise.
 *
 * @param op what made it, for the message
 */
export function unread<T>(op: string, promise: Promise<T>): Promise<T> {
  return Object.defineProperty(promise, Symbol.toPrimitive, {
    value: () => {
      // The error thrown here is enough: a later failure of the read must not be reported as an unhandled rejection.
      promise.catch(() => {});
      throw new ArgumentError(`${op}(): a promise is used as if it were its value; write await ….${op}()`);
    },
  });
}
