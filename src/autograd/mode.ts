/**
 * Grad modes: whether operations are recorded.
 *
 * Each mode has two forms: with a callback (`noGrad(() => …)`) and as a handle (`using _ = noGrad()`). The callback
 * form changes the mode of its own task only, across `await` too: training in another task goes on recording. A handle
 * changes the mode of everything that runs until it is disposed, so do not `await` while one is held if other tasks
 * compute. Handles may be disposed in any order.
 *
 * @module
 */

import { checkFunction } from "../base/checks.ts";
import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { type Change, during, hold, Setting } from "../base/during.ts";

const gradients = new Setting("noGrad", true);
const inference = new Setting("inferenceMode", false);
const anomaly = new Setting("detectAnomaly", false);

/** The state of the grad modes. */
interface Mode {
  /**
   * Whether operations may be recorded: what hot paths read. Where it is true and `certain` is false, `gradEnabled`
   * decides.
   */
  mayRecord: boolean;
  /** Whether anomaly detection may be on; `anomaly` decides. */
  mayTrace: boolean;
  /** Whether all tasks are in the same mode. */
  certain: boolean;
  /** Whether operations are recorded in the running task. */
  readonly gradEnabled: boolean;
  readonly inference: boolean;
  readonly anomaly: boolean;
}

/** The state of the grad modes. Ops read its plain fields, because they are on the hot path. */
export const mode: Mode = {
  mayRecord: true,
  mayTrace: false,
  certain: true,
  get gradEnabled() {
    return mode.mayRecord && gradients.value;
  },
  get inference() {
    return inference.value;
  },
  get anomaly() {
    return anomaly.value;
  },
};

gradients.watch((enabled, certain) => {
  mode.mayRecord = enabled || !certain;
  mode.certain = certain;
});
anomaly.watch((on, certain) => {
  mode.mayTrace = on || !certain;
});

// Inside inference mode `enableGrad` has no effect.
const OFF = [gradients.to(() => false)], ON = [gradients.to(() => !inference.value)];
const INFERENCE = [inference.to(() => true), gradients.to(() => false)];
const ANOMALY = [anomaly.to(() => true)], NO_ANOMALY = [anomaly.to(() => false)];

/** The parameters of the functions that set a grad mode. */
export class GradModeArgs<R = unknown> {
  constructor(
    /** The function to run in the mode; `null`: the mode lasts until the returned handle is disposed. */
    public fn: (() => R) | null = null,
  ) {}
}

/** The parameters of {@linkcode setGradEnabled}. */
export class SetGradEnabledArgs<R = unknown> {
  constructor(
    /** Whether operations are recorded. */
    public enabled: boolean,
    /** The function to run in this mode; `null`: the mode lasts until the returned handle is disposed. */
    public fn: (() => R) | null = null,
  ) {}
}

/** The parameters of {@linkcode setDetectAnomaly}. */
export class SetDetectAnomalyArgs {
  constructor(
    /** Whether backward checks gradients for NaN. */
    public enabled: boolean,
  ) {}
}

/** Defines a mode that lasts while a callback runs, or until a handle is disposed. */
function modeFunction(name: string, changes: readonly Change[]): ModeFunction {
  const parse = call(name, GradModeArgs);
  const f = (...args: readonly unknown[]) => lasting(name, changes, parse(args).fn ?? undefined);
  Object.defineProperty(f, "name", { value: name });
  return f as ModeFunction;
}

/** A mode that lasts until its handle is disposed, or while a callback runs. */
export interface ModeFunction {
  /** Sets the mode until the returned handle is disposed: `using _ = noGrad()`. */
  (): Disposable;
  /**
   * Sets the mode for this task while `fn` runs, until its promise settles if it returns one; returns the result of
   * `fn`.
   */
  <R>(fn: () => R): R;
  /** Sets the mode while `fn`, given by name, runs. */
  <R>(named: { readonly fn: () => R }): R;
}

function lasting<R>(name: string, changes: readonly Change[], fn: (() => R) | undefined): R | Disposable {
  if (fn === undefined) return hold(name, changes);
  checkFunction(name, "fn", fn);
  return during(changes, fn);
}

/** Runs a synchronous `fn` with recording on or off: the cheapest form, for the library itself. */
export function withGrad<R>(enabled: boolean, fn: () => R): R {
  return gradients.within(enabled && !inference.value, fn);
}

/**
 * Why operations are not recorded now, for the message of a backward that fails because of that; `""` where they are
 * recorded.
 */
export function whyGradIsOff(): string {
  if (gradients.value) return "";
  const name = (inference.value ? inference : gradients).dropped;
  if (name === null) {
    return "gradients are off here, inside noGrad() or inferenceMode(): call it, and compute its output, outside";
  }
  if (name === "setGradEnabled") {
    return "gradients are off since torch.setGradEnabled(false); torch.setGradEnabled(true) turns them on";
  }
  return `gradients are off since a torch.${name}() without \`using\`, which lasts until it is disposed; write ` +
    `\`using _ = torch.${name}()\` in a block, or torch.${name}(() => …)`;
}

/**
 * Turns recording off: operations leave no graph, until the handle is disposed (`using _ = noGrad()`) or while a
 * callback runs.
 *
 * A handle affects all tasks: operations of other tasks that run while the block waits at an `await` are not recorded
 * either. Where other tasks compute, pass a callback. A handle that is not bound by `using` lasts for good; a backward
 * that fails because of it says so.
 */
export const noGrad: ModeFunction = modeFunction("noGrad", OFF);

/** Turns recording on, also inside `noGrad`; inside `inferenceMode` it has no effect. */
export const enableGrad: ModeFunction = modeFunction("enableGrad", ON);

/**
 * Turns recording off, as `noGrad` does, even where `enableGrad` is called inside.
 *
 * Differs from PyTorch: the results are ordinary tensors, which may enter a graph later. Modes last across `await`, so
 * that a loader's prefetch may run inside, and its batches must serve training afterwards.
 */
export const inferenceMode: ModeFunction = modeFunction("inferenceMode", INFERENCE);

const setGradEnabledArgs = call("setGradEnabled", SetGradEnabledArgs);

/** Turns recording on or off while `fn` runs; returns the result of `fn`. */
export function setGradEnabled<R>(enabled: boolean, fn: () => R): R;
/** Turns recording on or off for good, or until the returned handle is disposed. */
export function setGradEnabled(...args: Args<typeof SetGradEnabledArgs>): Disposable;
export function setGradEnabled(...args: readonly unknown[]): unknown {
  const { enabled, fn } = setGradEnabledArgs(args);
  return lasting("setGradEnabled", enabled ? ON : OFF, fn ?? undefined);
}

/** Whether operations are recorded now. */
export const isGradEnabled: Func<typeof NoArgs, boolean> = func("isGradEnabled", NoArgs, () => mode.gradEnabled);

/** Whether inference mode is on. */
export const isInferenceModeEnabled: Func<typeof NoArgs, boolean> = func(
  "isInferenceModeEnabled",
  NoArgs,
  () => mode.inference,
);

/**
 * Anomaly detection: backward throws where a gradient is NaN and names the op and where it was called in forward. Slow,
 * for debugging.
 */
export const detectAnomaly: ModeFunction = modeFunction("detectAnomaly", ANOMALY);

/** Turns anomaly detection on or off for good, or until the returned handle is disposed. */
export const setDetectAnomaly: Func<typeof SetDetectAnomalyArgs, Disposable> = func(
  "setDetectAnomaly",
  SetDetectAnomalyArgs,
  ({ enabled }) => hold("setDetectAnomaly", enabled ? ANOMALY : NO_ANOMALY),
);

/** Runs `fn`, in which nobody else's code runs, without recording: what costs least. */
export function unrecorded<R>(fn: () => R): R {
  const saved = mode.mayRecord;
  mode.mayRecord = false;
  try {
    return fn();
  } finally {
    mode.mayRecord = saved;
  }
}
