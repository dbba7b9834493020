/**
 * Formulas of the special functions, as scalar expressions.
 *
 * Series are cut where the kind's precision ends, so float32 programs are half as long as float64 ones.
 *
 * @module
 */

import { type Expr, where, withDerivative } from "../../expr/expr.ts";
import * as table from "./special_tables.ts";

/** A Chebyshev series in y / 2 by Clenshaw's recurrence; see `special_tables.ts` for the order of coefficients. */
function chebyshev(y: Expr, coefficients: readonly number[]): Expr {
  const precision = y.kind === "f32" ? 2 ** -27 : 2 ** -56;
  const first = coefficients.findIndex((c) => Math.abs(c) > precision);
  let [b0, b1, b2]: Expr[] = [y.like(coefficients[first]), y.like(0), y.like(0)];
  for (const c of coefficients.slice(first + 1)) {
    [b1, b2] = [b0, b1];
    b0 = y.mul(b1).sub(b2).add(c);
  }
  return b0.sub(b2).mul(0.5);
}

/** A polynomial by Horner's scheme, the highest power first. */
function polynomial(x: Expr, coefficients: readonly number[]): Expr {
  return coefficients.slice(1).reduce((sum, c) => sum.mul(x).add(c), x.like(coefficients[0]));
}

/** e^-|x| I0(x). */
export function i0eOf(x: Expr): Expr {
  const a = x.abs();
  const small = chebyshev(a.mul(0.5).sub(2), table.I0_SMALL);
  const large = chebyshev(a.like(32).div(a).sub(2), table.I0_LARGE).div(a.sqrt());
  const value = where(a.le(8), small, large);
  return withDerivative(value, [{ by: x, is: i1eFormula(x).sub(x.sign().mul(value)) }]);
}

/** I0(x). */
export function i0Of(x: Expr): Expr {
  const value = x.abs().exp().mul(i0eOf(x));
  return withDerivative(value, [{ by: x, is: x.abs().exp().mul(i1eFormula(x)) }]);
}

function i1eFormula(x: Expr): Expr {
  const a = x.abs();
  const small = chebyshev(a.mul(0.5).sub(2), table.I1_SMALL).mul(x);
  const large = chebyshev(a.like(32).div(a).sub(2), table.I1_LARGE).div(a.sqrt()).copysign(x);
  return where(a.le(8), small, large);
}

/** e^-|x| I1(x). */
export function i1eOf(x: Expr): Expr {
  const value = i1eFormula(x);
  const slope = i0eOf(x).sub(value.mul(x.sign().add(x.reciprocal())));
  return withDerivative(value, [{ by: x, is: where(x.eq(0), 0.5, slope) }]);
}

/** I1(x). */
export function i1Of(x: Expr): Expr {
  const value = x.abs().exp().mul(i1eFormula(x));
  return withDerivative(value, [{ by: x, is: where(x.eq(0), 0.5, i0Of(x).sub(value.div(x))) }]);
}

/** e^(x²) erfc(x). */
export function erfcxOf(x: Expr): Expr {
  const a = x.abs();
  const right = chebyshev(a.sub(3.75).div(a.add(3.75)).mul(2), table.ERFCX).div(a.mul(2).add(1));
  const value = where(x.lt(0), x.mul(x).exp().mul(2).sub(right), right);
  return withDerivative(value, [{ by: x, is: x.mul(value).mul(2).sub(2 / Math.sqrt(Math.PI)) }]);
}

/** log Φ(x), Φ being the distribution function of the standard normal distribution. */
export function logNdtrOf(x: Expr): Expr {
  const t = x.mul(Math.SQRT1_2);
  const scaled = erfcxOf(t.neg());
  const left = scaled.mul(0.5).log().sub(t.mul(t));
  const value = where(x.lt(-1), left, t.erfc().mul(-0.5).log1p());
  return withDerivative(value, [{ by: x, is: scaled.reciprocal().mul(Math.sqrt(2 / Math.PI)) }]);
}

/** Φ(x). */
export function ndtrOf(x: Expr): Expr {
  return x.mul(-Math.SQRT1_2).erfc().mul(0.5);
}

/** The inverse of Φ. */
export function ndtriOf(p: Expr): Expr {
  const border = Math.exp(-2);
  const upper = p.gt(1 - border);
  const q = where(upper, p.neg().add(1), p);
  const centred = q.sub(0.5);
  const square = centred.mul(centred);
  const ratio = polynomial(square, table.NDTRI_MIDDLE_P).div(polynomial(square, table.NDTRI_MIDDLE_Q));
  const middle = centred.add(centred.mul(square).mul(ratio)).mul(Math.sqrt(2 * Math.PI));
  const x = q.log().mul(-2).sqrt();
  const z = x.reciprocal();
  const near = polynomial(z, table.NDTRI_TAIL_P).div(polynomial(z, table.NDTRI_TAIL_Q));
  const far = polynomial(z, table.NDTRI_FAR_P).div(polynomial(z, table.NDTRI_FAR_Q));
  const size = x.sub(x.log().div(x)).sub(z.mul(where(x.lt(8), near, far)));
  const tail = where(upper, size, size.neg());
  const inside = where(q.gt(border), middle, tail);
  const value = where(p.eq(0), -Infinity, where(p.eq(1), Infinity, inside));
  return withDerivative(value, [{ by: p, is: value.mul(value).mul(0.5).exp().mul(Math.sqrt(2 * Math.PI)) }]);
}

/** -x log x, 0 at 0 and -∞ below. */
export function entrOf(x: Expr): Expr {
  const value = where(x.isnan(), x, where(x.gt(0), x.neg().mul(x.log()), where(x.eq(0), 0, -Infinity)));
  return withDerivative(value, [{ by: x, is: x.log().add(1).neg() }]);
}
