// Switching between the stacks of emulated threads. A warp-wide operation switches 32 times, so the switch is written
// in assembly (some nanoseconds) where the processor is known, and is ucontext (some hundreds) elsewhere.
#pragma once
#include <cstdint>
#include <cstdlib>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace emulator {

#if defined(__x86_64__)

// Saves the callee-saved registers on the stack, exchanges stacks, and restores them.
__attribute__((naked, noinline)) inline void exchangeStacks(void **, void *) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}

struct Context {
  void *stackPointer = nullptr;

  void prepare(char *stack, size_t bytes, void (*entry)()) {
    // Six registers, the address to return to, and one word so that the stack is aligned as after a call.
    auto *top = reinterpret_cast<void **>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15));
    top[-1] = nullptr;
    top[-2] = reinterpret_cast<void *>(entry);
    for (int i = 3; i <= 8; i++) top[-i] = nullptr;
    stackPointer = top - 8;
  }
  void switchTo(Context &next) { exchangeStacks(&stackPointer, next.stackPointer); }
};

#elif defined(__aarch64__)

extern "C" void emulatorExchangeStacks(void **save, void *next);
asm(".text\n.balign 16\n.hidden emulatorExchangeStacks\n.globl emulatorExchangeStacks\nemulatorExchangeStacks:\n"
    "sub sp, sp, #160\n stp x19, x20, [sp]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n"
    "stp x25, x26, [sp, #48]\n stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n"
    "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
    "mov x9, sp\n str x9, [x0]\n mov sp, x1\n"
    "ldp x19, x20, [sp]\n ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n"
    "ldp x27, x28, [sp, #64]\n ldp x29, x30, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n"
    "ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n add sp, sp, #160\n ret\n");

struct Context {
  void *stackPointer = nullptr;

  void prepare(char *stack, size_t bytes, void (*entry)()) {
    auto *top = reinterpret_cast<void **>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15));
    for (int i = 1; i <= 20; i++) top[-i] = nullptr;
    top[-20 + 11] = reinterpret_cast<void *>(entry);  // x30, the address to return to
    stackPointer = top - 20;
  }
  void switchTo(Context &next) { emulatorExchangeStacks(&stackPointer, next.stackPointer); }
};

#else

struct Context {
  ucontext_t context;

  void prepare(char *stack, size_t bytes, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = bytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  void switchTo(Context &next) { swapcontext(&context, &next.context); }
};

#endif

}  // namespace emulator
