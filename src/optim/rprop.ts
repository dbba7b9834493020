/**
 * Rprop, which looks only at signs, and ASGD, which averages the path.
 *
 * @module
 */

import { checkArray } from "../base/checks.ts";
import { type Args, call } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { OptimizerArgs, type ParamsInput } from "./param_group.ts";
import { PointwiseOptimizer, rule } from "./pointwise.ts";

/** The parameters of {@linkcode Rprop}. */
export class RpropArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<RpropArgs>,
    /** The learning rate: the initial step size of each element. */
    public lr: number | Tensor = 1e-2,
    /** The factors of the step size where the gradient's sign changed, and where it did not. */
    public etas: readonly [number, number] = [0.5, 1.2],
    /** The smallest and the largest step size. */
    public stepSizes: readonly [number, number] = [1e-6, 50],
  ) {
    super();
  }
}

const rpropArgs = call("Rprop", RpropArgs);

const rprop = rule<RpropArgs>({
  name: "Rprop",
  state: () => ["prev", "step_size"],
  starts: { step_size: ({ lr }) => lr },
  scalars: ({ etas, stepSizes }) => [...etas, ...stepSizes],
  formula: ({ param, grad, state: [previous, size], scalars: [shrink, grow, least, most] }) => {
    const agreement = grad.mul(previous);
    const changed = agreement.lt(0);
    const factor = changed.where(shrink, agreement.gt(0).where(grow, 1));
    const newSize = size.mul(factor).max(least).min(most);
    // Where the sign changed, the element is not updated, and its gradient is stored as 0, so that the next step keeps
    // the step size.
    const used = changed.where(0, grad);
    return [param.sub(used.sign().mul(newSize)), used, newSize];
  },
});

/**
 * Rprop (resilient backpropagation): each element has a step size of its own, which grows while the gradient keeps its
 * sign and shrinks when the sign changes.
 *
 * @see https://doi.org/10.1109/ICNN.1993.298623
 */
export class Rprop extends PointwiseOptimizer<RpropArgs> {
  constructor(...args: Args<typeof RpropArgs>) {
    const options = rpropArgs(args);
    checkArray("Rprop", "etas", options.etas);
    const [shrink, grow] = options.etas;
    if (!(shrink > 0 && shrink < 1 && grow > 1)) {
      throw new ArgumentError(
        `Rprop(): Invalid eta values: ${describe(shrink)}, ${describe(grow)}; expected 0 < first < 1 < second`,
      );
    }
    super(options, rprop);
  }
}

/** The parameters of {@linkcode ASGD}. */
export class ASGDArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<ASGDArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-2,
    /** The decay λ of the parameters per step. */
    public lambd = 1e-4,
    /** The exponent α of the learning rate's decay. */
    public alpha = 0.75,
    /** The step t₀ at which averaging starts. */
    public t0 = 1e6,
    /** The weight decay: the factor of the L2 penalty. */
    public weightDecay = 0,
  ) {
    super();
  }
}

const asgdArgs = call("ASGD", ASGDArgs);

const asgd = rule<ASGDArgs, { average: boolean }>({
  name: "ASGD",
  state: () => ["ax"],
  constants: ({ lambd, alpha, t0 }) => [lambd, alpha, t0],
  numbers: {
    entries: { step: 0, eta: "lr", mu: 1 },
    advance: ([step, eta, mu]) => [step.add(1), eta, mu],
    derive: ([_step, eta, mu], _lr, [lambd]) => [eta, lambd.mul(eta).mul(-1).add(1), mu],
    afterUpdate: ([step], lr, [lambd, alpha, t0]) => [
      step,
      // The power as an exponential function, which every device has.
      lr.mul(lambd.mul(lr).mul(step).add(1).log().mul(alpha).mul(-1).exp()),
      step.sub(t0).max(1).reciprocal(),
    ],
  },
  flags: (_group, [, , mu]) => ({ average: mu !== 1 }),
  scalars: (_group, [eta, shrink, mu]) => [eta, shrink, mu],
  formula: ({ param, grad, state: [mean], scalars: [eta, shrink, share], flags }) => {
    const updated = param.mul(shrink).sub(grad.mul(eta));
    return [updated, flags.average ? mean.add(updated.sub(mean).mul(share)) : updated];
  },
});

/**
 * ASGD (averaged stochastic gradient descent): the average of the parameters over the steps is the state entry `ax`.
 *
 * @see https://doi.org/10.1137/0330046
 */
export class ASGD extends PointwiseOptimizer<ASGDArgs, { average: boolean }> {
  constructor(...args: Args<typeof ASGDArgs>) {
    super(asgdArgs(args), asgd);
  }
}
