import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import { startState, Trainer } from '../../native-host/train/trainer.ts';
import { writeTokenShards } from '../../scripts/pretrain/corpus.ts';
import { episodeLayout, episodes } from '../../scripts/pretrain/episodes-stage.ts';
import { openTestDevice } from '../runtime/devices.ts';

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const device = openTestDevice();
let cacheFolder: string;

beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'lift-episodes-'));
});
afterAll(async () => {
  await device.close();
  await rm(cacheFolder, { recursive: true, force: true });
});

/** A package of ten files with a few constants each, as the data commands leave it. */
async function writeData() {
  const files = Array.from({ length: 10 }, (_, i) => {
    const lines = Array.from({ length: 5 }, (_, j) => `export const LIMIT_${'ABCDE'[j]}${i} = ${37 * i + 11 * j + 3};`);
    return { path: `src/part${i}.js`, text: `${lines.join('\n')}\n` };
  });
  const facts = await factsOf(files.map(({ path, text }) => documentFrom(path, text)));
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const lines = facts.map((fact) => JSON.stringify({ package: 'limits', ...fact, excerpt: texts.get(fact.path) }));
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(join(cacheFolder, 'facts.jsonl'), `${lines.join('\n')}\n`);
  const explained = files.map(({ path, text }) => ({ package: 'limits', path, name: '', text, answer: 'Limits' }));
  await writeFile(join(cacheFolder, 'explained.jsonl'), explained.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const tokenizer = JSON.parse(await readFile(join(projectFolder, 'models/lift-nano/tokenizer.json'), 'utf8'));
  const about = { package: 'limits', language: 'javascript', license: 'MIT', validation: false };
  async function* documents() {
    for (const file of files) yield { ...about, ...file };
  }
  const { documents: placed } = await writeTokenShards(cacheFolder, 'test', documents(), tokenizer);
  const bytes = await readFile(join(cacheFolder, 'tokens.bin'));
  return {
    documents: placed,
    tokens: new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
  };
}

test('a round learns, asks in other wordings, and keeps of the learned weights what asking changed', async () => {
  const { documents, tokens } = await writeData();
  const model = await openBaseModel(join(projectFolder, 'models/lift-nano'), { folder: cacheFolder, form: 'F32' });
  const state = startState(new Float32Array(episodeLayout.length));
  const trainer = await Trainer.open(device, model, episodeLayout, state);
  const advance = await episodes({ projectFolder, cacheFolder, tokens, documents, seed: 1 }, trainer);
  const { loss, tokens: gone } = await advance(0, 0);
  const unmoved = await trainer.state();
  const distance = (vector: Float32Array) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  // Without a learning rate there is but the small share of what was learned.
  expect(distance(unmoved.vector)).toBeGreaterThan(0);
  // Learning has an optimizer of its own; this one took a step for each batch that asked, and for those beside.
  expect(unmoved.step).toBe(7);
  expect(gone).toBeGreaterThan(20_000);
  expect(loss).toBeGreaterThan(0);
  await advance(0, 1e-3);
  expect(distance((await trainer.state()).vector)).toBeGreaterThan(2 * distance(unmoved.vector));
  await trainer.close();
}, 300_000);
