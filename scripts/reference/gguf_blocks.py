"""Blocks of GGUF's number formats with the values that they stand for, each written out from the format's description.

Independent of the engine: one value at a time, from the layouts in ggml-common.h and what ggml-quants.c computes with
them. Usage: gguf_blocks.py <output file>. Writes {format: {bytes: hexadecimal digits, values: floats}}.
"""

import json
import random
import struct
import sys

BLOCKS = 2


def half(data, at):
    return struct.unpack_from('<e', data, at)[0]


def signed(byte):
    return byte - 256 if byte > 127 else byte


def q8_0(data):
    return [half(data, 0) * signed(data[2 + i]) for i in range(32)]


def low_or_high(codes, i):
    """32 codes of 4 bits in 16 bytes: the first 16 are the lower halves, the rest the upper ones."""
    return codes[i] % 16 if i < 16 else codes[i - 16] // 16


def q4_0(data):
    return [half(data, 0) * (low_or_high(data[2:], i) - 8) for i in range(32)]


def q4_1(data):
    return [half(data, 0) * low_or_high(data[4:], i) + half(data, 2) for i in range(32)]


def fifth(word, i):
    return 16 if struct.unpack('<I', word)[0] & 2**i else 0


def q5_0(data):
    return [half(data, 0) * (low_or_high(data[6:], i) + fifth(data[2:6], i) - 16) for i in range(32)]


def q5_1(data):
    return [half(data, 0) * (low_or_high(data[8:], i) + fifth(data[4:8], i)) + half(data, 2) for i in range(32)]


def six_bit_pairs(data):
    """Eight scales and eight minimums in 12 bytes."""
    scales, minimums = [], []
    for i in range(4):
        scales.append(data[i] % 64)
        minimums.append(data[4 + i] % 64)
    for i in range(4):
        scales.append(data[8 + i] % 16 + 16 * (data[i] // 64))
        minimums.append(data[8 + i] // 16 + 16 * (data[4 + i] // 64))
    return scales, minimums


def q4_k(data):
    scales, minimums = six_bit_pairs(data[4:16])
    values = []
    for pair in range(4):
        codes = data[16 + 32 * pair : 48 + 32 * pair]
        for group, of in ((2 * pair, lambda byte: byte % 16), (2 * pair + 1, lambda byte: byte // 16)):
            values += [half(data, 0) * scales[group] * of(byte) - half(data, 2) * minimums[group] for byte in codes]
    return values


def q5_k(data):
    scales, minimums = six_bit_pairs(data[4:16])
    values = []
    for pair in range(4):
        codes = data[48 + 32 * pair : 80 + 32 * pair]
        for group, of in ((2 * pair, lambda byte: byte % 16), (2 * pair + 1, lambda byte: byte // 16)):
            for byte, bits in zip(codes, data[16:48]):
                code = of(byte) + (16 if bits & 2**group else 0)
                values.append(half(data, 0) * scales[group] * code - half(data, 2) * minimums[group])
    return values


def q6_k(data):
    low, high, scales = data[:128], data[128:192], data[192:208]
    values = [0.0] * 256
    for part in range(2):
        for i in range(32):
            first, second, two = low[64 * part + i], low[64 * part + 32 + i], high[32 * part + i]
            codes = [first % 16, second % 16, first // 16, second // 16]
            for quarter, code in enumerate(codes):
                place = 128 * part + 32 * quarter + i
                code += 16 * (two // 4**quarter % 4)
                values[place] = half(data, 208) * signed(scales[place // 16]) * (code - 32)
    return values


# Bytes of a block, where it has halves, and its values.
FORMATS = {
    'Q4_0': (18, [0], q4_0),
    'Q4_1': (20, [0, 2], q4_1),
    'Q5_0': (22, [0], q5_0),
    'Q5_1': (24, [0, 2], q5_1),
    'Q8_0': (34, [0], q8_0),
    'Q4_K': (144, [0, 2], q4_k),
    'Q5_K': (176, [0, 2], q5_k),
    'Q6_K': (210, [208], q6_k),
}


def main():
    source = random.Random(7)
    result = {}
    for name, (size, halves, decode) in FORMATS.items():
        data, values = b'', []
        for _ in range(BLOCKS):
            block = bytearray(source.randrange(256) for _ in range(size))
            for at in halves:
                struct.pack_into('<e', block, at, source.uniform(-0.1, 0.1))
            data += block
            values += decode(bytes(block))
        result[name] = {'bytes': data.hex(), 'values': [float(f'{value:.9g}') for value in values]}
    with open(sys.argv[1], 'w') as file:
        file.write(json.dumps(result, separators=(',', ':')) + '\n')
    print(f'{len(FORMATS)} formats of GGUF, {BLOCKS} blocks each')


if __name__ == '__main__':
    main()
