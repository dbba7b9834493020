/**
 * `ctcLoss`: the probability of a labelling summed over all its alignments with a longer sequence.
 *
 * The forward recursion of the paper in logarithms, one fused kernel per time step over the whole batch; gradients come
 * from the graph. Labels are interleaved with blanks: `- a - b -`.
 *
 * @see Graves et al., "Connectionist temporal classification" (ICML 2006)
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { constant, type Expr, where, withDerivative } from "../expr/expr.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import { fromData } from "./creation.ts";
import { arange } from "./ranges.ts";
import { expression } from "./expression.ts";
import { cat } from "./join.ts";
import { type Reduction, reductionOf } from "./loss_core.ts";

/** Lengths as a tensor or a list of numbers. */
export type Lengths = Tensor | number | readonly number[];

/** The parameters of {@linkcode ctcLoss}. */
export interface CTCLossArgs {
  /** Labels, `(N, S)` padded, or all in one `(sum of lengths)`. */
  targets: Tensor;
  /** Lengths of the inputs. */
  inputLengths: Lengths;
  /** Lengths of the targets. */
  targetLengths: Lengths;
  /** The class of the blank. @default {0} */
  blank?: number;
  /** How the examples' losses become the result; the mean divides by the targets' lengths first. @default {"mean"} */
  reduction?: Reduction;
  /** Whether infinite losses count as 0. @default {false} */
  zeroInfinity?: boolean;
}
const ctcArgs = signature<CTCLossArgs>(
  "ctcLoss",
  ["targets", "inputLengths", "targetLengths", "blank", "reduction", "zeroInfinity"],
  [],
  3,
);

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

function lengthsOf(op: string, name: string, value: Lengths): number[] {
  const list = value instanceof Tensor
    ? [value.reshape(-1).tolistSync<number[]>()].flat()
    : typeof value === "number"
    ? [value]
    : [...value];
  if (list.some((n) => !Number.isInteger(Number(n)) || n < 0)) {
    throw new ArgumentError(`${op}(): ${name} must be non-negative integers: ${show(list)}`);
  }
  return list.map(Number);
}

/**
 * The connectionist temporal classification loss.
 *
 * Shape: logarithms of probabilities `(T, N, C)` or `(T, C)`.
 *
 * @param logProbs logarithms of probabilities, from `logSoftmax`
 * @throws {ShapeError} if lengths do not fit
 */
export function ctcLoss(
  logProbs: Tensor,
  ...args: Args<
    CTCLossArgs,
    ["targets", "inputLengths", "targetLengths", "blank", "reduction", "zeroInfinity"]
  >
): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, ctcLoss, logProbs, ...args);
  const o = ctcArgs(args);
  const reduction = reductionOf("ctcLoss", o);
  const batched = logProbs.ndim === 3;
  if (!batched && logProbs.ndim !== 2) {
    throw new ShapeError(`ctcLoss(): expected 2 or 3 dimensions: ${show(logProbs.shape)}`);
  }
  const inputs = lengthsOf("ctcLoss", "inputLengths", o.inputLengths);
  const labels = lengthsOf("ctcLoss", "targetLengths", o.targetLengths);
  return scope(() => {
    const x = batched ? logProbs : logProbs.unsqueeze(1); // (T, N, C)
    check(x, inputs, labels, o.blank ?? 0);
    const targets = padTargets(o.targets, labels, o.blank ?? 0);
    let losses = alignments(x, targets, inputs, labels, o.blank ?? 0).add(normaliser(x, inputs));
    if (o.zeroInfinity) losses = losses.maskedFill(losses.detach().isinf(), 0);
    if (reduction === "none") return batched ? losses : losses.squeeze(0);
    if (reduction === "sum") return losses.sum();
    const each = fromData(Float64Array.from(labels, (n) => Math.max(n, 1)), [labels.length], place(x));
    return losses.div(each).mean();
  });
}

function place(x: Tensor): { device: Tensor["device"]; dtype: Tensor["dtype"] } {
  return { device: x.device, dtype: x.dtype };
}

function check(x: Tensor, inputs: readonly number[], labels: readonly number[], blank: number): void {
  const [time, batch, classes] = x.shape;
  if (inputs.length !== batch || labels.length !== batch) {
    throw new ShapeError(
      `ctcLoss(): expected ${batch} lengths of inputs and targets: ${inputs.length} and ${labels.length}`,
    );
  }
  if (inputs.some((n) => n > time)) {
    throw new ShapeError(`ctcLoss(): an input is longer than the sequence of ${time}: ${show(inputs)}`);
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new ArgumentError(`ctcLoss(): blank must be a class from 0 to ${classes - 1}: ${blank}`);
  }
}

/** Targets as `(N, longest)`, padded with blanks. */
function padTargets(targets: Tensor, labels: readonly number[], blank: number): Tensor {
  const longest = Math.max(0, ...labels);
  const whole = targets.long();
  if (whole.ndim === 2) {
    if (whole.shape[1] < longest) {
      throw new ShapeError(`ctcLoss(): a target is longer than ${whole.shape[1]}: ${show(labels)}`);
    }
    return whole.narrow(1, 0, longest);
  }
  const total = labels.reduce((sum, n) => sum + n, 0);
  if (whole.numel() !== total && labels.length > 1) {
    throw new ShapeError(`ctcLoss(): targets must have the sum of their lengths: ${whole.numel()} != ${total}`);
  }
  let at = 0;
  const rows = labels.map((n) => {
    const row = whole.reshape(-1).narrow(0, at, n);
    at += n;
    const rest = row.newFull([longest - n], blank);
    return cat([row, rest]).unsqueeze(0);
  });
  return cat(rows);
}

/** Minus the logarithm of the sum over alignments, `(N)`. */
function alignments(
  x: Tensor,
  targets: Tensor,
  inputs: readonly number[],
  labels: readonly number[],
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
  const limits = fromData(BigInt64Array.from(inputs, BigInt), [batch, 1, 1], { device: x.device });
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
  const last = fromData(BigInt64Array.from(labels, (n) => BigInt(2 * n)), [batch, 1], { device: x.device });
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
function normaliser(x: Tensor, inputs: readonly number[]): Tensor {
  const steps = arange(x.shape[0], { device: x.device }).reshape(-1, 1, 1);
  const limits = fromData(BigInt64Array.from(inputs, BigInt), [1, inputs.length, 1], { device: x.device });
  const total = x.exp().mul(steps.lt(limits)).sum([0, 2]);
  return total.sub(total.detach());
}
