/**
 * Half precision as a format of storage: what takes several steps is computed in float32 and rounded once.
 *
 * A kernel does so by itself. What is composed of several kernels, or adds into its result again and again, would round at
 * each of them: five thousand ones added up in bfloat16 are 256. Where autocast chooses dtypes, each kernel has its own.
 *
 * @module
 */

import { autocasting } from "../../autograd/autocast.ts";
import { type DType, float32 } from "../../base/dtype.ts";
import { scope } from "../../tensor/scope.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** Whether a dtype is one of the two halves, float16 and bfloat16. */
export function isHalf(dtype: DType): boolean {
  return dtype.isFloatingPoint && dtype.itemsize === 2;
}

/** A value, or what it would be in float32. */
export function widened<T>(value: T): T {
  return value instanceof Tensor && isHalf(value.dtype) ? value.to(float32) as T : value;
}

/** Whether values are computed in float32: halves of one dtype, and no other floating tensors, which have a wider result. */
function roundsOnce(dtype: DType, values: readonly unknown[]): boolean {
  if (!isHalf(dtype) || autocasting.active) return false;
  return values.every((x) => !(x instanceof Tensor) || x.dtype === dtype || !x.dtype.isFloatingPoint);
}

/** {@linkcode roundedOnce} of a tensor and the parameters of a call, of which some may be tensors. */
export function callRoundedOnce<O>(compute: (input: Tensor, args: O) => unknown, input: Tensor, args: O): unknown {
  const { dtype } = input, given = Object.entries(args as Record<string, unknown>);
  if (!roundsOnce(dtype, given.map(([, value]) => value))) return compute(input, args);
  return scope(() => {
    // Parameters may be shared between calls, so they are copied.
    const wide = Object.create(Object.getPrototypeOf(args));
    for (const [name, value] of given) wide[name] = widened(value);
    return (compute(widened(input), wide) as Tensor).to(dtype);
  });
}

/** `compute` of the tensors, in float32 where they are halves; the result, and each gradient, is rounded once. */
export function roundedOnce<T extends readonly Tensor[]>(tensors: T, compute: (...tensors: T) => Tensor): Tensor {
  const { dtype } = tensors[0];
  if (!roundsOnce(dtype, tensors)) return scope(() => compute(...tensors));
  return scope(() => compute(...tensors.map(widened) as unknown as T).to(dtype));
}
