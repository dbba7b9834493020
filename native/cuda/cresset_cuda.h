/*
 * The C ABI of the CUDA shim: device, memory, streams, events, NVRTC, launches, cuBLASLt, cuDNN.
 *
 * The shim is built by a bare `cc` and links nothing of CUDA: it declares the few functions it needs and opens the
 * libraries at run time. Everything is asynchronous on the device's current stream, except where it says so.
 *
 * Conventions: addresses, handles and byte counts travel as double (exact below 2^53), small numbers as int32_t. Results
 * are a status (0, or negative: see CRESSET_CUDA_* below) unless said otherwise; the text of the last failure of the
 * calling thread is given by cresset_cuda_error. Calls with many arguments read them from the argument arena, an array of
 * doubles registered once per thread.
 */
#ifndef CRESSET_CUDA_H
#define CRESSET_CUDA_H

#include <stdint.h>

#define CRESSET_CUDA_ABI 5

enum {
  CRESSET_CUDA_OK = 0,
  CRESSET_CUDA_NO_LIBRARY = -1, /* a needed library is missing; the text names it */
  CRESSET_CUDA_NO_DEVICE = -2,  /* no such device */
  CRESSET_CUDA_MEMORY = -3,     /* out of device memory */
  CRESSET_CUDA_COMPILE = -4,    /* NVRTC refused a kernel; the text is its log */
  CRESSET_CUDA_FAULT = -5,      /* the driver or a library reported an error, perhaps of an earlier launch */
  CRESSET_CUDA_ARGUMENT = -6,   /* the call itself is wrong: our bug */
  CRESSET_CUDA_UNSUPPORTED = -7 /* the library has nothing for this: the caller has another way */
};

/* Libraries, for cresset_cuda_open and cresset_cuda_library. */
enum { LIB_DRIVER, LIB_NVRTC, LIB_CUBLASLT, LIB_CUDNN, LIB_CUSOLVER, LIB_CUFFT, LIB_NCCL, LIB_COUNT };

#define CRESSET_CUDA __attribute__((visibility("default")))

/* The version of this interface: CRESSET_CUDA_ABI. */
CRESSET_CUDA int32_t cresset_cuda_abi(void);
/* Registers the calling thread's argument arena, which must outlive all its calls. */
CRESSET_CUDA int32_t cresset_cuda_set_arena(double *arena);
/* Copies the text of the last failure, NUL-terminated; returns its length. */
CRESSET_CUDA int32_t cresset_cuda_error(uint8_t *text, int32_t size);

/* Opens library `which` from a full path, unless it is open already; `before`: the full paths of libraries that must be
   open first with their symbols visible, NUL-terminated each, the last by two. Whether it is open. */
CRESSET_CUDA int32_t cresset_cuda_open(int32_t which, const uint8_t *path, const uint8_t *before);
/* Notes where libraries were looked for, for messages. */
CRESSET_CUDA int32_t cresset_cuda_searched(const uint8_t *text);
/* Describes library `which`: writes "path", or where it was looked for, NUL-terminated; returns its version (0: not found). */
CRESSET_CUDA int32_t cresset_cuda_library(int32_t which, uint8_t *text, int32_t size);

/* The number of devices, or a negative status. */
CRESSET_CUDA int32_t cresset_cuda_device_count(void);
/* Opens device `ordinal`: its primary context and one stream. Idempotent. */
CRESSET_CUDA int32_t cresset_cuda_device_open(int32_t ordinal);
/*
 * Writes the device's name and, into the arena: [compute capability × 10, multiprocessors, total bytes, free bytes, driver
 * version, bytes of shared memory that a block may have].
 */
CRESSET_CUDA int32_t cresset_cuda_device_info(int32_t ordinal, uint8_t *name, int32_t size);

/* Device memory from the driver: its address, or 0 when there is none left. */
CRESSET_CUDA double cresset_cuda_alloc(int32_t device, double bytes);
/* Frees memory; waits for the device. */
CRESSET_CUDA int32_t cresset_cuda_free(int32_t device, double address);
/*
 * Copies to the device through pinned memory; `source` may be reused at once. While a graph is captured, the graph keeps
 * the bytes and copies them at every replay.
 */
CRESSET_CUDA int32_t cresset_cuda_write(int32_t device, double address, const uint8_t *source, double bytes);
/* Copies from the device; waits for everything before it on the current stream. */
CRESSET_CUDA int32_t cresset_cuda_read(int32_t device, double address, uint8_t *target, double bytes);
/*
 * The same without waiting, for at most CRESSET_CUDA_READ bytes: a handle, or 0. 64 bytes at `fault` (0: none) are read
 * after it. `read_done`: 1 once both are there. `read_take` gives them, and the handle is gone.
 */
#define CRESSET_CUDA_READ 4194304
CRESSET_CUDA double cresset_cuda_read_begin(int32_t device, double address, double bytes, double fault);
CRESSET_CUDA int32_t cresset_cuda_read_done(int32_t device, double handle);
CRESSET_CUDA int32_t cresset_cuda_read_take(int32_t device, double handle, uint8_t *target, double bytes, uint8_t *fault);
/* Copies memory on one device. */
CRESSET_CUDA int32_t cresset_cuda_copy(int32_t device, double to, double from, double bytes);
/* Copies between devices, after what is on the source's current stream and before what comes next on either. */
CRESSET_CUDA int32_t cresset_cuda_copy_peer(int32_t to_device, double to, int32_t from_device, double from, double bytes);
/* Lets two open devices reach each other's memory: 1 if they can, 0 if copies between them go another way. */
CRESSET_CUDA int32_t cresset_cuda_peer(int32_t device, int32_t other);
/* Sets bytes of device memory to a value. */
CRESSET_CUDA int32_t cresset_cuda_fill(int32_t device, double address, int32_t value, double bytes);
/* Waits for all streams of the device; reports faults of earlier launches. */
CRESSET_CUDA int32_t cresset_cuda_synchronize(int32_t device);
/* Bytes free on the device, and in the arena: [free, total]. */
CRESSET_CUDA int32_t cresset_cuda_memory(int32_t device);

/* Streams: a handle, or 0 on failure. The handle 0 means the device's default stream. `priority`: 0, or -1 for a high one. */
CRESSET_CUDA double cresset_cuda_stream(int32_t device, int32_t priority);
/* Makes a stream the current one of its device. */
CRESSET_CUDA int32_t cresset_cuda_stream_use(int32_t device, double stream);
/* Makes later work on a stream wait for an event. */
CRESSET_CUDA int32_t cresset_cuda_stream_wait(int32_t device, double stream, double event);
/* 1 if everything on a stream is done, else 0. */
CRESSET_CUDA int32_t cresset_cuda_stream_query(int32_t device, double stream);
CRESSET_CUDA int32_t cresset_cuda_stream_synchronize(int32_t device, double stream);

/* Events: a handle, or 0. `timing`: whether its time is kept. */
CRESSET_CUDA double cresset_cuda_event(int32_t device, int32_t timing);
CRESSET_CUDA int32_t cresset_cuda_event_record(int32_t device, double stream, double event);
/* 1 if the work before the event is done, else 0. */
CRESSET_CUDA int32_t cresset_cuda_event_query(int32_t device, double event);
CRESSET_CUDA int32_t cresset_cuda_event_synchronize(int32_t device, double event);
/* Milliseconds between two recorded events, waiting for the second; negative on failure. */
CRESSET_CUDA double cresset_cuda_event_elapsed(double from, double to);
CRESSET_CUDA int32_t cresset_cuda_event_destroy(double event);

/*
 * Compiles CUDA C for the device to cubin (PTX where NVRTC knows none of the device's generation), kept until the next
 * compile: its size, or a negative status.
 */
CRESSET_CUDA double cresset_cuda_compile(int32_t device, const uint8_t *source, int32_t length);
/* Copies the code of the last compile. */
CRESSET_CUDA int32_t cresset_cuda_cubin(uint8_t *target, double bytes);
/* Loads compiled code as a module: a handle, or 0. */
CRESSET_CUDA double cresset_cuda_module(int32_t device, const uint8_t *cubin, double bytes);
/* A kernel of a module by name (NUL-terminated): a handle, or 0. */
CRESSET_CUDA double cresset_cuda_function(double module, const uint8_t *name);
/* Launches a kernel whose single parameter is a block of `slots` 8-byte slots, read from the arena. */
CRESSET_CUDA int32_t cresset_cuda_launch(int32_t device, double function, int32_t grid_x, int32_t grid_y, int32_t grid_z,
                                         int32_t threads, int32_t shared_bytes, int32_t slots);

/*
 * Graphs: what is issued to the current stream between begin and end is recorded; the graph's handle, or 0. Meanwhile
 * memory may be allocated and kernels be loaded, but nothing be freed, read or waited for.
 */
CRESSET_CUDA int32_t cresset_cuda_capture_begin(int32_t device);
CRESSET_CUDA double cresset_cuda_capture_end(int32_t device);
/* Issues a graph to the current stream. */
CRESSET_CUDA int32_t cresset_cuda_graph_launch(int32_t device, double graph);
/* Destroys a graph, once everything on the device is done. */
CRESSET_CUDA int32_t cresset_cuda_graph_destroy(int32_t device, double graph);

/*
 * out = alpha · a @ b + beta · out (row-major m×k, k×n, m×n), by cuBLASLt. Arena: [a, b, out, m, n, k, lda, ldb, ldo,
 * transpose_a, transpose_b, batches, stride_a, stride_b, stride_o, alpha, beta, bias (address or 0), epilogue, aux (address
 * or 0), its leading dimension]; leading dimensions and strides in elements. Epilogues: 0 none, 1 bias, 2 relu, 3 bias+relu,
 * 4 gelu (tanh), 5 bias+gelu; 6 to 9 the last four with what backward reads in aux (relu: a bit per element, rows of a
 * multiple of 128 bits; gelu: its argument, rows of a multiple of 8 elements); 10 relu's derivative by aux, 11 the same with
 * the sums of out's columns into bias, 12 and 13 gelu's; 14 the sums of a's rows into bias. `dtype`: 6 float16, 7 bfloat16, 8
 * float32, 9 float64 (the codes of src/base/dtype.ts). `modes`, a bit set: 1 tf32 for float32; 2 no sums of split products in
 * 16 bits; 4 measure candidates for a new problem and keep the fastest. CRESSET_CUDA_UNSUPPORTED: cuBLASLt has no kernel
 * for this; nothing was computed.
 */
CRESSET_CUDA int32_t cresset_cuda_matmul(int32_t device, int32_t dtype, int32_t modes);
/*
 * out = (a · scale_a) @ (bᵀ · scale_b) + bias for float8 a (m×k) and b (n×k), both row-major, by cuBLASLt on devices from
 * sm_89 on. Arena: [a, b, out, m, n, k, lda, ldb, ldo, scale_a, scale_b (addresses of one float32 each, or 0), bias (address
 * of n elements of out's dtype, or 0)]. dtypeA, dtypeB: 12 e4m3fn, 13 e5m2; `dtype` of out: 6, 7 or 8; `modes` as for matmul,
 * and 8: sums are kept in the tensor cores' own, lower precision. CRESSET_CUDA_UNSUPPORTED as for matmul.
 */
CRESSET_CUDA int32_t cresset_cuda_scaled_matmul(int32_t device, int32_t dtypeA, int32_t dtypeB, int32_t dtype, int32_t modes);

/*
 * Convolution by cuDNN. `kind`: 0 forward, 1 gradient by the input, 2 gradient by the weight. `modes`, added up: 1
 * TensorFloat-32 for float32, 2 channels last, 4 measure plans for a new problem and keep the fastest, 8 deterministic ones
 * only. Arena: [x, weight, y, bias (address or 0), rank, groups, n, c, then `rank` each of: input sizes, output channels
 * (one), kernel sizes, output sizes, stride, padding, dilation]; x, y are the input and output (or their gradients); all
 * are dense, channels first or, by `modes`, last. Writes into the arena: [whether the bias is still to be added].
 * CRESSET_CUDA_UNSUPPORTED: cuDNN has nothing for this problem.
 */
CRESSET_CUDA int32_t cresset_cuda_conv(int32_t device, int32_t dtype, int32_t kind, int32_t modes);

/*
 * NCCL, one process and several devices. `nccl_open` connects the devices in arena[0 … count): a handle, or 0; calls are
 * for ranks 0 … count in the same order. `nccl_collective` runs one collective on all of them, each on its device's
 * current stream. Arena: [kind (0 all-reduce, 1 reduce, 2 broadcast, 3 all-gather, 4 reduce-scatter), op (0 sum, 1 product,
 * 2 max, 3 min, 4 average), root, count, then per rank: source, target]. `count`: elements that each rank gives
 * (reduce-scatter: that each gets). `dtype` as for matmul, and 1 uint8, 2 int8, 4 int32, 5 int64, 0 bool.
 */
CRESSET_CUDA double cresset_cuda_nccl_open(int32_t count);
CRESSET_CUDA int32_t cresset_cuda_nccl_collective(double communicator, int32_t dtype);
CRESSET_CUDA int32_t cresset_cuda_nccl_close(double communicator);

/*
 * Singular value decomposition by cuSOLVER's Jacobi rotations. Arena: [a, s, u, v, info, batches, m, n, thin]; a is
 * `batches` column-major m×n matrices, which are overwritten, k = min(m, n). `thin` 1: u is m×k and v n×k (one call per
 * matrix); 0: u is m×m and v n×n, and neither m nor n may exceed 32 (one call for all). All are column-major and dense.
 * info: an int32 per matrix, 0 where it converged. `dtype`: 8 float32, 9 float64.
 */
CRESSET_CUDA int32_t cresset_cuda_svd(int32_t device, int32_t dtype);

/*
 * Fourier transforms by cuFFT, not scaled. Arena: [x, out, outer, n, inner]: dense arrays of interleaved complex numbers,
 * transformed along n, from one memory to another. `dtype` of the parts: 8 float32, 9 float64. CRESSET_CUDA_UNSUPPORTED:
 * too large for cuFFT. While a graph is captured only plans that exist can be used.
 */
CRESSET_CUDA int32_t cresset_cuda_fft(int32_t device, int32_t dtype, int32_t inverse);

#endif
