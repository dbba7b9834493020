/**
 * `Module`, the base class of every layer and network.
 *
 * A module *is* its fields: a field that holds a {@linkcode Parameter} is a parameter, one that holds a module is a
 * submodule, in the order in which the fields were made; `registerBuffer` marks a tensor field as state. Nothing else is
 * registered anywhere, so assigning to a field is all that PyTorch's `__setattr__` does. Fields that are private
 * (`#name`) are invisible here, as everywhere else.
 *
 * `call` runs `forward` with the hooks around it and is an ownership boundary: see "Memory" in ARCHITECTURE.md.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
 * @module
 */

import type { Args } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Device } from "../base/device.ts";
import type { MemoryFormat } from "../base/layout.ts";
import { bfloat16, DType, float16, float32, float64 } from "../base/dtype.ts";
import { device as parseDevice } from "../base/device.ts";
import { noGrad } from "../autograd/mode.ts";
import { visitTensors } from "../tensor/scope.ts";
import { runOwned, type Storage } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { deepCopy } from "./fields.ts";
import type { RemovableHandle } from "../autograd/node.ts";
import { callWithHooks, type ForwardHookOptions, ModuleHooks } from "./module_hooks.ts";
import { Buffer, Parameter, peekGrad, setData } from "./parameter.ts";
import { block } from "./repr.ts";
import {
  type IncompatibleKeys,
  loadStateDict,
  type LoadStateDictArgs,
  type StateDict,
  stateDict,
} from "./state_dict.ts";
import { named } from "./walk.ts";

/** Where a module keeps what is not a field of the user: symbols are not fields. */
const STATE: unique symbol = Symbol("cresset.module");

/** The method that says whether a module may be computed together with its neighbours. */
export const CALLS_ONLY_FORWARD: unique symbol = Symbol("cresset.callsOnlyForward");

/** How many dimensions the formats that a module can be brought to are for. */
const FORMAT_NDIM: Readonly<Record<string, number>> = { channels_last: 4, channels_last_3d: 5 };

/** What a module knows besides its fields. */
export class ModuleState {
  /** Names of the buffers, and whether they are saved. */
  readonly buffers: Map<string, boolean> = new Map();
  /** Hooks of calls and of state dicts. */
  readonly hooks: ModuleHooks = new ModuleHooks();
}

/** Where and as what a module's tensors should be. */
export interface ToOptions {
  /** The device. */
  device?: string | Device;
  /** The dtype of floating and complex tensors. */
  dtype?: DType;
  /** Accepted for compatibility; copies are ordered on the device anyway. */
  nonBlocking?: boolean;
  /** The layout of parameters and buffers that have the dimensions for it: `channelsLast` for 4, `channelsLast3d` for 5. */
  memoryFormat?: MemoryFormat;
}

/**
 * Base class of all layers and networks.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const { nn } = torch;
 * class Net extends nn.Module {
 *   conv = new nn.Conv2d(1, 8, 3);
 *   fc = new nn.Linear(8 * 6 * 6, 10);
 *   forward(x: torch.Tensor): torch.Tensor {
 *     return this.fc.call(nn.functional.relu(this.conv.call(x)).flatten(1));
 *   }
 * }
 * const net = new Net();
 * assertEquals(net.call(torch.randn(2, 1, 8, 8)).shape, [2, 10]);
 * assertEquals(Object.keys(net.stateDict()), ["conv.weight", "conv.bias", "fc.weight", "fc.bias"]);
 * ```
 */
export abstract class Module {
  /** Whether the module is in training mode; set by {@linkcode Module.train} and {@linkcode Module.eval}. */
  training = true;
  /** What is not a field of the user. */
  readonly [STATE]: ModuleState = new ModuleState();

  /** The computation; written by the subclass, called through {@linkcode Module.call}. */
  abstract forward(...args: never[]): unknown;

  /**
   * Runs the module: hooks and `forward`, inside an ownership scope that releases what the call made and nothing keeps.
   *
   * @param args what `forward` takes
   */
  call(...args: Parameters<this["forward"]>): ReturnType<this["forward"]> {
    const hooks = this[STATE].hooks;
    const run = hooks.none
      ? () => this.forward(...(args as never[]))
      : () => callWithHooks(this, hooks, args, (input) => this.forward(...(input as never[])));
    return runOwned(run, (result, visit) => this.reachable(result, visit)) as ReturnType<this["forward"]>;
  }

  /** The storages that outlive a call: those of its result and of everything the module's fields hold. */
  private reachable(result: unknown, visit: (storage: Storage) => void): void {
    visitTensors([result, this], visit);
  }

  /** Whether {@linkcode Module.call} does nothing but `forward`, and that is its class's: others may then compute it. */
  [CALLS_ONLY_FORWARD](): boolean {
    return this[STATE].hooks.none && !Object.hasOwn(this, "forward");
  }

  // Registration

  /**
   * Makes a tensor field part of the module's state: moved by `to`, saved by `stateDict` unless not persistent.
   *
   * @param name the field's name, also its key in the state dict
   * @param tensor the value; `null` keeps the name without a buffer
   * @param persistent whether it is saved, alone or as `{ persistent }`; default true
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken
   */
  registerBuffer(name: string, tensor: Tensor | null, persistent: boolean | { persistent?: boolean } = true): void {
    checkName(this, "buffer", name, this[STATE].buffers.has(name));
    if (tensor !== null && !(tensor instanceof Tensor)) {
      throw new ArgumentError(`registerBuffer(): the buffer "${name}" must be a Tensor or null`);
    }
    this[STATE].buffers.set(name, typeof persistent === "boolean" ? persistent : persistent.persistent ?? true);
    fields(this)[name] = tensor;
  }

  /**
   * Sets a parameter by name; the same as assigning the field.
   *
   * @param name the field's name
   * @param parameter the parameter, or `null` for none
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken, or the value is not a parameter
   */
  registerParameter(name: string, parameter: Parameter | null): void {
    checkName(this, "parameter", name, fields(this)[name] instanceof Parameter);
    if (parameter !== null && !(parameter instanceof Parameter)) {
      throw new ArgumentError(
        `registerParameter(): "${name}" must be a Parameter or null; wrap it: new nn.Parameter(…)`,
      );
    }
    fields(this)[name] = parameter;
  }

  /**
   * Sets a submodule by name; the same as assigning the field.
   *
   * @param name the field's name
   * @param module the submodule, or `null` for none
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken
   */
  registerModule(name: string, module: Module | null): void {
    checkName(this, "module", name, fields(this)[name] instanceof Module);
    if (module !== null && !(module instanceof Module)) {
      throw new ArgumentError(`registerModule(): "${name}" must be a Module or null`);
    }
    fields(this)[name] = module;
  }

  /** PyTorch's older name of {@linkcode Module.registerModule}. */
  addModule(name: string, module: Module | null): void {
    this.registerModule(name, module);
  }

  // What the fields hold; containers that keep their items elsewhere override these three.

  /** The module's own parameters with their names, not those of submodules. */
  *_ownParameters(): Generator<[string, Parameter]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Parameter) yield [name, value];
  }

  /** The module's own buffers: name, value, and whether it is saved. */
  *_ownBuffers(): Generator<[string, Tensor, boolean]> {
    const registered = this[STATE].buffers;
    for (const [name, value] of Object.entries(this)) {
      if (!(value instanceof Tensor)) continue;
      if (value instanceof Buffer) yield [name, value, value.persistent];
      else if (registered.has(name) && !(value instanceof Parameter)) yield [name, value, registered.get(name)!];
    }
  }

  /** The module's direct submodules with their names, a shared one each time. */
  *_ownModules(): Generator<[string, Module]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Module) yield [name, value];
  }

  /** Replaces a parameter, buffer or submodule by name. */
  _setOwn(name: string, value: Parameter | Tensor | Module): void {
    fields(this)[name] = value;
  }

  // Walking the tree

  /** The direct submodules with their names; a shared one once. */
  *namedChildren(): Generator<[string, Module]> {
    const seen = new Set<Module>();
    for (const entry of this._ownModules()) {
      if (seen.has(entry[1])) continue;
      seen.add(entry[1]);
      yield entry;
    }
  }

  /** The direct submodules. */
  *children(): Generator<Module> {
    for (const [, module] of this.namedChildren()) yield module;
  }

  /**
   * The module itself (name `""`) and all modules below it, parents first.
   *
   * @param memo modules that are skipped
   * @param prefix put before every name
   * @param removeDuplicate whether a shared module appears once
   */
  *namedModules(memo: Set<Module> = new Set(), prefix = "", removeDuplicate = true): Generator<[string, Module]> {
    if (memo.has(this)) return;
    if (removeDuplicate) memo.add(this);
    yield [prefix, this];
    for (const [name, module] of this._ownModules()) {
      yield* module.namedModules(memo, prefix === "" ? name : `${prefix}.${name}`, removeDuplicate);
    }
  }

  /** The module itself and all modules below it; shared ones once. */
  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /**
   * The parameters with their names, which are their keys in the state dict; shared ones once, under the first name.
   *
   * @param prefix put before every name
   * @param recurse whether submodules are included
   * @param removeDuplicate whether a shared parameter appears once
   */
  *namedParameters(prefix = "", recurse = true, removeDuplicate = true): Generator<[string, Parameter]> {
    yield* named(this, prefix, recurse, removeDuplicate, (m) => m._ownParameters());
  }

  /** The parameters, shared ones once: what an optimizer is given. */
  *parameters(recurse = true): Generator<Parameter> {
    for (const [, parameter] of this.namedParameters("", recurse)) yield parameter;
  }

  /**
   * The buffers with their names.
   *
   * @param prefix put before every name
   * @param recurse whether submodules are included
   * @param removeDuplicate whether a shared buffer appears once
   */
  *namedBuffers(prefix = "", recurse = true, removeDuplicate = true): Generator<[string, Tensor]> {
    for (const entry of named<Tensor>(this, prefix, recurse, removeDuplicate, (m) => m._ownBuffers())) yield entry;
  }

  /** The buffers. */
  *buffers(recurse = true): Generator<Tensor> {
    for (const [, buffer] of this.namedBuffers("", recurse)) yield buffer;
  }

  /**
   * The module at a path such as `"layers.0.conv1"`; `""` is the module itself.
   *
   * @throws {ArgumentError} if there is none
   */
  getSubmodule(target: string): Module {
    if (target === "") return this;
    const [name, ...rest] = target.split(".");
    const found = [...this._ownModules()].find(([own]) => own === name);
    if (!found) throw new ArgumentError(`getSubmodule(): ${this._name()} has no submodule "${name}": "${target}"`);
    return found[1].getSubmodule(rest.join("."));
  }

  /**
   * Replaces the module at a path.
   *
   * @throws {ArgumentError} if the path is empty or its parent does not exist
   */
  setSubmodule(target: string, module: Module): void {
    if (target === "") throw new ArgumentError("setSubmodule(): the target must not be empty");
    const [parent, name] = this.parentOf(target);
    parent._setOwn(name, module);
  }

  /**
   * The parameter at a path such as `"layers.0.weight"`.
   *
   * @throws {ArgumentError} if there is none
   */
  getParameter(target: string): Parameter {
    const [parent, name] = this.parentOf(target);
    const found = [...parent._ownParameters()].find(([own]) => own === name);
    if (!found) throw new ArgumentError(`getParameter(): ${parent._name()} has no parameter "${name}": "${target}"`);
    return found[1];
  }

  /**
   * The buffer at a path such as `"bn.running_mean"`.
   *
   * @throws {ArgumentError} if there is none
   */
  getBuffer(target: string): Tensor {
    const [parent, name] = this.parentOf(target);
    const found = [...parent._ownBuffers()].find(([own]) => own === name);
    if (!found) throw new ArgumentError(`getBuffer(): ${parent._name()} has no buffer "${name}": "${target}"`);
    return found[1];
  }

  /** The module that a dotted name ends in, and the last part of the name. */
  private parentOf(target: string): [Module, string] {
    const dot = target.lastIndexOf(".");
    return [this.getSubmodule(target.slice(0, Math.max(dot, 0))), target.slice(dot + 1)];
  }

  // Saving and loading

  /**
   * The parameters and persistent buffers by name, detached, sharing memory with the module.
   *
   * @param options `prefix` is put before every key; `keepVars` gives the tensors themselves
   */
  stateDict(options: { prefix?: string; keepVars?: boolean } = {}): StateDict {
    return stateDict(this, options.prefix ?? "", options.keepVars ?? false);
  }

  /**
   * Copies a state dict into the module.
   *
   * @param state tensors by name
   * @param args whether the keys must be exactly the module's, and whether to take the tensors themselves
   * @returns the keys that were missing or unexpected
   * @throws {ArgumentError} one error that lists every missing and unexpected key and every mismatch of sizes
   */
  loadStateDict(state: StateDict, ...args: Args<LoadStateDictArgs, ["strict", "assign"]>): IncompatibleKeys {
    return loadStateDict(this, state, args);
  }

  // State that applies to the whole tree

  /**
   * Calls `fn` for every module of the tree, submodules first: for initialisation.
   *
   * @param fn what to do with each module
   */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /**
   * Sets training mode for the whole tree: dropout drops, batch norm uses the batch.
   *
   * @param mode false is the same as {@linkcode Module.eval}
   */
  train(mode = true): this {
    if (typeof mode !== "boolean") throw new ArgumentError(`train(): training mode must be boolean: ${String(mode)}`);
    this.training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Sets evaluation mode for the whole tree. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Sets whether gradients are recorded for all parameters.
   *
   * @param requiresGrad false freezes the module
   */
  requiresGrad_(requiresGrad = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(requiresGrad);
    return this;
  }

  /**
   * Clears the gradients of all parameters.
   *
   * @param setToNone whether they become `null` (default) or zeros; also by name
   */
  zeroGrad(setToNone: boolean | { setToNone?: boolean } = true): void {
    const drop = typeof setToNone === "boolean" ? setToNone : setToNone.setToNone ?? true;
    for (const parameter of this.parameters()) {
      const grad = peekGrad(parameter);
      if (grad === null) continue;
      if (drop) parameter.grad = null;
      else noGrad(() => grad.zero_());
    }
  }

  /**
   * Moves and converts all parameters and buffers, in place.
   *
   * @param target a device, a dtype (applied to floating and complex tensors), a tensor whose device and dtype are
   *   taken, or an object with any of device, dtype and memoryFormat
   * @param dtype with a device, the dtype
   * @throws {ArgumentError} if the dtype is neither floating nor complex
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import * as torch from "../../mod.ts";
   *
   * const conv = new torch.nn.Conv2d(3, 8, 3).to({ memoryFormat: torch.channelsLast });
   * assertEquals(conv.weight.stride(), [27, 1, 9, 3]);
   * assertEquals(conv.call(torch.randn(1, 3, 8, 8)).isContiguous({ memoryFormat: torch.channelsLast }), true);
   * ```
   */
  to(target: string | Device | DType | Tensor | ToOptions, dtype?: DType): this {
    const wanted = toOptions(target, dtype);
    const { dtype: type } = wanted;
    const where = wanted.device === undefined ? undefined : parseDevice(wanted.device);
    if (type && !type.isFloatingPoint && !type.isComplex) {
      throw new ArgumentError(`Module.to(): only floating and complex dtypes are possible: ${type}`);
    }
    const { memoryFormat } = wanted;
    return this._applyTensors((t) => {
      const convert = type !== undefined && (t.dtype.isFloatingPoint || t.dtype.isComplex);
      const formatted = memoryFormat !== undefined && (FORMAT_NDIM[memoryFormat] ?? t.ndim) === t.ndim;
      return t.to({
        device: where,
        dtype: convert ? type : undefined,
        memoryFormat: formatted ? memoryFormat : undefined,
      });
    });
  }

  /** Moves the module to the CPU, once its device has computed the values. */
  async cpu(): Promise<this> {
    for (const tensor of new Set<Tensor>([...this.parameters(), ...this.buffers()])) {
      setData(tensor, await tensor.detach().cpu());
      const grad = peekGrad(tensor);
      if (grad !== null) setData(grad, await grad.detach().cpu());
    }
    return this;
  }

  /** Moves the module to an NVIDIA GPU. */
  cuda(index?: number): this {
    return this.to(index === undefined ? "cuda" : `cuda:${index}`);
  }

  /** Converts every parameter and buffer, integer ones too. */
  type(dtype: DType): this {
    return this._applyTensors((t) => t.to({ dtype }));
  }

  /** Converts floating parameters and buffers to float32. */
  float(): this {
    return this.cast(float32);
  }

  /** Converts floating parameters and buffers to float64. */
  double(): this {
    return this.cast(float64);
  }

  /** Converts floating parameters and buffers to float16. */
  half(): this {
    return this.cast(float16);
  }

  /** Converts floating parameters and buffers to bfloat16. */
  bfloat16(): this {
    return this.cast(bfloat16);
  }

  /** Converts every floating parameter and buffer. */
  private cast(dtype: DType): this {
    return this._applyTensors((t) => t.dtype.isFloatingPoint ? t.to({ dtype }) : t);
  }

  /**
   * Moves the module to a device without its values.
   *
   * @param options the device
   */
  toEmpty(options: { device: string | Device }): this {
    return this._applyTensors((t) => t.emptyLike({ device: options.device }));
  }

  /** Replaces the memory of every parameter, its gradient and every buffer by what `fn` gives; identity is kept. */
  _applyTensors(fn: (tensor: Tensor) => Tensor): this {
    const done = new Set<Tensor>();
    const replace = (tensor: Tensor) => {
      if (done.has(tensor)) return;
      done.add(tensor);
      noGrad(() => setData(tensor, fn(tensor.detach())));
      const grad = peekGrad(tensor);
      if (grad !== null) replace(grad);
    };
    for (const parameter of this.parameters()) replace(parameter);
    for (const buffer of this.buffers()) replace(buffer);
    return this;
  }

  /** A deep copy with its own parameters and buffers: Python's `copy.deepcopy`. Hooks are not copied. */
  clone(): this {
    return deepCopy<this>(this, (original) => {
      if (!(original instanceof Module)) return null;
      const copy = Object.create(Object.getPrototypeOf(original)) as { -readonly [K in typeof STATE]: ModuleState };
      copy[STATE] = new ModuleState();
      for (const [name, persistent] of original[STATE].buffers) copy[STATE].buffers.set(name, persistent);
      return copy;
    });
  }

  // Hooks

  /**
   * Runs `hook(module, args)` before `forward`; what it returns, if anything, replaces the arguments.
   *
   * @param hook returns nothing, one value, or an array of arguments
   * @param options `prepend` runs it before the others
   */
  registerForwardPreHook(
    hook: (module: this, args: unknown[]) => unknown,
    options: { prepend?: boolean } = {},
  ): RemovableHandle {
    return this[STATE].hooks.forwardPre.add(hook as (m: Module, a: unknown[]) => unknown, options.prepend);
  }

  /**
   * Runs `hook(module, args, output)` after `forward`; what it returns, if anything, replaces the output.
   *
   * @param hook may keep the tensors that it is given
   * @param options `prepend` runs it before the others; `alwaysCall` runs it even when `forward` throws
   */
  registerForwardHook(
    hook: (module: this, args: unknown[], output: unknown) => unknown,
    options: ForwardHookOptions = {},
  ): RemovableHandle {
    const entry = { hook: hook as (m: Module, a: unknown[], o: unknown) => unknown, always: !!options.alwaysCall };
    return this[STATE].hooks.forward.add(entry, options.prepend);
  }

  /**
   * Runs `hook(module, gradOutput)` before the module's backward pass; an array that it returns replaces `gradOutput`.
   *
   * @param options `prepend` runs it before the others
   */
  registerFullBackwardPreHook(
    hook: (module: this, gradOutput: (Tensor | null)[]) => (Tensor | null)[] | void,
    options: { prepend?: boolean } = {},
  ): RemovableHandle {
    const list = this[STATE].hooks.backwardPre;
    return list.add(hook as (m: Module, g: (Tensor | null)[]) => (Tensor | null)[] | void, options.prepend);
  }

  /**
   * Runs `hook(module, gradInput, gradOutput)` when the gradients of the module's inputs are known; an array that it
   * returns replaces `gradInput`.
   *
   * @param options `prepend` runs it before the others
   */
  registerFullBackwardHook(
    hook: (
      module: this,
      gradInput: (Tensor | null)[],
      gradOutput: (Tensor | null)[],
    ) => (Tensor | null)[] | void,
    options: { prepend?: boolean } = {},
  ): RemovableHandle {
    const list = this[STATE].hooks.backward;
    return list.add(hook as (typeof list)["all"][number], options.prepend);
  }

  /** Runs `hook(module, prefix, keepVars)` before the module's part of `stateDict()` is made. */
  registerStateDictPreHook(hook: (module: this, prefix: string, keepVars: boolean) => void): RemovableHandle {
    return this[STATE].hooks.statePre.add(hook as (m: Module, p: string, k: boolean) => void);
  }

  /** Runs `hook(module, stateDict, prefix)` when the module's part of `stateDict()` is made; it may change it. */
  registerStateDictPostHook(hook: (module: this, state: StateDict, prefix: string) => void): RemovableHandle {
    return this[STATE].hooks.statePost.add(hook as (m: Module, s: StateDict, p: string) => void);
  }

  /** Runs `hook(module, stateDict, prefix)` before the module takes its part; it may change the (copied) dict. */
  registerLoadStateDictPreHook(hook: (module: this, state: StateDict, prefix: string) => void): RemovableHandle {
    return this[STATE].hooks.loadPre.add(hook as (m: Module, s: StateDict, p: string) => void);
  }

  /** Runs `hook(module, incompatibleKeys)` when the module has taken its part; it may change the lists. */
  registerLoadStateDictPostHook(hook: (module: this, keys: IncompatibleKeys) => void): RemovableHandle {
    return this[STATE].hooks.loadPost.add(hook as (m: Module, k: IncompatibleKeys) => void);
  }

  /** The module's hooks, for the functions of this folder. */
  get _hooks(): ModuleHooks {
    return this[STATE].hooks;
  }

  // Printing

  /** The name that is printed; the class's. */
  _name(): string {
    return this.constructor.name;
  }

  /** What is printed between the parentheses, in PyTorch's words; overridden by layers. */
  extraRepr(): string {
    return "";
  }

  /** The module as PyTorch prints it. */
  toString(): string {
    const children: [string, string][] = [];
    for (const [name, module] of this._ownModules()) children.push([name, module.toString()]);
    return block(this._name(), this.extraRepr(), children);
  }

  /** How `console.log` shows it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

function fields(module: Module): Record<string, unknown> {
  return module as unknown as Record<string, unknown>;
}

function checkName(module: Module, what: string, name: string, replace: boolean): void {
  if (name === "") throw new ArgumentError(`${what} name can't be empty string ""`);
  if (name.includes(".")) throw new ArgumentError(`${what} name can't contain ".": "${name}"`);
  const value = fields(module)[name];
  if (!replace && value !== undefined && value !== null) throw new ArgumentError(`attribute '${name}' already exists`);
}

function toOptions(target: string | Device | DType | Tensor | ToOptions, dtype?: DType): ToOptions {
  if (target instanceof Tensor) return { device: target.device, dtype: target.dtype };
  if (target instanceof DType) return { dtype: target };
  if (typeof target === "string" || "type" in target) return { device: target, dtype };
  return target;
}
