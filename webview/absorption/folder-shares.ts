// How much of each folder of the first level is absorbed, or of each package that has an adapter, as bars.
import type { FolderShare } from '../../protocol/view.ts';
import { element } from '../elements.ts';
import { changedFiles, count, percent } from '../quantities.ts';
import { textButton } from '../toolkit.ts';
import { word } from '../words.ts';

const foldersShown = 8;

export class FolderShares {
  readonly element = element('section', { class: 'shares' });
  private readonly list = element('ul');
  private readonly more: HTMLElement;
  private shares: FolderShare[] = [];
  private all = false;
  private shownKey = '';

  constructor(
    title: string,
    private readonly nameOf: (path: string) => string,
  ) {
    this.more = textButton('', 'secondary', () => {
      this.all = true;
      this.draw();
    });
    this.element.append(element('h4', {}, title), this.list, this.more);
  }

  show(shares: FolderShare[]): void {
    this.shares = shares;
    this.draw();
  }

  private draw(): void {
    const key = JSON.stringify([this.shares, this.all]);
    if (key === this.shownKey) return;
    this.shownKey = key;
    this.element.hidden = this.shares.length === 0;
    const shown = this.all ? this.shares : this.shares.slice(0, foldersShown);
    this.list.replaceChildren(...shown.map((share) => shareBar(share, this.nameOf(share.path))));
    const rest = this.shares.length - shown.length;
    this.more.hidden = rest === 0;
    this.more.textContent = word('and {0} more', count(rest));
  }
}

/** Of a folder of the first level. */
export function folderName(path: string): string {
  return path === '' ? word('top files') : `${path}/`;
}

export function packageName(path: string): string {
  return path === '.' ? word('in no package') : path;
}

function shareBar({ tokens, absorbed, dirty }: FolderShare, name: string): HTMLElement {
  const filled = element('span', { class: 'filled' });
  filled.style.width = `${Math.min(1, Math.max(0, absorbed)) * 100}%`;
  const title = [word('{0} tokens', count(tokens)), dirty > 0 ? changedFiles(dirty) : ''].filter(Boolean).join(' · ');
  return element(
    'li',
    { title },
    element('span', { class: 'share-name' }, name),
    dirty > 0 ? element('span', { class: 'share-dirty' }, `● ${count(dirty)}`, hidden(` ${word('changed')}`)) : null,
    element('span', { class: 'share-number' }, percent(absorbed)),
    element('span', { class: 'bar', 'aria-hidden': 'true' }, filled),
  );
}

function hidden(text: string): HTMLElement {
  return element('span', { class: 'visually-hidden' }, text);
}
