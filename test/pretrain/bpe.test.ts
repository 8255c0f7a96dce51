import { expect, test } from 'vitest';
import { byteCharacters, bytesOf, countWords, trainMerges, wordsOf } from '../../scripts/pretrain/bpe.ts';

test('words put together are the text, whatever its characters', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const pieces = [
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\t',
    '\f',
    '\u00a0',
    '\ufeff',
    'a',
    'Bc',
    'ÄÖ',
    'ß',
    'ǅ',
    '字',
    '7',
    '٣',
    '_',
    '=>',
    '👩‍👩‍👧',
    '\u0301',
    '\u0000',
  ];
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: random(40) }, () => pieces[random(pieces.length)]).join('');
    expect(wordsOf(text).join('')).toBe(text);
  }
});

test('identifiers fall apart at case changes, digits stand alone, indentation stays with its line break', () => {
  expect(wordsOf('getUserName')).toEqual(['get', 'User', 'Name']);
  expect(wordsOf('HTMLElement XML')).toEqual(['HTML', 'Element', ' XML']);
  expect(wordsOf('port 8080;')).toEqual(['port', ' ', '8', '0', '8', '0', ';']);
  expect(wordsOf('{\n\n    return x;\n}')).toEqual(['{', '\n\n    ', 'return', ' x', ';', '\n', '}']);
  expect(wordsOf('a   b')).toEqual(['a', '  ', ' b']);
});

test('every byte has a character of its own', () => {
  expect(new Set(byteCharacters).size).toBe(256);
  expect(byteCharacters[32]).toBe('Ġ');
  expect(byteCharacters[10]).toBe('Ċ');
});

test('incremental counts learn the merges that counting anew learns', () => {
  const counts = countWords(['the then these others aaaa aaaaa banana bandana\n  return returns\n  retry']);
  expect(trainMerges(counts, 30)).toEqual(mergesByCountingAnew(counts, 30));
});

test('training stops when no pair occurs twice', () => {
  expect(trainMerges(new Map([['ab', 1]]), 10)).toEqual([]);
});

function mergesByCountingAnew(counts: Map<string, number>, merges: number): [number, number][] {
  const words = [...counts].map(([word, count]) => ({ units: bytesOf(word), count }));
  const learned: [number, number][] = [];
  while (learned.length < merges) {
    const pairs = new Map<string, { left: number; right: number; count: number }>();
    for (const { units, count } of words) {
      for (let i = 0; i + 1 < units.length; i++) {
        const [left, right] = [units[i]!, units[i + 1]!];
        const pair = pairs.get(`${left},${right}`) ?? { left, right, count: 0 };
        pair.count += count;
        pairs.set(`${left},${right}`, pair);
      }
    }
    const best = [...pairs.values()].sort((a, b) => b.count - a.count || a.left - b.left || a.right - b.right)[0];
    if (!best || best.count < 2) break;
    for (const word of words) {
      const merged: number[] = [];
      for (let i = 0; i < word.units.length; i++) {
        if (word.units[i] === best.left && word.units[i + 1] === best.right) {
          merged.push(256 + learned.length);
          i++;
        } else merged.push(word.units[i]!);
      }
      word.units = merged;
    }
    learned.push([best.left, best.right]);
  }
  return learned;
}
