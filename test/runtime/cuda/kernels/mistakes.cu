// Kernels with the mistakes that the emulator is there to find, and the same without them. Blocks of 64 threads.
#include "platform.cuh"
#include "reduce.cuh"

/** out[i] = the number of the thread after this one; `careful` waits for it to be written. */
extern "C" __global__ void neighbour(float *out, int careful) {
  float *shared = reinterpret_cast<float *>(sharedMemory());
  shared[threadIdx.x] = threadIdx.x;
  if (careful) blockBarrier();
  out[threadIdx.x] = shared[(threadIdx.x + 1) % 64];
}
REGISTER_KERNEL(neighbour)

/** out[i] = in[i], by way of shared memory; `careful` waits for the copy. */
extern "C" __global__ void copied(const float *in, float *out, int careful) {
  float *shared = reinterpret_cast<float *>(sharedMemory()) + threadIdx.x * 4;
  copyAsync(shared, in + threadIdx.x * 4, 16);
  commitCopies();
  if (careful) waitForCopies<0>();
  for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = shared[i];
}
REGISTER_KERNEL(copied)

/** Half of the threads wait for the others, which are elsewhere: one of them at a shuffle. */
extern "C" __global__ void apart(float *out) {
  if (threadIdx.x % 32 == 5) blockBarrier();
  out[threadIdx.x] = warpSum(1.f);
}
REGISTER_KERNEL(apart)

/** Threads of one warp at different operations. */
extern "C" __global__ void mixed(float *out) {
  if (threadIdx.x % 2) warpBarrier();
  out[threadIdx.x] = warpSum(1.f);
}
REGISTER_KERNEL(mixed)

/** Writes one number beyond the `count` that are there. */
extern "C" __global__ void beyond(float *out, int count) {
  if (threadIdx.x == 0) out[count] = 1.f;
}
REGISTER_KERNEL(beyond)

/** Reads shared memory beyond what the launch gave. */
extern "C" __global__ void beyondShared(float *out) {
  out[threadIdx.x] = reinterpret_cast<float *>(sharedMemory())[threadIdx.x * 64];
}
REGISTER_KERNEL(beyondShared)
