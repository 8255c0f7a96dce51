// Draws Markdown that is still being written. Blocks that can no longer change are drawn once; only the last block is drawn again
// as it grows. Drawing is spread over frames, and a text is read in pieces of limited length, so that no text stops the page.
import { drawInFrames } from '../frames.ts';
import { upgradeCode } from './code-block.ts';
import { OpenFence } from './open-fence.ts';
import { type Block, fenceLanguage, renderBlocks, topLevelBlocks } from './render-markdown.ts';

/** A block that is longer is drawn as several. Characters. */
const longestPiece = 20_000;
const shortestPiece = 2000;
const firstPiece = 4000;
/** Pieces that take longer are followed by shorter ones. Milliseconds. */
const longestDrawing = 8;
/** The last block is drawn again after at least this many times as long as drawing it took. */
const restPerDrawing = 3;

interface Watcher {
  /** Nodes that are drawn for good. */
  settled(nodes: readonly Element[]): void;
  drawn(complete: boolean): void;
}

export class StreamedMarkdown {
  private received = '';
  private text = '';
  private heldReturn = '';
  private finished = false;
  /** Up to where the text is drawn for good. */
  private settledTo = 0;
  private drawnTo = 0;
  private openNodes: Element[] = [];
  private fence: OpenFence | null = null;
  private nextDrawing = 0;
  private pieceLength = firstPiece;
  private readonly draw = (deadline: number): boolean => this.drawUntil(deadline);

  constructor(
    private readonly container: HTMLElement,
    private readonly watcher: Watcher,
  ) {}

  /** The whole text so far; what goes on from what is there is appended. */
  set(text: string, finished: boolean): void {
    if (!text.startsWith(this.received) || (this.finished && text.length > this.received.length)) this.reset();
    this.append(text.slice(this.received.length));
    if (finished && !this.finished) {
      this.text += this.heldReturn === '' ? '' : '\n';
      this.heldReturn = '';
      this.finished = true;
    }
    drawInFrames(this.draw);
  }

  append(delta: string): void {
    if (delta === '') return;
    this.received += delta;
    // Lines end with one character; a pair may come in two deltas.
    const whole = this.heldReturn + delta;
    this.heldReturn = whole.endsWith('\r') ? '\r' : '';
    this.text += whole.slice(0, whole.length - this.heldReturn.length).replace(/\r\n?/g, '\n');
    drawInFrames(this.draw);
  }

  get complete(): boolean {
    return this.finished && this.settledTo === this.text.length;
  }

  private reset(): void {
    this.container.replaceChildren();
    this.received = '';
    this.text = '';
    this.heldReturn = '';
    this.finished = false;
    this.settledTo = 0;
    this.drawnTo = 0;
    this.openNodes = [];
    this.fence = null;
    this.nextDrawing = 0;
    this.pieceLength = firstPiece;
  }

  private drawUntil(deadline: number): boolean {
    if (performance.now() < this.nextDrawing && !this.finished) return true;
    do {
      if (this.fence) this.drawFence(this.fence);
      else this.drawBlocks();
    } while (this.hasMore() && performance.now() < deadline);
    this.watcher.drawn(this.complete);
    return this.hasMore();
  }

  private hasMore(): boolean {
    return this.drawnTo < this.text.length || (this.finished && this.settledTo < this.text.length);
  }

  private drawFence(fence: OpenFence): void {
    const rest = this.text.slice(this.settledTo, this.settledTo + longestPiece);
    const whole = this.settledTo + rest.length === this.text.length;
    const { used, closed } = fence.take(rest, whole, whole && this.finished);
    this.settledTo += used;
    this.drawnTo = whole && !closed ? this.text.length : this.settledTo;
    if (closed) this.fence = null;
  }

  private drawBlocks(): void {
    const began = performance.now();
    const { piece, whole } = this.nextPiece();
    const blocks = topLevelBlocks(piece);
    const last = blocks.at(-1);
    const ended = whole && this.finished;
    let settled = ended ? blocks.length : settledBlocks(blocks, piece);
    if (!whole && settled === 0 && !startsFence(last, piece)) {
      if (this.pieceLength < longestPiece) {
        this.pieceLength = longestPiece;
        return;
      }
      settled = blocks.length;
    }

    for (const node of this.openNodes) node.remove();
    this.openNodes = [];
    if (settled > 0) this.watcher.settled(this.place(blocks.slice(0, settled)));
    const open = blocks.slice(settled);
    const from = this.settledTo;
    // A line of spaces may yet become the indentation of a block.
    const blanks = ended || !whole ? piece.length : piece.lastIndexOf('\n') + 1;
    this.settledTo = from + (open[0] ? open[0].start : blanks);
    this.drawnTo = from + piece.length;
    if (last && open.length === 1 && startsFence(last, piece)) {
      const token = last.tokens[0]!;
      const indent = /^ */.exec(piece.slice(last.start))![0].length;
      this.fence = new OpenFence(fenceLanguage(token.info), token.markup, indent);
      this.container.append(this.fence.block.element);
      this.settledTo = from + last.firstLineEnd;
      this.drawFence(this.fence);
    } else {
      this.openNodes = this.place(open);
    }
    const ends = performance.now();
    const took = ends - began;
    this.nextDrawing = ends + took * restPerDrawing;
    this.pieceLength =
      took > longestDrawing
        ? Math.max(shortestPiece, this.pieceLength >> 1)
        : Math.min(longestPiece, this.pieceLength * 2);
  }

  /** As much of the text as is read at once: whole lines where there are any, never half a character. */
  private nextPiece(): { piece: string; whole: boolean } {
    const rest = this.text.slice(this.settledTo, this.settledTo + this.pieceLength);
    if (this.settledTo + rest.length === this.text.length) return { piece: rest, whole: true };
    const lineEnd = rest.lastIndexOf('\n') + 1;
    if (lineEnd > 0) return { piece: rest.slice(0, lineEnd), whole: false };
    const splitsCharacter = /[\uD800-\uDBFF]$/.test(rest);
    return { piece: splitsCharacter ? rest.slice(0, -1) : rest, whole: false };
  }

  private place(blocks: readonly Block[]): Element[] {
    if (blocks.length === 0) return [];
    const fragment = renderBlocks(blocks);
    upgradeCode(fragment);
    const nodes = [...fragment.children];
    this.container.append(...nodes);
    return nodes;
  }
}

/** How many blocks can't change any more: those before one whose first line is whole. */
function settledBlocks(blocks: Block[], piece: string): number {
  const wholeLines = piece.lastIndexOf('\n') + 1;
  const firstOpen = blocks.findLastIndex((block) => block.firstLineEnd <= wholeLines);
  return Math.max(0, firstOpen);
}

function startsFence(block: Block | undefined, piece: string): boolean {
  return block?.tokens[0]?.type === 'fence' && piece[block.firstLineEnd - 1] === '\n';
}
