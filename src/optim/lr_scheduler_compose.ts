/**
 * Schedules that react or combine: `ReduceLROnPlateau` follows a measured value; `SequentialLR` and
 * `ChainedScheduler` are made of other schedules.
 *
 * @module
 */

import { checkArray } from "../base/checks.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkState, LRScheduler, type SchedulerState } from "./lr_scheduler.ts";
import type { Optimizer } from "./optimizer.ts";
import { numberOf, readLr, writeLr } from "./param_group.ts";

/** Options of {@linkcode ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** The optimizer whose rates are set. */
  optimizer: Optimizer;
  /** Whether lower or higher values are better. @default {"min"} */
  mode?: "min" | "max";
  /** Factor of each reduction, below 1. @default {0.1} */
  factor?: number;
  /** Epochs without improvement that are tolerated. @default {10} */
  patience?: number;
  /** By how much a value must be better to count. @default {1e-4} */
  threshold?: number;
  /** Whether the threshold is relative to the best value. @default {"rel"} */
  thresholdMode?: "rel" | "abs";
  /** Epochs to wait after a reduction. @default {0} */
  cooldown?: number;
  /** Lowest rate, or one per group. @default {0} */
  minLr?: number | readonly number[];
  /** Reductions smaller than this are not made. @default {1e-8} */
  eps?: number;
}

const plateauArgs = signature<ReduceLROnPlateauOptions>(
  "ReduceLROnPlateau",
  ["optimizer", "mode", "factor", "patience", "threshold", "thresholdMode", "cooldown", "minLr", "eps"],
  [],
  1,
);

/** Multiplies the rate by `factor` when a measured value has stopped improving. */
export class ReduceLROnPlateau extends LRScheduler {
  /** Whether lower or higher values are better. */
  mode: "min" | "max";
  /** Factor of each reduction. */
  factor: number;
  /** Epochs without improvement that are tolerated. */
  patience: number;
  /** By how much a value must be better to count. */
  threshold: number;
  /** Whether the threshold is relative to the best value. */
  thresholdMode: "rel" | "abs";
  /** Epochs to wait after a reduction. */
  cooldown: number;
  /** Lowest rates, one per group. */
  minLrs: number[];
  /** Reductions smaller than this are not made. */
  eps: number;
  /** The best value so far. */
  best: number;
  /** Epochs left to wait. */
  cooldownCounter = 0;
  /** Epochs without improvement. */
  numBadEpochs = 0;

  /** Takes `optimizer, mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps`. */
  constructor(
    ...args: Args<
      ReduceLROnPlateauOptions,
      ["optimizer", "mode", "factor", "patience", "threshold", "thresholdMode", "cooldown", "minLr", "eps"]
    >
  ) {
    const o = plateauArgs(args);
    super(o.optimizer);
    this.mode = o.mode ?? "min";
    this.factor = o.factor ?? 0.1;
    this.patience = o.patience ?? 10;
    this.threshold = o.threshold ?? 1e-4;
    this.thresholdMode = o.thresholdMode ?? "rel";
    this.cooldown = o.cooldown ?? 0;
    this.eps = o.eps ?? 1e-8;
    if (!(this.factor < 1)) throw new ArgumentError(`ReduceLROnPlateau(): factor must be below 1: ${this.factor}`);
    if (this.mode !== "min" && this.mode !== "max") {
      throw new ArgumentError(`ReduceLROnPlateau(): mode must be "min" or "max": "${String(this.mode)}"`);
    }
    if (this.thresholdMode !== "rel" && this.thresholdMode !== "abs") {
      throw new ArgumentError(
        `ReduceLROnPlateau(): thresholdMode must be "rel" or "abs": "${String(this.thresholdMode)}"`,
      );
    }
    const groups = o.optimizer.paramGroups;
    const minLr = o.minLr ?? 0;
    this.minLrs = typeof minLr === "number" ? groups.map(() => minLr) : [...minLr];
    if (this.minLrs.length !== groups.length) {
      throw new ArgumentError(
        `ReduceLROnPlateau(): minLr must have one value per parameter group: ${this.minLrs.length} given, ${groups.length} groups`,
      );
    }
    this.best = this.mode === "min" ? Infinity : -Infinity;
    this.lastEpoch = 0;
    this._lastLr = this.currentLrs();
  }

  /** The current rates: this schedule has no formula. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  /**
   * Tells the schedule the value that is watched.
   *
   * @param metrics the value, such as the validation loss; a number or a 0-d tensor
   */
  override step(metrics?: number | Tensor): void {
    if (metrics === undefined) {
      throw new ArgumentError("ReduceLROnPlateau.step(): missing argument: the measured value");
    }
    const value = numberOf(metrics);
    this.lastEpoch++;
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
  if (parts.length === 0) throw new ArgumentError(`${op}(): expected at least one scheduler: none given`);
  parts.forEach((part, i) => {
    if (part instanceof ReduceLROnPlateau) {
      throw new ArgumentError(`${op}(): ReduceLROnPlateau needs a value at each step and cannot be a part: index ${i}`);
    }
    if (part.optimizer !== optimizer) {
      throw new ArgumentError(`${op}(): all schedulers must belong to the same optimizer: index ${i} has another`);
    }
  });
}

/** The states of several schedules in place of the schedules. */
function stateWithParts(state: SchedulerState, parts: readonly LRScheduler[]): SchedulerState {
  return { ...state, _schedulers: parts.map((part) => part.stateDict()) };
}

/** Options of {@linkcode SequentialLR}. */
export interface SequentialLROptions {
  /** The optimizer that all parts share. */
  optimizer: Optimizer;
  /** The schedules, in order. */
  schedulers: readonly LRScheduler[];
  /** The epochs at which the next one takes over; one fewer than schedules. */
  milestones: readonly number[];
  /** The index of the last epoch when a run is resumed. @default {-1} */
  lastEpoch?: number;
}

const sequentialArgs = signature<SequentialLROptions>(
  "SequentialLR",
  ["optimizer", "schedulers", "milestones", "lastEpoch"],
  [],
  3,
);

/** One schedule after another. */
export class SequentialLR extends LRScheduler {
  /** The schedules, in order. */
  readonly _schedulers: readonly LRScheduler[];
  /** The epochs at which the next one takes over. */
  _milestones: readonly number[];

  /** Takes `optimizer, schedulers, milestones, lastEpoch`. */
  constructor(...args: Args<SequentialLROptions, ["optimizer", "schedulers", "milestones", "lastEpoch"]>) {
    const o = sequentialArgs(args);
    checkParts("SequentialLR", o.optimizer, o.schedulers);
    if (o.milestones.length !== o.schedulers.length - 1) {
      throw new ArgumentError(
        `SequentialLR(): expected one milestone fewer than schedulers: ${o.schedulers.length} schedulers, ${o.milestones.length} milestones`,
      );
    }
    super(o.optimizer, o.lastEpoch);
    this._schedulers = [...o.schedulers];
    this._milestones = [...o.milestones];
    this.lastEpoch = (o.lastEpoch ?? -1) + 1;
    // Each part took its first step when it was made; undo them, then let only the part of step 0 take its own.
    for (const group of o.optimizer.paramGroups) writeLr(group, group.initialLr as number);
    this.undo();
    const first = this.#partAt(0);
    first._initialStep();
    this._lastLr = first.getLastLr();
  }

  /** Takes back the first step of every part. */
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

  /** The current rates, which the active part has set. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  /** Moves on to the next epoch. */
  override step(): void {
    this.lastEpoch++;
    const part = this.#partAt(this.lastEpoch);
    if (this._milestones.includes(this.lastEpoch)) part._updateLr(0);
    else part.step();
    this._lastLr = part.getLastLr();
  }

  /** The state, for `loadStateDict`. */
  override stateDict(): SchedulerState {
    return stateWithParts(super.stateDict(), this._schedulers);
  }

  /** Takes back what `stateDict` gave. */
  override loadStateDict(state: SchedulerState): void {
    checkState(this, state);
    const { _schedulers, ...own } = state;
    checkArray(`${this.constructor.name}.loadStateDict`, "_schedulers", _schedulers);
    if (_schedulers.length !== this._schedulers.length) {
      throw new ArgumentError(
        `${this.constructor.name}.loadStateDict(): the states of ${this._schedulers.length} schedules are needed: ` +
          `${_schedulers.length} given`,
      );
    }
    super.loadStateDict(own);
    (_schedulers as SchedulerState[]).forEach((part, i) => this._schedulers[i].loadStateDict(part));
  }
}

/** Options of {@linkcode ChainedScheduler}. */
export interface ChainedSchedulerOptions {
  /** The schedules that all apply, in order. */
  schedulers: readonly LRScheduler[];
  /** Their optimizer, for a check. */
  optimizer?: Optimizer;
}

const chainedArgs = signature<ChainedSchedulerOptions>("ChainedScheduler", ["schedulers", "optimizer"], [], 1);

/** Several schedules at once: each step is a step of all. */
export class ChainedScheduler extends LRScheduler {
  /** The schedules, in order. */
  readonly _schedulers: readonly LRScheduler[];

  /** Takes `schedulers, optimizer`. */
  constructor(...args: Args<ChainedSchedulerOptions, ["schedulers", "optimizer"]>) {
    const o = chainedArgs(args);
    const optimizer = o.optimizer ?? o.schedulers[0]?.optimizer;
    checkParts("ChainedScheduler", optimizer, o.schedulers);
    super(optimizer);
    this._schedulers = [...o.schedulers];
    this._lastLr = this.currentLrs();
  }

  /** The current rates, which the parts have set. */
  override getLr(): number[] {
    return this.currentLrs();
  }

  /** A step of every part. */
  override step(): void {
    for (const part of this._schedulers) part.step();
    this._lastLr = this.currentLrs();
  }

  /** The state, for `loadStateDict`. */
  override stateDict(): SchedulerState {
    return stateWithParts(super.stateDict(), this._schedulers);
  }

  /** Takes back what `stateDict` gave. */
  override loadStateDict(state: SchedulerState): void {
    checkState(this, state);
    const { _schedulers, ...own } = state;
    checkArray(`${this.constructor.name}.loadStateDict`, "_schedulers", _schedulers);
    if (_schedulers.length !== this._schedulers.length) {
      throw new ArgumentError(
        `${this.constructor.name}.loadStateDict(): the states of ${this._schedulers.length} schedules are needed: ` +
          `${_schedulers.length} given`,
      );
    }
    super.loadStateDict(own);
    (_schedulers as SchedulerState[]).forEach((part, i) => this._schedulers[i].loadStateDict(part));
  }
}
