// A block of code in an answer: its language, buttons to use it, and a limited height for long ones. It can be filled bit by bit.
import { announce } from '../announce.ts';
import { element, setAttributes, setText } from '../elements.ts';
import { post } from '../extension-link.ts';
import { count } from '../quantities.ts';
import { changeIconButton, iconButton, textButton } from '../toolkit.ts';
import { showControls, visibleControls } from '../visible-controls.ts';
import { word } from '../words.ts';
import { highlighted } from './highlight.ts';

/** Blocks of more lines scroll until the reader asks for all of it. */
const linesShown = 40;

export class CodeBlock {
  readonly element: HTMLElement;
  private readonly code = element('code');
  private readonly frame: HTMLElement;
  private readonly lastLine = document.createTextNode('');
  private readonly pieces: string[] = [];
  private openLines: HTMLElement | null = null;
  private lineCount = 0;

  constructor(private readonly language: string) {
    this.code.append(this.lastLine);
    const label = language === '' ? word('Code') : word('Code, {0}', language);
    this.frame = element('pre', { tabindex: 0, 'aria-label': label, role: 'region' }, this.code);
    const copy = iconButton(word('Copy'), 'copy', () => {
      post({ type: 'copy', text: this.text });
      announce(word('Copied'));
      changeIconButton(copy, word('Copied'), 'check');
      setTimeout(() => changeIconButton(copy, word('Copy'), 'copy'), 1500);
    });
    const toolbar = element(
      'div',
      { class: 'code-toolbar', role: 'toolbar', 'aria-label': label },
      element('span', { class: 'code-language' }, language),
      copy,
      iconButton(word('Insert at cursor'), 'insert', () => post({ type: 'insertAtCursor', text: this.text })),
      iconButton(word('Put into a new file'), 'newFile', () => post({ type: 'newFile', text: this.text, language })),
    );
    this.element = element('div', { class: 'code-block' }, toolbar, this.frame);
  }

  /** Of whole lines, or of a part of a line too long to wait for its end. */
  append(text: string): void {
    this.pieces.push(text);
    if (!this.openLines) {
      this.openLines = element('span', { class: 'lines' });
      this.lastLine.before(this.openLines);
    }
    this.openLines.append(visibleControls(text));
    // Lines that are laid out stay as they are when others come, because each group is a box of its own.
    if (text.endsWith('\n')) this.openLines = null;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.lineCount++;
    if (this.lineCount > linesShown) this.frame.classList.add('long');
  }

  /** The beginning of a line that is still being written. */
  showLastLine(text: string): void {
    this.lastLine.data = visibleControls(text);
    if (this.frame.classList.contains('long')) this.frame.scrollTop = this.frame.scrollHeight;
  }

  finish(): void {
    this.lastLine.data = '';
    const coloured = highlighted(this.text, this.language);
    if (coloured) {
      showControls(coloured);
      this.code.replaceChildren(coloured);
    }
    if (this.lineCount > linesShown) this.offerAllLines();
  }

  private get text(): string {
    return this.pieces.join('');
  }

  private offerAllLines(): void {
    this.frame.scrollTop = 0;
    const more = () => word('Show all {0} lines', count(this.lineCount));
    const button = textButton(more(), 'secondary', () => {
      const long = this.frame.classList.toggle('long');
      setText(button, long ? more() : word('Show fewer lines'));
      setAttributes(button, { 'aria-expanded': String(!long) });
    });
    this.element.append(button);
  }
}

/** Replaces plain `pre` elements below `root` by code blocks. */
export function upgradeCode(root: ParentNode): void {
  for (const plain of root.querySelectorAll('pre')) {
    const block = new CodeBlock(plain.dataset.language ?? '');
    block.append(plain.textContent);
    block.finish();
    plain.replaceWith(block.element);
  }
}
