// The absorption panel: each folder of the workspace, and the host that does the work.
import type { FolderState, HostState, ViewCommand } from '../../protocol/view.ts';
import { element, setText } from '../elements.ts';
import { post } from '../extension-link.ts';
import { bytes } from '../quantities.ts';
import { textButton } from '../toolkit.ts';
import { word } from '../words.ts';
import { FolderSection } from './folder-section.ts';

export class AbsorptionPanel {
  readonly element: HTMLElement;
  private readonly folders = element('div', { class: 'folders' });
  private readonly nothing = element('p', { class: 'hint' }, word('No folder is open.'));
  private readonly host = element('dl', { class: 'facts' });
  private readonly message = element('p', { class: 'host-message' });
  private readonly sections = new Map<string, FolderSection>();

  constructor() {
    const commands: [string, ViewCommand][] = [
      [word('Select model'), 'lift.selectModel'],
      [word('Select device'), 'lift.selectDevice'],
      [word('Manage adapters'), 'lift.manageAdapters'],
      [word('Show report'), 'lift.showReport'],
      [word('Show log'), 'lift.showLog'],
      [word('Settings'), 'lift.openSettings'],
    ];
    this.element = element(
      'div',
      { class: 'absorption' },
      this.nothing,
      this.folders,
      element(
        'section',
        { class: 'host', 'aria-label': word('Model and device') },
        element('h3', {}, word('Model and device')),
        this.message,
        this.host,
        element(
          'div',
          { class: 'buttons' },
          ...commands.map(([label, command]) =>
            textButton(label, 'secondary', () => post({ type: 'runCommand', command })),
          ),
        ),
      ),
    );
  }

  show(host: HostState, folders: FolderState[]): void {
    const present = new Set(folders.map(({ folder }) => folder));
    for (const [folder, section] of this.sections) {
      if (present.has(folder)) continue;
      section.element.remove();
      this.sections.delete(folder);
    }
    for (const state of folders) {
      let section = this.sections.get(state.folder);
      if (!section) {
        section = new FolderSection(state.folder);
        this.sections.set(state.folder, section);
        this.folders.append(section.element);
      }
      section.show(state);
    }
    this.nothing.hidden = folders.length > 0;
    this.showHost(host);
  }

  private showHost(host: HostState): void {
    const facts: [string, string | null][] = [
      [word('Model'), host.model],
      [word('Device'), host.device],
      [word('Memory'), host.memoryBytes === null ? null : bytes(host.memoryBytes)],
      [word('State'), phaseName(host.phase)],
    ];
    this.host.replaceChildren(
      ...facts.flatMap(([term, text]) => (text === null ? [] : [element('dt', {}, term), element('dd', {}, text)])),
    );
    setText(this.message, host.message ?? '');
    this.message.hidden = host.message === null;
  }
}

function phaseName(phase: HostState['phase']): string {
  const names = {
    stopped: word('not running; the next question or absorption starts it'),
    starting: word('starting'),
    ready: word('ready'),
    restarting: word('starting again'),
    failed: word('failed'),
    untrusted: word('off: the workspace is not trusted'),
    noFolder: word('off: no folder is open'),
    virtual: word('off: the workspace is virtual'),
  };
  return names[phase];
}
