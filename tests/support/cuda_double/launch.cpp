/* Running kernels, see launch.h. */
#include "launch.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "switch.h"

namespace {

constexpr size_t STACK_BYTES = 128 * 1024;
constexpr unsigned char SHARED_PATTERN = 0xa7;

enum class State { running, at_barrier, in_warp, idle };

/* The lanes that take part in collective operations under one mask; they pass through them in step. */
struct Group {
  unsigned mask, arrived;
  unsigned long long round;
  CrLane lanes[2][32];
};

struct Fiber {
  FiberContext context;
  char *stack = nullptr;
  State state = State::idle;
  CrThread thread;
  int index = 0;
  Group *group = nullptr;
  unsigned long long awaited = 0;
};

struct Block {
  const Kernel *kernel;
  const void *parameters;
  CrThread common;
  int count, next, done, at_barrier, votes, last_votes;
  unsigned long long barriers;
  bool reverse;
  std::vector<std::vector<std::unique_ptr<Group>>> warps;
  std::vector<char> ended;
};

Block block;
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Fiber *> waiting, idle;
Fiber *current;
FiberContext scheduler;
std::string fault_text;
CUresult fault_code;
sigjmp_buf escape;
thread_local volatile sig_atomic_t in_kernel;

CrDim place(int index, CrDim size) {
  unsigned i = (unsigned)index;
  return {i % size.x, i / size.x % size.y, i / size.x / size.y};
}

/* The body of every fiber: threads of the block until none is left, then idle until it is resumed for the next block. */
void fiber_main() {
  for (;;) {
    Fiber *self = current;
    while (block.next < block.count) {
      int started = block.next++;
      self->index = block.reverse ? block.count - 1 - started : started;
      self->thread = block.common;
      self->thread.thread = place(self->index, block.common.block_size);
      self->thread.lane = (unsigned)self->index % 32;
      self->state = State::running;
      *block.kernel->slot = &self->thread;
      block.kernel->run(block.parameters);
      block.ended[(size_t)self->index] = 1;
      block.done++;
    }
    self->state = State::idle;
    fiber_switch(&self->context, &scheduler);
  }
}

Fiber *idle_fiber() {
  if (!idle.empty()) {
    Fiber *fiber = idle.back();
    idle.pop_back();
    return fiber;
  }
  auto fiber = std::make_unique<Fiber>();
  void *stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  fiber->stack = static_cast<char *>(stack);
  /* The lowest page catches an overflow. */
  mprotect(stack, 4096, PROT_NONE);
  fiber_create(&fiber->context, fiber->stack, STACK_BYTES, fiber_main);
  fibers.push_back(std::move(fiber));
  return fibers.back().get();
}

void resume(Fiber *fiber) {
  current = fiber;
  *block.kernel->slot = &fiber->thread;
  fiber_switch(&scheduler, &fiber->context);
}

void suspend(State state) {
  Fiber *self = current;
  self->state = state;
  fiber_switch(&self->context, &scheduler);
  self->state = State::running;
}

[[noreturn]] void fail(CUresult code, const std::string &text) {
  fault_code = code;
  fault_text = text;
  siglongjmp(escape, 1);
}

std::string where(const Fiber *fiber) {
  const CrThread &t = fiber->thread;
  return "kernel " + block.kernel->name + ", block (" + std::to_string(t.block.x) + ", " + std::to_string(t.block.y) + ", " +
         std::to_string(t.block.z) + "), thread " + std::to_string(fiber->index);
}

int barrier(int value) {
  block.at_barrier++;
  block.votes += value != 0;
  current->awaited = block.barriers;
  suspend(State::at_barrier);
  return block.last_votes;
}

const CrLane *warp(unsigned mask, const CrLane *mine) {
  Fiber *self = current;
  unsigned lane = self->thread.lane;
  if (!(mask >> lane & 1)) fail(RESULT_LAUNCH_FAILED, where(self) + ": its lane is not in the mask of the warp operation");
  auto &groups = block.warps[(size_t)self->index / 32];
  Group *group = nullptr;
  for (auto &g : groups) {
    if (g->mask == mask) group = g.get();
  }
  if (!group) {
    groups.push_back(std::make_unique<Group>());
    group = groups.back().get();
    memset(group, 0xff, sizeof *group);
    group->mask = mask, group->arrived = 0, group->round = 0;
  }
  unsigned long long round = group->round;
  group->lanes[round & 1][lane] = *mine;
  group->arrived |= 1u << lane;
  int first = self->index / 32 * 32, lanes = block.count - first;
  unsigned present = lanes >= 32 ? mask : mask & ((1u << lanes) - 1);
  if (group->arrived == present) {
    group->round++;
    group->arrived = 0;
  } else {
    self->group = group;
    self->awaited = round;
    suspend(State::in_warp);
  }
  return group->lanes[round & 1];
}

void trap(const char *reason) { fail(RESULT_LAUNCH_FAILED, where(current) + ": " + reason); }

const CrRuntime runtime = {barrier, warp, trap};

bool ready(const Fiber *fiber) {
  return fiber->state == State::at_barrier ? block.barriers > fiber->awaited : fiber->group->round > fiber->awaited;
}

void release_barrier() {
  if (block.at_barrier == 0 || block.at_barrier + block.done < block.count) return;
  block.last_votes = block.votes;
  block.at_barrier = block.votes = 0;
  block.barriers++;
}

[[noreturn]] void deadlock() {
  const Fiber *fiber = waiting.front();
  std::string text = where(fiber) + " waits for ever ";
  if (fiber->state == State::at_barrier) fail(RESULT_LAUNCH_TIMEOUT, text + "at a barrier: other threads wait in a warp operation");
  fail(RESULT_LAUNCH_TIMEOUT, text + "in a warp operation: a lane of its mask has ended or waits elsewhere");
}

void run_block() {
  block.next = block.done = block.at_barrier = block.votes = 0;
  for (auto &groups : block.warps) groups.clear();
  std::fill(block.ended.begin(), block.ended.end(), 0);
  waiting.clear();
  while (block.next < block.count) {
    Fiber *fiber = idle_fiber();
    resume(fiber);
    (fiber->state == State::idle ? idle : waiting).push_back(fiber);
  }
  while (!waiting.empty()) {
    bool progress = false;
    release_barrier();
    size_t kept = 0;
    for (size_t i = 0; i < waiting.size(); i++) {
      Fiber *fiber = waiting[i];
      if (ready(fiber)) {
        progress = true;
        resume(fiber);
      }
      if (fiber->state == State::idle) idle.push_back(fiber);
      else waiting[kept++] = fiber;
    }
    waiting.resize(kept);
    if (!progress && !waiting.empty()) deadlock();
  }
}

constexpr int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}, SIGNAL_COUNT = 5;
struct sigaction before[SIGNAL_COUNT];

/* What a signal means; kernels are compiled to trap where an address is misaligned or an array is left. */
CUresult signal_fault(int signal, const void *address, std::string *text) {
  char number[32];
  snprintf(number, sizeof number, "%p", address);
  switch (signal) {
    case SIGFPE: *text = "an integer division by 0"; return RESULT_LAUNCH_FAILED;
    case SIGILL:
    case SIGTRAP: *text = "a misaligned address or an index outside an array"; return RESULT_MISALIGNED_ADDRESS;
    default: *text = std::string("an illegal access at address ") + number; return RESULT_ILLEGAL_ADDRESS;
  }
}

/* A fault of a kernel leaves it; one of other threads goes where it went before. */
void on_signal(int signal, siginfo_t *info, void *context) {
  if (in_kernel) {
    std::string text;
    fault_code = signal_fault(signal, info->si_addr, &text);
    fault_text = where(current) + ": " + text;
    siglongjmp(escape, 1);
  }
  for (int i = 0; i < SIGNAL_COUNT; i++) {
    if (SIGNALS[i] != signal) continue;
    if (before[i].sa_flags & SA_SIGINFO) before[i].sa_sigaction(signal, info, context);
    else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) before[i].sa_handler(signal);
    else sigaction(signal, &before[i], nullptr);
  }
}

/*
 * The rights of this thread by memory protection key, which V8 gives its code. A signal handler starts with the least of
 * them, and leaving it by a jump does not bring them back as returning does.
 */
#if defined(__x86_64__)
bool have_protection_keys() {
  unsigned a = 7, b, c = 0, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (c & 16) != 0; /* OSPKE: the system has switched them on */
}

unsigned read_rights() {
  unsigned rights = 0, high;
  if (have_protection_keys()) asm volatile("rdpkru" : "=a"(rights), "=d"(high) : "c"(0));
  return rights;
}

void write_rights(unsigned rights) {
  if (have_protection_keys()) asm volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory");
}
#else
unsigned read_rights() { return 0; }
void write_rights(unsigned) {}
#endif

void catch_signals() {
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  for (int i = 0; i < SIGNAL_COUNT; i++) sigaction(SIGNALS[i], &action, &before[i]);
}

void release_signals() {
  for (int i = 0; i < SIGNAL_COUNT; i++) sigaction(SIGNALS[i], &before[i], nullptr);
}

void run_grid(CrDim grid, unsigned shared) {
  unsigned char *guard = block.kernel->shared + shared;
  memset(guard, SHARED_PATTERN, CR_SHARED_GUARD);
  for (unsigned z = 0; z < grid.z; z++) {
    for (unsigned y = 0; y < grid.y; y++) {
      for (unsigned x = 0; x < grid.x; x++) {
        memset(block.kernel->shared, 0xff, shared);
        block.common.block = {x, y, z};
        block.reverse = (x + y + z) % 2 != 0;
        run_block();
      }
    }
  }
  for (int i = 0; i < CR_SHARED_GUARD; i++) {
    if (guard[i] != SHARED_PATTERN) {
      fail(RESULT_ILLEGAL_ADDRESS, "kernel " + block.kernel->name + " wrote behind its " + std::to_string(shared) +
                                       " bytes of dynamic shared memory");
    }
  }
}

}  // namespace

CUresult run_kernel(const Kernel &kernel, CrDim grid, CrDim size, unsigned shared, const void *parameters, std::string *fault) {
  block = {};
  block.kernel = &kernel;
  block.parameters = parameters;
  block.count = (int)(size.x * size.y * size.z);
  block.common = {{0, 0, 0}, {0, 0, 0}, size, grid, 0, &runtime};
  block.warps.resize(((size_t)block.count + 31) / 32);
  block.ended.resize((size_t)block.count);
  CUresult result = CUDA_SUCCESS;
  const unsigned rights = read_rights();
  catch_signals();
  if (sigsetjmp(escape, 1) == 0) {
    in_kernel = 1;
    run_grid(grid, shared);
  } else {
    write_rights(rights);
    result = fault_code;
    *fault = fault_text;
    /* The fibers were left in the middle of things. */
    for (auto &fiber : fibers) munmap(fiber->stack, STACK_BYTES);
    fibers.clear();
    idle.clear();
  }
  in_kernel = 0;
  release_signals();
  return result;
}
