/** A model from a hub into the cache that Hugging Face's tools share. */
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HubCache, modelNameOf } from './hub-cache.ts';
import { HubError } from './hub-error.ts';
import { authorization, type DownloadPlan, fileUrl } from './hub-plan.ts';
import type { HubSettings } from './hub-settings.ts';
import { type TransferPace, transferFile } from './hub-transfer.ts';

export interface DownloadProgress {
  file: string;
  /** Of all files. */
  bytesDone: number;
  bytes: number;
}

export interface DownloadControl {
  signal: AbortSignal;
  onProgress(progress: DownloadProgress): void;
  pace?: TransferPace;
}

const spareBytes = 64 << 20;

/**
 * Downloads what is missing and returns the snapshot's folder, or the GGUF file in it. A try that was cut short is gone on with.
 * Errors: HubError; the signal's reason.
 */
export async function downloadModel(
  settings: HubSettings,
  plan: DownloadPlan,
  fetch: typeof globalThis.fetch,
  control: DownloadControl,
): Promise<string> {
  const cache = new HubCache(settings.cacheFolder);
  const { id, commit, files, revision, gguf } = plan;
  const release = await lock(cache.blobFile(id, 'download.lock'), id);
  try {
    const missing = files.filter(({ hash }) => !existsSync(cache.blobFile(id, hash)));
    await checkRoom(
      settings,
      id,
      missing.reduce((total, { size }) => total + size, 0),
    );
    let before = plan.bytes - missing.reduce((total, { size }) => total + size, 0);
    for (const file of missing) {
      await transferFile({
        id,
        endpoint: settings.endpoint,
        url: fileUrl(settings, plan, file.name),
        headers: authorization(settings),
        file,
        target: cache.blobFile(id, file.hash),
        fetch,
        signal: control.signal,
        onBytes: (bytes) => control.onProgress({ file: file.name, bytesDone: before + bytes, bytes: plan.bytes }),
        ...(control.pace ? { pace: control.pace } : {}),
      });
      before += file.size;
    }
    for (const { name, hash } of files) await cache.place(id, commit, name, hash);
    await cache.nameRevision(id, revision, commit);
    const folder = cache.snapshotFolder(id, commit);
    return gguf === null ? folder : join(folder, gguf.file);
  } finally {
    await release();
  }
}

async function checkRoom({ cacheFolder }: HubSettings, id: string, needed: number): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const { bavail, bsize } = await statfs(cacheFolder);
  const free = bavail * bsize;
  if (free >= needed + spareBytes) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  throw new HubError(
    `${id} needs ${megabytes(needed)} in ${cacheFolder}, and ${megabytes(free)} are free. Free some space, or set ` +
      'HF_HUB_CACHE to a folder on another disk.',
  );
}

/** Two processes writing one file would spoil it. The lock of a process that has died is taken over. */
async function lock(file: string, id: string): Promise<() => Promise<void>> {
  await mkdir(dirname(file), { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number(await readFile(file, 'utf8').catch(() => ''));
      if (attempt > 0 || isAlive(holder)) {
        throw new HubError(`${id} is being downloaded by process ${holder} already. Wait for it, or end it.`);
      }
      await rm(file, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where a model lies that was named by its name on a hub, perhaps with a GGUF file's. Errors: HubError where it is not here. */
export async function modelFolderOf(settings: HubSettings, named: string): Promise<string> {
  const { id, file } = modelNameOf(named) ?? { id: named };
  const cached = await new HubCache(settings.cacheFolder).find(id, 'main', file);
  if (cached !== null) return cached.folder;
  const command = `lift models get ${id}${file === undefined ? '' : ` --file ${file}`}`;
  throw new HubError(`${named} is not on this machine: run \`${command}\` first, or name a folder or file.`);
}
