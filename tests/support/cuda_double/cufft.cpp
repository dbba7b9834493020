/*
 * `libcufft`: transforms along one dimension by the sum itself, with cuFFT's rules for layouts, alignment and plans.
 * In place is refused, though the real library does it: the shim never asks for it.
 */
#include <cmath>
#include <complex>
#include <map>
#include <vector>

#include "double.h"

CUFFT_FUNCTIONS(DECLARE)

enum : cufftResult { FFT_INVALID_PLAN = 1, FFT_INVALID_TYPE = 3, FFT_INVALID_VALUE = 4, FFT_EXEC_FAILED = 6, FFT_INVALID_SIZE = 8 };

namespace {

struct Plan {
  int n, istride, idist, ostride, odist, type, batch;
  CUstream stream;
  void *memory;
};

std::map<cufftHandle, Plan> plans;

size_t item_of(int type) { return type == CUFFT_Z2Z ? 16 : 8; }

/* The input's line goes through the plan's memory, so that plans which share it spoil each other as on a device. */
template <typename T>
void run(const Plan &p, const std::complex<T> *from, std::complex<T> *to, int direction) {
  std::vector<std::complex<double>> roots(p.n);
  auto *line = (std::complex<T> *)p.memory;
  for (int k = 0; k < p.n; k++) roots[k] = std::polar(1.0, direction * 2 * M_PI * k / p.n);
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t j = 0; j < p.n; j++) line[j] = from[b * p.idist + j * p.istride];
    for (int64_t k = 0; k < p.n; k++) {
      std::complex<double> sum = 0;
      for (int64_t j = 0; j < p.n; j++) sum += std::complex<double>(line[j]) * roots[j * k % p.n];
      to[b * p.odist + k * p.ostride] = std::complex<T>(sum);
    }
  }
}

template <typename T>
cufftResult execute(cufftHandle handle, int type, void *from, void *to, int direction) {
  auto found = plans.find(handle);
  if (found == plans.end()) return FFT_INVALID_PLAN;
  Plan p = found->second;
  if (p.type != type) return FFT_INVALID_TYPE;
  if (direction != FFT_FORWARD && direction != FFT_INVERSE) return FFT_INVALID_VALUE;
  if (!p.memory) return FFT_EXEC_FAILED;
  size_t item = sizeof(std::complex<T>);
  if ((uintptr_t)from % item || (uintptr_t)to % item || from == to) return FFT_INVALID_VALUE;
  size_t in = (size_t)(p.batch - 1) * p.idist + (size_t)(p.n - 1) * p.istride + 1;
  size_t out = (size_t)(p.batch - 1) * p.odist + (size_t)(p.n - 1) * p.ostride + 1;
  if (!owns(from, in * item) || !owns(to, out * item)) return FFT_EXEC_FAILED;
  auto *source = (const std::complex<T> *)from;
  auto *target = (std::complex<T> *)to;
  return enqueue(p.stream, [=] { run(p, source, target, direction); }) ? CUFFT_SUCCESS : FFT_EXEC_FAILED;
}

}  // namespace

EXPORT cufftResult cufftGetVersion(int *version) {
  *version = 12000;
  return CUFFT_SUCCESS;
}

EXPORT cufftResult cufftCreate(cufftHandle *plan) {
  static cufftHandle next = 1;
  if (!plan) return FFT_INVALID_VALUE;
  *plan = next++;
  plans[*plan] = {};
  return CUFFT_SUCCESS;
}

EXPORT cufftResult cufftSetAutoAllocation(cufftHandle plan, int automatic) {
  if (!plans.count(plan)) return FFT_INVALID_PLAN;
  return automatic ? FFT_INVALID_VALUE : CUFFT_SUCCESS; /* the shim gives the memory itself */
}

EXPORT cufftResult cufftMakePlanMany(cufftHandle plan, int rank, int *n, int *inembed, int istride, int idist, int *onembed,
                                     int ostride, int odist, int type, int batch, size_t *bytes) {
  if (!plans.count(plan)) return FFT_INVALID_PLAN;
  if (!bytes || !n || rank != 1) return FFT_INVALID_VALUE;
  if (n[0] < 1 || batch < 1) return FFT_INVALID_SIZE;
  if (type != CUFFT_C2C && type != CUFFT_Z2Z) return FFT_INVALID_TYPE;
  /* Without these, cuFFT takes lines for dense. */
  if (!inembed || !onembed) istride = ostride = 1, idist = odist = n[0];
  if (istride < 1 || ostride < 1) return FFT_INVALID_VALUE;
  plans[plan] = {n[0], istride, idist, ostride, odist, type, batch, nullptr, nullptr};
  *bytes = item_of(type) * n[0];
  return CUFFT_SUCCESS;
}

EXPORT cufftResult cufftSetWorkArea(cufftHandle plan, void *memory) {
  auto found = plans.find(plan);
  if (found == plans.end()) return FFT_INVALID_PLAN;
  if (!owns(memory, item_of(found->second.type) * found->second.n)) return FFT_INVALID_VALUE;
  found->second.memory = memory;
  return CUFFT_SUCCESS;
}

EXPORT cufftResult cufftSetStream(cufftHandle plan, CUstream stream) {
  auto found = plans.find(plan);
  if (found == plans.end()) return FFT_INVALID_PLAN;
  found->second.stream = stream;
  return CUFFT_SUCCESS;
}

EXPORT cufftResult cufftExecC2C(cufftHandle plan, void *from, void *to, int direction) {
  return execute<float>(plan, CUFFT_C2C, from, to, direction);
}

EXPORT cufftResult cufftExecZ2Z(cufftHandle plan, void *from, void *to, int direction) {
  return execute<double>(plan, CUFFT_Z2Z, from, to, direction);
}

EXPORT cufftResult cufftDestroy(cufftHandle plan) { return plans.erase(plan) ? CUFFT_SUCCESS : FFT_INVALID_PLAN; }
