/* Loops of the pointwise machine for float64 registers: exp and log vectorise, the rest is libm. */
#include <math.h>

#include "kernels.h"
#include "special.h"
#include "vmath64.h"

typedef double f64;

static inline f64 python_remainder(f64 x, f64 y) {
  f64 r = fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static inline f64 floor_quotient(f64 x, f64 y) {
  if (y == 0) return x / y;
  f64 r = fmod(x, y), q = (x - r) / y;
  if (r != 0 && (y < 0) != (r < 0)) q -= 1;
  if (q == 0) return copysign(0, x / y);
  f64 whole = floor(q);
  return q - whole > 0.5 ? whole + 1 : whole;
}
static inline f64 sigmoid(f64 x) {
  f64 e = vd_exp(-fabs(x)), d = 1 / (1 + e);
  return x >= 0 ? d : e * d;
}

BINARY(add_f64, f64, f64, x + y)
BINARY(sub_f64, f64, f64, x - y)
BINARY(mul_f64, f64, f64, x *y)
BINARY(div_f64, f64, f64, x / y)
BINARY(min_f64, f64, f64, x < y || x != x ? x : y)
BINARY(max_f64, f64, f64, x > y || x != x ? x : y)
BINARY(fmin_f64, f64, f64, x < y || y != y ? x : y)
BINARY(fmax_f64, f64, f64, x > y || y != y ? x : y)
BINARY(copysign_f64, f64, f64, copysign(x, y))
BINARY(truncDivide_f64, f64, f64, trunc(x / y))
BINARY_PLAIN(floorDivide_f64, f64, f64, floor_quotient(x, y))
BINARY_PLAIN(remainder_f64, f64, f64, python_remainder(x, y))
BINARY_PLAIN(fmod_f64, f64, f64, fmod(x, y))
BINARY_PLAIN(pow_f64, f64, f64, pow(x, y))
BINARY_PLAIN(atan2_f64, f64, f64, atan2(x, y))
BINARY_PLAIN(nextafter_f64, f64, f64, nextafter(x, y))
BINARY_PLAIN(hypot_f64, f64, f64, hypot(x, y))
BINARY_PLAIN(zeta_f64, f64, f64, cresset_zeta(x, y))
UNARY(neg_f64, f64, f64, -x)
UNARY(abs_f64, f64, f64, fabs(x))
UNARY(sign_f64, f64, f64, (f64)(x > 0) - (f64)(x < 0))
UNARY(floor_f64, f64, f64, floor(x))
UNARY(ceil_f64, f64, f64, ceil(x))
UNARY(round_f64, f64, f64, rint(x))
UNARY(trunc_f64, f64, f64, trunc(x))
UNARY(sqrt_f64, f64, f64, sqrt(x))
UNARY(rsqrt_f64, f64, f64, 1 / sqrt(x))
UNARY(reciprocal_f64, f64, f64, 1 / x)
UNARY(exp_f64, f64, f64, vd_exp(x))
UNARY_PLAIN(exp2_f64, f64, f64, exp2(x))
UNARY_PLAIN(expm1_f64, f64, f64, expm1(x))
UNARY(log_f64, f64, f64, vd_log(x))
UNARY_PLAIN(log2_f64, f64, f64, log2(x))
UNARY_PLAIN(log10_f64, f64, f64, log10(x))
UNARY_PLAIN(log1p_f64, f64, f64, log1p(x))
UNARY_PLAIN(sin_f64, f64, f64, sin(x))
UNARY_PLAIN(cos_f64, f64, f64, cos(x))
UNARY_PLAIN(tan_f64, f64, f64, tan(x))
UNARY_PLAIN(asin_f64, f64, f64, asin(x))
UNARY_PLAIN(acos_f64, f64, f64, acos(x))
UNARY_PLAIN(atan_f64, f64, f64, atan(x))
UNARY_PLAIN(sinh_f64, f64, f64, sinh(x))
UNARY_PLAIN(cosh_f64, f64, f64, cosh(x))
UNARY_PLAIN(tanh_f64, f64, f64, tanh(x))
UNARY_PLAIN(asinh_f64, f64, f64, asinh(x))
UNARY_PLAIN(acosh_f64, f64, f64, acosh(x))
UNARY_PLAIN(atanh_f64, f64, f64, atanh(x))
UNARY(sigmoid_f64, f64, f64, sigmoid(x))
UNARY_PLAIN(erf_f64, f64, f64, erf(x))
UNARY_PLAIN(erfc_f64, f64, f64, erfc(x))
UNARY_PLAIN(erfinv_f64, f64, f64, cresset_erfinv(x))
UNARY_PLAIN(lgamma_f64, f64, f64, cresset_lgamma(x))
UNARY_PLAIN(digamma_f64, f64, f64, cresset_digamma(x))
UNARY_PLAIN(trigamma_f64, f64, f64, cresset_trigamma(x))
UNARY(isnan_f64, f64, uint8_t, x != x)
UNARY(isinf_f64, f64, uint8_t, fabs(x) == INFINITY)
UNARY(isfinite_f64, f64, uint8_t, fabs(x) < INFINITY)
UNARY(identity_f64, f64, f64, x)
UNARY(to_f32_f64, f64, float, x)
UNARY(to_i64_f64, f64, int64_t, f64_to_i64(x))
UNARY(to_u64_f64, f64, uint64_t, f64_to_u64(x))
UNARY(to_bool_f64, f64, uint8_t, x != 0)
COMPARISONS(f64, f64)

#define ENTRY(op) [OP_##op] = op##_f64
const vector_function cresset_f64_functions[OP_COUNT] = {
    COMPARISON_ENTRIES(f64),
    ENTRY(add), ENTRY(sub), ENTRY(mul), ENTRY(div), ENTRY(min), ENTRY(max), ENTRY(fmin), ENTRY(fmax),
    ENTRY(copysign), ENTRY(truncDivide), ENTRY(floorDivide), ENTRY(remainder), ENTRY(fmod), ENTRY(pow),
    ENTRY(atan2), ENTRY(nextafter), ENTRY(hypot), ENTRY(zeta), ENTRY(neg), ENTRY(abs), ENTRY(sign), ENTRY(floor), ENTRY(ceil), ENTRY(round),
    ENTRY(trunc), ENTRY(sqrt), ENTRY(rsqrt), ENTRY(reciprocal), ENTRY(exp), ENTRY(exp2), ENTRY(expm1), ENTRY(log),
    ENTRY(log1p), ENTRY(tanh), ENTRY(sigmoid), ENTRY(erf), ENTRY(log2), ENTRY(log10), ENTRY(sin), ENTRY(cos),
    ENTRY(tan), ENTRY(asin), ENTRY(acos), ENTRY(atan), ENTRY(sinh), ENTRY(cosh), ENTRY(asinh), ENTRY(acosh),
    ENTRY(atanh), ENTRY(erfc), ENTRY(erfinv), ENTRY(lgamma), ENTRY(digamma), ENTRY(trigamma), ENTRY(isnan),
    ENTRY(isinf), ENTRY(isfinite),
    [OP_castF32] = to_f32_f64,
    [OP_castF64] = identity_f64,
    [OP_castI64] = to_i64_f64,
    [OP_castU64] = to_u64_f64,
    [OP_castBool] = to_bool_f64,
};
