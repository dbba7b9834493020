/**
 * Helper functions of printed CUDA C: what CUDA's built-in math lacks, and conversions of the 16-bit floats.
 *
 * Nothing is included from a toolkit (NVRTC alone compiles it, in a third of the time): halves travel as 16-bit
 * integers and are converted by PTX instructions, which exist from sm_80 on. A printed kernel takes only the helpers
 * that it names, see {@linkcode helpersOf} of `print.ts`.
 *
 * @module
 */

import { EULER_MACLAURIN } from "./reference.ts";

/** Types that every printed kernel uses. */
export const CUDA_TYPES = `typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;
template <typename T> __device__ __forceinline__ T crInf();
template <> __device__ __forceinline__ float crInf<float>() { return __int_as_float(0x7f800000); }
template <> __device__ __forceinline__ double crInf<double>() { return __longlong_as_double(0x7ff0000000000000ll); }
template <typename T> __device__ __forceinline__ T crNaN();
template <> __device__ __forceinline__ float crNaN<float>() { return __int_as_float(0x7fc00000); }
template <> __device__ __forceinline__ double crNaN<double>() { return __longlong_as_double(0x7ff8000000000000ll); }
`;

const device = "__device__ __forceinline__";

/** Helper functions by name; each may use others. */
export const CUDA_HELPERS: Readonly<Record<string, string>> = {
  crFromHalf: `${device} float crFromHalf(u16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}`,
  crToHalf: `${device} u16 crToHalf(float x) {
  u16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}`,
  crFromBfloat: `${device} float crFromBfloat(u16 x) { return __uint_as_float((u32)x << 16); }`,
  crToBfloat: `${device} u16 crToBfloat(float x) {
#if __CUDA_ARCH__ >= 800
  u16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
#else
  const u32 bits = __float_as_uint(x);
  return x != x ? 0x7fff : (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}`,
  crFromE4m3: `${device} float crFromE4m3(unsigned char x) {
  u32 size = x & 0x7f;
  float y = size < 8 ? (float)size * 0x1p-9f : __uint_as_float((size << 20) + 0x3c000000u);
  if (size == 0x7f) y = crNaN<float>();
  return __uint_as_float(__float_as_uint(y) | (u32)(x & 0x80) << 24);
}`,
  crFromE5m2: `${device} float crFromE5m2(unsigned char x) { return crFromHalf((u16)x << 8); }`,
  crToFloat8:
    `${device} unsigned char crToFloat8(float x, int shift, u32 most, float units, u32 leastNormal, u32 rebias) {
  u32 bits = __float_as_uint(x), size = bits & 0x7fffffffu;
  u32 held = size < most ? size : most;
  u32 y = size < leastNormal
    ? (u32)rintf(__uint_as_float(size) * units)
    : (held - rebias + (1u << (shift - 1)) - 1 + ((held >> shift) & 1)) >> shift;
  return (unsigned char)((size > 0x7f800000u ? 0x7fu : y) | ((bits >> 24) & 0x80u));
}`,
  crToE4m3: `${device} unsigned char crToE4m3(float x) {
  return crToFloat8(x, 20, 0x43e00000u, 0x1p9f, 0x3c800000u, 0x3c000000u);
}`,
  crToE5m2: `${device} unsigned char crToE5m2(float x) {
  return crToFloat8(x, 21, 0x47800000u, 0x1p16f, 0x38800000u, 0x38000000u);
}`,
  crTruncDivide: `${device} i64 crTruncDivide(i64 a, i64 b) {
  return b == 0 ? 0 : b == -1 ? (i64)(0ull - (u64)a) : a / b;
}`,
  crFmod: `${device} i64 crFmod(i64 a, i64 b) { return b == 0 || b == -1 ? 0 : a % b; }
${device} float crFmod(float a, float b) { return fmodf(a, b); }
${device} double crFmod(double a, double b) { return fmod(a, b); }`,
  crFloorDivide: `template <typename T> ${device} T crFloorDivide(T a, T b) {
  if (b == 0) return a / b;
  T mod = crFmod(a, b), q = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) q -= 1;
  if (q == 0) return (T)copysign((double)0, (double)(a / b));
  T low = floor(q);
  return q - low > (T)0.5 ? low + 1 : low;
}
template <> ${device} i64 crFloorDivide<i64>(i64 a, i64 b) {
  i64 r = crFmod(a, b);
  return crTruncDivide(a, b) - (r != 0 && (r < 0) != (b < 0) ? 1 : 0);
}`,
  crRemainder: `template <typename T> ${device} T crRemainder(T a, T b) {
  T r = crFmod(a, b);
  return r != 0 && (b < 0) != (r < 0) ? r + b : r;
}`,
  crPowInt: `${device} i64 crPowInt(i64 a, i64 b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  u64 result = 1, base = (u64)a;
  for (u64 n = (u64)b; n != 0; n >>= 1) {
    if (n & 1) result *= base;
    base *= base;
  }
  return (i64)result;
}`,
  crGcd: `${device} i64 crGcd(i64 a, i64 b) {
  while (b != 0) {
    i64 r = crFmod(a, b);
    a = b;
    b = r;
  }
  return a < 0 ? (i64)(0ull - (u64)a) : a;
}`,
  crSinPi: `template <typename T> ${device} T crSinPi(T x) { return (T)sinpi((double)x); }
template <> ${device} float crSinPi<float>(float x) { return sinpif(x); }`,
  crDigamma: `template <typename T> __device__ T crDigamma(T x) {
  if (x == 0) return copysign(crInf<T>(), -x);
  T result = 0;
  if (x < 0) {
    if (x == floor(x)) return crNaN<T>();
    T r = x - rint(x);
    result = -(T)${Math.PI} / tan((T)${Math.PI} * r);
    x = 1 - x;
  }
  for (; x < 12; x += 1) result -= 1 / x;
  T r = 1 / (x * x);
  T series = r * ((T)(1.0 / 12) - r * ((T)(1.0 / 120) - r * ((T)(1.0 / 252) - r * ((T)(1.0 / 240) - r * (T)(1.0 / 132)))));
  return result + log(x) - (T)0.5 / x - series;
}`,
  crTrigamma: `template <typename T> __device__ T crTrigamma(T x) {
  T result = 0, sign = 1;
  if (x < (T)0.5) {
    T s = crSinPi(x);
    result = -(T)${Math.PI ** 2} / (s * s);
    x = 1 - x;
    sign = -1;
  }
  for (; x < 12; x += 1) result += 1 / (x * x);
  T r = 1 / (x * x);
  T series = (T)(1.0 / 6) - r * ((T)(1.0 / 30) - r * ((T)(1.0 / 42) - r * ((T)(1.0 / 30) - r * (T)(5.0 / 66))));
  return sign * (result + (1 + (T)0.5 / x + r * series) / x);
}`,
  crZeta: `template <typename T> __device__ T crZeta(T s, T q) {
  const double denominators[] = {${EULER_MACLAURIN.join(", ")}};
  if (s != s || q != q) return s + q;
  if (s == 1) return crInf<T>();
  if (s < 1) return crNaN<T>();
  if (q <= 0) {
    if (q == floor(q)) return crInf<T>();
    if (s != floor(s)) return crNaN<T>();
  }
  double sum = 0, a = q, e = s;
  for (int i = 0; i < 12 || a < 12; i++, a += 1) sum += pow(a, -e);
  sum += pow(a, 1 - e) / (e - 1) + 0.5 * pow(a, -e);
  double term = e * pow(a, -e - 1);
  for (int k = 0; k < ${EULER_MACLAURIN.length}; k++) {
    sum += term / denominators[k];
    term *= (e + 2 * k + 1) * (e + 2 * k + 2) / (a * a);
  }
  return (T)sum;
}`,
  crPhiloxBlock: `${device} void crPhiloxBlock(u64 block, i64 key, u32 &c0, u32 &c1, u32 &c2, u32 &c3) {
  u32 k0 = (u32)key, k1 = (u32)((u64)key >> 32);
  c0 = (u32)block, c1 = (u32)(block >> 32), c2 = 0, c3 = 0;
  for (int round = 0; round < 10; round++) {
    u32 h0 = __umulhi(0xd2511f53u, c0), l0 = 0xd2511f53u * c0;
    u32 h1 = __umulhi(0xcd9e8d57u, c2), l1 = 0xcd9e8d57u * c2;
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}`,
  crPhilox: `struct crWords { u64 block; u32 c0, c1, c2, c3; };
${device} i64 crPhilox(i64 counter, i64 key, const i64 *random, crWords &w) {
  if (random) {
    counter += random[0];
    key = (i64)((u64)key + (u64)random[1]);
  }
  const u64 block = (u64)counter >> 2;
  if (block != w.block) {
    w.block = block;
    crPhiloxBlock(block, key, w.c0, w.c1, w.c2, w.c3);
  }
  const u32 even = counter & 2 ? w.c2 : w.c0, odd = counter & 2 ? w.c3 : w.c1;
  return (i64)(counter & 1 ? odd : even);
}
${device} i64 crPhilox(i64 counter, i64 key, const i64 *random = nullptr) {
  crWords none;
  none.block = ~0ull;
  return crPhilox(counter, key, random, none);
}`,
};
