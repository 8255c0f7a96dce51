import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changesText } from '../../native-host/cli/absorb-watch.ts';
import type { AbsorbResult } from '../../protocol/host.ts';
import { outcome, runLift } from './fake-lift.ts';

let root: string;

beforeEach(() => {
  root = realpathSync.native(mkdtempSync(join(tmpdir(), 'lift-absorb-watch-')));
  mkdirSync(join(root, 'repo/store'), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

type Step = (interrupt: AbortController) => void;

/** Runs `absorb --watch`; the first absorption does the first step, and so on. */
function watching(steps: readonly Step[]) {
  const interrupt = new AbortController();
  let absorptions = 0;
  const absorb = async (): Promise<AbsorbResult> => {
    const version = ++absorptions;
    steps[version - 1]?.(interrupt);
    return { ...outcome, version };
  };
  const parameters = ['absorb', 'repo', '--watch', '--json', '--store', 'repo/store'];
  return runLift(parameters, { workingFolder: root, interrupt, services: { absorb } });
}

function write(path: string, text: string): void {
  writeFileSync(join(root, 'repo', path), text);
}

function versions(stdout: string): (number | null)[] {
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as AbsorbResult).version);
}

describe('lift absorb --watch', () => {
  it('absorbs again what changes, goes on after an error, and ends with the last outcome when interrupted', async () => {
    const run = await watching([
      () => write('during.ts', '1\n'),
      () => {
        // The store is in the folder; what is written there is no change.
        write('store/manifest.json', '{}\n');
        setTimeout(() => write('later.ts', '2\n'), 100);
      },
      () => {
        setTimeout(() => write('last.ts', '3\n'), 100);
        throw new Error('The adapter is being trained by process 7.');
      },
      (interrupt) => interrupt.abort(),
    ]);
    expect(run.status).toBe(130);
    expect(versions(run.stdout)).toEqual([1, 2, 4]);
    for (const path of ['during.ts', 'later.ts', 'last.ts']) {
      expect(run.stderr).toContain(`1 file changed: ${path}\n`);
    }
    expect(run.stderr).toContain('lift: The adapter is being trained by process 7.\n');
    expect(run.stderr).not.toContain('manifest.json');
    expect(run.closed).toBe(1);
  });

  it('ends while it waits', async () => {
    const run = await watching([(interrupt) => setTimeout(() => interrupt.abort(), 50)]);
    expect(run.status).toBe(130);
    expect(versions(run.stdout)).toEqual([1]);
    expect(run.stderr).toContain('Watching for changes');
  });

  it('ends when the first absorption fails', async () => {
    const fail = () => {
      throw new Error('No disk.');
    };
    expect(await watching([fail])).toMatchObject({ status: 1, stdout: '', stderr: 'lift: No disk.\n' });
  });
});

describe('changesText', () => {
  it('names the first files', () => {
    const change = (path: string) => ({ path, kind: 'changed' as const });
    expect(changesText([change('a'), change('a')])).toBe('1 file changed: a');
    expect(changesText(['a', 'b', 'c', 'd', 'e'].map(change))).toBe('5 files changed: a, b, c and 2 more');
  });
});
