/*
 * Running kernels: the threads of a block as fibers, so that barriers and warp shuffles work on one host thread.
 *
 * A fiber runs one thread after another for as long as none waits; a thread that waits keeps its fiber and the next one
 * gets another. Kernels without barriers therefore cost no switches. Blocks run one after another, odd ones with their
 * threads in reverse, so that a missing barrier shows.
 */
#ifndef CUDA_DOUBLE_LAUNCH_H
#define CUDA_DOUBLE_LAUNCH_H

#include <string>

#include "double.h"
#include "runtime.h"

/* A kernel as its library exports it. */
struct Kernel {
  std::string name;
  void (*run)(const void *parameters);
  CrThread **slot;         /* the library's pointer to the running thread */
  unsigned char *shared;   /* its dynamic shared memory */
  const unsigned *layout;  /* count, then size and offset of each parameter */
};

/* Runs a kernel to its end: CUDA_SUCCESS or the fault, with a text that says which. */
CUresult run_kernel(const Kernel &kernel, CrDim grid, CrDim block, unsigned shared, const void *parameters, std::string *fault);

#endif
