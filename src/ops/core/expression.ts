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
import { type Expr, input, kindOf, scalar } from "../../expr/expr.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { applyKernel, applyKernelSummed, Kernel } from "./kernel.ts";

/** How an {@linkcode expression} is applied. */
export interface Application {
  /** The shape that the result is summed to; it broadcasts to the operands' common shape. Default: no sum. */
  readonly sumTo?: readonly number[];
  /** The dtype of the result; default: what the operands promote to. */
  readonly dtype?: DType;
}

/** A function of tensors (`null` where not given) and numbers. */
export type ExpressionFunction = (
  tensors: readonly (Tensor | null)[],
  numbers: readonly number[],
  application?: Application,
) => Tensor;

/**
 * Defines a function by the expression of one element.
 *
 * @param op its name in camelCase, for messages and the graph
 * @param build the expression, given the tensors' elements (`null` where not given) and the numbers
 */
export function expression(
  op: string,
  build: (elements: (Expr | null)[], numbers: Expr[]) => Expr,
): ExpressionFunction {
  const kernels = new Map<string, Kernel>();
  const node = `${op[0].toUpperCase()}${op.slice(1)}Backward0`;
  return (tensors, numbers, { sumTo, dtype } = {}) => {
    for (let i = 0; i < numbers.length; i++) {
      if (typeof numbers[i] !== "number") {
        throw new ArgumentError(`${op}(): expected a number: ${describe(numbers[i])}`);
      }
    }
    const operands = tensors.filter((t) => t !== null);
    const result = dtype ?? floatDtype(operands);
    let key = `${result.code}`;
    for (const t of tensors) key += t === null ? ",-" : `,${t.dtype.code}`;
    let kernel = kernels.get(key);
    if (kernel === undefined) kernels.set(key, kernel = makeKernel(tensors, numbers.length, result, build));
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

function makeKernel(
  tensors: readonly (Tensor | null)[],
  count: number,
  dtype: DType,
  build: (elements: (Expr | null)[], numbers: Expr[]) => Expr,
): Kernel {
  const kind = kindOf(dtype);
  const dtypes: DType[] = [];
  const elements = tensors.map((t) => t === null ? null : input(dtypes.push(t.dtype) - 1, t.dtype).to(kind));
  const numbers = Array.from({ length: count }, (_, i) => scalar(i, kind));
  return new Kernel(dtypes, numbers.map(() => kind), [build(elements, numbers)], dtype);
}
