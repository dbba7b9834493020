/**
 * The matrix product that all of `matmul.ts` and `einsum.ts` are made of: two batches of matrices, recorded.
 *
 * Kernels read any strides, so transposes and broadcast batches are views. A complex product is four real ones on the
 * interleaved parts. Gradients are products again, so every order of derivative exists.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record, recording } from "../../autograd/record.ts";
import { type DType, toReal } from "../../base/dtype.ts";
import { DTypeError, ShapeError, show } from "../../base/errors.ts";
import { type ScalarLike, toScalar } from "../../base/scalar.ts";
import { broadcastShapes, numelOf, sameShape } from "../../base/shape.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, partView, type Tensor } from "../../tensor/tensor.ts";
import { checkOperands } from "../core/kernel.ts";
import { sumTo } from "../core/sum_to.ts";
import { expandTo, reshapeTo, transposeTo } from "../core/view_core.ts";
import { roundedOnce } from "../core/wide.ts";

/** Throws unless operands share a dtype that has products, and a device. */
export function checkProduct(op: string, operands: readonly Tensor[]): void {
  const dtype = operands[0].dtype;
  for (let i = 1; i < operands.length; i++) {
    if (operands[i].dtype !== dtype) {
      throw new DTypeError(
        `${op}(): operands must have one dtype: ${operands.map((x) => x.dtype).join(" and ")}; convert with .to(dtype)`,
      );
    }
  }
  if (dtype.kind === "bool" || dtype.isFloat8) {
    const remedy = dtype.isFloat8 ? "use nn.functional.scaledMm(), or .to(dtype)" : "convert with .to(dtype)";
    throw new DTypeError(`${op}(): not defined for ${dtype}; ${remedy}`);
  }
  checkOperands(op, operands);
}

/** The conjugate transpose of the last two dimensions. */
function adjointOf(x: Tensor): Tensor {
  const swapped = transposeTo(x, x.ndim - 2, x.ndim - 1);
  return x.dtype.isComplex ? swapped.conj() : swapped;
}

/** The elementwise conjugate; a real tensor is its own. */
export function conjOf(x: Tensor): Tensor {
  return x.dtype.isComplex ? x.conj() : x;
}

/** Runs the kernel: `out = alpha · a @ b + beta · out`, for equal numbers of dimensions; nothing is recorded. */
export function runProduct(a: Tensor, b: Tensor, out: Tensor, alpha: number, beta: number): void {
  const backend = out.storage.backend;
  if (!out.dtype.isComplex) {
    backend.matmul(a, b, out, alpha, beta);
    return;
  }
  const real = toReal(out.dtype);
  const [ar, ai] = [partView(a, 0, real), partView(a, 1, real)];
  const [br, bi] = [partView(b, 0, real), partView(b, 1, real)];
  const [re, im] = [partView(out, 0, real), partView(out, 1, real)];
  backend.matmul(ar, br, re, alpha, beta);
  backend.matmul(ai, bi, re, -alpha, 1);
  backend.matmul(ar, bi, im, alpha, beta);
  backend.matmul(ai, br, im, alpha, 1);
}

/** Which tensors a product must keep: each operand is read only by the other's gradient. */
function savedOf(a: Tensor, b: Tensor): Tensor[] {
  const saved: Tensor[] = [];
  if (recording([b])) saved.push(a);
  if (recording([a])) saved.push(b);
  return saved;
}

/** The gradients of a product from the gradient of its result and what {@linkcode savedOf} kept. */
function productGradients(
  grad: Tensor,
  saved: readonly Tensor[],
  needA: boolean,
  needB: boolean,
  alpha: number,
): (Tensor | null)[] {
  const b = saved[saved.length - 1], a = saved[0];
  return [
    needA ? product("matmul", grad, adjointOf(b), alpha) : null,
    needB ? product("matmul", adjointOf(a), grad, alpha) : null,
  ];
}

/**
 * `alpha · a @ b` for matrices `[…, m, k]` and `[…, k, n]` with equal batch dimensions, checked by the caller but for `k`.
 */
export function product(op: string, a: Tensor, b: Tensor, alpha = 1): Tensor {
  const last = a.ndim - 1;
  if (a.shape[last] !== b.shape[last - 1]) {
    throw new ShapeError(
      `${op}(): inner dimensions differ: ${show(a.shape)} @ ${show(b.shape)} (${a.shape[last]} != ${
        b.shape[last - 1]
      })`,
    );
  }
  const shape = [...a.shape];
  shape[last] = b.shape[last];
  const out = emptyLikeDevice(op, shape, a.dtype, a);
  runProduct(a, b, out, alpha, 0);
  if (!recording([a, b])) return out;
  const name = a.ndim === 2 ? "MmBackward0" : "BmmBackward0";
  return record(
    name,
    out,
    [a, b],
    savedOf(a, b),
    (grad, saved, needs) => productGradients(grad, saved, needs[0], needs[1], alpha),
  );
}

/** {@linkcode product} with broadcast batch dimensions. */
function broadcastProduct(op: string, a: Tensor, b: Tensor): Tensor {
  const batchA = a.shape.slice(0, -2), batchB = b.shape.slice(0, -2);
  if (sameShape(batchA, batchB)) return product(op, a, b);
  const batch = broadcastShapes(op, batchA, batchB);
  const whole = (x: Tensor) => expandTo(x, [...batch, ...x.shape.slice(-2)]);
  const out = unrecorded(() => product(op, whole(a), whole(b)));
  const shapeA = a.shape, shapeB = b.shape;
  return record("MatmulBackward0", out, [a, b], savedOf(a, b), (grad, saved, needs) => [
    needs[0] ? summedProduct(grad, adjointOf(whole(saved[saved.length - 1])), shapeA) : null,
    needs[1] ? summedProduct(adjointOf(whole(saved[0])), grad, shapeB) : null,
  ]);
}

/** `a @ b` summed over the batch dimensions that `shape` does not have: within one product, or before halves are rounded. */
function summedProduct(a: Tensor, b: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(a.shape.slice(0, -2), shape.slice(0, -2))) return product("matmul", a, b);
  const [rows, columns] = shape.slice(-2);
  if (shape.slice(0, -2).every((size) => size === 1)) {
    // The batch becomes a part of the dimension that is summed over.
    const depth = numelOf(b.shape.slice(0, -1));
    const left = reshapeTo(transposeTo(a, a.ndim - 2, a.ndim - 1), [depth, rows]);
    return reshapeTo(product("matmul", transposeTo(left, 0, 1), reshapeTo(b, [depth, columns])), shape);
  }
  return roundedOnce([a, b], (a, b) => sumTo(product("matmul", a, b), shape));
}

/** The scale factors of the `add…` products. */
export interface Scales {
  /** Factor of the added tensor. */
  readonly beta: ScalarLike;
  /** Factor of the product. */
  readonly alpha: ScalarLike;
}

/** A scale factor as a real number (whole for integers), or `null` for one that only a pointwise op can apply. */
function realFactor(op: string, name: string, value: ScalarLike, dtype: DType): number | null {
  if (value === 1) return 1;
  const s = toScalar(op, value);
  if (s.kind === "complex" && !dtype.isComplex) {
    throw new DTypeError(`${op}(): ${name} must not be complex for ${dtype}: ${s.value} + ${s.imag}i`);
  }
  if (s.kind === "complex" && s.imag !== 0) return null;
  const number = Number(s.value);
  if (dtype.kind === "integer") return Number.isSafeInteger(Math.trunc(number)) ? Math.trunc(number) : null;
  return number;
}

/**
 * `beta · input + alpha · a @ b`, `input` broadcasting to the product: added by the kernel itself.
 *
 * @param node the name of the graph node
 * @param biased computes `a @ b + input` in one kernel where it can; asked where the input is a row and nothing is scaled
 */
export function addProduct(
  op: string,
  node: string,
  input: Tensor,
  a: Tensor,
  b: Tensor,
  scales: Scales,
  biased: (a: Tensor, b: Tensor, input: Tensor, out: Tensor) => boolean = () => false,
): Tensor {
  checkProduct(op, [input, a, b]);
  const last = a.ndim - 1;
  if (a.shape[last] !== b.shape[last - 1]) return product(op, a, b);
  const shape = [...a.shape];
  shape[last] = b.shape[last];
  if (input.ndim > shape.length || !sameShape(broadcastShapes(op, input.shape, shape), shape)) {
    throw new ShapeError(`${op}(): the input's shape ${show(input.shape)} does not broadcast to ${show(shape)}`);
  }
  const beta = realFactor(op, "beta", scales.beta, a.dtype), alpha = realFactor(op, "alpha", scales.alpha, a.dtype);
  if (beta === null || alpha === null) {
    return scope(() => {
      const scaled = product(op, a, b).mul(scales.alpha);
      // With beta 0 the input is not read: NaN in it does not spread.
      return beta === 0 ? scaled : scaled.add(input.mul(scales.beta));
    });
  }
  const out = emptyLikeDevice(op, shape, a.dtype, a);
  const row = input.ndim <= 1 && alpha === 1 && beta === 1 && out.storage.backend.matmulEpilogue !== undefined;
  if (!row || !biased(a, b, input, out)) {
    if (beta !== 0) unrecorded(() => out.copy_(input.detach()));
    runProduct(a, b, out, alpha, beta);
  }
  if (!recording([input, a, b])) return out;
  const inputShape = input.shape;
  return record(node, out, [input, a, b], savedOf(a, b), (grad, saved, needs) => [
    needs[0] ? sumTo(beta === 1 ? grad : grad.mul(beta), inputShape) : null,
    ...productGradients(grad, saved, needs[1], needs[2], alpha),
  ]);
}

/** Throws unless a value is a tensor of `ndim` dimensions. */
export function checkDims(op: string, name: string, x: Tensor, ndim: number): void {
  checkTensor(op, name, x);
  if (x.ndim !== ndim) throw new ShapeError(`${op}(): ${name} must have ${ndim} dimensions: ${show(x.shape)}`);
}

/** Adds a dimension of size 1 at `dim`. */
export function withDim(x: Tensor, dim: number): Tensor {
  return reshapeTo(x, [...x.shape.slice(0, dim), 1, ...x.shape.slice(dim)]);
}

/** The product by the rules of `matmul`, for operands that {@linkcode checkProduct} passed. */
export function matmulOf(op: string, a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 2 && b.ndim === 2) return product(op, a, b);
  if (a.ndim === 0 || b.ndim === 0) {
    throw new ShapeError(`${op}(): both operands need at least one dimension: ${show(a.shape)} @ ${show(b.shape)}`);
  }
  const left = a.ndim === 1 ? withDim(a, 0) : a, right = b.ndim === 1 ? withDim(b, 1) : b;
  if (left.shape[left.ndim - 1] !== right.shape[right.ndim - 2]) {
    throw new ShapeError(
      `${op}(): inner dimensions differ: ${show(a.shape)} @ ${show(b.shape)} (${a.shape[a.ndim - 1]} != ${
        right.shape[right.ndim - 2]
      })`,
    );
  }
  let out: Tensor;
  if (right.ndim === 2 && left.ndim > 2) {
    // One matrix for the whole batch: rows of all batches are rows of one product.
    const k = left.shape[left.ndim - 1];
    const rows = left.shape.slice(0, -1).reduce((x, y) => x * y, 1);
    out = reshapeTo(product(op, reshapeTo(left, [rows, k]), right), [...left.shape.slice(0, -1), right.shape[1]]);
  } else {
    const ndim = Math.max(left.ndim, right.ndim);
    out = broadcastProduct(op, padded(left, ndim), padded(right, ndim));
  }
  if (a.ndim === 1 && b.ndim === 1) return reshapeTo(out, []);
  if (a.ndim === 1) return reshapeTo(out, [...out.shape.slice(0, -2), out.shape[out.ndim - 1]]);
  if (b.ndim === 1) return reshapeTo(out, out.shape.slice(0, -1));
  return out;
}

/** `x` with leading dimensions of size 1. */
function padded(x: Tensor, ndim: number): Tensor {
  return x.ndim === ndim ? x : reshapeTo(x, [...new Array<number>(ndim - x.ndim).fill(1), ...x.shape]);
}

/** The classic dynamic programme over where to put the parentheses. */
export function multiplyChain(op: string, list: readonly Tensor[]): Tensor {
  const n = list.length;
  const sizes = [list[0].shape[0], ...list.map((x) => x.shape[1])];
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const cut = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let length = 2; length <= n; length++) {
    for (let i = 0; i + length <= n; i++) {
      const j = i + length - 1;
      cost[i][j] = Infinity;
      for (let c = i; c < j; c++) {
        const total = cost[i][c] + cost[c + 1][j] + sizes[i] * sizes[c + 1] * sizes[j + 1];
        if (total < cost[i][j]) {
          cost[i][j] = total;
          cut[i][j] = c;
        }
      }
    }
  }
  const build = (i: number, j: number): Tensor =>
    i === j ? list[i] : product(op, build(i, cut[i][j]), build(cut[i][j] + 1, j));
  return build(0, n - 1);
}
