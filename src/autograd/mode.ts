/**
 * Grad modes: whether operations are recorded.
 *
 * Each mode is a callback (`noGrad(() => …)`) and a handle (`using _ = noGrad()`). The callback form is for its task alone,
 * across `await` too: a training goes on beside an evaluation that waits. A handle lasts until it is disposed, in whatever
 * order, and for everything that runs meanwhile: do not `await` while one is held where other tasks compute.
 *
 * @module
 */

import { checkFunction } from "../base/checks.ts";
import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { type Change, during, hold, Setting } from "../base/during.ts";

const gradients = new Setting("noGrad", true);
const inference = new Setting("inferenceMode", false);
const anomaly = new Setting("detectAnomaly", false);

/** Whether operations are recorded. */
interface Mode {
  /** Whether they may be: what hot paths read; where it is true and not `certain`, `gradEnabled` says. */
  mayRecord: boolean;
  /** The same for `anomaly`. */
  mayTrace: boolean;
  /** Whether no other task can be in another mode. */
  certain: boolean;
  /** Whether operations are recorded here and now. */
  readonly gradEnabled: boolean;
  readonly inference: boolean;
  readonly anomaly: boolean;
}

/** The recording state; ops read its fields directly, being on the hot path. */
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

// What inference mode turned off, nothing inside turns on.
const OFF = [gradients.to(() => false)], ON = [gradients.to(() => !inference.value)];
const INFERENCE = [inference.to(() => true), gradients.to(() => false)];
const ANOMALY = [anomaly.to(() => true)], NO_ANOMALY = [anomaly.to(() => false)];

/** The parameters of the modes: what runs in them. */
export class GradModeArgs<R = unknown> {
  constructor(
    /** What runs in the mode; `null`: the mode lasts until the returned handle is disposed. */
    public fn: (() => R) | null = null,
  ) {}
}

/** The parameters of {@linkcode setGradEnabled}. */
export class SetGradEnabledArgs<R = unknown> {
  constructor(
    /** Whether operations are recorded. */
    public enabled: boolean,
    /** What runs so; `null`: it lasts until the returned handle is disposed. */
    public fn: (() => R) | null = null,
  ) {}
}

/** The parameters of {@linkcode setDetectAnomaly}. */
export class SetDetectAnomalyArgs {
  constructor(
    /** Whether backward looks for NaN. */
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
  /** Until the handle is disposed: `using _ = noGrad()`. */
  (): Disposable;
  /** While `fn` runs, until its promise settles if it gives one, for this task alone; gives what it returns. */
  <R>(fn: () => R): R;
  /** The same by name. */
  <R>(named: { readonly fn: () => R }): R;
}

function lasting<R>(name: string, changes: readonly Change[], fn: (() => R) | undefined): R | Disposable {
  if (fn === undefined) return hold(name, changes);
  checkFunction(name, "fn", fn);
  return during(changes, fn);
}

/** Runs `fn`, which waits for nothing, with operations recorded or not: what the library itself uses, being cheapest. */
export function withGrad<R>(enabled: boolean, fn: () => R): R {
  return gradients.within(enabled && !inference.value, fn);
}

/** Why operations are not recorded now, for the error of a backward that fails of it; `""` where they are. */
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
 * Does not record operations until the handle is disposed: `using _ = noGrad()`.
 *
 * A handle is not for one task: what else runs while the block waits at an `await` does not record either. Where other
 * tasks compute, give a callback. A handle that nobody takes lasts for good, and the backward that fails of it says so.
 */
export const noGrad: ModeFunction = modeFunction("noGrad", OFF);

/** Records operations, inside a `noGrad` too; inside `inferenceMode` nothing is recorded. */
export const enableGrad: ModeFunction = modeFunction("enableGrad", ON);

/**
 * Like `noGrad`, and not undone by an `enableGrad` inside.
 *
 * Differs from PyTorch: the results are ordinary tensors, which may enter a graph later. Modes last across `await`, so
 * that a loader's prefetch may run inside, and its batches must serve training afterwards.
 */
export const inferenceMode: ModeFunction = modeFunction("inferenceMode", INFERENCE);

const setGradEnabledArgs = call("setGradEnabled", SetGradEnabledArgs);

/** Sets whether operations are recorded; disposing the result restores the previous setting. */
export function setGradEnabled<R>(enabled: boolean, fn: () => R): R;
/** Sets it for good, or until the handle is disposed. */
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

/** Makes backward name the op whose gradient is NaN and where its forward was called; slow, for debugging. */
export const detectAnomaly: ModeFunction = modeFunction("detectAnomaly", ANOMALY);

/** Sets anomaly detection; disposing the result restores the previous setting. */
export const setDetectAnomaly: Func<typeof SetDetectAnomalyArgs, Disposable> = func(
  "setDetectAnomaly",
  SetDetectAnomalyArgs,
  ({ enabled }) => hold("setDetectAnomaly", enabled ? ANOMALY : NO_ANOMALY),
);
