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

import { inspectKey } from "../../base/platform.ts";
import { type Args, call } from "../../base/call.ts";
import { checkFunction, checkInstance, checkText } from "../../base/checks.ts";
import { ArgumentError, awaitIt, describe, nameCall } from "../../base/errors.ts";
import type { MemoryFormat } from "../../base/layout.ts";
import { bfloat16, DType, float16, float32, float64 } from "../../base/dtype.ts";
import { type Device, device as parseDevice } from "../../base/device.ts";
import { withGrad } from "../../autograd/mode.ts";
import { visitTensors } from "../../tensor/search.ts";
import { runOwned } from "../../tensor/storage.ts";
import { setData, Tensor } from "../../tensor/tensor.ts";
import { deepCopy } from "./fields.ts";
import type { RemovableHandle } from "../../autograd/node.ts";
import { RequiresGradArgs } from "../../autograd/tensor_autograd.ts";
import {
  ApplyArgs,
  ForwardHookArgs,
  LoadStateDictArgs,
  ModuleCudaArgs,
  ModuleHookArgs,
  ModuleToArgs,
  ModuleTypeArgs,
  NamedModulesArgs,
  NamedTensorsArgs,
  RecurseArgs,
  RegisterBufferArgs,
  RegisterModuleArgs,
  RegisterParameterArgs,
  SetSubmoduleArgs,
  StateDictArgs,
  TargetArgs,
  ToEmptyArgs,
  TrainArgs,
  ZeroGradArgs,
} from "./module_args.ts";
import { ModuleBase } from "./module_base.ts";
import { callWithHooks, ModuleHooks } from "./module_hooks.ts";
import { Buffer, Parameter, peekGrad } from "./parameter.ts";
import { block } from "./repr.ts";
import { type IncompatibleKeys, loadStateDict, type StateDict, stateDict } from "./state_dict.ts";
import { warnUnregistered } from "./unregistered.ts";
import { named, namedModules } from "./walk.ts";

/** The key of a module's own state. A symbol, so that it is not among the fields that the user named. */
const STATE: unique symbol = Symbol("cresset.module");

/** The key of the method that says whether a call does nothing but `forward`: a container may then fuse the module. */
export const CALLS_ONLY_FORWARD: unique symbol = Symbol("cresset.callsOnlyForward");

/** The number of dimensions of the tensors that each memory format applies to. */
const FORMAT_NDIM: Readonly<Record<string, number>> = { channels_last: 4, channels_last_3d: 5 };

/** The state of a module besides its fields. */
export class ModuleState {
  /** Names of the buffers, and whether they are saved. */
  readonly buffers: Map<string, boolean> = new Map();
  /** The hooks of calls, backward passes and state dicts. */
  readonly hooks: ModuleHooks = new ModuleHooks();
}

/** The parsers of the methods. */
const parse = {
  registerBuffer: call("registerBuffer", RegisterBufferArgs),
  registerParameter: call("registerParameter", RegisterParameterArgs),
  registerModule: call("registerModule", RegisterModuleArgs),
  addModule: call("addModule", RegisterModuleArgs),
  namedModules: call("namedModules", NamedModulesArgs),
  namedParameters: call("namedParameters", NamedTensorsArgs),
  parameters: call("parameters", RecurseArgs),
  namedBuffers: call("namedBuffers", NamedTensorsArgs),
  buffers: call("buffers", RecurseArgs),
  getSubmodule: call("getSubmodule", TargetArgs),
  setSubmodule: call("setSubmodule", SetSubmoduleArgs),
  getParameter: call("getParameter", TargetArgs),
  getBuffer: call("getBuffer", TargetArgs),
  stateDict: call("stateDict", StateDictArgs),
  loadStateDict: call("loadStateDict", LoadStateDictArgs),
  apply: call("apply", ApplyArgs),
  train: call("train", TrainArgs),
  requiresGrad_: call("requiresGrad_", RequiresGradArgs),
  zeroGrad: call("zeroGrad", ZeroGradArgs),
  to: call("Module.to", ModuleToArgs),
  cuda: call("cuda", ModuleCudaArgs),
  type: call("type", ModuleTypeArgs),
  toEmpty: call("toEmpty", ToEmptyArgs),
  registerForwardPreHook: call("registerForwardPreHook", ModuleHookArgs),
  registerForwardHook: call("registerForwardHook", ForwardHookArgs),
  registerFullBackwardPreHook: call("registerFullBackwardPreHook", ModuleHookArgs),
  registerFullBackwardHook: call("registerFullBackwardHook", ModuleHookArgs),
};

/**
 * Base class of all layers and networks.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
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
export class Module extends ModuleBase {
  /** Whether the module is in training mode; set by {@linkcode Module.train} and {@linkcode Module.eval}. */
  training = true;
  /** The buffers' names and the hooks. */
  readonly [STATE]: ModuleState = new ModuleState();

  /**
   * Calls `forward` with the hooks around it, in an ownership scope that releases every tensor made inside which
   * neither the result, nor the module, nor an argument, nor the graph holds. What a promise is returned for belongs to
   * the garbage collector from the first `await` on, and so does all where an object has `#private` fields.
   *
   * @param args the arguments of `forward`
   */
  call<F extends (...args: never[]) => unknown>(this: Module & { forward: F }, ...args: Parameters<F>): ReturnType<F> {
    const hooks = this[STATE].hooks;
    const compute = hooks.none
      ? () => this.forward(...args)
      : () => callWithHooks(this, hooks, args, (input) => this.forward(...(input as Parameters<F>)));
    return runOwned(compute, visitTensors, [this, args]) as ReturnType<F>;
  }

  /** Whether {@linkcode Module.call} does nothing but the class's `forward`: a container may then fuse the module. */
  [CALLS_ONLY_FORWARD](): boolean {
    return this[STATE].hooks.none && !Object.hasOwn(this, "forward");
  }

  // Registration

  /**
   * Makes a tensor field part of the module's state: moved by `to`, saved by `stateDict` unless not persistent.
   *
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken
   */
  registerBuffer(...args: Args<typeof RegisterBufferArgs>): void {
    const { name, tensor, persistent } = parse.registerBuffer(args);
    checkText("registerBuffer", "name", name);
    checkName(this, "registerBuffer", name, this[STATE].buffers.has(name));
    if (tensor !== null && !(tensor instanceof Tensor)) {
      throw new ArgumentError(`registerBuffer(): the buffer "${name}" must be a Tensor or null`);
    }
    this[STATE].buffers.set(name, persistent);
    fields(this)[name] = tensor;
  }

  /**
   * Sets a parameter by name; the same as assigning the field.
   *
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken, or the value is not a parameter
   */
  registerParameter(...args: Args<typeof RegisterParameterArgs>): void {
    const { name, param } = parse.registerParameter(args);
    checkText("registerParameter", "name", name);
    checkName(this, "registerParameter", name, fields(this)[name] instanceof Parameter);
    if (param !== null && !(param instanceof Parameter)) {
      throw new ArgumentError(
        `registerParameter(): "${name}" must be a Parameter or null; wrap it: new nn.Parameter(…)`,
      );
    }
    fields(this)[name] = param;
  }

  /**
   * Sets a submodule by name; the same as assigning the field.
   *
   * @throws {ArgumentError} if the name is empty, holds a dot or is taken
   */
  registerModule(...args: Args<typeof RegisterModuleArgs>): void {
    const { name, module } = parse.registerModule(args);
    setModule(this, "registerModule", name, module);
  }

  /** PyTorch's older name of {@linkcode Module.registerModule}. */
  addModule(...args: Args<typeof RegisterModuleArgs>): void {
    const { name, module } = parse.addModule(args);
    setModule(this, "addModule", name, module);
  }

  // The items held directly; containers that keep them outside of fields override these three.

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

  /** The module's direct submodules with their names; a module under two names is given twice. */
  *_ownModules(): Generator<[string, Module]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Module) yield [name, value];
  }

  /** Replaces a parameter, buffer or submodule by name. */
  _setOwn(name: string, value: Parameter | Tensor | Module): void {
    fields(this)[name] = value;
  }

  // Walking the tree

  /** The direct submodules with their names; a module under two names is given once. */
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

  /** The module itself (name `""`) and all modules below it with their paths, parents first. */
  namedModules(...args: Args<typeof NamedModulesArgs>): Generator<[string, Module]> {
    const { memo, prefix, removeDuplicate } = parse.namedModules(args);
    checkText("namedModules", "prefix", prefix);
    if (memo !== null) checkInstance("namedModules", "memo", memo, Set);
    return namedModules(this, memo ?? new Set(), prefix, removeDuplicate);
  }

  /** The module itself and all modules below it, parents first; a shared module once. */
  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** The parameters with their keys in the state dict as names; a shared parameter once, under its first name. */
  namedParameters(...args: Args<typeof NamedTensorsArgs>): Generator<[string, Parameter]> {
    const { prefix, recurse, removeDuplicate } = parse.namedParameters(args);
    checkText("namedParameters", "prefix", prefix);
    warnUnregistered("namedParameters", this);
    return named(this, prefix, recurse, removeDuplicate, (m) => m._ownParameters());
  }

  /** The parameters, as optimizers take them; a shared parameter once. */
  parameters(...args: Args<typeof RecurseArgs>): Generator<Parameter> {
    const { recurse } = parse.parameters(args);
    warnUnregistered("parameters", this);
    return values(named(this, "", recurse, true, (m) => m._ownParameters()));
  }

  /** The buffers with their names, which are their keys in the state dict. */
  namedBuffers(...args: Args<typeof NamedTensorsArgs>): Generator<[string, Tensor]> {
    const { prefix, recurse, removeDuplicate } = parse.namedBuffers(args);
    checkText("namedBuffers", "prefix", prefix);
    return named<Tensor>(this, prefix, recurse, removeDuplicate, (m) => m._ownBuffers());
  }

  /** The buffers; a shared buffer once. */
  buffers(...args: Args<typeof RecurseArgs>): Generator<Tensor> {
    const { recurse } = parse.buffers(args);
    return values(named<Tensor>(this, "", recurse, true, (m) => m._ownBuffers()));
  }

  /**
   * The module at a path such as `"layers.0.conv1"`; `""` is the module itself.
   *
   * @throws {ArgumentError} if the path leads to no module
   */
  getSubmodule(...args: Args<typeof TargetArgs>): Module {
    const { target } = parse.getSubmodule(args);
    checkText("getSubmodule", "target", target);
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
  setSubmodule(...args: Args<typeof SetSubmoduleArgs>): void {
    const { target, module } = parse.setSubmodule(args);
    if (target === "") throw new ArgumentError("setSubmodule(): the target must not be empty");
    const [parent, name] = this.parentOf("setSubmodule", target);
    if (!(module instanceof Module)) {
      throw new ArgumentError(`setSubmodule(): "${target}" must be a Module: ${describe(module)}`);
    }
    parent._setOwn(name, module);
  }

  /**
   * The parameter at a path such as `"layers.0.weight"`.
   *
   * @throws {ArgumentError} if the path leads to no parameter
   */
  getParameter(...args: Args<typeof TargetArgs>): Parameter {
    const { target } = parse.getParameter(args);
    const [parent, name] = this.parentOf("getParameter", target);
    const found = [...parent._ownParameters()].find(([own]) => own === name);
    if (!found) throw new ArgumentError(`getParameter(): ${parent._name()} has no parameter "${name}": "${target}"`);
    return found[1];
  }

  /**
   * The buffer at a path such as `"bn.running_mean"`.
   *
   * @throws {ArgumentError} if the path leads to no buffer
   */
  getBuffer(...args: Args<typeof TargetArgs>): Tensor {
    const { target } = parse.getBuffer(args);
    const [parent, name] = this.parentOf("getBuffer", target);
    const found = [...parent._ownBuffers()].find(([own]) => own === name);
    if (!found) throw new ArgumentError(`getBuffer(): ${parent._name()} has no buffer "${name}": "${target}"`);
    return found[1];
  }

  /** The module that a dotted name ends in, and the last part of the name. */
  private parentOf(op: string, target: string): [Module, string] {
    checkText(op, "target", target);
    const dot = target.lastIndexOf(".");
    return [this.getSubmodule(target.slice(0, Math.max(dot, 0))), target.slice(dot + 1)];
  }

  // Saving and loading

  /** The parameters and persistent buffers by name, detached, sharing memory with the module. */
  stateDict(...args: Args<typeof StateDictArgs>): StateDict {
    const { prefix, keepVars } = parse.stateDict(args);
    checkText("stateDict", "prefix", prefix);
    warnUnregistered("stateDict", this);
    return stateDict(this, prefix, keepVars);
  }

  /**
   * Copies a state dict into the module.
   *
   * @param state tensors by name
   * @returns the keys that were missing or unexpected
   * @throws {ArgumentError} one error that lists every missing and unexpected key and every mismatch of sizes
   */
  loadStateDict(state: StateDict, ...args: Args<typeof LoadStateDictArgs>): IncompatibleKeys {
    return loadStateDict(this, state, parse.loadStateDict(args));
  }

  // Changes of the whole tree

  /** Calls `fn` for every module of the tree, submodules first, as for initialisation. Returns the module. */
  apply(...args: Args<typeof ApplyArgs>): this {
    const { fn } = parse.apply(args);
    checkFunction("Module.apply", "fn", fn);
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Sets training mode for the whole tree: dropout is active, batch normalisation uses the batch's statistics. */
  train(...args: Args<typeof TrainArgs>): this {
    const { mode } = parse.train(args);
    if (typeof mode !== "boolean") throw new ArgumentError(`train(): mode must be true or false: ${describe(mode)}`);
    this.training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Sets evaluation mode for the whole tree: the same as `train(false)`. Returns the module. */
  eval(): this {
    return this.train(false);
  }

  /** Sets whether gradients flow to the parameters; `false` freezes the module. */
  requiresGrad_(...args: Args<typeof RequiresGradArgs>): this {
    const { requiresGrad } = parse.requiresGrad_(args);
    for (const parameter of this.parameters()) parameter.requiresGrad_(requiresGrad);
    return this;
  }

  /** Clears the gradients of all parameters: to `null`, or to zeros. */
  zeroGrad(...args: Args<typeof ZeroGradArgs>): void {
    const { setToNone } = parse.zeroGrad(args);
    for (const parameter of this.parameters()) {
      const grad = peekGrad(parameter);
      if (grad === null) continue;
      if (setToNone) parameter.grad = null;
      else withGrad(false, () => grad.zero_());
    }
  }

  /**
   * Moves and converts all parameters and buffers, in place.
   *
   * Takes a device, a dtype (applied to floating and complex tensors), a device and a dtype, or a tensor whose device
   * and dtype are taken; the layout goes by name.
   *
   * @throws {ArgumentError} if the dtype is neither floating nor complex
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import * as torch from "../../../mod.ts";
   *
   * const conv = new torch.nn.Conv2d(3, 8, 3).to({ memoryFormat: torch.channelsLast });
   * assertEquals(conv.weight.stride(), [27, 1, 9, 3]);
   * assertEquals(conv.call(torch.randn(1, 3, 8, 8)).isContiguous({ memoryFormat: torch.channelsLast }), true);
   * ```
   */
  to(...args: Args<typeof ModuleToArgs>): this {
    const { device, dtype, memoryFormat } = wanted(parse.to(args));
    if (dtype && !dtype.isFloatingPoint && !dtype.isComplex) {
      throw new ArgumentError(`Module.to(): only floating and complex dtypes are possible: ${dtype}`);
    }
    return this.changed("Module.to", (t) => {
      const convert = dtype !== null && (t.dtype.isFloatingPoint || t.dtype.isComplex);
      const formatted = memoryFormat !== null && (FORMAT_NDIM[memoryFormat] ?? t.ndim) === t.ndim;
      return t.to({
        device: device ?? undefined,
        dtype: convert ? dtype : undefined,
        memoryFormat: formatted ? memoryFormat : undefined,
      });
    });
  }

  /** Moves the module to the CPU, in place; resolves when the values are there. */
  async cpu(): Promise<this> {
    for (const tensor of new Set<Tensor>([...this.parameters(), ...this.buffers()])) {
      setData(tensor, await tensor.detach().cpu());
      const grad = peekGrad(tensor);
      if (grad !== null) setData(grad, await grad.detach().cpu());
    }
    return this;
  }

  /** Moves the module to an NVIDIA GPU, in place. */
  cuda(...args: Args<typeof ModuleCudaArgs>): this {
    const { device } = parse.cuda(args);
    const target = device === null ? "cuda" : `cuda:${device}`;
    return this.changed("Module.cuda", (t) => t.to(target));
  }

  /** Converts all parameters and buffers to a dtype, integer ones too, in place. */
  type(...args: Args<typeof ModuleTypeArgs>): this {
    const { dstType } = parse.type(args);
    return this.changed("Module.type", (t) => t.to({ dtype: dstType }));
  }

  /** Converts floating-point parameters and buffers to float32, in place. */
  float(): this {
    return this.cast(float32);
  }

  /** Converts floating-point parameters and buffers to float64, in place. */
  double(): this {
    return this.cast(float64);
  }

  /** Converts floating-point parameters and buffers to float16, in place. */
  half(): this {
    return this.cast(float16);
  }

  /** Converts floating-point parameters and buffers to bfloat16, in place. */
  bfloat16(): this {
    return this.cast(bfloat16);
  }

  /** Converts every floating parameter and buffer. */
  private cast(dtype: DType): this {
    return this._applyTensors((t) => t.dtype.isFloatingPoint ? t.to({ dtype }) : t);
  }

  /** Moves the module to a device without copying its values: parameters and buffers become uninitialised. */
  toEmpty(...args: Args<typeof ToEmptyArgs>): this {
    const { device } = parse.toEmpty(args);
    return this.changed("Module.toEmpty", (t) => t.emptyLike({ device }));
  }

  /** {@linkcode Module._applyTensors} for a method whose errors name it. */
  private changed(op: string, fn: (tensor: Tensor) => Tensor): this {
    try {
      return this._applyTensors(fn);
    } catch (error) {
      throw nameCall(op, error);
    }
  }

  /**
   * Replaces the memory of parameters, gradients and buffers by that of `fn`'s results; the tensors stay the same
   * objects.
   */
  _applyTensors(fn: (tensor: Tensor) => Tensor): this {
    const done = new Set<Tensor>();
    const replace = (tensor: Tensor) => {
      if (done.has(tensor)) return;
      done.add(tensor);
      withGrad(false, () => setData(tensor, fn(tensor.detach())));
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
   * Calls `hook(module, args)` before `forward`; its result, if any, replaces the arguments.
   *
   * @param hook returns nothing, one value, or an array of arguments
   */
  registerForwardPreHook(
    hook: (module: this, args: unknown[]) => unknown,
    ...args: Args<typeof ModuleHookArgs>
  ): RemovableHandle {
    const { prepend } = parse.registerForwardPreHook(args);
    return this[STATE].hooks.forwardPre.add(hook as (m: Module, a: unknown[]) => unknown, prepend);
  }

  /**
   * Calls `hook(module, args, output)` after `forward`; its result, if any, replaces the output.
   *
   * @param hook may keep the tensors that it is given
   */
  registerForwardHook(
    hook: (module: this, args: unknown[], output: unknown) => unknown,
    ...args: Args<typeof ForwardHookArgs>
  ): RemovableHandle {
    const { prepend, alwaysCall } = parse.registerForwardHook(args);
    const entry = { hook: hook as (m: Module, a: unknown[], o: unknown) => unknown, always: alwaysCall };
    return this[STATE].hooks.forward.add(entry, prepend);
  }

  /** Calls `hook(module, gradOutput)` before the module's backward pass; an array it returns replaces `gradOutput`. */
  registerFullBackwardPreHook(
    hook: (module: this, gradOutput: (Tensor | null)[]) => (Tensor | null)[] | void,
    ...args: Args<typeof ModuleHookArgs>
  ): RemovableHandle {
    const { prepend } = parse.registerFullBackwardPreHook(args);
    const list = this[STATE].hooks.backwardPre;
    return list.add(hook as (m: Module, g: (Tensor | null)[]) => (Tensor | null)[] | void, prepend);
  }

  /**
   * Calls `hook(module, gradInput, gradOutput)` when the gradients of the module's inputs are known; an array that it
   * returns replaces `gradInput`.
   */
  registerFullBackwardHook(
    hook: (
      module: this,
      gradInput: (Tensor | null)[],
      gradOutput: (Tensor | null)[],
    ) => (Tensor | null)[] | void,
    ...args: Args<typeof ModuleHookArgs>
  ): RemovableHandle {
    const { prepend } = parse.registerFullBackwardHook(args);
    const list = this[STATE].hooks.backward;
    return list.add(hook as (typeof list)["all"][number], prepend);
  }

  /** Calls `hook(module, prefix, keepVars)` before the module's part of `stateDict()` is made. */
  registerStateDictPreHook(hook: (module: this, prefix: string, keepVars: boolean) => void): RemovableHandle {
    return this[STATE].hooks.statePre.add(hook as (m: Module, p: string, k: boolean) => void);
  }

  /** Calls `hook(module, stateDict, prefix)` after the module's part of `stateDict()` was made; it may change it. */
  registerStateDictPostHook(hook: (module: this, state: StateDict, prefix: string) => void): RemovableHandle {
    return this[STATE].hooks.statePost.add(hook as (m: Module, s: StateDict, p: string) => void);
  }

  /** Calls `hook(module, stateDict, prefix)` before the module loads its part; it may change the dict, a copy. */
  registerLoadStateDictPreHook(hook: (module: this, state: StateDict, prefix: string) => void): RemovableHandle {
    return this[STATE].hooks.loadPre.add(hook as (m: Module, s: StateDict, p: string) => void);
  }

  /** Calls `hook(module, incompatibleKeys)` after the module has loaded its part; it may change the lists of keys. */
  registerLoadStateDictPostHook(hook: (module: this, keys: IncompatibleKeys) => void): RemovableHandle {
    return this[STATE].hooks.loadPost.add(hook as (m: Module, k: IncompatibleKeys) => void);
  }

  /** The module's hooks, for the functions of this folder. */
  get _hooks(): ModuleHooks {
    return this[STATE].hooks;
  }

  // Printing

  /** The printed name of the module: that of its class. */
  _name(): string {
    return this.constructor.name;
  }

  /** The text between the parentheses when the module is printed, in PyTorch's words; layers override it. */
  extraRepr(): string {
    return "";
  }

  /** The module as PyTorch prints it. */
  override toString(): string {
    const children: [string, string][] = [];
    for (const [name, module] of this._ownModules()) children.push([name, module.toString()]);
    return block(this._name(), this.extraRepr(), children);
  }

  /** The text that `console.log` shows. */
  [inspectKey](): string {
    return this.toString();
  }
}

function fields(module: Module): Record<string, unknown> {
  return module as unknown as Record<string, unknown>;
}

function checkName(module: Module, op: string, name: string, replace: boolean): void {
  if (name === "") throw new ArgumentError(`${op}(): name can't be empty string ""`);
  if (name.includes(".")) throw new ArgumentError(`${op}(): name can't contain ".": "${name}"`);
  const value = fields(module)[name];
  if (!replace && value !== undefined && value !== null) {
    throw new ArgumentError(`${op}(): attribute '${name}' already exists`);
  }
}

/** Sets a submodule by name. */
function setModule(parent: Module, op: string, name: string, module: Module | null): void {
  checkText(op, "name", name);
  checkName(parent, op, name, fields(parent)[name] instanceof Module);
  if (module !== null && !(module instanceof Module)) {
    throw new ArgumentError(`${op}(): "${name}" must be a Module or null: ${describe(module)}`);
  }
  fields(parent)[name] = module;
}

/** The values of pairs of name and value. */
function* values<T>(pairs: Iterable<readonly [string, T]>): Generator<T> {
  for (const [, value] of pairs) yield value;
}

/** The target of {@linkcode Module.to}: device, dtype and memory format. */
function wanted(
  o: Readonly<ModuleToArgs>,
): { device: Device | null; dtype: DType | null; memoryFormat: MemoryFormat | null } {
  const { device: target, dtype, memoryFormat } = o;
  if (target instanceof Tensor) return { device: target.device, dtype: target.dtype, memoryFormat };
  if (target instanceof DType) return { device: null, dtype: target, memoryFormat };
  if (target as unknown instanceof Promise) {
    throw new ArgumentError(`Module.to(): device must be a device or a dtype: ${describe(target)}${awaitIt(target)}`);
  }
  try {
    return { device: target === null ? null : parseDevice(target), dtype, memoryFormat };
  } catch (error) {
    throw nameCall("Module.to", error);
  }
}
