// The products Nt, Nn and Tn for cards of capability 9.0, whose tensor cores read both operands from shared memory and
// work in the background: two groups of four warps make 64 rows each of a tile of 128. Tiles are copied as in matmul.cuh.
// On other cards these kernels do nothing, and nobody launches them.
#include "hopper.cuh"
#include "matmul.cuh"

template <Orientation O, int TileN, int Stages> struct HopperTile {
  static constexpr Orientation orientation = O;
  static constexpr int tileM = 128, tileN = TileN, tileK = 64, stages = Stages, threads = 256;
  // How the sums lie among the warps, for storeTile.
  static constexpr int warpsM = 8, warpsN = 1, warpM = 16, warpN = TileN, rowSteps = 1, columnSteps = TileN / 8;
  static constexpr bool leftRowsFirst = O != Orientation::Tn, rightColumnsFirst = O == Orientation::Nt;
  static constexpr int leftElements = tileM * tileK, rightElements = TileN * tileK;
};

#ifdef LIFT_HOPPER

/** Copies a tile [Outer, 64], or where the rows are k, [64, Outer]. */
template <int Outer, bool RowsFirst>
__device__ __forceinline__ void copyOperand(bfloat16 *to, const MatrixView &from, int outer, int k) {
  if (RowsFirst) copyPanels<Outer, 64, 256>(to, from, outer, k);
  else copyPanels<64, Outer, 256>(to, from, k, outer);
}

template <class Shape> __device__ __forceinline__ void multiplyHopperBlock(const Product &p) {
  bfloat16 *leftRing = reinterpret_cast<bfloat16 *>(sharedMemory());
  bfloat16 *rightRing = leftRing + Shape::stages * Shape::leftElements;
  int row, column;
  placeOfBlock<Shape>(p, row, column);
  const TileRange range(p, Shape::tileK, blockIdx.z);
  const int group = threadIdx.x / 128;

  const auto copy = [&](int t) {
    if (t < range.end) {
      const int stage = (t - range.start) % Shape::stages;
      const bool main = t < range.mainTiles;
      const int k = (main ? t : t - range.mainTiles) * Shape::tileK, depth = main ? p.k : p.panelK;
      const bfloat16 *left = main ? p.left : p.panelLeft;
      const bfloat16 *right = main ? static_cast<const bfloat16 *>(p.right) : p.panelRight;
      const int leftStride = main ? p.leftStride : p.panelLeftStride;
      const int rightStride = main ? p.rightStride : p.panelRightStride;
      copyOperand<Shape::tileM, Shape::leftRowsFirst>(
          leftRing + stage * Shape::leftElements,
          Shape::leftRowsFirst ? MatrixView(left, leftStride, p.m, depth) : MatrixView(left, leftStride, depth, p.m),
          row, k);
      copyOperand<Shape::tileN, Shape::rightColumnsFirst>(
          rightRing + stage * Shape::rightElements,
          Shape::rightColumnsFirst ? MatrixView(right, rightStride, p.n, depth)
                                   : MatrixView(right, rightStride, depth, p.n),
          column, k);
    }
    commitCopies();
  };
  // The products of one tile are still under way while the next one's begin, so a place is free two tiles later.
  constexpr int ahead = Shape::stages - 2;
  for (int s = 0; s < ahead; s++) copy(range.start + s);

  float sums[1][Shape::columnSteps][4];
#pragma unroll
  for (int j = 0; j < Shape::columnSteps; j++) sums[0][j][0] = sums[0][j][1] = sums[0][j][2] = sums[0][j][3] = 0.f;
  for (int t = range.start; t < range.end; t++) {
    const int stage = (t - range.start) % Shape::stages;
    waitForCopies<ahead - 1>();
    fenceForProducts();
    blockBarrier();
    const bfloat16 *left = leftRing + stage * Shape::leftElements + group * 64 * 64;
    const bfloat16 *right = rightRing + stage * Shape::rightElements;
    beginProducts();
#pragma unroll
    for (int k = 0; k < Shape::tileK; k += 16) {
      multiplyAddTogether<Shape::leftRowsFirst, Shape::rightColumnsFirst>(
          sums[0], describe(left + (Shape::leftRowsFirst ? k : k * 64)),
          describe(right + (Shape::rightColumnsFirst ? k : k * 64)));
    }
    commitProducts();
    waitForProducts<1>();
    // Both groups are past the barrier, so both have waited for tile t − 2, whose place this copy takes.
    copy(t + ahead);
  }
  waitForProducts<0>();
  takeSums(sums[0]);
  waitForCopies<0>();
  blockBarrier();
  storeTile<Shape>(p, sums, row, column, 0, blockIdx.z);
}

#define HOPPER_BODY(...) multiplyHopperBlock<HopperTile<__VA_ARGS__>>(Product{left, right, nullptr, PRODUCT_ARGUMENTS});
#else
#define HOPPER_BODY(...)
#endif

#define MATMUL_HOPPER(name, blocks, ...)                                                                              \
  extern "C" __global__ void __launch_bounds__(256, blocks)                                                           \
      name(const bfloat16 *left, const bfloat16 *right, PRODUCT_PARAMETERS) {                                         \
    HOPPER_BODY(__VA_ARGS__)                                                                                          \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

MATMUL_HOPPER(matmulNtHopper128, 2, Orientation::Nt, 128, 3)
MATMUL_HOPPER(matmulNnHopper128, 2, Orientation::Nn, 128, 3)
MATMUL_HOPPER(matmulTnHopper128, 2, Orientation::Tn, 128, 3)
MATMUL_HOPPER(matmulNtHopper256, 1, Orientation::Nt, 256, 4)
MATMUL_HOPPER(matmulNnHopper256, 1, Orientation::Nn, 256, 4)
MATMUL_HOPPER(matmulTnHopper256, 1, Orientation::Tn, 256, 4)
