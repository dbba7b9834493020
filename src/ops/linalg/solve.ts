/**
 * Systems of equations, inverses, determinants and powers of `torch.linalg`.
 *
 * @module
 */

import { NoArgs } from "../../base/call.ts";
import { ArgumentError, show } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Fn, OutArgs, scopedFn } from "../core/op.ts";
import { writeOut } from "../core/define.ts";
import { named, type NamedTuple } from "../core/named.ts";
import { expandTo } from "../core/view_core.ts";
import { where } from "../pointwise/compare.ts";
import {
  broadcastBatches,
  checkInfo,
  checkMatrix,
  detOf,
  eyeLike,
  inverseOf,
  permutationOf,
  permuted,
  singular,
  slogdetOf,
  solveOf,
  triangularOf,
} from "./factor_core.ts";

/**
 * The determinant of square matrices.
 *
 * Shape: `[…, n, n]` to `[…]`. The gradient of singular matrices is made of minors, which takes time of the order n⁵.
 */
export const det: Fn<typeof OutArgs> = scopedFn("linalg.det", OutArgs, (input, { out }) => {
  checkMatrix("linalg.det", input, true);
  return writeOut("linalg.det", out, detOf("linalg.det", input));
});

/**
 * Sign (of size 1, complex for complex matrices; 0 for a singular one) and logarithm of the size of the determinant.
 *
 * Shape: `[…, n, n]` to two of `[…]`.
 */
export const slogdet: Fn<typeof NoArgs, NamedTuple<["sign", "logabsdet"]>> = scopedFn(
  "linalg.slogdet",
  NoArgs,
  (input) => {
    checkMatrix("linalg.slogdet", input, true);
    const [sign, logabsdet] = slogdetOf("linalg.slogdet", input);
    return named<["sign", "logabsdet"]>({ sign, logabsdet });
  },
);

/**
 * The inverse of square matrices.
 *
 * @throws {LinAlgError} if a matrix is singular
 */
export const inv: Fn<typeof OutArgs> = scopedFn("linalg.inv", OutArgs, (input, { out }) => {
  checkMatrix("linalg.inv", input, true);
  const { inverse, info } = inverseOf("linalg.inv", input);
  checkInfo("linalg.inv", info, singular);
  return writeOut("linalg.inv", out, inverse);
});

/** The parameters of functions that tell of errors instead of throwing them. */
export class CheckErrorsArgs {
  /** Whether a failure throws. */
  checkErrors = false;
}

/** {@linkcode inv} that tells which matrices are singular: `info` is 0, or the place of the first zero pivot, from 1. */
export const invEx: Fn<typeof CheckErrorsArgs, NamedTuple<["inverse", "info"]>> = scopedFn(
  "linalg.invEx",
  CheckErrorsArgs,
  (input, { checkErrors }) => {
    checkMatrix("linalg.invEx", input, true);
    const { inverse, info } = inverseOf("linalg.invEx", input);
    if (checkErrors) checkInfo("linalg.invEx", info, singular);
    return named<["inverse", "info"]>({ inverse, info });
  },
);

/** The parameters of {@linkcode solve}. */
export class SolveArgs extends OutArgs {
  /** Whether X A = B is solved instead of A X = B. */
  left = true;
  constructor(
    /** The right side: matrices `[…, n, k]` (`[…, k, n]` if `left` is false), or vectors `[n]` or `[…, n]`. */
    public B: Tensor,
  ) {
    super();
  }
}

/** Whether B holds vectors, by PyTorch's rule. */
function isVector(a: Tensor, b: Tensor): boolean {
  return b.ndim === 1 ||
    (a.ndim - 1 === b.ndim && b.shape.every((size, i) => size === a.shape[i]));
}

function solved(op: string, a: Tensor, right: Tensor, left: boolean): { x: Tensor; info: Tensor } {
  checkMatrix(op, a, true);
  const vector = isVector(a, right);
  if (vector && !left) {
    throw new ArgumentError(`${op}(): with left: false B must be matrices: ${show([...right.shape])}`);
  }
  checkMatrix(op, vector ? right.unsqueeze(-1) : right);
  const b = vector ? right.unsqueeze(-1) : left ? right : right.mT;
  checkSides(op, a, b, right);
  const [wideA, wideB] = broadcastBatches(op, left ? a : a.mT, b);
  const { x, info } = solveOf(op, wideA, wideB);
  return { x: vector ? x.squeeze(-1) : left ? x : x.mT, info };
}

function checkSides(op: string, a: Tensor, b: Tensor, right: Tensor): void {
  if (a.dtype !== b.dtype) throw new ArgumentError(`${op}(): A and B differ in dtype: ${a.dtype} and ${b.dtype}`);
  if (a.shape[a.ndim - 1] !== b.shape[b.ndim - 2]) {
    throw new ArgumentError(`${op}(): A and B do not fit: ${show([...a.shape])} and ${show([...right.shape])}`);
  }
}

/**
 * The solution X of A X = B, for square A with an inverse.
 *
 * @param input A, `[…, n, n]`
 * @throws {LinAlgError} if a matrix is singular
 */
export const solve: Fn<typeof SolveArgs> = scopedFn("linalg.solve", SolveArgs, (input, { B, left, out }) => {
  const { x, info } = solved("linalg.solve", input, B, left);
  checkInfo(
    "linalg.solve",
    info,
    (code) => `The solver failed because the input matrix is singular (the diagonal element ${code} is zero).`,
  );
  return writeOut("linalg.solve", out, x);
});

/** The parameters of {@linkcode solveEx}. */
export class SolveExArgs extends CheckErrorsArgs {
  /** Whether X A = B is solved instead of A X = B. */
  left = true;
  constructor(
    /** The right side, as in {@linkcode solve}. */
    public B: Tensor,
  ) {
    super();
  }
}

/** {@linkcode solve} that tells which matrices are singular. */
export const solveEx: Fn<typeof SolveExArgs, NamedTuple<["result", "info"]>> = scopedFn(
  "linalg.solveEx",
  SolveExArgs,
  (input, { B, left, checkErrors }) => {
    const { x, info } = solved("linalg.solveEx", input, B, left);
    if (checkErrors) checkInfo("linalg.solveEx", info, singular);
    return named<["result", "info"]>({ result: x, info });
  },
);

/** The parameters of {@linkcode solveTriangular}. */
export class SolveTriangularArgs extends OutArgs {
  /** Whether A is upper triangular; else lower. The other triangle is not read. */
  upper!: boolean;
  /** Whether X A = B is solved instead of A X = B. */
  left = true;
  /** Whether the diagonal counts as ones. */
  unitriangular = false;
  constructor(
    /** The right side, `[…, n, k]`, or `[…, k, n]` if `left` is false. */
    public B: Tensor,
  ) {
    super();
  }
}

/**
 * The solution X of A X = B for triangular A; a zero on the diagonal gives infinities and NaN.
 *
 * @param input A, `[…, n, n]`
 */
export const solveTriangular: Fn<typeof SolveTriangularArgs> = scopedFn(
  "linalg.solveTriangular",
  SolveTriangularArgs,
  (input, { B, upper, left, unitriangular, out }) => {
    const op = "linalg.solveTriangular";
    if (typeof upper !== "boolean") throw new ArgumentError(`${op}(): upper must be given, true or false`);
    checkMatrix(op, input, true);
    checkMatrix(op, B);
    checkSides(op, input, left ? B : B.mT, B);
    const [a, b] = left ? broadcastBatches(op, input, B) : broadcastBatches(op, input.mT, B.mT);
    const x = triangularOf(op, a, b, left ? upper : !upper, unitriangular);
    return writeOut(op, out, left ? x : x.mT);
  },
);

/** The parameters of {@linkcode luSolve}. */
export class LuSolveArgs extends SolveArgs {
  /** Whether the conjugate transpose of A counts instead. */
  adjoint = false;
  constructor(
    /** The pivots of the factorization, int32 `[…, n]`. */
    public pivots: Tensor,
    B: Tensor,
  ) {
    super(B);
  }
}

/**
 * The solution of A X = B from `luFactor(A)`.
 *
 * @param input the factors in one matrix, `[…, n, n]`
 */
export const luSolve: Fn<typeof LuSolveArgs> = scopedFn(
  "linalg.luSolve",
  LuSolveArgs,
  (input, { pivots, B, left, adjoint, out }) => {
    const op = "linalg.luSolve";
    checkMatrix(op, input, true);
    checkMatrix(op, B);
    checkSides(op, input, left ? B : B.mT, B);
    // X A = B is A^H X^H = B^H.
    const forward = adjoint !== left, rightSide = left ? B : B.mH;
    const [lu, b] = broadcastBatches(op, input, rightSide);
    const n = input.shape[input.ndim - 1];
    const order = expandTo(permutationOf(op, pivots, n), lu.shape.slice(0, -1), op);
    let x: Tensor;
    if (forward) {
      x = triangularOf(op, lu, triangularOf(op, lu, permuted(b, order), false, true), true, false);
    } else {
      const y = triangularOf(op, lu.mH, b, false, false);
      x = permuted(triangularOf(op, lu.mH, y, true, true), order.argsort(-1));
    }
    return writeOut(op, out, left ? x : x.mH);
  },
);

/** The parameters of {@linkcode matrixPower}. */
export class MatrixPowerArgs extends OutArgs {
  constructor(
    /** The exponent, an integer; a negative one is of the inverse. */
    public n: number,
  ) {
    super();
  }
}

/**
 * Square matrices to an integer power, by repeated squaring.
 *
 * @throws {LinAlgError} if the power is negative and a matrix is singular
 */
export const matrixPower: Fn<typeof MatrixPowerArgs> = scopedFn(
  "linalg.matrixPower",
  MatrixPowerArgs,
  (input, { n, out }) => {
    const op = "linalg.matrixPower";
    if (!Number.isSafeInteger(n)) throw new ArgumentError(`${op}(): n must be an integer: ${String(n)}`);
    checkMatrix(op, input, true);
    if (n === 0) {
      // Recorded all the same, with a gradient of zero.
      const eye = expandTo(eyeLike(input), input.shape, op);
      return writeOut(op, out, where(eye.eq(2), input, eye));
    }
    let square = n < 0 ? inv(input) : input, power: Tensor | null = null;
    for (let left = Math.abs(n); left > 0; left = Math.floor(left / 2)) {
      if (left % 2 === 1) power = power === null ? square : power.matmul(square);
      if (left > 1) square = square.matmul(square);
    }
    return writeOut(op, out, n === 1 ? input.clone() : power!);
  },
);
