// One line above the conversation: how much the adapter knows and what changed since. A click leads to the absorption panel.
import type { FolderState } from '../../protocol/view.ts';
import { element, setText } from '../elements.ts';
import { changedFiles, count, percent, timeLeft } from '../quantities.ts';
import { word } from '../words.ts';

export class CoverageLine {
  readonly element: HTMLElement;
  private readonly text = element('span');
  private readonly bar = element('span', { class: 'coverage-bar', 'aria-hidden': 'true' });

  constructor(pressed: () => void) {
    this.element = element(
      'button',
      { type: 'button', class: 'coverage', title: word('Show the absorption') },
      this.text,
    );
    this.element.append(this.bar);
    this.element.addEventListener('click', pressed);
  }

  show(folders: FolderState[]): void {
    const text = coverageText(folders);
    this.element.hidden = text === null;
    setText(this.text, text ?? '');
    const busy = folders.find(({ phase }) => phase === 'busy');
    this.element.dataset.busy = String(busy !== undefined);
    this.bar.style.width = `${(busy ? (busy.progress?.done ?? 0) : absorbedShare(folders)) * 100}%`;
  }
}

/** Share of all tokens of all folders. */
export function absorbedShare(folders: FolderState[]): number {
  const tokens = folders.reduce((sum, folder) => sum + folder.tokens, 0);
  return tokens === 0 ? 0 : folders.reduce((sum, folder) => sum + folder.absorbed * folder.tokens, 0) / tokens;
}

function coverageText(folders: FolderState[]): string | null {
  const busy = folders.find(({ phase }) => phase === 'busy');
  if (busy) {
    const { done = null, secondsLeft = null } = busy.progress ?? {};
    const parts = [
      done === null ? word('Absorbing {0}…', busy.name) : word('Absorbing {0}: {1}', busy.name, percent(done)),
      secondsLeft === null ? '' : timeLeft(secondsLeft),
    ];
    return parts.filter(Boolean).join(' · ');
  }
  const known = folders.filter(({ version }) => version !== null);
  if (known.length === 0) return null;
  const dirty = folders.reduce((sum, folder) => sum + folder.dirty, 0);
  const parts = [
    known.length === 1
      ? word('{0}: {1} absorbed', known[0]!.name, percent(known[0]!.absorbed))
      : word('{0} folders: {1} absorbed', count(known.length), percent(absorbedShare(known))),
    dirty > 0 ? changedFiles(dirty) : word('up to date'),
    folders.some(({ phase }) => phase === 'paused') ? word('paused') : '',
    folders.some(({ phase }) => phase === 'failed') ? word('absorbing failed') : '',
  ];
  return parts.filter(Boolean).join(' · ');
}
