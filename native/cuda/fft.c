/*
 * Fourier transforms by cuFFT. A plan takes long to make, so plans are kept, one per geometry; those that captured graphs use
 * are kept for good, because replays use their tables. The memory that a plan works in is the stream's or the graph's.
 */
#include <limits.h>
#include <stdlib.h>

#include "api.h"

/* The largest number of cached plans of a device, those of graphs not counted. */
#define MOST_PLANS 64

static int32_t fft_failed(cufftResult status, const char *call) {
  set_error("%s: cuFFT status %d", call, status);
  return CRESSET_CUDA_FAULT;
}

#define TRY(call)                                                             \
  do {                                                                        \
    cufftResult status_ = cufft.call;                                         \
    if (status_ != CUFFT_SUCCESS) return fft_failed(status_, #call);          \
  } while (0)

static int serves(const FftPlan *plan, const FftPlan *wanted) {
  return plan->type == wanted->type && plan->n == wanted->n && plan->step == wanted->step &&
         plan->distance == wanted->distance && plan->batch == wanted->batch;
}

/* Takes the plan out of the list; NULL if there is none. */
static FftPlan *take(Device *device, const FftPlan *wanted) {
  for (FftPlan **at = &device->plans; *at; at = &(*at)->next) {
    FftPlan *plan = *at;
    if (!serves(plan, wanted)) continue;
    *at = plan->next;
    return plan;
  }
  return NULL;
}

/* Destroys the least recently used plans; cuFFT waits for their work. */
static int32_t trim(Device *device) {
  int kept = 0;
  for (FftPlan **at = &device->plans; *at;) {
    FftPlan *plan = *at;
    if (plan->captured || ++kept <= MOST_PLANS) {
      at = &plan->next;
      continue;
    }
    *at = plan->next;
    cufftHandle handle = plan->handle;
    free(plan);
    TRY(cufftDestroy(handle));
  }
  return CRESSET_CUDA_OK;
}

/* Makes the plan's handle; what it works in is given at every call. */
static int32_t make(FftPlan *plan) {
  int n = plan->n;
  TRY(cufftSetAutoAllocation(plan->handle, 0));
  TRY(cufftMakePlanMany(plan->handle, 1, &n, &n, plan->step, plan->distance, &n, plan->step, plan->distance, plan->type,
                        plan->batch, &plan->bytes));
  return CRESSET_CUDA_OK;
}

/* Finds the plan in the cache, or makes it, and moves it to the front. */
static int32_t find(Device *device, const FftPlan *wanted, FftPlan **found) {
  FftPlan *plan = take(device, wanted);
  if (!plan) {
    if (device->capturing) {
      set_error("a Fourier transform of %d numbers cannot be planned while a graph is captured: run it once before",
                wanted->n);
      return CRESSET_CUDA_FAULT;
    }
    plan = malloc(sizeof *plan);
    if (!plan) {
      set_error("no host memory for a plan");
      return CRESSET_CUDA_MEMORY;
    }
    *plan = *wanted;
    cufftResult created = cufft.cufftCreate(&plan->handle);
    int32_t status = created == CUFFT_SUCCESS ? make(plan) : fft_failed(created, "cufftCreate");
    if (status != CRESSET_CUDA_OK) {
      if (created == CUFFT_SUCCESS) cufft.cufftDestroy(plan->handle);
      free(plan);
      return status;
    }
  }
  plan->next = device->plans;
  device->plans = plan;
  if (device->capturing) plan->captured = 1;
  *found = plan;
  return device->capturing ? CRESSET_CUDA_OK : trim(device);
}

int32_t cresset_cuda_fft(int32_t ordinal, int32_t dtype, int32_t inverse) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUFFT)) return CRESSET_CUDA_NO_LIBRARY;
  if (dtype != 8 && dtype != 9) {
    set_error("cuFFT does not transform dtype %d", dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  char *x = (char *)(uintptr_t)arena[0], *out = (char *)(uintptr_t)arena[1];
  double outer = arena[2], n = arena[3], inner = arena[4];
  if (n * inner > INT_MAX || outer > INT_MAX) return CRESSET_CUDA_UNSUPPORTED;
  /* A call takes lines that are evenly apart: neighbours, or those of one place in all blocks, whichever are more. */
  int neighbours = inner >= outer;
  FftPlan wanted = {.type = dtype == 9 ? CUFFT_Z2Z : CUFFT_C2C, .n = (int)n,
                    .step = (int)inner, .distance = neighbours ? 1 : (int)(n * inner),
                    .batch = (int)(neighbours ? inner : outer)};
  FftPlan *plan = NULL;
  int32_t status = find(device, &wanted, &plan);
  if (status != CRESSET_CUDA_OK) return status;
  CUdeviceptr workspace = plan->bytes ? device_workspace(device, plan->bytes) : 0;
  if (plan->bytes && !workspace) return CRESSET_CUDA_MEMORY;
  TRY(cufftSetStream(plan->handle, device->stream));
  if (workspace) TRY(cufftSetWorkArea(plan->handle, (void *)(uintptr_t)workspace));
  size_t item = dtype == 9 ? 16 : 8, calls = (size_t)(neighbours ? outer : inner);
  size_t apart = (neighbours ? (size_t)(n * inner) : 1) * item;
  int direction = inverse ? FFT_INVERSE : FFT_FORWARD;
  for (size_t i = 0; i < calls; i++, x += apart, out += apart) {
    if (dtype == 9) TRY(cufftExecZ2Z(plan->handle, x, out, direction));
    else TRY(cufftExecC2C(plan->handle, x, out, direction));
  }
  return CRESSET_CUDA_OK;
}
