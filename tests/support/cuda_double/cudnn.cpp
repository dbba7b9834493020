/*
 * `libcudnn`: the older convolution functions, over the naive convolution of `convolution.h`. The graph API is in
 * `cudnn_graph.cpp`.
 */
#include <cstdio>
#include <cstdlib>

#include "convolution.h"

CUDNN_FUNCTIONS(DECLARE)

enum { WORKSPACE = 2048, ALGORITHM = 1 };

struct cudnnTensorStruct : Layout {};
struct cudnnFilterStruct : Layout {};
struct cudnnConvolutionStruct : Movement {
  int math = 0;
};

void dnn_log(const char *interface, const ConvolutionJob &job, const char *engine) {
  static const char *directions[] = {"forward", "input", "weight"};
  const char *path = getenv("CUDA_DOUBLE_DNN_LOG");
  FILE *file = path ? fopen(path, "a") : nullptr;
  if (!file) return;
  const char *format = job.x.strides[1] == 1 && job.x.sizes[1] > 1 ? "last" : "first";
  fprintf(file, "%s %s %s%s %s\n", interface, directions[job.direction], format, job.bias ? " bias" : "", engine);
  fclose(file);
}

namespace {

using Tensor = cudnnTensorStruct;
using Filter = cudnnFilterStruct;
using Convolution = cudnnConvolutionStruct;

/* What no algorithm of this library takes, so that callers need something else. */
bool refused(const Convolution &c) { return c.rank == 3 && c.groups > 1 && c.dilation[0] > 1; }

cudnnStatus_t recommend(const Tensor *x, const Filter *w, const Convolution *c, const Tensor *y, int wanted, int *found,
                        cudnnConvolutionAlgoPerf_t *results) {
  if (!x || !w || !c || !y || wanted < 1 || !found || !results || !dnn_fits(*x, *w, *c, *y)) return DNN_BAD_PARAM;
  if (refused(*c)) return DNN_NOT_SUPPORTED;
  results[0] = {};
  results[0].algo = ALGORITHM;
  results[0].memory = WORKSPACE;
  results[0].mathType = c->math;
  results[0].determinism = CUDNN_DETERMINISTIC;
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
  if (!handle || !alpha || !beta || !x || !w || !c || !y || !dnn_fits(*x, *w, *c, *y)) return DNN_BAD_PARAM;
  if (algo != ALGORITHM) return DNN_NOT_SUPPORTED;
  if (bytes < WORKSPACE || !owns(workspace, bytes)) return DNN_BAD_PARAM;
  ConvolutionJob job;
  job.direction = direction;
  job.x = *x;
  job.w = *w;
  job.y = *y;
  job.m = *c;
  job.x_data = x_data;
  job.w_data = w_data;
  job.y_data = y_data;
  bool wide = x->type == CUDNN_DATA_DOUBLE;
  job.alpha = wide ? *static_cast<const double *>(alpha) : *static_cast<const float *>(alpha);
  job.beta = wide ? *static_cast<const double *>(beta) : *static_cast<const float *>(beta);
  if (!job.owned()) return DNN_BAD_PARAM;
  dnn_log("older", job, "1");
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

EXPORT void cudnnGetLastErrorString(char *message, size_t size) {
  if (message && size > 0) message[0] = 0;
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
  if (!desc || !dnn_known_type(type) || rank < 3 || rank > DNN_MAX_DIMS) return DNN_BAD_PARAM;
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
  if (!desc || !dnn_known_type(type) || rank < 3 || rank > DNN_MAX_DIMS) return DNN_BAD_PARAM;
  if (format != CUDNN_TENSOR_NCHW && format != CUDNN_TENSOR_NHWC) return DNN_NOT_SUPPORTED;
  desc->type = type;
  desc->rank = rank;
  for (int d = 0; d < rank; d++) {
    if (sizes[d] <= 0) return DNN_BAD_PARAM;
    desc->sizes[d] = sizes[d];
  }
  int64_t step = 1;
  if (format == CUDNN_TENSOR_NHWC) desc->strides[1] = 1, step = sizes[1];
  for (int d = rank - 1; d >= 0; d--) {
    if (format == CUDNN_TENSOR_NHWC && d == 1) continue;
    desc->strides[d] = step;
    step *= sizes[d];
  }
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t desc) { return destroy(desc); }
EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *desc) { return create(desc); }

EXPORT cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t desc, int rank, const int *pad,
                                                     const int *stride, const int *dilation, int mode, int compute) {
  if (!desc || rank < 1 || rank > DNN_MAX_DIMS - 2) return DNN_BAD_PARAM;
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
