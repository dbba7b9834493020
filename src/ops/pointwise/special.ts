/**
 * `special`: the special functions, under the names of `torch.special` and SciPy.
 *
 * Shape: any. DType: floating; integers and bools compute in the default floating dtype.
 *
 * @see https://docs.pytorch.org/docs/stable/special.html
 * @module
 */

import "../attach.ts";
import { DTypeError } from "../../base/errors.ts";
import type { Expr, Value } from "../../expr/expr.ts";
import { type BinaryFunction, OtherArgs } from "./binary.ts";
import { alias, type Pointwise, pointwise } from "../core/define.ts";
import { type Fn, fn, OutArgs } from "../core/op.ts";
import * as unary from "./unary.ts";
import * as core from "./special_core.ts";

export { xlog1py, xlogy } from "./binary.ts";
export { logsumexp } from "../reduce/reduce.ts";
export { logSoftmax, softmax } from "../nn/softmax.ts";
export { digamma, erf, erfc, erfinv, exp2, expm1, log1p, logit, polygamma, round, sinc } from "./unary.ts";

/** Same as {@linkcode digamma}. */
export const psi: Pointwise = alias("psi", unary.digamma);
/** Same as `lgamma`. */
export const gammaln: Pointwise = alias("gammaln", unary.lgamma);
/** Same as `sigmoid`. */
export const expit: Pointwise = alias("expit", unary.sigmoid);
/** Same as `mvlgamma`. */
export const multigammaln: Fn<typeof unary.MvlgammaArgs> = fn(
  "multigammaln",
  unary.MvlgammaArgs,
  (input, args) => unary.mvlgamma(input, args),
);

function special(name: string, expr: (x: Expr) => Value): Pointwise {
  return pointwise(OutArgs, {
    name,
    compute: "float",
    check: (dtype) => {
      if (dtype.isComplex) throw new DTypeError(`${name}(): not defined for complex tensors: ${dtype}`);
    },
    expr,
  });
}

/** -x log x, 0 at 0 and -∞ for negative x: the terms of an entropy. */
export const entr: Pointwise = special("entr", core.entrOf);
/** e^(x²) erfc(x), which does not underflow. */
export const erfcx: Pointwise = special("erfcx", core.erfcxOf);
/** The modified Bessel function of the first kind, order 0. */
export const i0: Pointwise = special("i0", core.i0Of);
/** e^-|x| · {@linkcode i0}. */
export const i0e: Pointwise = special("i0e", core.i0eOf);
/** The modified Bessel function of the first kind, order 1. */
export const i1: Pointwise = special("i1", core.i1Of);
/** e^-|x| · {@linkcode i1}. */
export const i1e: Pointwise = special("i1e", core.i1eOf);
/** The distribution function of the standard normal distribution. */
export const ndtr: Pointwise = special("ndtr", core.ndtrOf);
/** The inverse of {@linkcode ndtr}. */
export const ndtri: Pointwise = special("ndtri", core.ndtriOf);
/** The logarithm of {@linkcode ndtr}, accurate far to the left. */
export const logNdtr: Pointwise = special("logNdtr", core.logNdtrOf);
/** Hurwitz's zeta function Σ (other + n)^-input; differentiable by `other` alone. */
export const zeta: BinaryFunction = pointwise(OtherArgs, {
  name: "zeta",
  operands: ["other"],
  compute: "float",
  expr: (s: Expr, q: Expr) => s.zeta(q),
});
