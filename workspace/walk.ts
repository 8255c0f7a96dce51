// What is in a folder: its regular files, without what is ignored. Reads names and attributes, never contents.
import { type BigIntStats, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { IgnoreRules } from './ignore.ts';
import { timeSlices } from './time-slices.ts';

export interface WalkedFile {
  /** Relative to the folder, '/'-separated. */
  path: string;
  /** In bytes. */
  size: number;
  modifiedNanoseconds: bigint;
  inode: bigint;
}

/** A folder or a file that was not walked, and why. Ignored files are counted by folder, whose path ends with '/'. */
export interface LeftOut {
  path: string;
  reason: string;
}

export interface Walk {
  /** The real path of the folder. */
  folder: string;
  /** Sorted by path. */
  files: WalkedFile[];
  /** What the ignore rules leave out. */
  ignored: LeftOut[];
  /** What could not be read, links, and what is neither file nor folder. */
  unread: LeftOut[];
}

/**
 * Walks a folder. Links are not followed: what they lead to is either walked under its own name or outside of the folder. Throws when the
 * folder itself cannot be read; anything below that cannot be read is listed. `exclude`: more patterns to leave out.
 */
export async function walkFolder(folder: string, signal?: AbortSignal, exclude: readonly string[] = []): Promise<Walk> {
  const endOfStep = timeSlices(signal);
  const root = realFolder(folder);
  const rules = IgnoreRules.forRoot(root, exclude);
  const walk: Walk = { folder: root, files: [], ignored: [], unread: [...rules.problems] };
  const pending: { path: string; rules: IgnoreRules }[] = [{ path: '', rules }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const folderBelow of readFolder(root, next.path, next.rules, walk)) {
      pending.push(folderBelow);
      walk.unread.push(...folderBelow.rules.problems);
    }
    await endOfStep();
  }
  for (const list of [walk.files, walk.ignored, walk.unread])
    list.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return walk;
}

function realFolder(folder: string): string {
  try {
    const root = realpathSync.native(folder);
    if (statSync(root).isDirectory()) return root;
  } catch (error) {
    throw new Error(`The folder ${folder} cannot be read: ${reasonOf(error)}. Check its name and your rights to it.`);
  }
  throw new Error(`${folder} is not a folder. Name the folder that holds the repository.`);
}

function readFolder(
  root: string,
  path: string,
  rules: IgnoreRules,
  walk: Walk,
): { path: string; rules: IgnoreRules }[] {
  const folder = path === '' ? root : join(root, path);
  const below: { path: string; rules: IgnoreRules }[] = [];
  const ignoredFiles = new Map<string, number>();
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch (error) {
    walk.unread.push({ path: path === '' ? '.' : `${path}/`, reason: `cannot be read: ${reasonOf(error)}` });
    return below;
  }
  for (const entry of entries) {
    const entryPath = path === '' ? entry.name : `${path}/${entry.name}`;
    // A file system may not tell what an entry is before one asks.
    const stats = entry.isDirectory() ? null : attributesOf(join(folder, entry.name));
    if (entry.isDirectory() || (stats && !(stats instanceof Error) && stats.isDirectory())) {
      if (entry.name === '.git') continue;
      const decision = rules.decide(entryPath, true);
      if (!decision.ignored || rules.mayHoldReincluded(entryPath)) {
        below.push({ path: entryPath, rules: rules.enter(join(folder, entry.name), entryPath, decision) });
      }
      if (decision.ignored) walk.ignored.push({ path: `${entryPath}/`, reason: decision.reason as string });
      continue;
    }
    if (entry.name === '.git') continue;
    const decision = rules.decide(entryPath, false);
    if (decision.ignored)
      ignoredFiles.set(decision.reason as string, (ignoredFiles.get(decision.reason as string) ?? 0) + 1);
    else if (stats instanceof Error)
      walk.unread.push({ path: entryPath, reason: `cannot be read: ${reasonOf(stats)}` });
    else if (stats?.isSymbolicLink())
      walk.unread.push({ path: entryPath, reason: linkReason(root, join(folder, entry.name)) });
    else if (!stats?.isFile()) walk.unread.push({ path: entryPath, reason: 'not a regular file' });
    else
      walk.files.push({
        path: entryPath,
        size: Number(stats.size),
        modifiedNanoseconds: stats.mtimeNs,
        inode: stats.ino,
      });
  }
  for (const [reason, count] of ignoredFiles) {
    walk.ignored.push({
      path: path === '' ? './' : `${path}/`,
      reason: `${count} ${count === 1 ? 'file' : 'files'}: ${reason}`,
    });
  }
  return below;
}

function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true });
}

function attributesOf(file: string): BigIntStats | Error {
  try {
    return lstatSync(file, { bigint: true });
  } catch (error) {
    return error as Error;
  }
}

function linkReason(root: string, link: string): string {
  let target: string;
  try {
    target = realpathSync.native(link);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ELOOP'
      ? 'a link that leads to itself'
      : 'a link that leads nowhere';
  }
  if (target === root || target.startsWith(root.endsWith(sep) ? root : root + sep))
    return 'a link to something else in the folder';
  return 'a link that leaves the folder';
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ENOENT: 'it does not exist',
    ENAMETOOLONG: 'its path is too long',
  };
  return (code && (known[code] ?? code)) ?? message;
}
