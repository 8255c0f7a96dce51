import { expect, it, vi } from 'vitest';
import type { FolderState, HostState } from '../../../protocol/view.ts';
import { folderState } from '../fake-context.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { tooltipCommands, tooltipText } = await import('../../../src/status/tooltip-text.ts');

const ready: HostState = { phase: 'ready', message: null, model: 'lift-base', device: 'cpu', memoryBytes: 538_400_000 };
const made = '2026-11-20T10:00:00.000Z';
const now = Date.parse('2026-11-22T12:00:00.000Z');
const text = (more: Partial<FolderState>, host = ready) =>
  tooltipText(host, [{ ...folderState('/f', 'f'), ...more }], now);

it('tells what is known, how old it is, and of which model', () => {
  const idle = text({ absorbed: 0.96, documents: 1204, version: 7, absorbedAt: made, adapterBytes: 11_800_000 });
  expect(idle).toContain('**f** — up to date');
  expect(text({ version: 7, absorbedAt: made, absorbedCommit: '3f9c2b7e6a1d' })).toContain('old · commit 3f9c2b7e');
  expect(idle).toContain('Knows 96 % of 1,204 files · version 7, 2 d 2 h old · 11.8 MB');
  expect(idle).toContain('Model lift\\-base · device cpu · 538.4 MB of memory');
});

it('tells what has changed and what is left out', () => {
  const skipped = [{ path: '.env', reason: 'a secret' }];
  const dirty = text({ dirty: 3, skipped });
  expect(dirty).toContain('changed since it was absorbed');
  expect(dirty).toContain('Files changed since: 3');
  expect(dirty).toContain('Files and folders left out: 1');
  expect(dirty).toContain('command:lift.refresh');
});

it('tells that everything may be absorbed anew, and offers it', () => {
  const due = text({ version: 7, isConsolidationDue: true });
  expect(due).toContain('Much was refreshed: Refresh absorbs everything anew.');
  expect(due).toContain('command:lift.refresh');
  expect(text({ version: 7 })).not.toMatch(/anew|lift\.refresh/);
});

it('tells how far an absorption is', () => {
  const progress = {
    phase: 'train',
    step: 5,
    documentsSeen: 40,
    loss: 1,
    tokensPerSecond: 900,
    secondsLeft: 130,
    done: 0.4,
  };
  const busy = text({ phase: 'busy', documents: 100, progress });
  expect(busy).toContain('40 of 100 files · 40 % · 2 min 10 s left · 900 tokens/s');
  expect(busy).toContain('command:lift.pause');
  expect(busy).not.toContain('command:lift.absorb');
});

it('takes names and messages for text', () => {
  const hostile = text({ name: '[x](command:evil) $(sync) <b>', phase: 'failed', message: 'see `a|b`\n**now**' });
  expect(hostile).not.toContain('](command:evil)');
  expect(hostile).not.toMatch(/(?<!\\)\$\(sync\)/);
  expect(hostile).toContain('see \\`a\\|b\\` \\*\\*now\\*\\*');
});

it('links to commands of its own and to no others', () => {
  const phases: FolderState['phase'][] = [
    'unknown',
    'empty',
    'idle',
    'waiting',
    'busy',
    'paused',
    'failed',
    'elsewhere',
  ];
  const hosts: HostState['phase'][] = ['ready', 'failed', 'untrusted', 'virtual', 'noFolder', 'stopped', 'restarting'];
  const linked = new Set<string>();
  for (const phase of phases) {
    for (const host of hosts) {
      const shown = text({ phase, dirty: 1 }, { ...ready, phase: host, message: 'm' });
      for (const [, command] of shown.matchAll(/\]\(command:([^)]+)\)/g)) linked.add(command!);
    }
  }
  expect([...linked].sort()).toEqual([...tooltipCommands].sort());
});
