/*
 * The vector functions of the pointwise machine: one per primitive and register kind, each a loop over one block.
 *
 * machine.c interprets programs; pointwise_f32.c, pointwise_f64.c and pointwise_int.c hold the loops and fill the
 * table `cresset_functions[opcode][kind]`. A uniform operand (a constant, a scalar, a broadcast value) is read from
 * one element. A destination may be one of the sources, so loops assert that elements are independent.
 */
#ifndef CRESSET_KERNELS_H
#define CRESSET_KERNELS_H

#include "cresset.h"
#include "opcodes.gen.h"

/* Elements per block: eight 4 KiB registers and their operands stay in a 48 KiB first-level cache. */
#define BLOCK 1024

/* Bits of `flags`: which operands are uniform. */
enum { UNIFORM_A = 1, UNIFORM_B = 2, UNIFORM_C = 4 };

/* d[i] = f(a[i], b[i], c[i]) for i < n. */
typedef void (*vector_function)(void *d, const void *a, const void *b, const void *c, int64_t n, int32_t flags);

/* The functions of one kind, indexed by opcode; NULL where the kind lacks the operation. */
CRESSET_SHARED extern const vector_function cresset_f32_functions[OP_COUNT];
CRESSET_SHARED extern const vector_function cresset_f64_functions[OP_COUNT];
CRESSET_SHARED extern const vector_function cresset_i64_functions[OP_COUNT];
CRESSET_SHARED extern const vector_function cresset_u64_functions[OP_COUNT];
CRESSET_SHARED extern const vector_function cresset_bool_functions[OP_COUNT];

/* Loads `n` elements of `dtype`, `stride` elements apart, into a register of its kind. */
CRESSET_SHARED void cresset_load(void *d, const void *a, int64_t n, int64_t stride, int32_t dtype);
/* Stores a register of the dtype's kind; a `uniform` source repeats its one element. */
CRESSET_SHARED void cresset_store(void *d, const void *a, int64_t n, int64_t stride, int32_t dtype, int32_t uniform);
/* Wraps values of 64 bits to the range of a narrower integer dtype. */
CRESSET_SHARED void cresset_wrap(int64_t *d, const int64_t *a, int64_t n, int32_t dtype);

#if defined(__clang__)
#define LOOP(i, n) _Pragma("clang loop vectorize(assume_safety)") for (int64_t i = 0; i < (n); i++)
#else
#define LOOP(i, n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)
#endif

/* Defines the loop of a one-operand function: `x` is the element of type T, the result has type R. */
#define UNARY(name, T, R, expression)                                                                           \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    R *d = dst;                                                                                                 \
    const T *a = pa;                                                                                            \
    (void)pb, (void)pc, (void)flags;                                                                            \
    LOOP(i, n) {                                                                                                \
      T x = a[i];                                                                                               \
      d[i] = (R)(expression);                                                                                   \
    }                                                                                                           \
  }

/* The same without asking for vector code: functions of libm, one call per element. */
#define UNARY_PLAIN(name, T, R, expression)                                                                     \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    R *d = dst;                                                                                                 \
    const T *a = pa;                                                                                            \
    (void)pb, (void)pc, (void)flags;                                                                            \
    for (int64_t i = 0; i < n; i++) {                                                                           \
      T x = a[i];                                                                                               \
      d[i] = (R)(expression);                                                                                   \
    }                                                                                                           \
  }

/* The same for two operands `x` and `y`, with one loop for each way of being uniform. */
#define BINARY(name, T, R, expression)                                                                          \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    R *d = dst;                                                                                                 \
    const T *a = pa, *b = pb;                                                                                   \
    (void)pc;                                                                                                   \
    if (flags & UNIFORM_A) {                                                                                    \
      T x = a[0];                                                                                               \
      LOOP(i, n) {                                                                                              \
        T y = b[i];                                                                                             \
        d[i] = (R)(expression);                                                                                 \
      }                                                                                                         \
    } else if (flags & UNIFORM_B) {                                                                             \
      T y = b[0];                                                                                               \
      LOOP(i, n) {                                                                                              \
        T x = a[i];                                                                                             \
        d[i] = (R)(expression);                                                                                 \
      }                                                                                                         \
    } else {                                                                                                    \
      LOOP(i, n) {                                                                                              \
        T x = a[i], y = b[i];                                                                                   \
        d[i] = (R)(expression);                                                                                 \
      }                                                                                                         \
    }                                                                                                           \
  }

/* The same for expensive functions: one plain loop, the uniform operands read with step 0. */
#define BINARY_PLAIN(name, T, R, expression)                                                                    \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    R *d = dst;                                                                                                 \
    const T *a = pa, *b = pb;                                                                                   \
    int64_t sa = flags & UNIFORM_A ? 0 : 1, sb = flags & UNIFORM_B ? 0 : 1;                                     \
    (void)pc;                                                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                                           \
      T x = a[i * sa], y = b[i * sb];                                                                           \
      d[i] = (R)(expression);                                                                                   \
    }                                                                                                           \
  }

/* d = a ? b : c, with a bool condition that is not uniform. */
#define WHERE(name, T)                                                                                          \
  static void name(void *dst, const void *pa, const void *pb, const void *pc, int64_t n, int32_t flags) {       \
    T *d = dst;                                                                                                 \
    const uint8_t *a = pa;                                                                                      \
    const T *b = pb, *c = pc;                                                                                   \
    if (flags & UNIFORM_B && flags & UNIFORM_C) {                                                               \
      T y = b[0], z = c[0];                                                                                     \
      LOOP(i, n) d[i] = a[i] ? y : z;                                                                           \
    } else if (flags & UNIFORM_B) {                                                                             \
      T y = b[0];                                                                                               \
      LOOP(i, n) {                                                                                              \
        T z = c[i];                                                                                             \
        d[i] = a[i] ? y : z;                                                                                    \
      }                                                                                                         \
    } else if (flags & UNIFORM_C) {                                                                             \
      T z = c[0];                                                                                               \
      LOOP(i, n) {                                                                                              \
        T y = b[i];                                                                                             \
        d[i] = a[i] ? y : z;                                                                                    \
      }                                                                                                         \
    } else {                                                                                                    \
      LOOP(i, n) {                                                                                              \
        T y = b[i], z = c[i];                                                                                   \
        d[i] = a[i] ? y : z;                                                                                    \
      }                                                                                                         \
    }                                                                                                           \
  }

/* Comparisons and logic that every kind has, named `<op>_<K>`. */
#define COMPARISONS(K, T)                                     \
  BINARY(eq_##K, T, uint8_t, x == y)                          \
  BINARY(ne_##K, T, uint8_t, x != y)                          \
  BINARY(lt_##K, T, uint8_t, x < y)                           \
  BINARY(le_##K, T, uint8_t, x <= y)                          \
  BINARY(gt_##K, T, uint8_t, x > y)                           \
  BINARY(ge_##K, T, uint8_t, x >= y)                          \
  BINARY(logicalAnd_##K, T, uint8_t, (x != 0) & (y != 0))     \
  BINARY(logicalOr_##K, T, uint8_t, (x != 0) | (y != 0))      \
  BINARY(logicalXor_##K, T, uint8_t, (x != 0) ^ (y != 0))     \
  UNARY(logicalNot_##K, T, uint8_t, x == 0)                   \
  WHERE(where_##K, T)

#define COMPARISON_ENTRIES(K)                                                                                   \
  [OP_eq] = eq_##K, [OP_ne] = ne_##K, [OP_lt] = lt_##K, [OP_le] = le_##K, [OP_gt] = gt_##K, [OP_ge] = ge_##K,   \
  [OP_logicalAnd] = logicalAnd_##K, [OP_logicalOr] = logicalOr_##K, [OP_logicalXor] = logicalXor_##K,           \
  [OP_logicalNot] = logicalNot_##K, [OP_where] = where_##K

#endif
