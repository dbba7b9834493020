/*
 * The driver double's objects: contexts, streams that run late, events, graphs, and what tests may ask of them.
 */
#ifndef CUDA_DOUBLE_DRIVER_H
#define CUDA_DOUBLE_DRIVER_H

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "double.h"
#include "launch.h"

DRIVER_FUNCTIONS(DECLARE)

/* A piece of work: its result is CUDA_SUCCESS or a fault. */
using Work = std::function<CUresult()>;

struct CUstream_st {
  CUctx_st *context;
  std::deque<Work> queue = {};
  CUgraph_st *capture = nullptr; /* what is launched goes here */
  std::thread::id capturer;      /* the thread that captures: the mode is thread-local */
  bool invalid = false;          /* something was called that a capture does not allow */
  bool origin = false;           /* the capture began here, not by waiting for an event of it */
  size_t captured = 0, joined = 0; /* pieces of work captured, and how many of them the origin waits for */
};

struct CUctx_st {
  int ordinal;
  CUresult fault = CUDA_SUCCESS; /* of an earlier launch: everything fails from then on */
  std::vector<CUstream_st *> streams = {};
  std::vector<CUctx_st *> peers = {}; /* whose memory kernels here may reach */
};

struct CUevent_st {
  CUctx_st *context;
  CUstream_st *stream = nullptr;
  unsigned long long recorded = 0, completed = 0;
  CUgraph_st *captured = nullptr; /* the graph that it was recorded into */
  size_t after = 0;               /* how much of its stream's captured work comes before it */
  bool timed = true;
  std::chrono::steady_clock::time_point time = {};
};

struct CUgraph_st {
  std::vector<Work> work;
};

struct CUgraphExec_st {
  std::vector<Work> work;
};

struct CUfunc_st {
  Kernel kernel;
  CUctx_st *context;
  unsigned max_shared = 48 * 1024;
};

struct CUmod_st {
  CUctx_st *context;
  void *library;
  std::vector<CUfunc_st *> functions;
};

/* The double is used by one thread at a time. */
extern std::recursive_mutex double_mutex;
/* The context that the calling thread made current. */
extern thread_local CUctx_st *current_context;
/* What failed last in words, for cuGetErrorString. */
extern std::string fault_text;

/* Runs a stream's work, all of it or until `enough` says so; gives the context's fault. */
CUresult drain(CUstream_st *stream, const std::function<bool()> &enough = nullptr);
CUresult drain_context(CUctx_st *context);
/* Puts work on a stream, or into the graph that is captured. */
CUresult put(CUstream stream, Work work);
CUstream_st *stream_of(CUstream stream);
/* Whether the thread captures, and is not in the relaxed mode; such a call invalidates the capture. */
bool refuse_capture();

/* Failures to come, counted down by the calls they are for: 0 none, 1 the next. */
enum Injection { FAIL_ALLOC, FAIL_LAUNCH, FAULT_LAUNCH, FAIL_COPY, INJECTIONS };
bool injected(Injection which);
/* What tests count. */
enum Counter { LAUNCHES, ALLOCATIONS, COPIES, COUNTERS };
extern long long graph_launches;
extern long long counters[COUNTERS];

/* Settings from the environment. */
long long setting(const char *name, long long otherwise);
/* Shared memory that a block of this device may have, in bytes. */
int shared_bytes();
/* Whether kernels and library calls do nothing. */
bool skips_work();

/* Registered handles: a call with one that is not there fails instead of crashing. */
void handle_add(const void *handle);
bool handle_remove(const void *handle);
bool handle_known(const void *handle);

#define LOCK std::lock_guard<std::recursive_mutex> lock_(double_mutex)
/* Calls that need a current context that has not faulted. */
#define CONTEXT                                                    \
  LOCK;                                                            \
  CUctx_st *context = current_context;                             \
  if (!context) return RESULT_INVALID_CONTEXT;                     \
  if (context->fault != CUDA_SUCCESS) return context->fault

#endif
