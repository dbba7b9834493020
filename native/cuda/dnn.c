/*
 * Convolutions by cuDNN: forward, by the input, by the weight, for one to three spatial dimensions.
 *
 * The graph API (dnn_graph.c) is asked first; what it has no plan for goes through the older functions, whose algorithms
 * come from cuDNN's heuristics, asked per call.
 */
#include "dnn.h"

#include <string.h>

enum { CHOICES = 8 };

int32_t dnn_failed(cudnnStatus_t status, const char *call) {
  char message[512] = "";
  cudnn.cudnnGetLastErrorString(message, sizeof message);
  set_error("%s: %s%s%s", call, cudnn.cudnnGetErrorString(status), *message ? ": " : "", message);
  return CRESSET_CUDA_FAULT;
}

#define TRY(call)                                                  \
  do {                                                             \
    cudnnStatus_t status_ = cudnn.call;                            \
    if (status_ != CUDNN_STATUS_SUCCESS) return dnn_failed(status_, #call); \
  } while (0)

int conv_data_type(int32_t dtype) {
  switch (dtype) {
    case 6: return CUDNN_DATA_HALF;
    case 7: return CUDNN_DATA_BFLOAT16;
    case 9: return CUDNN_DATA_DOUBLE;
    default: return CUDNN_DATA_FLOAT;
  }
}

int conv_compute_type(int32_t dtype) { return dtype == 9 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT; }

void conv_strides(const Convolution *c, const int64_t *sizes, int64_t *strides) {
  int64_t step = 1;
  int last = c->modes & CONV_CHANNELS_LAST;
  if (last) strides[1] = step, step *= sizes[1];
  for (int d = c->rank + 1; d >= 0; d--) {
    if (last && d == 1) continue;
    strides[d] = step;
    step *= sizes[d];
  }
}

/* The alignment of an address, up to 16 bytes. */
static int32_t alignment_of(const void *address) {
  int32_t alignment = 16;
  while ((uintptr_t)address % (uintptr_t)alignment) alignment /= 2;
  return alignment;
}

/* Reads the arena; see cresset_cuda.h. */
static int read_problem(Convolution *c, ConvOperands *operands) {
  const double *v = arena + 4;
  int given = (int)v[0], lead;
  void **addresses[] = {&operands->x, &operands->w, &operands->y, &operands->bias};
  for (int i = 0; i < 4; i++) {
    *addresses[i] = (void *)(uintptr_t)arena[i];
    c->alignment[i] = *addresses[i] ? alignment_of(*addresses[i]) : 0;
  }
  if (given < 1 || given > MAX_RANK) return 0;
  c->rank = given == 1 ? 2 : given;
  c->groups = (int)v[1];
  c->bias = operands->bias != NULL;
  lead = c->rank - given; /* dimensions of size 1 put in front */
  c->x[0] = c->y[0] = (int64_t)v[2];
  c->x[1] = (int64_t)v[3];
  const double *input = v + 4, *channels = input + given, *kernel = channels + 1, *output = kernel + given;
  const double *stride = output + given, *padding = stride + given, *dilation = padding + given;
  c->w[0] = c->y[1] = (int64_t)*channels;
  c->w[1] = c->x[1] / c->groups;
  for (int d = 0; d < c->rank; d++) {
    int real = d - lead;
    c->x[2 + d] = real < 0 ? 1 : (int64_t)input[real];
    c->w[2 + d] = real < 0 ? 1 : (int64_t)kernel[real];
    c->y[2 + d] = real < 0 ? 1 : (int64_t)output[real];
    c->stride[d] = real < 0 ? 1 : (int64_t)stride[real];
    c->padding[d] = real < 0 ? 0 : (int64_t)padding[real];
    c->dilation[d] = real < 0 ? 1 : (int64_t)dilation[real];
  }
  return 1;
}

/* ---------------------------------------------------------------- the older functions */

typedef struct {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
} Descriptors;

static void narrow(int *to, const int64_t *from, int count) {
  for (int i = 0; i < count; i++) to[i] = (int)from[i];
}

static int32_t describe_tensor(cudnnTensorDescriptor_t *made, const Convolution *c, const int64_t *sizes) {
  int64_t steps[MAX_DIMS];
  int dims = c->rank + 2, narrow_sizes[MAX_DIMS], strides[MAX_DIMS];
  conv_strides(c, sizes, steps);
  narrow(narrow_sizes, sizes, dims);
  narrow(strides, steps, dims);
  TRY(cudnnCreateTensorDescriptor(made));
  TRY(cudnnSetTensorNdDescriptor(*made, conv_data_type(c->dtype), dims, narrow_sizes, strides));
  return CRESSET_CUDA_OK;
}

static int32_t describe(Descriptors *d, const Convolution *c) {
  int tf32 = c->modes & CONV_TF32, format = c->modes & CONV_CHANNELS_LAST ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
  int math = c->dtype == 8 ? (tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH)
             : c->dtype == 9 ? CUDNN_DEFAULT_MATH
                             : CUDNN_TENSOR_OP_MATH;
  int sizes[MAX_DIMS], padding[MAX_RANK], stride[MAX_RANK], dilation[MAX_RANK];
  int32_t status = describe_tensor(&d->x, c, c->x);
  if (!status) status = describe_tensor(&d->y, c, c->y);
  if (status) return status;
  narrow(sizes, c->w, c->rank + 2);
  narrow(padding, c->padding, c->rank);
  narrow(stride, c->stride, c->rank);
  narrow(dilation, c->dilation, c->rank);
  TRY(cudnnCreateFilterDescriptor(&d->w));
  TRY(cudnnSetFilterNdDescriptor(d->w, conv_data_type(c->dtype), format, c->rank + 2, sizes));
  TRY(cudnnCreateConvolutionDescriptor(&d->conv));
  TRY(cudnnSetConvolutionNdDescriptor(d->conv, c->rank, padding, stride, dilation, CUDNN_CROSS_CORRELATION,
                                      conv_compute_type(c->dtype)));
  TRY(cudnnSetConvolutionGroupCount(d->conv, c->groups));
  TRY(cudnnSetConvolutionMathType(d->conv, math));
  return CRESSET_CUDA_OK;
}

static void destroy(Descriptors *d) {
  if (d->conv) cudnn.cudnnDestroyConvolutionDescriptor(d->conv);
  if (d->w) cudnn.cudnnDestroyFilterDescriptor(d->w);
  if (d->y) cudnn.cudnnDestroyTensorDescriptor(d->y);
  if (d->x) cudnn.cudnnDestroyTensorDescriptor(d->x);
}

static int32_t unsupported(void) {
  set_error("cuDNN has no algorithm for this convolution");
  return CRESSET_CUDA_UNSUPPORTED;
}

/* The first recommended algorithm whose workspace can be allocated. */
static int32_t choose(Device *device, const Convolution *c, const Descriptors *d, cudnnConvolutionAlgoPerf_t *chosen,
                      CUdeviceptr *workspace) {
  cudnnConvolutionAlgoPerf_t results[CHOICES];
  cudnnStatus_t status;
  int found = 0;
  if (c->kind == FORWARD) {
    status = cudnn.cudnnGetConvolutionForwardAlgorithm_v7(device->dnn, d->x, d->w, d->conv, d->y, CHOICES, &found, results);
  } else if (c->kind == BY_INPUT) {
    status = cudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(device->dnn, d->w, d->y, d->conv, d->x, CHOICES, &found, results);
  } else {
    status = cudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(device->dnn, d->x, d->y, d->conv, d->w, CHOICES, &found, results);
  }
  if (status == CUDNN_STATUS_NOT_SUPPORTED) return unsupported();
  if (status != CUDNN_STATUS_SUCCESS) return dnn_failed(status, "cudnnGetConvolutionAlgorithm");
  for (int i = 0; i < found; i++) {
    if (results[i].status != CUDNN_STATUS_SUCCESS) continue;
    if ((c->modes & CONV_DETERMINISTIC) && results[i].determinism != CUDNN_DETERMINISTIC) continue;
    *workspace = results[i].memory ? device_workspace(device, results[i].memory) : 0;
    if (results[i].memory && !*workspace) continue;
    *chosen = results[i];
    return CRESSET_CUDA_OK;
  }
  return unsupported();
}

static int32_t run(Device *device, const Convolution *c, const Descriptors *d, const ConvOperands *o) {
  cudnnConvolutionAlgoPerf_t best;
  CUdeviceptr workspace = 0;
  int32_t status = choose(device, c, d, &best, &workspace);
  if (status) return status;
  float one32 = 1, zero32 = 0;
  double one64 = 1, zero64 = 0;
  const void *one = c->dtype == 9 ? (void *)&one64 : (void *)&one32, *zero = c->dtype == 9 ? (void *)&zero64 : (void *)&zero32;
  void *scratch = (void *)workspace;
  if (c->kind == FORWARD) {
    TRY(cudnnConvolutionForward(device->dnn, one, d->x, o->x, d->w, o->w, d->conv, best.algo, scratch, best.memory, zero, d->y, o->y));
  } else if (c->kind == BY_INPUT) {
    TRY(cudnnConvolutionBackwardData(device->dnn, one, d->w, o->w, d->y, o->y, d->conv, best.algo, scratch, best.memory, zero, d->x, o->x));
  } else {
    TRY(cudnnConvolutionBackwardFilter(device->dnn, one, d->x, o->x, d->y, o->y, d->conv, best.algo, scratch, best.memory, zero, d->w, o->w));
  }
  return CRESSET_CUDA_OK;
}

/* ---------------------------------------------------------------- both */

/* Creates the cuDNN handle on first use and sets it to the current stream. */
static int32_t ready(Device *device) {
  if (!device->dnn) TRY(cudnnCreate(&device->dnn));
  TRY(cudnnSetStream(device->dnn, device->stream));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_conv(int32_t ordinal, int32_t dtype, int32_t kind, int32_t modes) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_CUDNN)) return CRESSET_CUDA_NO_LIBRARY;
  Convolution c;
  ConvOperands operands;
  memset(&c, 0, sizeof c);
  if (kind < FORWARD || kind > BY_WEIGHT || dtype < 6 || dtype > 9 || !read_problem(&c, &operands)) {
    set_error("convolution: unknown kind %d, dtype %d or rank", kind, dtype);
    return CRESSET_CUDA_ARGUMENT;
  }
  c.device = ordinal;
  c.dtype = dtype;
  c.kind = kind;
  c.modes = modes;
  int32_t status = ready(device);
  if (status) return status;
  /* A bias is added by the same kernel where an engine does that: they do in half precision, or with tensor cores. */
  int wanted = c.bias, fused = wanted && (dtype < 8 || (dtype == 8 && (modes & CONV_TF32)));
  status = fused ? conv_by_graph(device, &c, &operands) : CRESSET_CUDA_UNSUPPORTED;
  if (status == CRESSET_CUDA_UNSUPPORTED) {
    fused = 0;
    c.bias = 0;
    c.alignment[3] = 0;
    status = conv_by_graph(device, &c, &operands);
  }
  if (status == CRESSET_CUDA_UNSUPPORTED) {
    Descriptors descriptors = {0};
    status = describe(&descriptors, &c);
    if (!status) status = run(device, &c, &descriptors, &operands);
    destroy(&descriptors);
  }
  arena[0] = wanted && !fused;
  return status;
}
