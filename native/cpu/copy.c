/* Copies between memory layouts, for programs that are a single load: transposes in tiles, contiguous rows with memcpy.

   The general machine walks the result row by row; a transpose read that way touches a new cache line per element. */
#include "copy.h"

#include "threads.h"

#define TILE 16

typedef struct {
  const Call *call;
  int32_t across; /* the dimension along which the input is contiguous */
  int64_t rows, columns, tiles;
} Copy;

#define TRANSPOSE(name, T)                                                                                        \
  static void name(T *d, int64_t d_row, const T *s, int64_t s_column, int64_t rows, int64_t columns) {            \
    for (int64_t j0 = 0; j0 < columns; j0 += TILE) {                                                              \
      int64_t j1 = j0 + TILE < columns ? j0 + TILE : columns;                                                     \
      for (int64_t i = 0; i < rows; i++) {                                                                        \
        for (int64_t j = j0; j < j1; j++) d[i * d_row + j] = s[i + j * s_column];                                 \
      }                                                                                                           \
    }                                                                                                             \
  }

TRANSPOSE(transpose8, uint8_t)
TRANSPOSE(transpose16, uint16_t)
TRANSPOSE(transpose32, uint32_t)
TRANSPOSE(transpose64, uint64_t)

/* Adds the offsets of position `at` in all dimensions but the last and `skip`. */
static void offsets(const Call *call, int32_t skip, int64_t at, int64_t *in, int64_t *out) {
  const int64_t *si = call->strides, *so = call->strides + call->pitch;
  for (int32_t d = call->ndim - 2; d >= 0; d--) {
    if (d == skip) continue;
    int64_t index = at % call->shape[d];
    at /= call->shape[d];
    *in += index * si[d];
    *out += index * so[d];
  }
}

/* Strips of TILE rows, `tiles` to each combination of the outer dimensions. */
static void transpose_strips(void *context, int64_t begin, int64_t end) {
  const Copy *c = context;
  const Call *call = c->call;
  int64_t size = dtype_size(call->dtype[0]);
  int64_t d_row = call->strides[call->pitch + c->across], s_column = call->strides[call->ndim - 1];
  for (int64_t u = begin; u < end; u++) {
    int64_t row = u % c->tiles * TILE, in = 0, out = 0;
    int64_t rows = row + TILE < c->rows ? TILE : c->rows - row;
    offsets(call, c->across, u / c->tiles, &in, &out);
    char *s = call->base[0] + (in + row) * size, *d = call->base[1] + (out + row * d_row) * size;
    if (size == 1) transpose8((uint8_t *)d, d_row, (const uint8_t *)s, s_column, rows, c->columns);
    else if (size == 2) transpose16((uint16_t *)(void *)d, d_row, (const uint16_t *)(void *)s, s_column, rows, c->columns);
    else if (size == 4) transpose32((uint32_t *)(void *)d, d_row, (const uint32_t *)(void *)s, s_column, rows, c->columns);
    else transpose64((uint64_t *)(void *)d, d_row, (const uint64_t *)(void *)s, s_column, rows, c->columns);
  }
}

static void copy_rows(void *context, int64_t begin, int64_t end) {
  const Copy *c = context;
  const Call *call = c->call;
  int64_t size = dtype_size(call->dtype[0]);
  for (int64_t row = begin; row < end; row++) {
    int64_t in = 0, out = 0;
    offsets(call, -1, row, &in, &out);
    memcpy(call->base[1] + out * size, call->base[0] + in * size, (size_t)(c->columns * size));
  }
}

int32_t cresset_copy(const Call *call) {
  int32_t last = call->ndim - 1;
  if (call->instructions != 1 || call->code[0] != OP_load || call->inputs != 1 || call->outputs_count != 1) return 0;
  if (call->dtype[0] != call->dtype[1] || call->dtype[0] == DT_BOOL || last < 1) return 0;
  const int64_t *in = call->strides, *out = call->strides + call->pitch;
  if (out[last] != 1 || call->base[0] == call->base[1]) return 0;
  Copy c = {.call = call, .across = -1, .columns = call->shape[last], .rows = 1};
  if (in[last] == 1) {
    if (c.columns < 16) return 0;
    for (int32_t d = 0; d < last; d++) c.rows *= call->shape[d];
    cresset_parallel_for(c.rows, 1 + 32768 / c.columns, copy_rows, &c);
    return 1;
  }
  for (int32_t d = 0; d < last; d++) {
    if (in[d] == 1 && call->shape[d] >= 4) c.across = d;
  }
  if (c.across < 0 || c.columns < 4) return 0;
  c.rows = call->shape[c.across];
  c.tiles = (c.rows + TILE - 1) / TILE;
  int64_t units = c.tiles;
  for (int32_t d = 0; d < last; d++) {
    if (d != c.across) units *= call->shape[d];
  }
  cresset_parallel_for(units, 1 + 32768 / (TILE * c.columns), transpose_strips, &c);
  return 1;
}
