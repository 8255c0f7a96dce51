/** What is remembered of a folder while the window is closed, so that it is shown, and goes on, when it opens again. */
import type { Memento } from 'vscode';
import type { FolderState } from '../../protocol/view.ts';

export interface RememberedFolder {
  /** An absorption that was asked for and has not ended. */
  wanted: 'running' | 'paused' | null;
  documents: number;
  tokens: number;
  absorbed: number;
  version: number | null;
  absorbedAt: string | null;
  absorbedCommit: string | null;
  adapterBytes: number;
}

const prefix = 'lift.folder:';

export class FolderMemory {
  private readonly key: string;

  constructor(
    private readonly memento: Memento,
    folder: string,
  ) {
    this.key = prefix + folder;
  }

  read(): RememberedFolder | null {
    const value = this.memento.get<Partial<RememberedFolder>>(this.key);
    if (value === undefined) return null;
    const { wanted = null, documents = 0, tokens = 0, absorbed = 0, version = null, absorbedAt = null } = value;
    const { absorbedCommit = null, adapterBytes = 0 } = value;
    return { wanted, documents, tokens, absorbed, version, absorbedAt, absorbedCommit, adapterBytes };
  }

  async keep(state: FolderState, wanted: RememberedFolder['wanted']): Promise<void> {
    const { documents, tokens, absorbed, version, absorbedAt, absorbedCommit, adapterBytes } = state;
    const made = { version, absorbedAt, absorbedCommit, adapterBytes };
    const value: RememberedFolder = { wanted, documents, tokens, absorbed, ...made };
    if (JSON.stringify(value) === JSON.stringify(this.memento.get(this.key))) return;
    await this.memento.update(this.key, value);
  }
}
