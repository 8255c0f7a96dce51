/** What a click on the status-bar item offers, by what can be done just now. */
import { l10n, type QuickPickItem } from 'vscode';
import type { FolderState, HostState } from '../../protocol/view.ts';

export interface CommandChoice extends QuickPickItem {
  command: string;
}

export function statusMenu(host: HostState, folders: readonly FolderState[]): CommandChoice[] {
  const choice = (icon: string, label: string, command: string): CommandChoice => ({
    label: `$(${icon}) ${label}`,
    command,
  });
  if (host.phase === 'untrusted') return [choice('shield', l10n.t('Manage Workspace Trust'), 'lift.manageTrust')];
  const has = (...phases: FolderState['phase'][]) => folders.some(({ phase }) => phases.includes(phase));
  const hasAdapter = folders.some(({ version }) => version !== null);
  const menu: CommandChoice[] = [];
  if (host.phase === 'failed') menu.push(choice('debug-restart', l10n.t('Restart Host'), 'lift.restartHost'));
  if (has('busy', 'waiting')) menu.push(choice('debug-pause', l10n.t('Pause'), 'lift.pause'));
  if (has('paused')) menu.push(choice('debug-continue', l10n.t('Resume'), 'lift.resume'));
  if (has('busy', 'waiting', 'paused', 'elsewhere')) menu.push(choice('debug-stop', l10n.t('Stop'), 'lift.stop'));
  if (has('empty', 'unknown', 'failed')) menu.push(choice('book', l10n.t('Absorb Workspace'), 'lift.absorb'));
  if (has('idle')) menu.push(choice('sync', l10n.t('Refresh Adapter'), 'lift.refresh'));
  if (folders.length > 0) {
    menu.push(choice('comment-discussion', l10n.t('Ask…'), 'lift.ask'));
    menu.push(choice('graph', l10n.t('Show Absorption Report'), 'lift.showReport'));
  }
  if (hasAdapter) menu.push(choice('discard', l10n.t('Roll Back Adapter'), 'lift.rollBack'));
  menu.push(
    choice('database', l10n.t('Manage Adapters…'), 'lift.manageAdapters'),
    choice('symbol-misc', l10n.t('Select Model…'), 'lift.selectModel'),
    choice('chip', l10n.t('Select Device…'), 'lift.selectDevice'),
    choice('output', l10n.t('Show Log'), 'lift.showLog'),
    choice('gear', l10n.t('Open Settings'), 'lift.openSettings'),
  );
  return menu;
}
