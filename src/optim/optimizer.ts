/**
 * `Optimizer`: parameter groups, state, hooks and state dicts; what an optimizer does to one parameter is the
 * subclass's `update`.
 *
 * Options are camelCase here and snake_case in state dicts, so that checkpoints go both ways. State entries keep
 * PyTorch's names. Step counts are numbers here and 0-d tensors in state dicts, as in PyTorch. `update` writes the
 * parameter and its state in one fused kernel and never reads `param.grad`, which would hand the gradient to the
 * garbage collector.
 *
 * @see https://docs.pytorch.org/docs/stable/optim.html
 * @module
 */

import { inspectKey } from "../base/platform.ts";
import { isPlainObject } from "../base/args.ts";
import { float32 } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { describe } from "../base/scalar.ts";
import { setGrad } from "../autograd/meta.ts";
import { enableGrad, withGrad } from "../autograd/mode.ts";
import { removable, type RemovableHandle } from "../autograd/node.ts";
import { tensor as makeTensor } from "../ops/creation.ts";
import { batched } from "../ops/fused.ts";
import { zeroEach } from "../ops/grads.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { toCamel, toSnake } from "./names.ts";
import { type ParamGroup, readLr } from "./param_group.ts";
import type { Scalars } from "./scalars.ts";
import { currentScaling, withScaling } from "./variants.ts";

/** A parameter group as it is given: the parameters and the options that differ from the defaults. */
export interface ParamGroupInput {
  /** The parameters, or pairs of name and parameter. */
  params: Tensor | Iterable<Tensor | readonly [string, Tensor]>;
  /** Any option of the optimizer. */
  [option: string]: unknown;
}

/** What optimizers take first: parameters, named parameters, or groups with their own options. */
export type ParamsInput = Iterable<Tensor | readonly [string, Tensor] | ParamGroupInput>;

/** Accepted by every optimizer: an update is one fused kernel, for many parameters at once where the device can. */
export interface ImplementationOptions {
  /** Ignored. */
  foreach?: boolean | null;
  /** Ignored. */
  fused?: boolean | null;
  /**
   * Whether step counts lie on the parameters' device, so that a recorded CUDA graph counts its replays.
   *
   * @default {false}
   */
  capturable?: boolean;
}

/** The entries that {@linkcode ImplementationOptions} add to a group's: none where all is as usual. */
export function implementationOf(options: ImplementationOptions): Record<string, unknown> {
  return options.capturable ? { capturable: true } : {};
}

/** Names of {@linkcode ImplementationOptions}, for signatures. */
export const IMPLEMENTATION_OPTIONS: readonly ("foreach" | "fused" | "capturable")[] = [
  "foreach",
  "fused",
  "capturable",
];

/** What an optimizer remembers of one parameter: tensors and numbers under PyTorch's names. */
export type ParamState = Record<string, unknown>;

/** A saved optimizer, in PyTorch's layout. */
export interface OptimizerState {
  /** State by the parameter's index. */
  state: Record<string, ParamState>;
  /** The groups, with indices in place of parameters and snake_case options. */
  param_groups: (Record<string, unknown> & { params: number[] })[];
}

/** A hook that may change or replace a state dict. */
export type StateHook = (optimizer: Optimizer, state: OptimizerState) => OptimizerState | void;

/** Computes the loss and its gradients again. */
export type Closure<R> = () => R;

/** Makes a tensor of an optimizer's state: it belongs to no call's scope. */
export function stateTensor(make: () => Tensor): Tensor {
  return outsideScopes(() => withGrad(false, make));
}

/** Base of all optimizers. */
export abstract class Optimizer {
  /** The options of groups that do not say otherwise. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** The groups; schedules write `lr` here. */
  paramGroups: ParamGroup[] = [];
  /** What is remembered of each parameter. */
  state: Map<Tensor, ParamState> = new Map();
  /** How often `step()` ran; schedules warn if it never did. */
  stepCalls = 0;
  /**
   * Whether `step()` heeds the two fields below, so that a `GradScaler` need not ask the device: updates made by `variants`
   * do.
   */
  readonly stepSupportsAmpScaling: boolean = false;
  /** What gradients are to be divided by (0-d, float32); set by a `GradScaler` while its `step()` runs. */
  gradScale: Tensor | null = null;
  /** Where this is not 0 (0-d, float32) a step changes nothing; set by a `GradScaler` while its `step()` runs. */
  foundInf: Tensor | null = null;
  /** Entries of the state that are numbers here and 0-d tensors in state dicts. */
  protected readonly scalarState: readonly string[] = ["step"];
  readonly #preHooks = new Set<(optimizer: Optimizer) => void>();
  readonly #postHooks = new Set<(optimizer: Optimizer) => void>();
  readonly #savePreHooks = new Set<(optimizer: Optimizer) => void>();
  readonly #savePostHooks = new Set<StateHook>();
  readonly #loadPreHooks = new Set<StateHook>();
  readonly #loadPostHooks = new Set<(optimizer: Optimizer) => void>();

  /**
   * Takes the parameters.
   *
   * @param params parameters, named parameters, or groups
   * @param defaults the options of groups that do not say otherwise
   * @throws {ArgumentError} if there is no parameter, or something is not one
   */
  constructor(params: ParamsInput, defaults: Record<string, unknown>) {
    this.defaults = defaults;
    const name = new.target.name;
    if (params instanceof Tensor || params === null || typeof params !== "object" || !(Symbol.iterator in params)) {
      throw new ArgumentError(
        `${name}(): params must be an iterable of tensors or groups: ${describe(params)}; pass model.parameters()`,
      );
    }
    const list = [...params];
    if (list.length === 0) throw new ArgumentError(`${name}(): optimizer got an empty parameter list`);
    if (isPlainObject(list[0])) { for (const group of list) this.addParamGroup(group as ParamGroupInput); }
    else this.addParamGroup({ params: list as Iterable<Tensor> });
  }

  /**
   * Adds a group, for layers that are unfrozen later.
   *
   * @param group its parameters and the options that differ from the defaults
   * @throws {ArgumentError} if a parameter is not a leaf tensor, or is in a group already
   */
  addParamGroup(group: ParamGroupInput): void {
    const op = `${this.constructor.name}.addParamGroup`;
    if (!isPlainObject(group) || group.params === undefined) {
      throw new ArgumentError(`${op}(): a group must be an object with params: ${describe(group)}`);
    }
    const params: Tensor[] = [];
    const names: string[] = [];
    for (const item of group.params instanceof Tensor ? [group.params] : group.params) {
      const [name, param] = Array.isArray(item) ? item as [string, Tensor] : [null, item as Tensor];
      if (name !== null) names.push(name);
      params.push(this.#checkParam(op, param));
    }
    if (names.length > 0 && names.length !== params.length) {
      throw new ArgumentError(`${op}(): all parameters of a group must have names, or none`);
    }
    const known = new Set(this.paramGroups.flatMap((g) => g.params));
    for (const param of params) {
      if (known.has(param)) throw new ArgumentError(`${op}(): some parameters appear in more than one parameter group`);
    }
    if (new Set(params).size < params.length) {
      throw new ArgumentError(`${op}(): a parameter appears twice in the group`);
    }
    const full = { ...this.defaults, ...group, params } as ParamGroup;
    if (names.length > 0) full.paramNames = names;
    this.paramGroups.push(full);
  }

  #checkParam(op: string, param: unknown): Tensor {
    if (!(param instanceof Tensor)) {
      throw new ArgumentError(
        `${op}(): optimizer can only optimize Tensors, but one of the params is ${describe(param)}`,
      );
    }
    if (!param.isLeaf && !param.retainsGrad) {
      throw new ArgumentError(`${op}(): can't optimize a non-leaf Tensor; pass the parameters, not results`);
    }
    return param;
  }

  /**
   * Clears the gradients of all parameters.
   *
   * @param setToNone whether they become `null` (default) or zeros; also by name
   */
  zeroGrad(setToNone: boolean | { setToNone?: boolean } = true): void {
    const drop = typeof setToNone === "boolean" ? setToNone : setToNone.setToNone ?? true;
    const kept: Tensor[] = [];
    for (const group of this.paramGroups) {
      for (const param of group.params) {
        const grad = param.meta?.grad ?? null;
        if (grad === null) continue;
        if (drop) setGrad(param, null, false);
        else kept.push(grad.detach());
      }
    }
    if (kept.length > 0) withGrad(false, () => zeroEach(kept));
  }

  /**
   * Updates all parameters that have a gradient.
   *
   * @param closure computes the loss and its gradients first; some optimizers call it several times
   * @returns what the closure gave
   */
  step<R = undefined>(closure?: Closure<R>): R {
    for (const hook of this.#preHooks) hook(this);
    this.stepCalls++;
    const result = withGrad(false, () => this.run(closure));
    for (const hook of this.#postHooks) hook(this);
    return result;
  }

  /** One step without hooks, gradients off; LBFGS, which calls the closure itself, overrides it. */
  protected run<R>(closure?: Closure<R>): R {
    const loss = closure ? enableGrad(closure) : undefined as R;
    const { gradScale, foundInf } = this;
    const scaling = gradScale === null && foundInf === null ? null : { gradScale, foundInf };
    withScaling(scaling, () => batched(() => this.#updateAll()));
    return loss;
  }

  #updateAll(): void {
    for (const group of this.paramGroups) {
      for (const param of group.params) {
        const grad = param.meta?.grad ?? null;
        if (grad === null) continue;
        const state = this.stateOf(param), recording = param.storage.backend.recording === true;
        const before = recording ? tensorsOf(state) : 0;
        this.update(realOf(param), realOf(grad), state, group);
        if (recording && tensorsOf(state) !== before) {
          this.#refuseRecording("its state would be made anew in every replay; run a step before");
        }
      }
    }
  }

  #refuseRecording(why: string): never {
    throw new ArgumentError(`${this.constructor.name}.step(): cannot be recorded as a CUDA graph: ${why}`);
  }

  /** The learning rate for an update of `param`: a tensor where it lies on a device that would have to be waited for. */
  protected rateOf(group: ParamGroup): number | Tensor {
    const { lr } = group;
    return typeof lr === "number" || lr.device.type === "cpu" ? readLr(group) : lr;
  }

  /**
   * The numbers of one update, with the state's entries advanced: on the host, or, where that would have to read a device
   * or a graph is to count its replays, on the device.
   */
  protected scalars(
    scalars: Scalars,
    param: Tensor,
    state: ParamState,
    group: ParamGroup,
    constants: readonly number[] = [],
  ): readonly (number | Tensor)[] {
    const lr = this.rateOf(group), foundInf = currentScaling()?.foundInf ?? null;
    const capturable = group.capturable === true && param.device.type !== "cpu";
    if (typeof lr !== "number" || capturable || foundInf !== null || scalars.onDevice(state)) {
      return scalars.device(param, state, lr, constants, foundInf);
    }
    if (param.storage.backend.recording === true) {
      this.#refuseRecording(
        "its step count would be the same in every replay; make the optimizer with { capturable: true }",
      );
    }
    return scalars.host(state, lr, constants);
  }

  /** What is remembered of a parameter, made when first asked for. */
  protected stateOf(param: Tensor): ParamState {
    let state = this.state.get(param);
    if (state === undefined) this.state.set(param, state = {});
    return state;
  }

  /**
   * Changes one parameter by its gradient; complex ones come as real views.
   *
   * @param state what is remembered of the parameter; empty at first
   * @param group the parameter's group
   */
  protected abstract update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void;

  /** The state and the groups in PyTorch's layout. */
  stateDict(): OptimizerState {
    for (const hook of this.#savePreHooks) hook(this);
    const index = new Map<Tensor, number>();
    const param_groups = this.paramGroups.map((group) => {
      const packed: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(group)) if (key !== "params") packed[toSnake(key)] = value;
      for (const param of group.params) if (!index.has(param)) index.set(param, index.size);
      return { ...packed, params: group.params.map((param) => index.get(param)!) };
    });
    const state: Record<string, ParamState> = {};
    for (const [param, own] of this.state) {
      const at = index.get(param);
      if (at === undefined) continue;
      const packed: ParamState = state[at] = {};
      for (const [key, value] of Object.entries(own)) {
        const asTensor = typeof value === "number" && this.scalarState.includes(key);
        packed[key] = asTensor ? makeTensor(value, { dtype: float32, device: "cpu" }) : value;
      }
    }
    let saved: OptimizerState = { state, param_groups };
    for (const hook of this.#savePostHooks) saved = hook(this, saved) ?? saved;
    return saved;
  }

  /**
   * Restores what `stateDict()` gave, here or in PyTorch. Tensors are moved to the parameters' device and dtype.
   *
   * @param saved a state dict of the same kind of optimizer with the same groups
   * @throws {ArgumentError} if the groups differ in number or size
   */
  loadStateDict(saved: OptimizerState): void {
    const op = `${this.constructor.name}.loadStateDict`;
    saved = { ...saved };
    for (const hook of this.#loadPreHooks) saved = hook(this, saved) ?? saved;
    const groups = saved.param_groups;
    if (!Array.isArray(groups) || groups.length !== this.paramGroups.length) {
      throw new ArgumentError(`${op}(): loaded state dict has a different number of parameter groups`);
    }
    groups.forEach((group, i) => {
      if (group.params.length !== this.paramGroups[i].params.length) {
        throw new ArgumentError(
          `${op}(): loaded state dict contains a parameter group that doesn't match the size of optimizer's group: ` +
            `${group.params.length} != ${this.paramGroups[i].params.length}`,
        );
      }
    });
    const params = new Map<string, Tensor>();
    groups.forEach((group, i) =>
      group.params.forEach((id, k) => params.set(String(id), this.paramGroups[i].params[k]))
    );
    this.state = new Map();
    for (const [id, own] of Object.entries(saved.state)) {
      const param = params.get(id);
      if (param !== undefined) this.state.set(param, this.#unpack(param, own));
    }
    this.paramGroups = groups.map((group, i) => {
      const loaded: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(group)) loaded[toCamel(key)] = value;
      const { params: own, paramNames } = this.paramGroups[i];
      return { ...(paramNames ? { paramNames } : {}), ...loaded, params: own } as ParamGroup;
    });
    for (const hook of this.#loadPostHooks) hook(this);
  }

  #unpack(param: Tensor, saved: ParamState): ParamState {
    const own: ParamState = {};
    for (const [key, value] of Object.entries(saved)) {
      const readable = value instanceof Tensor && value.storage.backend.readSync !== undefined;
      if (readable && this.scalarState.includes(key)) own[key] = Number(value.itemSync());
      else if (value instanceof Tensor) {
        own[key] = stateTensor(() => {
          const counts = this.scalarState.includes(key);
          const dtype = param.dtype.isFloatingPoint && !counts ? param.dtype : value.dtype;
          // A copy, so that training on does not change the dict that was loaded.
          return value.detach().clone().to({ device: param.device, dtype });
        });
      } else own[key] = value;
    }
    return own;
  }

  /** Calls `hook` before each step. */
  registerStepPreHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return removable(this.#preHooks, hook);
  }

  /** Calls `hook` after each step. */
  registerStepPostHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return removable(this.#postHooks, hook);
  }

  /** Calls `hook` before a state dict is made. */
  registerStateDictPreHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return removable(this.#savePreHooks, hook);
  }

  /** Calls `hook` with a state dict that was made; what it returns, if anything, takes its place. */
  registerStateDictPostHook(hook: StateHook): RemovableHandle {
    return removable(this.#savePostHooks, hook);
  }

  /** Calls `hook` with a copy of a state dict before it is loaded; what it returns, if anything, takes its place. */
  registerLoadStateDictPreHook(hook: StateHook): RemovableHandle {
    return removable(this.#loadPreHooks, hook);
  }

  /** Calls `hook` when a state dict was loaded. */
  registerLoadStateDictPostHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return removable(this.#loadPostHooks, hook);
  }

  /** The optimizer as PyTorch prints it. */
  toString(): string {
    const lines = this.paramGroups.flatMap((group, i) => {
      const keys = Object.keys(group).filter((key) => key !== "params").map((key) => [toSnake(key), group[key]]);
      keys.sort(([a], [b]) => String(a) < String(b) ? -1 : 1);
      return [`Parameter Group ${i}`, ...keys.map(([key, value]) => `    ${key}: ${show(value)}`)];
    });
    return `${this.constructor.name} (\n${lines.join("\n")}\n)`;
  }

  /** How `console.log` shows it. */
  [inspectKey](): string {
    return this.toString();
  }
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `(${value.map(show).join(", ")})`;
  return String(value);
}

function tensorsOf(state: ParamState): number {
  return Object.values(state).filter((value) => value instanceof Tensor).length;
}

function realOf(x: Tensor): Tensor {
  return x.dtype.isComplex ? x.detach().viewAsReal() : x;
}

/** Throws unless `value` is at least `least`. */
export function checkAtLeast(op: string, name: string, value: number, least: number): void {
  if (!(value >= least)) {
    throw new ArgumentError(`${op}(): Invalid ${name} value: ${value}; it must be at least ${least}`);
  }
}

/** Throws unless both of Adam's betas are in [0, 1). */
export function checkBetas(op: string, betas: readonly number[]): void {
  betas.forEach((beta, i) => {
    if (!(beta >= 0 && beta < 1)) {
      throw new ArgumentError(`${op}(): Invalid beta parameter at index ${i}: ${beta}; it must be in [0, 1)`);
    }
  });
}
