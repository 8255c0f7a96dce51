// What of the editor the next question takes along: shown as chips, each of which can be taken out.
import type { ContextItem } from '../../protocol/view.ts';
import { element } from '../elements.ts';
import { post } from '../extension-link.ts';
import { icon } from '../icons.ts';
import { count, fileName, lines } from '../quantities.ts';
import { iconButton, textButton } from '../toolkit.ts';
import { word } from '../words.ts';

const chipsShown = 4;

export class ContextChips {
  readonly element = element('ul', { class: 'context-chips', 'aria-label': word('Sent along with the question') });
  private items: ContextItem[] = [];
  private all = false;
  private removedSome = false;
  private shownKey = '';

  show(items: ContextItem[]): void {
    this.items = items;
    this.draw();
  }

  private draw(): void {
    const key = JSON.stringify([this.items, this.all, this.removedSome]);
    if (key === this.shownKey) return;
    this.shownKey = key;
    const shown = this.all ? this.items : this.items.slice(0, chipsShown);
    const rest = this.items.length - shown.length;
    this.element.replaceChildren(...shown.map((item) => this.chip(item)));
    if (rest > 0) {
      const more = textButton(word('and {0} more', count(rest)), 'secondary', () => {
        this.all = true;
        this.draw();
      });
      this.element.append(element('li', {}, more));
    }
    if (this.removedSome) {
      const restore = textButton(word('Restore'), 'secondary', () => {
        this.removedSome = false;
        post({ type: 'restoreContext' });
        this.draw();
      });
      restore.title = word('Send along again what was taken out');
      this.element.append(element('li', {}, restore));
    }
    this.element.hidden = this.element.childElementCount === 0;
  }

  private chip(item: ContextItem): HTMLElement {
    const place = `${item.path}${lines(item.startLine, item.endLine)}`;
    const kinds = { selection: word('Selection'), active: word('Active file'), open: word('Open file') };
    const title = `${kinds[item.kind]}: ${place}${item.unsaved ? ` (${word('unsaved')})` : ''}`;
    const remove = iconButton(word('Don’t send {0}', place), 'close', () => {
      this.removedSome = true;
      post({ type: 'removeContext', id: item.id });
    });
    return element(
      'li',
      { class: `chip chip-${item.kind}`, title },
      icon(item.kind === 'selection' ? 'selection' : 'file'),
      element('span', { class: 'chip-name' }, `${fileName(item.path)}${lines(item.startLine, item.endLine)}`),
      item.unsaved ? element('span', { class: 'unsaved', 'aria-label': word('unsaved') }, '●') : null,
      remove,
    );
  }
}
