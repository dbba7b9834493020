/*
 * Convolutions by cuDNN: forward, by the input, by the weight, for one to three spatial dimensions.
 *
 * A one-dimensional convolution is a two-dimensional one of height 1. Algorithms come from cuDNN's heuristics, which are
 * asked per call: they cost microseconds, and cuDNN caches what it finds.
 */
#include "api.h"

#include <string.h>

enum { FORWARD, BY_INPUT, BY_WEIGHT };
enum { MAX_RANK = 3, MAX_DIMS = MAX_RANK + 2, CHOICES = 8 };

static int32_t dnn_failed(cudnnStatus_t status, const char *call) {
  set_error("%s: %s", call, cudnn.cudnnGetErrorString(status));
  return CRESSET_CUDA_FAULT;
}

#define TRY(call)                                                  \
  do {                                                             \
    cudnnStatus_t status_ = cudnn.call;                            \
    if (status_ != CUDNN_STATUS_SUCCESS) return dnn_failed(status_, #call); \
  } while (0)

typedef struct {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
} Descriptors;

typedef struct {
  int rank, groups;
  int x[MAX_DIMS], y[MAX_DIMS], w[MAX_DIMS];
  int stride[MAX_RANK], padding[MAX_RANK], dilation[MAX_RANK];
} Geometry;

/* Reads the arena; see cresset_cuda.h. */
static int read_geometry(Geometry *g) {
  const double *v = arena + 3;
  int given = (int)v[0], lead;
  if (given < 1 || given > MAX_RANK) return 0;
  g->rank = given == 1 ? 2 : given;
  g->groups = (int)v[1];
  lead = g->rank - given; /* dimensions of size 1 put in front */
  g->x[0] = g->y[0] = (int)v[2];
  g->x[1] = (int)v[3];
  const double *input = v + 4, *channels = input + given, *kernel = channels + 1, *output = kernel + given;
  const double *stride = output + given, *padding = stride + given, *dilation = padding + given;
  g->w[0] = g->y[1] = (int)*channels;
  g->w[1] = g->x[1] / g->groups;
  for (int d = 0; d < g->rank; d++) {
    int real = d - lead;
    g->x[2 + d] = real < 0 ? 1 : (int)input[real];
    g->w[2 + d] = real < 0 ? 1 : (int)kernel[real];
    g->y[2 + d] = real < 0 ? 1 : (int)output[real];
    g->stride[d] = real < 0 ? 1 : (int)stride[real];
    g->padding[d] = real < 0 ? 0 : (int)padding[real];
    g->dilation[d] = real < 0 ? 1 : (int)dilation[real];
  }
  return 1;
}

static int32_t describe_tensor(cudnnTensorDescriptor_t *made, int type, int dims, const int *sizes) {
  int strides[MAX_DIMS];
  int step = 1;
  for (int d = dims - 1; d >= 0; d--) {
    strides[d] = step;
    step *= sizes[d];
  }
  TRY(cudnnCreateTensorDescriptor(made));
  TRY(cudnnSetTensorNdDescriptor(*made, type, dims, sizes, strides));
  return CRESSET_CUDA_OK;
}

static int32_t describe(Descriptors *d, const Geometry *g, int32_t dtype, int32_t tf32) {
  int type = dtype == 6 ? CUDNN_DATA_HALF : dtype == 7 ? CUDNN_DATA_BFLOAT16 : dtype == 9 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  int compute = dtype == 9 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  int math = dtype == 8 ? (tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH) : dtype == 9 ? CUDNN_DEFAULT_MATH : CUDNN_TENSOR_OP_MATH;
  int dims = g->rank + 2;
  int32_t status = describe_tensor(&d->x, type, dims, g->x);
  if (!status) status = describe_tensor(&d->y, type, dims, g->y);
  if (status) return status;
  TRY(cudnnCreateFilterDescriptor(&d->w));
  TRY(cudnnSetFilterNdDescriptor(d->w, type, CUDNN_TENSOR_NCHW, dims, g->w));
  TRY(cudnnCreateConvolutionDescriptor(&d->conv));
  TRY(cudnnSetConvolutionNdDescriptor(d->conv, g->rank, g->padding, g->stride, g->dilation, CUDNN_CROSS_CORRELATION, compute));
  TRY(cudnnSetConvolutionGroupCount(d->conv, g->groups));
  TRY(cudnnSetConvolutionMathType(d->conv, math));
  return CRESSET_CUDA_OK;
}

static void destroy(Descriptors *d) {
  if (d->conv) cudnn.cudnnDestroyConvolutionDescriptor(d->conv);
  if (d->w) cudnn.cudnnDestroyFilterDescriptor(d->w);
  if (d->y) cudnn.cudnnDestroyTensorDescriptor(d->y);
  if (d->x) cudnn.cudnnDestroyTensorDescriptor(d->x);
}

/* The fastest algorithm whose workspace can be had. */
static int32_t choose(Device *device, int32_t kind, const Descriptors *d, cudnnConvolutionAlgoPerf_t *chosen, CUdeviceptr *workspace) {
  cudnnConvolutionAlgoPerf_t results[CHOICES];
  int found = 0;
  if (kind == FORWARD) {
    TRY(cudnnGetConvolutionForwardAlgorithm_v7(device->dnn, d->x, d->w, d->conv, d->y, CHOICES, &found, results));
  } else if (kind == BY_INPUT) {
    TRY(cudnnGetConvolutionBackwardDataAlgorithm_v7(device->dnn, d->w, d->y, d->conv, d->x, CHOICES, &found, results));
  } else {
    TRY(cudnnGetConvolutionBackwardFilterAlgorithm_v7(device->dnn, d->x, d->y, d->conv, d->w, CHOICES, &found, results));
  }
  for (int i = 0; i < found; i++) {
    if (results[i].status != CUDNN_STATUS_SUCCESS) continue;
    *workspace = results[i].memory ? device_workspace(device, results[i].memory) : 0;
    if (results[i].memory && !*workspace) continue;
    *chosen = results[i];
    return CRESSET_CUDA_OK;
  }
  set_error("cuDNN has no algorithm for this convolution");
  return CRESSET_CUDA_FAULT;
}

static int32_t run(Device *device, int32_t kind, const Descriptors *d, int32_t dtype) {
  cudnnConvolutionAlgoPerf_t best;
  CUdeviceptr workspace = 0;
  int32_t status = choose(device, kind, d, &best, &workspace);
  if (status) return status;
  float one32 = 1, zero32 = 0;
  double one64 = 1, zero64 = 0;
  const void *one = dtype == 9 ? (void *)&one64 : (void *)&one32, *zero = dtype == 9 ? (void *)&zero64 : (void *)&zero32;
  void *x = (void *)(uintptr_t)arena[0], *w = (void *)(uintptr_t)arena[1], *y = (void *)(uintptr_t)arena[2];
  void *scratch = (void *)workspace;
  if (kind == FORWARD) {
    TRY(cudnnConvolutionForward(device->dnn, one, d->x, x, d->w, w, d->conv, best.algo, scratch, best.memory, zero, d->y, y));
  } else if (kind == BY_INPUT) {
    TRY(cudnnConvolutionBackwardData(device->dnn, one, d->w, w, d->y, y, d->conv, best.algo, scratch, best.memory, zero, d->x, x));
  } else {
    TRY(cudnnConvolutionBackwardFilter(device->dnn, one, d->x, x, d->y, y, d->conv, best.algo, scratch, best.memory, zero, d->w, w));
  }
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_conv(int32_t ordinal, int32_t dtype, int32_t kind, int32_t tf32) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUDNN)) return CRESSET_CUDA_NO_LIBRARY;
  Geometry geometry;
  memset(&geometry, 0, sizeof geometry);
  if (kind < FORWARD || kind > BY_WEIGHT || dtype < 6 || dtype > 9 || !read_geometry(&geometry)) {
    set_error("convolution: unknown kind %d, dtype %d or rank", kind, dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device->dnn) TRY(cudnnCreate(&device->dnn));
  TRY(cudnnSetStream(device->dnn, device->stream));
  Descriptors descriptors = {0};
  int32_t status = describe(&descriptors, &geometry, dtype, tf32);
  if (!status) status = run(device, kind, &descriptors, dtype);
  destroy(&descriptors);
  return status;
}
