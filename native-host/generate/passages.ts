// Cuts a text into passages of 20 to 30 lines, where it can between paragraphs or declarations.

export interface LineSpan {
  /** Lines count from 1; the end is included. */
  startLine: number;
  endLine: number;
}

const FEWEST_LINES = 20;
const MOST_LINES = 30;

/** Spans that cover all lines, in order. The last may be shorter, and takes up a rest of a few lines. */
export function passagesOf(lines: readonly string[]): LineSpan[] {
  const spans: LineSpan[] = [];
  let start = 0;
  while (start < lines.length) {
    let end = Math.min(lines.length, start + MOST_LINES);
    if (lines.length - start > MOST_LINES + 5) end = bestEnd(lines, start);
    else end = lines.length;
    spans.push({ startLine: start + 1, endLine: end });
    start = end;
  }
  return spans;
}

/** The lines of a text; a final line break ends a line and does not begin one. */
export function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.length > 1 && lines.at(-1) === '') lines.pop();
  return lines;
}

/** After an empty line that comes before something at the margin, else after any empty line, else at the limit. */
function bestEnd(lines: readonly string[], start: number): number {
  let fallback = start + MOST_LINES;
  for (let end = start + MOST_LINES; end >= start + FEWEST_LINES; end--) {
    if (lines[end - 1]!.trim() !== '') continue;
    if (/^\S/.test(lines[end] ?? '')) return end;
    if (fallback === start + MOST_LINES) fallback = end;
  }
  return fallback;
}
