/** Texts that an editor holds and no disk does: told to the folder that they belong to, a little after the last key. */
import { join, relative, sep } from 'node:path';
import { Disposable, type TextDocument, type Uri, workspace } from 'vscode';
import type { FileChange } from '../../protocol/host.ts';

const debounceMilliseconds = 500;
/** Characters. A longer text is not sent with every pause of typing; it counts once it is saved. */
const longestText = 1_000_000;

/** `tell` is given the document's folder by its path, the change, and nothing about documents outside of all folders. */
export function trackUnsavedDocuments(tell: (folder: string, change: FileChange) => void): Disposable {
  const timers = new Map<TextDocument, NodeJS.Timeout>();
  /** Addresses of documents of which an unsaved text was told. */
  const toldUnsaved = new Set<string>();
  const report = (document: TextDocument, change: (path: string) => FileChange | null) => {
    clearTimeout(timers.get(document));
    timers.delete(document);
    const folder = document.uri.scheme === 'file' ? workspace.getWorkspaceFolder(document.uri) : undefined;
    if (folder === undefined) return;
    const told = change(pathInFolder(folder.uri, document.uri));
    if (told === null) return;
    if (told.text === undefined) toldUnsaved.delete(document.uri.toString());
    else toldUnsaved.add(document.uri.toString());
    tell(folder.uri.fsPath, told);
  };
  const onDisk = (document: TextDocument) => report(document, (path) => ({ path, kind: 'changed' }));
  return Disposable.from(
    workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (document.uri.scheme !== 'file' || contentChanges.length === 0) return;
      clearTimeout(timers.get(document));
      // Reverted, or undone to what was saved.
      if (!document.isDirty) onDisk(document);
      else
        timers.set(
          document,
          setTimeout(() => report(document, () => unsavedChange(document)), debounceMilliseconds),
        );
    }),
    workspace.onDidSaveTextDocument(onDisk),
    workspace.onDidCloseTextDocument((document) => {
      // Closed without being saved.
      if (timers.has(document) || toldUnsaved.has(document.uri.toString())) onDisk(document);
    }),
    {
      dispose: () => {
        for (const timer of timers.values()) clearTimeout(timer);
      },
    },
  );
}

/** The unsaved text of a file in a folder, where an editor holds one; null where what is on disk counts. */
export function unsavedTextOf(folder: Uri, path: string): FileChange | null {
  const file = join(folder.fsPath, path);
  const document = workspace.textDocuments.find(({ uri }) => uri.scheme === 'file' && uri.fsPath === file);
  return document === undefined ? null : unsavedChange(document);
}

/** Everything unsaved in a folder: what a host that has just started does not know. */
export function unsavedTextsIn(folder: Uri): FileChange[] {
  return workspace.textDocuments.flatMap((document) => {
    const isInside = workspace.getWorkspaceFolder(document.uri)?.uri.toString() === folder.toString();
    return (isInside && unsavedChange(document)) || [];
  });
}

/** Relative and '/'-separated; on Windows whatever the case of the folder's letters. */
export function pathInFolder(folder: Uri, file: Uri): string {
  return relative(folder.fsPath, file.fsPath).split(sep).join('/');
}

function unsavedChange(document: TextDocument): FileChange | null {
  const folder = document.uri.scheme === 'file' ? workspace.getWorkspaceFolder(document.uri) : undefined;
  if (folder === undefined || !document.isDirty) return null;
  const text = document.getText();
  return text.length > longestText ? null : { path: pathInFolder(folder.uri, document.uri), kind: 'changed', text };
}
