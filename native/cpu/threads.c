/* A parking pthread pool. CRESSET_ONCE: no vector code.

   One call runs at a time (Deno workers that share the library queue on a lock, or run inline when it is taken). The
   caller publishes a task and a generation number, wakes the workers and works itself. Threads take chunks from an
   atomic counter, which balances the load where cores differ in speed, and workers *enter* a job only while it is
   open: the caller closes it when no chunk is left and waits for those inside, never for one that is slow to wake.
   After their work they spin for some microseconds (the next kernel is often near), then sleep on a condition
   variable. */
#include "threads.h"

#include "cresset.h"

#if defined(__wasm__)

void cresset_parallel_for(int64_t count, int64_t grain, cresset_task task, void *context) {
  (void)grain;
  if (count > 0) task(context, 0, count);
}
int32_t cresset_set_threads(int32_t count) {
  (void)count;
  return CRESSET_OK;
}
int32_t cresset_get_threads(void) { return 1; }

#else

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "signals.h"

#define MAX_THREADS 256
#define SPINS 2000

#if defined(__x86_64__)
#define RELAX() __builtin_ia32_pause()
#else
#define RELAX() __asm__ volatile("" ::: "memory")
#endif

static pthread_mutex_t caller_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int wanted = 0;
static int started = 1;
static _Thread_local int inside;

static struct {
  cresset_task task;
  void *context;
  int64_t count, chunk;
  int helpers;
} job;
static atomic_llong next_start;
static atomic_uint generation;
static atomic_int sleepers;

/* Whether the job may be entered, and how many workers are inside it. */
#define OPEN (1 << 16)
static atomic_int door;

static void work(void) {
  for (;;) {
    int64_t begin = atomic_fetch_add(&next_start, job.chunk);
    if (begin >= job.count) return;
    int64_t end = begin + job.chunk;
    job.task(job.context, begin, end < job.count ? end : job.count);
  }
}

/* Enters the job if it is open and wants one more; while a thread is inside, `job` does not change. */
static int enter(void) {
  int state = atomic_load_explicit(&door, memory_order_acquire);
  do {
    if (!(state & OPEN)) return 0;
  } while (!atomic_compare_exchange_weak_explicit(&door, &state, state + 1, memory_order_acq_rel, memory_order_acquire));
  if (state - OPEN < job.helpers) return 1;
  atomic_fetch_sub_explicit(&door, 1, memory_order_release);
  return 0;
}

static void *worker(void *argument) {
  unsigned seen = 0;
  (void)argument;
  inside = 1;
  for (;;) {
    int spins = 0;
    while (atomic_load_explicit(&generation, memory_order_acquire) == seen) {
      if (++spins < SPINS) {
        RELAX();
        continue;
      }
      pthread_mutex_lock(&sleep_lock);
      atomic_fetch_add(&sleepers, 1);
      while (atomic_load(&generation) == seen) pthread_cond_wait(&wake, &sleep_lock);
      atomic_fetch_sub(&sleepers, 1);
      pthread_mutex_unlock(&sleep_lock);
    }
    seen = atomic_load_explicit(&generation, memory_order_acquire);
    if (!enter()) continue;
    work();
    atomic_fetch_sub_explicit(&door, 1, memory_order_release);
  }
  return NULL;
}

static void at_fork_child(void) {
  /* Threads do not survive fork; the child starts its own. */
  started = 1;
  atomic_store(&door, 0);
  atomic_store(&sleepers, 0);
}

static void initialise(void) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (atomic_load(&wanted) == 0) atomic_store(&wanted, cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores);
  pthread_atfork(NULL, NULL, at_fork_child);
}

/* Starts missing workers; called with caller_lock held. They inherit a mask that leaves signals to other threads: what a
   kernel calls may run on a stack of its own that has no room for a signal's frame. */
static void start_workers(int count) {
  sigset_t before;
  cresset_block_signals(&before);
  while (started < count) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)8 << 20);
    int failed = pthread_create(&thread, &attributes, worker, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) break;
    started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void cresset_parallel_for(int64_t count, int64_t grain, cresset_task task, void *context) {
  if (count <= 0) return;
  if (grain < 1) grain = 1;
  if (inside || count <= grain) {
    task(context, 0, count);
    return;
  }
  pthread_once(&once, initialise);
  int threads = atomic_load(&wanted);
  if (threads < 2 || pthread_mutex_trylock(&caller_lock) != 0) {
    task(context, 0, count);
    return;
  }
  if (started < threads) start_workers(threads);
  if (threads > started) threads = started;
  int64_t parts = (count + grain - 1) / grain;
  if (parts < threads) threads = (int)parts;
  /* Four chunks a thread balance the load; a chunk is never smaller than the grain. */
  int64_t chunk = (count + (int64_t)threads * 4 - 1) / ((int64_t)threads * 4);
  job.task = task;
  job.context = context;
  job.count = count;
  job.chunk = chunk < grain ? grain : chunk;
  job.helpers = threads - 1;
  atomic_store(&next_start, 0);
  atomic_store(&door, OPEN);
  atomic_fetch_add(&generation, 1);
  if (atomic_load(&sleepers) > 0) {
    pthread_mutex_lock(&sleep_lock);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&sleep_lock);
  }
  inside = 1;
  work();
  inside = 0;
  atomic_fetch_and_explicit(&door, ~OPEN, memory_order_acq_rel);
  for (int spins = 0; atomic_load_explicit(&door, memory_order_acquire) != 0; spins++) {
    if (spins < SPINS) RELAX();
    else usleep(0);
  }
  pthread_mutex_unlock(&caller_lock);
}

int32_t cresset_set_threads(int32_t count) {
  if (count < 1 || count > MAX_THREADS) return CRESSET_BAD_ARGUMENT;
  pthread_once(&once, initialise);
  atomic_store(&wanted, count);
  return CRESSET_OK;
}

int32_t cresset_get_threads(void) {
  pthread_once(&once, initialise);
  return atomic_load(&wanted);
}

#endif
