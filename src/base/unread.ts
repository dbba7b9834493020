/**
 * Promises of values, which `item()`, `tolist()` and `equal()` return because some devices are read asynchronously.
 *
 * JavaScript does not object where a promise is used in place of its value: `total += x.item()` makes a string, and
 * `x.item() < 0.1` is false. So these promises throw where they are converted to a number or a string. A condition, `if
 * (x.equal(y))`, cannot be refused.
 *
 * @module
 */

import { ArgumentError, nameCall } from "./errors.ts";

/**
 * A promise that throws where JavaScript converts it to a number or a text, and whose failure names the call.
 *
 * @param op what made it, for the message
 */
export function unread<T>(op: string, promise: Promise<T>): Promise<T> {
  const named = promise.catch((error) => {
    throw nameCall(op, error);
  });
  return Object.defineProperty(named, Symbol.toPrimitive, {
    value: () => {
      // The error thrown here is enough: a later failure of the read must not be reported as an unhandled rejection.
      named.catch(() => {});
      throw new ArgumentError(`${op}(): a promise is used as if it were its value; write await ….${op}()`);
    },
  });
}
