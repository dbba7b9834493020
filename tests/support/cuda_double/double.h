/*
 * What the parts of the CUDA double share: exports, result codes, and the interface of the driver double that the other
 * libraries reach through `dlsym` once the driver is open.
 */
#ifndef CUDA_DOUBLE_H
#define CUDA_DOUBLE_H

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

extern "C" {
#include "api.h"
}

#define EXPORT extern "C" __attribute__((visibility("default")))

/* Declares a library's functions: a definition of another type does not compile. */
#define DECLARE(result, name, parameters) EXPORT result name parameters;

/* Result codes of the driver that the shim has no name for. */
enum : CUresult {
  RESULT_INVALID_VALUE = 1,
  RESULT_NOT_INITIALIZED = 3,
  RESULT_INVALID_DEVICE = 101,
  RESULT_INVALID_IMAGE = 200,
  RESULT_INVALID_CONTEXT = 201,
  RESULT_NO_BINARY = 209,
  RESULT_INVALID_HANDLE = 400,
  RESULT_NOT_FOUND = 500,
  RESULT_NOT_READY = 600,
  RESULT_ILLEGAL_ADDRESS = 700,
  RESULT_LAUNCH_RESOURCES = 701,
  RESULT_LAUNCH_TIMEOUT = 702,
  RESULT_MISALIGNED_ADDRESS = 716,
  RESULT_LAUNCH_FAILED = 719,
  RESULT_CAPTURE_UNSUPPORTED = 900,
  RESULT_CAPTURE_INVALIDATED = 901,
  RESULT_CAPTURE_UNJOINED = 904,
  RESULT_CAPTURE_ISOLATION = 905,
  RESULT_CAPTURED_EVENT = 907,
  RESULT_PEER_UNSUPPORTED = 217
};

/* Work that a library puts on a stream. `run` may be called more than once (graphs); `destroy` once. */
using DoubleWork = CUresult (*)(void *data);
using DoubleDestroy = void (*)(void *data);
using DoubleEnqueue = CUresult (*)(CUstream stream, DoubleWork run, void *data, DoubleDestroy destroy);
/* Whether `bytes` from `address` lie within one live allocation. */
using DoubleOwns = int (*)(const void *address, size_t bytes);
/* The device of that allocation, or -1. */
using DoubleOwner = int (*)(const void *address, size_t bytes);

/*
 * A function of the driver double, for the other libraries; the driver was opened before anything can be computed. A test
 * process may hold several doubles: the driver in the caller's own folder is the one.
 */
template <typename F>
F driver_function(const char *name) {
  Dl_info self = {};
  dladdr(reinterpret_cast<void *>(&driver_function<F>), &self);
  std::string path = self.dli_fname ? self.dli_fname : "";
  path = path.substr(0, path.rfind('/') + 1) + "libcuda.so.1";
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  return library ? reinterpret_cast<F>(dlsym(library, name)) : nullptr;
}

/* Puts a function object on a stream. */
template <typename F>
bool enqueue(CUstream stream, F work) {
  static const auto put = driver_function<DoubleEnqueue>("cuda_double_enqueue");
  if (!put) return false;
  auto run = [](void *data) -> CUresult {
    (*static_cast<F *>(data))();
    return CUDA_SUCCESS;
  };
  return put(stream, run, new F(work), [](void *data) { delete static_cast<F *>(data); }) == CUDA_SUCCESS;
}

inline bool owns(const void *address, size_t bytes) {
  static const auto check = driver_function<DoubleOwns>("cuda_double_owns");
  return check && check(address, bytes) != 0;
}

/* The 16-bit floats. */
inline float bits_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00) return bits_float(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  /* A multiplication by 2^112 normalises the subnormal ones as well. */
  return bits_float(sign | float_bits(bits_float(rest << 13) * 0x1p112f));
}

inline uint16_t float_to_half(float value) {
  uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return 0x7fff;
  if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  /* Below the normal range the addition of 0.5 puts the rounded result into the lowest bits. */
  if (rest < 0x38800000) return (uint16_t)(sign | (float_bits(bits_float(rest) + 0.5f) - 0x3f000000));
  return (uint16_t)(sign | (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13);
}

inline float bfloat_to_float(uint16_t bits) { return bits_float((uint32_t)bits << 16); }

inline uint16_t float_to_bfloat(float value) {
  uint32_t bits = float_bits(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
