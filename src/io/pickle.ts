/**
 * Python's pickle format, written: version 2, as PyTorch's checkpoints have it.
 *
 * What is no plain value is named (`torch float16`) or called (`torch._utils _rebuild_tensor_v2` with its arguments) by the
 * caller, through {@linkcode Pickler}. Containers are remembered, so that one that occurs twice is one in Python too.
 *
 * @module
 */

import { ArgumentError, describe } from "../base/errors.ts";

/** A tuple, which JavaScript has not: an array is a list. */
export class PickleTuple {
  /** Its items. */
  readonly items: readonly unknown[];
  /** A tuple of `items`. */
  constructor(...items: readonly unknown[]) {
    this.items = items;
  }
}

/** A name of Python: a class, a function, a dtype. */
export class PickleName {
  /** The module. */
  readonly module: string;
  /** The name in it. */
  readonly name: string;
  /** `module.name`. */
  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
}

/** The result of a call that Python makes when it reads. */
export class PickleCall {
  /** What is called. */
  readonly made: PickleName;
  /** Its arguments. */
  readonly args: PickleTuple;
  /** `made(*args)`. */
  constructor(made: PickleName, ...args: readonly unknown[]) {
    this.made = made;
    this.args = new PickleTuple(...args);
  }
}

/** What lies outside of the pickle, by its id. */
export class PickleOutside {
  /** The id. */
  readonly id: PickleTuple;
  /** The object of that id. */
  constructor(id: PickleTuple) {
    this.id = id;
  }
}

/** Turns a value that is no plain one into a call, a name or a plain value; `undefined` if it cannot be written. */
export type Reduce = (value: object) => unknown;

/** How values are written. */
export interface PickleOptions {
  /** The values that are no plain ones. */
  readonly reduce: Reduce;
  /** Whether the keys of an object, which `parent` holds, are whole numbers. */
  readonly whole: (object: object, parent: object | null) => boolean;
}

const MOST_INT = 2 ** 31;

/** The bytes of a pickle of `value`. */
export function pickle(op: string, value: unknown, options: PickleOptions): Uint8Array {
  const writer = new Pickler(op, options);
  writer.byte(0x80, 2);
  try {
    writer.value(value, "");
  } catch (error) {
    if (!(error instanceof RangeError) || !/call stack/.test(error.message)) throw error;
    throw new ArgumentError(`${op}(): the value is nested too deep`, { cause: error });
  }
  writer.byte(0x2e);
  return writer.bytes();
}

/** The writer of one pickle. */
class Pickler {
  readonly #op: string;
  readonly #options: PickleOptions;
  readonly #memo = new Map<object, number>();
  readonly #names = new Map<string, number>();
  #memos = 0;
  /** The object that holds the value which is written next. */
  #parent: object | null = null;
  #out = new Uint8Array(1 << 12);
  #view = new DataView(this.#out.buffer);
  #length = 0;

  constructor(op: string, options: PickleOptions) {
    this.#op = op;
    this.#options = options;
  }

  /** What was written. */
  bytes(): Uint8Array {
    return this.#out.subarray(0, this.#length);
  }

  /** The place of the next `count` bytes. */
  #room(count: number): number {
    const at = this.#length, end = at + count;
    if (end > this.#out.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#out.length));
      larger.set(this.#out);
      this.#out = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return at;
  }

  byte(...bytes: readonly number[]): void {
    // The room is made first: it may replace the memory.
    for (const byte of bytes) {
      const at = this.#room(1);
      this.#out[at] = byte;
    }
  }

  #code(letter: string): void {
    this.byte(letter.charCodeAt(0));
  }

  #uint32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  #append(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#out.set(bytes, at);
  }

  /** Writes any value; `path` is where it is, for messages. */
  value(value: unknown, path: string): void {
    switch (typeof value) {
      case "undefined":
        return this.#code("N");
      case "boolean":
        return this.byte(value ? 0x88 : 0x89);
      case "number":
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? this.#whole(BigInt(value)) : this.#float(value);
      case "bigint":
        return this.#whole(value);
      case "string":
        return this.#text(value);
      case "object":
        return value === null ? this.#code("N") : this.#object(value, path);
      default:
        throw this.#cannot(value, path);
    }
  }

  #cannot(value: unknown, path: string): ArgumentError {
    const where = path === "" ? "" : ` at ${path}`;
    return new ArgumentError(
      `${this.#op}(): only tensors, numbers, texts, lists, objects, maps and sets of them can be saved${where}: ${
        describe(value)
      }`,
    );
  }

  #float(value: number): void {
    this.#code("G");
    const at = this.#room(8);
    this.#view.setFloat64(at, value);
  }

  #whole(value: bigint): void {
    if (value >= 0n && value < 256n) return this.byte(0x4b, Number(value));
    if (value >= -MOST_INT && value < MOST_INT) {
      this.#code("J");
      return this.#uint32(Number(BigInt.asUintN(32, value)));
    }
    const bytes: number[] = [];
    // Two's complement, least byte first, as short as the sign allows.
    for (let rest = value;; rest >>= 8n) {
      bytes.push(Number(BigInt.asUintN(8, rest)));
      if (BigInt.asIntN(8, rest) === rest) break;
    }
    if (bytes.length > 255) throw new ArgumentError(`${this.#op}(): a whole number has ${bytes.length} bytes`);
    this.byte(0x8a, bytes.length, ...bytes);
  }

  #text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.#code("X");
    this.#uint32(bytes.length);
    this.#append(bytes);
  }

  #put(): number {
    const key = this.#memos++;
    this.#code("r");
    this.#uint32(key);
    return key;
  }

  #get(key: number): void {
    this.#code("j");
    this.#uint32(key);
  }

  #object(value: object, path: string): void {
    if (value instanceof PickleName) return this.#name(value);
    const known = this.#memo.get(value);
    if (known !== undefined) return this.#get(known);
    if (value instanceof PickleTuple) return this.#tuple(value, path);
    if (value instanceof PickleOutside) {
      this.#tuple(value.id, path);
      return this.#code("Q");
    }
    if (value instanceof PickleCall) {
      this.#name(value.made);
      this.#tuple(value.args, path);
      this.#code("R");
      this.#memo.set(value, this.#put());
      return;
    }
    this.#container(value, path);
  }

  #container(value: object, path: string): void {
    if (Array.isArray(value)) {
      this.#code("]");
      this.#memo.set(value, this.#put());
      const each = (item: unknown, i: number) => () => {
        this.#parent = null;
        this.value(item, `${path}[${i}]`);
      };
      return this.#group(value.map(each), "e");
    }
    if (value instanceof Map) return this.#dictionary(value, [...value], path);
    if (value instanceof Set) return this.#set(value, path);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      const whole = this.#options.whole(value, this.#parent);
      return this.#dictionary(value, Object.entries(value).map(([k, v]) => [whole ? Number(k) : k, v]), path);
    }
    const reduced = this.#options.reduce(value);
    if (reduced === undefined) throw this.#cannot(value, path);
    this.value(reduced, path);
    // The call's own memo stands for the value.
    const key = typeof reduced === "object" && reduced !== null ? this.#memo.get(reduced) : undefined;
    if (key !== undefined) this.#memo.set(value, key);
  }

  /** Items between a mark and an instruction that takes them. */
  #group(items: readonly (() => void)[], code: string): void {
    if (items.length === 0) return;
    this.#code("(");
    for (const item of items) item();
    this.#code(code);
  }

  #dictionary(value: object, entries: readonly (readonly unknown[])[], path: string): void {
    this.#code("}");
    this.#memo.set(value, this.#put());
    this.#group(
      entries.map(([key, item]) => () => {
        // Python's keys are tuples where ours are arrays.
        this.value(Array.isArray(key) ? new PickleTuple(...key) : key, `${path}'s keys`);
        this.#parent = value;
        this.value(
          item,
          typeof key === "string" ? `${path}${path === "" ? "" : "."}${key}` : `${path}[${String(key)}]`,
        );
      }),
      "u",
    );
  }

  #set(value: Set<unknown>, path: string): void {
    this.#name(new PickleName("__builtin__", "set"));
    this.#code("]");
    this.#group([...value].map((item) => () => this.value(item, `${path}'s items`)), "e");
    this.byte(0x85);
    this.#code("R");
    this.#memo.set(value, this.#put());
  }

  #tuple({ items }: PickleTuple, path: string): void {
    if (items.length === 0) return this.#code(")");
    if (items.length > 3) this.#code("(");
    for (const [i, item] of items.entries()) this.value(item, items.length === 1 ? path : `${path}[${i}]`);
    if (items.length > 3) this.#code("t");
    else this.byte(0x84 + items.length);
  }

  #name({ module, name }: PickleName): void {
    const full = `${module}\n${name}\n`, known = this.#names.get(full);
    if (known !== undefined) return this.#get(known);
    this.#code("c");
    this.#append(new TextEncoder().encode(full));
    this.#names.set(full, this.#put());
  }
}
