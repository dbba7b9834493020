/**
 * `ctcLoss`: the probability of a labelling summed over all its alignments with a longer sequence.
 *
 * The forward recursion of the paper in logarithms, one fused kernel per time step over the whole batch; gradients come
 * from the graph. Labels are interleaved with blanks: `- a - b -`. Lengths need not be known to the host: they only bound
 * the work where they are.
 *
 * @see Graves et al., "Connectionist temporal classification" (ICML 2006)
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { int64 } from "../../base/dtype.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { constant, type Expr, where, withDerivative } from "../../expr/expr.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, Tensor } from "../../tensor/tensor.ts";
import { fromData } from "../create/creation.ts";
import { arange } from "../create/ranges.ts";
import { expression } from "../core/expression.ts";
import { cat } from "../shape/join.ts";
import { type Reduction, reductionOf } from "./loss_core.ts";
import { hostValues, refuseWhere } from "../core/values.ts";

/** Lengths as a tensor (which may be computed on the device) or a list of numbers. */
export type Lengths = Tensor | number | readonly number[];

/** The parameters of {@linkcode ctcLoss}. */
export class CtcLossArgs {
  constructor(
    /** Labels, `(N, S)` padded, or all in one `(sum of lengths)`. */
    public targets: Tensor,
    /** Lengths of the inputs. */
    public inputLengths: Lengths,
    /** Lengths of the targets. */
    public targetLengths: Lengths,
    /** The class of the blank. */
    public blank = 0,
    /** How the examples' losses become the result; the mean divides by the targets' lengths first. */
    public reduction: Reduction = "mean",
    /** Whether infinite losses count as 0. */
    public zeroInfinity = false,
  ) {}
}

/** `log Σ e^x`, with derivatives that are 0, not undefined, where all terms are -∞. */
function logSum(terms: readonly Expr[]): Expr {
  const largest = terms.reduce((a, b) => a.max(b));
  const base = where(largest.eq(-Infinity), 0, largest);
  const value = terms.map((t) => t.sub(base).exp()).reduce((a, b) => a.add(b)).log().add(base);
  const none = value.eq(-Infinity);
  return withDerivative(
    value,
    terms.map((t) => ({ by: t, is: where(none, constant(0, t.kind), t.sub(value).exp()) })),
  );
}

/** One step: stay, come from the position before, or jump over a blank where that is allowed. */
const advance = expression("ctcLoss", ([stay, before, jump, mayJump, emit, active]) => {
  const skipped = where(mayJump!.ne(0), jump!, constant(-Infinity, jump!.kind));
  const moved = logSum([stay!, before!, skipped]).add(emit!);
  return where(active!.ne(0), moved, stay!);
});
const finish = expression("ctcLoss", ([a, b]) => logSum([a!, b!]).neg());

/** Lengths of the sequences of a batch: on the device of the loss, and on the host if they are known there. */
interface KnownLengths {
  /** `(N)`, int64. */
  readonly tensor: Tensor;
  readonly list: readonly number[] | null;
}

function lengthsOf(op: string, name: string, value: Lengths, device: Tensor["device"]): KnownLengths {
  const error = (found: string) => new ArgumentError(`${op}(): ${name} must be non-negative integers${found}`);
  if (value instanceof Tensor) {
    if (value.dtype.kind !== "integer") throw error(`: ${value.dtype}`);
    const tensor = value.detach().reshape(-1).to({ device, dtype: int64 });
    const values = hostValues(value);
    if (values !== null) return { tensor, list: checked(Array.from(values as ArrayLike<number | bigint>, Number)) };
    // The caller's tensor is as it was: a copy of it depends on the checks.
    return { tensor: refuseWhere(tensor, (n) => n.lt(0), () => error(""))(tensor.clone()), list: null };
  }
  if (typeof value !== "number" && !Array.isArray(value)) throw error(`: ${describe(value)}`);
  const list = checked(typeof value === "number" ? [value] : value.map(Number));
  return { tensor: fromData(BigInt64Array.from(list, BigInt), [list.length], { device }), list };

  function checked(numbers: number[]): number[] {
    if (numbers.some((n) => !Number.isInteger(n) || n < 0)) throw error(`: ${show(numbers)}`);
    return numbers;
  }
}

/**
 * The connectionist temporal classification loss.
 *
 * Shape: logarithms of probabilities `(T, N, C)` or `(T, C)`.
 *
 * @param logProbs logarithms of probabilities, from `logSoftmax`
 * @throws {ShapeError} if lengths do not fit
 */
export const ctcLoss: Fn<typeof CtcLossArgs> = fn(
  { name: "ctcLoss", autocast: { cpu: "float32" } },
  CtcLossArgs,
  (logProbs, o) => {
    const reduction = reductionOf("ctcLoss", o);
    checkTensor("ctcLoss", "targets", o.targets);
    const batched = logProbs.ndim === 3;
    if (!batched && logProbs.ndim !== 2) {
      throw new ShapeError(`ctcLoss(): expected 2 or 3 dimensions: ${show(logProbs.shape)}`);
    }
    return scope(() => {
      const inputs = lengthsOf("ctcLoss", "inputLengths", o.inputLengths, logProbs.device);
      const labels = lengthsOf("ctcLoss", "targetLengths", o.targetLengths, logProbs.device);
      const x = batched ? logProbs : logProbs.unsqueeze(1); // (T, N, C)
      check(x, inputs, labels, o.blank);
      const targets = padTargets(o.targets, labels);
      let losses = alignments(x, targets, inputs, labels, o.blank).add(normaliser(x, inputs));
      if (o.zeroInfinity) losses = losses.maskedFill(losses.detach().isinf(), 0);
      if (reduction === "none") return batched ? losses : losses.squeeze(0);
      if (reduction === "sum") return losses.sum();
      return losses.div(labels.tensor.clampMin(1).to(x.dtype)).mean();
    });
  },
);

function check(x: Tensor, inputs: KnownLengths, labels: KnownLengths, blank: number): void {
  const [time, batch, classes] = x.shape;
  const counts = [inputs, labels].map((l) => l.tensor.numel());
  if (counts.some((n) => n !== batch)) {
    throw new ShapeError(
      `ctcLoss(): expected ${describe(batch)} lengths of inputs and targets: ${counts[0]} and ${counts[1]}`,
    );
  }
  const long = (found: string) => new ShapeError(`ctcLoss(): an input is longer than the sequence of ${time}${found}`);
  if (inputs.list === null) refuseWhere(inputs.tensor, (n) => n.gt(time), () => long(""))(inputs.tensor);
  else if (inputs.list.some((n) => n > time)) throw long(`: ${show(inputs.list)}`);
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new ArgumentError(`ctcLoss(): blank must be a class from 0 to ${classes - 1}: ${describe(blank)}`);
  }
}

/** Targets as `(N, longest)`; what follows the end of one is any class. */
function padTargets(targets: Tensor, labels: KnownLengths): Tensor {
  const whole = targets.long();
  const { list } = labels;
  if (whole.ndim === 2) {
    const width = whole.shape[1];
    const long = (found: string) => new ShapeError(`ctcLoss(): a target is longer than ${width}${found}`);
    if (list === null) refuseWhere(labels.tensor, (n) => n.gt(width), () => long(""))(labels.tensor);
    else if (list.some((n) => n > width)) throw long(`: ${show(list)}`);
    return list === null ? whole : whole.narrow(1, 0, Math.max(0, ...list));
  }
  const flat = whole.reshape(-1), count = flat.numel();
  const wrong = (found: string) =>
    new ShapeError(`ctcLoss(): targets must have the sum of their lengths: ${count}${found}`);
  if (list === null) refuseWhere(labels.tensor, (n) => n.sum().ne(count), () => wrong(""))(labels.tensor);
  else {
    const total = list.reduce((sum, n) => sum + n, 0);
    if (count !== total && (list.length > 1 || total > count)) throw wrong(` != ${total}`);
  }
  const longest = list === null ? count : Math.max(0, ...list);
  const starts = labels.tensor.cumsum(0).sub(labels.tensor).unsqueeze(1); // (N, 1)
  const places = starts.add(arange(longest, { device: starts.device })).clampMax(Math.max(count - 1, 0));
  return longest === 0 ? places : flat.gather(0, places.reshape(-1)).reshape(places.shape);
}

/** Minus the logarithm of the sum over alignments, `(N)`. */
function alignments(
  x: Tensor,
  targets: Tensor,
  inputs: KnownLengths,
  labels: KnownLengths,
  blank: number,
): Tensor {
  const [time, batch] = x.shape;
  const [, longest] = targets.shape;
  const positions = 2 * longest + 1;
  const blanks = targets.newFull([batch, longest, 1], blank);
  // - a - b -
  const path = cat([
    cat([blanks, targets.unsqueeze(2)], 2).reshape(batch, 2 * longest),
    targets.newFull([batch, 1], blank),
  ], 1);
  const emits = x.gather(2, path.unsqueeze(0).expand(time, batch, positions)).unbind(0); // T × (N, positions)
  // A label may be reached from the label before it, unless the two are equal.
  const shifted = cat([
    path.newFull([batch, Math.min(2, positions)], blank),
    path.narrow(1, 0, Math.max(positions - 2, 0)),
  ], 1);
  const mayJump = path.ne(blank).logicalAnd(path.ne(shifted)).to(x.dtype);
  const steps = arange(time, { device: x.device });
  const limits = inputs.tensor.reshape(batch, 1, 1);
  const active = steps.lt(limits).permute(2, 0, 1).to(x.dtype).unbind(0); // T × (N, 1)
  const nothing = (n: number) => x.detach().newFull([batch, n], -Infinity);
  let alpha = cat([
    x.detach().newZeros([batch, Math.min(2, positions)]),
    nothing(Math.max(positions - 2, 0)),
  ], 1).add(time > 0 ? emits[0] : 0);
  alpha = where0(active[0], alpha, positions);
  for (let t = 1; t < time; t++) {
    const before = cat([nothing(1), alpha.narrow(1, 0, positions - 1)], 1);
    const jump = positions > 2 ? cat([nothing(2), alpha.narrow(1, 0, positions - 2)], 1) : nothing(positions);
    alpha = advance([alpha, before, jump, mayJump, emits[t], active[t]], []);
  }
  const last = labels.tensor.mul(2).reshape(batch, 1);
  const end = alpha.gather(1, last);
  const previous = alpha.gather(1, last.sub(1).clampMin(0)).maskedFill(last.eq(0), -Infinity);
  return finish([end, previous], []).squeeze(1);
}

/** Before the first step of an empty input only the start is possible. */
function where0(active: Tensor, alpha: Tensor, positions: number): Tensor {
  const start = alpha.detach().newFull([1, positions], -Infinity);
  start.narrow(1, 0, 1).zero_();
  return alpha.where(active.ne(0), start);
}

/**
 * Nothing, with the gradient e^x: PyTorch's gradient is the one by the logits before `logSoftmax`, which would otherwise
 * get it from the normalisation.
 */
function normaliser(x: Tensor, inputs: KnownLengths): Tensor {
  const steps = arange(x.shape[0], { device: x.device }).reshape(-1, 1, 1);
  const limits = inputs.tensor.reshape(1, -1, 1);
  const total = x.exp().mul(steps.lt(limits)).sum([0, 2]);
  return total.sub(total.detach());
}
