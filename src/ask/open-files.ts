/** What is open in the editor, as the host takes it along with a question: the text as it stands there, saved or not. */
import {
  TabInputText,
  type TextDocument,
  type TextEditor,
  type Uri,
  type WorkspaceFolder,
  window,
  workspace,
} from 'vscode';
import type { LineRange, OpenFile } from '../../protocol/host.ts';
import { documentPathOf } from './document-path.ts';

/** A file of a folder that is open in an editor or named by the user. */
export interface OpenEditor {
  uri: Uri;
  path: string;
  isActive: boolean;
  isUnsaved: boolean;
  selection: LineRange | undefined;
  visible: LineRange | undefined;
}

/** What was read, and the paths of files that are too large or cannot be read. */
export interface ReadFiles {
  openFiles: OpenFile[];
  leftOut: string[];
}

/** More are no help: a question is about few files, and a model's window holds fewer. */
const MOST_FILES = 10;
/** Far more than fits a model's window. */
const MOST_CHARACTERS = 1_000_000;

/** Editors of a folder's files: the active one first, then those that can be seen, then the other tabs. */
export function openEditorsOf(folder: WorkspaceFolder): OpenEditor[] {
  const editors = new Map<string, OpenEditor>();
  const add = (uri: Uri, editor: TextEditor | undefined) => {
    const place = documentPathOf(uri);
    if (place?.folder.uri.toString() !== folder.uri.toString() || editors.has(place.path)) return;
    editors.set(place.path, {
      uri,
      path: place.path,
      isActive: editor !== undefined && editor === window.activeTextEditor,
      isUnsaved: (editor?.document ?? loadedDocument(uri))?.isDirty ?? false,
      selection: editor && selectionOf(editor),
      visible: editor && visibleOf(editor),
    });
  };
  const active = window.activeTextEditor;
  for (const editor of active ? [active, ...window.visibleTextEditors] : window.visibleTextEditors) {
    add(editor.document.uri, editor);
  }
  for (const { input } of window.tabGroups.all.flatMap(({ tabs }) => tabs)) {
    if (input instanceof TabInputText) add(input.uri, undefined);
  }
  return [...editors.values()].slice(0, MOST_FILES);
}

/** Reads the texts, of a file that no editor has loaded from the disk. */
export async function readOpenFiles(editors: readonly OpenEditor[]): Promise<ReadFiles> {
  const texts = await Promise.all(editors.map(({ uri }) => textOf(uri)));
  const openFiles: OpenFile[] = [];
  const leftOut: string[] = [];
  for (const [index, { path, selection, visible }] of editors.entries()) {
    const text = texts[index];
    if (text === undefined) leftOut.push(path);
    else {
      openFiles.push({
        path,
        text,
        ...(visible === undefined ? {} : visible),
        ...(selection === undefined ? {} : { selection }),
      });
    }
  }
  return { openFiles, leftOut };
}

async function textOf(uri: Uri): Promise<string | undefined> {
  const loaded = loadedDocument(uri)?.getText();
  if (loaded !== undefined) return loaded.length <= MOST_CHARACTERS ? loaded : undefined;
  try {
    if ((await workspace.fs.stat(uri)).size > MOST_CHARACTERS) return undefined;
    const text = new TextDecoder().decode(await workspace.fs.readFile(uri));
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function loadedDocument(uri: Uri): TextDocument | undefined {
  const wanted = uri.toString();
  return workspace.textDocuments.find((document) => document.uri.toString() === wanted);
}

function selectionOf({ selection }: TextEditor): LineRange | undefined {
  if (selection.isEmpty) return undefined;
  const { start, end } = selection;
  // A selection of whole lines ends at the start of the line below.
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  return { from: start.line + 1, to: last };
}

function visibleOf({ visibleRanges }: TextEditor): LineRange | undefined {
  const first = visibleRanges.at(0);
  const last = visibleRanges.at(-1);
  return first && last && { from: first.start.line + 1, to: last.end.line + 1 };
}
