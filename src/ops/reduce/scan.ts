/**
 * Running sums, products and extremes along a dimension.
 *
 * @module
 */

import { finfo } from "../../base/limits.ts";
import { complex128, type DType, int64, toReal } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import { numelOf, wrapDim } from "../../base/shape.ts";
import type { ScanKind } from "../../backend/backend.ts";
import { record, recording } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { partView, type Tensor } from "../../tensor/tensor.ts";
import { writeOut } from "../core/define.ts";
import { OutArgs } from "../core/op.ts";
import { cat, stack } from "../shape/join.ts";
import { checkOperands } from "../core/kernel.ts";
import { type ValuesIndices, valuesIndices } from "../core/named.ts";
import { type Op, op } from "../core/op.ts";
import { roundedOnce } from "../core/wide.ts";

/** The parameters of {@linkcode logcumsumexp}. */
export class LogcumsumexpArgs extends OutArgs {
  constructor(
    /** The dimension. */
    public dim: number,
  ) {
    super();
  }
}

/** The parameters of running sums and products. */
export class CumsumArgs extends LogcumsumexpArgs {
  /** What elements are converted to first. */
  dtype: DType | null = null;
}

/** The parameters of running extremes. */
export class CummaxArgs {
  constructor(
    /** The dimension. */
    public dim: number,
  ) {}
}

/** Runs a scan of real elements, without a record. */
function run(kind: ScanKind, x: Tensor, dim: number, indices: Tensor | null = null): Tensor {
  checkOperands(kind, [x]);
  const out = emptyLikeDevice(kind, x.shape, x.dtype, x);
  if (numelOf(x.shape) === 0) return out;
  const { backend } = x.storage;
  if (!x.dtype.isComplex) backend.scan(kind, x, dim, out, indices);
  else {
    const real = toReal(x.dtype);
    for (const part of [0, 1] as const) {
      backend.scan(kind, partView(x, part, real), dim, partView(out, part, real), null);
    }
  }
  return out;
}

function prepare(op: string, input: Tensor, options: CumsumArgs): [Tensor, number] {
  const dim = wrapDim(op, options.dim, input.ndim);
  const whole = input.dtype.kind === "bool" || input.dtype.kind === "integer";
  return [input.to(options.dtype ?? (whole ? int64 : input.dtype)), dim];
}

/** Reversed along `dim`, scanned, reversed back: sums of what follows. */
function sumFollowing(x: Tensor, dim: number): Tensor {
  return x.ndim === 0 ? x : cumsum(x.flip([dim]), dim).flip([dim]);
}

/** Running sums along `dim`; integers and bools sum to int64. */
export const cumsum: Op<typeof CumsumArgs> = op(
  { name: "cumsum", autocast: { gpu: "dtype" } },
  CumsumArgs,
  (input, options) => {
    const [x, dim] = prepare("cumsum", input, options);
    const result = run("sum", x, dim);
    record("CumsumBackward0", result, [x], [], (grad) => [scope(() => sumFollowing(grad, dim))]);
    return writeOut("cumsum", options.out, result);
  },
);

/** Running products along `dim`; integers and bools multiply to int64. */
export const cumprod: Op<typeof CumsumArgs> = op(
  { name: "cumprod", autocast: { gpu: "dtype" } },
  CumsumArgs,
  (input, options) => {
    const [x, dim] = prepare("cumprod", input, options);
    if (x.dtype.isComplex) return writeOut("cumprod", options.out, productByDoubling(x, dim));
    return writeOut("cumprod", options.out, roundedOnce([x], (x) => realCumprod(x, dim)));
  },
);

function realCumprod(x: Tensor, dim: number): Tensor {
  const result = run("prod", x, dim);
  return record("CumprodBackward0", result, [x], [x, result], (grad, [x, y]) => [
    scope(() => cumprodGradient(grad, x, y, dim)),
  ]);
}

/** Each step multiplies by the element `step` before: differentiable by the products themselves. */
function productByDoubling(x: Tensor, dim: number): Tensor {
  if (x.ndim === 0 || x.numel() === 0) return x.clone();
  return scope(() => {
    let out = x;
    for (let step = 1; step < x.shape[dim]; step *= 2) {
      const rest = x.shape[dim] - step;
      out = cat([out.narrow(dim, 0, step), out.narrow(dim, step, rest).mul(out.narrow(dim, 0, rest))], dim);
    }
    return out === x ? x.clone() : out;
  });
}

/** The gradient of running products: `sum over j >= i of grad_j * prod over k <= j, k != i of x_k`. */
function cumprodGradient(grad: Tensor, x: Tensor, result: Tensor, dim: number): Tensor {
  if (x.ndim === 0 || x.numel() === 0) return grad;
  if (recording([grad, x])) return cumprodGradientByParts(grad, x, dim);
  // Before the first zero it is Σ grad y / x; at the first zero, the products without it; after it nothing matters.
  const zero = x.eq(0);
  const zeros = zero.cumsum(dim);
  const before = zeros.eq(0);
  const head = sumFollowing(grad.mul(result).mul(before), dim).div(x.maskedFill(zero, 1)).mul(before);
  const first = zero.logicalAnd(zeros.eq(1));
  const without = x.maskedFill(first, 1).cumprod(dim).mul(grad).maskedFill(before, 0).sum(dim, true);
  return head.add(without.mul(first));
}

/** The same as one product per pair of elements, which can be differentiated again where elements are zero. */
function cumprodGradientByParts(grad: Tensor, x: Tensor, dim: number): Tensor {
  const size = x.shape[dim];
  const parts: Tensor[] = [];
  for (let i = 0; i < size; i++) {
    const before = i === 0 ? x.newOnes(x.select(dim, 0).shape) : x.narrow(dim, 0, i).prod(dim);
    const after = cat([before.unsqueeze(dim), x.narrow(dim, i + 1, size - i - 1)], dim);
    parts.push(cumprod(after, dim).mul(grad.narrow(dim, i, size - i)).sum(dim));
  }
  return stack(parts, dim);
}

/** Logarithms of running sums of exponentials along `dim`, without overflow. */
export const logcumsumexp: Op<typeof LogcumsumexpArgs> = op("logcumsumexp", LogcumsumexpArgs, (input, options) => {
  const dim = wrapDim("logcumsumexp", options.dim, input.ndim);
  if (input.dtype.isComplex) return writeOut("logcumsumexp", options.out, complexLogcumsumexp(input, dim));
  if (!input.dtype.isFloatingPoint) {
    throw new DTypeError(`logcumsumexp(): a floating dtype is needed: ${input.dtype}`);
  }
  return writeOut("logcumsumexp", options.out, roundedOnce([input], (x) => realLogcumsumexp(x, dim)));
});

function realLogcumsumexp(x: Tensor, dim: number): Tensor {
  const result = run("logsumexp", x, dim);
  return record("LogcumsumexpBackward0", result, [x], [x, result], (grad, [x, out]) => [
    // Positive and negative gradients apart, so that each has a logarithm.
    scope(() => {
      // The least number stands for the logarithm of 0: -∞ has no second derivative.
      const along = (g: Tensor) => {
        const none = g.le(0);
        const log = g.maskedFill(none, 1).log().maskedFill(none, finfo(g.dtype).min);
        return reverseLogcumsumexp(log.sub(out), dim).add(x).exp();
      };
      return along(grad).sub(along(grad.neg()));
    }),
  ]);
}

/** Composed: the largest real part of the row is taken out of the exponentials. */
function complexLogcumsumexp(x: Tensor, dim: number): Tensor {
  if (x.ndim === 0 || x.numel() === 0) return x.clone();
  return scope(() => {
    const wide = x.to(complex128);
    const top = wide.detach().real.amax(dim, true);
    return wide.sub(top).exp().cumsum(dim).log().add(top).to(x.dtype);
  });
}

function reverseLogcumsumexp(x: Tensor, dim: number): Tensor {
  return x.ndim === 0 ? x : logcumsumexp(x.flip([dim]), dim).flip([dim]);
}

function runningExtreme(kind: "max" | "min", x: Tensor, dim: number): ValuesIndices {
  const op = `cum${kind}`;
  if (x.dtype.isComplex) throw new DTypeError(`${op}(): complex numbers have no order: ${x.dtype}`);
  const d = wrapDim(op, dim, x.ndim);
  const indices = emptyLikeDevice(op, x.shape, int64, x);
  const values = run(kind, x, d, indices);
  record(`Cum${kind}Backward0`, values, [x], [indices], (grad, [indices]) => [
    grad.ndim === 0 ? grad : grad.newZeros(grad.shape).scatterAdd(d, indices, grad),
  ]);
  return valuesIndices(values, indices);
}

/** Running maxima along `dim` and their positions, the last on ties. */
export const cummax: Op<typeof CummaxArgs, ValuesIndices> = op(
  "cummax",
  CummaxArgs,
  (input, { dim }) => runningExtreme("max", input, dim),
);

/** Running minima along `dim` and their positions, the last on ties. */
export const cummin: Op<typeof CummaxArgs, ValuesIndices> = op(
  "cummin",
  CummaxArgs,
  (input, { dim }) => runningExtreme("min", input, dim),
);
