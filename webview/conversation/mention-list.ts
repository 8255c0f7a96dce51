// The list of files that opens while a name is typed after `@` in the question box. The box keeps the focus; the list is
// steered with the arrow keys, as the combobox pattern of ARIA has it.
import type { FileMention } from '../../protocol/view.ts';
import { announce } from '../announce.ts';
import { element, setAttributes } from '../elements.ts';
import { post } from '../extension-link.ts';
import { fileName } from '../quantities.ts';
import { word } from '../words.ts';

export class MentionList {
  readonly element = element('ul', {
    class: 'mention-list',
    id: 'mention-list',
    role: 'listbox',
    'aria-label': word('Files'),
    hidden: true,
  });
  private files: FileMention[] = [];
  private selected = 0;
  private query: string | null = null;

  constructor(
    private readonly box: HTMLTextAreaElement,
    private readonly chosen: (file: FileMention) => void,
  ) {
    setAttributes(box, {
      role: 'combobox',
      'aria-autocomplete': 'list',
      'aria-haspopup': 'listbox',
      'aria-expanded': 'false',
      'aria-controls': 'mention-list',
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Looks at what stands before the caret; asks for files where a mention is being typed. */
  update(): void {
    const query = this.typed();
    if (query === null) this.close();
    else if (query !== this.query) {
      this.query = query;
      post({ type: 'findFiles', query });
    }
  }

  show(query: string, files: FileMention[]): void {
    if (query !== this.query) return;
    this.files = files;
    this.selected = 0;
    const manyFolders = new Set(files.map(({ folder }) => folder)).size > 1;
    this.element.replaceChildren(...files.map((file, index) => this.option(file, index, manyFolders)));
    if (files.length === 0) {
      this.element.replaceChildren(
        element('li', { class: 'hint', role: 'presentation' }, word('No file has this name.')),
      );
      announce(word('No file has this name.'));
    }
    this.element.hidden = false;
    setAttributes(this.box, { 'aria-expanded': 'true' });
    this.select(0);
  }

  /** True if the key was for the list. */
  key(event: KeyboardEvent): boolean {
    if (!this.isOpen) return false;
    const last = this.files.length - 1;
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.select(this.selected === last ? 0 : this.selected + 1),
      ArrowUp: () => this.select(this.selected === 0 ? last : this.selected - 1),
      Escape: () => this.close(),
      ...(last >= 0 && { Enter: () => this.choose(this.selected), Tab: () => this.choose(this.selected) }),
    };
    const move = event.shiftKey ? undefined : moves[event.key];
    move?.();
    return move !== undefined;
  }

  close(): void {
    this.query = null;
    this.element.hidden = true;
    setAttributes(this.box, { 'aria-expanded': 'false', 'aria-activedescendant': undefined });
  }

  /** The name after an `@` that ends at the caret; null where there is none. */
  private typed(): string | null {
    const { value, selectionStart, selectionEnd } = this.box;
    if (selectionStart !== selectionEnd) return null;
    return /(?:^|[\s(])@([^\s@]{0,200})$/.exec(value.slice(0, selectionStart))?.[1] ?? null;
  }

  private select(index: number): void {
    if (this.files.length === 0) return;
    this.selected = index;
    for (const [at, option] of [...this.element.children].entries()) {
      setAttributes(option, { 'aria-selected': at === index ? 'true' : 'false' });
      if (at === index) option.scrollIntoView({ block: 'nearest' });
    }
    setAttributes(this.box, { 'aria-activedescendant': `mention-${index}` });
  }

  private option(file: FileMention, index: number, withFolder: boolean): HTMLElement {
    const folder = file.path.slice(0, Math.max(0, file.path.lastIndexOf('/')));
    const where = withFolder ? `${fileName(file.folder)} ${folder}` : folder;
    const option = element(
      'li',
      { id: `mention-${index}`, role: 'option', title: file.path },
      element('span', { class: 'mention-name' }, fileName(file.path)),
      element('span', { class: 'mention-folder' }, where),
    );
    // Not on click: that would come after the box has lost the focus.
    option.addEventListener('mousedown', (event) => {
      event.preventDefault();
      this.choose(index);
    });
    return option;
  }

  private choose(index: number): void {
    const file = this.files[index];
    const typed = this.typed();
    this.close();
    if (!file || typed === null) return;
    const caret = this.box.selectionStart;
    this.box.setRangeText(`@${file.path} `, caret - typed.length - 1, caret, 'end');
    this.chosen(file);
  }
}
