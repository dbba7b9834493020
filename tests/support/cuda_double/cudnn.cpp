/*
 * `libcudnn`: convolutions computed naively, forward and both backward directions, any number of spatial dimensions.
 *
 * One walk serves all three: every triple (input, weight, output) that belongs together is visited, and the direction
 * says which of the three is the sum of products of the other two.
 */
#include <vector>

#include "double.h"

CUDNN_FUNCTIONS(DECLARE)

enum : cudnnStatus_t { DNN_NOT_INITIALIZED = 1001, DNN_BAD_PARAM = 2000, DNN_NOT_SUPPORTED = 3000, DNN_EXECUTION_FAILED = 5000 };
enum { MAX_DIMS = 8, WORKSPACE = 2048, ALGORITHM = 1 };

struct cudnnContext {
  CUstream stream = nullptr;
};

struct cudnnTensorStruct {
  int type = -1, rank = 0, sizes[MAX_DIMS] = {}, strides[MAX_DIMS] = {};
};

struct cudnnFilterStruct {
  int type = -1, rank = 0, sizes[MAX_DIMS] = {};
};

struct cudnnConvolutionStruct {
  int rank = 0, pad[MAX_DIMS] = {}, stride[MAX_DIMS] = {}, dilation[MAX_DIMS] = {}, groups = 1, compute = -1, math = 0;
};

namespace {

using Tensor = cudnnTensorStruct;
using Filter = cudnnFilterStruct;
using Convolution = cudnnConvolutionStruct;

enum Direction { FORWARD, BY_INPUT, BY_WEIGHT };

size_t size_of(int type) { return type == CUDNN_DATA_DOUBLE ? 8 : type == CUDNN_DATA_FLOAT ? 4 : 2; }
bool known_type(int type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

double load(const void *p, int type, size_t at) {
  switch (type) {
    case CUDNN_DATA_DOUBLE: return static_cast<const double *>(p)[at];
    case CUDNN_DATA_FLOAT: return static_cast<const float *>(p)[at];
    case CUDNN_DATA_HALF: return half_to_float(static_cast<const uint16_t *>(p)[at]);
    default: return bfloat_to_float(static_cast<const uint16_t *>(p)[at]);
  }
}

void store(void *p, int type, size_t at, double value) {
  switch (type) {
    case CUDNN_DATA_DOUBLE: static_cast<double *>(p)[at] = value; break;
    case CUDNN_DATA_FLOAT: static_cast<float *>(p)[at] = (float)value; break;
    case CUDNN_DATA_HALF: static_cast<uint16_t *>(p)[at] = float_to_half((float)value); break;
    default: static_cast<uint16_t *>(p)[at] = float_to_bfloat((float)value); break;
  }
}

size_t extent(const int *sizes, const int *strides, int rank) {
  size_t last = 0;
  for (int d = 0; d < rank; d++) last += (size_t)(sizes[d] - 1) * (size_t)strides[d];
  return last + 1;
}

/* Whether the four descriptors describe one convolution. */
bool fits(const Tensor &x, const Filter &w, const Convolution &c, const Tensor &y) {
  if (c.rank < 2 || c.rank > 3 || x.rank != c.rank + 2 || y.rank != x.rank || w.rank != x.rank) return false;
  if (x.type != w.type || x.type != y.type) return false;
  if (c.compute != (x.type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) return false;
  if (x.sizes[0] != y.sizes[0] || w.sizes[1] * c.groups != x.sizes[1] || w.sizes[0] != y.sizes[1]) return false;
  if (w.sizes[0] % c.groups != 0) return false;
  for (int d = 0; d < c.rank; d++) {
    int reach = (w.sizes[2 + d] - 1) * c.dilation[d] + 1, space = x.sizes[2 + d] + 2 * c.pad[d] - reach;
    if (space < 0 || space / c.stride[d] + 1 != y.sizes[2 + d]) return false;
  }
  return true;
}

struct Job {
  Direction direction;
  Tensor x, y;
  Filter w;
  Convolution c;
  const void *x_data, *w_data, *y_data;
  void *out;
  double alpha, beta;

  size_t spatial(const int *sizes) const {
    size_t n = 1;
    for (int d = 0; d < c.rank; d++) n *= (size_t)sizes[2 + d];
    return n;
  }

  static void unravel(size_t index, const int *sizes, int rank, int *at) {
    for (int d = rank - 1; d >= 0; d--) {
      at[d] = (int)(index % (size_t)sizes[2 + d]);
      index /= (size_t)sizes[2 + d];
    }
  }

  /* The input's offset for an output's and a kernel's place; false in the padding. */
  bool input_offset(const int *out_at, const int *kernel_at, size_t *offset) const {
    *offset = 0;
    for (int d = 0; d < c.rank; d++) {
      int at = out_at[d] * c.stride[d] - c.pad[d] + kernel_at[d] * c.dilation[d];
      if (at < 0 || at >= x.sizes[2 + d]) return false;
      *offset += (size_t)at * (size_t)x.strides[2 + d];
    }
    return true;
  }

  template <typename T>
  void compute() const {
    const bool to_x = direction == BY_INPUT, to_w = direction == BY_WEIGHT;
    const size_t x_count = extent(x.sizes, x.strides, x.rank), y_count = extent(y.sizes, y.strides, y.rank);
    const size_t kernel = spatial(w.sizes), places = spatial(y.sizes), per_filter = (size_t)w.sizes[1] * kernel;
    std::vector<T> xs(x_count), ws((size_t)w.sizes[0] * per_filter), ys(y_count);
    for (size_t i = 0; i < xs.size() && !to_x; i++) xs[i] = (T)load(x_data, x.type, i);
    for (size_t i = 0; i < ws.size() && !to_w; i++) ws[i] = (T)load(w_data, w.type, i);
    for (size_t i = 0; i < ys.size() && direction != FORWARD; i++) ys[i] = (T)load(y_data, y.type, i);
    const int outs = w.sizes[0] / c.groups;
    int out_at[MAX_DIMS], kernel_at[MAX_DIMS];
    for (size_t place = 0; place < places; place++) {
      unravel(place, y.sizes, c.rank, out_at);
      size_t y_offset = 0;
      for (int d = 0; d < c.rank; d++) y_offset += (size_t)out_at[d] * (size_t)y.strides[2 + d];
      for (size_t k = 0; k < kernel; k++) {
        size_t x_offset;
        unravel(k, w.sizes, c.rank, kernel_at);
        if (!input_offset(out_at, kernel_at, &x_offset)) continue;
        for (int n = 0; n < y.sizes[0]; n++) {
          for (int o = 0; o < w.sizes[0]; o++) {
            for (int i = 0; i < w.sizes[1]; i++) {
              T &xv = xs[x_offset + (size_t)n * (size_t)x.strides[0] + (size_t)(o / outs * w.sizes[1] + i) * (size_t)x.strides[1]];
              T &wv = ws[(size_t)o * per_filter + (size_t)i * kernel + k];
              T &yv = ys[y_offset + (size_t)n * (size_t)y.strides[0] + (size_t)o * (size_t)y.strides[1]];
              if (to_x) xv += wv * yv;
              else if (to_w) wv += xv * yv;
              else yv += xv * wv;
            }
          }
        }
      }
    }
    write(to_x ? xs : to_w ? ws : ys);
  }

  template <typename T>
  void write(const std::vector<T> &values) const {
    for (size_t i = 0; i < values.size(); i++) {
      double value = alpha * values[i];
      if (beta != 0) value += beta * load(out, x.type, i);
      store(out, x.type, i, value);
    }
  }

  void operator()() const {
    if (x.type == CUDNN_DATA_DOUBLE) compute<double>();
    else compute<float>();
  }

  bool owned() const {
    size_t item = size_of(x.type), weights = 1;
    for (int d = 0; d < w.rank; d++) weights *= (size_t)w.sizes[d];
    return owns(x_data, item * extent(x.sizes, x.strides, x.rank)) && owns(w_data, item * weights) &&
           owns(y_data, item * extent(y.sizes, y.strides, y.rank));
  }
};

cudnnStatus_t recommend(const Tensor *x, const Filter *w, const Convolution *c, const Tensor *y, int wanted, int *found,
                        cudnnConvolutionAlgoPerf_t *results) {
  if (!x || !w || !c || !y || wanted < 1 || !found || !results || !fits(*x, *w, *c, *y)) return DNN_BAD_PARAM;
  results[0] = {};
  results[0].algo = ALGORITHM;
  results[0].memory = WORKSPACE;
  results[0].mathType = c->math;
  *found = 1;
  if (wanted < 2) return CUDNN_STATUS_SUCCESS;
  /* One that cannot be used, as cuDNN's lists have them. */
  results[1] = {};
  results[1].algo = 0;
  results[1].status = DNN_NOT_SUPPORTED;
  *found = 2;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t convolve(cudnnHandle_t handle, Direction direction, const void *alpha, const Tensor *x, const void *x_data,
                       const Filter *w, const void *w_data, const Convolution *c, int algo, void *workspace, size_t bytes,
                       const void *beta, const Tensor *y, const void *y_data) {
  if (!handle || !alpha || !beta || !x || !w || !c || !y || !fits(*x, *w, *c, *y)) return DNN_BAD_PARAM;
  if (algo != ALGORITHM) return DNN_NOT_SUPPORTED;
  if (bytes < WORKSPACE || !owns(workspace, bytes)) return DNN_BAD_PARAM;
  const void *out = direction == FORWARD ? y_data : direction == BY_INPUT ? x_data : w_data;
  Job job = {direction, *x, *y, *w, *c, x_data, w_data, y_data, const_cast<void *>(out), 0, 0};
  bool wide = x->type == CUDNN_DATA_DOUBLE;
  job.alpha = wide ? *static_cast<const double *>(alpha) : *static_cast<const float *>(alpha);
  job.beta = wide ? *static_cast<const double *>(beta) : *static_cast<const float *>(beta);
  if (!job.owned()) return DNN_BAD_PARAM;
  return enqueue(handle->stream, job) ? cudnnStatus_t(CUDNN_STATUS_SUCCESS) : cudnnStatus_t(DNN_EXECUTION_FAILED);
}

template <typename T>
cudnnStatus_t create(T **made) {
  if (!made) return DNN_BAD_PARAM;
  *made = new T();
  return CUDNN_STATUS_SUCCESS;
}

template <typename T>
cudnnStatus_t destroy(T *object) {
  delete object;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

EXPORT size_t cudnnGetVersion() { return 91500; }

EXPORT const char *cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS: return "CUDNN_STATUS_SUCCESS";
    case DNN_NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
    case DNN_BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
    case DNN_NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
    case DNN_EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
    default: return "CUDNN_UNKNOWN_STATUS";
  }
}

EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
  if (!driver_function<DoubleOwns>("cuda_double_owns")) return DNN_NOT_INITIALIZED;
  return create(handle);
}

EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, CUstream stream) {
  if (!handle) return DNN_BAD_PARAM;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *desc) { return create(desc); }

EXPORT cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t desc, int type, int rank, const int *sizes,
                                                const int *strides) {
  if (!desc || !known_type(type) || rank < 3 || rank > MAX_DIMS) return DNN_BAD_PARAM;
  desc->type = type;
  desc->rank = rank;
  for (int d = 0; d < rank; d++) {
    if (sizes[d] <= 0 || strides[d] <= 0) return DNN_BAD_PARAM;
    desc->sizes[d] = sizes[d];
    desc->strides[d] = strides[d];
  }
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t desc) { return destroy(desc); }
EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *desc) { return create(desc); }

EXPORT cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t desc, int type, int format, int rank, const int *sizes) {
  if (!desc || !known_type(type) || rank < 3 || rank > MAX_DIMS) return DNN_BAD_PARAM;
  if (format != CUDNN_TENSOR_NCHW) return DNN_NOT_SUPPORTED;
  desc->type = type;
  desc->rank = rank;
  for (int d = 0; d < rank; d++) {
    if (sizes[d] <= 0) return DNN_BAD_PARAM;
    desc->sizes[d] = sizes[d];
  }
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t desc) { return destroy(desc); }
EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *desc) { return create(desc); }

EXPORT cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t desc, int rank, const int *pad,
                                                     const int *stride, const int *dilation, int mode, int compute) {
  if (!desc || rank < 1 || rank > MAX_DIMS - 2) return DNN_BAD_PARAM;
  if (mode != CUDNN_CROSS_CORRELATION) return DNN_NOT_SUPPORTED;
  desc->rank = rank;
  desc->compute = compute;
  for (int d = 0; d < rank; d++) {
    if (pad[d] < 0 || stride[d] < 1 || dilation[d] < 1) return DNN_BAD_PARAM;
    desc->pad[d] = pad[d];
    desc->stride[d] = stride[d];
    desc->dilation[d] = dilation[d];
  }
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t desc, int groups) {
  if (!desc || groups < 1) return DNN_BAD_PARAM;
  desc->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t desc, int type) {
  if (!desc || type < CUDNN_DEFAULT_MATH || type > CUDNN_FMA_MATH) return DNN_BAD_PARAM;
  desc->math = type;
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t desc) { return destroy(desc); }

EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                            cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t c,
                                                            cudnnTensorDescriptor_t y, int wanted, int *found,
                                                            cudnnConvolutionAlgoPerf_t *results) {
  return handle ? recommend(x, w, c, y, wanted, found, results) : cudnnStatus_t(DNN_BAD_PARAM);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                                 cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                                 cudnnTensorDescriptor_t dx, int wanted, int *found,
                                                                 cudnnConvolutionAlgoPerf_t *results) {
  return handle ? recommend(dx, w, c, dy, wanted, found, results) : cudnnStatus_t(DNN_BAD_PARAM);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                                   cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                                   cudnnFilterDescriptor_t dw, int wanted, int *found,
                                                                   cudnnConvolutionAlgoPerf_t *results) {
  return handle ? recommend(x, dw, c, dy, wanted, found, results) : cudnnStatus_t(DNN_BAD_PARAM);
}

EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc,
                                             const void *x, cudnnFilterDescriptor_t w_desc, const void *w,
                                             cudnnConvolutionDescriptor_t c, int algo, void *workspace, size_t bytes,
                                             const void *beta, cudnnTensorDescriptor_t y_desc, void *y) {
  return convolve(handle, FORWARD, alpha, x_desc, x, w_desc, w, c, algo, workspace, bytes, beta, y_desc, y);
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w_desc,
                                                  const void *w, cudnnTensorDescriptor_t dy_desc, const void *dy,
                                                  cudnnConvolutionDescriptor_t c, int algo, void *workspace, size_t bytes,
                                                  const void *beta, cudnnTensorDescriptor_t dx_desc, void *dx) {
  return convolve(handle, BY_INPUT, alpha, dx_desc, dx, w_desc, w, c, algo, workspace, bytes, beta, dy_desc, dy);
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc,
                                                    const void *x, cudnnTensorDescriptor_t dy_desc, const void *dy,
                                                    cudnnConvolutionDescriptor_t c, int algo, void *workspace, size_t bytes,
                                                    const void *beta, cudnnFilterDescriptor_t dw_desc, void *dw) {
  return convolve(handle, BY_WEIGHT, alpha, x_desc, x, dw_desc, dw, c, algo, workspace, bytes, beta, dy_desc, dy);
}
