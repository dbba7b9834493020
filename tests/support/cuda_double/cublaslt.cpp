/*
 * `libcublasLt`: matrix products computed naively, with cuBLASLt's rules for layouts, alignment and epilogues.
 *
 * Column-major, D = alpha · op(A) @ op(B) + beta · C. Algorithms from the heuristics are for pointers with the alignment
 * that the preference promised (256 bytes unless it says less): the product refuses others, as the real library may. Of
 * several algorithms the first needs workspace and the last none. Float8 products follow Hopper's rules: A transposed and B
 * not, 16-byte rows, not e5m2 times e5m2, results of two or four bytes, a float32 scale per operand.
 */
#include <cmath>
#include <vector>

#include "double.h"

CUBLASLT_FUNCTIONS(DECLARE)

enum : cublasStatus_t { BLAS_NOT_INITIALIZED = 1, BLAS_INVALID_VALUE = 7, BLAS_EXECUTION_FAILED = 13, BLAS_NOT_SUPPORTED = 15 };
enum { PREF_ALIGNMENT_A = 5, PREF_ALIGNMENT_D = 8 };
enum { CUBLASLT_MATMUL_DESC_BIAS_TYPE = 26 };
/* Parts of an epilogue's number. */
enum { PART_AUX = 128, PART_BIAS_GRADIENT = 16, PART_DRELU = 8, PART_DGELU = 64, ALGORITHMS = 3 };

struct cublasLtMatmulDescOpaque {
  int compute, scale, transpose[2] = {CUBLAS_OP_N, CUBLAS_OP_N}, epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr;
  int bias_type = -1;
  void *aux = nullptr;
  int64_t aux_ld = 0;
  const float *scales[2] = {nullptr, nullptr}; /* of A and B */
  int8_t fast = 0;
};

struct cublasLtMatrixLayoutOpaque {
  int type;
  uint64_t rows, columns;
  int64_t ld;
  int32_t batches = 1;
  int64_t stride = 0;
};

struct cublasLtMatmulPreferenceOpaque {
  uint64_t workspace = 0;
  uint32_t schemes = 7;
  uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace {

using Desc = cublasLtMatmulDescOpaque;
using Layout = cublasLtMatrixLayoutOpaque;

constexpr uint64_t ALGORITHM = 0x646f75626c65ull;

/* What an algorithm remembers. */
struct Algorithm {
  uint64_t mark, m, n, k, workspace;
  uint32_t alignment[4];
  uint64_t rest;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm fits");

bool is_float8(int type) { return type == CUDA_R_8F_E4M3 || type == CUDA_R_8F_E5M2; }
size_t size_of(int type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : is_float8(type) ? 1 : 2; }
bool known_type(int type) {
  return type == CUDA_R_32F || type == CUDA_R_64F || type == CUDA_R_16F || type == CUDA_R_16BF || is_float8(type);
}

double e4m3_to_double(uint8_t x) {
  int exponent = x >> 3 & 15, mantissa = x & 7;
  if ((x & 0x7f) == 0x7f) return NAN;
  double size = exponent ? std::ldexp(8 + mantissa, exponent - 10) : std::ldexp(mantissa, -9);
  return x & 0x80 ? -size : size;
}

double load(const void *p, int type, size_t at) {
  switch (type) {
    case CUDA_R_64F: return static_cast<const double *>(p)[at];
    case CUDA_R_32F: return static_cast<const float *>(p)[at];
    case CUDA_R_16F: return half_to_float(static_cast<const uint16_t *>(p)[at]);
    case CUDA_R_8F_E4M3: return e4m3_to_double(static_cast<const uint8_t *>(p)[at]);
    case CUDA_R_8F_E5M2: return half_to_float((uint16_t)(static_cast<const uint8_t *>(p)[at] << 8));
    default: return bfloat_to_float(static_cast<const uint16_t *>(p)[at]);
  }
}

void store(void *p, int type, size_t at, double value) {
  switch (type) {
    case CUDA_R_64F: static_cast<double *>(p)[at] = value; break;
    case CUDA_R_32F: static_cast<float *>(p)[at] = (float)value; break;
    case CUDA_R_16F: static_cast<uint16_t *>(p)[at] = float_to_half((float)value); break;
    default: static_cast<uint16_t *>(p)[at] = float_to_bfloat((float)value); break;
  }
}

bool has_bias(int epilogue) { return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }
bool is_relu(int epilogue) { return (epilogue & (CUBLASLT_EPILOGUE_RELU | PART_DRELU)) != 0; }
bool is_derivative(int epilogue) { return (epilogue & (PART_DRELU | PART_DGELU)) != 0; }
/* Whether the sums of D's rows go where the bias would be. */
bool sums_rows(int epilogue) { return is_derivative(epilogue) && (epilogue & PART_BIAS_GRADIENT); }

bool known_epilogue(int epilogue) {
  switch (epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT: case CUBLASLT_EPILOGUE_BIAS: case CUBLASLT_EPILOGUE_RELU: case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU: case CUBLASLT_EPILOGUE_GELU_BIAS: case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS: case CUBLASLT_EPILOGUE_GELU_AUX: case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_DRELU: case CUBLASLT_EPILOGUE_DRELU_BGRAD: case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD: case CUBLASLT_EPILOGUE_BGRADB: return true;
    default: return false;
  }
}

constexpr double GELU_FACTOR = 0.7978845608028654, GELU_CUBE = 0.044715;

double apply_epilogue(int epilogue, double x) {
  if (epilogue & CUBLASLT_EPILOGUE_RELU) return x > 0 || x != x ? x : 0;
  if (epilogue & CUBLASLT_EPILOGUE_GELU) return 0.5 * x * (1 + std::tanh(GELU_FACTOR * (x + GELU_CUBE * x * x * x)));
  return x;
}

double gelu_derivative(double x) {
  double t = std::tanh(GELU_FACTOR * (x + GELU_CUBE * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_FACTOR * (1 + 3 * GELU_CUBE * x * x);
}

struct Sizes {
  uint64_t m, n, k;
};

/* The sizes of a product, or false where descriptors do not fit together. */
bool sizes_of(const Desc &d, const Layout &a, const Layout &b, const Layout &c, const Layout &out, Sizes *s) {
  bool ta = d.transpose[0] == CUBLAS_OP_T, tb = d.transpose[1] == CUBLAS_OP_T;
  s->m = ta ? a.columns : a.rows;
  s->k = ta ? a.rows : a.columns;
  s->n = tb ? b.rows : b.columns;
  if ((tb ? b.columns : b.rows) != s->k) return false;
  for (const Layout *l : {&c, &out}) {
    if (l->rows != s->m || l->columns != s->n) return false;
  }
  bool float8 = is_float8(a.type) && is_float8(b.type);
  for (const Layout *l : {&a, &b, &c, &out}) {
    if (l->batches != out.batches || l->ld < (int64_t)l->rows) return false;
    if (l->type != out.type && !(float8 && (l == &a || l == &b))) return false;
  }
  return s->m > 0 && s->n > 0 && s->k > 0;
}

/* Whether an epilogue's operands are as the library wants them; `m` are D's rows. */
bool takes_epilogue(const Desc &d, const Layout &out, uint64_t m) {
  if (!known_epilogue(d.epilogue)) return false;
  if (!(d.epilogue & PART_AUX) && d.epilogue != CUBLASLT_EPILOGUE_BGRADB) return true;
  if (out.batches > 1 || out.type == CUDA_R_64F) return false;
  if (d.epilogue == CUBLASLT_EPILOGUE_BGRADB) return true;
  return d.aux_ld >= (int64_t)m && d.aux_ld % (is_relu(d.epilogue) ? 128 : 8) == 0 && (uintptr_t)d.aux % 16 == 0;
}

/* Whether a float8 product is one that Hopper has. */
bool computes_float8(const Desc &d, const Layout &a, const Layout &b, const Layout &out) {
  if (a.type == CUDA_R_8F_E5M2 && b.type == CUDA_R_8F_E5M2) return false;
  if (d.transpose[0] != CUBLAS_OP_T || d.transpose[1] != CUBLAS_OP_N) return false;
  if (a.rows % 16 || a.columns % 16 || a.ld % 16 || b.ld % 16 || out.ld % 16) return false;
  return d.compute == CUBLAS_COMPUTE_32F && d.scale == CUDA_R_32F && out.type != CUDA_R_64F && !is_float8(out.type);
}

bool computes(const Desc &d, const Layout &a, const Layout &b, const Layout &out) {
  int type = out.type;
  if (is_float8(a.type)) return computes_float8(d, a, b, out);
  if (d.scales[0] || d.scales[1] || d.fast) return false;
  if (type == CUDA_R_64F) return d.compute == CUBLAS_COMPUTE_64F && d.scale == CUDA_R_64F;
  if (d.scale != CUDA_R_32F) return false;
  return d.compute == CUBLAS_COMPUTE_32F || (type == CUDA_R_32F && d.compute == CUBLAS_COMPUTE_32F_FAST_TF32);
}

/* One matrix as rows×columns values, transposed where asked. */
std::vector<double> gather(const void *p, const Layout &l, int64_t batch, bool transposed) {
  std::vector<double> out(l.rows * l.columns);
  for (uint64_t j = 0; j < l.columns; j++) {
    for (uint64_t i = 0; i < l.rows; i++) {
      double value = load(p, l.type, (size_t)(batch * l.stride) + j * (uint64_t)l.ld + i);
      out[transposed ? i * l.columns + j : j * l.rows + i] = value;
    }
  }
  return out;
}

size_t extent(const Layout &l) {
  int64_t last = (int64_t)(l.columns - 1) * l.ld + (int64_t)l.rows + (l.batches - 1) * (l.stride > 0 ? l.stride : 0);
  return (size_t)last * size_of(l.type);
}

struct Product {
  Desc desc;
  Layout a, b, c, d;
  Sizes s;
  const void *a_data, *b_data, *c_data;
  void *d_data;
  double alpha, beta;

  /* Sums are taken in the precision of the computation. */
  template <typename T>
  void compute() const {
    bool ta = desc.transpose[0] == CUBLAS_OP_T, tb = desc.transpose[1] == CUBLAS_OP_T;
    for (int32_t batch = 0; batch < d.batches; batch++) {
      const std::vector<double> x = gather(a_data, a, batch, ta), y = gather(b_data, b, batch, tb);
      std::vector<T> left(x.begin(), x.end());
      std::vector<T> column(s.m);
      for (uint64_t j = 0; j < s.n; j++) {
        std::fill(column.begin(), column.end(), T(0));
        for (uint64_t k = 0; k < s.k; k++) {
          const T factor = (T)y[j * s.k + k], *from = &left[k * s.m];
          for (uint64_t i = 0; i < s.m; i++) column[i] += from[i] * factor;
        }
        for (uint64_t i = 0; i < s.m; i++) write(batch, i, j, column[i]);
      }
    }
  }

  /* Reads or writes what a derivative needs; gives D's element. */
  double with_aux(uint64_t i, uint64_t j, double value) const {
    size_t at = j * (size_t)desc.aux_ld + i;
    uint8_t *bits = static_cast<uint8_t *>(desc.aux) + at / 8;
    bool derivative = is_derivative(desc.epilogue);
    if (is_relu(desc.epilogue)) {
      if (derivative) return *bits >> at % 8 & 1 ? value : 0;
      *bits = (uint8_t)((*bits & ~(1 << at % 8)) | (value > 0 || value != value) << at % 8);
    } else if (derivative) return value * gelu_derivative(load(desc.aux, d.type, at));
    else store(desc.aux, d.type, at, value);
    return apply_epilogue(desc.epilogue, value);
  }

  void write_sums() const {
    void *to = const_cast<void *>(desc.bias);
    if (sums_rows(desc.epilogue)) {
      for (uint64_t i = 0; i < s.m; i++) {
        double sum = 0;
        for (uint64_t j = 0; j < s.n; j++) sum += load(d_data, d.type, j * (size_t)d.ld + i);
        store(to, d.type, i, sum);
      }
    }
    if (desc.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
      const std::vector<double> y = gather(b_data, b, 0, desc.transpose[1] == CUBLAS_OP_T);
      for (uint64_t j = 0; j < s.n; j++) {
        double sum = 0;
        for (uint64_t k = 0; k < s.k; k++) sum += y[j * s.k + k];
        store(to, d.type, j, sum);
      }
    }
  }

  void write(int32_t batch, uint64_t i, uint64_t j, double sum) const {
    size_t at = (size_t)(batch * d.stride) + j * (uint64_t)d.ld + i, from = (size_t)(batch * c.stride) + j * (uint64_t)c.ld + i;
    double value = alpha * sum;
    for (const float *scale : desc.scales) value *= scale ? *scale : 1;
    /* With beta 0, C is not read: it may hold NaN. */
    if (beta != 0) value += beta * load(c_data, c.type, from);
    if (has_bias(desc.epilogue)) value += load(desc.bias, desc.bias_type < 0 ? d.type : desc.bias_type, i);
    store(d_data, d.type, at, desc.epilogue & PART_AUX ? with_aux(i, j, value) : apply_epilogue(desc.epilogue, value));
  }

  void operator()() const {
    if (d.type == CUDA_R_64F) compute<double>();
    else compute<float>();
    write_sums();
  }
};

template <typename T>
bool read_attribute(T *target, const void *value, size_t bytes) {
  if (bytes != sizeof(T)) return false;
  memcpy(target, value, bytes);
  return true;
}

cublasStatus_t status_of(bool fine) { return fine ? cublasStatus_t(CUBLAS_STATUS_SUCCESS) : cublasStatus_t(BLAS_INVALID_VALUE); }

}  // namespace

EXPORT size_t cublasLtGetVersion() { return 130000; }

EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  if (!driver_function<DoubleOwns>("cuda_double_owns")) return BLAS_NOT_INITIALIZED;
  *handle = new int(0);
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, int compute, int scale) {
  if (!desc) return BLAS_INVALID_VALUE;
  *desc = new Desc{compute, scale};
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, int attr, const void *v, size_t n) {
  if (!desc || !v) return BLAS_INVALID_VALUE;
  switch (attr) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return status_of(read_attribute(&desc->transpose[0], v, n));
    case CUBLASLT_MATMUL_DESC_TRANSB: return status_of(read_attribute(&desc->transpose[1], v, n));
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return status_of(read_attribute(&desc->epilogue, v, n));
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return status_of(read_attribute(&desc->bias, v, n));
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return status_of(read_attribute(&desc->aux, v, n));
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return status_of(read_attribute(&desc->aux_ld, v, n));
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER: return status_of(read_attribute(&desc->scales[0], v, n));
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER: return status_of(read_attribute(&desc->scales[1], v, n));
    case CUBLASLT_MATMUL_DESC_FAST_ACCUM: return status_of(read_attribute(&desc->fast, v, n));
    case CUBLASLT_MATMUL_DESC_BIAS_TYPE: return status_of(read_attribute(&desc->bias_type, v, n));
    default: return BLAS_INVALID_VALUE;
  }
}

EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, int type, uint64_t rows, uint64_t columns,
                                                 int64_t ld) {
  if (!layout || !known_type(type)) return BLAS_INVALID_VALUE;
  *layout = new Layout{type, rows, columns, ld};
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, int attr, const void *v, size_t n) {
  if (!layout || !v) return BLAS_INVALID_VALUE;
  switch (attr) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return status_of(read_attribute(&layout->batches, v, n) && layout->batches > 0);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return status_of(read_attribute(&layout->stride, v, n));
    default: return BLAS_INVALID_VALUE;
  }
}

EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref) {
  if (!pref) return BLAS_INVALID_VALUE;
  *pref = new cublasLtMatmulPreferenceOpaque();
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref, int attr, const void *v, size_t n) {
  if (!pref || !v) return BLAS_INVALID_VALUE;
  if (attr == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return status_of(read_attribute(&pref->workspace, v, n));
  if (attr == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return status_of(read_attribute(&pref->schemes, v, n));
  if (attr >= PREF_ALIGNMENT_A && attr <= PREF_ALIGNMENT_D) {
    return status_of(read_attribute(&pref->alignment[attr - PREF_ALIGNMENT_A], v, n));
  }
  return BLAS_INVALID_VALUE;
}

EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref) {
  delete pref;
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                                     cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t pref, int wanted,
                                                     cublasLtMatmulHeuristicResult_t *results, int *found) {
  Sizes s;
  if (!handle || !desc || !a || !b || !c || !d || !pref || wanted < 1 || !results || !found) return BLAS_INVALID_VALUE;
  *found = 0;
  if (!sizes_of(*desc, *a, *b, *c, *d, &s)) return BLAS_INVALID_VALUE;
  if (!computes(*desc, *a, *b, *d) || !takes_epilogue(*desc, *d, s.m)) return BLAS_NOT_SUPPORTED;
  if (is_float8(a->type) && has_bias(desc->epilogue) && d->type == CUDA_R_32F) return BLAS_NOT_SUPPORTED;
  for (int i = 0; i < wanted && i < ALGORITHMS; i++) {
    uint64_t workspace = pref->workspace < 4096 || i == ALGORITHMS - 1 ? 0 : 4096;
    Algorithm algorithm = {ALGORITHM, s.m, s.n, s.k, workspace, {}, 0};
    memcpy(algorithm.alignment, pref->alignment, sizeof algorithm.alignment);
    results[i] = {};
    memcpy(&results[i].algo, &algorithm, sizeof algorithm);
    results[i].workspaceSize = workspace;
    *found = i + 1;
  }
  return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                                     cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                                     const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                                     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *workspace,
                                     size_t workspace_bytes, CUstream stream) {
  if (!handle || !desc || !alpha || !beta || !a_layout || !b_layout || !c_layout || !d_layout) return BLAS_INVALID_VALUE;
  Product p = {*desc, *a_layout, *b_layout, *c_layout, *d_layout, {}, a, b, c, d, 0, 0};
  if (!sizes_of(p.desc, p.a, p.b, p.c, p.d, &p.s)) return BLAS_INVALID_VALUE;
  if (!computes(p.desc, p.a, p.b, p.d)) return BLAS_NOT_SUPPORTED;
  for (const float *scale : p.desc.scales) {
    if (scale && !owns(scale, sizeof *scale)) return BLAS_INVALID_VALUE;
  }
  if (is_float8(p.a.type) && (((uintptr_t)a | (uintptr_t)b | (uintptr_t)d) % 16)) return BLAS_NOT_SUPPORTED;
  bool wide = p.desc.scale == CUDA_R_64F;
  p.alpha = wide ? *static_cast<const double *>(alpha) : *static_cast<const float *>(alpha);
  p.beta = wide ? *static_cast<const double *>(beta) : *static_cast<const float *>(beta);
  if (!takes_epilogue(p.desc, p.d, p.s.m)) return BLAS_NOT_SUPPORTED;
  int epilogue = p.desc.epilogue;
  uint64_t bias = has_bias(epilogue) || sums_rows(epilogue) ? p.s.m : epilogue == CUBLASLT_EPILOGUE_BGRADB ? p.s.n : 0;
  if (bias && !owns(p.desc.bias, bias * size_of(p.d.type))) return BLAS_INVALID_VALUE;
  if (epilogue & PART_AUX) {
    size_t elements = (size_t)p.desc.aux_ld * (p.s.n - 1) + p.s.m;
    if (!owns(p.desc.aux, is_relu(epilogue) ? (elements + 7) / 8 : elements * size_of(p.d.type))) return BLAS_INVALID_VALUE;
  }
  if (!owns(a, extent(p.a)) || !owns(b, extent(p.b)) || !owns(d, extent(p.d))) return BLAS_INVALID_VALUE;
  if (p.beta != 0 && !owns(c, extent(p.c))) return BLAS_INVALID_VALUE;
  if (algo) {
    Algorithm chosen;
    memcpy(&chosen, algo, sizeof chosen);
    const void *pointers[4] = {a, b, c, d};
    if (chosen.mark != ALGORITHM || chosen.m != p.s.m || chosen.n != p.s.n || chosen.k != p.s.k) return BLAS_INVALID_VALUE;
    if (chosen.workspace > workspace_bytes || (chosen.workspace && !owns(workspace, chosen.workspace))) return BLAS_INVALID_VALUE;
    for (int i = 0; i < 4; i++) {
      if ((uintptr_t)pointers[i] % chosen.alignment[i] != 0) return BLAS_NOT_SUPPORTED;
    }
  }
  return enqueue(stream, p) ? cublasStatus_t(CUBLAS_STATUS_SUCCESS) : cublasStatus_t(BLAS_EXECUTION_FAILED);
}
