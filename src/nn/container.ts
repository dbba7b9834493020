/**
 * Containers: modules that hold modules or parameters in order or by name.
 *
 * A list's items are fields named "0", "1", …, so `list[0]` reads them and state-dict keys are PyTorch's. Dictionaries
 * keep their items in a map, so that no key can collide with a method.
 *
 * @module
 */

import { isPlainObject } from "../base/args.ts";
import type { DTypeName } from "../base/dtype.ts";
import { checkIterable, checkText } from "../base/checks.ts";
import { ArgumentError, describe, IndexError } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { chained } from "./linear_chain.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { block, listBlock } from "./repr.ts";

/** A module as containers call it, whatever its `forward` takes. */
interface Callable {
  call(...args: unknown[]): unknown;
}

function position(op: string, index: number, size: number): number {
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new IndexError(`${op}(): index ${index} is out of range; there are ${size} items`);
  }
  return index < 0 ? index + size : index;
}

function checkModule<T extends Module>(op: string, value: T): T {
  if (value instanceof Module) return value;
  throw new ArgumentError(`${op}(): expected a Module: ${describe(value)}`);
}

/** What `Sequential` and `ModuleList` share: an ordered list of modules in fields. */
export abstract class ModuleSequence<T extends Module> extends Module implements Iterable<T> {
  /** The items by position; for one from the end use `at(-1)`. */
  [index: number]: T;

  /** How many items there are. */
  get length(): number {
    return this.list().length;
  }

  /** How many items there are: Python's `len()`. */
  len(): number {
    return this.length;
  }

  /** The items in order. */
  [Symbol.iterator](): Iterator<T> {
    return this.list()[Symbol.iterator]();
  }

  /**
   * The item at a position, counted from the end if negative.
   *
   * @throws {IndexError} if there is none
   */
  at(index: number): T {
    const items = this.list();
    return items[position(`${this._name()}.at`, index, items.length)];
  }

  /**
   * Replaces the item at a position.
   *
   * @throws {IndexError} if there is none
   */
  setAt(index: number, module: T): void {
    const keys = this.names();
    this._setOwn(keys[position(`${this._name()}.setAt`, index, keys.length)], checkModule("setAt", module));
  }

  /** Adds a module at the end. */
  append(module: T): this {
    this.registerModule(String(this.length), checkModule(`${this._name()}.append`, module));
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<T>): this {
    checkIterable(`${this._name()}.extend`, "modules", modules);
    for (const module of [...modules]) this.append(module);
    return this;
  }

  /**
   * Puts a module before the one at `index`.
   *
   * @throws {IndexError} if the position is beyond the ends
   */
  insert(index: number, module: T): this {
    const items = this.list();
    if (!Number.isInteger(index) || index < -items.length || index > items.length) {
      throw new IndexError(`${this._name()}.insert(): index ${index} is out of range; there are ${items.length} items`);
    }
    items.splice(index, 0, checkModule(`${this._name()}.insert`, module));
    this.replace(items);
    return this;
  }

  /**
   * Takes the module at `index` out; those behind it move up.
   *
   * @throws {IndexError} if there is none
   */
  pop(index = -1): T {
    const items = this.list();
    const [taken] = items.splice(position(`${this._name()}.pop`, index, items.length), 1);
    this.replace(items);
    return taken;
  }

  /** The items from `start` to before `end`, as `Array.prototype.slice` counts. */
  protected itemsBetween(start?: number, end?: number): T[] {
    return this.list().slice(start, end);
  }

  /** The items in order. */
  private list(): T[] {
    return Array.from(this._ownModules(), ([, module]) => module as T);
  }

  /** The names of the items. */
  private names(): string[] {
    return Array.from(this._ownModules(), ([name]) => name);
  }

  /** Puts other items in place of these. */
  private replace(items: readonly T[]): void {
    const own = this as unknown as Record<string, unknown>;
    for (const key of this.names()) delete own[key];
    items.forEach((module, i) => own[i] = module);
  }
}

/**
 * Modules that run one after the other.
 *
 * Takes modules (`new nn.Sequential(a, b)`) or an object with names (`new nn.Sequential({ conv: a, relu: b })`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const { nn } = torch;
 * const model = new nn.Sequential(new nn.Linear(8, 4), new nn.ReLU(), new nn.Linear(4, 2));
 * assertEquals(model.call(torch.ones(3, 8)).shape, [3, 2]);
 * assertEquals(Object.keys(model.stateDict()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
 * ```
 */
export class Sequential extends ModuleSequence<Module> {
  /** Takes the modules in order, or one plain object of modules by name. */
  constructor(...modules: Module[] | [Record<string, Module>]) {
    super();
    const first = modules[0];
    if (modules.length === 1 && isPlainObject(first)) {
      for (const [name, module] of Object.entries(first)) {
        this.registerModule(name, checkModule("Sequential", module));
      }
    } else (modules as Module[]).forEach((module) => this.append(module));
  }

  /** The output of the last module. */
  override forward(input: Tensor): Tensor {
    let value: unknown = input;
    const modules = [...this];
    for (let i = 0; i < modules.length;) {
      const chain = chained(modules, i, value);
      value = chain === null ? (modules[i] as unknown as Callable).call(value) : chain[0];
      i += chain === null ? 1 : chain[1];
    }
    return value as Tensor;
  }

  /** A new `Sequential` of some of the modules, as `Array.prototype.slice` counts. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(...this.itemsBetween(start, end));
  }

  /** The module of a name given in the constructor. */
  get(name: string): Module {
    return this.getSubmodule(name);
  }
}

/** A list of modules, for `forward` to use as it likes. */
export class ModuleList<T extends Module = Module> extends ModuleSequence<T> {
  /**
   * Takes any iterable of modules.
   *
   * @param modules the items
   */
  constructor(modules: Iterable<T> = []) {
    super();
    this.extend(modules);
  }

  /** A list has no computation of its own. */
  override forward(): never {
    throw new ArgumentError(`${this._name()}(): the container has no forward; call the modules that it holds`);
  }

  /** A new list of some of the modules, as `Array.prototype.slice` counts. */
  slice(start?: number, end?: number): ModuleList<T> {
    return new ModuleList(this.itemsBetween(start, end));
  }

  /** As PyTorch prints it. */
  override toString(): string {
    return listBlock(this._name(), Array.from(this, (module) => module.toString()));
  }
}

/** Entries of a dictionary, in any of the forms that it takes. */
export type Entries<V> = Record<string, V> | Iterable<readonly [string, V]>;

function entriesOf<V>(op: string, items: Entries<V>): [string, V][] {
  if (typeof items !== "object" || items === null) {
    throw new ArgumentError(`${op}(): expected an object or [key, value] pairs: ${describe(items)}`);
  }
  const list = Symbol.iterator in items ? [...items as Iterable<readonly [string, V]>] : Object.entries(items);
  if (!list.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    throw new ArgumentError(`${op}(): expected an object or [key, value] pairs: ${describe(items)}`);
  }
  return list.map(([key, value]) => [key, value]);
}

/** Modules by name, in the order in which they were added. */
export class ModuleDict<T extends Module = Module> extends Module implements Iterable<string> {
  private readonly _items = new Map<string, T>();

  /**
   * Takes an object or entries.
   *
   * @param modules the items
   */
  constructor(modules: Entries<T> = {}) {
    super();
    this.update(modules);
  }

  /** The submodules held here, by name. */
  override *_ownModules(): Generator<[string, Module]> {
    yield* this._items;
  }

  /** Sets a parameter, a buffer or a submodule by name. */
  override _setOwn(name: string, value: Parameter | Tensor | Module): void {
    this._items.set(name, checkModule("ModuleDict", value as T));
  }

  /** How many items there are. */
  get length(): number {
    return this._items.size;
  }

  /** The module of a key, or `undefined`. */
  get(key: string): T | undefined {
    return this._items.get(key);
  }

  /** Sets the module of a key. */
  set(key: string, module: T): this {
    checkText("ModuleDict.set", "key", key);
    if (key === "" || key.includes(".")) {
      throw new ArgumentError(`ModuleDict.set(): a key can't be empty or contain ".": "${key}"`);
    }
    this._setOwn(key, module);
    return this;
  }

  /** Whether there is a module of that key. */
  has(key: string): boolean {
    return this._items.has(key);
  }

  /** The keys. */
  keys(): IterableIterator<string> {
    return this._items.keys();
  }

  /** The modules. */
  values(): IterableIterator<T> {
    return this._items.values();
  }

  /** Keys and modules. */
  items(): IterableIterator<[string, T]> {
    return this._items.entries();
  }

  /** The keys, as in Python. */
  [Symbol.iterator](): Iterator<string> {
    return this._items.keys();
  }

  /** Removes all modules. */
  clear(): void {
    this._items.clear();
  }

  /**
   * Takes a module out.
   *
   * @throws {ArgumentError} if there is none of that key
   */
  pop(key: string): T {
    const module = this._items.get(key);
    if (module === undefined) throw new ArgumentError(`ModuleDict.pop(): no module of that key: "${key}"`);
    this._items.delete(key);
    return module;
  }

  /** Adds or replaces several modules. */
  update(modules: Entries<T>): void {
    for (const [key, module] of entriesOf("ModuleDict.update", modules)) this.set(key, module);
  }

  /** A dictionary has no computation of its own. */
  override forward(): never {
    throw new ArgumentError(`${this._name()}(): the container has no forward; call the modules that it holds`);
  }
}

function asParameter(value: Tensor): Tensor {
  return value instanceof Tensor && !(value instanceof Parameter) ? new Parameter(value) : value;
}

/** One line of a parameter container; `type` is how the dtype is spelled there. */
function describeItem(key: string | number, value: Tensor, type: string): string {
  const kind = value instanceof Parameter ? "Parameter" : "Tensor";
  const device = value.device.type === "cpu" ? "" : ` (${value.device})`;
  return `(${key}): ${kind} containing: [${type} of size ${value.shape.join("x")}${device}]`;
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

/** A list of parameters; plain tensors become parameters. */
export class ParameterList extends Module implements Iterable<Tensor> {
  /** The items by position; for one from the end use `at(-1)`. */
  [index: number]: Tensor;

  /**
   * Takes any iterable of tensors.
   *
   * @param values the items
   */
  constructor(values: Iterable<Tensor> = []) {
    super();
    this.extend(values);
  }

  /** How many items there are. */
  get length(): number {
    return Object.keys(this).filter((key) => /^\d+$/.test(key)).length;
  }

  /**
   * The item at a position, counted from the end if negative.
   *
   * @throws {IndexError} if there is none
   */
  at(index: number): Tensor {
    return this[position("ParameterList.at", index, this.length)];
  }

  /** The items in order. */
  *[Symbol.iterator](): Iterator<Tensor> {
    for (let i = 0; i < this.length; i++) yield this[i];
  }

  /** Adds an item at the end. */
  append(value: Tensor): this {
    this[this.length] = asParameter(value);
    return this;
  }

  /** Adds items at the end. */
  extend(values: Iterable<Tensor>): this {
    checkIterable("ParameterList.extend", "values", values);
    for (const value of [...values]) this.append(value);
    return this;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return Array.from(this, (value, i) => describeItem(i, value, value.dtype.toString())).join("\n");
  }

  /** A list has no computation of its own. */
  override forward(): never {
    throw new ArgumentError("ParameterList(): the container has no forward; use the parameters that it holds");
  }

  /** As PyTorch prints it. */
  override toString(): string {
    return block(this._name(), indented(this.extraRepr()), []);
  }
}

/** PyTorch indents the items of parameter containers twice. */
function indented(lines: string): string {
  return lines === "" ? "" : lines.split("\n").map((line) => `  ${line}`).join("\n");
}

/** Parameters by name, in the order in which they were added; plain tensors become parameters. */
export class ParameterDict extends Module implements Iterable<string> {
  private readonly _items = new Map<string, Tensor>();

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

  /** Sets a parameter, a buffer or a submodule by name. */
  override _setOwn(name: string, value: Parameter | Tensor | Module): void {
    if (!(value instanceof Tensor)) throw new ArgumentError(`ParameterDict: expected a Tensor: ${describe(value)}`);
    this._items.set(name, asParameter(value));
  }

  /** How many items there are. */
  get length(): number {
    return this._items.size;
  }

  /**
   * The parameter of a key.
   *
   * @param defaultValue what is given where there is none
   */
  get(key: string, defaultValue?: Tensor): Tensor | undefined {
    return this._items.get(key) ?? defaultValue;
  }

  /** Sets the parameter of a key. */
  set(key: string, value: Tensor): this {
    this._setOwn(key, value);
    return this;
  }

  /** Whether there is a parameter of that key. */
  has(key: string): boolean {
    return this._items.has(key);
  }

  /** The keys. */
  keys(): IterableIterator<string> {
    return this._items.keys();
  }

  /** The parameters. */
  values(): IterableIterator<Tensor> {
    return this._items.values();
  }

  /** Keys and parameters. */
  items(): IterableIterator<[string, Tensor]> {
    return this._items.entries();
  }

  /** The keys, as in Python. */
  [Symbol.iterator](): Iterator<string> {
    return this._items.keys();
  }

  /** Removes all parameters. */
  clear(): void {
    this._items.clear();
  }

  /**
   * Takes a parameter out.
   *
   * @throws {ArgumentError} if there is none of that key
   */
  pop(key: string): Tensor {
    const value = this._items.get(key);
    if (value === undefined) throw new ArgumentError(`ParameterDict.pop(): no parameter of that key: "${key}"`);
    this._items.delete(key);
    return value;
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
  copy(): ParameterDict {
    return new ParameterDict(this._items);
  }

  /** A new dictionary with the same value for every key. */
  fromkeys(keys: Iterable<string>, value: Tensor): ParameterDict {
    return new ParameterDict(Array.from(keys, (key) => [key, value] as const));
  }

  /** Adds or replaces several parameters. */
  update(values: Entries<Tensor>): void {
    for (const [key, value] of entriesOf("ParameterDict.update", values)) this.set(key, value);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return Array.from(this._items, ([key, value]) => describeItem(key, value, legacyName(value))).join("\n");
  }

  /** A dictionary has no computation of its own. */
  override forward(): never {
    throw new ArgumentError("ParameterDict(): the container has no forward; use the parameters that it holds");
  }

  /** As PyTorch prints it. */
  override toString(): string {
    return block(this._name(), indented(this.extraRepr()), []);
  }
}
