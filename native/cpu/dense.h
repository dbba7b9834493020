/* Common declarations of matrix products, convolution and pooling: vector types of the target's width, and the strided
   matrix product as a C function (`cresset_gemm`).

   A target is described by three facts only: the bytes of a vector register, how many there are, and how to multiply
   and add. Everything else is portable C with GCC vector extensions, compiled once for WebAssembly and several times
   for native vector levels. */
#ifndef CRESSET_DENSE_H
#define CRESSET_DENSE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __wasm__
#include <wasm_simd128.h>
#endif

#include "cresset.h"
#include "threads.h"

typedef ptrdiff_t isize;

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define VECTOR_REGISTERS 32
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define VECTOR_REGISTERS 16
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define VECTOR_REGISTERS 32
#else
#define VECTOR_BYTES 16
#define VECTOR_REGISTERS 16
#endif

/* Unaligned vectors: loads and stores through these types never need alignment. */
typedef float vf32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vf64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef int64_t vi64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline))
/* Loops over registers must be unrolled completely, or the compiler keeps the registers in memory. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* A loop too short to be worth vectorising. */
#if defined(__clang__)
#define SCALAR_LOOP _Pragma("clang loop vectorize(disable) unroll(disable)")
#else
#define SCALAR_LOOP
#endif

/* Scratch slots of this family (cresset.h): the tasks of a product, and what surrounds it. */
/* The machine's slot, idle during a convolution: float copies of half-precision operands. */
#define SCRATCH_COPIES 0
#define SCRATCH_GEMM 2
#define SCRATCH_OUTER 3
#define SCRATCH_EXTRA 4

INLINE isize min_size(isize a, isize b) { return a < b ? a : b; }

/*
 * c = alpha · a b + beta · c for matrices of one dtype with any strides (in elements, 0 and negative included).
 * With beta 0, c is not read. Accumulates in float (float16, bfloat16, float32), double or int64.
 */
typedef struct {
  int32_t dtype;
  isize m, n, k;
  const void *a;
  isize ars, acs;
  const void *b;
  isize brs, bcs;
  void *c;
  isize crs, ccs;
  double alpha, beta;
} Gemm;

/* Runs on the calling thread, with its scratch slot SCRATCH_GEMM. Returns a status. */
CRESSET_SHARED int32_t cresset_gemm(const Gemm *g);
/* The matrix product on all threads, by oneDNN where that is present and faster. */
CRESSET_SHARED int32_t cresset_gemm_parallel(const Gemm *g);

/* A tile of B may be read this many columns past its last one. */
#define TILE_SLACK 64
/* Bytes of a packed m x k matrix. */
CRESSET_SHARED size_t cresset_packed_size_f32(isize m, isize k);
CRESSET_SHARED size_t cresset_packed_size_f64(isize m, isize k);
/* Packs an m x k matrix of any strides for cresset_panels. */
CRESSET_SHARED void cresset_pack_rows_f32(float *to, const float *from, isize rs, isize ks, isize m, isize k);
CRESSET_SHARED void cresset_pack_rows_f64(double *to, const double *from, isize rs, isize ks, isize m, isize k);
/* c = packed · b + beta · c on the calling thread; rows of b are `ldb` apart, rows of c `crs`. */
CRESSET_SHARED void cresset_panels_f32(isize m, isize n, isize k, const float *packed, const float *b, isize ldb, float *c, isize crs, float beta);
CRESSET_SHARED void cresset_panels_f64(isize m, isize n, isize k, const double *packed, const double *b, isize ldb, double *c, isize crs, double beta);

/* Multiply-adds from which oneDNN's set-up is worth its speed. */
#define ONEDNN_WORK 2e6
/* onednn.c: 1 if the product was computed, 0 if oneDNN is absent or does not take it. */
int32_t cresset_onednn_sgemm(const Gemm *g);

/* A float32 convolution of dense operands; spatial arrays have three entries. kind: 0 forward, 1 input, 2 weight. */
typedef struct {
  int32_t kind;
  isize n, c, o, groups;
  const isize *in, *kernel, *out, *stride, *padding, *dilation;
  void *x, *weight;
  const void *bias;
  void *y;
} OneDnnConv;
int32_t cresset_onednn_conv(const OneDnnConv *v);

#endif
