import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blockLength, dequantize, quantize } from '../../native-host/model/coded-weights.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';

describe.each([8, 4] as const)('codes of %i bits', (bits) => {
  const values = randomValues(64 * blockLength);

  test('are off by half a step at the most, and meet the largest of each block', () => {
    const coded = quantize(values, bits);
    const back = dequantize(coded, bits);
    coded.scales.forEach((scale, block) => {
      const of = (numbers: Float32Array) => [...numbers.subarray(block * blockLength, (block + 1) * blockLength)];
      const largest = of(values).reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
      of(values).forEach((value, i) => {
        // Four bits have one code more below zero than above, so that what is opposite to the largest is cut off.
        const isCut = bits === 4 && value * largest < 0 && Math.abs(value) > 7.5 * Math.abs(scale);
        expect(Math.abs(of(back)[i]! - value)).toBeLessThanOrEqual((isCut ? 1 : 0.5 + 1e-6) * Math.abs(scale));
      });
      expect(of(back)).toContainEqual(expect.closeTo(largest, 6));
    });
  });

  test('quantising what was quantised changes nothing', () => {
    const once = quantize(values, bits);
    const twice = quantize(dequantize(once, bits), bits);
    expect(twice.codes).toEqual(once.codes);
    expect(Math.max(...twice.scales.map((scale, i) => Math.abs(scale - once.scales[i]!)))).toBeLessThan(1e-8);
  });

  test('zeros stay zeros, and parts of blocks are refused', () => {
    expect(dequantize(quantize(new Float32Array(blockLength), bits), bits).every((value) => value === 0)).toBe(true);
    expect(() => quantize(new Float32Array(blockLength + 1), bits)).toThrow(RangeError);
  });
});

describe('a model in codes', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lift-coded-'));
    await makeTinyModel(join(folder, 'model'), { seed: 1, config: { hidden_size: 64, intermediate_size: 96 } });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const open = (form: 'F32' | 'int8' | 'int4') =>
    openBaseModel(join(folder, 'model'), { folder: join(folder, 'cache'), form });

  test('projections are there as codes alone, the output embedding as codes of 8 bits, too', async () => {
    const plain = await open('F32');
    const model = await open('int4');
    const matrices = [...plain.weights.keys()].filter((name) => name.endsWith('_proj.weight'));
    expect([...model.coded!.keys()].sort()).toEqual([...matrices, 'model.embed_tokens.weight'].sort());
    for (const name of matrices) expect(model.weights.has(name)).toBe(false);
    expect(model.coded!.get('model.embed_tokens.weight')!.bits).toBe(8);
    expect(model.coded!.get(matrices[0]!)!.bits).toBe(4);
    const { shape, codes, scales } = model.coded!.get(matrices[0]!)!;
    expect(codes.byteLength).toBe((shape[0] * shape[1]) / 2);
    expect(scales.byteLength).toBe((shape[0] * shape[1]) / 8);
  });

  test('is written once', async () => {
    const { file } = [...(await open('int8')).coded!.values()][0]!;
    const before = await stat(file);
    await open('int8');
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
  });
});

function randomValues(count: number): Float32Array {
  const normal = normalNumbers(1);
  return Float32Array.from({ length: count }, () => normal());
}
