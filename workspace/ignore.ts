// Which files of a folder are left out: .gitignore at any depth, .git/info/exclude, .liftignore (for training only; it wins over the others).
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import createIgnore, { type Ignore } from 'ignore';

/** Folders that hold no text of the repository's own. A line such as `!node_modules/` in .liftignore takes one in again. */
export const alwaysSkipped: ReadonlySet<string> = new Set([
  '.hg',
  '.svn',
  '.jj',
  'CVS',
  'node_modules',
  'bower_components',
  'jspm_packages',
  '__pycache__',
  '.venv',
  '.tox',
  '.nox',
  '.mypy_cache',
  '.pytest_cache',
  '.ruff_cache',
  '.eggs',
  '.next',
  '.nuxt',
  '.svelte-kit',
  '.turbo',
  '.parcel-cache',
  '.cache',
  '.gradle',
  '.terraform',
  '.yarn',
  '.pnpm-store',
  '.nyc_output',
  '.DS_Store',
]);

const MAX_RULES_BYTES = 1_000_000;

/** One file of rules and how a path is put for it: relative to the folder that the rules are about. */
interface Layer {
  rules: Ignore;
  /** Name of the file, for reasons. */
  source: string;
  /** Put before a path of the walked folder: where rules come from a folder above. */
  prefix: string;
  /** Cut from a path of the walked folder: where rules come from a folder below. */
  base: string;
  /** The paths that `!` lines with a slash lead to, as segments relative to the base. */
  reincluded: string[][];
}

export interface Decision {
  ignored: boolean;
  /** Why, in words for the user: set when ignored. */
  reason: string | null;
  /** Whether .liftignore takes the path in by name. */
  reincluded: boolean;
}

const included: Decision = { ignored: false, reason: null, reincluded: false };

/** The rules that hold in one folder. Immutable: entering a folder gives new rules. */
export class IgnoreRules {
  private constructor(
    private readonly gitLayers: readonly Layer[],
    private readonly liftLayers: readonly Layer[],
    /** Inside an ignored folder, where only what .liftignore names is taken in. */
    private readonly onlyReincluded: boolean,
    /** What whoever asks leaves out, whatever the files say. */
    private readonly excluded: Layer | null,
    /** Files of rules that could not be read. */
    readonly problems: readonly { path: string; reason: string }[],
  ) {}

  /**
   * The rules at the root of a folder, with those of the Git repository around it, unless that repository ignores the folder itself.
   * `exclude` leaves more out, in the syntax of .gitignore; no file of rules takes it in again.
   */
  static forRoot(folder: string, exclude: readonly string[] = []): IgnoreRules {
    const problems: { path: string; reason: string }[] = [];
    const where = { source: 'excluded by a setting', prefix: '', base: '' };
    const excluded = exclude.length === 0 ? null : layerOf(exclude, where, problems);
    return new IgnoreRules(layersAround(folder, problems), [], false, excluded, problems).plusFilesOf(folder, '');
  }

  /** Whether a path is left out. Paths are '/'-separated and relative to the walked folder. */
  decide(path: string, isFolder: boolean): Decision {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const tested = isFolder ? `${path}/` : path;
    const excluded = this.excluded === null ? null : lastMatch([this.excluded], tested);
    if (excluded?.ignored) return excluded;
    const lift = lastMatch(this.liftLayers, tested);
    if (lift?.ignored) return lift;
    if (lift) return { ignored: false, reason: null, reincluded: true };
    if (this.onlyReincluded) return { ignored: true, reason: 'inside an ignored folder', reincluded: false };
    if (alwaysSkipped.has(name))
      return {
        ignored: true,
        reason: `never part of a repository’s own text; a line "!${name}/" in .liftignore takes it in`,
        reincluded: false,
      };
    return lastMatch(this.gitLayers, tested) ?? included;
  }

  /** Whether something below an ignored folder is taken in by a `!` line of .liftignore. */
  mayHoldReincluded(path: string): boolean {
    if (this.excluded !== null && lastMatch([this.excluded], `${path}/`)?.ignored) return false;
    return this.liftLayers.some((layer) => {
      const folder = path.slice(layer.base.length).split('/');
      return layer.reincluded.some((pattern) => leadsBelow(pattern, folder));
    });
  }

  /** The rules inside a folder. */
  enter(folder: string, path: string, decision: Decision): IgnoreRules {
    // A folder that .liftignore takes in is taken in whole: rules from above say that it is ignored.
    const gitLayers = decision.reincluded ? [] : this.gitLayers;
    const onlyReincluded = decision.ignored || (this.onlyReincluded && !decision.reincluded);
    return new IgnoreRules(gitLayers, this.liftLayers, onlyReincluded, this.excluded, []).plusFilesOf(folder, path);
  }

  private plusFilesOf(folder: string, path: string): IgnoreRules {
    const problems = [...this.problems];
    const base = path === '' ? '' : `${path}/`;
    const git = readLayer(join(folder, '.gitignore'), { source: `${base}.gitignore`, prefix: '', base }, problems);
    const lift = readLayer(join(folder, '.liftignore'), { source: `${base}.liftignore`, prefix: '', base }, problems);
    if (!git && !lift && problems.length === this.problems.length) return this;
    return new IgnoreRules(
      git ? [...this.gitLayers, git] : this.gitLayers,
      lift ? [...this.liftLayers, lift] : this.liftLayers,
      this.onlyReincluded,
      this.excluded,
      problems,
    );
  }
}

// The deepest file of rules that says anything decides.
function lastMatch(layers: readonly Layer[], path: string): Decision | null {
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index] as Layer;
    const result = layer.rules.test(layer.prefix + path.slice(layer.base.length));
    if (result.ignored)
      return { ignored: true, reason: `${layer.source}: ${result.rule?.pattern ?? ''}`.trim(), reincluded: false };
    if (result.unignored) return included;
  }
  return null;
}

function leadsBelow(pattern: readonly string[], folder: readonly string[]): boolean {
  for (const [index, name] of folder.entries()) {
    const segment = pattern[index];
    if (segment === '**') return true;
    if (segment === undefined || index >= pattern.length - 1) return false;
    if (segment !== name && !/[*?[]/.test(segment)) return false;
  }
  return true;
}

function readLayer(
  file: string,
  where: Pick<Layer, 'source' | 'prefix' | 'base'>,
  problems: { path: string; reason: string }[],
): Layer | null {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > MAX_RULES_BYTES) throw new Error(`larger than ${MAX_RULES_BYTES} bytes`);
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      problems.push({ path: where.source, reason: `its rules are not applied: ${code ?? message}` });
    return null;
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return layerOf(lines, where, problems);
}

function layerOf(
  lines: readonly string[],
  where: Pick<Layer, 'source' | 'prefix' | 'base'>,
  problems: { path: string; reason: string }[],
): Layer {
  // Names differ by case where the file system tells them apart.
  const rules = createIgnore({
    ignorecase: process.platform === 'win32' || process.platform === 'darwin',
    allowRelativePaths: true,
  });
  for (const line of lines) {
    try {
      rules.add(line);
    } catch {
      problems.push({ path: where.source, reason: `the line "${line.slice(0, 80)}" is not a pattern` });
    }
  }
  const reincluded = lines
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1).trim().replace(/\/$/, ''))
    .filter((pattern) => pattern.includes('/'))
    .map((pattern) => pattern.replace(/^\//, '').split('/'));
  return { rules, reincluded, ...where };
}

/** Rules of the Git repository that holds the folder: its exclude file and the .gitignore files above the folder. */
function layersAround(folder: string, problems: { path: string; reason: string }[]): Layer[] {
  const root = gitRootOf(folder);
  if (!root) return [];
  const below = relative(root, folder).split(sep).filter(Boolean);
  const prefix = below.map((part) => `${part}/`).join('');
  const layers: Layer[] = [];
  const exclude = readLayer(
    join(gitDataFolder(root), 'info', 'exclude'),
    { source: '.git/info/exclude', prefix, base: '' },
    problems,
  );
  if (exclude) layers.push(exclude);
  for (let depth = 0; depth < below.length; depth++) {
    const source = `${'../'.repeat(below.length - depth)}.gitignore`;
    const file = join(root, ...below.slice(0, depth), '.gitignore');
    const layer = readLayer(
      file,
      {
        source,
        prefix: below
          .slice(depth)
          .map((part) => `${part}/`)
          .join(''),
        base: '',
      },
      problems,
    );
    if (layer) layers.push(layer);
  }
  // Someone who names an ignored folder wants that folder.
  return below.length > 0 && lastMatch(layers, '')?.ignored ? [] : layers;
}

function gitRootOf(folder: string): string | null {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (statSync(join(at, '.git'), { throwIfNoEntry: false })) return at;
    if (dirname(at) === at || basename(at) === '') return null;
  }
}

// In a worktree or a submodule .git is a file that names the folder; what worktrees share is in the folder that `commondir` names.
function gitDataFolder(root: string): string {
  const entry = join(root, '.git');
  if (statSync(entry).isDirectory()) return entry;
  try {
    const named = /^gitdir:\s*(.+)$/m.exec(readFileSync(entry, 'utf8'))?.[1]?.trim();
    if (!named) return entry;
    const folder = resolve(root, named);
    try {
      return resolve(folder, readFileSync(join(folder, 'commondir'), 'utf8').trim());
    } catch {
      return folder;
    }
  } catch {
    return entry;
  }
}
