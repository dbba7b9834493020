/**
 * The factorizations behind `torch.linalg`, recorded: triangular systems, LU, Cholesky, QR and eigenvalues.
 *
 * Each runs `Backend.factor` and has its gradient here, in ops that are recorded themselves, so every order exists. The
 * formulas are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
 * differentiation" (2008), with conjugates for complex matrices; what else `torch.linalg` has is composed of these.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record, recordMany } from "../../autograd/record.ts";
import { complex128, complex64, float32, float64, int32, int64, toComplex, toReal } from "../../base/dtype.ts";
import { DeviceError, DTypeError, LinAlgError, ShapeError, show } from "../../base/errors.ts";
import { broadcastShapes } from "../../base/shape.ts";
import type { FactorKind } from "../../backend/backend.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { tensor } from "../create/creation.ts";
import { checkOperands } from "../core/kernel.ts";
import { expandTo } from "../core/view_core.ts";
import { neededValues } from "../core/values.ts";
import { where } from "../pointwise/compare.ts";
import { cat } from "../shape/join.ts";

/** Refuses what is no batch of matrices that can be factored. */
export function checkMatrix(op: string, x: Tensor, square = false): void {
  checkOperands(op, [x]);
  const { shape } = x;
  if (shape.length < 2) throw new ShapeError(`${op}(): the input must have at least 2 dimensions: ${show([...shape])}`);
  if (square && shape[shape.length - 1] !== shape[shape.length - 2]) {
    throw new ShapeError(`${op}(): the matrices must be square: ${show([...shape])}`);
  }
  if (![float32, float64, complex64, complex128].includes(x.dtype)) {
    throw new DTypeError(`${op}(): needs float32, float64, complex64 or complex128: ${x.dtype}`);
  }
}

/** A row-major copy of `x` that may be written. */
function copyOf(op: string, x: Tensor): Tensor {
  return emptyLikeDevice(op, x.shape, x.dtype, x).copy_(x.detach());
}

/** Runs a factorization in place and gives how it ended, int32 by matrix. */
function run(op: string, kind: FactorKind, a: Tensor, b: Tensor | null, flags = 0): Tensor {
  const { backend } = a.storage;
  if (b !== null) checkOperands(op, [a, b]);
  if (!backend.factor) throw new DeviceError(`${op}(): ${a.device} has no factorizations; use x.to("cpu")`);
  const info = a.newZeros(a.shape.slice(0, -2), { dtype: int32 });
  backend.factor(kind, a, b, info, flags);
  return info;
}

/** Throws for the first matrix that failed, in PyTorch's words. */
export function checkInfo(op: string, info: Tensor, reason: (code: number) => string): void {
  const values = neededValues(op, "how the factorization ended", info);
  const at = values.findIndex((v) => v !== 0);
  if (at < 0) return;
  const batch = info.ndim > 0 ? `(Batch element ${at}): ` : "";
  throw new LinAlgError(`${op}(): ${batch}${reason(values[at])}`);
}

/** PyTorch's reason for a singular matrix. */
export function singular(code: number): string {
  return `The diagonal element ${code} is zero, the inversion could not be completed because the input matrix is singular.`;
}

/** PyTorch's reason for a matrix without a Cholesky factor. */
export function notPositive(code: number): string {
  return "The factorization could not be completed because the input is not positive-definite (the leading minor of " +
    `order ${code} is not positive-definite).`;
}

function notConverged(code: number): string {
  if (code < 0) return "the input holds elements that are not finite (NaN or infinity)";
  return "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated " +
    `eigenvalues (error code: ${code}).`;
}

/** Both with the batch dimensions that they broadcast to. */
export function broadcastBatches(op: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const batch = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [expandTo(a, [...batch, ...a.shape.slice(-2)], op), expandTo(b, [...batch, ...b.shape.slice(-2)], op)];
}

/** The solution X of A X = B, A triangular; batches are equal. */
export function triangularOf(op: string, a: Tensor, b: Tensor, upper: boolean, unit: boolean): Tensor {
  const out = unrecorded(() => {
    const x = copyOf(op, b);
    scope(() => void run(op, "triangular", copyOf(op, a), x, (upper ? 1 : 0) + (unit ? 2 : 0)));
    return x;
  });
  return record("LinalgSolveTriangularBackward0", out, [a, b], [a, out], (grad, [a, x], needs) => {
    const gb = triangularOf(op, a.mH, grad, !upper, unit);
    if (!needs[0]) return [null, gb];
    const ga = gb.matmul(x.mH).neg();
    return [upper ? ga.triu(unit ? 1 : 0) : ga.tril(unit ? -1 : 0), gb];
  });
}

/** An LU factorization: both factors in one matrix, the pivots (int32, from 1), and how it ended. */
export interface Lu {
  readonly lu: Tensor;
  readonly pivots: Tensor;
  readonly info: Tensor;
}

/** The factorization, not recorded. */
function plainLu(op: string, a: Tensor): Lu {
  return unrecorded(() => {
    const lu = copyOf(op, a), k = Math.min(...a.shape.slice(-2));
    const pivots = emptyLikeDevice(op, [...a.shape.slice(0, -2), k], int32, a);
    return { lu, pivots, info: run(op, "lu", lu, pivots) };
  });
}

/** Row i of P^T B is row `permutation[i]` of B: int64 `[…, m]`. */
export function permutationOf(op: string, pivots: Tensor, m: number): Tensor {
  checkTensor(op, "pivots", pivots);
  const k = pivots.shape[pivots.ndim - 1], values = neededValues(op, "the pivots", pivots);
  const batches = pivots.shape.slice(0, -1), count = batches.reduce((x, y) => x * y, 1);
  const rows = new BigInt64Array(count * m);
  for (let b = 0; b < count; b++) {
    for (let i = 0; i < m; i++) rows[b * m + i] = BigInt(i);
    for (let i = 0; i < k; i++) {
      const j = values[b * k + i] - 1;
      if (!(j >= 0 && j < m)) throw new ShapeError(`${op}(): pivots must be between 1 and ${m}: ${j + 1}`);
      [rows[b * m + i], rows[b * m + j]] = [rows[b * m + j], rows[b * m + i]];
    }
  }
  return tensor(rows, { dtype: int64, device: pivots.device }).reshape([...batches, m]);
}

/** The rows of `x` in the order of `permutation`. */
export function permuted(x: Tensor, permutation: Tensor): Tensor {
  return x.gather(-2, expandTo(permutation.unsqueeze(-1), x.shape, "gather"));
}

/** 1 or -1: the determinant of P. */
function parity(pivots: Tensor, like: Tensor): Tensor {
  const k = pivots.shape[pivots.ndim - 1];
  const places = tensor(Int32Array.from({ length: k }, (_, i) => i + 1), { dtype: int32, device: pivots.device });
  return pivots.ne(places).sum(-1).remainder(2).mul(-2).add(1).to(toReal(like.dtype));
}

/** The LU factorization, recorded by its matrix. */
export function luOf(op: string, a: Tensor): Lu {
  const { lu, pivots, info } = plainLu(op, a);
  const m = a.shape[a.ndim - 2], n = a.shape[a.ndim - 1], k = Math.min(m, n);
  const out = record("LinalgLuFactorExBackward0", lu, [a], [lu, pivots], (grad, [lu, pivots]) => [
    scope(() => {
      const head = lu.narrow(-2, 0, k).narrow(-1, 0, k);
      const [l, u] = [head, head.triu()];
      let gl = grad.narrow(-1, 0, k).tril(-1), gu = grad.narrow(-2, 0, k).triu();
      let side: Tensor | null = null, below: Tensor | null = null;
      if (n > m) {
        // U2 = L^-1 A2
        side = triangularOf(op, l.mH, gu.narrow(-1, k, n - k), true, true);
        gl = gl.sub(side.matmul(lu.narrow(-1, k, n - k).mH));
        gu = gu.narrow(-1, 0, k);
      } else if (m > n) {
        // L2 = A2 U^-1
        below = triangularOf(op, u, gl.narrow(-2, k, m - k).mH, true, false).mH;
        gu = gu.sub(lu.narrow(-2, k, m - k).mH.matmul(below).triu());
        gl = gl.narrow(-2, 0, k);
      }
      const unitL = l.tril(-1).add(eyeLike(l));
      let core = unitL.mH.matmul(gl).tril(-1).add(gu.matmul(u.mH).triu());
      core = triangularOf(op, l.mH, core, true, true);
      core = triangularOf(op, u, core.mH, true, false).mH;
      if (side) core = cat([core, side], -1);
      if (below) core = cat([core, below], -2);
      return permuted(core, permutationOf(op, pivots, m).argsort(-1));
    }),
  ]);
  return { lu: out, pivots, info };
}

/** The identity with the dtype and device of `x`, and its number of columns unless another size is given. */
export function eyeLike(x: Tensor, size = x.shape[x.ndim - 1]): Tensor {
  return x.newOnes([size]).diagEmbed();
}

/** The solution of A X = B for square A, and how it ended. */
export function solveOf(op: string, a: Tensor, b: Tensor): { x: Tensor; info: Tensor } {
  const { lu, pivots, info } = plainLu(op, a);
  const plain = unrecorded(() =>
    scope(() => {
      const y = triangularOf(op, lu, permuted(b, permutationOf(op, pivots, a.shape[a.ndim - 1])), false, true);
      return triangularOf(op, lu, y, true, false);
    })
  );
  const x = record("LinalgSolveExBackward0", plain, [a, b], [a, plain], (grad, [a, x], needs) => {
    const gb = solveOf(op, a.mH, grad).x;
    return [needs[0] ? gb.matmul(x.mH).neg() : null, gb];
  });
  return { x, info };
}

/** The inverse, and how it ended. */
export function inverseOf(op: string, a: Tensor): { inverse: Tensor; info: Tensor } {
  const { x, info } = unrecorded(() => solveOf(op, a, expandTo(eyeLike(a), a.shape, op)));
  const inverse = record("LinalgInvExBackward0", x, [a], [x], (grad, [y]) => [
    scope(() => y.mH.matmul(grad).matmul(y.mH).neg()),
  ]);
  return { inverse, info };
}

/** Sign and logarithm of the size of the determinant. */
export function slogdetOf(op: string, a: Tensor): [Tensor, Tensor] {
  const [sign, log] = unrecorded(() => {
    const { lu, pivots } = plainLu(op, a);
    const diagonal = lu.diagonal(0, -2, -1);
    return [diagonal.sgn().prod(-1).mul(parity(pivots, a)), diagonal.abs().log().sum(-1)];
  });
  recordMany("LinalgSlogdetBackward0", [sign, log], [a], [a, sign], ([gs, gl], [a, sign]) => [
    scope(() => {
      let g = gl ?? sign.abs().mul(0);
      // A turn of the sign is an imaginary change of the logarithm; a real sign does not change.
      if (gs && a.dtype.isComplex) g = g.sub(imaginary(gs.conj().mul(sign)));
      return inverseOf(op, a).inverse.mH.mul(g.unsqueeze(-1).unsqueeze(-1));
    }),
  ]);
  return [sign, log];
}

/** i · Im(x). */
function imaginary(x: Tensor): Tensor {
  return x.sub(x.conj()).div(2);
}

/** The determinant. */
export function detOf(op: string, a: Tensor): Tensor {
  const det = unrecorded(() => {
    const { lu, pivots } = plainLu(op, a);
    return lu.diagonal(0, -2, -1).prod(-1).mul(parity(pivots, a));
  });
  return record("LinalgDetBackward0", det, [a], [a], (grad, [a]) => [
    scope(() => cofactors(op, a).mul(grad.unsqueeze(-1).unsqueeze(-1))),
  ]);
}

/** The conjugate cofactors of each matrix, which are det · A^-H where there is an inverse. */
function cofactors(op: string, a: Tensor): Tensor {
  const det = detOf(op, a);
  const zero = det.detach().eq(0);
  const regular = where(zero.unsqueeze(-1).unsqueeze(-1), eyeLike(a), a);
  const usual = inverseOf(op, regular).inverse.mH.mul(detOf(op, regular).conj().unsqueeze(-1).unsqueeze(-1));
  if (!neededValues(op, "the determinant", zero).some((v) => v !== 0)) return usual;
  return where(zero.unsqueeze(-1).unsqueeze(-1), minors(op, a), usual);
}

/** The conjugate cofactors as determinants of minors: what holds for matrices of any rank, to every order. */
function minors(op: string, a: Tensor): Tensor {
  const n = a.shape[a.ndim - 1];
  if (n === 1) return a.mul(0).add(1);
  const order = (i: number) => tensor(Array.from({ length: n - 1 }, (_, j) => j < i ? j : j + 1), { dtype: int64 });
  let sum = a.newZeros(a.shape);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const minor = a.indexSelect(-2, order(i)).indexSelect(-1, order(j));
      const signs = new Float32Array(n * n);
      signs[i * n + j] = (i + j) % 2 ? -1 : 1;
      const unit = tensor(signs, { device: a.device }).reshape([n, n]).to(a.dtype);
      sum = sum.add(detOf(op, minor).conj().unsqueeze(-1).unsqueeze(-1).mul(unit));
    }
  }
  return sum;
}

/** The lower Cholesky factor, from the lower triangle or the upper one, and how it ended. */
export function choleskyOf(op: string, a: Tensor, upper: boolean): { factor: Tensor; info: Tensor } {
  const { l, info } = unrecorded(() => {
    const l = copyOf(op, upper ? a.mH : a);
    return { l, info: run(op, "cholesky", l, null) };
  });
  const factor = record("LinalgCholeskyExBackward0", l, [a], [l], (grad, [l]) => [
    scope(() => {
      const phi = l.mH.matmul(grad);
      const core = phi.tril().add(phi.tril(-1).mH).div(2);
      const half = triangularOf(op, l.mH, core, true, false);
      return triangularOf(op, l.mH, half.mH, true, false).mH;
    }),
  ]);
  return { factor, info };
}

/** The packed QR factorization: R above, reflectors below the diagonal, and the reflectors' factors; not recorded. */
function packedQr(op: string, a: Tensor): { packed: Tensor; tau: Tensor } {
  return unrecorded(() => {
    const packed = copyOf(op, a), k = Math.min(...a.shape.slice(-2));
    const tau = emptyLikeDevice(op, [...a.shape.slice(0, -2), k], a.dtype, a);
    run(op, "qr", packed, tau);
    return { packed, tau };
  });
}

/** The first `columns` columns of the product of the reflectors; not recorded. */
function formQ(op: string, packed: Tensor, tau: Tensor, columns: number): Tensor {
  return unrecorded(() => {
    const m = packed.shape[packed.ndim - 2], k = tau.shape[tau.ndim - 1];
    const q = packed.newZeros([...packed.shape.slice(0, -2), m, columns]);
    if (k === 0) return q.add(eyeLike(q, m).narrow(-1, 0, columns));
    q.narrow(-1, 0, k).copy_(packed.narrow(-1, 0, k));
    run(op, "formQ", q, tau.contiguous(), k);
    return q;
  });
}

/** Q and R; gradients where Q is thin, or square. */
export function qrOf(op: string, a: Tensor, complete: boolean): [Tensor, Tensor] {
  const m = a.shape[a.ndim - 2], n = a.shape[a.ndim - 1], k = Math.min(m, n), columns = complete ? m : k;
  const { packed, tau } = packedQr(op, a);
  const q = formQ(op, packed, tau, columns);
  const r = unrecorded(() => packed.narrow(-2, 0, columns).triu());
  recordMany("LinalgQrBackward0", [q, r], [a], [a, q, r], ([gq, gr], [a, q, r]) => [
    scope(() => {
      if (columns > k) {
        throw new LinAlgError(`${op}(): the complete Q of a tall matrix has no gradient; use mode "reduced"`);
      }
      let g = gq ?? q.mul(0), gu = gr ?? r.mul(0), side: Tensor | null = null;
      if (n > m) {
        // R2 = Q^H A2
        side = q.matmul(gu.narrow(-1, k, n - k));
        g = g.add(a.narrow(-1, k, n - k).matmul(gu.narrow(-1, k, n - k).mH));
        [gu, r] = [gu.narrow(-1, 0, k), r.narrow(-1, 0, k)];
      }
      const upper = gu.matmul(r.mH).sub(q.mH.matmul(g)).triu();
      const sum = upper.add(upper.mH);
      const diagonal = upper.diagonal(0, -2, -1);
      const symmetric = sum.sub(diagonal.add(diagonal.conj()).div(2).diagEmbed());
      const core = triangularOf(op, r, g.add(q.matmul(symmetric)).mH, true, false).mH;
      return side ? cat([core, side], -1) : core;
    }),
  ]);
  return [q, r];
}

/** Differences of eigenvalues, `[…, i, j]` being `w[j] - w[i]`, with ones on the diagonal. */
export function gaps(w: Tensor): Tensor {
  return w.unsqueeze(-2).sub(w.unsqueeze(-1)).add(eyeLike(w));
}

/** Square matrices with zeros on the diagonal. */
export function offDiagonal(x: Tensor): Tensor {
  return x.sub(x.diagonal(0, -2, -1).diagEmbed());
}

/** Eigenvalues and vectors of Hermitian matrices, from one triangle; the vectors mean nothing if only `values` are wanted. */
export function eighOf(op: string, a: Tensor, values: boolean, upper = false): [Tensor, Tensor] {
  const [w, v] = unrecorded(() => {
    const v = copyOf(op, upper ? a.mH : a), w = emptyLikeDevice(op, a.shape.slice(0, -1), toReal(a.dtype), a);
    checkInfo(op, run(op, "eigh", v, w, values ? 1 : 0), notConverged);
    return [w, v];
  });
  recordMany("LinalgEighBackward0", [w, v], [a], [w, v], ([gw, gv], [w, v]) => [
    scope(() => {
      let core = gw ? gw.diagEmbed().to(v.dtype) : v.mul(0);
      if (gv) {
        const inner = v.mH.matmul(gv);
        core = core.add(offDiagonal(inner).div(gaps(w)));
      }
      const full = v.matmul(core).matmul(v.mH);
      return full.add(full.mH).div(2);
    }),
  ]);
  return [w, v];
}

/** Eigenvalues and vectors of any square matrices, both complex; the vectors mean nothing if only `values` are wanted. */
export function eigOf(op: string, a: Tensor, values: boolean): [Tensor, Tensor] {
  const x = a.dtype.isComplex ? a : a.to(toComplex(a.dtype));
  const [w, v] = unrecorded(() => {
    const v = copyOf(op, x), w = emptyLikeDevice(op, x.shape.slice(0, -1), x.dtype, x);
    checkInfo(op, run(op, "eig", v, w, values ? 1 : 0), notConverged);
    return [w, v];
  });
  recordMany("LinalgEigBackward0", [w, v], [x], [w, v], ([gw, gv], [w, v]) => [
    scope(() => {
      let core = gw ? gw.diagEmbed() : v.mul(0);
      if (gv) {
        const inner = v.mH.matmul(gv), own = inner.diagonal(0, -2, -1);
        // The vectors have length 1: what would change that does not count.
        const change = inner.sub(v.mH.matmul(v).mul(own.add(own.conj()).div(2).unsqueeze(-2)));
        core = core.add(offDiagonal(change).div(gaps(w).conj()));
      }
      return solveOf(op, v.mH, core.matmul(v.mH)).x;
    }),
  ]);
  return [w, v];
}
