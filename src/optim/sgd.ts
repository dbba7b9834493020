/**
 * Stochastic gradient descent, with momentum and Nesterov's variant.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type ParamState, realOf, stateTensor } from "./optimizer.ts";
import { OptimizerArgs, type ParamGroup, type ParamsInput } from "./param_group.ts";
import { PointwiseOptimizer, rule, type UpdateScalar } from "./pointwise.ts";
import { exceeds, Scalars } from "./scalars.ts";
import { currentScaling } from "./variants.ts";

/** The parameters of {@linkcode SGD}. */
export class SGDArgs extends OptimizerArgs {
  constructor(
    /** The parameters to train, or parameter groups. */
    public params: ParamsInput<SGDArgs>,
    /** The learning rate. */
    public lr: number | Tensor = 1e-3,
    /** The momentum μ: the fraction of the velocity that is kept. */
    public momentum = 0,
    /** The dampening τ: the fraction of the gradient that does not enter the velocity. */
    public dampening = 0,
    /** The weight decay: the factor of the L2 penalty. */
    public weightDecay = 0,
    /** Whether Nesterov momentum is used: the step follows the gradient plus μ times the new velocity. */
    public nesterov = false,
  ) {
    super();
  }
}

const sgdArgs = call("SGD", SGDArgs);

/** The variant of the update that a step uses. */
export type SGDFlags = { momentum: boolean; first: boolean; nesterov: boolean };

const sgd = rule<SGDArgs, SGDFlags>({
  name: "SGD",
  // The derived number is the fraction of the gradient that enters the velocity.
  scalars: ({ momentum }, [undamped], lr) => momentum === 0 ? [lr] : [lr, momentum, undamped],
  formula: ({ param, grad, state: [buffer], scalars: [lr, momentum, undamped], flags }) => {
    if (!flags.momentum) return [param.sub(grad.mul(lr))];
    const velocity = flags.first ? grad : buffer.mul(momentum).add(grad.mul(undamped));
    const direction = flags.nesterov ? grad.add(velocity.mul(momentum)) : velocity;
    return [param.sub(direction.mul(lr)), velocity];
  },
});

/** Without momentum there is no state and no derived number. */
const NOTHING: readonly UpdateScalar[] = [], PLAIN: SGDFlags = { momentum: false, first: false, nesterov: false };

/** Counts the steps of a parameter: the whole gradient enters the velocity in the first one, `1 - τ` of it later. */
const seenSteps = new Scalars("SGD.step", {
  entries: { seen: 0 },
  advance: ([seen]) => [seen.add(1)],
  derive: ([seen], _lr, [dampening]) => [dampening.mul(exceeds(seen, 1)).mul(-1).add(1)],
});

/**
 * Stochastic gradient descent with momentum: `v ← μ v + (1 - τ) g; p ← p - lr v`.
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
export class SGD extends PointwiseOptimizer<SGDArgs, SGDFlags> {
  /** The step counts of parameters whose first step a GradScaler may have skipped. */
  readonly #seen = new WeakMap<ParamState, ParamState>();

  #usual: readonly UpdateScalar[] = [];

  constructor(...args: Args<typeof SGDArgs>) {
    const options = sgdArgs(args), { nesterov, momentum, dampening } = options;
    super(options, sgd);
    if (nesterov && (momentum <= 0 || dampening !== 0)) {
      throw new ArgumentError(
        `SGD(): Nesterov momentum requires a momentum and zero dampening: momentum ${momentum}, dampening ${dampening}`,
      );
    }
  }

  /** Updates one parameter: the buffer begins with the first gradient, not with zeros. */
  protected override update(param: Tensor, grad: Tensor, state: ParamState, group: ParamGroup<SGDArgs>): void {
    const { momentum, dampening, nesterov } = group;
    if (momentum === 0) return this.apply(param, grad, [], group, NOTHING, PLAIN);
    let buffer = (state.momentum_buffer ?? null) as Tensor | null;
    // Only the device knows whether a GradScaler skipped the steps so far, that is, whether this is the first one.
    const counted = currentScaling() !== null && (buffer === null || this.#seen.has(state));
    const first = buffer === null && !counted;
    if (buffer === null) {
      state.momentum_buffer = buffer = stateTensor(() => counted ? param.zerosLike() : param.emptyLike());
    }
    const undamped = counted ? this.#undamped(param, state, group) : 1 - dampening;
    // Parameters after their first step share one list of numbers, by which the update sees that they share the
    // variant.
    const usual = this.#usual[0] === undamped && !first ? this.#usual : [undamped];
    if (!first) this.#usual = usual;
    this.apply(param, grad, [realOf(buffer)], group, usual, { momentum: true, first, nesterov });
  }

  /** The fraction of the gradient that enters the velocity: 1 in the first step that counts, else `1 - τ`. */
  #undamped(param: Tensor, state: ParamState, group: ParamGroup<SGDArgs>): UpdateScalar {
    if (group.dampening === 0) return 1;
    let seen = this.#seen.get(state);
    if (seen === undefined) this.#seen.set(state, seen = {});
    return this.scalars(seenSteps, param, seen, group, [group.dampening])[0];
  }
}
