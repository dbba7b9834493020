/**
 * Singular value decomposition, recorded.
 *
 * @module
 */

import { ArgumentError, DeviceError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { toReal } from "../../base/dtype.ts";
import { recordMany } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { cat } from "../shape/join.ts";
import { checkOperands } from "../core/kernel.ts";
import { gaps, offDiagonal } from "./factor_core.ts";

/** `x = u @ diag(s) @ vh` with orthonormal columns of `u` and rows of `vh`; `s` descends. */
export interface Svd {
  /** Left vectors, `[…, m, k]`. */
  readonly u: Tensor;
  /** Singular values, `[…, k]`. */
  readonly s: Tensor;
  /** Right vectors, `[…, k, n]`. */
  readonly vh: Tensor;
}

/**
 * The thin decomposition of matrices `[…, m, n]`, k being the smaller of m and n.
 *
 * On WebGPU: the left vector of a singular value of exactly zero is zero.
 *
 * @throws {ArgumentError} if an element is not finite
 * @throws {DeviceError} if the device has none
 */
export function svdOf(op: string, input: Tensor): Svd {
  checkOperands(op, [input]);
  const { backend } = input.storage, { isComplex } = input.dtype;
  if (!isComplex && (!input.dtype.isFloatingPoint || input.dtype.itemsize < 4)) {
    throw new DTypeError(`${op}(): a decomposition needs float32 or float64: ${input.dtype}`);
  }
  if (isComplex && !backend.factor) {
    throw new DeviceError(`${op}(): ${input.device} has no decompositions of complex matrices; use x.to("cpu")`);
  }
  if (!backend.svd) throw new DeviceError(`${op}(): ${input.device} has no decompositions; use await x.cpu()`);
  const [m, n] = input.shape.slice(-2), batch = input.shape.slice(0, -2), k = Math.min(m, n);
  const u = emptyLikeDevice(op, [...batch, m, k], input.dtype, input);
  const s = emptyLikeDevice(op, [...batch, k], toReal(input.dtype), input);
  const vh = emptyLikeDevice(op, [...batch, k, n], input.dtype, input);
  if (!backend.svd(op, input.contiguous(), u, s, vh)) {
    throw new ArgumentError(`${op}(): the matrix holds elements that are not finite`);
  }
  recordMany("SvdBackward0", [u, s, vh], [input], [u, s, vh], ([gu, gs, gvh], [u, s, vh]) => [
    scope(() => svdGradient(gu, gs, gvh, u, s, vh)),
  ]);
  return { u, s, vh };
}

/**
 * The sum of the singular values of the matrices over two dimensions, of which there must be two.
 *
 * Differs from PyTorch: second derivatives of complex matrices are NaN.
 */
export function nuclearNorm(input: Tensor, dims: readonly number[], keepdim: boolean): Tensor {
  if (dims.length !== 2) {
    throw new ShapeError(
      `norm(): the nuclear norm is over two dimensions: ${show(dims)} of shape ${show(input.shape)}`,
    );
  }
  return scope(() => {
    const matrices = input.movedim([...dims], [-2, -1]);
    const total = input.dtype.isComplex
      ? svdOf("norm", realForm(matrices)).s.sum(-1).div(2)
      : svdOf("norm", matrices).s.sum(-1);
    return keepdim ? [...dims].sort((a, b) => a - b).reduce((y, d) => y.unsqueeze(d), total) : total;
  });
}

/** [[Re, -Im], [Im, Re]]: the real matrix that has each singular value of a complex one twice. */
function realForm(x: Tensor): Tensor {
  return cat([cat([x.real, x.imag.neg()], -1), cat([x.imag, x.real], -1)], -2);
}

/**
 * The gradient of the thin decomposition.
 *
 * With E_ij = s_j^2 - s_i^2 off the diagonal and skew(X) = X - X^T it is
 * U ((skew(U^T gU) / E) S + S (skew(Vh gV) / E) + diag(gS)) Vh, plus what leaves the spans of U and of V.
 *
 * @see https://j-towns.github.io/papers/svd-derivative.pdf
 */
function svdGradient(
  gu: Tensor | null,
  gs: Tensor | null,
  gvh: Tensor | null,
  u: Tensor,
  s: Tensor,
  vh: Tensor,
): Tensor {
  const row = s.unsqueeze(-2), column = s.unsqueeze(-1);
  const k = s.shape[s.ndim - 1];
  let core = gs ? gs.diagEmbed().to(u.dtype) : null;
  const add = (sum: Tensor | null, term: Tensor) => sum ? sum.add(term) : term;
  if (gu || gvh) {
    const apart = gaps(s.mul(s)), skew = (x: Tensor) => x.sub(x.mH);
    if (gu) {
      const turn = skew(u.mH.matmul(gu));
      core = add(core, offDiagonal(turn).div(apart).mul(row));
      // Complex vectors turn by phases too; U takes the turn of both sides.
      if (u.dtype.isComplex) {
        const own = turn.diagonal(0, -2, -1);
        core = core.add(own.div(s.mul(2)).diagEmbed());
      }
    }
    if (gvh) core = add(core, offDiagonal(skew(vh.matmul(gvh.mH))).div(apart).mul(column));
  }
  let out = u.matmul(core!).matmul(vh);
  if (gu && u.shape[u.ndim - 2] > k) {
    const outside = gu.sub(u.matmul(u.mH.matmul(gu)));
    out = out.add(outside.div(row).matmul(vh));
  }
  if (gvh && vh.shape[vh.ndim - 1] > k) {
    const outside = gvh.sub(gvh.matmul(vh.mH).matmul(vh));
    out = out.add(u.matmul(outside.div(column)));
  }
  return out;
}
