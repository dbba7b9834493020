/*
 * CUDA C for the host compiler: what printed kernels use of it, included before each.
 *
 * No standard header is included: compiling a kernel then takes 0.1 s. Words like __shared__ that a macro can translate
 * are macros; what a macro cannot (asm, dynamic shared memory, entry points) is rewritten by nvrtc.cpp. Semantics are the
 * device's where they differ from C: conversions saturate, NaN gives the least 64-bit integer, halves round to nearest.
 */
#include "runtime.h"

#define CR_HIDDEN __attribute__((visibility("hidden")))
#define CR_EXPORT extern "C" __attribute__((visibility("default")))

CR_HIDDEN CrThread *cr_thread;
CR_HIDDEN alignas(1024) unsigned char cr_shared_memory[CR_SHARED_BYTES + CR_SHARED_GUARD];
CR_EXPORT CrThread **cr_slot() { return &cr_thread; }
CR_EXPORT unsigned char *cr_shared() { return cr_shared_memory; }

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __shared__ static
#define __grid_constant__
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __builtin_align__(n) alignas(n)
#define __CUDA_ARCH__ 900
#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define threadIdx (cr_thread->thread)
#define blockIdx (cr_thread->block)
#define blockDim (cr_thread->block_size)
#define gridDim (cr_thread->grid_size)
#define warpSize 32
#define CUDART_INF_F __builtin_inff()
#define CUDART_INF __builtin_inf()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

typedef unsigned long size_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
extern "C" {
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int printf(const char *, ...);
}

/* Bits */
template <typename To, typename From>
inline To cr_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
inline float __int_as_float(int x) { return cr_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return cr_bits<float>(x); }
inline int __float_as_int(float x) { return cr_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return cr_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return cr_bits<double>(x); }
inline long long __double_as_longlong(double x) { return cr_bits<long long>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
  return r;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) {
  n &= 31;
  return n == 0 ? high : high << n | low >> (32 - n);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) {
  n &= 31;
  return n == 0 ? low : low >> n | high << (32 - n);
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
  unsigned long long both = (unsigned long long)b << 32 | a;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) r |= (unsigned)(both >> (s >> 4 * i & 7) * 8 & 255) << 8 * i;
  return r;
}

/* Conversions: saturating; NaN gives 0 in 32 bits, the least value in 64. */
template <typename F>
inline long long cr_to_i64(F x) {
  if (!(x >= (F)-0x1p63)) return (long long)0x8000000000000000ull;
  return x >= (F)0x1p63 ? 0x7fffffffffffffffll : (long long)x;
}
template <typename F>
inline unsigned long long cr_to_u64(F x) {
  if (x != x) return 0x8000000000000000ull;
  return x <= 0 ? 0 : x >= (F)0x1p64 ? ~0ull : (unsigned long long)x;
}
template <typename F>
inline int cr_to_i32(F x) {
  return x != x ? 0 : x <= (F)-0x1p31 ? -0x7fffffff - 1 : x >= (F)0x1p31 ? 0x7fffffff : (int)x;
}
template <typename F>
inline unsigned cr_to_u32(F x) {
  return x != x || x <= 0 ? 0 : x >= (F)0x1p32 ? ~0u : (unsigned)x;
}
inline long long __float2ll_rz(float x) { return cr_to_i64(x); }
inline long long __double2ll_rz(double x) { return cr_to_i64(x); }
inline long long __float2ll_rn(float x) { return cr_to_i64(__builtin_rintf(x)); }
inline long long __double2ll_rn(double x) { return cr_to_i64(__builtin_rint(x)); }
inline unsigned long long __float2ull_rz(float x) { return cr_to_u64(x); }
inline unsigned long long __double2ull_rz(double x) { return cr_to_u64(x); }
inline int __float2int_rz(float x) { return cr_to_i32(x); }
inline int __double2int_rz(double x) { return cr_to_i32(x); }
inline int __float2int_rn(float x) { return cr_to_i32(__builtin_rintf(x)); }
inline int __float2int_rd(float x) { return cr_to_i32(__builtin_floorf(x)); }
inline int __float2int_ru(float x) { return cr_to_i32(__builtin_ceilf(x)); }
inline unsigned __float2uint_rz(float x) { return cr_to_u32(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline float __ll2float_rn(long long x) { return (float)x; }
inline float __double2float_rn(double x) { return (float)x; }
inline double __ll2double_rn(long long x) { return (double)x; }

/* Mathematics: C's functions, their float overloads, and what C lacks. */
#define CR_UNARY(F)                                                                                                \
  F(fabs) F(floor) F(ceil) F(rint) F(nearbyint) F(trunc) F(round) F(exp) F(exp2) F(expm1) F(log) F(log2) F(log10)   \
  F(log1p) F(sqrt) F(cbrt) F(sin) F(cos) F(tan) F(asin) F(acos) F(atan) F(sinh) F(cosh) F(tanh) F(asinh) F(acosh)   \
  F(atanh) F(erf) F(erfc) F(lgamma) F(tgamma) F(logb)
#define CR_BINARY(F) F(pow) F(atan2) F(hypot) F(copysign) F(nextafter) F(fmod) F(fmin) F(fmax) F(fdim) F(remainder)
#define CR_DECLARE1(name) \
  extern "C" double name(double); \
  extern "C" float name##f(float);
#define CR_DECLARE2(name) \
  extern "C" double name(double, double); \
  extern "C" float name##f(float, float);
#define CR_OVERLOAD1(name) inline float name(float x) { return __builtin_##name##f(x); }
#define CR_OVERLOAD2(name) inline float name(float x, float y) { return __builtin_##name##f(x, y); }
CR_UNARY(CR_DECLARE1)
CR_BINARY(CR_DECLARE2)
CR_UNARY(CR_OVERLOAD1)
CR_BINARY(CR_OVERLOAD2)
extern "C" {
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
double modf(double, double *);
float modff(float, float *);
double scalbn(double, int);
float scalbnf(float, int);
void sincos(double, double *, double *);
void sincosf(float, float *, float *);
int abs(int);
}
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float ldexp(float x, int n) { return __builtin_ldexpf(x, n); }
inline long long abs(long long x) { return x < 0 ? -x : x; }
inline long long llabs(long long x) { return x < 0 ? -x : x; }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline double rsqrt(double x) { return 1 / __builtin_sqrt(x); }
inline float rsqrtf(float x) { return (float)(1 / __builtin_sqrt((double)x)); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float exp10f(float x) { return powf(10.0f, x); }
inline float fdividef(float a, float b) { return a / b; }
inline double sinpi(double x) {
  double r = __builtin_fmod(x, 2.0);
  return r == __builtin_floor(r) ? __builtin_copysign(0.0, x) : __builtin_sin(3.14159265358979323846 * r);
}
inline double cospi(double x) { return sinpi(0.5 - __builtin_fmod(__builtin_fabs(x), 2.0)); }
inline float sinpif(float x) { return (float)sinpi((double)x); }
inline float cospif(float x) { return (float)cospi((double)x); }
inline double erfinv(double y) {
  if (!(__builtin_fabs(y) < 1)) return __builtin_fabs(y) == 1 ? __builtin_copysign(__builtin_inf(), y) : __builtin_nan("");
  if (y == 0) return y;
  /* Winitzki's formula, then Halley's steps on erfc, which stays exact near 1. */
  double l = __builtin_log1p(-y * y), t = 2 / (3.14159265358979323846 * 0.147) + l / 2;
  double x = __builtin_sqrt(__builtin_sqrt(t * t - l / 0.147) - t), a = __builtin_fabs(y);
  for (int i = 0; i < 4; i++) {
    double error = a < 0.5 ? __builtin_erf(x) - a : (1 - a) - __builtin_erfc(x);
    double step = error / (1.1283791670955126 * __builtin_exp(-x * x));
    x -= step / (1 + x * step);
  }
  return __builtin_copysign(x, y);
}
inline float erfinvf(float y) { return (float)erfinv((double)y); }
inline float erfinv(float y) { return erfinvf(y); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
template <typename T>
inline bool isnan(T x) { return x != x; }
template <typename T>
inline bool isinf(T x) { return __builtin_isinf(x); }
template <typename T>
inline bool isfinite(T x) { return __builtin_isfinite(x); }
template <typename T>
inline bool signbit(T x) { return __builtin_signbit(x); }
#define CR_MINMAX(type)                                          \
  inline type min(type a, type b) { return b < a ? b : a; }      \
  inline type max(type a, type b) { return a < b ? b : a; }
CR_MINMAX(int)
CR_MINMAX(unsigned)
CR_MINMAX(long)
CR_MINMAX(unsigned long)
CR_MINMAX(long long)
CR_MINMAX(unsigned long long)
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }

/* Vectors, with the device's alignment */
#define CR_VECTOR(type, name)                                                                        \
  struct name##1 { type x; };                                                                        \
  struct alignas(2 * sizeof(type)) name##2 { type x, y; };                                           \
  struct name##3 { type x, y, z; };                                                                  \
  struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; };        \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                   \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                        \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
CR_VECTOR(signed char, char)
CR_VECTOR(unsigned char, uchar)
CR_VECTOR(short, short)
CR_VECTOR(unsigned short, ushort)
CR_VECTOR(int, int)
CR_VECTOR(unsigned, uint)
CR_VECTOR(long long, longlong)
CR_VECTOR(unsigned long long, ulonglong)
CR_VECTOR(float, float)
CR_VECTOR(double, double)

/* Memory */
#define CR_LOADS(F) F(__ldg) F(__ldcg) F(__ldca) F(__ldcs) F(__ldlu) F(__ldcv)
#define CR_LOAD(name) template <typename T> inline T name(const T *p) { return *p; }
CR_LOADS(CR_LOAD)
template <typename T>
inline void __stcs(T *p, T value) { *p = value; }
template <typename T>
inline void __stcg(T *p, T value) { *p = value; }
template <typename T>
inline void __stwt(T *p, T value) { *p = value; }
inline size_t __cvta_generic_to_shared(const void *p) { return (size_t)((const unsigned char *)p - cr_shared_memory); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline long long clock64() { return 0; }

/* Atomics: one host thread runs them, in some order. */
template <typename T> struct CrSame { typedef T type; };
#define CR_ATOMIC(name, result)                                                       \
  template <typename T>                                                               \
  inline T name(T *p, typename CrSame<T>::type v) {                                   \
    T old = *p;                                                                       \
    *p = (T)(result);                                                                 \
    return old;                                                                       \
  }                                                                                   \
  template <typename T>                                                               \
  inline T name##_block(T *p, typename CrSame<T>::type v) { return name(p, v); }
CR_ATOMIC(atomicAdd, old + v)
CR_ATOMIC(atomicSub, old - v)
CR_ATOMIC(atomicExch, v)
CR_ATOMIC(atomicMin, v < old ? v : old)
CR_ATOMIC(atomicMax, old < v ? v : old)
CR_ATOMIC(atomicAnd, old & v)
CR_ATOMIC(atomicOr, old | v)
CR_ATOMIC(atomicXor, old ^ v)
CR_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
CR_ATOMIC(atomicDec, old == 0 || old > v ? v : old - 1)
template <typename T>
inline T atomicCAS(T *p, typename CrSame<T>::type compare, typename CrSame<T>::type v) {
  static_assert(sizeof(T) >= 2 && sizeof(T) <= 8 && (T)0.5 == 0, "compare and swap is for integers");
  T old = *p;
  if (old == compare) *p = v;
  return old;
}

/* Barriers and warps */
#define CR_COLLECTIVE __attribute__((noinline))
CR_COLLECTIVE static void __syncthreads() { cr_thread->runtime->barrier(0); }
CR_COLLECTIVE static int __syncthreads_count(int p) { return cr_thread->runtime->barrier(p != 0); }
CR_COLLECTIVE static int __syncthreads_or(int p) { return cr_thread->runtime->barrier(p != 0) != 0; }
CR_COLLECTIVE static int __syncthreads_and(int p) { return cr_thread->runtime->barrier(p == 0) == 0; }
CR_COLLECTIVE static const CrLane *cr_warp(unsigned mask, CrLane mine) { return cr_thread->runtime->warp(mask, &mine); }
inline void __trap() { cr_thread->runtime->trap("it trapped"); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { cr_warp(mask, CrLane()); }
/* The lanes of the warp that exist. */
inline unsigned cr_lanes() {
  unsigned size = blockDim.x * blockDim.y * blockDim.z;
  unsigned index = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x, left = size - index / 32 * 32;
  return left >= 32 ? 0xffffffffu : (1u << left) - 1;
}
inline unsigned __activemask() { return cr_lanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  CrLane mine = {};
  mine.words[0] = predicate != 0;
  const CrLane *lanes = cr_warp(mask, mine);
  unsigned result = 0;
  for (int i = 0; i < 32; i++) {
    if (mask & cr_lanes() & 1u << i && lanes[i].words[0] == 1) result |= 1u << i;
  }
  return result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == (mask & cr_lanes()); }
/* A lane outside its segment gives one's own value; one that is not there gives garbage. */
template <typename T>
inline T cr_shuffle(unsigned mask, T value, unsigned from, bool inside) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  CrLane mine = {};
  __builtin_memcpy(mine.words, &value, sizeof value);
  const CrLane *lanes = cr_warp(mask, mine);
  if (!inside) return value;
  unsigned long long word = mask & cr_lanes() & 1u << (from & 31) ? lanes[from & 31].words[0] : ~0ull;
  __builtin_memcpy(&value, &word, sizeof value);
  return value;
}
template <typename T>
inline T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  return cr_shuffle(mask, value, (cr_thread->lane & ~(unsigned)(width - 1)) + ((unsigned)from & (unsigned)(width - 1)), true);
}
template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  unsigned from = cr_thread->lane ^ (unsigned)bits;
  return cr_shuffle(mask, value, from, from / (unsigned)width <= cr_thread->lane / (unsigned)width);
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  unsigned in_segment = cr_thread->lane & (unsigned)(width - 1);
  return cr_shuffle(mask, value, cr_thread->lane + by, in_segment + by < (unsigned)width);
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  unsigned in_segment = cr_thread->lane & (unsigned)(width - 1);
  return cr_shuffle(mask, value, cr_thread->lane - by, in_segment >= by);
}
template <typename T>
inline unsigned __match_any_sync(unsigned mask, T value) {
  CrLane mine = {};
  __builtin_memcpy(mine.words, &value, sizeof value);
  const CrLane *lanes = cr_warp(mask, mine);
  unsigned result = 0;
  for (int i = 0; i < 32; i++) {
    if (mask & cr_lanes() & 1u << i && lanes[i].words[0] == mine.words[0]) result |= 1u << i;
  }
  return result;
}
#define CR_REDUCE(name, type, start, expression)                       \
  inline type name(unsigned mask, type value) {                        \
    CrLane mine = {};                                                  \
    __builtin_memcpy(mine.words, &value, sizeof value);                \
    const CrLane *lanes = cr_warp(mask, mine);                         \
    type a = start;                                                    \
    for (int i = 0; i < 32; i++) {                                     \
      if (!(mask & cr_lanes() & 1u << i)) continue;                    \
      type b;                                                          \
      __builtin_memcpy(&b, lanes[i].words, sizeof b);                  \
      a = expression;                                                  \
    }                                                                  \
    return a;                                                          \
  }
CR_REDUCE(__reduce_add_sync, unsigned, 0, a + b)
CR_REDUCE(__reduce_add_sync, int, 0, a + b)
CR_REDUCE(__reduce_max_sync, unsigned, 0, max(a, b))
CR_REDUCE(__reduce_max_sync, int, -0x7fffffff - 1, max(a, b))
CR_REDUCE(__reduce_min_sync, unsigned, ~0u, min(a, b))
CR_REDUCE(__reduce_min_sync, int, 0x7fffffff, min(a, b))
CR_REDUCE(__reduce_or_sync, unsigned, 0, a | b)
CR_REDUCE(__reduce_and_sync, unsigned, ~0u, a & b)

#include "ptx.h"

/* Entry points: parameters are unpacked from a block in which each lies at its alignment. */
template <typename... T>
struct CrKernel {
  static constexpr unsigned count = sizeof...(T);
  unsigned layout[1 + 2 * (sizeof...(T) ? sizeof...(T) : 1)];
  constexpr CrKernel() : layout() {
    const unsigned sizes[] = {(unsigned)sizeof(T)..., 0}, alignments[] = {(unsigned)alignof(T)..., 0};
    layout[0] = count;
    unsigned at = 0;
    for (unsigned i = 0; i < count; i++) {
      at = (at + alignments[i] - 1) / alignments[i] * alignments[i];
      layout[1 + 2 * i] = sizes[i];
      layout[2 + 2 * i] = at;
      at += sizes[i];
    }
  }
};
template <unsigned... I> struct CrIndices {};
template <unsigned N, unsigned... I> struct CrCount : CrCount<N - 1, N - 1, I...> {};
template <unsigned... I> struct CrCount<0, I...> { typedef CrIndices<I...> type; };
template <typename T> struct CrPlain { typedef T type; };
template <typename T> struct CrPlain<const T> { typedef T type; };
template <typename... T>
constexpr CrKernel<typename CrPlain<T>::type...> cr_kernel(void (*)(T...)) { return {}; }
template <typename... T, unsigned... I>
inline void cr_call(void (*kernel)(T...), const char *block, const unsigned *layout, CrIndices<I...>) {
  kernel(*(const typename CrPlain<T>::type *)(block + layout[2 + 2 * I])...);
}
template <typename... T>
inline void cr_run(void (*kernel)(T...), const void *block, const unsigned *layout) {
  cr_call(kernel, (const char *)block, layout, typename CrCount<sizeof...(T)>::type());
}
#define CR_ENTRY(name)                                                                        \
  static constexpr auto cr_table_##name = cr_kernel(name);                                    \
  CR_EXPORT const unsigned *const cr_kernel_##name##_layout = cr_table_##name.layout;         \
  CR_EXPORT void cr_kernel_##name(const void *block) { cr_run(name, block, cr_table_##name.layout); }
