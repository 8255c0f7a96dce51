/** A monorepo taken apart by the packages that it declares: each part is what one adapter can learn. */
import type { Document } from '../corpus/documents.ts';
import { outsidePackages, packageFinder, workspacePackages } from '../corpus/workspace-packages.ts';
import { type Repository, treeOf } from './repository.ts';

export interface Part {
  /** The package's folder; `outsidePackages` for what lies outside of all. */
  package: string;
  /** Whether a document at that path is in it, also one that is no more. */
  holds(path: string): boolean;
  /** What of the repository is in it, with the paths that it has in the whole. */
  repository: Repository;
}

/**
 * The parts that hold documents, sorted by folder; none where fewer than two packages are declared. `before`: packages that
 * were declared when adapters were made for them; they stay where a manifest cannot be read or declares no more.
 */
export function partsOf(repository: Repository, before: readonly string[] = []): Part[] {
  const declared = workspacePackages(repository.documents);
  const folders = declared.length < 2 ? [...before] : declared;
  if (folders.length < 2) return [];
  const packageOf = packageFinder(folders);
  const byPackage = new Map<string, Document[]>();
  for (const document of repository.documents) {
    const name = packageOf(document.path);
    const documents = byPackage.get(name) ?? [];
    byPackage.set(name, documents);
    documents.push(document);
  }
  return [...byPackage.keys()].sort().map((name) => ({
    package: name,
    holds: (path) => packageOf(path) === name,
    repository: partOf(repository, byPackage.get(name)!),
  }));
}

/** Folders of the packages among the parts. */
export function packageFolders(parts: readonly Part[]): string[] {
  return parts.map((part) => part.package).filter((folder) => folder !== outsidePackages);
}

function partOf(repository: Repository, documents: Document[]): Repository {
  const tokens = new Map(documents.map(({ path }) => [path, repository.tokens.get(path)!]));
  const tokenCount = [...tokens.values()].reduce((sum, { length }) => sum + length, 0);
  return { ...repository, documents, skipped: [], tokens, tokenCount, tree: treeOf(documents) };
}
