// Collects the texts that the extension shows, from `l10n.t('…')` in src/, into l10n/bundle.l10n.json, which translations start from.
//   node scripts/l10n.mjs            writes the file
// Texts of commands and settings are in package.nls.json, by hand.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const bundleFile = join(root, 'l10n', 'bundle.l10n.json');

/** Every text, sorted. Errors: Error where a call of `l10n.t` has anything but one literal text first, which no tool could collect. */
export function collectTexts() {
  const texts = new Set();
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const source = readFileSync(join(root, 'src', name), 'utf8');
    for (const call of source.matchAll(/\bl10n\s*\.t\(\s*/g)) {
      const rest = source.slice(call.index + call[0].length);
      const literal = /^('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\.)*`)\s*[,)]/.exec(rest)?.[1];
      if (literal === undefined)
        throw new Error(`src/${name}: l10n.t( must begin with a literal text: ${rest.slice(0, 60)}`);
      texts.add(textOf(literal));
    }
  }
  return [...texts].sort();
}

/** The text that a literal stands for. */
function textOf(literal) {
  const inner = literal.slice(1, -1).replace(/\\(['`$])/g, '$1');
  return literal.startsWith('"')
    ? JSON.parse(literal)
    : JSON.parse(`"${inner.replace(/(?<!\\)"/g, '\\"').replace(/\n/g, '\\n')}"`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const texts = collectTexts();
  writeFileSync(bundleFile, `${JSON.stringify(Object.fromEntries(texts.map((text) => [text, text])), null, 2)}\n`);
  console.log(`${texts.length} texts in l10n/bundle.l10n.json`);
}
