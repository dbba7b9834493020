/**
 * The error classes of Cresset, and the form of all messages.
 *
 * Every message reads `<op>(): <rule broken>: <values>[; <remedy>]`, so that a reader knows which call failed, which
 * rule it broke, with which values, and what to do. User mistakes are caught in `src/ops`; an error from below that
 * layer is a bug of Cresset.
 *
 * @module
 */

import { showCallers } from "./stack.ts";

/** A shape, size, dimension or index that does not fit the operation. */
export class ShapeError extends RangeError {
  override name = "ShapeError";
}

/** An index outside the dimension that it indexes. */
export class IndexError extends RangeError {
  override name = "IndexError";
}

/** A dtype that the operation or the device does not support. */
export class DTypeError extends TypeError {
  override name = "DTypeError";
}

/** A missing or wrong argument (its type, or a value outside the allowed set). */
export class ArgumentError extends TypeError {
  override name = "ArgumentError";
}

/** A device that is missing, mixed with another one, or unable to run the operation. */
export class DeviceError extends Error {
  override name = "DeviceError";
}

/** The device has no memory left for an allocation. */
export class OutOfMemoryError extends Error {
  override name = "OutOfMemoryError";
}

/** A failure inside a native library: a bug of Cresset, or a fault of the machine. */
export class NativeError extends Error {
  override name = "NativeError";
  /** The status code that the kernel returned. */
  readonly code: number;
  /** Makes the error from the kernel's status `code`. */
  constructor(message: string, code: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A matrix that is singular, not positive-definite or not finite where that is needed, or an iteration that did not converge. */
export class LinAlgError extends Error {
  override name = "LinAlgError";
}

/** A file that is not what its format says: truncated, malformed or hostile. */
export class FormatError extends Error {
  override name = "FormatError";
}

/** A misuse of the autograd graph: it was freed, is missing, or its saved tensors were modified. */
export class AutogradError extends Error {
  override name = "AutogradError";
}

/** The use of a tensor whose memory has been released. */
export class ReleasedError extends Error {
  override name = "ReleasedError";
}

/** The error classes whose messages name the call of the user. */
const ABOUT_CALLS = [
  ...[ShapeError, IndexError, DTypeError, ArgumentError, DeviceError, OutOfMemoryError],
  ...[FormatError, AutogradError, ReleasedError, LinAlgError],
];

/** The call that a message begins with; group 1 is the text between its parentheses. */
const HEAD = /^[\w$.]+\(([^)]*)\)/;

/**
 * JavaScript's own messages where a value cannot become a number or a text: a Symbol, a mix with BigInt, a list that
 * holds itself.
 */
const NO_CONVERSION = /^(Cannot (convert|mix) .*(Symbol|BigInt|primitive)|Maximum call stack size)/;

/**
 * Rewords an error so that it names the call of the user: a call is often made of others, and the user knows only the
 * one that they wrote. `mul(): …` inside `kron` becomes `kron(): …`; `device("cuda:3"): …` keeps its value and becomes
 * `ones(): device("cuda:3"): …`. JavaScript's refusal to convert a value is an `ArgumentError`, with the refusal as its
 * cause. Other errors that are not the library's stay as they are. The stack becomes the user's.
 *
 * @param op the call, as the user wrote it
 */
export function nameCall(op: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (NO_CONVERSION.test(error.message)) {
    const problem = error instanceof RangeError
      ? "is nested too deep, or contains itself"
      : "is neither number nor text";
    return new ArgumentError(`${op}(): an argument ${problem}: ${error.message}`, { cause: error });
  }
  if (!ABOUT_CALLS.some((type) => error instanceof type)) return error;
  const { message } = error, { stack } = showCallers(error);
  if (message.startsWith(`${op}(`)) return error;
  const head = HEAD.exec(message);
  error.message = `${op}()${head?.[1] === "" ? message.slice(head[0].length) : `: ${message}`}`;
  // The stack quotes the message as it was when the error was made.
  if (stack?.includes(message)) error.stack = stack.replace(message, () => error.message);
  return error;
}

/** A short description of any value, for messages: it never throws, whatever the value is. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
    case "function":
      return value.name ? `${isClass(value) ? "class" : "function"} ${value.name}` : "a function";
    case "object": {
      if (value === null) return "null";
      // An object may have no prototype, a constructor that is anything, or be a Proxy that refuses every question.
      try {
        const { constructor } = value as { constructor?: unknown };
        return typeof constructor === "function" && constructor.name ? String(constructor.name) : "object";
      } catch {
        return "object";
      }
    }
    default:
      return String(value);
  }
}

/** The remedy in an error message for a promise given in place of its value; `""` for other values. */
export function awaitIt(value: unknown): string {
  return value instanceof Promise ? "; await it first" : "";
}

/** Whether a value is a class, which only `new` can call. */
export function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** The number of a list's elements that a message shows. */
const SHOWN = 32;

/** `[2, 3]`, as shapes and index lists are shown in messages; anything else by {@linkcode describe}. */
export function show(values: unknown): string {
  if (!Array.isArray(values)) return describe(values);
  const shown = Array.from(values.slice(0, SHOWN), describe);
  if (values.length > SHOWN) shown.push(`… ${values.length} in all`);
  return `[${shown.join(", ")}]`;
}
