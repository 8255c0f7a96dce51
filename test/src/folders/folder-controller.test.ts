// A folder of the workspace with a host whose answers the test decides: what is shown, remembered and asked, and when.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { AbsorbResult, CoverageEntry, FileChange, StatusResult } from '../../../protocol/host.ts';
import type { HostState } from '../../../protocol/view.ts';
import type { FolderServices } from '../../../src/folders/folder-controller.ts';
import { FakeMemento } from '../fake-context.ts';
import {
  documentOf,
  EventEmitter,
  editor,
  folderOf,
  inFolder,
  openWindow,
  TabInputText,
  window,
  workspace,
} from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));
// What a watch is, is tested with real files; here its changes come from the test.
const watches = vi.hoisted(() => ({ started: [] as { onChanges(changes: FileChange[]): void; exclude: string[] }[] }));
vi.mock('../../../src/folders/folder-watch.ts', () => ({
  startFolderWatch: (options: (typeof watches.started)[0]) => {
    watches.started.push(options);
    return { dispose: () => undefined };
  },
}));

const { FolderController } = await import('../../../src/folders/folder-controller.ts');
const { AbsorptionQueue } = await import('../../../src/folders/absorption-queue.ts');
const { withStatus } = await import('../../../src/folders/folder-state.ts');
const { FolderMemory } = await import('../../../src/folders/folder-memory.ts');
const { HostError, HostUnavailableError } = await import('../../../src/host/host-errors.ts');

const folder = '/projects/harbour';
const status: StatusResult = {
  documents: 4,
  tokens: 400,
  absorbed: 0.9,
  dirty: 0,
  skipped: [{ path: '.env', reason: 'a secret' }],
  version: 3,
  device: 'cpu',
  model: 'lift-base',
  absorbedAt: '2026-11-20T10:00:00.000Z',
  absorbedCommit: '3f9c2b7e6a1d4c5b8e0f9a7d6c3b2a1f0e9d8c7b',
  adapterBytes: 1000,
  memoryBytes: 1,
};
const absorbed: AbsorbResult = {
  documents: 4,
  tokens: 400,
  steps: 9,
  trainedTokens: 900,
  seconds: 1,
  version: 4,
  skipped: [],
  end: 'saturated',
  absorbed: 0.95,
  dirty: 0,
};
const documents: CoverageEntry[] = [
  { path: 'src/a.ts', tokens: 300, absorbed: 1, dirty: false },
  { path: 'README.md', tokens: 100, absorbed: 0.5, dirty: false },
];

/** The answer to each method: a value, or a function that gives one or throws. */
let answers: Record<string, unknown>;
let requests: { method: string; params: Record<string, unknown> }[];
let memento: FakeMemento;
let failures: string[];
let notify: (report: Record<string, unknown>) => void;
let startTasks: ((ask: (method: string, params: unknown) => Promise<unknown>) => Promise<void>)[];
let hostState: HostState;
let finishAbsorbing: ((result: AbsorbResult) => void)[];
let failAbsorbing: ((error: Error) => void)[];

beforeEach(() => {
  openWindow(folder);
  requests = [];
  failures = [];
  watches.started.length = 0;
  startTasks = [];
  finishAbsorbing = [];
  failAbsorbing = [];
  memento = new FakeMemento();
  hostState = { phase: 'ready', message: null, model: 'lift-base', device: 'cpu', memoryBytes: null };
  answers = {
    status,
    coverage: { documents },
    'files/changed': { dirty: 1 },
    'folder/configure': null,
    'absorb/pause': null,
    'absorb/resume': null,
    'absorb/start': () =>
      new Promise<AbsorbResult>((resolve, reject) => {
        finishAbsorbing.push(resolve);
        failAbsorbing.push(reject);
      }),
  };
});

function open() {
  const reports = new Set<(report: never) => void>();
  notify = (report) => {
    for (const listener of reports) listener({ folder, ...report } as never);
  };
  const host = {
    get state() {
      return hostState;
    },
    async request(
      method: string,
      params: Record<string, unknown>,
      token?: { onCancellationRequested(l: () => void): void },
    ) {
      requests.push({ method, params });
      const answer = answers[method];
      if (method === 'absorb/start') {
        token?.onCancellationRequested(() => finishAbsorbing.at(-1)?.({ ...absorbed, end: 'cancelled' }));
      }
      return typeof answer === 'function' ? answer(params) : answer;
    },
    onNotification: (_: string, listener: (report: never) => void) => {
      reports.add(listener);
      return { dispose: () => reports.delete(listener) };
    },
    onStart: (task: (typeof startTasks)[0]) => {
      startTasks.push(task);
      return { dispose: () => undefined };
    },
  };
  const holdChange = new EventEmitter<void>();
  const services = {
    host,
    queue: new AbsorptionQueue(),
    hold: { reason: null, onDidChange: holdChange.event, watch: () => ({ dispose: () => undefined }) },
    memory: new FolderMemory(memento as never, folder),
    watch: { workerFile: '', leftOut: [] },
    log: { info: () => undefined, warn: () => undefined },
    reportFailure: (message: string) => failures.push(message),
    reportWatchFailure: () => undefined,
  };
  return new FolderController(folderOf(folder) as never, services as unknown as FolderServices);
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const asked = () => requests.map(({ method }) => method);
const remembered = () =>
  [...memento.values.values()][0] as { wanted: string | null; version: number | null } | undefined;

describe('a folder', () => {
  it('asks nothing before somebody asks it', async () => {
    const controller = open();
    await settle();
    expect(controller.state).toMatchObject({ phase: 'unknown', name: 'harbour', folder });
    expect(asked()).toEqual([]);
    expect(watches.started).toEqual([]);
  });

  it('reads its state and its coverage, and watches from then on', async () => {
    const controller = open();
    await controller.update();
    expect(controller.state).toMatchObject({ phase: 'idle', absorbed: 0.9, version: 3, skipped: status.skipped });
    expect(controller.state.byFolder.map(({ path }) => path)).toEqual(['src', '']);
    expect(controller.coverage.get('README.md')).toMatchObject({ absorbed: 0.5 });
    expect(watches.started).toHaveLength(1);
    expect(remembered()).toMatchObject({ wanted: null, version: 3 });
  });

  it('is empty and unwatched where nothing was absorbed', async () => {
    answers.status = { ...status, version: null, absorbedAt: null, absorbed: 0, dirty: 4 };
    const controller = open();
    await controller.update();
    expect(controller.state.phase).toBe('empty');
    expect(asked()).toEqual(['status']);
    expect(watches.started).toEqual([]);
  });

  it('says why it cannot be read, until it can', async () => {
    answers.status = () => {
      throw new HostError('The folder is gone', -32603);
    };
    const controller = open();
    await controller.update();
    expect(controller.state).toMatchObject({ phase: 'failed', message: 'The folder is gone' });
    answers.status = status;
    await controller.update();
    expect(controller.state).toMatchObject({ phase: 'idle', message: null });
    answers.status = () => {
      throw new HostUnavailableError('no host', false);
    };
    await controller.update();
    expect(controller.state).toMatchObject({ phase: 'idle', version: 3 });
  });

  it('shows what it knew when the window was closed', async () => {
    await open().update();
    requests = [];
    watches.started.length = 0;
    editor.settings['lift.autoAbsorb'] = 'off';
    expect(open().state).toMatchObject({ phase: 'unknown', version: 3, absorbed: 0.9, documents: 4 });
    expect(watches.started).toEqual([]);
    editor.settings['lift.autoAbsorb'] = 'afterDelay';
    open();
    expect(watches.started).toHaveLength(1);
    expect(asked()).toEqual([]);
  });

  it('tells a host that has just started what to leave out, and the texts that are not saved', async () => {
    editor.settings['lift.exclude'] = ['*.csv'];
    open();
    workspace.textDocuments = [
      documentOf(inFolder(folder, 'src/a.ts'), 'new text', true),
      documentOf(inFolder(folder, 'src/saved.ts'), 'saved', false),
    ];
    const told: unknown[] = [];
    await startTasks[0]!(async (method, params) => told.push([method, params]));
    expect(told).toEqual([['folder/configure', { folder, exclude: ['*.csv'] }]]);
    await settle();
    expect(requests).toEqual([
      {
        method: 'files/changed',
        params: { folder, changes: [{ path: 'src/a.ts', kind: 'changed', text: 'new text' }] },
      },
    ]);
  });
});

describe('absorbing', () => {
  it('asks for what is open in editors first', async () => {
    const uris = [inFolder(folder, 'src/open.ts'), inFolder('/another', 'src/other.ts'), inFolder(folder, 'b.md')];
    window.tabGroups.all = [{ tabs: uris.map((uri) => ({ input: new TabInputText(uri) })) }];
    const controller = open();
    void controller.absorb();
    await settle();
    expect(requests.at(-1)).toEqual({ method: 'absorb/start', params: { folder, first: ['src/open.ts', 'b.md'] } });
  });

  it('asks for an adapter for each package where the setting says so, and keeps what is told of them', async () => {
    editor.settings['lift.packages'] = 'each';
    const controller = open();
    void controller.absorb();
    await settle();
    expect(requests.at(-1)).toEqual({ method: 'absorb/start', params: { folder, packages: 'each' } });
    const one = { folder: 'a', documents: 2, tokens: 300, absorbed: 0.8, dirty: 1, version: 2 };
    const arranged = { ...status, packages: [one], arrangement: 'because' };
    const known = withStatus(controller.state, arranged);
    expect(known).toMatchObject({
      arrangement: 'because',
      byPackage: [{ path: 'a', tokens: 300, absorbed: 0.8, dirty: 1 }],
    });
    const single = withStatus(known, status);
    expect(single).not.toHaveProperty('byPackage');
    expect(single).not.toHaveProperty('arrangement');
  });

  it('shows progress and what came out', async () => {
    editor.settings['lift.budgetMinutes'] = 0.5;
    editor.settings['lift.quotaMegabytes'] = 500;
    const controller = open();
    const ended = controller.absorb();
    await settle();
    expect(requests.at(-1)).toEqual({
      method: 'absorb/start',
      params: { folder, minutes: 0.5, quotaBytes: 500_000_000 },
    });
    expect(remembered()!.wanted).toBe('running');
    const report = {
      documents: 4,
      tokens: 400,
      steps: 1,
      absorbed: 0.2,
      tokensPerSecond: 10,
      secondsLeft: 5,
      documentsSeen: 2,
    };
    notify({ ...report, phase: 'train', step: 1, loss: 3 });
    notify({ ...report, phase: 'train', step: 2, loss: 2, folder: '/another' });
    notify({ ...report, phase: 'train', step: 3, loss: 1 });
    expect(controller.state).toMatchObject({ phase: 'busy', progress: { phase: 'train', step: 3, documentsSeen: 2 } });
    expect(controller.state.losses).toEqual([
      { step: 1, loss: 3 },
      { step: 3, loss: 1 },
    ]);
    answers.status = { ...status, version: 4, dirty: 1 };
    const atRest: unknown[] = [];
    controller.onDidChange(({ phase, absorbed, dirty }) => phase === 'idle' && atRest.push([absorbed, dirty]));
    finishAbsorbing[0]!({ ...absorbed, dirty: 2 });
    await ended;
    // What came out, and then what the host finds when it looks again.
    expect(atRest[0]).toEqual([absorbed.absorbed, 2]);
    expect(controller.state).toMatchObject({ phase: 'idle', version: 4, progress: null, dirty: 1 });
    expect(controller.state.losses).toHaveLength(2);
    expect(remembered()).toMatchObject({ wanted: null, version: 4 });
  });

  it('asks first where it is the first time and large, and does nothing where the user declines', async () => {
    answers.status = { ...status, version: null };
    answers['absorb/estimate'] = { documents: 20_000, tokens: 9e6, skipped: 12, seconds: 3700, bytes: 2e9 };
    const controller = open();
    await controller.absorb();
    expect(editor.messages).toEqual(['Absorb “harbour” into the model?']);
    expect(asked()).not.toContain('absorb/start');
    expect(controller.state.phase).toBe('empty');
    expect(remembered()!.wanted).toBeNull();

    editor.answers = ['Absorb'];
    const ended = controller.absorb();
    await settle();
    expect(asked()).toContain('absorb/start');
    finishAbsorbing[0]!(absorbed);
    await ended;
  });

  it('asks nothing where it is small, or not the first time', async () => {
    answers['absorb/estimate'] = { documents: 20, tokens: 9000, skipped: 1, seconds: 100, bytes: 1e7 };
    for (const version of [null, 3]) {
      answers.status = { ...status, version };
      const ended = open().absorb();
      await settle();
      finishAbsorbing.at(-1)!(absorbed);
      await ended;
    }
    expect(editor.messages).toEqual([]);
  });

  it('shows a failure until the next absorption, and tells the user', async () => {
    const controller = open();
    const ended = controller.absorb();
    await settle();
    failAbsorbing[0]!(new HostError('The disk is full', -32603));
    await ended;
    expect(controller.state).toMatchObject({ phase: 'failed', message: 'The disk is full' });
    expect(failures).toEqual(['The disk is full']);
    expect(remembered()!.wanted).toBeNull();
    await controller.update();
    expect(controller.state.phase).toBe('failed');
    await controller.afterRestart();
    expect(controller.state).toMatchObject({ phase: 'idle', message: null });
    void controller.absorb();
    await settle();
    expect(controller.state).toMatchObject({ phase: 'busy', message: null });
  });

  it('goes on after a crash of the host, with the losses so far', async () => {
    const controller = open();
    void controller.absorb();
    await settle();
    const report = {
      documents: 4,
      tokens: 400,
      steps: 1,
      absorbed: 0,
      tokensPerSecond: 1,
      secondsLeft: null,
      documentsSeen: 0,
    };
    notify({ ...report, phase: 'train', step: 1, loss: 3 });
    failAbsorbing[0]!(new HostUnavailableError('ended', true));
    await settle();
    expect(controller.state).toMatchObject({ phase: 'busy', message: expect.stringContaining('goes on') });
    expect(finishAbsorbing).toHaveLength(2);
    notify({ ...report, phase: 'train', step: 2, loss: 2 });
    expect(controller.state.message).toBeNull();
    expect(controller.state.losses).toHaveLength(2);
  });

  it('pauses, and is still paused in the next window, where it goes on when resumed', async () => {
    const controller = open();
    void controller.absorb();
    await settle();
    await controller.pause();
    expect(controller.state.phase).toBe('paused');
    expect(remembered()!.wanted).toBe('paused');
    controller.dispose();
    await settle();
    expect(remembered()!.wanted).toBe('paused');

    requests = [];
    const next = open();
    await settle();
    expect(next.state.phase).toBe('paused');
    await next.update();
    expect(next.state.phase).toBe('paused');
    expect(asked()).not.toContain('absorb/start');
    void next.resume();
    await settle();
    expect(asked()).toContain('absorb/start');
    expect(asked()).not.toContain('absorb/estimate');
    expect(remembered()!.wanted).toBe('running');
  });

  it('goes on by itself where the window was closed on it', async () => {
    const controller = open();
    void controller.absorb();
    await settle();
    controller.dispose();
    await settle();
    expect(remembered()!.wanted).toBe('running');
    requests = [];
    open();
    await settle();
    expect(asked()).toEqual(['absorb/start']);
  });

  it('stops, also where it was paused in a window before', async () => {
    const controller = open();
    const ended = controller.absorb();
    await settle();
    await controller.pause();
    await controller.stop();
    await ended;
    expect(controller.state.phase).toBe('idle');
    expect(remembered()!.wanted).toBeNull();

    const again = open();
    void again.absorb();
    await settle();
    await again.pause();
    again.dispose();
    await settle();
    const next = open();
    await next.stop();
    expect(next.state.phase).toBe('idle');
    expect(remembered()!.wanted).toBeNull();
  });
});

describe('changes', () => {
  it('are told to the host, with the editor’s text where it is newer', async () => {
    const controller = open();
    await controller.update();
    workspace.textDocuments = [documentOf(inFolder(folder, 'src/a.ts'), 'unsaved', true)];
    watches.started[0]!.onChanges([
      { path: 'README.md', kind: 'removed' },
      { path: 'src/a.ts', kind: 'changed' },
    ]);
    await settle();
    const told = requests.find(({ method }) => method === 'files/changed')!.params.changes;
    expect(told).toEqual([
      { path: 'README.md', kind: 'removed' },
      { path: 'src/a.ts', kind: 'changed', text: 'unsaved' },
    ]);
    expect(controller.state.dirty).toBe(1);
  });

  it('make files dirty at once; the coverage is read again where the host counts otherwise', async () => {
    const controller = open();
    await controller.update();
    watches.started[0]!.onChanges([{ path: 'src/a.ts', kind: 'changed' }]);
    expect(controller.coverage.get('src/a.ts')!.dirty).toBe(true);
    await settle();
    expect(asked().filter((method) => method === 'coverage')).toHaveLength(1);
    answers['files/changed'] = { dirty: 0 };
    watches.started[0]!.onChanges([{ path: 'src/a.ts', kind: 'changed' }]);
    await settle();
    expect(asked().filter((method) => method === 'coverage')).toHaveLength(2);
    expect(controller.coverage.get('src/a.ts')!.dirty).toBe(false);
    expect(controller.state.dirty).toBe(0);
  });

  it('are counted while no host runs, and start none', async () => {
    const controller = open();
    await controller.update();
    requests = [];
    hostState = { ...hostState, phase: 'stopped' };
    watches.started[0]!.onChanges([{ path: 'src/a.ts', kind: 'changed' }]);
    watches.started[0]!.onChanges([
      { path: 'src/a.ts', kind: 'changed' },
      { path: 'no-document.bin', kind: 'changed' },
    ]);
    await settle();
    expect(controller.state.dirty).toBe(1);
    expect(controller.state.byFolder).toContainEqual(expect.objectContaining({ path: 'src', dirty: 1 }));
    expect(requests).toEqual([]);
  });

  it('of editors are told once the folder is known', async () => {
    const controller = open();
    const change: FileChange = { path: 'src/a.ts', kind: 'changed', text: 'typed' };
    controller.noteUnsaved(change);
    await settle();
    expect(requests).toEqual([]);
    await controller.update();
    controller.noteUnsaved(change);
    await settle();
    expect(requests.at(-1)).toEqual({ method: 'files/changed', params: { folder, changes: [change] } });
  });

  it('are absorbed unasked where the setting says so, and not where it is paused or off', async () => {
    vi.useFakeTimers();
    try {
      for (const [rule, expected] of [
        ['onSave', 1],
        ['off', 0],
      ] as const) {
        editor.settings['lift.autoAbsorb'] = rule;
        requests = [];
        watches.started.length = 0;
        const controller = open();
        await controller.update();
        watches.started[0]!.onChanges([{ path: 'src/a.ts', kind: 'changed' }]);
        await vi.advanceTimersByTimeAsync(10_000);
        expect(asked().filter((method) => method === 'absorb/start')).toHaveLength(expected);
        controller.dispose();
        memento.values.clear();
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('are all that is absorbed unasked, and nothing is gone on with', async () => {
    vi.useFakeTimers();
    try {
      editor.settings['lift.autoAbsorb'] = 'onSave';
      answers.status = { ...status, documents: 1000, dirty: 900 };
      answers['files/changed'] = { dirty: 900 };
      const controller = open();
      await controller.update();
      requests = [];
      watches.started[0]!.onChanges([{ path: 'src/a.ts', kind: 'changed' }]);
      await vi.advanceTimersByTimeAsync(10_000);
      const started = () => requests.filter(({ method }) => method === 'absorb/start').map(({ params }) => params);
      expect(started()).toEqual([{ folder, editsOnly: true }]);
      expect(remembered()?.wanted ?? null).toBeNull();
      // Who asks for more gets it afterwards.
      const asked = controller.absorb();
      finishAbsorbing[0]!(absorbed);
      await vi.advanceTimersByTimeAsync(100);
      expect(started()).toEqual([{ folder, editsOnly: true }, { folder }]);
      expect(remembered()!.wanted).toBe('running');
      finishAbsorbing[1]!(absorbed);
      await asked;
    } finally {
      vi.useRealTimers();
    }
  });

  it('of the setting are told to the host and the watch', async () => {
    const controller = open();
    await controller.update();
    editor.settings['lift.exclude'] = ['docs/'];
    await controller.reconfigure();
    expect(requests.find(({ method }) => method === 'folder/configure')!.params.exclude).toEqual(['docs/']);
    expect(watches.started.at(-1)!.exclude).toEqual(['docs/']);
  });
});
