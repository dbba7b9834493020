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

double cresset_alloc_segment(double bytes) {
  if (heap_top == 0) heap_top = ((uint64_t)(uintptr_t)&__heap_base + 63) & ~(uint64_t)63;
  uint64_t start = heap_top;
  uint64_t end = (start + (uint64_t)bytes + 63) & ~(uint64_t)63;
  if (!(bytes >= 0) || end > (uint64_t)65536 * 65536 - 64) return 0;
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * 65536;
  if (end > have) {
    uint64_t pages = (end - have + 65535) / 65536;
    if (__builtin_wasm_memory_grow(0, (uintptr_t)pages) == (uintptr_t)-1) return 0;
  }
  heap_top = end;
  return (double)start;
}

int32_t cresset_free_segment(double address, double bytes) {
  /* Only the newest segment can be taken back; the pages stay, but their addresses are used again. */
  uint64_t end = ((uint64_t)address + (uint64_t)bytes + 63) & ~(uint64_t)63;
  if (end != heap_top) return 0;
  heap_top = (uint64_t)address;
  return 1;
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

double cresset_arena(void) { return (double)(uintptr_t)cresset_args; }
int32_t cresset_set_arena(double *buffer) {
  cresset_args = buffer;
  return CRESSET_OK;
}

double cresset_alloc_segment(double bytes) {
  if (!(bytes >= 0) || bytes > 0x1p46) return 0;
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
  /* Doubling keeps the number of regrowths, and on wasm the memory they strand, small. */
  int64_t size = scratch[slot].bytes * 2 > bytes ? scratch[slot].bytes * 2 : bytes;
  size = (size + 65535) & ~(int64_t)65535;
  if (scratch[slot].at) cresset_free_segment((double)(uintptr_t)scratch[slot].at, (double)scratch[slot].bytes);
  scratch[slot].bytes = 0;
  scratch[slot].at = POINTER(void, cresset_alloc_segment((double)size));
  if (scratch[slot].at) scratch[slot].bytes = size;
  return scratch[slot].at;
}
