/*
 * Running sums, products, extremes and log-sum-exps along the last given dimension.
 *
 * A row passes through registers of the pointwise machine, so every storage dtype works; float sums and products run
 * in double, as in PyTorch.
 */
#include <math.h>

#include "cresset.h"
#include "kernels.h"
#include "machine.h"
#include "threads.h"

enum { SCAN_SUM, SCAN_PROD, SCAN_MAX, SCAN_MIN, SCAN_LOGSUMEXP };

typedef struct {
  int32_t kind, dtype, out_dtype, ndim, status;
  int64_t shape[MAX_DIMS], x_strides[MAX_DIMS], out_strides[MAX_DIMS], index_strides[MAX_DIMS];
  const char *x;
  char *out, *indices;
} Scan;

typedef struct {
  double f;
  int64_t i, at;
} State;

static double log_add_exp(double x, double y) {
  double low = y != y ? y : x < y ? x : y, high = y != y ? y : x > y ? x : y;
  if (x != x) return x;
  return low != high || isfinite(low) ? log1p(exp(low - high)) + high : x;
}

/* Scans n floats held in registers; `first` is their position in the row. */
#define FLOAT_SCAN(name, T)                                                                        \
  static void name(int32_t kind, T *v, int64_t *at, int64_t n, int64_t first, State *s) {          \
    double f = s->f;                                                                               \
    int64_t place = s->at, i = 0;                                                                  \
    switch (kind) {                                                                                \
      case SCAN_SUM:                                                                               \
        for (; i < n; i++) v[i] = (T)(f += (double)v[i]);                                          \
        break;                                                                                     \
      case SCAN_PROD:                                                                              \
        for (; i < n; i++) v[i] = (T)(f *= (double)v[i]);                                          \
        break;                                                                                     \
      case SCAN_LOGSUMEXP:                                                                         \
        for (; i < n; i++) v[i] = (T)(f = log_add_exp((double)v[i], f));                           \
        break;                                                                                     \
      default:                                                                                     \
        for (; i < n; i++) {                                                                       \
          double x = (double)v[i];                                                                 \
          /* The latest of equals, and of NaNs. */                                                 \
          int take = x != x || (f == f && (kind == SCAN_MAX ? x >= f : x <= f));                   \
          take |= first + i == 0;                                                                  \
          f = take ? x : f;                                                                        \
          place = take ? first + i : place;                                                        \
          v[i] = (T)f;                                                                             \
          at[i] = place;                                                                           \
        }                                                                                          \
    }                                                                                              \
    s->f = f;                                                                                      \
    s->at = place;                                                                                 \
  }

FLOAT_SCAN(scan_f32, float)
FLOAT_SCAN(scan_f64, double)

#define INTEGER_SCAN(name, T)                                                                      \
  static void name(int32_t kind, T *v, int64_t *at, int64_t n, int64_t first, State *s) {          \
    int64_t t = s->i, place = s->at, i = 0;                                                        \
    switch (kind) {                                                                                \
      case SCAN_SUM:                                                                               \
        for (; i < n; i++) v[i] = (T)(t = (int64_t)((uint64_t)t + (uint64_t)v[i]));                \
        break;                                                                                     \
      case SCAN_PROD:                                                                              \
        for (; i < n; i++) v[i] = (T)(t = (int64_t)((uint64_t)t * (uint64_t)v[i]));                \
        break;                                                                                     \
      default:                                                                                     \
        for (; i < n; i++) {                                                                       \
          int64_t x = (int64_t)v[i];                                                               \
          int take = first + i == 0 || (kind == SCAN_MAX ? x >= t : x <= t);                       \
          t = take ? x : t;                                                                        \
          place = take ? first + i : place;                                                        \
          v[i] = (T)t;                                                                             \
          at[i] = place;                                                                           \
        }                                                                                          \
    }                                                                                              \
    s->i = t;                                                                                      \
    s->at = place;                                                                                 \
  }

INTEGER_SCAN(scan_i64, int64_t)
INTEGER_SCAN(scan_bool, uint8_t)

static const vector_function *table_of(int32_t kind) {
  return kind == K_F32   ? cresset_f32_functions
         : kind == K_F64 ? cresset_f64_functions
         : kind == K_I64 ? cresset_i64_functions
                         : cresset_bool_functions;
}

static void scan_rows(void *context, int64_t begin, int64_t end) {
  Scan *s = context;
  char *memory = cresset_scratch(0, 3 * BLOCK * 8);
  if (!memory) {
    s->status = CRESSET_NO_MEMORY;
    return;
  }
  char *loaded = memory, *cast = memory + BLOCK * 8;
  int64_t *at = (int64_t *)(void *)(memory + 2 * BLOCK * 8);
  static const int32_t casts[K_COUNT] = {
      [K_F32] = OP_castF32, [K_F64] = OP_castF64, [K_I64] = OP_castI64, [K_BOOL] = OP_castBool,
  };
  int32_t from = dtype_kind(s->dtype), to = dtype_kind(s->out_dtype), last = s->ndim - 1;
  int64_t size = dtype_size(s->dtype), out_size = dtype_size(s->out_dtype), n = s->shape[last];
  for (int64_t row = begin; row < end; row++) {
    int64_t rest = row, xo = 0, oo = 0, io = 0;
    for (int32_t d = last - 1; d >= 0; d--) {
      int64_t index = rest % s->shape[d];
      rest /= s->shape[d];
      xo += index * s->x_strides[d];
      oo += index * s->out_strides[d];
      io += index * s->index_strides[d];
    }
    State state = {s->kind == SCAN_PROD ? 1 : s->kind == SCAN_LOGSUMEXP ? -INFINITY : 0, s->kind == SCAN_PROD, 0};
    for (int64_t first = 0; first < n; first += BLOCK) {
      int64_t m = n - first < BLOCK ? n - first : BLOCK;
      char *v = loaded;
      cresset_load(loaded, s->x + (xo + first * s->x_strides[last]) * size, m, s->x_strides[last], s->dtype);
      if (from != to) {
        table_of(from)[casts[to]](cast, loaded, NULL, NULL, m, 0);
        v = cast;
      }
      if (to == K_F32) scan_f32(s->kind, (float *)(void *)v, at, m, first, &state);
      else if (to == K_F64) scan_f64(s->kind, (double *)(void *)v, at, m, first, &state);
      else if (to == K_I64) scan_i64(s->kind, (int64_t *)(void *)v, at, m, first, &state);
      else scan_bool(s->kind, (uint8_t *)v, at, m, first, &state);
      cresset_store(s->out + (oo + first * s->out_strides[last]) * out_size, v, m, s->out_strides[last], s->out_dtype, 0);
      if (s->indices) {
        cresset_store(s->indices + (io + first * s->index_strides[last]) * 8, at, m, s->index_strides[last], DT_I64, 0);
      }
    }
  }
}

int32_t cresset_scan(int32_t kind, int32_t dtype, int32_t ndim, int32_t outDtype) {
  Scan s;
  const double *args = cresset_args;
  if (ndim < 1 || ndim > MAX_DIMS || kind < SCAN_SUM || kind > SCAN_LOGSUMEXP) return CRESSET_BAD_ARGUMENT;
  if (dtype < 0 || dtype >= DT_COUNT || outDtype < 0 || outDtype >= DT_COUNT) return CRESSET_BAD_DTYPE;
  if (kind == SCAN_LOGSUMEXP && dtype_kind(outDtype) > K_F64) return CRESSET_BAD_DTYPE;
  s.kind = kind;
  s.dtype = dtype;
  s.out_dtype = outDtype;
  s.ndim = ndim;
  s.status = CRESSET_OK;
  int64_t rows = 1;
  for (int32_t d = 0; d < ndim; d++) s.shape[d] = (int64_t)*args++;
  for (int32_t d = 0; d < ndim - 1; d++) rows *= s.shape[d];
  s.x = POINTER(const char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.x_strides[d] = (int64_t)*args++;
  s.out = POINTER(char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.out_strides[d] = (int64_t)*args++;
  s.indices = POINTER(char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.index_strides[d] = (int64_t)*args++;
  if (s.shape[ndim - 1] == 0) return CRESSET_OK;
  cresset_parallel_for(rows, 1 + 32768 / s.shape[ndim - 1], scan_rows, &s);
  return s.status;
}
