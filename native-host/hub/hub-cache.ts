/** The cache folder that Hugging Face's tools share: blobs by hash, and for each commit a snapshot of links to them. */
import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const idPattern = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const commitPattern = /^[0-9a-f]{40}$/;

/** Whether a name looks like `organisation/model`. */
export function isModelId(name: string): boolean {
  return idPattern.test(name) && !name.includes('..');
}

/** The name of the model whose snapshot a folder of the cache is; null for other folders. */
export function idOfSnapshot(folder: string): string | null {
  const [, name = ''] = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}$/.exec(folder) ?? [];
  const id = name.replace('--', '/');
  return isModelId(id) ? id : null;
}

export interface CachedModel {
  id: string;
  /** Of the snapshot; its files may be links. */
  folder: string;
  commit: string;
}

export class HubCache {
  constructor(private readonly cacheFolder: string) {}

  /** The snapshot of a branch, tag or commit, if it is complete enough to be opened. */
  async find(id: string, revision = 'main'): Promise<CachedModel | null> {
    const repository = this.repositoryFolder(id);
    const commit = commitPattern.test(revision)
      ? revision
      : await readFile(join(repository, 'refs', revision), 'utf8').then(
          (text) => text.trim(),
          () => null,
        );
    if (commit === null || !commitPattern.test(commit)) return null;
    const folder = this.snapshotFolder(id, commit);
    return isModel(folder) ? { id, folder, commit } : null;
  }

  /** Every model of which a named revision is here; sorted by name. */
  async list(): Promise<CachedModel[]> {
    const names = await readdir(this.cacheFolder).catch(() => []);
    const found: CachedModel[] = [];
    for (const name of names.sort()) {
      const [kind, ...parts] = name.split('--');
      const id = parts.join('/');
      if (kind !== 'models' || !isModelId(id)) continue;
      const model = await this.find(id);
      if (model !== null) found.push(model);
    }
    return found;
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

/** A link that leads nowhere counts as missing. */
function isModel(folder: string): boolean {
  const has = (name: string) => existsSync(join(folder, name));
  return has('config.json') && (has('model.safetensors') || has('model.safetensors.index.json'));
}
