// The committed fat binary is that of the sources beside it.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { kernelTable } from '../../../../native-host/runtime/cuda/kernel-table.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const kernels = 'native-host/runtime/cuda/kernels';
const copy = mkdtempSync(path.join(tmpdir(), 'lift-kernels-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('matches its sources', () => {
  execFileSync(process.execPath, ['scripts/build-kernels.mjs', '--check'], { cwd: root });
});

test('is small enough to ship, and has every kernel of the table', () => {
  const file = path.join(root, kernels, 'kernels.fatbin');
  expect(statSync(file).size).toBeLessThan(8e6);
  expect(readFileSync(file).readUInt32LE(0)).toBe(0xba55ed50);
  expect(Object.keys(kernelTable).length).toBeGreaterThan(50);
});

test('a source that was changed without compiling is named', () => {
  cpSync(path.join(root, kernels), path.join(copy, kernels), { recursive: true });
  cpSync(path.join(root, 'scripts/build-kernels.mjs'), path.join(copy, 'scripts/build-kernels.mjs'));
  const source = path.join(copy, kernels, 'norm.cu');
  writeFileSync(source, `${readFileSync(source, 'utf8')}// changed\n`);
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build-kernels.mjs', '--check'], {
    cwd: copy,
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/not that of its sources \(norm\.cu\): run `npm run build:kernels`/);
});
