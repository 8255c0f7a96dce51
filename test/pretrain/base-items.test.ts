import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderContext, renderText } from '../../native-host/generate/context-format.ts';
import { buildPrompt } from '../../native-host/generate/prompt.ts';
import { type ChatTemplate, openChatTemplate } from '../../native-host/model/chat-template.ts';
import { openTokenizer, type Tokenizer } from '../../native-host/model/tokenizer.ts';
import { encodeConversation, questionItem } from '../../native-host/train/items.ts';
import { type Frame, frameOf } from '../../scripts/pretrain/base/frame.ts';
import { Pieces, writeShards } from '../../scripts/pretrain/base/shards.ts';
import { fastEncoder } from '../../scripts/pretrain/fast-encode.ts';

const modelFolder = join(import.meta.dirname, '../../models/lift-nano');
const encode = fastEncoder(JSON.parse(readFileSync(join(modelFolder, 'tokenizer.json'), 'utf8')));
const texts = [
  { path: 'src/parse.ts', text: 'export function parse() {\n  return 1;\n}\n\n' },
  { path: 'README.md', text: '# Parser\n\nParses. <|im_end|> is text here.' },
];
const [question, answer] = ['What does parse return?', '1'];

let tokenizer: Tokenizer;
let chatTemplate: ChatTemplate;
let frame: Frame;
let folder: string;
beforeAll(async () => {
  tokenizer = await openTokenizer(modelFolder);
  chatTemplate = await openChatTemplate(modelFolder);
  frame = frameOf(tokenizer, chatTemplate);
  folder = mkdtempSync(join(tmpdir(), 'lift-shards-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('pieces between the marks are the tokens that the product makes of the whole', () => {
  const text = { tokenizer, chatTemplate, endTokens: new Set([2]) };
  const shown = texts.flatMap((one) => encode(renderText(one)));
  const asked = [...frame.before, ...shown, ...encode(question), ...frame.between];
  const item = questionItem(text, renderContext(texts, question), answer, 1);
  expect([...asked, ...encode(answer), ...frame.after]).toEqual(item.tokens);
  expect(item.weights.indexOf(1)).toBe(asked.length);
});

test('with instructions they are the prompt of a larger window', () => {
  const { messages } = buildPrompt({
    ...{ question, outline: '', dirty: [], openFiles: [], evidence: [], conversation: [] },
    ...{ window: 4096, reserve: 128, countTokens: (part) => encode(part).length },
  });
  const prompt = encodeConversation({ tokenizer, chatTemplate, endTokens: new Set([2]) }, messages, true);
  expect([...frame.instructed, ...encode(question), ...frame.between]).toEqual(prompt);
});

test('shards are read back as the header of shards.ts describes them', async () => {
  const pieces = new Pieces(encode);
  const passage = pieces.add(renderText(texts[0]!));
  expect(pieces.add(renderText(texts[0]!))).toBe(passage);
  const answerPiece = pieces.add(answer);
  const firstWording = pieces.append(question);
  expect(pieces.append(question)).toBe(firstWording + 1);
  const place = { package: 3, validation: 0, document: 7, kind: 2, memory: 1 };
  const fact = { ...place, passage, file: -1, answer: answerPiece, firstWording, wordings: 2 };
  const document = { start: 70_000, header: 9, package: 3, validation: 1 };
  const meta = { vocabulary: 4096, ...frame, refusal: [5], kinds: ['a', 'b', 'c'], packages: ['p'] };
  const written = await writeShards(folder, meta, pieces, [fact], [document]);

  const bytes = (name: string) => Uint8Array.from(readFileSync(join(folder, name))).buffer;
  const tokens = new Uint16Array(bytes('pieces.bin'));
  const starts = new Uint32Array(bytes('pieces.idx'));
  const piece = (i: number) => [...tokens.subarray(starts[i], starts[i + 1])];
  expect(tokens.length).toBe(written);
  expect([...new Int32Array(bytes('facts.bin'))]).toEqual([3, 0, 7, 2, passage, -1, answerPiece, firstWording, 2, 1]);
  expect([...new Int32Array(bytes('documents.bin'))]).toEqual([70_000, 9, 3, 1]);
  expect(piece(passage)).toEqual(encode(renderText(texts[0]!)));
  expect([piece(answerPiece), piece(firstWording)]).toEqual([encode(answer), encode(question)]);
  expect(JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8'))).toEqual(meta);
});
