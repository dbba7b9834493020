/**
 * Grad modes: whether operations are recorded.
 *
 * Each mode is a callback (`noGrad(() => …)`) and a disposable (`using _ = noGrad()`).
 *
 * @module
 */

import { during } from "../base/during.ts";

/** The recording state; ops read it directly, being on the hot path. */
export const mode: { gradEnabled: boolean; inference: boolean; anomaly: boolean } = {
  gradEnabled: true,
  inference: false,
  anomaly: false,
};

type Mode = typeof mode;

function withMode<R>(op: string, change: Partial<Mode>, fn?: () => R): R | Disposable {
  const before = { ...mode };
  // Only what was changed is put back: `fn` may have set something else for good.
  const restore = () => {
    for (const key of Object.keys(change) as (keyof Mode)[]) mode[key] = before[key];
  };
  Object.assign(mode, change);
  if (mode.inference) mode.gradEnabled = false;
  return during(op, restore, fn);
}

/** Does not record operations, until the callback returns or the returned object is disposed. */
export function noGrad(): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function noGrad<R>(fn: () => R): R;
export function noGrad<R>(fn?: () => R): R | Disposable {
  return withMode("noGrad", { gradEnabled: false }, fn);
}

/** Records operations, inside a `noGrad` too; inside `inferenceMode` nothing is recorded. */
export function enableGrad(): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function enableGrad<R>(fn: () => R): R;
export function enableGrad<R>(fn?: () => R): R | Disposable {
  return withMode("enableGrad", { gradEnabled: true }, fn);
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
  return withMode("inferenceMode", { gradEnabled: false, inference: true }, fn);
}

/** Sets whether operations are recorded; disposing the result restores the previous setting. */
export function setGradEnabled(enabled: boolean): Disposable;
/** The same while `fn` runs; gives what it returns. */
export function setGradEnabled<R>(enabled: boolean, fn: () => R): R;
export function setGradEnabled<R>(enabled: boolean, fn?: () => R): R | Disposable {
  return withMode("setGradEnabled", { gradEnabled: enabled }, fn);
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
  return withMode("detectAnomaly", { anomaly: true }, fn);
}

/** Sets anomaly detection; disposing the result restores the previous setting. */
export function setDetectAnomaly(enabled: boolean): Disposable {
  return withMode("setDetectAnomaly", { anomaly: enabled }) as Disposable;
}
