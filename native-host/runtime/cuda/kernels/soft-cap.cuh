// Soft caps: cap · tanh(x / cap) in place of x, as gemma 2 has them on scores and logits. A cap of 0 stands for none; who
// calls asks for that once for many numbers.
#pragma once
#include "platform.cuh"

constexpr float log2OfE = 1.4426950408889634f;

/** cap · tanh(x / cap), to about a millionth of cap. */
__device__ __forceinline__ float capped(float x, float cap) {
  return cap * (1.f - 2.f / (1.f + exp2Fast(x * (2.f * log2OfE / cap))));
}

/** How a capped number changes with the one before, told by the capped one. */
__device__ __forceinline__ float slopeOfCapped(float y, float cap) {
  const float tanh = y / cap;
  return 1.f - tanh * tanh;
}
