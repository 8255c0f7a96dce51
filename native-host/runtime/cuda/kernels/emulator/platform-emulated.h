// The emulator's side of platform.cuh; what each function does is said there.
#pragma once
#include "emulator.h"
#include "launch.h"

#define __shared__ static

struct bfloat16 {
  uint16_t bits;
};
struct float16 {
  uint16_t bits;
};

inline float bitsToFloat(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline uint32_t floatToBits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

inline float toFloat(bfloat16 x) { return bitsToFloat(uint32_t(x.bits) << 16); }

inline bfloat16 toBfloat16(float x) {
  const uint32_t bits = floatToBits(x);
  if (std::isnan(x)) return {0x7fff};
  return {uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

inline float toFloat(float16 x) {
  const int exponent = (x.bits >> 10) & 31, fraction = x.bits & 1023;
  const float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                     : exponent == 0 ? std::ldexp(float(fraction), -24)
                                     : std::ldexp(float(fraction + 1024), exponent - 25);
  return x.bits & 0x8000 ? -size : size;
}

inline float16 toFloat16(float x) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const float size = std::fabs(x);
  if (std::isnan(x)) return {0x7fff};
  if (size == 0.f) return {sign};
  if (size >= 65520.f) return {uint16_t(sign | 0x7c00)};
  int exponent;
  std::frexp(size, &exponent);
  // The unit of the last place: 2^(exponent − 11), and 2^−24 for the smallest.
  const int unit = std::max(exponent - 11, -24);
  const int steps = int(std::nearbyint(std::ldexp(size, -unit)));
  // 1024 steps or more have the hidden bit, and adding it to the exponent's field carries it there.
  return {uint16_t(sign | (unit == -24 ? steps : ((unit + 24) << 10) + steps))};
}

inline uint32_t packBfloat16(float first, float second) {
  return toBfloat16(first).bits | uint32_t(toBfloat16(second).bits) << 16;
}

inline char *sharedMemory() { return emulator::machine().shared; }
inline void blockBarrier() { emulator::blockBarrier(); }

inline void warpBarrier() {
  emulator::collective<int>("warp barrier", 0, [](int, auto) { return 0; });
}
template <class Number> Number shuffleXor(Number x, int mask) {
  return emulator::collective<Number>("shuffle", x, [mask](int to, auto from) { return Number(from(to ^ mask)); });
}
template <class Choose> int warpChoice(int x, Choose choose) {
  return emulator::collective<int>("choice", x, [choose](int, auto from) {
    int chosen = from(0);
    for (int lane = 1; lane < emulator::warpThreads; lane++) chosen = choose(chosen, from(lane));
    return chosen;
  });
}
inline int warpSmallest(int x) {
  return warpChoice(x, [](int a, int b) { return std::min(a, b); });
}
inline int warpLargest(int x) {
  return warpChoice(x, [](int a, int b) { return std::max(a, b); });
}

inline float rsqrtf(float x) { return 1.f / std::sqrt(x); }
inline float exp2Fast(float x) { return std::exp2(x); }

inline void copyNow(const emulator::PendingCopy &copy) {
  memcpy(copy.to, copy.from, copy.bytes);
  memset(static_cast<char *>(copy.to) + copy.bytes, 0, copy.zeros);
}

// Forward order copies as late as a wait allows, backward as early as possible: the hardware may do either.
inline void copyAsync(void *shared, const void *global, int bytes) {
  const emulator::PendingCopy copy{shared, global, bytes, 16 - bytes};
  if (reinterpret_cast<uintptr_t>(shared) % 16 || (bytes > 0 && reinterpret_cast<uintptr_t>(global) % 16)) {
    emulator::machine().fail("an asynchronous copy is not aligned to 16 bytes");
  }
  if (emulator::machine().order == emulator::Order::backward) return copyNow(copy);
  emulator::machine().current->copyGroups.back().push_back(copy);
}
inline void commitCopies() { emulator::machine().current->copyGroups.emplace_back(); }
template <int Groups> void waitForCopies() {
  auto &groups = emulator::machine().current->copyGroups;
  while (static_cast<int>(groups.size()) - 1 > Groups) {
    for (auto &copy : groups.front()) copyNow(copy);
    groups.erase(groups.begin());
  }
}

struct FourRegisters {
  uint32_t at[4];
};

inline void loadMatricesAny(uint32_t (&registers)[4], const void *row, bool transposed) {
  if (reinterpret_cast<uintptr_t>(row) % 16) emulator::machine().fail("a matrix row is not aligned to 16 bytes");
  const auto result = emulator::collective<FourRegisters>("ldmatrix", row, [transposed](int to, auto from) {
    FourRegisters four;
    for (int matrix = 0; matrix < 4; matrix++) {
      auto element = [&](int r, int c) { return static_cast<const uint16_t *>(from(matrix * 8 + r))[c]; };
      const int r = to / 4, c = to % 4 * 2;
      const uint16_t low = transposed ? element(c, r) : element(r, c);
      const uint16_t high = transposed ? element(c + 1, r) : element(r, c + 1);
      four.at[matrix] = low | uint32_t(high) << 16;
    }
    return four;
  });
  memcpy(registers, result.at, sizeof registers);
}
inline void loadMatrices(uint32_t (&registers)[4], const void *row) { loadMatricesAny(registers, row, false); }
inline void loadMatricesTransposed(uint32_t (&registers)[4], const void *row) { loadMatricesAny(registers, row, true); }

struct MultiplyOperands {
  uint32_t a[4], b[2];
  float sums[4];
};

inline void multiplyAdd(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Sums {
    float at[4];
  };
  const MultiplyOperands mine{{a[0], a[1], a[2], a[3]}, {b0, b1}, {sums[0], sums[1], sums[2], sums[3]}};
  const auto half = [](uint32_t pair, int which) { return bitsToFloat(which ? pair & 0xffff0000u : pair << 16); };
  const auto result = emulator::collective<Sums>("mma", mine, [half](int to, auto from) {
    Sums received;
    const int group = to / 4, pair = to % 4;
    for (int i = 0; i < 4; i++) {
      // Element (row, column) of the sums; a's row lies in the lanes of that row, b's column in those of that column.
      const int rowHalf = i / 2, column = pair * 2 + i % 2;
      float sum = from(to).sums[i];
      for (int k = 0; k < 16; k++) {
        const MultiplyOperands &ofA = from(group * 4 + k % 8 / 2), &ofB = from(column * 4 + k % 8 / 2);
        sum += half(ofA.a[rowHalf + k / 8 * 2], k % 2) * half(ofB.b[k / 8], k % 2);
      }
      received.at[i] = sum;
    }
    return received;
  });
  memcpy(sums, result.at, sizeof sums);
}

#define LIFT_HOPPER

inline uint32_t sharedAddress(const void *shared) {
  return uint32_t(static_cast<const char *>(shared) - emulator::machine().shared);
}
inline void fenceForProducts() {}
inline void beginProducts() {}

/** Element (outer, k) of an operand with 128-byte swizzle, as the descriptor's fields say; `outer` is a row or a column. */
inline float elementOfOperand(uint64_t descriptor, bool outerFirst, int outer, int k) {
  const uint32_t start = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4;
  const uint32_t stride = (descriptor >> 32 & 0x3fff) << 4;
  const uint32_t plain = outerFirst ? start + outer % 8 * 128 + outer / 8 * stride + k * 2
                                    : start + outer % 64 * 2 + outer / 64 * leading + k % 8 * 128 + k / 8 * stride;
  const uint32_t at = plain ^ ((plain >> 7 & 7) << 4);
  return toFloat(*reinterpret_cast<const bfloat16 *>(emulator::machine().shared + at));
}

/** A thread's own sums: rows lane / 4 and that plus 8 of its warp's 16, two columns of every eight. */
template <bool RightColumnsFirst, bool Fresh, int Eights, class Left>
void multiplyInBackground(float (&sums)[Eights][4], Left leftElement, uint64_t right) {
  if (right >> 62 != 1) emulator::machine().fail("a descriptor without the 128-byte swizzle");
  const int lane = emulator::machine().current->linear % 32;
  const auto compute = [&sums, leftElement, right, lane] {
    for (int half = 0; half < 2; half++) {
      float a[16];
      for (int k = 0; k < 16; k++) a[k] = leftElement(half, k);
      for (int j = 0; j < Eights; j++) {
        for (int c = 0; c < 2; c++) {
          const int column = j * 8 + lane % 4 * 2 + c;
          float sum = Fresh ? 0.f : sums[j][half * 2 + c];
          for (int k = 0; k < 16; k++) sum += a[k] * elementOfOperand(right, RightColumnsFirst, column, k);
          sums[j][half * 2 + c] = sum;
        }
      }
    }
  };
  if (emulator::machine().order == emulator::Order::backward) return compute();
  emulator::machine().current->productGroups.back().push_back(compute);
}

template <bool LeftRowsFirst, bool RightColumnsFirst, bool Fresh = false, int Eights>
void multiplyAddTogether(float (&sums)[Eights][4], uint64_t left, uint64_t right) {
  if (left >> 62 != 1) emulator::machine().fail("a descriptor without the 128-byte swizzle");
  const int linear = emulator::machine().current->linear, row = linear / 32 % 4 * 16 + linear % 32 / 4;
  const auto element = [left, row](int half, int k) { return elementOfOperand(left, LeftRowsFirst, row + half * 8, k); };
  multiplyInBackground<RightColumnsFirst, Fresh>(sums, element, right);
}

template <bool RightColumnsFirst, int Eights>
void multiplyAddTogether(float (&sums)[Eights][4], const uint32_t (&left)[4], uint64_t right) {
  struct Rows {
    uint32_t pairs[2][8];
  };
  const FourRegisters mine{{left[0], left[1], left[2], left[3]}};
  const Rows rows = emulator::collective<Rows>("wgmma operand", mine, [](int to, auto from) {
    Rows received;
    for (int half = 0; half < 2; half++) {
      for (int pair = 0; pair < 8; pair++) received.pairs[half][pair] = from(to / 4 * 4 + pair % 4).at[half + pair / 4 * 2];
    }
    return received;
  });
  const auto element = [rows](int half, int k) {
    return bitsToFloat(k % 2 ? rows.pairs[half][k / 2] & 0xffff0000u : rows.pairs[half][k / 2] << 16);
  };
  multiplyInBackground<RightColumnsFirst, false>(sums, element, right);
}

inline void commitProducts() { emulator::machine().current->productGroups.emplace_back(); }
template <int Groups> void waitForProducts() {
  auto &groups = emulator::machine().current->productGroups;
  while (static_cast<int>(groups.size()) - 1 > Groups) {
    for (auto &compute : groups.front()) compute();
    groups.erase(groups.begin());
  }
}
template <int Eights> void takeSums(float (&)[Eights][4]) {}
