// The page's icons: outlines in a square of 16, in the colour of the text beside them.
import { svgElement } from './elements.ts';

const outlines = {
  add: 'M8 3v10M3 8h10',
  arrowDown: 'M8 3v10M4 9l4 4 4-4',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  close: 'M4 4l8 8M12 4l-8 8',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  file: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3',
  history: 'M8 5v3.2l2.2 1.6M2.6 7A5.5 5.5 0 1 1 3 10.3M2.3 3.6 2.6 7 6 6.6',
  insert: 'M2.5 3.5h7M2.5 12.5h7M13.5 8H5M8 5 5 8l3 3M13.5 4.5v7',
  newFile: 'M8 13.5H3.5v-11h5l3 3V8M8.5 2.5v3h3M12 9.5v5M9.5 12h5',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M4.5 3v10l8-5z',
  refresh: 'M13 8a5 5 0 1 1-1.6-3.7M13.2 2v3h-3',
  selection: 'M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11M5.5 6.5h5M5.5 9.5h3.5',
  send: 'M2.2 2.5 14 8 2.2 13.5 4 8zM4 8h5',
  stop: 'M4 4h8v8H4z',
  trash: 'M3 4.5h10M6 4.5v-2h4v2M4.4 4.5l.6 9h6l.6-9M6.9 7v4M9.1 7v4',
  warning: 'M8 2.5 14.2 13.5H1.8zM8 6.5v3.2M8 11.2v.8',
} as const;

export type IconName = keyof typeof outlines;

export function icon(name: IconName): SVGSVGElement {
  return svgElement(
    'svg',
    { class: `icon icon-${name}`, viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true' },
    svgElement('path', {
      d: outlines[name],
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 1.2,
      'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
    }),
  );
}
