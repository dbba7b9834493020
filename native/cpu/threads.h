/* The thread pool: splits a range among threads that park between calls. Inline on wasm and for small ranges. */
#ifndef CRESSET_THREADS_H
#define CRESSET_THREADS_H

#include <stdint.h>

/* Works on the half-open range [begin, end). */
typedef void (*cresset_task)(void *context, int64_t begin, int64_t end);

/* Calls `task` on disjoint parts that cover [0, count), each at least `grain` long (but the last), and returns when
   all are done. A call from inside a task runs inline. */
void cresset_parallel_for(int64_t count, int64_t grain, cresset_task task, void *context);

#endif
