import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ModelError } from '../../native-host/model/model-error.ts';
import { readSafetensors, readTensor, storedTensor, writeSafetensors } from '../../native-host/model/safetensors.ts';
import { createSafetensors } from '../../native-host/model/safetensors-writer.ts';

let file: string;
beforeEach(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), 'lift-safetensors-')), 'x.safetensors');
});

/** A file with this header, given as JSON text or as a value, and that many bytes of data. */
async function write(header: unknown, dataBytes: number, extra = 0): Promise<void> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length + extra));
  await writeFile(file, Buffer.concat([length, json, Buffer.alloc(dataBytes, 1)]));
}

async function problems(): Promise<string> {
  try {
    await readSafetensors(file);
  } catch (error) {
    if (error instanceof ModelError) return error.mismatches.join('\n');
    throw error;
  }
  return '';
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('writing and reading', () => {
  const data = Float32Array.of(1.5, -2, 0.25, 1e-3, 3e38, 0);

  test('values, shapes and metadata come back, in each dtype', async () => {
    await writeSafetensors(
      file,
      [
        { name: 'a', dtype: 'F32', shape: [2, 3], data },
        { name: 'empty', dtype: 'F32', shape: [0, 4], data: new Float32Array() },
        { name: 'b', dtype: 'BF16', shape: [6], data },
        { name: '__proto__', dtype: 'F16', shape: [3], data: data.subarray(0, 3) },
        { name: 'scalar', dtype: 'F32', shape: [], data: Float32Array.of(7) },
      ],
      { format: 'pt' },
    );
    const read = await readSafetensors(file);
    expect(read.metadata).toEqual({ format: 'pt' });
    expect([...read.entries.keys()].sort()).toEqual(['__proto__', 'a', 'b', 'empty', 'scalar']);
    expect(await readTensor(storedTensor(read, 'a'))).toEqual(data);
    expect([...(await readTensor(storedTensor(read, 'b'))).subarray(0, 3)]).toEqual([1.5, -2, 0.25]);
    expect(await readTensor(storedTensor(read, '__proto__'))).toEqual(data.slice(0, 3));
    expect(await readTensor(storedTensor(read, 'empty'))).toEqual(new Float32Array());
    expect(await readTensor(storedTensor(read, 'scalar'))).toEqual(Float32Array.of(7));
    expect(storedTensor(read, 'a')).toMatchObject({ name: 'a', dtype: 'F32', shape: [2, 3], file, byteLength: 24 });
    expect(storedTensor(read, 'a').byteOffset % 64).toBe(0);
    expect((await readFile(file)).readBigUInt64LE(0) % 8n).toBe(0n);
  });

  test('the same content gives the same bytes', async () => {
    const tensors = [{ name: 'a', dtype: 'F32' as const, shape: [6], data }];
    await writeSafetensors(file, tensors, { a: '1' });
    const first = await readFile(file);
    await writeSafetensors(file, tensors, { a: '1' });
    expect((await readFile(file)).equals(first)).toBe(true);
  });

  test('a tensor larger than a slice', async () => {
    const long = Float32Array.from({ length: 3_000_001 }, (_, i) => i % 251);
    await writeSafetensors(file, [
      { name: 'pad', dtype: 'BF16', shape: [1], data: Float32Array.of(0) },
      { name: 'long', dtype: 'F32', shape: [long.length], data: long },
      { name: 'half', dtype: 'BF16', shape: [long.length], data: long },
    ]);
    const read = await readSafetensors(file);
    // The first tensor takes two bytes, so the floats lie at an odd address.
    expect(storedTensor(read, 'long').byteOffset % 4).toBe(2);
    expect((await readTensor(storedTensor(read, 'long'))).every((value, i) => value === i % 251)).toBe(true);
    expect((await readTensor(storedTensor(read, 'half'))).every((value, i) => value === i % 251)).toBe(true);
  });

  test('an interrupted write leaves the old file and nothing else', async () => {
    await writeSafetensors(file, [{ name: 'a', dtype: 'F32', shape: [6], data }]);
    const before = await readFile(file);
    const writer = await createSafetensors(file, [{ name: 'b', dtype: 'F32', shape: [6] }]);
    await writer.write(new Uint8Array(20));
    await expect(writer.commit()).rejects.toThrow('20 bytes instead of the 24');
    await expect(writer.write(new Uint8Array(5))).rejects.toThrow('more bytes');
    await writer.discard();
    await writer.discard();
    expect((await readFile(file)).equals(before)).toBe(true);
    expect(await readdir(path.dirname(file))).toEqual(['x.safetensors']);
    const wrong = [{ name: 'a', dtype: 'F32' as const, shape: [7], data }];
    await expect(writeSafetensors(file, wrong)).rejects.toThrow('24 bytes instead of the 28');
    expect(await readdir(path.dirname(file))).toEqual(['x.safetensors']);
    await expect(writeSafetensors(file, [wrong[0]!, wrong[0]!])).rejects.toThrow('same name');
  });

  test('a file in a folder that is not there', async () => {
    await expect(writeSafetensors(path.join(file, 'no/x'), [])).rejects.toThrow('ENOENT');
  });
});

describe('damaged files', () => {
  test('a file that is missing, empty, or a folder', async () => {
    expect(await problems()).toContain('ENOENT');
    await writeFile(file, '');
    expect(await problems()).toContain('0 bytes');
    file = path.dirname(file);
    expect(await problems()).toContain('not a file');
  });

  test('a header length beyond the file or the limit', async () => {
    await write({ a: entry(0, 8) }, 8, 1000);
    expect(await problems()).toContain('cut short');
    await writeFile(file, Buffer.alloc(64, 0xff));
    expect(await problems()).toContain('more than the 100000000 allowed');
  });

  test('a header that is not a JSON object', async () => {
    await write('{"a": ', 8);
    expect(await problems()).toContain('not valid JSON');
    await write('[1, 2, 3]', 8);
    expect(await problems()).toContain('does not start with "{"');
    await write('{"\xff\xfe"', 8);
    expect(await problems()).toContain('not valid JSON');
  });

  test('a truncated file names the tensors that are cut', async () => {
    await write({ a: entry(0, 8), b: entry(8, 40) }, 24);
    expect(await problems()).toMatch(/^b ends at byte \d+, but the file has \d+ bytes/);
  });

  test('gaps, overlaps, and bytes that belong to nothing', async () => {
    await write({ a: entry(0, 8), b: entry(12, 20) }, 20);
    expect(await problems()).toContain('b leaves a gap');
    await write({ a: entry(0, 8), b: entry(4, 20) }, 20);
    expect(await problems()).toContain('b overlaps');
    await write({ a: entry(0, 8) }, 12);
    expect(await problems()).toContain('last 4 bytes belong to no tensor');
    await write({ a: entry(4, 12) }, 12);
    expect(await problems()).toContain('a leaves a gap');
  });

  test('every broken entry is listed', async () => {
    await write(
      {
        a: entry(0, 8, [3]),
        b: entry(8, 4),
        c: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] },
        d: { dtype: 'F32', shape: [1] },
        e: { shape: [1], data_offsets: [0, 4] },
        f: 7,
        g: entry(0, 2 ** 52, [2 ** 50]),
        h: { dtype: 'F32', shape: [2 ** 52, 2 ** 52, 0.5], data_offsets: [0, 4] },
        __metadata__: { format: 1 },
      },
      16,
    );
    const found = await problems();
    for (const name of 'abcdefgh') expect(found).toMatch(new RegExp(`^${name} `, 'm'));
    expect(found).toContain('__metadata__');
  });

  test('a tensor named twice', async () => {
    const a = JSON.stringify(entry(0, 8));
    await write(`{"a":${a},"\\u0061":${a}}`, 8);
    expect(await problems()).toBe('Its header names a twice.');
    // Keys of inner objects may repeat across tensors, and text may hold brackets, quotes and colons.
    await write(`{"x\\"y:{":${a},"b":${JSON.stringify(entry(8, 16))},"__metadata__":{"a":"{\\"a\\":[","b":"b"}}`, 16);
    expect(await problems()).toBe('');
  });

  test('a dtype that cannot be read is an error only for whoever needs the tensor', async () => {
    await write({ a: entry(0, 8, [8], 'I8'), b: entry(8, 12), c: entry(12, 15, [7], 'F6_E2M3') }, 15);
    const read = await readSafetensors(file);
    expect(await readTensor(storedTensor(read, 'b'))).toHaveLength(1);
    expect(() => storedTensor(read, 'a')).toThrow('dtype I8');
    expect(() => storedTensor(read, 'c')).toThrow('dtype F6_E2M3');
    expect(() => storedTensor(read, 'd')).toThrow('no tensor d');
  });

  test('a file that became shorter after its header was read', async () => {
    await write({ a: entry(0, 4000) }, 4000);
    const tensor = storedTensor(await readSafetensors(file), 'a');
    await writeFile(file, (await readFile(file)).subarray(0, 1000));
    await expect(readTensor(tensor)).rejects.toThrow('ends inside the tensor a');
  });
});
