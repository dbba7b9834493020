/*
 * `libcuda`: devices, contexts, memory and copies of the double.
 *
 * Environment: CUDA_DOUBLE_DEVICES (1), CUDA_DOUBLE_MEMORY (bytes of each, 2 GiB), CUDA_DOUBLE_CAPABILITY (90),
 * CUDA_DOUBLE_VERSION (13000), CUDA_DOUBLE_PEERS (0; 1: devices can reach each other's memory), CUDA_DOUBLE_SKIP (0; 1:
 * launches and library calls do nothing, for timing the host), CUDA_DOUBLE_FAIL ("alloc:3,launch:1,fault:2,copy:1": the n-th call from the start fails).
 */
#include "driver.h"

#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "memory.h"

std::recursive_mutex double_mutex;
thread_local CUctx_st *current_context;
std::string fault_text;
long long counters[COUNTERS];

namespace {

bool initialised;
long long injections[INJECTIONS];
std::vector<CUctx_st *> contexts;
std::unordered_set<const void *> handles;

int device_count() { return (int)setting("CUDA_DOUBLE_DEVICES", 1); }
size_t memory_limit() { return (size_t)setting("CUDA_DOUBLE_MEMORY", 2ll << 30); }

void read_injections() {
  static const char *names[INJECTIONS] = {"alloc:", "launch:", "fault:", "copy:"};
  const char *text = getenv("CUDA_DOUBLE_FAIL");
  for (int i = 0; i < INJECTIONS; i++) {
    const char *found = text ? strstr(text, names[i]) : nullptr;
    injections[i] = found ? atoll(found + strlen(names[i])) : 0;
  }
}

const char *error_name(CUresult error) {
  switch (error) {
    case CUDA_SUCCESS: return "no error";
    case CUDA_ERROR_OUT_OF_MEMORY: return "out of memory";
    case RESULT_INVALID_VALUE: return "invalid argument";
    case RESULT_NOT_INITIALIZED: return "initialization error";
    case RESULT_INVALID_DEVICE: return "invalid device ordinal";
    case RESULT_INVALID_IMAGE: return "device kernel image is invalid";
    case RESULT_INVALID_CONTEXT: return "invalid device context";
    case RESULT_NO_BINARY: return "no kernel image is available for execution on the device";
    case RESULT_INVALID_HANDLE: return "invalid resource handle";
    case RESULT_NOT_FOUND: return "named symbol not found";
    case RESULT_NOT_READY: return "device not ready";
    case RESULT_ILLEGAL_ADDRESS: return "an illegal memory access was encountered";
    case RESULT_LAUNCH_RESOURCES: return "too many resources requested for launch";
    case RESULT_LAUNCH_TIMEOUT: return "the launch timed out and was terminated";
    case RESULT_MISALIGNED_ADDRESS: return "misaligned address";
    case RESULT_LAUNCH_FAILED: return "unspecified launch failure";
    case CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED: return "peer access is already enabled";
    case RESULT_PEER_UNSUPPORTED: return "peer access is not supported between these two devices";
    case RESULT_CAPTURE_UNJOINED: return "capturing stream has unjoined work";
    case RESULT_CAPTURE_ISOLATION: return "dependency created on uncaptured work in another stream";
    case RESULT_CAPTURED_EVENT: return "operation not permitted on an event last recorded in a capturing stream";
    case RESULT_CAPTURE_UNSUPPORTED: return "operation not permitted when stream is capturing";
    case RESULT_CAPTURE_INVALIDATED: return "operation failed due to a previous error during capture";
    default: return nullptr;
  }
}

bool is_fault(CUresult error) {
  return error == RESULT_ILLEGAL_ADDRESS || error == RESULT_MISALIGNED_ADDRESS || error == RESULT_LAUNCH_TIMEOUT || error == RESULT_LAUNCH_FAILED;
}

/* A copy at its time: addresses are checked again, the memory may be gone by then. */
CUresult copy_now(void *to, const void *from, size_t bytes, bool to_device, bool from_device) {
  memory_focus(-1);
  if (to_device && memory_owner((CUdeviceptr)to, bytes) < 0) return RESULT_ILLEGAL_ADDRESS;
  if (from_device && memory_owner((CUdeviceptr)from, bytes) < 0) return RESULT_ILLEGAL_ADDRESS;
  memmove(to, from, bytes);
  return CUDA_SUCCESS;
}

}  // namespace

long long setting(const char *name, long long otherwise) {
  const char *text = getenv(name);
  return text && *text ? atoll(text) : otherwise;
}

bool skips_work() {
  static const bool skips = setting("CUDA_DOUBLE_SKIP", 0) != 0;
  return skips;
}

bool injected(Injection which) { return injections[which] > 0 && --injections[which] == 0; }

void handle_add(const void *handle) { handles.insert(handle); }
bool handle_remove(const void *handle) { return handles.erase(handle) != 0; }
bool handle_known(const void *handle) { return handles.count(handle) != 0; }

EXPORT CUresult cuInit(unsigned flags) {
  LOCK;
  if (flags != 0) return RESULT_INVALID_VALUE;
  if (device_count() == 0) return 100; /* CUDA_ERROR_NO_DEVICE */
  if (!initialised) read_injections();
  initialised = true;
  return CUDA_SUCCESS;
}

/* Not the shim's: the real NVRTC asks the driver for private tables, which it can do without, and expects an answer. */
EXPORT CUresult cuGetExportTable(const void **table, const void *id) {
  (void)id;
  if (table) *table = nullptr;
  return RESULT_NOT_FOUND;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = (int)setting("CUDA_DOUBLE_VERSION", 13000);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  LOCK;
  static thread_local std::string last;
  const char *name = error == 100 ? "no CUDA-capable device is detected" : error_name(error);
  if (!name) return RESULT_INVALID_VALUE;
  last = name;
  /* The real driver does not say more; the double knows. */
  if (is_fault(error) && !fault_text.empty()) last += " (double: " + fault_text + ")";
  *text = last.c_str();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count) {
  if (!initialised) return RESULT_NOT_INITIALIZED;
  *count = device_count();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  if (!initialised) return RESULT_NOT_INITIALIZED;
  if (ordinal < 0 || ordinal >= device_count()) return RESULT_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
  if (device < 0 || device >= device_count() || size < 1) return RESULT_INVALID_VALUE;
  snprintf(name, (size_t)size, "CUDA double %d", device);
  return CUDA_SUCCESS;
}

int shared_bytes() {
  int capability = (int)setting("CUDA_DOUBLE_CAPABILITY", 90);
  if (capability < 80) return 64 * 1024;
  if (capability == 80 || capability == 87) return 163 * 1024;
  return capability >= 90 && capability < 120 ? 227 * 1024 : 99 * 1024;
}

EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  if (device < 0 || device >= device_count()) return RESULT_INVALID_DEVICE;
  int capability = (int)setting("CUDA_DOUBLE_CAPABILITY", 90);
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability / 10; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability % 10; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = shared_bytes(); return CUDA_SUCCESS;
    default: return RESULT_INVALID_VALUE;
  }
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  LOCK;
  if (!initialised) return RESULT_NOT_INITIALIZED;
  if (device < 0 || device >= device_count()) return RESULT_INVALID_DEVICE;
  while ((int)contexts.size() < device_count()) {
    auto *fresh = new CUctx_st{(int)contexts.size()};
    /* The stream that NULL means. */
    fresh->streams.push_back(new CUstream_st{fresh});
    handle_add(fresh->streams[0]);
    contexts.push_back(fresh);
  }
  *context = contexts[(size_t)device];
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  current_context = context;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  CONTEXT;
  *total = memory_limit();
  *free = *total - memory_used(context->ordinal);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  CONTEXT;
  if (bytes == 0) return RESULT_INVALID_VALUE;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  if (injected(FAIL_ALLOC)) return CUDA_ERROR_OUT_OF_MEMORY;
  CUdeviceptr made = memory_allocate(context->ordinal, bytes, memory_limit());
  if (!made) return CUDA_ERROR_OUT_OF_MEMORY;
  counters[ALLOCATIONS]++;
  *address = made;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  CONTEXT;
  if (address == 0) return CUDA_SUCCESS;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  int owner = memory_owner(address, 0);
  if (owner < 0) return RESULT_INVALID_VALUE;
  CUresult result = drain_context(contexts[(size_t)owner]);
  if (result != CUDA_SUCCESS) return result;
  result = memory_free(address);
  if (result == RESULT_ILLEGAL_ADDRESS) {
    fault_text = "memory beside an allocation was overwritten";
    context->fault = result;
  }
  return result;
}

EXPORT CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
  CONTEXT;
  (void)flags;
  *address = memory_pin(bytes);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemFreeHost(void *address) {
  CONTEXT;
  return memory_unpin(address) ? CUresult(CUDA_SUCCESS) : CUresult(RESULT_INVALID_VALUE);
}

EXPORT CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
  LOCK;
  if (device < 0 || device >= device_count() || peer < 0 || peer >= device_count()) return RESULT_INVALID_DEVICE;
  *can = device != peer && setting("CUDA_DOUBLE_PEERS", 0);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  CONTEXT;
  if (flags != 0 || !peer || peer == context) return RESULT_INVALID_VALUE;
  if (!setting("CUDA_DOUBLE_PEERS", 0)) return RESULT_PEER_UNSUPPORTED;
  for (CUctx_st *known : context->peers) {
    if (known == peer) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  }
  context->peers.push_back(peer);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSynchronize() {
  CONTEXT;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  return drain_context(context);
}

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  CONTEXT;
  if (memory_owner(to, bytes) < 0) return RESULT_INVALID_VALUE;
  if (injected(FAIL_COPY)) return RESULT_LAUNCH_FAILED;
  counters[COPIES]++;
  void *target = (void *)to;
  if (memory_pinned(from, bytes)) {
    return put(stream, [=] {
      /* A graph may outlive the memory that its copies read. */
      return memory_pinned(from, bytes) ? copy_now(target, from, bytes, true, false) : CUresult(RESULT_ILLEGAL_ADDRESS);
    });
  }
  if (stream_of(stream) && stream_of(stream)->capture) {
    refuse_capture();
    return RESULT_CAPTURE_UNSUPPORTED;
  }
  /* Pageable memory is read before the call returns. */
  std::string now(static_cast<const char *>(from), bytes);
  return put(stream, [=] { return copy_now(target, now.data(), bytes, true, false); });
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  CONTEXT;
  if (memory_owner(from, bytes) < 0) return RESULT_INVALID_VALUE;
  if (injected(FAIL_COPY)) return RESULT_LAUNCH_FAILED;
  counters[COPIES]++;
  const void *source = (const void *)from;
  CUresult result = put(stream, [=] { return copy_now(to, source, bytes, false, true); });
  /* To pageable memory the copy has ended when the call returns. */
  if (result != CUDA_SUCCESS || memory_pinned(to, bytes)) return result;
  return cuStreamSynchronize(stream);
}

EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  CONTEXT;
  if (memory_owner(to, bytes) < 0 || memory_owner(from, bytes) < 0) return RESULT_INVALID_VALUE;
  void *target = (void *)to, *source = (void *)from;
  return put(stream, [=] { return copy_now(target, source, bytes, true, true); });
}

EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                                  size_t bytes, CUstream stream) {
  CONTEXT;
  if (!to_context || memory_owner(to, bytes) != to_context->ordinal) return RESULT_INVALID_VALUE;
  if (!from_context || memory_owner(from, bytes) != from_context->ordinal) return RESULT_INVALID_VALUE;
  void *target = (void *)to, *source = (void *)from;
  return put(stream, [=] { return copy_now(target, source, bytes, true, true); });
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t bytes, CUstream stream) {
  CONTEXT;
  if (memory_owner(address, bytes) < 0) return RESULT_INVALID_VALUE;
  return put(stream, [=] {
    memory_focus(-1);
    if (memory_owner(address, bytes) < 0) return (CUresult)RESULT_ILLEGAL_ADDRESS;
    memset((void *)address, value, bytes);
    return (CUresult)CUDA_SUCCESS;
  });
}

/* For the other libraries of the double. */
EXPORT CUresult cuda_double_enqueue(CUstream stream, DoubleWork run, void *data, DoubleDestroy destroy) {
  LOCK;
  std::shared_ptr<void> kept(data, destroy);
  if (skips_work()) return CUDA_SUCCESS;
  return put(stream, [=] {
    memory_focus(-1);
    return run(kept.get());
  });
}

EXPORT int cuda_double_owns(const void *address, size_t bytes) {
  LOCK;
  return memory_owner((CUdeviceptr)address, bytes) >= 0;
}

EXPORT int cuda_double_owner(const void *address, size_t bytes) {
  LOCK;
  return memory_owner((CUdeviceptr)address, bytes);
}

/* For tests: the n-th call of a kind from now fails (0 alloc, 1 launch, 2 fault of a launch, 3 copy); n = 0: none. */
EXPORT void cuda_double_inject(int which, int n) {
  LOCK;
  if (which >= 0 && which < INJECTIONS) injections[which] = n;
}

/* For tests: forgets faults, as a new process would; pending work is dropped. */
EXPORT void cuda_double_reset() {
  LOCK;
  for (CUctx_st *context : contexts) {
    context->fault = CUDA_SUCCESS;
    for (CUstream_st *stream : context->streams) stream->queue.clear();
  }
  fault_text.clear();
  for (long long &n : injections) n = 0;
}

/* For tests: 0 launches, 1 allocations made, 2 copies, 3 bytes in use, 4 live allocations, 5 peak bytes, 6 pending work,
   7 graph launches, 8 pinned bytes. */
EXPORT double cuda_double_counter(int which) {
  LOCK;
  size_t pending = 0, used = 0;
  for (CUctx_st *context : contexts) {
    used += memory_used(context->ordinal);
    for (CUstream_st *stream : context->streams) pending += stream->queue.size();
  }
  switch (which) {
    case 3: return (double)used;
    case 4: return (double)memory_count();
    case 5: return (double)memory_peak();
    case 6: return (double)pending;
    case 7: return (double)graph_launches;
    case 8: return (double)memory_pinned_bytes();
    default: return which >= 0 && which < COUNTERS ? (double)counters[which] : -1;
  }
}
