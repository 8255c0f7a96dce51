// Rows of a table by number, and the gradient of the table.
#include "elements.cuh"

/** out[row] = table[ids[row]]: one block a row. */
extern "C" __global__ void __launch_bounds__(256)
    embedding(const void *table, int tableType, const int *ids, void *out, int outType, int rows, int columns) {
  const size_t row = blockIdx.x;
  if (row >= size_t(rows)) return;
  const size_t from = size_t(ids[row]) * columns;
  for (int column = threadIdx.x; column < columns; column += blockDim.x) {
    storeElement(out, outType, row * columns + column, loadElement(table, tableType, from + column));
  }
}
REGISTER_KERNEL(embedding)

/**
 * out[ids[row]] += cotangent[row] for float32 out: one block a row. The block of an id's first row adds all rows with that
 * id in order, so that no two blocks write one row of the table and the sum is always the same.
 */
extern "C" __global__ void __launch_bounds__(256)
    embeddingGrad(const int *ids, const void *cotangent, int cotangentType, float *out, int rows, int columns) {
  __shared__ int earlier;
  const int row = blockIdx.x;
  const int id = ids[row];
  if (threadIdx.x == 0) earlier = 0;
  blockBarrier();
  for (int other = threadIdx.x; other < row; other += blockDim.x) {
    if (ids[other] == id) earlier = 1;
  }
  blockBarrier();
  if (earlier) return;
  for (int other = row; other < rows; other++) {
    if (ids[other] != id) continue;
    for (int column = threadIdx.x; column < columns; column += blockDim.x) {
      out[size_t(id) * columns + column] += loadElement(cotangent, cotangentType, size_t(other) * columns + column);
    }
  }
}
REGISTER_KERNEL(embeddingGrad)
