/**
 * Softmax and its logarithm.
 *
 * A backend may have row kernels; where it has none, the composed form below runs, which is also what the kernels mean.
 * The gradient reads only the output.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type DType, float32 } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { record, recording } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkOperands } from "../core/kernel.ts";
import { type Op, op } from "../core/op.ts";

/** The parameters of {@linkcode softmax} and {@linkcode logSoftmax}. */
export class SoftmaxArgs {
  constructor(
    /** The dimension that sums to 1. */
    public dim: number,
    /** What the input is converted to first. */
    public dtype: DType | null = null,
  ) {}
}

/**
 * `e^x / Σ e^x` along a dimension.
 *
 * @throws {DTypeError} if the input is neither floating nor converted by `dtype`
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * assertEquals(await softmax(torch.zeros(2, 4), 1).tolist(), [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]]);
 * ```
 */
export const softmax: Op<typeof SoftmaxArgs> = op(
  { name: "softmax", autocast: { gpu: "dtype" } },
  SoftmaxArgs,
  (input, o) => apply("softmax", input, o, false),
);

/**
 * The logarithm of softmax, computed without underflow.
 *
 * @throws {DTypeError} if the input is neither floating nor converted by `dtype`
 */
export const logSoftmax: Op<typeof SoftmaxArgs> = op(
  { name: "logSoftmax", autocast: { gpu: "dtype" } },
  SoftmaxArgs,
  (input, o) => apply("logSoftmax", input, o, true),
);

function apply(op: string, x: Tensor, { dim, dtype }: Readonly<SoftmaxArgs>, log: boolean): Tensor {
  if (dtype && dtype !== x.dtype) return scope(() => apply(op, x.to(dtype), { dim, dtype }, log));
  if (!x.dtype.isFloatingPoint) {
    if (x.dtype.isComplex && !log) return composedComplex(x, wrapDim(op, dim, x.ndim));
    throw new DTypeError(`${op}(): expected a floating tensor: ${x.dtype}; convert it with { dtype }`);
  }
  checkOperands(op, [x]);
  const at = wrapDim(op, dim, x.ndim);
  const out = unrecorded(() => scope(() => forward(x, at, log)));
  const node = log ? "LogSoftmaxBackward0" : "SoftmaxBackward0";
  return record(node, out, [x], [out], (grad, [output]) => [softmaxGradient(grad, output, at, log)]);
}

/** Runs `rows` over dense rows of a dtype that the backend's kernels take, with `dim` last, and brings the result back. */
function byRows(tensors: readonly Tensor[], dim: number, rows: (dense: Tensor[], out: Tensor) => void): Tensor {
  const [first] = tensors;
  const { dtype, ndim } = first;
  const wide = dtype.itemsize < 4 && !first.storage.backend.halfRows ? float32 : dtype;
  const last = ndim === 0 || dim === ndim - 1;
  const dense = tensors.map((t) => (last ? t : t.transpose(dim, -1)).to(wide).contiguous());
  const out = emptyLikeDevice("softmax", dense[0].shape, wide, first);
  rows(dense, out);
  return (last ? out : out.transpose(dim, -1).contiguous()).to(dtype);
}

function forward(x: Tensor, dim: number, log: boolean): Tensor {
  const { backend } = x.storage;
  if (backend.softmax) return byRows([x], dim, ([dense], out) => backend.softmax!(dense, log, out));
  if (x.numel() === 0) return x.emptyLike();
  const shifted = x.ndim === 0 ? x.sub(x) : x.sub(x.amax(dim, true));
  const powers = shifted.exp();
  const total = x.ndim === 0 ? powers : powers.sum(dim, true);
  return log ? shifted.sub(total.log()) : powers.div(total);
}

/** The gradient from the output: `y (g - Σ g y)`, or `g - e^y Σ g` of the logarithm. */
function softmaxGradient(grad: Tensor, output: Tensor, dim: number, log: boolean): Tensor {
  const { backend } = output.storage;
  if (backend.softmaxGrad && !recording([grad, output])) {
    return scope(() => byRows([grad, output], dim, ([g, y], out) => backend.softmaxGrad!(g, y, log, out)));
  }
  const total = (t: Tensor) => t.ndim === 0 ? t : t.sum(dim, true);
  return scope(() => log ? grad.sub(output.exp().mul(total(grad))) : output.mul(grad.sub(total(grad.mul(output)))));
}

function composedComplex(x: Tensor, dim: number): Tensor {
  return scope(() => {
    const powers = x.exp();
    return x.ndim === 0 ? powers.div(powers) : powers.div(powers.sum(dim, true));
  });
}
