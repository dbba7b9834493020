/* Common declarations of the two APIs for cuDNN's convolutions: the problem and its operands. */
#ifndef CRESSET_CUDA_DNN_H
#define CRESSET_CUDA_DNN_H

#include "api.h"

enum { FORWARD, BY_INPUT, BY_WEIGHT };
enum { MAX_RANK = 3, MAX_DIMS = MAX_RANK + 2 };
/* `modes` of cresset_cuda_conv. */
enum { CONV_TF32 = 1, CONV_CHANNELS_LAST = 2, CONV_MEASURE = 4, CONV_DETERMINISTIC = 8 };

/*
 * One convolution: everything that a plan depends on. Zeroed before it is filled, so that problems are the same if their
 * bytes are. A one-dimensional convolution is a two-dimensional one of height 1.
 */
typedef struct {
  int32_t device, dtype, kind, modes, bias, rank, groups, unused;
  int64_t x[MAX_DIMS], y[MAX_DIMS], w[MAX_DIMS];
  int64_t stride[MAX_RANK], padding[MAX_RANK], dilation[MAX_RANK];
  int32_t alignment[4]; /* of x, w, y and the bias: 16 bytes, or what their addresses have */
} Convolution;

/* The device addresses of the operands, the result among them. */
typedef struct {
  void *x, *w, *y, *bias;
} ConvOperands;

/* cuDNN's number of a dtype, and of the type that its convolutions are summed in. */
int conv_data_type(int32_t dtype);
int conv_compute_type(int32_t dtype);
/* The strides of a contiguous tensor in the problem's memory format. */
void conv_strides(const Convolution *c, const int64_t *sizes, int64_t *strides);
/* Sets the error text to what cuDNN says. */
int32_t dnn_failed(cudnnStatus_t status, const char *call);

/* The convolution by the graph API; CRESSET_CUDA_UNSUPPORTED where no engine can run it. */
int32_t conv_by_graph(Device *device, const Convolution *c, const ConvOperands *operands);

#endif
