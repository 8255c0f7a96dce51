import { beforeEach, expect, it, vi } from 'vitest';
import type { ModelFindResult, ModelProgress, ModelsListResult } from '../../../protocol/host.ts';
import type { LiftContext } from '../../../src/lift-context.ts';
import { FakeMemento } from '../fake-context.ts';
import { editor } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { selectModel } = await import('../../../src/commands/select-model.ts');

const listed: ModelsListResult = {
  models: [
    { name: 'lift-base', folder: '/lift/models/lift-base', architecture: 'llama', parameters: 4e6, window: 1024 },
    { name: 'org/cached', folder: '/hub/cached', architecture: 'qwen2', parameters: 494e6, window: 4096 },
  ],
  suggested: [
    { id: 'org/small', parameters: 135e6, bytes: 270e6, memoryBytes: 1.8e9, fits: true },
    { id: 'org/large', parameters: 8e9, bytes: 16e9, memoryBytes: 46e9, fits: false },
  ],
};

const found: ModelFindResult = {
  id: 'org/small',
  endpoint: 'https://hub.example',
  license: 'apache-2.0',
  bytes: 270e6,
  folder: null,
};

let requests: string[];
let isFailing: boolean;
const memento = new FakeMemento();

function context(findResult = found): LiftContext {
  const answers: Record<string, unknown> = {
    'models/list': listed,
    'models/find': findResult,
    'models/get': { folder: '/hub/small' },
  };
  let tell: (progress: ModelProgress) => void = () => {};
  const host = {
    async request(method: string, params: { id?: string; file?: string }) {
      requests.push([method, params.id, params.file].filter((part) => part !== undefined).join(' '));
      if (isFailing) throw new Error('the model in use cannot be opened');
      if (method === 'models/get') tell({ id: params.id!, bytesDone: 135e6, bytes: 270e6 });
      return answers[method];
    },
    onNotification(_: string, listener: (progress: ModelProgress) => void) {
      tell = listener;
      return { dispose: () => undefined };
    },
  };
  return { host, extension: { globalState: memento } } as unknown as LiftContext;
}

beforeEach(() => {
  requests = [];
  isFailing = false;
  memento.values.clear();
  editor.messages.length = 0;
  editor.answers.length = 0;
  editor.settings = { 'lift.model': '' };
});

it('shows what is here and what could be, with the memory it takes', async () => {
  await selectModel(context());
  expect(editor.listed).toEqual([
    '$(check) lift-base: Comes with LIFT: small and quick, for short facts.',
    'org/cached: /hub/cached',
    expect.stringContaining('Open a model’s folder'),
    expect.stringContaining('Open a GGUF file'),
    'To download',
    '$(cloud-download) org/small: Absorbing takes about 1.8 GB of memory',
    expect.stringMatching(/org\/large: .*46.0 GB of memory, which is more than this machine can spare/),
    expect.stringContaining('Download another model'),
  ]);
  expect(requests).toEqual(['models/list']);
  expect(editor.settings['lift.model']).toBe('');
});

it('takes a model that is here, and the embedded one again', async () => {
  editor.answers.push('org/cached');
  await selectModel(context());
  expect(editor.settings['lift.model']).toBe('/hub/cached');
  editor.answers.push('lift-base');
  await selectModel(context());
  expect(editor.listed[1]).toBe('$(check) org/cached: /hub/cached');
  expect(editor.settings['lift.model']).toBe('');
  expect(requests).toEqual(['models/list', 'models/list']);
});

it('takes a GGUF file', async () => {
  editor.answers.push('GGUF file', '/models/some.Q4_K_M.gguf');
  await selectModel(context());
  expect(editor.settings['lift.model']).toBe('/models/some.Q4_K_M.gguf');
  editor.answers.push('GGUF file', undefined);
  await selectModel(context());
  expect(editor.settings['lift.model']).toBe('/models/some.Q4_K_M.gguf');
});

it('downloads nothing without a yes', async () => {
  editor.answers.push('org/small', undefined);
  await selectModel(context());
  expect(requests).toEqual(['models/list', 'models/find org/small']);
  expect(editor.messages).toEqual(['Download org/small?']);
  expect(editor.settings['lift.model']).toBe('');
});

it('downloads what was agreed to and takes it', async () => {
  editor.answers.push('org/small', 'Download');
  await selectModel(context());
  expect(requests.at(-1)).toBe('models/get org/small');
  expect(editor.messages).toContain('135.0 MB of 270.0 MB');
  expect(editor.settings['lift.model']).toBe('/hub/small');
});

const inGguf: ModelFindResult = {
  ...found,
  gguf: {
    file: 'small-F16.gguf',
    files: [
      { name: 'small-Q4_K_M.gguf', bytes: 80e6 },
      { name: 'small-F16.gguf', bytes: 270e6 },
    ],
  },
};

it('lets the user choose one of several GGUF files, the one that suits the machine first', async () => {
  editor.answers.push('org/small', 'Q4_K_M', 'Download');
  await selectModel(context(inGguf));
  expect(editor.listed).toEqual(['small-F16.gguf: Suits the memory of this machine.', 'small-Q4_K_M.gguf']);
  expect(requests).toEqual([
    'models/list',
    'models/find org/small',
    'models/find org/small small-Q4_K_M.gguf',
    'models/get org/small small-Q4_K_M.gguf',
  ]);
  expect(editor.messages[0]).toBe('Download small-Q4_K_M.gguf?');
  expect(editor.settings['lift.model']).toBe('/hub/small');

  editor.answers.push('org/small', undefined);
  editor.settings['lift.model'] = '';
  await selectModel(context(inGguf));
  expect(editor.settings['lift.model']).toBe('');
});

it('takes a model by its name, and asks nothing where it is here already', async () => {
  editor.answers.push('another model', ' org/small ');
  await selectModel(context({ ...found, folder: '/hub/there' }));
  expect(requests).toEqual(['models/list', 'models/find org/small']);
  expect(editor.messages).toEqual([]);
  expect(editor.settings['lift.model']).toBe('/hub/there');
});

it('lets the user choose another where the model in use cannot be opened', async () => {
  isFailing = true;
  editor.settings['lift.model'] = '/gone/model';
  editor.answers.push('that comes with LIFT');
  await selectModel(context());
  expect(editor.listed[1]).toBe('$(check) model: /gone/model');
  expect(editor.settings['lift.model']).toBe('');
});
