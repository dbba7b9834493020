/* Order along a dimension: stable sort, top k, and binary search.
 *
 * A value becomes an unsigned key whose order is PyTorch's (NaN is the largest, -0 equals 0, bool false first), flipped
 * for descending order, and is sorted with its position. So one sort serves every dtype. Keys of up to 32 bits share a
 * word with the position; wider keys take two. */
#include "cresset.h"
#include "nest.h"
#include "threads.h"

typedef struct {
  char *scratch;
  int64_t n, k, x_step, value_step, index_step;
  int dtype, size, key_bytes;
  uint64_t flip;
} RowJob;

/* Whether k is so small that a heap of k entries is faster than a sort. */
static inline int takes_few(const RowJob *job) { return job->k * 8 <= job->n; }

static inline uint64_t float_key(uint64_t bits, uint64_t sign, uint64_t infinity) {
  uint64_t magnitude = bits & (sign - 1);
  if (magnitude > infinity) return sign | (sign - 1);
  if (magnitude == 0) return sign;
  return bits & sign ? (sign - 1) & ~bits : bits | sign;
}

static inline uint64_t key_of(int dtype, const char *x, int64_t at) {
  switch (dtype) {
    case DT_BOOL: return ((const uint8_t *)x)[at] != 0;
#define KEY_CASE(CODE, S, U, FLIP) case CODE: return ((const U *)x)[at] ^ (U)FLIP;
    CRESSET_INTEGERS(KEY_CASE)
    case DT_F16: return float_key(((const uint16_t *)x)[at], 0x8000u, 0x7c00u);
    case DT_BF16: return float_key(((const uint16_t *)x)[at], 0x8000u, 0x7f80u);
    case DT_F32: return float_key(((const uint32_t *)x)[at], 0x80000000u, 0x7f800000u);
    default: return float_key(((const uint64_t *)x)[at], 0x8000000000000000u, 0x7ff0000000000000u);
  }
}

static inline void copy_value(char *out, int64_t to, const char *x, int64_t from, int size) {
  switch (size) {
    case 1: ((uint8_t *)out)[to] = ((const uint8_t *)x)[from]; break;
    case 2: ((uint16_t *)out)[to] = ((const uint16_t *)x)[from]; break;
    case 4: ((uint32_t *)out)[to] = ((const uint32_t *)x)[from]; break;
    default: ((uint64_t *)out)[to] = ((const uint64_t *)x)[from]; break;
  }
}

/* Narrow entries: key in the upper half, position in the lower, so that one comparison orders both. */
#define NAME(x) narrow_##x
#define ENTRY uint64_t
#define BEFORE(a, b) ((a) < (b))
#define KEY(e) ((e) >> 32)
#define POSITION(e) ((e) & 0xffffffffu)
static inline uint64_t narrow_entry(const RowJob *job, const char *x, int64_t i) {
  return ((key_of(job->dtype, x, i * job->x_step) ^ job->flip) << 32) | (uint64_t)i;
}
#include "order_body.h"

typedef struct {
  uint64_t key, position;
} Wide;

#define NAME(x) wide_##x
#define ENTRY Wide
#define BEFORE(a, b) ((a).key < (b).key || ((a).key == (b).key && (a).position < (b).position))
#define KEY(e) ((e).key)
#define POSITION(e) ((e).position)
static inline Wide wide_entry(const RowJob *job, const char *x, int64_t i) {
  Wide e = {key_of(job->dtype, x, i * job->x_step) ^ job->flip, (uint64_t)i};
  return e;
}
#include "order_body.h"

static int is_narrow(int dtype, int64_t n) { return dtype_size(dtype) <= 4 && n <= 0xffffffff; }

/* Everything the threads share: the rows of `nest` and what to do with each. */
typedef struct {
  RowJob job;
  Nest nest;
  const char *x;
  char *values;
  int64_t *indices;
  int64_t scratch_bytes;
  int32_t status;
} SortTask;

static void sort_rows(void *context, int64_t begin, int64_t end) {
  SortTask *task = context;
  RowJob job = task->job;
  job.scratch = cresset_scratch(5, task->scratch_bytes);
  if (!job.scratch) {
    task->status = CRESSET_NO_MEMORY;
    return;
  }
  int narrow = is_narrow(job.dtype, job.n);
  int64_t at[NEST_DIMS] = {0}, offset[3] = {0, 0, 0};
  nest_seek(&task->nest, begin, at, offset);
  for (int64_t row = begin; row < end; row++) {
    const char *x = task->x + offset[0] * job.size;
    char *values = task->values + offset[1] * job.size;
    int64_t *indices = task->indices + offset[2];
    if (narrow) narrow_row(&job, x, values, indices);
    else wide_row(&job, x, values, indices);
    nest_next(&task->nest, at, offset);
  }
}

int32_t cresset_sort(int32_t dtype, int32_t ndim, int32_t dim, double k, int32_t descending) {
  if ((dtype < 0 || dtype >= DT_COUNT) && !dtype_is_integer(dtype)) return CRESSET_BAD_DTYPE;
  if (ndim < 1 || ndim >= NEST_DIMS || dim < 0 || dim >= ndim) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[3][NEST_DIMS];
  char *x = nest_operand(&slot, ndim, strides[0]);
  char *values = nest_operand(&slot, ndim, strides[1]);
  int64_t *indices = (int64_t *)nest_operand(&slot, ndim, strides[2]);
  SortTask task = {.x = x, .values = values, .indices = indices, .status = CRESSET_OK};
  RowJob *job = &task.job;
  *job = (RowJob){
      .n = (int64_t)shape[dim],
      .k = (int64_t)k,
      .x_step = strides[0][dim],
      .value_step = strides[1][dim],
      .index_step = strides[2][dim],
      .dtype = dtype,
      .size = (int)dtype_size(dtype),
      .key_bytes = (int)dtype_size(dtype),
  };
  if (job->k < 0 || job->k > job->n) return CRESSET_BAD_ARGUMENT;
  if (descending) job->flip = job->key_bytes == 8 ? ~(uint64_t)0 : ((uint64_t)1 << (8 * job->key_bytes)) - 1;
  int64_t entry = is_narrow(dtype, job->n) ? sizeof(uint64_t) : sizeof(Wide);
  task.scratch_bytes = 2 * entry * (takes_few(job) ? job->k : job->n);
  nest_init(&task.nest, 3);
  for (int i = 0; i < ndim; i++) {
    int64_t steps[3] = {strides[0][i], strides[1][i], strides[2][i]};
    if (i != dim) nest_add(&task.nest, (int64_t)shape[i], steps);
  }
  int64_t rows = nest_count(&task.nest);
  if (rows == 0 || job->k == 0) return CRESSET_OK;
  cresset_parallel_for(rows, 1 + 8192 / job->n, sort_rows, &task);
  return task.status;
}

/* ---- binary search ---- */

/* PyTorch's rule as it stands, so that NaN goes where PyTorch puts it: a step right unless the middle is >= (>). */
#define SEARCH(T, LOAD)                                                                          \
  {                                                                                              \
    const T *s = (const T *)sorted + offset[0];                                                  \
    const T *v = (const T *)values + offset[1];                                                  \
    int64_t *o = out + offset[2];                                                                \
    for (int64_t j = 0; j < inner; j++) {                                                        \
      int64_t lo = 0, hi = n;                                                                    \
      while (lo < hi) {                                                                          \
        int64_t mid = lo + ((hi - lo) >> 1);                                                     \
        int stays = right ? LOAD(s[mid * sorted_step]) > LOAD(v[j * value_step])                 \
                          : LOAD(s[mid * sorted_step]) >= LOAD(v[j * value_step]);               \
        if (stays) hi = mid;                                                                     \
        else lo = mid + 1;                                                                       \
      }                                                                                          \
      o[j * out_step] = lo;                                                                      \
    }                                                                                            \
  }
#define AS_IS(x) (x)

int32_t cresset_searchsorted(int32_t dtype, int32_t ndim, double n_, int32_t right) {
  if (ndim < 1 || ndim >= NEST_DIMS) return CRESSET_BAD_ARGUMENT;
  const double *shape = cresset_args, *slot = shape + ndim;
  int64_t strides[3][NEST_DIMS], n = (int64_t)n_;
  const char *sorted = nest_operand(&slot, ndim, strides[0]);
  const char *values = nest_operand(&slot, ndim, strides[1]);
  int64_t *out = (int64_t *)nest_operand(&slot, ndim, strides[2]);
  int last = ndim - 1;
  int64_t inner = (int64_t)shape[last], sorted_step = strides[0][last], value_step = strides[1][last],
          out_step = strides[2][last];
  Nest nest;
  nest_init(&nest, 3);
  for (int i = 0; i < last; i++) {
    int64_t steps[3] = {strides[0][i], strides[1][i], strides[2][i]};
    nest_add(&nest, (int64_t)shape[i], steps);
  }
  if (nest_count(&nest) == 0) return CRESSET_OK;
  int64_t at[NEST_DIMS] = {0}, offset[3] = {0, 0, 0};
  do {
    switch (dtype) {
#define SEARCH_CASE(CODE, S, U, FLIP) case CODE: SEARCH(S, AS_IS) break;
      CRESSET_INTEGERS(SEARCH_CASE)
      case DT_BOOL: SEARCH(uint8_t, AS_IS) break;
      case DT_F16: SEARCH(uint16_t, f16_to_f32) break;
      case DT_BF16: SEARCH(uint16_t, bf16_to_f32) break;
      case DT_F32: SEARCH(float, AS_IS) break;
      case DT_F64: SEARCH(double, AS_IS) break;
      default: return CRESSET_BAD_DTYPE;
    }
  } while (nest_next(&nest, at, offset));
  return CRESSET_OK;
}
