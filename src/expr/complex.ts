/**
 * Complex values as pairs of real expressions.
 *
 * A {@linkcode Complex} has the fluent methods of an expression, so an op's formula serves both; what has no complex
 * meaning throws. Because everything is lowered to real expressions, differentiation needs no complex rules: the real
 * Jacobian of (re, im) is PyTorch's convention (the gradient of L is dL/dre + i·dL/dim).
 *
 * Formulas are those that stay accurate near zeros, branch cuts and overflow (Kahan, "Branch cuts for complex
 * elementary functions", 1987); a part that is the constant 0 is dropped, so complex times real costs two products.
 *
 * @module
 */

import { DTypeError } from "../base/errors.ts";
import { constant, Expr, type Operand, type Scalar, type Value, where, withDerivative } from "./expr.ts";
import type { Kind } from "./kind.ts";
import { BINARY, type BinaryName, UNARY, type UnaryName } from "./primitives.ts";

type ComplexMethods =
  & { readonly [K in UnaryName]: () => Value }
  & { readonly [K in BinaryName]: (other: Operand) => Value };

/** The fluent methods: one per row of the tables below. */
export interface Complex extends ComplexMethods {}

/** A pair of real expressions. */
export class Complex implements Value {
  /** The real part. */
  readonly re: Expr;
  /** The imaginary part. */
  readonly im: Expr;

  /** Makes a complex value of its parts. */
  constructor(re: Expr, im: Expr | number = 0) {
    this.re = re;
    this.im = im instanceof Expr ? im : constant(im, re.kind);
  }

  /** The kind of the parts. */
  get kind(): Kind {
    return this.re.kind;
  }

  /** The value with its parts converted; `bool` is whether it differs from 0, as a complex 0 or 1. */
  to(kind: Kind): Complex {
    if (kind === "bool") return new Complex(nonzero(this), constant(false, "bool"));
    return new Complex(this.re.to(kind), this.im.to(kind));
  }

  /** A real expression as a complex value. */
  lift(value: Expr): Complex {
    return new Complex(value);
  }

  /** `where(condition, this, other)`, or the other way round. */
  select(condition: Expr, other: Operand, swapped: boolean): Complex {
    const [a, b] = swapped ? [complex(other, this.kind), this] : [this, complex(other, this.kind)];
    return choose(condition, a, b);
  }
}

/** A value as a complex one. */
export function complex(x: Operand, kind: Kind): Complex {
  if (x instanceof Complex) return x;
  return new Complex(x instanceof Expr ? x : constant(x as Scalar, kind));
}

/** The complex conjugate; a real value is its own. */
export function conj(x: Value): Value {
  return x instanceof Complex ? new Complex(x.re, x.im.neg()) : x;
}

/** The real part. */
export function real(x: Value): Expr {
  return x instanceof Complex ? x.re : x as Expr;
}

/** The imaginary part, 0 for a real value. */
export function imag(x: Value): Expr {
  return x instanceof Complex ? x.im : constant(0, x.kind);
}

/** The angle: atan2 of the parts; of a real value 0, π where it is negative, or NaN. */
export function angle(x: Value): Expr {
  if (x instanceof Complex) return x.im.atan2(x.re);
  const real = x as Expr;
  return real.isnan().where(real, real.lt(0).where(real.like(Math.PI), 0));
}

/** The sign: z / |z|, 0 at 0. */
export function sgn(x: Value): Value {
  if (!(x instanceof Complex)) return x.sign();
  const r = modulus(x);
  const at0 = r.eq(0);
  return new Complex(at0.where(0, x.re.div(r)), at0.where(0, x.im.div(r)));
}

/** r·e^(iθ). */
export function polar(r: Expr, theta: Expr): Complex {
  return new Complex(r.mul(theta.cos()), r.mul(theta.sin()));
}

/**
 * States the derivative f'(z) of a holomorphic function, where that of the formula's branches would be wrong on their
 * borders or cancel.
 */
function holomorphic(z: Complex, value: Complex, derivative: Complex): Complex {
  const { re: u, im: v } = derivative;
  withDerivative(value.re, [{ by: z.re, is: u }, { by: z.im, is: v.neg() }]);
  withDerivative(value.im, [{ by: z.re, is: v }, { by: z.im, is: u }]);
  return value;
}

/** The product with i. */
function timesI(z: Complex): Complex {
  return new Complex(z.im.neg(), z.re);
}

/** The product with -i. */
function timesMinusI(z: Complex): Complex {
  return new Complex(z.im, z.re.neg());
}

function scale(z: Complex, factor: number): Complex {
  return new Complex(z.re.mul(factor), z.im.mul(factor));
}

/** |z| without overflow; the mask makes its gradient 0 at 0. */
function modulus(z: Complex): Expr {
  return z.re.eq(0).logicalAnd(z.im.eq(0)).where(0, z.re.hypot(z.im));
}

function nonzero(z: Complex): Expr {
  return z.re.ne(0).logicalOr(z.im.ne(0));
}

function add(a: Complex, b: Complex): Complex {
  return new Complex(a.re.add(b.re), a.im.add(b.im));
}

function sub(a: Complex, b: Complex): Complex {
  return new Complex(a.re.sub(b.re), a.im.sub(b.im));
}

function mul(a: Complex, b: Complex): Complex {
  if (b.im.is(0)) return new Complex(a.re.mul(b.re), a.im.mul(b.re));
  if (a.im.is(0)) return new Complex(a.re.mul(b.re), a.re.mul(b.im));
  return new Complex(a.re.mul(b.re).sub(a.im.mul(b.im)), a.re.mul(b.im).add(a.im.mul(b.re)));
}

/** Smith's division: scaled by the larger part of the divisor, so that its square cannot overflow. */
function div(a: Complex, b: Complex): Complex {
  if (b.im.is(0)) return new Complex(a.re.div(b.re), a.im.div(b.re));
  const wide = b.re.abs().ge(b.im.abs());
  const big = wide.where(b.re, b.im);
  const small = wide.where(b.im, b.re);
  const ratio = small.div(big);
  const denominator = big.add(small.mul(ratio));
  const first = wide.where(a.re, a.im);
  const second = wide.where(a.im, a.re);
  const re = first.add(second.mul(ratio)).div(denominator);
  const im = second.sub(first.mul(ratio)).div(denominator);
  return new Complex(re, wide.where(im, im.neg()));
}

function exp(z: Complex): Complex {
  const e = z.re.exp();
  return new Complex(e.mul(z.im.cos()), e.mul(z.im.sin()));
}

function log(z: Complex): Complex {
  return new Complex(z.re.hypot(z.im).log(), z.im.atan2(z.re));
}

function expm1(z: Complex): Complex {
  const half = z.im.mul(0.5).sin();
  return new Complex(
    z.re.expm1().mul(z.im.cos()).sub(half.mul(half).mul(2)),
    z.re.exp().mul(z.im.sin()),
  );
}

/** |1 + z|² - 1 = x(x + 2) + y² does not cancel near 0; far away the square would overflow. */
function log1p(z: Complex): Complex {
  const { re: x, im: y } = z;
  const near = x.abs().lt(1).logicalAnd(y.abs().lt(1));
  const small = x.mul(x.add(2)).add(y.mul(y)).log1p().mul(0.5);
  const shifted = x.add(1);
  return new Complex(near.where(small, shifted.hypot(y).log()), y.atan2(shifted));
}

/** The principal root: the larger part by a root, the other by a division, so neither cancels. */
function sqrt(z: Complex): Complex {
  const { re: x, im: y } = z;
  const larger = x.abs().add(x.hypot(y)).mul(0.5).sqrt();
  const smaller = y.abs().div(larger.mul(2));
  const right = x.ge(0);
  const at0 = x.eq(0).logicalAnd(y.eq(0));
  const root = new Complex(
    at0.where(0, right.where(larger, smaller)),
    at0.where(y, right.where(smaller, larger).copysign(y)),
  );
  return holomorphic(z, root, reciprocal(scale(root, 2)));
}

function pow(a: Complex, b: Complex): Value {
  if (b.im.is(0) && b.re.op === "constant") {
    const exponent = Number(b.re.value);
    if (exponent === 0) return new Complex(constant(1, a.kind));
    if (exponent === 1) return a;
    if (exponent === 2) return mul(a, a);
    if (exponent === 3) return mul(mul(a, a), a);
    if (exponent === 0.5) return sqrt(a);
    if (exponent === -1) return reciprocal(a);
  }
  // |a|^c e^(-dθ) at the angle d log|a| + cθ: the modulus by a real power, which loses less than exp(c log|a|).
  const r = a.re.hypot(a.im), theta = a.im.atan2(a.re);
  const turned = b.im.is(0) ? theta.mul(b.re) : r.log().mul(b.im).add(theta.mul(b.re));
  const modulusOfPower = b.im.is(0) ? r.pow(b.re) : r.pow(b.re).mul(b.im.mul(theta).neg().exp());
  const power = polar(modulusOfPower, turned);
  const one = b.re.eq(0).logicalAnd(b.im.eq(0));
  const atZero = one.where(constant(1, a.kind), 0);
  return choose(nonzero(a), power, new Complex(atZero));
}

function reciprocal(z: Complex): Complex {
  return div(new Complex(constant(1, z.kind)), z);
}

function sin(z: Complex): Complex {
  return new Complex(z.re.sin().mul(z.im.cosh()), z.re.cos().mul(z.im.sinh()));
}

function cos(z: Complex): Complex {
  return new Complex(z.re.cos().mul(z.im.cosh()), z.re.sin().mul(z.im.sinh()).neg());
}

function cosh(z: Complex): Complex {
  return new Complex(z.re.cosh().mul(z.im.cos()), z.re.sinh().mul(z.im.sin()));
}

function sinh(z: Complex): Complex {
  return new Complex(z.re.sinh().mul(z.im.cos()), z.re.cosh().mul(z.im.sin()));
}

/** With t = tan y and h = tanh x: (h(1 + t²) + i t / cosh² x) / (1 + t²h²), where no part overflows early. */
function tanh(z: Complex): Complex {
  const t = z.im.tan();
  const h = z.re.tanh();
  const square = t.mul(t);
  const denominator = square.mul(h.mul(h)).add(1);
  const c = z.re.cosh();
  const value = new Complex(h.mul(square.add(1)).div(denominator), t.div(c).div(c).div(denominator));
  return holomorphic(z, value, oneMinus(mul(value, value)));
}

function oneMinus(z: Complex): Complex {
  return new Complex(z.re.neg().add(1), z.im.neg());
}

/** √(1 - z) and √(1 + z). */
function roots(z: Complex): [Complex, Complex] {
  return [sqrt(oneMinus(z)), sqrt(new Complex(z.re.add(1), z.im))];
}

/** re of conj(a)·b. */
function dot(a: Complex, b: Complex): Expr {
  return a.re.mul(b.re).add(a.im.mul(b.im));
}

/** im of conj(a)·b. */
function cross(a: Complex, b: Complex): Expr {
  return a.re.mul(b.im).sub(a.im.mul(b.re));
}

function asin(z: Complex): Complex {
  const [minus, plus] = roots(z);
  const re = minus.re.mul(plus.re).sub(minus.im.mul(plus.im));
  const value = new Complex(z.re.atan2(re), cross(minus, plus).asinh());
  return holomorphic(z, value, reciprocal(mul(minus, plus)));
}

function acos(z: Complex): Complex {
  const [minus, plus] = roots(z);
  const value = new Complex(minus.re.atan2(plus.re).mul(2), cross(plus, minus).asinh());
  return holomorphic(z, value, scale(reciprocal(mul(minus, plus)), -1));
}

function asinh(z: Complex): Complex {
  return timesMinusI(asin(timesI(z)));
}

function acosh(z: Complex): Complex {
  const low = sqrt(new Complex(z.re.sub(1), z.im));
  const high = sqrt(new Complex(z.re.add(1), z.im));
  const value = new Complex(dot(low, high).asinh(), low.im.atan2(high.re).mul(2));
  return holomorphic(z, value, reciprocal(mul(low, high)));
}

function atanh(z: Complex): Complex {
  const { re: x, im: y } = z;
  const size = x.abs();
  const left = size.neg().add(1);
  const square = y.mul(y);
  const value = new Complex(
    size.mul(4).div(left.mul(left).add(square)).log1p().mul(0.25).copysign(x),
    y.mul(2).atan2(left.mul(size.add(1)).sub(square)).mul(0.5),
  );
  return holomorphic(z, value, reciprocal(oneMinus(mul(z, z))));
}

/** One formula per primitive with one operand; `null` where there is no complex meaning. */
const COMPLEX_UNARY: Readonly<Record<UnaryName, ((z: Complex) => Value) | null>> = {
  neg: (z) => new Complex(z.re.neg(), z.im.neg()),
  abs: modulus,
  sign: null,
  floor: null,
  ceil: null,
  round: null,
  trunc: null,
  exp,
  exp2: (z) => exp(scale(z, Math.LN2)),
  expm1,
  log,
  log2: (z) => scale(log(z), 1 / Math.LN2),
  log10: (z) => scale(log(z), 1 / Math.LN10),
  log1p,
  sqrt,
  rsqrt: (z) => {
    const value = reciprocal(sqrt(z));
    return holomorphic(z, value, scale(mul(mul(value, value), value), -0.5));
  },
  reciprocal,
  sin,
  cos,
  tan: (z) => timesMinusI(tanh(timesI(z))),
  asin,
  acos,
  atan: (z) => timesMinusI(atanh(timesI(z))),
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  sigmoid: (z) => {
    const e = exp(new Complex(z.re.neg(), z.im.neg()));
    return reciprocal(new Complex(e.re.add(1), e.im));
  },
  erf: null,
  erfc: null,
  erfinv: null,
  lgamma: null,
  digamma: null,
  trigamma: null,
  logicalNot: (z) => nonzero(z).logicalNot(),
  bitwiseNot: null,
  isnan: (z) => z.re.isnan().logicalOr(z.im.isnan()),
  isinf: (z) => z.re.isinf().logicalOr(z.im.isinf()),
  isfinite: (z) => z.re.isfinite().logicalAnd(z.im.isfinite()),
};

/** One formula per primitive with two operands; `null` where there is no complex meaning. */
const COMPLEX_BINARY: Readonly<Record<BinaryName, ((a: Complex, b: Complex) => Value) | null>> = {
  add,
  sub,
  mul,
  div,
  floorDivide: null,
  truncDivide: null,
  remainder: null,
  fmod: null,
  pow,
  min: null,
  max: null,
  fmin: null,
  fmax: null,
  atan2: null,
  hypot: null,
  copysign: null,
  nextafter: null,
  zeta: null,
  gcd: null,
  eq: (a, b) => a.re.eq(b.re).logicalAnd(a.im.eq(b.im)),
  ne: (a, b) => a.re.ne(b.re).logicalOr(a.im.ne(b.im)),
  lt: null,
  le: null,
  gt: null,
  ge: null,
  logicalAnd: (a, b) => nonzero(a).logicalAnd(nonzero(b)),
  logicalOr: (a, b) => nonzero(a).logicalOr(nonzero(b)),
  logicalXor: (a, b) => nonzero(a).logicalXor(nonzero(b)),
  bitwiseAnd: null,
  bitwiseOr: null,
  bitwiseXor: null,
  shiftLeft: null,
  shiftRight: null,
  philox: null,
};

/** `a` where the condition holds, else `b`. */
function choose(condition: Expr, a: Complex, b: Complex): Complex {
  return new Complex(where(condition, a.re, b.re), where(condition, a.im, b.im));
}

function unsupported(name: string): never {
  throw new DTypeError(`${name}(): not defined for complex values`);
}

for (const name of UNARY) {
  const formula = COMPLEX_UNARY[name];
  Object.defineProperty(Complex.prototype, name, {
    value: function (this: Complex): Value {
      return formula === null ? unsupported(name) : formula(this);
    },
  });
}
for (const name of BINARY) {
  const formula = COMPLEX_BINARY[name];
  Object.defineProperty(Complex.prototype, name, {
    value: function (this: Complex, other: Operand): Value {
      return formula === null ? unsupported(name) : formula(this, complex(other, this.kind));
    },
  });
}
