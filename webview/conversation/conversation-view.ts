// The conversation: its turns, the history, what to do next, and the box to ask in.
import type { ConversationEntry, ConversationState, FolderState, HostState, Turn } from '../../protocol/view.ts';
import { element, setAttributes, setText } from '../elements.ts';
import { keep, keptState, post } from '../extension-link.ts';
import { icon } from '../icons.ts';
import { iconButton } from '../toolkit.ts';
import { word } from '../words.ts';
import { CoverageLine } from './coverage-line.ts';
import { HistoryList } from './history-list.ts';
import { nextStep, nextStepElement } from './next-step.ts';
import { QuestionBox } from './question-box.ts';
import { StickToEnd } from './stick-to-end.ts';
import { TurnView } from './turn-view.ts';

export class ConversationView {
  readonly element: HTMLElement;
  readonly questionBox = new QuestionBox(() => this.scroll.toEnd());
  private readonly title = element('h2', { class: 'conversation-title', dir: 'auto' });
  private readonly notice = element('div', { class: 'notices' });
  private readonly turns = element('div', { class: 'turns' });
  private readonly scroller: HTMLElement;
  private readonly scroll: StickToEnd;
  private readonly latest: HTMLElement;
  private readonly history = new HistoryList(() => this.historyClosed());
  private readonly historyButton: HTMLElement;
  private readonly coverage: CoverageLine;
  private readonly views = new Map<string, TurnView>();
  private id = '';
  private host: HostState | null = null;
  private folders: FolderState[] = [];
  private noticeKey = '';
  private restoring = keptState().scroll;

  constructor(showAbsorption: () => void) {
    this.scroller = element('div', { class: 'scroller', tabindex: -1 }, this.notice, this.turns);
    this.latest = element('button', {
      type: 'button',
      class: 'latest',
      hidden: true,
      title: word('Jump to the latest'),
    });
    this.latest.append(icon('arrowDown'), word('Latest'));
    this.latest.addEventListener('click', () => {
      this.scroll.toEnd();
      this.questionBox.focus();
    });
    this.scroll = new StickToEnd(this.scroller, (atEnd) => this.scrolled(atEnd));
    this.coverage = new CoverageLine(showAbsorption);
    this.historyButton = iconButton(word('Earlier conversations'), 'history', () =>
      this.history.isOpen ? this.history.close() : this.openHistory(),
    );
    setAttributes(this.historyButton, { 'aria-expanded': 'false' });
    const toolbar = element(
      'header',
      { class: 'conversation-toolbar' },
      this.title,
      iconButton(word('New conversation'), 'add', () => post({ type: 'newConversation' })),
      this.historyButton,
    );
    this.element = element(
      'div',
      { class: 'conversation' },
      toolbar,
      this.coverage.element,
      element('div', { class: 'conversation-body' }, this.scroller, this.history.element, this.latest),
      this.questionBox.element,
    );
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.element.checkVisibility()) this.questionBox.stop();
    });
  }

  showConversation(conversation: ConversationState, history: ConversationEntry[]): void {
    const other = conversation.id !== this.id;
    this.id = conversation.id;
    setText(this.title, conversation.title || word('New conversation'));
    this.history.show(history, conversation.id);
    const ids = new Set(conversation.turns.map(({ id }) => id));
    for (const [id, view] of this.views) {
      if (ids.has(id) && !other) continue;
      view.element.remove();
      this.views.delete(id);
    }
    for (const turn of conversation.turns) this.showTurn(turn);
    this.showNextStep();
    this.showAnswering();
    if (!other) return;
    if (this.restoring?.conversation !== conversation.id || this.restoring.atEnd) this.restoring = null;
    this.scroll.toEnd();
  }

  showTurn(turn: Turn): void {
    const view = this.views.get(turn.id);
    if (view) view.show(turn);
    else {
      const made = new TurnView(turn, () => this.drawn());
      this.views.set(turn.id, made);
      this.turns.append(made.element);
      this.showNextStep();
    }
    this.showAnswering();
    this.scroll.contentChanged();
  }

  /** False if no such turn is known. */
  append(turnId: string, delta: string): boolean {
    this.views.get(turnId)?.append(delta);
    return this.views.has(turnId);
  }

  showFolders(host: HostState, folders: FolderState[]): void {
    this.host = host;
    this.folders = folders;
    this.coverage.show(folders);
    this.showNextStep();
  }

  private showNextStep(): void {
    if (!this.host) return;
    const step = nextStep(this.host, this.folders, (question) => this.questionBox.fill(question, false));
    this.questionBox.showRefusal(step.refusal);
    const shown = this.views.size === 0 || step.trouble;
    const key = shown
      ? JSON.stringify([step.title, step.text, step.trouble, this.folders.map(({ folder }) => folder)])
      : '';
    if (key === this.noticeKey) return;
    this.noticeKey = key;
    this.notice.replaceChildren(...(shown ? [nextStepElement(step)] : []));
  }

  private showAnswering(): void {
    this.questionBox.showAnswering([...this.views.values()].some((view) => view.answering));
  }

  /** A conversation is drawn bit by bit; the place where the reader was is found again when all of it is there. */
  private drawn(): void {
    if (this.restoring && [...this.views.values()].every((view) => view.complete || view.answering)) {
      this.scroll.to(this.restoring.top);
      this.restoring = null;
    }
    this.scroll.contentChanged();
  }

  private scrolled(atEnd: boolean): void {
    this.latest.hidden = atEnd;
    if (this.id !== '' && !this.restoring) keep({ scroll: { conversation: this.id, top: this.scroll.top, atEnd } });
  }

  private openHistory(): void {
    setAttributes(this.historyButton, { 'aria-expanded': 'true' });
    this.history.open();
  }

  private historyClosed(): void {
    setAttributes(this.historyButton, { 'aria-expanded': 'false' });
    this.questionBox.focus();
  }
}
