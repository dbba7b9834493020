/**
 * What the reductions share: one map-reduction of a scalar expression, the dimensions of a call, and the way a gradient
 * goes back to the shape that was reduced.
 *
 * @module
 */

import { type DType, float32, toReal } from "../../base/dtype.ts";
import { IndexError, ShapeError, show } from "../../base/errors.ts";
import { numelOf, reducedShape, wrapDims } from "../../base/shape.ts";
import type { Combine } from "../../backend/backend.ts";
import { Complex } from "../../expr/complex.ts";
import { constant, type Expr, input, kindOf, type Value } from "../../expr/expr.ts";
import { Program } from "../../expr/program.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { checkOperands, reduceInto } from "./kernel.ts";
import { expandTo, reshapeTo } from "./view_core.ts";

/** What reductions take, as in PyTorch. */
const MAX_DIMS = 64;

/** Dimensions as callers give them: one, several, or none for all. */
export type Dims = number | readonly number[] | null;

/** The dimensions to reduce, ascending. */
export function dimsOf(op: string, dim: Dims | undefined, x: Tensor): number[] {
  if (x.ndim > MAX_DIMS) throw new ShapeError(`${op}(): too many dimensions: ${x.ndim}; at most ${MAX_DIMS}`);
  return wrapDims(op, dim, x.ndim).sort((a, b) => a - b);
}

const programs = new Map<string, Program>();

/** The program of a map-reduction, made once per key and dtypes. */
function programOf(
  key: string,
  inputs: readonly Tensor[],
  dtype: DType,
  build: (...values: Value[]) => Value,
): Program {
  let name = `${key} ${dtype.code}`;
  for (const x of inputs) name += `,${x.dtype.code}`;
  let program = programs.get(name);
  if (program === undefined) {
    const reals: DType[] = [];
    const values = inputs.map((x): Value => {
      const real = toReal(x.dtype);
      const part = (): Expr => input(reals.push(real) - 1, real);
      const re = part();
      return x.dtype.isComplex ? new Complex(re, part()) : re;
    });
    const value = build(...values);
    const real = toReal(dtype), kind = kindOf(real);
    const exprs = value instanceof Complex ? [value.re, value.im] : [value as Expr];
    if (dtype.isComplex && exprs.length === 1) exprs.push(constant(0, kind));
    program = new Program(reals, [], exprs.map((expr) => ({ expr: expr.to(kind), dtype: real })));
    programs.set(name, program);
  }
  return program;
}

/** The view of a result that lacks the reduced dimensions. */
function withoutDims(x: Tensor, dims: readonly number[]): Tensor {
  const kept = (_: number, d: number) => !dims.includes(d);
  return new Tensor(x.storage, x.shape.filter(kept), x.strides.filter(kept), x.offset, x.dtype, x.dense);
}

/**
 * Evaluates an expression at every element of the first input and combines it over `dims`; nothing is recorded.
 *
 * @param key identifies the expression: one program per key and dtypes
 * @param inputs tensors that broadcast to the first one
 * @param dtype the result's dtype
 * @param dims ascending
 */
export function mapReduce(
  op: string,
  key: string,
  combine: Combine,
  inputs: readonly Tensor[],
  dtype: DType,
  dims: readonly number[],
  keepdim: boolean,
  build: (...values: Value[]) => Value,
): Tensor {
  checkOperands(op, inputs);
  const x = inputs[0];
  const out = emptyLikeDevice(op, reducedShape(x.shape, dims, keepdim), dtype, x);
  const program = programOf(key, inputs, dtype, build);
  reduceInto(program, combine, x.shape, dims, inputs, [], [keepdim && dims.length > 0 ? withoutDims(out, dims) : out]);
  return out;
}

const manyPrograms = new Map<string, Program>();

/**
 * Several map-reductions of the same real tensors in one pass over them; nothing is recorded. Reduced dimensions are
 * kept with size 1.
 *
 * @param key identifies the expressions: one program per key and dtypes
 * @param inputs real tensors that broadcast to the first one
 * @param dtype the results' dtype, which is computed in
 * @param dims ascending
 */
export function mapReduceMany(
  op: string,
  key: string,
  combine: Combine,
  inputs: readonly Tensor[],
  dtype: DType,
  dims: readonly number[],
  build: (...values: Expr[]) => Expr[],
): Tensor[] {
  checkOperands(op, inputs);
  let name = `${key} ${dtype.code}`;
  for (const x of inputs) name += `,${x.dtype.code}`;
  let program = manyPrograms.get(name);
  if (program === undefined) {
    const kind = kindOf(dtype);
    const exprs = build(...inputs.map((x, i) => input(i, x.dtype).to(kind)));
    program = new Program(inputs.map((x) => x.dtype), [], exprs.map((expr) => ({ expr, dtype })));
    manyPrograms.set(name, program);
  }
  const x = inputs[0];
  const shape = reducedShape(x.shape, dims, true);
  const outs = program.outputs.map(() => emptyLikeDevice(op, shape, dtype, x));
  reduceInto(program, combine, x.shape, dims, inputs, [], outs.map((out) => withoutDims(out, dims)));
  return outs;
}

/** A reduced tensor (a gradient, usually) as a view of the shape before the reduction. */
export function spread(reduced: Tensor, shape: readonly number[], dims: readonly number[]): Tensor {
  return expandTo(restore(reduced, shape, dims), shape);
}

/** A reduced tensor with the reduced dimensions put back as size 1. */
export function restore(reduced: Tensor, shape: readonly number[], dims: readonly number[]): Tensor {
  return reshapeTo(reduced, reducedShape(shape, dims, true));
}

/** How many elements make one result. */
export function countOf(shape: readonly number[], dims: readonly number[]): number {
  return dims.reduce((n, d) => n * shape[d], 1);
}

/** Throws where an extreme of no elements would be asked for. */
export function checkNotEmpty(op: string, x: Tensor, dims: readonly number[], all: boolean): void {
  if (countOf(x.shape, dims) > 0 || (numelOf(reducedShape(x.shape, dims, false)) === 0 && !all)) return;
  if (all) {
    throw new ShapeError(`${op}(): the tensor has no elements: ${show(x.shape)}; give a dim that is not empty`);
  }
  throw new IndexError(`${op}(): a reduced dimension is empty: ${show(dims)} of ${show(x.shape)}`);
}

/** The dtype that sums of halves are held in until they are divided: they would overflow. */
export function wide(dtype: DType): DType {
  return dtype.isFloatingPoint && dtype.itemsize < 4 ? float32 : dtype;
}
