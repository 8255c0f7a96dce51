// What the attention kernels share: which positions see each other, scores of a tile, and results to memory.
//
// Queries are [rows · length, heads · headDim], keys and values [rows · keys, keyValueHeads · headDim], bfloat16, each
// with a stride of its own. Query head h reads key/value head ⌊h · keyValueHeads / heads⌋. A position sees itself and the
// earlier positions of its row that bear the same sequence id. Without ids it sees all earlier ones; then `past` may say
// that the first query stands behind so many keys, those of a cache. A position sees at most `window` positions, itself
// included. Heads smaller than the kernel's are filled up with zeros. `cap` is that of the scores before they are scaled.
#pragma once
#include "reduce.cuh"
#include "soft-cap.cuh"
#include "tiles.cuh"

struct AttentionShape {
  const bfloat16 *q, *k, *v;
  const int *sequenceIds, *past;
  int queryStride, keyStride, valueStride, outStride, rows, length, heads, keyValueHeads, headDim;
  float scale;
  int window;
  float cap;
};

#define ATTENTION_PARAMETERS                                                                                          \
  const bfloat16 *q, const bfloat16 *k, const bfloat16 *v, const int *sequenceIds, const int *past, int queryStride,  \
      int keyStride, int valueStride, int outStride, int rows, int length, int heads, int keyValueHeads, int headDim, \
      float scale, int window, float cap

#define ATTENTION_ARGUMENTS                                                                                           \
  q, k, v, sequenceIds, past, queryStride, keyStride, valueStride, outStride, rows, length, heads, keyValueHeads,     \
      headDim, scale, window, cap

/** What the gradients take beside the forward pass's inputs; the scalars are [rows, heads, length]. */
struct AttentionCotangent {
  const bfloat16 *cotangent;
  const float *logSumExp, *delta;
  int cotangentStride;
};

#define COTANGENT_PARAMETERS                                                                                          \
  const bfloat16 *cotangent, const float *logSumExp, const float *delta, int cotangentStride
#define COTANGENT_ARGUMENTS cotangent, logSumExp, delta, cotangentStride

constexpr int attentionThreads = 128;
/** Positions that a block of the gradient kernels keeps. */
constexpr int tilePositions = 64;

/** What a tile of queries sees of a tile of keys. */
enum class Sight { none, some, all };

struct IdRange {
  int smallest, largest;

  /** Of `count` ids, at most 128; every thread of a warp takes part. */
  __device__ __forceinline__ IdRange(const int *ids, int count) {
    smallest = INT32_MAX;
    largest = INT32_MIN;
    for (int i = threadIdx.x % 32; i < count; i += 32) {
      smallest = ids[i] < smallest ? ids[i] : smallest;
      largest = ids[i] > largest ? ids[i] : largest;
    }
    smallest = warpSmallest(smallest);
    largest = warpLargest(largest);
  }
  __device__ __forceinline__ IdRange() : smallest(0), largest(0) {}
};

/** The row's part of the sequence ids, or none. */
__device__ __forceinline__ const int *idsOfRow(const AttentionShape &shape, int row) {
  return shape.sequenceIds ? shape.sequenceIds + size_t(row) * shape.length : nullptr;
}

/**
 * Queries stand at queryStart + past …, keys at keyStart … in a tile of tileKeys. A tile with places beyond the last key is
 * never seen as a whole, since these places lie behind every query.
 */
__device__ __forceinline__ Sight sightOf(const int *ids, int queryStart, int queries, const IdRange &ofQueries,
                                         int keyStart, int tileKeys, const IdRange &ofKeys, int past, int window) {
  const int firstQuery = queryStart + past, lastQuery = firstQuery + queries - 1, lastKey = keyStart + tileKeys - 1;
  if (keyStart > lastQuery || lastKey + window <= firstQuery) return Sight::none;
  const bool inReach = lastKey <= firstQuery && keyStart + window > lastQuery;
  if (!ids) return inReach ? Sight::all : Sight::some;
  if (ofQueries.smallest > ofKeys.largest || ofKeys.smallest > ofQueries.largest) return Sight::none;
  const bool oneId = ofQueries.smallest == ofQueries.largest && ofKeys.smallest == ofKeys.largest;
  return oneId && inReach ? Sight::all : Sight::some;
}

/** Where the first tile of keys starts of which the query at `position` of the keys may see something. */
__device__ __forceinline__ int firstTileFor(int position, int window, int tileKeys) {
  const int first = position - window + 1;
  return first > 0 ? first / tileKeys * tileKeys : 0;
}

template <int Eights> __device__ __forceinline__ void capScores(float (&scores)[Eights][4], float cap) {
#pragma unroll
  for (int j = 0; j < Eights; j++) {
#pragma unroll
    for (int c = 0; c < 4; c++) scores[j][c] = capped(scores[j][c], cap);
  }
}

/**
 * How a score changes with the one that was not capped yet, told by its weight = 2^(score · factor − base). Where the weight
 * is 0, so is every gradient.
 */
__device__ __forceinline__ float slopeOfScore(float weight, float base, float factor, float cap) {
  return weight > 0.f ? slopeOfCapped((log2f(weight) + base) / factor, cap) : 0.f;
}

/** The columns of one head as a matrix of `count` positions from `start` on. */
__device__ __forceinline__ MatrixView headOf(const bfloat16 *at, int stride, size_t start, int count, int head,
                                             int headDim) {
  return MatrixView(at + start * stride + size_t(head) * headDim, stride, count, headDim);
}

/**
 * sums[16, Columns] = left · rightᵀ for this warp's 16 rows of left [64 or more, Dim] and right [Columns, Dim]. The sums
 * of eight columns lie as mma.sync leaves them: [column / 8][4].
 */
template <int Dim, int Eights>
__device__ __forceinline__ void scoresOf(float (&sums)[Eights][4], const bfloat16 *left, int row,
                                         const bfloat16 *right) {
#pragma unroll
  for (int j = 0; j < Eights; j++) sums[j][0] = sums[j][1] = sums[j][2] = sums[j][3] = 0.f;
#pragma unroll
  for (int d = 0; d < Dim; d += 16) {
    uint32_t a[4];
    loadLeft<Dim, true>(a, left, row, d);
#pragma unroll
    for (int j = 0; j < Eights / 2; j++) {
      uint32_t b[4];
      loadRight<Dim, true>(b, right, d, j * 16);
      multiplyAdd(sums[j * 2], a, b[0], b[1]);
      multiplyAdd(sums[j * 2 + 1], a, b[2], b[3]);
    }
  }
}

/** The sums of 16 columns as the left operand of the next product: the layouts agree. */
__device__ __forceinline__ void asLeft(uint32_t (&a)[4], const float (&first)[4], const float (&second)[4]) {
  a[0] = packBfloat16(first[0], first[1]);
  a[1] = packBfloat16(first[2], first[3]);
  a[2] = packBfloat16(second[0], second[1]);
  a[3] = packBfloat16(second[2], second[3]);
}

/** sums[16, 8 · Columns] += left [16, k] · right [k, Dim] from `column` on, left being sums of scoresOf. */
template <int Dim, int Eights, int Columns>
__device__ __forceinline__ void addProduct(float (&sums)[Columns][4], const float (&left)[Eights][4],
                                           const bfloat16 *right, int column = 0) {
#pragma unroll
  for (int k = 0; k < Eights / 2; k++) {
    uint32_t a[4];
    asLeft(a, left[k * 2], left[k * 2 + 1]);
#pragma unroll
    for (int d = 0; d < Columns / 2; d++) {
      uint32_t b[4];
      loadRight<Dim, false>(b, right, k * 16, column + d * 16);
      multiplyAdd(sums[d * 2], a, b[0], b[1]);
      multiplyAdd(sums[d * 2 + 1], a, b[2], b[3]);
    }
  }
}

/** Stores this warp's 16 rows of sums, times a factor for each half: rows lane / 4 and lane / 4 + 8 of `to`. */
template <int Dim>
__device__ __forceinline__ void storeRows(bfloat16 *to, int stride, int row, int rows, int headDim,
                                          const float (&sums)[Dim / 8][4], const float (&factors)[2]) {
  const int lane = threadIdx.x % 32;
  const bool wide = stride % 2 == 0 && headDim % 2 == 0 && reinterpret_cast<uintptr_t>(to) % 4 == 0;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int r = row + lane / 4 + half * 8;
    if (r >= rows) continue;
#pragma unroll
    for (int j = 0; j < Dim / 8; j++) {
      const int d = j * 8 + lane % 4 * 2;
      const float first = sums[j][half * 2] * factors[half], second = sums[j][half * 2 + 1] * factors[half];
      bfloat16 *at = to + size_t(r) * stride + d;
      if (wide && d < headDim) {
        *reinterpret_cast<uint32_t *>(at) = packBfloat16(first, second);
      } else {
        if (d < headDim) at[0] = toBfloat16(first);
        if (d + 1 < headDim) at[1] = toBfloat16(second);
      }
    }
  }
}
