/**
 * Muon: momentum whose matrices are made nearly orthogonal before they are subtracted.
 *
 * It is for the weight matrices of hidden layers; embeddings, biases and the last layer are usually trained by AdamW.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { bfloat16 } from "../base/dtype.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkRanges, Optimizer, type ParamState, stateTensor } from "./optimizer.ts";
import type { ParamGroup, ParamsInput } from "./param_group.ts";

/** The adjustment of the learning rate to a matrix's shape. */
export type MuonAdjustment = "original" | "match_rms_adamw";

/** The parameters of {@linkcode Muon}. */
export class MuonArgs {
  constructor(
    /** The parameters to train, which must be matrices, or parameter groups. */
    public params: ParamsInput<MuonArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-3,
    /** Decoupled weight decay, as in AdamW. */
    public weightDecay = 0.1,
    /** The momentum: the fraction of the previous one that is kept. */
    public momentum = 0.95,
    /** Whether Nesterov momentum is used. */
    public nesterov = true,
    /** The coefficients of the Newton–Schulz iteration x ← a x + b (x xᵀ) x + c (x xᵀ)² x. */
    public nsCoefficients: readonly [number, number, number] = [3.4445, -4.775, 2.0315],
    /** The lower bound ε of the norm that the momentum is divided by. */
    public eps = 1e-7,
    /** The number of Newton–Schulz iterations. */
    public nsSteps = 5,
    /** The adjustment of the learning rate to a matrix's shape; `null`: `"original"`. */
    public adjustLrFn: MuonAdjustment | null = null,
  ) {}
}

const muonArgs = call("Muon", MuonArgs);

/**
 * Newton–Schulz orthogonalisation: a matrix with about the same singular vectors and singular values near 1, in
 * bfloat16.
 */
function orthogonal(x: Tensor, [a, b, c]: readonly number[], steps: number, eps: number): Tensor {
  const tall = x.shape[0] > x.shape[1];
  const start = tall ? x.to(bfloat16).t() : x.to(bfloat16);
  // The iteration converges for norms of at most 1.
  let y = start.div(start.norm().clampMin(eps));
  for (let step = 0; step < steps; step++) {
    const gram = y.matmul(y.t());
    y = y.addmm(gram.addmm(gram, gram, { beta: b, alpha: c }), y, { beta: a });
  }
  return tall ? y.t() : y;
}

/** The factor of the learning rate for a matrix of that shape. */
function adjustment(how: MuonAdjustment | null, [rows, columns]: readonly number[]): number {
  return how === "match_rms_adamw" ? 0.2 * Math.sqrt(Math.max(rows, columns)) : Math.sqrt(Math.max(1, rows / columns));
}

/**
 * Muon: steps along the orthogonalised momentum.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const weight = torch.eye(3).mul(2).requiresGrad_();
 * const optimizer = new torch.optim.Muon([weight], { lr: 0.1 });
 * weight.square().sum().backward();
 * optimizer.step();
 * assert(await weight.sum().item() < 6);
 * ```
 *
 * @see https://kellerjordan.github.io/posts/muon/
 */
export class Muon extends Optimizer<MuonArgs> {
  constructor(...args: Args<typeof MuonArgs>) {
    const options = muonArgs(args), { lr, momentum, weightDecay, nsCoefficients, nsSteps, adjustLrFn } = options;
    checkRanges("Muon", { lr, momentum, weightDecay });
    if (nsCoefficients.length !== 3) {
      throw new ArgumentError(`Muon(): nsCoefficients must be 3 numbers: ${show(nsCoefficients)}`);
    }
    if (!(nsSteps < 100)) throw new ArgumentError(`Muon(): nsSteps must be less than 100: ${describe(nsSteps)}`);
    if (adjustLrFn !== null && adjustLrFn !== "original" && adjustLrFn !== "match_rms_adamw") {
      throw new ArgumentError(`Muon(): adjustLrFn must be "original" or "match_rms_adamw": ${describe(adjustLrFn)}`);
    }
    super(options.params, options);
    for (const { params } of this.paramGroups) {
      for (const param of params) {
        if (param.ndim !== 2 || param.dtype.isComplex) {
          throw new ShapeError(`Muon(): parameters must be real matrices: ${show(param.shape)} of ${param.dtype}`);
        }
      }
    }
  }

  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup<MuonArgs>): void {
    state.momentum_buffer ??= stateTensor(() => grad.zerosLike());
    const { nesterov, momentum, nsCoefficients, nsSteps, eps, weightDecay, adjustLrFn } = group;
    const rate = this.rateOf(group);
    scope(() => {
      const buffer = (state.momentum_buffer as Tensor).lerp_(grad, 1 - momentum);
      const along = nesterov ? grad.lerp(buffer, momentum) : buffer;
      const update = orthogonal(along, nsCoefficients, nsSteps, eps), factor = adjustment(adjustLrFn, param.shape);
      if (typeof rate === "number") {
        param.mul_(1 - rate * weightDecay);
        param.sub_(update.mul(rate * factor));
      } else {
        param.mul_(rate.mul(-weightDecay).add(1));
        param.sub_(update.mul(rate.mul(factor)));
      }
    });
  }
}
