/** What editors hold and no disk does: texts that are not saved yet, and files that are known to be gone. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FileChange } from '../protocol/host.ts';
import { type Document, documentOrReason } from './corpus/documents.ts';
import { byImportance } from './corpus/importance.ts';
import type { Tokenizer } from './model/tokenizer.ts';
import { type Repository, treeOf } from './study/repository.ts';

export class UnsavedTexts {
  /** By folder and path; null: the file is gone. */
  private readonly texts = new Map<string, Map<string, string | null>>();

  note(folder: string, changes: readonly FileChange[]): void {
    const texts = this.texts.get(folder) ?? new Map<string, string | null>();
    for (const { path, kind, text } of changes) {
      if (kind === 'removed') texts.set(path, null);
      else if (text === undefined) texts.delete(path);
      else texts.set(path, text);
    }
    this.texts.set(folder, texts);
  }

  /** Paths with a text that is not saved. */
  pathsIn(folder: string): string[] {
    return [...(this.texts.get(folder) ?? [])].flatMap(([path, text]) => (text === null ? [] : [path]));
  }

  /**
   * The repository with these texts in it. They are judged as files are: a secret stays out, and so does the text of a
   * file that is on disk but no document.
   */
  over(repository: Repository, tokenizer: Tokenizer): Repository {
    const texts = this.texts.get(repository.folder);
    if (texts === undefined || texts.size === 0) return repository;
    const onDisk = new Set(repository.documents.map(({ path }) => path));
    const documents = repository.documents.filter(({ path }) => !texts.has(path));
    const skipped = [...repository.skipped];
    const tokens = new Map(repository.tokens);
    for (const [path, text] of texts) {
      tokens.delete(path);
      if (text === null || (!onDisk.has(path) && existsSync(join(repository.folder, path)))) continue;
      const judged = documentOrReason(path, text);
      if ('reason' in judged) {
        skipped.push({ path, reason: judged.reason });
        continue;
      }
      documents.push(judged satisfies Document);
      tokens.set(path, Uint32Array.from(tokenizer.encode(text)));
    }
    const tokenCount = [...tokens.values()].reduce((total, { length }) => total + length, 0);
    const ordered = byImportance(documents);
    return { ...repository, documents: ordered, skipped, tokens, tokenCount, tree: treeOf(ordered) };
  }
}
