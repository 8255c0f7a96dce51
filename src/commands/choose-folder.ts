/** Which folder a command is about, in a workspace of several. */
import { l10n, window } from 'vscode';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';

/** Undefined where the user chooses none. Errors: Error where there is none to choose from, saying why. */
export async function chooseFolder({ folders, host }: LiftContext, title: string): Promise<AbsorbedFolder | undefined> {
  const { all } = folders;
  if (all.length === 0) throw new Error(host.state.message ?? l10n.t('Open a folder first.'));
  if (all.length === 1) return all[0];
  const choices = all.map((folder) => ({ label: folder.folder.name, description: folder.state.folder, folder }));
  return (await window.showQuickPick(choices, { title, placeHolder: l10n.t('Which folder?') }))?.folder;
}
