// What was left out and why, by reason. Long lists are drawn a part at a time, but all of them can be had.
import type { SkippedFile } from '../../protocol/view.ts';
import { element, setText } from '../elements.ts';
import { keep, keptState } from '../extension-link.ts';
import { count } from '../quantities.ts';
import { textButton } from '../toolkit.ts';
import { word } from '../words.ts';

const filesPerPart = 100;

export class SkippedFiles {
  readonly element: HTMLDetailsElement;
  private readonly summary = element('summary');
  private readonly reasons = element('div');
  private files: SkippedFile[] = [];
  private shownKey = '';

  constructor(folder: string) {
    const key = `skipped ${folder}`;
    this.element = element('details', { class: 'skipped' }, this.summary, this.reasons);
    this.element.open = keptState().open[key] === true;
    this.element.addEventListener('toggle', () => {
      keep({ open: { ...keptState().open, [key]: this.element.open } });
      this.draw();
    });
  }

  show(files: SkippedFile[]): void {
    this.files = files;
    this.element.hidden = files.length === 0;
    setText(
      this.summary,
      files.length === 1 ? word('1 file left out') : word('{0} files left out', count(files.length)),
    );
    this.draw();
  }

  private draw(): void {
    if (!this.element.open) return;
    const key = JSON.stringify(this.files);
    if (key === this.shownKey) return;
    this.shownKey = key;
    const opened = new Set(
      [...this.reasons.querySelectorAll('details')].filter(({ open }) => open).map(({ dataset }) => dataset.reason),
    );
    const groups = Map.groupBy(this.files, ({ reason }) => reason);
    const largestFirst = [...groups].sort(([, a], [, b]) => b.length - a.length);
    this.reasons.replaceChildren(
      ...largestFirst.map(([reason, files]) => reasonGroup(reason, files, opened.has(reason) || groups.size === 1)),
    );
  }
}

function reasonGroup(reason: string, files: SkippedFile[], open: boolean): HTMLElement {
  const list = element('ul');
  const group = element(
    'details',
    { 'data-reason': reason },
    element('summary', {}, `${reason} (${count(files.length)})`),
    list,
  );
  let drawn = 0;
  const more = textButton('', 'secondary', () => drawPart());
  const drawPart = () => {
    list.append(...files.slice(drawn, drawn + filesPerPart).map(({ path }) => element('li', { title: path }, path)));
    drawn = Math.min(files.length, drawn + filesPerPart);
    more.hidden = drawn === files.length;
    setText(more, word('and {0} more', count(files.length - drawn)));
  };
  group.addEventListener('toggle', () => {
    if (group.open && drawn === 0) drawPart();
  });
  group.append(more);
  more.hidden = true;
  group.open = open;
  return group;
}
