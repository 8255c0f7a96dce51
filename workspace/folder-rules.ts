// The ignore rules of every folder below a root, found when first asked for: for single paths, where a walk has no use.
import { join } from 'node:path';
import { IgnoreRules } from './ignore.ts';

export class FolderRules {
  /** Rules inside a folder by its path; null where nothing in it is ever read. */
  private readonly inside = new Map<string, IgnoreRules | null>();

  constructor(
    private readonly root: string,
    /** Absolute paths of folders that are never entered, whatever the rules say. */
    private readonly leftOut: ReadonlySet<string>,
    /** Patterns of what is left out besides, in the syntax of .gitignore. */
    private readonly exclude: readonly string[] = [],
  ) {}

  /** Whether a folder is entered. Paths are '/'-separated and relative to the root, which is ''. */
  enters(path: string): boolean {
    return this.rulesInside(path) !== null;
  }

  /** Whether a file is left out, by its own name or because it lies in a folder that is not entered. */
  leavesOut(path: string): boolean {
    const rules = this.rulesInside(parentOf(path));
    return rules === null || nameOf(path) === '.git' || rules.decide(path, false).ignored;
  }

  private rulesInside(path: string): IgnoreRules | null {
    const known = this.inside.get(path);
    if (known !== undefined) return known;
    const rules = path === '' ? IgnoreRules.forRoot(this.root, this.exclude) : this.enter(path);
    this.inside.set(path, rules);
    return rules;
  }

  private enter(path: string): IgnoreRules | null {
    const folder = join(this.root, path);
    if (nameOf(path) === '.git' || this.leftOut.has(folder)) return null;
    const above = this.rulesInside(parentOf(path));
    if (above === null) return null;
    const decision = above.decide(path, true);
    if (decision.ignored && !above.mayHoldReincluded(path)) return null;
    return above.enter(folder, path, decision);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
