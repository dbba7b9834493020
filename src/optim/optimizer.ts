/**
 * `Optimizer`, the base class of optimizers: parameter groups, state, hooks and state dicts. A subclass writes
 * `update`, which changes one parameter.
 *
 * Options are camelCase here and snake_case in state dicts, so that checkpoints go both ways. State entries keep
 * PyTorch's names. Step counts are numbers here and 0-d tensors in state dicts, as in PyTorch. `update` writes the
 * parameter and its state in one fused kernel and never reads `param.grad`, which would hand the gradient to the
 * garbage collector.
 *
 * @see https://docs.pytorch.org/docs/stable/optim.html
 * @module
 */

import { checkArray, checkFunction } from "../base/checks.ts";
import { type Args, call, isPlainObject, NoArgs } from "../base/call.ts";
import { inspectKey } from "../base/platform.ts";
import { float32 } from "../base/dtype.ts";
import { ArgumentError, describe, DeviceError, nameCall } from "../base/errors.ts";
import { setGrad } from "../autograd/meta.ts";
import { enableGrad, withGrad } from "../autograd/mode.ts";
import { removable, type RemovableHandle } from "../autograd/node.ts";
import { copiesAtOnce } from "../ops/create/convert.ts";
import { tensor as makeTensor } from "../ops/create/creation.ts";
import { batched } from "../ops/core/fused.ts";
import { zeroEach } from "../ops/core/grads.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { nearestName, toCamel, toSnake } from "../base/spelling.ts";
import {
  GROUP_NOTES,
  type GroupFields,
  type GroupOptions,
  type ParamGroup,
  type ParamGroupInput,
  type ParamsInput,
  readLr,
  storedOptions,
} from "./param_group.ts";
import type { Scalars } from "./scalars.ts";
import { currentScaling, withScaling } from "./variants.ts";

/** The optimizer state of one parameter: tensors and numbers under PyTorch's names. */
export type ParamState = Record<string, unknown>;

/** The state dict of an optimizer, in PyTorch's layout. */
export interface OptimizerState {
  /** The state of each parameter, by the parameter's index over all groups. */
  state: Record<string, ParamState>;
  /** The parameter groups, with indices in place of parameters and options in snake_case. */
  param_groups: (Record<string, unknown> & { params: number[] })[];
}

/** A hook that may change or replace a state dict. */
export type StateHook = (optimizer: Optimizer, state: OptimizerState) => OptimizerState | void;

/** A function that clears the gradients, computes the loss and its gradients, and returns the loss. */
export type Closure<R> = () => R;

/** Makes a tensor of an optimizer's state, which belongs to no scope. */
export function stateTensor(make: () => Tensor): Tensor {
  return outsideScopes(() => withGrad(false, make));
}

/** The parameters of {@linkcode Optimizer.zeroGrad}. */
export class OptimizerZeroGradArgs {
  constructor(
    /** Whether gradients become `null`, not zeros. */
    public setToNone = true,
  ) {}
}

/** The parameters of {@linkcode Optimizer.step}. */
export class OptimizerStepArgs<R = unknown> {
  constructor(
    /**
     * A function that computes the loss and its gradients, called before the update; some optimizers call it several
     * times.
     */
    public closure: Closure<R> | null = null,
  ) {}
}

/** The parameter of the methods that register a hook of type `H`. */
export class OptimizerHookArgs<H> {
  constructor(
    /** The function that is called. */
    public hook: H,
  ) {}
}

/** A hook that is given the optimizer alone. */
export type OptimizerHook = (optimizer: Optimizer) => void;

const zeroGradArgs = call("Optimizer.zeroGrad", OptimizerZeroGradArgs);
const stepArgs = call("Optimizer.step", OptimizerStepArgs);
const addGroupArgs = call("Optimizer.addParamGroup", NoArgs);
const stateDictArgs = call("Optimizer.stateDict", NoArgs);
const loadArgs = call("Optimizer.loadStateDict", NoArgs);

/** Makes the argument parser of a method that registers hooks; it checks that the hook is a function. */
function hookOf<H>(method: string): (args: Args<typeof OptimizerHookArgs<H>>) => H {
  const parse = call(`Optimizer.${method}`, OptimizerHookArgs<H>);
  return (args) => parse(args).hook;
}
const stepPreHook = hookOf<OptimizerHook>("registerStepPreHook");
const stepPostHook = hookOf<OptimizerHook>("registerStepPostHook");
const savePreHook = hookOf<OptimizerHook>("registerStateDictPreHook");
const savePostHook = hookOf<StateHook>("registerStateDictPostHook");
const loadPreHook = hookOf<StateHook>("registerLoadStateDictPreHook");
const loadPostHook = hookOf<OptimizerHook>("registerLoadStateDictPostHook");

/**
 * Base of all optimizers, and of your own.
 *
 * A custom optimizer passes the parameters and the defaults of all its options to `super` (other names are refused in
 * groups), and overrides {@linkcode Optimizer.update}, which changes one parameter; operations are not recorded there.
 * What it puts into `state` is saved with `stateDict()`: tensors made with {@linkcode Optimizer.stateTensor}, numbers,
 * lists. `O` types the groups.
 *
 * @example An own optimizer
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * class SignSGD extends torch.optim.Optimizer<{ lr: number; scale: number }> {
 *   constructor(params: Iterable<torch.Tensor>, { lr = 1e-2, scale = 1 } = {}) {
 *     super(params, { lr, scale });
 *   }
 *   protected override update(
 *     param: torch.Tensor,
 *     grad: torch.Tensor,
 *     state: torch.optim.ParamState,
 *     group: torch.optim.ParamGroup<{ lr: number; scale: number }>,
 *   ): void {
 *     state.step = (state.step as number ?? 0) + 1;
 *     param.sub_(grad.sign(), { alpha: group.lr * group.scale });
 *   }
 * }
 *
 * const x = torch.tensor([1, -2], { requiresGrad: true });
 * const optimizer = new SignSGD([x], { lr: 0.5 });
 * x.square().sum().backward();
 * optimizer.step();
 * assertEquals(await x.tolist(), [0.5, -1.5]);
 * ```
 */
export abstract class Optimizer<O = Record<string, unknown>> {
  /** The default options: those of groups that do not give their own. */
  readonly defaults: Readonly<GroupOptions<O>>;
  /** The parameter groups; learning-rate schedules write `lr` here. */
  paramGroups: ParamGroup<O>[] = [];
  /** The state of each parameter. */
  state: Map<Tensor, ParamState> = new Map();
  /** The number of calls of `step()`; schedules warn if it was never called. */
  stepCalls = 0;
  /**
   * Whether `step()` applies the two fields below, so that a `GradScaler` need not read `foundInf`: pointwise updates
   * do.
   */
  readonly stepSupportsAmpScaling: boolean = false;
  /** The loss scale that gradients are divided by (0-d, float32); set by a `GradScaler` while its `step()` runs. */
  gradScale: Tensor | null = null;
  /**
   * Whether a gradient is infinite or NaN: where it is not 0 (0-d, float32), a step changes nothing. Set by a
   * `GradScaler` while its `step()` runs.
   */
  foundInf: Tensor | null = null;
  /** The names of the state entries that are numbers here and 0-d tensors in state dicts. */
  protected readonly scalarState: readonly string[] = ["step"];
  /** The names of the options that a group may give. */
  readonly #options: readonly string[];
  readonly #preHooks = new Set<OptimizerHook>();
  readonly #postHooks = new Set<OptimizerHook>();
  readonly #savePreHooks = new Set<OptimizerHook>();
  readonly #savePostHooks = new Set<StateHook>();
  readonly #loadPreHooks = new Set<StateHook>();
  readonly #loadPostHooks = new Set<OptimizerHook>();

  /**
   * Makes an optimizer of parameters or parameter groups.
   *
   * @param params parameters, named parameters, or groups
   * @param defaults all options with their values for groups that do not give their own
   * @throws {ArgumentError} if there is no parameter, or a value is not one
   */
  constructor(params: ParamsInput<O>, defaults: Readonly<GroupOptions<O>>) {
    const name = new.target.name;
    this.defaults = storedOptions(name, defaults) as GroupOptions<O>;
    this.#options = Object.keys(defaults).filter((option) => option !== "params");
    const listed = typeof params === "object" && params !== null && Symbol.iterator in params;
    if (!listed || params instanceof Tensor || ArrayBuffer.isView(params)) {
      throw new ArgumentError(
        `${name}(): params must be an iterable of tensors or groups: ${describe(params)}; pass model.parameters()`,
      );
    }
    const list = [...params];
    if (list.length === 0) {
      throw new ArgumentError(
        `${name}(): optimizer got an empty parameter list; layers are found where they are fields of the module, or in an nn.ModuleList`,
      );
    }
    const groups = isPlainObject(list[0]) ? list : [{ params: list }];
    try {
      for (const group of groups) this.addParamGroup(group as ParamGroupInput<O>);
    } catch (error) {
      throw nameCall(name, error);
    }
  }

  /**
   * Adds a parameter group, as for layers that are unfrozen later.
   *
   * @param group its parameters, and the options that differ from the defaults
   * @throws {ArgumentError} if a parameter is not a leaf tensor, or is in a group already, or an option is unknown
   */
  addParamGroup(group: ParamGroupInput<O>, ...args: Args<typeof NoArgs>): void {
    addGroupArgs(args);
    const op = `${this.constructor.name}.addParamGroup`;
    if (!isPlainObject(group) || group.params === undefined) {
      throw new ArgumentError(`${op}(): a group must be an object with params: ${describe(group)}`);
    }
    this.#checkNames(op, group);
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
    const full = { ...this.defaults, ...storedOptions(op, group), params } as ParamGroup<O>;
    if (names.length > 0) full.paramNames = names;
    this.paramGroups.push(full);
  }

  #checkNames(op: string, group: object): void {
    const known = this.#options;
    for (const name of Object.keys(group)) {
      if (name === "params" || known.includes(name) || (OTHER_NAMES as readonly string[]).includes(name)) continue;
      const near = nearestName(name, known);
      throw new ArgumentError(
        `${op}(): unknown argument in a parameter group: "${name}"; ` +
          `${near === null ? "" : `did you mean "${near}"? `}expected one of ${known.join(", ")}`,
      );
    }
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
  zeroGrad(setToNone?: boolean | { readonly setToNone?: boolean }): void;
  zeroGrad(...args: readonly unknown[]): void {
    const { setToNone } = zeroGradArgs(args);
    const kept: Tensor[] = [];
    for (const group of this.paramGroups) {
      for (const param of group.params) {
        const grad = param.meta?.grad ?? null;
        if (grad === null) continue;
        if (setToNone) setGrad(param, null, false);
        else kept.push(grad.detach());
      }
    }
    if (kept.length > 0) withGrad(false, () => zeroEach(kept));
  }

  /**
   * One optimization step: updates all parameters that have a gradient.
   *
   * @param closure computes the loss and its gradients first; some optimizers call it several times; also by name
   * @returns the result of the closure
   */
  step<R = undefined>(closure?: Closure<R> | null | { readonly closure?: Closure<R> | null }): R;
  step(...args: readonly unknown[]): unknown {
    const { closure } = stepArgs(args);
    if (closure !== null) checkFunction(`${this.constructor.name}.step`, "closure", closure);
    for (const hook of this.#preHooks) hook(this);
    this.stepCalls++;
    const result = withGrad(false, () => this.takeStep(closure ?? undefined));
    for (const hook of this.#postHooks) hook(this);
    return result;
  }

  /**
   * The step itself, without hooks and with recording off. LBFGS, which calls the closure several times, overrides it.
   */
  protected takeStep<R>(closure?: Closure<R>): R {
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

  /**
   * The learning rate of a group as a number, or, where it is a tensor on another device than the CPU, as the tensor,
   * so that nothing waits.
   */
  protected rateOf(group: GroupFields): number | Tensor {
    const { lr } = group;
    return typeof lr === "number" || lr.device.type === "cpu" ? readLr(group) : lr;
  }

  /**
   * Advances the state's numbers and returns those that the update needs. They are computed on the host; on the device
   * where the host would have to wait for a tensor, or where a recorded CUDA graph must count its replays.
   */
  protected scalars(
    scalars: Scalars,
    param: Tensor,
    state: ParamState,
    group: GroupFields & { readonly capturable?: unknown },
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

  /** Makes a tensor of the state, which belongs to no scope of the caller, such as that of a module's call. */
  protected stateTensor(make: () => Tensor): Tensor {
    return stateTensor(make);
  }

  /** The state of a parameter, made when first asked for. */
  protected stateOf(param: Tensor): ParamState {
    let state = this.state.get(param);
    if (state === undefined) this.state.set(param, state = {});
    return state;
  }

  /**
   * Updates one parameter, in place, by its gradient. Complex parameters and gradients are passed as real views `(*,
   * 2)`.
   *
   * @param state the state of the parameter; empty at first
   * @param group the parameter's group
   */
  protected abstract update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup<O>): void;

  /** The state and the parameter groups in PyTorch's layout. Tensors are not copied. */
  stateDict(...args: Args<typeof NoArgs>): OptimizerState {
    stateDictArgs(args);
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
   * Restores a state dict made here or by PyTorch. Its tensors are copied to the parameters' device and dtype; from a device
   * that is read asynchronously (WebGPU) to another, await `torch.utils.sendToDevice(state, device)` first.
   *
   * @param saved a state dict of the same kind of optimizer with the same groups
   * @throws {ArgumentError} if the groups differ in number or size
   */
  loadStateDict(saved: OptimizerState, ...args: Args<typeof NoArgs>): void {
    loadArgs(args);
    const op = `${this.constructor.name}.loadStateDict`;
    saved = { ...saved };
    for (const hook of this.#loadPreHooks) saved = hook(this, saved) ?? saved;
    const groups = saved.param_groups;
    if (!Array.isArray(groups) || groups.length !== this.paramGroups.length) {
      throw new ArgumentError(`${op}(): loaded state dict has a different number of parameter groups`);
    }
    groups.forEach((group, i) => {
      if (group?.params?.length !== this.paramGroups[i].params.length) {
        throw new ArgumentError(
          `${op}(): loaded state dict contains a parameter group that doesn't match the size of optimizer's group: ` +
            `${describe(group?.params?.length)} != ${this.paramGroups[i].params.length}`,
        );
      }
    });
    const params = new Map<string, Tensor>();
    groups.forEach((group, i) =>
      group.params.forEach((id, k) => params.set(String(id), this.paramGroups[i].params[k]))
    );
    const states = Object.entries(saved.state ?? {});
    for (const [id, own] of states) checkPlaces(op, own, params.get(id));
    this.state = new Map();
    for (const [id, own] of states) {
      const param = params.get(id);
      if (param !== undefined) this.state.set(param, this.#unpack(param, own));
    }
    this.paramGroups = groups.map((group, i) => {
      const loaded: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(group)) loaded[toCamel(key)] = value;
      const { params: own, paramNames } = this.paramGroups[i];
      return { ...(paramNames ? { paramNames } : {}), ...loaded, params: own } as unknown as ParamGroup<O>;
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
  registerStepPreHook(...args: Args<typeof OptimizerHookArgs<OptimizerHook>>): RemovableHandle {
    return removable(this.#preHooks, stepPreHook(args));
  }

  /** Calls `hook` after each step. */
  registerStepPostHook(...args: Args<typeof OptimizerHookArgs<OptimizerHook>>): RemovableHandle {
    return removable(this.#postHooks, stepPostHook(args));
  }

  /** Calls `hook` before a state dict is made. */
  registerStateDictPreHook(...args: Args<typeof OptimizerHookArgs<OptimizerHook>>): RemovableHandle {
    return removable(this.#savePreHooks, savePreHook(args));
  }

  /** Calls `hook` with each state dict that is made; its result, if any, replaces the dict. */
  registerStateDictPostHook(...args: Args<typeof OptimizerHookArgs<StateHook>>): RemovableHandle {
    return removable(this.#savePostHooks, savePostHook(args));
  }

  /** Calls `hook` with a shallow copy of a state dict before it is loaded; its result, if any, replaces the dict. */
  registerLoadStateDictPreHook(...args: Args<typeof OptimizerHookArgs<StateHook>>): RemovableHandle {
    return removable(this.#loadPreHooks, loadPreHook(args));
  }

  /** Calls `hook` after a state dict was loaded. */
  registerLoadStateDictPostHook(...args: Args<typeof OptimizerHookArgs<OptimizerHook>>): RemovableHandle {
    return removable(this.#loadPostHooks, loadPostHook(args));
  }

  /** The optimizer as PyTorch prints it. */
  toString(): string {
    const lines = this.paramGroups.flatMap((group, i) => {
      const keys = Object.entries(group).filter(([key]) => key !== "params").map((
        [key, value],
      ) => [toSnake(key), value]);
      keys.sort(([a], [b]) => String(a) < String(b) ? -1 : 1);
      return [`Parameter Group ${i}`, ...keys.map(([key, value]) => `    ${key}: ${show(value)}`)];
    });
    return `${this.constructor.name} (\n${lines.join("\n")}\n)`;
  }

  /** The text that `console.log` shows. */
  [inspectKey](): string {
    return this.toString();
  }
}

/** The names that a group may have besides the optimizer's options. */
const OTHER_NAMES = ["paramNames", ...GROUP_NOTES];

function show(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `(${value.map(show).join(", ")})`;
  return String(value);
}

function tensorsOf(state: ParamState): number {
  return Object.values(state).filter((value) => value instanceof Tensor).length;
}

/** A complex tensor as a real view `(*, 2)` of its parts; a real tensor is returned as it is. */
export function realOf(x: Tensor): Tensor {
  return x.dtype.isComplex ? x.detach().viewAsReal() : x;
}

/** The options that may not be negative in any optimizer, with their names in messages. */
const AT_LEAST_0: Readonly<Record<string, string>> = {
  lr: "learning rate",
  eps: "epsilon",
  ...Object.fromEntries(
    ["weightDecay", "momentum", "rho", "lrDecay", "momentumDecay", "initialAccumulatorValue"].map((
      name,
    ) => [name, name]),
  ),
};

/** Throws unless `value` is at least `least`. */
export function checkAtLeast(op: string, name: string, value: number, least: number): void {
  if (!(value >= least)) {
    throw new ArgumentError(`${op}(): Invalid ${name} value: ${describe(value)}; it must be at least ${least}`);
  }
}

/** Throws if an option is out of the range that it has in all optimizers: at least 0, betas in [0, 1), one learning rate. */
export function checkRanges(op: string, options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value instanceof Tensor && name !== "params") {
      if (name === "lr" && value.numel() === 1) continue;
      const rule = name === "lr" ? "a tensor must have one element" : "must be a number";
      throw new ArgumentError(`${op}(): ${name}: ${rule}: a tensor of shape [${value.shape.join(", ")}]`);
    }
    if (name in AT_LEAST_0) checkAtLeast(op, AT_LEAST_0[name], value, 0);
    if (name !== "betas") continue;
    checkArray(op, name, value);
    (value as readonly number[]).forEach((beta, i) => {
      if (!(beta >= 0 && beta < 1)) {
        throw new ArgumentError(
          `${op}(): Invalid beta parameter at index ${i}: ${describe(beta)}; it must be in [0, 1)`,
        );
      }
    });
  }
}

/** Refuses state that would have to be read asynchronously. */
function checkPlaces(op: string, state: ParamState, param: Tensor | undefined): void {
  for (const [key, value] of Object.entries(state)) {
    if (param === undefined || !(value instanceof Tensor) || copiesAtOnce(value, param.device)) continue;
    throw new DeviceError(
      `${op}(): ${key} is on ${value.device}, which is read asynchronously, and the parameter on ${param.device}; load ` +
        `await torch.utils.sendToDevice(state, "${param.device}")`,
    );
  }
}
