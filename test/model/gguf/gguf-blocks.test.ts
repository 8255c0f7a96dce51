import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ggufFormats } from '../../../native-host/model/gguf/gguf-blocks.ts';
import { float32Rows } from '../../../native-host/model/gguf/gguf-tensor.ts';

/** By format, random blocks and their values, made by scripts/reference/gguf_blocks.py. */
const reference = JSON.parse(
  readFileSync(new URL('../../fixtures/reference/gguf-blocks.json', import.meta.url), 'utf8'),
) as Record<string, { bytes: string; values: number[] }>;

const formatOf = (name: string) => [...ggufFormats.values()].find((format) => format.name === name)!;

test('there is a reference for every quantised format', () => {
  const quantised = [...ggufFormats.values()].filter(({ values }) => values > 1).map(({ name }) => name);
  expect(Object.keys(reference).sort()).toEqual(quantised.sort());
});

test.each(Object.keys(reference))('%s', (name) => {
  const { bytes, values } = reference[name]!;
  const source = Buffer.from(bytes, 'hex');
  const format = formatOf(name);
  const count = values.length / format.values;
  expect(source.length).toBe(count * format.bytes);
  // From an odd place, since tensors' blocks have odd sizes.
  const shifted = Buffer.concat([Buffer.of(0), source]).subarray(1);
  const target = new Float32Array(values.length);
  format.decode(shifted, target, count);
  const largest = Math.max(...values.map(Math.abs));
  for (const [i, value] of values.entries()) expect(Math.abs(target[i]! - value)).toBeLessThan(1e-6 * largest);
});

test('a tensor of many slices, its rows in the order of llama.cpp', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'lift-gguf-')), 'tensor');
  const [headDim, heads, columns] = [8, 70, 2048];
  const rows = headDim * heads;
  const start = 96;
  const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns));
  await writeFile(file, Buffer.concat([Buffer.alloc(start), Buffer.from(values.buffer)]));
  const format = formatOf('F32');
  const weight = { name: 'w', shape: [rows, columns], dtype: 'F32', format, file, byteOffset: start };
  for (const interleavedRows of [null, headDim]) {
    const found: number[] = [];
    const slices: number[] = [];
    for await (const slice of float32Rows({ ...weight, byteLength: values.byteLength, interleavedRows })) {
      slices.push(slice.length);
      for (let i = 0; i < slice.length; i += columns) found.push(slice[i]!);
    }
    expect(slices.length).toBeGreaterThan(2);
    const order = [0, 2, 4, 6, 1, 3, 5, 7];
    const wanted = Array.from({ length: rows }, (_, row) =>
      interleavedRows === null ? row : row - (row % headDim) + order[row % headDim]!,
    );
    expect(found).toEqual(wanted);
  }
});
