import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { documentFrom } from '../../../native-host/corpus/documents.ts';
import type { Device } from '../../../native-host/runtime/device.ts';
import { StudyCache } from '../../../native-host/study/self-study/cache.ts';
import { passagesOf, SelfStudy } from '../../../native-host/study/self-study/self-study.ts';
import { type StudyItem, type Writer, writeAbout } from '../../../native-host/study/self-study/write.ts';
import { topCount } from '../../../native-host/train/top-tokens.ts';
import { openTestDevice, relativeError } from '../../runtime/devices.ts';
import { openTinyModel, type TinyModel } from '../../train/tiny-training.ts';

const device = openTestDevice();
const { signal } = new AbortController();
let tiny: TinyModel;
let folder: string;
beforeAll(async () => {
  tiny = await openTinyModel();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lift-study-'));
  return () => rm(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await device.close();
  await tiny.remove();
});

const text = 'export const queueLimit = 42;\n\nexport function push(item) {\n  items.unshift(item);\n}\n';
const passage = { path: 'src/queue.ts', text, hash: 'a'.repeat(32) };
const endToken = 2;

/** Writes what it is told, and notes what it was asked. */
function scripted(answers: readonly string[], ends = true): Writer & { prompts: string[] } {
  const { tokenizer, config } = tiny.model;
  const left = [...answers];
  const prompts: string[] = [];
  return {
    window: 512,
    prompts,
    async generate(prompt, { sample, stopTokens, maxTokens }) {
      prompts.push(tokenizer.decode([...prompt]));
      const tokens: number[] = [];
      for (const token of [...tokenizer.encode(left.shift()!), ...(ends ? [endToken] : [])].slice(0, maxTokens)) {
        const logits = new Float32Array(config.vocabSize);
        logits[token] = 50;
        const next = sample(logits);
        if (stopTokens.has(next)) return { tokens, firstTokenMs: 0, tokensPerSecond: 0, end: 'stop' };
        tokens.push(next);
      }
      return { tokens, firstTokenMs: 0, tokensPerSecond: 0, end: 'length' };
    },
  };
}

/** In the order of asking: two questions, each with its answer, a rewrite and what follows. */
const script = [
  ' the limit of the queue? And',
  '42',
  ' push put the item first?',
  'So that the newest comes first.',
  'It holds a limit.',
  'It is full at 7711.',
];

describe('the base', () => {
  test('writes about a passage that it sees, and what the passage does not hold is dropped', async () => {
    const writer = scripted(script);
    const known = new Set<string>();
    const { items, faults } = await writeAbout(writer, tiny.model, passage, 0, known, signal);
    const { tokenizer } = tiny.model;
    expect(items.map(({ kind, question, answer }) => [kind, question, tokenizer.decode(answer.slice(0, -1))])).toEqual([
      ['fact', 'What is the limit of the queue?', '42'],
      ['reason', 'Why does push put the item first?', 'So that the newest comes first.'],
      [
        'rewrite',
        'What does `src/queue.ts` from `export const queueLimit = 42;` on say, in your own words?',
        'It holds a limit.',
      ],
    ]);
    expect(faults).toEqual(['unknown name']);
    expect(known.size).toBe(3);
    for (const { answer, teacher } of items) {
      expect(answer.at(-1)).toBe(endToken);
      expect(teacher.ids).toHaveLength(answer.length * topCount);
      expect(answer.map((_, i) => teacher.ids[i * topCount])).toEqual(answer);
    }
    for (const prompt of writer.prompts) expect(prompt).toContain(text.trimEnd());
    // The turn of who asks is open, so that the base goes on with the question.
    expect(writer.prompts[0]).toMatch(/\n\nWhat is$/);
    expect(writer.prompts[1]).toContain('\n\nWhat is the limit of the queue?');
  });

  test('is not believed where it did not come to an end, nor twice', async () => {
    const cut = await writeAbout(scripted(script, false), tiny.model, passage, 0, new Set(), signal);
    expect(cut).toEqual({ items: [], faults: ['cut', 'cut', 'cut', 'cut'] });
    const known = new Set<string>();
    await writeAbout(scripted(script), tiny.model, passage, 0, known, signal);
    const again = await writeAbout(scripted(script), tiny.model, passage, 0, known, signal);
    expect(again.faults).toEqual(['known', 'known', 'known', 'unknown name']);
  });

  test('stops when it is told', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(writeAbout(scripted(script), tiny.model, passage, 0, new Set(), stopped)).rejects.toThrow('stopped');
  });
});

async function someItems(): Promise<StudyItem[]> {
  return (await writeAbout(scripted(script), tiny.model, passage, 0, new Set(), signal)).items;
}

describe('what was written', () => {
  test('is read again as it was, in half precision', async () => {
    const items = await someItems();
    const cache = new StudyCache(folder, 'base');
    expect(await cache.read(passage.hash)).toBeNull();
    await cache.write(passage.hash, items);
    const read = (await cache.read(passage.hash))!;
    expect(read.map(({ teacher: _, ...rest }) => rest)).toEqual(items.map(({ teacher: _, ...rest }) => rest));
    for (const [i, { teacher }] of read.entries()) {
      expect(teacher.ids).toEqual(items[i]!.teacher.ids);
      expect(relativeError(teacher.logProbabilities, items[i]!.teacher.logProbabilities)).toBeLessThan(1e-3);
    }
    await cache.write('b'.repeat(32), []);
    expect(await cache.read('b'.repeat(32))).toEqual([]);
  });

  test('is nothing to another base, nor damaged, nor cut', async () => {
    const cache = new StudyCache(folder, 'base');
    await cache.write(passage.hash, await someItems());
    expect(await new StudyCache(folder, 'another').read(passage.hash)).toBeNull();
    const file = join(folder, (await readdir(folder))[0]!);
    const bytes = await readFile(file);
    for (const place of [2, 10, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[place]! ^= 0xff;
      await writeFile(file, changed);
      expect(await cache.read(passage.hash)).toBeNull();
    }
    for (const length of [0, 3, 20, bytes.length - 2]) {
      await writeFile(file, bytes.subarray(0, length));
      expect(await cache.read(passage.hash)).toBeNull();
    }
  });

  test('goes when its passage is gone', async () => {
    const cache = new StudyCache(folder, 'base');
    await cache.write('a'.repeat(32), []);
    await cache.write('b'.repeat(32), []);
    await cache.keepOnly(['b'.repeat(32)]);
    expect(await cache.read('a'.repeat(32))).toBeNull();
    expect(await cache.read('b'.repeat(32))).toEqual([]);
  });

  test('becomes lessons, with its teacher where it is distilled', async () => {
    const items = await someItems();
    const cache = new StudyCache(folder, 'base');
    await cache.write(passage.hash, items);
    for (const distills of [true, false]) {
      const form = { distills, weight: 3, rowLength: 192 };
      const study = await SelfStudy.open(device, tiny.model, [passage], cache, form);
      expect(study.isWritten).toBe(true);
      expect(study.lessons.map(({ kind, path }) => [kind, path])).toEqual(items.map(() => ['selfStudy', passage.path]));
      for (const [i, { item }] of study.lessons.entries()) {
        const { tokens, weights, teacher } = item(0.5);
        const { answer, question } = items[i]!;
        expect(tokens.slice(-answer.length)).toEqual(answer);
        expect(tiny.model.tokenizer.decode([...tokens])).toContain(question);
        expect(tiny.model.tokenizer.decode([...tokens])).not.toContain('items.unshift');
        expect(weights.filter((weight) => weight === 3)).toHaveLength(answer.length);
        expect(teacher === undefined).toBe(!distills);
      }
    }
    const short = await SelfStudy.open(device, tiny.model, [passage], cache, {
      distills: true,
      weight: 3,
      rowLength: 8,
    });
    expect(short.lessons).toEqual([]);
  });
});

test('nothing is written a second time', async () => {
  let compiled = 0;
  const counting: Device = new Proxy(device, {
    get: (target, key: keyof Device) => {
      if (key === 'compile') compiled += 1;
      return (target[key] as () => unknown).bind(target);
    },
  });
  const document = documentFrom('src/queue.ts', text.repeat(3));
  const tokens = new Map([[document.path, Uint32Array.from(tiny.model.tokenizer.encode(document.text))]]);
  const passages = passagesOf([document], tokens, tiny.model.tokenizer, 64);
  expect(passages.length).toBeGreaterThan(2);
  const form = { distills: true, weight: 3, rowLength: 256 };
  const open = () => SelfStudy.open(counting, tiny.model, passages, new StudyCache(folder, 'base'), form);
  const first = await open();
  for (let written = 0; written < passages.length; written++) {
    expect(first.isWritten).toBe(false);
    await first.writeNext(signal);
  }
  expect(first.isWritten).toBe(true);
  expect(compiled).toBe(1);
  const again = await open();
  expect(again.isWritten).toBe(true);
  await again.writeNext(signal);
  expect(compiled).toBe(1);
  expect(again.lessons.map(({ key }) => key)).toEqual(first.lessons.map(({ key }) => key));
});

test('passages are whole lines, and hold all that the document holds', () => {
  const lines = Array.from({ length: 40 }, (_, i) => `const value${i} = ${i};`);
  const document = documentFrom('a.ts', `${lines.join('\n')}\n`);
  const tokens = new Map([['a.ts', Uint32Array.from(tiny.model.tokenizer.encode(document.text))]]);
  const passages = passagesOf([document], tokens, tiny.model.tokenizer, 100);
  const shown = passages.flatMap((one) => one.text.split('\n')).filter((line) => line !== '');
  for (const line of shown) expect(lines).toContain(line);
  // One line at each cut is in no passage whole.
  expect(shown.length).toBeGreaterThanOrEqual(lines.length - passages.length);
});
