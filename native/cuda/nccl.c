/*
 * Collectives over several devices of this process, by NCCL.
 *
 * One communicator per device, made together; a collective is one group of calls, one per device on its current stream, so
 * it waits for what came before there and the host does not wait for it.
 */
#include "api.h"

#include <stdlib.h>

enum { ALL_REDUCE, REDUCE, BROADCAST, ALL_GATHER, REDUCE_SCATTER, KINDS };
enum { MAX_RANKS = 64, HEADER = 4 };

typedef struct {
  int32_t count;
  int devices[MAX_RANKS];
  ncclComm_t ranks[MAX_RANKS];
} Communicator;

static int32_t nccl_status(ncclResult_t result, const char *call) {
  if (result == ncclSuccess) return CRESSET_CUDA_OK;
  set_error("%s: %s (NCCL error %d)", call, nccl.ncclGetErrorString(result), result);
  return CRESSET_CUDA_FAULT;
}

static int data_type(int32_t dtype) {
  switch (dtype) {
    case 0: /* bool: 0 or 1, so largest and smallest are any and all */
    case 1: return ncclUint8;
    case 2: return ncclInt8;
    case 4: return ncclInt32;
    case 5: return ncclInt64;
    case 6: return ncclFloat16;
    case 7: return ncclBfloat16;
    case 8: return ncclFloat32;
    case 9: return ncclFloat64;
    default: return -1;
  }
}

double cresset_cuda_nccl_open(int32_t count) {
  if (!library_ready(LIB_NCCL)) return 0;
  if (count < 1 || count > MAX_RANKS) {
    set_error("NCCL connects 1 to %d devices: %d", MAX_RANKS, count);
    return 0;
  }
  Communicator *made = calloc(1, sizeof *made);
  if (!made) return 0;
  made->count = count;
  for (int32_t i = 0; i < count; i++) {
    made->devices[i] = (int)arena[i];
    if (!device_at(made->devices[i])) {
      free(made);
      return 0;
    }
  }
  int32_t status = nccl_status(nccl.ncclCommInitAll(made->ranks, count, made->devices), "ncclCommInitAll");
  device_forget_current();
  if (status == CRESSET_CUDA_OK) return (double)(uintptr_t)made;
  free(made);
  return 0;
}

static ncclResult_t call(const Communicator *c, int32_t rank, int type) {
  int kind = (int)arena[0], op = (int)arena[1], root = (int)arena[2];
  size_t count = (size_t)arena[3];
  const void *from = (void *)(uintptr_t)arena[HEADER + 2 * rank];
  void *to = (void *)(uintptr_t)arena[HEADER + 2 * rank + 1];
  ncclComm_t comm = c->ranks[rank];
  CUstream stream = device_at(c->devices[rank])->stream;
  switch (kind) {
    case ALL_REDUCE: return nccl.ncclAllReduce(from, to, count, type, op, comm, stream);
    case REDUCE: return nccl.ncclReduce(from, to, count, type, op, root, comm, stream);
    case BROADCAST: return nccl.ncclBroadcast(from, to, count, type, root, comm, stream);
    case ALL_GATHER: return nccl.ncclAllGather(from, to, count, type, comm, stream);
    default: return nccl.ncclReduceScatter(from, to, count, type, op, comm, stream);
  }
}

int32_t cresset_cuda_nccl_collective(double communicator, int32_t dtype) {
  const Communicator *c = (Communicator *)(uintptr_t)communicator;
  int type = data_type(dtype);
  if (type < 0 || arena[0] < 0 || arena[0] >= KINDS) {
    set_error("NCCL does not combine dtype %d (collective %d)", dtype, (int)arena[0]);
    return CRESSET_CUDA_ARGUMENT;
  }
  int32_t status = nccl_status(nccl.ncclGroupStart(), "ncclGroupStart");
  if (status != CRESSET_CUDA_OK) return status;
  for (int32_t rank = 0; rank < c->count && status == CRESSET_CUDA_OK; rank++) {
    status = nccl_status(call(c, rank, type), "NCCL collective");
  }
  int32_t ended = nccl_status(nccl.ncclGroupEnd(), "ncclGroupEnd");
  device_forget_current();
  return status == CRESSET_CUDA_OK ? ended : status;
}

int32_t cresset_cuda_nccl_close(double communicator) {
  Communicator *c = (Communicator *)(uintptr_t)communicator;
  int32_t status = CRESSET_CUDA_OK;
  for (int32_t rank = 0; rank < c->count; rank++) {
    int32_t closed = nccl_status(nccl.ncclCommDestroy(c->ranks[rank]), "ncclCommDestroy");
    if (status == CRESSET_CUDA_OK) status = closed;
  }
  device_forget_current();
  free(c);
  return status;
}
