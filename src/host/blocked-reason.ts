/** Why no native host may run in this window. */
import { l10n, workspace } from 'vscode';
import type { Blocked } from './host-client.ts';

export function blockedReason(): Blocked | null {
  const folders = workspace.workspaceFolders ?? [];
  if (!workspace.isTrusted) {
    return {
      phase: 'untrusted',
      message: l10n.t('LIFT reads and learns nothing of a workspace that is not trusted. Trust it to use LIFT here.'),
      refuses: true,
    };
  }
  if (folders.length > 0 && folders.every(({ uri }) => uri.scheme !== 'file')) {
    return {
      phase: 'virtual',
      message: l10n.t(
        'This workspace is not on a disk that LIFT can read. Open a copy of it in a folder of this computer, or on the remote machine that holds it.',
      ),
      refuses: true,
    };
  }
  if (folders.length === 0) {
    return {
      phase: 'noFolder',
      message: l10n.t('Open a folder, so that there is something to absorb.'),
      refuses: false,
    };
  }
  return null;
}
