// Products of few rows, which are bound by reading the weight: a warp makes two neighbouring elements of a row of the
// output. And the place of a vector's largest element.
//
//   out[row, i] = factor · (x[row] · weight[i] + panelLeft[row] · panelRight[i]) + bias[i] + added[row, i]
#include "quantized.cuh"
#include "reduce.cuh"

constexpr int outputsOfWarp = 2;

struct VectorProduct {
  const void *x;
  int xType;
  const void *weight;
  const bfloat16 *scales;
  void *out;
  int outType, n, k, weightStride;
  const bfloat16 *panelLeft, *panelRight;
  int panelK, panelRightStride;
  const void *bias;
  int biasType;
  const void *added;
  int addedType;
  float factor;
  int xStride, outStride, addedStride, panelLeftStride;
};

/** A row of weights in bfloat16, eight at a time. */
struct RowsBfloat16 {
  static constexpr int atOnce = 8;

  static __device__ __forceinline__ float dot(const VectorProduct &p, size_t row, int k, const float (&x)[8], bool wide) {
    float w[8];
    loadUpToEight(p.weight, typeBfloat16, row * p.weightStride + k, p.k - k, wide, w);
    float sum = 0.f;
#pragma unroll
    for (int j = 0; j < 8; j++) sum += x[j] * w[j];
    return sum;
  }
};

/** A row of codes, a block of 32 at a time. */
template <class Codes> struct RowsOfCodes {
  static constexpr int atOnce = quantizedBlock;

  static __device__ __forceinline__ float dot(const VectorProduct &p, size_t row, int k,
                                              const float (&x)[quantizedBlock], bool) {
    CodeBlock<Codes> block;
    block.load(static_cast<const uint8_t *>(p.weight), p.scales, (row * p.weightStride + k) / quantizedBlock);
    float sum = 0.f;
#pragma unroll
    for (int eight = 0; eight < 4; eight++) {
      float w[8];
      block.decode(eight, w);
#pragma unroll
      for (int j = 0; j < 8; j++) sum += x[eight * 8 + j] * w[j];
    }
    return sum;
  }
};

/** Block (outputs / 8, row). */
template <class Rows> __device__ __forceinline__ void multiplyVector(const VectorProduct &p) {
  const int lane = threadIdx.x % 32, row = blockIdx.y;
  const int first = (blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32) * outputsOfWarp;
  const bool wideX = p.xStride % 8 == 0 && aligned16(p.x), wideWeight = p.weightStride % 8 == 0 && aligned16(p.weight);
  float sums[outputsOfWarp] = {};
#pragma unroll 2
  for (int k = lane * Rows::atOnce; k < p.k; k += 32 * Rows::atOnce) {
    float x[Rows::atOnce];
#pragma unroll
    for (int j = 0; j < Rows::atOnce; j += 8) {
      float (&eight)[8] = *reinterpret_cast<float(*)[8]>(x + j);
      loadUpToEight(p.x, p.xType, size_t(row) * p.xStride + k + j, p.k - k - j, wideX, eight);
    }
#pragma unroll
    for (int i = 0; i < outputsOfWarp; i++) {
      if (first + i < p.n) sums[i] += Rows::dot(p, first + i, k, x, wideWeight);
    }
  }
  for (int j = lane; j < p.panelK; j += 32) {
    const float left = toFloat(p.panelLeft[size_t(row) * p.panelLeftStride + j]);
#pragma unroll
    for (int i = 0; i < outputsOfWarp; i++) {
      if (first + i < p.n) sums[i] += left * toFloat(p.panelRight[size_t(first + i) * p.panelRightStride + j]);
    }
  }
#pragma unroll
  for (int i = 0; i < outputsOfWarp; i++) {
    const int at = first + i;
    float sum = warpSum(sums[i]) * p.factor;
    if (lane != 0 || at >= p.n) continue;
    if (p.bias) sum += loadElement(p.bias, p.biasType, at);
    if (p.added) sum += loadElement(p.added, p.addedType, size_t(row) * p.addedStride + at);
    storeElement(p.out, p.outType, size_t(row) * p.outStride + at, sum);
  }
}

#define MATVEC(name, Rows)                                                                                            \
  extern "C" __global__ void __launch_bounds__(128)                                                                   \
      name(const void *x, int xType, const void *weight, const bfloat16 *scales, void *out, int outType, int n,       \
           int k, int weightStride, const bfloat16 *panelLeft, const bfloat16 *panelRight, int panelK,                \
           int panelRightStride, const void *bias, int biasType, const void *added, int addedType, float factor,      \
           int xStride, int outStride, int addedStride, int panelLeftStride) {                                        \
    multiplyVector<Rows>(VectorProduct{x, xType, weight, scales, out, outType, n, k, weightStride, panelLeft,         \
                                       panelRight, panelK, panelRightStride, bias, biasType, added, addedType,        \
                                       factor, xStride, outStride, addedStride, panelLeftStride});                    \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

MATVEC(matvecBf16, RowsBfloat16)
MATVEC(matvecInt8, RowsOfCodes<CodesInt8>)
MATVEC(matvecInt4, RowsOfCodes<CodesInt4>)

/** out[0] = the place of the largest of x, the first where several are largest: one block. */
extern "C" __global__ void __launch_bounds__(1024) argmax(const void *x, int xType, int *out, int count) {
  __shared__ float scratch[32];
  __shared__ int places[32];
  float highest = -INFINITY;
  int place = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const float here = loadElement(x, xType, i);
    if (here > highest) highest = here, place = i;
  }
  const float most = blockMaximum(highest, scratch);
  const int first = warpSmallest(highest == most ? place : INT32_MAX);
  if (threadIdx.x % 32 == 0) places[threadIdx.x / 32] = first;
  blockBarrier();
  if (threadIdx.x == 0) {
    int smallest = places[0];
    for (int warp = 1; warp < int(blockDim.x + 31) / 32; warp++) {
      smallest = places[warp] < smallest ? places[warp] : smallest;
    }
    *out = smallest;
  }
}
REGISTER_KERNEL(argmax)
