// A tile of a matrix product: bfloat16 operands, float32 sums on the tensor cores, and everything that may be done to the
// result before it is stored.
//
//   out[m, n] = factor · (left · right + panelLeft · panelRight) + bias[n] + added[m, n] (+ out[m, n])
//
// The panel is a second product of the same form and orientation, with panelK for k: that is how LoRA's up projection
// costs no pass of its own. A shared memory ring of `Stages` holds the tiles that are being copied and used.
#pragma once
#include "tiles.cuh"

/** Nt: left [m, k], right [n, k]. Nn: left [m, k], right [k, n]. Tn: left [k, m], right [k, n]. */
enum class Orientation { Nt, Nn, Tn };

struct Product {
  const bfloat16 *left;
  const void *right;
  const bfloat16 *scales;
  void *out;
  int m, n, k, leftStride, rightStride, outStride, outType;
  const bfloat16 *panelLeft, *panelRight;
  int panelK, panelLeftStride, panelRightStride;
  const void *bias;
  int biasType;
  const void *added;
  int addedType, addedStride;
  float factor;
  int accumulate;
  int batchLeft, batchRight, batchOut;
  int splits;
  float *partial;
};

#define PRODUCT_PARAMETERS                                                                                            \
  void *out, int m, int n, int k, int leftStride, int rightStride, int outStride, int outType,                        \
      const bfloat16 *panelLeft, const bfloat16 *panelRight, int panelK, int panelLeftStride, int panelRightStride,   \
      const void *bias, int biasType, const void *added, int addedType, int addedStride, float factor,                \
      int accumulate, int batchLeft, int batchRight, int batchOut, int splits, float *partial

#define PRODUCT_ARGUMENTS                                                                                             \
  out, m, n, k, leftStride, rightStride, outStride, outType, panelLeft, panelRight, panelK, panelLeftStride,          \
      panelRightStride, bias, biasType, added, addedType, addedStride, factor, accumulate, batchLeft, batchRight,     \
      batchOut, splits, partial

/** Sizes: a block makes [TileM, TileN] with WarpsM × WarpsN warps, going through k in steps of tileK. */
template <Orientation O, int TileM, int TileN, int WarpsM, int WarpsN, int Stages> struct TileShape {
  static constexpr Orientation orientation = O;
  static constexpr int tileM = TileM, tileN = TileN, tileK = 32, warpsM = WarpsM, warpsN = WarpsN, stages = Stages;
  static constexpr int threads = WarpsM * WarpsN * 32;
  static constexpr int warpM = TileM / WarpsM, warpN = TileN / WarpsN;
  static constexpr int rowSteps = warpM / 16, columnSteps = warpN / 8;
  static constexpr bool leftRowsFirst = O != Orientation::Tn, rightColumnsFirst = O == Orientation::Nt;
  static constexpr int leftElements = TileM * tileK, rightElements = TileN * tileK;
  static_assert(warpM % 16 == 0 && warpN % 16 == 0);
};

/** The part of k that a block sums over, in tiles; the panel's tiles follow those of the product itself. */
struct TileRange {
  int mainTiles, start, end;

  __device__ __forceinline__ TileRange(const Product &p, int tileK, int split) {
    mainTiles = (p.k + tileK - 1) / tileK;
    const int total = mainTiles + (p.panelK + tileK - 1) / tileK;
    const int each = (total + p.splits - 1) / p.splits;
    start = split * each < total ? split * each : total;
    end = start + each < total ? start + each : total;
  }
};

/** Which tile a block makes. Neighbouring blocks share rows of left and columns of right, so that these stay in cache. */
template <class Shape> __device__ __forceinline__ void placeOfBlock(const Product &p, int &row, int &column) {
  constexpr int groupRows = 8;
  const int tilesM = (p.m + Shape::tileM - 1) / Shape::tileM, tilesN = (p.n + Shape::tileN - 1) / Shape::tileN;
  const int group = blockIdx.x / (groupRows * tilesN), firstRow = group * groupRows;
  const int rowsHere = tilesM - firstRow < groupRows ? tilesM - firstRow : groupRows;
  const int within = blockIdx.x - group * groupRows * tilesN;
  row = (firstRow + within % rowsHere) * Shape::tileM;
  column = within / rowsHere * Shape::tileN;
}

template <class Shape, class Sums>
__device__ __forceinline__ void multiplyTile(Sums &sums, const bfloat16 *left, const bfloat16 *right) {
  const int warp = threadIdx.x / 32;
  const int row = warp / Shape::warpsN * Shape::warpM, column = warp % Shape::warpsN * Shape::warpN;
  constexpr int leftColumns = Shape::leftRowsFirst ? Shape::tileK : Shape::tileM;
  constexpr int rightColumns = Shape::rightColumnsFirst ? Shape::tileK : Shape::tileN;
#pragma unroll
  for (int k = 0; k < Shape::tileK; k += 16) {
    uint32_t a[Shape::rowSteps][4], b[Shape::columnSteps / 2][4];
#pragma unroll
    for (int i = 0; i < Shape::rowSteps; i++) {
      loadLeft<leftColumns, Shape::leftRowsFirst>(a[i], left, row + i * 16, k);
    }
#pragma unroll
    for (int j = 0; j < Shape::columnSteps / 2; j++) {
      loadRight<rightColumns, Shape::rightColumnsFirst>(b[j], right, k, column + j * 16);
    }
#pragma unroll
    for (int i = 0; i < Shape::rowSteps; i++) {
#pragma unroll
      for (int j = 0; j < Shape::columnSteps; j++) {
        multiplyAdd(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
}

/** Eight neighbours of the result at (row, column), of which `count` exist. */
__device__ __forceinline__ void finishEight(const Product &p, float (&x)[8], int row, int column, int count,
                                            void *out, size_t batchStart) {
  float other[8];
#pragma unroll
  for (int j = 0; j < 8; j++) x[j] *= p.factor;
  if (p.bias) {
    loadUpToEight(p.bias, p.biasType, column, count, aligned16(p.bias), other);
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] += other[j];
  }
  if (p.added) {
    const bool wide = p.addedStride % 8 == 0 && aligned16(p.added);
    loadUpToEight(p.added, p.addedType, size_t(row) * p.addedStride + column, count, wide, other);
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] += other[j];
  }
  const size_t at = batchStart + size_t(row) * p.outStride + column;
  const bool wide = p.outStride % 8 == 0 && p.batchOut % 8 == 0 && aligned16(out);
  if (p.accumulate) {
    loadUpToEight(out, p.outType, at, count, wide, other);
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] += other[j];
  }
  storeUpToEight(out, p.outType, at, count, wide, x);
}

/** Writes a block's sums: through shared memory, 16 rows of each warp at a time, so that a thread has eight neighbours. */
template <class Shape, class Sums>
__device__ __forceinline__ void storeTile(const Product &p, Sums &sums, int tileRow, int tileColumn, int batch,
                                          int split) {
  constexpr int stride = Shape::warpN + 4;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = tileRow + warp / Shape::warpsN * Shape::warpM;
  const int column = tileColumn + warp % Shape::warpsN * Shape::warpN;
  float *rows = reinterpret_cast<float *>(sharedMemory()) + warp * 16 * stride;
  const int batches = gridDim.y;
#pragma unroll
  for (int i = 0; i < Shape::rowSteps; i++) {
#pragma unroll
    for (int j = 0; j < Shape::columnSteps; j++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float *to = rows + (lane / 4 + half * 8) * stride + j * 8 + lane % 4 * 2;
        to[0] = sums[i][j][half * 2];
        to[1] = sums[i][j][half * 2 + 1];
      }
    }
    warpBarrier();
    constexpr int eights = Shape::warpN / 8;
    for (int e = lane; e < 16 * eights; e += 32) {
      const int r = row + i * 16 + e / eights, c = column + e % eights * 8;
      const int count = p.n - c < 8 ? p.n - c : 8;
      if (r >= p.m || count <= 0) continue;
      float x[8];
      loadEight(rows + e / eights * stride, typeFloat32, e % eights * 8, x);
      if (p.splits > 1) {
        const size_t at = ((size_t(split) * batches + batch) * p.m + r) * p.n + c;
        storeUpToEight(p.partial, typeFloat32, at, count, p.n % 8 == 0 && aligned16(p.partial), x);
      } else {
        finishEight(p, x, r, c, count, p.out, size_t(batch) * p.batchOut);
      }
    }
    warpBarrier();
  }
}

/** Begins to copy tile t of the left operand, or of its panel. */
template <class Shape>
__device__ __forceinline__ void copyLeft(bfloat16 *to, const Product &p, const bfloat16 *left, int row,
                                         const TileRange &range, int t) {
  const bool main = t < range.mainTiles;
  const int k = (main ? t : t - range.mainTiles) * Shape::tileK, depth = main ? p.k : p.panelK;
  const bfloat16 *at = main ? left : p.panelLeft;
  const int stride = main ? p.leftStride : p.panelLeftStride;
  if (Shape::leftRowsFirst) {
    copyTile<Shape::tileM, Shape::tileK, Shape::threads>(to, MatrixView(at, stride, p.m, depth), row, k);
  } else {
    copyTile<Shape::tileK, Shape::tileM, Shape::threads>(to, MatrixView(at, stride, depth, p.m), k, row);
  }
}

template <class Shape>
__device__ __forceinline__ void copyRight(bfloat16 *to, const Product &p, const bfloat16 *right, int column,
                                          const TileRange &range, int t) {
  const bool main = t < range.mainTiles;
  const int k = (main ? t : t - range.mainTiles) * Shape::tileK, depth = main ? p.k : p.panelK;
  const bfloat16 *at = main ? right : p.panelRight;
  const int stride = main ? p.rightStride : p.panelRightStride;
  if (Shape::rightColumnsFirst) {
    copyTile<Shape::tileN, Shape::tileK, Shape::threads>(to, MatrixView(at, stride, p.n, depth), column, k);
  } else {
    copyTile<Shape::tileK, Shape::tileN, Shape::threads>(to, MatrixView(at, stride, depth, p.n), k, column);
  }
}

/** One block: block x makes tile x, block y is the batch entry, block z the part of k. */
template <class Shape> __device__ __forceinline__ void multiplyBlock(const Product &p) {
  bfloat16 *leftRing = reinterpret_cast<bfloat16 *>(sharedMemory());
  bfloat16 *rightRing = leftRing + Shape::stages * Shape::leftElements;
  int row, column;
  placeOfBlock<Shape>(p, row, column);
  const int batch = blockIdx.y, split = blockIdx.z;
  const bfloat16 *left = p.left + size_t(batch) * p.batchLeft;
  const bfloat16 *right = static_cast<const bfloat16 *>(p.right) + size_t(batch) * p.batchRight;
  const TileRange range(p, Shape::tileK, split);

  const auto copy = [&](int t) {
    if (t < range.end) {
      const int stage = (t - range.start) % Shape::stages;
      copyLeft<Shape>(leftRing + stage * Shape::leftElements, p, left, row, range, t);
      copyRight<Shape>(rightRing + stage * Shape::rightElements, p, right, column, range, t);
    }
    // An empty group keeps the count of groups in step with that of tiles.
    commitCopies();
  };
  for (int s = 0; s < Shape::stages - 1; s++) copy(range.start + s);

  float sums[Shape::rowSteps][Shape::columnSteps][4] = {};
  for (int t = range.start; t < range.end; t++) {
    waitForCopies<Shape::stages - 2>();
    // Also: every warp is done with the tile before this one, whose place the next copy takes.
    blockBarrier();
    copy(t + Shape::stages - 1);
    const int stage = (t - range.start) % Shape::stages;
    multiplyTile<Shape>(sums, leftRing + stage * Shape::leftElements, rightRing + stage * Shape::rightElements);
  }
  waitForCopies<0>();
  blockBarrier();
  storeTile<Shape>(p, sums, row, column, batch, split);
}
