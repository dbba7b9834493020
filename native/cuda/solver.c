/*
 * Decompositions by cuSOLVER: singular values by Jacobi rotations, which take any shape and are the most accurate.
 */
#include "api.h"

static int32_t solver_failed(cusolverStatus_t status, const char *call) {
  set_error("%s: cuSOLVER status %d", call, status);
  return CRESSET_CUDA_FAULT;
}

#define TRY(call)                                                                    \
  do {                                                                               \
    cusolverStatus_t status_ = cusolver.call;                                        \
    if (status_ != CUSOLVER_STATUS_SUCCESS) return solver_failed(status_, #call);    \
  } while (0)

/* The matrices of one call. */
typedef struct {
  uintptr_t a, s, u, v, info;
  int batches, m, n, thin;
} Matrices;

static int32_t no_workspace(int count) {
  set_error("no device memory for cuSOLVER's workspace of %d numbers", count);
  return CRESSET_CUDA_MEMORY;
}

/* Decomposes in one precision. Without `thin` one call of cuSOLVER decomposes all matrices. */
#define DECOMPOSE(name, P, T)                                                                                            \
  static int32_t name(Device *device, const Matrices *x) {                                                               \
    int m = x->m, n = x->n, k = m < n ? m : n, count = 0;                                                                \
    T *a = (T *)x->a, *s = (T *)x->s, *u = (T *)x->u, *v = (T *)x->v;                                                    \
    int *info = (int *)x->info;                                                                                          \
    cusolverDnHandle_t handle = device->solver;                                                                          \
    gesvdjInfo_t params = device->jacobi;                                                                                \
    if (x->thin)                                                                                                         \
      TRY(cusolverDn##P##gesvdj_bufferSize(handle, CUSOLVER_EIG_MODE_VECTOR, 1, m, n, a, m, s, u, m, v, n, &count, params)); \
    else                                                                                                                 \
      TRY(cusolverDn##P##gesvdjBatched_bufferSize(handle, CUSOLVER_EIG_MODE_VECTOR, m, n, a, m, s, u, m, v, n, &count,   \
                                                  params, x->batches));                                                  \
    T *work = (T *)(uintptr_t)device_workspace(device, ((size_t)count + 1) * sizeof(T));                                 \
    if (!work) return no_workspace(count);                                                                               \
    if (!x->thin) {                                                                                                      \
      TRY(cusolverDn##P##gesvdjBatched(handle, CUSOLVER_EIG_MODE_VECTOR, m, n, a, m, s, u, m, v, n, work, count, info,   \
                                       params, x->batches));                                                             \
      return CRESSET_CUDA_OK;                                                                                            \
    }                                                                                                                    \
    for (size_t i = 0; i < (size_t)x->batches; i++) {                                                                    \
      TRY(cusolverDn##P##gesvdj(handle, CUSOLVER_EIG_MODE_VECTOR, 1, m, n, a + i * m * n, m, s + i * k, u + i * m * k,   \
                                m, v + i * n * k, n, work, count, info + i, params));                                    \
    }                                                                                                                    \
    return CRESSET_CUDA_OK;                                                                                              \
  }

DECOMPOSE(decompose_float, S, float)
DECOMPOSE(decompose_double, D, double)

int32_t cresset_cuda_svd(int32_t ordinal, int32_t dtype) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUSOLVER)) return CRESSET_CUDA_NO_LIBRARY;
  if (dtype != 8 && dtype != 9) {
    set_error("cuSOLVER does not decompose dtype %d", dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device->solver) TRY(cusolverDnCreate(&device->solver));
  if (!device->jacobi) TRY(cusolverDnCreateGesvdjInfo(&device->jacobi));
  TRY(cusolverDnSetStream(device->solver, device->stream));
  const double *v = arena;
  Matrices x = {(uintptr_t)v[0], (uintptr_t)v[1], (uintptr_t)v[2], (uintptr_t)v[3], (uintptr_t)v[4],
                (int)v[5],       (int)v[6],       (int)v[7],       (int)v[8]};
  return dtype == 9 ? decompose_double(device, &x) : decompose_float(device, &x);
}
