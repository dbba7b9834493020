/**
 * What the reductions share: one map-reduction of a scalar expression, the dimensions of a call, and the way back
 * to the shape that was reduced.
 *
 * @module
 */

import { type DType, float32 } from "../../base/dtype.ts";
import { IndexError, ShapeError, show } from "../../base/errors.ts";
import { numelOf, reducedShape, wrapDims } from "../../base/shape.ts";
import type { Combine } from "../../backend/backend.ts";
import type { Expr, Value } from "../../expr/expr.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Formula, type FormulaOption } from "./formula.ts";
import { checkOperands, reduceInto } from "./kernel.ts";
import { reshapeTo } from "./view_core.ts";

/** What reductions take, as in PyTorch. */
const MAX_DIMS = 64;

/** Dimensions as callers give them: one, several, or none for all. */
export type Dims = number | readonly number[] | null;

/** The dimensions to reduce, ascending. */
export function dimsOf(op: string, dim: Dims | undefined, x: Tensor): number[] {
  if (x.ndim > MAX_DIMS) throw new ShapeError(`${op}(): too many dimensions: ${x.ndim}; at most ${MAX_DIMS}`);
  return wrapDims(op, dim, x.ndim).sort((a, b) => a - b);
}

/** The formula of a map-reduction: its value is converted before it is combined. */
export function reducible<O extends readonly FormulaOption[] = []>(
  build: (elements: readonly Value[], ...options: O) => Value,
): Formula<Value, O> {
  return new Formula("value", (elements, _numbers, ...options) => build(elements, ...options));
}

/** The elements themselves. */
export const ELEMENTS: Formula = reducible(([v]) => v);

/** Which elements are not zero. */
export const NONZERO: Formula = reducible(([v]) => v.ne(0));

/** The view of a result that lacks the reduced dimensions. */
function withoutDims(x: Tensor, dims: readonly number[]): Tensor {
  const kept = (_: number, d: number) => !dims.includes(d);
  return new Tensor(x.storage, x.shape.filter(kept), x.strides.filter(kept), x.offset, x.dtype, x.dense);
}

/**
 * Evaluates an expression at every element of the first input and combines it over `dims`; nothing is recorded.
 *
 * @param of the expression
 * @param inputs tensors that broadcast to the first one
 * @param dtype the result's dtype
 * @param dims ascending
 * @param options those of the formula
 */
export function mapReduce<O extends readonly FormulaOption[]>(
  op: string,
  of: Formula<Value, O>,
  combine: Combine,
  inputs: readonly Tensor[],
  dtype: DType,
  dims: readonly number[],
  keepdim: boolean,
  ...options: O
): Tensor {
  checkOperands(op, inputs);
  const x = inputs[0];
  const out = emptyLikeDevice(op, reducedShape(x.shape, dims, keepdim), dtype, x);
  const program = of.program(inputs, 0, [out], ...options);
  reduceInto(program, combine, x.shape, dims, inputs, [], [keepdim && dims.length > 0 ? withoutDims(out, dims) : out]);
  return out;
}

/**
 * Several map-reductions of the same real tensors in one pass over them; nothing is recorded. Reduced dimensions are
 * kept with size 1.
 *
 * @param of the expressions
 * @param count how many these are
 * @param inputs real tensors that broadcast to the first one
 * @param dtype the results' dtype, which is computed in
 * @param dims ascending
 */
export function mapReduceMany(
  op: string,
  of: Formula<Expr>,
  count: number,
  combine: Combine,
  inputs: readonly Tensor[],
  dtype: DType,
  dims: readonly number[],
): Tensor[] {
  checkOperands(op, inputs);
  const x = inputs[0];
  const shape = reducedShape(x.shape, dims, true);
  const outs = Array.from({ length: count }, () => emptyLikeDevice(op, shape, dtype, x));
  reduceInto(
    of.program(inputs, 0, outs),
    combine,
    x.shape,
    dims,
    inputs,
    [],
    outs.map((out) => withoutDims(out, dims)),
  );
  return outs;
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
