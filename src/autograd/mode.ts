/**
 * Grad modes: whether operations are recorded.
 *
 * Each mode is a callback (`noGrad(() => …)`) and a handle (`using _ = noGrad()`). The callback form is for its task alone,
 * across `await` too: a training goes on beside an evaluation that waits. A handle lasts until it is disposed, in whatever
 * order, and for everything that runs meanwhile: do not `await` while one is held where other tasks compute.
 *
 * @module
 */

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

function lasting<R>(name: string, changes: readonly Change[], fn: (() => R) | undefined): R | Disposable {
  return fn === undefined ? hold(name, changes) : during(changes, fn);
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
export function noGrad(): Disposable;
/** The same while `fn` runs, until its promise settles if it gives one, for this task alone; gives what it returns. */
export function noGrad<R>(fn: () => R): R;
export function noGrad<R>(fn?: () => R): R | Disposable {
  return lasting("noGrad", OFF, fn);
}

/** Records operations, inside a `noGrad` too; inside `inferenceMode` nothing is recorded. */
export function enableGrad(): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function enableGrad<R>(fn: () => R): R;
export function enableGrad<R>(fn?: () => R): R | Disposable {
  return lasting("enableGrad", ON, fn);
}

/**
 * Like `noGrad`, and not undone by an `enableGrad` inside.
 *
 * Differs from PyTorch: the results are ordinary tensors, which may enter a graph later. Modes last across `await`, so
 * that a loader's prefetch may run inside, and its batches must serve training afterwards.
 */
export function inferenceMode(): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function inferenceMode<R>(fn: () => R): R;
export function inferenceMode<R>(fn?: () => R): R | Disposable {
  return lasting("inferenceMode", INFERENCE, fn);
}

/** Sets whether operations are recorded; disposing the result restores the previous setting. */
export function setGradEnabled(enabled: boolean): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function setGradEnabled<R>(enabled: boolean, fn: () => R): R;
export function setGradEnabled<R>(enabled: boolean, fn?: () => R): R | Disposable {
  return lasting("setGradEnabled", enabled ? ON : OFF, fn);
}

/** Whether operations are recorded now. */
export function isGradEnabled(): boolean {
  return mode.gradEnabled;
}

/** Whether inference mode is on. */
export function isInferenceModeEnabled(): boolean {
  return mode.inference;
}

/** Makes backward name the op whose gradient is NaN and where its forward was called; slow, for debugging. */
export function detectAnomaly(): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function detectAnomaly<R>(fn: () => R): R;
export function detectAnomaly<R>(fn?: () => R): R | Disposable {
  return lasting("detectAnomaly", ANOMALY, fn);
}

/** Sets anomaly detection; disposing the result restores the previous setting. */
export function setDetectAnomaly(enabled: boolean): Disposable {
  return hold("setDetectAnomaly", enabled ? ANOMALY : NO_ANOMALY);
}
