// Kernels that make each element of the output from the same element of the inputs, and copies.
#include "elements.cuh"
#include "reduce.cuh"

#define ELEMENTWISE extern "C" __global__ void __launch_bounds__(256)

__device__ __forceinline__ float sigmoidOf(float x) { return 1.f / (1.f + expf(-x)); }

/** out[i] = x[i] in another type. */
ELEMENTWISE convert(const void *x, int xType, void *out, int outType, int count) {
  const Place in[] = {readPlace(x, xType)}, to[] = {{out, outType}};
  mapElements(in, to, count, [](const float (&given)[1], float (&made)[1]) { made[0] = given[0]; });
}
REGISTER_KERNEL(convert)

ELEMENTWISE fill(void *out, int outType, float value, int count) {
  const size_t start = (size_t(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  for (int j = 0; j < 8; j++) {
    if (start + j < size_t(count)) storeElement(out, outType, start + j, value);
  }
}
REGISTER_KERNEL(fill)

__device__ __forceinline__ void copyRow(const void *x, int xType, size_t from, void *out, int outType, size_t to,
                                        int columns) {
  for (int column = threadIdx.x; column < columns; column += blockDim.x) {
    storeElement(out, outType, to + column, loadElement(x, xType, from + column));
  }
}

/** out[row, column] = x[row, column], each with its own stride: one block a row. */
ELEMENTWISE copyRows(const void *x, int xType, int xStride, void *out, int outType, int outStride, int rows,
                     int columns) {
  const size_t row = blockIdx.x;
  if (row < size_t(rows)) copyRow(x, xType, row * xStride, out, outType, row * outStride, columns);
}
REGISTER_KERNEL(copyRows)

/** cache[past + row] = x[row] for rows of `columns`; past is read on the device: one block a row. */
ELEMENTWISE appendRows(const void *x, int xType, int xStride, void *cache, int cacheType, const int *past, int rows,
                       int columns) {
  const size_t row = blockIdx.x;
  if (row < size_t(rows)) copyRow(x, xType, row * xStride, cache, cacheType, (row + *past) * columns, columns);
}
REGISTER_KERNEL(appendRows)

ELEMENTWISE add(const void *left, int leftType, const void *right, int rightType, void *out, int outType, int count) {
  const Place in[] = {readPlace(left, leftType), readPlace(right, rightType)}, to[] = {{out, outType}};
  mapElements(in, to, count, [](const float (&given)[2], float (&made)[1]) { made[0] = given[0] + given[1]; });
}
REGISTER_KERNEL(add)

ELEMENTWISE multiply(const void *left, int leftType, const void *right, int rightType, void *out, int outType,
                     int count) {
  const Place in[] = {readPlace(left, leftType), readPlace(right, rightType)}, to[] = {{out, outType}};
  mapElements(in, to, count, [](const float (&given)[2], float (&made)[1]) { made[0] = given[0] * given[1]; });
}
REGISTER_KERNEL(multiply)

/** out[i] = factor · x[i] + offset */
ELEMENTWISE affine(const void *x, int xType, void *out, int outType, float factor, float offset, int count) {
  const Place in[] = {readPlace(x, xType)}, to[] = {{out, outType}};
  mapElements(in, to, count,
              [=](const float (&given)[1], float (&made)[1]) { made[0] = fmaf(factor, given[0], offset); });
}
REGISTER_KERNEL(affine)

/** out[i] = factor · x[i], the factor being a float32 on the device. */
ELEMENTWISE scaleBy(const void *x, int xType, const float *factor, void *out, int outType, int count) {
  const Place in[] = {readPlace(x, xType)}, to[] = {{out, outType}};
  const float by = *factor;
  mapElements(in, to, count, [=](const float (&given)[1], float (&made)[1]) { made[0] = by * given[0]; });
}
REGISTER_KERNEL(scaleBy)

ELEMENTWISE sigmoid(const void *x, int xType, void *out, int outType, int count) {
  const Place in[] = {readPlace(x, xType)}, to[] = {{out, outType}};
  mapElements(in, to, count, [](const float (&given)[1], float (&made)[1]) { made[0] = sigmoidOf(given[0]); });
}
REGISTER_KERNEL(sigmoid)

/** out[i] = silu(gate[i]) · up[i], with silu(g) = g · sigmoid(g). */
ELEMENTWISE swiglu(const void *gate, int gateType, const void *up, int upType, void *out, int outType, int count) {
  const Place in[] = {readPlace(gate, gateType), readPlace(up, upType)}, to[] = {{out, outType}};
  mapElements(in, to, count, [](const float (&given)[2], float (&made)[1]) {
    made[0] = given[0] * sigmoidOf(given[0]) * given[1];
  });
}
REGISTER_KERNEL(swiglu)

/** ofGate = cotangent · up · σ(gate)(1 + gate(1 − σ(gate))), ofUp = cotangent · silu(gate); either may be absent. */
ELEMENTWISE swigluGrad(const void *gate, int gateType, const void *up, int upType, const void *cotangent,
                       int cotangentType, void *ofGate, int ofGateType, void *ofUp, int ofUpType, int count) {
  const Place in[] = {readPlace(gate, gateType), readPlace(up, upType), readPlace(cotangent, cotangentType)};
  const Place to[] = {{ofGate, ofGateType}, {ofUp, ofUpType}};
  mapElements(in, to, count, [](const float (&given)[3], float (&made)[2]) {
    const float slope = sigmoidOf(given[0]);
    made[0] = given[2] * given[1] * slope * (1.f + given[0] * (1.f - slope));
    made[1] = given[2] * given[0] * slope;
  });
}
REGISTER_KERNEL(swigluGrad)

/** out[row, column] = x[row, column] + bias[column]: one block a row. */
ELEMENTWISE addBias(const void *x, int xType, const void *bias, int biasType, void *out, int outType, int rows,
                    int columns) {
  const size_t row = blockIdx.x;
  if (row >= size_t(rows)) return;
  for (int column = threadIdx.x; column < columns; column += blockDim.x) {
    const size_t i = row * columns + column;
    storeElement(out, outType, i, loadElement(x, xType, i) + loadElement(bias, biasType, column));
  }
}
REGISTER_KERNEL(addBias)

/** partial[chunk, column] = the sum of x over that chunk's rows: block (column / 256, chunk). */
ELEMENTWISE columnSum(const void *x, int xType, float *partial, int rows, int columns, int rowsPerBlock) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  const int start = blockIdx.y * rowsPerBlock;
  const int end = start + rowsPerBlock < rows ? start + rowsPerBlock : rows;
  float sum = 0.f;
  for (int row = start; row < end; row++) sum += loadElement(x, xType, size_t(row) * columns + column);
  partial[size_t(blockIdx.y) * columns + column] = sum;
}
REGISTER_KERNEL(columnSum)

/** out[column] = the sum over chunks, added to what is there where accumulate is 1: one thread a column. */
ELEMENTWISE columnSumFinish(const float *partial, float *out, int chunks, int columns, int accumulate) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  float sum = accumulate ? out[column] : 0.f;
  for (int chunk = 0; chunk < chunks; chunk++) sum += partial[size_t(chunk) * columns + column];
  out[column] = sum;
}
REGISTER_KERNEL(columnSumFinish)

/** out = (1 − gate) · a + gate · b for heads of headDim columns, one gate [rows, heads] a head: one block a row. */
ELEMENTWISE gatedBlend(const void *a, int aType, const void *b, int bType, const void *gate, int gateType, void *out,
                       int outType, int rows, int heads, int headDim) {
  const size_t row = blockIdx.x;
  if (row >= size_t(rows)) return;
  for (int column = threadIdx.x; column < heads * headDim; column += blockDim.x) {
    const size_t i = row * heads * headDim + column;
    const float share = loadElement(gate, gateType, row * heads + column / headDim);
    const float left = loadElement(a, aType, i);
    storeElement(out, outType, i, fmaf(share, loadElement(b, bType, i) - left, left));
  }
}
REGISTER_KERNEL(gatedBlend)

/** ofA = (1 − gate) · cotangent, ofB = gate · cotangent, ofGate = Σ cotangent · (b − a) of the head: one warp a head. */
ELEMENTWISE gatedBlendGrad(const void *a, int aType, const void *b, int bType, const void *gate, int gateType,
                           const void *cotangent, int cotangentType, void *ofA, int ofAType, void *ofB, int ofBType,
                           void *ofGate, int ofGateType, int rows, int heads, int headDim) {
  const size_t head = size_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (head >= size_t(rows) * heads) return;
  const float share = loadElement(gate, gateType, head);
  float sum = 0.f;
  for (int d = threadIdx.x % 32; d < headDim; d += 32) {
    const size_t i = head * headDim + d;
    const float given = loadElement(cotangent, cotangentType, i);
    sum += given * (loadElement(b, bType, i) - loadElement(a, aType, i));
    storeElement(ofA, ofAType, i, given * (1.f - share));
    storeElement(ofB, ofBType, i, given * share);
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) storeElement(ofGate, ofGateType, head, sum);
}
REGISTER_KERNEL(gatedBlendGrad)
