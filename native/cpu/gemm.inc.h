/*
 * The blocked matrix product for one compute type T; matmul.c includes this file once per type.
 *
 * The scheme is Goto's: a block of B (KC x NC) and a block of A (MC x KC) are copied into panels that the innermost
 * tile (R rows by NV vectors of C, held in registers) reads in order. A copy is skipped where it would not pay: the
 * tile reads A with any strides, and B wherever its rows are contiguous, so small products touch memory once.
 *
 * Expects T, VEC, LANES (elements of T per VEC), MR (rows of a tile), NV (vectors per tile row), NAME(x), EXPORT(x)
 * (the name of a shared function), SPLAT(x) and MADD(a, b, c) = a * b + c.
 */

#define NR (NV * LANES)

/* One step of the product: R rows of A times NR columns of B. */
#ifdef __wasm__
/* clang keeps every row's value of A for all columns, more than the 15 registers that engines have to give: the barrier
   makes it load them again, which is cheaper than spilling. */
#define TILE_STEP(R, AT)                                                      \
  UNROLL for (int j = 0; j < NV; j++) {                                       \
    VEC bv = *(const VEC *)(b + j * LANES);                                   \
    UNROLL for (int i = 0; i < R; i++) acc[i][j] = MADD(SPLAT(AT), bv, acc[i][j]); \
    __asm__ volatile("" ::: "memory");                                        \
  }
#else
#define TILE_STEP(R, AT)                                                      \
  VEC bv[NV];                                                                 \
  UNROLL for (int j = 0; j < NV; j++) bv[j] = *(const VEC *)(b + j * LANES);  \
  UNROLL for (int i = 0; i < R; i++) {                                        \
    VEC av = SPLAT(AT);                                                       \
    UNROLL for (int j = 0; j < NV; j++) acc[i][j] = MADD(av, bv[j], acc[i][j]); \
  }
#endif

/* acc[R][NV] = the product of R rows of A and NR columns of B over k, everything in registers. */
#define TILE_PRODUCT(R, AT, ASTEP)                                            \
  VEC acc[R][NV];                                                             \
  UNROLL for (int i = 0; i < R; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = (VEC){ 0 }; \
  for (isize p = 0; p < k; p++) {                                             \
    TILE_STEP(R, AT)                                                          \
    ASTEP;                                                                    \
    b += ldb;                                                                 \
  }

/* Adds a finished tile to C: whole vectors where the tile is whole and C's rows are contiguous, else one by one. */
INLINE void NAME(tile_store)(const int R, VEC acc[][NV], T *c, isize crs, isize ccs, int rows, int cols, T alpha,
                             T beta) {
  if (rows == R && cols == NR && ccs == 1) {
    VEC va = SPLAT(alpha), vb = SPLAT(beta);
    if (beta == 0) {
      UNROLL for (int i = 0; i < R; i++) UNROLL for (int j = 0; j < NV; j++)
        *(VEC *)(c + i * crs + j * LANES) = acc[i][j] * va;
    } else {
      UNROLL for (int i = 0; i < R; i++) UNROLL for (int j = 0; j < NV; j++) {
        VEC *at = (VEC *)(c + i * crs + j * LANES);
        *at = MADD(acc[i][j], va, *at * vb);
      }
    }
    return;
  }
  T spill[R * NR];
  UNROLL for (int i = 0; i < R; i++)
    UNROLL for (int j = 0; j < NV; j++) *(VEC *)(spill + i * NR + j * LANES) = acc[i][j];
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < cols; j++) {
      T *at = c + i * crs + j * ccs;
      T v = spill[i * NR + j] * alpha;
      *at = beta == 0 ? v : v + *at * beta;
    }
  }
}

#define TILE_ARGS isize k, const T *b, isize ldb, T *c, isize crs, isize ccs, int rows, int cols, T alpha, T beta

/* A packed: R values follow each other for each k, in panels of MR. */
#define TILE_PACKED(R)                                                        \
  static void NAME(tile_packed##R)(const T *a, TILE_ARGS) {                   \
    TILE_PRODUCT(R, a[i], a += MR)                                            \
    NAME(tile_store)(R, acc, c, crs, ccs, rows, cols, alpha, beta);           \
  }

/* A in place: R row pointers; missing rows repeat the last one and are not stored. */
#define TILE_DIRECT(R)                                                        \
  static void NAME(tile_direct##R)(const T *a, isize ars, isize acs, TILE_ARGS) { \
    const T *row[R];                                                          \
    UNROLL for (int i = 0; i < R; i++) row[i] = a + (i < rows ? i : rows - 1) * ars; \
    if (acs == 1) {                                                           \
      TILE_PRODUCT(R, row[i][p], (void)0)                                     \
      NAME(tile_store)(R, acc, c, crs, ccs, rows, cols, alpha, beta);         \
    } else {                                                                  \
      isize at = 0;                                                           \
      TILE_PRODUCT(R, row[i][at], at += acs)                                  \
      NAME(tile_store)(R, acc, c, crs, ccs, rows, cols, alpha, beta);         \
    }                                                                         \
  }

TILE_PACKED(1)
TILE_PACKED(2)
TILE_PACKED(4)
TILE_DIRECT(1)
TILE_DIRECT(2)
TILE_DIRECT(4)
#if MR == 4
#define TILE_FULL(name) NAME(name##4)
#elif MR == 6
TILE_PACKED(6)
TILE_DIRECT(6)
#define TILE_FULL(name) NAME(name##6)
#elif MR == 8
TILE_PACKED(8)
TILE_DIRECT(8)
#define TILE_FULL(name) NAME(name##8)
#elif MR == 12
TILE_PACKED(12)
TILE_DIRECT(12)
TILE_PACKED(8)
TILE_DIRECT(8)
#define TILE_FULL(name) NAME(name##12)
#endif

static void NAME(tile_packed)(const T *a, TILE_ARGS) {
  if (rows == 1) NAME(tile_packed1)(a, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
  else if (rows == 2) NAME(tile_packed2)(a, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
  else if (rows <= 4) NAME(tile_packed4)(a, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
#if MR == 12
  else if (rows <= 8) NAME(tile_packed8)(a, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
#endif
  else TILE_FULL(tile_packed)(a, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
}

static void NAME(tile_direct)(const T *a, isize ars, isize acs, TILE_ARGS) {
  if (rows == 1) NAME(tile_direct1)(a, ars, acs, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
  else if (rows == 2) NAME(tile_direct2)(a, ars, acs, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
  else if (rows <= 4) NAME(tile_direct4)(a, ars, acs, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
#if MR == 12
  else if (rows <= 8) NAME(tile_direct8)(a, ars, acs, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
#endif
  else TILE_FULL(tile_direct)(a, ars, acs, k, b, ldb, c, crs, ccs, rows, cols, alpha, beta);
}

/*
 * Copies `rows` x `k` values into panels of `width` rows: panel[p][r], zeros where a panel has fewer rows.
 * The same function packs A (rows of A) and B (its columns).
 */
static void NAME(pack_same)(T *to, const T *from, isize rs, isize ks, isize rows, isize k, int width) {
  for (isize r0 = 0; r0 < rows; r0 += width) {
    int w = rows - r0 < width ? (int)(rows - r0) : width;
    const T *base = from + r0 * rs;
    if (w < width) memset(to, 0, sizeof(T) * (size_t)(k * width));
    isize p = 0;
    if (rs == 1 && w == NR && width == NR) {
      for (; p < k; p++)
        UNROLL for (int j = 0; j < NV; j++)
          *(VEC *)(to + p * NR + j * LANES) = *(const VEC *)(base + p * ks + j * LANES);
    } else if (rs == 1) {
      for (; p < k; p++)
        for (int r = 0; r < w; r++) to[p * width + r] = base[p * ks + r];
    } else {
      int r = 0;
#ifdef TRANSPOSE4
      if (ks == 1)
        for (; r + 4 <= w; r += 4) {
          for (p = 0; p + 4 <= k; p += 4) TRANSPOSE4(to + p * width + r, width, base + r * rs + p, rs);
          for (; p < k; p++)
            for (int i = 0; i < 4; i++) to[p * width + r + i] = base[(r + i) * rs + p];
        }
#endif
      for (; r < w; r++)
        for (p = 0; p < k; p++) to[p * width + r] = base[r * rs + p * ks];
    }
    to += k * width;
  }
}
/*
 * The same from a narrower type. Rows that lie along k are widened a strip at a time into a buffer, in loops that vectorise,
 * and packed from there.
 */
#define STRIP 64
#define PACK(S, SUFFIX, LOAD)                                                 \
  static void NAME(pack_##SUFFIX)(T *to, const S *from, isize rs, isize ks, isize rows, isize k, int width) { \
    T wide[NR * STRIP];                                                       \
    for (isize r0 = 0; r0 < rows; r0 += width) {                              \
      int w = rows - r0 < width ? (int)(rows - r0) : width;                   \
      const S *base = from + r0 * rs;                                         \
      if (ks == 1 && w <= NR) {                                               \
        for (isize p = 0; p < k; p += STRIP) {                                \
          isize n = k - p < STRIP ? k - p : STRIP;                            \
          for (int r = 0; r < w; r++) {                                       \
            const S *row = base + r * rs + p;                                 \
            T *out = wide + r * STRIP;                                        \
            for (isize i = 0; i < n; i++) out[i] = LOAD(row[i]);              \
          }                                                                   \
          NAME(pack_same)(to + p * width, wide, STRIP, 1, w, n, width);       \
        }                                                                     \
      } else if (rs == 1 && w == NR && width == NR) {                         \
        for (isize p = 0; p < k; p++) {                                       \
          const S *row = base + p * ks;                                       \
          T *out = to + p * NR;                                               \
          for (int r = 0; r < NR; r++) out[r] = LOAD(row[r]);                 \
        }                                                                     \
      } else if (rs == 1 && w == MR && width == MR) {                         \
        for (isize p = 0; p < k; p++) {                                       \
          const S *row = base + p * ks;                                       \
          T *out = to + p * MR;                                               \
          UNROLL for (int r = 0; r < MR; r++) out[r] = LOAD(row[r]);          \
        }                                                                     \
      } else {                                                                \
        if (w < width) memset(to, 0, sizeof(T) * (size_t)(k * width));        \
        for (isize p = 0; p < k; p++)                                         \
          for (int r = 0; r < w; r++) to[p * width + r] = LOAD(base[r * rs + p * ks]); \
      }                                                                       \
      to += k * width;                                                        \
    }                                                                         \
  }

PACK_TYPES

static void NAME(pack)(int dtype, T *to, const void *from, isize rs, isize ks, isize rows, isize k, int width) {
  switch (dtype) {
    PACK_CASES
    default:
      NAME(pack_same)(to, from, rs, ks, rows, k, width);
  }
}

/* What one call works with; c is of type T. */
typedef struct {
  int dtype;
  isize m, n, k;
  const char *a;
  isize ars, acs;
  const char *b;
  isize brs, bcs;
  T *c;
  isize crs, ccs;
  T alpha, beta;
} NAME(Problem);

/* One block: C[m0.., n0..] += A panel · B panel, B already packed or readable in place. */
static void NAME(block)(const NAME(Problem) *g, isize m0, isize m, isize n0, isize n, isize k, const T *a, isize ars,
                        isize acs, int packed_a, const T *b, isize panel, isize ldb, const T *edge, T beta) {
  for (isize j = 0; j < n; j += NR) {
    int cols = n - j < NR ? (int)(n - j) : NR;
    const T *bj = b + j / NR * panel;
    isize step = ldb;
    if (edge && cols < NR) {
      bj = edge;
      step = NR;
    }
    for (isize i = 0; i < m; i += MR) {
      int rows = m - i < MR ? (int)(m - i) : MR;
      T *c = g->c + (m0 + i) * g->crs + (n0 + j) * g->ccs;
      if (packed_a) NAME(tile_packed)(a + i * k, k, bj, step, c, g->crs, g->ccs, rows, cols, g->alpha, beta);
      else NAME(tile_direct)(a + i * ars, ars, acs, k, bj, step, c, g->crs, g->ccs, rows, cols, g->alpha, beta);
    }
  }
}

static void NAME(scale)(const NAME(Problem) *g) {
  for (isize i = 0; i < g->m; i++)
    for (isize j = 0; j < g->n; j++) {
      T *at = g->c + i * g->crs + j * g->ccs;
      *at = g->beta == 0 ? 0 : *at * g->beta;
    }
}

/* Panels: MC x KC of A stays in the second-level cache, KC x NC of B in the last. */
#define NC ((isize)(BLOCK_N / NR * NR))
#define MC ((isize)(BLOCK_M / MR * MR))

static void NAME(run)(const NAME(Problem) *g, T *scratch) {
  if (g->m == 0 || g->n == 0) return;
  if (g->k == 0 || g->alpha == 0) {
    NAME(scale)(g);
    return;
  }
    isize size = dtype_size(g->dtype);
  int same = size == sizeof(T);
  T *pa = scratch, *pb = scratch + MC * KC;
  isize chunks = (g->k + KC - 1) / KC, kc = (g->k + chunks - 1) / chunks;
  /* Packing reads and writes each element once; it pays when a panel is then used several times. */
  int direct_b = same && g->bcs == 1 && g->m <= DIRECT_B_ROWS && g->n >= NR;
  int direct_a = same && (g->n <= DIRECT_A_COLS || g->m <= 2) && (g->acs == 1 || g->n <= 2 * NR);
  for (isize n0 = 0; n0 < g->n; n0 += NC) {
    isize n = min_size(g->n - n0, NC);
    for (isize k0 = 0; k0 < g->k; k0 += kc) {
      isize k = min_size(g->k - k0, kc);
      T beta = k0 == 0 ? g->beta : (T)1;
      const char *from = g->b + (k0 * g->brs + n0 * g->bcs) * size;
      const T *b = pb, *edge = NULL;
      isize ldb = NR, panel = k * NR;
      if (direct_b) {
        b = (const T *)from;
        panel = NR;
        ldb = g->brs;
        if (n % NR) {
          edge = pb;
          NAME(pack)(g->dtype, pb, b + n / NR * NR, 1, g->brs, n % NR, k, NR);
        }
      } else {
        NAME(pack)(g->dtype, pb, from, g->bcs, g->brs, n, k, NR);
      }
      for (isize m0 = 0; m0 < g->m; m0 += MC) {
        isize m = min_size(g->m - m0, MC);
        const char *at = g->a + (m0 * g->ars + k0 * g->acs) * size;
        if (direct_a) {
          NAME(block)(g, m0, m, n0, n, k, (const T *)at, g->ars, g->acs, 0, b, panel, ldb, edge, beta);
        } else {
          NAME(pack)(g->dtype, pa, at, g->ars, g->acs, m, k, MR);
          NAME(block)(g, m0, m, n0, n, k, pa, 0, 0, 1, b, panel, ldb, edge, beta);
        }
      }
    }
  }
}

/*
 * y = alpha · M x + beta · y. Rows that are contiguous are dotted with x, four at a time; columns that are contiguous
 * are added up in a buffer that stays in the first-level cache. Returns 0 for layouts that are neither.
 */
static int NAME(matvec)(isize rows, isize k, const T *m, isize rs, isize ks, const T *x, isize xs, T *y, isize ys,
                        T alpha, T beta, T *scratch) {
  if (k > MATVEC_MAX || (ks != 1 && rs != 1)) return 0;
  if (xs != 1) {
    for (isize p = 0; p < k; p++) scratch[p] = x[p * xs];
    x = scratch;
  }
  if (ks == 1) {
    for (isize r = 0; r < rows; r += 4) {
      int w = (int)min_size(rows - r, 4);
      const T *row[4];
      VEC acc[4][2];
      T sum[4];
      UNROLL for (int i = 0; i < 4; i++) {
        row[i] = m + (r + (i < w ? i : w - 1)) * rs;
        acc[i][0] = acc[i][1] = (VEC){ 0 };
      }
      isize p = 0;
      for (; p + 2 * LANES <= k; p += 2 * LANES) {
        VEC x0 = *(const VEC *)(x + p), x1 = *(const VEC *)(x + p + LANES);
        UNROLL for (int i = 0; i < 4; i++) {
          acc[i][0] = MADD(*(const VEC *)(row[i] + p), x0, acc[i][0]);
          acc[i][1] = MADD(*(const VEC *)(row[i] + p + LANES), x1, acc[i][1]);
        }
      }
      UNROLL for (int i = 0; i < 4; i++) {
        VEC v = acc[i][0] + acc[i][1];
        T s = 0;
        for (int j = 0; j < LANES; j++) s += v[j];
        for (isize q = p; q < k; q++) s += row[i][q] * x[q];
        sum[i] = s;
      }
      for (int i = 0; i < w; i++) {
        T *at = y + (r + i) * ys;
        *at = beta == 0 ? alpha * sum[i] : alpha * sum[i] + beta * *at;
      }
    }
    return 1;
  }
  T *sums = scratch + MATVEC_MAX;
  for (isize r0 = 0; r0 < rows; r0 += MATVEC_BLOCK) {
    isize n = min_size(rows - r0, MATVEC_BLOCK), p = 0;
    memset(sums, 0, sizeof(T) * (size_t)n);
    for (; p + 4 <= k; p += 4) {
      const T *c0 = m + r0 + p * ks, *c1 = c0 + ks, *c2 = c1 + ks, *c3 = c2 + ks;
      T x0 = x[p], x1 = x[p + 1], x2 = x[p + 2], x3 = x[p + 3];
      isize r = 0;
      for (; r + LANES <= n; r += LANES) {
        VEC s = *(VEC *)(sums + r);
        s = MADD(*(const VEC *)(c0 + r), SPLAT(x0), s);
        s = MADD(*(const VEC *)(c1 + r), SPLAT(x1), s);
        s = MADD(*(const VEC *)(c2 + r), SPLAT(x2), s);
        s = MADD(*(const VEC *)(c3 + r), SPLAT(x3), s);
        *(VEC *)(sums + r) = s;
      }
      for (; r < n; r++) sums[r] += c0[r] * x0 + c1[r] * x1 + c2[r] * x2 + c3[r] * x3;
    }
    for (; p < k; p++)
      for (isize r = 0; r < n; r++) sums[r] += m[r0 + r + p * ks] * x[p];
    for (isize r = 0; r < n; r++) {
      T *at = y + (r0 + r) * ys;
      *at = beta == 0 ? alpha * sums[r] : alpha * sums[r] + beta * *at;
    }
  }
  return 1;
}

/* ---- for convolutions: A packed once, B a readable tile whose rows have room for whole vectors ---- */

SHARED_FN size_t EXPORT(packed_size)(isize m, isize k) { return sizeof(T) * (size_t)((m + MR - 1) / MR * MR * k); }

SHARED_FN void EXPORT(pack_rows)(T *to, const T *from, isize rs, isize ks, isize m, isize k) {
  isize chunks = (k + KC - 1) / KC, kc = chunks ? (k + chunks - 1) / chunks : 0;
  for (isize k0 = 0; k0 < k; k0 += kc) {
    isize part = min_size(k - k0, kc);
    NAME(pack_same)(to, from + k0 * ks, rs, ks, m, part, MR);
    to += (m + MR - 1) / MR * MR * part;
  }
}

SHARED_FN void EXPORT(panels)(isize m, isize n, isize k, const T *packed, const T *b, isize ldb, T *c, isize crs,
                              T beta) {
  NAME(Problem) g = { .m = m, .n = n, .k = k, .c = c, .crs = crs, .ccs = 1, .alpha = 1 };
  isize chunks = (k + KC - 1) / KC, kc = chunks ? (k + chunks - 1) / chunks : 0;
  for (isize k0 = 0; k0 < k; k0 += kc) {
    isize part = min_size(k - k0, kc);
    for (isize m0 = 0; m0 < m; m0 += MC) {
      NAME(block)(&g, m0, min_size(m - m0, MC), 0, n, part, packed + m0 * part, 0, 0, 1, b + k0 * ldb, NR, ldb, NULL,
                  k0 == 0 ? beta : (T)1);
    }
    packed += (m + MR - 1) / MR * MR * part;
  }
}

#undef NR
#undef STRIP
#undef NC
#undef MC
#undef TILE_STEP
#undef TILE_PRODUCT
#undef TILE_ARGS
#undef TILE_PACKED
#undef TILE_DIRECT
#undef TILE_FULL
#undef PACK
