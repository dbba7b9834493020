/* Arithmetic of complex numbers of doubles, under the names that factor.inc.h is written in. */
typedef struct {
  double re, im;
} Complex;
#define T Complex
#define NAME(f) f##_complex
static inline T NAME(make)(double re) { return (T){re, 0}; }
static inline T NAME(add)(T a, T b) { return (T){a.re + b.re, a.im + b.im}; }
static inline T NAME(sub)(T a, T b) { return (T){a.re - b.re, a.im - b.im}; }
static inline T NAME(mul)(T a, T b) { return (T){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
static inline T NAME(conj)(T a) { return (T){a.re, -a.im}; }
static inline T NAME(scale)(T a, double s) { return (T){a.re * s, a.im * s}; }
/* Smith's quotient, which neither overflows nor underflows on the way. */
static inline T NAME(div)(T a, T b) {
  if (fabs(b.re) >= fabs(b.im)) {
    double r = b.im == 0 ? 0 : b.im / b.re, d = b.re + b.im * r;
    return (T){(a.re + a.im * r) / d, (a.im - a.re * r) / d};
  }
  double r = b.re / b.im, d = b.re * r + b.im;
  return (T){(a.re * r + a.im) / d, (a.im * r - a.re) / d};
}
static inline double NAME(re)(T a) { return a.re; }
static inline double NAME(size)(T a) { return hypot(a.re, a.im); }
static inline double NAME(cheap)(T a) { return fabs(a.re) + fabs(a.im); }
static inline double NAME(square)(T a) { return a.re * a.re + a.im * a.im; }
static inline int NAME(finite)(T a) { return isfinite(a.re) && isfinite(a.im); }
static void NAME(axpy)(T f, const T *x, T *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    y[i].re += f.re * x[i].re - f.im * x[i].im;
    y[i].im += f.re * x[i].im + f.im * x[i].re;
  }
}
static T NAME(dotc)(const T *x, const T *y, int64_t n) {
  T s = {0, 0};
  for (int64_t i = 0; i < n; i++) {
    s.re += x[i].re * y[i].re + x[i].im * y[i].im;
    s.im += x[i].re * y[i].im - x[i].im * y[i].re;
  }
  return s;
}
