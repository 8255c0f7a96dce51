// Runs kernels on the CPU: blocks one after another, the threads of a block as coroutines that run until they wait. What
// the kernels use of CUDA is here: indices, barriers, warp shuffles, ldmatrix, mma.sync (bf16 operands, float32 sums),
// cp.async and the number types. Meant to find mistakes, at tiny sizes: shared memory starts as NaN, copies can happen as
// late or as early as the hardware may do them, threads and blocks can run in several orders, waiting for each other in a
// way that never ends is an error, and so is touching memory beyond a buffer.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __align__(bytes) alignas(bytes)
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};

namespace emulator {

constexpr int warpThreads = 32;
constexpr int mostThreads = 1024;
constexpr size_t stackBytes = 256 * 1024;

/**
 * How threads are ordered and when asynchronous copies land; results must not depend on it. Forward: in turn, copies as late
 * as a wait allows. Backward: the last that became ready first, so that one warp gets as far ahead of the others as barriers
 * let it, and copies at once. Shuffled: at random, copies late.
 */
enum class Order { forward, backward, shuffled };

struct PendingCopy {
  void *to;
  const void *from;
  int bytes;
  int zeros;
};

struct Thread {
  Context context;
  dim3 index;
  int linear = 0;
  bool finished = false;
  /** Warp-wide operations so far: its parity names the slot that the next one uses. */
  unsigned collectives = 0;
  std::vector<std::vector<PendingCopy>> copyGroups{1};
  std::vector<std::vector<std::function<void()>>> productGroups{1};
};

struct Barrier {
  std::vector<Thread *> waiting;
};

struct CollectiveSlot {
  const char *operation = nullptr;
  std::vector<Thread *> waiting;
  alignas(16) unsigned char given[warpThreads][64];
  alignas(16) unsigned char received[warpThreads][64];
};

struct Warp {
  int running = 0;
  CollectiveSlot slots[2];
};

struct Machine {
  Context scheduler;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Thread *> ready;
  size_t readyFrom = 0;
  Barrier barriers[16];
  int running = 0;
  Thread *current = nullptr;
  dim3 block, grid, threadsPerBlock;
  std::function<void()> body;
  char *shared = nullptr;
  Order order = Order::forward;
  uint64_t random = 1;
  std::string error;

  Thread *nextReady() {
    if (readyFrom == ready.size()) return nullptr;
    if (order == Order::backward) {
      Thread *last = ready.back();
      ready.pop_back();
      return last;
    }
    if (order == Order::shuffled) {
      random = random * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(ready[readyFrom], ready[readyFrom + (random >> 33) % (ready.size() - readyFrom)]);
    }
    Thread *thread = ready[readyFrom++];
    if (readyFrom == ready.size()) {
      ready.clear();
      readyFrom = 0;
    }
    return thread;
  }

  void wake(std::vector<Thread *> &waiting) {
    ready.insert(ready.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }

  /** Leaves the current thread, which something else will wake. */
  void wait() {
    Thread *thread = current;
    thread->context.switchTo(scheduler);
    current = thread;
  }

  void fail(const std::string &message) {
    if (error.empty()) error = message;
    // The block is abandoned: its threads are never resumed.
    readyFrom = 0;
    ready.clear();
    running = -1;
    current->context.switchTo(scheduler);
  }
};

inline Machine &machine() {
  static Machine instance;
  return instance;
}

inline void barrier(int id, int count) {
  Machine &m = machine();
  auto &waiting = m.barriers[id].waiting;
  waiting.push_back(m.current);
  if (static_cast<int>(waiting.size()) < count) return m.wait();
  waiting.pop_back();
  m.wake(waiting);
}

inline void blockBarrier() { barrier(0, machine().running); }

/** All running threads of the warp come together; the last computes what each receives. */
template <class Received, class Given, class Compute>
Received collective(const char *operation, const Given &given, Compute compute) {
  static_assert(sizeof(Given) <= 64 && sizeof(Received) <= 64);
  Machine &m = machine();
  Thread *thread = m.current;
  Warp &warp = m.warps[thread->linear / warpThreads];
  CollectiveSlot &slot = warp.slots[thread->collectives++ & 1];
  const int lane = thread->linear % warpThreads;
  if (slot.waiting.empty()) slot.operation = operation;
  if (strcmp(slot.operation, operation) != 0) {
    m.fail(std::string("threads of one warp are at different operations: ") + slot.operation + " and " + operation);
  }
  memcpy(slot.given[lane], &given, sizeof(Given));
  slot.waiting.push_back(thread);
  if (static_cast<int>(slot.waiting.size()) < warp.running) {
    m.wait();
  } else {
    auto from = [&](int other) -> const Given & { return *reinterpret_cast<const Given *>(slot.given[other]); };
    for (int to = 0; to < warpThreads; to++) {
      const Received result = compute(to, from);
      memcpy(slot.received[to], &result, sizeof(Received));
    }
    slot.waiting.pop_back();
    m.wake(slot.waiting);
  }
  Received result;
  memcpy(&result, slot.received[lane], sizeof(Received));
  return result;
}

inline void enterThread() {
  Machine &m = machine();
  m.body();
  Thread *thread = m.current;
  thread->finished = true;
  m.running--;
  m.warps[thread->linear / warpThreads].running--;
  auto &waiting = m.barriers[0].waiting;
  if (!waiting.empty() && static_cast<int>(waiting.size()) == m.running) m.wake(waiting);
  thread->context.switchTo(m.scheduler);
}

}  // namespace emulator

#define threadIdx (emulator::machine().current->index)
#define blockIdx (emulator::machine().block)
#define blockDim (emulator::machine().threadsPerBlock)
#define gridDim (emulator::machine().grid)
