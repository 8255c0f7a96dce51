/** What the status-bar item says, from the states of the host and the folders. */
import { l10n } from 'vscode';
import type { FolderState, HostState } from '../../protocol/view.ts';
import { countText, percentText } from '../number-text.ts';

export interface StatusText {
  /** With icons such as `$(book)`. */
  text: string;
  /** For screen readers. */
  label: string;
}

/** `active`: the folder that is in front of the user. */
export function statusText(
  host: HostState,
  folders: readonly FolderState[],
  active: FolderState | undefined,
): StatusText {
  if (host.phase === 'untrusted' || host.phase === 'virtual' || host.phase === 'noFolder') {
    return said('$(book) LIFT $(circle-slash)', host.message ?? l10n.t('LIFT is off here'));
  }
  const shown = mostUrgent(folders) ?? active;
  if (host.phase === 'failed') return said('$(error) LIFT', host.message ?? l10n.t('LIFT failed'));
  if (shown === undefined) return said('$(book) LIFT', l10n.t('LIFT'));
  switch (shown.phase) {
    case 'failed':
      return said('$(error) LIFT', shown.message ?? l10n.t('LIFT failed'));
    case 'busy':
      return said(`$(sync~spin) LIFT ${busyText(shown)}`, l10n.t('LIFT is absorbing {0}', shown.name));
    case 'waiting':
      return said('$(watch) LIFT', l10n.t('LIFT waits for its turn to absorb {0}', shown.name));
    case 'elsewhere':
      return said('$(window) LIFT', l10n.t('Another window absorbs {0}', shown.name));
    case 'paused':
      return said(`$(debug-pause) LIFT ${busyText(shown)}`.trimEnd(), l10n.t('Absorbing {0} is paused', shown.name));
    case 'empty':
      return said('$(book) LIFT', l10n.t('{0} is not absorbed yet', shown.name));
    default:
      break;
  }
  if (active === undefined || active.version === null) return said('$(book) LIFT', l10n.t('LIFT'));
  const dirty = folders.reduce((sum, folder) => sum + folder.dirty, 0);
  const share = percentText(active.absorbed);
  return said(
    `$(book) LIFT ${share}${dirty > 0 ? ` ●${countText(dirty)}` : ''}`,
    dirty > 0
      ? l10n.t('LIFT knows {0} of {1}. Files changed since: {2}', share, active.name, countText(dirty))
      : l10n.t('LIFT knows {0} of {1}', share, active.name),
  );
}

/** Whose state is worth showing whatever file is in front: what runs, then what failed, then what waits. */
function mostUrgent(folders: readonly FolderState[]): FolderState | undefined {
  for (const phase of ['busy', 'failed', 'elsewhere', 'paused', 'waiting'] as const) {
    const found = folders.find((folder) => folder.phase === phase);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** 312/1,204 files seen; once all were, the share of the work. */
function busyText({ progress, documents }: FolderState): string {
  if (progress === null || documents === 0) return '';
  const { documentsSeen, done } = progress;
  if (documentsSeen < documents) return `${countText(documentsSeen)}/${countText(documents)}`;
  return done === null ? countText(documents) : percentText(done);
}

function said(text: string, label: string): StatusText {
  return { text: text.trimEnd(), label };
}
