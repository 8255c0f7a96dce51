// Losses of a slice of rows from its logits, and the gradient with respect to the logits; one block a row. The gradient
// may take the place of the logits where its elements are as large (float16 or bfloat16 logits of the same stride).
#include "elements.cuh"
#include "reduce.cuh"
#include "soft-cap.cuh"

/** One row; its numbers are given capped where there is a cap. */
struct LogitsRow {
  const void *at;
  int type;
  size_t start;
  int vocabulary;
  float cap;
  bool wide;

  __device__ __forceinline__ LogitsRow(const void *logits, int type, int stride, int vocabulary, float cap)
      : at(logits), type(type), start(size_t(blockIdx.x) * stride), vocabulary(vocabulary), cap(cap),
        wide(stride % 8 == 0 && aligned16(logits)) {}

  __device__ __forceinline__ float operator[](int column) const {
    const float x = loadElement(at, type, start + column);
    return cap > 0.f ? capped(x, cap) : x;
  }

  /** How the logit x changes with the one in memory. */
  __device__ __forceinline__ float slopeAt(float x) const { return cap > 0.f ? slopeOfCapped(x, cap) : 1.f; }

  /** f(column of the first, eight logits, how many exist) for all of the row, shared among the threads. */
  template <class Function> __device__ __forceinline__ void inEights(Function f) const {
    for (int column = threadIdx.x * 8; column < vocabulary; column += blockDim.x * 8) {
      float x[8];
      const int count = vocabulary - column < 8 ? vocabulary - column : 8;
      loadUpToEight(at, type, start + column, count, wide, x);
      if (cap > 0.f) {
#pragma unroll
        for (int j = 0; j < 8; j++) x[j] = capped(x[j], cap);
      }
      f(column, x, count);
    }
  }

  /** The highest logit and log Σ exp(logit), in one pass. */
  __device__ __forceinline__ void summarize(float &highest, float &logOfSum, float *scratch) const {
    float mine = -INFINITY, sum = 0.f;
    inEights([&](int, const float (&x)[8], int count) {
      float next = mine;
#pragma unroll
      for (int j = 0; j < 8; j++) next = j < count ? fmaxf(next, x[j]) : next;
      sum *= expf(mine - next);
#pragma unroll
      for (int j = 0; j < 8; j++) sum += j < count ? expf(x[j] - next) : 0.f;
      mine = next;
    });
    highest = blockMaximum(mine, scratch);
    logOfSum = highest + logf(blockSum(sum == 0.f ? 0.f : sum * expf(mine - highest), scratch));
  }

  /** gradient[column] = factor · softmax(logits)[column], times the cap's slope */
  __device__ __forceinline__ void storeProbabilities(bfloat16 *gradient, int stride, float logOfSum,
                                                     float factor) const {
    const size_t to = size_t(blockIdx.x) * stride;
    const bool wideStore = stride % 8 == 0 && aligned16(gradient);
    inEights([&](int column, float (&x)[8], int count) {
#pragma unroll
      for (int j = 0; j < 8; j++) x[j] = factor * expf(x[j] - logOfSum) * slopeAt(x[j]);
      storeUpToEight(gradient, typeBfloat16, to + column, count, wideStore, x);
    });
  }
};

/**
 * perToken = log Σ exp(logits) − logits[label], correct = 1 where the label has the highest logit, and where gradient is
 * given, gradient = weight · (softmax − onehot(label)), times the cap's slope. A label outside the vocabulary gives NaN.
 */
extern "C" __global__ void __launch_bounds__(512)
    crossEntropyRows(const void *logits, int logitsType, int logitsStride, const int *labels, const float *weights,
                     bfloat16 *gradient, int gradientStride, float *perToken, float *correct, int rows,
                     int vocabulary, float cap) {
  __shared__ float scratch[32];
  const int row = blockIdx.x;
  if (row >= rows) return;
  const LogitsRow of(logits, logitsType, logitsStride, vocabulary, cap);
  float highest, logOfSum;
  of.summarize(highest, logOfSum, scratch);
  const int label = labels[row];
  const float picked = label >= 0 && label < vocabulary ? of[label] : NAN;
  if (threadIdx.x == 0) {
    perToken[row] = logOfSum - picked;
    correct[row] = picked >= highest ? 1.f : 0.f;
  }
  if (!gradient) return;
  const float weight = weights[row];
  // Every thread has read the label's logit before its place may receive the gradient.
  blockBarrier();
  of.storeProbabilities(gradient, gradientStride, logOfSum, weight);
  blockBarrier();
  if (threadIdx.x == 0 && label >= 0 && label < vocabulary) {
    gradient[size_t(row) * gradientStride + label] = toBfloat16(weight * (expf(picked - logOfSum) - 1.f) * of.slopeAt(picked));
  }
}
REGISTER_KERNEL(crossEntropyRows)

constexpr int mostTopTokens = 64;

/**
 * perToken = Σ t · (log t − log p) over the teacher's topCount (at most 64) tokens, t being its probability of each; and
 * gradient = weight · (p · Σt − t at the teacher's tokens).
 */
extern "C" __global__ void __launch_bounds__(512)
    distillationRows(const void *logits, int logitsType, int logitsStride, const int *topIds,
                     const float *topLogProbabilities, int topCount, const float *weights, bfloat16 *gradient,
                     int gradientStride, float *perToken, int rows, int vocabulary, float cap) {
  __shared__ float scratch[32];
  __shared__ int ids[mostTopTokens];
  __shared__ float mass[mostTopTokens];
  __shared__ float picked[mostTopTokens];
  const int row = blockIdx.x;
  if (row >= rows) return;
  const LogitsRow of(logits, logitsType, logitsStride, vocabulary, cap);
  float highest, logOfSum;
  of.summarize(highest, logOfSum, scratch);
  const int k = threadIdx.x;
  float term = 0.f, given = 0.f;
  if (k < topCount) {
    const float teacher = topLogProbabilities[size_t(row) * topCount + k];
    ids[k] = topIds[size_t(row) * topCount + k];
    given = mass[k] = expf(teacher);
    picked[k] = ids[k] >= 0 && ids[k] < vocabulary ? of[ids[k]] : NAN;
    term = given * (teacher - (picked[k] - logOfSum));
  }
  const float loss = blockSum(term, scratch);
  const float total = blockSum(given, scratch);
  if (threadIdx.x == 0) perToken[row] = loss;
  if (!gradient) return;
  const float weight = weights[row];
  of.storeProbabilities(gradient, gradientStride, logOfSum, weight * total);
  blockBarrier();
  if (k < topCount && ids[k] >= 0 && ids[k] < vocabulary) {
    float here = 0.f;
    for (int other = 0; other < topCount; other++) here += ids[other] == ids[k] ? mass[other] : 0.f;
    gradient[size_t(row) * gradientStride + ids[k]] =
        toBfloat16(weight * (expf(picked[k] - logOfSum) * total - here) * of.slopeAt(picked[k]));
  }
}
REGISTER_KERNEL(distillationRows)

/** out[0] = Σ values · weights: one block. */
extern "C" __global__ void __launch_bounds__(256)
    weightedSum(const float *values, const float *weights, float *out, int count) {
  __shared__ float scratch[32];
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += values[i] * weights[i];
  sum = blockSum(sum, scratch);
  if (threadIdx.x == 0) *out = sum;
}
REGISTER_KERNEL(weightedSum)
