// What to do next: fills the empty conversation, and stands above a conversation while something is wrong with the host.
import type { FolderState, HostState, ViewCommand } from '../../protocol/view.ts';
import { element } from '../elements.ts';
import { post } from '../extension-link.ts';
import { busyRing, textButton } from '../toolkit.ts';
import { word } from '../words.ts';

export interface NextStep {
  title: string;
  text: string;
  actions: HTMLElement[];
  /** Whether it is about a trouble that a conversation must not hide. */
  trouble: boolean;
  /** Why nothing can be asked; null where it can. */
  refusal: string | null;
  busy: boolean;
}

export function nextStep(host: HostState, folders: FolderState[], fill: (question: string) => void): NextStep {
  const trouble = hostTrouble(host);
  if (trouble) return trouble;
  const calm = { trouble: false, refusal: null, busy: false };
  const unabsorbed = folders.filter(({ version }) => version === null);
  if (folders.length > 0 && unabsorbed.length === folders.length) return firstAbsorption(unabsorbed);
  return {
    ...calm,
    title: word('Ask about this code'),
    text: word(
      'LIFT answers from what it absorbed and shows where it stands. Paths and names that don’t exist are marked.',
    ),
    actions: [word('Where is … defined?'), word('What calls …?'), word('What is the file … for?')].map((question) =>
      suggestion(question, fill),
    ),
  };
}

export function nextStepElement(step: NextStep): HTMLElement {
  return element(
    'section',
    { class: step.trouble ? 'next-step notice' : 'next-step', 'aria-label': step.title },
    element('h2', {}, step.busy ? busyRing() : null, step.title),
    element('p', {}, step.text),
    element('div', { class: 'buttons' }, ...step.actions),
  );
}

function hostTrouble(host: HostState): NextStep | null {
  const trouble = (title: string, text: string, actions: HTMLElement[], refusal: string | null): NextStep => ({
    title,
    text: host.message ?? text,
    actions,
    trouble: true,
    refusal,
    busy: false,
  });
  switch (host.phase) {
    case 'noFolder': {
      const text = word('LIFT absorbs the folder that is open. Open one with File > Open Folder.');
      return trouble(word('No folder is open'), text, [], text);
    }
    case 'virtual': {
      const text = word(
        'LIFT reads files from disk, and this workspace is not on a disk. Clone the repository and open the folder.',
      );
      return trouble(word('This workspace is virtual'), text, [], text);
    }
    case 'untrusted': {
      const text = word('LIFT reads and trains on the files of this folder only when you trust it.');
      return trouble(
        word('This workspace is not trusted'),
        text,
        [command(word('Manage trust'), 'lift.manageTrust', 'primary')],
        text,
      );
    }
    case 'failed': {
      const text = word('The native host stopped and could not be started again. The log says why.');
      return trouble(
        word('LIFT can’t run'),
        text,
        [
          command(word('Restart'), 'lift.restartHost', 'primary'),
          command(word('Show log'), 'lift.showLog', 'secondary'),
        ],
        null,
      );
    }
    case 'starting':
    case 'restarting': {
      const title = host.phase === 'starting' ? word('Starting…') : word('Starting again after a crash…');
      const text = word('The model is being loaded. What you ask now is answered when it is there.');
      return { ...trouble(title, text, [], null), trouble: host.phase === 'restarting', busy: true };
    }
    default:
      return null;
  }
}

function firstAbsorption(folders: FolderState[]): NextStep {
  const busy = folders.find(({ phase }) => phase === 'busy' || phase === 'waiting');
  if (busy) {
    return {
      title: word('Absorbing {0}', busy.name),
      text: word('You can ask already; until it is done the base model answers from the texts that it is shown.'),
      actions: [],
      trouble: false,
      refusal: null,
      busy: true,
    };
  }
  const failed = folders.find(({ phase }) => phase === 'failed');
  return {
    title: failed ? word('Absorbing {0} failed', failed.name) : word('Teach LIFT this code'),
    text:
      failed?.message ??
      word(
        'LIFT trains a small adapter of a local model on your files, so that it knows them instead of searching them. Nothing leaves this machine.',
      ),
    actions: [
      ...folders.map(({ folder, name }) =>
        textButton(folders.length === 1 ? word('Absorb workspace') : word('Absorb {0}', name), 'primary', () =>
          post({ type: 'absorption', action: 'absorb', folder }),
        ),
      ),
      ...(failed ? [command(word('Show log'), 'lift.showLog', 'secondary')] : []),
    ],
    trouble: false,
    refusal: null,
    busy: false,
  };
}

function suggestion(question: string, fill: (question: string) => void): HTMLElement {
  const button = textButton(question, 'secondary', () => fill(question));
  button.classList.add('suggestion');
  return button;
}

function command(label: string, name: ViewCommand, kind: 'primary' | 'secondary'): HTMLElement {
  return textButton(label, kind, () => post({ type: 'runCommand', command: name }));
}
