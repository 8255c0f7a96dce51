/** Two curves over the length of a text, on logarithmic axes, as an SVG file that a page of Markdown can show. */

export interface Curve {
  name: string;
  colour: string;
  /** By x. */
  points: readonly { x: number; y: number; isMeasured: boolean }[];
}

export interface Picture {
  title: string;
  curves: readonly Curve[];
  formatX(x: number): string;
  formatY(y: number): string;
}

const width = 680;
const height = 380;
const margin = { left: 72, right: 24, top: 36, bottom: 64 };

/** Measured points are discs with full lines between them; what is computed from these, rings with broken lines. */
export function picture({ title, curves, formatX, formatY }: Picture): string {
  const all = curves.flatMap(({ points }) => points);
  const x = scaleOf(
    all.map((point) => point.x),
    2,
    [margin.left, width - margin.right],
  );
  const y = scaleOf(
    all.map((point) => point.y),
    10,
    [height - margin.bottom, margin.top],
  );
  const across = x.ticks.map((tick) => {
    const at = x.place(tick);
    const line = `<line class="grid" x1="${at}" y1="${margin.top}" x2="${at}" y2="${height - margin.bottom}"/>`;
    return `${line}<text x="${at}" y="${height - margin.bottom + 18}" text-anchor="middle">${formatX(tick)}</text>`;
  });
  const up = y.ticks.map((tick) => {
    const at = y.place(tick);
    const line = `<line class="grid" x1="${margin.left}" y1="${at}" x2="${width - margin.right}" y2="${at}"/>`;
    return `${line}<text x="${margin.left - 8}" y="${at + 4}" text-anchor="end">${formatY(tick)}</text>`;
  });
  const drawn = curves.flatMap(({ points, colour }) => [
    ...points.slice(1).map((to, i) => {
      const from = points[i]!;
      const broken = from.isMeasured && to.isMeasured ? '' : ' stroke-dasharray="5 4"';
      const ends = `x1="${x.place(from.x)}" y1="${y.place(from.y)}" x2="${x.place(to.x)}" y2="${y.place(to.y)}"`;
      return `<line ${ends} stroke="${colour}" stroke-width="2"${broken}/>`;
    }),
    ...points.map((point) => {
      const fill = point.isMeasured ? colour : 'none';
      return `<circle cx="${x.place(point.x)}" cy="${y.place(point.y)}" r="3.5" fill="${fill}" stroke="${colour}" stroke-width="1.5"/>`;
    }),
  ]);
  const legend = curves.map(({ name, colour }, i) => {
    const at = margin.left + i * 300;
    return `<circle cx="${at + 5}" cy="${height - 20}" r="5" fill="${colour}"/><text x="${at + 16}" y="${height - 16}">${name}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>
text { font: 12px system-ui, sans-serif; fill: #59636e; } .title { font-size: 14px; fill: #1f2328; } .grid { stroke: #d1d9e0; }
.ground { fill: #ffffff; }
@media (prefers-color-scheme: dark) { text { fill: #9198a1; } .title { fill: #e6edf3; } .grid { stroke: #3d444d; } .ground { fill: #0d1117; } }
</style>
<rect class="ground" width="${width}" height="${height}"/>
<text class="title" x="${margin.left}" y="22">${title}</text>
${[...across, ...up, ...drawn, ...legend].join('\n')}
</svg>
`;
}

function scaleOf(values: readonly number[], base: number, [start, end]: readonly [number, number]) {
  const power = (value: number) => Math.log(value) / Math.log(base);
  const first = Math.floor(power(Math.min(...values)) + 1e-9);
  const last = Math.ceil(power(Math.max(...values)) - 1e-9);
  const place = (value: number) =>
    Math.round(10 * (start + ((end - start) * (power(value) - first)) / (last - first))) / 10;
  return { place, ticks: Array.from({ length: last - first + 1 }, (_, i) => base ** (first + i)) };
}
