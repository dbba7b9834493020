/*
 * The argument arena, memory segments, and copies between JavaScript and kernel memory. CRESSET_ONCE: no vector code.
 *
 * Blocks are carved from segments in TypeScript (src/backend/allocator.ts); this file only speaks to the system.
 */
#include "cresset.h"

int32_t cresset_abi(void) { return CRESSET_ABI; }

#if defined(__wasm__)

static double arena[CRESSET_ARENA] __attribute__((aligned(64)));
double *cresset_args = arena;
extern unsigned char __heap_base;
static uint64_t heap_top;

int32_t cresset_level(void) { return 0; }
int32_t cresset_set_level(int32_t level) { return level == 0 ? CRESSET_OK : CRESSET_BAD_ARGUMENT; }
double cresset_arena(void) { return (double)(uintptr_t)arena; }
int32_t cresset_set_arena(double *buffer) {
  (void)buffer;
  return CRESSET_OK;
}

/* The free list: ranges below the top of the heap that were freed, ordered by address, with neighbours merged. */
#define HOLES 1024
#define MEMORY_END ((uint64_t)65536 * 65536 - 64)
static struct {
  uint64_t start, end;
} holes[HOLES];
static int32_t hole_count;

static uint64_t top(void) {
  if (heap_top == 0) heap_top = ((uint64_t)(uintptr_t)&__heap_base + 63) & ~(uint64_t)63;
  return heap_top;
}

static void remove_hole(int32_t at) {
  hole_count--;
  for (int32_t i = at; i < hole_count; i++) holes[i] = holes[i + 1];
}

/* Allocates from the smallest hole that is large enough (best fit); 0 if there is none. */
static uint64_t take_hole(uint64_t size) {
  int32_t best = -1;
  for (int32_t i = 0; i < hole_count; i++) {
    uint64_t room = holes[i].end - holes[i].start;
    if (room >= size && (best < 0 || room < holes[best].end - holes[best].start)) best = i;
  }
  if (best < 0) return 0;
  uint64_t start = holes[best].start;
  holes[best].start += size;
  if (holes[best].start == holes[best].end) remove_hole(best);
  return start;
}

double cresset_alloc_segment(double bytes) {
  if (!(bytes >= 0 && bytes <= (double)MEMORY_END)) return 0;
  uint64_t size = ((uint64_t)bytes + 63) & ~(uint64_t)63;
  uint64_t start = size > 0 ? take_hole(size) : 0;
  if (start) return (double)start;
  start = top();
  uint64_t end = start + size;
  if (end > MEMORY_END) return 0;
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * 65536;
  if (end > have) {
    uint64_t pages = (end - have + 65535) / 65536;
    if (__builtin_wasm_memory_grow(0, (uintptr_t)pages) == (uintptr_t)-1) return 0;
  }
  heap_top = end;
  return (double)start;
}

int32_t cresset_free_segment(double address, double bytes) {
  uint64_t start = (uint64_t)address, end = (start + (uint64_t)bytes + 63) & ~(uint64_t)63;
  if (start == end) return 1;
  int32_t at = 0;
  while (at < hole_count && holes[at].start < start) at++;
  int32_t joins_before = at > 0 && holes[at - 1].end == start;
  int32_t joins_after = at < hole_count && holes[at].start == end;
  if (joins_before) {
    holes[at - 1].end = joins_after ? holes[at].end : end;
    if (joins_after) remove_hole(at);
  } else if (joins_after) {
    holes[at].start = start;
  } else if (hole_count == HOLES) {
    /* The free list is full: the range cannot be freed unless it ends at the top of the heap. */
    if (end != heap_top) return 0;
    heap_top = start;
    return 1;
  } else {
    for (int32_t i = hole_count++; i > at; i--) holes[i] = holes[i - 1];
    holes[at].start = start;
    holes[at].end = end;
  }
  /* The pages of the top stay, but may become part of anything. */
  if (holes[hole_count - 1].end == heap_top) heap_top = holes[--hole_count].start;
  return 1;
}

double cresset_largest_segment(void) {
  uint64_t largest = MEMORY_END - top();
  for (int32_t i = 0; i < hole_count; i++)
    if (holes[i].end - holes[i].start > largest) largest = holes[i].end - holes[i].start;
  return (double)largest;
}

int32_t cresset_write(double address, const uint8_t *source, double bytes) {
  memcpy(POINTER(uint8_t, address), source, (size_t)bytes);
  return CRESSET_OK;
}

int32_t cresset_read(double address, uint8_t *target, double bytes) {
  memcpy(target, POINTER(uint8_t, address), (size_t)bytes);
  return CRESSET_OK;
}

#else

#include <stdlib.h>
#include <sys/mman.h>

CRESSET_THREAD_LOCAL double *cresset_args;

/* Less than processors can address, more than machines have. */
#define LARGEST 0x1p46

double cresset_arena(void) { return (double)(uintptr_t)cresset_args; }
int32_t cresset_set_arena(double *buffer) {
  cresset_args = buffer;
  return CRESSET_OK;
}

double cresset_alloc_segment(double bytes) {
  if (!(bytes >= 0 && bytes <= LARGEST)) return 0;
  size_t size = (size_t)bytes;
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return 0;
#if defined(MADV_HUGEPAGE)
  /* Large pages cut the cost of first touches and of TLB misses; only worth it for segments of several pages. */
  if (size >= ((size_t)4 << 20)) madvise(at, size, MADV_HUGEPAGE);
#endif
  return (double)(uintptr_t)at;
}

int32_t cresset_free_segment(double address, double bytes) {
  return munmap(POINTER(void, address), (size_t)bytes) == 0;
}

double cresset_largest_segment(void) { return LARGEST; }

int32_t cresset_write(double address, const uint8_t *source, double bytes) {
  memcpy(POINTER(uint8_t, address), source, (size_t)bytes);
  return CRESSET_OK;
}

int32_t cresset_read(double address, uint8_t *target, double bytes) {
  memcpy(target, POINTER(uint8_t, address), (size_t)bytes);
  return CRESSET_OK;
}

#endif

static CRESSET_THREAD_LOCAL struct {
  void *at;
  int64_t bytes;
} scratch[SCRATCH_SLOTS];

void *cresset_scratch(int32_t slot, int64_t bytes) {
  if (scratch[slot].bytes >= bytes) return scratch[slot].at;
  /* Doubling keeps the number of regrowths small. */
  int64_t size = scratch[slot].bytes * 2 > bytes ? scratch[slot].bytes * 2 : bytes;
  size = (size + 65535) & ~(int64_t)65535;
  if (scratch[slot].at) cresset_free_segment((double)(uintptr_t)scratch[slot].at, (double)scratch[slot].bytes);
  scratch[slot].bytes = 0;
  scratch[slot].at = POINTER(void, cresset_alloc_segment((double)size));
  if (scratch[slot].at) scratch[slot].bytes = size;
  return scratch[slot].at;
}
