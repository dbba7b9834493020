/*
 * The symbols of the CPU kernel library: the same in cpu.wasm and in the native library.
 *
 * Every parameter is a double (addresses, counts) or an int32; every result is an int32 status (status.h) or a
 * double. Strided operands travel in the argument arena `cresset_args`. One section per .c file, one owner each.
 *
 *   CRESSET_KERNEL  an exported kernel: compiled once per vector level (build.ts renames it per level by macro and
 *                   generates a dispatcher that calls the level chosen at run time)
 *   CRESSET_SHARED  a function shared between .c files, compiled per level and not exported
 *   CRESSET_HOST    an exported function of a file that is compiled once (its text contains `CRESSET_ONCE`)
 *
 * build.ts reads these declarations, so each stands on one line (or ends in `);` after continuation lines).
 */
#ifndef CRESSET_H
#define CRESSET_H

#include <stddef.h>
#include <stdint.h>

#include "dtype.h"
#include "status.h"

#if defined(_WIN32)
#define CRESSET_EXPORT __declspec(dllexport)
#else
#define CRESSET_EXPORT __attribute__((visibility("default")))
#endif
#define CRESSET_KERNEL CRESSET_EXPORT
#define CRESSET_HOST CRESSET_EXPORT
#define CRESSET_SHARED

/* Converts an address that was passed as a double to a pointer. */
#define POINTER(type, address) ((type *)(uintptr_t)(address))

/* ---- memory.c: the arena, segments, copies between JavaScript and kernel memory (compiled once) ---- */

/* Slots of the argument arena. */
#define CRESSET_ARENA 4096
/* Deno's workers share one library, so state that is kept between calls belongs to a thread. */
#if defined(__wasm__)
#define CRESSET_THREAD_LOCAL
#else
#define CRESSET_THREAD_LOCAL _Thread_local
#endif

/* The argument arena: a static array in wasm, a JavaScript buffer per thread in native code. Tasks of parallel_for must
   not read it: they run on other threads. */
extern CRESSET_THREAD_LOCAL double *cresset_args;

/* The version of this interface; src/backend/cpu/lib.ts refuses a library with another one. */
#define CRESSET_ABI 3
CRESSET_HOST int32_t cresset_abi(void);
/* Registers the arena (native). */
CRESSET_HOST int32_t cresset_set_arena(double *buffer);
/* The address of the arena. */
CRESSET_HOST double cresset_arena(void);
/* Allocates a segment of `bytes` from the system, aligned to 64 bytes; returns its address, or 0 where there is
   none. */
CRESSET_HOST double cresset_alloc_segment(double bytes);
/* Frees a segment (in wasm also a part of one); returns 1, or 0 where the memory could not be returned to the
   system. */
CRESSET_HOST int32_t cresset_free_segment(double address, double bytes);
/* The size in bytes of the largest segment that may be available; in native code the process's address space. */
CRESSET_HOST double cresset_largest_segment(void);
/* Copies from a JavaScript buffer (native; wasm is written through views). */
CRESSET_HOST int32_t cresset_write(double address, const uint8_t *source, double bytes);
/* Copies to a JavaScript buffer (native). */
CRESSET_HOST int32_t cresset_read(double address, uint8_t *target, double bytes);
/* Scratch memory of the calling thread, of at least `bytes`, valid until the next call with the same slot (0 to 7);
   NULL where there is no memory. Nested users take different slots: 0-1 machine/reduce/scan, 2-4 matmul/conv/pool, 5-7
   order/indexing/rows, 5-7 fft, 0 factor. */
#define SCRATCH_SLOTS 8
void *cresset_scratch(int32_t slot, int64_t bytes);

/* ---- threads.c: the thread pool (compiled once); on wasm everything runs inline ---- */

/* See threads.h for parallel_for. */
CRESSET_HOST int32_t cresset_set_threads(int32_t count);
CRESSET_HOST int32_t cresset_get_threads(void);
/* The vector level in use: 0 baseline (wasm, NEON), 1 SSE4.2, 2 AVX2+FMA, 3 AVX-512. */
CRESSET_HOST int32_t cresset_level(void);
/* Lowers the vector level (tests); native only. */
CRESSET_HOST int32_t cresset_set_level(int32_t level);

/* ---- machine.c: maps of scalar expressions ---- */

/* arena: shape[ndim], then per operand (inputs, then outputs) address and strides[ndim], then 8 bytes per scalar. */
CRESSET_KERNEL int32_t cresset_pointwise(double program, int32_t ndim);

/* ---- reduce.c: map-reductions ---- */

/* As cresset_pointwise, with dimensions ordered kept first, then `nreduced` reduced ones; an output has strides for
   the kept dimensions only. combine: 0 sum, 1 prod, 2 max, 3 min, 4 any, 5 all. */
CRESSET_KERNEL int32_t cresset_reduce(double program, int32_t combine, int32_t ndim, int32_t nreduced);

/* ---- argreduce.c, scan.c ---- */

/* arena: shape[ndim] (the scanned dimension last), then per operand (x, indices, values) address and strides[ndim];
   the address 0 leaves an operand out. kind: 0 max, 1 min. */
CRESSET_KERNEL int32_t cresset_argreduce(int32_t kind, int32_t dtype, int32_t ndim);
/* Operands x, out, indices. kind: 0 sum, 1 prod, 2 max, 3 min, 4 logsumexp. */
CRESSET_KERNEL int32_t cresset_scan(int32_t kind, int32_t dtype, int32_t ndim, int32_t outDtype);

/* ---- matmul.c ---- */

/* out = alpha · a b + beta · out. arena: m, n, k, then address, row stride, column stride of a, b and out, then the
   batch sizes[nbatch], then the batch strides[nbatch] of a, b and out. */
CRESSET_KERNEL int32_t cresset_matmul(int32_t dtype, int32_t nbatch, double alpha, double beta);

/* ---- conv.c ---- */

/* Convolution of dense operands of one floating dtype. kind: 0 forward, 1 gradient of x, 2 gradient of the weight; what
   it computes is overwritten. arena: N, C, O, groups, addresses of x, weight, bias (0: none; forward only) and y, then
   input size, kernel, output size, stride, padding, dilation, `nspatial` (1 to 3) each. */
CRESSET_KERNEL int32_t cresset_conv(int32_t dtype, int32_t nspatial, int32_t kind);

/* ---- onednn.c (compiled once) ---- */

/* Sets the files that may be opened as oneDNN on first use: full paths, each ended by a zero byte, `bytes` in all,
   tried in order (native). Only the first call with a path has an effect. `spin`: leave the OpenMP runtime's waiting as
   it is. */
CRESSET_HOST int32_t cresset_onednn_paths(const uint8_t *list, int32_t bytes, int32_t spin);
/* The version of the oneDNN that was found, as major · 10000 + minor · 100 + patch; 0 without one. */
CRESSET_HOST int32_t cresset_onednn_version(void);
/* Turns oneDNN off (0) or on (1), for tests and benchmarks. */
CRESSET_HOST int32_t cresset_set_onednn(int32_t on);

/* ---- pool.c ---- */

/* Pooling of dense operands. kind: 0 maxima (all real dtypes but bool), 1 means, 2 the gradient of means (floating).
   arena: planes (batch · channels), addresses of x, y and indices (int64; kind 0) or scale (one factor per output
   position, float32, or float64 for float64), then per spatial dimension: input size, output size, dilation, then
   0, first start, step between starts, extent where windows are evenly spaced, else the address of a table of doubles
   (starts, then ends) and three ignored slots. Kind 2 reads y and overwrites x. */
CRESSET_KERNEL int32_t cresset_pool(int32_t dtype, int32_t nspatial, int32_t kind);

/* ---- order.c: sort, top k, binary search ---- */

/* The first `k` values in order along `dim` and their positions (int64); k = size sorts. Stable; NaN is the largest.
   arena: shape[ndim] of x, then x, values, indices: address and strides[ndim]. */
CRESSET_KERNEL int32_t cresset_sort(int32_t dtype, int32_t ndim, int32_t dim, double k, int32_t descending);
/* Positions (int64) where values belong in sorted rows of `n`. arena: shape[ndim] of values, then sorted (whose last
   stride steps through a row), values, out: address and strides[ndim]. */
CRESSET_KERNEL int32_t cresset_searchsorted(int32_t dtype, int32_t ndim, double n, int32_t right);

/* ---- indexing.c: positions that are data ---- */

/* Index tensors are int64 or int32. One out of range gives CRESSET_BAD_INDEX with arena[0] = index, arena[1] = size.
   mode: 0 set, 1 sum, 2 prod, 3 max, 4 min. */
/* out[i][j] = x[i][index[i][j]]. arena: shape[ndim] of index, then out, x, index; `extent`: the size of x along dim. */
CRESSET_KERNEL int32_t cresset_gather(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent);
/* out[i][index[i][j]] (mode)= src[i][j]. arena: shape[ndim] of index, then out, src, index. */
CRESSET_KERNEL int32_t cresset_scatter(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent);
/* Slices along `dim` chosen by a 1-d index; negative ones count from the end if `wrap`. arena: shape[ndim] of out, then out, x:
   address and strides[ndim], then index: address and stride. */
CRESSET_KERNEL int32_t cresset_index_select(int32_t dtype, int32_t indexDtype, int32_t ndim, int32_t dim, double extent, int32_t wrap);
/* The reverse of index_select: writes slices of src to out. arena: shape[ndim] of src, then src, out: address and
   strides[ndim], then index: address and stride. */
CRESSET_KERNEL int32_t cresset_index_put(int32_t dtype, int32_t indexDtype, int32_t mode, int32_t ndim, int32_t dim, double extent, int32_t wrap);
/* arena: shape[ndim], then x; the count is left in arena[0]. */
CRESSET_KERNEL int32_t cresset_count_nonzero(int32_t dtype, int32_t ndim);
/* Coordinates (int64) of the at most `capacity` elements that are not zero. arena: shape[ndim], then x, then
   out [count, ndim]: address and 2 strides. */
CRESSET_KERNEL int32_t cresset_nonzero(int32_t dtype, int32_t ndim, double capacity);

/* ---- rows.c: softmax of contiguous rows ---- */

/* Addresses of dense [rows, n] arrays; dtype float32 or float64; `log`: the logarithm of softmax. */
CRESSET_KERNEL int32_t cresset_softmax(int32_t dtype, int32_t log, double rows, double n, double x, double out);
CRESSET_KERNEL int32_t cresset_softmax_grad(int32_t dtype, int32_t log, double rows, double n, double grad, double output, double out);

/* ---- factor.c: factorizations of dense row-major matrices, dtype float32, float64 or their complex ones ---- */

/* `kind` of [batches, rows, columns] matrices at `a`, in place; `info` is the address of an int32 per matrix, or 0:
   0 LU: pivots, from 1, go to `b` (int32); info: the first zero pivot.
   1 Cholesky, lower; info: the order of the first leading minor that is not positive.
   2 QR: reflectors stay in `a`, their factors go to `b`.
   3 the orthogonal matrix of `flags` reflectors in the first columns of `a`, factors in `b`; rows >= columns >= flags.
   4 the solution of a triangular system with `a` [rows, rows], in place in `b` [rows, columns]; flags: 1 upper, 2 unit.
   5 eigenvalues (real) to `b`, vectors to `a`, of the Hermitian matrix of the lower triangle; flags: 1 values only; info: how
     many did not converge, -1 where an element is not finite.
   6 the same of any complex matrix, values complex. */
CRESSET_KERNEL int32_t cresset_factor(int32_t kind, int32_t dtype, double batches, double rows, double columns, double a, double b, double info, int32_t flags);
/* Addresses of dense [batches, rows, columns] matrices and of their U [rows, k], S [k] (real) and Vh [k, columns], k the
   smaller of the two. BAD_ARGUMENT when an element is not finite, UNSUPPORTED when it does not converge. */
CRESSET_KERNEL int32_t cresset_svd(int32_t dtype, double batches, double rows, double columns, double a, double u, double s, double vh);

/* ---- fft.c: Fourier transforms ---- */

/* Addresses of dense [outer, n, inner] arrays of interleaved complex numbers: along n, by e^(-2πi/n), or e^(2πi/n) if
   `inverse`, times `scale`; dtype (of the parts) float32 or float64; x and out are different memory. */
CRESSET_KERNEL int32_t cresset_fft(int32_t dtype, double outer, double n, double inner, double x, double out, int32_t inverse, double scale);

#endif
