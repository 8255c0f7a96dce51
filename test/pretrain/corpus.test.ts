import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  byteLimits,
  emptyReport,
  type PretrainingDocument,
  pretrainingDocuments,
  tokenShards,
  writeTokenShards,
} from '../../scripts/pretrain/corpus.ts';
import { addToFingerprint, emptyFingerprint } from '../../scripts/pretrain/excluded.ts';
import type { PretrainingPackage } from '../../scripts/pretrain/package-list.ts';
import { unreadableReason } from '../../scripts/pretrain/readable.ts';
import { packAndExtract } from '../../scripts/pretrain/registry.ts';
import { END_OF_TEXT, PATH, TEXT, trainTokenizer } from '../../scripts/pretrain/tokenizer.ts';

let folder: string;
const source = (name: string, count = 30) =>
  Array.from(
    { length: count },
    (_, i) => `export function ${name}${'abcdefghij'[i % 10]}() { return '${name}'; }`,
  ).join('\n');
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const listed = (name: string, more: Partial<PretrainingPackage> = {}): PretrainingPackage => ({
  name,
  version: '1.0.0',
  license: 'MIT',
  from: 'project',
  share: 1.25,
  ...more,
});
const manifest = (name: string) => JSON.stringify({ name, version: '1.0.0', license: 'MIT' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lift-pretrain-'));
  for (const name of ['first', 'second', 'large']) write(`node_modules/${name}/package.json`, manifest(name));
  write('node_modules/first/src/a.ts', source('first'));
  write('node_modules/first/src/copied.ts', source('measured'));
  write('node_modules/first/src/vendor/semver/index.ts', source('vendored'));
  write('node_modules/first/dist/a.min.js', source('small'));
  write('node_modules/first/dist/b.js', `x=${'"y",'.repeat(900)}0`);
  write('node_modules/first/node_modules/nested/index.js', source('nested'));
  write('node_modules/first/logo.png', 'not read');
  write('node_modules/second/lib/a.ts', source('first'));
  write('node_modules/second/lib/b.js', source('second'));
  for (let i = 0; i < 50; i++) write(`node_modules/large/lib/${i}.js`, source(`large${i}x`));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function collect(packages: PretrainingPackage[]) {
  const excluded = emptyFingerprint();
  addToFingerprint(excluded, source('measured'));
  const report = emptyReport();
  const documents: PretrainingDocument[] = [];
  const places = { projectFolder: folder, cacheFolder: join(folder, '.cache') };
  for await (const document of pretrainingDocuments(packages, places, excluded, report)) documents.push(document);
  return { documents, report };
}

test('documents are read once, without copies, minified files and what LIFT is measured with', async () => {
  const { documents, report } = await collect([listed('first'), listed('second', { validation: true })]);
  expect(documents.map((document) => `${document.package}/${document.path}`)).toEqual([
    'first/src/a.ts',
    'second/lib/b.js',
  ]);
  expect(documents[1]).toMatchObject({
    language: 'javascript',
    license: 'MIT',
    validation: true,
    text: source('second'),
  });
  expect(report.excluded.map(({ path }) => path).sort()).toEqual(['src/copied.ts', 'src/vendor/semver/index.ts']);
  expect(report.counts).toEqual({ minified: 1, duplicate: 1 });
});

test('a package that is not there as listed is reported; one that must not be listed is refused', async () => {
  const { documents, report } = await collect([
    listed('absent'),
    listed('first', { version: '2.0.0' }),
    listed('second', { license: 'ISC' }),
  ]);
  expect(documents).toEqual([]);
  expect(report.missing.map(({ reason }) => reason)).toEqual([
    'not installed',
    'version 1.0.0 is installed',
    'its licence is MIT, not ISC',
  ]);
  await expect(collect([listed('semver')])).rejects.toThrow('semver@1.0.0 is measured with');
  await expect(collect([listed('first', { license: 'GPL-3.0' })])).rejects.toThrow('no permissive licence');
});

test('a large package is thinned out to its share, the same way every time', async () => {
  const packages = [listed('second'), listed('large', { share: 0.75 })];
  const { documents, report } = await collect(packages);
  const bytes = (name: string) =>
    documents.filter((document) => document.package === name).reduce((sum, { text }) => sum + text.length, 0);
  expect(bytes('large') / (bytes('large') + bytes('second'))).toBeLessThanOrEqual(0.75);
  expect(report.counts['above the share of its package']).toBeGreaterThan(30);
  expect((await collect(packages)).documents).toEqual(documents);
});

test('byte limits hold for the total that they leave', () => {
  const packages = [
    { bytes: 1_000_000, share: 0.3 },
    { bytes: 800, share: 1 },
    { bytes: 600, share: 1 },
  ];
  const limits = byteLimits(packages);
  expect(limits[0]).toBeCloseTo(600, 0);
  expect(limits.slice(1)).toEqual([800, 600]);
});

test('tokens hold path and text of each document; another key or a cut file is not served', async () => {
  const { documents } = await collect([listed('first'), listed('second')]);
  const tokenizer = trainTokenizer(
    documents.map(({ text }) => text),
    400,
  );
  const shards = join(folder, 'shards');
  const index = await writeTokenShards(
    shards,
    'key',
    (async function* () {
      yield* documents;
    })(),
    tokenizer,
  );
  const read = await tokenShards(shards, 'key');
  expect(read?.index).toEqual(index);
  for (const document of index.documents) {
    const tokens = [...read!.tokens.subarray(document.start, document.end)];
    expect(tokens[0]).toBe(PATH);
    expect(tokens.at(-1)).toBe(END_OF_TEXT);
    expect(tokens.filter((token) => token === TEXT)).toHaveLength(1);
  }
  expect(index.documents.at(-1)!.end).toBe(read!.tokens.length);
  expect(await tokenShards(shards, 'other')).toBeNull();
  writeFileSync(join(shards, 'tokens.bin'), readFileSync(join(shards, 'tokens.bin')).subarray(2));
  expect(await tokenShards(shards, 'key')).toBeNull();
});

test('tables, generated files, other alphabets and copyleft files are left out', () => {
  expect(unreadableReason(source('fine'))).toBeNull();
  for (const license of ['GNU Lesser General Public License', 'Mozilla Public License', 'GNU GENERAL PUBLIC LICENSE']) {
    expect(unreadableReason(`// Under the ${license}.\n${source('theirs')}`)).toBe('copyleft licence in its header');
  }
  expect(unreadableReason('1234, 5678,\n'.repeat(50))).toBe('mostly numbers');
  expect(unreadableReason(`// Code generated by a tool. DO NOT EDIT.\n${source('made')}`)).toBe('generated');
  expect(unreadableReason('// это комментарий\n'.repeat(20))).toBe('mostly other alphabets');
  expect(unreadableReason('a\u0000b')).toBe('binary or not UTF-8');
});

test('a tarball is checked against its integrity and extracted once', async () => {
  const cache = join(folder, 'tarballs');
  write('tarballs/package/index.js', source('packed'));
  execFileSync('tar', ['-czf', 'packed-1.0.0.tgz', 'package'], { cwd: cache });
  const tarball = readFileSync(join(cache, 'packed-1.0.0.tgz'));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const extracted = await packAndExtract({ name: 'packed', version: '1.0.0', integrity }, cache);
  expect(readFileSync(join(extracted, 'index.js'), 'utf8')).toBe(source('packed'));

  writeFileSync(join(cache, 'packed-2.0.0.tgz'), tarball.subarray(0, -1));
  await expect(packAndExtract({ name: 'packed', version: '2.0.0', integrity }, cache)).rejects.toThrow('integrity');
  expect(existsSync(join(cache, 'packed-2.0.0.tgz'))).toBe(false);
});
