/*
 * Devices, memory, copies, events and graphs: the driver API on one stream per device.
 */
#include "api.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEVICES = 64 };
/* Copies pass through pinned memory in pieces of this size. */
#define STAGING_BYTES ((size_t)4 << 20)

static Device devices[MAX_DEVICES];
static int initialised;

int32_t driver_status(CUresult result, const char *call) {
  if (result == CUDA_SUCCESS) return CRESSET_CUDA_OK;
  const char *text = "unknown error";
  driver.cuGetErrorString(result, &text);
  set_error("%s: %s (CUDA error %d)", call, text, result);
  return result == CUDA_ERROR_OUT_OF_MEMORY ? CRESSET_CUDA_MEMORY : CRESSET_CUDA_FAULT;
}

#define TRY(call)                                             \
  do {                                                        \
    int32_t status_ = driver_status(driver.call, #call);      \
    if (status_ != CRESSET_CUDA_OK) return status_;           \
  } while (0)

static int32_t initialise(void) {
  if (initialised) return CRESSET_CUDA_OK;
  if (!library_ready(LIB_DRIVER)) return CRESSET_CUDA_NO_LIBRARY;
  TRY(cuInit(0));
  initialised = 1;
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_device_count(void) {
  int32_t status = initialise();
  if (status != CRESSET_CUDA_OK) return status;
  int count = 0;
  TRY(cuDeviceGetCount(&count));
  return count;
}

int32_t cresset_cuda_device_open(int32_t ordinal) {
  int32_t count = cresset_cuda_device_count();
  if (count < 0) return count;
  if (ordinal < 0 || ordinal >= count || ordinal >= MAX_DEVICES) {
    set_error("there is no CUDA device %d: %d found", ordinal, count);
    return CRESSET_CUDA_NO_DEVICE;
  }
  Device *device = &devices[ordinal];
  if (device->context) return CRESSET_CUDA_OK;
  CUdevice handle;
  CUcontext context;
  int major = 0, minor = 0;
  TRY(cuDeviceGet(&handle, ordinal));
  TRY(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, handle));
  TRY(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, handle));
  TRY(cuDevicePrimaryCtxRetain(&context, handle));
  TRY(cuCtxSetCurrent(context));
  TRY(cuStreamCreate(&device->stream, CU_STREAM_NON_BLOCKING));
  TRY(cuMemHostAlloc(&device->staging, STAGING_BYTES, 0));
  TRY(cuEventCreate(&device->staged, CU_EVENT_DEFAULT));
  device->capability = major * 10 + minor;
  device->context = context;
  return CRESSET_CUDA_OK;
}

Device *device_at(int32_t ordinal) {
  if (ordinal < 0 || ordinal >= MAX_DEVICES || !devices[ordinal].context) {
    set_error("CUDA device %d is not open", ordinal);
    return NULL;
  }
  Device *device = &devices[ordinal];
  driver.cuCtxSetCurrent(device->context);
  return device;
}

#define DEVICE(ordinal)                       \
  Device *device = device_at(ordinal);        \
  if (!device) return CRESSET_CUDA_NO_DEVICE

int32_t cresset_cuda_device_info(int32_t ordinal, uint8_t *name, int32_t size) {
  DEVICE(ordinal);
  CUdevice handle;
  int processors = 0, version = 0;
  size_t free_bytes = 0, total = 0;
  char text[256] = "";
  TRY(cuDeviceGet(&handle, ordinal));
  TRY(cuDeviceGetName(text, sizeof text, handle));
  TRY(cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, handle));
  TRY(cuMemGetInfo_v2(&free_bytes, &total));
  TRY(cuDriverGetVersion(&version));
  snprintf((char *)name, (size_t)size, "%s", text);
  arena[0] = device->capability;
  arena[1] = processors;
  arena[2] = (double)total;
  arena[3] = (double)free_bytes;
  arena[4] = version;
  return CRESSET_CUDA_OK;
}

double cresset_cuda_alloc(int32_t ordinal, double bytes) {
  Device *device = device_at(ordinal);
  CUdeviceptr address = 0;
  if (!device) return 0;
  if (driver_status(driver.cuMemAlloc_v2(&address, (size_t)bytes), "cuMemAlloc") != CRESSET_CUDA_OK) return 0;
  return (double)address;
}

int32_t cresset_cuda_free(int32_t ordinal, double address) {
  DEVICE(ordinal);
  TRY(cuMemFree_v2((CUdeviceptr)address));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_write(int32_t ordinal, double address, const uint8_t *source, double bytes) {
  DEVICE(ordinal);
  CUdeviceptr to = (CUdeviceptr)address;
  for (size_t left = (size_t)bytes; left > 0;) {
    size_t piece = left < STAGING_BYTES ? left : STAGING_BYTES;
    /* The pinned memory is free again once the copy before has left it. */
    if (device->staging_busy) TRY(cuEventSynchronize(device->staged));
    memcpy(device->staging, source, piece);
    TRY(cuMemcpyHtoDAsync_v2(to, device->staging, piece, device->stream));
    TRY(cuEventRecord(device->staged, device->stream));
    device->staging_busy = 1;
    to += piece;
    source += piece;
    left -= piece;
  }
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_read(int32_t ordinal, double address, uint8_t *target, double bytes) {
  DEVICE(ordinal);
  CUdeviceptr from = (CUdeviceptr)address;
  for (size_t left = (size_t)bytes; left > 0;) {
    size_t piece = left < STAGING_BYTES ? left : STAGING_BYTES;
    TRY(cuMemcpyDtoHAsync_v2(device->staging, from, piece, device->stream));
    TRY(cuStreamSynchronize(device->stream));
    device->staging_busy = 0;
    memcpy(target, device->staging, piece);
    from += piece;
    target += piece;
    left -= piece;
  }
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_copy_peer(int32_t to_ordinal, double to, int32_t from_ordinal, double from, double bytes) {
  Device *target = device_at(to_ordinal), *source = device_at(from_ordinal);
  if (!target || !source) return CRESSET_CUDA_NO_DEVICE;
  CUevent ready;
  TRY(cuEventCreate(&ready, CU_EVENT_DEFAULT));
  TRY(cuEventRecord(ready, source->stream));
  TRY(cuCtxSetCurrent(target->context));
  TRY(cuStreamWaitEvent(target->stream, ready, 0));
  TRY(cuMemcpyPeerAsync((CUdeviceptr)to, target->context, (CUdeviceptr)from, source->context, (size_t)bytes, target->stream));
  /* The source's memory may be reused by its own stream at once, so that one waits as well. */
  TRY(cuStreamSynchronize(target->stream));
  TRY(cuEventDestroy_v2(ready));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_fill(int32_t ordinal, double address, int32_t value, double bytes) {
  DEVICE(ordinal);
  TRY(cuMemsetD8Async((CUdeviceptr)address, (unsigned char)value, (size_t)bytes, device->stream));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_synchronize(int32_t ordinal) {
  DEVICE(ordinal);
  TRY(cuStreamSynchronize(device->stream));
  return CRESSET_CUDA_OK;
}

CUdeviceptr device_workspace(Device *device, size_t bytes) {
  if (device->workspace_bytes >= bytes) return device->workspace;
  CUdeviceptr fresh = 0;
  /* Freeing waits for the device, so what still uses the old one has ended. */
  if (device->workspace) driver.cuMemFree_v2(device->workspace);
  device->workspace = 0;
  device->workspace_bytes = 0;
  if (driver_status(driver.cuMemAlloc_v2(&fresh, bytes), "cuMemAlloc (workspace)") != CRESSET_CUDA_OK) return 0;
  device->workspace = fresh;
  device->workspace_bytes = bytes;
  return fresh;
}

double cresset_cuda_event(int32_t ordinal) {
  CUevent event;
  if (!device_at(ordinal)) return 0;
  if (driver_status(driver.cuEventCreate(&event, CU_EVENT_DEFAULT), "cuEventCreate") != CRESSET_CUDA_OK) return 0;
  return (double)(uintptr_t)event;
}

int32_t cresset_cuda_event_record(int32_t ordinal, double event) {
  DEVICE(ordinal);
  TRY(cuEventRecord((CUevent)(uintptr_t)event, device->stream));
  return CRESSET_CUDA_OK;
}

double cresset_cuda_event_elapsed(double from, double to) {
  float milliseconds = 0;
  CUevent first = (CUevent)(uintptr_t)from, second = (CUevent)(uintptr_t)to;
  if (driver_status(driver.cuEventSynchronize(second), "cuEventSynchronize") != CRESSET_CUDA_OK) return -1;
  if (driver_status(driver.cuEventElapsedTime(&milliseconds, first, second), "cuEventElapsedTime")) return -1;
  return milliseconds;
}

int32_t cresset_cuda_event_destroy(double event) {
  TRY(cuEventDestroy_v2((CUevent)(uintptr_t)event));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_capture_begin(int32_t ordinal) {
  DEVICE(ordinal);
  TRY(cuStreamBeginCapture_v2(device->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  return CRESSET_CUDA_OK;
}

double cresset_cuda_capture_end(int32_t ordinal) {
  Device *device = device_at(ordinal);
  CUgraph graph;
  CUgraphExec exec;
  if (!device) return 0;
  if (driver_status(driver.cuStreamEndCapture(device->stream, &graph), "cuStreamEndCapture")) return 0;
  int32_t status = driver_status(driver.cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiate");
  driver.cuGraphDestroy(graph);
  return status == CRESSET_CUDA_OK ? (double)(uintptr_t)exec : 0;
}

int32_t cresset_cuda_graph_launch(int32_t ordinal, double graph) {
  DEVICE(ordinal);
  TRY(cuGraphLaunch((CUgraphExec)(uintptr_t)graph, device->stream));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_graph_destroy(double graph) {
  TRY(cuGraphExecDestroy((CUgraphExec)(uintptr_t)graph));
  return CRESSET_CUDA_OK;
}
