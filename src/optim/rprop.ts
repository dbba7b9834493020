/**
 * Rprop, which looks only at signs, and ASGD, which averages the path.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
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
import { effectiveGrad, variants } from "./variants.ts";

const NAMED = ["maximize", ...IMPLEMENTATION_OPTIONS] as const;

/** What {@linkcode Rprop} takes. */
export interface RpropOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Initial size of steps. @default {1e-2} */
  lr?: number | Tensor;
  /** Factors of steps where the gradient's sign changed, and where it did not. @default {[0.5, 1.2]} */
  etas?: readonly [number, number];
  /** Smallest and largest step. @default {[1e-6, 50]} */
  stepSizes?: readonly [number, number];
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}
const rpropArgs = signature<RpropOptions>("Rprop", ["params", "lr", "etas", "stepSizes"], NAMED, 1);

type RpropFlags = { maximize: boolean };

const rpropScalars = new Scalars("Rprop.step", COUNT);

const rpropUpdate = variants<RpropFlags>("Rprop.step", (flags, tensors, [shrink, grow, least, most]) => {
  const [param, rawGrad, previous, size] = tensors;
  const grad = flags.maximize ? rawGrad.neg() : rawGrad;
  const agreement = grad.mul(previous);
  const changed = agreement.lt(0);
  const factor = changed.where(shrink, agreement.gt(0).where(grow, 1));
  const newSize = size.mul(factor).max(least).min(most);
  // After a change of sign the step is left out, and the next one counts as neither.
  const used = changed.where(0, grad);
  return [param.sub(used.sign().mul(newSize)), used, newSize];
});

/**
 * Steps of an own size per element, grown while the gradient keeps its sign and shrunk when it changes.
 *
 * @see https://doi.org/10.1109/ICNN.1993.298623
 */
export class Rprop extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, etas, stepSizes`. */
  constructor(...args: Args<RpropOptions, ["params", "lr", "etas", "stepSizes"]>) {
    const o = rpropArgs(args);
    const { lr = 1e-2, etas = [0.5, 1.2], stepSizes = [1e-6, 50], maximize = false } = o;
    if (!(lr instanceof Tensor)) checkAtLeast("Rprop", "learning rate", lr, 0);
    if (!(etas[0] > 0 && etas[0] < 1 && etas[1] > 1)) {
      throw new ArgumentError(`Rprop(): Invalid eta values: ${etas.join(", ")}; expected 0 < first < 1 < second`);
    }
    super(o.params, { lr, etas: [...etas], stepSizes: [...stepSizes], maximize, ...implementationOf(o) });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    if (state.prev === undefined) {
      const lr = this.rateOf(group);
      state.step ??= 0;
      state.prev = stateTensor(() => param.zerosLike());
      state.step_size = stateTensor(() => typeof lr === "number" ? param.fullLike(lr) : param.emptyLike().copy_(lr));
    }
    this.scalars(rpropScalars, param, state, group);
    const scalars = [...group.etas as number[], ...group.stepSizes as number[]];
    const own = [state.prev as Tensor, state.step_size as Tensor];
    rpropUpdate({ maximize: group.maximize as boolean })([param, grad, ...own], scalars, [param, ...own]);
  }
}

/** What {@linkcode ASGD} takes. */
export interface ASGDOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Learning rate. @default {1e-2} */
  lr?: number | Tensor;
  /** Decay of the parameters per step. @default {1e-4} */
  lambd?: number;
  /** Exponent of the rate's decay. @default {0.75} */
  alpha?: number;
  /** Step at which averaging starts. @default {1e6} */
  t0?: number;
  /** Factor of the L2 penalty. @default {0} */
  weightDecay?: number;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}
const asgdArgs = signature<ASGDOptions>("ASGD", ["params", "lr", "lambd", "alpha", "t0", "weightDecay"], NAMED, 1);

type ASGDFlags = { decay: boolean; maximize: boolean; average: boolean };

const asgdScalars = new Scalars("ASGD.step", {
  entries: { step: 0, eta: "lr", mu: 1 },
  advance: ([step, eta, mu]) => [step.add(1), eta, mu],
  derive: ([_step, eta, mu], _lr, [lambd]) => [eta, lambd.mul(eta).mul(-1).add(1), mu],
  finish: ([step], lr, [lambd, alpha, t0]) => [
    step,
    // The power as an exponential function, which every device has.
    lr.mul(lambd.mul(lr).mul(step).add(1).log().mul(alpha).mul(-1).exp()),
    step.sub(t0).max(1).reciprocal(),
  ],
});

const asgdUpdate = variants<ASGDFlags>("ASGD.step", (flags, tensors, [eta, decay, shrink, share]) => {
  const [param, rawGrad, mean] = tensors;
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  const updated = param.mul(shrink).sub(grad.mul(eta));
  return [updated, flags.average ? mean.add(updated.sub(mean).mul(share)) : updated];
});

/**
 * Stochastic gradient descent whose average path is kept as `ax` in the state.
 *
 * @see https://doi.org/10.1137/0330046
 */
export class ASGD extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Entries of the state that are numbers here and 0-d tensors in state dicts. */
  protected override readonly scalarState: readonly string[] = ["step", "eta", "mu"];

  /** Takes `params, lr, lambd, alpha, t0, weightDecay`. */
  constructor(...args: Args<ASGDOptions, ["params", "lr", "lambd", "alpha", "t0", "weightDecay"]>) {
    const o = asgdArgs(args);
    const { lr = 1e-2, lambd = 1e-4, alpha = 0.75, t0 = 1e6, weightDecay = 0, maximize = false } = o;
    if (!(lr instanceof Tensor)) checkAtLeast("ASGD", "learning rate", lr, 0);
    checkAtLeast("ASGD", "weight_decay", weightDecay, 0);
    super(o.params, { lr, lambd, alpha, t0, weightDecay, maximize, ...implementationOf(o) });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    if (state.ax === undefined) {
      state.step ??= 0;
      const lr = this.rateOf(group);
      // Entries in PyTorch's order; a rate on the device becomes a tensor below.
      if (typeof lr === "number") state.eta ??= lr;
      state.mu ??= 1;
      state.ax = stateTensor(() => param.zerosLike());
    }
    const weightDecay = group.weightDecay as number;
    const constants = [group.lambd as number, group.alpha as number, group.t0 as number];
    const [eta, shrink, mu] = this.scalars(asgdScalars, param, state, group, constants);
    const apply = asgdUpdate({ decay: weightDecay !== 0, maximize: group.maximize as boolean, average: mu !== 1 });
    const mean = state.ax as Tensor;
    apply([param, grad, mean], [eta, weightDecay, shrink, mu], [param, mean]);
  }
}
