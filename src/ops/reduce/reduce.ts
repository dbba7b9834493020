/**
 * Reductions: sum, mean, prod, extremes and their places, any, all, variance, logsumexp, counts.
 *
 * Shape: the reduced dimensions disappear, or stay with size 1 for `keepdim`; without `dim` all are reduced. DType: sums
 * and products of integers and bools are int64. Each is one map-reduction of a scalar expression, in float64 inside.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record, recording } from "../../autograd/record.ts";
import { type Args, call, isPlainObject } from "../../base/call.ts";
import { bool, type DType, float32, getDefaultDtype, int64, toReal, uint8 } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError } from "../../base/errors.ts";
import { reducedShape, wrapDim } from "../../base/shape.ts";
import type { Expr } from "../../expr/expr.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, Tensor } from "../../tensor/tensor.ts";
import { cat } from "../shape/join.ts";
import { checkOrdered } from "../index/index_core.ts";
import { checkOperands } from "../core/kernel.ts";
import { named, type NamedTuple, type ValuesIndices, valuesIndices } from "../core/named.ts";
import {
  checkNotEmpty,
  countOf,
  type Dims,
  dimsOf,
  ELEMENTS,
  mapReduce,
  NONZERO,
  reducible,
  restore,
  wide,
} from "../core/reduce_core.ts";
import { asMethod, type MethodForm, type Op, op, overloaded } from "../core/op.ts";
import { OutArgs } from "../core/op.ts";
import { makeView, sliceAt } from "../core/view_core.ts";
import { reduction, SumArgs, sumDtype } from "./reduction.ts";
import { cumprod } from "./scan.ts";
import { refuseWhere } from "../core/values.ts";

/**
 * The sum of all elements, or over dimensions.
 *
 * Float32 is summed in lanes and blocks and totalled in float64, so the error does not grow with the count.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([[1, 2], [3, 4]]);
 * assertEquals(await x.sum().item(), 10);
 * assertEquals(await x.sum(0).tolist(), [4, 6]);
 * assertEquals(x.sum(1, { keepdim: true }).shape, [2, 1]);
 * ```
 */
export const sum: Op<typeof SumArgs> = reduction({
  name: "sum",
  autocast: { gpu: "dtype" },
  expr: (x) => x,
  checkResult: (x, out, dims, keepdim) => {
    if (out.dtype === int64 && x.storage.backend.failWhere) checkSum(x, out, dims, keepdim);
  },
});

/** Where int64 is held in 32 bits: makes a read of the sum throw if it left them, told from the sum in float32. */
function checkSum(x: Tensor, out: Tensor, dims: readonly number[], keepdim: boolean): void {
  if (x.dtype.kind === "bool" || x.numel() * 2 ** (8 * x.dtype.itemsize) < 2 ** 31) return;
  const error = () =>
    new DTypeError(
      `sum(): the result does not fit the 32 bits in which ${x.device} holds int64; convert with .float(), or await x.cpu()`,
    );
  refuseWhere(out, (sum) => {
    const near = mapReduce("sum", ELEMENTS, "sum", [x], float32, dims, keepdim);
    // A sum that wrapped around is off by a multiple of 2^32.
    return sum.to(float32).sub(near).abs().gt(2 ** 30);
  }, error)(out);
}

/** The sum, NaN counting as zero. */
export const nansum: Op<typeof SumArgs> = reduction({
  name: "nansum",
  expr: (x) => (x as Expr).isnan().where(0, x as Expr),
  check: (x) => {
    if (x.dtype.isComplex) throw new DTypeError(`nansum(): not defined for complex numbers: ${x.dtype}`);
  },
});

export { SumArgs };

export function checkFloating(op: string, x: Tensor): void {
  checkTensor(op, "input", x);
  if (!x.dtype.isFloatingPoint && !x.dtype.isComplex) {
    throw new DTypeError(`${op}(): expected a floating or complex tensor: ${x.dtype}; convert it with .to()`);
  }
}

/**
 * The mean of all elements, or over dimensions.
 *
 * @throws {DTypeError} if the input is neither floating nor complex, nor converted by `dtype`
 */
export const mean: Op<typeof SumArgs> = reduction({
  name: "mean",
  expr: (x) => x,
  finish: (total, count) => total.div(count),
  check: (x) => checkFloating("mean", x),
});

/** The mean of the elements that are not NaN. */
export const nanmean: Op<typeof SumArgs> = op("nanmean", SumArgs, (input, { dim, keepdim, dtype }) => {
  checkFloating("nanmean", dtype ? input.to(dtype) : input);
  return scope(() => {
    const count = input.detach().isnan().logicalNot().sum(dim, keepdim);
    return nansum(input, { dim, keepdim, dtype }).div(count);
  });
});

/** The parameters of {@linkcode prod}. */
export class ProdArgs {
  /** What the input is converted to first. */
  dtype: DType | null = null;
  constructor(
    /** The dimension to reduce; `null`: all. */
    public dim: number | null = null,
    /** Whether it stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** The product of all elements, or along a dimension. */
export const prod: Op<typeof ProdArgs> = op({ name: "prod", autocast: { cpu: "float32", gpu: "dtype" } }, ProdArgs, (
  input,
  { dim, keepdim, dtype },
) => {
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  if (dim === null && x.ndim !== 1) return prod(x.reshape([-1]), 0, { dtype });
  const dims = dimsOf("prod", dim, x);
  const type = dtype ?? sumDtype(x.dtype);
  const out = x.dtype.isComplex
    ? unrecorded(() => complexProduct(x, dims, keepdim))
    : mapReduce("prod", ELEMENTS, "prod", [x], type, dims, keepdim);
  return record("ProdBackward0", out, [x], [x, out], (grad, [v, result]) => [
    scope(() => prodGradient(grad, v, result, dims)),
  ]);
});

/** The product of complex numbers, by halving. */
function complexProduct(x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  if (dims.length === 0) return x.clone();
  const [d] = dims;
  return scope(() => {
    let rest = x.shape[d] === 0 ? x.newOnes(reducedShape(x.shape, dims, true)) : x.clone();
    while (rest.shape[d] > 1) {
      const half = Math.floor(rest.shape[d] / 2), odd = rest.shape[d] % 2 === 1;
      const pairs = sliceAt(rest, d, 0, half).mul(sliceAt(rest, d, half, 2 * half));
      rest = odd ? cat([pairs, sliceAt(rest, d, 2 * half, null)], d) : pairs;
    }
    return keepdim ? rest : rest.squeeze(d);
  });
}

/** The gradient of a product: that of each element is the product of the others, so zeros need care. */
function prodGradient(grad: Tensor, x: Tensor, result: Tensor, dims: readonly number[]): Tensor {
  const conj = (t: Tensor) => t.dtype.isComplex ? t.conjPhysical() : t;
  if (dims.length === 0) return grad;
  const [d] = dims;
  const g = restore(grad, x.shape, dims);
  if (x.numel() === 0) return x.zerosLike();
  if (recording([grad, x]) || x.dtype.isComplex) {
    // Products of what is before and after each element are differentiable everywhere.
    const size = x.shape[d];
    const ones = sliceAt(x, d, 0, 1).detach().onesLike();
    const before = cat([ones, cumprod(sliceAt(x, d, 0, size - 1), d)], d);
    const after = cat([ones, cumprod(sliceAt(x.flip([d]), d, 0, size - 1), d)], d).flip([d]);
    return g.mul(conj(before.mul(after)));
  }
  const zero = x.eq(0);
  const zeros = sum(zero, d, true);
  const others = prod(x.maskedFill(zero, 1), d, true);
  const single = others.mul(zero).mul(zeros.eq(1));
  return g.mul(restore(result, x.shape, dims).div(x.maskedFill(zero, 1)).mul(zeros.eq(0)).add(single));
}

/** The parameters of reductions over any dimensions that have nothing else to choose. */
export class DimsArgs {
  constructor(
    /** Dimensions to reduce; `null`: all. */
    public dim: Dims = null,
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {}
}

function extreme(op: string, node: string, kind: "max" | "min", x: Tensor, { dim, keepdim }: DimsArgs): Tensor {
  checkOrdered(op, x);
  const dims = dimsOf(op, dim, x);
  checkNotEmpty(op, x, dims, dim === null || (typeof dim !== "number" && dim.length === 0));
  const out = mapReduce(op, ELEMENTS, kind, [x], x.dtype, dims, keepdim);
  return record(node, out, [x], [x, out], (grad, [v, result]) => [scope(() => shareAmongTies(grad, v, result, dims))]);
}

/** The gradient of an extreme, divided evenly among the elements that have its value. */
function shareAmongTies(grad: Tensor, x: Tensor, result: Tensor, dims: readonly number[]): Tensor {
  const value = restore(result, x.shape, dims);
  const ties = unrecorded(() => {
    const equal = x.eq(value);
    return x.dtype.isFloatingPoint ? equal.logicalOr(x.isnan().logicalAnd(value.isnan())) : equal;
  });
  const count = sum(ties, { dim: dims.length === 0 ? [] : dims, keepdim: true });
  return restore(grad, x.shape, dims).div(dims.length === 0 ? 1 : count).mul(ties);
}

/** The largest element over dimensions; ties share the gradient. NaN wins. */
export const amax: Op<typeof DimsArgs> = op(
  "amax",
  DimsArgs,
  (input, args) => extreme("amax", "AmaxBackward0", "max", input, args),
);

/** The smallest element over dimensions; ties share the gradient. NaN wins. */
export const amin: Op<typeof DimsArgs> = op(
  "amin",
  DimsArgs,
  (input, args) => extreme("amin", "AminBackward0", "min", input, args),
);

/** The parameters of {@linkcode aminmax}. */
export class AminmaxArgs {
  /** The dimension to reduce; `null`: all. */
  dim: number | null = null;
  /** Whether it stays, with size 1. */
  keepdim = false;
}

/** The smallest and the largest element. */
export const aminmax: Op<typeof AminmaxArgs, NamedTuple<["min", "max"]>> = op(
  "aminmax",
  AminmaxArgs,
  (input, args) =>
    named<["min", "max"]>({
      min: extreme("aminmax", "AminmaxBackward0", "min", input, args),
      max: extreme("aminmax", "AminmaxBackward0", "max", input, args),
    }),
);

/** The parameters of {@linkcode max} and {@linkcode min} along a dimension. */
export class MaxArgs {
  constructor(
    /** The dimension to reduce. */
    public dim: number,
    /** Whether it stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** The parameters of {@linkcode max} and {@linkcode min} of two tensors. */
export class MaxOtherArgs extends OutArgs {
  constructor(
    /** The tensor to compare with, element by element. */
    public other: Tensor,
  ) {
    super();
  }
}

/** How {@linkcode max} and {@linkcode min} are called, after the arguments `S`. */
export interface MaxCalls<S extends readonly unknown[]> {
  /** The extreme of all elements; ties share the gradient. */
  (...args: S): Tensor;
  /** The extreme of each pair. */
  (...args: [...S, ...Args<typeof MaxOtherArgs>]): Tensor;
  /** The extreme along a dimension and where it is. */
  (...args: [...S, ...Args<typeof MaxArgs>]): ValuesIndices;
}

/** The type of {@linkcode max} and {@linkcode min}. */
export type MaxOp = MaxCalls<[input: Tensor]> & MethodForm<MaxCalls<[]>>;

/**
 * The largest element; with a dimension, the largest along it and where it is; with a tensor, the larger of each pair.
 *
 * Without a dimension ties share the gradient; with one it goes to the element whose index is returned.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([[1, 5], [7, 3]]);
 * assertEquals(await x.max().item(), 7);
 * const [values, indices] = x.max(1);
 * assertEquals(await values.tolist(), [5, 7]);
 * assertEquals(await indices.tolist(), [1, 0]);
 * ```
 */
export const max: MaxOp = maxOrMin("max");

/** The smallest element; see {@linkcode max}. */
export const min: MaxOp = maxOrMin("min");

function maxOrMin(kind: "max" | "min"): MaxOp {
  const node = kind === "max" ? "MaxBackward" : "MinBackward";
  const dimArgs = call(kind, MaxArgs), otherArgs = call(kind, MaxOtherArgs);
  const f = (x: Tensor, ...args: readonly unknown[]): Tensor | ValuesIndices => {
    checkTensor(kind, "input", x);
    const [first] = args;
    if (args.length === 0) return extreme(kind, `${node}1`, kind, x, new DimsArgs());
    if (first instanceof Tensor || (isPlainObject(first) && "other" in first)) {
      const { other, out } = otherArgs(args);
      return kind === "max" ? x.maximum(other, { out }) : x.minimum(other, { out });
    }
    const { dim, keepdim } = dimArgs(args);
    checkOperands(kind, [x]);
    checkOrdered(kind, x);
    const d = wrapDim(kind, dim, x.ndim);
    const { values, indices } = searched(kind, kind, x, d);
    return along(`${node}0`, x, d, keepdim, values!, indices);
  };
  return overloaded(kind, f) as unknown as MaxOp;
}

/** Runs the arg-reduction; results keep the dimension with size 1. */
function searched(
  op: string,
  kind: "max" | "min",
  x: Tensor,
  d: number,
  wanted = true,
): { values: Tensor | null; indices: Tensor } {
  const dims = x.ndim === 0 ? [] : [d];
  checkNotEmpty(op, x, dims, false);
  const shape = reducedShape(x.shape, dims, true);
  const indices = emptyLikeDevice(op, shape, int64, x);
  const values = wanted ? emptyLikeDevice(op, shape, x.dtype, x) : null;
  if (indices.numel() > 0) x.storage.backend.argReduce(kind, x, d, indices, values);
  return { values, indices };
}

/** Values and indices along a dimension, with the gradient going to the chosen elements. */
function along(name: string, x: Tensor, d: number, keepdim: boolean, values: Tensor, indices: Tensor): ValuesIndices {
  const { shape } = x;
  const dims = x.ndim === 0 ? [] : [d];
  const place = (t: Tensor) => keepdim ? t : makeReduced(t, dims);
  const outValues = place(values), outIndices = place(indices);
  record(name, outValues, [x], [outIndices], (grad, [at]) => [
    shape.length === 0 ? grad : grad.newZeros(shape).scatter(d, restore(at, shape, dims), restore(grad, shape, dims)),
  ]);
  return valuesIndices(outValues, outIndices);
}

/** A result without its reduced dimensions of size 1, over the same memory. */
function makeReduced(t: Tensor, dims: readonly number[]): Tensor {
  const kept = (_: number, d: number) => !dims.includes(d);
  return makeView(t, t.shape.filter(kept), t.strides.filter(kept));
}

function argExtreme(op: string, kind: "max" | "min", x: Tensor, { dim, keepdim }: ArgmaxArgs): Tensor {
  checkOperands(op, [x]);
  checkOrdered(op, x);
  if (dim === null) {
    checkNotEmpty(op, x, dimsOf(op, null, x), true);
    const flat = unrecorded(() => x.detach().reshape([-1]));
    const { indices } = searched(op, kind, flat, 0, false);
    return indices.reshape(keepdim ? x.shape.map(() => 1) : []);
  }
  const d = wrapDim(op, dim, x.ndim);
  const { indices } = searched(op, kind, x, d, false);
  return keepdim || x.ndim === 0 ? indices : makeReduced(indices, [d]);
}

/** The parameters of {@linkcode argmax} and {@linkcode argmin}. */
export class ArgmaxArgs {
  constructor(
    /** The dimension to search; `null`: the flattened tensor. */
    public dim: number | null = null,
    /** Whether it stays, with size 1. */
    public keepdim = false,
  ) {}
}

/** Where the largest element is (int64), the first of several; NaN wins. */
export const argmax: Op<typeof ArgmaxArgs> = op(
  "argmax",
  ArgmaxArgs,
  (input, args) => argExtreme("argmax", "max", input, args),
);

/** Where the smallest element is (int64), the first of several; NaN wins. */
export const argmin: Op<typeof ArgmaxArgs> = op(
  "argmin",
  ArgmaxArgs,
  (input, args) => argExtreme("argmin", "min", input, args),
);

function truth(op: "all" | "any", x: Tensor, { dim, keepdim }: DimsArgs): Tensor {
  // uint8 was PyTorch's bool once, and answers in kind.
  const dtype = x.dtype === uint8 ? uint8 : bool;
  return mapReduce(op, NONZERO, op, [x], dtype, dimsOf(op, dim, x), keepdim);
}

/** Whether all elements are true (not zero). */
export const all: Op<typeof DimsArgs> = op("all", DimsArgs, (input, args) => truth("all", input, args));

/** Whether any element is true (not zero). */
export const any: Op<typeof DimsArgs> = op("any", DimsArgs, (input, args) => truth("any", input, args));

/** The parameters of {@linkcode countNonzero}. */
export class CountArgs {
  constructor(
    /** Dimensions to count over; `null`: all. */
    public dim: Dims = null,
  ) {}
}

/** How many elements are not zero (int64). */
export const countNonzero: Op<typeof CountArgs> = op("countNonzero", CountArgs, (input, { dim }) => {
  const dims = dimsOf("countNonzero", dim, input);
  return mapReduce("countNonzero", NONZERO, "sum", [input], int64, dims, false);
});

/** The parameters of {@linkcode logsumexp}. */
export class LogsumexpArgs {
  constructor(
    /** Dimensions to reduce. */
    public dim: Dims,
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {}
}

/**
 * `log Σ e^x` over dimensions, without overflow.
 *
 * @throws {ArgumentError} if no dimension is given
 */
export const logsumexp: Op<typeof LogsumexpArgs> = op(
  { name: "logsumexp", autocast: { gpu: "float32" } },
  LogsumexpArgs,
  (x, { dim, keepdim }) => {
    if (!x.dtype.isFloatingPoint && !x.dtype.isComplex) {
      return scope(() => logsumexp(x.to(getDefaultDtype()), { dim, keepdim }));
    }
    const dims = dimsOf("logsumexp", dim, x);
    const out = unrecorded(() => scope(() => logsumexpForward(x, dims, keepdim)));
    const { shape } = x;
    return record("LogsumexpBackward0", out, [x], [x, out], (grad, [v, result]) => [
      scope(() => {
        const weights = v.sub(restore(result, shape, dims)).exp();
        return restore(grad, shape, dims).mul(weights.dtype.isComplex ? weights.conjPhysical() : weights);
      }),
    ]);
  },
);

const shiftedExp = reducible(([v, m]) => v.sub(m).exp());

function logsumexpForward(x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const { dtype } = x;
  if (countOf(x.shape, dims) === 0) return x.newZeros(reducedShape(x.shape, dims, keepdim)).log();
  const real = dtype.isComplex ? x.real.contiguous() : x;
  const top = mapReduce("logsumexp", ELEMENTS, "max", [real], real.dtype, dims, true);
  const shift = top.maskedFill(top.abs().eq(Infinity), 0);
  const type = wide(dtype);
  const total = mapReduce("logsumexp", shiftedExp, "sum", [x, shift], type, dims, keepdim);
  return total.log().add(keepdim ? shift : makeReduced(shift, dims)).to(dtype);
}

/** The parameters of the variance family. */
export class VarArgs {
  /** What is subtracted from the count; `null`: 1, the sample variance. */
  correction: number | null = null;
  constructor(
    /** Dimensions to reduce; `null`: all. */
    public dim: Dims = null,
    /** `correction` as a truth value. */
    public unbiased: boolean | null = null,
    /** Whether the dimensions stay, with size 1. */
    public keepdim = false,
  ) {}
}

/** The variance family's parameters where a truth value comes first. */
export class VarUnbiasedArgs {
  constructor(
    /** Whether the sum is divided by the count less 1. */
    public unbiased: boolean,
  ) {}
}

/** How functions of the variance family are called, after the arguments `S`. */
export interface VarCalls<S extends readonly unknown[], R> {
  /** Over dimensions. */
  (...args: [...S, ...Args<typeof VarArgs>]): R;
  /** Over all elements. */
  (...args: [...S, unbiased: boolean]): R;
}

/** A function of the variance family. */
export type VarFn<R> = VarCalls<[input: Tensor], R>;

/** {@linkcode VarFn} that is a method too. */
export type VarOp = VarFn<Tensor> & MethodForm<VarCalls<[], Tensor>>;

interface VarCall {
  dims: number[];
  keepdim: boolean;
  correction: number;
}

/** Defines a function of the variance family. */
function varianceFn<R>(name: string, compute: (input: Tensor, call: VarCall) => R): VarFn<R> {
  const parse = call(name, VarArgs), parseUnbiased = call(name, VarUnbiasedArgs);
  const f = (input: Tensor, ...args: readonly unknown[]): R => {
    checkTensor(name, "input", input);
    const unbiased = typeof args[0] === "boolean" ? parseUnbiased(args) : null;
    return compute(input, varCall(name, input, unbiased ? new VarArgs(null, unbiased.unbiased) : parse(args)));
  };
  return f as unknown as VarFn<R>;
}

function varCall(op: string, x: Tensor, { dim, correction, unbiased, keepdim }: VarArgs): VarCall {
  if (correction !== null && unbiased !== null) {
    throw new ArgumentError(
      `${op}(): correction and unbiased exclude each other: ${describe(correction)}, ${describe(unbiased)}`,
    );
  }
  checkFloating(op, x);
  if (correction !== null && typeof correction !== "number") {
    throw new ArgumentError(`${op}(): correction must be a number: ${describe(correction)}`);
  }
  return { dims: dimsOf(op, dim, x), keepdim, correction: correction ?? (unbiased === false ? 0 : 1) };
}

const squareDeviation = reducible(([v, m]) => {
  const size = v.sub(m).abs();
  return size.mul(size);
});

/** Mean (with size 1 in reduced dimensions) and variance, in the dtype that they are computed in. */
function moments(op: string, x: Tensor, { dims, keepdim, correction }: VarCall): { center: Tensor; spreadOut: Tensor } {
  const count = countOf(x.shape, dims);
  const type = wide(x.dtype);
  const center = mapReduce(op, ELEMENTS, "sum", [x], type, dims, true).div_(count);
  const total = mapReduce(op, squareDeviation, "sum", [x, center], toReal(type), dims, keepdim);
  return { center, spreadOut: total.div_(Math.max(count - correction, 0)) };
}

function varGradient(grad: Tensor, x: Tensor, { dims, correction }: VarCall): Tensor {
  const scale = 2 / Math.max(countOf(x.shape, dims) - correction, 0);
  return x.sub(mean(x, { dim: dims, keepdim: true })).mul(restore(grad, x.shape, dims).mul(scale));
}

/** The gradient by the variance, from that by its root. */
function throughRoot(grad: Tensor, deviation: Tensor): Tensor {
  return grad.div(deviation.mul(2)).maskedFill(deviation.eq(0), 0);
}

function variance(op: "var" | "std", x: Tensor, call: VarCall): Tensor {
  const root = op === "std";
  const out = unrecorded(() =>
    scope(() => {
      const { spreadOut } = moments(op, x, call);
      return (root ? spreadOut.sqrt_() : spreadOut).to(toReal(x.dtype));
    })
  );
  // A single kept element has no dimensions to put back.
  const kept = x.ndim === 0 ? { ...call, dims: [] } : call;
  return record(root ? "StdBackward0" : "VarBackward0", out, [x], root ? [x, out] : [x], (grad, [v, deviation]) => [
    scope(() => varGradient(root ? throughRoot(grad, deviation) : grad, v, kept)),
  ]);
}

/**
 * The variance over dimensions, with Bessel's correction unless told otherwise.
 *
 * @throws {DTypeError} if the input is neither floating nor complex
 */
const var_: VarOp = asMethod(varianceFn("var", (input, call) => variance("var", input, call)));

// The method and the export are PyTorch's `var`, which cannot be a bare name in JavaScript.
export { var_ as var };

/** The standard deviation, the root of {@linkcode var_}. */
export const std: VarOp = asMethod(varianceFn("std", (input, call) => variance("std", input, call)));

/** Variance and mean at once. */
export const varMean: VarFn<[Tensor, Tensor]> = varianceFn("varMean", (input, call) => [
  variance("var", input, call),
  mean(input, call.dims, call.keepdim),
]);

/** Standard deviation and mean at once. */
export const stdMean: VarFn<[Tensor, Tensor]> = varianceFn("stdMean", (input, call) => [
  variance("std", input, call),
  mean(input, call.dims, call.keepdim),
]);
