// Sums and maxima over the threads of a warp or a block, always in the same order.
#pragma once
#include "platform.cuh"

template <int Threads = 32> __device__ __forceinline__ float warpSum(float x) {
#pragma unroll
  for (int mask = Threads / 2; mask > 0; mask /= 2) x += shuffleXor(x, mask);
  return x;
}

template <int Threads = 32> __device__ __forceinline__ float warpMaximum(float x) {
#pragma unroll
  for (int mask = Threads / 2; mask > 0; mask /= 2) x = fmaxf(x, shuffleXor(x, mask));
  return x;
}

/** The sum over all threads of the block, which all of them receive. `scratch`: 32 floats of shared memory. */
__device__ __forceinline__ float blockSum(float x, float *scratch) {
  x = warpSum(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  blockBarrier();
  const int warps = (blockDim.x + 31) / 32;
  float total = 0.f;
  for (int i = 0; i < warps; i++) total += scratch[i];
  blockBarrier();
  return total;
}

__device__ __forceinline__ float blockMaximum(float x, float *scratch) {
  x = warpMaximum(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  blockBarrier();
  const int warps = (blockDim.x + 31) / 32;
  float highest = scratch[0];
  for (int i = 1; i < warps; i++) highest = fmaxf(highest, scratch[i]);
  blockBarrier();
  return highest;
}
