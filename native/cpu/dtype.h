/*
 * Storage dtypes (from the table in src/base/dtype_table.ts) and the conversions between halves and float.
 * Conversions are branch-free so that loops over them vectorise; narrowing rounds to nearest, ties to even.
 */
#ifndef CRESSET_DTYPE_H
#define CRESSET_DTYPE_H

#include <string.h>

#include "dtypes.gen.h"

/* Every kernel takes the dtypes with codes below this one. Complex ones arrive as two real operands; what has a larger code
   only maps, reductions, copies, sorts and indexing know. */
enum { DT_COUNT = 10 };

/* Whether a code is that of a dtype that kernels may be given. */
static inline int32_t dtype_known(int32_t dtype) {
  switch (dtype) {
#define KNOWN_CASE(CODE, S, K, LOAD, STORE) case CODE:
    CRESSET_DTYPES(KNOWN_CASE)
#undef KNOWN_CASE
    return 1;
    default: return 0;
  }
}

/* Whether a code is that of an integer dtype. */
static inline int32_t dtype_is_integer(int32_t dtype) {
  switch (dtype) {
#define INTEGER_CASE(CODE, S, U, FLIP) case CODE:
    CRESSET_INTEGERS(INTEGER_CASE)
#undef INTEGER_CASE
    return 1;
    default: return 0;
  }
}

static inline int64_t dtype_size(int32_t dtype) { return dtype_sizes[dtype]; }

/* The register kind that a storage dtype loads into. */
static inline int32_t dtype_kind(int32_t dtype) { return dtype_kinds[dtype]; }

static inline float bits_f32(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

static inline uint32_t f32_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}

static inline double bits_f64(uint64_t u) {
  double f;
  memcpy(&f, &u, 8);
  return f;
}

static inline uint64_t f64_bits(double f) {
  uint64_t u;
  memcpy(&u, &f, 8);
  return u;
}

static inline float bf16_to_f32(uint16_t h) { return bits_f32((uint32_t)h << 16); }

static inline uint16_t f32_to_bf16(float f) {
  uint32_t u = f32_bits(f);
  uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
  uint32_t nan = (u >> 16) | 0x40;
  return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float f16_to_f32(uint16_t h) {
  /* Shifting the 15 value bits into place leaves an exponent that is 112 too small; multiplying by 2^112 mends it,
     and renormalises half subnormals on the way. Infinity and NaN keep all exponent bits. */
  uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
  float scaled = bits_f32(magnitude) * 0x1p112f;
  uint32_t u = f32_bits(scaled) | (magnitude >= 0x0f800000u ? 0x7f800000u : 0);
  return bits_f32(u | ((uint32_t)(h & 0x8000) << 16));
}

static inline uint16_t f32_to_f16(float f) {
  uint32_t u = f32_bits(f);
  uint32_t sign = (u >> 16) & 0x8000;
  uint32_t a = u & 0x7fffffffu;
  /* Normal halves: rebias, round the 13 dropped bits to even (a carry into the exponent is right, up to infinity). */
  uint32_t normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1)) >> 13;
  /* Subnormal halves: adding 0.5 aligns the value so that the float adder itself rounds to a multiple of 2^-24. */
  uint32_t subnormal = f32_bits(bits_f32(a) + 0.5f) - 0x3f000000u;
  uint32_t h = a < 0x38800000u ? subnormal : normal;
  h = a >= 0x477ff000u ? 0x7c00u : h;
  h = a > 0x7f800000u ? (0x7e00u | ((a >> 13) & 0x3ff)) : h;
  return (uint16_t)(h | sign);
}

/* The float8 formats work as halves do, with other widths. e4m3 has no infinity: 0x7f is NaN, and what is too large becomes
   the largest value, 448; e5m2 is the upper half of a half. */
static inline float e4m3_to_f32(uint8_t x) {
  uint32_t magnitude = (uint32_t)(x & 0x7f) << 20;
  float scaled = bits_f32(magnitude) * 0x1p120f;
  uint32_t u = f32_bits(scaled) | (magnitude == 0x07f00000u ? 0x7f800000u : 0);
  return bits_f32(u | ((uint32_t)(x & 0x80) << 24));
}

static inline uint8_t f32_to_e4m3(float f) {
  uint32_t u = f32_bits(f);
  uint32_t a = u & 0x7fffffffu;
  uint32_t held = a > 0x43e00000u ? 0x43e00000u : a;
  uint32_t normal = (held - 0x3c000000u + 0x7ffffu + ((held >> 20) & 1)) >> 20;
  /* Adding 2^14 rounds to a multiple of 2^-9. */
  uint32_t subnormal = f32_bits(bits_f32(held) + 0x1p14f) - 0x46800000u;
  uint32_t x = a < 0x3c800000u ? subnormal : normal;
  x = a > 0x7f800000u ? 0x7fu : x;
  return (uint8_t)(x | ((u >> 24) & 0x80));
}

static inline float e5m2_to_f32(uint8_t x) { return f16_to_f32((uint16_t)(x << 8)); }

static inline uint8_t f32_to_e5m2(float f) {
  uint32_t u = f32_bits(f);
  uint32_t a = u & 0x7fffffffu;
  uint32_t held = a > 0x47800000u ? 0x47800000u : a;
  uint32_t normal = (held - 0x38000000u + 0xfffffu + ((held >> 21) & 1)) >> 21;
  uint32_t subnormal = f32_bits(bits_f32(held) + 0x1p7f) - 0x43000000u;
  uint32_t x = a < 0x38800000u ? subnormal : normal;
  x = a > 0x7f800000u ? 0x7fu : x;
  return (uint8_t)(x | ((u >> 24) & 0x80));
}

/* double to half must not round twice: the float in between keeps a sticky bit (round to odd). */
static inline float f64_to_f32_odd(double d) {
  float f = (float)d;
  double back = (double)f;
  uint32_t u = f32_bits(f);
  /* Where rounding moved the value away from zero, step back; then set the last bit if anything was lost. */
  uint32_t away = (back < 0 ? -back : back) > (d < 0 ? -d : d);
  uint32_t inexact = back != d && d == d;
  return bits_f32((u - (away & inexact)) | inexact);
}

static inline uint16_t f64_to_f16(double d) { return f32_to_f16(f64_to_f32_odd(d)); }
static inline uint16_t f64_to_bf16(double d) { return f32_to_bf16(f64_to_f32_odd(d)); }

/* Truncation toward zero that is defined for every input: what does not fit gives the lowest integer, as x86 does. */
static inline int64_t f64_to_i64(double d) {
  return d >= -0x1p63 && d < 0x1p63 ? (int64_t)d : INT64_MIN;
}

/* The same for unsigned integers: what is below 0 wraps around. */
static inline uint64_t f64_to_u64(double d) {
  return d >= 0x1p63 ? (uint64_t)f64_to_i64(d - 0x1p63) ^ 0x8000000000000000u : (uint64_t)f64_to_i64(d);
}

#endif
