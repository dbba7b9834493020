/* Singular value decomposition by one-sided Jacobi rotations.
 *
 * Pairs of columns are rotated until all are orthogonal: then their lengths are the singular values, the columns divided by
 * them the left vectors, and the product of the rotations the right ones. Slower than bidiagonalisation for large matrices,
 * but short, and accurate to the last digits for small singular values. Computes in double. */
#include <math.h>
#include <string.h>

#include "cresset.h"

#define SWEEPS 60

/* Columns of a tall matrix (m >= n), column-major, and of the n×n product of rotations. */
typedef struct {
  int64_t m, n;
  double *a, *v, *s;
} Svd;

static double dot(const double *x, const double *y, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

static void rotate(double *x, double *y, int64_t n, double c, double s) {
  for (int64_t i = 0; i < n; i++) {
    double t = x[i];
    x[i] = c * t - s * y[i];
    y[i] = s * t + c * y[i];
  }
}

/* Makes columns p and q orthogonal by a rotation; returns whether they were not. */
static int orthogonalise(Svd *d, int64_t p, int64_t q) {
  double *x = d->a + p * d->m, *y = d->a + q * d->m;
  double alpha = dot(x, x, d->m), beta = dot(y, y, d->m), gamma = dot(x, y, d->m);
  if (gamma == 0 || fabs(gamma) <= 1e-15 * sqrt(alpha * beta)) return 0;
  double zeta = (beta - alpha) / (2 * gamma);
  double t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
  double c = 1 / sqrt(1 + t * t), s = c * t;
  rotate(x, y, d->m, c, s);
  rotate(d->v + p * d->n, d->v + q * d->n, d->n, c, s);
  return 1;
}

/* Puts the largest singular values first. */
static void order(Svd *d) {
  for (int64_t i = 0; i < d->n; i++) {
    int64_t best = i;
    for (int64_t j = i + 1; j < d->n; j++) {
      if (d->s[j] > d->s[best]) best = j;
    }
    if (best == i) continue;
    double length = d->s[i];
    d->s[i] = d->s[best];
    d->s[best] = length;
    /* A rotation by a quarter turn exchanges columns, up to a sign that U and V share. */
    rotate(d->a + i * d->m, d->a + best * d->m, d->m, 0, 1);
    rotate(d->v + i * d->n, d->v + best * d->n, d->n, 0, 1);
  }
}

/* Divides columns by their lengths; where one is zero, any unit vector orthogonal to the others serves. */
static void normalise(Svd *d) {
  double tiny = d->n > 0 ? d->s[0] * 1e-300 : 0;
  for (int64_t i = 0; i < d->n; i++) {
    double *x = d->a + i * d->m;
    if (d->s[i] > tiny) {
      for (int64_t r = 0; r < d->m; r++) x[r] /= d->s[i];
      continue;
    }
    for (int64_t unit = 0; unit < d->m; unit++) {
      memset(x, 0, (size_t)d->m * sizeof *x);
      x[unit] = 1;
      for (int64_t j = 0; j < i; j++) {
        double along = dot(x, d->a + j * d->m, d->m);
        for (int64_t r = 0; r < d->m; r++) x[r] -= along * d->a[j * d->m + r];
      }
      double length = sqrt(dot(x, x, d->m));
      if (length < 0.5 / sqrt((double)d->m)) continue;
      for (int64_t r = 0; r < d->m; r++) x[r] /= length;
      break;
    }
  }
}

static void decompose(Svd *d) {
  memset(d->v, 0, (size_t)(d->n * d->n) * sizeof *d->v);
  for (int64_t i = 0; i < d->n; i++) d->v[i * d->n + i] = 1;
  for (int sweep = 0, turned = 1; turned && sweep < SWEEPS; sweep++) {
    turned = 0;
    for (int64_t p = 0; p + 1 < d->n; p++) {
      for (int64_t q = p + 1; q < d->n; q++) turned |= orthogonalise(d, p, q);
    }
  }
  for (int64_t i = 0; i < d->n; i++) d->s[i] = sqrt(dot(d->a + i * d->m, d->a + i * d->m, d->m));
  order(d);
  normalise(d);
}

static double get(const void *x, int32_t dtype, int64_t i) {
  return dtype == DT_F64 ? ((const double *)x)[i] : ((const float *)x)[i];
}

static void put(void *x, int32_t dtype, int64_t i, double value) {
  if (dtype == DT_F64) ((double *)x)[i] = value;
  else ((float *)x)[i] = (float)value;
}

int32_t cresset_svd(int32_t dtype, double batches, double rows, double columns, double a, double u, double s, double vh) {
  if (dtype != DT_F32 && dtype != DT_F64) return CRESSET_BAD_DTYPE;
  int64_t m = (int64_t)rows, n = (int64_t)columns, wide = n > m;
  int64_t tall = wide ? n : m, k = wide ? m : n;
  size_t item = dtype == DT_F64 ? 8 : 4;
  Svd d = {tall, k, cresset_scratch(0, (tall * k + k * k + k) * 8), NULL, NULL};
  if (!d.a) return CRESSET_NO_MEMORY;
  d.v = d.a + tall * k;
  d.s = d.v + k * k;
  for (int64_t b = 0; b < (int64_t)batches; b++) {
    const char *from = POINTER(char, a) + (size_t)(b * m * n) * item;
    char *left = POINTER(char, u) + (size_t)(b * m * k) * item, *right = POINTER(char, vh) + (size_t)(b * k * n) * item;
    /* The transpose of a wide matrix is tall, with the two sides exchanged. */
    for (int64_t c = 0; c < k; c++) {
      for (int64_t r = 0; r < tall; r++) {
        double value = get(from, dtype, wide ? c * n + r : r * n + c);
        if (!isfinite(value)) return CRESSET_BAD_ARGUMENT;
        d.a[c * tall + r] = value;
      }
    }
    decompose(&d);
    for (int64_t c = 0; c < k; c++) {
      put(POINTER(char, s) + (size_t)(b * k) * item, dtype, c, d.s[c]);
      for (int64_t r = 0; r < tall; r++) put(wide ? right : left, dtype, wide ? c * n + r : r * k + c, d.a[c * tall + r]);
      for (int64_t r = 0; r < k; r++) put(wide ? left : right, dtype, wide ? r * k + c : c * n + r, d.v[c * k + r]);
    }
  }
  return 0;
}
