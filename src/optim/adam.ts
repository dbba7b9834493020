/**
 * Adam and AdamW: steps by bias-corrected moving averages of the gradient and its square.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { OptimizerArgs, type ParamsInput } from "./param_group.ts";
import { PointwiseOptimizer, rule } from "./pointwise.ts";
import { correction } from "./scalars.ts";
import { lerp } from "./variants.ts";

/** The parameters of {@linkcode AdamW}. */
export class AdamWArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<AdamWArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-3,
    /** The decay rates β₁ and β₂ of the moving averages of the gradient and its square. */
    public betas: readonly [number, number] = [0.9, 0.999],
    /** The number ε that is added to the denominator. */
    public eps = 1e-8,
    /** The weight decay; 0 by default for Adam. */
    public weightDecay = 1e-2,
    /** AMSGrad: whether the largest second moment so far is used. */
    public amsgrad = false,
  ) {
    super();
  }
}

/** The parameters of {@linkcode Adam}: those of {@linkcode AdamW}, with another weight decay. */
export class AdamArgs extends AdamWArgs {
  /** The parameters to train, or parameter groups. */
  declare params: ParamsInput<AdamArgs>;
  /** Whether weight decay is decoupled from the gradient, as in AdamW. */
  decoupledWeightDecay = false;
  constructor(
    params: ParamsInput<AdamArgs>,
    lr?: number | Tensor,
    betas?: readonly [number, number],
    eps?: number,
    weightDecay = 0,
    amsgrad?: boolean,
  ) {
    super(params, lr, betas, eps, weightDecay, amsgrad);
  }
}

const adamArgs = call("Adam", AdamArgs);
const adamWArgs = call("AdamW", AdamWArgs);

const MEANS = ["exp_avg", "exp_avg_sq"], AMSGRAD = [...MEANS, "max_exp_avg_sq"];

const adam = rule<AdamArgs, { amsgrad: boolean }>({
  name: "Adam",
  state: ({ amsgrad }) => amsgrad ? AMSGRAD : MEANS,
  constants: ({ betas: [beta1, beta2] }) => [Math.log(beta1), Math.log(beta2)],
  numbers: {
    derive: ([step], lr, [logBeta1, logBeta2]) => [
      lr.div(correction(step, logBeta1)),
      correction(step, logBeta2).sqrt(),
    ],
  },
  flags: ({ amsgrad }) => ({ amsgrad }),
  scalars: ({ betas: [beta1, beta2], eps }, [rate, root]) => [rate, root, 1 - beta1, beta2, 1 - beta2, eps],
  formula: ({ param, grad, state: [mean, square, largest], scalars, flags }) => {
    const [rate, root, weight1, beta2, weight2, eps] = scalars;
    const newMean = lerp(mean, grad, weight1);
    const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
    const kept = flags.amsgrad ? [newSquare, largest.max(newSquare)] : [newSquare];
    const denominator = kept[kept.length - 1].sqrt().div(root).add(eps);
    return [param.sub(newMean.div(denominator).mul(rate)), newMean, ...kept];
  },
});

/**
 * Adam: steps of `lr · m̂ / (√v̂ + ε)`, where m̂ and v̂ are bias-corrected moving averages of the gradient and its
 * square.
 *
 * @see https://arxiv.org/abs/1412.6980
 */
export class Adam extends PointwiseOptimizer<AdamArgs, { amsgrad: boolean }> {
  constructor(...args: Args<typeof AdamArgs>) {
    super(adamArgs(args), adam);
  }
}

/**
 * AdamW: Adam with decoupled weight decay, which shrinks the weights themselves.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const model = new torch.nn.Linear(2, 1);
 * const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 0.01, weightDecay: 0.1 });
 * const loss = model.call(torch.ones(4, 2)).pow(2).mean();
 * loss.backward();
 * optimizer.step();
 * assert(await model.call(torch.ones(4, 2)).pow(2).mean().item() <= await loss.item());
 * ```
 *
 * @see https://arxiv.org/abs/1711.05101
 */
export class AdamW extends Adam {
  constructor(...args: Args<typeof AdamWArgs>) {
    super({ ...adamWArgs(args), decoupledWeightDecay: true });
  }
}
