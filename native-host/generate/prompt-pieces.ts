// What could be shown beside a question, cut into pieces of lines, each with how much it matters.
import type { OpenFile } from '../../protocol/host.ts';
import type { Passage } from './evidence.ts';
import { type LineSpan, linesOf, passagesOf } from './passages.ts';
import { questionTerms, termsOf } from './terms.ts';

export type PieceKind = 'dirty' | 'open' | 'evidence';

export interface Piece extends LineSpan {
  kind: PieceKind;
  path: string;
  lines: string[];
  /** Lower is shown first. */
  rank: number;
  /** How much of the room this sort of piece may take before the next has been asked, 0–1. */
  share: number;
}

/** Ranks, most relevant first: what the user points at, what has changed and matters, what was found, the rest. */
const rank = { selection: 0, visible: 1, dirty: 2, openAndRelevant: 3, evidence: 4, openRest: 6, dirtyRest: 7 };

const MOST_LINES = 30;

/** The rank between evidence and what is open without need, where outline and conversation are asked. */
export const RANK_OF_BACKGROUND = 5;

/** All pieces, most relevant first. No line of a file is in two pieces, and evidence is never older text of a file that is here. */
export function piecesOf(
  question: string,
  dirty: readonly { path: string; text: string }[],
  openFiles: readonly OpenFile[],
  evidence: readonly Passage[],
): Piece[] {
  const terms = new Set(questionTerms(question));
  const current = new Set<string>();
  const pieces: Piece[] = [];
  for (const file of openFiles) {
    if (current.has(file.path)) continue;
    current.add(file.path);
    pieces.push(...piecesOfOpenFile(file, terms));
  }
  for (const { path, text } of dirty) {
    if (current.has(path)) continue;
    current.add(path);
    pieces.push(...scored('dirty', path, linesOf(text), terms, rank.dirty, rank.dirtyRest, 0.4));
  }
  for (const [index, { path, startLine, endLine, text }] of evidence.entries()) {
    if (current.has(path)) continue;
    const order = rank.evidence + index / 1000;
    pieces.push({ kind: 'evidence', path, startLine, endLine, lines: text.split('\n'), rank: order, share: 1 });
  }
  return pieces.sort((a, b) => a.rank - b.rank);
}

/**
 * Whether a changed text holds the longest of the question's terms, which mostly is the name that it asks about: what it says of
 * that was never learned.
 */
export function tellsNews(pieces: readonly Piece[], question: string, changed: ReadonlySet<string>): boolean {
  const longest = questionTerms(question).reduce((one, other) => (other.length > one.length ? other : one), '');
  return pieces.some(({ path, lines }) => changed.has(path) && termsOf([path, ...lines].join('\n')).includes(longest));
}

function piecesOfOpenFile({ path, text, from, to, selection }: OpenFile, terms: ReadonlySet<string>): Piece[] {
  const lines = linesOf(text);
  const pieces: Piece[] = [];
  const taken = new Set<number>();
  const take = (span: LineSpan, order: number, share: number) => {
    for (const part of freeParts(span, lines.length, taken)) {
      const index = pieces.length * 1e-6;
      pieces.push({ kind: 'open', path, ...part, lines: slice(lines, part), rank: order + index, share });
    }
  };
  if (selection) take({ startLine: selection.from, endLine: selection.to }, rank.selection, 0.6);
  if (from !== undefined || to !== undefined) {
    take({ startLine: from ?? 1, endLine: to ?? lines.length }, rank.visible, 0.5);
  }
  for (const piece of scored('open', path, lines, terms, rank.openAndRelevant, rank.openRest, 0.5)) {
    take(piece, piece.rank, piece.share);
  }
  return pieces;
}

/** The passages of a text: those that share terms with the question under the one rank, best first, the others under the other. */
function scored(
  kind: PieceKind,
  path: string,
  lines: string[],
  terms: ReadonlySet<string>,
  relevantRank: number,
  otherRank: number,
  share: number,
): Piece[] {
  const pathScore = overlap(termsOf(path), terms) / 2;
  return passagesOf(lines).map((span, index) => {
    const score = overlap(termsOf(slice(lines, span).join('\n')), terms) + pathScore;
    // Between 0 and 1, so that a better score comes earlier without leaving its rank.
    const order = score > 0 ? relevantRank + 0.9 / (1 + score) + index * 1e-6 : otherRank + index * 1e-6;
    return { kind, path, ...span, lines: slice(lines, span), rank: order, share };
  });
}

/** How many of the terms occur. */
function overlap(found: readonly string[], terms: ReadonlySet<string>): number {
  const unique = new Set(found);
  let count = 0;
  for (const term of terms) if (unique.has(term)) count++;
  return count;
}

/** The lines of the span that nothing has taken, in runs of at most MOST_LINES; they are taken now. */
function freeParts({ startLine, endLine }: LineSpan, lineCount: number, taken: Set<number>): LineSpan[] {
  const parts: LineSpan[] = [];
  for (let line = Math.max(1, startLine); line <= Math.min(endLine, lineCount); line++) {
    if (taken.has(line)) continue;
    taken.add(line);
    const last = parts.at(-1);
    if (last?.endLine === line - 1 && line - last.startLine < MOST_LINES) last.endLine = line;
    else parts.push({ startLine: line, endLine: line });
  }
  return parts;
}

function slice(lines: string[], { startLine, endLine }: LineSpan): string[] {
  return lines.slice(startLine - 1, endLine);
}
