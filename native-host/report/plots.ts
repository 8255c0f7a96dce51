/** Plots as inline SVG. Colours and fonts are the page's, by class: `series-0`, `series-1` … */
import { escaped } from './html.ts';

export interface Series {
  name: string;
  /** By x. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  /** Said to who cannot see it. */
  title: string;
  xTitle: string;
  series: readonly Series[];
  /** The largest y, where it is known beforehand. */
  most?: number;
  formatX(x: number): string;
  formatY(y: number): string;
}

export interface Bar {
  label: string;
  value: number;
  /** Where the value lies with 95 % certainty. */
  range?: readonly [low: number, high: number];
}

export const seriesColours = 8;

const width = 640;
const height = 280;
const margin = { left: 56, right: 12, top: 12, bottom: 40 };
const plotWidth = width - margin.left - margin.right;
const plotHeight = height - margin.top - margin.bottom;

/** Lines over a common x, from 0, with a legend below. Nothing where no series has two points. */
export function linePlot({ title, xTitle, series, most, formatX, formatY }: LinePlot): string {
  const drawn = series.filter(({ points }) => points.length > 1);
  if (drawn.length === 0) return '';
  const all = drawn.flatMap(({ points }) => points);
  const lastX = Math.max(...all.map(([x]) => x)) || 1;
  const top = most ?? (Math.max(...all.map(([, y]) => y)) * 1.05 || 1);
  const x = (value: number) => round(margin.left + (plotWidth * value) / lastX);
  const y = (value: number) => round(margin.top + plotHeight * (1 - value / top));
  const across = ticks(lastX).map((tick) => {
    const text = `<text x="${x(tick)}" y="${height - margin.bottom + 16}" text-anchor="middle">${escaped(formatX(tick))}</text>`;
    return `<line class="grid" x1="${x(tick)}" y1="${margin.top}" x2="${x(tick)}" y2="${y(0)}"/>${text}`;
  });
  const up = ticks(top).map((tick) => {
    const text = `<text x="${margin.left - 6}" y="${y(tick) + 4}" text-anchor="end">${escaped(formatY(tick))}</text>`;
    return `<line class="grid" x1="${margin.left}" y1="${y(tick)}" x2="${width - margin.right}" y2="${y(tick)}"/>${text}`;
  });
  const lines = drawn.map(({ points }, i) => {
    const path = points.map(([px, py]) => `${x(px)},${y(Math.min(py, top))}`).join(' ');
    return `<polyline class="line ${seriesClass(i)}" points="${path}"/>`;
  });
  const axis = `<text x="${margin.left + plotWidth / 2}" y="${height - 4}" text-anchor="middle">${escaped(xTitle)}</text>`;
  const legend = drawn.map(({ name }, i) => `<li><span class="swatch ${seriesClass(i)}"></span>${escaped(name)}</li>`);
  const content = [...across, ...up, ...lines, axis].join('\n');
  return `${svg(title, width, height, content)}<ul class="legend">${legend.join('')}</ul>`;
}

const barsWidth = 440;
const rowHeight = 22;
const labelWidth = 150;
const valueWidth = 56;

/** Horizontal bars from 0 to 1, each with its label and value. Nothing where there are none. */
export function barPlot(title: string, bars: readonly Bar[], format: (value: number) => string): string {
  if (bars.length === 0) return '';
  const room = barsWidth - labelWidth - valueWidth;
  const x = (value: number) => round(labelWidth + room * Math.min(1, Math.max(0, value)));
  const rows = bars.map(({ label, value, range }, i) => {
    const top = i * rowHeight;
    const middle = top + rowHeight / 2;
    const whisker =
      range === undefined
        ? ''
        : `<line class="whisker" x1="${x(range[0])}" y1="${middle}" x2="${x(range[1])}" y2="${middle}"/>`;
    return [
      `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${escaped(shortened(label))}</text>`,
      `<rect class="track" x="${labelWidth}" y="${top + 3}" width="${room}" height="${rowHeight - 6}"/>`,
      `<rect class="bar" x="${labelWidth}" y="${top + 3}" width="${round(x(value) - labelWidth)}" height="${rowHeight - 6}"/>`,
      whisker,
      `<text x="${barsWidth}" y="${middle + 4}" text-anchor="end">${escaped(format(value))}</text>`,
    ].join('');
  });
  return svg(title, barsWidth, bars.length * rowHeight, rows.join('\n'));
}

function svg(title: string, wide: number, tall: number, content: string): string {
  return `<svg viewBox="0 0 ${wide} ${tall}" role="img"><title>${escaped(title)}</title>\n${content}\n</svg>`;
}

function seriesClass(index: number): string {
  return `series-${index % seriesColours}`;
}

/** Round numbers from 0 to at most `last`, four to nine. */
export function ticks(last: number): number[] {
  const rough = last / 8;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  return Array.from({ length: Math.floor(last / step + 1e-9) + 1 }, (_, i) => i * step);
}

const longestLabel = 22;

/** The end of a path says more than its beginning. */
function shortened(label: string): string {
  const characters = [...label];
  return characters.length > longestLabel ? `…${characters.slice(1 - longestLabel).join('')}` : label;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
