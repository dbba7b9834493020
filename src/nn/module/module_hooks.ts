/**
 * The hooks of a module, and the call of `forward` with hooks.
 *
 * A hook may store the tensors that it is given and those it makes, so they are left to the garbage collector instead of
 * being released with the call. Backward hooks are called by two identity nodes of the autograd graph: all inputs pass through one,
 * all outputs through the other.
 *
 * @module
 */

import { warn } from "../../base/warnings.ts";
import { alias } from "../../autograd/node.ts";
import { recording, recordMany } from "../../autograd/record.ts";
import { keep } from "../../tensor/scope.ts";
import { outsideScopes } from "../../tensor/storage.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { HookList } from "./hooks.ts";
import type { Module } from "./module.ts";
import type { IncompatibleKeys, StateDict } from "./state_dict.ts";

/** Gradients of a list of values; `null` where there is none. */
export type Grads = (Tensor | null)[];

/** A forward hook with its option. */
export interface ForwardHook {
  /** The hook. */
  readonly hook: (module: Module, args: unknown[], output: unknown) => unknown;
  /** Whether it runs even when `forward` throws. */
  readonly always: boolean;
}

/** All hooks of one module. */
export class ModuleHooks {
  /** Hooks before `forward`. */
  readonly forwardPre: HookList<(module: Module, args: unknown[]) => unknown> = new HookList();
  /** Hooks after `forward`. */
  readonly forward: HookList<ForwardHook> = new HookList();
  /** Hooks before the backward pass of the module. */
  readonly backwardPre: HookList<(module: Module, gradOutput: Grads) => Grads | void> = new HookList();
  /** Hooks after the backward pass of the module. */
  readonly backward: HookList<(module: Module, gradInput: Grads, gradOutput: Grads) => Grads | void> = new HookList();
  /** Hooks before a state dict is made. */
  readonly statePre: HookList<(module: Module, prefix: string, keepVars: boolean) => void> = new HookList();
  /** Hooks after a state dict was made. */
  readonly statePost: HookList<(module: Module, state: StateDict, prefix: string) => void> = new HookList();
  /** Hooks before a state dict is loaded. */
  readonly loadPre: HookList<(module: Module, state: StateDict, prefix: string) => void> = new HookList();
  /** Hooks after a state dict was loaded. */
  readonly loadPost: HookList<(module: Module, keys: IncompatibleKeys) => void> = new HookList();

  /** Whether a call has no hook to run. */
  get none(): boolean {
    return this.forwardPre.empty && this.forward.empty && this.backward.empty && this.backwardPre.empty;
  }
}

/**
 * Runs `forward` with a module's hooks around it.
 *
 * @param args the arguments of the call
 * @param forward the module's computation
 */
export function callWithHooks(
  module: Module,
  hooks: ModuleHooks,
  args: unknown[],
  forward: (args: unknown[]) => unknown,
): unknown {
  const ran = new Set<ForwardHook>();
  let output: unknown;
  try {
    for (const hook of hooks.forwardPre.all) {
      keep(args);
      const changed = outsideScopes(() => hook(module, args));
      if (changed !== undefined && changed !== null) args = Array.isArray(changed) ? changed : [changed];
    }
    const backward = hooks.backward.empty && hooks.backwardPre.empty ? null : new BackwardHooks(module, hooks);
    if (backward) args = backward.aroundInputs(args);
    output = forward(args);
    for (const entry of hooks.forward.all) {
      ran.add(entry);
      output = runForwardHook(module, entry, args, output);
    }
    return backward ? backward.aroundOutput(output) : output;
  } catch (error) {
    for (const entry of hooks.forward.all) if (entry.always && !ran.has(entry)) runQuietly(module, entry, args, output);
    throw error;
  }
}

function runForwardHook(module: Module, entry: ForwardHook, args: unknown[], output: unknown): unknown {
  keep([args, output]);
  const changed = outsideScopes(() => entry.hook(module, args, output));
  return changed !== undefined && changed !== null ? changed : output;
}

/** Calls a hook after `forward` threw: an error of the hook must not hide that error. */
function runQuietly(module: Module, entry: ForwardHook, args: unknown[], output: unknown): void {
  try {
    outsideScopes(() => entry.hook(module, args, output));
  } catch (error) {
    warn(`a forward hook with alwaysCall failed while another error was thrown: ${String(error)}`);
  }
}

/** The two identity nodes of one call. */
class BackwardHooks {
  private readonly module: Module;
  private readonly hooks: ModuleHooks;
  private inputCount = 0;
  private inputsRecorded = false;
  private gradOutput: Grads | null = null;

  constructor(module: Module, hooks: ModuleHooks) {
    this.module = module;
    this.hooks = hooks;
  }

  /** Passes the tensors among `args` through an identity node, which receives the gradients of the inputs. */
  aroundInputs(args: unknown[]): unknown[] {
    const at = args.flatMap((value, i) => value instanceof Tensor ? [i] : []);
    const inputs = at.map((i) => args[i] as Tensor);
    this.inputCount = inputs.length;
    if (!recording(inputs)) return args;
    this.inputsRecorded = true;
    const outs = inputs.map(alias);
    recordMany("BackwardHookFunction", outs, inputs, [], (grads) => this.#afterBackward(grads));
    const result = [...args];
    at.forEach((i, k) => result[i] = outs[k]);
    return result;
  }

  /** Passes the tensors of the output through an identity node, which receives their gradients. */
  aroundOutput(output: unknown): unknown {
    const list = Array.isArray(output) ? output : [output];
    const at = list.flatMap((value, i) => value instanceof Tensor ? [i] : []);
    const tensors = at.map((i) => list[i] as Tensor);
    if (!recording(tensors)) return output;
    const outs = tensors.map(alias);
    recordMany("BackwardHookFunction", outs, tensors, [], (grads) => this.#beforeBackward(grads));
    if (!Array.isArray(output)) return outs[0];
    const result = [...list];
    at.forEach((i, k) => result[i] = outs[k]);
    return result;
  }

  #beforeBackward(grads: Grads): Grads {
    keep(grads);
    for (const hook of this.hooks.backwardPre.all) grads = outsideScopes(() => hook(this.module, grads)) ?? grads;
    // The hooks after the pass are given the gradients that a hook replaced, too.
    keep(grads);
    this.gradOutput = grads;
    // Without an input that needs a gradient there is no node around the inputs to call the hooks.
    if (!this.inputsRecorded) this.#runHooks(Array.from({ length: this.inputCount }, () => null), grads);
    return grads;
  }

  #afterBackward(grads: Grads): Grads {
    const gradOutput = this.gradOutput ?? [];
    this.gradOutput = null;
    keep(grads);
    return this.#runHooks(grads, gradOutput);
  }

  #runHooks(gradInput: Grads, gradOutput: Grads): Grads {
    for (const hook of this.hooks.backward.all) {
      gradInput = outsideScopes(() => hook(this.module, gradInput, gradOutput)) ?? gradInput;
    }
    return gradInput;
  }
}
