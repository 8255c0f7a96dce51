// Weights to codes and back; one warp a block of 32. The formats are said in quantized.cuh.
#include "quantized.cuh"
#include "reduce.cuh"

/** The warp's block of 32, counted over all rows; false where there is none. */
__device__ __forceinline__ bool blockOfWarp(int rows, int columns, size_t &block) {
  block = size_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  return block < size_t(rows) * columns / quantizedBlock;
}

/** The scale is rounded before it is used, so that its rounding costs no accuracy. */
__device__ __forceinline__ int nearestCode(float x, float scale, int lowest, int highest) {
  if (scale == 0.f) return 0;
  const int code = int(rintf(x / scale));
  return code < lowest ? lowest : code > highest ? highest : code;
}

extern "C" __global__ void __launch_bounds__(256)
    quantizeInt8(const void *x, int xType, uint8_t *codes, bfloat16 *scales, int rows, int columns) {
  size_t block;
  if (!blockOfWarp(rows, columns, block)) return;
  const int lane = threadIdx.x % 32;
  const float mine = loadElement(x, xType, block * quantizedBlock + lane);
  const bfloat16 scale = toBfloat16(warpMaximum(fabsf(mine)) / 127.f);
  codes[block * quantizedBlock + lane] = uint8_t(nearestCode(mine, toFloat(scale), -127, 127) + 128);
  if (lane == 0) scales[block] = scale;
}
REGISTER_KERNEL(quantizeInt8)

/** Codes go from −8 to 7; the number farthest from 0 gets the −8, whatever its sign, so that no code is left unused. */
extern "C" __global__ void __launch_bounds__(256)
    quantizeInt4(const void *x, int xType, uint8_t *codes, bfloat16 *scales, int rows, int columns) {
  size_t block;
  if (!blockOfWarp(rows, columns, block)) return;
  const int lane = threadIdx.x % 32;
  const float mine = loadElement(x, xType, block * quantizedBlock + lane);
  const float highest = warpMaximum(mine), lowest = -warpMaximum(-mine);
  const bfloat16 scale = toBfloat16((highest > -lowest ? highest : lowest) / -8.f);
  const int code = nearestCode(mine, toFloat(scale), -8, 7) + 8;
  const int pair = lane % 8 / 2, second = lane % 2;
  const int shift = pair * 4 + second * 16;
  int word = code << shift;
#pragma unroll
  for (int mask = 1; mask < 8; mask *= 2) word |= shuffleXor(word, mask);
  if (lane % 8 == 0) reinterpret_cast<uint32_t *>(codes)[(block * quantizedBlock + lane) / 8] = uint32_t(word);
  if (lane == 0) scales[block] = scale;
}
REGISTER_KERNEL(quantizeInt4)

template <class Codes>
__device__ __forceinline__ void dequantizeBlock(const uint8_t *codes, const bfloat16 *scales, void *out, int outType,
                                                int rows, int columns) {
  const size_t block = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (block >= size_t(rows) * columns / quantizedBlock) return;
  CodeBlock<Codes> codesOfBlock;
  codesOfBlock.load(codes, scales, block);
#pragma unroll
  for (int eight = 0; eight < 4; eight++) {
    float x[8];
    codesOfBlock.decode(eight, x);
    storeEight(out, outType, block * quantizedBlock + eight * 8, x);
  }
}

/** out [rows, columns]: one thread a block of 32. */
extern "C" __global__ void __launch_bounds__(256)
    dequantizeInt8(const uint8_t *codes, const bfloat16 *scales, void *out, int outType, int rows, int columns) {
  dequantizeBlock<CodesInt8>(codes, scales, out, outType, rows, columns);
}
REGISTER_KERNEL(dequantizeInt8)

extern "C" __global__ void __launch_bounds__(256)
    dequantizeInt4(const uint8_t *codes, const bfloat16 *scales, void *out, int outType, int rows, int columns) {
  dequantizeBlock<CodesInt4>(codes, scales, out, outType, rows, columns);
}
REGISTER_KERNEL(dequantizeInt4)
