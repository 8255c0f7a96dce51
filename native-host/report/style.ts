/** How a report looks, in light and in dark. */
import { seriesColours } from './plots.ts';

const light = ['#0b62c4', '#c2410c', '#15803d', '#9333ea', '#be185d', '#0e7490', '#854d0e', '#475569'];
const dark = ['#6cb6ff', '#ff9d5c', '#5fd38d', '#c99bff', '#ff8fbf', '#5fd3e6', '#e0b45c', '#a8b3c2'];
const colours = (values: readonly string[]) => values.map((value, i) => `--series-${i}: ${value};`).join(' ');
const series = Array.from(
  { length: seriesColours },
  (_, i) => `.line.series-${i} { stroke: var(--series-${i}); } .swatch.series-${i} { background: var(--series-${i}); }`,
);

export const style = `
:root {
  color-scheme: light dark;
  --text: #1f2328; --quiet: #59636e; --ground: #ffffff; --line: #d1d9e0; --fill: #eef1f4;
  ${colours(light)}
}
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9198a1; --ground: #0d1117; --line: #3d444d; --fill: #1c232b; ${colours(dark)} }
}
body.vscode-light, body.vscode-high-contrast-light { --text: #1f2328; --quiet: #59636e; --ground: #ffffff; --line: #d1d9e0; --fill: #eef1f4;
  ${colours(light)} }
body.vscode-dark, body.vscode-high-contrast { --text: #e6edf3; --quiet: #9198a1; --ground: #0d1117; --line: #3d444d; --fill: #1c232b;
  ${colours(dark)} }
body { margin: 0 auto; padding: 24px 16px 64px; max-width: 1080px; background: var(--ground); color: var(--text);
  font: 14px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; overflow-wrap: anywhere; }
h2 { margin: 32px 0 4px; font-size: 17px; }
h3 { margin: 16px 0 4px; font-size: 14px; }
.note { margin: 0 0 12px; color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.panels { display: grid; gap: 8px 32px; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); }
svg { display: block; width: 100%; max-width: 720px; }
svg text { fill: var(--quiet); font-size: 12px; }
.grid { stroke: var(--line); stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
.track { fill: var(--fill); }
.bar { fill: var(--series-0); }
.whisker { stroke: var(--text); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 4px 0 0; padding: 0; list-style: none; }
.swatch { display: inline-block; width: 12px; height: 12px; margin-right: 6px; }
${series.join('\n')}
`;
