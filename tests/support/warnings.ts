/**
 * The warnings that code gives.
 *
 * @module
 */

import { warnings } from "../../mod.ts";

/** What `run` warns of, under a filter that is the default one again afterwards. */
export function warningsOf(run: () => unknown, action: warnings.WarningAction = "default"): string[] {
  const found: string[] = [], { warn } = console;
  console.warn = (message: string) => void found.push(message);
  warnings.simplefilter(action);
  try {
    run();
  } finally {
    console.warn = warn;
    warnings.simplefilter("default");
  }
  return found;
}
