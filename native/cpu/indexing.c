/* Indexing by tensors: gather, scatter, index_select, index_put, nonzero.

   Every index is checked before it is used. One out of range stops the kernel with CRESSET_BAD_INDEX and leaves the
   offending value and the size in the arena's first slots; what was written until then stays written. Where the same
   place is written twice, the order is row-major, so results do not depend on the layout. */
#include "cresset.h"
#include "nest.h"

static inline int64_t load_index(const char *p, int64_t at, int is64) {
  return is64 ? ((const int64_t *)p)[at] : ((const int32_t *)p)[at];
}

static int32_t bad_index(int64_t index, int64_t extent) {
  cresset_args[0] = (double)index;
  cresset_args[1] = (double)extent;
  return CRESSET_BAD_INDEX;
}

/* ---- how a value is combined with what is there ---- */

/* Rows: out[i * os] (mode)= src[i * ss]. */
typedef void (*RowFn)(int64_t n, char *out, int64_t os, const char *src, int64_t ss);

#define ROW(NAME, T, COMBINE)                                                                    \
  static void NAME(int64_t n, char *out_, int64_t os, const char *src_, int64_t ss) {            \
    T *out = (T *)out_;                                                                          \
    const T *src = (const T *)src_;                                                              \
    if (os == 1 && ss == 1) {                                                                    \
      for (int64_t i = 0; i < n; i++) out[i] = COMBINE(T, out[i], src[i]);                       \
    } else {                                                                                     \
      for (int64_t i = 0; i < n; i++) out[i * os] = COMBINE(T, out[i * os], src[i * ss]);        \
    }                                                                                            \
  }

/* Integers wrap, so they are added and multiplied unsigned, where C defines it. */
#define INT_SUM(T, a, b) ((T)((uint64_t)(a) + (uint64_t)(b)))
#define INT_PROD(T, a, b) ((T)((uint64_t)(a) * (uint64_t)(b)))
#define INT_MAX(T, a, b) ((a) > (b) ? (a) : (b))
#define INT_MIN(T, a, b) ((a) < (b) ? (a) : (b))
#define ANY(T, a, b) ((T)(((a) != 0) | ((b) != 0)))
#define ALL(T, a, b) ((T)(((a) != 0) & ((b) != 0)))
#define SUM(T, a, b) ((a) + (b))
#define PROD(T, a, b) ((a) * (b))
/* NaN wins on either side. */
#define FLOAT_MAX(T, a, b) ((a) != (a) || (a) > (b) ? (a) : (b))
#define FLOAT_MIN(T, a, b) ((a) != (a) || (a) < (b) ? (a) : (b))
#define F16(OP, a, b) f32_to_f16(OP(float, f16_to_f32(a), f16_to_f32(b)))
#define BF16(OP, a, b) f32_to_bf16(OP(float, bf16_to_f32(a), bf16_to_f32(b)))
#define F16_SUM(T, a, b) F16(SUM, a, b)
#define F16_PROD(T, a, b) F16(PROD, a, b)
#define F16_MAX(T, a, b) F16(FLOAT_MAX, a, b)
#define F16_MIN(T, a, b) F16(FLOAT_MIN, a, b)
#define BF16_SUM(T, a, b) BF16(SUM, a, b)
#define BF16_PROD(T, a, b) BF16(PROD, a, b)
#define BF16_MAX(T, a, b) BF16(FLOAT_MAX, a, b)
#define BF16_MIN(T, a, b) BF16(FLOAT_MIN, a, b)

#define ROWS(NAME, T, S, P, MX, MN)                                                              \
  ROW(NAME##_sum, T, S)                                                                          \
  ROW(NAME##_prod, T, P)                                                                         \
  ROW(NAME##_max, T, MX)                                                                         \
  ROW(NAME##_min, T, MN)

ROWS(row_bool, uint8_t, ANY, ALL, ANY, ALL)
ROWS(row_u8, uint8_t, INT_SUM, INT_PROD, INT_MAX, INT_MIN)
ROWS(row_i8, int8_t, INT_SUM, INT_PROD, INT_MAX, INT_MIN)
ROWS(row_i16, int16_t, INT_SUM, INT_PROD, INT_MAX, INT_MIN)
ROWS(row_i32, int32_t, INT_SUM, INT_PROD, INT_MAX, INT_MIN)
ROWS(row_i64, int64_t, INT_SUM, INT_PROD, INT_MAX, INT_MIN)
ROWS(row_f16, uint16_t, F16_SUM, F16_PROD, F16_MAX, F16_MIN)
ROWS(row_bf16, uint16_t, BF16_SUM, BF16_PROD, BF16_MAX, BF16_MIN)
ROWS(row_f32, float, SUM, PROD, FLOAT_MAX, FLOAT_MIN)
ROWS(row_f64, double, SUM, PROD, FLOAT_MAX, FLOAT_MIN)

#define TAKE(T, a, b) (b)
ROW(row_set1, uint8_t, TAKE)
ROW(row_set2, uint16_t, TAKE)
ROW(row_set4, uint32_t, TAKE)
ROW(row_set8, uint64_t, TAKE)

/* Modes: 0 set, 1 sum, 2 prod, 3 max, 4 min. */
#define MODES(NAME) {NAME##_sum, NAME##_prod, NAME##_max, NAME##_min}
static const RowFn row_table[10][4] = {
    MODES(row_bool), MODES(row_u8),  MODES(row_i8),   MODES(row_i16), MODES(row_i32),
    MODES(row_i64),  MODES(row_f16), MODES(row_bf16), MODES(row_f32), MODES(row_f64),
};

static RowFn row_function(int dtype, int mode) {
  if (!dtype_known(dtype) || mode < 0 || mode > 4 || (dtype >= DT_COUNT && mode > 0)) return 0;
  if (mode > 0) return row_table[dtype][mode - 1];
  switch (dtype_size(dtype)) {
    case 1: return row_set1;
    case 2: return row_set2;
    case 4: return row_set4;
    default: return row_set8;
  }
}

/* ---- gather and scatter ---- */

/* The loop nest of three operands over `shape`. The step of operand 1 along `dim`, which is indexed, is left out and
   returned. */
static int64_t indexed_nest(Nest *nest, int ndim, int dim, const double *shape, int64_t strides[3][NEST_DIMS], int indexed) {
  nest_init(nest, 3);
  int64_t step = ndim > 0 ? strides[indexed][dim] : 0;
  for (int i = 0; i < ndim; i++) {
    int64_t steps[3] = {strides[0][i], strides[1][i], strides[2][i]};
    if (i == dim) steps[indexed] = 0;
    nest_add(nest, (int64_t)shape[i], steps);
  }
  return step;
}

#define GATHER_LOOP(T)                                                                           \
  {                                                                                              \
    T *o = (T *)out + offset[0];                                                                 \
    const T *s = (const T *)x + offset[1];                                                       \
    for (int64_t j = 0; j < n; j++) {                                                            \
      int64_t i = load_index(index, offset[2] + j * inner[2], is64);                             \
      if ((uint64_t)i >= (uint64_t)extent) return bad_index(i, extent);                                  \
      o[j * inner[0]] = s[j * inner[1] + i * step];                                              \
    }                                                                                            \
  }

int32_t cresset_gather(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent_) {
  if (!dtype_known(dtype)) return CRESSET_BAD_DTYPE;
  if (ndim < 0 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[3][NEST_DIMS], extent = (int64_t)extent_;
  char *out = nest_operand(&slot, ndim, strides[0]);
  const char *x = nest_operand(&slot, ndim, strides[1]);
  const char *index = nest_operand(&slot, ndim, strides[2]);
  Nest nest;
  int64_t step = indexed_nest(&nest, ndim, dim, shape, strides, 1);
  if (nest_count(&nest) == 0) return CRESSET_OK;
  int is64 = indexDtype == DT_I64;
  int64_t inner[3], at[NEST_DIMS] = {0}, offset[3] = {0, 0, 0};
  int64_t n = nest_take_inner(&nest, inner);
  do {
    switch (dtype_size(dtype)) {
      case 1: GATHER_LOOP(uint8_t) break;
      case 2: GATHER_LOOP(uint16_t) break;
      case 4: GATHER_LOOP(uint32_t) break;
      default: GATHER_LOOP(uint64_t) break;
    }
  } while (nest_next(&nest, at, offset));
  return CRESSET_OK;
}

int32_t cresset_scatter(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent_) {
  RowFn combine = row_function(dtype, mode);
  if (!combine) return CRESSET_BAD_DTYPE;
  if (ndim < 0 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[3][NEST_DIMS], extent = (int64_t)extent_;
  char *out = nest_operand(&slot, ndim, strides[0]);
  const char *src = nest_operand(&slot, ndim, strides[1]);
  const char *index = nest_operand(&slot, ndim, strides[2]);
  Nest nest;
  int64_t step = indexed_nest(&nest, ndim, dim, shape, strides, 0);
  if (nest_count(&nest) == 0) return CRESSET_OK;
  int is64 = indexDtype == DT_I64;
  int64_t size = dtype_size(dtype);
  int64_t inner[3], at[NEST_DIMS] = {0}, offset[3] = {0, 0, 0};
  int64_t n = nest_take_inner(&nest, inner);
  do {
    char *o = out + offset[0] * size;
    const char *s = src + offset[1] * size;
    for (int64_t j = 0; j < n; j++) {
      int64_t i = load_index(index, offset[2] + j * inner[2], is64);
      if ((uint64_t)i >= (uint64_t)extent) return bad_index(i, extent);
      char *place = o + (j * inner[0] + i * step) * size;
      const char *value = s + j * inner[1] * size;
      if (dtype == DT_F32 && mode == 1) *(float *)place += *(const float *)value;
      else combine(1, place, 0, value, 0);
    }
  } while (nest_next(&nest, at, offset));
  return CRESSET_OK;
}

/* ---- whole slices ---- */

/* index_select (`put` 0): many[j] = table[index[j]], and index_put: table[index[j]] (mode)= many[j]. `many` has as many
   slices as there are indices, `table` has `extent`. */
static int32_t slices(int put, int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent_, int32_t wrap) {
  RowFn combine = row_function(dtype, mode);
  if (!combine) return CRESSET_BAD_DTYPE;
  if (ndim < 0 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[2][NEST_DIMS], index_stride[1], extent = (int64_t)extent_;
  char *many = nest_operand(&slot, ndim, strides[0]);
  char *table = nest_operand(&slot, ndim, strides[1]);
  const char *index = nest_operand(&slot, 1, index_stride);
  Nest before, after;
  nest_init(&before, 2);
  nest_init(&after, 2);
  for (int i = 0; i < ndim; i++) {
    int64_t steps[2] = {strides[0][i], strides[1][i]};
    if (i != dim) nest_add(i < dim ? &before : &after, (int64_t)shape[i], steps);
  }
  int64_t count = ndim > 0 ? (int64_t)shape[dim] : 1, lowest = wrap ? -extent : 0;
  int64_t many_step = ndim > 0 ? strides[0][dim] : 0, table_step = ndim > 0 ? strides[1][dim] : 0;
  int is64 = indexDtype == DT_I64;
  if (nest_count(&before) * nest_count(&after) == 0) {
    for (int64_t j = 0; j < count; j++) {
      int64_t i = load_index(index, j * index_stride[0], is64);
      if (i < lowest || i >= extent) return bad_index(i, extent);
    }
    return CRESSET_OK;
  }
  int64_t size = dtype_size(dtype), inner[2];
  int64_t n = nest_take_inner(&after, inner);
  int copies = mode == 0 && inner[0] == 1 && inner[1] == 1;
  int64_t at[NEST_DIMS] = {0}, within[NEST_DIMS] = {0}, base[2] = {0, 0};
  do {
    for (int64_t j = 0; j < count; j++) {
      int64_t i = load_index(index, j * index_stride[0], is64);
      if (i < lowest || i >= extent) return bad_index(i, extent);
      if (i < 0) i += extent;
      int64_t offset[2] = {base[0] + j * many_step, base[1] + i * table_step};
      do {
        char *m = many + offset[0] * size, *t = table + offset[1] * size;
        if (copies) memcpy(put ? t : m, put ? m : t, (size_t)(n * size));
        else if (put) combine(n, t, inner[1], m, inner[0]);
        else combine(n, m, inner[0], t, inner[1]);
      } while (nest_next(&after, within, offset));
    }
  } while (nest_next(&before, at, base));
  return CRESSET_OK;
}

int32_t cresset_index_select(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent, int32_t wrap) {
  return slices(0, dtype, indexDtype, 0, ndim, dim, extent, wrap);
}

int32_t cresset_index_put(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent, int32_t wrap) {
  return slices(1, dtype, indexDtype, mode, ndim, dim, extent, wrap);
}

/* ---- nonzero ---- */

/* The bits that make a value differ from zero: all but the sign for floats, so that -0 is zero. */
static uint64_t value_bits(int dtype) {
  switch (dtype) {
    case DT_E4M3: case DT_E5M2: return 0x7f;
    case DT_F16: case DT_BF16: return 0x7fff;
    case DT_F32: return 0x7fffffff;
    case DT_F64: return 0x7fffffffffffffff;
    default: return ~(uint64_t)0;
  }
}

static inline uint64_t load_bits(const char *p, int64_t at, int size) {
  switch (size) {
    case 1: return ((const uint8_t *)p)[at];
    case 2: return ((const uint16_t *)p)[at];
    case 4: return ((const uint32_t *)p)[at];
    default: return ((const uint64_t *)p)[at];
  }
}

int32_t cresset_count_nonzero(int32_t dtype, int32_t ndim) {
  if (ndim < 0 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[NEST_DIMS];
  const char *x = nest_operand(&slot, ndim, strides);
  Nest nest;
  nest_init(&nest, 1);
  for (int i = 0; i < ndim; i++) nest_add(&nest, (int64_t)shape[i], &strides[i]);
  int64_t count = 0;
  if (nest_count(&nest) > 0) {
    uint64_t mask = value_bits(dtype);
    int size = (int)dtype_size(dtype);
    int64_t inner[1], at[NEST_DIMS] = {0}, offset[1] = {0};
    int64_t n = nest_take_inner(&nest, inner);
    do {
      if (size == 1 && inner[0] == 1) {
        const uint8_t *p = (const uint8_t *)x + offset[0];
        for (int64_t j = 0; j < n; j++) count += (p[j] & mask) != 0;
      } else {
        for (int64_t j = 0; j < n; j++) count += (load_bits(x, offset[0] + j * inner[0], size) & mask) != 0;
      }
    } while (nest_next(&nest, at, offset));
  }
  cresset_args[0] = (double)count;
  return CRESSET_OK;
}

int32_t cresset_nonzero(int32_t dtype, int32_t ndim, double capacity_) {
  if (ndim < 0 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[NEST_DIMS], out_strides[2], capacity = (int64_t)capacity_, count = 0;
  const char *x = nest_operand(&slot, ndim, strides);
  int64_t *out = (int64_t *)nest_operand(&slot, 2, out_strides);
  /* Not merged: the coordinates themselves are the result. */
  Nest nest = {.ndim = ndim, .operands = 1};
  for (int i = 0; i < ndim; i++) {
    nest.size[i] = (int64_t)shape[i];
    nest.step[0][i] = strides[i];
  }
  if (nest_count(&nest) == 0) return CRESSET_OK;
  uint64_t mask = value_bits(dtype);
  int size = (int)dtype_size(dtype);
  int64_t at[NEST_DIMS] = {0}, offset[1] = {0};
  do {
    if ((load_bits(x, offset[0], size) & mask) == 0) continue;
    if (count >= capacity) return CRESSET_BAD_ARGUMENT;
    int64_t *row = out + count * out_strides[0];
    for (int d = 0; d < ndim; d++) row[d * out_strides[1]] = at[d];
    count++;
  } while (nest_next(&nest, at, offset));
  return CRESSET_OK;
}
