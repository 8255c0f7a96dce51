/** The commit that a folder's Git work tree is at, read from Git's own files: the user may have no git in the path. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';

const hashPattern = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
/** Refs need less; where files say more than this, they are not Git's. */
const mostBytes = 16 * 1024 * 1024;

/**
 * The full hash that HEAD names; null where the folder is in no work tree, before the first commit, and where the refs
 * are kept in another form than loose or packed files. What Git has not written well is no error.
 */
export async function commitOf(folder: string): Promise<string | null> {
  const git = await gitFolderOf(resolve(folder));
  const head = git === null ? null : await textOf(join(git, 'HEAD'));
  if (git === null || head === null) return null;
  const [, ref] = /^ref: (refs\/.+)$/.exec(head) ?? [];
  if (ref === undefined) return hashIn(head);
  // A linked work tree has a HEAD of its own, and shares the branches.
  const common = await textOf(join(git, 'commondir'));
  for (const place of common === null ? [git] : [git, resolve(git, common)]) {
    const hash = hashIn(await textOf(join(place, ref))) ?? packed(await textOf(join(place, 'packed-refs')), ref);
    if (hash !== null) return hash;
  }
  return null;
}

/** Of the innermost work tree that holds the folder. A linked work tree and a submodule have a file that names it. */
async function gitFolderOf(folder: string): Promise<string | null> {
  const path = join(folder, '.git');
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return path;
  if (found?.isFile()) {
    const [, named] = /^gitdir: (.+)$/.exec((await textOf(path)) ?? '') ?? [];
    if (named === undefined) return null;
    return isAbsolute(named) ? named : resolve(folder, named);
  }
  const outer = dirname(folder);
  return outer === folder ? null : gitFolderOf(outer);
}

async function textOf(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile() || found.size > mostBytes) return null;
  return (await readFile(path, 'utf8').catch(() => null))?.trimEnd() ?? null;
}

function hashIn(text: string | null): string | null {
  return text !== null && hashPattern.test(text) ? text : null;
}

function packed(refs: string | null, ref: string): string | null {
  const line = refs?.split('\n').find((line) => line.endsWith(` ${ref}`));
  return line === undefined ? null : hashIn(line.slice(0, line.indexOf(' ')));
}
