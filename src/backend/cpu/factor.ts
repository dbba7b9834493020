/**
 * Factorizations of matrices on the CPU.
 *
 * @module
 */

import { LinAlgError } from "../../base/errors.ts";
import { numelOf } from "../../base/shape.ts";
import type { FactorKind, Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { oneDtype } from "./operands.ts";
import { check, type KernelLibrary } from "./lib.ts";
import { addressOf } from "./pack.ts";

/** The status of a matrix with an element that is not finite. */
const NOT_FINITE = -3;

/** The status of an iteration that did not converge. */
const NOT_CONVERGED = -6;

const KINDS: readonly FactorKind[] = ["lu", "cholesky", "qr", "formQ", "triangular", "eigh", "eig"];

/** Thin decomposition of dense matrices; see `Backend.svd`. */
export const svd: KernelOf<KernelLibrary, "svd"> = (lib, op, x, u, s, vh) => {
  oneDtype("svd", x, u);
  oneDtype("svd", x, vh);
  const [m, n] = x.shape.slice(-2);
  const batches = numelOf(x.shape.slice(0, -2));
  if (m === 0 || n === 0 || batches === 0) return true;
  const status = lib.k.cresset_svd(
    x.dtype.code,
    batches,
    m,
    n,
    addressOf(x),
    addressOf(u),
    addressOf(s),
    addressOf(vh),
  );
  if (status === NOT_FINITE) return false;
  if (status === NOT_CONVERGED) {
    throw new LinAlgError(`${op}(): the algorithm failed to converge, because the matrix is ill-conditioned`);
  }
  check("svd", status);
  return true;
};

/** Factorizations in place; see `Backend.factor`. */
export const factor: KernelOf<KernelLibrary, "factor"> = (lib, kind, a, b, info, flags) => {
  const [m, n] = (kind === "triangular" ? b! : a).shape.slice(-2);
  const batches = numelOf(a.shape.slice(0, -2));
  if (m === 0 || n === 0 || batches === 0) return;
  const address = (x: Strided | null) => x === null ? 0 : addressOf(x);
  const code = KINDS.indexOf(kind);
  check(
    kind,
    lib.k.cresset_factor(code, a.dtype.code, batches, m, n, address(a), address(b), address(info), flags),
  );
};
