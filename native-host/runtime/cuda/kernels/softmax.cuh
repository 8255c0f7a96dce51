// The softmax of the forward attention kernels, which see a row's scores a tile at a time. A thread has two rows of each
// 16 that its warp has, and of them the columns that mma.sync gives it.
#pragma once
#include "attention.cuh"

template <int Dim, int RowSteps> struct RunningSoftmax {
  float highest[RowSteps][2], sum[RowSteps][2];
  float mixed[RowSteps][Dim / 8][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < RowSteps; i++) {
#pragma unroll
      for (int half = 0; half < 2; half++) highest[i][half] = -INFINITY, sum[i][half] = 0.f;
#pragma unroll
      for (int d = 0; d < Dim / 8; d++) {
#pragma unroll
        for (int c = 0; c < 4; c++) mixed[i][d][c] = 0.f;
      }
    }
  }

  /**
   * Turns scores (in units of 1 / factor) into weights against the new maximum. What was mixed before is to be rescaled by
   * `shrink`.
   */
  template <int Eights>
  __device__ __forceinline__ void weigh(float (&scores)[Eights][4], int i, float factor, float (&shrink)[2]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float next = highest[i][half];
#pragma unroll
      for (int j = 0; j < Eights; j++) next = fmaxf(next, fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
      next = fmaxf(next, shuffleXor(next, 1));
      next = fmaxf(next, shuffleXor(next, 2));
      // A row that has seen nothing yet has no maximum; any finite one gives its masked scores the weight 0.
      const float base = next == -INFINITY ? 0.f : next * factor;
      shrink[half] = exp2Fast(highest[i][half] * factor - base);
      highest[i][half] = next;
      float added = 0.f;
#pragma unroll
      for (int j = 0; j < Eights; j++) {
#pragma unroll
        for (int c = half * 2; c < half * 2 + 2; c++) {
          scores[j][c] = exp2Fast(scores[j][c] * factor - base);
          added += scores[j][c];
        }
      }
      sum[i][half] = sum[i][half] * shrink[half] + added;
    }
  }

  __device__ __forceinline__ void rescale(int i, const float (&shrink)[2]) {
#pragma unroll
    for (int d = 0; d < Dim / 8; d++) {
#pragma unroll
      for (int c = 0; c < 4; c++) mixed[i][d][c] *= shrink[c / 2];
    }
  }
};

/**
 * Gives scores that no query sees no weight. The thread's first query stands at `query` of its row, its second eight
 * later; the tile's keys at keyStart ….
 */
template <int Eights>
__device__ __forceinline__ void hideUnseen(float (&scores)[Eights][4], const AttentionShape &shape, const int *ids,
                                           int query, int keyStart, int past, int keys) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int at = query + half * 8;
    const int id = ids && at < shape.length ? ids[at] : 0;
#pragma unroll
    for (int j = 0; j < Eights; j++) {
#pragma unroll
      for (int c = 0; c < 2; c++) {
        const int other = keyStart + j * 8 + int(threadIdx.x) % 4 * 2 + c;
        const bool inReach = other <= at + past && other + shape.window > at + past && other < keys;
        const bool seen = inReach && (!ids || ids[other] == id);
        if (!seen) scores[j][half * 2 + c] = -INFINITY;
      }
    }
  }
}

/** Stores the rows of step i, which start at firstRow, and their log Σ exp where it is wanted. */
template <int Dim, int RowSteps>
__device__ __forceinline__ void finishRows(const RunningSoftmax<Dim, RowSteps> &softmax, int i,
                                           const AttentionShape &shape, bfloat16 *out, float *logSumExp, int row,
                                           int head, int firstRow) {
  const int lane = threadIdx.x % 32;
  float factors[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float total = softmax.sum[i][half];
    total += shuffleXor(total, 1);
    total += shuffleXor(total, 2);
    factors[half] = 1.f / total;
    const int at = firstRow + lane / 4 + half * 8;
    if (logSumExp && lane % 4 == 0 && at < shape.length) {
      logSumExp[(size_t(row) * shape.heads + head) * shape.length + at] =
          softmax.highest[i][half] * shape.scale + logf(total);
    }
  }
  bfloat16 *to = out + size_t(row) * shape.length * shape.outStride + size_t(head) * shape.headDim;
  storeRows<Dim>(to, shape.outStride, firstRow, shape.length, shape.headDim, softmax.mixed[i], factors);
}
