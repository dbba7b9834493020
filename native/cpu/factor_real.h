/* Arithmetic of double, under the names that factor.inc.h is written in. */
typedef double T;
#define NAME(f) f##_real
static inline T NAME(make)(double re) { return re; }
static inline T NAME(add)(T a, T b) { return a + b; }
static inline T NAME(sub)(T a, T b) { return a - b; }
static inline T NAME(mul)(T a, T b) { return a * b; }
static inline T NAME(conj)(T a) { return a; }
static inline T NAME(scale)(T a, double s) { return a * s; }
static inline T NAME(div)(T a, T b) { return a / b; }
static inline double NAME(re)(T a) { return a; }
static inline double NAME(size)(T a) { return fabs(a); }
/* What pivots are compared by, as in LAPACK. */
static inline double NAME(cheap)(T a) { return fabs(a); }
static inline double NAME(square)(T a) { return a * a; }
static inline int NAME(finite)(T a) { return isfinite(a); }
/* y += f x; sum of conj(x) y; sum of x y */
static void NAME(axpy)(T f, const T *x, T *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += f * x[i];
}
static T NAME(dotc)(const T *x, const T *y, int64_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int64_t i = 0;
  for (; i + 3 < n; i += 4) {
    s0 += x[i] * y[i];
    s1 += x[i + 1] * y[i + 1];
    s2 += x[i + 2] * y[i + 2];
    s3 += x[i + 3] * y[i + 3];
  }
  for (; i < n; i++) s0 += x[i] * y[i];
  return (s0 + s1) + (s2 + s3);
}
