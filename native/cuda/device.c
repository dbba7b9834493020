/*
 * Devices, memory and copies: the driver API on each device's current stream.
 *
 * Copies to the device pass through a ring of pinned pieces, so that the host goes on at once; a copy that waits for the
 * ones before it would wait for the whole stream.
 */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 64 };
/* Pinned memory for reads, and the size of each piece of the ring for writes. */
#define READING_BYTES ((size_t)4 << 20)
#define READING_HALF (READING_BYTES / 2)
#define PIECE_BYTES ((size_t)1 << 20)
/* The size of a fault record, which a kernel writes about a bad index. */
#define FAULT_BYTES ((size_t)64)

/* Every thread has its own: two workers on one device share the device's context, but no stream, no buffer and no cache. */
static _Thread_local Device devices[MAX_DEVICES];
static _Thread_local int initialised;
/* The device whose context the thread has current. */
static _Thread_local Device *current_device;

int32_t driver_status(CUresult result, const char *call) {
  if (result == CUDA_SUCCESS) return CRESSET_CUDA_OK;
  const char *text = "unknown error";
  driver.cuGetErrorString(result, &text);
  set_error("%s: %s (CUDA error %d)", call, text, result);
  return result == CUDA_ERROR_OUT_OF_MEMORY ? CRESSET_CUDA_MEMORY : CRESSET_CUDA_FAULT;
}

#define TRY(call)                                        \
  do {                                                   \
    int32_t status_ = driver_status(driver.call, #call); \
    if (status_ != CRESSET_CUDA_OK) return status_;      \
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
  TRY(cuStreamCreate(&device->first.handle, CU_STREAM_NON_BLOCKING));
  TRY(cuMemHostAlloc(&device->reading, READING_BYTES, 0));
  for (int i = 0; i < 2; i++) TRY(cuEventCreate(&device->filled[i], CU_EVENT_DISABLE_TIMING));
  for (int i = 0; i < STAGING_PIECES; i++) {
    TRY(cuMemHostAlloc((void **)&device->staging[i].memory, PIECE_BYTES, 0));
    TRY(cuEventCreate(&device->staging[i].left, CU_EVENT_DISABLE_TIMING));
  }
  device->current = &device->first;
  device->stream = device->first.handle;
  device->capability = major * 10 + minor;
  device->context = context;
  current_device = device;
  return CRESSET_CUDA_OK;
}

Device *device_at(int32_t ordinal) {
  if (ordinal < 0 || ordinal >= MAX_DEVICES || !devices[ordinal].context) {
    set_error("CUDA device %d is not open", ordinal);
    return NULL;
  }
  Device *device = &devices[ordinal];
  if (device != current_device) {
    driver.cuCtxSetCurrent(device->context);
    current_device = device;
  }
  return device;
}

void device_forget_current(void) { current_device = NULL; }

#define DEVICE(ordinal)                       \
  Device *device = device_at(ordinal);        \
  if (!device) return CRESSET_CUDA_NO_DEVICE

int32_t cresset_cuda_device_info(int32_t ordinal, uint8_t *name, int32_t size) {
  DEVICE(ordinal);
  CUdevice handle;
  int processors = 0, version = 0, shared = 0;
  size_t free_bytes = 0, total = 0;
  char text[256] = "";
  TRY(cuDeviceGet(&handle, ordinal));
  TRY(cuDeviceGetName(text, sizeof text, handle));
  TRY(cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, handle));
  TRY(cuDeviceGetAttribute(&shared, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, handle));
  TRY(cuMemGetInfo_v2(&free_bytes, &total));
  TRY(cuDriverGetVersion(&version));
  snprintf((char *)name, (size_t)size, "%s", text);
  arena[0] = device->capability;
  arena[1] = processors;
  arena[2] = (double)total;
  arena[3] = (double)free_bytes;
  arena[4] = version;
  arena[5] = shared;
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_memory(int32_t ordinal) {
  DEVICE(ordinal);
  size_t free_bytes = 0, total = 0;
  TRY(cuMemGetInfo_v2(&free_bytes, &total));
  arena[0] = (double)free_bytes;
  arena[1] = (double)total;
  return CRESSET_CUDA_OK;
}

/* Memory may be allocated while this thread captures a graph: a call of its own, which the graph does not repeat. */
static CUresult allocate(Device *device, CUdeviceptr *address, size_t bytes) {
  int mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  if (!device->capturing) return driver.cuMemAlloc_v2(address, bytes);
  driver.cuThreadExchangeStreamCaptureMode(&mode);
  CUresult result = driver.cuMemAlloc_v2(address, bytes);
  driver.cuThreadExchangeStreamCaptureMode(&mode);
  return result;
}

double cresset_cuda_alloc(int32_t ordinal, double bytes) {
  Device *device = device_at(ordinal);
  CUdeviceptr address = 0;
  if (!device) return 0;
  if (driver_status(allocate(device, &address, (size_t)bytes), "cuMemAlloc") != CRESSET_CUDA_OK) return 0;
  return (double)address;
}

int32_t cresset_cuda_free(int32_t ordinal, double address) {
  DEVICE(ordinal);
  if (device->capturing) {
    set_error("memory cannot be returned while a graph is captured");
    return CRESSET_CUDA_ARGUMENT;
  }
  TRY(cuMemFree_v2((CUdeviceptr)address));
  return CRESSET_CUDA_OK;
}

/* The piece of the ring to go on with on the current stream, with room for at least one byte. */
static int32_t next_piece(Device *device, Staging **found) {
  Staging *piece = &device->staging[device->piece];
  /* An event follows one stream's copies, so another stream begins another piece. */
  if (piece->used == PIECE_BYTES || (piece->stream && piece->stream != device->stream)) {
    device->piece = (device->piece + 1) % STAGING_PIECES;
    piece = &device->staging[device->piece];
    if (piece->stream) TRY(cuEventSynchronize(piece->left));
    piece->used = 0;
    piece->stream = NULL;
  }
  *found = piece;
  return CRESSET_CUDA_OK;
}

/* A captured copy: the graph keeps the bytes. */
static int32_t write_captured(Device *device, CUdeviceptr to, const uint8_t *source, size_t bytes) {
  Pinned *pinned = device->capturing->pinned;
  if (!pinned || pinned->bytes - pinned->used < bytes) {
    size_t room = bytes < 65536 ? 65536 : bytes;
    int mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    driver.cuThreadExchangeStreamCaptureMode(&mode);
    int32_t status = driver_status(driver.cuMemHostAlloc((void **)&pinned, sizeof *pinned + room, 0), "cuMemHostAlloc");
    driver.cuThreadExchangeStreamCaptureMode(&mode);
    if (status != CRESSET_CUDA_OK) return status;
    pinned->next = device->capturing->pinned;
    pinned->used = 0;
    pinned->bytes = room;
    device->capturing->pinned = pinned;
  }
  char *kept = pinned->memory + pinned->used;
  memcpy(kept, source, bytes);
  pinned->used += (bytes + 15) / 16 * 16 <= pinned->bytes - pinned->used ? (bytes + 15) / 16 * 16 : bytes;
  TRY(cuMemcpyHtoDAsync_v2(to, kept, bytes, device->stream));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_write(int32_t ordinal, double address, const uint8_t *source, double bytes) {
  DEVICE(ordinal);
  CUdeviceptr to = (CUdeviceptr)address;
  if (device->capturing) return write_captured(device, to, source, (size_t)bytes);
  for (size_t left = (size_t)bytes; left > 0;) {
    Staging *piece;
    int32_t status = next_piece(device, &piece);
    if (status != CRESSET_CUDA_OK) return status;
    size_t room = PIECE_BYTES - piece->used, part = left < room ? left : room;
    memcpy(piece->memory + piece->used, source, part);
    TRY(cuMemcpyHtoDAsync_v2(to, piece->memory + piece->used, part, device->stream));
    TRY(cuEventRecord(piece->left, device->stream));
    piece->stream = device->stream;
    /* Copies of aligned memory are faster. */
    piece->used = piece->used + part + 63 < PIECE_BYTES ? (piece->used + part + 63) / 64 * 64 : PIECE_BYTES;
    to += part;
    source += part;
    left -= part;
  }
  return CRESSET_CUDA_OK;
}

static size_t part_of(size_t left) { return left < READING_HALF ? left : READING_HALF; }

int32_t cresset_cuda_read(int32_t ordinal, double address, uint8_t *target, double bytes) {
  DEVICE(ordinal);
  if (device->capturing) {
    set_error("memory cannot be read while a graph is captured");
    return CRESSET_CUDA_ARGUMENT;
  }
  /* Two halves: one is filled by the device while the other is emptied. */
  size_t begun = 0, taken = 0, all = (size_t)bytes;
  for (int half = 0; taken < all; half ^= 1) {
    for (; begun < all && begun - taken < READING_BYTES; begun += part_of(all - begun)) {
      int into = (int)(begun / READING_HALF % 2);
      TRY(cuMemcpyDtoHAsync_v2((char *)device->reading + into * READING_HALF, (CUdeviceptr)address + begun,
                               part_of(all - begun), device->stream));
      TRY(cuEventRecord(device->filled[into], device->stream));
    }
    TRY(cuEventSynchronize(device->filled[half]));
    size_t part = part_of(all - taken);
    memcpy(target + taken, (char *)device->reading + half * READING_HALF, part);
    taken += part;
  }
  return CRESSET_CUDA_OK;
}

/* An unused reading buffer with room for `bytes`, or a new one. */
static Reading *take_reading(Device *device, size_t bytes) {
  for (Reading **at = &device->free_readings; *at; at = &(*at)->next) {
    Reading *found = *at;
    if (found->bytes < bytes) continue;
    *at = found->next;
    return found;
  }
  Reading *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  /* Buffers have one of two sizes, for scalars and for larger reads, so that few are made. */
  made->bytes = bytes <= 4096 ? 4096 : CRESSET_CUDA_READ;
  int32_t status = driver_status(driver.cuMemHostAlloc((void **)&made->memory, FAULT_BYTES + made->bytes, 0), "cuMemHostAlloc");
  if (status == CRESSET_CUDA_OK) status = driver_status(driver.cuEventCreate(&made->done, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
  if (status == CRESSET_CUDA_OK) return made;
  if (made->memory) driver.cuMemFreeHost(made->memory);
  free(made);
  return NULL;
}

static void give_back(Device *device, Reading *reading) {
  reading->next = device->free_readings;
  device->free_readings = reading;
}

double cresset_cuda_read_begin(int32_t ordinal, double address, double bytes, double fault) {
  Device *device = device_at(ordinal);
  if (!device) return 0;
  if (device->capturing || bytes > CRESSET_CUDA_READ) {
    set_error("no read of %.0f bytes can be begun%s", bytes, device->capturing ? " while a graph is captured" : "");
    return 0;
  }
  Reading *reading = take_reading(device, (size_t)bytes);
  if (!reading) return 0;
  CUresult result = driver.cuMemcpyDtoHAsync_v2(reading->memory + FAULT_BYTES, (CUdeviceptr)address, (size_t)bytes, device->stream);
  if (result == CUDA_SUCCESS && fault != 0) {
    result = driver.cuMemcpyDtoHAsync_v2(reading->memory, (CUdeviceptr)fault, FAULT_BYTES, device->stream);
  }
  if (result == CUDA_SUCCESS) result = driver.cuEventRecord(reading->done, device->stream);
  if (driver_status(result, "cuMemcpyDtoHAsync") == CRESSET_CUDA_OK) return (double)(uintptr_t)reading;
  /* A read that was begun may still write the buffer, so it is not reused. */
  return 0;
}

int32_t cresset_cuda_read_done(int32_t ordinal, double handle) {
  DEVICE(ordinal);
  if (device->capturing) return 0;
  CUresult result = driver.cuEventQuery(((Reading *)(uintptr_t)handle)->done);
  if (result == CUDA_ERROR_NOT_READY) return 0;
  int32_t status = driver_status(result, "cuEventQuery");
  return status == CRESSET_CUDA_OK ? 1 : status;
}

int32_t cresset_cuda_read_take(int32_t ordinal, double handle, uint8_t *target, double bytes, uint8_t *fault) {
  DEVICE(ordinal);
  Reading *reading = (Reading *)(uintptr_t)handle;
  memcpy(target, reading->memory + FAULT_BYTES, (size_t)bytes);
  memcpy(fault, reading->memory, FAULT_BYTES);
  give_back(device, reading);
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_copy(int32_t ordinal, double to, double from, double bytes) {
  DEVICE(ordinal);
  TRY(cuMemcpyDtoDAsync_v2((CUdeviceptr)to, (CUdeviceptr)from, (size_t)bytes, device->stream));
  return CRESSET_CUDA_OK;
}

/* Enables peer access in one direction: 1, or 0 where the devices have none. */
static int32_t reach(Device *device, int32_t ordinal, Device *other, int32_t other_ordinal) {
  CUdevice handle, other_handle;
  int can = 0;
  TRY(cuDeviceGet(&handle, ordinal));
  TRY(cuDeviceGet(&other_handle, other_ordinal));
  TRY(cuDeviceCanAccessPeer(&can, handle, other_handle));
  if (!can) return 0;
  TRY(cuCtxSetCurrent(device->context));
  device_forget_current();
  CUresult result = driver.cuCtxEnablePeerAccess(other->context, 0);
  if (result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) return 1;
  int32_t status = driver_status(result, "cuCtxEnablePeerAccess");
  return status == CRESSET_CUDA_OK ? 1 : status;
}

int32_t cresset_cuda_peer(int32_t ordinal, int32_t other_ordinal) {
  Device *device = device_at(ordinal), *other = device_at(other_ordinal);
  if (!device || !other) return CRESSET_CUDA_NO_DEVICE;
  int32_t there = reach(device, ordinal, other, other_ordinal);
  return there == 1 ? reach(other, other_ordinal, device, ordinal) : there;
}

int32_t cresset_cuda_copy_peer(int32_t to_ordinal, double to, int32_t from_ordinal, double from, double bytes) {
  Device *source = device_at(from_ordinal);
  if (!source) return CRESSET_CUDA_NO_DEVICE;
  CUevent ready, done;
  Device *target = device_at(to_ordinal);
  if (!target) return CRESSET_CUDA_NO_DEVICE;
  if (source->capturing || target->capturing) {
    set_error("a copy between devices cannot be captured");
    return CRESSET_CUDA_ARGUMENT;
  }
  if (!device_at(from_ordinal)) return CRESSET_CUDA_NO_DEVICE;
  TRY(cuEventCreate(&ready, CU_EVENT_DISABLE_TIMING));
  TRY(cuEventRecord(ready, source->stream));
  if (!device_at(to_ordinal)) return CRESSET_CUDA_NO_DEVICE;
  TRY(cuStreamWaitEvent(target->stream, ready, 0));
  TRY(cuMemcpyPeerAsync((CUdeviceptr)to, target->context, (CUdeviceptr)from, source->context, (size_t)bytes, target->stream));
  TRY(cuEventCreate(&done, CU_EVENT_DISABLE_TIMING));
  TRY(cuEventRecord(done, target->stream));
  /* The source's memory may be reused by its own stream, which therefore waits as well; the host does not. */
  if (!device_at(from_ordinal)) return CRESSET_CUDA_NO_DEVICE;
  TRY(cuStreamWaitEvent(source->stream, done, 0));
  TRY(cuEventDestroy_v2(ready));
  TRY(cuEventDestroy_v2(done));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_fill(int32_t ordinal, double address, int32_t value, double bytes) {
  DEVICE(ordinal);
  TRY(cuMemsetD8Async((CUdeviceptr)address, (unsigned char)value, (size_t)bytes, device->stream));
  return CRESSET_CUDA_OK;
}

/* The workspace of the graph that is captured; smaller ones stay, for what was captured before. */
static CUdeviceptr captured_workspace(Device *device, size_t bytes) {
  Graph *graph = device->capturing;
  if (graph->workspaces && graph->workspaces->bytes >= bytes) return graph->workspaces->address;
  CUdeviceptr fresh = 0;
  if (driver_status(allocate(device, &fresh, bytes), "cuMemAlloc (workspace of a graph)") != CRESSET_CUDA_OK) return 0;
  Workspace *kept = malloc(sizeof *kept);
  if (!kept) {
    set_error("no host memory for a graph's workspace");
    return 0;
  }
  *kept = (Workspace){.next = graph->workspaces, .address = fresh, .bytes = bytes};
  graph->workspaces = kept;
  return fresh;
}

CUdeviceptr device_workspace(Device *device, size_t bytes) {
  if (device->capturing) return captured_workspace(device, bytes);
  Stream *stream = device->current;
  if (stream->workspace_bytes >= bytes) return stream->workspace;
  CUdeviceptr fresh = 0;
  /* Freeing waits for the device, so what still uses the old one has ended. */
  if (stream->workspace) driver.cuMemFree_v2(stream->workspace);
  stream->workspace = 0;
  stream->workspace_bytes = 0;
  if (driver_status(allocate(device, &fresh, bytes), "cuMemAlloc (workspace)") != CRESSET_CUDA_OK) return 0;
  stream->workspace = fresh;
  stream->workspace_bytes = bytes;
  return fresh;
}
