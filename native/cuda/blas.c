/*
 * Matrix products by cuBLASLt, with its heuristics cached per problem.
 *
 * cuBLASLt is column-major: the row-major product out = a @ b is the column-major outᵀ = bᵀ @ aᵀ over the same memory, so
 * the operands change places and nothing is transposed.
 */
#include "api.h"

#include <string.h>

/* What cuBLASLt recommends on Hopper; smaller ones rule out its fastest kernels. */
#define WORKSPACE_BYTES ((size_t)32 << 20)
enum { CACHE_SIZE = 256 };

/* One problem: everything that the choice of an algorithm depends on. */
typedef struct {
  int32_t device, dtype, tf32, epilogue, transpose_a, transpose_b, accumulate;
  int64_t m, n, k, lda, ldb, ldo, batches, stride_a, stride_b, stride_o;
  uint32_t alignment[3]; /* of a, b and the output, in bytes */
} Problem;

typedef struct {
  Problem problem;
  cublasLtMatmulAlgo_t algo;
  int used;
} Cached;

static Cached cache[CACHE_SIZE];

static int32_t blas_failed(cublasStatus_t status, const char *call) {
  set_error("%s: cuBLAS status %d", call, status);
  return CRESSET_CUDA_FAULT;
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
    default: return -1;
  }
}

static int epilogue_of(int32_t epilogue) {
  static const int codes[] = {CUBLASLT_EPILOGUE_DEFAULT,   CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU,
                              CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_GELU, CUBLASLT_EPILOGUE_GELU_BIAS};
  return codes[epilogue];
}

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

static int32_t make(Plan *plan, const Problem *p, const void *bias) {
  int type = data_type(p->dtype);
  int compute = p->dtype == 9 ? CUBLAS_COMPUTE_64F : p->dtype == 8 && p->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  int first = p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, second = p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  int epilogue = epilogue_of(p->epilogue);
  TRY(cublasLtMatmulDescCreate(&plan->desc, compute, p->dtype == 9 ? CUDA_R_64F : CUDA_R_32F));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
  if (bias) TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias));
  int64_t ar = p->transpose_a ? p->k : p->m, ac = p->transpose_a ? p->m : p->k;
  int64_t br = p->transpose_b ? p->n : p->k, bc = p->transpose_b ? p->k : p->n;
  int32_t status = layout(&plan->a, type, ar, ac, p->lda, p->batches, p->stride_a);
  if (!status) status = layout(&plan->b, type, br, bc, p->ldb, p->batches, p->stride_b);
  if (!status) status = layout(&plan->o, type, p->m, p->n, p->ldo, p->batches, p->stride_o);
  return status;
}

/* The largest power of two, up to the 256 that cuBLASLt takes for granted, that divides an address. */
static uint32_t alignment_of(const void *address) {
  uintptr_t bits = (uintptr_t)address | 256;
  return (uint32_t)(bits & (~bits + 1));
}

/* The algorithm for a problem: remembered, or the heuristics' first choice. */
static int32_t choose(Device *device, const Problem *p, Plan *plan, const cublasLtMatmulAlgo_t **algo) {
  uint64_t hash = 1469598103934665603ull;
  for (size_t i = 0; i < sizeof *p; i++) hash = (hash ^ ((const uint8_t *)p)[i]) * 1099511628211ull;
  Cached *slot = &cache[hash % CACHE_SIZE];
  *algo = &slot->algo;
  if (slot->used && memcmp(&slot->problem, p, sizeof *p) == 0) return CRESSET_CUDA_OK;
  size_t bytes = WORKSPACE_BYTES;
  cublasLtMatmulHeuristicResult_t result;
  int found = 0;
  TRY(cublasLtMatmulPreferenceCreate(&plan->preference));
  TRY(cublasLtMatmulPreferenceSetAttribute(plan->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes));
  /* The library's a is our b, see above; its c is its d. */
  const uint32_t *alignments[] = {&p->alignment[1], &p->alignment[0], &p->alignment[2], &p->alignment[2]};
  for (int i = 0; i < 4; i++) {
    TRY(cublasLtMatmulPreferenceSetAttribute(plan->preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i, alignments[i],
                                             sizeof *alignments[i]));
  }
  TRY(cublasLtMatmulAlgoGetHeuristic(device->blas, plan->desc, plan->b, plan->a, plan->o, plan->o, plan->preference, 1,
                                     &result, &found));
  if (found == 0) {
    set_error("cuBLASLt has no algorithm for %lld×%lld×%lld of dtype %d", (long long)p->m, (long long)p->n,
              (long long)p->k, p->dtype);
    return CRESSET_CUDA_FAULT;
  }
  slot->problem = *p;
  slot->algo = result.algo;
  slot->used = 1;
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_matmul(int32_t ordinal, int32_t dtype, int32_t tf32) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUBLASLT)) return CRESSET_CUDA_NO_LIBRARY;
  if (data_type(dtype) < 0) {
    set_error("cuBLASLt does not multiply dtype %d", dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device->blas) TRY(cublasLtCreate(&device->blas));
  const double *v = arena;
  const void *a = (void *)(uintptr_t)v[0], *b = (void *)(uintptr_t)v[1], *bias = (void *)(uintptr_t)v[17];
  void *out = (void *)(uintptr_t)v[2];
  Problem p;
  memset(&p, 0, sizeof p); /* padding is compared, too */
  p.device = ordinal, p.dtype = dtype, p.tf32 = tf32, p.epilogue = (int32_t)v[18];
  p.m = (int64_t)v[3], p.n = (int64_t)v[4], p.k = (int64_t)v[5];
  p.lda = (int64_t)v[6], p.ldb = (int64_t)v[7], p.ldo = (int64_t)v[8];
  p.transpose_a = (int32_t)v[9], p.transpose_b = (int32_t)v[10];
  p.batches = (int64_t)v[11], p.stride_a = (int64_t)v[12], p.stride_b = (int64_t)v[13], p.stride_o = (int64_t)v[14];
  p.accumulate = v[16] != 0;
  p.alignment[0] = alignment_of(a), p.alignment[1] = alignment_of(b), p.alignment[2] = alignment_of(out);
  if (p.epilogue < 0 || p.epilogue > 5) {
    set_error("unknown epilogue %d", p.epilogue);
    return CRESSET_CUDA_ARGUMENT;
  }
  float alpha32 = (float)v[15], beta32 = (float)v[16];
  double alpha64 = v[15], beta64 = v[16];
  const void *alpha = dtype == 9 ? (void *)&alpha64 : (void *)&alpha32, *beta = dtype == 9 ? (void *)&beta64 : (void *)&beta32;
  CUdeviceptr workspace = device_workspace(device, WORKSPACE_BYTES);
  size_t workspace_bytes = workspace ? WORKSPACE_BYTES : 0;
  Plan plan = {0};
  const cublasLtMatmulAlgo_t *algo = NULL;
  int32_t status = make(&plan, &p, bias);
  if (!status) status = choose(device, &p, &plan, &algo);
  if (!status) {
    cublasStatus_t result = cublaslt.cublasLtMatmul(device->blas, plan.desc, alpha, b, plan.b, a, plan.a, beta, out, plan.o,
                                                    out, plan.o, algo, (void *)workspace, workspace_bytes, device->stream);
    if (result != CUBLAS_STATUS_SUCCESS) status = blas_failed(result, "cublasLtMatmul");
  }
  destroy(&plan);
  return status;
}
