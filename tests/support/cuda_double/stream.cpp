/*
 * `libcuda`: streams, events, graphs, modules and launches of the double.
 *
 * A stream's work waits until something needs it: a synchronisation, an event that is waited for, memory that is freed,
 * or a thousand pieces of it. Host code that forgets to wait reads what was there before.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "cache.h"
#include "driver.h"
#include "memory.h"

namespace {

constexpr size_t MAX_PENDING = 1024;
std::unordered_set<CUstream_st *> capturing;
/* What calls that might disturb a capture are allowed: CU_STREAM_CAPTURE_MODE_*, 0 being the strictest. */
thread_local int capture_mode;

CUresult launch_now(CUfunc_st *function, CrDim grid, CrDim block, unsigned shared, const std::string &parameters, bool fault) {
  bool alone = function->context->peers.empty() && setting("CUDA_DOUBLE_DEVICES", 1) > 1;
  memory_focus(alone ? function->context->ordinal : -1);
  if (fault) {
    fault_text = "injected into kernel " + function->kernel.name;
    return RESULT_ILLEGAL_ADDRESS;
  }
  return run_kernel(function->kernel, grid, block, shared, parameters.data(), &fault_text);
}

/* The parameter block of a launch, from either way of passing it. */
CUresult gather_parameters(const Kernel &kernel, void **parameters, void **extra, std::string *out) {
  const unsigned count = kernel.layout[0];
  size_t needed = 0;
  for (unsigned i = 0; i < count; i++) needed = std::max<size_t>(needed, kernel.layout[1 + 2 * i] + kernel.layout[2 + 2 * i]);
  if (parameters && extra) return RESULT_INVALID_VALUE;
  out->assign(needed, '\0');
  if (parameters) {
    for (unsigned i = 0; i < count; i++) memcpy(&(*out)[kernel.layout[2 + 2 * i]], parameters[i], kernel.layout[1 + 2 * i]);
    return CUDA_SUCCESS;
  }
  if (!extra) return count == 0 ? CUresult(CUDA_SUCCESS) : CUresult(RESULT_INVALID_VALUE);
  const char *from = nullptr;
  size_t bytes = 0;
  for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
    if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER) from = static_cast<const char *>(extra[1]);
    else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE) bytes = *static_cast<size_t *>(extra[1]);
    else return RESULT_INVALID_VALUE;
  }
  /* Too few bytes would let the kernel read what was there before. */
  if (!from || bytes < needed) return RESULT_INVALID_VALUE;
  out->assign(from, needed);
  return CUDA_SUCCESS;
}

void complete(CUevent_st *event, unsigned long long recorded) {
  event->completed = std::max(event->completed, recorded);
  event->time = std::chrono::steady_clock::now();
}

CUresult wait_for(CUevent_st *event, unsigned long long recorded) {
  if (!event->stream || event->completed >= recorded) return CUDA_SUCCESS;
  return drain(event->stream, [=] { return event->completed >= recorded; });
}

}  // namespace

CUstream_st *stream_of(CUstream stream) {
  if (!stream) return current_context ? current_context->streams[0] : nullptr;
  return handle_known(stream) ? stream : nullptr;
}

long long graph_launches;

bool refuse_capture() {
  if (capture_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return false;
  bool own = false;
  for (CUstream_st *stream : capturing) {
    if (stream->capturer != std::this_thread::get_id()) continue;
    own = stream->invalid = true;
  }
  return own;
}

CUresult drain(CUstream_st *stream, const std::function<bool()> &enough) {
  CUctx_st *context = stream->context;
  while (!stream->queue.empty() && context->fault == CUDA_SUCCESS && !(enough && enough())) {
    Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    context->fault = work();
  }
  if (context->fault != CUDA_SUCCESS) stream->queue.clear();
  return context->fault;
}

CUresult drain_context(CUctx_st *context) {
  for (CUstream_st *stream : context->streams) drain(stream);
  return context->fault;
}

CUresult put(CUstream handle, Work work) {
  CUstream_st *stream = stream_of(handle);
  if (!stream) return RESULT_INVALID_HANDLE;
  if (stream->capture) {
    stream->capture->work.push_back(std::move(work));
    stream->captured++;
    return CUDA_SUCCESS;
  }
  stream->queue.push_back(std::move(work));
  if (stream->queue.size() < MAX_PENDING) return CUDA_SUCCESS;
  return drain(stream, [=] { return stream->queue.size() <= MAX_PENDING / 2; });
}

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  CONTEXT;
  if (flags > CU_STREAM_NON_BLOCKING) return RESULT_INVALID_VALUE;
  *stream = new CUstream_st{context};
  context->streams.push_back(*stream);
  handle_add(*stream);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream handle) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (!stream) return RESULT_INVALID_HANDLE;
  if (stream->capture) {
    stream->invalid = true;
    return RESULT_CAPTURE_UNSUPPORTED;
  }
  return drain(stream);
}

EXPORT CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
  (void)priority; /* one out of range is clamped */
  return cuStreamCreate(stream, flags);
}

EXPORT CUresult cuStreamQuery(CUstream handle) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (!stream) return RESULT_INVALID_HANDLE;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  /* Whoever asks gets the work done, at his next question: so the first answer is "not yet". */
  if (stream->queue.empty()) return CUDA_SUCCESS;
  CUresult result = drain(stream);
  return result == CUDA_SUCCESS ? CUresult(CUDA_ERROR_NOT_READY) : result;
}

/* Waiting for an event of a capture joins it; back at its origin, the work before the event is joined. */
static CUresult wait_captured(CUstream_st *stream, CUevent_st *event) {
  if (!stream->capture) {
    stream->capture = event->captured;
    stream->invalid = stream->origin = false;
    stream->captured = stream->joined = 0;
    stream->capturer = std::this_thread::get_id();
    capturing.insert(stream);
  }
  if (stream->origin) event->stream->joined = std::max(event->stream->joined, event->after);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (flags != 0) return RESULT_INVALID_VALUE;
  if (!stream || !handle_known(event)) return RESULT_INVALID_HANDLE;
  bool during = event->captured && event->stream && event->stream->capture == event->captured;
  if (during && (!stream->capture || stream->capture == event->captured)) return wait_captured(stream, event);
  if (event->captured) return RESULT_CAPTURED_EVENT;
  if (stream->capture) {
    if (!event->stream) return CUDA_SUCCESS;
    stream->invalid = true;
    return RESULT_CAPTURE_ISOLATION;
  }
  /* The event may be destroyed before the wait is due; its memory stays. */
  unsigned long long recorded = event->recorded;
  return put(handle, [=] { return wait_for(event, recorded); });
}

EXPORT CUresult cuEventCreate(CUevent *event, unsigned flags) {
  CONTEXT;
  if (flags > 7) return RESULT_INVALID_VALUE;
  *event = new CUevent_st{context};
  (*event)->timed = !(flags & CU_EVENT_DISABLE_TIMING);
  handle_add(*event);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream handle) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (!stream || !handle_known(event) || event->context != stream->context) return RESULT_INVALID_HANDLE;
  event->captured = stream->capture;
  event->stream = stream;
  if (stream->capture) {
    event->after = stream->captured;
    return CUDA_SUCCESS;
  }
  unsigned long long recorded = ++event->recorded;
  return put(handle, [=] {
    complete(event, recorded);
    return (CUresult)CUDA_SUCCESS;
  });
}

EXPORT CUresult cuEventQuery(CUevent event) {
  CONTEXT;
  if (!handle_known(event)) return RESULT_INVALID_HANDLE;
  if (event->captured) return RESULT_CAPTURED_EVENT;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  if (!event->stream || event->completed >= event->recorded) return CUDA_SUCCESS;
  CUresult result = wait_for(event, event->recorded);
  return result == CUDA_SUCCESS ? CUresult(CUDA_ERROR_NOT_READY) : result;
}

EXPORT CUresult cuEventSynchronize(CUevent event) {
  CONTEXT;
  if (!handle_known(event)) return RESULT_INVALID_HANDLE;
  if (event->captured) return RESULT_CAPTURED_EVENT;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  return wait_for(event, event->recorded);
}

EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  CONTEXT;
  if (!handle_known(from) || !handle_known(to)) return RESULT_INVALID_HANDLE;
  if (!from->timed || !to->timed || from->recorded == 0 || to->recorded == 0) return RESULT_INVALID_HANDLE;
  if (from->completed < from->recorded || to->completed < to->recorded) return RESULT_NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  LOCK;
  if (!handle_remove(event)) return RESULT_INVALID_HANDLE;
  /* Work that is pending still names it, so the memory stays: a few dozen bytes. */
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream handle, int mode) {
  CONTEXT;
  if (mode < 0 || mode > 2) return RESULT_INVALID_VALUE;
  CUstream_st *stream = handle ? stream_of(handle) : nullptr;
  if (!stream) return RESULT_CAPTURE_UNSUPPORTED;
  if (stream->capture) return RESULT_INVALID_VALUE;
  stream->capture = new CUgraph_st();
  stream->invalid = false;
  stream->origin = true;
  stream->captured = stream->joined = 0;
  stream->capturer = std::this_thread::get_id();
  capturing.insert(stream);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
  LOCK;
  if (*mode < 0 || *mode > 2) return RESULT_INVALID_VALUE;
  std::swap(*mode, capture_mode);
  return CUDA_SUCCESS;
}

/* Ends a graph's capture on every stream: whether one of them was disturbed, and whether one has work that is not joined. */
static void leave_capture(CUgraph_st *graph, bool *invalid, bool *unjoined) {
  for (auto it = capturing.begin(); it != capturing.end();) {
    CUstream_st *stream = *it;
    if (stream->capture != graph) {
      ++it;
      continue;
    }
    *invalid |= stream->invalid;
    *unjoined |= !stream->origin && stream->joined < stream->captured;
    stream->capture = nullptr;
    it = capturing.erase(it);
  }
}

EXPORT CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (!stream) return RESULT_INVALID_HANDLE;
  if (!stream->capture || !stream->origin) return RESULT_INVALID_VALUE;
  bool invalid = false, unjoined = false;
  *graph = stream->capture;
  leave_capture(*graph, &invalid, &unjoined);
  if (invalid || unjoined) {
    /* Events name it for as long as they are not recorded again, so it is not deleted. */
    (*graph)->work.clear();
    *graph = nullptr;
    return invalid ? RESULT_CAPTURE_INVALIDATED : RESULT_CAPTURE_UNJOINED;
  }
  handle_add(*graph);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
  CONTEXT;
  if (flags != 0) return RESULT_INVALID_VALUE;
  if (!handle_known(graph)) return RESULT_INVALID_HANDLE;
  *exec = new CUgraphExec_st{graph->work};
  handle_add(*exec);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream handle) {
  CONTEXT;
  if (!handle_known(exec)) return RESULT_INVALID_HANDLE;
  graph_launches++;
  for (const Work &work : exec->work) {
    CUresult result = put(handle, work);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec) {
  LOCK;
  if (!handle_remove(exec)) return RESULT_INVALID_HANDLE;
  delete exec;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  LOCK;
  if (!handle_remove(graph)) return RESULT_INVALID_HANDLE;
  graph->work.clear();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  CONTEXT;
  if (refuse_capture()) return RESULT_CAPTURE_UNSUPPORTED;
  const auto *header = static_cast<const CubinHeader *>(image);
  if (memcmp(header->magic, CUBIN_MAGIC, sizeof header->magic) != 0) return RESULT_INVALID_IMAGE;
  /* Code of the same generation runs on what is as new or newer, PTX on every device that is. */
  int own = (int)setting("CUDA_DOUBLE_CAPABILITY", 90);
  if (header->capability > own || (!header->ptx && header->capability / 10 != own / 10)) return RESULT_NO_BINARY;
  std::string path = cached_path(reinterpret_cast<const char *>(header + 1), header->bytes, ".so");
  if (!cache_store(path, reinterpret_cast<const char *>(header + 1), header->bytes)) return RESULT_INVALID_IMAGE;
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return RESULT_INVALID_IMAGE;
  *module = new CUmod_st{context, library, {}};
  handle_add(*module);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  CONTEXT;
  if (!handle_known(module)) return RESULT_INVALID_HANDLE;
  auto find = [&](const std::string &symbol) { return dlsym(module->library, symbol.c_str()); };
  std::string prefix = std::string("cr_kernel_") + name;
  void *run = find(prefix), *layout = find(prefix + "_layout"), *slot = find("cr_slot"), *shared = find("cr_shared");
  if (!run || !layout || !slot || !shared) return RESULT_NOT_FOUND;
  auto *made = new CUfunc_st{};
  made->context = module->context;
  made->kernel = {name, reinterpret_cast<void (*)(const void *)>(run), reinterpret_cast<CrThread **(*)()>(slot)(),
                  reinterpret_cast<unsigned char *(*)()>(shared)(), *static_cast<const unsigned *const *>(layout)};
  module->functions.push_back(made);
  handle_add(made);
  *function = made;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  CONTEXT;
  if (!handle_known(function)) return RESULT_INVALID_HANDLE;
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return RESULT_INVALID_VALUE;
  if (value < 0 || value > CR_SHARED_BYTES || value > shared_bytes()) return RESULT_INVALID_VALUE;
  function->max_shared = (unsigned)value;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned shared, CUstream handle, void **parameters,
                               void **extra) {
  CONTEXT;
  CUstream_st *stream = stream_of(handle);
  if (!stream || !handle_known(function)) return RESULT_INVALID_HANDLE;
  if (function->context != stream->context) return RESULT_INVALID_CONTEXT;
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || block_x == 0 || block_y == 0 || block_z == 0) return RESULT_INVALID_VALUE;
  if (grid_x > 0x7fffffff || grid_y > 65535 || grid_z > 65535 || block_z > 64) return RESULT_INVALID_VALUE;
  if ((unsigned long long)block_x * block_y * block_z > 1024) return RESULT_INVALID_VALUE;
  if (shared > function->max_shared) return RESULT_INVALID_VALUE;
  if (skips_work()) return CUDA_SUCCESS;
  std::string bytes;
  CUresult result = gather_parameters(function->kernel, parameters, extra, &bytes);
  if (result != CUDA_SUCCESS) return result;
  if (injected(FAIL_LAUNCH)) return RESULT_LAUNCH_RESOURCES;
  counters[LAUNCHES]++;
  bool fault = injected(FAULT_LAUNCH);
  CrDim grid = {grid_x, grid_y, grid_z}, block = {block_x, block_y, block_z};
  return put(handle, [=] { return launch_now(function, grid, block, shared, bytes, fault); });
}
