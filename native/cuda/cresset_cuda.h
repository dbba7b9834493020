/*
 * The C ABI of the CUDA shim: device, memory, streams, events, NVRTC, launches, cuBLASLt, cuDNN.
 *
 * The shim is built by a bare `cc` and links nothing of CUDA: it declares the few functions it needs and opens the
 * libraries at run time. Everything is asynchronous on one stream per device, except where it says so.
 *
 * Conventions: addresses, handles and byte counts travel as double (exact below 2^53), small numbers as int32_t. Results
 * are a status (0, or negative: see CRESSET_CUDA_* below) unless said otherwise; the text of the last failure of the
 * calling thread is given by cresset_cuda_error. Calls with many arguments read them from the argument arena, an array of
 * doubles registered once.
 */
#ifndef CRESSET_CUDA_H
#define CRESSET_CUDA_H

#include <stdint.h>

#define CRESSET_CUDA_ABI 1

enum {
  CRESSET_CUDA_OK = 0,
  CRESSET_CUDA_NO_LIBRARY = -1, /* a needed library is missing; the text names it */
  CRESSET_CUDA_NO_DEVICE = -2,  /* no such device */
  CRESSET_CUDA_MEMORY = -3,     /* out of device memory */
  CRESSET_CUDA_COMPILE = -4,    /* NVRTC refused a kernel; the text is its log */
  CRESSET_CUDA_FAULT = -5,      /* the driver or a library reported an error, perhaps of an earlier launch */
  CRESSET_CUDA_ARGUMENT = -6    /* the call itself is wrong: our bug */
};

/* Libraries, for cresset_cuda_open and cresset_cuda_library. */
enum { LIB_DRIVER, LIB_NVRTC, LIB_CUBLASLT, LIB_CUDNN, LIB_CUSOLVER, LIB_CUFFT, LIB_NCCL, LIB_COUNT };

#define CRESSET_CUDA __attribute__((visibility("default")))

/* The version of this interface: CRESSET_CUDA_ABI. */
CRESSET_CUDA int32_t cresset_cuda_abi(void);
/* Registers the argument arena, which must outlive all calls. */
CRESSET_CUDA int32_t cresset_cuda_set_arena(double *arena);
/* Copies the text of the last failure, NUL-terminated; returns its length. */
CRESSET_CUDA int32_t cresset_cuda_error(uint8_t *text, int32_t size);

/* Opens the libraries. `folders`: NUL-separated folders to look in first (count of them). Returns a bit set of those found. */
CRESSET_CUDA int32_t cresset_cuda_open(const uint8_t *folders, int32_t count);
/* Describes library `which`: writes "path", or where it was looked for, NUL-terminated; returns its version (0: not found). */
CRESSET_CUDA int32_t cresset_cuda_library(int32_t which, uint8_t *text, int32_t size);

/* The number of devices, or a negative status. */
CRESSET_CUDA int32_t cresset_cuda_device_count(void);
/* Opens device `ordinal`: its primary context and one stream. Idempotent. */
CRESSET_CUDA int32_t cresset_cuda_device_open(int32_t ordinal);
/* Writes the device's name and, into the arena: [compute capability × 10, multiprocessors, total bytes, free bytes, driver version]. */
CRESSET_CUDA int32_t cresset_cuda_device_info(int32_t ordinal, uint8_t *name, int32_t size);

/* Device memory from the driver: its address, or 0 when there is none left. */
CRESSET_CUDA double cresset_cuda_alloc(int32_t device, double bytes);
/* Returns it; waits for the device. */
CRESSET_CUDA int32_t cresset_cuda_free(int32_t device, double address);
/* Copies to the device through pinned memory; `source` may be reused at once. */
CRESSET_CUDA int32_t cresset_cuda_write(int32_t device, double address, const uint8_t *source, double bytes);
/* Copies from the device; waits for everything before it. */
CRESSET_CUDA int32_t cresset_cuda_read(int32_t device, double address, uint8_t *target, double bytes);
/* Copies between devices. */
CRESSET_CUDA int32_t cresset_cuda_copy_peer(int32_t to_device, double to, int32_t from_device, double from, double bytes);
/* Sets bytes. */
CRESSET_CUDA int32_t cresset_cuda_fill(int32_t device, double address, int32_t value, double bytes);
/* Waits for the device; reports faults of earlier launches. */
CRESSET_CUDA int32_t cresset_cuda_synchronize(int32_t device);

/* Events: a handle, or 0. */
CRESSET_CUDA double cresset_cuda_event(int32_t device);
CRESSET_CUDA int32_t cresset_cuda_event_record(int32_t device, double event);
/* Milliseconds between two recorded events, waiting for the second; negative on failure. */
CRESSET_CUDA double cresset_cuda_event_elapsed(double from, double to);
CRESSET_CUDA int32_t cresset_cuda_event_destroy(double event);

/* Compiles CUDA C for the device to cubin, kept until the next compile: its size, or a negative status. */
CRESSET_CUDA double cresset_cuda_compile(int32_t device, const uint8_t *source, int32_t length);
/* Copies the cubin of the last compile. */
CRESSET_CUDA int32_t cresset_cuda_cubin(uint8_t *target, double bytes);
/* Loads a cubin: a handle, or 0. */
CRESSET_CUDA double cresset_cuda_module(int32_t device, const uint8_t *cubin, double bytes);
/* A kernel of a module by name (NUL-terminated): a handle, or 0. */
CRESSET_CUDA double cresset_cuda_function(double module, const uint8_t *name);
/* Launches a kernel whose single parameter is a block of `slots` 8-byte slots, read from the arena. */
CRESSET_CUDA int32_t cresset_cuda_launch(int32_t device, double function, int32_t grid_x, int32_t grid_y, int32_t grid_z,
                                         int32_t threads, int32_t shared_bytes, int32_t slots);

/* Graphs: what is launched between begin and end is recorded; the graph's handle, or 0. */
CRESSET_CUDA int32_t cresset_cuda_capture_begin(int32_t device);
CRESSET_CUDA double cresset_cuda_capture_end(int32_t device);
CRESSET_CUDA int32_t cresset_cuda_graph_launch(int32_t device, double graph);
CRESSET_CUDA int32_t cresset_cuda_graph_destroy(double graph);

/*
 * out = alpha · a @ b + beta · out (row-major m×k, k×n, m×n), by cuBLASLt. Arena: [a, b, out, m, n, k, lda, ldb, ldo,
 * transpose_a, transpose_b, batches, stride_a, stride_b, stride_o, alpha, beta, bias (address or 0), epilogue (0 none, 1
 * bias, 2 relu, 3 bias+relu, 4 gelu (tanh), 5 bias+gelu)]; leading dimensions and strides in elements. `dtype`: 6 float16,
 * 7 bfloat16, 8 float32, 9 float64 (the codes of src/base/dtype.ts). `tf32`: allow it for float32.
 */
CRESSET_CUDA int32_t cresset_cuda_matmul(int32_t device, int32_t dtype, int32_t tf32);

/*
 * Convolution by cuDNN. `kind`: 0 forward, 1 gradient by the input, 2 gradient by the weight. Arena: [x, weight, y, rank,
 * groups, n, c, then `rank` each of: input sizes, output channels (one), kernel sizes, output sizes, stride, padding,
 * dilation]; x, y are the input and output (or their gradients), dense, channels first.
 */
CRESSET_CUDA int32_t cresset_cuda_conv(int32_t device, int32_t dtype, int32_t kind, int32_t tf32);

/*
 * Singular value decomposition by cuSOLVER's Jacobi rotations. Arena: [a, s, u, v, info, batches, m, n, thin]; a is
 * `batches` column-major m×n matrices, which are overwritten, k = min(m, n). `thin` 1: u is m×k and v n×k (one call per
 * matrix); 0: u is m×m and v n×n, and neither m nor n may exceed 32 (one call for all). All are column-major and dense.
 * info: an int32 per matrix, 0 where it converged. `dtype`: 8 float32, 9 float64.
 */
CRESSET_CUDA int32_t cresset_cuda_svd(int32_t device, int32_t dtype);

#endif
