/**
 * Differentiable functions of several tensors from one expression, mapped or summed.
 *
 * Where `pointwise` defines a public op with PyTorch's promotion and arguments, `expression` is for use inside composite
 * ops: operands may be missing, the result may be summed to a smaller shape in the same kernel, and integer operands
 * are computed with in the floating dtype of the others. Gradients of every order come from the expression.
 *
 * @module
 */

import { type DType, getDefaultDtype, resultType } from "../../base/dtype.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import { broadcastShapes, sameShape } from "../../base/shape.ts";
import type { Expr } from "../../expr/expr.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Formula, type FormulaOption } from "./formula.ts";
import { applyKernel, applyKernelSummed } from "./kernel.ts";

/** How an {@linkcode expression} is applied. */
export interface Application {
  /** The shape that the result is summed to; it broadcasts to the operands' common shape. Default: no sum. */
  readonly sumTo?: readonly number[];
  /** The dtype of the result; default: what the operands promote to. */
  readonly dtype?: DType;
}

/** A function of tensors (`null` where not given), numbers, and options of the formula. */
export type ExpressionFunction<O extends readonly FormulaOption[] = []> = (
  tensors: readonly (Tensor | null)[],
  numbers: readonly number[],
  application?: Application,
  ...options: O
) => Tensor;

/**
 * Defines a function by the expression of one element.
 *
 * @param op its name in camelCase, for messages and the graph
 * @param build the expression, given the tensors' elements (`null` where not given), the numbers and options, each
 *   combination of which makes a kernel of its own
 */
export function expression<O extends readonly FormulaOption[] = []>(
  op: string,
  build: (elements: readonly (Expr | null)[], numbers: readonly Expr[], ...options: O) => Expr,
): ExpressionFunction<O> {
  const of = new Formula<Expr | null, O>("elements", build);
  const node = `${op[0].toUpperCase()}${op.slice(1)}Backward0`;
  return (tensors, numbers, { sumTo, dtype } = {}, ...options) => {
    for (let i = 0; i < numbers.length; i++) {
      if (typeof numbers[i] !== "number") {
        throw new ArgumentError(`${op}(): expected a number: ${describe(numbers[i])}`);
      }
    }
    const operands = tensors.filter((t) => t !== null);
    const kernel = of.kernel(tensors, numbers.length, { dtype: dtype ?? floatDtype(operands) }, ...options);
    const [first] = operands;
    const same = operands.every((t) => sameShape(t.shape, first.shape));
    const shape = same ? first.shape : broadcastShapes(op, ...operands.map((t) => t.shape));
    const application = { op, node, kernel, operands, scalars: numbers, shape };
    return sumTo === undefined ? applyKernel(application) : applyKernelSummed(application, sumTo);
  };
}

/** The floating dtype that tensors promote to. */
function floatDtype(operands: readonly Tensor[]): DType {
  const dims = operands.filter((t) => t.ndim > 0).map((t) => t.dtype);
  const zeros = operands.filter((t) => t.ndim === 0).map((t) => t.dtype);
  const dtype = resultType(dims, zeros, []);
  return dtype.isFloatingPoint ? dtype : getDefaultDtype();
}
