// A day of commits out of a real history, to be replayed: folders of a Git repository as each commit left them.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import type { Change } from './changes.ts';

export interface DayOfCommits {
  /** As YYYY-MM-DD, by the committers' dates in UTC. */
  day: string;
  /** Writes the folders as they were before the first of the commits. */
  before(target: string): Promise<void>;
  commits: readonly Change[];
}

/**
 * The last `most` commits of the day on which most commits changed these folders, oldest first; null where no commit has
 * one before it. Errors: Error where the repository is none or has no such folder.
 */
export async function dayOfCommits(
  repository: string,
  folders: readonly string[],
  most: number,
): Promise<DayOfCommits | null> {
  const git = (args: readonly string[], environment: Record<string, string> = {}) =>
    run('git', ['-C', repository, ...args], {
      quiet: true,
      environment: { ...environment, TZ: 'UTC' },
    });
  const format = ['--first-parent', '--date=format-local:%Y-%m-%d', '--format=%H %cd %s'];
  const lines = (await git(['log', ...format, '--', ...folders])).trim().split('\n');
  // The first commit of all has nothing before it.
  const commits = lines.reverse().slice(1).map(parsedCommit);
  const days = new Map<string, typeof commits>();
  for (const commit of commits) days.set(commit.day, [...(days.get(commit.day) ?? []), commit]);
  const busiest = [...days.values()].sort((one, other) => other.length - one.length)[0];
  if (busiest === undefined) return null;
  const chosen = busiest.slice(-most);
  const place = async (commit: string, target: string) => {
    await mkdir(target, { recursive: true });
    for (const name of await readdir(target)) await rm(join(target, name), { recursive: true });
    const there = (await git(['ls-tree', '-d', '--name-only', commit, '--', ...folders])).trim().split('\n');
    // An index of its own: the repository's is the user's.
    const index = `${target}.index`;
    await rm(index, { force: true });
    await git(['--work-tree', target, 'checkout', '--force', commit, '--', ...there], { GIT_INDEX_FILE: index });
  };
  return {
    day: chosen[0]!.day,
    before: (target) => place(`${chosen[0]!.hash}^`, target),
    commits: chosen.map(({ hash, subject }) => ({ name: subject, apply: (folder) => place(hash, folder) })),
  };
}

function parsedCommit(line: string): { hash: string; day: string; subject: string } {
  const [hash, day, ...words] = line.split(' ');
  return { hash: hash!, day: day!, subject: words.join(' ') };
}
