/** The tooltip of the status-bar item, as Markdown: everything about the folders and the host at a glance, with what can be done. */
import { l10n } from 'vscode';
import type { FolderState, HostState } from '../../protocol/view.ts';
import { bytesText, countText, durationText, percentText } from '../number-text.ts';

/** `now`: milliseconds since 1970, for the age of a version. */
export function tooltipText(host: HostState, folders: readonly FolderState[], now: number): string {
  const parts = folders.map((folder) => folderText(folder, now));
  parts.push(hostText(host));
  const links = commandLinks(host, folders);
  if (links.length > 0) parts.push(links.join(' · '));
  return parts.filter((part) => part !== '').join('\n\n---\n\n');
}

/** Commands that the tooltip may link to, and no others. */
export const tooltipCommands = [
  'lift.absorb',
  'lift.refresh',
  'lift.pause',
  'lift.resume',
  'lift.stop',
  'lift.showReport',
  'lift.manageTrust',
  'lift.restartHost',
  'lift.showLog',
];

function folderText(folder: FolderState, now: number): string {
  const lines = [`**${escaped(folder.name)}** — ${phaseText(folder)}`];
  if (folder.message !== null) lines.push(escaped(folder.message));
  const { progress } = folder;
  if (progress !== null && (folder.phase === 'busy' || folder.phase === 'paused')) lines.push(progressText(folder));
  if (folder.version !== null) {
    const age = folder.absorbedAt === null ? null : (now - Date.parse(folder.absorbedAt)) / 1000;
    lines.push(
      l10n.t('Knows {0} of {1} files', percentText(folder.absorbed), countText(folder.documents)) +
        (age === null ? '' : ` · ${l10n.t('version {0}, {1} old', folder.version, durationText(age))}`) +
        (folder.absorbedCommit === null ? '' : ` · ${l10n.t('commit {0}', folder.absorbedCommit.slice(0, 8))}`) +
        (folder.adapterBytes > 0 ? ` · ${bytesText(folder.adapterBytes)}` : ''),
    );
  }
  if (folder.dirty > 0 && folder.version !== null) {
    lines.push(l10n.t('$(circle-filled) Files changed since: {0}', countText(folder.dirty)));
  }
  if (folder.isConsolidationDue) lines.push(l10n.t('Much was refreshed: Refresh absorbs everything anew.'));
  if (folder.skipped.length > 0)
    lines.push(l10n.t('Files and folders left out: {0}', countText(folder.skipped.length)));
  return lines.join('  \n');
}

function phaseText({ phase, dirty }: FolderState): string {
  switch (phase) {
    case 'unknown':
      return l10n.t('not looked at yet');
    case 'empty':
      return l10n.t('not absorbed yet');
    case 'idle':
      return dirty > 0 ? l10n.t('changed since it was absorbed') : l10n.t('up to date');
    case 'waiting':
      return l10n.t('waits for its turn');
    case 'busy':
      return l10n.t('is being absorbed');
    case 'paused':
      return l10n.t('paused');
    case 'elsewhere':
      return l10n.t('is being absorbed by another window');
    case 'failed':
      return l10n.t('failed');
  }
}

function progressText({ progress, documents }: FolderState): string {
  const { documentsSeen, secondsLeft, tokensPerSecond, done } = progress!;
  const parts = [l10n.t('{0} of {1} files', countText(documentsSeen), countText(documents))];
  if (done !== null) parts.push(percentText(done));
  if (secondsLeft !== null) parts.push(l10n.t('{0} left', durationText(secondsLeft)));
  if (tokensPerSecond !== null) parts.push(l10n.t('{0} tokens/s', countText(tokensPerSecond)));
  return parts.join(' · ');
}

function hostText({ phase, message, model, device, memoryBytes }: HostState): string {
  const parts: string[] = [];
  if (model !== null) parts.push(l10n.t('Model {0}', escaped(model)));
  if (device !== null) parts.push(l10n.t('device {0}', escaped(device)));
  if (memoryBytes !== null) parts.push(l10n.t('{0} of memory', bytesText(memoryBytes)));
  const known = parts.join(' · ');
  if (message !== null) return [known, escaped(message)].filter((part) => part !== '').join('  \n');
  return phase === 'stopped' && model !== null ? `${known} · ${l10n.t('asleep')}` : known;
}

function commandLinks(host: HostState, folders: readonly FolderState[]): string[] {
  const link = (icon: string, title: string, command: string) => `[$(${icon}) ${title}](command:${command})`;
  if (host.phase === 'untrusted') return [link('shield', l10n.t('Manage Trust'), 'lift.manageTrust')];
  if (host.phase === 'virtual' || host.phase === 'noFolder') return [];
  if (host.phase === 'failed') {
    return [
      link('debug-restart', l10n.t('Restart Host'), 'lift.restartHost'),
      link('output', l10n.t('Show Log'), 'lift.showLog'),
    ];
  }
  const has = (...phases: FolderState['phase'][]) => folders.some(({ phase }) => phases.includes(phase));
  const links: string[] = [];
  if (has('busy', 'waiting')) links.push(link('debug-pause', l10n.t('Pause'), 'lift.pause'));
  if (has('paused')) links.push(link('debug-continue', l10n.t('Resume'), 'lift.resume'));
  if (has('busy', 'waiting', 'paused', 'elsewhere')) links.push(link('debug-stop', l10n.t('Stop'), 'lift.stop'));
  if (folders.some(({ phase, dirty, isConsolidationDue }) => phase === 'idle' && (dirty > 0 || isConsolidationDue))) {
    links.push(link('sync', l10n.t('Refresh'), 'lift.refresh'));
  }
  if (has('empty', 'unknown', 'failed')) links.push(link('book', l10n.t('Absorb'), 'lift.absorb'));
  links.push(link('graph', l10n.t('Report'), 'lift.showReport'));
  return links;
}

/** Names of folders and messages are text, not Markdown. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>~$]/g, '\\$&').replace(/\s+/g, ' ');
}
