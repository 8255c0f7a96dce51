import { describe, expect, test } from 'vitest';
import {
  narrowToBfloat16,
  narrowToFloat16,
  widenBfloat16,
  widenFloat16,
} from '../../native-host/model/half-precision.ts';

const everyHalf = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/** IEEE 754 binary16 from its definition. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('half precision', () => {
  test('every F16 widens to its value and narrows back to its bits', () => {
    const wide = new Float32Array(65536);
    widenFloat16(everyHalf, wide);
    for (let bits = 0; bits < 65536; bits++) {
      if (!Object.is(wide[bits], float16Value(bits))) throw new Error(`${bits}: ${wide[bits]}`);
    }
    const back = narrowToFloat16(wide);
    for (let bits = 0; bits < 65536; bits++) {
      const isNaNValue = Number.isNaN(wide[bits]);
      if (isNaNValue ? (back[bits]! & 0x7fff) <= 0x7c00 : back[bits] !== bits)
        throw new Error(`${bits}: ${back[bits]}`);
    }
  });

  test('every BF16 widens to the upper half of an F32 and narrows back', () => {
    const wide = new Float32Array(65536);
    widenBfloat16(everyHalf, wide);
    expect([wide[0x3f80], wide[0xc000], wide[0x3dcd]]).toEqual([1, -2, Math.fround(0.10009765625)]);
    const back = narrowToBfloat16(wide);
    for (let bits = 0; bits < 65536; bits++) {
      const isNaNValue = Number.isNaN(wide[bits]);
      if (isNaNValue ? (back[bits]! & 0x7fff) <= 0x7f80 : back[bits] !== bits)
        throw new Error(`${bits}: ${back[bits]}`);
    }
  });

  test('narrowing takes the nearest value, ties to even', () => {
    // The spacing of F16 is 2^-10 from 1 on, and 2^-24 below 2^-14; that of BF16 is 2^-7 from 1 on.
    const half = narrowToFloat16(
      Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20, 65519, 65520, 2 ** -25, 2 ** -25 * 1.01),
    );
    expect([...half]).toEqual([0x3c00, 0x3c02, 0x3c01, 0x7bff, 0x7c00, 0, 1]);
    const brain = narrowToBfloat16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -16, 3.4e38));
    expect([...brain]).toEqual([0x3f80, 0x3f82, 0x3f81, 0x7f80]);
  });

  test('narrowing is never further off than the neighbours', () => {
    const values = Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i) * 2 ** ((i % 44) - 27));
    const rounded = new Float32Array(values.length);
    widenFloat16(narrowToFloat16(values), rounded);
    values.forEach((value, i) => {
      const spacing = Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10));
      const isNear = Math.abs(value) >= 65504 || Math.abs(rounded[i]! - value) <= spacing / 2;
      if (!isNear) throw new Error(`${value} became ${rounded[i]}`);
    });
  });
});
