/**
 * Running sums, products and extremes along a dimension.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { complex128, type DType, int64, toReal } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { numelOf, wrapDim } from "../base/shape.ts";
import type { ScanKind } from "../backend/backend.ts";
import { record, recording } from "../autograd/record.ts";
import { emptyLikeDevice } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { partView, type Tensor } from "../tensor/tensor.ts";
import { writeOut } from "./define.ts";
import { cat, stack } from "./join.ts";
import { checkOperands } from "./kernel.ts";
import { named, type ValuesIndices } from "./named.ts";

/** The parameters of a scan. */
export interface ScanOptions {
  /** The dimension. */
  dim: number;
  /** Elements are converted to it first. */
  dtype?: DType;
  /** Where the result is written. */
  out?: Tensor;
}

/** The arguments of scans after the tensor. */
export type ScanArgs = Args<ScanOptions, ["dim"]>;

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

function prepare(op: string, input: Tensor, options: ScanOptions): [Tensor, number] {
  const dim = wrapDim(op, options.dim, input.ndim);
  const whole = input.dtype.kind === "bool" || input.dtype.kind === "integer";
  return [input.to(options.dtype ?? (whole ? int64 : input.dtype)), dim];
}

function finish(op: string, out: Tensor | undefined, result: Tensor): Tensor {
  return out ? writeOut(op, out, result) : result;
}

/** Reversed along `dim`, scanned, reversed back: sums of what follows. */
function sumFollowing(x: Tensor, dim: number): Tensor {
  return x.ndim === 0 ? x : cumsum(x.flip([dim]), dim).flip([dim]);
}

const parseCumsum = signature<ScanOptions>("cumsum", ["dim"], ["dtype", "out"], 1);

/** Running sums along `dim`; integers and bools sum to int64. */
export function cumsum(input: Tensor, ...args: ScanArgs): Tensor {
  if (autocasting.active) return autocasted({ gpu: "dtype" }, cumsum, input, ...args);
  const options = parseCumsum(args);
  const [x, dim] = prepare("cumsum", input, options);
  const result = run("sum", x, dim);
  record("CumsumBackward0", result, [x], [], (grad) => [scope(() => sumFollowing(grad, dim))]);
  return finish("cumsum", options.out, result);
}

const parseCumprod = signature<ScanOptions>("cumprod", ["dim"], ["dtype", "out"], 1);

/** Running products along `dim`; integers and bools multiply to int64. */
export function cumprod(input: Tensor, ...args: ScanArgs): Tensor {
  if (autocasting.active) return autocasted({ gpu: "dtype" }, cumprod, input, ...args);
  const options = parseCumprod(args);
  const [x, dim] = prepare("cumprod", input, options);
  if (x.dtype.isComplex) return finish("cumprod", options.out, productByDoubling(x, dim));
  const result = run("prod", x, dim);
  record("CumprodBackward0", result, [x], [x, result], (grad, [x, y]) => [
    scope(() => cumprodGradient(grad, x, y, dim)),
  ]);
  return finish("cumprod", options.out, result);
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

const parseLogcumsumexp = signature<ScanOptions>("logcumsumexp", ["dim"], ["out"], 1);

/** Logarithms of running sums of exponentials along `dim`, without overflow. */
export function logcumsumexp(input: Tensor, ...args: Args<Omit<ScanOptions, "dtype">, ["dim"]>): Tensor {
  const options = parseLogcumsumexp(args);
  const dim = wrapDim("logcumsumexp", options.dim, input.ndim);
  if (input.dtype.isComplex) return finish("logcumsumexp", options.out, complexLogcumsumexp(input, dim));
  if (!input.dtype.isFloatingPoint) {
    throw new DTypeError(`logcumsumexp(): a floating dtype is needed: ${input.dtype}`);
  }
  const result = run("logsumexp", input, dim);
  record("LogcumsumexpBackward0", result, [input], [input, result], (grad, [x, out]) => [
    // Positive and negative gradients apart, so that each has a logarithm.
    scope(() => {
      const along = (g: Tensor) => reverseLogcumsumexp(g.log().sub(out), dim).add(x).exp();
      return along(grad.clamp({ min: 0 })).sub(along(grad.neg().clamp({ min: 0 })));
    }),
  ]);
  return finish("logcumsumexp", options.out, result);
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

const parseExtreme = signature<{ dim: number }>("cummax", ["dim"], [], 1);

function runningExtreme(kind: "max" | "min", x: Tensor, dim: number): ValuesIndices {
  const op = `cum${kind}`;
  if (x.dtype.isComplex) throw new DTypeError(`${op}(): complex numbers have no order: ${x.dtype}`);
  const d = wrapDim(op, dim, x.ndim);
  const indices = emptyLikeDevice(op, x.shape, int64, x);
  const values = run(kind, x, d, indices);
  record(`Cum${kind}Backward0`, values, [x], [indices], (grad, [indices]) => [
    grad.ndim === 0 ? grad : grad.newZeros(grad.shape).scatterAdd(d, indices, grad),
  ]);
  return named({ values, indices });
}

/** Running maxima along `dim` and their positions, the last on ties. */
export function cummax(input: Tensor, ...args: Args<{ dim: number }, ["dim"]>): ValuesIndices {
  return runningExtreme("max", input, parseExtreme(args).dim);
}

/** Running minima along `dim` and their positions, the last on ties. */
export function cummin(input: Tensor, ...args: Args<{ dim: number }, ["dim"]>): ValuesIndices {
  return runningExtreme("min", input, parseExtreme(args).dim);
}
