/**
 * Python's pickle format, read without executing anything.
 *
 * A pickle is a program for a small stack machine, whose dangerous instruction calls any function of Python by name. Here a
 * name is looked up in the caller's table, which holds what it can build itself, and every other name is refused. Values
 * are plain JavaScript: numbers (bigints beyond 2^53), strings, arrays for lists and tuples, sets; dictionaries become
 * objects, or maps where a key is neither a string nor a whole number.
 *
 * @see https://docs.python.org/3/library/pickletools.html
 * @module
 */

import { latin1Of } from "../base/bytes.ts";
import { FormatError } from "../base/errors.ts";

/** Bytes that end before their pickle does. */
export class EndsEarly extends FormatError {}

/** What a name of Python stands for: called with the arguments that the pickle gives. */
export type Builder = (...args: unknown[]) => unknown;

/** What a pickle may build. */
export interface Permitted {
  /** What stands for `module.name`; `undefined` if it is not permitted. */
  find(module: string, name: string): unknown;
  /** The object that the writer stored outside of the pickle. */
  load(id: unknown): unknown;
  /** The error for a name that is not permitted. */
  refuse(name: string): Error;
  /** The error for bytes that are no pickle. */
  broken(why: string): FormatError;
}

/** A dictionary while it is built: its keys may come in any order, and others may refer to it already. */
class Dictionary {
  readonly items = new Map<unknown, unknown>();
}

/** A tuple while the pickle is read: arguments are tuples, and keys may be. */
class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** The items of a tuple or list that a builder was given, or `null` for anything else. */
export function itemsOf(value: unknown): readonly unknown[] | null {
  return value instanceof Tuple ? value.items : Array.isArray(value) ? value : null;
}

/** The place where a group of items begins on the stack. */
const MARK: unique symbol = Symbol("mark");
/** The newest version of the format. */
const NEWEST = 5;
/** The longest whole number, in bytes. */
const MOST_DIGITS = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A pickle's value, and where the pickle ends. */
export interface Unpickled {
  /** The value. */
  readonly value: unknown;
  /** The position after it. */
  readonly end: number;
}

/**
 * Reads the pickle that begins at `start`.
 *
 * @throws {FormatError} if the bytes are no pickle
 */
export function unpickle(bytes: Uint8Array, permitted: Permitted, start = 0): Unpickled {
  const machine = new Machine(bytes, permitted, start);
  const value = machine.run();
  return { value: plainOf(value), end: machine.at };
}

/** A whole number as the kind that holds it exactly. */
function wholeOf(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The stack machine. */
class Machine {
  /** The position of the next byte. */
  at: number;
  /** Whether the pickle has ended. */
  ended = false;
  readonly stack: unknown[] = [];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #permitted: Permitted;
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, permitted: Permitted, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#permitted = permitted;
    this.at = start;
  }

  /** Executes instructions up to the end of the pickle. */
  run(): unknown {
    while (!this.ended) {
      const code = this.take(1)[0], step = STEPS[code];
      if (step === undefined) throw this.bad(`unknown instruction ${code}`);
      step(this);
    }
    return this.pop();
  }

  /** The error for what the format does not allow. */
  bad(why: string): FormatError {
    return this.#permitted.broken(`${why} at byte ${this.at}`);
  }

  // ------------------------------------------------------------- operands in the bytes

  take(count: number): Uint8Array {
    const end = this.at + count;
    if (!(end <= this.#bytes.length)) throw new EndsEarly(this.bad("its pickle ends early").message);
    const part = this.#bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  /** A whole number without sign, of 1, 2, 4 or 8 bytes. */
  whole(size: 1 | 2 | 4 | 8): number {
    const from = this.at, view = this.#view;
    this.take(size);
    if (size === 8) return Number(view.getBigUint64(from, true));
    return size === 1 ? view.getUint8(from) : size === 2 ? view.getUint16(from, true) : view.getUint32(from, true);
  }

  float(): number {
    const from = this.at;
    this.take(8);
    return this.#view.getFloat64(from);
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new EndsEarly(this.bad("a line of its pickle does not end").message);
    const line = latin1Of(this.take(end - this.at));
    this.at++;
    return line;
  }

  text(size: 1 | 4 | 8): string {
    const bytes = this.take(this.whole(size));
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.bad("a text is not UTF-8");
    }
  }

  /** Bytes that Python 2 took for a text. */
  oldText(size: 1 | 4): string {
    return latin1Of(this.take(this.whole(size)));
  }

  /** A whole number of any length, two's complement, least byte first. */
  long(size: 1 | 4): number | bigint {
    const count = this.whole(size);
    if (count > MOST_DIGITS) throw this.bad(`a whole number of ${count} bytes`);
    let value = 0n;
    for (const byte of this.take(count).toReversed()) value = value << 8n | BigInt(byte);
    return wholeOf(BigInt.asIntN(8 * count, value));
  }

  /** A whole number in decimal digits; with `truth`, two of them stand for false and true. */
  decimal(truth: boolean): number | bigint | boolean {
    const line = this.line().replace(/L$/, "");
    if (truth && (line === "00" || line === "01")) return line === "01";
    if (!/^[+-]?\d{1,9000}$/.test(line)) throw this.bad(`${JSON.stringify(line.slice(0, 40))} is no whole number`);
    return wholeOf(BigInt(line));
  }

  // ------------------------------------------------------------- the stack

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  top(): unknown {
    const value = this.stack.at(-1);
    if (value === undefined || value === MARK) throw this.bad("an operand is missing");
    return value;
  }

  /** What lies above the last mark, which goes with it. */
  group(): unknown[] {
    const from = this.stack.lastIndexOf(MARK);
    if (from < 0) throw this.bad("a mark is missing");
    const items = this.stack.slice(from + 1);
    this.stack.length = from;
    return items;
  }

  /** The last `count` values. */
  last(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  // ------------------------------------------------------------- memo, containers, calls

  put(key: number): void {
    this.#memo.set(key, this.top());
  }

  /** Remembers under the next number. */
  memoize(): void {
    this.put(this.#memo.size);
  }

  get(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.bad(`memo ${key} is empty`);
    this.push(value);
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Set) { for (const item of items) list.add(item); }
    else if (Array.isArray(list)) { for (const item of items) list.push(item); }
    else throw this.bad("items are added to what is no list");
  }

  setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Dictionary) || items.length % 2 === 1) {
      throw this.bad("items are set in what is no dictionary");
    }
    for (let i = 0; i < items.length; i += 2) dict.items.set(items[i], items[i + 1]);
  }

  global(module: unknown, name: unknown): void {
    if (typeof name !== "string" || typeof module !== "string") throw this.bad("a name is no text");
    const found = this.#permitted.find(module, name);
    if (found === undefined) throw this.#permitted.refuse(`${module}.${name}`);
    this.push(found);
  }

  call(): void {
    const args = this.pop(), made = this.pop();
    if (!(args instanceof Tuple)) throw this.bad("arguments are no tuple");
    if (typeof made !== "function") throw this.bad("what is called is no function");
    this.push((made as Builder)(...args.items));
  }

  outside(): void {
    this.push(this.#permitted.load(this.pop()));
  }
}

/** An instruction. */
type Step = (machine: Machine) => void;

/** The instructions by their byte. Those left out call code (`INST`, `OBJ`, `NEWOBJ_EX`) or need a registry (`EXT1`). */
const STEPS: readonly (Step | undefined)[] = tableOf({
  ".": (m) => m.ended = true,
  0x80: (m) => {
    const version = m.whole(1);
    if (version > NEWEST) throw m.bad(`version ${version} of the format is newer than ${NEWEST}`);
  },
  0x95: (m) => void m.whole(8),
  // Values.
  N: (m) => m.push(null),
  0x88: (m) => m.push(true),
  0x89: (m) => m.push(false),
  J: (m) => m.push(m.whole(4) | 0),
  K: (m) => m.push(m.whole(1)),
  M: (m) => m.push(m.whole(2)),
  I: (m) => m.push(m.decimal(true)),
  L: (m) => m.push(m.decimal(false)),
  0x8a: (m) => m.push(m.long(1)),
  0x8b: (m) => m.push(m.long(4)),
  G: (m) => m.push(m.float()),
  F: (m) => m.push(Number(m.line())),
  X: (m) => m.push(m.text(4)),
  0x8c: (m) => m.push(m.text(1)),
  0x8d: (m) => m.push(m.text(8)),
  V: (m) => m.push(m.line()),
  U: (m) => m.push(m.oldText(1)),
  T: (m) => m.push(m.oldText(4)),
  C: (m) => m.push(m.take(m.whole(1)).slice()),
  B: (m) => m.push(m.take(m.whole(4)).slice()),
  0x8e: (m) => m.push(m.take(m.whole(8)).slice()),
  0x96: (m) => m.push(m.take(m.whole(8)).slice()),
  // The stack.
  "(": (m) => m.push(MARK),
  "0": (m) => m.stack.at(-1) === MARK ? m.stack.pop() : m.pop(),
  "1": (m) => m.group(),
  "2": (m) => m.push(m.top()),
  // Containers.
  "]": (m) => m.push([]),
  "}": (m) => m.push(new Dictionary()),
  ")": (m) => m.push(new Tuple([])),
  0x8f: (m) => m.push(new Set()),
  t: (m) => m.push(new Tuple(m.group())),
  0x85: (m) => m.push(new Tuple(m.last(1))),
  0x86: (m) => m.push(new Tuple(m.last(2))),
  0x87: (m) => m.push(new Tuple(m.last(3))),
  l: (m) => m.push(m.group()),
  0x91: (m) => m.push(new Set(m.group())),
  d: (m) => {
    const items = m.group();
    m.push(new Dictionary());
    m.setItems(items);
  },
  a: (m) => m.append(m.last(1)),
  e: (m) => m.append(m.group()),
  0x90: (m) => m.append(m.group()),
  s: (m) => m.setItems(m.last(2)),
  u: (m) => m.setItems(m.group()),
  // The memo.
  0x94: (m) => m.memoize(),
  p: (m) => m.put(Number(m.line())),
  q: (m) => m.put(m.whole(1)),
  r: (m) => m.put(m.whole(4)),
  g: (m) => m.get(Number(m.line())),
  h: (m) => m.get(m.whole(1)),
  j: (m) => m.get(m.whole(4)),
  // Names and what they build.
  c: (m) => m.global(m.line(), m.line()),
  0x93: (m) => m.global(...m.last(2) as [unknown, unknown]),
  R: (m) => m.call(),
  0x81: (m) => m.call(),
  // The state of a dictionary, a set or a tensor is attributes, which JavaScript's have not.
  b: (m) => {
    m.pop();
    m.top();
  },
  Q: (m) => m.outside(),
});

function tableOf(rows: Readonly<Record<string | number, Step>>): readonly (Step | undefined)[] {
  const table: (Step | undefined)[] = new Array(256).fill(undefined);
  for (const [key, step] of Object.entries(rows)) table[key.length === 1 ? key.charCodeAt(0) : Number(key)] = step;
  return table;
}

/** A dictionary: empty, or with the pairs of a list or of another dictionary. */
export function newDictionary(pairs: unknown = null): unknown {
  const made = new Dictionary();
  if (pairs instanceof Dictionary) { for (const [key, value] of pairs.items) made.items.set(key, value); }
  for (const pair of itemsOf(pairs) ?? []) {
    const [key, value] = itemsOf(pair) ?? [];
    made.items.set(key, value);
  }
  return made;
}

/** Replaces dictionaries and tuples, at any depth, by JavaScript's containers. */
function plainOf(value: unknown): unknown {
  const made = new Map<object, unknown>();
  // Containers whose items are still to be replaced: a list, because values may be nested deeper than calls.
  const left: (() => void)[] = [];
  const plain = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const known = made.get(value);
    if (known !== undefined) return known;
    const container = containerOf(value, plain, left);
    made.set(value, container);
    return container;
  };
  const result = plain(value);
  for (let fill = left.pop(); fill !== undefined; fill = left.pop()) fill();
  return result;
}

/** The empty container that stands for a value, with its filling in `left`; the value itself if it is none. */
function containerOf(value: object, plain: (value: unknown) => unknown, left: (() => void)[]): unknown {
  if (value instanceof Tuple || Array.isArray(value)) {
    const items: unknown[] = [], from = value instanceof Tuple ? value.items : value as unknown[];
    left.push(() => void from.forEach((item) => items.push(plain(item))));
    return items;
  }
  if (value instanceof Set) {
    const items = new Set<unknown>();
    left.push(() => value.forEach((item) => items.add(plain(item))));
    return items;
  }
  if (!(value instanceof Dictionary)) return value;
  const { items } = value;
  if (!namesAll(items)) {
    const map = new Map<unknown, unknown>();
    left.push(() => items.forEach((item, key) => map.set(plain(key), plain(item))));
    return map;
  }
  const object: Record<string, unknown> = {};
  // Not assignment: a key may be "__proto__".
  const define = (key: string, value: unknown) =>
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  left.push(() => items.forEach((item, key) => define(String(key), plain(item))));
  return object;
}

/** Whether the keys can be names of an object's fields: strings and whole numbers, all different. */
function namesAll(items: ReadonlyMap<unknown, unknown>): boolean {
  const names = new Set<string>();
  for (const key of items.keys()) {
    if (typeof key !== "string" && typeof key !== "number") return false;
    names.add(String(key));
  }
  return names.size === items.size;
}
