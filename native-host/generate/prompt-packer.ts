// Fills a room of tokens with what matters most, cut at line boundaries.
import type { ConversationTurn } from '../../protocol/host.ts';
import { type ContextText, renderText } from './context-format.ts';
import type { Piece, PieceKind } from './prompt-pieces.ts';

/** What a chat template puts around a message, at most. */
export const TOKENS_AROUND_MESSAGE = 8;
export const OUTLINE_HEADING = '\n\nOutline of the repository:\n';
/** The most of the room that outline and conversation each take. */
const BACKGROUND_SHARE = 0.25;
/** In less room than this no text is tried, nor after so many in a row that did not fit. */
const FEWEST_TOKENS = 8;
const MOST_MISSES = 50;
/** Fewer lines than these of a larger piece say nothing. */
const FEWEST_LINES = 2;

export interface PlacedText extends ContextText {
  kind: PieceKind;
  startLine: number;
  endLine: number;
}

/** Puts pieces, turns and an outline into a room of tokens. */
export class Packer {
  readonly #room: number;
  readonly #countTokens: (text: string) => number;
  readonly #placed: { piece: Piece; lines: number }[] = [];
  #left: number;

  constructor(room: number, countTokens: (text: string) => number) {
    this.#room = room;
    this.#countTokens = countTokens;
    this.#left = room;
  }

  /** Places the pieces that fit, in their order, cut where they do not fit whole; with limits, no kind takes more than its share. */
  addAll(pieces: readonly Piece[], limited: boolean): void {
    const used = new Map<number, number>();
    let misses = 0;
    for (const piece of pieces) {
      if (this.#left < FEWEST_TOKENS || misses > MOST_MISSES) return;
      if (this.#placed.some((placed) => placed.piece === piece && placed.lines === piece.lines.length)) continue;
      const sort = Math.floor(piece.rank);
      const share = limited ? piece.share * this.#room - (used.get(sort) ?? 0) : this.#room;
      const cost = this.#place(piece, Math.min(share, this.#left));
      used.set(sort, (used.get(sort) ?? 0) + cost);
      misses = cost > 0 ? 0 : misses + 1;
    }
  }

  /** The newest turns that fit into their share, oldest first. */
  addTurns(conversation: readonly ConversationTurn[]): ConversationTurn[] {
    let share = Math.min(this.#left, BACKGROUND_SHARE * this.#room);
    const turns: ConversationTurn[] = [];
    for (const turn of [...conversation].reverse()) {
      const cost = this.#countTokens(turn.question) + this.#countTokens(turn.answer) + 2 * TOKENS_AROUND_MESSAGE;
      if (cost > share) break;
      share -= cost;
      this.#left -= cost;
      turns.unshift(turn);
    }
    return turns;
  }

  addOutline(outline: string): string {
    if (outline === '') return '';
    const share = Math.min(this.#left, BACKGROUND_SHARE * this.#room);
    const lines = outline.split('\n');
    const cost = (count: number) => this.#countTokens(`${OUTLINE_HEADING}${lines.slice(0, count).join('\n')}`);
    const count = mostThatFits(lines.length, (some) => cost(some) <= share);
    if (count < FEWEST_LINES && count < lines.length) return '';
    this.#left -= cost(count);
    return lines.slice(0, count).join('\n');
  }

  /** Takes the least relevant piece out again; false when none is left. */
  removeLast(): boolean {
    const last = this.#placed.reduce((worst, placed, index) => {
      return worst < 0 || placed.piece.rank >= this.#placed[worst]!.piece.rank ? index : worst;
    }, -1);
    if (last >= 0) this.#placed.splice(last, 1);
    return last >= 0;
  }

  /** Dirty, then open, then evidence; within a file by line, neighbours joined; files as they were ranked. */
  texts(): PlacedText[] {
    const texts: PlacedText[] = [];
    for (const kind of ['dirty', 'open', 'evidence'] as const) {
      const ofKind = this.#placed.filter(({ piece }) => piece.kind === kind);
      ofKind.sort((a, b) => a.piece.rank - b.piece.rank);
      const paths = [...new Set(ofKind.map(({ piece }) => piece.path))];
      for (const path of paths) {
        const ofPath = ofKind.filter(({ piece }) => piece.path === path);
        ofPath.sort((a, b) => a.piece.startLine - b.piece.startLine);
        for (const { piece, lines } of ofPath) {
          const text = piece.lines.slice(0, lines).join('\n');
          const last = texts.at(-1);
          if (last?.kind === kind && last.path === path && last.endLine === piece.startLine - 1) {
            last.text += `\n${text}`;
            last.endLine += lines;
          } else {
            texts.push({ kind, path, startLine: piece.startLine, endLine: piece.startLine + lines - 1, text });
          }
        }
      }
    }
    return texts;
  }

  /** Places as much of the piece as fits and returns what it cost. */
  #place(piece: Piece, budget: number): number {
    const before = this.#placed.find((placed) => placed.piece === piece);
    const paid = before ? this.#cost(piece, before.lines) : 0;
    const count = mostThatFits(piece.lines.length, (lines) => this.#cost(piece, lines) - paid <= budget);
    if (count <= (before?.lines ?? 0) || (count < FEWEST_LINES && count < piece.lines.length)) return 0;
    const cost = this.#cost(piece, count) - paid;
    this.#left -= cost;
    if (before) before.lines = count;
    else this.#placed.push({ piece, lines: count });
    return cost;
  }

  #cost({ path, lines }: Piece, count: number): number {
    return this.#countTokens(renderText({ path, text: lines.slice(0, count).join('\n') }));
  }
}

/** The largest count from 0 to `most` that fits, where fewer always fit when more do. */
function mostThatFits(most: number, fits: (count: number) => boolean): number {
  if (fits(most)) return most;
  let fitting = 0;
  let tooMany = most;
  while (tooMany - fitting > 1) {
    const middle = (fitting + tooMany) >> 1;
    if (fits(middle)) fitting = middle;
    else tooMany = middle;
  }
  return fitting;
}
