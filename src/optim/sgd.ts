/**
 * Stochastic gradient descent, with momentum and Nesterov's variant.
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
import { exceeds, Scalars } from "./scalars.ts";
import { currentScaling, effectiveGrad, variants } from "./variants.ts";

/** What {@linkcode SGD} takes. */
export interface SGDOptions extends ImplementationOptions {
  /** What is trained. */
  params: ParamsInput;
  /** Learning rate. @default {1e-3} */
  lr?: number | Tensor;
  /** Share of the previous update that is kept. @default {0} */
  momentum?: number;
  /** Share of the gradient that does not enter the momentum. @default {0} */
  dampening?: number;
  /** Factor of the L2 penalty. @default {0} */
  weightDecay?: number;
  /** Whether the gradient is taken as if the momentum step was made. @default {false} */
  nesterov?: boolean;
  /** Whether the objective is maximised. @default {false} */
  maximize?: boolean;
}

const sgdArgs = signature<SGDOptions>(
  "SGD",
  ["params", "lr", "momentum", "dampening", "weightDecay", "nesterov"],
  ["maximize", ...IMPLEMENTATION_OPTIONS],
  1,
);

const sgdScalars = new Scalars("SGD.step", {
  entries: { seen: 0 },
  advance: ([seen]) => [seen.add(1)],
  derive: ([seen], _lr, [dampening]) => [dampening.mul(exceeds(seen, 1)).mul(-1).add(1)],
});

type SGDFlags = { decay: boolean; maximize: boolean; momentum: boolean; first: boolean; nesterov: boolean };

const sgdUpdate = variants<SGDFlags>("SGD.step", (flags, tensors, [lr, decay, momentum, undamped]) => {
  const [param, rawGrad, buffer] = tensors;
  const grad = effectiveGrad(rawGrad, param, flags.decay ? decay : null, flags.maximize);
  if (!flags.momentum) return [param.sub(grad.mul(lr))];
  const velocity = flags.first ? grad : buffer.mul(momentum).add(grad.mul(undamped));
  const direction = flags.nesterov ? grad.add(velocity.mul(momentum)) : velocity;
  return [param.sub(direction.mul(lr)), velocity];
});

/**
 * Stochastic gradient descent: `v ← μ v + (1 - τ) g; p ← p - lr v`.
 *
 * As in PyTorch, and unlike in the papers, the learning rate is not part of the velocity.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const x = torch.tensor([1], { requiresGrad: true });
 * const optimizer = new torch.optim.SGD([x], { lr: 0.1, momentum: 0.9 });
 * for (let i = 0; i < 100; i++) {
 *   optimizer.zeroGrad();
 *   x.mul(x).sum().backward();
 *   optimizer.step();
 * }
 * assertAlmostEquals(await x.item(), 0, 0.01);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
 */
export class SGD extends Optimizer {
  /** The update takes the scale and `foundInf` as operands. */
  override readonly stepSupportsAmpScaling: boolean = true;

  /** Takes `params, lr, momentum, dampening, weightDecay, nesterov`. */
  constructor(...args: Args<SGDOptions, ["params", "lr", "momentum", "dampening", "weightDecay", "nesterov"]>) {
    const o = sgdArgs(args);
    const lr = o.lr ?? 1e-3;
    const momentum = o.momentum ?? 0;
    const dampening = o.dampening ?? 0;
    const weightDecay = o.weightDecay ?? 0;
    const nesterov = o.nesterov ?? false;
    if (!(lr instanceof Tensor)) checkAtLeast("SGD", "learning rate", lr, 0);
    checkAtLeast("SGD", "momentum", momentum, 0);
    checkAtLeast("SGD", "weight_decay", weightDecay, 0);
    if (nesterov && (momentum <= 0 || dampening !== 0)) {
      throw new ArgumentError(
        `SGD(): Nesterov momentum requires a momentum and zero dampening: momentum ${momentum}, dampening ${dampening}`,
      );
    }
    const maximize = o.maximize ?? false;
    super(o.params, { lr, momentum, dampening, weightDecay, nesterov, maximize, ...implementationOf(o) });
  }

  /** Updates one parameter; see `Optimizer`. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup): void {
    const momentum = group.momentum as number;
    const dampening = group.dampening as number;
    const weightDecay = group.weightDecay as number;
    let buffer = (state.momentum_buffer ?? null) as Tensor | null;
    // Whether a step that a GradScaler may have dropped was the first one, the device knows alone.
    const counted = momentum !== 0 && currentScaling() !== null && (buffer === null || this.#seen.has(state));
    const first = momentum !== 0 && buffer === null && !counted;
    if (momentum !== 0 && buffer === null) {
      state.momentum_buffer = buffer = stateTensor(() => counted ? param.zerosLike() : param.emptyLike());
    }
    const apply = sgdUpdate({
      decay: weightDecay !== 0,
      maximize: group.maximize as boolean,
      momentum: momentum !== 0,
      first,
      nesterov: group.nesterov as boolean,
    });
    const undamped = counted ? this.#undamped(param, state, group, dampening) : 1 - dampening;
    const scalars = [this.rateOf(group), weightDecay, momentum, undamped];
    // Without momentum the kernel neither reads nor writes a buffer.
    if (momentum === 0) apply([param, grad], scalars, [param]);
    else apply([param, grad, buffer!], scalars, [param, buffer!]);
  }

  /** Steps that counted, of parameters whose first step a GradScaler may have dropped. */
  readonly #seen = new WeakMap<ParamState, ParamState>();

  /** The gradient's share of the velocity, all of it in the first step that counts. */
  #undamped(param: Tensor, state: ParamState, group: ParamGroup, dampening: number): number | Tensor {
    if (dampening === 0) return 1;
    let seen = this.#seen.get(state);
    if (seen === undefined) this.#seen.set(state, seen = {});
    return this.scalars(sgdScalars, param, seen, group, [dampening])[0];
  }
}
