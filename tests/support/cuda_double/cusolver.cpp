/*
 * `libcusolver`: singular values by one-sided Jacobi rotations, with cuSOLVER's rules for sizes and workspaces.
 *
 * Column-major. The real library rotates as well, so what it finds differs by signs and last digits. A matrix with an
 * element that is not finite does not converge: its status is min(m, n) + 1, as there.
 */
#include <algorithm>
#include <cmath>
#include <vector>

#include "double.h"

CUSOLVER_FUNCTIONS(DECLARE)

enum : cusolverStatus_t { SOLVER_NOT_INITIALIZED = 1, SOLVER_INVALID_VALUE = 3, SOLVER_EXECUTION_FAILED = 6 };

struct cusolverDnContext {
  CUstream stream = nullptr;
};
struct gesvdjInfo {
  int sweeps = 100;
};

namespace {

/* One call: batches of m×n matrices; u has `left` columns, v `right`. */
template <typename T>
struct Call {
  int m, n, left, right, batches, sweeps;
  T *a, *s, *u, *v;
  int *info;
};

double dot(const double *x, const double *y, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

/* Extends `have` orthonormal columns of length `rows` to `want`. */
void complete(std::vector<double> &columns, int rows, int have, int want) {
  columns.resize((size_t)rows * want);
  for (int c = have, unit = 0; c < want && unit < rows; unit++) {
    double *x = &columns[(size_t)c * rows];
    std::fill(x, x + rows, 0.0);
    x[unit] = 1;
    for (int twice = 0; twice < 2; twice++) {
      for (int j = 0; j < c; j++) {
        double along = dot(x, &columns[(size_t)j * rows], rows);
        for (int r = 0; r < rows; r++) x[r] -= along * columns[(size_t)j * rows + r];
      }
    }
    double length = std::sqrt(dot(x, x, rows));
    if (length < 1e-3) continue;
    for (int r = 0; r < rows; r++) x[r] /= length;
    c++;
  }
}

/* Rotates the columns of a tall matrix until all are orthogonal; v collects the rotations. Whether it ended. */
bool rotate(std::vector<double> &a, std::vector<double> &v, int rows, int columns, int sweeps) {
  for (int sweep = 0; sweep < sweeps; sweep++) {
    bool turned = false;
    for (int p = 0; p < columns; p++) {
      for (int q = p + 1; q < columns; q++) {
        double *x = &a[(size_t)p * rows], *y = &a[(size_t)q * rows];
        double alpha = dot(x, x, rows), beta = dot(y, y, rows), gamma = dot(x, y, rows);
        if (!std::isfinite(alpha + beta)) return false;
        if (gamma == 0 || std::fabs(gamma) <= 1e-15 * std::sqrt(alpha * beta)) continue;
        turned = true;
        double angle = 0.5 * std::atan2(2 * gamma, beta - alpha), c = std::cos(angle), s = std::sin(angle);
        auto turn = [&](double *f, double *g, int n) {
          for (int i = 0; i < n; i++) {
            double t = f[i];
            f[i] = c * t - s * g[i];
            g[i] = s * t + c * g[i];
          }
        };
        turn(x, y, rows);
        turn(&v[(size_t)p * columns], &v[(size_t)q * columns], columns);
      }
    }
    if (!turned) return true;
  }
  return false;
}

/* `a` is rows×columns with rows >= columns; gives unit columns, lengths and rotations, the longest first. */
bool decompose(std::vector<double> &a, std::vector<double> &lengths, std::vector<double> &v, int rows, int columns, int sweeps) {
  v.assign((size_t)columns * columns, 0);
  for (int i = 0; i < columns; i++) v[(size_t)i * columns + i] = 1;
  for (double value : a) {
    if (!std::isfinite(value)) return false;
  }
  if (!rotate(a, v, rows, columns, sweeps)) return false;
  std::vector<int> order(columns);
  std::vector<double> length(columns);
  for (int i = 0; i < columns; i++) order[i] = i, length[i] = std::sqrt(dot(&a[(size_t)i * rows], &a[(size_t)i * rows], rows));
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return length[i] > length[j]; });
  std::vector<double> units, turned((size_t)columns * columns);
  lengths.assign(columns, 0);
  int have = 0;
  for (int i = 0; i < columns; i++) {
    int from = order[i];
    lengths[i] = length[from];
    std::copy_n(&v[(size_t)from * columns], columns, &turned[(size_t)i * columns]);
    if (length[from] <= length[order[0]] * 1e-300) continue;
    for (int r = 0; r < rows; r++) units.push_back(a[(size_t)from * rows + r] / length[from]);
    have++;
  }
  complete(units, rows, have, columns);
  a = units, v = turned;
  return true;
}

template <typename T>
void run(const Call<T> &c) {
  int k = std::min(c.m, c.n), rows = std::max(c.m, c.n);
  bool wide = c.n > c.m;
  for (int b = 0; b < c.batches; b++) {
    T *a = c.a + (size_t)b * c.m * c.n, *s = c.s + (size_t)b * k;
    T *u = c.u + (size_t)b * c.m * c.left, *v = c.v + (size_t)b * c.n * c.right;
    std::vector<double> tall((size_t)rows * k), lengths, turns;
    for (int i = 0; i < k; i++) {
      for (int r = 0; r < rows; r++) tall[(size_t)i * rows + r] = wide ? a[(size_t)r * c.m + i] : a[(size_t)i * c.m + r];
    }
    bool good = decompose(tall, lengths, turns, rows, k, c.sweeps);
    c.info[b] = good ? 0 : k + 1;
    std::fill(a, a + (size_t)c.m * c.n, (T)NAN); /* overwritten, as there */
    if (!good) {
      std::fill(s, s + k, (T)NAN);
      continue;
    }
    std::vector<double> &left = wide ? turns : tall, &right = wide ? tall : turns;
    complete(left, c.m, k, c.left);
    complete(right, c.n, k, c.right);
    for (int i = 0; i < k; i++) s[i] = (T)lengths[i];
    for (size_t i = 0; i < left.size(); i++) u[i] = (T)left[i];
    for (size_t i = 0; i < right.size(); i++) v[i] = (T)right[i];
  }
}

template <typename T>
bool held(const T *p, size_t count) {
  return owns(p, count * sizeof(T));
}

/* What the library needs as workspace, in numbers: some size that a caller cannot guess. */
int workspace(int m, int n, int batches) { return 64 + m * n + std::min(batches, 1000); }

bool sound(cusolverDnHandle_t handle, int vectors, int m, int n, int lda, int ldu, int ldv, gesvdjInfo_t params) {
  return handle && params && vectors == CUSOLVER_EIG_MODE_VECTOR && m >= 0 && n >= 0 && lda >= std::max(1, m) &&
         ldu >= std::max(1, m) && ldv >= std::max(1, n);
}

template <typename T>
cusolverStatus_t size(cusolverDnHandle_t handle, int vectors, int m, int n, int lda, int ldu, int ldv, int *count,
                      gesvdjInfo_t params, int batches) {
  if (!sound(handle, vectors, m, n, lda, ldu, ldv, params) || !count || batches < 1) return SOLVER_INVALID_VALUE;
  *count = workspace(m, n, batches);
  return CUSOLVER_STATUS_SUCCESS;
}

template <typename T>
cusolverStatus_t call(cusolverDnHandle_t handle, bool good, const Call<T> &c, const T *work, int count) {
  size_t batches = (size_t)c.batches, k = (size_t)std::min(c.m, c.n), m = (size_t)c.m, n = (size_t)c.n;
  if (!good || count < workspace(c.m, c.n, c.batches)) return SOLVER_INVALID_VALUE;
  bool all = held(c.a, batches * m * n) && held(c.s, batches * k) && held(c.u, batches * m * c.left) &&
             held(c.v, batches * n * c.right) && held(c.info, batches) && held(work, (size_t)count);
  if (!all) return SOLVER_EXECUTION_FAILED;
  return enqueue(handle->stream, [c] { run(c); }) ? CUSOLVER_STATUS_SUCCESS : SOLVER_EXECUTION_FAILED;
}

}  // namespace

EXPORT cusolverStatus_t cusolverGetVersion(int *version) {
  *version = 12004;
  return CUSOLVER_STATUS_SUCCESS;
}

EXPORT cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle) {
  if (!handle) return SOLVER_INVALID_VALUE;
  *handle = new cusolverDnContext();
  return CUSOLVER_STATUS_SUCCESS;
}

EXPORT cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, CUstream stream) {
  if (!handle) return SOLVER_NOT_INITIALIZED;
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}

EXPORT cusolverStatus_t cusolverDnCreateGesvdjInfo(gesvdjInfo_t *params) {
  if (!params) return SOLVER_INVALID_VALUE;
  *params = new gesvdjInfo();
  return CUSOLVER_STATUS_SUCCESS;
}

#define PRECISION(P, T)                                                                                                  \
  EXPORT cusolverStatus_t cusolverDn##P##gesvdj_bufferSize(cusolverDnHandle_t handle, int vectors, int, int m, int n,    \
                                                           const T *, int lda, const T *, const T *, int ldu, const T *, \
                                                           int ldv, int *count, gesvdjInfo_t params) {                   \
    return size<T>(handle, vectors, m, n, lda, ldu, ldv, count, params, 1);                                              \
  }                                                                                                                      \
  EXPORT cusolverStatus_t cusolverDn##P##gesvdj(cusolverDnHandle_t handle, int vectors, int thin, int m, int n, T *a,    \
                                                int lda, T *s, T *u, int ldu, T *v, int ldv, T *work, int count,         \
                                                int *info, gesvdjInfo_t params) {                                        \
    bool good = sound(handle, vectors, m, n, lda, ldu, ldv, params) && lda == m && ldu == m && ldv == n;                 \
    if (!good) return SOLVER_INVALID_VALUE;                                                                              \
    int k = std::min(m, n);                                                                                              \
    return call<T>(handle, good, {m, n, thin ? k : m, thin ? k : n, 1, params->sweeps, a, s, u, v, info}, work, count);  \
  }                                                                                                                      \
  EXPORT cusolverStatus_t cusolverDn##P##gesvdjBatched_bufferSize(                                                       \
      cusolverDnHandle_t handle, int vectors, int m, int n, const T *, int lda, const T *, const T *, int ldu, const T *, \
      int ldv, int *count, gesvdjInfo_t params, int batches) {                                                           \
    if (m > 32 || n > 32) return SOLVER_INVALID_VALUE;                                                                   \
    return size<T>(handle, vectors, m, n, lda, ldu, ldv, count, params, batches);                                        \
  }                                                                                                                      \
  EXPORT cusolverStatus_t cusolverDn##P##gesvdjBatched(cusolverDnHandle_t handle, int vectors, int m, int n, T *a,       \
                                                       int lda, T *s, T *u, int ldu, T *v, int ldv, T *work, int count,  \
                                                       int *info, gesvdjInfo_t params, int batches) {                    \
    bool good = sound(handle, vectors, m, n, lda, ldu, ldv, params) && lda == m && ldu == m && ldv == n && m <= 32 &&    \
                n <= 32;                                                                                                 \
    if (!good) return SOLVER_INVALID_VALUE;                                                                              \
    return call<T>(handle, good, {m, n, m, n, batches, params->sweeps, a, s, u, v, info}, work, count);                  \
  }
PRECISION(S, float)
PRECISION(D, double)
