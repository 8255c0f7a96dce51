/** `--open <file>[:from-to]`: a file that is shown to the model together with the question. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import type { OpenFile } from '../../protocol/host.ts';
import { UsageError } from './context.ts';

/** Far more than fits a model's window. */
const mostBytes = 4_000_000;

/**
 * Reads what the user named: a path relative to the working folder or to the repository's, with lines that count from 1.
 * Errors: UsageError where the lines make no sense; Error where there is no such file in the folder, or it is no text.
 */
export function readOpenFile(named: string, folder: string, workingFolder: string): OpenFile {
  const { file, range } = splitLines(named, (name) => findFile(name, folder, workingFolder));
  const path = relative(realpathSync.native(folder), realpathSync.native(file)).split(sep).join('/');
  if (path === '' || path.startsWith('../') || isAbsolute(path)) {
    throw new Error(`${file} is not in ${folder}. Only files of that folder can be opened beside the question.`);
  }
  const { size } = statSync(file);
  if (size > mostBytes) throw new Error(`${file} is too large to be opened: ${size} bytes, at most ${mostBytes}.`);
  const text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  if (text.includes('\0')) throw new Error(`${file} is not a text file, so it cannot be opened.`);
  if (range === null) return { path, text };
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  const { from, to } = range;
  if (from > lines) throw new UsageError(`--open ${named}: ${path} has ${lines} lines.`);
  return { path, text, from, to: Math.min(to, lines) };
}

/** A name that exists as it stands is taken so, even if it ends like a range. */
function splitLines(
  named: string,
  find: (name: string) => string | null,
): { file: string; range: { from: number; to: number } | null } {
  const whole = find(named);
  if (whole !== null) return { file: whole, range: null };
  const match = /^(.+):(\d+)(?:-(\d+))?$/.exec(named);
  const file = match === null ? null : find(match[1]!);
  if (match === null || file === null) {
    throw new Error(`There is no file ${match?.[1] ?? named}. Name it as <file>, <file>:<line> or <file>:<from>-<to>.`);
  }
  const from = Number(match[2]);
  const to = Number(match[3] ?? match[2]);
  if (from < 1 || to < from) throw new UsageError(`--open ${named}: lines count from 1, and the last one comes last.`);
  return { file, range: { from, to } };
}

function findFile(name: string, folder: string, workingFolder: string): string | null {
  const places = [resolve(workingFolder, name), resolve(folder, name)];
  return places.find((place) => statSync(place, { throwIfNoEntry: false })?.isFile()) ?? null;
}
