/**
 * Schedules that follow a curve: cosine annealing with warm restarts, cyclical learning rates, the one-cycle policy,
 * and the annealing of stochastic weight averaging.
 *
 * The cyclic ones also cycle the momentum (`momentum` of SGD, the first of Adam's `betas`) inversely to the learning
 * rate.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { checkOptimizer, LRScheduler, SchedulerStepArgs } from "./lr_scheduler.ts";
import { type ParamGroup, perGroup, readLr, writeLr } from "./param_group.ts";
import type { Optimizer } from "./optimizer.ts";

/** The parameters of {@linkcode CosineAnnealingWarmRestarts}. */
export class CosineAnnealingWarmRestartsArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The number of epochs until the first restart. */
    public T_0: number,
    /** The factor by which each cycle is longer than the one before; an integer. */
    public T_mult = 1,
    /** The lowest learning rate. */
    public etaMin = 0,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

const restartArgs = call("CosineAnnealingWarmRestarts", CosineAnnealingWarmRestartsArgs);
const restartStepArgs = call("CosineAnnealingWarmRestarts.step", SchedulerStepArgs);

/**
 * Cosine annealing with warm restarts: starts again at the initial learning rate after `T_0`, `T_0 · T_mult`, … epochs.
 *
 * @see https://arxiv.org/abs/1608.03983
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  /** The length of the first cycle in epochs. */
  T_0: number;
  /** The length of the current cycle in epochs. */
  T_i: number;
  /** The factor by which each cycle is longer than the one before. */
  T_mult: number;
  /** The lowest learning rate. */
  etaMin: number;
  /** The number of epochs since the last restart. */
  T_cur: number;

  constructor(...args: Args<typeof CosineAnnealingWarmRestartsArgs>) {
    const { optimizer, T_0, T_mult, etaMin, lastEpoch } = restartArgs(args);
    if (!(Number.isInteger(T_0) && T_0 > 0)) {
      throw new ArgumentError(`CosineAnnealingWarmRestarts(): T_0 must be a positive integer: ${describe(T_0)}`);
    }
    if (!(Number.isInteger(T_mult) && T_mult >= 1)) {
      throw new ArgumentError(
        `CosineAnnealingWarmRestarts(): T_mult must be an integer of at least 1: ${describe(T_mult)}`,
      );
    }
    super(optimizer, lastEpoch);
    this.T_0 = this.T_i = T_0;
    this.T_mult = T_mult;
    this.etaMin = etaMin;
    this.T_cur = this.lastEpoch;
    this._initialStep();
  }

  override getLr(): number[] {
    const height = (1 + Math.cos((Math.PI * this.T_cur) / this.T_i)) / 2;
    return this.baseLrs.map((lr) => this.etaMin + (lr - this.etaMin) * height);
  }

  /** Moves on to the next epoch, or jumps to `epoch`, where fractions are allowed, for a step per batch. */
  override step(...args: Args<typeof SchedulerStepArgs>): void {
    let { epoch } = restartStepArgs(args);
    this._stepCount++;
    if (epoch === null && this.lastEpoch < 0) epoch = 0;
    if (epoch === null) {
      epoch = this.lastEpoch + 1;
      this.T_cur++;
      if (this.T_cur >= this.T_i) {
        this.T_cur %= this.T_i;
        this.T_i *= this.T_mult;
      }
    } else this.#jump(epoch);
    this.lastEpoch = Math.floor(epoch);
    const rates = this.getLr();
    this.optimizer.paramGroups.forEach((group, i) => writeLr(group, rates[i]));
    this._lastLr = this.currentLrs();
  }

  #jump(epoch: number): void {
    if (typeof epoch !== "number" || !(epoch >= 0)) {
      throw new ArgumentError(
        `CosineAnnealingWarmRestarts.step(): epoch must be a number that is not negative: ${describe(epoch)}`,
      );
    }
    if (epoch < this.T_0) {
      this.T_i = this.T_0;
      this.T_cur = epoch;
    } else if (this.T_mult === 1) this.T_cur = epoch % this.T_0;
    else {
      const cycle = Math.floor(Math.log((epoch / this.T_0) * (this.T_mult - 1) + 1) / Math.log(this.T_mult));
      this.T_cur = epoch - (this.T_0 * (this.T_mult ** cycle - 1)) / (this.T_mult - 1);
      this.T_i = this.T_0 * this.T_mult ** cycle;
    }
  }
}

/** Whether the optimizer's momentum is the first of its `betas`; throws where it has no momentum. */
function usesBeta1(op: string, optimizer: Optimizer): boolean {
  if ("betas" in optimizer.defaults) return true;
  if ("momentum" in optimizer.defaults) return false;
  throw new ArgumentError(
    `${op}(): cycleMomentum needs an optimizer with momentum or betas: ${optimizer.constructor.name}`,
  );
}

function writeMomentum(group: ParamGroup, beta1: boolean, value: number): void {
  if (beta1) group.betas = [value, ...(group.betas as number[]).slice(1)];
  else group.momentum = value;
}

/** The parameters of {@linkcode CyclicLR}. */
export class CyclicLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The lowest learning rate, or one per parameter group. */
    public baseLr: number | readonly number[],
    /** The highest learning rate, or one per parameter group. */
    public maxLr: number | readonly number[],
    /** The number of steps in which the learning rate rises. */
    public stepSizeUp = 2000,
    /** The number of steps in which the learning rate falls; `null`: `stepSizeUp`. */
    public stepSizeDown: number | null = null,
    /**
     * The policy of the amplitude: constant (`"triangular"`), halved per cycle (`"triangular2"`) or `gamma ^ step`
     * (`"exp_range"`).
     */
    public mode: "triangular" | "triangular2" | "exp_range" = "triangular",
    /** The factor per step of the policy `"exp_range"`. */
    public gamma = 1,
    /** A function that gives the factor of the amplitude, in place of `mode`. */
    public scaleFn: ((x: number) => number) | null = null,
    /** The argument of `scaleFn`: the index of the cycle or of the step. */
    public scaleMode: "cycle" | "iterations" = "cycle",
    /** Whether the momentum is cycled inversely to the learning rate. */
    public cycleMomentum = true,
    /** The lowest momentum, or one per parameter group. */
    public baseMomentum: number | readonly number[] = 0.8,
    /** The highest momentum, or one per parameter group. */
    public maxMomentum: number | readonly number[] = 0.9,
    /** The index of the last step where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

const cyclicArgs = call("CyclicLR", CyclicLRArgs);

/**
 * Cyclical learning rates: they rise and fall between two bounds, with one step per batch.
 *
 * @see https://arxiv.org/abs/1506.01186
 */
export class CyclicLR extends LRScheduler {
  /** The highest learning rates, one per parameter group. */
  maxLrs: number[];
  /** The number of steps of a cycle. */
  totalSize: number;
  /** The fraction of a cycle's steps in which the learning rate rises. */
  stepRatio: number;
  /** The policy of the amplitude from cycle to cycle. */
  mode: string;
  /** The factor per step of the policy `"exp_range"`. */
  gamma: number;
  /** The argument of the scale function: the index of the cycle or of the step. */
  scaleMode: "cycle" | "iterations";
  /** Whether the momentum is cycled inversely to the learning rate. */
  cycleMomentum: boolean;
  /** The lowest momentums, one per parameter group. */
  baseMomentums: number[] = [];
  /** The highest momentums, one per parameter group. */
  maxMomentums: number[] = [];
  /** Whether the momentum is the first of the optimizer's betas. */
  useBeta1 = false;
  /** The function that gives the factor of the amplitude. */
  scaleFn: (x: number) => number;

  constructor(...args: Args<typeof CyclicLRArgs>) {
    const o = cyclicArgs(args);
    checkOptimizer("CyclicLR", o.optimizer);
    const groups = o.optimizer.paramGroups;
    const fresh = o.lastEpoch === -1;
    const baseLrs = perGroup("CyclicLR", "baseLr", groups, o.baseLr);
    if (fresh) groups.forEach((group, i) => writeLr(group, baseLrs[i]));
    super(o.optimizer, o.lastEpoch);
    this.maxLrs = perGroup("CyclicLR", "maxLr", groups, o.maxLr);
    const up = o.stepSizeUp;
    this.totalSize = up + (o.stepSizeDown ?? up);
    this.stepRatio = up / this.totalSize;
    this.mode = o.mode;
    this.gamma = o.gamma;
    this.scaleMode = o.scaleFn ? o.scaleMode : this.mode === "exp_range" ? "iterations" : "cycle";
    this.scaleFn = o.scaleFn ?? this.#builtinScale();
    this.cycleMomentum = o.cycleMomentum;
    if (this.cycleMomentum) {
      this.useBeta1 = usesBeta1("CyclicLR", o.optimizer);
      this.baseMomentums = perGroup("CyclicLR", "baseMomentum", groups, o.baseMomentum);
      this.maxMomentums = perGroup("CyclicLR", "maxMomentum", groups, o.maxMomentum);
      if (fresh) groups.forEach((group, i) => writeMomentum(group, this.useBeta1, this.maxMomentums[i]));
    }
    this._initialStep();
    this.baseLrs = baseLrs;
  }

  #builtinScale(): (x: number) => number {
    switch (this.mode) {
      case "triangular":
        return () => 1;
      case "triangular2":
        return (cycle) => 1 / 2 ** (cycle - 1);
      case "exp_range":
        return (step) => this.gamma ** step;
      default:
        throw new ArgumentError(
          `CyclicLR(): unknown mode: "${this.mode}"; expected "triangular", "triangular2", "exp_range", or give scaleFn`,
        );
    }
  }

  override getLr(): number[] {
    const cycle = Math.floor(1 + this.lastEpoch / this.totalSize);
    const x = 1 + this.lastEpoch / this.totalSize - cycle;
    const height = x <= this.stepRatio ? x / this.stepRatio : (x - 1) / (this.stepRatio - 1);
    const scale = height * this.scaleFn(this.scaleMode === "cycle" ? cycle : this.lastEpoch);
    if (this.cycleMomentum) {
      this.optimizer.paramGroups.forEach((group, i) => {
        const max = this.maxMomentums[i];
        writeMomentum(group, this.useBeta1, max - (max - this.baseMomentums[i]) * scale);
      });
    }
    return this.baseLrs.map((base, i) => base + (this.maxLrs[i] - base) * scale);
  }
}

/** Whether an annealing strategy is `"cos"`; throws where it is unknown. */
function isCosine(op: string, strategy: "cos" | "linear"): boolean {
  if (strategy === "cos" || strategy === "linear") return strategy === "cos";
  throw new ArgumentError(`${op}(): annealStrategy must be "cos" or "linear": "${String(strategy)}"`);
}

/** The parameters of {@linkcode OneCycleLR}. */
export class OneCycleLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The highest learning rate, or one per parameter group. */
    public maxLr: number | readonly number[],
    /** The number of steps of the cycle; `null`: `epochs` times `stepsPerEpoch`. */
    public totalSteps: number | null = null,
    /** The number of epochs of the cycle. */
    public epochs: number | null = null,
    /** The number of batches per epoch. */
    public stepsPerEpoch: number | null = null,
    /** The fraction of the steps in which the learning rate rises, in [0, 1]. */
    public pctStart = 0.3,
    /** The annealing strategy: half a cosine or a line. */
    public annealStrategy: "cos" | "linear" = "cos",
    /** Whether the momentum is cycled inversely to the learning rate. */
    public cycleMomentum = true,
    /** The lowest momentum, or one per parameter group. */
    public baseMomentum: number | readonly number[] = 0.85,
    /** The highest momentum, or one per parameter group. */
    public maxMomentum: number | readonly number[] = 0.95,
    /** The ratio of the highest learning rate to the first one. */
    public divFactor = 25,
    /** The ratio of the first learning rate to the last one. */
    public finalDivFactor = 1e4,
    /** Whether the learning rate falls in two phases: to the first one, then to the last one. */
    public threePhase = false,
    /** The index of the last step where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

const oneCycleArgs = call("OneCycleLR", OneCycleLRArgs);

interface Phase {
  endStep: number;
  lr: readonly [from: string, to: string];
  momentum: readonly [from: string, to: string];
}

function phasesOf(totalSteps: number, pctStart: number, three: boolean): Phase[] {
  const up: Phase = {
    endStep: pctStart * totalSteps - 1,
    lr: ["initialLr", "maxLr"],
    momentum: ["maxMomentum", "baseMomentum"],
  };
  const end = totalSteps - 1;
  if (!three) return [up, { endStep: end, lr: ["maxLr", "minLr"], momentum: ["baseMomentum", "maxMomentum"] }];
  return [
    up,
    {
      endStep: 2 * pctStart * totalSteps - 2,
      lr: ["maxLr", "initialLr"],
      momentum: ["baseMomentum", "maxMomentum"],
    },
    { endStep: end, lr: ["initialLr", "minLr"], momentum: ["maxMomentum", "maxMomentum"] },
  ];
}

function totalStepsOf(o: OneCycleLRArgs): number {
  const total = o.totalSteps ?? (o.epochs && o.stepsPerEpoch ? o.epochs * o.stepsPerEpoch : null);
  if (total === null) {
    throw new ArgumentError("OneCycleLR(): give either totalSteps, or epochs and stepsPerEpoch");
  }
  if (!(Number.isInteger(total) && total > 0)) {
    throw new ArgumentError(`OneCycleLR(): totalSteps must be a positive integer: ${describe(total)}`);
  }
  return total;
}

/**
 * The one-cycle policy: the learning rate rises from a low one to `maxLr`, then falls far below it, with one step per
 * batch.
 *
 * @see https://arxiv.org/abs/1708.07120
 */
export class OneCycleLR extends LRScheduler {
  /** The number of steps of the cycle. */
  totalSteps: number;
  /** Whether the momentum is cycled inversely to the learning rate. */
  cycleMomentum: boolean;
  /** Whether the momentum is the first of the optimizer's betas. */
  useBeta1 = false;
  #phases: readonly Phase[];
  #cosine: boolean;

  constructor(...args: Args<typeof OneCycleLRArgs>) {
    const o = oneCycleArgs(args), totalSteps = totalStepsOf(o), { pctStart } = o;
    if (!(pctStart >= 0 && pctStart <= 1)) {
      throw new ArgumentError(`OneCycleLR(): pctStart must be between 0 and 1: ${describe(pctStart)}`);
    }
    const cosine = isCosine("OneCycleLR", o.annealStrategy);
    checkOptimizer("OneCycleLR", o.optimizer);
    const groups = o.optimizer.paramGroups;
    const maxLrs = perGroup("OneCycleLR", "maxLr", groups, o.maxLr);
    const fresh = o.lastEpoch === -1;
    if (fresh) {
      groups.forEach((group, i) => {
        group.initialLr = maxLrs[i] / o.divFactor;
        group.maxLr = maxLrs[i];
        group.minLr = group.initialLr / o.finalDivFactor;
      });
    }
    super(o.optimizer, o.lastEpoch);
    this.totalSteps = totalSteps;
    this.#phases = phasesOf(totalSteps, pctStart, o.threePhase);
    this.#cosine = cosine;
    this.cycleMomentum = o.cycleMomentum;
    if (this.cycleMomentum) {
      this.useBeta1 = usesBeta1("OneCycleLR", o.optimizer);
      const max = perGroup("OneCycleLR", "maxMomentum", groups, o.maxMomentum);
      const base = perGroup("OneCycleLR", "baseMomentum", groups, o.baseMomentum);
      if (fresh) {
        groups.forEach((group, i) => {
          writeMomentum(group, this.useBeta1, max[i]);
          group.maxMomentum = max[i];
          group.baseMomentum = base[i];
        });
      }
    }
    this._initialStep();
  }

  #anneal(start: number, end: number, done: number): number {
    if (!this.#cosine) return (end - start) * done + start;
    return end + ((start - end) / 2) * (Math.cos(Math.PI * done) + 1);
  }

  override getLr(): number[] {
    const step = this.lastEpoch;
    if (step > this.totalSteps) {
      throw new ArgumentError(
        `OneCycleLR.step(): the cycle is over: step ${step} of ${this.totalSteps}; give a larger totalSteps`,
      );
    }
    let phase = 0;
    while (phase < this.#phases.length - 1 && step > this.#phases[phase].endStep) phase++;
    const start = phase === 0 ? 0 : this.#phases[phase - 1].endStep;
    const { endStep, lr, momentum } = this.#phases[phase];
    const done = (step - start) / (endStep - start);
    return this.optimizer.paramGroups.map((group) => {
      const value = (name: string) => group[name] as number;
      if (this.cycleMomentum) {
        writeMomentum(group, this.useBeta1, this.#anneal(value(momentum[0]), value(momentum[1]), done));
      }
      return this.#anneal(value(lr[0]), value(lr[1]), done);
    });
  }
}

/** The parameters of {@linkcode SWALR}. */
export class SWALRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The final learning rate, or one per parameter group. */
    public swaLr: number | readonly number[],
    /** The number of epochs until the final learning rate. */
    public annealEpochs = 10,
    /** The annealing strategy: half a cosine or a line. */
    public annealStrategy: "cos" | "linear" = "cos",
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

const swaArgs = call("SWALR", SWALRArgs);

/** Anneals the learning rate to a constant that is then kept, for stochastic weight averaging. */
export class SWALR extends LRScheduler {
  /** The number of epochs until the final learning rate. */
  annealEpochs: number;
  #cosine: boolean;

  constructor(...args: Args<typeof SWALRArgs>) {
    const o = swaArgs(args), { annealEpochs } = o, cosine = isCosine("SWALR", o.annealStrategy);
    if (!(Number.isInteger(annealEpochs) && annealEpochs >= 0)) {
      throw new ArgumentError(`SWALR(): annealEpochs must be an integer of at least 0: ${describe(annealEpochs)}`);
    }
    const rates = perGroup("SWALR", "swaLr", o.optimizer.paramGroups, o.swaLr);
    o.optimizer.paramGroups.forEach((group, i) => group.swaLr = rates[i]);
    super(o.optimizer, o.lastEpoch);
    this.annealEpochs = annealEpochs;
    this.#cosine = cosine;
    this._initialStep();
  }

  #weight(epoch: number): number {
    const done = Math.max(0, Math.min(1, epoch / Math.max(1, this.annealEpochs)));
    return this.#cosine ? (1 - Math.cos(Math.PI * done)) / 2 : done;
  }

  override getLr(): number[] {
    // Counted in calls of step(), not by lastEpoch, so that resumed training continues its annealing.
    const step = this._stepCount - 1;
    const epoch = this.annealEpochs === 0 ? Math.max(1, step) : step;
    const before = this.#weight(epoch - 1);
    const now = this.#weight(epoch);
    return this.optimizer.paramGroups.map((group) => {
      const swaLr = group.swaLr as number;
      const lr = readLr(group);
      const initial = before === 1 ? swaLr : (lr - before * swaLr) / (1 - before);
      return swaLr * now + initial * (1 - now);
    });
  }
}
