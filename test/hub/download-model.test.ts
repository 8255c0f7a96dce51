// Downloads from a real server on this machine that cuts, stalls, lies about lengths and serves error pages.
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { downloadModel, modelFolderOf } from '../../native-host/hub/download-model.ts';
import { HubCache } from '../../native-host/hub/hub-cache.ts';
import { planDownload } from '../../native-host/hub/hub-plan.ts';
import { type HubSettings, hubSettings } from '../../native-host/hub/hub-settings.ts';
import { openModelFolder } from '../../native-host/model/model-folder.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { commit, HubServer, modelId } from './hub-server.ts';

const pace = { stallMilliseconds: 300, retryMilliseconds: 1, mostFruitless: 3 };

let root: string;
let server: HubServer;
let settings: HubSettings;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'lift-hub-'));
  await makeTinyModel(join(root, 'model'));
  const files = readdirSync(join(root, 'model')).map((name) => [name, readFileSync(join(root, 'model', name))]);
  server = new HubServer(Object.fromEntries(files));
  server.files['README.md'] = Buffer.from('# A model\n');
  server.files['pytorch_model.bin'] = randomBytes(100);
  const endpoint = await server.open();
  settings = { ...hubSettings({ HF_HOME: join(root, 'home') }), endpoint };
});
afterEach(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

async function download(signal = new AbortController().signal, onProgress: (done: number) => void = () => {}) {
  const plan = await planDownload(settings, modelId, 'main', fetch);
  return downloadModel(settings, plan, fetch, { signal, pace, onProgress: ({ bytesDone }) => onProgress(bytesDone) });
}

const weightRequests = () => server.requests.filter(({ url }) => url.endsWith('model.safetensors'));
const weights = () => server.files['model.safetensors']!;

describe('a plan', () => {
  it('says what there is to load, without what is not needed, and the licence', async () => {
    const plan = await planDownload(settings, modelId, 'main', fetch);
    expect(plan).toMatchObject({ id: modelId, commit, license: 'apache-2.0' });
    const names = plan.files.map(({ name }) => name);
    expect(names).toContain('model.safetensors');
    expect(names).not.toContain('pytorch_model.bin');
    expect(plan.bytes).toBe(plan.files.reduce((total, { name }) => total + server.files[name]!.length, 0));
    expect(weightRequests()).toEqual([]);
  });

  it('refuses a model that could not be opened, before its weights are loaded', async () => {
    server.files['config.json'] = Buffer.from('{"model_type": "bert", "vocab_size": 10}');
    await expect(planDownload(settings, modelId, 'main', fetch)).rejects.toThrow(/bert/);
    delete server.files['model.safetensors'];
    await expect(planDownload(settings, modelId, 'main', fetch)).rejects.toThrow(/safetensors/);
  });

  it('says what to do about a model that is not there, is gated, or a hub that cannot be reached', async () => {
    await expect(planDownload(settings, 'example/other', 'main', fetch)).rejects.toThrow(/has no model example\/other/);
    await expect(planDownload(settings, modelId, 'nowhere', fetch)).rejects.toThrow(/revision nowhere/);
    server.gated = true;
    await expect(planDownload(settings, modelId, 'main', fetch)).rejects.toThrow(/HF_TOKEN/);
    settings.token = 'allowed';
    await expect(planDownload(settings, modelId, 'main', fetch)).rejects.toThrow(/begins with `hf_`/);
    settings.token = 'hf_allowed';
    expect((await planDownload(settings, modelId, 'main', fetch)).commit).toBe(commit);
    await server.close();
    await expect(planDownload(settings, modelId, 'main', fetch)).rejects.toThrow(/HTTPS_PROXY/);
    await server.open();
  });
});

describe('a download', () => {
  it('gives a folder that opens as a model, and the next one loads nothing', async () => {
    const seen: number[] = [];
    const folder = await download(undefined, (done) => seen.push(done));
    const opened = await openModelFolder(folder);
    expect(opened.parameters).toBe((await openModelFolder(join(root, 'model'))).parameters);
    expect(lstatSync(join(folder, 'model.safetensors')).isSymbolicLink()).toBe(true);
    expect(seen.at(-1)).toBe((await planDownload(settings, modelId, 'main', fetch)).bytes);
    expect(await modelFolderOf(settings, modelId)).toBe(folder);
    expect(await new HubCache(settings.cacheFolder).list()).toEqual([{ id: modelId, folder, commit }]);
    server.requests.length = 0;
    expect(await download()).toBe(folder);
    expect(weightRequests()).toEqual([]);
  });

  it('goes on where the connection was cut, stalled or answered with an error', async () => {
    const third = Math.floor(weights().length / 3);
    server.misbehaviours.push(
      { kind: 'cut', after: third },
      { kind: 'stall', after: third },
      { kind: 'status', status: 503 },
    );
    const folder = await download();
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights());
    const ranges = weightRequests().map(({ range }) => range);
    expect(ranges).toEqual([undefined, `bytes=${third}-`, `bytes=${2 * third}-`, `bytes=${2 * third}-`]);
  });

  it('starts over where the server knows no parts, sends other contents or lies about the length', async () => {
    const third = Math.floor(weights().length / 3);
    server.misbehaviours.push({ kind: 'cut', after: third }, { kind: 'ignoreRange' });
    expect(readFileSync(join(await download(), 'model.safetensors'))).toEqual(weights());
    rmSync(settings.cacheFolder, { recursive: true });
    server.misbehaviours.push({ kind: 'corrupt' }, { kind: 'lie' });
    expect(readFileSync(join(await download(), 'model.safetensors'))).toEqual(weights());
  });

  it('ends when nothing comes any more, keeps what came, and goes on from there the next time', async () => {
    const half = Math.floor(weights().length / 2);
    server.misbehaviours.push(
      { kind: 'cut', after: half },
      ...Array.from({ length: 3 }, () => ({ kind: 'status', status: 500 }) as const),
    );
    await expect(download()).rejects.toThrow(/cannot be reached.*500/);
    expect(await new HubCache(settings.cacheFolder).find(modelId)).toBeNull();
    server.requests.length = 0;
    await download();
    expect(weightRequests().map(({ range }) => range)).toEqual([`bytes=${half}-`]);
  });

  it('never keeps what its hash does not vouch for', async () => {
    server.misbehaviours.push({ kind: 'corrupt' }, { kind: 'corrupt' });
    await expect(download()).rejects.toThrow(/other contents than its hash says/);
    const blobs = readdirSync(join(settings.cacheFolder, 'models--example--small-model', 'blobs'));
    for (const name of blobs)
      expect(statSync(join(settings.cacheFolder, 'models--example--small-model', 'blobs', name)).size).not.toBe(
        weights().length,
      );
    server.misbehaviours.push({ kind: 'page' });
    await expect(download()).rejects.toThrow(/web page/);
  });

  it('ends when it is stopped', async () => {
    const stop = new AbortController();
    server.misbehaviours.push({ kind: 'stall', after: 1000 });
    await expect(download(stop.signal, (done) => done > 1000 && stop.abort())).rejects.toThrow(/abort/i);
  });

  it('takes over the lock of a process that has died, and respects that of one that lives', async () => {
    const blobs = join(settings.cacheFolder, 'models--example--small-model', 'blobs');
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, 'download.lock'), String(process.ppid));
    await expect(download()).rejects.toThrow(/already/);
    writeFileSync(join(blobs, 'download.lock'), '999999999');
    await download();
  });
});

describe('the settings', () => {
  it('are read as other programs read them', () => {
    writeFileSync(join(root, 'token'), 'secret\n');
    expect(hubSettings({ HF_HOME: root, HF_ENDPOINT: 'https://mirror.example/', HF_HUB_OFFLINE: '1' })).toEqual({
      endpoint: 'https://mirror.example',
      token: 'secret',
      cacheFolder: join(root, 'hub'),
      isOffline: true,
    });
    expect(hubSettings({ HF_HUB_CACHE: '/models', HF_HOME: '' })).toMatchObject({
      cacheFolder: '/models',
      isOffline: false,
    });
  });
});
