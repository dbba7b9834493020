/**
 * `nn.functional.scaledMm`: the product of two float8 matrices, each with the factors that undo its scaling.
 *
 * What it means is the product of the dequantised matrices in float32. A device with float8 tensor cores multiplies the
 * bytes themselves (`Backend.scaledMatmul`); the bias, factors per row and results of float8 are then one kernel more.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Fn, fn } from "../core/op.ts";
import { bfloat16, type DType, float32 } from "../../base/dtype.ts";
import { ArgumentError, AutogradError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { recording } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { expression } from "../core/expression.ts";
import { checkOperands } from "../core/kernel.ts";
import { checkDims, runProduct } from "./matmul_core.ts";

/** What one factor of {@linkcode scaledMm} holds for: the whole matrix, or each row of the left and column of the right one. */
export const ScalingType = {
  /** One factor. */
  TensorWise: 0,
  /** A factor per row of the left matrix, `[m, 1]`, or per column of the right one, `[1, n]`. */
  RowWise: 1,
} as const;

/** A value of {@linkcode ScalingType}. */
export type ScalingRecipe = 0 | 1;

/** The parameters of {@linkcode scaledMm}. */
export class ScaledMmArgs {
  constructor(
    /** `[k, n]`, float8; fastest where its columns lie together (a transposed `[n, k]`). */
    public matB: Tensor,
    /** Factors of the left matrix, float32. */
    public scaleA: Tensor | readonly Tensor[],
    /** What they hold for. */
    public scaleRecipeA: ScalingRecipe | readonly ScalingRecipe[],
    /** Factors of the right matrix, float32. */
    public scaleB: Tensor | readonly Tensor[],
    /** What they hold for. */
    public scaleRecipeB: ScalingRecipe | readonly ScalingRecipe[],
    /** Accepted for PyTorch's sake; nothing is swizzled here. */
    public swizzleA: null = null,
    /** Accepted for PyTorch's sake; nothing is swizzled here. */
    public swizzleB: null = null,
    /** `[n]`, added to each row. */
    public bias: Tensor | null = null,
    /** The result's dtype, any floating one; `null` for that of the left matrix. */
    public outputDtype: DType | null = bfloat16,
    /** Accepted for PyTorch's sake: the inner dimensions are contracted. */
    public contractionDim: readonly number[] = [],
    /** Whether sums may be kept in lower precision, on devices that are faster so. */
    public useFastAccum = false,
  ) {}
}

const finished = expression("scaledMm", ([sum, a, b, bias]) => {
  const scaled = a ? b ? sum!.mul(a).mul(b) : sum!.mul(a) : sum!;
  return bias ? scaled.add(bias) : scaled;
});

/** The only element of a value that PyTorch also takes as a list. */
function single<T>(name: string, value: T | readonly T[]): T {
  if (!Array.isArray(value)) return value as T;
  if (value.length !== 1) throw new ArgumentError(`scaledMm(): ${name} must be one value: ${value.length} given`);
  return value[0];
}

/** The factors of one operand, checked; `size` of them if they hold for rows. */
function scaleOf(side: "A" | "B", o: Readonly<ScaledMmArgs>, size: number): { scale: Tensor; rowWise: boolean } {
  const scale = single(`scale${side}`, side === "A" ? o.scaleA : o.scaleB);
  const recipe = single(`scaleRecipe${side}`, side === "A" ? o.scaleRecipeA : o.scaleRecipeB);
  checkTensor("scaledMm", `scale${side}`, scale);
  if (recipe !== ScalingType.TensorWise && recipe !== ScalingType.RowWise) {
    throw new ArgumentError(`scaledMm(): scaleRecipe${side} must be TensorWise or RowWise: ${describe(recipe)}`);
  }
  const rowWise = recipe === ScalingType.RowWise;
  const shape = side === "A" ? [size, 1] : [1, size];
  const fits = rowWise ? String(scale.shape) === String(shape) : scale.numel() === 1;
  if (scale.dtype !== float32 || !fits) {
    throw new ShapeError(
      `scaledMm(): scale${side} must be float32 of ${
        rowWise ? `shape ${show(shape)}` : "one element"
      }: ${scale.dtype} ` +
        show(scale.shape),
    );
  }
  return { scale, rowWise };
}

/**
 * The product of float8 matrices times their scales: `(matA · scaleA) @ (matB · scaleB) + bias`, summed in float32.
 *
 * Shape: `[m, k]` and `[k, n]` to `[m, n]`.
 *
 * DType: float8 in, any floating dtype out, bfloat16 by default.
 *
 * @param matA `[m, k]`
 * @throws {DTypeError} unless both matrices are float8 and the result is floating
 * @throws {ShapeError} if sizes or scales do not fit
 * @throws {AutogradError} if an operand requires grad: there is no derivative, as in PyTorch
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 * const F = torch.nn.functional, { TensorWise } = F.ScalingType;
 *
 * const x = torch.tensor([[100, 200], [300, 400]]);
 * const scale = x.abs().max().div(448);
 * const low = x.div(scale).to(torch.float8E4m3fn);
 * const identity = torch.eye(2).to(torch.float8E4m3fn), one = torch.tensor(1);
 * const y = F.scaledMm(low, identity, scale, TensorWise, one, TensorWise, { outputDtype: torch.float32 });
 * assertEquals(await y.sub(x).abs().max().item() < 16, true);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_mm.html
 */
export const scaledMm: Fn<typeof ScaledMmArgs> = fn("scaledMm", ScaledMmArgs, (matA, o) => {
  const { matB, bias, useFastAccum } = o;
  checkDims("scaledMm", "matA", matA, 2);
  checkDims("scaledMm", "matB", matB, 2);
  if (!matA.dtype.isFloat8 || !matB.dtype.isFloat8) {
    throw new DTypeError(
      `scaledMm(): matrices must be float8: ${matA.dtype} and ${matB.dtype}; convert with .to(dtype)`,
    );
  }
  const [m, k] = matA.shape, n = matB.shape[1];
  if (matB.shape[0] !== k) {
    throw new ShapeError(`scaledMm(): inner sizes differ: ${show(matA.shape)} and ${show(matB.shape)}`);
  }
  const dtype = o.outputDtype ?? matA.dtype;
  if (!dtype.isFloatingPoint) throw new DTypeError(`scaledMm(): outputDtype must be a floating dtype: ${dtype}`);
  if (bias !== null) checkTensor("scaledMm", "bias", bias);
  if (bias !== null && (bias.ndim !== 1 || bias.shape[0] !== n)) {
    throw new ShapeError(`scaledMm(): the bias must have shape [${n}]: ${show(bias.shape)}`);
  }
  const a = scaleOf("A", o, m), b = scaleOf("B", o, n);
  const operands = [matA, matB, a.scale, b.scale, ...(bias ? [bias] : [])];
  checkOperands("scaledMm", operands);
  if (recording(operands)) {
    throw new AutogradError("scaledMm(): there is no derivative; use detach(), or wrap it in an autograd.Function");
  }
  return unrecorded(() => scope(() => scaledProduct(matA, matB, a, b, bias, dtype, useFastAccum)));
});

type Scale = ReturnType<typeof scaleOf>;

function scaledProduct(
  matA: Tensor,
  matB: Tensor,
  a: Scale,
  b: Scale,
  bias: Tensor | null,
  dtype: DType,
  fastSums: boolean,
): Tensor {
  const { backend } = matA.storage;
  const make = (own: DType) => emptyLikeDevice("scaledMm", [matA.shape[0], matB.shape[1]], own, matA);
  if (backend.scaledMatmul !== undefined) {
    const whole = !a.rowWise && !b.rowWise;
    // The library adds a bias to halves of its own dtype; what else is wanted is done to float32 sums.
    const direct = whole && !dtype.isFloat8 && dtype.itemsize <= 4 &&
      (bias === null || (bias.dtype === dtype && dtype.itemsize === 2 && bias.dense));
    const sums = make(direct ? dtype : float32);
    const scaling = { a: whole ? a.scale : null, b: whole ? b.scale : null, bias: direct ? bias : null, fastSums };
    if (backend.scaledMatmul(matA, matB, sums, scaling)) {
      if (direct) return sums;
      return finished([sums, whole ? null : rowsOf(a), whole ? null : rowsOf(b), bias], [], { dtype });
    }
  }
  const sums = make(float32);
  runProduct(matA.to(float32), matB.to(float32), sums, 1, 0);
  return finished([sums, rowsOf(a), rowsOf(b), bias], [], { dtype });
}

/** The factors, broadcast to the result. */
function rowsOf({ scale, rowWise }: Scale): Tensor {
  return rowWise ? scale : scale.reshape([]);
}
