/*
 * Switching stacks: six registers by hand on x86-64, where kernels with barriers switch thousands of times; `ucontext`
 * elsewhere.
 */
#ifndef CUDA_DOUBLE_SWITCH_H
#define CUDA_DOUBLE_SWITCH_H

#include <cstddef>

#if defined(__x86_64__)

struct FiberContext {
  void *stack_pointer;
};

/* Saves the callee's registers on the stack, swaps stacks, restores. */
asm(R"(
  .text
  .local cuda_double_switch
  .type cuda_double_switch, @function
cuda_double_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size cuda_double_switch, .-cuda_double_switch
)");
extern "C" void cuda_double_switch(FiberContext *from, FiberContext *to);

inline void fiber_switch(FiberContext *from, FiberContext *to) { cuda_double_switch(from, to); }

inline void fiber_create(FiberContext *context, char *stack, size_t bytes, void (*body)()) {
  void **top = reinterpret_cast<void **>(stack + bytes);
  /* As if `body` had been called: its return address, then itself, then six registers. */
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(body);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  context->stack_pointer = top;
}

#else

#include <ucontext.h>

struct FiberContext {
  ucontext_t registers;
};

inline void fiber_switch(FiberContext *from, FiberContext *to) { swapcontext(&from->registers, &to->registers); }

inline void fiber_create(FiberContext *context, char *stack, size_t bytes, void (*body)()) {
  getcontext(&context->registers);
  context->registers.uc_stack.ss_sp = stack;
  context->registers.uc_stack.ss_size = bytes;
  context->registers.uc_link = nullptr;
  makecontext(&context->registers, body, 0);
}

#endif
#endif
