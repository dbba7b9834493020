/*
 * Pooling in 1 to 3 dimensions: maxima with their indices, means, and the gradient of means.
 *
 * Windows come as a table per dimension (first and last index per output position), so adaptive pooling is the same
 * kernel; evenly spaced ones are told by three numbers and take a path that vectorises over a row of outputs. NaN wins
 * a maximum, and the last one gives the index, as in PyTorch; among equals it is the first.
 */
#include "dense.h"

enum { POOL_MAX, POOL_AVERAGE, POOL_SPREAD };

/* The number of outputs computed at a time, few enough for the first-level cache. */
#define ROW ((isize)256)
#define POOL_GRAIN 16384.0

/* One spatial dimension. Windows are clipped to the input: start is the first tap inside, end one past the last. */
typedef struct {
  isize in, out, dilation;
  int even;                   /* window o spans first + o · step .. + extent, before clipping */
  isize first, step, extent;
  isize *start, *end;
} Axis;

typedef struct {
  int32_t dtype, status;
  Axis axis[3];
  isize planes, in, out;      /* planes, and elements of an input and an output plane */
  void *x, *y;
  int64_t *indices;
  const void *scale;
} Pool;

/* Outputs [lo, hi) whose tap at `shift` (from the window grid's origin) lies inside the input. */
static inline void axis_range(const Axis *a, isize shift, isize *lo, isize *hi) {
  isize first = shift < 0 ? (-shift + a->step - 1) / a->step : 0;
  isize last = a->in - shift <= 0 ? 0 : (a->in - shift + a->step - 1) / a->step;
  *lo = min_size(first, a->out);
  *hi = last < *lo ? *lo : min_size(last, a->out);
}

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(x) JOIN(x, SUFFIX)

#define S float
#define T float
#define SUFFIX f32
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST (-__builtin_inff())
#define NAN_TEST(v) ((v) != (v))
#define AVERAGE
#define QUADS
#include "pool.inc.h"

#define S double
#define T double
#define SUFFIX f64
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST (-__builtin_inf())
#define NAN_TEST(v) ((v) != (v))
#define AVERAGE
#include "pool.inc.h"

#define S uint16_t
#define T float
#define SUFFIX f16
#define LOAD(x) f16_to_f32(x)
#define STORE(x) f32_to_f16(x)
#define LOWEST (-__builtin_inff())
#define NAN_TEST(v) ((v) != (v))
#define AVERAGE
#include "pool.inc.h"

#define S uint16_t
#define T float
#define SUFFIX bf16
#define LOAD(x) bf16_to_f32(x)
#define STORE(x) f32_to_bf16(x)
#define LOWEST (-__builtin_inff())
#define NAN_TEST(v) ((v) != (v))
#define AVERAGE
#include "pool.inc.h"

#define S uint8_t
#define T uint8_t
#define SUFFIX u8
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST 0
#define NAN_TEST(v) 0
#include "pool.inc.h"

#define S int8_t
#define T int8_t
#define SUFFIX i8
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST INT8_MIN
#define NAN_TEST(v) 0
#include "pool.inc.h"

#define S int16_t
#define T int16_t
#define SUFFIX i16
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST INT16_MIN
#define NAN_TEST(v) 0
#include "pool.inc.h"

#define S int32_t
#define T int32_t
#define SUFFIX i32
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST INT32_MIN
#define NAN_TEST(v) 0
#include "pool.inc.h"

#define S int64_t
#define T int64_t
#define SUFFIX i64
#define LOAD(x) (x)
#define STORE(x) (x)
#define LOWEST INT64_MIN
#define NAN_TEST(v) 0
#include "pool.inc.h"

static cresset_task pool_task(int32_t dtype, int32_t kind) {
  switch (dtype) {
    case DT_F32: return task_f32(kind);
    case DT_F64: return task_f64(kind);
    case DT_F16: return task_f16(kind);
    case DT_BF16: return task_bf16(kind);
    case DT_U8: return task_u8(kind);
    case DT_I8: return task_i8(kind);
    case DT_I16: return task_i16(kind);
    case DT_I32: return task_i32(kind);
    case DT_I64: return task_i64(kind);
  }
  return NULL;
}

/* Fills the table of a dimension, clipped to the input. */
static void fill_axis(Axis *a, const double *table) {
  for (isize o = 0; o < a->out; o++) {
    isize start = table ? (isize)table[o] : a->first + o * a->step;
    isize end = table ? (isize)table[a->out + o] : start + a->extent;
    if (start < 0) start += (-start + a->dilation - 1) / a->dilation * a->dilation;
    a->start[o] = start;
    a->end[o] = min_size(end, a->in);
  }
}

int32_t cresset_pool(int32_t dtype, int32_t nspatial, int32_t kind) {
  const double *arena = cresset_args;
  if (nspatial < 1 || nspatial > 3) return CRESSET_BAD_ARGUMENT;
  cresset_task task = pool_task(dtype, kind);
  if (!task) return CRESSET_BAD_DTYPE;
  Pool p = { .dtype = dtype, .planes = (isize)arena[0], .x = POINTER(void, arena[1]), .y = POINTER(void, arena[2]),
             .in = 1, .out = 1 };
  if (kind == POOL_MAX) p.indices = POINTER(int64_t, arena[3]);
  else p.scale = POINTER(void, arena[3]);
  arena += 4;
  isize outputs = 0;
  for (int d = 0; d < nspatial; d++) outputs += (isize)arena[d * 7 + 1];
  isize *table = cresset_scratch(SCRATCH_EXTRA, (int64_t)sizeof(isize) * 2 * (outputs + 3));
  if (!table) return CRESSET_NO_MEMORY;
  double taps = 1;
  for (int d = 0; d < 3; d++) {
    Axis *a = &p.axis[d];
    const double *from = arena + (d - (3 - nspatial)) * 7;
    *a = (Axis){ .in = 1, .out = 1, .dilation = 1, .even = 1, .first = 0, .step = 1, .extent = 1 };
    const double *given = NULL;
    if (d >= 3 - nspatial) {
      *a = (Axis){ .in = (isize)from[0], .out = (isize)from[1], .dilation = (isize)from[2], .even = from[3] == 0,
                   .first = (isize)from[4], .step = (isize)from[5], .extent = (isize)from[6] };
      if (!a->even) given = POINTER(double, from[3]);
      if (a->even && a->step < 1) return CRESSET_BAD_ARGUMENT;
      if (a->dilation < 1) return CRESSET_BAD_ARGUMENT;
    }
    a->start = table;
    a->end = table + a->out;
    table += 2 * a->out;
    fill_axis(a, given);
    p.in *= a->in;
    p.out *= a->out;
    taps *= a->even ? (double)((a->extent + a->dilation - 1) / a->dilation) : (double)a->in / (double)(a->out + 1) + 1;
  }
  if (p.planes == 0 || (p.out == 0 && kind != POOL_SPREAD)) return CRESSET_OK;
  if (p.in > INT32_MAX) return CRESSET_UNSUPPORTED;
  cresset_parallel_for(p.planes, (int64_t)(POOL_GRAIN / ((double)p.out * taps + (double)p.in + 1)) + 1, task, &p);
  return p.status;
}
