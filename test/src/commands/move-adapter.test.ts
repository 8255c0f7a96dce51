import { beforeEach, expect, it, vi } from 'vitest';
import type { FolderState } from '../../../protocol/view.ts';
import type { LiftContext } from '../../../src/lift-context.ts';
import { folderState } from '../fake-context.ts';
import { editor } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { importAdapter, rollBackAdapter } = await import('../../../src/commands/move-adapter.ts');

let requests: unknown[];

/** One folder; the host answers that version 3 is current. */
function context(more: Partial<FolderState>): LiftContext {
  const state = { ...folderState('/f', 'f'), ...more };
  const host = {
    async request(method: string, params: object) {
      requests.push([method, params]);
      return { version: 3 };
    },
  };
  const folder = { folder: { name: 'f' }, state, update: async () => {} };
  return { host, folders: { all: [folder] } } as unknown as LiftContext;
}

beforeEach(() => {
  requests = [];
  editor.answers.length = 0;
  editor.listed = [];
});

const byPackage = ['packages/a', '.'].map((path) => ({ path, tokens: 1, absorbed: 1, dirty: 0 }));

it('rolls back the one adapter of a folder without asking', async () => {
  await rollBackAdapter(context({}));
  expect(requests).toEqual([['adapters/rollBack', { folder: '/f' }]]);
  expect(editor.listed).toEqual([]);
});

it('asks which package it is about where each has an adapter', async () => {
  editor.answers.push('What is in no package');
  await rollBackAdapter(context({ byPackage }));
  expect(editor.listed).toEqual(['packages/a', 'What is in no package']);
  expect(requests).toEqual([['adapters/rollBack', { folder: '/f', package: '.' }]]);
  editor.answers.push('packages/a', '/elsewhere');
  await importAdapter(context({ byPackage }));
  expect(requests.at(-1)).toEqual(['adapters/import', { folder: '/f', source: '/elsewhere', package: 'packages/a' }]);
});

it('does nothing where no package is chosen', async () => {
  editor.answers.push(undefined);
  await rollBackAdapter(context({ byPackage }));
  expect(requests).toEqual([]);
});
