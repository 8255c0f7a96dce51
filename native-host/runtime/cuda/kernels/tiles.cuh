// Tiles of bfloat16 matrices: from device memory to shared memory in the background, and from there to the registers of
// mma.sync. A tile lies in shared memory as rows of 16-byte chunks whose order is shuffled by row, so that the eight rows
// that ldmatrix reads at once lie in different banks.
#pragma once
#include "elements.cuh"

/** Where chunk `chunk` of row `row` lies, in elements, for rows of `Columns` (a power of two, at least 32). */
template <int Columns> __device__ __forceinline__ int swizzled(int row, int chunk) {
  // Rows of 64 bytes share the 128 bytes of all banks two by two, so every second row moves on.
  const int turn = Columns == 32 ? (row >> 1) & 3 : row & 7;
  return row * Columns + ((chunk ^ turn) << 3);
}

/** A matrix in device memory: element (row, column) at row · stride + column; beyond its bounds it reads as 0. */
struct MatrixView {
  const bfloat16 *at;
  int stride;
  int rows;
  int columns;
  /** Chunks may be copied as a whole: the first element and the stride are multiples of 16 bytes. */
  bool wide;

  __device__ __forceinline__ MatrixView(const bfloat16 *at, int stride, int rows, int columns)
      : at(at), stride(stride), rows(rows), columns(columns), wide(stride % 8 == 0 && aligned16(at)) {}
};

/**
 * Begins to copy the tile [Rows, Columns] at (row, column) to shared memory. Where chunks cannot be copied as a whole, the
 * copy is done when this returns; in both cases other threads see it after waitForCopies and a barrier.
 */
template <int Rows, int Columns, int Threads>
__device__ __forceinline__ void copyTile(bfloat16 *shared, const MatrixView &from, int row, int column) {
  constexpr int chunks = Columns / 8, all = Rows * chunks;
  static_assert(all % Threads == 0);
  const auto copyChunk = [&](int i, auto copy) {
    const int r = i / chunks, c = i % chunks;
    const int left = row + r < from.rows ? from.columns - (column + c * 8) : 0;
    const int count = left < 0 ? 0 : left < 8 ? left : 8;
    // A chunk without elements may have no valid address of its own.
    const bfloat16 *at = count > 0 ? from.at + (size_t(row + r) * from.stride + column + c * 8) : from.at;
    copy(shared + swizzled<Columns>(r, c), at, count);
  };
  if (from.wide) {
#pragma unroll
    for (int i = threadIdx.x; i < all; i += Threads) {
      copyChunk(i, [](bfloat16 *to, const bfloat16 *at, int count) { copyAsync(to, at, count * 2); });
    }
  } else {
#pragma unroll 1
    for (int i = threadIdx.x; i < all; i += Threads) {
      copyChunk(i, [](bfloat16 *to, const bfloat16 *at, int count) {
#pragma unroll 1
        for (int j = 0; j < 8; j++) to[j] = j < count ? at[j] : toBfloat16(0.f);
      });
    }
  }
}

/**
 * Registers of mma.sync's left operand [16, 16] at (row, k) of a tile. RowsFirst: the tile is [rows, k]; otherwise it is
 * [k, rows].
 */
template <int Columns, bool RowsFirst>
__device__ __forceinline__ void loadLeft(uint32_t (&registers)[4], const bfloat16 *tile, int row, int k) {
  const int lane = threadIdx.x % 32, within = lane % 8, matrix = lane / 8;
  if (RowsFirst) {
    loadMatrices(registers, tile + swizzled<Columns>(row + (matrix & 1) * 8 + within, k / 8 + matrix / 2));
  } else {
    loadMatricesTransposed(registers, tile + swizzled<Columns>(k + matrix / 2 * 8 + within, row / 8 + (matrix & 1)));
  }
}

/**
 * Registers of mma.sync's right operand [16, 16] at (k, column): 0 and 1 for the first eight columns, 2 and 3 for the
 * others. ColumnsFirst: the tile is [columns, k]; otherwise it is [k, columns].
 */
template <int Columns, bool ColumnsFirst>
__device__ __forceinline__ void loadRight(uint32_t (&registers)[4], const bfloat16 *tile, int k, int column) {
  const int lane = threadIdx.x % 32, within = lane % 8, matrix = lane / 8;
  if (ColumnsFirst) {
    loadMatrices(registers, tile + swizzled<Columns>(column + matrix / 2 * 8 + within, k / 8 + (matrix & 1)));
  } else {
    loadMatricesTransposed(registers, tile + swizzled<Columns>(k + (matrix & 1) * 8 + within, column / 8 + matrix / 2));
  }
}
