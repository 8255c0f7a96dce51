import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { pageWords } from '../../../src/view/words.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

/** The first argument of each call of `word` in the page's sources. */
function wordsOfPage(): Set<string> {
  const webview = join(import.meta.dirname, '../../../webview');
  const sources = readdirSync(webview, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const words = new Set<string>();
  for (const name of sources.filter((name) => name !== 'words.ts')) {
    const text = readFileSync(join(webview, name), 'utf8');
    for (const [, first] of text.matchAll(/(?<!function )\bword\(\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,)]*)/g)) {
      if (!/^['"]/.test(first!)) throw new Error(`${name}: word(${first}) is not a text, so it cannot be translated`);
      words.add(first!.slice(1, -1).replace(/\\(.)/g, '$1'));
    }
  }
  return words;
}

describe('words of the page', () => {
  it('are all given in the user’s language, and no others', () => {
    expect(Object.keys(pageWords()).sort()).toEqual([...wordsOfPage()].sort());
  });

  it('keep their holes for values', () => {
    for (const [english, translated] of Object.entries(pageWords())) expect(translated).toBe(english);
  });
});
