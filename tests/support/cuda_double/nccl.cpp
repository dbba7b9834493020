/*
 * `libnccl` of the double: collectives over the double's devices, computed naively.
 *
 * As with the real library the calls of one collective come in one group, one per device, and must agree; each waits for
 * what its own stream was given before, and nothing waits on the host.
 */
#include <cstdio>
#include <vector>

#include "double.h"

NCCL_FUNCTIONS(DECLARE)

namespace {

constexpr ncclResult_t CUDA_FAILED = 1, INVALID_ARGUMENT = 4, INVALID_USAGE = 5;
enum Kind { ALL_REDUCE, REDUCE, BROADCAST, ALL_GATHER, REDUCE_SCATTER };

struct Clique {
  int count;
  int alive;
};

}  // namespace

struct ncclComm {
  Clique *clique;
  int rank, device;
};

namespace {

struct Call {
  Kind kind;
  const void *from;
  void *to;
  size_t count;
  int type, op, root;
  ncclComm_t comm;
  CUstream stream;
};

int depth;
std::vector<Call> group;

size_t size_of(int type) {
  switch (type) {
    case ncclInt8:
    case ncclUint8: return 1;
    case ncclFloat16:
    case ncclBfloat16: return 2;
    case ncclInt32:
    case ncclFloat32: return 4;
    case ncclInt64:
    case ncclFloat64: return 8;
    default: return 0;
  }
}

template <typename T>
T combine(T a, T b, int op) {
  switch (op) {
    case ncclProd: return a * b;
    case ncclMax: return a > b ? a : b;
    case ncclMin: return a < b ? a : b;
    default: return a + b;
  }
}

/* Combines element i of every rank's operand: integers modulo 2^64, floats in double. */
void reduce_at(const std::vector<Call> &calls, size_t from, void *to, size_t at) {
  const Call &first = calls[0];
  int type = first.type, n = (int)calls.size();
  auto load = [&](const Call &c) -> double {
    switch (type) {
      case ncclFloat16: return half_to_float(static_cast<const uint16_t *>(c.from)[from]);
      case ncclBfloat16: return bfloat_to_float(static_cast<const uint16_t *>(c.from)[from]);
      case ncclFloat32: return static_cast<const float *>(c.from)[from];
      default: return static_cast<const double *>(c.from)[from];
    }
  };
  auto integer = [&](const Call &c) -> int64_t {
    switch (type) {
      case ncclInt8: return static_cast<const int8_t *>(c.from)[from];
      case ncclUint8: return static_cast<const uint8_t *>(c.from)[from];
      case ncclInt32: return static_cast<const int32_t *>(c.from)[from];
      default: return static_cast<const int64_t *>(c.from)[from];
    }
  };
  if (type == ncclFloat16 || type == ncclBfloat16 || type == ncclFloat32 || type == ncclFloat64) {
    double sum = load(calls[0]);
    for (int i = 1; i < n; i++) sum = combine(sum, load(calls[(size_t)i]), first.op);
    if (first.op == ncclAvg) sum /= n;
    switch (type) {
      case ncclFloat16: static_cast<uint16_t *>(to)[at] = float_to_half((float)sum); return;
      case ncclBfloat16: static_cast<uint16_t *>(to)[at] = float_to_bfloat((float)sum); return;
      case ncclFloat32: static_cast<float *>(to)[at] = (float)sum; return;
      default: static_cast<double *>(to)[at] = sum; return;
    }
  }
  int64_t sum = integer(calls[0]);
  for (int i = 1; i < n; i++) sum = combine(sum, integer(calls[(size_t)i]), first.op);
  if (first.op == ncclAvg) sum /= n;
  switch (size_of(type)) {
    case 1: static_cast<int8_t *>(to)[at] = (int8_t)sum; return;
    case 4: static_cast<int32_t *>(to)[at] = (int32_t)sum; return;
    default: static_cast<int64_t *>(to)[at] = sum; return;
  }
}

/* One collective; targets may be sources, so results are put together first. */
void compute(const std::vector<Call> &calls) {
  const Call &first = calls[0];
  size_t n = calls.size(), size = size_of(first.type), bytes = first.count * size;
  std::vector<char> result(bytes * n);
  bool gathers = first.kind == ALL_GATHER, scatters = first.kind == REDUCE_SCATTER;
  size_t total = scatters ? first.count * n : first.count;
  if (gathers) {
    for (size_t i = 0; i < n; i++) memcpy(result.data() + i * bytes, calls[i].from, bytes);
  } else if (first.kind == BROADCAST) {
    memcpy(result.data(), calls[(size_t)first.root].from, bytes);
  } else {
    for (size_t i = 0; i < total; i++) reduce_at(calls, i, result.data(), i);
  }
  for (size_t i = 0; i < n; i++) {
    if (first.kind == REDUCE && (int)i != first.root) continue;
    memcpy(calls[i].to, result.data() + (scatters ? i * bytes : 0), gathers ? bytes * n : bytes);
  }
}

/* The device whose memory holds both operands of a call. */
bool operands_valid(const Call &call, size_t ranks) {
  static const auto owner = driver_function<DoubleOwner>("cuda_double_owner");
  size_t bytes = call.count * size_of(call.type);
  size_t from = call.kind == REDUCE_SCATTER ? bytes * ranks : bytes, to = call.kind == ALL_GATHER ? bytes * ranks : bytes;
  bool reads = call.kind != BROADCAST || call.comm->rank == call.root;
  bool writes = call.kind != REDUCE || call.comm->rank == call.root;
  if (bytes == 0) return true;
  return (!reads || owner(call.from, from) == call.comm->device) && (!writes || owner(call.to, to) == call.comm->device);
}

/* Makes the streams wait for each other around the work on the first one's. */
ncclResult_t issue(std::vector<Call> calls) {
  static const auto retain = driver_function<CUresult (*)(CUcontext *, CUdevice)>("cuDevicePrimaryCtxRetain");
  static const auto use = driver_function<CUresult (*)(CUcontext)>("cuCtxSetCurrent");
  static const auto create = driver_function<CUresult (*)(CUevent *, unsigned)>("cuEventCreate");
  static const auto record = driver_function<CUresult (*)(CUevent, CUstream)>("cuEventRecord");
  static const auto wait = driver_function<CUresult (*)(CUstream, CUevent, unsigned)>("cuStreamWaitEvent");
  static const auto destroy = driver_function<CUresult (*)(CUevent)>("cuEventDestroy_v2");
  CUcontext context;
  std::vector<CUevent> events(calls.size());
  CUresult result = CUDA_SUCCESS;
  for (size_t i = 0; i < calls.size() && result == CUDA_SUCCESS; i++) {
    if ((result = retain(&context, calls[i].comm->device)) == CUDA_SUCCESS) result = use(context);
    if (result == CUDA_SUCCESS) result = create(&events[i], CU_EVENT_DISABLE_TIMING);
    if (result == CUDA_SUCCESS) result = record(events[i], calls[i].stream);
  }
  if (result == CUDA_SUCCESS && (result = retain(&context, calls[0].comm->device)) == CUDA_SUCCESS) result = use(context);
  for (size_t i = 1; i < calls.size() && result == CUDA_SUCCESS; i++) result = wait(calls[0].stream, events[i], 0);
  if (result != CUDA_SUCCESS) return CUDA_FAILED;
  if (!enqueue(calls[0].stream, [calls] { compute(calls); })) return CUDA_FAILED;
  if (record(events[0], calls[0].stream) != CUDA_SUCCESS) return CUDA_FAILED;
  for (size_t i = 1; i < calls.size(); i++) {
    if (retain(&context, calls[i].comm->device) != CUDA_SUCCESS || use(context) != CUDA_SUCCESS) return CUDA_FAILED;
    if (wait(calls[i].stream, events[0], 0) != CUDA_SUCCESS) return CUDA_FAILED;
  }
  for (CUevent event : events) destroy(event);
  return ncclSuccess;
}

/* Takes one collective out of the group: a call of each rank, in the order of the ranks. */
ncclResult_t take(std::vector<Call> *calls) {
  Clique *clique = group[0].comm->clique;
  std::vector<Call> found((size_t)clique->count);
  std::vector<char> seen((size_t)clique->count);
  const Call first = group[0];
  for (size_t i = 0; i < group.size();) {
    const Call &c = group[i];
    if (c.comm->clique != clique || seen[(size_t)c.comm->rank]) {
      i++;
      continue;
    }
    /* The real library waits for ever, or mixes them up. */
    if (c.kind != first.kind || c.count != first.count || c.type != first.type || c.op != first.op || c.root != first.root) {
      return INVALID_USAGE;
    }
    seen[(size_t)c.comm->rank] = 1;
    found[(size_t)c.comm->rank] = c;
    group.erase(group.begin() + (long)i);
  }
  for (char s : seen) {
    if (!s) return INVALID_USAGE;
  }
  *calls = found;
  return ncclSuccess;
}

ncclResult_t add(Call call) {
  if (!call.comm || !size_of(call.type) || call.op < ncclSum || call.op > ncclAvg) return INVALID_ARGUMENT;
  if (call.root < 0 || call.root >= call.comm->clique->count) return INVALID_ARGUMENT;
  if (!operands_valid(call, (size_t)call.comm->clique->count)) return INVALID_ARGUMENT;
  if (depth == 0 && call.comm->clique->count > 1) return INVALID_USAGE;
  group.push_back(call);
  if (depth > 0) return ncclSuccess;
  depth++;
  return ncclGroupEnd();
}

}  // namespace

EXPORT ncclResult_t ncclGetVersion(int *version) {
  *version = 22800;
  return ncclSuccess;
}

EXPORT const char *ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess: return "no error";
    case CUDA_FAILED: return "unhandled cuda error";
    case INVALID_ARGUMENT: return "invalid argument";
    case INVALID_USAGE: return "invalid usage";
    default: return "unknown result code";
  }
}

EXPORT ncclResult_t ncclCommInitAll(ncclComm_t *comms, int count, const int *devices) {
  if (count < 1) return INVALID_ARGUMENT;
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < i; j++) {
      if (devices[i] == devices[j]) return INVALID_USAGE;
    }
  }
  auto *clique = new Clique{count, count};
  for (int i = 0; i < count; i++) comms[i] = new ncclComm{clique, i, devices ? devices[i] : i};
  return ncclSuccess;
}

EXPORT ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm) return INVALID_ARGUMENT;
  if (--comm->clique->alive == 0) delete comm->clique;
  delete comm;
  return ncclSuccess;
}

EXPORT ncclResult_t ncclGroupStart() {
  depth++;
  return ncclSuccess;
}

EXPORT ncclResult_t ncclGroupEnd() {
  if (depth == 0) return INVALID_USAGE;
  if (--depth > 0) return ncclSuccess;
  while (!group.empty()) {
    std::vector<Call> calls;
    ncclResult_t result = take(&calls);
    if (result == ncclSuccess) result = issue(calls);
    if (result != ncclSuccess) {
      group.clear();
      return result;
    }
  }
  return ncclSuccess;
}

EXPORT ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, CUstream stream) {
  return add({ALL_REDUCE, from, to, count, type, op, 0, comm, stream});
}

EXPORT ncclResult_t ncclReduce(const void *from, void *to, size_t count, int type, int op, int root, ncclComm_t comm, CUstream stream) {
  return add({REDUCE, from, to, count, type, op, root, comm, stream});
}

EXPORT ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, int type, int root, ncclComm_t comm, CUstream stream) {
  return add({BROADCAST, from, to, count, type, ncclSum, root, comm, stream});
}

EXPORT ncclResult_t ncclAllGather(const void *from, void *to, size_t count, int type, ncclComm_t comm, CUstream stream) {
  return add({ALL_GATHER, from, to, count, type, ncclSum, 0, comm, stream});
}

EXPORT ncclResult_t ncclReduceScatter(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, CUstream stream) {
  return add({REDUCE_SCATTER, from, to, count, type, op, 0, comm, stream});
}
