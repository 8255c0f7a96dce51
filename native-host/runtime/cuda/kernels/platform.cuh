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

/** Instructions that only the cards of capability 9.0 have: products that four warps start together, run in the background. */
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define LIFT_HOPPER

/** Makes this thread's ordinary writes to shared memory visible to products; each writer calls it before the barrier. */
__device__ __forceinline__ void fenceForProducts() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/** Before the first product after the sums were touched. */
__device__ __forceinline__ void beginProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/** Waits until at most `Groups` groups of products are under way. */
template <int Groups> __device__ __forceinline__ void waitForProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
}
/** After the last wait: the sums are read only from here on. */
template <int Eights> __device__ __forceinline__ void takeSums(float (&sums)[Eights][4]) {
#pragma unroll
  for (int j = 0; j < Eights; j++) {
    asm volatile("" : "+f"(sums[j][0]), "+f"(sums[j][1]), "+f"(sums[j][2]), "+f"(sums[j][3])::"memory");
  }
}

#define SUMS4(j) "+f"(sums[j][0]), "+f"(sums[j][1]), "+f"(sums[j][2]), "+f"(sums[j][3])
#define SUMS16(j) SUMS4(j), SUMS4(j + 1), SUMS4(j + 2), SUMS4(j + 3)
#define SUMS32 SUMS16(0), SUMS16(4)
#define SUMS64 SUMS32, SUMS16(8), SUMS16(12)
#define SUMS128 SUMS64, SUMS16(16), SUMS16(20), SUMS16(24), SUMS16(28)

/**
 * sums[64, 8 · Eights] += left [64, 16] · right [16, 8 · Eights] for the four warps together, in the background. left and
 * right are descriptors of shared memory; …RowsFirst and …ColumnsFirst as loadLeft and loadRight have them. Fresh: the
 * sums start anew, whatever they hold.
 */
template <bool LeftRowsFirst, bool RightColumnsFirst, bool Fresh = false>
__device__ __forceinline__ void multiplyAddTogether(float (&sums)[8][4], uint64_t left, uint64_t right) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, 1, 1, "
      "1, %34, %35;"
      : SUMS32
      : "l"(left), "l"(right), "n"(LeftRowsFirst ? 0 : 1), "n"(RightColumnsFirst ? 0 : 1), "n"(Fresh ? 0 : 1));
}

template <bool LeftRowsFirst, bool RightColumnsFirst, bool Fresh = false>
__device__ __forceinline__ void multiplyAddTogether(float (&sums)[16][4], uint64_t left, uint64_t right) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, "
      "%35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, "
      "%57, %58, %59, %60, %61, %62, %63}, %64, %65, %68, 1, 1, %66, %67;"
      : SUMS64
      : "l"(left), "l"(right), "n"(LeftRowsFirst ? 0 : 1), "n"(RightColumnsFirst ? 0 : 1), "n"(Fresh ? 0 : 1));
}

template <bool LeftRowsFirst, bool RightColumnsFirst, bool Fresh = false>
__device__ __forceinline__ void multiplyAddTogether(float (&sums)[32][4], uint64_t left, uint64_t right) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, "
      "%35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, "
      "%57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, "
      "%79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, "
      "%101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, "
      "%119, %120, %121, %122, %123, %124, %125, %126, %127}, %128, %129, %132, 1, 1, %130, %131;"
      : SUMS128
      : "l"(left), "l"(right), "n"(LeftRowsFirst ? 0 : 1), "n"(RightColumnsFirst ? 0 : 1), "n"(Fresh ? 0 : 1));
}

/** The same with left in registers, 16 rows a warp, in the layout of multiplyAdd; they stay untouched until the wait. */
template <bool RightColumnsFirst>
__device__ __forceinline__ void multiplyAddTogether(float (&sums)[8][4], const uint32_t (&left)[4], uint64_t right) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, {%32, %33, %34, "
      "%35}, %36, 1, 1, 1, %37;"
      : SUMS32
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "n"(RightColumnsFirst ? 0 : 1));
}

template <bool RightColumnsFirst>
__device__ __forceinline__ void multiplyAddTogether(float (&sums)[16][4], const uint32_t (&left)[4], uint64_t right) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, "
      "%35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, "
      "%57, %58, %59, %60, %61, %62, %63}, {%64, %65, %66, %67}, %68, 1, 1, 1, %69;"
      : SUMS64
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "n"(RightColumnsFirst ? 0 : 1));
}
#endif

#endif
