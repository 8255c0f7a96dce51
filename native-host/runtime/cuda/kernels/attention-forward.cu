// Causal grouped-query attention without the matrix of all scores: a block keeps a tile of queries and goes through the
// keys, with the softmax's maximum and sum carried along. Source: Dao, "FlashAttention-2", 2023.
#include "attention.cuh"
#include "softmax.cuh"

/** A block has four warps of RowSteps · 16 queries each, and goes through the keys in steps of Keys. */
template <int Dim, int RowSteps, int Keys> struct ForwardTile {
  static constexpr int dim = Dim, rowSteps = RowSteps, keys = Keys;
  static constexpr int queries = RowSteps * 64;
};

/** Block (queries from the last tile to the first, head, row of the batch). */
template <class Tile>
__device__ __forceinline__ void attendBlock(const AttentionShape &shape, bfloat16 *out, float *logSumExp) {
  constexpr int Dim = Tile::dim, RowSteps = Tile::rowSteps, tileKeys = Tile::keys;
  bfloat16 *queryTile = reinterpret_cast<bfloat16 *>(sharedMemory());
  bfloat16 *keyTile = queryTile + Tile::queries * Dim, *valueTile = keyTile + tileKeys * Dim;
  // The tiles with the most keys start first, so that the last blocks to run are short.
  const int queryStart = (gridDim.x - 1 - blockIdx.x) * Tile::queries;
  const int head = blockIdx.y, row = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int keyHead = head / (shape.heads / shape.keyValueHeads);
  const int past = shape.past ? *shape.past : 0;
  const int keys = shape.length + past;
  const int queries = shape.length - queryStart < Tile::queries ? shape.length - queryStart : Tile::queries;
  const int *ids = idsOfRow(shape, row);
  const IdRange ofQueries = ids ? IdRange(ids + queryStart, queries) : IdRange();

  const size_t firstQuery = size_t(row) * shape.length, firstKey = size_t(row) * keys;
  const MatrixView query = headOf(shape.q, shape.queryStride, firstQuery, shape.length, head, shape.headDim);
  const MatrixView key = headOf(shape.k, shape.keyStride, firstKey, keys, keyHead, shape.headDim);
  const MatrixView value = headOf(shape.v, shape.valueStride, firstKey, keys, keyHead, shape.headDim);

  Sight sight = Sight::none;
  // The next tile of keys that some query sees; `keys` when there is none.
  const auto nextSeen = [&](int from) {
    for (; from < queryStart + queries + past; from += tileKeys) {
      const int here = keys - from < tileKeys ? keys - from : tileKeys;
      const IdRange ofKeys = ids ? IdRange(ids + from, here) : IdRange();
      sight = sightOf(ids, queryStart, queries, ofQueries, from, tileKeys, ofKeys, past, shape.window);
      if (sight != Sight::none) return from;
    }
    return keys;
  };

  copyTile<Tile::queries, Dim, attentionThreads>(queryTile, query, queryStart, 0);
  int start = nextSeen(firstTileFor(queryStart + past, shape.window, tileKeys));
  copyTile<tileKeys, Dim, attentionThreads>(keyTile, key, start, 0);
  commitCopies();

  RunningSoftmax<Dim, RowSteps> softmax;
  softmax.clear();

  while (start < keys) {
    const Sight here = sight;
    waitForCopies<0>();
    blockBarrier();
    copyTile<tileKeys, Dim, attentionThreads>(valueTile, value, start, 0);
    commitCopies();
    float scores[RowSteps][tileKeys / 8][4];
#pragma unroll
    for (int i = 0; i < RowSteps; i++) {
      scoresOf<Dim>(scores[i], queryTile, (i * 4 + warp) * 16, keyTile);
      if (shape.cap > 0.f) capScores(scores[i], shape.cap);
      if (here == Sight::some) {
        hideUnseen(scores[i], shape, ids, queryStart + (i * 4 + warp) * 16 + lane / 4, start, past, keys);
      }
      float shrink[2];
      softmax.weigh(scores[i], i, shape.scale * log2OfE, shrink);
      softmax.rescale(i, shrink);
    }
    const int next = nextSeen(start + tileKeys);
    waitForCopies<0>();
    // The values are there, and every warp is done with the keys.
    blockBarrier();
    if (next < keys) copyTile<tileKeys, Dim, attentionThreads>(keyTile, key, next, 0);
    commitCopies();
#pragma unroll
    for (int i = 0; i < RowSteps; i++) addProduct<Dim>(softmax.mixed[i], scores[i], valueTile);
    start = next;
  }

#pragma unroll
  for (int i = 0; i < RowSteps; i++) {
    finishRows<Dim>(softmax, i, shape, out, logSumExp, row, head, queryStart + (i * 4 + warp) * 16);
  }
}

/** out as q; logSumExp [rows, heads, length] float32, of the scaled scores, may be absent. */
#define ATTENTION_FORWARD(name, ...)                                                                                  \
  extern "C" __global__ void __launch_bounds__(attentionThreads)                                                      \
      name(ATTENTION_PARAMETERS, bfloat16 *out, float *logSumExp) {                                                   \
    attendBlock<ForwardTile<__VA_ARGS__>>(AttentionShape{ATTENTION_ARGUMENTS}, out, logSumExp);                       \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

ATTENTION_FORWARD(attentionForward64, 64, 2, 64)
ATTENTION_FORWARD(attentionForward128, 128, 2, 32)
ATTENTION_FORWARD(attentionForward256, 256, 1, 32)
