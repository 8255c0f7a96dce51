import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Document, documentFrom } from '../../native-host/corpus/documents.ts';
import { type Fact, factKey } from '../../native-host/corpus/questions/fact.ts';
import { factsOf, givesAway, MAX_FACTS_PER_DOCUMENT } from '../../native-host/corpus/questions/facts.ts';
import { MAX_ANSWER_WORDS } from '../../native-host/corpus/questions/prose.ts';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';

const documentsFrom = (files: Record<string, string>): Document[] =>
  Object.entries(files).map(([path, text]) => documentFrom(path, text));

/** Answers by kind and subject. */
async function answersOf(files: Record<string, string>): Promise<Record<string, string>> {
  const facts = await factsOf(documentsFrom(files));
  return Object.fromEntries(facts.map((fact) => [`${fact.kind} | ${fact.subject}`, fact.answer]));
}

const shop = {
  'README.md':
    '# Shop\n\nA small shop for tests. It sells things.\n\n## Getting started\n\nRun the server with one command.\n\n## License\n',
  'docs/prices.md': '# Prices\n\nAll prices are in cents.\n\n## Rounding\n\n- a list\n',
  'package.json':
    '{\n  "name": "shop",\n  "main": "src/index.ts",\n  "scripts": { "start": "node src/index.ts" },\n  "devDependencies": { "x": "1" }\n}\n',
  'src/index.ts': `// Starts the shop.
import { Cart } from './cart.ts';
import { priceOf, TAX } from './price.ts';
import { createServer } from 'node:http';

export function start(port: number): void { createServer(); checkout(new Cart()); }
function checkout(cart: Cart): number { return cart.total() + priceOf('bag', 1); }
`,
  'src/cart.ts': `import { priceOf } from './price.ts';

/** Holds what is bought. */
export class Cart extends Basket {
  /** Adds up the prices of all things in the cart. */
  total(): number { return this.sum(); }
  sum(): number { return priceOf('a', 2); }
}
`,
  'src/price.ts': `/** Share of the price that goes to the state. */
export const TAX = 0.19;
export const CURRENCY = 'EUR';
/** Price of a thing, with tax. */
export function priceOf(name: string, count: number): number { return round(1); }
function round(amount: number): number { return amount; }
`,
};

describe('factsOf', () => {
  it('reads facts of every stratum, in both directions', async () => {
    const answers = await answersOf(shop);
    expect(answers).toMatchObject({
      'defined-in | Cart': 'src/cart.ts',
      'defined-in | Cart.total': 'src/cart.ts',
      'symbols-in | src/price.ts': 'TAX, CURRENCY, priceOf, round',
      'signature | priceOf': 'name, count',
      'signature | Cart.sum': 'none',
      'parameter-holder | name, count': 'priceOf',
      'returns | checkout': 'number',
      'constant-value | TAX': '0.19',
      "constant-named | 'EUR'": 'CURRENCY',
      'kind-of | Cart': 'class',
      'kind-of | priceOf': 'function',
      'called-by | priceOf': 'Cart.sum, checkout',
      'called-by | Cart.sum': 'Cart.total',
      'calls | priceOf': 'round',
      'member-of | sum': 'Cart',
      'members-of | Cart': 'total, sum',
      'extends | Cart': 'Basket',
      'imports | src/cart.ts': './price.ts',
      'imports | src/index.ts': './cart.ts, ./price.ts, node:http',
      'import-source | createServer in src/index.ts': 'node:http',
      'importers | src/price.ts': 'src/cart.ts, src/index.ts',
      'importers | node:http': 'src/index.ts',
      'used-in | priceOf': 'src/cart.ts, src/index.ts',
      'doc | Cart': 'Holds what is bought',
      'doc-subject | Price of a thing, with tax': 'priceOf',
      'file-purpose | src/index.ts': 'Starts the shop',
      'purpose-file | Starts the shop': 'src/index.ts',
      'section | Getting started': 'README.md',
      'section-start | Getting started in README.md': 'Run the server with one command',
      'files-in | docs': 'prices.md',
      'path-of | cart.ts': 'src/cart.ts',
      'setting | main in package.json': 'src/index.ts',
      'setting | scripts.start in package.json': 'node src/index.ts',
    });
    expect(Object.keys(answers).filter((key) => key.includes('devDependencies'))).toEqual([]);
    const facts = await factsOf(documentsFrom(shop));
    expect(new Set(facts.map((fact) => fact.stratum))).toEqual(
      new Set(['identifiers', 'structure', 'cross-file', 'prose']),
    );
    const line = (kind: string, subject: string) =>
      facts.find((fact) => fact.kind === kind && fact.subject === subject)?.line;
    expect(line('defined-in', 'Cart')).toBe(4);
    expect(line('setting', 'scripts.start in package.json')).toBe(4);
  });

  it('names the file with a name that two files have, and does not ask where it is', async () => {
    const answers = await answersOf({
      'a.ts': 'export function parse(x: string) {}\n',
      'b.ts': 'export function parse(y: string) {}\n',
    });
    expect(answers['signature | parse in a.ts']).toBe('x');
    expect(answers['signature | parse in b.ts']).toBe('y');
    expect(Object.keys(answers).filter((key) => key.startsWith('defined-in') || key.endsWith('| parse'))).toEqual([]);
  });

  it('asks nothing about a name that one file has twice', async () => {
    const answers = await answersOf({ 'a.py': 'def f(x): pass\ndef f(y): pass\n' });
    expect(Object.keys(answers).filter((key) => key.endsWith('| f'))).toEqual([]);
  });

  it('asks for the definition, not for its declaration in a header', async () => {
    const answers = await answersOf({
      'a.h': 'int run(int a);\n',
      'a.c': '#include "a.h"\nint run(int a) { return a; }\n',
    });
    expect(answers['defined-in | run']).toBe('a.c');
    expect(answers['importers | a.h']).toBe('a.c');
  });

  it('does not say who calls what when it cannot know', async () => {
    const answers = await answersOf({
      'a.ts':
        'export function load() {}\nexport function save() {}\nclass Store { load() { save(); } }\nfunction all(store: Store) { store.load(); load(); }\nfunction shadow(save: () => void) { save(); }\n',
    });
    expect(answers['called-by | load']).toBeUndefined();
    expect(answers['calls | all']).toBeUndefined();
    expect(answers['called-by | save']).toBe('Store.load');
  });

  it('follows calls through imported modules, and only these', async () => {
    const answers = await answersOf({
      'lib/a.py': 'def fetch(url): pass\n',
      'lib/b.py': 'from . import a\nimport requests\n\ndef go():\n    a.fetch(1)\n    requests.fetch(2)\n',
      'lib/c.py': 'def other():\n    fetch(1)\n',
    });
    expect(answers['called-by | fetch']).toBeUndefined();
    const resolved = await answersOf({
      'a.js': 'export function fetchAll() {}\n',
      'b.js': "import * as a from './a.js';\nfunction go() { a.fetchAll(); }\n",
    });
    expect(resolved['called-by | fetchAll']).toBe('go');
  });

  it('asks about sources, not about what is built from them', async () => {
    const source = 'export function one(a) {}\nexport function two(b) {}\nexport class Three {}\n';
    const answers = await answersOf({
      'src/lib.ts': source,
      'dist/esm/lib.js': source,
      'dist/cjs/lib.cjs': source,
      'dist/lib.d.ts':
        'export declare function one(a: any): void;\nexport declare function two(b: any): void;\nexport declare class Three {}\n',
    });
    expect(answers['defined-in | one']).toBe('src/lib.ts');
    expect(Object.values(answers).filter((answer) => answer.startsWith('dist'))).toEqual([]);
    const built = await answersOf({ 'dist/esm/lib.js': source, 'dist/commonjs/lib.js': source });
    expect(built['defined-in | one']).toBe('dist/esm/lib.js');
  });

  it('gives the same facts in the same order, whatever the order of the documents', async () => {
    const documents = documentsFrom(shop);
    const facts = await factsOf(documents);
    expect(await factsOf([...documents].reverse())).toEqual(facts);
    expect(new Set(facts.map((fact) => fact.id)).size).toBe(facts.length);
    expect(facts.every((fact) => /^[0-9a-f]{32}$/.test(fact.id))).toBe(true);
  });

  it('keeps a share of each kind where a file has too many', async () => {
    const text = Array.from(
      { length: 200 },
      (_, index) => `export function task${index}(input${index}, output${index}) {}\n`,
    ).join('');
    const facts = await factsOf(documentsFrom({ 'a.js': text }));
    expect(facts).toHaveLength(MAX_FACTS_PER_DOCUMENT);
    const count = (kind: string) => facts.filter((fact) => fact.kind === kind).length;
    expect([count('defined-in'), count('signature'), count('kind-of'), count('parameter-holder')]).toEqual([
      15, 15, 15, 15,
    ]);
    expect(Math.max(...facts.map((fact) => fact.line))).toBeGreaterThan(150);
  });

  it('survives names that every object has', async () => {
    const facts = await factsOf(
      documentsFrom({
        'a.js':
          'export function constructor(a) {}\nexport function toString(b, c) {}\nexport const __proto__ = 1;\nexport function hasOwnProperty() { toString(); }\n',
      }),
    );
    expect(facts.map((fact) => fact.subject)).toContain('toString');
  });

  it('has nothing to ask about nothing', async () => {
    expect(await factsOf([])).toEqual([]);
    expect(await factsOf(documentsFrom({ 'a.json': '{"a": 1}', 'package.json': 'not json', 'b.ts': '' }))).toEqual([]);
  });
});

describe('facts of real packages', () => {
  const packages = ['commander', 'ignore', 'minisearch', 'chokidar', 'vscode-jsonrpc'];
  const documentsOf = (name: string): Document[] => {
    const root = join('node_modules', name);
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.([cm]?[jt]s|json|md)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => documentFrom(relative(root, file).replaceAll('\\', '/'), readFileSync(file, 'utf8')));
  };

  it.each(packages)('are sound: %s', async (name) => {
    const documents = documentsOf(name);
    const paths = new Set(documents.map((document) => document.path));
    const texts = new Map(documents.map((document) => [document.path, document.text]));
    const facts = await factsOf(documents);
    expect(facts.length).toBeGreaterThan(40);
    const questions = new Map<string, Fact>();
    for (const fact of facts) {
      expect(paths).toContain(fact.path);
      expect(fact.answer.split(/\s+/).length).toBeLessThanOrEqual(MAX_ANSWER_WORDS);
      expect(fact.answer).toBe(fact.answer.trim());
      expect(fact.line).toBeLessThanOrEqual((texts.get(fact.path) as string).split('\n').length);
      expect(questions.get(factKey(fact))).toBeUndefined();
      questions.set(factKey(fact), fact);
      if (fact.kind !== 'kind-of') {
        for (const slot of Object.values(fact.slots))
          expect(givesAway(slot, fact.answer), `${fact.kind} ${fact.subject}`).toBe(false);
      }
      // What is said of a symbol stands in the file that it is said to be in.
      if (fact.kind === 'defined-in') expect(texts.get(fact.answer)).toContain(fact.subject.split('.').at(-1));
      if (['constant-value', 'returns'].includes(fact.kind)) {
        expect((texts.get(fact.path) as string).replace(/\s+/g, ' ')).toContain(fact.answer);
      }
    }
    // No two facts ask the same words.
    const asked = new Map<string, string>();
    for (const fact of facts) {
      const text = wordingsOf(fact)[0]?.text as string;
      expect(asked.get(text) ?? fact.answer, text).toBe(fact.answer);
      asked.set(text, fact.answer);
    }
  });
});

describe('givesAway', () => {
  it('finds the answer in a question as a whole word', () => {
    expect(givesAway('lib/a.js', 'lib/a.js')).toBe(true);
    expect(givesAway('the Parser class', 'parser')).toBe(true);
    expect(givesAway('parserOf', 'parser')).toBe(false);
    expect(givesAway('MAX_3', '3')).toBe(false);
    expect(givesAway('a.b', 'b')).toBe(true);
  });
});
