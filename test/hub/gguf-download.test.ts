// A model in GGUF from a hub: chosen, checked by its header, downloaded, found again by its name and opened.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { downloadModel, modelFolderOf } from '../../native-host/hub/download-model.ts';
import { findModel } from '../../native-host/hub/find-model.ts';
import type { GgufWish } from '../../native-host/hub/gguf-offers.ts';
import { HubCache, nameOfCached } from '../../native-host/hub/hub-cache.ts';
import { planDownload } from '../../native-host/hub/hub-plan.ts';
import { type HubSettings, hubSettings } from '../../native-host/hub/hub-settings.ts';
import { openGguf } from '../../native-host/model/gguf/gguf-model.ts';
import { type ConvertedModel, converted, ggufBytes } from '../fixtures/gguf-writer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { commit, HubServer, modelId } from './hub-server.ts';

const pace = { stallMilliseconds: 300, retryMilliseconds: 1, mostFruitless: 3 };
const half = 'tiny-F16.gguf';
const eighth = 'tiny-Q8_0.gguf';

let root: string;
let server: HubServer;
let settings: HubSettings;
let model: ConvertedModel;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'lift-hub-gguf-'));
  await makeTinyModel(join(root, 'model'), { modelType: 'qwen2' });
  model = await converted(join(root, 'model'), 'Q8_0');
  const exact = await converted(join(root, 'model'), 'F16');
  server = new HubServer({
    'README.md': Buffer.from('# A model\n'),
    LICENSE: Buffer.from('Do as you like.\n'),
    [half]: ggufBytes(exact.metadata, exact.tensors),
    [eighth]: ggufBytes(model.metadata, model.tensors),
    'tiny-Q2_K.gguf': Buffer.from('of no use'),
    'tiny-BF16-00001-of-00002.gguf': Buffer.from('of no use'),
  });
  settings = { ...hubSettings({ HF_HOME: join(root, 'home') }), endpoint: await server.open() };
});
afterEach(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

const planned = (wish: GgufWish = {}) => planDownload(settings, modelId, 'main', fetch, wish);

async function download(wish?: GgufWish): Promise<string> {
  const control = { signal: new AbortController().signal, pace, onProgress: () => {} };
  return downloadModel(settings, await planned(wish), fetch, control);
}

it('plans one file with its licence, and says what else there is', async () => {
  const plan = await planned();
  expect(plan).toMatchObject({ commit, license: 'apache-2.0', gguf: { file: half } });
  expect(plan.files.map(({ name }) => name)).toEqual(['LICENSE', half]);
  expect(plan.bytes).toBe(server.files.LICENSE!.length + server.files[half]!.length);
  expect(plan.gguf!.offers.readable.map(({ name }) => name)).toEqual([half, eighth]);
  expect(plan.gguf!.offers.unread).toHaveLength(2);
  expect((await planned({ holdsExactly: () => false })).gguf!.file).toBe(eighth);
  expect((await planned({ file: eighth })).gguf).toMatchObject({ file: eighth });
  await expect(planned({ file: 'tiny-BF16-00001-of-00002.gguf' })).rejects.toThrow(/several files/);
});

it('takes a folder of safetensors for the model, unless a file is named', async () => {
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
    server.files[name] = readFileSync(join(root, 'model', name));
  }
  expect((await planned()).gguf).toBeNull();
  expect((await planned({ file: eighth })).gguf).toMatchObject({ file: eighth });
  await download({ file: eighth });
  expect((await findModel(settings, modelId, 'main', fetch)).folder).toBeNull();
});

it('refuses a file whose header says that it cannot be opened, having asked for no more than that', async () => {
  const other = model.metadata.map(([key, type, value]) => {
    return key === 'general.architecture' ? ([key, type, 'bert'] as const) : ([key, type, value] as const);
  });
  server.files[eighth] = ggufBytes(
    other.map(([key, type, value]) => [key, type, value]),
    model.tensors,
  );
  await expect(planned({ file: eighth })).rejects.toThrow(/general.architecture is "bert"/);
  const quantised = model.tensors.map((tensor) => (tensor.type === 8 ? { ...tensor, type: 11 } : tensor));
  server.files[eighth] = ggufBytes(model.metadata, quantised);
  await expect(planned({ file: eighth })).rejects.toThrow(/has the type Q3_K/);
  server.files[eighth] = Buffer.from('<html>');
  await expect(planned({ file: eighth })).rejects.toThrow(/GGUF|ends before its header/);
  server.misbehaviours.push({ kind: 'status', status: 503 });
  await expect(planned()).rejects.toThrow(/answers 503/);
});

it('reads a header that is longer than the first look', async () => {
  const long: ConvertedModel['metadata'][number] = ['tokenizer.other', 'string', 'x'.repeat(3 << 20)];
  server.files[eighth] = ggufBytes([long, ...model.metadata], model.tensors);
  expect((await planned({ file: eighth })).gguf).toMatchObject({ file: eighth });
});

it('gives a file that opens, goes on after a cut, and loads nothing the next time', async () => {
  const plan = await planned();
  const third = Math.floor(server.files[half]!.length / 3);
  server.misbehaviours.push({ kind: 'cut', after: third }, { kind: 'corrupt' });
  server.requests.length = 0;
  const control = { signal: new AbortController().signal, pace, onProgress: () => {} };
  const file = await downloadModel(settings, plan, fetch, control);
  expect(readFileSync(file)).toEqual(server.files[half]);
  const ranges = server.requests.filter(({ url }) => url.endsWith(half)).map(({ range }) => range);
  expect(ranges).toEqual([undefined, `bytes=${third}-`, undefined]);
  expect((await openGguf(file)).config.modelType).toBe('qwen2');
  expect(await findModel(settings, modelId, 'main', fetch)).toMatchObject({ folder: file });
  settings.isOffline = true;
  expect(await findModel(settings, modelId, 'main', fetch)).toMatchObject({ folder: file, plan: null });
});

it('is found by the name of the model, and by that of the file where there are several', async () => {
  const first = await download();
  expect(nameOfCached(first)).toBe(`${modelId}/${half}`);
  expect(await modelFolderOf(settings, modelId)).toBe(first);
  const second = await download({ file: eighth });
  expect(await modelFolderOf(settings, `${modelId}/${eighth}`)).toBe(second);
  await expect(modelFolderOf(settings, modelId)).rejects.toThrow(`Name one: ${modelId}/${half}, ${modelId}/${eighth}.`);
  await expect(modelFolderOf(settings, `${modelId}/other.gguf`)).rejects.toThrow(/--file other\.gguf/);
  expect((await new HubCache(settings.cacheFolder).list()).map(({ folder }) => folder)).toEqual([first, second]);
});
