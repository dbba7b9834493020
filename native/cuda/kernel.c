/*
 * Compiling and launching kernels: NVRTC to code for the device, modules, launches.
 *
 * A device newer than NVRTC runs the code of an older one of its generation, or PTX, which the driver translates.
 */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the thread compiled last. */
static _Thread_local char *cubin;
static _Thread_local size_t cubin_bytes;

static int32_t nvrtc_failed(nvrtcResult result, const char *call) {
  set_error("%s: %s", call, nvrtc.nvrtcGetErrorString(result));
  return CRESSET_CUDA_COMPILE;
}

/* Sets the error text to the compiler's log. */
static void report_log(nvrtcProgram program) {
  size_t size = 0;
  if (nvrtc.nvrtcGetProgramLogSize(program, &size) != NVRTC_SUCCESS || size < 2) {
    set_error("NVRTC gave no log");
    return;
  }
  char *log = malloc(size);
  if (log && nvrtc.nvrtcGetProgramLog(program, log) == NVRTC_SUCCESS) set_error("%s", log);
  free(log);
}

/* The target of a compilation. */
typedef struct {
  int capability;
  int ptx; /* whether the driver translates it */
} Target;

/* The device's own architecture, or the newest one known to NVRTC whose code the device runs. */
static int32_t target_of(int capability, Target *target) {
  enum { MOST = 128 };
  int known[MOST], count = 0, first = 0;
  nvrtcResult result = nvrtc.nvrtcGetNumSupportedArchs(&count);
  if (result == NVRTC_SUCCESS && count <= MOST) result = nvrtc.nvrtcGetSupportedArchs(known);
  if (result != NVRTC_SUCCESS || count > MOST) return nvrtc_failed(result, "nvrtcGetSupportedArchs");
  target->capability = 0;
  for (int i = 0; i < count; i++) {
    if (known[i] <= capability && known[i] > target->capability) target->capability = known[i];
    if (first == 0 || known[i] < first) first = known[i];
  }
  target->ptx = target->capability / 10 != capability / 10;
  if (target->capability > 0) return CRESSET_CUDA_OK;
  int major = 0, minor = 0;
  nvrtc.nvrtcVersion(&major, &minor);
  set_error("NVRTC %d.%d compiles for sm_%d and later, the device is sm_%d: an older NVRTC is needed", major, minor, first,
            capability);
  return CRESSET_CUDA_COMPILE;
}

static int32_t take_code(nvrtcProgram program, int ptx) {
  size_t size = 0;
  nvrtcResult result = ptx ? nvrtc.nvrtcGetPTXSize(program, &size) : nvrtc.nvrtcGetCUBINSize(program, &size);
  if (result != NVRTC_SUCCESS) return nvrtc_failed(result, ptx ? "nvrtcGetPTXSize" : "nvrtcGetCUBINSize");
  char *fresh = malloc(size);
  if (!fresh) {
    set_error("no host memory for %zu bytes of code", size);
    return CRESSET_CUDA_COMPILE;
  }
  result = ptx ? nvrtc.nvrtcGetPTX(program, fresh) : nvrtc.nvrtcGetCUBIN(program, fresh);
  if (result != NVRTC_SUCCESS) {
    free(fresh);
    return nvrtc_failed(result, ptx ? "nvrtcGetPTX" : "nvrtcGetCUBIN");
  }
  free(cubin);
  cubin = fresh;
  cubin_bytes = size;
  return CRESSET_CUDA_OK;
}

double cresset_cuda_compile(int32_t ordinal, const uint8_t *source, int32_t length) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  if (!library_ready(LIB_NVRTC)) return CRESSET_CUDA_NO_LIBRARY;
  Target target;
  int32_t status = target_of(device->capability, &target);
  if (status != CRESSET_CUDA_OK) return status;
  char *text = malloc((size_t)length + 1);
  if (!text) {
    set_error("no host memory for %d bytes of source", length);
    return CRESSET_CUDA_COMPILE;
  }
  memcpy(text, source, (size_t)length);
  text[length] = 0;
  nvrtcProgram program;
  nvrtcResult result = nvrtc.nvrtcCreateProgram(&program, text, "cresset.cu", 0, NULL, NULL);
  free(text);
  if (result != NVRTC_SUCCESS) return nvrtc_failed(result, "nvrtcCreateProgram");
  char architecture[48];
  snprintf(architecture, sizeof architecture, "--gpu-architecture=%s_%d", target.ptx ? "compute" : "sm",
           target.capability);
  const char *options[] = {architecture, "--std=c++17", "--extra-device-vectorization", "-default-device"};
  if (nvrtc.nvrtcCompileProgram(program, 4, options) != NVRTC_SUCCESS) {
    report_log(program);
    status = CRESSET_CUDA_COMPILE;
  } else {
    status = take_code(program, target.ptx);
  }
  nvrtc.nvrtcDestroyProgram(&program);
  return status == CRESSET_CUDA_OK ? (double)cubin_bytes : status;
}

int32_t cresset_cuda_cubin(uint8_t *target, double bytes) {
  if ((size_t)bytes != cubin_bytes) {
    set_error("the last cubin has %zu bytes", cubin_bytes);
    return CRESSET_CUDA_ARGUMENT;
  }
  memcpy(target, cubin, cubin_bytes);
  return CRESSET_CUDA_OK;
}

double cresset_cuda_module(int32_t ordinal, const uint8_t *image, double bytes) {
  (void)bytes;
  CUmodule module;
  Device *device = device_at(ordinal);
  if (!device) return 0;
  /* Loading allocates memory: while a graph is captured that is allowed in this mode alone. */
  int mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  if (device->capturing) driver.cuThreadExchangeStreamCaptureMode(&mode);
  int32_t status = driver_status(driver.cuModuleLoadData(&module, image), "cuModuleLoadData");
  if (device->capturing) driver.cuThreadExchangeStreamCaptureMode(&mode);
  return status == CRESSET_CUDA_OK ? (double)(uintptr_t)module : 0;
}

double cresset_cuda_function(double module, const uint8_t *name) {
  CUfunction function;
  CUmodule handle = (CUmodule)(uintptr_t)module;
  /* The function's code may be loaded lazily, at this call. */
  int mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  driver.cuThreadExchangeStreamCaptureMode(&mode);
  int32_t status = driver_status(driver.cuModuleGetFunction(&function, handle, (const char *)name), "cuModuleGetFunction");
  driver.cuThreadExchangeStreamCaptureMode(&mode);
  if (status != CRESSET_CUDA_OK) return 0;
  return (double)(uintptr_t)function;
}

int32_t cresset_cuda_launch(int32_t ordinal, double function, int32_t grid_x, int32_t grid_y, int32_t grid_z,
                            int32_t threads, int32_t shared_bytes, int32_t slots) {
  Device *device = device_at(ordinal);
  if (!device) return CRESSET_CUDA_NO_DEVICE;
  CUfunction handle = (CUfunction)(uintptr_t)function;
  size_t size = (size_t)slots * sizeof(double);
  void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, arena, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
  if (shared_bytes > 48 * 1024) {
    int32_t status = driver_status(
        driver.cuFuncSetAttribute(handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes),
        "cuFuncSetAttribute");
    if (status != CRESSET_CUDA_OK) return status;
  }
  return driver_status(driver.cuLaunchKernel(handle, (unsigned)grid_x, (unsigned)grid_y, (unsigned)grid_z,
                                             (unsigned)threads, 1, 1, (unsigned)shared_bytes, device->stream, NULL, extra),
                       "cuLaunchKernel");
}
