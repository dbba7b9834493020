/* Argmax and argmin: indices (and values) of extremes along the last given dimension. Of equal values the first one
   counts; NaN counts as more extreme than any number.

   Contiguous rows are searched twice, for the extreme and then for its index, since both loops vectorise; strided
   rows are searched side by side, a strip at a time. */
#include "cresset.h"
#include "machine.h"
#include "threads.h"

#define STRIP 256

typedef struct {
  int32_t kind, dtype, ndim;
  int64_t shape[MAX_DIMS], x_strides[MAX_DIMS], index_strides[MAX_DIMS], value_strides[MAX_DIMS];
  const char *x;
  char *indices, *values;
  int64_t strip; /* rows searched side by side */
} Search;

/* Whether `v` comes before `best`: larger (smaller), or the first NaN. */
#define BEFORE_MAX(v, best) ((v) > (best) || ((v) != (v) && (best) == (best)))
#define BEFORE_MIN(v, best) ((v) < (best) || ((v) != (v) && (best) == (best)))

#define SEARCH(name, S, T, READ, BEFORE)                                                                     \
  static void name(const S *x, int64_t n, int64_t step, int64_t rows, int64_t row_step, T *best, int64_t *at) { \
    if (rows == 1 && step == 1) {                                                                            \
      T lane[32];                                                                                            \
      T top = READ(x[0]);                                                                                    \
      int64_t i = 0;                                                                                         \
      if (n >= 32) {                                                                                         \
        for (int l = 0; l < 32; l++) lane[l] = READ(x[l]);                                                   \
        for (i = 32; i + 32 <= n; i += 32) {                                                                 \
          for (int l = 0; l < 32; l++) {                                                                     \
            T v = READ(x[i + l]);                                                                            \
            lane[l] = BEFORE(v, lane[l]) ? v : lane[l];                                                      \
          }                                                                                                  \
        }                                                                                                    \
        for (int l = 0; l < 32; l++) top = BEFORE(lane[l], top) ? lane[l] : top;                             \
      }                                                                                                      \
      for (; i < n; i++) {                                                                                   \
        T v = READ(x[i]);                                                                                    \
        top = BEFORE(v, top) ? v : top;                                                                      \
      }                                                                                                      \
      int64_t k = 0;                                                                                         \
      if (top == top) {                                                                                      \
        while (READ(x[k]) != top) k++;                                                                       \
      } else {                                                                                               \
        for (T v = READ(x[0]); v == v; v = READ(x[k])) k++;                                                  \
      }                                                                                                      \
      best[0] = top;                                                                                         \
      at[0] = k;                                                                                             \
      return;                                                                                                \
    }                                                                                                        \
    for (int64_t r = 0; r < rows; r++) {                                                                     \
      best[r] = READ(x[r * row_step]);                                                                       \
      at[r] = 0;                                                                                             \
    }                                                                                                        \
    for (int64_t i = 1; i < n; i++) {                                                                        \
      const S *row = x + i * step;                                                                           \
      for (int64_t r = 0; r < rows; r++) {                                                                   \
        T v = READ(row[r * row_step]);                                                                       \
        int before = BEFORE(v, best[r]);                                                                     \
        at[r] = before ? i : at[r];                                                                          \
        best[r] = before ? v : best[r];                                                                      \
      }                                                                                                      \
    }                                                                                                        \
  }

#define AS_IS(v) (v)
#define TRUTH(v) ((v) != 0)
#define SEARCH_BOTH(name, S, T, READ)             \
  SEARCH(max_##name, S, T, READ, BEFORE_MAX)      \
  SEARCH(min_##name, S, T, READ, BEFORE_MIN)

SEARCH_BOTH(bool, uint8_t, uint8_t, TRUTH)
SEARCH_BOTH(u8, uint8_t, uint8_t, AS_IS)
SEARCH_BOTH(i8, int8_t, int8_t, AS_IS)
SEARCH_BOTH(i16, int16_t, int16_t, AS_IS)
SEARCH_BOTH(i32, int32_t, int32_t, AS_IS)
SEARCH_BOTH(i64, int64_t, int64_t, AS_IS)
SEARCH_BOTH(f16, uint16_t, float, f16_to_f32)
SEARCH_BOTH(bf16, uint16_t, float, bf16_to_f32)
SEARCH_BOTH(f32, float, float, AS_IS)
SEARCH_BOTH(f64, double, double, AS_IS)

#define SEARCH_CASE(CODE, name, S, T)                                                                   \
  case CODE:                                                                                            \
    if (s->kind == 0) max_##name((const S *)x, n, step, rows, row_step, (T *)best, at);                 \
    else min_##name((const S *)x, n, step, rows, row_step, (T *)best, at);                              \
    break;

static void search_rows(const Search *s, const void *x, int64_t rows, int64_t row_step, void *best, int64_t *at) {
  int64_t n = s->shape[s->ndim - 1], step = s->x_strides[s->ndim - 1];
  switch (s->dtype) {
    SEARCH_CASE(DT_BOOL, bool, uint8_t, uint8_t)
    SEARCH_CASE(DT_U8, u8, uint8_t, uint8_t)
    SEARCH_CASE(DT_I8, i8, int8_t, int8_t)
    SEARCH_CASE(DT_I16, i16, int16_t, int16_t)
    SEARCH_CASE(DT_I32, i32, int32_t, int32_t)
    SEARCH_CASE(DT_I64, i64, int64_t, int64_t)
    SEARCH_CASE(DT_F16, f16, uint16_t, float)
    SEARCH_CASE(DT_BF16, bf16, uint16_t, float)
    SEARCH_CASE(DT_F32, f32, float, float)
    SEARCH_CASE(DT_F64, f64, double, double)
  }
}

/* Strips [begin, end): `strip` neighbouring rows along the last kept dimension. */
static void search_strips(void *context, int64_t begin, int64_t end) {
  const Search *s = context;
  double best[STRIP];
  int64_t at[STRIP];
  int32_t last = s->ndim - 2;
  int64_t size = dtype_size(s->dtype), width = last >= 0 ? s->shape[last] : 1;
  int64_t strips = (width + s->strip - 1) / s->strip;
  for (int64_t u = begin; u < end; u++) {
    int64_t first = u % strips * s->strip, rest = u / strips;
    int64_t rows = first + s->strip < width ? s->strip : width - first;
    int64_t xo = 0, io = 0, vo = 0, row_step = 0, index_step = 0, value_step = 0;
    if (last >= 0) {
      row_step = s->x_strides[last];
      index_step = s->index_strides[last];
      value_step = s->value_strides[last];
      xo = first * row_step;
      io = first * index_step;
      vo = first * value_step;
    }
    for (int32_t d = last - 1; d >= 0; d--) {
      int64_t index = rest % s->shape[d];
      rest /= s->shape[d];
      xo += index * s->x_strides[d];
      io += index * s->index_strides[d];
      vo += index * s->value_strides[d];
    }
    search_rows(s, s->x + xo * size, rows, row_step, best, at);
    int64_t *indices = (int64_t *)(void *)s->indices + io;
    for (int64_t r = 0; r < rows; r++) indices[r * index_step] = at[r];
    if (!s->values) continue;
    int64_t step = s->x_strides[s->ndim - 1];
    for (int64_t r = 0; r < rows; r++) {
      const char *from = s->x + (xo + r * row_step + at[r] * step) * size;
      memcpy(s->values + (vo + r * value_step) * size, from, (size_t)size);
    }
  }
}

int32_t cresset_argreduce(int32_t kind, int32_t dtype, int32_t ndim) {
  Search s;
  const double *args = cresset_args;
  if (dtype < 0 || dtype >= DT_COUNT) return CRESSET_BAD_DTYPE;
  if (ndim < 1 || ndim > MAX_DIMS) return CRESSET_BAD_ARGUMENT;
  s.kind = kind;
  s.dtype = dtype;
  s.ndim = ndim;
  for (int32_t d = 0; d < ndim; d++) s.shape[d] = (int64_t)*args++;
  s.x = POINTER(const char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.x_strides[d] = (int64_t)*args++;
  s.indices = POINTER(char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.index_strides[d] = (int64_t)*args++;
  s.values = POINTER(char, *args++);
  for (int32_t d = 0; d < ndim; d++) s.value_strides[d] = (int64_t)*args++;
  int64_t n = s.shape[ndim - 1], units = 1, width = ndim > 1 ? s.shape[ndim - 2] : 1;
  if (n < 1) return CRESSET_BAD_ARGUMENT;
  /* Side by side where the next dimension has a smaller stride than the searched one. */
  s.strip = ndim > 1 && s.x_strides[ndim - 2] < s.x_strides[ndim - 1] ? STRIP : 1;
  for (int32_t d = 0; d < ndim - 2; d++) units *= s.shape[d];
  units *= (width + s.strip - 1) / s.strip;
  cresset_parallel_for(units, 1 + 32768 / (n * s.strip), search_strips, &s);
  return CRESSET_OK;
}
