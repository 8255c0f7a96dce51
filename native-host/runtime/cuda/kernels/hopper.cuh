// Tiles for the products of cards of capability 9.0, which read their operands from shared memory in rows of 128 bytes: a
// tile lies there as panels of 64 columns, one after another, each swizzled as in tiles.cuh.
#pragma once
#include "tiles.cuh"

#ifdef LIFT_HOPPER

/** Begins to copy the tile [Rows, Columns] at (row, column) as panels of 64 columns. */
template <int Rows, int Columns, int Threads>
__device__ __forceinline__ void copyPanels(bfloat16 *to, const MatrixView &from, int row, int column) {
#pragma unroll
  for (int panel = 0; panel < Columns / 64; panel++) {
    copyTile<Rows, 64, Threads>(to + panel * Rows * 64, from, row, column + panel * 64);
  }
}

/**
 * A descriptor of the operand that begins at `tile`: groups of eight rows are 1024 bytes apart. Where rows are k, the next
 * 64 columns lie a panel of 64 rows further on; where rows are the outer positions, one panel is all of a step's k.
 */
__device__ __forceinline__ uint64_t describe(const bfloat16 *tile) {
  constexpr uint64_t panelBytes = 64 * 128, groupBytes = 8 * 128, swizzle128 = 1;
  return (uint64_t(sharedAddress(tile) & 0x3ffff) >> 4) | (panelBytes >> 4) << 16 | (groupBytes >> 4) << 32 |
         swizzle128 << 62;
}

#endif
