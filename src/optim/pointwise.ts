/**
 * `PointwiseOptimizer`: optimizers that change each element of a parameter by a formula of it, its gradient and its state.
 *
 * Such an optimizer is the class of its options and a rule: the names of its state, the numbers that depend on the step, and
 * the formula. The rest is the same for all and stands here and in `variants.ts`: the ranges of options, the making of the
 * state, weight decay, direction, step counts on the host or the device, the scale and the skipped steps of a `GradScaler`.
 *
 * @module
 */

import type { FusedUpdate } from "../ops/core/fused.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkRanges, Optimizer, type ParamState, realOf, stateTensor } from "./optimizer.ts";
import type { GroupOptions, OptimizerArgs, ParamGroup, ParamsInput } from "./param_group.ts";
import { COUNT, type Formula, type Num, Scalars } from "./scalars.ts";
import { type Decay, type Flags, type UpdateFormula, Variants } from "./variants.ts";

/** A number of the host, or one that lies on the parameter's device. */
export type Scalar = number | Tensor;

/** What the class of a pointwise optimizer's options must have. */
export interface PointwiseOptions extends OptimizerArgs {
  /** What is trained. */
  params: Iterable<unknown>;
  /** Learning rate. */
  lr: number | Tensor;
}

/** What an optimizer computes; `O` declares its options, `F` its variants. */
export interface RuleSpec<O, F extends Flags> {
  /** PyTorch's name. */
  readonly name: string;
  /** PyTorch's names of the state's tensors, zeros at first; default none. */
  readonly state?: (group: ParamGroup<O>) => readonly string[];
  /** What tensors of the state begin with that do not begin with zeros. */
  readonly starts?: Readonly<Record<string, (group: ParamGroup<O>) => Scalar>>;
  /** The numbers that depend on the step or the rate; default: the steps are counted. */
  readonly numbers?: Partial<Formula>;
  /** What these numbers depend on besides. */
  readonly constants?: (group: ParamGroup<O>) => readonly number[];
  /** The variant, by the options and the derived numbers. */
  readonly flags?: (group: ParamGroup<O>, derived: readonly Scalar[]) => F;
  /** The numbers that the formula is given, from the options, the derived numbers and the rate. */
  readonly scalars: (group: ParamGroup<O>, derived: readonly Scalar[], lr: Scalar) => Scalar[];
  /** The new parameter and the new state. */
  readonly formula: UpdateFormula<F>;
}

/** A rule, ready to be used. */
export interface Rule<O, F extends Flags> extends RuleSpec<O, F> {
  /** The entries of the state that are numbers. */
  readonly entries: readonly (readonly [string, number | "lr"])[];
  /** The names of these entries. */
  readonly entryNames: readonly string[];
  /** The derived numbers, on the host and on devices. */
  readonly derived: Scalars;
  /** The same and, last, the factor of decoupled decay. */
  readonly decayed: Scalars;
  /** The kernels. */
  readonly variants: Variants<F>;
}

/** Adds `1 - lr · weightDecay` to what a formula derives; the weight decay is its last constant. */
function withDecay(derive: Formula["derive"]): Formula["derive"] {
  return (entries: Num[], lr: Num, constants: Num[]) => {
    const own = derive?.(entries, lr, constants.slice(0, -1)) ?? [];
    return [...own, lr.mul(constants[constants.length - 1]).mul(-1).add(1)];
  };
}

/** Prepares a rule: once per optimizer, when its module is loaded. */
export function rule<O, F extends Flags = Record<never, boolean>>(spec: RuleSpec<O, F>): Rule<O, F> {
  const op = `${spec.name}.step`, formula = { ...COUNT, ...spec.numbers };
  return {
    ...spec,
    entries: Object.entries(formula.entries),
    entryNames: Object.keys(formula.entries),
    derived: new Scalars(op, formula),
    decayed: new Scalars(op, { ...formula, derive: withDecay(formula.derive) }),
    variants: new Variants(op, spec.formula),
  };
}

/** The options that the shared part of an update looks at. */
interface Shared {
  readonly weightDecay?: number;
  readonly decoupledWeightDecay?: boolean;
  readonly maximize?: boolean;
}

/** What the parameters of a group have in common in one step, computed at the first of them. */
interface Prepared {
  readonly group: object;
  readonly step: number;
  readonly names: readonly string[];
  readonly weightDecay: number;
  readonly decay: Decay;
  readonly numbers: Scalars;
  readonly constants: readonly number[];
  /** What the fields below were computed from: parameters that are at the same step share it. */
  derived: readonly Scalar[] | null;
  scalars: readonly Scalar[];
  kernel: FusedUpdate | null;
}

const NONE: Record<never, boolean> = Object.freeze({});

/** Base of the optimizers that are a rule. */
export abstract class PointwiseOptimizer<O extends PointwiseOptions, F extends Flags = Record<never, boolean>>
  extends Optimizer<O> {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;
  protected override readonly scalarState: readonly string[];
  /** What is computed. */
  protected readonly rule: Rule<O, F>;
  #last: Prepared | null = null;

  /**
   * Takes the options and the rule.
   *
   * @throws {ArgumentError} if an option is out of range, see `checkRanges`
   */
  constructor(options: O, rule: Rule<O, F>) {
    checkRanges(new.target.name, options);
    super(options.params as ParamsInput<O>, options as unknown as GroupOptions<O>);
    this.rule = rule;
    this.scalarState = rule.entryNames;
  }

  /** Updates one parameter by the rule. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup<O>): void {
    const { names, numbers, constants } = this.#prepared(group), own: Tensor[] = [];
    for (const name of names) {
      if (state[name] === undefined) this.begin(name, param, state, group);
      own.push(realOf(state[name] as Tensor));
    }
    this.apply(param, grad, own, group, this.scalars(numbers, param, state, group, constants));
  }

  /**
   * Runs the kernel of a variant, which writes the parameter and its state.
   *
   * @param own the tensors of the state
   * @param derived the numbers that depend on the step; the same list stands for the same variant
   */
  protected apply(
    param: Tensor,
    grad: Tensor,
    own: readonly Tensor[],
    group: ParamGroup<O>,
    derived: readonly Scalar[],
    flags: F | null = null,
  ): void {
    const now = this.#prepared(group);
    if (now.derived !== derived) {
      const { rule } = this, { decay } = now, { maximize = false } = group as Shared;
      const scalars = rule.scalars(group, derived, this.rateOf(group));
      if (decay !== "none") scalars.push(decay === "coupled" ? now.weightDecay : derived[derived.length - 1]);
      const variant = flags ?? rule.flags?.(group, derived) ?? NONE as F;
      now.derived = derived;
      now.scalars = scalars;
      now.kernel = rule.variants.get(decay, maximize, variant);
    }
    now.kernel!([param, grad, ...own], now.scalars, [param, ...own]);
  }

  /** What the parameters of a group have in common in this step. */
  #prepared(group: ParamGroup<O>): Prepared {
    const last = this.#last;
    if (last !== null && last.group === group && last.step === this.stepCalls) return last;
    const { rule } = this, { weightDecay = 0, decoupledWeightDecay = false } = group as Shared;
    const decay: Decay = weightDecay === 0 ? "none" : decoupledWeightDecay ? "decoupled" : "coupled";
    const own = rule.constants?.(group) ?? [];
    return this.#last = {
      ...{ group, step: this.stepCalls, names: rule.state?.(group) ?? [], weightDecay, decay },
      numbers: decay === "decoupled" ? rule.decayed : rule.derived,
      constants: decay === "decoupled" ? [...own, weightDecay] : own,
      ...{ derived: null, scalars: [], kernel: null },
    };
  }

  /** Makes a tensor of a parameter's state. */
  protected begin(name: string, param: Tensor, state: ParamState, group: ParamGroup<O>): void {
    const { entries, starts } = this.rule;
    // Entries first, as in PyTorch; a rate on the device becomes one later.
    for (const [entry, start] of entries) {
      const value = start === "lr" ? this.rateOf(group) : start;
      if (typeof value === "number") state[entry] ??= value;
    }
    const start = starts?.[name]?.(group) ?? 0;
    state[name] = stateTensor(() => {
      if (start === 0) return param.zerosLike();
      return typeof start === "number" ? param.fullLike(start) : param.emptyLike().copy_(start);
    });
  }
}
