/*
 * Float32 functions that vectorise: branch-free, within 2 ulp (erf and tanh: 6, near 1) over the whole range
 * (tests/cpu/math.test.ts).
 *
 * Each is a static inline function of scalars; the loops of pointwise_f32.c make the compiler turn them into vector
 * code. They need neither a table nor fused multiply-add. Functions that are hard in float32 (cancellation, long
 * reductions) compute in double, which is exact enough that one rounding is left.
 */
#ifndef CRESSET_VMATH_H
#define CRESSET_VMATH_H

#include "dtype.h"

#define F32_INF bits_f32(0x7f800000u)
#define F32_NAN bits_f32(0x7fc00000u)

static inline float vm_abs(float x) { return bits_f32(f32_bits(x) & 0x7fffffffu); }
static inline float vm_copysign(float x, float s) {
  return bits_f32((f32_bits(x) & 0x7fffffffu) | (f32_bits(s) & 0x80000000u));
}
/* x between -limit and limit; NaN stays. */
static inline float vm_clamp(float x, float limit) {
  x = x > limit ? limit : x;
  return x < -limit ? -limit : x;
}
static inline double vm_abs64(double x) { return bits_f64(f64_bits(x) & 0x7fffffffffffffffull); }

/* x rounded to an integer: adding 1.5 * 2^23 leaves the integer in the low mantissa bits (|x| < 2^22). */
#define ROUNDER 12582912.0f
static inline float vm_round_small(float x) { return (x + ROUNDER) - ROUNDER; }

/* 2^n for an integer n in [-126, 127]. */
static inline float vm_pow2(int32_t n) { return bits_f32((uint32_t)(n + 127) << 23); }

/* y * 2^n for n in [-252, 254]: in two steps, which reaches subnormal results and 2^128 without losing bits. */
static inline float vm_scale(float y, int32_t n) {
  int32_t half = n >> 1;
  return y * vm_pow2(half) * vm_pow2(n - half);
}

/* (e^r - 1 - r) / r^2 on |r| <= ln(2)/2 (minimax, 2^-27 relative to the sum). */
static inline float vm_exp_tail(float r) {
  float p = 1.98783953e-4f;
  p = p * r + 1.39362290e-3f;
  p = p * r + 8.33345577e-3f;
  p = p * r + 4.16664928e-2f;
  p = p * r + 1.66666657e-1f;
  p = p * r + 0.5f;
  return p;
}

static inline float vm_exp(float x) {
  /* Beyond these the result is 0 or infinity anyway; NaN passes both comparisons unchanged. A result of 0 (a masked
     score in a softmax) is chosen, not computed: underflow costs a hundred cycles an element. */
  float c = x > 89.0f ? 89.0f : x;
  c = c < -104.0f ? 0.0f : c;
  float shifted = c * 1.44269504f + ROUNDER;
  int32_t k = (int32_t)(f32_bits(shifted) - 0x4b400000u);
  float n = shifted - ROUNDER;
  float r = c - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float y = vm_scale(1.0f + (r + r * r * vm_exp_tail(r)), k);
  return x < -104.0f ? 0.0f : y;
}

static inline float vm_expm1(float x) {
  float c = x > 89.0f ? 89.0f : x;
  c = c < -20.0f ? -20.0f : c;
  float shifted = c * 1.44269504f + ROUNDER;
  int32_t k = (int32_t)(f32_bits(shifted) - 0x4b400000u);
  float n = shifted - ROUNDER;
  float r = c - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = r + r * r * vm_exp_tail(r);
  /* 2^n (1 + p) - 1 = 2^n p + (2^n - 1); for large n the 1 does not matter, and 2^128 must not overflow early. */
  float s = vm_pow2(k > 60 ? 60 : k);
  float y = k > 60 ? vm_scale(p + 1.0f, k) : s * p + (s - 1.0f);
  return x == 0.0f ? x : y;
}

static inline float vm_exp2(float x) {
  float c = x > 129.0f ? 129.0f : x;
  c = c < -151.0f ? -151.0f : c;
  float shifted = c + ROUNDER;
  int32_t k = (int32_t)(f32_bits(shifted) - 0x4b400000u);
  float r = (c - (shifted - ROUNDER)) * 0.693147181f;
  return vm_scale(1.0f + (r + r * r * vm_exp_tail(r)), k);
}

/* log(1 + f) - f + f^2/2 over f^3, on sqrt(1/2) - 1 <= f <= sqrt(2) - 1 (Cephes). */
static inline float vm_log_tail(float f) {
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return p;
}

/* x = (1 + f) 2^e with 1 + f in [sqrt(1/2), sqrt(2)); x positive and normal. */
static inline float vm_split(float x, float *e) {
  uint32_t u = f32_bits(x) - 0x3f3504f3u;
  *e = (float)((int32_t)u >> 23);
  return bits_f32((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
}

/* The limits of a logarithm: log(0) = -inf, log(negative) = NaN, log(inf) = inf, log(NaN) = NaN. */
static inline float vm_log_limits(float x, float y) {
  y = x == F32_INF ? x : y;
  y = x == 0.0f ? -F32_INF : y;
  return x >= 0.0f ? y : F32_NAN;
}

static inline float vm_log(float x) {
  float tiny = x < 0x1p-126f ? 0x1p25f : 1.0f;
  float e, f = vm_split(x * tiny, &e);
  e -= x < 0x1p-126f ? 25.0f : 0.0f;
  float z = f * f;
  float y = f * z * vm_log_tail(f);
  y += e * -2.12194440e-4f;
  y -= 0.5f * z;
  return vm_log_limits(x, (f + y) + e * 0.693359375f);
}

static inline float vm_log1p(float x) {
  float u = 1.0f + x;
  /* What the addition lost, relative to u. */
  float lost = u > 0.0f ? (x > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f)) / u : 0.0f;
  float e, f = vm_split(u, &e);
  float z = f * f;
  float y = f * z * vm_log_tail(f);
  y += e * -2.12194440e-4f + (x < 0x1p24f ? lost : 0.0f);
  y -= 0.5f * z;
  float r = vm_log_limits(u, (f + y) + e * 0.693359375f);
  return vm_abs(x) < 0x1p-24f ? x : r;
}

/*
 * x P(x^2)/Q(x^2), minimax in the relative error (9e-9) up to 8.2. From 9.02 on the result is 1, exactly: a gradient that
 * multiplies 1 - y^2 by something large must see 0.
 */
static inline float vm_tanh(float x) {
  float t = vm_clamp(x, 8.2f), s = t * t;
  float p = 1.4903305833773096e-8f;
  p = p * s + 2.1683259002247542e-5f;
  p = p * s + 3.559531798216442e-3f;
  p = p * s + 0.1343454153466691f;
  p = p * s + 1.0f;
  float q = 8.396453258472021e-7f;
  q = q * s + 3.391054948537339e-4f;
  q = q * s + 2.6119190912805044e-2f;
  q = q * s + 0.4676786979017709f;
  q = q * s + 1.0f;
  float y = vm_clamp(t * p / q, 1.0f);
  y = x > 9.02f ? 1.0f : y;
  return x < -9.02f ? -1.0f : y;
}

static inline float vm_sigmoid(float x) {
  /* exp(-|x|) with the rounding of the reduction carried along, since two more roundings follow. */
  float c = -vm_abs(x);
  c = c < -104.0f ? -104.0f : c;
  float shifted = c * 1.44269504f + ROUNDER;
  int32_t k = (int32_t)(f32_bits(shifted) - 0x4b400000u);
  float n = shifted - ROUNDER;
  float head = c - n * 0.693359375f, part = n * -2.12194440e-4f;
  float r = head - part, lost = (head - r) - part;
  float e = vm_scale(1.0f + (r + (r * r * vm_exp_tail(r) + lost)), k);
  float d = 1.0f + e, lower = e - (d - 1.0f);
  float q = (x >= 0.0f ? 1.0f : e) / d;
  /* The sum's rounding error, divided by d: 1/d is q or 1 - q. */
  return q - q * (lower * (x >= 0.0f ? q : 1.0f - q));
}

/* x P(x^2)/Q(x^2), minimax in the relative error (2e-8) up to 3.9, beyond which the result is 1. */
static inline float vm_erf(float x) {
  float t = vm_clamp(x, 3.9f), s = t * t;
  float p = 2.0704114008243447e-6f;
  p = p * s + 2.8456424649860685e-4f;
  p = p * s + 3.7165753197257122e-3f;
  p = p * s + 5.260180873958161e-2f;
  p = p * s + 0.18916036327886512f;
  p = p * s + 1.1283791670955126f;
  float q = 3.8284434124939706e-5f;
  q = q * s + 1.1520602443128043e-3f;
  q = q * s + 1.4871046906988233e-2f;
  q = q * s + 0.11361009719059033f;
  q = q * s + 0.5009719768137878f;
  q = q * s + 1.0f;
  return vm_clamp(t * p / q, 1.0f);
}

#endif
