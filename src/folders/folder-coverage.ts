/** What the adapter knows of each file of a folder, as last read from the host and marked dirty since. */
import type { CoverageEntry, FileChange } from '../../protocol/host.ts';
import type { HostClient } from '../lift-context.ts';

export class FolderCoverage {
  /** Another map whenever something in it changes. */
  entries: ReadonlyMap<string, CoverageEntry> = new Map();
  private reading: Promise<void> | null = null;

  constructor(
    private readonly host: HostClient,
    private readonly folder: string,
  ) {}

  /** Reads it from the host; whoever asks meanwhile waits for the same answer. Errors: those of the host client. */
  read(): Promise<void> {
    this.reading ??= this.host
      .request('coverage', { folder: this.folder })
      .then(({ documents }) => {
        this.entries = new Map(documents.map((entry) => [entry.path, entry]));
      })
      .finally(() => {
        this.reading = null;
      });
    return this.reading;
  }

  clear(): void {
    this.entries = new Map();
  }

  /** Marks what changed as dirty; returns how many files were not dirty before. What is no document is left aside. */
  mark(changes: readonly FileChange[]): number {
    const marked = changes.flatMap(({ path }) => {
      const entry = this.entries.get(path);
      return entry === undefined || entry.dirty ? [] : [{ ...entry, dirty: true }];
    });
    if (marked.length > 0) {
      this.entries = new Map([...this.entries, ...marked.map((entry) => [entry.path, entry] as const)]);
    }
    return marked.length;
  }

  get dirty(): number {
    let dirty = 0;
    for (const entry of this.entries.values()) if (entry.dirty) dirty += 1;
    return dirty;
  }
}
