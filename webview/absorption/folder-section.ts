// One folder in the absorption panel: what is known of it, what goes on, and the buttons that apply.
import type { AbsorptionAction, FolderState } from '../../protocol/view.ts';
import { announce } from '../announce.ts';
import { element, setAttributes, setText } from '../elements.ts';
import { keep, keptState, post } from '../extension-link.ts';
import { ago, bytes, changedFiles, count, percent, timeLeft } from '../quantities.ts';
import { textButton } from '../toolkit.ts';
import { word } from '../words.ts';
import { FolderShares, folderName, packageName } from './folder-shares.ts';
import { LossCurve } from './loss-curve.ts';
import { SkippedFiles } from './skipped-files.ts';

export class FolderSection {
  readonly element: HTMLDetailsElement;
  private readonly name = element('span', { class: 'folder-name' });
  private readonly share = element('span', { class: 'folder-share' });
  private readonly status = element('p', { class: 'folder-status' });
  private readonly progress = element('div', {
    class: 'progress',
    role: 'progressbar',
    'aria-label': word('Absorption'),
  });
  private readonly done = element('span', { class: 'filled' });
  private readonly progressText = element('p', { class: 'progress-text' });
  private readonly buttons = element('div', { class: 'buttons' });
  private readonly facts = element('dl', { class: 'facts' });
  private readonly curve = new LossCurve();
  private readonly packages = new FolderShares(word('Adapters by package'), packageName);
  private readonly shares = new FolderShares(word('Absorbed by folder'), folderName);
  private readonly skipped: SkippedFiles;
  private buttonsKey = '';
  private phase: FolderState['phase'] | null = null;

  constructor(private readonly folder: string) {
    this.skipped = new SkippedFiles(folder);
    this.progress.append(this.done);
    this.element = element(
      'details',
      { class: 'folder' },
      element('summary', {}, this.name, this.share),
      this.status,
      this.progress,
      this.progressText,
      this.buttons,
      this.curve.element,
      this.packages.element,
      this.shares.element,
      this.facts,
      this.skipped.element,
    );
    this.element.open = keptState().open[`folder ${folder}`] !== false;
    this.element.addEventListener('toggle', () => {
      keep({ open: { ...keptState().open, [`folder ${folder}`]: this.element.open } });
    });
  }

  show(state: FolderState): void {
    setText(this.name, state.name);
    setAttributes(this.name, { title: state.folder });
    setText(this.share, state.version === null ? '' : percent(state.absorbed));
    setText(this.status, statusText(state));
    this.element.dataset.phase = state.phase;
    this.showProgress(state);
    this.showButtons(state);
    this.curve.show(state.losses);
    this.packages.show(state.version === null ? [] : (state.byPackage ?? []));
    this.shares.show(state.version === null ? [] : state.byFolder);
    this.showFacts(state);
    this.skipped.show(state.skipped);
    if (this.phase !== null && this.phase !== state.phase) announce(`${state.name}: ${statusText(state)}`);
    this.phase = state.phase;
  }

  private showProgress({ phase, progress }: FolderState): void {
    const shown = progress !== null && (phase === 'busy' || phase === 'paused');
    this.progress.hidden = !shown;
    this.progressText.hidden = !shown;
    if (!shown) return;
    const { done } = progress;
    this.progress.classList.toggle('indeterminate', done === null && phase === 'busy');
    this.done.style.width = done === null ? '' : `${Math.min(1, Math.max(0, done)) * 100}%`;
    const text = progressText(progress, phase);
    setText(this.progressText, text);
    setAttributes(this.progress, {
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': done === null ? undefined : Math.floor(done * 100),
      'aria-valuetext': text,
    });
  }

  private showButtons({ phase, version, dirty }: FolderState): void {
    const key = JSON.stringify([phase, version === null, dirty > 0]);
    if (key === this.buttonsKey) return;
    this.buttonsKey = key;
    const focused = this.buttons.contains(document.activeElement);
    const actions = actionsFor(phase, version !== null);
    this.buttons.replaceChildren(
      ...actions.map((action, index) =>
        textButton(
          actionName(action),
          index === 0 && (dirty > 0 || action !== 'refresh') ? 'primary' : 'secondary',
          () => post({ type: 'absorption', action, folder: this.folder }),
        ),
      ),
    );
    if (phase === 'failed') {
      this.buttons.append(
        textButton(word('Show log'), 'secondary', () => post({ type: 'runCommand', command: 'lift.showLog' })),
      );
    }
    this.buttons.hidden = this.buttons.childElementCount === 0;
    // The button that was pressed may be gone; the focus stays in the row.
    if (focused) (this.buttons.firstElementChild as HTMLElement | null)?.focus();
  }

  private showFacts(state: FolderState): void {
    const facts: [string, string][] = [];
    if (state.documents > 0) {
      facts.push([word('Corpus'), word('{0} files, {1} tokens', count(state.documents), count(state.tokens))]);
    }
    if (state.version !== null) {
      const { version, byPackage, adapterBytes } = state;
      const made =
        byPackage === undefined
          ? word('version {0}, {1}', version, bytes(adapterBytes))
          : word('one for each package, {0}', bytes(adapterBytes));
      facts.push([word('Adapter'), made]);
    }
    if (state.absorbedAt !== null) {
      const { absorbedCommit: commit } = state;
      const when = ago(state.absorbedAt);
      facts.push([word('Absorbed'), commit === null ? when : word('{0}, at commit {1}', when, commit.slice(0, 8))]);
    }
    this.facts.replaceChildren(...facts.flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]));
  }
}

function statusText({ phase, message, dirty, version }: FolderState): string {
  const changed = dirty > 0 ? changedFiles(dirty) : word('Up to date');
  switch (phase) {
    case 'unknown':
      return message ?? word('Not looked at yet.');
    case 'empty':
      return message ?? word('Not absorbed yet.');
    case 'idle':
      return message ?? (version === null ? word('Not absorbed yet.') : changed);
    case 'waiting':
      return message ?? word('Waits for another folder.');
    case 'busy':
      return message ?? word('Absorbing');
    case 'paused':
      return message ?? word('Paused. What was absorbed is kept.');
    case 'failed':
      return message ?? word('Absorbing failed. The log says why.');
    case 'elsewhere':
      return message ?? word('Another window absorbs this folder; its results are used here too.');
  }
}

function progressText(progress: NonNullable<FolderState['progress']>, phase: FolderState['phase']): string {
  const phases: Record<string, string> = {
    scan: word('Reading files'),
    questions: word('Writing questions'),
    train: word('Training'),
    measure: word('Measuring'),
    save: word('Saving'),
  };
  const { done, secondsLeft, tokensPerSecond, documentsSeen, package: named } = progress;
  const parts = [
    named === undefined ? '' : packageName(named),
    phases[progress.phase] ?? progress.phase,
    done === null ? '' : percent(done),
    phase === 'busy' && secondsLeft !== null ? timeLeft(secondsLeft) : '',
    documentsSeen > 0 ? (documentsSeen === 1 ? word('1 file') : word('{0} files', count(documentsSeen))) : '',
    phase === 'busy' && tokensPerSecond !== null ? word('{0} tokens/s', count(Math.round(tokensPerSecond))) : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

function actionsFor(phase: FolderState['phase'], absorbed: boolean): AbsorptionAction[] {
  switch (phase) {
    case 'busy':
      return ['pause', 'stop'];
    case 'waiting':
      return ['stop'];
    case 'paused':
      return ['resume', 'stop'];
    case 'elsewhere':
      return [];
    case 'idle':
      return [absorbed ? 'refresh' : 'absorb'];
    default:
      return ['absorb'];
  }
}

function actionName(action: AbsorptionAction): string {
  const names = {
    absorb: word('Absorb'),
    refresh: word('Refresh'),
    pause: word('Pause'),
    resume: word('Resume'),
    stop: word('Stop'),
  };
  return names[action];
}
