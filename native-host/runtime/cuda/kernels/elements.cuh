// Elements of any of the types that kernel-table.ts numbers, one or eight at a time. The type is the same for all
// threads, so choosing it at run time costs a branch that never diverges.
#pragma once
#include "platform.cuh"

constexpr int typeFloat32 = 0;
constexpr int typeBfloat16 = 1;
constexpr int typeFloat16 = 2;

__device__ __forceinline__ float loadElement(const void *at, int type, size_t i) {
  if (type == typeFloat32) return static_cast<const float *>(at)[i];
  if (type == typeBfloat16) return toFloat(static_cast<const bfloat16 *>(at)[i]);
  return toFloat(static_cast<const float16 *>(at)[i]);
}

__device__ __forceinline__ void storeElement(void *at, int type, size_t i, float x) {
  if (type == typeFloat32) static_cast<float *>(at)[i] = x;
  else if (type == typeBfloat16) static_cast<bfloat16 *>(at)[i] = toBfloat16(x);
  // A score beyond the type's range stays finite.
  else static_cast<float16 *>(at)[i] = toFloat16(fminf(fmaxf(x, -65504.f), 65504.f));
}

__device__ __forceinline__ bool aligned16(const void *at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; }

__device__ __forceinline__ void unpackBfloat16(uint32_t packed, float &first, float &second) {
  first = bitsToFloat(packed << 16);
  second = bitsToFloat(packed & 0xffff0000u);
}

__device__ __forceinline__ void unpackEight(const uint4 &packed, float (&x)[8]) {
  unpackBfloat16(packed.x, x[0], x[1]);
  unpackBfloat16(packed.y, x[2], x[3]);
  unpackBfloat16(packed.z, x[4], x[5]);
  unpackBfloat16(packed.w, x[6], x[7]);
}

/** Eight elements from i on; the address of element i is a multiple of 16 bytes. */
__device__ __forceinline__ void loadEight(const void *at, int type, size_t i, float (&x)[8]) {
  if (type == typeFloat32) {
    const float4 *from = reinterpret_cast<const float4 *>(static_cast<const float *>(at) + i);
    const float4 low = from[0], high = from[1];
    x[0] = low.x, x[1] = low.y, x[2] = low.z, x[3] = low.w;
    x[4] = high.x, x[5] = high.y, x[6] = high.z, x[7] = high.w;
  } else if (type == typeBfloat16) {
    unpackEight(*reinterpret_cast<const uint4 *>(static_cast<const bfloat16 *>(at) + i), x);
  } else {
    const uint4 packed = *reinterpret_cast<const uint4 *>(static_cast<const float16 *>(at) + i);
    const float16 *halves = reinterpret_cast<const float16 *>(&packed);
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] = toFloat(halves[j]);
  }
}

__device__ __forceinline__ void storeEight(void *at, int type, size_t i, const float (&x)[8]) {
  if (type == typeFloat32) {
    float4 *to = reinterpret_cast<float4 *>(static_cast<float *>(at) + i);
    to[0] = {x[0], x[1], x[2], x[3]};
    to[1] = {x[4], x[5], x[6], x[7]};
  } else if (type == typeBfloat16) {
    *reinterpret_cast<uint4 *>(static_cast<bfloat16 *>(at) + i) = {packBfloat16(x[0], x[1]), packBfloat16(x[2], x[3]),
                                                                   packBfloat16(x[4], x[5]), packBfloat16(x[6], x[7])};
  } else {
    uint4 packed = {0, 0, 0, 0};
#pragma unroll
    for (int j = 0; j < 8; j++) storeElement(&packed, type, j, x[j]);
    *reinterpret_cast<uint4 *>(static_cast<float16 *>(at) + i) = packed;
  }
}

/** Up to eight elements from i on, `count` of which exist; the others read as 0. `wide`: loadEight may be used. */
__device__ __forceinline__ void loadUpToEight(const void *at, int type, size_t i, int count, bool wide, float (&x)[8]) {
  if (wide && count >= 8) return loadEight(at, type, i, x);
#pragma unroll
  for (int j = 0; j < 8; j++) x[j] = j < count ? loadElement(at, type, i + j) : 0.f;
}

__device__ __forceinline__ void storeUpToEight(void *at, int type, size_t i, int count, bool wide,
                                               const float (&x)[8]) {
  if (wide && count >= 8) return storeEight(at, type, i, x);
#pragma unroll
  for (int j = 0; j < 8; j++) {
    if (j < count) storeElement(at, type, i + j, x[j]);
  }
}

/** Where a kernel reads or writes, and how its elements are stored. */
struct Place {
  void *at;
  int type;
};

__device__ __forceinline__ Place readPlace(const void *at, int type) { return {const_cast<void *>(at), type}; }

/**
 * out_j[i] = f(in_1[i], in_2[i], …) for i below count, eight neighbours a thread, 2048 a block. A place without an
 * address is not read or written. f takes and fills arrays of one element each.
 */
template <int Inputs, int Outputs, class Function>
__device__ __forceinline__ void mapElements(const Place (&in)[Inputs], const Place (&out)[Outputs], int count,
                                            Function f) {
  const size_t start = (size_t(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (start >= size_t(count)) return;
  const int here = int(size_t(count) - start < 8 ? size_t(count) - start : 8);
  float x[Inputs][8], y[Outputs][8];
#pragma unroll
  for (int k = 0; k < Inputs; k++) loadUpToEight(in[k].at, in[k].type, start, here, aligned16(in[k].at), x[k]);
#pragma unroll
  for (int j = 0; j < 8; j++) {
    float given[Inputs], made[Outputs];
#pragma unroll
    for (int k = 0; k < Inputs; k++) given[k] = x[k][j];
    f(given, made);
#pragma unroll
    for (int k = 0; k < Outputs; k++) y[k][j] = made[k];
  }
#pragma unroll
  for (int k = 0; k < Outputs; k++) {
    if (out[k].at) storeUpToEight(out[k].at, out[k].type, start, here, aligned16(out[k].at), y[k]);
  }
}
