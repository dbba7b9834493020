/**
 * Products with an epilogue: bias, activation and their derivatives computed on the sums before these are stored.
 *
 * What an epilogue means is written here as a scalar expression, so a device prints it into its kernel or recognises its
 * name; where it does neither, the composed form runs. Nothing in this file is recorded.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type DType, float32, float64, uint8 } from "../../base/dtype.ts";
import type { Epilogue, EpilogueName } from "../../backend/backend.ts";
import { vjp } from "../../expr/diff.ts";
import type { Expr } from "../../expr/expr.ts";
import type { Program } from "../../expr/program.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { gelu, geluFormula, relu, reluFormula } from "../pointwise/activation.ts";
import { expression, type ExpressionFunction } from "./expression.ts";
import { formula } from "./formula.ts";
import { runProduct } from "../linalg/matmul_core.ts";
import { makeView } from "./view_core.ts";

/** Activations that a product can end in. */
export type FusedActivation = "relu" | "gelu" | "geluTanh";

const FORMULAS: Readonly<Record<FusedActivation, (x: Expr) => Expr>> = {
  relu: reluFormula,
  gelu: (x) => geluFormula(x, false),
  geluTanh: (x) => geluFormula(x, true),
};

/** The activations as public ops. */
export const ACTIVATIONS: Readonly<Record<FusedActivation, (x: Tensor) => Tensor>> = {
  relu: (x) => relu(x),
  gelu: (x) => gelu(x),
  geluTanh: (x) => gelu(x, "tanh"),
};

const DERIVATIVE_NAMES = { relu: "reluGrad", gelu: "geluGrad", geluTanh: "geluTanhGrad" } as const;

function derivativeOf(activation: FusedActivation, at: Expr, grad: Expr): Expr {
  return vjp([FORMULAS[activation](at)], [grad], [at])[0];
}

function derivativeOp(activation: FusedActivation): ExpressionFunction {
  return expression(DERIVATIVE_NAMES[activation], ([at, grad]) => derivativeOf(activation, at!, grad!));
}

/**
 * `([at, grad], []) => grad · f'(at)`, differentiable; for relu `at` may be the result, whose sign is the argument's.
 */
export const DERIVATIVES: Readonly<Record<FusedActivation, ExpressionFunction>> = {
  relu: derivativeOp("relu"),
  gelu: derivativeOp("gelu"),
  geluTanh: derivativeOp("geluTanh"),
};

/** What an epilogue does with the sum, given its operand, if any: the result, and what backward will read if it `keeps` that. */
const epilogues = formula(([sum, operand], _numbers, name: EpilogueName, keeps: boolean) => {
  if (name === "reluGrad" || name === "geluGrad" || name === "geluTanhGrad") {
    return derivativeOf(name.slice(0, -4) as FusedActivation, operand, sum);
  }
  const biased = operand === undefined ? sum : sum.add(operand);
  const result = name === "bias" ? biased : FORMULAS[name](biased);
  return keeps ? [result, biased] : result;
});

const SUMS = { narrow: { dtype: float32 }, double: { dtype: float64 } };

/**
 * The program of an epilogue for results like `out`.
 *
 * @param operand what it reads besides the sum, if anything
 * @param keeps whether it gives what backward will read as well
 */
export function epilogueProgram(
  name: EpilogueName,
  out: { readonly dtype: DType },
  operand: { readonly dtype: DType } | null,
  keeps: boolean,
): Program {
  const sum = out.dtype === float64 ? SUMS.double : SUMS.narrow;
  return epilogues.program(operand === null ? [sum] : [sum, operand], 0, keeps ? [out, out] : [out], name, keeps);
}

/** A bias `[n]`, `[1]` or `[]` seen at every element of `[m, n]`. */
function biasView(bias: Tensor, m: number, n: number): Tensor {
  const step = bias.ndim === 1 && bias.shape[0] === n ? bias.strides[0] : 0;
  return makeView(bias, [m, n], [0, step]);
}

/** Rows and columns exchanged. */
function turned(x: Tensor): Tensor {
  return makeView(x, [x.shape[1], x.shape[0]], [x.strides[1], x.strides[0]]);
}

/**
 * Writes `a @ b + bias` for matrices into `out` where the device does it in one kernel; nothing is recorded.
 *
 * @param bias `[n]`, `[1]` or `[]`
 * @returns whether it did
 */
export function runBiased(a: Tensor, b: Tensor, bias: Tensor, out: Tensor): boolean {
  const { backend } = out.storage;
  if (backend.matmulEpilogue === undefined || !out.dtype.isFloatingPoint) return false;
  const operand = biasView(bias, out.shape[0], out.shape[1]);
  const program = epilogueProgram("bias", out, operand, false);
  return backend.matmulEpilogue(a, b, out, {
    name: "bias",
    program,
    operand,
    kept: null,
    columnSums: null,
    mask: null,
  });
}

/** Writes `x @ weightᵀ + bias` into `out`; nothing is recorded. */
export function runLinear(x: Tensor, weight: Tensor, bias: Tensor | null, out: Tensor): void {
  const across = turned(weight);
  if (bias !== null) {
    if (runBiased(x, across, bias, out)) return;
    unrecorded(() => out.copy_(bias.detach()));
  }
  runProduct(x, across, out, 1, bias === null ? 0 : 1);
}

/** A layer's result and what its derivative is taken at. */
export interface Activated {
  /** `f(x @ weightᵀ + bias)`. */
  readonly out: Tensor;
  /** The argument of the activation; for relu the result. `null` where not wanted. */
  readonly at: Tensor | null;
  /** The device's own record of where relu's result is not zero. */
  readonly mask: Tensor | null;
}

/**
 * `f(x @ weightᵀ + bias)`.
 *
 * @param keep whether a derivative will be taken
 */
export function runActivated(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  activation: FusedActivation,
  keep: boolean,
): Activated {
  const { backend } = x.storage, m = x.shape[0], n = weight.shape[0];
  const out = emptyLikeDevice("linear", [m, n], x.dtype, x), isRelu = activation === "relu";
  const kept = keep && !isRelu ? emptyLikeDevice("linear", [m, n], x.dtype, x) : null;
  const bytes = keep && isRelu ? backend.reluMaskBytes?.(n) ?? 0 : 0;
  const mask = bytes > 0 ? emptyLikeDevice("linear", [m, bytes], uint8, x) : null;
  const operand = bias === null ? null : biasView(bias, m, n);
  const program = epilogueProgram(activation, out, operand, kept !== null);
  const epilogue: Epilogue = { name: activation, program, operand, kept, columnSums: null, mask };
  if (backend.matmulEpilogue?.(x, turned(weight), out, epilogue)) return { out, at: isRelu ? out : kept, mask };
  out.dispose();
  mask?.dispose();
  const sums = kept ?? emptyLikeDevice("linear", [m, n], x.dtype, x);
  runLinear(x, weight, bias, sums);
  const result = unrecorded(() => ACTIVATIONS[activation](sums));
  if (kept === null) sums.dispose();
  return { out: result, at: isRelu ? result : kept, mask: null };
}

/**
 * The gradient of an activated layer's sums, `(grad @ weight) · f'(at)`, and its sum over the rows.
 *
 * @param grad the gradient of the following linear layer's result
 * @param weight that layer's weight
 * @param sums whether the sum is wanted: the gradient of the activated layer's bias
 */
export function runActivatedGradient(
  grad: Tensor,
  weight: Tensor,
  activation: FusedActivation,
  { at, mask }: Pick<Activated, "at" | "mask">,
  sums: boolean,
): { grad: Tensor; sums: Tensor | null } {
  const { backend } = grad.storage, operand = at!, name = DERIVATIVE_NAMES[activation];
  const out = emptyLikeDevice("linear", operand.shape, grad.dtype, grad);
  const program = epilogueProgram(name, out, operand, false);
  const epilogue: Epilogue = { name, program, operand, kept: null, columnSums: null, mask };
  if (sums) {
    const columnSums = emptyLikeDevice("linear", [operand.shape[1]], grad.dtype, grad);
    if (backend.matmulEpilogue!(grad, weight, out, { ...epilogue, columnSums })) return { grad: out, sums: columnSums };
    columnSums.dispose();
  }
  if (!backend.matmulEpilogue!(grad, weight, out, epilogue)) {
    runProduct(grad, weight, out, 1, 0);
    const result = unrecorded(() => DERIVATIVES[activation]([operand, out], [], { dtype: out.dtype }));
    out.dispose();
    return { grad: result, sums: sums ? unrecorded(() => result.sum(0)) : null };
  }
  return { grad: out, sums: sums ? unrecorded(() => out.sum(0)) : null };
}

/**
 * The gradients of a linear layer's weight, `gradᵀ @ x`, and, where wanted, of its bias.
 *
 * @param sums whether the bias's is wanted
 */
export function runWeightGradient(grad: Tensor, x: Tensor, sums: boolean): { weight: Tensor; bias: Tensor | null } {
  const { backend } = grad.storage, across = turned(grad);
  const weight = emptyLikeDevice("linear", [grad.shape[1], x.shape[1]], grad.dtype, grad);
  if (sums && backend.matmulRowSums !== undefined) {
    const bias = emptyLikeDevice("linear", [grad.shape[1]], grad.dtype, grad);
    if (backend.matmulRowSums(across, x, weight, bias)) return { weight, bias };
    bias.dispose();
  }
  runProduct(across, x, weight, 1, 0);
  return { weight, bias: sums ? unrecorded(() => grad.sum(0)) : null };
}
