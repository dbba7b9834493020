/*
 * Matrix products by cuBLASLt with its epilogues; the choice of an algorithm is cached per problem, and measured on request.
 *
 * cuBLASLt is column-major: the row-major product out = a @ b is the column-major outᵀ = bᵀ @ aᵀ over the same memory, so
 * the operands change places and nothing is transposed.
 */
#include "api.h"

#include <string.h>

/* The workspace size that cuBLASLt recommends on Hopper; smaller ones exclude its fastest kernels. */
#define WORKSPACE_BYTES ((size_t)32 << 20)
enum { CACHE_SIZE = 1024 };
/* The number of algorithms to compare, and of runs by which each is timed. */
enum { CANDIDATES = 8, MEASURED_RUNS = 3 };
enum { MODE_TF32 = 1, MODE_FULL_SUMS = 2, MODE_MEASURE = 4, MODE_FAST_SUMS = 8 };

/* One problem: everything that the choice of an algorithm depends on. */
typedef struct {
  int32_t device, dtype, dtype_a, dtype_b, modes, epilogue, transpose_a, transpose_b, accumulate;
  int64_t m, n, k, lda, ldb, ldo, ld_aux, batches, stride_a, stride_b, stride_o;
  uint32_t alignment[5]; /* of a, b, the output, bias and aux, in bytes */
} Problem;

/* The operands' addresses. */
typedef struct {
  const void *a, *b, *bias, *aux, *alpha, *beta;
  const void *scale_a, *scale_b; /* of float8 operands: a float32 each, or NULL */
  void *out;
} Operands;

typedef struct {
  Problem problem;
  cublasLtMatmulAlgo_t algo;
  size_t workspace_bytes;
  int used; /* -1: there is no algorithm */
} Cached;

/* The calling thread's, made when it is first used. */
static _Thread_local Cached *cache;

static int32_t blas_failed(cublasStatus_t status, const char *call) {
  set_error("%s: cuBLAS status %d", call, status);
  return CRESSET_CUDA_FAULT;
}

static int32_t unsupported(const Problem *p) {
  set_error("cuBLASLt has no algorithm for %lld×%lld×%lld of dtype %d with epilogue %d", (long long)p->m, (long long)p->n,
            (long long)p->k, p->dtype, p->epilogue);
  return CRESSET_CUDA_UNSUPPORTED;
}

#define TRY(call)                                                    \
  do {                                                               \
    cublasStatus_t status_ = cublaslt.call;                          \
    if (status_ != CUBLAS_STATUS_SUCCESS) return blas_failed(status_, #call); \
  } while (0)

static int data_type(int32_t dtype) {
  switch (dtype) {
    case 6: return CUDA_R_16F;
    case 7: return CUDA_R_16BF;
    case 8: return CUDA_R_32F;
    case 9: return CUDA_R_64F;
    case 12: return CUDA_R_8F_E4M3;
    case 13: return CUDA_R_8F_E5M2;
    default: return -1;
  }
}

static const int EPILOGUES[] = {
  CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_BIAS,          CUBLASLT_EPILOGUE_RELU,
  CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_GELU,         CUBLASLT_EPILOGUE_GELU_BIAS,
  CUBLASLT_EPILOGUE_RELU_AUX, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_GELU_AUX,
  CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DRELU,    CUBLASLT_EPILOGUE_DRELU_BGRAD,
  CUBLASLT_EPILOGUE_DGELU,    CUBLASLT_EPILOGUE_DGELU_BGRAD,
  /* cuBLASLt's b is our a, see the top of the file. */
  CUBLASLT_EPILOGUE_BGRADB
};
enum { EPILOGUE_COUNT = sizeof EPILOGUES / sizeof EPILOGUES[0] };

/* Descriptors of one call; zero where not made. */
typedef struct {
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, o;
  cublasLtMatmulPreference_t preference;
} Plan;

static void destroy(Plan *plan) {
  if (plan->preference) cublaslt.cublasLtMatmulPreferenceDestroy(plan->preference);
  if (plan->o) cublaslt.cublasLtMatrixLayoutDestroy(plan->o);
  if (plan->b) cublaslt.cublasLtMatrixLayoutDestroy(plan->b);
  if (plan->a) cublaslt.cublasLtMatrixLayoutDestroy(plan->a);
  if (plan->desc) cublaslt.cublasLtMatmulDescDestroy(plan->desc);
}

/* A row-major rows×columns matrix (or, transposed, columns×rows in memory) as cuBLASLt sees it. */
static int32_t layout(cublasLtMatrixLayout_t *made, int type, int64_t rows, int64_t columns, int64_t ld, int64_t batches,
                      int64_t stride) {
  int32_t count = (int32_t)batches;
  TRY(cublasLtMatrixLayoutCreate(made, type, (uint64_t)columns, (uint64_t)rows, ld));
  if (batches > 1) {
    TRY(cublasLtMatrixLayoutSetAttribute(*made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    TRY(cublasLtMatrixLayoutSetAttribute(*made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
  }
  return CRESSET_CUDA_OK;
}

/*
 * The heuristics look at the alignment of bias and aux, so their pointers are set before. The bias has the output's type,
 * as has gelu's aux: what the library takes where nothing else is said.
 */
static int32_t set_epilogue(Plan *plan, const Problem *p, const Operands *x) {
  int epilogue = EPILOGUES[p->epilogue];
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
  if (x->bias) TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &x->bias, sizeof x->bias));
  if (x->aux) {
    TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &x->aux, sizeof x->aux));
    TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &p->ld_aux, sizeof p->ld_aux));
  }
  return CRESSET_CUDA_OK;
}

/* cuBLASLt's a is our b, see the top of the file. */
static int32_t set_scales(Plan *plan, const Problem *p, const Operands *x) {
  int8_t fast = (p->modes & MODE_FAST_SUMS) != 0;
  if (x->scale_b) TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &x->scale_b, sizeof x->scale_b));
  if (x->scale_a) TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x->scale_a, sizeof x->scale_a));
  if (fast) TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast));
  return CRESSET_CUDA_OK;
}

static int32_t make(Plan *plan, const Problem *p, const Operands *x) {
  int type = data_type(p->dtype), tf32 = p->modes & MODE_TF32;
  int compute = p->dtype == 9 ? CUBLAS_COMPUTE_64F : p->dtype == 8 && tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  int first = p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, second = p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  TRY(cublasLtMatmulDescCreate(&plan->desc, compute, p->dtype == 9 ? CUDA_R_64F : CUDA_R_32F));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second));
  int64_t ar = p->transpose_a ? p->k : p->m, ac = p->transpose_a ? p->m : p->k;
  int64_t br = p->transpose_b ? p->n : p->k, bc = p->transpose_b ? p->k : p->n;
  int32_t status = set_epilogue(plan, p, x);
  if (!status) status = set_scales(plan, p, x);
  if (!status) status = layout(&plan->a, data_type(p->dtype_a), ar, ac, p->lda, p->batches, p->stride_a);
  if (!status) status = layout(&plan->b, data_type(p->dtype_b), br, bc, p->ldb, p->batches, p->stride_b);
  if (!status) status = layout(&plan->o, type, p->m, p->n, p->ldo, p->batches, p->stride_o);
  return status;
}

/* The largest power of two, up to the 256 that cuBLASLt takes for granted, that divides an address. */
static uint32_t alignment_of(const void *address) {
  uintptr_t bits = (uintptr_t)address | 256;
  return (uint32_t)(bits & (~bits + 1));
}

static cublasStatus_t run(Device *device, const Plan *plan, const Operands *x, const cublasLtMatmulAlgo_t *algo, size_t bytes) {
  CUdeviceptr workspace = bytes ? device_workspace(device, WORKSPACE_BYTES) : 0;
  return cublaslt.cublasLtMatmul(device->blas, plan->desc, x->alpha, x->b, plan->b, x->a, plan->a, x->beta, x->out, plan->o,
                                 x->out, plan->o, algo, (void *)workspace, bytes, device->stream);
}

/* Milliseconds of some runs of an algorithm after a first one, or a negative number where it fails. */
static float measure(Device *device, const Plan *plan, const Operands *x, const cublasLtMatmulHeuristicResult_t *candidate,
                     CUevent from, CUevent to) {
  float milliseconds = -1;
  for (int i = 0; i <= MEASURED_RUNS; i++) {
    if (i == 1 && driver.cuEventRecord(from, device->stream) != CUDA_SUCCESS) return -1;
    if (run(device, plan, x, &candidate->algo, candidate->workspaceSize) != CUBLAS_STATUS_SUCCESS) return -1;
  }
  if (driver.cuEventRecord(to, device->stream) != CUDA_SUCCESS || driver.cuEventSynchronize(to) != CUDA_SUCCESS) return -1;
  return driver.cuEventElapsedTime(&milliseconds, from, to) == CUDA_SUCCESS ? milliseconds : -1;
}

/* The index of the fastest candidate. Timing runs write the output, so problems that add to the output are not
   timed. */
static int fastest(Device *device, const Plan *plan, const Operands *x, const cublasLtMatmulHeuristicResult_t *candidates,
                   int count) {
  CUevent from = NULL, to = NULL;
  int best = 0;
  if (driver.cuEventCreate(&from, CU_EVENT_DEFAULT) == CUDA_SUCCESS && driver.cuEventCreate(&to, CU_EVENT_DEFAULT) == CUDA_SUCCESS) {
    float least = -1;
    for (int i = 0; i < count; i++) {
      float time = measure(device, plan, x, &candidates[i], from, to);
      if (time >= 0 && (least < 0 || time < least)) least = time, best = i;
    }
  }
  if (from) driver.cuEventDestroy_v2(from);
  if (to) driver.cuEventDestroy_v2(to);
  return best;
}

/* Asks the heuristics; `found` is 0 where there is no algorithm. */
static int32_t ask(Device *device, const Problem *p, Plan *plan, cublasLtMatmulHeuristicResult_t *results, int *found) {
  size_t bytes = device_workspace(device, WORKSPACE_BYTES) ? WORKSPACE_BYTES : 0;
  uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  TRY(cublasLtMatmulPreferenceCreate(&plan->preference));
  TRY(cublasLtMatmulPreferenceSetAttribute(plan->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes));
  if (p->modes & MODE_FULL_SUMS) {
    TRY(cublasLtMatmulPreferenceSetAttribute(plan->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes));
  }
  /* cuBLASLt's a is our b, see the top of the file; its c and d are the same matrix. */
  const uint32_t *alignments[] = {&p->alignment[1], &p->alignment[0], &p->alignment[2], &p->alignment[2]};
  for (int i = 0; i < 4; i++) {
    TRY(cublasLtMatmulPreferenceSetAttribute(plan->preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i, alignments[i],
                                             sizeof *alignments[i]));
  }
  cublasStatus_t status = cublaslt.cublasLtMatmulAlgoGetHeuristic(device->blas, plan->desc, plan->b, plan->a, plan->o, plan->o,
                                                                  plan->preference, CANDIDATES, results, found);
  if (status == CUBLAS_STATUS_SUCCESS) {
    int usable = 0;
    for (int i = 0; i < *found; i++) {
      if (results[i].state == CUBLAS_STATUS_SUCCESS) results[usable++] = results[i];
    }
    *found = usable;
    return CRESSET_CUDA_OK;
  }
  *found = 0;
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE
    ? CRESSET_CUDA_OK : blas_failed(status, "cublasLtMatmulAlgoGetHeuristic");
}

static Cached *slot_of(const Problem *p) {
  if (!cache) cache = calloc(CACHE_SIZE, sizeof *cache);
  if (!cache) return NULL;
  uint64_t hash = 1469598103934665603ull;
  for (size_t i = 0; i < sizeof *p; i++) hash = (hash ^ ((const uint8_t *)p)[i]) * 1099511628211ull;
  return &cache[hash % CACHE_SIZE];
}

/* The algorithm for a problem: remembered, else the fastest or the heuristics' first choice. */
static int32_t choose(Device *device, const Problem *p, Plan *plan, const Operands *x, Cached **chosen) {
  Cached *slot = *chosen = slot_of(p);
  if (!slot) {
    set_error("no host memory for the cache of matrix products");
    return CRESSET_CUDA_MEMORY;
  }
  if (slot->used && memcmp(&slot->problem, p, sizeof *p) == 0) return slot->used < 0 ? unsupported(p) : CRESSET_CUDA_OK;
  cublasLtMatmulHeuristicResult_t results[CANDIDATES];
  int found = 0;
  int32_t status = ask(device, p, plan, results, &found);
  if (status) return status;
  slot->problem = *p;
  slot->used = found == 0 ? -1 : 1;
  if (found == 0) return unsupported(p);
  int measured = (p->modes & MODE_MEASURE) && !p->accumulate && !device->capturing && found > 1;
  int best = measured ? fastest(device, plan, x, results, found) : 0;
  slot->algo = results[best].algo;
  slot->workspace_bytes = results[best].workspaceSize;
  /* Timing is impossible while a graph is captured, so the problem is timed at the next call outside of a capture. */
  if ((p->modes & MODE_MEASURE) && device->capturing) slot->used = 0;
  return CRESSET_CUDA_OK;
}

static void align(Problem *p, const Operands *x) {
  const void *addresses[] = {x->a, x->b, x->out, x->bias, x->aux};
  for (int i = 0; i < 5; i++) p->alignment[i] = alignment_of(addresses[i]);
}

/* Reads the arguments from the arena. */
static void take(Problem *p, Operands *x, int32_t ordinal, int32_t dtype, int32_t modes) {
  const double *v = arena;
  memset(p, 0, sizeof *p); /* padding is compared, too */
  memset(x, 0, sizeof *x);
  x->a = (void *)(uintptr_t)v[0], x->b = (void *)(uintptr_t)v[1], x->out = (void *)(uintptr_t)v[2];
  x->bias = (void *)(uintptr_t)v[17], x->aux = (void *)(uintptr_t)v[19];
  p->device = ordinal, p->dtype = p->dtype_a = p->dtype_b = dtype, p->modes = modes, p->epilogue = (int32_t)v[18];
  p->m = (int64_t)v[3], p->n = (int64_t)v[4], p->k = (int64_t)v[5];
  p->lda = (int64_t)v[6], p->ldb = (int64_t)v[7], p->ldo = (int64_t)v[8], p->ld_aux = (int64_t)v[20];
  p->transpose_a = (int32_t)v[9], p->transpose_b = (int32_t)v[10];
  p->batches = (int64_t)v[11], p->stride_a = (int64_t)v[12], p->stride_b = (int64_t)v[13], p->stride_o = (int64_t)v[14];
  p->accumulate = v[16] != 0;
  align(p, x);
}

/* Chooses an algorithm and runs it. */
static int32_t multiply(Device *device, const Problem *p, const Operands *x) {
  Plan plan = {0};
  Cached *chosen = NULL;
  int32_t status = make(&plan, p, x);
  if (!status) status = choose(device, p, &plan, x, &chosen);
  if (!status) {
    cublasStatus_t result = run(device, &plan, x, &chosen->algo, chosen->workspace_bytes);
    if (result != CUBLAS_STATUS_SUCCESS) status = blas_failed(result, "cublasLtMatmul");
  }
  destroy(&plan);
  return status;
}

int32_t cresset_cuda_matmul(int32_t ordinal, int32_t dtype, int32_t modes) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUBLASLT)) return CRESSET_CUDA_NO_LIBRARY;
  if (dtype < 6 || dtype > 9) {
    set_error("cuBLASLt does not multiply dtype %d", dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device->blas) TRY(cublasLtCreate(&device->blas));
  Problem p;
  Operands x;
  take(&p, &x, ordinal, dtype, modes);
  if (p.epilogue < 0 || p.epilogue >= EPILOGUE_COUNT) {
    set_error("unknown epilogue %d", p.epilogue);
    return CRESSET_CUDA_ARGUMENT;
  }
  float alpha32 = (float)arena[15], beta32 = (float)arena[16];
  double alpha64 = arena[15], beta64 = arena[16];
  x.alpha = dtype == 9 ? (void *)&alpha64 : (void *)&alpha32;
  x.beta = dtype == 9 ? (void *)&beta64 : (void *)&beta32;
  return multiply(device, &p, &x);
}

int32_t cresset_cuda_scaled_matmul(int32_t ordinal, int32_t dtypeA, int32_t dtypeB, int32_t dtype, int32_t modes) {
  static const float one = 1, zero = 0;
  Device *device = device_at(ordinal);
  const double *v = arena;
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUBLASLT)) return CRESSET_CUDA_NO_LIBRARY;
  if (data_type(dtypeA) < CUDA_R_8F_E4M3 || data_type(dtypeB) < CUDA_R_8F_E4M3 || dtype < 6 || dtype > 8) {
    set_error("cuBLASLt does not multiply dtypes %d and %d into %d with scales", dtypeA, dtypeB, dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device->blas) TRY(cublasLtCreate(&device->blas));
  Problem p;
  Operands x;
  memset(&p, 0, sizeof p);
  memset(&x, 0, sizeof x);
  x.a = (void *)(uintptr_t)v[0], x.b = (void *)(uintptr_t)v[1], x.out = (void *)(uintptr_t)v[2];
  x.scale_a = (void *)(uintptr_t)v[9], x.scale_b = (void *)(uintptr_t)v[10], x.bias = (void *)(uintptr_t)v[11];
  x.alpha = &one, x.beta = &zero;
  p.device = ordinal, p.dtype = dtype, p.dtype_a = dtypeA, p.dtype_b = dtypeB, p.modes = modes;
  p.epilogue = x.bias ? 1 : 0, p.transpose_b = 1, p.batches = 1;
  p.m = (int64_t)v[3], p.n = (int64_t)v[4], p.k = (int64_t)v[5];
  p.lda = (int64_t)v[6], p.ldb = (int64_t)v[7], p.ldo = (int64_t)v[8];
  align(&p, &x);
  return multiply(device, &p, &x);
}
