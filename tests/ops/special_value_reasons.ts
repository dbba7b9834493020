/**
 * Where Cresset's value at a special point is meant to differ from PyTorch's: which cases, which lines of their report,
 * and why.
 *
 * @module
 */

/** A pattern of `path(options) dtype`, a pattern of the report's line, and the reason. */
export const DIFFERS: readonly (readonly [RegExp, RegExp, string])[] = [
  [
    /^(digamma|lgamma|polygamma|special\.(psi|gammaln|multigammaln))/,
    /at \(-?\d.*: -?Infinity, /,
    "a pole: PyTorch computes it by sin(πx), which rounding keeps from 0",
  ],
  [/^special\.multigammaln/, /at \((-?0|0\.5)\)/, "poles of opposite signs meet"],
  [/^acosh/, /at \((-1|3\.4028.*)\)/, "it is not defined at -1; the square of the largest number overflows"],
  [/^sinc/, /at \(-?[\d.]+e-\d+\)/, "PyTorch's derivative cancels near 0"],
  [
    /^special\.i1e?\(/,
    /^d0d0 at \(-?[\d.]+(e-\d+)?\)/,
    "PyTorch's second derivative cancels near 0, where that of i1e jumps from -1 to 1",
  ],
  [/^special\.erfcx\(\) float64/, /^d0d0 at \(100+\)/, "PyTorch's second derivative cancels"],
  [/^special\.log_ndtr/, /^d0(d0)? at \(-/, "PyTorch's derivative is a quotient of two numbers that underflow"],
  [/^special\.ndtr\(/, /^value at \(-(6|7|10)\)/, "PyTorch adds 1 to erf, which cancels"],
  [/^nn\.functional\.hardsigmoid\(\) float64/, /0\.16666/, "PyTorch's 1/6 is a float32"],
  [/^nn\.functional\.hardswish/, /at \(-Infinity\): 0, expected NaN/, "the limit is 0; PyTorch multiplies -∞ by 0"],
  [/^nn\.functional\.softplus/, /^d0d0 at \((20|2\.5)\)/, "the kink at the threshold"],
  [
    /^nn\.functional\.softsign\(\) float/,
    /^d0 at \(-?Infinity\): 0/,
    "the slope at infinity is 0, though ∞ / ∞ is not a number",
  ],
  [
    /^nn\.functional\.softsign\(\) bfloat/,
    /^d0 at \(-?Infinity\): 0/,
    "the slope at infinity is 0, though ∞ / ∞ is not a number",
  ],
  [/^nn\.functional\.softsign\(\) int/, /./, "PyTorch adds 1 to the largest integer, which overflows"],
  [/^special\.zeta/, /at \(NaN, .*\): NaN/, "NaN stays NaN"],
  [/^gcd\(\) int8/, /-128/, "-128 has no absolute value in int8"],
  [/^nn\.functional\.kl_div/, /^d1 at \(-?Infinity, -?0\)/, "0 · log 0, whose slope PyTorch gives as NaN everywhere"],
  [/^nn\.functional\.kl_div/, /^d1 at \(.*\): .*expected NaN/, "x · log x has no slope at 0"],
  [/^nn\.functional\.poisson_nll_loss.* int8/, /./, "PyTorch multiplies in int8, which overflows"],
  [
    /^nn\.functional\.poisson_nll_loss.*full/,
    /^d1 at/,
    "PyTorch's Stirling term has a NaN gradient where it is masked",
  ],
  [
    /^nn\.functional\.soft_margin_loss/,
    /expected (-?Infinity|NaN)/,
    "PyTorch computes log(1 + e^x) with an e^x that overflows",
  ],
  [
    /^nn\.functional\.(hinge_embedding|margin_ranking)_loss.* int/,
    /./,
    "integers are losses of the default dtype here",
  ],
  [/^pow\(-?0\.5\)/, /at \(-?0\)/, "the square root of -0 is -0, whose reciprocal is -∞"],
];
