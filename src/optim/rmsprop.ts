/**
 * RMSprop, and its relatives without momentum: Adagrad and Adadelta.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkAtLeast } from "./optimizer.ts";
import { OptimizerArgs, type ParamsInput } from "./param_group.ts";
import { PointwiseOptimizer, rule } from "./pointwise.ts";
import { lerp } from "./variants.ts";

/** The parameters of {@linkcode RMSprop}. */
export class RMSpropArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<RMSpropArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-2,
    /** The decay rate of the moving average of the squared gradient. */
    public alpha = 0.99,
    /** The number ε that is added to the denominator. */
    public eps = 1e-8,
    /** The weight decay: the factor of the L2 penalty. */
    public weightDecay = 0,
    /** The momentum: the fraction of the previous update that is kept. */
    public momentum = 0,
    /** Whether the gradient's variance is used in place of its mean square. */
    public centered = false,
  ) {
    super();
  }
}

const rmspropArgs = call("RMSprop", RMSpropArgs);

/** The variant of the update that a group uses. */
export type RMSpropFlags = { centered: boolean; momentum: boolean };

const rmsprop = rule<RMSpropArgs, RMSpropFlags>({
  name: "RMSprop",
  state: ({ momentum, centered }) => [
    "square_avg",
    ...(momentum > 0 ? ["momentum_buffer"] : []),
    ...(centered ? ["grad_avg"] : []),
  ],
  flags: ({ centered, momentum }) => ({ centered, momentum: momentum > 0 }),
  scalars: ({ alpha, eps, momentum }, _derived, lr) => [lr, alpha, 1 - alpha, eps, momentum],
  formula: ({ param, grad, state: [square, ...more], scalars: [lr, alpha, rest, eps, momentum], flags }) => {
    const newSquare = square.mul(alpha).add(grad.mul(grad).mul(rest));
    const newMean = flags.centered ? lerp(more[flags.momentum ? 1 : 0], grad, rest) : null;
    const spread = newMean ? newSquare.sub(newMean.mul(newMean)) : newSquare;
    const step = grad.div(spread.sqrt().add(eps));
    const newBuffer = flags.momentum ? more[0].mul(momentum).add(step) : null;
    const updated = param.sub((newBuffer ?? step).mul(lr));
    return [updated, newSquare, ...(newBuffer ? [newBuffer] : []), ...(newMean ? [newMean] : [])];
  },
});

/**
 * RMSprop: steps of `lr · g / (√(moving average of g²) + ε)`.
 *
 * @see https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
 */
export class RMSprop extends PointwiseOptimizer<RMSpropArgs, RMSpropFlags> {
  constructor(...args: Args<typeof RMSpropArgs>) {
    const options = rmspropArgs(args);
    checkAtLeast("RMSprop", "alpha", options.alpha, 0);
    super(options, rmsprop);
  }
}

/** The parameters of {@linkcode Adagrad}. */
export class AdagradArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<AdagradArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-2,
    /** The learning rate decay per step: the rate is divided by `1 + (step - 1) · lrDecay`. */
    public lrDecay = 0,
    /** The weight decay: the factor of the L2 penalty. */
    public weightDecay = 0,
    /** The initial value of the sums of squares. */
    public initialAccumulatorValue = 0,
    /** The number ε that is added to the denominator. */
    public eps = 1e-10,
  ) {
    super();
  }
}

const adagradArgs = call("Adagrad", AdagradArgs);

const adagrad = rule<AdagradArgs>({
  name: "Adagrad",
  state: () => ["sum"],
  starts: { sum: (group) => group.initialAccumulatorValue },
  constants: ({ lrDecay }) => [lrDecay],
  numbers: { derive: ([step], lr, [decay]) => [lr.div(step.sub(1).mul(decay).add(1))] },
  scalars: ({ eps }, [rate]) => [rate, eps],
  formula: ({ param, grad, state: [sum], scalars: [rate, eps] }) => {
    const newSum = sum.add(grad.mul(grad));
    return [param.sub(grad.div(newSum.sqrt().add(eps)).mul(rate)), newSum];
  },
});

/**
 * Adagrad: steps of `lr · g / (√(sum of g²) + ε)`.
 *
 * @see https://jmlr.org/papers/v12/duchi11a.html
 */
export class Adagrad extends PointwiseOptimizer<AdagradArgs> {
  constructor(...args: Args<typeof AdagradArgs>) {
    super(adagradArgs(args), adagrad);
    // As in PyTorch, the sums of squares exist before the first step.
    for (const group of this.paramGroups) {
      for (const param of group.params) this.begin("sum", param.detach(), this.stateOf(param), group);
    }
  }
}

/** The parameters of {@linkcode Adadelta}. */
export class AdadeltaArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<AdadeltaArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1,
    /** The decay rate ρ of the moving averages. */
    public rho = 0.9,
    /** The number ε that is added under the square roots. */
    public eps = 1e-6,
    /** The weight decay: the factor of the L2 penalty. */
    public weightDecay = 0,
  ) {
    super();
  }
}

const adadeltaArgs = call("Adadelta", AdadeltaArgs);

const adadelta = rule<AdadeltaArgs>({
  name: "Adadelta",
  state: () => ["square_avg", "acc_delta"],
  scalars: ({ rho, eps }, _derived, lr) => [lr, rho, 1 - rho, eps],
  formula: ({ param, grad, state: [square, changes], scalars: [lr, rho, rest, eps] }) => {
    const newSquare = square.mul(rho).add(grad.mul(grad).mul(rest));
    const change = changes.add(eps).sqrt().div(newSquare.add(eps).sqrt()).mul(grad);
    const newChanges = changes.mul(rho).add(change.mul(change).mul(rest));
    return [param.sub(change.mul(lr)), newSquare, newChanges];
  },
});

/**
 * Adadelta: steps of the gradient, scaled by the ratio of the root mean squares of past changes and past gradients.
 *
 * @see https://arxiv.org/abs/1212.5701
 */
export class Adadelta extends PointwiseOptimizer<AdadeltaArgs> {
  constructor(...args: Args<typeof AdadeltaArgs>) {
    super(adadeltaArgs(args), adadelta);
  }
}
