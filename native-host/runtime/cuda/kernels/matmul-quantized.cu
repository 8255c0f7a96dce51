// Products whose right operand is a frozen weight in codes (quantized.cuh): the weight [out, in] is right [n, k] of Nt, the
// forward pass, and right [k, n] of Nn, the gradient of the input. A tile's codes are fetched to registers one step ahead
// and become bfloat16 on their way to shared memory, one block of 32 a thread. The panel is bfloat16.
#include "matmul.cuh"
#include "quantized.cuh"

template <class Shape, class Codes> struct QuantizedRight {
  static constexpr bool nt = Shape::orientation == Orientation::Nt;
  static constexpr int blocksOfRow = nt ? 1 : Shape::tileN / quantizedBlock;
  static_assert(Shape::tileK == quantizedBlock && Shape::tileN == Shape::threads);

  CodeBlock<Codes> codes;

  __device__ __forceinline__ void fetch(const Product &p, int column, int k) {
    // The tile's row and block that are this thread's, in the weight.
    const int row = (nt ? column : k) + threadIdx.x / blocksOfRow;
    const int first = (nt ? k : column) + threadIdx.x % blocksOfRow * quantizedBlock;
    const int rows = nt ? p.n : p.k, columns = nt ? p.k : p.n;
    if (row >= rows || first >= columns) return codes.clear();
    const size_t block = (size_t(row) * p.rightStride + first) / quantizedBlock;
    codes.load(static_cast<const uint8_t *>(p.right), p.scales, block);
  }

  __device__ __forceinline__ void store(bfloat16 *tile) const {
    constexpr int columns = nt ? Shape::tileK : Shape::tileN;
    const int row = threadIdx.x / blocksOfRow, firstChunk = threadIdx.x % blocksOfRow * 4;
#pragma unroll
    for (int eight = 0; eight < 4; eight++) {
      float x[8];
      codes.decode(eight, x);
      storeEight(tile + swizzled<columns>(row, firstChunk + eight), typeBfloat16, 0, x);
    }
  }
};

template <class Shape, class Codes> __device__ __forceinline__ void multiplyQuantizedBlock(const Product &p) {
  bfloat16 *leftRing = reinterpret_cast<bfloat16 *>(sharedMemory());
  bfloat16 *rightRing = leftRing + Shape::stages * Shape::leftElements;
  int row, column;
  placeOfBlock<Shape>(p, row, column);
  const TileRange range(p, Shape::tileK, blockIdx.z);
  const auto stageOf = [&](int t) { return (t - range.start) % Shape::stages; };
  const auto isMain = [&](int t) { return t < range.mainTiles && t < range.end; };

  const auto copy = [&](int t) {
    if (t < range.end) {
      copyLeft<Shape>(leftRing + stageOf(t) * Shape::leftElements, p, p.left, row, range, t);
      if (!isMain(t)) copyRight<Shape>(rightRing + stageOf(t) * Shape::rightElements, p, nullptr, column, range, t);
    }
    commitCopies();
  };
  QuantizedRight<Shape, Codes> right;
  for (int s = 0; s < Shape::stages - 1; s++) copy(range.start + s);
  if (isMain(range.start)) {
    right.fetch(p, column, range.start * Shape::tileK);
    right.store(rightRing);
  }

  float sums[Shape::rowSteps][Shape::columnSteps][4] = {};
  for (int t = range.start; t < range.end; t++) {
    waitForCopies<Shape::stages - 2>();
    blockBarrier();
    copy(t + Shape::stages - 1);
    if (isMain(t + 1)) right.fetch(p, column, (t + 1) * Shape::tileK);
    multiplyTile<Shape>(sums, leftRing + stageOf(t) * Shape::leftElements,
                        rightRing + stageOf(t) * Shape::rightElements);
    // The place of tile t + 1 was last read before the barrier.
    if (isMain(t + 1)) right.store(rightRing + stageOf(t + 1) * Shape::rightElements);
  }
  waitForCopies<0>();
  blockBarrier();
  storeTile<Shape>(p, sums, row, column, 0, blockIdx.z);
}

#define MATMUL_QUANTIZED(name, orientation, Codes)                                                                    \
  extern "C" __global__ void __launch_bounds__(128)                                                                   \
      name(const bfloat16 *left, const uint8_t *right, const bfloat16 *scales, PRODUCT_PARAMETERS) {                  \
    using Shape = TileShape<Orientation::orientation, 128, 128, 2, 2, 3>;                                             \
    multiplyQuantizedBlock<Shape, Codes>(Product{left, right, scales, PRODUCT_ARGUMENTS});                            \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

MATMUL_QUANTIZED(matmulNtInt8, Nt, CodesInt8)
MATMUL_QUANTIZED(matmulNnInt8, Nn, CodesInt8)
MATMUL_QUANTIZED(matmulNtInt4, Nt, CodesInt4)
MATMUL_QUANTIZED(matmulNnInt4, Nn, CodesInt4)
