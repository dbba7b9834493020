/* Loops of the pointwise machine for float32 registers. */
#include <math.h>

#include "kernels.h"
#include "special.h"
#include "vmath64.h"

typedef float f32;

static inline f32 python_remainder(f32 x, f32 y) {
  f32 r = fmodf(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static inline f32 floor_quotient(f32 x, f32 y) {
  if (y == 0) return x / y;
  f32 r = fmodf(x, y), q = (x - r) / y;
  if (r != 0 && (y < 0) != (r < 0)) q -= 1;
  if (q == 0) return copysignf(0, x / y);
  f32 whole = floorf(q);
  return q - whole > 0.5f ? whole + 1 : whole;
}

/* Trigonometry: vector code where every argument of the block is of moderate size, else libm's long reduction. */
#define GUARDED(name, fast, slow)                                                                               \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    f32 *d = dst;                                                                                               \
    const f32 *a = pa;                                                                                          \
    int32_t far = 0;                                                                                            \
    (void)pb, (void)pc, (void)flags;                                                                            \
    for (int64_t i = 0; i < n; i++) far |= !(vm_abs(a[i]) <= TRIG_LIMIT);                                       \
    if (far) {                                                                                                  \
      for (int64_t i = 0; i < n; i++) {                                                                         \
        f32 x = a[i];                                                                                           \
        d[i] = slow;                                                                                            \
      }                                                                                                         \
    } else {                                                                                                    \
      LOOP(i, n) {                                                                                              \
        f32 x = a[i];                                                                                           \
        d[i] = fast;                                                                                            \
      }                                                                                                         \
    }                                                                                                           \
  }

/* Whether every quotient of the block is small enough for the vector code of remainders (NaN and infinity are not). */
static int quotients_small(const f32 *a, const f32 *b, int64_t n, int32_t flags) {
  int64_t sa = flags & UNIFORM_A ? 0 : 1, sb = flags & UNIFORM_B ? 0 : 1;
  int32_t far = 0;
  for (int64_t i = 0; i < n; i++) {
    f32 x = vm_abs(a[i * sa]), y = vm_abs(b[i * sb]);
    far |= !(x <= y * 0x1p29f) | (y == F32_INF);
  }
  return !far;
}

/* Remainders: vector code where every quotient of the block is small, else libm's long division. */
#define DIVISION(name, fast, slow)                                                                              \
  BINARY(name##_small, f32, f32, fast)                                                                          \
  BINARY_PLAIN(name##_any, f32, f32, slow)                                                                      \
  static void name(void *d, const void *a, const void *b, const void *c, int64_t n, int32_t flags) {            \
    (quotients_small(a, b, n, flags) ? name##_small : name##_any)(d, a, b, c, n, flags);                        \
  }

BINARY(add_f32, f32, f32, x + y)
BINARY(sub_f32, f32, f32, x - y)
BINARY(mul_f32, f32, f32, x *y)
BINARY(div_f32, f32, f32, x / y)
BINARY(min_f32, f32, f32, x < y || x != x ? x : y)
BINARY(max_f32, f32, f32, x > y || x != x ? x : y)
BINARY(fmin_f32, f32, f32, x < y || y != y ? x : y)
BINARY(fmax_f32, f32, f32, x > y || y != y ? x : y)
BINARY(copysign_f32, f32, f32, vm_copysign(x, y))
BINARY(truncDivide_f32, f32, f32, truncf(x / y))
DIVISION(floorDivide_f32, vm_floor_divide(x, y), floor_quotient(x, y))
DIVISION(remainder_f32, vm_remainder(x, y), python_remainder(x, y))
DIVISION(fmod_f32, vm_fmod(x, y), fmodf(x, y))
BINARY(pow_f32, f32, f32, vm_pow(x, y))
BINARY(atan2_f32, f32, f32, vm_atan2(x, y))
BINARY_PLAIN(nextafter_f32, f32, f32, nextafterf(x, y))
BINARY(hypot_f32, f32, f32, vm_hypot(x, y))
BINARY_PLAIN(zeta_f32, f32, f32, cresset_zeta(x, y))
UNARY(neg_f32, f32, f32, -x)
UNARY(abs_f32, f32, f32, vm_abs(x))
UNARY(sign_f32, f32, f32, (float)(x > 0) - (float)(x < 0))
UNARY(floor_f32, f32, f32, floorf(x))
UNARY(ceil_f32, f32, f32, ceilf(x))
UNARY(round_f32, f32, f32, rintf(x))
UNARY(trunc_f32, f32, f32, truncf(x))
UNARY(sqrt_f32, f32, f32, sqrtf(x))
UNARY(rsqrt_f32, f32, f32, 1.0f / sqrtf(x))
UNARY(reciprocal_f32, f32, f32, 1.0f / x)
UNARY(exp_f32, f32, f32, vm_exp(x))
UNARY(exp2_f32, f32, f32, vm_exp2(x))
UNARY(expm1_f32, f32, f32, vm_expm1(x))
UNARY(log_f32, f32, f32, vm_log(x))
UNARY(log1p_f32, f32, f32, vm_log1p(x))
UNARY(tanh_f32, f32, f32, vm_tanh(x))
UNARY(sigmoid_f32, f32, f32, vm_sigmoid(x))
UNARY(erf_f32, f32, f32, vm_erf(x))
UNARY(log2_f32, f32, f32, vm_log2(x))
UNARY(log10_f32, f32, f32, vm_log10(x))
GUARDED(sin_f32, vm_sin(x), (f32)sin((double)x))
GUARDED(cos_f32, vm_cos(x), (f32)cos((double)x))
GUARDED(tan_f32, vm_tan(x), (f32)tan((double)x))
UNARY(asin_f32, f32, f32, vm_asin(x))
UNARY(acos_f32, f32, f32, vm_acos(x))
UNARY(atan_f32, f32, f32, vm_atan(x))
UNARY(sinh_f32, f32, f32, vm_sinh(x))
UNARY(cosh_f32, f32, f32, vm_cosh(x))
UNARY(asinh_f32, f32, f32, vm_asinh(x))
UNARY(acosh_f32, f32, f32, vm_acosh(x))
UNARY(atanh_f32, f32, f32, vm_atanh(x))
UNARY(erfc_f32, f32, f32, vm_erfc(x))
UNARY_PLAIN(erfinv_f32, f32, f32, cresset_erfinv((double)x))
UNARY_PLAIN(lgamma_f32, f32, f32, cresset_lgamma((double)x))
UNARY_PLAIN(digamma_f32, f32, f32, cresset_digamma((double)x))
UNARY_PLAIN(trigamma_f32, f32, f32, cresset_trigamma((double)x))
UNARY(isnan_f32, f32, uint8_t, x != x)
UNARY(isinf_f32, f32, uint8_t, vm_abs(x) == F32_INF)
UNARY(isfinite_f32, f32, uint8_t, vm_abs(x) < F32_INF)
UNARY(identity_f32, f32, f32, x)
UNARY(to_f64_f32, f32, double, x)
UNARY(to_i64_f32, f32, int64_t, f64_to_i64((double)x))
UNARY(to_u64_f32, f32, uint64_t, f64_to_u64((double)x))
UNARY(to_bool_f32, f32, uint8_t, x != 0)
COMPARISONS(f32, f32)

#define ENTRY(op) [OP_##op] = op##_f32
const vector_function cresset_f32_functions[OP_COUNT] = {
    COMPARISON_ENTRIES(f32),
    ENTRY(add), ENTRY(sub), ENTRY(mul), ENTRY(div), ENTRY(min), ENTRY(max), ENTRY(fmin), ENTRY(fmax),
    ENTRY(copysign), ENTRY(truncDivide), ENTRY(floorDivide), ENTRY(remainder), ENTRY(fmod), ENTRY(pow),
    ENTRY(atan2), ENTRY(nextafter), ENTRY(hypot), ENTRY(zeta), ENTRY(neg), ENTRY(abs), ENTRY(sign), ENTRY(floor), ENTRY(ceil), ENTRY(round),
    ENTRY(trunc), ENTRY(sqrt), ENTRY(rsqrt), ENTRY(reciprocal), ENTRY(exp), ENTRY(exp2), ENTRY(expm1), ENTRY(log),
    ENTRY(log1p), ENTRY(tanh), ENTRY(sigmoid), ENTRY(erf), ENTRY(log2), ENTRY(log10), ENTRY(sin), ENTRY(cos),
    ENTRY(tan), ENTRY(asin), ENTRY(acos), ENTRY(atan), ENTRY(sinh), ENTRY(cosh), ENTRY(asinh), ENTRY(acosh),
    ENTRY(atanh), ENTRY(erfc), ENTRY(erfinv), ENTRY(lgamma), ENTRY(digamma), ENTRY(trigamma), ENTRY(isnan),
    ENTRY(isinf), ENTRY(isfinite),
    [OP_castF32] = identity_f32,
    [OP_castF64] = to_f64_f32,
    [OP_castI64] = to_i64_f32,
    [OP_castU64] = to_u64_f32,
    [OP_castBool] = to_bool_f32,
};
