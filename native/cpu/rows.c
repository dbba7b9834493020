/* Softmax and log-softmax of contiguous rows, and their gradients.
 *
 * One pass for the maximum, one for the exponentials and their sum, one to scale: a row stays in cache between them.
 * Sums run in lanes, which vectorises and keeps the rounding error that of a much shorter sum. */
#include <math.h>

#include "cresset.h"
#include "threads.h"
#include "vmath.h"

#define LANES 32

typedef struct {
  int32_t log;
  int64_t n;
  const char *a, *b;
  char *out;
} RowsTask;

static inline float exp_f32(float x) { return vm_exp(x); }
static inline double exp_f64(double x) { return exp(x); }
static inline float log_f32(float x) { return logf(x); }
static inline double log_f64(double x) { return log(x); }

/* The functions of one element type. NaN needs no care: the maximum skips it, its exponential and so the sum keep it. */
#define ROWS(T, NAME)                                                                                               \
  static T max_##NAME(const T *x, int64_t n) {                                                                      \
    T lane[LANES], m = -(T)INFINITY;                                                                                \
    int64_t i = 0;                                                                                                  \
    for (int l = 0; l < LANES; l++) lane[l] = m;                                                                    \
    for (; i + LANES <= n; i += LANES) {                                                                            \
      for (int l = 0; l < LANES; l++) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];                            \
    }                                                                                                               \
    for (; i < n; i++) m = x[i] > m ? x[i] : m;                                                                     \
    for (int w = LANES / 2; w > 0; w /= 2) {                                                                        \
      for (int l = 0; l < w; l++) lane[l] = lane[l + w] > lane[l] ? lane[l + w] : lane[l];                          \
    }                                                                                                               \
    return lane[0] > m ? lane[0] : m;                                                                               \
  }                                                                                                                 \
  static T exp_sum_##NAME(const T *x, T *e, T max, int64_t n) {                                                     \
    T lane[LANES] = {0}, total = 0;                                                                                 \
    int64_t i = 0;                                                                                                  \
    for (int64_t j = 0; j < n; j++) e[j] = exp_##NAME(x[j] - max);                                                  \
    for (; i + LANES <= n; i += LANES) {                                                                            \
      for (int l = 0; l < LANES; l++) lane[l] += e[i + l];                                                          \
    }                                                                                                               \
    for (; i < n; i++) total += e[i];                                                                               \
    for (int w = LANES / 2; w > 0; w /= 2) {                                                                        \
      for (int l = 0; l < w; l++) lane[l] += lane[l + w];                                                           \
    }                                                                                                               \
    return total + lane[0];                                                                                         \
  }                                                                                                                 \
  static T dot_##NAME(const T *a, const T *b, int64_t n) {                                                          \
    T lane[LANES] = {0}, total = 0;                                                                                 \
    int64_t i = 0;                                                                                                  \
    for (; i + LANES <= n; i += LANES) {                                                                            \
      for (int l = 0; l < LANES; l++) lane[l] += b ? a[i + l] * b[i + l] : a[i + l];                                \
    }                                                                                                               \
    for (; i < n; i++) total += b ? a[i] * b[i] : a[i];                                                             \
    for (int w = LANES / 2; w > 0; w /= 2) {                                                                        \
      for (int l = 0; l < w; l++) lane[l] += lane[l + w];                                                           \
    }                                                                                                               \
    return total + lane[0];                                                                                         \
  }                                                                                                                 \
  static void softmax_##NAME(void *context, int64_t begin, int64_t end) {                                           \
    const RowsTask *task = context;                                                                                 \
    int64_t n = task->n;                                                                                            \
    for (int64_t r = begin; r < end; r++) {                                                                         \
      const T *x = (const T *)task->a + r * n;                                                                      \
      T *out = (T *)task->out + r * n;                                                                              \
      T max = max_##NAME(x, n);                                                                                     \
      if (task->log) {                                                                                              \
        T e[1024], sum = 0;                                                                                         \
        for (int64_t i = 0; i < n; i += 1024) {                                                                     \
          sum += exp_sum_##NAME(x + i, e, max, n - i < 1024 ? n - i : 1024);                                        \
        }                                                                                                           \
        T shift = log_##NAME(sum);                                                                                  \
        for (int64_t i = 0; i < n; i++) out[i] = (x[i] - max) - shift;                                              \
      } else {                                                                                                      \
        T scale = 1 / exp_sum_##NAME(x, out, max, n);                                                               \
        for (int64_t i = 0; i < n; i++) out[i] *= scale;                                                            \
      }                                                                                                             \
    }                                                                                                               \
  }                                                                                                                 \
  static void softmax_grad_##NAME(void *context, int64_t begin, int64_t end) {                                      \
    const RowsTask *task = context;                                                                                 \
    int64_t n = task->n;                                                                                            \
    for (int64_t r = begin; r < end; r++) {                                                                         \
      const T *g = (const T *)task->a + r * n, *y = (const T *)task->b + r * n;                                     \
      T *out = (T *)task->out + r * n;                                                                              \
      T sum = dot_##NAME(g, task->log ? 0 : y, n);                                                                  \
      if (task->log) {                                                                                              \
        for (int64_t i = 0; i < n; i++) out[i] = g[i] - exp_##NAME(y[i]) * sum;                                     \
      } else {                                                                                                      \
        for (int64_t i = 0; i < n; i++) out[i] = y[i] * (g[i] - sum);                                               \
      }                                                                                                             \
    }                                                                                                               \
  }

ROWS(float, f32)
ROWS(double, f64)

static int32_t run_rows(int32_t dtype, cresset_task f32, cresset_task f64, double rows, RowsTask *task) {
  if (dtype != DT_F32 && dtype != DT_F64) return CRESSET_BAD_DTYPE;
  if (task->n <= 0) return CRESSET_OK;
  cresset_parallel_for((int64_t)rows, 1 + 16384 / task->n, dtype == DT_F32 ? f32 : f64, task);
  return CRESSET_OK;
}

int32_t cresset_softmax(int32_t dtype, int32_t log, double rows, double n, double x, double out) {
  RowsTask task = {log, (int64_t)n, POINTER(const char, x), 0, POINTER(char, out)};
  return run_rows(dtype, softmax_f32, softmax_f64, rows, &task);
}

int32_t cresset_softmax_grad(int32_t dtype, int32_t log, double rows, double n, double grad, double output, double out) {
  RowsTask task = {log, (int64_t)n, POINTER(const char, grad), POINTER(const char, output), POINTER(char, out)};
  return run_rows(dtype, softmax_grad_f32, softmax_grad_f64, rows, &task);
}
