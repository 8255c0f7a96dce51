/** States of the folders as they are posted to the page, several times a second while one is absorbed: long lists are cut, and say so. */
import { l10n } from 'vscode';
import type { FolderState } from '../../protocol/view.ts';
import type { Folders } from '../lift-context.ts';

const MOST_SKIPPED = 500;

export function shownFolders(folders: Folders): FolderState[] {
  return folders.all.map(({ state }) => {
    const more = state.skipped.length - MOST_SKIPPED;
    if (more <= 0) return state;
    const rest = { path: '…', reason: l10n.t('{0} more: see the absorption report', more) };
    return { ...state, skipped: [...state.skipped.slice(0, MOST_SKIPPED), rest] };
  });
}
