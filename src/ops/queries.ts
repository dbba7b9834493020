/**
 * Questions about tensors that need no kernel: `isTensor`, `numel`, `resultType` and their like.
 *
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { type Fn, fn } from "./core/op.ts";
import { type DType, type DTypeKind, resultType as promoteOperands } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { isScalar, type ScalarLike, toScalar } from "../base/scalar.ts";
import { sameShape } from "../base/shape.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";

const isTensorArgs = call("isTensor", NoArgs);

/** Whether a value is a tensor. */
export function isTensor(obj: unknown, ...args: Args<typeof NoArgs>): obj is Tensor {
  isTensorArgs(args);
  return obj instanceof Tensor;
}

/** The number of elements. */
export const numel: Fn<typeof NoArgs, number> = fn("numel", NoArgs, (input) => input.numel());

/** Whether the dtype is floating (not complex). */
export const isFloatingPoint: Fn<typeof NoArgs, boolean> = fn(
  "isFloatingPoint",
  NoArgs,
  (input) => input.dtype.isFloatingPoint,
);

/** Whether the dtype is complex. */
export const isComplex: Fn<typeof NoArgs, boolean> = fn("isComplex", NoArgs, (input) => input.dtype.isComplex);

/** The parameters of {@linkcode isSameSize}. */
export class IsSameSizeArgs {
  constructor(
    /** The other tensor. */
    public other: Tensor,
  ) {}
}

/** Whether two tensors have the same sizes. */
export const isSameSize: Fn<typeof IsSameSizeArgs, boolean> = fn(
  "isSameSize",
  IsSameSizeArgs,
  (input, { other }) => {
    checkTensor("isSameSize", "other", other);
    return sameShape(input.shape, other.shape);
  },
);

/** The parameters of {@linkcode resultType}. */
export class ResultTypeArgs {
  constructor(
    /** One operand. */
    public tensor1: Tensor | ScalarLike,
    /** The other. */
    public tensor2: Tensor | ScalarLike,
  ) {}
}

/**
 * The dtype that an arithmetic operation on two operands gives.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * assertEquals(resultType(torch.tensor([1n, 2n]), 1.5), torch.float32);
 * ```
 */
export const resultType: Func<typeof ResultTypeArgs, DType> = func("resultType", ResultTypeArgs, (o) => {
  const { tensor1, tensor2 } = o;
  const dims: DType[] = [], zeros: DType[] = [], scalars: DTypeKind[] = [];
  for (const operand of [tensor1, tensor2]) {
    if (operand instanceof Tensor) (operand.ndim > 0 ? dims : zeros).push(operand.dtype);
    else if (isScalar(operand)) scalars.push(toScalar("resultType", operand).kind);
    else throw new ArgumentError(`resultType(): expected a Tensor or a number: ${describe(operand)}`);
  }
  return promoteOperands(dims, zeros, scalars);
});
