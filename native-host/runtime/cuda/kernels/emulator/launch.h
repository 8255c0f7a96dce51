// The emulator's entry points: kernels by name, launches, and buffers whose last byte borders on a page that may not be
// touched. A library made of the kernels and this file exports them with C linkage.
#pragma once
#include <csetjmp>
#include <csignal>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

#include "emulator.h"

namespace emulator {

struct Kernel {
  std::string parameters;
  std::function<void(void **)> run;
};

inline std::map<std::string, Kernel> &kernels() {
  static std::map<std::string, Kernel> instance;
  return instance;
}

template <class Parameter> constexpr char kindOf() {
  if constexpr (std::is_pointer_v<Parameter>) return 'p';
  else if constexpr (std::is_same_v<Parameter, int>) return 'i';
  else {
    static_assert(std::is_same_v<Parameter, float>, "kernel parameters are addresses, int or float");
    return 'f';
  }
}

template <class... Parameters> struct Registration {
  Registration(const char *name, void (*function)(Parameters...)) {
    kernels()[name] = {{kindOf<Parameters>()...}, [function](void **given) {
                         call(function, given, std::index_sequence_for<Parameters...>{});
                       }};
  }
  template <size_t... Index>
  static void call(void (*function)(Parameters...), void **given, std::index_sequence<Index...>) {
    function(*static_cast<std::remove_const_t<Parameters> *>(given[Index])...);
  }
};

inline sigjmp_buf faultReturn;
inline void onFault(int) { siglongjmp(faultReturn, 1); }

inline void runBlock(int threads) {
  Machine &m = machine();
  m.warps.assign((threads + warpThreads - 1) / warpThreads, Warp{});
  for (auto &barrier : m.barriers) barrier.waiting.clear();
  m.ready.clear();
  m.readyFrom = 0;
  m.running = threads;
  static char *stacks = static_cast<char *>(mmap(nullptr, stackBytes * mostThreads, PROT_READ | PROT_WRITE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  for (int i = 0; i < threads; i++) {
    Thread &thread = m.threads[i];
    thread.linear = i;
    thread.finished = false;
    thread.collectives = 0;
    thread.copyGroups.assign(1, {});
    thread.productGroups.assign(1, {});
    const unsigned width = m.threadsPerBlock.x, area = width * m.threadsPerBlock.y;
    thread.index = {i % width, i % area / width, i / area};
    thread.context.prepare(stacks + stackBytes * i, stackBytes, enterThread);
    m.warps[i / warpThreads].running++;
    m.ready.push_back(&thread);
  }
  while (Thread *next = m.nextReady()) {
    m.current = next;
    m.scheduler.switchTo(next->context);
  }
  if (m.running > 0 && m.error.empty()) m.error = "threads wait for others that never come";
}

}  // namespace emulator

#define REGISTER_KERNEL(name) static const emulator::Registration register##name(#name, name);

// The kernels themselves stay hidden: their short names must not meet those of other libraries.
#define EMULATOR_ENTRY inline __attribute__((used, visibility("default")))

extern "C" {

/** 0 forward, 1 backward, 2 shuffled: the order of threads and blocks, and whether copies land late or early. */
EMULATOR_ENTRY void emulatorOrder(int order) {
  emulator::machine().order = static_cast<emulator::Order>(order);
}

/** What went wrong in the last launch that did not return 0. */
EMULATOR_ENTRY const char *emulatorError() { return emulator::machine().error.c_str(); }

/** Every kernel as "name kinds" lines, kinds being a letter for each parameter: p, i or f. */
EMULATOR_ENTRY const char *emulatorKernels() {
  static std::string text;
  text.clear();
  for (auto &[name, kernel] : emulator::kernels()) text += name + " " + kernel.parameters + "\n";
  return text.c_str();
}

/** A buffer full of NaN, aligned to 16 bytes at least, that ends where the next byte may not be touched. */
EMULATOR_ENTRY void *emulatorAllocate(uint64_t bytes) {
  const uint64_t page = sysconf(_SC_PAGESIZE);
  const uint64_t used = (bytes + 15) / 16 * 16;
  const uint64_t pages = (used + page - 1) / page * page;
  // The first page holds the size; then the buffer, at the end of its pages; then the page that may not be touched.
  char *start = static_cast<char *>(
      mmap(nullptr, pages + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (start == MAP_FAILED) return nullptr;
  char *buffer = start + page + (pages - used);
  memset(buffer, 0xff, used);
  *reinterpret_cast<uint64_t *>(start) = pages + 2 * page;
  mprotect(start, page, PROT_READ);
  mprotect(start + page + pages, page, PROT_NONE);
  return buffer;
}

EMULATOR_ENTRY void emulatorFree(void *buffer) {
  const uint64_t page = sysconf(_SC_PAGESIZE);
  auto at = reinterpret_cast<uint64_t>(buffer);
  // Buffers end at a page's end, so the size decides how many pages lie before: found by their headers' own sizes.
  char *start = reinterpret_cast<char *>(at / page * page - page);
  munmap(start, *reinterpret_cast<uint64_t *>(start));
}

/** Runs a kernel to its end. `parameters` has the address of each parameter's value, as cuLaunchKernel takes them. */
EMULATOR_ENTRY int emulatorLaunch(const char *name, unsigned gridX, unsigned gridY, unsigned gridZ,
                                                unsigned threadsX, unsigned threadsY, unsigned threadsZ,
                                                unsigned sharedBytes, void **parameters) {
  using namespace emulator;
  Machine &m = machine();
  m.error.clear();
  const auto found = kernels().find(name);
  const unsigned threads = threadsX * threadsY * threadsZ;
  if (found == kernels().end()) m.error = std::string("there is no kernel '") + name + "'";
  else if (threads == 0 || threads > mostThreads) m.error = "a block has 1 to 1024 threads";
  else if (sharedBytes > 227 * 1024) m.error = "a block has at most 227 KB of shared memory";
  if (!m.error.empty()) return 1;

  m.threads.resize(mostThreads);
  m.grid = {gridX, gridY, gridZ};
  m.threadsPerBlock = {threadsX, threadsY, threadsZ};
  m.body = [&] { found->second.run(parameters); };
  m.shared = static_cast<char *>(emulatorAllocate(sharedBytes));

  struct sigaction action = {}, before;
  action.sa_handler = onFault;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &action, &before);
  const uint64_t blocks = uint64_t(gridX) * gridY * gridZ;
  if (sigsetjmp(faultReturn, 1) == 0) {
    for (uint64_t i = 0; i < blocks && m.error.empty(); i++) {
      const uint64_t at = m.order == Order::backward ? blocks - 1 - i : i;
      m.block = {unsigned(at % gridX), unsigned(at / gridX % gridY), unsigned(at / gridX / gridY)};
      memset(m.shared, 0xff, sharedBytes);
      runBlock(int(threads));
    }
  } else {
    m.error = "memory outside every buffer was touched";
  }
  sigaction(SIGSEGV, &before, nullptr);
  emulatorFree(m.shared);
  if (m.error.empty()) return 0;
  m.error = std::string(name) + ", block (" + std::to_string(m.block.x) + ", " + std::to_string(m.block.y) + ", " +
            std::to_string(m.block.z) + "), thread " + std::to_string(m.current->linear) + ": " + m.error;
  return 2;
}

EMULATOR_ENTRY void emulatorCopy(void *to, const void *from, uint64_t bytes) { memcpy(to, from, bytes); }
}
