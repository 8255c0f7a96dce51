/**
 * What of the editor the next question takes along: shown on the page as items that can be removed. A removed file stays
 * out until its editors are closed or everything is restored; a removed selection until another one is made.
 */
import { type Disposable, EventEmitter, window, workspace } from 'vscode';
import type { ContextItem } from '../../protocol/view.ts';
import { type OpenEditor, openEditorsOf } from '../ask/open-files.ts';
import type { Folders } from '../lift-context.ts';

const MILLISECONDS_OF_QUIET = 100;

export class ContextItems implements Disposable {
  private readonly changeEmitter = new EventEmitter<void>();
  readonly onDidChange = this.changeEmitter.event;
  private readonly removed = new Set<string>();
  private readonly subscriptions: Disposable[];
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = '';

  constructor(private readonly folders: Folders) {
    const changed = () => this.changed();
    this.subscriptions = [
      window.onDidChangeActiveTextEditor(changed),
      window.onDidChangeVisibleTextEditors(changed),
      window.onDidChangeTextEditorSelection(changed),
      window.tabGroups.onDidChangeTabs(changed),
      // A text that gets its first unsaved change is shown as unsaved.
      workspace.onDidChangeTextDocument(changed),
      workspace.onDidSaveTextDocument(changed),
      folders.onDidChange(changed),
    ];
  }

  /** Of the active folder, in the order in which they matter. */
  get items(): ContextItem[] {
    return this.editors().flatMap(itemsOf);
  }

  /** The editors behind the items. */
  editors(): OpenEditor[] {
    const folder = this.folders.active?.folder;
    if (folder === undefined) return [];
    const open = openEditorsOf(folder);
    this.forgetClosed(new Set(open.flatMap((editor) => itemsOf(editor).map(({ id }) => id))));
    return open
      .filter((editor) => !this.removed.has(fileId(editor)))
      .map((editor) => (this.removed.has(selectionId(editor)) ? { ...editor, selection: undefined } : editor));
  }

  remove(id: string): void {
    this.removed.add(id);
    this.changeEmitter.fire();
  }

  restore(): void {
    this.removed.clear();
    this.changeEmitter.fire();
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changeEmitter.dispose();
  }

  /** Tells of a change once the editor is quiet, and only of one that can be seen. */
  private changed(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      const now = JSON.stringify(this.items);
      if (now === this.last) return;
      this.last = now;
      this.changeEmitter.fire();
    }, MILLISECONDS_OF_QUIET);
  }

  private forgetClosed(open: ReadonlySet<string>): void {
    for (const id of this.removed) if (!open.has(id)) this.removed.delete(id);
  }
}

function itemsOf(editor: OpenEditor): ContextItem[] {
  const { path, isActive, isUnsaved, selection } = editor;
  const file: ContextItem = {
    id: fileId(editor),
    kind: isActive ? 'active' : 'open',
    path,
    startLine: null,
    endLine: null,
    unsaved: isUnsaved,
  };
  if (selection === undefined) return [file];
  const { from, to } = selection;
  return [{ ...file, id: selectionId(editor), kind: 'selection', startLine: from, endLine: to }, file];
}

function fileId({ uri }: OpenEditor): string {
  return `file ${uri.toString()}`;
}

function selectionId({ uri, selection }: OpenEditor): string {
  return `selection ${selection?.from ?? 0}-${selection?.to ?? 0} ${uri.toString()}`;
}
