/* Eigenvalues and vectors of a complex matrix: balancing, Hessenberg form, and the shifted QR iteration to Schur form (the
 * way of LAPACK's geev). Included by factor.c alone. */

typedef struct {
  int64_t n;
  Complex *h;    /* n×n, becomes upper triangular */
  Complex *z;    /* the transpose of the Schur vectors, or NULL */
  double *scale; /* of each row by balancing: a power of two */
} Eig;

/* Scales rows and columns by powers of two until their lengths are alike (gebal). The diagonal counts, so that
   a matrix whose eigenvalues are large beside the rest is left alone. */
static void balance(Eig *e) {
  int64_t n = e->n;
  for (int64_t i = 0; i < n; i++) e->scale[i] = 1;
  for (int changed = 1, turn = 0; changed && turn < 100; turn++) {
    changed = 0;
    for (int64_t i = 0; i < n; i++) {
      double c = 0, r = 0;
      for (int64_t j = 0; j < n; j++) {
        c += square_complex(e->h[j * n + i]);
        r += square_complex(e->h[i * n + j]);
      }
      c = sqrt(c);
      r = sqrt(r);
      if (c == 0 || r == 0) continue;
      double f = 1, sum = c + r;
      for (; c < r / 2 && f < 0x1p300; c *= 4) f *= 2;
      for (; c >= r * 2 && f > 0x1p-300; c /= 4) f /= 2;
      if (f == 1 || (c + r) / f >= 0.95 * sum || e->scale[i] * f > 0x1p300 || e->scale[i] * f < 0x1p-300) continue;
      changed = 1;
      e->scale[i] *= f;
      for (int64_t j = 0; j < n; j++) {
        e->h[i * n + j] = scale_complex(e->h[i * n + j], 1 / f);
        e->h[j * n + i] = scale_complex(e->h[j * n + i], f);
      }
    }
  }
}

/* H = Q^H A Q with zeros below the subdiagonal; z becomes Q^T. `work` has n places. */
static void hessenberg(Eig *e, Complex *work) {
  int64_t n = e->n;
  for (int64_t i = 0; e->z && i < n * n; i++) e->z[i] = make_complex(i / n == i % n);
  for (int64_t k = 0; k + 2 < n; k++) {
    int64_t count = n - k - 1;
    Complex *v = e->h + (k + 1) * n + k, tau = reflector_complex(v, v + n, count - 1, n);
    reflect_complex(v, n, conj_complex(tau), v + 1, count, count, n, work);
    /* A H = A - tau (A v) v^H for the columns from k + 1 on. */
    for (int64_t i = 0; i < n; i++) {
      Complex *row = e->h + i * n + k + 1, sum = row[0];
      for (int64_t j = 1; j < count; j++) sum = add_complex(sum, mul_complex(row[j], v[j * n]));
      sum = mul_complex(tau, sum);
      row[0] = sub_complex(row[0], sum);
      for (int64_t j = 1; j < count; j++) row[j] = sub_complex(row[j], mul_complex(sum, conj_complex(v[j * n])));
    }
    /* The same for Q, whose columns are the rows of z: z -= conj(v) (tau v^T z). */
    if (e->z) {
      Complex *z = e->z + (k + 1) * n;
      memcpy(work, z, (size_t)n * sizeof *work);
      for (int64_t j = 1; j < count; j++) axpy_complex(v[j * n], z + j * n, work, n);
      for (int64_t j = 0; j < n; j++) work[j] = scale_complex(mul_complex(tau, work[j]), -1);
      for (int64_t j = 0; j < count; j++) {
        axpy_complex(j == 0 ? make_complex(1) : conj_complex(v[j * n]), work, z + j * n, n);
      }
    }
    for (int64_t j = 1; j < count; j++) v[j * n] = make_complex(0);
  }
}

/* The eigenvalue of the last 2×2 block of rows up to `hi` that is nearer to its last element (Wilkinson's shift). */
static Complex wilkinson(const Eig *e, int64_t hi) {
  int64_t n = e->n;
  const Complex *h = e->h;
  Complex a = h[(hi - 1) * n + hi - 1], b = h[(hi - 1) * n + hi], c = h[hi * n + hi - 1], d = h[hi * n + hi];
  Complex half = scale_complex(sub_complex(a, d), 0.5), bc = mul_complex(b, c);
  Complex square = add_complex(mul_complex(half, half), bc);
  /* The square root with the sign of `half`, so that the sum does not cancel. */
  double size = size_complex(square), re = sqrt(0.5 * (size + fabs(square.re)));
  Complex root = re == 0 ? make_complex(0) : (Complex){re, square.im / (2 * re)};
  if (square.re < 0) root = (Complex){fabs(root.im), copysign(re, square.im)};
  if (half.re * root.re + half.im * root.im < 0) root = scale_complex(root, -1);
  Complex sum = add_complex(half, root);
  return size_complex(sum) == 0 ? d : sub_complex(d, div_complex(bc, sum));
}

/* One implicit QR step on rows lo to hi: rotations chase the bulge down, over the whole matrix. */
static void chase(Eig *e, int64_t lo, int64_t hi, Complex shift) {
  int64_t n = e->n;
  Complex *h = e->h, x = sub_complex(h[lo * n + lo], shift), y = h[(lo + 1) * n + lo];
  for (int64_t k = lo; k < hi; k++) {
    double sx = size_complex(x), sy = size_complex(y), r = hypot(sx, sy);
    if (r == 0) r = 1, sx = 1, x = make_complex(1);
    double c = sx / r;
    Complex phase = sx == 0 ? make_complex(1) : scale_complex(x, 1 / sx);
    Complex s = mul_complex(phase, scale_complex(conj_complex(y), 1 / r)), t = conj_complex(s);
    Complex *p = h + k * n, *q = p + n;
    for (int64_t j = k > lo ? k - 1 : lo; j < n; j++) {
      Complex a = p[j], b = q[j];
      p[j] = add_complex(scale_complex(a, c), mul_complex(s, b));
      q[j] = sub_complex(scale_complex(b, c), mul_complex(t, a));
    }
    for (int64_t i = 0; i <= (k + 2 < hi ? k + 2 : hi); i++) {
      Complex *row = h + i * n + k, a = row[0], b = row[1];
      row[0] = add_complex(scale_complex(a, c), mul_complex(t, b));
      row[1] = sub_complex(scale_complex(b, c), mul_complex(s, a));
    }
    for (int64_t j = 0; e->z && j < n; j++) {
      Complex a = e->z[k * n + j], b = e->z[(k + 1) * n + j];
      e->z[k * n + j] = add_complex(scale_complex(a, c), mul_complex(t, b));
      e->z[(k + 1) * n + j] = sub_complex(scale_complex(b, c), mul_complex(s, a));
    }
    if (k > lo) q[k - 1] = make_complex(0);
    if (k + 1 < hi) {
      x = h[(k + 1) * n + k];
      y = h[(k + 2) * n + k];
    }
  }
}

/* Returns 0, or how many eigenvalues did not converge. */
static int32_t schur(Eig *e) {
  int64_t n = e->n, hi = n - 1;
  Complex *h = e->h;
  for (int turn = 0; hi > 0;) {
    int64_t lo = hi;
    for (; lo > 0; lo--) {
      double near = size_complex(h[lo * n + lo]) + size_complex(h[(lo - 1) * n + lo - 1]);
      double size = size_complex(h[lo * n + lo - 1]);
      if (size <= DBL_EPSILON * near || size < DBL_MIN) {
        h[lo * n + lo - 1] = make_complex(0);
        break;
      }
    }
    if (lo == hi) {
      hi--;
      turn = 0;
      continue;
    }
    if (++turn > 90) return (int32_t)hi + 1;
    /* Now and then a shift of its own kind, for the rare matrix on which the usual one goes round in circles. */
    Complex shift = turn % 15 == 0
      ? add_complex(h[hi * n + hi], make_complex(0.75 * size_complex(h[hi * n + hi - 1])))
      : wilkinson(e, hi);
    chase(e, lo, hi, shift);
  }
  return 0;
}

/* Column k of the vectors of the upper triangular matrix, by substitution from row k up, into x; at most 1 in size. */
static void triangular_vector(const Eig *e, int64_t k, double tiny, Complex *x) {
  int64_t n = e->n;
  for (int64_t i = 0; i < n; i++) x[i] = make_complex(i == k);
  for (int64_t i = k - 1; i >= 0; i--) {
    Complex sum = make_complex(0), gap = sub_complex(e->h[k * n + k], e->h[i * n + i]);
    for (int64_t j = i + 1; j <= k; j++) sum = add_complex(sum, mul_complex(e->h[i * n + j], x[j]));
    if (size_complex(gap) < tiny) gap = make_complex(tiny);
    x[i] = div_complex(sum, gap);
    double size = size_complex(x[i]);
    if (size > 0x1p200) {
      for (int64_t j = i; j <= k; j++) x[j] = scale_complex(x[j], 1 / size);
    }
  }
}

/* The vectors of the whole matrix as columns of a, each of length 1 with its largest element real. */
static void eigenvectors(const Eig *e, Complex *a, Complex *x, Complex *out) {
  int64_t n = e->n;
  double norm = largest_complex(e->h, n * n), tiny = fmax(DBL_EPSILON * norm, DBL_MIN);
  for (int64_t k = 0; k < n; k++) {
    triangular_vector(e, k, tiny, x);
    for (int64_t i = 0; i < n; i++) out[i] = make_complex(0);
    for (int64_t j = 0; j <= k; j++) axpy_complex(x[j], e->z + j * n, out, n);
    double largest = 0, length = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
      out[i] = scale_complex(out[i], e->scale[i]);
      if (size_complex(out[i]) > largest) largest = size_complex(out[i]), at = i;
    }
    Complex phase = largest > 0 ? scale_complex(conj_complex(out[at]), 1 / largest) : make_complex(1);
    for (int64_t i = 0; i < n; i++) length += square_complex(out[i] = scale_complex(out[i], 1 / largest));
    for (int64_t i = 0; i < n; i++) a[i * n + k] = mul_complex(phase, scale_complex(out[i], 1 / sqrt(length)));
    a[at * n + k].im = 0;
  }
}

/* A = V diag(w) V^-1; A is replaced by V. `work` has 2 n² + 4 n places. Returns -1 where an element is not finite. */
static int32_t eig(Complex *a, int64_t n, Complex *w, Complex *work, int values) {
  double largest = largest_complex(a, n * n);
  if (isinf(largest)) return -1;
  int power = exponent_complex(largest);
  Eig e = {n, work + 4 * n, values ? NULL : work + 4 * n + n * n, (double *)work};
  for (int64_t i = 0; i < n * n; i++) e.h[i] = scale_complex(a[i], ldexp(1, -power));
  balance(&e);
  hessenberg(&e, work + n);
  int32_t info = schur(&e);
  for (int64_t i = 0; i < n; i++) {
    w[i].re = ldexp(e.h[i * n + i].re, power);
    w[i].im = ldexp(e.h[i * n + i].im, power);
  }
  if (!values && !info) eigenvectors(&e, a, work + n, work + 2 * n);
  return info;
}
