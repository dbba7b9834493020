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

import { type Args, call, NoArgs, type Params } from "../base/call.ts";
import { checkArray, checkFunction } from "../base/checks.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { warn } from "../base/warnings.ts";
import { toCamel, toSnake } from "../base/spelling.ts";
import { readLr, writeLr } from "./param_group.ts";
import type { Optimizer } from "./optimizer.ts";

/** The parameters of {@linkcode LRScheduler}. */
export class LRSchedulerArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** The parameters of {@linkcode LRScheduler.step}. */
export class SchedulerStepArgs {
  constructor(
    /** The epoch to jump to; `null`: the next one. */
    public epoch: number | null = null,
  ) {}
}

const schedulerArgs = call("LRScheduler", LRSchedulerArgs);
const stepMethodArgs = call("LRScheduler.step", SchedulerStepArgs);
const lastLrArgs = call("LRScheduler.getLastLr", NoArgs);
const stateDictArgs = call("LRScheduler.stateDict", NoArgs);
const loadArgs = call("LRScheduler.loadStateDict", NoArgs);

/** A plain, serialisable description of a schedule's state, with PyTorch's keys. */
export type SchedulerState = Record<string, unknown>;

/** Throws unless a value is an optimizer. */
export function checkOptimizer(op: string, value: Optimizer): void {
  if (!Array.isArray(value?.paramGroups)) {
    throw new ArgumentError(`${op}(): optimizer must be an Optimizer: ${describe(value)}`);
  }
}

/** Throws unless a value is a saved state. */
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
  /** The optimizer whose learning rates are set. */
  readonly optimizer: Optimizer;
  /** The initial learning rates, one per parameter group. */
  baseLrs: number[];
  /** The index of the current epoch: the number of steps taken since the initial one. */
  lastEpoch: number;
  /** The number of calls of `step()`, that of the constructor included. */
  _stepCount = 0;
  /** Whether the first step, made by the constructor, is running. */
  _isInitial = false;
  /** The learning rates that the last step set, one per parameter group. */
  _lastLr: number[] = [];

  /**
   * Stores the optimizer's current learning rates as the initial ones.
   *
   * @throws {ArgumentError} if training is resumed and the groups have no `initialLr`
   */
  constructor(...args: Args<typeof LRSchedulerArgs>) {
    const { optimizer, lastEpoch } = schedulerArgs(args);
    checkOptimizer(new.target.name, optimizer);
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

  /** The learning rates of the current epoch, one per parameter group: the definition of a schedule. */
  abstract getLr(): number[];

  /** The closed form: the learning rates of any epoch from the initial ones, where a schedule has such a formula. */
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

  /** Moves on to the next epoch (or batch), after `optimizer.step()`, or jumps to `epoch`. */
  step(...args: Args<typeof SchedulerStepArgs>): void {
    const { epoch } = stepMethodArgs(args);
    if (epoch !== null && typeof epoch !== "number") {
      throw new ArgumentError(`${this.constructor.name}.step(): epoch must be a number: ${describe(epoch)}`);
    }
    if (this._stepCount === 1 && this.optimizer.stepCalls === 0) {
      warn(
        "Detected call of `lrScheduler.step()` before `optimizer.step()`; call `optimizer.step()` first, or the first " +
          "value of the schedule is skipped",
      );
    }
    this._stepCount++;
    this._updateLr(epoch);
  }

  /** Computes and sets the learning rates of the next epoch, or of `epoch`. */
  _updateLr(epoch: number | null = null): void {
    this.lastEpoch = epoch ?? this.lastEpoch + 1;
    const jump = epoch !== null && this._closedFormLr !== undefined;
    const rates = jump ? this._closedFormLr!() : this.getLr();
    this.optimizer.paramGroups.forEach((group, i) => writeLr(group, rates[i]));
    this._lastLr = this.currentLrs();
  }

  /** The learning rates that the last step set, one per parameter group. */
  getLastLr(...args: Args<typeof NoArgs>): number[] {
    lastLrArgs(args);
    return [...this._lastLr];
  }

  /** The state as a plain object with PyTorch's keys. */
  stateDict(...args: Args<typeof NoArgs>): SchedulerState {
    stateDictArgs(args);
    const state: SchedulerState = {};
    for (const [key, value] of Object.entries(this)) {
      if (key !== "optimizer" && typeof value !== "function") state[toSnake(key)] = value;
    }
    return state;
  }

  /**
   * Restores a state dict made here or by PyTorch.
   *
   * @param state a state dict of the same kind of schedule
   */
  loadStateDict(state: SchedulerState, ...args: Args<typeof NoArgs>): void {
    loadArgs(args);
    checkState(this, state);
    const own = this as unknown as Record<string, unknown>;
    for (const [key, value] of Object.entries(state)) {
      const name = toCamel(key);
      if (name in own) own[name] = value;
    }
  }

  /** The learning rates that the parameter groups have now. */
  protected currentLrs(): number[] {
    return this.optimizer.paramGroups.map(readLr);
  }
}

/** The parameters of {@linkcode LambdaLR} and {@linkcode MultiplicativeLR}. */
export class LambdaLRArgs {
  constructor(
    /** The optimizer whose learning rates are set. */
    public optimizer: Optimizer,
    /** The factor as a function of the epoch, or one function per parameter group. */
    public lrLambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[],
    /** The index of the last epoch where training is resumed; -1: it begins. */
    public lastEpoch: number = -1,
  ) {}
}

/** The base of the schedules defined by functions of the epoch. */
export abstract class LambdaSchedule extends LRScheduler {
  /** One function per parameter group. */
  lrLambdas: readonly ((epoch: number) => number)[];

  /** Makes a schedule of parsed arguments. */
  constructor({ optimizer, lrLambda, lastEpoch }: LambdaLRArgs) {
    super(optimizer, lastEpoch);
    const count = optimizer.paramGroups.length;
    if (typeof lrLambda !== "function") checkArray(new.target.name, "lrLambda", lrLambda);
    const list = typeof lrLambda === "function" ? Array.from({ length: count }, () => lrLambda) : [...lrLambda];
    if (list.length !== count) {
      throw new ArgumentError(
        `${new.target.name}(): expected one lrLambda per parameter group: ${list.length} given, ${count} groups`,
      );
    }
    list.forEach((f, i) => checkFunction(new.target.name, `lrLambda[${i}]`, f));
    this.lrLambdas = list;
    this._initialStep();
  }

  /** The state, without the functions, which cannot be saved. */
  override stateDict(...args: Args<typeof NoArgs>): SchedulerState {
    return { ...super.stateDict(...args), lr_lambdas: this.lrLambdas.map(() => null) };
  }

  override loadStateDict(state: SchedulerState, ...args: Args<typeof NoArgs>): void {
    super.loadStateDict({ ...state, lr_lambdas: this.lrLambdas }, ...args);
  }
}

const lambdaArgs = call("LambdaLR", LambdaLRArgs);
const multiplicativeArgs = call("MultiplicativeLR", LambdaLRArgs);

/** Sets the learning rate to the initial one times a function of the epoch. */
export class LambdaLR extends LambdaSchedule {
  constructor(...args: Args<typeof LambdaLRArgs>) {
    super(lambdaArgs(args));
  }

  override getLr(): number[] {
    return this.baseLrs.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch));
  }
}

/** Multiplies the current learning rate by a function of the epoch. */
export class MultiplicativeLR extends LambdaSchedule {
  constructor(...args: Args<typeof LambdaLRArgs>) {
    super(multiplicativeArgs(args));
  }

  override getLr(): number[] {
    const now = this.currentLrs();
    return this._isInitial ? now : now.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch));
  }
}

/** The instances of a schedule defined by {@linkcode schedule}: the options that `C` declares are fields. */
export type ScheduleOf<C extends Params> = LRScheduler & Omit<InstanceType<C>, "optimizer" | "lastEpoch">;

/** The class of a schedule defined by {@linkcode schedule}. */
export type Schedule<C extends Params> = new (...args: Args<C>) => ScheduleOf<C>;

/** The definition of a schedule: its options and its formulas. */
export interface ScheduleSpec<C extends Params> {
  /** PyTorch's name. */
  readonly name: string;
  /** The class that declares the options. */
  readonly params: C;
  /** Checks or changes the options when a schedule is made. */
  readonly init?: (schedule: ScheduleOf<C>) => void;
  /** The next learning rate of a group from its current and its initial one. */
  readonly next: (schedule: ScheduleOf<C>, lr: number, base: number) => number;
  /** The learning rate of any epoch from the initial one. */
  readonly closed: (schedule: ScheduleOf<C>, base: number) => number;
}

/** Defines the class of a schedule by its formulas. */
export function schedule<C extends Params>(spec: ScheduleSpec<C>): Schedule<C> {
  const { name, params, init, next, closed } = spec;
  const parse = call(name, params);
  const made = {
    [name]: class extends LRScheduler {
      constructor(...args: readonly unknown[]) {
        const { optimizer, lastEpoch, ...options } = parse(args) as object as LRSchedulerArgs;
        super(optimizer, lastEpoch);
        Object.assign(this, options);
        init?.(this as unknown as ScheduleOf<C>);
        this._initialStep();
      }
      override getLr(): number[] {
        const own = this as unknown as ScheduleOf<C>;
        return this.currentLrs().map((lr, i) => next(own, lr, this.baseLrs[i]));
      }
      override _closedFormLr(): number[] {
        return this.baseLrs.map((base) => closed(this as unknown as ScheduleOf<C>, base));
      }
    },
  }[name];
  return made as unknown as Schedule<C>;
}
