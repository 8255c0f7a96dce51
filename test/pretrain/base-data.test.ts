import { expect, test } from 'vitest';
import { balanced } from '../../scripts/pretrain/base/balance.ts';
import { withoutNearCopies } from '../../scripts/pretrain/base/near-copies.ts';
import type { PretrainingDocument } from '../../scripts/pretrain/corpus.ts';
import { debianLicense } from '../../scripts/pretrain/debian-archive.ts';
import { isExcludedName } from '../../scripts/pretrain/excluded.ts';
import { repositoryPath } from '../../scripts/pretrain/package-files.ts';
import { basePackageList, isPermissive } from '../../scripts/pretrain/package-list.ts';

const document = (path: string, text: string, more: Partial<PretrainingDocument> = {}): PretrainingDocument => ({
  ...{ package: 'one', path, text, language: 'typescript', license: 'MIT', validation: false },
  ...more,
});
async function* given(documents: PretrainingDocument[]) {
  yield* documents;
}
async function pathsOf(documents: AsyncIterable<PretrainingDocument>): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of documents) paths.push(path);
  return paths;
}
const lines = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => `const ${name}${i} = ${name}(${i});`).join('\n');

test('every package is permissive, pinned, listed once, and none is measured with', () => {
  const packages = basePackageList();
  expect(packages.length).toBeGreaterThan(1500);
  expect(new Set(packages.map(({ name, from }) => `${from} ${name}`)).size).toBe(packages.length);
  for (const { name, version, license, from, integrity, sha256 } of packages) {
    expect(isExcludedName(name), name).toBe(false);
    expect(isPermissive(license), `${name}: ${license}`).toBe(true);
    expect(version, name).toMatch(/^\d/);
    if (from === 'registry') expect(integrity, name).toMatch(/^sha512-/);
    if (from === 'debian-archive') expect(sha256, name).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(packages.filter(({ validation }) => validation).length).toBeGreaterThanOrEqual(10);
});

test("Debian's names of what is measured with are excluded too", () => {
  for (const name of ['python3-flask', 'python3-requests', 'node-express', 'librust-semver-dev', 'node-tar'])
    expect(isExcludedName(name), name).toBe(true);
  for (const name of ['python3-flask-cors', 'librust-tar-stream-dev', 'python3-six'])
    expect(isExcludedName(name), name).toBe(false);
});

test('the licence of a Debian package is that of all that is not its packaging', () => {
  const paragraphs = (...parts: [string, string][]) =>
    [
      'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
      ...parts.map(([files, license]) => `Files: ${files}\nCopyright: somebody\nLicense: ${license}`),
      'License: Expat\n Permission is hereby granted',
    ].join('\n\n');
  expect(debianLicense(paragraphs(['*', 'Expat'], ['debian/*', 'GPL-2+']))).toBe('MIT');
  expect(debianLicense(paragraphs(['*', 'BSD-3-clause'], ['a/*\n b/*', 'Expat or Apache-2.0']))).toBe(
    'Apache-2.0 AND BSD-3-Clause AND MIT',
  );
  expect(debianLicense(paragraphs(['*', 'Expat'], ['vendor/* debian/x', 'GPL-2+']))).toBeNull();
  expect(debianLicense(paragraphs(['*', 'Expat or GPL-2+']))).toBeNull();
  expect(debianLicense(paragraphs(['debian/*', 'Expat']))).toBeNull();
  expect(debianLicense('This package was debianized by somebody. License: MIT')).toBeNull();
});

test('a path is the one that a file has in its repository', () => {
  const paths = {
    'usr/lib/python3/dist-packages/six/core.py': 'six/core.py',
    'usr/share/nodejs/glob/lib/a.js': 'lib/a.js',
    'usr/share/nodejs/@types/glob/index.d.ts': 'index.d.ts',
    'usr/share/gocode/src/golang.org/x/net/http2/frame.go': 'http2/frame.go',
    'usr/share/cargo/registry/regex-1.7.1/src/lib.rs': 'src/lib.rs',
    'mapped-sources/src/a.ts': 'src/a.ts',
    'lib/usr/a.js': 'lib/usr/a.js',
  };
  for (const [path, wanted] of Object.entries(paths)) expect(repositoryPath(path)).toBe(wanted);
});

test('of two mostly equal documents the first is kept', async () => {
  const half = `${lines('first', 100)}\n${lines('own', 160)}`;
  const documents = [
    document('a.ts', lines('first', 200)),
    document('a.js', `${lines('first', 200)}\nexport {};`),
    document('half.ts', half),
    document('b.ts', lines('second', 200)),
  ];
  const reported: string[] = [];
  const kept = await pathsOf(withoutNearCopies(given(documents), ({ path }) => reported.push(path)));
  expect(kept).toEqual(['a.ts', 'half.ts', 'b.ts']);
  expect(reported).toEqual(['a.js']);
});

test('tests are left out, and of a large package a part of each language', async () => {
  const documents = [
    ...['test/a.ts', 'src/a.test.ts', 'pkg/tests/x.py', 'a/b_test.go', 'test_a.py'].map((path) =>
      document(path, 'text'),
    ),
    ...['src/latest.ts', 'src/testing-tools.ts', 'contest/a.ts'].map((path) => document(path, 'text')),
    document('a.go', 'x'.repeat(400_000), { language: 'go' }),
    document('b.go', 'x'.repeat(400_000), { language: 'go' }),
    document('c.go', 'x'.repeat(100_000), { language: 'go' }),
    document('d.go', 'x'.repeat(400_000), { language: 'go', package: 'other' }),
  ];
  expect(await pathsOf(balanced(given(documents)))).toEqual([
    ...['src/latest.ts', 'src/testing-tools.ts', 'contest/a.ts'],
    ...['a.go', 'c.go', 'd.go'],
  ]);
});
