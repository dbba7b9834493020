/**
 * Containers of modules or parameters in order: `Sequential`, `ModuleList`, `ParameterList`.
 *
 * A list's items are fields named "0", "1", …, so `list[0]` reads them and state-dict keys are PyTorch's.
 *
 * @module
 */

import { type Args, call, isPlainObject } from "../../base/call.ts";
import { checkInteger, checkIterable } from "../../base/checks.ts";
import { ArgumentError, describe, IndexError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { asParameter, checkModule, describeItem, indented } from "../module/items.ts";
import { chained } from "./linear_chain.ts";
import { Module } from "../module/module.ts";
import { block, listBlock } from "../module/repr.ts";

/** A module with the type by which containers call it. */
interface Callable {
  call(...args: unknown[]): unknown;
}

function position(op: string, index: number, size: number): number {
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new IndexError(`${op}(): index ${describe(index)} is out of range; there are ${size} items`);
  }
  return index < 0 ? index + size : index;
}

/** The parameters of `insert`. */
export class InsertArgs<T> {
  constructor(
    /** The position of the new item; negative from the end. */
    public index: number,
    /** The module. */
    public module: T,
  ) {}
}

/** The parameters of `append`. */
export class AppendArgs<T> {
  constructor(
    /** The module. */
    public module: T,
  ) {}
}

/** The parameters of `at`, and of `pop`. */
export class IndexArgs {
  constructor(
    /** The position of the item; negative from the end. */
    public index: number = -1,
  ) {}
}

const insertArgs = call("insert", InsertArgs<Module>);
const setAtArgs = call("setAt", InsertArgs<Module>);
const appendArgs = call("append", AppendArgs<Module>);
const popArgs = call("pop", IndexArgs);

/** The base of `Sequential` and `ModuleList`: an ordered list of modules in fields. */
export abstract class ModuleSequence<T extends Module> extends Module implements Iterable<T> {
  /** The items by position; for one from the end use `at(-1)`. */
  [index: number]: T;

  /** The number of items. */
  get length(): number {
    return this.list().length;
  }

  /** The number of items, as Python's `len()` gives it. */
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
   * @throws {IndexError} if there is no such item
   */
  at(index: number): T {
    const items = this.list();
    return items[position(`${this._name()}.at`, index, items.length)];
  }

  /**
   * Replaces the item at a position.
   *
   * @throws {IndexError} if there is no such item
   */
  setAt(...args: Args<typeof InsertArgs<T>>): void {
    const { index, module } = setAtArgs(args);
    const op = `${this._name()}.setAt`, keys = this.names();
    this._setOwn(keys[position(op, index, keys.length)], checkModule(op, `item ${index}`, module));
  }

  /** Adds a module at the end. */
  append(...args: Args<typeof AppendArgs<T>>): this {
    return this.add(`${this._name()}.append`, appendArgs(args).module as T);
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<T>): this {
    const op = `${this._name()}.extend`;
    checkIterable(op, "modules", modules);
    for (const module of [...modules]) this.add(op, module);
    return this;
  }

  /** Adds a checked module at the end. */
  protected add(op: string, module: T): this {
    const { length } = this;
    this.registerModule(String(length), checkModule(op, `item ${length}`, module));
    return this;
  }

  /**
   * Puts a module before the one at `index`.
   *
   * @throws {IndexError} if the position is beyond the ends
   */
  insert(...args: Args<typeof InsertArgs<T>>): this {
    const { index, module } = insertArgs(args);
    const items = this.list();
    if (!Number.isInteger(index) || index < -items.length || index > items.length) {
      throw new IndexError(`${this._name()}.insert(): index ${index} is out of range; there are ${items.length} items`);
    }
    items.splice(index, 0, checkModule(`${this._name()}.insert`, `item ${index}`, module as T));
    this.replace(items);
    return this;
  }

  /**
   * Removes and returns the module at `index`; those behind it move up.
   *
   * @throws {IndexError} if there is no such item
   */
  pop(...args: Args<typeof IndexArgs>): T {
    const { index } = popArgs(args);
    const items = this.list();
    const [taken] = items.splice(position(`${this._name()}.pop`, index, items.length), 1);
    this.replace(items);
    return taken;
  }

  /** The items from `start` to before `end`, as `Array.prototype.slice` counts. */
  protected itemsBetween(start?: number, end?: number): T[] {
    if (start !== undefined) checkInteger("slice", "start", start);
    if (end !== undefined && end !== Infinity) checkInteger("slice", "end", end);
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

  /** Replaces all items. */
  private replace(items: readonly T[]): void {
    const own = this as unknown as Record<string, unknown>;
    for (const key of this.names()) delete own[key];
    items.forEach((module, i) => own[i] = module);
  }
}

/**
 * A chain of modules: each is called with the output of the one before.
 *
 * Takes modules (`new nn.Sequential(a, b)`) or an object with names (`new nn.Sequential({ conv: a, relu: b })`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const { nn } = torch;
 * const model = new nn.Sequential(new nn.Linear(8, 4), new nn.ReLU(), new nn.Linear(4, 2));
 * assertEquals(model.call(torch.ones(3, 8)).shape, [3, 2]);
 * assertEquals(Object.keys(model.stateDict()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
 * ```
 */
export class Sequential extends ModuleSequence<Module> {
  /** Makes a chain of modules in order, or of one plain object of modules by name. */
  constructor(...modules: Module[] | [Record<string, Module>]) {
    super();
    const first = modules[0];
    if (modules.length === 1 && isPlainObject(first)) {
      for (const [name, module] of Object.entries(first)) {
        this.registerModule(name, checkModule("Sequential", `"${name}"`, module));
      }
    } else for (const module of modules as Module[]) this.add("Sequential", module);
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

  /** The module of a name that was given to the constructor. */
  get(name: string): Module {
    return this.getSubmodule(name);
  }
}

/** A list of modules that a `forward` written by the user calls. */
export class ModuleList<T extends Module = Module> extends ModuleSequence<T> {
  /**
   * Makes a list of any iterable of modules.
   *
   * @param modules the items
   */
  constructor(modules: Iterable<T> = []) {
    super();
    checkIterable("ModuleList", "modules", modules);
    for (const module of modules) this.add("ModuleList", module);
  }

  /** Throws: a list has no computation of its own. */
  override forward(): never {
    throw new ArgumentError(`${this._name()}(): the container has no forward; call the modules that it holds`);
  }

  /** A new list of some of the modules, as `Array.prototype.slice` counts. */
  slice(start?: number, end?: number): ModuleList<T> {
    return new ModuleList(this.itemsBetween(start, end));
  }

  override toString(): string {
    return listBlock(this._name(), Array.from(this, (module) => module.toString()));
  }
}

/** A list of parameters; plain tensors become parameters. */
export class ParameterList extends Module implements Iterable<Tensor> {
  /** The items by position; for one from the end use `at(-1)`. */
  [index: number]: Tensor;

  /**
   * Makes a list of any iterable of tensors.
   *
   * @param values the items
   */
  constructor(values: Iterable<Tensor> = []) {
    super();
    this.extend(values);
  }

  /** The number of items. */
  get length(): number {
    return Object.keys(this).filter((key) => /^\d+$/.test(key)).length;
  }

  /**
   * The item at a position, counted from the end if negative.
   *
   * @throws {IndexError} if there is no such item
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

  override extraRepr(): string {
    return Array.from(this, (value, i) => describeItem(i, value, value.dtype.toString())).join("\n");
  }

  /** Throws: a list has no computation of its own. */
  override forward(): never {
    throw new ArgumentError("ParameterList(): the container has no forward; use the parameters that it holds");
  }

  override toString(): string {
    return block(this._name(), indented(this.extraRepr()), []);
  }
}
