/**
 * Schedules defined by formulas: the next learning rate from the current one, and that of any epoch from the initial
 * one.
 *
 * @module
 */

import { checkIntegers } from "../base/checks.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { type Schedule, schedule } from "./lr_scheduler.ts";
import type { Optimizer } from "./optimizer.ts";

/** The parameters of {@linkcode StepLR}. */
export class StepLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The number of epochs between two decays. */
    public stepSize: number,
    /** Factor of each decay. */
    public gamma = 0.1,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/**
 * Step decay: multiplies the learning rate by `gamma` every `stepSize` epochs.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const optimizer = new torch.optim.SGD([torch.ones(1, { requiresGrad: true })], { lr: 1 });
 * const scheduler = new torch.optim.lrScheduler.StepLR(optimizer, 2, 0.5);
 * for (let epoch = 0; epoch < 4; epoch++) {
 *   optimizer.step();
 *   scheduler.step();
 * }
 * assertEquals(optimizer.paramGroups[0].lr, 0.25);
 * ```
 */
export const StepLR: Schedule<typeof StepLRArgs> = schedule({
  name: "StepLR",
  params: StepLRArgs,
  next: ({ lastEpoch, stepSize, gamma }, lr) => lastEpoch === 0 || lastEpoch % stepSize !== 0 ? lr : lr * gamma,
  closed: ({ lastEpoch, stepSize, gamma }, base) => base * gamma ** Math.floor(lastEpoch / stepSize),
});
export type StepLR = InstanceType<typeof StepLR>;

/** The parameters of {@linkcode MultiStepLR}. */
export class MultiStepLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The epochs at which the learning rate decays; one that occurs twice decays it twice. */
    public milestones: readonly number[],
    /** Factor of each decay. */
    public gamma = 0.1,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** Step decay: multiplies the learning rate by `gamma` at each milestone. */
export const MultiStepLR: Schedule<typeof MultiStepLRArgs> = schedule({
  name: "MultiStepLR",
  params: MultiStepLRArgs,
  init: (own) => {
    checkIntegers("MultiStepLR", "milestones", own.milestones);
    own.milestones = [...own.milestones];
  },
  next: ({ lastEpoch, milestones, gamma }, lr) => lr * gamma ** milestones.filter((m) => m === lastEpoch).length,
  closed: ({ lastEpoch, milestones, gamma }, base) => base * gamma ** milestones.filter((m) => m <= lastEpoch).length,
});
export type MultiStepLR = InstanceType<typeof MultiStepLR>;

/** The parameters of {@linkcode ConstantLR}. */
export class ConstantLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** Factor until `totalIters`, in [0, 1]. */
    public factor: number = 1 / 3,
    /** The number of steps with the factor. */
    public totalIters = 5,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** Multiplies the learning rate by a constant factor for the first `totalIters` steps. */
export const ConstantLR: Schedule<typeof ConstantLRArgs> = schedule({
  name: "ConstantLR",
  params: ConstantLRArgs,
  init: ({ factor }) => {
    if (!(factor >= 0 && factor <= 1)) {
      throw new ArgumentError(`ConstantLR(): factor must be between 0 and 1: ${describe(factor)}`);
    }
  },
  next: ({ lastEpoch, factor, totalIters }, lr) => {
    if (lastEpoch === 0) return lr * factor;
    return lastEpoch === totalIters ? lr * (1 / factor) : lr;
  },
  closed: ({ lastEpoch, factor, totalIters }, base) => base * (lastEpoch >= totalIters ? 1 : factor),
});
export type ConstantLR = InstanceType<typeof ConstantLR>;

/** The parameters of {@linkcode LinearLR}. */
export class LinearLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** Factor at the first step, in (0, 1]. */
    public startFactor: number = 1 / 3,
    /** Factor from `totalIters` on, in [0, 1]. */
    public endFactor = 1,
    /** The number of steps until `endFactor`. */
    public totalIters = 5,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** Linear warm-up: the factor of the learning rate changes linearly over the first `totalIters` steps. */
export const LinearLR: Schedule<typeof LinearLRArgs> = schedule({
  name: "LinearLR",
  params: LinearLRArgs,
  init: ({ startFactor, endFactor }) => {
    if (!(startFactor > 0 && startFactor <= 1)) {
      throw new ArgumentError(`LinearLR(): startFactor must be above 0 and at most 1: ${describe(startFactor)}`);
    }
    if (!(endFactor >= 0 && endFactor <= 1)) {
      throw new ArgumentError(`LinearLR(): endFactor must be between 0 and 1: ${describe(endFactor)}`);
    }
  },
  next: ({ _isInitial, lastEpoch, startFactor, endFactor, totalIters }, lr) => {
    if (lastEpoch === 0) return lr * startFactor;
    if (_isInitial || lastEpoch > totalIters) return lr;
    const slope = endFactor - startFactor;
    return lr * (1 + slope / (totalIters * startFactor + (lastEpoch - 1) * slope));
  },
  closed: ({ lastEpoch, startFactor, endFactor, totalIters }, base) =>
    base * (startFactor + (endFactor - startFactor) * (Math.min(totalIters, lastEpoch) / totalIters)),
});
export type LinearLR = InstanceType<typeof LinearLR>;

/** The parameters of {@linkcode ExponentialLR}. */
export class ExponentialLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** Factor per epoch. */
    public gamma: number,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** Exponential decay: multiplies the learning rate by `gamma` every epoch. */
export const ExponentialLR: Schedule<typeof ExponentialLRArgs> = schedule({
  name: "ExponentialLR",
  params: ExponentialLRArgs,
  next: ({ _isInitial, gamma }, lr) => _isInitial ? lr : lr * gamma,
  closed: ({ lastEpoch, gamma }, base) => base * gamma ** lastEpoch,
});
export type ExponentialLR = InstanceType<typeof ExponentialLR>;

/** The parameters of {@linkcode PolynomialLR}. */
export class PolynomialLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The number of steps until the learning rate is 0. */
    public totalIters = 5,
    /** The exponent of the polynomial. */
    public power = 1,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** Polynomial decay: `lr · (1 - epoch / totalIters) ^ power` until `totalIters`, then 0. */
export const PolynomialLR: Schedule<typeof PolynomialLRArgs> = schedule({
  name: "PolynomialLR",
  params: PolynomialLRArgs,
  next: ({ _isInitial, lastEpoch, totalIters, power }, lr) => {
    if (_isInitial || lastEpoch > totalIters) return lr;
    return lr * ((1 - lastEpoch / totalIters) / (1 - (lastEpoch - 1) / totalIters)) ** power;
  },
  closed: ({ lastEpoch, totalIters, power }, base) =>
    base * (1 - Math.min(totalIters, lastEpoch) / totalIters) ** power,
});
export type PolynomialLR = InstanceType<typeof PolynomialLR>;

/** The parameters of {@linkcode CosineAnnealingLR}. */
export class CosineAnnealingLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The number of epochs from the highest to the lowest learning rate. */
    public T_max: number,
    /** The lowest learning rate. */
    public etaMin = 0,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** The closed form of cosine annealing between the lowest and the initial learning rate. */
function cosine({ lastEpoch, T_max, etaMin }: Omit<CosineAnnealingLRArgs, "optimizer">, base: number): number {
  return etaMin + (base - etaMin) * ((1 + Math.cos((Math.PI * lastEpoch) / T_max)) / 2);
}

/**
 * Cosine annealing: half a cosine from the initial learning rate to `etaMin` in `T_max` epochs, and back.
 *
 * @see https://arxiv.org/abs/1608.03983
 */
export const CosineAnnealingLR: Schedule<typeof CosineAnnealingLRArgs> = schedule({
  name: "CosineAnnealingLR",
  params: CosineAnnealingLRArgs,
  next: (own, lr, base) => {
    const { lastEpoch, T_max, etaMin } = own;
    if (own._isInitial) return lr;
    if (own._stepCount === 1 && lastEpoch > 0) return cosine(own, base);
    if ((lastEpoch - 1 - T_max) % (2 * T_max) === 0) {
      // The previous learning rate was etaMin, which no factor can change: add the first step of the way up.
      return lr + ((base - etaMin) * (1 - Math.cos(Math.PI / T_max))) / 2;
    }
    const height = (epoch: number) => 1 + Math.cos((Math.PI * epoch) / T_max);
    return height(lastEpoch) / height(lastEpoch - 1) * (lr - etaMin) + etaMin;
  },
  closed: cosine,
});
export type CosineAnnealingLR = InstanceType<typeof CosineAnnealingLR>;
