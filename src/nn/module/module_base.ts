/**
 * The base of `Module`: a `forward` that throws, and that subclasses replace without the keyword `override`.
 *
 * @module
 */

import { ArgumentError } from "../../base/errors.ts";

/** The `forward` of a module whose class has none. */
export class WithoutForward {
  /**
   * The computation, which the subclass writes and `Module.call` calls.
   *
   * @throws {ArgumentError} if the subclass has none
   */
  // deno-lint-ignore no-explicit-any -- a field typed `Module` can be called with what its class takes, whatever that is
  forward(..._args: any[]): any {
    throw new ArgumentError(
      `${this.constructor.name}(): the module has no forward(); write one, \`forward(x) { return … }\`, in its class`,
    );
  }
}

/** Declares `forward` as abstract, so that TypeScript does not ask for `override` before it. */
export abstract class WritesForward {
  /** The computation. */
  // deno-lint-ignore no-explicit-any -- as above
  abstract forward(...args: any[]): any;
}

/** The class that `Module` extends. */
export const ModuleBase: new () => WithoutForward & WritesForward = WithoutForward;
