import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { IgnoreRules } from '../../../workspace/ignore.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { ignoreLine, withLines } = await import('../../../src/commands/exclude.ts');

const folder = mkdtempSync(join(tmpdir(), 'lift-exclude-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ['src/a.ts', false, 'lib/src/a.ts'],
  ['docs', true, 'other/docs'],
  ['odd [name]*?.ts', false, 'odd nameX.ts'],
  ['!important.md', false, 'important.md'],
  ['#notes.md', false, 'notes.md'],
  ['with space ', false, 'with space'],
])('leaves out exactly %j', (path, isFolder, other) => {
  writeFileSync(join(folder, '.liftignore'), withLines('', [ignoreLine(path, isFolder)])!);
  const rules = IgnoreRules.forRoot(folder);
  expect(rules.decide(path, isFolder).ignored).toBe(true);
  expect(rules.decide(other, isFolder).ignored).toBe(false);
});

it('adds lines once, at the end, as the file’s lines end', () => {
  expect(withLines('', ['/a'])).toBe('/a\n');
  expect(withLines('/a', ['/b', '/b'])).toBe('/a\n/b\n');
  expect(withLines('/a\r\n', ['/a', '/b'])).toBe('/a\r\n/b\r\n');
  expect(withLines('/a\n/b\n', ['/b', '/a'])).toBeNull();
});
