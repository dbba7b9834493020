/* Factorizations of batches of matrices: LU, Cholesky, QR, triangular systems, eigenvalues, singular values.
 *
 * Every matrix is converted to double or complex double, factored there (factor.inc.h, and eig.h for matrices that are not
 * Hermitian) and rounded once, so float32 results are better than single precision gives. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cresset.h"

#include "factor_real.h"
#include "factor.inc.h"

#include "factor_complex.h"
#include "factor.inc.h"

#include "eig.h"

#define DT_C64 10
#define DT_C128 11

enum { LU = 0, CHOLESKY = 1, QR = 2, FORM_Q = 3, TRIANGULAR = 4, EIGH = 5, EIG = 6 };

/* Reads `count` numbers of a dtype as doubles, or as pairs of doubles where it is complex. */
static void load(double *to, int32_t dtype, const char *from, int64_t count) {
  if (dtype >= DT_C64) count *= 2;
  for (int64_t i = 0; i < count; i++) {
    to[i] = dtype == DT_F64 || dtype == DT_C128 ? ((const double *)from)[i] : ((const float *)from)[i];
  }
}

static void store(const double *from, int32_t dtype, char *to, int64_t count) {
  if (dtype >= DT_C64) count *= 2;
  for (int64_t i = 0; i < count; i++) {
    if (dtype == DT_F64 || dtype == DT_C128) ((double *)to)[i] = from[i];
    else ((float *)to)[i] = (float)from[i];
  }
}

/* One matrix of a call: addresses of its operands, and room for their copies. */
typedef struct {
  int32_t kind, dtype, flags;
  int64_t m, n;
  char *a, *b;
  double *room;
} Task;

static int32_t run_real(const Task *t, double *a, double *b, double *work) {
  int64_t m = t->m, n = t->n;
  switch (t->kind) {
    case LU: return lu_real(a, m, n, (int32_t *)t->b);
    case CHOLESKY: return cholesky_real(a, n);
    case QR: qr_real(a, m, n, b, work); return 0;
    case FORM_Q: form_q_real(a, m, n, t->flags, b, work); return 0;
    case TRIANGULAR: triangular_real(a, b, m, n, t->flags & 1, t->flags & 2); return 0;
    default: return eigh_real(a, n, b, work, work + n, t->flags & 1);
  }
}

static int32_t run_complex(const Task *t, double *a, double *b, double *work) {
  Complex *x = (Complex *)a, *y = (Complex *)b, *w = (Complex *)work;
  int64_t m = t->m, n = t->n;
  switch (t->kind) {
    case LU: return lu_complex(x, m, n, (int32_t *)t->b);
    case CHOLESKY: return cholesky_complex(x, n);
    case QR: qr_complex(x, m, n, y, w); return 0;
    case FORM_Q: form_q_complex(x, m, n, t->flags, y, w); return 0;
    case TRIANGULAR: triangular_complex(x, y, m, n, t->flags & 1, t->flags & 2); return 0;
    case EIGH: return eigh_complex(x, n, b, work, w + n, t->flags & 1);
    default: return eig(x, n, y, w, t->flags & 1);
  }
}

/* The counts of numbers in the operands a and b of one matrix. */
static int64_t count_a(const Task *t) { return t->m * (t->kind == TRIANGULAR ? t->m : t->n); }
static int64_t count_b(const Task *t) {
  switch (t->kind) {
    case QR: return t->m < t->n ? t->m : t->n;
    case FORM_Q: return t->flags;
    case TRIANGULAR: return t->m * t->n;
    default: return t->kind == LU || t->kind == CHOLESKY ? 0 : t->n;
  }
}

/* Runs one matrix; a complex task has room for twice as many doubles. */
static int32_t run(const Task *t) {
  int complex = t->dtype >= DT_C64, real_b = t->kind == EIGH;
  int64_t a = count_a(t), b = count_b(t);
  double *x = t->room, *y = x + (complex ? 2 : 1) * a, *work = y + (complex ? 2 : 1) * b;
  load(x, t->dtype, t->a, a);
  if (t->kind == FORM_Q || t->kind == TRIANGULAR) load(y, t->dtype, t->b, b);
  int32_t info = complex ? run_complex(t, x, y, work) : run_real(t, x, y, work);
  if (t->kind != TRIANGULAR) store(x, t->dtype, t->a, a);
  if (t->kind == QR || t->kind == TRIANGULAR || t->kind == EIG || real_b) {
    store(y, real_b && complex ? t->dtype - 2 : t->dtype, t->b, b);
  }
  return info;
}

int32_t cresset_factor(int32_t kind, int32_t dtype, double batches, double rows, double columns, double a, double b, double info, int32_t flags) {
  if (dtype != DT_F32 && dtype != DT_F64 && dtype != DT_C64 && dtype != DT_C128) return CRESSET_BAD_DTYPE;
  if (kind == EIG && dtype < DT_C64) return CRESSET_BAD_DTYPE;
  int64_t m = (int64_t)rows, n = (int64_t)columns;
  int square = kind == CHOLESKY || kind == EIGH || kind == EIG;
  if (kind < LU || kind > EIG || m < 0 || n < 0 || flags < 0 || (square && m != n)) return CRESSET_BAD_ARGUMENT;
  if (kind == FORM_Q && (flags > n || n > m)) return CRESSET_BAD_ARGUMENT;
  Task t = {kind, dtype, flags, m, n, NULL, NULL, NULL};
  int64_t all = count_a(&t) + count_b(&t) + 4 * (m + n) + (kind == EIGH ? n * n : kind == EIG ? 2 * n * n : 0);
  t.room = cresset_scratch(0, 16 * all);
  if (!t.room) return CRESSET_NO_MEMORY;
  int64_t item = dtype_size(dtype), item_b = kind == LU ? 4 : kind == EIGH && dtype >= DT_C64 ? item / 2 : item;
  int64_t each_b = kind == LU ? (m < n ? m : n) : count_b(&t);
  for (int64_t i = 0; i < (int64_t)batches; i++) {
    t.a = POINTER(char, a) + i * count_a(&t) * item;
    t.b = POINTER(char, b) + i * each_b * item_b;
    int32_t found = run(&t);
    if (info != 0) POINTER(int32_t, info)[i] = found;
  }
  return 0;
}

#define DECOMPOSE(NAME, T)                                                                                                \
  static int32_t decompose_##NAME(T *room, int64_t m, int64_t n, const T *x, T *u, double *s, T *vh) {                    \
    int64_t wide = n > m, tall = wide ? n : m, k = wide ? m : n;                                                          \
    Svd_##NAME d = {tall, k, room, room + tall * k, s};                                                                   \
    if (isinf(largest_##NAME(x, m * n))) return -1;                                                                       \
    /* The conjugate transpose of a wide matrix is tall, with the two sides exchanged. */                                 \
    for (int64_t c = 0; c < k; c++) {                                                                                     \
      for (int64_t r = 0; r < tall; r++) d.a[c * tall + r] = wide ? conj_##NAME(x[c * n + r]) : x[r * n + c];             \
    }                                                                                                                     \
    int32_t failed = jacobi_##NAME(&d);                                                                                   \
    for (int64_t c = 0; c < k; c++) {                                                                                     \
      for (int64_t r = 0; r < tall; r++) {                                                                                \
        T value = d.a[c * tall + r];                                                                                      \
        if (wide) vh[c * n + r] = conj_##NAME(value);                                                                     \
        else u[r * k + c] = value;                                                                                        \
      }                                                                                                                   \
      for (int64_t r = 0; r < k; r++) {                                                                                   \
        T value = d.v[c * k + r];                                                                                         \
        if (wide) u[r * k + c] = value;                                                                                   \
        else vh[c * n + r] = conj_##NAME(value);                                                                          \
      }                                                                                                                   \
    }                                                                                                                     \
    return failed;                                                                                                        \
  }
DECOMPOSE(real, double)
DECOMPOSE(complex, Complex)

int32_t cresset_svd(int32_t dtype, double batches, double rows, double columns, double a, double u, double s, double vh) {
  if (dtype != DT_F32 && dtype != DT_F64 && dtype != DT_C64 && dtype != DT_C128) return CRESSET_BAD_DTYPE;
  int64_t m = (int64_t)rows, n = (int64_t)columns, k = m < n ? m : n, tall = m < n ? n : m;
  if (m < 0 || n < 0) return CRESSET_BAD_ARGUMENT;
  int complex = dtype >= DT_C64, pair = complex ? 2 : 1;
  int64_t item = dtype_size(dtype), real = complex ? dtype - 2 : dtype;
  double *x = cresset_scratch(0, 8 * pair * (m * n + m * k + k * n + tall * k + k * k) + 8 * k);
  if (!x) return CRESSET_NO_MEMORY;
  double *left = x + pair * m * n, *right = left + pair * m * k, *room = right + pair * k * n;
  double *values = room + pair * (tall * k + k * k);
  for (int64_t i = 0; i < (int64_t)batches; i++) {
    load(x, dtype, POINTER(char, a) + i * m * n * item, m * n);
    int32_t failed = complex
      ? decompose_complex((Complex *)room, m, n, (Complex *)x, (Complex *)left, values, (Complex *)right)
      : decompose_real(room, m, n, x, left, values, right);
    if (failed) return failed < 0 ? CRESSET_BAD_ARGUMENT : CRESSET_UNSUPPORTED;
    store(left, dtype, POINTER(char, u) + i * m * k * item, m * k);
    store(values, (int32_t)real, POINTER(char, s) + i * k * (item / pair), k);
    store(right, dtype, POINTER(char, vh) + i * k * n * item, k * n);
  }
  return 0;
}
