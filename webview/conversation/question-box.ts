// Where a question is written: the box, the files it mentions, what is sent along, and the button that sends or stops.
import type { ContextItem, FileMention, Switches } from '../../protocol/view.ts';
import { announce } from '../announce.ts';
import { element, setAttributes, setText } from '../elements.ts';
import { keep, keptState, post } from '../extension-link.ts';
import { changeIconButton, iconButton, type Switch, setDisabled, switchBox } from '../toolkit.ts';
import { word } from '../words.ts';
import { ContextChips } from './context-chips.ts';
import { MentionList } from './mention-list.ts';

/** As many as the extension takes. */
const mostMentions = 50;

export class QuestionBox {
  readonly element: HTMLElement;
  // Not the toolkit's text area: its box is in a shadow tree, from where it can't name the list of files as its own.
  private readonly box = element('textarea', { rows: 2, dir: 'auto', 'aria-label': word('Question') });
  private readonly mentions: MentionList;
  private readonly chips = new ContextChips();
  private readonly switches: Record<keyof Switches, Switch>;
  private readonly sendButton: HTMLElement;
  private readonly hint = element('p', { class: 'hint', id: 'question-hint', hidden: true });
  private mentioned = [...keptState().mentions];
  private answering = false;
  private refusal: string | null = null;

  constructor(private readonly asked: () => void) {
    this.mentions = new MentionList(this.box, (file) => {
      if (!this.mentioned.some(({ folder, path }) => folder === file.folder && path === file.path))
        this.mentioned.push(file);
      this.changed();
    });
    const turn = (name: keyof Switches) => (on: boolean) => post({ type: 'setSwitch', name, on });
    this.switches = {
      adapter: switchBox(
        word('Adapter'),
        word('Answer with what was absorbed; off asks the base model'),
        turn('adapter'),
      ),
      evidence: switchBox(word('Evidence'), word('Show the model texts found in the repository'), turn('evidence')),
      openFiles: switchBox(
        word('Open files'),
        word('Show the model the open files and the selection'),
        turn('openFiles'),
      ),
    };
    this.sendButton = iconButton(word('Send'), 'send', () => (this.answering ? this.stop() : this.send()));
    this.sendButton.classList.add('send');
    this.box.value = keptState().draft;
    this.box.placeholder = word('Ask about this code; @ mentions a file');
    this.box.addEventListener('input', () => this.changed());
    this.box.addEventListener('click', () => this.mentions.update());
    this.box.addEventListener('blur', () => this.mentions.close());
    this.box.addEventListener('keydown', (event) => this.key(event));
    this.element = element(
      'section',
      { class: 'question-box', 'aria-label': word('Ask') },
      this.chips.element,
      element(
        'div',
        { class: 'question-frame' },
        this.mentions.element,
        this.box,
        element(
          'div',
          { class: 'question-bar' },
          element(
            'div',
            { class: 'switches', role: 'group', 'aria-label': word('What the answer uses') },
            ...Object.values(this.switches).map(({ element }) => element),
          ),
          this.sendButton,
        ),
      ),
      this.hint,
    );
    this.showButton();
  }

  focus(): void {
    this.box.focus();
  }

  showContext(items: ContextItem[], switches: Switches): void {
    this.chips.show(items);
    this.switches.adapter.show(switches.adapter);
    this.switches.evidence.show(switches.evidence);
    this.switches.openFiles.show(switches.openFiles);
  }

  showFiles(query: string, files: FileMention[]): void {
    this.mentions.show(query, files);
  }

  showAnswering(answering: boolean): void {
    this.answering = answering;
    this.showButton();
  }

  /** Why nothing can be asked now; null where it can. */
  showRefusal(refusal: string | null): void {
    this.refusal = refusal;
    this.showButton();
  }

  /** `…` in the text is selected, so that it can be typed over. */
  fill(question: string, send: boolean): void {
    this.box.value = question;
    this.changed();
    this.focus();
    const blank = question.indexOf('…');
    if (blank >= 0) this.box.setSelectionRange(blank, blank + 1);
    if (send) this.send();
  }

  stop(): void {
    if (this.answering) post({ type: 'stop' });
  }

  private send(): void {
    const question = this.box.value.trim();
    if (question === '') return;
    const mentions = this.mentionsIn(question);
    const hindrance = this.hindrance(mentions);
    if (hindrance !== null) {
      this.say(hindrance);
      return;
    }
    post({ type: 'ask', question, mentions });
    this.box.value = '';
    this.mentioned = [];
    this.changed();
    this.asked();
  }

  private hindrance(mentions: FileMention[]): string | null {
    if (this.refusal !== null) return this.refusal;
    if (this.answering) return word('The last answer is still being written. Stop it first, with Escape.');
    return mentions.length > mostMentions ? word('A question can mention {0} files at most.', mostMentions) : null;
  }

  private key(event: KeyboardEvent): void {
    // Enter that ends the composition of a character is not meant for the page.
    if (event.isComposing) return;
    if (this.mentions.key(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
  }

  private changed(): void {
    this.hint.hidden = true;
    this.mentions.update();
    this.showButton();
    this.mentioned = this.mentionsIn(this.box.value);
    keep({ draft: this.box.value, mentions: this.mentioned });
  }

  private mentionsIn(question: string): FileMention[] {
    return this.mentioned.filter(({ path }) => question.includes(`@${path}`));
  }

  private showButton(): void {
    if (this.answering) changeIconButton(this.sendButton, word('Stop'), 'stop');
    else changeIconButton(this.sendButton, word('Send'), 'send');
    setDisabled(this.sendButton, !this.answering && (this.box.value.trim() === '' || this.refusal !== null));
    if (this.answering) return;
    setAttributes(this.box, { 'aria-describedby': this.hint.hidden ? undefined : 'question-hint' });
  }

  private say(text: string): void {
    setText(this.hint, text);
    this.hint.hidden = false;
    setAttributes(this.box, { 'aria-describedby': 'question-hint' });
    announce(text);
  }
}
