// The whole set of kernels as one unit: one fat binary on a card, one library in the emulator.
#include "elementwise.cu"
#include "embedding.cu"
#include "loss.cu"
#include "matmul.cu"
#include "norm.cu"
#include "optimizer.cu"
