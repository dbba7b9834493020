/**
 * The p-norm of tensors and of their dimensions, and its gradient.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { type DType, float32, float64, toReal } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import { reducedShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { writeOut } from "../core/define.ts";
import { type Op, op } from "../core/op.ts";
import { countOf, type Dims, dimsOf, mapReduce, NONZERO, reducible, restore, wide } from "../core/reduce_core.ts";
import { widened } from "../core/wide.ts";
import { nuclearNorm } from "../linalg/svd.ts";
import { checkFloating, sum } from "./reduce.ts";

/** The parameters of {@linkcode norm}. */
export class NormArgs {
  constructor(
    /** Which norm: a number, `Infinity`, `-Infinity`, `"fro"` or `"nuc"`; `null`: 2. */
    public p: number | "fro" | "nuc" | null = "fro",
    /** Dimensions to reduce; `null`: all. */
    public dim: Dims = null,
    /** Whether they stay, with size 1. */
    public keepdim = false,
    /** Where the result goes. */
    public out: Tensor | null = null,
    /** What the input is converted to first. */
    public dtype: DType | null = null,
  ) {}
}

/**
 * The p-norm over dimensions: `(Σ |x|^p)^(1/p)`; `"fro"` is the 2-norm of all.
 *
 * @throws {DTypeError} if the input is neither floating nor complex
 */
export const norm: Op<typeof NormArgs> = op({ name: "norm", autocast: { gpu: "dtype" } }, NormArgs, (input, args) => {
  const { out } = args;
  const result = normOf(input, args);
  return writeOut("norm", out, result);
});

function normOf(input: Tensor, { p, dim, keepdim, dtype }: NormArgs): Tensor {
  if (p === "nuc") return nuclearNorm(dtype ? input.to(dtype) : input, dimsOf("norm", dim, input), keepdim);
  if (typeof p === "string" && p !== "fro") throw new ArgumentError(`norm(): unknown norm: "${String(p)}"`);
  const x = dtype && dtype !== input.dtype ? input.to(dtype) : input;
  checkFloating("norm", x);
  const order = typeof p === "number" ? p : 2;
  return vectorNorm("norm", x, order, dimsOf("norm", dim, x), keepdim);
}

function vectorNorm(op: string, x: Tensor, p: number, dims: readonly number[], keepdim: boolean): Tensor {
  const real = toReal(x.dtype), type = wide(real);
  const compute = () => {
    const out = unrecorded(() => scope(() => normForward(op, x, type, p, dims, keepdim)));
    record("NormBackward0", out, [x], [x, out], (grad, [v, result]) => [
      scope(() => {
        const [g, r] = [restore(grad, v.shape, dims), restore(result, v.shape, dims)];
        return normGradient(g, widened(v), r, p, dims).to(v.dtype);
      }),
    ]);
    return out.to(real);
  };
  // Of halves the norm, which the gradient reads, is float32; what is returned is rounded.
  return real === type ? compute() : scope(compute);
}

const sizes = reducible(([v]) => v.abs());

/** `|x|^p`, in float64 or in float32. */
const powers = reducible(([v], p: number, double: boolean) => {
  const size = v.abs().to(double ? "f64" : "f32");
  return p === 2 ? size.mul(size) : size.pow(p);
});

function normForward(
  op: string,
  x: Tensor,
  type: DType,
  p: number,
  dims: readonly number[],
  keepdim: boolean,
): Tensor {
  if (Math.abs(p) === Infinity) {
    if (countOf(x.shape, dims) === 0 && p > 0) return x.newZeros(reducedShape(x.shape, dims, keepdim), { dtype: type });
    return mapReduce(op, sizes, p > 0 ? "max" : "min", [x], type, dims, keepdim);
  }
  if (p === 0) return mapReduce(op, NONZERO, "sum", [x], type, dims, keepdim);
  if (p === 1) return mapReduce(op, sizes, "sum", [x], type, dims, keepdim);
  // Squares of float32 do not overflow in float64, where the device has it.
  const held = type === float32 && x.storage.backend.supports(float64) ? float64 : type;
  const total = mapReduce(op, powers, "sum", [x], held, dims, keepdim, p, held === float64);
  return (p === 2 ? total.sqrt_() : total.pow_(1 / p)).to(type);
}

/** After PyTorch's norm_backward; where the norm is zero the gradient is 0. */
function normGradient(grad: Tensor, x: Tensor, norm: Tensor, p: number, dims: readonly number[]): Tensor {
  if (p === 0) return x.zerosLike();
  if (p === 1) return x.sgn().mul(grad);
  if (p === 2) return x.mul(grad.div(norm).maskedFill(norm.eq(0), 0));
  if (Math.abs(p) === Infinity) {
    const size = x.abs();
    const hit = unrecorded(() => size.eq(norm).logicalOr(size.isnan().logicalAnd(norm.isnan())));
    const count = dims.length === 0 ? 1 : sum(hit, { dim: dims, keepdim: true });
    return x.sgn().mul(grad.div(count).mul(hit));
  }
  if (p < 2) {
    const powers = x.abs().pow(p - 1).maskedFill(x.eq(0), 0);
    const scale = grad.mul(norm.pow(1 - p)).maskedFill(norm.eq(0), 0);
    return x.sgn().mul(powers.mul(scale));
  }
  return x.mul(x.abs().pow(p - 2)).mul(grad.div(norm.pow(p - 1)).maskedFill(norm.eq(0), 0));
}
