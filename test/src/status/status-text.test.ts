import { expect, it, vi } from 'vitest';
import type { FolderState, HostState } from '../../../protocol/view.ts';
import { folderState } from '../fake-context.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { statusText } = await import('../../../src/status/status-text.ts');
const { statusMenu } = await import('../../../src/status/status-menu.ts');

const ready: HostState = { phase: 'ready', message: null, model: 'lift-base', device: 'cpu', memoryBytes: null };
const folder = (more: Partial<FolderState>): FolderState => ({ ...folderState('/f', 'f'), ...more });
const progress = { phase: 'train', step: 5, loss: 1, tokensPerSecond: 100, secondsLeft: 60 };
const text = (more: Partial<FolderState>, host = ready) => statusText(host, [folder(more)], folder(more)).text;

it.each<[string, Partial<FolderState>]>([
  ['$(book) LIFT 96 %', { absorbed: 0.96 }],
  ['$(book) LIFT 96 % ●3', { absorbed: 0.96, dirty: 3 }],
  ['$(book) LIFT 99 %', { absorbed: 0.9999 }],
  ['$(book) LIFT', { phase: 'empty', version: null }],
  ['$(book) LIFT', { phase: 'unknown', version: null }],
  ['$(book) LIFT 90 %', { phase: 'unknown' }],
  ['$(sync~spin) LIFT', { phase: 'busy' }],
  [
    '$(sync~spin) LIFT 312/1,204',
    { phase: 'busy', documents: 1204, progress: { ...progress, documentsSeen: 312, done: 0.1 } },
  ],
  ['$(sync~spin) LIFT 42 %', { phase: 'busy', documents: 9, progress: { ...progress, documentsSeen: 9, done: 0.42 } }],
  [
    '$(debug-pause) LIFT 1/9',
    { phase: 'paused', documents: 9, progress: { ...progress, documentsSeen: 1, done: null } },
  ],
  ['$(debug-pause) LIFT', { phase: 'paused' }],
  ['$(watch) LIFT', { phase: 'waiting' }],
  ['$(window) LIFT', { phase: 'elsewhere' }],
  ['$(error) LIFT', { phase: 'failed', message: 'the disk is full' }],
])('says %s', (expected, more) => {
  expect(text(more)).toBe(expected);
});

it('shows what is done in whichever folder, and the share of the one in front', () => {
  const front = folder({ name: 'front', absorbed: 0.5, dirty: 2 });
  const other = folder({ name: 'other', absorbed: 0.9, dirty: 1 });
  expect(statusText(ready, [other, front], front).text).toBe('$(book) LIFT 50 % ●3');
  const busy = folder({ name: 'other', phase: 'busy' });
  expect(statusText(ready, [front, busy], front)).toEqual({
    text: '$(sync~spin) LIFT',
    label: 'LIFT is absorbing other',
  });
});

it('tells why nothing can be done', () => {
  const message = 'Trust it';
  const untrusted: HostState = { ...ready, phase: 'untrusted', message };
  expect(statusText(untrusted, [], undefined)).toEqual({ text: '$(book) LIFT $(circle-slash)', label: message });
  expect(statusMenu(untrusted, []).map(({ command }) => command)).toEqual(['lift.manageTrust']);
  expect(text({}, { ...ready, phase: 'failed', message: 'no model' })).toBe('$(error) LIFT');
});

it('offers what can be done just now', () => {
  const commands = (more: Partial<FolderState>) => statusMenu(ready, [folder(more)]).map(({ command }) => command);
  expect(commands({ phase: 'busy' })).toEqual(expect.arrayContaining(['lift.pause', 'lift.stop', 'lift.ask']));
  expect(commands({ phase: 'busy' })).not.toContain('lift.absorb');
  expect(commands({ phase: 'paused' })).toEqual(expect.arrayContaining(['lift.resume', 'lift.stop']));
  expect(commands({ phase: 'empty', version: null })).toContain('lift.absorb');
  expect(commands({ phase: 'empty', version: null })).not.toContain('lift.rollBack');
  expect(commands({})).toEqual(expect.arrayContaining(['lift.refresh', 'lift.rollBack', 'lift.openSettings']));
});
