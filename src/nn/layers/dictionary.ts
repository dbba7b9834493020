/**
 * `ModuleDict` and `ParameterDict`: modules or parameters by name.
 *
 * Items stand in a map, so that no key can collide with a method. A key that collides with none is an attribute too:
 * `d.wte` reads and writes the item.
 *
 * @module
 */

import { rowOf } from "../../base/dtype_table.ts";
import { checkIterable, checkText } from "../../base/checks.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { asParameter, checkModule, describeItem, indented } from "../module/items.ts";
import { Module } from "../module/module.ts";
import { Parameter } from "../module/parameter.ts";
import { block } from "../module/repr.ts";

/** The entries of a dictionary: a plain object, or pairs of key and value. */
export type Entries<V> = Readonly<Record<string, V>> | Iterable<readonly [string, V]>;

/** The type of the item of a key: `undefined` is possible where the type of the dictionary does not name its keys. */
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

/** The base of both dictionaries: items of type `V` under the names of the record `R`. */
export abstract class Dictionary<V, R extends Record<string, V>> extends Module implements Iterable<string> {
  /** The items in the order in which they were added. */
  protected readonly _items: Map<string, V> = new Map();

  /** Checks an item, and converts it. */
  protected abstract checked(key: string, value: V): V;

  /** The number of items. */
  get length(): number {
    return this._items.size;
  }

  /**
   * The item of a key.
   *
   * @param defaultValue what is returned where there is no such item
   */
  get<K extends keyof R & string>(key: K): Item<R, K>;
  /** The item of a key, or `defaultValue` where there is none. */
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
   * Removes and returns an item.
   *
   * @throws {ArgumentError} if there is no item of that key
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

/**
 * Defines a key as an attribute on the prototype, so that every dictionary (and copies of it) can read and write it.
 */
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
   * Makes a dictionary of a plain object or of pairs of key and value.
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

  /** Throws unless the value is a module. */
  protected override checked(key: string, value: Module): Module {
    return checkModule("ModuleDict", describe(key), value);
  }
}

/**
 * The type of the class {@linkcode ModuleDict}: constructed from a record of modules, the items have the record's
 * types.
 */
export type ModuleDictClass = new <R extends Record<string, Module> = Record<string, Module>>(
  modules?: R | Iterable<readonly [string, Module]>,
) => ModuleDict<R>;

/**
 * Modules by name, in the order in which they were added.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const { nn } = torch;
 * const parts = new nn.ModuleDict({ wte: new nn.Embedding(10, 4), head: new nn.Linear(4, 10) });
 * assertEquals(parts.head.call(parts.wte.call(torch.tensor([1n]))).shape, [1, 10]);
 * ```
 */
export const ModuleDict: ModuleDictClass = named("ModuleDict", ModuleTable) as unknown as ModuleDictClass;
/** The type of a {@linkcode ModuleDict} whose items have the types of the record `R`. */
export type ModuleDict<R extends Record<string, Module> = Record<string, Module>> = ModuleTable<R> & Attributes<R>;

/** Gives a class its public name, which is also printed. */
function named<C extends object>(name: string, made: C): C {
  return Object.defineProperty(made, "name", { value: name });
}

function legacyName(value: Tensor): string {
  const space = value.device.type === "cpu" ? "torch" : `torch.${value.device.type}`;
  return `${space}.${rowOf(value.dtype).tensorType}Tensor`;
}

/** The record type `R` with parameters in place of tensors. */
export type AsParameters<R> = { [K in keyof R]: Parameter };

/** The methods of {@linkcode ParameterDict}. */
export class ParameterTable<R extends Record<string, Parameter> = Record<string, Parameter>>
  extends Dictionary<Tensor, R> {
  /**
   * Makes a dictionary of a plain object or of pairs of key and value.
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

  /** Makes a tensor a parameter; throws for other values. */
  protected override checked(key: string, value: Tensor): Tensor {
    if (value instanceof Tensor) return asParameter(value);
    throw new ArgumentError(`ParameterDict(): expected a Tensor as "${key}": ${describe(value)}`);
  }

  /**
   * Removes and returns the last added parameter with its key.
   *
   * @throws {ArgumentError} if the dictionary is empty
   */
  popitem(): [string, Tensor] {
    const last = [...this._items].at(-1);
    if (last === undefined) throw new ArgumentError("ParameterDict.popitem(): the dictionary is empty");
    this._items.delete(last[0]);
    return last;
  }

  /** The parameter of a key; where there is none, it is first set to `value`. */
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

/**
 * The type of the class {@linkcode ParameterDict}: constructed from a record of tensors, the items have the record's
 * names.
 */
export interface ParameterDictClass {
  /** Makes a dictionary from pairs of name and tensor. */
  new (values?: Iterable<readonly [string, Tensor]>): ParameterDict;
  /** Makes a dictionary from a plain object. */
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
