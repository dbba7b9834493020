/**
 * `maxUnpool`: the values of a max pooling put back where they were found, zeros elsewhere; functions only.
 *
 * @module
 */

import { checkIntegers } from "../../base/checks.ts";
import { DTypeError, ShapeError, show } from "../../base/errors.ts";
import { int64 } from "../../base/dtype.ts";
import { sameShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { checkPoolInput, gridOf, product, type Size } from "./pool_core.ts";
import { type Fn, fn, type OpSpec } from "../core/op.ts";
import { reshapeTo } from "../core/view_core.ts";

/** The parameters of {@linkcode maxUnpool2d} and its relatives. */
export class MaxUnpoolArgs {
  constructor(
    /** The indices that max pooling gave. */
    public indices: Tensor,
    /** Size of the window. */
    public kernelSize: Size,
    /** Step of the window; `null`: its size. */
    public stride: Size | null = null,
    /** Padding of the pooling. */
    public padding: Size = 0,
    /** Shape of the result, or its spatial sizes, where several inputs give the same pooled size. */
    public outputSize: readonly number[] | null = null,
  ) {}
}

function maxUnpool(op: string, n: number, input: Tensor, o: Readonly<MaxUnpoolArgs>): Tensor {
  const { indices, outputSize, kernelSize } = o;
  checkPoolInput(op, n, input);
  checkTensor(op, "indices", indices);
  if (indices.dtype !== int64) throw new DTypeError(`${op}(): indices must be int64: ${indices.dtype}`);
  if (!sameShape(indices.shape, input.shape)) {
    throw new ShapeError(
      `${op}(): the shape of indices must be the input's: ${show(indices.shape)} and ${show(input.shape)}`,
    );
  }
  const { kernel, stride, padding } = gridOf(op, n, { kernelSize, stride: o.stride, padding: o.padding });
  const pooled = input.shape.slice(-n);
  const usual = pooled.map((s, d) => (s - 1) * stride[d] - 2 * padding[d] + kernel[d]);
  if (outputSize !== null) checkIntegers(op, "outputSize", outputSize);
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

function maxUnpoolOf(n: number): Fn<typeof MaxUnpoolArgs> {
  const name = `maxUnpool${n}d`;
  const spec: OpSpec = n === 1 ? { name } : { name, autocast: { cpu: "float32" } };
  return fn(spec, MaxUnpoolArgs, (input, o) => maxUnpool(name, n, input, o));
}

/** The reverse of `maxPool1d`; see {@linkcode maxUnpool2d}. */
export const maxUnpool1d: Fn<typeof MaxUnpoolArgs> = maxUnpoolOf(1);

/**
 * The reverse of `maxPool2d`: values at the indices that it gave, zeros elsewhere.
 *
 * @param input the pooled values
 * @throws {ShapeError} if `outputSize` is not one that pools to the input's size
 */
export const maxUnpool2d: Fn<typeof MaxUnpoolArgs> = maxUnpoolOf(2);

/** The reverse of `maxPool3d`; see {@linkcode maxUnpool2d}. */
export const maxUnpool3d: Fn<typeof MaxUnpoolArgs> = maxUnpoolOf(3);
