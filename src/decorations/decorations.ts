/**
 * Badges in the explorer, where the setting `lift.showFileBadges` asks for them: how much of each file is absorbed, and a
 * dot on files that changed since.
 */
import { type Disposable, EventEmitter, type Uri, window, workspace } from 'vscode';
import { documentPathOf, uriInFolder } from '../ask/document-path.ts';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';
import { badgeOf, fileDecoration } from './badge.ts';

const SETTING = 'lift.showFileBadges';
/** The editor asks for each file that is told of; so many at a time, with time for other things in between. */
const FILES_PER_BATCH = 250;
const MILLISECONDS_BETWEEN_BATCHES = 50;
/** While absorbing, the folders change several times a second. */
const MILLISECONDS_BEFORE_COMPARING = 500;

export function activateDecorations(context: LiftContext): void {
  let badges: FileBadges | null = null;
  const follow = () => {
    const isWanted = workspace.getConfiguration().get(SETTING, false);
    if (isWanted && badges === null) {
      badges = new FileBadges(context);
    } else if (!isWanted) {
      badges?.dispose();
      badges = null;
    }
  };
  context.extension.subscriptions.push(
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(SETTING)) follow();
    }),
    { dispose: () => badges?.dispose() },
  );
  follow();
}

class FileBadges implements Disposable {
  private readonly changeEmitter = new EventEmitter<Uri[]>();
  readonly onDidChangeFileDecorations = this.changeEmitter.event;
  private readonly subscriptions: Disposable[];
  /** By folder, what the badges were last taken from, and the badges by path. */
  private readonly shown = new Map<string, { coverage: AbsorbedFolder['coverage']; badges: Map<string, string> }>();
  private readonly pending: Uri[] = [];
  private compareTimer: ReturnType<typeof setTimeout> | null = null;
  private tellTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly context: LiftContext) {
    this.subscriptions = [
      context.folders.onDidChange(() => this.compareSoon()),
      this.changeEmitter,
      window.registerFileDecorationProvider(this),
    ];
    this.compare();
    // What a folder's files are known for is read with its state, and nothing may have asked for that yet.
    for (const folder of context.folders.all) if (folder.coverage.size === 0) void this.read(folder);
  }

  provideFileDecoration(uri: Uri) {
    const place = documentPathOf(uri);
    const coverage = place && this.folderOf(place.folder.uri)?.coverage.get(place.path);
    return coverage && fileDecoration(coverage);
  }

  dispose(): void {
    if (this.compareTimer !== null) clearTimeout(this.compareTimer);
    if (this.tellTimer !== null) clearTimeout(this.tellTimer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async read(folder: AbsorbedFolder): Promise<void> {
    const { phase } = this.context.host.state;
    if (phase === 'untrusted' || phase === 'virtual' || phase === 'noFolder') return;
    try {
      await folder.update();
    } catch (error) {
      this.context.log.warn(`${folder.folder.name} has no badges yet: ${error}`);
    }
  }

  private compareSoon(): void {
    this.compareTimer ??= setTimeout(() => {
      this.compareTimer = null;
      this.compare();
    }, MILLISECONDS_BEFORE_COMPARING);
  }

  /** Tells the editor of the files whose badge is another one now. */
  private compare(): void {
    for (const folder of this.context.folders.all) {
      const root = folder.folder.uri;
      const key = root.toString();
      const { coverage } = folder;
      const shown = this.shown.get(key);
      if (shown?.coverage === coverage) continue;
      const before = shown?.badges ?? new Map<string, string>();
      const now = new Map<string, string>();
      for (const [path, entry] of coverage) now.set(path, badgeOf(entry));
      for (const path of new Set([...before.keys(), ...now.keys()])) {
        const uri = before.get(path) === now.get(path) ? undefined : uriInFolder(root, path);
        if (uri !== undefined) this.pending.push(uri);
      }
      this.shown.set(key, { coverage, badges: now });
    }
    this.tell();
  }

  private tell(): void {
    if (this.tellTimer !== null || this.pending.length === 0) return;
    this.changeEmitter.fire(this.pending.splice(0, FILES_PER_BATCH));
    this.tellTimer = setTimeout(() => {
      this.tellTimer = null;
      this.tell();
    }, MILLISECONDS_BETWEEN_BATCHES);
  }

  private folderOf(root: Uri): AbsorbedFolder | undefined {
    return this.context.folders.all.find(({ folder }) => folder.uri.toString() === root.toString());
  }
}
