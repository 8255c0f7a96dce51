import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ContextItems } from '../../../src/view/context-items.ts';
import { fakeContext } from '../fake-context.ts';
import {
  documentOf,
  editorOf,
  inFolder,
  openWindow,
  Selection,
  TabInputText,
  Uri,
  window,
  workspace,
} from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const text = 'line\n'.repeat(50);
const editorFor = (path: string, selection?: Selection, folder = '/a') =>
  editorOf(documentOf(inFolder(folder, path), text), selection);

function open() {
  return new ContextItems(fakeContext().context.folders);
}

const names = (items: ContextItems) => items.items.map(({ kind, path }) => `${kind} ${path}`);

describe('what is in context', () => {
  beforeEach(() => openWindow('/a', '/b'));

  it('is the selection, the active file, what can be seen, and the other tabs, each once', () => {
    window.activeTextEditor = editorFor('active.ts', new Selection(3, 0, 6, 2));
    window.visibleTextEditors = [editorFor('beside.ts'), window.activeTextEditor];
    const tabs = ['active.ts', 'hidden.ts'].map((path) => ({ input: new TabInputText(inFolder('/a', path)) }));
    window.tabGroups.all = [{ tabs: [...tabs, { input: undefined }] }];
    const items = open();
    expect(names(items)).toEqual(['selection active.ts', 'active active.ts', 'open beside.ts', 'open hidden.ts']);
    expect(items.items[0]).toMatchObject({ startLine: 4, endLine: 7 });
  });

  it('is nothing of other folders, of settings, of old revisions', () => {
    window.activeTextEditor = editorFor('x.ts', undefined, '/b');
    const others = [Uri.parse('git:/a/x.ts'), Uri.parse('untitled:Untitled-1'), Uri.file('/elsewhere/x.ts')];
    window.tabGroups.all = [{ tabs: others.map((uri) => ({ input: new TabInputText(uri) })) }];
    expect(names(open())).toEqual([]);
  });

  it('marks files with unsaved text', () => {
    const unsaved = documentOf(inFolder('/a', 'hidden.ts'), text, true);
    workspace.textDocuments = [unsaved];
    window.tabGroups.all = [{ tabs: [{ input: new TabInputText(unsaved.uri) }] }];
    expect(open().items[0]).toMatchObject({ path: 'hidden.ts', unsaved: true });
  });

  it('loses a file that is removed, with its selection, until everything is restored', () => {
    window.activeTextEditor = editorFor('active.ts', new Selection(3, 0, 6, 2));
    window.visibleTextEditors = [editorFor('beside.ts')];
    const items = open();
    const file = items.items.find(({ kind }) => kind === 'active')!;
    items.remove(file.id);
    expect(names(items)).toEqual(['open beside.ts']);
    // The same file under another kind.
    window.visibleTextEditors = [editorFor('active.ts')];
    window.activeTextEditor = editorFor('beside.ts');
    expect(names(items)).toEqual(['active beside.ts']);
    items.restore();
    expect(names(items)).toEqual(['active beside.ts', 'open active.ts']);
  });

  it('takes a removed file back when it was closed and opened again', () => {
    window.activeTextEditor = editorFor('active.ts');
    const items = open();
    items.remove(items.items[0]!.id);
    window.activeTextEditor = undefined;
    expect(names(items)).toEqual([]);
    window.activeTextEditor = editorFor('active.ts');
    expect(names(items)).toEqual(['active active.ts']);
  });

  it('takes another selection in after one was removed', () => {
    window.activeTextEditor = editorFor('active.ts', new Selection(3, 0, 6, 2));
    const items = open();
    items.remove(items.items[0]!.id);
    expect(names(items)).toEqual(['active active.ts']);
    expect(items.editors()[0]!.selection).toBeUndefined();
    window.activeTextEditor = editorFor('active.ts', new Selection(8, 0, 9, 2));
    expect(names(items)).toEqual(['selection active.ts', 'active active.ts']);
  });

  it('is at most ten files', () => {
    const tabs = Array.from({ length: 30 }, (_, index) => ({ input: new TabInputText(inFolder('/a', `${index}.ts`)) }));
    window.tabGroups.all = [{ tabs }];
    expect(open().items).toHaveLength(10);
  });
});
