/**
 * RMSprop, and its relatives without momentum: Adagrad and Adadelta.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { Tensor } from "../tensor/tensor.ts";
import {
  checkAtLeast,
  IMPLEMENTATION_OPTIONS,
  implementationOf,
  type ImplementationOptions,
  Optimizer,
  type ParamsInput,
  type ParamState,
  stateTensor,
} from "./optimizer.ts";
import type { ParamGroup } from "./param_group.ts";
import { COUNT, Scalars } from "./scalars.ts";
import { effectiveGrad, lerp, variants } from "./variants.ts";

/** What every optimizer of this file takes. */
interface CommonOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Learning rate. */
  lr?: number | Tensor;
  /** Factor of the L2 penalty. @default {0} */
  weightDecay?: number;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}

const NAMED = ["maximize", ...IMPLEMENTATION_OPTIONS] as const;

function checkRate(op: string, lr: number | Tensor): void {
  if (!(lr instanceof Tensor)) checkAtLeast(op, "learning rate", lr, 0);
}

/** What {@linkcode RMSprop} takes. */
export interface RMSpropOptions extends CommonOptions {
  /** Decay of the mean square. @default {0.99} */
  alpha?: number;
  /** Added to the denominator. @default {1e-8} */
  eps?: number;
  /** Share of the previous update that is kept. @default {0} */
  momentum?: number;
  /** Whether the variance is used in place of the mean square. @default {false} */
  centered?: boolean;
}
const rmspropArgs = signature<RMSpropOptions>(
  "RMSprop",
  ["params", "lr", "alpha", "eps", "weightDecay", "momentum", "centered"],
  NAMED,
  1,
);

type RMSpropFlags = { decay: boolean; maximize: boolean; centered: boolean; momentum: boolean };

const rmspropScalars = new Scalars("RMSprop.step", COUNT);

const rmspropUpdate = variants<RMSpropFlags>("RMSprop.step", (flags, tensors, scalars) => {
  const [lr, decay, alpha, rest, eps, momentum] = scalars;
  const [param, rawGrad, square, ...more] = tensors;
  const mean = flags.centered ? more[0] : null;
  const buffer = flags.momentum ? more[flags.centered ? 1 : 0] : null;
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  const newSquare = square.mul(alpha).add(grad.mul(grad).mul(rest));
  const newMean = mean ? lerp(mean, grad, rest) : null;
  const spread = newMean ? newSquare.sub(newMean.mul(newMean)) : newSquare;
  const step = grad.div(spread.sqrt().add(eps));
  const newBuffer = buffer ? buffer.mul(momentum).add(step) : null;
  const updated = param.sub((newBuffer ?? step).mul(lr));
  return [updated, newSquare, ...(newMean ? [newMean] : []), ...(newBuffer ? [newBuffer] : [])];
});

/**
 * Steps of `lr · g / (√(mean of g²) + ε)`.
 *
 * @see https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
 */
export class RMSprop extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, alpha, eps, weightDecay, momentum, centered`. */
  constructor(
    ...args: Args<RMSpropOptions, ["params", "lr", "alpha", "eps", "weightDecay", "momentum", "centered"]>
  ) {
    const o = rmspropArgs(args);
    const { lr = 1e-2, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = o;
    checkRate("RMSprop", lr);
    checkAtLeast("RMSprop", "epsilon", eps, 0);
    checkAtLeast("RMSprop", "momentum", momentum, 0);
    checkAtLeast("RMSprop", "weight_decay", weightDecay, 0);
    checkAtLeast("RMSprop", "alpha", alpha, 0);
    const maximize = o.maximize ?? false;
    super(o.params, { lr, momentum, alpha, eps, centered, weightDecay, maximize, ...implementationOf(o) });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    const momentum = group.momentum as number;
    const alpha = group.alpha as number;
    const weightDecay = group.weightDecay as number;
    const centered = group.centered as boolean;
    if (state.square_avg === undefined) {
      state.step ??= 0;
      state.square_avg = stateTensor(() => param.zerosLike());
      if (momentum > 0) state.momentum_buffer = stateTensor(() => param.zerosLike());
      if (centered) state.grad_avg = stateTensor(() => param.zerosLike());
    }
    this.scalars(rmspropScalars, param, state, group);
    const own = [state.square_avg as Tensor];
    if (centered) own.push(state.grad_avg as Tensor);
    if (momentum > 0) own.push(state.momentum_buffer as Tensor);
    const apply = rmspropUpdate({
      decay: weightDecay !== 0,
      maximize: group.maximize as boolean,
      centered,
      momentum: momentum > 0,
    });
    const scalars = [this.rateOf(group), weightDecay, alpha, 1 - alpha, group.eps as number, momentum];
    apply([param, grad, ...own], scalars, [param, ...own]);
  }
}

/** What {@linkcode Adagrad} takes. */
export interface AdagradOptions extends CommonOptions {
  /** Decay of the learning rate per step. @default {0} */
  lrDecay?: number;
  /** What the sum of squares starts from. @default {0} */
  initialAccumulatorValue?: number;
  /** Added to the denominator. @default {1e-10} */
  eps?: number;
}
const adagradArgs = signature<AdagradOptions>(
  "Adagrad",
  ["params", "lr", "lrDecay", "weightDecay", "initialAccumulatorValue", "eps"],
  NAMED,
  1,
);

type PlainFlags = { decay: boolean; maximize: boolean };

const adagradScalars = new Scalars("Adagrad.step", {
  entries: { step: 0 },
  advance: ([step]) => [step.add(1)],
  derive: ([step], lr, [decay]) => [lr.div(step.sub(1).mul(decay).add(1))],
});

const adagradUpdate = variants<PlainFlags>("Adagrad.step", (flags, [param, rawGrad, sum], [rate, decay, eps]) => {
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  const newSum = sum.add(grad.mul(grad));
  return [param.sub(grad.div(newSum.sqrt().add(eps)).mul(rate)), newSum];
});

/**
 * Steps of `lr · g / (√(sum of g²) + ε)`.
 *
 * @see https://jmlr.org/papers/v12/duchi11a.html
 */
export class Adagrad extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, lrDecay, weightDecay, initialAccumulatorValue, eps`. */
  constructor(
    ...args: Args<AdagradOptions, ["params", "lr", "lrDecay", "weightDecay", "initialAccumulatorValue", "eps"]>
  ) {
    const o = adagradArgs(args);
    const { lr = 1e-2, lrDecay = 0, weightDecay = 0, initialAccumulatorValue = 0, eps = 1e-10 } = o;
    checkRate("Adagrad", lr);
    checkAtLeast("Adagrad", "lr_decay", lrDecay, 0);
    checkAtLeast("Adagrad", "weight_decay", weightDecay, 0);
    checkAtLeast("Adagrad", "initial_accumulator_value", initialAccumulatorValue, 0);
    checkAtLeast("Adagrad", "epsilon", eps, 0);
    const maximize = o.maximize ?? false;
    super(o.params, {
      ...{ lr, lrDecay, eps, weightDecay, initialAccumulatorValue, maximize },
      ...implementationOf(o),
    });
    for (const group of this.paramGroups) for (const param of group.params) this.#start(param, group);
  }

  /** As in PyTorch the sums exist before the first step. */
  #start(param: Tensor, group: ParamGroup): ParamState {
    const state = this.stateOf(param);
    state.step = 0;
    state.sum = stateTensor(() => param.detach().fullLike(group.initialAccumulatorValue as number));
    return state;
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    if (state.sum === undefined) {
      state.step = 0;
      state.sum = stateTensor(() => param.fullLike(group.initialAccumulatorValue as number));
    }
    const weightDecay = group.weightDecay as number;
    const [rate] = this.scalars(adagradScalars, param, state, group, [group.lrDecay as number]);
    const apply = adagradUpdate({ decay: weightDecay !== 0, maximize: group.maximize as boolean });
    const sum = state.sum as Tensor;
    const real = sum.dtype.isComplex ? sum.viewAsReal() : sum;
    apply([param, grad, real], [rate, weightDecay, group.eps as number], [param, real]);
  }
}

/** What {@linkcode Adadelta} takes. */
export interface AdadeltaOptions extends CommonOptions {
  /** Decay of the means. @default {0.9} */
  rho?: number;
  /** Added under the roots. @default {1e-6} */
  eps?: number;
}
const adadeltaArgs = signature<AdadeltaOptions>("Adadelta", ["params", "lr", "rho", "eps", "weightDecay"], NAMED, 1);

const adadeltaScalars = new Scalars("Adadelta.step", COUNT);

const adadeltaUpdate = variants<PlainFlags>("Adadelta.step", (flags, tensors, [lr, decay, rho, rest, eps]) => {
  const [param, rawGrad, square, changes] = tensors;
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  const newSquare = square.mul(rho).add(grad.mul(grad).mul(rest));
  const change = changes.add(eps).sqrt().div(newSquare.add(eps).sqrt()).mul(grad);
  const newChanges = changes.mul(rho).add(change.mul(change).mul(rest));
  return [param.sub(change.mul(lr)), newSquare, newChanges];
});

/**
 * Steps of the gradient scaled by the ratio of past changes to past gradients.
 *
 * @see https://arxiv.org/abs/1212.5701
 */
export class Adadelta extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, rho, eps, weightDecay`. */
  constructor(...args: Args<AdadeltaOptions, ["params", "lr", "rho", "eps", "weightDecay"]>) {
    const o = adadeltaArgs(args);
    const { lr = 1, rho = 0.9, eps = 1e-6, weightDecay = 0 } = o;
    checkRate("Adadelta", lr);
    checkAtLeast("Adadelta", "rho", rho, 0);
    checkAtLeast("Adadelta", "epsilon", eps, 0);
    checkAtLeast("Adadelta", "weight_decay", weightDecay, 0);
    super(o.params, { lr, rho, eps, weightDecay, maximize: o.maximize ?? false, ...implementationOf(o) });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    if (state.square_avg === undefined) {
      state.step ??= 0;
      state.square_avg = stateTensor(() => param.zerosLike());
      state.acc_delta = stateTensor(() => param.zerosLike());
    }
    this.scalars(adadeltaScalars, param, state, group);
    const weightDecay = group.weightDecay as number;
    const rho = group.rho as number;
    const own = [state.square_avg as Tensor, state.acc_delta as Tensor];
    const apply = adadeltaUpdate({ decay: weightDecay !== 0, maximize: group.maximize as boolean });
    apply([param, grad, ...own], [this.rateOf(group), weightDecay, rho, 1 - rho, group.eps as number], [param, ...own]);
  }
}
