import { expect, test } from 'vitest';
import {
  addToFingerprint,
  emptyFingerprint,
  isExcludedName,
  isExcludedPath,
  LARGEST_SHARED_SHINGLES,
  sharedShingles,
} from '../../scripts/pretrain/excluded.ts';
import { isPermissive, LARGEST_SHARE, packageList } from '../../scripts/pretrain/package-list.ts';

const lines = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => `const ${name}${i} = ${name}(${i});`);

test('no listed package is measured with; each is permissive, pinned and listed once', () => {
  const packages = packageList();
  expect(packages.length).toBeGreaterThan(150);
  expect(new Set(packages.map(({ name }) => name)).size).toBe(packages.length);
  for (const listed of packages) {
    expect(isExcludedName(listed.name), listed.name).toBe(false);
    expect(isPermissive(listed.license), listed.license).toBe(true);
    expect(listed.share ?? LARGEST_SHARE).toBeLessThanOrEqual(LARGEST_SHARE);
    expect(listed.version).toMatch(/^\d/);
    if (listed.from === 'registry') expect(listed.integrity).toMatch(/^sha512-/);
  }
  expect(packages.filter(({ validation }) => validation).length).toBeGreaterThanOrEqual(packages.length / 100);
});

test('licences that ask for more than a notice are not permissive', () => {
  expect(isPermissive('(MIT OR Apache-2.0)')).toBe(true);
  for (const license of ['GPL-3.0', 'MPL-2.0', 'MIT AND GPL-2.0', 'UNLICENSED', ''])
    expect(isPermissive(license)).toBe(false);
});

test('excluded names are found with scopes and in folders, and similar names are not', () => {
  for (const name of ['semver', '@types/semver', 'node-tar', 'Flask']) expect(isExcludedName(name)).toBe(true);
  for (const name of ['tar-stream', 'semver-regex', 'expressive']) expect(isExcludedName(name)).toBe(false);
  for (const path of ['vendored/requests/api.py', 'lib/node_modules/x/a.js', 'stubs/requests-stubs/a.pyi']) {
    expect(isExcludedPath(path)).toBe(true);
  }
  for (const path of ['lib/semver.js', 'requests.py', 'src/requester/a.ts']) expect(isExcludedPath(path)).toBe(false);
});

test('a copy is recognised after reformatting, and in part', () => {
  const fingerprint = emptyFingerprint();
  const original = lines('original', 40);
  addToFingerprint(fingerprint, original.join('\n'));
  expect(sharedShingles(fingerprint, original.map((line) => `\t\t${line}  `).join('\r\n\r\n'))).toBe(1);
  const own = lines('own', 60);
  expect(sharedShingles(fingerprint, [...own, ...original.slice(0, 20)].join('\n'))).toBeGreaterThan(
    LARGEST_SHARED_SHINGLES,
  );
  expect(sharedShingles(fingerprint, [...own, ...original.slice(0, 10)].join('\n'))).toBeLessThan(
    LARGEST_SHARED_SHINGLES,
  );
  expect(sharedShingles(fingerprint, own.join('\n'))).toBe(0);
  expect(sharedShingles(fingerprint, '')).toBe(0);
});

test('a file of fewer than eight lines leaves no fingerprint', () => {
  const fingerprint = emptyFingerprint();
  addToFingerprint(fingerprint, "'use strict';\nmodule.exports = require('./lib');\n");
  expect(fingerprint.files.size + fingerprint.shingles.size).toBe(0);
});
