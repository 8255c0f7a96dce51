import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  makeFolder,
  removeTemporaryFiles,
  retryWhileBusy,
  writeFileAtomically,
} from '../../native-host/store/atomic-file.ts';
import { temporaryFolder } from './store-fixture.ts';

let temporary: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  temporary = temporaryFolder();
});
afterEach(() => temporary.remove());

test('writes the parts one after another, also those larger than a slice, and says their size and hash', async () => {
  const parts = [Buffer.from('head'), Buffer.alloc(9 << 20, 7), new Uint8Array(0), Buffer.from('tail')];
  const path = join(temporary.path, 'file');
  writeFileSync(path, 'before');
  const written = await writeFileAtomically(path, parts);
  const whole = Buffer.concat(parts);
  expect(readFileSync(path).equals(whole)).toBe(true);
  expect(written).toEqual({ bytes: whole.length, sha256: createHash('sha256').update(whole).digest('hex') });
  expect(readdirSync(temporary.path)).toEqual(['file']);
});

test('an error leaves what was there and no temporary file', async () => {
  const path = join(temporary.path, 'file');
  mkdirSync(path);
  writeFileSync(join(path, 'inside'), 'before');
  await expect(writeFileAtomically(path, [Buffer.from('new')])).rejects.toThrow();
  expect(readdirSync(temporary.path)).toEqual(['file']);
  expect(readFileSync(join(path, 'inside'), 'utf8')).toBe('before');
});

test('tries again while a file is held open, and gives up with the reason', async () => {
  const busy = (times: number) => {
    let calls = 0;
    return async () => {
      if (++calls <= times) throw Object.assign(new Error('busy'), { code: 'EBUSY' });
      return calls;
    };
  };
  expect(await retryWhileBusy(busy(2))).toBe(3);
  await expect(retryWhileBusy(busy(9), 2)).rejects.toThrow('busy');
  await expect(
    retryWhileBusy(async () => {
      throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    }),
  ).rejects.toThrow('gone');
});

test('makes folders, and removes only temporary files', async () => {
  const folder = join(temporary.path, 'a', 'b', 'c');
  await makeFolder(folder);
  await makeFolder(folder);
  for (const name of ['manifest.json', 'manifest.json.12-ab.tmp', 'x.tmp']) writeFileSync(join(folder, name), '');
  await removeTemporaryFiles(folder);
  expect(readdirSync(folder)).toEqual(['manifest.json']);
});
