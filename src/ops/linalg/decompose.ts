/**
 * Decompositions of `torch.linalg`: LU, Cholesky, QR, eigenvalues, singular values, and the pseudo-inverse.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record, recording } from "../../autograd/record.ts";
import { toReal } from "../../base/dtype.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import { finfo } from "../../base/limits.ts";
import { scope } from "../../tensor/scope.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { type Fn, OutArgs, scopedFn } from "../core/op.ts";
import { writeOut } from "../core/define.ts";
import { named, type NamedTuple } from "../core/named.ts";
import { where } from "../pointwise/compare.ts";
import { cat } from "../shape/join.ts";
import {
  checkInfo,
  checkMatrix,
  choleskyOf,
  eighOf,
  eigOf,
  eyeLike,
  luOf,
  notPositive,
  permutationOf,
  permuted,
  qrOf,
  singular,
} from "./factor_core.ts";
import { NoArgs } from "../../base/call.ts";
import { CheckErrorsArgs } from "./solve.ts";
import { svdOf } from "./svd.ts";

/** The parameters of {@linkcode lu} and {@linkcode luFactor}. */
export class LuArgs {
  /** Whether rows are exchanged, so that pivots are large; only CUDA could do without, so it must be true. */
  pivot = true;
}

/** The parameters of {@linkcode luFactorEx}. */
export class LuExArgs extends CheckErrorsArgs {
  /** Whether rows are exchanged; must be true. */
  pivot = true;
}

function checkPivot(op: string, pivot: boolean): void {
  if (pivot !== true) {
    throw new ArgumentError(`${op}(): the CPU has no LU without pivoting, as in PyTorch; leave out pivot`);
  }
}

/** Packed LU factors and pivots (int32, counted from 1). */
export type LuFactor = NamedTuple<["LU", "pivots"]>;

/**
 * L, without its ones, and U in one matrix, and the pivots: row i was exchanged with row `pivots[i] - 1`.
 *
 * Shape: `[…, m, n]` to `[…, m, n]` and `[…, min(m, n)]`.
 *
 * @throws {LinAlgError} if a pivot is zero
 */
export const luFactor: Fn<typeof LuArgs, LuFactor> = scopedFn("linalg.luFactor", LuArgs, (input, { pivot }) => {
  checkPivot("linalg.luFactor", pivot);
  checkMatrix("linalg.luFactor", input);
  const { lu, pivots, info } = luOf("linalg.luFactor", input);
  checkInfo(
    "linalg.luFactor",
    info,
    (code) => `U[${code},${code}] is zero and using it on lu_solve would result in a division by zero.`,
  );
  return named<["LU", "pivots"]>({ LU: lu, pivots });
});

/** {@linkcode luFactor} that tells of zero pivots instead of throwing. */
export const luFactorEx: Fn<typeof LuExArgs, NamedTuple<["LU", "pivots", "info"]>> = scopedFn(
  "linalg.luFactorEx",
  LuExArgs,
  (input, { checkErrors, pivot }) => {
    checkPivot("linalg.luFactorEx", pivot);
    checkMatrix("linalg.luFactorEx", input);
    const { lu, pivots, info } = luOf("linalg.luFactorEx", input);
    if (checkErrors) checkInfo("linalg.luFactorEx", info, singular);
    return named<["LU", "pivots", "info"]>({ LU: lu, pivots, info });
  },
);

/**
 * The factors of A = P L U, by partial pivoting.
 *
 * Shape: `[…, m, n]` to `[…, m, m]`, `[…, m, k]` and `[…, k, n]`, k being the smaller of m and n.
 */
export const lu: Fn<typeof LuArgs, NamedTuple<["P", "L", "U"]>> = scopedFn("linalg.lu", LuArgs, (input, { pivot }) => {
  checkPivot("linalg.lu", pivot);
  checkMatrix("linalg.lu", input);
  const { lu, pivots } = luOf("linalg.lu", input);
  const m = input.shape[input.ndim - 2], k = pivots.shape[pivots.ndim - 1];
  const P = unrecorded(() => {
    const eye = eyeLike(input, m).expand([...input.shape.slice(0, -2), m, m]);
    return permuted(eye, permutationOf("linalg.lu", pivots, m)).mT.contiguous();
  });
  const lower = lu.narrow(-1, 0, k).tril(-1);
  const L = lower.add(eyeLike(input, m).narrow(-1, 0, k));
  return named<["P", "L", "U"]>({ P, L, U: lu.narrow(-2, 0, k).triu() });
});

/** The parameters of {@linkcode cholesky}. */
export class CholeskyArgs extends OutArgs {
  /** Whether the upper factor U with A = U^H U is wanted. */
  upper = false;
}

/**
 * The lower factor L of A = L L^H, for Hermitian positive-definite A, of which the lower triangle is read (the upper one if
 * `upper`).
 *
 * @throws {LinAlgError} if a matrix is not positive-definite
 */
export const cholesky: Fn<typeof CholeskyArgs> = scopedFn("linalg.cholesky", CholeskyArgs, (input, { upper, out }) => {
  checkMatrix("linalg.cholesky", input, true);
  const { factor, info } = choleskyOf("linalg.cholesky", input, upper);
  checkInfo("linalg.cholesky", info, notPositive);
  return writeOut("linalg.cholesky", out, upper ? factor.mH : factor);
});

/** The parameters of {@linkcode choleskyEx}. */
export class CholeskyExArgs extends CheckErrorsArgs {
  /** Whether the upper factor is wanted. */
  upper = false;
}

/** {@linkcode cholesky} that tells which matrices failed: `info` is 0, or the order of the first minor that is not positive. */
export const choleskyEx: Fn<typeof CholeskyExArgs, NamedTuple<["L", "info"]>> = scopedFn(
  "linalg.choleskyEx",
  CholeskyExArgs,
  (input, { upper, checkErrors }) => {
    checkMatrix("linalg.choleskyEx", input, true);
    const { factor, info } = choleskyOf("linalg.choleskyEx", input, upper);
    if (checkErrors) checkInfo("linalg.choleskyEx", info, notPositive);
    return named<["L", "info"]>({ L: upper ? factor.mH : factor, info });
  },
);

/** The parameters of {@linkcode qr}. */
export class QrArgs {
  constructor(
    /** `"reduced"`: Q `[…, m, k]`; `"complete"`: Q `[…, m, m]`; `"r"`: Q is empty. */
    public mode: "reduced" | "complete" | "r" = "reduced",
  ) {}
}

/**
 * A = Q R with orthonormal columns of Q and upper triangular R, by Householder reflections.
 *
 * Differs from PyTorch: mode `"r"` has a gradient.
 */
export const qr: Fn<typeof QrArgs, NamedTuple<["Q", "R"]>> = scopedFn("linalg.qr", QrArgs, (input, { mode }) => {
  checkMatrix("linalg.qr", input);
  if (!["reduced", "complete", "r"].includes(mode)) {
    throw new ArgumentError(`linalg.qr(): mode must be "reduced", "complete" or "r": ${describe(mode)}`);
  }
  const [Q, R] = qrOf("linalg.qr", input, mode === "complete");
  return named<["Q", "R"]>({ Q: mode === "r" ? input.newZeros([0]) : Q, R });
});

/** The parameters of {@linkcode eigh} and {@linkcode eigvalsh}. */
export class EighArgs {
  constructor(
    /** The triangle that is read: `"L"` lower, `"U"` upper. */
    public UPLO: "L" | "U" = "L",
  ) {}
}

/** Eigenvalues and vectors. */
export type Eigen = NamedTuple<["eigenvalues", "eigenvectors"]>;

/** Whether the upper triangle is meant. */
function isUpper(op: string, input: Tensor, UPLO: string): boolean {
  checkMatrix(op, input, true);
  const side = typeof UPLO === "string" ? UPLO.toUpperCase() : UPLO;
  if (side !== "L" && side !== "U") {
    throw new ArgumentError(`${op}(): UPLO must be "L" or "U": ${describe(UPLO)}`);
  }
  return side === "U";
}

/**
 * Eigenvalues, real and ascending, and orthonormal eigenvectors, as columns, of Hermitian matrices.
 *
 * The sign, or phase, of a vector is free; so gradients are right only of functions that do not depend on it, and exist only
 * where values are distinct.
 *
 * @throws {LinAlgError} if an element is not finite or the iteration does not converge
 */
export const eigh: Fn<typeof EighArgs, Eigen> = scopedFn("linalg.eigh", EighArgs, (input, { UPLO }) => {
  const [eigenvalues, eigenvectors] = eighOf("linalg.eigh", input, false, isUpper("linalg.eigh", input, UPLO));
  return named<["eigenvalues", "eigenvectors"]>({ eigenvalues, eigenvectors });
});

/** The eigenvalues of {@linkcode eigh} alone. */
export const eigvalsh: Fn<typeof EighArgs> = scopedFn("linalg.eigvalsh", EighArgs, (input, { UPLO }) => {
  // The gradient needs the vectors.
  return eighOf("linalg.eigvalsh", input, !recording([input]), isUpper("linalg.eigvalsh", input, UPLO))[0];
});

/**
 * Eigenvalues and eigenvectors of square matrices, complex, in no order; vectors have length 1.
 *
 * Differs from PyTorch: values of real matrices come from complex arithmetic, so what is real in exact arithmetic may have an
 * imaginary part of the size of the rounding errors.
 *
 * @throws {LinAlgError} if an element is not finite or the iteration does not converge
 */
export const eig: Fn<typeof NoArgs, Eigen> = scopedFn("linalg.eig", NoArgs, (input) => {
  checkMatrix("linalg.eig", input, true);
  const [eigenvalues, eigenvectors] = eigOf("linalg.eig", input, false);
  return named<["eigenvalues", "eigenvectors"]>({ eigenvalues, eigenvectors });
});

/** The eigenvalues of {@linkcode eig} alone. */
export const eigvals: Fn<typeof OutArgs> = scopedFn("linalg.eigvals", OutArgs, (input, { out }) => {
  checkMatrix("linalg.eigvals", input, true);
  return writeOut("linalg.eigvals", out, eigOf("linalg.eigvals", input, !recording([input]))[0]);
});

/** The parameters of {@linkcode svd}. */
export class SvdArgs {
  constructor(
    /** Whether U `[…, m, m]` and Vh `[…, n, n]` are square; else U `[…, m, k]` and Vh `[…, k, n]`. */
    public fullMatrices = true,
  ) {}
}

/** The columns that make the thin `u` square; they have no gradient. */
function completed(op: string, u: Tensor): Tensor {
  const m = u.shape[u.ndim - 2], k = u.shape[u.ndim - 1];
  if (m === k) return u;
  const extra = unrecorded(() => qrOf(op, u.detach(), true)[0].narrow(-1, k, m - k).contiguous());
  return cat([u, extra], -1);
}

/**
 * A = U diag(S) Vh with orthonormal columns of U and rows of Vh; S is real and descends.
 *
 * Gradients exist where the singular values are distinct, of functions that do not depend on the sign, or phase, of vectors;
 * those that complete the square matrices have none.
 *
 * @throws {LinAlgError} if the iteration does not converge
 * @throws {ArgumentError} if an element is not finite
 */
export const svd: Fn<typeof SvdArgs, NamedTuple<["U", "S", "Vh"]>> = scopedFn("linalg.svd", SvdArgs, (input, o) => {
  checkMatrix("linalg.svd", input);
  const { u, s, vh } = svdOf("linalg.svd", input);
  if (!o.fullMatrices) return named<["U", "S", "Vh"]>({ U: u, S: s, Vh: vh });
  return named<["U", "S", "Vh"]>({
    U: completed("linalg.svd", u),
    S: s,
    Vh: completed("linalg.svd", vh.mH).mH,
  });
});

/** The singular values alone, descending. */
export const svdvals: Fn<typeof OutArgs> = scopedFn("linalg.svdvals", OutArgs, (input, { out }) => {
  checkMatrix("linalg.svdvals", input);
  return writeOut("linalg.svdvals", out, svdOf("linalg.svdvals", input).s);
});

/** A tolerance: a number, or one of each matrix. */
export type Tolerance = number | Tensor | null;

/** The parameters of {@linkcode pinv} and {@linkcode matrixRank}. */
export class ToleranceArgs extends OutArgs {
  /** Singular values up to this count as zero; `null`: 0. */
  atol: Tolerance = null;
  /** The same, times the largest; `null`: max(m, n) times the machine epsilon, or 0 where `atol` is given. */
  rtol: Tolerance = null;
  constructor(
    /** Whether the matrices are Hermitian, so that eigenvalues of the lower triangle serve. */
    public hermitian = false,
  ) {
    super();
  }
}

function column(op: string, name: string, x: unknown): number | Tensor {
  if (x instanceof Tensor) return x.unsqueeze(-1);
  if (typeof x === "number") return x;
  throw new ArgumentError(`${op}(): ${name} must be a number or a Tensor: ${describe(x)}`);
}

/** Which of the singular values `s` of `a` count. */
function counted(op: string, a: Tensor, s: Tensor, o: ToleranceArgs): Tensor {
  const exact = o.atol === null || o.atol === 0;
  const rtol = o.rtol ?? (exact ? Math.max(...a.shape.slice(-2)) * finfo(toReal(a.dtype)).eps : 0);
  if (s.shape[s.ndim - 1] === 0) return s.gt(0);
  const limit = s.amax(-1, true).mul(column(op, "rtol", rtol)), least = column(op, "atol", o.atol ?? 0);
  return s.gt(limit.maximum(limit.mul(0).add(least)));
}

/** The number of singular values above the tolerance, int64. */
export const matrixRank: Fn<typeof ToleranceArgs> = scopedFn("linalg.matrixRank", ToleranceArgs, (input, o) => {
  const op = "linalg.matrixRank";
  checkMatrix(op, input, o.hermitian);
  const s = unrecorded(() => o.hermitian ? eighOf(op, input.detach(), true)[0].abs() : svdOf(op, input.detach()).s);
  return writeOut(op, o.out, counted(op, input, s, o).sum(-1));
});

/** The Moore-Penrose inverse; its gradient is that of Golub and Pereyra, for matrices whose rank does not change. */
export const pinv: Fn<typeof ToleranceArgs> = scopedFn("linalg.pinv", ToleranceArgs, (input, o) => {
  checkMatrix("linalg.pinv", input, o.hermitian);
  return writeOut("linalg.pinv", o.out, pinvOf("linalg.pinv", input, o));
});

function pinvOf(op: string, a: Tensor, o: ToleranceArgs): Tensor {
  const inverse = unrecorded(() =>
    scope(() => {
      if (o.hermitian) {
        const [w, v] = eighOf(op, a.detach(), false);
        const scale = where(counted("linalg.pinv", a, w.abs(), o), w.reciprocal(), w.mul(0));
        return v.mul(scale.unsqueeze(-2)).matmul(v.mH);
      }
      const { u, s, vh } = svdOf(op, a.detach());
      const scale = where(counted("linalg.pinv", a, s, o), s.reciprocal(), s.mul(0));
      return vh.mH.mul(scale.unsqueeze(-2)).matmul(u.mH);
    })
  );
  return record("LinalgPinvBackward0", inverse, [a], [a], (grad, [a]) => [
    scope(() => {
      const p = pinvOf(op, a, o), ph = p.mH, gh = grad.mH;
      const left = eyeLike(a.matmul(p)).sub(a.matmul(p)), right = eyeLike(p.matmul(a)).sub(p.matmul(a));
      const inner = ph.matmul(grad).matmul(ph);
      return left.matmul(gh).matmul(p).matmul(ph).add(ph.matmul(p).matmul(gh).matmul(right)).sub(inner);
    }),
  ]);
}
