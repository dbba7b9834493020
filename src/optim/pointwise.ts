/**
 * `PointwiseOptimizer`: optimizers that change each element of a parameter by a formula of it, its gradient and its
 * state.
 *
 * Such an optimizer consists of a class of options and a rule: the names of its state's tensors, the numbers that
 * depend on the step, and the formula. Everything else is the same for all of them and is implemented here and in
 * `variants.ts`: checks of options, creation of the state, weight decay, direction, step counts on the host or the
 * device, the loss scale and the skipped steps of a `GradScaler`.
 *
 * @module
 */

import type { FusedUpdate } from "../ops/core/fused.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkRanges, Optimizer, type ParamState, realOf, stateTensor } from "./optimizer.ts";
import type { GroupOptions, OptimizerArgs, ParamGroup, ParamsInput } from "./param_group.ts";
import { COUNT, type Num, type ScalarFormula, Scalars } from "./scalars.ts";
import { type Decay, type Flags, type UpdateFormula, Variants } from "./variants.ts";

/** A number on the host, or a 0-d tensor on the parameter's device. */
export type UpdateScalar = number | Tensor;

/** The options that the class of every pointwise optimizer has. */
export interface PointwiseOptions extends OptimizerArgs {
  /** The parameters to train. */
  params: Iterable<unknown>;
  /** The learning rate. */
  lr: number | Tensor;
}

/** The definition of a pointwise optimizer; `O` declares its options, `F` its variants. */
export interface RuleSpec<O, F extends Flags> {
  /** PyTorch's name. */
  readonly name: string;
  /** The names of the state's tensors, which are zeros at first; default none. */
  readonly state?: (group: ParamGroup<O>) => readonly string[];
  /** The initial values of the state's tensors that are not zeros at first. */
  readonly starts?: Readonly<Record<string, (group: ParamGroup<O>) => UpdateScalar>>;
  /** The derived numbers: those that depend on the step or the learning rate. Default: the steps are counted. */
  readonly numbers?: Partial<ScalarFormula>;
  /** The options that the derived numbers depend on. */
  readonly constants?: (group: ParamGroup<O>) => readonly number[];
  /** Chooses the variant by the options and the derived numbers. */
  readonly flags?: (group: ParamGroup<O>, derived: readonly UpdateScalar[]) => F;
  /** The numbers passed to the formula, computed from the options, the derived numbers and the learning rate. */
  readonly scalars: (group: ParamGroup<O>, derived: readonly UpdateScalar[], lr: UpdateScalar) => UpdateScalar[];
  /** The formula of the new parameter and the new state. */
  readonly formula: UpdateFormula<F>;
}

/** A prepared rule. */
export interface Rule<O, F extends Flags> extends RuleSpec<O, F> {
  /** The entries of the state that are numbers, with their initial values. */
  readonly entries: readonly (readonly [string, number | "lr"])[];
  /** The names of these entries. */
  readonly entryNames: readonly string[];
  /** Computes the derived numbers, on the host or on devices. */
  readonly derived: Scalars;
  /** Computes the derived numbers and, last, the factor of decoupled weight decay. */
  readonly decayed: Scalars;
  /** The compiled kernels. */
  readonly variants: Variants<F>;
}

/**
 * Appends `1 - lr · weightDecay`, the factor of decoupled weight decay, to the derived numbers; the weight decay is the
 * last constant.
 */
function withDecay(derive: ScalarFormula["derive"]): ScalarFormula["derive"] {
  return (entries: Num[], lr: Num, constants: Num[]) => {
    const own = derive?.(entries, lr, constants.slice(0, -1)) ?? [];
    return [...own, lr.mul(constants[constants.length - 1]).mul(-1).add(1)];
  };
}

/** Prepares the rule of an optimizer, once, when its module is loaded. */
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

/** The options that the common part of an update uses. */
interface Shared {
  readonly weightDecay?: number;
  readonly decoupledWeightDecay?: boolean;
  readonly maximize?: boolean;
}

/** The values that all parameters of a group share in one step, computed for the first of them. */
interface Prepared {
  readonly group: object;
  readonly step: number;
  readonly names: readonly string[];
  readonly weightDecay: number;
  readonly decay: Decay;
  readonly numbers: Scalars;
  readonly constants: readonly number[];
  /** The derived numbers that the fields below were computed from; parameters at the same step share them. */
  derived: readonly UpdateScalar[] | null;
  scalars: readonly UpdateScalar[];
  kernel: FusedUpdate | null;
}

const NONE: Record<never, boolean> = Object.freeze({});

/** The base of the optimizers defined by a {@linkcode Rule}. */
export abstract class PointwiseOptimizer<O extends PointwiseOptions, F extends Flags = Record<never, boolean>>
  extends Optimizer<O> {
  /** True: the update takes the loss scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;
  protected override readonly scalarState: readonly string[];
  /** The rule of the optimizer. */
  protected readonly rule: Rule<O, F>;
  #last: Prepared | null = null;

  /**
   * Makes an optimizer of options and a rule.
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
   * @param derived the numbers that depend on the step; an identical list (by reference) means the same variant
   */
  protected apply(
    param: Tensor,
    grad: Tensor,
    own: readonly Tensor[],
    group: ParamGroup<O>,
    derived: readonly UpdateScalar[],
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

  /** The values that all parameters of a group share in this step. */
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

  /** Creates the tensor `name` of a parameter's state, and before it the state's numbers. */
  protected begin(name: string, param: Tensor, state: ParamState, group: ParamGroup<O>): void {
    const { entries, starts } = this.rule;
    // The numbers come first, as in PyTorch. A learning rate on the device becomes an entry later.
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
