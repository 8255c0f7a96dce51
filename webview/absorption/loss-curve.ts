// The loss over the steps of an absorption, as a drawing with axes and a text that says the same.
import type { LossPoint } from '../../protocol/view.ts';
import { element, setAttributes, setText, svgElement } from '../elements.ts';
import { count } from '../quantities.ts';
import { word } from '../words.ts';

/** CSS pixels. */
const height = 120;
const margin = { top: 8, right: 8, bottom: 20, left: 32 };

export class LossCurve {
  readonly element: HTMLElement;
  private readonly drawing = svgElement('svg', { class: 'loss-curve', height, role: 'img' });
  private readonly caption = element('figcaption');
  private points: LossPoint[] = [];
  private width = 0;

  constructor() {
    this.element = element('figure', { class: 'loss' }, this.caption, this.drawing);
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width);
      if (width === this.width) return;
      this.width = width;
      this.draw();
    }).observe(this.element);
  }

  /** Two points are the least that make a curve. */
  show(points: LossPoint[]): void {
    this.element.hidden = points.length < 2;
    const same = points.length === this.points.length && points.at(-1)?.loss === this.points.at(-1)?.loss;
    if (same && points.at(-1)?.step === this.points.at(-1)?.step) return;
    this.points = points;
    this.draw();
  }

  private draw(): void {
    const first = this.points[0];
    const last = this.points.at(-1);
    if (!first || !last || this.points.length < 2 || this.width <= margin.left + margin.right) return;
    setText(this.caption, word('Loss {0}', last.loss.toFixed(2)));
    const text = word(
      'Loss by step: {0} at step {1}, {2} at step {3}',
      first.loss.toFixed(2),
      count(first.step),
      last.loss.toFixed(2),
      count(last.step),
    );
    setAttributes(this.drawing, { width: this.width, viewBox: `0 0 ${this.width} ${height}`, 'aria-label': text });

    const top = roundedUp(Math.max(...this.points.map(({ loss }) => loss)));
    const right = this.width - margin.right;
    const bottom = height - margin.bottom;
    const x = (step: number) =>
      margin.left + ((step - first.step) / Math.max(1, last.step - first.step)) * (right - margin.left);
    const y = (loss: number) => bottom - (Math.max(0, loss) / top) * (bottom - margin.top);
    const path = this.points.map(
      ({ step, loss }, index) => `${index === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`,
    );
    this.drawing.replaceChildren(
      ...[0, top / 2, top].flatMap((loss) => [
        svgElement('line', { class: 'grid', x1: margin.left, x2: right, y1: y(loss), y2: y(loss) }),
        svgElement(
          'text',
          { x: margin.left - 5, y: y(loss) + 4, 'text-anchor': 'end' },
          String(Number(loss.toPrecision(2))),
        ),
      ]),
      svgElement('text', { x: margin.left, y: height - 5 }, word('step {0}', count(first.step))),
      svgElement('text', { x: right, y: height - 5, 'text-anchor': 'end' }, count(last.step)),
      svgElement('path', { class: 'curve', d: path.join(''), fill: 'none' }),
      svgElement('circle', { class: 'now', cx: x(last.step), cy: y(last.loss), r: 2.5 }),
    );
  }
}

/** To 1, 2, 4, 6 or 8 times a power of ten, so that the half of it is a plain number too. */
function roundedUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8, 10].find((factor) => value <= factor * power) ?? 10) * power;
}
