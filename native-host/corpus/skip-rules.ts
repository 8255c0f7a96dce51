// Which files are no documents although they are text: what tools write, what no one reads, what is too large.
import { posix } from 'node:path';
import { secretByName, secretInText, secretReason } from './secrets.ts';

export interface SizeLimits {
  /** Larger files are skipped. */
  maxFileBytes: number;
  /** Files with a longer line are skipped: minified code, data in one line. */
  maxLineCharacters: number;
}

const lockFiles =
  /^(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|deno\.lock|cargo\.lock|poetry\.lock|pdm\.lock|uv\.lock|pipfile\.lock|composer\.lock|gemfile\.lock|go\.(sum|work\.sum)|flake\.lock|mix\.lock|pubspec\.lock|podfile\.lock|packages\.lock\.json|gradle\.lockfile)$|\.lock$/i;
const generatedNames =
  /\.min\.(m|c)?[a-z]+$|[.-]min\.(js|css)$|\.(map|snap|tsbuildinfo|bundle\.m?js|chunk\.m?js)$|_pb2(_grpc)?\.pyi?$|\.pb\.(go|cc|h|c)$|\.pb\.[cm]?[jt]s$/i;
const graphics = /\.(svg|eps|ps|drawio|excalidraw)$/i;
const generatedMark =
  /^.{0,10}(@generated\b|code generated\b.{0,80}\bdo not edit|(this file (is|was) )?auto-?\s?generated\b.{0,80}\bdo not (edit|modify)|do not edit\W{1,4}.{0,40}(auto-?\s?)?generated)/im;

/** Why a file is skipped by its name or its size alone, or null. */
export function skipByName(path: string, size: number, limits: SizeLimits): string | null {
  const name = posix.basename(path);
  const secret = secretByName(path);
  if (secret) return secretReason(secret);
  if (lockFiles.test(name)) return 'lock file';
  if (generatedNames.test(name)) return 'generated file';
  if (graphics.test(name)) return 'picture';
  if (size > limits.maxFileBytes) return `${size} bytes, more than the limit of ${limits.maxFileBytes}`;
  return null;
}

/** Why a file is skipped by what it says, or null. */
export function skipByText(text: string, limits: SizeLimits): string | null {
  if (text.trim() === '') return 'empty';
  const long = lineOver(text, limits.maxLineCharacters);
  if (long) return `line ${long} has more than ${limits.maxLineCharacters} characters`;
  if (generatedMark.test(text.slice(0, 600))) return 'generated file, as its head says';
  const secret = secretInText(text);
  return secret && secretReason(secret);
}

function lineOver(text: string, limit: number): number | null {
  let line = 1;
  for (let start = 0; start < text.length; line++) {
    const end = text.indexOf('\n', start);
    if ((end < 0 ? text.length : end) - start > limit) return line;
    if (end < 0) break;
    start = end + 1;
  }
  return null;
}
