/**
 * `maxUnpool`: the values of a max pooling put back where they were found, zeros elsewhere; functions only.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { DTypeError, ShapeError, show } from "../base/errors.ts";
import { int64 } from "../base/dtype.ts";
import { sameShape } from "../base/shape.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { checkPoolInput, gridOf, product, type Size } from "./pool_core.ts";
import { reshapeTo } from "./view_core.ts";

/** The parameters of {@linkcode maxUnpool2d} and its relatives. */
export interface MaxUnpoolArgs {
  /** The indices that max pooling gave. */
  indices: Tensor;
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Padding of the pooling. @default {0} */
  padding?: Size;
  /** Shape of the result, or its spatial sizes, where several inputs give the same pooled size. */
  outputSize?: readonly number[] | null;
}

/** The positional parameters of unpooling. */
export type MaxUnpoolPositional = ["indices", "kernelSize", "stride", "padding", "outputSize"];
const unpoolArgs = [1, 2, 3].map((n) =>
  signature<MaxUnpoolArgs>(`maxUnpool${n}d`, ["indices", "kernelSize", "stride", "padding", "outputSize"], [], 2)
);

function maxUnpool(n: number, input: Tensor, args: readonly unknown[]): Tensor {
  const op = `maxUnpool${n}d`;
  const { indices, outputSize = null, ...window } = unpoolArgs[n - 1](args);
  checkPoolInput(op, n, input);
  checkTensor(op, "indices", indices);
  if (indices.dtype !== int64) throw new DTypeError(`${op}(): indices must be int64: ${indices.dtype}`);
  if (!sameShape(indices.shape, input.shape)) {
    throw new ShapeError(
      `${op}(): the shape of indices must be the input's: ${show(indices.shape)} and ${show(input.shape)}`,
    );
  }
  const { kernel, stride, padding } = gridOf(op, n, window);
  const pooled = input.shape.slice(-n);
  const usual = pooled.map((s, d) => (s - 1) * stride[d] - 2 * padding[d] + kernel[d]);
  const out = outputSize === null ? usual : outputSize.slice(-n);
  if (outputSize !== null && outputSize.length !== n && outputSize.length !== input.ndim) {
    throw new ShapeError(`${op}(): outputSize must have ${n} or ${input.ndim} sizes: ${show(outputSize)}`);
  }
  if (out.some((s, d) => s <= usual[d] - stride[d] || s >= usual[d] + stride[d])) {
    throw new ShapeError(
      `${op}(): outputSize must be within a stride of ${show(usual)}: ${show(out)}, stride ${show(stride)}`,
    );
  }
  return scope(() => {
    const lead = input.shape.slice(0, -n), planes = product(lead), count = product(pooled);
    const flat = input.newZeros([planes, product(out)]);
    flat.scatter_(1, reshapeTo(indices, [planes, count]), reshapeTo(input, [planes, count]));
    return reshapeTo(flat, [...lead, ...out]);
  });
}

/** The reverse of `maxPool1d`; see {@linkcode maxUnpool2d}. */
export function maxUnpool1d(input: Tensor, ...args: Args<MaxUnpoolArgs, MaxUnpoolPositional>): Tensor {
  return maxUnpool(1, input, args);
}

/**
 * The reverse of `maxPool2d`: values at the indices that it gave, zeros elsewhere.
 *
 * @param input the pooled values
 * @param args `indices`, `kernelSize`, `stride`, `padding`, `outputSize`
 * @throws {ShapeError} if `outputSize` is not one that pools to the input's size
 */
export function maxUnpool2d(input: Tensor, ...args: Args<MaxUnpoolArgs, MaxUnpoolPositional>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, maxUnpool2d, input, ...args);
  return maxUnpool(2, input, args);
}

/** The reverse of `maxPool3d`; see {@linkcode maxUnpool2d}. */
export function maxUnpool3d(input: Tensor, ...args: Args<MaxUnpoolArgs, MaxUnpoolPositional>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "float32" }, maxUnpool3d, input, ...args);
  return maxUnpool(3, input, args);
}
