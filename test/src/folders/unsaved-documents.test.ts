import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FileChange } from '../../../protocol/host.ts';
import { documentOf, events, inFolder, openWindow, Uri, workspace } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { trackUnsavedDocuments, unsavedTextOf, unsavedTextsIn } = await import(
  '../../../src/folders/unsaved-documents.ts'
);

const folder = '/projects/harbour';
const file = inFolder(folder, 'src/a.ts');
let told: [string, FileChange][];
let tracking: { dispose(): void };

beforeEach(() => {
  vi.useFakeTimers();
  openWindow(folder, '/projects/other');
  told = [];
  tracking = trackUnsavedDocuments((root, change) => told.push([root, change]));
});
afterEach(() => {
  tracking.dispose();
  vi.useRealTimers();
});

function type(document: ReturnType<typeof documentOf>): void {
  workspace.textDocuments = [document];
  events.textChanged.fire({ document, contentChanges: [{}] });
}

it('tells a text once the typing pauses', () => {
  const document = documentOf(file, 'const a = 1;', true);
  for (let key = 0; key < 10; key++) {
    type(document);
    vi.advanceTimersByTime(400);
  }
  expect(told).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(told).toEqual([[folder, { path: 'src/a.ts', kind: 'changed', text: 'const a = 1;' }]]);
});

it('tells that what is on disk counts again, after a save, an undo or a close', () => {
  const onDisk = [folder, { path: 'src/a.ts', kind: 'changed' }];
  const document = documentOf(file, 'x', true);
  type(document);
  document.isDirty = false;
  events.saved.fire(document);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([onDisk]);

  type(document);
  expect(told).toEqual([onDisk, onDisk]);

  events.closed.fire(document);
  expect(told).toEqual([onDisk, onDisk]);
  document.isDirty = true;
  type(document);
  vi.advanceTimersByTime(1000);
  document.isDirty = false;
  events.closed.fire(document);
  expect(told.slice(2)).toEqual([[folder, { path: 'src/a.ts', kind: 'changed', text: 'x' }], onDisk]);
});

it('tells nothing of long texts, of other files, and of events that change no text', () => {
  type(documentOf(file, 'x'.repeat(1_000_001), true));
  type(documentOf(Uri.file('/elsewhere/b.ts'), 'x', true));
  type(documentOf(Uri.parse('untitled:Untitled-1'), 'x', true));
  events.textChanged.fire({ document: documentOf(file, 'x', true), contentChanges: [] });
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([]);
});

it('finds what is not saved, by path and in a folder', () => {
  workspace.textDocuments = [
    documentOf(file, 'unsaved', true),
    documentOf(inFolder(folder, 'src/b.ts'), 'saved', false),
    documentOf(inFolder('/projects/other', 'c.ts'), 'elsewhere', true),
  ];
  const change = { path: 'src/a.ts', kind: 'changed', text: 'unsaved' };
  expect(unsavedTextsIn(Uri.file(folder) as never)).toEqual([change]);
  expect(unsavedTextOf(Uri.file(folder) as never, 'src/a.ts')).toEqual(change);
  expect(unsavedTextOf(Uri.file(folder) as never, 'src/b.ts')).toBeNull();
  expect(unsavedTextOf(Uri.file(folder) as never, 'src/none.ts')).toBeNull();
});
