/**
 * `warnings`: messages about probable mistakes that are no errors. Each message is shown once; `simplefilter` decides
 * otherwise.
 *
 * @module
 */

import { type Func, func } from "./call.ts";
import { ArgumentError, describe } from "./errors.ts";

/** How a warning is treated, in Python's words: shown once, each time, never, or thrown. */
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
    /** The text that is shown. */
    public message: string,
  ) {}
}

let action: WarningAction = "default";
/** The messages that were shown. Their number is limited, so that messages that name values cannot fill the memory. */
const shown = new Set<string>();
const MOST_SHOWN = 1024;

/**
 * Sets how all warnings are treated from now on; messages that were shown before may be shown again.
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
 * Issues a warning, through `console.warn`.
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
