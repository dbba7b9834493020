/**
 * Adafactor: Adam's second moment as the product of one row and one column.
 *
 * A matrix of m × n needs m + n numbers of state. What depends on values (the size of a parameter, of its update) stays on
 * the device.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import { finfo } from "../base/limits.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkAtLeast, Optimizer, type ParamsInput, type ParamState, stateTensor } from "./optimizer.ts";
import { type ParamGroup, readLr } from "./param_group.ts";
import { Scalars } from "./scalars.ts";

/** What {@linkcode Adafactor} takes. */
export interface AdafactorOptions {
  /** What is trained. */
  params: ParamsInput;
  /** The largest relative learning rate. @default {1e-2} */
  lr?: number | Tensor;
  /** The decay of the second moment is `1 - step ** beta2Decay`. @default {-0.8} */
  beta2Decay?: number;
  /** Least variance (`null`: the dtype's epsilon), and least size of a parameter. @default {[null, 1e-3]} */
  eps?: readonly [number | null, number];
  /** The largest root mean square of an update. @default {1} */
  d?: number;
  /** Weight decay, as in AdamW. @default {0} */
  weightDecay?: number;
  /** Ignored. */
  foreach?: boolean | null;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}

const adafactorArgs = signature<AdafactorOptions>(
  "Adafactor",
  ["params", "lr", "beta2Decay", "eps", "d", "weightDecay"],
  ["foreach", "maximize"],
  1,
);

const adafactorScalars = new Scalars("Adafactor.step", {
  entries: { step: 0 },
  advance: ([step]) => [step.add(1)],
  derive: ([step], lr, [decay, weightDecay]) => [
    step.log().mul(decay).exp(),
    // The smaller of the rate and 1 / √step.
    lr.mul(-1).max(step.sqrt().reciprocal().mul(-1)).mul(-1),
    lr.mul(weightDecay).mul(-1).add(1),
  ],
});

/** The root mean square of a tensor. */
function sizeOf(x: Tensor): Tensor {
  return x.norm().div(Math.sqrt(x.numel()));
}

/**
 * Steps of `ρ · max(ε₂, rms(p)) · g / √v` with a factored `v`, clipped where their root mean square exceeds `d`.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const model = new torch.nn.Linear(4, 2);
 * const optimizer = new torch.optim.Adafactor(model.parameters());
 * model.call(torch.ones(3, 4)).square().sum().backward();
 * optimizer.step();
 * assert(optimizer.stateDict().state[0].row_var instanceof torch.Tensor);
 * ```
 *
 * @see https://arxiv.org/abs/1804.04235
 */
export class Adafactor extends Optimizer {
  /** A `GradScaler` divides the gradients before. */
  override readonly stepSupportsAmpScaling: boolean = false;

  /** Takes `params, lr, beta2Decay, eps, d, weightDecay`. */
  constructor(...args: Args<AdafactorOptions, ["params", "lr", "beta2Decay", "eps", "d", "weightDecay"]>) {
    const o = adafactorArgs(args);
    const { lr = 1e-2, beta2Decay = -0.8, eps = [null, 1e-3], d = 1, weightDecay = 0, maximize = false } = o;
    if (!(lr instanceof Tensor)) checkAtLeast("Adafactor", "learning rate", lr, 0);
    if (beta2Decay > 0) throw new ArgumentError(`Adafactor(): beta2Decay should be at most 0: ${beta2Decay}`);
    if (eps[0] !== null) checkAtLeast("Adafactor", "epsilon1", eps[0], 0);
    checkAtLeast("Adafactor", "epsilon2", eps[1], 0);
    checkAtLeast("Adafactor", "clipping threshold d", d, 1);
    checkAtLeast("Adafactor", "weight_decay", weightDecay, 0);
    super(o.params, { lr, beta2Decay, eps: [...eps], d, weightDecay, maximize });
  }

  #begin(grad: Tensor, state: ParamState): void {
    state.step = 0;
    const { shape, ndim } = grad;
    if (ndim > 1) {
      state.row_var = stateTensor(() => grad.newZeros([...shape.slice(0, -1), 1]));
      state.col_var = stateTensor(() => grad.newZeros([...shape.slice(0, -2), 1, shape[ndim - 1]]));
    } else state.variance = stateTensor(() => grad.zerosLike());
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    if (state.step === undefined) this.#begin(grad, state);
    const [least, smallest] = group.eps as [number | null, number];
    const epsilon = least ?? finfo(param.dtype).eps, weightDecay = group.weightDecay as number;
    // What comes of it is used at once, so the rate is a number here.
    const own = { ...group, lr: readLr(group) };
    const constants = [group.beta2Decay as number, weightDecay];
    const [share, rate, kept] = this.scalars(adafactorScalars, param, state, own, constants) as readonly number[];
    scope(() => {
      const g = group.maximize ? grad.neg() : grad;
      const size = sizeOf(param).clampMin(smallest).mul(rate);
      if (weightDecay !== 0) param.mul_(kept);
      const update = this.#variance(g, state, share, epsilon).clampMin(epsilon * epsilon).rsqrt().mul(g);
      const excess = sizeOf(update).div(group.d as number).clampMin(1);
      param.sub_(update.mul(size.div(excess)));
    });
  }

  /** The second moment of the gradient, which moves by `share`. */
  #variance(grad: Tensor, state: ParamState, share: number, epsilon: number): Tensor {
    if (grad.ndim <= 1) return (state.variance as Tensor).lerp_(grad.square(), share);
    const row = (state.row_var as Tensor).lerp_(grad.square().mean(-1, true), share);
    const column = (state.col_var as Tensor).lerp_(grad.square().mean(-2, true), share);
    return row.matmul(column).div(row.mean(-2, true).clampMin(epsilon));
  }
}
