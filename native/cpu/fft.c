/* Fourier transforms along one dimension of interleaved complex numbers.
 *
 * Lines are transformed several at a time, side by side in lanes, by Stockham's passes of radix 4, 2 and odd primes: the
 * loop over lanes is what vectorises. Few long lines are split in two shorter transforms (the columns and the rows of a
 * matrix), whose columns are lanes again. Lengths with a large prime factor become convolutions (Bluestein). The inverse
 * is the forward transform with real and imaginary parts exchanged on both sides. */
#include <math.h>
#include <string.h>

#include "cresset.h"
#include "threads.h"

#define MAX_RADIX 32
#define MAX_PASSES 64
#define PI 3.14159265358979323846264338327950288
/* The roots of unity of long transforms are products of two: one of this many small steps, and one of the large
   steps. */
#define ROOTS 1024
/* The size in bytes of the lanes and their copy, which should fit into the cache. */
#define CACHE (512 << 10)
#define MAX_LANES 16
#define SCRATCH_SPLIT 5
#define SCRATCH_TABLES 6
#define SCRATCH_WORK 7

/* How lines of n numbers are transformed: by passes over m numbers; m > n for a convolution. */
typedef struct {
  int64_t n, m;
  int count, radix[MAX_PASSES];
  const void *tw, *units, *chirp, *spectrum;
} Plan;

/* The memory layout of lanes: number k of lane v is at first + v·lane + k·step, in complex numbers; `swap` exchanges
   real and imaginary parts. */
typedef struct {
  void *at;
  int64_t first, lane, step;
  int swap;
} Side;

/* The roots of a transform that is split in two. */
typedef struct {
  double *low, *high;
} Split;

/* e^(-2πik/n) for 0 ≤ k < n. */
static void root(int64_t k, int64_t n, double *c, double *s) {
  int64_t quarter = 4 * k / n;
  double angle = PI / 2 * (double)(4 * k - quarter * n) / (double)n, x = cos(angle), y = -sin(angle);
  *c = quarter == 0 ? x : quarter == 1 ? y : quarter == 2 ? -x : -y;
  *s = quarter == 0 ? y : quarter == 1 ? -x : quarter == 2 ? -y : x;
}

/* The radices of n, or 0 if it has a prime factor that is too large for a pass. */
static int factor(int64_t n, int *radix) {
  int count = 0;
  for (; n % 4 == 0; n /= 4) radix[count++] = 4;
  for (int p = 2; p < MAX_RADIX; p += p == 2 ? 1 : 2) {
    for (; n % p == 0; n /= p) radix[count++] = p;
  }
  return n == 1 ? count : -1;
}

static void make_plan(Plan *plan, int64_t n) {
  plan->n = plan->m = n;
  plan->count = factor(n, plan->radix);
  if (plan->count >= 0) return;
  for (plan->m = 1; plan->m < 2 * n - 1;) plan->m *= 2;
  plan->count = factor(plan->m, plan->radix);
}

#define T float
#define NAME(x) x##_f32
#include "fft.inc.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "fft.inc.h"
#undef T
#undef NAME

/* The job that all groups of lanes of one call belong to. A group is `lanes` of the `across` lines of a set; there are
   `others` sets. */
typedef struct {
  Plan plan;
  int32_t dtype;
  Side from, to;
  int64_t lanes, across, groups;
  /* The distance between sets of lines. */
  int64_t from_next, to_next;
  double scale;
  const Split *split;
  int failed;
} Job;

static void run(void *context, int64_t begin, int64_t end) {
  Job *job = context;
  for (int64_t i = begin; i < end; i++) {
    int64_t set = i / job->groups, lane = i % job->groups * job->lanes;
    int64_t lanes = job->across - lane < job->lanes ? job->across - lane : job->lanes;
    Side from = job->from, to = job->to;
    from.first += set * job->from_next + lane * from.lane;
    to.first += set * job->to_next + lane * to.lane;
    int done = job->dtype == DT_F64
                   ? group_f64(&job->plan, &from, &to, lanes, job->scale, job->split, lane)
                   : group_f32(&job->plan, &from, &to, lanes, job->scale, job->split, lane);
    if (!done) job->failed = 1;
  }
}

/* Transforms `sets` times `across` lines. */
static int32_t transform(Job *job, int64_t sets) {
  Plan *plan = &job->plan;
  int64_t item = job->dtype == DT_F64 ? 8 : 4;
  /* Tables, and four vectors to compute the chirp's spectrum in. */
  int64_t chirped = plan->m != plan->n, numbers = 2 * plan->m + 2 * MAX_RADIX * MAX_PASSES;
  if (chirped) numbers += 2 * plan->n + 2 * plan->m;
  char *tables = cresset_scratch(SCRATCH_TABLES, (numbers + (chirped ? 4 * plan->m : 0)) * item);
  if (!tables) return CRESSET_NO_MEMORY;
  if (job->dtype == DT_F64) tables_f64(plan, tables, (double *)(tables + numbers * item));
  else tables_f32(plan, tables, (float *)(tables + numbers * item));
  int64_t fit = CACHE / (4 * plan->m * item);
  job->lanes = fit < 1 ? 1 : fit > MAX_LANES ? MAX_LANES : fit < 4 && !chirped ? 4 : fit;
  job->groups = (job->across + job->lanes - 1) / job->lanes;
  cresset_parallel_for(sets * job->groups, 1 + 16384 / (plan->m * job->lanes), run, job);
  return job->failed ? CRESSET_NO_MEMORY : CRESSET_OK;
}

/* The most even split of n into two lengths that passes can do, or 1. */
static int64_t halves(int64_t n) {
  int radix[MAX_PASSES];
  int64_t best = 1;
  if (factor(n, radix) < 0) return 1;
  for (int64_t a = 2; a * a <= n; a++) {
    if (n % a == 0) best = a;
  }
  return best;
}

/* One line of n = rows·columns numbers `inner` apart: columns first, which a table turns, then rows. */
static int32_t split_line(int32_t dtype, int64_t n, int64_t rows, int64_t inner, Side from, Side to, double scale) {
  int64_t columns = n / rows, steps = n / ROOTS + 1, item = dtype == DT_F64 ? 8 : 4;
  char *memory = cresset_scratch(SCRATCH_SPLIT, 2 * n * item + 16 * (ROOTS + steps));
  if (!memory) return CRESSET_NO_MEMORY;
  double *roots = (double *)memory;
  Split split = {roots, roots + 2 * ROOTS};
  for (int64_t k = 0; k < ROOTS; k++) root(k % n, n, split.low + 2 * k, split.low + 2 * k + 1);
  for (int64_t k = 0; k < steps; k++) root(k * ROOTS % n, n, split.high + 2 * k, split.high + 2 * k + 1);
  void *between = memory + 16 * (ROOTS + steps);
  Job job = {.dtype = dtype, .across = columns, .scale = 1, .split = &split};
  make_plan(&job.plan, rows);
  job.from = (Side){from.at, from.first, inner, columns * inner, from.swap};
  job.to = (Side){between, 0, 1, columns, 0};
  int32_t status = transform(&job, 1);
  if (status) return status;
  job = (Job){.dtype = dtype, .across = rows, .scale = scale};
  make_plan(&job.plan, columns);
  job.from = (Side){between, 0, columns, 1, 0};
  job.to = (Side){to.at, to.first, inner, rows * inner, to.swap};
  return transform(&job, 1);
}

int32_t cresset_fft(int32_t dtype, double outer, double length, double inner, double x, double out, int32_t inverse, double scale) {
  if (dtype != DT_F32 && dtype != DT_F64) return CRESSET_BAD_DTYPE;
  int64_t n = (int64_t)length, before = (int64_t)outer, after = (int64_t)inner;
  if (n < 1) return CRESSET_BAD_ARGUMENT;
  Side from = {POINTER(void, x), 0, 1, after, inverse != 0}, to = {POINTER(void, out), 0, 1, after, inverse != 0};
  int64_t lines = before * after;
  if (n >= 16384 || (n >= 1024 && lines < 8)) {
    int64_t rows = halves(n);
    if (rows >= 16) {
      for (int64_t i = 0; i < lines; i++) {
        from.first = to.first = i / after * n * after + i % after;
        int32_t status = split_line(dtype, n, rows, after, from, to, scale);
        if (status) return status;
      }
      return CRESSET_OK;
    }
  }
  Job job = {.dtype = dtype, .scale = scale, .from = from, .to = to};
  make_plan(&job.plan, n);
  /* Lanes are the more numerous kind of neighbour. */
  int along = after >= before || after >= MAX_LANES;
  job.across = along ? after : before;
  job.from.lane = job.to.lane = along ? 1 : n * after;
  job.from_next = job.to_next = along ? n * after : 1;
  return transform(&job, along ? before : after);
}
