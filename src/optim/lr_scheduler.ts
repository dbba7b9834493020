/**
 * Learning-rate schedules: the base class and the schedules with one formula.
 *
 * A schedule writes `lr` into the optimizer's parameter groups, once when it is made and once per `step()`. As in
 * PyTorch, most schedules are *chainable*: `getLr()` derives the next rate from the current one, so that several of
 * them multiply; the closed form is used when `step(epoch)` jumps. A subclass sets its own fields after `super(…)` and
 * then calls `_initialStep()`, because JavaScript initialises a subclass's fields only after the base constructor.
 *
 * @see https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { toCamel, toSnake } from "../base/spelling.ts";
import { readLr, writeLr } from "./param_group.ts";
import type { Optimizer } from "./optimizer.ts";

/** What every schedule takes. */
export interface LRSchedulerOptions {
  /** The optimizer whose rates are set. */
  optimizer: Optimizer;
  /** The index of the last epoch when a run is resumed. @default {-1} */
  lastEpoch?: number;
}

/** A plain, serialisable description of a schedule's state, with PyTorch's keys. */
export type SchedulerState = Record<string, unknown>;

/** Throws unless a value is a saved state, or the states of the parts in one. */
export function checkState(scheduler: LRScheduler, state: unknown): asserts state is SchedulerState {
  if (typeof state !== "object" || state === null || Array.isArray(state)) {
    throw new ArgumentError(`${scheduler.constructor.name}.loadStateDict(): expected a state dict: ${describe(state)}`);
  }
}

/**
 * Base of all schedules.
 *
 * Differs from PyTorch: a subclass calls `this._initialStep()` at the end of its own constructor.
 */
export abstract class LRScheduler {
  /** The optimizer whose rates are set. */
  readonly optimizer: Optimizer;
  /** The rates at the start, one per parameter group. */
  baseLrs: number[];
  /** How many steps were taken, counted from 0. */
  lastEpoch: number;
  /** How often `step()` ran. */
  _stepCount = 0;
  /** Whether the first step, made by the constructor, is running. */
  _isInitial = false;
  /** The rates that the last step set. */
  _lastLr: number[] = [];

  /**
   * Remembers the optimizer's current rates as the initial ones.
   *
   * @param optimizer the optimizer
   * @param lastEpoch the last epoch of the run that is resumed, or -1 for a new one
   * @throws {ArgumentError} if a run is resumed and the groups hold no `initialLr`
   */
  constructor(optimizer: Optimizer, lastEpoch = -1) {
    if (!Array.isArray(optimizer?.paramGroups)) {
      throw new ArgumentError(`${new.target.name}(): the first argument must be an Optimizer`);
    }
    this.optimizer = optimizer;
    optimizer.paramGroups.forEach((group, i) => {
      if (lastEpoch === -1) group.initialLr ??= readLr(group);
      else if (group.initialLr === undefined) {
        throw new ArgumentError(
          `${new.target.name}(): "initialLr" is missing in paramGroups[${i}] when resuming with lastEpoch ${lastEpoch}; ` +
            `load the optimizer's state first`,
        );
      }
    });
    this.baseLrs = optimizer.paramGroups.map((g) => g.initialLr as number);
    this.lastEpoch = lastEpoch;
  }

  /** The rates of the current epoch, one per group; what a schedule is. */
  abstract getLr(): number[];

  /** The rates of any epoch from the initial ones, where a schedule has such a formula. */
  _closedFormLr?(): number[];

  /** Takes the first step; the last line of a subclass's constructor. */
  _initialStep(): void {
    this._stepCount = 0;
    this._isInitial = true;
    try {
      this.step();
    } finally {
      this._isInitial = false;
    }
  }

  /**
   * Moves on to the next epoch (or batch), after `optimizer.step()`.
   *
   * @param epoch jumps to this epoch instead
   */
  step(epoch?: number): void {
    if (this._stepCount === 1 && this.optimizer.stepCalls === 0) {
      console.warn(
        "Detected call of `lrScheduler.step()` before `optimizer.step()`; call `optimizer.step()` first, or the first " +
          "value of the schedule is skipped",
      );
    }
    this._stepCount++;
    this._updateLr(epoch);
  }

  /** Computes and sets the rates of the next epoch, or of `epoch`. */
  _updateLr(epoch?: number): void {
    this.lastEpoch = epoch ?? this.lastEpoch + 1;
    const jump = epoch !== undefined && this._closedFormLr !== undefined;
    const rates = jump ? this._closedFormLr!() : this.getLr();
    this.optimizer.paramGroups.forEach((group, i) => writeLr(group, rates[i]));
    this._lastLr = this.currentLrs();
  }

  /** The rates that the last step set, one per group. */
  getLastLr(): number[] {
    return [...this._lastLr];
  }

  /** The state as a plain object with PyTorch's keys. */
  stateDict(): SchedulerState {
    const state: SchedulerState = {};
    for (const [key, value] of Object.entries(this)) {
      if (key !== "optimizer" && typeof value !== "function") state[toSnake(key)] = value;
    }
    return state;
  }

  /**
   * Restores what `stateDict()` gave.
   *
   * @param state a state dict of the same kind of schedule
   */
  loadStateDict(state: SchedulerState): void {
    checkState(this, state);
    const own = this as unknown as Record<string, unknown>;
    for (const [key, value] of Object.entries(state)) {
      const name = toCamel(key);
      if (name in own) own[name] = value;
    }
  }

  /** The rates now in the parameter groups. */
  protected currentLrs(): number[] {
    return this.optimizer.paramGroups.map(readLr);
  }
}

/** Options of {@linkcode LambdaLR} and {@linkcode MultiplicativeLR}. */
export interface LambdaLROptions extends LRSchedulerOptions {
  /** The factor as a function of the epoch, or one function per parameter group. */
  lrLambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[];
}

const lambdaArgs = signature<LambdaLROptions>("LambdaLR", ["optimizer", "lrLambda", "lastEpoch"], [], 2);

function lambdasFor(
  op: string,
  optimizer: Optimizer,
  lambda: LambdaLROptions["lrLambda"],
): readonly ((epoch: number) => number)[] {
  const count = optimizer.paramGroups.length;
  const list = typeof lambda === "function" ? Array.from({ length: count }, () => lambda) : [...lambda];
  if (list.length !== count) {
    throw new ArgumentError(
      `${op}(): expected one lrLambda per parameter group: ${list.length} given, ${count} groups`,
    );
  }
  return list;
}

/** Like {@linkcode LRScheduler.stateDict}, without the functions, which cannot be saved. */
function stateWithoutLambdas(state: SchedulerState, count: number): SchedulerState {
  return { ...state, lr_lambdas: Array.from({ length: count }, () => null) };
}

/** The initial rate times a function of the epoch. */
export class LambdaLR extends LRScheduler {
  /** One function per group. */
  lrLambdas: readonly ((epoch: number) => number)[];

  /** Takes `optimizer, lrLambda, lastEpoch`. */
  constructor(...args: Args<LambdaLROptions, ["optimizer", "lrLambda", "lastEpoch"]>) {
    const o = lambdaArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.lrLambdas = lambdasFor("LambdaLR", o.optimizer, o.lrLambda);
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    return this.baseLrs.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch));
  }

  /** The state, for `loadStateDict`. */
  override stateDict(): SchedulerState {
    return stateWithoutLambdas(super.stateDict(), this.lrLambdas.length);
  }

  /** Takes back what `stateDict` gave. */
  override loadStateDict(state: SchedulerState): void {
    checkState(this, state);
    super.loadStateDict({ ...state, lr_lambdas: this.lrLambdas });
  }
}

/** The current rate times a function of the epoch. */
export class MultiplicativeLR extends LRScheduler {
  /** One function per group. */
  lrLambdas: readonly ((epoch: number) => number)[];

  /** Takes `optimizer, lrLambda, lastEpoch`. */
  constructor(...args: Args<LambdaLROptions, ["optimizer", "lrLambda", "lastEpoch"]>) {
    const o = lambdaArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.lrLambdas = lambdasFor("MultiplicativeLR", o.optimizer, o.lrLambda);
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    return this._isInitial ? now : now.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch));
  }

  /** The state, for `loadStateDict`. */
  override stateDict(): SchedulerState {
    return stateWithoutLambdas(super.stateDict(), this.lrLambdas.length);
  }

  /** Takes back what `stateDict` gave. */
  override loadStateDict(state: SchedulerState): void {
    checkState(this, state);
    super.loadStateDict({ ...state, lr_lambdas: this.lrLambdas });
  }
}

/** Options of {@linkcode StepLR}. */
export interface StepLROptions extends LRSchedulerOptions {
  /** Epochs between two decays. */
  stepSize: number;
  /** Factor of each decay. @default {0.1} */
  gamma?: number;
}

const stepArgs = signature<StepLROptions>("StepLR", ["optimizer", "stepSize", "gamma", "lastEpoch"], [], 2);

/**
 * Multiplies the rate by `gamma` every `stepSize` epochs.
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
export class StepLR extends LRScheduler {
  /** Epochs between two decays. */
  stepSize: number;
  /** Factor of each decay. */
  gamma: number;

  /** Takes `optimizer, stepSize, gamma, lastEpoch`. */
  constructor(...args: Args<StepLROptions, ["optimizer", "stepSize", "gamma", "lastEpoch"]>) {
    const o = stepArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.stepSize = o.stepSize;
    this.gamma = o.gamma ?? 0.1;
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    if (this.lastEpoch === 0 || this.lastEpoch % this.stepSize !== 0) return now;
    return now.map((lr) => lr * this.gamma);
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** Math.floor(this.lastEpoch / this.stepSize));
  }
}

/** Options of {@linkcode MultiStepLR}. */
export interface MultiStepLROptions extends LRSchedulerOptions {
  /** Epochs at which the rate decays; one that appears twice decays twice. */
  milestones: readonly number[];
  /** Factor of each decay. @default {0.1} */
  gamma?: number;
}

const multiStepArgs = signature<MultiStepLROptions>(
  "MultiStepLR",
  ["optimizer", "milestones", "gamma", "lastEpoch"],
  [],
  2,
);

/** Multiplies the rate by `gamma` at each milestone. */
export class MultiStepLR extends LRScheduler {
  /** Epochs at which the rate decays. */
  milestones: readonly number[];
  /** Factor of each decay. */
  gamma: number;

  /** Takes `optimizer, milestones, gamma, lastEpoch`. */
  constructor(...args: Args<MultiStepLROptions, ["optimizer", "milestones", "gamma", "lastEpoch"]>) {
    const o = multiStepArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.milestones = [...o.milestones];
    this.gamma = o.gamma ?? 0.1;
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const decays = this.milestones.filter((m) => m === this.lastEpoch).length;
    const now = this.currentLrs();
    return decays === 0 ? now : now.map((lr) => lr * this.gamma ** decays);
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    const passed = this.milestones.filter((m) => m <= this.lastEpoch).length;
    return this.baseLrs.map((lr) => lr * this.gamma ** passed);
  }
}

/** Options of {@linkcode ConstantLR}. */
export interface ConstantLROptions extends LRSchedulerOptions {
  /** Factor until `totalIters`. @default {1 / 3} */
  factor?: number;
  /** Steps with the factor. @default {5} */
  totalIters?: number;
}

const constantArgs = signature<ConstantLROptions>(
  "ConstantLR",
  ["optimizer", "factor", "totalIters", "lastEpoch"],
  [],
  1,
);

/** Multiplies the rate by a constant for the first `totalIters` steps. */
export class ConstantLR extends LRScheduler {
  /** Factor until `totalIters`. */
  factor: number;
  /** Steps with the factor. */
  totalIters: number;

  /** Takes `optimizer, factor, totalIters, lastEpoch`. */
  constructor(...args: Args<ConstantLROptions, ["optimizer", "factor", "totalIters", "lastEpoch"]>) {
    const o = constantArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.factor = o.factor ?? 1 / 3;
    this.totalIters = o.totalIters ?? 5;
    if (!(this.factor >= 0 && this.factor <= 1)) {
      throw new ArgumentError(`ConstantLR(): factor must be between 0 and 1: ${this.factor}`);
    }
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    if (this.lastEpoch === 0) return now.map((lr) => lr * this.factor);
    return this.lastEpoch === this.totalIters ? now.map((lr) => lr * (1 / this.factor)) : now;
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    const factor = this.lastEpoch >= this.totalIters ? 1 : this.factor;
    return this.baseLrs.map((lr) => lr * factor);
  }
}

/** Options of {@linkcode LinearLR}. */
export interface LinearLROptions extends LRSchedulerOptions {
  /** Factor at the first step. @default {1 / 3} */
  startFactor?: number;
  /** Factor from `totalIters` on. @default {1} */
  endFactor?: number;
  /** Steps until `endFactor`. @default {5} */
  totalIters?: number;
}

const linearArgs = signature<LinearLROptions>(
  "LinearLR",
  ["optimizer", "startFactor", "endFactor", "totalIters", "lastEpoch"],
  [],
  1,
);

/** Changes the rate's factor linearly over the first `totalIters` steps: a warm-up. */
export class LinearLR extends LRScheduler {
  /** Factor at the first step. */
  startFactor: number;
  /** Factor from `totalIters` on. */
  endFactor: number;
  /** Steps until `endFactor`. */
  totalIters: number;

  /** Takes `optimizer, startFactor, endFactor, totalIters, lastEpoch`. */
  constructor(
    ...args: Args<LinearLROptions, ["optimizer", "startFactor", "endFactor", "totalIters", "lastEpoch"]>
  ) {
    const o = linearArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.startFactor = o.startFactor ?? 1 / 3;
    this.endFactor = o.endFactor ?? 1;
    this.totalIters = o.totalIters ?? 5;
    if (!(this.startFactor > 0 && this.startFactor <= 1)) {
      throw new ArgumentError(`LinearLR(): startFactor must be above 0 and at most 1: ${this.startFactor}`);
    }
    if (!(this.endFactor >= 0 && this.endFactor <= 1)) {
      throw new ArgumentError(`LinearLR(): endFactor must be between 0 and 1: ${this.endFactor}`);
    }
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    if (this.lastEpoch === 0) return now.map((lr) => lr * this.startFactor);
    if (this._isInitial || this.lastEpoch > this.totalIters) return now;
    const slope = this.endFactor - this.startFactor;
    const before = this.totalIters * this.startFactor + (this.lastEpoch - 1) * slope;
    return now.map((lr) => lr * (1 + slope / before));
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    const done = Math.min(this.totalIters, this.lastEpoch) / this.totalIters;
    return this.baseLrs.map((lr) => lr * (this.startFactor + (this.endFactor - this.startFactor) * done));
  }
}

/** Options of {@linkcode ExponentialLR}. */
export interface ExponentialLROptions extends LRSchedulerOptions {
  /** Factor per epoch. */
  gamma: number;
}

const exponentialArgs = signature<ExponentialLROptions>("ExponentialLR", ["optimizer", "gamma", "lastEpoch"], [], 2);

/** Multiplies the rate by `gamma` every epoch. */
export class ExponentialLR extends LRScheduler {
  /** Factor per epoch. */
  gamma: number;

  /** Takes `optimizer, gamma, lastEpoch`. */
  constructor(...args: Args<ExponentialLROptions, ["optimizer", "gamma", "lastEpoch"]>) {
    const o = exponentialArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.gamma = o.gamma;
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    return this._isInitial ? now : now.map((lr) => lr * this.gamma);
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** this.lastEpoch);
  }
}

/** Options of {@linkcode PolynomialLR}. */
export interface PolynomialLROptions extends LRSchedulerOptions {
  /** Steps until the rate is 0. @default {5} */
  totalIters?: number;
  /** Exponent. @default {1} */
  power?: number;
}

const polynomialArgs = signature<PolynomialLROptions>(
  "PolynomialLR",
  ["optimizer", "totalIters", "power", "lastEpoch"],
  [],
  1,
);

/** `lr · (1 - epoch / totalIters) ^ power`, then 0. */
export class PolynomialLR extends LRScheduler {
  /** Steps until the rate is 0. */
  totalIters: number;
  /** Exponent. */
  power: number;

  /** Takes `optimizer, totalIters, power, lastEpoch`. */
  constructor(...args: Args<PolynomialLROptions, ["optimizer", "totalIters", "power", "lastEpoch"]>) {
    const o = polynomialArgs(args);
    super(o.optimizer, o.lastEpoch);
    this.totalIters = o.totalIters ?? 5;
    this.power = o.power ?? 1;
    this._initialStep();
  }

  /** The learning rates of this step, one per group. */
  override getLr(): number[] {
    const now = this.currentLrs();
    if (this._isInitial || this.lastEpoch > this.totalIters) return now;
    const left = 1 - this.lastEpoch / this.totalIters;
    const before = 1 - (this.lastEpoch - 1) / this.totalIters;
    return now.map((lr) => lr * (left / before) ** this.power);
  }

  /** The learning rates of this epoch by the formula, one per group. */
  override _closedFormLr(): number[] {
    const left = 1 - Math.min(this.totalIters, this.lastEpoch) / this.totalIters;
    return this.baseLrs.map((lr) => lr * left ** this.power);
  }
}
