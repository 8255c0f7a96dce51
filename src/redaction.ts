/** Takes out of a text what is nobody else's business: names of folders and files, quoted text, and what may be a secret. */

export interface PrivatePlaces {
  /** Absolute path of the user's home folder. */
  home: string;
  /** Absolute paths of the workspace's folders. */
  folders: readonly string[];
  /** Name of the user of this machine. */
  user: string;
}

/**
 * The text without paths (but with the ending of a file's name), quoted text, addresses and secrets. It may take out more than
 * it must: what is left says what happened, not to what. Long lines are cut.
 */
export function redacted(text: string, places: PrivatePlaces): string {
  let result = text.replace(LONG_LINE, '$1…');
  for (const [pattern, replacement] of SECRETS) result = result.replace(pattern, replacement);
  for (const [index, folder] of places.folders.entries()) {
    result = result.replace(pathPattern(folder), (_, rest: string) => `<folder ${index + 1}>${hiddenPath(rest)}`);
  }
  if (places.home.length > 1) {
    result = result.replace(pathPattern(places.home), (_, rest: string) => `<home>${hiddenPath(rest)}`);
  }
  for (const [pattern, replacement] of QUOTED) result = result.replace(pattern, replacement);
  result = result.replace(ABSOLUTE_PATH, (_, before: string, path: string) => `${before}<path>${endingOf(path)}`);
  result = result.replace(RELATIVE_PATH, (path) => `<file>${endingOf(path)}`);
  if (places.user.length > 2) {
    result = result.replace(new RegExp(`(?<![\\w-])${escaped(places.user)}(?![\\w-])`, 'gi'), '<user>');
  }
  return result;
}

/** What follows on a line has never helped anybody, and would take long to look through. */
const LONG_LINE = /^(.{1000}).+$/gm;

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*-----[\s\S]*?(-----END [^-]*-----|$)/g, '<secret>'],
  [/\b([a-z][a-z0-9+.-]*):\/\/[^\s'"`<>]+/gi, '<$1 address>'],
  [/[\w.+-]+@[\w-]+(\.[\w-]+)+/g, '<e-mail address>'],
  [/\bauthorization["']?\s*[:=].*/gi, 'authorization <secret>'],
  [/\bbearer\s+\S+/gi, 'bearer <secret>'],
  [/(password|passwd|passphrase|secret|api[_-]?key|token)["']?\s*[:=]\s*\S+/gi, '$1 <secret>'],
  // Long runs of the alphabets that keys are written in, with letters and digits.
  [/(?<![\w+-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}(?![\w+-])/g, '<secret>'],
];

const QUOTED: readonly (readonly [RegExp, string])[] = [
  [/"[^"\n]*"/g, '"…"'],
  [/`[^`\n]*`/g, '`…`'],
  [/“[^”\n]*”/g, '“…”'],
  // An apostrophe within a word quotes nothing.
  [/(?<![A-Za-z0-9])'[^'\n]*'(?![A-Za-z0-9])/g, "'…'"],
];

const ABSOLUTE_PATH = /(^|[\s(=:[,])((?:[A-Za-z]:[\\/]|\\\\|\/)[^\s'"`<>()[\],;]+)/gm;
const RELATIVE_PATH =
  /(?<![\w<>/\\.@])(?!\w+\/s\b)(?:[\w.@-]+[\\/])+[\w.@-]+|(?<![\w<>/\\.-])[\w-]+\.(?:[cm]?[jt]sx?|py|rs|go|java|kt|rb|cs|cpp|cc|c|h|hpp|php|swift|md|json|ya?ml|toml|txt|env|pem|key|sh|sql|html|css)\b/g;

/** The path as it is written with either separator and, after a drive letter, in either case; what follows of the same path is captured. */
function pathPattern(path: string): RegExp {
  const parts = path
    .replace(/[\\/]+$/, '')
    .split(/[\\/]+/)
    .map(escaped)
    .join('[\\\\/]+');
  return new RegExp(`${parts}((?:[\\\\/][^\\s'"\`<>()[\\],;]*)?)(?![\\w-])`, /^[A-Za-z]:/.test(path) ? 'gi' : 'g');
}

function hiddenPath(rest: string): string {
  return rest === '' || /^[\\/]+$/.test(rest) ? '' : `/…${endingOf(rest)}`;
}

/** `.ts` of a file's name; of a line number after it nothing. */
function endingOf(path: string): string {
  return /\.[A-Za-z0-9]{1,8}(?=(:\d+)*[.,:]?$)/.exec(path)?.[0] ?? '';
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
