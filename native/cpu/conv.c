/*
 * Convolution and its two gradients, in 1 to 3 dimensions, with groups, dilation, stride and padding: the geometry and
 * the kernel's entry. conv.inc.h holds the algorithm, onednn.c the library that takes over where it was found.
 *
 * Operands are dense. Fewer than three spatial dimensions get leading ones of size 1.
 */
#include "dense.h"

enum { CONV_FORWARD, CONV_INPUT, CONV_WEIGHT };

/* The number of multiply-adds that are worth a thread, and of rows of patches gathered at once for the weights'
   gradient. */
#define CONV_GRAIN ((double)(1 << 17))
#define CONV_KSTEP ((isize)512)
/* A tile of patches fills about this many bytes: half of a small second-level cache. */
#define TILE_BYTES ((isize)256 * 1024)
/* A larger padded copy of an image would push the tile out of the cache. */
#define PADDED_BYTES ((isize)512 * 1024)

typedef struct {
  int32_t dtype, kind, status;
  isize n, c, o, groups;
  isize in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
  isize taps, k, plane;           /* taps of the kernel, rows of the patch matrix, output positions */
  isize images, positions;        /* what a tile holds: whole small planes, or a part of one */
  isize image_tiles, plane_tiles;
  isize k_step, packed_step;
  isize padded;                   /* elements of a zero-padded copy of a group's image, or 0 */
  void *x, *weight, *y;
  const void *bias, *packed;
} Conv;

/* Output positions [lo, hi) of dimension d whose input position, shifted by `shift`, exists. */
static inline void valid_range(const Conv *v, int d, isize shift, isize *lo, isize *hi) {
  isize s = v->stride[d], first = shift < 0 ? (-shift + s - 1) / s : 0;
  isize last = v->in[d] - shift <= 0 ? 0 : (v->in[d] - shift + s - 1) / s;
  *lo = first < v->out[d] ? first : v->out[d];
  *hi = last < v->out[d] ? last : v->out[d];
  if (*hi < *lo) *hi = *lo;
}

/* Distance between rows of a tile: room to write a few elements too many (gather_plane), and an odd number of cache
   lines so that rows spread over the sets of the cache. */
static inline isize tile_ld(const Conv *v) {
  isize lines = (v->images * v->positions + 4 + 15) / 16;
  return (lines | 1) * 16;
}

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(x) JOIN(x, SUFFIX)
#define EXPORT(x) JOIN(cresset_##x, SUFFIX)

#define T float
#define SUFFIX f32
#include "conv.inc.h"
#undef T
#undef SUFFIX
#define T double
#define SUFFIX f64
#include "conv.inc.h"

/* Merges a pointwise dimension (kernel 1, stride 1, no padding) with the next outer one, where that is pointwise,
   too. */
static void merge_pointwise(Conv *v) {
  for (int d = 2; d > 0; d--) {
    int plain = 1;
    for (int e = d - 1; e <= d; e++)
      plain &= v->kernel[e] == 1 && v->stride[e] == 1 && v->padding[e] == 0 && v->in[e] == v->out[e];
    if (!plain) return;
    v->in[2] *= v->in[d - 1];
    v->out[2] *= v->out[d - 1];
    v->in[d - 1] = v->out[d - 1] = 1;
  }
}

static void choose_tiles(Conv *v) {
  isize size = dtype_size(v->dtype), rows = v->kind == CONV_WEIGHT ? min_size(v->k, CONV_KSTEP) : v->k;
  isize columns = TILE_BYTES / size / (rows + 1) / 48 * 48;
  if (columns < 96) columns = 96;
  if (columns > 768) columns = 768;
  if (v->plane <= columns / 2) {
    v->images = columns / (v->plane ? v->plane : 1);
    isize threads = cresset_get_threads();
    isize share = (v->n + threads - 1) / threads;
    if (v->images > share) v->images = share ? share : 1;
    v->positions = v->plane;
  } else {
    v->images = 1;
    isize tiles = (v->plane + columns - 1) / columns;
    v->positions = ((v->plane + tiles - 1) / tiles + 47) / 48 * 48;
    if (v->positions > v->plane) v->positions = v->plane;
  }
  v->plane_tiles = v->positions ? (v->plane + v->positions - 1) / v->positions : 0;
  v->image_tiles = (v->n + v->images - 1) / v->images;
  if (v->plane_tiles == 1 && v->stride[2] == 1 && v->taps > 1) {
    isize padded = v->c / v->groups + 1;
    for (int d = 0; d < 3; d++) padded *= v->in[d] + 2 * v->padding[d];
    if (padded * size <= PADDED_BYTES) v->padded = padded + TILE_SLACK;
  }
}

static int32_t run_conv(Conv *v) {
#ifndef __wasm__
  OneDnnConv native = { v->kind, v->n, v->c, v->o, v->groups, v->in, v->kernel, v->out, v->stride, v->padding,
                        v->dilation, v->x, v->weight, v->bias, v->y };
  if (v->dtype == DT_F32 && v->k > 0 && cresset_onednn_conv(&native)) return CRESSET_OK;
#endif
  choose_tiles(v);
  return v->dtype == DT_F32 ? convolve_f32(v) : convolve_f64(v);
}

/* float16 and bfloat16 are computed in float copies of the operands. */
static int32_t run_half(Conv v) {
  int half = v.dtype == DT_F16;
  void *from[4] = { v.x, v.weight, v.y, (void *)v.bias };
  isize count[4] = { v.n * v.c * v.in[0] * v.in[1] * v.in[2], v.o * v.k, v.n * v.o * v.plane, v.bias ? v.o : 0 };
  isize total = 0;
  for (int i = 0; i < 4; i++) total += (count[i] + 15) / 16 * 16;
  float *copy = cresset_scratch(SCRATCH_COPIES, (int64_t)sizeof(float) * total);
  if (!copy) return CRESSET_NO_MEMORY;
  int written = v.kind == CONV_FORWARD ? 2 : v.kind == CONV_INPUT ? 0 : 1;
  float *copies[4];
  for (int i = 0; i < 4; i++) {
    copies[i] = copy;
    copy += (count[i] + 15) / 16 * 16;
    const uint16_t *h = from[i];
    if (i == written) continue;
    if (half) for (isize j = 0; j < count[i]; j++) copies[i][j] = f16_to_f32(h[j]);
    else for (isize j = 0; j < count[i]; j++) copies[i][j] = bf16_to_f32(h[j]);
  }
  v.dtype = DT_F32;
  v.x = copies[0];
  v.weight = copies[1];
  v.y = copies[2];
  if (v.bias) v.bias = copies[3];
  int32_t status = run_conv(&v);
  if (status) return status;
  uint16_t *to = from[written];
  if (half) for (isize j = 0; j < count[written]; j++) to[j] = f32_to_f16(copies[written][j]);
  else for (isize j = 0; j < count[written]; j++) to[j] = f32_to_bf16(copies[written][j]);
  return CRESSET_OK;
}

int32_t cresset_conv(int32_t dtype, int32_t nspatial, int32_t kind) {
  const double *arena = cresset_args;
  if (dtype < DT_F16 || dtype > DT_F64) return CRESSET_BAD_DTYPE;
  if (nspatial < 1 || nspatial > 3 || kind < CONV_FORWARD || kind > CONV_WEIGHT) return CRESSET_BAD_ARGUMENT;
  Conv v = { .dtype = dtype, .kind = kind, .n = (isize)arena[0], .c = (isize)arena[1], .o = (isize)arena[2],
             .groups = (isize)arena[3], .x = POINTER(void, arena[4]), .weight = POINTER(void, arena[5]),
             .bias = POINTER(void, arena[6]), .y = POINTER(void, arena[7]) };
  arena += 8;
  isize *fields[6] = { v.in, v.kernel, v.out, v.stride, v.padding, v.dilation };
  v.taps = v.plane = 1;
  for (int d = 0; d < 3; d++) {
    int from = d - (3 - nspatial);
    for (int f = 0; f < 6; f++)
      fields[f][d] = from >= 0 ? (isize)arena[f * nspatial + from] : f == 4 ? 0 : 1;
    v.taps *= v.kernel[d];
    v.plane *= v.out[d];
  }
  if (v.groups < 1 || v.c % v.groups || v.o % v.groups) return CRESSET_BAD_ARGUMENT;
  v.k = v.c / v.groups * v.taps;
  size_t size = (size_t)dtype_size(dtype);
  if (kind == CONV_FORWARD && (v.n == 0 || v.o == 0 || v.plane == 0)) return CRESSET_OK;
  if (v.o == 0 || v.plane == 0 || v.n == 0 || v.k == 0) {
    if (kind == CONV_INPUT) memset(v.x, 0, size * (size_t)(v.n * v.c * v.in[0] * v.in[1] * v.in[2]));
    if (kind == CONV_WEIGHT) memset(v.weight, 0, size * (size_t)(v.o * v.k));
    if (kind != CONV_FORWARD) return CRESSET_OK;
  }
  merge_pointwise(&v);
  return dtype == DT_F16 || dtype == DT_BF16 ? run_half(v) : run_conv(&v);
}
