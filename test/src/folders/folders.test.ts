// Which folders there are, and which one is in front of the user; no host is asked.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WorkspaceFoldersOptions } from '../../../src/folders/folders.ts';
import { FakeMemento } from '../fake-context.ts';
import { documentOf, editorOf, events, folderOf, inFolder, openWindow, Uri, workspace } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { WorkspaceFolders } = await import('../../../src/folders/folders.ts');

let requests: string[];
let folders: InstanceType<typeof WorkspaceFolders>;
let memento: FakeMemento;

beforeEach(() => {
  openWindow('/projects/a', '/projects/b');
  requests = [];
  memento = new FakeMemento();
});
afterEach(() => {
  folders.dispose();
  workspace.isTrusted = true;
});

function open() {
  const nothing = () => ({ dispose: () => undefined });
  folders = new WorkspaceFolders({
    extension: { workspaceState: memento, globalStorageUri: Uri.file('/storage') },
    host: {
      state: { phase: 'stopped' },
      onStart: nothing,
      onNotification: nothing,
      request: async (method: string) => {
        requests.push(method);
        throw new Error('no host');
      },
    },
    hold: { reason: null, onDidChange: nothing, watch: nothing },
    log: { info: nothing, warn: nothing },
    watchWorkerFile: '',
  } as unknown as WorkspaceFoldersOptions);
  return folders;
}

const names = () => folders.all.map(({ folder }) => folder.name);
const lookAt = (path: string) => events.activeEditorChanged.fire(editorOf(documentOf(Uri.file(path), '')));

it('has one for each folder on a disk, and keeps those that stay', () => {
  open();
  expect(names()).toEqual(['a', 'b']);
  const [a] = folders.all;
  let changes = 0;
  folders.onDidChange(() => {
    changes += 1;
  });
  workspace.workspaceFolders = [
    folderOf('/projects/c'),
    folderOf('/projects/a'),
    { uri: Uri.parse('vscode-vfs:/x/y'), name: 'virtual', index: 2 },
  ];
  events.foldersChanged.fire();
  expect(names()).toEqual(['c', 'a']);
  expect(folders.all[1]).toBe(a);
  expect(changes).toBe(1);
  expect(requests).toEqual([]);
});

it('has none where the workspace is not trusted, until it is', () => {
  workspace.isTrusted = false;
  open();
  expect(names()).toEqual([]);
  workspace.isTrusted = true;
  events.trusted.fire();
  expect(names()).toEqual(['a', 'b']);
});

it('knows the folder in front, and keeps it while something else is', () => {
  open();
  expect(folders.active!.folder.name).toBe('a');
  lookAt('/projects/b/src/x.ts');
  expect(folders.active!.folder.name).toBe('b');
  events.activeEditorChanged.fire(undefined);
  lookAt('/elsewhere/y.ts');
  expect(folders.active!.folder.name).toBe('b');
  expect(folders.of(inFolder('/projects/a', 'z.ts') as never)!.folder.name).toBe('a');
  expect(folders.of(Uri.file('/elsewhere/y.ts') as never)).toBeUndefined();
  workspace.workspaceFolders = [folderOf('/projects/a')];
  events.foldersChanged.fire();
  expect(folders.active!.folder.name).toBe('a');
});
