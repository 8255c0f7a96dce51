// AdamW on a flat vector, and the norm that it clips by and Muon divides by.
#include "elements.cuh"
#include "reduce.cuh"

/** partial[block] = Σ x² of every gridDim-th run of 256 elements. */
extern "C" __global__ void __launch_bounds__(256) sumOfSquares(const float *x, float *partial, int count) {
  __shared__ float scratch[32];
  float sum = 0.f;
  for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < size_t(count); i += size_t(gridDim.x) * blockDim.x) {
    sum += x[i] * x[i];
  }
  sum = blockSum(sum, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
REGISTER_KERNEL(sumOfSquares)

/** norm[0] = √Σ partial and, where it is given, inverse[0] = 1 / (norm + 1e-12): one block. */
extern "C" __global__ void __launch_bounds__(256)
    euclideanNorm(const float *partial, float *norm, float *inverse, int count) {
  __shared__ float scratch[32];
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  sum = blockSum(sum, scratch);
  if (threadIdx.x != 0) return;
  *norm = sqrtf(sum);
  if (inverse) *inverse = 1.f / (*norm + 1e-12f);
}
REGISTER_KERNEL(euclideanNorm)

/**
 * One AdamW step with decoupled weight decay, bias correction and clipping by `norm`, the gradient's. learningRate, step
 * and norm are scalars on the device. Outputs may be the inputs; `rounded`, where given, receives the parameters as
 * bfloat16.
 */
extern "C" __global__ void __launch_bounds__(256)
    adamw(const float *parameters, const float *first, const float *second, const float *gradient,
          const float *learningRate, const float *step, const float *norm, float *nextParameters, float *nextFirst,
          float *nextSecond, bfloat16 *rounded, float beta1, float beta2, float epsilon, float weightDecay,
          float clipNorm, int count) {
  const size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size_t(count)) return;
  const float clip = fminf(clipNorm / (*norm + 1e-6f), 1.f);
  // 1 − βᵗ without the cancellation that the difference would have at the first steps.
  const float firstCorrection = -expm1f(*step * logf(beta1));
  const float rootOfSecond = sqrtf(-expm1f(*step * logf(beta2)));
  const float rate = *learningRate * rootOfSecond / firstCorrection;
  const float given = gradient[i] * clip;
  const float m = beta1 * first[i] + (1.f - beta1) * given;
  const float v = beta2 * second[i] + (1.f - beta2) * given * given;
  const float kept = parameters[i] * (1.f - *learningRate * weightDecay);
  const float next = kept - rate * m / (sqrtf(v) + epsilon * rootOfSecond);
  nextFirst[i] = m;
  nextSecond[i] = v;
  nextParameters[i] = next;
  if (rounded) rounded[i] = toBfloat16(next);
}
REGISTER_KERNEL(adamw)
