/**
 * Adam and AdamW.
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
import { correction, Scalars } from "./scalars.ts";
import { effectiveGrad, lerp, variants } from "./variants.ts";

/** What {@linkcode AdamW} takes. */
export interface AdamWOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Learning rate. @default {1e-3} */
  lr?: number | Tensor;
  /** Decay of the means of gradient and squared gradient. @default {[0.9, 0.999]} */
  betas?: readonly [number, number];
  /** Added to the denominator. @default {1e-8} */
  eps?: number;
  /** Weight decay: 0 for Adam, 1e-2 for AdamW if missing. */
  weightDecay?: number;
  /** Whether the largest mean square so far is used. @default {false} */
  amsgrad?: boolean;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}

/** What {@linkcode Adam} takes. */
export interface AdamOptions extends AdamWOptions {
  /** Whether weights decay by themselves, as in AdamW, not through the gradient. @default {false} */
  decoupledWeightDecay?: boolean;
}

const POSITIONAL = ["params", "lr", "betas", "eps", "weightDecay", "amsgrad"] as const;
const adamArgs = signature<AdamOptions>(
  "Adam",
  POSITIONAL,
  ["maximize", "decoupledWeightDecay", ...IMPLEMENTATION_OPTIONS],
  1,
);
const adamWArgs = signature<AdamWOptions>("AdamW", POSITIONAL, ["maximize", ...IMPLEMENTATION_OPTIONS], 1);

type AdamFlags = { decay: boolean; decoupled: boolean; maximize: boolean; amsgrad: boolean };

const adamScalars = new Scalars("Adam.step", {
  entries: { step: 0 },
  advance: ([step]) => [step.add(1)],
  derive: ([step], lr, [logBeta1, logBeta2, weightDecay]) => [
    lr.div(correction(step, logBeta1)),
    lr.mul(weightDecay).mul(-1).add(1),
    correction(step, logBeta2).sqrt(),
  ],
});

const adamUpdate = variants<AdamFlags>("Adam.step", (flags, tensors, scalars) => {
  const [param, rawGrad, mean, square, largest] = tensors;
  const [stepSize, decay, weight1, beta2, weight2, correction2, eps] = scalars;
  const coupled = flags.decay && !flags.decoupled;
  const grad = effectiveGrad(rawGrad, param, coupled ? decay : null, flags.maximize);
  // With decoupled decay the scalar is the factor 1 - lr · weightDecay.
  const start = flags.decay && flags.decoupled ? param.mul(decay) : param;
  const newMean = lerp(mean, grad, weight1);
  const newSquare = square.mul(beta2).add(grad.mul(grad).mul(weight2));
  const newLargest = flags.amsgrad ? largest.max(newSquare) : null;
  const root = (newLargest ?? newSquare).sqrt();
  const updated = start.sub(newMean.div(root.div(correction2).add(eps)).mul(stepSize));
  return newLargest ? [updated, newMean, newSquare, newLargest] : [updated, newMean, newSquare];
});

/**
 * Adam: steps of `lr · m̂ / (√v̂ + ε)`, with means of the gradient and its square that are corrected for their start.
 *
 * @see https://arxiv.org/abs/1412.6980
 */
export class Adam extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, betas, eps, weightDecay, amsgrad`. */
  constructor(...args: Args<AdamOptions, ["params", "lr", "betas", "eps", "weightDecay", "amsgrad"]>) {
    const [params, defaults] = adamDefaults("Adam", adamArgs(args), 0);
    super(params, defaults);
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    const amsgrad = group.amsgrad as boolean;
    if (state.exp_avg === undefined) {
      state.step ??= 0;
      state.exp_avg = stateTensor(() => param.zerosLike());
      state.exp_avg_sq = stateTensor(() => param.zerosLike());
      if (amsgrad) state.max_exp_avg_sq = stateTensor(() => param.zerosLike());
    }
    const [beta1, beta2] = group.betas as [number, number];
    const weightDecay = group.weightDecay as number;
    const decoupled = group.decoupledWeightDecay as boolean;
    const constants = [Math.log(beta1), Math.log(beta2), weightDecay];
    const [stepSize, kept, root] = this.scalars(adamScalars, param, state, group, constants);
    const decay = decoupled ? kept : weightDecay;
    const scalars = [stepSize, decay, 1 - beta1, beta2, 1 - beta2, root, group.eps as number];
    const apply = adamUpdate({ decay: weightDecay !== 0, decoupled, maximize: group.maximize as boolean, amsgrad });
    const own = [state.exp_avg as Tensor, state.exp_avg_sq as Tensor];
    if (amsgrad) own.push(state.max_exp_avg_sq as Tensor);
    apply([param, grad, ...own], scalars, [param, ...own]);
  }
}

function adamDefaults(op: string, o: AdamOptions, weightDecayDefault: number): [ParamsInput, Record<string, unknown>] {
  const lr = o.lr ?? 1e-3;
  const betas = o.betas ?? [0.9, 0.999];
  const eps = o.eps ?? 1e-8;
  const weightDecay = o.weightDecay ?? weightDecayDefault;
  if (!(lr instanceof Tensor)) checkAtLeast(op, "learning rate", lr, 0);
  checkAtLeast(op, "epsilon", eps, 0);
  checkBetas(op, betas);
  checkAtLeast(op, "weight_decay", weightDecay, 0);
  return [o.params, {
    lr,
    betas: [...betas],
    eps,
    weightDecay,
    amsgrad: o.amsgrad ?? false,
    maximize: o.maximize ?? false,
    decoupledWeightDecay: o.decoupledWeightDecay ?? false,
    ...implementationOf(o),
  }];
}

/**
 * Adam with weight decay that acts on the weights themselves.
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
  /** Takes `params, lr, betas, eps, weightDecay, amsgrad`. */
  constructor(...args: Args<AdamWOptions, ["params", "lr", "betas", "eps", "weightDecay", "amsgrad"]>) {
    const [params, defaults] = adamDefaults("AdamW", adamWArgs(args), 1e-2);
    super({ ...defaults, params, decoupledWeightDecay: true });
  }
}
