/** Collects what changed in a folder and tells the host, one message at a time and only while there is a host to tell. */
import type { FileChange } from '../../protocol/host.ts';

export interface ChangeReporterOptions {
  isHostReady(): boolean;
  /** Tells the host; resolves with how many files are dirty then. */
  send(changes: FileChange[]): Promise<number>;
  onDirty(dirty: number): void;
  onError(error: unknown): void;
}

/** More in one message would make it large; the rest follows. */
const mostChanges = 20_000;

export class ChangeReporter {
  /** By path; the last change counts. */
  private pending = new Map<string, FileChange>();
  private sending: Promise<void> | null = null;

  constructor(private readonly options: ChangeReporterOptions) {}

  add(changes: Iterable<FileChange>): void {
    for (const change of changes) this.pending.set(change.path, change);
    void this.flush();
  }

  /** Resolves when the host knows all that is to be told, or cannot be told just now. */
  flush(): Promise<void> {
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  private async sendAll(): Promise<void> {
    // What is added together is told together.
    await Promise.resolve();
    while (this.pending.size > 0 && this.options.isHostReady()) {
      const changes = [...this.pending.values()].slice(0, mostChanges);
      for (const { path } of changes) this.pending.delete(path);
      try {
        this.options.onDirty(await this.options.send(changes));
      } catch (error) {
        // Told again with what comes next, unless something newer is known.
        this.pending = new Map([...changes.map((change) => [change.path, change] as const), ...this.pending]);
        this.options.onError(error);
        return;
      }
    }
  }
}
