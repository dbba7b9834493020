/**
 * The few assertions that the replayed cases use, without any package: what `@std/assert` stands for on a machine that has
 * no network and no cache (`bench/gpu.sh` maps the name to this file).
 *
 * @module
 */

/** What a failed assertion throws. */
export class AssertionError extends Error {
  /** The name of the class. */
  override name = "AssertionError";
}

/** Throws unless the condition holds. */
export function assert(condition: unknown, message = "assertion failed"): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Throws unless both print the same. */
export function assertEquals(actual: unknown, expected: unknown, message = ""): void {
  const text = (value: unknown) =>
    Deno.inspect(value, { depth: 100, iterableLimit: Infinity, strAbbreviateSize: Infinity, sorted: true });
  const [a, b] = [text(actual), text(expected)];
  assert(a === b, `${message}: ${a.slice(0, 2000)} is not ${b.slice(0, 2000)}`);
}

/** Throws unless `text` holds `part`. */
export function assertStringIncludes(text: string, part: string): void {
  assert(text.includes(part), `"${text}" does not include "${part}"`);
}

// deno-lint-ignore no-explicit-any -- any constructor's arguments
type ErrorClass<E> = new (...args: any[]) => E;

function expected<E extends Error>(error: unknown, kind: ErrorClass<E>, part: string): E {
  assert(error instanceof kind, `expected ${kind.name}: ${error}`);
  assertStringIncludes(error.message, part);
  return error;
}

/** The error of the class, with `part` in its message, that `body` throws. */
export function assertThrows<E extends Error>(
  body: () => unknown,
  kind: ErrorClass<E> = Error as unknown as ErrorClass<E>,
  part = "",
): E {
  try {
    body();
  } catch (error) {
    return expected(error, kind, part);
  }
  throw new AssertionError(`nothing was thrown, expected ${kind.name}`);
}

/** The error of the class, with `part` in its message, that `body` rejects with. */
export async function assertRejects<E extends Error>(
  body: () => Promise<unknown>,
  kind: ErrorClass<E> = Error as unknown as ErrorClass<E>,
  part = "",
): Promise<E> {
  try {
    await body();
  } catch (error) {
    return expected(error, kind, part);
  }
  throw new AssertionError(`nothing was thrown, expected ${kind.name}`);
}
