/**
 * Pointwise functions of one tensor: each entry is its formula.
 *
 * Shape: any, the result has the input's. DType: functions that leave the integers compute integers and bools in the
 * default floating dtype; the others keep the dtype. Each op has an in-place form with a trailing underscore.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../../base/call.ts";
import { checkCount } from "../../base/checks.ts";
import { type DType, int64 } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import { finfo } from "../../base/limits.ts";
import { angle as angleOf, Complex, conj as conjOf, sgn as sgnOf } from "../../expr/complex.ts";
import { type Expr, type Value, where, withDerivative } from "../../expr/expr.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { alias, type Context, type Pointwise, pointwise } from "../core/define.ts";
import { OutArgs } from "../core/op.ts";
import { asMethod, type IsMethod, type Op, op } from "../core/op.ts";

/** A function whose values are not integers. */
function floating(name: string, expr: (x: Value) => Value): Pointwise {
  return pointwise(OutArgs, { name, compute: "float", expr });
}

/** {@linkcode floating} for a function whose range or steepness half precision does not hold. */
function steep(name: string, expr: (x: Value) => Value): Pointwise {
  return pointwise(OutArgs, { name, compute: "float", autocast: { gpu: "float32" }, expr });
}

function noBool(name: string): (dtype: DType) => void {
  return (dtype) => {
    if (dtype.kind === "bool") throw new DTypeError(`${name}(): not defined for bool; use logicalNot() or to() first`);
  };
}

/** A rounding: integers are what they are. */
function rounding(name: string, expr: (x: Value) => Value): Pointwise {
  return pointwise(OutArgs, {
    name,
    check: noBool(name),
    expr: (x: Value, { dtype }: Context) => dtype.isInteger ? x : expr(x),
  });
}

/** The absolute value; of a complex number its modulus, a real tensor. The derivative at 0 is 0. */
export const abs: Pointwise = pointwise(OutArgs, {
  name: "abs",
  check: noBool("abs"),
  expr: (x: Value) => x.abs(),
});
/** Same as {@linkcode abs}. */
export const absolute: Pointwise = alias("absolute", abs);
/** The angle in radians: of a real number 0, or π where it is negative. */
export const angle: Pointwise = floating("angle", angleOf);
/** -x. */
export const neg: Pointwise = pointwise(OutArgs, {
  name: "neg",
  check: noBool("neg"),
  expr: (x: Value) => x.neg(),
});
/** Same as {@linkcode neg}. */
export const negative: Pointwise = alias("negative", neg);
/** x itself, a new tensor: the unary plus. */
export const positive: Op<typeof NoArgs> = op("positive", NoArgs, (input) => {
  noBool("positive")(input.dtype);
  return input;
});
/** The sign: -1, 0 or 1; of NaN 0. */
export const sign: Pointwise = pointwise(OutArgs, { name: "sign", expr: (x: Value) => x.sign() });
/** The sign; of a complex number z / |z|, 0 at 0. */
export const sgn: Pointwise = pointwise(OutArgs, { name: "sgn", expr: sgnOf });
const conjugate = pointwise(OutArgs, { name: "conjPhysical", expr: conjOf });

/** The complex conjugate, computed at once; a real tensor is its own. */
export const conjPhysical: Pointwise = Object.assign(
  op("conjPhysical", OutArgs, (input, { out }) => {
    if (out) return conjugate(input, { out });
    return input.dtype.isComplex ? conjugate(input) : input;
  }),
  { inPlace: conjugate.inPlace },
);

/** The complex conjugate. Differs from PyTorch: computed at once, not a view with a flag. */
export const conj: Op<typeof NoArgs> = op("conj", NoArgs, (input) => conjPhysical(input));

/** The largest integer that is at most x. */
export const floor: Pointwise = rounding("floor", (x) => x.floor());
/** The least integer that is at least x. */
export const ceil: Pointwise = rounding("ceil", (x) => x.ceil());
/** x without its fraction. */
export const trunc: Pointwise = rounding("trunc", (x) => x.trunc());
/** Same as {@linkcode trunc}. */
export const fix: Pointwise = alias("fix", trunc);
/** x - trunc(x). */
export const frac: Pointwise = pointwise(OutArgs, {
  name: "frac",
  check: (dtype) => {
    if (dtype.kind !== "floating") {
      throw new DTypeError(`frac(): not defined for ${dtype}; use to(torch.float32) first`);
    }
  },
  expr: (x: Value) => x.sub(x.trunc()),
});

/** The parameters of {@linkcode round}. */
export class RoundArgs extends OutArgs {
  /** Digits to keep after the decimal point (before it, where negative). */
  decimals = 0;
}

/**
 * Rounds to the nearest integer, halves to the even one.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.tensor([0.5, 1.5, 2.5]).round().tolist(), [0, 2, 2]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.round.html
 */
export const round: Pointwise<typeof RoundArgs> = pointwise(RoundArgs, {
  name: "round",
  options: ["decimals"],
  check: noBool("round"),
  expr: (x: Value, { options, dtype }: Context) => {
    const decimals = options.decimals as number;
    if (dtype.isInteger) {
      if (decimals === 0) return x;
      throw new DTypeError(`round(): decimals are for floating tensors: ${dtype}`);
    }
    if (decimals === 0) return x.round();
    const scale = 10 ** Math.abs(decimals);
    return decimals > 0 ? x.mul(scale).round().div(scale) : x.div(scale).round().mul(scale);
  },
});

/**
 * e^x.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.tensor([0, -Infinity]).exp().tolist(), [1, 0]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.exp.html
 */
export const exp: Pointwise = steep("exp", (x) => x.exp());
/** 2^x. */
export const exp2: Pointwise = floating("exp2", (x) => x.exp2());
/** e^x - 1, accurate near 0. */
export const expm1: Pointwise = steep("expm1", (x) => x.expm1());
/** The natural logarithm. */
export const log: Pointwise = steep("log", (x) => x.log());
/** The logarithm to base 2. */
export const log2: Pointwise = steep("log2", (x) => x.log2());
/** The logarithm to base 10. */
export const log10: Pointwise = steep("log10", (x) => x.log10());
/** log(1 + x), accurate near 0. */
export const log1p: Pointwise = steep("log1p", (x) => x.log1p());
/** The square root. */
export const sqrt: Pointwise = floating("sqrt", (x) => x.sqrt());
/** 1 / √x. */
export const rsqrt: Pointwise = steep("rsqrt", (x) => x.rsqrt());
/** 1 / x. */
export const reciprocal: Pointwise = steep("reciprocal", (x) => x.reciprocal());
/** x². */
export const square: Pointwise = pointwise(OutArgs, {
  name: "square",
  // PyTorch squares bools into integers.
  compute: (dtype) => dtype.kind === "bool" ? int64 : dtype,
  autocast: { gpu: "float32" },
  expr: (x: Value) => x.mul(x),
});

/** The sine of radians. */
export const sin: Pointwise = floating("sin", (x) => x.sin());
/** The cosine of radians. */
export const cos: Pointwise = floating("cos", (x) => x.cos());
/** The tangent of radians. */
export const tan: Pointwise = steep("tan", (x) => x.tan());
/** The inverse sine. */
export const asin: Pointwise = steep("asin", (x) => x.asin());
/** Same as {@linkcode asin}. */
export const arcsin: Pointwise = alias("arcsin", asin);
/** The inverse cosine. */
export const acos: Pointwise = steep("acos", (x) => x.acos());
/** Same as {@linkcode acos}. */
export const arccos: Pointwise = alias("arccos", acos);
/** The inverse tangent. */
export const atan: Pointwise = floating("atan", (x) => x.atan());
/** Same as {@linkcode atan}. */
export const arctan: Pointwise = alias("arctan", atan);
/** The hyperbolic sine. */
export const sinh: Pointwise = steep("sinh", (x) => x.sinh());
/** The hyperbolic cosine. */
export const cosh: Pointwise = steep("cosh", (x) => x.cosh());
/** The hyperbolic tangent. */
export const tanh: Pointwise = floating("tanh", (x) => x.tanh());
/** The inverse hyperbolic sine. */
export const asinh: Pointwise = floating("asinh", (x) => x.asinh());
/** Same as {@linkcode asinh}. */
export const arcsinh: Pointwise = alias("arcsinh", asinh);
/** The inverse hyperbolic cosine. */
export const acosh: Pointwise = floating("acosh", (x) => x.acosh());
/** Same as {@linkcode acosh}. */
export const arccosh: Pointwise = alias("arccosh", acosh);
/** The inverse hyperbolic tangent. */
export const atanh: Pointwise = floating("atanh", (x) => x.atanh());
/** Same as {@linkcode atanh}. */
export const arctanh: Pointwise = alias("arctanh", atanh);
/** Degrees as radians. */
export const deg2rad: Pointwise = floating("deg2rad", (x) => x.mul(Math.PI / 180));
/** Radians as degrees. */
export const rad2deg: Pointwise = floating("rad2deg", (x) => x.mul(180 / Math.PI));
/** sin(πx) / (πx), 1 at 0. */
export const sinc: Pointwise = floating("sinc", (x) => {
  const scaled = x.mul(Math.PI);
  const value = where(x.eq(0) as Expr, 1, scaled.sin().div(scaled));
  return x instanceof Complex
    ? value
    : withDerivative(value as Expr, [{ by: x as Expr, is: () => sincSlope(x as Expr) }]);
});

/** (cos πx - sinc x) / x; close to 0, where that cancels, the first terms of its series. */
function sincSlope(x: Expr): Expr {
  const scaled = x.mul(Math.PI), square = scaled.mul(scaled);
  const near = square.mul(1 / 840).sub(1 / 30).mul(square).add(1 / 3).mul(scaled).mul(-Math.PI);
  const far = scaled.cos().sub(scaled.sin().div(scaled)).div(x);
  return where(x.abs().lt(x.kind === "f32" ? 0.1 : 0.02), near, far);
}

/** The error function. */
export const erf: Pointwise = floating("erf", (x) => x.erf());
/** 1 - erf(x), accurate for large x. */
export const erfc: Pointwise = floating("erfc", (x) => x.erfc());
/** The inverse of {@linkcode erf}, for values between -1 and 1. */
export const erfinv: Pointwise = steep("erfinv", (x) => x.erfinv());
/** log |Γ(x)|. */
export const lgamma: Pointwise = floating("lgamma", (x) => x.lgamma());
/** The derivative of {@linkcode lgamma}. */
export const digamma: Pointwise = floating("digamma", (x) => x.digamma());
/** 1 / (1 + e^-x). */
export const sigmoid: Pointwise = floating("sigmoid", (x) => x.sigmoid());

/** The parameters of {@linkcode logit}. */
export class LogitArgs extends OutArgs {
  constructor(
    /** Where given, x is clamped to `[eps, 1 - eps]` first; the gradient outside is 0. */
    public eps: number | null = null,
  ) {
    super();
  }
}

/** log(x / (1 - x)), the inverse of {@linkcode sigmoid}. */
export const logit: Pointwise<typeof LogitArgs> = pointwise(LogitArgs, {
  name: "logit",
  compute: "float",
  options: ["eps"],
  check: (dtype) => {
    if (dtype.isComplex) throw new DTypeError(`logit(): not defined for ${dtype}`);
  },
  expr: (x: Expr, { options }: Context) => {
    const eps = options.eps as number | null;
    const z = eps === null ? x : where(x.lt(eps), eps, where(x.gt(1 - eps), 1 - eps, x));
    const rest = z.neg().add(1);
    const slope = z.mul(rest).reciprocal();
    const inside = z.ge(0).logicalAnd(z.le(1));
    return withDerivative(z.div(rest).log(), [{ by: z, is: eps === null ? where(inside, slope, NaN) : slope }]);
  },
});

const polygammas = new Map<number, Pointwise>();

function polygammaOf(n: number): Pointwise {
  let op = polygammas.get(n);
  if (op === undefined) {
    let factor = n % 2 === 0 ? -1 : 1;
    // Beyond 170 the factorial is infinite, as it is in PyTorch.
    for (let k = 2; k <= n && Number.isFinite(factor); k++) factor *= k;
    op = floating("polygamma", (x) => {
      if (x instanceof Complex) throw new DTypeError("polygamma(): not defined for complex values");
      const real = x as Expr;
      if (n === 0) return real.digamma();
      return n === 1 ? real.trigamma() : real.like(n + 1).zeta(real).mul(factor);
    });
    polygammas.set(n, op);
  }
  return op;
}

/** The parameters of {@linkcode polygamma} as a function. */
export class PolygammaArgs {
  constructor(
    /** Which derivative, 0 or more. */
    public n: number | Tensor,
    /** The tensor. */
    public input: Tensor | number,
  ) {}
}
const polygammaArgs = call("polygamma", PolygammaArgs);

/**
 * The n-th derivative of {@linkcode digamma}: `polygamma(n, x)` or `x.polygamma(n)`.
 *
 * @throws {ArgumentError} if `n` is negative or not an integer
 */
export const polygamma: ((...args: Args<typeof PolygammaArgs>) => Tensor) & IsMethod = asMethod((...args) => {
  const { n, input } = polygammaArgs(args);
  const [order, x] = n instanceof Tensor ? [input as number, n] : [n, input as Tensor];
  checkCount("polygamma", "n", order, 0);
  return polygammaOf(order)(x);
});

/** The largest dimension of {@linkcode mvlgamma}: each takes one evaluation of lgamma in the kernel. */
const MOST_DIMENSIONS = 128;

const mvlgammas = new Map<number, Pointwise>();

/** The parameters of {@linkcode mvlgamma}. */
export class MvlgammaArgs {
  constructor(
    /** The dimension, from 1 to 128. */
    public p: number,
  ) {}
}

/**
 * The multivariate log-gamma function of dimension `p`: Σ lgamma(x - i/2) + p(p - 1)/4 · log π.
 *
 * @throws {ArgumentError} if `p` is not an integer from 1 to 128
 */
export const mvlgamma: Op<typeof MvlgammaArgs> = op("mvlgamma", MvlgammaArgs, (input, { p }) => {
  checkCount("mvlgamma", "p", p, 1, MOST_DIMENSIONS);
  let found = mvlgammas.get(p);
  if (found === undefined) {
    found = floating("mvlgamma", (x) => {
      let sum = x.lgamma();
      for (let i = 1; i < p; i++) sum = sum.add(x.sub(i / 2).lgamma());
      return sum.add((p * (p - 1) / 4) * Math.log(Math.PI));
    });
    mvlgammas.set(p, found);
  }
  return found(input);
});

/** The parameters of {@linkcode nanToNum}. */
export class NanToNumArgs extends OutArgs {
  constructor(
    /** For NaN; 0 if `null`. */
    public nan: number | null = null,
    /** For infinity; the largest finite value of the dtype if `null`. */
    public posinf: number | null = null,
    /** For minus infinity; the least finite value if `null`. */
    public neginf: number | null = null,
  ) {
    super();
  }
}

/**
 * Replaces NaN and infinities by numbers.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([NaN, Infinity, 1]);
 * assertEquals(await x.nanToNum(0, 9).tolist(), [0, 9, 1]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nan_to_num.html
 */
export const nanToNum: Pointwise<typeof NanToNumArgs> = pointwise(NanToNumArgs, {
  name: "nanToNum",
  options: ["nan", "posinf", "neginf"],
  expr: (x: Value, { options, dtype }: Context) => {
    if (dtype.isInteger || dtype.kind === "bool") return x;
    const nan = (options.nan as number | null) ?? 0;
    const high = (options.posinf as number | null) ?? finfo(dtype).max;
    const low = (options.neginf as number | null) ?? -finfo(dtype).max;
    const real = (part: Expr): Expr => {
      const infinite = part.gt(0).where(high, low);
      return part.isnan().where(nan, part.isinf().where(infinite, part));
    };
    return x instanceof Complex ? new Complex(real(x.re), real(x.im)) : real(x as Expr);
  },
});
