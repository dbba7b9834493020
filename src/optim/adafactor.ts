/**
 * Adafactor: an optimizer that stores Adam's second moment as the product of one row and one column.
 *
 * A matrix of m × n needs m + n numbers of state. Numbers that depend on values (the root mean squares of a parameter
 * and of its update) stay on the device.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError } from "../base/errors.ts";
import { finfo } from "../base/limits.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkAtLeast, checkRanges, Optimizer, type ParamState, stateTensor } from "./optimizer.ts";
import { type ParamGroup, type ParamsInput, readLr } from "./param_group.ts";
import { COUNT, Scalars } from "./scalars.ts";

/** The parameters of {@linkcode Adafactor}. */
export class AdafactorArgs {
  /** Ignored: each parameter is updated on its own. */
  foreach: boolean | null = null;
  /** Whether the objective is maximised instead of minimised. */
  maximize = false;
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<AdafactorArgs>,
    /** The largest relative learning rate. */
    public lr: number | Tensor = 1e-2,
    /** The decay of the second moment is `1 - step ** beta2Decay`. */
    public beta2Decay: number = -0.8,
    /**
     * The lower bounds ε₁ of the variance (`null`: the dtype's machine epsilon) and ε₂ of a parameter's root mean
     * square.
     */
    public eps: readonly [number | null, number] = [null, 1e-3],
    /** The clipping threshold d: the largest root mean square of an update. */
    public d = 1,
    /** Decoupled weight decay, as in AdamW. */
    public weightDecay = 0,
  ) {}
}

const adafactorArgs = call("Adafactor", AdafactorArgs);

const adafactorScalars = new Scalars("Adafactor.step", {
  ...COUNT,
  derive: ([step], lr, [decay, weightDecay]) => [
    step.log().mul(decay).exp(),
    // ρ, the smaller of the learning rate and 1 / √step, by max() of negative numbers.
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
export class Adafactor extends Optimizer<AdafactorArgs> {
  constructor(...args: Args<typeof AdafactorArgs>) {
    const options = adafactorArgs(args), { lr, beta2Decay, eps, d, weightDecay } = options;
    checkRanges("Adafactor", { lr, weightDecay });
    if (beta2Decay > 0) throw new ArgumentError(`Adafactor(): beta2Decay should be at most 0: ${beta2Decay}`);
    if (eps[0] !== null) checkAtLeast("Adafactor", "epsilon1", eps[0], 0);
    checkAtLeast("Adafactor", "epsilon2", eps[1], 0);
    checkAtLeast("Adafactor", "clipping threshold d", d, 1);
    super(options.params, options);
  }

  #begin(grad: Tensor, state: ParamState): void {
    state.step = 0;
    const { shape, ndim } = grad;
    if (ndim > 1) {
      state.row_var = stateTensor(() => grad.newZeros([...shape.slice(0, -1), 1]));
      state.col_var = stateTensor(() => grad.newZeros([...shape.slice(0, -2), 1, shape[ndim - 1]]));
    } else state.variance = stateTensor(() => grad.zerosLike());
  }

  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup<AdafactorArgs>): void {
    if (state.step === undefined) this.#begin(grad, state);
    const { eps: [least, smallest], beta2Decay, weightDecay, d } = group;
    const epsilon = least ?? finfo(param.dtype).eps;
    // The derived numbers are used on the host here, so the rate must be a number.
    const own = { ...group, lr: readLr(group) }, constants = [beta2Decay, weightDecay];
    const [share, rate, kept] = this.scalars(adafactorScalars, param, state, own, constants) as readonly number[];
    scope(() => {
      const g = group.maximize ? grad.neg() : grad;
      const size = sizeOf(param).clampMin(smallest).mul(rate);
      if (weightDecay !== 0) param.mul_(kept);
      const update = this.#variance(g, state, share, epsilon).clampMin(epsilon * epsilon).rsqrt().mul(g);
      const excess = sizeOf(update).div(d).clampMin(1);
      param.sub_(update.mul(size.div(excess)));
    });
  }

  /**
   * The second moment of the gradient: an exponential moving average with the weight `share` for the latest gradient.
   */
  #variance(grad: Tensor, state: ParamState, share: number, epsilon: number): Tensor {
    if (grad.ndim <= 1) return (state.variance as Tensor).lerp_(grad.square(), share);
    const row = (state.row_var as Tensor).lerp_(grad.square().mean(-1, true), share);
    const column = (state.col_var as Tensor).lerp_(grad.square().mean(-2, true), share);
    return row.matmul(column).div(row.mean(-2, true).clampMin(epsilon));
  }
}
