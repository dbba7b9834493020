/*
 * Matrix products: any strides, every real dtype, batches; see gemm.inc.h for how one product is blocked.
 *
 * float16 and bfloat16 are widened while panels are packed and accumulate in float; integers accumulate in int64 and
 * wrap when they are stored. Large float32 products go to oneDNN where it was found.
 */
#include "dense.h"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(x) JOIN(x, SUFFIX)
#define EXPORT(x) JOIN(cresset_##x, SUFFIX)
#define SHARED_FN

/* Longest matrix-vector product that keeps the vector in scratch memory, and rows summed at a time. */
#define MATVEC_MAX ((isize)1 << 16)
#define MATVEC_BLOCK ((isize)1024)

/* ---- float ---- */
#define T float
#define SUFFIX f32
#define VEC vf32
#define LANES (VECTOR_BYTES / 4)
#if VECTOR_BYTES == 64
#define MR 12
#define NV 2
#elif VECTOR_REGISTERS == 32
#define MR 8
#define NV 3
#elif defined(__wasm__)
#define MR 4
#define NV 2
#else
#define MR 6
#define NV 2
#endif
#define BLOCK_M 144
#define BLOCK_N 1024
#ifdef __wasm__
#define KC ((isize)384)
#else
#define KC ((isize)256)
#endif
#define DIRECT_B_ROWS (2 * MR)
#define DIRECT_A_COLS 64
#define SPLAT(x) ((x) - (VEC){ 0 })
#ifdef __wasm__
#undef SPLAT
#define SPLAT(x) ((VEC)wasm_f32x4_splat(x))
#define MADD(a, b, c) ((VEC)wasm_f32x4_relaxed_madd((v128_t)(a), (v128_t)(b), (v128_t)(c)))
#else
#define MADD(a, b, c) ((c) + (a) * (b))
#endif
/* Moves a 4x4 block of `from` (rows `fs` apart) to columns of `to` (`ts` apart). */
INLINE void transpose4_f32(float *to, isize ts, const float *from, isize fs) {
  typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
  v4 r0 = *(const v4 *)from, r1 = *(const v4 *)(from + fs);
  v4 r2 = *(const v4 *)(from + 2 * fs), r3 = *(const v4 *)(from + 3 * fs);
  v4 a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), b = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  v4 c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  *(v4 *)to = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  *(v4 *)(to + ts) = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  *(v4 *)(to + 2 * ts) = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  *(v4 *)(to + 3 * ts) = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
#define TRANSPOSE4(to, ts, from, fs) transpose4_f32(to, ts, from, fs)
#define PACK_TYPES PACK(uint16_t, f16, f16_to_f32) PACK(uint16_t, bf16, bf16_to_f32)
#define PACK_CASES                                                                          \
  case DT_F16: NAME(pack_f16)(to, from, rs, ks, rows, k, width); break;                     \
  case DT_BF16: NAME(pack_bf16)(to, from, rs, ks, rows, k, width); break;
#include "gemm.inc.h"
enum { SCRATCH_F32 = (BLOCK_M * KC + (BLOCK_N + 64) * KC) * sizeof(float) };
#undef T
#undef SUFFIX
#undef VEC
#undef LANES
#undef SPLAT
#undef MADD
#undef TRANSPOSE4
#undef PACK_TYPES
#undef PACK_CASES
#undef BLOCK_M

/* ---- double ---- */
#define T double
#define SUFFIX f64
#define VEC vf64
#define LANES (VECTOR_BYTES / 8)
#define BLOCK_M 96
#ifdef __wasm__
#define SPLAT(x) ((VEC)wasm_f64x2_splat(x))
#define MADD(a, b, c) ((VEC)wasm_f64x2_relaxed_madd((v128_t)(a), (v128_t)(b), (v128_t)(c)))
#else
#define SPLAT(x) ((x) - (VEC){ 0 })
#define MADD(a, b, c) ((c) + (a) * (b))
#endif
#define PACK_TYPES
#define PACK_CASES
#include "gemm.inc.h"
enum { SCRATCH_F64 = (BLOCK_M * KC + (BLOCK_N + 64) * KC) * sizeof(double) };
#undef T
#undef SUFFIX
#undef VEC
#undef LANES
#undef SPLAT
#undef MADD
#undef PACK_TYPES
#undef PACK_CASES
#undef MR
#undef NV

/* ---- integers ---- */
#define T int64_t
#define SUFFIX i64
#define VEC vi64
#define LANES (VECTOR_BYTES / 8)
#define MR 6
#define NV 1
#define SPLAT(x) ((x) + (VEC){ 0 })
#define MADD(a, b, c) ((c) + (a) * (b))
/* Convolutions are of floating types. */
#undef SHARED_FN
#define SHARED_FN static __attribute__((unused))
#define SAME(x) (x)
#define PACK_TYPES PACK(uint8_t, u8, SAME) PACK(int8_t, i8, SAME) PACK(int16_t, i16, SAME) PACK(int32_t, i32, SAME)
#define PACK_CASES                                                                          \
  case DT_BOOL:                                                                             \
  case DT_U8: NAME(pack_u8)(to, from, rs, ks, rows, k, width); break;                       \
  case DT_I8: NAME(pack_i8)(to, from, rs, ks, rows, k, width); break;                       \
  case DT_I16: NAME(pack_i16)(to, from, rs, ks, rows, k, width); break;                     \
  case DT_I32: NAME(pack_i32)(to, from, rs, ks, rows, k, width); break;
#include "gemm.inc.h"
#undef T
#undef SUFFIX
#undef VEC
#undef LANES
#undef MADD
#undef PACK_TYPES
#undef PACK_CASES

/* Multiply-adds that are worth a thread. */
#define GRAIN ((isize)1 << 17)

/* Products whose C is narrower than the compute type pass through tiles of this size, a square in scratch memory. */
#define TILE ((isize)256)
enum { GEMM_SCRATCH = SCRATCH_F64 + TILE * TILE * 8 };

static void run_any(const Gemm *g, int32_t kind, void *c, isize crs, isize ccs, double alpha, double beta,
                    char *scratch) {
#define RUN(S, TYPE)                                                                        \
  Problem_##S p = { g->dtype, g->m, g->n, g->k, g->a, g->ars, g->acs, g->b, g->brs, g->bcs, \
                    c, crs, ccs, (TYPE)alpha, (TYPE)beta };                                 \
  run_##S(&p, (TYPE *)scratch);
  if (kind == K_F32) {
    RUN(f32, float)
  } else if (kind == K_F64) {
    RUN(f64, double)
  } else {
    RUN(i64, int64_t)
  }
#undef RUN
}

/* Stores a row of a finished tile of compute type into a narrower C. */
#define NARROW(NAME, S, T, READ, WRITE)                                                                          \
  static void NAME(S *c, isize step, const T *from, isize n, T alpha, T beta) {                                   \
    if (beta == 0 && step == 1) {                                                                                \
      for (isize j = 0; j < n; j++) c[j] = (S)WRITE(alpha * from[j]);                                            \
    } else {                                                                                                     \
      for (isize j = 0; j < n; j++, c += step) {                                                                 \
        T v = alpha * from[j];                                                                                   \
        *c = (S)WRITE(beta == 0 ? v : v + beta * READ(*c));                                                      \
      }                                                                                                          \
    }                                                                                                            \
  }
#define AS_IS(x) (x)
NARROW(narrow_f16, uint16_t, float, f16_to_f32, f32_to_f16)
NARROW(narrow_bf16, uint16_t, float, bf16_to_f32, f32_to_bf16)
NARROW(narrow_u8, uint8_t, int64_t, AS_IS, AS_IS)
NARROW(narrow_i8, int8_t, int64_t, AS_IS, AS_IS)
NARROW(narrow_i16, int16_t, int64_t, AS_IS, AS_IS)
NARROW(narrow_i32, int32_t, int64_t, AS_IS, AS_IS)
#undef AS_IS

/* Stores a finished tile. */
static void narrow(const Gemm *g, const void *tile, isize i0, isize j0, isize m, isize n) {
  for (isize i = 0; i < m; i++) {
    isize at = (i0 + i) * g->crs + j0 * g->ccs;
    const float *floats = (const float *)tile + i * TILE;
    const int64_t *ints = (const int64_t *)tile + i * TILE;
    float alpha = (float)g->alpha, beta = (float)g->beta;
    int64_t times = (int64_t)g->alpha, kept = (int64_t)g->beta;
    switch (g->dtype) {
      case DT_F16: narrow_f16((uint16_t *)g->c + at, g->ccs, floats, n, alpha, beta); break;
      case DT_BF16: narrow_bf16((uint16_t *)g->c + at, g->ccs, floats, n, alpha, beta); break;
      case DT_U8: narrow_u8((uint8_t *)g->c + at, g->ccs, ints, n, times, kept); break;
      case DT_I8: narrow_i8((int8_t *)g->c + at, g->ccs, ints, n, times, kept); break;
      case DT_I16: narrow_i16((int16_t *)g->c + at, g->ccs, ints, n, times, kept); break;
      case DT_I32: narrow_i32((int32_t *)g->c + at, g->ccs, ints, n, times, kept); break;
    }
  }
}

static Gemm transposed(const Gemm *g) {
  return (Gemm){ g->dtype, g->n, g->m, g->k, g->b, g->bcs, g->brs, g->a, g->acs, g->ars,
                 g->c, g->ccs, g->crs, g->alpha, g->beta };
}

static int matvec_any(const Gemm *g, char *scratch) {
  if (g->dtype == DT_F32)
    return matvec_f32(g->m, g->k, g->a, g->ars, g->acs, g->b, g->brs, g->c, g->crs, (float)g->alpha, (float)g->beta,
                      (float *)scratch);
  if (g->dtype == DT_F64)
    return matvec_f64(g->m, g->k, g->a, g->ars, g->acs, g->b, g->brs, g->c, g->crs, g->alpha, g->beta,
                      (double *)scratch);
  if (g->dtype == DT_I64)
    return matvec_i64(g->m, g->k, g->a, g->ars, g->acs, g->b, g->brs, g->c, g->crs, (int64_t)g->alpha,
                      (int64_t)g->beta, (int64_t *)scratch);
  return 0;
}

int32_t cresset_gemm(const Gemm *problem) {
  Gemm g = *problem;
  if (g.dtype <= DT_BOOL || g.dtype > DT_F64) return CRESSET_BAD_DTYPE;
  char *scratch = cresset_scratch(SCRATCH_GEMM, GEMM_SCRATCH);
  if (!scratch) return CRESSET_NO_MEMORY;
  /* Rows of C should be contiguous, and a matrix-vector product has its vector on the right. */
  if (g.n != 1 && (g.m == 1 || (g.crs == 1 && g.ccs != 1))) g = transposed(&g);
  if (g.n == 1 && g.m != 0 && g.k != 0 && matvec_any(&g, scratch)) return CRESSET_OK;
  int32_t kind = dtype_kind(g.dtype);
  if (g.dtype == DT_F32 || g.dtype == DT_F64 || g.dtype == DT_I64) {
    run_any(&g, kind, g.c, g.crs, g.ccs, g.alpha, g.beta, scratch);
    return CRESSET_OK;
  }
  isize size = dtype_size(g.dtype);
  char *tile = scratch + SCRATCH_F64;
  for (isize i = 0; i < g.m; i += TILE) {
    for (isize j = 0; j < g.n; j += TILE) {
      Gemm part = g;
      part.m = min_size(g.m - i, TILE);
      part.n = min_size(g.n - j, TILE);
      part.a = (const char *)g.a + i * g.ars * size;
      part.b = (const char *)g.b + j * g.bcs * size;
      run_any(&part, kind, tile, TILE, 1, 1, 0, scratch);
      narrow(&g, tile, i, j, part.m, part.n);
    }
  }
  return CRESSET_OK;
}

#ifndef __wasm__
/* ---- threads: C is cut into a grid of tiles, as square as the shape allows ---- */

#define GRID_UNIT ((isize)48)

typedef struct {
  Gemm g;
  isize rows, cols, down;
  int32_t status;
} Grid;

/* On the calling thread alone: oneDNN's where it is found and takes the product. */
static int32_t gemm_alone(const Gemm *g) {
  return g->dtype == DT_F32 && cresset_onednn_sgemm(g) ? CRESSET_OK : cresset_gemm(g);
}

static void grid_task(void *context, int64_t begin, int64_t end) {
  Grid *grid = context;
  isize size = dtype_size(grid->g.dtype);
  for (isize t = begin; t < end; t++) {
    isize i = t % grid->down * grid->rows, j = t / grid->down * grid->cols;
    Gemm g = grid->g;
    g.m = min_size(g.m - i, grid->rows);
    g.n = min_size(g.n - j, grid->cols);
    g.a = (const char *)g.a + i * g.ars * size;
    g.b = (const char *)g.b + j * g.bcs * size;
    g.c = (char *)g.c + (i * g.crs + j * g.ccs) * size;
    int32_t status = gemm_alone(&g);
    if (status) grid->status = status;
  }
}

static isize round_up(isize x, isize unit) { return (x + unit - 1) / unit * unit; }
#endif

int32_t cresset_gemm_parallel(const Gemm *g) {
#ifndef __wasm__
  isize threads = cresset_get_threads();
  isize work = (isize)((double)g->m * g->n * g->k / GRAIN);
  if (threads > work) threads = work;
  if (threads > 1) {
    /* The cut that leaves tiles closest to square reads the least of A and B. */
    isize down = 1;
    double best = 1e300;
    for (isize d = 1; d <= threads; d++) {
      if (threads % d && d != threads) continue;
      double edge = (double)g->m / d + (double)g->n / (threads / d);
      if (edge < best && (d == 1 || g->m / d >= 6) && (threads / d == 1 || g->n / (threads / d) >= 16)) {
        best = edge;
        down = d;
      }
    }
    isize across = threads / down;
    Grid grid = { *g, 0, 0, 0, CRESSET_OK };
    grid.rows = down == 1 ? g->m : round_up((g->m + down - 1) / down, g->m / down >= 4 * GRID_UNIT ? GRID_UNIT : 6);
    grid.cols = across == 1 ? g->n : round_up((g->n + across - 1) / across, GRID_UNIT);
    grid.down = (g->m + grid.rows - 1) / grid.rows;
    isize count = grid.down * ((g->n + grid.cols - 1) / grid.cols);
    cresset_parallel_for(count, 1, grid_task, &grid);
    return grid.status;
  }
  return gemm_alone(g);
#else
  return cresset_gemm(g);
#endif
}

/* ---- the kernel ---- */

typedef struct {
  Gemm g;
  int32_t nbatch, status;
  int64_t size[64], step[3][64];
} Batch;

/* The product number t of a batch. */
static Gemm batch_item(const Batch *batch, int64_t t) {
  isize bytes = dtype_size(batch->g.dtype);
  Gemm g = batch->g;
  int64_t at[3] = { 0, 0, 0 };
  for (int32_t d = batch->nbatch - 1; d >= 0; d--) {
    int64_t i = t % batch->size[d];
    t /= batch->size[d];
    for (int o = 0; o < 3; o++) at[o] += i * batch->step[o][d];
  }
  g.a = (const char *)g.a + at[0] * bytes;
  g.b = (const char *)g.b + at[1] * bytes;
  g.c = (char *)g.c + at[2] * bytes;
  return g;
}

static void batch_task(void *context, int64_t begin, int64_t end) {
  Batch *batch = context;
  for (int64_t t = begin; t < end; t++) {
    Gemm g = batch_item(batch, t);
    int32_t status = cresset_gemm(&g);
    if (status) batch->status = status;
  }
}

/* Makes the last batch dimension part of the rows or columns where the other operand repeats; 0 if it cannot be. */
static int join_batch(Batch *batch) {
  Gemm *g = &batch->g;
  int32_t d = batch->nbatch - 1;
  int64_t size = batch->size[d], a = batch->step[0][d], b = batch->step[1][d], c = batch->step[2][d];
  if (b == 0 && (g->m == 1 || (a == g->m * g->ars && c == g->m * g->crs))) {
    if (g->m == 1) g->ars = a, g->crs = c;
    g->m *= size;
  } else if (a == 0 && (g->n == 1 || (b == g->n * g->bcs && c == g->n * g->ccs))) {
    if (g->n == 1) g->bcs = b, g->ccs = c;
    g->n *= size;
  } else {
    return 0;
  }
  batch->nbatch--;
  return 1;
}

int32_t cresset_matmul(int32_t dtype, int32_t nbatch, double alpha, double beta) {
  const double *arena = cresset_args;
  if (nbatch < 0 || nbatch > 64) return CRESSET_BAD_ARGUMENT;
  Batch batch = { .g = { dtype,
                         (isize)arena[0], (isize)arena[1], (isize)arena[2],
                         POINTER(void, arena[3]), (isize)arena[4], (isize)arena[5],
                         POINTER(void, arena[6]), (isize)arena[7], (isize)arena[8],
                         POINTER(void, arena[9]), (isize)arena[10], (isize)arena[11],
                         alpha, beta },
                  .status = CRESSET_OK };
  arena += 12;
  int64_t count = 1;
  for (int32_t d = 0; d < nbatch; d++) {
    int64_t size = (int64_t)arena[d];
    count *= size;
    if (size == 1) continue;
    batch.size[batch.nbatch] = size;
    for (int o = 0; o < 3; o++) batch.step[o][batch.nbatch] = (int64_t)arena[(o + 1) * nbatch + d];
    batch.nbatch++;
  }
  if (count == 0) return CRESSET_OK;
  while (batch.nbatch > 0) {
    int64_t size = batch.size[batch.nbatch - 1];
    if (!join_batch(&batch)) break;
    count /= size;
  }
  double work = (double)batch.g.m * batch.g.n * batch.g.k + 1;
  if (count == 1 || work >= 64.0 * GRAIN) {
    for (int64_t t = 0; t < count; t++) {
      Gemm g = batch_item(&batch, t);
      int32_t status = cresset_gemm_parallel(&g);
      if (status) return status;
    }
    return CRESSET_OK;
  }
  cresset_parallel_for(count, (int64_t)(GRAIN / work) + 1, batch_task, &batch);
  return batch.status;
}
