/**
 * State dicts: saving and loading the parameters and buffers of a module.
 *
 * Keys are PyTorch's, so that its checkpoints load. Everything that does not fit is collected and reported in one
 * error, in PyTorch's words.
 *
 * @module
 */

import { inspectKey } from "../../base/platform.ts";
import { ArgumentError, awaitIt, describe, show } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import { withGrad } from "../../autograd/mode.ts";
import { copiesAtOnce } from "../../ops/create/convert.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Module } from "./module.ts";
import type { LoadStateDictArgs } from "./module_args.ts";
import { Parameter } from "./parameter.ts";

/** Tensors by name. */
export type StateDict = Record<string, Tensor>;

/** Keys that `loadStateDict` could not match. */
export class IncompatibleKeys {
  /** Keys of the module that the state dict lacks. */
  readonly missingKeys: string[] = [];
  /** Keys of the state dict that the module lacks. */
  readonly unexpectedKeys: string[] = [];

  /** The text that `console.log` shows. */
  [inspectKey](): string {
    if (this.missingKeys.length === 0 && this.unexpectedKeys.length === 0) return "<All keys matched successfully>";
    const list = (keys: string[]) => `[${keys.map((k) => `'${k}'`).join(", ")}]`;
    return `_IncompatibleKeys(missing_keys=${list(this.missingKeys)}, unexpected_keys=${list(this.unexpectedKeys)})`;
  }
}

/**
 * The state dict of a module and all modules below it.
 *
 * @param keepVars whether the dict holds the parameters themselves instead of detached tensors
 */
export function stateDict(module: Module, prefix: string, keepVars: boolean, into: StateDict = {}): StateDict {
  const hooks = module._hooks;
  for (const hook of hooks.statePre.all) hook(module, prefix, keepVars);
  const put = (name: string, tensor: Tensor) => into[prefix + name] = keepVars ? tensor : tensor.detach();
  for (const [name, parameter] of module._ownParameters()) put(name, parameter);
  for (const [name, buffer, persistent] of module._ownBuffers()) if (persistent) put(name, buffer);
  for (const [name, child] of module._ownModules()) stateDict(child, `${prefix}${name}.`, keepVars, into);
  for (const hook of hooks.statePost.all) hook(module, into, prefix);
  return into;
}

/** The state of one `loadStateDict()`. */
interface Loading {
  readonly assign: boolean;
  readonly keys: IncompatibleKeys;
  readonly errors: string[];
  /**
   * The copies and post hooks in order. They run once everything is known to fit, so that a dict that does not fit
   * changes nothing.
   */
  readonly actions: (() => void)[];
  /**
   * Whether post hooks are among the actions: they may remove missing keys from the list, so they run before the check
   * of keys.
   */
  hooked: boolean;
}

/**
 * Copies a state dict into a module; see {@linkcode Module.loadStateDict}.
 *
 * @throws {ArgumentError} one error for everything that does not fit
 */
export function loadStateDict(
  module: Module,
  state: StateDict,
  { strict, assign }: Readonly<LoadStateDictArgs>,
): IncompatibleKeys {
  if (typeof state !== "object" || state === null || state instanceof Tensor || state instanceof Promise) {
    throw new ArgumentError(
      `loadStateDict(): expected state_dict to be dict-like: ${describe(state)}${awaitIt(state)}`,
    );
  }
  const loading: Loading = { assign, keys: new IncompatibleKeys(), errors: [], actions: [], hooked: false };
  load(module, { ...state }, "", loading);
  const { missingKeys, unexpectedKeys } = loading.keys;
  const messages = loading.errors;
  const fits = messages.length === 0 && missingKeys.length + unexpectedKeys.length === 0;
  if (fits || loading.hooked || (!strict && messages.length === 0)) { for (const action of loading.actions) action(); }
  if (strict) {
    const list = (keys: readonly string[]) => keys.map((k) => `"${k}"`).join(", ");
    if (unexpectedKeys.length > 0) messages.unshift(`Unexpected key(s) in state_dict: ${list(unexpectedKeys)}. `);
    if (missingKeys.length > 0) messages.unshift(`Missing key(s) in state_dict: ${list(missingKeys)}. `);
  }
  if (messages.length > 0) {
    throw new ArgumentError(
      `loadStateDict(): Error(s) in loading state_dict for ${module._name()}:\n\t${messages.join("\n\t")}`,
    );
  }
  return loading.keys;
}

function load(module: Module, state: StateDict, prefix: string, loading: Loading): void {
  const hooks = module._hooks;
  for (const hook of hooks.loadPre.all) hook(module, state, prefix);
  const own = new Map<string, Tensor>(module._ownParameters());
  for (const [name, buffer, persistent] of module._ownBuffers()) if (persistent) own.set(name, buffer);
  for (const [name, target] of own) {
    const key = prefix + name;
    if (Object.hasOwn(state, key)) loadTensor(module, name, key, target, state[key], loading);
    else loading.keys.missingKeys.push(key);
  }
  const children = new Map(module._ownModules());
  for (const key of Object.keys(state)) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const dot = rest.indexOf(".");
    const known = dot < 0 ? own.has(rest) : children.has(rest.slice(0, dot));
    if (!known) loading.keys.unexpectedKeys.push(key);
  }
  for (const [name, child] of children) {
    const inner = `${prefix}${name}.`;
    const part: StateDict = {};
    for (const key of Object.keys(state)) if (key.startsWith(inner)) part[key] = state[key];
    load(child, part, inner, loading);
  }
  for (const hook of hooks.loadPost.all) {
    loading.hooked = true;
    loading.actions.push(() => hook(module, loading.keys));
  }
}

function loadTensor(
  module: Module,
  name: string,
  key: string,
  target: Tensor,
  value: Tensor,
  loading: Loading,
): void {
  if (!(value instanceof Tensor)) {
    loading.errors.push(
      `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint but ` +
        `received ${typeof value}`,
    );
    return;
  }
  // Scalars were saved with one dimension before PyTorch 0.4.
  const source = target.ndim === 0 && value.ndim === 1 && value.shape[0] === 1 ? value.reshape([]) : value;
  if (!sameShape(source.shape, target.shape)) {
    loading.errors.push(
      `size mismatch for ${key}: copying a param with shape torch.Size(${show(source.shape)}) from checkpoint, ` +
        `the shape in current model is torch.Size(${show(target.shape)}).`,
    );
    return;
  }
  if (!loading.assign && !copiesAtOnce(value, target.device)) {
    loading.errors.push(
      `${key} is on ${value.device}, which is read asynchronously, and belongs on ${target.device}; load ` +
        `await torch.utils.sendToDevice(state, "${target.device}").`,
    );
    return;
  }
  loading.actions.push(() => {
    if (!loading.assign) withGrad(false, () => target.copy_(source));
    else if (target instanceof Parameter) {
      module._setOwn(name, new Parameter(source.detach(), target.requiresGrad));
    } else module._setOwn(name, source);
  });
}
