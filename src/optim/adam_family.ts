/**
 * Variations of Adam: Adamax, NAdam and RAdam.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { OptimizerArgs, type ParamsInput } from "./param_group.ts";
import { PointwiseOptimizer, rule } from "./pointwise.ts";
import { choose, correction, exceeds, type Num } from "./scalars.ts";
import { lerp } from "./variants.ts";

/** The parameters of {@linkcode Adamax}. */
export class AdamaxArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<AdamaxArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 2e-3,
    /** The decay rates β₁ of the moving average of the gradient and β₂ of its infinity norm. */
    public betas: readonly [number, number] = [0.9, 0.999],
    /** The number ε that is added to the denominator. */
    public eps = 1e-8,
    /** The weight decay. */
    public weightDecay = 0,
  ) {
    super();
  }
}

const adamaxArgs = call("Adamax", AdamaxArgs);

const adamax = rule<AdamaxArgs>({
  name: "Adamax",
  state: () => ["exp_avg", "exp_inf"],
  constants: ({ betas }) => [Math.log(betas[0])],
  numbers: { derive: ([step], lr, [logBeta1]) => [lr.div(correction(step, logBeta1))] },
  scalars: ({ betas: [beta1, beta2], eps }, [rate]) => [rate, 1 - beta1, beta2, eps],
  formula: ({ param, grad, state: [mean, largest], scalars: [rate, weight1, beta2, eps] }) => {
    const newMean = lerp(mean, grad, weight1);
    const newLargest = largest.mul(beta2).max(grad.abs().add(eps));
    return [param.sub(newMean.div(newLargest).mul(rate)), newMean, newLargest];
  },
});

/**
 * Adamax: Adam with the infinity norm (a decaying maximum) of the gradient in place of the second moment.
 *
 * @see https://arxiv.org/abs/1412.6980
 */
export class Adamax extends PointwiseOptimizer<AdamaxArgs> {
  constructor(...args: Args<typeof AdamaxArgs>) {
    super(adamaxArgs(args), adamax);
  }
}

/** The parameters of {@linkcode NAdam}. */
export class NAdamArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<NAdamArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 2e-3,
    /** The decay rates β₁ and β₂ of the moving averages of the gradient and its square. */
    public betas: readonly [number, number] = [0.9, 0.999],
    /** The number ε that is added to the denominator. */
    public eps = 1e-8,
    /** The weight decay. */
    public weightDecay = 0,
    /** The momentum decay ψ. */
    public momentumDecay = 4e-3,
    /** Whether weight decay is decoupled from the gradient, as in AdamW. */
    public decoupledWeightDecay = false,
  ) {
    super();
  }
}

const nadamArgs = call("NAdam", NAdamArgs);

// The base of the momentum's decay, from the paper's reference implementation.
const MOMENTUM_BASE = 0.96;

function momentumAt(step: Num, beta1: Num, decay: Num): Num {
  return beta1.mul(step.mul(decay).mul(Math.log(MOMENTUM_BASE)).exp().mul(-0.5).add(1));
}

const nadam = rule<NAdamArgs>({
  name: "NAdam",
  state: () => ["exp_avg", "exp_avg_sq"],
  constants: ({ betas: [beta1, beta2], momentumDecay }) => [beta1, momentumDecay, Math.log(beta2)],
  numbers: {
    entries: { step: 0, mu_product: 1 },
    advance: ([step, muProduct], _lr, [beta1, decay]) => {
      const now = step.add(1);
      return [now, muProduct.mul(momentumAt(now, beta1, decay))];
    },
    derive: ([step, muProduct], lr, [beta1, decay, logBeta2]) => {
      const momentum = momentumAt(step, beta1, decay), next = momentumAt(step.add(1), beta1, decay);
      return [
        lr.mul(momentum.mul(-1).add(1)).div(muProduct.mul(-1).add(1)),
        lr.mul(next).div(muProduct.mul(next).mul(-1).add(1)),
        correction(step, logBeta2),
      ];
    },
  },
  scalars: ({ betas: [beta1, beta2], eps }, [gradRate, meanRate, correction2]) => [
    ...[gradRate, meanRate, correction2, 1 - beta1, beta2, 1 - beta2, eps],
  ],
  formula: ({ param, grad, state: [mean, square], scalars }) => {
    const [gradRate, meanRate, correction2, weight1, beta2, weight2, eps] = scalars;
    const newMean = lerp(mean, grad, weight1);
    const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
    const denominator = newSquare.div(correction2).sqrt().add(eps);
    const updated = param.sub(grad.div(denominator).mul(gradRate)).sub(newMean.div(denominator).mul(meanRate));
    return [updated, newMean, newSquare];
  },
});

/**
 * NAdam: Adam with Nesterov momentum.
 *
 * @see https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
 */
export class NAdam extends PointwiseOptimizer<NAdamArgs> {
  constructor(...args: Args<typeof NAdamArgs>) {
    super(nadamArgs(args), nadam);
  }
}

/** The parameters of {@linkcode RAdam}. */
export class RAdamArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<RAdamArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-3,
    /** The decay rates β₁ and β₂ of the moving averages of the gradient and its square. */
    public betas: readonly [number, number] = [0.9, 0.999],
    /** The number ε that is added to the denominator. */
    public eps = 1e-8,
    /** The weight decay. */
    public weightDecay = 0,
    /** Whether weight decay is decoupled from the gradient, as in AdamW. */
    public decoupledWeightDecay = false,
  ) {
    super();
  }
}

const radamArgs = call("RAdam", RAdamArgs);

/** The variant of the update that a step uses. */
export type RAdamFlags = { rectified: boolean; dynamic: boolean };

// The shortest length of the moving average for which the variance of the adaptive rate is finite (section 3.3 of the
// paper).
const SHORTEST = 5;

const radam = rule<RAdamArgs, RAdamFlags>({
  name: "RAdam",
  state: () => ["exp_avg", "exp_avg_sq"],
  constants: ({ betas: [beta1, beta2] }) => [Math.log(beta1), Math.log(beta2), 2 / (1 - beta2) - 1],
  numbers: {
    derive: ([step], lr, [logBeta1, logBeta2, longest]) => {
      const correction2 = correction(step, logBeta2);
      const length = longest.sub(step.mul(2).mul(step.mul(logBeta2).exp()).div(correction2));
      const rectified = exceeds(length, SHORTEST);
      const rate = lr.div(correction(step, logBeta1));
      const above = length.sub(4).mul(length.sub(2)).mul(longest);
      const shrink = above.div(longest.sub(4).mul(longest.sub(2)).mul(length));
      return [choose(rectified, rate.mul(correction2.mul(shrink.max(0)).sqrt()), rate), rectified];
    },
  },
  flags: (_group, [, rectified]) => ({ rectified: rectified === 1, dynamic: typeof rectified !== "number" }),
  scalars: ({ betas: [beta1, beta2], eps }, [rate, rectified]) => [
    ...[rate, rectified, 1 - beta1, beta2, 1 - beta2, eps],
  ],
  formula: ({ param, grad, state: [mean, square], scalars, flags }) => {
    const [rate, rectified, weight1, beta2, weight2, eps] = scalars;
    const newMean = lerp(mean, grad, weight1);
    const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
    const plain = newMean.mul(rate), scaled = plain.div(newSquare.sqrt().add(eps));
    const step = flags.dynamic ? rectified.ne(0).where(scaled, plain) : flags.rectified ? scaled : plain;
    return [param.sub(step), newMean, newSquare];
  },
});

/**
 * RAdam (rectified Adam): Adam without the adaptive rate while its variance is too large.
 *
 * @see https://arxiv.org/abs/1908.03265
 */
export class RAdam extends PointwiseOptimizer<RAdamArgs, RAdamFlags> {
  constructor(...args: Args<typeof RAdamArgs>) {
    super(radamArgs(args), radam);
  }
}
