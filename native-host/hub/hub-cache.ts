/** The cache folder that Hugging Face's tools share: blobs by hash, and for each commit a snapshot of links to them. */
import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { ggufOffers, isGgufName } from './gguf-offers.ts';
import { HubError } from './hub-error.ts';

const idPattern = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const commitPattern = /^[0-9a-f]{40}$/;

/** Whether a name looks like `organisation/model`. */
export function isModelId(name: string): boolean {
  return idPattern.test(name) && !name.includes('..');
}

/** `organisation/model`, or one GGUF file of it as `organisation/model/file.gguf`; null for other names. */
export function modelNameOf(name: string): { id: string; file?: string } | null {
  if (isModelId(name)) return { id: name };
  const [, id = '', file = ''] = /^([^/]+\/[^/]+)\/([^/]+)$/.exec(name) ?? [];
  return isModelId(id) && isGgufName(file) ? { id, file } : null;
}

/** The name of the model that a snapshot in the cache, or a GGUF file in one, is; null for others. */
export function nameOfCached(path: string): string | null {
  const [, folder = '', file] =
    /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}(?:[\\/]([^\\/]+\.gguf))?$/i.exec(path) ?? [];
  const id = folder.replace('--', '/');
  if (!isModelId(id)) return null;
  return file === undefined ? id : `${id}/${file}`;
}

export interface CachedModel {
  id: string;
  /** Of the snapshot, or the GGUF file in it; files may be links. */
  folder: string;
  commit: string;
}

export class HubCache {
  constructor(private readonly cacheFolder: string) {}

  /**
   * What a branch, tag or commit holds that is complete enough to be opened: the snapshot, or the GGUF file named or alone in
   * it; with null for `file` only the snapshot. Errors: HubError where it holds several files and none is named.
   */
  async find(id: string, revision = 'main', file?: string | null): Promise<CachedModel | null> {
    const found = await this.findAll(id, revision);
    if (typeof file === 'string') return found.find(({ folder }) => basename(folder) === file) ?? null;
    const [first, second] = found;
    if (first === undefined || !isGgufName(basename(first.folder))) return first ?? null;
    if (file === null) return null;
    if (second === undefined) return first;
    const names = found.map(({ folder }) => `${id}/${basename(folder)}`);
    throw new HubError(`Several files of ${id} are on this machine. Name one: ${names.join(', ')}.`);
  }

  /** Every model of which a named revision is here; sorted by name. */
  async list(): Promise<CachedModel[]> {
    const names = await readdir(this.cacheFolder).catch(() => []);
    const found: CachedModel[] = [];
    for (const name of names.sort()) {
      const [kind, ...parts] = name.split('--');
      const id = parts.join('/');
      if (kind === 'models' && isModelId(id)) found.push(...(await this.findAll(id, 'main')));
    }
    return found;
  }

  private async findAll(id: string, revision: string): Promise<CachedModel[]> {
    const repository = this.repositoryFolder(id);
    const commit = commitPattern.test(revision)
      ? revision
      : await readFile(join(repository, 'refs', revision), 'utf8').then(
          (text) => text.trim(),
          () => null,
        );
    if (commit === null || !commitPattern.test(commit)) return [];
    return (await modelsIn(this.snapshotFolder(id, commit))).map((folder) => ({ id, folder, commit }));
  }

  blobFile(id: string, hash: string): string {
    return join(this.repositoryFolder(id), 'blobs', hash);
  }

  snapshotFolder(id: string, commit: string): string {
    return join(this.repositoryFolder(id), 'snapshots', commit);
  }

  /** Makes a blob appear under its name in a snapshot. */
  async place(id: string, commit: string, name: string, hash: string): Promise<void> {
    const blob = this.blobFile(id, hash);
    const file = join(this.snapshotFolder(id, commit), name);
    if (existsSync(file)) return;
    await mkdir(dirname(file), { recursive: true });
    await rm(file, { force: true });
    try {
      await symlink(relative(dirname(file), blob), file);
    } catch {
      // Windows allows links only to some users; a second name for the file costs no disk either.
      await link(blob, file).catch(() => rename(blob, file));
    }
  }

  /** Notes which commit a branch or tag means. Done last: before, the snapshot is not found under that name. */
  async nameRevision(id: string, revision: string, commit: string): Promise<void> {
    if (commitPattern.test(revision)) return;
    const file = join(this.repositoryFolder(id), 'refs', revision);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.tmp`, commit);
    await rename(`${file}.tmp`, file);
  }

  private repositoryFolder(id: string): string {
    return join(this.cacheFolder, `models--${id.split('/').join('--')}`);
  }
}

/** The folder itself where it is a model, then the GGUF files in it. A link that leads nowhere counts as missing. */
async function modelsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => existsSync(join(folder, name)));
  const isFolder = ['model.safetensors', 'model.safetensors.index.json'].some((name) => names.includes(name));
  const files = ggufOffers(names.map((name) => ({ name, size: 0, hash: '' }))).readable;
  return [
    ...(isFolder && names.includes('config.json') ? [folder] : []),
    ...files.map(({ name }) => join(folder, name)),
  ];
}
