/**
 * `reduction`: a sum over dimensions as an entry, with the gradients that follow from its expression.
 *
 * An entry says what is added up of each element and what is made of the total. Value, dtypes, `dim`, `keepdim` and the
 * derivatives of every order, complex ones too, follow, as they do for `pointwise`.
 *
 * @module
 */

import { type DType, int64 } from "../../base/dtype.ts";
import type { Expr, Value } from "../../expr/expr.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Formula } from "../core/formula.ts";
import { applyKernel, applyKernelReduced } from "../core/kernel.ts";
import { type Op, op, type OpSpec } from "../core/op.ts";
import { countOf, type Dims, dimsOf, wide } from "../core/reduce_core.ts";

/** The parameters of sums and means. */
export class SumArgs {
  /** What the input is converted to first. */
  dtype: DType | null = null;
  constructor(
    /** Dimensions to reduce; `null`: all. */
    public dim: Dims = null,
    /** Whether they stay, with size 1. */
    public keepdim = false,
  ) {}
}

/** The entry of a reduction. */
export interface ReductionSpec extends OpSpec {
  /** What is added up of each element. */
  readonly expr: (x: Value) => Value;
  /** What is made of the total, given the count of elements. @default the total itself */
  readonly finish?: (total: Value, count: Expr) => Value;
  /** The dtype of the result, by the input's. @default {sumDtype} */
  readonly result?: (dtype: DType) => DType;
  /** Throws for inputs that it does not take, after their conversion. */
  readonly check?: (x: Tensor) => void;
  /** What is done with the result before it is returned. */
  readonly checkResult?: (x: Tensor, out: Tensor, dims: readonly number[], keepdim: boolean) => void;
}

/** Sums of integers and bools are int64. */
export function sumDtype(dtype: DType): DType {
  return dtype.kind === "integer" || dtype.kind === "bool" ? int64 : dtype;
}

/** Defines a reduction that is a method of `Tensor` too. */
export function reduction(spec: ReductionSpec): Op<typeof SumArgs> {
  const { name, finish, check, checkResult, result = sumDtype } = spec;
  const part = new Formula<Value>("value", ([x]) => spec.expr(x));
  const whole = finish && new Formula<Value>("value", ([total], [count]) => finish(total, count));
  const node = `${name[0].toUpperCase()}${name.slice(1)}Backward0`;

  /** @param to the dtype of the sum */
  const total = (x: Tensor, dims: readonly number[], keepdim: boolean, to: DType): Tensor => {
    const kernel = part.kernel([x], 0, { dtype: to });
    return applyKernelReduced({ op: name, node, kernel, operands: [x], scalars: [], shape: x.shape }, dims, keepdim);
  };
  return op(spec, SumArgs, (input, { dim, keepdim, dtype }) => {
    const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
    check?.(x);
    const dims = dimsOf(name, dim, x), to = dtype ?? result(x.dtype);
    if (whole === undefined) {
      const out = total(x, dims, keepdim, to);
      checkResult?.(x, out, dims, keepdim);
      return out;
    }
    return scope(() => {
      const sum = total(x, dims, keepdim, wide(to));
      const kernel = whole.kernel([sum], 1, { dtype: to }), scalars = [countOf(x.shape, dims)];
      return applyKernel({ op: name, node, kernel, operands: [sum], scalars, shape: sum.shape });
    });
  });
}
