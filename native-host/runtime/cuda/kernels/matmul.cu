// Matrix products of bfloat16 operands in three orientations and several tile sizes, and the end of a product whose k
// was cut. The parameters are said in matmul.cuh.
#include "matmul.cuh"

#define MATMUL(name, orientation, tileM, tileN, warpsM, warpsN, stages)                                               \
  extern "C" __global__ void __launch_bounds__(warpsM *warpsN * 32)                                                   \
      name(const bfloat16 *left, const bfloat16 *right, PRODUCT_PARAMETERS) {                                         \
    using Shape = TileShape<Orientation::orientation, tileM, tileN, warpsM, warpsN, stages>;                          \
    multiplyBlock<Shape>(Product{left, right, nullptr, PRODUCT_ARGUMENTS});                                           \
  }                                                                                                                   \
  REGISTER_KERNEL(name)

MATMUL(matmulNt128, Nt, 128, 128, 2, 2, 3)
MATMUL(matmulNn128, Nn, 128, 128, 2, 2, 3)
MATMUL(matmulTn128, Tn, 128, 128, 2, 2, 3)
MATMUL(matmulNt64, Nt, 64, 64, 2, 2, 4)
MATMUL(matmulNn64, Nn, 64, 64, 2, 2, 4)
MATMUL(matmulTn64, Tn, 64, 64, 2, 2, 4)
// For LoRA's products: few columns, or few rows.
MATMUL(matmulNtNarrow, Nt, 64, 32, 4, 1, 6)
MATMUL(matmulNnNarrow, Nn, 64, 32, 4, 1, 6)
MATMUL(matmulTnNarrow, Tn, 64, 32, 4, 1, 6)
MATMUL(matmulTnFlat, Tn, 32, 64, 1, 4, 6)

/** The result from partial [splits, batches, m, n]; block x: 256 eights of a batch entry's rows, block y: the entry. */
extern "C" __global__ void __launch_bounds__(256)
    matmulFinish(const float *partial, void *out, int outType, int outStride, int m, int n, int splits,
                 const void *bias, int biasType, const void *added, int addedType, int addedStride, float factor,
                 int accumulate, int batchOut) {
  Product p = {};
  p.m = m, p.n = n, p.outType = outType, p.outStride = outStride, p.batchOut = batchOut;
  p.bias = bias, p.biasType = biasType, p.added = added, p.addedType = addedType, p.addedStride = addedStride;
  p.factor = factor, p.accumulate = accumulate;
  const int eights = (n + 7) / 8, batch = blockIdx.y, batches = gridDim.y;
  const size_t e = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= size_t(m) * eights) return;
  const int row = e / eights, column = e % eights * 8;
  const int count = n - column < 8 ? n - column : 8;
  const bool wide = n % 8 == 0 && aligned16(partial);
  float sum[8] = {};
  for (int split = 0; split < splits; split++) {
    float x[8];
    const size_t at = ((size_t(split) * batches + batch) * m + row) * n + column;
    loadUpToEight(partial, typeFloat32, at, count, wide, x);
#pragma unroll
    for (int j = 0; j < 8; j++) sum[j] += x[j];
  }
  finishEight(p, sum, row, column, count, out, size_t(batch) * batchOut);
}
REGISTER_KERNEL(matmulFinish)
