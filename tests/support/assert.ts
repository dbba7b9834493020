/**
 * Assertions on tensors: a failing one names the first index that differs, both values, the error and the tolerance.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { firstDifference, type Numbers, widen } from "./close.ts";

/** What the assertions need of a tensor. */
interface Readable {
  readonly shape: readonly number[];
  readonly dtype: { readonly name: string };
  read(): Promise<Numbers>;
}

/** Tolerances, with what is compared. */
export interface AllcloseOptions {
  /** Fraction of the expected value; PyTorch's float32 default. */
  rtol?: number;
  /** Absolute part. */
  atol?: number;
  /** What the values are, for the message. */
  what?: string;
}

/** Nested arrays of numbers, flattened. */
function flatten(value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(flatten) : [Number(value)];
}

/** Asserts that `actual` holds `expected`: another tensor, a typed array, or nested arrays of numbers. */
export async function assertAllclose(
  actual: Readable,
  expected: Readable | Numbers | readonly unknown[],
  { rtol = 1.3e-6, atol = 1e-5, what = "values" }: AllcloseOptions = {},
): Promise<void> {
  const values = widen(await actual.read(), actual.dtype.name);
  let wanted: Numbers;
  if ("read" in expected) {
    const shapes = [actual.shape, expected.shape].map((shape) => `[${shape.join(", ")}]`);
    if (shapes[0] !== shapes[1]) throw new AssertionError(`${what}: shape ${shapes[0]}, expected ${shapes[1]}`);
    wanted = widen(await expected.read(), expected.dtype.name);
  } else {
    wanted = Array.isArray(expected) ? flatten(expected) : expected as Numbers;
  }
  const difference = firstDifference(values, wanted, actual.shape, { rtol, atol });
  if (difference) throw new AssertionError(`${what} ${difference}`);
}

/** Asserts that `fn` throws an error of `type` worded `<op>(): …` that contains `text`. */
export async function assertUserError(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any -- an error class takes whatever it takes
  type: new (...args: any[]) => Error,
  text: string,
): Promise<Error> {
  let error: unknown;
  try {
    await fn();
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new AssertionError(`did not throw; expected a ${type.name} with "${text}"`);
  if (!(error instanceof type)) {
    throw new AssertionError(
      `expected a ${type.name}, got ${error instanceof Error ? `${error.name}: ${error.message}` : error}`,
    );
  }
  if (!error.message.includes(text)) throw new AssertionError(`expected "${text}" in: ${error.message}`);
  if (!/^[\w.]+\(\): \S/.test(error.message) || error.message.includes("\n")) {
    throw new AssertionError(`not worded "<op>(): <rule>: <values>", in one line: ${error.message}`);
  }
  return error;
}
