/**
 * Stacks that show the user's lines: those of the library, of which there are several for each layer and op, are left out.
 *
 * @module
 */

/** This file's place in the library. A bundle has another, and its frames cannot be told apart: its stacks stay as they are. */
const HERE = "src/base/stack.ts";
const root = import.meta.url.endsWith(`/${HERE}`) ? import.meta.url.slice(0, -HERE.length) : null;

/** Callers that are looked at: a deep model has a handful for each of its layers. */
const DEPTH = 200;

const trimmed = new WeakSet<Error>();

function isOurs(frame: string): boolean {
  return frame.includes(`${root}src/`) || frame.includes(`${root}ffi/`) || frame.includes(`${root}mod.ts`);
}

/** V8's settings of stacks, which other engines lack. */
interface StackTraces {
  stackTraceLimit?: number;
  captureStackTrace?(target: object): void;
}

/**
 * Makes the stack of an error that of the user's callers of this function, once for each error.
 *
 * The stack that the error was made with is not looked at: Deno would print that one for an error that nobody catches.
 *
 * @returns the error
 */
export function showCallers<E extends Error>(error: E): E {
  const traces = Error as StackTraces;
  if (root === null || traces.captureStackTrace === undefined || trimmed.has(error)) return error;
  trimmed.add(error);
  const callers: { stack?: string } = {}, limit = traces.stackTraceLimit;
  traces.stackTraceLimit = DEPTH;
  traces.captureStackTrace(callers);
  traces.stackTraceLimit = limit;
  const frames = callers.stack!.split("\n").filter((line) => /^\s+at /.test(line) && !isOurs(line));
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
  return error;
}
