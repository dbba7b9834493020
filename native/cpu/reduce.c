/*
 * Map-reductions: a byte program at every element, its values combined over the reduced dimensions.
 *
 * Three ways, by where the reduced elements lie. SEGMENTS: few reduced elements per result, so one block of the
 * machine holds several results' worth. RUNS: many reduced elements per result, block after block. COLUMNS: the
 * reduced dimensions are outside a kept one in memory, so whole rows are accumulated side by side. Floats are totalled in
 * double; the order of additions does not depend on the number of threads.
 */
#include <math.h>

#include "machine.h"
#include "threads.h"

enum { SUM, PROD, MAX, MIN, ANY, ALL };

/* An accumulator: floats in double, integers and bools in int64. */
typedef union {
  double f;
  int64_t i;
} Total;

static int32_t is_float(int32_t kind) { return kind == K_F32 || kind == K_F64; }

static Total identity(int32_t combine, int32_t kind) {
  Total t;
  t.i = 0;
  if (combine == ANY) return t;
  if (combine == ALL) {
    t.i = 1;
    return t;
  }
  if (is_float(kind)) {
    t.f = combine == SUM ? 0 : combine == PROD ? 1 : combine == MAX ? -INFINITY : INFINITY;
  } else {
    t.i = combine == SUM ? 0 : combine == PROD ? 1 : combine == MAX ? INT64_MIN : INT64_MAX;
  }
  return t;
}

#define LANES 64

#define ADD(m, x) ((m) + (x))
#define WRAP_ADD(m, x) ((int64_t)((uint64_t)(m) + (uint64_t)(x)))
#define TIMES(m, x) ((m) * (x))
#define WRAP_TIMES(m, x) ((int64_t)((uint64_t)(m) * (uint64_t)(x)))
#define LARGER(m, x) ((x) > (m) || (x) != (x) ? (x) : (m))
#define SMALLER(m, x) ((x) < (m) || (x) != (x) ? (x) : (m))

/* Combines n values in LANES independent lanes, then the lanes pair by pair: one after the other they would wait for
   each other's latency, which is most of the time of a short row. */
#define FOLD(name, T, W, START, OP, WIDE_OP)                       \
  static W name(const T *v, int64_t n) {                           \
    W total = START;                                               \
    int64_t i = 0;                                                 \
    if (n >= LANES) {                                              \
      T lane[LANES];                                               \
      for (int l = 0; l < LANES; l++) lane[l] = v[l];              \
      for (i = LANES; i + LANES <= n; i += LANES) {                \
        for (int l = 0; l < LANES; l++) lane[l] = OP(lane[l], v[i + l]); \
      }                                                            \
      for (int w = LANES / 2; w > 0; w /= 2) {                     \
        for (int l = 0; l < w; l++) lane[l] = OP(lane[l], lane[l + w]); \
      }                                                            \
      total = WIDE_OP(total, (W)lane[0]);                          \
    }                                                              \
    for (; i < n; i++) total = WIDE_OP(total, (W)v[i]);            \
    return total;                                                  \
  }

FOLD(max_f32, float, float, -INFINITY, LARGER, LARGER)
FOLD(min_f32, float, float, INFINITY, SMALLER, SMALLER)
FOLD(sum_f64, double, double, 0, ADD, ADD)
FOLD(prod_f64, double, double, 1, TIMES, TIMES)
FOLD(max_f64, double, double, -INFINITY, LARGER, LARGER)
FOLD(min_f64, double, double, INFINITY, SMALLER, SMALLER)
FOLD(sum_i64, int64_t, int64_t, 0, WRAP_ADD, WRAP_ADD)
FOLD(prod_i64, int64_t, int64_t, 1, WRAP_TIMES, WRAP_TIMES)
FOLD(max_i64, int64_t, int64_t, INT64_MIN, LARGER, LARGER)
FOLD(min_i64, int64_t, int64_t, INT64_MAX, SMALLER, SMALLER)

/* Float32 is summed in double: no slower than memory, and sums of many equal values come out right. */
static double sum_f32(const float *v, int64_t n) {
  enum { WIDE_LANES = 32 };
  double lane[WIDE_LANES] = {0}, total = 0;
  int64_t i = 0;
  for (; i + WIDE_LANES <= n; i += WIDE_LANES) {
    for (int l = 0; l < WIDE_LANES; l++) lane[l] += (double)v[i + l];
  }
  if (i > 0) {
    for (int w = WIDE_LANES / 2; w > 0; w /= 2) {
      for (int l = 0; l < w; l++) lane[l] += lane[l + w];
    }
    total = lane[0];
  }
  for (; i < n; i++) total += (double)v[i];
  return total;
}

static double prod_f32(const float *v, int64_t n) {
  double total = 1;
  for (int64_t i = 0; i < n; i++) total *= (double)v[i];
  return total;
}

#define COUNT_TRUE(name, T)                              \
  static int64_t name(const T *v, int64_t n) {           \
    int64_t count = 0;                                   \
    for (int64_t i = 0; i < n; i++) count += v[i] != 0;  \
    return count;                                        \
  }
COUNT_TRUE(true_f32, float)
COUNT_TRUE(true_f64, double)
COUNT_TRUE(true_i64, int64_t)
static int64_t true_bool(const uint8_t *v, int64_t n) {
  uint8_t any = 0, all = 1;
  for (int64_t i = 0; i < n; i++) {
    any |= v[i];
    all &= v[i];
  }
  return all ? n : any;
}

/* total (combine)= other. */
static Total merge(int32_t combine, int32_t kind, Total a, Total b) {
  Total t = a;
  if (combine == ANY) t.i = a.i | b.i;
  else if (combine == ALL) t.i = a.i & b.i;
  else if (is_float(kind)) {
    t.f = combine == SUM    ? a.f + b.f
          : combine == PROD ? a.f * b.f
          : combine == MAX  ? LARGER(a.f, b.f)
                            : SMALLER(a.f, b.f);
  } else {
    t.i = combine == SUM    ? WRAP_ADD(a.i, b.i)
          : combine == PROD ? WRAP_TIMES(a.i, b.i)
          : combine == MAX  ? LARGER(a.i, b.i)
                            : SMALLER(a.i, b.i);
  }
  return t;
}

/* The combination of n register values. */
static Total fold(int32_t combine, int32_t kind, const void *v, int64_t n) {
  Total t;
  t.i = 0;
  if (combine == ANY || combine == ALL) {
    int64_t count = kind == K_F32   ? true_f32(v, n)
                    : kind == K_F64 ? true_f64(v, n)
                    : kind == K_I64 ? true_i64(v, n)
                                    : true_bool(v, n);
    t.i = combine == ANY ? count > 0 : count == n;
    return t;
  }
  if (kind == K_F32) {
    t.f = combine == SUM    ? sum_f32(v, n)
          : combine == PROD ? prod_f32(v, n)
          : combine == MAX  ? (double)max_f32(v, n)
                            : (double)min_f32(v, n);
  } else if (kind == K_F64) {
    t.f = combine == SUM ? sum_f64(v, n) : combine == PROD ? prod_f64(v, n) : combine == MAX ? max_f64(v, n) : min_f64(v, n);
  } else if (kind == K_I64) {
    t.i = combine == SUM ? sum_i64(v, n) : combine == PROD ? prod_i64(v, n) : combine == MAX ? max_i64(v, n) : min_i64(v, n);
  } else {
    int64_t count = 0;
    const uint8_t *b = v;
    for (int64_t i = 0; i < n; i++) count += b[i];
    t.i = combine == SUM ? count : combine == PROD || combine == MIN ? count == n : count > 0;
  }
  return t;
}

/* The combination of n equal values. */
static Total fold_uniform(int32_t combine, int32_t kind, const void *v, int64_t n) {
  if (combine != SUM && combine != PROD) return fold(combine, kind, v, 1);
  Total one = fold(combine, kind, v, 1);
  if (combine == SUM && is_float(kind)) one.f *= (double)n;
  else if (combine == SUM) one.i = WRAP_TIMES(one.i, n);
  else {
    Total t = identity(PROD, kind);
    for (int64_t i = 0; i < n; i++) t = merge(PROD, kind, t, one);
    one = t;
  }
  return one;
}

#define TOTAL_f32(t) ((float)(t).f)
#define TOTAL_f64(t) ((t).f)
#define TOTAL_i64(t) ((t).i)
#define TOTAL_u64(t) ((t).i)
#define TOTAL_bool(t) ((t).i != 0)
#define FINISH_CASE(CODE, S, K, LOAD, STORE) \
  case CODE: {                               \
    reg_##K x = TOTAL_##K(t);                \
    *(S *)at = (S)(STORE);                   \
    return;                                  \
  }

static void finish(void *at, int32_t dtype, Total t) {
  switch (dtype) { CRESSET_DTYPES(FINISH_CASE) }
}

/* A decoded reduction. Dimensions: kept ones [0, kept), then reduced ones [kept, ndim); for COLUMNS the last kept one
   comes after the reduced ones. */
typedef struct {
  Call *call;
  int32_t combine, kept, ndim;
  int64_t kept_count, reduced_count, inner;
  int32_t columns, status;
  int64_t chunk; /* reduced elements (COLUMNS: rows) per chunk, where the reduced range is split */
  int64_t chunks;
  Total *partial; /* [chunks][units][inner or 1][outputs] */
} Reduction;

/* Adds the position of kept element `k` (over the dimensions [0, dims)) to the operands' addresses. */
static void position(const Call *call, int32_t dims, int64_t k, char **base) {
  int64_t index[MAX_DIMS];
  for (int32_t d = dims - 1; d >= 0; d--) {
    index[d] = k % call->shape[d];
    k /= call->shape[d];
  }
  for (int32_t o = 0; o <= call->operands; o++) {
    const int64_t *strides = call->strides + (int64_t)o * call->pitch;
    int64_t offset = 0;
    for (int32_t d = 0; d < dims; d++) offset += index[d] * strides[d];
    base[o] = call->base[o] + offset * operand_size(call, o);
  }
}

/* The address of kept element `k` of output `o`. */
static char *result_at(const Call *call, int32_t dims, int32_t o, int64_t k) {
  const int64_t *strides = call->strides + (int64_t)(call->inputs + o) * call->pitch;
  int64_t offset = 0;
  for (int32_t d = dims - 1; d > 0; d--) {
    offset += k % call->shape[d] * strides[d];
    k /= call->shape[d];
  }
  if (dims > 0) offset += k * strides[0];
  return call->base[call->inputs + o] + offset * dtype_size(call->dtype[call->inputs + o]);
}

typedef struct {
  const Reduction *r;
  Total totals[MAX_OPERANDS];
} Run;

static void visit_run(void *context, const Plan *plan, char *const *cursor, int64_t start, int64_t n) {
  Run *run = context;
  (void)start;
  for (int32_t o = 0; o < plan->call->outputs_count; o++) {
    int32_t kind = plan->results[o].kind, combine = run->r->combine;
    const void *v = place_address(plan->results[o].place, cursor);
    Total t = plan->results[o].uniform ? fold_uniform(combine, kind, v, n) : fold(combine, kind, v, n);
    run->totals[o] = merge(combine, kind, run->totals[o], t);
  }
}

static int32_t kinds_match(const Plan *plan) {
  for (int32_t o = 0; o < plan->call->outputs_count; o++) {
    int32_t want = dtype_kind(plan->call->outputs[2 * o]);
    /* Unsigned values of 64 bits are converted first: none of the loops below is theirs. */
    if (plan->results[o].kind == K_U64) return 0;
    if (plan->results[o].kind != want && !(want == K_BOOL || plan->results[o].kind == K_BOOL)) return 0;
  }
  return 1;
}

/* RUNS with whole results per task: computes results [begin, end). */
static void run_whole(void *context, int64_t begin, int64_t end) {
  Reduction *r = context;
  const Call *call = r->call;
  Plan plan;
  Run run;
  char *base[MAX_OPERANDS + 1];
  int32_t status = cresset_plan(&plan, call, r->kept, r->ndim, 0, 0);
  if (status == CRESSET_OK && !kinds_match(&plan)) status = CRESSET_BAD_PROGRAM;
  if (status != CRESSET_OK) {
    r->status = status;
    return;
  }
  run.r = r;
  for (int64_t k = begin; k < end; k++) {
    position(call, r->kept, k, base);
    for (int32_t o = 0; o < call->outputs_count; o++) run.totals[o] = identity(r->combine, plan.results[o].kind);
    cresset_run(&plan, base, 0, r->reduced_count, visit_run, &run);
    for (int32_t o = 0; o < call->outputs_count; o++) {
      finish(base[call->inputs + o], call->dtype[call->inputs + o], run.totals[o]);
    }
  }
}

/* RUNS with results split into chunks: computes chunks [begin, end) of all results, numbered result by result. */
static void run_chunks(void *context, int64_t begin, int64_t end) {
  Reduction *r = context;
  const Call *call = r->call;
  Plan plan;
  Run run;
  char *base[MAX_OPERANDS + 1];
  int32_t status = cresset_plan(&plan, call, r->kept, r->ndim, 0, 0);
  if (status == CRESSET_OK && !kinds_match(&plan)) status = CRESSET_BAD_PROGRAM;
  if (status != CRESSET_OK) {
    r->status = status;
    return;
  }
  run.r = r;
  for (int64_t c = begin; c < end; c++) {
    position(call, r->kept, c / r->chunks, base);
    for (int32_t o = 0; o < call->outputs_count; o++) run.totals[o] = identity(r->combine, plan.results[o].kind);
    int64_t from = c % r->chunks * r->chunk, to = from + r->chunk;
    cresset_run(&plan, base, from, to < r->reduced_count ? to : r->reduced_count, visit_run, &run);
    for (int32_t o = 0; o < call->outputs_count; o++) r->partial[c * call->outputs_count + o] = run.totals[o];
  }
}

/* SEGMENTS: a block holds whole results, one after another. */
static void visit_segments(void *context, const Plan *plan, char *const *cursor, int64_t start, int64_t n) {
  const Reduction *r = context;
  const Call *call = plan->call;
  int64_t width = r->reduced_count, first = start / width;
  for (int64_t s = 0; s * width < n; s++) {
    for (int32_t o = 0; o < call->outputs_count; o++) {
      int32_t kind = plan->results[o].kind;
      const char *v = place_address(plan->results[o].place, cursor);
      Total t = plan->results[o].uniform ? fold_uniform(r->combine, kind, v, width)
                                         : fold(r->combine, kind, v + s * width * kind_size[kind], width);
      finish(result_at(call, r->kept, o, first + s), call->dtype[call->inputs + o], t);
    }
  }
}

static void run_segments(void *context, int64_t begin, int64_t end) {
  Reduction *r = context;
  Plan plan;
  int64_t width = r->reduced_count;
  int32_t status = cresset_plan(&plan, r->call, 0, r->ndim, 0, BLOCK / width * width);
  if (status == CRESSET_OK && !kinds_match(&plan)) status = CRESSET_BAD_PROGRAM;
  if (status != CRESSET_OK) {
    r->status = status;
    return;
  }
  cresset_run(&plan, r->call->base, begin * width, end * width, visit_segments, r);
}

/* COLUMNS: the totals of one block of columns. */
typedef struct {
  const Reduction *r;
  Total *totals; /* [outputs][BLOCK] */
  int64_t columns;
} Columns;

#define ADD_ROW(T, F, OP)                                  \
  {                                                        \
    const T *x = values;                                   \
    LOOP(j, n) t[j].F = OP(t[j].F, x[j]);                  \
    return;                                                \
  }

/* Totals (combine)= one row of values. */
static void add_row(int32_t combine, int32_t kind, Total *t, const void *values, int64_t n) {
  if (kind == K_F64 && combine == SUM) ADD_ROW(double, f, ADD)
  if (kind == K_F64 && combine == MAX) ADD_ROW(double, f, LARGER)
  if (kind == K_F64 && combine == MIN) ADD_ROW(double, f, SMALLER)
  if (kind == K_F32 && combine == SUM) ADD_ROW(float, f, ADD)
  if (kind == K_F32 && combine == MAX) ADD_ROW(float, f, LARGER)
  if (kind == K_F32 && combine == MIN) ADD_ROW(float, f, SMALLER)
  if (kind == K_F32 && combine == PROD) ADD_ROW(float, f, TIMES)
  if (kind == K_I64 && combine == SUM) ADD_ROW(int64_t, i, WRAP_ADD)
  if (kind == K_BOOL && combine == ANY) {
    const uint8_t *x = values;
    for (int64_t j = 0; j < n; j++) t[j].i |= x[j];
    return;
  }
  const char *v = values;
  for (int64_t j = 0; j < n; j++) t[j] = merge(combine, kind, t[j], fold(combine, kind, v + j * kind_size[kind], 1));
}

static void visit_columns(void *context, const Plan *plan, char *const *cursor, int64_t start, int64_t n) {
  Columns *c = context;
  (void)start;
  for (int64_t row = 0; row * c->columns < n; row++) {
    for (int32_t o = 0; o < plan->call->outputs_count; o++) {
      int32_t kind = plan->results[o].kind, combine = c->r->combine;
      const char *v = place_address(plan->results[o].place, cursor);
      Total *t = c->totals + (int64_t)o * BLOCK;
      if (plan->results[o].uniform) {
        for (int64_t j = 0; j < c->columns; j++) add_row(combine, kind, t + j, v, 1);
      } else {
        add_row(combine, kind, t, v + row * c->columns * kind_size[kind], c->columns);
      }
    }
  }
}

/* Units of COLUMNS: outer kept element × block of columns × chunk of rows, the chunk fastest. */
static void run_columns(void *context, int64_t begin, int64_t end) {
  Reduction *r = context;
  const Call *call = r->call;
  int32_t outputs = call->outputs_count, outer = r->kept - 1, last = r->ndim - 1;
  Plan plan;
  Columns c;
  char *base[MAX_OPERANDS + 1];
  int64_t gathered = r->inner < 64 ? BLOCK / r->inner * r->inner : 0;
  int32_t status = cresset_plan(&plan, call, outer, r->ndim, 0, gathered);
  if (status == CRESSET_OK && !kinds_match(&plan)) status = CRESSET_BAD_PROGRAM;
  c.r = r;
  c.totals = cresset_scratch(1, (int64_t)outputs * BLOCK * (int64_t)sizeof(Total));
  if (status == CRESSET_OK && !c.totals) status = CRESSET_NO_MEMORY;
  if (status != CRESSET_OK) {
    r->status = status;
    return;
  }
  int64_t blocks = (r->inner + BLOCK - 1) / BLOCK;
  for (int64_t u = begin; u < end; u++) {
    int64_t chunk = u % r->chunks, block = u / r->chunks % blocks, k = u / r->chunks / blocks;
    int64_t column = block * BLOCK, stop = column + BLOCK < r->inner ? column + BLOCK : r->inner;
    int64_t row = chunk * r->chunk, row_end = row + r->chunk < r->reduced_count ? row + r->chunk : r->reduced_count;
    c.columns = stop - column;
    position(call, outer, k, base);
    for (int32_t o = 0; o < outputs; o++) {
      Total start = identity(r->combine, plan.results[o].kind);
      for (int64_t j = 0; j < c.columns; j++) c.totals[(int64_t)o * BLOCK + j] = start;
    }
    if (gathered || plan.walk != WALK_ROWS) {
      cresset_run(&plan, base, row * r->inner, row_end * r->inner, visit_columns, &c);
    } else {
      cresset_run_rows(&plan, base, row, row_end, column, stop, visit_columns, &c);
    }
    for (int32_t o = 0; o < outputs; o++) {
      int64_t stride = call->strides[(int64_t)(call->inputs + o) * call->pitch + last];
      int64_t size = operand_size(call, call->inputs + o);
      char *at = base[call->inputs + o] + column * stride * size;
      if (r->chunks > 1) {
        Total *p = r->partial + ((chunk * outputs + o) * (r->kept_count / r->inner) + k) * r->inner + column;
        memcpy(p, c.totals + (int64_t)o * BLOCK, (size_t)c.columns * sizeof(Total));
        continue;
      }
      for (int64_t j = 0; j < c.columns; j++) {
        finish(at + j * stride * size, call->dtype[call->inputs + o], c.totals[(int64_t)o * BLOCK + j]);
      }
    }
  }
}

/* Combines the chunks of COLUMNS. */
static void merge_columns(Reduction *r) {
  const Call *call = r->call;
  int32_t outputs = call->outputs_count, last = r->ndim - 1;
  int64_t outer = r->kept_count / r->inner;
  char *base[MAX_OPERANDS + 1];
  for (int64_t k = 0; k < outer; k++) {
    position(call, r->kept - 1, k, base);
    for (int32_t o = 0; o < outputs; o++) {
      int32_t dtype = call->dtype[call->inputs + o], kind = dtype_kind(dtype);
      int64_t step = call->strides[(int64_t)(call->inputs + o) * call->pitch + last] * dtype_size(dtype);
      for (int64_t j = 0; j < r->inner; j++) {
        Total t = identity(r->combine, kind);
        for (int64_t c = 0; c < r->chunks; c++) {
          t = merge(r->combine, kind, t, r->partial[((c * outputs + o) * outer + k) * r->inner + j]);
        }
        finish(base[call->inputs + o] + j * step, dtype, t);
      }
    }
  }
}

/* Combines the chunks of RUNS. */
static void merge_runs(Reduction *r) {
  const Call *call = r->call;
  char *base[MAX_OPERANDS + 1];
  for (int64_t k = 0; k < r->kept_count; k++) {
    position(call, r->kept, k, base);
    for (int32_t o = 0; o < call->outputs_count; o++) {
      int32_t dtype = call->dtype[call->inputs + o], kind = dtype_kind(dtype);
      Total t = identity(r->combine, kind);
      for (int64_t c = 0; c < r->chunks; c++) {
        t = merge(r->combine, kind, t, r->partial[(k * r->chunks + c) * call->outputs_count + o]);
      }
      finish(base[call->inputs + o], dtype, t);
    }
  }
}

/* Whether a kept dimension is the innermost one in memory: judged by the input with the most elements. */
static int32_t is_by_columns(const Call *call, int32_t kept, int32_t ndim) {
  if (kept == 0 || ndim == kept || call->shape[kept - 1] < 4) return 0;
  int64_t votes = 0;
  for (int32_t o = 0; o < call->inputs; o++) {
    const int64_t *row = call->strides + (int64_t)o * call->pitch;
    int64_t inner = row[kept - 1] < 0 ? -row[kept - 1] : row[kept - 1], reduced = INT64_MAX;
    for (int32_t d = kept; d < ndim; d++) {
      int64_t s = row[d] < 0 ? -row[d] : row[d];
      if (s != 0 && s < reduced) reduced = s;
    }
    if (inner == 0 || reduced == INT64_MAX) continue;
    votes += inner < reduced ? 1 : -1;
  }
  return votes > 0;
}

/* Splits the reduced range so that few results still keep all threads busy; the split depends on sizes alone. */
static void split(Reduction *r, int64_t units, int64_t reduced, int64_t grain) {
  r->chunk = reduced;
  r->chunks = 1;
  if (units >= 32 || reduced < 2 * grain) return;
  int64_t chunks = 64 / units;
  r->chunk = (reduced + chunks - 1) / chunks;
  if (r->chunk < grain) r->chunk = grain;
  r->chunks = (reduced + r->chunk - 1) / r->chunk;
}

static int32_t by_columns(Reduction *r) {
  Call *call = r->call;
  /* The last kept dimension moves behind the reduced ones. */
  for (int32_t d = r->kept - 1; d + 1 < r->ndim; d++) cresset_swap_dims(call, d, d + 1);
  r->inner = call->shape[r->ndim - 1];
  int64_t blocks = (r->inner + BLOCK - 1) / BLOCK, units = r->kept_count / r->inner * blocks;
  int64_t row_cost = r->inner < BLOCK ? r->inner : BLOCK;
  split(r, units, r->reduced_count, 1 + 65536 / row_cost);
  if (r->chunks > 1) {
    r->partial = cresset_scratch(2, r->chunks * call->outputs_count * r->kept_count * (int64_t)sizeof(Total));
    if (!r->partial) r->chunks = 1, r->chunk = r->reduced_count;
  }
  int64_t unit_cost = row_cost * r->chunk;
  cresset_parallel_for(units * r->chunks, 1 + 65536 / (unit_cost < 1 ? 1 : unit_cost), run_columns, r);
  if (r->status == CRESSET_OK && r->chunks > 1) merge_columns(r);
  return r->status;
}

static int32_t by_runs(Reduction *r) {
  Call *call = r->call;
  split(r, r->kept_count, r->reduced_count, 65536);
  if (r->chunks > 1) {
    r->partial = cresset_scratch(2, r->chunks * call->outputs_count * r->kept_count * (int64_t)sizeof(Total));
    if (!r->partial) return CRESSET_NO_MEMORY;
    cresset_parallel_for(r->chunks * r->kept_count, 1, run_chunks, r);
    if (r->status == CRESSET_OK) merge_runs(r);
    return r->status;
  }
  cresset_parallel_for(r->kept_count, 1 + 65536 / r->reduced_count, run_whole, r);
  return r->status;
}

int32_t cresset_reduce(double program, int32_t combine, int32_t ndim, int32_t nreduced) {
  Call call;
  int64_t room[ROOM_WORDS];
  int32_t kept = ndim - nreduced;
  if (nreduced < 0 || kept < 0 || combine < SUM || combine > ALL) return CRESSET_BAD_ARGUMENT;
  int32_t status = cresset_open(&call, POINTER(const int32_t, program), ndim, kept, room);
  if (status != CRESSET_OK) return status;
  for (int32_t o = 0; o < call.outputs_count; o++) {
    if (dtype_kind(call.dtype[call.inputs + o]) == K_U64) return CRESSET_BAD_DTYPE;
  }
  Reduction r = {.call = &call, .combine = combine, .kept_count = 1, .reduced_count = 1, .status = CRESSET_OK};
  for (int32_t d = 0; d < kept; d++) r.kept_count *= call.shape[d];
  for (int32_t d = kept; d < ndim; d++) r.reduced_count *= call.shape[d];
  if (r.kept_count == 0) return CRESSET_OK;
  if (r.reduced_count == 0) {
    char *base[MAX_OPERANDS + 1];
    for (int64_t k = 0; k < r.kept_count; k++) {
      position(&call, kept, k, base);
      for (int32_t o = 0; o < call.outputs_count; o++) {
        int32_t dtype = call.dtype[call.inputs + o];
        finish(base[call.inputs + o], dtype, identity(combine, dtype_kind(dtype)));
      }
    }
    return CRESSET_OK;
  }
  r.kept = cresset_coalesce(&call, 0, kept);
  int32_t end = cresset_coalesce(&call, kept, ndim);
  /* Moves the reduced dimensions down to close the gap that merged kept dimensions left. */
  for (int32_t d = kept; d < end; d++) cresset_swap_dims(&call, r.kept + d - kept, d);
  r.ndim = r.kept + end - kept;
  if (is_by_columns(&call, r.kept, r.ndim)) return by_columns(&r);
  if (r.reduced_count <= BLOCK / 4 && r.kept_count > 1) {
    cresset_parallel_for(r.kept_count, 1 + 65536 / r.reduced_count, run_segments, &r);
    return r.status;
  }
  return by_runs(&r);
}
