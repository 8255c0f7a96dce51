// Attention of a few new positions over a cache: the cached keys are cut into parts that blocks go through side by side,
// and a second kernel puts the parts together.
#include "attention.cuh"

/** Query heads of one key/value head that a block works on at once. */
constexpr int headsAtOnce = 8;

/** One block's running softmax over the keys that its threads have seen; a thread owns eight columns of a head. */
struct DecodeState {
  float highest[headsAtOnce], sum[headsAtOnce], mixed[headsAtOnce][8];
};

/**
 * Block (part, key/value head times the eights of query heads that read it, new position). partial [length, heads, splits,
 * headDim + 2]: weighted values, the highest scaled score in units of log 2, and the sum of weights.
 */
extern "C" __global__ void __launch_bounds__(128)
    attentionDecode(const bfloat16 *q, const bfloat16 *keys, const bfloat16 *values, const int *past, float *partial,
                    int queryStride, int keyStride, int valueStride, int length, int heads, int keyValueHeads,
                    int headDim, float scale, int window, float cap, int splits) {
  const int group = heads / keyValueHeads, eights = (group + headsAtOnce - 1) / headsAtOnce;
  const int keyHead = blockIdx.y / eights, firstOfGroup = blockIdx.y % eights * headsAtOnce;
  const int firstHead = keyHead * group + firstOfGroup;
  const int headCount = group - firstOfGroup < headsAtOnce ? group - firstOfGroup : headsAtOnce;
  const int position = blockIdx.z, split = blockIdx.x;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // Lanes side by side share a key: eight columns each.
  const int lanesOfKey = headDim <= 64 ? 8 : headDim <= 128 ? 16 : 32, column = lane % lanesOfKey * 8;
  const int teamsOfWarp = 32 / lanesOfKey, team = warp * teamsOfWarp + lane / lanesOfKey, teams = 4 * teamsOfWarp;
  const int columns = headDim - column < 0 ? 0 : headDim - column < 8 ? headDim - column : 8;
  const auto wideOf = [](const bfloat16 *at, int stride, int offset) {
    return stride % 8 == 0 && offset % 8 == 0 && aligned16(at);
  };

  float query[headsAtOnce][8];
  DecodeState state;
#pragma unroll
  for (int h = 0; h < headsAtOnce; h++) {
    const size_t at = size_t(position) * queryStride + size_t(firstHead + h) * headDim + column;
    loadUpToEight(q, typeBfloat16, at, h < headCount ? columns : 0, wideOf(q, queryStride, headDim), query[h]);
    state.highest[h] = -INFINITY, state.sum[h] = 0.f;
#pragma unroll
    for (int d = 0; d < 8; d++) query[h][d] *= scale * log2OfE, state.mixed[h][d] = 0.f;
  }

  const int reached = *past + position + 1, first = reached > window ? reached - window : 0;
  const int each = (reached - first + splits - 1) / splits;
  const int start = first + split * each, end = start + each < reached ? start + each : reached;
  const float capOfScaled = cap * scale * log2OfE;
  const bool wideKeys = wideOf(keys, keyStride, headDim), wideValues = wideOf(values, valueStride, headDim);
  // All teams make the same number of steps, so that whole warps meet at the shuffles.
  for (int from = start; from < end; from += teams) {
    const int at = from + team;
    const bool exists = at < end;
    const size_t row = exists ? at : start;
    float key[8], value[8];
    loadUpToEight(keys, typeBfloat16, row * keyStride + size_t(keyHead) * headDim + column, columns, wideKeys, key);
    loadUpToEight(values, typeBfloat16, row * valueStride + size_t(keyHead) * headDim + column, columns, wideValues,
                  value);
#pragma unroll
    for (int h = 0; h < headsAtOnce; h++) {
      if (h >= headCount) break;
      float score = 0.f;
#pragma unroll
      for (int d = 0; d < 8; d++) score += query[h][d] * key[d];
      for (int mask = lanesOfKey / 2; mask > 0; mask /= 2) score += shuffleXor(score, mask);
      if (cap > 0.f) score = capped(score, capOfScaled);
      if (!exists) continue;
      const float highest = fmaxf(state.highest[h], score);
      const float shrink = exp2Fast(state.highest[h] - highest), weight = exp2Fast(score - highest);
      state.highest[h] = highest;
      state.sum[h] = state.sum[h] * shrink + weight;
#pragma unroll
      for (int d = 0; d < 8; d++) state.mixed[h][d] = state.mixed[h][d] * shrink + weight * value[d];
    }
  }

  // Shared memory: for each team and head, its columns, its maximum and its sum.
  const int record = lanesOfKey * 8 + 2;
  float *records = reinterpret_cast<float *>(sharedMemory());
#pragma unroll
  for (int h = 0; h < headsAtOnce; h++) {
    float *to = records + (team * headsAtOnce + h) * record;
#pragma unroll
    for (int d = 0; d < 8; d++) to[column + d] = state.mixed[h][d];
    if (lane % lanesOfKey == 0) to[record - 2] = state.highest[h], to[record - 1] = state.sum[h];
  }
  blockBarrier();
  for (int i = threadIdx.x; i < headCount * (headDim + 2); i += blockDim.x) {
    const int h = i / (headDim + 2), d = i % (headDim + 2);
    float highest = -INFINITY;
    for (int t = 0; t < teams; t++) highest = fmaxf(highest, records[(t * headsAtOnce + h) * record + record - 2]);
    float total = 0.f;
    for (int t = 0; t < teams; t++) {
      const float *from = records + (t * headsAtOnce + h) * record;
      // A team without keys has no maximum, and nothing to add.
      if (from[record - 2] == -INFINITY) continue;
      total += exp2Fast(from[record - 2] - highest) * from[d < headDim ? d : record - 1];
    }
    const size_t to = (size_t(position) * heads + firstHead + h) * splits + split;
    partial[to * (headDim + 2) + d] = d == headDim ? highest : total;
  }
}
REGISTER_KERNEL(attentionDecode)

/** out [length, heads · headDim] from the parts: block (head, new position). */
extern "C" __global__ void __launch_bounds__(128)
    attentionDecodeFinish(const float *partial, void *out, int outType, int outStride, int length, int heads,
                          int headDim, int splits) {
  const int head = blockIdx.x, position = blockIdx.y;
  const float *parts = partial + (size_t(position) * heads + head) * splits * (headDim + 2);
  float highest = -INFINITY;
  for (int s = 0; s < splits; s++) highest = fmaxf(highest, parts[s * (headDim + 2) + headDim]);
  for (int d = threadIdx.x; d < headDim; d += blockDim.x) {
    float sum = 0.f, total = 0.f;
    for (int s = 0; s < splits; s++) {
      const float *part = parts + s * (headDim + 2);
      if (part[headDim] == -INFINITY) continue;
      const float weight = exp2Fast(part[headDim] - highest);
      sum += weight * part[headDim + 1];
      total += weight * part[d];
    }
    storeElement(out, outType, size_t(position) * outStride + head * headDim + d, total / sum);
  }
}
REGISTER_KERNEL(attentionDecodeFinish)
