/** A monorepo taken apart by the packages that it declares: each part is what one adapter can learn. */
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
  const names = [...new Set(repository.documents.map(({ path }) => packageOf(path)))].sort();
  return names.map((name) => {
    const holds = (path: string) => packageOf(path) === name;
    return { package: name, holds, repository: within(repository, holds) };
  });
}

/** Folders of the packages among the parts. */
export function packageFolders(parts: readonly Part[]): string[] {
  return parts.map((part) => part.package).filter((folder) => folder !== outsidePackages);
}

function within(repository: Repository, holds: (path: string) => boolean): Repository {
  const documents = repository.documents.filter(({ path }) => holds(path));
  const tokens = new Map(documents.map(({ path }) => [path, repository.tokens.get(path)!]));
  const tokenCount = documents.reduce((sum, { path }) => sum + tokens.get(path)!.length, 0);
  return { ...repository, documents, skipped: [], tokens, tokenCount, tree: treeOf(documents) };
}
