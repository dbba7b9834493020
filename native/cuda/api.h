/*
 * The few declarations of CUDA's libraries that the shim uses, written by hand so that building needs no toolkit.
 *
 * Every function is a pointer in a table, filled by loader.c; a test holds these declarations against NVIDIA's headers
 * where those are installed. Names carry the version suffix of the exported symbol (cuMemAlloc_v2), which is stable since
 * CUDA 4.
 */
#ifndef CRESSET_CUDA_API_H
#define CRESSET_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

#include "cresset_cuda.h"

/* Driver */
typedef int CUresult;
typedef int CUdevice;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef unsigned long long CUdeviceptr;
typedef struct { char bytes[16]; } CUuuid;

enum {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704
};
enum {
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};
enum { CU_STREAM_NON_BLOCKING = 1, CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
enum { CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1, CU_STREAM_CAPTURE_MODE_RELAXED = 2 };
enum { CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8 };
#define CU_LAUNCH_PARAM_END ((void *)0)
#define CU_LAUNCH_PARAM_BUFFER_POINTER ((void *)1)
#define CU_LAUNCH_PARAM_BUFFER_SIZE ((void *)2)

#define DRIVER_FUNCTIONS(F)                                                                                   \
  F(CUresult, cuInit, (unsigned flags))                                                                       \
  F(CUresult, cuDriverGetVersion, (int *version))                                                             \
  F(CUresult, cuGetErrorString, (CUresult error, const char **text))                                          \
  F(CUresult, cuDeviceGetCount, (int *count))                                                                 \
  F(CUresult, cuDeviceGet, (CUdevice * device, int ordinal))                                                  \
  F(CUresult, cuDeviceGetName, (char *name, int size, CUdevice device))                                       \
  F(CUresult, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                             \
  F(CUresult, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                               \
  F(CUresult, cuCtxSetCurrent, (CUcontext context))                                                           \
  F(CUresult, cuCtxSynchronize, (void))                                                                       \
  F(CUresult, cuMemGetInfo_v2, (size_t *free, size_t *total))                                                 \
  F(CUresult, cuMemAlloc_v2, (CUdeviceptr * address, size_t bytes))                                           \
  F(CUresult, cuMemFree_v2, (CUdeviceptr address))                                                            \
  F(CUresult, cuMemHostAlloc, (void **address, size_t bytes, unsigned flags))                                 \
  F(CUresult, cuMemFreeHost, (void *address))                                                                 \
  F(CUresult, cuDeviceCanAccessPeer, (int *can, CUdevice device, CUdevice peer))                              \
  F(CUresult, cuCtxEnablePeerAccess, (CUcontext peer, unsigned flags))                                        \
  F(CUresult, cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))        \
  F(CUresult, cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))              \
  F(CUresult, cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))        \
  F(CUresult, cuMemcpyPeerAsync,                                                                              \
    (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, size_t bytes, CUstream stream)) \
  F(CUresult, cuMemsetD8Async, (CUdeviceptr address, unsigned char value, size_t bytes, CUstream stream))     \
  F(CUresult, cuStreamCreate, (CUstream * stream, unsigned flags))                                            \
  F(CUresult, cuStreamCreateWithPriority, (CUstream * stream, unsigned flags, int priority))                  \
  F(CUresult, cuStreamQuery, (CUstream stream))                                                               \
  F(CUresult, cuStreamSynchronize, (CUstream stream))                                                         \
  F(CUresult, cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))                            \
  F(CUresult, cuEventCreate, (CUevent * event, unsigned flags))                                               \
  F(CUresult, cuEventRecord, (CUevent event, CUstream stream))                                                \
  F(CUresult, cuEventQuery, (CUevent event))                                                                  \
  F(CUresult, cuEventSynchronize, (CUevent event))                                                            \
  F(CUresult, cuEventElapsedTime, (float *milliseconds, CUevent from, CUevent to))                            \
  F(CUresult, cuEventDestroy_v2, (CUevent event))                                                             \
  F(CUresult, cuModuleLoadData, (CUmodule * module, const void *image))                                       \
  F(CUresult, cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))                \
  F(CUresult, cuFuncSetAttribute, (CUfunction function, int attribute, int value))                            \
  F(CUresult, cuLaunchKernel,                                                                                 \
    (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
     unsigned block_z, unsigned shared, CUstream stream, void **parameters, void **extra))                    \
  F(CUresult, cuThreadExchangeStreamCaptureMode, (int *mode))                                                 \
  F(CUresult, cuStreamBeginCapture_v2, (CUstream stream, int mode))                                           \
  F(CUresult, cuStreamEndCapture, (CUstream stream, CUgraph *graph))                                          \
  F(CUresult, cuGraphInstantiateWithFlags, (CUgraphExec * exec, CUgraph graph, unsigned long long flags))     \
  F(CUresult, cuGraphLaunch, (CUgraphExec exec, CUstream stream))                                             \
  F(CUresult, cuGraphExecDestroy, (CUgraphExec exec))                                                         \
  F(CUresult, cuGraphDestroy, (CUgraph graph))

/* NVRTC */
typedef int nvrtcResult;
typedef struct nvrtc_program *nvrtcProgram;
enum { NVRTC_SUCCESS = 0 };

#define NVRTC_FUNCTIONS(F)                                                                                    \
  F(nvrtcResult, nvrtcVersion, (int *major, int *minor))                                                      \
  F(nvrtcResult, nvrtcGetNumSupportedArchs, (int *count))                                                     \
  F(nvrtcResult, nvrtcGetSupportedArchs, (int *capabilities))                                                 \
  F(const char *, nvrtcGetErrorString, (nvrtcResult error))                                                   \
  F(nvrtcResult, nvrtcCreateProgram,                                                                          \
    (nvrtcProgram * program, const char *source, const char *name, int count, const char *const *headers,     \
     const char *const *names))                                                                               \
  F(nvrtcResult, nvrtcCompileProgram, (nvrtcProgram program, int count, const char *const *options))          \
  F(nvrtcResult, nvrtcGetProgramLogSize, (nvrtcProgram program, size_t *size))                                \
  F(nvrtcResult, nvrtcGetProgramLog, (nvrtcProgram program, char *log))                                       \
  F(nvrtcResult, nvrtcGetCUBINSize, (nvrtcProgram program, size_t *size))                                     \
  F(nvrtcResult, nvrtcGetCUBIN, (nvrtcProgram program, char *cubin))                                          \
  F(nvrtcResult, nvrtcGetPTXSize, (nvrtcProgram program, size_t *size))                                       \
  F(nvrtcResult, nvrtcGetPTX, (nvrtcProgram program, char *ptx))                                              \
  F(nvrtcResult, nvrtcDestroyProgram, (nvrtcProgram * program))

/* cuBLASLt */
typedef int cublasStatus_t;
typedef void *cublasLtHandle_t;
typedef struct cublasLtMatmulDescOpaque *cublasLtMatmulDesc_t;
typedef struct cublasLtMatrixLayoutOpaque *cublasLtMatrixLayout_t;
typedef struct cublasLtMatmulPreferenceOpaque *cublasLtMatmulPreference_t;
typedef struct { uint64_t data[8]; } cublasLtMatmulAlgo_t;
typedef struct {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
} cublasLtMatmulHeuristicResult_t;
enum { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7, CUBLAS_STATUS_NOT_SUPPORTED = 15 };
enum { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2, CUDA_R_16BF = 14, CUDA_R_8F_E4M3 = 28, CUDA_R_8F_E5M2 = 29 };
enum { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_64F = 70, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_TRANSB = 4,
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
  CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER = 11,
  CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD = 12,
  CUBLASLT_MATMUL_DESC_A_SCALE_POINTER = 17,
  CUBLASLT_MATMUL_DESC_B_SCALE_POINTER = 18,
  CUBLASLT_MATMUL_DESC_FAST_ACCUM = 25
};
enum { CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6 };
enum {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5 /* then B, C, D */
};
enum { CUBLASLT_REDUCTION_SCHEME_NONE = 0, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };
enum {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_RELU = 2,
  CUBLASLT_EPILOGUE_BIAS = 4,
  CUBLASLT_EPILOGUE_RELU_BIAS = 6,
  CUBLASLT_EPILOGUE_GELU = 32,
  CUBLASLT_EPILOGUE_GELU_BIAS = 36,
  CUBLASLT_EPILOGUE_RELU_AUX = 130,
  CUBLASLT_EPILOGUE_RELU_AUX_BIAS = 134,
  CUBLASLT_EPILOGUE_DRELU = 136,
  CUBLASLT_EPILOGUE_DRELU_BGRAD = 152,
  CUBLASLT_EPILOGUE_GELU_AUX = 160,
  CUBLASLT_EPILOGUE_GELU_AUX_BIAS = 164,
  CUBLASLT_EPILOGUE_DGELU = 192,
  CUBLASLT_EPILOGUE_DGELU_BGRAD = 208,
  CUBLASLT_EPILOGUE_BGRADB = 512
};

#define CUBLASLT_FUNCTIONS(F)                                                                                 \
  F(size_t, cublasLtGetVersion, (void))                                                                       \
  F(cublasStatus_t, cublasLtCreate, (cublasLtHandle_t * handle))                                              \
  F(cublasStatus_t, cublasLtMatmulDescCreate, (cublasLtMatmulDesc_t * desc, int compute, int scale))          \
  F(cublasStatus_t, cublasLtMatmulDescSetAttribute, (cublasLtMatmulDesc_t desc, int attr, const void *v, size_t n)) \
  F(cublasStatus_t, cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t desc))                                   \
  F(cublasStatus_t, cublasLtMatrixLayoutCreate,                                                               \
    (cublasLtMatrixLayout_t * layout, int type, uint64_t rows, uint64_t columns, int64_t ld))                 \
  F(cublasStatus_t, cublasLtMatrixLayoutSetAttribute, (cublasLtMatrixLayout_t layout, int attr, const void *v, size_t n)) \
  F(cublasStatus_t, cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t layout))                             \
  F(cublasStatus_t, cublasLtMatmulPreferenceCreate, (cublasLtMatmulPreference_t * pref))                      \
  F(cublasStatus_t, cublasLtMatmulPreferenceSetAttribute,                                                     \
    (cublasLtMatmulPreference_t pref, int attr, const void *v, size_t n))                                     \
  F(cublasStatus_t, cublasLtMatmulPreferenceDestroy, (cublasLtMatmulPreference_t pref))                       \
  F(cublasStatus_t, cublasLtMatmulAlgoGetHeuristic,                                                           \
    (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,  \
     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t pref, int wanted,         \
     cublasLtMatmulHeuristicResult_t *results, int *found))                                                   \
  F(cublasStatus_t, cublasLtMatmul,                                                                           \
    (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,                    \
     cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,       \
     const void *c, cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,                \
     const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, CUstream stream))

/* cuDNN: its graph API, and the convolution functions that version 9 still exports. */
typedef int cudnnStatus_t;
typedef struct cudnnContext *cudnnHandle_t;
typedef void *cudnnBackendDescriptor_t;
typedef struct cudnnTensorStruct *cudnnTensorDescriptor_t;
typedef struct cudnnFilterStruct *cudnnFilterDescriptor_t;
typedef struct cudnnConvolutionStruct *cudnnConvolutionDescriptor_t;
typedef struct {
  int algo;
  cudnnStatus_t status;
  float time;
  size_t memory;
  int determinism;
  int mathType;
  int reserved[3];
} cudnnConvolutionAlgoPerf_t;
enum { CUDNN_STATUS_SUCCESS = 0, CUDNN_STATUS_NOT_SUPPORTED = 3000 };
enum { CUDNN_DATA_FLOAT = 0, CUDNN_DATA_DOUBLE = 1, CUDNN_DATA_HALF = 2, CUDNN_DATA_BFLOAT16 = 9 };
enum { CUDNN_TENSOR_NCHW = 0, CUDNN_TENSOR_NHWC = 1, CUDNN_CROSS_CORRELATION = 1 };
enum { CUDNN_DEFAULT_MATH = 0, CUDNN_TENSOR_OP_MATH = 1, CUDNN_FMA_MATH = 3 };
enum { CUDNN_NON_DETERMINISTIC = 0, CUDNN_DETERMINISTIC = 1 };
enum {
  CUDNN_BACKEND_POINTWISE_DESCRIPTOR = 0,
  CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR = 1,
  CUDNN_BACKEND_ENGINE_DESCRIPTOR = 2,
  CUDNN_BACKEND_ENGINECFG_DESCRIPTOR = 3,
  CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR = 4,
  CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR = 5,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR = 10,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR = 11,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR = 12,
  CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR = 13,
  CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR = 15,
  CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR = 16,
  CUDNN_BACKEND_TENSOR_DESCRIPTOR = 17
};
enum {
  CUDNN_TYPE_HANDLE = 0,
  CUDNN_TYPE_DATA_TYPE = 1,
  CUDNN_TYPE_BOOLEAN = 2,
  CUDNN_TYPE_INT64 = 3,
  CUDNN_TYPE_FLOAT = 4,
  CUDNN_TYPE_DOUBLE = 5,
  CUDNN_TYPE_VOID_PTR = 6,
  CUDNN_TYPE_CONVOLUTION_MODE = 7,
  CUDNN_TYPE_HEUR_MODE = 8,
  CUDNN_TYPE_NUMERICAL_NOTE = 11,
  CUDNN_TYPE_POINTWISE_MODE = 14,
  CUDNN_TYPE_BACKEND_DESCRIPTOR = 15
};
enum {
  CUDNN_ATTR_POINTWISE_MODE = 0,
  CUDNN_ATTR_POINTWISE_MATH_PREC = 1,
  CUDNN_ATTR_CONVOLUTION_COMP_TYPE = 100,
  CUDNN_ATTR_CONVOLUTION_CONV_MODE = 101,
  CUDNN_ATTR_CONVOLUTION_DILATIONS = 102,
  CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES = 103,
  CUDNN_ATTR_CONVOLUTION_POST_PADDINGS = 104,
  CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS = 105,
  CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS = 106,
  CUDNN_ATTR_ENGINEHEUR_MODE = 200,
  CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH = 201,
  CUDNN_ATTR_ENGINEHEUR_RESULTS = 202,
  CUDNN_ATTR_ENGINECFG_ENGINE = 300,
  CUDNN_ATTR_EXECUTION_PLAN_HANDLE = 400,
  CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG = 401,
  CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE = 402,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA = 700,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA = 701,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC = 702,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W = 703,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X = 704,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y = 705,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA = 706,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA = 707,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC = 708,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W = 709,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX = 710,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY = 711,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA = 712,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA = 713,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC = 714,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW = 715,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X = 716,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY = 717,
  CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR = 750,
  CUDNN_ATTR_OPERATION_POINTWISE_XDESC = 751,
  CUDNN_ATTR_OPERATION_POINTWISE_BDESC = 752,
  CUDNN_ATTR_OPERATION_POINTWISE_YDESC = 753,
  CUDNN_ATTR_OPERATIONGRAPH_HANDLE = 800,
  CUDNN_ATTR_OPERATIONGRAPH_OPS = 801,
  CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT = 900,
  CUDNN_ATTR_TENSOR_DATA_TYPE = 901,
  CUDNN_ATTR_TENSOR_DIMENSIONS = 902,
  CUDNN_ATTR_TENSOR_STRIDES = 903,
  CUDNN_ATTR_TENSOR_UNIQUE_ID = 906,
  CUDNN_ATTR_TENSOR_IS_VIRTUAL = 907,
  CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS = 1000,
  CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS = 1001,
  CUDNN_ATTR_VARIANT_PACK_WORKSPACE = 1003,
  CUDNN_ATTR_ENGINE_NUMERICAL_NOTE = 1303
};
enum {
  CUDNN_POINTWISE_ADD = 0,
  CUDNN_NUMERICAL_NOTE_TENSOR_CORE = 0,
  CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS = 1,
  CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC = 4,
  CUDNN_HEUR_MODE_FALLBACK = 2,
  CUDNN_HEUR_MODE_A = 3
};

#define CUDNN_FUNCTIONS(F)                                                                                    \
  F(size_t, cudnnGetVersion, (void))                                                                          \
  F(const char *, cudnnGetErrorString, (cudnnStatus_t status))                                                \
  F(void, cudnnGetLastErrorString, (char *message, size_t size))                                              \
  F(cudnnStatus_t, cudnnCreate, (cudnnHandle_t * handle))                                                     \
  F(cudnnStatus_t, cudnnSetStream, (cudnnHandle_t handle, CUstream stream))                                   \
  F(cudnnStatus_t, cudnnBackendCreateDescriptor, (int type, cudnnBackendDescriptor_t * made))                 \
  F(cudnnStatus_t, cudnnBackendDestroyDescriptor, (cudnnBackendDescriptor_t desc))                            \
  F(cudnnStatus_t, cudnnBackendFinalize, (cudnnBackendDescriptor_t desc))                                     \
  F(cudnnStatus_t, cudnnBackendSetAttribute,                                                                  \
    (cudnnBackendDescriptor_t desc, int attribute, int type, int64_t count, const void *values))              \
  F(cudnnStatus_t, cudnnBackendGetAttribute,                                                                  \
    (cudnnBackendDescriptor_t desc, int attribute, int type, int64_t wanted, int64_t *count, void *values))   \
  F(cudnnStatus_t, cudnnBackendExecute,                                                                       \
    (cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack))                     \
  F(cudnnStatus_t, cudnnCreateTensorDescriptor, (cudnnTensorDescriptor_t * desc))                             \
  F(cudnnStatus_t, cudnnSetTensorNdDescriptor,                                                                \
    (cudnnTensorDescriptor_t desc, int type, int rank, const int *sizes, const int *strides))                 \
  F(cudnnStatus_t, cudnnDestroyTensorDescriptor, (cudnnTensorDescriptor_t desc))                              \
  F(cudnnStatus_t, cudnnCreateFilterDescriptor, (cudnnFilterDescriptor_t * desc))                             \
  F(cudnnStatus_t, cudnnSetFilterNdDescriptor,                                                                \
    (cudnnFilterDescriptor_t desc, int type, int format, int rank, const int *sizes))                         \
  F(cudnnStatus_t, cudnnDestroyFilterDescriptor, (cudnnFilterDescriptor_t desc))                              \
  F(cudnnStatus_t, cudnnCreateConvolutionDescriptor, (cudnnConvolutionDescriptor_t * desc))                   \
  F(cudnnStatus_t, cudnnSetConvolutionNdDescriptor,                                                           \
    (cudnnConvolutionDescriptor_t desc, int rank, const int *pad, const int *stride, const int *dilation,     \
     int mode, int compute))                                                                                  \
  F(cudnnStatus_t, cudnnSetConvolutionGroupCount, (cudnnConvolutionDescriptor_t desc, int groups))            \
  F(cudnnStatus_t, cudnnSetConvolutionMathType, (cudnnConvolutionDescriptor_t desc, int type))                \
  F(cudnnStatus_t, cudnnDestroyConvolutionDescriptor, (cudnnConvolutionDescriptor_t desc))                    \
  F(cudnnStatus_t, cudnnGetConvolutionForwardAlgorithm_v7,                                                    \
    (cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t c, \
     cudnnTensorDescriptor_t y, int wanted, int *found, cudnnConvolutionAlgoPerf_t *results))                 \
  F(cudnnStatus_t, cudnnGetConvolutionBackwardDataAlgorithm_v7,                                               \
    (cudnnHandle_t handle, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c, \
     cudnnTensorDescriptor_t dx, int wanted, int *found, cudnnConvolutionAlgoPerf_t *results))                \
  F(cudnnStatus_t, cudnnGetConvolutionBackwardFilterAlgorithm_v7,                                             \
    (cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c, \
     cudnnFilterDescriptor_t dw, int wanted, int *found, cudnnConvolutionAlgoPerf_t *results))                \
  F(cudnnStatus_t, cudnnConvolutionForward,                                                                   \
    (cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc, const void *x,                  \
     cudnnFilterDescriptor_t w_desc, const void *w, cudnnConvolutionDescriptor_t c, int algo, void *workspace, \
     size_t bytes, const void *beta, cudnnTensorDescriptor_t y_desc, void *y))                                \
  F(cudnnStatus_t, cudnnConvolutionBackwardData,                                                              \
    (cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w_desc, const void *w,                  \
     cudnnTensorDescriptor_t dy_desc, const void *dy, cudnnConvolutionDescriptor_t c, int algo, void *workspace, \
     size_t bytes, const void *beta, cudnnTensorDescriptor_t dx_desc, void *dx))                              \
  F(cudnnStatus_t, cudnnConvolutionBackwardFilter,                                                            \
    (cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_desc, const void *x,                  \
     cudnnTensorDescriptor_t dy_desc, const void *dy, cudnnConvolutionDescriptor_t c, int algo, void *workspace, \
     size_t bytes, const void *beta, cudnnFilterDescriptor_t dw_desc, void *dw))

/* NCCL */
typedef int ncclResult_t;
typedef struct ncclComm *ncclComm_t;
enum { ncclSuccess = 0 };
enum { ncclSum = 0, ncclProd = 1, ncclMax = 2, ncclMin = 3, ncclAvg = 4 };
enum {
  ncclInt8 = 0,
  ncclUint8 = 1,
  ncclInt32 = 2,
  ncclInt64 = 4,
  ncclFloat16 = 6,
  ncclFloat32 = 7,
  ncclFloat64 = 8,
  ncclBfloat16 = 9
};

#define NCCL_FUNCTIONS(F)                                                                                     \
  F(ncclResult_t, ncclGetVersion, (int *version))                                                             \
  F(const char *, ncclGetErrorString, (ncclResult_t result))                                                  \
  F(ncclResult_t, ncclCommInitAll, (ncclComm_t * comms, int count, const int *devices))                       \
  F(ncclResult_t, ncclCommDestroy, (ncclComm_t comm))                                                         \
  F(ncclResult_t, ncclGroupStart, (void))                                                                     \
  F(ncclResult_t, ncclGroupEnd, (void))                                                                       \
  F(ncclResult_t, ncclAllReduce,                                                                              \
    (const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, CUstream stream))           \
  F(ncclResult_t, ncclReduce,                                                                                 \
    (const void *from, void *to, size_t count, int type, int op, int root, ncclComm_t comm, CUstream stream)) \
  F(ncclResult_t, ncclBroadcast,                                                                              \
    (const void *from, void *to, size_t count, int type, int root, ncclComm_t comm, CUstream stream))         \
  F(ncclResult_t, ncclAllGather,                                                                              \
    (const void *from, void *to, size_t count, int type, ncclComm_t comm, CUstream stream))                   \
  F(ncclResult_t, ncclReduceScatter,                                                                          \
    (const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, CUstream stream))

/* cuSOLVER: singular values by Jacobi rotations. */
typedef int cusolverStatus_t;
typedef struct cusolverDnContext *cusolverDnHandle_t;
typedef struct gesvdjInfo *gesvdjInfo_t;
enum { CUSOLVER_STATUS_SUCCESS = 0, CUSOLVER_EIG_MODE_VECTOR = 1 };

/* One precision: S and float, D and double. Matrices are column-major. */
#define CUSOLVER_GESVDJ(F, P, T)                                                                              \
  F(cusolverStatus_t, cusolverDn##P##gesvdj_bufferSize,                                                       \
    (cusolverDnHandle_t handle, int vectors, int thin, int m, int n, const T *a, int lda, const T *s, const T *u, \
     int ldu, const T *v, int ldv, int *work_count, gesvdjInfo_t params))                                     \
  F(cusolverStatus_t, cusolverDn##P##gesvdj,                                                                  \
    (cusolverDnHandle_t handle, int vectors, int thin, int m, int n, T *a, int lda, T *s, T *u, int ldu, T *v, \
     int ldv, T *work, int work_count, int *info, gesvdjInfo_t params))                                       \
  F(cusolverStatus_t, cusolverDn##P##gesvdjBatched_bufferSize,                                                \
    (cusolverDnHandle_t handle, int vectors, int m, int n, const T *a, int lda, const T *s, const T *u, int ldu, \
     const T *v, int ldv, int *work_count, gesvdjInfo_t params, int batches))                                 \
  F(cusolverStatus_t, cusolverDn##P##gesvdjBatched,                                                           \
    (cusolverDnHandle_t handle, int vectors, int m, int n, T *a, int lda, T *s, T *u, int ldu, T *v, int ldv, \
     T *work, int work_count, int *info, gesvdjInfo_t params, int batches))

#define CUSOLVER_FUNCTIONS(F)                                                                                 \
  F(cusolverStatus_t, cusolverGetVersion, (int *version))                                                     \
  F(cusolverStatus_t, cusolverDnCreate, (cusolverDnHandle_t * handle))                                        \
  F(cusolverStatus_t, cusolverDnSetStream, (cusolverDnHandle_t handle, CUstream stream))                      \
  F(cusolverStatus_t, cusolverDnCreateGesvdjInfo, (gesvdjInfo_t * params))                                    \
  CUSOLVER_GESVDJ(F, S, float)                                                                                \
  CUSOLVER_GESVDJ(F, D, double)

/* cuFFT: transforms of interleaved complex numbers along one dimension. */
typedef int cufftResult;
typedef int cufftHandle;
enum { CUFFT_SUCCESS = 0, CUFFT_C2C = 41, CUFFT_Z2Z = 105 };
/* CUFFT_FORWARD and CUFFT_INVERSE, which are macros there. */
enum { FFT_FORWARD = -1, FFT_INVERSE = 1 };
#define CUFFT_FUNCTIONS(F)                                                                                    \
  F(cufftResult, cufftGetVersion, (int *version))                                                             \
  F(cufftResult, cufftCreate, (cufftHandle * plan))                                                           \
  F(cufftResult, cufftSetAutoAllocation, (cufftHandle plan, int automatic))                                   \
  F(cufftResult, cufftMakePlanMany,                                                                           \
    (cufftHandle plan, int rank, int *n, int *inembed, int istride, int idist, int *onembed, int ostride,     \
     int odist, int type, int batch, size_t *bytes))                                                          \
  F(cufftResult, cufftSetWorkArea, (cufftHandle plan, void *memory))                                          \
  F(cufftResult, cufftSetStream, (cufftHandle plan, CUstream stream))                                         \
  F(cufftResult, cufftExecC2C, (cufftHandle plan, void *from, void *to, int direction))                       \
  F(cufftResult, cufftExecZ2Z, (cufftHandle plan, void *from, void *to, int direction))                       \
  F(cufftResult, cufftDestroy, (cufftHandle plan))

#define DECLARE_POINTER(result, name, parameters) result(*name) parameters;
typedef struct {
  DRIVER_FUNCTIONS(DECLARE_POINTER)
} Driver;
typedef struct {
  NVRTC_FUNCTIONS(DECLARE_POINTER)
} Nvrtc;
typedef struct {
  CUBLASLT_FUNCTIONS(DECLARE_POINTER)
} CublasLt;
typedef struct {
  CUDNN_FUNCTIONS(DECLARE_POINTER)
} Cudnn;
typedef struct {
  CUSOLVER_FUNCTIONS(DECLARE_POINTER)
} Cusolver;
typedef struct {
  CUFFT_FUNCTIONS(DECLARE_POINTER)
} Cufft;
typedef struct {
  NCCL_FUNCTIONS(DECLARE_POINTER)
} Nccl;
#undef DECLARE_POINTER

extern Driver driver;
extern Nvrtc nvrtc;
extern CublasLt cublaslt;
extern Cudnn cudnn;
extern Cusolver cusolver;
extern Cufft cufft;
extern Nccl nccl;

/* Whether library `which` is open; if not, sets the error text to say what is missing and where it was looked for. */
int library_ready(int which);

/* Sets the error text of the calling thread. */
void set_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Reports a driver error as a status; CUDA_SUCCESS is CRESSET_CUDA_OK. */
int32_t driver_status(CUresult result, const char *call);

/* A stream with what belongs to it: what it launches runs in order, so it has scratch memory of its own. */
typedef struct {
  CUstream handle;
  CUdeviceptr workspace;
  size_t workspace_bytes;
} Stream;

/* Copies to the device pass through a ring of pinned pieces; one is used again once the copies out of it are done. */
enum { STAGING_PIECES = 4 };
typedef struct {
  char *memory;
  size_t used;
  CUevent left; /* recorded after the last copy out of it */
  CUstream stream; /* which the copies out of it are on; NULL if there are none */
} Staging;

/* A recorded graph and the pinned memory that its copies read at every replay. */
typedef struct Pinned {
  struct Pinned *next;
  size_t used, bytes;
  char memory[];
} Pinned;
/* Scratch memory that a graph's kernels use at every replay: its own, since several graphs may be replayed at once. */
typedef struct Workspace {
  struct Workspace *next;
  CUdeviceptr address;
  size_t bytes;
} Workspace;
typedef struct {
  CUgraphExec exec;
  Pinned *pinned;
  Workspace *workspaces; /* the largest first */
} Graph;

/* Pinned memory for one read that nobody waits for: the fault word, then the bytes. */
typedef struct Reading {
  struct Reading *next; /* of those that are free */
  CUevent done;
  size_t bytes;
  char *memory;
} Reading;

/* A plan of cuFFT, which is given memory to work in at every call; captured graphs use it for good. */
typedef struct FftPlan {
  struct FftPlan *next;
  cufftHandle handle;
  size_t bytes; /* that it works in */
  int type, n, step, distance, batch, captured;
} FftPlan;

/* One opened device. */
typedef struct {
  CUcontext context;
  CUstream stream; /* the current stream's handle: what everything is launched on */
  Stream *current;
  Stream first;   /* the default stream */
  int capability; /* major × 10 + minor */
  void *reading;  /* pinned memory for copies from the device that are waited for */
  CUevent filled[2]; /* recorded after the last copy into each half of it */
  Reading *free_readings;
  Staging staging[STAGING_PIECES];
  int piece;        /* the one in use */
  Graph *capturing; /* what is launched goes here, on `stream` */
  cublasLtHandle_t blas;
  cudnnHandle_t dnn;
  cusolverDnHandle_t solver;
  gesvdjInfo_t jacobi; /* its parameters: the library's defaults */
  FftPlan *plans;      /* of Fourier transforms, the last used first */
} Device;

/* The opened device `ordinal`, its context made current; NULL with the error text set if it is not open. */
Device *device_at(int32_t ordinal);
/* Must be called after a call of a library that may have changed the current context. */
void device_forget_current(void);
/* Scratch memory of at least `bytes` on the device, valid until the next call on the current stream (or in the graph that is
   captured); 0 where there is no memory. */
CUdeviceptr device_workspace(Device *device, size_t bytes);

/* The calling thread's argument arena: each worker has its own. */
extern __thread double *arena;

#endif
