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

/** The series of a modified Bessel function of the first kind, scaled by e^-a: up to 8, and beyond. */
function besselParts(a: Expr, small: readonly number[], large: readonly number[]): [small: Expr, large: Expr] {
  return [chebyshev(a.mul(0.5).sub(2), small), chebyshev(a.like(32).div(a).sub(2), large).div(a.sqrt())];
}

/** e^-|x| I0(x). */
export function i0eOf(x: Expr): Expr {
  const [small, large] = besselParts(x.abs(), table.I0_SMALL, table.I0_LARGE);
  const value = where(x.abs().le(8), small, large);
  return withDerivative(value, [{ by: x, is: () => i1eOf(x).sub(x.sign().mul(value)) }]);
}

/** I0(x). */
export function i0Of(x: Expr): Expr {
  return withDerivative(x.abs().exp().mul(i0eOf(x)), [{ by: x, is: () => i1Of(x) }]);
}

/** e^-|x| I1(x). */
export function i1eOf(x: Expr): Expr {
  const [small, large] = besselParts(x.abs(), table.I1_SMALL, table.I1_LARGE);
  const value = where(x.abs().le(8), small.mul(x), large.copysign(x));
  return withDerivative(value, [{ by: x, is: () => i0eOf(x).sub(x.sign().mul(value)).sub(i1eRatio(x)) }]);
}

/** I1(x). */
export function i1Of(x: Expr): Expr {
  const value = x.abs().exp().mul(i1eOf(x));
  return withDerivative(value, [{ by: x, is: () => i0Of(x).sub(x.abs().exp().mul(i1eRatio(x))) }]);
}

/** e^-|x| I1(x) / x, which is 1/2 at 0. */
function i1eRatio(x: Expr): Expr {
  const a = x.abs();
  const [small, large] = besselParts(a, table.I1_SMALL, table.I1_LARGE);
  const value = where(a.le(8), small, large.div(a));
  const slope = (): Expr => {
    // The derivative of I1(x) / x is (I0(x) - 2 I1(x) / x) / x; close to 0, where that cancels, its series.
    const square = x.mul(x);
    const near = square.mul(1 / 3072).add(1 / 96).mul(square).add(1 / 8).mul(x).mul(a.neg().exp());
    const far = i0eOf(x).sub(value.mul(2)).div(x);
    return where(a.lt(x.kind === "f32" ? 0.3 : 0.02), near, far).sub(x.sign().mul(value));
  };
  return withDerivative(value, [{ by: x, is: slope }]);
}

/** e^(x²) erfc(x). */
export function erfcxOf(x: Expr): Expr {
  const a = x.abs();
  // 2 (a - 3.75) / (a + 3.75), written so that infinity gives 2.
  const y = a.add(3.75).reciprocal().mul(-15).add(2);
  const right = chebyshev(y, table.ERFCX).div(a.add(0.5)).mul(0.5);
  const value = where(x.lt(0), x.mul(x).exp().mul(2).sub(right), right);
  return withDerivative(value, [{ by: x, is: () => erfcxSlope(x, value) }]);
}

/** 2x · erfcx(x) - 2/√π; for large x, where that cancels, its asymptotic series. */
function erfcxSlope(x: Expr, value: Expr): Expr {
  const far = x.gt(x.kind === "f32" ? 10 : 100);
  const z = where(far, x.mul(x), 1).reciprocal();
  const series = z.mul(-105 / 8).add(15 / 4).mul(z).sub(3 / 2).mul(z).add(1).mul(z).mul(-1 / Math.sqrt(Math.PI));
  return where(far, series, x.mul(value).mul(2).sub(2 / Math.sqrt(Math.PI)));
}

/** log Φ(x), Φ being the distribution function of the standard normal distribution. */
export function logNdtrOf(x: Expr): Expr {
  const t = x.mul(Math.SQRT1_2);
  const scaled = erfcxOf(t.neg());
  const left = scaled.mul(0.5).log().sub(t.mul(t));
  const value = where(x.lt(-1), left, t.erfc().mul(-0.5).log1p());
  return withDerivative(value, [{ by: x, is: () => millsReciprocal(x, scaled) }]);
}

/** The density at x divided by Φ(x), `scaled` being erfcx(-x / √2). */
function millsReciprocal(x: Expr, scaled: Expr): Expr {
  const value = scaled.reciprocal().mul(Math.sqrt(2 / Math.PI));
  const slope = (): Expr => {
    // -h(x + h) cancels below 0, where erfcx and its derivative do not overflow.
    const left = value.mul(erfcxSlope(x.mul(-Math.SQRT1_2), scaled)).div(scaled).mul(Math.SQRT1_2);
    return where(x.lt(0), left, value.mul(x.add(value)).neg());
  };
  return withDerivative(value, [{ by: x, is: slope }]);
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
