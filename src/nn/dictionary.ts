/**
 * `ModuleDict` and `ParameterDict`: modules or parameters by name.
 *
 * Items stand in a map, so that no key can collide with a method. A key that collides with none is an attribute too:
 * `d.wte` reads and writes the item.
 *
 * @module
 */

import type { DTypeName } from "../base/dtype.ts";
import { checkIterable, checkText } from "../base/checks.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { asParameter, checkModule, describeItem, indented } from "./items.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { block } from "./repr.ts";

/** Entries of a dictionary, in any of the forms that it takes. */
export type Entries<V> = Readonly<Record<string, V>> | Iterable<readonly [string, V]>;

/** The type of an item: `undefined` may be found under a key that the type of the dictionary does not name. */
export type Item<R, K extends keyof R> = string extends keyof R ? R[K] | undefined : R[K];

/** The items as attributes, where the type of the dictionary names them. */
export type Attributes<R> = string extends keyof R ? unknown : R;

function entriesOf<V>(op: string, items: Entries<V>): [string, V][] {
  if (typeof items !== "object" || items === null || ArrayBuffer.isView(items)) {
    throw new ArgumentError(`${op}(): expected an object or [key, value] pairs: ${describe(items)}`);
  }
  const list = Symbol.iterator in items ? [...items as Iterable<readonly [string, V]>] : Object.entries(items);
  if (!list.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    throw new ArgumentError(`${op}(): expected an object or [key, value] pairs: ${describe(items)}`);
  }
  return list.map(([key, value]) => [key, value]);
}

/** What both dictionaries share: items of type `V`, by the names that `R` has. */
export abstract class Dictionary<V, R extends Record<string, V>> extends Module implements Iterable<string> {
  /** The items in the order in which they were added. */
  protected readonly _items: Map<string, V> = new Map();

  /** Checks an item, and converts it. */
  protected abstract checked(key: string, value: V): V;

  /** How many items there are. */
  get length(): number {
    return this._items.size;
  }

  /**
   * The item of a key.
   *
   * @param defaultValue what is given where there is none
   */
  get<K extends keyof R & string>(key: K): Item<R, K>;
  /** The same of a key that may not be there. */
  get(key: string, defaultValue?: V): V | undefined;
  get(key: string, defaultValue?: V): V | undefined {
    return this._items.get(key) ?? defaultValue;
  }

  /**
   * Sets the item of a key.
   *
   * @throws {ArgumentError} if the key is empty or holds a dot, or the value is of the wrong kind
   */
  set(key: string, value: V): this {
    checkText(`${this._name()}.set`, "key", key);
    if (key === "" || key.includes(".")) {
      throw new ArgumentError(`${this._name()}.set(): a key must not be empty or contain ".": "${key}"`);
    }
    this._items.set(key, this.checked(key, value));
    if (!(key in this)) attribute(key);
    return this;
  }

  /** Sets an item by name. */
  override _setOwn(name: string, value: Parameter | Tensor | Module): void {
    this.set(name, value as V);
  }

  /** Whether there is an item of that key. */
  has(key: string): boolean {
    return this._items.has(key);
  }

  /** The keys. */
  keys(): IterableIterator<string> {
    return this._items.keys();
  }

  /** The items without their keys. */
  values(): IterableIterator<V> {
    return this._items.values();
  }

  /** Keys and items. */
  items(): IterableIterator<[string, V]> {
    return this._items.entries();
  }

  /** The keys, as in Python. */
  [Symbol.iterator](): Iterator<string> {
    return this._items.keys();
  }

  /** Removes all items. */
  clear(): void {
    this._items.clear();
  }

  /**
   * Takes an item out.
   *
   * @throws {ArgumentError} if there is none of that key
   */
  pop(key: string): V {
    const value = this._items.get(key);
    if (value === undefined) {
      throw new ArgumentError(
        `${this._name()}.pop(): no item of that key: "${key}"; there are ${[...this._items.keys()].join(", ")}`,
      );
    }
    this._items.delete(key);
    return value;
  }

  /** Adds or replaces several items. */
  update(items: Entries<V>): void {
    for (const [key, value] of entriesOf(`${this._name()}.update`, items)) this.set(key, value);
  }

  override forward(): never {
    throw new ArgumentError(`${this._name()}(): the container has no forward; use what it holds`);
  }
}

/** Makes a key readable and writable as an attribute of every dictionary; copies of a dictionary then have it too. */
function attribute(key: string): void {
  Object.defineProperty(Dictionary.prototype, key, {
    get(this: Dictionary<unknown, Record<string, unknown>>): unknown {
      return this.get(key);
    },
    set(this: Dictionary<unknown, Record<string, unknown>>, value: unknown): void {
      this.set(key, value);
    },
    configurable: true,
  });
}

/** The methods of {@linkcode ModuleDict}. */
export class ModuleTable<R extends Record<string, Module> = Record<string, Module>> extends Dictionary<Module, R> {
  /**
   * Takes an object or entries.
   *
   * @param modules the items
   */
  constructor(modules: R | Iterable<readonly [string, Module]> = {} as R) {
    super();
    this.update(modules);
  }

  /** The submodules held here, by name. */
  override *_ownModules(): Generator<[string, Module]> {
    yield* this._items;
  }

  /** Refuses what is no module. */
  protected override checked(key: string, value: Module): Module {
    return checkModule("ModuleDict", describe(key), value);
  }
}

/** The class of {@linkcode ModuleDict}: a record of modules gives their types to the items. */
export type ModuleDictClass = new <R extends Record<string, Module> = Record<string, Module>>(
  modules?: R | Iterable<readonly [string, Module]>,
) => ModuleDict<R>;

/**
 * Modules by name, in the order in which they were added.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const { nn } = torch;
 * const parts = new nn.ModuleDict({ wte: new nn.Embedding(10, 4), head: new nn.Linear(4, 10) });
 * assertEquals(parts.head.call(parts.wte.call(torch.tensor([1n]))).shape, [1, 10]);
 * ```
 */
export const ModuleDict: ModuleDictClass = named("ModuleDict", ModuleTable) as unknown as ModuleDictClass;
/** The type of a {@linkcode ModuleDict} whose items have the types of the record `R`. */
export type ModuleDict<R extends Record<string, Module> = Record<string, Module>> = ModuleTable<R> & Attributes<R>;

/** The class under the name that users know and that is printed. */
function named<C extends object>(name: string, made: C): C {
  return Object.defineProperty(made, "name", { value: name });
}

/** The tensor classes of PyTorch's past, which `ParameterDict` still prints. */
const LEGACY_NAMES: Readonly<Record<DTypeName, string>> = {
  bool: "Bool",
  uint8: "Byte",
  int8: "Char",
  int16: "Short",
  int32: "Int",
  int64: "Long",
  float16: "Half",
  bfloat16: "BFloat16",
  float32: "Float",
  float64: "Double",
  complex64: "ComplexFloat",
  complex128: "ComplexDouble",
  float8_e4m3fn: "Float8_e4m3fn",
  float8_e5m2: "Float8_e5m2",
};

function legacyName(value: Tensor): string {
  const space = value.device.type === "cpu" ? "torch" : `torch.${value.device.type}`;
  return `${space}.${LEGACY_NAMES[value.dtype.name]}Tensor`;
}

/** Tensors by name become parameters by name. */
export type AsParameters<R> = { [K in keyof R]: Parameter };

/** The methods of {@linkcode ParameterDict}. */
export class ParameterTable<R extends Record<string, Parameter> = Record<string, Parameter>>
  extends Dictionary<Tensor, R> {
  /**
   * Takes an object or entries.
   *
   * @param values the items
   */
  constructor(values: Entries<Tensor> = {}) {
    super();
    this.update(values);
  }

  /** The parameters held here, by name. */
  override *_ownParameters(): Generator<[string, Parameter]> {
    for (const [key, value] of this._items) if (value instanceof Parameter) yield [key, value];
  }

  /** Makes a tensor a parameter, and refuses what is none. */
  protected override checked(key: string, value: Tensor): Tensor {
    if (value instanceof Tensor) return asParameter(value);
    throw new ArgumentError(`ParameterDict(): expected a Tensor as "${key}": ${describe(value)}`);
  }

  /**
   * Takes the last added parameter out.
   *
   * @throws {ArgumentError} if there is none
   */
  popitem(): [string, Tensor] {
    const last = [...this._items].at(-1);
    if (last === undefined) throw new ArgumentError("ParameterDict.popitem(): the dictionary is empty");
    this._items.delete(last[0]);
    return last;
  }

  /** The parameter of a key, which is first set to `value` where there is none. */
  setdefault(key: string, value: Tensor): Tensor {
    if (!this._items.has(key)) this.set(key, value);
    return this._items.get(key)!;
  }

  /** A new dictionary with the same parameters. */
  copy(): ParameterDict<R> {
    return new ParameterDict(this._items) as ParameterDict<R>;
  }

  /** A new dictionary with the same value for every key. */
  fromkeys(keys: Iterable<string>, value: Tensor): ParameterDict {
    checkIterable("ParameterDict.fromkeys", "keys", keys);
    return new ParameterDict(Array.from(keys, (key) => [key, value] as const));
  }

  override extraRepr(): string {
    return Array.from(this._items, ([key, value]) => describeItem(key, value, legacyName(value))).join("\n");
  }

  override toString(): string {
    return block(this._name(), indented(this.extraRepr()), []);
  }
}

/** The class of {@linkcode ParameterDict}: a record of tensors gives its names to the items. */
export interface ParameterDictClass {
  /** From entries. */
  new (values?: Iterable<readonly [string, Tensor]>): ParameterDict;
  /** From a record. */
  new <R extends Record<string, Tensor>>(values: R): ParameterDict<AsParameters<R>>;
}

/** Parameters by name, in the order in which they were added; plain tensors become parameters. */
export const ParameterDict: ParameterDictClass = named(
  "ParameterDict",
  ParameterTable,
) as unknown as ParameterDictClass;
/** The type of a {@linkcode ParameterDict} whose items have the names of the record `R`. */
export type ParameterDict<R extends Record<string, Parameter> = Record<string, Parameter>> =
  & ParameterTable<R>
  & Attributes<R>;
