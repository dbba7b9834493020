/**
 * What is right and what is a finding: errors must be the library's and say which call they are of, results must lie
 * within their memory, be readable and have gradients or a reason not to.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { Tensor } from "../../mod.ts";
import type { Random } from "./random.ts";
import { Trap } from "./values.ts";

/** What went wrong in a call. */
export interface Fault {
  /** `unnamed`, `misnamed`, `invalid`, `corrupted`; the driver adds `crash`, `hang` and `sanitizer`. */
  readonly kind: string;
  /** The error's class and text, or what is wrong with the result. */
  readonly head: string;
  /** Of an error that names no call: the innermost places of the sources. */
  readonly where?: string;
}

const OURS = [
  ...[torch.ArgumentError, torch.AutogradError, torch.DeviceError, torch.DTypeError, torch.FormatError],
  ...[torch.IndexError, torch.linalg.LinAlgError, torch.OutOfMemoryError, torch.ReleasedError, torch.ShapeError],
];

/** Whether an error may reach a user at all: the library's classes and, of files, the system's. */
function permitted(error: unknown): error is Error {
  if (OURS.some((type) => error instanceof type)) return true;
  return Object.values(Deno.errors).some((type) => error instanceof type);
}

/** The name that a message starts with, as in `Linear(): …`, `Module.to(): …` and `device("cuda:3"): …`. */
const HEAD = /^(?:new )?([\w$.]+)\([^)]*\)/;

/** The parts of a name that count: without its namespace, the mark of an in-place form, capitals. */
const plain = (name: string): string[] =>
  name.toLowerCase().replace(/ \(\w+\)$/, "").split(/[. ]/).map((p) => p.replace(/_$/, ""));

/** Whether a name is that of a module, its constructor or one of its methods. */
function isModule(name: string): boolean {
  const path = name.replace(/^new /, "").split(".");
  let at: unknown = torch;
  for (const part of path) {
    at = (at as Record<string, unknown>)?.[part];
    if (typeof at === "function" && at.prototype instanceof torch.nn.Module) return true;
  }
  return /^(new )?(vision|optim\.swaUtils)\./.test(name);
}

/** Whether an error of a call of `name` is named right. `name` is `null` where what is called is not known. */
export function judgeError(error: unknown, name: string | null): Fault | null {
  if (error instanceof Trap) return null;
  const message = error instanceof Error ? error.message : String(error);
  // A class given as a callback refuses to be called; that is its own words, not the library's.
  if (/^Class constructor \w+ cannot be invoked/.test(message)) return null;
  const type = error instanceof Error ? error.constructor.name : typeof error;
  const head = `${type}: ${message.slice(0, 200)}`;
  const found = HEAD.exec(message);
  if (!permitted(error) || !found) {
    const places = error instanceof Error ? [...(error.stack ?? "").matchAll(/src\/([\w/.]+:\d+):/g)] : [];
    return { kind: "unnamed", head, where: places.slice(0, 3).map(([, place]) => place).join(" < ") };
  }
  if (name === null) return null;
  const said = plain(found[1]).at(-1)!;
  // A layer may speak of the function that it is a layer of, which bears its name; a module, made or called, also of the
  // modules and functions that it is made of.
  if (plain(name).includes(said) || isModule(name)) return null;
  return { kind: "misnamed", head };
}

/** What is wrong with the place of a tensor in its memory, or `null`. */
function misplaced(x: Tensor): string | null {
  if (x.shape.length !== x.strides.length) return `${x.shape.length} sizes, ${x.strides.length} strides`;
  let count = 1, first = x.offset, last = x.offset;
  for (const [dim, size] of x.shape.entries()) {
    const stride = x.strides[dim];
    if (!Number.isSafeInteger(size) || size < 0) return `size ${size}`;
    if (!Number.isSafeInteger(stride)) return `stride ${stride}`;
    count *= size;
    if (stride < 0) first += (size - 1) * stride;
    else last += (size - 1) * stride;
  }
  if (!Number.isSafeInteger(x.offset)) return `offset ${x.offset}`;
  if (count === 0) return null;
  const inside = first >= 0 && (last + 1) * x.itemsize <= x.storage.nbytes;
  return inside ? null : `elements ${first} to ${last} of ${x.itemsize} bytes in ${x.storage.nbytes} bytes`;
}

/** The tensors in a result, however it holds them. */
function tensorsIn(result: unknown, depth = 0): Tensor[] {
  if (result instanceof Tensor) return [result];
  if (typeof result !== "object" || result === null || depth > 2 || ArrayBuffer.isView(result)) return [];
  if (Array.isArray(result)) return result.slice(0, 8).flatMap((part) => tensorsIn(part, depth + 1));
  if (result instanceof torch.nn.Module) return [...result.parameters()].slice(0, 4);
  const prototype = Object.getPrototypeOf(result);
  if (prototype !== Object.prototype && !("values" in result)) return [];
  return Object.values(result).slice(0, 8).flatMap((part) => tensorsIn(part, depth + 1));
}

/** Larger results are not read: it would take the time of many calls. */
const READABLE = 100_000;

async function read(x: Tensor, random: Random): Promise<void> {
  await x.read();
  if (random.chance(0.2)) x.toString();
}

/** Runs backward from a result, and at times backward of that. */
function differentiate(x: Tensor, leaves: readonly Tensor[], random: Random): void {
  const createGraph = random.chance(0.3);
  const real = x.dtype.isComplex ? x.abs() : x;
  real.sum().backward({ createGraph });
  if (!createGraph) return;
  const again = leaves.find((leaf) => !leaf.isReleased && leaf.grad?.requiresGrad);
  if (!again) return;
  const grad = again.grad!;
  (grad.dtype.isComplex ? grad.abs() : grad).sum().backward();
}

/** Looks at a result: its place in memory, its values, its gradient. `leaves` are the operands that want gradients. */
export async function judgeResult(
  result: unknown,
  leaves: readonly Tensor[],
  random: Random,
): Promise<{ fault: Fault | null; gradients: number }> {
  let gradients = 0;
  for (const x of tensorsIn(result)) {
    if (x.isReleased) continue;
    const problem = misplaced(x);
    if (problem) return { fault: { kind: "invalid", head: problem }, gradients };
    if (x.numel() > READABLE) continue;
    try {
      await read(x, random);
      const floating = x.dtype.isFloatingPoint || x.dtype.isComplex;
      if (x.requiresGrad && floating && !x.dtype.isFloat8 && random.chance(0.7)) {
        gradients++;
        differentiate(x, leaves, random);
      }
    } catch (error) {
      const fault = judgeError(error, null);
      if (fault) return { fault: { ...fault, head: `afterwards: ${fault.head}` }, gradients };
    }
  }
  return { fault: null, gradients };
}
