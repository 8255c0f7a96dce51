import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CoverageEntry } from '../../../protocol/host.ts';
import { badgeOf, fileDecoration } from '../../../src/decorations/badge.ts';
import { activateDecorations } from '../../../src/decorations/decorations.ts';
import { fakeContext } from '../fake-context.ts';
import {
  editor,
  type FileDecoration,
  inFolder,
  openWindow,
  registered,
  settingsChange,
  type Uri,
} from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const entry = (absorbed: number, dirty = false): CoverageEntry => ({ path: 'x', tokens: 10, absorbed, dirty });

interface Provider {
  provideFileDecoration(uri: Uri): FileDecoration | undefined;
  onDidChangeFileDecorations(listener: (uris: Uri[]) => void): void;
}

describe('a badge', () => {
  it.each([
    [0, '0'],
    [0.049, '4'],
    [0.5, '50'],
    [0.999, '99'],
    [1, '✓'],
  ])('shows a share of %d as %s', (absorbed, badge) => {
    expect(badgeOf(entry(absorbed))).toBe(badge);
    expect([...badge].length).toBeLessThanOrEqual(2);
  });

  it('marks files that changed, whatever was known of them', () => {
    expect(fileDecoration(entry(1, true) as never)).toMatchObject({
      badge: '●',
      tooltip: expect.stringMatching(/changed/),
    });
  });

  it('takes colours of the theme', () => {
    expect(fileDecoration(entry(0.1)).color).toMatchObject({ id: 'disabledForeground' });
    expect(fileDecoration(entry(0.9)).color).toBeUndefined();
  });
});

describe('file badges', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    openWindow('/a');
  });
  afterEach(() => void vi.useRealTimers());

  function open(isWanted: boolean) {
    editor.settings['lift.showFileBadges'] = isWanted;
    const fake = fakeContext();
    const cover = (entries: Record<string, CoverageEntry>) => {
      fake.folders.all[0]!.coverage = new Map(Object.entries(entries));
      fake.foldersChange.fire();
    };
    activateDecorations(fake.context);
    const provider = () => registered.get('file decorations') as Provider | undefined;
    const told: string[][] = [];
    provider()?.onDidChangeFileDecorations((uris) => told.push(uris.map(({ path }) => path)));
    return { ...fake, cover, provider, told };
  }
  const setTo = (isWanted: boolean) => {
    editor.settings['lift.showFileBadges'] = isWanted;
    settingsChange.fire({ affectsConfiguration: (name) => name === 'lift.showFileBadges' });
  };

  it('are not there, and ask the host nothing, unless the setting wants them', () => {
    const { provider, actions } = open(false);
    expect(provider()).toBeUndefined();
    expect(actions).toEqual([]);
    setTo(true);
    expect(provider()).toBeDefined();
    expect(actions).toEqual(['update a']);
    setTo(false);
    expect(provider()).toBeUndefined();
  });

  it('are shown for documents of the folder and for nothing else', () => {
    const { cover, provider } = open(true);
    cover({ 'src/x.ts': entry(0.5) });
    expect(provider()!.provideFileDecoration(inFolder('/a', 'src/x.ts'))?.badge).toBe('50');
    expect(provider()!.provideFileDecoration(inFolder('/a', 'src/y.ts'))).toBeUndefined();
    expect(provider()!.provideFileDecoration(inFolder('/elsewhere', 'src/x.ts'))).toBeUndefined();
  });

  it('tell the editor of what changed, also of what vanished, and of nothing else', () => {
    const { cover, told, foldersChange } = open(true);
    cover({ 'same.ts': entry(0.5), 'other.ts': entry(0.5), 'gone.ts': entry(0.5) });
    vi.advanceTimersByTime(1000);
    told.length = 0;
    cover({ 'same.ts': entry(0.501), 'other.ts': entry(0.9) });
    foldersChange.fire();
    vi.advanceTimersByTime(1000);
    expect(told).toEqual([['/a/other.ts', '/a/gone.ts']]);
  });

  it('tell of many files in batches', () => {
    const { cover, told } = open(true);
    cover(Object.fromEntries(Array.from({ length: 5000 }, (_, file) => [`${file}.ts`, entry(0.5)])));
    vi.advanceTimersByTime(500);
    expect(told).toHaveLength(1);
    vi.advanceTimersByTime(5000);
    expect(told.flat()).toHaveLength(5000);
    expect(Math.max(...told.map(({ length }) => length))).toBeLessThanOrEqual(250);
  });

  it('do without the host where the workspace is not trusted', () => {
    editor.settings['lift.showFileBadges'] = true;
    const { context, host, actions } = fakeContext();
    host.state.phase = 'untrusted';
    activateDecorations(context);
    expect(actions).toEqual([]);
  });
});
