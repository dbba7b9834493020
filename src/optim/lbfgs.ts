/**
 * L-BFGS: quasi-Newton steps from the last few changes of parameters and gradients.
 *
 * The parameters are one vector here. The closure is called several times per step, and its loss is read each time, so
 * the device must be able to wait (CPU, CUDA).
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import { enableGrad, noGrad } from "../autograd/mode.ts";
import { cat } from "../ops/join.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Closure, Optimizer, type ParamsInput, type ParamState } from "./optimizer.ts";
import { type ParamGroup, readLr } from "./param_group.ts";
import { type Point, strongWolfe } from "./strong_wolfe.ts";

/** What {@linkcode LBFGS} takes. */
export interface LBFGSOptions {
  /** What is trained; one group only. */
  params: ParamsInput;
  /** Learning rate. @default {1} */
  lr?: number | Tensor;
  /** Iterations per step. @default {20} */
  maxIter?: number;
  /** Calls of the closure per step; 1.25 times the iterations if missing. */
  maxEval?: number | null;
  /** Stops when no element of the gradient is larger. @default {1e-7} */
  toleranceGrad?: number;
  /** Stops when parameters or loss change less. @default {1e-9} */
  toleranceChange?: number;
  /** How many changes are remembered. @default {100} */
  historySize?: number;
  /** A search along the line; a fixed step if missing. */
  lineSearchFn?: "strong_wolfe" | null;
}
const lbfgsArgs = signature<LBFGSOptions>(
  "LBFGS",
  ["params", "lr", "maxIter", "maxEval", "toleranceGrad", "toleranceChange", "historySize", "lineSearchFn"],
  [],
  1,
);

/** What is remembered between iterations and steps, under PyTorch's names. */
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

const number = (t: Tensor): number => Number(t.itemSync());

/**
 * Limited-memory BFGS.
 *
 * `step` needs a closure that clears the gradients, computes the loss and calls `backward()`.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
 */
export class LBFGS extends Optimizer {
  /** Entries of the state that are numbers here and 0-d tensors in state dicts. */
  protected override readonly scalarState: readonly string[] = ["H_diag"];

  /** Takes `params, lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn`. */
  constructor(
    ...args: Args<
      LBFGSOptions,
      ["params", "lr", "maxIter", "maxEval", "toleranceGrad", "toleranceChange", "historySize", "lineSearchFn"]
    >
  ) {
    const o = lbfgsArgs(args);
    const { lr = 1, maxIter = 20, toleranceGrad = 1e-7, toleranceChange = 1e-9, historySize = 100 } = o;
    const lineSearchFn = o.lineSearchFn ?? null;
    const maxEval = o.maxEval ?? Math.floor((maxIter * 5) / 4);
    if (lineSearchFn !== null && lineSearchFn !== "strong_wolfe") {
      throw new ArgumentError(`LBFGS(): only 'strong_wolfe' is supported: ${String(lineSearchFn)}`);
    }
    super(o.params, { lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn });
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

  /** One step: up to `maxIter` iterations. The state is no part of any call's scope. */
  protected override run<R>(closure?: Closure<R>): R {
    if (closure === undefined) {
      throw new ArgumentError("LBFGS.step(): missing argument: a closure that computes the loss");
    }
    return outsideScopes(() => this.iterate(closure));
  }

  /** Runs the iterations of one step. */
  private iterate<R>(closure: Closure<R>): R {
    const group = this.paramGroups[0];
    const state = this.stateOf(this.params[0]) as LBFGSState;
    state.func_evals ??= 0;
    state.n_iter ??= 0;
    const valueOf = (result: R) => result instanceof Tensor ? number(result.detach()) : Number(result);
    const evaluate = () => valueOf(enableGrad(closure));
    const first = enableGrad(closure);
    let loss = valueOf(first);
    let evals = 1;
    state.func_evals++;
    let flat = this.flatGrad();
    if (number(flat.abs().max()) <= (group.toleranceGrad as number)) return first;
    for (let n = 1;; n++) {
      state.n_iter++;
      this.updateDirection(state, flat, group);
      state.prev_flat_grad = flat;
      state.prev_loss = loss;
      const lr = readLr(group);
      let t = state.n_iter === 1 ? Math.min(1, 1 / number(flat.abs().sum())) * lr : lr;
      const direction = state.d!;
      const slope = number(flat.dot(direction));
      if (slope > -(group.toleranceChange as number)) break;
      let used = 0;
      if (group.lineSearchFn === "strong_wolfe") {
        const found = this.search(
          evaluate,
          t,
          direction,
          { loss, grad: flat, slope, t: 0 },
          (group.maxEval as number) - evals,
        );
        ({ loss, grad: flat, t } = found.point);
        used = found.evals;
        this.move(t, direction);
      } else {
        this.move(t, direction);
        if (n !== group.maxIter) {
          loss = evaluate();
          flat = this.flatGrad();
          used = 1;
        }
      }
      state.t = t;
      evals += used;
      state.func_evals += used;
      if (this.isDone(n, evals, flat, t, direction, loss, state.prev_loss, group)) break;
    }
    return first;
  }

  /** Whether an iteration ends the step. */
  private isDone(
    n: number,
    evals: number,
    flat: Tensor,
    t: number,
    direction: Tensor,
    loss: number,
    before: number,
    group: ParamGroup,
  ): boolean {
    const change = group.toleranceChange as number;
    if (n === group.maxIter || evals >= (group.maxEval as number)) return true;
    if (number(flat.abs().max()) <= (group.toleranceGrad as number)) return true;
    return number(direction.abs().max()) * Math.abs(t) <= change || Math.abs(loss - before) < change;
  }

  /** The next direction: the gradient times the approximate inverse Hessian (Nocedal's two loops). */
  private updateDirection(state: LBFGSState, flat: Tensor, group: ParamGroup): void {
    if (state.n_iter === 1) {
      Object.assign(state, { d: flat.neg(), old_dirs: [], old_stps: [], ro: [], H_diag: 1 });
      return;
    }
    const y = flat.sub(state.prev_flat_grad!);
    const s = state.d!.mul(state.t!);
    const curvature = number(y.dot(s));
    if (curvature > 1e-10) {
      if (state.old_dirs.length === group.historySize) {
        for (const list of [state.old_dirs, state.old_stps, state.ro]) list.shift();
      }
      state.old_dirs.push(y);
      state.old_stps.push(s);
      state.ro.push(1 / curvature);
      state.H_diag = curvature / number(y.dot(y));
    }
    const shares: number[] = [];
    let q = flat.neg();
    for (let i = state.old_dirs.length - 1; i >= 0; i--) {
      shares[i] = number(state.old_stps[i].dot(q)) * state.ro[i];
      q = q.add(state.old_dirs[i], { alpha: -shares[i] });
    }
    let direction = q.mul(state.H_diag);
    for (let i = 0; i < state.old_dirs.length; i++) {
      const share = number(state.old_dirs[i].dot(direction)) * state.ro[i];
      direction = direction.add(state.old_stps[i], { alpha: shares[i] - share });
    }
    state.d = direction;
  }

  /** Searches along a direction for a point that satisfies the Wolfe conditions. */
  private search(
    evaluate: () => number,
    t: number,
    direction: Tensor,
    start: Point,
    most: number,
  ): { point: Point; evals: number } {
    const saved = this.params.map((p) => p.detach().clone());
    const at = (step: number): Point => {
      this.move(step, direction);
      const loss = evaluate();
      const grad = noGrad(() => this.flatGrad());
      this.params.forEach((p, i) => p.detach().copy_(saved[i]));
      return { t: step, loss, grad, slope: number(grad.dot(direction)) };
    };
    return strongWolfe(at, t, number(direction.abs().max()), start, 1e-9, most);
  }

  /** Not used: a step changes all parameters at once. */
  protected override update(): void {}
}
