// Gradients of attention, with the scores computed again from the saved log Σ exp. Two kernels, so that every sum has one
// owner and an order: one keeps a tile of keys and goes through the queries of all heads that read them, the other keeps a
// tile of queries and goes through the keys. With P = softmax(s·QKᵀ): dV = Pᵀ·dO, dS = P·(dO·Vᵀ − delta), dQ = s·dS·K,
// dK = s·dSᵀ·Q, where delta is each row's sum of dO · O. Of capped scores dS is times the cap's slope.
#include "attention.cuh"

/** delta [rows, heads, length] = Σ out · cotangent over each head: one warp a head of a position. */
extern "C" __global__ void __launch_bounds__(256)
    attentionDelta(const bfloat16 *out, const bfloat16 *cotangent, float *delta, int outStride, int cotangentStride,
                   int rows, int length, int heads, int headDim) {
  const size_t i = size_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (i >= size_t(rows) * length * heads) return;
  const int head = i % heads;
  const size_t position = i / heads;
  float sum = 0.f;
  for (int d = threadIdx.x % 32; d < headDim; d += 32) {
    sum += toFloat(out[position * outStride + head * headDim + d]) *
           toFloat(cotangent[position * cotangentStride + head * headDim + d]);
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) delta[(position / length * heads + head) * length + position % length] = sum;
}
REGISTER_KERNEL(attentionDelta)

/** In shared memory: two tiles that stay; of those that stream past, the first twice and the second once; two scalars. */
template <int Dim, int Streamed> struct BackwardTiles {
  static constexpr int kept = tilePositions * Dim, streamed = Streamed * Dim;

  __device__ __forceinline__ bfloat16 *keptFirst() const { return reinterpret_cast<bfloat16 *>(sharedMemory()); }
  __device__ __forceinline__ bfloat16 *keptSecond() const { return keptFirst() + kept; }
  __device__ __forceinline__ bfloat16 *streamedFirst(int n) const { return keptFirst() + 2 * kept + (n & 1) * streamed; }
  __device__ __forceinline__ bfloat16 *streamedSecond() const { return keptFirst() + 2 * kept + 2 * streamed; }
  __device__ __forceinline__ float *logSumExp() const { return reinterpret_cast<float *>(streamedSecond() + streamed); }
  __device__ __forceinline__ float *delta() const { return logSumExp() + tilePositions; }
};

/** One step of a gradient kernel: which positions stream past, and for which head. */
struct Step {
  int start, head;
  Sight sight;
};

/**
 * OfKeys: block (tile of keys, key/value head, row) makes ofFirst = dK and ofSecond = dV. Otherwise block (tile of
 * queries, head, row) makes ofFirst = dQ. Rows of the score tile are the positions that stay; `Streamed` others go past at
 * a time. Where registers cannot hold all columns of the results, the second index of the block has `Parts` of them, too.
 */
template <int Dim, bool OfKeys, int Streamed, int Parts>
__device__ __forceinline__ void backwardBlock(const AttentionShape &shape, const AttentionCotangent &given,
                                              bfloat16 *ofFirst, int ofFirstStride, bfloat16 *ofSecond,
                                              int ofSecondStride) {
  constexpr int columns = Dim / Parts, eights = Streamed / 8;
  const BackwardTiles<Dim, Streamed> tiles;
  const int tilesOfRow = (shape.length + tilePositions - 1) / tilePositions;
  // As in the forward kernel, the longest blocks first: early keys are seen by most queries, late queries see most keys.
  const int tile = OfKeys ? blockIdx.x : tilesOfRow - 1 - blockIdx.x;
  const int start = tile * tilePositions, row = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int group = shape.heads / shape.keyValueHeads;
  const int owner = blockIdx.y / Parts, firstColumn = blockIdx.y % Parts * columns;
  const int keyHead = OfKeys ? owner : owner / group;
  const int firstHead = OfKeys ? keyHead * group : owner, headCount = OfKeys ? group : 1;
  const int *ids = idsOfRow(shape, row);
  const auto countFrom = [&](int from, int most) { return shape.length - from < most ? shape.length - from : most; };
  const auto rangeOf = [&](int from, int count) { return ids ? IdRange(ids + from, count) : IdRange(); };
  const int keptCount = countFrom(start, tilePositions);
  const IdRange ofKept = rangeOf(start, keptCount);

  const size_t first = size_t(row) * shape.length;
  const auto keyOf = [&]() {
    return headOf(shape.k, shape.keyStride, first, shape.length, keyHead, shape.headDim);
  };
  const auto valueOf = [&]() {
    return headOf(shape.v, shape.valueStride, first, shape.length, keyHead, shape.headDim);
  };
  const auto queryOf = [&](int head) {
    return headOf(shape.q, shape.queryStride, first, shape.length, head, shape.headDim);
  };
  const auto cotangentOf = [&](int head) {
    return headOf(given.cotangent, given.cotangentStride, first, shape.length, head, shape.headDim);
  };
  const auto keep = [&](bfloat16 *to, const MatrixView &from) {
    copyTile<tilePositions, Dim, attentionThreads>(to, from, start, 0);
  };
  const auto stream = [](bfloat16 *to, const MatrixView &from, int at) {
    copyTile<Streamed, Dim, attentionThreads>(to, from, at, 0);
  };

  // The next tile that has something to do with the one that stays; its head is firstHead + headCount after the last.
  const auto nextStep = [&](Step step) {
    for (; step.head < firstHead + headCount; step.head++) {
      const int end = start + tilePositions + (OfKeys ? shape.window - 1 : 0);
      for (; step.start < shape.length && step.start < end; step.start += Streamed) {
        const int count = countFrom(step.start, Streamed);
        const IdRange ofStreamed = rangeOf(step.start, count);
        step.sight = OfKeys ? sightOf(ids, step.start, count, ofStreamed, start, tilePositions, ofKept, 0, shape.window)
                            : sightOf(ids, start, keptCount, ofKept, step.start, Streamed, ofStreamed, 0, shape.window);
        if (step.sight != Sight::none) return step;
      }
      step.start = OfKeys ? start : 0;
    }
    return step;
  };
  const auto firstOf = [&](const Step &step) { return OfKeys ? queryOf(step.head) : keyOf(); };
  const auto secondOf = [&](const Step &step) { return OfKeys ? cotangentOf(step.head) : valueOf(); };
  const auto copyScalars = [&](int at, int head) {
    if (threadIdx.x >= (OfKeys ? Streamed : tilePositions)) return;
    const int query = at + threadIdx.x;
    const size_t i = (size_t(row) * shape.heads + head) * shape.length + query;
    // A query that does not exist gives every key the weight 0.
    tiles.logSumExp()[threadIdx.x] = query < shape.length ? given.logSumExp[i] * log2OfE : INFINITY;
    tiles.delta()[threadIdx.x] = query < shape.length ? given.delta[i] : 0.f;
  };

  keep(tiles.keptFirst(), OfKeys ? keyOf() : queryOf(firstHead));
  keep(tiles.keptSecond(), OfKeys ? valueOf() : cotangentOf(firstHead));
  if (!OfKeys) copyScalars(start, firstHead);
  const int firstStreamed = OfKeys ? start : firstTileFor(start, shape.window, Streamed);
  Step step = nextStep({firstStreamed, firstHead, Sight::none});
  if (step.head < firstHead + headCount) stream(tiles.streamedFirst(0), firstOf(step), step.start);
  commitCopies();

  float sumsOfFirst[columns / 8][4] = {}, sumsOfSecond[OfKeys ? columns / 8 : 2][4] = {};
  const float factor = shape.scale * log2OfE;
  for (int n = 0; step.head < firstHead + headCount; n++) {
    const bfloat16 *here = tiles.streamedFirst(n);
    // Everybody is done with the second tile and the scalars of the step before.
    blockBarrier();
    stream(tiles.streamedSecond(), secondOf(step), step.start);
    commitCopies();
    if (OfKeys) copyScalars(step.start, step.head);
    const Step next = nextStep({step.start + Streamed, step.head, Sight::none});
    if (next.head < firstHead + headCount) stream(tiles.streamedFirst(n + 1), firstOf(next), next.start);
    commitCopies();
    waitForCopies<2>();
    blockBarrier();

    float weights[eights][4], ofScores[eights][4];
    scoresOf<Dim>(weights, tiles.keptFirst(), warp * 16, here);
    if (shape.cap > 0.f) capScores(weights, shape.cap);
#pragma unroll
    for (int j = 0; j < eights; j++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
        const float base = tiles.logSumExp()[OfKeys ? column : r];
        float weight = exp2Fast(weights[j][c] * factor - base);
        if (step.sight == Sight::some) {
          const int query = OfKeys ? step.start + column : start + r, key = OfKeys ? start + r : step.start + column;
          const bool exist = query < shape.length && key < shape.length;
          const bool inReach = exist && key <= query && key + shape.window > query;
          const bool seen = inReach && (!ids || ids[key] == ids[query]);
          weight = seen ? weight : 0.f;
        }
        weights[j][c] = weight;
      }
    }
    waitForCopies<1>();
    blockBarrier();
    scoresOf<Dim>(ofScores, tiles.keptSecond(), warp * 16, tiles.streamedSecond());
    if (OfKeys) addProduct<Dim>(sumsOfSecond, weights, tiles.streamedSecond(), firstColumn);
#pragma unroll
    for (int j = 0; j < eights; j++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
        ofScores[j][c] = weights[j][c] * (ofScores[j][c] - tiles.delta()[OfKeys ? column : r]);
      }
    }
    if (shape.cap > 0.f) {
#pragma unroll
      for (int j = 0; j < eights; j++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
          ofScores[j][c] *= slopeOfScore(weights[j][c], tiles.logSumExp()[OfKeys ? column : r], factor, shape.cap);
        }
      }
    }
    addProduct<Dim>(sumsOfFirst, ofScores, here, firstColumn);
    step = next;
  }
  waitForCopies<0>();

  const float scaled[2] = {shape.scale, shape.scale}, plain[2] = {1.f, 1.f};
  const int headOut = OfKeys ? keyHead : firstHead;
  const int columnsLeft = shape.headDim - firstColumn;
  const auto place = [&](bfloat16 *at, int stride) {
    return at + first * stride + size_t(headOut) * shape.headDim + firstColumn;
  };
  storeRows<columns>(place(ofFirst, ofFirstStride), ofFirstStride, start + warp * 16, shape.length, columnsLeft,
                     sumsOfFirst, scaled);
  if (OfKeys) {
    storeRows<columns>(place(ofSecond, ofSecondStride), ofSecondStride, start + warp * 16, shape.length, columnsLeft,
                       reinterpret_cast<const float(&)[columns / 8][4]>(sumsOfSecond), plain);
  }
}

#define ATTENTION_KEY_GRAD(name, ...)                                                                                 \
  extern "C" __global__ void __launch_bounds__(attentionThreads)                                                      \
      name(ATTENTION_PARAMETERS, COTANGENT_PARAMETERS, bfloat16 *ofK, bfloat16 *ofV, int ofKStride, int ofVStride) {  \
    backwardBlock<__VA_ARGS__>(AttentionShape{ATTENTION_ARGUMENTS}, AttentionCotangent{COTANGENT_ARGUMENTS}, ofK,     \
                               ofKStride, ofV, ofVStride);                                                            \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

#define ATTENTION_QUERY_GRAD(name, ...)                                                                               \
  extern "C" __global__ void __launch_bounds__(attentionThreads)                                                      \
      name(ATTENTION_PARAMETERS, COTANGENT_PARAMETERS, bfloat16 *ofQ, int ofQStride) {                                \
    backwardBlock<__VA_ARGS__>(AttentionShape{ATTENTION_ARGUMENTS}, AttentionCotangent{COTANGENT_ARGUMENTS}, ofQ,     \
                               ofQStride, nullptr, 0);                                                                \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

ATTENTION_KEY_GRAD(attentionKeyGrad64, 64, true, 64, 1)
ATTENTION_KEY_GRAD(attentionKeyGrad128, 128, true, 64, 1)
ATTENTION_KEY_GRAD(attentionKeyGrad256, 256, true, 16, 2)
ATTENTION_QUERY_GRAD(attentionQueryGrad64, 64, false, 64, 1)
ATTENTION_QUERY_GRAD(attentionQueryGrad128, 128, false, 64, 1)
ATTENTION_QUERY_GRAD(attentionQueryGrad256, 256, false, 16, 1)
