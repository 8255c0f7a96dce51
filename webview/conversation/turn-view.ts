// One question and its answer.
import type { CitationLink, Turn } from '../../protocol/view.ts';
import { announce } from '../announce.ts';
import { element, setAttributes, setText } from '../elements.ts';
import { post } from '../extension-link.ts';
import { AnswerMarks, unmark } from '../markdown/answer-marks.ts';
import { StreamedMarkdown } from '../markdown/streamed-markdown.ts';
import { fileName } from '../quantities.ts';
import { busyRing, changeIconButton, iconButton, textButton } from '../toolkit.ts';
import { word } from '../words.ts';
import { answeredBy, shownTexts, sources, unknownNames } from './turn-details.ts';

export class TurnView {
  readonly element: HTMLElement;
  private readonly question = element('div', { class: 'question-text', dir: 'auto' });
  private readonly mentions = element('ul', { class: 'question-mentions', 'aria-label': word('Mentioned files') });
  private readonly answer = element('div', { class: 'answer' });
  private readonly waiting = element('div', { class: 'waiting' }, busyRing(), element('span'));
  private readonly details = element('div', { class: 'turn-details' });
  private readonly markdown: StreamedMarkdown;
  private marks = new AnswerMarks({ citations: [], unknownPaths: [], unknownSymbols: [] }, () => {});
  private marksKey = '';
  private detailsKey = '';
  private answerIsNews = false;

  constructor(
    private turn: Turn,
    private readonly drawn: () => void,
  ) {
    this.markdown = new StreamedMarkdown(this.answer, {
      settled: (nodes) => this.marks.mark(nodes),
      drawn: (complete) => {
        this.drawn();
        if (complete && this.answerIsNews) announce(word('Answer: {0}', this.answer.innerText.slice(0, 1000)));
        if (complete) this.answerIsNews = false;
      },
    });
    this.element = element(
      'article',
      { class: 'turn' },
      element('div', { class: 'question' }, this.question, this.mentions),
      this.answer,
      this.waiting,
      this.details,
    );
    this.show(turn);
  }

  get answering(): boolean {
    return this.turn.phase === 'waiting' || this.turn.phase === 'streaming';
  }

  get complete(): boolean {
    return this.markdown.complete;
  }

  append(delta: string): void {
    if (this.turn.phase === 'waiting')
      this.show({ ...this.turn, phase: 'streaming', answer: this.turn.answer + delta });
    else {
      this.turn = { ...this.turn, answer: this.turn.answer + delta };
      this.markdown.append(delta);
    }
  }

  show(turn: Turn): void {
    const before = this.turn;
    this.turn = turn;
    setText(this.question, turn.question);
    this.mentions.replaceChildren(
      ...turn.mentions.map(({ path }) => element('li', { title: path }, `@${fileName(path)}`)),
    );
    this.mentions.hidden = turn.mentions.length === 0;
    setAttributes(this.element, {
      'aria-busy': this.answering ? 'true' : 'false',
      'aria-label': turn.question.slice(0, 200),
    });
    this.element.dataset.phase = turn.phase;
    this.waiting.hidden = !this.answering;
    setText(this.waiting.lastElementChild!, turn.phase === 'waiting' ? word('Thinking…') : word('Answering…'));
    this.showMarks(turn);
    if (before.phase !== turn.phase) {
      this.answerIsNews = turn.phase === 'done';
      if (turn.phase !== 'done') announce(this.news(turn));
    }
    this.markdown.set(turn.answer, !this.answering);
    this.showDetails(turn);
  }

  private showMarks({ citations, unknownPaths, unknownSymbols }: Turn): void {
    const key = JSON.stringify([citations, unknownPaths, unknownSymbols]);
    if (key === this.marksKey) return;
    this.marksKey = key;
    this.marks = new AnswerMarks({ citations, unknownPaths, unknownSymbols }, (citation) => this.open(citation));
    unmark(this.answer);
    this.marks.mark([...this.answer.childNodes]);
  }

  private showDetails(turn: Turn): void {
    const { answer: _, ...rest } = turn;
    const key = JSON.stringify(rest);
    if (key === this.detailsKey) return;
    this.detailsKey = key;
    if (this.answering) {
      this.details.replaceChildren();
      return;
    }
    const open = (citation: CitationLink) => this.open(citation);
    const parts = [
      this.ending(turn),
      sources(turn, open),
      unknownNames(turn),
      shownTexts(turn, open),
      turn.phase === 'failed' ? null : this.footer(turn),
    ];
    this.details.replaceChildren(...parts.filter((part) => part !== null));
  }

  private ending(turn: Turn): HTMLElement | null {
    if (turn.phase === 'failed') {
      return element(
        'div',
        { class: 'notice failure' },
        element('p', {}, turn.message ?? word('The answer failed. The log says why.')),
        element(
          'div',
          { class: 'buttons' },
          textButton(word('Try again'), 'primary', () => this.retry()),
          textButton(word('Show log'), 'secondary', () => post({ type: 'runCommand', command: 'lift.showLog' })),
        ),
      );
    }
    if (turn.phase === 'stopped') return element('p', { class: 'stopped' }, turn.message ?? word('Stopped.'));
    if (turn.phase === 'done' && turn.answer.trim() === '') {
      return element('p', { class: 'stopped' }, word('The model gave an empty answer. Ask it in other words.'));
    }
    return null;
  }

  private footer(turn: Turn): HTMLElement {
    const copy = iconButton(word('Copy answer'), 'copy', () => {
      post({ type: 'copy', text: this.turn.answer });
      announce(word('Copied'));
      changeIconButton(copy, word('Copied'), 'check');
      setTimeout(() => changeIconButton(copy, word('Copy answer'), 'copy'), 1500);
    });
    copy.hidden = turn.answer === '';
    return element(
      'footer',
      {},
      element('span', { class: 'answered-by' }, turn.phase === 'done' ? answeredBy(turn) : ''),
      copy,
      iconButton(word('Ask again'), 'refresh', () => this.retry()),
    );
  }

  private retry(): void {
    post({ type: 'retry', turnId: this.turn.id });
  }

  private open(citation: CitationLink): void {
    post({ type: 'openCitation', folder: this.turn.folder, citation });
  }

  private news({ phase, message }: Turn): string {
    if (phase === 'failed') return message ?? word('The answer failed. The log says why.');
    if (phase === 'stopped') return word('Stopped.');
    return phase === 'waiting' ? word('Thinking…') : word('Answering…');
  }
}
