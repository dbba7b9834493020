/**
 * `warnings`: what is probably a mistake, and yet no error. Each message is shown once; `simplefilter` decides otherwise.
 *
 * @module
 */

import { type Func, func } from "./call.ts";
import { ArgumentError, describe } from "./errors.ts";

/** What becomes of a warning, in Python's words: shown once, each time, never, or thrown. */
export type WarningAction = "default" | "always" | "ignore" | "error";

const ACTIONS: readonly WarningAction[] = ["default", "always", "ignore", "error"];

/** The parameters of {@linkcode simplefilter}. */
export class SimplefilterArgs {
  constructor(
    /** `"default"`: each message is shown once; `"always"`, each time; `"ignore"`, never; `"error"` throws it. */
    public action: WarningAction,
  ) {}
}

/** The parameters of {@linkcode warn}. */
export class WarnArgs {
  constructor(
    /** What is shown. */
    public message: string,
  ) {}
}

let action: WarningAction = "default";
/** Messages that were shown; no more are kept, so that those that name values cannot fill the memory. */
const shown = new Set<string>();
const MOST_SHOWN = 1024;

/**
 * Decides what becomes of all warnings from now on; messages that were shown may be shown again.
 *
 * @throws {ArgumentError} if there is no such action
 */
export const simplefilter: Func<typeof SimplefilterArgs, void> = func(
  "simplefilter",
  SimplefilterArgs,
  ({ action: chosen }) => {
    if (!ACTIONS.includes(chosen)) {
      throw new ArgumentError(`simplefilter(): action must be one of ${ACTIONS.join(", ")}: ${describe(chosen)}`);
    }
    action = chosen;
    shown.clear();
  },
);

/**
 * Warns, through `console.warn`.
 *
 * @throws {ArgumentError} if {@linkcode simplefilter} was given `"error"`
 */
export const warn: Func<typeof WarnArgs, void> = func("warn", WarnArgs, ({ message }) => {
  if (action === "ignore") return;
  if (action === "error") throw new ArgumentError(message);
  if (action === "default") {
    if (shown.has(message) || shown.size >= MOST_SHOWN) return;
    shown.add(message);
  }
  console.warn(message);
});
