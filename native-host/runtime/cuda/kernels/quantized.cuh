// Frozen weights as codes: each 32 neighbours of a row share a bfloat16 scale, and are either bytes (value = (code − 128) ·
// scale) or half bytes (value = (code − 8) · scale). Rows are multiples of 32 long. In each eight half bytes of a word,
// the first and second of a pair of neighbours lie four apart, where one mask fetches both.
#pragma once
#include "elements.cuh"

constexpr int quantizedBlock = 32;

/** The numbers 128 + low half and 128 + high half of a word with codes below 128 in its halves, as floats. */
__device__ __forceinline__ void unpackCodes(uint32_t halves, float &first, float &second) {
  unpackBfloat16(halves | 0x43004300u, first, second);
}

struct CodesInt8 {
  /** Bytes of a block's codes. */
  static constexpr int blockBytes = 32;
  static constexpr int bytesOfEight = 8;

  /** Eight neighbours from eight bytes. */
  static __device__ __forceinline__ void decode(const uint32_t *codes, float scale, float (&x)[8]) {
#pragma unroll
    for (int word = 0; word < 2; word++) {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        // The byte as the last of a float's 23 fraction bits: 2^23 + code.
        const float shifted = bitsToFloat(0x4b000000u | ((codes[word] >> (8 * j)) & 255u));
        x[word * 4 + j] = (shifted - 8388736.f) * scale;
      }
    }
  }
};

struct CodesInt4 {
  static constexpr int blockBytes = 16;
  static constexpr int bytesOfEight = 4;

  /** Eight neighbours from one word. */
  static __device__ __forceinline__ void decode(const uint32_t *codes, float scale, float (&x)[8]) {
#pragma unroll
    for (int pair = 0; pair < 4; pair++) {
      float first, second;
      unpackCodes((codes[0] >> (4 * pair)) & 0x000f000fu, first, second);
      x[pair * 2] = (first - 136.f) * scale;
      x[pair * 2 + 1] = (second - 136.f) * scale;
    }
  }
};

/** A block's codes in registers. */
template <class Codes> struct CodeBlock {
  uint4 words[Codes::blockBytes / 16];
  float scale;

  __device__ __forceinline__ void load(const uint8_t *codes, const bfloat16 *scales, size_t block) {
    const uint4 *from = reinterpret_cast<const uint4 *>(codes + block * Codes::blockBytes);
#pragma unroll
    for (int i = 0; i < Codes::blockBytes / 16; i++) words[i] = from[i];
    scale = toFloat(scales[block]);
  }
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < Codes::blockBytes / 16; i++) words[i] = {0, 0, 0, 0};
    scale = 0.f;
  }
  /** Neighbours 8 · eight to 8 · eight + 7. `eight` is known when compiled. */
  __device__ __forceinline__ void decode(int eight, float (&x)[8]) const {
    const uint32_t all[] = {words[0].x, words[0].y, words[0].z, words[0].w,
                            words[Codes::blockBytes / 16 - 1].x, words[Codes::blockBytes / 16 - 1].y,
                            words[Codes::blockBytes / 16 - 1].z, words[Codes::blockBytes / 16 - 1].w};
    Codes::decode(all + eight * Codes::bytesOfEight / 4, scale, x);
  }
};
