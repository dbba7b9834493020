/**
 * Variations of Adam: Adamax, NAdam and RAdam.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { Tensor } from "../tensor/tensor.ts";
import {
  checkAtLeast,
  checkBetas,
  IMPLEMENTATION_OPTIONS,
  implementationOf,
  type ImplementationOptions,
  Optimizer,
  type ParamsInput,
  type ParamState,
  stateTensor,
} from "./optimizer.ts";
import type { ParamGroup } from "./param_group.ts";
import { choose, correction, exceeds, type Num, Scalars } from "./scalars.ts";
import { effectiveGrad, lerp, variants } from "./variants.ts";

/** What {@linkcode Adamax} takes. */
export interface AdamaxOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Learning rate; default 2e-3 (RAdam: 1e-3). */
  lr?: number | Tensor;
  /** Decay of the means. @default {[0.9, 0.999]} */
  betas?: readonly [number, number];
  /** Added to the denominator. @default {1e-8} */
  eps?: number;
  /** Weight decay. @default {0} */
  weightDecay?: number;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}

/** What {@linkcode RAdam} takes. */
export interface RAdamOptions extends AdamaxOptions {
  /** Whether weights decay by themselves, not through the gradient. @default {false} */
  decoupledWeightDecay?: boolean;
}

/** What {@linkcode NAdam} takes. */
export interface NAdamOptions extends RAdamOptions {
  /** Decay of the momentum. @default {4e-3} */
  momentumDecay?: number;
}

const NAMED = ["maximize", ...IMPLEMENTATION_OPTIONS] as const;
const adamaxArgs = signature<AdamaxOptions>("Adamax", ["params", "lr", "betas", "eps", "weightDecay"], NAMED, 1);
const radamArgs = signature<RAdamOptions>(
  "RAdam",
  ["params", "lr", "betas", "eps", "weightDecay", "decoupledWeightDecay"],
  NAMED,
  1,
);
const nadamArgs = signature<NAdamOptions>(
  "NAdam",
  ["params", "lr", "betas", "eps", "weightDecay", "momentumDecay", "decoupledWeightDecay"],
  NAMED,
  1,
);

function defaultsOf(op: string, o: AdamaxOptions, rate: number): Record<string, unknown> {
  const { lr = rate, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0, maximize = false } = o;
  if (!(lr instanceof Tensor)) checkAtLeast(op, "learning rate", lr, 0);
  checkAtLeast(op, "epsilon", eps, 0);
  checkBetas(op, betas);
  checkAtLeast(op, "weight_decay", weightDecay, 0);
  return { lr, betas: [...betas], eps, weightDecay, maximize, ...implementationOf(o) };
}

/** Makes the means of a parameter at its first step. */
function begin(param: Tensor, state: ParamState, second: "exp_avg_sq" | "exp_inf"): void {
  if (state.exp_avg === undefined) {
    state.step ??= 0;
    state.exp_avg = stateTensor(() => param.zerosLike());
    state[second] = stateTensor(() => param.zerosLike());
  }
}

type AdamaxFlags = { decay: boolean; maximize: boolean };

const adamaxScalars = new Scalars("Adamax.step", {
  entries: { step: 0 },
  advance: ([step]) => [step.add(1)],
  derive: ([step], lr, [logBeta1]) => [lr.div(correction(step, logBeta1))],
});

const adamaxUpdate = variants<AdamaxFlags>("Adamax.step", (flags, tensors, [rate, decay, weight1, beta2, eps]) => {
  const [param, rawGrad, mean, largest] = tensors;
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  const newMean = lerp(mean, grad, weight1);
  const newLargest = largest.mul(beta2).max(grad.abs().add(eps));
  return [param.sub(newMean.div(newLargest).mul(rate)), newMean, newLargest];
});

/**
 * Adam with the largest gradient in place of the mean square.
 *
 * @see https://arxiv.org/abs/1412.6980
 */
export class Adamax extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, betas, eps, weightDecay`. */
  constructor(...args: Args<AdamaxOptions, ["params", "lr", "betas", "eps", "weightDecay"]>) {
    const o = adamaxArgs(args);
    super(o.params, defaultsOf("Adamax", o, 2e-3));
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    begin(param, state, "exp_inf");
    const [beta1, beta2] = group.betas as [number, number];
    const weightDecay = group.weightDecay as number;
    const own = [state.exp_avg as Tensor, state.exp_inf as Tensor];
    const [rate] = this.scalars(adamaxScalars, param, state, group, [Math.log(beta1)]);
    const apply = adamaxUpdate({ decay: weightDecay !== 0, maximize: group.maximize as boolean });
    apply([param, grad, ...own], [rate, weightDecay, 1 - beta1, beta2, group.eps as number], [param, ...own]);
  }
}

type DecayFlags = { decay: boolean; decoupled: boolean; maximize: boolean };

const nadamUpdate = variants<DecayFlags>("NAdam.step", (flags, tensors, scalars) => {
  const [param, rawGrad, mean, square] = tensors;
  const [gradRate, meanRate, decay, weight1, beta2, weight2, correction2, eps] = scalars;
  const grad = effectiveGrad(rawGrad, param, flags.decay && !flags.decoupled ? decay : null, flags.maximize);
  const start = flags.decay && flags.decoupled ? param.mul(decay) : param;
  const newMean = lerp(mean, grad, weight1);
  const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
  const denominator = newSquare.div(correction2).sqrt().add(eps);
  const updated = start.sub(grad.div(denominator).mul(gradRate)).sub(newMean.div(denominator).mul(meanRate));
  return [updated, newMean, newSquare];
});

// The base of the momentum's decay, from the paper's reference.
const MOMENTUM_BASE = 0.96;

function momentumAt(step: Num, beta1: Num, decay: Num): Num {
  return beta1.mul(step.mul(decay).mul(Math.log(MOMENTUM_BASE)).exp().mul(-0.5).add(1));
}

const nadamScalars = new Scalars("NAdam.step", {
  entries: { step: 0, mu_product: 1 },
  advance: ([step, product], _lr, [beta1, decay]) => {
    const now = step.add(1);
    return [now, product.mul(momentumAt(now, beta1, decay))];
  },
  derive: ([step, product], lr, [beta1, decay, logBeta2, weightDecay]) => {
    const momentum = momentumAt(step, beta1, decay), next = momentumAt(step.add(1), beta1, decay);
    return [
      lr.mul(momentum.mul(-1).add(1)).div(product.mul(-1).add(1)),
      lr.mul(next).div(product.mul(next).mul(-1).add(1)),
      lr.mul(weightDecay).mul(-1).add(1),
      correction(step, logBeta2),
    ];
  },
});

/**
 * Adam with Nesterov's momentum.
 *
 * @see https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
 */
export class NAdam extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Entries of the state that are numbers here and 0-d tensors in state dicts. */
  protected override readonly scalarState: readonly string[] = ["step", "mu_product"];

  /** Takes `params, lr, betas, eps, weightDecay, momentumDecay, decoupledWeightDecay`. */
  constructor(
    ...args: Args<
      NAdamOptions,
      ["params", "lr", "betas", "eps", "weightDecay", "momentumDecay", "decoupledWeightDecay"]
    >
  ) {
    const o = nadamArgs(args);
    const momentumDecay = o.momentumDecay ?? 4e-3;
    checkAtLeast("NAdam", "momentum_decay", momentumDecay, 0);
    const decoupledWeightDecay = o.decoupledWeightDecay ?? false;
    super(o.params, { ...defaultsOf("NAdam", o, 2e-3), momentumDecay, decoupledWeightDecay });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    begin(param, state, "exp_avg_sq");
    const [beta1, beta2] = group.betas as [number, number];
    const weightDecay = group.weightDecay as number;
    const decoupled = group.decoupledWeightDecay as boolean;
    const constants = [beta1, group.momentumDecay as number, Math.log(beta2), weightDecay];
    const [gradRate, meanRate, kept, correction2] = this.scalars(nadamScalars, param, state, group, constants);
    const decay = decoupled ? kept : weightDecay;
    const scalars = [gradRate, meanRate, decay, 1 - beta1, beta2, 1 - beta2, correction2, group.eps as number];
    const own = [state.exp_avg as Tensor, state.exp_avg_sq as Tensor];
    const apply = nadamUpdate({ decay: weightDecay !== 0, decoupled, maximize: group.maximize as boolean });
    apply([param, grad, ...own], scalars, [param, ...own]);
  }
}

type RAdamFlags = DecayFlags & { rectified: boolean; dynamic: boolean };

const radamUpdate = variants<RAdamFlags>("RAdam.step", (flags, tensors, scalars) => {
  const [param, rawGrad, mean, square] = tensors;
  const [rate, decay, weight1, beta2, weight2, eps, rectified] = scalars;
  const grad = effectiveGrad(rawGrad, param, flags.decay && !flags.decoupled ? decay : null, flags.maximize);
  const start = flags.decay && flags.decoupled ? param.mul(decay) : param;
  const newMean = lerp(mean, grad, weight1);
  const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
  const plain = newMean.mul(rate), scaled = plain.div(newSquare.sqrt().add(eps));
  const step = flags.dynamic ? rectified.ne(0).where(scaled, plain) : flags.rectified ? scaled : plain;
  return [start.sub(step), newMean, newSquare];
});

// Below this length of the averages the variance of the adaptive rate has no finite value (section 3.3 of the paper).
const SHORTEST = 5;

const radamScalars = new Scalars("RAdam.step", {
  entries: { step: 0 },
  advance: ([step]) => [step.add(1)],
  derive: ([step], lr, [logBeta1, logBeta2, longest, weightDecay]) => {
    const correction2 = correction(step, logBeta2);
    const length = longest.sub(step.mul(2).mul(step.mul(logBeta2).exp()).div(correction2));
    const rectified = exceeds(length, SHORTEST);
    const rate = lr.div(correction(step, logBeta1));
    const above = length.sub(4).mul(length.sub(2)).mul(longest);
    const shrink = above.div(longest.sub(4).mul(longest.sub(2)).mul(length));
    return [
      choose(rectified, rate.mul(correction2.mul(shrink.max(0)).sqrt()), rate),
      lr.mul(weightDecay).mul(-1).add(1),
      rectified,
    ];
  },
});

/**
 * Adam without the adaptive rate while its variance is too large.
 *
 * @see https://arxiv.org/abs/1908.03265
 */
export class RAdam extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, betas, eps, weightDecay, decoupledWeightDecay`. */
  constructor(
    ...args: Args<RAdamOptions, ["params", "lr", "betas", "eps", "weightDecay", "decoupledWeightDecay"]>
  ) {
    const o = radamArgs(args);
    super(o.params, { ...defaultsOf("RAdam", o, 1e-3), decoupledWeightDecay: o.decoupledWeightDecay ?? false });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    begin(param, state, "exp_avg_sq");
    const [beta1, beta2] = group.betas as [number, number];
    const weightDecay = group.weightDecay as number;
    const decoupled = group.decoupledWeightDecay as boolean;
    const constants = [Math.log(beta1), Math.log(beta2), 2 / (1 - beta2) - 1, weightDecay];
    const [rate, kept, rectified] = this.scalars(radamScalars, param, state, group, constants);
    const decay = decoupled ? kept : weightDecay;
    const own = [state.exp_avg as Tensor, state.exp_avg_sq as Tensor];
    const flags = {
      ...{ decay: weightDecay !== 0, decoupled, maximize: group.maximize as boolean },
      ...{ rectified: rectified === 1, dynamic: typeof rectified !== "number" },
    };
    const scalars = [rate, decay, 1 - beta1, beta2, 1 - beta2, group.eps as number, rectified];
    radamUpdate(flags)([param, grad, ...own], scalars, [param, ...own]);
  }
}
