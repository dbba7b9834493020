/*
 * What a compiled kernel and the driver double share: the state of the running thread and the collective operations.
 *
 * Every kernel library has one pointer to the state of the thread that runs (`cr_slot()` gives its address); the driver
 * double moves it from thread to thread. Nothing here is CUDA's.
 */
#ifndef CUDA_DOUBLE_RUNTIME_H
#define CUDA_DOUBLE_RUNTIME_H

struct CrDim {
  unsigned x, y, z;
};

/* What one lane brings to a collective operation of its warp. */
struct CrLane {
  unsigned long long words[4];
};

struct CrRuntime {
  /* Waits for the block's threads; gives how many of them brought a value other than 0. */
  int (*barrier)(int value);
  /* Waits for the lanes in `mask`; gives what each of the warp's 32 lanes brought (those outside the mask: garbage). */
  const CrLane *(*warp)(unsigned mask, const CrLane *mine);
  /* Ends the kernel with a fault. */
  void (*trap)(const char *reason);
};

struct CrThread {
  CrDim thread, block, block_size, grid_size;
  unsigned lane;
  const CrRuntime *runtime;
};

enum { CR_SHARED_BYTES = 227 * 1024, CR_SHARED_GUARD = 256 };

#endif
