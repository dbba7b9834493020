/* Memory with guards, see memory.h. */
#include "memory.h"

#include <sys/mman.h>

#include <map>
#include <new>

namespace {

/* Wild addresses are mostly near misses; unmapped space costs nothing. */
constexpr size_t PAGE = 4096, ALIGNMENT = 512, GUARD = (size_t)16 << 20;
constexpr unsigned char PATTERN = 0xa7;

struct Allocation {
  int ordinal;
  size_t bytes;
  char *mapping; /* `pages` accessible bytes between guards */
  size_t pages;
};

std::map<CUdeviceptr, Allocation> live;
std::map<uintptr_t, size_t> pinned;
size_t peak;
int focus = -1;

size_t total_used() {
  size_t sum = 0;
  for (const auto &[address, a] : live) sum += a.bytes;
  return sum;
}

bool intact(const char *from, const char *to) {
  for (; from < to; from++) {
    if ((unsigned char)*from != PATTERN) return false;
  }
  return true;
}

}  // namespace

size_t memory_used(int ordinal) {
  size_t sum = 0;
  for (const auto &[address, a] : live) sum += a.ordinal == ordinal ? a.bytes : 0;
  return sum;
}

size_t memory_peak() { return peak; }
size_t memory_count() { return live.size(); }

CUdeviceptr memory_allocate(int ordinal, size_t bytes, size_t limit) {
  size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (bytes > limit || memory_used(ordinal) + rounded > limit) return 0;
  size_t pages = (rounded + PAGE - 1) / PAGE * PAGE;
  void *mapped = mmap(nullptr, pages + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return 0;
  char *mapping = static_cast<char *>(mapped), *start = mapping + GUARD, *end = start + pages;
  mprotect(start, pages, PROT_READ | PROT_WRITE);
  char *address = end - rounded;
  memset(start, PATTERN, (size_t)(address - start));
  memset(address, 0xff, bytes);
  memset(address + bytes, PATTERN, rounded - bytes);
  live[(CUdeviceptr)address] = {ordinal, bytes, mapping, pages};
  if (total_used() > peak) peak = total_used();
  if (focus >= 0 && focus != ordinal) mprotect(start, pages, PROT_NONE);
  return (CUdeviceptr)address;
}

CUresult memory_free(CUdeviceptr address) {
  auto found = live.find(address);
  if (found == live.end()) return RESULT_INVALID_VALUE;
  memory_focus(-1);
  const Allocation a = found->second;
  char *start = a.mapping + GUARD, *data = reinterpret_cast<char *>(address);
  bool whole = intact(start, data) && intact(data + a.bytes, start + a.pages);
  munmap(a.mapping, a.pages + 2 * GUARD);
  live.erase(found);
  return whole ? CUresult(CUDA_SUCCESS) : CUresult(RESULT_ILLEGAL_ADDRESS);
}

int memory_owner(CUdeviceptr address, size_t bytes) {
  auto after = live.upper_bound(address);
  if (after == live.begin()) return -1;
  const auto &[start, a] = *--after;
  return address - start <= a.bytes && bytes <= a.bytes - (address - start) ? a.ordinal : -1;
}

void memory_focus(int ordinal) {
  if (ordinal == focus) return;
  for (const auto &[address, a] : live) {
    bool reachable = ordinal < 0 || a.ordinal == ordinal;
    mprotect(a.mapping + GUARD, a.pages, reachable ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
  focus = ordinal;
}

void *memory_pin(size_t bytes) {
  void *memory = ::operator new(bytes, std::align_val_t(PAGE), std::nothrow);
  if (memory) pinned[(uintptr_t)memory] = bytes;
  return memory;
}

bool memory_pinned(const void *address, size_t bytes) {
  auto after = pinned.upper_bound((uintptr_t)address);
  if (after == pinned.begin()) return false;
  const auto &[start, size] = *--after;
  return (uintptr_t)address - start + bytes <= size;
}

bool memory_unpin(void *address) {
  auto found = pinned.find((uintptr_t)address);
  if (found == pinned.end()) return false;
  ::operator delete(address, std::align_val_t(PAGE));
  pinned.erase(found);
  return true;
}

size_t memory_pinned_bytes() {
  size_t sum = 0;
  for (const auto &[address, bytes] : pinned) sum += bytes;
  return sum;
}
