/**
 * Reductions: sum, mean, prod, extremes and their places, any, all, variance, logsumexp, norm, counts.
 *
 * Shape: the reduced dimensions disappear, or stay with size 1 for `keepdim`; without `dim` all are reduced. DType: sums
 * and products of integers and bools are int64. Each is one map-reduction of a scalar expression, in float64 inside.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { record, recording } from "../autograd/record.ts";
import { type Args, signature } from "../base/args.ts";
import { bool, type DType, float32, float64, getDefaultDtype, int64, toReal, uint8 } from "../base/dtype.ts";
import { ArgumentError, DTypeError } from "../base/errors.ts";
import { reducedShape, wrapDim } from "../base/shape.ts";
import type { Expr } from "../expr/expr.ts";
import { emptyLikeDevice } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";
import { cat } from "./join.ts";
import { checkOrdered } from "./index_core.ts";
import { checkOperands } from "./kernel.ts";
import { type Named, named, type ValuesIndices } from "./named.ts";
import { checkNotEmpty, countOf, type Dims, dimsOf, mapReduce, restore, spread } from "./reduce_core.ts";
import { nuclearNorm } from "./svd.ts";
import { makeView, sliceAt, unrecorded } from "./view_core.ts";
import { cumprod } from "./scan.ts";

/** The parameters of {@linkcode sum} and {@linkcode mean}. */
export interface SumArgs {
  /** Dimensions to reduce; default all. */
  dim?: Dims;
  /** Keep them with size 1. */
  keepdim?: boolean;
  /** Converts the input first. */
  dtype?: DType | null;
}
/** The arguments of sums and means after the tensor. */
export type SumList = Args<SumArgs, ["dim", "keepdim"]>;

function sumDtype(x: Tensor): DType {
  return x.dtype.kind === "integer" || x.dtype.kind === "bool" ? int64 : x.dtype;
}

const sumArgs = signature<SumArgs>("sum", ["dim", "keepdim"], ["dtype"]);

/**
 * The sum of all elements, or over dimensions.
 *
 * Float32 is summed in lanes and blocks and totalled in float64, so the error does not grow with the count.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([[1, 2], [3, 4]]);
 * assertEquals(await x.sum().item(), 10);
 * assertEquals(await x.sum(0).tolist(), [4, 6]);
 * assertEquals(x.sum(1, { keepdim: true }).shape, [2, 1]);
 * ```
 */
export function sum(input: Tensor, ...args: SumList): Tensor {
  if (autocasting.active) return autocasted({ gpu: "dtype" }, sum, input, ...args);
  const { dim, keepdim = false, dtype } = sumArgs(args);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  const dims = dimsOf("sum", dim, x);
  const out = mapReduce("sum", "sum", "sum", [x], dtype ?? sumDtype(x), dims, keepdim, (v) => v);
  const { shape } = x;
  return record("SumBackward0", out, [x], [], (grad) => [spread(grad, shape, dims)]);
}

const nansumArgs = signature<SumArgs>("nansum", ["dim", "keepdim"], ["dtype"]);

const zeroForNaN = (v: Expr): Expr => v.isnan().where(0, v);

/** The sum, NaN counting as zero. */
export function nansum(input: Tensor, ...args: SumList): Tensor {
  const { dim, keepdim = false, dtype } = nansumArgs(args);
  checkTensor("nansum", "input", input);
  if (input.dtype.isComplex) throw new DTypeError(`nansum(): not defined for complex numbers: ${input.dtype}`);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  if (!x.dtype.isFloatingPoint) return sum(x, { dim, keepdim });
  const dims = dimsOf("nansum", dim, x);
  const out = mapReduce("nansum", "nansum", "sum", [x], x.dtype, dims, keepdim, (v) => zeroForNaN(v as Expr));
  const { shape } = x;
  return record("NansumBackward0", out, [x], [x], (grad, [v]) => [
    spread(grad, shape, dims).mul(v.isnan().logicalNot()),
  ]);
}

const meanArgs = signature<SumArgs>("mean", ["dim", "keepdim"], ["dtype"]);

function checkFloating(op: string, x: Tensor): void {
  checkTensor(op, "input", x);
  if (!x.dtype.isFloatingPoint && !x.dtype.isComplex) {
    throw new DTypeError(`${op}(): expected a floating or complex tensor: ${x.dtype}; convert it with .to()`);
  }
}

/** The dtype that sums of halves are held in until they are divided: they would overflow. */
function wide(dtype: DType): DType {
  return dtype.isFloatingPoint && dtype.itemsize < 4 ? float32 : dtype;
}

/**
 * The mean of all elements, or over dimensions.
 *
 * @throws {DTypeError} if the input is neither floating nor complex, nor converted by `dtype`
 */
export function mean(input: Tensor, ...args: SumList): Tensor {
  const { dim, keepdim = false, dtype } = meanArgs(args);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  checkFloating("mean", x);
  const dims = dimsOf("mean", dim, x);
  const count = countOf(x.shape, dims);
  const out = unrecorded(() =>
    scope(() => {
      const total = mapReduce("mean", "sum", "sum", [x], wide(x.dtype), dims, keepdim, (v) => v);
      return total.div_(count).to(x.dtype);
    })
  );
  const { shape } = x;
  return record("MeanBackward0", out, [x], [], (grad) => [spread(grad.div(count), shape, dims)]);
}

const nanmeanArgs = signature<SumArgs>("nanmean", ["dim", "keepdim"], ["dtype"]);

/** The mean of the elements that are not NaN. */
export function nanmean(input: Tensor, ...args: SumList): Tensor {
  const { dim, keepdim = false, dtype } = nanmeanArgs(args);
  checkFloating("nanmean", dtype ? input.to(dtype) : input);
  return scope(() => {
    const count = input.detach().isnan().logicalNot().sum(dim ?? null, keepdim);
    return nansum(input, { dim, keepdim, dtype }).div(count);
  });
}

/** The parameters of {@linkcode prod}. */
export interface ProdArgs {
  /** The dimension to reduce; default all. */
  dim?: number | null;
  /** Keep it with size 1. */
  keepdim?: boolean;
  /** Converts the input first. */
  dtype?: DType | null;
}
const prodArgs = signature<ProdArgs>("prod", ["dim", "keepdim"], ["dtype"]);

/** The product of all elements, or along a dimension. */
export function prod(input: Tensor, ...args: Args<ProdArgs, ["dim", "keepdim"]>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32", gpu: "dtype" }, prod, input, ...args);
  const { dim = null, keepdim = false, dtype } = prodArgs(args);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  if (dim === null && x.ndim !== 1) return prod(x.reshape([-1]), 0);
  const dims = dimsOf("prod", dim, x);
  const type = dtype ?? sumDtype(x);
  const out = x.dtype.isComplex
    ? unrecorded(() => complexProduct(x, dims, keepdim))
    : mapReduce("prod", "prod", "prod", [x], type, dims, keepdim, (v) => v);
  return record("ProdBackward0", out, [x], [x, out], (grad, [v, result]) => [
    scope(() => prodGradient(grad, v, result, dims)),
  ]);
}

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

/** The parameters of {@linkcode amax} and {@linkcode amin}. */
export interface ExtremeArgs {
  /** Dimensions to reduce; default all. */
  dim?: Dims;
  /** Keep them with size 1. */
  keepdim?: boolean;
}
/** The arguments of amax and amin after the tensor. */
export type ExtremeList = Args<ExtremeArgs, ["dim", "keepdim"]>;

const amaxArgs = signature<ExtremeArgs>("amax", ["dim", "keepdim"]);
const aminArgs = signature<ExtremeArgs>("amin", ["dim", "keepdim"]);

function extreme(op: string, node: string, kind: "max" | "min", x: Tensor, args: ExtremeArgs): Tensor {
  const { dim = null, keepdim = false } = args;
  checkOrdered(op, x);
  const dims = dimsOf(op, dim, x);
  checkNotEmpty(op, x, dims, dim === null || (typeof dim !== "number" && dim.length === 0));
  const out = mapReduce(op, "extreme", kind, [x], x.dtype, dims, keepdim, (v) => v);
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
export function amax(input: Tensor, ...args: ExtremeList): Tensor {
  return extreme("amax", "AmaxBackward0", "max", input, amaxArgs(args));
}

/** The smallest element over dimensions; ties share the gradient. NaN wins. */
export function amin(input: Tensor, ...args: ExtremeList): Tensor {
  return extreme("amin", "AminBackward0", "min", input, aminArgs(args));
}

/** The parameters of {@linkcode aminmax}. */
export interface AminmaxArgs {
  /** The dimension to reduce; default all. */
  dim?: number | null;
  /** Keep it with size 1. */
  keepdim?: boolean;
}
const aminmaxArgs = signature<AminmaxArgs>("aminmax", [], ["dim", "keepdim"]);

/** The smallest and the largest element. */
export function aminmax(input: Tensor, options: AminmaxArgs = {}): Named<{ min: Tensor; max: Tensor }> {
  const given = aminmaxArgs([options]);
  return named({
    min: extreme("aminmax", "AminmaxBackward0", "min", input, given),
    max: extreme("aminmax", "AminmaxBackward0", "max", input, given),
  });
}

/** The parameters of {@linkcode max} and {@linkcode min} along a dimension. */
export interface MaxArgs {
  /** The dimension to reduce. */
  dim?: number;
  /** Keep it with size 1. */
  keepdim?: boolean;
  /** The tensor to compare with, element by element. */
  other?: Tensor;
}
/** The arguments of {@linkcode max}. */
export type MaxList =
  | Args<Omit<MaxArgs, "other">, ["dim", "keepdim"]>
  | [other: Tensor]
  | [options: { other: Tensor }];
const maxArgs = signature<MaxArgs>("max", ["dim", "keepdim"], ["other"]);
const minArgs = signature<MaxArgs>("min", ["dim", "keepdim"], ["other"]);

/**
 * The largest element; with a dimension, the largest along it and where it is; with a tensor, the larger of each pair.
 *
 * Without a dimension ties share the gradient; with one it goes to the element whose index is returned.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([[1, 5], [7, 3]]);
 * assertEquals(await x.max().item(), 7);
 * const { values, indices } = x.max(1);
 * assertEquals(await values.tolist(), [5, 7]);
 * assertEquals(await indices.tolist(), [1, 0]);
 * ```
 */
export function max(input: Tensor): Tensor;
/** The larger of each pair. */
export function max(input: Tensor, other: Tensor): Tensor;
/** The largest along a dimension and where it is. */
export function max(input: Tensor, dim: number, keepdim?: boolean | { keepdim?: boolean }): ValuesIndices;
/** The largest element, or along a dimension. */
export function max(input: Tensor, ...args: MaxList): Tensor | ValuesIndices;
export function max(input: Tensor, ...args: unknown[]): Tensor | ValuesIndices {
  return maxOrMin("max", input, args, maxArgs);
}

/** The smallest element; see {@linkcode max}. */
export function min(input: Tensor): Tensor;
/** The smaller of each pair. */
export function min(input: Tensor, other: Tensor): Tensor;
/** The smallest along a dimension and where it is. */
export function min(input: Tensor, dim: number, keepdim?: boolean | { keepdim?: boolean }): ValuesIndices;
/** The smallest element, or along a dimension. */
export function min(input: Tensor, ...args: MaxList): Tensor | ValuesIndices;
export function min(input: Tensor, ...args: unknown[]): Tensor | ValuesIndices {
  return maxOrMin("min", input, args, minArgs);
}

function maxOrMin(
  kind: "max" | "min",
  x: Tensor,
  args: unknown[],
  parse: (args: readonly unknown[]) => MaxArgs,
): Tensor | ValuesIndices {
  checkTensor(kind, "input", x);
  const pair = (other: Tensor) => kind === "max" ? x.maximum(other) : x.minimum(other);
  if (args[0] instanceof Tensor) return pair(args[0]);
  const { dim, keepdim = false, other } = parse(args);
  if (other !== undefined) return pair(other);
  const node = kind === "max" ? "MaxBackward" : "MinBackward";
  if (dim === undefined || dim === null) return extreme(kind, `${node}1`, kind, x, {});
  checkOperands(kind, [x]);
  checkOrdered(kind, x);
  const d = wrapDim(kind, dim, x.ndim);
  const { values, indices } = searched(kind, kind, x, d);
  return along(`${node}0`, x, d, keepdim, values!, indices);
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
  return named({ values: outValues, indices: outIndices });
}

/** A result without its reduced dimensions of size 1, over the same memory. */
function makeReduced(t: Tensor, dims: readonly number[]): Tensor {
  const kept = (_: number, d: number) => !dims.includes(d);
  return makeView(t, t.shape.filter(kept), t.strides.filter(kept));
}

/** The parameters of {@linkcode argmax} and {@linkcode argmin}. */
export interface ArgExtremeArgs {
  /** The dimension to search; default the flattened tensor. */
  dim?: number | null;
  /** Keep it with size 1. */
  keepdim?: boolean;
}
/** The arguments of argmax and argmin after the tensor. */
export type ArgExtremeList = Args<ArgExtremeArgs, ["dim", "keepdim"]>;
const argmaxArgs = signature<ArgExtremeArgs>("argmax", ["dim", "keepdim"]);
const argminArgs = signature<ArgExtremeArgs>("argmin", ["dim", "keepdim"]);

function argExtreme(op: string, kind: "max" | "min", x: Tensor, args: ArgExtremeArgs): Tensor {
  const { dim = null, keepdim = false } = args;
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

/** Where the largest element is (int64), the first of several; NaN wins. */
export function argmax(input: Tensor, ...args: ArgExtremeList): Tensor {
  return argExtreme("argmax", "max", input, argmaxArgs(args));
}

/** Where the smallest element is (int64), the first of several; NaN wins. */
export function argmin(input: Tensor, ...args: ArgExtremeList): Tensor {
  return argExtreme("argmin", "min", input, argminArgs(args));
}

const allArgs = signature<ExtremeArgs>("all", ["dim", "keepdim"]);
const anyArgs = signature<ExtremeArgs>("any", ["dim", "keepdim"]);

function truth(op: "all" | "any", x: Tensor, { dim, keepdim = false }: ExtremeArgs): Tensor {
  // uint8 was PyTorch's bool once, and answers in kind.
  const dtype = x.dtype === uint8 ? uint8 : bool;
  return mapReduce(op, "truth", op, [x], dtype, dimsOf(op, dim, x), keepdim, (v) => v.ne(0));
}

/** Whether all elements are true (not zero). */
export function all(input: Tensor, ...args: ExtremeList): Tensor {
  return truth("all", input, allArgs(args));
}

/** Whether any element is true (not zero). */
export function any(input: Tensor, ...args: ExtremeList): Tensor {
  return truth("any", input, anyArgs(args));
}

/** The parameters of {@linkcode countNonzero}. */
export interface CountArgs {
  /** Dimensions to count over; default all. */
  dim?: Dims;
}
const countArgs = signature<CountArgs>("countNonzero", ["dim"]);

/** How many elements are not zero (int64). */
export function countNonzero(input: Tensor, ...args: Args<CountArgs, ["dim"]>): Tensor {
  const { dim } = countArgs(args);
  const dims = dimsOf("countNonzero", dim, input);
  return mapReduce("countNonzero", "truth", "sum", [input], int64, dims, false, (v) => v.ne(0));
}

const logsumexpArgs = signature<ExtremeArgs>("logsumexp", ["dim", "keepdim"], [], 1);

/**
 * `log Σ e^x` over dimensions, without overflow.
 *
 * @throws {ArgumentError} if no dimension is given
 */
export function logsumexp(input: Tensor, ...args: Args<ExtremeArgs & { dim: Dims }, ["dim", "keepdim"]>): Tensor {
  if (autocasting.active) return autocasted({ gpu: "float32" }, logsumexp, input, ...args);
  const { dim, keepdim = false } = logsumexpArgs(args);
  const floating = input.dtype.isFloatingPoint || input.dtype.isComplex;
  const x = floating ? input : input.to(getDefaultDtype());
  const dims = dimsOf("logsumexp", dim, x);
  const out = unrecorded(() => scope(() => logsumexpForward(x, dims, keepdim)));
  const { shape } = x;
  return record("LogsumexpBackward0", out, [x], [x, out], (grad, [v, result]) => [
    scope(() => {
      const weights = v.sub(restore(result, shape, dims)).exp();
      return restore(grad, shape, dims).mul(weights.dtype.isComplex ? weights.conjPhysical() : weights);
    }),
  ]);
}

function logsumexpForward(x: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  const { dtype } = x;
  if (countOf(x.shape, dims) === 0) return x.newZeros(reducedShape(x.shape, dims, keepdim)).log();
  const real = dtype.isComplex ? x.real.contiguous() : x;
  const top = mapReduce("logsumexp", "extreme", "max", [real], real.dtype, dims, true, (v) => v);
  const shift = top.maskedFill(top.abs().eq(Infinity), 0);
  const type = wide(dtype);
  const total = mapReduce("logsumexp", "shifted exp", "sum", [x, shift], type, dims, keepdim, (v, m) => v.sub(m).exp());
  return total.log().add(keepdim ? shift : makeReduced(shift, dims)).to(dtype);
}

/** Parameters of the variance family. */
export interface VarArgs {
  /** Dimensions to reduce; default all. */
  dim?: Dims;
  /** What is subtracted from the count: 1 for the sample variance. */
  correction?: number | null;
  /** `correction` as a truth value. */
  unbiased?: boolean;
  /** Keep the dimensions with size 1. */
  keepdim?: boolean;
}
/** How the variance family is called: `(unbiased)`, `(dim, unbiased, keepdim)` or by name. */
export type VarList =
  | Args<VarArgs, ["dim", "unbiased", "keepdim"]>
  | Args<VarArgs, ["unbiased"]>;

interface VarCall {
  dims: number[];
  keepdim: boolean;
  correction: number;
}

const varPositional = signature<VarArgs>("var", ["dim", "unbiased", "keepdim"], ["correction"]);
const varUnbiased = signature<VarArgs>("var", ["unbiased"], ["dim", "keepdim", "correction"]);

function varCall(op: string, x: Tensor, args: readonly unknown[]): VarCall {
  const parse = typeof args[0] === "boolean" ? varUnbiased : varPositional;
  const { dim, correction, unbiased, keepdim = false } = parse(args);
  if (correction !== undefined && correction !== null && unbiased !== undefined) {
    throw new ArgumentError(`${op}(): correction and unbiased exclude each other: ${correction}, ${unbiased}`);
  }
  checkFloating(op, x);
  return { dims: dimsOf(op, dim, x), keepdim, correction: correction ?? (unbiased === false ? 0 : 1) };
}

/** Mean (with size 1 in reduced dimensions) and variance, in the dtype that they are computed in. */
function moments(op: string, x: Tensor, { dims, keepdim, correction }: VarCall): { center: Tensor; spreadOut: Tensor } {
  const count = countOf(x.shape, dims);
  const type = wide(x.dtype);
  const center = mapReduce(op, "sum", "sum", [x], type, dims, true, (v) => v).div_(count);
  const total = mapReduce(op, "square deviation", "sum", [x, center], toReal(type), dims, keepdim, (v, m) => {
    const size = v.sub(m).abs();
    return size.mul(size);
  });
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

function variance(op: "var" | "std", x: Tensor, args: readonly unknown[]): Tensor {
  const call = varCall(op, x, args);
  const root = op === "std";
  const out = unrecorded(() =>
    scope(() => {
      const { spreadOut } = moments(op, x, call);
      return (root ? spreadOut.sqrt_() : spreadOut).to(toReal(x.dtype));
    })
  );
  // A single kept element has no dimensions to put back.
  if (x.ndim === 0) call.dims = [];
  return record(root ? "StdBackward0" : "VarBackward0", out, [x], root ? [x, out] : [x], (grad, [v, deviation]) => [
    scope(() => varGradient(root ? throughRoot(grad, deviation) : grad, v, call)),
  ]);
}

/**
 * The variance over dimensions, with Bessel's correction unless told otherwise.
 *
 * @throws {DTypeError} if the input is neither floating nor complex
 */
function var_(input: Tensor, ...args: VarList): Tensor {
  return variance("var", input, args);
}

// The method and the export are PyTorch's `var`, which cannot be a bare name in JavaScript.
export { var_ as var };

/** The standard deviation, the root of {@linkcode var_}. */
export function std(input: Tensor, ...args: VarList): Tensor {
  return variance("std", input, args);
}

/** Variance and mean at once. */
export function varMean(input: Tensor, ...args: VarList): [Tensor, Tensor] {
  return [variance("var", input, args), meanOf(input, args)];
}

/** Standard deviation and mean at once. */
export function stdMean(input: Tensor, ...args: VarList): [Tensor, Tensor] {
  return [variance("std", input, args), meanOf(input, args)];
}

function meanOf(x: Tensor, args: readonly unknown[]): Tensor {
  const { dims, keepdim } = varCall("mean", x, args);
  return mean(x, { dim: dims, keepdim });
}

/** The parameters of {@linkcode norm}. */
export interface NormArgs {
  /** Which norm: a number, `Infinity`, `-Infinity` or `"fro"`. */
  p?: number | "fro" | "nuc" | null;
  /** Dimensions to reduce; default all. */
  dim?: Dims;
  /** Keep them with size 1. */
  keepdim?: boolean;
  /** Converts the input first. */
  dtype?: DType | null;
}
const normArgs = signature<NormArgs>("norm", ["p", "dim", "keepdim"], ["dtype"]);

/**
 * The p-norm over dimensions: `(Σ |x|^p)^(1/p)`; `"fro"` is the 2-norm of all.
 *
 * @throws {DTypeError} if the input is neither floating nor complex
 */
export function norm(input: Tensor, ...args: Args<NormArgs, ["p", "dim", "keepdim"]>): Tensor {
  if (autocasting.active) return autocasted({ gpu: "dtype" }, norm, input, ...args);
  const { p, dim, keepdim = false, dtype } = normArgs(args);
  if (p === "nuc") return nuclearNorm(dtype ? input.to(dtype) : input, dimsOf("norm", dim, input), keepdim);
  if (typeof p === "string" && p !== "fro") throw new ArgumentError(`norm(): unknown norm: "${String(p)}"`);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  checkFloating("norm", x);
  const order = typeof p === "number" ? p : 2;
  return vectorNorm("norm", x, order, dimsOf("norm", dim, x), keepdim);
}

function vectorNorm(op: string, x: Tensor, p: number, dims: readonly number[], keepdim: boolean): Tensor {
  const out = unrecorded(() => scope(() => normForward(op, x, p, dims, keepdim)));
  return record("NormBackward0", out, [x], [x, out], (grad, [v, result]) => [
    scope(() => normGradient(restore(grad, v.shape, dims), v, restore(result, v.shape, dims), p, dims)),
  ]);
}

function normForward(op: string, x: Tensor, p: number, dims: readonly number[], keepdim: boolean): Tensor {
  const real = toReal(x.dtype);
  const type = wide(real);
  if (Math.abs(p) === Infinity) {
    if (countOf(x.shape, dims) === 0 && p > 0) return x.newZeros(reducedShape(x.shape, dims, keepdim), { dtype: real });
    return mapReduce(op, "abs", p > 0 ? "max" : "min", [x], real, dims, keepdim, (v) => v.abs());
  }
  if (p === 0) return mapReduce(op, "truth", "sum", [x], real, dims, keepdim, (v) => v.ne(0));
  if (p === 1) return mapReduce(op, "abs", "sum", [x], type, dims, keepdim, (v) => v.abs()).to(real);
  // Squares of float32 do not overflow in float64, where the device has it.
  const held = type === float32 && x.storage.backend.supports(float64) ? float64 : type;
  const total = mapReduce(op, `abs^${p}`, "sum", [x], held, dims, keepdim, (v) => {
    const size = v.abs().to(held === float64 ? "f64" : "f32");
    return p === 2 ? size.mul(size) : size.pow(p);
  });
  return (p === 2 ? total.sqrt_() : total.pow_(1 / p)).to(real);
}

/** After PyTorch's norm_backward; where the norm is zero the gradient is 0. */
function normGradient(grad: Tensor, x: Tensor, norm: Tensor, p: number, dims: readonly number[]): Tensor {
  if (p === 0) return x.zerosLike();
  if (p === 1) return x.sgn().mul(grad);
  if (p === 2) return x.mul(grad.div(norm).maskedFill(norm.eq(0), 0));
  if (Math.abs(p) === Infinity) {
    const size = x.abs();
    const hit = unrecorded(() => size.eq(norm).logicalOr(size.isnan().logicalAnd(norm.isnan())));
    const count = dims.length === 0 ? 1 : sum(hit, { dim: dims, keepdim: true });
    return x.sgn().mul(grad.div(count).mul(hit));
  }
  if (p < 2) {
    const powers = x.abs().pow(p - 1).maskedFill(x.eq(0), 0);
    const scale = grad.mul(norm.pow(1 - p)).maskedFill(norm.eq(0), 0);
    return x.sgn().mul(powers.mul(scale));
  }
  return x.mul(x.abs().pow(p - 2)).mul(grad.div(norm.pow(p - 1)).maskedFill(norm.eq(0), 0));
}
