/*
 * Fourier transforms of one precision: T is the type, NAME(x) a name of its own. See fft.c.
 */

/* A complex number at [i]: (x, y) times the root (c, s). */
#define TURN(j, x, y, w)                                                                       \
  do {                                                                                         \
    T x_ = (x), y_ = (y);                                                                      \
    yr[(j)*s + q] = turned ? x_ * tw[2 * (w)] - y_ * tw[2 * (w) + 1] : x_;                     \
    yi[(j)*s + q] = turned ? x_ * tw[2 * (w) + 1] + y_ * tw[2 * (w)] : y_;                     \
  } while (0)

#define BUTTERFLY static inline __attribute__((always_inline)) void

/* Butterflies number p of a pass: `m` apart in x, neighbours in y; `a` is the place of the root that turns output 1. */
BUTTERFLY NAME(two)(const T *restrict xr, const T *restrict xi, T *restrict yr, T *restrict yi, int64_t m, int64_t s,
                    int64_t a, const T *restrict tw, int turned) {
  for (int64_t q = 0; q < s; q++) {
    T ar = xr[q], ai = xi[q], br = xr[m * s + q], bi = xi[m * s + q];
    TURN(0, ar + br, ai + bi, 0);
    TURN(1, ar - br, ai - bi, a);
  }
}

BUTTERFLY NAME(four)(const T *restrict xr, const T *restrict xi, T *restrict yr, T *restrict yi, int64_t m, int64_t s,
                     int64_t a, const T *restrict tw, int turned) {
  for (int64_t q = 0; q < s; q++) {
    T er = xr[q] + xr[2 * m * s + q], ei = xi[q] + xi[2 * m * s + q];
    T fr = xr[q] - xr[2 * m * s + q], fi = xi[q] - xi[2 * m * s + q];
    T gr = xr[m * s + q] + xr[3 * m * s + q], gi = xi[m * s + q] + xi[3 * m * s + q];
    T hr = xr[m * s + q] - xr[3 * m * s + q], hi = xi[m * s + q] - xi[3 * m * s + q];
    TURN(0, er + gr, ei + gi, 0);
    TURN(1, fr + hi, fi - hr, a);
    TURN(2, er - gr, ei - gi, 2 * a);
    TURN(3, fr - hi, fi + hr, 3 * a);
  }
}

/* Any odd radix: outputs j and r - j share their sums. `unit` holds the roots of r. */
BUTTERFLY NAME(odd)(int r, const T *restrict xr, const T *restrict xi, T *restrict yr, T *restrict yi, int64_t m,
                    int64_t s, int64_t a, const T *restrict tw, int turned, const T *restrict unit) {
  int h = r / 2;
  for (int64_t q = 0; q < s; q++) {
    T tr[MAX_RADIX / 2], ti[MAX_RADIX / 2], dr[MAX_RADIX / 2], di[MAX_RADIX / 2];
    T zr = xr[q], zi = xi[q], sum_r = zr, sum_i = zi;
    for (int k = 1; k <= h; k++) {
      int64_t near = k * m * s + q, far = (r - k) * m * s + q;
      tr[k - 1] = xr[near] + xr[far];
      ti[k - 1] = xi[near] + xi[far];
      dr[k - 1] = xr[near] - xr[far];
      di[k - 1] = xi[near] - xi[far];
      sum_r += tr[k - 1];
      sum_i += ti[k - 1];
    }
    TURN(0, sum_r, sum_i, 0);
    for (int j = 1; j <= h; j++) {
      T ur = zr, ui = zi, vr = 0, vi = 0;
      for (int k = 1; k <= h; k++) {
        T c = unit[2 * (j * k % r)], d = unit[2 * (j * k % r) + 1];
        ur += c * tr[k - 1];
        ui += c * ti[k - 1];
        vr += d * dr[k - 1];
        vi += d * di[k - 1];
      }
      TURN(j, ur - vi, ui + vr, j * a);
      TURN(r - j, ur + vi, ui - vr, (r - j) * a);
    }
  }
}

#define ODD(r) NAME(odd)(r, x_r, x_i, y_r, y_i, m, s, a, tw, turned, unit)

BUTTERFLY NAME(butterflies)(int r, const T *x_r, const T *x_i, T *y_r, T *y_i, int64_t m, int64_t s, int64_t a,
                            const T *tw, int turned, const T *unit) {
  switch (r) {
    case 2: NAME(two)(x_r, x_i, y_r, y_i, m, s, a, tw, turned); break;
    case 3: ODD(3); break;
    case 4: NAME(four)(x_r, x_i, y_r, y_i, m, s, a, tw, turned); break;
    case 5: ODD(5); break;
    case 7: ODD(7); break;
    default: ODD(r);
  }
}

/* All passes over `lanes` lines that lie side by side, from x to y and back; returns which of the two has the result. */
static int NAME(passes)(const Plan *plan, const T *tw, const T *units, T *x_r, T *x_i, T *y_r, T *y_i, int64_t lanes) {
  int64_t length = plan->m, s = lanes;
  int odd = 0;
  for (int f = 0; f < plan->count; f++) {
    int r = plan->radix[f];
    int64_t m = length / r, step = plan->m / length;
    const T *unit = units + 2 * MAX_RADIX * f;
    NAME(butterflies)(r, x_r, x_i, y_r, y_i, m, s, 0, tw, 0, unit);
    for (int64_t p = 1; p < m; p++) {
      int64_t at = s * p;
      NAME(butterflies)(r, x_r + at, x_i + at, y_r + at * r, y_i + at * r, m, s, p * step, tw, 1, unit);
    }
    T *t = x_r;
    x_r = y_r;
    y_r = t;
    t = x_i;
    x_i = y_i;
    y_i = t;
    odd ^= 1;
    length = m;
    s *= r;
  }
  return odd;
}

/* The tables of a plan, behind each other in `memory`: roots of m, roots of each radix, chirp, spectrum of the chirp. */
static void NAME(tables)(Plan *plan, void *memory, T *work) {
  T *tw = memory, *units = tw + 2 * plan->m;
  plan->tw = tw;
  plan->units = units;
  for (int64_t k = 0; k < plan->m; k++) {
    double c, s;
    root(k, plan->m, &c, &s);
    tw[2 * k] = (T)c;
    tw[2 * k + 1] = (T)s;
  }
  for (int f = 0; f < plan->count; f++) {
    for (int k = 0; k < plan->radix[f]; k++) {
      double c, s;
      root(k, plan->radix[f], &c, &s);
      units[2 * (MAX_RADIX * f + k)] = (T)c;
      units[2 * (MAX_RADIX * f + k) + 1] = (T)s;
    }
  }
  if (plan->m == plan->n) return;
  int64_t n = plan->n, m = plan->m;
  T *chirp = units + 2 * MAX_RADIX * MAX_PASSES, *spectrum = chirp + 2 * n;
  plan->chirp = chirp;
  plan->spectrum = spectrum;
  memset(work, 0, (size_t)(4 * m) * sizeof(T));
  /* k² modulo 2n, step by step, so that it stays exact. */
  for (int64_t k = 0, square = 0; k < n; k++) {
    double c, s;
    root(square, 2 * n, &c, &s);
    chirp[2 * k] = (T)c;
    chirp[2 * k + 1] = (T)s;
    work[k] = work[(m - k) % m] = (T)(c / (double)m);
    work[m + k] = work[m + (m - k) % m] = (T)(-s / (double)m);
    square = (square + 2 * k + 1) % (2 * n);
  }
  const T *done = work + 2 * m * NAME(passes)(plan, tw, units, work, work + m, work + 2 * m, work + 3 * m, 1);
  memcpy(spectrum, done, (size_t)(2 * m) * sizeof(T));
}

/* Lines of interleaved numbers into lanes, a cache line of each at a time. */
static void NAME(load)(const Side *from, int64_t n, int64_t lanes, T *re, T *im) {
  const T *at = (const T *)from->at + 2 * from->first;
  int swap = from->swap;
  for (int64_t k0 = 0; k0 < n; k0 += 8) {
    int64_t end = k0 + 8 < n ? k0 + 8 : n;
    if (from->lane == 1) {
      for (int64_t k = k0; k < end; k++) {
        const T *x = at + 2 * k * from->step;
        for (int64_t v = 0; v < lanes; v++) {
          re[k * lanes + v] = x[2 * v + swap];
          im[k * lanes + v] = x[2 * v + 1 - swap];
        }
      }
      continue;
    }
    for (int64_t v = 0; v < lanes; v++) {
      const T *x = at + 2 * v * from->lane;
      for (int64_t k = k0; k < end; k++) {
        re[k * lanes + v] = x[2 * k * from->step + swap];
        im[k * lanes + v] = x[2 * k * from->step + 1 - swap];
      }
    }
  }
}

static void NAME(store)(const Side *to, int64_t n, int64_t lanes, const T *re, const T *im, T scale) {
  T *at = (T *)to->at + 2 * to->first;
  int swap = to->swap;
  for (int64_t k0 = 0; k0 < n; k0 += 8) {
    int64_t end = k0 + 8 < n ? k0 + 8 : n;
    if (to->lane == 1) {
      for (int64_t k = k0; k < end; k++) {
        T *y = at + 2 * k * to->step;
        for (int64_t v = 0; v < lanes; v++) {
          y[2 * v + swap] = re[k * lanes + v] * scale;
          y[2 * v + 1 - swap] = im[k * lanes + v] * scale;
        }
      }
      continue;
    }
    for (int64_t v = 0; v < lanes; v++) {
      T *y = at + 2 * v * to->lane;
      for (int64_t k = k0; k < end; k++) {
        y[2 * k * to->step + swap] = re[k * lanes + v] * scale;
        y[2 * k * to->step + 1 - swap] = im[k * lanes + v] * scale;
      }
    }
  }
}

/* Multiplies row k of n rows of lanes by the numbers at table[k]. */
static void NAME(scale_rows)(int64_t n, int64_t lanes, T *re, T *im, const T *c, const T *s, int64_t step) {
  for (int64_t k = 0; k < n; k++) {
    T x = c[k * step], y = s[k * step];
    for (int64_t v = 0; v < lanes; v++) {
      T a = re[k * lanes + v], b = im[k * lanes + v];
      re[k * lanes + v] = a * x - b * y;
      im[k * lanes + v] = a * y + b * x;
    }
  }
}

/* Bluestein: a transform of any length is a convolution with a chirp, which two of a length m ≥ 2n - 1 do. */
static void NAME(chirped)(const Plan *plan, int64_t lanes, T *work, const T **re, const T **im) {
  int64_t n = plan->n, m = plan->m, size = m * lanes;
  const T *chirp = plan->chirp, *spectrum = plan->spectrum;
  NAME(scale_rows)(n, lanes, work, work + size, chirp, chirp + 1, 2);
  memset(work + n * lanes, 0, (size_t)((m - n) * lanes) * sizeof(T));
  memset(work + size + n * lanes, 0, (size_t)((m - n) * lanes) * sizeof(T));
  T *x = work, *y = work + 2 * size;
  if (NAME(passes)(plan, plan->tw, plan->units, x, x + size, y, y + size, lanes)) {
    x = y;
    y = work;
  }
  NAME(scale_rows)(m, lanes, x, x + size, spectrum, spectrum + m, 1);
  /* With the parts exchanged it is the inverse. */
  if (NAME(passes)(plan, plan->tw, plan->units, x + size, x, y + size, y, lanes)) x = y;
  NAME(scale_rows)(n, lanes, x, x + size, chirp, chirp + 1, 2);
  *re = x;
  *im = x + size;
}

/* One group of lanes, from memory to memory. */
static int NAME(group)(const Plan *plan, const Side *from, const Side *to, int64_t lanes, double scale,
                       const Split *split, int64_t column) {
  int64_t size = plan->m * lanes;
  T *work = cresset_scratch(SCRATCH_WORK, 4 * size * (int64_t)sizeof(T));
  if (!work) return 0;
  NAME(load)(from, plan->n, lanes, work, work + size);
  T *re = work, *im = work + size;
  if (plan->m != plan->n) {
    const T *a, *b;
    NAME(chirped)(plan, lanes, work, &a, &b);
    re = (T *)a;
    im = (T *)b;
  } else if (NAME(passes)(plan, plan->tw, plan->units, re, im, re + 2 * size, im + 2 * size, lanes)) {
    re += 2 * size;
    im += 2 * size;
  }
  if (split) {
    for (int64_t k = 0; k < plan->n; k++) {
      for (int64_t v = 0; v < lanes; v++) {
        int64_t i = (column + v) * k;
        const double *low = split->low + 2 * (i % ROOTS), *high = split->high + 2 * (i / ROOTS);
        double c = low[0] * high[0] - low[1] * high[1], s = low[0] * high[1] + low[1] * high[0];
        double a = re[k * lanes + v], b = im[k * lanes + v];
        re[k * lanes + v] = (T)(a * c - b * s);
        im[k * lanes + v] = (T)(a * s + b * c);
      }
    }
  }
  NAME(store)(to, plan->n, lanes, re, im, (T)scale);
  return 1;
}

#undef TURN
#undef BUTTERFLY
#undef ODD
