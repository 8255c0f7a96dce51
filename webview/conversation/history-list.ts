// The list of earlier conversations, over the conversation: open one, delete one (asked twice), or go back with Escape.
import type { ConversationEntry } from '../../protocol/view.ts';
import { element, setText } from '../elements.ts';
import { post } from '../extension-link.ts';
import { ago, count } from '../quantities.ts';
import { iconButton, textButton } from '../toolkit.ts';
import { word } from '../words.ts';

export class HistoryList {
  readonly element: HTMLElement;
  private readonly list = element('ul');
  private readonly nothing = element('p', { class: 'hint' }, word('No earlier conversations.'));
  private shownKey = '';

  constructor(private readonly closed: () => void) {
    this.element = element(
      'section',
      { class: 'history', id: 'history', 'aria-label': word('Earlier conversations'), hidden: true },
      element('h2', {}, word('Earlier conversations')),
      this.nothing,
      this.list,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(): void {
    this.element.hidden = false;
    this.element.querySelector<HTMLElement>('button, vscode-button')?.focus();
  }

  close(): void {
    this.element.hidden = true;
    this.closed();
  }

  show(entries: ConversationEntry[], current: string): void {
    const key = JSON.stringify([entries, current]);
    if (key === this.shownKey) return;
    this.shownKey = key;
    this.nothing.hidden = entries.length > 0;
    this.list.replaceChildren(...entries.map((entry) => this.entry(entry, entry.id === current)));
  }

  private entry(entry: ConversationEntry, current: boolean): HTMLElement {
    const title = entry.title || word('New conversation');
    const turns = entry.turns === 1 ? word('1 question') : word('{0} questions', count(entry.turns));
    const open = element(
      'button',
      { type: 'button', class: 'history-open', 'aria-current': current ? 'true' : undefined },
      element('span', { class: 'history-title', dir: 'auto' }, title),
      element('span', { class: 'history-about' }, `${ago(entry.updated)} · ${turns}`),
    );
    open.addEventListener('click', () => {
      post({ type: 'openConversation', id: entry.id });
      this.close();
    });
    const confirm = textButton(word('Delete'), 'primary', () => post({ type: 'deleteConversation', id: entry.id }));
    const remove = iconButton(word('Delete “{0}”', title), 'trash', () => {
      setText(confirm, word('Delete'));
      confirm.hidden = false;
      remove.hidden = true;
      confirm.focus();
    });
    confirm.hidden = true;
    confirm.addEventListener('blur', () => {
      confirm.hidden = true;
      remove.hidden = false;
    });
    return element('li', { class: current ? 'current' : undefined }, open, remove, confirm);
  }
}
