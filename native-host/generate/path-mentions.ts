// Finds what looks like a path in an answer, and the file that it means.

export interface PathMention {
  /** As written, without a line number. */
  written: string;
  /** Where it stands in the answer, in UTF-16 units. */
  index: number;
  length: number;
  /** The lines that it names. */
  startLine?: number;
  endLine?: number;
  /** It may be something else, such as a member of an object: only a file when it is there. */
  doubtful: boolean;
}

const sourceEndings = new Set(
  `astro bash bat c cc cfg cjs clj cmake conf cpp cs css csv cts cu cxx dart ejs ex exs fs go gradle graphql h hbs hpp hs html
  ini ipynb java jl js json jsonc json5 jsx kt kts less lock lua m md mdx mjs mm mts php pl prisma proto ps1 py pyi r rb rs
  rst s sass scala scss sh sql svelte svg swift toml ts tsx txt vue wasm wat xml yaml yml zig`.split(/\s+/),
);

/** Names of products that end like files. */
const products =
  /^(node|next|nuxt|vue|react|angular|express|three|d3|chart|moment|ember|backbone|alpine|p5|deno|electron|require|asp)\.(js|net)$/i;

const segment = String.raw`(?:[\w@.+$-]|\[[\w.@-]{1,60}\]|\([\w.@-]{1,60}\)){1,200}`;
const lineSuffix = String.raw`(?::(\d+)(?::\d+)?(?:\s*[-–]\s*(\d+))?|#L(\d+)(?:-L?(\d+))?)?`;
const wordedLines = String.raw`(?:\x60?,?\s*\(?\bat\s+|\x60?,?\s*\(?\b|\x60?,?\s*\(?\bon\s+)lines?\s+(\d+)(?:\s*(?:[-–]|to|and)\s*(\d+))?`;
const pathLike = new RegExp(String.raw`((?:~|\.{1,2})?[\\/])?${segment}(?:[\\/]${segment})*[\\/]?${lineSuffix}`, 'g');
const afterPath = new RegExp(`^${wordedLines}`);
const webAddress = /\b[a-z][a-z+.-]{0,20}:\/\/[^\s)>\]`"']+|\b[\w.+-]{1,64}@[\w-]+\.[a-z]{2,}\b/gi;

/** What looks like a path: it has slashes, an ending that sources have, or stands between backticks. */
export function pathMentions(answer: string): PathMention[] {
  const text = answer.replace(webAddress, (address) => ' '.repeat(address.length));
  const mentions: PathMention[] = [];
  for (const match of text.matchAll(pathLike)) {
    const [whole, , colonStart, colonEnd, hashStart, hashEnd] = match;
    const suffixAt = whole.search(/(:\d|#L\d)/);
    const suffix = suffixAt < 0 ? '' : whole.slice(suffixAt);
    const trimmed = trimPunctuation(suffix === '' ? whole : whole.slice(0, suffixAt));
    const index = match.index + trimmed.start;
    const written = trimmed.text;
    const quoted =
      text[index - 1] === '`' && /^[`:#]/.test(text.slice(index + written.length, index + written.length + 1));
    const likeness = likenessToPath(written, quoted);
    if (likeness === 'none') continue;
    const end = match.index + whole.length;
    const worded =
      suffix === '' ? afterPath.exec(text.slice(index + written.length, index + written.length + 60)) : null;
    const start = colonStart ?? hashStart ?? worded?.[1];
    const last = colonEnd ?? hashEnd ?? worded?.[2];
    mentions.push({
      written,
      index,
      length: (suffix === '' ? index + written.length : end) - index,
      doubtful: likeness === 'doubtful',
      ...(start === undefined ? {} : { startLine: Number(start), endLine: Number(last ?? start) }),
    });
  }
  return mentions;
}

/** Brackets are part of `app/[id]/page.tsx`, but not of `(a.ts)`, nor is the full stop of a sentence part of a name. */
function trimPunctuation(text: string): { text: string; start: number } {
  const wrapped = /^(?:\((.*)\)|\[(.*)\])[.]*$/.exec(text);
  const inner = wrapped?.[1] ?? wrapped?.[2];
  return { text: (inner ?? text).replace(/[.]+$/, ''), start: inner === undefined ? 0 : 1 };
}

function likenessToPath(written: string, quoted: boolean): 'certain' | 'doubtful' | 'none' {
  const path = written.replaceAll('\\', '/');
  const name = path.replace(/\/$/, '').split('/').at(-1)!;
  if (!/[\p{L}\p{N}]/u.test(name)) return 'none';
  const hasSlash = path.includes('/');
  if (hasSlash && /^[\w-]+(\.[\w-]+)*\.(com|org|net|io|dev|edu|gov)$/i.test(path.split('/')[0]!)) return 'none';
  const ending = /[^.]\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase();
  if (ending === undefined || !sourceEndings.has(ending)) return hasSlash || quoted ? 'doubtful' : 'none';
  // `options.c` and `this.r` are members, Node.js is a product.
  return !hasSlash && (products.test(name) || ending.length === 1) ? 'doubtful' : 'certain';
}

/** Files by their path, or by as much of its end as says which is meant. */
export class PathResolver {
  readonly #paths: ReadonlySet<string>;
  #byName: Map<string, string[]> | null = null;
  #folders: Set<string> | null = null;

  constructor(paths: ReadonlySet<string>) {
    this.#paths = paths;
  }

  /** The path; 'known' for a folder or a name that several files have; null for what is not there. */
  resolve(written: string): { path: string } | 'known' | null {
    const wanted = written
      .replaceAll('\\', '/')
      .replace(/^(\.{1,2}\/|~?\/)+/, '')
      .replace(/\/$/, '');
    if (this.#paths.has(wanted)) return { path: wanted };
    const name = wanted.split('/').at(-1)!;
    const sameName = this.#namesakes().get(name) ?? [];
    const longer = sameName.filter((path) => path.endsWith(`/${wanted}`));
    if (longer.length === 1) return { path: longer[0]! };
    if (longer.length > 1) return 'known';
    // A path from outside the folder, such as an absolute one: the longest end that is a file.
    const shorter = sameName.filter((path) => path.includes('/') && wanted.endsWith(`/${path}`));
    if (shorter.length > 0) return { path: shorter.reduce((a, b) => (b.length > a.length ? b : a)) };
    if (this.#allFolders().has(wanted)) return 'known';
    return this.#withoutEnding(wanted, name);
  }

  /** Whether a path that is not there claims to be in the repository, rather than being `and/or` or `text/plain`. */
  startsInside(written: string): boolean {
    const path = written.replaceAll('\\', '/');
    if (!path.includes('/')) return false;
    return path.startsWith('./') || this.#allFolders().has(path.replace(/^\//, '').split('/')[0]!);
  }

  /** A module as it is imported: `lib/parse` for lib/parse.js or lib/parse/index.js. */
  #withoutEnding(wanted: string, name: string): { path: string } | 'known' | null {
    if (name.includes('.')) return null;
    const candidates: string[] = [];
    for (const [fileName, paths] of this.#namesakes()) {
      if (!fileName.startsWith(`${name}.`)) continue;
      candidates.push(...paths.filter((path) => path.startsWith(`${wanted}.`) || path.includes(`/${wanted}.`)));
    }
    if (candidates.length === 0 || !wanted.includes('/')) return null;
    return candidates.length === 1 ? { path: candidates[0]! } : 'known';
  }

  #namesakes(): Map<string, string[]> {
    if (!this.#byName) {
      this.#byName = new Map();
      for (const path of this.#paths) {
        const name = path.slice(path.lastIndexOf('/') + 1);
        const known = this.#byName.get(name);
        if (known) known.push(path);
        else this.#byName.set(name, [path]);
      }
    }
    return this.#byName;
  }

  /** Every folder, by its whole path and by each end of it. */
  #allFolders(): Set<string> {
    if (!this.#folders) {
      this.#folders = new Set();
      for (const path of this.#paths) {
        const parts = path.split('/').slice(0, -1);
        for (let end = 1; end <= parts.length; end++) {
          for (let start = 0; start < end; start++) this.#folders.add(parts.slice(start, end).join('/'));
        }
      }
    }
    return this.#folders;
  }
}
