/**
 * `linalg`: linear algebra, under the names of `torch.linalg`.
 *
 * Factorizations run on the CPU (`factor_core.ts`, `svd.ts`); everything here is composed of them in recorded ops. Other
 * devices have products, norms of vectors and, for real matrices, the singular values; the rest says `x.to("cpu")`.
 *
 * DType: float32, float64, complex64 and complex128. Shape: every function takes any number of batch dimensions first.
 *
 * @see https://docs.pytorch.org/docs/stable/linalg.html
 * @module
 */

import "../attach.ts";

export { LinAlgError } from "../../base/errors.ts";
export * from "./decompose.ts";
export * from "./matrix_norm.ts";
export * from "./solve.ts";
export { matmul } from "./matmul.ts";
