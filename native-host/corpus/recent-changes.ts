/** Which files were changed last, by Git's history; for that the user's git is asked, where there is one. */
import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const commitsRead = 100;
/** A commit of more files than this formats or moves, and says nothing of what is worked on. */
const mostFilesOfCommit = 30;
const patience = 5000;
const commitMark = '\u0001';

/**
 * Paths in the folder that commits added or changed, the latest first, each once. Empty where there is no git, no work
 * tree or no commit, and where git takes too long. Errors: the signal's reason.
 */
export async function recentlyChanged(folder: string, signal?: AbortSignal): Promise<string[]> {
  // Nothing of the repository's own configuration is run, and nothing fetched where a clone is partial.
  const settings = ['core.quotePath=false', 'log.showSignature=false', 'core.fsmonitor=false', 'protocol.allow=never'];
  const list = ['--name-only', '--relative', '--no-renames', '--diff-filter=AM', '--no-ext-diff', '--no-textconv'];
  const args = [
    ...['-C', resolve(folder), '--no-pager', ...settings.flatMap((setting) => ['-c', setting])],
    ...['log', `-${commitsRead}`, '--no-merges', '--format=%x01', ...list],
  ];
  const options = {
    // Windows looks for programs in the working folder first, which may be the repository.
    cwd: homedir(),
    env: { ...process.env, GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' },
    timeout: patience,
    maxBuffer: 16 * 1024 * 1024,
    windowsHide: true,
    ...(signal ? { signal } : {}),
  };
  const said = await run('git', args, options).catch(() => null);
  signal?.throwIfAborted();
  const paths = new Set<string>();
  for (const commit of said?.stdout.split(commitMark) ?? []) {
    const files = commit.split('\n').filter((line) => line !== '' && !line.startsWith('"'));
    if (files.length > mostFilesOfCommit) continue;
    for (const file of files) paths.add(file);
  }
  return [...paths];
}
