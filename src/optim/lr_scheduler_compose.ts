/**
 * Schedules that are no formula of the epoch: `ReduceLROnPlateau` follows a watched value; `SequentialLR` and
 * `ChainedScheduler` combine other schedules.
 *
 * @module
 */

import { checkTensor } from "../tensor/tensor.ts";
import { checkArray, checkInstance, checkIntegers } from "../base/checks.ts";
import { type Args, call, NoArgs } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkState, LRScheduler, type SchedulerState } from "./lr_scheduler.ts";
import type { Optimizer } from "./optimizer.ts";
import { numberOf, perGroup, readLr, writeLr } from "./param_group.ts";

/** The parameters of {@linkcode ReduceLROnPlateau}. */
export class ReduceLROnPlateauArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** Whether the watched value improves by falling (`"min"`) or by rising (`"max"`). */
    public mode: "min" | "max" = "min",
    /** The factor of each reduction, below 1. */
    public factor = 0.1,
    /** The number of epochs without improvement before a reduction. */
    public patience = 10,
    /** The least improvement that counts. */
    public threshold = 1e-4,
    /** Whether the threshold is relative to the best value (`"rel"`) or absolute (`"abs"`). */
    public thresholdMode: "rel" | "abs" = "rel",
    /** Cooldown: the number of epochs after a reduction in which no bad epochs are counted. */
    public cooldown = 0,
    /** The lowest learning rate, or one per parameter group. */
    public minLr: number | readonly number[] = 0,
    /** The least change of a learning rate: smaller reductions are not made. */
    public eps = 1e-8,
  ) {}
}

/** The parameters of {@linkcode ReduceLROnPlateau.step}. */
export class PlateauStepArgs {
  constructor(
    /** The watched value, such as the validation loss: a number or a 0-d tensor. Required. */
    public metrics: number | Tensor | null = null,
    /** The index of this epoch; `null`: the next one. */
    public epoch: number | null = null,
  ) {}
}

const plateauArgs = call("ReduceLROnPlateau", ReduceLROnPlateauArgs);
const plateauStepArgs = call("ReduceLROnPlateau.step", PlateauStepArgs);

/** Multiplies the learning rate by `factor` when a watched value has stopped improving. */
export class ReduceLROnPlateau extends LRScheduler {
  /** Whether the watched value improves by falling (`"min"`) or by rising (`"max"`). */
  mode: "min" | "max";
  /** The factor of each reduction. */
  factor: number;
  /** The number of epochs without improvement before a reduction. */
  patience: number;
  /** The least improvement that counts. */
  threshold: number;
  /** Whether the threshold is relative to the best value (`"rel"`) or absolute (`"abs"`). */
  thresholdMode: "rel" | "abs";
  /** Cooldown: the number of epochs after a reduction in which no bad epochs are counted. */
  cooldown: number;
  /** The lowest learning rates, one per parameter group. */
  minLrs: number[];
  /** The least change of a learning rate: smaller reductions are not made. */
  eps: number;
  /** The best value so far. */
  best: number;
  /** The number of cooldown epochs left. */
  cooldownCounter = 0;
  /** The number of epochs since the last improvement. */
  numBadEpochs = 0;

  constructor(...args: Args<typeof ReduceLROnPlateauArgs>) {
    const o = plateauArgs(args);
    super(o.optimizer);
    this.mode = o.mode;
    this.factor = o.factor;
    this.patience = o.patience;
    this.threshold = o.threshold;
    this.thresholdMode = o.thresholdMode;
    this.cooldown = o.cooldown;
    this.eps = o.eps;
    if (!(this.factor < 1)) {
      throw new ArgumentError(`ReduceLROnPlateau(): factor must be below 1: ${describe(this.factor)}`);
    }
    if (this.mode !== "min" && this.mode !== "max") {
      throw new ArgumentError(`ReduceLROnPlateau(): mode must be "min" or "max": "${String(this.mode)}"`);
    }
    if (this.thresholdMode !== "rel" && this.thresholdMode !== "abs") {
      throw new ArgumentError(
        `ReduceLROnPlateau(): thresholdMode must be "rel" or "abs": "${String(this.thresholdMode)}"`,
      );
    }
    this.minLrs = perGroup("ReduceLROnPlateau", "minLr", o.optimizer.paramGroups, o.minLr);
    this.best = this.mode === "min" ? Infinity : -Infinity;
    this.lastEpoch = 0;
    this._lastLr = this.currentLrs();
  }

  /** The current learning rates: this schedule has no formula. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  /** Passes the watched value of an epoch to the schedule. */
  override step(...args: Args<typeof PlateauStepArgs>): void {
    const { metrics, epoch } = plateauStepArgs(args);
    if (metrics === null) {
      throw new ArgumentError('ReduceLROnPlateau.step(): missing argument: "metrics", the measured value');
    }
    if (typeof metrics !== "number") checkTensor("ReduceLROnPlateau.step", "metrics", metrics);
    const value = numberOf(metrics);
    this.lastEpoch = epoch ?? this.lastEpoch + 1;
    if (this.#isBetter(value)) {
      this.best = value;
      this.numBadEpochs = 0;
    } else this.numBadEpochs++;
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.numBadEpochs = 0;
    }
    if (this.numBadEpochs > this.patience) {
      this.#reduce();
      this.cooldownCounter = this.cooldown;
      this.numBadEpochs = 0;
    }
    this._lastLr = this.currentLrs();
  }

  #isBetter(value: number): boolean {
    const relative = this.thresholdMode === "rel";
    if (this.mode === "min") {
      return value < (relative ? this.best * (1 - this.threshold) : this.best - this.threshold);
    }
    return value > (relative ? this.best * (1 + this.threshold) : this.best + this.threshold);
  }

  #reduce(): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      const old = readLr(group);
      const lr = Math.max(old * this.factor, this.minLrs[i] ?? 0);
      if (old - lr > this.eps) writeLr(group, lr);
    });
  }
}

function checkParts(op: string, optimizer: Optimizer, parts: readonly LRScheduler[]): void {
  checkArray(op, "schedulers", parts);
  if (parts.length === 0) throw new ArgumentError(`${op}(): expected at least one scheduler: none given`);
  parts.forEach((part, i) => {
    if (part instanceof ReduceLROnPlateau) {
      throw new ArgumentError(`${op}(): ReduceLROnPlateau needs a value at each step and cannot be a part: index ${i}`);
    }
    checkInstance(op, `schedulers[${i}]`, part, LRScheduler);
    if (part.optimizer !== optimizer) {
      throw new ArgumentError(`${op}(): all schedulers must belong to the same optimizer: index ${i} has another`);
    }
  });
}

/** A state dict with the states of several schedules in place of the schedules. */
function stateWithParts(state: SchedulerState, parts: readonly LRScheduler[]): SchedulerState {
  return { ...state, _schedulers: parts.map((part) => part.stateDict()) };
}

/** The parameters of {@linkcode SequentialLR}. */
export class SequentialLRArgs {
  constructor(
    /** The optimizer that all parts share. */
    public optimizer: Optimizer,
    /** The schedules, in order. */
    public schedulers: readonly LRScheduler[],
    /** The epochs at which the next schedule takes over; one fewer than schedules. */
    public milestones: readonly number[],
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

const sequentialArgs = call("SequentialLR", SequentialLRArgs);
const sequentialStepArgs = call("SequentialLR.step", NoArgs);

/** A sequence of schedules: each is active until its milestone. */
export class SequentialLR extends LRScheduler {
  /** The schedules, in order. */
  readonly _schedulers: readonly LRScheduler[];
  /** The epochs at which the next schedule takes over. */
  _milestones: readonly number[];

  constructor(...args: Args<typeof SequentialLRArgs>) {
    const o = sequentialArgs(args);
    checkParts("SequentialLR", o.optimizer, o.schedulers);
    checkIntegers("SequentialLR", "milestones", o.milestones);
    if (o.milestones.length !== o.schedulers.length - 1) {
      throw new ArgumentError(
        `SequentialLR(): expected one milestone fewer than schedulers: ${o.schedulers.length} schedulers, ${o.milestones.length} milestones`,
      );
    }
    super(o.optimizer, o.lastEpoch);
    this._schedulers = [...o.schedulers];
    this._milestones = [...o.milestones];
    this.lastEpoch = o.lastEpoch + 1;
    // Each schedule took its first step when it was made. These are undone, then only the first schedule takes its own.
    for (const group of o.optimizer.paramGroups) writeLr(group, group.initialLr as number);
    this.undo();
    const first = this.#partAt(0);
    first._initialStep();
    this._lastLr = first.getLastLr();
  }

  /** Undoes the first step of every schedule. */
  private undo(): void {
    for (const part of this._schedulers) {
      if (part instanceof SequentialLR) part.undo();
      else if (part instanceof ChainedScheduler) part._schedulers.forEach((inner) => inner.lastEpoch--);
      else part.lastEpoch--;
    }
  }

  #partAt(epoch: number): LRScheduler {
    return this._schedulers[this._milestones.filter((m) => m <= epoch).length];
  }

  /** The current learning rates, which the active schedule has set. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  /** Moves on to the next epoch. */
  override step(...args: Args<typeof NoArgs>): void {
    sequentialStepArgs(args);
    this.lastEpoch++;
    const part = this.#partAt(this.lastEpoch);
    if (this._milestones.includes(this.lastEpoch)) part._updateLr(0);
    else part.step();
    this._lastLr = part.getLastLr();
  }

  override stateDict(...args: Args<typeof NoArgs>): SchedulerState {
    return stateWithParts(super.stateDict(...args), this._schedulers);
  }

  override loadStateDict(state: SchedulerState, ...args: Args<typeof NoArgs>): void {
    checkState(this, state);
    const { _schedulers, ...own } = state;
    checkArray(`${this.constructor.name}.loadStateDict`, "_schedulers", _schedulers);
    if (_schedulers.length !== this._schedulers.length) {
      throw new ArgumentError(
        `${this.constructor.name}.loadStateDict(): the states of ${this._schedulers.length} schedules are needed: ` +
          `${_schedulers.length} given`,
      );
    }
    super.loadStateDict(own, ...args);
    (_schedulers as SchedulerState[]).forEach((part, i) => this._schedulers[i].loadStateDict(part));
  }
}

/** The parameters of {@linkcode ChainedScheduler}. */
export class ChainedSchedulerArgs {
  constructor(
    /** The schedules that all apply, in order. */
    public schedulers: readonly LRScheduler[],
    /** The optimizer of the schedules, which is checked. */
    public optimizer: Optimizer | null = null,
  ) {}
}

const chainedArgs = call("ChainedScheduler", ChainedSchedulerArgs);
const chainedStepArgs = call("ChainedScheduler.step", NoArgs);

/** Several schedules applied together: each step is a step of all. */
export class ChainedScheduler extends LRScheduler {
  /** The schedules, in order. */
  readonly _schedulers: readonly LRScheduler[];

  constructor(...args: Args<typeof ChainedSchedulerArgs>) {
    const o = chainedArgs(args);
    checkArray("ChainedScheduler", "schedulers", o.schedulers);
    const optimizer = o.optimizer ?? o.schedulers[0]?.optimizer;
    checkParts("ChainedScheduler", optimizer, o.schedulers);
    super(optimizer);
    this._schedulers = [...o.schedulers];
    this._lastLr = this.currentLrs();
  }

  /** The current learning rates, which the schedules have set. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  override step(...args: Args<typeof NoArgs>): void {
    chainedStepArgs(args);
    for (const part of this._schedulers) part.step();
    this._lastLr = this.currentLrs();
  }

  override stateDict(...args: Args<typeof NoArgs>): SchedulerState {
    return stateWithParts(super.stateDict(...args), this._schedulers);
  }

  override loadStateDict(state: SchedulerState, ...args: Args<typeof NoArgs>): void {
    checkState(this, state);
    const { _schedulers, ...own } = state;
    checkArray(`${this.constructor.name}.loadStateDict`, "_schedulers", _schedulers);
    if (_schedulers.length !== this._schedulers.length) {
      throw new ArgumentError(
        `${this.constructor.name}.loadStateDict(): the states of ${this._schedulers.length} schedules are needed: ` +
          `${_schedulers.length} given`,
      );
    }
    super.loadStateDict(own, ...args);
    (_schedulers as SchedulerState[]).forEach((part, i) => this._schedulers[i].loadStateDict(part));
  }
}
