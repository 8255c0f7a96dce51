/**
 * Number formats of GGUF tensors, and their values as F32. Quantised formats hold blocks of 32 or 256 values, each with
 * scales of its own. Source: https://github.com/ggml-org/ggml, ggml-common.h (layouts) and ggml-quants.c (values).
 */
import { widenBfloat16, widenFloat16 } from '../half-precision.ts';

export interface GgufFormat {
  name: string;
  /** Values in a block. */
  values: number;
  bytes: number;
  /** Writes the values of `count` whole blocks to the target. */
  decode(source: Uint8Array, target: Float32Array, count: number): void;
}

/** The value of the F16 at byte `at`. */
function halfAt(source: Uint8Array, at: number): number {
  halfBits[0] = source[at]! | (source[at + 1]! << 8);
  widenFloat16(halfBits, halfValue);
  return halfValue[0]!;
}
const halfBits = new Uint16Array(1);
const halfValue = new Float32Array(1);

/** Values of a whole number of halves; the source need not be aligned. */
function halves(source: Uint8Array, count: number): Uint16Array {
  return new Uint16Array(source.slice(0, 2 * count).buffer);
}

/** A format of blocks that are decoded one by one: `at` is the block's first byte, `to` its first value. */
function blocks(
  name: string,
  values: number,
  bytes: number,
  decodeBlock: (source: Uint8Array, at: number, target: Float32Array, to: number) => void,
): GgufFormat {
  return {
    name,
    values,
    bytes,
    decode(source, target, count) {
      for (let block = 0; block < count; block++) decodeBlock(source, block * bytes, target, block * values);
    },
  };
}

/**
 * Blocks of 32 codes: d, then m where there is one, then a word of fifth bits where there is one, then the codes by 4 bits,
 * those of the first half in the lower ones. A value is d · (code − zero) + m.
 */
function nibbles(name: string, { hasMinimum, fifthBit }: { hasMinimum: boolean; fifthBit: boolean }): GgufFormat {
  const codesAt = 2 + (hasMinimum ? 2 : 0) + (fifthBit ? 4 : 0);
  const zero = hasMinimum ? 0 : fifthBit ? 16 : 8;
  return blocks(name, 32, codesAt + 16, (source, at, target, to) => {
    const d = halfAt(source, at);
    const m = hasMinimum ? halfAt(source, at + 2) : 0;
    for (let i = 0; i < 32; i++) {
      const byte = source[at + codesAt + (i % 16)]!;
      const fifth = fifthBit ? (source[at + codesAt - 4 + (i >> 3)]! >> (i & 7)) & 1 : 0;
      const code = (i < 16 ? byte & 15 : byte >> 4) | (fifth << 4);
      target[to + i] = d * (code - zero) + m;
    }
  });
}

/** Scale and minimum of the i-th of 8 groups, of 6 bits each, out of 12 bytes. */
function groupScale(source: Uint8Array, at: number, i: number): { scale: number; minimum: number } {
  const byte = (j: number) => source[at + j]!;
  if (i < 4) return { scale: byte(i) & 63, minimum: byte(i + 4) & 63 };
  return {
    scale: (byte(i + 4) & 15) | ((byte(i - 4) >> 6) << 4),
    minimum: (byte(i + 4) >> 4) | ((byte(i) >> 6) << 4),
  };
}

/** Q4_K and Q5_K: 8 groups of 32, two of them in the lower and upper halves of 32 bytes. */
function groups(name: string, fifthBit: boolean): GgufFormat {
  const codesAt = fifthBit ? 48 : 16;
  return blocks(name, 256, codesAt + 128, (source, at, target, to) => {
    const d = halfAt(source, at);
    const dOfMinimum = halfAt(source, at + 2);
    for (let group = 0; group < 8; group++) {
      const { scale, minimum } = groupScale(source, at + 4, group);
      const factor = d * scale;
      const offset = dOfMinimum * minimum;
      const first = at + codesAt + 32 * (group >> 1);
      for (let i = 0; i < 32; i++) {
        const byte = source[first + i]!;
        const fifth = fifthBit ? (source[at + 16 + i]! >> group) & 1 : 0;
        const code = ((group & 1) === 0 ? byte & 15 : byte >> 4) | (fifth << 4);
        target[to + 32 * group + i] = factor * code - offset;
      }
    }
  });
}

/** Lower 4 bits [128], upper 2 bits [64], scales of 16 groups as signed bytes, d. Two halves of 128 values alike. */
const q6k = blocks('Q6_K', 256, 210, (source, at, target, to) => {
  const d = halfAt(source, at + 208);
  for (let i = 0; i < 256; i++) {
    const half = i >> 7;
    const quarter = (i >> 5) & 3;
    const low = source[at + 64 * half + (i & 31) + 32 * (quarter & 1)]!;
    const high = (source[at + 128 + 32 * half + (i & 31)]! >> (2 * quarter)) & 3;
    const code = (quarter < 2 ? low & 15 : low >> 4) | (high << 4);
    const scale = (source[at + 192 + (i >> 4)]! << 24) >> 24;
    target[to + i] = d * scale * (code - 32);
  }
});

const q80 = blocks('Q8_0', 32, 34, (source, at, target, to) => {
  const d = halfAt(source, at);
  for (let i = 0; i < 32; i++) target[to + i] = d * ((source[at + 2 + i]! << 24) >> 24);
});

const f32: GgufFormat = {
  name: 'F32',
  values: 1,
  bytes: 4,
  decode(source, target, count) {
    new Uint8Array(target.buffer, target.byteOffset, 4 * count).set(source.subarray(0, 4 * count));
  },
};
const f16: GgufFormat = {
  name: 'F16',
  values: 1,
  bytes: 2,
  decode: (source, target, count) => widenFloat16(halves(source, count), target.subarray(0, count)),
};
const bf16: GgufFormat = {
  name: 'BF16',
  values: 1,
  bytes: 2,
  decode: (source, target, count) => widenBfloat16(halves(source, count), target.subarray(0, count)),
};

/** By the number that stands for a format in the file. */
export const ggufFormats: ReadonlyMap<number, GgufFormat> = new Map([
  [0, f32],
  [1, f16],
  [2, nibbles('Q4_0', { hasMinimum: false, fifthBit: false })],
  [3, nibbles('Q4_1', { hasMinimum: true, fifthBit: false })],
  [6, nibbles('Q5_0', { hasMinimum: false, fifthBit: true })],
  [7, nibbles('Q5_1', { hasMinimum: true, fifthBit: true })],
  [8, q80],
  [12, groups('Q4_K', false)],
  [13, groups('Q5_K', true)],
  [14, q6k],
  [30, bf16],
]);

/** Formats that are not read, to name them in errors. */
export const otherFormats: ReadonlyMap<number, string> = new Map([
  [9, 'Q8_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K'],
  [15, 'Q8_K'],
  ...['IQ2_XXS', 'IQ2_XS', 'IQ3_XXS', 'IQ1_S', 'IQ4_NL', 'IQ3_S', 'IQ2_S', 'IQ4_XS'].map(
    (name, i): [number, string] => [16 + i, name],
  ),
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
]);
