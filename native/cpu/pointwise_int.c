/*
 * Loops of the pointwise machine for int64, uint64 and bool registers, and the conversions between storage and registers.
 *
 * Integer arithmetic wraps modulo 2^64 and nothing traps: division by zero gives 0 (the operations above check first
 * where PyTorch raises) and INT64_MIN / -1 wraps.
 */
#include "kernels.h"
#include "philox.h"

typedef int64_t i64;
typedef uint64_t u64;

static inline i64 quotient(i64 x, i64 y) { return y == 0 ? 0 : y == -1 ? (i64)(0 - (u64)x) : x / y; }
static inline i64 residue(i64 x, i64 y) { return y == 0 || y == -1 ? 0 : x % y; }
static inline i64 floor_quotient(i64 x, i64 y) {
  i64 q = quotient(x, y), r = residue(x, y);
  return q - (r != 0 && (r < 0) != (y < 0));
}
static inline i64 floor_residue(i64 x, i64 y) {
  i64 r = residue(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static inline i64 power(i64 x, i64 y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
  u64 result = 1, base = (u64)x;
  for (; y != 0; y >>= 1) {
    if (y & 1) result *= base;
    base *= base;
  }
  return (i64)result;
}

static inline i64 common_divisor(i64 x, i64 y) {
  u64 a = x < 0 ? 0 - (u64)x : (u64)x, b = y < 0 ? 0 - (u64)y : (u64)y;
  while (b != 0) {
    u64 r = a % b;
    a = b;
    b = r;
  }
  return (i64)a;
}

BINARY(add_i64, i64, i64, (u64)x + (u64)y)
BINARY(sub_i64, i64, i64, (u64)x - (u64)y)
BINARY(mul_i64, i64, i64, (u64)x *(u64)y)
BINARY_PLAIN(truncDivide_i64, i64, i64, quotient(x, y))
BINARY_PLAIN(floorDivide_i64, i64, i64, floor_quotient(x, y))
BINARY_PLAIN(fmod_i64, i64, i64, residue(x, y))
BINARY_PLAIN(remainder_i64, i64, i64, floor_residue(x, y))
BINARY_PLAIN(gcd_i64, i64, i64, common_divisor(x, y))
BINARY_PLAIN(pow_i64, i64, i64, power(x, y))
UNARY(neg_i64, i64, i64, 0 - (u64)x)
UNARY(abs_i64, i64, i64, x < 0 ? 0 - (u64)x : (u64)x)
UNARY(sign_i64, i64, i64, (x > 0) - (x < 0))
BINARY(min_i64, i64, i64, x < y ? x : y)
BINARY(max_i64, i64, i64, x > y ? x : y)
BINARY(bitwiseAnd_i64, i64, i64, x &y)
BINARY(bitwiseOr_i64, i64, i64, x | y)
BINARY(bitwiseXor_i64, i64, i64, x ^ y)
UNARY(bitwiseNot_i64, i64, i64, ~x)
/* Shifts outside [0, 63] shift everything out: 0 to the left, the sign to the right, as in PyTorch. */
BINARY(shiftLeft_i64, i64, i64, (u64)y > 63 ? 0 : (u64)x << ((u64)y & 63))
BINARY(shiftRight_i64, i64, i64, x >> ((u64)y > 63 ? 63 : y))
UNARY(identity_i64, i64, i64, x)
UNARY(zero_i64, i64, uint8_t, x & 0)
UNARY(one_i64, i64, uint8_t, x == x)
UNARY(to_f32_i64, i64, float, x)
UNARY(to_f64_i64, i64, double, x)
UNARY(to_bool_i64, i64, uint8_t, x != 0)
COMPARISONS(i64, i64)

static void philox_i64(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {
  (void)pc;
  cresset_philox(dst, pa, flags & UNIFORM_A ? 0 : 1, pb, flags & UNIFORM_B ? 0 : 1, n);
}

const vector_function cresset_i64_functions[OP_COUNT] = {
    COMPARISON_ENTRIES(i64),
    [OP_add] = add_i64,
    [OP_sub] = sub_i64,
    [OP_mul] = mul_i64,
    [OP_truncDivide] = truncDivide_i64,
    [OP_floorDivide] = floorDivide_i64,
    [OP_fmod] = fmod_i64,
    [OP_remainder] = remainder_i64,
    [OP_pow] = pow_i64,
    [OP_gcd] = gcd_i64,
    [OP_neg] = neg_i64,
    [OP_abs] = abs_i64,
    [OP_sign] = sign_i64,
    [OP_min] = min_i64,
    [OP_fmin] = min_i64,
    [OP_max] = max_i64,
    [OP_fmax] = max_i64,
    [OP_bitwiseAnd] = bitwiseAnd_i64,
    [OP_bitwiseOr] = bitwiseOr_i64,
    [OP_bitwiseXor] = bitwiseXor_i64,
    [OP_bitwiseNot] = bitwiseNot_i64,
    [OP_shiftLeft] = shiftLeft_i64,
    [OP_shiftRight] = shiftRight_i64,
    [OP_floor] = identity_i64,
    [OP_ceil] = identity_i64,
    [OP_round] = identity_i64,
    [OP_trunc] = identity_i64,
    [OP_isnan] = zero_i64,
    [OP_isinf] = zero_i64,
    [OP_isfinite] = one_i64,
    [OP_philox] = philox_i64,
    [OP_castF32] = to_f32_i64,
    [OP_castF64] = to_f64_i64,
    [OP_castI64] = identity_i64,
    [OP_castU64] = identity_i64,
    [OP_castBool] = to_bool_i64,
};

/* Unsigned: what does not depend on the sign is the same loop as for signed integers. */
BINARY(min_u64, u64, u64, x < y ? x : y)
BINARY(max_u64, u64, u64, x > y ? x : y)
UNARY(sign_u64, u64, u64, x > 0)
UNARY(to_f32_u64, u64, float, x)
UNARY(to_f64_u64, u64, double, x)
COMPARISONS(u64, u64)

const vector_function cresset_u64_functions[OP_COUNT] = {
    COMPARISON_ENTRIES(u64),
    [OP_add] = add_i64,
    [OP_sub] = sub_i64,
    [OP_mul] = mul_i64,
    [OP_neg] = neg_i64,
    [OP_abs] = identity_i64,
    [OP_sign] = sign_u64,
    [OP_min] = min_u64,
    [OP_fmin] = min_u64,
    [OP_max] = max_u64,
    [OP_fmax] = max_u64,
    [OP_bitwiseAnd] = bitwiseAnd_i64,
    [OP_bitwiseOr] = bitwiseOr_i64,
    [OP_bitwiseXor] = bitwiseXor_i64,
    [OP_bitwiseNot] = bitwiseNot_i64,
    [OP_castF32] = to_f32_u64,
    [OP_castF64] = to_f64_u64,
    [OP_castI64] = identity_i64,
    [OP_castU64] = identity_i64,
    [OP_castBool] = to_bool_i64,
};

/* Bool: addition is "or", multiplication is "and", as for a field of one bit with saturation (PyTorch's rule). */
typedef uint8_t b8;
UNARY(to_f32_bool, b8, float, x)
UNARY(to_f64_bool, b8, double, x)
UNARY(to_i64_bool, b8, i64, x)
UNARY(identity_bool, b8, b8, x)
BINARY(xor_bool, b8, b8, x ^ y)
COMPARISONS(bool, b8)

const vector_function cresset_bool_functions[OP_COUNT] = {
    COMPARISON_ENTRIES(bool),
    [OP_add] = logicalOr_bool,
    [OP_sub] = xor_bool,
    [OP_mul] = logicalAnd_bool,
    [OP_min] = logicalAnd_bool,
    [OP_fmin] = logicalAnd_bool,
    [OP_max] = logicalOr_bool,
    [OP_fmax] = logicalOr_bool,
    [OP_bitwiseAnd] = logicalAnd_bool,
    [OP_bitwiseOr] = logicalOr_bool,
    [OP_bitwiseXor] = logicalXor_bool,
    [OP_bitwiseNot] = logicalNot_bool,
    [OP_castF32] = to_f32_bool,
    [OP_castF64] = to_f64_bool,
    [OP_castI64] = to_i64_bool,
    [OP_castU64] = to_i64_bool,
    [OP_castBool] = identity_bool,
};

/* ---- storage to registers and back ---- */

#define LOAD_CASE(CODE, S, K, LOAD, STORE)  \
  case CODE: {                              \
    const S *a = source;                    \
    reg_##K *d = target;                    \
    if (stride == 1) {                      \
      LOOP(i, n) {                          \
        S x = a[i];                         \
        d[i] = (reg_##K)(LOAD);             \
      }                                     \
    } else {                                \
      for (int64_t i = 0; i < n; i++) {     \
        S x = a[i * stride];                \
        d[i] = (reg_##K)(LOAD);             \
      }                                     \
    }                                       \
    return;                                 \
  }

void cresset_load(void *target, const void *source, int64_t n, int64_t stride, int32_t dtype) {
  switch (dtype) {
    CRESSET_DTYPES(LOAD_CASE)
  }
}

#define STORE_CASE(CODE, S, K, LOAD, STORE) \
  case CODE: {                              \
    const reg_##K *a = source;              \
    S *d = target;                          \
    if (uniform) {                          \
      reg_##K x = a[0];                     \
      S value = (S)(STORE);                 \
      if (stride == 1) {                    \
        LOOP(i, n) d[i] = value;            \
      } else {                              \
        for (int64_t i = 0; i < n; i++) d[i * stride] = value; \
      }                                     \
    } else if (stride == 1) {               \
      LOOP(i, n) {                          \
        reg_##K x = a[i];                   \
        d[i] = (S)(STORE);                  \
      }                                     \
    } else {                                \
      for (int64_t i = 0; i < n; i++) {     \
        reg_##K x = a[i];                   \
        d[i * stride] = (S)(STORE);         \
      }                                     \
    }                                       \
    return;                                 \
  }

void cresset_store(void *target, const void *source, int64_t n, int64_t stride, int32_t dtype, int32_t uniform) {
  switch (dtype) {
    CRESSET_DTYPES(STORE_CASE)
  }
}

#define WRAP_CASE(CODE, S, U, FLIP)               \
  case CODE:                                      \
    LOOP(i, n) d[i] = (S)a[i];                    \
    return;

void cresset_wrap(int64_t *d, const int64_t *a, int64_t n, int32_t dtype) {
  switch (dtype) {
    CRESSET_INTEGERS(WRAP_CASE)
  }
}
