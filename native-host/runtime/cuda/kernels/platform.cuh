// What kernels use of the machine beyond plain C++, each with two meanings: the instruction on a card, and the emulator's
// version of it on the CPU. Nothing else in the kernels knows where it runs.
#pragma once

#ifdef LIFT_EMULATED
#include "emulator/platform-emulated.h"
#else

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define REGISTER_KERNEL(name)

using bfloat16 = __nv_bfloat16;
using float16 = __half;

__device__ __forceinline__ float toFloat(bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float toFloat(float16 x) { return __half2float(x); }
__device__ __forceinline__ bfloat16 toBfloat16(float x) { return __float2bfloat16_rn(x); }
__device__ __forceinline__ float16 toFloat16(float x) { return __float2half_rn(x); }

/** Two numbers in one register, the first in the low half. */
__device__ __forceinline__ uint32_t packBfloat16(float first, float second) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(second), "f"(first));
  return packed;
}

__device__ __forceinline__ float bitsToFloat(uint32_t bits) { return __uint_as_float(bits); }

/** The block's dynamic shared memory. */
__device__ __forceinline__ char *sharedMemory() {
  extern __shared__ __align__(1024) char dynamicSharedMemory[];
  return dynamicSharedMemory;
}

__device__ __forceinline__ void blockBarrier() { __syncthreads(); }
__device__ __forceinline__ void warpBarrier() { __syncwarp(); }
__device__ __forceinline__ float shuffleXor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
__device__ __forceinline__ int shuffleXor(int x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
/** The smallest and the largest of a warp's numbers. */
__device__ __forceinline__ int warpSmallest(int x) { return __reduce_min_sync(0xffffffffu, x); }
__device__ __forceinline__ int warpLargest(int x) { return __reduce_max_sync(0xffffffffu, x); }

/** 2^x to about 2 units in the last place. */
__device__ __forceinline__ float exp2Fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ uint32_t sharedAddress(const void *shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/** Copies `bytes` (0 to 16) to shared memory in the background and fills up 16 with zeros; both ends are 16-aligned. */
__device__ __forceinline__ void copyAsync(void *shared, const void *global, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(shared)), "l"(global), "r"(bytes));
}
/** Ends a group of copies. */
__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::); }
/** Waits until at most `Groups` of this thread's groups are under way. */
template <int Groups> __device__ __forceinline__ void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups));
}

/** Four 8×8 matrices of 16-bit elements; lane l gives the address of row l mod 8 of matrix ⌊l/8⌋. */
__device__ __forceinline__ void loadMatrices(uint32_t (&registers)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(sharedAddress(row)));
}
/** As loadMatrices, each matrix transposed. */
__device__ __forceinline__ void loadMatricesTransposed(uint32_t (&registers)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(sharedAddress(row)));
}

/** sums [16, 8] += a [16, 16] · b [16, 8], in the register layouts of mma.sync.m16n8k16. */
__device__ __forceinline__ void multiplyAdd(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif
