/*
 * Double functions that vectorise: exp and log to 1 ulp for float64 registers, and float32 functions computed in
 * double where float32 would lose digits (long reductions, cancellation); those round once, at the end.
 *
 * Branch-free scalars, like vmath.h. Shifts of 64-bit lanes are unsigned, since AVX2 and SSE lack the signed ones.
 */
#ifndef CRESSET_VMATH64_H
#define CRESSET_VMATH64_H

#include "vmath.h"

#define F64_INF bits_f64(0x7ff0000000000000ull)
#define F64_NAN bits_f64(0x7ff8000000000000ull)
#define HALF_PI 1.57079632679489661923
#define ONE_PI 3.14159265358979323846

/* 1.5 * 2^52: adding it leaves a rounded integer in the low mantissa bits. */
#define ROUNDER64 6755399441055744.0

static inline double vd_copysign(double x, double s) {
  return bits_f64((f64_bits(x) & 0x7fffffffffffffffull) | (f64_bits(s) & 0x8000000000000000ull));
}

static inline double vd_exp(double x) {
  double c = x > 710.0 ? 710.0 : x;
  c = c < -746.0 ? -746.0 : c;
  double shifted = c * 1.44269504088896338700 + ROUNDER64;
  double n = shifted - ROUNDER64;
  double r = c - n * 6.93147180369123816490e-01;
  r = r - n * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  double y = 1.0 + (r + r * r * p);
  /* n + 2048 > 0 in the low bits; 2^n in two factors, so that subnormal results and 2^1024 come out right. */
  uint64_t k = f64_bits(shifted) + 2048;
  uint64_t low = (k & 0xfff) >> 1, high = (k & 0xfff) - low;
  return y * bits_f64((low - 1024 + 1023) << 52) * bits_f64((high - 1024 + 1023) << 52);
}

/* log(m) and the exponent of x = m 2^e, m in [sqrt(1/2), sqrt(2)); x positive (fdlibm's series). */
static inline double vd_log_parts(double x, double *e, double *low) {
  int tiny = x < 0x1p-1022;
  uint64_t u = f64_bits(x * (tiny ? 0x1p54 : 1.0)) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
  *e = bits_f64(0x4330000000000000ull | (u >> 52)) - 0x1p52 - (tiny ? 1077.0 : 1023.0);
  double f = bits_f64((u & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull) - 1.0;
  double s = f / (2.0 + f), z = s * s, w = z * z;
  double t1 = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  double t2 = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 +
              w * 1.479819860511658591e-01)));
  double half = 0.5 * f * f;
  *low = half - s * (half + t1 + t2);
  return f;
}

static inline double vd_log_limits(double x, double y) {
  y = x == F64_INF ? x : y;
  y = x == 0.0 ? -F64_INF : y;
  return x >= 0.0 ? y : F64_NAN;
}

static inline double vd_log(double x) {
  double e, low, f = vd_log_parts(x, &e, &low);
  return vd_log_limits(x, e * 6.93147180369123816490e-01 - ((low - e * 1.90821492927058770002e-10) - f));
}

/* ---- float32 functions ---- */

static inline float vm_log2(float x) {
  double e, low, f = vd_log_parts((double)x, &e, &low);
  return (float)vd_log_limits((double)x, e + (f - low) * 1.44269504088896338700);
}

static inline float vm_log10(float x) {
  double e, low, f = vd_log_parts((double)x, &e, &low);
  return (float)vd_log_limits((double)x, e * 0.30102999566398119521 + (f - low) * 0.43429448190325182765);
}

/* Long bodies are inlined by force: a call would keep the loop from becoming vector code. */
#define VM_INLINE static inline __attribute__((always_inline))

VM_INLINE float vm_pow(float x, float y) {
  double b = (double)vm_abs(x), p = (double)y;
  double r = vd_exp(p * vd_log(b));
  /* |y| >= 2^24 is an even integer. Conditions by & and |, which have no branches. */
  double a = vm_abs64(p), half = a * 0.5;
  int whole = (a >= 0x1p24) | ((a + ROUNDER64) - ROUNDER64 == a);
  int odd = (a < 0x1p24) & whole & ((half + ROUNDER64) - ROUNDER64 != half);
  double turned = r * vd_copysign(1.0, (double)x);
  r = odd ? turned : r;
  int undefined = (x < 0.0f) & (x > -F32_INF) & !whole;
  r = undefined ? F64_NAN : r;
  int one = (x == 1.0f) | (y == 0.0f) | ((x == -1.0f) & (a == F64_INF));
  return (float)(one ? 1.0 : r);
}

/*
 * The remainder of a by b, both positive, for quotients below 2^29: the product with the quotient is exact in double
 * then, and the rounded quotient is off by one at most. See `quotients_small` in pointwise_f32.c.
 */
VM_INLINE double vd_fmod(double a, double b) {
  double r = a - __builtin_floor(a / b) * b;
  r = r < 0 ? r + b : r;
  return r >= b ? r - b : r;
}
VM_INLINE float vm_fmod(float x, float y) {
  return vm_copysign((float)vd_fmod((double)vm_abs(x), (double)vm_abs(y)), x);
}
VM_INLINE float vm_remainder(float x, float y) {
  float r = vm_fmod(x, y);
  int other_side = (r != 0) & ((r < 0) != (y < 0));
  return other_side ? r + y : r;
}
VM_INLINE float vm_floor_divide(float x, float y) {
  float r = vm_fmod(x, y), q = (x - r) / y;
  int other_side = (r != 0) & ((y < 0) != (r < 0));
  q = other_side ? q - 1.0f : q;
  float low = __builtin_floorf(q);
  float whole = q - low > 0.5f ? low + 1.0f : low;
  whole = q == 0 ? vm_copysign(0.0f, x / y) : whole;
  return y == 0 ? x / y : whole;
}

VM_INLINE float vm_hypot(float x, float y) {
  double a = (double)x, b = (double)y;
  double r = __builtin_sqrt(a * a + b * b);
  int infinite = (int)(vm_abs(x) == F32_INF) | (int)(vm_abs(y) == F32_INF);
  return infinite ? F32_INF : (float)r;
}

/* Sines and cosines reduce by multiples of pi/2 with a head of 33 bits: exact up to here. */
#define TRIG_LIMIT 1000000.0f

/* The quadrant of x in *q, the remainder as the result. */
static inline double vd_quadrant(double x, uint64_t *q) {
  double shifted = x * (2.0 / ONE_PI) + ROUNDER64;
  double n = shifted - ROUNDER64;
  *q = f64_bits(shifted);
  return (x - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11;
}

/* fdlibm's kernels, cut to float32's needs: sin and cos on |r| <= pi/4. */
static inline double vd_sin_kernel(double r) {
  double z = r * r, w = z * z, s = z * r;
  return (r + s * (-0x15555554cbac77.0p-55 + z * 0x111110896efbb2.0p-59)) +
         s * w * (-0x1a00f9e2cae774.0p-65 + z * 0x16cd878c3b46a7.0p-71);
}
static inline double vd_cos_kernel(double r) {
  double z = r * r, w = z * z;
  return ((1.0 + z * -0x1ffffffd0c5e81.0p-54) + w * 0x155553e1053a42.0p-57) +
         (w * z) * (-0x16c087e80f1e27.0p-62 + z * 0x199342e0ee5069.0p-68);
}

static inline float vm_sin(float x) {
  uint64_t q;
  double r = vd_quadrant((double)x, &q);
  double y = q & 1 ? vd_cos_kernel(r) : vd_sin_kernel(r);
  return x == 0.0f ? x : (float)(q & 2 ? -y : y);
}
static inline float vm_cos(float x) {
  uint64_t q;
  double r = vd_quadrant((double)x, &q);
  double y = q & 1 ? vd_sin_kernel(r) : vd_cos_kernel(r);
  return (float)((q + 1) & 2 ? -y : y);
}
static inline float vm_tan(float x) {
  uint64_t q;
  double r = vd_quadrant((double)x, &q);
  double s = vd_sin_kernel(r), c = vd_cos_kernel(r);
  double y = (q & 1 ? c : s) / (q & 1 ? -s : c);
  return x == 0.0f ? x : (float)y;
}

static inline float vm_sinh(float x) {
  double a = vm_abs64((double)x), z = a * a;
  double t = vd_exp(a);
  double small = a + a * z * (1.0 / 6 + z * (1.0 / 120));
  return vm_copysign((float)(a < 0.02 ? small : 0.5 * (t - 1.0 / t)), x);
}
static inline float vm_cosh(float x) {
  double t = vd_exp(vm_abs64((double)x));
  return (float)(0.5 * (t + 1.0 / t));
}
static inline float vm_asinh(float x) {
  double a = vm_abs64((double)x), z = a * a;
  double root;
  root = __builtin_sqrt(z + 1.0);
  double small = a - a * z * (1.0 / 6 - z * (3.0 / 40));
  return vm_copysign((float)(a < 0.01 ? small : vd_log(a + root)), x);
}
static inline float vm_acosh(float x) {
  double a = (double)x;
  return (float)(x >= 1.0f ? vd_log(a + __builtin_sqrt((a - 1.0) * (a + 1.0))) : F64_NAN);
}
static inline float vm_atanh(float x) {
  double a = vm_abs64((double)x), z = a * a;
  double small = a + a * z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7)));
  return vm_copysign((float)(a < 0.01 ? small : 0.5 * vd_log((1.0 + a) / (1.0 - a))), x);
}

/* atan(t) / t on |t| <= sqrt(2) - 1, in t^2 (interpolated, 3e-14). */
static inline double vd_atan_kernel(double t) {
  double z = t * t;
  double p = 0.0306624403704244488;
  p = p * z - 0.0587450562130783075;
  p = p * z + 0.0756370355191519199;
  p = p * z - 0.0907839207294342341;
  p = p * z + 0.111103850461480137;
  p = p * z - 0.142856904238392872;
  p = p * z + 0.19999999604891978;
  p = p * z - 0.333333333308034459;
  return t + t * z * p;
}
static inline float vm_atan(float x) {
  double a = vm_abs64((double)x);
  int big = a > 2.41421356237309504880, middle = a > 0.41421356237309504880;
  double t = big ? -1.0 / a : middle ? (a - 1.0) / (a + 1.0) : a;
  double base = big ? HALF_PI : middle ? 0.5 * HALF_PI : 0.0;
  return vm_copysign((float)(base + vd_atan_kernel(t)), x);
}

VM_INLINE float vm_atan2(float y, float x) {
  double a = vm_abs64((double)y), b = vm_abs64((double)x);
  int steep = a > b;
  double low = steep ? b : a, high = steep ? a : b;
  double t = low / high;
  t = low == F64_INF ? 1.0 : t;
  t = high == 0.0 ? 0.0 : t;
  int middle = t > 0.41421356237309504880;
  double u = middle ? (t - 1.0) / (t + 1.0) : t;
  double v = (middle ? 0.5 * HALF_PI : 0.0) + vd_atan_kernel(u);
  v = steep ? HALF_PI - v : v;
  v = f32_bits(x) >> 31 ? ONE_PI - v : v;
  int undefined = (x != x) | (y != y);
  v = undefined ? F64_NAN : v;
  return vm_copysign((float)v, y);
}

/* asin(t) / t on |t| <= 1/2, in t^2 (interpolated, 6e-14). */
static inline double vd_asin_kernel(double t) {
  double z = t * t;
  double p = 0.0319439963841084283;
  p = p * z - 0.00285635053368389648;
  p = p * z + 0.0186385082134463277;
  p = p * z + 0.0164727381093619447;
  p = p * z + 0.0224726292722594078;
  p = p * z + 0.0303750468387097348;
  p = p * z + 0.0446431268970734371;
  p = p * z + 0.074999994675315606;
  p = p * z + 0.166666666707231885;
  return t + t * z * p;
}
static inline float vm_asin(float x) {
  double a = vm_abs64((double)x);
  double root = __builtin_sqrt((1.0 - a) * 0.5);
  double y = a > 0.5 ? HALF_PI - 2.0 * vd_asin_kernel(root) : vd_asin_kernel(a);
  return vm_copysign((float)y, x);
}
static inline float vm_acos(float x) {
  double a = vm_abs64((double)x);
  double root = __builtin_sqrt((1.0 - a) * 0.5);
  double far = 2.0 * vd_asin_kernel(root);
  far = x < 0.0f ? ONE_PI - far : far;
  return (float)(a > 0.5 ? far : HALF_PI - vd_asin_kernel((double)x));
}

/* erfc(t) = exp(-t^2) g(1 / (1 + t/2)), g interpolated on t in [0, 10.3] (3e-12). */
static inline float vm_erfc(float x) {
  static const double c[16] = {
      1.28271027858728063e-7, 0.282089383686239449, 0.28219905434841582,  0.245613338615157109,
      0.185990825368984026,   0.0285110870566618153, 0.229362492736857893, -0.80255964962572912,
      1.74744431458195582,    -3.26892155710726003, 4.39279454214673555,  -3.9934562376364186,
      2.4287290513417988,     -0.957305258294492495, 0.222940156058707154, -0.023431671548875038};
  double t = vm_abs64((double)x);
  t = t > 10.3 ? 10.3 : t;
  double u = 1.0 / (1.0 + 0.5 * t), p = c[15];
  for (int i = 14; i >= 0; i--) p = p * u + c[i];
  double y = vd_exp(-t * t) * p;
  return (float)(x < 0.0f ? 2.0 - y : y);
}

#endif
