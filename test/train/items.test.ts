import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openChatTemplate } from '../../native-host/model/chat-template.ts';
import { openTokenizer } from '../../native-host/model/tokenizer.ts';
import { longestSegment, type ModelText, segmentHeader, segmentItem } from '../../native-host/train/items.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';

const start = 1;
let plain: ModelText;
/** Of a model that saw a start token before every text. */
let started: ModelText;

beforeAll(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lift-items-'));
  await makeTinyModel(folder);
  const open = async () => ({
    tokenizer: await openTokenizer(folder),
    chatTemplate: await openChatTemplate(folder),
    endTokens: new Set([2]),
  });
  plain = await open();
  const file = path.join(folder, 'tokenizer.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  json.post_processor = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<|im_start|>' } }, { Sequence: { id: 'A' } }],
    special_tokens: { '<|im_start|>': { ids: [start] } },
  };
  await writeFile(file, JSON.stringify(json));
  started = await open();
});

test('a segment stands behind its path, and behind the start token where the model has one', () => {
  const tokens = plain.tokenizer.encode('const a = 1;');
  const context = [40, 41];
  const [without, having] = [plain, started].map((text) => segmentItem(text, 'a.ts', tokens, 1, context));
  const name = plain.tokenizer.encode('[a.ts]\n');
  expect(without!.tokens).toEqual([...context, ...name, ...tokens]);
  expect(having!.tokens).toEqual([start, ...context, ...name, ...tokens]);
  const given = 1 + context.length + name.length;
  expect(having!.weights).toEqual(having!.tokens.map((_, i) => (i < given ? 0 : 1)));
});

test('the header of a long path fits, too', () => {
  const long = `${'very/long/'.repeat(20)}path.ts`;
  for (const text of [plain, started]) expect(segmentHeader(text, long)).toHaveLength(512 - longestSegment(512));
  expect(segmentHeader(started, long)[0]).toBe(start);
});
