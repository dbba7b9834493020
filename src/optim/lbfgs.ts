/**
 * L-BFGS: quasi-Newton steps from the last few changes of parameters and gradients.
 *
 * All parameters are treated as one vector. The closure is called several times per step, and its loss is read each
 * time; on WebGPU, where reads are asynchronous, the same computation awaits each read.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { enableGrad, withGrad } from "../autograd/mode.ts";
import { cat } from "../ops/shape/join.ts";
import { readsAtOnce } from "../ops/core/values.ts";
import { scope } from "../tensor/scope.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkRanges, type Closure, Optimizer, type ParamState } from "./optimizer.ts";
import { type ParamGroup, type ParamsInput, readLr } from "./param_group.ts";
import { type Point, type Reading, strongWolfe } from "./strong_wolfe.ts";

/** The parameters of {@linkcode LBFGS}. */
export class LBFGSArgs {
  constructor(
    /** The parameters to train, in one group. */
    public params: ParamsInput<LBFGSArgs>,
    /** The learning rate: the factor of the step along the direction. */
    public lr: number | Tensor = 1,
    /** The largest number of iterations per step. */
    public maxIter = 20,
    /** The largest number of calls of the closure per step; `null`: 1.25 times `maxIter`. */
    public maxEval: number | null = null,
    /** The step ends when no element of the gradient is larger in magnitude. */
    public toleranceGrad = 1e-7,
    /** The step ends when parameters or loss change by less. */
    public toleranceChange = 1e-9,
    /** The number of past changes that the inverse Hessian is estimated from. */
    public historySize = 100,
    /** The line search; `null`: a fixed step. */
    public lineSearchFn: "strong_wolfe" | null = null,
  ) {}
}

const lbfgsArgs = call("LBFGS", LBFGSArgs);

/** The state between iterations and steps, under PyTorch's names. */
interface LBFGSState extends ParamState {
  func_evals: number;
  n_iter: number;
  d?: Tensor;
  t?: number;
  old_dirs: Tensor[];
  old_stps: Tensor[];
  ro: number[];
  H_diag: number;
  prev_flat_grad?: Tensor;
  prev_loss?: number;
}

/** Returns all `values` as numbers; the tensors among them are yielded in one list, so that they are read together. */
function* read(...values: (Tensor | number)[]): Reading<number[]> {
  const tensors = values.filter((v) => v instanceof Tensor);
  const numbers = tensors.length > 0 ? yield tensors : [];
  let at = 0;
  return values.map((v) => v instanceof Tensor ? numbers[at++] : v);
}

/** The largest absolute value. */
function largestOf(x: Tensor): Tensor {
  return scope(() => x.abs().max());
}

/** Runs a computation to its end, with values read synchronously. */
function complete<T>(steps: Reading<T>): T {
  let next = steps.next();
  while (!next.done) next = steps.next(next.value.map((t) => Number(t.itemSync())));
  return next.value;
}

/** Runs a computation to its end, with values read asynchronously (WebGPU). */
async function completeAsync<T>(steps: Reading<T>): Promise<T> {
  const go = (numbers: readonly number[]) => withGrad(false, () => outsideScopes(() => steps.next(numbers)));
  let next = go([]);
  while (!next.done) next = go((await Promise.all(next.value.map((t) => t.item()))).map(Number));
  return next.value;
}

/**
 * L-BFGS: the limited-memory quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno.
 *
 * `step` needs a closure that clears the gradients, computes the loss and calls `backward()`.
 *
 * On WebGPU: values are read asynchronously, so `step` gives a promise: write `await optimizer.step(closure)`, which
 * works on every device. An iteration reads three times there, 10 ms each.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
 */
export class LBFGS extends Optimizer<LBFGSArgs> {
  protected override readonly scalarState: readonly string[] = ["H_diag"];

  constructor(...args: Args<typeof LBFGSArgs>) {
    const options = lbfgsArgs(args), { lineSearchFn, maxIter } = options;
    if (lineSearchFn !== null && lineSearchFn !== "strong_wolfe") {
      throw new ArgumentError(`LBFGS(): only 'strong_wolfe' is supported: ${describe(lineSearchFn)}`);
    }
    checkRanges("LBFGS", { lr: options.lr });
    super(options.params, { ...options, maxEval: options.maxEval ?? Math.floor((maxIter * 5) / 4) });
    if (this.paramGroups.length !== 1) {
      throw new ArgumentError(`LBFGS(): parameter groups are not supported: ${this.paramGroups.length} groups`);
    }
  }

  /** The parameters of the only group. */
  private get params(): Tensor[] {
    return this.paramGroups[0].params;
  }

  /** The gradients as one vector. */
  private flatGrad(): Tensor {
    return cat(this.params.map((p) => {
      const grad = p.meta?.grad ?? null;
      const flat = grad === null ? p.detach().zerosLike() : grad.detach();
      return (flat.dtype.isComplex ? flat.viewAsReal() : flat).reshape(-1);
    }));
  }

  /** Moves the parameters by `t` times the direction. */
  private move(t: number, direction: Tensor): void {
    let at = 0;
    for (const p of this.params) {
      const real = p.dtype.isComplex ? p.detach().viewAsReal() : p.detach();
      real.add_(direction.narrow(0, at, real.numel()).reshape(real.shape), { alpha: t });
      at += real.numel();
    }
  }

  /** One step: up to `maxIter` iterations. It ends with its state alone: all else that it made is released. */
  protected override takeStep<R>(closure?: Closure<R>): R {
    if (closure === undefined) {
      throw new ArgumentError("LBFGS.step(): missing argument: a closure that computes the loss");
    }
    const steps = this.iterate(closure);
    if (readsAtOnce(this.params[0])) {
      return outsideScopes(() => scope(() => [complete(steps), this.stateOf(this.params[0])] as const))[0];
    }
    // The declared type is R, as on other devices; awaiting the promise gives R as well.
    return completeAsync(steps) as R;
  }

  /** Calls the closure; returns its result, and the loss as a tensor or a number. */
  private evaluate<R>(closure: Closure<R>): { result: R; loss: Tensor | number } {
    const result = outsideScopes(() => enableGrad(closure));
    if (result instanceof Promise) {
      throw new ArgumentError("LBFGS.step(): the closure must give the loss, not a promise of it");
    }
    return { result, loss: result instanceof Tensor ? result.detach() : Number(result) };
  }

  /** Runs the iterations of one step. */
  private *iterate<R>(closure: Closure<R>): Reading<R> {
    const group = this.paramGroups[0], maxEval = group.maxEval ?? Infinity;
    const state = this.stateOf(this.params[0]) as LBFGSState;
    state.func_evals ??= 0;
    state.n_iter ??= 0;
    const { result: first, loss: firstLoss } = this.evaluate(closure);
    let evals = 1;
    state.func_evals++;
    let flat = this.flatGrad();
    let [largest, loss] = yield* read(largestOf(flat), firstLoss);
    if (largest <= group.toleranceGrad) return first;
    for (let n = 1;; n++) {
      state.n_iter++;
      yield* this.updateDirection(state, flat, group);
      if (state.n_iter === 1) state.prev_flat_grad = flat.clone();
      else state.prev_flat_grad!.copy_(flat);
      state.prev_loss = loss;
      const lr = readLr(group);
      const direction = state.d!;
      const [slope, sum] = yield* read(flat.dot(direction), state.n_iter === 1 ? flat.abs().sum() : 1);
      let t = state.n_iter === 1 ? Math.min(1, 1 / sum) * lr : lr;
      if (slope > -group.toleranceChange) break;
      let used = 0, size: number;
      if (group.lineSearchFn === "strong_wolfe") {
        [size] = yield* read(largestOf(direction));
        const start = { loss, grad: flat, slope, t: 0 };
        const found = yield* this.search(closure, t, size, direction, start, maxEval - evals);
        ({ loss, grad: flat, t } = found.point);
        used = found.evals;
        this.move(t, direction);
        [largest] = yield* read(largestOf(flat));
      } else {
        this.move(t, direction);
        if (n === group.maxIter) size = 0;
        else {
          const next = this.evaluate(closure);
          flat.dispose();
          flat = this.flatGrad();
          [loss, largest, size] = yield* read(next.loss, largestOf(flat), largestOf(direction));
          used = 1;
        }
      }
      state.t = t;
      evals += used;
      state.func_evals += used;
      const change = group.toleranceChange;
      if (n === group.maxIter || evals >= maxEval) break;
      if (largest <= group.toleranceGrad) break;
      if (size * Math.abs(t) <= change || Math.abs(loss - state.prev_loss) < change) break;
    }
    return first;
  }

  /** The next direction: the gradient times the approximate inverse Hessian (Nocedal's two loops). */
  private *updateDirection(state: LBFGSState, flat: Tensor, group: ParamGroup<LBFGSArgs>): Reading<void> {
    if (state.n_iter === 1) {
      Object.assign(state, { d: flat.neg(), old_dirs: [], old_stps: [], ro: [], H_diag: 1 });
      return;
    }
    const y = flat.sub(state.prev_flat_grad!);
    const s = state.d!.mul(state.t!);
    const [curvature, square] = yield* read(y.dot(s), y.dot(y));
    if (curvature > 1e-10) {
      const full = state.old_dirs.length === group.historySize;
      // The oldest pair's memory takes the newest.
      state.old_dirs.push(full ? state.old_dirs.shift()!.copy_(y) : y);
      state.old_stps.push(full ? state.old_stps.shift()!.copy_(s) : s);
      if (full) {
        for (const used of [y, s]) used.dispose();
        state.ro.shift();
      }
      state.ro.push(1 / curvature);
      state.H_diag = curvature / square;
    }
    // The coefficients α stay on the device: no decision depends on their values.
    const shares: Tensor[] = [], direction = state.d!;
    direction.copy_(flat).neg_();
    for (let i = state.old_dirs.length - 1; i >= 0; i--) {
      shares[i] = state.old_stps[i].dot(direction).mul(state.ro[i]);
      direction.addcmul_(state.old_dirs[i], shares[i], { value: -1 });
    }
    direction.mul_(state.H_diag);
    for (let i = 0; i < state.old_dirs.length; i++) {
      const share = state.old_dirs[i].dot(direction).mul(state.ro[i]);
      direction.addcmul_(state.old_stps[i], shares[i].sub(share));
    }
  }

  /**
   * Line search along a direction, whose largest element is `size`, for a point that satisfies the strong Wolfe
   * conditions.
   */
  private search<R>(
    closure: Closure<R>,
    t: number,
    size: number,
    direction: Tensor,
    start: Point,
    most: number,
  ): Reading<{ point: Point; evals: number }> {
    const saved = this.params.map((p) => p.detach().clone());
    const at = function* (this: LBFGS, step: number): Reading<Point> {
      this.move(step, direction);
      const { loss } = this.evaluate(closure);
      const grad = this.flatGrad();
      this.params.forEach((p, i) => p.detach().copy_(saved[i]));
      const [value, slope] = yield* read(loss, grad.dot(direction));
      return { t: step, loss: value, grad, slope };
    };
    return strongWolfe((step) => at.call(this, step), t, size, start, 1e-9, most);
  }

  /** Not used: a step changes all parameters at once. */
  protected override update(): void {}
}
