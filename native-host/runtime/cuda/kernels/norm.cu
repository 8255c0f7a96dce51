// RMS norm over groups of `width` columns (a row of the kernel is one group), its gradients, and rotary embedding.
#include "elements.cuh"
#include "reduce.cuh"

/** A thread keeps at most this many groups of eight columns; with 256 threads that is a width of 8192. */
constexpr int normChunks = 4;

/** A row's part of one thread: columns (thread + c · rowThreads) · 8 + 0…7 for c below normChunks. */
struct NormRow {
  size_t row;
  int thread;
  int rowThreads;
  int width;

  __device__ __forceinline__ NormRow(int rowThreads, int width)
      : row(size_t(blockIdx.x) * (blockDim.x / rowThreads) + threadIdx.x / rowThreads),
        thread(threadIdx.x % rowThreads), rowThreads(rowThreads), width(width) {}

  __device__ __forceinline__ int column(int chunk) const { return (thread + chunk * rowThreads) * 8; }

  __device__ __forceinline__ void load(const void *at, int type, size_t row, float (&x)[normChunks][8]) const {
    const bool wide = width % 8 == 0 && aligned16(at);
#pragma unroll
    for (int c = 0; c < normChunks; c++) {
      loadUpToEight(at, type, row * width + column(c), width - column(c), wide, x[c]);
    }
  }

  __device__ __forceinline__ void store(void *at, int type, const float (&x)[normChunks][8]) const {
    const bool wide = width % 8 == 0 && aligned16(at);
#pragma unroll
    for (int c = 0; c < normChunks; c++) {
      storeUpToEight(at, type, row * width + column(c), width - column(c), wide, x[c]);
    }
  }

  /** The sum of f over the row's columns, which all threads of the row receive. */
  template <class Function> __device__ __forceinline__ float sum(Function f, float *scratch) const {
    float total = 0.f;
#pragma unroll
    for (int c = 0; c < normChunks; c++) {
#pragma unroll
      for (int j = 0; j < 8; j++) total += f(c, j);
    }
    return rowThreads == 32 ? warpSum(total) : blockSum(total, scratch);
  }
};

#define EVERY_NORM_ELEMENT                                                                                            \
  _Pragma("unroll") for (int c = 0; c < normChunks; c++) _Pragma("unroll") for (int j = 0; j < 8; j++)

/**
 * out = x / √(mean(x²) + ε) · weight. With `added`, x + added takes the place of x and is stored as `sum` (which is
 * rounded first where its type rounds). rowThreads is 32 or 256, width at most 32 · rowThreads.
 */
extern "C" __global__ void __launch_bounds__(256)
    rmsNorm(const void *x, int xType, const void *added, int addedType, void *sum, int sumType, const void *weight,
            int weightType, void *out, int outType, int rows, int width, int rowThreads, float epsilon) {
  __shared__ float scratch[32];
  const NormRow of(rowThreads, width);
  // Rows beyond the last are computed as zeros, so that every thread meets the barriers.
  const bool exists = of.row < size_t(rows);
  float values[normChunks][8] = {};
  if (exists) of.load(x, xType, of.row, values);
  if (added && exists) {
    float more[normChunks][8];
    of.load(added, addedType, of.row, more);
    EVERY_NORM_ELEMENT values[c][j] += more[c][j];
    of.store(sum, sumType, values);
    if (sumType == typeBfloat16) EVERY_NORM_ELEMENT values[c][j] = toFloat(toBfloat16(values[c][j]));
  }
  const float squares = of.sum([&](int c, int j) { return values[c][j] * values[c][j]; }, scratch);
  const float inverse = rsqrtf(squares / width + epsilon);
  if (!exists) return;
  float weights[normChunks][8];
  of.load(weight, weightType, 0, weights);
  EVERY_NORM_ELEMENT values[c][j] *= inverse * weights[c][j];
  of.store(out, outType, values);
}
REGISTER_KERNEL(rmsNorm)

/** out = a·r − x·r³·mean(a·x), plus `added` where given, with a = cotangent · weight and r = 1/√(mean(x²) + ε). */
extern "C" __global__ void __launch_bounds__(256)
    rmsNormInputGrad(const void *x, int xType, const void *weight, int weightType, const void *cotangent,
                     int cotangentType, const void *added, int addedType, void *out, int outType, int rows, int width,
                     int rowThreads, float epsilon) {
  __shared__ float scratch[32];
  const NormRow of(rowThreads, width);
  const bool exists = of.row < size_t(rows);
  float values[normChunks][8] = {}, given[normChunks][8] = {};
  if (exists) {
    float weights[normChunks][8];
    of.load(x, xType, of.row, values);
    of.load(cotangent, cotangentType, of.row, given);
    of.load(weight, weightType, 0, weights);
    EVERY_NORM_ELEMENT given[c][j] *= weights[c][j];
  }
  const float squares = of.sum([&](int c, int j) { return values[c][j] * values[c][j]; }, scratch);
  const float products = of.sum([&](int c, int j) { return values[c][j] * given[c][j]; }, scratch);
  const float inverse = rsqrtf(squares / width + epsilon);
  const float along = inverse * inverse * inverse * (products / width);
  if (!exists) return;
  EVERY_NORM_ELEMENT given[c][j] = given[c][j] * inverse - values[c][j] * along;
  if (added) {
    of.load(added, addedType, of.row, values);
    EVERY_NORM_ELEMENT given[c][j] += values[c][j];
  }
  of.store(out, outType, given);
}
REGISTER_KERNEL(rmsNormInputGrad)

/** partial[chunk, column] = Σ cotangent · x · r over the chunk's rows: one block a chunk. */
extern "C" __global__ void __launch_bounds__(256)
    rmsNormWeightGrad(const void *x, int xType, const void *cotangent, int cotangentType, float *partial, int rows,
                      int width, int rowsPerBlock, float epsilon) {
  __shared__ float scratch[32];
  NormRow of(256, width);
  float sums[normChunks][8] = {};
  const size_t start = size_t(blockIdx.x) * rowsPerBlock;
  const size_t end = start + rowsPerBlock < size_t(rows) ? start + rowsPerBlock : size_t(rows);
  for (size_t row = start; row < end; row++) {
    float values[normChunks][8], given[normChunks][8];
    of.load(x, xType, row, values);
    of.load(cotangent, cotangentType, row, given);
    const float squares = of.sum([&](int c, int j) { return values[c][j] * values[c][j]; }, scratch);
    const float inverse = rsqrtf(squares / width + epsilon);
    EVERY_NORM_ELEMENT sums[c][j] += given[c][j] * values[c][j] * inverse;
  }
  of.row = blockIdx.x;
  of.store(partial, typeFloat32, sums);
}
REGISTER_KERNEL(rmsNormWeightGrad)

/**
 * Rotary embedding in the rotate-half convention: x [rows, heads · headDim], tables [positions, turned / 2], for the first
 * `turned` columns of each head; the others are copied. `inverse` turns the other way. One block for 256 of
 * rows · heads · headDim / 2 pairs.
 */
extern "C" __global__ void __launch_bounds__(256)
    rope(const void *x, int xType, int xStride, const int *positions, const float *cosines, const float *sines,
         void *out, int outType, int outStride, int rows, int heads, int headDim, int turned, int inverse) {
  const int pairs = headDim / 2, half = turned / 2;
  const size_t pair = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (pair >= size_t(rows) * heads * pairs) return;
  const int d = pair % pairs;
  const int head = pair / pairs % heads;
  const size_t row = pair / pairs / heads;
  if (d >= half) {
    const int column = head * headDim + d * 2;
    for (int i = 0; i < 2; i++) {
      storeElement(out, outType, row * outStride + column + i, loadElement(x, xType, row * xStride + column + i));
    }
    return;
  }
  const size_t entry = size_t(positions[row]) * half + d;
  const float cosine = cosines[entry], sine = inverse ? -sines[entry] : sines[entry];
  const size_t from = row * xStride + head * headDim + d, to = row * outStride + head * headDim + d;
  const float first = loadElement(x, xType, from), second = loadElement(x, xType, from + half);
  storeElement(out, outType, to, first * cosine - second * sine);
  storeElement(out, outType, to + half, second * cosine + first * sine);
}
REGISTER_KERNEL(rope)
