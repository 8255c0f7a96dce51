// Attention and its gradients for cards of capability 9.0: as attention-forward.cu and attention-backward.cu say, with two
// groups of four warps that keep 64 positions each, and products that run in the background while weights are computed.
// On other cards these kernels do nothing, and nobody launches them.
#include "attention.cuh"
#include "hopper.cuh"
#include "softmax.cuh"

#ifdef LIFT_HOPPER

constexpr int hopperThreads = 256;
/** Positions that a block keeps, and those of a tile that streams past. */
constexpr int keptPositions = 128;
constexpr int streamedPositions = 64;

/** sums[64, 64] = left · rightᵀ for this group's 64 rows of left [128, Dim] and right [64, Dim], in the background. */
template <int Dim>
__device__ __forceinline__ void beginScores(float (&sums)[8][4], const bfloat16 *left, const bfloat16 *right) {
  const bfloat16 *rows = left + threadIdx.x / 128 * 64 * 64;
  beginProducts();
#pragma unroll
  for (int d = 0; d < Dim; d += 16) {
    const int panel = d / 64, within = d % 64;
    const uint64_t ofLeft = describe(rows + panel * keptPositions * 64 + within);
    const uint64_t ofRight = describe(right + panel * streamedPositions * 64 + within);
    if (d == 0) multiplyAddTogether<true, true, true>(sums, ofLeft, ofRight);
    else multiplyAddTogether<true, true>(sums, ofLeft, ofRight);
  }
  commitProducts();
}

/** The sums of 64 columns as the left operands of four steps. */
__device__ __forceinline__ void packSums(uint32_t (&packed)[4][4], const float (&sums)[8][4]) {
#pragma unroll
  for (int k = 0; k < 4; k++) asLeft(packed[k], sums[k * 2], sums[k * 2 + 1]);
}

/** sums[64, Dim] += left [64, 64] · right [64, Dim], in the background. */
template <int Dim>
__device__ __forceinline__ void beginProduct(float (&sums)[Dim / 8][4], const uint32_t (&left)[4][4],
                                             const bfloat16 *right) {
  beginProducts();
#pragma unroll
  for (int k = 0; k < 4; k++) multiplyAddTogether<false>(sums, left[k], describe(right + k * 16 * 64));
  commitProducts();
}

/** A tile of keys that some query sees. */
struct SeenTile {
  int start;
  Sight sight;
};

/** Block (128 queries, from the last to the first, head, row of the batch). */
template <int Dim>
__device__ __forceinline__ void attendHopperBlock(const AttentionShape &shape, bfloat16 *out, float *logSumExp) {
  constexpr int tileElements = streamedPositions * Dim;
  bfloat16 *queryTile = reinterpret_cast<bfloat16 *>(sharedMemory());
  bfloat16 *keyRing = queryTile + keptPositions * Dim, *valueRing = keyRing + 2 * tileElements;
  const int queryStart = (gridDim.x - 1 - blockIdx.x) * keptPositions;
  const int head = blockIdx.y, row = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int keyHead = head / (shape.heads / shape.keyValueHeads);
  const int past = shape.past ? *shape.past : 0;
  const int keys = shape.length + past;
  const int queries = shape.length - queryStart < keptPositions ? shape.length - queryStart : keptPositions;
  const int *ids = idsOfRow(shape, row);
  const IdRange ofQueries = ids ? IdRange(ids + queryStart, queries) : IdRange();
  const size_t firstQuery = size_t(row) * shape.length, firstKey = size_t(row) * keys;
  const MatrixView query = headOf(shape.q, shape.queryStride, firstQuery, shape.length, head, shape.headDim);
  const MatrixView key = headOf(shape.k, shape.keyStride, firstKey, keys, keyHead, shape.headDim);
  const MatrixView value = headOf(shape.v, shape.valueStride, firstKey, keys, keyHead, shape.headDim);

  // The next tile from `from` on that some query sees; it starts at `keys` when there is none.
  const auto nextSeen = [&](int from) -> SeenTile {
    for (; from < queryStart + queries + past; from += streamedPositions) {
      const int here = keys - from < streamedPositions ? keys - from : streamedPositions;
      const IdRange ofKeys = ids ? IdRange(ids + from, here) : IdRange();
      const Sight sight = sightOf(ids, queryStart, queries, ofQueries, from, streamedPositions, ofKeys, past,
                                  shape.window);
      if (sight != Sight::none) return {from, sight};
    }
    return {keys, Sight::none};
  };
  const auto copy = [&](bfloat16 *ring, const MatrixView &from, int n, int start) {
    if (start < keys) copyPanels<streamedPositions, Dim, hopperThreads>(ring + (n & 1) * tileElements, from, start, 0);
  };
  RunningSoftmax<Dim, 1> softmax;
  softmax.clear();
  float shrink[2];
  uint32_t weights[4][4];
  const auto weigh = [&](float(&scores)[8][4], const SeenTile &tile) {
    if (shape.cap > 0.f) capScores(scores, shape.cap);
    if (tile.sight == Sight::some) {
      hideUnseen(scores, shape, ids, queryStart + warp * 16 + lane / 4, tile.start, past, keys);
    }
    softmax.weigh(scores, 0, shape.scale * log2OfE, shrink);
  };
  const auto meet = []() {
    waitForCopies<0>();
    fenceForProducts();
    blockBarrier();
  };

  // Every query sees itself, so there is a first tile.
  SeenTile here = nextSeen(firstTileFor(queryStart + past, shape.window, streamedPositions));
  SeenTile next = nextSeen(here.start + streamedPositions);
  copyPanels<keptPositions, Dim, hopperThreads>(queryTile, query, queryStart, 0);
  copy(keyRing, key, 0, here.start);
  commitCopies();
  meet();
  copy(keyRing, key, 1, next.start);
  copy(valueRing, value, 0, here.start);
  commitCopies();
  float scores[8][4];
  beginScores<Dim>(scores, queryTile, keyRing);
  waitForProducts<0>();
  takeSums(scores);
  weigh(scores, here);
  packSums(weights, scores);

  int n = 0;
  for (; next.start < keys; n++) {
    // The keys of tile n + 1 and the values of tile n are there; all products so far are done, so that the keys of tile n
    // and the values of tile n − 1 may be overwritten.
    meet();
    const SeenTile second = nextSeen(next.start + streamedPositions);
    copy(keyRing, key, n + 2, second.start);
    copy(valueRing, value, n + 1, next.start);
    commitCopies();
    beginScores<Dim>(scores, queryTile, keyRing + ((n + 1) & 1) * tileElements);
    beginProduct<Dim>(softmax.mixed[0], weights, valueRing + (n & 1) * tileElements);
    waitForProducts<1>();
    takeSums(scores);
    weigh(scores, next);
    waitForProducts<0>();
    takeSums(softmax.mixed[0]);
    softmax.rescale(0, shrink);
    packSums(weights, scores);
    next = second;
  }
  meet();
  beginProduct<Dim>(softmax.mixed[0], weights, valueRing + (n & 1) * tileElements);
  waitForProducts<0>();
  takeSums(softmax.mixed[0]);
  finishRows<Dim>(softmax, 0, shape, out, logSumExp, row, head, queryStart + warp * 16);
}

/** Shared memory of the gradient kernels: two tiles that stay, and twice the two that stream past with two scalars. */
template <int Dim> struct HopperTiles {
  static constexpr int kept = keptPositions * Dim, streamed = streamedPositions * Dim;

  __device__ __forceinline__ bfloat16 *keptTile(int i) const {
    return reinterpret_cast<bfloat16 *>(sharedMemory()) + i * kept;
  }
  __device__ __forceinline__ bfloat16 *streamedTile(int i, int n) const {
    return keptTile(2) + (i * 2 + (n & 1)) * streamed;
  }
  __device__ __forceinline__ float *scalars(int i, int n) const {
    return reinterpret_cast<float *>(keptTile(2) + 4 * streamed) + (i * 2 + (n & 1)) * keptPositions;
  }
};

/** One step of a gradient kernel: which positions stream past, for which head, and what is seen of them. */
struct HopperStep {
  int start, head;
  Sight sight;
};

/** As backwardBlock of attention-backward.cu, for 128 kept positions. */
template <int Dim, bool OfKeys>
__device__ __forceinline__ void backwardHopperBlock(const AttentionShape &shape, const AttentionCotangent &given,
                                                    bfloat16 *ofFirst, int ofFirstStride, bfloat16 *ofSecond,
                                                    int ofSecondStride) {
  const HopperTiles<Dim> tiles;
  const int start = (OfKeys ? blockIdx.x : gridDim.x - 1 - blockIdx.x) * keptPositions;
  const int row = blockIdx.z, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int group = shape.heads / shape.keyValueHeads;
  const int keyHead = OfKeys ? blockIdx.y : blockIdx.y / group;
  const int firstHead = OfKeys ? keyHead * group : blockIdx.y, endHead = firstHead + (OfKeys ? group : 1);
  const int *ids = idsOfRow(shape, row);
  const size_t first = size_t(row) * shape.length;
  const auto countFrom = [&](int from, int most) { return shape.length - from < most ? shape.length - from : most; };
  const int keptCount = countFrom(start, keptPositions);
  const IdRange ofKept = ids ? IdRange(ids + start, keptCount) : IdRange();

  const auto viewOf = [&](const bfloat16 *at, int stride, int head) {
    return headOf(at, stride, first, shape.length, head, shape.headDim);
  };
  const auto keyOf = [&]() { return viewOf(shape.k, shape.keyStride, keyHead); };
  const auto valueOf = [&]() { return viewOf(shape.v, shape.valueStride, keyHead); };
  const auto queryOf = [&](int head) { return viewOf(shape.q, shape.queryStride, head); };
  const auto cotangentOf = [&](int head) { return viewOf(given.cotangent, given.cotangentStride, head); };
  // Queries and their cotangents see keys and values from their own tile back, and are seen from there on.
  const int firstStreamed = OfKeys ? start / streamedPositions * streamedPositions
                                   : firstTileFor(start, shape.window, streamedPositions);
  const int lastReached = start + keptPositions + shape.window - 1;
  const int endStreamed = !OfKeys ? start + keptCount : lastReached < shape.length ? lastReached : shape.length;

  const auto nextStep = [&](HopperStep step) {
    for (; step.head < endHead; step.head++, step.start = firstStreamed) {
      for (; step.start < endStreamed; step.start += streamedPositions) {
        const int count = countFrom(step.start, streamedPositions);
        const IdRange ofStreamed = ids ? IdRange(ids + step.start, count) : IdRange();
        step.sight = OfKeys ? sightOf(ids, step.start, count, ofStreamed, start, keptPositions, ofKept, 0, shape.window)
                            : sightOf(ids, start, keptCount, ofKept, step.start, streamedPositions, ofStreamed, 0,
                                      shape.window);
        if (step.sight != Sight::none) return step;
      }
    }
    return step;
  };
  const auto copyScalars = [&](int n, int at, int head, int count) {
    if (int(threadIdx.x) >= count) return;
    const int query = at + threadIdx.x;
    const size_t i = (size_t(row) * shape.heads + head) * shape.length + query;
    // A query that does not exist gives every key the weight 0.
    tiles.scalars(0, n)[threadIdx.x] = query < shape.length ? given.logSumExp[i] * log2OfE : INFINITY;
    tiles.scalars(1, n)[threadIdx.x] = query < shape.length ? given.delta[i] : 0.f;
  };
  const auto copyStep = [&](int n, const HopperStep &step) {
    if (step.head < endHead) {
      const MatrixView one = OfKeys ? queryOf(step.head) : keyOf();
      const MatrixView other = OfKeys ? cotangentOf(step.head) : valueOf();
      copyPanels<streamedPositions, Dim, hopperThreads>(tiles.streamedTile(0, n), one, step.start, 0);
      copyPanels<streamedPositions, Dim, hopperThreads>(tiles.streamedTile(1, n), other, step.start, 0);
      if (OfKeys) copyScalars(n, step.start, step.head, streamedPositions);
    }
    commitCopies();
  };

  copyPanels<keptPositions, Dim, hopperThreads>(tiles.keptTile(0), OfKeys ? keyOf() : queryOf(firstHead), start, 0);
  copyPanels<keptPositions, Dim, hopperThreads>(tiles.keptTile(1), OfKeys ? valueOf() : cotangentOf(firstHead), start,
                                                0);
  if (!OfKeys) copyScalars(0, start, firstHead, keptPositions);
  HopperStep step = nextStep({firstStreamed, firstHead, Sight::none});
  copyStep(0, step);

  float sumsOfFirst[Dim / 8][4] = {}, sumsOfSecond[OfKeys ? Dim / 8 : 1][4] = {};
  const float factor = shape.scale * log2OfE;
  for (int n = 0; step.head < endHead; n++) {
    waitForCopies<0>();
    fenceForProducts();
    blockBarrier();
    const HopperStep next = nextStep({step.start + streamedPositions, step.head, Sight::none});
    copyStep(n + 1, next);
    const bfloat16 *one = tiles.streamedTile(0, n), *other = tiles.streamedTile(1, n);
    const float *base = tiles.scalars(0, OfKeys ? n : 0), *delta = tiles.scalars(1, OfKeys ? n : 0);

    float weights[8][4], ofScores[8][4];
    uint32_t left[4][4];
    beginScores<Dim>(weights, tiles.keptTile(0), one);
    beginScores<Dim>(ofScores, tiles.keptTile(1), other);
    waitForProducts<1>();
    takeSums(weights);
    if (shape.cap > 0.f) capScores(weights, shape.cap);
#pragma unroll
    for (int j = 0; j < 8; j++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
        float weight = exp2Fast(weights[j][c] * factor - base[OfKeys ? column : r]);
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
    if (OfKeys) {
      packSums(left, weights);
      beginProduct<Dim>(reinterpret_cast<float(&)[Dim / 8][4]>(sumsOfSecond), left, other);
      waitForProducts<1>();
    } else {
      waitForProducts<0>();
    }
    takeSums(ofScores);
#pragma unroll
    for (int j = 0; j < 8; j++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
        ofScores[j][c] = weights[j][c] * (ofScores[j][c] - delta[OfKeys ? column : r]);
      }
    }
    if (shape.cap > 0.f) {
#pragma unroll
      for (int j = 0; j < 8; j++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const int r = warp * 16 + lane / 4 + c / 2 * 8, column = j * 8 + lane % 4 * 2 + c % 2;
          ofScores[j][c] *= slopeOfScore(weights[j][c], base[OfKeys ? column : r], factor, shape.cap);
        }
      }
    }
    uint32_t leftOfScores[4][4];
    packSums(leftOfScores, ofScores);
    beginProduct<Dim>(sumsOfFirst, leftOfScores, one);
    waitForProducts<0>();
    takeSums(sumsOfFirst);
    if (OfKeys) takeSums(sumsOfSecond);
    step = next;
  }
  waitForCopies<0>();

  const float scaled[2] = {shape.scale, shape.scale}, plain[2] = {1.f, 1.f};
  const int headOut = OfKeys ? keyHead : firstHead;
  const auto place = [&](bfloat16 *at, int stride) { return at + first * stride + size_t(headOut) * shape.headDim; };
  storeRows<Dim>(place(ofFirst, ofFirstStride), ofFirstStride, start + warp * 16, shape.length, shape.headDim,
                 sumsOfFirst, scaled);
  if (OfKeys) {
    storeRows<Dim>(place(ofSecond, ofSecondStride), ofSecondStride, start + warp * 16, shape.length, shape.headDim,
                   reinterpret_cast<const float(&)[Dim / 8][4]>(sumsOfSecond), plain);
  }
}

#define HOPPER_ATTENTION(call) call
#else
#define HOPPER_ATTENTION(call)
#endif

#define ATTENTION_HOPPER(Dim)                                                                                         \
  extern "C" __global__ void __launch_bounds__(256, 1)                                                                \
      attentionForwardHopper##Dim(ATTENTION_PARAMETERS, bfloat16 *out, float *logSumExp) {                            \
    HOPPER_ATTENTION((attendHopperBlock<Dim>(AttentionShape{ATTENTION_ARGUMENTS}, out, logSumExp)));                  \
  }                                                                                                                   \
  REGISTER_KERNEL(attentionForwardHopper##Dim)                                                                        \
  extern "C" __global__ void __launch_bounds__(256, 1) attentionKeyGradHopper##Dim(                                   \
      ATTENTION_PARAMETERS, COTANGENT_PARAMETERS, bfloat16 *ofK, bfloat16 *ofV, int ofKStride, int ofVStride) {       \
    HOPPER_ATTENTION((backwardHopperBlock<Dim, true>(AttentionShape{ATTENTION_ARGUMENTS},                             \
                                                     AttentionCotangent{COTANGENT_ARGUMENTS}, ofK, ofKStride, ofV,    \
                                                     ofVStride)));                                                    \
  }                                                                                                                   \
  REGISTER_KERNEL(attentionKeyGradHopper##Dim)                                                                        \
  extern "C" __global__ void __launch_bounds__(256, 1) attentionQueryGradHopper##Dim(                                 \
      ATTENTION_PARAMETERS, COTANGENT_PARAMETERS, bfloat16 *ofQ, int ofQStride) {                                     \
    HOPPER_ATTENTION((backwardHopperBlock<Dim, false>(AttentionShape{ATTENTION_ARGUMENTS},                            \
                                                      AttentionCotangent{COTANGENT_ARGUMENTS}, ofQ, ofQStride,        \
                                                      nullptr, 0)));                                                  \
  }                                                                                                                   \
  REGISTER_KERNEL(attentionQueryGradHopper##Dim)

ATTENTION_HOPPER(64)
ATTENTION_HOPPER(128)
