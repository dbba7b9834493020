/* Factorizations of one row-major matrix in double or complex double: included by factor.c once for each, after
 * factor_real.h or factor_complex.h, which say what T and its arithmetic are.
 *
 * Inner loops run along rows, which lie together in memory. */

static void NAME(swap_rows)(T *a, int64_t n, int64_t i, int64_t j) {
  for (int64_t c = 0; c < n; c++) {
    T t = a[i * n + c];
    a[i * n + c] = a[j * n + c];
    a[j * n + c] = t;
  }
}

/* P A = L U by partial pivoting (getrf); returns the place of the first zero pivot, from 1, or 0. Pivots count from 1. */
static int32_t NAME(lu)(T *a, int64_t m, int64_t n, int32_t *pivots) {
  int32_t info = 0;
  for (int64_t k = 0; k < m && k < n; k++) {
    int64_t best = k;
    for (int64_t i = k + 1; i < m; i++) {
      if (NAME(cheap)(a[i * n + k]) > NAME(cheap)(a[best * n + k])) best = i;
    }
    pivots[k] = (int32_t)best + 1;
    if (best != k) NAME(swap_rows)(a, n, k, best);
    T pivot = a[k * n + k];
    if (NAME(size)(pivot) == 0) {
      if (!info) info = (int32_t)k + 1;
      continue;
    }
    for (int64_t i = k + 1; i < m; i++) {
      T *row = a + i * n, f = NAME(div)(row[k], pivot);
      row[k] = f;
      NAME(axpy)(NAME(scale)(f, -1), a + k * n + k + 1, row + k + 1, n - k - 1);
    }
  }
  return info;
}

/* A = L L^H (potrf), from the lower triangle; the upper one becomes zero. Returns the order of the first leading minor
 * that is not positive, or 0. */
static int32_t NAME(cholesky)(T *a, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      T sum = NAME(sub)(a[i * n + j], NAME(dotc)(a + j * n, a + i * n, j));
      a[i * n + j] = NAME(scale)(sum, 1 / NAME(re)(a[j * n + j]));
    }
    double d = NAME(re)(a[i * n + i]) - NAME(re)(NAME(dotc)(a + i * n, a + i * n, i));
    if (!(d > 0)) return (int32_t)i + 1;
    a[i * n + i] = NAME(make)(sqrt(d));
    for (int64_t j = i + 1; j < n; j++) a[i * n + j] = NAME(make)(0);
  }
  return 0;
}

/* Solves A X = B for the m×n matrix B in place (trsm). */
static void NAME(triangular)(const T *a, T *b, int64_t m, int64_t n, int upper, int unit) {
  for (int64_t s = 0; s < m; s++) {
    int64_t i = upper ? m - 1 - s : s;
    for (int64_t j = upper ? i + 1 : 0; j < (upper ? m : i); j++) {
      NAME(axpy)(NAME(scale)(a[i * m + j], -1), b + j * n, b + i * n, n);
    }
    if (!unit) {
      for (int64_t c = 0; c < n; c++) b[i * n + c] = NAME(div)(b[i * n + c], a[i * m + i]);
    }
  }
}

/* The reflector H = 1 - tau v v^H, v = (1, x / …), with H^H (alpha, x) = (beta, 0), beta real (larfg). x has a stride. Returns tau. */
static T NAME(reflector)(T *alpha, T *x, int64_t count, int64_t stride) {
  double largest = NAME(size)(*alpha), tail = 0;
  for (int64_t i = 0; i < count; i++) {
    double size = NAME(size)(x[i * stride]);
    if (size > largest) largest = size;
    if (size > tail) tail = size;
  }
  T imaginary = NAME(sub)(*alpha, NAME(make)(NAME(re)(*alpha)));
  if ((tail == 0 && NAME(square)(imaginary) == 0) || !(largest >= DBL_MIN)) return NAME(make)(0);
  double sum = NAME(square)(NAME(scale)(*alpha, 1 / largest));
  for (int64_t i = 0; i < count; i++) sum += NAME(square)(NAME(scale)(x[i * stride], 1 / largest));
  double beta = -copysign(largest * sqrt(sum), NAME(re)(*alpha));
  T tau = NAME(scale)(NAME(sub)(NAME(make)(beta), *alpha), 1 / beta);
  T lead = NAME(sub)(*alpha, NAME(make)(beta));
  for (int64_t i = 0; i < count; i++) x[i * stride] = NAME(div)(x[i * stride], lead);
  *alpha = NAME(make)(beta);
  return tau;
}

/* C -= tau v (v^H C) for the rows of C from `v`'s first on: v = (1, below), of `count` rows; C has columns [from, n). */
static void NAME(reflect)(const T *v, int64_t stride, T tau, T *c, int64_t count, int64_t width, int64_t n, T *work) {
  if (width <= 0) return;
  for (int64_t j = 0; j < width; j++) work[j] = c[j];
  for (int64_t i = 1; i < count; i++) NAME(axpy)(NAME(conj)(v[i * stride]), c + i * n, work, width);
  NAME(axpy)(NAME(scale)(tau, -1), work, c, width);
  for (int64_t i = 1; i < count; i++) NAME(axpy)(NAME(scale)(NAME(mul)(tau, v[i * stride]), -1), work, c + i * n, width);
}

/* A = Q R, R above and the reflectors below the diagonal (geqrf). `work` has n places. */
static void NAME(qr)(T *a, int64_t m, int64_t n, T *tau, T *work) {
  for (int64_t k = 0; k < m && k < n; k++) {
    T *v = a + k * n + k;
    tau[k] = NAME(reflector)(v, v + n, m - k - 1, n);
    NAME(reflect)(v, n, NAME(conj)(tau[k]), v + 1, m - k, n - k - 1, n, work);
  }
}

/* The first n columns of H1 H2 … Hk over their reflectors, k <= n <= m (orgqr). */
static void NAME(form_q)(T *a, int64_t m, int64_t n, int64_t k, const T *tau, T *work) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = k; j < n; j++) a[i * n + j] = NAME(make)(i == j);
  }
  for (int64_t j = k - 1; j >= 0; j--) {
    T *v = a + j * n + j;
    NAME(reflect)(v, n, tau[j], v + 1, m - j, n - j - 1, n, work);
    for (int64_t i = 0; i < j; i++) a[i * n + j] = NAME(make)(0);
    for (int64_t i = 1; i < m - j; i++) v[i * n] = NAME(scale)(NAME(mul)(tau[j], v[i * n]), -1);
    v[0] = NAME(sub)(NAME(make)(1), tau[j]);
  }
}

/* A Hermitian matrix, from its lower triangle, to a real tridiagonal one: A = Q T Q^H (hetrd). d and e are T's diagonal and
 * what lies below it; `q` becomes Q^T or is NULL; work has 3 n places. */
static void NAME(tridiagonal)(T *a, int64_t n, double *d, double *e, T *q, T *work) {
  T *v = work, *p = work + n, *tau = work + 2 * n;
  for (int64_t i = 0; i < n; i++) {
    a[i * n + i] = NAME(make)(NAME(re)(a[i * n + i]));
    for (int64_t j = i + 1; j < n; j++) a[i * n + j] = NAME(conj)(a[j * n + i]);
  }
  for (int64_t k = 0; k + 1 < n; k++) {
    int64_t count = n - k - 1;
    T *column = a + (k + 1) * n + k, *rest = a + (k + 1) * n + k + 1;
    tau[k] = NAME(reflector)(column, column + n, count - 1, n);
    e[k] = NAME(re)(*column);
    v[0] = NAME(make)(1);
    for (int64_t i = 1; i < count; i++) v[i] = column[i * n];
    /* The rest becomes H^H A H = A - v w^H - w v^H. */
    for (int64_t i = 0; i < count; i++) p[i] = NAME(make)(0);
    /* p = tau A v: the rows of a Hermitian matrix are the conjugates of its columns. */
    for (int64_t i = 0; i < count; i++) NAME(axpy)(NAME(conj)(v[i]), rest + i * n, p, count);
    for (int64_t i = 0; i < count; i++) p[i] = NAME(mul)(tau[k], NAME(conj)(p[i]));
    T half = NAME(scale)(NAME(mul)(NAME(conj)(tau[k]), NAME(dotc)(v, p, count)), -0.5);
    NAME(axpy)(half, v, p, count);
    for (int64_t i = 0; i < count; i++) {
      for (int64_t j = 0; j < count; j++) {
        T change = NAME(add)(NAME(mul)(v[i], NAME(conj)(p[j])), NAME(mul)(p[i], NAME(conj)(v[j])));
        rest[i * n + j] = NAME(sub)(rest[i * n + j], change);
      }
    }
  }
  for (int64_t i = 0; i < n; i++) d[i] = NAME(re)(a[i * n + i]);
  if (!q) return;
  /* Q = H1 H2 …; the reflectors lie below the first subdiagonal. */
  for (int64_t i = 0; i < n * n; i++) q[i] = NAME(make)(i / n == i % n);
  for (int64_t k = n - 2; k >= 0; k--) {
    NAME(reflect)(a + (k + 1) * n + k, n, tau[k], q + (k + 1) * n + k + 1, n - k - 1, n - k - 1, n, work);
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      T t = q[i * n + j];
      q[i * n + j] = q[j * n + i];
      q[j * n + i] = t;
    }
  }
}

/* Eigenvalues of a real tridiagonal matrix by implicitly shifted QL (steqr), in ascending order; the rows of q turn along.
 * Returns 0, or how many values did not converge. */
static int32_t NAME(tridiagonal_ql)(double *d, double *e, int64_t n, T *q) {
  if (n > 0) e[n - 1] = 0;
  for (int64_t l = 0; l < n; l++) {
    for (int turn = 0;; turn++) {
      int64_t m = l;
      for (; m + 1 < n; m++) {
        double near = fabs(d[m]) + fabs(d[m + 1]);
        if (fabs(e[m]) <= DBL_EPSILON * near || fabs(e[m]) < DBL_MIN) break;
      }
      if (m == l) break;
      if (turn == 60) return (int32_t)(n - l);
      double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
      g = d[m] - d[l] + e[l] / (g + copysign(r, g));
      int64_t i = m - 1;
      for (; i >= l; i--) {
        double f = s * e[i], b = c * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        for (int64_t k = 0; q && k < n; k++) {
          T x = q[i * n + k], y = q[(i + 1) * n + k];
          q[(i + 1) * n + k] = NAME(add)(NAME(scale)(x, s), NAME(scale)(y, c));
          q[i * n + k] = NAME(sub)(NAME(scale)(x, c), NAME(scale)(y, s));
        }
      }
      if (r == 0 && i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t best = i;
    for (int64_t j = i + 1; j < n; j++) {
      if (d[j] < d[best]) best = j;
    }
    if (best == i) continue;
    double t = d[i];
    d[i] = d[best];
    d[best] = t;
    if (q) NAME(swap_rows)(q, n, i, best);
  }
  return 0;
}

static double NAME(largest)(const T *a, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++) {
    if (!NAME(finite)(a[i])) return INFINITY;
    double size = NAME(size)(a[i]);
    if (size > largest) largest = size;
  }
  return largest;
}

/* The power of two that numbers up to `largest` are divided by, within what a double can hold. */
static int NAME(exponent)(double largest) {
  if (largest == 0) return 0;
  int power = ilogb(largest);
  return power < -1000 ? -1000 : power;
}

/* A = V diag(w) V^H; A is replaced by V. `work` has n² + 3 n places, `e` n. Returns -1 where an element is not finite. */
static int32_t NAME(eigh)(T *a, int64_t n, double *w, double *e, T *work, int values) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++) {
    double row = NAME(largest)(a + i * n, i + 1);
    if (row > largest) largest = row;
  }
  if (isinf(largest)) return -1;
  /* Scaled by a power of two, so that squares neither overflow nor underflow. */
  int power = NAME(exponent)(largest);
  for (int64_t i = 0; i < n * n; i++) a[i] = NAME(scale)(a[i], ldexp(1, -power));
  T *q = values ? NULL : work + 3 * n;
  NAME(tridiagonal)(a, n, w, e, q, work);
  int32_t info = NAME(tridiagonal_ql)(w, e, n, q);
  for (int64_t i = 0; i < n; i++) w[i] = ldexp(w[i], power);
  for (int64_t i = 0; q && i < n; i++) {
    for (int64_t j = 0; j < n; j++) a[i * n + j] = q[j * n + i];
  }
  return info;
}

/* Columns of a tall matrix (m >= n), one after the other, and of the n×n product of rotations. */
typedef struct {
  int64_t m, n;
  T *a, *v;
  double *s;
} NAME(Svd);

static void NAME(turn)(T *x, T *y, int64_t n, double c, T s) {
  T back = NAME(conj)(s);
  for (int64_t i = 0; i < n; i++) {
    T t = x[i];
    x[i] = NAME(sub)(NAME(scale)(t, c), NAME(mul)(back, y[i]));
    y[i] = NAME(add)(NAME(mul)(s, t), NAME(scale)(y[i], c));
  }
}

/* Makes columns p and q orthogonal by a rotation; returns whether they were not. */
static int NAME(orthogonalise)(NAME(Svd) *d, int64_t p, int64_t q) {
  T *x = d->a + p * d->m, *y = d->a + q * d->m, cross = NAME(dotc)(x, y, d->m);
  double alpha = NAME(re)(NAME(dotc)(x, x, d->m)), beta = NAME(re)(NAME(dotc)(y, y, d->m)), gamma = NAME(size)(cross);
  if (gamma <= DBL_MIN || gamma <= DBL_EPSILON * sqrt((double)d->m) * sqrt(alpha) * sqrt(beta)) return 0;
  double zeta = (beta - alpha) / (2 * gamma);
  double t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + hypot(1, zeta));
  double c = 1 / sqrt(1 + t * t);
  T s = NAME(scale)(NAME(scale)(cross, 1 / gamma), c * t);
  NAME(turn)(x, y, d->m, c, s);
  NAME(turn)(d->v + p * d->n, d->v + q * d->n, d->n, c, s);
  return 1;
}

/* Puts the largest singular values first. */
static void NAME(order)(NAME(Svd) *d) {
  for (int64_t i = 0; i < d->n; i++) {
    int64_t best = i;
    for (int64_t j = i + 1; j < d->n; j++) {
      if (d->s[j] > d->s[best]) best = j;
    }
    if (best == i) continue;
    double length = d->s[i];
    d->s[i] = d->s[best];
    d->s[best] = length;
    NAME(swap_rows)(d->a, d->m, i, best);
    NAME(swap_rows)(d->v, d->n, i, best);
  }
}

/* Divides columns by their lengths; where one is nothing but rounding, a unit vector orthogonal to those before serves. */
static void NAME(normalise)(NAME(Svd) *d) {
  double tiny = d->n > 0 ? d->s[0] * 1e-290 : 0;
  for (int64_t i = 0; i < d->n; i++) {
    T *x = d->a + i * d->m;
    if (d->s[i] > tiny) {
      for (int64_t r = 0; r < d->m; r++) x[r] = NAME(scale)(x[r], 1 / d->s[i]);
      continue;
    }
    for (int64_t unit = 0; unit < d->m; unit++) {
      for (int64_t r = 0; r < d->m; r++) x[r] = NAME(make)(r == unit);
      /* Twice, so that what is left is orthogonal to the last digit. */
      for (int64_t j = 0; j < 2 * i; j++) {
        const T *other = d->a + j % i * d->m;
        NAME(axpy)(NAME(scale)(NAME(dotc)(other, x, d->m), -1), other, x, d->m);
      }
      double length = sqrt(NAME(re)(NAME(dotc)(x, x, d->m)));
      if (length < 0.5 / sqrt((double)d->m)) continue;
      for (int64_t r = 0; r < d->m; r++) x[r] = NAME(scale)(x[r], 1 / length);
      break;
    }
  }
}

/* A = U diag(s) V^H by one-sided Jacobi rotations: pairs of columns are rotated until all are orthogonal. Then their lengths
 * are the singular values, the columns divided by them U, the product of the rotations V. Slower than bidiagonalisation for
 * large matrices, but accurate to the last digits for small singular values. Returns 1 where it did not converge. */
static int NAME(jacobi)(NAME(Svd) *d) {
  for (int64_t i = 0; i < d->n * d->n; i++) d->v[i] = NAME(make)(i / d->n == i % d->n);
  int power = NAME(exponent)(NAME(largest)(d->a, d->m * d->n)), turned = 1;
  for (int64_t i = 0; i < d->m * d->n; i++) d->a[i] = NAME(scale)(d->a[i], ldexp(1, -power));
  for (int sweep = 0; turned && sweep < 60; sweep++) {
    turned = 0;
    for (int64_t p = 0; p + 1 < d->n; p++) {
      for (int64_t q = p + 1; q < d->n; q++) turned |= NAME(orthogonalise)(d, p, q);
    }
  }
  for (int64_t i = 0; i < d->n; i++) {
    d->s[i] = sqrt(NAME(re)(NAME(dotc)(d->a + i * d->m, d->a + i * d->m, d->m)));
  }
  NAME(order)(d);
  NAME(normalise)(d);
  for (int64_t i = 0; i < d->n; i++) d->s[i] = ldexp(d->s[i], power);
  return turned;
}

#undef T
#undef NAME
