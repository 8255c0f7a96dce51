// Tells what changes in a folder, in batches. Only folders are watched, since a watch for each file costs the kernel and
// the event loop dearly; ignored folders are never entered. Knows nothing of who asks.
import { lstatSync, readdirSync, realpathSync, type Stats } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { FolderRules } from './folder-rules.ts';

export interface FolderChange {
  /** Of a file; '/'-separated, relative to the folder. */
  path: string;
  kind: 'changed' | 'removed';
}

export interface WatchOptions {
  /** A batch is told when nothing has happened for so long; default 500. While changes never cease, ten times as long. */
  debounceMilliseconds?: number;
  /** Folders that are never watched, whatever the rules say: where the one who watches writes. */
  leftOut?: readonly string[];
  /** Patterns of what is left out besides, in the syntax of .gitignore. */
  exclude?: readonly string[];
  /** Sorted by path, never empty. A file of which only attributes changed may be in it. */
  onChanges(changes: FolderChange[]): void;
  /** The watch has ended, because it could not go on. */
  onError(error: Error): void;
}

export interface FolderWatch {
  close(): Promise<void>;
}

/**
 * Watches a folder until closed. Resolves once everything in it is watched; what changes from then on is told.
 * Links are not followed. Errors: Error with advice where the folder cannot be watched, such as too few watches allowed.
 */
export async function watchFolder(folder: string, options: WatchOptions): Promise<FolderWatch> {
  const running = new RunningWatch(realFolder(folder), options);
  try {
    await running.open();
  } catch (error) {
    await running.close();
    throw error;
  }
  return running;
}

/** What the system says about a watch that failed, with what to do about it. */
export function watchError(folder: string, error: NodeJS.ErrnoException): Error {
  return new Error(`The folder ${folder} cannot be watched. ${watchAdvice(error)}`, { cause: error });
}

function watchAdvice({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOSPC') {
    return (
      'The system allows too few watches for its folders. Raise the limit, for example with ' +
      '`sudo sysctl fs.inotify.max_user_watches=524288`, or name large folders in .liftignore.'
    );
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return (
      'Too many files and watches are open. Raise the limits, for example with `ulimit -n 8192` and ' +
      '`sudo sysctl fs.inotify.max_user_instances=512`, or end other programs that watch files.'
    );
  }
  return `The system says: ${message}. Check that the folder is there and can be read.`;
}

/** Changing one of these changes what is watched. */
const ruleFiles: ReadonlySet<string> = new Set(['.gitignore', '.liftignore']);

class RunningWatch implements FolderWatch {
  private readonly debounceMilliseconds: number;
  private readonly leftOut: ReadonlySet<string>;
  private rules: FolderRules;
  /** The last one counts; those before it go once it is ready. */
  private readonly watchers: FSWatcher[] = [];
  /** Every file seen in a folder that is entered: what a vanished path was. */
  private readonly files = new Set<string>();
  /** Paths that something happened to, and whether they may have come or gone: a write is neither. */
  private readonly touched = new Map<string, boolean>();
  private firstTouched = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly root: string,
    private readonly options: WatchOptions,
  ) {
    this.debounceMilliseconds = options.debounceMilliseconds ?? 500;
    this.leftOut = new Set(options.leftOut?.map(realFolder));
    this.rules = new FolderRules(root, this.leftOut, options.exclude);
  }

  /** Watches by the rules as they are now, and only then ends watching by the rules as they were. */
  async open(): Promise<void> {
    const watcher = watch(this.root, {
      ignoreInitial: true,
      followSymlinks: false,
      ignorePermissionErrors: true,
      ignored: (path, stats) => this.ignores(path, stats),
    });
    this.watchers.push(watcher);
    watcher.on('raw', (event, name, details) => {
      this.onRaw(event, name as string | null, (details as { watchedPath: string }).watchedPath);
    });
    // What is put into a new folder before it is watched has no event of its own.
    watcher.on('addDir', (path) => this.touch(this.pathOf(path), true));
    await new Promise<void>((ready, failed) => {
      watcher.once('ready', ready);
      watcher.on('error', (error) => failed(watchError(this.root, error as NodeJS.ErrnoException)));
    });
    watcher.on('error', (error) => this.fail(watchError(this.root, error as NodeJS.ErrnoException)));
    const superseded = this.watchers.splice(0, this.watchers.indexOf(watcher));
    await Promise.all(superseded.map((older) => older.close()));
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await Promise.all(this.watchers.map((watcher) => watcher.close()));
  }

  private fail(error: Error): void {
    if (this.closed) return;
    void this.close();
    this.options.onError(error);
  }

  /** Files are seen here when their folder is read, and never watched. */
  private ignores(path: string, stats: Stats | undefined): boolean {
    if (stats === undefined) return false;
    if (stats.isDirectory()) return !this.rules.enters(this.pathOf(path));
    if (stats.isFile()) this.files.add(this.pathOf(path));
    return true;
  }

  private onRaw(event: string, name: string | null, watchedPath: string): void {
    const cameOrWent = event !== 'change';
    // A folder that goes away tells its own name, as if it were in itself.
    if (name === null || (cameOrWent && name === basename(watchedPath))) {
      this.touch(this.pathOf(watchedPath), cameOrWent);
    }
    if (name !== null) this.touch(this.pathOf(join(watchedPath, name)), cameOrWent);
  }

  private touch(path: string, cameOrWent: boolean): void {
    if (this.closed || (this.files.has(path) && this.rules.leavesOut(path))) return;
    const now = performance.now();
    if (this.touched.size === 0) this.firstTouched = now;
    this.touched.set(path, cameOrWent || this.touched.get(path) === true);
    const latest = this.firstTouched + 10 * this.debounceMilliseconds;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), Math.max(0, Math.min(this.debounceMilliseconds, latest - now)));
  }

  private tell(): void {
    const touched = [...this.touched];
    this.touched.clear();
    if (attributesOf(this.root) === null) {
      this.fail(new Error(`The folder ${this.root} is gone, so it is not watched any more.`));
      return;
    }
    const rulesChanged = touched.some(([path]) => ruleFiles.has(basename(path)));
    if (rulesChanged) this.rules = new FolderRules(this.root, this.leftOut, this.options.exclude);
    const changes = new Map<string, FolderChange['kind']>();
    for (const [path, cameOrWent] of touched) this.findOut(path, cameOrWent, changes);
    const sorted = [...changes].map(([path, kind]) => ({ path, kind })).sort((a, b) => (a.path < b.path ? -1 : 1));
    if (sorted.length > 0) this.options.onChanges(sorted);
    if (rulesChanged) this.open().catch((error: Error) => this.fail(error));
  }

  private findOut(path: string, cameOrWent: boolean, changes: Map<string, FolderChange['kind']>): void {
    const stats = attributesOf(join(this.root, path));
    if (stats?.isFile()) this.changed(path, changes);
    else if (stats?.isDirectory()) {
      if (cameOrWent && path !== '') this.changedBelow(path, changes);
    } else if (cameOrWent) this.removed(path, changes);
  }

  private changed(path: string, changes: Map<string, FolderChange['kind']>): void {
    this.files.add(path);
    // Rules that hold no longer, or not yet, may have changed what belongs to the corpus, even if they are left out themselves.
    if (!this.rules.leavesOut(path) || ruleFiles.has(basename(path))) changes.set(path, 'changed');
  }

  private changedBelow(folder: string, changes: Map<string, FolderChange['kind']>): void {
    if (!this.rules.enters(folder)) return;
    for (const entry of entriesOf(join(this.root, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) this.changedBelow(path, changes);
      else if (entry.isFile()) this.changed(path, changes);
    }
  }

  /** A file, or a folder with all that was in it. */
  private removed(path: string, changes: Map<string, FolderChange['kind']>): void {
    const gone = this.files.has(path) ? [path] : [...this.files].filter((file) => file.startsWith(`${path}/`));
    for (const file of gone) {
      this.files.delete(file);
      if (!this.rules.leavesOut(file) || ruleFiles.has(basename(file))) changes.set(file, 'removed');
    }
  }

  private pathOf(path: string): string {
    return relative(this.root, path).split(sep).join('/');
  }
}

/** Null of what is gone or may not be looked at. */
function attributesOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

/** Nothing of a folder that vanishes or may not be read. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function realFolder(folder: string): string {
  try {
    return realpathSync.native(folder);
  } catch {
    return resolve(folder);
  }
}
